//! The two hosts, and the applications there.

use std::collections::BTreeMap;

use super::super::Event;
use super::super::calls::ConnectError;
use super::super::firing::Firing;
use super::super::link::Link;
use super::super::net::{Net, Notice, Out, What};
use super::super::segment::{Flow, HostId};
use super::super::socket::{Place, SocketOptions};
use super::super::timer::Clock;
use super::{Closing, End, Listening, PairConfig, PairError, Seen};
use crate::engine::{Cx, Entity, Options, Span, Ticket, Time, World};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{AppOp, Record};

/// What the agenda of a pair holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// Something of the kernels.
    Tcp(Event),
    /// An application accepts what waits at its listening socket.
    Accept {
        /// Its host.
        host: HostId,
        /// Its slot there.
        slot: u32,
    },
    /// Nothing: time has come this far.
    Mark,
}

impl From<Event> for Step {
    fn from(event: Event) -> Step {
        Step::Tcp(event)
    }
}

/// An application's end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Held {
    pub(super) at: Place,
    reads: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Connection {
    client: Option<Held>,
    server: Option<Held>,
}

impl Connection {
    fn end_mut(&mut self, end: End) -> &mut Option<Held> {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

/// The two hosts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pair {
    pub(super) net: Net,
    /// By number, from 1.
    pub(super) connections: Vec<Connection>,
    /// By the listener's place.
    pub(super) listening: BTreeMap<Place, Listening>,
}

/// The surroundings of a pair: connections are kept with the records.
pub(super) struct Desk<'a, 'b> {
    cx: &'a mut Cx<'b, Step, Seen>,
}

impl Out for Desk<'_, '_> {
    fn now(&self) -> Time {
        self.cx.now()
    }
    fn record(&mut self, actor: Entity, flow: Flow, record: Record) {
        let conn = Some(flow.conn).filter(|conn| *conn > 0);
        self.cx.record(actor, Seen::Tcp { conn, record });
    }
    fn after(&mut self, delay: Span, entity: Entity, event: Event) -> Ticket {
        self.cx.after(delay, entity, event)
    }
    fn cancel(&mut self, ticket: Ticket) {
        self.cx.cancel(ticket);
    }
    fn strikes(&mut self, fault: &'static str, entity: Entity) -> bool {
        self.cx.fault(fault, entity).is_some()
    }
    fn choose(&mut self, site: &'static str, entity: Entity, options: &Options<'_>) -> u64 {
        self.cx.choose(site, entity, options)
    }
    fn name(&mut self, path: &str) -> Entity {
        self.cx.name(path)
    }
    fn path(&self, entity: Entity) -> std::sync::Arc<str> {
        self.cx.path(entity).clone()
    }
}

impl Pair {
    pub(super) fn new(config: &PairConfig) -> Pair {
        let server = Entity::of(End::Server.name());
        let clock = Clock::of_hz(config.hz);
        let mut link = Link::new(config.delay, Span::ZERO);
        link.lost_of_million = config.lost_of_million;
        let sysctls = std::sync::Arc::new(config.sysctls.clone());
        let mut net = Net::new(server, config.kernel, sysctls.clone(), clock, link);
        net.firing = Some(Firing::default());
        net.add_host(config.kernel, sysctls);
        net.clients.push(Entity::of(End::Client.name()));
        Pair {
            net,
            connections: Vec::new(),
            listening: BTreeMap::new(),
        }
    }

    /// Lets `act` do something with the kernels, and the applications hear of it.
    pub(super) fn with<T>(
        &mut self,
        cx: &mut Cx<'_, Step, Seen>,
        act: impl FnOnce(&mut Net, &mut Desk<'_, '_>) -> T,
    ) -> T {
        let mut desk = Desk { cx };
        let done = act(&mut self.net, &mut desk);
        self.tell(cx);
        done
    }

    fn tell(&mut self, cx: &mut Cx<'_, Step, Seen>) {
        let mut told = 0;
        while let Some(notice) = self.net.notices.get(told).copied() {
            told += 1;
            self.hear(cx, notice);
        }
        self.net.notices.clear();
    }

    fn hear(&mut self, cx: &mut Cx<'_, Step, Seen>, Notice { at, flow, what }: Notice) {
        if what == What::Acceptable {
            if !self.listening.get(&at).is_some_and(|app| app.accepts) {
                return;
            }
            // Over a link with a delay what was sent at one time arrives as a burst, which a kernel takes in before an
            // application gets to run; without one, each packet comes by itself (measured, mostly).
            if self.net.link.delay == Span::ZERO {
                while self.accept(cx, at) {}
                return;
            }
            let entity = self.net.actor(at.host, flow);
            let Place { host, slot } = at;
            cx.after(Span::ZERO, entity, Step::Accept { host, slot });
            return;
        }
        let Some(held) = self
            .held_mut(flow.conn, at.host)
            .filter(|held| held.at == at)
        else {
            return;
        };
        match what {
            What::Acceptable | What::Connected | What::PeerClosed => {}
            What::Readable => {
                if held.reads {
                    self.read(cx, at);
                }
            }
            What::Unwritable => self.learn(cx, at, AppOp::Send, Errno::EPIPE),
            What::ConnectFailed(_) => self.take_error(cx, at, AppOp::Connect),
            What::Broken(_) => self.take_error(cx, at, AppOp::Error),
        }
    }

