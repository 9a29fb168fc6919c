//! The point of no return: along one run, how many of the futures that are still open end as it does.
//!
//! After each transition of the run the machine is forked, and all that can still happen from there is
//! counted (every interleaving, exactly) or, where that cannot be, tried under so many seeds.

use std::ops::Range;

use num_bigint::BigUint;
use serde::Serialize;

use crate::engine::source::Seed;
use crate::engine::{
    Completion, End, Entity, Env, Key, Limits, Machine, Monitor, Names, Observer, Pruning,
    Record as _, Source, Time, explore_each,
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

/// Why there is nothing to tell of the futures along a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoFutures {
    /// The run does not fail itself, or meets what is not modelled.
    DoesNotFail,
    /// Not all its futures fail from the start, and so many transitions are too many to find out where they do.
    TooLong {
        /// How many it has.
        steps: u64,
    },
}

/// What is being looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Looking {
    /// The run itself, of which so many records are known.
    Run {
        /// How many.
        records: u64,
    },
    /// The futures of a place in it.
    Futures {
        /// How many transitions there were before it.
        step: u64,
        /// How many the run has.
        steps: u64,
    },
}

/// Of a longer run, the futures are looked at in some places only.
const POINTS: u64 = 400;
/// In how many places at first, where they are tried under seeds.
const PLACES: u64 = 32;
/// How many transitions may be spent on seeds: of a long run, fewer seeds are tried.
const EFFORT: u64 = 40_000_000;
/// No fewer seeds than this are tried.
const FEWEST_SEEDS: u64 = 4;
/// Of a run of more transitions, the futures are looked at from its start only: more would be beyond the effort.
pub const LONGEST: u64 = 100_000;
/// How many transitions lie between two reports.
const REPORT_EVERY: u64 = 50_000;

/// A state of the run, and who watches.
type Fork = (Machine<Stage>, Watch);

/// Follows the run under `chooser`, and looks at the futures along it. `watch` has one pattern, and `so` says
/// whether a run fails if it is so or if it is not; `tell` hears what is being looked at. However long the run
/// is, a few states of it are there at a time.
///
/// # Errors
/// See [`NoFutures`].
pub fn point_of_no_return(
    prepared: &Prepared,
    watch: &Watch,
    so: bool,
    chooser: &Chooser,
    futures: Futures,
    executor: &dyn Executor,
    tell: &dyn Fn(Looking),
) -> Result<PointOfNoReturn, NoFutures> {
    let mut walk = Walk::new(prepared, watch, chooser);
    while walk.advance() {
        if walk.steps().is_multiple_of(REPORT_EVERY) {
            let records = walk.seen.0.records as u64;
            tell(Looking::Run { records });
        }
    }
    let (steps, records) = (walk.steps(), walk.seen.0.records);
    let bits = walk.seen.1.finish(walk.player.machine().now(), End::Done);
    if bits & 1 != u64::from(so) || watch.met_unsupported(bits) {
        return Err(NoFutures::DoesNotFail);
    }
    let names = walk.player.names();
    let counted = match futures {
        Futures::CountedOr(budget, _) if steps <= POINTS => {
            let (taken, forks) = every_fork(Walk::new(prepared, watch, chooser));
            let counted = count(prepared, &forks, so, budget, &mut names.clone());
            counted.map(|(states, shares)| (states, taken.into_iter().zip(shares).collect()))
        }
        _ => None,
    };
    let (counted, places): (Counted, Vec<Place>) = match counted {
        Some((states, places)) => (Counted::Interleavings { states }, places),
        None => {
            let (Futures::CountedOr(_, n) | Futures::Seeds(n)) = futures;
            let n = n.min((EFFORT / PLACES / 2 / steps.max(1)).max(FEWEST_SEEDS));
            let sampler = Sampler {
                prepared,
                watch,
                chooser,
                so,
                names,
                steps,
                seeds: n,
                executor,
                tell,
            };
            (Counted::Seeds { n }, sampler.places()?)
        }
    };
    let mut places = places.into_iter();
    let (_, start) = places.next().expect("the start is a place");
    let points = places.map(|(taken, share)| taken.point(share));
    let mut found = PointOfNoReturn {
        counted,
        records,
        steps,
        start,
        points: points.collect(),
        point: None,
        jump: None,
    };
    let open = found.points.iter().rposition(|point| !point.share.is_all());
    found.point = match open {
        Some(last) => Some(last + 1),
        None => (!found.start.is_all() && !found.points.is_empty()).then_some(0),
    };
    let rise = |index: &usize| {
        let (before, after) = (found.before(*index), &found.points[*index].share);
        after.ppm().saturating_sub(before.ppm())
    };
    // The first of the largest.
    let largest = (0..found.points.len()).rev().max_by_key(rise);
    found.jump = largest.filter(|index| rise(index) > 0);
    Ok(found)
}

/// Counts the futures of each of `forks`: how many states that took, and the shares. `None` if it cannot be:
/// the budget is spent, there is no bound, a choice is wide, or something is not modelled.
fn count(
    prepared: &Prepared,
    forks: &[Fork],
    so: bool,
    budget: u64,
    names: &mut Names,
) -> Option<(u64, Vec<Share>)> {
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
    let mut shares = Vec::new();
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
        shares.push(Share {
            failing: match so {
                true => hits.clone(),
                false => &explored.interleavings - hits,
            },
            of: explored.interleavings,
        });
    }
    Some((states, shares))
}

/// A place in the run, and the share of its futures.
type Place = (Taken, Share);

/// The transition after which a place lies; nothing was taken before the first.
#[derive(Clone)]
struct Taken {
    step: u64,
    at: Time,
    actor: String,
    operation: String,
    records: Range<usize>,
    words: Vec<String>,
}

