//! The system as a program sees it: each call is one operation on the machine.
//!
//! A program is ordinary code over a [`Sys`]. Registry and file operations are scheduling points: where other processes
//! could go first, the operation is not performed but the code is left ([`Stop`]), and runs again from its last
//! checkpoint when it is its turn, with what it was answered so far. So the code must be a function of the arguments in
//! [`Sys`] and its answers alone; variables, current directory and handles in it are the process's own and need no
//! operation. While no other process could go, nothing is left and nothing runs twice.

mod batch;
mod files;
mod hives;
mod registry;
mod streams;

use std::sync::Arc;

use crate::win7::environment::Block;
use crate::win7::registry::Caller;
use crate::win7::registry::error::Win32;
use crate::win7::text::Wide;

use super::clock::Moment;
use super::handles::Handles;
use super::kernel::{Kernel, ProcessId, SpawnRequest};
use super::log::{Answer, Log};
use super::messages::Language;
use super::shell::Shell;

pub use files::{Link, OnFile, file_resource, folder_content};
pub use registry::OnKey;

/// The code cannot go on now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It is about to perform this, and others may go first.
    Yield(Next),
    /// It waits: for a child, for a pipe, for time to pass.
    Blocked,
    /// The budget of steps is spent.
    Spent,
}

/// An operation that a process is about to perform.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Next {
    /// What it does, such as `set`.
    pub verb: &'static str,
    /// To what, such as a key and a value.
    pub object: String,
    /// What it reads and writes.
    pub touch: Touch,
}

/// What an operation reads and writes, by resources: `reg:` and the place of a key, `file:` and a full path, in upper
/// case.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Touch {
    /// These are read.
    Reads(Vec<String>),
    /// These are written.
    Writes(Vec<String>),
    /// Not known.
    Everything,
}

/// What an operation gives: its answer, or a stop. Code hands stops on with `?`.
pub type Asked<T> = Result<T, Stop>;

/// What a process knows of itself that never changes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct About {
    /// The full path of its image.
    pub image: Wide,
    /// Its command line behind the name of the program, as it was given, leading blanks included.
    pub tail: Wide,
    /// Who it is in the registry and on the disks, and its bitness.
    pub caller: Caller,
    /// The name of that account: `alice`, `SYSTEM`.
    pub user: Arc<str>,
    /// The session: 0 for services.
    pub session: u32,
    /// Which console it writes to.
    pub console: u32,
    /// The language of the system, for this user.
    pub language: Language,
}

/// What is a process's own, and changes without any operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Local {
    /// Its variables.
    pub block: Arc<Block>,
    /// Its current directory, a full path.
    pub directory: Wide,
    /// Its handles.
    pub handles: Handles,
    /// How many commands it has begun.
    pub ticks: u64,
    /// The language of its messages, as far as the console can show it.
    pub language: Language,
}

/// A running program's way to the system.
pub struct Sys<'a> {
    /// What never changes.
    pub about: Arc<About>,
    /// What is its own.
    pub local: Local,
    pub(super) log: &'a mut Log,
    pub(super) next: usize,
    pub(super) kernel: Kernel<'a>,
    /// Whether one operation may be performed although others could go first: it is this process's turn.
    pub(super) chosen: bool,
    /// Where the code begins when it runs again, if it came to a checkpoint.
    pub(super) checkpoint: Option<(Arc<Shell>, Local)>,
}

