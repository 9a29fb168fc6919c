//! Cases of TCP: what a kernel's tracepoints showed against what the model shows.
//!
//! A timer's lateness is a matter of where in its wheel the kernel's clock stood. A real kernel says where,
//! and the model is played there; as an application acts some microseconds after the tick at which the model
//! lets it act, the ticks beside are tried too. Then the events of each host and connection must be the same,
//! in the same order, at the same times but for a tolerance. Among different connections times alone count.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use crate::failure::Result;
use crate::host::session::{Models, ask_json};

use super::tolerance::Tolerance;

/// Which ticks beside the kernel's own are tried, nearest first.
const PHASES: [i64; 17] = [0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6, -7, 7, -8, 8];

/// Ports from here on are chosen by a kernel, in its own order.
const EPHEMERAL: u64 = 32_768;

/// A machine that was later than the shortest retransmission time-out is no witness: what it is allowed could
/// hide one timer behind another.
const LATEST_MS: f64 = 200.0;

/// The fields of an event that are this kernel's own affair, or are compared in their own way: the context.
const OWN: [&str; 6] = ["t_ns", "skaddr", "req", "sock_cookie", "conn", "softirq"];

/// What the model answers to a case, played on the kernel's clock, where it is known.
///
/// # Errors
/// Never: the model answers whatever it is asked.
pub fn play(
    models: &mut Models,
    requests: &[Value],
    host: &[Value],
    tolerance: Tolerance,
) -> Result<Vec<Value>> {
    let clock = host.iter().rev().find_map(|answer| {
        let clock = answer.pointer("/ok/clock")?;
        let up_ms = clock["up_ms"].as_u64().unwrap_or_default();
        Some((clock["hz"].as_u64()?, clock["jiffies"].as_u64()?, up_ms))
    });
    let Some((hz, jiffies, up_ms)) = clock else {
        return answers(models, requests);
    };
    let mut crowds = Crowds::default();
    for (request, answer) in requests.iter().zip(host) {
        crowds.see(request, answer);
    }
    let mut first = None;
    for phase in PHASES {
        models.set_kernel_clock(hz as u32, jiffies.saturating_add_signed(phase), up_ms);
        let answers = answers(models, requests)?;
        let mut pairs = answers.iter().zip(host);
        let is_same = |model: &Value, host: &Value| match (events(model), events(host)) {
            (Some(_), Some(_)) => difference(model, host, tolerance, &crowds).is_none(),
            _ => super::compare::is_same(model, host),
        };
        if pairs.all(|(model, host)| is_same(model, host)) {
            return Ok(answers);
        }
        first.get_or_insert(answers);
    }
    Ok(first.expect("one phase was tried"))
}

fn answers(models: &mut Models, requests: &[Value]) -> Result<Vec<Value>> {
    let ask = |request| {
        let mut answer = ask_json(models, request)?;
        super::strip_id(&mut answer);
        Ok(answer)
    };
    requests.iter().map(ask).collect()
}

/// The events of an answer, if it has some.
pub fn events(answer: &Value) -> Option<&Vec<Value>> {
    answer.pointer("/ok/events")?.as_array()
}

/// Connections that nobody can tell apart: of one `tcp.connect` with a count. What became of which is the
/// kernel's affair (timers of one slot of its wheel fire in an order of their own): as many must fare as the
/// model's do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Crowds(Vec<RangeInclusive<u64>>);

impl Crowds {
    /// Takes note of an answer.
    pub fn see(&mut self, request: &Value, answer: &Value) {
        if request["op"] == "tcp.connect"
            && let Some(conns) = answer.pointer("/ok/conns").and_then(Value::as_array)
            && let (Some(first), Some(last)) = (conns.first(), conns.last())
            && let (Some(first), Some(last)) = (first.as_u64(), last.as_u64())
        {
            self.0.push(first..=last);
        }
    }

    fn of(&self, conn: Option<u64>) -> Option<usize> {
        self.0
            .iter()
            .position(|crowd| conn.is_some_and(|conn| crowd.contains(&conn)))
    }
}

/// Whose an event is, of one connection: those of one keep their order. A host, and whether an application
/// there learned something.
type Whose<'a> = (&'a str, bool);

/// The events of a connection; of listeners, if it is none.
type Events<'a> = BTreeMap<Whose<'a>, Vec<&'a Map<String, Value>>>;

