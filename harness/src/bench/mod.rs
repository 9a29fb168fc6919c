//! `bench observers`: what each way to observe costs on the same incident, and what it finds, as a table, JSON, a
//! page and charts.
//!
//! A host measures and gives a [`Workload`] and one [`Measured`] for each way; what follows shows them, whichever
//! host it was. Time is that of the processor; it differs from run to run, so that here standard output does, too.

mod article;
mod chart;
#[cfg(target_os = "linux")]
mod kernel;
mod measure;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;

use minijinja::{AutoEscape, Environment, context};
use serde::Serialize;

use crate::cli::{self, BenchWhat};
use crate::console;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::output::Output;
use crate::progress::Progress;
use article::Figure;

/// What was observed.
#[derive(Clone, Debug, Serialize)]
pub struct Workload {
    /// Where.
    pub host: &'static str,
    /// How many connections a second, besides an incident.
    pub connections_per_s: u64,
    /// The same under overload.
    pub overload_connections_per_s: u64,
    /// How many events of tracepoints.
    pub events: u64,
    /// How many packets.
    pub packets: u64,
    /// How many bytes the events' records have.
    pub record_bytes: u64,
}

/// One way to observe, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Its name.
    pub observer: String,
    /// What it was shown: an `event` of a tracepoint, or a `packet`.
    pub unit: &'static str,
    /// How many.
    pub units: u64,
    /// Time on a processor for each, in ns.
    pub cpu_ns: f64,
    /// Allocations for each.
    pub allocations: f64,
    /// How many bytes its reader takes over for each.
    pub bytes: f64,
    /// Millionths of the records' bytes that its reader takes over.
    pub ratio_ppm: u64,
    /// Millionths that are lost under overload; none: it counts no events.
    pub overload_lost_ppm: Option<u64>,
    /// Millionths that are lost under overload with nothing to tell of it.
    pub overload_silent_ppm: Option<u64>,
    /// What tells of a loss; none: nothing can.
    pub loss_signal: Option<&'static str>,
    /// How long after an event its reader knows of it, in us (median; of a count, after its first event, which is the
    /// longest that one waits); none: it sees levels.
    pub read_delay_us: Option<u64>,
    /// How long after its beginning the burst of resets was called, in us; none: it was not.
    pub detection_delay_us: Option<u64>,
    /// How many alarms called a burst that was not there.
    pub false_alarms: u64,
}

/// Runs `bench`.
///
/// # Errors
/// The host is not there, or an output cannot be written.
pub fn run(args: &cli::Bench) -> Result<Exit> {
    match &args.what {
        BenchWhat::Observers(args) => observers(args),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    workload: &'a Workload,
    observers: &'a [Measured],
    article: &'a [Figure],
}

fn observers(args: &cli::BenchObservers) -> Result<Exit> {
    #[cfg(target_os = "linux")]
    if args.host == Host::Linux {
        return on_kernel(args);
    }
    if args.host != Host::Sim {
        let what = format!("measuring observers on the host {}", args.host.name());
        return Err(Failure::not_built_yet(&what));
    }
    let files = Files::create(args)?;
    let progress = Progress::spinner();
    let (workload, all) = measure::on_models(args.rate, measure::TURNS, &progress);
    drop(progress);
    let figures = article::figures(&all);
    let charts = chart::charts(&all);
    files.write(&Shown {
        headline: headline(&workload),
        heads: HEADS,
        rows: all.iter().map(cells).collect(),
        notes: Vec::new(),
        figures: &figures,
        charts,
    })?;
    if args.json {
        console::print_json(&Report {
            workload: &workload,
            observers: &all,
            article: &figures,
        })?;
    } else {
        console::print(&text(&workload, &all, &figures))?;
    }
    Ok(Exit::AsRecorded)
}

/// What a page shows.
struct Shown<'a> {
    headline: String,
    heads: [&'static str; 8],
    rows: Vec<[String; 8]>,
    notes: Vec<String>,
    figures: &'a [Figure],
    charts: String,
}

/// The files that were asked for.
struct Files {
    html: Option<Output>,
    svg: Option<Output>,
}

impl Files {
    /// Before anything is measured.
    fn create(args: &cli::BenchObservers) -> Result<Files> {
        let create = |path: &Option<PathBuf>| Output::create_if_asked(path.as_ref());
        Ok(Files {
            html: create(&args.html)?,
            svg: create(&args.svg)?,
        })
    }

    fn write(self, shown: &Shown<'_>) -> Result<()> {
        let page = self.html.is_some().then(|| page(shown));
        for (file, text) in [(self.html, page.as_ref()), (self.svg, Some(&shown.charts))] {
            if let Some((mut file, text)) = file.zip(text) {
                file.write_all(text.as_bytes())
                    .map_err(|error| file.failed(&error))?;
                file.commit()?;
            }
        }
        Ok(())
    }
}

#[cfg(target_os = "linux")]
fn on_kernel(args: &cli::BenchObservers) -> Result<Exit> {
    let files = Files::create(args)?;
    let progress = Progress::spinner();
    let report = kernel::measure(args, &progress)?;
    drop(progress);
    files.write(&report.shown())?;
    match args.json {
        true => console::print_json(&report)?,
        false => console::print(&report.text())?,
    }
    Ok(Exit::AsRecorded)
}

const HEADS: [&str; 8] = [
    "observer",
    "ns",
    "allocations",
    "bytes",
    "of the volume",
    "lost, overload",
    "read after",
    "found after",
];

/// A row of the table, as text.
fn cells(each: &Measured) -> [String; 8] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    let lost = each.overload_lost_ppm.map(|lost| {
        let silent = match each.overload_silent_ppm {
            Some(silent) if silent > 0 => " silent",
            _ => "",
        };
        format!("{}{silent}", percent(lost))
    });
    [
        each.observer.clone(),
        format!("{:.1}", each.cpu_ns),
        format!("{:.4}", each.allocations),
        format!("{:.2}", each.bytes),
        percent(each.ratio_ppm),
        or_dash(lost),
        or_dash(each.read_delay_us.map(time)),
        or_dash(each.detection_delay_us.map(time)),
    ]
}

