//! A machine for tests, and the simplest way to run one: each process that can go on does, in turn.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fs::FileSystem;
use super::process::{Effect, Image, Processes, Spawn, Step};
use super::program::{Nothing, Program};
use super::syscall::{Env, ExitStatus, Text};
use super::tools::TOOLS;

pub(crate) type Machine = Processes<Program<Nothing>>;

/// What a run left on the terminal, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub stdout: String,
    pub stderr: String,
    pub status: Option<u8>,
    pub steps: Vec<Step>,
    pub slept: u64,
}

/// `/bin/bash`, all tools in `/usr/bin`, and a home.
pub(crate) fn file_system() -> FileSystem {
    let mut fs = FileSystem::new();
    fs.add_program("/usr/bin/bash", "bash", Some("5.2.15"))
        .unwrap();
    fs.add_symlink("/bin", "usr/bin").unwrap();
    for tool in TOOLS {
        fs.add_program(&format!("/usr/bin/{tool}"), tool, None)
            .unwrap();
    }
    fs.add_directory("/home/user").unwrap();
    fs
}

pub(crate) fn env(pairs: &[(&str, &str)]) -> Env {
    let mut env = BTreeMap::from([
        (Text::from("HOME"), Text::from("/home/user")),
        ("PATH".into(), "/usr/local/bin:/usr/bin".into()),
    ]);
    env.extend(
        pairs
            .iter()
            .map(|(name, value)| (Text::from(*name), Text::from(*value))),
    );
    Arc::new(env)
}

/// A machine on which `bash ARGUMENTS` has just begun, in `/home/user`.
pub(crate) fn machine(fs: FileSystem, arguments: &[&str], pairs: &[(&str, &str)]) -> Machine {
    let mut machine = Machine::new(fs);
    let argv = ["bash"]
        .iter()
        .chain(arguments)
        .map(|word| Text::from(*word))
        .collect();
    let spawn = Spawn {
        name: "shell".into(),
        path: "/usr/bin/bash".into(),
        argv,
        env: env(pairs),
        cwd: "/home/user".into(),
        stdin: None,
    };
    machine.spawn(spawn).unwrap();
    machine
}

/// Runs until nothing can go on.
pub(crate) fn run<I: Image>(machine: &mut Processes<I>) -> Outcome {
    let mut outcome = Outcome::default();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut asleep: BTreeMap<(u64, Text), ()> = BTreeMap::new();
    for _ in 0..1_000_000 {
        let enabled = machine.enabled();
        if enabled.is_empty() {
            let Some(((at, name), ())) = asleep.pop_first() else {
                break;
            };
            outcome.slept = at;
            machine.wake(&name).unwrap();
            continue;
        }
        for name in enabled {
            // One of the others may have changed that.
            if machine.blocked(&name).is_some() {
                continue;
            }
            let step = machine.perform(&name).unwrap();
            for effect in &step.effects {
                match effect {
                    Effect::Printed { stream, data } if &**stream == "stderr" => {
                        stderr.extend_from_slice(data);
                    }
                    Effect::Printed { data, .. } => stdout.extend_from_slice(data),
                    Effect::Sleeps { nanoseconds } => {
                        asleep.insert((outcome.slept + nanoseconds, name.clone()), ());
                    }
                    _ => {}
                }
            }
            outcome.steps.push(step);
        }
    }
    outcome.stdout = String::from_utf8_lossy(&stdout).into_owned();
    outcome.stderr = String::from_utf8_lossy(&stderr).into_owned();
    outcome.status = machine
        .ended()
        .get("shell")
        .copied()
        .map(ExitStatus::shell_status);
    outcome
}
