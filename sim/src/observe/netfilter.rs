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
    let mut reader = Reader {
        bytes: line.len(),
        rest: line,
    };
    reader.literal(b"[", "`[` and the time")?;
    while reader.takes(b" ") {}
    let seconds = reader.number(u64::MAX / 1_000_000_001, "seconds")?;
    reader.literal(b".", "`.` and microseconds")?;
    let micros = reader.six_digits("six digits of microseconds")?;
    reader.literal(b"] ", "`] `")?;
    let at = Time(seconds * 1_000_000_000 + micros * 1_000);

    // What stands where the kernel usually prints it is taken at once; what stands elsewhere is looked for.
    reader.field(b"IN=", "`IN=`")?;
    let is_inbound = reader.rest.first() != Some(&b' ');
    reader.skip_word();
    if reader.takes(b" OUT=") {
        reader.skip_word();
    }
    // Of Ethernet two addresses and a protocol: 41 characters.
    if reader.takes(b" MAC=") && reader.rest.get(41..46) == Some(b" SRC=") {
        reader.rest = &reader.rest[46..];
    } else if !reader.takes(b" SRC=") {
        reader.field(b"SRC=", "`SRC=`")?;
    }
    let saddr = reader.address()?;
    reader.literal(b"DST=", "`DST=`")?;
    let daddr = reader.address()?;
    reader.literal(b"LEN=", "`LEN=`")?;
    let len = reader.number(u16::MAX.into(), "a length")? as u16;
    if !reader.takes_tos_prec_ttl() {
        reader.field(b"TTL=", "`TTL=`")?;
    }
    let ttl = reader.number(u8::MAX.into(), "a time to live")? as u8;
    reader.literal(b" ID=", "` ID=`")?;
    let id = reader.number(u16::MAX.into(), "an identification")? as u16;
    if !reader.takes(b" DF PROTO=TCP SPT=") {
        reader.field(b"PROTO=", "`PROTO=`")?;
        reader.literal(b"TCP SPT=", "`TCP SPT=`")?;
    }
    let sport = reader.number(u16::MAX.into(), "a port")? as u16;
    reader.literal(b" DPT=", "` DPT=`")?;
    let dport = reader.number(u16::MAX.into(), "a port")? as u16;
    if !reader.takes(b" WINDOW=") {
        reader.field(b"WINDOW=", "`WINDOW=`")?;
    }
    let window = reader.number(u16::MAX.into(), "a window")? as u16;
    if !reader.takes(b" RES=0x00 ") {
        reader.field(b"RES=", "`RES=`")?;
        reader.literal(b"0x", "`0x`")?;
        reader.skip_word();
        reader.literal(b" ", "a blank")?;
    }
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

const ACK: u32 = u32::from_le_bytes(*b"ACK ");
const PSH: u32 = u32::from_le_bytes(*b"PSH ");
const RST: u32 = u32::from_le_bytes(*b"RST ");
const SYN: u32 = u32::from_le_bytes(*b"SYN ");
const FIN: u32 = u32::from_le_bytes(*b"FIN ");
const CWR: u32 = u32::from_le_bytes(*b"CWR ");
const ECE: u32 = u32::from_le_bytes(*b"ECE ");
const URG: u32 = u32::from_le_bytes(*b"URG ");

