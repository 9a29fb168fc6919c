//! What a host answered, saved: so that models can be held against a machine that is not here.
//!
//! JSON lines: first `{"recording":1,"host":..,"version":..,"date":..,"faultlab":..}`, then
//! `{"set":"registry","request":{..},"answer":{..}}`, in the order in which they were asked.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::failure::{Failure, Result};

use super::session::Identity;

/// The version of the format.
const FORMAT: u32 = 1;

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    recording: u32,
    /// The host's name.
    pub host: String,
    /// Its version.
    pub version: String,
    /// When: RFC 3339, UTC.
    pub date: String,
    /// The version of faultlab that recorded.
    pub faultlab: String,
}

/// One question and its answer.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answered {
    /// The set that the question belongs to.
    pub set: String,
    /// The question, without its id.
    pub request: Value,
    /// The answer, without its id.
    pub answer: Value,
}

/// A recording.
#[derive(Clone, PartialEq, Debug)]
pub struct Recording {
    /// The first line.
    pub header: Header,
    /// The others.
    pub answered: Vec<Answered>,
}

impl Header {
    /// Of a recording that is made now.
    pub fn now(identity: &Identity) -> Header {
        Header {
            recording: FORMAT,
            host: identity.host.clone(),
            version: identity.version.clone(),
            date: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
            faultlab: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// Who answered.
    pub fn identity(&self) -> Identity {
        Identity {
            host: self.host.clone(),
            version: self.version.clone(),
        }
    }
}

impl Recording {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is none of a recording.
    pub fn read(path: &Path) -> Result<Recording> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::bad_input(format!("{shown}: {error}")))?;
        let wrong = |line: usize, error: &serde_json::Error| {
            let what = format!("{shown}:{line}:{}: {error}", error.column());
            Failure::bad_input(what).help("a recording is what `faultlab record` wrote")
        };
        let mut lines = text.lines().enumerate();
        let first = lines.next().map_or("", |(_, line)| line);
        let header: Header = serde_json::from_str(first).map_err(|error| wrong(1, &error))?;
        if header.recording != FORMAT {
            let what = format!(
                "{shown}:1:1: this is version {} of recordings",
                header.recording
            );
            return Err(
                Failure::bad_input(what).help(format!("this program reads version {FORMAT}"))
            );
        }
        let answered = lines
            .map(|(at, line)| serde_json::from_str(line).map_err(|error| wrong(at + 1, &error)))
            .collect::<Result<Vec<Answered>>>()?;
        Ok(Recording { header, answered })
    }
}
