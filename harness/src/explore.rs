//! `explore`: searches an arm's schedules, counts those that show a claim, and shrinks one of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use faultlab_sim::engine::{Choice, TraceHash};
use faultlab_sim::scenario::{
    Arm, BASELINE, Basis, Case, Chooser, Finding, Found, Loaded, Prepared, Reproduction,
    STATE_BUDGET, Search, Witness, search, shrink,
};
use serde::Serialize;

use crate::cli::{self, Schedules};
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::html::{Chapter, ClaimView, Headed, pair, play};
use crate::library::{self, late_mistake};
use crate::on_arm::{self, OnArm, Quantifier};
use crate::point_of_no_return;
use crate::progress::Progress;
use crate::render::search::{hits, in_parentheses, left_to_the_seed};
use crate::render::{Page, counted, schedule, style, took};
use crate::threads::Threads;

/// Wide choices are taken, and series of seeds begin, under this seed.
pub const SEED: u64 = 0;

/// How many schedules are tried where nobody says.
const RUNS: u64 = 10_000;

/// The depth of PCT schedules where the scenario says none: two preemptions.
const DEPTH: u32 = 3;

/// Runs the command.
///
/// # Errors
/// Bad input.
pub fn run(args: &cli::Explore, layout: Layout) -> Result<Exit> {
    let loaded = library::find(&args.name)?.load()?;
    if args.point_of_no_return {
        return point_of_no_return::run(args, &loaded, layout);
    }
    let arm = on_arm::arm(&loaded, args.arm.as_deref().unwrap_or(BASELINE))?;
    on_arm::check_settings(&loaded, arm, &args.set)?;
    let claims = on_arm::on_arm(&loaded, &arm.name);
    if claims.is_empty() {
        return Err(no_claim(&args.name, arm));
    }
    let mut book = args.html.begin()?;
    let mut as_recorded = true;
    for case in cases(&loaded, arm, args) {
        let progress = Progress::spinner();
        progress.say(&format!(
            "{} / {}: {}",
            args.name,
            arm.name,
            words(&case.search)
        ));
        let began = Instant::now();
        let off = Prepared::swarm(arm, SEED);
        let prepared = loaded
            .prepare(arm, &case.params, &off)
            .map_err(|mistake| late_mistake(&loaded, mistake))?;
        let found = find(&prepared, &claims, &case.search, args.budget);
        let time = began.elapsed();
        let explored = Explored::new(&loaded, arm, &case, &found, &claims, &off)?;
        if let Some(book) = &mut book {
            book.add(explored.chapter(&loaded, &prepared, &found, book.records())?);
        }
        drop(progress);
        as_recorded &= explored.is_as_recorded();
        print(args, layout, &loaded, &explored, &found, time)?;
    }
    if let Some(book) = book {
        book.commit()?;
    }
    Ok(Exit::of_verdicts(as_recorded))
}

/// An arm on which there is nothing to look for.
pub fn no_claim(scenario: &str, arm: &Arm) -> Failure {
    let what = format!("no claim of {scenario} is tried on the arm {}", arm.name);
    Failure::bad_input(what).help("a claim is tried on the baseline and on the arms that it names")
}

/// The searches: the arm's own, or each of its worlds under the schedules that were asked for.
pub fn cases(loaded: &Loaded, arm: &Arm, args: &cli::Explore) -> Vec<Case> {
    let own = loaded.scenario.cases_of(arm);
    let depth = own.iter().find_map(|case| match case.search {
        Search::Pct { depth, .. } => Some(depth),
        _ => None,
    });
    let runs = args.budget.unwrap_or(RUNS);
    let asked = args.schedules.map(|schedules| match schedules {
        Schedules::Exhaustive => Search::Exhaustive,
        Schedules::Random => Search::Random(runs),
        Schedules::Pct => Search::Pct {
            runs,
            depth: depth.unwrap_or(DEPTH),
        },
    });
    let mut cases: Vec<Case> = Vec::new();
    for case in own {
        let mut params = case.params.clone();
        params.extend(args.set.iter().cloned());
        let search = asked.clone().unwrap_or_else(|| case.search.clone());
        let case = Case { params, search };
        if !cases.contains(&case) {
            cases.push(case);
        }
    }
    cases
}

