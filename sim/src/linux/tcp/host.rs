//! A host's kernel: its sockets, who listens, which local ports are taken.

use super::profile::Kernel;
use super::segment::{Flow, HostId};
use super::timer::Timer;
use crate::engine::{Span, Time};
use crate::linux::tracepoint::{Ipv4, TcpState};

/// No slot.
const NONE: u32 = u32::MAX;

/// So many sockets are looked through one by one.
const FEW: usize = 4;

/// A socket: full, or a mini-socket (`TimeWait`, `NewSynRecv`) that no state event shows.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Socket {
    pub(super) state: TcpState,
    /// For `TimeWait`, whether it still waits for the peer's FIN (`FinWait2`) or not.
    pub(super) substate: TcpState,
    /// Whether its application has closed it.
    pub(super) orphan: bool,
    /// Whether SO_LINGER is 0: close() breaks the connection off.
    pub(super) lingers_zero: bool,
    /// Whether it holds the local port for itself alone, as a socket that connected does.
    pub(super) owns_port: bool,
    pub(super) port: u16,
    pub(super) peer_port: u16,
    pub(super) peer: HostId,
    pub(super) flow: Flow,
    pub(super) cookie: u64,
    /// The first number that is not acknowledged.
    pub(super) snd_una: u64,
    /// The next number to send.
    pub(super) snd_nxt: u64,
    /// The next number to receive.
    pub(super) rcv_nxt: u64,
    /// Bytes that the application has not read.
    pub(super) unread: u64,
    /// The round trip that the handshake took.
    pub(super) round_trip: Span,
    pub(super) resend: Resend,
    /// Whether segments find it.
    hashed: bool,
    /// The next socket in its chain of the hash table.
    next: u32,
}

/// How far the retransmission of the oldest unacknowledged segment has come.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Resend {
    /// Timeouts so far.
    pub(super) timeouts: u32,
    /// The running timeout.
    pub(super) timeout: Span,
    /// Since when giving up is counted: the first SYN, or the first retransmission by timeout.
    pub(super) since: Option<Time>,
    /// Whether the tail loss probe was sent.
    pub(super) probed: bool,
}

impl Socket {
    pub(super) fn new(state: TcpState, port: u16, peer: (HostId, u16), flow: Flow) -> Socket {
        Socket {
            state,
            substate: state,
            orphan: false,
            lingers_zero: false,
            owns_port: false,
            port,
            peer_port: peer.1,
            peer: peer.0,
            flow,
            cookie: 0,
            snd_una: 0,
            snd_nxt: 0,
            rcv_nxt: 0,
            unread: 0,
            round_trip: Span::ZERO,
            resend: Resend::default(),
            hashed: false,
            next: NONE,
        }
    }

    /// Whether our FIN was sent; it has the last sequence number then.
    pub(super) fn has_sent_fin(&self) -> bool {
        use TcpState::*;
        matches!(self.state, FinWait1 | FinWait2 | Closing | LastAck)
    }

    /// Whether it is, or was, a listening socket: it has no peer.
    pub(super) fn is_listener(&self) -> bool {
        self.peer_port == 0
    }

    /// Whether it is a connection that an application holds.
    pub(super) fn is_open_connection(&self) -> bool {
        !self.orphan && !self.is_mini() && !self.is_listener()
    }

    /// Whether something that it sent is not acknowledged.
    pub(super) fn has_unacknowledged(&self) -> bool {
        self.snd_una != self.snd_nxt
    }

    /// Whether the peer's FIN is here; it had the number before the expected one then.
    pub(super) fn has_received_fin(&self) -> bool {
        use TcpState::*;
        matches!(self.state, CloseWait | LastAck | Closing)
    }

    /// Whether it is a mini-socket.
    pub(super) fn is_mini(&self) -> bool {
        matches!(self.state, TcpState::TimeWait | TcpState::NewSynRecv)
    }
}

/// A place for a socket. The timer stays with the place, as its entry on the agenda does.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Slot {
    timer: Timer,
    socket: Option<Socket>,
}

/// A host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Host {
    pub(super) addr: Ipv4,
    pub(super) kernel: Kernel,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Chains of hashed sockets by their four-tuple, as in the kernel's ehash.
    /// invariant: the length is a power of two above 1, or 0 as long as there were only a few.
    chains: Vec<u32>,
    hashed: usize,
    /// (port, slot) of each listening socket.
    listeners: Vec<(u16, u32)>,
    ports: Ports,
    cookies: u64,
}

impl Host {
    pub(super) fn new(addr: Ipv4, kernel: Kernel) -> Host {
        Host {
            addr,
            kernel,
            slots: Vec::new(),
            free: Vec::new(),
            chains: Vec::new(),
            hashed: 0,
            listeners: Vec::new(),
            ports: Ports::default(),
            cookies: 0,
        }
    }

