//! What the page says of one scenario.

use faultlab_sim::scenario::{
    Arm, BASELINE, Basis, Chooser, ClaimReport, Keep, Loaded, Outcome, Prepared, Replay, Report,
    Reproduction, Search, Verdict, Witness, World, shrink,
};
use serde::Serialize;

use super::futures::FuturesView;
use super::pair::{self, Pair};
use super::play::{self, play};
use crate::deciding;
use crate::explain::fault;
use crate::failure::Result;
use crate::library::late_mistake;
use crate::progress::Progress;
use crate::render::{claim, search};
use crate::replay::parting;
use crate::run::difference;
use crate::threads::Threads;

/// A text under a heading.
#[derive(Serialize)]
pub struct Headed {
    heading: String,
    text: String,
}

impl Headed {
    /// A text under a heading.
    pub fn new(heading: impl Into<String>, text: impl Into<String>) -> Headed {
        Headed {
            heading: heading.into(),
            text: text.into(),
        }
    }
}

/// A claim as the page shows it.
#[derive(Serialize)]
pub struct ClaimView {
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// The verdict's word, which is a class of the style sheet too.
    pub word: String,
    /// The verdict.
    pub verdict: String,
    /// Whether it is as recorded.
    pub as_expected: bool,
    /// In what it is not.
    pub difference: String,
    /// What it rests on, and so on.
    pub facts: Vec<Headed>,
    /// The records that decide it, one sentence each.
    pub records: Vec<String>,
}

#[derive(Serialize)]
struct RunView {
    title: String,
    /// What scripts read.
    island: String,
    /// Whether it is shown first.
    first: bool,
}

/// A scenario.
#[derive(Serialize)]
pub struct Chapter {
    /// Which scenario it is about.
    scenario: String,
    /// What the chapter is called in links: the same, if it is the only one about it.
    id: String,
    title: String,
    /// The seed, the hash of all traces.
    about: String,
    as_expected: bool,
    story: Vec<Headed>,
    claims: Vec<ClaimView>,
    arms: Vec<Headed>,
    runs: Vec<RunView>,
    futures: Vec<FuturesView>,
    pairs: Vec<Pair>,
}

impl Chapter {
    /// The title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Which scenario it is about.
    pub(super) fn scenario(&self) -> &str {
        &self.scenario
    }

    /// Says that it is the `nth` chapter about its scenario.
    pub(super) fn stand_as(&mut self, nth: usize) {
        self.id = format!("{}-{nth}", self.scenario);
    }

