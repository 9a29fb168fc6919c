//! `go` and its tools as programs of the Linux model: the system calls that another process can see.
//!
//! Sources: cmd/go of Go 1.21 and 1.22 (`internal/cfg` findGOROOT, `internal/envcmd`, `internal/work`
//! gc.go, `internal/base` Tool), cmd/compile (flag -goversion), cmd/internal/obj headers.
//! Left out: modules, the build cache (every package is compiled), the standard library (it comes with
//! the release), parallel actions, telemetry. Tools write to the standard error of `go`; the real `go`
//! collects what they say and prints it itself.

use super::{Release, goroot};
use crate::engine::{FaultSpec, ParamKind, ParamSpec};
use crate::linux::errno::Errno;
use crate::linux::fs::Kind;
use crate::linux::process::{Executable, Image, Memory};
use crate::linux::replay::{Asked, Io, Log, Stop};
use crate::linux::syscall::{Env, ExitStatus, OpenFlags, SysResult, Syscall, Text, WaitFor};

/// The faults of a machine with Go on it.
pub const FAULTS: &[FaultSpec] = &[FaultSpec {
    name: "stale-goroot-env",
    doc: "The processes start with a GOROOT variable that was left from another release: set in a \
          profile that nobody cleaned up, or inherited from a terminal that was opened before.",
    params: &[ParamSpec {
        name: "goroot",
        kind: ParamKind::Text,
        required: true,
        doc: "the directory that the variable names",
    }],
}];

/// The names of the executables that [`Go`] runs.
pub const PROGRAMS: &[&str] = &["go", "compile", "link"];

/// `go`, or one of its tools, running.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Go {
    program: Program,
    /// The release, `1.21` or `1.21.13`.
    version: Text,
    /// The executable after symbolic links: `/proc/self/exe`.
    executable: Text,
    log: Log,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Program {
    Go,
    Compile,
    Link,
}

impl Image for Go {
    fn load(executable: &Executable, _: &Memory) -> Option<Go> {
        let program = match &*executable.image {
            "go" => Program::Go,
            "compile" => Program::Compile,
            "link" => Program::Link,
            _ => return None,
        };
        Some(Go {
            program,
            version: executable.version.clone()?,
            executable: executable.real_path.clone(),
            log: Log::default(),
        })
    }

    fn resume(&mut self, memory: &mut Memory, result: SysResult) -> Syscall {
        if result != SysResult::Start {
            self.log.push(result);
        }
        let mut run = Run {
            io: Io::new(&mut self.log),
            memory,
            version: &self.version,
            executable: &self.executable,
        };
        let code = match self.program {
            Program::Go => run.go(),
            Program::Compile => run.compile(),
            Program::Link => run.link(),
        };
        match code {
            Ok(code) => Syscall::Exit(code),
            Err(Stop(call)) => call,
        }
    }
}

struct Run<'a, 'log> {
    io: Io<'log>,
    memory: &'a Memory,
    version: &'a str,
    executable: &'a str,
}

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Where a release keeps its tools, below its root.
const TOOL_DIRECTORY: &str = "pkg/tool/linux_amd64";

impl Run<'_, '_> {
    fn arguments(&self) -> Vec<Text> {
        self.memory.argv.iter().skip(1).cloned().collect()
    }

    fn variable(&self, name: &str) -> Option<&str> {
        self.memory
            .env
            .get(name)
            .map(|value| &**value)
            .filter(|value| !value.is_empty())
    }

    fn say(&mut self, fd: u32, text: &str) -> Asked<()> {
        let _ = self.io.write(fd, text.as_bytes())?;
        Ok(())
    }

    /// `go: ...`, and the exit code of `base.Fatalf` (2 before flags are read, 1 after; 2 here, where
    /// GOROOT and tools are concerned).
    fn fatal(&mut self, message: &str) -> Asked<u8> {
        self.say(STDERR, &format!("go: {message}\n"))?;
        Ok(2)
    }