    /// The socket in `slot`.
    pub(super) fn socket(&self, slot: u32) -> &Socket {
        let socket = self.slots[slot as usize].socket.as_ref();
        socket.expect("a slot that is spoken of holds a socket")
    }

    /// The same, to change.
    pub(super) fn socket_mut(&mut self, slot: u32) -> &mut Socket {
        let socket = self.slots[slot as usize].socket.as_mut();
        socket.expect("a slot that is spoken of holds a socket")
    }

    /// The socket in `slot`, if there is one.
    pub(super) fn get(&self, slot: u32) -> Option<&Socket> {
        self.slots.get(slot as usize)?.socket.as_ref()
    }

    pub(super) fn timer(&mut self, slot: u32) -> &mut Timer {
        &mut self.slots[slot as usize].timer
    }

    /// The slots that hold a socket, in order.
    pub(super) fn occupied(&self) -> impl Iterator<Item = u32> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, each)| each.socket.as_ref().map(|_| slot as u32))
    }

    /// Puts a new socket into a place: the one freed last, as the kernel's slab does.
    pub(super) fn insert(&mut self, mut socket: Socket) -> u32 {
        self.cookies += 1;
        socket.cookie = self.cookies;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            (self.slots.len() - 1) as u32
        });
        self.slots[slot as usize].socket = Some(socket);
        slot
    }

    /// Frees a place.
    pub(super) fn remove(&mut self, slot: u32) {
        let place = &mut self.slots[slot as usize];
        place.socket = None;
        place.timer.stop();
        self.free.push(slot);
    }

    /// The chain of a four-tuple.
    fn chain(&self, port: u16, peer: HostId, peer_port: u16) -> usize {
        let word = u64::from(port) << 48 | u64::from(peer_port) << 32 | u64::from(peer.0);
        // The high bits of a product depend on all of the word.
        let bits = self.chains.len().trailing_zeros();
        (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
    }

    /// The connected socket of a four-tuple.
    pub(super) fn find(&self, port: u16, peer: HostId, peer_port: u16) -> Option<u32> {
        let is_it = |socket: &Socket| {
            (socket.port, socket.peer, socket.peer_port) == (port, peer, peer_port)
        };
        if self.chains.is_empty() {
            let it = |slot: &Slot| {
                let socket = slot.socket.as_ref();
                socket.is_some_and(|socket| socket.hashed && is_it(socket))
            };
            return self.slots.iter().position(it).map(|slot| slot as u32);
        }
        let mut slot = self.chains[self.chain(port, peer, peer_port)];
        while slot != NONE {
            let socket = self.socket(slot);
            if is_it(socket) {
                return Some(slot);
            }
            slot = socket.next;
        }
        None
    }

    /// Makes the socket in `slot` known by its four-tuple.
    pub(super) fn hash(&mut self, slot: u32) {
        self.socket_mut(slot).hashed = true;
        self.hashed += 1;
        if self.hashed > self.chains.len().max(FEW) {
            self.grow();
        } else if !self.chains.is_empty() {
            self.link(slot);
        }
    }

    fn link(&mut self, slot: u32) {
        let Socket {
            port,
            peer,
            peer_port,
            ..
        } = *self.socket(slot);
        let chain = self.chain(port, peer, peer_port);
        self.socket_mut(slot).next = self.chains[chain];
        self.chains[chain] = slot;
    }

    fn grow(&mut self) {
        let len = (self.hashed * 2).next_power_of_two();
        self.chains.clear();
        self.chains.resize(len, NONE);
        for slot in 0..self.slots.len() as u32 {
            if self.get(slot).is_some_and(|socket| socket.hashed) {
                self.link(slot);
            }
        }
    }

    /// Forgets the four-tuple of the socket in `slot`, and gives its port back if it owns one.
    pub(super) fn unhash(&mut self, slot: u32) {
        let socket = self.socket_mut(slot);
        socket.hashed = false;
        let Socket {
            port,
            peer,
            peer_port,
            owns_port,
            next,
            ..
        } = *socket;
        self.hashed -= 1;
        if owns_port {
            self.ports.release(port);
        }
        if self.chains.is_empty() {
            return;
        }
        let chain = self.chain(port, peer, peer_port);
        if self.chains[chain] == slot {
            self.chains[chain] = next;
        } else {
            let mut before = self.chains[chain];
            while self.socket(before).next != slot {
                before = self.socket(before).next;
            }
            self.socket_mut(before).next = next;
        }
    }

    /// The listening socket of `port`.
    pub(super) fn listener(&self, port: u16) -> Option<u32> {
        let found = self.listeners.iter().find(|(each, _)| *each == port);
        found.map(|(_, slot)| *slot)
    }

    pub(super) fn add_listener(&mut self, port: u16, slot: u32) {
        self.listeners.push((port, slot));
    }

    pub(super) fn remove_listener(&mut self, slot: u32) {
        self.listeners.retain(|(_, each)| *each != slot);
    }

    /// A local port for a new connection, taken from now on.
    pub(super) fn take_port(&mut self) -> Option<u16> {
        self.ports.take(self.kernel.profile().local_ports)
    }

    /// The address of the socket in `slot`, as the tracepoints print it.
    pub(super) fn skaddr(&self, slot: u32) -> u64 {
        // Places of 2432 bytes, about what a TCP socket takes, in a region for each host.
        0xffff_8880_0000_0000
            + (u64::from(self.addr.0 & 0x00ff_ffff) << 20)
            + u64::from(slot) * 2432
    }
}

