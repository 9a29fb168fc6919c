//! Captures made by hand.

use etherparse::PacketBuilder;

/// A frame behind the headers of a link type.
pub fn framed(link: u32, ip: &[u8]) -> Vec<u8> {
    let (ether_type, family) = match ip[0] >> 4 {
        4 => ([0x08, 0x00], 2),
        _ => ([0x86, 0xdd], 30),
    };
    let mut frame = match link {
        1 => [&[2; 12][..], &[0x81, 0x00, 0, 7], &ether_type].concat(),
        0 => vec![family, 0, 0, 0],
        108 => vec![0, 0, 0, family],
        113 => [&[0; 14][..], &ether_type].concat(),
        276 => [&ether_type[..], &[0; 18]].concat(),
        _ => Vec::new(),
    };
    frame.extend(ip);
    // What Ethernet adds to a short frame is no data.
    if link == 1 {
        frame.resize(frame.len().max(90), 0);
    }
    frame
}

/// A pcap of the link type with these packets, `(ms, IP packet)`; `big` is the order of its bytes.
pub fn pcap(link: u32, packets: &[(u32, Vec<u8>)], is_big: bool, snap: usize) -> Vec<u8> {
    let word = |n: u32| {
        if is_big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let half = |n: u16| {
        if is_big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let mut file = [
        &word(0xa1b2_c3d4)[..],
        &half(2),
        &half(4),
        &word(0),
        &word(0),
    ]
    .concat();
    file.extend([word(snap as u32), word(link)].concat());
    for (ms, packet) in packets {
        let frame = framed(link, packet);
        let kept = frame.len().min(snap);
        let header = [
            1_700_000_000 + ms / 1_000,
            ms % 1_000 * 1_000,
            kept as u32,
            frame.len() as u32,
        ];
        file.extend(header.map(word).concat());
        file.extend(&frame[..kept]);
    }
    file
}

#[derive(Clone, Copy)]
pub enum Tcp {
    Syn,
    SynAck,
    Ack,
    Data(usize),
    Rst,
}

/// A packet of a connection between port 4000 and 6379, sent by the client or not.
pub fn packet(is_v6: bool, by_client: bool, tcp: Tcp, seq: u32, ack: u32, id: u16) -> Vec<u8> {
    let (from, to) = if by_client { (1, 2) } else { (2, 1) };
    let (sport, dport) = if by_client {
        (4000, 6379)
    } else {
        (6379, 4000)
    };
    let v4 = |last: u8| [10, 0, 0, last];
    let v6 = |last: u8| [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let ip = match is_v6 {
        true => PacketBuilder::ipv6(v6(from), v6(to), 64),
        false => {
            let header = etherparse::Ipv4Header {
                source: v4(from),
                destination: v4(to),
                identification: id,
                time_to_live: 64,
                ..Default::default()
            };
            PacketBuilder::ip(etherparse::IpHeaders::Ipv4(header, Default::default()))
        }
    };
    let builder = ip.tcp(sport, dport, seq, 1000);
    let (builder, len) = match tcp {
        Tcp::Syn => (builder.syn(), 0),
        Tcp::SynAck => (builder.syn().ack(ack), 0),
        Tcp::Ack => (builder.ack(ack), 0),
        Tcp::Data(len) => (builder.ack(ack).psh(), len),
        Tcp::Rst => (builder.rst().ack(ack), 0),
    };
    let mut bytes = Vec::new();
    builder.write(&mut bytes, &vec![7; len]).expect("memory");
    bytes
}

/// A SYN that is sent again, a handshake, data that is sent again, and a RST; numbers wrap round in it.
pub fn story(is_v6: bool) -> Vec<(u32, Vec<u8>)> {
    let first = u32::MAX - 50;
    let data = first.wrapping_add(1);
    let p = |by_client, tcp, seq, ack, id| packet(is_v6, by_client, tcp, seq, ack, id);
    vec![
        (0, p(true, Tcp::Syn, first, 0, 1)),
        (1_010, p(true, Tcp::Syn, first, 0, 2)),
        (1_020, p(false, Tcp::SynAck, 900, data, 1)),
        (1_030, p(true, Tcp::Ack, data, 901, 3)),
        (1_040, p(true, Tcp::Data(100), data, 901, 4)),
        (1_250, p(true, Tcp::Data(100), data, 901, 5)),
        (1_260, p(false, Tcp::Ack, 901, data.wrapping_add(100), 2)),
        (1_270, p(false, Tcp::Rst, 901, data.wrapping_add(100), 3)),
    ]
}
