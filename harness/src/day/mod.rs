//! `day`: a population of nodes, a whole day of it, through aggregation and detection; windows and shards.

mod report;
mod shard;
mod window;

use std::ops::Range;
use std::time::Instant;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::observe::population::{Drawn, Population};
use faultlab_sim::observe::{AggregateConfig, NodeDay, Tally};
use faultlab_sim::scenario::{Versions, model_versions, read_population};
use serde::{Deserialize, Serialize};

use crate::cli;
use crate::console;
use crate::exit::Exit;
use crate::failure::Result;
use crate::progress::Progress;
use crate::render::took;
use crate::ron_file;
use crate::stop::Stop;
use crate::threads::Threads;
use report::grouped;
pub use shard::{is_shard, merge};

/// What a day is of: all shards of one agree on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    model_versions: Versions,
    population: Population,
    seed: u64,
    period_ms: u64,
}

/// Runs `day`.
///
/// # Errors
/// Bad input, or an output that cannot be written.
pub fn run(args: &cli::Day) -> Result<Exit> {
    let population = match &args.file {
        Some(path) => {
            let help = "`faultlab day --print` shows the article's population";
            ron_file::read(path, help, read_population)?
        }
        None => Population::article_day(),
    };
    if args.print {
        let text = ron::ser::to_string_pretty(&population, ron::ser::PrettyConfig::default())
            .expect("a population can be written");
        console::print(&format!("{text}\n"))?;
        return Ok(Exit::AsRecorded);
    }
    if let Some(window) = &args.window {
        window::print(&population, args.seed, window, args.node)?;
        return Ok(Exit::AsRecorded);
    }
    let all = 0..u64::from(population.nodes);
    let nodes = args.shard.map_or(all.clone(), |shard| shard.range(&all));
    let began = Instant::now();
    let threads = Threads::new(args.threads);
    let stop = Stop::on_signals()?;
    let days = Days {
        population: &population,
        seed: args.seed,
        period_ms: args.period_ms,
    };
    let of_nodes = days.play(nodes.clone(), threads, &|| stop.is_wanted());
    let through = of_nodes.iter().flatten().count() as u64;
    if through < nodes.end - nodes.start {
        let planned = nodes.end - nodes.start;
        eprintln!("stopped: {through} of {planned} nodes were through; nothing is printed");
        return Err(stop.end());
    }
    let tally = sum(of_nodes.into_iter().flatten());
    let time = began.elapsed();
    let rate = tally.events as f64 / time.as_secs_f64().max(1e-9) / 1e6;
    eprintln!(
        "{} events in {}, {rate:.1} million a second",
        grouped(tally.events),
        took(time)
    );
    let subject = Subject {
        model_versions: model_versions(),
        population,
        seed: args.seed,
        period_ms: args.period_ms,
    };
    match args.shard {
        Some(shard) => shard::print(shard, subject, tally)?,
        None => report::print(&subject, &tally, args.form)?,
    }
    Ok(Exit::AsRecorded)
}

/// What these nodes come to, the same for any number of threads.
pub fn tally(
    population: &Population,
    seed: u64,
    period_ms: u64,
    nodes: Range<u64>,
    threads: Threads,
) -> Tally {
    let days = Days {
        population,
        seed,
        period_ms,
    };
    let of_nodes = days.play(nodes, threads, &|| false);
    sum(of_nodes.into_iter().flatten())
}

fn sum(of_nodes: impl Iterator<Item = Tally>) -> Tally {
    let mut sum = Tally::default();
    of_nodes.for_each(|tally| sum.add(&tally));
    sum
}

/// Days of a population's nodes.
#[derive(Clone, Copy, Debug)]
struct Days<'a> {
    population: &'a Population,
    seed: u64,
    period_ms: u64,
}

impl Days<'_> {
    /// In what pieces a node is played, in seconds of its time: before each it is asked whether an end is wanted.
    const PIECE_S: u64 = 3_600;

    /// What each of these nodes comes to; nothing of those that were not through when an end was wanted.
    fn play(
        self,
        nodes: Range<u64>,
        threads: Threads,
        ends: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Option<Tally>> {
        let count = nodes.end - nodes.start;
        let pieces = self.population.seconds.div_ceil(Days::PIECE_S);
        let progress = Progress::bar_of(count * pieces, "hours of nodes");
        threads.map(count, 1, |part| {
            let node = (nodes.start + part.start) as u32;
            self.play_node(node, ends, &progress)
        })
    }

    /// The same of one node.
    fn play_node(self, node: u32, ends: &dyn Fn() -> bool, progress: &Progress) -> Option<Tally> {
        let config = AggregateConfig {
            period_ms: self.period_ms,
            cpus: self.population.cpus,
            ..AggregateConfig::default()
        };
        let drawn = Drawn::from_source(self.population, node, &mut Seed(self.seed));
        let mut day = NodeDay::new(self.population, node, &drawn, config);
        let mut second = 0;
        while second < self.population.seconds {
            if ends() {
                return None;
            }
            second += Days::PIECE_S;
            day.play_until(second);
            progress.advance(1);
        }
        Some(day.finish())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn population() -> Population {
        Population {
            nodes: 6,
            seconds: 4,
            incidents: Vec::new(),
            ..Population::article_day()
        }
    }

    #[test]
    fn threads_change_nothing() {
        let population = population();
        let with = |threads| tally(&population, 1, 1_000, 0..6, Threads::new(Some(threads)));
        assert_eq!(with(1), with(3));
        assert!(with(1).events > 0);
    }

    #[test]
    fn who_wants_an_end_gets_it_between_pieces() {
        let days = Days {
            population: &population(),
            seed: 1,
            period_ms: 1_000,
        };
        let asked = AtomicU64::new(0);
        let ends = || asked.fetch_add(1, Ordering::Relaxed) == 2;
        let of_nodes = days.play(0..6, Threads::new(Some(1)), &ends);
        let through: Vec<bool> = of_nodes.iter().map(Option::is_some).collect();
        assert_eq!(through, [true, true, false, true, true, true]);
    }
}
