//! Requests: one JSON object, its fields asked for by name and kind.

use std::fmt;

use faultlab_sim::win7::registry::{Bits, Win32};
use serde_json::{Map, Value};

use super::answer::Refusal;

/// Why a line is no request, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bad {
    /// The column in bytes, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl Bad {
    /// At this column.
    pub fn new(column: usize, reason: impl Into<String>) -> Bad {
        Bad {
            column,
            reason: reason.into(),
        }
    }
}

impl From<Bad> for Refusal {
    fn from(bad: Bad) -> Refusal {
        Refusal::Bad(bad)
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.reason)
    }
}

/// A request.
pub struct Request<'a> {
    line: &'a [u8],
    fields: Map<String, Value>,
}

impl<'a> Request<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// If it is no JSON object with an operation.
    pub fn read(line: &'a [u8]) -> Result<Request<'a>, Bad> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let fields = match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err(Bad::new(1, "a request is a JSON object")),
            Err(error) => {
                // The place is given as a column, and the message repeats it.
                let message = error.to_string();
                let reason = message.split(" at line ").next().unwrap_or(&message);
                return Err(Bad::new(error.column().max(1), reason));
            }
        };
        let request = Request { line, fields };
        request.text("op")?;
        Ok(request)
    }

    /// The id, to give back.
    pub fn id(&self) -> &Value {
        self.fields.get("id").unwrap_or(&Value::Null)
    }

    /// The operation.
    pub fn op(&self) -> &str {
        self.fields
            .get("op")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Refuses fields that the operation does not know, beside those that every request may have.
    ///
    /// # Errors
    /// The first of them.
    pub fn knows(&self, known: &[&str]) -> Result<(), Bad> {
        let common = ["id", "op", "as", "bits"];
        let known = |name: &str| common.contains(&name) || known.contains(&name);
        match self.fields.keys().find(|name| !known(name)) {
            None => Ok(()),
            Some(name) => Err(self.bad(name, format!("{} takes no field {name:?}", self.op()))),
        }
    }

    /// Something is wrong with a field.
    pub fn bad(&self, field: &str, reason: impl Into<String>) -> Bad {
        let quoted = format!("{field:?}");
        let at = self
            .line
            .windows(quoted.len())
            .position(|window| window == quoted.as_bytes());
        Bad::new(at.unwrap_or(self.line.len()) + 1, reason)
    }

    /// Whether a field is there, and not null.
    pub fn has(&self, field: &str) -> bool {
        self.get(field).is_some()
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn need<T>(&self, field: &str, value: Option<T>, kind: &str) -> Result<T, Bad> {
        value.ok_or_else(|| match self.get(field) {
            None => self.bad("op", format!("{} needs {field:?}, {kind}", self.op())),
            Some(_) => self.bad(field, format!("{field:?} is {kind}")),
        })
    }

    fn maybe<T>(
        &self,
        field: &str,
        kind: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Bad> {
        match self.get(field) {
            None => Ok(None),
            Some(value) => self.need(field, read(value), kind).map(Some),
        }
    }

    /// A text.
    ///
    /// # Errors
    /// If it lacks, or is something else.
    pub fn text(&self, field: &str) -> Result<&str, Bad> {
        self.need(field, self.get(field).and_then(Value::as_str), "a text")
    }

    /// A text that may lack.
    ///
    /// # Errors
    /// If it is something else.
    pub fn maybe_text(&self, field: &str) -> Result<Option<&str>, Bad> {
        match self.get(field) {
            None => Ok(None),
            Some(_) => self.text(field).map(Some),
        }
    }

    /// A number of 32 bits.
    ///
    /// # Errors
    /// If it lacks, or is something else.
    pub fn number(&self, field: &str) -> Result<u32, Bad> {
        let number = self.get(field).and_then(Value::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        self.need(field, number, "a whole number of 32 bits")
    }

    /// Any value, if it does not lack.
    pub fn maybe_value(&self, field: &str) -> Option<&Value> {
        self.get(field)
    }

    /// A whole number of at most `most` that may lack.
    ///
    /// # Errors
    /// If it is something else.
    pub fn maybe_number(&self, field: &str, most: u64) -> Result<Option<u64>, Bad> {
        let kind = format!("a whole number of at most {most}");
        self.maybe(field, &kind, |value| {
            value.as_u64().filter(|number| *number <= most)
        })
    }

    /// A number, or a list of numbers, of 32 bits.
    ///
    /// # Errors
    /// If it lacks, or is something else.
    pub fn numbers(&self, field: &str) -> Result<Vec<u32>, Bad> {
        let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
        let numbers = self.get(field).and_then(|value| match value {
            Value::Array(list) => list.iter().map(number).collect(),
            value => Some(vec![number(value)?]),
        });
        self.need(field, numbers, "a number or a list of numbers, of 32 bits")
    }

    /// True or false, if it does not lack.
    ///
    /// # Errors
    /// If it is something else.
    pub fn maybe_flag(&self, field: &str) -> Result<Option<bool>, Bad> {
        self.maybe(field, "true or false", Value::as_bool)
    }

    /// True or false; false if it lacks.
    ///
    /// # Errors
    /// If it is something else.
    pub fn flag(&self, field: &str) -> Result<bool, Bad> {
        Ok(self.maybe_flag(field)?.unwrap_or(false))
    }

    /// A list of texts; empty if it lacks.
    ///
    /// # Errors
    /// If it is something else.
    pub fn texts(&self, field: &str) -> Result<Vec<&str>, Bad> {
        let texts = |value: &'_ Value| -> Option<usize> {
            let list = value.as_array()?;
            list.iter().all(Value::is_string).then_some(list.len())
        };
        self.maybe(field, "a list of texts", texts)?;
        let list = self.get(field).and_then(Value::as_array);
        Ok(list
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect())
    }

    /// The fields of an object, each read by `read`; none if it lacks. `kind` says what the object is.
    ///
    /// # Errors
    /// If it is something else.
    pub fn object<'b, T>(
        &'b self,
        field: &str,
        kind: &str,
        read: impl Fn(&'b Value) -> Option<T>,
    ) -> Result<Vec<(&'b str, T)>, Bad> {
        let Some(value) = self.get(field) else {
            return Ok(Vec::new());
        };
        let all = value.as_object().and_then(|fields| {
            let fields = fields.iter();
            fields
                .map(|(name, value)| Some((&**name, read(value)?)))
                .collect()
        });
        self.need(field, all, kind)
    }

    /// An object of texts; empty if it lacks.
    ///
    /// # Errors
    /// If it is something else.
    pub fn object_of_texts(&self, field: &str) -> Result<Vec<(&str, &str)>, Bad> {
        self.object(field, "an object of texts", Value::as_str)
    }

    /// Bytes in hexadecimal.
    ///
    /// # Errors
    /// If they lack, or are something else.
    pub fn hex(&self, field: &str) -> Result<Vec<u8>, Bad> {
        self.need(
            field,
            self.get(field).and_then(Value::as_str).and_then(bytes),
            "bytes in hexadecimal",
        )
    }

    /// A mask in hexadecimal, with or without `0x`, that may lack.
    ///
    /// # Errors
    /// If it is something else.
    pub fn maybe_mask(&self, field: &str) -> Result<Option<u32>, Bad> {
        self.maybe(field, "a mask in hexadecimal", |value| {
            let text = value.as_str()?;
            let digits = text
                .strip_prefix("0x")
                .or(text.strip_prefix("0X"))
                .unwrap_or(text);
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
        })
    }

    /// `bits` or `view`: 32 or 64.
    ///
    /// # Errors
    /// If it is something else.
    pub fn maybe_bits(&self, field: &str) -> Result<Option<Bits>, Bad> {
        self.maybe(field, "32 or 64", |value| match value.as_u64() {
            Some(32) => Some(Bits::Bits32),
            Some(64) => Some(Bits::Bits64),
            _ => None,
        })
    }
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

/// An error that the call itself gives.
pub(super) fn failed(code: u32, name: &'static str) -> Refusal {
    Refusal::Failed(Win32 { code, name })
}
