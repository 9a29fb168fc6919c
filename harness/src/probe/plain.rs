//! Operations that need no machine: request in, answer out.

use serde_json::{Map, Value, json};

/// An answer, less its id.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// What `ok` holds.
    Ok(Value),
    /// What `err` holds: `code` and `name`, or `message`.
    Error(Value),
    /// What the model cannot do.
    Unsupported(String),
    /// Why the request makes no sense.
    BadRequest(String),
}

impl Answer {
    /// The failure of a call of Windows.
    pub fn failed(code: u32, name: &str) -> Answer {
        Answer::Error(json!({ "code": code, "name": name }))
    }

    /// The failure of a program that speaks.
    pub fn said(message: impl Into<String>) -> Answer {
        Answer::Error(json!({ "message": message.into() }))
    }

    /// The answer as it stands in a line, less its id.
    pub fn to_value(&self) -> Value {
        match self {
            Answer::Ok(value) => json!({ "ok": value }),
            Answer::Error(value) => json!({ "err": value }),
            Answer::Unsupported(what) => json!({ "unsupported": what }),
            Answer::BadRequest(why) => json!({ "bad_request": why }),
        }
    }
}

/// The fields of a request, asked for by name and kind. What is wrong is a bad request. A field that is
/// null is absent.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a Map<String, Value>);

/// A field, or the answer that says what is wrong with it.
pub(super) type Read<T> = Result<T, Answer>;

fn bad<T>(field: &str, wanted: &str) -> Read<T> {
    Err(Answer::BadRequest(format!("`{field}` must be {wanted}")))
}

impl<'a> Fields<'a> {
    fn get(self, field: &str) -> Option<&'a Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    pub(super) fn maybe_text(self, field: &str) -> Read<Option<&'a str>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => bad(field, "a text"),
        }
    }

    pub(super) fn text(self, field: &str) -> Read<&'a str> {
        self.maybe_text(field)?
            .map_or_else(|| bad(field, "a text"), Ok)
    }

    pub(super) fn number(self, field: &str) -> Read<u32> {
        let number = self.get(field).and_then(Value::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.map_or_else(|| bad(field, "a number"), Ok)
    }

    pub(super) fn flag(self, field: &str) -> Read<bool> {
        match self.get(field) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => bad(field, "true or false"),
        }
    }

    /// Bytes in hexadecimal.
    pub(super) fn hex(self, field: &str) -> Read<Vec<u8>> {
        let text = self.text(field)?.as_bytes();
        let (pairs, odd) = text.as_chunks::<2>();
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
        let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
        match bytes {
            Some(bytes) if odd.is_empty() => Ok(bytes),
            _ => bad(field, "bytes in hexadecimal"),
        }
    }

    /// A list of texts; empty if absent.
    pub(super) fn texts(self, field: &str) -> Read<Vec<&'a str>> {
        let Some(value) = self.get(field) else {
            return Ok(Vec::new());
        };
        let texts: Option<Vec<&str>> = value
            .as_array()
            .and_then(|list| list.iter().map(Value::as_str).collect());
        texts.map_or_else(|| bad(field, "a list of texts"), Ok)
    }

    /// An object; empty if absent.
    pub(super) fn object(self, field: &str) -> Read<Vec<(&'a str, &'a Value)>> {
        match self.get(field) {
            None => Ok(Vec::new()),
            Some(Value::Object(map)) => {
                Ok(map.iter().map(|(name, value)| (&**name, value)).collect())
            }
            Some(_) => bad(field, "an object"),
        }
    }

    /// An object of texts; empty if absent.
    pub(super) fn object_of_texts(self, field: &str) -> Read<Vec<(&'a str, &'a str)>> {
        let pairs = self.object(field)?.into_iter();
        let texts: Option<_> = pairs
            .map(|(name, value)| Some((name, value.as_str()?)))
            .collect();
        texts.map_or_else(|| bad(field, "an object of texts"), Ok)
    }
}

/// Bytes in lower-case hexadecimal.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
