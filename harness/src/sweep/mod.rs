//! `sweep`: one arm under many seeds, on all cores; and `merge`, which puts shards together.
//!
//! A sweep knows which seeds decide which claim, a bit each, and the set of traces that were reached,
//! 16 bytes each. That is all that its output is made of, so shards that carry it are as good as one
//! sweep. Some seeds are run twice: a run that does not repeat is a broken invariant.

mod bits;
mod distinct;
mod repeat;
mod report;
mod runner;
mod shard;

use std::ops::Range;
use std::sync::Mutex;
use std::time::Instant;

use faultlab_sim::engine::{End, TraceHash, TraceHasher};
use faultlab_sim::scenario::{Keep, Loaded, Outcome, Watch, model_versions};

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::library;
use crate::on_arm::{self, OnArm};
use crate::progress::Progress;
use crate::render::{counted, took};
use crate::threads::Threads;

use bits::Bits;
use distinct::Distinct;
use repeat::Parting;
use runner::Runner;
use shard::{Asked, ShardFile, Subject};

/// What a range of seeds came to.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Swept {
    /// For each claim, for each seed, whether it decides the claim: shows a `some`, breaks an `every`.
    deciding: Vec<Bits>,
    /// The traces that were reached.
    traces: Distinct,
    /// How many seeds were run twice, to see whether they repeat.
    repeated: u64,
    /// How many met something that the models do not support, and so decide nothing.
    unsupported: u64,
    /// How many were stopped because they took too many steps.
    endless: u64,
}

/// One seed in so many is run twice.
const REPEAT_ONE_IN: u64 = 64;

/// Runs `sweep`.
///
/// # Errors
/// Bad input, or a seed that does not repeat.
pub fn run(args: &cli::Sweep, layout: Layout) -> Result<Exit> {
    let loaded = library::find(&args.name)?.load()?;
    let arm = on_arm::arm(&loaded, &args.arm)?;
    on_arm::check_settings(&loaded, arm, &args.set)?;
    let runner = Runner::new(&loaded, arm, &args.set)?;
    let claims = on_arm::on_arm(&loaded, &arm.name);
    let subject = subject(&loaded, &runner, &claims, &args.seeds);
    let range = match args.shard {
        Some(shard) => shard.range(&args.seeds),
        None => args.seeds.clone(),
    };
    let began = Instant::now();
    let watch = on_arm::watch(&claims);
    let once = |seed: u64, keep: Keep| runner.run(seed, &watch, keep);
    let swept = sweep(
        &claims,
        &watch,
        &once,
        &args.seeds,
        &range,
        Threads::new(args.threads),
    )?;
    let time = began.elapsed();
    let runs = range.end - range.start;
    let rate = runs as f64 / time.as_secs_f64().max(1e-9);
    eprintln!(
        "{} in {}, {rate:.0} a second",
        counted(runs, "run"),
        took(time)
    );
    match args.shard {
        Some(shard) => {
            console::print_json(&ShardFile::new(subject, shard, swept))?;
            Ok(Exit::AsRecorded)
        }
        None => report::print(&subject, swept, args.json, layout),
    }
}

/// Runs `merge`.
///
/// # Errors
/// Shards that cannot be read, or that are not all of one sweep.
pub fn merge(args: &cli::Merge, layout: Layout) -> Result<Exit> {
    if args.form.csv || args.form.openmetrics {
        return Err(
            Failure::bad_input("a sweep is printed as text or by --json")
                .help("--csv and --openmetrics are for the shards of a day"),
        );
    }
    let (subject, swept) = shard::merge(&args.files)?;
    report::print(&subject, swept, args.form.json, layout)
}

