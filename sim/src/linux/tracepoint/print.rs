//! The text of the tracepoints: a record printed as its `print fmt` says, and read back.
//!
//! Text does not hold all of a record: which fields are printed is the format's choice (6.1 prints no
//! `skaddr`), and pointers are hashed unless the kernel was told otherwise. So `parse(print(e))` is `e` less
//! the fields that are not printed: [`Event::printed`].

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::TcpState;
use super::address::{ip4, ip6, sockaddr, sockaddr_bytes, write_ip6};
use super::event::{Datum, Event};
use super::format::{FieldLayout, Format};

/// A `print fmt`: literal texts, and values between them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Print {
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(String),
    Value(Shown),
}

/// A value in a print fmt.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Shown {
    /// The word before it, by which it is found in a text: `sport=`.
    key: String,
    conversion: Conversion,
    /// The field's place in the format.
    field: usize,
    /// Names of values (`__print_symbolic`), for `%s`.
    symbols: Vec<(i128, Arc<str>)>,
    /// What stands for 0 (`REC->state ? .. : "UNKNOWN"`).
    zero: Option<Arc<str>>,
}

/// A conversion of the kernel's printf.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Conversion {
    /// `%s`, of a value with names.
    Symbol,
    /// `%d`, `%u`, `%hu`.
    Decimal,
    /// `%llx`.
    Hex,
    /// `%#x`.
    PrefixedHex,
    /// `%p`, `%pS`.
    Pointer,
    /// `%pI4`.
    Ip4,
    /// `%pI6c`.
    Ip6,
    /// `%pISpc`, of a sockaddr.
    Sockaddr,
}

impl Conversion {
    /// The longest conversion that `text` begins with, and its length.
    fn at(text: &str) -> Option<(Conversion, usize)> {
        const KNOWN: &[(&str, Conversion)] = &[
            ("%pISpc", Conversion::Sockaddr),
            ("%pI6c", Conversion::Ip6),
            ("%pI4", Conversion::Ip4),
            ("%llx", Conversion::Hex),
            ("%#x", Conversion::PrefixedHex),
            ("%pS", Conversion::Pointer),
            ("%hu", Conversion::Decimal),
            ("%p", Conversion::Pointer),
            ("%d", Conversion::Decimal),
            ("%u", Conversion::Decimal),
            ("%s", Conversion::Symbol),
        ];
        let mut known = KNOWN.iter();
        let found = known.find(|(spelling, _)| text.starts_with(spelling));
        found.map(|(spelling, conversion)| (*conversion, spelling.len()))
    }
}

impl Print {
    /// Reads what follows `print fmt:`. `field` finds a field's place by its name.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn parse(
        text: &str,
        field: impl Fn(&str) -> Option<usize>,
    ) -> Result<Print, String> {
        let text = text.trim().strip_prefix('"').ok_or("no text in quotes")?;
        let (format, arguments) = text.split_once('"').ok_or("the text does not end")?;
        let mut arguments = top_level(arguments, ',').into_iter();
        // What comes before the first comma is nothing.
        arguments.next();
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = format;
        while let Some(c) = rest.chars().next() {
            let Some((conversion, len)) = Conversion::at(rest) else {
                if c == '%' {
                    return Err(format!("an unknown conversion at {rest:?}"));
                }
                literal.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            };
            rest = &rest[len..];
            let argument = arguments.next().ok_or("fewer arguments than conversions")?;
            let (name, symbols, zero) = argument_of(argument)?;
            let field = field(name).ok_or_else(|| format!("no field {name}"))?;
            let key = literal.split_whitespace().next_back().unwrap_or_default();
            let shown = Shown {
                key: key.into(),
                conversion,
                field,
                symbols,
                zero,
            };
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            pieces.push(Piece::Value(shown));
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        match arguments.next() {
            Some(_) => Err("more arguments than conversions".into()),
            None => Ok(Print { pieces }),
        }
    }

    /// How a value of the format's field at `index` is printed, if by a name: in hexadecimal if it has none.
    pub(super) fn name_of(&self, index: usize, number: i128) -> Option<Arc<str>> {
        let mut shown = self.shown();
        let shown = shown.find(|shown| shown.field == index)?;
        let name = || match shown.symbol(number) {
            Some(name) => name.clone(),
            None => format!("{:#x}", number as u64).into(),
        };
        (shown.conversion == Conversion::Symbol).then(name)
    }

    fn shown(&self) -> impl Iterator<Item = &Shown> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value(shown) => Some(shown),
            Piece::Literal(_) => None,
        })
    }
}

