//! The stage: whichever models a scenario puts on it, as one world for the engine.

use std::sync::Arc;

use crate::engine::{
    Cx, Entity, FaultSpec, Footprint, KindSpec, Observed, Record as EngineRecord, Rivals, Seen,
    Struck, TraceHasher, Value, World,
};
use crate::golang::toolchain::{self, Go};
use crate::golang::windows::Go as WindowsGo;
use crate::linux::lab as linux;
use crate::linux::lab::Unsupported;
use crate::linux::{clock, tcp, tracepoint};
use crate::observe;
use crate::records;
use crate::win7::cmd;
use crate::win7::program as win7;

records! {
    /// What the lab itself notes.
    pub enum LabRecord {
        /// A fault struck.
        Fault = "fault", "is struck by the fault {fault}" {
            /// The fault's name.
            fault: &'static str,
        },
        /// The models met something that they do not support: the run decides nothing.
        Unsupported = "unsupported", "meets what is not modelled: {what}" {
            /// What.
            what: Arc<str>,
        },
    }
}

macro_rules! families {
    ($($(#[doc = $doc:literal])* $family:ident($record:ty),)*) => {
        /// A record of any family.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Record {
            $( $(#[doc = $doc])* $family($record), )*
        }

        impl Record {
            /// The kinds of all families, in the order of the families.
            pub fn kinds() -> Vec<KindSpec> {
                [$( <$record>::KINDS, )*].concat()
            }
        }

        $( impl From<$record> for Record {
            fn from(record: $record) -> Record {
                Record::$family(record)
            }
        } )*

        impl EngineRecord for Record {
            fn kind(&self) -> &'static str {
                match self { $( Record::$family(record) => record.kind(), )* }
            }
            fn field(&self, name: &str) -> Option<Value> {
                match self { $( Record::$family(record) => record.field(name), )* }
            }
            fn fields(&self, each: &mut dyn FnMut(&'static str, Value)) {
                match self { $( Record::$family(record) => record.fields(each), )* }
            }
            fn absorb(&self, hasher: &mut TraceHasher) {
                match self { $( Record::$family(record) => record.absorb(hasher), )* }
            }
            fn words(&self) -> String {
                match self { $( Record::$family(record) => record.words(), )* }
            }
        }
    };
}

families! {
    /// What the lab itself notes.
    Lab(LabRecord),
    /// What Windows programs do.
    Windows(win7::Record),
    /// What batch files and what they start do.
    Cmd(cmd::Record),
    /// What Linux processes do.
    Linux(linux::Record),
    /// What the kernel's tracepoints show of TCP, and what applications learn.
    Tcp(tracepoint::Record),
    /// What observers come to.
    Observe(observe::LabRecord),
    /// What a database was measured to do.
    Query(observe::QueryRecord),
    /// What was seen elsewhere, and is imported.
    Observed(Observed),
    /// What clocks tell.
    Clocks(clock::Record),
}

impl From<Struck> for Record {
    fn from(struck: Struck) -> Record {
        LabRecord::Fault {
            fault: struck.fault,
        }
        .into()
    }
}

/// An event of whichever world is on the stage.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// Of the Windows world.
    Windows(win7::Event),
    /// Of the Linux world.
    Linux(linux::Event),
    /// Of the TCP world.
    Tcp(tcp::Event),
    /// Of the world of clocks.
    Clocks(clock::Event),
    /// Of the observers' world.
    Observe(observe::LabEvent),
}

impl From<clock::Event> for Event {
    fn from(event: clock::Event) -> Event {
        Event::Clocks(event)
    }
}

impl From<observe::LabEvent> for Event {
    fn from(event: observe::LabEvent) -> Event {
        Event::Observe(event)
    }
}

impl From<tcp::Event> for Event {
    fn from(event: tcp::Event) -> Event {
        Event::Tcp(event)
    }
}

impl From<linux::Event> for Event {
    fn from(event: linux::Event) -> Event {
        Event::Linux(event)
    }
}

impl From<cmd::Event> for Event {
    fn from(event: cmd::Event) -> Event {
        Event::Windows(event.into())
    }
}

impl From<win7::Event> for Event {
    fn from(event: win7::Event) -> Event {
        Event::Windows(event)
    }
}

/// The world on the stage.
#[derive(Clone, Hash, Debug)]
pub enum Stage {
    /// Nothing yet.
    Empty,
    /// Windows programs and their registry.
    Windows(Box<win7::Programs<WindowsGo>>),
    /// Linux processes and their files.
    Linux(linux::Lab<Go>),
    /// TCP clients and a server.
    Tcp(Box<tcp::Lab>),
    /// Clocks, and a program that asks them.
    Clocks(clock::Clocks),
    /// Observers of one node.
    Observe(Box<observe::Lab>),
}

impl Stage {
    /// The things that a record of `actor` is about, and what they are in the present state. What the record
    /// means is asked of `asked`, a state in which its actor was there, if that is another one.
    pub fn touched(&self, asked: Option<&Stage>, actor: &str, record: &Record) -> Vec<Seen> {
        match (self, asked.unwrap_or(self), record) {
            (Stage::Windows(programs), Stage::Windows(asked), Record::Windows(record)) => {
                programs.touched(asked, actor, record)
            }
            (Stage::Linux(lab), Stage::Linux(asked), Record::Linux(record)) => {
                lab.touched(asked, actor, record)
            }
            (Stage::Tcp(lab), _, Record::Tcp(record)) => lab.touched(record),
            _ => Vec::new(),
        }
    }
}

/// All faults that models know, by family: the one table.
pub fn fault_table() -> Vec<&'static FaultSpec> {
    [
        win7::FAULTS,
        win7::DISK_FAULTS,
        cmd::FAULTS,
        toolchain::FAULTS,
        tcp::FAULTS,
        clock::FAULTS,
        observe::FAULTS,
    ]
    .iter()
    .flat_map(|faults| faults.iter())
    .collect()
}

impl World for Stage {
    type Event = Event;
    type Record = Record;

    fn step(&mut self, event: Event, cx: &mut Cx<'_, Event, Record>) {
        match (self, event) {
            (Stage::Windows(programs), Event::Windows(event)) => {
                for win7::Unsupported(what) in programs.step(event, cx) {
                    let lab = cx.name("lab");
                    cx.record(lab, LabRecord::Unsupported { what: what.into() });
                }
            }
            (Stage::Linux(lab), Event::Linux(event)) => {
                for Unsupported(what) in lab.step(event, cx) {
                    let lab = cx.name("lab");
                    cx.record(lab, LabRecord::Unsupported { what: what.into() });
                }
            }
            (Stage::Tcp(lab), Event::Tcp(event)) => lab.step(event, cx),
            (Stage::Clocks(clocks), Event::Clocks(event)) => clocks.step(event, cx),
            (Stage::Observe(lab), Event::Observe(event)) => lab.step(event, cx),
            (stage, event) => unreachable!("{event:?} is no event of {stage:?}"),
        }
    }

    fn footprint(&self, event: &Event) -> Footprint {
        match (self, event) {
            (Stage::Windows(programs), Event::Windows(event)) => programs.footprint(event),
            (Stage::Linux(lab), Event::Linux(event)) => lab.footprint(event),
            // Everything happens on the agenda there; no actor yields.
            (Stage::Tcp(_), Event::Tcp(_))
            | (Stage::Clocks(_), Event::Clocks(_))
            | (Stage::Observe(_), Event::Observe(_)) => Footprint::Everything,
            (stage, event) => unreachable!("{event:?} is no event of {stage:?}"),
        }
    }

    fn rivals(&self, event: &Event) -> Rivals {
        match (self, event) {
            (Stage::Linux(lab), Event::Linux(event)) => lab.rivals(event),
            _ => Rivals::Anyone,
        }
    }

    fn enablers(&self, actor: Entity) -> Rivals {
        match self {
            Stage::Linux(lab) => lab.enablers(actor),
            _ => Rivals::Anyone,
        }
    }

    fn may_record(&self, event: &Event) -> Option<&'static [&'static str]> {
        match (self, event) {
            (Stage::Linux(lab), Event::Linux(event)) => lab.may_record(event),
            _ => None,
        }
    }
}
