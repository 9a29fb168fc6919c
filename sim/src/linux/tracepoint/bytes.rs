//! The model's records as the bytes that a kernel writes into its trace buffer, and back.
//!
//! A record is taken apart to numbers; where each of them goes is worked out once for a [`Format`], from the names of
//! its fields.

use std::fmt;

use super::format::{FieldLayout, Format};
use super::place::{Part, parts_of};
use super::{Context, Record};

/// The fields of a kernel's record that a [`Context`] says: [`Context::numbers`] has this order.
const CONTEXT: [&str; 5] = [
    "common_type",
    "common_flags",
    "common_preempt_count",
    "common_pid",
    "skbaddr",
];

/// How many numbers a record and its context have at most.
const NUMBERS: usize = {
    let (mut most, mut kind) = (0, 0);
    while kind < Record::KINDS.len() {
        let fields = Record::KINDS[kind].fields.len();
        most = if fields > most { fields } else { most };
        kind += 1;
    }
    CONTEXT.len() + most
};

impl Context {
    fn numbers(&self, id: u16) -> [i64; CONTEXT.len()] {
        [
            id.into(),
            self.flags.into(),
            self.preempt_count.into(),
            self.pid.into(),
            self.skbaddr.cast_signed(),
        ]
    }

    /// The lower bytes of each number; 0 for what the kernel's record lacks.
    fn from_numbers(numbers: &[Option<i64>]) -> Context {
        let number = |index: usize| numbers[index].unwrap_or(0);
        Context {
            flags: number(1) as u8,
            preempt_count: number(2) as u8,
            pid: number(3) as i32,
            skbaddr: number(4) as u64,
        }
    }
}

/// Where a number of a record or of its context stands in the kernel's bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// Which number: those of the context come first.
    number: usize,
    offset: usize,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// The lower bytes in the host's order.
    Number { size: usize, is_signed: bool },
    /// 2 bytes in the order of the network.
    Port,
    /// 4 bytes in the order of the network.
    Ip4,
    /// 16 bytes, an IPv4 address as [`Ipv4::v6_mapped`](super::Ipv4::v6_mapped) has it.
    MappedIp4,
}

impl Place {
    /// Where the numbers of the tracepoint `kind` stand; nowhere if the model has no such records.
    pub(super) fn all(kind: &str, fields: &[FieldLayout]) -> Vec<Place> {
        let Some(own) = Record::tracepoint_fields(kind) else {
            return Vec::new();
        };
        let names = CONTEXT.iter().chain(own).enumerate();
        let places = names.flat_map(|(number, name)| {
            parts_of(name, fields).map(move |(index, part)| Place::of(number, part, &fields[index]))
        });
        places.collect()
    }

    fn of(number: usize, part: Part, field: &FieldLayout) -> Place {
        let (within, form) = match part {
            Part::Number => {
                let (size, is_signed) = (field.size, field.is_signed);
                (0, Form::Number { size, is_signed })
            }
            Part::Ip4 => (0, Form::Ip4),
            Part::Ip6 => (0, Form::MappedIp4),
            Part::SockaddrFamily => {
                let (size, is_signed) = (2, false);
                (0, Form::Number { size, is_signed })
            }
            Part::SockaddrPort => (2, Form::Port),
            // The v4 address: no other is modelled.
            Part::SockaddrIp => (4, Form::Ip4),
        };
        Place {
            number,
            offset: field.offset + within,
            form,
        }
    }

    #[inline]
    fn put(&self, number: i64, record: &mut [u8]) {
        let into = &mut record[self.offset..];
        let (le, be) = (number.to_le_bytes(), number.to_be_bytes());
        match self.form {
            // Each length by itself: copying one that is known is a move.
            Form::Number { size: 1, .. } => into[..1].copy_from_slice(&le[..1]),
            Form::Number { size: 2, .. } => into[..2].copy_from_slice(&le[..2]),
            Form::Number { size: 4, .. } => into[..4].copy_from_slice(&le[..4]),
            Form::Number { .. } => into[..8].copy_from_slice(&le),
            Form::Port => into[..2].copy_from_slice(&be[6..]),
            Form::Ip4 => into[..4].copy_from_slice(&be[4..]),
            Form::MappedIp4 => {
                into[..10].fill(0);
                into[10..12].fill(0xff);
                into[12..16].copy_from_slice(&be[4..]);
            }
        }
    }