impl Taken {
    fn point(self, share: Share) -> Point {
        Point {
            step: self.step,
            records: self.records,
            t_ns: self.at,
            actor: self.actor,
            operation: self.operation,
            words: self.words,
            share,
        }
    }
}

/// How many records there are, and which the last transition wrote.
#[derive(Default)]
struct Written {
    records: usize,
    last: Vec<(Entity, Record)>,
}

impl Observer<Record> for Written {
    fn see(&mut self, _: Time, actor: Entity, record: &Record, _: &Names) {
        self.records += 1;
        self.last.push((actor, record.clone()));
    }
}

/// A run, transition by transition, and who watches it.
struct Walk {
    player: Player<Box<dyn Source>>,
    seen: (Written, Watch),
    /// Who took the last transition, if one was taken.
    actor: Option<Entity>,
    /// What each actor is about to do, before the last transition.
    ready: Vec<(Entity, &'static str, Entity)>,
}

impl Walk {
    fn new(prepared: &Prepared, watch: &Watch, chooser: &Chooser) -> Walk {
        let mut seen = (Written::default(), watch.clone());
        let player = Player::new(prepared, chooser, &mut seen);
        Walk {
            player,
            seen,
            actor: None,
            ready: Vec::new(),
        }
    }

    fn steps(&self) -> u64 {
        self.player.steps()
    }

    fn fork(&self) -> Fork {
        (self.player.machine().clone(), self.seen.1.clone())
    }

    /// Takes a transition; `false` if the run is at its end.
    fn advance(&mut self) -> bool {
        self.seen.0.last.clear();
        self.ready.clear();
        let ready = self.player.machine().ready().iter();
        self.ready
            .extend(ready.map(|ready| (ready.actor, ready.verb, ready.object)));
        let actor = self.player.step_by(&mut self.seen);
        self.actor = actor.or(self.actor);
        actor.is_some()
    }

    /// Goes on until so many transitions were taken.
    fn advance_to(&mut self, step: u64) {
        while self.steps() < step && self.advance() {}
    }

    /// The last transition that was taken.
    fn taken(&self) -> Taken {
        let names = self.player.names();
        let path = |entity| names.path(entity).to_string();
        let of_actor = self.ready.iter().find(|(who, ..)| Some(*who) == self.actor);
        let written = &self.seen.0;
        let words = written
            .last
            .iter()
            .map(|(actor, record)| format!("`{}` {}", names.path(*actor), record.words()));
        Taken {
            step: self.steps(),
            at: self.player.machine().now(),
            actor: self.actor.map(path).unwrap_or_default(),
            operation: of_actor.map_or_else(String::new, |(_, verb, object)| match *object {
                Key::NO_OBJECT => (*verb).into(),
                object => format!("{verb} {}", names.path(object)),
            }),
            records: written.records - written.last.len()..written.records,
            words: words.collect(),
        }
    }
}

/// The places after all transitions of a run, and before the first, with the states there.
fn every_fork(mut walk: Walk) -> (Vec<Taken>, Vec<Fork>) {
    let (mut taken, mut forks) = (vec![walk.taken()], vec![walk.fork()]);
    while walk.advance() {
        taken.push(walk.taken());
        forks.push(walk.fork());
    }
    (taken, forks)
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
    tell: &'a dyn Fn(Looking),
}

impl Sampler<'_> {
    /// The places that are looked at, in their order, from the start on. Where every future fails from there, what
    /// comes after a long run's start makes no difference.
    fn places(&self) -> Result<Vec<Place>, NoFutures> {
        let places = match self.steps <= POINTS {
            true => (0..=self.steps).collect(),
            false => self.evenly(0, self.steps, PLACES),
        };
        let mut found = match self.steps <= POINTS {
            true => Vec::new(),
            false => {
                let start = self.look(&places[..1]);
                if start[0].1.is_all() {
                    return Ok(start);
                }
                if self.steps > LONGEST {
                    return Err(NoFutures::TooLong { steps: self.steps });
                }
                start
            }
        };
        found.extend(self.look(&places[found.len()..]));
        // Narrow the largest rise down to one transition.
        while let Some((from, to)) = largest_gap(&found) {
            let places = self.evenly(from, to, 4);
            found.extend(self.look(&places[1..places.len() - 1]));
            found.sort_unstable_by_key(|(taken, _)| taken.step);
        }
        Ok(found)
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

    /// The futures after so many transitions, which ascend. One state after the other: a large one would fill the
    /// memory many times over.
    fn look(&self, steps: &[u64]) -> Vec<Place> {
        let mut walk = Walk::new(self.prepared, self.watch, self.chooser);
        let places = steps.iter().map(|step| {
            (self.tell)(Looking::Futures {
                step: *step,
                steps: self.steps,
            });
            walk.advance_to(*step);
            (walk.taken(), self.share(&walk))
        });
        places.collect()
    }

    fn share(&self, walk: &Walk) -> Share {
        let (names, until, total) = (self.names, self.prepared.until, self.seeds);
        let fork = walk.fork();
        let part = |seeds: Range<u64>| {
            let mut found = Found::nothing_yet(&fork.1, Basis::Seeds(total));
            for seed in seeds {
                let (mut machine, mut watch) = fork.clone();
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
fn largest_gap(places: &[Place]) -> Option<(u64, u64)> {
    let rise = |pair: &[Place]| pair[1].1.ppm().saturating_sub(pair[0].1.ppm());
    let largest = places.windows(2).rev().max_by_key(|pair| rise(pair))?;
    let (from, to) = (largest[0].0.step, largest[1].0.step);
    (to - from > 1 && rise(largest) > 0).then_some((from, to))
}
