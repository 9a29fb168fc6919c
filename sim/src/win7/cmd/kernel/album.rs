//! What records of batch files are about, before and after: noted for those that a story shows, and no part of the state.
//!
//! A script may run through in one step of the engine, so that looking at the machine between steps says too little.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::{Entity, Seen, Touched};
use crate::win7::environment::Block;
use crate::win7::machine::Machine;
use crate::win7::registry::{Caller, KeyPath};
use crate::win7::seen;

use super::turn::changes;

/// A thing that an operation is about.
#[derive(Clone, Debug)]
pub enum Thing {
    /// A value, by name.
    Value(Caller, Arc<str>, KeyPath, String),
    /// A key.
    Key(Caller, Arc<str>, KeyPath),
    /// A file or directory, by its full path.
    File(Arc<str>),
    /// A variable of a process.
    Variable(String, &'static str),
}

impl Thing {
    fn seen(&self, machine: &Machine) -> Seen {
        match self {
            Thing::Value(caller, user, key, name) => seen::value(machine, caller, user, key, name),
            Thing::Key(caller, user, key) => seen::key(machine, caller, user, key),
            Thing::File(full) => seen::file(machine, full),
            Thing::Variable(process, name) => seen::variable(machine, process, name),
        }
    }
}

/// What some records were about.
#[derive(Clone, Debug, Default)]
pub struct Album {
    /// The numbers of the records that are to be noted, in order.
    wanted: Arc<[u64]>,
    /// How many records there were.
    records: u64,
    noted: BTreeMap<u64, Vec<Touched>>,
    /// The command of each process that is under way, with the variables before it.
    commands: BTreeMap<Entity, (u64, Arc<Block>)>,
}

impl Album {
    /// An album of the records of these numbers, from 0, in order.
    pub fn of(wanted: Arc<[u64]>) -> Album {
        Album {
            wanted,
            ..Album::default()
        }
    }

    /// What the record of this number touched.
    pub fn touched(&self, number: u64) -> &[Touched] {
        self.noted.get(&number).map_or(&[], Vec::as_slice)
    }

    /// Counts a record.
    pub(super) fn count(&mut self) {
        self.records += 1;
    }

    /// Whether the next record is to be noted.
    pub(super) fn wants_next(&self) -> bool {
        self.wanted.binary_search(&self.records).is_ok()
    }

    /// The record that was counted last was about these things.
    pub(super) fn note(&mut self, first: &Machine, last: &Machine, things: &[Thing]) {
        let touched = things
            .iter()
            .map(|thing| Touched::between(thing.seen(first), thing.seen(last)));
        self.noted.insert(self.records - 1, touched.collect());
    }

    /// A process ends, or begins another command: what the one before changed among its variables.
    pub(super) fn end_command(&mut self, actor: Entity, process: &str, now: &Block) {
        let Some((number, before)) = self.commands.remove(&actor) else {
            return;
        };
        let touched = changes(&before, now);
        let touched = touched.into_iter().map(|(name, before, after)| Touched {
            what: seen::variable_of(process, &name),
            before,
            after,
        });
        self.noted.entry(number).or_default().extend(touched);
    }

    /// The record that is to come is that of a command of this process.
    pub(super) fn begin_command(&mut self, actor: Entity, block: &Arc<Block>) {
        if self.wants_next() {
            self.commands.insert(actor, (self.records, block.clone()));
        }
    }
}
