//! The trace: the only output of a run. Typed records with virtual time; all else is a view of it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::ser::SerializeMap;

use super::entity::{Entity, Names};
use super::fault::Struck;
use super::hash::{TraceHash, TraceHasher};
use super::time::Time;

/// The value of a record's field.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Value {
    /// Any integer.
    Number(i128),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(Cow<'static, str>),
    /// A text that the record shares.
    Shared(Arc<str>),
}

impl Value {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Shared(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<i128> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Number(number) => write!(f, "{number}"),
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Text(text) => f.write_str(text),
            Value::Shared(text) => f.write_str(text),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Number(number) => match (u64::try_from(*number), i64::try_from(*number)) {
                (Ok(number), _) => serializer.serialize_u64(number),
                (_, Ok(number)) => serializer.serialize_i64(number),
                _ => serializer.collect_str(number),
            },
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Shared(text) => serializer.serialize_str(text),
        }
    }
}

/// A type that a record's field can have: how it is shown, and how it is hashed (canonically, so that
/// the hash is the same on every platform).
pub trait Field {
    /// Its kind, for the documentation and for errors: `number`, `text`, `flag`, or what it may be.
    const KIND: &'static str;
    /// The value as patterns and JSON see it.
    fn value(&self) -> Value;
    /// Feeds it to the trace's hash.
    fn absorb(&self, hasher: &mut TraceHasher);
}

macro_rules! number_fields {
    ($($ty:ty),*) => {$(
        impl Field for $ty {
            const KIND: &'static str = "number";
            fn value(&self) -> Value {
                Value::Number((*self).into())
            }
            #[inline]
            fn absorb(&self, hasher: &mut TraceHasher) {
                hasher.u64(*self as u64);
            }
        }
    )*};
}
number_fields!(u8, u16, u32, u64, i32, i64);

impl Field for bool {
    const KIND: &'static str = "flag";
    fn value(&self) -> Value {
        Value::Flag(*self)
    }
    #[inline]
    fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.u64((*self).into());
    }
}

impl Field for Arc<str> {
    const KIND: &'static str = "text";
    fn value(&self) -> Value {
        Value::Shared(self.clone())
    }
    #[inline]
    fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.text(self);
    }
}

impl Field for &'static str {
    const KIND: &'static str = "text";
    fn value(&self) -> Value {
        Value::Text(Cow::Borrowed(self))
    }
    #[inline]
    fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.text(self);
    }
}

/// One kind of record, as the documentation and the pattern checker know it.
#[derive(Clone, Copy, Debug)]
pub struct KindSpec {
    /// Its name in patterns and JSON: the tracepoint's, the system call's.
    pub kind: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// The sentence that tells one, with its fields in braces.
    pub words: &'static str,
    /// Its fields: name, kind of value, meaning.
    pub fields: &'static [(&'static str, &'static str, &'static str)],
}

