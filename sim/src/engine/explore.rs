//! Exhaustive search: every interleaving and every narrow choice, by forking the machine.
//!
//! States are told apart by 128-bit keys over the world, the agenda relative to now, and the state of
//! every monitor, so a claim about order or counts is never judged by another history. The number of
//! interleavings is exact and counted over the graph of states. Partial-order pruning (sleep sets, and
//! steps that touch nothing shared are not interleaved) explores fewer, and then counts what it ran.

use std::collections::BTreeSet;
use std::hash::Hash;

use num_bigint::BigUint;

use super::entity::{Entity, Names};
use super::hash::LookupMap;
use super::machine::{End, Env, Footprint, Limits, Machine, Progress, World};
use super::source::Enumerator;
use super::time::Time;
use super::trace::Observer;

/// Watches a run, and says at its end what was so.
pub trait Monitor<R>: Observer<R> + Clone + Hash {
    /// Bit `i` is set if watched thing `i` is so for a run that ends now.
    fn finish(&self, at: Time, end: End) -> u64;

    /// How many things are watched; at most 64.
    fn watched(&self) -> u32;

    /// Whether the order of this record among other such records can matter to what is watched.
    fn heeds_order_of(&self, record: &R) -> bool {
        let _ = record;
        true
    }
}

/// What is pruned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pruning {
    /// Nothing: every interleaving is run.
    Off,
    /// States that were met before: the counts stay exact.
    States,
    /// Also interleavings that differ only in the order of steps that commute.
    Steps,
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// What is pruned.
    pub pruning: Pruning,
    /// No event after this time happens.
    pub until: Time,
    /// How many states may be met before the search gives up.
    pub budget: u64,
    /// At most this many times is an actor preempted that could go on; `None`: any number.
    pub preemptions: Option<u32>,
    /// The seed of wide choices, which are not enumerated.
    pub wide_seed: u64,
}

impl Default for Search {
    fn default() -> Self {
        Search {
            pruning: Pruning::States,
            until: Limits::NONE.until,
            budget: 5_000_000,
            preemptions: None,
            wide_seed: 0,
        }
    }
}

/// How a search ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Completion {
    /// Everything was seen.
    Complete,
    /// Some state leads back to itself, so the number of interleavings has no bound; every state was
    /// seen.
    Unbounded,
    /// The budget of states was spent.
    BudgetSpent,
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Explored {
    /// How it ended.
    pub completion: Completion,
    /// All interleavings. With [`Pruning::Steps`], those that were run.
    pub interleavings: BigUint,
    /// For each watched thing, in how many of the interleavings it was so.
    pub hits: Vec<BigUint>,
    /// The states that were told apart (with [`Pruning::Off`], the nodes of the tree).
    pub states: u64,
    /// The transitions that were taken.
    pub transitions: u64,
    /// For each watched thing, the picks (see [`super::source::Positional`]) of a run where it was so.
    pub hit: Vec<Option<Vec<u64>>>,
    /// For each watched thing, the picks of a run where it was not so.
    pub miss: Vec<Option<Vec<u64>>>,
    /// The sites of wide choices: not enumerated.
    pub wide_sites: BTreeSet<&'static str>,
}

/// Searches everything that can happen from `start` on.
pub fn explore<W: World, M: Monitor<W::Record>>(
    start: &Machine<W>,
    names: &mut Names,
    monitor: &M,
    search: &Search,
) -> Explored {
    let watched = monitor.watched() as usize;
    assert!(watched <= 64, "a search watches at most 64 things");
    let mut explorer = Explorer {
        search,
        names,
        memo: LookupMap::default(),
        path: Vec::new(),
        found: Explored {
            completion: Completion::Complete,
            interleavings: BigUint::ZERO,
            hits: vec![BigUint::ZERO; watched],
            states: 0,
            transitions: 0,
            hit: vec![None; watched],
            miss: vec![None; watched],
            wide_sites: BTreeSet::new(),
        },
        leaves: 0,
        leaf_hits: vec![0; watched],
    };
    explorer.run(start, monitor);
    explorer.found
}

/// What is known of a state.
enum Known {
    /// It is on the path that is being searched.
    OnPath,
    /// All its futures were seen.
    Seen {
        interleavings: BigUint,
        hits: Vec<BigUint>,
        sleep: Vec<Sleeper>,
    },
}

/// An actor whose next step need not be tried first here: the runs that begin with it were seen.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Sleeper {
    actor: Entity,
    /// Whether a monitor heeds the order of what the step records.
    heeded: bool,
}

struct Frame<W: World, M> {
    machine: Machine<W>,
    monitor: M,
    key: u128,
    preemptions: u32,
    /// What to try next, or `None` when all was tried.
    digits: Option<Vec<(u64, u64)>>,
    /// The actors in the order of the first digit; empty if the next transition is not a choice of
    /// actor.
    actors: Vec<Entity>,
    goes_on: bool,
    sleep: Vec<Sleeper>,
    tried: Vec<Sleeper>,
    interleavings: BigUint,
    hits: Vec<BigUint>,
    /// How many picks of the path lead here.
    depth: usize,
}

