//! `validate`: the models held against a host, question by question. `record`: what a host answers, saved.

mod ask;
pub mod compare;
pub mod divergence;
mod mixture;
mod report;
pub mod tcp;
pub mod tolerance;
pub mod vectors;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli;
use crate::console::Layout;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::Host;
use crate::host::recording::{Answered, Header, Recording};
use crate::host::session::{Identity, Models, Session};
use crate::output::Output;

use ask::AnsweredSet;
use compare::{Compared, Comparison, Outcome};
use divergence::Divergence;
use tolerance::Tolerance;
use vectors::Set;

/// A host held against the models.
pub struct Validation {
    /// The host.
    pub identity: Identity,
    /// All questions, with both answers.
    pub compared: Vec<Compared>,
    /// Rows of known divergences that explain nothing any more.
    pub idle: Vec<Divergence>,
    /// Which sets were asked again, and how they differed at first: a machine is busy now and then.
    pub again: Vec<(String, Vec<String>)>,
    /// The models have no profile of this kernel: they are played as the nearest, and what differs is news,
    /// not a fault, unless `--strict` says otherwise.
    pub is_informative: bool,
}

impl Validation {
    /// Whether nothing differs but what is known to.
    pub fn agrees(&self) -> bool {
        let differs = |compared: &Compared| compared.outcome == Outcome::Differs;
        self.idle.is_empty() && !self.compared.iter().any(differs)
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self.agrees() || self.is_informative {
            true => Exit::AsRecorded,
            false => Exit::HostDiffers,
        }
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
    let models = || match args.mutate {
        Some(mutation) => Models::mutated(mutation),
        None => Models::default(),
    };
    let mut validations = Vec::new();
    if let Some(file) = &args.recorded {
        let recording = Recording::read(file)?;
        let identity = recording.header.identity();
        let answered = ask::recorded(recording);
        validations.push(compare(&mut models(), &identity, answered, &table, &[])?);
    } else {
        let mut hosts: Vec<Host> = args.host.iter().chain(&args.require).copied().collect();
        hosts.sort();
        hosts.dedup();
        if hosts.is_empty() {
            return Err(Failure::bad_input("validate needs a host")
                .help("--host wine, --require wine,linux, or --recorded FILE"));
        }
        let mut questions = Vec::new();
        for host in &hosts {
            host.require_built()?;
            let sets = questions_for(*host, &args.names, &args.vectors, &args.asking)?;
            questions.push((*host, sets));
        }
        for (host, sets) in questions {
            let is_whole =
                args.names.is_empty() && args.vectors.is_empty() && args.asking.mixtures.is_none();
            let names: Vec<String> = match is_whole {
                true => sets.iter().map(|set| set.name.clone()).collect(),
                false => Vec::new(),
            };
            let differs = |identity: &Identity, set: &AnsweredSet| {
                let one = vec![set.clone()];
                let validation = compare(&mut models(), identity, one, &table, &[])?;
                let mut compared = validation.compared.into_iter();
                let first = compared.find(|compared| compared.outcome == Outcome::Differs);
                Ok(first.map(|compared| compared.words()))
            };
            let (identity, answered) =
                ask::host(host, &args.places, &sets, args.asking.jobs, Some(&differs))?;
            validations.push(compare(&mut models(), &identity, answered, &table, &names)?);
        }
    }
    let mut exit = Exit::AsRecorded;
    for validation in &mut validations {
        validation.is_informative &= !args.strict;
        exit = exit.and(validation.exit());
        match args.json {
            true => report::json(validation)?,
            false => report::page(validation, args.verbose, args.times, layout)?,
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

/// What a host is asked.
fn questions_for(
    host: Host,
    names: &[String],
    files: &[PathBuf],
    asking: &cli::Asking,
) -> Result<Vec<Set>> {
    let Some(seeds) = &asking.mixtures else {
        return vectors::sets(host, names, files, asking.all);
    };
    if !matches!(host, Host::Linux | Host::LinuxVm) {
        let what = format!(
            "--mixtures are cases of TCP, which {} does not answer",
            host.name()
        );
        return Err(Failure::bad_input(what).help("--host linux, or --host linux-vm"));
    }
    let mut sets = match names.is_empty() && files.is_empty() {
        true => Vec::new(),
        false => vectors::sets(host, names, files, asking.all)?,
    };
    sets.extend(mixture::sets(seeds.clone()));
    Ok(sets)
}

/// Holds the models against what a host answered. `whole` are the sets that were asked as a whole, if all
/// were.
fn compare(
    models: &mut Models,
    identity: &Identity,
    answered: Vec<AnsweredSet>,
    table: &[Divergence],
    whole: &[String],
) -> Result<Validation> {
    let mut comparison = Comparison::with(identity, table);
    let mut compared = Vec::new();
    let mut again = Vec::new();
    for set in answered {
        let tolerance = Tolerance::of(&identity.host).or(set.tolerance);
        if !set.again.is_empty() {
            again.push((set.name.clone(), set.again.clone()));
        }
        models.ask(r#"{"op":"reset"}"#)?;
        for case in set.cases() {
            comparison.begin_case();
            let requests: Vec<Value> = case.iter().map(|asked| asked.request.clone()).collect();
            let answers: Vec<Value> = case.iter().map(|asked| asked.answer.clone()).collect();
            let played = tcp::play(models, &requests, &answers, tolerance)?;
            for (asked, model) in case.iter().zip(played) {
                let (outcome, why) =
                    comparison.compare(&asked.request, &model, &asked.answer, tolerance);
                compared.push(Compared {
                    set: set.name.clone(),
                    line: asked.line,
                    request: asked.request.clone(),
                    model,
                    host: asked.answer.clone(),
                    outcome,
                    why,
                });
            }
        }
    }
    let idle = comparison.idle(whole).into_iter().cloned().collect();
    Ok(Validation {
        identity: identity.clone(),
        compared,
        idle,
        again,
        is_informative: is_kernel(identity) && !has_profile(identity),
    })
}

fn is_kernel(identity: &Identity) -> bool {
    identity.host.starts_with("linux")
}

/// Whether a kernel's version is one that the models were made after.
fn has_profile(identity: &Identity) -> bool {
    use faultlab_sim::linux::tcp::Kernel;
    let mut parts = identity.version.split('.');
    let series = format!(
        "{}.{}",
        parts.next().unwrap_or(""),
        parts.next().unwrap_or("")
    );
    Kernel::try_from(series).is_ok()
}

fn strip_id(answer: &mut Value) {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("id");
    }
}

/// Runs `record`.
///
/// # Errors
/// Bad input; a host that is not there; the file cannot be written.
pub fn record(args: &cli::Record) -> Result<Exit> {
    args.host.require_built()?;
    let sets = questions_for(args.host, &args.names, &args.vectors, &args.asking)?;
    let mut output = Output::create(&args.out)?;
    let (identity, answered) = ask::host(args.host, &args.places, &sets, args.asking.jobs, None)?;
    let mut lines = vec![json!(Header::now(&identity))];
    for set in answered {
        // Of a case that the host cannot even begin, such as one of another kernel's, there is nothing to keep.
        let is_unsupported = |asked: &ask::Asked| asked.answer.get("unsupported").is_some();
        if set.asked.iter().all(is_unsupported) {
            continue;
        }
        for asked in set.asked {
            lines.push(json!(Answered {
                set: set.name.clone(),
                request: asked.request,
                answer: asked.answer,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_has_a_profile_by_its_series() {
        let of = |version: &str| Identity {
            host: "linux".into(),
            version: version.into(),
        };
        assert!(has_profile(&of("6.18.44")) && has_profile(&of("6.1.0")));
        assert!(
            !has_profile(&of("6.12.9")) && !has_profile(&of("6.180.1")) && !has_profile(&of("7"))
        );
    }
}
