//! `replay`: runs a reproduction again, and says whether its verdict recurs.

use std::path::Path;

use faultlab_sim::scenario::{Chooser, Loaded, Mistake, Replay, Reproduction};

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::html::Chapter;
use crate::library::{self, late_mistake};
use crate::render::{Page, printable, schedule, style};
use crate::step::{self, Place, Shown};

/// Runs the command.
///
/// # Errors
/// Bad input.
pub fn run(args: &cli::Replay, layout: Layout) -> Result<Exit> {
    let text = read(&args.file)?;
    let file = args.file.display().to_string();
    let mistaken = |mistake: Mistake| {
        let text = (mistake.file == file).then_some(text.as_str());
        Failure::mistake(mistake, text)
    };
    let (reproduction, loaded) = Reproduction::read(&file, &text).map_err(mistaken)?;
    if args.step {
        return step_through(&reproduction, &loaded, args.at, layout);
    }
    let mut book = args.html.begin()?;
    let (replay, _) = reproduction.replay(&loaded).map_err(mistaken)?;
    let mut page = Page::new(layout);
    page.heading(&format!("{}: {}", replay.scenario, loaded.scenario.title));
    choices(&mut page, &reproduction);
    verdict(&mut page, &reproduction, &replay);
    let passes = replay.recurs && (replay.identical || !args.exact);
    if replay.recurs && !passes {
        let bad = page.paint(style::BAD, "✗ the exact trace was asked for");
        page.paragraph(2, &bad);
    }
    console::print(&page.into_text())?;
    if let Some(mut book) = book.take() {
        book.add(Chapter::replayed(
            &loaded,
            &reproduction,
            &replay,
            book.records(),
        )?);
        book.commit()?;
    }
    Ok(Exit::of_verdicts(passes))
}

fn step_through(
    reproduction: &Reproduction,
    loaded: &Loaded,
    at: Option<Place>,
    layout: Layout,
) -> Result<Exit> {
    let arm = loaded.scenario.arm(&reproduction.arm);
    let arm = arm.expect("it was read with its arm");
    let prepared = loaded
        .prepare(arm, &reproduction.params, &reproduction.off)
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    let title = format!(
        "{} / {} / {}",
        loaded.scenario.id, reproduction.arm, reproduction.claim
    );
    let shown = Shown {
        title,
        prepared,
        chooser: Chooser::Named(reproduction.choices.clone(), reproduction.rest),
    };
    step::show(shown, at, layout)?;
    Ok(Exit::AsRecorded)
}

fn read(path: &Path) -> Result<String> {
    library::read_text(path)
        .map_err(|why| Failure::bad_input(format!("{} cannot be read: {why}", path.display())))
}

fn choices(page: &mut Page, reproduction: &Reproduction) {
    let mut text = format!("{} in the arm {}", reproduction.claim, reproduction.arm);
    if !reproduction.shrunk.is_empty() {
        text += &format!(", {}", reproduction.shrunk);
    }
    page.paragraph(2, &format!("{text}:"));
    schedule::list(page, 4, &reproduction.choices);
}

fn verdict(page: &mut Page, reproduction: &Reproduction, replay: &Replay) {
    for (family, (recorded, present)) in &replay.other_versions {
        page.item(
            "  ",
            4,
            &format!("the {family} models were version {recorded} and are now {present}"),
        );
    }
    for (before, now) in &replay.renamed {
        page.item(
            "  ",
            4,
            &format!("{before:?} was taken for what is now {now:?}"),
        );
    }
    for choice in &replay.unmatched {
        page.item(
            "  ",
            4,
            &format!("met nothing, so the default was taken: {choice}"),
        );
    }
    let word = reproduction.verdict.word();
    let says = match (replay.recurs, replay.identical) {
        (true, true) => page.paint(style::GOOD, format!("✓ {word} recurs: identical trace")),
        (true, false) => {
            let text = format!("✓ {word} recurs: same verdict, {}", parting(replay));
            page.paint(style::GOOD, text)
        }
        (false, _) => {
            let text = format!("✗ {word} does not recur: {}", parting(replay));
            page.paint(style::BAD, text)
        }
    };
    page.paragraph(2, &says);
    if let Some(at) = replay.parts_at {
        match &replay.parting_record {
            Some(entry) => {
                let entry = printable(entry);
                page.item("    ", 6, &format!("record {at} is now: {entry}"));
            }
            None => page.item("    ", 6, &format!("this run ends before record {at}")),
        }
    }
    let hashes = match replay.identical {
        true => format!("trace {}", replay.trace_hash),
        false => format!(
            "trace {}, recorded {}",
            replay.trace_hash, replay.recorded_hash
        ),
    };
    let hashes = page.paint(style::FAINT, hashes);
    page.paragraph(2, &hashes);
}

/// Where a replay parts from what was recorded, in words.
pub fn parting(replay: &Replay) -> String {
    match (replay.identical, replay.parts_at) {
        (true, _) => "identical trace".into(),
        (false, Some(at)) => format!("traces part at record {at}"),
        (false, None) => "traces part beyond the records that were kept".into(),
    }
}
