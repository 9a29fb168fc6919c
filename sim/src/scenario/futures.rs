//! The point of no return: along one run, how many of the futures that are still open end as it does.
//!
//! After each transition of the run the machine is forked, and all that can still happen from there is
//! counted (every interleaving, exactly) or, where that cannot be, tried under so many seeds.

use std::collections::VecDeque;
use std::ops::Range;

use num_bigint::BigUint;
use serde::Serialize;

use crate::engine::source::Seed;
use crate::engine::{
    Completion, End, Entity, Entry, Env, Key, Limits, Machine, Monitor, Names, Pruning, Source,
    Time, Trace, explore_each,
};

use super::pattern::Watch;
use super::player::Player;
use super::run::{Chooser, Prepared, STEP_LIMIT};
use super::search::{Basis, Executor, Found};
use super::stage::{Record, Stage};

/// How the futures of a state are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Futures {
    /// All interleavings, if at most so many states must be told apart and no choice is wide; else as
    /// many seeds as the second number says.
    CountedOr(u64, u64),
    /// So many seeds.
    Seeds(u64),
}

/// What the shares rest on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Counted {
    /// All interleavings from each point on, over so many states in all.
    Interleavings {
        /// How many states were told apart.
        states: u64,
    },
    /// So many seeds from each point on.
    Seeds {
        /// How many.
        n: u64,
    },
}

/// How many of the futures end as the run does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Share {
    /// Those that do.
    pub failing: BigUint,
    /// All that were looked at; not zero.
    pub of: BigUint,
}

impl Share {
    /// In parts of a million, rounded down: a million only if it is all of them.
    pub fn ppm(&self) -> u64 {
        let parts = &self.failing * 1_000_000u32 / &self.of;
        u64::try_from(parts).expect("a part is no more than the whole")
    }

    /// Whether no future is left that ends otherwise.
    pub fn is_all(&self) -> bool {
        self.failing == self.of
    }
}

impl Serialize for Share {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Share", 3)?;
        fields.serialize_field("failing", &self.failing.to_string())?;
        fields.serialize_field("of", &self.of.to_string())?;
        fields.serialize_field("ppm", &self.ppm())?;
        fields.end()
    }
}

/// The futures after one transition of the run.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Point {
    /// Which transition, from 1.
    pub step: u64,
    /// The positions of the records that it wrote, from 0.
    pub records: Range<usize>,
    /// When.
    pub t_ns: Time,
    /// Who took it.
    pub actor: String,
    /// What the actor was about to do, if it was an actor's step: an operation and its object.
    pub operation: String,
    /// What it recorded, in words.
    pub words: Vec<String>,
    /// The futures from there on.
    pub share: Share,
}

/// What the futures along a run came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PointOfNoReturn {
    /// What the shares rest on.
    pub counted: Counted,
    /// How many records the run has.
    pub records: usize,
    /// How many transitions it has.
    pub steps: u64,
    /// The futures before the first transition.
    pub start: Share,
    /// The futures after each transition, in their order; of a long run, after some.
    pub points: Vec<Point>,
    /// The first point from which on every future fails, as an index of `points`; `None` if that is so
    /// from the start.
    pub point: Option<usize>,
    /// The point with the largest rise; `None` if the share never rises.
    pub jump: Option<usize>,
}

impl PointOfNoReturn {
    /// The share before the point at `index`.
    pub fn before(&self, index: usize) -> &Share {
        match index.checked_sub(1) {
            Some(before) => &self.points[before].share,
            None => &self.start,
        }
    }
}

/// Of a longer run, the futures are looked at in some places only.
const POINTS: u64 = 400;
/// In how many places at first, where they are tried under seeds.
const PLACES: u64 = 32;
/// How many transitions may be spent on seeds: of a long run, fewer seeds are tried.
const EFFORT: u64 = 40_000_000;
/// No fewer seeds than this are tried.
const FEWEST_SEEDS: u64 = 4;

/// A state of the run, and who watches.
type Fork = (Machine<Stage>, Watch);

