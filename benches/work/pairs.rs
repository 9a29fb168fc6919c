//! Request and response: two hosts, one request at a time, a link that takes a millisecond each way.
//! What either side receives is written into the hashed trace.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;
use std::time::Duration;

use faultlab_sim::engine::source::Defaults;
use faultlab_sim::engine::{
    Cx, Entity, Env, Faults, Limits, Machine, Names, Observer, Scheduling, Span, Time, Trace,
    TraceHash, World,
};

use super::timers::Fact;
use super::{Row, Side};

const LATENCY: Span = Span::from_ms(1);
const ROUND_TRIPS: u32 = 2_000;

#[derive(Clone, Hash)]
struct Link {
    client: Entity,
    server: Entity,
}

#[derive(Clone, Hash)]
enum Message {
    Request(u32),
    Response(u32),
}

impl World for Link {
    type Event = Message;
    type Record = Fact;

    fn step(&mut self, message: Message, cx: &mut Cx<'_, Message, Fact>) {
        match message {
            Message::Request(nth) => {
                cx.record(self.server, Fact::Fires { nth });
                cx.after(LATENCY, self.client, Message::Response(nth));
            }
            Message::Response(nth) => {
                cx.record(self.client, Fact::Fires { nth });
                if nth + 1 < ROUND_TRIPS {
                    cx.after(LATENCY, self.server, Message::Request(nth + 1));
                }
            }
        }
    }
}

fn ours() -> (TraceHash, u64) {
    let mut names = Names::new();
    let link = Link {
        client: names.name("client"),
        server: names.name("server"),
    };
    let mut trace = Trace::hashed();
    let mut machine = Machine::new(link, Faults::default(), Scheduling::default());
    let mut env = Env {
        names: &mut names,
        source: &mut Defaults,
        observer: &mut trace,
    };
    machine.begin(&mut env, |link, cx| {
        cx.after(LATENCY, link.server, Message::Request(0));
    });
    machine.run(&mut env, Limits::NONE);
    (trace.hash(), trace.len() / 2)
}

fn turmoil() -> (TraceHash, u64) {
    const PORT: u16 = 9;
    let mut names = Names::new();
    let (client, server) = (names.name("client"), names.name("server"));
    let shared = Rc::new(RefCell::new((Trace::<Fact>::hashed(), names)));
    let see = |actor: Entity| {
        let shared = shared.clone();
        move |nth: u32| {
            let (trace, names) = &mut *shared.borrow_mut();
            let now = Time(turmoil::sim_elapsed().expect("in a simulation").as_nanos() as u64);
            trace.see(now, actor, &Fact::Fires { nth }, names);
        }
    };
    let latency = Duration::from_nanos(LATENCY.0);
    let mut sim = turmoil::Builder::new()
        .rng_seed(0)
        .simulation_duration(Duration::from_secs(3600))
        .tick_duration(latency)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .build();
    let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let seen = see(server);
    sim.host("server", move || {
        let seen = seen.clone();
        async move {
            let socket = turmoil::net::UdpSocket::bind((any, PORT)).await?;
            let mut bytes = [0; 4];
            loop {
                let (_, from) = socket.recv_from(&mut bytes).await?;
                seen(u32::from_le_bytes(bytes));
                socket.send_to(&bytes, from).await?;
            }
        }
    });
    let seen = see(client);
    sim.client("client", async move {
        let socket = turmoil::net::UdpSocket::bind((any, PORT)).await?;
        let server = (turmoil::lookup("server"), PORT);
        let mut bytes = [0; 4];
        for nth in 0..ROUND_TRIPS {
            socket.send_to(&nth.to_le_bytes(), server).await?;
            socket.recv_from(&mut bytes).await?;
            seen(u32::from_le_bytes(bytes));
        }
        Ok(())
    });
    sim.run().expect("the client ends well");
    let (trace, _) = &*shared.borrow();
    (trace.hash(), trace.len() / 2)
}

/// One row.
pub fn rows() -> Vec<Row> {
    assert_eq!(ours().1, turmoil().1, "the same work");
    vec![Row {
        work: "request and response between two hosts".into(),
        unit: "round trips",
        ours: Side::new("faultlab", || ours().1),
        peers: vec![Side::new("turmoil", || turmoil().1)],
        differs: "turmoil runs tokio code over simulated UDP sockets, one runtime a host, in ticks \
                  (here as long as the latency, its best case); faultlab passes messages as events",
    }]
}
