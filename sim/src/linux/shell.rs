//! bash 5.2, non-interactive, as a program of the process table.
//!
//! The shell is a stack of [`frames`](eval) over a tree. Its rules:
//!
//! - Every system call is a yield: `fork` for a subshell, a background command, each element of a pipeline and a command
//!   substitution; `execve`, the look-up in `PATH`, `pipe`, `dup2`, `open`, `read`, `write`, `wait4`. Expansion and
//!   assignment touch only the shell's own memory, and no other process can get in between.
//! - One step of the stack is a transaction: it runs on a copy, asks for its calls through a [replay log](super::replay),
//!   and is kept when it comes to its end.
//! - Exported variables *are* [`Memory::env`]; there is no second copy that could be stale. What bash does remember is the
//!   location of commands (`hash`), until `PATH` is assigned.
//! - What is not modelled is refused by name, when the script is parsed if possible.
//!
//! Sources: POSIX.1-2017 XCU 2, the bash 5.2 manual, and bash 5.2.15 itself by `strace` and by the differential tests.

mod arithmetic;
pub mod ast;
mod builtin;
mod error;
mod eval;
mod expand;
#[cfg(feature = "shell")]
pub mod parse;
mod pattern;
mod redirect;
mod simple;
mod start;
mod test;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::process::{Executable, Image, Memory};
use super::replay::{Io, Log, Stop};
use super::syscall::{Env, Refused, SysResult, Syscall, Text};

pub use error::ParseError;

use ast::{Block, Command, Shared};
use eval::{Frame, Tail, Unwind};

/// Begins the value of `$!`. A job has no number here; this text may be given to `wait`, but not leave the shell.
pub(crate) const JOB_MARK: char = '\u{E000}';

/// Steps without a system call before a loop counts as endless.
const MAX_SILENT_STEPS: u32 = 1_000_000;
/// Frames on the stack: function calls within function calls.
const MAX_FRAMES: usize = 1_000;

/// `set` options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Options {
    /// `-e`.
    errexit: bool,
    /// `-u`.
    nounset: bool,
    /// `-f`.
    noglob: bool,
    /// `-o pipefail`.
    pipefail: bool,
}

/// A running shell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shell {
    frames: Vec<Frame>,
    unwind: Option<Unwind>,
    log: Log,
    /// Variables that are not exported.
    variables: Env,
    /// Names that are exported but have no value.
    exported_unset: Arc<BTreeSet<Text>>,
    functions: Arc<BTreeMap<Text, Shared<Command>>>,
    /// Where commands were found.
    hashed: Env,
    positional: Arc<[Text]>,
    /// `$0`.
    zero: Text,
    /// `$?`.
    status: u8,
    options: Options,
    /// Background children that were not waited for.
    jobs: Vec<Text>,
    last_job: Option<Text>,
    /// For messages.
    line: u32,
    /// `-e` is off because of where the command that forked this subshell stands.
    ignores_errors: bool,
    /// Runs the text of `-c`.
    from_text: bool,
    /// Standard input is a pipe or was redirected for the compound command this runs in: a background command reads it
    /// and not `/dev/null` (bash 5.2, `stdin_redir`, with its details as the differential tests show them).
    keeps_stdin: bool,
    /// The status of the last command substitution of the current step.
    substituted: Option<u8>,
}

/// Why a step ends early.
enum Leave {
    /// A call has no answer yet: the step is undone.
    Stop(Stop),
    /// The step is complete: it is kept.
    Commit,
}

impl From<Stop> for Leave {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// What a part of a step gives.
type Go<T> = Result<T, Leave>;

/// What a step works on besides the shell.
struct Cx<'a, 'log> {
    memory: &'a mut Memory,
    io: Io<'log>,
}

/// Names of executables that this is.
const IMAGES: [&str; 2] = ["bash", "sh"];

impl Image for Shell {
    fn load(executable: &Executable, memory: &Memory) -> Option<Self> {
        if !IMAGES.contains(&&*executable.image) {
            return None;
        }
        let zero = memory
            .argv
            .first()
            .cloned()
            .unwrap_or_else(|| "bash".into());
        Some(Self::with(Frame::Start, zero, Arc::from([])))
    }

