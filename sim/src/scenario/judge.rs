//! Judging: every claim of a scenario, by the arms that it names, to a verdict with its evidence.

use std::collections::BTreeMap;

use num_bigint::BigUint;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::engine::{TraceHash, TraceHasher};

use super::document;
use super::load::Loaded;
use super::mistake::Mistake;
use super::pattern::{Collector, Evidence, Pattern, Watch};
use super::run::{Chooser, Keep, Prepared};
use super::schema::{Case, Claim, Search, Statement, Verdict};
use super::search::{Basis, Executor, Found, STATE_BUDGET, search};
use super::versions::{Versions, model_versions};

/// A scenario, judged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// The scenario's id.
    pub scenario: String,
    /// The seed of single runs, and the first of several.
    pub seed: u64,
    /// The versions of the models, by family.
    pub model_versions: Versions,
    /// Over the hashes of the runs.
    pub trace_hash: TraceHash,
    /// One run of each arm, under the seed.
    pub runs: Vec<RunReport>,
    /// Every claim.
    pub claims: Vec<ClaimReport>,
}

/// The run of an arm that stands for it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunReport {
    /// The arm.
    pub arm: String,
    /// The hash of its trace.
    pub trace_hash: TraceHash,
    /// How many records it wrote.
    pub events: u64,
    /// How much virtual time it took, in ns.
    pub virtual_ns: u64,
}

/// A claim, judged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimReport {
    /// The claim's id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// What the scenario notes on it.
    pub note: String,
    /// What it came to.
    pub verdict: Verdict,
    /// What it was to come to.
    pub expected: Verdict,
    /// What the verdict rests on.
    pub basis: Basis,
    /// Whether the rule behind it is sure.
    pub sure: bool,
    /// Whether this scenario is the one that counts for the row.
    pub canonical: bool,
    /// What decided it.
    pub evidence: Shown,
    /// Every search that had a part in it.
    pub searches: Vec<Searched>,
    /// Control arms in which the statement did not come out the other way.
    pub silent_controls: Vec<String>,
    /// The run that shows it, to reproduce.
    pub witness: Option<Witness>,
}

/// A run in which a claim's pattern was so, or was not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Witness {
    /// The arm.
    pub arm: String,
    /// The case's values.
    pub params: BTreeMap<String, String>,
    /// How its choices were taken.
    pub chooser: Chooser,
    /// Whether the pattern was so.
    pub so: bool,
}

/// Evidence, in words.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Shown {
    /// The arm of the run that is shown.
    pub arm: String,
    /// What it comes to.
    pub words: String,
    /// The records, one sentence each.
    pub records: Vec<String>,
}

/// One search that had a part in a verdict.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Searched {
    /// The arm.
    pub arm: String,
    /// The case's values.
    pub params: BTreeMap<String, String>,
    /// What it rests on.
    pub basis: Basis,
    /// In how many runs the pattern was so.
    pub hits: BigUint,
    /// Of how many.
    pub runs: BigUint,
    /// Whether the statement came out true there; `None` if the search could not tell.
    pub so: Option<bool>,
    /// The sites of wide choices, left to the seed.
    pub not_enumerated: Vec<&'static str>,
}

impl Serialize for Searched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Searched", 7)?;
        object.serialize_field("arm", &self.arm)?;
        object.serialize_field("params", &self.params)?;
        object.serialize_field("basis", &self.basis.to_string())?;
        object.serialize_field("hits", &self.hits.to_string())?;
        object.serialize_field("runs", &self.runs.to_string())?;
        object.serialize_field("so", &self.so)?;
        object.serialize_field("not_enumerated", &self.not_enumerated)?;
        object.end()
    }
}

impl Serialize for ClaimReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Claim", 11)?;
        object.serialize_field("id", &self.id)?;
        object.serialize_field("verdict", self.verdict.word())?;
        object.serialize_field("under", &self.verdict.under())?;
        object.serialize_field("expected", &self.expected.to_string())?;
        object.serialize_field("basis", &self.basis.to_string())?;
        object.serialize_field("sure", &self.sure)?;
        object.serialize_field("canonical", &self.canonical)?;
        object.serialize_field("evidence", &self.evidence)?;
        object.serialize_field("searches", &self.searches)?;
        object.serialize_field("silent_controls", &self.silent_controls)?;
        object.serialize_field("as_expected", &self.is_as_expected())?;
        object.end()
    }
}

impl ClaimReport {
    /// Whether the verdict is the expected one and every control arm spoke.
    pub fn is_as_expected(&self) -> bool {
        self.verdict == self.expected && self.silent_controls.is_empty()
    }
}

impl Report {
    /// Whether every verdict is as recorded.
    pub fn is_as_expected(&self) -> bool {
        self.claims.iter().all(ClaimReport::is_as_expected)
    }
}

/// How a judgement is made.
pub struct Judging<'a> {
    /// The seed of single runs, and the first of several.
    pub seed: u64,
    /// Runs seeds, perhaps on several threads.
    pub executor: &'a dyn Executor,
    /// Is told what is being searched, for whoever watches.
    pub progress: &'a dyn Fn(&str),
}

