//! Observers of the models, measured: the same events of one node through each of them, in turn.

use std::hint::black_box;
use std::time::Duration;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Span, Time};
use faultlab_sim::observe::map::MapKind;
use faultlab_sim::observe::population::{
    Arriving, Curve, Drawn, Flows, Incident, Life, NodeStream, PacketEvent, Population,
};
use faultlab_sim::observe::procfs::Source;
use faultlab_sim::observe::{
    Aggregate, AggregateConfig, Buffer, Detector, Event, Export, ExportConfig, KeyBy, Log,
    LogConfig, Observer, Poll, PollConfig, Score, Trouble, netfilter, record_bytes,
};

use super::{Measured, Workload};
use crate::progress::Progress;

/// How often each is measured; the median counts.
pub const TURNS: usize = 5;

/// How many times as many connections an overload has.
pub const OVERLOAD: u64 = 100;

/// What a node shows in one second.
struct Second {
    now: Time,
    events: Vec<Event>,
    packets: Vec<PacketEvent>,
}

/// A way to observe.
struct Way {
    name: &'static str,
    unit: &'static str,
    observer: fn() -> Box<dyn Observer>,
}

/// A map of this kind with this key, read once a second.
fn map(map: MapKind, key: KeyBy) -> Box<dyn Observer> {
    let config = AggregateConfig {
        map,
        key,
        max_entries: 65_536,
        ..AggregateConfig::default()
    };
    Box::new(Aggregate::new(config, Time::default()))
}

fn export(buffer: Buffer) -> Box<dyn Observer> {
    Box::new(Export::new(ExportConfig {
        buffer,
        ..ExportConfig::RING
    }))
}

fn poll(source: Source) -> Box<dyn Observer> {
    let config = PollConfig {
        source,
        period_ms: 120,
        hz: Population::HZ,
    };
    Box::new(Poll::new(config, Time::default()))
}

const WAYS: [Way; 11] = [
    Way {
        name: "per-CPU map, by service",
        unit: "event",
        observer: || map(MapKind::PerCpu, KeyBy::Service),
    },
    Way {
        name: "per-CPU map, by connection",
        unit: "event",
        observer: || map(MapKind::PerCpu, KeyBy::Connection),
    },
    Way {
        name: "shared map, by service",
        unit: "event",
        observer: || map(MapKind::Shared, KeyBy::Service),
    },
    Way {
        name: "LRU map, by connection",
        unit: "event",
        observer: || map(MapKind::Lru, KeyBy::Connection),
    },
    Way {
        name: "ring buffer",
        unit: "event",
        observer: || export(Buffer::Ring { counts_drops: true }),
    },
    Way {
        name: "perf buffer",
        unit: "event",
        observer: || export(Buffer::Perf),
    },
    Way {
        name: "trace_printk",
        unit: "event",
        observer: || export(Buffer::TracePipe),
    },
    Way {
        name: LOG,
        unit: "packet",
        observer: || Box::new(Log::new(LogConfig::default())),
    },
    Way {
        name: "/proc/net/tcp, 120 ms",
        unit: "event",
        observer: || poll(Source::ProcNetTcp),
    },
    Way {
        name: "inet_diag, 120 ms",
        unit: "event",
        observer: || poll(Source::InetDiag),
    },
    Way {
        name: "sockstat, 120 ms",
        unit: "event",
        observer: || poll(Source::Sockstat),
    },
];

const LOG: &str = "LOG, our parser";
const REGEX: &str = "LOG, regular expression";

/// When the incident begins, and how long it lasts, in s.
const INCIDENT: (u64, u64) = (5, 5);

/// A node with so many connections a second, and a burst of resets in the middle.
fn population(rate: u64, seconds: u64) -> Population {
    let flows = |life, per_1000_s| Flows {
        life,
        port: 6379,
        per_1000_s,
        hold_us: 5_000,
        link_us: 100,
        peers: 40,
        arriving: Arriving::Jittered,
        curve: Curve::Flat,
    };
    let (from_s, for_s) = INCIDENT;
    let incident = Incident {
        trouble: Trouble::ResetBurst,
        nodes: (0, 1),
        from_s,
        for_s,
        flows: flows(Life::Refused, 500_000),
    };
    Population {
        nodes: 1,
        cpus: 2,
        seconds,
        flows: vec![flows(Life::ClientCloses, rate * 1_000)],
        incidents: match from_s + for_s <= seconds {
            true => vec![incident],
            false => Vec::new(),
        },
    }
}

