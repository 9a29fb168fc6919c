//! The text of the tracepoints: a record printed as its `print fmt` says and read back, and the line that
//! `trace_pipe` and `perf script` put it in.
//!
//! Text does not hold all of a record: which fields are printed is the format's choice (6.1 prints no
//! `skaddr`), and pointers are hashed unless the kernel was told otherwise. So `parse(print(e))` is `e` less
//! the fields that are not printed: [`Event::printed`].

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::TcpState;
use super::layout::{Context, Datum, Event, FieldLayout, Format};

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
    symbols: Vec<(i128, String)>,
    /// What stands for 0 (`REC->state ? .. : "UNKNOWN"`).
    zero: Option<String>,
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

type Argument<'a> = (&'a str, Vec<(i128, String)>, Option<String>);

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
        Some((number, name.trim().trim_matches('"').to_owned()))
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
    fn write(&self, value: Option<&Datum>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zeroes = [0; 28];
        let (number, bytes): (i128, &[u8]) = match value {
            Some(Datum::Number(number)) => (*number, &zeroes),
            Some(Datum::Bytes(bytes)) => (0, bytes),
            None => (0, &zeroes),
        };
        match self.conversion {
            Conversion::Symbol => {
                if let (Some(zero), 0) = (&self.zero, number) {
                    return f.write_str(zero);
                }
                match self.symbols.iter().find(|(known, _)| *known == number) {
                    Some((_, name)) => f.write_str(name),
                    None => write!(f, "{:#x}", number as u64),
                }
            }
            Conversion::Decimal => write!(f, "{number}"),
            Conversion::Hex => write!(f, "{:x}", number as u64),
            // The kernel's %#x has no prefix for 0.
            Conversion::PrefixedHex if number == 0 => f.write_str("0"),
            Conversion::PrefixedHex => write!(f, "{:#x}", number as u64),
            Conversion::Pointer => write!(f, "{:016x}", number as u64),
            Conversion::Ip4 => ip4(bytes, f),
            Conversion::Ip6 => ip6(bytes, f),
            Conversion::Sockaddr => match sockaddr(bytes) {
                Some(SocketAddr::V4(addr)) => write!(f, "{addr}"),
                Some(SocketAddr::V6(addr)) => {
                    f.write_str("[")?;
                    ip6(&addr.ip().octets(), f)?;
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
                let named = self.symbols.iter().find(|(_, name)| name == text);
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
                let mut bytes = vec![0; field.size];
                let addr: SocketAddr = text.parse().ok()?;
                bytes
                    .get_mut(2..4)?
                    .copy_from_slice(&addr.port().to_be_bytes());
                match addr {
                    SocketAddr::V4(addr) => {
                        bytes[0] = AF_INET;
                        bytes.get_mut(4..8)?.copy_from_slice(&addr.ip().octets());
                    }
                    SocketAddr::V6(addr) => {
                        bytes[0] = AF_INET6;
                        bytes.get_mut(8..24)?.copy_from_slice(&addr.ip().octets());
                    }
                }
                return Some(Some(Datum::Bytes(bytes.into())));
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

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// The address in a `struct sockaddr_in` or `sockaddr_in6`; none if it is of another family.
pub fn sockaddr(bytes: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
    match bytes.get(..2)? {
        [AF_INET, 0] => {
            let addr: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
            Some((addr, port).into())
        }
        [AF_INET6, 0] => {
            let addr: [u8; 16] = bytes.get(8..24)?.try_into().ok()?;
            Some((addr, port).into())
        }
        _ => None,
    }
}

fn ip4(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let octets: [u8; 4] = bytes.first_chunk().copied().unwrap_or_default();
    write!(f, "{}", Ipv4Addr::from(octets))
}

/// `%pI6c`: as RFC 5952 has it, and the last 32 bits of a v4-mapped or ISATAP address as IPv4.
fn ip6(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let octets: [u8; 16] = bytes.first_chunk().copied().unwrap_or_default();
    // Standard formatting has the v4-mapped form, and not ISATAP (ipv6_addr_is_isatap in the kernel).
    let is_isatap = matches!(octets[8..12], [0 | 2, 0, 0x5e, 0xfe]);
    if !is_isatap {
        return write!(f, "{}", Ipv6Addr::from(octets));
    }
    // A colon-hex address whose last two groups are not 0, so that they are not part of the zeros.
    let mut filled = octets;
    filled[12..].fill(0x11);
    let text = Ipv6Addr::from(filled).to_string();
    let head = text.strip_suffix("1111:1111").unwrap_or(&text);
    f.write_str(head)?;
    ip4(&octets[12..], f)
}

/// Which tool printed a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Printer {
    /// The kernel's ftrace: `trace` or `trace_pipe`.
    Ftrace,
    /// `perf script`.
    PerfScript,
}

/// A line of `trace_pipe` or `perf script`, taken apart as far as the tracepoint's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line<'t> {
    /// Who printed it.
    pub printer: Printer,
    /// The name of the task that was running.
    pub comm: &'t str,
    /// Its pid, CPU-wide flags and depth of preemption; `perf script` has no flags.
    pub context: Context,
    /// On which CPU, if that is printed.
    pub cpu: Option<u32>,
    /// When, in ns since the trace clock's zero.
    pub at_ns: u64,
    /// The tracepoint, without its system.
    pub name: &'t str,
    /// What its print fmt says.
    pub text: &'t str,
}

impl<'t> Line<'t> {
    /// Takes a line apart: `comm-pid [cpu] flags time: name: text` or `comm pid [cpu] time: system:name: text`.
    /// None if it is not of this form.
    ///
    /// A task's name may hold blanks and dashes, so the line is read from the first thing that looks like
    /// a time before a tracepoint's name, backwards.
    pub fn parse(line: &'t str) -> Option<Line<'t>> {
        let mut searched = 0;
        loop {
            let colon = searched + line.get(searched..)?.find(": ")?;
            searched = colon + 2;
            let (before, after) = (&line[..colon], line[colon + 2..].trim_start());
            let Some((head, time)) = before.rsplit_once([' ', '\t']) else {
                continue;
            };
            let Some(at_ns) = nanoseconds(time) else {
                continue;
            };
            if let Some(line) = Line::after_time(head.trim_end(), at_ns, after) {
                return Some(line);
            }
        }
    }

    fn after_time(head: &'t str, at_ns: u64, after: &'t str) -> Option<Line<'t>> {
        let (name, text) = match after.split_once(": ") {
            Some((name, text)) => (name.trim_end(), text),
            None => (after.trim_end().strip_suffix(':')?, ""),
        };
        // perf: an optional period, then system:name.
        let name = name.rsplit(char::is_whitespace).next()?;
        let (printer, name) = match name.split_once(':') {
            Some((_, name)) => (Printer::PerfScript, name),
            None => (Printer::Ftrace, name),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let mut context = Context::default();
        let mut rest = head;
        if printer == Printer::Ftrace {
            let (before, flags) = match rest.strip_suffix(']') {
                // No latency columns (`nolatency-format` on old kernels).
                Some(_) => (rest, None),
                None => {
                    let (before, flags) = rest.rsplit_once(' ')?;
                    (before.trim_end(), Some(flags))
                }
            };
            rest = before;
            if let Some(flags) = flags {
                (context.flags, context.preempt_count) = flags_of(flags)?;
            }
        }
        let mut cpu = None;
        if let Some(before) = rest.strip_suffix(']') {
            let (before, number) = before.rsplit_once('[')?;
            cpu = Some(number.trim().parse().ok()?);
            rest = before.trim_end();
        }
        if printer == Printer::Ftrace && cpu.is_some() {
            // `record-tgid`: a column in parentheses.
            if let Some(before) = rest.strip_suffix(')') {
                rest = before.rsplit_once('(')?.0.trim_end();
            }
        }
        let (comm, pid) = match printer {
            Printer::Ftrace => rest.rsplit_once('-')?,
            Printer::PerfScript => rest.rsplit_once(char::is_whitespace)?,
        };
        // perf: `pid/tid` if both were asked for.
        let pid = pid.rsplit('/').next()?;
        context.pid = pid.parse().ok()?;
        Some(Line {
            printer,
            comm: comm.trim(),
            context,
            cpu,
            at_ns,
            name,
            text,
        })
    }

    /// The line as `trace_pipe` has it.
    pub fn trace_pipe(&self) -> String {
        format!(
            "{:>16}-{:<7} [{:03}] {} {:5}.{:06}: {}: {}",
            self.comm,
            self.context.pid,
            self.cpu.unwrap_or(0),
            latency(&self.context),
            self.at_ns / 1_000_000_000,
            self.at_ns / 1_000 % 1_000_000,
            self.name,
            self.text
        )
    }
}

/// `3429.874833`, with 6 or 9 places.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(9 - fraction.len() as u32);
    let seconds: u64 = seconds.parse().ok()?;
    let fraction: u64 = fraction.parse().ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(fraction * scale)
}

/// TRACE_FLAG_* of include/linux/trace_events.h and trace_print_lat_fmt().
const IRQS_OFF: u8 = 0x01;
const NEED_RESCHED_LAZY: u8 = 0x02;
const NEED_RESCHED: u8 = 0x04;
const PREEMPT_RESCHED: u8 = 0x20;
const NMI: u8 = 0x40;
const BH_OFF: u8 = 0x80;

const FIRST: &[(char, u8)] = &[
    ('.', 0),
    ('d', IRQS_OFF),
    ('b', BH_OFF),
    ('D', IRQS_OFF | BH_OFF),
];
const SECOND: &[(char, u8)] = &[
    ('.', 0),
    ('n', NEED_RESCHED),
    ('p', PREEMPT_RESCHED),
    ('N', NEED_RESCHED | PREEMPT_RESCHED),
    ('l', NEED_RESCHED_LAZY),
    ('L', NEED_RESCHED_LAZY | PREEMPT_RESCHED),
    ('b', NEED_RESCHED | NEED_RESCHED_LAZY),
    ('B', NEED_RESCHED | NEED_RESCHED_LAZY | PREEMPT_RESCHED),
];
const THIRD: &[(char, u8)] = &[
    ('.', 0),
    ('s', Context::SOFTIRQ),
    ('h', Context::HARDIRQ),
    ('H', Context::HARDIRQ | Context::SOFTIRQ),
    ('z', NMI),
    ('Z', NMI | Context::HARDIRQ),
];

/// The column `..s2.`; four letters before 5.17. `X` is what an architecture says that does not know
/// whether interrupts are off.
fn flags_of(column: &str) -> Option<(u8, u8)> {
    let mut letters = column.chars();
    let mut flag = |table: &[(char, u8)], or: Option<char>| -> Option<u8> {
        let letter = letters.next()?;
        let known = table.iter().find(|(known, _)| *known == letter);
        let known = known.map(|(_, flags)| *flags);
        known.or_else(|| (Some(letter) == or).then_some(0))
    };
    let flags = flag(FIRST, Some('X'))? | flag(SECOND, None)? | flag(THIRD, None)?;
    let mut depth = || match letters.next() {
        None | Some('.') => Some(0),
        Some(letter) => letter.to_digit(16).map(|digit| digit as u8),
    };
    let (preempt, migrate) = (depth()?, depth()?);
    letters
        .next()
        .is_none()
        .then_some((flags, preempt | migrate << 4))
}

fn latency(context: &Context) -> String {
    let letter = |table: &[(char, u8)], mask: u8| {
        let known = table
            .iter()
            .find(|(_, flags)| *flags == context.flags & mask);
        known.map_or('.', |(letter, _)| *letter)
    };
    let depth = |nibble: u8| match nibble {
        0 => '.',
        _ => char::from_digit(nibble.into(), 16).unwrap_or('.'),
    };
    let third = match context.flags & NMI {
        0 => Context::HARDIRQ | Context::SOFTIRQ,
        _ => NMI | Context::HARDIRQ,
    };
    [
        letter(FIRST, IRQS_OFF | BH_OFF),
        letter(SECOND, NEED_RESCHED | NEED_RESCHED_LAZY | PREEMPT_RESCHED),
        letter(THIRD, third),
        depth(context.preempt_count & 0xf),
        depth(context.preempt_count >> 4),
    ]
    .iter()
    .collect()
}
