//! Netfilter's LOG: a packet as the kernel prints it (`nf_log_syslog`), and a parser for such lines.
//!
//! Measured on Linux 6.18: the flags come in the order CWR ECE URG ACK PSH RST SYN FIN, each with its
//! blank; a line ends with a blank; only inbound lines have MAC addresses; 179 bytes a line on average.

use std::fmt;

use super::event::{Packet, PacketFlags};
use crate::engine::Time;
use crate::linux::tracepoint::Ipv4;

/// What is the same on all lines of a rule.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogRule {
    /// `--log-prefix`, without blanks inside.
    pub prefix: String,
    /// The interface.
    pub device: String,
    /// What `MAC=` has on inbound lines: both addresses and the protocol.
    pub mac: String,
}

impl Default for LogRule {
    fn default() -> Self {
        LogRule {
            prefix: "LAB".into(),
            device: "eth0".into(),
            mac: "02:00:00:00:00:01:02:00:00:00:00:02:08:00".into(),
        }
    }
}

/// Adds the line of a packet to `line`, without the line's end: `[   21.949532] PREFIX IN=..`. Times are
/// printed to the microsecond.
pub fn format_line(rule: &LogRule, at: Time, packet: &Packet, line: &mut Vec<u8>) {
    let (seconds, micros) = (at.0 / 1_000_000_000, at.0 / 1_000 % 1_000_000);
    line.push(b'[');
    decimal_padded(line, seconds, 5, b' ');
    line.push(b'.');
    decimal_padded(line, micros, 6, b'0');
    line.extend_from_slice(b"] ");
    line.extend_from_slice(rule.prefix.as_bytes());
    if packet.is_inbound {
        line.extend_from_slice(b" IN=");
        line.extend_from_slice(rule.device.as_bytes());
        line.extend_from_slice(b" OUT= MAC=");
        line.extend_from_slice(rule.mac.as_bytes());
    } else {
        line.extend_from_slice(b" IN= OUT=");
        line.extend_from_slice(rule.device.as_bytes());
    }
    line.extend_from_slice(b" SRC=");
    address(line, packet.saddr);
    line.extend_from_slice(b" DST=");
    address(line, packet.daddr);
    line.extend_from_slice(b" LEN=");
    decimal(line, packet.len.into());
    line.extend_from_slice(b" TOS=0x00 PREC=0x00 TTL=");
    decimal(line, packet.ttl.into());
    line.extend_from_slice(b" ID=");
    decimal(line, packet.id.into());
    line.extend_from_slice(b" DF PROTO=TCP SPT=");
    decimal(line, packet.sport.into());
    line.extend_from_slice(b" DPT=");
    decimal(line, packet.dport.into());
    line.extend_from_slice(b" WINDOW=");
    decimal(line, packet.window.into());
    line.extend_from_slice(b" RES=0x00 ");
    let PacketFlags {
        syn,
        ack,
        fin,
        rst,
        psh,
    } = packet.flags;
    for (is_set, name) in [
        (ack, &b"ACK "[..]),
        (psh, b"PSH "),
        (rst, b"RST "),
        (syn, b"SYN "),
        (fin, b"FIN "),
    ] {
        if is_set {
            line.extend_from_slice(name);
        }
    }
    line.extend_from_slice(b"URGP=0 ");
}

fn decimal(line: &mut Vec<u8>, number: u64) {
    decimal_padded(line, number, 1, b'0');
}

fn decimal_padded(line: &mut Vec<u8>, mut number: u64, width: usize, padding: u8) {
    let mut digits = [padding; 20];
    let mut from = digits.len();
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[from.min(digits.len() - width)..]);
}

fn address(line: &mut Vec<u8>, address: Ipv4) {
    for (index, octet) in address.0.to_be_bytes().into_iter().enumerate() {
        if index > 0 {
            line.push(b'.');
        }
        decimal(line, octet.into());
    }
}

/// Why a line is none of a LOG rule's, and where, counted in bytes from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineError {
    /// The byte at which reading ended.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: expected {}", self.at, self.expected)
    }
}

impl std::error::Error for LineError {}

