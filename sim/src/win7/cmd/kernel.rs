//! What operations do: the machine, and what the system keeps of processes.
//!
//! [`process`] begins processes, [`turn`] runs them, [`streams`] is what their handles lead to; [`album`] notes what
//! operations touched.

pub(super) mod album;
mod process;
mod streams;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::engine::{Armed, Entity, Span, Time};
use crate::win7::environment::Block;
use crate::win7::machine::Machine;
use crate::win7::registry::error::Win32;

use super::handles::{OpenId, PipeId};
use super::record::Record;
use super::sys::{Next, OnFile, Stop};

use album::{Album, Thing};
use process::{On, Process, State};
use streams::{Console, Open, Pipe};

pub use process::{COMSPEC, SpawnRequest, Start, executable, fresh_block};
pub use streams::Opening;
pub(super) use turn::run;

/// A process, by the entity that it is in the run.
pub type ProcessId = Entity;

/// How many operations all processes of a run may perform in all.
pub const BUDGET: u64 = 5_000_000;

/// What a run offers: time, choices, faults, the trace.
pub trait Door {
    /// The virtual time.
    fn now(&self) -> Time;
    /// Whether a fault strikes a process.
    fn fault(&mut self, name: &'static str, at: Entity) -> Option<Armed>;
    /// Decides a number in `low..=high`.
    fn choose(&mut self, site: &'static str, at: Entity, low: u64, high: u64) -> u64;
    /// Writes a record.
    fn record(&mut self, at: Entity, record: Record);
    /// Names a child.
    fn birth(&mut self, parent: Entity, label: &'static str) -> Entity;
    /// The path of an entity.
    fn path(&self, of: Entity) -> Arc<str>;
    /// Wakes a process when so much time has passed.
    fn wake_after(&mut self, span: Span, who: Entity);
    /// Whether anything beside the processes here could take a step.
    fn others(&self) -> bool;
}

/// Processes of consoles, and what the system keeps of them. A clone is a fork.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Lab {
    processes: BTreeMap<Entity, Process>,
    opens: BTreeMap<OpenId, Open>,
    pipes: BTreeMap<PipeId, Pipe>,
    consoles: Vec<Console>,
    exits: BTreeMap<Entity, u32>,
    woken: BTreeSet<Entity>,
    performed: Uncounted<u64>,
    album: Uncounted<Album>,
    depth: u32,
    spent: bool,
    unsupported: Vec<String>,
}

/// What is no part of the state: how much was spent, and who looks on, does not decide what happens next.
#[derive(Clone, Debug, Default)]
struct Uncounted<T>(T);

impl<T> PartialEq for Uncounted<T> {
    fn eq(&self, _: &Uncounted<T>) -> bool {
        true
    }
}

impl<T> Eq for Uncounted<T> {}

impl<T> std::hash::Hash for Uncounted<T> {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

/// The system, while a process runs.
pub struct Kernel<'a> {
    /// The machine.
    pub machine: &'a mut Machine,
    pub(super) lab: &'a mut Lab,
    pub(super) door: &'a mut dyn Door,
    /// Whose step it is.
    pub actor: Entity,
    on: Option<On>,
    /// How much of its stack its code has taken: deep inside of that children do not run.
    pub(super) deep: usize,
}

impl<'a> Kernel<'a> {
    pub(super) fn new(
        machine: &'a mut Machine,
        lab: &'a mut Lab,
        door: &'a mut dyn Door,
        actor: Entity,
    ) -> Kernel<'a> {
        Kernel {
            machine,
            lab,
            door,
            actor,
            on: None,
            deep: 0,
        }
    }

    /// Whether no other process could go first.
    pub(super) fn is_alone(&self) -> bool {
        let could_go = |process: &Process| !matches!(process.state, State::Blocked(_));
        !self.door.others() && !self.lab.processes.values().any(could_go)
    }

    pub(super) fn spend(&mut self) -> Result<(), Stop> {
        self.lab.performed.0 += 1;
        if self.lab.performed.0 > BUDGET {
            return Err(Stop::Spent);
        }
        Ok(())
    }

    /// Notes what is not modelled.
    pub fn unsupported(&mut self, what: &str) {
        if !self.lab.unsupported.iter().any(|known| known == what) {
            self.lab.unsupported.push(what.to_owned());
        }
    }

    /// Performs an operation on `things`, and writes it to the trace.
    pub fn operation<T>(
        &mut self,
        verb: &'static str,
        object: &Arc<str>,
        things: impl FnOnce() -> Vec<Thing>,
        call: impl FnOnce(&mut Self) -> Result<T, Win32>,
    ) -> Result<T, Win32> {
        let first = self.lab.album.0.wants_next().then(|| self.machine.fork());
        let result = call(self);
        self.record(Record::Operation {
            verb,
            object: object.clone(),
            code: result.as_ref().map_or_else(|error| error.code, |_| 0),
        });
        if let Some(first) = first {
            self.lab.album.0.note(&first, self.machine, &things());
        }
        result
    }

    /// Whether a fault strikes this process.
    pub fn fault(&mut self, name: &'static str) -> Option<Armed> {
        self.door.fault(name, self.actor)
    }

    pub(super) fn record(&mut self, record: Record) {
        self.lab.record(self.door, self.actor, record);
    }

    /// Notes a command in the trace, with the variables before it.
    pub(super) fn begin_command(&mut self, text: Arc<str>, block: &Arc<Block>) {
        let path = self.door.path(self.actor);
        let album = &mut self.lab.album.0;
        album.end_command(self.actor, &path, block);
        album.begin_command(self.actor, block);
        self.record(Record::Command { text });
    }

    /// The faults of disks, as far as they concern a call.
    pub(super) fn strike_file(&mut self, how: OnFile) -> Option<Win32> {
        let is_write = matches!(how, OnFile::Writes | OnFile::Moves);
        if is_write && self.fault(super::fault::FILE_ACCESS_DENIED).is_some() {
            return Some(Win32 {
                code: 5,
                name: "ERROR_ACCESS_DENIED",
            });
        }
        if is_write && self.fault(super::fault::FILE_IN_USE).is_some() {
            return Some(Win32 {
                code: 32,
                name: "ERROR_SHARING_VIOLATION",
            });
        }
        if is_write && self.fault(super::fault::DISK_FULL).is_some() {
            return Some(Win32 {
                code: 112,
                name: "ERROR_DISK_FULL",
            });
        }
        None
    }
}

impl Lab {
    /// The same, with what some records touch noted: those of these numbers, of all that processes here write.
    pub fn with_album(self, wanted: Arc<[u64]>) -> Lab {
        Lab {
            album: Uncounted(Album::of(wanted)),
            ..self
        }
    }

