//! What every source of events is turned into: an event stream, with what it cannot show.

use std::collections::{BTreeMap, BTreeSet};

use faultlab_sim::engine::{Entry, KindSpec, Observed};
use faultlab_sim::linux::tracepoint;
use faultlab_sim::scenario::Record;

use super::connection::{Connections, See, Segments};

/// Where events come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A capture file of this format; events are inferred from packets.
    Capture(&'static str),
    /// Lines of ftrace: `trace`, `trace_pipe`.
    Ftrace,
    /// Lines of `perf script`.
    PerfScript,
    /// JSON lines: a trace of faultlab, or one alike.
    JsonLines {
        /// Whether a header says that it is a whole run.
        is_whole: bool,
    },
    /// This machine's kernel, while a world was played on it.
    Kernel,
    /// A run of the models.
    Models,
}

/// The kinds that packets show; no other is inferred from them.
const ON_THE_WIRE: [&str; 5] = [
    "inet_sock_set_state",
    "tcp_retransmit_skb",
    "tcp_retransmit_synack",
    "tcp_send_reset",
    "tcp_receive_reset",
];
/// Fields of these that no packet has.
const NOT_IN_PACKETS: [&str; 6] = ["skaddr", "req", "sock_cookie", "reason", "err", "softirq"];

/// What tools print around an event of a tracepoint, and its kind of value: the task that was running, and the CPU.
pub const AROUND: [(&str, &str); 3] = [("pid", "number"), ("comm", "text"), ("cpu", "number")];

impl Source {
    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Source::Capture(name) => name,
            Source::Ftrace => "ftrace text",
            Source::PerfScript => "perf script text",
            Source::JsonLines { .. } => "JSON lines",
            Source::Kernel => "this kernel",
            Source::Models => "the models",
        }
    }

    /// What is to be known about events that come from there.
    pub fn limits(self) -> &'static [&'static str] {
        match self {
            Source::Capture(_) => &[
                "Events are inferred from packets, at the times at which those were captured. That an end has received something shows when it acknowledges it; a RST that was captured counts as received.",
                "No packet shows that a connection is given up, that a socket is destroyed (tcp_destroy_sock), what an application learns (app), nor skaddr, sock_cookie, reason and err.",
                "A simultaneous open looks like two connections, a closed port like a listener that answers by RST, and an orphan's FIN_WAIT2, which a kernel ends at once, like one that waits.",
                "Data that fills a gap within 3 ms counts as reordered, later as retransmitted. The same segment again counts as captured twice if its IPv4 identification is the same, or, without one (IPv6, SYN-ACKs of Linux), within 1 ms where the sender's first segment was captured twice, too.",
            ],
            Source::Ftrace | Source::PerfScript => &[
                "A kind without an event may not have been recorded: claims that nothing of it happens are undecided unless --recorded names it.",
                "pid and comm are those of the task that was running, which in softirq is whoever was interrupted.",
                "Pointers are hashed by the kernel unless it was told otherwise, so skaddr may not tell sockets apart.",
            ],
            Source::JsonLines { is_whole: true } | Source::Models => &[],
            Source::Kernel => {
                &["Beside tracepoints, what applications of the host learn is recorded."]
            }
            Source::JsonLines { is_whole: false } => &[
                "A kind without an event may not have been recorded: claims that nothing of it happens are undecided unless --recorded names it.",
            ],
        }
    }
}

/// Events, in the order of time.
#[derive(Clone, Debug)]
pub enum Events {
    /// As they were recorded.
    Held(Vec<Entry<Record>>),
    /// As they follow from what was captured.
    OfSegments(Segments),
}

/// A stream of events.
#[derive(Debug)]
pub struct Stream {
    /// Where it comes from.
    pub source: Source,
    /// The events; time begins with the first thing that the file holds.
    pub events: Events,
    /// From the first thing in the file to the last, in ns.
    pub span_ns: u64,
    /// What the file holds beside events, and how often: packets that are not TCP, other tracepoints.
    pub left_out: BTreeMap<String, u64>,
    /// What makes the stream incomplete: events that the tracer lost, a damaged end.
    pub gaps: Vec<String>,
    /// The connections, if packets were seen.
    pub connections: Option<Connections>,
    /// How many packets or lines the file has.
    pub units: u64,
}

impl Stream {
    /// An empty one.
    pub fn new(source: Source) -> Stream {
        Stream {
            source,
            events: Events::Held(Vec::new()),
            span_ns: 0,
            left_out: BTreeMap::new(),
            gaps: Vec::new(),
            connections: None,
            units: 0,
        }
    }

    /// Whether the file says of which arm its events are.
    pub fn has_arms(&self) -> bool {
        matches!(self.source, Source::JsonLines { is_whole: true })
    }