/// All of them.
type Connections<'a> = BTreeMap<Option<u64>, Events<'a>>;

/// What happened to a connection, and when, in us: to be sorted by.
fn course(events: &Events<'_>) -> (Vec<String>, Vec<u64>) {
    let all = events.values().flatten();
    let at_us = |event: &&Map<String, Value>| (ms(event) * 1e3) as u64;
    let what = all.clone().map(|event| what(event)).collect();
    (what, all.map(at_us).collect())
}

fn by_connection(events: &[Value]) -> Connections<'_> {
    let mut connections = Connections::new();
    for event in events.iter().filter_map(Value::as_object) {
        let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let conn = event.get("conn").and_then(Value::as_u64);
        let of = connections.entry(conn).or_default();
        of.entry((text("host"), text("event") == "app"))
            .or_default()
            .push(event);
    }
    connections
}

fn ms(event: &Map<String, Value>) -> f64 {
    event
        .get("t_ns")
        .and_then(Value::as_f64)
        .unwrap_or_default()
        / 1e6
}

/// When something differs, in ms, and what.
type Difference = (f64, String);

/// The first difference between the events of two answers, in words.
pub fn difference(
    model: &Value,
    host: &Value,
    tolerance: Tolerance,
    crowds: &Crowds,
) -> Option<String> {
    let late_ns = host.pointer("/ok/clock/late_ns").and_then(Value::as_f64);
    let late_ms = late_ns.unwrap_or_default() / 1e6;
    if let Some(lost) = host.pointer("/ok/clock/lost").filter(|lost| **lost != 0) {
        return Some(format!(
            "{lost} events were lost on the way from the kernel"
        ));
    }
    if late_ms > LATEST_MS {
        return Some(format!(
            "the machine was {late_ms:.0} ms late, more than {LATEST_MS:.0}: ask when it is less busy, or with fewer --jobs"
        ));
    }
    let (of_model, of_host) = (by_connection(events(model)?), by_connection(events(host)?));
    let none = Events::new();
    let conns: BTreeSet<_> = of_model.keys().chain(of_host.keys()).copied().collect();
    let differ = |one: &Option<u64>, other: &Option<u64>| {
        let model = of_model.get(one).unwrap_or(&none);
        let host = of_host.get(other).unwrap_or(&none);
        one_difference(model, host, tolerance, late_ms)
    };
    let differing: Vec<(Option<u64>, Difference)> = conns
        .iter()
        .filter_map(|conn| Some((*conn, differ(conn, conn)?)))
        .collect();
    // In the order of what happened and when, most of a crowd meet their like at once.
    let in_order = |all: &Connections<'_>| {
        let crowded = differing
            .iter()
            .filter(|(conn, _)| crowds.of(*conn).is_some());
        let mut conns: Vec<Option<u64>> = crowded.map(|(conn, _)| *conn).collect();
        conns.sort_by_cached_key(|conn| (crowds.of(*conn), all.get(conn).map(course)));
        conns
    };
    let alike: BTreeMap<Option<u64>, Option<u64>> = in_order(&of_model)
        .into_iter()
        .zip(in_order(&of_host))
        .filter(|(one, other)| crowds.of(*one) == crowds.of(*other) && differ(one, other).is_none())
        .collect();
    let met: BTreeSet<Option<u64>> = alike.values().copied().collect();
    let unmet = differing.iter().filter(|(conn, _)| !met.contains(conn));
    let mut unpaired: Vec<Option<u64>> = unmet.map(|(conn, _)| *conn).collect();
    let mut left = differing.into_iter().filter(|(conn, _)| {
        if alike.contains_key(conn) {
            return false;
        }
        let crowd = crowds.of(*conn);
        let mut others = unpaired.iter();
        let is_like = |other: &Option<u64>| {
            crowd.is_some() && crowds.of(*other) == crowd && differ(conn, other).is_none()
        };
        let Some(at) = others.position(is_like) else {
            return true;
        };
        unpaired.swap_remove(at);
        false
    });
    // What differs first is the cause of what differs later.
    let first = left
        .by_ref()
        .min_by(|(_, one), (_, other)| one.0.total_cmp(&other.0));
    first.map(|(conn, (_, what))| match conn {
        Some(conn) => format!("connection {conn}, {what}"),
        None => format!("listener, {what}"),
    })
}

