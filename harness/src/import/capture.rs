//! Capture files, pcap and pcapng: frame by frame to TCP segments.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};
use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket};
use faultlab_sim::engine::Time;
use pcap_file::pcap::PcapParser;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::interface_statistics::InterfaceStatisticsOption;
use pcap_file::pcapng::{Block, PcapNgParser};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

use super::connection::{Flags, Segment, Segments};
use super::stream::{Events, Source, Stream};
use super::{Bad, Names};
use crate::render::counted;

/// Whether a file begins as a capture does.
pub fn is_capture(bytes: &[u8]) -> bool {
    const MAGICS: [[u8; 4]; 5] = [
        [0xa1, 0xb2, 0xc3, 0xd4],
        [0xd4, 0xc3, 0xb2, 0xa1],
        [0xa1, 0xb2, 0x3c, 0x4d],
        [0x4d, 0x3c, 0xb2, 0xa1],
        PCAPNG,
    ];
    MAGICS.iter().any(|magic| bytes.starts_with(magic))
}

const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// A frame of a capture.
struct Frame<'b> {
    at_ns: u64,
    link: DataLink,
    /// As many of its bytes as were captured.
    data: &'b [u8],
    /// How many it had.
    len: usize,
}

/// Reads a capture. With `is_partial`, what comes before a damaged place is taken.
///
/// # Errors
/// The first byte at which the file is not as its format says.
pub fn read(bytes: &[u8], is_partial: bool, names: &Names) -> Result<Stream, Bad> {
    let is_pcapng = bytes.starts_with(&PCAPNG);
    let mut stream = Stream::new(Source::Capture(if is_pcapng { "pcapng" } else { "pcap" }));
    let mut segments = Vec::new();
    let mut range: Option<(u64, u64)> = None;
    let (mut unread, mut is_cut) = (0, false);
    let mut take = |frame: Frame<'_>| {
        stream.units += 1;
        let (first, last) = range.unwrap_or((frame.at_ns, frame.at_ns));
        range = Some((first.min(frame.at_ns), last.max(frame.at_ns)));
        match segment(&frame) {
            Ok(segment) => segments.push(segment),
            Err(why) => {
                unread += u64::from(why.may_be_tcp());
                is_cut |= matches!(why, NoSegment::Cut(_));
                stream.leave_out(why.into_words());
            }
        }
    };
    let read = match is_pcapng {
        true => pcapng(bytes, &mut take),
        false => pcap(bytes, &mut take).map(|()| 0),
    };
    if unread > 0 {
        let enough = match is_cut {
            true => "; with -s 128 or more, a capture has all of their headers",
            false => "",
        };
        let unread = counted(unread, "packet");
        stream
            .gaps
            .push(format!("{unread} of those left out may be TCP{enough}"));
    }
    match read {
        Ok(0) => {}
        Ok(dropped) => {
            let dropped = counted(dropped, "packet");
            stream.gaps.push(format!(
                "{dropped} dropped while capturing, as the file says"
            ));
        }
        Err(bad) if is_partial && stream.units > 0 => stream.gaps.push(bad.to_string()),
        Err(bad) if stream.units > 0 => {
            return Err(bad.or_partial());
        }
        Err(bad) => return Err(bad.help("there is nothing before it: copy or capture it again")),
    }
    let (first, last) = range.unwrap_or_default();
    stream.span_ns = last - first;
    for segment in &mut segments {
        segment.at = Time(segment.at.0 - first);
    }
    let segments = Segments::new(segments, names.clone());
    let connections = segments.connections();
    if connections.uncaptured > 0 {
        let gaps = counted(connections.uncaptured, "gap");
        stream.gaps.push(format!(
            "{gaps} in the data that the receiver acknowledged: it was sent and not captured"
        ));
    }
    stream.events = Events::OfSegments(segments);
    stream.connections = Some(connections);
    Ok(stream)
}

