//! Finer points that were measured on Linux 6.18.44 and on Debian's 6.1.0-56-cloud-amd64, one by one. Whole
//! recordings are played by the project's `tests/tcp_vectors.rs`.

use super::bench::{PORT, pair, slow_pair, table, times};
use crate::engine::Span;
use crate::linux::tcp::{Closing, End, Keepalive, Kernel, Listening, SocketOptions};

const KERNELS: [Kernel; 2] = [Kernel::V6_1, Kernel::V6_18];
const PLAIN: SocketOptions = SocketOptions {
    keepalive: None,
    user_timeout_ms: 0,
    local_port: None,
};

#[track_caller]
fn assert_within(found: &[u64], ranges: &[(u64, u64)]) {
    let fits = |(at, (low, high)): (&u64, &(u64, u64))| low <= at && at <= high;
    assert!(
        found.len() == ranges.len() && found.iter().zip(ranges).all(fits),
        "{found:?} is not within {ranges:?}"
    );
}

/// With tcp_retries2 3 (3.0 s): sent at 1.000 s, probe at 1.205, first timeout at 1.413, from which giving up is
/// counted, so that there is still a retransmission at 4.329; the end at 7.72.
#[test]
fn giving_up_is_counted_from_the_first_timeout_not_from_the_probe() {
    for kernel in KERNELS {
        let mut lab = pair(kernel, &[("tcp_retries2", "3")]);
        lab.listen(End::Server, PORT, Listening::default()).unwrap();
        lab.run(Span::from_ms(500));
        lab.connect(End::Server, PORT, 1, PLAIN, true);
        lab.run(Span::from_ms(500));
        lab.set_deaf(End::Server, PORT, true);
        lab.send(1, End::Client, 100).unwrap();
        lab.run(Span::from_s(10));
        assert_within(
            &times(&lab, "retransmit_skb"),
            &[
                (1204, 1208),
                (1408, 1416),
                (1816, 1860),
                (2632, 2710),
                (4264, 4400),
            ],
        );
        assert_within(&times(&lab, "ETIMEDOUT"), &[(7528, 8100)]);
    }
}

#[test]
fn the_last_timer_is_shortened_to_the_user_timeout() {
    let options = SocketOptions {
        user_timeout_ms: 3_000,
        ..PLAIN
    };
    let mut lab = pair(Kernel::V6_18, &[]);
    lab.set_deaf(End::Server, PORT, true);
    lab.connect(End::Server, PORT, 1, options, true);
    lab.run(Span::from_s(10));
    assert_within(&times(&lab, "ETIMEDOUT"), &[(3_000, 3_036)]);

    let mut lab = pair(Kernel::V6_18, &[]);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.connect(End::Server, PORT, 1, options, true);
    lab.run(Span::from_ms(1_000));
    lab.set_deaf(End::Server, PORT, true);
    lab.send(1, End::Client, 100).unwrap();
    lab.run(Span::from_s(10));
    assert_within(&times(&lab, "ETIMEDOUT"), &[(4_408, 4_450)]);
}

/// On 6.1 with tcp_synack_retries 1 the request expires at 3 s in the tick of the client's SYN, which makes a
/// new one: its timer sends a SYN-ACK a second later.
#[test]
fn a_request_that_expires_gives_way_to_a_new_one() {
    let mut lab = pair(Kernel::V6_1, &[("tcp_synack_retries", "1")]);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.set_deaf(End::Client, PORT, true);
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.run(Span::from_ms(6_900));
    assert_within(
        &times(&lab, "retransmit_synack"),
        &[(1_000, 1_032), (1_000, 1_032), (4_000, 4_100)],
    );
}

#[test]
fn the_accept_queue_holds_one_more_than_the_backlog_and_the_rest_waits() {
    let mut lab = pair(Kernel::V6_18, &[]);
    let app = Listening {
        backlog: 1,
        accepts: false,
        ..Listening::default()
    };
    lab.listen(End::Server, PORT, app).unwrap();
    for _ in 0..6 {
        lab.connect(End::Server, PORT, 1, PLAIN, true);
        lab.run(Span::from_ms(20));
    }
    let client = lab.sockets(End::Client);
    assert_eq!((client["ESTAB"], client["SYN-SENT"]), (2, 4));
    assert_eq!(lab.counters(End::Server).listen_overflows, 4);
    // One is accepted: the next SYN of each of the others finds room, one of them in time.
    assert_eq!(lab.accept(End::Server, PORT, 1), Ok(1));
    lab.run(Span::from_ms(1_100));
    assert_eq!(lab.sockets(End::Client)["ESTAB"], 3);
}