/// The first difference between the events of one connection.
fn one_difference(
    of_model: &Events<'_>,
    of_host: &Events<'_>,
    tolerance: Tolerance,
    late_ms: f64,
) -> Option<Difference> {
    let none = Vec::new();
    let whose: BTreeSet<_> = of_model.keys().chain(of_host.keys()).collect();
    let differences = whose.into_iter().filter_map(|whose| {
        let model = of_model.get(whose).unwrap_or(&none);
        let host = of_host.get(whose).unwrap_or(&none);
        (0..model.len().max(host.len())).find_map(|at| {
            let (at_ms, what) = match (model.get(at), host.get(at)) {
                (Some(event), None) => (ms(event), format!("the model has {}", words(event))),
                (None, Some(event)) => (ms(event), format!("the host has {}", words(event))),
                (Some(one), Some(other)) => {
                    let pair = || format!("model {}, host {}", words(one), words(other));
                    let off = (ms(one) - ms(other)).abs();
                    let allowed = tolerance.ms(ms(one)) + late_ms;
                    let what = match field(one, other).or_else(|| context(one, other)) {
                        Some(field) => format!("{field}: {}", pair()),
                        None if off > allowed => {
                            format!("{}: {off:.1} ms apart, {allowed:.1} are tolerated", pair())
                        }
                        None => return None,
                    };
                    (ms(one), what)
                }
                (None, None) => return None,
            };
            let (host, _) = whose;
            Some((at_ms, format!("event {} of the {host}: {what}", at + 1)))
        })
    });
    differences.min_by(|one, other| one.0.total_cmp(&other.0))
}

/// An event of a model and a kernel, side by side.
#[derive(Clone, PartialEq, Debug)]
pub struct Pair {
    /// Where: `client, connection 1`.
    pub place: String,
    /// What.
    pub what: String,
    /// When it came on the model, in ms, if it did.
    pub model_ms: Option<f64>,
    /// When it came on the kernel.
    pub host_ms: Option<f64>,
}

/// The events of two answers side by side, by time.
pub fn pairs(model: &Value, host: &Value) -> Vec<Pair> {
    let (Some(model), Some(host)) = (events(model), events(host)) else {
        return Vec::new();
    };
    let (of_model, of_host) = (by_connection(model), by_connection(host));
    let conns: BTreeSet<_> = of_model.keys().chain(of_host.keys()).copied().collect();
    let mut pairs = Vec::new();
    for conn in conns {
        let none = Events::new();
        let model = of_model.get(&conn).unwrap_or(&none);
        let host = of_host.get(&conn).unwrap_or(&none);
        let whose: BTreeSet<_> = model.keys().chain(host.keys()).copied().collect();
        for whose in whose {
            let nothing = Vec::new();
            let model = model.get(&whose).unwrap_or(&nothing);
            let host = host.get(&whose).unwrap_or(&nothing);
            for at in 0..model.len().max(host.len()) {
                let (model, host) = (model.get(at), host.get(at));
                let of = model.or(host).expect("one is that long");
                pairs.push(Pair {
                    place: match conn {
                        Some(conn) => format!("{} {conn}", whose.0),
                        None => format!("{} listener", whose.0),
                    },
                    what: what(of),
                    model_ms: model.map(|event| ms(event)),
                    host_ms: host.map(|event| ms(event)),
                });
            }
        }
    }
    let at = |pair: &Pair| pair.model_ms.or(pair.host_ms).unwrap_or_default();
    pairs.sort_by(|one, other| at(one).total_cmp(&at(other)));
    pairs
}

/// An event in a few words, with its time.
fn words(event: &Map<String, Value>) -> String {
    format!("{} at {:.1} ms", what(event), ms(event))
}

/// An event in a few words.
fn what(event: &Map<String, Value>) -> String {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    let what = match text("event") {
        "inet_sock_set_state" => format!("{}>{}", text("oldstate"), text("newstate")),
        "app" => format!("{} {}", text("op"), text("errno")),
        "tcp_send_reset" => format!("tcp_send_reset {} {}", text("state"), text("reason")),
        other => other.to_owned(),
    };
    what.trim_end().replace("TCP_", "")
}

