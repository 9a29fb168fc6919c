//! In-kernel aggregation: a program counts into a map, user space reads the map from time to time.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::buffer::BufferLevel;
use super::event::{Event, Packet, Signal, signal_of};
use super::map::{CounterMap, Key, MapKind};
use super::observer::{Observer, OwnSignal, Sample, Toll};
use crate::engine::{Span, Time};

/// What the program makes a key of. The key's cardinality decides what aggregation costs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum KeyBy {
    /// The signal alone.
    Signal,
    /// The signal, and the service: its address and port.
    Service,
    /// The signal, and both addresses and ports: a key for each connection, ephemeral ports and all.
    Connection,
}

/// How user space reads the map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Reading {
    /// It never deletes, and takes differences.
    Differences,
    /// It looks a key up, then deletes it: what is counted in between is gone.
    Delete,
}

/// An aggregating program and its reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AggregateConfig {
    /// The map.
    pub map: MapKind,
    /// How many keys it may hold.
    pub max_entries: u32,
    /// How many CPUs the node has, at most 255.
    pub cpus: u8,
    /// What a key is made of.
    pub key: KeyBy,
    /// How often it is read, in ms.
    pub period_ms: u64,
    /// How long a system call on one key takes, in ns; 0: the whole map is read in one instant, which no
    /// real reader does.
    pub call_ns: u64,
    /// How it is read.
    pub reading: Reading,
    /// Whether the program counts updates that fail. Nothing else does.
    pub counts_failures: bool,
}

impl Default for AggregateConfig {
    fn default() -> Self {
        AggregateConfig {
            map: MapKind::PerCpu,
            max_entries: 10_240,
            cpus: 2,
            key: KeyBy::Service,
            period_ms: 1_000,
            call_ns: 0,
            reading: Reading::Differences,
            counts_failures: true,
        }
    }
}

/// The key of a record. A service is told from its client by its port: below 32 768, where the kernel's
/// range of local ports begins.
#[inline]
pub fn key_of(by: KeyBy, event: &Event) -> Key {
    let signal = signal_of(&event.record) as u64;
    if by == KeyBy::Signal {
        return [signal, 0];
    }
    let ((saddr, sport), (daddr, dport)) = event.record.ends();
    if by == KeyBy::Connection {
        let ports = u64::from(sport) << 16 | u64::from(dport) << 32;
        return [
            signal | ports,
            u64::from(saddr.0) << 32 | u64::from(daddr.0),
        ];
    }
    let is_client = dport != 0 && dport < 32_768;
    let (address, port) = if is_client {
        (daddr, dport)
    } else {
        (saddr, sport)
    };
    [
        signal | u64::from(is_client) << 8 | u64::from(port) << 16,
        address.0.into(),
    ]
}

/// The signal that a key counts.
pub fn signal_of_key(key: &Key) -> Signal {
    Signal::ALL[(key[0] & 0xff) as usize]
}

/// A walk over the map under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Walk {
    began: Time,
    keys: Vec<Key>,
    /// How many system calls are done.
    calls: usize,
}

/// An aggregating program, its map and its reader.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Aggregate {
    config: AggregateConfig,
    map: CounterMap,
    failures: u64,
    next_read: Time,
    walk: Option<Walk>,
    /// What was read of each signal before, of keys that are still there: while no key ever goes.
    before: [u64; Signal::COUNT],
    /// The same of each key, where keys go: in an LRU map.
    before_of_key: BTreeMap<Key, u64>,
    /// What the walk under way has found.
    found: [u64; Signal::COUNT],
    from: Time,
    /// What the program last noted of the watched socket's buffer.
    level: Option<BufferLevel>,
    vanished: u64,
    samples: Vec<Sample>,
    toll: Toll,
}

impl Aggregate {
    /// A program whose map is empty, first read one period after `start`.
    ///
    /// # Panics
    /// If the period, the number of entries or of CPUs is 0.
    pub fn new(config: AggregateConfig, start: Time) -> Aggregate {
        assert!(config.period_ms > 0, "a map is not read all the time");
        Aggregate {
            config,
            map: CounterMap::new(config.map, config.max_entries, config.cpus),
            failures: 0,
            next_read: start + Span::from_ms(config.period_ms),
            walk: None,
            before: [0; Signal::COUNT],
            before_of_key: BTreeMap::new(),
            found: [0; Signal::COUNT],
            from: start,
            level: None,
            vanished: 0,
            samples: Vec::new(),
            toll: Toll::default(),
        }
    }

