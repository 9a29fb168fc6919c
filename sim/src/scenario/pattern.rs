//! Typed patterns over a trace: what a claim says, and how to watch for it record by record.

mod words;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::engine::{
    End, Entity, Entry, KindSpec, Monitor, Names, Observer, Record as _, Time, Value,
    matches_pattern,
};

use super::stage::{LabRecord, Record};
use crate::linux::tracepoint;

/// A pattern over the trace of one run. It either is so in that run, or not.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Pattern {
    /// Some record matches.
    Eventually(Match),
    /// No record matches.
    Never(Match),
    /// The number of matching records is within bounds.
    Count {
        /// Which records.
        of: Match,
        /// At least so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least: Option<u64>,
        /// At most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
    /// Matching records come in this order, others between them or not.
    Sequence(Vec<Match>),
    /// Every record that matches `first` is followed by one that matches `then` in time.
    Within {
        /// What begins the time.
        first: Match,
        /// What ends it.
        then: Match,
        /// At most so many milliseconds later.
        ms: u64,
    },
    /// The largest number of matching records in any window of time is within bounds.
    Rate {
        /// Which records.
        of: Match,
        /// The window's length in milliseconds.
        per_ms: u64,
        /// At least so many in some window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least: Option<u64>,
        /// At most so many in every window.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
    /// There is a last matching record, and its fields are so.
    Last {
        /// Which records.
        of: Match,
        /// What holds of the last of them.
        is: BTreeMap<String, Cond>,
    },
    /// A field takes a number of different values over the matching records.
    Distinct {
        /// Which records.
        of: Match,
        /// Which field.
        field: String,
        /// Counted apart for each value of this field (or for each `actor`): the largest count counts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        per: Option<String>,
        /// At least so many values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        least: Option<u64>,
        /// At most so many values.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<u64>,
    },
    /// All that the matching records say in their `text` fields, put together, is so.
    Output {
        /// Which records.
        of: Match,
        /// What holds of the whole text.
        is: Cond,
    },
    /// All of these are so.
    All(Vec<Pattern>),
    /// Some of these is so.
    Any(Vec<Pattern>),
    /// This is not so.
    Not(Box<Pattern>),
}

/// Which records are meant.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// The kind of record.
    pub kind: String,
    /// The actor's path; `*` stands for any run of characters.
    #[serde(default = "any_actor", skip_serializing_if = "is_any_actor")]
    pub actor: String,
    /// What its fields hold.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<String, Cond>,
}

fn any_actor() -> String {
    "*".into()
}

fn is_any_actor(actor: &String) -> bool {
    actor == "*"
}

/// What a field holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Cond {
    /// This text, number or flag, as it is printed.
    Is(Literal),
    /// Anything but this.
    Not(Literal),
    /// A text that matches; `*` stands for any run of characters.
    Like(String),
    /// A text that has this in it.
    Contains(String),
    /// A text that does not have this in it.
    Lacks(String),
    /// One of these.
    OneOf(Vec<Literal>),
    /// A number of at least this.
    Least(i64),
    /// A number of at most this.
    Most(i64),
    /// The same as another field of the same record.
    Same(String),
    /// Not the same as another field of the same record.
    Differs(String),
}

/// A value as a scenario writes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// A flag.
    Flag(bool),
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl Literal {
    fn is(&self, value: &Value) -> bool {
        match self {
            Literal::Flag(flag) => *value == Value::Flag(*flag),
            Literal::Number(number) => *value == Value::Number((*number).into()),
            Literal::Text(text) => value.as_text() == Some(text),
        }
    }
}

impl Cond {
    fn holds(&self, value: &Value, other: impl Fn(&str) -> Option<Value>) -> bool {
        let text = || value.as_text().unwrap_or_default();
        match self {
            Cond::Is(literal) => literal.is(value),
            Cond::Not(literal) => !literal.is(value),
            Cond::Like(pattern) => matches_pattern(pattern, text()),
            Cond::Contains(part) => text().contains(part.as_str()),
            Cond::Lacks(part) => !text().contains(part.as_str()),
            Cond::OneOf(literals) => literals.iter().any(|literal| literal.is(value)),
            Cond::Least(bound) => value.as_number().is_some_and(|n| n >= (*bound).into()),
            Cond::Most(bound) => value.as_number().is_some_and(|n| n <= (*bound).into()),
            Cond::Same(field) => other(field).as_ref() == Some(value),
            Cond::Differs(field) => other(field).as_ref() != Some(value),
        }
    }

