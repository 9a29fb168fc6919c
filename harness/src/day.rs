//! `day`: a population of nodes, a whole day of it, through aggregation and detection; windows and shards.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use faultlab_sim::engine::source::Seed;
use faultlab_sim::engine::{Time, Value};
use faultlab_sim::observe::population::{Drawn, NodeStream, Population};
use faultlab_sim::observe::{AggregateConfig, Event, Tally};
use faultlab_sim::scenario::{Versions, model_versions};
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};

use crate::cli::{self, Shard, Window};
use crate::console;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::render::took;
use crate::threads::Threads;

/// The version of the format of shards.
const VERSION: u32 = 1;

/// What a day is of: all shards of one agree on it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    model_versions: Versions,
    population: Population,
    seed: u64,
    period_ms: u64,
}

/// A shard, as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DayShard {
    /// The version of the format.
    faultlab_day: u32,
    shard: Shard,
    subject: Subject,
    tally: Tally,
}

/// Runs `day`.
///
/// # Errors
/// Bad input, or an output that cannot be written.
pub fn run(args: &cli::Day) -> Result<Exit> {
    let population = match &args.file {
        Some(path) => read(path)?,
        None => Population::article_day(),
    };
    if args.print {
        let text = ron::ser::to_string_pretty(&population, ron::ser::PrettyConfig::default())
            .expect("a population can be written");
        console::print(&format!("{text}\n"))?;
        return Ok(Exit::AsRecorded);
    }
    if let Some(window) = &args.window {
        return export(&population, args.seed, window, args.node);
    }
    let subject = Subject {
        model_versions: model_versions(),
        population,
        seed: args.seed,
        period_ms: args.period_ms,
    };
    let all = 0..u64::from(subject.population.nodes);
    let nodes = args.shard.map_or(all.clone(), |shard| shard.range(&all));
    let began = Instant::now();
    let threads = Threads::new(args.threads);
    let Subject {
        population,
        seed,
        period_ms,
        ..
    } = &subject;
    let tally = tally(population, *seed, *period_ms, nodes, threads);
    let time = began.elapsed();
    let rate = tally.events as f64 / time.as_secs_f64().max(1e-9) / 1e6;
    eprintln!(
        "{} events in {}, {rate:.1} million a second",
        grouped(tally.events),
        took(time)
    );
    match args.shard {
        Some(shard) => console::print_json(&DayShard {
            faultlab_day: VERSION,
            shard,
            subject,
            tally,
        })?,
        None => print(&subject, &tally, args.json)?,
    }
    Ok(Exit::AsRecorded)
}

/// Whether files to merge are shards of a day: the first of them decides.
pub fn is_shard(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Any {
        #[serde(rename = "faultlab_day")]
        _version: u32,
    }
    fs::read(path).is_ok_and(|text| serde_json::from_slice::<Any>(&text).is_ok())
}

/// Puts the shards of a day together: prints what one day would.
///
/// # Errors
/// Shards that cannot be read, or that are not all of one day.
pub fn merge(args: &cli::Merge) -> Result<Exit> {
    let mut shards: Vec<(&PathBuf, DayShard)> = Vec::new();
    for path in &args.files {
        let shard = read_shard(path)?;
        if let Some((first_path, first)) = shards.first()
            && (first.subject != shard.subject || first.shard.of != shard.shard.of)
        {
            return Err(Failure::bad_input(format!(
                "{} and {} are not of one day",
                first_path.display(),
                path.display()
            )));
        }
        shards.push((path, shard));
    }
    shards.sort_by_key(|(_, shard)| shard.shard.nth);
    let of = shards.first().map_or(0, |(_, shard)| shard.shard.of);
    let there: Vec<u32> = shards.iter().map(|(_, shard)| shard.shard.nth).collect();
    if there != (1..=of).collect::<Vec<u32>>() {
        return Err(Failure::bad_input(format!(
            "a day of {of} shards needs each of 1/{of} to {of}/{of} once; there are {}",
            there
                .iter()
                .map(|nth| format!("{nth}/{of}"))
                .collect::<Vec<_>>()
                .join(", ")
        )));
    }
    let mut tally = Tally::default();
    for (_, shard) in &shards {
        tally.add(&shard.tally);
    }
    let (_, first) = &shards[0];
    print(&first.subject, &tally, args.json)?;
    Ok(Exit::AsRecorded)
}

fn read(path: &Path) -> Result<Population> {
    let name = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| Failure::bad_input(format!("{name} cannot be read: {error}")))?;
    let population: Population = ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .from_str(&text)
        .map_err(|error| {
            let at = error.span.start;
            let what = format!("{name}:{}:{}: {}", at.line, at.col, error.code);
            Failure::bad_input(what).help("`faultlab day --print` shows the article's population")
        })?;
    population
        .check()
        .map_err(|error| Failure::bad_input(format!("{name}: {error}")))?;
    Ok(population)
}