/// Handshakes that cross each other on a slow link: two requests, and one of the final ACKs finds the
/// accept queue full. With tcp_abort_on_overflow it is answered by a RST of the listener; without, the SYN-ACK goes
/// out again, and a late accept() lets the handshake finish.
#[test]
fn a_final_ack_may_find_the_accept_queue_full() {
    let app = Listening {
        backlog: 2,
        accepts: false,
        ..Listening::default()
    };
    let played = |kernel, abort| {
        let mut lab = slow_pair(kernel, &[("tcp_abort_on_overflow", abort)], 10);
        lab.listen(End::Server, PORT, app).unwrap();
        lab.connect(End::Server, PORT, 2, PLAIN, true);
        lab.run(Span::from_ms(100));
        lab.connect(End::Server, PORT, 2, PLAIN, true);
        lab.run(Span::from_ms(400));
        lab
    };
    let tail = |reason: &str| {
        [
            format!("130 server - tcp_send_reset LISTEN{reason}"),
            "140 client 4 tcp_receive_reset".into(),
            "140 client 4 ESTABLISHED > CLOSE".into(),
            "140 client 4 app error ECONNRESET".into(),
        ]
    };
    for (kernel, reason) in [(Kernel::V6_1, ""), (Kernel::V6_18, " INVALID_SYN")] {
        let lab = played(kernel, "1");
        let seen = table(&lab, 130);
        let broken: Vec<&String> = seen
            .iter()
            .filter(|line| line.contains("client 4") || line.contains("reset"))
            .collect();
        assert_eq!(broken, tail(reason).iter().collect::<Vec<_>>());
    }
    let mut lab = played(Kernel::V6_18, "0");
    assert_eq!(lab.sockets(End::Client)["ESTAB"], 4);
    assert_eq!(lab.sockets(End::Server)["ESTAB"], 3);
    assert_eq!(lab.sockets(End::Server)["SYN-RECV"], 1);
    lab.accept(End::Server, PORT, 1).unwrap();
    lab.run(Span::from_ms(800));
    assert_eq!(times(&lab, "retransmit_synack").len(), 1);
    assert_eq!(lab.sockets(End::Server)["ESTAB"], 4);
}

/// With SYN cookies nothing retransmits what the full accept queue dropped: the client is connected, the
/// server knows nothing.
#[test]
fn a_cookie_that_finds_the_accept_queue_full_is_dropped_in_silence() {
    let mut lab = slow_pair(Kernel::V6_18, &[("tcp_abort_on_overflow", "1")], 10);
    let app = Listening {
        backlog: 1,
        accepts: false,
        ..Listening::default()
    };
    lab.listen(End::Server, PORT, app).unwrap();
    lab.connect(End::Server, PORT, 6, PLAIN, true);
    lab.run(Span::from_s(10));
    let counters = lab.counters(End::Server);
    // Two have requests, as one more than the backlog fits.
    assert_eq!((counters.syncookies_sent, counters.syncookies_recv), (4, 4));
    assert_eq!(lab.sockets(End::Client).get("ESTAB"), Some(&6));
    assert_eq!(lab.sockets(End::Server).get("ESTAB"), Some(&2));
    assert_eq!(
        times(&lab, "retransmit").len() + times(&lab, "reset").len(),
        0
    );
    // Data brings the cookie once more, and there is room by now.
    lab.accept(End::Server, PORT, 2).unwrap();
    lab.send(6, End::Client, 10).unwrap();
    lab.run(Span::from_ms(500));
    assert_eq!(lab.sockets(End::Server).get("ESTAB"), Some(&3));
}

