//! Exhaustive search: every interleaving and every narrow choice, by forking the machine.
//!
//! States are told apart by 128-bit keys over the world, the agenda relative to now, and the state of
//! every monitor, so a claim about order or counts is never judged by another history. The number of
//! interleavings is exact and counted over the graph of states. Partial-order pruning explores fewer,
//! and then counts what it ran: stubborn sets (Valmari 1989) leave actors aside whom nobody at hand could
//! ever get in the way of, sleep sets (Godefroid 1990) drop orders of steps that commute.

mod memo;

use std::collections::BTreeSet;
use std::hash::Hash;

use num_bigint::BigUint;

use memo::{Count, Known, Memo, Sleeper};

use super::entity::{Entity, Names};
use super::hash::StateKeys;
use super::machine::{End, Env, Footprint, Limits, Machine, Progress, Rivals, World};
use super::source::{Enumerator, Positional};
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

    /// The same for all records of a kind.
    fn heeds_kind(&self, kind: &str) -> bool {
        let _ = kind;
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
    let memo = Memo::new(monitor.watched() as usize);
    Explorer::new(start, names, monitor, search, memo).run().0
}

/// Searches from each of `starts`, with one memory for all: what several of them lead to is searched
/// once, and counts as a state of the first. The budget of states is for all together. Ends with the
/// first search that is not complete.
///
/// # Panics
/// If steps are pruned: what such a search leaves out, it leaves out for its own start.
pub fn explore_each<W: World, M: Monitor<W::Record>>(
    starts: &[(Machine<W>, M)],
    names: &mut Names,
    search: &Search,
) -> Vec<Explored> {
    assert!(
        search.pruning == Pruning::States,
        "one memory serves several searches where only states are pruned"
    );
    let Some((_, monitor)) = starts.first() else {
        return Vec::new();
    };
    let mut memo = Memo::new(monitor.watched() as usize);
    let mut search = *search;
    let mut all = Vec::new();
    for (start, monitor) in starts {
        let explored;
        (explored, memo) = Explorer::new(start, names, monitor, &search, memo).run();
        search.budget = search.budget.saturating_sub(explored.states);
        let completion = explored.completion;
        all.push(explored);
        if completion != Completion::Complete {
            break;
        }
    }
    all
}

struct Frame<W: World, M> {
    /// Boxed, so that a frame can hand it on at the cost of a pointer.
    machine: Box<Machine<W>>,
    monitor: M,
    /// The state's place in the memo.
    state: u32,
    preemptions: u32,
    /// What to try next, if there is more to try.
    digits: Vec<(u64, u64)>,
    more: bool,
    /// Whether the next transition is a choice of actor: the first digit.
    is_choice: bool,
    /// The actors in the order of the first digit, if steps are pruned.
    actors: Vec<Entity>,
    /// Whether the last actor could go on, if preemptions are bounded.
    goes_on: bool,
    sleep: Vec<Sleeper>,
    tried: Vec<Sleeper>,
    /// The ready actors that are left aside here, if steps are pruned.
    aside: Vec<Entity>,
    /// All interleavings below, then for each watched thing those where it was so. Not used where
    /// nothing is pruned.
    counts: Vec<Count>,
    /// How many picks of the path lead here.
    depth: usize,
    /// How many transitions lead here.
    steps: u64,
}

impl<W: World, M: Clone> Frame<W, M> {
    fn new(machine: &Machine<W>, monitor: &M, watched: usize) -> Frame<W, M> {
        Frame {
            machine: Box::new(machine.clone()),
            monitor: monitor.clone(),
            state: 0,
            preemptions: 0,
            digits: Vec::new(),
            more: false,
            is_choice: false,
            actors: Vec::new(),
            goes_on: false,
            sleep: Vec::new(),
            tried: Vec::new(),
            aside: Vec::new(),
            counts: vec![Count::ZERO; 1 + watched],
            depth: 0,
            steps: 0,
        }
    }
}

