//! Maps that programs count into, and their reader.

use std::path::Path;

use aya::Ebpf;
use aya::maps::{HashMap, MapData, PerCpuArray, PerCpuHashMap};

use super::seen::{Known, Seen, ports};
use super::traffic::PORT;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::linux::clock::monotonic_ns;
use crate::host::linux::veth::Pair;
use crate::host::linux::watch::{self, whole};

/// Which map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Map {
    /// A value for each CPU.
    PerCpu,
    /// One value, added to atomically.
    Shared,
    /// A key for each connection, in a map that forgets.
    Lru,
}

impl Map {
    fn name(self) -> &'static str {
        match self {
            Map::PerCpu => "per_cpu",
            Map::Shared => "shared",
            Map::Lru => "lru",
        }
    }
}

/// `struct key` of the programs.
type Key = [u8; 16];

/// The key's `kind` of a change of state.
const STATE: u8 = 1;
const SYN_SENT: u8 = 2;
const ESTABLISHED: u8 = 1;
/// The number of the client among the hosts.
const CLIENT: u8 = 1;

/// Whether it counts a client's connection that came about.
fn is_connection(key: &Key) -> bool {
    key[..4] == [STATE, SYN_SENT, ESTABLISHED, CLIENT]
        && u16::from_ne_bytes([key[6], key[7]]) == PORT
}

enum Rows {
    PerCpu(PerCpuHashMap<MapData, Key, u64>),
    One(HashMap<MapData, Key, u64>),
}

/// Programs that count, and what reads the map.
pub struct Counts {
    rows: Rows,
    refused: PerCpuArray<MapData, u64>,
    seen: Seen,
    programs: Ebpf,
}

impl Counts {
    /// Loads the programs of one map, and hangs them on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn start(object: &Path, map: Map, pair: &Pair) -> Result<Counts> {
        let wrong = |what: String| Failure::new(Exit::NoHost, what);
        let of_kind = |error: aya::maps::MapError| wrong(format!("a map: {}", whole(&error)));
        let mut programs = watch::load(object, &[], &[])?;
        let mut take = |name: &str| programs.take_map(name).expect("the object has this map");
        let mut hosts = HashMap::try_from(take("hosts")).map_err(of_kind)?;
        watch::follow(&mut hosts, pair.client.inum, pair.server.inum).map_err(wrong)?;
        let rows = take(map.name());
        let rows = match map {
            Map::PerCpu => Rows::PerCpu(rows.try_into().map_err(of_kind)?),
            Map::Shared | Map::Lru => Rows::One(rows.try_into().map_err(of_kind)?),
        };
        let refused = take("refused").try_into().map_err(of_kind)?;
        let names = ["state", "gone"].map(|what| format!("{}_{what}", map.name()));
        let tracepoints = ["inet_sock_set_state", "tcp_destroy_sock"];
        for (name, tracepoint) in names.iter().zip(tracepoints) {
            watch::attach(&mut programs, name, tracepoint)
                .map_err(|error| wrong(format!("{tracepoint}: {}", whole(&error))))?;
        }
        let known = match map {
            Map::PerCpu | Map::Shared => Known::Counts(Vec::new()),
            Map::Lru => Known::Ports(ports()),
        };
        Ok(Counts {
            rows,
            refused,
            seen: Seen {
                known,
                ..Seen::default()
            },
            programs,
        })
    }

    /// Reads the whole map once.
    pub fn read(&mut self) {
        let mut connections = 0;
        let mut rows = 0;
        let known = &mut self.seen.known;
        let mut row = |key: Key, count: u64| {
            rows += 1;
            if is_connection(&key) {
                connections += count;
                if let Known::Ports(ports) = known {
                    let port = usize::from(u16::from_ne_bytes([key[4], key[5]]));
                    if ports[port] == 0 {
                        ports[port] = monotonic_ns();
                    }
                }
            }
        };
        // What vanishes while it is read is passed over, as any reader has to.
        let values = match &self.rows {
            Rows::PerCpu(map) => {
                let mut values = 1;
                for (key, counts) in map.iter().flatten() {
                    values = counts.len();
                    row(key, counts.iter().sum());
                }
                values
            }
            Rows::One(map) => {
                map.iter()
                    .flatten()
                    .for_each(|(key, count)| row(key, count));
                1
            }
        };
        self.seen.bytes += rows * (size_of::<Key>() + 8 * values) as u64;
        if let Known::Counts(counts) = &mut self.seen.known {
            counts.push((monotonic_ns(), connections));
        }
    }

    /// What it came to.
    pub fn seen(mut self) -> Seen {
        let counts = self.refused.get(&0, 0);
        self.seen.told = counts.map_or(0, |counts| counts.iter().sum());
        self.seen
    }

    /// How often its programs ran, and for how long, in ns, while the kernel counted that.
    pub fn ran(&self) -> (u64, u64) {
        watch::ran(&self.programs)
    }
}