    /// The names of other fields that it speaks of.
    fn other_field(&self) -> Option<&str> {
        match self {
            Cond::Same(field) | Cond::Differs(field) => Some(field),
            _ => None,
        }
    }
}

impl Match {
    fn matches(&self, actor: &str, record: &Record) -> bool {
        record.kind() == self.kind
            && matches_pattern(&self.actor, actor)
            && holds_all(&self.conditions, record)
    }
}

fn holds_all(conditions: &BTreeMap<String, Cond>, record: &Record) -> bool {
    conditions.iter().all(|(field, cond)| {
        record
            .field(field)
            .is_some_and(|value| cond.holds(&value, |other| record.field(other)))
    })
}

fn in_bounds(count: u64, least: Option<u64>, most: Option<u64>) -> bool {
    least.is_none_or(|least| count >= least) && most.is_none_or(|most| count <= most)
}

/// A name in a pattern that the records do not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownName {
    /// What kind of name: `kind of record`, `field of exec`, or `TCP state`.
    pub what: String,
    /// The name.
    pub name: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl Pattern {
    /// Checks kinds, fields and names of values against what records there are.
    ///
    /// # Errors
    /// The first name that no record has.
    pub fn check(&self, kinds: &[KindSpec]) -> Result<(), UnknownName> {
        let field_of = |m: &Match, field: &str| check_field(kinds, &m.kind, field);
        let check_match = |m: &Match| -> Result<(), UnknownName> {
            if !kinds.iter().any(|spec| spec.kind == m.kind) {
                return Err(UnknownName {
                    what: "kind of record".into(),
                    name: m.kind.clone(),
                    known: kinds.iter().map(|spec| spec.kind).collect(),
                });
            }
            check_conditions(kinds, &m.kind, &m.conditions)
        };
        match self {
            Pattern::Eventually(of)
            | Pattern::Never(of)
            | Pattern::Count { of, .. }
            | Pattern::Rate { of, .. } => check_match(of),
            Pattern::Output { of, .. } => check_match(of).and_then(|()| field_of(of, "text")),
            Pattern::Sequence(all) => all.iter().try_for_each(check_match),
            Pattern::Within { first, then, .. } => {
                check_match(first).and_then(|()| check_match(then))
            }
            Pattern::Last { of, is } => {
                check_match(of).and_then(|()| check_conditions(kinds, &of.kind, is))
            }
            Pattern::Distinct { of, field, per, .. } => {
                check_match(of)?;
                field_of(of, field)?;
                match per.as_deref() {
                    None | Some("actor") => Ok(()),
                    Some(per) => field_of(of, per),
                }
            }
            Pattern::All(all) | Pattern::Any(all) => all.iter().try_for_each(|p| p.check(kinds)),
            Pattern::Not(pattern) => pattern.check(kinds),
        }
    }

    /// Whether it can be so only because something does not happen.
    pub fn is_absence(&self) -> bool {
        match self {
            Pattern::Never(_) => true,
            Pattern::Count { least, .. }
            | Pattern::Rate { least, .. }
            | Pattern::Distinct { least, .. } => least.is_none_or(|least| least == 0),
            Pattern::Not(pattern) => !pattern.is_absence(),
            Pattern::All(all) => all.iter().all(Pattern::is_absence),
            Pattern::Any(all) => all.iter().any(Pattern::is_absence),
            _ => false,
        }
    }

    /// Whether no further record can unmake it once it is so: what was seen of an incomplete stream is
    /// enough then.
    pub fn is_settled_when_so(&self) -> bool {
        match self {
            Pattern::Eventually(_) | Pattern::Sequence(_) => true,
            Pattern::Count { most, .. }
            | Pattern::Rate { most, .. }
            | Pattern::Distinct { most, .. } => most.is_none(),
            Pattern::All(all) | Pattern::Any(all) => all.iter().all(Pattern::is_settled_when_so),
            Pattern::Not(pattern) => pattern.is_settled_when_not_so(),
            Pattern::Never(_)
            | Pattern::Within { .. }
            | Pattern::Last { .. }
            | Pattern::Output { .. } => false,
        }
    }

    /// Whether no further record can make it so once it is not.
    pub fn is_settled_when_not_so(&self) -> bool {
        match self {
            Pattern::Never(_) => true,
            Pattern::Count { least, .. }
            | Pattern::Rate { least, .. }
            | Pattern::Distinct { least, .. } => least.is_none(),
            Pattern::All(all) | Pattern::Any(all) => {
                all.iter().all(Pattern::is_settled_when_not_so)
            }
            Pattern::Not(pattern) => pattern.is_settled_when_so(),
            Pattern::Eventually(_)
            | Pattern::Sequence(_)
            | Pattern::Within { .. }
            | Pattern::Last { .. }
            | Pattern::Output { .. } => false,
        }
    }

    /// The kinds and fields that it looks at, as pairs; the field is empty for the kind as such.
    pub fn looks_at(&self) -> BTreeSet<(&str, &str)> {
        let mut seen = BTreeSet::new();
        for of in self.matches_of() {
            seen.insert((of.kind.as_str(), ""));
            seen.extend(fields_of(&of.kind, &of.conditions));
        }
        self.extra_fields(&mut seen);
        seen
    }

    fn extra_fields<'p>(&'p self, seen: &mut BTreeSet<(&'p str, &'p str)>) {
        match self {
            Pattern::Last { of, is } => seen.extend(fields_of(&of.kind, is)),
            Pattern::Distinct { of, field, per, .. } => {
                let per = per.iter().map(String::as_str).filter(|per| *per != "actor");
                let fields = per.chain([field.as_str()]);
                seen.extend(fields.map(|field| (of.kind.as_str(), field)));
            }
            Pattern::Output { of, .. } => {
                seen.insert((&of.kind, "text"));
            }
            Pattern::All(all) | Pattern::Any(all) => {
                all.iter().for_each(|pattern| pattern.extra_fields(seen));
            }
            Pattern::Not(pattern) => pattern.extra_fields(seen),
            _ => {}
        }
    }

    /// Whether the order of records can matter to it.
    fn heeds_order(&self) -> bool {
        match self {
            Pattern::Eventually(_)
            | Pattern::Never(_)
            | Pattern::Count { .. }
            | Pattern::Rate { .. }
            | Pattern::Distinct { .. } => false,
            Pattern::Sequence(_)
            | Pattern::Within { .. }
            | Pattern::Last { .. }
            | Pattern::Output { .. } => true,
            Pattern::All(all) | Pattern::Any(all) => all.iter().any(Pattern::heeds_order),
            Pattern::Not(pattern) => pattern.heeds_order(),
        }
    }

    fn matches_of(&self) -> Vec<&Match> {
        match self {
            Pattern::Eventually(of)
            | Pattern::Never(of)
            | Pattern::Count { of, .. }
            | Pattern::Rate { of, .. }
            | Pattern::Last { of, .. }
            | Pattern::Distinct { of, .. }
            | Pattern::Output { of, .. } => vec![of],
            Pattern::Within { first, then, .. } => vec![first, then],
            Pattern::Sequence(all) => all.iter().collect(),
            Pattern::All(all) | Pattern::Any(all) => {
                all.iter().flat_map(Pattern::matches_of).collect()
            }
            Pattern::Not(pattern) => pattern.matches_of(),
        }
    }
}

