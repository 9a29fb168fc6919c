//! The probe: one vocabulary of operations for every host, JSON lines in, JSON lines out.
//!
//! A request is one JSON object a line: `{"id":1,"op":"reg.get","key":"HKCU\\Environment","name":"Path"}`.
//! Its answer is `{"id":1,"ok":{...}}`; `{"id":1,"err":{...}}` with the Win32 code if the operation itself
//! failed; `{"id":1,"unsupported":"..."}` if this host cannot do it; or, for a line that is no request,
//! `{"id":null,"bad_request":"column and reason"}`. Answers come in order, one a line; the session goes on
//! after each.
//!
//! To add a family of operations, write a module beside `windows_registry.rs` with a table `OPS`, and name
//! that table in [`FAMILIES`].

mod answer;
mod golang;
mod linux_tcp;
mod request;
mod session;
pub mod tcp_hosts;
mod windows_command;
mod windows_environment;
mod windows_files;
mod windows_registry;
mod windows_security;
mod windows_text;

use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};

pub use answer::{Body, Refusal};
pub use request::{Bad, Request};
pub use session::{Mutation, Session};

/// What performs an operation: it reads its fields, and writes those of its answer.
pub type Operation = fn(&mut Session, &Request<'_>, &mut Body<'_>) -> Result<(), Refusal>;

/// The operations that the models answer, by family.
pub const FAMILIES: &[&[(&str, Operation)]] = &[
    session::OPS,
    windows_registry::OPS,
    windows_text::OPS,
    windows_environment::OPS,
    windows_command::OPS,
    windows_security::OPS,
    windows_files::OPS,
    golang::OPS,
    linux_tcp::OPS,
];

/// No line is longer, in bytes.
pub const MAX_LINE: usize = 64 << 20;

/// Answers the requests of `reader` in a session, until it ends. Answers are sent when no further request is
/// waiting.
///
/// # Errors
/// If reading or writing fails.
pub fn serve(session: &mut Session, reader: impl Read, writer: impl Write) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    let mut writer = BufWriter::with_capacity(1 << 16, writer);
    let mut line = Vec::new();
    let mut answers = Vec::new();
    loop {
        line.clear();
        let limit = MAX_LINE as u64 + 1;
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            return writer.flush();
        }
        let is_too_long = read > MAX_LINE && !line.ends_with(b"\n");
        if is_too_long {
            skip_line(&mut reader)?;
        }
        answers.clear();
        match is_too_long {
            true => answer::bad_request(&mut answers, &Bad::new(MAX_LINE, "the line is too long")),
            false => session.answer(&line, &mut answers),
        }
        writer.write_all(&answers)?;
        if reader.buffer().is_empty() {
            writer.flush()?;
        }
    }
}

fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(());
        }
    }
}
