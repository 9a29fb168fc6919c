//! Straight-line code over system calls, as plain data.
//!
//! A program written as a state machine by hand is hard to read. Here it is written as ordinary code that asks an [`Io`]
//! for each call. The state is the *log* of the answers so far: to go on, the code runs again from the top, is given the
//! logged answers, and stops ([`Stop`]) at the first call that has none. The code must be a function of its inputs and
//! the log alone. That makes it a value which can be cloned, compared and hashed, and it costs nothing while it waits.

use std::sync::Arc;

use super::errno::Errno;
use super::fs::Stat;
use super::syscall::{Env, ExitStatus, Fd, OpenFlags, Refused, SysResult, Syscall, Text, WaitFor};

/// An answer in a log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Entry {
    Answer(SysResult),
    /// All that came from a descriptor so far: one entry however it was cut into reads.
    Slurp {
        data: Arc<[u8]>,
        ended: Option<Result<(), Errno>>,
    },
}

/// Answers to the calls made since the code's beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log {
    entries: Vec<Entry>,
    slurping: bool,
}

impl Log {
    /// Adds the answer to the call that was wanted last.
    pub fn push(&mut self, result: SysResult) {
        if let (true, Some(Entry::Slurp { data, ended })) = (self.slurping, self.entries.last_mut())
        {
            match result {
                SysResult::Data(more) if more.is_empty() => *ended = Some(Ok(())),
                SysResult::Data(more) => *data = [&data[..], &more[..]].concat().into(),
                SysResult::Failed(errno) => *ended = Some(Err(errno)),
                _ => {}
            }
            return;
        }
        self.entries.push(Entry::Answer(result));
    }

    /// Forgets all: the code begins anew, or another piece of code does.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.slurping = false;
    }
}

/// The code cannot go on: it wants a call made, whose answer is then pushed to the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop(pub Syscall);

/// What a call gives: the answer, or a stop.
pub type Asked<T> = Result<T, Stop>;

/// Reads at most so much at once (as GNU tools do: `IO_BUFSIZE` is larger, a pipe gives no more).
const READ_SIZE: u32 = 65_536;

/// The code's way to the kernel.
#[derive(Debug)]
pub struct Io<'a> {
    log: &'a mut Log,
    next: usize,
}

impl<'a> Io<'a> {
    /// Begins at the top of the code.
    pub fn new(log: &'a mut Log) -> Self {
        Self { log, next: 0 }
    }

    /// Makes any call.
    pub fn call(&mut self, call: impl FnOnce() -> Syscall) -> Asked<SysResult> {
        self.next += 1;
        match self.log.entries.get(self.next - 1) {
            Some(Entry::Answer(result)) => Ok(result.clone()),
            _ => Err(Stop(call())),
        }
    }

    fn checked<T>(
        &mut self,
        call: impl FnOnce() -> Syscall,
        take: impl FnOnce(SysResult) -> Option<T>,
    ) -> Asked<Result<T, Errno>> {
        Ok(match self.call(call)? {
            SysResult::Failed(errno) => Err(errno),
            // The kernel answers each call in its own kind, so the fallback is for none of them.
            other => take(other).ok_or(Errno::EINVAL),
        })
    }

    fn done(&mut self, call: impl FnOnce() -> Syscall) -> Asked<Result<(), Errno>> {
        self.checked(call, |_| Some(()))
    }

    /// `open`.
    pub fn open(&mut self, path: &str, flags: OpenFlags) -> Asked<Result<Fd, Errno>> {
        let call = || Syscall::Open {
            path: path.into(),
            flags,
        };
        self.checked(call, |result| match result {
            SysResult::Fd(fd) => Some(fd),
            _ => None,
        })
    }

