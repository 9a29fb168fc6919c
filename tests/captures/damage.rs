//! Damaged files and senseless segments.

use std::collections::BTreeMap;

use faultlab::import::stream::record_kind;
use faultlab::import::{self, Names};
use faultlab_sim::engine::Record as _;
use proptest::prelude::*;

use super::frames::{Tcp, packet, pcap, story};
use super::{FTRACE, LOOPBACK, PERF, imported};

/// One edit: a piece removed, a piece put in, bytes changed.
fn damage(bytes: &[u8], at: usize, len: usize, put: &[u8], is_cut: bool) -> Vec<u8> {
    let start = at % (bytes.len() + 1);
    let end = (start + len).min(bytes.len());
    let mut damaged = [&bytes[..start], put].concat();
    if !is_cut {
        damaged.extend(&bytes[end..]);
    }
    damaged
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn damaged_files_are_read_or_refused_and_nothing_else(
        which in 0..6, at in any::<usize>(), len in 0_usize..24, put in prop::collection::vec(any::<u8>(), 0..24),
        is_cut in any::<bool>(), is_partial in any::<bool>(),
    ) {
        let whole = match which {
            0 => LOOPBACK.to_vec(),
            1 => pcap(1, &story(false), true, 65_535),
            2 => pcap(276, &story(true), false, 65_535),
            3 => FTRACE.as_bytes()[..6_000].to_vec(),
            4 => PERF.as_bytes()[..6_000].to_vec(),
            _ => b"{\"arm\":\"a\"}\n{\"t_ns\":1,\"actor\":\"a\",\"event\":\"tcp_send_reset\",\"sport\":1}\n".to_vec(),
        };
        let at = match which {
            // Most of it is far from the headers.
            0 if len % 2 == 0 => at % 600,
            _ => at,
        };
        let bytes = damage(&whole, at, len, &put, is_cut);
        match import::read(&bytes, None, is_partial, &Names::default()) {
            Ok(stream) => {
                let summary = import::summary::summarise("damaged", &stream);
                serde_json::to_string(&summary).expect("JSON");
                let times: Vec<u64> = stream.entries().iter().map(|entry| entry.at.0).collect();
                prop_assert!(times.is_sorted());
            }
            Err(bad) => prop_assert!(!bad.to_string().is_empty()),
        }
    }

    #[test]
    fn any_segments_make_a_story(
        segments in prop::collection::vec((any::<bool>(), 0..5, any::<u32>(), any::<u32>(), 0_u16..4, any::<u8>()), 1..40),
        is_near in any::<bool>(),
    ) {
        let near = |number: u32| if is_near { number % 64 } else { number };
        let packets: Vec<(u32, Vec<u8>)> = segments.iter().enumerate().map(|(index, (by, kind, seq, ack, id, len))| {
            let tcp = match kind {
                0 => Tcp::Syn,
                1 => Tcp::SynAck,
                2 => Tcp::Ack,
                3 => Tcp::Data(usize::from(*len) % 40),
                _ => Tcp::Rst,
            };
            (index as u32, packet(false, *by, tcp, near(*seq), near(*ack), *id))
        }).collect();
        let stream = imported(&pcap(101, &packets, false, 65_535));
        // Nothing is lost: each segment belongs to a connection, or is a copy, or a RST out of nowhere.
        let connections = stream.connections.as_ref().expect("packets");
        prop_assert_eq!(connections.segments, packets.len() as u64);
        // States follow the kernel's machine, socket by socket.
        let mut states: BTreeMap<String, String> = BTreeMap::new();
        for entry in &stream.entries() {
            let field = |name: &str| entry.record.field(name).map_or_else(String::new, |v| v.to_string());
            if record_kind(entry) != "inet_sock_set_state" {
                continue;
            }
            let state = |name: &str| faultlab_sim::linux::tracepoint::TcpState::from_name(&field(name));
            let (old, new) = (state("oldstate").expect("a state"), state("newstate").expect("a state"));
            prop_assert!(old.may_become(new), "{old} to {new}");
            let own = field("saddr");
            states.insert(own, new.name().into());
        }
    }
}
