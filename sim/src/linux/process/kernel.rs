//! What each system call does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::errno::Errno;
use super::super::fs::{InodeId, Last, Node};
use super::super::syscall::{Env, ExitStatus, Signal, SysResult, Syscall, Text};
use super::descriptors::{Description, Object};
use super::{Effect, Executable, Image, Life, Memory, NotEnabled, Process, Processes, Step};

/// How a call came out, besides its effects.
enum Outcome {
    Answer(SysResult),
    /// The process is dead, asleep, a new program, or in the middle of a long write: nothing to deliver.
    Silent,
}

/// Bytes of a script's first line that the kernel looks at (`BINPRM_BUF_SIZE`).
const HASH_BANG: usize = 256;
/// Interpreters of interpreters (`execve(2)`: a fifth is `ELOOP`).
const MAX_INTERPRETERS: usize = 4;
/// `MAX_ARG_STRLEN`.
const MAX_ARGUMENT: usize = 131_072;
/// A quarter of the usual stack limit (`execve(2)`).
const MAX_ARGUMENTS: usize = 2_097_152;

impl<I: Image> Processes<I> {
    /// Makes the pending call of a process and lets its program run to the next one.
    pub fn perform(&mut self, name: &str) -> Result<Step, NotEnabled> {
        if let Some(reason) = self.blocked(name) {
            return Err(reason);
        }
        let (Some(call), Some((verb, object)), Some((name, _))) = (
            self.pending(name).cloned(),
            self.pending_op(name),
            self.table.get_key_value(name),
        ) else {
            return Err(NotEnabled::NoSuchProcess);
        };
        let name = name.clone();
        let mut effects = Vec::new();
        let outcome = match self.call(&name, call, &mut effects) {
            Ok(outcome) => outcome,
            Err(errno) => {
                effects.push(Effect::Failed { errno });
                Outcome::Answer(SysResult::Failed(errno))
            }
        };
        if let Outcome::Answer(result) = outcome {
            self.deliver(&name, result);
        }
        Ok(Step {
            process: name,
            verb,
            object,
            effects,
        })
    }