fn subject(
    loaded: &Loaded,
    runner: &Runner<'_>,
    claims: &[OnArm<'_>],
    seeds: &Range<u64>,
) -> Subject {
    Subject {
        scenario: loaded.scenario.id.clone(),
        title: loaded.scenario.title.clone(),
        scenario_hash: text_hash(loaded),
        model_versions: model_versions(),
        arm: runner.arm().name.clone(),
        params: runner.params().clone(),
        from: seeds.start,
        to: seeds.end,
        claims: claims.iter().map(Asked::new).collect(),
    }
}

/// The hash of all that a scenario's file says, and its scripts.
fn text_hash(loaded: &Loaded) -> TraceHash {
    let mut hasher = TraceHasher::new();
    hasher.text(&loaded.text);
    for (name, text) in &loaded.scripts {
        hasher.text(name);
        hasher.text(text);
    }
    hasher.finish()
}

/// No part of a sweep is longer, so that a watcher sees progress.
const LONGEST_PART: u64 = 4096;

/// Runs the seeds of `range`, which is part or all of `whole`.
fn sweep(
    claims: &[OnArm<'_>],
    watch: &Watch,
    once: &(dyn Fn(u64, Keep) -> Outcome + Sync),
    whole: &Range<u64>,
    range: &Range<u64>,
    threads: Threads,
) -> Result<Swept> {
    let runs = range.end - range.start;
    let traces = Mutex::new(Distinct::default());
    let progress = Progress::bar(runs);
    let part = |part: Range<u64>| {
        let mut swept = Swept {
            deciding: vec![Bits::default(); claims.len()],
            ..Swept::default()
        };
        for nth in part.clone() {
            let seed = range.start + nth;
            let outcome = once(seed, Keep::default());
            // The sample follows from the seeds alone, so that shards take the same; each shard
            // checks its first one too.
            let sampled = (seed - whole.start).is_multiple_of(REPEAT_ONE_IN);
            swept.repeated += u64::from(sampled);
            if sampled || nth == 0 {
                repeat::check(seed, &outcome, once)?;
            }
            swept.add(claims, watch, &outcome);
        }
        progress.advance(part.end - part.start);
        let found = std::mem::take(&mut swept.traces);
        let mut traces = traces.lock().expect("nothing panics while it is held");
        traces.absorb(found);
        Ok(swept)
    };
    let parts: Vec<std::result::Result<Swept, Parting>> =
        threads.map(runs, threads.part(runs, LONGEST_PART), part);
    drop(progress);
    let mut swept = Swept {
        deciding: vec![Bits::default(); claims.len()],
        ..Swept::default()
    };
    for part in parts {
        swept.append(part.map_err(|parting| Failure::new(Exit::Internal, parting.to_string()))?);
    }
    swept.traces = traces.into_inner().expect("nothing panicked").settled();
    Ok(swept)
}

impl Swept {
    fn add(&mut self, claims: &[OnArm<'_>], watch: &Watch, outcome: &Outcome) {
        let unsupported = watch.met_unsupported(outcome.bits);
        let endless = outcome.end == End::StepLimit;
        self.unsupported += u64::from(unsupported);
        self.endless += u64::from(endless);
        self.traces.add(outcome.hash);
        for (index, (on, deciding)) in claims.iter().zip(&mut self.deciding).enumerate() {
            let so = outcome.bits >> index & 1 == 1;
            deciding.push(!unsupported && !endless && on.quantifier.is_decided_by(so));
        }
    }

    /// Appends what the seeds after these came to.
    fn append(&mut self, next: Swept) {
        for (deciding, more) in self.deciding.iter_mut().zip(&next.deciding) {
            deciding.append(more);
        }
        self.traces.absorb(next.traces);
        self.repeated += next.repeated;
        self.unsupported += next.unsupported;
        self.endless += next.endless;
    }
}

/// The pieces of `hex`, each of so many digits; `None` for a piece that is none.
fn unhex(hex: &str, digits: usize) -> impl Iterator<Item = Option<&str>> {
    hex.as_bytes().chunks(digits).map(move |piece| {
        let whole = piece.len() == digits && piece.iter().all(u8::is_ascii_hexdigit);
        whole.then(|| std::str::from_utf8(piece).expect("digits are ASCII"))
    })
}
