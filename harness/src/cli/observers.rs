//! What `day`, `detect`, `serve` and `bench` take.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::values::{Shard, Window, shard, window};
use crate::host::Host;

/// `day`
#[derive(Clone, Debug, Args)]
pub struct Day {
    /// A population, in RON; without it, that of the article
    #[arg(value_name = "FILE.ron")]
    pub file: Option<PathBuf>,
    /// The seed that decides when connections come, from whom, on which CPU, and when kernels booted
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// How often a node's map is read, in ms
    #[arg(long, value_name = "MS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub period_ms: u64,
    /// Print the events from A to before B instead, one JSON object a line: times as H:MM, H:MM:SS or 1.5s
    #[arg(long, value_name = "A..B", value_parser = window, conflicts_with_all = ["shard", "DayForm", "threads", "period_ms"])]
    pub window: Option<Window>,
    /// Of one node only, numbered from 0
    #[arg(long, value_name = "N", requires = "window")]
    pub node: Option<u32>,
    /// Only the I-th of N parts of the nodes (from 1), as a shard for `faultlab merge`
    #[arg(long, value_name = "I/N", value_parser = shard, conflicts_with = "DayForm")]
    pub shard: Option<Shard>,
    /// How many threads; without it, one a core. The result is the same
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Print the population instead, as a file to begin one of your own with
    #[arg(long, conflicts_with_all = ["shard", "DayForm", "threads", "period_ms", "window"])]
    pub print: bool,
    /// In which form it is printed
    #[command(flatten)]
    pub form: DayForm,
}

/// In which form a day is printed; none of these: as text.
#[derive(Clone, Copy, Debug, Args)]
#[group(multiple = false)]
pub struct DayForm {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// A line for each trouble, with a head
    #[arg(long)]
    pub csv: bool,
    /// OpenMetrics text, as node_exporter's textfile collector takes it
    #[arg(long)]
    pub openmetrics: bool,
}

/// `bench`
#[derive(Clone, Debug, Args)]
pub struct Bench {
    /// What to measure
    #[command(subcommand)]
    pub what: BenchWhat,
}

/// What `bench` measures.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchWhat {
    /// Observers, on the events of one node: time, allocations and bytes an event, loss, delay
    #[command(
        after_help = "Times are those of this machine's processor. Ratios are what to read.\n\nWith --host linux the ways are \
                      measured on this kernel, in namespaces of the run's own, beside what the models say. It needs root.\n\n\
                      Example:\n  faultlab bench observers --json\n  faultlab bench observers --host linux"
    )]
    Observers(BenchObservers),
}

/// `bench observers`
#[derive(Clone, Debug, Args)]
pub struct BenchObservers {
    /// Where to measure
    #[arg(long, value_enum, default_value_t)]
    pub host: Host,
    /// How many connections a second the node has
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub rate: u64,
    /// With --host linux: only ways whose names contain this; may be given again
    #[arg(long = "observer", value_name = "TEXT")]
    pub observers: Vec<String>,
    /// With --host linux: how often each way is measured; medians count
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub turns: u32,
    /// With --host linux: have rules of LOG in namespaces print meanwhile. That is a setting of the whole machine,
    /// and fills its kernel's log
    #[arg(long)]
    pub kernel_log: bool,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    /// Also write a page with the table, charts and what the article says
    #[arg(long, value_name = "OUT.html")]
    pub html: Option<PathBuf>,
    /// Also write the charts alone
    #[arg(long, value_name = "OUT.svg")]
    pub svg: Option<PathBuf>,
}

pub(super) const SERVE_HELP: &str = "\
Examples:
  faultlab serve detection
  faultlab serve map-full-runbook --rules rules.ron --speed 0 --until-end

A file of rules:
  (
      version: 1,
      fallback: \"undelivered.jsonl\",
      rules: [
          (name: \"map-full\", observer: \"map*\", when: Own(signal: FailedUpdates, least: 1, within_s: 10),
           again_after_s: 60, to: [File(\"alerts.jsonl\"), Webhook(\"http://127.0.0.1:9000/hook\")]),
          (name: \"flood\", when: Calls(SynFlood), to: [File(\"alerts.jsonl\")]),
      ],
  )
Signals: FailedUpdates, VanishedKeys, Drops, LogGap, and MapFill in thousandths.
Troubles: SynTimeouts, ResetBurst, TimeWaitGrowth, PoolLeak, PortExhaustion, SynFlood, BufferOverflow.
Webhooks are http: TLS is not built in, and an https:// URL is refused; for such a receiver give the
URL of a relay on this machine. What cannot be delivered is said, and goes to the fallback, or to
standard error.

Exit codes: 0; 1 an alert was not delivered where it should have been; 2 bad input.";

/// `detect`
#[derive(Clone, Debug, Args)]
pub struct Detect {
    /// Population, buffer and observers; without it, those that come with faultlab
    #[arg(value_name = "FILE.ron")]
    pub file: Option<PathBuf>,
    /// Print the file instead of playing it, to begin one of your own
    #[arg(long, conflicts_with_all = ["json", "csv"])]
    pub print: bool,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// How many threads; without it, one a core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// One JSON object
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// A line for each observer, fault and trouble, with a head
    #[arg(long)]
    pub csv: bool,
}

/// `serve`
#[derive(Clone, Debug, Args)]
pub struct Serve {
    /// A scenario with a world of observers: its id, or a path
    #[arg(value_name = "ID|FILE")]
    pub name: String,
    /// Which of its arms
    #[arg(long, value_name = "ARM", default_value = faultlab_sim::scenario::BASELINE)]
    pub arm: String,
    /// The seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Where to serve /metrics, /state.json and /state.csv
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = crate::serve::USUAL)]
    pub listen: std::net::SocketAddr,
    /// Serve nothing, only alert
    #[arg(long, conflicts_with = "listen", requires = "until_end")]
    pub no_listen: bool,
    /// How many seconds of the node's time pass in one; 0: as fast as possible
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub speed: u64,
    /// End when the node's time is over, in place of going on to serve what it came to
    #[arg(long)]
    pub until_end: bool,
    /// A file of alert rules
    #[arg(long, value_name = "RULES.ron")]
    pub rules: Option<PathBuf>,
}
