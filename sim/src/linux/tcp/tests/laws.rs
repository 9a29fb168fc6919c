//! Laws that hold whatever applications do, whatever is lost, in whatever phase the kernel's clock is.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::bench::PORT;
use crate::engine::source::Seed;
use crate::engine::{Key, Names, Options, Source, Span, Time};
use crate::linux::tcp::{
    Closing, End, Keepalive, Kernel, Listening, PairConfig, PairEvent, PairLab, SocketOptions,
};
use crate::linux::tracepoint::{Record, TcpState};

/// Something that is done.
#[derive(Clone, Debug)]
enum Op {
    Run(u64),
    Connect(End, u32, SocketOptions),
    Meet(u16),
    Send(u32, End, u64),
    Close(u32, End, Closing),
    Accept(u32),
    Lose(u32),
    Down(bool),
    Deaf(End, bool),
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![Just(End::Client), Just(End::Server)]
}

fn options() -> impl Strategy<Value = SocketOptions> {
    let keepalive = Keepalive {
        idle_s: 3,
        interval_s: 2,
        count: 3,
    };
    let user_timeout = prop_oneof![4 => Just(0), 1 => 100_u64..20_000];
    (any::<bool>(), user_timeout).prop_map(move |(keeps, user_timeout_ms)| SocketOptions {
        keepalive: keeps.then_some(keepalive),
        user_timeout_ms,
        local_port: None,
    })
}

fn op() -> impl Strategy<Value = Op> {
    let how = prop_oneof![
        3 => Just(Closing::Close),
        1 => Just(Closing::Abort),
        1 => Just(Closing::Shutdown),
    ];
    prop_oneof![
        6 => prop_oneof![0_u64..300, 0_u64..200_000].prop_map(Op::Run),
        3 => (end(), 1_u32..6, options()).prop_map(|(to, n, options)| Op::Connect(to, n, options)),
        1 => (0_u16..4).prop_map(Op::Meet),
        4 => (1_u32..12, end(), 1_u64..100_000).prop_map(|(c, e, n)| Op::Send(c, e, n)),
        5 => (1_u32..12, end(), how).prop_map(|(conn, end, how)| Op::Close(conn, end, how)),
        1 => (0_u32..4).prop_map(Op::Accept),
        1 => prop_oneof![Just(0), 0_u32..600_000].prop_map(Op::Lose),
        1 => any::<bool>().prop_map(Op::Down),
        1 => (end(), any::<bool>()).prop_map(|(end, deaf)| Op::Deaf(end, deaf)),
    ]
}

#[derive(Clone, Debug)]
struct World {
    kernel: Kernel,
    delay_ms: u64,
    backlog: u32,
    accepts: bool,
    reads: bool,
    sysctls: Vec<(&'static str, String)>,
    ops: Vec<Op>,
    seed: u64,
}

fn world() -> impl Strategy<Value = World> {
    let kernel = prop_oneof![Just(Kernel::V6_1), Just(Kernel::V6_18)];
    let sysctls =
        (2_u32..5, 0_u32..3, 0_u32..3, 0_u32..2).prop_map(|(buckets, reuse, cookies, abort)| {
            vec![
                ("tcp_max_tw_buckets", buckets.to_string()),
                ("tcp_tw_reuse", reuse.to_string()),
                ("tcp_syncookies", cookies.to_string()),
                ("tcp_abort_on_overflow", abort.to_string()),
                ("ip_local_port_range", "40000 40007".into()),
            ]
        });
    let app = (0_u32..4, any::<bool>(), any::<bool>());
    let ops = prop::collection::vec(op(), 1..40);
    (kernel, 0_u64..60, app, sysctls, ops, any::<u64>()).prop_map(
        |(kernel, delay_ms, (backlog, accepts, reads), sysctls, ops, seed)| World {
            kernel,
            delay_ms,
            backlog,
            accepts,
            reads,
            sysctls,
            ops,
            seed,
        },
    )
}

/// Of all segments the link loses one, the nth.
#[derive(Clone, Copy, Debug)]
struct Loses {
    nth: Option<usize>,
    asked: usize,
    seed: Seed,
}

impl Source for Loses {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        if key.site != "loss" {
            return self.seed.choose(key, options, names);
        }
        self.asked += 1;
        u64::from(self.nth == Some(self.asked - 1))
    }
}

/// What was written to each end, by (connection, writing end).
type Written = BTreeMap<(u32, End), u64>;