/// Millionths as a percentage.
pub(super) fn percent(ppm: u64) -> String {
    format!("{}.{:02} %", ppm / 10_000, ppm % 10_000 / 100)
}

/// Microseconds in a unit that fits.
pub(super) fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..10_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{} s", us / 1_000_000),
    }
}

/// What stands above the table.
fn headline(workload: &Workload) -> String {
    format!(
        "{} events and {} packets of a node with {} connections a second and a burst of resets, on the host {}; \
         overload: {} connections a second. Time is a processor's, an event (LOG: a packet).",
        workload.events,
        workload.packets,
        workload.connections_per_s,
        workload.host,
        workload.overload_connections_per_s
    )
}

fn text(workload: &Workload, all: &[Measured], figures: &[Figure]) -> String {
    let mut text = textwrap::fill(&headline(workload), 100);
    text.push_str("\n\n");
    let mut row = |cells: &[String]| {
        let line = cells.iter().enumerate().map(|(index, cell)| match index {
            0 => format!("{cell:<28}"),
            _ => format!("{cell:>16}"),
        });
        text.push_str(line.collect::<String>().trim_end());
        text.push('\n');
    };
    row(&HEADS.map(String::from));
    all.iter().for_each(|each| row(&cells(each)));
    text.push_str("\nWhat the article says, and why it differs:\n");
    for Figure {
        id,
        article,
        ours,
        because,
        ..
    } in figures
    {
        let words = format!("{id}: article {article}; here {ours}. {because}");
        let options = textwrap::Options::new(100)
            .initial_indent("  ")
            .subsequent_indent("    ");
        let written = writeln!(text, "{}", textwrap::fill(&words, options));
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    text
}

fn page(shown: &Shown<'_>) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
        .render_named_str(
            "page.html",
            include_str!("page.html"),
            context! {
                version => env!("CARGO_PKG_VERSION"),
                style => include_str!("../html/style.css"),
                headline => shown.headline,
                heads => shown.heads,
                rows => shown.rows,
                notes => shown.notes,
                figures => shown.figures,
                charts => shown.charts,
            },
        )
        .expect("a page of plain values renders")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn measured(observer: &str) -> Measured {
        Measured {
            observer: observer.into(),
            unit: "event",
            units: 1_000,
            cpu_ns: 8.25,
            allocations: 0.0,
            bytes: 1.5,
            ratio_ppm: 20_800,
            overload_lost_ppm: Some(250_000),
            overload_silent_ppm: Some(0),
            loss_signal: None,
            read_delay_us: Some(27),
            detection_delay_us: None,
            false_alarms: 0,
        }
    }

    #[test]
    fn a_row_says_what_was_measured_and_what_was_not() {
        let cells = cells(&measured("a way"));
        let expected = [
            "a way", "8.2", "0.0000", "1.50", "2.08 %", "25.00 %", "27 us", "-",
        ];
        assert_eq!(cells, expected.map(String::from));
        let silent = Measured {
            overload_silent_ppm: Some(1),
            ..measured("a way")
        };
        assert_eq!(super::cells(&silent)[5], "25.00 % silent");
        assert_eq!(time(1_234_567), "1234.5 ms");
    }

    #[test]
    fn what_is_shown_is_escaped() {
        let all = [measured("<img src=x>&\"")];
        let workload = Workload {
            host: "sim",
            connections_per_s: 1,
            overload_connections_per_s: 100,
            events: 1,
            packets: 1,
            record_bytes: 72,
        };
        let page = page(&Shown {
            headline: headline(&workload),
            heads: HEADS,
            rows: all.iter().map(cells).collect(),
            notes: vec!["<img src=y>".into()],
            figures: &article::figures(&all),
            charts: chart::charts(&all),
        });
        assert!(!page.contains("<img"), "a text became markup");
        assert!(page.contains("&lt;img src=x&gt;&amp;"));
        assert!(!page.contains("http://") || page.contains("http://www.w3.org/2000/svg"));
    }
}
