//! The Linux world of a scenario: files, a few processes, their scripts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::{Armed, matches_pattern};
use crate::golang::toolchain::{self, Go};
use crate::linux::errno::Errno;
use crate::linux::fs::FileSystem;
use crate::linux::lab::{Lab, base_programs, install_base};
use crate::linux::process::{Processes, Spawn};
use crate::linux::syscall::Text;

/// What a machine has at the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinuxSetup {
    /// Files, directories and links by absolute path. Folders above them are made; a shell and the small
    /// tools lie in `/bin` on every machine.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileSetup>,
    /// The environment of every process, unless the process says otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The directory in which processes start.
    #[serde(default = "root", skip_serializing_if = "is_root")]
    pub cwd: String,
    /// The processes that run side by side.
    pub processes: Vec<ProcessSetup>,
}

fn root() -> String {
    "/".into()
}

fn is_root(path: &String) -> bool {
    path == "/"
}

/// What lies at a path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum FileSetup {
    /// An empty directory.
    Directory,
    /// A file with this text.
    Text(String),
    /// An executable file with this text.
    Script(String),
    /// A symbolic link to this.
    Link(String),
    /// An executable of a program that is modelled.
    Program(String),
    /// The tree of a Go release of this version: `bin/go`, and the tools below `pkg/tool`.
    GoRelease(String),
}

/// A process at the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessSetup {
    /// Its name: an actor of the run. Its children are `NAME/child-1` and so on.
    pub name: String,
    /// The script that bash runs in it: a file beside the scenario.
    pub script: String,
    /// The script's arguments, `$1` and so on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables beside the machine's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What of a set-up cannot be: the text to point at, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetupError {
    /// A literal of the scenario.
    pub at: String,
    /// What is wrong with it.
    pub what: String,
}

/// Where a scenario's script lies on the modelled machine.
pub fn script_path(script: &str) -> String {
    format!("/lab/{script}")
}

impl LinuxSetup {
    /// The machine, its first processes about to make their first calls. `fill` fills `{names}` in.
    ///
    /// # Errors
    /// The first thing that cannot be.
    pub fn build(
        &self,
        scripts: &BTreeMap<String, String>,
        faults: &[Armed],
        fill: &dyn Fn(&str) -> String,
    ) -> Result<Lab<Go>, SetupError> {
        let mut fs = FileSystem::new();
        install_base(&mut fs).expect("a new file system has room for the base");
        let refuse = |at: &str, errno: Errno| SetupError {
            at: at.into(),
            what: format!("it cannot be made: {errno}"),
        };
        for (path, file) in &self.files {
            place(&mut fs, &fill(path), file, fill).map_err(|placing| match placing {
                Placing::Errno(errno) => refuse(path, errno),
                Placing::Unknown(program) => SetupError {
                    at: program.clone(),
                    what: format!("no program {program:?} is modelled"),
                },
            })?;
        }
        let mut placed: Vec<&str> = Vec::new();
        for process in &self.processes {
            let script = process.script.as_str();
            if !placed.contains(&script) {
                let text = scripts.get(script).map(String::as_str).unwrap_or_default();
                fs.add_script(&script_path(script), text.as_bytes())
                    .map_err(|errno| refuse(script, errno))?;
                placed.push(script);
            }
        }
        let mut processes = Processes::new(fs);
        for process in &self.processes {
            let mut env: BTreeMap<Text, Text> = BTreeMap::new();
            for (name, value) in self.env.iter().chain(&process.env) {
                env.insert(name.as_str().into(), fill(value).into());
            }
            let stale = faults.iter().filter(|fault| {
                fault.name == "stale-goroot-env" && matches_pattern(&fault.at, &process.name)
            });
            for fault in stale {
                let goroot = fault.text("goroot").expect("a required parameter is there");
                env.insert("GOROOT".into(), goroot.into());
            }
            let mut argv: Vec<Text> = vec!["bash".into(), script_path(&process.script).into()];
            argv.extend(process.args.iter().map(|arg| Text::from(fill(arg))));
            let spawn = Spawn {
                name: process.name.as_str().into(),
                path: "/bin/bash".into(),
                argv,
                env: env.into(),
                cwd: fill(&self.cwd).into(),
                stdin: None,
            };
            processes.spawn(spawn).map_err(|error| SetupError {
                at: process.name.clone(),
                what: format!("the process cannot be started: {error:?}"),
            })?;
        }
        Ok(Lab::new(processes))
    }
}

enum Placing {
    Errno(Errno),
    Unknown(String),
}

impl From<Errno> for Placing {
    fn from(errno: Errno) -> Placing {
        Placing::Errno(errno)
    }
}

fn place(
    fs: &mut FileSystem,
    path: &str,
    file: &FileSetup,
    fill: &dyn Fn(&str) -> String,
) -> Result<(), Placing> {
    match file {
        FileSetup::Program(program) => {
            let known = base_programs().chain(toolchain::PROGRAMS.iter().copied());
            if !known.into_iter().any(|known| known == program) {
                return Err(Placing::Unknown(program.clone()));
            }
            fs.add_program(path, program, None)?;
        }
        FileSetup::GoRelease(version) => {
            let version = fill(version);
            fs.add_program(&format!("{path}/bin/go"), "go", Some(&version))?;
            for tool in ["compile", "link"] {
                let tool_path = format!("{path}/pkg/tool/linux_amd64/{tool}");
                fs.add_program(&tool_path, tool, Some(&version))?;
            }
        }
        FileSetup::Directory => {
            fs.add_directory(path)?;
        }
        FileSetup::Text(text) => fs.add_file(path, fill(text).as_bytes())?,
        FileSetup::Script(text) => fs.add_script(path, text.as_bytes())?,
        FileSetup::Link(target) => fs.add_symlink(path, &fill(target))?,
    }
    Ok(())
}