fn seconds(population: &Population) -> Vec<Second> {
    let drawn = Drawn::from_source(population, 0, &mut Seed(1));
    let mut stream = NodeStream::new(population, 0, &drawn, Time::default(), true);
    (1..=population.seconds)
        .map(|second| {
            let now = Time::default() + Span::from_s(second);
            let (mut events, mut packets) = (Vec::new(), Vec::new());
            stream.take(now, &mut events, &mut packets);
            Second {
                now,
                events,
                packets,
            }
        })
        .collect()
}

/// Measures all ways on the models, each in so many turns.
pub fn on_models(rate: u64, turns: usize, progress: &Progress) -> (Workload, Vec<Measured>) {
    let incident = population(rate, 15);
    let normal = seconds(&incident);
    let overload = seconds(&population(rate * OVERLOAD, 2));
    let records = normal.iter().flat_map(|second| &second.events);
    let record_bytes: u64 = records
        .map(|event| u64::from(record_bytes(&event.record)))
        .sum();
    let workload = Workload {
        host: "sim",
        connections_per_s: rate,
        overload_connections_per_s: rate * OVERLOAD,
        events: normal.iter().map(|second| second.events.len() as u64).sum(),
        packets: normal
            .iter()
            .map(|second| second.packets.len() as u64)
            .sum(),
        record_bytes,
    };
    let mut all = Vec::new();
    for way in &WAYS {
        progress.say(way.name);
        let measured = measure(way, turns, &workload, &normal, &overload, &incident);
        let by_regex = (way.name == LOG).then(|| by_regex(&measured, turns, &normal));
        all.push(measured);
        all.extend(by_regex);
    }
    (workload, all)
}

fn measure(
    way: &Way,
    turns: usize,
    workload: &Workload,
    normal: &[Second],
    overload: &[Second],
    incident: &Population,
) -> Measured {
    let is_of_packets = way.unit == "packet";
    let units = match is_of_packets {
        true => workload.packets,
        false => workload.events,
    };
    let mut samples = Vec::new();
    let mut play = |observer: &mut dyn Observer| {
        for second in normal {
            show(observer, second, is_of_packets);
            samples.clear();
            observer.read(second.now, &mut samples);
            black_box(&samples);
        }
    };
    let ns = median(turns, || {
        let mut observer = (way.observer)();
        time_of(|| play(&mut *observer))
    });
    let mut observer = (way.observer)();
    let allocated = allocation_counter::measure(|| play(&mut *observer));
    let toll = observer.toll();

    let mut observer = (way.observer)();
    let (mut detector, mut delays) = (Detector::new(), Vec::new());
    for second in normal {
        show(&mut *observer, second, is_of_packets);
        samples.clear();
        observer.read(second.now, &mut samples);
        delays.extend(samples.iter().map(|sample| (sample.at - sample.from).0));
        detector.feed(&samples, second.now);
    }
    delays.sort_unstable();
    let score = Score::of(
        Trouble::ResetBurst,
        &incident.injected(0),
        &detector.finish(),
    );

    let mut observer = (way.observer)();
    for second in overload {
        show(&mut *observer, second, is_of_packets);
        observer.read(second.now, &mut samples);
    }
    let overloaded = observer.toll();
    let ppm = |part: u64, whole: u64| (part * 1_000_000).checked_div(whole);
    Measured {
        observer: way.name.into(),
        unit: way.unit,
        units,
        cpu_ns: ns / units as f64,
        allocations: allocated.count_total as f64 / units as f64,
        bytes: toll.bytes as f64 / units as f64,
        ratio_ppm: toll.bytes * 1_000_000 / workload.record_bytes.max(1),
        overload_lost_ppm: ppm(overloaded.lost(), overloaded.offered),
        overload_silent_ppm: ppm(overloaded.silent(), overloaded.offered),
        loss_signal: observer.loss_signal(),
        read_delay_us: (toll.offered > 0)
            .then(|| delays.get(delays.len() / 2).map(|ns| ns / 1_000))
            .flatten(),
        detection_delay_us: score.median_delay().map(|delay| delay.0 / 1_000),
        false_alarms: score.false_alarms,
    }
}

