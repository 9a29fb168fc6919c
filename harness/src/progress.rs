//! What a watcher sees while it takes long: on standard error, and only on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that shows what is going on, or nothing if nobody watches.
#[derive(Debug)]
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// For work of unknown length.
    pub fn spinner() -> Progress {
        Progress::new(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        })
    }

    /// For work that another line tells of.
    pub fn silent() -> Progress {
        Progress(None)
    }

    /// For so many runs.
    pub fn bar(runs: u64) -> Progress {
        Progress::bar_of(runs, "runs")
    }

    /// For so many of something.
    pub fn bar_of(count: u64, what: &str) -> Progress {
        Progress::new(|| {
            let style = format!(
                "{{wide_bar}} {{human_pos}} of {{human_len}} {what}, {{per_sec}}, {{eta}} left"
            );
            let style = ProgressStyle::with_template(&style).expect("the template is well formed");
            ProgressBar::new(count).with_style(style)
        })
    }

    fn new(bar: impl FnOnce() -> ProgressBar) -> Progress {
        Progress(std::io::stderr().is_terminal().then(bar))
    }

    /// Says what is going on.
    pub fn say(&self, what: &str) {
        if let Some(bar) = &self.0 {
            bar.set_message(what.to_owned());
        }
    }

    /// So many more runs are through.
    pub fn advance(&self, runs: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(runs);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
