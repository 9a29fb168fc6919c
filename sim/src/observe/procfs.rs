//! /proc/net/tcp: a node's sockets as the kernel lists them, its text, and a reader that polls.
//!
//! Measured on Linux 6.18: a row has 150 bytes with its line's end; addresses are the machine's words in
//! hexadecimal, so that 127.0.0.1 is 0100007F on a little-endian machine; ports are host order; a
//! TIME_WAIT is listed for 60 to 62 s. One read walks the kernel's whole table: 3.3 ms with no socket
//! and 262 144 buckets, 40.3 ms with 28 000.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::buffer::BufferLevel;
use super::event::{Event, Packet, Signal};
use super::observer::{Observer, Sample, Toll};
use crate::engine::{Span, Time};
use crate::linux::tcp::Clock;
use crate::linux::tracepoint::{Ipv4, Record, TcpState};

/// A socket of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Row {
    /// The local address.
    pub saddr: Ipv4,
    /// The local port.
    pub sport: u16,
    /// The peer's address.
    pub daddr: Ipv4,
    /// The peer's port.
    pub dport: u16,
    /// The state; of a mini-socket TIME_WAIT.
    pub state: TcpState,
    /// The inode, 0 of a mini-socket.
    pub inode: u32,
}

/// The first line of the file.
pub const HEADER: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     ";

/// The length of a line without its end: rows are padded to it (`seq_setwidth(149)`).
const WIDTH: usize = 149;

/// Adds a row as tcp4_seq_show prints it, with its line's end. What the model does not have (queues,
/// timers, the socket's address) is 0.
pub fn format_row(number: usize, row: &Row, text: &mut String) {
    use fmt::Write;
    let start = text.len();
    let word = |address: Ipv4| address.0.swap_bytes();
    let written = write!(
        text,
        "{number:4}: {:08X}:{:04X} {:08X}:{:04X} {:02X} 00000000:00000000 00:00000000 00000000     0        0 {} 1 0000000000000000",
        word(row.saddr),
        row.sport,
        word(row.daddr),
        row.dport,
        row.state.number(),
        row.inode,
    );
    debug_assert!(written.is_ok(), "writing to a string cannot fail");
    while text.len() - start < WIDTH {
        text.push(' ');
    }
    text.push('\n');
}

/// Why a line is no row of /proc/net/tcp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowError {
    /// What was expected.
    pub expected: &'static str,
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.expected)
    }
}

impl std::error::Error for RowError {}

/// Reads a row, of a little-endian machine.
///
/// # Errors
/// What is missing or no such thing. The header is no row.
pub fn parse_row(line: &str) -> Result<Row, RowError> {
    let expect = |expected| move || RowError { expected };
    let mut fields = line.split_ascii_whitespace();
    let mut next = |expected| fields.next().ok_or(RowError { expected });
    next("`sl:`")?
        .strip_suffix(':')
        .ok_or_else(expect("`sl:`"))?;
    let endpoint = |text: &str| -> Option<(Ipv4, u16)> {
        let (address, port) = text.split_once(':')?;
        let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if address.len() != 8 || port.len() != 4 || !is_hex(address) || !is_hex(port) {
            return None;
        }
        let address = u32::from_str_radix(address, 16).ok()?.swap_bytes();
        Some((Ipv4(address), u16::from_str_radix(port, 16).ok()?))
    };
    let local = "a local address such as 0100007F:18EB";
    let (saddr, sport) = endpoint(next(local)?).ok_or_else(expect(local))?;
    let remote = "a peer's address such as 0100007F:18EB";
    let (daddr, dport) = endpoint(next(remote)?).ok_or_else(expect(remote))?;
    let state_is = "a state: two hexadecimal digits from 01 to 0C";
    let number = u16::from_str_radix(next(state_is)?, 16).map_err(|_| expect(state_is)())?;
    let state = TcpState::ALL
        .iter()
        .copied()
        .find(|state| state.number() == number && number > 0)
        .ok_or_else(expect(state_is))?;
    for expected in ["queues", "a timer", "retransmits", "a uid", "a timeout"] {
        next(expected)?;
    }
    let inode = next("an inode")?
        .parse()
        .map_err(|_| expect("an inode: a decimal number")())?;
    Ok(Row {
        saddr,
        sport,
        daddr,
        dport,
        state,
        inode,
    })
}

/// A node's sockets, as its events tell them, and its mini-sockets, which no event tells of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Sockets {
    /// By the socket's address in the kernel.
    full: BTreeMap<u64, Row>,
    /// Mini-sockets in TIME_WAIT by when they end.
    waiting: BTreeMap<(Time, u64), Row>,
    clock: Clock,
    born: u64,
}

impl Sockets {
    /// No sockets, on a kernel with this clock.
    pub fn new(clock: Clock) -> Sockets {
        Sockets {
            full: BTreeMap::new(),
            waiting: BTreeMap::new(),
            clock,
            born: 0,
        }
    }

