//! The HTML pages of all scenarios in a headless Chromium, driven through WebDriver: they are stepped through,
//! zoomed and filtered; nothing is loaded from anywhere, and no error is met. Where there is no Chromium, a test
//! says so and passes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A Chromium, and the driver that holds it.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

impl Browser {
    fn start(more: &[&str]) -> Option<Browser> {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut driver) = driver else {
            eprintln!("no chromedriver here: apt-get install chromium chromium-driver");
            return None;
        };
        let mut said = BufReader::new(driver.stdout.take().expect("it is piped"));
        let port = loop {
            let mut line = String::new();
            let read = said.read_line(&mut line).expect("it speaks");
            assert!(read > 0, "chromedriver ended before it was ready");
            if let Some((_, port)) = line.split_once("successfully on port ") {
                break port.trim().trim_end_matches('.').parse().expect("a port");
            }
        };
        let profile = tempfile::tempdir().expect("a temporary folder");
        let data = format!("--user-data-dir={}", profile.path().display());
        let mut args = vec![
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
            &data,
        ];
        args.extend(more);
        let mut browser = Browser {
            driver,
            port,
            session: String::new(),
            _profile: profile,
        };
        let begun = browser.ask(
            "POST",
            "/session",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": {"args": args},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }}}),
        );
        let session = begun["sessionId"].as_str().expect("a session");
        browser.session = format!("/session/{session}");
        Some(browser)
    }

    /// One request of the WebDriver protocol (W3C), and its answer's value.
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .expect("a time-out can be set");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .expect("the driver listens");
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect("the driver answers");
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes).expect("the driver answers");
        let answer: Value = serde_json::from_slice(&bytes).expect("an answer is JSON");
        let value = &answer["value"];
        assert!(value["error"].is_null(), "{method} {path}: {value:#}");
        value.clone()
    }

    fn open(&self, page: &Path) {
        let url = format!("file://{}", page.display());
        self.ask(
            "POST",
            &format!("{}/url", self.session),
            &json!({ "url": url }),
        );
    }

    /// Runs a script in the page, and waits for what it promises.
    fn run(&self, script: &str) -> Value {
        let path = format!("{}/execute/sync", self.session);
        self.ask("POST", &path, &json!({"script": script, "args": []}))
    }

    /// Presses a key on what has the focus.
    fn press(&self, key: &str) {
        let press = |kind: &str| json!({"type": kind, "value": key});
        let keys =
            json!({"type": "key", "id": "keys", "actions": [press("keyDown"), press("keyUp")]});
        let path = format!("{}/actions", self.session);
        self.ask("POST", &path, &json!({"actions": [keys]}));
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let path = format!("{}/se/log", self.session);
        let entries = self.ask("POST", &path, &json!({"type": kind}));
        entries.as_array().expect("a log is a list").clone()
    }

    /// Nothing was asked of the network since the last look, and no error or warning was met.
    fn assert_quiet(&self, page: &Path) {
        let said = self.log("browser");
        assert!(said.is_empty(), "{}: {said:#?}", page.display());
        for entry in self.log("performance") {
            let entry = entry["message"].as_str().expect("a text");
            let entry: Value = serde_json::from_str(entry).expect("an event is JSON");
            let message = &entry["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str().expect("a URL");
                assert!(
                    url.starts_with("data:") || url.starts_with("file://"),
                    "{} asks for {url}",
                    page.display()
                );
                assert!(
                    !url.starts_with("file://") || url.ends_with(".html"),
                    "{url}"
                );
            }
        }
        let loaded =
            self.run("return performance.getEntriesByType('resource').map((entry) => entry.name)");
        let loaded = loaded.as_array().expect("a list");
        assert!(
            loaded
                .iter()
                .all(|name| name.as_str().is_some_and(|name| name.starts_with("data:"))),
            "{loaded:?}"
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &self.session, &Value::Null);
        }
        // The driver takes a browser that is still there with it.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn faultlab(args: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_faultlab"))
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("the binary was built");
    assert!(
        done.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a temporary path")
}