/// tcp_fin_timeout 90: an orphan stays a full socket for 30 s, then a mini-socket for as long.
#[test]
fn what_is_beyond_a_minute_of_fin_timeout_is_waited_as_a_full_socket() {
    let mut lab = pair(Kernel::V6_18, &[("tcp_fin_timeout", "90")]);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.close(&[1], End::Client, Closing::Close).unwrap();
    lab.run(Span::from_s(29));
    assert_eq!(times(&lab, "FIN_WAIT2 > CLOSE"), [0; 0]);
    lab.run(Span::from_s(5));
    assert_within(&times(&lab, "FIN_WAIT2 > CLOSE"), &[(30_000, 32_060)]);
    assert_eq!(lab.sockets(End::Client)["FIN-WAIT-2"], 1);
    lab.run(Span::from_s(55));
    assert_eq!(lab.sockets(End::Client).get("FIN-WAIT-2"), None);
}

/// Data for an orphan's mini-socket is answered by its RST before it expires, by nobody's after.
#[test]
fn late_data_meets_the_orphan_s_mini_socket() {
    for (wait_s, seen) in [
        (3, "client 1 tcp_send_reset TIME_WAIT TCP_TIMEWAIT_SOCKET"),
        (70, "client 1 tcp_send_reset UNKNOWN NO_SOCKET"),
    ] {
        let mut lab = pair(Kernel::V6_18, &[]);
        lab.listen(End::Server, PORT, Listening::default()).unwrap();
        lab.connect(End::Server, PORT, 1, PLAIN, true);
        lab.close(&[1], End::Client, Closing::Close).unwrap();
        lab.run(Span::from_s(wait_s));
        lab.send(1, End::Server, 10).unwrap();
        let at = wait_s * 1_000;
        let expected = [
            format!("{at} {seen}"),
            format!("{at} server 1 tcp_receive_reset"),
            format!("{at} server 1 CLOSE_WAIT > CLOSE"),
            format!("{at} server 1 app error EPIPE"),
        ];
        assert_eq!(table(&lab, at), expected);
    }
}

/// From the source (tcp_rcv_state_process), not recorded: tcp_reset() is called for data that nobody
/// will read, so tcp_receive_reset fires although no RST came. The ACK of the FIN then meets the listener.
#[test]
fn data_under_way_meets_an_orphan_and_breaks_off() {
    let mut lab = slow_pair(Kernel::V6_18, &[], 10);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.run(Span::from_ms(400));
    lab.close(&[1], End::Server, Closing::Close).unwrap();
    lab.run(Span::from_ms(5));
    lab.send(1, End::Client, 10).unwrap();
    lab.run(Span::from_ms(95));
    lab.close(&[1], End::Client, Closing::Close).unwrap();
    assert_eq!(
        table(&lab, 400),
        [
            "400 server 1 ESTABLISHED > FIN_WAIT1",
            "410 client 1 ESTABLISHED > CLOSE_WAIT",
            "415 server 1 tcp_receive_reset",
            "415 server 1 FIN_WAIT1 > CLOSE",
            "415 server 1 tcp_destroy_sock",
            "415 server 1 tcp_send_reset CLOSE TCP_ABORT_ON_DATA",
            "422 server - tcp_send_reset LISTEN TCP_FLAGS",
            "425 client 1 tcp_receive_reset",
            "425 client 1 CLOSE_WAIT > CLOSE",
            "425 client 1 app error EPIPE",
            "500 client 1 tcp_destroy_sock",
        ]
    );
}

