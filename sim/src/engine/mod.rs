//! The engine: virtual time, the agenda, choices, faults, the trace. It knows neither Windows nor TCP.

mod agenda;
mod choice;
mod entity;
mod explore;
mod fault;
mod hash;
mod machine;
mod observed;
pub mod source;
mod time;
mod touched;
mod trace;

/// The version of the engine: it moves when a trace of any model does because of it.
pub const VERSION: u32 = 1;

pub use agenda::{Agenda, Due, Ticket};
pub(crate) use choice::Ordinals;
pub use choice::{Choice, Key, KeyText, Labels, Options, Source, Weights};
pub use entity::{Entity, Names, matches_pattern};
pub use explore::{Completion, Explored, Monitor, Pruning, Search, explore, explore_each};
pub use fault::{Armed, FaultSpec, Faults, Param, ParamKind, ParamSpec, Struck, When};
pub use hash::{LookupMap, TraceHash, TraceHasher, mix, state_key, text_hash};
pub use machine::{
    Cx, End, Env, Footprint, Limits, Machine, Progress, Ready, Rivals, Scheduling, World,
};
pub use observed::Observed;
pub use time::{Span, Time};
pub use touched::{Seen, Touched, shown};
pub use trace::{Entry, Field, KindSpec, Observer, Record, Trace, Value, fill};
