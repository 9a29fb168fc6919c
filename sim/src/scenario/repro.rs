//! Reproductions: one file that holds a failing run, whole, and its replay.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::engine::{
    Choice, Entity, KeyText, Names, Observer, Record as _, Time, TraceHash, TraceHasher,
};

use super::load::{Loaded, dialect, parse};
use super::mistake::{Mistake, locate};
use super::pattern::Watch;
use super::run::{Chooser, Keep, Outcome, Prepared, Rest};
use super::schema::{Scenario, Statement, Verdict};
use super::stage::Record;
use super::versions::{Versions, model_versions};

/// The version of the format of reproductions that this library reads and writes.
pub const VERSION: u32 = 1;

/// A run of a scenario, in one file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reproduction {
    /// The version of this format: [`VERSION`].
    pub version: u32,
    /// The versions of the models that wrote it.
    pub model_versions: Versions,
    /// The claim that it is about.
    pub claim: String,
    /// Whether the claim's pattern is so in this run.
    pub so: bool,
    /// The verdict that this run was the witness of.
    pub verdict: Verdict,
    /// The arm.
    pub arm: String,
    /// The case's values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Optional faults that a swarm had turned off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub off: Vec<String>,
    /// The choices that differ from their defaults.
    pub choices: Vec<Choice>,
    /// What takes all others.
    pub rest: Rest,
    /// What the shrinker says of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shrunk: String,
    /// The hash of the run's trace.
    pub trace_hash: TraceHash,
    /// A checksum of each of the first records, to say where another trace parts.
    pub checksums: String,
    /// The scenario.
    pub scenario: Scenario,
    /// The texts of the scripts that it names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scripts: BTreeMap<String, String>,
}

/// What a replay came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Replay {
    /// The scenario's id.
    pub scenario: String,
    /// The claim.
    pub claim: String,
    /// The arm.
    pub arm: String,
    /// Whether the pattern is so, as recorded.
    pub recurs: bool,
    /// Whether the trace is the recorded one.
    pub identical: bool,
    /// The first record that differs, from 0, where the traces part among the records that have a
    /// checksum.
    pub parts_at: Option<usize>,
    /// That record, if this run has one there.
    pub parting_record: Option<String>,
    /// The hash of this run's trace.
    pub trace_hash: TraceHash,
    /// The recorded one.
    pub recorded_hash: TraceHash,
    /// Families whose model version is not the recorded one: recorded, present.
    pub other_versions: BTreeMap<String, (u32, u32)>,
    /// Recorded choices that met nothing, and so fell back to their defaults.
    pub unmatched: Vec<String>,
    /// Objects that were taken for others, because their names changed.
    pub renamed: BTreeMap<String, String>,
}

/// How many records have a checksum at most.
const CHECKSUMS: usize = 4096;

/// Takes a checksum of each of the first records while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Checksums {
    seen: usize,
    text: String,
}

impl Checksums {
    /// Eight hexadecimal digits a record.
    pub(crate) fn text(self) -> String {
        self.text
    }
}

impl Observer<Record> for Checksums {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, _: &Names) {
        if self.seen == CHECKSUMS {
            return;
        }
        self.seen += 1;
        let mut hasher = TraceHasher::new();
        hasher.u64(at.0);
        hasher.u64(actor.0);
        record.absorb(&mut hasher);
        self.text += &format!("{:08x}", hasher.finish().0 as u32);
    }
}

