//! The process table: who runs, what each is about to ask of the kernel, and what happens when it does.
//!
//! A process is named by its birth (`shell/job-2/go-1`), not by a number: the same process has the same name in
//! every interleaving. Its program is an [`Image`]: a value that, given the answer to its last system call, says its next
//! one. Whoever drives a [`Processes`] picks one of [`Processes::enabled`] and calls [`Processes::perform`]; everything
//! that one process can see of another happens inside such a call.

mod descriptors;
mod kernel;
mod rivals;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use super::errno::Errno;
use super::fs::{FileSystem, InodeId};
use super::syscall::{Env, ExitStatus, Fd, Refused, Signal, SysResult, Syscall, Text, WaitFor};

pub use descriptors::{Description, Object, PIPE_BUF, PIPE_CAPACITY, Pipe};

pub(in crate::linux) use kernel::hash_bang;
pub use rivals::Who;

use descriptors::{DescriptionId, Slot};

/// What a process has in its own memory and its program may read and change without asking the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Memory {
    /// The name of birth (stands for `getpid`; it is not shown to scripts).
    pub name: Text,
    /// Arguments, the program's own name first.
    pub argv: Arc<[Text]>,
    /// The environment. A child begins with a copy, a new program with what `execve` was given.
    pub env: Env,
}

/// An executable that `execve` has found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Executable {
    /// As it was typed. For a script, the interpreter's path.
    pub path: Text,
    /// After following all symbolic links (`/proc/self/exe`).
    pub real_path: Text,
    /// Which program it is.
    pub image: Text,
    /// Its version, where the file has one.
    pub version: Option<Text>,
}

/// A program as a state machine.
pub trait Image: Clone + Hash + Eq + Debug + Send {
    /// The program in an executable, or `None` if this is none of those it knows (`ENOEXEC`).
    fn load(executable: &Executable, memory: &Memory) -> Option<Self>;

    /// Takes the answer to the last system call ([`SysResult::Start`] at first) and says the next one.
    fn resume(&mut self, memory: &mut Memory, result: SysResult) -> Syscall;
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Life<I> {
    Running {
        image: I,
        pending: Syscall,
        written: u64,
    },
    Sleeping {
        image: I,
    },
    Zombie(ExitStatus),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process<I> {
    life: Life<I>,
    memory: Memory,
    parent: Option<Text>,
    /// The number in its name: births are in this order.
    ordinal: u32,
    /// Started from outside: its exit status is kept in [`Processes::ended`].
    root: bool,
    slots: Arc<BTreeMap<Fd, Slot>>,
    cwd: InodeId,
    children_born: u32,
    /// How many children of each label: names count them apart, so that another child before does not
    /// rename those after it.
    born: BTreeMap<Text, u32>,
    things_made: u32,
}

/// All processes, the pipes between them and the file system below them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Processes<I> {
    /// The files.
    pub fs: FileSystem,
    table: BTreeMap<Text, Arc<Process<I>>>,
    descriptions: BTreeMap<DescriptionId, Description>,
    pipes: BTreeMap<Text, Pipe>,
    ended: BTreeMap<Text, ExitStatus>,
    refused: Vec<Refused>,
}

/// Something that a step did, for the trace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// A child was born.
    Forked {
        /// Its name.
        child: Text,
    },
    /// The process became another program.
    Executed {
        /// As typed.
        path: Text,
        /// Where it was found, after symbolic links.
        real_path: Text,
        /// Which program.
        image: Text,
        /// Its version, where known.
        version: Option<Text>,
        /// The new arguments.
        argv: Arc<[Text]>,
    },
    /// A file was opened.
    Opened {
        /// As typed.
        path: Text,
        /// It was made by this.
        created: bool,
    },
    /// Bytes went into a file.
    Wrote {
        /// As it was opened.
        path: Text,
        /// How many.
        bytes: u64,
    },
    /// Bytes appeared on the terminal.
    Printed {
        /// `stdout`, `stderr` or `tty`.
        stream: Text,
        /// What.
        data: Arc<[u8]>,
    },
    /// A name was changed, atomically.
    Renamed {
        /// Old.
        from: Text,
        /// New.
        to: Text,
    },
    /// A symbolic link was made.
    Linked {
        /// The link.
        path: Text,
        /// What it says.
        target: Text,
    },
    /// A name was removed.
    Removed {
        /// Which.
        path: Text,
    },
    /// A directory was made.
    MadeDirectory {
        /// Which.
        path: Text,
    },
    /// A child's end was learnt.
    Reaped {
        /// Who.
        child: Text,
        /// How it ended.
        status: ExitStatus,
    },
    /// It sleeps: call [`Processes::wake`] after so many nanoseconds.
    Sleeps {
        /// For how long.
        nanoseconds: u64,
    },
    /// It ended.
    Exited {
        /// How.
        status: ExitStatus,
    },
    /// The call failed.
    Failed {
        /// Why.
        errno: Errno,
    },
    /// The program met what the model does not know, and was ended.
    Refused(Refused),
}

