//! What is recorded of a pair.

use super::End;
use crate::engine::{self, Struck, Time, TraceHasher, Value};
use crate::linux::tracepoint::Record;

/// A record of a pair: which connection it is about, and what a tracepoint or an application reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// What happened.
    Tcp {
        /// The connection, in the order of connect(); none for a listening socket.
        conn: Option<u32>,
        /// What.
        record: Record,
    },
    /// A fault of the engine struck: a pair has none armed.
    Fault(&'static str),
}

impl From<Record> for Seen {
    fn from(record: Record) -> Seen {
        Seen::Tcp { conn: None, record }
    }
}

impl From<Struck> for Seen {
    fn from(struck: Struck) -> Seen {
        Seen::Fault(struck.fault)
    }
}

impl engine::Record for Seen {
    fn kind(&self) -> &'static str {
        match self {
            Seen::Tcp { record, .. } => record.kind(),
            Seen::Fault(_) => "fault",
        }
    }
    fn field(&self, name: &str) -> Option<Value> {
        match self {
            Seen::Tcp {
                conn: Some(conn), ..
            } if name == "conn" => Some(Value::Number(i128::from(*conn))),
            Seen::Tcp { record, .. } => record.field(name),
            Seen::Fault(_) => None,
        }
    }
    fn fields(&self, each: &mut dyn FnMut(&'static str, Value)) {
        if let Seen::Tcp { record, .. } = self {
            record.fields(each);
        }
    }
    fn absorb(&self, hasher: &mut TraceHasher) {
        match self {
            Seen::Tcp { conn, record } => {
                hasher.u64(conn.map_or(0, u64::from));
                record.absorb(hasher);
            }
            Seen::Fault(fault) => hasher.text(fault),
        }
    }
    fn words(&self) -> String {
        match self {
            Seen::Tcp { record, .. } => record.words(),
            Seen::Fault(fault) => format!("is struck by {fault}"),
        }
    }
}

/// A record in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairEvent {
    /// When.
    pub at: Time,
    /// At which host.
    pub host: End,
    /// The connection, none for a listening socket.
    pub conn: Option<u32>,
    /// What.
    pub record: Record,
    /// Whether it fired in softirq: by rule on the models ([`Record::softirq`]); on a kernel, whether no system call can
    /// have led to it. None where that is not known.
    pub softirq: Option<bool>,
}
