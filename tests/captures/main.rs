//! Captures and recorded events: what is exported opens elsewhere, and what comes from elsewhere is read as it
//! was.

mod damage;
mod frames;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use etherparse::PacketBuilder;
use faultlab::import::connection::Ending;
use faultlab::import::stream::{Stream, record_kind};
use faultlab::import::{self, Names};
use faultlab_sim::engine::Record as _;

use frames::{Tcp, packet, pcap, story};

const LOOPBACK: &[u8] = include_bytes!("../data/captures/loopback.pcapng");
const LOOPBACK_TRACE: &str = include_str!("../data/captures/loopback-trace.txt");
const FTRACE: &str = include_str!("../data/tracepoints/trace-6.18.44.txt");
const PERF: &str = include_str!("../data/tracepoints/perf-script-6.18.44.txt");

fn read(bytes: &[u8]) -> Result<Stream, String> {
    import::read(bytes, None, false, &Names::default()).map_err(|bad| bad.to_string())
}

#[track_caller]
fn imported(bytes: &[u8]) -> Stream {
    read(bytes).unwrap_or_else(|bad| panic!("{bad}"))
}

/// A folder of its own, and the binary in it.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Lab {
        Lab(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The exit code, standard output and standard error.
    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultlab"));
        command
            .args(args)
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        let output = command.output().expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (out, err) = (text(output.stdout), text(output.stderr));
        assert!(!err.contains("internal error"), "{err}");
        (output.status.code().unwrap_or(-1), out, err)
    }
}

/// Whether tshark is there; says so if not.
fn has_tshark() -> bool {
    let found = Command::new("tshark").arg("--version").output().is_ok();
    if !found {
        eprintln!("tshark is not installed (Debian: apt-get install tshark): its half is left out");
    }
    found
}

/// A line of tshark for each packet that `filter` takes.
fn tshark(file: &std::path::Path, filter: &str) -> Vec<String> {
    let output = Command::new("tshark")
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(["-Y", filter, "-r"])
        .arg(file)
        .output()
        .expect("tshark starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn an_exported_syn_blackhole_shows_its_retransmissions() {
    let lab = Lab::new();
    let run = ["run", "syn-blackhole", "--arm", "blackhole-6.18", "--pcap"];
    for file in ["void.pcap", "void.pcapng"] {
        let (code, _, err) = lab.run(&[&run[..], &[file]].concat());
        assert_eq!(code, 0, "{err}");
        let bytes = std::fs::read(lab.path(file)).expect("written");
        let connections = imported(&bytes).connections.expect("packets");
        let [connection] = connections.all.as_slice() else {
            panic!("one connection: {connections:?}");
        };
        // facts: Linux TCP, section 1: 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s, each late by the timer wheel.
        let nominal = [1, 2, 3, 4, 5, 7, 11, 19, 35, 67];
        let seconds: Vec<u64> = connection
            .syn_again
            .iter()
            .map(|span| span.0 / 1_000_000_000)
            .collect();
        assert_eq!(seconds.len(), nominal.len());
        for (is, least) in seconds.iter().zip(nominal) {
            assert!((least..least + 3).contains(is), "{seconds:?}");
        }
        if has_tshark() {
            let again = tshark(
                &lab.path(file),
                "tcp.analysis.retransmission && tcp.flags.syn==1 && tcp.flags.ack==0",
            );
            assert_eq!(again.len(), 10, "{again:?}");
            let bad = "_ws.malformed || tcp.checksum.status != 1 || ip.checksum.status != 1";
            assert_eq!(tshark(&lab.path(file), bad), [""; 0]);
        }
    }
    if has_tshark() {
        // Nothing but the first SYN arrives, whoever sends it.
        let lost = tshark(&lab.path("void.pcapng"), "frame.comment contains \"lost\"").len();
        assert!(lost >= 10, "{lost}");
    }
}

#[test]
fn what_cannot_be_exported_is_refused_and_nothing_is_written() {
    let lab = Lab::new();
    for (args, says) in [
        (
            &["path-lost-update", "--pcap", "x"][..],
            "the arm baseline of path-lost-update has no TCP world",
        ),
        (
            &["syn-blackhole", "--pcap", "x", "--arm", "hole"],
            "its arms are: baseline, blackhole-6.18, blackhole-6.1",
        ),
        (&["--pcap", "x"], "write one run of one scenario"),
        (&["syn-blackhole", "--arm", "baseline"], "leave --arm out"),
        (
            &["syn-blackhole", "--pcap", "x", "--perfetto", "x"],
            "two outputs go to one file",
        ),
        (
            &["syn-blackhole", "--perfetto", "missing/x"],
            "cannot be written",
        ),
    ] {
        let (code, out, err) = lab.run(&[&["run"], args].concat());
        let err = err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says), "{err}");
        assert!(
            ["", "1 scenario could not be judged.\n"].contains(&&*out),
            "{out}"
        );
        assert_eq!(
            std::fs::read_dir(lab.0.path()).expect("readable").count(),
            0
        );
    }
    // A run of any world can be looked at.
    let (code, _, err) = lab.run(&["run", "path-lost-update", "--perfetto", "x.json"]);
    assert_eq!(code, 0, "{err}");
    let text = std::fs::read(lab.path("x.json")).expect("written");
    let trace: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("a list");
    let actors = events.iter().filter(|e| e["name"] == "process_name");
    assert!(actors.count() >= 2, "{trace}");
}

