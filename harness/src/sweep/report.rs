//! What a sweep prints: the same for one sweep and for its shards put together.

use std::collections::BTreeMap;

use faultlab_sim::engine::TraceHash;
use faultlab_sim::scenario::Versions;
use serde::{Serialize, Serializer};

use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::Result;
use crate::on_arm::Quantifier;
use crate::render::search::in_parentheses;
use crate::render::{Page, counted, grouped, style};

use super::Swept;
use super::bits::Bits;
use super::shard::{Asked, Subject};

/// Prints it.
///
/// # Errors
/// The output cannot be written.
pub fn print(subject: &Subject, mut swept: Swept, json: bool, layout: Layout) -> Result<Exit> {
    let whole = Whole::new(subject, &mut swept);
    if json {
        console::print_json(&whole)?;
    } else {
        let mut page = Page::new(layout);
        whole.tell(&mut page, subject);
        console::print(&page.into_text())?;
    }
    let as_recorded = whole.claims.iter().all(|claim| !claim.contradicts);
    Ok(Exit::of_verdicts(
        as_recorded && whole.unsupported == 0 && whole.endless == 0,
    ))
}

/// A sweep as JSON.
#[derive(Serialize)]
struct Whole<'a> {
    scenario: &'a str,
    scenario_hash: TraceHash,
    model_versions: &'a Versions,
    arm: &'a str,
    params: &'a BTreeMap<String, String>,
    /// From the first to before the second.
    seeds: [u64; 2],
    runs: u64,
    distinct_traces: usize,
    /// Over the set of traces.
    traces_hash: TraceHash,
    repeated: u64,
    unsupported: u64,
    endless: u64,
    claims: Vec<OfClaim<'a>>,
}

#[derive(Serialize)]
struct OfClaim<'a> {
    id: &'a str,
    quantifier: Quantifier,
    expected: Option<bool>,
    /// Whether some seed contradicts what the scenario records.
    contradicts: bool,
    /// How many seeds show a `some`, or break an `every`.
    hits: u64,
    /// Which.
    seeds: Seeds<'a>,
}

/// The seeds of the bits that are set.
struct Seeds<'a> {
    from: u64,
    bits: &'a Bits,
}

impl Seeds<'_> {
    fn iter(&self) -> impl Iterator<Item = u64> {
        self.bits.ones().map(|at| self.from + at)
    }
}

impl Serialize for Seeds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'a> Whole<'a> {
    fn new(subject: &'a Subject, swept: &'a mut Swept) -> Whole<'a> {
        let (distinct_traces, traces_hash) = (swept.traces.count(), swept.traces.hash());
        let claims = subject.claims.iter().zip(&swept.deciding);
        let claims = claims.map(|(asked, bits)| {
            let hits = bits.count();
            OfClaim {
                id: &asked.id,
                quantifier: asked.quantifier,
                expected: asked.expected,
                contradicts: hits > 0 && asked.quantifier.is_contradiction(asked.expected),
                hits,
                seeds: Seeds {
                    from: subject.from,
                    bits,
                },
            }
        });
        Whole {
            scenario: &subject.scenario,
            scenario_hash: subject.scenario_hash,
            model_versions: &subject.model_versions,
            arm: &subject.arm,
            params: &subject.params,
            seeds: [subject.from, subject.to],
            runs: subject.to - subject.from,
            distinct_traces,
            traces_hash,
            repeated: swept.repeated,
            unsupported: swept.unsupported,
            endless: swept.endless,
            claims: claims.collect(),
        }
    }

    fn tell(&self, page: &mut Page, subject: &Subject) {
        page.heading(&format!("{}: {}", subject.scenario, subject.title));
        let [from, to] = self.seeds;
        let arm = format!(
            "arm {}{}, seeds {from}..{to}",
            self.arm,
            in_parentheses(self.params)
        );
        page.paragraph(2, &arm);
        let reached = format!(
            "{} reached {}; {} run twice, with the same traces",
            counted(self.runs, "run"),
            counted(self.distinct_traces, "distinct trace"),
            grouped(self.repeated),
        );
        page.paragraph(2, &reached);
        let hash = page.paint(style::FAINT, format!("traces {}", self.traces_hash));
        page.paragraph(2, &hash);
        for (count, what) in [
            (
                self.unsupported,
                "met what the models do not support, and decide nothing",
            ),
            (self.endless, "took too many steps, and decide nothing"),
        ] {
            if count > 0 {
                let bad = page.paint(style::BAD, format!("✗ {} {what}", counted(count, "run")));
                page.paragraph(2, &bad);
            }
        }
        for (claim, asked) in self.claims.iter().zip(&subject.claims) {
            page.gap();
            claim.tell(page, asked);
        }
    }
}

/// How many seeds are named in text.
const NAMED: usize = 10;

impl OfClaim<'_> {
    fn tell(&self, page: &mut Page, asked: &Asked) {
        let id = page.paint(style::HEADING, self.id);
        page.item("  ", 4, &format!("{id}: {}", asked.says));
        let (asks, verb) = match self.quantifier {
            Quantifier::Some => ("asks for some run", "show"),
            Quantifier::Every => ("asks for every run", "break"),
        };
        let mut named: Vec<String> = self
            .seeds
            .iter()
            .take(NAMED)
            .map(|seed| seed.to_string())
            .collect();
        let text = match self.hits {
            0 => format!("{asks}; no seed {verb}s it"),
            1 => format!("{asks}; 1 seed {verb}s it: {}", named.join(", ")),
            hits => {
                if hits > NAMED as u64 {
                    named.push("...".into());
                }
                format!(
                    "{asks}; {} seeds {verb} it: {}",
                    grouped(hits),
                    named.join(", ")
                )
            }
        };
        page.item("    ", 4, &text);
        if self.contradicts {
            let bad = page.paint(style::BAD, "✗ this is not as the scenario records it");
            page.item("    ", 4, &bad);
        }
    }
}
