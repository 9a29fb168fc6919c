//! The flood of a world: raised with its clients, ended with them.

use std::io;
use std::path::Path;

use faultlab_sim::linux::tcp::{Flood, TcpLab};
use serde::{Deserialize, Serialize};

use crate::host::linux::flood::{Generator, Shield};
use crate::host::linux::processor::Account;
use crate::host::linux::veth::Pair;

/// What became of a flood.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flooded {
    /// How many SYNs a second were asked for.
    pub asked_per_s: u64,
    /// How many a second were sent: what the generator could.
    pub sent_per_s: u64,
    /// On how many threads.
    pub threads: u32,
    /// How many a second were dropped; none: nothing drops.
    pub dropped_per_s: Option<u64>,
    /// Time on processors for each of them, in ns: sending it, carrying it over, and what becomes of it.
    pub cpu_ns: u64,
    /// Who counted that.
    pub cpu_by: String,
}

/// A flood that is ready, or under way.
pub struct Flooding<'a> {
    flood: Flood,
    port: u16,
    for_ns: u64,
    threads: u32,
    pair: &'a Pair,
    shield: Shield<'a>,
    account: Account,
    began: Option<(Generator, u64)>,
}

impl<'a> Flooding<'a> {
    /// Raises the defence.
    ///
    /// # Errors
    /// The kernel refuses it.
    pub fn ready(
        flood: &Flood,
        world: &TcpLab,
        pair: &'a Pair,
        drops: &Path,
    ) -> io::Result<Flooding<'a>> {
        let shield = Shield::raise(pair, flood.defence, world.port, drops);
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
        Ok(Flooding {
            flood: *flood,
            port: world.port,
            for_ns: world.until_ms.saturating_sub(flood.from_ms) * 1_000_000,
            threads: flood.cores.min(cores),
            pair,
            shield: shield.map_err(io::Error::other)?,
            account: Account::open(),
            began: None,
        })
    }

    /// When it is to begin, in ms.
    pub fn begins_ms(&self) -> u64 {
        self.flood.from_ms
    }

    /// Begins it.
    ///
    /// # Errors
    /// Packets cannot be sent.
    pub fn begin(&mut self) -> io::Result<()> {
        let Flood { syns_per_s, .. } = self.flood;
        let before_ns = self.account.ns();
        let generator =
            Generator::start(self.pair, self.port, syns_per_s, self.threads, self.for_ns)?;
        self.began = Some((generator, before_ns));
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// Packets could not be sent, or the count cannot be read.
    pub fn end(self) -> io::Result<Option<Flooded>> {
        let Some((generator, before_ns)) = self.began else {
            return Ok(None);
        };
        let (sent, took_ns) = generator.stop()?;
        let cpu_ns = self.account.ns() - before_ns;
        let dropped = self.shield.dropped().map_err(io::Error::other)?;
        let per_s = |count: u64| {
            let count = u128::from(count) * 1_000_000_000 / u128::from(took_ns.max(1));
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        Ok(Some(Flooded {
            asked_per_s: self.flood.syns_per_s,
            sent_per_s: per_s(sent),
            threads: self.threads,
            dropped_per_s: dropped.map(per_s),
            cpu_ns: cpu_ns / sent.max(1),
            cpu_by: self.account.name().into(),
        }))
    }
}