/// What one [`Processes::perform`] did.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Who.
    pub process: Text,
    /// The verb of [`Processes::pending_op`].
    pub verb: &'static str,
    /// The object of [`Processes::pending_op`].
    pub object: Text,
    /// What happened. Empty for what is of no interest: `close`, `dup2`, a successful `stat`.
    pub effects: Vec<Effect>,
}

/// Why a process cannot make its call now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum NotEnabled {
    /// There is no such process, or it is dead.
    NoSuchProcess,
    /// It sleeps until [`Processes::wake`].
    Asleep,
    /// It waits for something another process must do: the text says for what.
    Blocked(&'static str),
}

/// Why no process could be started from outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SpawnError {
    /// The name is in use.
    NameTaken,
    /// What `execve` would say.
    Exec(Errno),
    /// What `chdir` would say.
    Directory(Errno),
}

/// What a process that is started from outside begins with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Spawn {
    /// The name of the process: the first part of the names of all its descendants.
    pub name: Text,
    /// What to execute.
    pub path: Text,
    /// Its arguments, with the name by which it is called first.
    pub argv: Vec<Text>,
    /// Its environment.
    pub env: Env,
    /// Its directory.
    pub cwd: Text,
    /// What it can read from descriptor 0; none stands for `/dev/null`.
    pub stdin: Option<Arc<[u8]>>,
}

