//! What a validation comes to: for readers, for machines, for CI.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report as Suites, TestCase, TestCaseStatus, TestSuite};
use serde_json::json;

use crate::console::{self, Layout};
use crate::failure::Result;
use crate::junit;
use crate::output::Output;
use crate::render::{Page, counted, style};

use super::Validation;
use super::compare::{Compared, Outcome};
use super::tcp;

/// Columns of the table, with the word of each outcome.
const COLUMNS: [(&str, &str); 6] = [
    ("same", "same"),
    ("known", "known"),
    ("no host", "unsupported-by-host"),
    ("no model", "unsupported-by-model"),
    ("after", "after-difference"),
    ("differs", "differs"),
];

/// Prints it for a reader.
pub(super) fn page(
    validation: &Validation,
    verbose: bool,
    times: bool,
    layout: Layout,
) -> Result<()> {
    let mut page = Page::new(layout);
    let identity = &validation.identity;
    page.heading(&format!(
        "Models against {} {}",
        identity.host, identity.version
    ));
    let mut lines = vec![format!(
        "{:<22}{}",
        "set",
        COLUMNS.map(|(title, _)| format!("{title:>9}")).concat()
    )];
    let mut total: BTreeMap<&str, usize> = BTreeMap::new();
    let row = |name: &str, counts: &BTreeMap<&str, usize>| {
        let cells = COLUMNS.map(|(_, word)| format!("{:>9}", counts.get(word).unwrap_or(&0)));
        format!("{name:<22}{}", cells.concat())
    };
    // The many cases of one folder are one row.
    let mut rows: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for (set, counts) in validation.summary() {
        let folder = set.split('/').next().unwrap_or(set);
        for (word, count) in counts {
            *rows.entry(folder).or_default().entry(word).or_default() += count;
            *total.entry(word).or_default() += count;
        }
    }
    lines.extend(rows.iter().map(|(name, counts)| row(name, counts)));
    lines.push(row("all", &total));
    let mut text = page.into_text();
    for line in &lines {
        text += &format!("  {line}\n");
    }
    if times {
        text += &side_by_side(validation);
    }
    let mut page = Page::new(layout);
    page.gap();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for compared in &validation.compared {
        if let Outcome::Known(id) = &compared.outcome {
            *known.entry(id).or_default() += 1;
        }
    }
    if !known.is_empty() {
        page.heading("Known divergences");
        let table = super::divergence::table();
        for (id, count) in known {
            let row = table.iter().find(|row| row.id == id);
            let reason = row.map_or("", |row| &row.reason);
            page.row(2, 30, id, &format!("{count}: {reason}"));
        }
        page.gap();
    }
    let shown = |compared: &&Compared| {
        compared.outcome == Outcome::Differs
            || verbose && compared.outcome == Outcome::AfterDifference
    };
    let differences: Vec<&Compared> = validation.compared.iter().filter(shown).collect();
    if !differences.is_empty() {
        page.heading("Differences");
        for compared in differences {
            let Compared {
                set,
                line,
                request,
                model,
                host,
                why,
                ..
            } = compared;
            page.paragraph(2, &format!("{set}:{line} {}", cut(&request.to_string())));
            match why {
                Some(why) => page.row(4, 8, "differs", why),
                None => {
                    page.row(4, 8, "model", &cut(&model.to_string()));
                    page.row(4, 8, "host", &cut(&host.to_string()));
                }
            }
        }
        page.gap();
    }
    for row in &validation.idle {
        let what = format!(
            "{}: nothing differs so any more: take this row out, or end its range of versions",
            row.id
        );
        page.paragraph(2, &page.paint(style::BAD, what));
    }
    if !validation.again.is_empty() {
        page.heading("Asked again");
        for (set, reasons) in &validation.again {
            for why in reasons {
                page.paragraph(2, &format!("{set}: {}", cut(why)));
            }
        }
        page.gap();
    }
    let questions = counted(validation.compared.len(), "question");
    let verdict = match (validation.agrees(), validation.is_informative) {
        (true, _) => page.paint(style::GOOD, "model and host agree, but for what is known"),
        (false, true) => page.paint(
            style::BAD,
            "model and host differ, which is no fault: the models have no profile of this kernel, and are \
             played as the nearest (--strict makes it one)",
        ),
        (false, false) => page.paint(style::BAD, "model and host differ"),
    };
    page.paragraph(0, &format!("{questions}: {verdict}."));
    text += &page.into_text();
    console::print(&text)
}

