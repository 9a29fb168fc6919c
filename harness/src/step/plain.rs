//! A run as text: each record with the choices before it, what brought it about, and what it changed.

use faultlab_sim::scenario::{Decision, Frame, Touched};

use crate::console;
use crate::failure::Result;
use crate::render::{counted, printable, schedule};

use super::tape::Tape;

/// So many records are printed at most: `--at` goes on.
const RECORDS: u64 = 10_000;

/// Prints the run from record `at` on.
///
/// # Errors
/// Nobody reads.
pub fn print(tape: &mut Tape, at: u64) -> Result<()> {
    let mut text = format!("{}\n{}\n", tape.title(), counted(tape.records(), "record"));
    let end = tape.records().min(at.saturating_add(RECORDS));
    for record in at..end {
        tape.seek(record);
        let Some(frame) = tape.frame(record) else {
            break;
        };
        for decision in tape.decisions(record) {
            text += &format!("    choice: {}\n", decision_in_words(decision));
        }
        text += &format!("{record:>6}  {}\n", printable(&frame.entry().to_string()));
        if let Some(cause) = tape.cause(frame) {
            text += &format!("        because of record {}\n", cause.index);
        }
        for touched in &frame.touched {
            text += &format!("        {}\n", touched_in_words(touched));
        }
        if text.len() > 1 << 16 {
            console::print(&std::mem::take(&mut text))?;
        }
    }
    if end < tape.records() {
        let more = counted(tape.records() - end, "record");
        text += &format!("{more} more: --at {end} goes on\n");
    }
    text += &format!("the run ends at {}\n", tape.ends_at());
    console::print(&text)
}

/// `before `a` performs "read x": go on; it could have been: switch to b`.
pub fn decision_in_words(decision: &Decision) -> String {
    let choice = faultlab_sim::engine::Choice {
        key: decision.key.clone(),
        take: decision.take.clone(),
    };
    let mut text = match decision.take.as_str() {
        "go on" => {
            let all = schedule::sentence(&choice);
            all.replace("switch to `go on`", "go on")
        }
        _ => schedule::sentence(&choice),
    };
    let others: Vec<&str> = others(decision).collect();
    text += &match (decision.options.len(), others.as_slice()) {
        (0, _) => format!(" (one of {})", counted(decision.count, "number")),
        (_, []) => String::new(),
        (_, others) => format!("; it could have been: {}", others.join(", ")),
    };
    printable(&text)
}

/// The options that were not taken.
fn others(decision: &Decision) -> impl Iterator<Item = &str> {
    let options = decision.options.iter().map(String::as_str);
    options.filter(|option| *option != decision.take)
}

/// `Path: "a" -> "b"`, or what it is if it stayed so.
pub fn touched_in_words(touched: &Touched) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".into());
    let (before, after) = (value(&touched.before), value(&touched.after));
    printable(&match touched.is_changed() {
        true => format!("{}: {before} -> {after}", touched.what),
        false => format!("{}: {after}, as before", touched.what),
    })
}

/// What brought a frame about, as the rest of a sentence.
pub fn cause_in_words(cause: &Frame) -> String {
    printable(&format!(
        "because of record {}: {} {}",
        cause.index,
        cause.actor,
        cause.words()
    ))
}
