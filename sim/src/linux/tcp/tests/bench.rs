//! Cases that are played on a pair of hosts, and their events as lines of text.

use crate::engine::Span;
use crate::engine::source::Defaults;
use crate::linux::tcp::{Kernel, PairConfig, PairEvent, PairLab};
use crate::linux::tracepoint::Record;

/// The port that cases use.
pub(super) const PORT: u16 = 9100;

/// A pair with a kernel at its defaults, but for these sysctls.
pub(super) fn pair(kernel: Kernel, sysctls: &[(&str, &str)]) -> PairLab<Defaults> {
    slow_pair(kernel, sysctls, 0)
}

/// The same on a link with a delay.
pub(super) fn slow_pair(
    kernel: Kernel,
    sysctls: &[(&str, &str)],
    delay_ms: u64,
) -> PairLab<Defaults> {
    let mut config = PairConfig::of(kernel);
    config.delay = Span::from_ms(delay_ms);
    for (name, value) in sysctls {
        config
            .set(&format!("net.ipv4.{name}"), value)
            .expect("the kernel takes it");
    }
    PairLab::new(&config, Defaults)
}

/// The events from `from_ms` on: time in ms rounded down, host, connection, what.
pub(super) fn table(lab: &PairLab<Defaults>, from_ms: u64) -> Vec<String> {
    let events = lab.events().iter();
    let later = events.filter(|event| event.at.0 >= from_ms * 1_000_000);
    later.map(line).collect()
}

fn line(event: &PairEvent) -> String {
    let conn = event.conn.map_or("-".into(), |conn| conn.to_string());
    let at = event.at.0 / 1_000_000;
    format!("{at} {} {conn} {}", event.host.name(), words(&event.record))
}

/// The times in ms at which something with these words was seen.
pub(super) fn times(lab: &PairLab<Defaults>, what: &str) -> Vec<u64> {
    let lines = table(lab, 0).into_iter().filter(|line| line.contains(what));
    let at = |line: String| line.split(' ').next().and_then(|at| at.parse().ok());
    lines.filter_map(at).collect()
}

/// A record in the few words that recordings have: ports only where they are 0.
fn words(record: &Record) -> String {
    use Record::*;
    let zero = |port: &u16, name: &str| match port {
        0 => format!(" {name} 0"),
        _ => String::new(),
    };
    let short = |state: &crate::linux::tracepoint::TcpState| state.name().replace("TCP_", "");
    match record {
        SetState {
            oldstate,
            newstate,
            sport,
            ..
        } => format!(
            "{} > {}{}",
            short(oldstate),
            short(newstate),
            zero(sport, "sport")
        ),
        RetransmitSkb { state, .. } => format!("tcp_retransmit_skb {}", short(state)),
        RetransmitSynack { .. } => "tcp_retransmit_synack".into(),
        SendReset { state, reason, .. } => format!("tcp_send_reset {} {reason}", short(state))
            .trim_end()
            .into(),
        ReceiveReset { .. } => "tcp_receive_reset".into(),
        DestroySock { dport, .. } => format!("tcp_destroy_sock{}", zero(dport, "dport")),
        App { op, errno, .. } => format!("app {op} {}", errno.name()),
        Call { .. } => "call".into(),
    }
}

#[test]
fn every_kind_has_its_tracepoint_s_name() {
    let kinds: Vec<&str> = Record::KINDS.iter().map(|spec| spec.kind).collect();
    let expected = [
        "inet_sock_set_state",
        "tcp_retransmit_skb",
        "tcp_retransmit_synack",
        "tcp_send_reset",
        "tcp_receive_reset",
        "tcp_destroy_sock",
        "call",
        "app",
    ];
    assert_eq!(kinds, expected);
}
