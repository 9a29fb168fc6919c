//! The machine: a world, its agenda, its ready actors; one transition at a time. A clone is a fork.

use std::hash::{Hash, Hasher};

use super::agenda::{Agenda, Ticket};
use super::choice::{Key, Labels, Options, Ordinals, Source, Weights};
use super::entity::{Entity, Names};
use super::fault::{Armed, Faults, Opportunity, Struck, no_or_yes};
use super::hash::StateKeys;
use super::time::{Span, Time};
use super::trace::{Observer, Record};

/// A model: plain data that takes one step at a time.
///
/// The state is what `Hash` sees; two states that hash alike must behave alike from there on.
pub trait World: Clone + Hash {
    /// What the agenda and ready actors hold for it.
    type Event: Clone + Hash;
    /// What it writes.
    type Record: Record;

    /// Takes one step: performs `event` and says through `cx` what follows.
    fn step(&mut self, event: Self::Event, cx: &mut Cx<'_, Self::Event, Self::Record>);

    /// What the step that `event` stands for would read and write in the present state. The default
    /// touches everything, which is always sound and prunes nothing.
    fn footprint(&self, event: &Self::Event) -> Footprint {
        let _ = event;
        Footprint::Everything
    }

    /// The other actors that could ever take a step which does not commute with the one that `event`
    /// stands for. The default is always sound and leaves nobody aside.
    fn rivals(&self, event: &Self::Event) -> Rivals {
        let _ = event;
        Rivals::Anyone
    }

    /// Actors without a step of which one that is not ready cannot become ready.
    fn enablers(&self, actor: Entity) -> Rivals {
        let _ = actor;
        Rivals::Anyone
    }

    /// The kinds of record that the step may write; `None`: any.
    fn may_record(&self, event: &Self::Event) -> Option<&'static [&'static str]> {
        let _ = event;
        None
    }
}

/// Actors that a search must look at together with one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rivals {
    /// Any actor, present or future.
    Anyone,
    /// These, and nobody whom they do not bring forth.
    Only(Vec<Entity>),
}

/// What a step reads and writes, by the names of resources. Two steps of different actors commute if
/// neither writes what the other touches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Footprint {
    /// Not known, or all of it.
    Everything,
    /// These.
    Touches {
        /// What it reads.
        reads: Vec<Entity>,
        /// What it writes.
        writes: Vec<Entity>,
    },
}

impl Footprint {
    /// Whether a step with this footprint and one with `other` give the same in either order.
    pub fn commutes_with(&self, other: &Footprint) -> bool {
        let (
            Footprint::Touches { reads, writes },
            Footprint::Touches {
                reads: other_reads,
                writes: other_writes,
            },
        ) = (self, other)
        else {
            return false;
        };
        let meets = |a: &[Entity], b: &[Entity]| a.iter().any(|entity| b.contains(entity));
        !meets(writes, other_writes) && !meets(writes, other_reads) && !meets(reads, other_writes)
    }
}

/// An actor that could take its next step now.
#[derive(Clone, Debug)]
pub struct Ready<E> {
    /// Who.
    pub actor: Entity,
    /// The operation that it is about to perform.
    pub verb: &'static str,
    /// On what, or [`Key::NO_OBJECT`].
    pub object: Entity,
    /// What the world does then.
    pub event: E,
}

/// How `sched` choices are weighed under a seed, and whether they are taken at all.
#[derive(Clone, Copy, Debug)]
pub struct Scheduling {
    /// Under a seed, an actor is preempted before one in this many of its steps.
    pub preempt_once_in: u32,
}

impl Default for Scheduling {
    fn default() -> Self {
        Scheduling { preempt_once_in: 4 }
    }
}

/// A world in the middle of a run. `clone_from` forks into a machine that is no longer needed, and
/// keeps its memory.
#[derive(Debug)]
pub struct Machine<W: World> {
    /// The model.
    pub world: W,
    now: Time,
    agenda: Agenda<W::Event>,
    /// invariant: sorted by path, at most one entry an actor.
    ready: Vec<Ready<W::Event>>,
    gap: Gap,
    current: Option<Entity>,
    ordinals: Ordinals,
    faults: Faults,
    scheduling: Scheduling,
    /// The order in which the present choice offers the ready actors: no part of the state.
    offered: Vec<Entity>,
}

