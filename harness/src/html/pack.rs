//! A run for the page, in columns of numbers and one dictionary of texts: what `run.js` decodes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use faultlab_sim::engine::{Entity, KindSpec, Names, Observer, Record as _, Time};
use faultlab_sim::linux::tracepoint::{Ipv4, Record as Tcp};
use faultlab_sim::scenario::{
    Cause, Chooser, Frame, How, Keep, Prepared, Record, Storyboard, Watch,
};
use serde::Serialize;

use crate::render::{counted, grouped, schedule};

/// A run to be shown.
pub struct Shown {
    /// The records, and what they touched.
    pub board: Storyboard,
    /// How often each kind was recorded, in the whole run.
    rate: Option<Rate>,
    /// What of the run is not among the records.
    left: Option<String>,
}

/// The run of `prepared` under `chooser`, with at most `limit` records; of more, those of as many clients as fit,
/// whole. `records` and `end` are what it comes to, if that is known.
pub fn play(
    prepared: &Prepared,
    chooser: &Chooser,
    limit: usize,
    known: Option<(u64, Time)>,
) -> Shown {
    let (records, end) = known.unwrap_or_else(|| {
        let outcome = prepared.run(chooser, &Watch::new(Vec::new()), Keep::default());
        (outcome.events, outcome.at)
    });
    let mut rate = (records >= MANY && end.0 > 0).then(|| Rate::over(end));
    let mut crowd = (records > limit as u64)
        .then(|| Crowd::of(prepared, chooser, limit as u64))
        .flatten();
    let mut shown: usize = 0;
    let board = prepared.storyboard_of(chooser, &mut |_, at, actor, record| {
        if let Some(rate) = &mut rate {
            rate.count(at, record.kind());
        }
        let fits = shown < limit;
        let is_shown = fits
            && crowd
                .as_mut()
                .is_none_or(|crowd| crowd.shows(actor, record));
        shown += usize::from(is_shown);
        is_shown
    });
    let kept = board.frames.len() as u64;
    let left = (kept < board.records).then(|| match &crowd {
        Some(crowd) => format!(
            "Shown are all records of {} of {}, and what the server does for them: {} of {}. The chart \
             counts all.",
            grouped(crowd.shown.len()),
            counted(crowd.all, "client"),
            grouped(kept),
            counted(board.records, "record"),
        ),
        None => format!(
            "Shown are the first {} of {}.",
            grouped(kept),
            counted(board.records, "record")
        ),
    });
    Shown { board, rate, left }
}

/// From so many records on there is a chart of how many there were when.
const MANY: u64 = 200;

/// Client addresses, some of which are shown.
struct Crowd {
    shown: BTreeSet<Ipv4>,
    all: usize,
    /// The actors that go with them.
    actors: BTreeSet<Entity>,
}

const SERVER: Ipv4 = Ipv4::new(10, 0, 0, 1);

/// The client's side of a record, if it has one.
fn client(record: &Tcp) -> Option<Ipv4> {
    let ((from, _), (to, _)) = record.ends();
    [from, to]
        .into_iter()
        .find(|addr| *addr != SERVER && *addr != Ipv4::ANY)
}

#[derive(Default)]
struct Census(BTreeMap<Ipv4, u64>);

impl Observer<Record> for Census {
    fn see(&mut self, _: Time, _: Entity, record: &Record, _: &Names) {
        if let Record::Tcp(record) = record
            && let Some(client) = client(record)
        {
            *self.0.entry(client).or_default() += 1;
        }
    }
}

impl Crowd {
    /// The first clients whose records are no more than `limit` together; none if it is no crowd.
    fn of(prepared: &Prepared, chooser: &Chooser, limit: u64) -> Option<Crowd> {
        let mut census = Census::default();
        prepared.run_seen(
            chooser,
            &Watch::new(Vec::new()),
            Keep::default(),
            &mut census,
        );
        let mut records = 0;
        let shown = census.0.iter().take_while(|(_, count)| {
            records += **count;
            records <= limit
        });
        let shown: BTreeSet<Ipv4> = shown.map(|(addr, _)| *addr).collect();
        let all = census.0.len();
        (!shown.is_empty() && shown.len() < all).then_some(Crowd {
            shown,
            all,
            actors: BTreeSet::from(["server", "link", "lab", "kernel"].map(Entity::of)),
        })
    }

