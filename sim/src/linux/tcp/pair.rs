//! Two hosts on one link whose applications do what they are told, when they are told, and nothing by
//! themselves: what a case of the probe protocol is played on, and what the recordings of real kernels were
//! made with.

use std::collections::BTreeMap;

use super::calls::{ConnectError, ListenError, SendError};
use super::host::Counters;
use super::link::{Link, Packet};
use super::net::{Net, Notice, Out, What};
use super::segment::{Flow, HostId};
use super::socket::{Buffers, Place, SocketOptions};
use super::sysctl::{SysctlError, Sysctls};
use super::timer::Clock;
use super::{Event, Kernel};
use crate::engine::{
    self, Cx, Entity, Env, Faults, Limits, Machine, Names, Observer, Options, Scheduling, Source,
    Span, Struck, Time, TraceHasher, Value, World,
};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{AppOp, Record, TcpState};

/// One of the two hosts, or the end of a connection there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum End {
    /// The host `client`.
    Client,
    /// The host `server`.
    Server,
}

impl End {
    /// The host's name, and its actor's.
    pub const fn name(self) -> &'static str {
        match self {
            End::Client => "client",
            End::Server => "server",
        }
    }

    /// The other one.
    pub const fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }

    const fn of(host: HostId) -> End {
        match host {
            HostId::SERVER => End::Server,
            _ => End::Client,
        }
    }

    const fn host(self) -> HostId {
        match self {
            End::Client => HostId(1),
            End::Server => HostId::SERVER,
        }
    }
}

/// What a pair is made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PairConfig {
    /// The kernel of both hosts, which are namespaces of one machine.
    pub kernel: Kernel,
    /// HZ.
    pub hz: u32,
    /// The settings of both.
    pub sysctls: Sysctls,
    /// How long a segment travels, one way.
    pub delay: Span,
    /// Of a million segments so many are lost.
    pub lost_of_million: u32,
}

impl PairConfig {
    /// A kernel at its defaults, on a link without delay.
    pub fn of(kernel: Kernel) -> PairConfig {
        PairConfig {
            kernel,
            hz: kernel.profile().hz,
            sysctls: Sysctls::of(kernel),
            delay: Span::ZERO,
            lost_of_million: 0,
        }
    }

    /// Sets a sysctl of both hosts.
    ///
    /// # Errors
    /// As the kernel refuses it, or if it is not modelled.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SysctlError> {
        self.sysctls.set(self.kernel, name, value)
    }
}

/// What a listening application does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Listening {
    /// What listen() is given.
    pub backlog: u32,
    /// Whether connections are accepted as they come.
    pub accepts: bool,
    /// Whether accepted connections are read as data comes.
    pub reads: bool,
}

impl Default for Listening {
    fn default() -> Self {
        Listening {
            backlog: 128,
            accepts: true,
            reads: true,
        }
    }
}

/// How an application closes its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Closing {
    /// close().
    Close,
    /// SO_LINGER 0 and close().
    Abort,
    /// shutdown(SHUT_WR).
    Shutdown,
}

/// Why an application cannot do what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PairError {
    /// The call fails.
    Errno(Errno),
    /// No connection has this number.
    NoConnection(u32),
    /// At this end there is no socket (any more): not accepted, or closed.
    NoSocket(u32),
}

/// A record of a pair: which connection it is about, and what a tracepoint or an application reports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Seen {
    /// What happened.
    Tcp {
        /// The connection, in the order of connect(); none for a listening socket.
        conn: Option<u32>,
        /// What.
        record: Record,
    },
    /// A fault of the engine struck: a pair has none armed.
    Fault(&'static str),
}

impl From<Record> for Seen {
    fn from(record: Record) -> Seen {
        Seen::Tcp { conn: None, record }
    }
}

impl From<Struck> for Seen {
    fn from(struck: Struck) -> Seen {
        Seen::Fault(struck.fault)
    }
}

impl engine::Record for Seen {
    fn kind(&self) -> &'static str {
        match self {
            Seen::Tcp { record, .. } => record.kind(),
            Seen::Fault(_) => "fault",
        }
    }
    fn field(&self, name: &str) -> Option<Value> {
        match self {
            Seen::Tcp {
                conn: Some(conn), ..
            } if name == "conn" => Some(Value::Number(i128::from(*conn))),
            Seen::Tcp { record, .. } => record.field(name),
            Seen::Fault(_) => None,
        }
    }
    fn fields(&self, each: &mut dyn FnMut(&'static str, Value)) {
        if let Seen::Tcp { record, .. } = self {
            record.fields(each);
        }
    }
    fn absorb(&self, hasher: &mut TraceHasher) {
        match self {
            Seen::Tcp { conn, record } => {
                hasher.u64(conn.map_or(0, u64::from));
                record.absorb(hasher);
            }
            Seen::Fault(fault) => hasher.text(fault),
        }
    }
    fn words(&self) -> String {
        match self {
            Seen::Tcp { record, .. } => record.words(),
            Seen::Fault(fault) => format!("is struck by {fault}"),
        }
    }
}