fn pcap<'b>(bytes: &'b [u8], take: &mut impl FnMut(Frame<'b>)) -> Result<(), Bad> {
    let at = |rest: &[u8]| bytes.len() - rest.len();
    let (mut rest, parser) =
        PcapParser::new(bytes).map_err(|error| bad(0, &error, "the file's header", bytes.len()))?;
    let header = parser.header();
    if (header.version_major, header.version_minor) != (2, 4) {
        let (major, minor) = (header.version_major, header.version_minor);
        return Err(Bad::byte(
            4,
            format!("version {major}.{minor} of pcap: 2.4 is known"),
        ));
    }
    let unit = match header.ts_resolution {
        TsResolution::MicroSecond => 1_000,
        TsResolution::NanoSecond => 1,
    };
    // The upper half says whether frames end with a checksum, which lies behind the IP packet.
    let link = DataLink::from(u32::from(header.datalink) & 0xffff);
    while !rest.is_empty() {
        // Not the checked form: a packet that was cut to the snap length is longer than that.
        let (next, raw) = parser.next_raw_packet(rest).map_err(|error| {
            match (error, captured_len(rest, header.endianness)) {
                (PcapError::IncompleteBuffer, Some(len)) => {
                    let there = rest.len() - PACKET_HEADER;
                    let what = format!(
                        "a packet of {len} bytes is cut short: the file ends after {there} of them"
                    );
                    Bad::byte(at(rest), what)
                }
                (error, _) => bad(at(rest), &error, "a packet", rest.len()),
            }
        })?;
        if u64::from(raw.ts_frac) * unit >= 1_000_000_000 || raw.incl_len > raw.orig_len {
            let what = "no packet begins here: its length or time makes no sense";
            return Err(Bad::byte(at(rest), what));
        }
        let len = raw.incl_len as usize;
        let data = &rest[rest.len() - next.len() - len..][..len];
        take(Frame {
            at_ns: u64::from(raw.ts_sec) * 1_000_000_000 + u64::from(raw.ts_frac) * unit,
            link,
            data,
            len: raw.orig_len as usize,
        });
        rest = next;
    }
    Ok(())
}

/// The bytes before each packet of a pcap: time, captured and original length.
const PACKET_HEADER: usize = 16;

/// How many bytes the packet says to have at the beginning of `rest`.
fn captured_len(rest: &[u8], endianness: Endianness) -> Option<u32> {
    let len = rest.get(8..12)?.try_into().ok()?;
    rest.get(..PACKET_HEADER)?;
    Some(match endianness {
        Endianness::Big => u32::from_be_bytes(len),
        Endianness::Little => u32::from_le_bytes(len),
    })
}

/// How many packets were dropped while capturing, as far as the file says.
fn pcapng<'b>(bytes: &'b [u8], take: &mut impl FnMut(Frame<'b>)) -> Result<u64, Bad> {
    let at = |rest: &[u8]| bytes.len() - rest.len();
    let (mut rest, mut parser) = PcapNgParser::new(bytes)
        .map_err(|error| bad(0, &error, "the file's header", bytes.len()))?;
    // Each statistics block has the sum so far of its interface.
    let mut dropped = BTreeMap::new();
    let mut section = 0;
    while !rest.is_empty() {
        let (next, block) = parser
            .next_block(rest)
            .map_err(|error| bad(at(rest), &error, "a block", rest.len()))?;
        let interface = |id: u32| {
            let all = parser.interfaces();
            let what = || {
                let known = counted(all.len(), "interface");
                format!("a packet of interface {id} (from 0), and the file has {known} before it")
            };
            all.get(id as usize)
                .ok_or_else(|| Bad::byte(at(rest), what()))
        };
        // The data lies in the block, behind headers of fixed length.
        let body = |from: usize, len: usize| rest.get(from..from + len).unwrap_or_default();
        match block {
            Block::EnhancedPacket(packet) => {
                let interface = interface(packet.interface_id)?;
                take(Frame {
                    at_ns: nanoseconds(packet.timestamp.as_nanos(), interface),
                    link: interface.linktype,
                    data: body(28, packet.data.len()),
                    len: packet.original_len as usize,
                });
            }
            Block::Packet(packet) => {
                let interface = interface(packet.interface_id.into())?;
                take(Frame {
                    at_ns: nanoseconds(packet.timestamp.into(), interface),
                    link: interface.linktype,
                    data: body(28, packet.data.len()),
                    len: packet.original_len as usize,
                });
            }
            Block::SimplePacket(packet) => {
                let what = format!(
                    "a simple packet of {} bytes has no time, so that nothing can be told from it",
                    packet.original_len
                );
                return Err(Bad::byte(at(rest), what));
            }
            Block::InterfaceStatistics(statistics) => {
                for option in &statistics.options {
                    let (by, count) = match option {
                        InterfaceStatisticsOption::IsbIfDrop(count) => ("interface", *count),
                        InterfaceStatisticsOption::IsbOsDrop(count) => ("system", *count),
                        _ => continue,
                    };
                    dropped.insert((section, statistics.interface_id, by), count);
                }
            }
            Block::SectionHeader(_) => section += 1,
            _ => {}
        }
        rest = next;
    }
    Ok(dropped.into_values().fold(0, u64::saturating_add))
}

