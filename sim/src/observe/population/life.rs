//! What the kernel shows of a connection, from its first event to its last: one side of it, as the
//! detailed model plays it on a link that only delays.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::event::{Event, Packet, PacketFlags};
use super::config::Population;
use crate::engine::{Span, Time};
use crate::linux::tcp::Clock;
use crate::linux::tracepoint::{Family, Ipv4, Protocol, Record, RstReason, TcpState};

/// How a connection goes, seen from one end. Linux 6.18.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Life {
    /// A client connects, holds, closes first; the server closes at once.
    ClientCloses,
    /// The server's end of the same.
    Served,
    /// A client connects and never closes.
    Leaked,
    /// The server's end of the same.
    ServedForever,
    /// A client connects to a port on which nothing listens.
    Refused,
    /// The other end of the same.
    Refuses,
    /// A client connects to a host that does not answer, until ETIMEDOUT.
    Unanswered,
    /// A client finds no free local port.
    NoPort,
    /// A SYN to a server whose answer is never acknowledged: half-open until the request is dropped.
    HalfOpen,
}

impl Life {
    /// Its name, as names of choices have it.
    pub const fn name(self) -> &'static str {
        match self {
            Life::ClientCloses => "client-closes",
            Life::Served => "served",
            Life::Leaked => "leaked",
            Life::ServedForever => "served-forever",
            Life::Refused => "refused",
            Life::Refuses => "refuses",
            Life::Unanswered => "unanswered",
            Life::NoPort => "no-port",
            Life::HalfOpen => "half-open",
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What happens in one step of a life.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum What {
    /// From a state to another; whether a local port is chosen by then.
    State(TcpState, TcpState, bool),
    RetransmitSyn,
    RetransmitSynAck,
    SendReset,
    ReceiveReset,
    Destroy,
    PacketIn(PacketFlags, u16),
    PacketOut(PacketFlags, u16),
}

impl What {
    pub(super) fn is_packet(self) -> bool {
        matches!(self, What::PacketIn(..) | What::PacketOut(..))
    }
}

/// When a step happens: so long after the connection's arrival, then timers one after another, then so
/// long again.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct When {
    pub(super) after_ns: u64,
    /// In ticks.
    pub(super) timers: Vec<u64>,
}

impl When {
    /// For a connection that arrives at `arrival`. Never earlier for a later arrival.
    #[inline]
    pub(super) fn of(&self, clock: Clock, arrival: u64) -> u64 {
        let mut at = arrival + self.after_ns;
        for ticks in &self.timers {
            at = clock.expiry(Time(at), *ticks).0;
        }
        at
    }
}

/// One step.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Step {
    when: When,
    what: What,
}

/// Events, or packets, that follow each other at one time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Moment {
    pub(super) when: When,
    pub(super) steps: Vec<What>,
}

/// What the steps of one connection have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Ends {
    pub(super) skaddr: u64,
    pub(super) cookie: u64,
    pub(super) saddr: Ipv4,
    pub(super) sport: u16,
    pub(super) daddr: Ipv4,
    pub(super) dport: u16,
}

const SYN: PacketFlags = PacketFlags {
    syn: true,
    ack: false,
    fin: false,
    rst: false,
    psh: false,
};
const SYN_ACK: PacketFlags = PacketFlags { ack: true, ..SYN };
const FIN_ACK: PacketFlags = PacketFlags {
    syn: false,
    fin: true,
    ..SYN_ACK
};
const RST_ACK: PacketFlags = PacketFlags {
    syn: false,
    rst: true,
    ..SYN_ACK
};
/// The lengths of a SYN with its options, of a segment with timestamps, of a RST, in bytes.
const SYN_LEN: u16 = 60;
const FIN_LEN: u16 = 52;
const RST_LEN: u16 = 40;

impl Life {
    /// Whether the node is the client's.
    pub(super) fn is_client(self) -> bool {
        !matches!(
            self,
            Life::Served | Life::ServedForever | Life::Refuses | Life::HalfOpen
        )
    }