/// Follows the run under `chooser`, and looks at the futures along it. `watch` has one pattern, and `so` says
/// whether a run fails if it is so or if it is not. `None` if that run does not fail itself, or meets what is
/// not modelled.
pub fn point_of_no_return(
    prepared: &Prepared,
    watch: &Watch,
    so: bool,
    chooser: &Chooser,
    futures: Futures,
    executor: &dyn Executor,
) -> Option<PointOfNoReturn> {
    let mut walk = Walk::new(prepared, watch, chooser, Trace::kept());
    let mut forks = vec![walk.fork()];
    let mut kept = true;
    while walk.advance() {
        kept = kept && walk.taken.len() as u64 <= POINTS;
        if kept {
            forks.push(walk.fork());
        }
    }
    let (trace, watched) = walk.seen;
    let bits = watched.finish(walk.player.machine().now(), End::Done);
    if bits & 1 != u64::from(so) || watch.met_unsupported(bits) {
        return None;
    }
    let (steps, entries) = (walk.taken, trace.into_entries());
    let names = walk.player.names();
    let counted = match futures {
        Futures::CountedOr(budget, _) if kept => {
            count(prepared, &forks, so, budget, &mut names.clone())
        }
        _ => None,
    };
    let (counted, shares) = match counted {
        Some((states, shares)) => {
            let shares = (0u64..).zip(shares).collect();
            (Counted::Interleavings { states }, shares)
        }
        None => {
            let (Futures::CountedOr(_, n) | Futures::Seeds(n)) = futures;
            let sampler = Sampler {
                prepared,
                watch,
                chooser,
                so,
                names,
                steps: steps.len() as u64,
                seeds: n.min((EFFORT / PLACES / 2 / (steps.len() as u64).max(1)).max(FEWEST_SEEDS)),
                executor,
            };
            let n = sampler.seeds;
            (Counted::Seeds { n }, sampler.shares(kept.then_some(forks)))
        }
    };
    let mut shares: VecDeque<(u64, Share)> = shares;
    let (_, start) = shares.pop_front()?;
    let points = shares.into_iter().map(|(step, share)| {
        let taken = &steps[step as usize - 1];
        let words = entries[taken.records.clone()].iter();
        Point {
            step,
            records: taken.records.clone(),
            t_ns: taken.at,
            actor: names.path(taken.actor).to_string(),
            operation: taken.operation.clone(),
            words: words.map(words_of).collect(),
            share,
        }
    });
    let mut found = PointOfNoReturn {
        counted,
        records: entries.len(),
        steps: steps.len() as u64,
        start,
        points: points.collect(),
        point: None,
        jump: None,
    };
    let open = found.points.iter().rposition(|point| !point.share.is_all());
    found.point = match open {
        Some(last) => Some(last + 1),
        None => (!found.start.is_all()).then_some(0),
    };
    let rise = |index: &usize| {
        let (before, after) = (found.before(*index), &found.points[*index].share);
        after.ppm().saturating_sub(before.ppm())
    };
    // The first of the largest.
    let largest = (0..found.points.len()).rev().max_by_key(rise);
    found.jump = largest.filter(|index| rise(index) > 0);
    Some(found)
}

fn words_of(entry: &Entry<Record>) -> String {
    use crate::engine::Record as _;
    format!("`{}` {}", entry.actor, entry.record.words())
}

/// Counts the futures of each of `forks`: how many states that took, and the shares. `None` if it cannot be:
/// the budget is spent, there is no bound, a choice is wide, or something is not modelled.
fn count(
    prepared: &Prepared,
    forks: &[Fork],
    so: bool,
    budget: u64,
    names: &mut Names,
) -> Option<(u64, VecDeque<Share>)> {
    let how = crate::engine::Search {
        pruning: Pruning::States,
        until: prepared.until,
        budget,
        ..crate::engine::Search::default()
    };
    let found = explore_each(forks, names, &how);
    if found.len() < forks.len() {
        return None;
    }
    let mut shares = VecDeque::new();
    let mut states = 0;
    for explored in found {
        // Bit 1 is what is not modelled.
        let is_exact = explored.completion == Completion::Complete
            && explored.wide_sites.is_empty()
            && explored.hits[1] == BigUint::ZERO;
        if !is_exact {
            return None;
        }
        states += explored.states;
        let hits = &explored.hits[0];
        shares.push_back(Share {
            failing: match so {
                true => hits.clone(),
                false => &explored.interleavings - hits,
            },
            of: explored.interleavings,
        });
    }
    Some((states, shares))
}

/// A transition that was taken.
struct Taken {
    at: Time,
    actor: Entity,
    operation: String,
    records: Range<usize>,
}

/// A run, transition by transition, and who watches it.
struct Walk {
    player: Player<Box<dyn Source>>,
    seen: (Trace<Record>, Watch),
    taken: Vec<Taken>,
}

impl Walk {
    fn new(prepared: &Prepared, watch: &Watch, chooser: &Chooser, trace: Trace<Record>) -> Walk {
        let mut seen = (trace, watch.clone());
        Walk {
            player: Player::new(prepared, chooser, &mut seen),
            seen,
            taken: Vec::new(),
        }
    }

    fn fork(&self) -> Fork {
        (self.player.machine().clone(), self.seen.1.clone())
    }

