//! The applications: clients that hold a connection, and a server that accepts and reads. They know
//! only what the kernels tell them.

use std::collections::VecDeque;
use std::fmt::Write;

use super::Event;
use super::calls::{ConnectError, SendError};
use super::config::{Jitter, Service, TcpLab, Work};
use super::net::{Net, Notice, Out, What};
use super::segment::{Flow, HostId};
use super::socket::{Place, SocketOptions};
use crate::engine::{Entity, Span, Time};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{AppOp, Record, TcpState};

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
    /// When the call under way began.
    calls_since: Option<Time>,
}

impl Client {
    pub(super) fn new(host: HostId) -> Client {
        Client {
            host,
            conn: 0,
            at: None,
            failures: 0,
            calls_since: None,
        }
    }
}

/// The applications.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Apps {
    pub(super) clients: Vec<Client>,
    /// Whether the server's process lives.
    pub(super) serves: bool,
    /// What a server with one thread has to do, in the order in which it became possible.
    pub(super) tasks: VecDeque<Task>,
}

/// Something that a server has to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Task {
    /// Accept a connection at a listening socket.
    Accept(Place),
    /// Read and answer what came.
    Answer(Place, Flow),
}

impl Apps {
    /// A client connects.
    pub(super) fn connect(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, number: u32) {
        let client = &mut self.clients[number as usize];
        client.conn += 1;
        client.calls_since.get_or_insert(out.now());
        let flow = Flow {
            client: number,
            conn: client.conn,
        };
        let to = (HostId::SERVER, lab.port);
        match net.connect(out, client.host, to, flow, SocketOptions::default()) {
            Ok(at) => client.at = Some(at),
            Err(ConnectError::InUse) => debug_assert!(false, "a client binds to no port"),
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
            Work::Calls { .. } => {
                client.calls_since = Some(out.now());
                self.request(lab, net, out, (at, flow));
            }
            Work::Leak { .. } => {
                client.at = None;
                self.connect(lab, net, out, flow.client);
            }
        }
    }

    /// A client will have something to do on its connection.
    fn work_later(&self, lab: &TcpLab, net: &Net, out: &mut impl Out, flow: Flow) {
        let after_ms = match lab.work {
            Work::Idle | Work::Calls { .. } => return,
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
        // Of a connection that waits to be accepted its process knows nothing.
        if is_server && what != What::Acceptable && net.waits_for_accept(at, flow) {
            return;
        }
        match what {
            What::Acceptable => match lab.service {
                None => while net.accept(at).is_some() {},
                Some(service) => self.add(service, net, out, Task::Accept(at)),
            },
            What::Readable if is_server && matches!(lab.work, Work::Calls { .. }) => {
                let task = Task::Answer(at, flow);
                match lab.service {
                    None => self.perform(lab, net, out, task),
                    Some(service) => self.add(service, net, out, task),
                }
            }
            What::Readable => {
                if net
                    .host(at.host)
                    .get(at.slot)
                    .is_some_and(|socket| socket.flow == flow)
                {
                    net.read(out, at);
                    if !is_server {
                        self.end_call(lab, net, out, (at, flow));
                    }
                }
            }
            What::Connected => {
                self.clients[flow.client as usize].failures = 0;
                match lab.work {
                    Work::Calls { .. } => self.request(lab, net, out, (at, flow)),
                    _ => self.work_later(lab, net, out, flow),
                }
            }
            What::PeerClosed if is_server => net.close(out, at),
            What::PeerClosed => self.lose(lab, net, out, (at, flow)),
            What::Unwritable => {}
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

    /// A client sends the request of a call.
    fn request(
        &mut self,
        lab: &TcpLab,
        net: &mut Net,
        out: &mut impl Out,
        (at, flow): (Place, Flow),
    ) {
        let Work::Calls { bytes, .. } = lab.work else {
            return;
        };
        if net.send(out, at, bytes.into()) == Err(SendError::Pipe) {
            self.fail(lab, net, out, (at, flow), AppOp::Send, Errno::EPIPE);
        }
    }

    /// A client has its answer: it writes down how long that took, and calls again in time.
    fn end_call(
        &mut self,
        lab: &TcpLab,
        net: &mut Net,
        out: &mut impl Out,
        (at, flow): (Place, Flow),
    ) {
        let Work::Calls {
            interval_ms, fresh, ..
        } = lab.work
        else {
            return;
        };
        let client = &mut self.clients[flow.client as usize];
        let Some(since) = client.calls_since.take_if(|_| client.conn == flow.conn) else {
            return;
        };
        let took = out.now() - since;
        let entity = net.clients[flow.client as usize];
        let latency_us = took.0 / 1_000;
        let (sport, dport, saddr, daddr) = net.four_tuple(at);
        out.record(
            entity,
            flow,
            Record::Call {
                latency_us,
                conn: flow.conn,
                sport,
                dport,
                saddr,
                daddr,
            },
        );
        let next = match fresh {
            false => Event::Work(flow),
            true => {
                client.at = None;
                net.close(out, at);
                let client = flow.client;
                Event::Connect { client }
            }
        };
        let rest = Span::from_ms(interval_ms).0.saturating_sub(took.0);
        out.after(Span(rest), entity, next);
    }

    // The server with one thread.

    /// It gets something to do.
    fn add(&mut self, service: Service, net: &Net, out: &mut impl Out, task: Task) {
        self.tasks.push_back(task);
        if self.tasks.len() == 1 {
            out.after(service.takes(task), net.server, Event::Serve);
        }
    }

    /// It is through with the first thing, and turns to the next.
    pub(super) fn serve(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out) {
        let (Some(service), Some(task)) = (lab.service, self.tasks.front().copied()) else {
            return;
        };
        self.perform(lab, net, out, task);
        self.tasks.pop_front();
        if let Some(next) = self.tasks.front() {
            out.after(service.takes(*next), net.server, Event::Serve);
        }
    }

    fn perform(&mut self, lab: &TcpLab, net: &mut Net, out: &mut impl Out, task: Task) {
        match (task, lab.work) {
            (Task::Accept(listener), _) => {
                // What came before it was accepted is found now.
                let (Some(at), Some(service)) = (net.accept(listener), lab.service) else {
                    return;
                };
                let socket = net.socket(at);
                let flow = socket.flow;
                if socket.receive.fin || socket.state == TcpState::Close {
                    net.close(out, at);
                } else if socket.receive.unread > 0 {
                    self.add(service, net, out, Task::Answer(at, flow));
                }
            }
            (Task::Answer(at, flow), Work::Calls { bytes, .. }) => {
                let is_it = |socket: &super::socket::Socket| {
                    socket.flow == flow && socket.receive.unread > 0 && !socket.orphan
                };
                let socket = net.host(at.host).get(at.slot);
                if socket.is_some_and(is_it) {
                    net.read(out, at);
                    // A client that is gone learns nothing more.
                    let _ = net.send(out, at, bytes.into());
                }
            }
            _ => {}
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

    /// The path of a client, written to `text`, which may be that of another.
    pub(super) fn path(text: &mut String, number: u32) -> &str {
        text.clear();
        write!(text, "client-{}", number + 1).expect("memory takes all");
        text
    }
}

impl Service {
    fn takes(self, task: Task) -> Span {
        Span::from_us(match task {
            Task::Accept(_) => self.accept_us,
            Task::Answer(..) => self.request_us,
        })
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
