//! Laws of observing, over streams of populations.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::population::{Arriving, Curve, Drawn, Flows, Incident, Life, NodeStream, Population};
use super::{
    Aggregate, AggregateConfig, Buffer, Event, Export, ExportConfig, KeyBy, Log, LogConfig,
    Observer, Reading, Sample, Signal, Trouble, key_of, map::MapKind, signal_of,
};
use crate::engine::source::Seed;
use crate::engine::{Span, Time};

pub(super) fn flows(life: Life, per_1000_s: u64) -> Flows {
    Flows {
        life,
        port: 6379,
        per_1000_s,
        hold_us: 30_000,
        link_us: 100,
        peers: 50,
        arriving: Arriving::Jittered,
        curve: Curve::Flat,
    }
}

pub(super) fn population(seconds: u64, flows: Vec<Flows>) -> Population {
    Population {
        nodes: 4,
        cpus: 2,
        seconds,
        flows,
        incidents: Vec::new(),
    }
}

pub(super) fn drawn(population: &Population, node: u32) -> Drawn {
    Drawn::from_source(population, node, &mut Seed(7))
}

fn busy(seconds: u64) -> Population {
    population(
        seconds,
        vec![
            flows(Life::ClientCloses, 200_000),
            flows(Life::Served, 100_000),
            flows(Life::Refused, 20_000),
        ],
    )
}

fn stream(population: &Population, seconds: u64) -> Vec<Event> {
    let mut stream = NodeStream::new(population, 1, &drawn(population, 1), Time::default(), false);
    let (mut events, mut packets) = (Vec::new(), Vec::new());
    let until = Time::default() + Span::from_s(seconds);
    stream.take(until, &mut events, &mut packets);
    events
}

/// Shows an observer everything, then lets its reader come to an end.
fn watch(observer: &mut dyn Observer, events: &[Event]) -> Vec<Sample> {
    let mut samples = Vec::new();
    for event in events {
        observer.tracepoint(event);
    }
    let last = events.last().map_or(Time::default(), |event| event.at);
    // Long enough for the slowest reader below.
    observer.read(last + Span::from_s(20), &mut samples);
    samples
}

fn sums(samples: &[Sample]) -> BTreeMap<Signal, u64> {
    let mut sums = BTreeMap::new();
    for sample in samples {
        *sums.entry(sample.signal).or_default() += sample.value;
    }
    sums
}

fn naive(events: &[Event]) -> BTreeMap<Signal, u64> {
    let mut sums = BTreeMap::new();
    for event in events {
        *sums.entry(signal_of(&event.record)).or_default() += 1;
    }
    sums
}

