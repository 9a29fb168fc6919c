//! `list`: the scenarios that the binary carries, the faults and the kinds of record that there are.

use faultlab_sim::engine::ParamKind;
use faultlab_sim::scenario::{Record, fault_table};
use serde::Serialize;

use crate::cli;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::Result;
use crate::library;
use crate::render::Page;

#[derive(Serialize)]
struct Listed<'a> {
    scenario: &'a str,
    title: &'a str,
    arms: Vec<&'a str>,
    claims: Vec<&'a str>,
}

/// Runs the command.
///
/// # Errors
/// The output cannot be written.
pub fn run(args: &cli::List, layout: Layout) -> Result<Exit> {
    if args.faults {
        return faults(args.json, layout);
    }
    if args.records {
        return records(args.json, layout);
    }
    let loaded: Result<Vec<_>> = library::embedded().map(|found| found.load()).collect();
    let loaded = loaded?;
    let scenarios = || loaded.iter().map(|loaded| &loaded.scenario);
    if args.json {
        for scenario in scenarios() {
            console::print_json(&Listed {
                scenario: &scenario.id,
                title: &scenario.title,
                arms: scenario.arms.iter().map(|arm| &*arm.name).collect(),
                claims: scenario.claims.iter().map(|claim| &*claim.id).collect(),
            })?;
        }
        return Ok(Exit::AsRecorded);
    }
    let column = scenarios().map(|scenario| scenario.id.len()).max();
    let mut page = Page::new(layout);
    for scenario in scenarios() {
        page.row(0, column.unwrap_or(0) + 2, &scenario.id, &scenario.title);
    }
    console::print(&page.into_text())?;
    Ok(Exit::AsRecorded)
}

/// A name with a kind of value and what it means.
#[derive(Serialize)]
struct Part<'a> {
    name: &'a str,
    kind: &'a str,
    required: bool,
    doc: &'a str,
}

/// A fault or a kind of record, with its parts.
#[derive(Serialize)]
struct Thing<'a> {
    name: &'a str,
    doc: &'a str,
    parts: Vec<Part<'a>>,
}

fn faults(json: bool, layout: Layout) -> Result<Exit> {
    let table = fault_table();
    let things = table.iter().map(|spec| Thing {
        name: spec.name,
        doc: spec.doc,
        parts: spec
            .params
            .iter()
            .map(|param| Part {
                name: param.name,
                kind: match param.kind {
                    ParamKind::Number => "number",
                    ParamKind::Text => "text",
                },
                required: param.required,
                doc: param.doc,
            })
            .collect(),
    });
    show(things, json, layout)
}

fn records(json: bool, layout: Layout) -> Result<Exit> {
    let kinds = Record::kinds();
    let things = kinds.iter().map(|spec| Thing {
        name: spec.kind,
        doc: spec.doc.trim(),
        parts: spec
            .fields
            .iter()
            .map(|(name, kind, doc)| Part {
                name,
                kind,
                required: true,
                doc: doc.trim(),
            })
            .collect(),
    });
    show(things, json, layout)
}

fn show<'a>(things: impl Iterator<Item = Thing<'a>>, json: bool, layout: Layout) -> Result<Exit> {
    let mut page = Page::new(layout);
    for thing in things {
        if json {
            console::print_json(&thing)?;
            continue;
        }
        page.item("", 2, thing.name);
        page.item("    ", 4, thing.doc);
        for part in &thing.parts {
            let optional = match part.required {
                true => "",
                false => ", optional",
            };
            let text = format!("{} ({}{optional}): {}", part.name, part.kind, part.doc);
            page.item("      ", 8, &text);
        }
    }
    console::print(&page.into_text())?;
    Ok(Exit::AsRecorded)
}
