//! Two runs that are one step apart: one that decides a claim, and the same with a choice or a fault left out.

use std::collections::{BTreeMap, VecDeque};

use faultlab_sim::engine::{Choice, Entity, Names, Observer, Record as _, Time};
use faultlab_sim::scenario::{
    Arm, Chooser, Claim, Futures, Keep, Loaded, Mistake, Player, Prepared, Record, Reproduction,
    Rest, Storyboard, Watch, Witness, point_of_no_return,
};
use serde::Serialize;

use super::futures::FuturesView;
use super::play::{self, play};
use crate::explain::fault;
use crate::failure::{Failure, Result};
use crate::library::late_mistake;
use crate::render::schedule;
use crate::threads::Threads;

/// How many records from a reproduction the page lists at most.
const RECORDS: usize = 20_000;

/// How many rows before the parting are shown, and how many after it.
const BEFORE: usize = 6;
const AFTER: usize = 60;
/// Of those after it, so many are printed.
const PRINTED: usize = 10;

/// How the futures along the shortest run are looked at: nobody asked, so it may not take long.
const FUTURES: Futures = Futures::CountedOr(50_000, 100);

/// Two runs beside each other.
#[derive(Serialize)]
pub struct Pair {
    claim: String,
    says: String,
    /// Of what kind it is in which they differ.
    apart: &'static str,
    /// What decides the claim together: choices and faults.
    steps: Vec<String>,
    shrunk: String,
    sides: [Side; 2],
    rows: Vec<Row>,
}

/// One of the two.
#[derive(Serialize)]
struct Side {
    heading: String,
    /// Which run of the chapter it is, if it is there.
    run: Option<usize>,
    /// The first record that the other has not.
    record: u64,
}

#[derive(Serialize)]
struct Row {
    class: &'static str,
    record: Option<u64>,
    left: String,
    right: String,
}

/// A pair, with the runs that the chapter does not have yet: title, what it is, records.
pub struct Found {
    pub(super) pair: Pair,
    pub(super) runs: Option<[(String, String, play::Shown); 2]>,
    /// The futures along the first.
    pub(super) futures: Option<FuturesView>,
}

impl Pair {
    /// Says which run of the chapter one side is.
    pub(super) fn stand_at(&mut self, side: usize, run: usize) {
        self.sides[side].run = Some(run);
    }
}

/// A run that decides a claim.
struct Decided<'a> {
    loaded: &'a Loaded,
    arm: &'a Arm,
    params: &'a BTreeMap<String, String>,
    off: &'a [String],
    claim: &'a str,
    so: bool,
    choices: &'a [Choice],
    rest: Rest,
}

/// What the other run does without.
enum LeftOut<'a> {
    Choice(&'a Choice),
    Fault(String),
    /// Not left out, but another: the world of another arm.
    Setting {
        /// The world of the run, in words.
        this: String,
        /// That of the other.
        other: String,
    },
}

/// The other run.
struct Other<'a> {
    left_out: LeftOut<'a>,
    arm: Arm,
    prepared: Prepared,
    chooser: Chooser,
}

/// The run of a reproduction, beside one that is a step apart from it; none if no step decides it.
///
/// # Errors
/// A mistake that shows only when an arm's values are filled in.
pub fn of(reproduction: &Reproduction) -> Result<Option<Found>> {
    // As a user has it who replays the file.
    let text = reproduction.write();
    let mistaken = |mistake: Mistake| Failure::mistake(mistake, Some(text.as_str()));
    let (_, loaded) = Reproduction::read("the shortest run", &text).map_err(mistaken)?;
    let arm = loaded.scenario.arm(&reproduction.arm);
    let decided = Decided {
        loaded: &loaded,
        arm: arm.expect("read checks the arm"),
        params: &reproduction.params,
        off: &reproduction.off,
        claim: &reproduction.claim,
        so: reproduction.so,
        choices: &reproduction.choices,
        rest: reproduction.rest,
    };
    let prepared = decided.prepared().map_err(mistaken)?;
    let Some(other) = decided.one_step_apart(&prepared).map_err(mistaken)? else {
        return Ok(None);
    };
    let chooser = decided.chooser();
    let mut with = play(&prepared, &chooser, RECORDS);
    let without = play(&other.prepared, &other.chooser, RECORDS);
    let mut pair = decided.beside(&prepared, &other, &reproduction.shrunk);
    if let LeftOut::Choice(choice) = other.left_out {
        pair.tell_choice(choice, &with.board, &without.board);
    }
    let watch = decided.watch();
    let (so, threads) = (decided.so, Threads::new(None));
    let futures = point_of_no_return(&prepared, &watch, so, &chooser, FUTURES, &threads, &|_| {});
    // Where every future fails from the start, there is nothing to see.
    with.futures = futures.ok().filter(|found| !found.start.is_all());
    let futures = with.futures.as_ref();
    let futures = futures.map(|found| FuturesView::new(decided.claim, &pair.says, found));
    let (so, otherwise) = decided.words();
    let (noun, sentence) = (other.left_out.noun(), other.left_out.sentence());
    let which = match (&other.left_out, decided.choices) {
        (LeftOut::Choice(choice), [_, _, ..]) => {
            let nth = decided.choices.iter().position(|known| known == *choice);
            format!("choice {}", nth.map_or(1, |nth| nth + 1))
        }
        _ => format!("the {noun}"),
    };
    Ok(Some(Found {
        runs: Some([
            (
                format!("{}: {so}, with {which}", decided.claim),
                format!("The shortest run: {sentence}."),
                with,
            ),
            (
                format!("{}: {otherwise}, without it", decided.claim),
                format!("The same without this {noun}: {sentence}."),
                without,
            ),
        ]),
        futures,
        pair,
    }))
}