    /// What [`Stream::units`] counts.
    pub fn unit(&self) -> &'static str {
        match self.source {
            Source::Capture(_) => "packet",
            _ => "line",
        }
    }

    /// Counts something that is no event.
    pub fn leave_out(&mut self, what: impl Into<String>) {
        *self.left_out.entry(what.into()).or_default() += 1;
    }

    /// Gives all events to `see`, in their order.
    pub fn each(&self, see: &mut See<'_>) {
        match &self.events {
            Events::Held(entries) => entries.iter().for_each(see),
            Events::OfSegments(segments) => segments.each(see),
        }
    }

    /// All events at once, which of a large capture are many times as large as that.
    pub fn entries(&self) -> Vec<Entry<Record>> {
        let mut entries = Vec::new();
        self.each(&mut |entry| entries.push(entry.clone()));
        entries
    }

    /// How many events there are.
    pub fn count(&self) -> u64 {
        let mut count = 0;
        self.each(&mut |_| count += 1);
        count
    }

    /// The kinds that it has events of.
    pub fn kinds(&self) -> BTreeSet<&'static str> {
        let mut kinds = BTreeSet::new();
        self.each(&mut |entry| {
            kinds.insert(record_kind(entry));
        });
        kinds
    }

    /// Why the stream cannot tell about this field of this kind (`""`: about the kind at all), if so.
    /// `recorded` are kinds that the user knows to have been recorded.
    pub fn is_blind_to(&self, kind: &str, field: &str, recorded: &[String]) -> Option<String> {
        let mut shown = Shown::asked([(kind, field)]);
        self.each(&mut |entry| shown.see(entry));
        self.is_blind(kind, field, recorded, &shown)
    }

    /// The same, where all events have been seen and this was asked.
    pub fn is_blind(
        &self,
        kind: &str,
        field: &str,
        recorded: &[String],
        shown: &Shown<'_>,
    ) -> Option<String> {
        match self.source {
            Source::Capture(_) => {
                if !ON_THE_WIRE.contains(&kind) {
                    return Some(format!("no packet shows {kind}"));
                }
                if NOT_IN_PACKETS.contains(&field) {
                    return Some(format!("no packet shows {field} of {kind}"));
                }
            }
            Source::JsonLines { is_whole: true } | Source::Models => {}
            Source::Kernel => {
                if !is_tcp(kind) && kind != "fault" && !shown.kinds.contains(kind) {
                    return Some(format!("this host shows no {kind}"));
                }
            }
            Source::Ftrace | Source::PerfScript | Source::JsonLines { .. } => {
                let known = recorded.iter().any(|recorded| recorded == kind);
                if !known && !shown.kinds.contains(kind) {
                    return Some(format!("nothing shows that {kind} was recorded"));
                }
            }
        }
        let is_unknown = shown.lacking.contains(&(kind, field));
        is_unknown.then(|| format!("{field} of {kind} is not known"))
    }
}

/// Of what is asked about events, what they show.
#[derive(Debug, Default)]
pub struct Shown<'a> {
    /// Kinds and fields.
    asked: BTreeSet<(&'a str, &'a str)>,
    /// The kinds that there are.
    kinds: BTreeSet<&'static str>,
    /// What is asked and some event of the kind lacks.
    lacking: BTreeSet<(&'a str, &'a str)>,
}

impl<'a> Shown<'a> {
    /// Nothing seen yet. These are the kinds and fields that are asked.
    pub fn asked(asked: impl IntoIterator<Item = (&'a str, &'a str)>) -> Shown<'a> {
        let asked = asked.into_iter().filter(|(_, field)| !field.is_empty());
        Shown {
            asked: asked.collect(),
            ..Shown::default()
        }
    }

    /// Sees an event.
    pub fn see(&mut self, entry: &Entry<Record>) {
        let kind = record_kind(entry);
        self.kinds.insert(kind);
        let of_kind = self.asked.range((kind, "")..);
        for asked in of_kind.take_while(|(of, _)| *of == kind) {
            let is_lacking =
                || faultlab_sim::engine::Record::field(&entry.record, asked.1).is_none();
            if !self.lacking.contains(asked) && is_lacking() {
                self.lacking.insert(*asked);
            }
        }
    }
}

/// The kind of an event.
pub fn record_kind(entry: &Entry<Record>) -> &'static str {
    faultlab_sim::engine::Record::kind(&entry.record)
}

/// Whether it is a kind of the TCP tracepoints, or of what applications report beside them.
pub fn is_tcp(kind: &str) -> bool {
    tracepoint::Record::KINDS
        .iter()
        .any(|spec| spec.kind == kind)
}

/// The kind of record called `name`, of any family.
pub fn kind(name: &str) -> Option<KindSpec> {
    Record::kinds().into_iter().find(|spec| spec.kind == name)
}

/// An empty record of a TCP kind.
///
/// # Panics
/// If there is no such kind.
pub fn tcp(name: &str) -> Observed {
    let mut kinds = tracepoint::Record::KINDS.iter();
    let spec = kinds.find(|spec| spec.kind == name);
    Observed::new(spec.expect("a kind of the TCP tracepoints"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_blind_to_what_no_packet_shows() {
        let stream = Stream::new(Source::Capture("pcap"));
        let is_blind = |kind, field| stream.is_blind_to(kind, field, &[]).is_some();
        for spec in tracepoint::Record::KINDS {
            let is_shown = !["tcp_destroy_sock", "call", "app"].contains(&spec.kind);
            assert_eq!(is_blind(spec.kind, ""), !is_shown, "{}", spec.kind);
        }
        assert!(is_blind("registry_write", ""), "of another family");
        assert!(is_blind("inet_sock_set_state", "softirq"));
        assert!(is_blind("tcp_send_reset", "reason"));
        assert!(!is_blind("tcp_send_reset", "dport"));
    }
}
