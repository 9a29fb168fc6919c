//! A Prometheus of our own: Debian's, started on loopback with a temporary folder, asked, and ended.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufWriter, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use faultlab_sim::observe::{Measured, QueryLab};
use faultlab_sim::scenario::{Loaded, World};
use tempfile::TempDir;

use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// The one command that installs it. Debian starts a service with it; what is here needs none.
pub const INSTALL: &str = "apt-get install prometheus";

/// How long it may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// The time between two samples, as a scrape would have it.
const STEP_S: u64 = 15;

/// The program `name` on PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// What it says that it is, if it is installed with its tool.
pub fn version() -> Option<String> {
    on_path("promtool")?;
    let said = Command::new(on_path("prometheus")?)
        .arg("--version")
        .output()
        .ok()?;
    let text =
        String::from_utf8_lossy(&said.stdout).into_owned() + &String::from_utf8_lossy(&said.stderr);
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    (words.len() == 3 && words[1] == "version").then(|| format!("Prometheus {}", words[2]))
}

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: String,
    agent: ureq::Agent,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Prometheus {
    /// Starts one with this configuration, all its files in `folder`, and waits until it answers.
    ///
    /// # Errors
    /// It is not there, or does not begin; what it said.
    pub fn start(folder: &Path, config: &str) -> std::result::Result<Prometheus, String> {
        let program =
            on_path("prometheus").ok_or_else(|| format!("no prometheus on PATH: {INSTALL}"))?;
        let wrong = |error: std::io::Error| error.to_string();
        let (file, log) = (folder.join("prometheus.yml"), folder.join("prometheus.log"));
        fs::write(&file, config).map_err(wrong)?;
        // Somebody else may take the port before it does; then it ends, and another is tried.
        let mut said = String::new();
        for _ in 0..3 {
            let free = TcpListener::bind("127.0.0.1:0").map_err(wrong)?;
            let address = free.local_addr().map_err(wrong)?.to_string();
            drop(free);
            let errors = fs::File::create(&log).map_err(wrong)?;
            let child = Command::new(&program)
                .arg(format!("--config.file={}", file.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    folder.join("data").display()
                ))
                .arg(format!("--web.listen-address={address}"))
                .arg("--log.level=warn")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(errors)
                .spawn()
                .map_err(wrong)?;
            let config = ureq::Agent::config_builder().timeout_global(Some(PATIENCE));
            let mut server = Prometheus {
                child,
                address,
                agent: config.build().into(),
            };
            if server.answers().map_err(wrong)? {
                return Ok(server);
            }
            drop(server);
            said = fs::read_to_string(&log).unwrap_or_default();
        }
        Err(format!("prometheus does not begin: {}", said.trim()))
    }

    /// Whether it comes to answer.
    fn answers(&mut self) -> std::io::Result<bool> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if self.get("/-/ready").is_ok() {
                return Ok(true);
            }
            if self.child.try_wait()?.is_some() {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(false)
    }

    /// What it answers to a GET.
    ///
    /// # Errors
    /// It does not answer, or with a status that is no success.
    pub fn get(&self, path: &str) -> std::result::Result<String, String> {
        let url = format!("http://{}{path}", self.address);
        let mut answer = self
            .agent
            .get(&url)
            .call()
            .map_err(|error| error.to_string())?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(256 << 20)
            .read_to_string();
        body.map_err(|error| error.to_string())
    }

    /// What it answers to a query at an instant: the JSON of `data.result`.
    ///
    /// # Errors
    /// It does not answer, or refuses the query.
    pub fn query(&self, query: &str) -> std::result::Result<serde_json::Value, String> {
        let body = self.get(&format!("/api/v1/query?query={}", escaped(query)))?;
        let mut answer: serde_json::Value =
            serde_json::from_str(&body).map_err(|error| error.to_string())?;
        Ok(answer["data"]["result"].take())
    }
}

/// A text as a part of a query string.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            escaped.push(byte.into());
        } else {
            let written = write!(escaped, "%{byte:02X}");
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        }
    }
    escaped
}

