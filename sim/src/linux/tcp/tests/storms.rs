//! Laws that every run of the lab keeps, and what reconnect policies do to a port that is closed.

use std::collections::BTreeMap;

use crate::engine::source::{Defaults, Seed};
use crate::engine::{
    Armed, Cx, Env, Faults, Limits, Machine, Names, Observer, Param, Scheduling, Source, Span,
    Time, Trace, TraceHash, When, World,
};
use crate::linux::tcp::{
    Carried, Counters, Defence, Event, FaultError, Flood, HostId, Jitter, Kernel, Lab, Reconnect,
    Service, TcpLab, Work, check_faults,
};
use crate::linux::tracepoint::{Record, TcpState};

use crate::linux::tcp::Seen;

#[derive(Clone, Hash, Debug)]
struct Stage(Lab);

impl World for Stage {
    type Event = Event;
    type Record = Seen;
    fn step(&mut self, event: Event, cx: &mut Cx<'_, Event, Seen>) {
        self.0.step(event, cx);
    }
}

fn fault(name: &'static str, at: &str, when: When, params: &[(&str, u64)]) -> Armed {
    Armed {
        name,
        at: at.into(),
        when,
        params: params
            .iter()
            .map(|(name, value)| ((*name).into(), Param::Number(*value)))
            .collect(),
    }
}

fn from_ms(from_ms: u64) -> When {
    When {
        from_ms: Some(from_ms),
        ..When::default()
    }
}

/// The server is away from 2 s to 4 s.
fn outage() -> Armed {
    fault(
        "listener-down",
        "server",
        from_ms(2000),
        &[("for_ms", 2000)],
    )
}

fn storm(reconnect: Reconnect) -> TcpLab {
    TcpLab {
        clients: 50,
        ramp_ms: 1000,
        work: Work::Requests {
            interval_ms: 300,
            bytes: 100,
        },
        reconnect,
        until_ms: 8000,
        ..TcpLab::default()
    }
}

const FIXED: Reconnect = Reconnect::Fixed { delay_ms: 100 };
const BACKOFF: Reconnect = Reconnect::Backoff {
    initial_ms: 100,
    factor: 2,
    max_ms: 10_000,
    jitter: Jitter::Full,
};

struct Run {
    trace: Trace<Seen>,
    carried: Carried,
    hash: TraceHash,
    /// Of the server.
    counters: Counters,
}

fn run(config: TcpLab, faults: Vec<Armed>, mut source: impl Source) -> Run {
    let limits = Limits {
        until: config.until(),
        ..Limits::NONE
    };
    let mut names = Names::new();
    let mut trace = Trace::kept();
    let lab = Lab::new(config).expect("the configuration makes sense");
    let mut machine = Machine::new(Stage(lab), Faults::new(faults), Scheduling::default());
    let mut env = Env {
        names: &mut names,
        source: &mut source,
        observer: &mut trace,
    };
    machine.begin(&mut env, |world, cx| {
        world.0.begin(cx).expect("the faults make sense");
    });
    machine.run(&mut env, limits);
    Run {
        hash: trace.hash(),
        carried: machine.world.0.carried(),
        counters: machine
            .world
            .0
            .counters(HostId::SERVER)
            .expect("there is a server"),
        trace,
    }
}

impl Run {
    fn count(&self, from: u64, to: u64, is_meant: impl Fn(&Record) -> bool) -> usize {
        let window = Time::default() + Span::from_ms(from)..Time::default() + Span::from_ms(to);
        let entries = self.trace.entries().iter();
        entries
            .filter(|entry| window.contains(&entry.at))
            .filter(|entry| matches!(&entry.record, Seen::Tcp { record, .. } if is_meant(record)))
            .count()
    }
}

fn is_received_reset(record: &Record) -> bool {
    matches!(record, Record::ReceiveReset { .. })
}

#[test]
fn a_fixed_delay_makes_clients_by_delay_resets_a_second_and_backoff_far_fewer() {
    let fixed = run(storm(FIXED), vec![outage()], Seed(1));
    // 50 clients, one attempt in 100 ms and a round trip: in the second from 2.5 s about 500.
    let resets = fixed.count(2500, 3500, is_received_reset);
    assert!((480..=500).contains(&resets), "{resets}");
    let backoff = run(storm(BACKOFF), vec![outage()], Seed(1));
    let resets = backoff.count(2500, 3500, is_received_reset);
    assert!((20..=150).contains(&resets), "{resets}");
}

