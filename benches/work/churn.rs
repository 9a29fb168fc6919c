//! Connections that come and go: each is opened and closed by the client, and counted by the ten changes of state
//! that a pair of sockets goes through.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use faultlab_sim::engine::source::Defaults;
use faultlab_sim::engine::{
    Cx, Entity, Env, Faults, Limits, Machine, Names, Observer, Scheduling, Time, World,
};
use faultlab_sim::linux::tcp::{Event, Lab, Reconnect, Seen, TcpLab, Work};
use faultlab_sim::linux::tracepoint::Record;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use super::{Row, Side};

/// Changes of state of a connection: five of each end.
const STATES: u64 = 10;

#[derive(Clone, Hash)]
struct Stage(Lab);

impl World for Stage {
    type Event = Event;
    type Record = Seen;
    fn step(&mut self, event: Event, cx: &mut Cx<'_, Event, Seen>) {
        self.0.step(event, cx);
    }
}

/// Counts state events.
#[derive(Default)]
struct States(u64);

impl Observer<Seen> for States {
    fn see(&mut self, _: Time, _: Entity, record: &Seen, _: &Names) {
        let is_state = matches!(
            record,
            Seen::Tcp {
                record: Record::SetState { .. },
                ..
            }
        );
        self.0 += u64::from(is_state);
    }
}

/// How often each side opens and closes all its connections, from a fresh start.
fn rounds(connections: u32) -> u32 {
    (4_000 / connections).clamp(1, 100)
}

/// `clients` connections at a time, each held for 50 ms; the next round begins when TIME_WAIT is over, as the
/// other sides' do.
fn ours(clients: u32) -> u64 {
    let rounds = u64::from(rounds(clients));
    let config = TcpLab {
        clients,
        ramp_ms: 50,
        work: Work::Short { hold_ms: 50 },
        reconnect: Reconnect::Fixed { delay_ms: 62_100 },
        until_ms: rounds * 62_151 + 60,
        ..TcpLab::default()
    };
    let limits = Limits {
        until: config.until(),
        ..Limits::NONE
    };
    let lab = Lab::new(config).expect("it makes sense");
    let mut machine = Machine::new(Stage(lab), Faults::default(), Scheduling::default());
    let (mut names, mut states) = (Names::new(), States::default());
    let mut env = Env {
        names: &mut names,
        source: &mut Defaults,
        observer: &mut states,
    };
    machine.begin(&mut env, |stage, cx| {
        stage.0.begin(cx).expect("there is no fault");
    });
    machine.run(&mut env, limits);
    states.0
}

/// One end of a cable.
#[derive(Default)]
struct Port {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

struct Received(Vec<u8>);
struct Sent<'a>(&'a mut VecDeque<Vec<u8>>);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Sent<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut packet = vec![0; len];
        let result = f(&mut packet);
        self.0.push_back(packet);
        result
    }
}

impl Device for Port {
    type RxToken<'a> = Received;
    type TxToken<'a> = Sent<'a>;
    fn receive(&mut self, _: Instant) -> Option<(Received, Sent<'_>)> {
        let packet = self.incoming.pop_front()?;
        Some((Received(packet), Sent(&mut self.outgoing)))
    }
    fn transmit(&mut self, _: Instant) -> Option<Sent<'_>> {
        Some(Sent(&mut self.outgoing))
    }
    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1_500;
        capabilities
    }
}

struct Host {
    port: Port,
    interface: Interface,
    sockets: SocketSet<'static>,
    handles: Vec<SocketHandle>,
}

impl Host {
    fn new(address: Ipv4Addr, connections: u32) -> Host {
        let mut port = Port::default();
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut port, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses
                .push(IpCidr::new(IpAddress::Ipv4(address), 24))
                .expect("there is room for one");
        });
        let mut sockets = SocketSet::new(Vec::new());
        let buffer = || tcp::SocketBuffer::new(vec![0; 64]);
        let handles = (0..connections)
            .map(|_| sockets.add(tcp::Socket::new(buffer(), buffer())))
            .collect();
        Host {
            port,
            interface,
            sockets,
            handles,
        }
    }

    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.port, &mut self.sockets);
    }
}

