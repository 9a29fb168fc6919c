//! What observing costs on the models, in time on the processor: the same events of one node through each observer, in
//! turn and in one run; what is shown is the least of the turns, as whatever disturbs only adds.

#[path = "work/cpu_time.rs"]
mod cpu_time;

use std::hint::black_box;

use cpu_time::CpuTime;
use criterion::measurement::Measurement as _;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Span, Time};
use faultlab_sim::observe::map::MapKind;
use faultlab_sim::observe::netfilter::{LogRule, format_line, parse_line};
use faultlab_sim::observe::population::{
    Arriving, Curve, Drawn, Flows, Life, NodeStream, PacketEvent, Population,
};
use faultlab_sim::observe::procfs::Source;
use faultlab_sim::observe::{
    Aggregate, AggregateConfig, Event, Export, ExportConfig, KeyBy, Log, LogConfig, Observer, Poll,
    PollConfig,
};

const TURNS: usize = 40;

fn main() {
    let (events, packets) = node(10_000, 40);
    let (of_many, _) = node(10_000, 10_000);
    println!("| what | unit | ns a unit | its reading, us | bytes a unit |");
    println!("|---|---|--:|--:|--:|");
    for (name, map, key, events, is_warm) in [
        (
            "per-CPU map, key: signal",
            MapKind::PerCpu,
            KeyBy::Signal,
            &events,
            false,
        ),
        (
            "per-CPU map, key: service",
            MapKind::PerCpu,
            KeyBy::Service,
            &events,
            false,
        ),
        (
            "per-CPU map, key: service, 10 000 flows, all known",
            MapKind::PerCpu,
            KeyBy::Service,
            &of_many,
            true,
        ),
        (
            "per-CPU map, key: service, 10 000 flows, all new",
            MapKind::PerCpu,
            KeyBy::Service,
            &of_many,
            false,
        ),
        (
            "per-CPU map, key: connection, 10 000 flows, all new",
            MapKind::PerCpu,
            KeyBy::Connection,
            &events,
            false,
        ),
        (
            "shared map, key: service",
            MapKind::Shared,
            KeyBy::Service,
            &events,
            false,
        ),
        (
            "LRU map, key: connection, 10 000 flows, all new",
            MapKind::Lru,
            KeyBy::Connection,
            &events,
            false,
        ),
    ] {
        let config = AggregateConfig {
            map,
            key,
            max_entries: 65_536,
            ..AggregateConfig::default()
        };
        observer(name, events, &[], || {
            let mut observer = Aggregate::new(config, Time::default());
            if is_warm {
                show(&mut observer, events, &[]);
            }
            observer
        });
    }
    observer("ring buffer", &events, &[], || {
        Export::new(ExportConfig {
            reader_ns: 100,
            bytes: 1 << 24,
            ..ExportConfig::RING
        })
    });
    observer("LOG and its parser", &[], &packets, || {
        Log::new(LogConfig {
            reader_ns: 100,
            log_bytes: 1 << 24,
            ..LogConfig::default()
        })
    });
    for (name, source) in [
        ("/proc/net/tcp every 120 ms", Source::ProcNetTcp),
        ("inet_diag every 120 ms", Source::InetDiag),
        ("sockstat every 120 ms", Source::Sockstat),
    ] {
        let config = PollConfig {
            source,
            period_ms: 120,
            hz: 250,
        };
        observer(name, &events, &[], || Poll::new(config, Time::default()));
    }
    lines(&packets);
}