#[test]
fn all_clients_are_back_when_the_server_is() {
    for reconnect in [FIXED, BACKOFF] {
        let config = TcpLab {
            until_ms: 16_000,
            ..storm(reconnect)
        };
        let run = run(config, vec![outage()], Seed(7));
        let established = |from, to| {
            run.count(from, to, |record| {
                matches!(
                    record,
                    Record::SetState {
                        oldstate: TcpState::SynRecv,
                        newstate: TcpState::Established,
                        ..
                    }
                )
            })
        };
        assert_eq!(established(0, 2000), 50);
        assert_eq!(established(2000, 4000), 0);
        assert_eq!(established(4000, 16_000), 50, "{reconnect:?}");
    }
}

#[test]
fn a_seed_gives_one_trace_and_others_give_others() {
    let hash = |seed| run(storm(BACKOFF), vec![outage()], Seed(seed)).hash;
    assert_eq!(hash(3), hash(3));
    assert_ne!(hash(3), hash(4));
    // Without jitter and loss nothing is left to chance.
    let fixed = |seed| run(storm(FIXED), vec![outage()], Seed(seed)).hash;
    assert_eq!(fixed(3), fixed(4));
}

#[test]
fn state_events_follow_the_state_machine_socket_by_socket() {
    let loss = fault(
        "packet-loss",
        "*",
        When {
            ratio: Some((1, 10)),
            ..When::default()
        },
        &[],
    );
    for (seed, kernel) in [(1, Kernel::V6_1), (2, Kernel::V6_18), (3, Kernel::V6_18)] {
        let config = TcpLab {
            kernel,
            client_hosts: 7,
            ..storm(BACKOFF)
        };
        let abort = fault(
            "abort-on-death",
            "client-*",
            When {
                ratio: Some((1, 2)),
                ..When::default()
            },
            &[],
        );
        let run = run(config, vec![outage(), loss.clone(), abort], Seed(seed));
        let mut states: BTreeMap<u64, TcpState> = BTreeMap::new();
        let mut retransmits = 0;
        for entry in run.trace.entries() {
            match &entry.record {
                Seen::Tcp {
                    record:
                        Record::SetState {
                            skaddr,
                            oldstate,
                            newstate,
                            ..
                        },
                    ..
                } => {
                    assert!(oldstate.may_become(*newstate));
                    // A child is born as a listener's copy.
                    let born = [TcpState::Close, TcpState::Listen];
                    match states.insert(*skaddr, *newstate) {
                        Some(known) => assert_eq!(known, *oldstate, "{}", entry),
                        None => assert!(born.contains(oldstate), "{}", entry),
                    }
                }
                Seen::Tcp {
                    record: Record::DestroySock { skaddr, .. },
                    ..
                } => {
                    assert_eq!(states.remove(skaddr), Some(TcpState::Close), "{}", entry);
                }
                Seen::Tcp {
                    record: Record::RetransmitSkb { .. } | Record::RetransmitSynack { .. },
                    ..
                } => {
                    retransmits += 1;
                }
                _ => {}
            }
        }
        assert!(retransmits > 20, "{retransmits}");
        assert!(run.carried.lost > 50);
    }
}

#[test]
fn segments_are_delivered_lost_or_under_way() {
    // An idle lab comes to rest: nothing is under way then.
    let config = TcpLab {
        work: Work::Idle,
        reconnect: Reconnect::Never,
        until_ms: 200_000,
        ..storm(FIXED)
    };
    let cut = fault("link-down", "link", from_ms(1990), &[("for_ms", 50)]);
    let Carried {
        sent,
        delivered,
        lost,
    } = run(config, vec![outage(), cut], Defaults).carried;
    assert_eq!(sent, delivered + lost);
    assert!(lost > 0);
    // Handshakes of three, FINs of four, and what the cut made necessary.
    assert!((350..500).contains(&sent), "{sent}");
}

#[test]
fn the_first_syn_lost_costs_a_second() {
    let lost = fault(
        "packet-loss",
        "client-1/conn-1/to-server",
        When {
            nth: Some(1),
            ..When::default()
        },
        &[],
    );
    let config = TcpLab {
        until_ms: 3000,
        ..TcpLab::default()
    };
    let run = run(config, vec![lost], Defaults);
    let established = |record: &Record| {
        matches!(
            record,
            Record::SetState {
                newstate: TcpState::Established,
                ..
            }
        )
    };
    assert_eq!(run.count(0, 1000, established), 0);
    assert_eq!(run.count(1000, 1040, established), 2);
}