/// What a line says: when, and which packet. Of other protocols than TCP, of IPv6 and of fragments
/// nothing is read.
///
/// # Errors
/// The first byte that is not as the kernel prints it. Fields that do not matter here (`TOS`, `PREC`,
/// `MARK`, `SEQ`, options) are passed over.
pub fn parse_line(line: &[u8]) -> Result<(Time, Packet), LineError> {
    let mut reader = Reader { line, at: 0 };
    reader.literal(b"[", "`[` and the time")?;
    while reader.peek() == Some(b' ') {
        reader.at += 1;
    }
    let seconds = reader.number(u64::MAX / 1_000_000_001, "seconds")?;
    reader.literal(b".", "`.` and microseconds")?;
    let start = reader.at;
    let micros = reader.number(999_999, "six digits of microseconds")?;
    if reader.at != start + 6 {
        return Err(reader.error("six digits of microseconds"));
    }
    reader.literal(b"] ", "`] `")?;
    let at = Time(seconds * 1_000_000_000 + micros * 1_000);

    reader.find(b"IN=", "`IN=`")?;
    let is_inbound = reader.peek() != Some(b' ');
    reader.find(b"SRC=", "`SRC=`")?;
    let saddr = reader.address()?;
    reader.literal(b" DST=", "` DST=`")?;
    let daddr = reader.address()?;
    reader.literal(b" LEN=", "` LEN=`")?;
    let len = reader.number(u16::MAX.into(), "a length")? as u16;
    reader.find(b"TTL=", "`TTL=`")?;
    let ttl = reader.number(u8::MAX.into(), "a time to live")? as u8;
    reader.literal(b" ID=", "` ID=`")?;
    let id = reader.number(u16::MAX.into(), "an identification")? as u16;
    reader.find(b"PROTO=", "`PROTO=`")?;
    reader.literal(b"TCP SPT=", "`TCP SPT=`")?;
    let sport = reader.number(u16::MAX.into(), "a port")? as u16;
    reader.literal(b" DPT=", "` DPT=`")?;
    let dport = reader.number(u16::MAX.into(), "a port")? as u16;
    reader.find(b"WINDOW=", "`WINDOW=`")?;
    let window = reader.number(u16::MAX.into(), "a window")? as u16;
    reader.find(b"RES=0x", "`RES=0x`")?;
    reader.find(b" ", "a blank")?;
    let flags = reader.flags()?;
    Ok((
        at,
        Packet {
            is_inbound,
            saddr,
            daddr,
            sport,
            dport,
            len,
            ttl,
            id,
            window,
            flags,
        },
    ))
}