struct Explorer<'a, W: World, M> {
    search: &'a Search,
    names: &'a mut Names,
    start: &'a Machine<W>,
    monitor: &'a M,
    memo: Memo,
    keys: StateKeys,
    path: Vec<u64>,
    enumerator: Enumerator,
    /// Whether some step was met that makes a choice of its own.
    steps_choose: bool,
    /// Whether the state that was looked at last lies on the path.
    closed_a_cycle: bool,
    found: Explored,
    /// The counts, where nothing is pruned.
    total: Vec<Count>,
    /// Bit `i` is set until watched thing `i` was so in some run.
    unseen_hits: u64,
    /// Bit `i` is set until watched thing `i` was not so in some run.
    unseen_misses: u64,
}

/// What a state turned out to be.
enum Entered {
    /// A run ends here; what was so.
    Leaf(u64),
    /// All its futures were seen.
    Known(u32),
    /// Nothing new, and nothing to count.
    Nothing,
    /// It is to be searched.
    New,
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

impl<'a, W: World, M: Monitor<W::Record>> Explorer<'a, W, M> {
    fn new(
        start: &'a Machine<W>,
        names: &'a mut Names,
        monitor: &'a M,
        search: &'a Search,
        memo: Memo,
    ) -> Explorer<'a, W, M> {
        let watched = monitor.watched() as usize;
        assert!(watched <= 64, "a search watches at most 64 things");
        let all = u64::MAX.checked_shr(64 - watched as u32).unwrap_or(0);
        Explorer {
            search,
            names,
            start,
            monitor,
            memo,
            keys: StateKeys::default(),
            path: Vec::new(),
            enumerator: Enumerator::new(Vec::new(), search.wide_seed),
            steps_choose: false,
            closed_a_cycle: false,
            found: Explored {
                completion: Completion::Complete,
                interleavings: BigUint::ZERO,
                hits: Vec::new(),
                states: 0,
                transitions: 0,
                hit: vec![None; watched],
                miss: vec![None; watched],
                wide_sites: BTreeSet::new(),
            },
            total: vec![Count::ZERO; 1 + watched],
            unseen_hits: all,
            unseen_misses: all,
        }
    }

    fn run(mut self) -> (Explored, Memo) {
        let watched = self.found.hit.len();
        let blank = || Frame::new(self.start, self.monitor, watched);
        // The frames below `live` are the path; the first stands for what is above the root, and sums
        // up. Those from `live` on are spare: their memory is used again.
        let mut frames = vec![blank(), blank()];
        let mut live = 1;
        let (above, root) = frames.split_at_mut(1);
        if self.enter(&mut above[0], &mut root[0]) {
            live = 2;
        }
        while live > 1 {
            if frames.len() == live {
                frames.push(Frame::new(self.start, self.monitor, watched));
            }
            let (path, spare) = frames.split_at_mut(live);
            let (above, frame) = path.split_at_mut(live - 1);
            let (frame, child) = (&mut frame[0], &mut spare[0]);
            self.path.truncate(frame.depth);
            if !self.is_awake(frame) {
                self.leave(frame, &mut above[live - 2]);
                live -= 1;
                continue;
            }
            if self.found.completion == Completion::BudgetSpent {
                frame.more = false;
                continue;
            }
            if frame.digits.is_empty() && self.search.pruning == Pruning::Off && !self.steps_choose
            {
                // Nothing branches here, and nobody will ask for this state again.
                if self.step_in_place(frame) && !self.enter(&mut above[live - 2], frame) {
                    live -= 1;
                }
                continue;
            }
            self.transition(frame, child);
            self.closed_a_cycle = false;
            if self.enter(frame, child) {
                live += 1;
            } else if self.closed_a_cycle && !frame.aside.is_empty() {
                // Round a cycle, who is left aside might be left aside for ever: try all.
                frame.aside.clear();
                frame.digits.clear();
                frame.digits.push((0, frame.actors.len() as u64));
                frame.more = true;
            }
        }
        let counts = match self.search.pruning {
            Pruning::Off => self.total,
            _ => std::mem::take(&mut frames[0].counts),
        };
        let mut counts = counts.into_iter();
        if let Some(interleavings) = counts.next() {
            self.found.interleavings = interleavings.into_big();
        }
        self.found.hits = counts.map(Count::into_big).collect();
        self.found.wide_sites = self.enumerator.wide_sites;
        (self.found, self.memo)
    }

