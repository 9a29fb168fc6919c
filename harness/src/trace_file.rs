//! Traces as JSON lines: for each arm a header, then a record a line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use faultlab_sim::engine::TraceHash;
use faultlab_sim::scenario::{
    Chooser, Keep, Loaded, Outcome, Prepared, Report, RunReport, Versions, Watch,
};
use serde::Serialize;

use crate::failure::Result;
use crate::library::late_mistake;
use crate::output::Output;

/// The line before the records of an arm.
#[derive(Serialize)]
struct Header<'a> {
    scenario: &'a str,
    arm: &'a str,
    params: &'a BTreeMap<String, String>,
    seed: u64,
    model_versions: &'a Versions,
    trace_hash: TraceHash,
    events: u64,
}

/// The run that stands for an arm in `report`, once more, with what `keep` names.
///
/// # Errors
/// A mistake that shows only when the arm's values are filled in.
///
/// # Panics
/// If the run does not repeat (a broken invariant).
pub fn again(loaded: &Loaded, report: &Report, run: &RunReport, keep: Keep) -> Result<Outcome> {
    let arm = loaded.scenario.arm(&run.arm);
    let arm = arm.expect("a report is of the scenario's arms");
    let case = &loaded.scenario.cases_of(arm)[0];
    let off = Prepared::swarm(arm, report.seed);
    let prepared = loaded
        .prepare(arm, &case.params, &off)
        .map_err(|mistake| late_mistake(loaded, mistake))?;
    let outcome = prepared.run(&Chooser::Seed(report.seed), &Watch::new(Vec::new()), keep);
    assert_eq!(
        outcome.hash, run.trace_hash,
        "a second run of {} parts from the first",
        run.arm
    );
    Ok(outcome)
}

/// Appends the runs that stand for a scenario's arms in `report`.
///
/// # Errors
/// The file cannot be written.
pub fn write(output: &mut Output, loaded: &Loaded, report: &Report) -> Result<()> {
    let keep = Keep {
        records: true,
        ..Keep::default()
    };
    for run in &report.runs {
        let outcome = again(loaded, report, run, keep)?;
        let arm = loaded.scenario.arm(&run.arm);
        let arm = arm.expect("a report is of the scenario's arms");
        let case = &loaded.scenario.cases_of(arm)[0];
        let header = Header {
            scenario: &report.scenario,
            arm: &run.arm,
            params: &loaded.scenario.params_of(arm, &case.params),
            seed: report.seed,
            model_versions: &report.model_versions,
            trace_hash: outcome.hash,
            events: outcome.events,
        };
        let written = line(output, &header).and_then(|()| {
            outcome
                .entries
                .iter()
                .try_for_each(|entry| line(output, entry))
        });
        written.map_err(|error| output.failed(&error))?;
    }
    Ok(())
}

fn line(output: &mut Output, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.write_all(b"\n")
}