/// The same lines, matched by a regular expression in place of our parser.
fn by_regex(parsed: &Measured, turns: usize, normal: &[Second]) -> Measured {
    let pattern = regex::bytes::Regex::new(
        r"^\[ *(\d+)\.(\d{6})\] .*IN=(\S*) .*SRC=(\S+) DST=(\S+) LEN=(\d+) .*TTL=(\d+) ID=(\d+) .*PROTO=TCP SPT=(\d+) DPT=(\d+) WINDOW=(\d+) RES=\S+ (.*)URGP=",
    )
    .expect("a pattern");
    let rule = netfilter::LogRule::default();
    let mut lines = Vec::new();
    for PacketEvent { at, packet, .. } in normal.iter().flat_map(|second| &second.packets) {
        let mut line = Vec::new();
        netfilter::format_line(&rule, *at, packet, &mut line);
        lines.push(line);
    }
    let matching = |lines: &[Vec<u8>]| {
        for line in lines {
            black_box(pattern.captures(line).expect("a line of the rule"));
        }
    };
    let parsing = || {
        for line in &lines {
            black_box(netfilter::parse_line(line).expect("a line of the rule"));
        }
    };
    let matched_ns = median(turns, || time_of(|| matching(&lines)));
    let parsed_ns = median(turns, || time_of(parsing));
    let allocated = allocation_counter::measure(|| matching(&lines));
    let of_line = |ns: f64| ns / lines.len() as f64;
    Measured {
        observer: REGEX.into(),
        cpu_ns: parsed.cpu_ns - of_line(parsed_ns) + of_line(matched_ns),
        allocations: parsed.allocations + allocated.count_total as f64 / lines.len() as f64,
        ..parsed.clone()
    }
}

/// Shows an observer what concerns it.
fn show(observer: &mut dyn Observer, second: &Second, is_of_packets: bool) {
    if is_of_packets {
        for PacketEvent { at, cpu, packet } in &second.packets {
            observer.packet(*at, *cpu, packet);
        }
    } else {
        observer.tracepoints(&second.events);
    }
}

fn median(turns: usize, mut turn: impl FnMut() -> f64) -> f64 {
    let mut turns: Vec<f64> = (0..turns).map(|_| turn()).collect();
    turns.sort_by(f64::total_cmp);
    turns[turns.len() / 2]
}

/// How long this thread was on a processor with it, in ns.
fn time_of(work: impl FnOnce()) -> f64 {
    let began = now();
    work();
    (now() - began).as_nanos() as f64
}

/// The thread's time on a processor: other work on the machine does not count.
#[cfg(target_os = "linux")]
fn now() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(number(time.tv_sec)) + Duration::from_nanos(number(time.tv_nsec))
}

/// The time that has passed: this system has no clock of threads here.
#[cfg(not(target_os = "linux"))]
fn now() -> Duration {
    use std::sync::OnceLock;
    use std::time::Instant;
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    BEGAN.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use faultlab_sim::observe::Toll;

    use super::*;

    /// What does not hang on the machine: who loses, who finds, and that nothing allocates for each event.
    #[test]
    fn what_is_measured_is_what_observers_do() {
        let (workload, all) = on_models(20, 1, &Progress::silent());
        assert_eq!(all.len(), WAYS.len() + 1);
        let of = |name: &str| all.iter().find(|each| each.observer == name).expect(name);
        let map = of("per-CPU map, by service");
        assert!(map.allocations < 0.1, "{}", map.allocations);
        assert_eq!(map.overload_lost_ppm, Some(0));
        assert!(map.ratio_ppm > 0 && workload.events > 0);
        let ring = of("ring buffer");
        assert!(ring.detection_delay_us < map.detection_delay_us);
        assert_eq!(of("/proc/net/tcp, 120 ms").detection_delay_us, None);
        assert_eq!(of(LOG).bytes, of(REGEX).bytes);
        let by_connection = of("per-CPU map, by connection");
        assert!(by_connection.ratio_ppm > map.ratio_ppm);
    }

    #[test]
    fn an_overload_loses_what_its_reader_cannot_take() {
        let overload = seconds(&population(200_000, 1));
        let toll = |mut observer: Box<dyn Observer>| -> Toll {
            show(&mut *observer, &overload[0], false);
            observer.toll()
        };
        assert_eq!(toll(map(MapKind::PerCpu, KeyBy::Service)).lost(), 0);
        let ring = toll(export(Buffer::Ring { counts_drops: true }));
        assert!(ring.lost() * 2 > ring.offered && ring.silent() == 0);
    }
}