    #[inline]
    fn take(&self, record: &[u8]) -> i64 {
        fn of<const N: usize>(from: &[u8]) -> [u8; N] {
            let mut array = [0; N];
            array.copy_from_slice(&from[..N]);
            array
        }
        let from = &record[self.offset..];
        match self.form {
            Form::Number { size, is_signed } => match (size, is_signed) {
                (1, false) => from[0].into(),
                (1, true) => i8::from_le_bytes(of(from)).into(),
                (2, false) => u16::from_le_bytes(of(from)).into(),
                (2, true) => i16::from_le_bytes(of(from)).into(),
                (4, false) => u32::from_le_bytes(of(from)).into(),
                (4, true) => i32::from_le_bytes(of(from)).into(),
                _ => i64::from_le_bytes(of(from)),
            },
            Form::Port => u16::from_be_bytes(of(from)).into(),
            Form::Ip4 => u32::from_be_bytes(of(from)).into(),
            Form::MappedIp4 => u32::from_be_bytes(of(&from[12..])).into(),
        }
    }
}

/// Why bytes are no record of a tracepoint, or none that the model has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReadError {
    /// There are too few bytes.
    Short {
        /// How many the record has.
        needed: usize,
        /// How many there are.
        got: usize,
    },
    /// The record is another tracepoint's.
    OtherType(u16),
    /// The model's records have no such tracepoint, or no such value of this field: an IPv6 socket, a
    /// state or a reason that the kernel has and the model lacks.
    NotModelled(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Short { needed, got } => {
                write!(f, "the record has {needed} bytes, and {got} are there")
            }
            ReadError::OtherType(id) => write!(f, "the record is of type {id}"),
            ReadError::NotModelled(what) => write!(f, "{what} is not modelled"),
        }
    }
}

impl std::error::Error for ReadError {}

impl Format {
    /// Writes the record that this kernel has for `record` to the beginning of `into`, and says how many
    /// bytes it has. None if `record` is another tracepoint's, or `into` is too small.
    pub fn write(&self, record: &Record, context: &Context, into: &mut [u8]) -> Option<usize> {
        let size = self.size();
        let into = into.get_mut(..size)?;
        if record.kind() != self.name() {
            return None;
        }
        let mut numbers = [0; NUMBERS];
        let (around, own) = numbers.split_at_mut(CONTEXT.len());
        around.copy_from_slice(&context.numbers(self.id()));
        record.write_numbers(own)?;
        into.fill(0);
        for place in self.places() {
            place.put(numbers[place.number], into);
        }
        Some(size)
    }

    /// Reads a record as the model's.
    ///
    /// # Errors
    /// There are too few bytes, it is another tracepoint's, or the model has no such record.
    pub fn read(&self, bytes: &[u8]) -> Result<(Record, Context), ReadError> {
        self.check(bytes)?;
        let mut numbers = [None; NUMBERS];
        for place in self.places() {
            // What stands in several fields is read from the first one.
            numbers[place.number].get_or_insert_with(|| place.take(bytes));
        }
        let (around, own) = numbers.split_at(CONTEXT.len());
        match Record::from_numbers(self.name(), own) {
            Some(Ok(record)) => Ok((record, Context::from_numbers(around))),
            Some(Err(lacks)) => Err(ReadError::NotModelled(format!(
                "{} {} of {}",
                lacks.field,
                lacks.number,
                self.name()
            ))),
            None => Err(ReadError::NotModelled(self.name().into())),
        }
    }

    /// Whether there are bytes enough, of this tracepoint.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), ReadError> {
        let needed = self.used().max(2);
        if bytes.len() < needed {
            return Err(ReadError::Short {
                needed,
                got: bytes.len(),
            });
        }
        match u16::from_le_bytes([bytes[0], bytes[1]]) {
            id if id == self.id() => Ok(()),
            other => Err(ReadError::OtherType(other)),
        }
    }
}