    fn shows(&mut self, actor: Entity, record: &Record) -> bool {
        match record {
            Record::Tcp(record) => {
                let is_shown = client(record).is_none_or(|client| self.shown.contains(&client));
                if is_shown {
                    self.actors.insert(actor);
                }
                is_shown
            }
            _ => self.actors.contains(&actor),
        }
    }
}

#[derive(Serialize)]
struct Rate {
    /// How long each part is, in ns.
    step: u64,
    buckets: usize,
    counts: BTreeMap<&'static str, Vec<u64>>,
    tones: BTreeMap<&'static str, &'static str>,
    /// Which kind to begin with.
    first: &'static str,
}

impl Rate {
    const ALL: &'static str = "all records";

    fn over(end: Time) -> Rate {
        // The smallest of 1, 2, 5 times a power of ten that makes at most 300 parts.
        let least = (end.0 / 300).max(1);
        let powers = (0..19).map(|power| 10u64.pow(power));
        let mut steps = powers.flat_map(|power| [power, 2 * power, 5 * power]);
        let step = steps.find(|step| *step >= least).unwrap_or(least);
        let buckets = (end.0 / step + 1) as usize;
        Rate {
            step,
            buckets,
            counts: BTreeMap::from([(Rate::ALL, vec![0; buckets])]),
            tones: BTreeMap::from([(Rate::ALL, "accent")]),
            first: Rate::ALL,
        }
    }

    fn count(&mut self, at: Time, kind: &'static str) {
        let bucket = ((at.0 / self.step) as usize).min(self.buckets - 1);
        if kind == "tcp_send_reset" {
            self.first = kind;
        }
        for name in [Rate::ALL, kind] {
            let counts = self.counts.entry(name).or_insert_with(|| {
                self.tones.insert(name, tone(name));
                vec![0; self.buckets]
            });
            counts[bucket] += 1;
        }
    }
}

/// What a kind of record is to an eye that passes over it: one of six.
fn tone(kind: &str) -> &'static str {
    match kind {
        "fault" | "disk_fault" | "unsupported" | "budget_spent" => "fault",
        "syscall_failed"
        | "tcp_send_reset"
        | "tcp_receive_reset"
        | "tcp_retransmit_skb"
        | "tcp_retransmit_synack"
        | "app"
        | "value_cut" => "bad",
        "write"
        | "rename"
        | "symlink"
        | "remove"
        | "mkdir"
        | "reg_set"
        | "reg_create"
        | "reg_delete_value"
        | "reg_delete_key"
        | "reg_import"
        | "env_set"
        | "env_broadcast"
        | "environment_broadcast"
        | "file_save"
        | "disk"
        | "disk_rewrite"
        | "inet_sock_set_state" => "change",
        "fork" | "exec" | "exit" | "wait" | "program_launch" | "program_exit" | "process_start"
        | "process_exit" | "tcp_destroy_sock" => "life",
        // An operation of a batch file is a look, unless it changes something: `run.js` sees that.
        "open" | "reg_query" | "env_expand" | "resolve" | "operation" => "look",
        _ => "say",
    }
}

/// Texts by number, from 1; 0 is none.
#[derive(Default)]
struct Texts {
    known: HashMap<String, usize>,
    all: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        self.all.push(text.to_owned());
        self.known.insert(text.to_owned(), self.all.len());
        self.all.len()
    }

    fn optional(&mut self, text: Option<&str>) -> usize {
        text.map_or(0, |text| self.number(text))
    }
}

/// A column: one number for all rows if they are alike.
#[derive(Serialize)]
#[serde(untagged)]
enum Column {
    Same(usize),
    Each(Vec<usize>),
}