fn key() -> impl Strategy<Value = KeyBy> {
    prop_oneof![
        Just(KeyBy::Signal),
        Just(KeyBy::Service),
        Just(KeyBy::Connection)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Without a fault, aggregation is a naive count: for any key, period, time of a call, number of CPUs.
    #[test]
    fn aggregation_is_a_count(key in key(), cpus in 1_u8..5, period_ms in 50_u64..1_500, call_ns in 0_u64..200_000, shared in any::<bool>()) {
        let population = Population { cpus, ..busy(2) };
        let events = stream(&population, 2);
        let map = if shared { MapKind::Shared } else { MapKind::PerCpu };
        let config = AggregateConfig { map, max_entries: 10_000, cpus, key, period_ms, call_ns, ..AggregateConfig::default() };
        let mut aggregate = Aggregate::new(config, Time::default());
        let samples = watch(&mut aggregate, &events);
        prop_assert_eq!(sums(&samples), naive(&events));
        let toll = aggregate.toll();
        prop_assert_eq!((toll.offered, toll.lost()), (events.len() as u64, 0));
        prop_assert!(samples.is_sorted_by_key(|sample| sample.at));
    }

    /// It makes no difference whether events are shown one by one or in batches.
    #[test]
    fn batches_change_nothing(key in key(), kind in 0_usize..4, size in 10_u32..2_000, call_ns in prop_oneof![Just(0), 1_000_u64..1_000_000], batch in 1_usize..500) {
        let events = stream(&busy(2), 2);
        let map = [MapKind::Shared, MapKind::PerCpu, MapKind::Lru, MapKind::LruOfCpu][kind];
        let config = AggregateConfig { map, max_entries: size, key, period_ms: 250, call_ns, ..AggregateConfig::default() };
        let (mut one_by_one, mut batches) = (Aggregate::new(config, Time::default()), Aggregate::new(config, Time::default()));
        let (mut samples, mut of_batches) = (Vec::new(), Vec::new());
        for events in events.chunks(batch) {
            for event in events {
                one_by_one.tracepoint(event);
            }
            batches.tracepoints(events);
            let now = events[events.len() - 1].at;
            one_by_one.read(now, &mut samples);
            batches.read(now, &mut of_batches);
        }
        prop_assert_eq!(samples, of_batches);
        prop_assert!(one_by_one == batches);
    }

    /// Whatever is lost is told of by the observer's signal, or nothing could have noticed.
    #[test]
    fn losses_are_told_or_silent(size in 10_u32..400, delete in any::<bool>(), kind in 0_usize..4, counts in any::<bool>(), call_ns in prop_oneof![Just(0), 1_000_u64..1_000_000]) {
        let events = stream(&busy(2), 2);
        let map = [MapKind::Shared, MapKind::PerCpu, MapKind::Lru, MapKind::LruOfCpu][kind];
        let reading = if delete { Reading::Delete } else { Reading::Differences };
        let config = AggregateConfig {
            map, max_entries: size, key: KeyBy::Connection, period_ms: 250, call_ns, reading, counts_failures: counts, ..AggregateConfig::default()
        };
        let mut aggregate = Aggregate::new(config, Time::default());
        let samples = watch(&mut aggregate, &events);
        let toll = aggregate.toll();
        prop_assert_eq!(sums(&samples).values().sum::<u64>(), toll.reported);
        prop_assert_eq!(toll.offered, toll.reported + toll.pending + toll.lost());
        prop_assert!(toll.told <= toll.lost());
        if !counts {
            prop_assert_eq!((toll.told, aggregate.loss_signal()), (0, None));
        }
        if counts && !delete && kind < 2 {
            prop_assert_eq!(toll.silent(), 0, "a full map is all that loses here");
        }
    }

    /// Which CPU an event falls on changes no sum, and neither does the shard that a node is in.
    #[test]
    fn cpus_change_no_sum(one in 1_u8..9, other in 1_u8..9) {
        let of = |cpus| {
            let events = stream(&Population { cpus, ..busy(2) }, 2);
            let config = AggregateConfig { cpus, ..AggregateConfig::default() };
            sums(&watch(&mut Aggregate::new(config, Time::default()), &events))
        };
        prop_assert_eq!(of(one), of(other));
    }

    /// Buffers lose what does not fit, and only that; what they hand out comes in order, after it happened.
    #[test]
    fn buffers_keep_count(kind in 0_usize..4, reader_ns in 1_000_u64..2_000_000, pages in 0_u32..4, looks_every_ms in prop_oneof![Just(0), 1_u32..500]) {
        let events = stream(&busy(2), 2);
        let buffer = [Buffer::Ring { counts_drops: true }, Buffer::Ring { counts_drops: false }, Buffer::Perf, Buffer::TracePipe][kind];
        let config = ExportConfig { buffer, bytes: 4_096 << pages, cpus: 2, wake_ns: 27_000, reader_ns, looks_every_ms };
        let mut export = Export::new(config);
        let samples = watch(&mut export, &events);
        let toll = export.toll();
        prop_assert_eq!(toll.offered, events.len() as u64);
        prop_assert_eq!(toll.reported, samples.len() as u64);
        prop_assert_eq!(toll.pending, 0);
        let silent = if kind == 1 { toll.lost() } else { 0 };
        prop_assert_eq!(toll.silent(), silent);
        let soonest = if looks_every_ms == 0 { 27_000 + reader_ns } else { reader_ns };
        prop_assert!(samples.iter().all(|sample| sample.at >= sample.from + Span(soonest)));
        prop_assert!(samples.is_sorted_by_key(|sample| sample.at));
        if toll.lost() == 0 {
            prop_assert_eq!(sums(&samples), naive(&events));
        }
    }
}

/// Measured with bpftool on Linux 6.18: 10 240 entries, a key with the client's port, and 10 360 events
/// that only a counter of one's own tells of.
#[test]
fn an_exploded_key_fills_the_map() {
    let events = stream(&busy(20), 20);
    let config = AggregateConfig {
        key: KeyBy::Connection,
        ..AggregateConfig::default()
    };
    let mut aggregate = Aggregate::new(config, Time::default());
    watch(&mut aggregate, &events);
    assert_eq!(aggregate.map().len(), 10_240);
    let mut keys: Vec<_> = events
        .iter()
        .map(|event| key_of(KeyBy::Connection, event))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() > 10_240);
    let toll = aggregate.toll();
    assert!(toll.lost() > 0 && aggregate.failures() == Some(toll.lost()));
}

#[test]
fn reading_and_deleting_loses_what_comes_in_between() {
    let events = stream(&busy(4), 4);
    let with = |reading| {
        let config = AggregateConfig {
            call_ns: 200_000,
            reading,
            period_ms: 50,
            ..AggregateConfig::default()
        };
        let mut aggregate = Aggregate::new(config, Time::default());
        watch(&mut aggregate, &events);
        aggregate.toll().silent()
    };
    assert_eq!(with(Reading::Differences), 0);
    assert!(with(Reading::Delete) > 0);
}