/// What a search of `claims` comes to.
pub fn find(prepared: &Prepared, claims: &[OnArm<'_>], how: &Search, budget: Option<u64>) -> Found {
    let watch = on_arm::watch(claims);
    let states = budget.unwrap_or(STATE_BUDGET);
    search(prepared, &watch, how, SEED, states, &Threads::new(None))
}

fn words(search: &Search) -> String {
    match search {
        Search::Run => format!("one run, seed {SEED}"),
        Search::Seeds(n) => counted(n, "seed"),
        Search::Random(n) => counted(n, "random schedule"),
        Search::Pct { runs, depth } => {
            format!("{} of depth {depth}", counted(runs, "PCT schedule"))
        }
        Search::Exhaustive => "every interleaving".into(),
        Search::Reduced => "every interleaving, up to the order of steps that commute".into(),
        Search::Bounded(n) => {
            format!(
                "every interleaving with at most {}",
                counted(n, "preemption")
            )
        }
    }
}

/// What a search of one case came to.
#[derive(Serialize)]
struct Explored<'a> {
    scenario: &'a str,
    arm: &'a str,
    params: &'a BTreeMap<String, String>,
    schedules: String,
    basis: String,
    /// All runs, or all interleavings: a whole number of any size.
    runs: String,
    states: Option<u64>,
    /// Whether nothing that the search was to see was left out.
    complete: bool,
    unsupported: bool,
    not_enumerated: Vec<&'static str>,
    claims: Vec<Explanation<'a>>,
}

/// What it says of one claim.
#[derive(Serialize)]
struct Explanation<'a> {
    id: &'a str,
    quantifier: Quantifier,
    /// In how many runs the pattern is so: a whole number of any size.
    hits: String,
    /// Whether the statement is true here; `null` if the search could not tell.
    statement: Option<bool>,
    expected: Option<bool>,
    /// A run that shows a `some`, or breaks an `every`.
    shown: Option<Minimal>,
    #[serde(skip)]
    says: &'a str,
}

/// A run, shrunk.
#[derive(Serialize)]
pub struct Minimal {
    /// Whether the pattern is so in it.
    so: bool,
    /// The choices that differ from their defaults.
    pub choices: Vec<Choice>,
    /// The choices in words.
    schedule: Vec<String>,
    shrunk: String,
    trace_hash: TraceHash,
    #[serde(skip)]
    reproduction: Reproduction,
}

impl<'a> Explored<'a> {
    fn new(
        loaded: &'a Loaded,
        arm: &'a Arm,
        case: &'a Case,
        found: &Found,
        claims: &[OnArm<'a>],
        off: &[String],
    ) -> Result<Explored<'a>> {
        let explanations = claims.iter().zip(&found.findings);
        let explanations = explanations.map(|(on, finding)| {
            let deciding = deciding(on.quantifier, finding);
            let shown = deciding.map(|chooser| {
                let witness = Witness {
                    arm: arm.name.clone(),
                    params: case.params.clone(),
                    chooser: chooser.clone(),
                    so: on.quantifier == Quantifier::Some,
                };
                minimal(loaded, on, &witness, off)
            });
            Ok(Explanation {
                id: &on.claim.id,
                quantifier: on.quantifier,
                hits: finding.hits.to_string(),
                statement: statement(on.quantifier, found, deciding.is_some()),
                expected: on.expected,
                shown: shown.transpose()?,
                says: &on.claim.says,
            })
        });
        Ok(Explored {
            scenario: &loaded.scenario.id,
            arm: &arm.name,
            params: &case.params,
            schedules: words(&case.search),
            basis: found.basis.to_string(),
            runs: found.runs.to_string(),
            states: match found.basis {
                Basis::Exhaustive { states, .. } => Some(states),
                _ => None,
            },
            complete: found.complete,
            unsupported: found.unsupported,
            not_enumerated: found.not_enumerated.iter().copied().collect(),
            claims: explanations.collect::<Result<_>>()?,
        })
    }

    /// The page of what was found: a run under the seed, and for each claim one that decides it.
    fn chapter(
        &self,
        loaded: &Loaded,
        prepared: &Prepared,
        found: &Found,
        records: usize,
    ) -> Result<Chapter> {
        let about = format!(
            "arm {}{}, searched: {}{}",
            self.arm,
            in_parentheses(self.params),
            self.schedules,
            left_to_the_seed(&self.not_enumerated),
        );
        let mut chapter = Chapter::of(loaded, about);
        let shown = play(prepared, &Chooser::Seed(SEED), records);
        let title = format!("arm {}, seed {SEED}", self.arm);
        chapter.add_run(title, &prepared.arm().doc, &shown, true);
        for claim in &self.claims {
            chapter.add_claim(claim.view(found));
            if let Some(minimal) = &claim.shown {
                chapter.add_pair(pair::of(&minimal.reproduction)?);
            }
        }
        Ok(chapter)
    }

    fn is_as_recorded(&self) -> bool {
        self.claims
            .iter()
            .all(|claim| claim.statement.is_some() && !claim.contradicts())
    }
}

