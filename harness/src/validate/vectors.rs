//! Sets of questions: the vectors that the binary carries, or files of the user's.

use std::path::PathBuf;

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::host::Host;

use super::tolerance::Tolerance;

const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

/// Of the cases of TCP, those that last no longer are asked unless all are asked for, in ms.
const SHORT_MS: u64 = 30_000;

/// Questions in their order; `reset` begins a case.
#[derive(Clone, PartialEq, Debug)]
pub struct Set {
    /// Its name: a file's, without `.jsonl`.
    pub name: String,
    /// The questions, with their line numbers.
    pub requests: Vec<(usize, Value)>,
    /// By how much times may differ, as it says itself.
    pub tolerance: Tolerance,
}

impl Set {
    /// How long its time lasts, in ms.
    pub fn lasts_ms(&self) -> u64 {
        let runs = self.requests.iter();
        let runs = runs.filter(|(_, request)| request["op"] == "clock.run");
        runs.filter_map(|(_, request)| request["ms"].as_u64()).sum()
    }
}

/// The names of the sets about a host's system that the binary carries: those of TCP begin with `tcp/`.
pub fn names(host: Host) -> Vec<&'static str> {
    let is_kernel = matches!(host, Host::Linux | Host::LinuxVm);
    let files = EMBEDDED
        .iter()
        .map(|(path, _)| path.trim_end_matches(".jsonl"));
    files
        .filter(|path| path.contains('/') == is_kernel)
        .collect()
}

/// The sets of these names (all, if there are none), and those of these files. `tcp` stands for all of TCP;
/// those that last long are left out, unless they are named, or all are asked for.
///
/// # Errors
/// There is no such set or file, or a line is no vector.
pub fn sets(host: Host, wanted: &[String], files: &[PathBuf], all: bool) -> Result<Vec<Set>> {
    let is_whole = wanted.is_empty() && files.is_empty() || wanted.iter().any(|name| name == "tcp");
    let mut sets = Vec::new();
    for name in wanted.iter().filter(|name| *name != "tcp") {
        let Some(known) = names(host).into_iter().find(|known| known == name) else {
            let what = format!(
                "there is no set of vectors {name:?} about the host {}",
                host.name()
            );
            return Err(Failure::bad_input(what)
                .help(format!("use one of these: {}", names(host).join(", "))));
        };
        sets.push(embedded(known));
    }
    if is_whole {
        let whole = names(host).into_iter().map(embedded);
        sets.extend(whole.filter(|set| all || set.lasts_ms() <= SHORT_MS));
    }
    for file in files {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::bad_input(format!("{}: {error}", file.display())))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        sets.push(read(&name, &file.display().to_string(), &text)?);
    }
    Ok(sets)
}

fn embedded(name: &str) -> Set {
    let path = format!("{name}.jsonl");
    let found = EMBEDDED.iter().find(|(known, _)| *known == path);
    let (_, text) = found.expect("the name is one of the table");
    read(name, &path, text).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn read(name: &str, shown: &str, text: &str) -> Result<Set> {
    let mut requests = Vec::new();
    let mut tolerance = Tolerance::NONE;
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let wrong = |column: usize, what: String| {
            Failure::bad_input(format!("{shown}:{}:{column}: {what}", at + 1))
                .help("a line is a vector, {\"request\":{..}}, or a request of the probe protocol")
        };
        let value: Value =
            serde_json::from_str(line).map_err(|error| wrong(error.column(), error.to_string()))?;
        let request = value.get("request").unwrap_or(&value);
        if request.get("op").and_then(Value::as_str).is_none() {
            return Err(wrong(1, "there is no operation".into()));
        }
        let of = |name: &str| value["expect"][name].as_f64().unwrap_or_default();
        tolerance = tolerance.or(Tolerance {
            abs_ms: of("tol_ms"),
            pct: of("tol_pct"),
        });
        requests.push((at + 1, request.clone()));
    }
    Ok(Set {
        name: name.into(),
        requests,
        tolerance,
    })
}
