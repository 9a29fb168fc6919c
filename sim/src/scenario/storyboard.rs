//! The story of a run, to look at: each record with what it touched before and after, what caused it, and the
//! decisions that were taken on the way.
//!
//! It is computed by running twice under the same choices. The first run says which records a transition
//! writes; the second asks the world about the things of those records, before the transition and after it.

use std::ops::Range;
use std::sync::Arc;

use crate::engine::{
    Entity, Entry, Key, KeyText, Names, Observer, Options, Record as _, Source, Time, Touched,
    Trace, TraceHash,
};

use super::causes::{Cause, Causes};
use super::player::Player;
use super::run::{Chooser, Prepared};
use super::stage::{Record, Stage};

/// A run, frame by frame.
#[derive(Clone, Debug)]
pub struct Storyboard {
    /// One frame a record, in the order of the trace.
    pub frames: Vec<Frame>,
    /// The decisions with more than one option, in the order in which they were taken.
    pub decisions: Vec<Decision>,
    /// How many records the whole run wrote.
    pub records: u64,
    /// When it ended.
    pub at: Time,
    /// The hash of its whole trace.
    pub hash: TraceHash,
}

/// A record in its place.
#[derive(Clone, Debug)]
pub struct Frame {
    /// When.
    pub at: Time,
    /// Who: the path of birth.
    pub actor: Arc<str>,
    /// What.
    pub record: Record,
    /// Which record of the trace it is, from 0.
    pub index: u64,
    /// The transition that wrote it; 0 is the beginning. Several records may be of one.
    pub step: u64,
    /// What it touched: before and after its transition.
    pub touched: Vec<Touched>,
    /// Which earlier frame brought it about, as far as records tell.
    pub cause: Option<Cause>,
    /// Which earlier frame, of another actor, was the last to change something that this one touched.
    pub met: Option<usize>,
}

/// A decision that was taken, with what else could have been.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decision {
    /// How many frames were there when its transition began: it was taken in the transition that wrote frame
    /// `frame`, or in one that wrote nothing and came before that.
    pub frame: usize,
    /// When.
    pub at: Time,
    /// What was decided.
    pub key: KeyText,
    /// The labels of all options; empty for a wide choice, a number out of a range.
    pub options: Vec<String>,
    /// How many options there were.
    pub count: u64,
    /// The label of the option that is taken where nothing says otherwise.
    pub default: String,
    /// The label of the option that was taken.
    pub take: String,
}

impl Decision {
    /// Whether it departs from the default.
    pub fn is_departure(&self) -> bool {
        self.take != self.default
    }
}

/// Which records become frames.
pub trait Selection {
    /// Whether a record is to become one, as it is written: its index in the trace, its time, its actor.
    fn shows(&mut self, index: u64, at: Time, actor: Entity, record: &Record) -> bool;

    /// Whether no more records are wanted: then the run is not followed to its end.
    fn is_through(&self) -> bool {
        false
    }

    /// Hears how many transitions of the run were taken, before each; `again` in the second run. Told `false`, the
    /// story is given up, and what comes back is worth nothing.
    fn goes_on(&mut self, _again: bool, _transitions: u64) -> bool {
        true
    }

    /// Whether a frame still is to be one when the whole run has been seen.
    fn keeps(&mut self, _frame: &Frame) -> bool {
        true
    }

    /// Whether a decision is to be told, when the whole run has been seen.
    fn tells(&mut self, _decision: &Decision) -> bool {
        true
    }
}

/// How far a part of a story is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Whether it is the second run, which asks what records touched.
    pub again: bool,
    /// How many transitions of it were taken.
    pub transitions: u64,
    /// How many records the first run has written.
    pub records: u64,
}

/// Some records of a run, and no more.
struct Window<'a> {
    window: Range<u64>,
    seen: u64,
    goes_on: &'a mut dyn FnMut(Pace) -> bool,
    is_given_up: bool,
}

impl Selection for Window<'_> {
    fn shows(&mut self, index: u64, _: Time, _: Entity, _: &Record) -> bool {
        self.seen = index + 1;
        self.window.contains(&index)
    }

    fn is_through(&self) -> bool {
        self.seen >= self.window.end
    }

    fn goes_on(&mut self, again: bool, transitions: u64) -> bool {
        self.is_given_up |= !(self.goes_on)(Pace {
            again,
            transitions,
            records: self.seen,
        });
        !self.is_given_up
    }
}

