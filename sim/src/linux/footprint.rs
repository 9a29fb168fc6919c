//! Which resources a pending call reads and writes.
//!
//! Two pending calls of different processes whose footprints do not overlap (no resource that one writes is read or
//! written by the other) commute *in this state*: both orders lead to equal states and give both the same answers.
//! Footprints are computed for one state and valid in it. Resources have names:
//!
//! | name | what |
//! |---|---|
//! | `/usr/local/go` | a directory entry, present or missing |
//! | `DIRECTORY/*` | the set of names in a directory: written by who lists it, only *read* by who adds or removes a name |
//! | `DIRECTORY/..` | where a directory hangs and what it is called |
//! | `data:INODE` | content and mode of a file |
//! | `offset:DESCRIPTION` | the offset that several descriptors share |
//! | `pipe:PIPE` | bytes in a pipe |
//! | `readers:PIPE`, `writers:PIPE` | whether it has any: written by closing the last one, read by closing another one |
//! | `children:PROCESS` | the dead children of a process: written by `wait`, only read by a child that ends |
//! | `exit:PROCESS` | that it ended |
//! | `terminal` | the order of what is printed |

use super::fs::resolve as names;
use super::fs::{FileSystem, InodeId, Last, Node, Resolved};
use super::process::{Image, Object, Processes};
use super::syscall::{Fd, Syscall, Text, WaitFor};

/// What a call reads and writes, by resource name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Footprint {
    /// Looked at.
    pub reads: Vec<Text>,
    /// Changed.
    pub writes: Vec<Text>,
}

impl Footprint {
    /// The two calls may not commute.
    pub fn overlaps(&self, other: &Self) -> bool {
        let touches = |a: &Self, b: &Self| {
            a.writes
                .iter()
                .any(|name| b.writes.contains(name) || b.reads.contains(name))
        };
        touches(self, other) || touches(other, self)
    }

    fn read(&mut self, name: impl Into<Text>) {
        self.reads.push(name.into());
    }

    fn write(&mut self, name: impl Into<Text>) {
        self.writes.push(name.into());
    }

    fn resolve(
        &mut self,
        fs: &FileSystem,
        cwd: &InodeId,
        path: &str,
        last: Last,
    ) -> Option<Resolved> {
        fs.resolve(cwd, path, last, Some(&mut self.reads)).ok()
    }

    /// Follows a path to its inode, and reads what is in it.
    fn look(&mut self, fs: &FileSystem, cwd: &InodeId, path: &str, last: Last) -> Option<InodeId> {
        let inode = self.resolve(fs, cwd, path, last)?.inode?;
        self.read(names::content_name(&inode));
        Some(inode)
    }

    /// Adds, replaces or removes the entry at a path.
    fn change_entry(
        &mut self,
        fs: &FileSystem,
        cwd: &InodeId,
        path: &str,
        last: Last,
    ) -> Option<Resolved> {
        let place = self.resolve(fs, cwd, path, last)?;
        self.write(names::entry_name(&place.directory, &place.name));
        self.read(names::list_name(&place.directory));
        if let Some(inode) = &place.inode
            && matches!(fs.node(inode), Some(Node::Directory { .. }))
        {
            self.write(names::list_name(inode));
            self.write(names::parent_name(inode));
        }
        Some(place)
    }

    /// Reads where a directory hangs, up to the root.
    fn ancestry(&mut self, fs: &FileSystem, from: &InodeId) {
        let mut at = from.clone();
        loop {
            self.read(names::parent_name(&at));
            match fs.node(&at) {
                Some(Node::Directory { parent, .. }) if *parent != at => at = parent.clone(),
                _ => return,
            }
        }
    }
}

impl<I: Image> Processes<I> {
    /// The footprint of the pending call of a process, in this state. Empty for a process that has none.
    pub fn footprint(&self, name: &str) -> Footprint {
        let mut print = Footprint::default();
        if let Some(call) = self.pending(name) {
            self.add_footprint(name, call, &mut print);
        }
        print
    }

