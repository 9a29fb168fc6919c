//! A conversation with a host: a line of the probe protocol in, a line out.

use std::io::{BufRead, BufReader, Read, Write};

use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::probe;

/// What a host is, for reports and for the ranges of known divergences.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The host's name on the command line.
    pub host: String,
    /// Its version: `8.0`.
    pub version: String,
}

/// A started host. It is taken down when this is dropped.
pub trait Session {
    /// What it is.
    fn identity(&self) -> Identity;

    /// Answers one request; `request` is a line without its end, and so is the answer.
    ///
    /// # Errors
    /// The host is gone and cannot be had back.
    fn ask(&mut self, request: &str) -> Result<String>;

    /// Passes lines from `reader` to the host and its answers to `writer`, until `reader` ends.
    ///
    /// # Errors
    /// Reading or writing fails.
    fn serve(&mut self, reader: &mut dyn Read, writer: &mut dyn Write) -> Result<()>;
}

/// An answer as JSON, with its id.
///
/// # Errors
/// The host says something that is no answer.
pub fn ask_json(session: &mut dyn Session, request: &Value) -> Result<Value> {
    let answer = session.ask(&request.to_string())?;
    serde_json::from_str(&answer).map_err(|error| {
        let identity = session.identity();
        let what = format!(
            "{} says what is no answer: {error}: {answer}",
            identity.host
        );
        Failure::new(crate::exit::Exit::NoHost, what)
    })
}

/// [`Session::serve`] line by line, for hosts that are asked.
///
/// # Errors
/// As [`Session::serve`].
pub(super) fn serve_by_asking(
    session: &mut dyn Session,
    reader: &mut dyn Read,
    writer: &mut dyn Write,
) -> Result<()> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line);
        if read.map_err(Failure::output)? == 0 {
            return Ok(());
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let answer = session.ask(&String::from_utf8_lossy(&line))?;
        writeln!(writer, "{answer}").map_err(Failure::output)?;
        writer.flush().map_err(Failure::output)?;
    }
}

/// The models.
#[derive(Default)]
pub struct Models {
    session: probe::Session,
}

impl Models {
    /// The models, where `seed` decides what they leave open; without one, the defaults.
    pub fn seeded(seed: Option<u64>) -> Models {
        Models {
            session: probe::Session::seeded(seed),
        }
    }

    /// The models with one rule changed: to see that a comparison notices.
    pub fn mutated(mutation: probe::Mutation) -> Models {
        Models {
            session: probe::Session::mutated(mutation),
        }
    }
}

impl Models {
    /// From the next reset on, their kernels have such a clock.
    pub fn set_kernel_clock(&mut self, hz: u32, jiffies: u64, up_ms: u64) {
        self.session.set_kernel_clock(hz, jiffies, up_ms);
    }
}

impl Session for Models {
    fn identity(&self) -> Identity {
        Identity {
            host: "sim".into(),
            version: faultlab_sim::win7::VERSION.to_string(),
        }
    }

    fn ask(&mut self, request: &str) -> Result<String> {
        let mut answer = Vec::new();
        self.session.answer(request.as_bytes(), &mut answer);
        answer.pop();
        Ok(String::from_utf8(answer).expect("answers are UTF-8"))
    }

    fn serve(&mut self, reader: &mut dyn Read, writer: &mut dyn Write) -> Result<()> {
        probe::serve(&mut self.session, reader, writer).map_err(Failure::output)
    }
}
