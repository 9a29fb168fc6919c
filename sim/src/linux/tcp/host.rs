//! A host's kernel: its sockets, who listens, which local ports are taken.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;

use super::port::Ports;
use super::profile::Kernel;
use super::segment::HostId;
use super::socket::{Listener, NONE, Socket};
use super::sysctl::Sysctls;
use super::timer::{Alarm, Timer};
use crate::linux::tracepoint::{Ipv4, TcpState};

/// So many sockets are looked through one by one.
const FEW: usize = 4;

/// So many places for sockets are all that most hosts ever need, of which a lab has thousands: one for a connection and
/// one for what is left of the connection before.
const USUAL: usize = 2;

/// A place for a socket and its timers.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Slot {
    pub(super) alarms: [Alarm; 3],
    pub(super) socket: Option<Box<Socket>>,
}

/// By what segments find a socket. Kept apart from it, so that a search touches few cache lines.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Known {
    port: u16,
    peer_port: u16,
    peer: HostId,
    /// The next socket in its chain of the hash table; of a free slot, the one that was freed before it.
    next: u32,
    /// Whether segments find it.
    hashed: bool,
}

impl Known {
    const NOTHING: Known = Known {
        port: 0,
        peer_port: 0,
        peer: HostId::SERVER,
        next: NONE,
        hashed: false,
    };

    fn is(&self, port: u16, peer: HostId, peer_port: u16) -> bool {
        self.hashed && (self.port, self.peer, self.peer_port) == (port, peer, peer_port)
    }
}

/// What a host has counted, by the names in `/proc/net/snmp` and `/proc/net/netstat`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Tcp: segments that carried something sent before.
    pub retrans_segs: u64,
    /// Tcp: segments with RST.
    pub out_rsts: u64,
    /// TcpExt: SYNs and SYN-ACKs that were sent again.
    pub syn_retrans: u64,
    /// TcpExt: retransmission timeouts.
    pub timeouts: u64,
    /// TcpExt: tail loss probes.
    pub loss_probes: u64,
    /// TcpExt: SYNs and final ACKs that found the accept queue full.
    pub listen_overflows: u64,
    /// TcpExt: SYNs and final ACKs that a listener dropped, for whatever reason.
    pub listen_drops: u64,
    /// TcpExt: TIME_WAIT sockets that were not made because of tcp_max_tw_buckets.
    pub time_wait_overflow: u64,
    /// TcpExt: SYN cookies sent.
    pub syncookies_sent: u64,
    /// TcpExt: SYN cookies that came back.
    pub syncookies_recv: u64,
    /// TcpExt: SYNs that were dropped as there were too many half-open requests.
    pub req_q_full_drop: u64,
}

impl Hash for Counters {
    /// Counts decide nothing: states that differ in them alone are the same.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A host.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
// In this order, so that a segment touches few lines of memory: thousands of hosts do not fit into a cache.
#[repr(C)]
pub(super) struct Host {
    // What most segments ask for.
    slots: Vec<Slot>,
    /// Chains of hashed sockets by their four-tuple, as in the kernel's ehash.
    /// invariant: the length is a power of two above 1, or 0 as long as there were only a few.
    chains: Vec<u32>,
    /// invariant: as many as there are slots.
    known: SmallVec<[Known; USUAL]>,
    pub(super) sysctls: Arc<Sysctls>,
    pub(super) addr: Ipv4,
    pub(super) kernel: Kernel,
    /// How many mini-sockets of TIME_WAIT and FIN_WAIT2 there are.
    pub(super) time_waits: u32,
    /// The slot that was freed last.
    free: u32,
    hashed: usize,
    cookies: u64,
    /// Ports whose arriving segments are thrown away.
    pub(super) deaf_ports: Vec<u16>,
    // What is asked for now and then.
    /// (port, slot) of each listening socket.
    listeners: Vec<(u16, u32)>,
    /// By peer host, the round trip that connections left behind, eight times in microseconds (TCP_METRIC_RTT); 0:
    /// none did.
    round_trips: SmallVec<[u64; 2]>,
    /// By peer host and port: a few.
    ports: SmallVec<[((HostId, u16), Ports); 1]>,
    pub(super) counters: Counters,
}

impl Host {
    pub(super) fn new(addr: Ipv4, kernel: Kernel, sysctls: Arc<Sysctls>) -> Host {
        Host {
            addr,
            kernel,
            sysctls,
            deaf_ports: Vec::new(),
            counters: Counters::default(),
            time_waits: 0,
            slots: Vec::new(),
            known: SmallVec::new(),
            free: NONE,
            chains: Vec::new(),
            hashed: 0,
            listeners: Vec::new(),
            ports: SmallVec::new(),
            round_trips: SmallVec::new(),
            cookies: 0,
        }
    }