/// `text` cut at each `mark` that stands in no parentheses, braces or quotes.
fn top_level(text: &str, mark: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut quoted, mut start) = (0_u32, false, 0);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '{' => depth += 1,
            ')' | '}' => depth = depth.saturating_sub(1),
            _ if c == mark && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

type Argument<'a> = (&'a str, Vec<(i128, Arc<str>)>, Option<Arc<str>>);

/// `REC->sport`, `__print_symbolic(REC->family, { 2, "AF_INET" })`, `REC->state ? (the like) : "UNKNOWN"`.
fn argument_of(text: &str) -> Result<Argument<'_>, String> {
    let text = text.trim();
    let no = || format!("an unknown argument {text:?}");
    if let [condition, rest] = *top_level(text, '?') {
        let [then, otherwise] = *top_level(rest, ':') else {
            return Err(no());
        };
        let tested = condition.trim().strip_prefix("REC->").ok_or_else(no)?;
        let (name, symbols, _) = argument_of(then)?;
        let zero = otherwise.trim().trim_matches('"');
        return match tested == name {
            true => Ok((name, symbols, Some(zero.into()))),
            false => Err(no()),
        };
    }
    if let Some(name) = text.strip_prefix("REC->") {
        return Ok((name, Vec::new(), None));
    }
    let inner = text.strip_prefix("__print_symbolic(");
    let inner = inner
        .and_then(|inner| inner.strip_suffix(')'))
        .ok_or_else(no)?;
    let mut parts = top_level(inner, ',').into_iter();
    let name = parts
        .next()
        .and_then(|part| part.trim().strip_prefix("REC->"));
    let symbols = parts.map(|part| {
        let pair = part.trim().strip_prefix('{')?.strip_suffix('}')?;
        let (number, name) = pair.split_once(',')?;
        let number = number.trim();
        // The states are an enum that the kernel leaves by name there.
        let state = || TcpState::from_name(number).map(|state| state.number().into());
        let number = number.parse().ok().or_else(state)?;
        Some((number, name.trim().trim_matches('"').into()))
    });
    let symbols: Option<Vec<_>> = symbols.collect();
    Ok((name.ok_or_else(no)?, symbols.ok_or_else(no)?, None))
}

/// Why a text is no event of a tracepoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextError {
    /// A word is not of the form `key=value`.
    NoPair(String),
    /// The format has no such key.
    UnknownKey(String),
    /// The value is none of its key's kind.
    BadValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TextError::NoPair(word) => write!(f, "{word:?} is not of the form key=value"),
            TextError::UnknownKey(key) => write!(f, "this tracepoint prints no {key:?}"),
            TextError::BadValue { key, value } => write!(f, "{key} cannot be {value:?}"),
        }
    }
}

impl std::error::Error for TextError {}

impl Event<'_> {
    /// The same, with only those fields known that the format prints.
    pub fn printed(&self) -> Self {
        let mut printed = self.clone();
        let shown: Vec<usize> = self.format.print().shown().map(|s| s.field).collect();
        for (field, value) in printed.values.iter_mut().enumerate() {
            if !shown.contains(&field) {
                *value = None;
            }
        }
        printed
    }
}

impl fmt::Display for Event<'_> {
    /// The event as the kernel prints it, without the name before it. Pointers are printed as they are. A
    /// value of which nothing is known is 0.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.format.print().pieces {
            match piece {
                Piece::Literal(text) => f.write_str(text)?,
                Piece::Value(shown) => shown.write(self.values[shown.field].as_ref(), f)?,
            }
        }
        Ok(())
    }
}

impl Format {
    /// Reads what the kernel, or `perf script`, prints for an event of this tracepoint. A field that the
    /// text lacks, as other kernels print more or fewer of them, is not known.
    ///
    /// # Errors
    /// A word that this tracepoint does not print.
    pub fn parse(&self, text: &str) -> Result<Event<'_>, TextError> {
        let mut values = vec![None; self.fields().len()];
        let mut words = text.split_whitespace();
        while let Some(word) = words.next() {
            // `reason: NO_SOCKET` of kfree_skb; all else is `key=value`.
            let (key, value) = match word.split_once('=') {
                Some((key, value)) => (&word[..=key.len()], value),
                None if word.ends_with(':') => (word, words.next().unwrap_or_default()),
                None => return Err(TextError::NoPair(word.into())),
            };
            let shown = self.print().shown().find(|shown| shown.key == key);
            let bare = key.trim_end_matches(['=', ':']);
            let shown = shown.ok_or_else(|| TextError::UnknownKey(bare.into()))?;
            let field = &self.fields()[shown.field];
            values[shown.field] = shown
                .read(value, field)
                .ok_or_else(|| TextError::BadValue {
                    key: bare.into(),
                    value: value.into(),
                })?;
        }
        Ok(Event {
            format: self,
            values,
        })
    }
}