    /// Its moments: those of its events, then those of its packets.
    pub(super) fn moments(
        self,
        link: Span,
        hold: Span,
        clock: Clock,
    ) -> (Vec<Moment>, Vec<Moment>) {
        let (mut events, mut packets) = (Vec::new(), Vec::new());
        for Step { when, what } in self.steps(link, hold, clock) {
            let moments: &mut Vec<Moment> = match what.is_packet() {
                true => &mut packets,
                false => &mut events,
            };
            match moments.last_mut() {
                Some(moment) if moment.when == when => moment.steps.push(what),
                _ => moments.push(Moment {
                    when,
                    steps: vec![what],
                }),
            }
        }
        (events, packets)
    }

    /// How many events of tracepoints a connection makes at this end.
    pub fn events(self) -> u64 {
        let (events, _) = self.moments(Span::ZERO, Span::ZERO, Clock::of_hz(Population::HZ));
        events.iter().map(|moment| moment.steps.len() as u64).sum()
    }

    /// Its steps on a link of this delay, held for `hold`, in the order in which they happen. Of a server's
    /// end the arrival is that of the SYN.
    fn steps(self, link: Span, hold: Span, clock: Clock) -> Vec<Step> {
        use TcpState::{
            Close, CloseWait, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv, SynSent,
        };
        let at = |links: u64, holds: u64| When {
            after_ns: links * link.0 + holds * hold.0,
            timers: Vec::new(),
        };
        let step = |when: When, what: What| Step { when, what };
        let state = |links, holds, from, to| step(at(links, holds), What::State(from, to, true));
        let timers = |seconds: &[u64]| When {
            after_ns: 0,
            timers: seconds
                .iter()
                .map(|seconds| clock.ticks_of_ms(seconds * 1_000))
                .collect(),
        };
        let connect = [
            step(at(0, 0), What::State(Close, SynSent, false)),
            step(at(0, 0), What::PacketOut(SYN, SYN_LEN)),
        ];
        let accept = [
            step(at(0, 0), What::PacketIn(SYN, SYN_LEN)),
            step(at(0, 0), What::PacketOut(SYN_ACK, SYN_LEN)),
            state(2, 0, Listen, SynRecv),
            state(2, 0, SynRecv, Established),
        ];
        let open = [
            step(at(2, 0), What::PacketIn(SYN_ACK, SYN_LEN)),
            state(2, 0, SynSent, Established),
        ];
        match self {
            Life::ClientCloses => [
                &connect[..],
                &open,
                &[
                    state(2, 1, Established, FinWait1),
                    step(at(2, 1), What::PacketOut(FIN_ACK, FIN_LEN)),
                    step(at(4, 1), What::PacketIn(FIN_ACK, FIN_LEN)),
                    state(4, 1, FinWait1, FinWait2),
                    state(4, 1, FinWait2, Close),
                    step(at(4, 1), What::Destroy),
                ],
            ]
            .concat(),
            Life::Leaked => [&connect[..], &open].concat(),
            Life::Served => [
                &accept[..],
                &[
                    step(at(2, 1), What::PacketIn(FIN_ACK, FIN_LEN)),
                    state(2, 1, Established, CloseWait),
                    state(2, 1, CloseWait, LastAck),
                    step(at(2, 1), What::PacketOut(FIN_ACK, FIN_LEN)),
                    state(4, 1, LastAck, Close),
                    step(at(4, 1), What::Destroy),
                ],
            ]
            .concat(),
            Life::ServedForever => accept.to_vec(),
            Life::Refused => [
                &connect[..],
                &[
                    step(at(2, 0), What::PacketIn(RST_ACK, RST_LEN)),
                    step(at(2, 0), What::ReceiveReset),
                    state(2, 0, SynSent, Close),
                    step(at(2, 0), What::Destroy),
                ],
            ]
            .concat(),
            Life::Refuses => vec![
                step(at(0, 0), What::PacketIn(SYN, SYN_LEN)),
                step(at(0, 0), What::SendReset),
                step(at(0, 0), What::PacketOut(RST_ACK, RST_LEN)),
            ],
            Life::Unanswered => {
                // tcp_syn_linear_timeouts 4 and tcp_syn_retries 6.
                let waits = [1, 1, 1, 1, 1, 2, 4, 8, 16, 32, 64];
                let mut steps = connect.to_vec();
                for sent in 1..waits.len() {
                    let when = timers(&waits[..sent]);
                    steps.push(step(when.clone(), What::RetransmitSyn));
                    steps.push(step(when, What::PacketOut(SYN, SYN_LEN)));
                }
                steps.push(step(timers(&waits), What::State(SynSent, Close, true)));
                steps.push(step(timers(&waits), What::Destroy));
                steps
            }
            Life::NoPort => vec![
                step(at(0, 0), What::State(Close, SynSent, false)),
                step(at(0, 0), What::State(SynSent, Close, false)),
                step(at(0, 0), What::Destroy),
            ],
            Life::HalfOpen => {
                // tcp_synack_retries 5.
                let waits = [1, 2, 4, 8, 16];
                let mut steps = accept[..2].to_vec();
                for sent in 1..=waits.len() {
                    let when = timers(&waits[..sent]);
                    steps.push(step(when.clone(), What::RetransmitSynAck));
                    steps.push(step(when, What::PacketOut(SYN_ACK, SYN_LEN)));
                }
                steps
            }
        }
    }
}