/// A typed record. Enumerations of records are declared with [`records!`](crate::records).
pub trait Record: Clone + fmt::Debug + From<Struck> {
    /// The name of its kind.
    fn kind(&self) -> &'static str;
    /// The value of a field of its kind.
    fn field(&self, name: &str) -> Option<Value>;
    /// Calls `each` for all its fields, in the order of their declaration.
    fn fields(&self, each: &mut dyn FnMut(&'static str, Value));
    /// Feeds it to the trace's hash.
    fn absorb(&self, hasher: &mut TraceHasher);
    /// What it says, as the rest of a sentence that begins with the actor.
    fn words(&self) -> String;
}

/// Declares an enumeration of records: for each the kind's name, a sentence, and typed fields. A field after
/// `also` is not stored but computed, as an `Option`, and so is no part of the trace's hash.
///
/// ```
/// faultlab_sim::records! {
///     /// What a door does.
///     pub enum Door {
///         /// It opened.
///         Opens = "open", "opens by {degrees} degrees" {
///             /// How far.
///             degrees: u16,
///         },
///     }
/// }
/// let record = Door::Opens { degrees: 90 };
/// assert_eq!(record.words(), "opens by 90 degrees");
/// assert_eq!(Door::KINDS[0].fields[0].0, "degrees");
/// ```
#[macro_export]
macro_rules! records {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $(
                $(#[doc = $kind_doc:literal])*
                $variant:ident = $kind:literal, $words:literal {
                    $( $(#[doc = $field_doc:literal])* $field:ident : $ty:ty, )*
                } $( also $also:ident : $also_ty:ty = $also_of:path where $also_doc:literal )*,
            )*
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $(
                $(#[doc = $kind_doc])*
                $variant { $( $(#[doc = $field_doc])* $field: $ty, )* },
            )*
        }

        impl $name {
            /// All kinds, with their fields.
            pub const KINDS: &'static [$crate::engine::KindSpec] = &[
                $( $crate::engine::KindSpec {
                    kind: $kind,
                    doc: concat!($($kind_doc,)*),
                    words: $words,
                    fields: &[ $( (
                        stringify!($field),
                        <$ty as $crate::engine::Field>::KIND,
                        concat!($($field_doc,)*),
                    ), )* $( (
                        stringify!($also),
                        <$also_ty as $crate::engine::Field>::KIND,
                        $also_doc,
                    ), )* ],
                }, )*
            ];

            /// The name of its kind.
            pub fn kind(&self) -> &'static str {
                match self { $( $name::$variant { .. } => $kind, )* }
            }

            /// Calls `each` for all its fields, in the order of their declaration.
            #[allow(unused_variables, reason = "a record may have no fields")]
            pub fn fields(&self, each: &mut dyn FnMut(&'static str, $crate::engine::Value)) {
                match self {
                    $( $name::$variant { $( $field, )* } => {
                        $( each(stringify!($field), $crate::engine::Field::value($field)); )*
                        $( if let Some(value) = $also_of(self) {
                            each(stringify!($also), $crate::engine::Field::value(&value));
                        } )*
                    } )*
                }
            }

            /// The value of a field.
            #[allow(unused_variables, reason = "a record may have no fields")]
            pub fn field(&self, name: &str) -> Option<$crate::engine::Value> {
                match self {
                    $( $name::$variant { $( $field, )* } => match name {
                        $( stringify!($field) => Some($crate::engine::Field::value($field)), )*
                        $( stringify!($also) => {
                            $also_of(self).map(|value| $crate::engine::Field::value(&value))
                        } )*
                        _ => None,
                    } )*
                }
            }

            /// Feeds it to the trace's hash.
            #[inline]
            pub fn absorb(&self, hasher: &mut $crate::engine::TraceHasher) {
                match self {
                    $( $name::$variant { $( $field, )* } => {
                        // A literal in each arm: its length is known, so that copying it is a move.
                        hasher.text($kind);
                        $( $crate::engine::Field::absorb($field, hasher); )*
                    } )*
                }
            }

            /// What it says, as the rest of a sentence that begins with the actor.
            pub fn words(&self) -> String {
                let template = match self { $( $name::$variant { .. } => $words, )* };
                $crate::engine::fill(template, |field| self.field(field))
            }
        }
    };
}

/// Fills the `{fields}` of a sentence.
pub fn fill(template: &str, field: impl Fn(&str) -> Option<Value>) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("a sentence closes its braces");
        text.push_str(before);
        let value = field(name).unwrap_or_else(|| panic!("no field {name} in {template:?}"));
        text.push_str(&value.to_string());
        rest = after;
    }
    text + rest
}

/// Sees every record of a run as it is written.
pub trait Observer<R> {
    /// A record was written.
    fn see(&mut self, at: Time, actor: Entity, record: &R, names: &Names);
}

/// Sees nothing.
impl<R> Observer<R> for () {
    fn see(&mut self, _: Time, _: Entity, _: &R, _: &Names) {}
}

impl<R, A: Observer<R>, B: Observer<R>> Observer<R> for (A, B) {
    fn see(&mut self, at: Time, actor: Entity, record: &R, names: &Names) {
        self.0.see(at, actor, record, names);
        self.1.see(at, actor, record, names);
    }
}

impl<R, O: Observer<R> + ?Sized> Observer<R> for &mut O {
    fn see(&mut self, at: Time, actor: Entity, record: &R, names: &Names) {
        (**self).see(at, actor, record, names);
    }
}

/// A record in its place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry<R> {
    /// When it was written.
    pub at: Time,
    /// Who did it.
    pub actor: Arc<str>,
    /// What.
    pub record: R,
}

impl<R: Record> Serialize for Entry<R> {
    /// One JSON object: `t_ns`, `actor`, `event` (the kind), then the fields.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("t_ns", &self.at)?;
        map.serialize_entry("actor", &*self.actor)?;
        map.serialize_entry("event", self.record.kind())?;
        let mut fields = Vec::new();
        self.record
            .fields(&mut |name, value| fields.push((name, value)));
        for (name, value) in fields {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

impl<R: Record> fmt::Display for Entry<R> {
    /// `1.004 s  client-3  receives a reset`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {} {}", self.at, self.actor, self.record.words())
    }
}

/// The trace of a run: its hash always, its records if they are kept.
#[derive(Clone, Debug)]
pub struct Trace<R> {
    hasher: TraceHasher,
    len: u64,
    kept: Option<Vec<Entry<R>>>,
}

impl<R: Record> Trace<R> {
    /// An empty trace that keeps its records.
    pub fn kept() -> Trace<R> {
        Trace {
            hasher: TraceHasher::new(),
            len: 0,
            kept: Some(Vec::new()),
        }
    }

    /// An empty trace that only hashes.
    pub fn hashed() -> Trace<R> {
        Trace {
            hasher: TraceHasher::new(),
            len: 0,
            kept: None,
        }
    }

    /// The hash of all records so far.
    pub fn hash(&self) -> TraceHash {
        self.hasher.finish()
    }

    /// How many records were written.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none was written.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The records, if they were kept, to own.
    pub fn into_entries(self) -> Vec<Entry<R>> {
        self.kept.unwrap_or_default()
    }

    /// The records, if they were kept.
    pub fn entries(&self) -> &[Entry<R>] {
        self.kept.as_deref().unwrap_or_default()
    }
}

impl<R: Record> Observer<R> for Trace<R> {
    #[inline]
    fn see(&mut self, at: Time, actor: Entity, record: &R, names: &Names) {
        self.hasher.u64(at.0);
        self.hasher.u64(actor.0);
        record.absorb(&mut self.hasher);
        self.len += 1;
        if let Some(kept) = &mut self.kept {
            kept.push(Entry {
                at,
                actor: names.path(actor).clone(),
                record: record.clone(),
            });
        }
    }
}