/// A keepalive probe meets a server that has started anew: its listener answers RST, which 6.1 shows too.
#[test]
fn a_keepalive_probe_to_a_listener_alone_draws_a_reset() {
    for (kernel, reason) in [(Kernel::V6_1, ""), (Kernel::V6_18, " TCP_FLAGS")] {
        let options = SocketOptions {
            keepalive: Some(Keepalive {
                idle_s: 1,
                interval_s: 1,
                count: 3,
            }),
            ..PLAIN
        };
        let mut lab = pair(kernel, &[]);
        lab.listen(End::Server, PORT, Listening::default()).unwrap();
        lab.connect(End::Server, PORT, 1, options, true);
        lab.run(Span::from_ms(100));
        lab.set_link(None, None, Some(true));
        lab.close(&[1], End::Server, Closing::Abort).unwrap();
        lab.run(Span::from_ms(100));
        lab.set_link(None, None, Some(false));
        lab.run(Span::from_ms(1_000));
        let seen: Vec<String> = table(&lab, 900)
            .iter()
            .filter_map(|line| line.split_once(' ').map(|(_, rest)| rest.to_owned()))
            .collect();
        let expected = [
            format!("server - tcp_send_reset LISTEN{reason}"),
            "client 1 tcp_receive_reset".into(),
            "client 1 ESTABLISHED > CLOSE".into(),
            "client 1 app error ECONNRESET".into(),
        ];
        assert_eq!(seen, expected);
    }
}

/// A small write behind another small one that is not acknowledged waits (Nagle), and goes out as the tail loss
/// probe: the first retransmission is then the timeout's.
#[test]
fn the_probe_sends_what_was_held_back_rather_than_something_again() {
    let mut lab = pair(Kernel::V6_18, &[]);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.run(Span::from_ms(1_000));
    lab.set_deaf(End::Server, PORT, true);
    lab.send(1, End::Client, 10).unwrap();
    lab.send(1, End::Client, 10).unwrap();
    lab.run(Span::from_ms(500));
    assert_within(&times(&lab, "retransmit_skb"), &[(1_408, 1_416)]);
}

/// A receiver that does not read acknowledges late, so that a tail loss probe goes out, and closes its window (both
/// measured); the sender probes that, which no event shows, and goes on when there is room again.
#[test]
fn a_closed_window_is_probed_without_an_event() {
    let mut lab = pair(Kernel::V6_18, &[]);
    let app = Listening {
        reads: false,
        accepts: false,
        ..Listening::default()
    };
    lab.listen(End::Server, PORT, app).unwrap();
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.capture();
    lab.send(1, End::Client, 200_000).unwrap();
    lab.run(Span::from_s(600));
    assert_eq!(
        table(&lab, 1),
        ["64 client 1 tcp_retransmit_skb ESTABLISHED"]
    );
    let server = lab.received(1, End::Server);
    let client = lab.buffers(1, End::Client).unwrap();
    let received = lab.packets().iter().map(|packet| packet.segment.ack).max();
    let received = received.unwrap() - lab.packets()[0].segment.seq;
    // Of the rest as much is queued as fits, and a write() waits with the others.
    assert!(server.is_err(), "nobody holds it");
    assert_eq!(client.queued + client.waiting, 200_000 - received);
    assert_eq!(client.queued, client.send_limit.min(200_000 - received));
    let sent = lab
        .packets()
        .iter()
        .map(|packet| packet.segment.end())
        .max();
    let first = lab.packets()[0].segment.seq;
    assert_eq!(sent.unwrap() - first, received);
    lab.accept(End::Server, PORT, 1).unwrap();
    let server = lab.buffers(1, End::Server).unwrap();
    assert_eq!((server.unread, server.window), (received, 0));
    // As much as there is memory for, and one segment (82 656 bytes were measured, after other writes).
    assert!((81_920..81_920 + 1_448).contains(&received), "{received}");
    // Somebody reads: there is room again, the peer is told, and all of it arrives in the end.
    let mut read = 0;
    while read < 200_000 {
        read += lab.read(1, End::Server).unwrap();
        lab.run(Span::from_ms(250));
        assert!(lab.now().0 < 700_000_000_000, "{read} bytes are read");
    }
    assert_eq!(lab.buffers(1, End::Client).unwrap().queued, 0);
    lab.send(1, End::Client, 1).unwrap();
    lab.run(Span::from_s(1));
    // The server ends with data unread: a RST.
    lab.close(&[1], End::Server, Closing::Close).unwrap();
    assert_eq!(times(&lab, "tcp_receive_reset").len(), 1);
}