fn fields_of<'p>(
    kind: &'p str,
    conditions: &'p BTreeMap<String, Cond>,
) -> impl Iterator<Item = (&'p str, &'p str)> {
    conditions.iter().flat_map(move |(field, cond)| {
        let fields = [Some(field.as_str()), cond.other_field()];
        fields.into_iter().flatten().map(move |field| (kind, field))
    })
}

fn check_field(kinds: &[KindSpec], kind: &str, field: &str) -> Result<(), UnknownName> {
    let fields = kinds
        .iter()
        .filter(|spec| spec.kind == kind)
        .flat_map(|spec| spec.fields);
    let known: Vec<&str> = fields.map(|(name, _, _)| *name).collect();
    match known.contains(&field) {
        true => Ok(()),
        false => Err(UnknownName {
            what: format!("field of {kind}"),
            name: field.into(),
            known,
        }),
    }
}

fn check_conditions(
    kinds: &[KindSpec],
    kind: &str,
    conditions: &BTreeMap<String, Cond>,
) -> Result<(), UnknownName> {
    conditions.iter().try_for_each(|(field, cond)| {
        check_field(kinds, kind, field)?;
        cond.other_field()
            .map_or(Ok(()), |other| check_field(kinds, kind, other))?;
        check_values(kinds, kind, field, cond)
    })
}

