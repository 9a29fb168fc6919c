//! Observing: what eBPF aggregation, export of events, log parsing and polling see of the same node.
//!
//! An [`Observer`] is shown every tracepoint [`Event`] and every [`Packet`] of one node, in the order of
//! time, and hands out [`Sample`]s when its reader would have them. [`Aggregate`] counts in a [`map`] of
//! the kernel's, [`Export`] hands each event over through a buffer, [`Log`] prints packets as netfilter's
//! LOG and parses the lines, [`Poll`] reads the list of sockets from time to time. Each loses what the
//! real thing loses, and its [`Toll`] says how much, and whether anything tells of it.
//!
//! A [`Detector`] has rules over samples of any observer; a [`Score`] holds its alarms against what was
//! injected. [`population`] makes the events of many nodes and of days, and [`Tally`] is what a day comes
//! to.

mod aggregate;
mod alert;
mod buffer;
mod contest;
mod cost;
mod day;
mod detect;
mod event;
mod export;
mod fault;
mod lab;
mod log;
pub mod map;
pub mod netfilter;
mod observer;
pub mod population;
pub mod procfs;
mod query;
mod stamp;
mod station;
#[cfg(test)]
mod tests;

pub use aggregate::{Aggregate, AggregateConfig, KeyBy, Reading, key_of, signal_of_key};
pub use alert::{Alert, AlertError, AlertRule, Alerter, Condition, Target};
pub use buffer::{BufferError, BufferLevel, BufferStream, SocketBuffer, Stall};
pub use contest::{Contender, Contest, Row};
pub use day::{NodeDay, Tally};
pub use detect::{Alarm, BufferWatch, Detector, Injected, Over, Rule, Score, Trouble};
pub use event::{Event, Packet, PacketFlags, Signal, record_bytes, signal_of, signal_of_packet};
pub use export::{Buffer, Export, ExportConfig};
pub use fault::{FAULTS, arm};
pub use lab::{By, Event as LabEvent, Lab, LabError, Named, ObserveLab, Record as LabRecord};
pub use log::{Log, LogConfig};
pub use observer::{Observer, OwnSignal, Sample, Toll};
pub use procfs::{Poll, PollConfig};
pub use query::{Measured, QueryLab, Record as QueryRecord};
pub use stamp::StampClock;
pub use station::{DumpRow, Station, Stations};
