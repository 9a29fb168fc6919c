//! Simple commands (POSIX 2.9.1): function, builtin, or a program found in `PATH`.

use std::sync::Arc;

use super::super::errno::Errno;
use super::super::fs::Kind;
use super::super::syscall::{Env, OpenFlags, Text, WaitFor};
use super::ast::{Argument, Assignment, Command, Redirect, Shared};
use super::eval::{Frame, Tail, redirects_stdin};
use super::variables::Saved;
use super::{Cx, Go, Leave, ParseError, Shell, builtin, parse_script};

/// Where a command was found.
pub(super) enum Found {
    /// This path, which need not exist if it was typed.
    At(Text),
    /// Nowhere.
    Nowhere,
}

impl Shell {
    pub(super) fn simple(
        &mut self,
        cx: &mut Cx<'_, '_>,
        assignments: &[Assignment],
        words: &[Argument],
        redirects: &[Redirect],
        in_place: bool,
    ) -> Go<()> {
        let words = self.arguments(cx, words)?;
        let Some(name) = words.first().cloned() else {
            return self.only_assignments(cx, assignments, redirects);
        };
        if let Some(body) = self.functions.get(&name).cloned() {
            return self.call(cx, assignments, &words, redirects, &body);
        }
        if builtin::is_builtin(&name) {
            return self.run_builtin(cx, assignments, words, redirects, true);
        }
        self.external(cx, assignments, &words, redirects, in_place)
    }

    fn only_assignments(
        &mut self,
        cx: &mut Cx<'_, '_>,
        assignments: &[Assignment],
        redirects: &[Redirect],
    ) -> Go<()> {
        for assignment in assignments {
            let value = self.assigned(cx, assignment)?;
            self.set(cx.memory, &assignment.name, value);
        }
        if let Some(saved) = self.redirect_and_save(cx, redirects)? {
            self.restore_descriptors(cx, &saved)?;
            self.ended(self.substituted.unwrap_or(0));
        } else {
            self.ended(1);
        }
        Ok(())
    }

    /// Sets variables for one command, exported; what they were comes back for [`Shell::restore`].
    fn assign_for(&mut self, cx: &mut Cx<'_, '_>, assignments: &[Assignment]) -> Go<Vec<Saved>> {
        let mut saved = Vec::new();
        for assignment in assignments {
            let value = self.assigned(cx, assignment)?;
            saved.push(self.save(cx.memory, &assignment.name));
            let hashed = self.hashed.clone();
            self.export(cx.memory, &assignment.name);
            self.set(cx.memory, &assignment.name, value);
            // For one command only: what was found before is not forgotten.
            self.hashed = hashed;
        }
        Ok(saved)
    }

    fn call(
        &mut self,
        cx: &mut Cx<'_, '_>,
        assignments: &[Assignment],
        words: &[Text],
        redirects: &[Redirect],
        body: &Shared<Command>,
    ) -> Go<()> {
        let Some(saved) = self.redirect_and_save(cx, redirects)? else {
            self.ended(1);
            return Ok(());
        };
        if !saved.is_empty() {
            self.frames.push(Frame::Restore {
                saved,
                keeps_stdin: self.keeps_stdin,
            });
            self.keeps_stdin |= redirects_stdin(redirects);
        }
        let locals = self.assign_for(cx, assignments)?;
        let positional = std::mem::replace(&mut self.positional, words[1..].into());
        self.frames.push(Frame::Call { positional, locals });
        self.frames.push(Frame::Command {
            command: body.clone(),
            in_place: false,
        });
        Ok(())
    }