/// The run of a witness as it was found, too long to be made short, beside one that is a step apart from it: without
/// a fault, or if none matters on the arm that the claim `spec` is about; `ran` says which runs the chapter has: arms
/// under the same seed.
///
/// # Errors
/// A mistake that shows only when an arm's values are filled in.
pub fn of_arm(
    loaded: &Loaded,
    spec: &Claim,
    witness: &Witness,
    off: &[String],
    ran: &[&str],
) -> Result<Option<Found>> {
    let Chooser::Seed(seed) = witness.chooser else {
        return Ok(None);
    };
    let claim = &*spec.id;
    let arm = loaded.scenario.arm(&witness.arm);
    let decided = Decided {
        loaded,
        arm: arm.expect("a witness names an arm"),
        params: &witness.params,
        off,
        claim,
        so: witness.so,
        choices: &[],
        rest: Rest::Seed(seed),
    };
    let mistaken = |mistake| late_mistake(loaded, mistake);
    let prepared = decided.prepared().map_err(mistaken)?;
    let other = match decided.one_step_apart(&prepared).map_err(mistaken)? {
        Some(other) => Some(other),
        None => decided.on_other_arm(&spec.on, seed).map_err(mistaken)?,
    };
    let Some(other) = other else {
        return Ok(None);
    };
    let shrunk = match &other.left_out {
        LeftOut::Setting { .. } => format!("both as they are under seed {seed}"),
        _ => format!("as it is under seed {seed}: a run of this length is not made shorter"),
    };
    let mut pair = decided.beside(&prepared, &other, &shrunk);
    let world = |arm: &Arm| {
        arm.world
            .clone()
            .unwrap_or_else(|| loaded.scenario.world.clone())
    };
    let like = |known: &Arm, arm: &Arm| {
        let same = (&known.faults, &known.params) == (&arm.faults, &arm.params);
        same && world(known) == world(arm)
    };
    for (side, arm) in [decided.arm, &other.arm].into_iter().enumerate() {
        let known = |name: &&str| {
            loaded
                .scenario
                .arm(name)
                .is_some_and(|known| like(known, arm))
        };
        pair.sides[side].run = ran.iter().position(known);
    }
    Ok(Some(Found {
        pair,
        runs: None,
        futures: None,
    }))
}

