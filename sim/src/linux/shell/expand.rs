//! Word expansion (POSIX 2.6): parameters, command substitution, arithmetic, field splitting, pathnames, quote removal.

use super::super::syscall::{OpenFlags, Text, WaitFor};
use super::arithmetic;
use super::ast::{
    Argument, Assignment, Block, CommandKind, Expansion, Operation, Parameter, Piece, RedirectKind,
    Word,
};
use super::eval::{Frame, Tail, Unwind};
use super::pattern::{self, Marked, Pattern};
use super::{Cx, Go, JOB_MARK, Leave, Shell};
use crate::linux::process::Memory;

/// Fields under construction.
struct Fields {
    done: Vec<Vec<Marked>>,
    current: Vec<Marked>,
    /// There is a current field, be it empty.
    started: bool,
    separators: Text,
    splits: bool,
    delimiter: Delimiter,
}

/// What ended the last field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    None,
    Blank,
    Other,
}

impl Fields {
    fn quoted(&mut self, text: &str) {
        self.started = true;
        self.delimiter = Delimiter::None;
        self.current.extend(pattern::quoted(text));
    }

    fn plain(&mut self, text: &str) {
        self.started |= !text.is_empty();
        self.delimiter = Delimiter::None;
        self.current.extend(text.chars().map(|c| (c, false)));
    }

    fn end_field(&mut self) {
        self.done.push(std::mem::take(&mut self.current));
        self.started = false;
    }

    /// The result of an unquoted expansion (POSIX 2.6.5).
    fn split(&mut self, text: &str) {
        if !self.splits {
            return self.plain(text);
        }
        for c in text.chars() {
            if !self.separators.contains(c) {
                self.current.push((c, false));
                self.started = true;
                self.delimiter = Delimiter::None;
            } else if matches!(c, ' ' | '\t' | '\n') {
                if self.started {
                    self.end_field();
                    self.delimiter = Delimiter::Blank;
                }
            } else {
                if self.started || self.delimiter != Delimiter::Blank {
                    self.end_field();
                }
                self.delimiter = Delimiter::Other;
            }
        }
    }
}

impl Shell {
    /// The arguments of a command.
    pub(super) fn arguments(&mut self, cx: &mut Cx<'_, '_>, words: &[Argument]) -> Go<Vec<Text>> {
        let mut all = Vec::new();
        for word in words {
            match word {
                Argument::Word(word) => self.fields(cx, word, &mut all)?,
                Argument::Assignment(assignment) => {
                    let value = self.assigned(cx, assignment)?;
                    all.push(format!("{}={value}", assignment.name).into());
                }
            }
        }
        Ok(all)
    }

    /// All fields of one word.
    pub(super) fn fields(
        &mut self,
        cx: &mut Cx<'_, '_>,
        word: &Word,
        all: &mut Vec<Text>,
    ) -> Go<()> {
        for field in self.marked_fields(cx, word, true)? {
            if self.options.noglob || !pattern::is_pattern(&field) {
                all.push(pattern::text(&field).into());
                continue;
            }
            let names = self.pathnames(cx, &field)?;
            if names.is_empty() {
                all.push(pattern::text(&field).into());
            }
            all.extend(names);
        }
        Ok(())
    }

    /// One string: no splitting, no pathnames.
    pub(super) fn single(&mut self, cx: &mut Cx<'_, '_>, word: &Word) -> Go<Text> {
        Ok(pattern::text(&self.marked(cx, word)?).into())
    }

    /// A pattern: what was quoted is only itself.
    pub(super) fn marked(&mut self, cx: &mut Cx<'_, '_>, word: &Word) -> Go<Vec<Marked>> {
        Ok(self.marked_fields(cx, word, false)?.concat())
    }

    /// The new value of a variable.
    pub(super) fn assigned(&mut self, cx: &mut Cx<'_, '_>, assignment: &Assignment) -> Go<Text> {
        let value = self.single(cx, &assignment.value)?;
        if !assignment.append {
            return Ok(value);
        }
        let old = self
            .variable(cx.memory, &assignment.name)
            .cloned()
            .unwrap_or_default();
        Ok(format!("{old}{value}").into())
    }

    fn marked_fields(
        &mut self,
        cx: &mut Cx<'_, '_>,
        word: &Word,
        splits: bool,
    ) -> Go<Vec<Vec<Marked>>> {
        let mut fields = Fields {
            done: Vec::new(),
            current: Vec::new(),
            started: false,
            separators: self.separators(cx),
            splits,
            delimiter: Delimiter::None,
        };
        self.pieces(cx, &word.pieces, false, false, &mut fields)?;
        if fields.started {
            fields.end_field();
        }
        Ok(fields.done)
    }

