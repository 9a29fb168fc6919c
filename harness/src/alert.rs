//! Delivering alerts: rules in a file, lines of JSON to files and webhooks, and nothing lost on the way.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use faultlab_sim::observe::{Alert, AlertRule, Condition, Target};
use faultlab_sim::scenario::{Mistake, parse};
use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::ron_file;

/// The version of the format of rules, and of what is sent.
const VERSION: u32 = 1;

/// A file of rules.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    version: u32,
    /// Where an alert goes that could not be delivered; none: to standard error.
    #[serde(default)]
    fallback: Option<PathBuf>,
    /// How long a webhook may take to answer, in ms.
    #[serde(default = "five_seconds")]
    timeout_ms: u64,
    /// When to tell whom.
    pub rules: Vec<AlertRule>,
}

fn five_seconds() -> u64 {
    5_000
}

impl Rules {
    /// Reads a file of rules.
    ///
    /// # Errors
    /// It cannot be read, or the first mistake in it, with its place.
    pub fn read(path: &Path) -> Result<Rules> {
        let help = "`faultlab serve --help` shows a file of rules";
        ron_file::read(path, help, |file, text| {
            let rules: Rules = parse(file, text)?;
            let refuse = |at: &str, what: String| Mistake::at_value(file, text, at, what);
            rules.check(&refuse)?;
            Ok(rules)
        })
    }

    /// Whether it makes sense; `refuse` is given the value that does not, and why.
    fn check(&self, refuse: &dyn Fn(&str, String) -> Mistake) -> std::result::Result<(), Mistake> {
        if self.version != VERSION {
            let what = format!("this is version {} of the format of rules", self.version);
            return Err(
                refuse("version", what).help(format!("this program reads version {VERSION}"))
            );
        }
        if !(1..=60_000).contains(&self.timeout_ms) {
            return Err(refuse("timeout_ms", "timeout_ms is from 1 to 60000".into()));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            let (at, name) = (format!("rules[{index}]"), &rule.name);
            let others = &self.rules[..index];
            if others.iter().any(|other| other.name == *name) {
                let what = format!("two rules are called {name:?}");
                return Err(refuse(&format!("{at}.name"), what));
            }
            rule.check()
                .map_err(|error| refuse(&format!("{at}.name"), error.to_string()))?;
            for (nth, target) in rule.to.iter().enumerate() {
                let what = match target {
                    Target::File(path) if path.is_empty() => "a file has a name",
                    Target::Webhook(url) if url.starts_with("https://") => {
                        "https is not built in: send to a relay on this machine, by http"
                    }
                    Target::Webhook(url) if !is_http(url) => {
                        "a webhook is written http://HOST[:PORT]/PATH"
                    }
                    _ => continue,
                };
                let what = format!("rule {name:?}: {what}");
                return Err(refuse(&format!("{at}.to[{nth}]"), what));
            }
        }
        Ok(())
    }
}

fn is_http(url: &str) -> bool {
    url.parse::<ureq::http::Uri>().is_ok_and(|uri| {
        uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty())
    })
}

/// What is sent: one JSON object.
#[derive(Serialize)]
struct Message<'a> {
    faultlab_alert: u32,
    rule: &'a str,
    observer: &'a str,
    at_ms: u64,
    when: String,
    value: u64,
    observer_signals: BTreeMap<&'static str, u64>,
    dump: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    signal: &'static str,
    key: String,
    count: u64,
}

fn message(rule: &AlertRule, alert: &Alert) -> String {
    let when = match rule.when {
        Condition::Own {
            signal,
            least,
            within_s,
        } => match signal.is_level() {
            true => format!("{} is at least {least}", signal.name()),
            false => format!("{} grows by {least} within {within_s} s", signal.name()),
        },
        Condition::Calls(trouble) => format!("the detector calls {trouble}"),
    };
    let row = |row: &faultlab_sim::observe::DumpRow| Row {
        signal: row.signal.name(),
        key: format!("{:016x}{:016x}", row.key[0], row.key[1]),
        count: row.count,
    };
    let message = Message {
        faultlab_alert: VERSION,
        rule: &rule.name,
        observer: &alert.observer,
        at_ms: alert.at.0 / 1_000_000,
        when,
        value: alert.value,
        observer_signals: alert
            .own
            .iter()
            .map(|(signal, value)| (signal.name(), *value))
            .collect(),
        dump: alert.dump.iter().map(row).collect(),
    };
    serde_json::to_string(&message).expect("a message is made of plain values")
}

/// What became of alerts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Delivered {
    /// How many deliveries were to be made.
    pub due: u64,
    /// How many came where they were to.
    pub done: u64,
    /// How many went to the fallback instead.
    pub fell_back: u64,
}