    /// What an event does to them. A full socket that goes from FIN_WAIT2 or CLOSING to CLOSE leaves a
    /// mini-socket for 60 s and what the timer wheel adds.
    pub fn apply(&mut self, event: &Event) {
        let Record::SetState {
            skaddr,
            oldstate,
            newstate,
            ..
        } = event.record
        else {
            return;
        };
        let ((saddr, sport), (daddr, dport)) = event.record.ends();
        if newstate != TcpState::Close {
            self.born += 1;
            let inode = match self.full.get(&skaddr) {
                Some(row) => row.inode,
                None => (self.born % u64::from(u32::MAX)) as u32 + 1,
            };
            self.full.insert(
                skaddr,
                Row {
                    saddr,
                    sport,
                    daddr,
                    dport,
                    state: newstate,
                    inode,
                },
            );
            return;
        }
        self.full.remove(&skaddr);
        if matches!(oldstate, TcpState::FinWait2 | TcpState::Closing) {
            let ends = self.clock.expiry(event.at, self.clock.ticks_of_ms(60_000));
            self.born += 1;
            let row = Row {
                saddr,
                sport,
                daddr,
                dport,
                state: TcpState::TimeWait,
                inode: 0,
            };
            self.waiting.insert((ends, self.born), row);
        }
    }

    /// The rows that a read at `now` lists: full sockets, then those in TIME_WAIT.
    pub fn rows(&mut self, now: Time) -> impl Iterator<Item = &Row> {
        while let Some(first) = self.waiting.first_entry() {
            if first.key().0 > now {
                break;
            }
            first.remove();
        }
        self.full.values().chain(self.waiting.values())
    }
}

/// How sockets are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Source {
    /// /proc/net/tcp: text, formatted by the kernel and parsed by the reader.
    ProcNetTcp,
    /// inet_diag: a binary message for each socket.
    InetDiag,
    /// /proc/net/sockstat: how many sockets there are, and how many in TIME_WAIT.
    Sockstat,
}

/// A poller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollConfig {
    /// What it asks.
    pub source: Source,
    /// How often, in ms.
    pub period_ms: u64,
    /// HZ of the node's kernel.
    pub hz: u32,
}

/// A poller of a node's sockets.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Poll {
    config: PollConfig,
    sockets: Sockets,
    next: Time,
    polls: u64,
    rows: u64,
    /// What the watched socket's buffer held when it last changed.
    level: Option<BufferLevel>,
    text: String,
    samples: Vec<Sample>,
    toll: Toll,
}

impl Poll {
    /// A poller that first asks one period after `start`.
    ///
    /// # Panics
    /// If the period or HZ is 0.
    pub fn new(config: PollConfig, start: Time) -> Poll {
        assert!(config.period_ms > 0, "a poller has a period");
        Poll {
            config,
            sockets: Sockets::new(Clock::of_hz(config.hz)),
            next: start + Span::from_ms(config.period_ms),
            polls: 0,
            rows: 0,
            level: None,
            text: String::new(),
            samples: Vec::new(),
            toll: Toll::default(),
        }
    }

    /// How often it has asked, and how many rows it was given in all.
    pub fn asked(&self) -> (u64, u64) {
        (self.polls, self.rows)
    }

    fn poll_before(&mut self, now: Time) {
        while self.next <= now {
            let at = self.next;
            self.next = at + Span::from_ms(self.config.period_ms);
            self.poll(at);
        }
    }

    fn poll(&mut self, at: Time) {
        let Poll {
            config,
            sockets,
            text,
            ..
        } = self;
        let mut states = [0_u64; TcpState::ALL.len()];
        let mut rows = 0;
        let mut count = |row: &Row| states[usize::from(row.state.number())] += 1;
        let bytes = match config.source {
            Source::ProcNetTcp => {
                text.clear();
                text.push_str(HEADER);
                text.push('\n');
                for (number, row) in sockets.rows(at).enumerate() {
                    format_row(number, row, text);
                }
                for line in text.lines().skip(1) {
                    count(
                        &parse_row(line).expect("what format_row prints is what parse_row reads"),
                    );
                    rows += 1;
                }
                text.len()
            }
            Source::InetDiag | Source::Sockstat => {
                for row in sockets.rows(at) {
                    count(row);
                    rows += 1;
                }
                match config.source {
                    // struct nlmsghdr and struct inet_diag_msg.
                    Source::InetDiag => rows * (16 + 72),
                    _ => 128,
                }
            }
        };
        self.polls += 1;
        self.rows += rows as u64;
        self.toll.bytes += bytes as u64;
        self.toll.most_held = self.toll.most_held.max(rows as u64);
        let of = |state: TcpState| states[usize::from(state.number())];
        let levels = [
            (
                Signal::OpenNow,
                of(TcpState::Established) + of(TcpState::CloseWait),
            ),
            (Signal::SynSentNow, of(TcpState::SynSent)),
            (Signal::TimeWaitNow, of(TcpState::TimeWait)),
        ];
        for (signal, value) in levels {
            // sockstat tells no states.
            if config.source == Source::Sockstat && signal == Signal::SynSentNow {
                continue;
            }
            self.samples.push(Sample {
                from: at,
                at,
                stamp: at,
                signal,
                value,
            });
        }
        // The queues' columns are payload; inet_diag's skmeminfo has what the kernel counts against the bound;
        // sockstat has no single socket.
        let fill = self.level.as_ref().and_then(|level| match config.source {
            Source::ProcNetTcp => Some(level.unread_permille(at)),
            Source::InetDiag => Some(level.queued_permille_at(at)),
            Source::Sockstat => None,
        });
        if let Some(value) = fill {
            self.samples.push(Sample {
                from: at,
                at,
                stamp: at,
                signal: Signal::BufferFill,
                value,
            });
        }
    }
}