impl World {
    fn lab(&self) -> PairLab<Seed> {
        self.lab_by(Seed(self.seed))
    }

    fn lab_by<S: Source>(&self, source: S) -> PairLab<S> {
        let mut config = PairConfig::of(self.kernel);
        config.delay = Span::from_ms(self.delay_ms);
        for (name, value) in &self.sysctls {
            config
                .set(&format!("net.ipv4.{name}"), value)
                .expect("the kernel takes it");
        }
        let mut lab = PairLab::new(&config, source);
        let app = Listening {
            backlog: self.backlog,
            accepts: self.accepts,
            reads: self.reads,
        };
        for end in [End::Client, End::Server] {
            lab.listen(end, PORT, app).expect("nobody listens");
        }
        lab
    }

    /// Plays it, looking at the lab after each step.
    fn play(&self, ops: &[Op], look: impl FnMut(&PairLab<Seed>, &Written)) -> PairLab<Seed> {
        let mut lab = self.lab();
        World::act(&mut lab, ops, look);
        lab
    }

    fn act<'a, S: Source>(
        lab: &mut PairLab<S>,
        ops: impl IntoIterator<Item = &'a Op>,
        mut look: impl FnMut(&PairLab<S>, &Written),
    ) {
        let mut written = Written::new();
        for op in ops {
            match *op {
                Op::Run(ms) => lab.run(Span::from_ms(ms)),
                Op::Connect(to, count, options) => {
                    lab.connect(to, PORT, count, options, true);
                }
                Op::Meet(nth) => {
                    for (to, local_port) in [(End::Server, 50_000), (End::Client, 50_010)] {
                        let port = if to == End::Server { 50_010 } else { 50_000 } + nth;
                        let options = SocketOptions {
                            local_port: Some(local_port + nth),
                            ..SocketOptions::default()
                        };
                        lab.connect(to, port, 1, options, true);
                    }
                }
                Op::Send(conn, end, bytes) => {
                    if lab.send(conn, end, bytes).is_ok() {
                        *written.entry((conn, end)).or_default() += bytes;
                    }
                }
                Op::Close(conn, end, how) => {
                    let _ = lab.close(&[conn], end, how);
                }
                Op::Accept(count) => {
                    let _ = lab.accept(End::Server, PORT, count);
                }
                Op::Lose(of_million) => lab.set_link(None, Some(of_million), None),
                Op::Down(down) => lab.set_link(None, None, Some(down)),
                Op::Deaf(end, deaf) => lab.set_deaf(end, PORT, deaf),
            }
            look(lab, &written);
        }
    }
}

