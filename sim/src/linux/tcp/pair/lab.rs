//! Who tells the applications of a pair what to do.

use std::collections::BTreeMap;

use super::super::calls::{ListenError, SendError};
use super::super::host::Counters;
use super::super::link::Packet;
use super::super::segment::HostId;
use super::super::socket::{Buffers, SocketOptions};
use super::world::{Connection, Pair, Step};
use super::{Closing, End, Listening, PairConfig, PairError, PairEvent, Seen, ss_name};
use crate::engine::{
    Cx, Entity, Env, Faults, Limits, Machine, Names, Observer, Scheduling, Source, Span, Time,
};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{AppOp, TcpState};

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
                softirq: record.softirq(),
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
