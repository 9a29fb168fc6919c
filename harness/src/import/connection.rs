//! From TCP segments to connections, and to the events that the tracepoints of both ends would have shown.
//!
//! The state machine is that of RFC 9293 as the tracepoints show it (no TIME_WAIT, no half-open requests), run
//! for both ends on what passed the place of capture. What that cannot tell is in
//! [`Source::limits`](super::stream::Source::limits).

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use faultlab_sim::engine::{Entry, Observed, Span, Time, Value};
use faultlab_sim::linux::tracepoint::{Protocol, TcpState};
use faultlab_sim::scenario::Record;

use super::Names;
use super::stream::tcp;

/// The flags of a TCP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub u8);

impl Flags {
    const FIN: u8 = 0x01;
    const SYN: u8 = 0x02;
    const RST: u8 = 0x04;
    const ACK: u8 = 0x10;

    fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }
}

/// A segment that was captured.
#[derive(Clone, Debug)]
pub struct Segment {
    /// When.
    pub at: Time,
    /// Whose.
    pub source: SocketAddr,
    /// For whom.
    pub destination: SocketAddr,
    /// The number of its first byte.
    pub seq: u32,
    /// What its sender expects next, if it has ACK.
    pub ack: u32,
    /// Its flags.
    pub flags: Flags,
    /// How many bytes of data it has.
    pub len: u32,
    /// The identification of its IPv4 packet, if it is not 0.
    pub id: Option<u16>,
    /// What tells its options (time, selective acknowledgements) from others.
    pub options_hash: u32,
}

/// How a connection ended, as far as the capture goes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Both ends closed.
    Closed,
    /// A RST answered the SYN.
    Refused,
    /// A RST broke it off later.
    Reset,
    /// No SYN was answered.
    Unanswered,
    /// A SYN was answered, and the handshake was not finished.
    HalfOpen,
    /// It is there at the end of the capture, or another one took its ports.
    Open,
}

/// A connection as a capture shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Connection {
    /// Who connected; a guess if the capture began later.
    pub client: SocketAddr,
    /// To whom.
    pub server: SocketAddr,
    /// Whether the capture has its SYN.
    pub has_beginning: bool,
    /// When its first segment was captured.
    pub first: Time,
    /// When its last one was.
    pub last: Time,
    /// When the first SYN was sent again, and so on, after the first SYN.
    pub syn_again: Vec<Span>,
    /// From the SYN to the SYN-ACK, if neither was sent again before.
    pub handshake: Option<Span>,
    /// How often segments other than SYN and SYN-ACK were sent again.
    pub retransmissions: u32,
    /// How it ended.
    pub ending: Ending,
    /// From the first SYN to the end, if both are known.
    pub lifetime: Option<Span>,
    /// Bytes of data, each counted once: from the client, from the server.
    pub bytes: [u64; 2],
}

/// What a capture shows of connections.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Connections {
    /// All of them, in the order of their first segments.
    pub all: Vec<Connection>,
    /// TCP segments.
    pub segments: u64,
    /// Segments that were captured twice.
    pub twice: u64,
    /// Segments that came in another order than that of their numbers.
    pub reordered: u64,
    /// Segments that were sent and not captured, at the least: gaps that nothing filled.
    pub missed: u64,
    /// Of these gaps, those that the receiver acknowledged: it had what was not captured.
    pub uncaptured: u64,
    /// Keepalives and probes of a closed window.
    pub probes: u64,
    /// SYN-ACKs that were sent again.
    pub synacks_again: u64,
}

/// A gap is filled by reordering within this time: Wireshark's rule.
const REORDERING_NS: u64 = 3_000_000;
/// Without an identification, the same segment within this time is a copy.
const COPIED_NS: u64 = 1_000_000;
/// So many segments are remembered to know one that is captured twice.
const REMEMBERED: usize = 8;
/// So many gaps are remembered in one direction.
const GAPS: usize = 64;

