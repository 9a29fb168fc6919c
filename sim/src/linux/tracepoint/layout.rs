//! The binary records of the tracepoints, as the kernels' own `format` files lay them out.
//!
//! [`Layouts::of`] reads the files of a kernel, which this module carries; [`Layouts::parse`] reads those of
//! any other. A [`Format`] decodes bytes to an [`Event`], whose values are exactly those of the record, and
//! encodes it again; [`Format::write`] and [`Format::read`] go straight between bytes and the model's typed
//! [`Record`]. How a record is printed is in [`text`](super::text).

use std::fmt;

use super::text::Print;
use super::{Family, Ipv4, Protocol, Record, RstReason, TcpState};
use crate::linux::tcp::Kernel;

const FORMATS_6_1: &str = include_str!("formats-6.1.txt");
const FORMATS_6_18: &str = include_str!("formats-6.18.txt");

/// All tracepoints of a kernel whose formats are known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layouts {
    formats: Vec<Format>,
}

impl Layouts {
    /// Those of a modelled kernel: the TCP tracepoints, `tcp_probe` and `kfree_skb`.
    pub fn of(kernel: Kernel) -> Layouts {
        let text = match kernel {
            Kernel::V6_1 => FORMATS_6_1,
            Kernel::V6_18 => FORMATS_6_18,
        };
        Layouts::parse(text).expect("the carried files are well formed")
    }

    /// Reads `format` files of a kernel, one after another, each after a line `#### system/event`.
    ///
    /// # Errors
    /// The first line that is not as the kernel writes it.
    pub fn parse(text: &str) -> Result<Layouts, FormatError> {
        let mut formats: Vec<Format> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| FormatError {
                line: index + 1,
                what: what.into(),
            };
            let word = line.trim();
            if let Some(path) = word.strip_prefix("#### ") {
                let (system, name) = path
                    .split_once('/')
                    .ok_or_else(|| wrong("no system/event"))?;
                formats.push(Format {
                    system: system.into(),
                    name: name.into(),
                    id: 0,
                    fields: Vec::new(),
                    print: Print::default(),
                });
                continue;
            }
            if word.is_empty() || word.starts_with('#') || word == "format:" {
                continue;
            }
            let format = formats.last_mut();
            let format = format.ok_or_else(|| wrong("comes before any #### system/event"))?;
            if let Some(id) = word.strip_prefix("ID:") {
                format.id = id
                    .trim()
                    .parse()
                    .map_err(|_| wrong("no number of 16 bits"))?;
            } else if let Some(name) = word.strip_prefix("name:") {
                if name.trim() != format.name {
                    return Err(wrong("another name than that of the event"));
                }
            } else if let Some(field) = word.strip_prefix("field:") {
                let field = FieldLayout::parse(field).ok_or_else(|| wrong("no field"))?;
                format.fields.push(field);
            } else if let Some(print) = word.strip_prefix("print fmt:") {
                let fields = &format.fields;
                format.print = Print::parse(print, |name| {
                    fields.iter().position(|field| field.name == name)
                })
                .map_err(|what| wrong(&what))?;
            } else {
                return Err(wrong("neither name, ID, field nor print fmt"));
            }
        }
        Ok(Layouts { formats })
    }

    /// All of them, in the order of the files.
    pub fn formats(&self) -> &[Format] {
        &self.formats
    }

    /// The tracepoint called `name`, without its system.
    pub fn named(&self, name: &str) -> Option<&Format> {
        self.formats.iter().find(|format| format.name == name)
    }

    /// The tracepoint whose records begin with this number (`common_type`). It differs between kernels, and
    /// between builds of one.
    pub fn with_id(&self, id: u16) -> Option<&Format> {
        self.formats.iter().find(|format| format.id == id)
    }
}

/// A line of a format file that is not as the kernel writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FormatError {
    /// Which, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for FormatError {}

/// The layout of one tracepoint's records, and how they are printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Format {
    system: String,
    name: String,
    id: u16,
    fields: Vec<FieldLayout>,
    print: Print,
}

/// Where a field lies in the record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldLayout {
    /// Its name.
    pub name: String,
    /// Its first byte.
    pub offset: usize,
    /// How many bytes it has.
    pub size: usize,
    /// Whether it is a number with a sign.
    pub is_signed: bool,
    /// Whether it is an array of bytes rather than a number.
    pub is_bytes: bool,
    role: Role,
}

