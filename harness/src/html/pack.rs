//! A run for the page, in columns of numbers and one dictionary of texts: what `run.js` decodes.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use faultlab_sim::engine::{KindSpec, Record as _};
use faultlab_sim::scenario::{Cause, Frame, How, Record};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde::Serialize;

use super::futures::Curve;
use super::play::{Rate, Shown};
use crate::render::schedule;

/// What a kind of record is to an eye that passes over it: one of six.
pub(super) fn tone(kind: &str) -> &'static str {
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
    futures: Option<Curve>,
}

/// More decisions than this are not listed, beside those that depart from the default.
const DECISIONS: usize = 20_000;

/// How hard it is packed: more takes twice as long for a few per cent.
const LEVEL: u8 = 6;
/// From so many bytes on an island is packed: then it is a tenth as large, and a browser has it open sooner.
const LARGE: usize = 100_000;

impl Shown {
    /// The island: JSON in which no `<` stands, or if that is large, its deflated bytes (zlib, RFC 1950) in base64.
    pub fn island(&self, doc: &str) -> String {
        let json = self.json(doc);
        match json.len() < LARGE {
            true => json.replace('<', "\\u003c"),
            false => STANDARD.encode(compress_to_vec_zlib(json.as_bytes(), LEVEL)),
        }
    }

    fn json(&self, doc: &str) -> String {
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
            futures: self.futures.as_ref().map(Curve::new),
        };
        let mut last = 0;
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
                // Small numbers pack well: how far from the last such record, and how far back.
                island
                    .c
                    .extend([index - last, index - cause.frame, how.unwrap_or(0)]);
                last = index;
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
        serde_json::to_string(&island).expect("plain values")
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
}