/// The first field in which two events differ.
fn field(model: &Map<String, Value>, host: &Map<String, Value>) -> Option<String> {
    let is_app = model.get("event").and_then(Value::as_str) == Some("app");
    let names = model.keys().chain(host.keys());
    let differing = names.filter(|name| {
        let name = name.as_str();
        let is_port = name == "sport" || name == "dport";
        let is_end = is_port || name == "saddr" || name == "daddr";
        // An application that was told of an error does not ask who it was connected to.
        if OWN.contains(&name) || is_app && is_end {
            return false;
        }
        match (model.get(name), host.get(name)) {
            (Some(model), Some(host)) if is_port => !is_same_port(model, host),
            (model, host) => model != host,
        }
    });
    // What happened differs before its details do.
    differing
        .min_by_key(|name| {
            (
                !["event", "oldstate", "newstate", "op"].contains(&&***name),
                *name,
            )
        })
        .map(|name| {
            let value = |event: &Map<String, Value>| {
                event
                    .get(name)
                    .map_or_else(|| "nothing".into(), Value::to_string)
            };
            format!("{name} {} and {}", value(model), value(host))
        })
}

/// In what context an event fired, if that differs where both are sure.
///
/// Where the model says that a system call did it, so that its pid is the caller's, nobody else may have had the
/// processor. Where the model says softirq, whoever is interrupted by a timer can be taken for a caller; but a segment
/// that makes a connection, or that no connection takes, comes from the link's thread and from nowhere else.
fn context(model: &Map<String, Value>, host: &Map<String, Value>) -> Option<String> {
    let of = |event: &Map<String, Value>| event.get("softirq").and_then(Value::as_bool);
    let text = |name: &str| model.get(name).and_then(Value::as_str).unwrap_or_default();
    let by_segment = match text("event") {
        "inet_sock_set_state" => {
            text("oldstate") == "TCP_LISTEN" || text("oldstate") == "TCP_SYN_RECV"
        }
        "tcp_send_reset" => ["TCP_LISTEN", "UNKNOWN"].contains(&text("state")),
        _ => false,
    };
    match (of(model)?, of(host)?) {
        (false, true) => Some("a system call is to do it, and none was under way".into()),
        (true, false) if by_segment => {
            Some("a segment is to do it, and the link carried none".into())
        }
        _ => None,
    }
}

