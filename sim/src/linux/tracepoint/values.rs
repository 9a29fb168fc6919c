//! What the fields of the records hold: the kernel's enumerations, and addresses.

use std::borrow::Cow;
use std::fmt;

use crate::engine::{Field, TraceHasher, Value};
use crate::linux::errno::Errno;

/// Declares an enumeration of the kernel's: each value has the kernel's number and name.
macro_rules! kernel_enum {
    (
        $(#[doc = $doc:literal])*
        $name:ident, $kind:literal;
        $( $(#[doc = $variant_doc:literal])* $variant:ident = $number:literal, $text:literal; )*
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u16)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant = $number, )*
        }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [$name] = &[ $( $name::$variant, )* ];

            /// The name that the tracepoint prints.
            pub const fn name(self) -> &'static str {
                match self { $( $name::$variant => $text, )* }
            }

            /// The number that the tracepoint's record holds.
            pub const fn number(self) -> u16 {
                self as u16
            }

            /// The one that is printed as `name`.
            pub fn from_name(name: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|each| each.name() == name)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl Field for $name {
            const KIND: &'static str = $kind;
            fn value(&self) -> Value {
                Value::Text(Cow::Borrowed(self.name()))
            }
            #[inline]
            fn absorb(&self, hasher: &mut TraceHasher) {
                hasher.u64(self.number().into());
            }
        }
    };
}

kernel_enum! {
    /// The states of `enum` in include/net/tcp_states.h, as `show_tcp_state_name` prints them.
    TcpState, "a TCP state by the kernel's name: TCP_ESTABLISHED";
    /// No socket: what 6.18's `tcp_send_reset` prints for a RST to a closed port.
    Unknown = 0, "UNKNOWN";
    /// Both ends agree.
    Established = 1, "TCP_ESTABLISHED";
    /// connect() has sent its SYN.
    SynSent = 2, "TCP_SYN_SENT";
    /// A child that is just being made of a finished handshake.
    SynRecv = 3, "TCP_SYN_RECV";
    /// Our FIN is sent.
    FinWait1 = 4, "TCP_FIN_WAIT1";
    /// Our FIN is acknowledged, the peer's is outstanding.
    FinWait2 = 5, "TCP_FIN_WAIT2";
    /// Both FINs are exchanged, we closed first. No state event ever says so: a full socket goes to
    /// TCP_CLOSE when its mini-socket is made.
    TimeWait = 6, "TCP_TIME_WAIT";
    /// Not in use.
    Close = 7, "TCP_CLOSE";
    /// The peer's FIN is here, ours is not sent.
    CloseWait = 8, "TCP_CLOSE_WAIT";
    /// The peer's FIN is here, ours is sent.
    LastAck = 9, "TCP_LAST_ACK";
    /// Waits for connections.
    Listen = 10, "TCP_LISTEN";
    /// Both FINs crossed, ours is not acknowledged.
    Closing = 11, "TCP_CLOSING";
    /// A half-open request of a listener: no state event ever says so.
    NewSynRecv = 12, "TCP_NEW_SYN_RECV";
}

impl TcpState {
    /// Whether a full socket may go from `self` to `next`, as state events show it: the state
    /// machine of RFC 9293, where TIME_WAIT and half-open requests are mini-sockets and so unseen. close() after
    /// shutdown() leaves the state as it is, and says so (measured on Linux 6.18).
    pub const fn may_become(self, next: TcpState) -> bool {
        use TcpState::*;
        matches!(
            (self, next),
            (Close, SynSent | Listen)
                | (SynSent, Established | SynRecv | Close)
                | (Listen, SynRecv | Close)
                | (SynRecv, Established | FinWait1 | Close)
                | (Established, FinWait1 | CloseWait | Close)
                | (CloseWait, LastAck | Close)
                | (FinWait1, FinWait2 | Closing | Close)
                | (FinWait1, FinWait1)
                | (FinWait2, FinWait2)
                | (Closing, Closing)
                | (LastAck, LastAck)
                | (FinWait2 | Closing | LastAck, Close)
        )
    }
}