#[test]
fn a_leaking_address_runs_out_of_ports() {
    // One host whose ports are all in use: 28 232 for one peer, then EADDRNOTAVAIL (measured).
    let config = TcpLab {
        clients: 28_240,
        client_hosts: 1,
        reconnect: Reconnect::Never,
        until_ms: 1000,
        ..TcpLab::default()
    };
    let run = run(config, vec![], Defaults);
    let refused = run.count(0, 1000, |record| {
        matches!(record, Record::App { errno, sport: 0, .. } if errno.name() == "EADDRNOTAVAIL")
    });
    assert_eq!(refused, 8);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let check = |armed: Vec<Armed>| check_faults(&Faults::new(armed));
    let fault_name = "listener-down";
    assert_eq!(check(vec![outage()]), Ok(()));
    assert_eq!(
        check(vec![fault(
            fault_name,
            "server",
            from_ms(5),
            &[("for_ms", 0)]
        )]),
        Err(FaultError::Empty { fault: fault_name })
    );
    assert_eq!(
        check(vec![outage(), outage()]),
        Err(FaultError::Overlap { fault: fault_name })
    );
    let nth = When {
        nth: Some(1),
        ..When::default()
    };
    assert_eq!(
        check(vec![fault(fault_name, "server", nth, &[])]),
        Err(FaultError::NotByOpportunity { fault: fault_name })
    );
    assert!(
        Lab::new(TcpLab {
            clients: 0,
            ..TcpLab::default()
        })
        .is_err()
    );
    let still = Reconnect::Fixed { delay_ms: 0 };
    assert!(
        Lab::new(TcpLab {
            reconnect: still,
            ..TcpLab::default()
        })
        .is_err()
    );
}