    /// `close`.
    pub fn close(&mut self, fd: Fd) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Close { fd })
    }

    /// One `read`.
    pub fn read(&mut self, fd: Fd, max: u32) -> Asked<Result<Arc<[u8]>, Errno>> {
        self.checked(
            || Syscall::Read { fd, max },
            |result| match result {
                SysResult::Data(data) => Some(data),
                _ => None,
            },
        )
    }

    /// `read` until the end.
    pub fn slurp(&mut self, fd: Fd) -> Asked<Result<Arc<[u8]>, Errno>> {
        let at = self.next;
        self.next += 1;
        if self.log.entries.len() == at {
            self.log.entries.push(Entry::Slurp {
                data: Arc::from([]),
                ended: None,
            });
            self.log.slurping = true;
        }
        match self.log.entries.get(at) {
            Some(Entry::Slurp {
                data,
                ended: Some(Ok(())),
            }) => {
                let data = data.clone();
                self.end_slurp(at);
                Ok(Ok(data))
            }
            Some(Entry::Slurp {
                ended: Some(Err(errno)),
                ..
            }) => {
                let errno = *errno;
                self.end_slurp(at);
                Ok(Err(errno))
            }
            _ => Err(Stop(Syscall::Read { fd, max: READ_SIZE })),
        }
    }

    fn end_slurp(&mut self, at: usize) {
        if at + 1 == self.log.entries.len() {
            self.log.slurping = false;
        }
    }

    /// `write`, all of it; nothing is asked for no data.
    pub fn write(&mut self, fd: Fd, data: &[u8]) -> Asked<Result<(), Errno>> {
        if data.is_empty() {
            return Ok(Ok(()));
        }
        self.done(|| Syscall::Write {
            fd,
            data: data.into(),
        })
    }

    /// `dup2`.
    pub fn dup2(&mut self, from: Fd, to: Fd) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Dup2 { from, to })
    }

    /// `fcntl(F_DUPFD_CLOEXEC, 10)`.
    pub fn save(&mut self, fd: Fd) -> Asked<Result<Fd, Errno>> {
        self.checked(
            || Syscall::Save { fd },
            |result| match result {
                SysResult::Fd(fd) => Some(fd),
                _ => None,
            },
        )
    }

    /// `pipe`: reading end, writing end.
    pub fn pipe(&mut self) -> Asked<Result<(Fd, Fd), Errno>> {
        self.checked(
            || Syscall::Pipe,
            |result| match result {
                SysResult::Pipe { read, write } => Some((read, write)),
                _ => None,
            },
        )
    }

    /// `fork`: the child's name in the parent, `None` in the child.
    /// `label` says what the child is for, and becomes part of its name.
    pub fn fork(&mut self, label: &str) -> Asked<Option<Text>> {
        let label = || Syscall::Fork {
            label: label.into(),
        };
        Ok(match self.call(label)? {
            SysResult::Forked { child } => Some(child),
            _ => None,
        })
    }

    /// `execve`: comes back only with an error.
    pub fn exec(&mut self, path: &str, argv: Vec<Text>, env: &Env) -> Asked<Errno> {
        let call = || Syscall::Exec {
            path: path.into(),
            argv: argv.into(),
            env: env.clone(),
        };
        Ok(match self.call(call)? {
            SysResult::Failed(errno) => errno,
            _ => Errno::ENOEXEC,
        })
    }

    /// `wait4`.
    pub fn wait(&mut self, who: WaitFor) -> Asked<Result<(Text, ExitStatus), Errno>> {
        self.checked(
            || Syscall::Wait(who),
            |result| match result {
                SysResult::Reaped { child, status } => Some((child, status)),
                _ => None,
            },
        )
    }

    /// `stat` (`follow`) or `lstat`.
    pub fn stat(&mut self, path: &str, follow: bool) -> Asked<Result<Stat, Errno>> {
        let call = || Syscall::Stat {
            path: path.into(),
            follow,
        };
        self.checked(call, |result| match result {
            SysResult::Stat(stat) => Some(stat),
            _ => None,
        })
    }

    /// `readlink`.
    pub fn readlink(&mut self, path: &str) -> Asked<Result<Text, Errno>> {
        self.checked(
            || Syscall::Readlink(path.into()),
            |result| match result {
                SysResult::Path(path) => Some(path),
                _ => None,
            },
        )
    }

    /// `getcwd`.
    pub fn getcwd(&mut self) -> Asked<Result<Text, Errno>> {
        self.checked(
            || Syscall::Getcwd,
            |result| match result {
                SysResult::Path(path) => Some(path),
                _ => None,
            },
        )
    }

    /// `chdir`.
    pub fn chdir(&mut self, path: &str) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Chdir(path.into()))
    }

    /// `symlink`.
    pub fn symlink(&mut self, target: &str, path: &str) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Symlink {
            target: target.into(),
            path: path.into(),
        })
    }

    /// `unlink`.
    pub fn unlink(&mut self, path: &str) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Unlink(path.into()))
    }

    /// `rmdir`.
    pub fn rmdir(&mut self, path: &str) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Rmdir(path.into()))
    }

    /// `rename`, or `renameat2` with `RENAME_NOREPLACE`.
    pub fn rename(&mut self, from: &str, to: &str, no_replace: bool) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Rename {
            from: from.into(),
            to: to.into(),
            no_replace,
        })
    }

    /// `mkdir`.
    pub fn mkdir(&mut self, path: &str) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Mkdir(path.into()))
    }

    /// Names in a directory.
    pub fn readdir(&mut self, path: &str) -> Asked<Result<Arc<[Text]>, Errno>> {
        self.checked(
            || Syscall::Readdir(path.into()),
            |result| match result {
                SysResult::Entries(entries) => Some(entries),
                _ => None,
            },
        )
    }

    /// `chmod` of the executable bit.
    pub fn chmod(&mut self, path: &str, executable: bool) -> Asked<Result<(), Errno>> {
        self.done(|| Syscall::Chmod {
            path: path.into(),
            executable,
        })
    }

    /// `isatty`.
    pub fn isatty(&mut self, fd: Fd) -> Asked<bool> {
        Ok(self.done(|| Syscall::Isatty(fd))?.is_ok())
    }

    /// `nanosleep`.
    pub fn sleep(&mut self, nanoseconds: u64) -> Asked<()> {
        self.call(|| Syscall::Nanosleep(nanoseconds)).map(drop)
    }

    /// `exit_group`: never comes back.
    pub fn exit<T>(&self, code: u8) -> Asked<T> {
        Err(Stop(Syscall::Exit(code)))
    }

    /// Ends the process over something the model does not know.
    pub fn refuse<T>(&self, construct: &str, line: u32, help: &str) -> Asked<T> {
        let (construct, help) = (construct.into(), help.into());
        Err(Stop(Syscall::Refuse(Refused {
            construct,
            line,
            column: 0,
            help,
        })))
    }
}
