//! Cases of TCP that nobody wrote: settings, connections, data, closes and outages at random, by a seed. What a
//! kernel answers to them shows rules that no written case asks for.
//!
//! A case stays clear of what a machine cannot time: calls are some milliseconds apart, and crossings of the
//! link end at no time at which another call is likely. Nothing is lost at random, as one packet more would shift
//! all that follows.

use std::ops::Range;

use faultlab_sim::engine::mix;
use serde_json::{Map, Value, json};

use super::tolerance::Tolerance;
use super::vectors::Set;

/// No case lasts longer, so that each is asked without `--all`, in ms.
const LONGEST_MS: u64 = 29_000;

/// No case has more connections.
const MOST_CONNECTIONS: u64 = 9;

/// Settings, how often of a hundred cases each is there, and its values.
const SETTINGS: &[(&str, u64, &[&str])] = &[
    ("net.ipv4.tcp_syn_retries", 25, &["1", "2", "3"]),
    (
        "net.ipv4.tcp_syn_linear_timeouts",
        15,
        &["0", "1", "2", "6"],
    ),
    ("net.ipv4.tcp_synack_retries", 20, &["0", "1", "2", "3"]),
    ("net.ipv4.tcp_retries2", 25, &["1", "2", "3", "4", "5"]),
    ("net.ipv4.tcp_orphan_retries", 20, &["1", "2", "3"]),
    (
        "net.ipv4.tcp_fin_timeout",
        25,
        &["1", "2", "3", "5", "62", "65"],
    ),
    ("net.ipv4.tcp_max_tw_buckets", 10, &["0", "1", "2", "5"]),
    ("net.ipv4.tcp_tw_reuse", 15, &["0", "1"]),
    ("net.ipv4.ip_local_port_range", 15, &["40000 40001"]),
    ("net.ipv4.tcp_timestamps", 12, &["0"]),
    ("net.ipv4.tcp_sack", 10, &["0"]),
    ("net.ipv4.tcp_abort_on_overflow", 20, &["1"]),
    ("net.ipv4.tcp_syncookies", 10, &["0"]),
    ("net.ipv4.tcp_rto_min_us", 10, &["100000", "300000"]),
    ("net.ipv4.tcp_rto_max_ms", 10, &["1000", "2000", "5000"]),
    ("net.ipv4.tcp_early_retrans", 8, &["0"]),
];

/// Times between calls, in ms.
const WAITS_MS: [u64; 15] = [
    5, 10, 22, 48, 71, 95, 180, 265, 430, 660, 990, 1_090, 1_490, 2_330, 4_970,
];

/// The cases of these seeds: `mix-7` and so on.
pub fn sets(seeds: Range<u64>) -> Vec<Set> {
    seeds.map(set).collect()
}

/// The case of a seed.
fn set(seed: u64) -> Set {
    let requests = Mixture::of(seed).requests;
    Set {
        name: format!("mix-{seed}"),
        requests: (1..).zip(requests).collect(),
        tolerance: Tolerance::NONE,
    }
}

struct Mixture {
    seed: u64,
    drawn: u64,
    requests: Vec<Value>,
    port: u64,
    connections: u64,
    listens: bool,
    is_down: bool,
    deaf: [bool; 2],
    /// How long it lasts so far.
    ms: u64,
}

const ENDS: [&str; 2] = ["client", "server"];

impl Mixture {
    fn of(seed: u64) -> Mixture {
        let mut mixture = Mixture {
            seed,
            drawn: 0,
            requests: Vec::new(),
            port: 0,
            connections: 0,
            listens: true,
            is_down: false,
            deaf: [false; 2],
            ms: 0,
        };
        mixture.begin();
        let calls = mixture.below(12) + 4;
        for _ in 0..calls {
            // Nothing is called while what was called before is still going on.
            let wait = mixture.one_of(&WAITS_MS);
            mixture.wait(wait);
            mixture.call();
        }
        let rest = mixture.one_of(&[530, 2_030, 5_030, 12_030]);
        mixture.wait(rest);
        for host in ENDS {
            mixture.ask(json!({"op": "sockets", "host": host}));
        }
        mixture.ask(json!({"op": "events"}));
        mixture
    }

    fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        mix(&[self.seed, self.drawn]) % end
    }

    fn one_of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len() as u64) as usize]
    }

    fn is(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn ask(&mut self, request: Value) {
        self.requests.push(request);
    }

    fn wait(&mut self, ms: u64) {
        let ms = ms.min(LONGEST_MS - self.ms);
        if ms > 0 {
            self.ms += ms;
            self.ask(json!({"op": "clock.run", "ms": ms}));
        }
    }

    /// Fresh hosts, somebody who listens, mostly, and a first connection.
    fn begin(&mut self) {
        let mut sysctl = Map::new();
        for (name, percent, values) in SETTINGS {
            if self.is(*percent) {
                let value = self.one_of(values);
                sysctl.insert((*name).into(), value.into());
            }
        }
        let delay_ms = self.one_of(&[0, 0, 0, 0, 7, 13, 29, 57, 103]);
        let link = json!({"delay_ms": delay_ms});
        self.ask(json!({"op": "reset", "sysctl": sysctl, "link": link}));
        self.port = 9_000 + self.below(900);
        self.listens = !self.is(8);
        if self.listens {
            let mut listen = json!({"op": "tcp.listen", "host": "server", "port": self.port});
            if self.is(40) {
                listen["backlog"] = self.one_of(&[0, 1, 2, 3]).into();
            }
            if self.is(35) {
                listen["accept"] = false.into();
            }
            if self.is(30) {
                listen["read"] = false.into();
            }
            self.ask(listen);
        }
        if self.is(20) {
            self.make_deaf();
        }
        self.connect();
    }

    fn call(&mut self) {
        let conn = self.below(self.connections) + 1;
        let end = self.one_of(&ENDS);
        let port = self.port;
        match self.below(100) {
            0..16 if self.connections < MOST_CONNECTIONS => self.connect(),
            0..40 => {
                let bytes = self.one_of(&[1, 10, 100, 1_000, 1_448, 2_896, 5_000, 14_480, 30_000]);
                self.ask(json!({"op": "tcp.send", "conn": conn, "end": end, "bytes": bytes}));
            }
            40..70 => {
                let how = self.one_of(&["close", "close", "abort", "shutdown", "shutdown"]);
                self.ask(json!({"op": "tcp.close", "conn": conn, "end": end, "how": how}));
            }
            70..78 => {
                self.is_down = !self.is_down;
                self.ask(json!({"op": "link.set", "down": self.is_down}));
            }
            78..87 => self.make_deaf(),
            87..93 if self.listens => {
                let count = self.one_of(&[1, 2, 5]);
                let host = "server";
                self.ask(json!({"op": "tcp.accept", "host": host, "port": port, "count": count}));
            }
            93..96 if self.listens => {
                self.listens = false;
                self.ask(json!({"op": "tcp.close", "host": "server", "port": port}));
            }
            _ => {
                let delay_ms = self.one_of(&[0, 7, 19, 61]);
                self.ask(json!({"op": "link.set", "delay_ms": delay_ms}));
            }
        }
    }

    /// A host hears nothing any more, or hears again.
    fn make_deaf(&mut self) {
        let which = self.below(2) as usize;
        self.deaf[which] = !self.deaf[which];
        let (host, drop) = (ENDS[which], self.deaf[which]);
        self.ask(json!({"op": "host.set", "host": host, "port": self.port, "drop": drop}));
    }

    fn connect(&mut self) {
        let mut connect =
            json!({"op": "tcp.connect", "from": "client", "to": "server", "port": self.port});
        let count = match self.is(20) {
            true => self.one_of(&[2, 3, 5]),
            false => 1,
        };
        connect["count"] = count.into();
        self.connections += count;
        if self.is(20) {
            connect["keepalive"] = json!({
                "idle_s": self.one_of(&[1, 2, 3]),
                "interval_s": self.one_of(&[1, 2]),
                "count": self.one_of(&[1, 2, 3]),
            });
        }
        if self.is(20) {
            let ms = self.one_of(&[500, 1_000, 2_000, 3_000, 5_000]);
            connect["user_timeout_ms"] = ms.into();
        }
        if self.is(20) {
            connect["read"] = false.into();
        }
        self.ask(connect);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::session::{Models, ask_json};

    /// A case that the protocol refuses would compare nothing.
    #[test]
    fn the_models_understand_every_mixture() {
        let mut models = Models::default();
        let mut kinds = std::collections::BTreeSet::new();
        for set in sets(0..300) {
            assert!(set.lasts_ms() <= LONGEST_MS, "{}", set.name);
            for (line, request) in &set.requests {
                let answer = ask_json(&mut models, request).expect("an answer");
                // Of two calls that close one socket the second finds none.
                let is_closed = answer.pointer("/err/name") == Some(&"EBADF".into());
                assert!(
                    answer.get("ok").is_some() || is_closed,
                    "{}:{line}: {request}: {answer}",
                    set.name
                );
                let events = answer.pointer("/ok/events").and_then(Value::as_array);
                for event in events.into_iter().flatten() {
                    kinds.insert(event["event"].to_string());
                }
            }
        }
        assert_eq!(
            kinds.len(),
            7,
            "all tracepoints, and what applications learn: {kinds:?}"
        );
    }

    #[test]
    fn a_seed_is_a_case() {
        assert_eq!(sets(3..5), sets(3..5));
        assert_ne!(set(3).requests, set(4).requests);
    }
}
