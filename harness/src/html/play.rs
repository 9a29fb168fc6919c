//! A run, played for the page: which of its records are shown, and how many there are when.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use faultlab_sim::engine::{Entity, Record as _, Time};
use faultlab_sim::linux::tracepoint::{Ipv4, Record as Tcp};
use faultlab_sim::scenario::{
    Chooser, Decision, Frame, PointOfNoReturn, Prepared, Record, Selection, Storyboard,
};
use serde::Serialize;

use super::pack::tone;
use crate::render::{counted, grouped};

/// A run to be shown.
pub struct Shown {
    /// The records, and what they touched.
    pub board: Storyboard,
    /// How often each kind was recorded, in the whole run.
    pub(super) rate: Option<Rate>,
    /// What of the run is not among the records.
    pub(super) left: Option<String>,
    /// The futures along it, if they were looked at.
    pub futures: Option<PointOfNoReturn>,
}

/// The run of `prepared` under `chooser`, with at most `limit` records; of more, those of as many clients as fit,
/// whole.
pub fn play(prepared: &Prepared, chooser: &Chooser, limit: usize) -> Shown {
    let mut crowd = Crowd::new(limit);
    let board = prepared.storyboard_of(chooser, &mut crowd);
    let kept = board.frames.len() as u64;
    let left = (kept < board.records).then(|| match crowd.is_cut_to_clients() {
        true => format!(
            "Shown are all records of {} of {}, and what the server does for them: {} of {}. The chart \
             counts all.",
            grouped(crowd.shown.len()),
            counted(crowd.all.len(), "client"),
            grouped(kept),
            counted(board.records, "record"),
        ),
        false if crowd.beyond.is_some() => format!(
            "Shown are the first {} records of one of {}, and what the server does for it: of {}. The chart counts all.",
            grouped(kept),
            counted(crowd.all.len(), "client"),
            counted(board.records, "record"),
        ),
        false => format!(
            "Shown are the first {} of {}.",
            grouped(kept),
            counted(board.records, "record")
        ),
    });
    let rate = crowd.meter.over(board.at);
    Shown {
        board,
        rate,
        left,
        futures: None,
    }
}

const SERVER: Ipv4 = Ipv4::new(10, 0, 0, 1);

/// The client's side of a record, if it has one.
fn client(record: &Tcp) -> Option<Ipv4> {
    let ((from, _), (to, _)) = record.ends();
    [from, to]
        .into_iter()
        .find(|addr| *addr != SERVER && *addr != Ipv4::ANY)
}

/// Clients by their addresses: as many of the first as have no more than `limit` records together. Where the
/// records of one alone are more, or nobody is a client, the first `limit` records.
struct Crowd {
    limit: usize,
    /// The clients that still fit, and how many records each has.
    shown: BTreeMap<Ipv4, usize>,
    /// The first that does not fit.
    beyond: Option<Ipv4>,
    all: BTreeSet<Ipv4>,
    /// Whose each actor is.
    owners: HashMap<Entity, Ipv4>,
    /// Actors that work for all.
    common: [Entity; 4],
    /// How many records those that fit have.
    records: usize,
    /// How many records nobody in particular has.
    of_nobody: usize,
    kept: usize,
    meter: Meter,
}

impl Crowd {
    fn new(limit: usize) -> Crowd {
        Crowd {
            limit,
            shown: BTreeMap::new(),
            beyond: None,
            all: BTreeSet::new(),
            owners: HashMap::new(),
            common: ["server", "link", "lab", "kernel"].map(Entity::of),
            records: 0,
            of_nobody: 0,
            kept: 0,
            meter: Meter::default(),
        }
    }

    /// Whose a record is, if it is a client's.
    fn owner(&self, actor: Entity, record: &Record) -> Option<Ipv4> {
        match record {
            Record::Tcp(record) => client(record),
            _ => self.owners.get(&actor).copied(),
        }
    }

    /// Whether whole clients are shown, and not all of them.
    fn is_cut_to_clients(&self) -> bool {
        self.beyond.is_some() && self.records <= self.limit
    }
}

impl Selection for Crowd {
    fn shows(&mut self, _: u64, at: Time, actor: Entity, record: &Record) -> bool {
        self.meter.count(at, record.kind());
        let Some(owner) = self.owner(actor, record) else {
            self.of_nobody += 1;
            return self.of_nobody <= self.limit;
        };
        self.all.insert(owner);
        if !self.common.contains(&actor) {
            self.owners.insert(actor, owner);
        }
        if self.beyond.is_some_and(|beyond| owner >= beyond) {
            return false;
        }
        *self.shown.entry(owner).or_default() += 1;
        self.records += 1;
        while self.records > self.limit && self.shown.len() > 1 {
            let (last, count) = self.shown.pop_last().expect("there are several");
            self.records -= count;
            self.beyond = Some(last);
        }
        self.records <= self.limit && self.shown.contains_key(&owner)
    }

    fn keeps(&mut self, frame: &Frame) -> bool {
        let owner = self.owner(Entity::of(&frame.actor), &frame.record);
        let stays =
            self.kept < self.limit && owner.is_none_or(|owner| self.shown.contains_key(&owner));
        self.kept += usize::from(stays);
        stays
    }

    fn tells(&mut self, decision: &Decision) -> bool {
        let owner = self.owners.get(&Entity::of(&decision.key.entity));
        owner.is_none_or(|owner| self.shown.contains_key(owner))
    }
}

/// How many records of each kind there are in each part of a run.
#[derive(Serialize)]
pub(super) struct Rate {
    /// How long each part is, in ns.
    step: u64,
    buckets: usize,
    counts: BTreeMap<&'static str, Vec<u64>>,
    tones: BTreeMap<&'static str, &'static str>,
    /// Which kind to begin with.
    first: &'static str,
}

