//! What a shell does before its first command (bash manual 6.1 and 6.2).

use std::sync::Arc;

use super::super::errno::Errno;
use super::super::syscall::{OpenFlags, Text};
use super::eval::{Frame, Tail};
use super::{Cx, Go, Shell, parse_script};

/// What is still to be read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Startup {
    /// A login shell: `/etc/profile`.
    Profile,
    /// Then the first of the user's own that can be read.
    OwnProfile,
    /// A shell with a script and without login: the file that `BASH_ENV` names.
    Env,
    /// `-c`.
    Text(Text),
    /// A script.
    File(Text),
    /// Standard input.
    Input,
}

/// `PATH` if the environment has none (`DEFAULT_PATH_VALUE`, Debian).
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const OWN_PROFILES: [&str; 3] = [".bash_profile", ".bash_login", ".profile"];

impl Shell {
    /// Reads the arguments, and sets the variables a shell sets.
    pub(super) fn start(&mut self, cx: &mut Cx<'_, '_>) -> Go<()> {
        let argv = cx.memory.argv.clone();
        let called = argv.first().cloned().unwrap_or_default();
        let mut login = called.starts_with('-');
        let mut rest = argv.get(1..).unwrap_or(&[]);
        let mut text = None;
        let mut from_input = false;
        while let [option, others @ ..] = rest {
            if !option.starts_with(['-', '+']) || &**option == "-" {
                break;
            }
            rest = others;
            match &**option {
                "--" => break,
                "--login" => login = true,
                "--norc" | "--noprofile" | "--posix" => {
                    return self.refuse(cx, &format!("bash {option}"), "leave it out");
                }
                "-c" => text = Some(()),
                "-s" => from_input = true,
                "-o" => match others {
                    [name, others @ ..] => {
                        rest = others;
                        self.set_long_option(cx, name, true)?;
                    }
                    [] => return self.refuse(cx, "bash -o", "name the option"),
                },
                letters => {
                    for letter in letters.chars().skip(1) {
                        match letter {
                            'l' => login = true,
                            'c' => text = Some(()),
                            's' => from_input = true,
                            _ => self.set_option(cx, letter, letters.starts_with('-'))?,
                        }
                    }
                }
            }
        }
        self.set_start_variables(cx)?;
        let main = match (text, rest) {
            (Some(()), [text, rest @ ..]) => {
                self.arguments_from(rest, true);
                Startup::Text(text.clone())
            }
            (Some(()), []) => {
                let message = format!("{called}: -c: option requires an argument\n");
                let _ = cx.io.write(2, message.as_bytes())?;
                return Ok(cx.io.exit(2)?);
            }
            (None, [_, ..]) if !from_input => {
                self.arguments_from(rest, true);
                Startup::File(rest[0].clone())
            }
            (None, rest) => {
                self.arguments_from(rest, false);
                Startup::Input
            }
        };
        let from_script = !matches!(main, Startup::Input);
        self.frames.push(Frame::Startup(main));
        if login {
            self.frames.push(Frame::Startup(Startup::Profile));
        } else if from_script || from_input {
            self.frames.push(Frame::Startup(Startup::Env));
        } else if cx.io.isatty(0)? {
            return self.refuse(cx, "an interactive shell", "give it a script");
        }
        Ok(())
    }

    fn arguments_from(&mut self, rest: &[Text], with_zero: bool) {
        match rest {
            [zero, rest @ ..] if with_zero => {
                self.zero = zero.clone();
                self.positional = rest.into();
            }
            rest => self.positional = rest.into(),
        }
    }

