//! The HTML pages of all scenarios in a headless Chromium, driven through WebDriver: they are stepped through,
//! zoomed and filtered; nothing is loaded from anywhere, and no error is met. Where there is no Chromium, a test
//! says so and passes.

#[path = "support/browser.rs"]
mod browser;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use browser::Browser;
use serde_json::{Value, json};

/// Presses a key on what has the focus.
fn press(browser: &Browser, key: &str) {
    let press = |kind: &str| json!({"type": kind, "value": key});
    let keys = json!({"type": "key", "id": "keys", "actions": [press("keyDown"), press("keyUp")]});
    let path = format!("{}/actions", browser.session);
    browser.ask("POST", &path, &json!({"actions": [keys]}));
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
const painted = (viewer, { canvas } = viewer.timeline) => {
  viewer.timeline.paint();
  const copy = document.createElement('canvas'), pen = copy.getContext('2d', { willReadFrequently: true });
  Object.assign(copy, { width: canvas.width, height: canvas.height });
  pen.drawImage(canvas, 0, 0);
  const { data } = pen.getImageData(0, 0, copy.width, copy.height);
  return data.some((byte) => byte !== 0);
};
for (const place of document.querySelectorAll('.viewer')) {
  const viewer = wake(place);
  for (let index = 0; index < viewer.islands.length; index++) {
    await viewer.open(index);
    const { run } = viewer, at = `${place.id} ${viewer.islands[index].dataset.title}`;
    if (run.n === 0) continue;
    ask(painted(viewer), `${at}: nothing is painted`);
    ask(!viewer.curve || painted(viewer, viewer.curve), `${at}: no futures are painted`);
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
        press(&browser, "]");
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

        press(&browser, "\u{E010}"); // End
        press(&browser, "\u{E012}"); // ArrowLeft
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

        // Whatever can be used is told by its name, and the parts of the page can be gone through.
        let told = browser.accessible();
        let roles = [
            "button",
            "link",
            "combobox",
            "searchbox",
            "listbox",
            "option",
            "heading",
            "region",
            "Canvas",
        ];
        let nameless = told
            .iter()
            .find(|(role, name)| roles.contains(&role.as_str()) && name.is_empty());
        assert_eq!(nameless, None, "{}", page.display());
        for (role, name) in [
            ("button", "Next record (→)"),
            ("combobox", "Run"),
            ("listbox", "Records"),
            ("searchbox", "Filter records"),
        ] {
            let is_there = |told: &&(String, String)| told.0 == role && told.1 == name;
            assert!(
                told.iter().any(|told| is_there(&told)),
                "{role} {name}: {told:?}"
            );
        }
        let option = told
            .iter()
            .find(|(role, name)| role == "option" && name.contains("installer"));
        assert!(option.is_some(), "{told:?}");

        // On a telephone nothing is wider than the screen.
        browser.ask(
            "POST",
            &format!("{}/window/rect", browser.session),
            &json!({"width": 500, "height": 800}),
        );
        // The page fits itself in at the next frames.
        let excess = browser.run(
            "const excess = () => innerWidth > 500 ? innerWidth : document.documentElement.scrollWidth - innerWidth; \
             for (const end = Date.now() + 10000; excess() > 0 && Date.now() < end;) \
             await new Promise(requestAnimationFrame); \
             return excess()",
        );
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

/// The share of futures that fail is a curve above the timeline, a table, and a sentence beside each record; all
/// say what the command says.
#[test]
fn the_futures_along_a_run_are_shown() {
    let Some(browser) = Browser::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("futures.html");
    let done = Command::new(env!("CARGO_BIN_EXE_faultlab"))
        .args(["explore", "goroot-race", "--point-of-no-return", "--json"])
        .args(["--html", text(&page)])
        .output()
        .expect("the binary was built");
    assert!(done.status.success(), "{done:?}");
    let lines = String::from_utf8(done.stdout).expect("UTF-8");
    let told: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect();
    let of = |claim: &str| told.iter().find(|told| told["claim"] == claim);
    let race = &of("2.5-f").expect("it is about the race")["futures"];
    let point = race["point"].as_u64().expect("it has one") as usize;
    let record = race["points"][point]["records"]["end"]
        .as_u64()
        .expect("it wrote")
        - 1;

    browser.open(&page);
    assert_eq!(browser.run(TOUR), json!([]));
    browser.open(&page);
    browser.run("wake(document.querySelector('.viewer')).list.element.focus()");
    press(&browser, "p");
    let seen = browser.run(
        "const viewer = wake(document.querySelector('.viewer')), { curve, timeline, run } = viewer;
         const height = (i) => curve.share(curve.after(i))[0];
         return {
           title: viewer.picker.selectedOptions[0].text, where: viewer.where.textContent,
           state: viewer.state.textContent, label: curve.canvas.getAttribute('aria-label'),
           heights: [...run.time.keys()].map(height),
           aligned: Math.abs(curve.element.clientWidth - timeline.wide.clientWidth) <= 2,
           marked: [...document.querySelectorAll('.futures .point')].map((row) => row.innerText) }",
    );
    let says = |name: &str| seen[name].as_str().unwrap_or_default().to_owned();
    assert!(
        says("title").starts_with("2.5-f: so, arm shared-symlink"),
        "{seen}"
    );
    assert!(
        says("where").starts_with(&format!("record {record} of 0..")),
        "{seen}"
    );
    assert!(
        says("state").contains("After it, 100 % of the futures still fail (before it: "),
        "{seen}"
    );
    assert!(
        says("label").contains(&format!("after record {record}")),
        "{seen}"
    );
    assert_eq!(seen["aligned"], true);
    let heights = seen["heights"].as_array().expect("a list");
    let all = json!(1_000_000);
    assert!(
        heights[record as usize..]
            .iter()
            .all(|height| *height == all),
        "{seen}"
    );
    assert_ne!(heights[record as usize - 1], all);
    let marked = seen["marked"].as_array().expect("a list");
    assert!(
        marked.iter().any(|row| row
            .as_str()
            .is_some_and(|row| row.starts_with(&format!("{record}")) && row.contains("100 %"))),
        "{seen}"
    );
    // From the table to the record of that run.
    let went = browser.run(
        "const button = [...document.querySelectorAll('.futures .point button')].at(-1);
         button.click();
         const { run, cursor } = wake(document.querySelector('.viewer'));
         return run.number[cursor] === Number(button.dataset.record)
           && document.querySelector('.pick select').selectedIndex === Number(button.dataset.run)",
    );
    assert_eq!(went, true);
    browser.assert_quiet(&page);
}

/// Where no choice decides, but a fault, the run with it stands beside the run without it.
#[test]
fn a_fault_apart() {
    let Some(browser) = Browser::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let id = "c-go-acl";
    let heading = "One fault apart: creator-owner-gives-full-control";
    let page = folder.path().join(format!("{id}.html"));
    faultlab(&["run", id, "--html", text(&page)]);
    browser.open(&page);
    let seen = browser.run(
            "const heading = [...document.querySelectorAll('h2')].find((each) => each.innerText.startsWith('One fault apart'));
             if (!heading) return null;
             const section = heading.nextElementSibling, rows = [...section.querySelectorAll('tbody tr')];
             const parting = rows.findIndex((row) => row.className === 'part');
             const words = (row) => [...row.cells].slice(1).map((cell) => cell.innerText);
             const see = section.querySelector('.see');
             see?.click();
             const viewer = await wake(document.querySelector('.viewer')).ready;
             return { heading: heading.innerText, heads: [...section.querySelectorAll('thead th')].map((th) => th.innerText),
               part: words(rows[parting]), next: words(rows[parting + 1]),
               alike: rows.slice(0, parting).every((row) => new Set(words(row)).size === 1),
               record: Number(see?.dataset.record), at: viewer.run.number[viewer.cursor] }",
        );
    assert!(
        seen["heading"]
            .as_str()
            .is_some_and(|text| text.starts_with(heading)),
        "{id}: {seen}"
    );
    let part = seen["part"].as_array().expect("two cells");
    assert!(
        part[0]
            .as_str()
            .is_some_and(|text| text.starts_with("▼ fault ")),
        "{seen}"
    );
    assert_eq!(part[1], "▼ no such fault");
    assert_eq!(seen["alike"], true, "{seen}");
    let next = seen["next"].as_array().expect("two cells");
    assert_ne!(next[0], next[1], "{seen}");
    assert!(seen["at"].as_u64() >= seen["record"].as_u64(), "{seen}");
    browser.assert_quiet(&page);
}

/// A storm has more records than are listed: whole clients are, and the chart counts all. What does not fit
/// side by side is drawn as densities.
#[test]
fn a_storm_of_records_is_cut_to_whole_clients_and_drawn_as_densities() {
    let Some(browser) = Browser::start(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/rst-storm/scenario.ron");
    let shipped = std::fs::read_to_string(shipped).expect("a shipped scenario");
    // The same storm of fewer clients: the records of all do not fit, those of some do.
    let smaller = shipped
        .replace("clients: 10000", "clients: 500")
        .replace("until_ms: 60000", "until_ms: 12000");
    let scenario = folder.path().join("storm.ron");
    std::fs::write(&scenario, smaller).expect("writable");
    let page = folder.path().join("storm.html");
    let done = Command::new(env!("CARGO_BIN_EXE_faultlab"))
        .args([
            "run",
            text(&scenario),
            "--html",
            text(&page),
            "--html-records",
            "30000",
        ])
        .output()
        .expect("the binary was built");
    // Fewer clients make fewer resets, so that verdicts differ; the page is written all the same.
    assert!(matches!(done.status.code(), Some(0 | 1)), "{done:?}");
    browser.open(&page);
    let seen = browser.run(
        "const viewer = wake(document.querySelector('.viewer'));
         await viewer.open(viewer.islands.findIndex((island) => island.dataset.title.startsWith('arm listener-down')));
         const { run, timeline } = viewer;
         timeline.paint();
         const clients = new Set(run.actors.filter((name) => name.startsWith('client-')));
         const ends = [...clients].map((name) => [0, run.n - 1].map((from) => {
           for (let i = from, by = from ? -1 : 1; ; i += by) if (run.actorName(i) === name) return run.time[i];
         }));
         return { title: viewer.picker.selectedOptions[0].text, n: run.n, records: run.records,
           counted: run.rate.counts['all records'].reduce((sum, count) => sum + count, 0),
           resets: run.rate.first, clients: clients.size, left: run.left,
           whole: ends.every(([first, last]) => first < 6e9 && last > 11e9),
           dense: timeline.countVisible(0, run.n) > SPARSE }",
    );
    assert_eq!(seen["title"], "arm listener-down, seed 0");
    let number = |name: &str| seen[name].as_u64().expect("a number");
    assert!(number("n") <= 30_000 && number("n") > 25_000, "{seen}");
    assert!(number("records") > number("n"), "{seen}");
    assert_eq!(number("counted"), number("records"));
    assert!((1..500).contains(&number("clients")), "{seen}");
    let says = seen["left"].as_str().expect("a text");
    assert!(
        says.contains(&format!("of {} of 500 clients", number("clients"))),
        "{says}"
    );
    assert_eq!(seen["resets"], "tcp_send_reset");
    assert_eq!(
        (&seen["whole"], &seen["dense"]),
        (&json!(true), &json!(true)),
        "{seen}"
    );
    assert_eq!(browser.run(TOUR), json!([]));
    browser.assert_quiet(&page);
}