/// Each row is read a little later, so that what is opened and what is closed are not of one instant.
#[test]
fn a_snapshot_is_torn_when_calls_take_time() {
    // 200 connections a second are held for 30 ms: six are open, and never many more or fewer than none.
    let population = population(4, vec![flows(Life::ClientCloses, 200_000)]);
    let events = stream(&population, 4);
    let is_possible = |call_ns| {
        let config = AggregateConfig {
            key: KeyBy::Signal,
            call_ns,
            period_ms: 200,
            ..AggregateConfig::default()
        };
        let mut aggregate = Aggregate::new(config, Time::default());
        let mut samples = Vec::new();
        for event in &events {
            aggregate.tracepoint(event);
        }
        aggregate.read(Time::default() + Span::from_s(4), &mut samples);
        let mut open = 0_i64;
        let mut is_possible = true;
        for batch in samples.chunk_by(|one, other| one.at == other.at) {
            for sample in batch {
                match sample.signal {
                    Signal::ConnectStarted => open += sample.value as i64,
                    Signal::TimeWaitMade => open -= sample.value as i64,
                    _ => {}
                }
            }
            is_possible &= (0..=12).contains(&open);
        }
        is_possible
    };
    assert!(is_possible(0), "in one instant");
    assert!(!is_possible(60_000_000), "60 ms between two keys");
}

/// What is handed over without a wake-up waits for the reader's next look; of a ring that is full before, the rest
/// is dropped, and the program's count says so.
#[test]
fn a_reader_that_nobody_wakes_comes_late() {
    let events = stream(&busy(4), 4);
    let with = |looks_every_ms, bytes| {
        let mut export = Export::new(ExportConfig {
            looks_every_ms,
            bytes,
            reader_ns: 1_000,
            ..ExportConfig::RING
        });
        let samples = watch(&mut export, &events);
        let slowest = samples.iter().map(|sample| sample.at - sample.from).max();
        (slowest.expect("there are samples"), export.toll())
    };
    let (woken, toll) = with(0, 1 << 20);
    assert!(woken < Span::from_ms(1) && toll.lost() == 0, "{woken}");
    let (late, toll) = with(500, 1 << 20);
    assert!(
        late > Span::from_ms(490) && late < Span::from_ms(520),
        "{late}"
    );
    assert_eq!(toll.lost(), 0);
    let (_, toll) = with(500, 4_096);
    assert!(toll.lost() > 0 && toll.silent() == 0);
}

#[test]
fn a_log_rule_in_a_namespace_is_silent() {
    let population = busy(2);
    let log = |config| {
        let mut log = Log::new(config);
        let drawn = drawn(&population, 0);
        let mut stream = NodeStream::new(&population, 0, &drawn, Time::default(), true);
        let (mut events, mut packets, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        stream.take(Time::default() + Span::from_s(2), &mut events, &mut packets);
        for each in &packets {
            log.packet(each.at, each.cpu, &each.packet);
        }
        log.read(Time::default() + Span::from_s(60), &mut samples);
        (samples.len(), log.toll(), log.loss_signal())
    };
    let namespace = LogConfig {
        in_namespace: true,
        ..LogConfig::default()
    };
    let (lines, toll, signal) = log(namespace.clone());
    assert!(lines == 0 && toll.silent() == toll.offered && signal.is_none() && toll.offered > 0);
    let (lines, toll, signal) = log(LogConfig {
        all_namespaces: true,
        ..namespace
    });
    assert_eq!((lines as u64, toll.lost()), (toll.offered, 0));
    assert!(signal.is_some());
    // Measured: 179 bytes a line on average, with other names.
    let per_line = toll.bytes / toll.offered;
    assert!((150..=210).contains(&per_line), "{per_line}");
    let slow = log(LogConfig {
        reader_ns: 5_000_000,
        ..LogConfig::default()
    });
    assert!(slow.1.lost() > 0 && slow.1.silent() == 0);
}

#[test]
fn an_incident_is_found_and_quiet_is_quiet() {
    let mut population = busy(60);
    population.incidents = vec![Incident {
        trouble: Trouble::ResetBurst,
        nodes: (2, 3),
        from_s: 20,
        for_s: 10,
        flows: flows(Life::Refused, 500_000),
    }];
    let config = AggregateConfig::default();
    let quiet = population.tally(1, &drawn(&population, 1), config);
    assert_eq!(quiet.scores[&Trouble::ResetBurst], super::Score::default());
    let found =
        population.tally(2, &drawn(&population, 2), config).scores[&Trouble::ResetBurst].clone();
    assert_eq!((found.found, found.false_alarms), (1, 0));
    let delay = found.median_delay().expect("it was found");
    assert!(delay <= Span::from_s(2), "the snapshot's period, {delay}");
}
