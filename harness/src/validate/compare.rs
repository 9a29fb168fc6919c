//! Model and host side by side, question by question.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::host::session::Identity;

use super::divergence::Divergence;
use super::tcp::{self, Crowds};
use super::tolerance::Tolerance;

/// What a question comes to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Outcome {
    /// Both say the same.
    Same,
    /// They differ, and it is known: by which row.
    Known(String),
    /// The host cannot answer, and says why.
    UnsupportedByHost,
    /// The models cannot answer.
    UnsupportedByModel,
    /// Something differed before in this case, so nothing follows from this.
    AfterDifference,
    /// They differ.
    Differs,
}

/// A question with both answers.
#[derive(Clone, PartialEq, Debug)]
pub struct Compared {
    /// The set.
    pub set: String,
    /// The line in it.
    pub line: usize,
    /// The question.
    pub request: Value,
    /// What the models say.
    pub model: Value,
    /// What the host says.
    pub host: Value,
    /// What that comes to.
    pub outcome: Outcome,
    /// Where they differ, of answers that are long.
    pub why: Option<String>,
}

impl Compared {
    /// How they differ.
    pub fn words(&self) -> String {
        match &self.why {
            Some(why) => why.clone(),
            None => format!("{}: model {}, host {}", self.request, self.model, self.host),
        }
    }
}

/// Compares answer by answer; knows where in a case it is.
pub struct Comparison<'a> {
    rows: Vec<&'a Divergence>,
    /// How often each row was needed.
    needed: BTreeMap<String, usize>,
    /// The operations that the host answered at all.
    answered: BTreeSet<String>,
    has_differed: bool,
    /// Of the case.
    crowds: Crowds,
}

impl<'a> Comparison<'a> {
    /// With a host of this identity.
    pub fn with(identity: &Identity, table: &'a [Divergence]) -> Comparison<'a> {
        Comparison {
            rows: table.iter().filter(|row| row.is_about(identity)).collect(),
            needed: BTreeMap::new(),
            answered: BTreeSet::new(),
            has_differed: false,
            crowds: Crowds::default(),
        }
    }

    /// Another case begins.
    pub fn begin_case(&mut self) {
        self.has_differed = false;
        self.crowds = Crowds::default();
    }

    /// Compares two answers, both without their ids; where they differ, if they are long.
    pub fn compare(
        &mut self,
        request: &Value,
        model: &Value,
        host: &Value,
        tolerance: Tolerance,
    ) -> (Outcome, Option<String>) {
        self.crowds.see(request, host);
        let is_of_events = tcp::events(model).is_some() && tcp::events(host).is_some();
        let why = match is_of_events {
            true => tcp::difference(model, host, tolerance, &self.crowds),
            false => None,
        };
        let is_same = match is_of_events {
            true => why.is_none(),
            false => is_same(model, host),
        };
        (self.outcome(request, model, host, is_same), why)
    }

    fn outcome(&mut self, request: &Value, model: &Value, host: &Value, is_same: bool) -> Outcome {
        if host.get("unsupported").is_some() {
            // What the host did not do, later answers do not show.
            self.has_differed |= changes_something(request);
            return Outcome::UnsupportedByHost;
        }
        let op = request.get("op").and_then(Value::as_str);
        self.answered.extend(op.map(str::to_owned));
        if model.get("unsupported").is_some() {
            self.has_differed |= changes_something(request);
            return Outcome::UnsupportedByModel;
        }
        if is_same {
            return Outcome::Same;
        }
        let row = self
            .rows
            .iter()
            .find(|row| row.covers(request, model, host));
        let outcome = match row {
            Some(row) => {
                *self.needed.entry(row.id.clone()).or_default() += 1;
                Outcome::Known(row.id.clone())
            }
            None if self.has_differed => Outcome::AfterDifference,
            None => Outcome::Differs,
        };
        // A row that covers the beginning of a trouble explains what follows from it, too.
        self.has_differed |= changes_something(request);
        outcome
    }

    /// The rows that were never needed, though all sets in which they must show themselves were compared and
    /// the host answers such questions.
    pub fn idle(&self, compared: &[String]) -> Vec<&'a Divergence> {
        let idle = |row: &&&Divergence| {
            let all = row.sets.iter().all(|set| compared.contains(set));
            let asked = self.answered.iter().any(|op| row.is_of(op));
            all && asked && !self.needed.contains_key(&row.id)
        };
        self.rows.iter().filter(idle).copied().collect()
    }
}

