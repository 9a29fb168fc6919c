//! The model of TCP against recordings of real kernels, for many boot phases of the kernel's clock: see
//! `tests/vectors/tcp/README.md`.

use std::path::Path;

use faultlab::probe::Session;
use serde_json::{Map, Value, json};

const KINDS: [&str; 7] = [
    "inet_sock_set_state",
    "tcp_retransmit_skb",
    "tcp_retransmit_synack",
    "tcp_send_reset",
    "tcp_receive_reset",
    "tcp_destroy_sock",
    "app",
];

/// What an expected event says that is no field of a record.
const ABOUT: [&str; 5] = ["t_ms", "t_ms_min", "t_ms_max", "tie", "sport0"];

/// So many phases of the clock each case is played for.
const PHASES: u64 = 64;

struct Case {
    name: String,
    lines: Vec<Value>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/tcp");
    let files = std::fs::read_dir(folder).expect("the vectors are part of the project");
    let mut paths: Vec<_> = files
        .map(|file| file.expect("it is listed").path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind == "jsonl"));
    paths.sort();
    let read = |path: &std::path::PathBuf| Case {
        name: path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned(),
        lines: std::fs::read_to_string(path)
            .expect("a vector can be read")
            .lines()
            .map(|line| serde_json::from_str(line).expect("a vector is JSON"))
            .collect(),
    };
    paths.iter().map(read).collect()
}

fn ask(session: &mut Session, request: &Value) -> Value {
    let mut answer = Vec::new();
    session.answer(request.to_string().as_bytes(), &mut answer);
    serde_json::from_slice(&answer).expect("an answer is JSON")
}

/// An event of the answer, its time in ms after the first.
struct Found {
    at_ms: f64,
    fields: Map<String, Value>,
}

fn found(answer: &Value) -> Vec<Found> {
    let events = answer["ok"]["events"]
        .as_array()
        .expect("events are listed");
    let is_compared = |event: &&Value| KINDS.contains(&event["event"].as_str().unwrap_or_default());
    let ns = |event: &Value| event["t_ns"].as_u64().expect("an event has a time");
    let events: Vec<&Value> = events.iter().filter(is_compared).collect();
    let first = events.first().map_or(0, |event| ns(event));
    let of = |event: &&Value| Found {
        at_ms: (ns(event) - first) as f64 / 1e6,
        fields: event.as_object().expect("an event is an object").clone(),
    };
    events.iter().map(of).collect()
}

/// Events of one sequence keep their order even within a tie.
fn sequence(event: &Map<String, Value>) -> (String, String, bool) {
    let text = |name: &str| event.get(name).unwrap_or(&Value::Null).to_string();
    (
        text("host"),
        text("conn"),
        event.get("event") == Some(&json!("app")),
    )
}

fn range(wanted: &Map<String, Value>) -> (f64, f64) {
    let of = |name: &str| {
        let at = wanted.get(name).or(wanted.get("t_ms"));
        at.and_then(Value::as_f64).expect("an event has a time")
    };
    (of("t_ms_min"), of("t_ms_max"))
}

fn compare_one(wanted: &Map<String, Value>, found: &Found, tolerance_ms: f64) -> Option<String> {
    for (name, value) in wanted {
        let is_field = !ABOUT.contains(&name.as_str());
        if is_field && found.fields.get(name).unwrap_or(&Value::Null) != value {
            return Some(format!("{name} is {:?}", found.fields.get(name)));
        }
    }
    if wanted.get("sport0") == Some(&json!(true)) && found.fields["sport"] != json!(0) {
        return Some(format!("sport is {}", found.fields["sport"]));
    }
    let (low, high) = range(wanted);
    let fits = (low - tolerance_ms..=high + tolerance_ms).contains(&found.at_ms);
    (!fits).then(|| format!("it came at {} ms", found.at_ms))
}

