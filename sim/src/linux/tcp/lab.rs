//! The world: applications over kernels over a link.

use super::app::{Apps, Client};
use super::config::{ConfigError, TcpLab};
use super::fault::{self, FaultError, windows};
use super::host::Counters;
use super::link::{Capture, Carried, Link};
use super::net::{Net, Out};
use super::segment::{Flow, HostId, Segment};
use super::socket::Place;
use super::timer::Timer;
use crate::engine::{Cx, Entity, Record, Span, Time};
use crate::linux::tracepoint;

/// What the agenda holds for a [`Lab`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A segment arrives at its receiver. Kept apart, as thousands of other events wait for each that travels.
    Arrive(Box<Segment>),
    /// A kernel's timer may fire.
    Timer {
        /// At which host.
        host: HostId,
        /// For which of its sockets.
        slot: u32,
        /// Which of that one's timers.
        timer: Timer,
    },
    /// A client connects.
    Connect {
        /// Which, from 0.
        client: u32,
    },
    /// A client does what it does on its connection.
    Work(Flow),
    /// A server with one thread is through with something.
    Serve,
    /// The server's process ends, by a fault.
    ServerDies,
    /// The server's process is there again.
    ServerReturns,
    /// The link goes down, by a fault.
    LinkFails,
    /// The link works again.
    LinkReturns,
}

/// A TCP lab under way: see [`TcpLab`] for what it is made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lab {
    config: std::sync::Arc<TcpLab>,
    net: Net,
    apps: Apps,
    link: Entity,
}

impl Lab {
    /// The entity of the server.
    pub const SERVER: &'static str = "server";
    /// The entity of the link.
    pub const LINK: &'static str = "link";

    /// A lab at time 0, in which nothing has happened yet.
    pub fn new(config: TcpLab) -> Result<Lab, ConfigError> {
        config.check()?;
        let server = Entity::of(Lab::SERVER);
        let delay = Span::from_us(config.link_delay_us);
        let link = Link::new(delay, Span(config.link_packet_ns));
        let sysctls = std::sync::Arc::new(config.sysctls()?);
        let kernel = config.kernel;
        let mut net = Net::new(server, kernel, sysctls.clone(), config.clock(), link);
        let hosts = match config.client_hosts {
            0 => config.clients,
            hosts => hosts,
        };
        net.flood = config.flood;
        net.hosts.reserve_exact(hosts as usize);
        net.clients.reserve_exact(config.clients as usize);
        for _ in 0..hosts {
            net.add_host(kernel, sysctls.clone());
        }
        let mut apps = Apps {
            clients: Vec::with_capacity(config.clients as usize),
            serves: false,
            tasks: std::collections::VecDeque::new(),
        };
        let mut path = String::new();
        for number in 0..config.clients {
            net.clients.push(Entity::of(Apps::path(&mut path, number)));
            apps.clients.push(Client::new(HostId(1 + number % hosts)));
        }
        Ok(Lab {
            config: config.into(),
            net,
            apps,
            link: Entity::of(Lab::LINK),
        })
    }

    /// What it is made of.
    pub fn config(&self) -> &TcpLab {
        &self.config
    }

    pub(super) fn net(&self) -> &Net {
        &self.net
    }

    /// What the link has carried so far.
    pub fn carried(&self) -> Carried {
        self.net.carried()
    }

    /// Captures the segments that are handed to the link from now on.
    pub fn capture(&mut self) {
        self.net.link.captured.begin();
    }

    /// What was captured.
    pub fn into_capture(self) -> Capture {
        Capture {
            has_sack: self.net.sysctls(HostId::SERVER).sack,
            addresses: self.net.hosts.iter().map(|host| host.addr).collect(),
            packets: self.net.link.captured.into_packets(),
        }
    }

    /// What a host has counted: 0 is the server.
    pub fn counters(&self, host: HostId) -> Option<Counters> {
        let host = self.net.hosts.get(host.0 as usize);
        host.map(|host| host.counters)
    }

