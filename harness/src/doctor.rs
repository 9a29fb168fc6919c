//! `doctor`: which hosts are usable here.

use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::Result;
use crate::host::{Host, Places, State};
use crate::prometheus;
use crate::render::{Page, style};

/// Runs the command.
///
/// # Errors
/// The output cannot be written.
pub fn run(layout: Layout) -> Result<Exit> {
    let mut page = Page::new(layout);
    page.heading("Hosts");
    for host in Host::ALL {
        let state = match host.state(&Places::default()) {
            State::Usable(found) => page.paint(style::GOOD, format!("usable: {found}")),
            State::Missing(what, command) => {
                let missing = page.paint(style::BAD, what);
                format!("{missing}; to install it: {command}")
            }
            State::NotBuilt => page.paint(
                style::FAINT,
                "not built yet: this version cannot use it, whatever is installed",
            ),
        };
        page.row(2, 10, host.name(), &format!("{}; {state}", host.what()));
    }
    page.gap();
    page.heading("Other programs");
    let found = match prometheus::version() {
        Some(version) => page.paint(style::GOOD, format!("usable: {version}")),
        None => {
            let missing = page.paint(style::BAD, "no prometheus and promtool on PATH");
            format!("{missing}; to install it: {}", prometheus::INSTALL)
        }
    };
    let what = "what query-latency asks, and a test of `serve`";
    page.row(2, 12, "prometheus", &format!("{what}; {found}"));
    console::print(&page.into_text())?;
    Ok(Exit::AsRecorded)
}