/// The first difference.
fn compare(wanted: &[Value], found: &[Found], tolerance_ms: f64) -> Option<String> {
    let wanted: Vec<&Map<String, Value>> = wanted.iter().filter_map(Value::as_object).collect();
    let mut at = 0;
    while at < wanted.len() {
        let tie = wanted[at].get("tie").filter(|tie| !tie.is_null());
        let mut end = at + 1;
        while tie.is_some() && end < wanted.len() && wanted[end].get("tie") == tie {
            end += 1;
        }
        let mut part: Vec<&Found> = found.iter().take(end).skip(at).collect();
        for wanted in &wanted[at..end] {
            let same = part
                .iter()
                .position(|found| sequence(&found.fields) == sequence(wanted));
            let Some(same) = same else {
                return Some(format!("event {}: wanted {wanted:?}, found none", at + 1));
            };
            if let Some(why) = compare_one(wanted, part.remove(same), tolerance_ms) {
                return Some(format!("event {} of {wanted:?}: {why}", at + 1));
            }
        }
        at = end;
    }
    let extra = found.get(wanted.len())?;
    Some(format!(
        "not expected at {} ms: {:?}",
        extra.at_ms, extra.fields
    ))
}

/// Plays a case; whether it had to run on beyond its recording.
fn play(case: &Case, session: &mut Session) -> Result<bool, String> {
    let mut ended_ms = 0.0;
    for line in &case.lines {
        let request = &line["request"];
        let expect = &line["expect"];
        if request["op"] == "events" && expect["ok"]["events"].is_null() {
            continue;
        }
        let answer = ask(session, request);
        match request["op"].as_str().unwrap_or_default() {
            _ if answer.get("ok").is_none() => return Err(format!("{request}: {answer}")),
            "clock.run" => ended_ms += request["ms"].as_f64().unwrap_or_default(),
            "sockets" => {
                let counts = expect["ok"].as_object().into_iter().flatten();
                for (state, count) in counts {
                    let found = answer["ok"].get(state).unwrap_or(&json!(0)).clone();
                    if found != *count {
                        return Err(format!("{request}: {state}: wanted {count}, found {found}"));
                    }
                }
            }
            "events" => {
                let wanted = expect["ok"]["events"]
                    .as_array()
                    .expect("events are listed");
                let tolerance_ms = expect["tol_ms"].as_f64().unwrap_or_default();
                let mut events = found(&answer);
                let latest = wanted
                    .iter()
                    .filter_map(Value::as_object)
                    .map(|e| range(e).1);
                let latest = latest.fold(0.0, f64::max);
                let runs_on = events.len() < wanted.len() && latest > ended_ms;
                if runs_on {
                    let more = json!({"op": "clock.run", "ms": (latest - ended_ms) as u64 + 1});
                    ask(session, &more);
                    events = found(&ask(session, request));
                    events.truncate(wanted.len());
                }
                if let Some(why) = compare(wanted, &events, tolerance_ms) {
                    return Err(why);
                }
                return Ok(runs_on);
            }
            _ => {}
        }
    }
    Ok(false)
}

#[test]
fn the_model_shows_what_kernels_show_whatever_the_phase_of_their_clock() {
    let cases = cases();
    assert!(cases.len() >= 47, "{} cases", cases.len());
    let mut wrong = Vec::new();
    let mut run_on = 0;
    for seed in 0..PHASES {
        let mut session = Session::seeded(Some(seed));
        for case in &cases {
            match play(case, &mut session) {
                Ok(ran_on) => run_on += u32::from(ran_on),
                Err(why) => wrong.push(format!("{}, seed {seed}: {why}", case.name)),
            }
        }
    }
    println!(
        "{} cases, {PHASES} phases, {} differ; {run_on} of the runs went on beyond the recording",
        cases.len(),
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The default phase is one in which nothing is late by more than its recording: no run goes on.
#[test]
fn the_probe_s_own_phase_stays_within_the_recordings() {
    let mut session = Session::new();
    for case in cases() {
        for line in &case.lines {
            let answer = ask(&mut session, &line["request"]);
            let Some(wanted) = line["expect"]["ok"]["events"].as_array() else {
                continue;
            };
            let tolerance_ms = line["expect"]["tol_ms"].as_f64().unwrap_or_default();
            let difference = compare(wanted, &found(&answer), tolerance_ms);
            assert_eq!(difference, None, "{}", case.name);
        }
    }
}
