//! Who could ever get in the way of a pending call: what a search needs to leave other processes aside.

use super::super::syscall::{Fd, Syscall, Text, WaitFor};
use super::descriptors::Object;
use super::{Image, Life, Processes};

/// Processes by name, or all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// Any process, present or future.
    Anyone,
    /// These, and nobody who does not descend from them.
    Only(Vec<Text>),
}

impl Who {
    const NOBODY: Who = Who::Only(Vec::new());

    fn and(self, other: Who) -> Who {
        match (self, other) {
            (Who::Only(mut some), Who::Only(more)) => {
                some.extend(more);
                Who::Only(some)
            }
            _ => Who::Anyone,
        }
    }
}

impl Syscall {
    /// Whether the call changes files or their names, if it succeeds.
    pub fn changes_files(&self) -> bool {
        match self {
            Syscall::Open { path, flags } => {
                flags.write && !matches!(&**path, "/dev/null" | "/dev/tty")
            }
            Syscall::Symlink { .. }
            | Syscall::Unlink(_)
            | Syscall::Rmdir(_)
            | Syscall::Rename { .. }
            | Syscall::Mkdir(_)
            | Syscall::Chmod { .. } => true,
            _ => false,
        }
    }
}

impl<I: Image> Processes<I> {
    /// The other processes that could ever make a call which does not commute with the pending call of
    /// this one. `files_stay`: on the assumption that no call changes files.
    pub fn rivals(&self, name: &str, files_stay: bool) -> Who {
        let Some(pending) = self.pending(name) else {
            return Who::NOBODY;
        };
        let files = match files_stay {
            true => Who::NOBODY,
            false => Who::Anyone,
        };
        match pending {
            call if call.changes_files() => Who::Anyone,
            Syscall::Open { .. }
            | Syscall::Chdir(_)
            | Syscall::Getcwd
            | Syscall::Stat { .. }
            | Syscall::Readlink(_)
            | Syscall::Readdir(_) => files,
            Syscall::Exec { .. } => {
                let closed = self.closed_by_exec(name);
                closed
                    .iter()
                    .fold(files, |who, fd| who.and(self.closing_rivals(name, *fd)))
            }
            Syscall::Read { fd, .. } => self.transfer_rivals(name, *fd, files),
            Syscall::Write { fd, .. } => self.transfer_rivals(name, *fd, files),
            Syscall::Close { fd } | Syscall::Dup2 { to: fd, .. } => self.closing_rivals(name, *fd),
            // What a fork copies is the process's own.
            Syscall::Save { .. }
            | Syscall::Pipe
            | Syscall::Fork { .. }
            | Syscall::Isatty(_)
            | Syscall::Nanosleep(_) => Who::NOBODY,
            Syscall::Wait(WaitFor::Child(_)) => Who::NOBODY,
            // Of several dead children the first born is reaped: another death may change who that is.
            Syscall::Wait(WaitFor::Any) => Who::Only(self.living_children(name)),
            Syscall::Exit(_) => {
                let Some(process) = self.table.get(name) else {
                    return Who::NOBODY;
                };
                let parent = Who::Only(process.parent.iter().cloned().collect());
                // Its children are orphans from then on.
                let family = parent.and(Who::Only(self.living_children(name)));
                let fds: Vec<Fd> = process.slots.keys().copied().collect();
                fds.iter()
                    .fold(family, |who, fd| who.and(self.closing_rivals(name, *fd)))
            }
            _ => Who::Anyone,
        }
    }

    /// The processes without whom a process that cannot go on will never be able to.
    pub fn enablers(&self, name: &str) -> Who {
        let Some(process) = self.table.get(name) else {
            return Who::NOBODY;
        };
        let Life::Running { pending, .. } = &process.life else {
            return match process.life {
                // Time is nobody's.
                Life::Sleeping { .. } => Who::Anyone,
                _ => Who::NOBODY,
            };
        };
        match pending {
            Syscall::Wait(WaitFor::Child(child)) => Who::Only(vec![child.clone()]),
            Syscall::Wait(WaitFor::Any) => Who::Only(self.living_children(name)),
            Syscall::Read { fd, .. } | Syscall::Write { fd, .. } => {
                match self
                    .description(process, *fd)
                    .map(|description| &description.object)
                {
                    Some(Object::PipeRead(pipe)) => Who::Only(self.pipe_users(pipe, name, true)),
                    Some(Object::PipeWrite(pipe)) => Who::Only(self.pipe_users(pipe, name, false)),
                    _ => Who::Anyone,
                }
            }
            _ => Who::Anyone,
        }
    }

    fn living_children(&self, name: &str) -> Vec<Text> {
        let children = self.table.iter().filter(|(_, process)| {
            process.parent.as_deref() == Some(name) && !matches!(process.life, Life::Zombie(_))
        });
        children.map(|(child, _)| child.clone()).collect()
    }

    fn transfer_rivals(&self, name: &str, fd: Fd, files: Who) -> Who {
        let Some(process) = self.table.get(name) else {
            return Who::NOBODY;
        };
        match self
            .description(process, fd)
            .map(|description| &description.object)
        {
            None | Some(Object::Null | Object::Directory { .. }) => Who::NOBODY,
            Some(Object::PipeRead(pipe) | Object::PipeWrite(pipe)) => {
                let readers = self.pipe_users(pipe, name, false);
                Who::Only(readers).and(Who::Only(self.pipe_users(pipe, name, true)))
            }
            // The offset is shared with whoever has the same description.
            Some(Object::File { .. } | Object::Given(_)) if files != Who::Anyone => {
                let slot = &process.slots[&fd].description;
                let sharing = self.table.iter().filter(|(other, process)| {
                    &***other != name && process.slots.values().any(|s| s.description == *slot)
                });
                Who::Only(sharing.map(|(other, _)| other.clone()).collect())
            }
            Some(_) => Who::Anyone,
        }
    }

    /// Closing an end of a pipe shows at the other end, if it was the last.
    fn closing_rivals(&self, name: &str, fd: Fd) -> Who {
        let Some(process) = self.table.get(name) else {
            return Who::NOBODY;
        };
        match self
            .description(process, fd)
            .map(|description| &description.object)
        {
            Some(Object::PipeRead(pipe)) => Who::Only(self.pipe_users(pipe, name, true)),
            Some(Object::PipeWrite(pipe)) => Who::Only(self.pipe_users(pipe, name, false)),
            _ => Who::NOBODY,
        }
    }

    /// The other processes that hold an end of a pipe.
    fn pipe_users(&self, pipe: &str, name: &str, writing: bool) -> Vec<Text> {
        let is_end = |object: &Object| match object {
            Object::PipeRead(other) => !writing && &**other == pipe,
            Object::PipeWrite(other) => writing && &**other == pipe,
            _ => false,
        };
        let holders = self.table.iter().filter(|(other, process)| {
            &***other != name
                && process.slots.values().any(|slot| {
                    let description = self.descriptions.get(&slot.description);
                    description.is_some_and(|description| is_end(&description.object))
                })
        });
        holders.map(|(other, _)| other.clone()).collect()
    }
}
