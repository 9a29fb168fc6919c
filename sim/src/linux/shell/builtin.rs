//! The shell's own commands (POSIX 2.14, bash manual 4).

mod text;

use super::super::errno::Errno;
use super::super::syscall::{OpenFlags, Text, WaitFor};
use super::eval::{Frame, Tail, Unwind};
use super::simple::{Found, program_label, with_path};
use super::variables::is_name;
use super::{Cx, Go, JOB_MARK, Leave, Shell, parse_script};

/// Those that are modelled.
const BUILTINS: &[&str] = &[
    ".", ":", "[", "break", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "hash", "local", "printf", "pwd", "read", "return", "set", "shift", "source", "test",
    "true", "type", "unset", "wait",
];

/// Those of bash that are not: refused, not looked for in `PATH`.
const UNSUPPORTED: &[&str] = &[
    "alias",
    "bg",
    "bind",
    "builtin",
    "caller",
    "compgen",
    "complete",
    "compopt",
    "declare",
    "dirs",
    "disown",
    "enable",
    "fc",
    "fg",
    "getopts",
    "help",
    "history",
    "jobs",
    "kill",
    "let",
    "logout",
    "mapfile",
    "popd",
    "pushd",
    "readarray",
    "readonly",
    "shopt",
    "suspend",
    "times",
    "trap",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
];

/// A command of the shell's own.
pub(super) fn is_builtin(name: &str) -> bool {
    BUILTINS.contains(&name) || UNSUPPORTED.contains(&name)
}

impl Shell {
    /// Runs one. The status, unless it pushed frames or began to unwind.
    pub(super) fn builtin(&mut self, cx: &mut Cx<'_, '_>, words: &[Text]) -> Go<u8> {
        let arguments = &words[1..];
        match &*words[0] {
            ":" | "true" => Ok(0),
            "false" => Ok(1),
            "echo" => self.echo(cx, arguments),
            "printf" => self.printf(cx, arguments),
            "test" | "[" => self.test(cx, words),
            "cd" => self.cd(cx, arguments),
            "pwd" => self.pwd(cx, arguments),
            "export" => self.export_builtin(cx, arguments),
            "local" => self.local(cx, arguments),
            "unset" => self.unset_builtin(cx, arguments),
            "set" => self.set_builtin(cx, arguments),
            "shift" => self.shift(cx, arguments),
            "exit" => self.leave(cx, "exit", arguments, Unwind::Exit),
            "return" => self.return_builtin(cx, arguments),
            "break" => self.leave_loop(cx, "break", arguments, Unwind::Break),
            "continue" => self.leave_loop(cx, "continue", arguments, Unwind::Continue),
            "wait" => self.wait(cx, arguments),
            "exec" => self.exec(cx, arguments),
            "source" | "." => self.source(cx, words),
            "eval" => self.eval(cx, arguments),
            "command" => self.command_builtin(cx, arguments),
            "type" => self.refuse(cx, "type", "write command -v"),
            "hash" => self.hash(cx, arguments),
            "read" => self.read(cx, arguments),
            name => self.refuse(cx, &format!("the builtin {name}"), ""),
        }
    }

    /// `cd`: by default the shell's own, logical idea of `..` (POSIX, `cd -L`).
    fn cd(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let (physical, arguments) = match arguments {
            [option, rest @ ..] if &**option == "-P" => (true, rest),
            [option, rest @ ..] if matches!(&**option, "-L" | "--") => (false, rest),
            [option, ..] if option.len() > 1 && option.starts_with('-') => {
                return self.refuse(cx, &format!("cd {option}"), "");
            }
            rest => (false, rest),
        };
        let mut shows = false;
        let target: Text = match arguments {
            [] => match self.variable(cx.memory, "HOME").cloned() {
                Some(home) => home,
                None => {
                    self.complain(cx, "cd: HOME not set")?;
                    return Ok(1);
                }
            },
            [dash] if &**dash == "-" => match self.variable(cx.memory, "OLDPWD").cloned() {
                Some(old) => {
                    shows = true;
                    old
                }
                None => {
                    self.complain(cx, "cd: OLDPWD not set")?;
                    return Ok(1);
                }
            },
            [one] => one.clone(),
            _ => {
                self.complain(cx, "cd: too many arguments")?;
                return Ok(1);
            }
        };
        if self
            .variable(cx.memory, "CDPATH")
            .is_some_and(|path| !path.is_empty())
        {
            return self.refuse(cx, "CDPATH", "unset it");
        }
        let old = self.variable(cx.memory, "PWD").cloned().unwrap_or_default();
        let goal: Text = if physical {
            target.clone()
        } else {
            logical(&old, &target).into()
        };
        if let Err(errno) = cx.io.chdir(&goal)? {
            self.complain(cx, &format!("cd: {target}: {errno}"))?;
            return Ok(1);
        }
        let now = if physical {
            cx.io.getcwd()?.unwrap_or(goal)
        } else {
            goal
        };
        self.set(cx.memory, "OLDPWD", old);
        self.set(cx.memory, "PWD", now.clone());
        if shows {
            self.print(cx, "cd", &format!("{now}\n"))
        } else {
            Ok(0)
        }
    }

