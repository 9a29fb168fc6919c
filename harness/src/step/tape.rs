//! The run that is stepped through: a window of frames, and the whole run to search in.
//!
//! The models are deterministic, so any part of a run can be had again at any time: going back is exact. What takes
//! long on a run of millions of records is an [`Errand`](super::errand::Errand).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use faultlab_sim::engine::{Entity, Names, Observer, Record as _, Time};
use faultlab_sim::scenario::{Decision, Frame, Pace, Player, Record, Storyboard};

use crate::failure::{Failure, Result};
use crate::render::{grouped, printable};

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
    shown: Arc<Shown>,
    records: u64,
    ends_at: Time,
    /// By the number of the window. Where the cursor is follows from the record alone, so that the same is seen there
    /// whichever way it came.
    windows: BTreeMap<u64, Storyboard>,
    here: u64,
}

impl Tape {
    /// The run, at its beginning; `tell` hears how many records there are so far.
    pub fn new(shown: Shown, tell: &dyn Fn(u64)) -> Tape {
        let mut beginning = |index, _: Time, _: Entity, _: &Record| {
            if index % 100_000 == 0 {
                tell(index);
            }
            index < WINDOW
        };
        let board = shown.prepared.storyboard_of(&shown.chooser, &mut beginning);
        Tape {
            shown: Arc::new(shown),
            records: board.records,
            ends_at: board.at,
            windows: BTreeMap::from([(0, board)]),
            here: 0,
        }
    }

    /// The run itself.
    pub fn shown(&self) -> &Arc<Shown> {
        &self.shown
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

    /// The window that is seen from a record of a run of so many.
    pub fn window_of(records: u64, record: u64) -> u64 {
        match records <= WINDOW {
            true => 0,
            false => record.saturating_sub(WINDOW / 4) / STRIDE,
        }
    }

    /// Gets the records around `record` at hand, if they are kept; whether they are.
    pub fn turn_to(&mut self, record: u64) -> bool {
        let here = Tape::window_of(self.records, record);
        let is_kept = self.windows.contains_key(&here);
        if is_kept {
            self.here = here;
        }
        is_kept
    }

    /// The numbers of the windows that are kept.
    pub fn kept(&self) -> BTreeSet<u64> {
        self.windows.keys().copied().collect()
    }

    /// Keeps a window.
    pub fn keep(&mut self, number: u64, board: Storyboard) {
        self.windows.insert(number, board);
        if self.windows.len() > KEPT {
            let away = |other: &&u64| other.abs_diff(number);
            let farthest = self.windows.keys().max_by_key(away).copied();
            farthest.map(|number| self.windows.remove(&number));
        }
    }

    /// Gets the records around `record` at hand, however long it takes.
    pub fn seek(&mut self, record: u64) {
        if record >= self.records || self.turn_to(record) {
            return;
        }
        let number = Tape::window_of(self.records, record);
        let board = self.shown.window(number, &mut |_| true);
        self.keep(number, board.expect("it is not given up"));
        self.here = number;
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

    /// The record with a number.
    ///
    /// # Errors
    /// The run has none.
    pub fn find_record(&self, record: u64) -> Result<u64> {
        let refuse = |what: String| Failure::bad_input(what);
        match self.records.checked_sub(1) {
            None => Err(refuse("the run has no records".into())),
            Some(last) if record <= last => Ok(record),
            Some(last) => {
                let what = format!("there is no record {}", grouped(record));
                Err(refuse(what).help(format!("the run has the records 0 to {}", grouped(last))))
            }
        }
    }

    /// That there is no record at a time or later.
    pub fn nothing_at(&self, time: Time) -> Failure {
        let at = self.ends_at();
        Failure::bad_input(format!("there is no record at {time} or later"))
            .help(format!("the run ends at {at}"))
    }

    /// The record that a place means, however long it takes to find.
    ///
    /// # Errors
    /// The run has none there.
    pub fn find(&self, place: Place) -> Result<u64> {
        match place {
            Place::Record(record) => self.find_record(record),
            Place::Time(time) => {
                let found = self.shown.search(&Search::at(time), &mut |_| true);
                let found = found.and_then(|found| found.there);
                found.ok_or_else(|| self.nothing_at(time))
            }
        }
    }
}

/// What a search is for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// A record whose line has this text in it, upper or lower case.
    Text(String),
    /// A record of this actor.
    Actor(Arc<str>),
    /// A record at this time or later.
    At(Time),
}

impl Wanted {
    /// Whether a record is it; `self` in lower case.
    fn is(&self, at: Time, actor: &str, record: &Record) -> bool {
        match self {
            Wanted::Text(text) => {
                let line = printable(&format!("{actor} {}", record.words()));
                line.to_lowercase().contains(text)
            }
            Wanted::Actor(whose) => *actor == **whose,
            Wanted::At(time) => at >= *time,
        }
    }

