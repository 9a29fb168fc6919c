//! The kernels of all hosts and the link between them: the common ground of the parts that receive
//! segments, serve system calls and run timers.

use std::sync::Arc;

use super::Event;
use super::firing::Firing;
use super::flood::Flood;
use super::host::{Host, Slot};
use super::link::{Carried, Link, Way};
use super::profile::{Kernel, KernelProfile};
use super::segment::{Flow, HostId, Segment};
use super::socket::{Place, Socket};
use super::spare::Spare;
use super::sysctl::Sysctls;
use super::timer::{Clock, Due, Timer};
use crate::engine::{self, Cx, Entity, Options, Span, Ticket, Time};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{Family, Ipv4, Protocol, Record, RstReason, TcpState};

/// What the model may do to its surroundings: the part of [`Cx`] that it uses, without the types of
/// the world in which it is embedded.
pub(super) trait Out {
    fn now(&self) -> Time;
    fn record(&mut self, actor: Entity, flow: Flow, record: Record);
    fn after(&mut self, delay: Span, entity: Entity, event: Event) -> Ticket;
    fn cancel(&mut self, ticket: Ticket);
    fn strikes(&mut self, fault: &'static str, entity: Entity) -> bool;
    fn choose(&mut self, site: &'static str, entity: Entity, options: &Options<'_>) -> u64;
    fn name(&mut self, path: &str) -> Entity;
    fn path(&self, entity: Entity) -> Arc<str>;

    fn choose_number(&mut self, site: &'static str, entity: Entity, low: u64, high: u64) -> u64 {
        low + self.choose(site, entity, &Options::numbers(low, high))
    }
}

impl<E: From<Event>, R: engine::Record + From<Record>> Out for Cx<'_, E, R> {
    #[inline]
    fn now(&self) -> Time {
        Cx::now(self)
    }
    #[inline]
    fn record(&mut self, actor: Entity, _: Flow, record: Record) {
        Cx::record(self, actor, record);
    }
    #[inline]
    fn after(&mut self, delay: Span, entity: Entity, event: Event) -> Ticket {
        Cx::after(self, delay, entity, event)
    }
    #[inline]
    fn cancel(&mut self, ticket: Ticket) {
        Cx::cancel(self, ticket);
    }
    fn strikes(&mut self, fault: &'static str, entity: Entity) -> bool {
        self.fault(fault, entity).is_some()
    }
    fn choose(&mut self, site: &'static str, entity: Entity, options: &Options<'_>) -> u64 {
        Cx::choose(self, site, entity, options)
    }
    fn name(&mut self, path: &str) -> Entity {
        Cx::name(self, path)
    }
    fn path(&self, entity: Entity) -> Arc<str> {
        Cx::path(self, entity).clone()
    }
}

/// What a kernel tells the application that holds the socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Notice {
    pub(super) at: Place,
    pub(super) flow: Flow,
    pub(super) what: What,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum What {
    /// connect() succeeded.
    Connected,
    /// At a listening socket: accept() has a connection to give.
    Acceptable,
    /// There is something to read.
    Readable,
    /// The peer will send no more.
    PeerClosed,
    /// A write() that waited for room fails with EPIPE.
    Unwritable,
    /// connect() failed.
    ConnectFailed(Errno),
    /// The connection is gone.
    Broken(Errno),
}

/// The hosts and the link.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Net {
    pub(super) clock: Clock,
    pub(super) hosts: Vec<Host>,
    pub(super) link: Link,
    pub(super) server: Entity,
    /// By client number.
    pub(super) clients: Vec<Entity>,
    /// What applications are to be told when the kernel's part of a step is done; empty between steps.
    pub(super) notices: Vec<Notice>,
    pub(super) flood: Option<Flood>,
    /// In what order timers of one tick fire; without it, as they were set.
    pub(super) firing: Option<Firing>,
    /// Where the clock stood that cookies are stamped by, once it was asked: see `Net::cookie_stamps`.
    pub(super) cookie_clock: Option<u64>,
    spare: Spare<Socket>,
}

impl Net {
    /// A server, and nobody else yet.
    pub(super) fn new(
        server: Entity,
        kernel: Kernel,
        sysctls: Arc<Sysctls>,
        clock: Clock,
        link: Link,
    ) -> Net {
        Net {
            clock,
            hosts: vec![Host::new(Ipv4::new(10, 0, 0, 1), kernel, sysctls)],
            link,
            server,
            clients: Vec::new(),
            notices: Vec::new(),
            flood: None,
            firing: None,
            cookie_clock: None,
            spare: Spare::default(),
        }
    }