impl From<Vec<usize>> for Column {
    fn from(column: Vec<usize>) -> Column {
        match column.first() {
            Some(first) if column.iter().all(|other| other == first) => Column::Same(*first),
            _ => Column::Each(column),
        }
    }
}

#[derive(Serialize)]
struct Kind {
    n: &'static str,
    w: &'static str,
    d: &'static str,
    c: &'static str,
    f: Vec<&'static str>,
    cols: Vec<Column>,
}

/// A decision: frame, time in ns, place, options, default, what was taken, how many options there were.
type Decided = (usize, u64, usize, Vec<usize>, usize, usize, u64);

/// The island. Short names, as they stand in each file; `run.js` says what they are.
#[derive(Serialize)]
struct Island<'a> {
    doc: &'a str,
    left: &'a Option<String>,
    at: u64,
    records: u64,
    hash: String,
    actors: Vec<&'a str>,
    lanes: Vec<usize>,
    kinds: Vec<Kind>,
    s: Vec<String>,
    i: Option<Vec<u64>>,
    t: Vec<u64>,
    a: Vec<usize>,
    k: Vec<usize>,
    w: Vec<usize>,
    tw: Vec<usize>,
    tb: Vec<usize>,
    ta: Vec<usize>,
    c: Vec<usize>,
    hows: [How; 4],
    d: Vec<Decided>,
    rate: &'a Option<Rate>,
}

/// More decisions than this are not listed, beside those that depart from the default.
const DECISIONS: usize = 20_000;

impl Shown {
    /// The island of JSON, in which no `<` stands.
    pub fn island(&self, doc: &str) -> String {
        let board = &self.board;
        let mut texts = Texts::default();
        let (actors, a) = actors(&board.frames);
        let (kinds, k) = kinds(&board.frames, &mut texts);
        let mut island = Island {
            doc,
            left: &self.left,
            at: board.at.0,
            records: board.records,
            hash: board.hash.to_string(),
            lanes: lanes(&actors),
            actors,
            kinds,
            s: Vec::new(),
            i: indices(&board.frames),
            t: deltas(board.frames.iter().map(|frame| frame.at.0), 0),
            a,
            k,
            w: board
                .frames
                .iter()
                .map(|frame| frame.touched.len())
                .collect(),
            tw: Vec::new(),
            tb: Vec::new(),
            ta: Vec::new(),
            c: Vec::new(),
            hows: HOWS,
            d: Vec::new(),
            rate: &self.rate,
        };
        for (index, frame) in board.frames.iter().enumerate() {
            for touched in &frame.touched {
                island.tw.push(texts.number(&touched.what));
                island.tb.push(texts.optional(touched.before.as_deref()));
                island.ta.push(texts.optional(touched.after.as_deref()));
            }
            let met = frame.met.map(|frame| Cause {
                frame,
                how: How::Data,
            });
            let met = met.filter(|met| Some(*met) != frame.cause);
            for cause in frame.cause.into_iter().chain(met) {
                let how = HOWS.iter().position(|how| *how == cause.how);
                island.c.extend([index, cause.frame, how.unwrap_or(0)]);
            }
        }
        for (nth, decision) in board.decisions.iter().enumerate() {
            if nth >= DECISIONS && !decision.is_departure() {
                continue;
            }
            let options = decision.options.iter().map(|option| texts.number(option));
            let options = options.collect();
            let place = texts.number(&schedule::place(&decision.key));
            let (standard, take) = (
                texts.number(&decision.default),
                texts.number(&decision.take),
            );
            let (frame, at, count) = (decision.frame, decision.at.0, decision.count);
            island
                .d
                .push((frame, at, place, options, standard, take, count));
        }
        island.s = texts.all;
        let json = serde_json::to_string(&island).expect("plain values");
        json.replace('<', "\\u003c")
    }
}

const HOWS: [How; 4] = [How::Fork, How::Signal, How::Packet, How::Data];

/// Each but the first less the one before.
fn deltas(values: impl Iterator<Item = u64>, start: u64) -> Vec<u64> {
    let mut before = start;
    let delta = |value| value - std::mem::replace(&mut before, value);
    values.map(delta).collect()
}