impl FieldLayout {
    /// `unsigned short common_type; offset:0; size:2; signed:0;`, with tabs between.
    fn parse(text: &str) -> Option<FieldLayout> {
        let mut parts = text.split(';').map(str::trim);
        let declared = parts.next()?;
        let mut number = |key: &str| -> Option<usize> {
            let value = parts.next()?.strip_prefix(key)?;
            value.strip_prefix(':')?.parse().ok()
        };
        let (offset, size) = (number("offset")?, number("size")?);
        let is_signed = number("signed")? == 1;
        let (declared, is_bytes) = match declared.split_once('[') {
            Some((declared, _)) => (declared, true),
            None => (declared, false),
        };
        let name = declared.rsplit([' ', '*']).next()?;
        let is_number = matches!(size, 1 | 2 | 4 | 8);
        if name.is_empty() || !(is_bytes || is_number) || size > LARGEST || offset > LARGEST {
            return None;
        }
        Some(FieldLayout {
            role: Role::of(name, size, is_bytes),
            name: name.into(),
            offset,
            size,
            is_signed,
            is_bytes,
        })
    }

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

/// No field of a record lies or reaches further than this: a page is the most that the ring buffer takes.
const LARGEST: usize = 4096;

/// What a field says, by its name and size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    CommonType,
    CommonFlags,
    CommonPreemptCount,
    CommonPid,
    Skbaddr,
    Skaddr,
    Req,
    Oldstate,
    Newstate,
    State,
    Reason,
    Err,
    Sport,
    Dport,
    Family,
    Protocol,
    Saddr,
    Daddr,
    SaddrV6,
    DaddrV6,
    SockaddrSource,
    SockaddrDestination,
    SockCookie,
    Other,
}

/// The size of `struct sockaddr_in6`, which the records have for a socket's address with its port.
const SOCKADDR: usize = 28;

impl Role {
    fn of(name: &str, size: usize, is_bytes: bool) -> Role {
        match (name, size, is_bytes) {
            ("common_type", 2, false) => Role::CommonType,
            ("common_flags", 1, false) => Role::CommonFlags,
            ("common_preempt_count", 1, false) => Role::CommonPreemptCount,
            ("common_pid", 4, false) => Role::CommonPid,
            ("skbaddr", 8, false) => Role::Skbaddr,
            ("skaddr", 8, false) => Role::Skaddr,
            ("req", 8, false) => Role::Req,
            ("oldstate", 4, false) => Role::Oldstate,
            ("newstate", 4, false) => Role::Newstate,
            ("state", 4, false) => Role::State,
            ("reason", 4, false) => Role::Reason,
            ("err", 4, false) => Role::Err,
            ("sport", 2, false) => Role::Sport,
            ("dport", 2, false) => Role::Dport,
            ("family", 2, false) => Role::Family,
            ("protocol", 2, false) => Role::Protocol,
            ("saddr", 4, true) => Role::Saddr,
            ("daddr", 4, true) => Role::Daddr,
            ("saddr_v6", 16, true) => Role::SaddrV6,
            ("daddr_v6", 16, true) => Role::DaddrV6,
            ("saddr", SOCKADDR, true) => Role::SockaddrSource,
            ("daddr", SOCKADDR, true) => Role::SockaddrDestination,
            ("sock_cookie", 8, false) => Role::SockCookie,
            _ => Role::Other,
        }
    }
}

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
        let index = self.format.fields.iter().position(|f| f.name == field)?;
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
}

/// What surrounds an event and stands in its record, which the model's [`Record`] does not have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Context {
    /// `common_pid`: of the task that was running, which in softirq is whoever was interrupted.
    pub pid: i32,
    /// `common_flags`: [`Context::HARDIRQ`], [`Context::SOFTIRQ`] and others.
    pub flags: u8,
    /// `common_preempt_count`: how often preemption is disabled, and above it migration.
    pub preempt_count: u8,
    /// `skbaddr`: the packet buffer's address, where the tracepoint has one.
    pub skbaddr: u64,
}

impl Context {
    /// TRACE_FLAG_HARDIRQ.
    pub const HARDIRQ: u8 = 0x08;
    /// TRACE_FLAG_SOFTIRQ.
    pub const SOFTIRQ: u8 = 0x10;

    /// In a system call of `pid`.
    pub const fn task(pid: i32) -> Context {
        Context {
            pid,
            flags: 0,
            preempt_count: 0,
            skbaddr: 0,
        }
    }