/// Who left the ready actors last, and where it stood, unless they changed since: most actors are ready
/// again after their step, and stand where they stood.
type Gap = Option<(Entity, usize)>;

impl<W: World> Clone for Machine<W> {
    fn clone(&self) -> Machine<W> {
        Machine {
            world: self.world.clone(),
            now: self.now,
            agenda: self.agenda.clone(),
            ready: self.ready.clone(),
            gap: self.gap,
            current: self.current,
            ordinals: self.ordinals.clone(),
            faults: self.faults.clone(),
            scheduling: self.scheduling,
            offered: Vec::new(),
        }
    }

    fn clone_from(&mut self, source: &Machine<W>) {
        // All fields, so that a new one is not forgotten.
        let Machine {
            world,
            now,
            agenda,
            ready,
            gap,
            current,
            ordinals,
            faults,
            scheduling,
            offered: _,
        } = self;
        world.clone_from(&source.world);
        *now = source.now;
        agenda.clone_from(&source.agenda);
        ready.clone_from(&source.ready);
        *gap = source.gap;
        *current = source.current;
        ordinals.clone_from(&source.ordinals);
        faults.clone_from(&source.faults);
        *scheduling = source.scheduling;
    }
}

/// What a run shares with its surroundings: names, the source of choices, the observer of records.
pub struct Env<'a, R> {
    /// The texts of entities.
    pub names: &'a mut Names,
    /// Who decides.
    pub source: &'a mut dyn Source,
    /// Who sees the records.
    pub observer: &'a mut dyn Observer<R>,
}

/// What a transition came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// This actor or entity took a step.
    Stepped(Entity),
    /// Nothing is left to do.
    Done,
}

/// Why a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Nothing was left to do.
    Done,
    /// The time limit was reached; entries of the agenda lie beyond it.
    TimeLimit,
    /// The limit of steps was reached.
    StepLimit,
}

/// How far a run may go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// No event after this time happens.
    pub until: Time,
    /// No more steps than this are taken.
    pub steps: u64,
}

impl Limits {
    /// No limit.
    pub const NONE: Limits = Limits {
        until: Time(u64::MAX),
        steps: u64::MAX,
    };
}

impl<W: World> Machine<W> {
    /// A machine at time 0 with nothing to do yet: see [`Machine::begin`].
    pub fn new(world: W, faults: Faults, scheduling: Scheduling) -> Machine<W> {
        Machine {
            world,
            now: Time::default(),
            agenda: Agenda::default(),
            ready: Vec::new(),
            gap: None,
            current: None,
            ordinals: Ordinals::default(),
            faults,
            scheduling,
            offered: Vec::new(),
        }
    }

