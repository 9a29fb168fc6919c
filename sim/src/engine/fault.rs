//! Faults are data: a name from a table, where, when, and parameters. Models ask for them by name at
//! the points where reality could fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::choice::Weights;
use super::entity::{Entity, matches_pattern};
use super::hash::{LookupMap, mix};
use super::time::Time;

/// What kind of value a parameter takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ParamKind {
    /// A whole number.
    Number,
    /// A text.
    Text,
}

/// A parameter of a fault.
#[derive(Clone, Copy, Debug)]
pub struct ParamSpec {
    /// Its name; a unit, if it has one, comes last (`delay_ms`).
    pub name: &'static str,
    /// What it takes.
    pub kind: ParamKind,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

/// A fault that some model knows. Each family lists its own; together they are the one table.
#[derive(Clone, Copy, Debug)]
pub struct FaultSpec {
    /// Its name in scenarios: `shared-symlink`, `disk-full`.
    pub name: &'static str,
    /// What it does to the modelled machine, and what shows that reality can do it.
    pub doc: &'static str,
    /// Its parameters.
    pub params: &'static [ParamSpec],
}

/// The value of a parameter.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Param {
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
}

/// When a fault strikes. All conditions that are given must hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// From this virtual time on, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_ms: Option<u64>,
    /// Before this virtual time, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_ms: Option<u64>,
    /// Only at the n-th opportunity of that entity, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nth: Option<u32>,
    /// In this many of that many opportunities; which ones is a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ratio: Option<(u32, u32)>,
}

/// A fault of a scenario, ready to strike.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Armed {
    /// Its name in the table.
    pub name: &'static str,
    /// Whom it strikes: a pattern over entity paths, `*` for any run of characters.
    pub at: String,
    /// When.
    pub when: When,
    /// Its parameters.
    pub params: BTreeMap<String, Param>,
}

impl Armed {
    /// A parameter that is a number.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.params.get(name)? {
            Param::Number(number) => Some(*number),
            Param::Text(_) => None,
        }
    }

    /// A parameter that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.params.get(name)? {
            Param::Text(text) => Some(text),
            Param::Number(_) => None,
        }
    }
}

/// What a run notes when a fault strikes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Struck {
    /// The fault's name.
    pub fault: &'static str,
}

/// The armed faults of a run, and how many opportunities each has had.
#[derive(Debug, Default)]
pub struct Faults {
    armed: Arc<[Armed]>,
    opportunities: LookupMap<(usize, Entity), u32>,
    /// Those that have struck, by their places. No part of the state: it decides nothing.
    struck: BTreeSet<usize>,
    /// Order-independent digest of the opportunities: part of the state.
    pub(crate) digest: u64,
}

impl Clone for Faults {
    fn clone(&self) -> Faults {
        Faults {
            armed: self.armed.clone(),
            opportunities: self.opportunities.clone(),
            struck: self.struck.clone(),
            digest: self.digest,
        }
    }

    fn clone_from(&mut self, source: &Faults) {
        if !Arc::ptr_eq(&self.armed, &source.armed) {
            self.armed.clone_from(&source.armed);
        }
        if !(self.opportunities.is_empty() && source.opportunities.is_empty()) {
            self.opportunities.clone_from(&source.opportunities);
        }
        if !(self.struck.is_empty() && source.struck.is_empty()) {
            self.struck.clone_from(&source.struck);
        }
        self.digest = source.digest;
    }
}

/// What an opportunity comes to.
pub(crate) enum Opportunity {
    None,
    Strikes(usize),
    /// Strikes if a choice with these weights says so.
    Maybe(usize, [u32; 2]),
}

impl Faults {
    /// These faults, with no opportunity past.
    pub fn new(armed: Vec<Armed>) -> Faults {
        Faults {
            armed: armed.into(),
            ..Faults::default()
        }
    }

    /// All armed faults.
    pub fn armed(&self) -> &[Armed] {
        &self.armed
    }

    /// The armed faults called `name`.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Armed> {
        self.armed.iter().filter(move |armed| armed.name == name)
    }

    /// The armed faults that a model asks for as it runs and that have struck nothing, by their places in
    /// [`Faults::armed`].
    pub fn idle(&self) -> Vec<usize> {
        let places = 0..self.armed.len();
        places
            .filter(|place| !self.struck.contains(place))
            .collect()
    }

    /// A fault strikes.
    pub(crate) fn strike(&mut self, place: usize) -> Armed {
        self.struck.insert(place);
        self.armed[place].clone()
    }

    /// The first armed fault called `name` for which this opportunity counts.
    pub(crate) fn opportunity(
        &mut self,
        name: &str,
        entity: Entity,
        path: &str,
        now: Time,
    ) -> Opportunity {
        for (index, armed) in self.armed.iter().enumerate() {
            if armed.name != name || !matches_pattern(&armed.at, path) {
                continue;
            }
            let count = self.opportunities.or_insert_with((index, entity), || 0);
            *count += 1;
            self.digest = self
                .digest
                .wrapping_add(mix(&[index as u64, entity.0, (*count).into()]));
            let ns = |ms: u64| ms.saturating_mul(1_000_000);
            let When {
                from_ms,
                before_ms,
                nth,
                ratio,
            } = &armed.when;
            let in_time = from_ms.is_none_or(|from| now.0 >= ns(from))
                && before_ms.is_none_or(|before| now.0 < ns(before))
                && nth.is_none_or(|nth| nth == *count);
            match ratio {
                _ if !in_time => {}
                None => return Opportunity::Strikes(index),
                Some((some, of)) => {
                    return Opportunity::Maybe(index, [of.saturating_sub(*some), *some]);
                }
            }
        }
        Opportunity::None
    }
}

/// The weights of a two-way choice "no" / "yes".
pub(crate) fn no_or_yes(weights: &[u32; 2]) -> Weights<'_> {
    Weights::Each(weights)
}
