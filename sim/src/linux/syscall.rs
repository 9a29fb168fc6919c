//! The system calls a program of this model can make, and what they answer.
//!
//! `getenv` is not among them: the environment is memory of the process (`environ(7)`), copied by `fork(2)` and handed
//! over by `execve(2)`. Nothing else can change it from outside, which is why it cannot be raced.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::errno::Errno;
use super::fs::Stat;

/// A string of the model: path, variable, argument.
pub type Text = Arc<str>;

/// The environment of a process: names to values. Cloning is cheap; a change copies (as `fork` does).
pub type Env = Arc<BTreeMap<Text, Text>>;

/// A file descriptor.
pub type Fd = u32;

/// How `open(2)` is to open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OpenFlags {
    /// `O_RDONLY` or `O_RDWR`.
    pub read: bool,
    /// `O_WRONLY` or `O_RDWR`.
    pub write: bool,
    /// `O_CREAT`.
    pub create: bool,
    /// `O_EXCL`: with `create`, fail where anything, even a dangling symbolic link, has that name.
    pub exclusive: bool,
    /// `O_TRUNC`.
    pub truncate: bool,
    /// `O_APPEND`: each write goes to the end.
    pub append: bool,
}

impl OpenFlags {
    /// `O_RDONLY`, as the shell's `<`.
    pub const READ: Self = Self {
        read: true,
        write: false,
        create: false,
        exclusive: false,
        truncate: false,
        append: false,
    };
    /// `O_WRONLY|O_CREAT|O_TRUNC`, as the shell's `>`.
    pub const WRITE: Self = Self {
        read: false,
        write: true,
        create: true,
        truncate: true,
        ..Self::READ
    };
    /// `O_WRONLY|O_CREAT|O_APPEND`, as the shell's `>>`.
    pub const APPEND: Self = Self {
        read: false,
        write: true,
        create: true,
        append: true,
        ..Self::READ
    };
    /// `O_RDWR|O_CREAT`, as the shell's `<>`.
    pub const READ_WRITE: Self = Self {
        write: true,
        create: true,
        ..Self::READ
    };
}

/// Whose death `wait` is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WaitFor {
    /// Any child (`waitpid(-1)`); of several dead ones the first born, as the kernel's list of children has it.
    Any,
    /// This child, by its name of birth.
    Child(Text),
}

/// How a process ended (`wait(2)`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExitStatus {
    /// It called `exit`; the low eight bits.
    Exited(u8),
    /// A signal ended it.
    Killed(Signal),
}

impl ExitStatus {
    /// The status as the shell's `$?` has it: the code, or 128 + the signal's number.
    pub const fn shell_status(self) -> u8 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(signal) => 128 + signal.number(),
        }
    }
}

/// The signals of this model. Others are not sent by anything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Signal {
    /// Write to a pipe without readers (`signal(7)`); the default action is to end the process.
    Pipe,
}

impl Signal {
    /// The number on x86-64.
    pub const fn number(self) -> u8 {
        match self {
            Self::Pipe => 13,
        }
    }
}