/// Two clients that close again and again, on a link that loses nothing.
const CHURN: &str = r#"Scenario(
    version: 1, id: "churn", title: "Short connections",
    story: (said: "", happens: "", why: "", see: ""),
    world: Tcp((clients: 2, kernel: "6.18", work: Short(hold_ms: 300), reconnect: Fixed(delay_ms: 50), until_ms: 2100)),
    cases: [(search: Run)],
    arms: [(name: "baseline"), (name: "other-kernel", world: Tcp((clients: 3, kernel: "6.1", reconnect: Never, until_ms: 900)))],
    claims: [(
        id: "they-close", says: "a client closes first",
        claim: Every(Eventually((kind: "inet_sock_set_state", actor: "client-*", where: { "newstate": Is("TCP_FIN_WAIT1") }))),
        control: ["other-kernel"], expected: Holds,
    )],
)"#;

/// Of each socket, by addresses and ports: what it went through.
fn lives(stream: &Stream) -> BTreeMap<[String; 4], Vec<String>> {
    let mut lives: BTreeMap<[String; 4], Vec<String>> = BTreeMap::new();
    for entry in &stream.entries() {
        let field = |name: &str| {
            entry
                .record
                .field(name)
                .map_or_else(String::new, |v| v.to_string())
        };
        let kind = record_kind(entry);
        let is_listener = field("newstate") == "TCP_LISTEN" || field("dport") == "0";
        if matches!(kind, "app" | "tcp_destroy_sock") || is_listener {
            continue;
        }
        let words = match kind {
            "inet_sock_set_state" => format!("{} to {}", field("oldstate"), field("newstate")),
            kind => kind.into(),
        };
        let socket = ["saddr", "sport", "daddr", "dport"].map(field);
        lives.entry(socket).or_default().push(words);
    }
    lives
}

#[test]
fn what_the_model_sent_shows_what_its_tracepoints_showed() {
    let lab = Lab::new();
    std::fs::write(lab.path("churn.ron"), CHURN).expect("writable");
    let args = [
        "run",
        "churn.ron",
        "--pcap",
        "c.pcap",
        "--trace",
        "c.jsonl",
        "--perfetto",
        "c.json",
    ];
    let (code, _, err) = lab.run(&args);
    assert_eq!(code, 0, "{err}");
    let file = |name: &str| std::fs::read(lab.path(name)).expect("written");
    let packets = imported(&file("c.pcap"));
    let names = Names::default();
    let trace = import::read(&file("c.jsonl"), Some("baseline"), false, &names).expect("a trace");
    let (of_packets, of_trace) = (lives(&packets), lives(&trace));
    assert_eq!(of_packets, of_trace);
    assert!(of_trace.len() > 10, "{of_trace:?}");

    // Every state that a socket was in is a slice on a track of its own.
    let perfetto: serde_json::Value = serde_json::from_slice(&file("c.json")).expect("JSON");
    let events = perfetto["traceEvents"].as_array().expect("a list");
    let slices = |state: &str| {
        let slices = events
            .iter()
            .filter(|e| e["ph"] == "X" && e["name"] == state);
        slices
            .map(|e| e["dur"].as_f64().expect("a number"))
            .collect::<Vec<_>>()
    };
    let listening = slices("TCP_LISTEN");
    assert!(
        matches!(listening[..], [us] if us > 1_900_000.0),
        "{listening:?}"
    );
    let open = of_trace
        .values()
        .flatten()
        .filter(|words| words.ends_with("to TCP_ESTABLISHED"));
    assert_eq!(slices("TCP_ESTABLISHED").len(), open.count());
    let instants = events.iter().filter(|e| e["ph"] == "i").count();
    assert_eq!(instants, trace.entries().len());
}

#[test]
fn a_trace_comes_back_with_the_verdicts_of_its_arms() {
    let lab = Lab::new();
    std::fs::write(lab.path("churn.ron"), CHURN).expect("writable");
    let (code, _, err) = lab.run(&["run", "churn.ron", "--trace", "c.jsonl", "--pcap", "c.pcap"]);
    assert_eq!(code, 0, "{err}");
    let (code, _, err) = lab.run(&["import", "c.jsonl"]);
    assert_eq!(code, 2);
    assert!(err.contains("--arm: baseline, other-kernel"), "{err}");
    let judged = |args: &[&str]| {
        let (code, out, err) =
            lab.run(&[&["import"], args, &["--scenario", "churn.ron", "--json"]].concat());
        let answer: serde_json::Value =
            serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
        (
            code,
            answer["claims"][0]["verdict"]
                .as_str()
                .expect("a word")
                .to_owned(),
        )
    };
    assert_eq!(
        judged(&["c.jsonl", "--arm", "baseline"]),
        (0, "Holds".into())
    );
    // The control arm, where it is to come out otherwise.
    assert_eq!(
        judged(&["c.jsonl", "--arm", "other-kernel"]),
        (0, "Refuted".into())
    );
    // In a capture, actors have addresses, unless they are given names.
    assert_eq!(
        judged(&["c.pcap", "--arm", "baseline"]),
        (1, "Refuted".into())
    );
    let named = [
        "c.pcap",
        "--arm",
        "baseline",
        "--actor",
        "client-1=10.1.0.1",
    ];
    assert_eq!(judged(&named), (0, "Holds".into()));
}