impl Shown {
    fn symbol(&self, number: i128) -> Option<&Arc<str>> {
        if let (Some(zero), 0) = (&self.zero, number) {
            return Some(zero);
        }
        let mut symbols = self.symbols.iter();
        let found = symbols.find(|(known, _)| *known == number);
        found.map(|(_, name)| name)
    }

    fn write(&self, value: Option<&Datum>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeroes = [0; 28];
        let (number, bytes): (i128, &[u8]) = match value {
            Some(Datum::Number(number)) => (*number, &zeroes),
            Some(Datum::Bytes(bytes)) => (0, bytes),
            None => (0, &zeroes),
        };
        match self.conversion {
            Conversion::Symbol => match self.symbol(number) {
                Some(name) => f.write_str(name),
                None => write!(f, "{:#x}", number as u64),
            },
            Conversion::Decimal => write!(f, "{number}"),
            Conversion::Hex => write!(f, "{:x}", number as u64),
            // The kernel's %#x has no prefix for 0.
            Conversion::PrefixedHex if number == 0 => f.write_str("0"),
            Conversion::PrefixedHex => write!(f, "{:#x}", number as u64),
            Conversion::Pointer => write!(f, "{:016x}", number as u64),
            Conversion::Ip4 => match bytes.get(..4).and_then(ip4) {
                Some(addr) => write!(f, "{addr}"),
                None => f.write_str("(einval)"),
            },
            Conversion::Ip6 => match bytes.get(..16).and_then(ip6) {
                Some(addr) => write_ip6(addr, f),
                None => f.write_str("(einval)"),
            },
            Conversion::Sockaddr => match sockaddr(bytes) {
                Some(SocketAddr::V4(addr)) => write!(f, "{addr}"),
                Some(SocketAddr::V6(addr)) => {
                    f.write_str("[")?;
                    write_ip6(*addr.ip(), f)?;
                    write!(f, "]:{}", addr.port())
                }
                None => f.write_str("(einval)"),
            },
        }
    }

    /// What a text says of the field, which may be nothing (a pointer that is not shown); `None` if the
    /// text makes no sense.
    fn read(&self, text: &str, field: &FieldLayout) -> Option<Option<Datum>> {
        let hex = |text: &str| u64::from_str_radix(text, 16).ok().map(i128::from);
        let prefixed = |text: &str| text.strip_prefix("0x").and_then(hex);
        let number = match self.conversion {
            Conversion::Symbol => {
                let named = self.symbols.iter().find(|(_, name)| **name == *text);
                let zero = self.zero.as_deref() == Some(text);
                let named = named.map(|(number, _)| *number);
                // perf prints the number where it cannot resolve the kernel's enum.
                let any = named
                    .or_else(|| prefixed(text))
                    .or_else(|| text.parse().ok());
                if zero { 0 } else { any? }
            }
            Conversion::Decimal => text.parse().ok()?,
            Conversion::Hex => hex(text)?,
            Conversion::PrefixedHex => prefixed(text).or_else(|| text.parse().ok())?,
            Conversion::Pointer => match text {
                "(nil)" | "(null)" => 0,
                // Not shown to this reader, or a symbol.
                _ if text.contains("ptrval") || text.contains('+') => return Some(None),
                _ => prefixed(text).or_else(|| hex(text))?,
            },
            Conversion::Ip4 => {
                let addr: Ipv4Addr = text.parse().ok()?;
                return Some(Some(Datum::Bytes(addr.octets().into())));
            }
            Conversion::Ip6 => {
                let addr: Ipv6Addr = text.parse().ok()?;
                return Some(Some(Datum::Bytes(addr.octets().into())));
            }
            Conversion::Sockaddr if text == "(einval)" => return Some(None),
            Conversion::Sockaddr => {
                let bytes = sockaddr_bytes(text.parse().ok()?, field.size)?;
                return Some(Some(Datum::Bytes(bytes)));
            }
        };
        // Hexadecimal is printed of the number as 64 bits wide.
        let number = match field.is_signed && number > i64::MAX.into() {
            true => (number as u64 as i64).into(),
            false => number,
        };
        let bits = 8 * field.size.min(8) as u32;
        let fits = number < 1 << bits && number >= -(1 << (bits - 1));
        fits.then_some(Some(Datum::Number(number)))
    }
}