/// Two seconds of a node with so many connections, to so many peers.
fn node(connections: u64, peers: u32) -> (Vec<Event>, Vec<PacketEvent>) {
    let population = Population {
        nodes: 1,
        cpus: 2,
        seconds: 2,
        flows: vec![Flows {
            life: Life::ClientCloses,
            port: 6379,
            per_1000_s: connections * 500,
            hold_us: 5_000,
            link_us: 100,
            peers,
            arriving: Arriving::Jittered,
            curve: Curve::Flat,
        }],
        incidents: Vec::new(),
    };
    let drawn = Drawn::from_source(&population, 0, &mut Seed(1));
    let mut stream = NodeStream::new(&population, 0, &drawn, Time::default(), true);
    let (mut events, mut packets) = (Vec::new(), Vec::new());
    let until = Time::default() + Span::from_s(2);
    stream.take(until, &mut events, &mut packets);
    (events, packets)
}

/// Shows an observer all events and packets, and then its reader what there is: both are timed.
fn observer<O: Observer>(
    name: &str,
    events: &[Event],
    packets: &[PacketEvent],
    new: impl Fn() -> O,
) {
    let mut units = 0;
    let mut bytes = 0;
    let mut samples = Vec::new();
    let mut readings = Vec::new();
    let ns = least(|| {
        let mut observer = new();
        samples.clear();
        let before = observer.toll();
        let began = CpuTime.start();
        show(&mut observer, events, packets);
        let shown = CpuTime.end(began);
        observer.read(Time::default() + Span::from_s(4), &mut samples);
        readings.push((CpuTime.end(began) - shown).as_nanos());
        let toll = observer.toll();
        units = match toll.offered - before.offered {
            0 => events.len() as u64,
            offered => offered,
        };
        bytes = toll.bytes - before.bytes;
        black_box(&samples);
        shown.as_nanos()
    });
    let reading = readings.iter().min().expect("there are turns");
    println!(
        "| {name} | event | {:.1} | {:.1} | {:.2} |",
        ns as f64 / units as f64,
        *reading as f64 / 1e3,
        bytes as f64 / units as f64
    );
}

fn show(observer: &mut impl Observer, events: &[Event], packets: &[PacketEvent]) {
    observer.tracepoints(events);
    for PacketEvent { at, cpu, packet } in packets {
        observer.packet(*at, *cpu, packet);
    }
}

/// Formatting and parsing of log lines, ours and by a regular expression.
fn lines(packets: &[PacketEvent]) {
    let rule = LogRule::default();
    let mut texts: Vec<Vec<u8>> = Vec::new();
    let formatted = least(|| {
        texts.clear();
        let began = CpuTime.start();
        for PacketEvent { at, packet, .. } in packets {
            let mut text = Vec::with_capacity(256);
            format_line(&rule, *at, packet, &mut text);
            texts.push(text);
        }
        CpuTime.end(began).as_nanos()
    });
    let parsed = least(|| {
        let began = CpuTime.start();
        for text in &texts {
            black_box(parse_line(text).expect("a line of the rule"));
        }
        CpuTime.end(began).as_nanos()
    });
    let pattern = regex::bytes::Regex::new(
        r"^\[ *(\d+)\.(\d{6})\] .*IN=(\S*) .*SRC=(\S+) DST=(\S+) LEN=(\d+) .*TTL=(\d+) ID=(\d+) .*PROTO=TCP SPT=(\d+) DPT=(\d+) WINDOW=(\d+) RES=\S+ (.*)URGP=",
    )
    .expect("a pattern");
    let matched = least(|| {
        let began = CpuTime.start();
        for text in &texts {
            black_box(pattern.captures(text).expect("a line of the rule"));
        }
        CpuTime.end(began).as_nanos()
    });
    let bytes: usize = texts.iter().map(Vec::len).sum();
    let per_line = |ns: u128| ns as f64 / texts.len() as f64;
    for (name, ns) in [
        ("format a LOG line", formatted),
        ("parse it", parsed),
        ("match it by a regular expression, fields as text", matched),
    ] {
        let of_line = bytes as f64 / texts.len() as f64;
        println!("| {name} | line | {:.1} | | {of_line:.1} |", per_line(ns));
    }
}

fn least(mut turn: impl FnMut() -> u128) -> u128 {
    (0..TURNS).map(|_| turn()).min().expect("there are turns")
}