    /// Makes the first entries of the agenda: the server listens, clients are to connect, faults that
    /// last from one time to another are to begin and to end.
    pub fn begin<E, R>(&mut self, cx: &mut Cx<'_, E, R>) -> Result<(), FaultError>
    where
        E: From<Event>,
        R: Record + From<tracepoint::Record>,
    {
        let deaths = windows(cx.faults(), fault::LISTENER_DOWN)?;
        let outages = windows(cx.faults(), fault::LINK_DOWN)?;
        self.net.link.may_lose = cx.faults().named(fault::PACKET_LOSS).next().is_some();
        self.net.boot(cx);
        cx.name(Lab::SERVER);
        cx.name(Lab::LINK);
        let mut path = String::new();
        for number in 0..self.config.clients {
            cx.name(Apps::path(&mut path, number));
        }
        let server = self.net.server;
        for window in deaths {
            plan(cx, server, window.from, Event::ServerDies);
            plan_end(cx, server, window.until, Event::ServerReturns);
        }
        for window in outages {
            // From the very beginning: before the first SYN, whatever the order of equal times is.
            match window.from == cx.now() {
                true => self.net.link.down = cx.strikes(fault::LINK_DOWN, self.link),
                false => plan(cx, self.link, window.from, Event::LinkFails),
            }
            plan_end(cx, self.link, window.until, Event::LinkReturns);
        }
        self.serve(cx);
        let ramp = Span::from_ms(self.config.ramp_ms).0;
        let clients = self.config.clients;
        for number in 0..clients {
            let position = u128::from(ramp) * u128::from(number) / u128::from(clients);
            let entity = self.net.clients[number as usize];
            cx.after(
                Span(position as u64),
                entity,
                Event::Connect { client: number },
            );
        }
        Ok(())
    }

    /// Takes one step.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: Record + From<tracepoint::Record>,
    {
        let Lab {
            config, net, apps, ..
        } = self;
        match event {
            Event::Arrive(segment) => net.arrive(cx, segment),
            Event::Timer { host, slot, timer } => net.timer_due(cx, Place { host, slot }, timer),
            Event::Connect { client } => apps.connect(config, net, cx, client),
            Event::Work(flow) => apps.work(config, net, cx, flow),
            Event::Serve => apps.serve(config, net, cx),
            Event::ServerDies => self.die(cx),
            Event::ServerReturns => self.serve(cx),
            Event::LinkFails => {
                net.link.down = cx.strikes(fault::LINK_DOWN, self.link);
            }
            Event::LinkReturns => net.link.down = false,
        }
        self.tell(cx);
    }

    /// Applications hear what this step has brought, and what their own calls then bring.
    fn tell(&mut self, out: &mut impl Out) {
        let mut told = 0;
        while let Some(notice) = self.net.notices.get(told).copied() {
            told += 1;
            self.apps.hear(&self.config, &mut self.net, out, notice);
        }
        self.net.notices.clear();
    }

    /// The server's process starts and listens.
    fn serve(&mut self, out: &mut impl Out) {
        if !self.apps.serves {
            let backlog = self.config.backlog;
            let port = self.config.port;
            let listening = self.net.listen(out, HostId::SERVER, port, backlog);
            debug_assert!(
                listening.is_ok(),
                "a process that did not serve held no port"
            );
            self.apps.serves = true;
        }
    }

    /// The server's process ends.
    fn die(&mut self, out: &mut impl Out) {
        if !out.strikes(fault::LISTENER_DOWN, self.net.server) || !self.apps.serves {
            return;
        }
        let connections: Vec<u32> = self.net.host(HostId::SERVER).occupied().collect();
        for slot in connections {
            let at = Place {
                host: HostId::SERVER,
                slot,
            };
            let socket = self.net.socket(at);
            if socket.is_open_connection() {
                let client = self.net.clients[socket.flow.client as usize];
                let is_unread = out.strikes(fault::ABORT_ON_DEATH, client);
                let lingers_zero = out.strikes(fault::LINGER_ZERO, client);
                let socket = self.net.socket_mut(at);
                socket.receive.unread += u64::from(is_unread);
                socket.lingers_zero |= lingers_zero;
            }
        }
        self.net.exit(out, HostId::SERVER);
        self.apps.serves = false;
        // What it is at ends without effect.
        self.apps.tasks.truncate(1);
    }
}

fn plan<E: From<Event>, R: Record>(cx: &mut Cx<'_, E, R>, entity: Entity, at: Time, event: Event) {
    cx.after(at - cx.now(), entity, event);
}

fn plan_end<E: From<Event>, R: Record>(
    cx: &mut Cx<'_, E, R>,
    entity: Entity,
    at: Option<Time>,
    event: Event,
) {
    if let Some(at) = at {
        plan(cx, entity, at, event);
    }
}