    /// Runs a builtin with its assignments and redirections. Those of `exec` stay.
    pub(super) fn run_builtin(
        &mut self,
        cx: &mut Cx<'_, '_>,
        assignments: &[Assignment],
        words: Vec<Text>,
        redirects: &[Redirect],
        checked: bool,
    ) -> Go<()> {
        let is_exec = &*words[0] == "exec";
        let saved = if is_exec {
            if !self.redirect(cx, redirects)? {
                self.status = 1;
                self.unwind = Some(super::eval::Unwind::Exit);
                return Ok(());
            }
            Vec::new()
        } else {
            match self.redirect_and_save(cx, redirects)? {
                Some(saved) => saved,
                None => {
                    self.ended(1);
                    return Ok(());
                }
            }
        };
        let variables = self.assign_for(cx, assignments)?;
        let frames = self.frames.len();
        let status = self.builtin(cx, &words)?;
        if self.frames.len() > frames {
            // `source` and `eval` have put their commands on the stack: what they run under is undone after them.
            let pushed = self.frames.split_off(frames);
            if !saved.is_empty() {
                self.frames.push(Frame::Restore {
                    saved,
                    keeps_stdin: self.keeps_stdin,
                });
            }
            if !variables.is_empty() {
                self.frames.push(Frame::Variables(variables));
            }
            self.frames.extend(pushed);
            return Ok(());
        }
        self.restore(cx.memory, &variables);
        self.restore_descriptors(cx, &saved)?;
        if checked {
            self.ended(status);
        } else {
            self.status = status;
        }
        Ok(())
    }

    fn external(
        &mut self,
        cx: &mut Cx<'_, '_>,
        assignments: &[Assignment],
        words: &[Text],
        redirects: &[Redirect],
        in_place: bool,
    ) -> Go<()> {
        let before = (self.variables.clone(), self.exported_unset.clone());
        let memory = cx.memory.clone();
        let saved = self.assign_for(cx, assignments)?;
        let changes_path = saved.iter().any(|saved| saved.name() == "PATH");
        let found = self.find(cx, &words[0], !changes_path)?;
        let child = match in_place {
            true => None,
            false => cx.io.fork(program_label(&words[0]))?,
        };
        let Some(child) = child else {
            if !self.redirect(cx, redirects)? {
                return Ok(cx.io.exit(1)?);
            }
            return self.execute(cx, found, words.to_vec());
        };
        (self.variables, self.exported_unset) = before;
        *cx.memory = memory;
        let ended = cx.io.wait(WaitFor::Child(child))?;
        self.ended(ended.map_or(127, |(_, ended)| ended.shell_status()));
        Ok(())
    }

    /// Looks for a command: as typed if it has a slash, else where it was found before, else in each directory of `PATH`
    /// with a `stat`. A remembered place is not checked (bash manual, `checkhash`).
    pub(super) fn find(&mut self, cx: &mut Cx<'_, '_>, name: &Text, remembers: bool) -> Go<Found> {
        if name.contains('/') {
            return Ok(Found::At(name.clone()));
        }
        if let Some(path) = self.hashed.get(name).filter(|_| remembers) {
            return Ok(Found::At(path.clone()));
        }
        let Some(path) = self
            .variable(cx.memory, "PATH")
            .cloned()
            .filter(|path| !path.is_empty())
        else {
            // No PATH: the name itself is executed (bash, `find_user_command_internal`).
            return Ok(Found::At(name.clone()));
        };
        let mut not_executable = None;
        for directory in path.split(':') {
            let directory = if directory.is_empty() { "." } else { directory };
            let candidate: Text = format!("{}/{name}", directory.trim_end_matches('/')).into();
            let Ok(stat) = cx.io.stat(&candidate, true)? else {
                continue;
            };
            if stat.kind == Kind::Directory {
                continue;
            }
            if !stat.executable {
                not_executable.get_or_insert(candidate);
                continue;
            }
            return Ok(self.found(name, candidate, remembers));
        }
        // A file that cannot be executed is taken, and remembered, if there is nothing better.
        Ok(match not_executable {
            Some(path) => self.found(name, path, remembers),
            None => Found::Nowhere,
        })
    }

    fn found(&mut self, name: &Text, path: Text, remembers: bool) -> Found {
        if remembers && path.starts_with('/') {
            Arc::make_mut(&mut self.hashed).insert(name.clone(), path.clone());
        }
        Found::At(path)
    }

