//! Standard output: what is printed, how wide, and whether in colour.

use std::io::Write;

use anstream::stream::RawStream;
use anstream::{AutoStream, ColorChoice};

use crate::failure::{Failure, Result};

/// When to colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum When {
    /// On a terminal, unless NO_COLOR or CLICOLOR=0 says otherwise.
    #[default]
    Auto,
    /// Even into a file.
    Always,
    /// Not at all.
    Never,
}

impl When {
    /// The same for the stream that writes what clap says.
    pub fn choice(self) -> ColorChoice {
        match self {
            When::Auto => ColorChoice::Auto,
            When::Always => ColorChoice::Always,
            When::Never => ColorChoice::Never,
        }
    }
}

/// How text is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Whether it is coloured.
    pub color: bool,
    /// How many columns it may take.
    pub width: usize,
}

/// No text is wider, however wide the terminal is.
const WIDEST: usize = 100;

impl Layout {
    /// For standard output.
    pub fn stdout(when: When) -> Layout {
        Layout::of(when, &std::io::stdout())
    }

    /// For standard error.
    pub fn stderr(when: When) -> Layout {
        Layout::of(when, &std::io::stderr())
    }

    fn of(when: When, stream: &impl RawStream) -> Layout {
        let width = if stream.is_terminal() {
            textwrap::termwidth().clamp(40, WIDEST)
        } else {
            WIDEST
        };
        let color = match when {
            When::Auto => AutoStream::choice(stream) != ColorChoice::Never,
            When::Always => true,
            When::Never => false,
        };
        Layout { color, width }
    }
}

/// Prints `text` now.
///
/// # Errors
/// Nobody reads, or the disk is full.
pub fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Failure::output)
}

/// Prints `value` as one line of JSON.
///
/// # Errors
/// Nobody reads, or the disk is full.
pub fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let out = std::io::stdout().lock();
    let mut out = std::io::BufWriter::new(out);
    serde_json::to_writer(&mut out, value)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
        .map_err(Failure::output)
}
