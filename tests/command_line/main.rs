//! The command line, from outside: every command, every exit code, and that no input makes it panic.

mod bad_input;
mod base;
mod batch;
mod bench;
mod day;
mod detect;
mod explore;
mod lesson;
mod look;
mod replay;
mod run;
mod sweep;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A scenario of our own, so that the shipped ones may change.
const TWO_WRITERS: &str = include_str!("two-writers.ron");

/// A folder to run the binary in, with `two-writers.ron` in it.
struct Lab {
    folder: TempDir,
}

/// What a run of the binary came to.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Lab {
    fn new() -> Lab {
        let lab = Lab {
            folder: tempfile::tempdir().expect("a temporary folder"),
        };
        lab.write("two-writers.ron", TWO_WRITERS);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("writable");
        fs::write(path, text).expect("writable");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The names of all that lies in the folder.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("readable");
        let names = entries.map(|entry| entry.expect("readable").file_name());
        let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into()).collect();
        names.sort();
        names
    }

    /// The scenario with `from` replaced by `to`, as another file.
    fn variant(&self, name: &str, from: &str, to: &str) {
        assert!(TWO_WRITERS.contains(from), "{from}");
        self.write(name, &TWO_WRITERS.replace(from, to));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_faultlab"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&mut self.command(args))
    }
}

impl Ran {
    fn of(command: &mut Command) -> Ran {
        let output = command.output().expect("the binary starts");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let ran = Ran {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!ran.stderr.contains("internal error: "), "{ran:?}");
        ran
    }

    /// Standard output, after an exit with `code`.
    #[track_caller]
    fn exits(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Standard error as one line of words, after an exit with `code` that printed nothing else.
    #[track_caller]
    fn refuses(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "");
        let words: Vec<&str> = self
            .stderr
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect();
        words.join(" ")
    }
}

/// `text` without what may change when a model does.
fn without_hashes(text: &str) -> String {
    let is_digit = |c: char| c.is_ascii_hexdigit();
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_digit) {
        out += &rest[..at];
        let tail = &rest[at..];
        let len = tail.find(|c| !is_digit(c)).unwrap_or(tail.len());
        out += if len == 32 { "<hash>" } else { &tail[..len] };
        rest = &tail[len..];
    }
    out + rest
}

/// Each line as JSON.
#[track_caller]
fn json_lines(text: &str) -> Vec<serde_json::Value> {
    let lines = text.lines();
    let values = lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    values.collect()
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