/// Exchanges packets until there are none.
fn settle(client: &mut Host, server: &mut Host, now: Instant) {
    loop {
        client.poll(now);
        server.poll(now);
        server.port.incoming.append(&mut client.port.outgoing);
        client.port.incoming.append(&mut server.port.outgoing);
        if server.port.incoming.is_empty() && client.port.incoming.is_empty() {
            return;
        }
    }
}

/// Each connection has a port of its own at the server, as a socket serves one connection there.
fn smoltcp(connections: u32) -> u64 {
    let (here, there) = (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2));
    let mut client = Host::new(here, connections);
    let mut server = Host::new(there, connections);
    let mut now = Instant::ZERO;
    let rounds = rounds(connections);
    for _ in 0..rounds {
        for nth in 0..connections as usize {
            let port = 1_000 + nth as u16;
            let socket = server
                .sockets
                .get_mut::<tcp::Socket<'_>>(server.handles[nth]);
            socket.abort();
            socket.listen(port).expect("it is closed");
            let socket = client
                .sockets
                .get_mut::<tcp::Socket<'_>>(client.handles[nth]);
            socket.abort();
            let to = (IpAddress::Ipv4(there), port);
            let context = client.interface.context();
            let connected = socket.connect(context, to, 30_000 + nth as u16);
            connected.expect("it is closed");
        }
        settle(&mut client, &mut server, now);
        now += smoltcp::time::Duration::from_millis(50);
        for (side, other) in [(true, false), (false, true)] {
            let host = if side && !other {
                &mut client
            } else {
                &mut server
            };
            for handle in host.handles.clone() {
                host.sockets.get_mut::<tcp::Socket<'_>>(handle).close();
            }
            settle(&mut client, &mut server, now);
        }
        let ends = |host: &mut Host, state| {
            let is = |handle: &&SocketHandle| {
                host.sockets.get::<tcp::Socket<'_>>(**handle).state() == state
            };
            host.handles.iter().filter(is).count() as u32
        };
        assert_eq!(ends(&mut client, tcp::State::TimeWait), connections);
        assert_eq!(ends(&mut server, tcp::State::Closed), connections);
        now += smoltcp::time::Duration::from_secs(11);
        settle(&mut client, &mut server, now);
    }
    u64::from(rounds * connections) * STATES
}

fn turmoil(connections: u32) -> u64 {
    const PORT: u16 = 9;
    let rounds = rounds(connections);
    let latency = Duration::from_millis(1);
    let mut sim = turmoil::Builder::new()
        .rng_seed(0)
        .simulation_duration(Duration::from_secs(3600))
        .tick_duration(latency)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .tcp_capacity(20_000)
        .build();
    let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    sim.host("server", move || async move {
        let listener = turmoil::net::TcpListener::bind((any, PORT)).await?;
        loop {
            let (mut stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                // The client closes first.
                let mut bytes = [0; 1];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut bytes).await;
            });
        }
    });
    sim.client("client", async move {
        for _ in 0..rounds {
            let connect = |_| {
                tokio::spawn(async {
                    let stream = turmoil::net::TcpStream::connect(("server", PORT)).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    drop(stream);
                    std::io::Result::Ok(())
                })
            };
            let all: Vec<_> = (0..connections).map(connect).collect();
            for one in all {
                one.await??;
            }
        }
        Ok(())
    });
    sim.run().expect("the client ends well");
    u64::from(rounds * connections) * STATES
}

/// A row for each number of connections.
pub fn rows() -> Vec<Row> {
    let row = |connections: u32| Row {
        work: format!("connections opened and closed, {connections} at a time"),
        unit: "state events",
        ours: Side::new("faultlab", move || ours(connections)),
        peers: vec![
            Side::new("smoltcp", move || smoltcp(connections)),
            Side::new("turmoil", move || turmoil(connections)),
        ],
        differs: "Each side opens and closes the same number of connections, its own set-up included, and waits for \
                  the end of TIME_WAIT where it has one. smoltcp is a TCP of its own that exchanges packets in \
                  memory (every poll looks at every socket); turmoil runs tokio code over simulated sockets, in ticks of a millisecond; faultlab's \
                  events are counted as they fire, the peers' as ten for each connection",
    };
    [10, 1_000, 10_000].map(row).into()
}