impl Sys<'_> {
    /// From here the code runs again: `shell` is all that it needs to know beside what is in `local`.
    pub fn checkpoint(&mut self, shell: &Shell) {
        if self.next == 0 {
            // It is there already: the code has just begun from it.
            return;
        }
        debug_assert_eq!(
            self.next,
            self.log.len(),
            "all that was answered was asked for"
        );
        self.checkpoint = Some((Arc::new(shell.clone()), self.local.clone()));
        self.log.clear();
        self.next = 0;
    }

    // --- the two doors -------------------------------------------------------------------------------------------

    /// Performs one operation that others may come before. `about` says on what, and what it touches.
    pub fn perform<T: Answer>(
        &mut self,
        verb: &'static str,
        about: impl FnOnce(&mut Self) -> (String, Touch),
        call: impl FnOnce(&mut Kernel<'_>, &About, &mut Local) -> T,
    ) -> Asked<T> {
        if self.next >= self.log.len() && !self.chosen && !self.kernel.is_alone() {
            let (object, touch) = about(self);
            return Err(Stop::Yield(Next {
                verb,
                object,
                touch,
            }));
        }
        if self.next >= self.log.len() {
            self.chosen = false;
        }
        self.local_operation(call)
    }

    /// Performs an operation that commutes with those of others, or that nobody else sees: never left.
    pub fn local_operation<T: Answer>(
        &mut self,
        call: impl FnOnce(&mut Kernel<'_>, &About, &mut Local) -> T,
    ) -> Asked<T> {
        self.next += 1;
        if let Some(known) = self.log.get(self.next - 1) {
            return Ok(known);
        }
        self.kernel.spend()?;
        let answer = call(&mut self.kernel, &self.about, &mut self.local);
        self.log.push(answer.clone());
        Ok(answer)
    }

    /// Performs an operation that may have to wait: `call` gives nothing as long as it has to.
    pub(super) fn wait_for<T: Answer>(
        &mut self,
        call: impl FnOnce(&mut Kernel<'_>, &About, &mut Local) -> Option<T>,
    ) -> Asked<T> {
        self.next += 1;
        if let Some(known) = self.log.get(self.next - 1) {
            return Ok(known);
        }
        self.kernel.spend()?;
        let answer = call(&mut self.kernel, &self.about, &mut self.local).ok_or(Stop::Blocked)?;
        self.log.push(answer.clone());
        Ok(answer)
    }

    // --- arguments and messages ----------------------------------------------------------------------------------

    /// The command line behind the program's name, as it was given.
    pub fn tail(&self) -> &[u16] {
        self.about.tail.units()
    }

    /// The arguments as the C library divides them: blanks divide, quotes hold together, `\"` is a quote.
    pub fn arguments(&self) -> Vec<String> {
        super::arguments::split(self.tail())
    }

    /// The language of messages.
    pub fn language(&self) -> Language {
        self.local.language
    }

    /// Takes the language that the console can show by now, as cmd.exe does when a program has ended: `chcp` is one.
    pub(super) fn renew_language(&mut self) -> Asked<()> {
        if self.about.language != Language::English {
            let page = self.code_page()?;
            self.local.language = self.about.language.on_console(page);
        }
        Ok(())
    }

    /// The value of a variable of its own.
    pub fn variable(&self, name: &str) -> Option<Wide> {
        self.local.block.get(&Wide::from(name)).cloned()
    }

    /// Says that an option or a program is not modelled: it stands in the run's summary, on the error output, and the
    /// exit code is not 0. `what` names it, such as `findstr /g`.
    pub fn unsupported(&mut self, what: &str) -> Asked<u32> {
        let noted = what.to_owned();
        self.local_operation(move |kernel, _, _| kernel.unsupported(&noted))?;
        self.error_line(&format!("faultlab: {what} is not modelled"))?;
        Ok(UNSUPPORTED)
    }

    /// The last write time of files, whose volume holds none: everything that was there at the start is of the start,
    /// and what is written within its minute shows the same, as Windows shows no seconds. Later it is refused.
    pub(super) fn file_time(&mut self) -> Asked<Option<Moment>> {
        const MINUTE_MS: u64 = 60_000;
        if self.now_ms()? < MINUTE_MS {
            return Ok(Some(Moment::after_ms(0)));
        }
        self.unsupported("the time of a file, once a minute has passed,")?;
        Ok(None)
    }

    /// Notes a command in the trace.
    pub(super) fn note_command(&mut self, name: &[u16], tail: &[u16]) -> Asked<()> {
        let (name, tail) = (name.to_vec(), tail.to_vec());
        self.local_operation(move |kernel, _, local| {
            let text = String::from_utf16_lossy(&[name, tail].concat());
            kernel.begin_command(text.trim_end().into(), &local.block);
        })
    }

    // --- time, processes -----------------------------------------------------------------------------------------

    /// The virtual time in milliseconds since [`super::clock::START`].
    pub fn now_ms(&mut self) -> Asked<u64> {
        self.local_operation(|kernel, _, _| kernel.now_ms())
    }

    /// Lets virtual time pass.
    pub fn sleep_ms(&mut self, ms: u64) -> Asked<()> {
        if ms == 0 {
            return Ok(());
        }
        self.wait_for(move |kernel, _, _| kernel.sleep(ms))
    }

    /// A number from `0..=high`, decided at `site` (a wide choice: searches leave it to the seed).
    pub fn choose_number(&mut self, site: &'static str, high: u64) -> Asked<u64> {
        self.local_operation(move |kernel, _, _| kernel.choose_number(site, high))
    }

    /// CreateProcess. The child has copies of this process's handles unless the request says otherwise.
    pub fn spawn(&mut self, request: SpawnRequest) -> Asked<Result<ProcessId, Win32>> {
        self.local_operation(move |kernel, about, local| kernel.spawn(about, local, request))
    }

    /// Waits until a child has ended: its exit code.
    pub fn wait(&mut self, child: ProcessId) -> Asked<u32> {
        self.wait_for(move |kernel, _, _| kernel.wait(child))
    }

    /// Starts a program and waits for it.
    pub fn run(&mut self, request: SpawnRequest) -> Asked<Result<u32, Win32>> {
        match self.spawn(request)? {
            Ok(child) => self.wait(child).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Tells the windows of the session that the environment changed (WM_SETTINGCHANGE), as setx does.
    pub fn broadcast(&mut self) -> Asked<()> {
        self.perform(
            "broadcast",
            |_| ("Environment".into(), Touch::Everything),
            |kernel, about, _| kernel.broadcast(about),
        )
    }
}

/// The exit code of what is not modelled: none that a modelled tool gives.
pub const UNSUPPORTED: u32 = 0xFA17;