    /// Whether there is more to try, once the actors that sleep are passed over, and those that would
    /// preempt too often.
    fn is_awake(&self, frame: &mut Frame<W, M>) -> bool {
        let pruned = self.search.pruning == Pruning::Steps;
        while frame.more && frame.is_choice {
            let (pick, count) = frame.digits[0];
            let asleep = pruned && {
                let actor = frame.actors[pick as usize];
                is_asleep(&frame.sleep, actor) || frame.aside.contains(&actor)
            };
            let preempts = frame.goes_on && pick > 0;
            let allowed = !preempts
                || self
                    .search
                    .preemptions
                    .is_none_or(|most| frame.preemptions < most);
            if !asleep && allowed {
                return true;
            }
            frame.more = pick + 1 < count;
            frame.digits.clear();
            frame.digits.push((pick + 1, count));
        }
        frame.more
    }

    /// Takes the transition that the digits of `frame` begin, into `child`, and turns to what is to be
    /// tried after it.
    fn transition(&mut self, frame: &mut Frame<W, M>, child: &mut Frame<W, M>) {
        let pruned = self.search.pruning == Pruning::Steps;
        let given = frame.digits.len();
        let pick = frame.is_choice.then(|| frame.digits[0].0);
        // The last that is tried takes the machine itself, if no step makes choices of its own.
        let is_last = frame.digits.iter().all(|(pick, count)| pick + 1 == *count);
        let moves = is_last && !pruned && !self.steps_choose;
        if moves {
            std::mem::swap(&mut child.machine, &mut frame.machine);
            std::mem::swap(&mut child.monitor, &mut frame.monitor);
        } else {
            child.machine.clone_from(&frame.machine);
            child.monitor.clone_from(&frame.monitor);
        }
        self.enumerator.swap(&mut frame.digits);
        let mut heeding = Heeding {
            monitor: &mut child.monitor,
            heeded: false,
        };
        let progress = child.machine.advance(&mut Env {
            names: self.names,
            source: &mut self.enumerator,
            observer: match pruned {
                true => &mut heeding,
                false => heeding.monitor,
            },
        });
        let heeded = heeding.heeded;
        let Progress::Stepped(actor) = progress else {
            unreachable!("a state with nothing to do is a leaf");
        };
        self.found.transitions += 1;
        self.path.extend(self.enumerator.picks());
        let chose = self.enumerator.met() > given;
        frame.more = self.enumerator.turn();
        self.enumerator.swap(&mut frame.digits);
        self.steps_choose |= chose;
        if moves && frame.more {
            self.restore(frame);
        }
        let preempted = frame.goes_on && pick.is_some_and(|pick| pick > 0);
        child.preemptions = frame.preemptions + u32::from(preempted);
        child.steps = frame.steps + 1;
        child.sleep.clear();
        if pruned {
            let step = footprint_of(&frame.machine, actor);
            let others = frame.sleep.iter().chain(&frame.tried);
            let still = others.filter(|other| {
                !(heeded && other.heeded)
                    && footprint_of(&frame.machine, other.actor).commutes_with(&step)
            });
            child.sleep.extend(still.cloned());
            let next_begins_with_another =
                !frame.more || frame.digits.first().map(|(next, _)| *next) != pick;
            if pick.is_some() && next_begins_with_another {
                frame.tried.push(Sleeper { actor, heeded });
            }
        }
    }