/// Measures what the scenario's worlds ask for and nobody measured yet, if a Prometheus is installed; else leaves
/// them.
///
/// # Errors
/// It is installed, and cannot be asked.
pub fn measure(loaded: &mut Loaded, progress: &Progress) -> Result<()> {
    let arms = loaded
        .scenario
        .arms
        .iter_mut()
        .filter_map(|arm| arm.world.as_mut());
    let worlds = arms.chain([&mut loaded.scenario.world]);
    let labs = worlds.filter_map(|world| match world {
        World::Prometheus(lab) if lab.measured.is_none() => Some(lab),
        _ => None,
    });
    let mut labs = labs.peekable();
    if labs.peek().is_none() {
        return Ok(());
    }
    let Some(version) = version() else {
        return Ok(());
    };
    for lab in labs {
        progress.say(&format!("asking {version} with {} series", lab.series));
        let latencies_us = latencies(lab).map_err(|why| {
            Failure::bad_input(format!("{version} cannot be asked: {why}"))
                .help("without one on PATH nothing is decided, and nothing fails")
        })?;
        lab.measured = Some(Measured {
            server: version.clone(),
            latencies_us,
        });
    }
    Ok(())
}

/// How long each answer took, in us.
fn latencies(lab: &QueryLab) -> std::result::Result<Vec<u64>, String> {
    lab.check()?;
    let wrong = |error: std::io::Error| error.to_string();
    let folder = TempDir::new().map_err(wrong)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_err(|error| error.to_string())?.as_secs();
    let (end, begin) = (now, now - u64::from(lab.minutes) * 60);
    fill(folder.path(), lab.series, begin, end)?;
    let server = Prometheus::start(folder.path(), "")?;
    let middle = begin + (end - begin) / 2;
    let path = format!(
        "/api/v1/query_range?query={}&start={middle}&end={end}&step={STEP_S}",
        escaped(&lab.query)
    );
    let once = || {
        let began = Instant::now();
        let body = server.get(&path)?;
        let took = began.elapsed().as_micros();
        match body.starts_with("{\"status\":\"success\"") && body.contains("\"values\"") {
            true => Ok(u64::try_from(took).unwrap_or(u64::MAX)),
            false => Err(format!("it answers {}", &body[..body.len().min(200)])),
        }
    };
    // The first reads what nobody has read before.
    once()?;
    (0..lab.times).map(|_| once()).collect()
}

/// Puts samples of so many series below `folder`, as a node's exporter would have had them.
fn fill(folder: &Path, series: u32, begin: u64, end: u64) -> std::result::Result<(), String> {
    const SIGNALS: u32 = 16;
    let wrong = |error: std::io::Error| error.to_string();
    let samples = folder.join("samples.txt");
    let mut out = BufWriter::new(fs::File::create(&samples).map_err(wrong)?);
    let mut text = || -> std::io::Result<()> {
        writeln!(out, "# TYPE faultlab_observed_events counter")?;
        for number in 0..series {
            let (node, signal) = (number / SIGNALS, number % SIGNALS);
            for at in (begin..end).step_by(STEP_S as usize) {
                let value = (at - begin) * u64::from(number % 97 + 1);
                writeln!(
                    out,
                    "faultlab_observed_events_total{{node=\"{node}\",signal=\"{signal}\"}} {value} {at}"
                )?;
            }
        }
        writeln!(out, "# EOF")?;
        out.flush()
    };
    text().map_err(wrong)?;
    let tool = on_path("promtool").ok_or_else(|| format!("no promtool on PATH: {INSTALL}"))?;
    let done = Command::new(tool)
        .args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"])
        .arg(&samples)
        .arg(folder.join("data"))
        .output()
        .map_err(wrong)?;
    match done.status.success() {
        true => fs::remove_file(&samples).map_err(wrong),
        false => Err(String::from_utf8_lossy(&done.stderr).trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_escaped_byte_by_byte() {
        assert_eq!(escaped("a{b=\"ü\"}"), "a%7Bb%3D%22%C3%BC%22%7D");
    }
}