impl Reproduction {
    /// Reads a reproduction.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn read(file: &str, text: &str) -> Result<(Reproduction, Loaded), Mistake> {
        let repro: Reproduction = parse(file, text)?;
        let mistake = |at: &str, what: String| Mistake::at(file, text, locate(text, &[], at), what);
        if repro.version != VERSION {
            let what = format!("this is version {} of the format", repro.version);
            return Err(
                mistake("version", what).help(format!("this program reads version {VERSION}"))
            );
        }
        let loaded = Loaded {
            scenario: repro.scenario.clone(),
            file: file.into(),
            text: text.into(),
            scripts: repro.scripts.clone(),
        };
        for name in loaded.scenario.script_names() {
            if !repro.scripts.contains_key(&name) {
                return Err(
                    mistake(&name, format!("the script {name:?} is not in the file"))
                        .help("a reproduction carries its scripts in `scripts`"),
                );
            }
        }
        loaded.check()?;
        if loaded.scenario.arm(&repro.arm).is_none() {
            return Err(mistake(
                &repro.arm,
                format!("there is no arm {:?}", repro.arm),
            ));
        }
        let claim = loaded
            .scenario
            .claims
            .iter()
            .find(|claim| claim.id == repro.claim);
        match claim.map(|claim| &claim.claim) {
            Some(Statement::Some(_) | Statement::Every(_)) => {}
            Some(Statement::Document { .. }) => {
                let what = format!("the claim {:?} is about a document", repro.claim);
                return Err(mistake(&repro.claim, what).help("no run can show it"));
            }
            None => {
                return Err(mistake(
                    &repro.claim,
                    format!("there is no claim {:?}", repro.claim),
                ));
            }
        }
        let mut keys = BTreeSet::new();
        for choice in &repro.choices {
            if !keys.insert(&choice.key) {
                return Err(
                    mistake(&choice.key.entity, format!("two choices at {}", choice.key))
                        .help("each choice is taken once: remove one of them"),
                );
            }
        }
        let hex = repro.checksums.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !hex || !repro.checksums.len().is_multiple_of(8) {
            return Err(
                mistake("checksums", "the checksums are damaged".into()).help(
                    "eight hexadecimal digits a record; write the file anew with `run --repro`",
                ),
            );
        }
        Ok((repro, loaded))
    }

    /// The text of the file.
    pub fn write(&self) -> String {
        let config = ron::ser::PrettyConfig::new()
            .struct_names(false)
            .indentor("  ")
            .depth_limit(64);
        let body = dialect()
            .to_string_pretty(self, config)
            .expect("a reproduction is made of plain values");
        format!("// A failing run, replayed by: faultlab replay THIS_FILE\n{body}\n")
    }

    /// Replays it.
    ///
    /// # Errors
    /// A mistake that shows only when the arm's values are filled in.
    pub fn replay(&self, loaded: &Loaded) -> Result<(Replay, Outcome), Mistake> {
        let arm = loaded.scenario.arm(&self.arm).expect("read checks the arm");
        let prepared = loaded.prepare(arm, &self.params, &self.off)?;
        let watch = loaded.watch_of(&self.claim);
        let (outcome, now, renamed) = self.run(&prepared, &watch);
        let so = outcome.bits & 1 == 1;
        let (one, other) = (self.checksums.as_bytes(), now.as_bytes());
        let records = one.chunks(8).zip(other.chunks(8));
        let differs = records.clone().position(|(one, other)| one != other);
        let identical = outcome.hash == self.trace_hash;
        let parts_at = match identical {
            true => None,
            false => differs.or((one.len() != other.len()).then(|| records.count())),
        };
        let parting_record = parts_at.and_then(|at| {
            let keep = Keep {
                records: true,
                ..Keep::default()
            };
            let chooser = Chooser::Named(self.choices.clone(), self.rest);
            let entries = prepared.run(&chooser, &watch, keep).entries;
            entries.get(at).map(ToString::to_string)
        });
        let present = model_versions();
        let families = self.model_versions.iter();
        let other_versions = families
            .map(|(family, recorded)| {
                (
                    family.clone(),
                    (*recorded, present.get(family).copied().unwrap_or(0)),
                )
            })
            .filter(|(_, (recorded, present))| recorded != present)
            .collect();
        let replay = Replay {
            scenario: loaded.scenario.id.clone(),
            claim: self.claim.clone(),
            arm: self.arm.clone(),
            recurs: so == self.so,
            identical,
            parts_at,
            parting_record,
            trace_hash: outcome.hash,
            recorded_hash: self.trace_hash,
            other_versions,
            unmatched: outcome.unmatched.iter().map(ToString::to_string).collect(),
            renamed,
        };
        Ok((replay, outcome))
    }

    /// Runs it; if choices meet nothing because an object was renamed in the scenario, runs it with
    /// the object that now stands in its place.
    fn run(
        &self,
        prepared: &Prepared,
        watch: &Watch,
    ) -> (Outcome, String, BTreeMap<String, String>) {
        let run = |choices: Vec<Choice>| {
            let chooser = Chooser::Named(choices, self.rest);
            let mut checksums = Checksums::default();
            let outcome = prepared.run_seen(&chooser, watch, Keep::default(), &mut checksums);
            (outcome, checksums.text())
        };
        let (mut outcome, mut checksums) = run(self.choices.clone());
        let mut renamed = BTreeMap::new();
        let mut choices = self.choices.clone();
        // Each round explains one object's new name.
        while let Some(lost) = outcome.unmatched.first().map(|choice| choice.key.clone()) {
            let met = prepared.keys_met(choices.clone(), self.rest);
            let known: BTreeSet<&str> = self
                .choices
                .iter()
                .map(|choice| choice.key.object.as_str())
                .collect();
            let candidates: BTreeSet<&str> = met
                .iter()
                .filter(|key| in_place_of(key, &lost) && !known.contains(key.object.as_str()))
                .map(|key| key.object.as_str())
                .collect();
            let better = candidates.into_iter().find_map(|object| {
                let with = substitute(&choices, &lost.object, object);
                let tried = run(with.clone());
                let helps = tried.0.unmatched.len() < outcome.unmatched.len();
                helps.then(|| (object.to_owned(), with, tried))
            });
            let Some((object, with, tried)) = better else {
                break;
            };
            renamed.insert(lost.object, object);
            choices = with;
            (outcome, checksums) = tried;
        }
        (outcome, checksums, renamed)
    }
}

/// Whether `key` is what `lost` was, but for the object's name.
fn in_place_of(key: &KeyText, lost: &KeyText) -> bool {
    let KeyText {
        site,
        entity,
        verb,
        object,
        nth,
    } = key;
    *site == lost.site
        && *entity == lost.entity
        && *verb == lost.verb
        && *nth == lost.nth
        && !object.is_empty()
        && *object != lost.object
}

fn substitute(choices: &[Choice], object: &str, by: &str) -> Vec<Choice> {
    let mut choices = choices.to_vec();
    for choice in choices
        .iter_mut()
        .filter(|choice| choice.key.object == object)
    {
        choice.key.object = by.into();
    }
    choices
}

impl Loaded {
    /// A watch for the pattern of one claim.
    ///
    /// # Panics
    /// If there is no such claim, or it has no pattern.
    pub fn watch_of(&self, claim: &str) -> Watch {
        let claim = self.scenario.claims.iter().find(|other| other.id == claim);
        match &claim.expect("the claim was looked up before").claim {
            Statement::Some(pattern) | Statement::Every(pattern) => {
                Watch::new(vec![pattern.clone()])
            }
            Statement::Document { .. } => panic!("a claim about a document has no pattern"),
        }
    }
}