    /// Takes a transition; `false` if the run is at its end.
    fn advance(&mut self) -> bool {
        let from = self.seen.0.len() as usize;
        let ready = self.player.machine().ready().to_vec();
        let Some(actor) = self.player.step_by(&mut self.seen) else {
            return false;
        };
        let of_actor = ready.iter().find(|ready| ready.actor == actor);
        let names = self.player.names();
        let operation = of_actor.map_or_else(String::new, |ready| match ready.object {
            Key::NO_OBJECT => ready.verb.into(),
            object => format!("{} {}", ready.verb, names.path(object)),
        });
        self.taken.push(Taken {
            at: self.player.machine().now(),
            actor,
            operation,
            records: from..self.seen.0.len() as usize,
        });
        true
    }
}

/// Tries futures under seeds.
struct Sampler<'a> {
    prepared: &'a Prepared,
    watch: &'a Watch,
    chooser: &'a Chooser,
    so: bool,
    names: &'a Names,
    /// How many transitions the run has.
    steps: u64,
    seeds: u64,
    executor: &'a dyn Executor,
}

impl Sampler<'_> {
    /// The shares after some transitions, in their order; `forks` are the states after all of them,
    /// if they were kept.
    fn shares(&self, forks: Option<Vec<Fork>>) -> VecDeque<(u64, Share)> {
        let places = match &forks {
            Some(forks) => (0..forks.len() as u64).collect(),
            None => self.evenly(0, self.steps, PLACES),
        };
        let forks = forks.unwrap_or_else(|| self.forks(&places));
        let shares = forks.iter().map(|fork| self.share(fork));
        let mut shares: Vec<(u64, Share)> = places.into_iter().zip(shares).collect();
        // Narrow the largest rise down to one transition.
        while let Some((from, to)) = largest_gap(&shares) {
            let places = self.evenly(from, to, 4);
            let inner = &places[1..places.len() - 1];
            let found = self.forks(inner);
            let found = inner
                .iter()
                .copied()
                .zip(found.iter().map(|fork| self.share(fork)));
            shares.extend(found.collect::<Vec<_>>());
            shares.sort_unstable_by_key(|(step, _)| *step);
        }
        shares.into()
    }

    /// Places from `from` to `to`, both among them, in at most so many equal parts.
    fn evenly(&self, from: u64, to: u64, parts: u64) -> Vec<u64> {
        let parts = parts.min(to - from).max(1);
        let mut places: Vec<u64> = (0..=parts)
            .map(|nth| from + (to - from) * nth / parts)
            .collect();
        places.dedup();
        places
    }

    /// The states of the run after so many transitions, which ascend.
    fn forks(&self, places: &[u64]) -> Vec<Fork> {
        let mut walk = Walk::new(self.prepared, self.watch, self.chooser, Trace::hashed());
        let mut forks = Vec::new();
        for place in places {
            while (walk.taken.len() as u64) < *place && walk.advance() {}
            forks.push(walk.fork());
        }
        forks
    }

    fn share(&self, (machine, watch): &Fork) -> Share {
        let (names, until, total) = (self.names, self.prepared.until, self.seeds);
        let part = |seeds: Range<u64>| {
            let mut found = Found::nothing_yet(watch, Basis::Seeds(total));
            for seed in seeds {
                let (mut machine, mut watch) = (machine.clone(), watch.clone());
                let mut names = names.clone();
                let limits = Limits {
                    until,
                    steps: STEP_LIMIT,
                };
                let mut env = Env {
                    names: &mut names,
                    source: &mut Seed(seed),
                    observer: &mut watch,
                };
                let end = machine.run(&mut env, limits);
                let bits = watch.finish(machine.now(), end);
                found.runs += 1u8;
                found.findings[0].hits += (bits & 1) as u8;
            }
            found
        };
        let mut share = Share {
            failing: BigUint::ZERO,
            of: BigUint::ZERO,
        };
        for part in self.executor.parts(total, &part) {
            share.failing += match self.so {
                true => part.findings[0].hits.clone(),
                false => &part.runs - &part.findings[0].hits,
            };
            share.of += part.runs;
        }
        share
    }
}

/// The two neighbours with transitions between them that were not looked at, where the share rises
/// most, if it is the largest rise of all.
fn largest_gap(shares: &[(u64, Share)]) -> Option<(u64, u64)> {
    let rise = |pair: &[(u64, Share)]| pair[1].1.ppm().saturating_sub(pair[0].1.ppm());
    let largest = shares.windows(2).rev().max_by_key(|pair| rise(pair))?;
    let is_wide = largest[1].0 - largest[0].0 > 1;
    (is_wide && rise(largest) > 0).then_some((largest[0].0, largest[1].0))
}
