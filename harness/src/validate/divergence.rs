//! Known divergences: where a host is known to answer otherwise than the models, and why.

use serde::Deserialize;
use serde_json::Value;

use crate::host::session::Identity;

const TABLE: &str = include_str!("../../../vm/divergences.ron");

/// A row of the table. Texts are patterns, `*` stands for any run of characters.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Divergence {
    /// Its name.
    pub id: String,
    /// The host.
    pub host: String,
    /// The first version that diverges; without it, from the beginning.
    #[serde(default)]
    pub from: Option<String>,
    /// The first version that diverges no more; without it, none yet.
    #[serde(default)]
    pub before: Option<String>,
    /// The sets in which it must show itself when they are compared as a whole.
    pub sets: Vec<String>,
    /// The operation.
    pub op: String,
    /// What the request looks like, as compact JSON with its fields in alphabetical order.
    #[serde(default = "anything")]
    pub request: String,
    /// The request has a text longer than this, in UTF-16 units.
    #[serde(default)]
    pub longer: Option<usize>,
    /// The field in which alone the answers differ.
    #[serde(default)]
    pub only: Option<String>,
    /// What the models answer, as compact JSON.
    #[serde(default = "anything")]
    pub model: String,
    /// What the host answers, as compact JSON.
    #[serde(default = "anything")]
    pub answer: String,
    /// Why.
    pub reason: String,
}

fn anything() -> String {
    "*".into()
}

/// All rows.
pub fn table() -> Vec<Divergence> {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .from_str(TABLE)
        .unwrap_or_else(|error| panic!("vm/divergences.ron: {error}"))
}

impl Divergence {
    /// Whether it is about this host and version.
    pub fn is_about(&self, identity: &Identity) -> bool {
        let version = numbers(&identity.version);
        self.host == identity.host
            && self
                .from
                .as_ref()
                .is_none_or(|from| version >= numbers(from))
            && self
                .before
                .as_ref()
                .is_none_or(|before| version < numbers(before))
    }

    /// Whether it is about an operation.
    pub fn is_of(&self, op: &str) -> bool {
        matches(&self.op, op)
    }

    /// Whether it explains a difference.
    pub fn covers(&self, request: &Value, model: &Value, answer: &Value) -> bool {
        let op = request
            .get("op")
            .and_then(Value::as_str)
            .unwrap_or_default();
        self.is_of(op)
            && self.longer.is_none_or(|limit| longest(request) > limit)
            && self
                .only
                .as_ref()
                .is_none_or(|field| without(model, field) == without(answer, field))
            && matches(&self.request, &request.to_string())
            && matches(&self.model, &model.to_string())
            && matches(&self.answer, &answer.to_string())
    }
}

/// A success less one of its fields.
fn without(answer: &Value, field: &str) -> Value {
    let mut answer = answer.clone();
    if let Some(fields) = answer.get_mut("ok").and_then(Value::as_object_mut) {
        fields.remove(field);
    }
    answer
}

fn longest(request: &Value) -> usize {
    let fields = request
        .as_object()
        .into_iter()
        .flat_map(|fields| fields.values());
    // A path counts from its working directory.
    let cwd = request
        .get("cwd")
        .and_then(Value::as_str)
        .map_or(0, str::len);
    let texts = fields.filter_map(Value::as_str);
    texts
        .map(|text| text.encode_utf16().count())
        .max()
        .unwrap_or(0)
        + cwd
}

/// `8.0` as [8, 0]; what is no number counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    let parts = version.split(['.', '-']);
    parts.map(|part| part.parse().unwrap_or(0)).collect()
}

/// Whether a text is as a pattern says.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_holds_in_its_range_of_versions() {
        let row = |from: &str, before: &str| Divergence {
            id: "t".into(),
            host: "wine".into(),
            from: Some(from.into()),
            before: Some(before.into()),
            sets: Vec::new(),
            op: "*".into(),
            request: anything(),
            longer: None,
            only: None,
            model: anything(),
            answer: anything(),
            reason: String::new(),
        };
        let wine = |version: &str| Identity {
            host: "wine".into(),
            version: version.into(),
        };
        assert!(row("8.0", "10").is_about(&wine("8.0.1")));
        assert!(row("8.0", "10").is_about(&wine("9.22")));
        assert!(!row("8.0", "10").is_about(&wine("10.0")));
        assert!(!row("8.1", "10").is_about(&wine("8.0")));
    }

    #[test]
    fn patterns() {
        assert!(matches("*", "") && matches("a*c*", "abcd") && matches("ab", "ab"));
        assert!(!matches("a*c", "abcd") && !matches("ab", "abc") && !matches("*b*a*", "ab"));
    }

    #[test]
    fn every_row_has_a_name_of_its_own_and_a_reason() {
        let rows = table();
        for (at, row) in rows.iter().enumerate() {
            assert!(
                rows[..at].iter().all(|other| other.id != row.id),
                "{}",
                row.id
            );
            assert!(!row.reason.is_empty() && !row.sets.is_empty(), "{}", row.id);
        }
    }
}
