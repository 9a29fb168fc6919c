//! What was measured, beside what the models predict: as a table and as JSON.

use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::super::chart::{Panel, draw};
use super::super::{Shown, percent, time};
use super::model::{Predicted, predict};
use super::{Phase, Way};
use crate::failure::Result;
use crate::host::linux::kernel_version;

/// One turn of a way.
pub struct Turn {
    /// Beside that without an observer, just before.
    cpu_ns: f64,
    bytes: f64,
    delays: Histogram<u64>,
    lost_ppm: u64,
    told: u64,
    per_s: u64,
    at_most_cpu_ns: f64,
    at_most_lost_ppm: u64,
    at_most_told: u64,
    /// For how long a program ran, in ns.
    program_ns: Option<f64>,
}

impl Turn {
    /// Of its phases, those without an observer just before (at the rate, and as fast as they go), and how often
    /// programs ran for how long.
    pub(super) fn of(
        at_rate: &Phase,
        at_most: &Phase,
        base: Option<[f64; 2]>,
        ran: (u64, u64),
    ) -> Turn {
        let [base, base_at_most] = base.unwrap_or_default();
        let (delays, known) = at_rate.seen.of(&at_rate.made);
        let (_, known_at_most) = at_most.seen.of(&at_most.made);
        let made = at_rate.made.len() as u64;
        Turn {
            cpu_ns: at_rate.cpu_ns - base,
            bytes: at_rate.seen.bytes as f64 / made.max(1) as f64,
            delays,
            lost_ppm: lost_ppm(made, known),
            told: at_rate.seen.told,
            per_s: at_most.made.len() as u64 * 1_000_000_000 / at_most.took_ns.max(1),
            at_most_cpu_ns: at_most.cpu_ns - base_at_most,
            at_most_lost_ppm: lost_ppm(at_most.made.len() as u64, known_at_most),
            at_most_told: at_most.seen.told,
            program_ns: (ran.0 > 0).then(|| ran.1 as f64 / ran.0 as f64),
        }
    }
}

fn lost_ppm(made: u64, known: u64) -> u64 {
    let lost = made.saturating_sub(known) * 1_000_000;
    lost.checked_div(made).unwrap_or(0)
}

/// What a way came to; medians of the turns.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Time on processors for each connection beside that without an observer, in us; of `none`, that time.
    pub cpu_us: f64,
    /// The same at the maximum rate.
    pub at_most_cpu_us: f64,
    /// For how long a program ran for an event, in ns.
    pub program_ns: Option<f64>,
    /// Bytes that its reader took over for each connection.
    pub bytes: f64,
    /// How long after a connection's beginning (with a ring buffer: after an event) its reader knew of it, in us:
    /// of a hundred the 50th and the 99th, of a thousand the 999th.
    pub delay_us: Option<[u64; 3]>,
    /// Millionths of the connections of which its reader never knew.
    pub lost_ppm: Option<u64>,
    /// How many losses something told of.
    pub told: u64,
    /// How many connections a second went at most.
    pub per_s: u64,
    /// Millionths that were lost then.
    pub at_most_lost_ppm: Option<u64>,
    /// How many of these losses something told of.
    pub at_most_told: u64,
}

/// A way: measured, or why not, and predicted.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub observer: &'static str,
    /// What was measured.
    pub measured: Option<Measured>,
    /// Why it was not.
    pub not_measured: Option<String>,
    /// What the models say at the rate.
    pub model: Option<Predicted>,
    /// What the models say at the rate that this way reached.
    pub model_at_most: Option<Predicted>,
}

/// All of it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The kernel.
    pub kernel: String,
    /// Who counted time on processors.
    pub cpu_by: &'static str,
    /// Connections a second.
    pub rate: u64,
    /// Whether LOG prints in namespaces (net.netfilter.nf_log_all_netns).
    pub log_prints: bool,
    /// The ways.
    pub rows: Vec<Row>,
}

fn median<T: Copy>(
    turns: &[Turn],
    of: impl Fn(&Turn) -> T,
    order: fn(&T, &T) -> std::cmp::Ordering,
) -> T {
    let mut all: Vec<T> = turns.iter().map(of).collect();
    all.sort_by(order);
    all[all.len() / 2]
}

