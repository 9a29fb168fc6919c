//! JSON lines: what `faultlab run --trace` writes, and any other lines of that form.

use std::collections::BTreeSet;

use faultlab_sim::engine::{Entry, KindSpec, Observed, Time, Value};
use faultlab_sim::scenario::Record;
use serde_json::{Map, Value as Json};

use super::stream::{AROUND, Events, Source, Stream, is_tcp};
use super::{Bad, Names};

/// Reads lines. A trace of several arms needs `arm`. With `is_partial`, the lines before a damaged one are taken.
///
/// # Errors
/// The first line that is no JSON, or no event.
pub fn read(text: &str, arm: Option<&str>, is_partial: bool, names: &Names) -> Result<Stream, Bad> {
    let kinds = Record::kinds();
    let mut stream = Stream::new(Source::JsonLines { is_whole: false });
    let mut entries = Vec::new();
    let mut arms: Vec<String> = Vec::new();
    let mut is_wanted = true;
    let mut has_events_without_header = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let taken = object(line).and_then(|object| {
            if let (Some(Json::String(of)), None) = (object.get("arm"), object.get("event")) {
                is_wanted = arm.is_none_or(|arm| arm == of);
                arms.push(of.clone());
                return Ok(());
            }
            has_events_without_header |= arms.is_empty();
            if is_wanted {
                stream.units += 1;
                let entry = entry(&object, &kinds, names, &mut stream);
                entries.extend(entry.map_err(|what| (what, EXPECTED))?);
            }
            Ok(())
        });
        if let Err((what, help)) = taken {
            let bad = Bad::line(number, what);
            if entries.is_empty() {
                return Err(bad.help(help));
            }
            if !is_partial {
                return Err(bad.help(help).or_partial());
            }
            stream.gaps.push(bad.to_string());
            break;
        }
    }
    let known: BTreeSet<&String> = arms.iter().collect();
    let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
    match arm {
        None if known.len() > 1 => {
            return Err(Bad::new("it holds the runs of several arms")
                .help(format!("say which one by --arm: {}", known.join(", "))));
        }
        Some(arm) if !known.is_empty() && !known.contains(&arm) => {
            return Err(Bad::new(format!("it holds no run of the arm {arm:?}"))
                .help(format!("it has: {}", known.join(", "))));
        }
        _ => {}
    }
    let is_whole = !known.is_empty() && !has_events_without_header;
    stream.source = Source::JsonLines { is_whole };
    if stream.units == 0 && !is_whole {
        return Err(Bad::line(1, "there is no event in it").help(EXPECTED));
    }
    entries.sort_by_key(|entry| entry.at);
    // A run of the models begins at 0; other clocks begin anywhere.
    let start = match entries.first() {
        Some(first) if !is_whole => first.at.0,
        _ => 0,
    };
    for entry in &mut entries {
        entry.at = Time(entry.at.0 - start);
        stream.span_ns = stream.span_ns.max(entry.at.0);
    }
    stream.events = Events::Held(entries);
    Ok(stream)
}

/// The object of a line, or what is wrong with it and what to do.
fn object(line: &str) -> Result<Map<String, Json>, (String, &'static str)> {
    serde_json::from_str(line).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or_default();
        (
            format!("column {}: {what}", error.column()),
            "each line is one JSON object",
        )
    })
}

/// Reads events that are JSON already, of a host that is trusted to tell all.
///
/// # Errors
/// What is no event, or a kind or a field that is not known.
pub fn entries<'a>(
    objects: impl Iterator<Item = &'a Map<String, Json>>,
    names: &Names,
) -> Result<Vec<Entry<Record>>, String> {
    let kinds = Record::kinds();
    let mut stream = Stream::new(Source::JsonLines { is_whole: true });
    let mut entries = Vec::new();
    for object in objects {
        entries.extend(entry(object, &kinds, names, &mut stream)?);
    }
    match stream.left_out.keys().next() {
        None => Ok(entries),
        Some(unknown) => Err(format!("there is no {unknown}")),
    }
}

const EXPECTED: &str = "expected: {\"t_ns\": 1004000000, \"actor\": \"client-1\", \"event\": \"tcp_retransmit_skb\", ..}, as `faultlab run --trace` writes";

fn entry(
    object: &Map<String, Json>,
    kinds: &[KindSpec],
    names: &Names,
    stream: &mut Stream,
) -> Result<Option<Entry<Record>>, String> {
    let at = object.get("t_ns").and_then(Json::as_u64);
    let at = at.ok_or("\"t_ns\" is no whole number of nanoseconds")?;
    let name = object.get("event").and_then(Json::as_str);
    let name = name.ok_or("\"event\" is no text")?;
    let Some(spec) = kinds.iter().find(|spec| spec.kind == name) else {
        stream.leave_out(format!("event {name}"));
        return Ok(None);
    };
    let mut record = Observed::new(spec);
    let around = if is_tcp(name) { &AROUND[..] } else { &[] };
    let known = spec.fields.iter().map(|(field, kind, _)| (*field, *kind));
    let known: Vec<_> = known.chain(around.iter().copied()).collect();
    for (field, kind) in &known {
        let value = match object.get(*field) {
            Some(Json::Bool(flag)) => Value::Flag(*flag),
            Some(Json::String(text)) => Value::Text(text.clone().into()),
            Some(Json::Number(number)) => {
                let whole = number
                    .as_i64()
                    .map(i128::from)
                    .or_else(|| number.as_u64().map(i128::from));
                Value::Number(whole.ok_or_else(|| format!("{field} is no whole number"))?)
            }
            Some(Json::Array(_) | Json::Object(_)) => return Err(format!("{field} is no {kind}")),
            Some(Json::Null) | None => continue,
        };
        if (*kind == "number") != matches!(value, Value::Number(_)) {
            return Err(format!("{field} is no {kind}"));
        }
        record = record.with(field, value);
    }
    for field in object.keys() {
        let is_known = matches!(&**field, "t_ns" | "event" | "actor" | "host")
            || known.iter().any(|(known, _)| known == field);
        if !is_known {
            stream.leave_out(format!("field {field} of {name}"));
        }
    }
    let actor = object.get("actor").or_else(|| object.get("host"));
    let actor = match actor {
        Some(actor) => actor.as_str().ok_or("\"actor\" is no text")?.to_owned(),
        None => record
            .field("saddr")
            .map_or_else(|| "?".into(), |saddr| saddr.to_string()),
    };
    Ok(Some(Entry {
        at: Time(at),
        actor: names.of(&actor),
        record: record.into(),
    }))
}
