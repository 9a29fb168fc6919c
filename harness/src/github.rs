//! Annotations for GitHub: workflow commands, which a runner shows beside the lines of a change.
//!
//! The form is `::error file=F,line=L,title=T::message`. `%`, CR and LF are escaped as `%25`, `%0D`, `%0A`; within
//! a property also `:` and `,` as `%3A` and `%2C` (docs.github.com, "Workflow commands for GitHub Actions").

use faultlab_sim::scenario::{Loaded, Report};

use crate::failure::Failure;
use crate::run::difference;

/// One command for each claim of `report` that did not come out as recorded, at its place in the file.
pub fn of_report(loaded: &Loaded, report: &Report) -> String {
    let mut text = String::new();
    for claim in report.claims.iter().filter(|claim| !claim.is_as_expected()) {
        let title = format!("faultlab: {} / {}", report.scenario, claim.id);
        let mut says = format!("{}\n{}", difference(claim), claim.says);
        if !claim.evidence.words.is_empty() {
            says += &format!("\n{}", claim.evidence.words);
        }
        for record in &claim.evidence.records {
            says += &format!("\n{record}");
        }
        let line = line_of(&loaded.text, &claim.id).to_string();
        let place = [
            ("file", loaded.file.as_str()),
            ("line", &line),
            ("title", &title),
        ];
        text += &command("error", &place, &says);
    }
    text
}

/// One command for a scenario that could not be judged.
pub fn of_failure(failure: &Failure) -> String {
    let (place, says) = (failure.place(), failure.to_string());
    let line = place.as_ref().map(|(_, line)| line.to_string());
    let mut properties = Vec::new();
    if let (Some((file, _)), Some(line)) = (&place, &line) {
        properties.extend([("file", file.as_str()), ("line", line)]);
    }
    properties.push(("title", "faultlab: bad input"));
    command("error", &properties, &says)
}

/// One command that says what all came to.
pub fn of_all(says: &str) -> String {
    command("notice", &[("title", "faultlab")], says)
}

fn command(name: &str, properties: &[(&str, &str)], message: &str) -> String {
    let properties: Vec<String> = properties
        .iter()
        .map(|(name, value)| format!("{name}={}", property(value)))
        .collect();
    format!("::{name} {}::{}\n", properties.join(","), data(message))
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// The line, from 1, on which the claim `id` begins.
fn line_of(text: &str, id: &str) -> usize {
    let wanted = format!("id: {id:?}");
    text.lines()
        .position(|line| line.trim_start().starts_with(&wanted))
        .map_or(1, |line| line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_said_cannot_end_a_command_or_begin_another() {
        let bad = "100 %, a: b\r\n::set-output name=x::y";
        let text = command("error", &[("file", "a:b,c.ron"), ("title", bad)], bad);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(
            text,
            "::error file=a%3Ab%2Cc.ron,title=100 %25%2C a%3A b%0D%0A%3A%3Aset-output name=x%3A%3Ay\
             ::100 %25, a: b%0D%0A::set-output name=x::y\n"
        );
    }

    #[test]
    fn a_claim_is_found_by_its_line() {
        let text = "claims: [\n  (\n    id: \"a-b\",\n  ),\n  (\n    id: \"a\",\n";
        assert_eq!(
            (line_of(text, "a-b"), line_of(text, "a"), line_of(text, "c")),
            (3, 6, 1)
        );
    }
}