fn is_same_port(model: &Value, host: &Value) -> bool {
    let is_chosen = |port: &Value| port.as_u64().is_some_and(|port| port >= EPHEMERAL);
    model == host || is_chosen(model) && is_chosen(host)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(events: Value) -> Value {
        json!({"ok": {"events": events}})
    }

    fn state(t_ms: u64, host: &str, newstate: &str) -> Value {
        json!({
            "t_ns": t_ms * 1_000_000, "host": host, "event": "inet_sock_set_state", "conn": 1,
            "oldstate": "TCP_ESTABLISHED", "newstate": newstate, "sport": 40_000, "dport": 9_104,
        })
    }

    fn tolerance() -> Tolerance {
        Tolerance {
            abs_ms: 15.0,
            pct: 0.0,
        }
    }

    #[test]
    fn order_counts_within_a_connection_s_end_and_times_everywhere() {
        let difference = |one: Value, other: Value| {
            difference(
                &answer(one),
                &answer(other),
                tolerance(),
                &Crowds::default(),
            )
        };
        let (fin, wait) = (
            state(10, "client", "TCP_FIN_WAIT1"),
            state(12, "server", "TCP_CLOSE_WAIT"),
        );
        assert_eq!(difference(json!([fin, wait]), json!([wait, fin])), None);
        let late = state(30, "client", "TCP_FIN_WAIT1");
        let why = difference(json!([fin]), json!([late])).expect("20 ms apart");
        assert!(why.contains("connection 1, event 1 of the client"), "{why}");
        assert!(why.contains("20.0 ms apart"), "{why}");
        let why = difference(json!([fin]), json!([fin, late])).expect("one more");
        assert!(
            why.contains("event 2 of the client: the host has ESTABLISHED>FIN_WAIT1"),
            "{why}"
        );
        let close = state(10, "client", "TCP_CLOSE");
        let why = difference(json!([fin]), json!([close])).expect("another state");
        assert!(why.contains("newstate"), "{why}");
    }

    #[test]
    fn side_by_side_each_event_has_its_two_times() {
        let (fin, wait) = (
            state(10, "client", "TCP_FIN_WAIT1"),
            state(12, "server", "TCP_CLOSE_WAIT"),
        );
        let late = state(11, "client", "TCP_FIN_WAIT1");
        let pairs = pairs(&answer(json!([fin, wait])), &answer(json!([late])));
        let short: Vec<_> = pairs
            .iter()
            .map(|pair| (&*pair.place, &*pair.what, pair.model_ms, pair.host_ms))
            .collect();
        let expected = [
            ("client 1", "ESTABLISHED>FIN_WAIT1", Some(10.0), Some(11.0)),
            ("server 1", "ESTABLISHED>CLOSE_WAIT", Some(12.0), None),
        ];
        assert_eq!(short, expected);
    }

    #[test]
    fn a_port_that_the_kernel_chose_may_be_another() {
        let with = |sport: u64| {
            let mut event = state(0, "client", "TCP_CLOSE");
            event["sport"] = json!(sport);
            answer(json!([event]))
        };
        let is_same = |one: u64, other: u64| {
            difference(&with(one), &with(other), tolerance(), &Crowds::default()).is_none()
        };
        assert!(is_same(40_000, 50_123));
        assert!(!is_same(40_000, 0) && !is_same(9_104, 9_105));
    }

    /// The pid of a call's event is the caller's; that of a segment's is not.
    #[test]
    fn contexts_are_compared_where_both_are_sure() {
        let with = |oldstate: &str, softirq: Option<bool>| {
            let mut event = state(0, "server", "TCP_ESTABLISHED");
            event["oldstate"] = json!(oldstate);
            if let Some(softirq) = softirq {
                event["softirq"] = json!(softirq);
            }
            answer(json!([event]))
        };
        let why = |oldstate: &str, model, host| {
            let (model, host) = (with(oldstate, model), with(oldstate, host));
            difference(&model, &host, tolerance(), &Crowds::default()).unwrap_or_default()
        };
        let (call, softirq) = (Some(false), Some(true));
        assert!(why("TCP_CLOSE", call, softirq).contains("a system call is to do it"));
        assert!(why("TCP_SYN_RECV", softirq, call).contains("a segment is to do it"));
        for (model, host) in [(softirq, call), (call, call), (None, softirq), (call, None)] {
            assert_eq!(why("TCP_FIN_WAIT1", model, host), "", "{model:?} {host:?}");
        }
    }

    #[test]
    fn a_machine_s_lateness_is_allowed_for_up_to_where_it_could_hide_a_timer() {
        let event = |t_ms| json!([state(t_ms, "client", "TCP_CLOSE")]);
        let host = |late_ms: u64, lost: u64| {
            let mut answer = answer(event(30));
            let late_ns = late_ms * 1_000_000;
            answer["ok"]["clock"] =
                json!({"hz": 250, "jiffies": 1, "late_ns": late_ns, "lost": lost});
            answer
        };
        let model = answer(event(10));
        let is_same =
            |host: Value| difference(&model, &host, tolerance(), &Crowds::default()).is_none();
        assert!(!is_same(host(0, 0)) && is_same(host(6, 0)) && is_same(host(200, 0)));
        assert!(!is_same(host(201, 0)), "too late");
        assert!(!is_same(host(6, 1)), "events were lost");
    }

    #[test]
    fn of_connections_that_nobody_can_tell_apart_any_may_fare_as_any() {
        let fates = |closed: u64| {
            let of = |conn| {
                let newstate = match conn == closed {
                    true => "TCP_CLOSE",
                    false => "TCP_FIN_WAIT1",
                };
                let mut event = state(10, "client", newstate);
                event["conn"] = json!(conn);
                event
            };
            answer(json!([of(1), of(2), of(3)]))
        };
        let mut crowds = Crowds::default();
        assert!(difference(&fates(1), &fates(3), tolerance(), &crowds).is_some());
        let connect = json!({"op": "tcp.connect", "count": 3});
        crowds.see(&connect, &json!({"ok": {"conns": [1, 2, 3]}}));
        assert_eq!(difference(&fates(1), &fates(3), tolerance(), &crowds), None);
        assert!(
            difference(&fates(1), &fates(0), tolerance(), &crowds).is_some(),
            "none closed"
        );
    }
}
