//! A real Go for Windows on the host: built from Debian's sources, and asked what the models of Go are asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

use super::win32_probe::{cache, unusable};

/// The command that installs the sources and the compiler that builds them.
pub const INSTALL: &str = "apt-get install --no-install-recommends golang-1.19-go golang-1.19-src";

/// Where the tree lies on the machine: not where Go is usually installed, so that questions about those
/// places begin without one.
const TREE: &str = "C:\\faultlab-go";

/// What `go.exe` has built in, as that of an official package.
const BAKED: &str = "c:\\go";

/// Prints how module paths and versions are spelled as files.
const ESCAPE: &str = r#"package main

import (
	"fmt"
	"os"

	"golang.org/x/mod/module"
)

func main() {
	escape := module.EscapePath
	if os.Args[1] == "version" {
		escape = module.EscapeVersion
	}
	escaped, err := escape(os.Args[2])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Print(escaped)
}
"#;

/// A Go for Windows in a prefix.
pub struct Go {
    /// The prefix's drive C.
    drive: PathBuf,
    version: String,
    /// How many sources were checked: each has a folder of its own.
    checked: usize,
}

/// Sends a line to the probe.
type Ask<'a> = &'a mut dyn FnMut(&str) -> Result<String>;

impl Go {
    /// Puts a tree into a prefix: built, if it is not in the cache.
    ///
    /// # Errors
    /// There are no sources, or they do not build.
    pub fn put_into(prefix: &Path, progress: &Progress) -> Result<Go> {
        let (tree, version) = build(progress)?;
        let drive = prefix.join("drive_c");
        let place = drive.join(TREE.trim_start_matches("C:\\"));
        std::os::unix::fs::symlink(&tree, &place).map_err(|error| unusable(&place, &error))?;
        Ok(Go {
            drive,
            version,
            checked: 0,
        })
    }

    /// The answer to a question about Go; none if it is about something else.
    pub(super) fn answer(&mut self, line: &str, ask: Ask<'_>) -> Option<Result<String>> {
        let request: Value = serde_json::from_str(line).ok()?;
        let op = request.get("op")?.as_str()?;
        let answer = match op {
            "go.find_goroot" => self.find_goroot(&request, ask),
            "go.escape" => escape(&request, ask),
            "go.check_source" => self.check_source(&request, ask),
            _ => return None,
        };
        let id = request.get("id").cloned().unwrap_or(Value::Null);
        Some(answer.map(|mut answer| {
            answer["id"] = id;
            answer.to_string()
        }))
    }

    fn is_other_version(&self, request: &Value) -> Option<Value> {
        let wanted = request.get("version").and_then(Value::as_str)?;
        (wanted != self.version).then(|| unsupported(&format!("this Go is {}", self.version)))
    }