kernel_enum! {
    /// Why a RST was sent: `enum sk_rst_reason` of 6.18 (the tracepoint has it since 6.10).
    RstReason, "a reset reason by the kernel's name: NO_SOCKET; empty on 6.1, which gives none";
    /// 6.1: the tracepoint has no such field.
    NotReported = 65_535, "";
    /// The sender did not say.
    NotSpecified = 0, "NOT_SPECIFIED";
    /// Nothing listens there, and no connection is known.
    NoSocket = 1, "NO_SOCKET";
    /// The acknowledgement is for something else, such as an earlier connection.
    InvalidAckSequence = 2, "TCP_INVALID_ACK_SEQUENCE";
    /// The timestamp is older than one that was seen.
    Paws = 3, "TCP_RFC7323_PAWS";
    /// An acknowledgement that is far too old.
    TooOldAck = 4, "TCP_TOO_OLD_ACK";
    /// An acknowledgement of something that was never sent.
    AckUnsentData = 5, "TCP_ACK_UNSENT_DATA";
    /// A segment that makes no sense in this state, such as an ACK to a listener.
    Flags = 6, "TCP_FLAGS";
    /// An acknowledgement of something that is long past.
    OldAck = 7, "TCP_OLD_ACK";
    /// Data came for a socket whose application is gone.
    AbortOnData = 8, "TCP_ABORT_ON_DATA";
    /// Data came for a mini-socket in TIME_WAIT or FIN_WAIT2.
    TimewaitSocket = 9, "TCP_TIMEWAIT_SOCKET";
    /// A half-open request cannot be finished, as the accept queue is full (tcp_abort_on_overflow).
    InvalidSyn = 10, "INVALID_SYN";
    /// close() while received data was unread.
    AbortOnClose = 11, "TCP_ABORT_ON_CLOSE";
    /// As named, but close() with linger 0 does not report it (measured on Linux 6.18.44).
    AbortOnLinger = 12, "TCP_ABORT_ON_LINGER";
    /// No memory for the socket.
    AbortOnMemory = 13, "TCP_ABORT_ON_MEMORY";
    /// The state demanded it: what close() with linger 0 reports.
    State = 14, "TCP_STATE";
    /// Keepalive found nobody.
    KeepaliveTimeout = 15, "TCP_KEEPALIVE_TIMEOUT";
    /// close() with linger 0 while data was not sent yet.
    DisconnectWithData = 16, "TCP_DISCONNECT_WITH_DATA";
}

kernel_enum! {
    /// The address family.
    Family, "an address family by name: AF_INET";
    /// IPv4.
    Inet = 2, "AF_INET";
}

kernel_enum! {
    /// The protocol: the tracepoint serves more than TCP.
    Protocol, "a protocol by name: IPPROTO_TCP";
    /// TCP.
    Tcp = 6, "IPPROTO_TCP";
}

impl Field for Errno {
    const KIND: &'static str = "an error by name: ECONNREFUSED";
    fn value(&self) -> Value {
        Value::Text(Cow::Borrowed(self.name()))
    }
    fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.u64(self.number() as u64);
    }
}

kernel_enum! {
    /// Where an application learns of an error.
    AppOp, "where an application learns of an error: connect, send, error";
    /// connect() failed.
    Connect = 0, "connect";
    /// A write failed.
    Send = 1, "send";
    /// The pending error of an open socket, taken by SO_ERROR as soon as it was there.
    Error = 2, "error";
}

/// An IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ipv4(pub u32);

impl Ipv4 {
    /// 0.0.0.0.
    pub const ANY: Ipv4 = Ipv4(0);

    /// The address of four octets.
    pub const fn new(a: u8, b: u8, c: u8, d: u8) -> Ipv4 {
        Ipv4(u32::from_be_bytes([a, b, c, d]))
    }

    /// What the kernel puts into `saddr_v6` and `daddr_v6` for this address.
    pub const fn v6_mapped(self) -> [u8; 16] {
        let [a, b, c, d] = self.0.to_be_bytes();
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d]
    }
}

impl fmt::Display for Ipv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::Ipv4Addr::from_bits(self.0).fmt(f)
    }
}

impl fmt::Debug for Ipv4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Field for Ipv4 {
    const KIND: &'static str = "an IPv4 address: 10.0.0.1";
    fn value(&self) -> Value {
        Value::Text(Cow::Owned(self.to_string()))
    }
    #[inline]
    fn absorb(&self, hasher: &mut TraceHasher) {
        hasher.u64(self.0.into());
    }
}

/// What the values of a field are called, and all of them, by the field's [`Field::KIND`]; none if others than the
/// model's are possible: real events have more reasons of resets, families and protocols.
pub fn names_of(kind: &str) -> Option<(&'static str, Vec<&'static str>)> {
    let of = |what, names: Vec<_>| Some((what, names));
    match kind {
        TcpState::KIND => of(
            "TCP state",
            TcpState::ALL.iter().map(|s| s.name()).collect(),
        ),
        AppOp::KIND => of("operation", AppOp::ALL.iter().map(|op| op.name()).collect()),
        Errno::KIND => of(
            "errno",
            Errno::ALL.iter().map(|errno| errno.name()).collect(),
        ),
        _ => None,
    }
}