    #[cfg(test)]
    pub(super) fn of_texts(id: &str, title: &str, text: &str) -> Chapter {
        Chapter {
            scenario: id.into(),
            id: id.into(),
            title: title.into(),
            about: text.into(),
            as_expected: true,
            story: vec![Headed::new(text, text)],
            claims: Vec::new(),
            arms: Vec::new(),
            runs: vec![RunView {
                title: text.into(),
                island: "{}".into(),
                first: true,
            }],
            futures: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// The frame of a chapter: what the scenario says of itself.
    pub fn of(loaded: &Loaded, about: String) -> Chapter {
        let scenario = &loaded.scenario;
        let story = &scenario.story;
        let story = [
            ("What is said", &story.said),
            ("What happens", &story.happens),
            ("Why", &story.why),
            ("How to see it", &story.see),
        ];
        let arms = scenario.arms.iter().map(|arm| {
            let mut parts: Vec<String> = vec![arm.doc.clone()];
            parts.extend(arm.faults.iter().map(fault));
            parts.retain(|part| !part.is_empty());
            Headed::new(&arm.name, parts.join("; "))
        });
        Chapter {
            scenario: scenario.id.clone(),
            id: scenario.id.clone(),
            title: scenario.title.clone(),
            about,
            as_expected: true,
            story: story
                .into_iter()
                .filter(|(_, text)| !text.is_empty())
                .map(|(heading, text)| Headed::new(heading, text))
                .collect(),
            claims: Vec::new(),
            arms: arms.collect(),
            runs: Vec::new(),
            futures: Vec::new(),
            pairs: Vec::new(),
        }
    }

    /// A scenario that was judged: its claims, a run of each arm, and for claims that a step decides the
    /// shortest such run beside one that is a step apart.
    ///
    /// # Errors
    /// A mistake that shows only when an arm's values are filled in.
    pub fn judged(loaded: &Loaded, report: &Report, records: usize) -> Result<Chapter> {
        let progress = Progress::spinner();
        let about = format!("trace {}, seed {}", report.trace_hash, report.seed);
        let mut chapter = Chapter::of(loaded, about);
        for claim in &report.claims {
            chapter.add_claim(ClaimView::of(loaded, claim));
        }
        let first = opening_arm(report);
        let played = Threads::new(None).map(report.runs.len() as u64, 1, |range| {
            let run = &report.runs[range.start as usize];
            progress.say(&format!("{} / {}: its records", report.scenario, run.arm));
            let arm = loaded.scenario.arm(&run.arm);
            let arm = arm.expect("a report is of the scenario's arms");
            let case = &loaded.scenario.cases_of(arm)[0];
            let off = Prepared::swarm(arm, report.seed);
            let prepared = loaded
                .prepare(arm, &case.params, &off)
                .map_err(|mistake| late_mistake(loaded, mistake))?;
            let shown = play(&prepared, &Chooser::Seed(report.seed), records);
            let params = search::in_parentheses(&case.params);
            Ok(RunView {
                title: format!("arm {}{params}, seed {}", run.arm, report.seed),
                island: shown.island(&arm.doc),
                first: run.arm == first,
            })
        });
        chapter.runs = played.into_iter().collect::<Result<_>>()?;
        let ran: Vec<&str> = report.runs.iter().map(|run| &*run.arm).collect();
        for (nth, (claim, spec)) in report
            .claims
            .iter()
            .zip(&loaded.scenario.claims)
            .enumerate()
        {
            let Some(witness) = &deciding_run(loaded, report, claim) else {
                continue;
            };
            let arm = loaded.scenario.arm(&witness.arm);
            let arm = arm.expect("a witness names an arm");
            if !is_about_a_step(loaded, claim, arm) {
                continue;
            }
            progress.say(&format!(
                "{}: the shortest run of {}",
                report.scenario, claim.id
            ));
            let off = Prepared::swarm(arm, report.seed);
            let run = report.runs.iter().find(|run| run.arm == arm.name);
            // Of what is long already, the choices are not counted.
            let is_long = run.is_some_and(|run| run.events > deciding::SHORT);
            let short = match is_long || deciding::is_long(&found(loaded, claim, witness, &off)?) {
                true => None,
                false => {
                    let shrunk = shrink(loaded, &claim.id, &claim.verdict, witness, &off)
                        .map_err(|mistake| late_mistake(loaded, mistake))?;
                    pair::of(&shrunk.reproduction)?
                }
            };
            let found = match short {
                Some(found) => Some(found),
                None => pair::of_arm(loaded, spec, witness, &off, &ran)?,
            };
            if found.is_none() {
                let facts = &mut chapter.claims[nth].facts;
                facts.push(Headed::new("apart", NOTHING_APART));
            }
            chapter.add_pair(found);
        }
        Ok(chapter)
    }

    /// A reproduction that was replayed: its run, beside one that is a step apart.
    ///
    /// # Errors
    /// A mistake that shows only when an arm's values are filled in.
    pub fn replayed(
        loaded: &Loaded,
        reproduction: &Reproduction,
        replay: &Replay,
        records: usize,
    ) -> Result<Chapter> {
        let about = format!("trace {}, arm {}", replay.trace_hash, replay.arm);
        let mut chapter = Chapter::of(loaded, about);
        let word = reproduction.verdict.word();
        let spec = loaded.scenario.claims.iter();
        let spec = spec.clone().find(|claim| claim.id == reproduction.claim);
        let spec = spec.expect("read checks the claim");
        let mut facts = vec![Headed::new("shrunk", &reproduction.shrunk)];
        let lost = replay.unmatched.iter();
        facts.extend(lost.map(|choice| Headed::new("met nothing", choice)));
        let recurs = match replay.recurs {
            true => format!("{} recurs", in_words(&reproduction.verdict)),
            false => format!("{} does not recur", in_words(&reproduction.verdict)),
        };
        facts.push(Headed::new(
            "replayed",
            format!("{recurs}: {}", parting(replay)),
        ));
        chapter.add_claim(ClaimView {
            id: spec.id.clone(),
            says: spec.says.clone(),
            word: word.into(),
            verdict: recurs,
            as_expected: replay.recurs,
            difference: "✗ not as recorded".into(),
            facts,
            records: Vec::new(),
        });
        match pair::of(reproduction)? {
            Some(found) => chapter.add_pair(Some(found)),
            None => {
                let arm = loaded.scenario.arm(&reproduction.arm);
                let arm = arm.expect("read checks the arm");
                let prepared = loaded
                    .prepare(arm, &reproduction.params, &reproduction.off)
                    .map_err(|mistake| late_mistake(loaded, mistake))?;
                let choices = reproduction.choices.clone();
                let chooser = Chooser::Named(choices, reproduction.rest);
                let shown = play(&prepared, &chooser, records);
                let title = format!("arm {}", reproduction.arm);
                chapter.add_run(title, &arm.doc, &shown, true);
            }
        }
        Ok(chapter)
    }

    /// Adds a part of the story.
    pub fn add_part(&mut self, part: Headed) {
        self.story.push(part);
    }

    /// Adds a claim.
    pub fn add_claim(&mut self, claim: ClaimView) {
        self.as_expected &= claim.as_expected;
        self.claims.push(claim);
    }

    /// Adds a run, to step through.
    pub fn add_run(&mut self, title: String, doc: &str, shown: &play::Shown, first: bool) {
        self.runs.push(RunView {
            title,
            island: shown.island(doc),
            first,
        });
    }

    /// Adds a run with the futures along it. The first that has a point of no return is shown first.
    pub fn add_futures(
        &mut self,
        mut view: FuturesView,
        title: String,
        doc: &str,
        shown: &play::Shown,
    ) {
        view.stand_at(self.runs.len());
        let turns = |view: &FuturesView| view.has_point();
        let first = turns(&view) && !self.futures.iter().any(turns);
        self.add_run(title, doc, shown, first);
        self.futures.push(view);
    }

    /// Adds two runs that are a step apart, if there are.
    pub fn add_pair(&mut self, found: Option<pair::Found>) {
        let Some(found) = found else { return };
        let is_first = self.pairs.is_empty();
        let mut pair = found.pair;
        let Some(runs) = found.runs else {
            self.pairs.push(pair);
            return;
        };
        if let Some(mut view) = found.futures {
            view.stand_at(self.runs.len());
            self.futures.push(view);
        }
        for (side, (title, doc, shown)) in runs.into_iter().enumerate() {
            pair.stand_at(side, self.runs.len());
            if is_first && side == 0 {
                self.runs.iter_mut().for_each(|run| run.first = false);
            }
            self.add_run(title, &doc, &shown, is_first && side == 0);
        }
        self.pairs.push(pair);
    }
}

/// Said of a claim that a run decides where no run beside it comes out the other way.
const NOTHING_APART: &str = "left out one by one, no choice and no fault changes it: there is no run one step away that comes out otherwise";

/// A verdict for a reader.
fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::HoldsUnder(arm) => format!("Holds under {arm}"),
        other => other.word().into(),
    }
}