/// A timestamp in the units of its interface, which the parser takes for nanoseconds.
fn nanoseconds(units: u128, interface: &InterfaceDescriptionBlock<'_>) -> u64 {
    let mut per_second = 1_000_000_u128;
    let mut offset = 0;
    for option in &interface.options {
        match option {
            InterfaceDescriptionOption::IfTsResol(resolution) => {
                let exponent = u32::from(resolution & 0x7f).min(38);
                per_second = match resolution & 0x80 {
                    0 => 10_u128.pow(exponent),
                    _ => 1 << exponent,
                };
            }
            InterfaceDescriptionOption::IfTsOffset(seconds) => offset = u128::from(*seconds),
            _ => {}
        }
    }
    let (seconds, fraction) = (units / per_second, units % per_second);
    let fraction = match fraction.checked_mul(1_000_000_000) {
        Some(fraction) => fraction / per_second,
        None => 0,
    };
    let ns = (seconds + offset).saturating_mul(1_000_000_000) + fraction;
    u64::try_from(ns).unwrap_or(u64::MAX)
}

fn bad(at: usize, error: &PcapError, what: &str, left: usize) -> Bad {
    Bad::byte(
        at,
        match error {
            PcapError::IncompleteBuffer => {
                format!("{what} is cut short: the file ends after {left} more bytes")
            }
            PcapError::InvalidField(field) => format!("{what} is damaged: {field}"),
            other => format!("{what} is damaged: {other}"),
        },
    )
}

/// What a frame is that gives no TCP segment.
#[derive(Debug)]
enum NoSegment {
    /// Something else.
    Other(String),
    /// Perhaps one, of which too few bytes were captured.
    Cut(&'static str),
    /// Perhaps one, in a form that is not read.
    Unread(String),
}

impl NoSegment {
    fn may_be_tcp(&self) -> bool {
        !matches!(self, NoSegment::Other(_))
    }