    /// `PWD`, `OLDPWD`, `SHLVL` and `IFS` (bash, `initialize_shell_variables`).
    fn set_start_variables(&mut self, cx: &mut Cx<'_, '_>) -> Go<()> {
        let inherited = self.variable(cx.memory, "PWD").cloned();
        let mut directory = None;
        if let Some(inherited) = inherited.filter(|path| path.starts_with('/')) {
            let there = cx.io.stat(&inherited, true)?;
            let here = cx.io.stat(".", true)?;
            if matches!((there, here), (Ok(there), Ok(here)) if there.inode == here.inode) {
                directory = Some(inherited);
            }
        }
        let directory = match directory {
            Some(directory) => Some(directory),
            None => cx.io.getcwd()?.ok(),
        };
        self.export(cx.memory, "PWD");
        if let Some(directory) = directory {
            self.set(cx.memory, "PWD", directory);
        }
        self.export(cx.memory, "OLDPWD");
        let level: i64 = self
            .variable(cx.memory, "SHLVL")
            .and_then(|level| level.parse().ok())
            .unwrap_or(0);
        self.export(cx.memory, "SHLVL");
        self.set(
            cx.memory,
            "SHLVL",
            level.saturating_add(1).max(0).to_string().into(),
        );
        if self.variable(cx.memory, "PATH").is_none() {
            self.set(cx.memory, "PATH", DEFAULT_PATH.into());
        }
        // Never taken from the environment (POSIX 2.5.3).
        self.unset(cx.memory, "IFS");
        self.set(cx.memory, "IFS", " \t\n".into());
        Ok(())
    }

    pub(super) fn startup(&mut self, cx: &mut Cx<'_, '_>, startup: Startup) -> Go<()> {
        match startup {
            Startup::Profile => {
                self.frames.push(Frame::Startup(Startup::OwnProfile));
                self.read_if_there(cx, "/etc/profile").map(drop)
            }
            Startup::OwnProfile => {
                let Some(home) = self.variable(cx.memory, "HOME").cloned() else {
                    return Ok(());
                };
                for name in OWN_PROFILES {
                    if self.read_if_there(cx, &format!("{home}/{name}"))? {
                        break;
                    }
                }
                Ok(())
            }
            Startup::Env => {
                let Some(path) = self.variable(cx.memory, "BASH_ENV").cloned() else {
                    return Ok(());
                };
                if path.contains(['$', '`']) {
                    return self.refuse(cx, "an expansion in BASH_ENV", "write the path");
                }
                self.read_if_there(cx, &path).map(drop)
            }
            Startup::Text(text) => {
                self.from_text = true;
                self.run_script(cx, text.as_bytes(), Tail::Plain)
            }
            Startup::Input => {
                let text = cx.io.slurp(0)?.unwrap_or_default();
                self.run_script(cx, &text, Tail::No)
            }
            Startup::File(path) => {
                let fd = match cx.io.open(&path, OpenFlags::READ)? {
                    Ok(fd) => fd,
                    Err(errno) => {
                        let called = cx.memory.argv.first().cloned().unwrap_or_default();
                        let message = format!("{called}: {path}: {errno}\n");
                        let _ = cx.io.write(2, message.as_bytes())?;
                        return Ok(cx.io.exit(if errno == Errno::ENOENT { 127 } else { 126 })?);
                    }
                };
                let text = cx.io.slurp(fd)?;
                let _ = cx.io.close(fd)?;
                match text {
                    Ok(text) => self.run_script(cx, &text, Tail::No),
                    Err(errno) => {
                        let _ = cx
                            .io
                            .write(2, format!("{path}: {path}: {errno}\n").as_bytes())?;
                        Ok(cx.io.exit(126)?)
                    }
                }
            }
        }
    }

    fn read_if_there(&mut self, cx: &mut Cx<'_, '_>, path: &str) -> Go<bool> {
        let Ok(fd) = cx.io.open(path, OpenFlags::READ)? else {
            return Ok(false);
        };
        let text = cx.io.slurp(fd)?;
        let _ = cx.io.close(fd)?;
        let Ok(text) = text else { return Ok(false) };
        self.source_text(cx, path, &text, None)?;
        Ok(true)
    }

    /// Puts a sourced file on the stack.
    pub(super) fn source_text(
        &mut self,
        cx: &mut Cx<'_, '_>,
        path: &str,
        text: &[u8],
        positional: Option<Arc<[Text]>>,
    ) -> Go<()> {
        match parse_script(text) {
            Ok(block) => {
                self.frames.push(Frame::Sourced { positional });
                self.frames.push(Frame::Block {
                    block,
                    next: 0,
                    tail: Tail::No,
                });
                Ok(())
            }
            Err(error) => {
                let zero = std::mem::replace(&mut self.zero, path.into());
                self.not_parsed(cx, error)?;
                self.zero = zero;
                self.status = 2;
                Ok(())
            }
        }
    }
}