    fn read_file(&mut self, path: &str) -> Asked<Result<String, Errno>> {
        let fd = match self.io.open(path, OpenFlags::READ)? {
            Ok(fd) => fd,
            Err(errno) => return Ok(Err(errno)),
        };
        let data = self.io.slurp(fd)?;
        let _ = self.io.close(fd)?;
        Ok(data.map(|data| String::from_utf8_lossy(&data).into_owned()))
    }

    /// `os.WriteFile`: open with O_TRUNC, then write. In between the file is empty for everyone.
    fn write_file(&mut self, path: &str, text: &str) -> Asked<Result<(), Errno>> {
        let fd = match self.io.open(path, OpenFlags::WRITE)? {
            Ok(fd) => fd,
            Err(errno) => return Ok(Err(errno)),
        };
        let written = self.io.write(fd, text.as_bytes())?;
        let _ = self.io.close(fd)?;
        Ok(written)
    }

    /// The settings file that `go env -w` writes: `os.UserConfigDir()/go/env`, unless GOENV says otherwise.
    fn settings_path(&self) -> Option<String> {
        match self.variable("GOENV") {
            Some("off") => return None,
            Some(path) => return Some(path.into()),
            None => {}
        }
        match (self.variable("XDG_CONFIG_HOME"), self.variable("HOME")) {
            (Some(config), _) => Some(format!("{config}/go/env")),
            (None, Some(home)) => Some(format!("{home}/.config/go/env")),
            (None, None) => None,
        }
    }