/// `a` comes before `b`, in numbers that wrap round.
fn before(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// One end of a connection.
#[derive(Clone, Debug)]
struct End {
    at: SocketAddr,
    state: TcpState,
    /// The number of its SYN.
    first: Option<u32>,
    /// The number after the highest that it has sent.
    next: Option<u32>,
    /// The number after its FIN.
    fin: Option<u32>,
    /// Whether it has acknowledged the peer's FIN.
    has_fin_of_peer: bool,
    /// What it has acknowledged last.
    acked: Option<u32>,
    /// Numbers that were passed over, and when.
    gaps: Vec<(u32, u32, Time)>,
    bytes: u64,
}

impl End {
    fn new(at: SocketAddr, state: TcpState) -> End {
        End {
            at,
            state,
            first: None,
            next: None,
            fin: None,
            has_fin_of_peer: false,
            acked: None,
            gaps: Vec::new(),
            bytes: 0,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, TcpState::Close | TcpState::Listen)
    }
}

const CLIENT: usize = 0;
const SERVER: usize = 1;

#[derive(Clone, Debug)]
struct Tracked {
    ends: [End; 2],
    told: Connection,
    syn_at: Option<Time>,
    was_reset: bool,
    recent: VecDeque<Print>,
    /// Of each end, whether its first segment was captured twice; none before its second one.
    is_doubled: [Option<bool>; 2],
}

/// Two ends in the order of their addresses.
type Key = (SocketAddr, SocketAddr);

/// The segments of a capture, from which its events follow. They take a fraction of the memory of those.
#[derive(Clone, Debug)]
pub struct Segments {
    /// In the order of time.
    segments: Vec<Segment>,
    names: Names,
}

impl Segments {
    /// Those that were captured, in any order. `names` are those of the actors.
    pub fn new(mut segments: Vec<Segment>, names: Names) -> Segments {
        segments.sort_by_key(|segment| segment.at);
        Segments { segments, names }
    }

    /// What they show of connections.
    pub fn connections(&self) -> Connections {
        self.followed(None)
    }

    /// Gives all events to `see`, in the order of time.
    pub fn each(&self, see: &mut See<'_>) {
        self.followed(Some(see));
    }

    fn followed(&self, see: Option<&mut See<'_>>) -> Connections {
        let mut tracker = Tracker {
            names: &self.names,
            live: BTreeMap::new(),
            tracked: Vec::new(),
            totals: Connections::default(),
            see,
        };
        for segment in &self.segments {
            tracker.see(segment);
        }
        tracker.finish()
    }
}

/// Who sees events.
pub type See<'s> = dyn FnMut(&Entry<Record>) + 's;

/// Follows all connections.
struct Tracker<'t, 's> {
    names: &'t Names,
    live: BTreeMap<Key, usize>,
    tracked: Vec<Tracked>,
    totals: Connections,
    /// Who sees the events, if anyone does: nothing is made of them otherwise.
    see: Option<&'t mut See<'s>>,
}

impl Tracker<'_, '_> {
    fn finish(mut self) -> Connections {
        for tracked in self.tracked {
            for (end, peer) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
                let gaps = &tracked.ends[end].gaps;
                let acked = tracked.ends[peer].acked;
                let is_acked = |to: u32| acked.is_some_and(|acked| !before(acked, to));
                let uncaptured = gaps.iter().filter(|(_, to, _)| is_acked(*to)).count();
                self.totals.missed += gaps.len() as u64;
                self.totals.uncaptured += uncaptured as u64;
            }
            self.totals.all.push(tracked.told());
        }
        self.totals
    }

    /// Sees a segment. They come in the order of time.
    fn see(&mut self, segment: &Segment) {
        self.totals.segments += 1;
        let Segment {
            source,
            destination,
            flags,
            ..
        } = *segment;
        let key = match source <= destination {
            true => (source, destination),
            false => (destination, source),
        };
        let is_syn = flags.has(Flags::SYN) && !flags.has(Flags::RST);
        let known = self.live.get(&key).copied();
        if let Some(index) = known {
            let tracked = &mut self.tracked[index];
            let is_copy = tracked.was_seen(segment);
            tracked.note(segment, is_copy);
            if is_copy {
                self.totals.twice += 1;
                return;
            }
        }
        let index = match known {
            Some(index) if !(is_syn && self.tracked[index].is_followed_by(segment)) => index,
            _ if is_syn => self.begin(key, segment),
            _ if flags.has(Flags::RST) => {
                // Nothing is known of a socket behind it.
                self.send_reset(segment, None);
                return;
            }
            _ => self.join(key, segment),
        };
        self.tracked[index].remember(segment);
        self.tracked[index].told.last = segment.at;
        let by = self.tracked[index].by(segment);
        match () {
            () if flags.has(Flags::RST) => self.reset(index, by, segment),
            () if is_syn => self.syn(index, by, segment),
            () => self.data(index, by, segment),
        }
    }

    /// A connection that begins with this SYN or SYN-ACK.
    fn begin(&mut self, key: Key, segment: &Segment) -> usize {
        let (client, server) = match segment.flags.has(Flags::ACK) {
            false => (segment.source, segment.destination),
            true => (segment.destination, segment.source),
        };
        let mut tracked = Tracked::new(client, server, segment.at);
        tracked.told.has_beginning = !segment.flags.has(Flags::ACK);
        if !tracked.told.has_beginning {
            // The SYN came before the capture.
            tracked.ends[CLIENT].state = TcpState::SynSent;
        }
        self.insert(key, tracked)
    }

    /// A connection that was there before the capture: the lower port is taken for the server's.
    fn join(&mut self, key: Key, segment: &Segment) -> usize {
        let (a, b) = (segment.source, segment.destination);
        let (client, server) = if a.port() < b.port() { (b, a) } else { (a, b) };
        let mut tracked = Tracked::new(client, server, segment.at);
        for end in &mut tracked.ends {
            end.state = TcpState::Established;
        }
        self.insert(key, tracked)
    }

    fn insert(&mut self, key: Key, tracked: Tracked) -> usize {
        let index = self.tracked.len();
        self.tracked.push(tracked);
        self.live.insert(key, index);
        index
    }

    fn syn(&mut self, index: usize, by: usize, segment: &Segment) {
        let tracked = &mut self.tracked[index];
        let end = &mut tracked.ends[by];
        let is_again = end.first == Some(segment.seq);
        let next = segment.seq.wrapping_add(1).wrapping_add(segment.len);
        if !is_again {
            end.first = Some(segment.seq);
            end.next = Some(next);
        }
        if by == CLIENT {
            if is_again {
                if let Some(since) = tracked.syn_at {
                    tracked.told.syn_again.push(segment.at - since);
                }
                // Another SYN is answered by another SYN-ACK, which Linux sends without an identification.
                let recent = &mut tracked.recent;
                recent.retain(|print| print.by != SERVER || print.id.is_some());
                self.retransmit(index, CLIENT, segment.at);
            } else if !segment.flags.has(Flags::ACK) {
                tracked.syn_at = Some(segment.at);
                // The event comes before a port is chosen.
                self.set_state(index, CLIENT, TcpState::SynSent, segment.at, Some(0));
            }
            return;
        }
        if is_again {
            self.totals.synacks_again += 1;
            let (own, peer) = (segment.source, segment.destination);
            self.record(segment.at, own, peer, || tcp("tcp_retransmit_synack"));
        } else if tracked.told.syn_again.is_empty()
            && let Some(since) = tracked.syn_at
        {
            tracked.told.handshake = Some(segment.at - since);
        }
    }

    /// Anything without SYN and RST.
    fn data(&mut self, index: usize, by: usize, segment: &Segment) {
        let at = segment.at;
        if segment.flags.has(Flags::ACK) {
            self.acknowledge(index, by, segment);
        }
        let fin = u32::from(segment.flags.has(Flags::FIN));
        let end = segment.seq.wrapping_add(segment.len).wrapping_add(fin);
        let tracked = &mut self.tracked[index];
        let peer_has = tracked.ends[1 - by].acked;
        let sender = &mut tracked.ends[by];
        let next = *sender.next.get_or_insert(segment.seq);
        let is_before_next = fin == 0 && segment.seq == next.wrapping_sub(1);
        // Windows sends the last byte once more, which the peer has.
        if is_before_next && (segment.len == 0 || segment.len == 1 && peer_has == Some(next)) {
            self.totals.probes += 1;
            return;
        }
        if end == segment.seq {
            return;
        }
        let new = match before(next, end) {
            true => end.wrapping_sub(if before(segment.seq, next) {
                next
            } else {
                segment.seq
            }),
            false => 0,
        };
        sender.bytes += u64::from(new.saturating_sub(fin));
        if before(next, segment.seq) && sender.gaps.len() < GAPS {
            sender.gaps.push((next, segment.seq, at));
        }
        if before(next, end) {
            sender.next = Some(end);
        }
        if before(segment.seq, next) {
            let filled = sender.gaps.iter().position(|(from, to, _)| {
                !before(segment.seq, *from) && !before(*to, end.wrapping_sub(fin))
            });
            match filled.map(|place| sender.fill(place, segment.seq, end)) {
                Some(since) if (at - since).0 <= REORDERING_NS => self.totals.reordered += 1,
                _ => {
                    tracked.told.retransmissions += 1;
                    self.retransmit(index, by, at);
                }
            }
        }
        if fin == 1 && self.tracked[index].ends[by].fin.is_none() {
            let sender = &mut self.tracked[index].ends[by];
            sender.fin = Some(end);
            match sender.state {
                TcpState::Established => self.set_state(index, by, TcpState::FinWait1, at, None),
                TcpState::CloseWait => self.set_state(index, by, TcpState::LastAck, at, None),
                _ => {}
            }
        }
    }

    /// What the acknowledgement of `by` says: that it has received what it acknowledges, and, to the other
    /// end, that this has arrived.
    fn acknowledge(&mut self, index: usize, by: usize, segment: &Segment) {
        use TcpState::{
            Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv,
            SynSent,
        };
        let at = segment.at;
        let other = 1 - by;
        let ends = &mut self.tracked[index].ends;
        ends[by].acked = Some(segment.ack);
        if by == CLIENT && ends[SERVER].state == Listen {
            // The SYN-ACK may have gone another way than past the capture.
            let first = ends[SERVER].first;
            if first.is_none_or(|first| before(first, segment.ack)) {
                if ends[CLIENT].state == SynSent {
                    self.set_state(index, CLIENT, Established, at, None);
                }
                self.set_state(index, SERVER, SynRecv, at, None);
                self.set_state(index, SERVER, Established, at, None);
            }
        }
        let ends = &mut self.tracked[index].ends;
        let Some(fin) = ends[other].fin else { return };
        if before(segment.ack, fin) {
            return;
        }
        let follows_own_fin = ends[by].fin == Some(segment.seq);
        if !std::mem::replace(&mut ends[by].has_fin_of_peer, true) {
            match ends[by].state {
                Established => self.set_state(index, by, CloseWait, at, None),
                FinWait1 => self.set_state(index, by, Closing, at, None),
                FinWait2 => self.set_state(index, by, Close, at, None),
                _ => {}
            }
        }
        match self.tracked[index].ends[other].state {
            // Both FINs crossed: that of `by` came before this acknowledgement.
            FinWait1 if follows_own_fin => {
                self.tracked[index].ends[other].has_fin_of_peer = true;
                self.set_state(index, other, Closing, at, None);
                self.set_state(index, other, Close, at, None);
            }
            FinWait1 => self.set_state(index, other, FinWait2, at, None),
            Closing | LastAck => self.set_state(index, other, Close, at, None),
            _ => {}
        }
    }

    fn reset(&mut self, index: usize, by: usize, segment: &Segment) {
        use TcpState::{Close, Listen, SynSent, Unknown};
        let at = segment.at;
        let other = 1 - by;
        let [own, peer] = [by, other].map(|end| self.tracked[index].ends[end].clone());
        // Nobody had answered: there is no socket, or just a listener.
        let has_no_socket = by == SERVER && own.state == Listen && own.first.is_none();
        if !own.is_over() {
            self.set_state(index, by, Close, at, None);
        }
        self.send_reset(segment, has_no_socket.then_some(Unknown));
        let is_heeded = match peer.state {
            Close | Listen => false,
            SynSent => peer.next.is_none_or(|next| next == segment.ack),
            _ => {
                // What the receiver expects is at least what it has acknowledged.
                let low = peer.acked.unwrap_or(segment.seq);
                let high = own.next.unwrap_or(segment.seq);
                !before(segment.seq, low) && !before(high, segment.seq)
            }
        };
        if is_heeded {
            self.record(at, peer.at, own.at, || tcp("tcp_receive_reset"));
            let was_refused = peer.state == SynSent;
            self.set_state(index, other, Close, at, None);
            let tracked = &mut self.tracked[index];
            tracked.was_reset = true;
            tracked.told.ending = if was_refused {
                Ending::Refused
            } else {
                Ending::Reset
            };
            tracked.end(at);
        } else if !own.is_over() {
            let tracked = &mut self.tracked[index];
            tracked.was_reset = true;
            tracked.told.ending = Ending::Reset;
        }
    }

    fn send_reset(&mut self, segment: &Segment, state: Option<TcpState>) {
        self.record(segment.at, segment.source, segment.destination, || {
            let mut record = tcp("tcp_send_reset");
            record.know("state", state.map(named));
            record
        });
    }

    fn retransmit(&mut self, index: usize, by: usize, at: Time) {
        let tracked = &self.tracked[index];
        let (end, other) = (&tracked.ends[by], &tracked.ends[1 - by]);
        let (own, peer, state) = (end.at, other.at, end.state);
        self.record(at, own, peer, || {
            tcp("tcp_retransmit_skb").with("state", named(state))
        });
    }

    /// `sport`, if it is another than that of the end.
    fn set_state(&mut self, index: usize, by: usize, new: TcpState, at: Time, sport: Option<u16>) {
        let tracked = &mut self.tracked[index];
        let peer = tracked.ends[1 - by].at;
        let end = &mut tracked.ends[by];
        let old = std::mem::replace(&mut end.state, new);
        let own = end.at;
        if new == TcpState::Close && tracked.ends.iter().all(End::is_over) && !tracked.was_reset {
            tracked.told.ending = Ending::Closed;
            tracked.end(at);
        }
        let shown = SocketAddr::new(own.ip(), sport.unwrap_or(own.port()));
        self.record(at, shown, peer, || {
            tcp("inet_sock_set_state")
                .with("oldstate", named(old))
                .with("newstate", named(new))
                .with("protocol", Value::Text(Protocol::Tcp.name().into()))
        });
    }

    /// Tells of an event of the socket `own`, connected to `peer`.
    fn record(
        &mut self,
        at: Time,
        own: SocketAddr,
        peer: SocketAddr,
        record: impl FnOnce() -> Observed,
    ) {
        let Some(see) = &mut self.see else { return };
        let [saddr, daddr] = [own, peer].map(|end| end.ip().to_string());
        let actor = self.names.of(&saddr);
        let family = if own.is_ipv4() { "AF_INET" } else { "AF_INET6" };
        let record = record()
            .with("sport", Value::Number(own.port().into()))
            .with("dport", Value::Number(peer.port().into()))
            .with("family", Value::Text(family.into()))
            .with("saddr", Value::Text(saddr.into()))
            .with("daddr", Value::Text(daddr.into()));
        see(&Entry {
            at,
            actor,
            record: record.into(),
        });
    }
}

