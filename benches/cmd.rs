//! Batch files: a script of 20 lines with registry access beside the same under Wine, in one run; and every order of the
//! steps of two scripts.
//!
//! Wine is there at its best: a prefix that is ready, a server that runs, and a probe that starts `cmd.exe` by
//! CreateProcess, without a new loader a script. Both sides begin on a machine without the script's key, and print the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use faultlab::host::session::Session;
use faultlab::host::wine::Wine;
use faultlab::host::{Host, Places, State};
use faultlab::progress::Progress;
use faultlab::threads::Threads;
use faultlab_sim::engine::source::Defaults;
use faultlab_sim::scenario::{Loaded, Prepared, Search, Watch, load, run_script, search};
use faultlab_sim::win7::Machine;
use faultlab_sim::win7::program::ScriptSetup;
use faultlab_sim::win7::registry::units;

const SCRIPT: &str = include_str!("work/batch/twenty.bat");
const ONE: &str = include_str!("work/batch/one.bat");
const TWO: &str = include_str!("work/batch/two.bat");
const PRINTS: &str = "C:\\Tools\\go 55\r\n";

/// Turns of each side; the medians are shown.
const TURNS: usize = 7;

fn main() {
    let ours = modelled();
    assert_eq!(ours().1, PRINTS);
    let mut wine = wine();
    if let Some(wine) = &mut wine {
        assert_eq!(under(wine), PRINTS);
    }
    let (mut our_rates, mut wine_rates) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        our_rates.push(rate(Duration::from_millis(500), || drop(ours())));
        if let Some(wine) = &mut wine {
            wine_rates.push(rate(Duration::from_secs(2), || drop(under(wine))));
        }
    }
    let our_rate = median(our_rates);
    println!(
        "a script of {} lines, scripts a second on one core:",
        SCRIPT.lines().count()
    );
    println!("  faultlab {our_rate:.0}");
    match &wine {
        Some(wine) => {
            let rate = median(wine_rates);
            let version = &wine.identity().version;
            println!("  Wine {version} {rate:.1}: {:.0} times", our_rate / rate);
        }
        None => println!("  Wine is not here: sh vm/wine/install.sh"),
    }
    explored();
}

/// One run of the script on a machine of its own: its exit code and output.
fn modelled() -> impl Fn() -> (u32, String) {
    let mut machine = Machine::windows_7();
    let caller = machine
        .caller("admin")
        .expect("an account of every machine");
    let actor = faultlab_sim::win7::files::Actor::new(caller.token());
    let files = &mut machine.files;
    files
        .make_tree(&actor, &units("C:\\lab"))
        .expect("it can be made");
    files
        .write_file(&actor, &units("C:\\lab\\twenty.bat"), &crlf(SCRIPT))
        .expect("it can be written");
    let script = ScriptSetup {
        name: "twenty.bat".into(),
        command: "C:\\lab\\twenty.bat".into(),
        directory: "C:\\lab".into(),
        user: Some("admin".into()),
        ..ScriptSetup::default()
    };
    move || {
        let ran = run_script(&machine, script.clone(), &mut Defaults);
        assert_eq!(ran.unsupported, Vec::<String>::new());
        (ran.exit, ran.stdout)
    }
}

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A session on Wine, with the script in its prefix.
fn wine() -> Option<Wine> {
    let places = Places::default();
    let State::Usable(_) = Host::Wine.state(&places) else {
        return None;
    };
    let wine = Wine::start(&places, &Progress::spinner()).ok()?;
    let folder = wine.prefix().join("drive_c/lab");
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("twenty.bat"), crlf(SCRIPT)).expect("writable");
    Some(wine)
}

fn under(wine: &mut Wine) -> String {
    let request = r#"{"op":"host.run","command":"cmd.exe /c C:\\lab\\twenty.bat","cwd":"C:\\lab"}"#;
    let answer = wine.ask(request).expect("Wine answers");
    let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
    answer["ok"]["stdout"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn rate(span: Duration, mut work: impl FnMut()) -> f64 {
    let (start, mut done) = (Instant::now(), 0);
    while start.elapsed() < span {
        work();
        done += 1;
    }
    f64::from(done) / start.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Two scripts that look for a value and write it, in every order of their steps.
fn explored() {
    let prepared = two();
    let watch = Watch::new(Vec::new());
    let threads = Threads::new(None);
    let mut times = Vec::new();
    let mut basis = String::new();
    for _ in 0..TURNS {
        let start = Instant::now();
        let found = search(
            &prepared,
            &watch,
            &Search::Exhaustive,
            0,
            1_000_000,
            &threads,
        );
        times.push(start.elapsed().as_secs_f64() * 1000.0);
        assert!(found.complete && !found.unsupported);
        basis = found.basis.to_string();
    }
    println!(
        "every order of the steps of two scripts as in 4.2: {basis} in {:.0} ms",
        median(times)
    );
}

fn two() -> Prepared {
    let text = r#"Scenario(version: 1, id: "two", title: "two", story: (said: "", happens: "", why: "", see: ""), world: Windows((
        files: { "C:\\lab\\one.bat": Beside("one.bat"), "C:\\lab\\two.bat": Beside("two.bat") },
        scripts: [
            (name: "one.bat", command: "C:\\lab\\one.bat", directory: "C:\\lab"),
            (name: "two.bat", command: "C:\\lab\\two.bat", directory: "C:\\lab"),
        ],
    )), cases: [(search: Exhaustive)], arms: [(name: "baseline")], claims: [])"#;
    let mut beside = |name: &str| match name {
        "one.bat" => Ok(ONE.to_owned()),
        _ => Ok(TWO.to_owned()),
    };
    let loaded: Loaded = load("two", text, &mut beside).expect("it is right");
    let arm = &loaded.scenario.arms[0];
    loaded
        .prepare(arm, &BTreeMap::new(), &[])
        .expect("it can be prepared")
}