impl Measured {
    fn of(way: Way, turns: &[Turn]) -> Measured {
        let float = |of: fn(&Turn) -> f64| median(turns, of, f64::total_cmp);
        let number = |of: fn(&Turn) -> u64| median(turns, of, u64::cmp);
        let is_watching = way != Way::Nothing;
        let delay = |quantile: f64| {
            let of = |turn: &Turn| turn.delays.value_at_quantile(quantile) / 1_000;
            median(turns, of, u64::cmp)
        };
        let has_delays = turns.iter().any(|turn| !turn.delays.is_empty());
        Measured {
            cpu_us: float(|turn| turn.cpu_ns) / 1_000.0,
            at_most_cpu_us: float(|turn| turn.at_most_cpu_ns) / 1_000.0,
            program_ns: turns
                .iter()
                .all(|turn| turn.program_ns.is_some())
                .then(|| float(|turn| turn.program_ns.unwrap_or_default())),
            bytes: float(|turn| turn.bytes),
            delay_us: has_delays.then(|| [0.5, 0.99, 0.999].map(delay)),
            lost_ppm: is_watching.then(|| number(|turn| turn.lost_ppm)),
            told: number(|turn| turn.told),
            per_s: number(|turn| turn.per_s),
            at_most_lost_ppm: is_watching.then(|| number(|turn| turn.at_most_lost_ppm)),
            at_most_told: number(|turn| turn.at_most_told),
        }
    }
}

impl Report {
    /// Of the turns of all ways.
    ///
    /// # Errors
    /// Nothing at all could be measured; a mistake in the models' scenario.
    pub(super) fn of(
        rate: u64,
        cpu_by: &'static str,
        log_prints: bool,
        all: Vec<(Way, Vec<Result<Turn>>)>,
    ) -> Result<Report> {
        if let Some((_, turns)) = all.iter().find(|(way, _)| *way == Way::Nothing)
            && turns.iter().any(Result::is_err)
        {
            let mut all = all.into_iter().flat_map(|(_, turns)| turns);
            let failed = all.find_map(Result::err);
            return Err(failed.expect("one failed"));
        }
        let model = predict(rate, 5)?;
        let mut rows: Vec<Row> = Vec::new();
        for (way, turns) in all {
            let turns: Result<Vec<Turn>> = turns.into_iter().collect();
            let (mut measured, mut not_measured) = (None, None);
            match turns {
                Ok(turns) => measured = Some(Measured::of(way, &turns)),
                Err(failure) => not_measured = Some(failure.to_string()),
            }
            let at_most = match &measured {
                Some(measured) => predict(measured.per_s.clamp(1, 50_000), 1)?,
                None => model.clone(),
            };
            rows.push(Row {
                observer: way.name(),
                measured,
                not_measured,
                model: model.get(way.name()).cloned(),
                model_at_most: at_most.get(way.name()).cloned(),
            });
        }
        Ok(Report {
            kernel: kernel_version(),
            cpu_by,
            rate,
            log_prints,
            rows,
        })
    }

    /// What stands above the table.
    fn headline(&self) -> String {
        format!(
            "Linux {}, {} connections a second through a pair of cards, one request each, {} ways in turn; time on \
             processors by {}, beside that without an observer. In brackets what the models say.",
            self.kernel,
            self.rate,
            self.rows.len(),
            self.cpu_by,
        )
    }

    /// What the table leaves open.
    fn notes(&self) -> Vec<String> {
        let lacking = self.rows.iter().filter_map(|row| {
            let why = row.not_measured.as_ref()?;
            Some(format!("{}: not measured here: {why}", row.observer))
        });
        let mut notes: Vec<String> = lacking.collect();
        if !self.log_prints {
            notes.push(
                "nft LOG: net.netfilter.nf_log_all_netns is 0, so a rule in another namespace than the first prints \
                 nothing, and nothing tells of it. --kernel-log sets it meanwhile."
                    .into(),
            );
        }
        notes
    }