fn named(state: TcpState) -> Value {
    Value::Text(state.name().into())
}

impl End {
    /// Takes `from..to` out of a gap, and says when it came to be.
    fn fill(&mut self, place: usize, from: u32, to: u32) -> Time {
        let (start, end, since) = self.gaps.swap_remove(place);
        let left = [(start, from), (to, end)];
        let left = left.into_iter().filter(|(from, to)| before(*from, *to));
        self.gaps.extend(left.map(|(from, to)| (from, to, since)));
        self.gaps.truncate(GAPS);
        since
    }
}

impl Tracked {
    fn new(client: SocketAddr, server: SocketAddr, at: Time) -> Tracked {
        Tracked {
            ends: [
                End::new(client, TcpState::Close),
                End::new(server, TcpState::Listen),
            ],
            told: Connection {
                client,
                server,
                has_beginning: false,
                first: at,
                last: at,
                syn_again: Vec::new(),
                handshake: None,
                retransmissions: 0,
                ending: Ending::Open,
                lifetime: None,
                bytes: [0; 2],
            },
            syn_at: None,
            was_reset: false,
            recent: VecDeque::new(),
            is_doubled: [None; 2],
        }
    }

    /// Which end sent it.
    fn by(&self, segment: &Segment) -> usize {
        match self.ends[CLIENT].at == segment.source {
            true => CLIENT,
            false => SERVER,
        }
    }