impl Decided<'_> {
    fn prepared(&self) -> std::result::Result<Prepared, Mistake> {
        self.loaded.prepare(self.arm, self.params, self.off)
    }

    fn chooser(&self) -> Chooser {
        Chooser::Named(self.choices.to_vec(), self.rest)
    }

    fn watch(&self) -> Watch {
        self.loaded.watch_of(self.claim)
    }

    /// What it comes to, and what otherwise.
    fn words(&self) -> (&'static str, &'static str) {
        match self.so {
            true => ("it is so", "it is not so"),
            false => ("it is not so", "it is so"),
        }
    }

    /// The run without a choice, or if no choice matters without a fault, in which the claim comes out the other
    /// way: from the last on.
    fn one_step_apart(
        &self,
        prepared: &Prepared,
    ) -> std::result::Result<Option<Other<'_>>, Mistake> {
        let watch = self.watch();
        let parts = |prepared: &Prepared, chooser: &Chooser| {
            let outcome = prepared.run(chooser, &watch, Keep::default());
            (outcome.bits & 1 == 1) != self.so && !watch.met_unsupported(outcome.bits)
        };
        for (left_out, choice) in self.choices.iter().enumerate().rev() {
            let mut others = self.choices.to_vec();
            others.remove(left_out);
            let chooser = Chooser::Named(others, self.rest);
            if parts(prepared, &chooser) {
                return Ok(Some(Other {
                    left_out: LeftOut::Choice(choice),
                    arm: self.arm.clone(),
                    prepared: prepared.clone(),
                    chooser,
                }));
            }
        }
        for left_out in (0..self.arm.faults.len()).rev() {
            let mut arm = self.arm.clone();
            let removed = arm.faults.remove(left_out);
            let prepared = self.loaded.prepare(&arm, self.params, self.off)?;
            let chooser = self.chooser();
            if parts(&prepared, &chooser) {
                return Ok(Some(Other {
                    left_out: LeftOut::Fault(fault(&removed)),
                    arm,
                    prepared,
                    chooser,
                }));
            }
        }
        Ok(None)
    }

    /// The run of another arm, if it has a world of its own and the claim comes out the other way there.
    fn on_other_arm(
        &self,
        name: &str,
        seed: u64,
    ) -> std::result::Result<Option<Other<'_>>, Mistake> {
        let scenario = &self.loaded.scenario;
        let Some(other) = scenario.arm(name) else {
            return Ok(None);
        };
        let world = |arm: &Arm| arm.world.clone().unwrap_or_else(|| scenario.world.clone());
        if world(other) == world(self.arm) {
            return Ok(None);
        }
        let params = scenario.cases_of(other).first();
        let params = params.map(|case| case.params.clone()).unwrap_or_default();
        let off = Prepared::swarm(other, seed);
        let prepared = self.loaded.prepare(other, &params, &off)?;
        let (watch, chooser) = (self.watch(), self.chooser());
        let outcome = prepared.run(&chooser, &watch, Keep::default());
        let parts = (outcome.bits & 1 == 1) != self.so && !watch.met_unsupported(outcome.bits);
        let words = |arm: &Arm| match arm.doc.as_str() {
            "" => format!("the arm {}", arm.name),
            doc => format!("the arm {}: {doc}", arm.name),
        };
        Ok(parts.then(|| Other {
            left_out: LeftOut::Setting {
                this: words(self.arm),
                other: words(other),
            },
            arm: other.clone(),
            prepared,
            chooser,
        }))
    }

    /// The two beside each other, from shortly before they part.
    fn beside(&self, prepared: &Prepared, other: &Other<'_>, shrunk: &str) -> Pair {
        let chooser = self.chooser();
        let parting = Parting::of([(prepared, &chooser), (&other.prepared, &other.chooser)]);
        let noun = other.left_out.noun();
        let (so, otherwise) = self.words();
        let heading = |heading: String| Side {
            heading,
            run: None,
            record: parting.index,
        };
        let choices = self.choices.iter().map(schedule::sentence);
        let faults = self.arm.faults.iter().map(fault);
        let setting = match &other.left_out {
            LeftOut::Setting { this, .. } => Some(this.clone()),
            _ => None,
        };
        let headings = match &other.left_out {
            LeftOut::Setting { .. } => [
                format!("In the arm {}, {so}.", self.arm.name),
                format!("In the arm {}, {otherwise}.", other.arm.name),
            ],
            _ => [
                format!("With the {noun}, {so}."),
                format!("Without it, {otherwise}."),
            ],
        };
        let claims = &self.loaded.scenario.claims;
        let spec = claims.iter().find(|spec| spec.id == self.claim);
        Pair {
            claim: self.claim.into(),
            says: spec.map(|spec| spec.says.clone()).unwrap_or_default(),
            apart: noun,
            steps: setting.into_iter().chain(choices).chain(faults).collect(),
            shrunk: shrunk.into(),
            sides: headings.map(heading),
            rows: parting.rows(&other.left_out),
        }
    }
}

impl LeftOut<'_> {
    fn noun(&self) -> &'static str {
        match self {
            LeftOut::Choice(_) => "choice",
            LeftOut::Fault(_) => "fault",
            LeftOut::Setting { .. } => "setting",
        }
    }

    fn sentence(&self) -> String {
        match self {
            LeftOut::Choice(choice) => schedule::sentence(choice),
            LeftOut::Fault(fault) => fault.clone(),
            LeftOut::Setting { this, .. } => this.clone(),
        }
    }

    /// What there is in the other run in its place.
    fn otherwise(&self) -> &str {
        match self {
            LeftOut::Choice(_) => "there is nothing to choose here",
            LeftOut::Fault(_) => "no such fault",
            LeftOut::Setting { other, .. } => other,
        }
    }
}

