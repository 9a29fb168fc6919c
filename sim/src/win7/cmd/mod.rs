//! Batch files: cmd.exe, the programs of System32 that scripts use, and processes on consoles.
//!
//! | module | what it is |
//! |---|---|
//! | [`sys`] | the system as a program sees it: an operation a call; read this first |
//! | [`kernel`] | what the operations do; processes, open files, pipes, consoles |
//! | [`log`] | how straight-line code becomes plain data |
//! | [`shell`] | the interpreter of cmd.exe, with its internal commands |
//! | [`tools`] | the programs of System32, a module each |
//! | [`messages`] | texts of the system, English and Chinese |
//! | [`wildcard`] | names of files against `*` and `?`; the names that `ren` and `copy` make |

pub mod arguments;
pub mod clock;
mod fault;
pub mod handles;
pub mod kernel;
mod label;
pub mod log;
pub mod messages;
mod record;
pub mod shell;
pub mod sys;
pub mod tools;
pub mod wildcard;

use std::sync::Arc;

use crate::engine::{Armed, Cx, Entity, Footprint, Record as EngineRecord, Span, Time};

use super::machine::Machine;
use super::registry::error::Win32;

pub use fault::FAULTS;
pub use kernel::{Lab, SpawnRequest, Start};
pub use record::Record;

/// An event of this world.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A process performs what it was about to perform.
    Go(Entity),
    /// Time has passed for a process.
    Wake(Entity),
}

/// The run, seen through the engine's context.
struct Context<'a, 'b, E, R> {
    cx: &'a mut Cx<'b, E, R>,
    others: bool,
}

impl<E, R> kernel::Door for Context<'_, '_, E, R>
where
    E: From<Event>,
    R: EngineRecord + From<Record>,
{
    fn now(&self) -> Time {
        self.cx.now()
    }

    fn fault(&mut self, name: &'static str, at: Entity) -> Option<Armed> {
        self.cx.fault(name, at)
    }

    fn choose(&mut self, site: &'static str, at: Entity, low: u64, high: u64) -> u64 {
        self.cx.choose_number(site, at, low, high)
    }

    fn record(&mut self, at: Entity, record: Record) {
        self.cx.record(at, record);
    }

    fn birth(&mut self, parent: Entity, label: &'static str) -> Entity {
        self.cx.birth(parent, label)
    }

    fn path(&self, of: Entity) -> Arc<str> {
        self.cx.path(of).clone()
    }

    fn wake_after(&mut self, span: Span, who: Entity) {
        self.cx.after(span, who, Event::Wake(who));
    }

    fn others(&self) -> bool {
        self.others
    }
}

impl Lab {
    /// Begins a process on a console of its own. `others`: whether anything beside the processes here could take a step.
    ///
    /// # Errors
    /// The Win32 code if there is no such account or program.
    pub fn begin<E, R>(
        &mut self,
        machine: &mut Machine,
        actor: Entity,
        start: &Start,
        cx: &mut Cx<'_, E, R>,
    ) -> Result<(), Win32>
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let mut door = Context { cx, others: true };
        kernel::Kernel::new(machine, self, &mut door, actor).begin(start)
    }

    /// All that has begun goes on to where it is about to perform something.
    pub fn settle_all<E, R>(&mut self, machine: &mut Machine, others: bool, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        self.settle(machine, &mut Context { cx, others });
        for (actor, next) in self.announce() {
            let object = cx.name(&next.object);
            cx.ready(actor, next.verb, object, Event::Go(actor));
        }
    }

    /// One step.
    pub fn step<E, R>(
        &mut self,
        machine: &mut Machine,
        event: &Event,
        others: bool,
        cx: &mut Cx<'_, E, R>,
    ) where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        match event {
            Event::Go(actor) => {
                let mut door = Context { cx, others };
                kernel::run(machine, self, &mut door, *actor, true);
            }
            Event::Wake(actor) => self.time_up(*actor),
        }
        self.settle_all(machine, others, cx);
    }

    /// What the step of an event would touch.
    pub fn footprint(&self, event: &Event) -> Footprint {
        let Event::Go(actor) = event else {
            return Footprint::Everything;
        };
        let all = |names: &[String]| names.iter().map(|name| Entity::of(name)).collect();
        match self.next_of(*actor).map(|next| &next.touch) {
            Some(sys::Touch::Reads(names)) => Footprint::Touches {
                reads: all(names),
                writes: vec![],
            },
            Some(sys::Touch::Writes(names)) => Footprint::Touches {
                reads: vec![],
                writes: all(names),
            },
            _ => Footprint::Everything,
        }
    }
}