    /// Whether this very packet was captured before, at another interface or on its other way through.
    fn was_seen(&self, segment: &Segment) -> bool {
        let by = self.by(segment);
        let print = Print::of(segment, by);
        let mut recent = self.recent.iter();
        // Where the first segment of an end was captured once, none without an identification is a copy.
        let may_be_copied = print.id.is_some() || self.is_doubled[by] != Some(false);
        may_be_copied && recent.any(|known| known.is_copied_by(&print))
    }

    /// What `was_seen` tells of the second segment of an end tells it of the rest.
    fn note(&mut self, segment: &Segment, is_copy: bool) {
        let by = self.by(segment);
        let is_first = !self.recent.iter().any(|known| known.by == by);
        if !is_first && self.is_doubled[by].is_none() {
            self.is_doubled[by] = Some(is_copy);
        }
    }

    fn remember(&mut self, segment: &Segment) {
        let print = Print::of(segment, self.by(segment));
        self.recent.push_back(print);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }

    /// Whether a SYN begins another connection with the same ports.
    fn is_followed_by(&self, segment: &Segment) -> bool {
        let by = self.by(segment);
        match segment.flags.has(Flags::ACK) {
            // A SYN-ACK belongs to the connection, unless that was only joined.
            true => false,
            false => by == SERVER || self.ends[CLIENT].first != Some(segment.seq),
        }
    }

