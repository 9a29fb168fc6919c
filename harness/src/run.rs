//! `run`: replays scenarios on the models, judges every claim, prints verdict by verdict.

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use faultlab_sim::scenario::{
    BASELINE, ClaimReport, Judging, Keep, Loaded, Prepared, Report, Shrunk, World, shrink,
};

use crate::capture_file;
use crate::cli::{self, Run};
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::github;
use crate::html::{Book, Chapter};
use crate::junit::Junit;
use crate::library::{self, late_mistake};
use crate::on_arm;
use crate::output::Output;
use crate::perfetto;
use crate::progress::Progress;
use crate::prometheus;
use crate::render::{Page, claim, counted, schedule, style, took};
use crate::step;
use crate::threads::Threads;
use crate::trace_file;

/// Runs the command.
///
/// A scenario that cannot be judged is reported in the layout `errors`, and the others go on.
///
/// # Errors
/// Bad input, or an output that cannot be written; no file is touched then.
pub fn run(args: &cli::Run, layout: Layout, errors: Layout) -> Result<Exit> {
    args.host.require_runs()?;
    #[cfg(target_os = "linux")]
    if args.host != crate::host::Host::Sim {
        return crate::run_on_kernel::run(args, layout, errors);
    }
    if args.step {
        return step::run(args, layout).map(|()| Exit::AsRecorded);
    }
    if args.claim.is_some() && args.repro.is_none() {
        return Err(
            Failure::bad_input("--claim says which claim --repro or --step is about")
                .help("faultlab run path-lost-update --repro lost.ron --claim path-entry-is-lost"),
        );
    }
    let began = Instant::now();
    let scenarios = match asked(&args.names) {
        Ok(scenarios) => scenarios,
        Err(failure) => {
            annotate(args, &github::of_failure(&failure))?;
            return Err(failure);
        }
    };
    let mut outputs = Outputs::create(args)?;
    let mut tally = Tally::default();
    let mut worst = Exit::AsRecorded;
    for loaded in scenarios {
        let judged = loaded.and_then(|mut loaded| {
            outputs.check(&loaded)?;
            prometheus::measure(&mut loaded, &Progress::spinner())?;
            Ok((judge(&loaded, args.seed)?, loaded))
        });
        let (report, loaded) = match judged {
            Ok(judged) => judged,
            Err(failure) => {
                failure.report(errors);
                annotate(args, &github::of_failure(&failure))?;
                worst = worst.and(failure.exit);
                tally.failed += 1;
                continue;
            }
        };
        if args.json {
            console::print_json(&report)?;
        } else {
            let mut page = Page::new(layout);
            scenario(&mut page, &loaded, &report);
            console::print(&page.into_text())?;
        }
        if let Some(shrunk) = outputs.add(&loaded, &report)? {
            let mut page = Page::new(layout);
            tell_shrunk(&mut page, &shrunk);
            page.gap();
            match args.json {
                true => eprint!("{}", page.into_text()),
                false => console::print(&page.into_text())?,
            }
        }
        annotate(args, &github::of_report(&loaded, &report))?;
        tally.add(&report);
    }
    annotate(args, &github::of_all(&tally.words()))?;
    if worst == Exit::AsRecorded {
        outputs.commit()?;
    }
    if !args.json {
        let mut page = Page::new(layout);
        tally.tell(&mut page);
        console::print(&page.into_text())?;
        eprintln!("in {}", took(began.elapsed()));
    }
    Ok(worst.and(Exit::of_verdicts(tally.differing.is_empty())))
}

/// Prints commands for GitHub's runner, if they are wanted: beside JSON on standard error, where a runner
/// reads them as well.
fn annotate(args: &cli::Run, commands: &str) -> Result<()> {
    match (args.github, args.json) {
        (false, _) => Ok(()),
        (true, true) => {
            eprint!("{commands}");
            Ok(())
        }
        (true, false) => console::print(commands),
    }
}