/// After TCP_CLOSE a socket says no more than that it sent a RST and that it is destroyed, and its states follow
/// each other.
fn assert_sockets_end(events: &[PairEvent]) {
    let mut states: BTreeMap<(End, u64), TcpState> = BTreeMap::new();
    for event in events {
        match &event.record {
            Record::SetState {
                skaddr,
                oldstate,
                newstate,
                ..
            } => {
                assert!(oldstate.may_become(*newstate), "{event:?}");
                let born = [TcpState::Close, TcpState::Listen];
                match states.insert((event.host, *skaddr), *newstate) {
                    Some(known) => assert_eq!(known, *oldstate, "{event:?}"),
                    None => assert!(born.contains(oldstate), "{event:?}"),
                }
            }
            Record::DestroySock { skaddr, .. } => {
                let last = states.remove(&(event.host, *skaddr));
                assert_eq!(last, Some(TcpState::Close), "{event:?}");
            }
            Record::RetransmitSkb { skaddr, state, .. } => {
                let known = states.get(&(event.host, *skaddr));
                assert_eq!(known, Some(state), "{event:?}");
                assert_ne!(*state, TcpState::Close, "{event:?}");
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn sockets_ports_and_buckets_are_kept_count_of(world in world()) {
        let limit: u32 = world.sysctls[0].1.parse().expect("a number");
        let mut lab = world.play(&world.ops, |lab, written| {
            for end in [End::Client, End::Server] {
                // Orphans in FIN_WAIT2 may be mini-sockets too, but need not be.
                let waiting = lab.sockets(end).get("TIME-WAIT").copied().unwrap_or(0);
                assert!(waiting <= limit, "{waiting} in TIME_WAIT of {limit}");
            }
            for end in [End::Client, End::Server] {
                assert!(lab.ports_taken(end, PORT) <= 8);
            }
            for ((conn, end), written) in written {
                if let Ok(received) = lab.received(*conn, end.other()) {
                    assert!(received <= *written, "connection {conn}: {received} of {written}");
                }
                for end in [*end, end.other()] {
                    if let Ok(levels) = lab.buffers(*conn, end) {
                        assert!(levels.queued <= levels.send_limit, "{levels:?}");
                        // What was promised is kept, also when small segments then turn out to take much memory: no more
                        // than full segments have room, and one segment, in steps of the window.
                        assert!(levels.unread + levels.window <= 81_920 + 1_448 + 128, "{levels:?}");
                        assert!(levels.early <= levels.window, "{levels:?}");
                    }
                }
            }
        });
        assert_sockets_end(lab.events());
        // Everybody leaves, and the link works: after the longest timers nothing is left but the listener.
        lab.set_link(None, Some(0), Some(false));
        lab.set_deaf(End::Client, PORT, false);
        lab.set_deaf(End::Server, PORT, false);
        for end in [End::Client, End::Server] {
            let _ = lab.close_listener(end, PORT);
        }
        for conn in 1..200 {
            for end in [End::Client, End::Server] {
                let _ = lab.close(&[conn], end, Closing::Close);
            }
        }
        lab.run(Span::from_s(2_000));
        assert_sockets_end(lab.events());
        for end in [End::Client, End::Server] {
            prop_assert_eq!(lab.sockets(end), BTreeMap::new());
        }
        for end in [End::Client, End::Server] {
            prop_assert_eq!(lab.ports_taken(end, PORT), 0);
        }
    }

    /// Two runs that differ in one segment that the link loses agree before it.
    #[test]
    fn runs_agree_before_the_segment_that_only_one_of_them_loses(
        world in world(),
        nth in 0_usize..60,
    ) {
        let run = |lost: Option<usize>| {
            let source = Loses { nth: lost, asked: 0, seed: Seed(world.seed) };
            let mut lab = world.lab_by(source);
            lab.capture();
            lab.set_link(None, Some(1), None);
            let ops = world.ops.iter().filter(|op| !matches!(op, Op::Lose(_) | Op::Down(_)));
            World::act(&mut lab, ops, |_, _| {});
            lab
        };
        let (all, but_one) = (run(None), run(Some(nth)));
        let Some(lost) = all.packets().get(nth) else {
            return Ok(());
        };
        prop_assert!(but_one.packets()[nth].is_lost);
        prop_assert_eq!(&all.packets()[..nth], &but_one.packets()[..nth]);
        let before = |lab: &PairLab<Loses>| -> Vec<PairEvent> {
            let events = lab.events().iter().filter(|event| event.at < lost.at);
            events.cloned().collect()
        };
        prop_assert_eq!(before(&all), before(&but_one));
    }

    /// No timer is early, and none is later than the granule of its level, at whatever HZ and phase: each SYN is
    /// sent again after 1 s, 1 s, .. (6.18) and 2 s, 4 s, ..
    #[test]
    fn a_timer_is_late_by_more_than_nothing_and_at_most_its_granule(
        kernel in prop_oneof![Just(Kernel::V6_1), Just(Kernel::V6_18)],
        hz in prop::sample::select(vec![100_u32, 250, 300, 1_000]),
        begins_us in 0_u64..5_000_000,
        seed in any::<u64>(),
    ) {
        let config = PairConfig { hz, ..PairConfig::of(kernel) };
        let mut lab = PairLab::new(&config, Seed(seed));
        lab.set_deaf(End::Server, PORT, true);
        lab.run(Span::from_us(begins_us));
        lab.connect(End::Server, PORT, 1, SocketOptions::default(), true);
        lab.run(Span::from_s(200));
        let sent = lab.events().iter().filter(|event| match event.record {
            Record::SetState { newstate, .. } => newstate == TcpState::SynSent,
            Record::RetransmitSkb { .. } => true,
            _ => false,
        });
        let sent: Vec<u64> = sent.map(|event| event.at.0).collect();
        let linear = if kernel == Kernel::V6_18 { 4 } else { 0 };
        prop_assert_eq!(sent.len(), 7 + linear);
        // The first timer is set within a tick, of which the kernel does not know how much has passed.
        let tick = 1_000_000_000 / u64::from(hz);
        for (nth, pair) in sent.windows(2).enumerate() {
            let nominal_s = 1_u64 << nth.saturating_sub(linear);
            let ticks = (nominal_s * 1_000_000_000).div_ceil(tick);
            let level = (0..8).find(|level| ticks < 63 << (3 * level)).expect("a level");
            let begun = pair[0] / tick * tick;
            let late = (pair[1] - begun).saturating_sub(ticks * tick);
            prop_assert!(pair[1] - pair[0] >= nominal_s * 1_000_000_000, "{nth}: early");
            prop_assert!(late > 0 && late <= tick << (3 * level), "{nth}: {late} ns late");
        }
    }

    /// Two runs that differ in one thing that the link does agree before it.
    #[test]
    fn runs_agree_before_they_differ(world in world(), at in 0_usize..40) {
        let at = at.min(world.ops.len());
        let mut other = world.ops.clone();
        other.insert(at, Op::Down(true));
        let first = world.play(&world.ops, |_, _| {});
        let mut parts_at = Time::default();
        let mut step = 0;
        let second = world.play(&other, |lab, _| {
            if step <= at {
                parts_at = lab.now();
            }
            step += 1;
        });
        let before = |lab: &PairLab<Seed>| -> Vec<PairEvent> {
            let events = lab.events().iter().filter(|event| event.at < parts_at);
            events.cloned().collect()
        };
        prop_assert_eq!(before(&first), before(&second));
    }

    /// There are never more mini-sockets than tcp_max_tw_buckets, and as many as that if enough connections end.
    #[test]
    fn time_wait_fills_its_buckets_and_no_more(
        limit in 0_u32..6,
        count in 1_u32..12,
        first in end(),
        delay_ms in 0_u64..40,
        seed in any::<u64>(),
    ) {
        let mut config = PairConfig::of(Kernel::V6_18);
        config.delay = Span::from_ms(delay_ms);
        let set = config.set("net.ipv4.tcp_max_tw_buckets", &limit.to_string());
        prop_assert!(set.is_ok());
        let mut lab = PairLab::new(&config, Seed(seed));
        lab.listen(End::Server, PORT, Listening::default()).expect("nobody listens");
        lab.connect(End::Server, PORT, count, SocketOptions::default(), true);
        lab.run(Span::from_ms(500));
        let conns: Vec<u32> = (1..=count).collect();
        for end in [first, first.other()] {
            lab.close(&conns, end, Closing::Close).expect("they are open");
            for _ in 0..20 {
                lab.run(Span::from_ms(20));
                let counts = lab.sockets(first);
                let of = |state| counts.get(state).copied().unwrap_or(0);
                prop_assert!(of("TIME-WAIT") + of("FIN-WAIT-2") <= limit);
            }
        }
        let waiting = lab.sockets(first).get("TIME-WAIT").copied().unwrap_or(0);
        prop_assert_eq!(waiting, count.min(limit));
        let overflow = lab.counters(first).time_wait_overflow;
        prop_assert_eq!(overflow, u64::from(count.saturating_sub(limit)));
    }

    /// Every connect() comes to an end: established, refused, timed out or closed by its application.
    #[test]
    fn every_syn_sent_ends(world in world()) {
        let mut lab = world.play(&world.ops, |_, _| {});
        lab.run(Span::from_s(200));
        prop_assert!(!lab.sockets(End::Client).contains_key("SYN-SENT"));
    }
}

#[test]
fn the_first_retransmission_takes_eight_values_at_250_hz_and_all_timers_fit_one_phase() {
    let mut seen = Vec::new();
    for seed in 0..200 {
        let config = PairConfig::of(Kernel::V6_18);
        let mut lab = PairLab::new(&config, Seed(seed));
        lab.set_deaf(End::Server, PORT, true);
        lab.connect(End::Server, PORT, 1, SocketOptions::default(), true);
        lab.run(Span::from_s(140));
        let at: Vec<u64> = lab
            .events()
            .iter()
            .filter(|event| matches!(event.record, Record::RetransmitSkb { .. }))
            .map(|event| event.at.0 / 4_000_000)
            .collect();
        seen.push(at[0] * 4);
        // From the first on, timers of a second fire on one slot of eight ticks: all are congruent.
        let slots: Vec<u64> = at[..5].iter().map(|at| at % 8).collect();
        assert!(slots.iter().all(|slot| *slot == slots[0]), "{slots:?}");
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [1004, 1008, 1012, 1016, 1020, 1024, 1028, 1032]);
}