#[test]
fn a_real_capture_shows_what_the_kernel_s_tracepoints_showed() {
    let packets = imported(LOOPBACK);
    let trace = imported(LOOPBACK_TRACE.as_bytes());
    assert_eq!(lives(&packets), lives(&trace));
    let connections = packets.connections.expect("packets");
    let ended = |ending| {
        connections
            .all
            .iter()
            .filter(|c| c.ending == ending)
            .count()
    };
    let endings = [Ending::Closed, Ending::Refused, Ending::Reset, Ending::Open];
    assert_eq!(endings.map(ended), [17, 2, 8, 0]);
    assert!(connections.all.iter().any(|c| c.server.is_ipv6()));
}

#[test]
fn recorded_texts_are_counted_as_they_are() {
    let ftrace = imported(FTRACE.as_bytes());
    let lines = |text: &str, kind: &str| {
        text.lines()
            .filter(|l| l.contains(&format!("{kind}: ")))
            .count()
    };
    let perf = imported(PERF.as_bytes());
    for (stream, text) in [(&ftrace, FTRACE), (&perf, PERF)] {
        for kind in stream.kinds() {
            let events = stream.entries();
            let events = events.iter().filter(|e| record_kind(e) == kind);
            assert_eq!(events.count(), lines(text, kind), "{kind}");
        }
        assert!(stream.left_out.is_empty(), "{:?}", stream.left_out);
    }
    let states: Vec<String> = perf
        .entries()
        .iter()
        .filter(|e| record_kind(e) == "tcp_send_reset")
        .map(|e| {
            e.record
                .field("state")
                .map_or_else(String::new, |state| state.to_string())
        })
        .collect();
    // perf prints the first as 0x7.
    assert_eq!(states[..2], ["TCP_CLOSE", "UNKNOWN"]);
}

/// What happened, in words.
fn words(stream: &Stream) -> Vec<String> {
    let entries = stream.entries();
    let words = entries.iter().map(|entry| {
        let field = |name: &str| {
            entry
                .record
                .field(name)
                .map_or_else(String::new, |v| v.to_string())
        };
        let (port, kind) = (field("sport"), record_kind(entry));
        format!(
            "{} {port} {kind} {}{}",
            entry.at.0 / 1_000_000,
            field("newstate"),
            field("state")
        )
    });
    words.collect()
}

const STORY: [&str; 9] = [
    "0 0 inet_sock_set_state TCP_SYN_SENT",
    "1010 4000 tcp_retransmit_skb TCP_SYN_SENT",
    "1030 4000 inet_sock_set_state TCP_ESTABLISHED",
    "1030 6379 inet_sock_set_state TCP_SYN_RECV",
    "1030 6379 inet_sock_set_state TCP_ESTABLISHED",
    "1250 4000 tcp_retransmit_skb TCP_ESTABLISHED",
    "1270 6379 inet_sock_set_state TCP_CLOSE",
    "1270 6379 tcp_send_reset ",
    "1270 4000 tcp_receive_reset ",
];

#[test]
fn every_link_type_tells_the_same_story() {
    for is_v6 in [false, true] {
        for link in [
            1,
            0,
            108,
            113,
            276,
            101,
            12,
            14,
            if is_v6 { 229 } else { 228 },
        ] {
            for (is_big, snap) in [(false, 65_535), (true, 65_535), (false, 20 + 60 + 20)] {
                let stream = imported(&pcap(link, &story(is_v6), is_big, snap));
                let told = words(&stream);
                assert_eq!(told[..9], STORY, "link type {link}, IPv6 {is_v6}");
                assert_eq!(told[9], "1270 4000 inet_sock_set_state TCP_CLOSE");
                assert_eq!(told.len(), 10);
                let connections = stream.connections.expect("packets");
                // Data is counted once, and padding is none, even where the file was cut.
                assert_eq!(connections.all[0].bytes, [100, 0]);
                assert_eq!(connections.all[0].ending, Ending::Reset);
                assert!(stream.left_out.is_empty(), "{:?}", stream.left_out);
            }
        }
    }
}

#[test]
fn copies_and_reordered_segments_are_no_retransmissions() {
    let again = |events: &Stream| {
        let events = events.entries();
        let kinds = events.iter().map(record_kind);
        kinds.filter(|kind| *kind == "tcp_retransmit_skb").count()
    };
    // Captured on a bridge and on the port behind it: each packet is there twice.
    for is_v6 in [false, true] {
        let twice = story(is_v6)
            .into_iter()
            .flat_map(|packet| [packet.clone(), packet]);
        let twice: Vec<_> = twice.collect();
        let stream = imported(&pcap(1, &twice, false, 65_535));
        assert_eq!(again(&stream), 2);
        assert_eq!(stream.connections.expect("packets").twice, 8);
    }

    let data = |id: u16, seq: u32| packet(false, true, Tcp::Data(10), seq, 901, id);
    let late = |ms: u32| vec![(0, data(1, 100)), (1, data(3, 120)), (1 + ms, data(2, 110))];
    let reordered = imported(&pcap(101, &late(1), false, 65_535));
    assert_eq!(again(&reordered), 0);
    assert_eq!(reordered.connections.expect("packets").reordered, 1);
    // 200 ms later it is a retransmission of what was not captured.
    assert_eq!(again(&imported(&pcap(101, &late(200), false, 65_535))), 1);

    let quiet = [
        (0, data(1, 100)),
        (1, packet(false, false, Tcp::Ack, 901, 110, 1)),
        (9_000, packet(false, true, Tcp::Ack, 109, 901, 2)),
    ];
    let keepalive = imported(&pcap(101, &quiet, false, 65_535));
    assert_eq!(
        (
            again(&keepalive),
            keepalive.connections.expect("packets").probes
        ),
        (0, 1)
    );
}

