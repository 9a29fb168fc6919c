//! The generator against the detailed model; windows, steps and nodes of it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::tests::{drawn, flows, population};
use super::super::{AggregateConfig, Event, Tally, Trouble};
use super::{Arriving, Drawn, Flows, Incident, Life, NodeStream, Population};
use crate::engine::source::{Defaults, Edited, Recorder, Seed};
use crate::engine::{
    Armed, Cx, Env, Faults, Limits, Machine, Names, Scheduling, Span, Time, Trace, When, World,
};
use crate::linux::tcp::{self, Lab, Reconnect, Seen, TcpLab, Work};
use crate::linux::tracepoint::Record;

fn events_of(
    population: &Population,
    node: u32,
    from: Time,
    until: Time,
    step: Span,
) -> Vec<Event> {
    let drawn = drawn(population, node);
    events_as_drawn(population, node, &drawn, from, until, step)
}

fn events_as_drawn(
    population: &Population,
    node: u32,
    drawn: &Drawn,
    from: Time,
    until: Time,
    step: Span,
) -> Vec<Event> {
    let mut stream = NodeStream::new(population, node, drawn, from, false);
    let (mut all, mut events, mut packets) = (Vec::new(), Vec::new(), Vec::new());
    let mut now = from;
    while now < until {
        now = (now + step).min(until);
        stream.take(now, &mut events, &mut packets);
        all.append(&mut events);
    }
    all
}

fn at(ms: u64) -> Time {
    Time::default() + Span::from_ms(ms)
}

#[derive(Clone, Hash, Debug)]
struct Stage(Lab);

impl World for Stage {
    type Event = tcp::Event;
    type Record = Seen;
    fn step(&mut self, event: tcp::Event, cx: &mut Cx<'_, tcp::Event, Seen>) {
        self.0.step(event, cx);
    }
}

/// What one connection shows: when, and what, without what no two kernels agree on (addresses of sockets
/// and hosts, cookies, the number of the local port).
type Shown = Vec<(u64, String)>;

fn shown(time: Time, record: &Record) -> (u64, String) {
    let mut text = record.kind().to_owned();
    record.fields(&mut |name, value| {
        let value = match name {
            "skaddr" if value.as_number() == Some(0) => "none".into(),
            "skaddr" | "req" | "sock_cookie" | "saddr" | "daddr" => return,
            "sport" | "dport" if value.as_number() > Some(6379) => "local".into(),
            _ => value.to_string(),
        };
        text.push_str(&format!(" {name}={value}"));
    });
    (time.0, text)
}

const CONNECTIONS: u32 = 10_000;

