//! A headless Chromium, driven through WebDriver (W3C) by way of Debian's chromedriver on the loopback.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A Chromium, and the driver that holds it.
pub struct Browser {
    driver: Child,
    port: u16,
    /// The path of its session: what follows is one of its commands.
    pub session: String,
    _profile: TempDir,
}

impl Browser {
    /// Starts one with more arguments; none if there is none here, which is said.
    pub fn start(more: &[&str]) -> Option<Browser> {
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
                // A page of all scenarios has some fifty runs, and the machine may be busy.
                "timeouts": {"script": 110_000},
                "goog:chromeOptions": {"args": args},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }}}),
        );
        let session = begun["sessionId"].as_str().expect("a session");
        browser.session = format!("/session/{session}");
        Some(browser)
    }

    /// One request of the WebDriver protocol (W3C), and its answer's value.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.send(method, path, body);
        let value = value.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert!(value["error"].is_null(), "{method} {path}: {value:#}");
        value
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> io::Result<Value> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.port,
            body.len()
        )?;
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut bytes = vec![0; length];
        answer.read_exact(&mut bytes)?;
        let answer: Value = serde_json::from_slice(&bytes)?;
        Ok(answer["value"].clone())
    }

    /// Opens a page, and waits until it has loaded.
    pub fn open(&self, page: &Path) {
        let url = format!("file://{}", page.display());
        self.ask(
            "POST",
            &format!("{}/url", self.session),
            &json!({ "url": url }),
        );
    }

    /// Runs a script in the page, which may `await`, and gives what it returns.
    pub fn run(&self, script: &str) -> Value {
        let path = format!("{}/execute/sync", self.session);
        let script = format!("return (async () => {{ {script} }})()");
        self.ask("POST", &path, &json!({"script": script, "args": []}))
    }

    /// What a screen reader is told of the page: each node's role and name.
    pub fn accessible(&self) -> Vec<(String, String)> {
        let path = format!("{}/goog/cdp/execute", self.session);
        let asked = json!({"cmd": "Accessibility.getFullAXTree", "params": {}});
        let tree = self.ask("POST", &path, &asked);
        let text = |node: &Value, field: &str| {
            let text = node[field]["value"].as_str();
            text.unwrap_or_default().to_owned()
        };
        let nodes = tree["nodes"].as_array().expect("a list");
        let told = nodes.iter().filter(|node| node["ignored"] != true);
        told.map(|node| (text(node, "role"), text(node, "name")))
            .collect()
    }

    fn log(&self, kind: &str) -> Vec<Value> {
        let path = format!("{}/se/log", self.session);
        let entries = self.ask("POST", &path, &json!({"type": kind}));
        entries.as_array().expect("a log is a list").clone()
    }

    /// Nothing was asked of the network since the last look, and no error or warning was met.
    pub fn assert_quiet(&self, page: &Path) {
        let said = self.log("browser");
        assert!(said.is_empty(), "{}: {said:#?}", page.display());
        for entry in self.log("performance") {
            let entry = entry["message"].as_str().expect("a text");
            let entry: Value = serde_json::from_str(entry).expect("an event is JSON");
            let message = &entry["message"];
            // The tab that a browser begins with has an origin of its own.
            let of_page = message["params"]["documentURL"].as_str();
            let is_ours = of_page.is_some_and(|url| url.starts_with("file://"));
            if is_ours && message["method"] == "Network.requestWillBeSent" {
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
        // Ending the session ends the browser; the driver alone would leave it behind.
        let _ = self.send("DELETE", &self.session, &json!({}));
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