    /// For a page, with charts: each way measured, and below it what the models say.
    pub(in super::super) fn shown(&self) -> Shown<'static> {
        type Value<T> = fn(&T) -> Option<f64>;
        let panel = |title,
                     is_share,
                     measured: Value<Measured>,
                     model: Value<Predicted>,
                     words: fn(f64) -> String| {
            let bar = |name: String, value: Option<f64>| {
                let words = value.map_or("-".into(), words);
                (name, value, words)
            };
            let bars = self.rows.iter().flat_map(|row| {
                let of_model = row
                    .model
                    .as_ref()
                    .map(|own| bar("models".into(), model(own)));
                let own = row.measured.as_ref().and_then(measured);
                [Some(bar(row.observer.into(), own)), of_model]
            });
            Panel {
                title,
                is_share,
                bars: bars.flatten().collect(),
            }
        };
        Shown {
            headline: self.headline(),
            heads: HEADS,
            rows: self.rows.iter().map(cells).collect(),
            notes: self.notes(),
            figures: &[],
            charts: draw(&[
                panel(
                    "Time on processors, us a connection, beside none; logarithmic",
                    false,
                    |own| Some(own.cpu_us),
                    |model| model.cpu_us,
                    |us| format!("{us:.1}"),
                ),
                panel(
                    "Bytes that a reader takes over, a connection; logarithmic",
                    false,
                    |own| Some(own.bytes),
                    |model| Some(model.bytes),
                    |bytes| format!("{bytes:.0}"),
                ),
                panel(
                    "Until its reader knows, median; logarithmic",
                    false,
                    |own| own.delay_us.map(|[p50, ..]| p50 as f64),
                    |model| model.delay_us.map(|[p50, ..]| p50 as f64),
                    |us| time(us as u64),
                ),
                panel(
                    "Lost as fast as connections go, of all",
                    true,
                    |own| own.at_most_lost_ppm.map(|lost| lost as f64),
                    |_| None,
                    |lost| percent(lost as u64),
                ),
            ]),
        }
    }

    /// As a table.
    pub fn text(&self) -> String {
        let mut text = textwrap::fill(&self.headline(), 100);
        text += "\n\n";
        let mut line = |cells: [String; 8]| {
            let widths = [23, 16, 16, 12, 14, 42, 36, 14];
            let line: String = cells
                .iter()
                .zip(widths)
                .enumerate()
                .map(|(index, (cell, width))| match index {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            let written = writeln!(text, "{}", line.trim_end());
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        };
        line(HEADS.map(String::from));
        for row in &self.rows {
            line(cells(row));
        }
        for note in self.notes() {
            text += &format!("\n{note}\n");
        }
        text
    }
}

const HEADS: [&str; 8] = [
    "observer",
    "us a connection",
    "at most",
    "ns a program",
    "bytes",
    "p50 / p99 / p99.9",
    "lost",
    "connections/s",
];

/// A row of the table: measured, and in brackets predicted.
fn cells(row: &Row) -> [String; 8] {
    let Some(measured) = &row.measured else {
        let mut cells = [const { String::new() }; 8];
        cells[0] = row.observer.into();
        cells[1] = "not measured".into();
        return cells;
    };
    let (model, at_most) = (row.model.as_ref(), row.model_at_most.as_ref());
    let bracket = |text: Option<String>| text.map_or(String::new(), |text| format!(" ({text})"));
    let one = |number: f64| format!("{number:.1}");
    // Of what observing adds, the sign is shown.
    let cpu = |us: f64| match row.model {
        Some(_) => format!("{us:+.1}"),
        None => one(us),
    };
    let lost = |ppm: Option<u64>, told: u64| match ppm {
        Some(0) => "0".into(),
        Some(ppm) if told == 0 => format!("{} silent", percent(ppm)),
        Some(ppm) => percent(ppm),
        None => "-".into(),
    };
    let delays = measured.delay_us.map(|delays| delays.map(time).join(" / "));
    let predicted = model.and_then(|model| model.delay_us);
    [
        row.observer.into(),
        format!(
            "{}{}",
            cpu(measured.cpu_us),
            bracket(model.and_then(|model| model.cpu_us).map(one))
        ),
        format!(
            "{}{}",
            cpu(measured.at_most_cpu_us),
            bracket(at_most.and_then(|model| model.cpu_us).map(one))
        ),
        measured
            .program_ns
            .map_or("-".into(), |ns| format!("{ns:.0}")),
        format!(
            "{:.0}{}",
            measured.bytes,
            bracket(model.map(|model| format!("{:.0}", model.bytes)))
        ),
        format!(
            "{}{}",
            delays.unwrap_or("-".into()),
            bracket(predicted.map(|delays| delays.map(time).join(" / ")))
        ),
        format!(
            "{}, {}{}",
            lost(measured.lost_ppm, measured.told),
            lost(measured.at_most_lost_ppm, measured.at_most_told),
            bracket(at_most.map(|model| percent(model.lost_ppm)))
        ),
        measured.per_s.to_string(),
    ]
}
