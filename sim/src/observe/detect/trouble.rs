//! What can go wrong on a node.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::engine::Span;

/// What can go wrong and is to be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Trouble {
    /// SYNs are not answered and sent again.
    SynTimeouts,
    /// Many connections are refused or broken off.
    ResetBurst,
    /// Short connections pile up in TIME_WAIT.
    TimeWaitGrowth,
    /// Connections are opened and never closed.
    PoolLeak,
    /// connect() finds no free local port.
    PortExhaustion,
    /// SYNs whose senders never answer.
    SynFlood,
    /// A socket's receive buffer is filling up: to be called before it is full.
    BufferOverflow,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Trouble; 7] = [
        Trouble::SynTimeouts,
        Trouble::ResetBurst,
        Trouble::TimeWaitGrowth,
        Trouble::PoolLeak,
        Trouble::PortExhaustion,
        Trouble::SynFlood,
        Trouble::BufferOverflow,
    ];

    /// Its name in records and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Trouble::SynTimeouts => "syn-timeouts",
            Trouble::ResetBurst => "reset-burst",
            Trouble::TimeWaitGrowth => "time-wait-growth",
            Trouble::PoolLeak => "pool-leak",
            Trouble::PortExhaustion => "port-exhaustion",
            Trouble::SynFlood => "syn-flood",
            Trouble::BufferOverflow => "buffer-overflow",
        }
    }

    /// How long its traces outlast it: SYNs of the last connection are sent again for 135 s, TIME_WAIT
    /// lasts 62 s, half-open requests 63 s.
    pub const fn lingers(self) -> Span {
        match self {
            Trouble::SynTimeouts => Span::from_s(135),
            Trouble::TimeWaitGrowth => Span::from_s(62),
            Trouble::SynFlood => Span::from_s(63),
            // A leak leaves what it leaked.
            Trouble::PoolLeak => Span::from_s(300),
            Trouble::ResetBurst | Trouble::PortExhaustion | Trouble::BufferOverflow => Span::ZERO,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
