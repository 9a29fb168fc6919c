//! Searching an arm: which patterns some run shows, which every run shows, on what basis.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use num_bigint::BigUint;

use crate::engine::source::Defaults;
use crate::engine::{Completion, End, Env, Pruning, explore};

use super::pattern::Watch;
use super::run::{Chooser, Keep, Outcome, Prepared};
use super::schema::Search;
use super::stage::Record;

/// What a verdict rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Basis {
    /// One run.
    Run,
    /// So many runs.
    Seeds(u64),
    /// All interleavings, over so many states.
    Exhaustive {
        /// How many interleavings there are; `None` if there is no bound.
        interleavings: Option<BigUint>,
        /// How many states were told apart.
        states: u64,
    },
    /// All interleavings, up to the order of steps that commute.
    Reduced {
        /// How many states were told apart.
        states: u64,
    },
    /// All interleavings with so many preemptions at most.
    Bounded(u32),
    /// A document.
    Document(String),
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Basis::Run => f.write_str("run"),
            Basis::Seeds(n) => write!(f, "seeds({n})"),
            Basis::Exhaustive {
                interleavings: Some(n),
                states,
            } => {
                write!(f, "exhaustive({n}, {states})")
            }
            Basis::Exhaustive {
                interleavings: None,
                states,
            } => {
                write!(f, "exhaustive(unbounded, {states})")
            }
            Basis::Reduced { states } => write!(f, "exhaustive(reduced, {states})"),
            Basis::Bounded(n) => write!(f, "bounded({n})"),
            Basis::Document(source) => write!(f, "document({source})"),
        }
    }
}

/// What a search says of one pattern.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Finding {
    /// In how many runs it was so.
    pub hits: BigUint,
    /// A run where it was so.
    pub hit: Option<Chooser>,
    /// A run where it was not so.
    pub miss: Option<Chooser>,
}

/// What a search of one arm came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// What it rests on.
    pub basis: Basis,
    /// All runs that were looked at, or all interleavings that there are.
    pub runs: BigUint,
    /// Whether nothing that the search was to see was left out.
    pub complete: bool,
    /// Whether the models met something that they do not support.
    pub unsupported: bool,
    /// For each pattern of the watch.
    pub findings: Vec<Finding>,
    /// The sites of wide choices, which were left to the seed.
    pub not_enumerated: BTreeSet<&'static str>,
}

/// Runs a function over parts of a range of seeds, perhaps on several threads, and gives the results
/// in the order of the parts.
pub trait Executor {
    /// Covers `0..runs` by parts.
    fn parts(&self, runs: u64, part: &(dyn Fn(Range<u64>) -> Found + Sync)) -> Vec<Found>;
}

/// One part, here and now.
pub struct Sequential;

impl Executor for Sequential {
    fn parts(&self, runs: u64, part: &(dyn Fn(Range<u64>) -> Found + Sync)) -> Vec<Found> {
        vec![part(0..runs)]
    }
}

/// How many states an exhaustive search tells apart at most.
pub const STATE_BUDGET: u64 = 3_000_000;

/// Searches an arm. An exhaustive search tells at most `budget` states apart.
pub fn search(
    prepared: &Prepared,
    watch: &Watch,
    how: &Search,
    seed: u64,
    budget: u64,
    executor: &dyn Executor,
) -> Found {
    match how {
        Search::Run => runs(prepared, watch, 0..1, Basis::Run, |_| Chooser::Seed(seed)),
        Search::Seeds(n) => many(prepared, watch, *n, executor, |nth| {
            Chooser::Seed(seed.wrapping_add(nth))
        }),
        Search::Random(n) => many(prepared, watch, *n, executor, |nth| {
            Chooser::Random(seed.wrapping_add(nth))
        }),
        Search::Pct { runs, depth } => {
            let measured = Keep {
                choices: true,
                ..Keep::default()
            };
            let steps = prepared
                .run(&Chooser::Defaults, watch, measured)
                .taken
                .total;
            many(prepared, watch, *runs, executor, |nth| Chooser::Pct {
                seed: seed.wrapping_add(nth),
                depth: *depth,
                steps,
            })
        }
        Search::Exhaustive => exhaustive(prepared, watch, Pruning::States, None, seed, budget),
        Search::Bounded(preemptions) => exhaustive(
            prepared,
            watch,
            Pruning::States,
            Some(*preemptions),
            seed,
            budget,
        ),
        Search::Reduced => {
            // Files seldom change; where they do, that is met, and looking at them counts again.
            let staying = prepared.where_files_stay();
            let found = exhaustive(&staying, watch, Pruning::Steps, None, seed, budget);
            match found.unsupported {
                true => exhaustive(prepared, watch, Pruning::Steps, None, seed, budget),
                false => found,
            }
        }
    }
}