/// Checks the values that a field is held against, where all that it can have are known.
fn check_values(
    kinds: &[KindSpec],
    kind: &str,
    field: &str,
    cond: &Cond,
) -> Result<(), UnknownName> {
    let specs = kinds.iter().filter(|spec| spec.kind == kind);
    let mut fields = specs.flat_map(|spec| spec.fields);
    let of_field = fields.find(|(name, ..)| *name == field);
    let Some((what, known)) = of_field.and_then(|(_, kind, _)| tracepoint::names_of(kind)) else {
        return Ok(());
    };
    let literals = match cond {
        Cond::Is(literal) | Cond::Not(literal) => std::slice::from_ref(literal),
        Cond::OneOf(literals) => literals,
        _ => &[],
    };
    let unknown = literals.iter().find_map(|literal| match literal {
        Literal::Text(text) if !known.contains(&text.as_str()) => Some(text.clone()),
        _ => None,
    });
    match unknown {
        None => Ok(()),
        Some(name) => Err(UnknownName {
            what: what.into(),
            name,
            known,
        }),
    }
}

/// What a watch remembers of the run so far.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum State {
    Seen(bool),
    Counted(u64),
    /// How many of a sequence were found.
    Reached(usize),
    /// When the oldest unanswered `first` was, and whether an answer came too late.
    Waiting {
        since: Option<Time>,
        late: bool,
    },
    Window {
        times: VecDeque<Time>,
        highest: u64,
    },
    Last(Option<bool>),
    Values(BTreeSet<(Value, Value)>),
    Text(String),
    Parts(Vec<State>),
}

impl State {
    fn start(pattern: &Pattern) -> State {
        match pattern {
            Pattern::Eventually(_) | Pattern::Never(_) => State::Seen(false),
            Pattern::Count { .. } => State::Counted(0),
            Pattern::Sequence(_) => State::Reached(0),
            Pattern::Within { .. } => State::Waiting {
                since: None,
                late: false,
            },
            Pattern::Rate { .. } => State::Window {
                times: VecDeque::new(),
                highest: 0,
            },
            Pattern::Last { .. } => State::Last(None),
            Pattern::Distinct { .. } => State::Values(BTreeSet::new()),
            Pattern::Output { .. } => State::Text(String::new()),
            Pattern::All(all) | Pattern::Any(all) => {
                State::Parts(all.iter().map(State::start).collect())
            }
            Pattern::Not(pattern) => State::Parts(vec![State::start(pattern)]),
        }
    }