/// From so many records on there is a chart of how many there were when.
const MANY: u64 = 200;
/// How many parts a chart has at most.
const PARTS: u64 = 300;

const ALL: &str = "all records";

/// Counts records while it is not yet known how long the run is.
#[derive(Default)]
struct Meter {
    /// Of kinds, in parts of 10^`power` ns, of which there are at most ten times as many as in a chart.
    counts: BTreeMap<&'static str, Vec<u64>>,
    power: u32,
    records: u64,
}

impl Meter {
    fn count(&mut self, at: Time, kind: &'static str) {
        while at.0 / 10u64.pow(self.power) >= PARTS * 10 {
            self.power += 1;
            for counts in self.counts.values_mut() {
                *counts = counts.chunks(10).map(|ten| ten.iter().sum()).collect();
            }
        }
        self.records += 1;
        let part = (at.0 / 10u64.pow(self.power)) as usize;
        let counts = self.counts.entry(kind).or_default();
        if counts.len() <= part {
            counts.resize(part + 1, 0);
        }
        counts[part] += 1;
    }

    /// The chart of a run that ended at `end`, if it has records enough.
    fn over(self, end: Time) -> Option<Rate> {
        if self.records < MANY || end.0 == 0 {
            return None;
        }
        // The smallest of 1, 2, 5 times a power of ten that makes few enough parts.
        let fine = 10u64.pow(self.power);
        let powers = (self.power..19).map(|power| 10u64.pow(power));
        let mut steps = powers.flat_map(|power| [power, 2 * power, 5 * power]);
        let step = steps.find(|step| end.0 / step < PARTS).unwrap_or(end.0);
        let buckets = (end.0 / step + 1) as usize;
        let many = (step / fine) as usize;
        let coarse = |counts: &Vec<u64>| {
            let parts = counts.chunks(many).map(|part| part.iter().sum());
            let mut parts: Vec<u64> = parts.collect();
            parts.resize(buckets, 0);
            parts
        };
        let mut rate = Rate {
            step,
            buckets,
            counts: BTreeMap::from([(ALL, vec![0; buckets])]),
            tones: BTreeMap::from([(ALL, "accent")]),
            first: match self.counts.contains_key("tcp_send_reset") {
                true => "tcp_send_reset",
                false => ALL,
            },
        };
        for (kind, counts) in &self.counts {
            let counts = coarse(counts);
            let all = rate.counts.get_mut(ALL).expect("it was put there");
            all.iter_mut()
                .zip(&counts)
                .for_each(|(all, count)| *all += count);
            rate.counts.insert(kind, counts);
            rate.tones.insert(kind, tone(kind));
        }
        Some(rate)
    }
}

#[cfg(test)]
mod tests {
    use faultlab_sim::engine::mix;
    use faultlab_sim::linux::tracepoint::Family;

    use super::*;

    #[test]
    fn a_rate_has_round_parts_that_cover_the_run() {
        for end in [1, 299, 3_456, 1_000_000, 60_000_000_000, u64::MAX / 2] {
            let mut meter = Meter::default();
            let times: Vec<u64> = (0..=1000u128)
                .map(|nth| (u128::from(end) * nth / 1000) as u64)
                .collect();
            times.iter().for_each(|at| meter.count(Time(*at), "exit"));
            let rate = meter.over(Time(end)).expect("there are many");
            assert!(rate.buckets <= PARTS as usize, "{}", rate.buckets);
            let mut expected = vec![0; rate.buckets];
            times
                .iter()
                .for_each(|at| expected[(at / rate.step) as usize] += 1);
            assert_eq!(rate.counts["exit"], expected, "{end}");
            assert_eq!(rate.counts[ALL], expected, "{end}");
        }
    }

    fn of_client(client: u8) -> Record {
        Record::Tcp(Tcp::ReceiveReset {
            skaddr: 0,
            sport: 40_000,
            dport: 80,
            family: Family::Inet,
            saddr: Ipv4::new(10, 1, 0, client),
            daddr: SERVER,
            sock_cookie: 0,
        })
    }

    /// Whatever the order in which clients appear, those are shown that a count beforehand would choose.
    #[test]
    fn as_many_of_the_first_clients_are_shown_as_fit() {
        for round in 0..200u64 {
            let mut word = mix(&[round]);
            let mut next = |below: u64| {
                word = mix(&[word]);
                word % below
            };
            let (clients, limit) = (1 + next(9), 1 + next(60));
            let records: Vec<u8> = (0..100).map(|_| next(clients) as u8).collect();
            let mut crowd = Crowd::new(limit as usize);
            let mut shown: Vec<u8> = Vec::new();
            for client in &records {
                let record = of_client(*client);
                let actor = Entity::of(&format!("client-{client}"));
                if crowd.shows(0, Time(0), actor, &record) {
                    shown.push(*client);
                }
            }
            shown.retain(|client| crowd.shown.contains_key(&Ipv4::new(10, 1, 0, *client)));

            let mut expected: Vec<u8> = Vec::new();
            for first in 0..=clients as u8 {
                let of_first = records.iter().copied().filter(|client| *client < first);
                let of_first: Vec<u8> = of_first.collect();
                if of_first.len() <= limit as usize {
                    expected = of_first;
                }
            }
            if expected.is_empty() {
                // One alone has more.
                assert!(!crowd.is_cut_to_clients(), "{round}");
                assert_eq!(shown.len(), limit as usize, "{round}");
            } else {
                assert_eq!(shown, expected, "{round}");
            }
        }
    }
}