    /// One more client host: 10.1.0.1 and so on.
    pub(super) fn add_host(&mut self, kernel: Kernel, sysctls: Arc<Sysctls>) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        let addr = Ipv4(Ipv4::new(10, 1, 0, 0).0 + id.0);
        self.hosts.push(Host::new(addr, kernel, sysctls));
        id
    }

    /// For how long the kernel has been running when the run begins decides where in their slots its
    /// timers fall: a wide choice at site `boot`, by the kernel, which all hosts share as namespaces of one
    /// machine do.
    pub(super) fn boot(&mut self, out: &mut impl Out) {
        let kernel = out.name(Net::KERNEL);
        let options = Options::numbers(0, Clock::PHASES - 1).default_to(Clock::USUAL_PHASE);
        let jiffies = out.choose("boot", kernel, &options);
        self.clock = self.clock.booted_before(jiffies);
    }

    /// The entity whose choice the boot phase is.
    pub(super) const KERNEL: &'static str = "kernel";

    pub(super) fn carried(&self) -> Carried {
        self.link.carried
    }

    #[inline]
    pub(super) fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    #[inline]
    pub(super) fn host_mut(&mut self, id: HostId) -> &mut Host {
        &mut self.hosts[id.0 as usize]
    }

    #[inline]
    pub(super) fn socket(&self, at: Place) -> &Socket {
        self.host(at.host).socket(at.slot)
    }

    #[inline]
    pub(super) fn socket_mut(&mut self, at: Place) -> &mut Socket {
        self.host_mut(at.host).socket_mut(at.slot)
    }

    pub(super) fn profile(&self, host: HostId) -> &'static KernelProfile {
        self.host(host).kernel.profile()
    }

    pub(super) fn sysctls(&self, host: HostId) -> &Sysctls {
        &self.host(host).sysctls
    }

    /// Who acts at `host` for `flow`: the server, or the client whose connection it is.
    pub(super) fn actor(&self, host: HostId, flow: Flow) -> Entity {
        match host {
            HostId::SERVER => self.server,
            _ => self.clients[flow.client as usize],
        }
    }

    pub(super) fn notify(&mut self, at: Place, what: What) {
        let socket = self.socket_mut(at);
        if let What::Broken(errno) | What::ConnectFailed(errno) = what {
            socket.error = Some(errno);
        }
        let flow = socket.flow;
        self.notices.push(Notice { at, flow, what });
    }

    // Timers.

    /// Sets a timer of a socket, in place of what it was set to, to `ticks` from now (mod_timer).
    pub(super) fn set_timer(&mut self, out: &mut impl Out, at: Place, timer: Timer, ticks: u64) {
        let now = out.now();
        let deadline = self.clock.expiry(now, ticks);
        if let Some(firing) = &mut self.firing {
            firing.set(at, timer, deadline);
        }
        let alarm = self.host_mut(at.host).alarm(at.slot, timer);
        if alarm.set(deadline) {
            return;
        }
        if let Some(entry) = alarm.take() {
            out.cancel(entry);
        }
        self.queue_timer(out, at, timer, deadline - now);
    }

    /// Puts an entry on the agenda that stands for a timer.
    fn queue_timer(&mut self, out: &mut impl Out, at: Place, timer: Timer, after: Span) {
        let entity = self.actor(at.host, self.socket(at).flow);
        let Place { host, slot } = at;
        let entry = out.after(after, entity, Event::Timer { host, slot, timer });
        let due = out.now() + after;
        self.host_mut(host).alarm(slot, timer).queue(due, entry);
    }

    pub(super) fn stop_timer(&mut self, at: Place, timer: Timer) {
        self.host_mut(at.host).alarm(at.slot, timer).stop();
    }

    /// An entry of the agenda that stands for a timer is due.
    pub(super) fn timer_due(&mut self, out: &mut impl Out, at: Place, timer: Timer) {
        match self.host_mut(at.host).alarm(at.slot, timer).due(out.now()) {
            Due::Nothing => {}
            Due::Fires => self.timeout(out, at, timer),
            Due::Later(after) => self.queue_timer(out, at, timer, after),
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
        let is_lost = self.link.down
            || (self.link.may_lose && self.is_struck(out, &segment, way))
            || (self.link.lost_of_million > 0 && self.is_unlucky(out, &segment, way));
        self.link.captured.see(out.now(), is_lost, &segment);
        if is_lost {
            self.link.carried.lost += 1;
            return;
        }
        let delay = self.link.carry(out.now(), way);
        let receiver = self.actor(segment.to, segment.flow);
        out.after(
            delay,
            receiver,
            Event::Arrive(self.link.spare.fill(segment)),
        );
    }

    pub(super) fn way_of(&mut self, out: &mut impl Out, segment: &Segment, way: Way) -> Entity {
        let client = out.path(self.clients[segment.flow.client as usize]);
        self.link
            .named(segment.flow, way, &client, |path| out.name(path))
    }

    fn is_struck(&mut self, out: &mut impl Out, segment: &Segment, way: Way) -> bool {
        let entity = self.way_of(out, segment, way);
        out.strikes(super::fault::PACKET_LOSS, entity)
    }

    fn is_unlucky(&mut self, out: &mut impl Out, segment: &Segment, way: Way) -> bool {
        let lost = self.link.lost_of_million.min(1_000_000);
        if lost == 1_000_000 {
            return true;
        }
        let entity = self.way_of(out, segment, way);
        let options = Options::texts(&["carried", "lost"]);
        let weights = [1_000_000 - lost, lost];
        out.choose("loss", entity, &options.weighed(&weights)) == 1
    }

    // Records.

    /// The address that the tracepoints print for the socket in `at`.
    pub(super) fn skaddr(&self, at: Place) -> u64 {
        let host = self.host(at.host);
        match self.socket(at).is_mini() {
            true => host.mini_addr(at.slot),
            false => host.skaddr(at.slot),
        }
    }

    /// (sport, dport, saddr, daddr) of the socket in `at`.
    pub(super) fn four_tuple(&self, at: Place) -> (u16, u16, Ipv4, Ipv4) {
        let host = self.host(at.host);
        self.four_tuple_of(host, host.socket(at.slot))
    }

    #[inline]
    fn four_tuple_of(&self, host: &Host, socket: &Socket) -> (u16, u16, Ipv4, Ipv4) {
        if socket.is_listener() {
            return (socket.port, 0, Ipv4::ANY, Ipv4::ANY);
        }
        let peer = self.host(socket.peer).addr;
        match socket.is_disconnected {
            true => (socket.port, 0, Ipv4::ANY, peer),
            false => (socket.port, socket.peer_port, host.addr, peer),
        }
    }

    /// A socket goes to `newstate`, and says so.
    pub(super) fn set_state(&mut self, out: &mut impl Out, at: Place, newstate: TcpState) {
        let host = self.host(at.host);
        let socket = host.socket(at.slot);
        let tuple = self.four_tuple_of(host, socket);
        self.record_state(out, at, socket.state, newstate, tuple);
        self.socket_mut(at).state = newstate;
    }

    /// The record of a change of state.
    #[inline]
    pub(super) fn record_state(
        &self,
        out: &mut impl Out,
        at: Place,
        oldstate: TcpState,
        newstate: TcpState,
        (sport, dport, saddr, daddr): (u16, u16, Ipv4, Ipv4),
    ) {
        debug_assert!(
            oldstate.may_become(newstate),
            "{oldstate} becomes {newstate}"
        );
        let host = self.host(at.host);
        let flow = host.socket(at.slot).flow;
        out.record(
            self.actor(at.host, flow),
            flow,
            Record::SetState {
                skaddr: host.skaddr(at.slot),
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

    /// The protocol is done with a connection: it is closed, unknown from now on, its port free
    /// (tcp_done).
    pub(super) fn done(&mut self, out: &mut impl Out, at: Place) {
        self.set_state(out, at, TcpState::Close);
        self.stop_timers(at);
        self.host_mut(at.host).unhash(at.slot);
        let socket = self.socket_mut(at);
        socket.cannot_send = true;
        socket.send.queue.clear();
        if socket.orphan {
            self.destroy(out, at);
        }
    }

    pub(super) fn stop_timers(&mut self, at: Place) {
        for timer in [Timer::Write, Timer::Ack, Timer::Keep] {
            self.stop_timer(at, timer);
        }
    }

    /// Frees a socket that is closed and has no application, and says so (inet_csk_destroy_sock).
    pub(super) fn destroy(&mut self, out: &mut impl Out, at: Place) {
        let (sport, dport, saddr, daddr) = self.four_tuple(at);
        let socket = self.socket(at);
        let (flow, sock_cookie) = (socket.flow, socket.cookie);
        out.record(
            self.actor(at.host, flow),
            flow,
            Record::DestroySock {
                skaddr: self.skaddr(at),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
                sock_cookie,
            },
        );
        self.free(out, at);
    }

    /// Frees the place of a socket, and with it its timers.
    pub(super) fn free(&mut self, out: &mut impl Out, at: Place) {
        let Slot { alarms, socket } = self.host_mut(at.host).remove(at.slot);
        for mut alarm in alarms {
            if let Some(entry) = alarm.take() {
                out.cancel(entry);
            }
        }
        self.spare.keep(socket);
    }

    /// Gives a new socket a place.
    pub(super) fn add(&mut self, host: HostId, socket: Socket) -> Place {
        let socket = self.spare.fill(socket);
        let slot = self.host_mut(host).insert(socket);
        Place { host, slot }
    }
}
