//! What the hosts of a TCP world sent, as a capture that Wireshark opens.
//!
//! Each segment is there once, at the time at which its sender hands it to the link, also if the link then
//! loses it (a `.pcapng` says so in a comment). Frames begin with the IPv4 header: the model has no Ethernet.
//! What the model does not know is filled in as Linux would: TTL 64, DF, counted identifications, window
//! scale 7, MSS 1460. Data is zeros, as the model counts bytes and has none.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use etherparse::{IpNumber, Ipv4Header, PacketBuilder, TcpHeader, TcpOptionElement};
use faultlab_sim::linux::tcp::{Capture, Packet, Segment};
use faultlab_sim::linux::tracepoint::Ipv4;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::pcapng::PcapNgBlock;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, PcapError, TsResolution};

/// The window scale that Linux offers with its default receive buffers.
const WINDOW_SCALE: u8 = 7;
/// What fits into 1500 bytes beside two headers of 20.
const MSS: u16 = 1460;
/// No frame is longer: the model's segments fit into 1500 bytes, and IPv4 into this.
const SNAPLEN: u32 = 65_535;

/// Which format of capture files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// The classic one, with nanoseconds.
    Pcap,
    /// pcapng, which has comments.
    PcapNg,
}

/// Writes a capture.
///
/// # Errors
/// `output` cannot be written.
pub fn write(
    output: &mut impl Write,
    format: Format,
    arm: &str,
    capture: &Capture,
) -> io::Result<()> {
    let mut sent = vec![0_u16; capture.addresses.len()];
    let frames = capture.packets.iter().map(|packet| {
        let count = &mut sent[packet.segment.from.0 as usize];
        *count = count.wrapping_add(1);
        (packet, frame(capture, &packet.segment, *count))
    });
    match format {
        Format::Pcap => write_pcap(output, frames),
        Format::PcapNg => write_pcapng(output, arm, frames),
    }
    .map_err(|error| match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    })
}

fn write_pcap<'a>(
    output: &mut impl Write,
    frames: impl Iterator<Item = (&'a Packet, Vec<u8>)>,
) -> Result<(), PcapError> {
    let header = PcapHeader {
        snaplen: SNAPLEN,
        datalink: DataLink::RAW,
        ts_resolution: TsResolution::NanoSecond,
        endianness: Endianness::Little,
        ..PcapHeader::default()
    };
    let mut writer = PcapWriter::with_header(output, header)?;
    for (packet, frame) in frames {
        let at = Duration::from_nanos(packet.at.0);
        writer.write_packet(&PcapPacket::new(at, frame.len() as u32, &frame))?;
    }
    Ok(())
}

fn write_pcapng<'a>(
    output: &mut impl Write,
    arm: &str,
    frames: impl Iterator<Item = (&'a Packet, Vec<u8>)>,
) -> Result<(), PcapError> {
    let mut writer = PcapNgWriter::with_endianness(output, Endianness::Little)?;
    let interface = InterfaceDescriptionBlock {
        linktype: DataLink::RAW,
        snaplen: SNAPLEN,
        options: vec![
            InterfaceDescriptionOption::IfName(Cow::Borrowed("link")),
            InterfaceDescriptionOption::IfDescription(Cow::Owned(format!("faultlab, arm {arm}"))),
            InterfaceDescriptionOption::IfTsResol(9),
        ],
    };
    writer.write_block(&interface.into_block())?;
    for (packet, frame) in frames {
        let lost = EnhancedPacketOption::Comment(Cow::Borrowed("lost by the link"));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_nanos(packet.at.0),
            original_len: frame.len() as u32,
            data: Cow::Owned(frame),
            options: if packet.is_lost {
                vec![lost]
            } else {
                Vec::new()
            },
        };
        writer.write_block(&block.into_block())?;
    }
    Ok(())
}

/// The bytes of a segment, from the IPv4 header on. Sequence numbers wrap round on the wire.
fn frame(capture: &Capture, segment: &Segment, identification: u16) -> Vec<u8> {
    let address = |Ipv4(bits): Ipv4| bits.to_be_bytes();
    let mut ip = Ipv4Header {
        time_to_live: 64,
        protocol: IpNumber::TCP,
        source: address(capture.addresses[segment.from.0 as usize]),
        destination: address(capture.addresses[segment.to.0 as usize]),
        identification,
        dont_fragment: true,
        ..Ipv4Header::default()
    };
    let is_scaled = !segment.flags.syn;
    let window = segment.window >> if is_scaled { WINDOW_SCALE } else { 0 };
    let window = u16::try_from(window).unwrap_or(u16::MAX);
    let mut tcp = TcpHeader::new(segment.sport, segment.dport, segment.seq as u32, window);
    tcp.syn = segment.flags.syn;
    tcp.fin = segment.flags.fin;
    tcp.rst = segment.flags.rst;
    tcp.psh = segment.flags.psh;
    tcp.ack = segment.flags.ack;
    if tcp.ack {
        tcp.acknowledgment_number = segment.ack as u32;
    }
    tcp.set_options(&options(capture, segment))
        .expect("the options fit into 40 bytes");
    let payload = vec![0; segment.len as usize];
    // The builder takes the lengths and checksums from what follows.
    ip.set_payload_len(tcp.header_len() + payload.len())
        .expect("a segment fits into a packet");
    let builder = PacketBuilder::ip(etherparse::IpHeaders::Ipv4(ip, Default::default()));
    let builder = builder.tcp_header(tcp);
    let mut bytes = Vec::with_capacity(builder.size(payload.len()));
    builder
        .write(&mut bytes, &payload)
        .expect("memory can be written");
    bytes
}

fn options(capture: &Capture, segment: &Segment) -> Vec<TcpOptionElement> {
    let mut options = Vec::new();
    if segment.flags.syn {
        options.push(TcpOptionElement::MaximumSegmentSize(MSS));
        if capture.has_sack && segment.has_options {
            options.push(TcpOptionElement::SelectiveAcknowledgementPermitted);
        }
    }
    if let Some(stamps) = segment.stamps {
        let (value, echo) = (stamps.value_ms as u32, stamps.echo_ms as u32);
        options.push(TcpOptionElement::Timestamp(value, echo));
    }
    if segment.flags.syn && segment.has_options {
        options.push(TcpOptionElement::WindowScale(WINDOW_SCALE));
    }
    if let Some(sack) = &segment.sack {
        // With timestamps there is room for three (RFC 2018).
        let room = if segment.stamps.is_some() { 3 } else { 4 };
        let pair = |(from, to): (u64, u64)| (from as u32, to as u32);
        let blocks = sack.twice.iter().chain(&sack.blocks).copied();
        let mut blocks = blocks.take(room).map(pair);
        if let Some(first) = blocks.next() {
            let rest = [blocks.next(), blocks.next(), blocks.next()];
            options.push(TcpOptionElement::SelectiveAcknowledgement(first, rest));
        }
    }
    options
}