#[test]
fn what_is_no_tcp_is_counted_by_name() {
    let mut udp = Vec::new();
    let builder = PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64).udp(1, 2);
    builder.write(&mut udp, &[0; 8]).expect("memory");
    let mut fragment = packet(false, true, Tcp::Data(40), 1, 1, 1);
    fragment[6] = 0x20;
    let mut short = packet(false, true, Tcp::Syn, 1, 0, 2);
    short.truncate(30);
    let stream = imported(&pcap(
        101,
        &[(0, udp), (1, fragment), (2, short)],
        false,
        65_535,
    ));
    let left: Vec<&str> = stream.left_out.keys().map(String::as_str).collect();
    assert_eq!(
        left,
        [
            "UDP",
            "cut within the TCP header",
            "fragment of an IP packet"
        ]
    );
    // The UDP packet is none that could have been TCP.
    assert_eq!(
        stream.gaps,
        [
            "2 packets of those left out may be TCP; with -s 128 or more, a capture has all of their headers"
        ]
    );
    let unknown = imported(&pcap(147, &story(false), false, 65_535));
    assert_eq!(unknown.left_out["link type 147, which is not known"], 8);
    assert_eq!(unknown.gaps, ["8 packets of those left out may be TCP"]);
    // Wireshark tells such a capture's link type from the length of the checksum behind each frame.
    let with_checksums = pcap(1 | 1 << 26 | 4 << 28, &story(false), false, 65_535);
    assert_eq!(imported(&with_checksums).units, 8);
    // On Ethernet without a link type for what is inside.
    let mut arp = pcap(1, &[(0, vec![0x60; 46])], false, 65_535);
    let at = 24 + 16 + 16;
    arp[at..at + 2].copy_from_slice(&[0x88, 0xcc]);
    let lldp = imported(&arp);
    assert_eq!(lldp.left_out["not IP"], 1);
    assert_eq!(lldp.gaps, [""; 0]);
    arp[at..at + 2].copy_from_slice(&[0x88, 0x64]);
    let pppoe = imported(&arp);
    assert_eq!(pppoe.left_out["PPPoE, which is not looked into"], 1);
    assert_eq!(pppoe.gaps, ["1 packet of those left out may be TCP"]);
}

/// Linux answers a SYN that is sent again while the SYN-ACK's own timer fires, and gives SYN-ACKs no
/// identification: three SYN-ACKs within 19 us on the loopback of Linux 6.18 (tshark: two retransmissions).
#[test]
fn a_syn_ack_that_answers_another_syn_is_no_copy() {
    let syn_ack = || packet(false, false, Tcp::SynAck, 900, 101, 0);
    let syn = |id| packet(false, true, Tcp::Syn, 100, 0, id);
    let again = |packets: &[(u32, Vec<u8>)]| {
        let told = imported(&pcap(101, packets, false, 65_535)).connections;
        let told = told.expect("packets");
        (told.synacks_again, told.twice)
    };
    let first = [(0, syn(1)), (1, syn_ack())];
    let answered = [&first[..], &[(1, syn(2)), (1, syn_ack())]].concat();
    assert_eq!(again(&answered), (1, 0));
    let captured_twice = [&first[..], &[(1, syn_ack())]].concat();
    assert_eq!(again(&captured_twice), (0, 1));
    // Also where all is captured twice.
    let all_twice = [
        &first[..],
        &[(1, syn_ack()), (1, syn(2)), (1, syn(2))],
        &[(1, syn_ack()), (1, syn_ack())],
    ]
    .concat();
    assert_eq!(again(&all_twice), (1, 3));
}

/// On a loopback with IPv6 that loses segments, Linux 6.18 sends again within a millisecond, and the same
/// acknowledgement several times; tshark counts all of them.
#[test]
fn what_is_sent_again_within_a_round_trip_is_no_copy_where_nothing_else_is_one() {
    let p = |by_client, tcp, seq, ack| packet(true, by_client, tcp, seq, ack, 0);
    let story = [
        (0, p(true, Tcp::Syn, 0, 0)),
        (0, p(false, Tcp::SynAck, 900, 1)),
        (0, p(true, Tcp::Ack, 1, 901)),
        (1, p(true, Tcp::Data(100), 1, 901)),
        (1, p(false, Tcp::Ack, 901, 1)),
        (1, p(true, Tcp::Data(100), 1, 901)),
        (1, p(false, Tcp::Ack, 901, 101)),
    ];
    let told = |packets: &[(u32, Vec<u8>)]| {
        let told = imported(&pcap(101, packets, false, 65_535)).connections;
        let told = told.expect("packets");
        (told.all[0].retransmissions, told.twice)
    };
    assert_eq!(told(&story), (1, 0));
    // Two places of capture: what is sent again cannot be told from a copy.
    let twice: Vec<_> = story
        .iter()
        .flat_map(|packet| [packet.clone(), packet.clone()])
        .collect();
    assert_eq!(told(&twice), (0, 8));
}