    /// What was noted.
    pub fn album(&self) -> &Album {
        &self.album.0
    }

    /// The variables with which a process began that no other one here started, if it still runs.
    pub fn first_block(&self, id: ProcessId) -> Option<&Arc<Block>> {
        self.processes.get(&id)?.first.as_ref()
    }

    fn record(&mut self, door: &mut dyn Door, of: Entity, record: Record) {
        door.record(of, record);
        self.album.0.count();
    }

    /// Whether nothing runs any more.
    pub fn is_over(&self) -> bool {
        self.processes.is_empty()
    }

    /// What is not modelled, as far as it was met since the last time that this was asked.
    pub fn take_unsupported(&mut self) -> Vec<String> {
        std::mem::take(&mut self.unsupported)
    }

    /// Notes that something cannot be, so that the run decides nothing.
    pub fn refuse(&mut self, what: &str) {
        self.unsupported.push(what.to_owned());
    }

    fn fresh(&self) -> Option<Entity> {
        let mut all = self.processes.iter();
        all.find(|(_, process)| process.state == State::Fresh)
            .map(|(id, _)| *id)
    }

    fn wake(&mut self, what: On) {
        for process in self.processes.values_mut() {
            if process.state == State::Blocked(what) {
                process.state = State::Fresh;
            }
        }
    }

    /// Time has passed for a process.
    pub(super) fn time_up(&mut self, id: Entity) {
        if let Some(process) = self.processes.get_mut(&id)
            && process.state == State::Blocked(On::Timer)
        {
            process.state = State::Fresh;
            self.woken.insert(id);
        }
    }

    /// Runs all that need no choice to go on, up to where they are about to perform something.
    pub(super) fn settle(&mut self, machine: &mut Machine, door: &mut dyn Door) {
        while let Some(fresh) = self.fresh() {
            run(machine, self, door, fresh, false);
        }
    }

    /// Those that are about to perform something that was not announced yet, which is so from now on.
    pub(super) fn announce(&mut self) -> Vec<(Entity, Next)> {
        let mut all = Vec::new();
        for (id, process) in &mut self.processes {
            if let State::Ready { next, announced } = &mut process.state
                && !*announced
            {
                *announced = true;
                all.push((*id, next.clone()));
            }
        }
        all
    }

    /// What a process is about to perform.
    pub(super) fn next_of(&self, id: Entity) -> Option<&Next> {
        match &self.processes.get(&id)?.state {
            State::Ready { next, .. } => Some(next),
            _ => None,
        }
    }
}
