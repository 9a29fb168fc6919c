//! Shards: parts of a sweep as JSON files, and the checks before they are put together.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use faultlab_sim::engine::TraceHash;
use faultlab_sim::scenario::Versions;
use serde::{Deserialize, Serialize};

use crate::cli::Shard;
use crate::failure::{Failure, Result};
use crate::on_arm::{OnArm, Quantifier};
use crate::render::search::in_parentheses;

use super::Swept;

/// The version of the format.
const VERSION: u32 = 1;

/// What a sweep is of: all shards of one agree on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The scenario's id.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Over its text and its scripts.
    pub scenario_hash: TraceHash,
    /// The versions of the models.
    pub model_versions: Versions,
    /// The arm.
    pub arm: String,
    /// The case's values.
    pub params: BTreeMap<String, String>,
    /// The first seed of the whole sweep.
    pub from: u64,
    /// The seed before which it ends.
    pub to: u64,
    /// The claims that are tried on the arm.
    pub claims: Vec<Asked>,
}

/// What is asked of the runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The claim's id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// Whether it asks for some run, or for every run.
    pub quantifier: Quantifier,
    /// Whether the scenario records that it is so on this arm.
    pub expected: Option<bool>,
}

impl Asked {
    /// A claim's question.
    pub fn new(on: &OnArm<'_>) -> Asked {
        Asked {
            id: on.claim.id.clone(),
            says: on.claim.says.clone(),
            quantifier: on.quantifier,
            expected: on.expected,
        }
    }
}

/// A shard, as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardFile {
    /// The version of the format.
    faultlab_shard: u32,
    shard: Shard,
    subject: Subject,
    swept: Swept,
}

impl Shard {
    /// Its part of the seeds: N parts, which differ by one seed at most.
    pub fn range(self, seeds: &Range<u64>) -> Range<u64> {
        let len = u128::from(seeds.end - seeds.start);
        let cut = |nth: u32| {
            let offset = len * u128::from(nth) / u128::from(self.of);
            seeds.start + offset as u64
        };
        cut(self.nth - 1)..cut(self.nth)
    }
}

impl ShardFile {
    /// A shard.
    pub fn new(subject: Subject, shard: Shard, swept: Swept) -> ShardFile {
        ShardFile {
            faultlab_shard: VERSION,
            shard,
            subject,
            swept,
        }
    }

    fn read(path: &Path) -> Result<ShardFile> {
        #[derive(Deserialize)]
        struct Any {
            faultlab_shard: u32,
        }
        let name = path.display();
        let text = fs::read(path)
            .map_err(|error| Failure::bad_input(format!("{name} cannot be read: {error}")))?;
        let no_shard = |error: serde_json::Error| {
            let what = format!(
                "{name}:{}:{}: this is no shard: {error}",
                error.line(),
                error.column()
            );
            Failure::bad_input(what)
                .help("a shard is what `faultlab sweep --shard I/N` writes to standard output")
        };
        let any: Any = serde_json::from_slice(&text).map_err(no_shard)?;
        if any.faultlab_shard != VERSION {
            let what = format!("{name} is a shard of version {}", any.faultlab_shard);
            return Err(
                Failure::bad_input(what).help(format!("this program reads version {VERSION}"))
            );
        }
        let file: ShardFile = serde_json::from_slice(&text).map_err(no_shard)?;
        file.check()
            .map_err(|why| Failure::bad_input(format!("{name} is damaged: {why}")))?;
        Ok(file)
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        let ShardFile {
            shard,
            subject,
            swept,
            ..
        } = self;
        if shard.nth == 0 || shard.nth > shard.of {
            return Err("there is no such shard");
        }
        if subject.from >= subject.to {
            return Err("its range of seeds is empty");
        }
        let range = shard.range(&(subject.from..subject.to));
        let runs = range.end - range.start;
        if swept.deciding.len() != subject.claims.len() {
            return Err("it does not speak of each claim");
        }
        if swept.deciding.iter().any(|bits| bits.len() != runs) {
            return Err("it does not speak of each seed");
        }
        let mut traces = swept.traces.clone();
        if [
            swept.repeated,
            swept.unsupported,
            swept.endless,
            traces.count() as u64,
        ]
        .iter()
        .any(|count| *count > runs)
        {
            return Err("it counts more runs than it has seeds");
        }
        Ok(())
    }
}