impl What {
    /// Writes the tracepoint's record for a connection to its place. A packet has none.
    ///
    /// Each kind is written on its own: a value that any of them may have made is copied in wide words right after
    /// its narrow fields were stored, and a processor waits for that, 5 ns an event.
    #[inline]
    pub(super) fn write(self, life: Life, ends: &Ends, at: Time, cpu: u8, place: &mut Event) {
        match self {
            What::State(oldstate, newstate, has_port) => {
                *place = Event {
                    at,
                    cpu,
                    record: Record::SetState {
                        skaddr: ends.skaddr,
                        oldstate,
                        newstate,
                        sport: ends.sport * u16::from(has_port),
                        dport: ends.dport,
                        family: Family::Inet,
                        protocol: Protocol::Tcp,
                        saddr: ends.saddr,
                        daddr: ends.daddr,
                    },
                };
            }
            What::Destroy => {
                // A connect() without a port forgets the peer's, too.
                let has_ports = u16::from(life != Life::NoPort);
                *place = Event {
                    at,
                    cpu,
                    record: Record::DestroySock {
                        skaddr: ends.skaddr,
                        sport: ends.sport * has_ports,
                        dport: ends.dport * has_ports,
                        family: Family::Inet,
                        saddr: ends.saddr,
                        daddr: ends.daddr,
                        sock_cookie: ends.cookie,
                    },
                };
            }
            _ => {
                *place = Event {
                    at,
                    cpu,
                    record: self.rarer_record(ends),
                };
            }
        }
    }

    #[inline(never)]
    fn rarer_record(self, ends: &Ends) -> Record {
        let Ends {
            skaddr,
            cookie,
            saddr,
            sport,
            daddr,
            dport,
        } = *ends;
        let family = Family::Inet;
        match self {
            What::RetransmitSyn => Record::RetransmitSkb {
                skaddr,
                state: TcpState::SynSent,
                sport,
                dport,
                family,
                saddr,
                daddr,
                err: 0,
            },
            What::RetransmitSynAck => Record::RetransmitSynack {
                skaddr: LISTENER,
                req: skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            What::SendReset => Record::SendReset {
                skaddr: 0,
                state: TcpState::Unknown,
                reason: RstReason::NoSocket,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            What::ReceiveReset => Record::ReceiveReset {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie: cookie,
            },
            What::State(..) | What::Destroy | What::PacketIn(..) | What::PacketOut(..) => {
                unreachable!("neither a packet nor what was made already")
            }
        }
    }

    /// The packet of a connection. A tracepoint's record is none.
    pub(super) fn packet(self, ends: &Ends) -> Packet {
        let (is_inbound, flags, len) = match self {
            What::PacketIn(flags, len) => (true, flags, len),
            What::PacketOut(flags, len) => (false, flags, len),
            _ => unreachable!("a tracepoint's record is no packet"),
        };
        let (local, peer) = ((ends.saddr, ends.sport), (ends.daddr, ends.dport));
        let (from, to) = if is_inbound {
            (peer, local)
        } else {
            (local, peer)
        };
        Packet {
            is_inbound,
            saddr: from.0,
            daddr: to.0,
            sport: from.1,
            dport: to.1,
            len,
            ttl: 64,
            id: ends.cookie as u16,
            window: 64_240,
            flags,
        }
    }
}

/// The address of a node's listening socket.
const LISTENER: u64 = 0xffff_8880_0000_0000;
