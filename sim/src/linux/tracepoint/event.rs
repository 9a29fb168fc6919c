//! An event with all that a kernel's record says of it, which is more than the model's [`Record`](super::Record) has: the
//! values of all fields, also of tracepoints and address families that are not modelled.

use std::net::{IpAddr, SocketAddr};

use super::address::{AF_INET6, ip4, ip6, sockaddr};
use super::bytes::ReadError;
use super::format::{FieldLayout, Format};
use super::place::{Part, parts_of};
use crate::engine::Value;

/// The value of a field of a binary record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Datum {
    /// A number in the host's order (little-endian).
    Number(i128),
    /// Bytes in the order of the network, such as an address.
    Bytes(Box<[u8]>),
}

impl Datum {
    /// The number, if it is one.
    pub fn as_number(&self) -> Option<i128> {
        match self {
            Datum::Number(number) => Some(*number),
            Datum::Bytes(_) => None,
        }
    }

    /// The bytes, if it is some.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Datum::Bytes(bytes) => Some(bytes),
            Datum::Number(_) => None,
        }
    }
}

/// An event of one tracepoint: the values of its record's fields, in the order of the format. A value can
/// lack if the event was read from text, which does not print them all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event<'f> {
    pub(super) format: &'f Format,
    pub(super) values: Vec<Option<Datum>>,
}

impl<'f> Event<'f> {
    /// Its tracepoint.
    pub fn format(&self) -> &'f Format {
        self.format
    }

    /// The value of a field; none if there is no such field, or nothing is known of it.
    pub fn get(&self, field: &str) -> Option<&Datum> {
        let index = self.format.fields().iter().position(|f| f.name == field)?;
        self.values[index].as_ref()
    }

    /// The value of a field that is a number.
    pub fn number(&self, field: &str) -> Option<i128> {
        self.get(field)?.as_number()
    }

    /// The value of a field that is bytes.
    pub fn bytes(&self, field: &str) -> Option<&[u8]> {
        self.get(field)?.as_bytes()
    }

    /// What it says of a field of the model's records, as patterns and JSON see it: a number with a name by that,
    /// an address of either family as text. None if nothing is known of it.
    pub fn said(&self, field: &str) -> Option<Value> {
        parts_of(field, self.format.fields()).find_map(|(index, part)| {
            let text = |text: String| Value::Text(text.into());
            let address = |addr: IpAddr| text(addr.to_string());
            match (part, self.values[index].as_ref()?) {
                (Part::Number, Datum::Number(number)) => {
                    let named = self.format.print().name_of(index, *number);
                    Some(named.map_or(Value::Number(*number), Value::Shared))
                }
                (Part::SockaddrFamily, Datum::Bytes(bytes)) => {
                    Some(Value::Text(match sockaddr(bytes)? {
                        SocketAddr::V4(_) => "AF_INET".into(),
                        SocketAddr::V6(_) => "AF_INET6".into(),
                    }))
                }
                (Part::SockaddrPort, Datum::Bytes(bytes)) => {
                    Some(Value::Number(sockaddr(bytes)?.port().into()))
                }
                (Part::SockaddrIp, Datum::Bytes(bytes)) => Some(address(sockaddr(bytes)?.ip())),
                // The address of the family is the one that is meant.
                (Part::Ip4, Datum::Bytes(bytes)) if !self.is_ipv6() => {
                    Some(address(ip4(bytes)?.into()))
                }
                // A socket of both families holds IPv4 addresses as v4-mapped ones.
                (Part::Ip6, Datum::Bytes(bytes)) if self.is_ipv6() => {
                    Some(address(ip6(bytes)?.to_canonical()))
                }
                _ => None,
            }
        })
    }

    /// Whether its addresses are IPv6. Older kernels than 6.1 print no family of some events, and so it does not say.
    fn is_ipv6(&self) -> bool {
        match self.number("family") {
            Some(family) => family == AF_INET6.into(),
            None => {
                let addr = self.bytes("saddr_v6").and_then(ip6);
                addr.is_some_and(|addr| addr.to_canonical().is_ipv6() && !addr.is_unspecified())
            }
        }
    }
}

impl FieldLayout {
    fn datum(&self, bytes: &[u8]) -> Datum {
        if self.is_bytes {
            return Datum::Bytes(bytes.into());
        }
        let mut wide = [0; 8];
        wide[..self.size].copy_from_slice(bytes);
        let number = u64::from_le_bytes(wide);
        let unused = 64 - 8 * self.size as u32;
        Datum::Number(match self.is_signed {
            true => (((number << unused) as i64) >> unused).into(),
            false => number.into(),
        })
    }
}

impl Format {
    /// Reads a record. Bytes after it, and those that no field has, are not looked at.
    ///
    /// # Errors
    /// There are too few bytes, or it is another tracepoint's.
    pub fn decode(&self, bytes: &[u8]) -> Result<Event<'_>, ReadError> {
        self.check(bytes)?;
        let value = |field: &FieldLayout| field.datum(&bytes[field.offset..][..field.size]);
        Ok(Event {
            format: self,
            values: self.fields().iter().map(value).map(Some).collect(),
        })
    }

    /// Appends the record of an event of this tracepoint. What the event does not know is 0.
    pub fn encode(&self, event: &Event<'_>, into: &mut Vec<u8>) {
        let start = into.len();
        into.resize(start + self.size(), 0);
        let record = &mut into[start..];
        for (field, value) in self.fields().iter().zip(&event.values) {
            let place = &mut record[field.offset..][..field.size];
            match value {
                Some(Datum::Bytes(bytes)) => {
                    let len = bytes.len().min(place.len());
                    place[..len].copy_from_slice(&bytes[..len]);
                }
                Some(Datum::Number(number)) => {
                    place.copy_from_slice(&number.to_le_bytes()[..field.size]);
                }
                None => {}
            }
        }
    }
}