/// The arm whose run is shown first: where a claim needs one, what it takes can be seen there.
fn opening_arm(report: &Report) -> String {
    let under = report.claims.iter().find_map(|claim| match &claim.verdict {
        Verdict::HoldsUnder(arm) => Some(arm.clone()),
        _ => None,
    });
    under.unwrap_or_else(|| BASELINE.into())
}

/// A run that decides a claim by itself: its witness, or where one run is all that is looked at, that run.
fn deciding_run(loaded: &Loaded, report: &Report, claim: &ClaimReport) -> Option<Witness> {
    match (&claim.witness, &claim.verdict, &claim.basis) {
        (Some(witness), _, _) => Some(witness.clone()),
        // So in all runs of the arm, and in that of its first seed.
        (None, Verdict::HoldsUnder(name), Basis::Run | Basis::Seeds(_)) => {
            let arm = loaded.scenario.arm(name)?;
            let case = loaded.scenario.cases_of(arm).first()?;
            Some(Witness {
                arm: name.clone(),
                params: case.params.clone(),
                chooser: Chooser::Seed(report.seed),
                so: true,
            })
        }
        _ => None,
    }
}

/// The run of a witness, with its choices.
fn found(
    loaded: &Loaded,
    claim: &ClaimReport,
    witness: &Witness,
    off: &[String],
) -> Result<Outcome> {
    let arm = loaded.scenario.arm(&witness.arm);
    let prepared = loaded
        .prepare(arm.expect("a witness names an arm"), &witness.params, off)
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    let keep = Keep {
        choices: true,
        ..Keep::default()
    };
    Ok(prepared.run(&witness.chooser, &loaded.watch_of(&claim.id), keep))
}

