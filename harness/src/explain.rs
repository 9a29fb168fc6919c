//! `explain`: the story of a scenario, its arms, its claims and what they come to, for a reader.

use faultlab_sim::engine::{Param, When};
use faultlab_sim::scenario::{ClaimReport, Fault, Loaded};

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::Result;
use crate::library;
use crate::render::{Page, claim, grouped, search};
use crate::run::judge;

/// Runs the command.
///
/// # Errors
/// Bad input.
pub fn run(args: &cli::Explain, layout: Layout) -> Result<Exit> {
    let loaded = library::find(&args.name)?.load()?;
    let report = judge(&loaded, 0)?;
    let mut page = Page::new(layout);
    story(&mut page, &loaded);
    arms(&mut page, &loaded);
    page.heading("What is claimed");
    for judged in &report.claims {
        tell(&mut page, judged);
    }
    commands(&mut page, &args.name);
    console::print(&page.into_text())?;
    Ok(Exit::of_verdicts(report.is_as_expected()))
}

fn story(page: &mut Page, loaded: &Loaded) {
    let scenario = &loaded.scenario;
    page.heading(&scenario.title);
    page.paragraph(0, &scenario.id);
    page.gap();
    let story = &scenario.story;
    for (heading, text) in [
        ("What is said", &story.said),
        ("What happens", &story.happens),
        ("Why", &story.why),
        ("How to see it", &story.see),
    ] {
        page.heading(heading);
        page.paragraph(2, text);
        page.gap();
    }
}

fn arms(page: &mut Page, loaded: &Loaded) {
    let arms = &loaded.scenario.arms;
    page.heading(if arms.len() == 1 {
        "The arm"
    } else {
        "The arms"
    });
    let column = arms.iter().map(|arm| arm.name.len()).max().unwrap_or(0) + 2;
    for arm in arms {
        let faults = arm.faults.iter().map(fault);
        let parts: Vec<String> = std::iter::once(arm.doc.clone())
            .filter(|doc| !doc.is_empty())
            .chain(faults)
            .collect();
        page.row(2, column, &arm.name, &parts.join("; "));
    }
    page.gap();
}

/// A fault in words: `fault registry-access-denied at *-installer, 1 in 4 times`.
pub fn fault(fault: &Fault) -> String {
    let mut text = format!("fault {} at {}", fault.name, fault.at);
    let When {
        from_ms,
        before_ms,
        nth,
        ratio,
    } = &fault.when;
    if let Some(ms) = from_ms {
        text += &format!(", from {} ms on", grouped(ms));
    }
    if let Some(ms) = before_ms {
        text += &format!(", before {} ms", grouped(ms));
    }
    if let Some(nth) = nth {
        text += &format!(", only opportunity {nth}");
    }
    if let Some((some, of)) = ratio {
        text += &format!(", {some} in {of} times");
    }
    for (name, value) in &fault.params {
        match value {
            Param::Number(number) => text += &format!(", {name} = {}", grouped(number)),
            Param::Text(value) => text += &format!(", {name} = {value:?}"),
        }
    }
    if fault.optional {
        text += ", or not at all";
    }
    text
}

fn tell(page: &mut Page, judged: &ClaimReport) {
    claim::headline(page, judged);
    page.paragraph(claim::INDENT, &format!("\u{201c}{}\u{201d}", judged.says));
    claim::reservations(page, judged);
    claim::fact(page, "basis", &search::basis(&judged.basis));
    if !judged.note.is_empty() {
        claim::fact(page, "note", &judged.note);
    }
    page.gap();
}

fn commands(page: &mut Page, name: &str) {
    page.heading("Commands");
    let commands = [
        ("run", "every verdict with its evidence"),
        (
            "explore",
            "the schedules that show it, counted, and one of the shortest",
        ),
    ];
    let commands = commands.map(|(command, what)| (format!("faultlab {command} {name}"), what));
    let column = commands.iter().map(|(command, _)| command.len()).max();
    for (command, what) in &commands {
        page.row(2, column.unwrap_or(0) + 2, command, what);
    }
}
