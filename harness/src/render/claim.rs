//! A claim with its verdict, its basis and its evidence.

use anstyle::{AnsiColor, Style};
use faultlab_sim::scenario::{Claim, ClaimReport, Searched, Shown, Verdict};

use super::{Page, printable, search, style};

/// The colour of a verdict.
pub fn color(verdict: &Verdict) -> Style {
    match verdict {
        Verdict::Holds => AnsiColor::Green.on_default(),
        Verdict::HoldsUnder(_) => AnsiColor::Cyan.on_default(),
        Verdict::Refuted => AnsiColor::Yellow.on_default(),
        Verdict::Undecided => AnsiColor::Magenta.on_default(),
    }
    .bold()
}

/// Where the sentences of a claim begin.
pub const INDENT: usize = 6;

/// The line with the verdict: whether it is as recorded, what it is, of which claim.
pub fn headline(page: &mut Page, claim: &ClaimReport) {
    let mark = match claim.is_as_expected() {
        true => page.paint(style::GOOD, "✓"),
        false => page.paint(style::BAD, "✗"),
    };
    let verdict = page.paint(color(&claim.verdict), &claim.verdict);
    let mut text = format!("{verdict}  {}", claim.id);
    if claim.verdict != claim.expected {
        let expected = format!("expected {}", claim.expected);
        text += &format!("  {}", page.paint(style::BAD, expected));
    }
    page.item(&format!("  {mark} "), 4, &text);
}

/// The whole of it. `spec` is the claim as the scenario has it.
pub fn full(page: &mut Page, spec: &Claim, claim: &ClaimReport) {
    headline(page, claim);
    page.paragraph(INDENT, &claim.says);
    reservations(page, claim);
    fact(page, "basis", &search::basis(&claim.basis));
    for (nth, searched) in searches(spec, claim).iter().enumerate() {
        let label = if nth == 0 { "so in" } else { "" };
        fact(page, label, searched);
    }
    evidence(page, claim);
    if !claim.note.is_empty() {
        fact(page, "note", &claim.note);
    }
}

/// What keeps the verdict from being all that one could wish.
pub fn reservations(page: &mut Page, claim: &ClaimReport) {
    for arm in &claim.silent_controls {
        let says = page.paint(
            style::BAD,
            format!("the control arm {arm} is silent: the statement does not come out the other way there"),
        );
        fact(page, "✗", &says);
    }
    if !claim.sure {
        fact(
            page,
            "unsure",
            "the rule behind it is from memory or inferred",
        );
    }
    if !claim.canonical {
        fact(
            page,
            "beside",
            "another scenario is the one that counts for this row",
        );
    }
}

fn evidence(page: &mut Page, claim: &ClaimReport) {
    let shown = &claim.evidence;
    if shown.words.is_empty() && shown.records.is_empty() {
        return;
    }
    fact(page, "shown", &self::shown(shown));
    for record in &shown.records {
        page.item(
            &" ".repeat(INDENT + COLUMN),
            INDENT + COLUMN + 4,
            &printable(record),
        );
    }
}

/// What a run showed: `in the arm backoff: there is a ...`.
pub fn shown(evidence: &Shown) -> String {
    let words = printable(&evidence.words);
    match evidence.arm.as_str() {
        "" => words,
        arm => format!("in the arm {arm}: {words}"),
    }
}

/// The width of the column of labels.
const COLUMN: usize = 8;

/// A labelled sentence.
pub fn fact(page: &mut Page, label: &str, text: &str) {
    let label = page.paint(style::FAINT, format!("{label:COLUMN$}"));
    page.item(&format!("{:INDENT$}{label}", ""), INDENT + COLUMN, text);
}

/// The searches, one a line, each once: an arm may be both named and a control.
pub fn searches(spec: &Claim, claim: &ClaimReport) -> Vec<String> {
    let mut shown: Vec<&Searched> = Vec::new();
    for searched in &claim.searches {
        if !shown.contains(&searched) {
            shown.push(searched);
        }
    }
    let is_named =
        |searched: &Searched| searched.arm == spec.on || spec.arms.contains(&searched.arm);
    search::all_searched(&shown, |searched| !is_named(searched))
}