fn many(
    prepared: &Prepared,
    watch: &Watch,
    total: u64,
    executor: &dyn Executor,
    chooser: impl Fn(u64) -> Chooser + Sync,
) -> Found {
    let part = |range: Range<u64>| runs(prepared, watch, range, Basis::Seeds(total), &chooser);
    let mut parts = executor.parts(total, &part).into_iter();
    let mut whole = parts.next().expect("an executor covers the range");
    for part in parts {
        whole.runs += part.runs;
        whole.complete &= part.complete;
        whole.unsupported |= part.unsupported;
        for (finding, more) in whole.findings.iter_mut().zip(part.findings) {
            finding.hits += more.hits;
            finding.hit = finding.hit.take().or(more.hit);
            finding.miss = finding.miss.take().or(more.miss);
        }
    }
    whole
}

fn runs(
    prepared: &Prepared,
    watch: &Watch,
    range: Range<u64>,
    basis: Basis,
    chooser: impl Fn(u64) -> Chooser,
) -> Found {
    let mut found = Found::nothing_yet(watch, basis);
    for nth in range {
        let chooser = chooser(nth);
        let outcome = prepared.run(&chooser, watch, Keep::default());
        found.add(&outcome, watch, &chooser);
    }
    found
}

impl Found {
    pub(super) fn nothing_yet(watch: &Watch, basis: Basis) -> Found {
        Found {
            basis,
            runs: BigUint::ZERO,
            complete: true,
            unsupported: false,
            findings: vec![Finding::default(); watch.patterns().len()],
            not_enumerated: BTreeSet::new(),
        }
    }

    /// What a single run says.
    pub(crate) fn of_run(outcome: &Outcome, watch: &Watch, chooser: &Chooser) -> Found {
        let mut found = Found::nothing_yet(watch, Basis::Run);
        found.add(outcome, watch, chooser);
        found
    }

    fn add(&mut self, outcome: &Outcome, watch: &Watch, chooser: &Chooser) {
        self.runs += 1u8;
        self.complete &= outcome.end != End::StepLimit;
        self.unsupported |= watch.met_unsupported(outcome.bits);
        for (index, finding) in self.findings.iter_mut().enumerate() {
            let so = outcome.bits >> index & 1 == 1;
            finding.hits += u8::from(so);
            let witness = match so {
                true => &mut finding.hit,
                false => &mut finding.miss,
            };
            witness.get_or_insert_with(|| chooser.clone());
        }
    }
}

fn exhaustive(
    prepared: &Prepared,
    watch: &Watch,
    pruning: Pruning,
    preemptions: Option<u32>,
    seed: u64,
    budget: u64,
) -> Found {
    let mut names = prepared.names();
    let mut begun = watch.clone();
    let machine = {
        let mut env: Env<'_, Record> = Env {
            names: &mut names,
            source: &mut Defaults,
            observer: &mut begun,
        };
        prepared.machine(&mut env)
    };
    let how = crate::engine::Search {
        pruning,
        until: prepared.until,
        budget,
        preemptions,
        wide_seed: seed,
    };
    let explored = explore(&machine, &mut names, &begun, &how);
    let basis = match (preemptions, explored.completion) {
        (Some(bound), _) => Basis::Bounded(bound),
        (None, _) if pruning == Pruning::Steps => Basis::Reduced {
            states: explored.states,
        },
        (None, Completion::Unbounded) => Basis::Exhaustive {
            interleavings: None,
            states: explored.states,
        },
        (None, _) => Basis::Exhaustive {
            interleavings: Some(explored.interleavings.clone()),
            states: explored.states,
        },
    };
    let patterns = watch.patterns().len();
    let witness = |picks: &Option<Vec<u64>>| {
        picks
            .as_ref()
            .map(|picks| Chooser::Positional(picks.clone(), seed))
    };
    let findings = (0..patterns).map(|index| Finding {
        hits: explored.hits[index].clone(),
        hit: witness(&explored.hit[index]),
        miss: witness(&explored.miss[index]),
    });
    Found {
        basis,
        runs: explored.interleavings,
        complete: explored.completion != Completion::BudgetSpent,
        unsupported: explored.hit[patterns].is_some(),
        findings: findings.collect(),
        not_enumerated: explored.wide_sites,
    }
}