    /// Lets `set_up` make the first entries, with all that a step can do.
    pub fn begin(
        &mut self,
        env: &mut Env<'_, W::Record>,
        set_up: impl FnOnce(&mut W, &mut Cx<'_, W::Event, W::Record>),
    ) {
        let (world, mut cx) = self.split(env, None);
        set_up(world, &mut cx);
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// The actors that could take a step now, in the order of their paths.
    pub fn ready(&self) -> &[Ready<W::Event>] {
        &self.ready
    }

    /// The armed faults.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Whether the next transition is a choice among several ready actors.
    pub fn is_at_choice_of_actor(&self) -> bool {
        self.ready.len() > 1 && self.agenda.next_at().is_none_or(|at| at > self.now)
    }

    /// When the next transition happens, if there is one.
    pub fn next_at(&self) -> Option<Time> {
        match self.agenda.next_at() {
            Some(at) if at <= self.now || self.ready.is_empty() => Some(at.max(self.now)),
            _ if self.ready.is_empty() => None,
            _ => Some(self.now),
        }
    }

    /// Takes one transition: what is due comes first, then a ready actor (which one is a choice), then
    /// time moves on to the next entry of the agenda.
    pub fn advance(&mut self, env: &mut Env<'_, W::Record>) -> Progress {
        let progress = self.advance_by(Limits::NONE.until, env);
        progress.unwrap_or(Progress::Done)
    }

    /// The same, if it happens at `limit` or before.
    fn advance_by(&mut self, limit: Time, env: &mut Env<'_, W::Record>) -> Option<Progress> {
        let due = match self.ready.is_empty() {
            true => self.agenda.pop_by(limit, env.names),
            false => self.agenda.pop_by(self.now.min(limit), env.names),
        };
        if let Some(due) = due {
            debug_assert!(due.at >= self.now, "time does not run backwards");
            self.now = due.at;
            let (world, mut cx) = self.split(env, None);
            world.step(due.event, &mut cx);
            return Some(Progress::Stepped(due.entity));
        }
        if self.ready.is_empty() {
            return self.agenda.is_empty().then_some(Progress::Done);
        }
        if self.now > limit {
            return None;
        }
        let chosen = self.choose_actor(env);
        let Ready { actor, event, .. } = self.ready.remove(chosen);
        self.gap = Some((actor, chosen));
        self.current = Some(actor);
        let (world, mut cx) = self.split(env, Some(actor));
        world.step(event, &mut cx);
        Some(Progress::Stepped(actor))
    }

    /// Runs until nothing is left, or to a limit.
    pub fn run(&mut self, env: &mut Env<'_, W::Record>, limits: Limits) -> End {
        for _ in 0..limits.steps {
            match self.advance_by(limits.until, env) {
                Some(Progress::Stepped(_)) => {}
                Some(Progress::Done) => return End::Done,
                None => {
                    self.now = limits.until;
                    return End::TimeLimit;
                }
            }
        }
        End::StepLimit
    }

    /// The 128-bit key of the state: world, pending entries relative to now, and what choices and
    /// faults remember. `more` adds the state of whoever watches.
    pub fn key(&self, more: &impl Hash) -> u128 {
        self.key_with(more, &mut StateKeys::default())
    }

    pub(crate) fn key_with(&self, more: &impl Hash, keys: &mut StateKeys) -> u128 {
        keys.key(&Fingerprint {
            machine: self,
            more,
        })
    }

    /// Where the actor that took the last step stands among the ready ones: it could go on.
    pub(crate) fn goes_on(&self) -> Option<usize> {
        let current = self.current?;
        self.ready.iter().position(|ready| ready.actor == current)
    }

    /// Puts the ready actors into `offered` in the order in which a choice offers them: the one that
    /// could go on first, then the others by path.
    pub(crate) fn offer(&self, goes_on: Option<usize>, offered: &mut Vec<Entity>) {
        let (before, after) = self.ready.split_at(goes_on.unwrap_or(0));
        let (first, after) = after.split_at(usize::from(goes_on.is_some()));
        offered.clear();
        for part in [first, before, after] {
            offered.extend(part.iter().map(|ready| ready.actor));
        }
    }

    /// The actor that takes the next transition, if no other could.
    pub(crate) fn only_ready_actor(&self) -> Option<Entity> {
        match self.ready.as_slice() {
            [only] if self.agenda.next_at().is_none_or(|at| at > self.now) => Some(only.actor),
            _ => None,
        }
    }

    /// The actor that took the last step.
    pub(crate) fn current(&self) -> Option<Entity> {
        self.current
    }

    fn choose_actor(&mut self, env: &mut Env<'_, W::Record>) -> usize {
        if self.ready.len() == 1 {
            return 0;
        }
        let goes_on = self.goes_on();
        let mut offered = std::mem::take(&mut self.offered);
        self.offer(goes_on, &mut offered);
        let mut key = match goes_on.map(|index| &self.ready[index]) {
            Some(ready) => Key {
                site: "sched",
                entity: ready.actor,
                verb: ready.verb,
                object: ready.object,
                ordinal: 0,
            },
            None => Key {
                site: "sched",
                entity: self.current.unwrap_or_else(|| env.names.name("lab")),
                verb: "next",
                object: Key::NO_OBJECT,
                ordinal: 0,
            },
        };
        if env.source.heeds_keys() {
            key.ordinal = self.ordinals.next(&key, false);
        }
        // Whoever the last one brought forth comes first by default: that is how a reader would go on.
        let default = match (goes_on, self.current) {
            (None, Some(current)) if env.source.heeds_keys() => {
                let parent = env.names.path(current);
                let is_child = |actor: &Entity| {
                    let path = env.names.path(*actor);
                    path.strip_prefix(&**parent)
                        .is_some_and(|rest| rest.starts_with('/'))
                };
                offered.iter().position(is_child).unwrap_or(0)
            }
            _ => 0,
        };
        let options = Options {
            count: offered.len() as u64,
            default: default as u64,
            weights: match goes_on {
                Some(_) => Weights::OnceIn(self.scheduling.preempt_once_in),
                None => Weights::Uniform,
            },
            labels: Labels::Actors {
                ready: &offered,
                go_on: goes_on.is_some(),
            },
        };
        let chosen = env.source.choose(&key, &options, env.names);
        assert!(chosen < options.count, "a source chooses among the options");
        self.offered = offered;
        // Who goes on was offered out of its turn.
        match (goes_on, chosen as usize) {
            (Some(index), 0) => index,
            (Some(index), chosen) if chosen <= index => chosen - 1,
            (_, chosen) => chosen,
        }
    }

    fn split<'a>(
        &'a mut self,
        env: &'a mut Env<'_, W::Record>,
        actor: Option<Entity>,
    ) -> (&'a mut W, Cx<'a, W::Event, W::Record>) {
        let cx = Cx {
            now: self.now,
            actor,
            agenda: &mut self.agenda,
            ready: &mut self.ready,
            gap: &mut self.gap,
            ordinals: &mut self.ordinals,
            faults: &mut self.faults,
            names: env.names,
            source: env.source,
            observer: env.observer,
        };
        (&mut self.world, cx)
    }
}

struct Fingerprint<'a, W: World, M> {
    machine: &'a Machine<W>,
    more: &'a M,
}