    fn pieces(
        &mut self,
        cx: &mut Cx<'_, '_>,
        pieces: &[Piece],
        quoted: bool,
        operand: bool,
        fields: &mut Fields,
    ) -> Go<()> {
        for piece in pieces {
            match piece {
                Piece::Plain(text) if quoted => fields.quoted(text),
                // The operand of an expansion is split as its result.
                Piece::Plain(text) if operand => fields.split(text),
                Piece::Plain(text) => fields.plain(text),
                Piece::Quoted(text) => fields.quoted(text),
                Piece::Double(inner) => {
                    if inner.is_empty() {
                        fields.quoted("");
                    }
                    self.pieces(cx, inner, true, operand, fields)?;
                }
                Piece::Home => match self.variable(cx.memory, "HOME").cloned() {
                    Some(home) => fields.quoted(&home),
                    None => return self.refuse(cx, "~ without HOME", "set HOME"),
                },
                Piece::Parameter(expansion) => self.parameter(cx, expansion, quoted, fields)?,
                Piece::Command(block) => {
                    let text = self.substitute(cx, block)?;
                    result(fields, &text, quoted);
                }
                Piece::Arithmetic(word) => {
                    let value = self.arithmetic(cx, word)?;
                    result(fields, &value.to_string(), quoted);
                }
            }
        }
        Ok(())
    }

    fn value_of(&self, cx: &Cx<'_, '_>, parameter: &Parameter) -> Option<Text> {
        match parameter {
            Parameter::Variable(name) => self.variable(cx.memory, name).cloned(),
            Parameter::Positional(number) => self.positional.get(*number as usize - 1).cloned(),
            Parameter::Count => Some(self.positional.len().to_string().into()),
            Parameter::Status => Some(self.status.to_string().into()),
            Parameter::Zero => Some(self.zero.clone()),
            Parameter::LastJob => self
                .last_job
                .as_ref()
                .map(|job| format!("{JOB_MARK}{job}").into()),
            Parameter::All { .. } => {
                (!self.positional.is_empty()).then(|| self.positional.join(" ").into())
            }
        }
    }

    fn parameter(
        &mut self,
        cx: &mut Cx<'_, '_>,
        expansion: &Expansion,
        quoted: bool,
        fields: &mut Fields,
    ) -> Go<()> {
        let Expansion {
            parameter,
            operation,
        } = expansion;
        if let Parameter::All { star } = parameter {
            self.all_parameters(*star, quoted, fields);
            return Ok(());
        }
        let value = self.value_of(cx, parameter);
        let is_set = |colon: bool| {
            value
                .as_ref()
                .is_some_and(|value| !(colon && value.is_empty()))
        };
        match operation {
            Operation::Default { colon, word } if !is_set(*colon) => {
                return self.operand(cx, word, quoted, fields);
            }
            Operation::Alternative { colon, word } => {
                if is_set(*colon) {
                    return self.operand(cx, word, quoted, fields);
                }
                if quoted {
                    fields.quoted("");
                }
                return Ok(());
            }
            Operation::Assign { colon, word } if !is_set(*colon) => {
                let Parameter::Variable(name) = parameter else {
                    let message = format!("${}: cannot assign in this way", shown(parameter));
                    return self.fatal(cx, &message);
                };
                let value = self.single(cx, word)?;
                self.set(cx.memory, name, value.clone());
                result(fields, &value, quoted);
                return Ok(());
            }
            Operation::Require { colon, word } if !is_set(*colon) => {
                let text = self.single(cx, word)?;
                let text = match (&*text, colon) {
                    ("", true) => "parameter null or not set",
                    ("", false) => "parameter not set",
                    (text, _) => text,
                };
                let message = format!("{}: {text}", shown(parameter));
                return self.fatal(cx, &message);
            }
            _ => {}
        }
        let tolerant = matches!(
            operation,
            Operation::Default { .. } | Operation::Assign { .. } | Operation::Require { .. }
        );
        let value = match value {
            Some(value) => value,
            None if self.options.nounset && !tolerant => {
                let message = format!("{}: unbound variable", shown(parameter));
                return self.fatal(cx, &message);
            }
            None => "".into(),
        };
        match operation {
            Operation::Length => {
                result(fields, &value.chars().count().to_string(), quoted);
            }
            Operation::Remove {
                suffix,
                longest,
                pattern,
            } => {
                let pattern = Pattern::new(&self.marked(cx, pattern)?);
                result(
                    fields,
                    &removed(&value, &pattern, *suffix, *longest),
                    quoted,
                );
            }
            _ => result(fields, &value, quoted),
        }
        Ok(())
    }

