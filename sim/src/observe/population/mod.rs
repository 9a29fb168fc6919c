//! Whole populations: services, clients and incidents on many nodes, as streams of the very records that
//! the detailed model makes, in constant memory.
//!
//! A connection's [`Life`] says what its kernel shows of it and when. Connections of one kind arrive at
//! times that follow from their number alone, so each step of a life is a cursor that walks the same
//! arrivals later: nothing is kept of a connection, and a stream can begin at any time. The tests hold
//! each life against `linux::tcp`, event for event.

mod arrivals;
mod config;
mod digest;
mod drawn;
mod lane;
mod life;
mod stream;
#[cfg(test)]
mod tests;

pub use config::{Arriving, Curve, Flows, Incident, Population, PopulationError};
pub use digest::Digest;
pub use drawn::Drawn;
pub use life::Life;
pub use stream::{NodeStream, PacketEvent};