    fn held_mut(&mut self, conn: u32, host: HostId) -> Option<Held> {
        let index = (conn as usize).checked_sub(1)?;
        let connection = self.connections.get(index)?;
        match host {
            HostId::SERVER => connection.server,
            _ => connection.client,
        }
    }

    /// An application accepts one connection. Whether there was one.
    pub(super) fn accept(&mut self, cx: &mut Cx<'_, Step, Seen>, listener: Place) -> bool {
        let Some(at) = self.net.accept(listener) else {
            return false;
        };
        let reads = self.listening.get(&listener).is_none_or(|app| app.reads);
        let conn = self.net.socket(at).flow.conn;
        if let Some(connection) = self.connections.get_mut(conn as usize - 1) {
            *connection.end_mut(End::of(at.host)) = Some(Held { at, reads });
        }
        if self.net.socket(at).error.is_some() {
            self.take_error(cx, at, AppOp::Error);
        }
        if reads {
            self.read(cx, at);
        }
        true
    }

    fn read(&mut self, cx: &mut Cx<'_, Step, Seen>, at: Place) {
        self.net.read(&mut Desk { cx }, at);
    }

    /// An application takes the pending error of its socket.
    fn take_error(&mut self, cx: &mut Cx<'_, Step, Seen>, at: Place, op: AppOp) {
        if let Some(errno) = self.net.socket_mut(at).error.take() {
            self.learn(cx, at, op, errno);
        }
    }

    pub(super) fn learn(&self, cx: &mut Cx<'_, Step, Seen>, at: Place, op: AppOp, errno: Errno) {
        let (sport, dport, saddr, daddr) = self.net.four_tuple(at);
        let flow = self.net.socket(at).flow;
        let record = Record::App {
            op,
            errno,
            conn: flow.conn,
            sport,
            dport,
            saddr,
            daddr,
        };
        let conn = Some(flow.conn);
        cx.record(self.net.actor(at.host, flow), Seen::Tcp { conn, record });
    }
}

impl World for Pair {
    type Event = Step;
    type Record = Seen;

    fn step(&mut self, step: Step, cx: &mut Cx<'_, Step, Seen>) {
        if let Step::Accept { host, slot } = step {
            while self.accept(cx, Place { host, slot }) {}
            return;
        }
        if let Step::Tcp(Event::Timer { host, slot, timer }) = step {
            let firing = self.net.firing.as_mut();
            let due = firing.map(|firing| firing.take(cx.now()));
            let this = (Place { host, slot }, timer);
            for (at, timer) in due.into_iter().flatten().chain([this]) {
                self.with(cx, |net, out| net.timer_due(out, at, timer));
            }
            return;
        }
        self.with(cx, |net, out| match step {
            Step::Tcp(Event::Arrive(segment)) => net.arrive(out, segment),
            // The other events are those of a lab with applications of its own.
            Step::Tcp(_) | Step::Accept { .. } | Step::Mark => {}
        });
    }
}

impl Pair {
    pub(super) fn listener(&self, end: End, port: u16) -> Result<Place, PairError> {
        let host = end.host();
        let slot = self.net.host(host).listener(port);
        slot.map(|slot| Place { host, slot })
            .ok_or(PairError::Errno(Errno::EBADF))
    }

    pub(super) fn end(&self, conn: u32, end: End) -> Result<Held, PairError> {
        let index = (conn as usize).checked_sub(1);
        let connection = index.and_then(|index| self.connections.get(index));
        let connection = connection.ok_or(PairError::NoConnection(conn))?;
        match end {
            End::Client => connection.client,
            End::Server => connection.server,
        }
        .ok_or(PairError::NoSocket(conn))
    }

    pub(super) fn connect(
        &mut self,
        cx: &mut Cx<'_, Step, Seen>,
        (to, port): (End, u16),
        conn: u32,
        options: SocketOptions,
        reads: bool,
    ) {
        let flow = Flow { client: 0, conn };
        let from = to.other();
        let connected = self.with(cx, |net, out| {
            net.connect(out, from.host(), (to.host(), port), flow, options)
        });
        match connected {
            Ok(at) => {
                let connection = &mut self.connections[conn as usize - 1];
                *connection.end_mut(from) = Some(Held { at, reads });
            }
            Err(ConnectError::InUse) => {}
            // An application that cannot even try closes its socket.
            Err(ConnectError::NoPort(at)) => {
                self.learn(cx, at, AppOp::Connect, Errno::EADDRNOTAVAIL);
                self.with(cx, |net, out| net.close(out, at));
            }
        }
    }

    pub(super) fn close(
        &mut self,
        cx: &mut Cx<'_, Step, Seen>,
        conn: u32,
        end: End,
        at: Place,
        how: Closing,
    ) {
        if how == Closing::Shutdown {
            return self.with(cx, |net, out| net.shutdown(out, at));
        }
        *self.connections[conn as usize - 1].end_mut(end) = None;
        self.with(cx, |net, out| {
            net.socket_mut(at).lingers_zero = how == Closing::Abort;
            net.close(out, at);
        });
    }
}
