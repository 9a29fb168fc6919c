//! JUnit: a suite for each scenario, a case for each claim.

use std::io::Write;

use faultlab_sim::scenario::Report;
use quick_junit::{NonSuccessKind, Report as Suites, TestCase, TestCaseStatus, TestSuite};

use crate::failure::Result;
use crate::output::Output;
use crate::render::search;
use crate::run::difference;

/// A report that grows by scenario. It holds neither times nor dates, so the same verdicts give the
/// same file.
#[derive(Debug)]
pub struct Junit(Suites);

impl Default for Junit {
    /// No scenario yet.
    fn default() -> Junit {
        Junit(Suites::new("faultlab"))
    }
}

impl Junit {
    /// Adds a scenario.
    pub fn add(&mut self, report: &Report) {
        let mut suite = TestSuite::new(&*report.scenario);
        suite.add_property(("trace_hash", report.trace_hash.to_string().as_str()));
        suite.add_property(("seed", report.seed.to_string().as_str()));
        for claim in &report.claims {
            let status = match claim.is_as_expected() {
                true => TestCaseStatus::success(),
                false => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(difference(claim));
                    status
                }
            };
            let mut case = TestCase::new(&*claim.id, status);
            case.set_classname(&*report.scenario);
            let mut said = format!(
                "{}\n{}: {}\n{}\n",
                claim.says,
                claim.verdict,
                search::basis(&claim.basis),
                claim.evidence.words
            );
            for record in &claim.evidence.records {
                said += &format!("{record}\n");
            }
            case.set_system_out(said);
            suite.add_test_case(case);
        }
        self.0.add_test_suite(suite);
    }

    /// Writes it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, output: &mut Output) -> Result<()> {
        write(&self.0, output)
    }
}

/// Writes suites without the `skipped` of the root, which no schema in use knows there.
///
/// # Errors
/// The file cannot be written.
pub fn write(suites: &Suites, output: &mut Output) -> Result<()> {
    let text = suites.to_string().expect("a report is plain texts");
    let root = text.find("<testsuites").unwrap_or(0);
    let (head, tag) = text.split_at(root);
    let (tag, rest) = tag.split_at(tag.find('>').unwrap_or(0));
    let tag = match tag.split_once(" skipped=\"") {
        Some((before, after)) => {
            let after = after.split_once('"').map_or("", |(_, after)| after);
            format!("{before}{after}")
        }
        None => tag.into(),
    };
    output
        .write_all(format!("{head}{tag}{rest}").as_bytes())
        .map_err(|error| output.failed(&error))
}