/// The scenarios that were asked for. Those that were named are read before any is run, so that a
/// mistake in one leaves nothing half done; all of them are read one by one, as they have their turn.
pub fn asked(names: &[String]) -> Result<Box<dyn Iterator<Item = Result<Loaded>>>> {
    if names.is_empty() {
        return Ok(Box::new(library::embedded().map(|found| found.load())));
    }
    let found: Result<Vec<_>> = names.iter().map(|name| library::find(name)).collect();
    let loaded: Result<Vec<_>> = found?.iter().map(library::Found::load).collect();
    Ok(Box::new(loaded?.into_iter().map(Ok)))
}

/// Judges a scenario on all cores.
///
/// # Errors
/// A mistake that shows only when an arm's values are filled in.
pub fn judge(loaded: &Loaded, seed: u64) -> Result<Report> {
    let progress = Progress::spinner();
    let judging = Judging {
        seed,
        executor: &Threads::new(None),
        progress: &|what| progress.say(what),
    };
    loaded
        .judge(&judging)
        .map_err(|mistake| late_mistake(loaded, mistake))
}

fn scenario(page: &mut Page, loaded: &Loaded, report: &Report) {
    page.heading(&format!("{}: {}", report.scenario, loaded.scenario.title));
    let hash = format!("  trace {}, seed {}", report.trace_hash, report.seed);
    let hash = page.paint(style::FAINT, hash);
    page.item("", 2, &hash);
    for (spec, judged) in loaded.scenario.claims.iter().zip(&report.claims) {
        page.gap();
        claim::full(page, spec, judged);
    }
    page.gap();
}

fn tell_shrunk(page: &mut Page, shrunk: &Shrunk) {
    let repro = &shrunk.reproduction;
    page.item(
        "  ",
        2,
        &format!(
            "{} in the arm {}, {}:",
            repro.claim, repro.arm, repro.shrunk
        ),
    );
    schedule::list(page, 4, &repro.choices);
}

/// The files that were asked for.
struct Outputs<'a> {
    seed: u64,
    pcap: Option<(capture_file::Format, Output)>,
    perfetto: Option<Output>,
    /// The arm that these two are about.
    arm: &'a str,
    trace: Option<Output>,
    junit: Option<(Junit, Output)>,
    html: Option<Book>,
    repro: Option<Output>,
    /// The claim that the reproduction is to be about.
    claim: Option<&'a str>,
}

