//! Searches and what verdicts rest on, in words.

use std::collections::BTreeMap;
use std::fmt::Display;

use faultlab_sim::scenario::{Basis, Searched};

use super::{counted, grouped};

/// What a verdict rests on: `all 6 interleavings (5 states)`.
pub fn basis(basis: &Basis) -> String {
    match basis {
        Basis::Run => "one run".into(),
        Basis::Seeds(n) => counted(n, "run"),
        Basis::Exhaustive {
            interleavings: Some(n),
            states,
        } => format!(
            "exhaustive, {} over {}",
            counted(n, "interleaving"),
            counted(states, "state")
        ),
        Basis::Exhaustive {
            interleavings: None,
            states,
        } => format!(
            "exhaustive, all {}; some state leads back to itself, so the interleavings have no bound",
            counted(states, "state")
        ),
        Basis::Reduced { states } => format!(
            "exhaustive up to the order of steps that commute, over {}",
            counted(states, "state")
        ),
        Basis::Bounded(n) => format!(
            "all interleavings with at most {}",
            counted(n, "preemption")
        ),
        Basis::Document(source) => format!("a document: {source}"),
    }
}

/// How often a pattern was so: `4 of 6 interleavings over 5 states`.
pub fn hits(hits: impl Display, runs: impl Display, basis: &Basis) -> String {
    let of = |noun: &str| format!("{} of {}", grouped(&hits), counted(&runs, noun));
    match basis {
        Basis::Exhaustive {
            interleavings: Some(_),
            states,
        } => format!("{} over {}", of("interleaving"), counted(states, "state")),
        Basis::Exhaustive {
            interleavings: None,
            states,
        } => format!(
            "{} of interleavings without bound over {}",
            match hits.to_string().as_str() {
                "0" => "none",
                _ => "some",
            },
            counted(states, "state")
        ),
        Basis::Reduced { states } => format!(
            "{} of all interleavings over {}, steps that commute in one order",
            match hits.to_string().as_str() {
                "0" => "none",
                _ => "some",
            },
            counted(states, "state")
        ),
        Basis::Bounded(n) => format!(
            "{} with at most {}",
            of("interleaving"),
            counted(n, "preemption")
        ),
        Basis::Run | Basis::Seeds(_) | Basis::Document(_) => of("run"),
    }
}

/// A search that had a part in a verdict: `4 of 6 interleavings over 5 states, baseline`.
pub fn searched(searched: &Searched, is_control: bool) -> String {
    line(searched, "", is_control, &in_parentheses(&searched.params))
}

fn line(searched: &Searched, of_cases: &str, is_control: bool, params: &str) -> String {
    let Searched {
        arm,
        basis,
        so,
        not_enumerated,
        ..
    } = searched;
    let mut text = format!(
        "{}{of_cases}, {}{arm}{params}",
        hits(&searched.hits, &searched.runs, basis),
        if is_control { "control " } else { "" },
    );
    if so.is_none() {
        text += "; undecided: the budget was spent, or something unsupported was met";
    }
    text + &left_to_the_seed(not_enumerated)
}

/// Searches that had a part in a verdict, one a line; cases of an arm that come to the same share one.
pub fn all_searched(searches: &[&Searched], is_control: impl Fn(&Searched) -> bool) -> Vec<String> {
    let same = |one: &&Searched, other: &&Searched| {
        let basis = |searched: &Searched| hits(&searched.hits, &searched.runs, &searched.basis);
        (&one.arm, one.so, &one.not_enumerated) == (&other.arm, other.so, &other.not_enumerated)
            && basis(one) == basis(other)
    };
    let lines = searches.chunk_by(same).flat_map(|cases| match cases {
        [first, _, _, ..] => vec![searched_in_cases(first, cases, is_control(first))],
        few => few
            .iter()
            .map(|one| searched(one, is_control(one)))
            .collect(),
    });
    lines.collect()
}

/// `1 of 1 run in each of 25 cases, control beyond-the-limit (g = 196, 197; release = 1.11, 1.14)`.
fn searched_in_cases(first: &Searched, cases: &[&Searched], is_control: bool) -> String {
    let values = first.params.keys().map(|name| {
        let mut values: Vec<&str> = Vec::new();
        for value in cases.iter().filter_map(|case| case.params.get(name)) {
            if !values.contains(&value.as_str()) {
                values.push(value);
            }
        }
        format!("{name} = {}", values.join(", "))
    });
    let values: Vec<String> = values.collect();
    let params = match values.as_slice() {
        [] => String::new(),
        values => format!(" ({})", values.join("; ")),
    };
    let of_cases = format!(" in each of {} cases", cases.len());
    line(first, &of_cases, is_control, &params)
}

/// The sites of wide choices, which no search enumerates.
pub fn left_to_the_seed<'a>(sites: impl IntoIterator<Item = &'a &'static str>) -> String {
    let sites: Vec<&str> = sites.into_iter().copied().collect();
    match sites.as_slice() {
        [] => String::new(),
        _ => format!("; not enumerated: {}", sites.join(", ")),
    }
}

/// ` (N = 2)`, or nothing.
pub fn in_parentheses(params: &BTreeMap<String, String>) -> String {
    let pairs = params
        .iter()
        .map(|(name, value)| format!("{name} = {value}"));
    let pairs: Vec<String> = pairs.collect();
    match pairs.as_slice() {
        [] => String::new(),
        _ => format!(" ({})", pairs.join(", ")),
    }
}