    /// The map.
    pub fn map(&self) -> &CounterMap {
        &self.map
    }

    /// How many updates failed, if the program counts them.
    pub fn failures(&self) -> Option<u64> {
        self.config.counts_failures.then_some(self.failures)
    }

    /// The reader does what it would have done before `now`.
    fn read_before(&mut self, now: Time) {
        loop {
            match self.walk.take() {
                Some(walk) => {
                    self.go_on(walk, now);
                    if self.walk.is_some() {
                        return;
                    }
                }
                None if self.next_read <= now => self.begin_walk(),
                None => return,
            }
        }
    }

    fn begin_walk(&mut self) {
        let began = self.next_read;
        self.found = [0; Signal::COUNT];
        if self.config.call_ns == 0
            && self.config.reading == Reading::Differences
            && !self.gives_up()
        {
            for (key, slots) in self.map.walk() {
                self.found[(key[0] & 0xff) as usize] += slots.iter().sum::<u64>();
            }
            let rows = self.map.len();
            return self.end_walk(began, began, rows);
        }
        self.walk = Some(Walk {
            began,
            keys: self.map.walk().map(|(key, _)| *key).collect(),
            calls: 0,
        });
    }

    fn gives_up(&self) -> bool {
        matches!(self.config.map, MapKind::Lru | MapKind::LruOfCpu)
    }

    /// Makes the calls of a walk that come before `now`. Each takes its time, and sees the map as it is
    /// then: no walk is one instant.
    fn go_on(&mut self, mut walk: Walk, now: Time) {
        let calls_per_key = match self.config.reading {
            Reading::Differences => 1,
            Reading::Delete => 2,
        };
        let (began, call_ns) = (walk.began, self.config.call_ns);
        let due = move |calls: usize| began + Span(call_ns * calls as u64);
        let last = walk.keys.len() * calls_per_key;
        while walk.calls < last {
            if due(walk.calls) > now {
                self.walk = Some(walk);
                return;
            }
            let key = walk.keys[walk.calls / calls_per_key];
            match walk.calls % calls_per_key {
                0 => self.look_up(&key),
                // ENOENT: an LRU map gave it up in between.
                _ => drop(self.map.delete(&key)),
            }
            walk.calls += 1;
        }
        let rows = walk.keys.len() as u32;
        let ended = due(last);
        if ended > now {
            self.walk = Some(walk);
            return;
        }
        self.end_walk(walk.began, ended, rows);
        if self.gives_up() {
            let (map, known) = (&self.map, self.before_of_key.len());
            self.before_of_key.retain(|key, _| map.lookup(key).is_ok());
            self.vanished += (known - self.before_of_key.len()) as u64;
        }
    }

    fn look_up(&mut self, key: &Key) {
        let Ok(slots) = self.map.lookup(key) else {
            return;
        };
        let value: u64 = slots.iter().sum();
        let found = &mut self.found[(key[0] & 0xff) as usize];
        match self.config.reading {
            Reading::Differences
                if !matches!(self.config.map, MapKind::Shared | MapKind::PerCpu) =>
            {
                let before = self.before_of_key.insert(*key, value).unwrap_or(0);
                // A smaller value is that of a key that was given up and came back.
                *found += value.checked_sub(before).unwrap_or(value);
            }
            Reading::Differences | Reading::Delete => *found += value,
        }
    }

