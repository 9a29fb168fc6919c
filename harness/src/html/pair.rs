//! Two runs that are one choice apart: the shortest that decides a claim, and the same with a choice left out.

use faultlab_sim::engine::Choice;
use faultlab_sim::scenario::{
    Chooser, Futures, Keep, Mistake, Prepared, Reproduction, Storyboard, Watch, point_of_no_return,
};
use serde::Serialize;

use super::futures::FuturesView;
use super::play::{self, play};
use crate::failure::{Failure, Result};
use crate::render::schedule;
use crate::threads::Threads;

/// How many records from a reproduction the page lists at most.
const RECORDS: usize = 20_000;

/// How many rows before the parting are shown, and how many after it.
const BEFORE: usize = 6;
const AFTER: usize = 60;

/// How the futures along the shortest run are looked at: nobody asked, so it may not take long.
const FUTURES: Futures = Futures::CountedOr(50_000, 100);

#[derive(Serialize)]
struct Row {
    class: &'static str,
    left: String,
    right: String,
}

/// Two runs beside each other.
#[derive(Serialize)]
pub struct Pair {
    claim: String,
    says: String,
    choices: Vec<String>,
    shrunk: String,
    left: String,
    right: String,
    left_run: usize,
    right_run: usize,
    left_record: usize,
    right_record: usize,
    rows: Vec<Row>,
}

/// A pair, with its runs: title, what it is, records.
pub struct Found {
    pub(super) pair: Pair,
    pub(super) runs: [(String, String, play::Shown); 2],
    /// The futures along the first.
    pub(super) futures: Option<FuturesView>,
}

impl Pair {
    /// Says which run of the chapter one side is.
    pub(super) fn stand_at(&mut self, side: usize, run: usize) {
        match side {
            0 => self.left_run = run,
            _ => self.right_run = run,
        }
    }
}

/// The run of a reproduction, beside one that is a choice apart from it; none if no choice decides it.
///
/// # Errors
/// A mistake that shows only when an arm's values are filled in.
pub fn of(reproduction: &Reproduction) -> Result<Option<Found>> {
    // As a user has it who replays the file.
    let text = reproduction.write();
    let mistaken = |mistake: Mistake| Failure::mistake(mistake, Some(text.as_str()));
    let (_, loaded) = Reproduction::read("the shortest run", &text).map_err(mistaken)?;
    let arm = loaded.scenario.arm(&reproduction.arm);
    let arm = arm.expect("read checks the arm");
    let prepared = loaded
        .prepare(arm, &reproduction.params, &reproduction.off)
        .map_err(mistaken)?;
    let watch = loaded.watch_of(&reproduction.claim);
    let Some((left_out, others)) = one_choice_apart(&prepared, &watch, reproduction) else {
        return Ok(None);
    };
    let chooser = |choices: &[Choice]| Chooser::Named(choices.to_vec(), reproduction.rest);
    let mut with = play(&prepared, &chooser(&reproduction.choices), RECORDS);
    let without = play(&prepared, &chooser(&others), RECORDS);
    let sentence = schedule::sentence(&reproduction.choices[left_out]);
    let (is_so, is_not) = match reproduction.so {
        true => ("it is so", "it is not so"),
        false => ("it is not so", "it is so"),
    };
    let parting = parting(&with.board, &without.board);
    let spec = loaded.scenario.claims.iter();
    let says = spec
        .filter(|claim| claim.id == reproduction.claim)
        .map(|claim| claim.says.clone())
        .collect();
    let titles = [
        format!(
            "{}: {is_so}, with {}",
            reproduction.claim,
            numbered(left_out, &others)
        ),
        format!("{}: {is_not}, without it", reproduction.claim),
    ];
    let docs = [
        format!("The shortest run: {sentence}."),
        format!("The same without this choice: {sentence}."),
    ];
    let pair = Pair {
        claim: reproduction.claim.clone(),
        says,
        choices: reproduction
            .choices
            .iter()
            .map(schedule::sentence)
            .collect(),
        shrunk: reproduction.shrunk.clone(),
        left: format!("With the choice, {is_so}."),
        right: format!("Without it, {is_not}."),
        left_run: 0,
        right_run: 0,
        left_record: parting,
        right_record: parting.min(without.board.frames.len().saturating_sub(1)),
        rows: rows(
            &with.board,
            &without.board,
            parting,
            &reproduction.choices[left_out],
        ),
    };
    let futures = point_of_no_return(
        &prepared,
        &watch,
        reproduction.so,
        &chooser(&reproduction.choices),
        FUTURES,
        &Threads::new(None),
    );
    let view = futures
        .as_ref()
        .map(|found| FuturesView::new(&reproduction.claim, &pair.says, found));
    with.futures = futures;
    let [first, second] = titles;
    let [with_doc, without_doc] = docs;
    Ok(Some(Found {
        pair,
        runs: [(first, with_doc, with), (second, without_doc, without)],
        futures: view,
    }))
}

