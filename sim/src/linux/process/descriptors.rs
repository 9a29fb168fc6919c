//! Descriptors, open file descriptions and pipes.
//!
//! A descriptor is a number in one process. It leads to an open file description, with the offset, which `fork` and
//! `dup2` share (`open(2)`, notes). The description leads to a file, a pipe's end or a device.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::errno::Errno;
use super::super::fs::InodeId;
use super::super::syscall::{Fd, Text};
use super::{Effect, Image, Process, Processes};

/// Bytes a pipe holds (`pipe(7)`: sixteen pages).
pub const PIPE_CAPACITY: usize = 65_536;
/// Writes up to this size are atomic (`pipe(7)`).
pub const PIPE_BUF: usize = 4_096;
/// `RLIMIT_NOFILE`, the usual soft limit.
const MAX_FD: u32 = 1_024;
/// Where a shell puts descriptors aside (bash: `SHELL_FD_BASE`).
const SAVED_FD: u32 = 10;

/// The name of an open file description by birth: process and its own ordinal.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct DescriptionId(pub(super) Text);

/// An entry of a descriptor table.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot {
    pub(super) description: DescriptionId,
    pub(super) close_on_exec: bool,
}

/// What a description leads to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// `/dev/null`.
    Null,
    /// Input that was given from outside.
    Given(Arc<[u8]>),
    /// The terminal, as `stdout`, `stderr` or `tty`.
    Terminal(Text),
    /// A regular file, by inode: renaming and removing do not matter.
    File {
        /// Which.
        inode: InodeId,
        /// As it was opened, for the trace.
        path: Text,
    },
    /// A directory.
    Directory {
        /// Which.
        inode: InodeId,
        /// As it was opened.
        path: Text,
    },
    /// The end of a pipe to read from.
    PipeRead(Text),
    /// The end of a pipe to write to.
    PipeWrite(Text),
}

/// An open file description.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Description {
    /// What it leads to.
    pub object: Object,
    /// Where the next read or write begins.
    pub offset: usize,
    /// `O_APPEND`.
    pub append: bool,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// How many descriptors lead here.
    pub(super) holders: u32,
}

impl Description {
    /// A description that nobody holds yet, for reading and writing.
    pub fn new(object: Object) -> Self {
        let read = !matches!(object, Object::PipeWrite(_));
        let write = !matches!(object, Object::PipeRead(_) | Object::Given(_));
        Self {
            object,
            offset: 0,
            append: false,
            read,
            write,
            holders: 0,
        }
    }
}

impl Description {
    /// How many descriptors lead here.
    pub fn holders(&self) -> u32 {
        self.holders
    }

    /// It is the writing end of a pipe that nobody reads.
    pub(in crate::linux) fn has_no_reader<I: Image>(&self, all: &Processes<I>) -> bool {
        match &self.object {
            Object::PipeWrite(pipe) => all.pipe(pipe).is_some_and(|pipe| !pipe.has_reader),
            _ => false,
        }
    }
}

/// A pipe. It exists as long as one of its ends does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipe {
    /// Bytes written and not yet read.
    pub data: Arc<[u8]>,
    /// Somebody could read.
    pub has_reader: bool,
    /// Somebody could write.
    pub has_writer: bool,
}

impl<I: Image> Processes<I> {
    pub(super) fn description(&self, process: &Process<I>, fd: Fd) -> Option<&Description> {
        self.descriptions.get(&process.slots.get(&fd)?.description)
    }