    fn add_footprint(&self, name: &str, call: &Syscall, print: &mut Footprint) {
        let fs = &self.fs;
        let cwd = &self.cwd(name);
        match call {
            Syscall::Open { path, flags } => {
                let last = if flags.create && flags.exclusive {
                    Last::Keep
                } else {
                    Last::Follow
                };
                let Some(place) = print.resolve(fs, cwd, path, last) else {
                    return;
                };
                match &place.inode {
                    None if flags.create => {
                        print.write(names::entry_name(&place.directory, &place.name));
                        print.read(names::list_name(&place.directory));
                    }
                    Some(inode) if flags.truncate => print.write(names::content_name(inode)),
                    _ => {}
                }
            }
            Syscall::Read { fd, .. } => self.transfer(name, *fd, false, print),
            Syscall::Write { fd, .. } => self.transfer(name, *fd, true, print),
            Syscall::Close { fd } | Syscall::Dup2 { to: fd, .. } => {
                self.closing(name, *fd, 1, print)
            }
            Syscall::Save { .. }
            | Syscall::Pipe
            | Syscall::Fork { .. }
            | Syscall::Isatty(_)
            | Syscall::Nanosleep(_) => {}
            Syscall::Exec { path, argv, .. } => {
                let mut path = path.clone();
                for _ in 0..=argv.len().min(5) + 5 {
                    let Some(inode) = print.look(fs, cwd, &path, Last::Follow) else {
                        break;
                    };
                    let file = fs.file(&inode).filter(|file| file.image().is_none());
                    match file.and_then(|file| super::process::hash_bang(&file.data)) {
                        Some((interpreter, _)) => path = interpreter,
                        None => break,
                    }
                }
                // The real path is learnt on the way.
                if let Ok(place) = fs.resolve(cwd, &path, Last::Follow, None) {
                    print.ancestry(fs, &place.directory);
                }
                for fd in self.closed_by_exec(name) {
                    self.closing(name, fd, self.uses(name, fd), print);
                }
            }
            Syscall::Wait(WaitFor::Any) => print.write(format!("children:{name}")),
            Syscall::Wait(WaitFor::Child(child)) => print.read(format!("exit:{child}")),
            Syscall::Exit(_) => self.ending(name, print),
            Syscall::Refuse(_) => {
                print.write("refused");
                self.ending(name, print);
            }
            Syscall::Chdir(path) => drop(print.resolve(fs, cwd, path, Last::Follow)),
            Syscall::Getcwd => print.ancestry(fs, cwd),
            Syscall::Stat { path, follow } => {
                let last = if *follow { Last::Follow } else { Last::Keep };
                print.look(fs, cwd, path, last);
            }
            Syscall::Readlink(path) => drop(print.resolve(fs, cwd, path, Last::Keep)),
            Syscall::Symlink { path, .. }
            | Syscall::Unlink(path)
            | Syscall::Rmdir(path)
            | Syscall::Mkdir(path) => drop(print.change_entry(fs, cwd, path, Last::Name)),
            Syscall::Rename { from, to, .. } => {
                let old = print.change_entry(fs, cwd, from, Last::Name);
                let new = print.change_entry(fs, cwd, to, Last::Name);
                if let (Some(old), Some(new)) = (old, new)
                    && old
                        .inode
                        .is_some_and(|id| matches!(fs.node(&id), Some(Node::Directory { .. })))
                {
                    print.ancestry(fs, &new.directory);
                }
            }
            Syscall::Readdir(path) => {
                if let Some(inode) = print
                    .resolve(fs, cwd, path, Last::Follow)
                    .and_then(|p| p.inode)
                {
                    print.write(names::list_name(&inode));
                }
            }
            Syscall::Chmod { path, .. } => {
                if let Some(inode) = print.look(fs, cwd, path, Last::Follow) {
                    print.write(names::content_name(&inode));
                }
            }
        }
    }

    fn transfer(&self, name: &str, fd: Fd, writes: bool, print: &mut Footprint) {
        let Some((id, description)) = self.open_description(name, fd) else {
            return;
        };
        match &description.object {
            Object::Null | Object::Directory { .. } => {}
            Object::Terminal(_) if !writes => {}
            Object::Terminal(_) => print.write("terminal"),
            Object::Given(_) => print.write(format!("offset:{id}")),
            Object::File { inode, .. } => {
                print.write(format!("offset:{id}"));
                match writes {
                    true => print.write(names::content_name(inode)),
                    false => print.read(names::content_name(inode)),
                }
            }
            Object::PipeRead(pipe) => {
                print.write(format!("pipe:{pipe}"));
                print.read(format!("writers:{pipe}"));
            }
            Object::PipeWrite(pipe) => {
                print.write(format!("pipe:{pipe}"));
                print.read(format!("readers:{pipe}"));
                if description.has_no_reader(self) {
                    self.ending(name, print); // SIGPIPE
                }
            }
        }
    }

    /// Closing `count` descriptors of the one description behind `fd`.
    fn closing(&self, name: &str, fd: Fd, count: u32, print: &mut Footprint) {
        let Some((_, description)) = self.open_description(name, fd) else {
            return;
        };
        let resource = match &description.object {
            Object::PipeRead(pipe) => format!("readers:{pipe}"),
            Object::PipeWrite(pipe) => format!("writers:{pipe}"),
            _ => return,
        };
        if description.holders() <= count {
            print.write(resource)
        } else {
            print.read(resource)
        }
    }

    fn ending(&self, name: &str, print: &mut Footprint) {
        for fd in self.open_descriptors(name) {
            self.closing(name, fd, self.uses(name, fd), print);
        }
        if let Some(parent) = self.parent(name) {
            print.read(format!("children:{parent}"));
        }
        print.write(format!("exit:{name}"));
        if self.has_children(name) {
            print.write(format!("children:{name}"));
        }
    }
}

#[cfg(all(test, feature = "shell"))]
mod tests;
