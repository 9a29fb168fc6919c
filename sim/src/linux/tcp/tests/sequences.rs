//! The order of events on one connection. The tables are what was recorded with ftrace on Linux 6.18.44
//! and on Debian's 6.1.0-56-cloud-amd64, two network namespaces joined by a veth pair; among events of
//! one time the order between the hosts is the model's.

use super::bench::{Case, End, Op};
use crate::linux::tcp::Kernel;

/// Compares without leading blanks, and with a readable difference.
#[track_caller]
fn assert_table(case: &Case<'_>, expected: &str) {
    let lines: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .collect();
    let table = case.table();
    let found: Vec<&str> = table.lines().collect();
    assert_eq!(found, lines, "{}:\n{table}", case.kernel.profile().name);
}

const KERNELS: [Kernel; 2] = [Kernel::V6_1, Kernel::V6_18];

#[test]
fn a_closed_port_answers_with_a_reset_that_6_1_does_not_show() {
    let ops = &[(0, Op::Connect), (500, Op::Nothing)];
    let case = |kernel| Case {
        kernel,
        ops,
        ..Case::DEFAULT
    };
    assert_table(
        &case(Kernel::V6_1),
        "0 client CLOSE > SYN_SENT sport 0
         0 client tcp_receive_reset
         0 client SYN_SENT > CLOSE
         0 client app connect ECONNREFUSED",
    );
    assert_table(
        &case(Kernel::V6_18),
        "0 client CLOSE > SYN_SENT sport 0
         0 server tcp_send_reset UNKNOWN NO_SOCKET
         0 client tcp_receive_reset
         0 client SYN_SENT > CLOSE
         0 client app connect ECONNREFUSED",
    );
}

const OPENED: &str = "0 server CLOSE > LISTEN
     300 client CLOSE > SYN_SENT sport 0
     300 client SYN_SENT > ESTABLISHED
     300 server LISTEN > SYN_RECV
     300 server SYN_RECV > ESTABLISHED\n";

fn opened(rest: &str) -> String {
    format!("{OPENED}{rest}")
}

const OPEN: [(u64, Op); 3] = [
    (0, Op::Listen),
    (300, Op::Connect),
    (301, Op::Send(End::Client)),
];

#[test]
fn the_client_closes_first() {
    for kernel in KERNELS {
        let case = Case {
            kernel,
            ops: &[
                OPEN.as_slice(),
                &[
                    (400, Op::Close(End::Client)),
                    (500, Op::Close(End::Server)),
                    (1000, Op::Nothing),
                ],
            ]
            .concat(),
            ..Case::DEFAULT
        };
        assert_table(
            &case,
            &opened(
                "400 client ESTABLISHED > FIN_WAIT1
                 400 server ESTABLISHED > CLOSE_WAIT
                 400 client FIN_WAIT1 > FIN_WAIT2
                 400 client FIN_WAIT2 > CLOSE
                 400 client tcp_destroy_sock
                 500 server CLOSE_WAIT > LAST_ACK
                 500 server LAST_ACK > CLOSE
                 500 server tcp_destroy_sock",
            ),
        );
    }
}

#[test]
fn the_server_closes_first() {
    for kernel in KERNELS {
        let case = Case {
            kernel,
            ops: &[
                OPEN.as_slice(),
                &[
                    (400, Op::Close(End::Server)),
                    (500, Op::Close(End::Client)),
                    (1000, Op::Nothing),
                ],
            ]
            .concat(),
            ..Case::DEFAULT
        };
        assert_table(
            &case,
            &opened(
                "400 server ESTABLISHED > FIN_WAIT1
                 400 client ESTABLISHED > CLOSE_WAIT
                 400 server FIN_WAIT1 > FIN_WAIT2
                 400 server FIN_WAIT2 > CLOSE
                 400 server tcp_destroy_sock
                 500 client CLOSE_WAIT > LAST_ACK
                 500 client LAST_ACK > CLOSE
                 500 client tcp_destroy_sock",
            ),
        );
    }
}

/// Recorded on 6.1 with a delay of 500 ms each way.
#[test]
fn both_close_at_once() {
    let case = Case {
        kernel: Kernel::V6_1,
        delay_ms: 500,
        ops: &[
            (0, Op::Listen),
            (500, Op::Connect),
            (3000, Op::Close(End::Server)),
            (3005, Op::Close(End::Client)),
            (7000, Op::Nothing),
        ],
        ..Case::DEFAULT
    };
    assert_table(
        &case,
        "0 server CLOSE > LISTEN
         500 client CLOSE > SYN_SENT sport 0
         1500 client SYN_SENT > ESTABLISHED
         2000 server LISTEN > SYN_RECV
         2000 server SYN_RECV > ESTABLISHED
         3000 server ESTABLISHED > FIN_WAIT1
         3005 client ESTABLISHED > FIN_WAIT1
         3500 client FIN_WAIT1 > CLOSING
         3505 server FIN_WAIT1 > CLOSING
         4000 server CLOSING > CLOSE
         4000 server tcp_destroy_sock
         4005 client CLOSING > CLOSE
         4005 client tcp_destroy_sock",
    );
}