    /// In softirq, while `pid` was running.
    pub const fn softirq(pid: i32) -> Context {
        Context {
            flags: Context::SOFTIRQ,
            preempt_count: 1,
            ..Context::task(pid)
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

/// What a record says, in the kernel's numbers; what a tracepoint does not have is 0.
#[derive(Clone, Copy, Debug)]
struct Parts {
    skaddr: u64,
    req: u64,
    sock_cookie: u64,
    oldstate: i32,
    newstate: i32,
    state: i32,
    reason: i32,
    err: i32,
    sport: u16,
    dport: u16,
    family: u16,
    protocol: u16,
    saddr: Ipv4,
    daddr: Ipv4,
}

impl Parts {
    const NOTHING: Parts = Parts {
        skaddr: 0,
        req: 0,
        sock_cookie: 0,
        oldstate: 0,
        newstate: 0,
        state: 0,
        reason: 0,
        err: 0,
        sport: 0,
        dport: 0,
        family: 0,
        protocol: 0,
        saddr: Ipv4::ANY,
        daddr: Ipv4::ANY,
    };

    /// What the bytes hold. Only the v4 address of a sockaddr is taken.
    fn take(&mut self, role: Role, bytes: &[u8]) {
        fn number<const N: usize>(bytes: &[u8]) -> [u8; N] {
            let mut array = [0; N];
            array.copy_from_slice(bytes);
            array
        }
        let ipv4 = |bytes: &[u8]| Ipv4(u32::from_be_bytes(number(bytes)));
        let port = |bytes: &[u8]| u16::from_be_bytes(number(bytes));
        match role {
            Role::Skaddr => self.skaddr = u64::from_le_bytes(number(bytes)),
            Role::Req => self.req = u64::from_le_bytes(number(bytes)),
            Role::SockCookie => self.sock_cookie = u64::from_le_bytes(number(bytes)),
            Role::Oldstate => self.oldstate = i32::from_le_bytes(number(bytes)),
            Role::Newstate => self.newstate = i32::from_le_bytes(number(bytes)),
            Role::State => self.state = i32::from_le_bytes(number(bytes)),
            Role::Reason => self.reason = i32::from_le_bytes(number(bytes)),
            Role::Err => self.err = i32::from_le_bytes(number(bytes)),
            Role::Sport => self.sport = u16::from_le_bytes(number(bytes)),
            Role::Dport => self.dport = u16::from_le_bytes(number(bytes)),
            Role::Family => self.family = u16::from_le_bytes(number(bytes)),
            Role::Protocol => self.protocol = u16::from_le_bytes(number(bytes)),
            Role::Saddr => self.saddr = ipv4(bytes),
            Role::Daddr => self.daddr = ipv4(bytes),
            Role::SockaddrSource => {
                self.family = u16::from_le_bytes(number(&bytes[..2]));
                (self.sport, self.saddr) = (port(&bytes[2..4]), ipv4(&bytes[4..8]));
            }
            Role::SockaddrDestination => {
                (self.dport, self.daddr) = (port(&bytes[2..4]), ipv4(&bytes[4..8]));
            }
            _ => {}
        }
    }

    fn put(&self, role: Role, context: &Context, id: u16, into: &mut [u8]) {
        let sockaddr = |into: &mut [u8], port: u16, addr: Ipv4| {
            into[..2].copy_from_slice(&self.family.to_le_bytes());
            into[2..4].copy_from_slice(&port.to_be_bytes());
            into[4..8].copy_from_slice(&addr.0.to_be_bytes());
        };
        match role {
            Role::CommonType => into.copy_from_slice(&id.to_le_bytes()),
            Role::CommonFlags => into[0] = context.flags,
            Role::CommonPreemptCount => into[0] = context.preempt_count,
            Role::CommonPid => into.copy_from_slice(&context.pid.to_le_bytes()),
            Role::Skbaddr => into.copy_from_slice(&context.skbaddr.to_le_bytes()),
            Role::Skaddr => into.copy_from_slice(&self.skaddr.to_le_bytes()),
            Role::Req => into.copy_from_slice(&self.req.to_le_bytes()),
            Role::Oldstate => into.copy_from_slice(&self.oldstate.to_le_bytes()),
            Role::Newstate => into.copy_from_slice(&self.newstate.to_le_bytes()),
            Role::State => into.copy_from_slice(&self.state.to_le_bytes()),
            Role::Reason => into.copy_from_slice(&self.reason.to_le_bytes()),
            Role::Err => into.copy_from_slice(&self.err.to_le_bytes()),
            Role::Sport => into.copy_from_slice(&self.sport.to_le_bytes()),
            Role::Dport => into.copy_from_slice(&self.dport.to_le_bytes()),
            Role::Family => into.copy_from_slice(&self.family.to_le_bytes()),
            Role::Protocol => into.copy_from_slice(&self.protocol.to_le_bytes()),
            Role::Saddr => into.copy_from_slice(&self.saddr.0.to_be_bytes()),
            Role::Daddr => into.copy_from_slice(&self.daddr.0.to_be_bytes()),
            Role::SaddrV6 => into.copy_from_slice(&self.saddr.v6_mapped()),
            Role::DaddrV6 => into.copy_from_slice(&self.daddr.v6_mapped()),
            Role::SockaddrSource => sockaddr(into, self.sport, self.saddr),
            Role::SockaddrDestination => sockaddr(into, self.dport, self.daddr),
            Role::SockCookie => into.copy_from_slice(&self.sock_cookie.to_le_bytes()),
            Role::Other => {}
        }
    }

    /// None if no tracepoint reports it.
    fn of(record: &Record) -> Option<Parts> {
        let mut parts = Parts::NOTHING;
        macro_rules! same {
            ($($field:ident),*) => {{ $( parts.$field = *$field; )* }};
        }
        match record {
            Record::SetState {
                skaddr,
                oldstate,
                newstate,
                sport,
                dport,
                family,
                protocol,
                saddr,
                daddr,
            } => {
                same!(skaddr, sport, dport, saddr, daddr);
                parts.oldstate = oldstate.number().into();
                parts.newstate = newstate.number().into();
                parts.family = family.number();
                parts.protocol = protocol.number();
            }
            Record::RetransmitSkb {
                skaddr,
                state,
                sport,
                dport,
                family,
                saddr,
                daddr,
                err,
            } => {
                same!(skaddr, sport, dport, saddr, daddr, err);
                parts.state = state.number().into();
                parts.family = family.number();
            }
            Record::RetransmitSynack {
                skaddr,
                req,
                sport,
                dport,
                family,
                saddr,
                daddr,
            } => {
                same!(skaddr, req, sport, dport, saddr, daddr);
                parts.family = family.number();
            }
            Record::SendReset {
                skaddr,
                state,
                reason,
                sport,
                dport,
                family,
                saddr,
                daddr,
            } => {
                same!(skaddr, sport, dport, saddr, daddr);
                parts.state = state.number().into();
                parts.family = family.number();
                parts.reason = match reason {
                    // A record of a kernel that gives no reasons, in the layout of one that does.
                    RstReason::NotReported => 0,
                    reason => reason.number().into(),
                };
            }
            Record::ReceiveReset {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie,
            }
            | Record::DestroySock {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie,
            } => {
                same!(skaddr, sport, dport, saddr, daddr, sock_cookie);
                parts.family = family.number();
            }
            Record::App { .. } | Record::Call { .. } => return None,
        }
        Some(parts)
    }

    fn record(self, format: &Format) -> Result<Record, ReadError> {
        let lacks = |field: &str, number: i128| {
            ReadError::NotModelled(format!("{field} {number} of {}", format.name))
        };
        let state = |field: &str, number: i32| {
            let known = TcpState::ALL.iter().copied();
            let mut known = known.filter(|state| i32::from(state.number()) == number);
            known.next().ok_or_else(|| lacks(field, number.into()))
        };
        let family = match self.family {
            2 => Family::Inet,
            other => return Err(lacks("family", other.into())),
        };
        let Parts {
            skaddr,
            req,
            sock_cookie,
            sport,
            dport,
            saddr,
            daddr,
            err,
            ..
        } = self;
        Ok(match &*format.name {
            "inet_sock_set_state" => Record::SetState {
                skaddr,
                oldstate: state("oldstate", self.oldstate)?,
                newstate: state("newstate", self.newstate)?,
                sport,
                dport,
                family,
                protocol: match self.protocol {
                    6 => Protocol::Tcp,
                    other => return Err(lacks("protocol", other.into())),
                },
                saddr,
                daddr,
            },
            "tcp_retransmit_skb" => Record::RetransmitSkb {
                skaddr,
                state: state("state", self.state)?,
                sport,
                dport,
                family,
                saddr,
                daddr,
                err,
            },
            "tcp_retransmit_synack" => Record::RetransmitSynack {
                skaddr,
                req,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            "tcp_send_reset" => Record::SendReset {
                skaddr,
                state: state("state", self.state)?,
                reason: match format.fields.iter().any(|field| field.role == Role::Reason) {
                    false => RstReason::NotReported,
                    true => {
                        let known = RstReason::ALL.iter().copied();
                        let mut known =
                            known.filter(|reason| i32::from(reason.number()) == self.reason);
                        known
                            .next()
                            .ok_or_else(|| lacks("reason", self.reason.into()))?
                    }
                },
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            "tcp_receive_reset" => Record::ReceiveReset {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie,
            },
            "tcp_destroy_sock" => Record::DestroySock {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie,
            },
            name => return Err(ReadError::NotModelled(name.into())),
        })
    }
}

impl Format {
    /// `tcp/tcp_send_reset`: what its folder is called.
    pub fn path(&self) -> String {
        format!("{}/{}", self.system, self.name)
    }

    /// Whether another kernel's records are the same, byte for byte, and are printed the same; their number is each
    /// kernel's own.
    pub fn is_same_as(&self, other: &Format) -> bool {
        let Format { id: _, .. } = self;
        (&self.system, &self.name) == (&other.system, &other.name)
            && (&self.fields, &self.print) == (&other.fields, &other.print)
    }
}

impl Format {
    /// Its system: `tcp` or `sock`.
    pub fn system(&self) -> &str {
        &self.system
    }

    /// The tracepoint's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number that its records begin with.
    pub fn id(&self) -> u16 {
        self.id
    }

    /// Its fields, the common ones first.
    pub fn fields(&self) -> &[FieldLayout] {
        &self.fields
    }

    /// How its records are printed.
    pub fn print(&self) -> &Print {
        &self.print
    }

    /// How many bytes its records have: what the fields take, rounded up to 8 as the compiler does with a
    /// struct that holds a pointer. The bytes after the last field are not defined.
    pub fn size(&self) -> usize {
        let ends = self.fields.iter().map(|field| field.offset + field.size);
        ends.max().unwrap_or(0).next_multiple_of(8)
    }

    /// Reads a record. Bytes after it, and those that no field has, are not looked at.
    ///
    /// # Errors
    /// There are too few bytes, or it is another tracepoint's.
    pub fn decode(&self, bytes: &[u8]) -> Result<Event<'_>, ReadError> {
        self.check(bytes)?;
        let value = |field: &FieldLayout| field.datum(&bytes[field.offset..][..field.size]);
        Ok(Event {
            format: self,
            values: self.fields.iter().map(value).map(Some).collect(),
        })
    }

    /// Appends the record of an event of this tracepoint. What the event does not know is 0.
    pub fn encode(&self, event: &Event<'_>, into: &mut Vec<u8>) {
        let start = into.len();
        into.resize(start + self.size(), 0);
        let record = &mut into[start..];
        for (field, value) in self.fields.iter().zip(&event.values) {
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

    /// Writes the record that this kernel has for `record` to the beginning of `into`, and says how many
    /// bytes it has. None if `record` is another tracepoint's, or `into` is too small.
    pub fn write(&self, record: &Record, context: &Context, into: &mut [u8]) -> Option<usize> {
        let size = self.size();
        let into = into.get_mut(..size)?;
        if record.kind() != self.name {
            return None;
        }
        let parts = Parts::of(record)?;
        into.fill(0);
        for field in &self.fields {
            let place = &mut into[field.offset..][..field.size];
            parts.put(field.role, context, self.id, place);
        }
        Some(size)
    }

    /// Reads a record as the model's.
    ///
    /// # Errors
    /// There are too few bytes, it is another tracepoint's, or the model has no such record.
    pub fn read(&self, bytes: &[u8]) -> Result<(Record, Context), ReadError> {
        self.check(bytes)?;
        let mut parts = Parts::NOTHING;
        let mut context = Context::default();
        for field in &self.fields {
            let value = &bytes[field.offset..][..field.size];
            match (field.role, value) {
                (Role::CommonFlags, [flags]) => context.flags = *flags,
                (Role::CommonPreemptCount, [count]) => context.preempt_count = *count,
                (Role::CommonPid, [a, b, c, d]) => {
                    context.pid = i32::from_le_bytes([*a, *b, *c, *d]);
                }
                (Role::Skbaddr, _) => {
                    if let Datum::Number(address) = field.datum(value) {
                        context.skbaddr = address as u64;
                    }
                }
                (role, value) => parts.take(role, value),
            }
        }
        Ok((parts.record(self)?, context))
    }

    fn check(&self, bytes: &[u8]) -> Result<(), ReadError> {
        let needed = self.fields.iter().map(|field| field.offset + field.size);
        let needed = needed.max().unwrap_or(0);
        if bytes.len() < needed || bytes.len() < 2 {
            return Err(ReadError::Short {
                needed,
                got: bytes.len(),
            });
        }
        match u16::from_le_bytes([bytes[0], bytes[1]]) {
            id if id == self.id => Ok(()),
            other => Err(ReadError::OtherType(other)),
        }
    }
}