fn read_shard(path: &Path) -> Result<DayShard> {
    let name = path.display();
    let text = fs::read(path)
        .map_err(|error| Failure::bad_input(format!("{name} cannot be read: {error}")))?;
    let shard: DayShard = serde_json::from_slice(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Failure::bad_input(format!(
            "{name}:{line}:{column}: this is no shard of a day: {error}"
        ))
        .help("a shard is what `faultlab day --shard I/N` writes to standard output")
    })?;
    if shard.faultlab_day != VERSION {
        let what = format!("{name} is a shard of version {}", shard.faultlab_day);
        return Err(Failure::bad_input(what).help(format!("this program reads version {VERSION}")));
    }
    Ok(shard)
}

/// What these nodes come to, the same for any number of threads.
pub fn tally(
    population: &Population,
    seed: u64,
    period_ms: u64,
    nodes: Range<u64>,
    threads: Threads,
) -> Tally {
    let config = AggregateConfig {
        period_ms,
        cpus: population.cpus,
        ..AggregateConfig::default()
    };
    let progress = Progress::bar_of(nodes.end - nodes.start, "nodes");
    let of_nodes = threads.map(nodes.end - nodes.start, 1, |part| {
        let node = (nodes.start + part.start) as u32;
        let drawn = Drawn::from_source(population, node, &mut Seed(seed));
        let tally = population.tally(node, &drawn, config);
        progress.advance(1);
        tally
    });
    let mut sum = Tally::default();
    for tally in &of_nodes {
        sum.add(tally);
    }
    sum
}

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
fn export(population: &Population, seed: u64, window: &Window, node: Option<u32>) -> Result<Exit> {
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
    out.flush().map_err(Failure::output)?;
    Ok(Exit::AsRecorded)
}

/// A day, as JSON has it.
#[derive(Serialize)]
struct Report<'a> {
    model_versions: &'a Versions,
    nodes: u64,
    events: u64,
    digest: String,
    record_bytes: u64,
    read_bytes: u64,
    ratio_ppm: Option<u64>,
    counted: u64,
    lost: u64,
    most_keys: u64,
    detection: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    trouble: &'static str,
    injected: u64,
    found: u64,
    false_alarms: u64,
    precision_permille: Option<u64>,
    recall_permille: Option<u64>,
    median_delay_ms: Option<u64>,
}

fn print(subject: &Subject, tally: &Tally, json: bool) -> Result<()> {
    let rows: Vec<Row> = tally
        .scores
        .iter()
        .map(|(trouble, score)| Row {
            trouble: trouble.name(),
            injected: score.injected,
            found: score.found,
            false_alarms: score.false_alarms,
            precision_permille: score.precision_permille(),
            recall_permille: score.recall_permille(),
            median_delay_ms: score.median_delay().map(|delay| delay.0 / 1_000_000),
        })
        .collect();
    let ratio = u128::from(tally.read_bytes) * 1_000_000;
    let ratio_ppm = ratio
        .checked_div(tally.record_bytes.into())
        .map(|ratio| ratio as u64);
    if json {
        return console::print_json(&Report {
            model_versions: &subject.model_versions,
            nodes: tally.nodes,
            events: tally.events,
            digest: format!("{:016x}", tally.digest),
            record_bytes: tally.record_bytes,
            read_bytes: tally.read_bytes,
            ratio_ppm,
            counted: tally.counted,
            lost: tally.lost,
            most_keys: tally.most_keys,
            detection: rows,
        });
    }
    let mut text = format!(
        "{} events on {} nodes, digest {:016x}\n\
         records {} bytes, the map's reader takes {} ({}), every {} ms, at most {} keys a node\n\
         counted {}, lost {}\n\n\
         {:<18}{:>9}{:>7}{:>14}{:>11}{:>8}{:>16}\n",
        grouped(tally.events),
        tally.nodes,
        tally.digest,
        grouped(tally.record_bytes),
        grouped(tally.read_bytes),
        ratio_ppm.map_or_else(|| "no events".into(), percent),
        subject.period_ms,
        tally.most_keys,
        grouped(tally.counted),
        grouped(tally.lost),
        "trouble",
        "injected",
        "found",
        "false alarms",
        "precision",
        "recall",
        "median delay",
    );
    for row in &rows {
        let permille = |value: Option<u64>| {
            value.map_or_else(
                || "-".to_owned(),
                |value| format!("{}.{:03}", value / 1_000, value % 1_000),
            )
        };
        let delay = row
            .median_delay_ms
            .map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let written = writeln!(
            text,
            "{:<18}{:>9}{:>7}{:>14}{:>11}{:>8}{:>16}",
            row.trouble,
            row.injected,
            row.found,
            row.false_alarms,
            permille(row.precision_permille),
            permille(row.recall_permille),
            delay
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    console::print(&text)
}

/// Parts of a million as a percentage with four decimals.
fn percent(ppm: u64) -> String {
    format!("{}.{:04} %", ppm / 10_000, ppm % 10_000)
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(4_200_000_000), "4 200 000 000");
        assert_eq!(percent(3_700), "0.3700 %");
    }

    #[test]
    fn threads_change_nothing() {
        let population = Population {
            nodes: 6,
            seconds: 4,
            incidents: Vec::new(),
            ..Population::article_day()
        };
        let with = |threads| tally(&population, 1, 1_000, 0..6, Threads::new(Some(threads)));
        assert_eq!(with(1), with(3));
        assert!(with(1).events > 0);
    }
}