impl<F: FnMut(u64, Time, Entity, &Record) -> bool> Selection for F {
    fn shows(&mut self, index: u64, at: Time, actor: Entity, record: &Record) -> bool {
        self(index, at, actor, record)
    }
}

impl Prepared {
    /// The story of a run under `chooser`, with at most `limit` records, from record `first` on (from 0), as
    /// frames.
    pub fn storyboard(&self, chooser: &Chooser, first: u64, limit: usize) -> Storyboard {
        let window = first..first.saturating_add(limit as u64);
        self.storyboard_of(chooser, &mut |index, _: Time, _: Entity, _: &Record| {
            window.contains(&index)
        })
    }

    /// A part of the story, the records of `window`: the run is followed no further, so that what is said of the
    /// whole run is true only of what came until then. `goes_on` is asked before each transition of both runs;
    /// `None` if it said no.
    pub fn story_within(
        &self,
        chooser: &Chooser,
        window: Range<u64>,
        goes_on: &mut dyn FnMut(Pace) -> bool,
    ) -> Option<Storyboard> {
        let mut window = Window {
            window,
            seen: 0,
            goes_on,
            is_given_up: false,
        };
        let board = self.storyboard_of(chooser, &mut window);
        (!window.is_given_up).then_some(board)
    }

    /// The story of a run under `chooser`, with the records that `selection` wants.
    ///
    /// # Panics
    /// If a second run parts from the first (a broken invariant).
    pub fn storyboard_of(&self, chooser: &Chooser, selection: &mut dyn Selection) -> Storyboard {
        let (mut board, mut of_shells) = self.played(chooser, selection);
        let staying = board.select(selection);
        of_shells.retain_mut(|(frame, _)| {
            let stays = staying[*frame] < staying[*frame + 1];
            *frame = staying[*frame];
            stays
        });
        self.look(chooser, &mut board, &of_shells, selection);
        let mut causes = Causes::default();
        for index in 0..board.frames.len() {
            let (cause, met) = causes.of(index, &board.frames[index]);
            let frame = &mut board.frames[index];
            (frame.cause, frame.met) = (cause, met);
        }
        board
    }

    /// The story without what its records touched; and which of its frames are records of batch files, each with its
    /// number among all of those.
    fn played(
        &self,
        chooser: &Chooser,
        selection: &mut dyn Selection,
    ) -> (Storyboard, Vec<(usize, u64)>) {
        let source = Noting {
            inner: chooser.source(),
            noted: Vec::new(),
        };
        let mut camera = Camera {
            selection,
            step: 0,
            frames: Vec::new(),
            trace: Trace::hashed(),
            shells: 0,
            of_shells: Vec::new(),
        };
        let mut decisions: Vec<Decision> = Vec::new();
        let mut player = Player::with(self, source, &mut camera);
        let mut frames_before = 0;
        loop {
            let taken = std::mem::take(&mut player.source().noted).into_iter();
            decisions.extend(taken.map(|decision| Decision {
                frame: frames_before,
                at: player.machine().now(),
                ..decision
            }));
            frames_before = camera.frames.len();
            camera.step = player.steps() + 1;
            let ends =
                camera.selection.is_through() || !camera.selection.goes_on(false, player.steps());
            if ends || !player.step(&mut camera) {
                break;
            }
        }
        let board = Storyboard {
            records: camera.trace.len(),
            frames: camera.frames,
            decisions,
            // A run that is cut off ends at its limit.
            at: match player.machine().next_at() {
                Some(_) => player.machine().now().max(self.until),
                None => player.machine().now(),
            },
            hash: camera.trace.hash(),
        };
        (board, camera.of_shells)
    }

    /// Runs again, and asks the world about what each frame touched.
    fn look(
        &self,
        chooser: &Chooser,
        board: &mut Storyboard,
        of_shells: &[(usize, u64)],
        selection: &mut dyn Selection,
    ) {
        let wanted = of_shells.iter().map(|(_, number)| *number).collect();
        let mut player = Player::new(&self.with_album(wanted), chooser, &mut ());
        if !look_between_steps(&mut player, board, selection) || of_shells.is_empty() {
            return;
        }
        // What a command did is known when its process goes on.
        while player.step(&mut ()) {}
        if let Stage::Windows(programs) = &player.machine().world {
            let album = programs.shells().album();
            for (frame, number) in of_shells {
                board.frames[*frame].touched = album.touched(*number).to_vec();
            }
        }
    }
}