/// An arm that was searched, with the statements that were tried on it.
struct SearchedArm<'a> {
    cases: Vec<(&'a Case, Prepared, Found)>,
    /// The claims, in the order of the patterns of the watch.
    claims: Vec<usize>,
    /// What the arm's first case shows of each of them, in one run under the seed.
    reference: Vec<Evidence>,
    seed: u64,
}

impl Loaded {
    /// Judges every claim.
    ///
    /// # Errors
    /// A mistake that shows only when an arm's values are filled in.
    pub fn judge(&self, judging: &Judging<'_>) -> Result<Report, Mistake> {
        let mut searched = BTreeMap::new();
        let mut runs = Vec::new();
        for arm in &self.scenario.arms {
            let claims: Vec<usize> = self.claims_that_need(&arm.name);
            let patterns: Vec<Pattern> = claims
                .iter()
                .filter_map(|index| pattern_of(&self.scenario.claims[*index]).cloned())
                .collect();
            let watch = Watch::new(patterns);
            let mut cases = Vec::new();
            let mut reference = Vec::new();
            for (index, case) in self.scenario.cases_of(arm).iter().enumerate() {
                let off = Prepared::swarm(arm, judging.seed);
                let prepared = self.prepare(arm, &case.params, &off)?;
                if index == 0 {
                    // The run that stands for the arm, and shows what no single run decides.
                    let mut collectors: Vec<Collector> = watch
                        .patterns()
                        .iter()
                        .cloned()
                        .map(Collector::new)
                        .collect();
                    let seeded = Chooser::Seed(judging.seed);
                    let outcome =
                        prepared.run_seen(&seeded, &watch, Keep::default(), &mut collectors);
                    runs.push(RunReport {
                        arm: arm.name.clone(),
                        trace_hash: outcome.hash,
                        events: outcome.events,
                        virtual_ns: outcome.at.0,
                    });
                    reference = collectors.into_iter().map(Collector::evidence).collect();
                    if case.search == Search::Run {
                        let found = Found::of_run(&outcome, &watch, &seeded);
                        cases.push((case, prepared, found));
                        continue;
                    }
                }
                if !claims.is_empty() {
                    (judging.progress)(&format!("{} / {}", self.scenario.id, arm.name));
                    let found = search(
                        &prepared,
                        &watch,
                        &case.search,
                        judging.seed,
                        STATE_BUDGET,
                        judging.executor,
                    );
                    cases.push((case, prepared, found));
                }
            }
            let arm_searched = SearchedArm {
                cases,
                claims,
                reference,
                seed: judging.seed,
            };
            searched.insert(arm.name.as_str(), arm_searched);
        }
        let claims = self.scenario.claims.iter().enumerate();
        let claims = claims
            .map(|(index, claim)| {
                let expected = self.scenario.expected(claim);
                judge_claim(index, claim, expected, &searched)
            })
            .collect();
        let mut hasher = TraceHasher::new();
        for run in &runs {
            hasher.text(&run.arm);
            hasher.text(&run.trace_hash.to_string());
        }
        Ok(Report {
            scenario: self.scenario.id.clone(),
            seed: judging.seed,
            model_versions: model_versions(),
            trace_hash: hasher.finish(),
            runs,
            claims,
        })
    }

    /// The claims with a pattern that are tried on an arm.
    fn claims_that_need(&self, arm: &str) -> Vec<usize> {
        let claims = self.scenario.claims.iter().enumerate();
        let needing = claims.filter(|(_, claim)| {
            let named = claim
                .arms
                .iter()
                .chain(&claim.control)
                .any(|name| name == arm);
            pattern_of(claim).is_some() && (named || claim.on == arm)
        });
        needing.map(|(index, _)| index).collect()
    }
}

fn pattern_of(claim: &Claim) -> Option<&Pattern> {
    match &claim.claim {
        Statement::Some(pattern) | Statement::Every(pattern) => Some(pattern),
        Statement::Document { .. } => None,
    }
}

/// Whether a statement came out true in a search; `None` if the search could not tell.
fn truth(statement: &Statement, found: &Found, slot: usize) -> Option<bool> {
    let finding = &found.findings[slot];
    let decided = match statement {
        Statement::Some(_) => finding.hit.as_ref().map(|_| true),
        Statement::Every(_) => finding.miss.as_ref().map(|_| false),
        Statement::Document { .. } => None,
    };
    if found.unsupported {
        return None;
    }
    decided.or(found
        .complete
        .then_some(matches!(statement, Statement::Every(_))))
}

/// The truth over several cases: one that shows it decides; else one that could not tell does.
fn truth_over(statement: &Statement, truths: &[Option<bool>]) -> Option<bool> {
    let decisive = matches!(statement, Statement::Some(_));
    if truths.contains(&Some(decisive)) {
        return Some(decisive);
    }
    if truths.contains(&None) {
        return None;
    }
    Some(!decisive)
}

