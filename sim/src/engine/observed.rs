//! Records that were seen elsewhere: on a real machine, or in another program's file.

use super::hash::TraceHasher;
use super::trace::{KindSpec, Value, fill};

/// A record of a known kind, with whatever of its fields is known. Patterns match it as they match a typed
/// record of that kind; a field that is not known matches nothing.
///
/// Its fields can have values that no model has, such as an IPv6 address.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Observed {
    kind: &'static str,
    words: &'static str,
    /// In the order in which they were given.
    fields: Vec<(&'static str, Value)>,
}

impl Observed {
    /// It adds no kinds of its own.
    pub const KINDS: &'static [KindSpec] = &[];

    /// A record of the kind `spec` of which nothing is known yet.
    pub fn new(spec: &KindSpec) -> Observed {
        Observed {
            kind: spec.kind,
            words: spec.words,
            fields: Vec::new(),
        }
    }

    /// Adds a field, if its value is known.
    pub fn know(&mut self, name: &'static str, value: Option<Value>) {
        self.fields.extend(value.map(|value| (name, value)));
    }

    /// The same, with a field.
    pub fn with(mut self, name: &'static str, value: Value) -> Observed {
        self.know(name, Some(value));
        self
    }

    /// The name of its kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The value of a field, if it is known.
    pub fn field(&self, name: &str) -> Option<Value> {
        let mut fields = self.fields.iter();
        let found = fields.find(|(known, _)| *known == name);
        found.map(|(_, value)| value.clone())
    }

    /// Calls `each` for all fields that are known.
    pub fn fields(&self, each: &mut dyn FnMut(&'static str, Value)) {
        for (name, value) in &self.fields {
            each(name, value.clone());
        }
    }

    /// Feeds it to a trace's hash.
    pub fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.text(self.kind);
        for (name, value) in &self.fields {
            hasher.text(name);
            hasher.text(&value.to_string());
        }
    }

    /// What it says, as the rest of a sentence that begins with the actor.
    pub fn words(&self) -> String {
        let unknown = || Some(Value::Text("?".into()));
        fill(self.words, |name| self.field(name).or_else(unknown))
    }
}