/// Whether the order of steps decides a claim, or a fault; or between hosts, whatever a single run shows.
fn is_about_a_step(loaded: &Loaded, claim: &ClaimReport, arm: &Arm) -> bool {
    let world = arm.world.as_ref().unwrap_or(&loaded.scenario.world);
    let cases = loaded.scenario.cases_of(arm);
    let searched = !matches!(claim.basis, Basis::Run | Basis::Document(_));
    let tries_orders = cases.iter().any(|case| !matches!(case.search, Search::Run));
    match world {
        // What observers of one population see is beside each other in the claims.
        World::Observe(_) => false,
        World::Tcp(_) => true,
        _ => searched && tries_orders || !arm.faults.is_empty(),
    }
}

impl ClaimView {
    fn of(loaded: &Loaded, report: &ClaimReport) -> ClaimView {
        let spec = loaded
            .scenario
            .claims
            .iter()
            .find(|spec| spec.id == report.id);
        let spec = spec.expect("a report is of the scenario's claims");
        let mut facts = vec![Headed::new("rests on", search::basis(&report.basis))];
        for (nth, searched) in claim::searches(spec, report).into_iter().enumerate() {
            let heading = if nth == 0 { "so in" } else { "" };
            facts.push(Headed::new(heading, searched));
        }
        if !report.evidence.words.is_empty() {
            facts.push(Headed::new("shown", claim::shown(&report.evidence)));
        }
        if !report.note.is_empty() {
            facts.push(Headed::new("note", &report.note));
        }
        if !report.sure {
            facts.push(Headed::new(
                "unsure",
                "the rule behind it is from memory or inferred",
            ));
        }
        if !report.canonical {
            let text = "another scenario is the one that counts for this row";
            facts.push(Headed::new("beside", text));
        }
        ClaimView {
            id: report.id.clone(),
            says: report.says.clone(),
            word: report.verdict.word().into(),
            verdict: in_words(&report.verdict),
            as_expected: report.is_as_expected(),
            difference: match report.is_as_expected() {
                true => String::new(),
                false => format!("✗ {}", difference(report)),
            },
            facts,
            records: report.evidence.records.clone(),
        }
    }
}