impl<'a> Outputs<'a> {
    fn create(args: &'a cli::Run) -> Result<Outputs<'a>> {
        if args.repro.is_some() && args.names.len() != 1 {
            return Err(Failure::bad_input("--repro writes one run of one scenario")
                .help("name the scenario: faultlab run path-lost-update --repro lost.ron"));
        }
        let of_one_arm = args.pcap.is_some() || args.perfetto.is_some();
        if of_one_arm && args.names.len() != 1 {
            let what = "--pcap and --perfetto write one run of one scenario";
            return Err(Failure::bad_input(what)
                .help("name the scenario: faultlab run rst-storm --pcap storm.pcap"));
        }
        if args.arm.is_some() && !of_one_arm {
            let what = "--arm says which arm --pcap and --perfetto are about";
            return Err(Failure::bad_input(what).help("give one of them, or leave --arm out"));
        }
        let Run {
            trace,
            junit,
            repro,
            pcap,
            perfetto,
            ..
        } = args;
        let html = &args.html.html;
        let asked = [trace, junit, repro, pcap, perfetto, html];
        for (index, path) in asked.iter().enumerate() {
            if path.is_some() && asked[..index].contains(path) {
                return Err(Failure::bad_input("two outputs go to one file"));
            }
        }
        let junit = Output::create_if_asked(args.junit.as_ref())?;
        let pcapng = |path: &PathBuf| path.extension().is_some_and(|ext| ext == "pcapng");
        let format = match pcap.as_ref().is_some_and(pcapng) {
            true => capture_file::Format::PcapNg,
            false => capture_file::Format::Pcap,
        };
        let pcap = Output::create_if_asked(pcap.as_ref())?;
        Ok(Outputs {
            seed: args.seed,
            pcap: pcap.map(|output| (format, output)),
            perfetto: Output::create_if_asked(perfetto.as_ref())?,
            arm: args.arm.as_deref().unwrap_or(BASELINE),
            trace: Output::create_if_asked(args.trace.as_ref())?,
            junit: junit.map(|output| (Junit::default(), output)),
            html: args.html.begin()?,
            repro: Output::create_if_asked(args.repro.as_ref())?,
            claim: args.claim.as_deref(),
        })
    }

    /// Whether the scenario has what is asked for, before anything is run.
    fn check(&self, loaded: &Loaded) -> Result<()> {
        if self.pcap.is_none() && self.perfetto.is_none() {
            return Ok(());
        }
        let arm = on_arm::arm(loaded, self.arm)?;
        let world = arm.world.as_ref().unwrap_or(&loaded.scenario.world);
        if self.pcap.is_some() && !matches!(world, World::Tcp(_)) {
            let (arm, id) = (self.arm, &loaded.scenario.id);
            let what =
                format!("the arm {arm} of {id} has no TCP world: there are no packets to write");
            return Err(
                Failure::bad_input(what).help("--trace and --perfetto write runs of any world")
            );
        }
        Ok(())
    }

    /// Adds what a scenario came to; what was shrunk for a reproduction, if one was asked for.
    fn add(&mut self, loaded: &Loaded, report: &Report) -> Result<Option<Shrunk>> {
        if let Some(output) = &mut self.trace {
            trace_file::write(output, loaded, report)?;
        }
        if let Some((junit, _)) = &mut self.junit {
            junit.add(report);
        }
        if self.pcap.is_some() || self.perfetto.is_some() {
            self.add_arm(loaded, report)?;
        }
        if let Some(book) = &mut self.html {
            book.add(Chapter::judged(loaded, report, book.records())?);
        }
        let Some(output) = &mut self.repro else {
            return Ok(None);
        };
        let shrunk = reproduce(loaded, report, self.claim, self.seed)?;
        output
            .write_all(shrunk.reproduction.write().as_bytes())
            .map_err(|error| output.failed(&error))?;
        Ok(Some(shrunk))
    }

    /// Adds the run of the one arm.
    fn add_arm(&mut self, loaded: &Loaded, report: &Report) -> Result<()> {
        let mut runs = report.runs.iter();
        let run = runs.find(|run| run.arm == self.arm);
        let run = run.expect("every arm has a run");
        let keep = Keep {
            records: self.perfetto.is_some(),
            packets: self.pcap.is_some(),
            ..Keep::default()
        };
        let outcome = trace_file::again(loaded, report, run, keep)?;
        if let Some((format, output)) = &mut self.pcap {
            let capture = outcome.capture.as_ref();
            let capture = capture.expect("the arm's world is Tcp");
            let written = capture_file::write(output, *format, self.arm, capture);
            written.map_err(|error| output.failed(&error))?;
        }
        if let Some(output) = &mut self.perfetto {
            let title = perfetto::Title {
                scenario: &report.scenario,
                arm: self.arm,
                seed: report.seed,
            };
            let written = perfetto::write(output, title, &outcome.entries, outcome.at);
            written.map_err(|error| output.failed(&error))?;
        }
        Ok(())
    }

    fn commit(self) -> Result<()> {
        if let Some((junit, mut output)) = self.junit {
            junit.write(&mut output)?;
            output.commit()?;
        }
        if let Some(book) = self.html {
            book.commit()?;
        }
        let pcap = self.pcap.map(|(_, output)| output);
        let others = [self.trace, self.repro, pcap, self.perfetto];
        for output in others.into_iter().flatten() {
            output.commit()?;
        }
        Ok(())
    }
}

/// Shrinks the run that decided the claim `asked`; without one, the first claim that did not come out
/// as recorded, else the first of all, among those that a single run decides.
fn reproduce(loaded: &Loaded, report: &Report, asked: Option<&str>, seed: u64) -> Result<Shrunk> {
    if let Some(asked) = asked
        && !report.claims.iter().any(|claim| claim.id == asked)
    {
        return Err(step::no_claim(loaded, asked));
    }
    let meant = |claim: &&ClaimReport| asked.is_none_or(|asked| claim.id == asked);
    let witnessed = || {
        let claims = report.claims.iter().filter(meant);
        claims.filter_map(|claim| Some((claim, claim.witness.as_ref()?)))
    };
    let differing = witnessed().find(|(claim, _)| !claim.is_as_expected());
    let (claim, witness) = differing.or_else(|| witnessed().next()).ok_or_else(|| {
        let which = match asked {
            Some(asked) => format!("the claim {asked}"),
            None => format!("no claim of {}", report.scenario),
        };
        let not = if asked.is_some() { " not" } else { "" };
        let what =
            format!("{which} is{not} decided by a single run: there is nothing to reproduce");
        Failure::bad_input(what).help("its verdict rests on all runs of a search, or on a document")
    })?;
    let arm = loaded.scenario.arm(&witness.arm);
    let off = Prepared::swarm(arm.expect("a witness names an arm"), seed);
    shrink(loaded, &claim.id, &claim.verdict, witness, &off)
        .map_err(|mistake| late_mistake(loaded, mistake))
}

/// What all the scenarios came to.
#[derive(Default)]
struct Tally {
    scenarios: usize,
    /// Scenarios that could not be judged.
    failed: usize,
    claims: usize,
    /// By the words of the verdicts.
    verdicts: [usize; 4],
    differing: Vec<String>,
}

const WORDS: [&str; 4] = ["Holds", "HoldsUnder", "Refuted", "Undecided"];

impl Tally {
    fn add(&mut self, report: &Report) {
        self.scenarios += 1;
        for claim in &report.claims {
            self.claims += 1;
            let word = WORDS.iter().position(|word| *word == claim.verdict.word());
            self.verdicts[word.expect("there are four words")] += 1;
            if !claim.is_as_expected() {
                self.differing
                    .push(format!("{} / {}", report.scenario, difference(claim)));
            }
        }
    }