#[test]
fn a_lab_is_written_in_ron() {
    let text = r#"(
        clients: 100,
        kernel: "6.1",
        work: Requests(interval_ms: 500, bytes: 64),
        reconnect: Backoff(initial_ms: 100, factor: 2, max_ms: 5000, jitter: Full),
    )"#;
    let lab: TcpLab = ron::from_str(text).expect("it is a lab");
    assert_eq!(lab.kernel, Kernel::V6_1);
    assert_eq!(lab.port, 6379);
    let still = TcpLab {
        reconnect: Reconnect::Backoff {
            initial_ms: 1,
            factor: 2,
            max_ms: 3,
            jitter: Jitter::None,
        },
        ..lab.clone()
    };
    for lab in [lab, still, TcpLab::default()] {
        let written = ron::to_string(&lab).expect("it can be written");
        assert_eq!(ron::from_str(&written), Ok(lab), "{written}");
    }
    assert!(ron::from_str::<TcpLab>(r#"(kernel: "5.4")"#).is_err());
    assert!(ron::from_str::<TcpLab>("(client: 1)").is_err());
}

/// The observer is asked for nothing: a hashing trace sees what a keeping one does.
#[test]
fn a_trace_that_only_hashes_has_the_same_hash() {
    struct Both(Trace<Seen>, Trace<Seen>);
    impl Observer<Seen> for Both {
        fn see(&mut self, at: Time, actor: crate::engine::Entity, record: &Seen, names: &Names) {
            self.0.see(at, actor, record, names);
            self.1.see(at, actor, record, names);
        }
    }
    let mut both = Both(Trace::kept(), Trace::hashed());
    let mut names = Names::new();
    let lab = Lab::new(storm(FIXED)).expect("the configuration makes sense");
    let faults = Faults::new(vec![outage()]);
    let mut machine = Machine::new(Stage(lab), faults, Scheduling::default());
    let mut env = Env {
        names: &mut names,
        source: &mut Defaults,
        observer: &mut both,
    };
    machine.begin(&mut env, |world, cx| {
        world.0.begin(cx).expect("the faults make sense")
    });
    let limits = Limits {
        steps: 2000,
        ..Limits::NONE
    };
    machine.run(&mut env, limits);
    assert_eq!(both.0.hash(), both.1.hash());
    assert_eq!(both.1.entries().len(), 0);
}

/// A server with one thread that takes half a millisecond to accept and one to answer.
fn called(clients: u32, fresh: bool) -> Vec<u64> {
    let config = TcpLab {
        clients,
        link_packet_ns: 0,
        work: Work::Calls {
            interval_ms: 100,
            bytes: 100,
            fresh,
        },
        service: Some(Service {
            accept_us: 500,
            request_us: 1_000,
        }),
        until_ms: 950,
        ..TcpLab::default()
    };
    let run = run(config, vec![], Defaults);
    let entries = run.trace.entries().iter();
    let latency = |record: &Seen| match record {
        Seen::Tcp {
            record: Record::Call { latency_us, .. },
            ..
        } => Some(*latency_us),
        _ => None,
    };
    entries.filter_map(|entry| latency(&entry.record)).collect()
}

/// Two crossings of 100 us each way for the handshake and the request, and what the server takes.
#[test]
fn a_call_takes_the_link_and_what_the_server_does_for_it() {
    let kept = called(1, false);
    assert_eq!(
        kept[0],
        100 + 100 + 100 + 500 + 1_000 + 100,
        "it connects first"
    );
    assert!(
        kept.len() >= 8 && kept[1..].iter().all(|us| *us == 100 + 1_000 + 100),
        "{kept:?}"
    );
    let fresh = called(1, true);
    assert!(
        fresh.len() >= 8 && fresh.iter().all(|us| *us == kept[0]),
        "{fresh:?}"
    );
}

/// Ten clients call at one time: one after the other is served.
#[test]
fn a_server_with_one_thread_serves_one_after_the_other() {
    let latencies = called(10, false);
    let (first, later) = latencies.split_at(10);
    assert_eq!(first.iter().max(), Some(&(300 + 10 * 1_500 + 100)));
    let mut second: Vec<u64> = later[..10].to_vec();
    second.sort_unstable();
    assert!(second[9] <= 100 + 10 * 1_000 + 100, "{second:?}");
}

/// Clients that connect while a flood is on. How many did, and what the server counted.
fn flooded(flood: Flood, sysctls: &[(&str, &str)]) -> (usize, usize, Counters) {
    let config = TcpLab {
        clients: 20,
        ramp_ms: 1_000,
        flood: Some(flood),
        backlog: 128,
        sysctl: sysctls
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect(),
        reconnect: Reconnect::Never,
        until_ms: 9_000,
        ..TcpLab::default()
    };
    let run = run(config, vec![], Seed(1));
    let came = run.count(0, 9_000, |record| {
        matches!(
            record,
            Record::SetState {
                oldstate: TcpState::SynRecv,
                newstate: TcpState::Established,
                ..
            }
        )
    });
    let again = run.count(0, 9_000, |record| {
        matches!(record, Record::RetransmitSkb { .. })
    });
    (came, again, run.counters)
}

#[test]
fn a_flood_meets_cookies_or_a_full_queue_or_a_filter() {
    let flood = Flood {
        from_ms: 0,
        syns_per_s: 100_000,
        defence: Defence::Nothing,
        cores: 2,
    };
    let (came, again, counters) = flooded(flood, &[]);
    assert_eq!((came, again), (20, 0), "cookies let them in");
    assert!(counters.syncookies_sent > 0 && counters.syncookies_recv == counters.syncookies_sent);
    let (came, again, counters) = flooded(flood, &[("net.ipv4.tcp_syncookies", "0")]);
    assert!(
        came <= 1 && again > 20,
        "{came} came, {again} again: the queue is full"
    );
    assert!(counters.req_q_full_drop > 20 && counters.syncookies_sent == 0);
    let filtered = Flood {
        defence: Defence::XdpNative,
        ..flood
    };
    let (came, again, counters) = flooded(filtered, &[("net.ipv4.tcp_syncookies", "0")]);
    assert_eq!(
        (came, again, counters.req_q_full_drop),
        (20, 0, 0),
        "nothing of it arrives"
    );
}

/// 2.4 million SYNs a second, of which one core is rid of a tenth: nine of ten packets find the rings full.
#[test]
fn more_than_the_cores_are_rid_of_drowns_everybody() {
    let flood = Flood {
        from_ms: 0,
        syns_per_s: 2_400_000,
        defence: Defence::Nothing,
        cores: 1,
    };
    let (came, again, _) = flooded(flood, &[]);
    assert!(came < 20 && again > 40, "{came} came, {again} again");
    let (came, again, _) = flooded(Flood { cores: 10, ..flood }, &[]);
    assert_eq!((came, again), (20, 0));
}