impl<I: Image> Processes<I> {
    /// No processes yet.
    pub fn new(fs: FileSystem) -> Self {
        Self {
            fs,
            table: BTreeMap::new(),
            descriptions: BTreeMap::new(),
            pipes: BTreeMap::new(),
            ended: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// Starts a process as a terminal or `init` would: `execve`, with descriptors 1 and 2 on the terminal.
    pub fn spawn(&mut self, spawn: Spawn) -> Result<(), SpawnError> {
        let Spawn {
            name,
            path,
            argv,
            env,
            cwd,
            stdin,
        } = spawn;
        if self.table.contains_key(&name) || self.ended.contains_key(&name) {
            return Err(SpawnError::NameTaken);
        }
        let root = InodeId::root();
        let directory = self.fs.resolve(&root, &cwd, super::fs::Last::Follow, None);
        let cwd = directory
            .and_then(|place| place.found())
            .map_err(SpawnError::Directory)?;
        let (executable, argv) = self
            .find_executable(&cwd, &path, argv.into())
            .map_err(SpawnError::Exec)?;
        let memory = Memory {
            name: name.clone(),
            argv,
            env,
        };
        let image = I::load(&executable, &memory).ok_or(SpawnError::Exec(Errno::ENOEXEC))?;
        let process = Process {
            life: Life::Running {
                image,
                pending: Syscall::Getcwd,
                written: 0,
            },
            memory,
            parent: None,
            ordinal: 0,
            root: true,
            slots: Arc::default(),
            cwd,
            children_born: 0,
            born: BTreeMap::new(),
            things_made: 0,
        };
        self.table.insert(name.clone(), Arc::new(process));
        let input = match stdin {
            None => Object::Null,
            Some(data) => Object::Given(data),
        };
        let terminal = |stream: &str| Object::Terminal(stream.into());
        for object in [input, terminal("stdout"), terminal("stderr")] {
            self.install(&name, Description::new(object), false);
        }
        self.deliver(&name, SysResult::Start);
        Ok(())
    }

    /// Processes whose pending call can be made now, in the order of their names.
    pub fn enabled(&self) -> Vec<Text> {
        self.table
            .keys()
            .filter(|name| self.blocked(name).is_none())
            .cloned()
            .collect()
    }

    /// Why a process cannot go on, or `None` if it can.
    pub fn blocked(&self, name: &str) -> Option<NotEnabled> {
        let Some(process) = self.table.get(name) else {
            return Some(NotEnabled::NoSuchProcess);
        };
        let (pending, written) = match &process.life {
            Life::Running {
                pending, written, ..
            } => (pending, *written),
            Life::Sleeping { .. } => return Some(NotEnabled::Asleep),
            Life::Zombie(_) => return Some(NotEnabled::NoSuchProcess),
        };
        let waits = match pending {
            Syscall::Read { fd, .. } => self.read_would_block(process, *fd),
            Syscall::Write { fd, data } => {
                self.write_would_block(process, *fd, data.len() - written as usize)
            }
            Syscall::Wait(who) => self.wait_would_block(name, who),
            _ => None,
        };
        waits.map(NotEnabled::Blocked)
    }

    /// Ends the sleep of a process: its call returns, and its next call becomes pending.
    pub fn wake(&mut self, name: &str) -> Result<(), NotEnabled> {
        let process = self.table.get_mut(name).ok_or(NotEnabled::NoSuchProcess)?;
        let process = Arc::make_mut(process);
        let Life::Sleeping { image } = &process.life else {
            return Err(NotEnabled::NoSuchProcess);
        };
        let pending = Syscall::Nanosleep(0);
        process.life = Life::Running {
            image: image.clone(),
            pending,
            written: 0,
        };
        let name = process.memory.name.clone();
        self.deliver(&name, SysResult::Done);
        Ok(())
    }

    /// The pending call of a process that is neither asleep nor dead.
    pub fn pending(&self, name: &str) -> Option<&Syscall> {
        match &self.table.get(name)?.life {
            Life::Running { pending, .. } => Some(pending),
            _ => None,
        }
    }

    /// Names of processes that are not dead.
    pub fn living(&self) -> impl Iterator<Item = &Text> {
        self.table
            .iter()
            .filter(|(_, p)| !matches!(p.life, Life::Zombie(_)))
            .map(|(name, _)| name)
    }

    /// What a process has in memory: arguments and environment. For a shell the environment is its exported variables.
    pub fn memory(&self, name: &str) -> Option<&Memory> {
        self.table.get(name).map(|process| &process.memory)
    }

    /// The program a process runs.
    pub fn image(&self, name: &str) -> Option<&I> {
        match &self.table.get(name)?.life {
            Life::Running { image, .. } | Life::Sleeping { image } => Some(image),
            Life::Zombie(_) => None,
        }
    }

    /// How the processes that were started from outside ended.
    pub fn ended(&self) -> &BTreeMap<Text, ExitStatus> {
        &self.ended
    }

    /// What was met that the model does not know. A run with any of these has no verdict.
    pub fn refused(&self) -> &[Refused] {
        &self.refused
    }

    /// A pending call as a verb and its object, the same in all interleavings: what a schedule's key is made of. Paths
    /// below the process's `$HOME` begin with `~`, so that another user name makes no other key.
    pub fn pending_op(&self, name: &str) -> Option<(&'static str, Text)> {
        let process = self.table.get(name)?;
        let pending = self.pending(name)?;
        let path = |path: &Text| self.shown_path(process, path);
        let open_file = |fd: &Fd| self.shown_descriptor(process, *fd);
        let none = || Text::from("");
        Some(match pending {
            Syscall::Open { path: p, flags } => {
                (if flags.write { "open-write" } else { "open" }, path(p))
            }
            Syscall::Read { fd, .. } => ("read", open_file(fd)),
            Syscall::Write { fd, .. } => ("write", open_file(fd)),
            Syscall::Close { fd } => ("close", open_file(fd)),
            Syscall::Dup2 { from, .. } => ("dup2", open_file(from)),
            Syscall::Save { fd } => ("save", open_file(fd)),
            Syscall::Pipe => ("pipe", none()),
            Syscall::Fork { .. } => ("fork", none()),
            Syscall::Exec { argv, path: p, .. } => {
                ("exec", argv.first().map_or_else(|| path(p), path))
            }
            Syscall::Wait(WaitFor::Any) => ("wait", none()),
            Syscall::Wait(WaitFor::Child(child)) => {
                let own = child
                    .strip_prefix(name)
                    .and_then(|rest| rest.strip_prefix('/'));
                ("wait", own.map_or_else(|| child.clone(), Into::into))
            }
            Syscall::Exit(code) => ("exit", code.to_string().into()),
            Syscall::Chdir(p) => ("chdir", path(p)),
            Syscall::Getcwd => ("getcwd", none()),
            Syscall::Stat {
                path: p,
                follow: true,
            } => ("stat", path(p)),
            Syscall::Stat {
                path: p,
                follow: false,
            } => ("lstat", path(p)),
            Syscall::Readlink(p) => ("readlink", path(p)),
            Syscall::Symlink { path: p, .. } => ("symlink", path(p)),
            Syscall::Unlink(p) => ("unlink", path(p)),
            Syscall::Rmdir(p) => ("rmdir", path(p)),
            Syscall::Rename { to, .. } => ("rename", path(to)),
            Syscall::Mkdir(p) => ("mkdir", path(p)),
            Syscall::Readdir(p) => ("readdir", path(p)),
            Syscall::Chmod { path: p, .. } => ("chmod", path(p)),
            Syscall::Isatty(fd) => ("isatty", open_file(fd)),
            Syscall::Nanosleep(ns) => ("sleep", ns.to_string().into()),
            Syscall::Refuse(refused) => ("refuse", refused.construct.clone()),
        })
    }

    /// Gives a process the answer to its call and takes the next one.
    fn deliver(&mut self, name: &Text, result: SysResult) {
        let Some(process) = self.table.get_mut(name) else {
            return;
        };
        let process = Arc::make_mut(process);
        if let Life::Running {
            image,
            pending,
            written,
        } = &mut process.life
        {
            *pending = image.resume(&mut process.memory, result);
            *written = 0;
        }
    }

    fn shown_path(&self, process: &Process<I>, path: &Text) -> Text {
        let home = process.memory.env.get("HOME").filter(|home| home.len() > 1);
        match home.and_then(|home| path.strip_prefix(&**home)) {
            Some("") => "~".into(),
            Some(rest) if rest.starts_with('/') => format!("~{rest}").into(),
            _ => path.clone(),
        }
    }

    fn shown_descriptor(&self, process: &Process<I>, fd: Fd) -> Text {
        match self
            .description(process, fd)
            .map(|description| &description.object)
        {
            None => fd.to_string().into(),
            Some(Object::Null) => "/dev/null".into(),
            Some(Object::Given(_)) => "stdin".into(),
            Some(Object::Terminal(stream)) => stream.clone(),
            Some(Object::File { path, .. } | Object::Directory { path, .. }) => {
                self.shown_path(process, path)
            }
            Some(Object::PipeRead(_) | Object::PipeWrite(_)) => "pipe".into(),
        }
    }

    /// The death of a process: descriptors are closed, children go to `init`, the parent may learn of it.
    fn end(&mut self, name: &Text, status: ExitStatus) {
        let Some(process) = self.table.get(name).cloned() else {
            return;
        };
        self.set_slots(name, BTreeMap::new());
        for slot in process.slots.values() {
            self.drop_holder(&slot.description);
        }
        let children: Vec<Text> = self
            .children(name)
            .map(|(child, _)| child.clone())
            .collect();
        for child in children {
            // `init` reaps at once (`wait(2)`, notes on orphans).
            match self.table.get_mut(&child).map(Arc::make_mut) {
                Some(Process {
                    life: Life::Zombie(_),
                    ..
                }) => drop(self.table.remove(&child)),
                Some(process) => process.parent = None,
                None => {}
            }
        }
        if process.root {
            self.ended.insert(name.clone(), status);
        }
        match self.table.get_mut(name).map(Arc::make_mut) {
            Some(dead) if dead.parent.is_some() => {
                dead.life = Life::Zombie(status);
                dead.memory.env = Env::default();
                dead.memory.argv = Arc::from([]);
                dead.children_born = 0;
                dead.born.clear();
                dead.things_made = 0;
                dead.cwd = InodeId::root();
            }
            _ => drop(self.table.remove(name)),
        }
        self.release_inode(&process.cwd);
    }

    fn kill(&mut self, name: &Text, signal: Signal) -> Effect {
        let status = ExitStatus::Killed(signal);
        self.end(name, status);
        Effect::Exited { status }
    }

    fn children(&self, name: &str) -> impl Iterator<Item = (&Text, &Arc<Process<I>>)> {
        self.table
            .iter()
            .filter(move |(_, process)| process.parent.as_deref() == Some(name))
    }

    fn wait_would_block(&self, name: &str, who: &WaitFor) -> Option<&'static str> {
        let mut some = false;
        for (child, process) in self.children(name) {
            if matches!(who, WaitFor::Child(wanted) if wanted != child) {
                continue;
            }
            if matches!(process.life, Life::Zombie(_)) {
                return None;
            }
            some = true;
        }
        some.then_some("a child must end")
    }

    fn reap(&mut self, name: &str, who: &WaitFor) -> Result<(Text, ExitStatus), Errno> {
        let dead = self
            .children(name)
            .filter(|(child, _)| !matches!(who, WaitFor::Child(wanted) if wanted != *child))
            .filter_map(|(child, process)| match process.life {
                Life::Zombie(status) => Some((process.ordinal, child.clone(), status)),
                _ => None,
            })
            .min();
        let (_, child, status) = dead.ok_or(Errno::ECHILD)?;
        self.table.remove(&child);
        Ok((child, status))
    }
}

// What `footprint` needs to see.
impl<I: Image> Processes<I> {
    pub(super) fn cwd(&self, name: &str) -> InodeId {
        self.table
            .get(name)
            .map_or_else(InodeId::root, |process| process.cwd.clone())
    }