    /// What they came to, in words.
    fn words(&self) -> String {
        let verdicts: Vec<String> = WORDS
            .iter()
            .zip(self.verdicts)
            .filter(|(_, count)| *count > 0)
            .map(|(word, count)| format!("{count} {word}"))
            .collect();
        let mut sentences = Vec::new();
        if self.scenarios > 0 {
            sentences.push(format!(
                "{} of {}: {}.",
                counted(self.claims, "claim"),
                counted(self.scenarios, "scenario"),
                verdicts.join(", ")
            ));
        }
        if self.failed > 0 {
            let failed = counted(self.failed, "scenario");
            sentences.push(format!("{failed} could not be judged."));
        }
        sentences.join(" ")
    }

    fn tell(&self, page: &mut Page) {
        let text = self.words();
        match self.differing.as_slice() {
            [] if self.failed > 0 => page.paragraph(0, &page.paint(style::BAD, text)),
            [] => {
                let good = page.paint(style::GOOD, "All as recorded.");
                page.paragraph(0, &format!("{text} {good}"));
            }
            differing => {
                let bad = format!("Not as recorded: {}.", differing.len());
                let bad = page.paint(style::BAD, bad);
                page.paragraph(0, &format!("{text} {bad}"));
                for line in differing {
                    page.item("  ", 4, line);
                }
            }
        }
    }
}

/// In what a claim differs from its record.
pub fn difference(claim: &ClaimReport) -> String {
    let mut parts = Vec::new();
    if claim.verdict != claim.expected {
        parts.push(format!("{}, expected {}", claim.verdict, claim.expected));
    }
    for arm in &claim.silent_controls {
        parts.push(format!("the control arm {arm} is silent"));
    }
    format!("{}: {}", claim.id, parts.join("; "))
}