    pub(super) fn read_would_block(&self, process: &Process<I>, fd: Fd) -> Option<&'static str> {
        match &self.description(process, fd)?.object {
            Object::PipeRead(pipe) => {
                let pipe = self.pipes.get(pipe)?;
                (pipe.data.is_empty() && pipe.has_writer).then_some("the pipe is empty")
            }
            _ => None,
        }
    }

    pub(super) fn write_would_block(
        &self,
        process: &Process<I>,
        fd: Fd,
        size: usize,
    ) -> Option<&'static str> {
        match &self.description(process, fd)?.object {
            Object::PipeWrite(pipe) => {
                let pipe = self.pipes.get(pipe)?;
                let room = PIPE_CAPACITY - pipe.data.len();
                let fits = if size <= PIPE_BUF {
                    size <= room
                } else {
                    room > 0
                };
                (pipe.has_reader && !fits).then_some("the pipe is full")
            }
            _ => None,
        }
    }

    /// A name of birth for a thing that this process makes.
    pub(super) fn birth(&mut self, name: &str) -> Text {
        let Some(process) = self.table.get_mut(name).map(Arc::make_mut) else {
            return "".into();
        };
        process.things_made += 1;
        format!("{name}#{}", process.things_made).into()
    }

    /// Puts a description into the lowest free descriptor (`open(2)`).
    pub(super) fn install(
        &mut self,
        name: &Text,
        mut description: Description,
        close_on_exec: bool,
    ) -> Option<Fd> {
        let fd = self.free_descriptor(name, 0)?;
        let id = DescriptionId(self.birth(name));
        description.holders = 1;
        self.descriptions.insert(id.clone(), description);
        self.put(
            name,
            fd,
            Slot {
                description: id,
                close_on_exec,
            },
        );
        Some(fd)
    }

    pub(super) fn free_descriptor(&self, name: &str, from: Fd) -> Option<Fd> {
        let slots = &self.table.get(name)?.slots;
        (from..MAX_FD).find(|fd| !slots.contains_key(fd))
    }

    fn put(&mut self, name: &str, fd: Fd, slot: Slot) {
        if let Some(process) = self.table.get_mut(name) {
            Arc::make_mut(&mut Arc::make_mut(process).slots).insert(fd, slot);
        }
    }

    pub(super) fn set_slots(&mut self, name: &str, slots: BTreeMap<Fd, Slot>) {
        if let Some(process) = self.table.get_mut(name) {
            Arc::make_mut(process).slots = Arc::new(slots);
        }
    }

    pub(super) fn make_pipe(&mut self, name: &Text) -> Result<(Fd, Fd), Errno> {
        let first = self.free_descriptor(name, 0).ok_or(Errno::EMFILE)?;
        self.free_descriptor(name, first + 1).ok_or(Errno::EMFILE)?;
        let pipe = self.birth(name);
        let empty = Pipe {
            data: Arc::from([]),
            has_reader: true,
            has_writer: true,
        };
        self.pipes.insert(pipe.clone(), empty);
        let read = self.install(
            name,
            Description::new(Object::PipeRead(pipe.clone())),
            false,
        );
        let write = self.install(name, Description::new(Object::PipeWrite(pipe)), false);
        read.zip(write).ok_or(Errno::EMFILE)
    }

    /// `fork` copies the table; each description has one holder more.
    pub(super) fn share_descriptions(&mut self, slots: &BTreeMap<Fd, Slot>) {
        for slot in slots.values() {
            if let Some(description) = self.descriptions.get_mut(&slot.description) {
                description.holders += 1;
            }
        }
    }

    pub(super) fn close(&mut self, name: &str, fd: Fd) -> Result<(), Errno> {
        let process = self
            .table
            .get_mut(name)
            .map(Arc::make_mut)
            .ok_or(Errno::EBADF)?;
        let slot = Arc::make_mut(&mut process.slots)
            .remove(&fd)
            .ok_or(Errno::EBADF)?;
        self.drop_holder(&slot.description);
        Ok(())
    }

    /// `dup2(2)`: the old meaning of `to` is closed; the copy survives `execve`.
    pub(super) fn dup2(&mut self, name: &str, from: Fd, to: Fd) -> Result<Fd, Errno> {
        let slots = &self.table.get(name).ok_or(Errno::EBADF)?.slots;
        let mut slot = slots.get(&from).cloned().ok_or(Errno::EBADF)?;
        if to >= MAX_FD {
            return Err(Errno::EBADF);
        }
        if from == to {
            return Ok(to);
        }
        slot.close_on_exec = false;
        self.duplicate(name, slot, to);
        Ok(to)
    }

    /// `fcntl(fd, F_DUPFD_CLOEXEC, 10)`.
    pub(super) fn save(&mut self, name: &str, fd: Fd) -> Result<Fd, Errno> {
        let slots = &self.table.get(name).ok_or(Errno::EBADF)?.slots;
        let mut slot = slots.get(&fd).cloned().ok_or(Errno::EBADF)?;
        let to = self.free_descriptor(name, SAVED_FD).ok_or(Errno::EMFILE)?;
        slot.close_on_exec = true;
        self.duplicate(name, slot, to);
        Ok(to)
    }

    fn duplicate(&mut self, name: &str, slot: Slot, to: Fd) {
        if let Some(description) = self.descriptions.get_mut(&slot.description) {
            description.holders += 1;
        }
        // Nothing to close is not an error here.
        let _ = self.close(name, to);
        self.put(name, to, slot);
    }

    pub(super) fn drop_holder(&mut self, id: &DescriptionId) {
        let Some(description) = self.descriptions.get_mut(id) else {
            return;
        };
        description.holders -= 1;
        if description.holders > 0 {
            return;
        }
        let Some(description) = self.descriptions.remove(id) else {
            return;
        };
        match description.object {
            Object::PipeRead(pipe) => self.close_end(&pipe, |pipe| pipe.has_reader = false),
            Object::PipeWrite(pipe) => self.close_end(&pipe, |pipe| pipe.has_writer = false),
            Object::File { inode, .. } | Object::Directory { inode, .. } => {
                self.release_inode(&inode);
            }
            Object::Null | Object::Given(_) | Object::Terminal(_) => {}
        }
    }

    fn close_end(&mut self, name: &Text, close: impl FnOnce(&mut Pipe)) {
        let Some(pipe) = self.pipes.get_mut(name) else {
            return;
        };
        close(pipe);
        if !pipe.has_reader && !pipe.has_writer {
            self.pipes.remove(name);
        }
    }

    /// Forgets an inode without a name once no description and no working directory holds it.
    pub(super) fn release_inode(&mut self, id: &InodeId) {
        let open = self
            .descriptions
            .values()
            .any(|description| match &description.object {
                Object::File { inode, .. } | Object::Directory { inode, .. } => inode == id,
                _ => false,
            });
        if !open && !self.table.values().any(|process| process.cwd == *id) {
            self.fs.release(id);
        }
    }

    pub(super) fn read(&mut self, name: &str, fd: Fd, max: usize) -> Result<Arc<[u8]>, Errno> {
        let process = self.table.get(name).ok_or(Errno::EBADF)?;
        let id = process
            .slots
            .get(&fd)
            .ok_or(Errno::EBADF)?
            .description
            .clone();
        let description = self.descriptions.get_mut(&id).ok_or(Errno::EBADF)?;
        if !description.read {
            return Err(Errno::EBADF);
        }
        let all: &[u8] = match &description.object {
            Object::Null | Object::Terminal(_) => &[],
            Object::Given(data) => data,
            Object::File { inode, .. } => self.fs.file(inode).map_or(&[], |file| &file.data),
            Object::Directory { .. } => return Err(Errno::EISDIR),
            Object::PipeWrite(_) => return Err(Errno::EBADF),
            Object::PipeRead(pipe) => {
                let pipe = self.pipes.get_mut(pipe).ok_or(Errno::EBADF)?;
                let count = max.min(pipe.data.len());
                let (data, rest): (Arc<[u8]>, Arc<[u8]>) =
                    (pipe.data[..count].into(), pipe.data[count..].into());
                pipe.data = rest;
                return Ok(data);
            }
        };
        let start = description.offset.min(all.len());
        let data = &all[start..all.len().min(start.saturating_add(max))];
        description.offset = start + data.len();
        Ok(data.into())
    }

    /// One `write`: how many bytes went, and what that was. Less than all only into a pipe that fills up.
    pub(super) fn write(
        &mut self,
        name: &str,
        fd: Fd,
        data: &Arc<[u8]>,
    ) -> Result<(usize, Option<Effect>), Errno> {
        let process = self.table.get(name).ok_or(Errno::EBADF)?;
        let id = process
            .slots
            .get(&fd)
            .ok_or(Errno::EBADF)?
            .description
            .clone();
        let description = self.descriptions.get_mut(&id).ok_or(Errno::EBADF)?;
        if !description.write {
            return Err(Errno::EBADF);
        }
        match &description.object {
            Object::Null => Ok((data.len(), None)),
            Object::Terminal(stream) => {
                let printed = Effect::Printed {
                    stream: stream.clone(),
                    data: data.clone(),
                };
                Ok((data.len(), Some(printed)))
            }
            Object::File { inode, path } => {
                let at = (!description.append).then_some(description.offset);
                description.offset = self.fs.write(inode, at, data)?;
                let bytes = data.len() as u64;
                Ok((
                    data.len(),
                    Some(Effect::Wrote {
                        path: path.clone(),
                        bytes,
                    }),
                ))
            }
            Object::PipeWrite(pipe) => {
                let pipe = self.pipes.get_mut(pipe).ok_or(Errno::EBADF)?;
                if !pipe.has_reader {
                    return Err(Errno::EPIPE);
                }
                let count = data.len().min(PIPE_CAPACITY - pipe.data.len());
                pipe.data = [&pipe.data, &data[..count]].concat().into();
                Ok((count, None))
            }
            Object::Given(_) | Object::Directory { .. } | Object::PipeRead(_) => Err(Errno::EBADF),
        }
    }
}