    fn find_goroot(&self, request: &Value, ask: Ask<'_>) -> Result<Value> {
        if let Some(answer) = self.is_other_version(request) {
            return Ok(answer);
        }
        let text = |field: &str| {
            request
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if text("baked") != BAKED {
            return Ok(unsupported(&format!("this go.exe has {BAKED} built in")));
        }
        if !text("exe_target").is_empty() {
            return Ok(unsupported("Wine has no symbolic links"));
        }
        let trees = request.get("has_pkg_tool").and_then(Value::as_array);
        let trees = trees.into_iter().flatten().filter_map(Value::as_str);
        let mut made = Vec::new();
        let mut all: Vec<String> = trees.map(|tree| format!("{tree}\\pkg\\tool")).collect();
        let exe = text("exe");
        let folder = exe.rsplit_once('\\').map_or("", |(folder, _)| folder);
        all.push(folder.into());
        for path in &all {
            let Some(path) = self.unix(path) else {
                return Ok(unsupported("a place that is not on drive C"));
            };
            make_folders(&path, &mut made).map_err(|error| unusable(&path, &error))?;
        }
        let copy = self.unix(exe).expect("its folder is on drive C");
        let source = self.drive.join("faultlab-go/bin/go.exe");
        fs::copy(&source, &copy).map_err(|error| unusable(&copy, &error))?;
        made.push(copy);
        let env = json!({ "GOROOT": text("env_goroot"), "GOENV": "off", "GOFLAGS": "" });
        // From where no relative path leads to a tree.
        let elsewhere = "C:\\windows\\temp";
        let answer = run(&format!("\"{exe}\" env GOROOT"), elsewhere, &env, ask);
        for path in made.iter().rev() {
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
        let ran = match answer? {
            Ok(ran) => ran,
            Err(answer) => return Ok(answer),
        };
        Ok(match ran.exit {
            0 => json!({ "ok": { "goroot": ran.stdout.trim_end() } }),
            _ => json!({ "err": { "message": ran.stderr.trim_end() } }),
        })
    }

    fn check_source(&mut self, request: &Value, ask: Ask<'_>) -> Result<Value> {
        if let Some(answer) = self.is_other_version(request) {
            return Ok(answer);
        }
        let hex = request
            .get("bytes")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let pairs = hex.as_bytes().chunks(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let Some(bytes) = bytes else {
            return Ok(json!({ "bad_request": "\"bytes\" is bytes in hexadecimal" }));
        };
        self.checked += 1;
        let folder = format!("faultlab-source\\{}", self.checked);
        let path = self.drive.join(folder.replace('\\', "/"));
        let write = |name: &str, bytes: &[u8]| {
            let file = path.join(name);
            fs::write(&file, bytes).map_err(|error| unusable(&file, &error))
        };
        fs::create_dir_all(&path).map_err(|error| unusable(&path, &error))?;
        write("go.mod", b"module lab\n\ngo 1.19\n")?;
        write("main.go", &bytes)?;
        let env = json!({
            "GOROOT": TREE, "GOENV": "off", "GOFLAGS": "", "GOPROXY": "off", "CGO_ENABLED": "0",
            "GOCACHE": "C:\\faultlab-cache", "GOPATH": "C:\\faultlab-path",
        });
        let command = format!("{TREE}\\bin\\go.exe run main.go");
        let ran = match run(&command, &format!("C:\\{folder}"), &env, ask)? {
            Ok(ran) => ran,
            Err(answer) => return Ok(answer),
        };
        let mut lines = ran.stderr.lines();
        let message = lines.find(|line| !line.starts_with("# "));
        // What a program that runs prints is its own affair.
        let message = message.filter(|_| ran.exit != 0).map(str::trim_end);
        Ok(json!({ "ok": { "exit": ran.exit, "message": message } }))
    }

    /// Where a path of drive C lies, in the spelling of folders that are there.
    fn unix(&self, path: &str) -> Option<PathBuf> {
        let rest = path
            .strip_prefix("C:\\")
            .or_else(|| path.strip_prefix("c:\\"))?;
        let mut place = self.drive.clone();
        for name in rest.split('\\').filter(|name| !name.is_empty()) {
            let there = fs::read_dir(&place).into_iter().flatten().flatten();
            let mut names = there.map(|entry| entry.file_name());
            let spelled = names.find(|other| {
                let other = other.to_string_lossy();
                other.to_lowercase() == name.to_lowercase()
            });
            place.push(spelled.unwrap_or_else(|| name.into()));
        }
        Some(place)
    }
}

fn escape(request: &Value, ask: Ask<'_>) -> Result<Value> {
    let text = |field: &str| request.get(field).and_then(Value::as_str);
    let (kind, text) = match (text("path"), text("version")) {
        (Some(path), None) => ("path", path),
        (None, Some(version)) => ("version", version),
        _ => return Ok(json!({ "bad_request": "\"path\" or \"version\", one of them" })),
    };
    if text.is_empty() || text.contains(['"', '\\', '\n']) {
        return Ok(unsupported(
            "a text that does not pass through a command line",
        ));
    }
    let command = format!("{TREE}\\bin\\faultlab-escape.exe {kind} \"{text}\"");
    Ok(match run(&command, "C:\\", &json!({}), ask)? {
        Ok(ran) if ran.exit == 0 => json!({ "ok": { "escaped": ran.stdout } }),
        Ok(ran) => json!({ "err": { "message": ran.stdout.trim_end() } }),
        Err(answer) => answer,
    })
}

fn unsupported(what: &str) -> Value {
    json!({ "unsupported": what })
}

struct Ran {
    exit: u64,
    stdout: String,
    stderr: String,
}

/// Runs a command line on the machine; or the answer that there is instead.
fn run(
    command: &str,
    directory: &str,
    env: &Value,
    ask: Ask<'_>,
) -> Result<std::result::Result<Ran, Value>> {
    let request = json!({ "op": "host.run", "command": command, "cwd": directory, "env": env });
    let answer = ask(&request.to_string())?;
    let answer: Value = serde_json::from_str(&answer).unwrap_or(Value::Null);
    let Some(ok) = answer.get("ok") else {
        return Ok(Err(answer));
    };
    let text = |field: &str| ok[field].as_str().unwrap_or_default().to_owned();
    Ok(Ok(Ran {
        exit: ok["exit"].as_u64().unwrap_or_default(),
        stdout: text("stdout"),
        stderr: text("stderr"),
    }))
}

fn make_folders(path: &Path, made: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_folders(above, made)?;
    }
    fs::create_dir(path)?;
    made.push(path.to_owned());
    Ok(())
}

/// The tree, and its version: from the cache, or built now.
fn build(progress: &Progress) -> Result<(PathBuf, String)> {
    let missing = || {
        Failure::new(
            Exit::NoHost,
            "there are no sources of Go 1.19 in /usr/lib/go-1.19",
        )
        .help(format!("install them: {INSTALL}"))
    };
    let root = Path::new("/usr/lib/go-1.19");
    let version = fs::read_to_string(root.join("VERSION")).map_err(|_| missing())?;
    let version = version.trim().trim_start_matches("go").to_owned();
    if !root.join("src/cmd/go").exists() {
        return Err(missing());
    }
    let cache = cache()?;
    let hash = faultlab_sim::engine::text_hash(&format!("{ESCAPE}{BAKED}"));
    let tree = cache.join(format!("go-windows-{version}-{hash:016x}"));
    if tree.exists() {
        return Ok((tree, version));
    }
    progress.say("building Go for Windows (once, some minutes)");
    let folder = tempfile::tempdir_in(&cache).map_err(|error| unusable(&cache, &error))?;
    let work = folder.path().join("go");
    let step = |command: &mut Command| -> Result<()> {
        let output = command
            .output()
            .map_err(|error| unusable(Path::new(command.get_program()), &error))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("Go for Windows does not build: {command:?}\n{said}");
        Err(Failure::new(Exit::NoHost, what))
    };
    step(Command::new("cp").args(["-rL"]).arg(root).arg(&work))?;
    let helper = work.join("src/cmd/faultlab-escape");
    fs::create_dir_all(&helper)
        .and_then(|()| fs::write(helper.join("main.go"), ESCAPE))
        .map_err(|error| unusable(&helper, &error))?;
    let go = |final_root: Option<&str>| {
        let mut command = Command::new(work.join("bin/go"));
        command
            .env("GOROOT", &work)
            .env("GOOS", "windows")
            .env("GOARCH", "amd64")
            .env("CGO_ENABLED", "0")
            .env("GOENV", "off")
            .env("GOFLAGS", "")
            .env("GO111MODULE", "on")
            .env("GOCACHE", folder.path().join("cache"))
            .current_dir(work.join("src"));
        if let Some(root) = final_root {
            command.env("GOROOT_FINAL", root);
        }
        command
    };
    step(go(None).args(["install", "std", "cmd"]))?;
    let bin = work.join("bin");
    let built = bin.join("windows_amd64");
    step(
        go(Some(BAKED))
            .args(["build", "-o"])
            .arg(bin.join("go.exe"))
            .arg("cmd/go"),
    )?;
    // Other commands than go and gofmt are installed among the tools.
    let tools = work.join("pkg/tool/windows_amd64");
    for (name, from) in [("gofmt.exe", &built), ("faultlab-escape.exe", &tools)] {
        let (from, to) = (from.join(name), bin.join(name));
        fs::rename(&from, &to).map_err(|error| unusable(&from, &error))?;
    }
    match fs::rename(&work, &tree) {
        Err(error) if !tree.exists() => Err(unusable(&tree, &error)),
        _ => Ok((tree, version)),
    }
}