fn judge_claim(
    index: usize,
    claim: &Claim,
    expected: &Verdict,
    searched: &BTreeMap<&str, SearchedArm<'_>>,
) -> ClaimReport {
    let mut report = ClaimReport {
        id: claim.id.clone(),
        says: claim.says.clone(),
        note: claim.note.clone(),
        verdict: Verdict::Undecided,
        expected: expected.clone(),
        basis: Basis::Run,
        sure: claim.sure,
        canonical: claim.canonical,
        evidence: Shown::default(),
        searches: Vec::new(),
        silent_controls: Vec::new(),
        witness: None,
    };
    if let Statement::Document {
        table,
        row,
        field,
        is,
    } = &claim.claim
    {
        let (value, source) =
            document::look_up(table, row, field).expect("a loaded scenario names what there is");
        report.verdict = if value == *is {
            Verdict::Holds
        } else {
            Verdict::Refuted
        };
        report.evidence.words = format!("{table}, {row}: {field} is {value:?}");
        report.basis = Basis::Document(source);
        return report;
    }
    let tried = |name: &str, report: &mut ClaimReport| -> Option<bool> {
        let arm = &searched[name];
        let slot = arm.claims.iter().position(|other| *other == index);
        let slot = slot.expect("an arm is searched for every claim that names it");
        let mut truths = Vec::new();
        for (case, _, found) in &arm.cases {
            let so = truth(&claim.claim, found, slot);
            truths.push(so);
            report.searches.push(Searched {
                arm: name.into(),
                params: case.params.clone(),
                basis: found.basis.clone(),
                hits: found.findings[slot].hits.clone(),
                runs: found.runs.clone(),
                so,
                not_enumerated: found.not_enumerated.iter().copied().collect(),
            });
        }
        truth_over(&claim.claim, &truths)
    };
    let baseline = tried(&claim.on, &mut report);
    let mut deciding = claim.on.as_str();
    report.verdict = match baseline {
        Some(true) => Verdict::Holds,
        None => Verdict::Undecided,
        Some(false) => {
            let mut verdict = Verdict::Refuted;
            for arm in &claim.arms {
                match tried(arm, &mut report) {
                    Some(false) => continue,
                    Some(true) => verdict = Verdict::HoldsUnder(arm.clone()),
                    None => verdict = Verdict::Undecided,
                }
                deciding = arm;
                break;
            }
            verdict
        }
    };
    let so = matches!(report.verdict, Verdict::Holds | Verdict::HoldsUnder(_));
    // What was not measured says nothing in control arms either.
    let is_open = report.verdict == Verdict::Undecided && *expected == Verdict::Undecided;
    for arm in claim.control.iter().filter(|_| !is_open) {
        if tried(arm, &mut report) != Some(!so) {
            report.silent_controls.push(arm.clone());
        }
    }
    show(&mut report, claim, &searched[deciding], index, deciding, so);
    report
}

/// Fills in the basis, the witness and the evidence from the arm that decided.
fn show(
    report: &mut ClaimReport,
    claim: &Claim,
    arm: &SearchedArm<'_>,
    index: usize,
    name: &str,
    so: bool,
) {
    let slot = arm
        .claims
        .iter()
        .position(|other| *other == index)
        .expect("searched above");
    // A single run decides where one can; else the strongest search stands for all.
    let one_run_decides = matches!(claim.claim, Statement::Some(_)) == so;
    let witness_of = |found: &Found| match (one_run_decides, so) {
        (true, true) => found.findings[slot].hit.clone(),
        (true, false) => found.findings[slot].miss.clone(),
        (false, _) => None,
    };
    let strongest = arm
        .cases
        .iter()
        .enumerate()
        .filter(|(_, (_, _, found))| !one_run_decides || witness_of(found).is_some())
        .max_by_key(|(position, (_, _, found))| (strength(&found.basis), *position));
    let Some((_, (case, prepared, found))) = strongest.or(arm.cases.iter().enumerate().next())
    else {
        return;
    };
    report.basis = found.basis.clone();
    let pattern = pattern_of(claim).expect("a claim about a document is judged elsewhere");
    let witness = witness_of(found);
    let reference = arm.reference.get(slot).cloned();
    let evidence = match (&witness, reference) {
        (None, Some(evidence)) => evidence,
        (Some(Chooser::Seed(seed)), Some(evidence))
            if *seed == arm.seed && found.basis == Basis::Run =>
        {
            evidence
        }
        (chooser, _) => {
            let chooser = chooser.as_ref().unwrap_or(&Chooser::Defaults);
            let mut collector = Collector::new(pattern.clone());
            let watch = Watch::new(Vec::new());
            prepared.run_seen(chooser, &watch, Keep::default(), &mut collector);
            collector.evidence()
        }
    };
    let sentences = evidence.records.iter().map(|(_, entry)| entry.to_string());
    report.evidence = Shown {
        arm: name.into(),
        words: evidence.words,
        records: sentences.collect(),
    };
    report.witness = witness.map(|chooser| Witness {
        arm: name.into(),
        params: case.params.clone(),
        chooser,
        so,
    });
}

fn strength(basis: &Basis) -> u8 {
    match basis {
        Basis::Exhaustive { .. } | Basis::Reduced { .. } => 3,
        Basis::Bounded(_) => 2,
        Basis::Seeds(_) => 1,
        Basis::Run | Basis::Document(_) => 0,
    }
}