#[test]
fn what_the_receiver_had_and_the_capture_has_not_makes_it_incomplete() {
    let data = |seq, id| packet(false, true, Tcp::Data(100), seq, 901, id);
    let ack = |ack| packet(false, false, Tcp::Ack, 901, ack, 9);
    let gaps = |packets: &[(u32, Vec<u8>)]| imported(&pcap(101, packets, false, 65_535)).gaps;
    let lost = [(0, data(1, 1)), (1, data(201, 3))];
    // The gap may as well have been lost before the place of capture.
    assert_eq!(gaps(&[&lost[..], &[(2, ack(101))]].concat()), [""; 0]);
    let acked = [&lost[..], &[(2, ack(301))]].concat();
    assert_eq!(
        gaps(&acked),
        ["1 gap in the data that the receiver acknowledged: it was sent and not captured"]
    );
    let filled = [&acked[..], &[(3, data(101, 2))]].concat();
    assert_eq!(gaps(&filled), [""; 0]);
}

/// dumpcap and tcpdump write at the end how much they missed, for each interface.
#[test]
fn what_was_dropped_while_capturing_makes_it_incomplete() {
    // isb_ifdrop is option 5 of an interface statistics block; the block is dumpcap's own, with 0 there.
    let option = [5, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let at = LOOPBACK.windows(12).rposition(|bytes| bytes == option);
    let at = at.expect("isb_ifdrop 0");
    assert_eq!(imported(LOOPBACK).gaps, [""; 0]);
    let mut dropped = LOOPBACK.to_vec();
    dropped[at + 4] = 7;
    assert_eq!(
        imported(&dropped).gaps,
        ["7 packets dropped while capturing, as the file says"]
    );
}

/// A value that is cut looks like another: sport=70 of sport=7000.
#[test]
fn a_text_s_last_line_without_an_end_is_left_out() {
    let lines: Vec<&str> = FTRACE.split_inclusive('\n').collect();
    let whole = imported(FTRACE.as_bytes());
    assert_eq!(whole.gaps, [""; 0]);
    let cut = imported(FTRACE.trim_end().as_bytes());
    assert_eq!(cut.entries().len(), whole.entries().len() - 1);
    let number = lines.len();
    assert_eq!(
        cut.gaps,
        [format!(
            "line {number} does not end, so the file may be cut there: it is left out; a newline after it says that it is whole"
        )]
    );
}

/// What import writes it reads, all of it.
#[test]
fn events_that_were_written_are_read_back_as_they_were() {
    let lab = Lab::new();
    std::fs::write(lab.path("trace.txt"), FTRACE).expect("writable");
    std::fs::write(lab.path("perf.txt"), PERF).expect("writable");
    std::fs::write(lab.path("p.pcap"), pcap(1, &story(true), false, 65_535)).expect("writable");
    for file in ["trace.txt", "perf.txt", "p.pcap"] {
        let written = |from: &str, to: &str| {
            let (code, out, err) = lab.run(&["import", from, "--trace", to, "--json"]);
            assert_eq!(code, 0, "{err}");
            let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
            let text = std::fs::read_to_string(lab.path(to)).expect("written");
            (told["left_out"].to_string(), text)
        };
        let (_, first) = written(file, "first.jsonl");
        let (left_out, second) = written("first.jsonl", "second.jsonl");
        assert_eq!(left_out, "{}");
        let times_from_the_first = |text: &str| -> Vec<serde_json::Value> {
            let parse = |line| serde_json::from_str(line).expect("JSON");
            let mut entries: Vec<serde_json::Value> = text.lines().map(parse).collect();
            let start = entries[0]["t_ns"].as_u64().expect("a time");
            for entry in &mut entries {
                entry["t_ns"] = (entry["t_ns"].as_u64().expect("a time") - start).into();
            }
            entries
        };
        assert_eq!(times_from_the_first(&second), times_from_the_first(&first));
        let (_, third) = written("second.jsonl", "third.jsonl");
        assert_eq!(third, second, "{file}");
    }
}

#[test]
fn the_lines_before_a_damaged_one_are_to_be_had() {
    let json = "{\"t_ns\":1,\"event\":\"tcp_send_reset\",\"actor\":\"a\"}\n{\"t_ns\":2,\"ev";
    for (text, line) in [
        (format!("{FTRACE}noise\n"), FTRACE.lines().count() + 1),
        (json.to_owned(), 2),
    ] {
        let bad = import::read(text.as_bytes(), None, false, &Names::default());
        let bad = bad.expect_err("damaged").to_string();
        assert!(bad.starts_with(&format!("line {line}: ")), "{bad}");
        let partial = import::read(text.as_bytes(), None, true, &Names::default());
        let partial = partial.expect("what comes before");
        assert!(!partial.entries().is_empty());
        assert_eq!(partial.gaps, [bad]);
    }
    // Nothing comes before it.
    for text in ["noise\n", "{\n"] {
        let read = import::read(text.as_bytes(), None, true, &Names::default());
        read.expect_err("nothing to tell of");
    }
}

/// Kernels before 6.1 print no family there; the v4 address of an IPv6 socket is none.
#[test]
fn addresses_without_a_family_are_the_ones_that_are_meant() {
    let line = |addresses: &str| {
        format!(
            "  <idle>-0 [001] ..s. 21.000000: tcp_retransmit_skb: sport=40000 dport=443 {addresses} state=TCP_SYN_SENT\n"
        )
    };
    for (addresses, saddr) in [
        (
            "saddr=0.0.0.0 daddr=0.0.0.0 saddrv6=2001:db8::1 daddrv6=2001:db8::2",
            "2001:db8::1",
        ),
        (
            "saddr=10.0.0.1 daddr=10.0.0.2 saddrv6=::ffff:10.0.0.1 daddrv6=::ffff:10.0.0.2",
            "10.0.0.1",
        ),
        ("saddr=10.0.0.1 daddr=10.0.0.2", "10.0.0.1"),
    ] {
        let stream = imported(line(addresses).as_bytes());
        assert_eq!(&*stream.entries()[0].actor, saddr);
    }
}

#[test]
fn flags_of_import_that_mean_nothing_are_refused() {
    let lab = Lab::new();
    let file = pcap(1, &story(false), false, 65_535);
    std::fs::write(lab.path("p.pcap"), &file).expect("writable");
    for (flags, says) in [
        (
            &["--arm", "blackhole-6.18"][..],
            "--arm blackhole-6.18: p.pcap (pcap) is no trace of arms",
        ),
        (&["--actor", "client"], "an actor is written NAME=ADDRESS"),
        (
            &["--actor", "client=server"],
            "\"server\" is no IPv4 or IPv6 address",
        ),
        (
            &["--trace", "./p.pcap"],
            "p.pcap is the file that is imported: --trace would replace it",
        ),
    ] {
        let (code, out, err) = lab.run(&[&["import", "p.pcap"], flags].concat());
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(err.contains(says), "{err}");
    }
    assert_eq!(std::fs::read(lab.path("p.pcap")).expect("there"), file);
}

#[test]
fn a_pcapng_keeps_time_in_the_units_of_its_interface() {
    let stream = imported(LOOPBACK);
    // tshark -T fields -e frame.time_delta says the same: nanoseconds, over less than a second.
    assert!(
        (100_000_000..300_000_000).contains(&stream.span_ns),
        "{}",
        stream.span_ns
    );
    let mut fine = LOOPBACK.to_vec();
    let option = [9, 0, 1, 0, 9, 0, 0, 0];
    let at = fine.windows(8).position(|bytes| bytes == option);
    // The same numbers as picoseconds.
    fine[at.expect("if_tsresol 9") + 4] = 12;
    let span_ps = imported(&fine).span_ns * 1_000;
    assert!(span_ps.abs_diff(stream.span_ns) < 2_000, "{span_ps}");
}

#[test]
fn truncated_captures_are_refused_with_the_place() {
    let file = pcap(1, &story(false), false, 65_535);
    let cut = &file[..file.len() - 5];
    let says = read(cut).expect_err("cut short");
    let last = file.len() - 16 - 90;
    assert_eq!(
        says,
        format!(
            "byte {last}: a packet of 90 bytes is cut short: the file ends after {} of them",
            cut.len() - last - 16
        )
    );
    let partial = import::read(cut, None, true, &Names::default()).expect("what comes before");
    assert_eq!(partial.connections.as_ref().expect("packets").segments, 7);
    assert_eq!(partial.gaps, [says]);

    assert_eq!(
        read(&file[..20]).expect_err("no header"),
        "byte 0: the file's header is cut short: the file ends after 20 more bytes"
    );
    let mut damaged = file.clone();
    damaged[24 + 8..24 + 12].fill(0xff);
    assert!(
        read(&damaged)
            .expect_err("no length")
            .starts_with("byte 24: ")
    );
    let says = read(&LOOPBACK[..LOOPBACK.len() / 2]).expect_err("cut short");
    assert!(says.contains("a block is cut short"), "{says}");
}

/// A tracer that was killed leaves a packet half written: that is said with its place, nothing is written, and what
/// comes before it is to be had on request.
#[test]
fn a_capture_that_was_cut_short_is_refused_and_its_beginning_is_to_be_had() {
    let lab = Lab::new();
    let whole = pcap(1, &story(false), true, 65_535);
    let all = imported(&whole).connections.expect("packets").segments;
    for part in 1..4 {
        // Not where a packet ends.
        let cut = &whole[..whole.len() * part / 4 + 1];
        std::fs::write(lab.path("cut.pcap"), cut).expect("writable");
        let (code, out, err) = lab.run(&["import", "cut.pcap", "--trace", "out.jsonl"]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(
            err.contains("cut.pcap: byte ") && err.contains("is cut short"),
            "{err}"
        );
        assert!(err.contains("--partial"), "{err}");
        assert!(!lab.path("out.jsonl").exists());
        let (code, out, err) = lab.run(&["import", "cut.pcap", "--partial", "--json"]);
        assert_eq!(code, 0, "{err}");
        let told: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert!(told.to_string().contains("is cut short"), "{told}");
        let partial = import::read(cut, None, true, &Names::default()).expect("a beginning");
        assert!(partial.connections.expect("packets").segments < all);
    }
}

#[test]
fn other_files_are_refused_with_what_to_do() {
    let lab = Lab::new();
    let refused = |bytes: &[u8]| {
        std::fs::write(lab.path("x"), bytes).expect("writable");
        let (code, out, err) = lab.run(&["import", "x", "--trace", "out.jsonl"]);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert!(!lab.path("out.jsonl").exists());
        err.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (bytes, says) in [
        (&b""[..], "x: the file is empty"),
        (b"PERFILE2\0\0", "perf script -i FILE"),
        (
            b"\x1f\x8b\x08\0",
            "it is compressed by gzip help: `gzip -dc FILE | faultlab import -`",
        ),
        (
            b"\xd4\xc3\xb2\xa1\x02\0\x04\0",
            "there is nothing before it: copy or capture it again",
        ),
        (
            b"\x7fELF\x02\x01\xff\xfe",
            "this is no file that can be imported",
        ),
        (
            b"hello\n",
            "x: line 1: this is no line of trace_pipe or perf script",
        ),
        (b"# tracer: nop\n#\n", "there is no event in it"),
        (b"[{\"t_ns\":1}]\n", "x: line 1: this is a JSON array"),
        // The mark of UTF-8 is no part of the first line.
        (
            b"\xef\xbb\xbf{\"t_ns\":-1}\n",
            "x: line 1: \"t_ns\" is no whole number",
        ),
        (
            b"{\"t_ns\":1,\"event\":\"tcp_send_reset\",\"actor\":\"a\"}\n{\"t_ns\":}\n",
            "x: line 2: column 9: expected value",
        ),
        (
            b"{\"t_ns\":-1,\"event\":\"tcp_send_reset\"}\n",
            "x: line 1: \"t_ns\" is no whole number",
        ),
        (
            b"{\"t_ns\":1,\"event\":\"tcp_send_reset\",\"sport\":\"x\"}\n",
            "sport is no number",
        ),
        (
            b"a-1 [000] ..... 1.000001: tcp_send_reset: src=1.2.3.4:5 dest=9 state=TCP_CLOSE\n",
            "x: line 1: tcp_send_reset: dest cannot be \"9\"",
        ),
    ] {
        let err = refused(bytes);
        assert!(err.contains(says), "{err}");
    }
    let (code, _, err) = lab.run(&["import", "missing"]);
    assert_eq!(code, 2);
    assert!(err.contains("missing cannot be read"), "{err}");
    // Without a byte of it being read.
    let huge = std::fs::File::create(lab.path("huge")).expect("writable");
    huge.set_len((4 << 30) + 1).expect("a sparse file");
    let (code, _, err) = lab.run(&["import", "huge"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("huge cannot be read: it has more than 4 GiB"),
        "{err}"
    );
}

#[test]
fn a_claim_that_the_events_cannot_decide_is_undecided() {
    let lab = Lab::new();
    std::fs::write(lab.path("t.txt"), FTRACE).expect("writable");
    let lost = FTRACE
        .lines()
        .next()
        .map(|_| format!("{FTRACE}CPU:1 [LOST 7 EVENTS]\n"));
    std::fs::write(lab.path("lost.txt"), lost.expect("text")).expect("writable");
    std::fs::write(lab.path("p.pcap"), pcap(1, &story(false), false, 65_535)).expect("writable");
    let verdict = |file: &str, claim: &str, more: &[&str]| {
        let claims = format!("[(id: \"c\", says: \"so\", claim: Every({claim}), expected: Holds)]");
        std::fs::write(lab.path("c.ron"), claims).expect("writable");
        let args = [&["import", file, "--claims", "c.ron", "--json"], more].concat();
        let (code, out, err) = lab.run(&args);
        let answer: serde_json::Value =
            serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
        let claim = &answer["claims"][0];
        let why = claim["undecided"].as_str().unwrap_or_default().to_owned();
        (
            code,
            claim["verdict"].as_str().expect("a word").to_owned(),
            why,
        )
    };
    let holds = (0, "Holds".to_owned(), String::new());
    let undecided = |why: &str| (1, "Undecided".to_owned(), why.to_owned());

    let again = "Count(of: (kind: \"tcp_retransmit_skb\"), least: 3, most: 3)";
    assert_eq!(verdict("t.txt", again, &[]), holds);
    let synacks = "Never((kind: \"tcp_retransmit_synack\"))";
    assert_eq!(
        verdict("t.txt", synacks, &[]),
        undecided("nothing shows that tcp_retransmit_synack was recorded")
    );
    assert_eq!(
        verdict("t.txt", synacks, &["--recorded", "tcp_retransmit_synack"]),
        holds
    );
    // 6.18 does not print the socket of a change of state.
    let sockets = "Distinct(of: (kind: \"inet_sock_set_state\"), field: \"skaddr\", least: 2)";
    assert_eq!(
        verdict("t.txt", sockets, &[]),
        undecided("skaddr of inet_sock_set_state is not known")
    );

    // Lost events can unmake an upper bound, and not what was seen.
    let (code, word, why) = verdict("lost.txt", again, &[]);
    assert_eq!((code, &*word), (1, "Undecided"));
    assert!(why.contains("the tracer lost 7 EVENTS"), "{why}");
    assert_eq!(
        verdict(
            "lost.txt",
            "Eventually((kind: \"tcp_retransmit_skb\"))",
            &[]
        ),
        holds
    );

    // Nor can they take back what must not be.
    let refuted = (1, "Refuted".to_owned(), String::new());
    for claim in [
        "Never((kind: \"tcp_retransmit_skb\"))",
        "Count(of: (kind: \"tcp_retransmit_skb\"), most: 2)",
        "Not(Eventually((kind: \"tcp_retransmit_skb\")))",
    ] {
        assert_eq!(verdict("lost.txt", claim, &[]), refuted);
    }
    let (code, word, _) = verdict(
        "lost.txt",
        "Never((kind: \"tcp_send_reset\", where: { \"sport\": Is(1) }))",
        &[],
    );
    assert_eq!((code, &*word), (1, "Undecided"));

    assert_eq!(
        verdict("p.pcap", "Never((kind: \"app\"))", &[]),
        undecided("no packet shows app")
    );
    let reason = "Eventually((kind: \"tcp_send_reset\", where: { \"reason\": Is(\"TCP_STATE\") }))";
    assert_eq!(
        verdict("p.pcap", reason, &[]),
        undecided("no packet shows reason of tcp_send_reset")
    );
    let rate = "Rate(of: (kind: \"tcp_retransmit_skb\"), per_ms: 300, least: 2)";
    assert_eq!(verdict("p.pcap", rate, &[]), holds);

    std::fs::write(lab.path("c.ron"), "[(id: \"c\", says: \"\", claim: Some(Never((kind: \"tcp_retransmit\"))), expected: Holds)]")
        .expect("writable");
    let (code, _, err) = lab.run(&["import", "t.txt", "--claims", "c.ron"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("c.ron:1:") && err.contains("tcp_retransmit_skb"),
        "{err}"
    );
    // A state that no socket has would be refuted without a word.
    std::fs::write(lab.path("c.ron"), "[(id: \"c\", says: \"\", claim: Some(Eventually((kind: \"tcp_retransmit_skb\", where: { \"state\": Is(\"SYN_SENT\") }))), expected: Holds)]")
        .expect("writable");
    let (code, _, err) = lab.run(&["import", "t.txt", "--claims", "c.ron"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("there is no TCP state \"SYN_SENT\"") && err.contains("TCP_SYN_SENT"),
        "{err}"
    );
    std::fs::write(lab.path("c.ron"), "[(id: \"c\", says: \"\", claim: Some(Eventually((kind: \"app\", where: { \"errno\": Is(\"ECONREFUSED\") }))), expected: Holds)]")
        .expect("writable");
    let (code, _, err) = lab.run(&["import", "t.txt", "--claims", "c.ron"]);
    assert_eq!(code, 2);
    assert!(
        err.contains("ECONREFUSED") && err.contains("ECONNREFUSED"),
        "{err}"
    );
    std::fs::write(lab.path("c.ron"), "[]").expect("writable");
    let (code, out, err) = lab.run(&["import", "t.txt", "--claims", "c.ron"]);
    assert_eq!((code, &*out), (2, ""));
    assert!(err.contains("c.ron: there is no claim in it"), "{err}");
}

/// Captures a small client and server with tshark, on 127.0.0.1 only; none where that is not possible.
fn captured_here() -> Option<Vec<u8>> {
    if !has_tshark() {
        return None;
    }
    let lab = Lab::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    let file = lab.path("here.pcapng");
    let mut tshark = Command::new("tshark")
        .args(["-q", "-i", "lo", "-a", "duration:20", "-f"])
        .arg(format!("tcp port {}", address.port()))
        .arg("-w")
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("tshark starts");
    let exchange = || -> std::io::Result<()> {
        let mut client = TcpStream::connect(address)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"ping")?;
        server.read_exact(&mut [0; 4])?;
        drop(client);
        // The server sees the end before it closes.
        server.read_to_end(&mut Vec::new())?;
        Ok(())
    };
    // When tshark has begun shows in its file: connections are made until one is there.
    let deadline = Instant::now() + Duration::from_secs(15);
    let mut stream = None;
    while Instant::now() < deadline && tshark.try_wait().expect("a child").is_none() {
        exchange().expect("loopback works");
        let bytes = std::fs::read(&file).unwrap_or_default();
        // The file may end within a block while it is written.
        let partial = import::read(&bytes, None, true, &Names::default());
        let whole = partial
            .ok()
            .and_then(|stream| stream.connections)
            .is_some_and(|connections| {
                connections
                    .all
                    .iter()
                    .any(|c| c.ending == Ending::Closed && c.bytes == [4, 0])
            });
        if whole {
            stream = Some(bytes);
            break;
        }
        std::thread::yield_now();
    }
    tshark.kill().expect("a child");
    tshark.wait().expect("a child");
    if stream.is_none() {
        eprintln!("tshark captures nothing here (no permission?): its half is left out");
    }
    stream
}

#[test]
fn a_capture_made_here_imports_and_is_judged() {
    let Some(bytes) = captured_here() else { return };
    let lab = Lab::new();
    std::fs::write(lab.path("here.pcapng"), bytes).expect("writable");
    let claims = r#"[
        (id: "closes", says: "the client closes first", expected: Holds,
         claim: Every(Sequence([
             (kind: "inet_sock_set_state", where: { "newstate": Is("TCP_SYN_SENT") }),
             (kind: "inet_sock_set_state", where: { "newstate": Is("TCP_FIN_WAIT1") }),
             (kind: "inet_sock_set_state", where: { "newstate": Is("TCP_CLOSE_WAIT") }),
         ]))),
        (id: "no-reset", says: "nobody resets", expected: Refuted, claim: Some(Eventually((kind: "tcp_send_reset")))),
    ]"#;
    std::fs::write(lab.path("c.ron"), claims).expect("writable");
    let (_, out, err) = lab.run(&[
        "import",
        "here.pcapng",
        "--partial",
        "--claims",
        "c.ron",
        "--json",
    ]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{err}"));
    assert_eq!(answer["claims"][0]["verdict"], "Holds", "{answer}");
    // Cut while it was written, what did not happen is open; else it is refuted.
    let is_cut = !answer["gaps"].as_array().expect("a list").is_empty();
    let verdict = if is_cut { "Undecided" } else { "Refuted" };
    assert_eq!(answer["claims"][1]["verdict"], verdict, "{answer}");
}