/// Where records stand in the trace, if not one after the other from its beginning: the first from -1.
fn indices(frames: &[Frame]) -> Option<Vec<u64>> {
    let is_whole = frames
        .iter()
        .zip(0..)
        .all(|(frame, nth)| frame.index == nth);
    (!is_whole).then(|| deltas(frames.iter().map(|frame| frame.index + 1), 0))
}

/// The actors in the order in which they appear, and that of each frame.
fn actors(frames: &[Frame]) -> (Vec<&str>, Vec<usize>) {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut actors = Vec::new();
    let mut each = Vec::with_capacity(frames.len());
    for frame in frames {
        let number = *numbers.entry(&frame.actor).or_insert_with(|| {
            actors.push(&*frame.actor);
            actors.len() - 1
        });
        each.push(number);
    }
    (actors, each)
}

/// The actors as a tree: whoever appears first stands first, children below their parents.
fn lanes(actors: &[&str]) -> Vec<usize> {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let prefixes = |path: &str| -> Vec<usize> {
        let ends = path.match_indices('/').map(|(at, _)| at);
        ends.chain([path.len()]).collect()
    };
    for (rank, actor) in actors.iter().enumerate() {
        for end in prefixes(actor) {
            first.entry(&actor[..end]).or_insert(rank);
        }
    }
    let mut lanes: Vec<usize> = (0..actors.len()).collect();
    lanes.sort_by_cached_key(|lane| -> Vec<usize> {
        let actor = actors[*lane];
        prefixes(actor)
            .iter()
            .map(|end| first[&actor[..*end]])
            .collect()
    });
    lanes
}

/// The kinds of record that there are, with a column for each field, and the kind of each frame.
fn kinds(frames: &[Frame], texts: &mut Texts) -> (Vec<Kind>, Vec<usize>) {
    let specs: HashMap<&str, KindSpec> = Record::kinds()
        .into_iter()
        .map(|spec| (spec.kind, spec))
        .collect();
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let mut found: Vec<(KindSpec, Vec<Vec<usize>>)> = Vec::new();
    let mut each = Vec::with_capacity(frames.len());
    for frame in frames {
        let number = *numbers.entry(frame.record.kind()).or_insert_with(|| {
            let spec = specs[frame.record.kind()];
            found.push((spec, vec![Vec::new(); spec.fields.len()]));
            found.len() - 1
        });
        each.push(number);
        let mut columns = found[number].1.iter_mut();
        frame.record.fields(&mut |_, value| {
            let column = columns.next().expect("a kind has its fields");
            column.push(texts.number(&value.to_string()));
        });
    }
    let kind = |(spec, columns): (KindSpec, Vec<Vec<usize>>)| Kind {
        n: spec.kind,
        w: spec.words,
        d: spec.doc.trim(),
        c: tone(spec.kind),
        f: spec.fields.iter().map(|(name, _, _)| *name).collect(),
        cols: columns.into_iter().map(Column::from).collect(),
    };
    (found.into_iter().map(kind).collect(), each)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_stand_below_their_parents_in_the_order_of_appearance() {
        let actors = [
            "builder",
            "switcher",
            "builder/child-2",
            "builder/child-1",
            "x/y",
        ];
        let ordered: Vec<&str> = lanes(&actors).iter().map(|lane| actors[*lane]).collect();
        assert_eq!(
            ordered,
            [
                "builder",
                "builder/child-2",
                "builder/child-1",
                "switcher",
                "x/y"
            ]
        );
    }

    #[test]
    fn a_rate_has_round_parts_that_cover_the_run() {
        for end in [1, 299, 1_000_000, 60_000_000_000, u64::MAX / 2] {
            let mut rate = Rate::over(Time(end));
            assert!(rate.buckets <= 301, "{}", rate.buckets);
            rate.count(Time(end), "exit");
            assert_eq!(rate.counts["exit"].iter().sum::<u64>(), 1);
            assert_eq!(rate.counts[Rate::ALL].last(), Some(&1));
        }
    }
}