/// The events of each case, with their times on the model and on the kernel.
fn side_by_side(validation: &Validation) -> String {
    let mut text = String::new();
    for compared in &validation.compared {
        let pairs = tcp::pairs(&compared.model, &compared.host);
        if pairs.is_empty() {
            continue;
        }
        let ms = |at: Option<f64>| at.map_or("-".into(), |at| format!("{at:.1}"));
        text += &format!(
            "\n  {:<52}{:>12}{:>12}\n",
            compared.set, "model, ms", "kernel, ms"
        );
        for pair in pairs {
            let what = format!("{}: {}", pair.place, pair.what);
            let (model, host) = (ms(pair.model_ms), ms(pair.host_ms));
            text += &format!("  {what:<52}{model:>12}{host:>12}\n");
        }
    }
    text
}

fn cut(text: &str) -> String {
    const MOST: usize = 300;
    match text.char_indices().nth(MOST) {
        None => text.into(),
        Some((at, _)) => format!("{}... ({} characters)", &text[..at], text.chars().count()),
    }
}

/// Prints one JSON object.
pub(super) fn json(validation: &Validation) -> Result<()> {
    let differences = validation.compared.iter();
    let differences = differences
        .filter(|compared| compared.outcome != Outcome::Same)
        .map(|compared| {
            let row = match &compared.outcome {
                Outcome::Known(id) => Some(id),
                _ => None,
            };
            json!({
                "set": compared.set, "line": compared.line, "outcome": compared.outcome.word(), "row": row,
                "request": compared.request, "model": compared.model, "host": compared.host, "why": compared.why,
            })
        });
    let object = json!({
        "host": validation.identity.host,
        "version": validation.identity.version,
        "agrees": validation.agrees(),
        "informative": validation.is_informative,
        "asked_again": validation.again.iter().cloned().collect::<BTreeMap<_, _>>(),
        "sets": validation.summary(),
        "idle_rows": validation.idle.iter().map(|row| &row.id).collect::<Vec<_>>(),
        "questions": differences.collect::<Vec<_>>(),
    });
    console::print(&format!("{object}\n"))
}

/// Writes a suite for each host and set, with a case for each question.
pub(super) fn junit(validations: &[Validation], output: &mut Output) -> Result<()> {
    let mut suites = Suites::new("faultlab validate");
    for validation in validations {
        let host = format!(
            "{} {}",
            validation.identity.host, validation.identity.version
        );
        let mut by_set: BTreeMap<&str, TestSuite> = BTreeMap::new();
        for compared in &validation.compared {
            let name = format!("{host} {}", compared.set);
            let suite = by_set
                .entry(&compared.set)
                .or_insert_with(|| TestSuite::new(name));
            let said = format!("model {}\nhost  {}", compared.model, compared.host);
            let status = match &compared.outcome {
                Outcome::Same => TestCaseStatus::success(),
                Outcome::Differs => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(said.clone());
                    status
                }
                other => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(match other {
                        Outcome::Known(id) => format!("known divergence {id}"),
                        other => other.word().into(),
                    });
                    status
                }
            };
            let name = format!("{}: {}", compared.line, cut(&compared.request.to_string()));
            let mut case = TestCase::new(name, status);
            case.set_classname(&*compared.set);
            if compared.outcome != Outcome::Same {
                case.set_system_out(said);
            }
            suite.add_test_case(case);
        }
        for (_, suite) in by_set {
            suites.add_test_suite(suite);
        }
        let mut rows = TestSuite::new(format!("{host} known divergences"));
        for row in &validation.idle {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message("nothing differs so any more");
            rows.add_test_case(TestCase::new(&*row.id, status));
        }
        suites.add_test_suite(rows);
    }
    junit::write(&suites, output)
}