    fn pwd(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let physical = match arguments {
            [] => false,
            [option] if matches!(&**option, "-L" | "-P") => &**option == "-P",
            _ => return self.refuse(cx, "pwd with these arguments", "pwd [-L|-P]"),
        };
        let known = self
            .variable(cx.memory, "PWD")
            .cloned()
            .filter(|_| !physical);
        let path = match known {
            Some(path) => path,
            None => match cx.io.getcwd()? {
                Ok(path) => path,
                Err(errno) => {
                    let message =
                        format!("pwd: error retrieving current directory: getcwd: {errno}");
                    self.complain(cx, &message)?;
                    return Ok(1);
                }
            },
        };
        self.print(cx, "pwd", &format!("{path}\n"))
    }

    fn bad_name(&mut self, cx: &mut Cx<'_, '_>, builtin: &str, word: &str) -> Go<u8> {
        self.complain(cx, &format!("{builtin}: `{word}': not a valid identifier"))?;
        Ok(1)
    }

    fn export_builtin(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let (removes, arguments) = match arguments {
            [option, rest @ ..] if &**option == "-n" => (true, rest),
            [option, ..] if option.starts_with('-') => {
                return self.refuse(cx, &format!("export {option}"), "export [-n] NAME[=VALUE]");
            }
            [] => return self.refuse(cx, "export without names", "use env"),
            rest => (false, rest),
        };
        let mut status = 0;
        for word in arguments {
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (&**word, None),
            };
            if !is_name(name) {
                status = self.bad_name(cx, "export", word)?;
                continue;
            }
            if let Some(value) = value {
                self.set(cx.memory, name, value.into());
            }
            if removes {
                self.unexport(cx.memory, name);
            } else {
                self.export(cx.memory, name);
            }
        }
        Ok(status)
    }

    fn local(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let call = self
            .frames
            .iter()
            .rposition(|frame| matches!(frame, Frame::Call { .. }));
        let Some(call) = call else {
            self.complain(cx, "local: can only be used in a function")?;
            return Ok(1);
        };
        let mut status = 0;
        for word in arguments {
            if word.starts_with('-') {
                return self.refuse(cx, &format!("local {word}"), "local NAME[=VALUE]");
            }
            let (name, value) = match word.split_once('=') {
                Some((name, value)) => (name, Some(value.into())),
                None => (&**word, None),
            };
            if !is_name(name) {
                status = self.bad_name(cx, "local", word)?;
                continue;
            }
            let saved = self.save(cx.memory, name);
            let Some(Frame::Call { locals, .. }) = self.frames.get_mut(call) else {
                continue;
            };
            if locals.iter().any(|local| local.name() == name) {
                // Local already.
                if let Some(value) = value {
                    self.set(cx.memory, name, value);
                }
            } else {
                locals.push(saved.clone());
                self.make_local(cx.memory, saved, value);
            }
        }
        Ok(status)
    }

    fn unset_builtin(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let (only_functions, only_variables, names) = match arguments {
            [option, rest @ ..] if &**option == "-f" => (true, false, rest),
            [option, rest @ ..] if &**option == "-v" => (false, true, rest),
            rest => (false, false, rest),
        };
        let mut status = 0;
        for name in names {
            if !is_name(name) && !only_functions {
                status = self.bad_name(cx, "unset", name)?;
                continue;
            }
            let is_variable = self.variable(cx.memory, name).is_some();
            if !only_functions && (is_variable || only_variables) {
                self.unset(cx.memory, name);
            } else if self.functions.contains_key(name) {
                std::sync::Arc::make_mut(&mut self.functions).remove(name);
            } else if !only_functions {
                self.unset(cx.memory, name);
            }
        }
        Ok(status)
    }

    fn set_builtin(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        if arguments.is_empty() {
            return self.refuse(cx, "set without arguments", "use env");
        }
        let mut rest = arguments;
        while let [option, others @ ..] = rest {
            let on = option.starts_with('-');
            if &**option == "--" {
                self.positional = others.into();
                return Ok(0);
            }
            if option.len() < 2 || !option.starts_with(['-', '+']) {
                self.positional = rest.into();
                return Ok(0);
            }
            rest = others;
            for letter in option.chars().skip(1) {
                if letter == 'o' {
                    let [name, others @ ..] = rest else {
                        return self.refuse(cx, "set -o without a name", "name the option");
                    };
                    rest = others;
                    self.set_long_option(cx, name, on)?;
                } else {
                    self.set_option(cx, letter, on)?;
                }
            }
        }
        Ok(0)
    }

    pub(super) fn set_option(&mut self, cx: &Cx<'_, '_>, letter: char, on: bool) -> Go<()> {
        match letter {
            'e' => self.options.errexit = on,
            'u' => self.options.nounset = on,
            'f' => self.options.noglob = on,
            // Hashing and brace expansion are on and stay on.
            'h' | 'B' if on => {}
            _ => return self.refuse(cx, &format!("set -{letter}"), "-e, -u, -f, -o pipefail"),
        }
        Ok(())
    }

    pub(super) fn set_long_option(&mut self, cx: &Cx<'_, '_>, name: &str, on: bool) -> Go<()> {
        match name {
            "errexit" => self.options.errexit = on,
            "nounset" => self.options.nounset = on,
            "noglob" => self.options.noglob = on,
            "pipefail" => self.options.pipefail = on,
            _ => return self.refuse(cx, &format!("set -o {name}"), "-e, -u, -f, -o pipefail"),
        }
        Ok(())
    }

    fn shift(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let count = match arguments {
            [] => 1,
            [count] => match count.parse::<usize>() {
                Ok(count) => count,
                Err(_) => {
                    self.complain(cx, &format!("shift: {count}: numeric argument required"))?;
                    return Ok(1);
                }
            },
            _ => {
                self.complain(cx, "shift: too many arguments")?;
                return Ok(1);
            }
        };
        match self.positional.get(count..) {
            Some(rest) => {
                self.positional = rest.into();
                Ok(0)
            }
            None => Ok(1),
        }
    }

    /// `exit` and `return`, with the status given or the last one.
    fn leave(
        &mut self,
        cx: &mut Cx<'_, '_>,
        name: &str,
        arguments: &[Text],
        unwind: Unwind,
    ) -> Go<u8> {
        let status = match arguments {
            [] => self.status,
            [text, ..] => match text.parse::<i64>() {
                Ok(_) if arguments.len() > 1 => {
                    self.complain(cx, &format!("{name}: too many arguments"))?;
                    return Ok(1);
                }
                Ok(status) => (status & 255) as u8,
                Err(_) => {
                    self.complain(cx, &format!("{name}: {text}: numeric argument required"))?;
                    2
                }
            },
        };
        self.status = status;
        self.unwind = Some(unwind);
        Ok(status)
    }

    fn return_builtin(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let inside = |frame: &Frame| matches!(frame, Frame::Call { .. } | Frame::Sourced { .. });
        if !self.frames.iter().any(inside) {
            self.complain(
                cx,
                "return: can only `return' from a function or sourced script",
            )?;
            return Ok(2);
        }
        self.leave(cx, "return", arguments, Unwind::Return)
    }

    fn leave_loop(
        &mut self,
        cx: &mut Cx<'_, '_>,
        name: &str,
        arguments: &[Text],
        unwind: fn(u32) -> Unwind,
    ) -> Go<u8> {
        let is_loop = |frame: &&Frame| {
            matches!(
                frame,
                Frame::Loop { .. } | Frame::For { .. } | Frame::ForArithmetic { .. }
            )
        };
        let not_call = |frame: &&Frame| !matches!(frame, Frame::Call { .. });
        let loops = self
            .frames
            .iter()
            .rev()
            .take_while(not_call)
            .filter(is_loop)
            .count() as u32;
        if loops == 0 {
            let message = format!("{name}: only meaningful in a `for', `while', or `until' loop");
            self.complain(cx, &message)?;
            return Ok(0);
        }
        let levels = match arguments {
            [] => 1,
            [text, ..] => match text.parse::<i64>() {
                Ok(levels) if levels > 0 => u32::try_from(levels).unwrap_or(loops),
                Ok(_) => {
                    self.complain(cx, &format!("{name}: {text}: loop count out of range"))?;
                    self.unwind = Some(Unwind::Break(loops));
                    return Ok(1);
                }
                Err(_) => {
                    self.complain(cx, &format!("{name}: {text}: numeric argument required"))?;
                    self.status = 128;
                    self.unwind = Some(Unwind::Exit);
                    return Ok(128);
                }
            },
        };
        self.unwind = Some(unwind(levels.min(loops)));
        Ok(0)
    }

    /// `wait`: for all background children, or for those named by `$!`.
    fn wait(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        if arguments.is_empty() {
            for job in std::mem::take(&mut self.jobs) {
                let _ = cx.io.wait(WaitFor::Child(job))?;
            }
            return Ok(0);
        }
        let mut status = 0;
        for argument in arguments {
            let Some(name) = argument.strip_prefix(JOB_MARK) else {
                return self.refuse(cx, "wait for a number", "give it $!");
            };
            match self.jobs.iter().position(|job| &**job == name) {
                Some(at) => {
                    let job = self.jobs.remove(at);
                    let ended = cx.io.wait(WaitFor::Child(job))?;
                    status = ended.map_or(127, |(_, ended)| ended.shell_status());
                }
                None => status = 127,
            }
        }
        Ok(status)
    }

    /// `exec [-l] [-c] [-a NAME] [COMMAND]`: the process becomes the command, with its environment.
    fn exec(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let mut rest = arguments;
        let (mut login, mut clear, mut called) = (false, false, None);
        while let [option, others @ ..] = rest {
            rest = match (&**option, others) {
                ("--", others) => {
                    rest = others;
                    break;
                }
                ("-a", [name, others @ ..]) => {
                    called = Some(name.clone());
                    others
                }
                (letters, others) if letters.len() > 1 && letters.starts_with('-') => {
                    for letter in letters.chars().skip(1) {
                        match letter {
                            'l' => login = true,
                            'c' => clear = true,
                            _ => return self.refuse(cx, &format!("exec {letters}"), "-l, -c, -a"),
                        }
                    }
                    others
                }
                _ => break,
            };
        }
        let Some(name) = rest.first() else {
            return Ok(0);
        };
        let Found::At(path) = self.find(cx, name, true)? else {
            self.complain(cx, &format!("exec: {name}: not found"))?;
            self.status = 127;
            self.unwind = Some(Unwind::Exit);
            return Ok(127);
        };
        let mut argv = rest.to_vec();
        let zero = called.unwrap_or_else(|| name.clone());
        argv[0] = if login {
            format!("-{zero}").into()
        } else {
            zero
        };
        let mut env = if clear {
            Default::default()
        } else {
            with_path(&cx.memory.env, &path)
        };
        if let Some(level) = env.get("SHLVL").and_then(|level| level.parse::<i64>().ok()) {
            let level = level.saturating_sub(1).max(0).to_string();
            std::sync::Arc::make_mut(&mut env).insert("SHLVL".into(), level.into());
        }
        let errno = cx.io.exec(&path, argv.clone(), &env)?;
        let status = self.not_executed(cx, &path, argv, errno)?;
        self.status = status;
        self.unwind = Some(Unwind::Exit);
        Err(Leave::Commit)
    }

    fn source(&mut self, cx: &mut Cx<'_, '_>, words: &[Text]) -> Go<u8> {
        let [name, path, arguments @ ..] = words else {
            let name = &words[0];
            self.complain(cx, &format!("{name}: filename argument required"))?;
            let usage = format!("{name}: usage: {name} filename [arguments]\n");
            let _ = cx.io.write(2, usage.as_bytes())?;
            return Ok(2);
        };
        // Without a slash it is looked for in PATH, then here (bash, not in POSIX mode).
        let found = if path.contains('/') {
            None
        } else {
            self.find_readable(cx, path)?
        };
        let path = found.unwrap_or_else(|| path.clone());
        let fd = match cx.io.open(&path, OpenFlags::READ)? {
            Ok(fd) => fd,
            Err(errno) => {
                self.complain(cx, &format!("{path}: {errno}"))?;
                return Ok(1);
            }
        };
        let text = cx.io.slurp(fd)?;
        let _ = cx.io.close(fd)?;
        let text = match text {
            Ok(text) => text,
            Err(Errno::EISDIR) => {
                self.complain(cx, &format!("{name}: {path}: is a directory"))?;
                return Ok(1);
            }
            Err(errno) => {
                self.complain(cx, &format!("{path}: {errno}"))?;
                return Ok(1);
            }
        };
        let positional = (!arguments.is_empty())
            .then(|| std::mem::replace(&mut self.positional, arguments.into()));
        self.status = 0;
        self.source_text(cx, &path, &text, positional)?;
        Ok(self.status)
    }

    fn find_readable(&mut self, cx: &mut Cx<'_, '_>, name: &str) -> Go<Option<Text>> {
        let path = self
            .variable(cx.memory, "PATH")
            .cloned()
            .unwrap_or_default();
        for directory in path.split(':').filter(|directory| !directory.is_empty()) {
            let candidate = format!("{}/{name}", directory.trim_end_matches('/'));
            let stat = cx.io.stat(&candidate, true)?;
            if stat.is_ok_and(|stat| stat.kind == super::super::fs::Kind::File) {
                return Ok(Some(candidate.into()));
            }
        }
        Ok(None)
    }

    fn eval(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let text = arguments.join(" ");
        match parse_script(text.as_bytes()) {
            Ok(block) => {
                self.status = 0;
                self.frames.push(Frame::Block {
                    block,
                    next: 0,
                    tail: Tail::No,
                });
                Ok(0)
            }
            Err(error) => {
                self.not_parsed(cx, error)?;
                Ok(2)
            }
        }
    }

    fn command_builtin(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        match arguments {
            [] => Ok(0),
            [option, names @ ..] if &**option == "-v" => {
                let mut text = String::new();
                let mut all = true;
                for name in names {
                    if self.functions.contains_key(name) || is_builtin(name) || is_reserved(name) {
                        text.push_str(&format!("{name}\n"));
                        continue;
                    }
                    match self.find(cx, name, true)? {
                        Found::At(path) if cx.io.stat(&path, true)?.is_ok_and(|s| s.executable) => {
                            text.push_str(&format!("{path}\n"));
                        }
                        _ => all = false,
                    }
                }
                let printed = self.print(cx, "command", &text)?;
                Ok(printed.max(u8::from(!all)))
            }
            [option, ..] if option.starts_with('-') => {
                self.refuse(cx, &format!("command {option}"), "command [-v] NAME")
            }
            words if is_builtin(&words[0]) => {
                let words = words.to_vec();
                self.builtin(cx, &words)
            }
            words => {
                let found = self.find(cx, &words[0], true)?;
                let Some(child) = cx.io.fork(program_label(&words[0]))? else {
                    return self.execute(cx, found, words.to_vec());
                };
                let ended = cx.io.wait(WaitFor::Child(child))?;
                Ok(ended.map_or(127, |(_, ended)| ended.shell_status()))
            }
        }
    }

    /// `hash`: the places of commands that the shell remembers.
    fn hash(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        match arguments {
            [option] if &**option == "-r" => {
                self.hashed = Default::default();
                Ok(0)
            }
            [] => self.refuse(cx, "hash without arguments", "its counts are not kept"),
            [option, ..] if option.starts_with('-') => {
                self.refuse(cx, &format!("hash {option}"), "hash [-r] [NAME…]")
            }
            names => {
                let mut status = 0;
                for name in names {
                    std::sync::Arc::make_mut(&mut self.hashed).remove(name);
                    if let Found::Nowhere = self.find(cx, name, true)? {
                        self.complain(cx, &format!("hash: {name}: not found"))?;
                        status = 1;
                    }
                }
                Ok(status)
            }
        }
    }
}

fn is_reserved(word: &str) -> bool {
    [
        "!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in",
        "then", "until", "while", "[[", "]]", "function", "select", "time", "coproc",
    ]
    .contains(&word)
}

/// The path from `from` to `to` with `.` and `..` taken away by the text alone.
fn logical(from: &str, to: &str) -> String {
    let start = if to.starts_with('/') { "" } else { from };
    let mut parts: Vec<&str> = Vec::new();
    for part in start.split('/').chain(to.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}