    fn operand(
        &mut self,
        cx: &mut Cx<'_, '_>,
        word: &Word,
        quoted: bool,
        fields: &mut Fields,
    ) -> Go<()> {
        if quoted && word.pieces.is_empty() {
            fields.quoted("");
        }
        self.pieces(cx, &word.pieces, quoted, true, fields)
    }

    /// `$@` and `$*` (POSIX 2.5.2).
    fn all_parameters(&self, star: bool, quoted: bool, fields: &mut Fields) {
        if quoted && (star || !fields.splits) {
            let glue: String = if star {
                fields.separators.chars().take(1).collect()
            } else {
                " ".into()
            };
            return fields.quoted(&self.positional.join(&*glue));
        }
        for (number, value) in self.positional.iter().enumerate() {
            if number > 0 {
                if !fields.splits {
                    fields.plain(" ");
                } else if fields.started {
                    fields.end_field();
                }
            }
            result(fields, value, quoted);
        }
    }

    /// `$(( … ))` and its like.
    pub(super) fn arithmetic(&mut self, cx: &mut Cx<'_, '_>, word: &Word) -> Go<i64> {
        let quoted = Word {
            pieces: vec![Piece::Double(word.pieces.clone())],
        };
        let text = self.single(cx, &quoted)?;
        self.evaluate(cx, &text)
    }

    /// Computes an expression that is expanded already. An error skips the rest of the command that was read.
    pub(super) fn evaluate(&mut self, cx: &mut Cx<'_, '_>, text: &str) -> Go<i64> {
        let nounset = self.options.nounset;
        let mut variables = Variables {
            shell: self,
            memory: cx.memory,
            nounset,
            unbound: None,
        };
        let value = arithmetic::evaluate(text, &mut variables);
        if let Some(name) = variables.unbound {
            return self.fatal(cx, &format!("{name}: unbound variable"));
        }
        match value {
            Ok(value) => Ok(value),
            Err(message) => {
                self.complain(cx, &message)?;
                self.status = 1;
                self.unwind = Some(Unwind::Discard);
                Err(Leave::Commit)
            }
        }
    }

    /// `$( … )`: a pipe, a fork, and the child's output without its last newlines.
    fn substitute(&mut self, cx: &mut Cx<'_, '_>, block: &Block) -> Go<String> {
        let (read, write) = match cx.io.pipe()? {
            Ok(ends) => ends,
            Err(errno) => {
                return self.fatal(
                    cx,
                    &format!("cannot make pipe for command substitution: {errno}"),
                );
            }
        };
        let Some(child) = cx.io.fork("subst")? else {
            let _ = cx.io.close(read)?;
            if write != 1 {
                let _ = cx.io.dup2(write, 1)?;
                let _ = cx.io.close(write)?;
            }
            self.become_subshell(Frame::Block {
                block: block.clone(),
                next: 0,
                tail: Tail::Plain,
            });
            // Unless `inherit_errexit` is set (bash manual 4.3.2), which it is not.
            self.options.errexit = false;
            if let Some(file) = only_input(block) {
                return self.copy_file(cx, &file);
            }
            return Err(Leave::Commit);
        };
        let _ = cx.io.close(write)?;
        let data = cx.io.slurp(read)?.unwrap_or_default();
        let _ = cx.io.close(read)?;
        let status = cx.io.wait(WaitFor::Child(child))?;
        let status = status.map_or(127, |(_, status)| status.shell_status());
        self.status = status;
        self.substituted = Some(status);
        let Ok(text) = std::str::from_utf8(&data) else {
            return self.refuse(cx, "output that is not UTF-8 in $( )", "write it to a file");
        };
        Ok(text.replace('\0', "").trim_end_matches('\n').into())
    }

    /// `$(< file)` (bash manual 3.5.4).
    fn copy_file<T>(&mut self, cx: &mut Cx<'_, '_>, file: &Word) -> Go<T> {
        let path = self.single(cx, file)?;
        let status = match cx.io.open(&path, OpenFlags::READ)? {
            Ok(fd) => {
                let data = cx.io.slurp(fd)?.unwrap_or_default();
                u8::from(cx.io.write(1, &data)?.is_err())
            }
            Err(errno) => {
                self.complain(cx, &format!("{path}: {errno}"))?;
                1
            }
        };
        Ok(cx.io.exit(status)?)
    }