/// Puts the shards of a sweep together.
///
/// # Errors
/// They cannot be read, or they are not all of one sweep.
pub fn merge(paths: &[PathBuf]) -> Result<(Subject, Swept)> {
    let mut shards: Vec<(&PathBuf, ShardFile)> = Vec::new();
    for path in paths {
        let file = ShardFile::read(path)?;
        if let Some((first_path, first)) = shards.first() {
            belongs(first_path, first, path, &file)?;
        }
        shards.push((path, file));
    }
    shards.sort_by_key(|(_, file)| file.shard.nth);
    for pair in shards.windows(2) {
        let [(one_path, one), (other_path, other)] = pair else {
            continue;
        };
        if one.shard == other.shard {
            let Shard { nth, of } = one.shard;
            let what = format!(
                "the shard {nth}/{of} is there twice: {} and {}",
                one_path.display(),
                other_path.display()
            );
            return Err(Failure::bad_input(what));
        }
    }
    let of = shards.first().map_or(0, |(_, file)| file.shard.of);
    let there = |nth: &u32| shards.iter().any(|(_, file)| file.shard.nth == *nth);
    let missing: Vec<String> = (1..=of)
        .filter(|nth| !there(nth))
        .map(|nth| format!("{nth}/{of}"))
        .take(10)
        .collect();
    if !missing.is_empty() {
        return Err(Failure::bad_input(format!(
            "shards are missing: {}",
            missing.join(", ")
        )));
    }
    let mut shards = shards.into_iter().map(|(_, file)| file);
    let first = shards
        .next()
        .expect("the command line asks for one at least");
    let mut whole = first.swept;
    for file in shards {
        whole.append(file.swept);
    }
    Ok((first.subject, whole))
}

/// Whether two shards are of one sweep.
fn belongs(one_path: &Path, one: &ShardFile, other_path: &Path, other: &ShardFile) -> Result<()> {
    let versions = |versions: &Versions| {
        let each = versions
            .iter()
            .map(|(family, version)| format!("{family} {version}"));
        each.collect::<Vec<_>>().join(", ")
    };
    let facts = |file: &ShardFile| {
        let Subject { from, to, .. } = file.subject;
        let claims = file.subject.claims.iter().map(|claim| claim.id.as_str());
        [
            format!("of the scenario {}", file.subject.scenario),
            format!(
                "of a scenario whose text has the hash {}",
                file.subject.scenario_hash
            ),
            format!("of the models {}", versions(&file.subject.model_versions)),
            format!(
                "of the arm {}{}",
                file.subject.arm,
                in_parentheses(&file.subject.params)
            ),
            format!("of the seeds {from}..{to}"),
            format!("of {} shards", file.shard.of),
            format!("of the claims {}", claims.collect::<Vec<_>>().join(", ")),
        ]
    };
    let differs = |one: &str, other: &str| {
        let what = format!(
            "{} and {} are not of one sweep: one is {one}, the other {other}",
            one_path.display(),
            other_path.display()
        );
        Err(Failure::bad_input(what))
    };
    let pairs = facts(one).into_iter().zip(facts(other));
    for (one, other) in pairs {
        if one != other {
            return differs(&one, &other);
        }
    }
    if one.subject != other.subject {
        return differs("of claims in these words", "of claims in others");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_the_seeds_once() {
        for of in [1, 2, 3, 7, 100] {
            for seeds in [0..1, 5..25, 0..1000, u64::MAX - 3..u64::MAX] {
                let mut next = seeds.start;
                for nth in 1..=of {
                    let range = Shard { nth, of }.range(&seeds);
                    assert_eq!(range.start, next);
                    next = range.end;
                }
                assert_eq!(next, seeds.end);
            }
        }
    }
}
