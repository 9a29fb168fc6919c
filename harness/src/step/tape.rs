//! The run that is stepped through: a window of frames, and the whole run to search in.
//!
//! The models are deterministic, so any part of a run can be had again at any time: going back is exact.

use std::collections::BTreeMap;
use std::ops::Range;

use faultlab_sim::engine::{Entity, Names, Observer, Record as _, Time};
use faultlab_sim::scenario::{Decision, Frame, Player, Record, Storyboard};

use crate::failure::{Failure, Result};
use crate::render::printable;

use super::{Place, Shown};

/// How many frames are at hand at once: most runs as a whole.
const WINDOW: u64 = 4096;
/// How far apart windows begin: wherever the cursor is, there is much of the run on both sides of it.
const STRIDE: u64 = WINDOW / 2;
/// How many windows are kept: near the cursor, going back takes no time.
const KEPT: usize = 16;

/// A run, and the part of it that is at hand.
#[derive(Debug)]
pub struct Tape {
    shown: Shown,
    records: u64,
    ends_at: Time,
    /// By the number of the window. Where the cursor is follows from the record alone, so that the same is seen there
    /// whichever way it came.
    windows: BTreeMap<u64, Storyboard>,
    here: u64,
}

impl Tape {
    /// The run, at its beginning.
    pub fn new(shown: Shown) -> Tape {
        let board = shown
            .prepared
            .storyboard(&shown.chooser, 0, WINDOW as usize);
        Tape {
            shown,
            records: board.records,
            ends_at: board.at,
            windows: BTreeMap::from([(0, board)]),
            here: 0,
        }
    }

    /// Its heading.
    pub fn title(&self) -> &str {
        &self.shown.title
    }

    /// How many records it has.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// When it ends.
    pub fn ends_at(&self) -> Time {
        self.ends_at
    }

    fn board(&self) -> &Storyboard {
        &self.windows[&self.here]
    }

    /// The records that are at hand.
    pub fn at_hand(&self) -> Range<u64> {
        let first = self.here * STRIDE;
        first..first + self.board().frames.len() as u64
    }

    /// Gets the records around `record` at hand.
    pub fn seek(&mut self, record: u64) {
        if record >= self.records {
            return;
        }
        let here = match self.records <= WINDOW {
            true => 0,
            false => record.saturating_sub(WINDOW / 4) / STRIDE,
        };
        self.here = here;
        if self.windows.contains_key(&here) {
            return;
        }
        let Shown {
            prepared, chooser, ..
        } = &self.shown;
        let first = here * STRIDE;
        let board = prepared.story_within(chooser, first..first + WINDOW);
        self.windows.insert(here, board);
        if self.windows.len() > KEPT {
            let away = |number: &&u64| number.abs_diff(here);
            let farthest = self.windows.keys().max_by_key(away).copied();
            farthest.map(|number| self.windows.remove(&number));
        }
    }

    /// A record that is at hand.
    pub fn frame(&self, record: u64) -> Option<&Frame> {
        let first = self.at_hand().start;
        self.board().frames.get(record.checked_sub(first)? as usize)
    }

    /// The record that brought `frame` about, if it is at hand.
    pub fn cause(&self, frame: &Frame) -> Option<&Frame> {
        self.board().frames.get(frame.cause?.frame)
    }

    /// The decisions that were taken after the record before `record` and up to it.
    pub fn decisions(&self, record: u64) -> &[Decision] {
        let Some(frame) = record.checked_sub(self.at_hand().start) else {
            return &[];
        };
        // Records of one step: the decisions were taken before its first.
        let all = &self.board().decisions;
        let from = all.partition_point(|decision| (decision.frame as u64) < frame);
        let to = all.partition_point(|decision| decision.frame as u64 <= frame);
        &all[from..to]
    }

    /// The record that a place means.
    ///
    /// # Errors
    /// The run has none there.
    pub fn find(&self, place: Place) -> Result<u64> {
        let records = self.records();
        let last = records.saturating_sub(1);
        let refuse = |what: String| Failure::bad_input(what);
        if records == 0 {
            return Err(refuse("the run has no records".into()));
        }
        match place {
            Place::Record(record) if record < records => Ok(record),
            Place::Record(record) => Err(refuse(format!("there is no record {record}"))
                .help(format!("the run has the records 0 to {last}"))),
            Place::Time(time) => self
                .first_after(0, false, &|at, _, _| at >= time)
                .ok_or_else(|| {
                    let at = self.ends_at();
                    refuse(format!("there is no record at {time} or later"))
                        .help(format!("the run ends at {at}"))
                }),
        }
    }

    /// The next record after `record` that is wanted, or the last before it, if there is one.
    pub fn first_after(
        &self,
        record: u64,
        backwards: bool,
        wanted: &dyn Fn(Time, &str, &Record) -> bool,
    ) -> Option<u64> {
        let mut finder = Finder {
            wanted,
            index: 0,
            until: record,
            backwards,
            found: None,
        };
        let Shown {
            prepared, chooser, ..
        } = &self.shown;
        let mut player = Player::new(prepared, chooser, &mut finder);
        while finder.looks_on() && player.step(&mut finder) {}
        finder.found
    }
}

/// Whether a record's line has a text in it, upper or lower case.
pub fn says(actor: &str, record: &Record, text: &str) -> bool {
    let line = printable(&format!("{actor} {}", record.words()));
    line.to_lowercase().contains(&text.to_lowercase())
}

struct Finder<'a> {
    wanted: &'a dyn Fn(Time, &str, &Record) -> bool,
    index: u64,
    until: u64,
    backwards: bool,
    found: Option<u64>,
}

impl Finder<'_> {
    /// Whether what comes can make a difference.
    fn looks_on(&self) -> bool {
        match self.backwards {
            true => self.index < self.until,
            false => self.found.is_none(),
        }
    }
}

impl Observer<Record> for Finder<'_> {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        let here = self.index;
        self.index += 1;
        let asked = match self.backwards {
            true => here < self.until,
            false => here >= self.until && self.found.is_none(),
        };
        if asked && (self.wanted)(at, names.path(actor), record) {
            self.found = Some(here);
        }
    }
}