    fn end_walk(&mut self, began: Time, ended: Time, rows: u32) {
        let is_total = self.config.reading == Reading::Differences && !self.gives_up();
        for signal in Signal::ALL {
            let found = self.found[*signal as usize];
            let value = match is_total {
                true => found - std::mem::replace(&mut self.before[*signal as usize], found),
                false => found,
            };
            self.toll.reported += value;
            if value > 0 {
                self.samples.push(Sample {
                    from: self.from,
                    at: ended,
                    stamp: ended,
                    signal: *signal,
                    value,
                });
            }
        }
        if let Some(level) = &self.level {
            self.samples.push(Sample {
                from: level.at,
                at: ended,
                stamp: ended,
                signal: Signal::BufferFill,
                value: level.queued_permille(),
            });
        }
        self.from = began;
        // A walk that takes longer than the period is followed by the next at once.
        self.next_read = ended.max(began + Span::from_ms(self.config.period_ms));
        self.toll.bytes += u64::from(rows) * u64::from(self.map.row_bytes());
    }

    /// The program runs for each of these.
    fn count(&mut self, events: &[Event]) {
        // The key's making is chosen once, not for each event.
        match self.config.key {
            KeyBy::Signal => self.count_by(events, |event| key_of(KeyBy::Signal, event)),
            KeyBy::Service => self.count_by(events, |event| key_of(KeyBy::Service, event)),
            KeyBy::Connection => self.count_by(events, |event| key_of(KeyBy::Connection, event)),
        }
    }

    #[inline]
    fn count_by(&mut self, events: &[Event], key_of: impl Fn(&Event) -> Key) {
        const AT_ONCE: usize = 64;
        let (mut keys, mut cpus) = ([Key::default(); AT_ONCE], [0; AT_ONCE]);
        for events in events.chunks(AT_ONCE) {
            for ((event, key), cpu) in events.iter().zip(&mut keys).zip(&mut cpus) {
                *key = key_of(event);
                *cpu = event.cpu;
            }
            let count = events.len();
            self.failures += self.map.bump_each(&keys[..count], &cpus[..count]);
        }
        self.toll.offered += events.len() as u64;
    }

    /// What is in the map and not yet read.
    fn unread(&self) -> u64 {
        let before = self.before.iter().sum::<u64>();
        let value = |(key, slots): (&Key, &[u64])| {
            let value = slots.iter().sum::<u64>();
            let before = self.before_of_key.get(key).copied().unwrap_or(0);
            value.checked_sub(before).unwrap_or(value)
        };
        self.map.walk().map(value).sum::<u64>() - before
    }
}

impl Observer for Aggregate {
    fn tracepoint(&mut self, event: &Event) {
        self.tracepoints(std::slice::from_ref(event));
    }

    fn tracepoints(&mut self, events: &[Event]) {
        let mut rest = events;
        while let Some(first) = rest.first() {
            if first.at > self.next_read || self.walk.is_some() {
                self.read_before(first.at);
            }
            let before = match self.walk {
                Some(_) => 1,
                None => rest.partition_point(|event| event.at <= self.next_read),
            };
            let (now, later) = rest.split_at(before);
            self.count(now);
            rest = later;
        }
    }

    fn packet(&mut self, _at: Time, _cpu: u8, _packet: &Packet) {}

    /// The program keeps the last level in a place of its own: an array's, which is never full.
    fn buffer(&mut self, level: &BufferLevel) {
        self.read_before(level.at);
        self.level = Some(*level);
    }

    fn read(&mut self, now: Time, samples: &mut Vec<Sample>) {
        self.read_before(now);
        samples.append(&mut self.samples);
    }

    /// While a walk is under way, what it has read counts as lost: ask between walks.
    fn toll(&self) -> Toll {
        Toll {
            pending: self.unread(),
            told: self.failures().unwrap_or(0),
            most_held: self.map.len().into(),
            ..self.toll
        }
    }

    fn loss_signal(&self) -> Option<&'static str> {
        self.config
            .counts_failures
            .then_some("the program's own count of updates that failed")
    }

    fn own_signals(&self, each: &mut dyn FnMut(OwnSignal, u64)) {
        if let Some(failures) = self.failures() {
            each(OwnSignal::FailedUpdates, failures);
        }
        if self.gives_up() && self.config.reading == Reading::Differences {
            each(OwnSignal::VanishedKeys, self.vanished);
        }
        let fill = u64::from(self.map.len()) * 1_000 / u64::from(self.map.max_entries());
        each(OwnSignal::MapFill, fill);
    }
}
