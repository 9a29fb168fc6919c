//! The applications: clients that hold a connection, and a server that accepts and reads. They know
//! only what the kernels tell them.

use super::Event;
use super::calls::{ConnectError, SendError};
use super::config::{Jitter, TcpLab, Work};
use super::net::{Net, Notice, Out, What};
use super::segment::{Flow, HostId};
use super::socket::{Place, SocketOptions};
use crate::engine::{Entity, Span};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{AppOp, Record};

/// A client's application.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Client {
    /// Where it runs.
    host: HostId,
    /// How many connections it has begun.
    conn: u32,
    /// Its socket, if it has one.
    at: Option<Place>,
    /// Failures since the last success.
    failures: u32,
}

impl Client {
    pub(super) fn new(host: HostId) -> Client {
        Client {
            host,
            conn: 0,
            at: None,
            failures: 0,
        }
    }
}

/// The applications.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Apps {
    pub(super) clients: Vec<Client>,
    /// Whether the server's process lives.
    pub(super) serves: bool,
}

impl Apps {
    /// A client connects.
    pub(super) fn connect(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, number: u32) {
        let client = &mut self.clients[number as usize];
        client.conn += 1;
        let flow = Flow {
            client: number,
            conn: client.conn,
        };
        let to = (HostId::SERVER, lab.port);
        match net.connect(out, client.host, to, flow, SocketOptions::default()) {
            Ok(at) => client.at = Some(at),
            Err(ConnectError::NoPort(at)) => {
                client.at = Some(at);
                let errno = Errno::EADDRNOTAVAIL;
                self.fail(lab, net, out, (at, flow), AppOp::Connect, errno);
            }
        }
    }

    /// A client does what it does on its connection, if it still has it.
    pub(super) fn work(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, flow: Flow) {
        let client = &mut self.clients[flow.client as usize];
        let (true, Some(at)) = (client.conn == flow.conn, client.at) else {
            return;
        };
        match lab.work {
            Work::Idle => {}
            Work::Requests { bytes, .. } => match net.send(out, at, bytes.into()) {
                Ok(()) => self.work_later(lab, net, out, flow),
                Err(SendError::Again) => {}
                Err(SendError::Pipe) => {
                    self.fail(lab, net, out, (at, flow), AppOp::Send, Errno::EPIPE);
                }
            },
            Work::Short { .. } => self.lose(lab, net, out, (at, flow)),
            Work::Leak { .. } => {
                client.at = None;
                self.connect(lab, net, out, flow.client);
            }
        }
    }

    /// A client will have something to do on its connection.
    fn work_later(&self, lab: &TcpLab, net: &Net, out: &mut impl Out, flow: Flow) {
        let after_ms = match lab.work {
            Work::Idle => return,
            Work::Requests { interval_ms, .. } | Work::Leak { interval_ms } => interval_ms,
            Work::Short { hold_ms } => hold_ms,
        };
        let entity = net.clients[flow.client as usize];
        out.after(Span::from_ms(after_ms), entity, Event::Work(flow));
    }

    /// Applications hear what their kernels have for them, and act on it at once.
    pub(super) fn hear(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, notice: Notice) {
        let Notice { at, flow, what } = notice;
        let is_server = at.host == HostId::SERVER;
        match what {
            What::Acceptable => while net.accept(at).is_some() {},
            What::Readable => {
                if net
                    .host(at.host)
                    .get(at.slot)
                    .is_some_and(|socket| socket.flow == flow)
                {
                    net.read(out, at);
                }
            }
            What::Connected => {
                self.clients[flow.client as usize].failures = 0;
                self.work_later(lab, net, out, flow);
            }
            What::PeerClosed if is_server => net.close(out, at),
            What::PeerClosed => self.lose(lab, net, out, (at, flow)),
            What::ConnectFailed(errno) => {
                self.fail(lab, net, out, (at, flow), AppOp::Connect, errno);
            }
            What::Broken(errno) if is_server => {
                record(net, out, (at, flow), AppOp::Error, errno);
                net.close(out, at);
            }
            What::Broken(errno) => {
                self.fail(lab, net, out, (at, flow), AppOp::Error, errno);
            }
        }
    }

    /// A client learns of an error.
    fn fail(
        &mut self,
        lab: &TcpLab,
        net: &mut Net,
        out: &mut impl Out,
        connection: (Place, Flow),
        op: AppOp,
        errno: Errno,
    ) {
        record(net, out, connection, op, errno);
        self.lose(lab, net, out, connection);
    }

    /// A client closes a connection that is of no use any more, and will connect again.
    fn lose(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, (at, flow): (Place, Flow)) {
        net.close(out, at);
        let client = &mut self.clients[flow.client as usize];
        if client.conn != flow.conn {
            return;
        }
        client.at = None;
        client.failures = client.failures.saturating_add(1);
        let entity = net.clients[flow.client as usize];
        let Some(delay_ms) = lab.reconnect.delay_ms(client.failures) else {
            return;
        };
        let delay_ms = match lab.reconnect.jitter() {
            Jitter::None => delay_ms,
            Jitter::Full => out.choose_number("jitter", entity, 0, delay_ms),
        };
        out.after(
            Span::from_ms(delay_ms),
            entity,
            Event::Connect {
                client: flow.client,
            },
        );
    }

    /// The entity of a client.
    pub(super) fn path(number: u32) -> String {
        format!("client-{}", number + 1)
    }
}

/// An application writes down an error.
fn record(net: &Net, out: &mut impl Out, (at, flow): (Place, Flow), op: AppOp, errno: Errno) {
    let (sport, dport, saddr, daddr) = net.four_tuple(at);
    let actor: Entity = net.actor(at.host, flow);
    out.record(
        actor,
        flow,
        Record::App {
            op,
            errno,
            conn: flow.conn,
            sport,
            dport,
            saddr,
            daddr,
        },
    );
}