/// What of a write() does not fit, 46 080 bytes at first, is not written after shutdown(), and it fails with EPIPE. Seen
/// on 6.18 and 6.1, which take 46 336 bytes of 50 000, as a kernel fills its last buffer.
#[test]
fn a_write_that_waits_ends_with_the_sending_half() {
    let mut lab = slow_pair(Kernel::V6_18, &[], 40);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.run(Span::from_ms(500));
    lab.send(1, End::Client, 50_000).unwrap();
    assert_eq!(lab.buffers(1, End::Client).unwrap().waiting, 3_920);
    lab.close(&[1], End::Client, Closing::Shutdown).unwrap();
    assert_eq!(times(&lab, "client 1 app send EPIPE"), [500]);
    lab.run(Span::from_s(2));
    assert_eq!(lab.received(1, End::Server), Ok(46_080));
    assert_eq!(times(&lab, "ESTABLISHED > CLOSE_WAIT").len(), 1);
}

/// 200 000 bytes over a link that loses a fifth of the segments arrive in full and in order. At three tenths each way a
/// real 6.18 with CUBIC is not through after 30 s, nor is the model: timeouts double faster than data arrives.
#[test]
fn what_was_lost_is_sent_again_until_it_arrives() {
    let config = crate::linux::tcp::PairConfig {
        lost_of_million: 0,
        delay: Span::from_ms(5),
        ..crate::linux::tcp::PairConfig::of(Kernel::V6_18)
    };
    for seed in 0..5 {
        let source = crate::engine::source::Seed(seed);
        let mut lab = crate::linux::tcp::PairLab::new(&config, source);
        lab.listen(End::Server, PORT, Listening::default()).unwrap();
        lab.connect(End::Server, PORT, 1, PLAIN, true);
        lab.run(Span::from_ms(100));
        lab.set_link(None, Some(200_000), None);
        lab.send(1, End::Client, 200_000).unwrap();
        lab.close(&[1], End::Client, Closing::Close).unwrap();
        lab.run(Span::from_s(500));
        assert_eq!(lab.received(1, End::Server), Ok(200_000), "seed {seed}");
        assert_eq!(lab.sockets(End::Server)["CLOSE-WAIT"], 1);
    }
}

/// Both ends connect to each other on a link of 50 ms each way, and nobody listens.
fn meeting() -> crate::linux::tcp::PairLab<crate::engine::source::Defaults> {
    let from = |port| SocketOptions {
        local_port: Some(port),
        ..PLAIN
    };
    let mut lab = slow_pair(Kernel::V6_18, &[], 50);
    lab.connect(End::Server, 9102, 1, from(9101), true);
    lab.connect(End::Client, 9101, 1, from(9102), true);
    lab
}

/// Simultaneous open, as Linux 6.18 showed it.
#[test]
fn two_syns_that_meet_make_one_connection() {
    let mut lab = meeting();
    lab.run(Span::from_ms(400));
    assert_eq!(
        table(&lab, 0),
        [
            "0 client 1 CLOSE > SYN_SENT",
            "0 server 2 CLOSE > SYN_SENT",
            "50 client 1 SYN_SENT > SYN_RECV",
            "50 server 2 SYN_SENT > SYN_RECV",
            "100 client 1 SYN_RECV > ESTABLISHED",
            "100 server 2 SYN_RECV > ESTABLISHED",
        ]
    );
    lab.send(1, End::Client, 100).unwrap();
    lab.send(2, End::Server, 200).unwrap();
    lab.run(Span::from_ms(200));
    assert_eq!(lab.received(2, End::Server), Ok(100));
    assert_eq!(lab.received(1, End::Client), Ok(200));
}

#[test]
fn close_while_two_syns_meet_sends_a_fin_at_once() {
    let mut lab = meeting();
    lab.run(Span::from_ms(60));
    lab.close(&[1], End::Client, Closing::Close).unwrap();
    lab.run(Span::from_ms(740));
    assert_eq!(
        table(&lab, 60),
        [
            "60 client 1 SYN_RECV > FIN_WAIT1",
            "100 server 2 SYN_RECV > ESTABLISHED",
            "110 server 2 ESTABLISHED > CLOSE_WAIT",
            "200 client 1 FIN_WAIT1 > FIN_WAIT2",
            "200 client 1 FIN_WAIT2 > CLOSE",
            "200 client 1 tcp_destroy_sock",
        ]
    );
}