    /// Sees one record; says whether it had a part in what is remembered.
    fn see(&mut self, pattern: &Pattern, at: Time, actor: &str, record: &Record) -> bool {
        match (pattern, self) {
            (Pattern::Eventually(of) | Pattern::Never(of), State::Seen(seen)) => {
                !*seen && of.matches(actor, record) && {
                    *seen = true;
                    true
                }
            }
            (Pattern::Count { of, .. }, State::Counted(count)) => {
                of.matches(actor, record) && {
                    *count += 1;
                    true
                }
            }
            (Pattern::Sequence(all), State::Reached(reached)) => {
                all.get(*reached)
                    .is_some_and(|of| of.matches(actor, record))
                    && {
                        *reached += 1;
                        true
                    }
            }
            (Pattern::Within { first, then, ms }, State::Waiting { since, late }) => {
                let answered = then.matches(actor, record);
                if answered && let Some(began) = since.take() {
                    *late |= (at - began).0 > ms.saturating_mul(1_000_000);
                }
                let begins = first.matches(actor, record);
                if begins && since.is_none() {
                    *since = Some(at);
                }
                answered || begins
            }
            (Pattern::Rate { of, per_ms, .. }, State::Window { times, highest }) => {
                of.matches(actor, record) && {
                    let window = per_ms.saturating_mul(1_000_000);
                    while times
                        .front()
                        .is_some_and(|oldest| (at - *oldest).0 >= window)
                    {
                        times.pop_front();
                    }
                    times.push_back(at);
                    *highest = (*highest).max(times.len() as u64);
                    true
                }
            }
            (Pattern::Last { of, is }, State::Last(last)) => {
                of.matches(actor, record) && {
                    *last = Some(holds_all(is, record));
                    true
                }
            }
            (Pattern::Distinct { of, field, per, .. }, State::Values(values)) => {
                of.matches(actor, record) && {
                    let per = match per.as_deref() {
                        None => Value::Flag(false),
                        Some("actor") => Value::Shared(Arc::from(actor)),
                        Some(field) => record.field(field).unwrap_or(Value::Flag(false)),
                    };
                    let value = record.field(field).unwrap_or(Value::Flag(false));
                    values.insert((per, value))
                }
            }
            (Pattern::Output { of, .. }, State::Text(text)) => {
                of.matches(actor, record) && {
                    let more = record.field("text");
                    text.push_str(more.as_ref().and_then(Value::as_text).unwrap_or_default());
                    true
                }
            }
            (Pattern::All(all) | Pattern::Any(all), State::Parts(parts)) => {
                all.iter().zip(parts).fold(false, |seen, (p, state)| {
                    state.see(p, at, actor, record) || seen
                })
            }
            (Pattern::Not(pattern), State::Parts(parts)) => {
                parts[0].see(pattern, at, actor, record)
            }
            _ => unreachable!("a state belongs to its pattern"),
        }
    }

    fn finish(&self, pattern: &Pattern) -> bool {
        match (pattern, self) {
            (Pattern::Eventually(_), State::Seen(seen)) => *seen,
            (Pattern::Never(_), State::Seen(seen)) => !*seen,
            (Pattern::Count { least, most, .. }, State::Counted(count)) => {
                in_bounds(*count, *least, *most)
            }
            (Pattern::Sequence(all), State::Reached(reached)) => *reached == all.len(),
            (Pattern::Within { .. }, State::Waiting { since, late }) => since.is_none() && !late,
            (Pattern::Rate { least, most, .. }, State::Window { highest, .. }) => {
                in_bounds(*highest, *least, *most)
            }
            (Pattern::Last { .. }, State::Last(last)) => *last == Some(true),
            (Pattern::Distinct { least, most, .. }, State::Values(values)) => {
                let mut largest = 0;
                let mut count = 0;
                let mut current = None;
                for (per, _) in values {
                    count = if current == Some(per) { count + 1 } else { 1 };
                    current = Some(per);
                    largest = largest.max(count);
                }
                in_bounds(largest, *least, *most)
            }
            (Pattern::Output { is, .. }, State::Text(text)) => {
                is.holds(&Value::Text(Cow::Owned(text.clone())), |_| None)
            }
            (Pattern::All(all), State::Parts(parts)) => all
                .iter()
                .zip(parts)
                .all(|(pattern, state)| state.finish(pattern)),
            (Pattern::Any(all), State::Parts(parts)) => all
                .iter()
                .zip(parts)
                .any(|(pattern, state)| state.finish(pattern)),
            (Pattern::Not(pattern), State::Parts(parts)) => !parts[0].finish(pattern),
            _ => unreachable!("a state belongs to its pattern"),
        }
    }
}