    /// Takes the only transition of `frame` within the frame. If the step makes choices of its own,
    /// that is undone, and `false`.
    fn step_in_place(&mut self, frame: &mut Frame<W, M>) -> bool {
        let progress = frame.machine.advance(&mut Env {
            names: self.names,
            source: &mut self.enumerator,
            observer: &mut frame.monitor,
        });
        debug_assert!(
            progress != Progress::Done,
            "a state with nothing to do is a leaf"
        );
        if self.enumerator.met() > 0 {
            self.steps_choose = true;
            self.enumerator.reset();
            self.restore(frame);
            return false;
        }
        self.found.transitions += 1;
        frame.steps += 1;
        true
    }

    /// Makes the machine of a frame anew, when its last transition took it and then met a choice that
    /// has more options. Happens once in a search: then it is known that steps choose.
    #[cold]
    fn restore(&mut self, frame: &mut Frame<W, M>) {
        (*frame.machine).clone_from(self.start);
        frame.monitor.clone_from(self.monitor);
        let picks = self.path[..frame.depth].to_vec();
        let mut source = Positional::new(picks, self.search.wide_seed);
        for _ in 0..frame.steps {
            frame.machine.advance(&mut Env {
                names: self.names,
                source: &mut source,
                observer: &mut frame.monitor,
            });
        }
    }

    /// Looks at the state of `frame`. A leaf or a known one is counted at once, below `parent`; whether
    /// it is to be searched.
    fn enter(&mut self, parent: &mut Frame<W, M>, frame: &mut Frame<W, M>) -> bool {
        match self.look_at(frame) {
            Entered::Leaf(bits) => {
                if self.unseen_hits & bits != 0 || self.unseen_misses & !bits != 0 {
                    self.witness(bits);
                }
                let counts = match self.search.pruning {
                    Pruning::Off => &mut self.total,
                    _ => &mut parent.counts,
                };
                counts[0] += 1;
                for (index, hits) in counts[1..].iter_mut().enumerate() {
                    *hits += bits >> index & 1;
                }
                false
            }
            Entered::Known(state) => {
                self.memo.add_to(&mut parent.counts, state);
                false
            }
            Entered::Nothing => false,
            Entered::New => true,
        }
    }

    fn look_at(&mut self, frame: &mut Frame<W, M>) -> Entered {
        let machine = &frame.machine;
        let end = match machine.next_at() {
            None => Some(End::Done),
            Some(at) if at > self.search.until => Some(End::TimeLimit),
            Some(_) => None,
        };
        if let Some(end) = end {
            return Entered::Leaf(frame.monitor.finish(machine.now(), end));
        }
        if self.search.pruning == Pruning::Off {
            self.found.states += 1;
        } else {
            // What a bound depends on is part of the state.
            let bounded = self
                .search
                .preemptions
                .map(|_| (frame.preemptions, machine.current()));
            let limited = (self.search.until != Limits::NONE.until).then(|| machine.now());
            let more = (&frame.monitor, bounded, limited);
            let key = machine.key_with(&more, &mut self.keys);
            match self.memo.meet(key) {
                Known::OnPath => {
                    self.found.completion = match self.found.completion {
                        Completion::BudgetSpent => Completion::BudgetSpent,
                        _ => Completion::Unbounded,
                    };
                    self.closed_a_cycle = true;
                    return Entered::Nothing;
                }
                Known::Seen(state) => {
                    let slept = self.memo.slept(state);
                    let covered = slept.iter().all(|sleeper| frame.sleep.contains(sleeper));
                    if covered {
                        return match self.search.pruning {
                            Pruning::Steps => Entered::Nothing,
                            _ => Entered::Known(state),
                        };
                    }
                    frame.sleep.retain(|sleeper| slept.contains(sleeper));
                    self.memo.again(state);
                    frame.state = state;
                }
                Known::New(state) => {
                    self.found.states += 1;
                    frame.state = state;
                }
            }
            frame.counts.fill(Count::ZERO);
            frame.tried.clear();
        }
        if self.found.states > self.search.budget {
            self.found.completion = Completion::BudgetSpent;
        }
        frame.is_choice = machine.is_at_choice_of_actor();
        frame.goes_on =
            frame.is_choice && self.search.preemptions.is_some() && machine.goes_on().is_some();
        frame.digits.clear();
        frame.aside.clear();
        frame.depth = self.path.len();
        if frame.is_choice {
            frame.digits.push((0, machine.ready().len() as u64));
            if self.search.pruning == Pruning::Steps {
                machine.offer(machine.goes_on(), &mut frame.actors);
                left_aside(machine, &frame.monitor, &mut frame.aside);
            }
        }
        // One actor that sleeps: all that could follow was seen.
        let only = match frame.sleep.as_slice() {
            [] => None,
            _ => machine.only_ready_actor(),
        };
        frame.more = !only.is_some_and(|actor| is_asleep(&frame.sleep, actor));
        Entered::New
    }

