//! `validate`: the models held against a host, question by question. `record`: what a host answers, saved.

pub mod compare;
pub mod divergence;
mod report;
pub mod vectors;

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use crate::cli;
use crate::console::Layout;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::host::recording::{Answered, Header, Recording};
use crate::host::session::{Identity, Models, Session, ask_json};
use crate::output::Output;
use crate::progress::Progress;

use compare::{Compared, Comparison, Outcome};
use divergence::Divergence;
use vectors::Set;

/// A host held against the models.
pub struct Validation {
    /// The host.
    pub identity: Identity,
    /// All questions, with both answers.
    pub compared: Vec<Compared>,
    /// Rows of known divergences that explain nothing any more.
    pub idle: Vec<Divergence>,
}

impl Validation {
    /// Whether nothing differs but what is known to.
    pub fn agrees(&self) -> bool {
        let differs = |compared: &Compared| compared.outcome == Outcome::Differs;
        self.idle.is_empty() && !self.compared.iter().any(differs)
    }

    /// How many questions of each set came to what.
    pub fn summary(&self) -> BTreeMap<&str, BTreeMap<&'static str, usize>> {
        let mut summary: BTreeMap<&str, BTreeMap<&'static str, usize>> = BTreeMap::new();
        for compared in &self.compared {
            let set = summary.entry(&compared.set).or_default();
            *set.entry(compared.outcome.word()).or_default() += 1;
        }
        summary
    }
}

impl Outcome {
    /// The word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Same => "same",
            Outcome::Known(_) => "known",
            Outcome::UnsupportedByHost => "unsupported-by-host",
            Outcome::UnsupportedByModel => "unsupported-by-model",
            Outcome::AfterDifference => "after-difference",
            Outcome::Differs => "differs",
        }
    }
}

/// Runs `validate`.
///
/// # Errors
/// Bad input; a host that is not there.
pub fn run(args: &cli::Validate, layout: Layout) -> Result<Exit> {
    let table = divergence::table();
    let mut junit = Output::create_if_asked(args.junit.as_ref())?;
    let mut models = match args.mutate {
        Some(mutation) => Models::mutated(mutation),
        None => Models::default(),
    };
    let mut validations = Vec::new();
    if let Some(file) = &args.recorded {
        let recording = Recording::read(file)?;
        validations.push(against_recording(&mut models, &recording, &table)?);
    } else {
        let mut hosts: Vec<Host> = args.host.iter().chain(&args.require).copied().collect();
        hosts.sort();
        hosts.dedup();
        if hosts.is_empty() {
            return Err(Failure::bad_input("validate needs a host")
                .help("--host wine, --require wine,linux, or --recorded FILE"));
        }
        let sets = vectors::sets(&args.names, &args.vectors)?;
        for host in &hosts {
            host.require_built()?;
        }
        for host in hosts {
            let progress = Progress::spinner();
            let mut session = host.start(&args.places, &progress)?;
            let is_whole = args.names.is_empty() && args.vectors.is_empty();
            let asked = against(
                &mut models,
                &mut *session,
                &sets,
                &table,
                is_whole,
                &progress,
            )?;
            validations.push(asked);
        }
    }
    let mut exit = Exit::AsRecorded;
    for validation in &validations {
        exit = exit.and(match validation.agrees() {
            true => Exit::AsRecorded,
            false => Exit::HostDiffers,
        });
        match args.json {
            true => report::json(validation)?,
            false => report::page(validation, args.verbose, layout)?,
        }
    }
    if let Some(output) = &mut junit {
        report::junit(&validations, output)?;
    }
    if let Some(output) = junit {
        output.commit()?;
    }
    Ok(exit)
}

/// Asks both all questions.
fn against(
    models: &mut Models,
    session: &mut dyn Session,
    sets: &[Set],
    table: &[Divergence],
    is_whole: bool,
    progress: &Progress,
) -> Result<Validation> {
    let identity = session.identity();
    let mut comparison = Comparison::with(&identity, table);
    let mut compared = Vec::new();
    for set in sets {
        progress.say(&format!("{} on {}", set.name, identity.host));
        for each in [models as &mut dyn Session, session] {
            each.ask(r#"{"op":"reset"}"#)?;
        }
        comparison.begin_case();
        for (line, request) in &set.requests {
            if request["op"] == "reset" {
                comparison.begin_case();
            }
            let model = without_id(ask_json(models, request)?);
            let host = without_id(ask_json(session, request)?);
            let outcome = comparison.compare(request, &model, &host);
            compared.push(Compared {
                set: set.name.clone(),
                line: *line,
                request: request.clone(),
                model,
                host,
                outcome,
            });
        }
    }
    let names: Vec<String> = match is_whole {
        true => sets.iter().map(|set| set.name.clone()).collect(),
        false => Vec::new(),
    };
    let idle = comparison.idle(&names).into_iter().cloned().collect();
    Ok(Validation {
        identity,
        compared,
        idle,
    })
}

/// Asks the models what somebody else's machine was asked.
fn against_recording(
    models: &mut Models,
    recording: &Recording,
    table: &[Divergence],
) -> Result<Validation> {
    let identity = recording.header.identity();
    let mut comparison = Comparison::with(&identity, table);
    let mut compared = Vec::new();
    let mut set = "";
    for (at, answered) in recording.answered.iter().enumerate() {
        if answered.set != set || answered.request["op"] == "reset" {
            set = &answered.set;
            models.ask(r#"{"op":"reset"}"#)?;
            comparison.begin_case();
        }
        let model = without_id(ask_json(models, &answered.request)?);
        let outcome = comparison.compare(&answered.request, &model, &answered.answer);
        compared.push(Compared {
            set: answered.set.clone(),
            line: at + 2,
            request: answered.request.clone(),
            model,
            host: answered.answer.clone(),
            outcome,
        });
    }
    Ok(Validation {
        identity,
        compared,
        idle: Vec::new(),
    })
}

fn without_id(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("id");
    }
    answer
}

/// Runs `record`.
///
/// # Errors
/// Bad input; a host that is not there; the file cannot be written.
pub fn record(args: &cli::Record) -> Result<Exit> {
    let sets = vectors::sets(&args.names, &args.vectors)?;
    args.host.require_built()?;
    let mut output = Output::create(&args.out)?;
    let progress = Progress::spinner();
    let mut session = args.host.start(&args.places, &progress)?;
    let mut lines = vec![json!(Header::now(&session.identity()))];
    for set in &sets {
        progress.say(&format!("{} on {}", set.name, args.host.name()));
        session.ask(r#"{"op":"reset"}"#)?;
        for (_, request) in &set.requests {
            lines.push(json!(Answered {
                set: set.name.clone(),
                request: request.clone(),
                answer: without_id(ask_json(&mut *session, request)?),
            }));
        }
    }
    for line in lines {
        let written = writeln!(output, "{line}");
        written.map_err(|error| output.failed(&error))?;
    }
    output.commit()?;
    Ok(Exit::AsRecorded)
}
