//! Rules: which signals count for a trouble, and from which number on.

use serde::{Deserialize, Serialize};

use super::super::event::Signal;
use super::trouble::Trouble;
use crate::engine::Span;

/// What is held against a rule's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Over {
    /// The weighted sum of what came within so long, in ms.
    Window(u64),
    /// A level, as it was last seen.
    Level,
    /// Where a level will be, by the straight line that is nearest to what was seen of it; where it is while
    /// that was seen for less than half of `window_ms`, or does not rise.
    Trend {
        /// How far back it is looked at, in ms.
        window_ms: u64,
        /// How far ahead, in ms.
        ahead_ms: u64,
    },
}

impl Over {
    /// How long what was seen counts; none: until the next.
    pub(super) const fn window(self) -> Option<Span> {
        match self {
            Over::Window(ms) | Over::Trend { window_ms: ms, .. } => Some(Span::from_ms(ms)),
            Over::Level => None,
        }
    }
}

/// When a detector calls: a sum, a level or a trend reaches a number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// What it calls.
    pub trouble: Trouble,
    /// Which signals count, and how much each.
    pub signals: &'static [(Signal, i64)],
    /// What is made of them.
    pub over: Over,
    /// From which number on.
    pub least: i64,
}

/// How a socket's buffer is watched.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum BufferWatch {
    /// By its level: it calls at four fifths.
    #[default]
    Level,
    /// By its trend: it calls when the line through the last 5 s is at the bound within 20 s.
    Trend,
}

impl Rule {
    /// The rule that watches a socket's buffer.
    pub const fn of_buffer(watch: BufferWatch) -> &'static Rule {
        const LEVEL: Rule = Rule {
            trouble: Trouble::BufferOverflow,
            signals: &[(Signal::BufferFill, 1)],
            over: Over::Level,
            least: 800,
        };
        const TREND: Rule = Rule {
            over: Over::Trend {
                window_ms: 5_000,
                ahead_ms: 20_000,
            },
            least: 1_000,
            ..LEVEL
        };
        match watch {
            BufferWatch::Level => &LEVEL,
            BufferWatch::Trend => &TREND,
        }
    }

    /// One rule or more for each trouble but a full buffer: over counts, and over the levels that pollers have.
    pub const ALL: &'static [Rule] = &[
        Rule {
            trouble: Trouble::SynTimeouts,
            signals: &[(Signal::SynRetransmit, 1)],
            over: Over::Window(2_000),
            least: 20,
        },
        Rule {
            trouble: Trouble::SynTimeouts,
            signals: &[(Signal::SynSentNow, 1)],
            over: Over::Level,
            least: 40,
        },
        Rule {
            trouble: Trouble::ResetBurst,
            signals: &[(Signal::ResetSent, 1), (Signal::ResetReceived, 1)],
            over: Over::Window(2_000),
            least: 200,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitMade, 1)],
            over: Over::Window(60_000),
            least: 8_000,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitSeen, 1)],
            over: Over::Window(60_000),
            least: 1,
        },
        Rule {
            trouble: Trouble::TimeWaitGrowth,
            signals: &[(Signal::TimeWaitNow, 1)],
            over: Over::Level,
            least: 8_000,
        },
        Rule {
            trouble: Trouble::PoolLeak,
            signals: &[
                (Signal::Opened, 1),
                (Signal::Accepted, 1),
                (Signal::Closed, -1),
                (Signal::TimeWaitMade, -1),
            ],
            over: Over::Window(60_000),
            least: 1_000,
        },
        Rule {
            trouble: Trouble::PoolLeak,
            signals: &[(Signal::OpenNow, 1)],
            over: Over::Level,
            least: 1_000,
        },
        Rule {
            trouble: Trouble::PortExhaustion,
            signals: &[(Signal::NoPort, 1)],
            over: Over::Window(2_000),
            least: 1,
        },
        Rule {
            trouble: Trouble::SynFlood,
            signals: &[(Signal::SynAckRetransmit, 1)],
            over: Over::Window(2_000),
            least: 200,
        },
        Rule {
            trouble: Trouble::SynFlood,
            signals: &[(Signal::SynReceived, 1)],
            over: Over::Window(1_000),
            least: 1_000,
        },
    ];
}