    /// Notes the path as the first on which something was so, or was not.
    #[cold]
    fn witness(&mut self, bits: u64) {
        for (index, hit) in self.found.hit.iter_mut().enumerate() {
            if self.unseen_hits & bits & 1 << index != 0 {
                *hit = Some(self.path.clone());
            }
        }
        for (index, miss) in self.found.miss.iter_mut().enumerate() {
            if self.unseen_misses & !bits & 1 << index != 0 {
                *miss = Some(self.path.clone());
            }
        }
        self.unseen_hits &= !bits;
        self.unseen_misses &= bits;
    }

    /// All futures of `frame` were seen: counts them below `parent`.
    fn leave(&mut self, frame: &mut Frame<W, M>, parent: &mut Frame<W, M>) {
        for (sum, count) in parent.counts.iter_mut().zip(&frame.counts) {
            *sum += count;
        }
        if self.search.pruning != Pruning::Off {
            self.memo.seen(frame.state, &frame.counts, &mut frame.sleep);
        }
    }
}

fn is_asleep(sleep: &[Sleeper], actor: Entity) -> bool {
    sleep.iter().any(|sleeper| sleeper.actor == actor)
}

/// The ready actors that need not be tried here: those outside the smallest set that, for each of its
/// members, has everyone who could ever get in the way of its next step, or without whom it cannot go
/// on. Whatever the others do, the steps of the set stay possible and come to the same.
fn left_aside<W: World, M: Monitor<W::Record>>(
    machine: &Machine<W>,
    monitor: &M,
    aside: &mut Vec<Entity>,
) {
    aside.clear();
    let ready = machine.ready();
    let inside = |set: &[Entity]| ready.iter().filter(|r| set.contains(&r.actor)).count();
    let sets = ready
        .iter()
        .filter_map(|first| stubborn_set(machine, monitor, first.actor));
    if let Some(smallest) = sets.min_by_key(|set| inside(set)) {
        let others = ready.iter().map(|ready| ready.actor);
        aside.extend(others.filter(|actor| !smallest.contains(actor)));
    }
}

/// The set that grows from `first`, or `None` if it is everyone.
fn stubborn_set<W: World, M: Monitor<W::Record>>(
    machine: &Machine<W>,
    monitor: &M,
    first: Entity,
) -> Option<Vec<Entity>> {
    let mut set = vec![first];
    let mut at = 0;
    while let Some(actor) = set.get(at).copied() {
        at += 1;
        let with = match machine.ready().iter().find(|ready| ready.actor == actor) {
            Some(ready) => {
                let kinds = machine.world.may_record(&ready.event)?;
                if kinds.iter().any(|kind| monitor.heeds_kind(kind)) {
                    return None;
                }
                machine.world.rivals(&ready.event)
            }
            None => machine.world.enablers(actor),
        };
        let Rivals::Only(actors) = with else {
            return None;
        };
        for actor in actors {
            if !set.contains(&actor) {
                set.push(actor);
            }
        }
    }
    Some(set)
}

/// What the next step of a ready actor touches; everything, if the transition is not an actor's.
fn footprint_of<W: World>(machine: &Machine<W>, actor: Entity) -> Footprint {
    match machine.ready().iter().find(|ready| ready.actor == actor) {
        Some(ready) => machine.world.footprint(&ready.event),
        None => Footprint::Everything,
    }
}