/// Goes through a page's every viewer and run: steps, jumps, zooms, filters, lays it out both ways.
const TOUR: &str = r#"
const said = [];
const ask = (so, what) => { if (!so) said.push(what); };
const painted = (viewer) => {
  const { canvas } = viewer.timeline;
  viewer.timeline.paint();
  const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  return data.some((byte) => byte !== 0);
};
for (const place of document.querySelectorAll('.viewer')) {
  const viewer = wake(place);
  for (let index = 0; index < viewer.islands.length; index++) {
    viewer.open(index);
    const { run } = viewer, at = `${place.id} ${viewer.islands[index].dataset.title}`;
    if (run.n === 0) continue;
    ask(painted(viewer), `${at}: nothing is painted`);
    viewer.end(-1);
    ask(viewer.cursor === 0, `${at}: Home`);
    const first = viewer.where.textContent;
    place.querySelector('button.next').click();
    ask(run.n < 2 || viewer.cursor === 1 && viewer.where.textContent !== first, `${at}: next`);
    place.querySelector('button.back').click();
    ask(viewer.cursor === 0 && viewer.where.textContent === first, `${at}: back`);
    viewer.end(1);
    ask(viewer.cursor === run.n - 1, `${at}: End`);
    ask(viewer.state.textContent.includes(run.actorName(run.n - 1)), `${at}: the record is told`);
    const before = viewer.timeline.view.slice();
    place.querySelector('button.zoom-in').click();
    const span = ([low, high]) => high - low;
    ask(run.n < 6 || span(viewer.timeline.view) < span(before), `${at}: zoom in`);
    viewer.timeline.pan(-0.5);
    place.querySelector('button.fit').click();
    ask(Math.abs(span(viewer.timeline.view) - span(before)) < 1e-6 * span(before) + 1e-6, `${at}: fit`);
    viewer.toggleMode();
    ask(painted(viewer), `${at}: nothing is painted the other way`);
    viewer.toggleMode();
    const actor = run.actorName(0);
    viewer.query.value = actor;
    viewer.filter();
    const hits = viewer.count();
    ask(hits > 0 && hits <= run.n, `${at}: filter finds ${hits}`);
    viewer.step(1);
    viewer.step(1);
    ask(viewer.timeline.mask[viewer.cursor] === 1, `${at}: steps stay in the filter`);
    viewer.query.value = 'no-such-word-anywhere';
    viewer.filter();
    ask(viewer.count() === 0, `${at}: a filter that nothing passes`);
    viewer.query.value = '';
    viewer.filter();
    ask(viewer.count() === run.n, `${at}: no filter`);
    for (const child of viewer.list.rows.children) {
      ask(child.getAttribute('role') === 'option' && child.hasAttribute('aria-setsize'), `${at}: a row's role`);
    }
    for (let i = 0; i < run.n; i += Math.max(1, run.n >> 6)) viewer.go(i);
  }
}
for (const button of document.querySelectorAll('button, select, input, canvas')) {
  const named = button.textContent.trim() || button.getAttribute('aria-label');
  ask(named, `an unnamed ${button.outerHTML.slice(0, 80)}`);
}
return said;
"#;

fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let entries = std::fs::read_dir(folder).expect("scenarios are there");
    let entries = entries.map(|entry| entry.expect("readable").path());
    let mut ids: Vec<String> = entries
        .filter(|path| path.join("scenario.ron").exists())
        .map(|path| {
            path.file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    ids.sort();
    ids
}

#[test]
fn the_page_of_all_scenarios_works_and_keeps_to_itself() {
    let Some(browser) = Browser::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("all.html");
    faultlab(&["run", "--html", text(&page), "--html-records", "2000"]);
    browser.open(&page);
    let said = browser.run(TOUR);
    assert_eq!(said, json!([]));
    let titles =
        browser.run("return [...document.querySelectorAll('article')].map((each) => each.id)");
    let mut titles: Vec<&str> = titles
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    titles.sort_unstable();
    assert_eq!(titles, shipped());
    browser.assert_quiet(&page);
}

/// What a user does with keys on a page of a race: the choice that decides is found, and the state before and
/// after is what the models say.
#[test]
fn a_race_is_stepped_through_with_keys() {
    let Some(browser) = Browser::start(&["--force-dark-mode"]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pages: Vec<PathBuf> = ["run", "explore", "replay"]
        .iter()
        .map(|command| folder.path().join(format!("{command}.html")))
        .collect();
    let repro = folder.path().join("lost.ron");
    let (run, explore, replay) = (text(&pages[0]), text(&pages[1]), text(&pages[2]));
    faultlab(&[
        "run",
        "path-lost-update",
        "--html",
        run,
        "--repro",
        text(&repro),
    ]);
    faultlab(&["explore", "path-lost-update", "--html", explore]);
    faultlab(&["replay", text(&repro), "--html", replay]);
    for page in &pages {
        browser.open(page);
        assert_eq!(browser.run(TOUR), json!([]), "{}", page.display());
        // The run that loses an entry is the one that is shown first.
        browser.open(page);
        browser.run("wake(document.querySelector('.viewer')).list.element.focus()");
        let title =
            browser.run("return document.querySelector('.pick select').selectedOptions[0].text");
        let is_failing = title
            .as_str()
            .is_some_and(|title| title.starts_with("path-entry-is-lost: it is so"));
        assert!(is_failing, "{title}");
        browser.press("]");
        let decision = browser.run("return document.querySelector('.decision.departs').innerText");
        let decision = decision.as_str().expect("a text");
        assert!(
            decision.contains("set HKCU\\Environment\\Path"),
            "{decision}"
        );
        assert!(
            decision.contains("✓ go-installer") || decision.contains("✓ git-installer"),
            "{decision}"
        );
        assert!(decision.contains("go on (default)"), "{decision}");

        browser.press("\u{E010}"); // End
        browser.press("\u{E012}"); // ArrowLeft
        let changed = browser.run(
            "return [...document.querySelectorAll('.touched .changed')].map((row) => [...row.cells].map((cell) => cell.textContent))",
        );
        let row = &changed.as_array().expect("a list")[0];
        assert_eq!(row[0], "HKCU\\Environment\\Path");
        let (before, after) = (row[1].as_str().expect("set"), row[2].as_str().expect("set"));
        assert_ne!(before, after);
        assert!(
            before.contains("%USERPROFILE%\\bin;") && after.contains("%USERPROFILE%\\bin;"),
            "{row}"
        );
        assert_eq!(
            browser.run("return document.querySelectorAll('.compare .part').length >= 1"),
            true
        );

        // On a telephone nothing is wider than the screen.
        browser.ask(
            "POST",
            &format!("{}/window/rect", browser.session),
            &json!({"width": 500, "height": 800}),
        );
        let excess = browser.run("return document.documentElement.scrollWidth - innerWidth");
        assert!(
            excess.as_i64().is_some_and(|excess| excess <= 0),
            "{}: {excess}",
            page.display()
        );
        browser.ask(
            "POST",
            &format!("{}/window/rect", browser.session),
            &json!({"width": 1280, "height": 900}),
        );
        browser.assert_quiet(page);
    }
}

/// 100 000 records of a storm: all that is drawn at once is drawn as densities, so that it stays fluid.
/// Times are printed, and not asserted.
#[test]
fn a_storm_of_records_is_drawn_as_densities() {
    let Some(browser) = Browser::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("storm.html");
    faultlab(&[
        "run",
        "rst-storm",
        "--html",
        text(&page),
        "--html-records",
        "100000",
    ]);
    let began = Instant::now();
    browser.open(&page);
    let first = browser.run(
        "const viewer = wake(document.querySelector('.viewer')); viewer.timeline.paint();
         return { records: viewer.run.n, ready: performance.now() }",
    );
    let opened = began.elapsed();
    let records = first["records"].as_u64().expect("a number");
    assert!((80_000..=100_000).contains(&records), "{records}");
    let frames = browser.run(
        "const viewer = wake(document.querySelector('.viewer')), times = [];
         for (let turn = 0; turn < 20; turn++) {
           const began = performance.now();
           viewer.timeline.zoom(turn % 2 ? 0.5 : 1.9);
           viewer.timeline.paint();
           times.push(performance.now() - began);
         }
         return { worst: Math.max(...times), drawn: viewer.timeline.countVisible(0, viewer.run.n) }",
    );
    let size = std::fs::metadata(&page).expect("it is there").len();
    eprintln!(
        "rst-storm, {records} records in the run that is shown first: file {:.1} MB, open and drawn in {} ms \
         (by the page's clock {:.0} ms), the slowest of 20 redraws {:.0} ms",
        size as f64 / 1e6,
        opened.as_millis(),
        first["ready"].as_f64().unwrap_or(0.0),
        frames["worst"].as_f64().unwrap_or(0.0),
    );
    // The chart counts the records of all clients, also of those that are not listed.
    let rates = browser.run(
        "const { rate, records, n } = wake(document.querySelector('.viewer')).run;
         return [rate.counts['all records'].reduce((sum, count) => sum + count, 0), records, n]",
    );
    assert_eq!(rates[0], rates[1]);
    assert!(rates[1].as_u64() > rates[2].as_u64());
    browser.assert_quiet(&page);
}