    /// The socket in `slot`.
    #[inline]
    pub(super) fn socket(&self, slot: u32) -> &Socket {
        let socket = self.slots[slot as usize].socket.as_deref();
        socket.expect("a slot that is spoken of holds a socket")
    }

    /// The same, to change.
    #[inline]
    pub(super) fn socket_mut(&mut self, slot: u32) -> &mut Socket {
        let socket = self.slots[slot as usize].socket.as_deref_mut();
        socket.expect("a slot that is spoken of holds a socket")
    }

    /// The socket in `slot`, if there is one.
    pub(super) fn get(&self, slot: u32) -> Option<&Socket> {
        self.slots.get(slot as usize)?.socket.as_deref()
    }

    pub(super) fn alarm(&mut self, slot: u32, timer: Timer) -> &mut Alarm {
        &mut self.slots[slot as usize].alarms[timer as usize]
    }

    /// The slots that hold a socket, in order.
    pub(super) fn occupied(&self) -> impl Iterator<Item = u32> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(slot, each)| each.socket.as_ref().map(|_| slot as u32))
    }

    /// Puts a new socket into a place: the one freed last, as the kernel's slab does.
    pub(super) fn insert(&mut self, mut socket: Box<Socket>) -> u32 {
        self.cookies += 1;
        socket.cookie = self.cookies;
        let slot = match self.free {
            NONE => self.add_slot(),
            slot => {
                let freed = std::mem::replace(&mut self.known[slot as usize], Known::NOTHING);
                self.free = freed.next;
                slot
            }
        };
        let place = &mut self.slots[slot as usize];
        place.socket = Some(socket);
        slot
    }

    fn add_slot(&mut self) -> u32 {
        if self.slots.is_empty() {
            self.slots.reserve_exact(USUAL);
        }
        self.slots.push(Slot::default());
        self.known.push(Known::NOTHING);
        (self.slots.len() - 1) as u32
    }

    /// Frees a place, and gives what was there.
    pub(super) fn remove(&mut self, slot: u32) -> Slot {
        let known = &mut self.known[slot as usize];
        debug_assert!(!known.hashed, "a socket is unhashed before it goes");
        known.next = std::mem::replace(&mut self.free, slot);
        std::mem::take(&mut self.slots[slot as usize])
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
        if self.chains.is_empty() {
            let it = |known: &Known| known.is(port, peer, peer_port);
            return self.known.iter().position(it).map(|slot| slot as u32);
        }
        let mut slot = self.chains[self.chain(port, peer, peer_port)];
        while slot != NONE {
            let known = &self.known[slot as usize];
            if known.is(port, peer, peer_port) {
                return Some(slot);
            }
            slot = known.next;
        }
        None
    }

    /// Makes the socket in `slot` known by its four-tuple.
    pub(super) fn enter(&mut self, slot: u32) {
        let socket = self.socket(slot);
        self.known[slot as usize] = Known {
            port: socket.port,
            peer_port: socket.peer_port,
            peer: socket.peer,
            next: NONE,
            hashed: true,
        };
        self.hashed += 1;
        if self.hashed > self.chains.len().max(FEW) {
            self.grow();
        } else if !self.chains.is_empty() {
            self.link(slot);
        }
    }

    fn link(&mut self, slot: u32) {
        let known = self.known[slot as usize];
        let chain = self.chain(known.port, known.peer, known.peer_port);
        self.known[slot as usize].next = self.chains[chain];
        self.chains[chain] = slot;
    }

    fn grow(&mut self) {
        let len = (self.hashed * 2).next_power_of_two();
        self.chains.clear();
        self.chains.resize(len, NONE);
        for slot in 0..self.slots.len() as u32 {
            if self.known[slot as usize].hashed {
                self.link(slot);
            }
        }
    }

    /// Forgets the four-tuple of the socket in `slot`, and gives its port back if it owns one.
    pub(super) fn unhash(&mut self, slot: u32) {
        if let Some(port) = self.unlink(slot) {
            let socket = self.socket(slot);
            let to = (socket.peer, socket.peer_port);
            self.ports_to(to).release(port);
        }
    }

    /// Forgets the four-tuple of the socket in `slot`; the port that it owns, if it does.
    fn unlink(&mut self, slot: u32) -> Option<u16> {
        let known = self.known[slot as usize];
        if !known.hashed {
            return None;
        }
        self.known[slot as usize] = Known::NOTHING;
        self.hashed -= 1;
        if !self.chains.is_empty() {
            let chain = self.chain(known.port, known.peer, known.peer_port);
            if self.chains[chain] == slot {
                self.chains[chain] = known.next;
            } else {
                let mut before = self.chains[chain] as usize;
                while self.known[before].next != slot {
                    before = self.known[before].next as usize;
                }
                self.known[before].next = known.next;
            }
        }
        self.socket(slot).owns_port.then_some(known.port)
    }

    /// The mini-socket in `mini` takes the place of the full one in `slot` in the hash table, and its port.
    pub(super) fn hand_over(&mut self, slot: u32, mini: u32) {
        let owned = self.unlink(slot);
        self.socket_mut(slot).owns_port = false;
        self.enter(mini);
        if let Some(port) = owned {
            let socket = self.socket_mut(mini);
            socket.owns_port = true;
            let to = (socket.peer, socket.peer_port);
            self.ports_to(to).wait(port);
        }
    }

    /// The listening socket of `port`.
    pub(super) fn listener(&self, port: u16) -> Option<u32> {
        let found = self.listeners.iter().find(|(each, _)| *each == port);
        found.map(|(_, slot)| *slot)
    }

    /// The queues of the listening socket in `slot`, if it still listens.
    pub(super) fn listening(&mut self, slot: u32) -> Option<&mut Listener> {
        let socket = self.slots.get_mut(slot as usize)?.socket.as_deref_mut()?;
        let listens = socket.state == TcpState::Listen;
        socket.listener.as_deref_mut().filter(|_| listens)
    }

    pub(super) fn add_listener(&mut self, port: u16, slot: u32) {
        self.listeners.push((port, slot));
    }

    pub(super) fn remove_listener(&mut self, slot: u32) {
        self.listeners.retain(|(_, each)| *each != slot);
    }

    /// A local port for a new connection to `to`, taken from now on, and the TIME_WAIT socket that had it.
    pub(super) fn take_port(
        &mut self,
        to: (HostId, u16),
        may_reuse: impl Fn(&Socket) -> bool,
    ) -> Option<(u16, Option<u32>)> {
        let mut ports = std::mem::take(self.ports_to(to));
        let port = ports.take(&self.sysctls, |port| {
            let old = self.find(port, to.0, to.1);
            old.is_some_and(|old| may_reuse(self.socket(old)))
        });
        *self.ports_to(to) = ports;
        let port = port?;
        let is_mini = |slot: &u32| self.socket(*slot).state == TcpState::TimeWait;
        Some((port, self.find(port, to.0, to.1).filter(is_mini)))
    }

    /// The local ports taken towards `to`.
    fn ports_to(&mut self, to: (HostId, u16)) -> &mut Ports {
        let at = match self.ports.iter().position(|(each, _)| *each == to) {
            Some(at) => at,
            None => {
                let at = self.ports.partition_point(|(each, _)| *each < to);
                self.ports.insert(at, (to, Ports::default()));
                at
            }
        };
        &mut self.ports[at].1
    }

    /// A connection to `to` has been bound to `port`. Whether it owns it: see [`Ports::claim`].
    pub(super) fn claim_port(&mut self, to: (HostId, u16), port: u16) -> bool {
        let mut ports = std::mem::take(self.ports_to(to));
        let claimed = ports.claim(&self.sysctls, port);
        *self.ports_to(to) = ports;
        claimed
    }

    /// Whether some socket has the local port, one in TIME_WAIT too: bind() then fails.
    pub(super) fn is_port_in_use(&self, port: u16) -> bool {
        let has_it = |slot: u32| {
            let socket = self.socket(slot);
            let is_used = self.known[slot as usize].hashed || socket.state == TcpState::Listen;
            socket.port == port && is_used
        };
        self.occupied().any(has_it)
    }

    /// How many local ports are taken towards `to`.
    pub(super) fn ports_taken(&self, to: (HostId, u16)) -> u32 {
        let found = self.ports.iter().find(|(each, _)| *each == to);
        found.map_or(0, |(_, ports)| ports.taken())
    }

    /// A connection that ends leaves its round trip behind for later ones (tcp_update_metrics): a longer one as it
    /// is, a shorter one counts for an eighth, and one that was not measured, or timed out, forgets it.
    pub(super) fn leave_round_trip(&mut self, slot: u32) {
        let socket = self.socket(slot);
        let (peer, srtt) = (socket.peer, socket.round_trip.srtt);
        let peer = peer.0 as usize;
        if socket.resend.backoff > 0 || srtt == 0 {
            if let Some(known) = self.round_trips.get_mut(peer) {
                *known = 0;
            }
            return;
        }
        if self.round_trips.len() <= peer {
            self.round_trips.resize(peer + 1, 0);
        }
        let known = &mut self.round_trips[peer];
        *known = match known.checked_sub(srtt) {
            None => srtt,
            Some(shorter) => *known - (shorter >> 3),
        };
    }

    /// The round trip that earlier connections to `peer` left behind; 0: none did.
    pub(super) fn left_round_trip(&self, peer: HostId) -> u64 {
        self.round_trips.get(peer.0 as usize).copied().unwrap_or(0)
    }

    /// The address of the socket in `slot`, as the tracepoints print it.
    pub(super) fn skaddr(&self, slot: u32) -> u64 {
        // Places of 2432 bytes, about what a TCP socket takes, in a region for each host.
        self.region() + u64::from(slot) * 2432
    }

    /// The place of a socket by its address: see [`Host::skaddr`].
    pub(super) fn slot_of(&self, skaddr: u64) -> Option<u32> {
        let offset = skaddr.checked_sub(self.region())?;
        let slot = u32::try_from(offset / 2432).ok()?;
        (offset % 2432 == 0 && (slot as usize) < self.slots.len()).then_some(slot)
    }

    /// The address of the mini-socket in `slot`: these have a slab of their own.
    pub(super) fn mini_addr(&self, slot: u32) -> u64 {
        self.region() + (1 << 43) + u64::from(slot) * 320
    }

    fn region(&self) -> u64 {
        0xffff_8880_0000_0000 + (u64::from(self.addr.0 & 0x00ff_ffff) << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::tcp::Flow;

    #[test]
    fn sockets_are_found_by_their_four_tuple_until_unhashed() {
        let flow = Flow { client: 0, conn: 1 };
        let addr = Ipv4::new(10, 0, 0, 1);
        let mut host = Host::new(addr, Kernel::V6_18, Sysctls::of(Kernel::V6_18).into());
        let mut slots = Vec::new();
        for n in 0..500u16 {
            let peer = (HostId(1 + u32::from(n % 7)), 40_000 + n);
            let socket = Socket::new(TcpState::Established, 6379, peer, flow);
            let slot = host.insert(Box::new(socket));
            host.enter(slot);
            slots.push((slot, peer));
        }
        for (slot, peer) in &slots {
            assert_eq!(host.find(6379, peer.0, peer.1), Some(*slot));
        }
        for (slot, peer) in slots.iter().step_by(3) {
            host.unhash(*slot);
            assert!(host.remove(*slot).socket.is_some());
            assert_eq!(host.find(6379, peer.0, peer.1), None);
        }
        assert_eq!(
            host.find(6379, slots[1].1.0, slots[1].1.1),
            Some(slots[1].0)
        );
    }
}