    fn call(
        &mut self,
        name: &Text,
        call: Syscall,
        effects: &mut Vec<Effect>,
    ) -> Result<Outcome, Errno> {
        let cwd = self
            .table
            .get(name)
            .map_or_else(InodeId::root, |process| process.cwd.clone());
        let done = Ok(Outcome::Answer(SysResult::Done));
        let result = match call {
            Syscall::Open { path, flags } => {
                let fd = self.free_descriptor(name, 0).ok_or(Errno::EMFILE)?;
                let birth = InodeId(self.birth(name));
                let (inode, created) = self.fs.open(&cwd, &path, flags, birth)?;
                let object = match self.fs.node(&inode) {
                    Some(Node::Directory { .. }) => Object::Directory {
                        inode,
                        path: path.clone(),
                    },
                    Some(Node::Device(super::super::fs::Device::Null)) => Object::Null,
                    Some(Node::Device(super::super::fs::Device::Terminal)) => {
                        Object::Terminal("tty".into())
                    }
                    _ => Object::File {
                        inode,
                        path: path.clone(),
                    },
                };
                let description = Description {
                    append: flags.append,
                    read: flags.read,
                    write: flags.write,
                    ..Description::new(object)
                };
                self.install(name, description, false);
                effects.push(Effect::Opened { path, created });
                SysResult::Fd(fd)
            }
            Syscall::Read { fd, max } => SysResult::Data(self.read(name, fd, max as usize)?),
            Syscall::Write { fd, data } => return self.write_call(name, fd, &data, effects),
            Syscall::Close { fd } => {
                self.close(name, fd)?;
                return done;
            }
            Syscall::Dup2 { from, to } => SysResult::Fd(self.dup2(name, from, to)?),
            Syscall::Save { fd } => SysResult::Fd(self.save(name, fd)?),
            Syscall::Pipe => {
                let (read, write) = self.make_pipe(name)?;
                SysResult::Pipe { read, write }
            }
            Syscall::Fork { label } => {
                let child = self.fork(name, &label);
                effects.push(Effect::Forked {
                    child: child.clone(),
                });
                self.deliver(&child, SysResult::ForkedChild);
                SysResult::Forked { child }
            }
            Syscall::Exec { path, argv, env } => {
                effects.push(self.exec(name, &cwd, &path, argv, env)?);
                SysResult::Start
            }
            Syscall::Wait(who) => {
                let (child, status) = self.reap(name, &who)?;
                effects.push(Effect::Reaped {
                    child: child.clone(),
                    status,
                });
                SysResult::Reaped { child, status }
            }
            Syscall::Exit(code) => {
                let status = ExitStatus::Exited(code);
                self.end(name, status);
                effects.push(Effect::Exited { status });
                return Ok(Outcome::Silent);
            }
            Syscall::Chdir(path) => {
                let to = self.fs.resolve(&cwd, &path, Last::Follow, None)?.found()?;
                if !matches!(self.fs.node(&to), Some(Node::Directory { .. })) {
                    return Err(Errno::ENOTDIR);
                }
                if let Some(process) = self.table.get_mut(name) {
                    Arc::make_mut(process).cwd = to;
                }
                self.release_inode(&cwd);
                return done;
            }
            Syscall::Getcwd => SysResult::Path(self.fs.path_of(&cwd)?),
            Syscall::Stat { path, follow } => {
                let last = if follow { Last::Follow } else { Last::Keep };
                // A miss is an ordinary answer, asked for on purpose: no effect.
                match self.fs.stat(&cwd, &path, last) {
                    Ok(stat) => SysResult::Stat(stat),
                    Err(errno) => SysResult::Failed(errno),
                }
            }
            Syscall::Readlink(path) => match self.fs.readlink(&cwd, &path) {
                Ok(target) => SysResult::Path(target),
                Err(errno) => SysResult::Failed(errno),
            },
            Syscall::Symlink { target, path } => {
                let birth = InodeId(self.birth(name));
                self.fs.symlink(&cwd, &target, &path, birth)?;
                effects.push(Effect::Linked { path, target });
                return done;
            }
            Syscall::Unlink(path) => {
                let gone = self.fs.unlink(&cwd, &path)?;
                self.release_inode(&gone);
                effects.push(Effect::Removed { path });
                return done;
            }
            Syscall::Rmdir(path) => {
                let gone = self.fs.rmdir(&cwd, &path)?;
                self.release_inode(&gone);
                effects.push(Effect::Removed { path });
                return done;
            }
            Syscall::Rename {
                from,
                to,
                no_replace,
            } => {
                if let Some(gone) = self.fs.rename(&cwd, &from, &to, no_replace)? {
                    self.release_inode(&gone);
                }
                effects.push(Effect::Renamed { from, to });
                return done;
            }
            Syscall::Mkdir(path) => {
                let birth = InodeId(self.birth(name));
                self.fs.mkdir(&cwd, &path, birth)?;
                effects.push(Effect::MadeDirectory { path });
                return done;
            }
            Syscall::Readdir(path) => SysResult::Entries(self.fs.readdir(&cwd, &path)?),
            Syscall::Chmod { path, executable } => {
                self.fs.chmod(&cwd, &path, executable)?;
                return done;
            }
            Syscall::Isatty(fd) => {
                let process = self.table.get(name).ok_or(Errno::EBADF)?;
                match &self.description(process, fd).ok_or(Errno::EBADF)?.object {
                    Object::Terminal(_) => SysResult::Done,
                    _ => SysResult::Failed(Errno::ENOTTY),
                }
            }
            Syscall::Nanosleep(nanoseconds) => {
                if let Some(process) = self.table.get_mut(name).map(Arc::make_mut)
                    && let Life::Running { image, .. } = &process.life
                {
                    process.life = Life::Sleeping {
                        image: image.clone(),
                    };
                }
                effects.push(Effect::Sleeps { nanoseconds });
                return Ok(Outcome::Silent);
            }
            Syscall::Refuse(refused) => {
                self.refused.push(refused.clone());
                self.refused.sort();
                effects.push(Effect::Refused(refused));
                let status = ExitStatus::Exited(2);
                self.end(name, status);
                effects.push(Effect::Exited { status });
                return Ok(Outcome::Silent);
            }
        };
        Ok(Outcome::Answer(result))
    }

    /// A write answers when all is written. A long one into a pipe goes in pieces, between which others may run.
    fn write_call(
        &mut self,
        name: &Text,
        fd: u32,
        data: &Arc<[u8]>,
        effects: &mut Vec<Effect>,
    ) -> Result<Outcome, Errno> {
        let so_far = match self.table.get(name).map(|process| &process.life) {
            Some(Life::Running { written, .. }) => *written as usize,
            _ => 0,
        };
        let rest: Arc<[u8]> = if so_far == 0 {
            data.clone()
        } else {
            data[so_far..].into()
        };
        let (count, effect) = match self.write(name, fd, &rest) {
            Ok(done) => done,
            Err(Errno::EPIPE) => {
                effects.push(Effect::Failed {
                    errno: Errno::EPIPE,
                });
                effects.push(self.kill(name, Signal::Pipe));
                return Ok(Outcome::Silent);
            }
            Err(errno) => return Err(errno),
        };
        effects.extend(effect);
        if count < rest.len() {
            if let Some(process) = self.table.get_mut(name).map(Arc::make_mut)
                && let Life::Running { written, .. } = &mut process.life
            {
                *written = (so_far + count) as u64;
            }
            return Ok(Outcome::Silent);
        }
        Ok(Outcome::Answer(SysResult::Count(data.len() as u64)))
    }