/// What the agenda of a pair holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Step {
    /// Something of the kernels.
    Tcp(Event),
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
struct Held {
    at: Place,
    reads: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Connection {
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
    net: Net,
    /// By number, from 1.
    connections: Vec<Connection>,
    /// By the listener's place.
    listening: BTreeMap<Place, Listening>,
}

/// The surroundings of a pair: connections are kept with the records.
struct Desk<'a, 'b> {
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
    fn after(&mut self, delay: Span, entity: Entity, event: Event) {
        self.cx.after(delay, entity, event);
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
    fn new(config: &PairConfig) -> Pair {
        let server = Entity::of(End::Server.name());
        let clock = Clock::of_hz(config.hz);
        let mut link = Link::new(config.delay, Span::ZERO);
        link.lost_of_million = config.lost_of_million;
        let sysctls = std::sync::Arc::new(config.sysctls.clone());
        let mut net = Net::new(server, config.kernel, sysctls.clone(), clock, link);
        net.add_host(config.kernel, sysctls);
        net.clients.push(Entity::of(End::Client.name()));
        Pair {
            net,
            connections: Vec::new(),
            listening: BTreeMap::new(),
        }
    }

    /// Lets `act` do something with the kernels, and the applications hear of it.
    fn with<T>(
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
            if self.listening.get(&at).is_some_and(|app| app.accepts) {
                while self.accept(cx, at) {}
            }
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
    fn accept(&mut self, cx: &mut Cx<'_, Step, Seen>, listener: Place) -> bool {
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

    fn learn(&self, cx: &mut Cx<'_, Step, Seen>, at: Place, op: AppOp, errno: Errno) {
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
        self.with(cx, |net, out| match step {
            Step::Tcp(Event::Arrive(segment)) => net.receive(out, &segment),
            Step::Tcp(Event::Timer { host, slot, timer }) => {
                net.timer_due(out, Place { host, slot }, timer);
            }
            // The other events are those of a lab with applications of its own.
            Step::Tcp(_) | Step::Mark => {}
        });
    }
}

/// A record in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PairEvent {
    /// When.
    pub at: Time,
    /// At which host.
    pub host: End,
    /// The connection, none for a listening socket.
    pub conn: Option<u32>,
    /// What.
    pub record: Record,
}

#[derive(Default)]
struct Recorded(Vec<PairEvent>);

impl Observer<Seen> for Recorded {
    fn see(&mut self, at: Time, actor: Entity, record: &Seen, _: &Names) {
        if let Seen::Tcp { conn, record } = record {
            let host = match actor == Entity::of(End::Server.name()) {
                true => End::Server,
                false => End::Client,
            };
            self.0.push(PairEvent {
                at,
                host,
                conn: *conn,
                record: *record,
            });
        }
    }
}

/// A pair of hosts under the hands of somebody who tells its applications what to do. After each call all
/// that follows from it without time passing has happened.
pub struct PairLab<S> {
    machine: Machine<Pair>,
    names: Names,
    source: S,
    recorded: Recorded,
}

impl<S: Source> PairLab<S> {
    /// A fresh pair at time 0. `source` decides the boot phase and which segments are lost.
    pub fn new(config: &PairConfig, source: S) -> PairLab<S> {
        let mut names = Names::new();
        names.name(End::Server.name());
        names.name(End::Client.name());
        let machine = Machine::new(Pair::new(config), Faults::default(), Scheduling::default());
        let mut lab = PairLab {
            machine,
            names,
            source,
            recorded: Recorded::default(),
        };
        lab.act(|pair, cx| pair.with(cx, |net, out| net.boot(out)));
        lab
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Pair, &mut Cx<'_, Step, Seen>) -> T) -> T {
        let mut done = None;
        let mut env = Env {
            names: &mut self.names,
            source: &mut self.source,
            observer: &mut self.recorded,
        };
        self.machine
            .begin(&mut env, |pair, cx| done = Some(act(pair, cx)));
        let until = self.machine.now();
        self.advance(until);
        done.expect("what is begun is done")
    }

    fn advance(&mut self, until: Time) {
        let mut env = Env {
            names: &mut self.names,
            source: &mut self.source,
            observer: &mut self.recorded,
        };
        let limits = Limits {
            until,
            ..Limits::NONE
        };
        self.machine.run(&mut env, limits);
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.machine.now()
    }

    /// Lets time pass.
    pub fn run(&mut self, span: Span) {
        let until = self.now() + span;
        self.act(|_, cx| {
            let server = cx.name(End::Server.name());
            cx.after(span, server, Step::Mark);
        });
        self.advance(until);
    }

    /// An application listens.
    ///
    /// # Errors
    /// EADDRINUSE.
    pub fn listen(&mut self, end: End, port: u16, app: Listening) -> Result<(), PairError> {
        self.act(|pair, cx| {
            let listener = pair.with(cx, |net, out| {
                net.listen(out, end.host(), port, app.backlog)
            });
            match listener {
                Ok(at) => {
                    pair.listening.insert(at, app);
                    Ok(())
                }
                Err(ListenError::InUse) => Err(PairError::Errno(Errno::EADDRINUSE)),
            }
        })
    }

    /// An application accepts up to `count` connections that wait. How many there were.
    ///
    /// # Errors
    /// EBADF if nobody listens there.
    pub fn accept(&mut self, end: End, port: u16, count: u32) -> Result<u32, PairError> {
        self.act(|pair, cx| {
            let at = pair.listener(end, port)?;
            Ok((0..count).take_while(|_| pair.accept(cx, at)).count() as u32)
        })
    }

    /// An application closes its listening socket.
    ///
    /// # Errors
    /// EBADF if nobody listens there.
    pub fn close_listener(&mut self, end: End, port: u16) -> Result<(), PairError> {
        self.act(|pair, cx| {
            let at = pair.listener(end, port)?;
            pair.listening.remove(&at);
            pair.with(cx, |net, out| net.close(out, at));
            Ok(())
        })
    }

    /// The other host's application opens connections to a port of `to`, without waiting for them; the number
    /// of the first. Where its `local_port` is in use, a connection has a number and no socket.
    pub fn connect(
        &mut self,
        to: End,
        port: u16,
        count: u32,
        options: SocketOptions,
        reads: bool,
    ) -> u32 {
        let first = self.machine.world.connections.len() as u32 + 1;
        self.act(|pair, cx| {
            for conn in first..first + count {
                pair.connections.push(Connection::default());
                pair.connect(cx, (to, port), conn, options, reads);
            }
        });
        first
    }

    /// An application writes. A write that fails is recorded as an `app` event.
    ///
    /// # Errors
    /// If there is no such connection, or nobody holds that end.
    pub fn send(&mut self, conn: u32, end: End, bytes: u64) -> Result<(), PairError> {
        self.act(|pair, cx| {
            let at = pair.end(conn, end)?.at;
            let errno = match pair.with(cx, |net, out| net.send(out, at, bytes)) {
                Ok(()) => return Ok(()),
                Err(SendError::Pipe) => Errno::EPIPE,
                Err(SendError::Again) => Errno::EAGAIN,
            };
            pair.learn(cx, at, AppOp::Send, errno);
            Ok(())
        })
    }

    /// An application closes its ends of connections, in this order, at one time. What is closed already,
    /// or was never there, is passed over.
    ///
    /// # Errors
    /// If there is no such connection.
    pub fn close(&mut self, conns: &[u32], end: End, how: Closing) -> Result<(), PairError> {
        self.act(|pair, cx| {
            for conn in conns {
                match pair.end(*conn, end) {
                    Ok(held) => pair.close(cx, *conn, end, held.at, how),
                    Err(PairError::NoSocket(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        })
    }

    /// Sets the link: what is not given stays.
    pub fn set_link(
        &mut self,
        delay: Option<Span>,
        lost_of_million: Option<u32>,
        down: Option<bool>,
    ) {
        let link = &mut self.machine.world.net.link;
        link.delay = delay.unwrap_or(link.delay);
        link.lost_of_million = lost_of_million.unwrap_or(link.lost_of_million);
        link.down = down.unwrap_or(link.down);
    }

    /// From now on each segment that arrives at `end` and has `port` is thrown away in silence, or no more.
    pub fn set_deaf(&mut self, end: End, port: u16, deaf: bool) {
        let ports = &mut self.machine.world.net.host_mut(end.host()).deaf_ports;
        ports.retain(|each| *each != port);
        if deaf {
            ports.push(port);
        }
    }

    /// Captures the segments that are handed to the link from now on.
    pub fn capture(&mut self) {
        self.machine.world.net.link.captured.begin();
    }

    /// The segments that were captured.
    pub fn packets(&self) -> &[Packet] {
        self.machine.world.net.link.captured.packets()
    }

    /// The address of a host.
    pub fn address(&self, host: HostId) -> Option<crate::linux::tracepoint::Ipv4> {
        let host = self.machine.world.net.hosts.get(host.0 as usize);
        host.map(|host| host.addr)
    }

    /// All that was recorded.
    pub fn events(&self) -> &[PairEvent] {
        &self.recorded.0
    }

    /// How many local ports the other host's connections to a port of `to` have taken, those in TIME_WAIT among
    /// them.
    pub fn ports_taken(&self, to: End, port: u16) -> u32 {
        let from = self.machine.world.net.host(to.other().host());
        from.ports_taken((to.host(), port))
    }

    /// How many bytes an end has received in order, read or not.
    ///
    /// # Errors
    /// If there is no such connection, or nobody holds that end.
    pub fn received(&self, conn: u32, end: End) -> Result<u64, PairError> {
        let at = self.machine.world.end(conn, end)?.at;
        Ok(self.machine.world.net.socket(at).receive.bytes())
    }

    /// An application reads all that is there, whether it does so by itself or not; how much it was.
    ///
    /// # Errors
    /// If there is no such connection, or nobody holds that end.
    pub fn read(&mut self, conn: u32, end: End) -> Result<u64, PairError> {
        self.act(|pair, cx| {
            let at = pair.end(conn, end)?.at;
            Ok(pair.with(cx, |net, out| net.read(out, at)))
        })
    }

    /// The levels of an end's buffers.
    ///
    /// # Errors
    /// If there is no such connection, or nobody holds that end.
    pub fn buffers(&self, conn: u32, end: End) -> Result<Buffers, PairError> {
        let at = self.machine.world.end(conn, end)?.at;
        Ok(self.machine.world.net.socket(at).buffers())
    }

    /// Whether bind() to a port would fail at a host, as another socket there has it.
    pub fn is_port_in_use(&self, end: End, port: u16) -> bool {
        self.machine.world.net.host(end.host()).is_port_in_use(port)
    }

    /// What a host has counted.
    pub fn counters(&self, end: End) -> Counters {
        self.machine.world.net.host(end.host()).counters
    }

    /// How many sockets are in each state, by the names that `ss` has for them. A mini-socket of an orphan
    /// in FIN_WAIT2 counts as that, a half-open request as SYN-RECV.
    pub fn sockets(&self, end: End) -> BTreeMap<&'static str, u32> {
        let host = self.machine.world.net.host(end.host());
        let mut counts = BTreeMap::new();
        for slot in host.occupied() {
            let socket = host.socket(slot);
            let state = match socket.state {
                TcpState::TimeWait => socket.substate,
                state => state,
            };
            if let Some(name) = ss_name(state) {
                *counts.entry(name).or_insert(0) += 1;
            }
        }
        counts
    }
}

impl Pair {
    fn listener(&self, end: End, port: u16) -> Result<Place, PairError> {
        let host = end.host();
        let slot = self.net.host(host).listener(port);
        slot.map(|slot| Place { host, slot })
            .ok_or(PairError::Errno(Errno::EBADF))
    }

    fn end(&self, conn: u32, end: End) -> Result<Held, PairError> {
        let index = (conn as usize).checked_sub(1);
        let connection = index.and_then(|index| self.connections.get(index));
        let connection = connection.ok_or(PairError::NoConnection(conn))?;
        match end {
            End::Client => connection.client,
            End::Server => connection.server,
        }
        .ok_or(PairError::NoSocket(conn))
    }

    fn connect(
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

    fn close(&mut self, cx: &mut Cx<'_, Step, Seen>, conn: u32, end: End, at: Place, how: Closing) {
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

/// What `ss` calls a state; none for a socket that it does not list.
pub fn ss_name(state: TcpState) -> Option<&'static str> {
    Some(match state {
        TcpState::Established => "ESTAB",
        TcpState::SynSent => "SYN-SENT",
        TcpState::SynRecv | TcpState::NewSynRecv => "SYN-RECV",
        TcpState::FinWait1 => "FIN-WAIT-1",
        TcpState::FinWait2 => "FIN-WAIT-2",
        TcpState::TimeWait => "TIME-WAIT",
        TcpState::CloseWait => "CLOSE-WAIT",
        TcpState::LastAck => "LAST-ACK",
        TcpState::Closing => "CLOSING",
        TcpState::Listen => "LISTEN",
        TcpState::Close | TcpState::Unknown => return None,
    })
}