/// The local ports that connections have taken. There is one peer port in the lab, so a port serves one
/// connection; with more, the kernel would allow one for each pair of peer address and port.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Ports {
    /// One bit a port, from the lowest; grown as far as ports were taken.
    taken: Vec<u64>,
    /// How many even and how many odd ones are taken.
    counts: [u32; 2],
    /// How many ports lie before the one to try first: an even number.
    next: u32,
}

impl Ports {
    /// The next free port: even ones first (connect() leaves odd ones to bind()), each search going on
    /// where the last one ended. The kernel begins at a keyed hash of the pair of hosts and skips one
    /// port in 16 searches (__inet_hash_connect in net/ipv4/inet_hashtables.c); the model begins at the
    /// low end and skips none.
    fn take(&mut self, (low, high): (u16, u16)) -> Option<u16> {
        let count = u32::from(high - low) + 1;
        for parity in [0, 1] {
            if self.counts[parity as usize] == (count + 1 - parity) / 2 {
                continue;
            }
            let first = self.next + parity;
            let mut round = (first..count).step_by(2).chain((parity..first).step_by(2));
            if let Some(offset) = round.find(|offset| self.is_free(*offset)) {
                let next = offset - parity + 2;
                self.next = if next < count { next } else { 0 };
                self.set(offset, true);
                return Some(low + offset as u16);
            }
        }
        None
    }

    fn is_free(&self, offset: u32) -> bool {
        let word = self.taken.get(offset as usize / 64);
        word.is_none_or(|word| word & 1 << (offset % 64) == 0)
    }

    fn set(&mut self, offset: u32, taken: bool) {
        let index = offset as usize / 64;
        if self.taken.len() <= index {
            self.taken.resize(index + 1, 0);
        }
        let parity = offset as usize % 2;
        match taken {
            true => {
                self.taken[index] |= 1 << (offset % 64);
                self.counts[parity] += 1;
            }
            false => {
                self.taken[index] &= !(1 << (offset % 64));
                self.counts[parity] -= 1;
            }
        }
    }

    fn release(&mut self, port: u16) {
        self.set(u32::from(port) - LOWEST, false);
    }
}

/// The low end of ip_local_port_range, the same in all profiles.
const LOWEST: u32 = 32_768;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_28_232_local_ports_and_even_ones_come_first() {
        let mut host = Host::new(Ipv4::new(10, 1, 0, 1), Kernel::V6_18);
        assert_eq!(host.take_port(), Some(32_768));
        assert_eq!(host.take_port(), Some(32_770));
        for _ in 2..28_232 {
            assert!(host.take_port().is_some());
        }
        assert_eq!(host.take_port(), None);
        for port in [32_771, 60_999, 40_000] {
            host.ports.release(port);
            assert_eq!(host.take_port(), Some(port));
        }
        assert_eq!(host.take_port(), None);
    }

    #[test]
    fn sockets_are_found_by_their_four_tuple_until_unhashed() {
        let flow = Flow { client: 0, conn: 1 };
        let mut host = Host::new(Ipv4::new(10, 0, 0, 1), Kernel::V6_18);
        let mut slots = Vec::new();
        for n in 0..500u16 {
            let peer = (HostId(1 + u32::from(n % 7)), 40_000 + n);
            let slot = host.insert(Socket::new(TcpState::Established, 6379, peer, flow));
            host.hash(slot);
            slots.push((slot, peer));
        }
        for (slot, peer) in &slots {
            assert_eq!(host.find(6379, peer.0, peer.1), Some(*slot));
        }
        for (slot, peer) in slots.iter().step_by(3) {
            host.unhash(*slot);
            host.remove(*slot);
            assert_eq!(host.find(6379, peer.0, peer.1), None);
        }
        assert_eq!(
            host.find(6379, slots[1].1.0, slots[1].1.1),
            Some(slots[1].0)
        );
    }
}
