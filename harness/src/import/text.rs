//! Lines of `trace`, `trace_pipe` and `perf script` for the TCP tracepoints.

use std::sync::Arc;

use faultlab_sim::engine::{Entry, Observed, Time, Value};
use faultlab_sim::linux::tcp::Kernel;
use faultlab_sim::linux::tracepoint::event::Event;
use faultlab_sim::linux::tracepoint::format::Layouts;
use faultlab_sim::linux::tracepoint::line::{Line, Printer};
use faultlab_sim::linux::tracepoint::print::TextError;
use faultlab_sim::linux::tracepoint::{Context, Protocol, Record};

use super::stream::{AROUND, Events, Source, Stream, tcp};
use super::{Bad, Names};

/// Reads lines. With `is_partial`, those before a damaged one are taken.
///
/// # Errors
/// The first line that neither tool prints.
pub fn read(text: &str, is_partial: bool, names: &Names) -> Result<Stream, Bad> {
    // Newer kernels print more: what 6.18 does not know, 6.1 may.
    let layouts = [Kernel::V6_18, Kernel::V6_1].map(Layouts::of);
    let mut stream = Stream::new(Source::Ftrace);
    let mut entries = Vec::new();
    let mut first = None;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let number = index + 1;
        let word = line.trim();
        if word.is_empty() || word.starts_with('#') {
            continue;
        }
        if !line.ends_with('\n') {
            // A value may be cut in its middle and look like another: sport=70 of sport=7000.
            stream.gaps.push(format!(
                "line {number} does not end, so the file may be cut there: it is left out; a newline after it says that it is whole"
            ));
            break;
        }
        stream.units += 1;
        match take(&mut stream, &layouts, &mut first, (number, word), names) {
            Ok(entry) => entries.extend(entry),
            Err(bad) if is_partial && !entries.is_empty() => {
                stream.gaps.push(bad.to_string());
                break;
            }
            Err(bad) if entries.is_empty() => return Err(bad),
            Err(bad) => return Err(bad.or_partial()),
        }
    }
    if stream.units == 0 {
        return Err(Bad::line(1, "there is no event in it").help(
            "events are lines as trace_pipe prints them; what was read from trace_pipe is no more in trace",
        ));
    }
    entries.sort_by_key(|entry| entry.at);
    let start = entries.iter().map(|entry| entry.at.0).chain(first).min();
    let start = start.unwrap_or(0);
    for entry in &mut entries {
        entry.at = Time(entry.at.0 - start);
        stream.span_ns = stream.span_ns.max(entry.at.0);
    }
    stream.events = Events::Held(entries);
    Ok(stream)
}

/// The event of a line, if it is one of TCP's tracepoints. `first` is the time of the first line.
fn take(
    stream: &mut Stream,
    layouts: &[Layouts; 2],
    first: &mut Option<u64>,
    (number, line): (usize, &str),
    names: &Names,
) -> Result<Option<Entry<faultlab_sim::scenario::Record>>, Bad> {
    if let Some(lost) = lost_events(line) {
        stream
            .gaps
            .push(format!("line {number}: the tracer lost {lost}"));
        return Ok(None);
    }
    let parsed = Line::parse(line).ok_or_else(|| {
        Bad::line(number, "this is no line of trace_pipe or perf script").help(
            "expected: task-pid [cpu] flags time: tracepoint: text, or task pid [cpu] time: system:tracepoint: text",
        )
    })?;
    if parsed.printer == Printer::PerfScript {
        stream.source = Source::PerfScript;
    }
    let zero = *first.get_or_insert(parsed.at_ns);
    // perf and the per-CPU buffers of ftrace can print events out of order: sorted later.
    let at = parsed.at_ns;
    if !Record::KINDS.iter().any(|spec| spec.kind == parsed.name) {
        stream.leave_out(format!("tracepoint {}", parsed.name));
        stream.span_ns = stream.span_ns.max(at.saturating_sub(zero));
        return Ok(None);
    }
    let event = event(layouts, &parsed).map_err(|error| {
        Bad::line(number, format!("{}: {error}", parsed.name)).help(
            "the kernels whose print fmt is known are 6.1 and 6.18, and those that print less",
        )
    })?;
    let Some(record) = observed(&event, &parsed) else {
        stream.leave_out(format!("{} of another protocol than TCP", parsed.name));
        return Ok(None);
    };
    let local = record.field("saddr");
    let local = local.as_ref().and_then(Value::as_text).unwrap_or("?");
    Ok(Some(Entry {
        at: Time(at),
        actor: names.of(local),
        record: record.into(),
    }))
}

/// `CPU:1 [LOST 123 EVENTS]` of trace_pipe, `... LOST 5 events!` of perf.
fn lost_events(line: &str) -> Option<&str> {
    let from = line.find("LOST ")?;
    let is_known =
        line.starts_with("CPU:") || line.contains("PERF_RECORD_LOST") || line.contains("!!!");
    is_known.then(|| line[from + 5..].trim_end_matches([']', '!', ' ']))
}

fn event<'f>(layouts: &'f [Layouts; 2], line: &Line<'_>) -> Result<Event<'f>, TextError> {
    let formats = layouts
        .iter()
        .filter_map(|layouts| layouts.named(line.name));
    let mut attempts = formats.map(|format| format.parse(line.text));
    let first = attempts.next().expect("the kinds are tracepoints");
    first.or_else(|error| attempts.find_map(Result::ok).ok_or(error))
}

/// The record that patterns see; none if it is not about TCP.
fn observed(event: &Event<'_>, line: &Line<'_>) -> Option<Observed> {
    let protocol = event.number("protocol");
    if protocol.is_some_and(|protocol| protocol != Protocol::Tcp.number().into()) {
        return None;
    }
    let kind = event.format().name();
    let mut record = tcp(kind);
    let spec = Record::KINDS.iter().find(|spec| spec.kind == kind);
    for (field, ..) in spec.map_or(&[][..], |spec| spec.fields) {
        record.know(field, event.said(field));
    }
    if line.printer == Printer::Ftrace {
        let interrupts = Context::SOFTIRQ | Context::HARDIRQ;
        let is_softirq = line.context.flags & interrupts != 0;
        record.know("softirq", Some(Value::Flag(is_softirq)));
    }
    let around = [
        Some(Value::Number(line.context.pid.into())),
        Some(Value::Shared(Arc::from(line.comm))),
        line.cpu.map(|cpu| Value::Number(cpu.into())),
    ];
    for ((field, _), value) in AROUND.into_iter().zip(around) {
        record.know(field, value);
    }
    Some(record)
}