    fn into_words(self) -> String {
        match self {
            NoSegment::Other(what) | NoSegment::Unread(what) => what,
            NoSegment::Cut(what) => what.into(),
        }
    }
}

/// The TCP segment in a frame, or what it is instead.
fn segment(frame: &Frame<'_>) -> Result<Segment, NoSegment> {
    const SHORT: NoSegment = NoSegment::Cut("cut before the IP header");
    let data = frame.data;
    let after = |len: usize| data.get(len..).ok_or(SHORT);
    let ether_type = |at: usize| match data.get(at..at + 2) {
        Some([high, low]) => Ok(EtherType(u16::from_be_bytes([*high, *low]))),
        _ => Err(SHORT),
    };
    let packet = match u32::from(frame.link) {
        // Ethernet
        1 => LaxSlicedPacket::from_ethernet(data).map_err(|_| SHORT)?,
        // Raw IP: LINKTYPE_RAW, and DLT_RAW of Linux and OpenBSD; LINKTYPE_IPV4 and LINKTYPE_IPV6
        101 | 12 | 14 | 228 | 229 => ip(data)?,
        // The address family of BSD's loopback, in the order of the host that captured, or of the network.
        0 | 108 => match data.first_chunk() {
            Some([2, 0, 0, 0] | [0, 0, 0, 2]) => ip(after(4)?)?,
            Some([24 | 28 | 30, 0, 0, 0] | [0, 0, 0, 24 | 28 | 30]) => ip(after(4)?)?,
            Some(_) => return Err(NoSegment::Other("loopback frame that is not IP".into())),
            None => return Err(SHORT),
        },
        // Linux cooked, v1 and v2
        113 => LaxSlicedPacket::from_ether_type(ether_type(14)?, after(16)?),
        276 => LaxSlicedPacket::from_ether_type(ether_type(0)?, after(20)?),
        other => {
            let what = format!("link type {other}, which is not known");
            return Err(NoSegment::Unread(what));
        }
    };
    let (source, destination, id, header, declared, payload) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let id = Some(header.identification()).filter(|id| *id != 0);
            let (source, destination) = (header.source_addr(), header.destination_addr());
            let declared = usize::from(header.total_len());
            let addresses = (IpAddr::V4(source), IpAddr::V4(destination));
            let start = header.slice().as_ptr() as usize;
            (
                addresses.0,
                addresses.1,
                id,
                start,
                declared,
                ip.payload().clone(),
            )
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let (source, destination) = (header.source_addr(), header.destination_addr());
            // 0 is a jumbogram, whose length stands elsewhere.
            let declared = match header.payload_length() {
                0 => 0,
                len => 40 + usize::from(len),
            };
            let addresses = (IpAddr::V6(source), IpAddr::V6(destination));
            let start = header.slice().as_ptr() as usize;
            (
                addresses.0,
                addresses.1,
                None,
                start,
                declared,
                ip.payload().clone(),
            )
        }
        Some(LaxNetSlice::Arp(_)) => return Err(NoSegment::Other("ARP".into())),
        None if packet.stop_err.is_some() => {
            return Err(NoSegment::Cut("damaged or cut before the end of IP"));
        }
        None => {
            let inside = packet.ether_payload().map(|inside| inside.ether_type.0);
            return Err(match inside {
                Some(0x8864) => NoSegment::Unread("PPPoE, which is not looked into".into()),
                Some(0x8847 | 0x8848) => NoSegment::Unread("MPLS, which is not looked into".into()),
                _ => NoSegment::Other("not IP".into()),
            });
        }
    };
    if payload.ip_number != IpNumber::TCP {
        return Err(NoSegment::Other(match payload.ip_number {
            IpNumber::UDP => "UDP".into(),
            IpNumber::ICMP | IpNumber::IPV6_ICMP => "ICMP".into(),
            IpNumber(number) => format!("IP protocol {number}"),
        }));
    }
    if payload.fragmented {
        return Err(NoSegment::Unread("fragment of an IP packet".into()));
    }
    let tcp: &[u8; 20] = payload
        .payload
        .first_chunk()
        .ok_or(NoSegment::Cut("cut within the TCP header"))?;
    let offset = payload.payload.as_ptr() as usize;
    let total = match declared {
        // Offloaded to the network card, which fills it in: as long as the frame.
        0 => frame.len.saturating_sub(offset - data.as_ptr() as usize),
        len => len.saturating_sub(offset - header),
    };
    let header_len = usize::from(tcp[12] >> 4) * 4;
    if header_len < 20 || header_len > total {
        return Err(NoSegment::Unread("damaged TCP header".into()));
    }
    let number = |at: usize| u32::from_be_bytes([tcp[at], tcp[at + 1], tcp[at + 2], tcp[at + 3]]);
    let port = |at: usize| u16::from_be_bytes([tcp[at], tcp[at + 1]]);
    Ok(Segment {
        at: Time(frame.at_ns),
        source: SocketAddr::new(source, port(0)),
        destination: SocketAddr::new(destination, port(2)),
        seq: number(4),
        ack: number(8),
        flags: Flags(tcp[13]),
        len: (total - header_len) as u32,
        id,
        options_hash: hash(payload.payload.get(20..header_len).unwrap_or_default()),
    })
}

fn hash(bytes: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish() as u32
}

fn ip(data: &[u8]) -> Result<LaxSlicedPacket<'_>, NoSegment> {
    LaxSlicedPacket::from_ip(data).map_err(|_| NoSegment::Cut("not IP, or cut within its header"))
}