impl<W: World, M: Hash> Hash for Fingerprint<'_, W, M> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let machine = self.machine;
        machine.world.hash(state);
        state.write_usize(machine.ready.len());
        for ready in &machine.ready {
            ready.actor.hash(state);
            ready.event.hash(state);
        }
        state.write_usize(machine.agenda.len());
        for due in machine.agenda.canonical() {
            (due.at - machine.now).hash(state);
            due.entity.hash(state);
            due.event.hash(state);
        }
        state.write_u64(machine.ordinals.visible);
        state.write_u64(machine.faults.digest);
        self.more.hash(state);
    }
}

/// What a step can do: look at the time, choose, record, and say what follows.
pub struct Cx<'a, E, R> {
    now: Time,
    actor: Option<Entity>,
    agenda: &'a mut Agenda<E>,
    ready: &'a mut Vec<Ready<E>>,
    gap: &'a mut Gap,
    ordinals: &'a mut Ordinals,
    faults: &'a mut Faults,
    names: &'a mut Names,
    source: &'a mut dyn Source,
    observer: &'a mut dyn Observer<R>,
}

impl<E, R: Record> Cx<'_, E, R> {
    /// The virtual time.
    #[inline]
    pub fn now(&self) -> Time {
        self.now
    }

    /// The entity of a path of birth, known from now on.
    pub fn name(&mut self, path: &str) -> Entity {
        self.names.name(path)
    }

    /// The path of an entity.
    pub fn path(&self, entity: Entity) -> &std::sync::Arc<str> {
        self.names.path(entity)
    }

    /// Names what `parent` brings forth: `parent/label-1`, then `parent/label-2`, and so on.
    pub fn birth(&mut self, parent: Entity, label: &'static str) -> Entity {
        let key = Key {
            site: "birth",
            entity: parent,
            verb: label,
            object: Key::NO_OBJECT,
            ordinal: 0,
        };
        let nth = self.ordinals.next(&key, true);
        let path = format!("{}/{label}-{nth}", self.names.path(parent));
        self.names.name(&path)
    }

    /// Writes a record.
    #[inline]
    pub fn record(&mut self, actor: Entity, record: impl Into<R>) {
        self.observer
            .see(self.now, actor, &record.into(), self.names);
    }

    /// Puts an event on the agenda; the ticket takes it off again.
    #[inline]
    pub fn after(&mut self, delay: Span, entity: Entity, event: impl Into<E>) -> Ticket {
        self.agenda
            .push(self.now + delay, entity, event.into(), self.names)
    }

    /// Takes an event off the agenda before its time.
    ///
    /// # Panics
    /// If nothing is there any more (a broken invariant of ours).
    pub fn cancel(&mut self, ticket: Ticket) {
        self.agenda.cancel(ticket);
    }

    /// Yields: `actor` is about to perform `verb` on `object`, and others may go first.
    ///
    /// # Panics
    /// If the actor is ready already: an actor does one thing at a time.
    pub fn ready(
        &mut self,
        actor: Entity,
        verb: &'static str,
        object: Entity,
        event: impl Into<E>,
    ) {
        let at = match self.gap.take() {
            Some((left, at)) if left == actor => at,
            _ => self.place_of(actor),
        };
        self.ready.insert(
            at,
            Ready {
                actor,
                verb,
                object,
                event: event.into(),
            },
        );
    }

    /// Where an actor stands that is not ready yet.
    fn place_of(&self, actor: Entity) -> usize {
        let path = self.names.path(actor);
        let is_before = |ready: &Ready<E>| self.names.path(ready.actor) < path;
        let at = self.ready.partition_point(is_before);
        let taken = self.ready.get(at).is_some_and(|ready| ready.actor == actor);
        assert!(!taken, "actor {path} is ready twice");
        at
    }

    /// Takes an actor's readiness back: what it was about to do cannot proceed any more, or it died.
    pub fn withdraw(&mut self, actor: Entity) {
        *self.gap = None;
        self.ready.retain(|ready| ready.actor != actor);
    }

    /// Whether the actor is ready.
    pub fn is_ready(&self, actor: Entity) -> bool {
        self.ready.iter().any(|ready| ready.actor == actor)
    }

    /// The actor whose step this is, if it is an actor's.
    pub fn actor(&self) -> Option<Entity> {
        self.actor
    }

    /// Decides something: the index of one of `options`.
    pub fn choose(&mut self, site: &'static str, entity: Entity, options: &Options<'_>) -> u64 {
        self.choose_about(site, entity, "", Key::NO_OBJECT, options)
    }

    /// Decides a number from `low..=high`: a wide choice, which searches leave to the seed.
    pub fn choose_number(
        &mut self,
        site: &'static str,
        entity: Entity,
        low: u64,
        high: u64,
    ) -> u64 {
        low + self.choose(site, entity, &Options::numbers(low, high))
    }

    /// Decides something about an operation on an object.
    pub fn choose_about(
        &mut self,
        site: &'static str,
        entity: Entity,
        verb: &'static str,
        object: Entity,
        options: &Options<'_>,
    ) -> u64 {
        assert!(options.count > 0, "a choice has options");
        let mut key = Key {
            site,
            entity,
            verb,
            object,
            ordinal: 0,
        };
        if options.is_wide() || self.source.heeds_keys() {
            key.ordinal = self.ordinals.next(&key, options.is_wide());
        }
        let chosen = self.source.choose(&key, options, self.names);
        assert!(chosen < options.count, "a source chooses among the options");
        chosen
    }

    /// Asks whether the fault `name` strikes `entity` here and now; if so, that is recorded.
    pub fn fault(&mut self, name: &'static str, entity: Entity) -> Option<Armed> {
        if self.faults.armed().is_empty() {
            return None;
        }
        let path = self.names.path(entity).clone();
        let index = match self.faults.opportunity(name, entity, &path, self.now) {
            Opportunity::None => return None,
            Opportunity::Strikes(index) => index,
            Opportunity::Maybe(index, weights) => {
                let options = Options {
                    weights: no_or_yes(&weights),
                    ..Options::texts(&["no", "yes"])
                };
                if self.choose_about("fault", entity, name, Key::NO_OBJECT, &options) == 0 {
                    return None;
                }
                index
            }
        };
        self.record(entity, Struck { fault: name });
        Some(self.faults.strike(index))
    }

    /// The armed faults, for a model that is set up by them.
    pub fn faults(&self) -> &Faults {
        self.faults
    }
}