impl Observer for Poll {
    fn tracepoint(&mut self, event: &Event) {
        self.poll_before(event.at);
        self.sockets.apply(event);
    }

    fn packet(&mut self, _at: Time, _cpu: u8, _packet: &Packet) {}

    fn buffer(&mut self, level: &BufferLevel) {
        self.poll_before(level.at);
        self.level = Some(*level);
    }

    fn read(&mut self, now: Time, samples: &mut Vec<Sample>) {
        self.poll_before(now);
        samples.append(&mut self.samples);
    }

    /// A poll sees levels: no event is offered to it, and so none is lost.
    fn toll(&self) -> Toll {
        self.toll
    }

    fn loss_signal(&self) -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::linux::tracepoint::{Family, Protocol};

    #[test]
    fn a_row_is_as_the_kernel_prints_it() {
        let row = Row {
            saddr: Ipv4::new(127, 0, 0, 1),
            sport: 6379,
            daddr: Ipv4::ANY,
            dport: 0,
            state: TcpState::Listen,
            inode: 12_345,
        };
        let mut text = String::new();
        format_row(0, &row, &mut text);
        assert!(
            text.starts_with("   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1 "),
            "{text}"
        );
        assert_eq!(text.len(), 150, "measured: a row has 150 bytes");
        assert_eq!(HEADER.len(), WIDTH);
    }

    #[test]
    fn a_read_is_what_a_real_kernel_gives() {
        // Read on Linux 6.18.44: a listener, both ends of a connection, a mini-socket.
        let text = include_str!("tests/proc_net_tcp.txt");
        let rows: Vec<Row> = text
            .lines()
            .skip(1)
            .map(|line| parse_row(line).expect("a row"))
            .collect();
        let states: Vec<u16> = rows.iter().map(|row| row.state.number()).collect();
        assert_eq!(states, [10, 1, 1, 6]);
        assert_eq!(rows[0].saddr, Ipv4::new(127, 0, 0, 1));
        assert!(text.lines().skip(1).all(|line| line.len() == WIDTH));
    }

    /// The closer's full socket goes, and a mini-socket is listed for 60 s and what the timer wheel adds: 62 s at most
    /// on Linux 6.18.
    #[test]
    fn a_time_wait_is_listed_for_a_minute_and_no_longer() {
        let mut sockets = Sockets::new(Clock::of_hz(250));
        let at = |s: u64| Time::default() + Span::from_s(s);
        let state = |at: Time, oldstate, newstate| Event {
            at,
            cpu: 0,
            record: Record::SetState {
                skaddr: 7,
                oldstate,
                newstate,
                sport: 40_000,
                dport: 6379,
                family: Family::Inet,
                protocol: Protocol::Tcp,
                saddr: Ipv4::new(10, 0, 0, 1),
                daddr: Ipv4::new(10, 0, 0, 2),
            },
        };
        let listed = |sockets: &mut Sockets, s| -> Vec<TcpState> {
            sockets.rows(at(s)).map(|row| row.state).collect()
        };
        sockets.apply(&state(at(1), TcpState::SynSent, TcpState::Established));
        assert_eq!(listed(&mut sockets, 2), [TcpState::Established]);
        sockets.apply(&state(at(3), TcpState::FinWait2, TcpState::Close));
        assert_eq!(listed(&mut sockets, 3), [TcpState::TimeWait]);
        assert_eq!(listed(&mut sockets, 62), [TcpState::TimeWait]);
        assert!(listed(&mut sockets, 66).is_empty());
        // Whoever closes otherwise leaves nothing.
        sockets.apply(&state(at(70), TcpState::SynSent, TcpState::Established));
        sockets.apply(&state(at(71), TcpState::LastAck, TcpState::Close));
        assert!(listed(&mut sockets, 71).is_empty());
    }

    proptest! {
        #[test]
        fn parse_of_format_is_the_row(number in 0_usize..100_000, words in any::<(u32, u32, u16, u16, u32)>(), state in 1_usize..13) {
            let (saddr, daddr, sport, dport, inode) = words;
            let row = Row { saddr: Ipv4(saddr), daddr: Ipv4(daddr), sport, dport, state: TcpState::ALL[state], inode };
            let mut text = String::new();
            format_row(number, &row, &mut text);
            prop_assert_eq!(parse_row(&text), Ok(row));
        }

        #[test]
        fn damaged_rows_are_refused_or_read(text in "[ 0-9A-F:]{0,160}") {
            let _ = parse_row(&text);
        }
    }
}