    /// Becomes another program; says why not, and ends.
    pub(super) fn execute<T>(
        &mut self,
        cx: &mut Cx<'_, '_>,
        found: Found,
        words: Vec<Text>,
    ) -> Go<T> {
        let name = words.first().cloned().unwrap_or_default();
        let Found::At(path) = found else {
            self.complain(cx, &format!("{name}: command not found"))?;
            return Ok(cx.io.exit(127)?);
        };
        let env = with_path(&cx.memory.env, &path);
        let errno = cx.io.exec(&path, words.clone(), &env)?;
        let status = self.not_executed(cx, &path, words, errno)?;
        Ok(cx.io.exit(status)?)
    }

    /// After `execve` failed: the message and the status (bash, `shell_execve`). A text file without `#!` is run by this
    /// shell, as POSIX asks.
    pub(super) fn not_executed(
        &mut self,
        cx: &mut Cx<'_, '_>,
        path: &Text,
        words: Vec<Text>,
        errno: Errno,
    ) -> Go<u8> {
        let status = if errno == Errno::ENOENT { 127 } else { 126 };
        if errno == Errno::ENOEXEC {
            return self.run_text(cx, path, words);
        }
        let stat = cx.io.stat(path, true)?;
        let message = match stat {
            Ok(stat) if stat.kind == Kind::Directory => format!("{path}: Is a directory"),
            Ok(_) if errno == Errno::ENOENT => {
                format!("{path}: cannot execute: required file not found")
            }
            _ => format!("{path}: {errno}"),
        };
        self.complain(cx, &message)?;
        Ok(status)
    }

    fn run_text(&mut self, cx: &mut Cx<'_, '_>, path: &Text, words: Vec<Text>) -> Go<u8> {
        let data = match cx.io.open(path, OpenFlags::READ)? {
            Ok(fd) => {
                let data = cx.io.slurp(fd)?.unwrap_or_default();
                let _ = cx.io.close(fd)?;
                data
            }
            Err(errno) => {
                self.complain(cx, &format!("{path}: {errno}"))?;
                return Ok(126);
            }
        };
        let first_line = data.split(|&byte| byte == b'\n').next().unwrap_or(&[]);
        if first_line.contains(&0) || first_line.starts_with(b"\x7fELF") {
            let message = format!("{path}: cannot execute binary file: Exec format error");
            self.complain(cx, &message)?;
            return Ok(126);
        }
        let fresh = Self::with(Frame::Start, path.clone(), words[1..].into());
        *self = Self {
            keeps_stdin: self.keeps_stdin,
            ..fresh
        };
        self.frames.clear();
        self.run_script(cx, &data, Tail::No)?;
        Err(Leave::Commit)
    }

    /// Parses a script and puts it on the stack; ends the shell if it does not parse.
    pub(super) fn run_script(&mut self, cx: &mut Cx<'_, '_>, text: &[u8], tail: Tail) -> Go<()> {
        match parse_script(text) {
            Ok(block) => {
                self.frames.push(Frame::Block {
                    block,
                    next: 0,
                    tail,
                });
                Ok(())
            }
            Err(error) => {
                self.not_parsed(cx, error)?;
                Ok(cx.io.exit(2)?)
            }
        }
    }

    /// Says what is wrong with a script, or refuses it.
    pub(super) fn not_parsed(&mut self, cx: &mut Cx<'_, '_>, error: ParseError) -> Go<()> {
        match error {
            ParseError::Syntax { message, line, .. } => {
                self.line = line;
                self.complain(cx, &message)
            }
            ParseError::Refused(refused) => Err(super::super::replay::Stop(
                super::super::syscall::Syscall::Refuse(refused),
            )
            .into()),
        }
    }
}

/// The environment with `_`, the path of the command (bash manual 5.2).
pub(super) fn with_path(env: &Env, path: &Text) -> Env {
    let mut env = env.clone();
    Arc::make_mut(&mut env).insert("_".into(), path.clone());
    env
}

/// What a child that executes a command is called by: the last part of the command's name.
pub(super) fn program_label(word: &str) -> &str {
    match word.rsplit('/').next() {
        Some(name) if !name.is_empty() => name,
        _ => "command",
    }
}
