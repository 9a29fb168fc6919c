//! Sets of questions: the vectors that the binary carries, or files of the user's.

use std::path::PathBuf;

use serde_json::Value;

use crate::failure::{Failure, Result};

const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

/// Questions in their order; `reset` begins a case.
#[derive(Clone, PartialEq, Debug)]
pub struct Set {
    /// Its name: a file's, without `.jsonl`.
    pub name: String,
    /// The questions, with their line numbers.
    pub requests: Vec<(usize, Value)>,
}

/// The names of the sets about Windows that the binary carries.
pub fn names() -> Vec<&'static str> {
    let windows = EMBEDDED.iter().filter(|(path, _)| !path.contains('/'));
    windows
        .map(|(path, _)| path.trim_end_matches(".jsonl"))
        .collect()
}

/// The sets of these names (all, if there are none), and those of these files.
///
/// # Errors
/// There is no such set or file, or a line is no vector.
pub fn sets(wanted: &[String], files: &[PathBuf]) -> Result<Vec<Set>> {
    let mut sets = Vec::new();
    for name in wanted {
        let Some(known) = names().into_iter().find(|known| known == name) else {
            let what = format!("there is no set of vectors {name:?}");
            return Err(
                Failure::bad_input(what).help(format!("use one of these: {}", names().join(", ")))
            );
        };
        sets.push(embedded(known));
    }
    if wanted.is_empty() && files.is_empty() {
        sets.extend(names().into_iter().map(embedded));
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
        requests.push((at + 1, request.clone()));
    }
    Ok(Set {
        name: name.into(),
        requests,
    })
}