/// All of it is inlined: a line is sixteen numbers and as many names, and a call for each took most of the time.
struct Reader<'a> {
    /// How long the line is.
    bytes: usize,
    /// What is not yet read of it.
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn error(&self, expected: &'static str) -> LineError {
        LineError {
            at: self.bytes - self.rest.len(),
            expected,
        }
    }

    /// Goes behind `text` if that is what comes.
    #[inline(always)]
    fn takes<const N: usize>(&mut self, text: &[u8; N]) -> bool {
        match self.rest.split_first_chunk() {
            Some((first, rest)) if first == text => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline(always)]
    fn literal<const N: usize>(
        &mut self,
        text: &[u8; N],
        expected: &'static str,
    ) -> Result<(), LineError> {
        match self.takes(text) {
            true => Ok(()),
            false => Err(self.error(expected)),
        }
    }

    /// Goes behind the next `name`, which ends with `=` and has no other. A prefix may stand right before it.
    #[inline(always)]
    fn field<const N: usize>(
        &mut self,
        name: &[u8; N],
        expected: &'static str,
    ) -> Result<(), LineError> {
        // A prefix is short: mostly the name is near.
        if let Some(eight) = self.rest.first_chunk() {
            let equals = place_of(b'=', u64::from_le_bytes(*eight));
            if equals < 8 && self.rest[..equals + 1].last_chunk() == Some(name) {
                self.rest = &self.rest[equals + 1..];
                return Ok(());
            }
        }
        let mut from = 0;
        while let Some(equals) = memchr::memchr(b'=', &self.rest[from..]) {
            from += equals + 1;
            if self.rest[..from].last_chunk() == Some(name) {
                self.rest = &self.rest[from..];
                return Ok(());
            }
        }
        Err(self.error(expected))
    }

    /// Goes behind ` TOS=0xXX PREC=0xXX TTL=`, if that is what comes.
    #[inline(always)]
    fn takes_tos_prec_ttl(&mut self) -> bool {
        match self.rest.split_first_chunk::<24>() {
            Some((text, rest))
                if text[..7] == *b" TOS=0x"
                    && text[9..17] == *b" PREC=0x"
                    && text[19..] == *b" TTL=" =>
            {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Goes to the next blank, or to the end.
    #[inline(always)]
    fn skip_word(&mut self) {
        while let [byte, rest @ ..] = self.rest
            && *byte != b' '
        {
            self.rest = rest;
        }
    }

    #[inline(always)]
    fn number(&mut self, most: u64, expected: &'static str) -> Result<u64, LineError> {
        if let Some(eight) = self.rest.first_chunk() {
            let (number, digits) = up_to_seven_digits(u64::from_le_bytes(*eight));
            if digits > 0 && number <= most {
                self.rest = &self.rest[digits..];
                return Ok(number);
            }
        }
        self.long_number(most, expected)
    }

    /// A number of any length.
    #[inline(never)]
    fn long_number(&mut self, most: u64, expected: &'static str) -> Result<u64, LineError> {
        let (number, digits) = all_digits(self.rest);
        if digits == 0 || digits > 18 || number > most {
            return Err(self.error(expected));
        }
        self.rest = &self.rest[digits..];
        Ok(number)
    }

    #[inline(always)]
    fn six_digits(&mut self, expected: &'static str) -> Result<u64, LineError> {
        let (number, digits) = match self.rest.first_chunk() {
            Some(eight) => digits_at_once(u64::from_le_bytes(*eight)),
            None => all_digits(self.rest),
        };
        if digits != 6 {
            return Err(self.error(expected));
        }
        self.rest = &self.rest[digits..];
        Ok(number)
    }

    /// An address and the blank behind it.
    #[inline(always)]
    fn address(&mut self) -> Result<Ipv4, LineError> {
        let octets = [
            self.octet(b'.')?,
            self.octet(b'.')?,
            self.octet(b'.')?,
            self.octet(b' ')?,
        ];
        Ok(Ipv4(
            octets.iter().fold(0, |address, octet| address << 8 | octet),
        ))
    }

    /// A number up to 255 and what ends it.
    #[inline(always)]
    fn octet(&mut self, end: u8) -> Result<u32, LineError> {
        let digit = |byte: u8| u32::from(byte.wrapping_sub(b'0'));
        let (number, is_number, rest) = match self.rest {
            [one, last, rest @ ..] if *last == end => (digit(*one), digit(*one) < 10, rest),
            [one, two, last, rest @ ..] if *last == end => {
                let (one, two) = (digit(*one), digit(*two));
                (one * 10 + two, one < 10 && two < 10, rest)
            }
            [one, two, three, last, rest @ ..] if *last == end => {
                let (one, two, three) = (digit(*one), digit(*two), digit(*three));
                let number = one * 100 + two * 10 + three;
                (
                    number,
                    one < 10 && two < 10 && three < 10 && number < 256,
                    rest,
                )
            }
            _ => (0, false, self.rest),
        };
        if !is_number {
            return Err(self.error("an IPv4 address"));
        }
        self.rest = rest;
        Ok(number)
    }

    #[inline(always)]
    fn flags(&mut self) -> Result<PacketFlags, LineError> {
        let mut flags = PacketFlags::default();
        while let Some((name, rest)) = self.rest.split_first_chunk() {
            match u32::from_le_bytes(*name) {
                ACK => flags.ack = true,
                PSH => flags.psh = true,
                RST => flags.rst = true,
                SYN => flags.syn = true,
                FIN => flags.fin = true,
                // Not told apart here.
                CWR | ECE | URG => {}
                _ => break,
            }
            self.rest = rest;
        }
        match self.rest.starts_with(b"URGP=") {
            true => Ok(flags),
            false => Err(self.error("a flag or `URGP=`")),
        }
    }
}

/// Where the first `byte` is of eight, 8 if there is none.
#[inline(always)]
fn place_of(byte: u8, eight: u64) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let others = eight ^ (ONES * u64::from(byte));
    // A byte's high bit is set where it was 0; of bytes behind the first that is, it may be wrong.
    let is_zero = others.wrapping_sub(ONES) & !others & (ONES << 7);
    is_zero.trailing_zeros() as usize / 8
}

/// The number that `text` begins with, and how many digits it has; of more than 18 digits the number is none.
#[inline(never)]
fn all_digits(text: &[u8]) -> (u64, usize) {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = text[..digits].iter().fold(0_u64, |number, digit| {
        number
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit - b'0'))
    });
    (number, digits)
}