struct Reader<'a> {
    line: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn error(&self, expected: &'static str) -> LineError {
        LineError {
            at: self.at,
            expected,
        }
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    #[inline]
    fn literal(&mut self, text: &[u8], expected: &'static str) -> Result<(), LineError> {
        if !self.line[self.at..].starts_with(text) {
            return Err(self.error(expected));
        }
        self.at += text.len();
        Ok(())
    }

    /// Goes behind the next field that begins with `text`.
    #[inline]
    fn find(&mut self, text: &[u8], expected: &'static str) -> Result<(), LineError> {
        let found = memchr::memmem::find(&self.line[self.at..], text);
        self.at += found.ok_or(self.error(expected))? + text.len();
        Ok(())
    }

    #[inline]
    fn number(&mut self, most: u64, expected: &'static str) -> Result<u64, LineError> {
        let start = self.at;
        let mut number = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            // Twenty digits are enough for any number that fits.
            number = number
                .wrapping_mul(10)
                .wrapping_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let digits = self.at - start;
        if digits == 0 || digits > 18 || number > most {
            self.at = start;
            return Err(self.error(expected));
        }
        Ok(number)
    }

    #[inline]
    fn address(&mut self) -> Result<Ipv4, LineError> {
        const EXPECTED: &str = "an IPv4 address";
        let mut address = 0;
        for octet in 0..4 {
            if octet > 0 {
                self.literal(b".", EXPECTED)?;
            }
            address = address << 8 | self.number(255, EXPECTED)? as u32;
        }
        Ok(Ipv4(address))
    }

    #[inline]
    fn flags(&mut self) -> Result<PacketFlags, LineError> {
        let mut flags = PacketFlags::default();
        loop {
            let rest = &self.line[self.at..];
            let flag = match rest.get(..4) {
                Some(b"ACK ") => &mut flags.ack,
                Some(b"PSH ") => &mut flags.psh,
                Some(b"RST ") => &mut flags.rst,
                Some(b"SYN ") => &mut flags.syn,
                Some(b"FIN ") => &mut flags.fin,
                // Not told apart here.
                Some(b"CWR " | b"ECE " | b"URG ") => {
                    self.at += 4;
                    continue;
                }
                _ if rest.starts_with(b"URGP=") => return Ok(flags),
                _ => return Err(self.error("a flag or `URGP=`")),
            };
            *flag = true;
            self.at += 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flags() -> impl Strategy<Value = PacketFlags> {
        any::<(bool, bool, bool, bool, bool)>().prop_map(|(syn, ack, fin, rst, psh)| PacketFlags {
            syn,
            ack,
            fin,
            rst,
            psh,
        })
    }

    fn packet() -> impl Strategy<Value = Packet> {
        (
            any::<(bool, u32, u32, u16, u16, u16)>(),
            any::<(u8, u16, u16)>(),
            flags(),
        )
            .prop_map(|(first, second, flags)| {
                let (is_inbound, saddr, daddr, sport, dport, len) = first;
                let (ttl, id, window) = second;
                Packet {
                    is_inbound,
                    saddr: Ipv4(saddr),
                    daddr: Ipv4(daddr),
                    sport,
                    dport,
                    len,
                    ttl,
                    id,
                    window,
                    flags,
                }
            })
    }

    const SYN_ACK: Packet = Packet {
        is_inbound: true,
        saddr: Ipv4::new(10, 0, 0, 2),
        daddr: Ipv4::new(10, 0, 0, 1),
        sport: 6379,
        dport: 40_000,
        len: 60,
        ttl: 64,
        id: 0,
        window: 65_160,
        flags: PacketFlags {
            syn: true,
            ack: true,
            fin: false,
            rst: false,
            psh: false,
        },
    };

    /// The form that Linux 6.18 prints, with names of this lab.
    #[test]
    fn a_line_is_as_the_kernel_prints_it() {
        let mut line = Vec::new();
        format_line(
            &LogRule::default(),
            Time(21_949_532_000),
            &SYN_ACK,
            &mut line,
        );
        assert_eq!(
            std::str::from_utf8(&line),
            Ok(
                "[   21.949532] LAB IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.0.0.2 DST=10.0.0.1 \
                LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=0 DF PROTO=TCP SPT=6379 DPT=40000 WINDOW=65160 RES=0x00 ACK SYN URGP=0 "
            )
        );
    }

    #[test]
    fn fields_that_do_not_matter_are_passed_over() {
        let line = b"[    1.000001] drop: IN= OUT=vc SRC=10.0.0.1 DST=10.0.0.2 LEN=52 TOS=0x08 PREC=0x40 TTL=63 ID=7 DF \
            PROTO=TCP SPT=1 DPT=2 SEQ=12 ACK=34 WINDOW=501 RES=0x00 CWR ECE ACK FIN URGP=0 OPT (0101080A) MARK=0x1 ";
        let (at, packet) = parse_line(line).expect("it is a LOG line");
        assert_eq!((at, packet.is_inbound), (Time(1_000_001_000), false));
        assert!(packet.flags.ack && packet.flags.fin && !packet.flags.syn);
    }

    #[test]
    fn errors_say_where() {
        let line = b"[    1.000001] x IN=a OUT= SRC=10.0.0.256 DST=10.0.0.2 ";
        let error = parse_line(line).expect_err("256 is no octet");
        assert_eq!((error.at, error.expected), (38, "an IPv4 address"));
        assert_eq!(
            parse_line(b"").expect_err("nothing").expected,
            "`[` and the time"
        );
    }

    proptest! {
        #[test]
        fn parse_of_format_is_the_packet(packet in packet(), micros in 0_u64..10_000_000_000_000) {
            let mut line = Vec::new();
            format_line(&LogRule::default(), Time(micros * 1_000), &packet, &mut line);
            prop_assert_eq!(parse_line(&line), Ok((Time(micros * 1_000), packet)));
        }

        /// Whatever comes, the parser answers, and points into the line.
        #[test]
        fn damaged_lines_are_refused_or_read(packet in packet(), damage in prop::collection::vec((0_usize..200, any::<u8>()), 0..4), cut in 0_usize..220) {
            let mut line = Vec::new();
            format_line(&LogRule::default(), Time(1_000), &packet, &mut line);
            for (at, byte) in damage {
                if let Some(place) = line.get_mut(at) {
                    *place = byte;
                }
            }
            line.truncate(cut);
            if let Err(error) = parse_line(&line) {
                prop_assert!(error.at <= line.len());
            }
        }
    }
}