    /// Pathname expansion (POSIX 2.6.6), in byte order. Empty if nothing matches.
    fn pathnames(&mut self, cx: &mut Cx<'_, '_>, field: &[Marked]) -> Go<Vec<Text>> {
        let absolute = field.first().is_some_and(|(c, _)| *c == '/');
        let mut found: Vec<String> = vec![if absolute { "/".into() } else { String::new() }];
        let parts: Vec<&[Marked]> = field
            .split(|(c, _)| *c == '/')
            .filter(|part| !part.is_empty())
            .collect();
        let trailing = field.last().is_some_and(|(c, _)| *c == '/');
        for (number, part) in parts.iter().enumerate() {
            let is_last = number + 1 == parts.len();
            let mut next = Vec::new();
            for directory in found {
                if !pattern::is_pattern(part) {
                    let path = format!("{directory}{}", pattern::text(part));
                    if cx.io.stat(&path, false)?.is_ok() {
                        next.push(path);
                    }
                    continue;
                }
                let listed = if directory.is_empty() {
                    "."
                } else {
                    directory.as_str()
                };
                let names = cx.io.readdir(listed)?.unwrap_or_default();
                let wanted = Pattern::new(part);
                let dots = part.first().is_some_and(|(c, _)| *c == '.');
                for name in names.iter().filter(|name| dots || !name.starts_with('.')) {
                    if wanted.matches(&name.chars().collect::<Vec<_>>()) {
                        next.push(format!("{directory}{name}"));
                    }
                }
            }
            if !is_last || trailing {
                next.iter_mut().for_each(|path| path.push('/'));
            }
            found = next;
        }
        if trailing {
            let mut directories = Vec::new();
            for path in found {
                if cx.io.stat(&path, true)?.is_ok() {
                    directories.push(path);
                }
            }
            found = directories;
        }
        found.sort();
        Ok(found.into_iter().map(Into::into).collect())
    }
}

fn result(fields: &mut Fields, text: &str, quoted: bool) {
    if quoted {
        fields.quoted(text)
    } else {
        fields.split(text)
    }
}

fn shown(parameter: &Parameter) -> String {
    match parameter {
        Parameter::Variable(name) => name.to_string(),
        Parameter::Positional(number) => number.to_string(),
        Parameter::All { star } => if *star { "*" } else { "@" }.into(),
        Parameter::Count => "#".into(),
        Parameter::Status => "?".into(),
        Parameter::Zero => "0".into(),
        Parameter::LastJob => "!".into(),
    }
}

fn removed(value: &str, pattern: &Pattern, suffix: bool, longest: bool) -> String {
    let chars: Vec<char> = value.chars().collect();
    let length = chars.len();
    let cut = |count: usize| {
        if suffix {
            pattern.matches(&chars[length - count..])
        } else {
            pattern.matches(&chars[..count])
        }
    };
    let found = if longest {
        (0..=length).rev().find(|&n| cut(n))
    } else {
        (0..=length).find(|&n| cut(n))
    };
    let count = found.unwrap_or(0);
    if suffix {
        chars[..length - count].iter().collect()
    } else {
        chars[count..].iter().collect()
    }
}

/// The file of `$(< file)`.
fn only_input(block: &Block) -> Option<Word> {
    let [item] = block.as_slice() else {
        return None;
    };
    let [command] = item.chain.first.commands.as_slice() else {
        return None;
    };
    if item.background || !item.chain.rest.is_empty() || item.chain.first.negated {
        return None;
    }
    let CommandKind::Simple { assignments, words } = &command.kind else {
        return None;
    };
    match command.redirects.as_slice() {
        [redirect] if assignments.is_empty() && words.is_empty() && redirect.fd == 0 => {
            match &redirect.kind {
                RedirectKind::Read(word) => Some(word.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

struct Variables<'a> {
    shell: &'a mut Shell,
    memory: &'a mut Memory,
    nounset: bool,
    unbound: Option<String>,
}

impl arithmetic::Variables for Variables<'_> {
    fn get(&mut self, name: &str) -> Option<Text> {
        let value = self.shell.variable(self.memory, name).cloned();
        if value.is_none() && self.nounset {
            self.unbound.get_or_insert_with(|| name.into());
        }
        value
    }

    fn set(&mut self, name: &str, value: i64) {
        self.shell.set(self.memory, name, value.to_string().into());
    }
}