/// Whether a later answer of the same case can depend on what this request did.
fn changes_something(request: &Value) -> bool {
    let op = request
        .get("op")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let reads = [
        "reg.get",
        "reg.open",
        "reg.keys",
        "reg.values",
        "reg.export",
        "reg.security",
        "fs.attributes",
        "fs.security",
        "fs.full_name",
        "fs.long_name",
        "fs.short_name",
        "resolve",
        "events",
        "sockets",
    ];
    let pure = ["path.", "text.", "env.", "go.", "sddl.", "sd."];
    !reads.contains(&op) && !pure.iter().any(|family| op.starts_with(family))
}

/// Both succeed, with the same in every field that both give; or both fail, with the same code if both
/// give one. Nothing and null are the same.
pub(super) fn is_same(model: &Value, host: &Value) -> bool {
    match (model.get("ok"), host.get("ok")) {
        (Some(model), Some(host)) => is_same_value(model, host),
        (None, None) => {
            let code = |answer: &Value| {
                answer
                    .get("err")
                    .and_then(|error| error.get("code").cloned())
            };
            let is_failure = |answer: &Value| answer.get("err").is_some();
            let is_bad = |answer: &Value| answer.get("bad_request").is_some();
            match (is_failure(model), is_failure(host)) {
                (true, true) => match (code(model), code(host)) {
                    (Some(model), Some(host)) => model == host,
                    _ => model.pointer("/err/message") == host.pointer("/err/message"),
                },
                (false, false) => is_bad(model) && is_bad(host),
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_same_value(model: &Value, host: &Value) -> bool {
    match (model, host) {
        (Value::Object(one), Value::Object(other)) => {
            let both = one
                .iter()
                .filter_map(|(name, value)| Some((value, other.get(name)?)));
            let mut both = both;
            let alone = one
                .iter()
                .chain(other)
                .filter(|(name, _)| one.contains_key(*name) != other.contains_key(*name));
            // How many lines an import applied is not told by reg.exe.
            let mut alone = alone.filter(|(name, value)| !value.is_null() && *name != "applied");
            both.all(|(one, other)| is_same_value(one, other)) && alone.next().is_none()
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other);
            one.len() == other.len()
                && pairs
                    .into_iter()
                    .all(|(one, other)| is_same_value(one, other))
        }
        _ => model == host,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wine() -> Identity {
        Identity {
            host: "wine".into(),
            version: "8.0".into(),
        }
    }

    #[test]
    fn what_follows_from_a_difference_is_no_second_one() {
        let mut all = Comparison::with(&wine(), &[]);
        let mut compare = |request: &Value, model: &Value, host: &Value| {
            all.compare(request, model, host, Tolerance::NONE).0
        };
        let (set, get) = (json!({"op": "reg.set"}), json!({"op": "reg.get"}));
        let (ok, failed) = (json!({"ok": {}}), json!({"err": {"code": 5}}));
        assert_eq!(compare(&get, &ok, &failed), Outcome::Differs);
        assert_eq!(compare(&set, &ok, &failed), Outcome::Differs);
        assert_eq!(compare(&get, &ok, &failed), Outcome::AfterDifference);
        let mut all = Comparison::with(&wine(), &[]);
        let mut compare = |request: &Value, model: &Value, host: &Value| {
            all.compare(request, model, host, Tolerance::NONE).0
        };
        assert_eq!(compare(&get, &ok, &ok), Outcome::Same);
        assert_eq!(
            compare(&get, &failed, &json!({"err": {"code": 2}})),
            Outcome::Differs
        );
    }

    #[test]
    fn fields_that_one_side_leaves_out_count_unless_null() {
        let same = |one: &str, other: &str| {
            let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
            is_same(&json(one), &json(other))
        };
        assert!(same(r#"{"ok":{"found":null}}"#, r#"{"ok":{}}"#));
        assert!(same(r#"{"ok":{"applied":2}}"#, r#"{"ok":{}}"#));
        assert!(!same(r#"{"ok":{"full":"C:\\"}}"#, r#"{"ok":{}}"#));
        assert!(same(
            r#"{"err":{"code":5,"name":"x"}}"#,
            r#"{"err":{"code":5}}"#
        ));
        assert!(!same(r#"{"err":{"code":5}}"#, r#"{"crashed":"x"}"#));
        assert!(!same(
            r#"{"ok":{"names":["a"]}}"#,
            r#"{"ok":{"names":["a","b"]}}"#
        ));
    }
}
