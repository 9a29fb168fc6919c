//! The applications: clients that hold a connection, and a server that accepts and reads. They know
//! only what the kernels tell them.

use super::Event;
use super::calls::{ConnectError, SendError};
use super::config::{Jitter, TcpLab, Work};
use super::net::{Net, Notice, Out, What};
use super::segment::{Flow, HostId};
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
    slot: Option<u32>,
    /// Failures since the last success.
    failures: u32,
}

impl Client {
    pub(super) fn new(host: HostId) -> Client {
        Client {
            host,
            conn: 0,
            slot: None,
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
        match net.connect(out, client.host, (HostId::SERVER, lab.port), flow) {
            Ok(slot) => client.slot = Some(slot),
            Err(ConnectError::NoPort(slot)) => {
                client.slot = Some(slot);
                let host = client.host;
                self.fail(
                    lab,
                    net,
                    out,
                    (host, slot, flow),
                    AppOp::Connect,
                    Errno::EADDRNOTAVAIL,
                );
            }
        }
    }

    /// A client sends its next request, if it still has the connection.
    pub(super) fn work(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, flow: Flow) {
        let client = &self.clients[flow.client as usize];
        let Work::Requests { interval_ms, bytes } = lab.work else {
            return;
        };
        let (true, Some(slot)) = (client.conn == flow.conn, client.slot) else {
            return;
        };
        let host = client.host;
        match net.send(out, host, slot, bytes) {
            Ok(()) => out.after(
                Span::from_ms(interval_ms),
                net.clients[flow.client as usize],
                Event::Work(flow),
            ),
            Err(SendError::Pipe) => {
                self.fail(lab, net, out, (host, slot, flow), AppOp::Send, Errno::EPIPE);
            }
        }
    }

    /// Applications hear what their kernels have for them, and act on it at once.
    pub(super) fn hear(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, notice: Notice) {
        let Notice {
            host,
            slot,
            flow,
            what,
        } = notice;
        match (what, host) {
            (What::Accepted, _) => {}
            (What::Readable, _) => {
                net.read(host, slot);
            }
            (What::Connected, _) => {
                let client = &mut self.clients[flow.client as usize];
                client.failures = 0;
                if let Work::Requests { interval_ms, .. } = lab.work {
                    let entity = net.clients[flow.client as usize];
                    out.after(Span::from_ms(interval_ms), entity, Event::Work(flow));
                }
            }
            (What::PeerClosed, HostId::SERVER) => net.close(out, host, slot),
            (What::PeerClosed, _) => self.lose(lab, net, out, (host, slot, flow)),
            (What::ConnectFailed(errno), _) => {
                self.fail(lab, net, out, (host, slot, flow), AppOp::Connect, errno);
            }
            (What::Broken(errno), HostId::SERVER) => {
                record(net, out, (host, slot, flow), AppOp::Error, errno);
                net.close(out, host, slot);
            }
            (What::Broken(errno), _) => {
                self.fail(lab, net, out, (host, slot, flow), AppOp::Error, errno);
            }
        }
    }

    /// A client learns of an error.
    fn fail(
        &mut self,
        lab: &TcpLab,
        net: &mut Net,
        out: &mut impl Out,
        connection: (HostId, u32, Flow),
        op: AppOp,
        errno: Errno,
    ) {
        record(net, out, connection, op, errno);
        self.lose(lab, net, out, connection);
    }

    /// A client closes a connection that is of no use any more, and will connect again.
    fn lose(
        &mut self,
        lab: &TcpLab,
        net: &mut Net,
        out: &mut impl Out,
        (host, slot, flow): (HostId, u32, Flow),
    ) {
        net.close(out, host, slot);
        let client = &mut self.clients[flow.client as usize];
        client.slot = None;
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
fn record(
    net: &Net,
    out: &mut impl Out,
    (host, slot, flow): (HostId, u32, Flow),
    op: AppOp,
    errno: Errno,
) {
    let (sport, dport, saddr, daddr) = net.four_tuple(host, slot);
    let actor: Entity = net.actor(host, flow);
    out.record(
        actor,
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