/// Watches several patterns at once: pattern `i` is bit `i` of what it says at the end.
#[derive(Clone, Debug)]
pub struct Watch {
    patterns: Arc<[Pattern]>,
    states: Vec<State>,
    unsupported: bool,
}

impl Watch {
    /// Watches `patterns`, at most 63, from the beginning.
    pub fn new(patterns: Vec<Pattern>) -> Watch {
        assert!(patterns.len() < 64, "a watch has at most 63 patterns");
        let states = patterns.iter().map(State::start).collect();
        Watch {
            patterns: patterns.into(),
            states,
            unsupported: false,
        }
    }

    /// What is watched.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// Whether `bits`, said at the end of a run, say that the models met something unsupported: that is
    /// the bit after those of the patterns.
    pub fn met_unsupported(&self, bits: u64) -> bool {
        bits >> self.patterns.len() & 1 == 1
    }
}

impl std::hash::Hash for Watch {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.states.hash(hasher);
        self.unsupported.hash(hasher);
    }
}

impl Observer<Record> for Watch {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        self.unsupported |= matches!(record, Record::Lab(LabRecord::Unsupported { .. }));
        if self.states.is_empty() {
            return;
        }
        let actor = names.path(actor);
        for (state, pattern) in self.states.iter_mut().zip(&*self.patterns) {
            state.see(pattern, at, actor, record);
        }
    }
}

impl Monitor<Record> for Watch {
    fn finish(&self, _: Time, _: End) -> u64 {
        let so = self
            .states
            .iter()
            .zip(&*self.patterns)
            .map(|(state, p)| state.finish(p));
        so.chain([self.unsupported])
            .enumerate()
            .fold(0, |bits, (index, so)| bits | u64::from(so) << index)
    }

    fn watched(&self) -> u32 {
        self.patterns.len() as u32 + 1
    }

    fn heeds_order_of(&self, record: &Record) -> bool {
        self.heeds_kind(record.kind())
    }

    fn heeds_kind(&self, kind: &str) -> bool {
        self.patterns.iter().any(|pattern| {
            pattern.heeds_order() && pattern.matches_of().iter().any(|m| m.kind == kind)
        })
    }
}

/// What a run shows of a pattern.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// Whether the pattern is so in that run.
    pub so: bool,
    /// The records that had a part in it, with their positions in the trace: the first ones and the
    /// last, at most [`Evidence::SHOWN`].
    pub records: Vec<(usize, Entry<Record>)>,
    /// How many records had a part in it.
    pub count: usize,
    /// What they come to, in words.
    pub words: String,
}

impl Evidence {
    /// How many records are named at most.
    pub const SHOWN: usize = 6;
}

/// Collects the evidence for a pattern while a run goes on, without keeping its trace.
#[derive(Clone, Debug)]
pub struct Collector {
    pattern: Pattern,
    state: State,
    /// How many records there were.
    seen: usize,
    count: usize,
    shown: Vec<(usize, Entry<Record>)>,
}

impl Collector {
    /// Collects for `pattern`, from the beginning of a run.
    pub fn new(pattern: Pattern) -> Collector {
        Collector {
            state: State::start(&pattern),
            pattern,
            seen: 0,
            count: 0,
            shown: Vec::new(),
        }
    }

    /// What was collected.
    pub fn evidence(self) -> Evidence {
        Evidence {
            so: self.state.finish(&self.pattern),
            words: self.state.words(&self.pattern),
            count: self.count,
            records: self.shown,
        }
    }
}

impl Observer<Record> for Collector {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        let position = self.seen;
        self.seen += 1;
        let actor = names.path(actor);
        if !self.state.see(&self.pattern, at, actor, record) {
            return;
        }
        self.count += 1;
        if self.shown.len() == Evidence::SHOWN {
            // The first ones and the last one.
            self.shown.pop();
        }
        let entry = Entry {
            at,
            actor: actor.clone(),
            record: record.clone(),
        };
        self.shown.push((position, entry));
    }
}

impl Observer<Record> for Vec<Collector> {
    fn see(&mut self, at: Time, actor: Entity, record: &Record, names: &Names) {
        for collector in self {
            collector.see(at, actor, record, names);
        }
    }
}
