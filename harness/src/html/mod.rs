//! One self-contained HTML file that shows what happened: the story, the claims, runs to step through.
//!
//! The page is `page.html`, a template that escapes whatever it is given; texts of runs reach the scripts as
//! islands of JSON, and become text nodes there. Nothing is loaded from anywhere: the page's own policy forbids it.

mod chapter;
mod futures;
mod pack;
pub mod pair;
mod play;

use std::io::Write;
use std::path::PathBuf;

use faultlab_sim::scenario::model_versions;
use minijinja::{AutoEscape, Environment, HtmlEscape, Value, context};

pub use chapter::{Chapter, ClaimView, Headed};
pub use futures::FuturesView;
pub use play::{Shown as Run, play};

use crate::failure::Result;
use crate::output::Output;
use crate::render::grouped;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");
const SCRIPTS: [&str; 5] = [
    include_str!("run.js"),
    include_str!("timeline.js"),
    include_str!("charts.js"),
    include_str!("viewer.js"),
    include_str!("page.js"),
];

/// How many records of a run the file has where nobody says.
pub const RECORDS: u32 = 20_000;

/// A report under way.
pub struct Book {
    output: Output,
    /// How many records of each run are shown at most.
    records: usize,
    chapters: Vec<Chapter>,
}

impl Book {
    /// Begins a file, if one was asked for.
    ///
    /// # Errors
    /// It cannot be written; nothing is.
    pub fn create_if_asked(path: Option<&PathBuf>, records: usize) -> Result<Option<Book>> {
        let output = Output::create_if_asked(path)?;
        Ok(output.map(|output| Book {
            output,
            records,
            chapters: Vec::new(),
        }))
    }

    /// How many records of each run are shown at most.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Adds a scenario.
    pub fn add(&mut self, mut chapter: Chapter) {
        // A scenario that is looked at in several ways has a chapter for each.
        let earlier = self.chapters.iter();
        let nth = earlier
            .filter(|other| other.scenario() == chapter.scenario())
            .count();
        if nth > 0 {
            chapter.stand_as(nth + 1);
        }
        self.chapters.push(chapter);
    }

    /// Writes the file, whole.
    ///
    /// # Errors
    /// The disk is full, or the folder went away: nothing is written then.
    pub fn commit(mut self) -> Result<()> {
        let page = page(&self.chapters);
        self.output
            .write_all(page.as_bytes())
            .map_err(|error| self.output.failed(&error))?;
        self.output.commit()
    }
}

fn page(chapters: &[Chapter]) -> String {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("coded", coded);
    environment.add_filter("grouped", |number: u64| grouped(number));
    environment
        .add_template("page.html", PAGE)
        .expect("the template in the source is right");
    let title = match chapters {
        [only] => only.title(),
        _ => "What the models say",
    };
    let versions = model_versions();
    let versions: Vec<String> = versions
        .iter()
        .map(|(family, version)| format!("{family} {version}"))
        .collect();
    let template = environment
        .get_template("page.html")
        .expect("it was just added");
    template
        .render(context! {
            title,
            chapters,
            version => env!("CARGO_PKG_VERSION"),
            versions => format!("Model versions: {}.", versions.join(", ")),
            style => STYLE,
            script => SCRIPTS.map(|script| script.trim_start_matches("'use strict';\n")).concat(),
        })
        .expect("a page of plain values renders")
}

/// Prose with code in backticks, as markup; all else is escaped.
fn coded(text: &str) -> Value {
    let part = |(nth, part): (usize, &str)| match nth % 2 {
        0 => HtmlEscape(part).to_string(),
        _ => format!("<code>{}</code>", HtmlEscape(part)),
    };
    let parts: String = text.split('`').enumerate().map(part).collect();
    Value::from_safe_string(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_escaped() {
        let evil = "</script><img src=x onerror=alert(1)>\"'&";
        let chapter = Chapter::of_texts("evil", evil, evil);
        let page = page(&[chapter]);
        assert!(!page.contains("<img"), "a text became markup");
        assert_eq!(
            page.matches("</script>").count(),
            2,
            "an island ended early"
        );
        assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;"));
    }
}
