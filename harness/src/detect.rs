//! `detect`: every observer, as it is and with each fault, scored against what was injected.

use std::fmt::Write as _;
use std::time::Instant;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::observe::population::Drawn;
use faultlab_sim::observe::{Contest, Row, Score, Trouble};
use faultlab_sim::scenario::{Versions, model_versions, read_contest};
use serde::Serialize;

use crate::cli;
use crate::console;
use crate::exit::Exit;
use crate::failure::Result;
use crate::progress::Progress;
use crate::render::took;
use crate::ron_file;
use crate::scored::Scored;
use crate::threads::Threads;

/// Runs `detect`.
///
/// # Errors
/// Bad input, or an output that cannot be written.
pub fn run(args: &cli::Detect) -> Result<Exit> {
    let contest = match &args.file {
        Some(path) => {
            let help = "`faultlab detect --print` shows the one that comes with faultlab";
            ron_file::read(path, help, read_contest)?
        }
        None => Contest::standard(),
    };
    if args.print {
        let pretty = ron::ser::PrettyConfig::default();
        let text = ron::ser::to_string_pretty(&contest, pretty).expect("a contest can be written");
        console::print(&format!("{text}\n"))?;
        return Ok(Exit::AsRecorded);
    }
    let began = Instant::now();
    let rows = play(&contest, args.seed, Threads::new(args.threads));
    eprintln!("in {}", took(began.elapsed()));
    match (args.json, args.csv) {
        (true, _) => console::print_json(&Report {
            model_versions: model_versions(),
            seed: args.seed,
            nodes: contest.population.nodes,
            seconds: contest.population.seconds,
            rows: rows.iter().map(Entry::of).collect(),
        })?,
        (false, true) => console::print(&csv(&rows))?,
        (false, false) => console::print(&table(&rows))?,
    }
    Ok(Exit::AsRecorded)
}

/// What everyone comes to on all nodes, the same for any number of threads.
fn play(contest: &Contest, seed: u64, threads: Threads) -> Vec<Row> {
    let nodes = u64::from(contest.population.nodes);
    let progress = Progress::bar_of(nodes, "nodes");
    let of_nodes = threads.map(nodes, 1, |part| {
        let node = part.start as u32;
        let drawn = Drawn::from_source(&contest.population, node, &mut Seed(seed));
        let rows = contest.play(node, &drawn);
        progress.advance(1);
        rows
    });
    let mut of_nodes = of_nodes.into_iter();
    let mut sum = of_nodes.next().expect("a population has a node");
    for rows in of_nodes {
        for (row, other) in sum.iter_mut().zip(&rows) {
            row.add(other);
        }
    }
    sum
}

/// The same as JSON.
#[derive(Serialize)]
struct Report {
    model_versions: Versions,
    seed: u64,
    nodes: u32,
    seconds: u64,
    rows: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    observer: String,
    fault: Option<String>,
    offered: u64,
    lost: u64,
    silent: u64,
    cpu_us: Option<u64>,
    detection: Vec<Scored>,
}

impl Entry {
    fn of(row: &Row) -> Entry {
        Entry {
            observer: row.observer.clone(),
            fault: row.fault.clone(),
            offered: row.offered,
            lost: row.lost,
            silent: row.silent,
            cpu_us: row.cpu_ns.map(|ns| ns / 1_000),
            detection: row.scores.iter().map(Scored::of).collect(),
        }
    }
}

/// One line for each observer, fault and trouble, with a head; what is not there is empty.
fn csv(rows: &[Row]) -> String {
    let mut text = format!("observer,fault,{},offered,lost,silent\n", Scored::CSV_HEADS);
    for entry in rows.iter().map(Entry::of) {
        let fault = entry.fault.as_deref().unwrap_or("");
        for scored in &entry.detection {
            let written = writeln!(
                text,
                "{},{fault},{},{},{},{}",
                quoted(&entry.observer),
                scored.csv(),
                entry.offered,
                entry.lost,
                entry.silent,
            );
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        }
    }
    text
}

/// A name in CSV: quoted where it would end its field.
fn quoted(name: &str) -> String {
    match name.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", name.replace('"', "\"\"")),
        false => name.to_owned(),
    }
}

/// The heads of the troubles' columns, in two lines.
const fn head(trouble: Trouble) -> (&'static str, &'static str) {
    match trouble {
        Trouble::SynTimeouts => ("SYN", "timeouts"),
        Trouble::ResetBurst => ("reset", "burst"),
        Trouble::TimeWaitGrowth => ("TIME_WAIT", "growth"),
        Trouble::PoolLeak => ("pool", "leak"),
        Trouble::PortExhaustion => ("no free", "port"),
        Trouble::SynFlood => ("SYN", "flood"),
        Trouble::BufferOverflow => ("buffer", "fills"),
    }
}

const LEGEND: &str = "\
8/8 1.2s: all of 8 found, 1.2 s after they began in the median; !3: three false alarms; in time, of a buffer: before it
was full. Precision and recall: --csv or --json.\n";

/// A matrix: a line for each observer and fault, a column for each trouble.
fn table(rows: &[Row]) -> String {
    const CELL: usize = 15;
    let first = |row: &Row| match &row.fault {
        None => row.observer.clone(),
        Some(fault) => format!("  {fault}"),
    };
    let width = rows.iter().map(|row| first(row).len()).max().unwrap_or(0) + 2;
    let mut text = String::new();
    for line in 0..2 {
        text.push_str(&" ".repeat(width));
        for trouble in Trouble::ALL {
            let (upper, lower) = head(trouble);
            let word = if line == 0 { upper } else { lower };
            text.push_str(&format!("{word:<CELL$}"));
        }
        text.push_str(if line == 0 {
            "       lost"
        } else {
            "  in silence"
        });
        text.push('\n');
    }
    for row in rows {
        text.push_str(&format!("{:<width$}", first(row)));
        for trouble in Trouble::ALL {
            text.push_str(&format!("{:<CELL$}", cell(&row.scores[&trouble])));
        }
        let lost = match (row.lost, row.silent) {
            (0, _) => "-".to_owned(),
            (lost, 0) => format!("{lost}"),
            (lost, silent) if lost == silent => format!("{lost}, all silent"),
            (lost, silent) => format!("{lost}, {silent} silent"),
        };
        text.push_str(&lost);
        while text.ends_with(' ') {
            text.pop();
        }
        text.push('\n');
    }
    text.push('\n');
    text.push_str(LEGEND);
    text
}

/// `8/8 1.2s !3`.
fn cell(score: &Score) -> String {
    let mut text = match score.injected {
        0 => "-".to_owned(),
        injected => format!("{}/{injected}", score.found),
    };
    if let Some(delay) = score.median_delay() {
        let ms = delay.0 / 1_000_000;
        let delay = match ms {
            0..1_000 => format!(" {ms}ms"),
            1_000..100_000 => format!(" {}.{}s", ms / 1_000, ms % 1_000 / 100),
            _ => format!(" {}s", ms / 1_000),
        };
        text.push_str(&delay);
    }
    if score.false_alarms > 0 {
        text.push_str(&format!(" !{}", score.false_alarms));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_was_found_when_and_what_was_false() {
        let score = Score {
            injected: 8,
            found: 2,
            alarms: 5,
            false_alarms: 3,
            delays_ns: vec![950_000_000, 1_250_000_000],
        };
        assert_eq!(cell(&score), "2/8 950ms !3");
        assert_eq!(cell(&Score::default()), "-");
        let none = Score {
            injected: 4,
            ..Score::default()
        };
        assert_eq!(cell(&none), "0/4");
    }
}