#[test]
fn linger_0_breaks_off() {
    for (kernel, reset) in [(Kernel::V6_1, ""), (Kernel::V6_18, " TCP_STATE")] {
        let case = Case {
            kernel,
            ops: &[
                OPEN.as_slice(),
                &[
                    (500, Op::Abort(End::Client)),
                    (700, Op::Close(End::Server)),
                    (1000, Op::Nothing),
                ],
            ]
            .concat(),
            ..Case::DEFAULT
        };
        assert_table(
            &case,
            &opened(&format!(
                "500 client ESTABLISHED > CLOSE
                 500 client tcp_send_reset CLOSE{reset}
                 500 client tcp_destroy_sock dport 0
                 500 server tcp_receive_reset
                 500 server ESTABLISHED > CLOSE
                 500 server app error ECONNRESET
                 700 server tcp_destroy_sock"
            )),
        );
    }
}

#[test]
fn close_with_unread_data_breaks_off() {
    for (kernel, reset) in [(Kernel::V6_1, ""), (Kernel::V6_18, " TCP_ABORT_ON_CLOSE")] {
        let case = Case {
            kernel,
            reads: false,
            ops: &[
                OPEN.as_slice(),
                &[
                    (800, Op::Close(End::Server)),
                    (1000, Op::Close(End::Client)),
                    (1200, Op::Nothing),
                ],
            ]
            .concat(),
            ..Case::DEFAULT
        };
        assert_table(
            &case,
            &opened(&format!(
                "800 server ESTABLISHED > CLOSE
                 800 server tcp_send_reset CLOSE{reset}
                 800 server tcp_destroy_sock
                 800 client tcp_receive_reset
                 800 client ESTABLISHED > CLOSE
                 800 client app error ECONNRESET
                 1000 client tcp_destroy_sock"
            )),
        );
    }
}

#[test]
fn a_write_after_the_peer_closed_meets_its_time_wait_socket() {
    let ops = [
        OPEN.as_slice(),
        &[
            (400, Op::Close(End::Server)),
            (700, Op::Send(End::Client)),
            (1000, Op::Send(End::Client)),
            (1100, Op::Close(End::Client)),
            (1300, Op::Nothing),
        ],
    ]
    .concat();
    let reset = "700 server tcp_send_reset TIME_WAIT TCP_TIMEWAIT_SOCKET\n";
    for (kernel, reset) in [(Kernel::V6_1, ""), (Kernel::V6_18, reset)] {
        let case = Case {
            kernel,
            ops: &ops,
            ..Case::DEFAULT
        };
        assert_table(
            &case,
            &opened(&format!(
                "400 server ESTABLISHED > FIN_WAIT1
                 400 client ESTABLISHED > CLOSE_WAIT
                 400 server FIN_WAIT1 > FIN_WAIT2
                 400 server FIN_WAIT2 > CLOSE
                 400 server tcp_destroy_sock
                 {reset}700 client tcp_receive_reset
                 700 client CLOSE_WAIT > CLOSE
                 700 client app error EPIPE
                 1000 client app send EPIPE
                 1100 client tcp_destroy_sock"
            )),
        );
    }
}

/// The recording has the connection's part; the listener's two events are as when it is closed.
#[test]
fn the_server_s_process_ends_then_the_client_writes() {
    let case = Case {
        ops: &[
            OPEN.as_slice(),
            &[
                (400, Op::Exit),
                (700, Op::Send(End::Client)),
                (1000, Op::Close(End::Client)),
                (1500, Op::Nothing),
            ],
        ]
        .concat(),
        ..Case::DEFAULT
    };
    assert_table(
        &case,
        &opened(
            "400 server LISTEN > CLOSE
             400 server tcp_destroy_sock dport 0
             400 server ESTABLISHED > FIN_WAIT1
             400 client ESTABLISHED > CLOSE_WAIT
             400 server FIN_WAIT1 > FIN_WAIT2
             400 server FIN_WAIT2 > CLOSE
             400 server tcp_destroy_sock
             700 server tcp_send_reset TIME_WAIT TCP_TIMEWAIT_SOCKET
             700 client tcp_receive_reset
             700 client CLOSE_WAIT > CLOSE
             700 client app error EPIPE
             1000 client tcp_destroy_sock",
        ),
    );
}