/// SYNs that are lost go out again, in the same second on 6.18, and meet then.
#[test]
fn lost_syns_meet_when_they_are_sent_again() {
    let mut lab = meeting();
    lab.run(Span::from_ms(500));
    let mut lost = meeting();
    lost.set_link(None, None, Some(true));
    // What was sent before it went down arrives.
    lost.run(Span::from_ms(500));
    assert_eq!(times(&lost, "SYN_SENT > SYN_RECV"), [50, 50]);
    // Now each has sent its SYN-ACK in vain; the timer sends it again.
    lost.set_link(None, None, Some(false));
    lost.run(Span::from_s(2));
    assert_within(
        &times(&lost, "tcp_retransmit_skb SYN_RECV"),
        &[(1_004, 1_032), (1_004, 1_032)],
    );
    assert_within(
        &times(&lost, "SYN_RECV > ESTABLISHED"),
        &[(1_054, 1_082), (1_054, 1_082)],
    );
}

#[test]
fn a_server_connects_to_a_client_that_listens() {
    let mut lab = slow_pair(Kernel::V6_18, &[], 10);
    lab.listen(End::Client, PORT, Listening::default()).unwrap();
    lab.connect(End::Client, PORT, 1, PLAIN, true);
    lab.run(Span::from_ms(100));
    assert_eq!(
        table(&lab, 0)[1..],
        [
            "0 server 1 CLOSE > SYN_SENT sport 0",
            "20 server 1 SYN_SENT > ESTABLISHED",
            "30 client 1 LISTEN > SYN_RECV",
            "30 client 1 SYN_RECV > ESTABLISHED",
        ]
    );
    assert!(lab.is_port_in_use(End::Client, PORT));
}

/// The context of events, as ftrace showed it: calls of applications, and what the kernel does for nobody.
#[test]
fn events_of_calls_are_their_process_s_and_those_of_timers_nobody_s() {
    use crate::linux::tracepoint::Record;
    let mut lab = pair(Kernel::V6_18, &[]);
    lab.listen(End::Server, PORT, Listening::default()).unwrap();
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.close(&[1], End::Client, Closing::Abort).unwrap();
    lab.connect(End::Server, PORT + 1, 1, PLAIN, true);
    lab.set_deaf(End::Server, PORT, true);
    lab.connect(End::Server, PORT, 1, PLAIN, true);
    lab.run(Span::from_s(2));
    let contexts = |kind: &str, of: &dyn Fn(&Record) -> bool| -> Vec<Option<bool>> {
        let records = lab.events().iter().map(|event| &event.record);
        let wanted = records.filter(|record| record.kind() == kind && of(record));
        wanted.map(Record::softirq).collect()
    };
    assert_eq!(contexts("tcp_retransmit_skb", &|_| true), [Some(true)]);
    // The abort's RST, then that of the closed port.
    let resets = contexts("tcp_send_reset", &|_| true);
    assert_eq!(resets, [Some(false), Some(true)]);
    let connects = |record: &Record| record.words().contains("to TCP_SYN_SENT");
    let connects = contexts("inet_sock_set_state", &connects);
    assert_eq!(connects, [Some(false); 3]);
}

/// Without timestamps there is room for 12 bytes more in a segment. A server that closed answers each segment that
/// comes after with a RST. Seen on 6.18: one for 1449 bytes, two for 1461; with timestamps two for 1449.
#[test]
fn a_segment_is_longer_without_timestamps() {
    for (stamps, bytes, segments) in [("0", 1_449, 1), ("0", 1_461, 2), ("1", 1_449, 2)] {
        let mut lab = pair(Kernel::V6_18, &[("tcp_timestamps", stamps)]);
        lab.listen(End::Server, PORT, Listening::default()).unwrap();
        lab.connect(End::Server, PORT, 1, PLAIN, true);
        lab.run(Span::from_ms(400));
        lab.close(&[1], End::Server, Closing::Close).unwrap();
        lab.run(Span::from_ms(100));
        lab.send(1, End::Client, bytes).unwrap();
        lab.run(Span::from_ms(300));
        assert_eq!(times(&lab, "tcp_send_reset").len(), segments, "{bytes}");
    }
}
