//! What a stream of events comes to.

use std::collections::BTreeMap;

use faultlab_sim::engine::{Record as _, Span, Time, Value};
use serde::Serialize;

use super::connection::{Connections, Ending};
use super::stream::{Stream, record_kind};
use crate::render::{Page, counted, grouped, style};

/// The summary, as JSON has it.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// The file.
    pub file: String,
    /// Its format.
    pub format: &'static str,
    /// How many packets or lines it has.
    pub units: u64,
    /// What these are.
    #[serde(skip)]
    pub unit: &'static str,
    /// From the first to the last, in ns.
    pub span_ns: u64,
    /// How many events there are of each kind.
    pub events: BTreeMap<&'static str, u64>,
    /// Retransmissions by the socket's state.
    pub retransmissions_by_state: BTreeMap<String, u64>,
    /// Resets that were sent, by reason, where one is known.
    pub resets_by_reason: BTreeMap<String, u64>,
    /// How long sockets lived, from the event that opens them to the one that closes them.
    pub socket_lifetime_ns: Option<Spread>,
    /// The most sockets that were opened within one second.
    pub most_opened_in_1_s: u64,
    /// The most RSTs that were sent within one second.
    pub most_resets_in_1_s: u64,
    /// What packets show beyond events.
    pub connections: Option<ConnectionSummary>,
    /// What was left out, and how often.
    pub left_out: BTreeMap<String, u64>,
    /// What makes the events incomplete.
    pub gaps: Vec<String>,
    /// What is to be known about events from such a file.
    pub limits: &'static [&'static str],
}

/// Of connections, from packets.
#[derive(Debug, Serialize)]
pub struct ConnectionSummary {
    /// How many.
    pub count: u64,
    /// By how they ended.
    pub endings: BTreeMap<Ending, u64>,
    /// How many were there before the capture.
    pub begun_before: u64,
    /// How many sent their SYN again, and how often at the most.
    pub with_syn_again: u64,
    /// The most retransmissions of one SYN.
    pub most_syns_again: u64,
    /// When SYNs were sent again, after the first, in ns: by number, the spread over connections.
    pub syn_again_ns: Vec<Spread>,
    /// SYN-ACKs that were sent again.
    pub synacks_again: u64,
    /// Retransmissions of other segments.
    pub retransmissions: u64,
    /// From the SYN to the SYN-ACK.
    pub handshake_ns: Option<Spread>,
    /// From the SYN to the end.
    pub lifetime_ns: Option<Spread>,
    /// Bytes of data from clients and from servers.
    pub bytes: [u64; 2],
    /// TCP segments.
    pub segments: u64,
    /// Segments that were captured twice.
    pub captured_twice: u64,
    /// Segments that were reordered.
    pub reordered: u64,
    /// Gaps in what was captured.
    pub missed: u64,
    /// Keepalives and probes of a closed window.
    pub probes: u64,
    /// By the server's address: how many connections.
    pub servers: BTreeMap<String, u64>,
}

/// How values are spread.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Spread {
    /// How many there are.
    pub count: u64,
    /// The least.
    pub min: u64,
    /// Half of them are at most this.
    pub p50: u64,
    /// 99 of 100 are at most this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = Span>) -> Option<Spread> {
        let mut values: Vec<u64> = values.into_iter().map(|span| span.0).collect();
        values.sort_unstable();
        let (min, max) = (*values.first()?, *values.last()?);
        // The nearest rank.
        let at = |percent: usize| values[(values.len() * percent).div_ceil(100).max(1) - 1];
        Some(Spread {
            count: values.len() as u64,
            min,
            p50: at(50),
            p99: at(99),
            max,
        })
    }
}

/// The most times within one second.
fn most_in_1_s(times: &[Time]) -> u64 {
    let mut from = 0;
    let mut most = 0;
    for (index, at) in times.iter().enumerate() {
        while (*at - times[from]).0 >= 1_000_000_000 {
            from += 1;
        }
        most = most.max(index + 1 - from);
    }
    most as u64
}