    pub(super) fn parent(&self, name: &str) -> Option<&Text> {
        self.table.get(name)?.parent.as_ref()
    }

    pub(super) fn has_children(&self, name: &str) -> bool {
        self.children(name).next().is_some()
    }

    pub(super) fn pipe(&self, name: &str) -> Option<&Pipe> {
        self.pipes.get(name)
    }

    pub(super) fn open_description(&self, name: &str, fd: Fd) -> Option<(&Text, &Description)> {
        let slot = self.table.get(name)?.slots.get(&fd)?;
        let description = self.descriptions.get(&slot.description)?;
        Some((&slot.description.0, description))
    }

    pub(super) fn open_descriptors(&self, name: &str) -> Vec<Fd> {
        self.table
            .get(name)
            .map_or_else(Vec::new, |p| p.slots.keys().copied().collect())
    }

    pub(super) fn closed_by_exec(&self, name: &str) -> Vec<Fd> {
        let Some(process) = self.table.get(name) else {
            return Vec::new();
        };
        let closed = process.slots.iter().filter(|(_, slot)| slot.close_on_exec);
        closed.map(|(fd, _)| *fd).collect()
    }

    /// How many descriptors of this process lead to the description behind `fd`.
    pub(super) fn uses(&self, name: &str, fd: Fd) -> u32 {
        let Some(process) = self.table.get(name) else {
            return 0;
        };
        let Some(slot) = process.slots.get(&fd) else {
            return 0;
        };
        let same = process
            .slots
            .values()
            .filter(|other| other.description == slot.description);
        same.count() as u32
    }
}

#[cfg(test)]
mod tests;
