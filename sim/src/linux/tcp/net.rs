//! The kernels of all hosts and the link between them: the common ground of the parts that receive
//! segments, serve system calls and run timers.

use super::Event;
use super::host::{Host, Socket};
use super::link::{Carried, Link, Way};
use super::profile::{Kernel, KernelProfile};
use super::segment::{Flags, Flow, HostId, Segment};
use super::timer::Due;
use crate::engine::{self, Cx, Entity, Span, Time};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{Family, Ipv4, Protocol, Record, RstReason, TcpState};

/// What the model may do to its surroundings: the part of [`Cx`] that it uses, without the types of
/// the world in which it is embedded.
pub(super) trait Out {
    fn now(&self) -> Time;
    fn record(&mut self, actor: Entity, record: Record);
    fn after(&mut self, delay: Span, entity: Entity, event: Event);
    fn strikes(&mut self, fault: &'static str, entity: Entity) -> bool;
    fn choose_number(&mut self, site: &'static str, entity: Entity, low: u64, high: u64) -> u64;
    fn name(&mut self, path: &str) -> Entity;
    fn path(&self, entity: Entity) -> std::sync::Arc<str>;
}

impl<E: From<Event>, R: engine::Record + From<Record>> Out for Cx<'_, E, R> {
    #[inline]
    fn now(&self) -> Time {
        Cx::now(self)
    }
    #[inline]
    fn record(&mut self, actor: Entity, record: Record) {
        Cx::record(self, actor, record);
    }
    #[inline]
    fn after(&mut self, delay: Span, entity: Entity, event: Event) {
        Cx::after(self, delay, entity, event);
    }
    fn strikes(&mut self, fault: &'static str, entity: Entity) -> bool {
        self.fault(fault, entity).is_some()
    }
    fn choose_number(&mut self, site: &'static str, entity: Entity, low: u64, high: u64) -> u64 {
        Cx::choose_number(self, site, entity, low, high)
    }
    fn name(&mut self, path: &str) -> Entity {
        Cx::name(self, path)
    }
    fn path(&self, entity: Entity) -> std::sync::Arc<str> {
        Cx::path(self, entity).clone()
    }
}

/// What a kernel tells the application that holds the socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Notice {
    pub(super) host: HostId,
    pub(super) slot: u32,
    pub(super) flow: Flow,
    pub(super) what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum What {
    /// connect() succeeded.
    Connected,
    /// accept() has a connection to give.
    Accepted,
    /// There is something to read.
    Readable,
    /// The peer will send no more.
    PeerClosed,
    /// connect() failed.
    ConnectFailed(Errno),
    /// The connection is gone.
    Broken(Errno),
}

/// The hosts and the link.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Net {
    pub(super) hosts: Vec<Host>,
    pub(super) link: Link,
    pub(super) server: Entity,
    /// By client number.
    pub(super) clients: Vec<Entity>,
    /// What applications are to be told when the kernel's part of a step is done; empty between steps.
    pub(super) notices: Vec<Notice>,
}

impl Net {
    /// A server, and nobody else yet.
    pub(super) fn new(server: Entity, kernel: Kernel, delay: Span, packet_time: Span) -> Net {
        Net {
            hosts: vec![Host::new(Ipv4::new(10, 0, 0, 1), kernel)],
            link: Link::new(delay, packet_time),
            server,
            clients: Vec::new(),
            notices: Vec::new(),
        }
    }

