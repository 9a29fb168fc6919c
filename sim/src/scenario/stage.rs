//! The stage: whichever models a scenario puts on it, as one world for the engine.

use std::sync::Arc;

use crate::engine::{
    Cx, FaultSpec, Footprint, KindSpec, Record as EngineRecord, Struck, TraceHasher, Value, World,
};
use crate::records;
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
}

impl From<win7::Event> for Event {
    fn from(event: win7::Event) -> Event {
        Event::Windows(event)
    }
}

/// The world on the stage.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Nothing yet.
    Empty,
    /// Windows programs and their registry.
    Windows(win7::Programs),
}

/// All faults that models know, by family: the one table.
pub fn fault_table() -> Vec<&'static FaultSpec> {
    [win7::FAULTS]
        .iter()
        .flat_map(|faults| faults.iter())
        .collect()
}

impl World for Stage {
    type Event = Event;
    type Record = Record;

    fn step(&mut self, event: Event, cx: &mut Cx<'_, Event, Record>) {
        match (self, event) {
            (Stage::Windows(programs), Event::Windows(event)) => programs.step(event, cx),
            (stage, event) => unreachable!("{event:?} is no event of {stage:?}"),
        }
    }

    fn footprint(&self, event: &Event) -> Footprint {
        match (self, event) {
            (Stage::Windows(programs), Event::Windows(event)) => programs.footprint(event),
            (stage, event) => unreachable!("{event:?} is no event of {stage:?}"),
        }
    }
}