    fn resume(&mut self, memory: &mut Memory, result: SysResult) -> Syscall {
        if result != SysResult::Start {
            self.log.push(result);
        }
        for _ in 0..MAX_SILENT_STEPS {
            let mut log = std::mem::take(&mut self.log);
            let mut attempt = self.clone();
            let mut changed = memory.clone();
            let mut cx = Cx {
                memory: &mut changed,
                io: Io::new(&mut log),
            };
            match attempt.step(&mut cx) {
                Ok(()) | Err(Leave::Commit) => {
                    attempt.substituted = None;
                    *self = attempt;
                    *memory = changed;
                }
                Err(Leave::Stop(Stop(call))) => {
                    self.log = log;
                    return self.checked(call);
                }
            }
            if self.frames.len() > MAX_FRAMES {
                return self.refuse_here("calls nested deeper than a thousand frames");
            }
        }
        self.refuse_here("a loop of a million steps without a system call")
    }
}

impl Shell {
    /// A shell that runs a parsed script, as if it had been read already.
    pub fn script(block: Block, zero: &str, arguments: &[Text]) -> Self {
        Self::with(
            Frame::Block {
                block,
                next: 0,
                tail: Tail::No,
            },
            zero.into(),
            arguments.into(),
        )
    }

    fn with(frame: Frame, zero: Text, positional: Arc<[Text]>) -> Self {
        Self {
            frames: vec![frame],
            unwind: None,
            log: Log::default(),
            variables: Env::default(),
            exported_unset: Arc::default(),
            functions: Arc::default(),
            hashed: Env::default(),
            positional,
            zero,
            status: 0,
            options: Options::default(),
            jobs: Vec::new(),
            last_job: None,
            line: 1,
            ignores_errors: false,
            from_text: false,
            keeps_stdin: false,
            substituted: None,
        }
    }

    /// Lets no job's name out of the shell, where a real one would show a number.
    fn checked(&self, call: Syscall) -> Syscall {
        let marked = match &call {
            Syscall::Write { data, .. } => {
                let mut buffer = [0; 4];
                let mark = JOB_MARK.encode_utf8(&mut buffer).as_bytes();
                data.windows(mark.len()).any(|window| window == mark)
            }
            Syscall::Exec { argv, env, .. } => {
                argv.iter().any(|argument| argument.contains(JOB_MARK))
                    || env.values().any(|value| value.contains(JOB_MARK))
            }
            Syscall::Open { path, .. } | Syscall::Stat { path, .. } => path.contains(JOB_MARK),
            _ => false,
        };
        if marked {
            let help = "a process has no number here; only `wait' takes $!";
            return Syscall::Refuse(Refused {
                construct: "$! outside of wait".into(),
                line: self.line,
                column: 0,
                help: help.into(),
            });
        }
        call
    }

    fn refuse_here(&self, construct: &str) -> Syscall {
        Syscall::Refuse(Refused {
            construct: construct.into(),
            line: self.line,
            column: 0,
            help: "make it shorter".into(),
        })
    }

    /// Refuses what only shows when it runs.
    fn refuse<T>(&self, cx: &Cx<'_, '_>, construct: &str, help: &str) -> Go<T> {
        Ok(cx.io.refuse(construct, self.line, help)?)
    }

    /// Writes `NAME: line N: message` to standard error. bash leaves out the line if its name is plain `bash`.
    fn complain(&self, cx: &mut Cx<'_, '_>, message: &str) -> Go<()> {
        let text = if &*self.zero == "bash" {
            format!("bash: {message}\n")
        } else {
            format!("{}: line {}: {message}\n", self.zero, self.line)
        };
        let _ = cx.io.write(2, text.as_bytes())?;
        Ok(())
    }

    /// Ends the shell over an error in an expansion (POSIX 2.8.1). bash 5.2 gives 127 in `-c` and 1 in a script.
    fn fatal<T>(&mut self, cx: &mut Cx<'_, '_>, message: &str) -> Go<T> {
        self.complain(cx, message)?;
        self.status = if self.from_text { 127 } else { 1 };
        self.unwind = Some(Unwind::Exit);
        Err(Leave::Commit)
    }

    /// What a fork leaves of the shell in its child.
    fn become_subshell(&mut self, frame: Frame) {
        self.ignores_errors = self.ignores_errors();
        self.frames = vec![frame];
        self.jobs.clear();
    }
}

#[cfg(feature = "shell")]
fn parse_script(text: &[u8]) -> Result<Block, ParseError> {
    parse::parse(text)
}

#[cfg(not(feature = "shell"))]
fn parse_script(_: &[u8]) -> Result<Block, ParseError> {
    Err(ParseError::Refused(Refused {
        construct: "a script".into(),
        line: 0,
        column: 0,
        help: "this was built without the feature `shell'".into(),
    }))
}

#[cfg(all(test, feature = "shell"))]
mod tests;