    /// One more client host: 10.1.0.1 and so on.
    pub(super) fn add_host(&mut self, kernel: Kernel) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        let addr = Ipv4(Ipv4::new(10, 1, 0, 0).0 + id.0);
        self.hosts.push(Host::new(addr, kernel));
        id
    }

    pub(super) fn carried(&self) -> Carried {
        self.link.carried
    }

    pub(super) fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    pub(super) fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0 as usize]
    }

    pub(super) fn socket(&self, host: HostId, slot: u32) -> &Socket {
        self.host(host).socket(slot)
    }

    pub(super) fn socket_mut(&mut self, host: HostId, slot: u32) -> &mut Socket {
        self.host_mut(host).socket_mut(slot)
    }

    pub(super) fn profile(&self, host: HostId) -> &'static KernelProfile {
        self.host(host).kernel.profile()
    }

    /// Who acts at `host` for `flow`: the server, or the client whose connection it is.
    pub(super) fn actor(&self, host: HostId, flow: Flow) -> Entity {
        match host {
            HostId::SERVER => self.server,
            _ => self.clients[flow.client as usize],
        }
    }

    pub(super) fn notify(&mut self, host: HostId, slot: u32, what: What) {
        let flow = self.socket(host, slot).flow;
        self.notices.push(Notice {
            host,
            slot,
            flow,
            what,
        });
    }

    // Timers.

    /// Sets the timer of a socket, in place of what it was set to.
    pub(super) fn set_timer(&mut self, out: &mut impl Out, host: HostId, slot: u32, after: Span) {
        let now = out.now();
        let deadline = self.profile(host).tick.expiry(now, after);
        let wanted = self.host_mut(host).timer(slot).set(now, deadline);
        if let Some(after) = wanted {
            let entity = self.actor(host, self.socket(host, slot).flow);
            out.after(after, entity, Event::Timer { host, slot });
        }
    }

    pub(super) fn stop_timer(&mut self, host: HostId, slot: u32) {
        self.host_mut(host).timer(slot).stop();
    }

    /// An entry of the agenda that stands for a timer is due.
    pub(super) fn timer_due(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        match self.host_mut(host).timer(slot).due(out.now()) {
            Due::Nothing => {}
            Due::Fires => self.timeout(out, host, slot),
            Due::Later(after) => {
                let entity = self.actor(host, self.socket(host, slot).flow);
                out.after(after, entity, Event::Timer { host, slot });
            }
        }
    }

    // Segments.

    /// Hands a segment to the link.
    pub(super) fn transmit(&mut self, out: &mut impl Out, segment: Segment) {
        let way = match segment.to {
            HostId::SERVER => Way::ToServer,
            _ => Way::ToClient,
        };
        self.link.carried.sent += 1;
        if self.link.down || (self.link.may_lose && self.is_lost(out, &segment, way)) {
            self.link.carried.lost += 1;
            return;
        }
        let delay = self.link.carry(out.now(), way);
        let receiver = self.actor(segment.to, segment.flow);
        out.after(delay, receiver, Event::Arrive(segment));
    }

    fn is_lost(&mut self, out: &mut impl Out, segment: &Segment, way: Way) -> bool {
        let client = out.path(self.clients[segment.flow.client as usize]);
        let entity = self
            .link
            .named(segment.flow, way, &client, |path| out.name(path));
        out.strikes(super::fault::PACKET_LOSS, entity)
    }

    /// A segment of the socket in `slot`, without content.
    pub(super) fn segment(&self, host: HostId, slot: u32, flags: Flags) -> Segment {
        let socket = self.socket(host, slot);
        Segment {
            from: host,
            to: socket.peer,
            sport: socket.port,
            dport: socket.peer_port,
            flags,
            len: 0,
            flow: socket.flow,
            seq: socket.snd_nxt,
            ack: socket.rcv_nxt,
        }
    }

    /// Sends an acknowledgement.
    pub(super) fn send_ack(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let segment = self.segment(host, slot, Flags::ACK);
        self.transmit(out, segment);
    }

    /// Sends all that is not acknowledged in one segment, first or again.
    pub(super) fn send_unacknowledged(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let socket = self.socket(host, slot);
        let flags = match socket.state {
            TcpState::SynSent => Flags::SYN,
            _ => Flags {
                fin: socket.has_sent_fin(),
                ..Flags::ACK
            },
        };
        let numbers = u64::from(flags.syn) + u64::from(flags.fin);
        let segment = Segment {
            seq: socket.snd_una,
            len: (socket.snd_nxt - socket.snd_una - numbers) as u32,
            ..self.segment(host, slot, flags)
        };
        self.transmit(out, segment);
    }

    // Records.

    /// (sport, dport, saddr, daddr) of the socket in `slot`.
    pub(super) fn four_tuple(&self, host: HostId, slot: u32) -> (u16, u16, Ipv4, Ipv4) {
        let socket = self.socket(host, slot);
        match socket.is_listener() {
            true => (socket.port, 0, Ipv4::ANY, Ipv4::ANY),
            false => (
                socket.port,
                socket.peer_port,
                self.host(host).addr,
                self.host(socket.peer).addr,
            ),
        }
    }

    /// A socket goes to `newstate`, and says so.
    pub(super) fn set_state(
        &mut self,
        out: &mut impl Out,
        host: HostId,
        slot: u32,
        newstate: TcpState,
    ) {
        let oldstate = self.socket(host, slot).state;
        let tuple = self.four_tuple(host, slot);
        self.record_state(out, host, slot, oldstate, newstate, tuple);
        self.socket_mut(host, slot).state = newstate;
    }

    /// The record of a change of state.
    pub(super) fn record_state(
        &self,
        out: &mut impl Out,
        host: HostId,
        slot: u32,
        oldstate: TcpState,
        newstate: TcpState,
        (sport, dport, saddr, daddr): (u16, u16, Ipv4, Ipv4),
    ) {
        debug_assert!(
            oldstate.may_become(newstate),
            "{oldstate} becomes {newstate}"
        );
        let actor = self.actor(host, self.socket(host, slot).flow);
        out.record(
            actor,
            Record::SetState {
                skaddr: self.host(host).skaddr(slot),
                oldstate,
                newstate,
                sport,
                dport,
                family: Family::Inet,
                protocol: Protocol::Tcp,
                saddr,
                daddr,
            },
        );
    }

    /// The reason as this kernel's tracepoint prints it.
    pub(super) fn reason(&self, host: HostId, reason: RstReason) -> RstReason {
        match self.profile(host).resets_have_reasons {
            true => reason,
            false => RstReason::NotReported,
        }
    }

    // The end of a socket.

    /// The protocol is done with a connection: it is closed, unknown from now on, its port free.
    pub(super) fn done(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        self.set_state(out, host, slot, TcpState::Close);
        self.stop_timer(host, slot);
        self.host_mut(host).unhash(slot);
        if self.socket(host, slot).orphan {
            self.destroy(out, host, slot);
        }
    }

    /// Frees a socket that is closed and has no application, and says so.
    pub(super) fn destroy(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let tuple = self.four_tuple(host, slot);
        self.record_destroyed(out, host, slot, tuple);
        self.host_mut(host).remove(slot);
    }

    /// The same after tcp_disconnect(), which linger 0 and the end of a listener go through: the peer's
    /// port is forgotten (measured on Linux 6.1 and 6.18), and so is the local address (source).
    pub(super) fn destroy_disconnected(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let (sport, _, _, daddr) = self.four_tuple(host, slot);
        self.record_destroyed(out, host, slot, (sport, 0, Ipv4::ANY, daddr));
        self.host_mut(host).remove(slot);
    }

    fn record_destroyed(
        &self,
        out: &mut impl Out,
        host: HostId,
        slot: u32,
        (sport, dport, saddr, daddr): (u16, u16, Ipv4, Ipv4),
    ) {
        let socket = self.socket(host, slot);
        out.record(
            self.actor(host, socket.flow),
            Record::DestroySock {
                skaddr: self.host(host).skaddr(slot),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
                sock_cookie: socket.cookie,
            },
        );
    }

    /// An orphan is replaced by a mini-socket in TIME_WAIT, or in FIN_WAIT2 as `substate`: the full
    /// socket is closed and destroyed (tcp_time_wait in net/ipv4/tcp_minisocks.c).
    pub(super) fn become_time_wait(
        &mut self,
        out: &mut impl Out,
        host: HostId,
        slot: u32,
        substate: TcpState,
    ) {
        self.set_state(out, host, slot, TcpState::Close);
        let tuple = self.four_tuple(host, slot);
        self.record_destroyed(out, host, slot, tuple);
        let socket = self.socket_mut(host, slot);
        socket.state = TcpState::TimeWait;
        socket.substate = substate;
        self.set_timer(out, host, slot, self.profile(host).time_wait);
    }

    /// Frees a mini-socket, of which nothing tells.
    pub(super) fn free_mini(&mut self, host: HostId, slot: u32) {
        debug_assert!(self.socket(host, slot).is_mini());
        self.host_mut(host).unhash(slot);
        self.host_mut(host).remove(slot);
    }
}
