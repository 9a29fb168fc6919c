//! The events of a part of a day, one by one.

use std::io::{BufWriter, Write};

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Time, Value};
use faultlab_sim::observe::Event;
use faultlab_sim::observe::population::{Drawn, NodeStream, Population};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::cli::Window;
use crate::failure::{Failure, Result};

/// An event as a line of JSON: `t_ns`, `node`, `cpu`, `event`, then the record's fields.
struct Line<'a> {
    node: u32,
    event: &'a Event,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let Event { at, cpu, record } = self.event;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("t_ns", &at.0)?;
        map.serialize_entry("node", &self.node)?;
        map.serialize_entry("cpu", cpu)?;
        map.serialize_entry("event", record.kind())?;
        let mut fields: Vec<(&str, Value)> = Vec::new();
        record.fields(&mut |name, value| fields.push((name, value)));
        for (name, value) in fields {
            map.serialize_entry(name, &value)?;
        }
        map.end()
    }
}

/// The longest step in which a window is taken, in ns.
const STEP_NS: u64 = 1_000_000_000;

/// Prints all events of a window: node by node, each in the order of time.
///
/// # Errors
/// The population has no such node or time, or standard output cannot be written.
pub(super) fn print(
    population: &Population,
    seed: u64,
    window: &Window,
    node: Option<u32>,
) -> Result<()> {
    let nodes = match node {
        Some(node) if node >= population.nodes => {
            return Err(Failure::bad_input(format!(
                "there is no node {node}: they are numbered from 0 to {}",
                population.nodes - 1
            )));
        }
        Some(node) => node..node + 1,
        None => 0..population.nodes,
    };
    if window.from_ns >= population.seconds * 1_000_000_000 {
        let what = "the window begins after the end of the population";
        let help = format!("it lasts {} s", population.seconds);
        return Err(Failure::bad_input(what).help(help));
    }
    let mut out = BufWriter::new(std::io::stdout().lock());
    let (mut events, mut packets) = (Vec::new(), Vec::new());
    for node in nodes {
        let drawn = Drawn::from_source(population, node, &mut Seed(seed));
        let mut stream = NodeStream::new(population, node, &drawn, Time(window.from_ns), false);
        let mut now = window.from_ns;
        while now < window.until_ns {
            now = (now + STEP_NS).min(window.until_ns);
            stream.take(Time(now), &mut events, &mut packets);
            for event in &events {
                serde_json::to_writer(&mut out, &Line { node, event })
                    .map_err(std::io::Error::from)
                    .and_then(|()| out.write_all(b"\n"))
                    .map_err(Failure::output)?;
            }
        }
    }
    out.flush().map_err(Failure::output)
}
