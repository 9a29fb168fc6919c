//! A run for <https://ui.perfetto.dev> and chrome://tracing: their JSON, with a process for each actor.
//!
//! On an actor's first track lies every record, as an instant with its fields. Each TCP socket has a track of its own
//! beside it, on which a state is a slice from the event that begins it to the event that ends it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use faultlab_sim::engine::{Entry, Record as _, Time, Value};
use faultlab_sim::scenario::Record;
use serde::{Serialize, Serializer};

/// What a run is called in the viewer.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Title<'a> {
    /// The scenario.
    pub scenario: &'a str,
    /// The arm.
    pub arm: &'a str,
    /// The seed.
    pub seed: u64,
}

/// An event of the Trace Event Format.
#[derive(Serialize)]
struct Event<'a> {
    ph: &'static str,
    name: &'a str,
    pid: u32,
    tid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    ts: Option<Microseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<Microseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    args: BTreeMap<&'static str, Value>,
}

/// Nanoseconds, written as the format wants them: microseconds with a fraction.
struct Microseconds(u64);

impl Serialize for Microseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = format!("{}.{:03}", self.0 / 1_000, self.0 % 1_000);
        let number: serde_json::Number = text.parse().map_err(serde::ser::Error::custom)?;
        number.serialize(serializer)
    }
}

/// The track of everything that an actor does.
const ALL: u32 = 0;

/// A socket's track, and the state that it is in, since when.
struct Track {
    tid: u32,
    state: Option<(Value, Time)>,
}

struct Writer<'o, W> {
    output: &'o mut W,
    begun: bool,
}

impl<W: Write> Writer<'_, W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.output
            .write_all(if self.begun { b",\n" } else { b"\n" })?;
        self.begun = true;
        serde_json::to_writer(&mut *self.output, event)?;
        Ok(())
    }

    fn name(&mut self, what: &'static str, pid: u32, tid: u32, name: Value) -> io::Result<()> {
        self.event(&Event {
            ph: "M",
            name: what,
            pid,
            tid,
            ts: None,
            dur: None,
            s: None,
            args: BTreeMap::from([("name", name)]),
        })
    }

    fn slice(&mut self, pid: u32, track: &mut Track, until: Time) -> io::Result<()> {
        let Some((state, since)) = track.state.take() else {
            return Ok(());
        };
        self.event(&Event {
            ph: "X",
            name: state.as_text().unwrap_or_default(),
            pid,
            tid: track.tid,
            ts: Some(Microseconds(since.0)),
            dur: Some(Microseconds((until - since).0)),
            s: None,
            args: BTreeMap::new(),
        })
    }
}

/// Writes a run's records; `end` is when the run ended.
///
/// # Errors
/// `output` cannot be written.
pub fn write(
    output: &mut impl Write,
    title: Title<'_>,
    entries: &[Entry<Record>],
    end: Time,
) -> io::Result<()> {
    output.write_all(b"{\"displayTimeUnit\":\"ns\",\"otherData\":")?;
    serde_json::to_writer(&mut *output, &title)?;
    output.write_all(b",\"traceEvents\":[")?;
    let mut writer = Writer {
        output,
        begun: false,
    };
    let mut actors: BTreeMap<&str, u32> = BTreeMap::new();
    let mut sockets: BTreeMap<(u32, i128), Track> = BTreeMap::new();
    let mut tracks = ALL;
    for Entry { at, actor, record } in entries {
        let next = actors.len() as u32 + 1;
        let pid = *actors.entry(actor).or_insert(next);
        if pid == next {
            writer.name("process_name", pid, ALL, Value::Shared(actor.clone()))?;
            writer.name("thread_name", pid, ALL, Value::Text("all records".into()))?;
        }
        let mut args = BTreeMap::new();
        record.fields(&mut |name, value| {
            args.insert(name, value);
        });
        let socket = args.get("skaddr").and_then(Value::as_number);
        if let (Some(socket), Some(newstate)) = (socket, args.get("newstate").cloned()) {
            let closes = newstate.as_text() == Some("TCP_CLOSE");
            let is_new = !sockets.contains_key(&(pid, socket));
            let track = sockets.entry((pid, socket)).or_insert_with(|| {
                tracks += 1;
                Track {
                    tid: tracks,
                    state: None,
                }
            });
            if is_new {
                let name = format!("socket {socket:#x}");
                writer.name("thread_name", pid, track.tid, Value::Text(name.into()))?;
            }
            writer.slice(pid, track, *at)?;
            track.state = (!closes).then_some((newstate, *at));
        }
        writer.event(&Event {
            ph: "i",
            name: record.kind(),
            pid,
            tid: ALL,
            ts: Some(Microseconds(at.0)),
            dur: None,
            s: Some("t"),
            args,
        })?;
    }
    for ((pid, _), track) in &mut sockets {
        writer.slice(*pid, track, end)?;
    }
    output.write_all(b"\n]}\n")
}