struct Explorer<'a> {
    search: &'a Search,
    names: &'a mut Names,
    memo: LookupMap<u128, Known>,
    path: Vec<u64>,
    found: Explored,
    leaves: u64,
    leaf_hits: Vec<u64>,
}

/// Passes records on, and notes whether one of them is heeded.
struct Heeding<'a, M> {
    monitor: &'a mut M,
    heeded: bool,
}

impl<R, M: Monitor<R>> Observer<R> for Heeding<'_, M> {
    fn see(&mut self, at: Time, actor: Entity, record: &R, names: &Names) {
        self.heeded = self.heeded || self.monitor.heeds_order_of(record);
        self.monitor.see(at, actor, record, names);
    }
}

impl Explorer<'_> {
    fn run<W: World, M: Monitor<W::Record>>(&mut self, start: &Machine<W>, monitor: &M) {
        let mut stack: Vec<Frame<W, M>> = Vec::new();
        let root = self.enter(start.clone(), monitor.clone(), 0, Vec::new());
        match root {
            Entered::Frame(frame) => stack.push(*frame),
            Entered::Counted(interleavings, hits) => {
                self.found.interleavings = interleavings;
                self.found.hits = hits;
            }
        }
        while let Some(frame) = stack.last_mut() {
            self.path.truncate(frame.depth);
            let Some(digits) = self.awake(frame) else {
                let frame = stack.pop().expect("the stack has a last frame");
                self.leave(frame, stack.last_mut());
                continue;
            };
            if self.found.completion == Completion::BudgetSpent {
                frame.digits = None;
                continue;
            }
            let (machine, monitor, preemptions, sleep) = self.transition(frame, digits);
            match self.enter(machine, monitor, preemptions, sleep) {
                Entered::Frame(child) => stack.push(*child),
                Entered::Counted(interleavings, hits) => {
                    frame.interleavings += interleavings;
                    frame
                        .hits
                        .iter_mut()
                        .zip(hits)
                        .for_each(|(sum, hits)| *sum += hits);
                }
            }
        }
        if self.search.pruning == Pruning::Off {
            self.found.interleavings = self.leaves.into();
            self.found.hits = self.leaf_hits.iter().map(|hits| (*hits).into()).collect();
        }
    }

    /// The next digits of the frame that do not begin with a sleeping actor, nor preempt too often.
    fn awake<W: World, M>(&self, frame: &mut Frame<W, M>) -> Option<Vec<(u64, u64)>> {
        loop {
            let digits = frame.digits.take()?;
            let Some((pick, count)) = digits.first().copied().filter(|_| !frame.actors.is_empty())
            else {
                return Some(digits);
            };
            let actor = frame.actors[pick as usize];
            let asleep = frame.sleep.iter().any(|sleeper| sleeper.actor == actor);
            let preempts = frame.goes_on && pick > 0;
            let allowed = !preempts
                || self
                    .search
                    .preemptions
                    .is_none_or(|most| frame.preemptions < most);
            if !asleep && allowed {
                return Some(digits);
            }
            frame.digits = (pick + 1 < count).then(|| vec![(pick + 1, count)]);
        }
    }

    /// Takes the transition that `digits` begin, and says what to try after it.
    fn transition<W: World, M: Monitor<W::Record>>(
        &mut self,
        frame: &mut Frame<W, M>,
        digits: Vec<(u64, u64)>,
    ) -> (Machine<W>, M, u32, Vec<Sleeper>) {
        let mut machine = frame.machine.clone();
        let mut monitor = frame.monitor.clone();
        let pick = digits
            .first()
            .map(|(pick, _)| *pick)
            .filter(|_| !frame.actors.is_empty());
        let mut enumerator = Enumerator::new(digits, self.search.wide_seed);
        let mut heeding = Heeding {
            monitor: &mut monitor,
            heeded: false,
        };
        let progress = machine.advance(&mut Env {
            names: self.names,
            source: &mut enumerator,
            observer: &mut heeding,
        });
        let heeded = heeding.heeded;
        assert!(
            progress != Progress::Done,
            "a state with nothing to do is a leaf"
        );
        self.found.transitions += 1;
        self.path.extend(enumerator.picks());
        self.found.wide_sites.append(&mut enumerator.wide_sites);
        frame.digits = enumerator.next();
        let preempted = frame.goes_on && pick.is_some_and(|pick| pick > 0);
        let preemptions = frame.preemptions + u32::from(preempted);
        let mut sleep = Vec::new();
        if self.search.pruning == Pruning::Steps
            && let Progress::Stepped(actor) = progress
        {
            let step = footprint_of(&frame.machine, actor);
            let others = frame.sleep.iter().chain(&frame.tried);
            sleep = others
                .filter(|other| {
                    !(heeded && other.heeded)
                        && footprint_of(&frame.machine, other.actor).commutes_with(&step)
                })
                .cloned()
                .collect();
            let next_begins_with_another = frame
                .digits
                .as_ref()
                .and_then(|digits| digits.first())
                .is_none_or(|(next, _)| Some(*next) != pick);
            if pick.is_some() && next_begins_with_another {
                frame.tried.push(Sleeper { actor, heeded });
            }
        }
        (machine, monitor, preemptions, sleep)
    }

    /// Looks at a state: a leaf or a known one is counted at once, another is searched.
    fn enter<W: World, M: Monitor<W::Record>>(
        &mut self,
        machine: Machine<W>,
        monitor: M,
        preemptions: u32,
        mut sleep: Vec<Sleeper>,
    ) -> Entered<W, M> {
        let watched = self.found.hits.len();
        let end = match machine.next_at() {
            None => Some(End::Done),
            Some(at) if at > self.search.until => Some(End::TimeLimit),
            Some(_) => None,
        };
        if let Some(end) = end {
            return self.leaf(monitor.finish(machine.now(), end));
        }
        let mut key = 0;
        if self.search.pruning != Pruning::Off {
            // What a bound depends on is part of the state.
            let bounded = self
                .search
                .preemptions
                .map(|_| (preemptions, machine.current()));
            let limited = (self.search.until != Limits::NONE.until).then(|| machine.now());
            key = machine.key(&(&monitor, bounded, limited));
            match self.memo.get(&key) {
                Some(Known::OnPath) => {
                    self.found.completion = match self.found.completion {
                        Completion::BudgetSpent => Completion::BudgetSpent,
                        _ => Completion::Unbounded,
                    };
                    return Entered::Counted(BigUint::ZERO, vec![BigUint::ZERO; watched]);
                }
                Some(Known::Seen {
                    interleavings,
                    hits,
                    sleep: slept,
                }) => {
                    let covered = slept.iter().all(|sleeper| sleep.contains(sleeper));
                    if covered {
                        return match self.search.pruning {
                            Pruning::Steps => {
                                Entered::Counted(BigUint::ZERO, vec![BigUint::ZERO; watched])
                            }
                            _ => Entered::Counted(interleavings.clone(), hits.clone()),
                        };
                    }
                    sleep.retain(|sleeper| slept.contains(sleeper));
                }
                None => self.found.states += 1,
            }
            self.memo.insert(key, Known::OnPath);
        } else {
            self.found.states += 1;
        }
        if self.found.states > self.search.budget {
            self.found.completion = Completion::BudgetSpent;
        }
        let (actors, goes_on) = match machine.is_at_choice_of_actor() {
            true => machine.actor_order(),
            false => (Vec::new(), false),
        };
        // One actor that sleeps: all that could follow was seen.
        let only = machine.only_ready_actor();
        let asleep = only.is_some_and(|actor| sleep.iter().any(|sleeper| sleeper.actor == actor));
        let digits = match actors.len() as u64 {
            _ if asleep => None,
            0 => Some(Vec::new()),
            count => Some(vec![(0, count)]),
        };
        Entered::Frame(Box::new(Frame {
            machine,
            monitor,
            key,
            preemptions,
            digits,
            actors,
            goes_on,
            sleep,
            tried: Vec::new(),
            interleavings: BigUint::ZERO,
            hits: vec![BigUint::ZERO; watched],
            depth: self.path.len(),
        }))
    }

    fn leaf<W: World, M>(&mut self, bits: u64) -> Entered<W, M> {
        let watched = self.found.hits.len();
        for index in 0..watched {
            let hit = bits >> index & 1 == 1;
            let witness = match hit {
                true => &mut self.found.hit[index],
                false => &mut self.found.miss[index],
            };
            if witness.is_none() {
                *witness = Some(self.path.clone());
            }
            self.leaf_hits[index] += u64::from(hit);
        }
        self.leaves += 1;
        if self.search.pruning == Pruning::Off {
            return Entered::Counted(BigUint::ZERO, Vec::new());
        }
        let hits = (0..watched)
            .map(|index| BigUint::from(bits >> index & 1))
            .collect();
        Entered::Counted(BigUint::from(1u8), hits)
    }

    fn leave<W: World, M>(&mut self, frame: Frame<W, M>, parent: Option<&mut Frame<W, M>>) {
        let Frame {
            key,
            interleavings,
            hits,
            sleep,
            ..
        } = frame;
        match parent {
            Some(parent) => {
                parent.interleavings += &interleavings;
                parent
                    .hits
                    .iter_mut()
                    .zip(&hits)
                    .for_each(|(sum, hits)| *sum += hits);
            }
            None => {
                self.found.interleavings = interleavings.clone();
                self.found.hits = hits.clone();
            }
        }
        if self.search.pruning != Pruning::Off {
            self.memo.insert(
                key,
                Known::Seen {
                    interleavings,
                    hits,
                    sleep,
                },
            );
        }
    }
}

enum Entered<W: World, M> {
    Counted(BigUint, Vec<BigUint>),
    Frame(Box<Frame<W, M>>),
}

/// What the next step of a ready actor touches; everything, if the transition is not an actor's.
fn footprint_of<W: World>(machine: &Machine<W>, actor: Entity) -> Footprint {
    match machine.ready().iter().find(|ready| ready.actor == actor) {
        Some(ready) => machine.world.footprint(&ready.event),
        None => Footprint::Everything,
    }
}