/// The detailed model: what each client, and the server's end of it, shows.
fn detailed(lab: TcpLab, faults: &[(&'static str, &str, u64)]) -> (Vec<Shown>, Vec<Shown>) {
    let armed = faults.iter().map(|(name, at, from_ms)| Armed {
        name,
        at: (*at).into(),
        when: When {
            from_ms: Some(*from_ms),
            ..When::default()
        },
        params: BTreeMap::new(),
    });
    let until = lab.until();
    let lab = Lab::new(lab).expect("it makes sense");
    let (mut names, mut source, mut trace) = (Names::new(), Defaults, Trace::<Seen>::kept());
    let mut env = Env {
        names: &mut names,
        source: &mut source,
        observer: &mut trace,
    };
    let faults = Faults::new(armed.collect());
    let scheduling = Scheduling { preempt_once_in: 4 };
    let mut machine = Machine::new(Stage(lab), faults, scheduling);
    machine.begin(&mut env, |stage, cx| {
        stage.0.begin(cx).expect("the faults make sense");
    });
    let limits = Limits {
        until,
        ..Limits::NONE
    };
    machine.run(&mut env, limits);
    let by_actor: BTreeMap<String, usize> = (0..CONNECTIONS as usize)
        .map(|client| (format!("client-{}", client + 1), client))
        .collect();
    let mut clients = vec![Shown::new(); CONNECTIONS as usize];
    let mut servers = clients.clone();
    let mut by_peer = BTreeMap::new();
    for entry in trace.into_entries() {
        let Seen::Tcp { record, .. } = &entry.record else {
            continue;
        };
        if matches!(record, Record::App { .. } | Record::Call { .. }) {
            continue;
        }
        let ((saddr, sport), (daddr, dport)) = record.ends();
        match by_actor.get(&*entry.actor) {
            Some(client) => {
                by_peer.entry((saddr, daddr)).or_insert(*client);
                clients[*client].push(shown(entry.at, record));
            }
            // The listener's own events have no peer.
            None if dport != 0 => {
                let client = by_peer[&(daddr, saddr)];
                servers[client].push(shown(entry.at, record));
            }
            None => assert!(sport == 6379 || sport == 0),
        }
    }
    (clients, servers)
}

/// The generator: what each connection shows, the first that arrives at `from_s`.
fn generated(flows: Flows, from_s: u64, seconds: u64) -> Vec<Shown> {
    let population = Population {
        incidents: vec![Incident {
            trouble: Trouble::ResetBurst,
            nodes: (0, 1),
            from_s,
            for_s: seconds.min(10),
            flows,
        }],
        ..population(seconds + from_s, Vec::new())
    };
    let mut connections = vec![Shown::new(); CONNECTIONS as usize];
    let mut of_socket = BTreeMap::new();
    let step = Span::from_ms(700);
    let until = at(population.seconds * 1_000);
    // Where no choice says otherwise, as in the detailed model.
    let usual = Drawn::from_source(&population, 0, &mut Defaults);
    for event in events_as_drawn(&population, 0, &usual, Time::default(), until, step) {
        let number = match &event.record {
            // Sockets are numbered as their connections.
            Record::SendReset { dport, .. } => u64::from(dport - 32_768),
            Record::RetransmitSynack { req, .. } => *req,
            Record::SetState { skaddr, .. }
            | Record::RetransmitSkb { skaddr, .. }
            | Record::ReceiveReset { skaddr, .. }
            | Record::DestroySock { skaddr, .. } => *skaddr,
            Record::App { .. } | Record::Call { .. } => unreachable!("no application is here"),
        };
        let next = of_socket.len();
        let connection = *of_socket.entry(number).or_insert(next);
        if let Some(shows) = connections.get_mut(connection) {
            shows.push(shown(event.at, &event.record));
        }
    }
    connections
}

fn same(life: Life, ours: &[Shown], detailed: &[Shown], later_ns: u64) {
    for (number, (ours, detailed)) in ours.iter().zip(detailed).enumerate() {
        let ours: Shown = ours
            .iter()
            .map(|(time, text)| (time + later_ns, text.clone()))
            .collect();
        assert_eq!(&ours, detailed, "{life:?}, connection {number}");
        assert!(!ours.is_empty(), "{life:?}, connection {number}");
    }
}

/// A client a millisecond for ten seconds.
fn lab(work: Work, until_s: u64) -> TcpLab {
    TcpLab {
        clients: CONNECTIONS,
        ramp_ms: 10_000,
        link_packet_ns: 0,
        work,
        reconnect: Reconnect::Never,
        until_ms: until_s * 1_000,
        ..TcpLab::default()
    }
}

fn one_a_millisecond(life: Life) -> Flows {
    Flows {
        arriving: Arriving::Regular,
        ..flows(life, 1_000_000)
    }
}

const LINK_NS: u64 = 100_000;

#[test]
fn connections_that_the_client_closes() {
    let (clients, servers) = detailed(lab(Work::Short { hold_ms: 30 }, 12), &[]);
    let ours = generated(one_a_millisecond(Life::ClientCloses), 0, 12);
    same(Life::ClientCloses, &ours, &clients, 0);
    let ours = generated(one_a_millisecond(Life::Served), 0, 12);
    same(Life::Served, &ours, &servers, LINK_NS);
}

#[test]
fn connections_that_nobody_closes() {
    let (clients, servers) = detailed(lab(Work::Idle, 12), &[]);
    let ours = generated(one_a_millisecond(Life::Leaked), 0, 12);
    same(Life::Leaked, &ours, &clients, 0);
    let ours = generated(one_a_millisecond(Life::ServedForever), 0, 12);
    same(Life::ServedForever, &ours, &servers, LINK_NS);
}

#[test]
fn connections_that_are_refused() {
    let (clients, servers) = detailed(lab(Work::Idle, 12), &[("listener-down", "server", 0)]);
    let ours = generated(one_a_millisecond(Life::Refused), 0, 12);
    same(Life::Refused, &ours, &clients, 0);
    let ours = generated(one_a_millisecond(Life::Refuses), 0, 12);
    same(Life::Refuses, &ours, &servers, LINK_NS);
}

#[test]
fn connections_that_nobody_answers() {
    let (clients, _) = detailed(lab(Work::Idle, 160), &[("link-down", "link", 0)]);
    let ours = generated(one_a_millisecond(Life::Unanswered), 0, 160);
    same(Life::Unanswered, &ours, &clients, 0);
}

#[test]
fn connections_without_a_port() {
    let taken = 2;
    let config = TcpLab {
        client_hosts: 1,
        sysctl: BTreeMap::from([("net.ipv4.ip_local_port_range".into(), "40000 40001".into())]),
        ..lab(Work::Idle, 12)
    };
    let (clients, _) = detailed(config, &[]);
    let ours = generated(one_a_millisecond(Life::NoPort), 0, 12);
    same(Life::NoPort, &ours[taken..], &clients[taken..], 0);
}

/// All SYNs of a second are under way when the link fails, so that no answer arrives and none is sent again.
/// They come 50 us after the generator's, in the same ticks.
#[test]
fn requests_that_stay_half_open() {
    let config = TcpLab {
        ramp_ms: 1_000,
        link_delay_us: 1_000_050,
        backlog: 20_000,
        sysctl: BTreeMap::from([
            ("net.core.somaxconn".into(), "20000".into()),
            ("net.ipv4.tcp_max_syn_backlog".into(), "20000".into()),
        ]),
        ..lab(Work::Idle, 70)
    };
    let (_, servers) = detailed(config, &[("link-down", "link", 1_000)]);
    let flows = Flows {
        arriving: Arriving::Regular,
        ..flows(Life::HalfOpen, 10_000_000)
    };
    let mut ours = generated(flows, 1, 70);
    ours.truncate(CONNECTIONS as usize);
    same(Life::HalfOpen, &ours, &servers, 0);
}

fn mixed() -> Population {
    let mut population = population(
        200,
        vec![
            flows(Life::ClientCloses, 40_000),
            Flows {
                arriving: Arriving::Bursts(7),
                ..flows(Life::Served, 30_000)
            },
        ],
    );
    population.incidents = vec![Incident {
        trouble: Trouble::SynTimeouts,
        nodes: (1, 3),
        from_s: 5,
        for_s: 20,
        flows: flows(Life::Unanswered, 30_000),
    }];
    population
}

/// All that is left open is a choice with a name; without one of them the rest stays as it was, and so it does
/// without a kind of connections.
#[test]
fn what_is_left_open_is_chosen_by_name() {
    let population = mixed();
    let mut recorder = Recorder::new(Seed(7));
    let drawn = Drawn::from_source(&population, 1, &mut recorder);
    let choices = recorder.taken().choices;
    let keys: Vec<String> = choices
        .iter()
        .map(|choice| choice.key.to_string())
        .collect();
    assert_eq!(
        keys,
        [
            "boot at node-1, time 1",
            "arrivals at node-1/client-closes-6379, time 1",
            "arrivals at node-1/served-6379, time 1",
            "arrivals at node-1/syn-timeouts/unanswered-6379, time 1",
        ]
    );
    let replay = |without: Option<usize>| {
        let mut source = Edited::new(&choices, |index| Some(index) != without, Defaults);
        Drawn::from_source(&population, 1, &mut source)
    };
    assert_eq!(replay(None), drawn);
    let until = at(20_000);
    let from_others = |drawn: &Drawn, port_of_kind: fn(&Record) -> bool| {
        let step = Span::from_s(1);
        let mut events = events_as_drawn(&population, 1, drawn, Time::default(), until, step);
        events.retain(|event| port_of_kind(&event.record));
        events
    };
    // The server's own port tells its connections from those of clients.
    let served = |record: &Record| record.ends().0.1 == 6379;
    let other = |record: &Record| record.ends().0.1 != 6379;
    let without = replay(Some(1));
    assert_eq!(from_others(&without, served), from_others(&drawn, served));
    assert_ne!(from_others(&without, other), from_others(&drawn, other));

    let mut fewer = population.clone();
    fewer.flows.remove(0);
    let fewer = Drawn::from_source(&fewer, 1, &mut Seed(7));
    assert_eq!(fewer.boot_jiffies, drawn.boot_jiffies);
    assert_eq!(fewer.numbers, drawn.numbers[1..]);
}

/// Two kinds of one name are two choices, and nodes boot at different times.
#[test]
fn kinds_of_one_name_and_nodes_differ() {
    let twice = population(10, vec![flows(Life::Served, 1_000); 2]);
    let drawn: Vec<Drawn> = (0..4)
        .map(|node| Drawn::from_source(&twice, node, &mut Seed(1)))
        .collect();
    assert_ne!(drawn[0].numbers[0], drawn[0].numbers[1]);
    let mut phases: Vec<u64> = drawn.iter().map(|drawn| drawn.boot_jiffies).collect();
    phases.sort_unstable();
    phases.dedup();
    assert_eq!(phases.len(), 4, "{phases:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// A window of a day holds what the day holds there, whatever the steps in which either is taken.
    #[test]
    fn a_window_is_a_part_of_the_whole(node in 0_u32..4, from_ms in 0_u64..190_000, len_ms in 1_u64..10_000, step_ms in 1_u64..5_000) {
        let population = mixed();
        let (from, until) = (at(from_ms), at(from_ms + len_ms));
        let whole = events_of(&population, node, Time::default(), until, Span::from_ms(900));
        let window = events_of(&population, node, from, until, Span::from_ms(step_ms));
        let within: Vec<Event> = whole.into_iter().filter(|event| event.at >= from).collect();
        prop_assert_eq!(window, within);
    }

    /// Nodes add up in any order and any parts.
    #[test]
    fn tallies_add_up(order in Just(vec![0_u32, 1, 2, 3]).prop_shuffle(), cut in 0_usize..5) {
        let population = Population { seconds: 30, incidents: Vec::new(), ..mixed() };
        let tally = |nodes: &[u32]| {
            let mut sum = Tally::default();
            nodes.iter().for_each(|node| sum.add(&population.tally(*node, &drawn(&population, *node), AggregateConfig::default())));
            sum
        };
        let (one, other) = order.split_at(cut);
        let mut parts = tally(one);
        parts.add(&tally(other));
        prop_assert_eq!(parts, tally(&[0, 1, 2, 3]));
    }
}

/// A sum has of each number the sum, and of the most keys the most, by another way than [`Tally::add`]'s own.
#[test]
fn a_sum_of_tallies_has_the_sum_of_each_number() {
    let population = Population {
        seconds: 30,
        ..mixed()
    };
    // Too few keys, so that something is lost.
    let config = AggregateConfig {
        max_entries: 20,
        ..AggregateConfig::default()
    };
    let of_nodes: Vec<Tally> = (0..4)
        .map(|node| population.tally(node, &drawn(&population, node), config))
        .collect();
    let mut sum = Tally::default();
    of_nodes.iter().for_each(|tally| sum.add(tally));
    let numbers: [fn(&Tally) -> u64; 7] = [
        |tally| tally.nodes,
        |tally| tally.events,
        |tally| tally.record_bytes,
        |tally| tally.read_bytes,
        |tally| tally.counted,
        |tally| tally.lost,
        |tally| tally.scores[&Trouble::SynTimeouts].injected,
    ];
    for (index, number) in numbers.into_iter().enumerate() {
        assert_eq!(
            number(&sum),
            of_nodes.iter().map(number).sum::<u64>(),
            "{index}"
        );
        assert!(number(&sum) > 0, "{index}");
    }
    let digests = of_nodes.iter().map(|tally| tally.digest);
    assert_eq!(sum.digest, digests.fold(0, u64::wrapping_add));
    let most = of_nodes.iter().map(|tally| tally.most_keys).max();
    assert_eq!(Some(sum.most_keys), most);
}

#[test]
fn streams_are_in_the_order_of_time_and_end() {
    let population = mixed();
    let events = events_of(
        &population,
        1,
        Time::default(),
        at(400_000),
        Span::from_s(3),
    );
    assert!(events.is_sorted_by_key(|event| event.at));
    let last = events.last().expect("there are events").at;
    assert!(last < at(200_000) && last > at(199_000), "{last}");
    let other = events_of(
        &population,
        0,
        Time::default(),
        at(400_000),
        Span::from_s(3),
    );
    assert_ne!(events, other, "nodes differ");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let refused = |edit: fn(&mut Population)| {
        let mut population = mixed();
        edit(&mut population);
        population
            .check()
            .expect_err("it makes no sense")
            .to_string()
    };
    assert_eq!(
        refused(|population| population.nodes = 0),
        "nodes: must be from 1 to 65536"
    );
    assert_eq!(
        refused(|population| population.flows[0].port = 40_000),
        "flows[0].port: must be from 1 to 32767"
    );
    assert_eq!(
        refused(|population| population.incidents[0].flows.arriving = Arriving::Bursts(0)),
        "incidents[0].flows.arriving: must be from 1 to 1000000"
    );
    assert_eq!(
        refused(|population| population.incidents[0].for_s = 500),
        "incidents[0].for_s: must be from 1 to 195"
    );
    assert_eq!(
        refused(|population| population.incidents[0].from_s = 200),
        "incidents[0].from_s: must be from 0 to 199"
    );
    for nodes in [(3, 3), (2, 5), (4, 1)] {
        let mut population = mixed();
        population.incidents[0].nodes = nodes;
        let error = population.check().expect_err("no such nodes");
        assert_eq!(error.path, "incidents[0].nodes");
    }
    assert_eq!(Population::article_day().check(), Ok(()));
}

/// 4.2 billion events from 128 nodes, as the article has them.
#[test]
fn the_article_s_day_has_as_many_events() {
    let day = Population::article_day();
    let of_day = |flows: &Flows| flows.per_1000_s * day.seconds / 1_000 * flows.life.events();
    let events = day.flows.iter().map(of_day).sum::<u64>() * u64::from(day.nodes);
    assert_eq!(events / 1_000_000, 4_200);
}
