//! The faults of the TCP lab.

use std::fmt;

use crate::engine::{Armed, FaultSpec, Faults, ParamKind, ParamSpec, Span, Time};

pub(super) const LISTENER_DOWN: &str = "listener-down";
pub(super) const ABORT_ON_DEATH: &str = "abort-on-death";
pub(super) const LINGER_ZERO: &str = "linger-zero";
pub(super) const PACKET_LOSS: &str = "packet-loss";
pub(super) const LINK_DOWN: &str = "link-down";

const FOR_MS: ParamSpec = ParamSpec {
    name: "for_ms",
    kind: ParamKind::Number,
    required: false,
    doc: "How long it lasts. Without it, and without `before_ms`, it does not end.",
};

/// The faults that the TCP lab knows.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: LISTENER_DOWN,
        doc: "At `server`: its process ends at `from_ms` and listens again after `for_ms` (or at \
              `before_ms`). The kernel closes what it held, so each peer gets a FIN, and from then on \
              each SYN a RST. A crash, a kill, a deployment without overlap does it: only the kernel \
              is left to answer.",
        params: &[FOR_MS],
    },
    FaultSpec {
        name: ABORT_ON_DEATH,
        doc: "At `client-*`: when the server's process ends, what this client had sent was not read \
              yet, so its connection is broken off by a RST in place of a FIN. A server that is \
              stuck or overloaded when it is killed does it.",
        params: &[],
    },
    FaultSpec {
        name: LINGER_ZERO,
        doc: "At `client-*`: the server has set SO_LINGER 0 on this client's connection, as some do to \
              be rid of TIME_WAIT, so it is broken off by a RST when the server's process ends.",
        params: &[],
    },
    FaultSpec {
        name: PACKET_LOSS,
        doc: "At `client-3/conn-2/to-server` or `.../to-client`: a segment of that connection that goes \
              that way is lost; with `ratio`, some of them. A full queue, a bad cable, a radio link \
              does it.",
        params: &[],
    },
    FaultSpec {
        name: LINK_DOWN,
        doc: "At `link`: from `from_ms` for `for_ms` (or until `before_ms`) all segments that are sent \
              are thrown away, both ways; those already under way arrive. An unplugged cable, a \
              firewall rule that drops, a failing switch does it.",
        params: &[FOR_MS],
    },
];

/// From when until when a fault lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::linux) struct Window {
    pub(in crate::linux) from: Time,
    pub(in crate::linux) until: Option<Time>,
}

/// Why an armed fault makes no sense here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FaultError {
    /// It ends before it begins, or at once.
    Empty {
        /// The fault.
        fault: &'static str,
    },
    /// It says twice when it ends.
    TwoEnds {
        /// The fault.
        fault: &'static str,
    },
    /// It lasts from one time to another, so a condition on single opportunities has no meaning.
    NotByOpportunity {
        /// The fault.
        fault: &'static str,
    },
    /// Two of this kind overlap.
    Overlap {
        /// The fault.
        fault: &'static str,
    },
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaultError::Empty { fault } => write!(f, "{fault} ends before it begins"),
            FaultError::TwoEnds { fault } => {
                write!(f, "{fault} has both for_ms and before_ms: give one of them")
            }
            FaultError::NotByOpportunity { fault } => write!(
                f,
                "{fault} lasts from from_ms for for_ms: nth and ratio have no meaning there"
            ),
            FaultError::Overlap { fault } => write!(f, "two faults {fault} overlap"),
        }
    }
}

impl std::error::Error for FaultError {}

/// Whether the TCP lab can do what these faults ask for.
pub fn check_faults(faults: &Faults) -> Result<(), FaultError> {
    for fault in [LISTENER_DOWN, LINK_DOWN] {
        windows(faults, fault)?;
    }
    Ok(())
}

/// When the armed faults called `fault` last, in order of time.
pub(in crate::linux) fn windows(
    faults: &Faults,
    fault: &'static str,
) -> Result<Vec<Window>, FaultError> {
    let found: Result<Vec<Window>, FaultError> = faults.named(fault).map(window).collect();
    let mut found = found?;
    found.sort_by_key(|window| window.from);
    let overlap = |pair: &[Window]| pair[0].until.is_none_or(|until| until >= pair[1].from);
    match found.windows(2).any(overlap) {
        true => Err(FaultError::Overlap { fault }),
        false => Ok(found),
    }
}

fn window(armed: &Armed) -> Result<Window, FaultError> {
    let fault = armed.name;
    let at = |ms: u64| Time::default() + Span::from_ms(ms);
    if armed.when.nth.is_some() || armed.when.ratio.is_some() {
        return Err(FaultError::NotByOpportunity { fault });
    }
    let from = at(armed.when.from_ms.unwrap_or(0));
    let until = match (armed.number("for_ms"), armed.when.before_ms) {
        (Some(_), Some(_)) => return Err(FaultError::TwoEnds { fault }),
        (Some(for_ms), None) => Some(from + Span::from_ms(for_ms)),
        (None, before) => before.map(at),
    };
    match until {
        Some(until) if until <= from => Err(FaultError::Empty { fault }),
        _ => Ok(Window { from, until }),
    }
}