/// Someone who delivers, beside whoever makes alerts: a slow webhook holds nobody up.
#[derive(Debug)]
pub struct Courier {
    letters: Option<Sender<(Target, String)>>,
    worker: Option<JoinHandle<Delivered>>,
}

/// After so many failures in a row a webhook is left alone for a while.
const PATIENCE: u32 = 3;
/// For so long.
const LEFT_ALONE: Duration = Duration::from_secs(30);
/// The pause before a delivery is tried once more.
const PAUSE: Duration = Duration::from_millis(200);

impl Courier {
    /// Begins.
    pub fn start(rules: &Rules) -> Courier {
        let (letters, received) = mpsc::channel();
        let mut round = Round {
            agent: ureq::Agent::config_builder()
                .timeout_global(Some(Duration::from_millis(rules.timeout_ms)))
                .build()
                .into(),
            fallback: rules.fallback.clone(),
            failing: BTreeMap::new(),
            delivered: Delivered::default(),
        };
        let worker = thread::spawn(move || {
            round.deliver_all(&received);
            round.delivered
        });
        Courier {
            letters: Some(letters),
            worker: Some(worker),
        }
    }

    /// Takes an alert over, for everyone whom the rule names.
    pub fn take(&self, rule: &AlertRule, alert: &Alert) {
        let message = message(rule, alert);
        for target in &rule.to {
            let letters = self.letters.as_ref().expect("it was not finished yet");
            let sent = letters.send((target.clone(), message.clone()));
            sent.expect("the courier goes on while there are letters");
        }
    }

    /// Waits until all is delivered or has failed: two time-outs for each webhook, and a few more.
    pub fn finish(mut self) -> Delivered {
        drop(self.letters.take());
        let worker = self.worker.take().expect("it is finished once");
        worker
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// The courier's round.
struct Round {
    agent: ureq::Agent,
    fallback: Option<PathBuf>,
    /// Of webhooks that fail: how often in a row, and when last.
    failing: BTreeMap<String, (u32, Instant)>,
    delivered: Delivered,
}

impl Round {
    fn deliver_all(&mut self, letters: &Receiver<(Target, String)>) {
        for (target, message) in letters {
            self.delivered.due += 1;
            let (to, delivered) = match &target {
                Target::File(path) => (
                    path,
                    append(Path::new(path), &message).map_err(|e| e.to_string()),
                ),
                Target::Webhook(url) => (url, self.post(url, &message)),
            };
            match delivered {
                Ok(()) => self.delivered.done += 1,
                Err(why) => self.fall_back(to, &why, &message),
            }
        }
    }

    fn post(&mut self, url: &str, message: &str) -> std::result::Result<(), String> {
        if let Some((times, last)) = self.failing.get(url)
            && *times >= PATIENCE
            && last.elapsed() < LEFT_ALONE
        {
            return Err(format!(
                "it failed {times} times in a row, and is left alone for a while"
            ));
        }
        let once = || {
            let request = self
                .agent
                .post(url)
                .header("content-type", "application/json");
            request
                .send(message)
                .map(drop)
                .map_err(|error| error.to_string())
        };
        let sent = once().or_else(|_| {
            thread::sleep(PAUSE);
            once()
        });
        match sent {
            Ok(()) => drop(self.failing.remove(url)),
            Err(_) => {
                let (times, last) = self
                    .failing
                    .entry(url.into())
                    .or_insert((0, Instant::now()));
                *times += 1;
                *last = Instant::now();
            }
        }
        sent
    }

    /// Says that something was not delivered, and keeps it.
    fn fall_back(&mut self, to: &str, why: &str, message: &str) {
        self.delivered.fell_back += 1;
        let kept = self
            .fallback
            .as_deref()
            .map(|path| (path, append(path, message)));
        match kept {
            Some((path, Ok(()))) => {
                eprintln!(
                    "alert not delivered to {to}: {why}; it is in {}",
                    path.display()
                );
            }
            Some((path, Err(error))) => eprintln!(
                "alert not delivered to {to}: {why}; nor could {} be written: {error}; it is: {message}",
                path.display()
            ),
            None => eprintln!("alert not delivered to {to}: {why}; it is: {message}"),
        }
    }
}

/// Adds a line to a file, all of it or an error.
fn append(path: &Path, line: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{line}\n").as_bytes())?;
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_an_http_url() {
        assert!(is_http("http://127.0.0.1:9/hook"));
        for bad in ["", "http://", "ftp://a/", "127.0.0.1:80", "http:///x"] {
            assert!(!is_http(bad), "{bad}");
        }
    }
}