/// Something that this model does not know. It is refused by name, never guessed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Refused {
    /// What was met, as its user would name it: ``arrays``, `printf %q`.
    pub construct: Text,
    /// Line of the script, from 1; 0 where there is none.
    pub line: u32,
    /// Column in characters, from 1; 0 where there is none.
    pub column: u32,
    /// What to write instead, or why it is not here.
    pub help: Text,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "line {}, column {}: ", self.line, self.column)?;
        }
        write!(f, "{} is not supported", self.construct)?;
        if !self.help.is_empty() {
            write!(f, ": {}", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refused {}

/// A system call that a process is about to make.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Syscall {
    /// `openat(AT_FDCWD, path, flags)`: [`SysResult::Fd`].
    Open {
        /// As the program gives it.
        path: Text,
        /// How.
        flags: OpenFlags,
    },
    /// `read(fd, …, max)`: [`SysResult::Data`], empty at the end.
    Read {
        /// From where.
        fd: Fd,
        /// At most so many bytes.
        max: u32,
    },
    /// `write(fd, data)`: [`SysResult::Count`], always all of it (descriptors here are blocking).
    Write {
        /// To where.
        fd: Fd,
        /// What.
        data: Arc<[u8]>,
    },
    /// `close(fd)`: [`SysResult::Done`].
    Close {
        /// Which.
        fd: Fd,
    },
    /// `dup2(from, to)`: [`SysResult::Fd`].
    Dup2 {
        /// The open one.
        from: Fd,
        /// The one to become its twin.
        to: Fd,
    },
    /// `fcntl(fd, F_DUPFD_CLOEXEC, 10)`: [`SysResult::Fd`]; how a shell puts a descriptor aside.
    Save {
        /// Which.
        fd: Fd,
    },
    /// `pipe(2)`: [`SysResult::Pipe`].
    Pipe,
    /// `fork(2)`: [`SysResult::Forked`] to the parent, [`SysResult::ForkedChild`] to the child, whose image is a copy.
    Fork {
        /// What the child is for, in one word: the first part of its name of birth. No argument of Linux.
        label: Text,
    },
    /// `execve(path, argv, env)`: no answer when it succeeds.
    Exec {
        /// As the program gives it.
        path: Text,
        /// The new argument list.
        argv: Arc<[Text]>,
        /// The new environment.
        env: Env,
    },
    /// `wait4`: [`SysResult::Reaped`], or `ECHILD`.
    Wait(WaitFor),
    /// `exit_group(code)`: no answer.
    Exit(u8),
    /// `chdir`: [`SysResult::Done`].
    Chdir(Text),
    /// `getcwd`: [`SysResult::Path`].
    Getcwd,
    /// `stat` or `lstat`: [`SysResult::Stat`].
    Stat {
        /// As the program gives it.
        path: Text,
        /// `stat` (true) or `lstat`.
        follow: bool,
    },
    /// `readlink`: [`SysResult::Path`].
    Readlink(Text),
    /// `symlink(target, path)`: [`SysResult::Done`].
    Symlink {
        /// What the link says.
        target: Text,
        /// The link.
        path: Text,
    },
    /// `unlink`: [`SysResult::Done`].
    Unlink(Text),
    /// `rmdir`: [`SysResult::Done`].
    Rmdir(Text),
    /// `rename(from, to)`: [`SysResult::Done`].
    Rename {
        /// Old name.
        from: Text,
        /// New name.
        to: Text,
        /// `RENAME_NOREPLACE`: fail with `EEXIST` where the new name is taken.
        no_replace: bool,
    },
    /// `mkdir`: [`SysResult::Done`].
    Mkdir(Text),
    /// `open` + `getdents64` + `close` as one: [`SysResult::Entries`] in byte order.
    Readdir(Text),
    /// `chmod`, of which the model keeps the executable bit: [`SysResult::Done`].
    Chmod {
        /// Which file.
        path: Text,
        /// Executable afterwards.
        executable: bool,
    },
    /// `ioctl(fd, TCGETS)`: [`SysResult::Done`] for a terminal, `ENOTTY` for anything else (`isatty(3)`).
    Isatty(Fd),
    /// `nanosleep`: [`SysResult::Done`] once the owner of time has waited.
    Nanosleep(u64),
    /// No call of Linux: the program met what the model does not know. The process ends, and the refusal is recorded.
    Refuse(Refused),
}

/// What a system call answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SysResult {
    /// No call went before: the program begins.
    Start,
    /// It worked, with nothing to say.
    Done,
    /// A descriptor.
    Fd(Fd),
    /// Bytes read.
    Data(Arc<[u8]>),
    /// Bytes written.
    Count(u64),
    /// Both ends of a new pipe.
    Pipe {
        /// For reading.
        read: Fd,
        /// For writing.
        write: Fd,
    },
    /// To the parent of a fork.
    Forked {
        /// The child's name of birth.
        child: Text,
    },
    /// To the child of a fork.
    ForkedChild,
    /// A dead child.
    Reaped {
        /// Its name of birth.
        child: Text,
        /// How it ended.
        status: ExitStatus,
    },
    /// A path.
    Path(Text),
    /// What a path leads to.
    Stat(Stat),
    /// Names in a directory.
    Entries(Arc<[Text]>),
    /// The call failed.
    Failed(Errno),
}