/// The same of eight bytes, the first the lowest, if there are one to seven digits; else 0 of 0 digits. A jump by how
/// many there are is foreseen by the processor sooner than that is computed.
#[inline(always)]
fn up_to_seven_digits(eight: u64) -> (u64, usize) {
    const ZEROS: u64 = u64::from_le_bytes(*b"00000000");
    let values = eight ^ ZEROS;
    let others = (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let one = |place: u32| values >> (8 * place) & 0xff;
    let two = |place: u32| pairs >> (8 * place) & 0xff;
    match others.trailing_zeros() / 8 {
        1 => (one(0), 1),
        2 => (two(0), 2),
        3 => (two(0) * 10 + one(2), 3),
        4 => (two(0) * 100 + two(2), 4),
        5 => (two(0) * 1_000 + two(2) * 10 + one(4), 5),
        6 => (two(0) * 10_000 + two(2) * 100 + two(4), 6),
        7 => (two(0) * 100_000 + two(2) * 1_000 + two(4) * 10 + one(6), 7),
        _ => (0, 0),
    }
}

/// The same, all digits at once: sooner where there are many.
#[inline(always)]
fn digits_at_once(eight: u64) -> (u64, usize) {
    const ZEROS: u64 = u64::from_le_bytes(*b"00000000");
    let values = eight ^ ZEROS;
    // A byte's high half is set where it is no digit: it was before, or its value is 10 or more. A carry out of a byte
    // only reaches bytes behind the first that is none.
    let others = (values | values.wrapping_add(0x0606_0606_0606_0606)) & 0xf0f0_f0f0_f0f0_f0f0;
    let digits = others.trailing_zeros() as usize / 8;
    if digits == 0 {
        return (0, 0);
    }
    // The last digit goes to the highest byte, zeros come before the first; then digits are joined by twos, fours
    // and eights.
    let one = values << (64 - 8 * digits);
    let two = one.wrapping_mul(10).wrapping_add(one >> 8) & 0x00ff_00ff_00ff_00ff;
    let four = two.wrapping_mul(100).wrapping_add(two >> 16) & 0x0000_ffff_0000_ffff;
    let number = four.wrapping_mul(10_000).wrapping_add(four >> 32) & 0xffff_ffff;
    (number, digits)
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

    /// A prefix right before `IN=`, a bridge, no Ethernet, fields in other places than usual.
    #[test]
    fn lines_of_other_forms_are_read_as_well() {
        let tail = "SRC=10.0.0.1 DST=192.168.200.77 LEN=65535 TOS=0x00 PREC=0x00 TTL=255 ID=54321 ";
        for (head, middle, end) in [
            (
                "dropIN=br0 OUT= PHYSIN=eth0 MAC=aa:bb ",
                "DF PROTO=TCP SPT=1 DPT=65535 WINDOW=0 RES=0x00 ",
                "SYN URGP=0 ",
            ),
            (
                "IN=eth0 OUT=eth1 ",
                "PROTO=TCP SPT=1 DPT=65535 SEQ=1 ACK=2 WINDOW=0 RES=0x3c ",
                "SYN URGP=0 ",
            ),
            (
                "x IN=tun0 OUT= MAC= ",
                "MF FRAG:64 PROTO=TCP SPT=1 DPT=65535 WINDOW=0 RES=0x00 ",
                "ECE SYN URGP=",
            ),
        ] {
            let line = format!("[1234567890.000042] {head}{tail}{middle}{end}");
            let (at, packet) = parse_line(line.as_bytes()).expect(&line);
            assert_eq!(at, Time(1_234_567_890_000_042_000));
            let Packet {
                saddr,
                daddr,
                sport,
                dport,
                len,
                ttl,
                id,
                window,
                flags,
                is_inbound,
            } = packet;
            assert_eq!(
                (saddr, daddr),
                (Ipv4::new(10, 0, 0, 1), Ipv4::new(192, 168, 200, 77))
            );
            assert_eq!(
                (sport, dport, len, ttl, id, window),
                (1, 65_535, 65_535, 255, 54_321, 0)
            );
            assert!(is_inbound && flags.syn && !flags.ack);
        }
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
        /// Eight bytes at once are read as one by one.
        #[test]
        fn digits_are_read_at_once_as_one_by_one(text in "[0-9]{0,8}[ -~]{8}", any in any::<[u8; 8]>(), digits in 0_usize..9) {
            let mut mixed = any;
            mixed[..digits].fill(b'7');
            for eight in [any, mixed, *text.as_bytes().first_chunk().expect("eight bytes at the least")] {
                let word = u64::from_le_bytes(eight);
                prop_assert_eq!(digits_at_once(word), all_digits(&eight));
                let (number, digits) = all_digits(&eight);
                let few = if digits > 7 { (0, 0) } else { (number, digits) };
                prop_assert_eq!(up_to_seven_digits(word), few);
            }
        }

        /// A byte is found at its first place, whatever stands around it.
        #[test]
        fn a_byte_is_found_where_it_first_stands(bytes in any::<[u8; 8]>(), byte: u8, at in 0_usize..8, is_put: bool) {
            let mut bytes = bytes;
            if is_put {
                bytes[at] = byte;
            }
            let first = bytes.iter().position(|other| *other == byte).unwrap_or(8);
            prop_assert_eq!(place_of(byte, u64::from_le_bytes(bytes)), first);
        }

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