    fn fork(&mut self, name: &Text, label: &Text) -> Text {
        let Some(parent) = self.table.get_mut(name).map(Arc::make_mut) else {
            return "".into();
        };
        parent.children_born += 1;
        let of_label = parent.born.entry(label.clone()).or_default();
        *of_label += 1;
        let child: Text = format!("{name}/{label}-{of_label}").into();
        let copy = Process {
            memory: Memory {
                name: child.clone(),
                ..parent.memory.clone()
            },
            parent: Some(name.clone()),
            ordinal: parent.children_born,
            root: false,
            children_born: 0,
            born: BTreeMap::new(),
            things_made: 0,
            ..parent.clone()
        };
        let slots = copy.slots.clone();
        self.share_descriptions(&slots);
        self.table.insert(child.clone(), Arc::new(copy));
        child
    }

    fn exec(
        &mut self,
        name: &Text,
        cwd: &InodeId,
        path: &Text,
        argv: Arc<[Text]>,
        env: Env,
    ) -> Result<Effect, Errno> {
        let sizes = argv.iter().map(|argument| argument.len()).chain(
            env.iter()
                .map(|(variable, value)| variable.len() + value.len() + 1),
        );
        let mut total = 0usize;
        for size in sizes {
            total += size + 1;
            if size >= MAX_ARGUMENT || total > MAX_ARGUMENTS {
                return Err(Errno::E2BIG);
            }
        }
        let (executable, argv) = self.find_executable(cwd, path, argv)?;
        let memory = Memory {
            name: name.clone(),
            argv: argv.clone(),
            env,
        };
        let image = I::load(&executable, &memory).ok_or(Errno::ENOEXEC)?;
        let Some(process) = self.table.get_mut(name).map(Arc::make_mut) else {
            return Err(Errno::ENOENT);
        };
        process.memory = memory;
        process.life = Life::Running {
            image,
            pending: Syscall::Getcwd,
            written: 0,
        };
        let (closed, kept): (BTreeMap<_, _>, BTreeMap<_, _>) = std::mem::take(&mut process.slots)
            .iter()
            .map(|(fd, slot)| (*fd, slot.clone()))
            .partition(|(_, slot)| slot.close_on_exec);
        process.slots = Arc::new(kept);
        for slot in closed.values() {
            self.drop_holder(&slot.description);
        }
        let Executable {
            real_path,
            image,
            version,
            ..
        } = executable;
        Ok(Effect::Executed {
            path: path.clone(),
            real_path,
            image,
            version,
            argv,
        })
    }

    /// `execve`'s search for a program it can run, through `#!` lines; with the arguments as the program gets them.
    pub(super) fn find_executable(
        &self,
        cwd: &InodeId,
        path: &Text,
        argv: Arc<[Text]>,
    ) -> Result<(Executable, Arc<[Text]>), Errno> {
        let mut path = path.clone();
        let mut argv = argv;
        for _ in 0..=MAX_INTERPRETERS {
            let place = self.fs.resolve(cwd, &path, Last::Follow, None)?;
            let directory = place.directory.clone();
            let last = place.name.clone();
            let inode = place.found()?;
            let file = self.fs.file(&inode).filter(|file| file.executable);
            let file = file.ok_or(Errno::EACCES)?;
            if let Some(image) = file.image() {
                let above = self.fs.path_of(&directory)?;
                let real_path = format!("{}/{last}", above.trim_end_matches('/')).into();
                let executable = Executable {
                    path,
                    real_path,
                    image: image.into(),
                    version: file.version().map(Into::into),
                };
                return Ok((executable, argv));
            }
            let (interpreter, argument) = hash_bang(&file.data).ok_or(Errno::ENOEXEC)?;
            let mut longer = vec![interpreter.clone()];
            longer.extend(argument);
            longer.push(path);
            longer.extend(argv.iter().skip(1).cloned());
            argv = longer.into();
            path = interpreter;
        }
        Err(Errno::ELOOP)
    }
}

/// The interpreter and its one argument from a first line `#! interpreter argument` (`execve(2)`).
pub(in crate::linux) fn hash_bang(data: &[u8]) -> Option<(Text, Option<Text>)> {
    let line = data.get(..data.len().min(HASH_BANG))?.strip_prefix(b"#!")?;
    let line = line.split(|&byte| byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim_matches([' ', '\t']);
    let (interpreter, argument) = match line.split_once([' ', '\t']) {
        Some((interpreter, argument)) => (interpreter, Some(argument.trim_matches([' ', '\t']))),
        None => (line, None),
    };
    (!interpreter.is_empty()).then(|| (interpreter.into(), argument.map(Into::into)))
}
