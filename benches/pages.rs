//! How large the pages of the shipped scenarios are, and how long a headless Chromium takes to open them and to
//! draw the first run. `cargo bench --bench pages` prints the table of the README.

#[path = "../tests/support/browser.rs"]
#[allow(dead_code, reason = "tests use what this does not")]
mod browser;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use browser::Browser;

fn main() {
    let Some(browser) = Browser::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(scenarios).expect("scenarios are there");
    let mut ids: Vec<String> = entries
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.join("scenario.ron").exists())
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    ids.sort();
    // The browser itself is warm then.
    browser.run("return 1");
    println!(
        "| page | records of a run at most | in the run shown first | file, kB | open and drawn, ms | a redraw, ms |"
    );
    println!("|---|--:|--:|--:|--:|--:|");
    for id in &ids {
        for records in ["20000", "100000"] {
            if records == "100000" && id != "rst-storm" {
                continue;
            }
            page(&browser, folder.path(), id, records);
        }
    }
}

fn page(browser: &Browser, folder: &Path, id: &str, records: &str) {
    let page = folder.join(format!("{id}.html"));
    let status = Command::new(env!("CARGO_BIN_EXE_faultlab"))
        .args(["run", id, "--html-records", records, "--html"])
        .arg(&page)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.expect("the binary was built").success(), "{id}");
    let mut opened: Vec<u128> = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        browser.open(&page);
        browser.run("(await wake(document.querySelector('.viewer')).ready).timeline.paint()");
        opened.push(began.elapsed().as_millis());
    }
    browser.assert_quiet(&page);
    opened.sort_unstable();
    let seen = browser.run(
        "const { timeline, run } = wake(document.querySelector('.viewer')), began = performance.now();
         for (let turn = 0; turn < 20; turn++) { timeline.zoom(turn % 2 ? 0.5 : 1.9); timeline.paint(); }
         return [run.n, (performance.now() - began) / 20]",
    );
    let size = std::fs::metadata(&page).expect("it is there").len() / 1000;
    println!(
        "| {id} | {records} | {} | {size} | {} | {:.1} |",
        seen[0],
        opened[1],
        seen[1].as_f64().unwrap_or(0.0)
    );
}
