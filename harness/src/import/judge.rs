//! Claims on a stream of events.

use faultlab_sim::engine::{Names, Observer as _};
use faultlab_sim::scenario::{Claim, Collector, Pattern, Statement, Verdict};
use serde::Serialize;

use super::stream::{Shown, Source, Stream};

/// A claim, judged on a stream.
#[derive(Debug, Serialize)]
pub struct Judged {
    /// Its id.
    pub id: String,
    /// What it says.
    pub says: String,
    /// `Holds` or `Refuted`, by whether its pattern is so; `Undecided` if the stream cannot tell.
    #[serde(serialize_with = "word")]
    pub verdict: Verdict,
    /// What it was to come to, if anything says so.
    #[serde(serialize_with = "maybe_word")]
    pub expected: Option<Verdict>,
    /// Whether it came out as it was to, and was decided at all.
    pub as_expected: bool,
    /// Why it is undecided.
    pub undecided: Option<String>,
    /// What the stream shows of it, in words.
    pub evidence: String,
    /// Events that had a part in it.
    pub records: Vec<String>,
}

fn word<S: serde::Serializer>(verdict: &Verdict, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(verdict.word())
}

fn maybe_word<S: serde::Serializer>(verdict: &Option<Verdict>, to: S) -> Result<S::Ok, S::Error> {
    verdict.as_ref().map(Verdict::word).serialize(to)
}

/// Judges a claim that has a pattern; `None` if it is about a document.
pub fn judge(
    stream: &Stream,
    claim: &Claim,
    expected: Option<Verdict>,
    recorded: &[String],
) -> Option<Judged> {
    judge_all(stream, &[(claim.clone(), expected)], recorded).pop()
}

/// Judges those claims that have a pattern, each with what it is to come to, in one pass over the events.
pub fn judge_all(
    stream: &Stream,
    claims: &[(Claim, Option<Verdict>)],
    recorded: &[String],
) -> Vec<Judged> {
    let mut watched: Vec<_> = claims
        .iter()
        .filter_map(|(claim, expected)| match &claim.claim {
            Statement::Some(pattern) | Statement::Every(pattern) => {
                Some((claim, expected, pattern, Collector::new(pattern.clone())))
            }
            Statement::Document { .. } => None,
        })
        .collect();
    if watched.is_empty() {
        return Vec::new();
    }
    let asked = watched
        .iter()
        .flat_map(|(_, _, pattern, _)| pattern.looks_at());
    let mut shown = Shown::asked(asked);
    let mut names = Names::new();
    stream.each(&mut |entry| {
        shown.see(entry);
        let actor = names.name(&entry.actor);
        for (.., collector) in &mut watched {
            collector.see(entry.at, actor, &entry.record, &names);
        }
    });
    let judged = watched
        .into_iter()
        .map(|(claim, expected, pattern, collector)| {
            let evidence = collector.evidence();
            let undecided = why_undecided(stream, pattern, evidence.so, recorded, &shown);
            let verdict = match (&undecided, evidence.so) {
                (Some(_), _) => Verdict::Undecided,
                (None, true) => Verdict::Holds,
                (None, false) => Verdict::Refuted,
            };
            let records = evidence.records.iter();
            Judged {
                id: claim.id.clone(),
                says: claim.says.clone(),
                as_expected: match expected {
                    Some(expected) => *expected == verdict,
                    None => undecided.is_none(),
                },
                verdict,
                expected: expected.clone(),
                undecided,
                evidence: evidence.words,
                records: records.map(|(_, entry)| entry.to_string()).collect(),
            }
        });
    judged.collect()
}

fn why_undecided(
    stream: &Stream,
    pattern: &Pattern,
    is_so: bool,
    recorded: &[String],
    shown: &Shown<'_>,
) -> Option<String> {
    let mut looked_at = pattern.looks_at().into_iter();
    let blind = looked_at.find_map(|(kind, field)| stream.is_blind(kind, field, recorded, shown));
    if blind.is_some() {
        return blind;
    }
    let gap = stream.gaps.first()?;
    let is_settled = match is_so {
        true => pattern.is_settled_when_so(),
        // A host that is late may do what it would not have done in time.
        false => pattern.is_settled_when_not_so() && stream.source != Source::Kernel,
    };
    (!is_settled).then(|| format!("the events are not complete: {gap}"))
}