impl Pair {
    /// Says at the parting what each side chose, and what it could have.
    fn tell_choice(&mut self, choice: &Choice, with: &Storyboard, without: &Storyboard) {
        let decided = |board: &Storyboard| {
            let mut decisions = board.decisions.iter();
            let decision = decisions.find(|decision| decision.key == choice.key)?;
            let others = decision.options.iter();
            let others: Vec<&str> = others
                .filter(|option| **option != decision.take)
                .map(String::as_str)
                .collect();
            let place = schedule::place(&decision.key);
            Some(match others.as_slice() {
                [] => format!("▼ {place}: {}", decision.take),
                others => format!("▼ {place}: {} (or {})", decision.take, others.join(", ")),
            })
        };
        for row in self.rows.iter_mut().filter(|row| row.class == "part") {
            row.left = decided(with).unwrap_or_else(|| std::mem::take(&mut row.left));
            row.right = decided(without).unwrap_or_else(|| std::mem::take(&mut row.right));
        }
    }
}

/// Where two runs part, with the records around it.
struct Parting {
    /// The first record in which they differ.
    index: u64,
    /// The last records before it.
    alike: VecDeque<String>,
    /// The first records of each from there on.
    after: [Vec<String>; 2],
}

/// The records that a run has written and nobody has looked at.
#[derive(Default)]
struct Ahead(VecDeque<(Time, Entity, Record, String)>);

impl Observer<Record> for Ahead {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        let words = format!("`{}` {}", names.path(actor), record.words());
        self.0.push_back((at, actor, record.clone(), words));
    }
}

impl Parting {
    /// Follows both until they differ, and a little further.
    fn of(runs: [(&Prepared, &Chooser); 2]) -> Parting {
        let mut runs = runs.map(|(prepared, chooser)| {
            let mut ahead = Ahead::default();
            (Player::new(prepared, chooser, &mut ahead), ahead)
        });
        let mut parting = Parting {
            index: 0,
            alike: VecDeque::new(),
            after: [Vec::new(), Vec::new()],
        };
        let mut next = || {
            runs.each_mut().map(|(player, ahead)| {
                while ahead.0.is_empty() && player.step(ahead) {}
                ahead.0.pop_front()
            })
        };
        let mut first = loop {
            match next() {
                [Some(one), Some(other)] if one == other => {
                    parting.index += 1;
                    parting.alike.push_back(one.3);
                    if parting.alike.len() > BEFORE {
                        parting.alike.pop_front();
                    }
                }
                differing => break Some(differing),
            }
        };
        // One more than is shown, to know whether there is more.
        for _ in 0..=AFTER {
            let both = first.take().unwrap_or_else(&mut next);
            for (record, after) in both.into_iter().zip(&mut parting.after) {
                after.extend(record.map(|record| record.3));
            }
        }
        parting
    }

    fn rows(&self, left_out: &LeftOut<'_>) -> Vec<Row> {
        let row = |class, record, left: &str, right: &str| Row {
            class,
            record,
            left: left.into(),
            right: right.into(),
        };
        let mut rows = Vec::new();
        let first = self.index - self.alike.len() as u64;
        if first > 0 {
            let text = format!("{} alike", crate::render::counted(first, "record"));
            rows.push(row("same", None, &text, &text));
        }
        for (record, words) in (first..).zip(&self.alike) {
            rows.push(row("same", Some(record), words, words));
        }
        let sentence = format!("▼ {}", left_out.sentence());
        let without = format!("▼ {}", left_out.otherwise());
        rows.push(row("part", None, &sentence, &without));
        let [left, right] = &self.after;
        let words = |side: &[String], nth: usize| side.get(nth).cloned().unwrap_or_default();
        for nth in 0..left.len().max(right.len()).min(AFTER) {
            let record = Some(self.index + nth as u64);
            if nth == PRINTED {
                let more = |side: &[String]| if side.len() > nth { "… and more" } else { "" };
                rows.push(row("same printed", None, more(left), more(right)));
            }
            let class = if nth < PRINTED { "" } else { "screen" };
            rows.push(row(class, record, &words(left, nth), &words(right, nth)));
        }
        let more = |side: &[String]| {
            if side.len() > AFTER {
                "… and more"
            } else {
                ""
            }
        };
        if left.len().max(right.len()) > AFTER {
            rows.push(row("same screen", None, more(left), more(right)));
        }
        rows
    }
}