    /// It ends now, if it does so for the first time.
    fn end(&mut self, at: Time) {
        if let (None, Some(since)) = (self.told.lifetime, self.syn_at) {
            self.told.lifetime = Some(at - since);
        }
    }

    fn told(mut self) -> Connection {
        let [client, server] = &self.ends;
        self.told.bytes = [client.bytes, server.bytes];
        if self.told.ending == Ending::Open && self.told.has_beginning {
            self.told.ending = match (server.state, server.first) {
                (TcpState::Listen, None) => Ending::Unanswered,
                (TcpState::Listen, Some(_)) => Ending::HalfOpen,
                _ => Ending::Open,
            };
        }
        self.told
    }
}

/// What tells a packet from others.
#[derive(Clone, Copy, Debug)]
struct Print {
    at: Time,
    by: usize,
    id: Option<u16>,
    seq: u32,
    ack: u32,
    flags: Flags,
    len: u32,
    options_hash: u32,
}

impl Print {
    fn of(segment: &Segment, by: usize) -> Print {
        Print {
            at: segment.at,
            by,
            id: segment.id,
            seq: segment.seq,
            ack: segment.ack,
            flags: segment.flags,
            len: segment.len,
            options_hash: segment.options_hash,
        }
    }

    /// Linux sends nothing twice with one identification, and without a round trip of less than a millisecond
    /// nothing again within that. Of acknowledgements that repeat, the options tell what else arrived.
    fn is_copied_by(&self, later: &Print) -> bool {
        let content = |print: &Print| (print.seq, print.ack, print.flags, print.len);
        let is_soon = (later.at - self.at).0 < COPIED_NS;
        self.by == later.by
            && self.id == later.id
            && content(self) == content(later)
            && (self.id.is_some() || is_soon && self.options_hash == later.options_hash)
    }
}