impl Storyboard {
    /// Takes away what is not wanted after all. Of the frames before each, and before the end: how many stay.
    fn select(&mut self, selection: &mut dyn Selection) -> Vec<usize> {
        let mut staying = vec![0];
        self.frames.retain(|frame| {
            let stays = selection.keeps(frame);
            let before = staying.last().copied().unwrap_or(0);
            staying.push(before + usize::from(stays));
            stays
        });
        self.decisions.retain_mut(|decision| {
            decision.frame = staying[decision.frame];
            selection.tells(decision)
        });
        staying
    }
}

/// Asks the world about each frame, before its transition and after it; `false` if that was given up.
fn look_between_steps<S: Source>(
    player: &mut Player<S>,
    board: &mut Storyboard,
    selection: &mut dyn Selection,
) -> bool {
    let mut frames = &mut board.frames[..];
    while let Some(step) = frames.first().map(|frame| frame.step) {
        let count = frames.iter().take_while(|frame| frame.step == step).count();
        let (now, rest) = frames.split_at_mut(count);
        frames = rest;
        if step == 0 {
            // There is nothing before the beginning.
            now.iter_mut().for_each(|frame| after(player, None, frame));
            continue;
        }
        while player.steps() + 1 < step {
            if !selection.goes_on(true, player.steps()) {
                return false;
            }
            assert!(
                player.step(&mut ()),
                "a second run goes as far as the first"
            );
        }
        let world = &player.machine().world;
        for frame in &mut *now {
            let seen = world.touched(None, &frame.actor, &frame.record);
            frame.touched = seen
                .into_iter()
                .map(|seen| Touched {
                    what: seen.what,
                    before: seen.value,
                    after: None,
                })
                .collect();
        }
        // Who ends with this transition can be asked no more what it meant; hosts stay.
        let asked = (!matches!(world, Stage::Tcp(_))).then(|| world.clone());
        assert!(
            player.step(&mut ()),
            "a second run goes as far as the first"
        );
        for frame in now {
            after(player, asked.as_ref(), frame);
        }
    }
    true
}

fn after<S: Source>(player: &Player<S>, asked: Option<&Stage>, frame: &mut Frame) {
    let world = &player.machine().world;
    for seen in world.touched(asked, &frame.actor, &frame.record) {
        let known = frame.touched.iter_mut();
        match known.into_iter().find(|touched| touched.what == seen.what) {
            Some(touched) => touched.after = seen.value,
            None => frame.touched.push(Touched {
                what: seen.what,
                before: None,
                after: seen.value,
            }),
        }
    }
}

/// Keeps some records as frames, and hashes all.
struct Camera<'a> {
    selection: &'a mut dyn Selection,
    step: u64,
    frames: Vec<Frame>,
    trace: Trace<Record>,
    /// How many records processes of batch files have written.
    shells: u64,
    of_shells: Vec<(usize, u64)>,
}

impl Observer<Record> for Camera<'_> {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        let index = self.trace.len();
        self.trace.see(at, actor, record, names);
        let of_shell = matches!(record, Record::Cmd(record) if record.is_of_process());
        let number = self.shells;
        self.shells += u64::from(of_shell);
        if self.selection.shows(index, at, actor, record) {
            if of_shell {
                self.of_shells.push((self.frames.len(), number));
            }
            self.frames.push(Frame {
                index,
                at,
                actor: names.path(actor).clone(),
                record: record.clone(),
                step: self.step,
                touched: Vec::new(),
                cause: None,
                met: None,
            });
        }
    }
}

/// Notes each decision that has more than one option.
struct Noting {
    inner: Box<dyn Source>,
    noted: Vec<Decision>,
}

impl Source for Noting {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let taken = self.inner.choose(key, options, names);
        if options.count > 1 {
            let label = |index| options.label(index, names).into_owned();
            let narrow = if options.is_wide() { 0 } else { options.count };
            self.noted.push(Decision {
                frame: 0,
                at: Time::default(),
                key: key.text(names),
                options: (0..narrow).map(label).collect(),
                count: options.count,
                default: label(options.default),
                take: label(taken),
            });
        }
        taken
    }

    fn heeds_keys(&self) -> bool {
        // A key is part of what is noted.
        true
    }
}

impl Frame {
    /// The entry of the trace that it shows.
    pub fn entry(&self) -> Entry<Record> {
        Entry {
            at: self.at,
            actor: self.actor.clone(),
            record: self.record.clone(),
        }
    }

    /// What it says, as the rest of a sentence that begins with the actor.
    pub fn words(&self) -> String {
        self.record.words()
    }
}