impl Explanation<'_> {
    fn view(&self, found: &Found) -> ClaimView {
        let verdict = match self.statement {
            Some(true) => "so",
            Some(false) => "not so",
            None => "Undecided",
        };
        let word = match self.statement {
            Some(true) => "Holds",
            Some(false) => "Refuted",
            None => "Undecided",
        };
        let quantifier = self.quantifier.words();
        let count = hits(&self.hits, &found.runs, &found.basis);
        let mut facts = vec![Headed::new(quantifier, format!("so in {count}"))];
        if let Some(minimal) = &self.shown {
            let so = if minimal.so { "so" } else { "not so" };
            facts.push(Headed::new(format!("{so} in a run"), &minimal.shrunk));
        }
        ClaimView {
            id: self.id.into(),
            says: self.says.into(),
            word: word.into(),
            verdict: verdict.into(),
            as_expected: !self.contradicts() && self.statement.is_some(),
            difference: "✗ this is not as the scenario records it".into(),
            facts,
            records: Vec::new(),
        }
    }

    /// Whether a run contradicts what the scenario records.
    fn contradicts(&self) -> bool {
        self.shown.is_some() && self.quantifier.is_contradiction(self.expected)
    }
}

/// A run that decides a statement by itself.
pub fn deciding(quantifier: Quantifier, finding: &Finding) -> Option<&Chooser> {
    match quantifier {
        Quantifier::Some => finding.hit.as_ref(),
        Quantifier::Every => finding.miss.as_ref(),
    }
}

/// Whether a statement is true in all that a search saw; `None` if it could not tell.
fn statement(quantifier: Quantifier, found: &Found, decided: bool) -> Option<bool> {
    let is_some = quantifier == Quantifier::Some;
    match decided {
        _ if found.unsupported => None,
        true => Some(is_some),
        false => found.complete.then_some(!is_some),
    }
}

/// The run of a witness, shrunk.
///
/// # Errors
/// A mistake that shows only when the arm's values are filled in.
pub fn minimal(
    loaded: &Loaded,
    on: &OnArm<'_>,
    witness: &Witness,
    off: &[String],
) -> Result<Minimal> {
    let shrunk = shrink(loaded, &on.claim.id, &on.claim.expected, witness, off)
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    let reproduction = shrunk.reproduction;
    let schedule = reproduction.choices.iter().map(schedule::sentence);
    Ok(Minimal {
        so: witness.so,
        schedule: schedule.collect(),
        choices: reproduction.choices.clone(),
        shrunk: reproduction.shrunk.clone(),
        trace_hash: reproduction.trace_hash,
        reproduction,
    })
}

fn print(
    args: &cli::Explore,
    layout: Layout,
    loaded: &Loaded,
    explored: &Explored<'_>,
    found: &Found,
    time: Duration,
) -> Result<()> {
    if args.json {
        return console::print_json(explored);
    }
    let mut page = Page::new(layout);
    page.heading(&format!("{}: {}", explored.scenario, loaded.scenario.title));
    let arm = loaded.scenario.arm(explored.arm);
    let doc = arm.map_or("", |arm| arm.doc.as_str());
    let arm = format!("arm {}{}", explored.arm, in_parentheses(explored.params));
    page.paragraph(2, [arm.as_str(), doc].join(": ").trim_end_matches(": "));
    let mut searched = format!("searched: {}", explored.schedules);
    searched += &left_to_the_seed(&explored.not_enumerated);
    page.paragraph(2, &searched);
    if !found.complete {
        let spent = page.paint(style::BAD, "the budget is spent: more was not seen");
        page.paragraph(2, &spent);
    }
    if found.unsupported {
        let met = "some run met what the models do not support: nothing is decided";
        let met = page.paint(style::BAD, met);
        page.paragraph(2, &met);
    }
    for claim in &explored.claims {
        page.gap();
        tell(&mut page, claim, found);
    }
    page.gap();
    console::print(&page.into_text())?;
    eprintln!("searched in {}", took(time));
    Ok(())
}

fn tell(page: &mut Page, claim: &Explanation<'_>, found: &Found) {
    page.item(
        "  ",
        4,
        &format!("{}: {}", page.paint(style::HEADING, claim.id), claim.says),
    );
    let quantifier = claim.quantifier.words();
    let count = hits(&claim.hits, &found.runs, &found.basis);
    page.item("    ", 4, &format!("{quantifier}; so in {count}"));
    if claim.contradicts() {
        let bad = page.paint(style::BAD, "✗ this is not as the scenario records it");
        page.item("    ", 4, &bad);
    }
    if let Some(minimal) = &claim.shown {
        let so = if minimal.so { "so" } else { "not so" };
        page.item("    ", 4, &format!("{so} in this run, {}:", minimal.shrunk));
        schedule::list(page, 6, &minimal.choices);
    }
}