/// From the source (tcp_rcv_state_process), not recorded: tcp_reset() is called for data that nobody
/// will read, so tcp_receive_reset fires although no RST came. The ACK of the FIN then meets the
/// listener (tcp_send_reset for a listener was recorded with other segments).
#[test]
fn data_under_way_meets_an_orphan_and_breaks_off() {
    let case = Case {
        delay_ms: 10,
        ops: &[
            (0, Op::Listen),
            (300, Op::Connect),
            (400, Op::Close(End::Server)),
            (405, Op::Send(End::Client)),
            (500, Op::Close(End::Client)),
            (600, Op::Nothing),
        ],
        ..Case::DEFAULT
    };
    assert_table(
        &case,
        "0 server CLOSE > LISTEN
         300 client CLOSE > SYN_SENT sport 0
         320 client SYN_SENT > ESTABLISHED
         330 server LISTEN > SYN_RECV
         330 server SYN_RECV > ESTABLISHED
         400 server ESTABLISHED > FIN_WAIT1
         410 client ESTABLISHED > CLOSE_WAIT
         415 server tcp_receive_reset
         415 server FIN_WAIT1 > CLOSE
         415 server tcp_destroy_sock
         415 server tcp_send_reset CLOSE TCP_ABORT_ON_DATA
         420 server tcp_send_reset LISTEN TCP_FLAGS
         425 client tcp_receive_reset
         425 client CLOSE_WAIT > CLOSE
         425 client app error EPIPE
         500 client tcp_destroy_sock",
    );
}

/// Times in ms at which `what` was seen, and the last of all.
fn times(case: &Case<'_>, what: &str) -> Vec<u64> {
    let table = case.table();
    let at = |line: &str| line.split(' ').next().and_then(|at| at.parse().ok());
    let lines = table.lines().filter(|line| line.contains(what));
    lines.filter_map(at).collect()
}

#[track_caller]
fn assert_within(found: &[u64], ranges: &[(u64, u64)]) {
    let fits = |(at, (low, high)): (&u64, &(u64, u64))| low <= at && at <= high;
    assert!(
        found.len() == ranges.len() && found.iter().zip(ranges).all(fits),
        "{found:?} is not within {ranges:?}"
    );
}

#[test]
fn a_syn_into_the_void_is_sent_again_as_each_kernel_does() {
    let ops = &[(0, Op::Drop), (0, Op::Connect), (140_000, Op::Nothing)];
    let case = |kernel| Case {
        kernel,
        ops,
        ..Case::DEFAULT
    };
    // Measured, e.g. on 6.18: 1.01 2.03 3.06 4.08 5.10 7.12 11.25 19.44 35.57 69.11 s, 133.37 s.
    assert_within(
        &times(&case(Kernel::V6_18), "retransmit_skb SYN_SENT"),
        &[
            (1000, 1032),
            (2000, 2064),
            (3000, 3096),
            (4000, 4128),
            (5000, 5160),
            (7000, 7192),
            (11_000, 11_448),
            (19_000, 19_704),
            (35_000, 35_960),
            (67_000, 70_000),
        ],
    );
    assert_within(
        &times(&case(Kernel::V6_18), "ETIMEDOUT"),
        &[(133_260, 135_300)],
    );
    assert_within(
        &times(&case(Kernel::V6_1), "retransmit_skb SYN_SENT"),
        &[
            (1000, 1032),
            (3000, 3064),
            (7000, 7320),
            (15_000, 15_576),
            (31_000, 31_832),
            (63_000, 65_880),
        ],
    );
    assert_within(
        &times(&case(Kernel::V6_1), "ETIMEDOUT"),
        &[(129_160, 131_210)],
    );
}

/// Recorded on 6.18: each further SYN is answered at once and begins the request's timeout anew, so that
/// its timer fires only where both timers meet.
#[test]
fn syn_acks_that_do_not_arrive_are_sent_again_for_each_syn_and_by_timer() {
    let case = Case {
        ops: &[
            (0, Op::Listen),
            (0, Op::Deafen),
            (200, Op::Connect),
            (64_300, Op::Nothing),
        ],
        ..Case::DEFAULT
    };
    let times = times(&case, "tcp_retransmit_synack");
    let seconds: Vec<u64> = times.iter().map(|at| (at - 200) / 1000).collect();
    let expected = [1, 1, 2, 3, 4, 5, 7, 7, 11, 11, 19, 19, 35, 35];
    assert_eq!(seconds, expected);
}

/// Measured on 6.18: sent at 1.000 s, probe at 1.205, first timeout at 1.413, then doubling.
#[test]
fn data_into_the_void_is_probed_then_sent_again_doubling() {
    let case = Case {
        ops: &[
            (0, Op::Listen),
            (300, Op::Connect),
            (900, Op::Drop),
            (1000, Op::Send(End::Client)),
            (3000, Op::Nothing),
        ],
        ..Case::DEFAULT
    };
    assert_within(
        &times(&case, "retransmit_skb ESTABLISHED"),
        &[(1200, 1208), (1400, 1416), (1800, 1860), (2600, 2700)],
    );
}