    fn lowered(&self) -> Wanted {
        match self {
            Wanted::Text(text) => Wanted::Text(text.to_lowercase()),
            other => other.clone(),
        }
    }
}

/// A search for a record.
#[derive(Clone, Debug)]
pub struct Search {
    /// What is wanted.
    pub wanted: Wanted,
    /// The record that it begins with; backwards, the one that it begins before.
    pub from: u64,
    /// Whether it goes towards the beginning.
    pub backwards: bool,
    /// Whether it goes on at the other end of the run.
    pub goes_round: bool,
}

impl Search {
    /// For the first record at a time or later.
    pub fn at(time: Time) -> Search {
        Search {
            wanted: Wanted::At(time),
            from: 0,
            backwards: false,
            goes_round: false,
        }
    }
}

/// What a search found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// The next record that is wanted, in the direction of the search.
    pub there: Option<u64>,
    /// The one that comes next if the search goes round; known only if there is no other.
    pub round: Option<u64>,
}

/// Before so many transitions, a search asks whether it goes on.
const ASK_EVERY: u64 = 1024;

impl Shown {
    /// A window of the run, unless `goes_on` says no.
    pub fn window(&self, number: u64, goes_on: &mut dyn FnMut(Pace) -> bool) -> Option<Storyboard> {
        let first = number * STRIDE;
        let mut last_said = 0;
        let mut seldom = |pace: Pace| {
            if pace.transitions < last_said + ASK_EVERY && pace.transitions >= last_said {
                return true;
            }
            last_said = pace.transitions;
            goes_on(pace)
        };
        self.prepared
            .story_within(&self.chooser, first..first + WINDOW, &mut seldom)
    }

    /// Searches. `goes_on` hears how many records were looked at; `None` if it said no.
    pub fn search(&self, search: &Search, goes_on: &mut dyn FnMut(u64) -> bool) -> Option<Found> {
        let mut finder = Finder {
            search: Search {
                wanted: search.wanted.lowered(),
                ..search.clone()
            },
            index: 0,
            before: None,
            after: None,
        };
        let mut player = Player::new(&self.prepared, &self.chooser, &mut finder);
        while finder.looks_on() && player.step(&mut finder) {
            if player.steps().is_multiple_of(ASK_EVERY) && !goes_on(finder.index) {
                return None;
            }
        }
        let (there, round) = match search.backwards {
            true => (finder.before, finder.after),
            false => (finder.after, finder.before),
        };
        let round = round.filter(|_| search.goes_round);
        Some(Found { there, round })
    }
}

/// Looks for a record on both sides of a place, so that one run tells of both.
struct Finder {
    search: Search,
    index: u64,
    /// Before the place: the first, or the last if it goes backwards.
    before: Option<u64>,
    /// From the place on, likewise.
    after: Option<u64>,
}

impl Finder {
    /// Whether what comes can make a difference.
    fn looks_on(&self) -> bool {
        match self.search.backwards {
            true => {
                let goes_round = self.search.goes_round && self.before.is_none();
                self.index < self.search.from || goes_round
            }
            false => self.after.is_none(),
        }
    }
}

impl Observer<Record> for Finder {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        let here = self.index;
        self.index += 1;
        let (is_before, ahead) = (here < self.search.from, !self.search.backwards);
        let side = match is_before {
            true => &mut self.before,
            false => &mut self.after,
        };
        // What lies behind is asked only if the search may go round.
        let matters = is_before != ahead || self.search.goes_round;
        let asked = matters && (self.search.backwards || side.is_none());
        if asked && self.search.wanted.is(at, names.path(actor), record) {
            *side = Some(here);
        }
    }
}
