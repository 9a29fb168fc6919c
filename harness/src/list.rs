//! `list`: the scenarios that the binary carries.

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