/// Sums a stream up.
pub fn summarise(file: &str, stream: &Stream) -> Summary {
    let mut events = BTreeMap::new();
    let mut retransmissions_by_state: BTreeMap<String, u64> = BTreeMap::new();
    let mut resets_by_reason: BTreeMap<String, u64> = BTreeMap::new();
    let mut born: BTreeMap<Vec<Value>, Time> = BTreeMap::new();
    let mut lives = Vec::new();
    let (mut opened, mut resets) = (Vec::new(), Vec::new());
    stream.each(&mut |entry| {
        let kind = record_kind(entry);
        *events.entry(kind).or_default() += 1;
        let field = |name: &str| entry.record.field(name);
        let text = |name: &str| field(name).map(|value| value.to_string());
        match kind {
            "tcp_retransmit_skb" => {
                let state = text("state").unwrap_or_else(|| "unknown".into());
                *retransmissions_by_state.entry(state).or_default() += 1;
            }
            "tcp_send_reset" => {
                resets.push(entry.at);
                if let Some(reason) = text("reason").filter(|reason| !reason.is_empty()) {
                    *resets_by_reason.entry(reason).or_default() += 1;
                }
            }
            "inet_sock_set_state" => {
                let fields = ["saddr", "daddr", "dport", "sport"];
                let key: Option<Vec<Value>> = fields.into_iter().map(field).collect();
                let Some(mut key) = key else { return };
                let (old, new) = (text("oldstate"), text("newstate"));
                match (old.as_deref(), new.as_deref()) {
                    (_, Some("TCP_SYN_SENT")) | (Some("TCP_LISTEN"), Some("TCP_SYN_RECV")) => {
                        opened.push(entry.at);
                        born.insert(key, entry.at);
                    }
                    (Some("TCP_SYN_SENT"), Some(_)) => {
                        // It had no port when it was opened.
                        let port = key.pop();
                        let mut unbound = key.clone();
                        unbound.push(Value::Number(0));
                        let since = born.remove(&unbound);
                        key.extend(port);
                        match (new.as_deref(), since) {
                            (Some("TCP_CLOSE"), Some(since)) => lives.push(entry.at - since),
                            (_, Some(since)) => drop(born.insert(key, since)),
                            _ => {}
                        }
                    }
                    (_, Some("TCP_CLOSE")) => {
                        lives.extend(born.remove(&key).map(|since| entry.at - since));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    });
    Summary {
        file: file.into(),
        format: stream.source.name(),
        units: stream.units,
        unit: stream.unit(),
        span_ns: stream.span_ns,
        events,
        retransmissions_by_state,
        resets_by_reason,
        socket_lifetime_ns: Spread::of(lives),
        most_opened_in_1_s: most_in_1_s(&opened),
        most_resets_in_1_s: most_in_1_s(&resets),
        connections: stream.connections.as_ref().map(of_connections),
        left_out: stream.left_out.clone(),
        gaps: stream.gaps.clone(),
        limits: stream.source.limits(),
    }
}

fn of_connections(connections: &Connections) -> ConnectionSummary {
    let all = &connections.all;
    let mut endings = BTreeMap::new();
    let mut servers: BTreeMap<String, u64> = BTreeMap::new();
    let mut bytes = [0; 2];
    for connection in all {
        *endings.entry(connection.ending).or_default() += 1;
        *servers.entry(connection.server.to_string()).or_default() += 1;
        bytes[0] += connection.bytes[0];
        bytes[1] += connection.bytes[1];
    }
    let most = all.iter().map(|c| c.syn_again.len()).max().unwrap_or(0);
    let nth = |nth: usize| Spread::of(all.iter().filter_map(|c| c.syn_again.get(nth).copied()));
    let count = |is: fn(&super::connection::Connection) -> bool| {
        all.iter().filter(|connection| is(connection)).count() as u64
    };
    ConnectionSummary {
        count: all.len() as u64,
        endings,
        begun_before: count(|c| !c.has_beginning),
        with_syn_again: count(|c| !c.syn_again.is_empty()),
        most_syns_again: most as u64,
        syn_again_ns: (0..most.min(SHOWN_SYNS)).filter_map(nth).collect(),
        synacks_again: connections.synacks_again,
        retransmissions: all.iter().map(|c| u64::from(c.retransmissions)).sum(),
        handshake_ns: Spread::of(all.iter().filter_map(|c| c.handshake)),
        lifetime_ns: Spread::of(all.iter().filter_map(|c| c.lifetime)),
        bytes,
        segments: connections.segments,
        captured_twice: connections.twice,
        reordered: connections.reordered,
        missed: connections.missed,
        probes: connections.probes,
        servers,
    }
}

/// Of so many retransmissions of a SYN the times are told.
const SHOWN_SYNS: usize = 16;
/// So many servers are named, those with the most connections.
const SHOWN_SERVERS: usize = 5;
/// The width of the column of labels.
const COLUMN: usize = 18;

/// A span as a reader wants it.
fn span(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{}.{} us", ns / 1_000, ns / 100 % 10),
        1_000_000..1_000_000_000 => format!("{}.{:02} ms", ns / 1_000_000, ns / 10_000 % 100),
        _ => format!("{}.{:03} s", ns / 1_000_000_000, ns / 1_000_000 % 1_000),
    }
}

impl Spread {
    fn words(&self) -> String {
        if self.min == self.max {
            return span(self.min);
        }
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(span);
        format!(
            "{} to {max}, half at most {p50}, 99 % at most {p99}",
            span(self.min)
        )
    }
}

fn list<K: std::fmt::Display>(counts: &BTreeMap<K, u64>) -> String {
    let parts: Vec<String> = counts
        .iter()
        .map(|(what, count)| format!("{} {what}", grouped(count)))
        .collect();
    parts.join(", ")
}

impl Summary {
    /// Tells it to a reader.
    pub fn tell(&self, page: &mut Page) {
        page.heading(&format!("{}: {}", self.file, self.format));
        let row = |page: &mut Page, label: &str, text: &str| page.row(2, COLUMN, label, text);
        row(
            page,
            "holds",
            &format!(
                "{} over {}",
                counted(self.units, self.unit),
                span(self.span_ns)
            ),
        );
        match self.events.is_empty() {
            true => row(page, "events", "none"),
            false => row(page, "events", &list(&self.events)),
        }
        if let Some(connections) = &self.connections {
            connections.tell(page);
        } else if let Some(lives) = &self.socket_lifetime_ns {
            row(page, "sockets lived", &lives.words());
        }
        if !self.retransmissions_by_state.is_empty() {
            row(page, "sent again in", &list(&self.retransmissions_by_state));
        }
        if !self.resets_by_reason.is_empty() {
            row(page, "RSTs for", &list(&self.resets_by_reason));
        }
        let mut most = Vec::new();
        if self.most_opened_in_1_s > 0 {
            most.push(format!(
                "{} opened",
                counted(self.most_opened_in_1_s, "socket")
            ));
        }
        if self.most_resets_in_1_s > 0 {
            most.push(format!("{} sent", counted(self.most_resets_in_1_s, "RST")));
        }
        if !most.is_empty() {
            row(page, "most in a second", &most.join(", "));
        }
        if !self.left_out.is_empty() {
            row(page, "left out", &list(&self.left_out));
        }
        for gap in &self.gaps {
            let gap = page.paint(style::BAD, gap);
            row(page, "incomplete", &gap);
        }
        for (nth, limit) in self.limits.iter().enumerate() {
            let label = if nth == 0 { "limits" } else { "" };
            let limit = page.paint(style::FAINT, limit);
            row(page, label, &limit);
        }
    }
}

impl ConnectionSummary {
    fn tell(&self, page: &mut Page) {
        let row = |page: &mut Page, label: &str, text: &str| page.row(2, COLUMN, label, text);
        let mut text = counted(self.count, "connection");
        let ended = |ending| self.endings.get(&ending).copied().unwrap_or(0);
        let endings = [
            ("closed", Ending::Closed),
            ("refused", Ending::Refused),
            ("reset", Ending::Reset),
            ("never answered", Ending::Unanswered),
            ("half open", Ending::HalfOpen),
            ("open at the end", Ending::Open),
        ];
        let endings = endings.map(|(word, ending)| (word, ended(ending)));
        let endings = endings.iter().filter(|(_, count)| *count > 0);
        let endings: Vec<String> = endings
            .map(|(word, n)| format!("{} {word}", grouped(n)))
            .collect();
        if !endings.is_empty() {
            text += &format!(": {}", endings.join(", "));
        }
        if self.begun_before > 0 {
            text += &format!("; {} begun before the capture", grouped(self.begun_before));
        }
        row(page, "connections", &text);
        let mut servers: Vec<(&String, &u64)> = self.servers.iter().collect();
        servers.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
        if !servers.is_empty() {
            let shown = servers.iter().take(SHOWN_SERVERS);
            let mut shown: Vec<String> = shown
                .map(|(name, n)| format!("{name} ({})", grouped(n)))
                .collect();
            if servers.len() > SHOWN_SERVERS {
                shown.push(format!("{} more", grouped(servers.len() - SHOWN_SERVERS)));
            }
            row(page, "to", &shown.join(", "));
        }
        if let Some(handshake) = &self.handshake_ns {
            row(page, "SYN to SYN-ACK", &handshake.words());
        }
        if self.with_syn_again > 0 {
            let of = counted(self.with_syn_again, "connection");
            let most = counted(self.most_syns_again, "time");
            row(
                page,
                "SYNs sent again",
                &format!("by {of}, at the most {most}, after"),
            );
            let times: Vec<String> = self.syn_again_ns.iter().map(Spread::range).collect();
            row(page, "", &times.join("; "));
        }
        if self.synacks_again > 0 {
            row(page, "SYN-ACKs again", &grouped(self.synacks_again));
        }
        if self.retransmissions > 0 {
            row(page, "others again", &grouped(self.retransmissions));
        }
        if let Some(lives) = &self.lifetime_ns {
            row(page, "lived", &lives.words());
        }
        let [to, from] = self.bytes;
        if to + from > 0 {
            let text = format!(
                "{} to servers, {} from them",
                counted(to, "byte"),
                counted(from, "byte")
            );
            row(page, "data", &text);
        }
        let odd = [
            ("captured twice", self.captured_twice),
            ("reordered", self.reordered),
            ("gaps", self.missed),
            ("keepalives and probes", self.probes),
        ];
        let odd = odd.iter().filter(|(_, count)| *count > 0);
        let odd: Vec<String> = odd
            .map(|(word, n)| format!("{} {word}", grouped(n)))
            .collect();
        if !odd.is_empty() {
            row(page, "of the segments", &odd.join(", "));
        }
    }
}

impl Spread {
    fn range(&self) -> String {
        match self.min == self.max {
            true => span(self.min),
            false => format!("{} to {}", span(self.min), span(self.max)),
        }
    }
}