    /// The lines of the settings file; none if there is no file.
    fn settings(&mut self) -> Asked<Vec<(String, String)>> {
        let Some(path) = self.settings_path() else {
            return Ok(Vec::new());
        };
        let text = self.read_file(&path)?.unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('='));
        Ok(lines
            .map(|(name, value)| (name.into(), value.into()))
            .collect())
    }

    /// `findGOROOT`, by the rule that [`goroot`] has for both systems. `/proc/self/exe` is behind symbolic
    /// links already.
    fn find_goroot(&mut self, settings: &[(String, String)]) -> Asked<String> {
        let setting = settings
            .iter()
            .find(|(name, value)| name == "GOROOT" && !value.is_empty());
        let variable = self
            .variable("GOROOT")
            .map(str::to_owned)
            .or_else(|| setting.map(|(_, value)| value.clone()))
            .unwrap_or_default();
        let question = goroot::Question {
            paths: goroot::Paths::Unix,
            release: Release::of(self.version).unwrap_or(Release(1, 21, 0)),
            variable: &variable,
            executable: self.executable,
            target: None,
            baked: "/usr/local/go",
        };
        let io = &mut self.io;
        goroot::find(&question, &mut |tree| {
            let tools = io.stat(&format!("{tree}/pkg/tool"), true)?;
            Ok(tools.is_ok_and(|stat| stat.kind == Kind::Directory))
        })
    }

    fn go(&mut self) -> Asked<u8> {
        let arguments = self.arguments();
        let words: Vec<&str> = arguments.iter().map(|word| &**word).collect();
        let settings = self.settings()?;
        let goroot = self.find_goroot(&settings)?;
        match words.as_slice() {
            ["version"] => {
                self.say(
                    STDOUT,
                    &format!("go version go{} linux/amd64\n", self.version),
                )?;
                return Ok(0);
            }
            ["env", "-w", settings @ ..] => return self.env_write(settings),
            _ => {}
        }
        let root = self.io.stat(&goroot, true)?;
        if !root.is_ok_and(|stat| stat.kind == Kind::Directory) {
            return self.fatal(&goroot::cannot_find(&goroot));
        }
        match words.as_slice() {
            ["env", names @ ..] if !names.is_empty() => {
                let mut text = String::new();
                for name in names {
                    let setting = settings.iter().find(|(other, _)| other == name);
                    let value = match *name {
                        "GOROOT" => goroot.clone(),
                        "GOVERSION" => format!("go{}", self.version),
                        "GOTOOLDIR" => format!("{goroot}/{TOOL_DIRECTORY}"),
                        "GOENV" => self.settings_path().unwrap_or_else(|| "off".into()),
                        name => match (self.variable(name), setting) {
                            (Some(value), _) => value.into(),
                            (None, Some((_, value))) => value.clone(),
                            (None, None) => {
                                return self.io.refuse(
                                    &format!("go env {name}"),
                                    0,
                                    "GOROOT, GOVERSION, GOTOOLDIR, GOENV, or what is set",
                                );
                            }
                        },
                    };
                    text += &format!("{value}\n");
                }
                self.say(STDOUT, &text)?;
                Ok(0)
            }
            ["build"] => self.build(&goroot, "main"),
            ["build", "-o", output] => self.build(&goroot, output),
            _ => self.io.refuse(
                &format!("go {}", words.join(" ")),
                0,
                "version, env NAME..., env -w NAME=VALUE..., build [-o OUTPUT]",
            ),
        }
    }

    /// `go env -w`: reads the settings file, changes the lines, writes the whole file (`writeEnvFile`:
    /// `os.WriteFile`, and once more after making the folder).
    fn env_write(&mut self, assignments: &[&str]) -> Asked<u8> {
        let Some(path) = self.settings_path() else {
            return self.fatal("GOENV can only be set using the OS environment");
        };
        let mut lines = Vec::new();
        for assignment in assignments {
            let Some((name, value)) = assignment.split_once('=') else {
                return self.fatal(&format!(
                    "arguments must be KEY=VALUE: invalid argument: {assignment}"
                ));
            };
            lines.push((name.to_owned(), value.to_owned()));
        }
        let mut settings = self.settings()?;
        for (name, value) in lines {
            settings.retain(|(other, _)| *other != name);
            settings.push((name, value));
        }
        settings.sort();
        let text: String = settings
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        let mut written = self.write_file(&path, &text)?;
        if written == Err(Errno::ENOENT) {
            let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
            for (at, _) in folder
                .match_indices('/')
                .skip(1)
                .chain([(folder.len(), "")])
            {
                let _ = self.io.mkdir(&folder[..at])?;
            }
            written = self.write_file(&path, &text)?;
        }
        match written {
            Ok(()) => Ok(0),
            Err(errno) => self.fatal(&format!("writing go env config: open {path}: {errno}")),
        }
    }

    /// `go build` of one package in the working directory: asks each tool for its version (that goes
    /// into the action ids), compiles, links.
    fn build(&mut self, goroot: &str, output: &str) -> Asked<u8> {
        // The real name ends in a random number. The process's own name makes it unlike any other.
        let work = format!("/tmp/go-build-{}", self.memory.name.replace('/', "-"));
        if let Err(errno) = self.io.mkdir(&work)? {
            return self.fatal(&format!("creating work dir: mkdir {work}: {errno}"));
        }
        let object = format!("{work}/_pkg_.a");
        let goversion = format!("go{}", self.version);
        let compile = ["-o", &object, "-goversion", &goversion, "./main.go"];
        let link = ["-o", output, &object];
        let commands: [(&str, &[&str]); 4] = [
            ("compile", &["-V=full"]),
            ("link", &["-V=full"]),
            ("compile", &compile),
            ("link", &link),
        ];
        for (tool, arguments) in commands {
            let path = format!("{goroot}/{TOOL_DIRECTORY}/{tool}");
            if let Err(code) = self.start(&path, tool, goroot, arguments)? {
                return Ok(code);
            }
        }
        let _ = self.io.unlink(&object)?;
        let _ = self.io.rmdir(&work)?;
        Ok(0)
    }

    /// Starts a tool as a child and waits for it. The child's environment is `go`'s own with the GOROOT
    /// that `go` uses (`cfg.CmdEnv` is put into it at the start of `main`).
    fn start(
        &mut self,
        path: &str,
        tool: &str,
        goroot: &str,
        arguments: &[&str],
    ) -> Asked<Result<(), u8>> {
        let there = self.io.stat(path, true)?;
        if there.is_err() {
            return self.fatal(&format!("no such tool \"{tool}\"")).map(Err);
        }
        let Some(child) = self.io.fork(tool)? else {
            let argv = [path]
                .iter()
                .chain(arguments)
                .map(|word| Text::from(*word))
                .collect();
            let mut env = Env::clone(&self.memory.env);
            std::sync::Arc::make_mut(&mut env).insert("GOROOT".into(), goroot.into());
            let _ = self.io.exec(path, argv, &env)?;
            return self.io.exit(127);
        };
        match self.io.wait(WaitFor::Child(child))? {
            Ok((_, ExitStatus::Exited(0))) => Ok(Ok(())),
            // `go build` ends with 1 if an action failed; releases before 1.20 with 2.
            _ => Ok(Err(1)),
        }
    }

    /// `compile -V=full` says its version; otherwise it compiles one file.
    fn compile(&mut self) -> Asked<u8> {
        let arguments = self.arguments();
        let words: Vec<&str> = arguments.iter().map(|word| &**word).collect();
        let [output_flag, output, goversion_flag, goversion, source] = words.as_slice() else {
            return self.version_only("compile");
        };
        assert!(
            *output_flag == "-o" && *goversion_flag == "-goversion",
            "as `go` starts it"
        );
        let own = format!("go{}", self.version);
        if *goversion != own {
            let message =
                format!("compile: version {own:?} does not match go tool version {goversion:?}\n");
            self.say(STDERR, &message)?;
            return Ok(2);
        }
        if let Err(errno) = self.read_file(source)? {
            self.say(STDERR, &format!("{source}:1:1: open {source}: {errno}\n"))?;
            return Ok(2);
        }
        match self.write_file(output, &self.header())? {
            Ok(()) => Ok(0),
            Err(errno) => {
                self.say(STDERR, &format!("compile: open {output}: {errno}\n"))?;
                Ok(1)
            }
        }
    }

    /// `link -V=full` says its version; otherwise it links one object, if that is of its own release.
    fn link(&mut self) -> Asked<u8> {
        let arguments = self.arguments();
        let words: Vec<&str> = arguments.iter().map(|word| &**word).collect();
        let ["-o", output, object] = words.as_slice() else {
            return self.version_only("link");
        };
        let header = match self.read_file(object)? {
            Ok(header) => header,
            Err(errno) => {
                self.say(STDERR, &format!("link: open {object}: {errno}\n"))?;
                return Ok(1);
            }
        };
        let expected = self.header();
        if header != expected {
            let line = |header: &str| header.trim_end().replacen("go object ", "", 1);
            let message = format!(
                "link: {object}: object is [{}] expected [{}]\n",
                line(&header),
                line(&expected)
            );
            self.say(STDERR, &message)?;
            return Ok(2);
        }
        match self.write_file(output, &format!("ELF go{}\n", self.version))? {
            Ok(()) => Ok(0),
            Err(errno) => {
                self.say(STDERR, &format!("link: open {output}: {errno}\n"))?;
                Ok(1)
            }
        }
    }

    fn version_only(&mut self, tool: &str) -> Asked<u8> {
        let arguments = self.arguments();
        if arguments.len() != 1 || &*arguments[0] != "-V=full" {
            return self.io.refuse(tool, 0, "it is started by `go build`");
        }
        // `go` reads this through a pipe; nothing of it reaches the terminal.
        Ok(0)
    }

    /// The first line of an object file of this release.
    fn header(&self) -> String {
        format!("go object linux amd64 go{}\n", self.version)
    }
}