fn numbered(left_out: usize, others: &[Choice]) -> String {
    match others.len() {
        0 => "the choice".into(),
        _ => format!("choice {}", left_out + 1),
    }
}

/// The choice without which the claim comes out the other way, from the last on, and those that stay.
fn one_choice_apart(
    prepared: &Prepared,
    watch: &Watch,
    reproduction: &Reproduction,
) -> Option<(usize, Vec<Choice>)> {
    (0..reproduction.choices.len()).rev().find_map(|left_out| {
        let mut others = reproduction.choices.clone();
        others.remove(left_out);
        let chooser = Chooser::Named(others.clone(), reproduction.rest);
        let outcome = prepared.run(&chooser, watch, Keep::default());
        let so = outcome.bits & 1 == 1;
        (so != reproduction.so).then_some((left_out, others))
    })
}

/// The first frame in which two runs differ.
fn parting(one: &Storyboard, other: &Storyboard) -> usize {
    let both = one.frames.iter().zip(&other.frames);
    both.take_while(|(one, other)| one.entry() == other.entry())
        .count()
}

fn rows(with: &Storyboard, without: &Storyboard, parting: usize, choice: &Choice) -> Vec<Row> {
    let words = |board: &Storyboard, index: usize| {
        board.frames.get(index).map_or(String::new(), |frame| {
            format!("{} {}", frame.actor, frame.words())
        })
    };
    let mut rows = Vec::new();
    let first = parting.saturating_sub(BEFORE);
    if first > 0 {
        let text = format!("{first} records alike");
        rows.push(Row {
            class: "same",
            left: text.clone(),
            right: text,
        });
    }
    for index in first..parting {
        rows.push(Row {
            class: "same",
            left: words(with, index),
            right: words(without, index),
        });
    }
    let decided = |board: &Storyboard| {
        let decision = board
            .decisions
            .iter()
            .find(|decision| decision.key == choice.key)?;
        let others = decision
            .options
            .iter()
            .filter(|option| **option != decision.take);
        let others: Vec<&str> = others.map(String::as_str).collect();
        Some(format!(
            "▼ {}: {} (or {})",
            schedule::place(&decision.key),
            decision.take,
            others.join(", ")
        ))
    };
    let left = decided(with).unwrap_or_else(|| format!("▼ {}", schedule::sentence(choice)));
    let right = decided(without).unwrap_or_else(|| "▼ there is nothing to choose here".into());
    rows.push(Row {
        class: "part",
        left,
        right,
    });
    let last = with.frames.len().max(without.frames.len());
    for index in parting..last.min(parting + AFTER) {
        rows.push(Row {
            class: "",
            left: words(with, index),
            right: words(without, index),
        });
    }
    if last > parting + AFTER {
        let more = |board: &Storyboard| {
            let more = board.frames.len().saturating_sub(parting + AFTER);
            format!("… and {more} more")
        };
        rows.push(Row {
            class: "same",
            left: more(with),
            right: more(without),
        });
    }
    rows
}
