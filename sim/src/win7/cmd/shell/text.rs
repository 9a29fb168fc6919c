//! Commands back as text: what `echo on` shows, and what the child of a pipe is given.

use super::Shell;
use super::ast::{Command, Comparison, Condition, Form, Kind, Node, Operator, Target, Text};
use super::expand::{date_of, time_of, utf8};
use crate::win7::cmd::clock::Moment;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;

const BLANK: u16 = b' ' as u16;

/// For whom a command is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// The console.
    Reader,
    /// The child that runs a side of a pipe.
    Child,
    /// The same, of what a `for` does: it has one blank more behind it.
    Body,
}

impl Shell {
    /// Shows a command before it runs, unless `echo` is off or it says `@`.
    pub(super) fn show(&self, sys: &mut Sys<'_>, node: &Node) -> Asked<()> {
        if !self.echo || is_quiet(node) {
            return Ok(());
        }
        let prompt = self.prompt(sys)?;
        let text = self.text_of(sys, node, For::Reader)?;
        let line = [units("\r\n"), prompt, text, units("\r\n")].concat();
        sys.print_units(&line)
    }

    /// What `PROMPT` comes to.
    pub(super) fn prompt(&self, sys: &mut Sys<'_>) -> Asked<Text> {
        let template = sys.variable("PROMPT").map(|text| text.to_utf8_lossy());
        let template = template.unwrap_or_else(|| "$P$G".into());
        let moment = Moment::after_ms(sys.now_ms()?);
        let mut out = String::new();
        let mut letters = template.chars();
        while let Some(letter) = letters.next() {
            if letter != '$' {
                out.push(letter);
                continue;
            }
            match letters.next().map(|letter| letter.to_ascii_uppercase()) {
                Some('P') => out.push_str(&sys.local.directory.to_utf8_lossy()),
                Some('N') => out.extend(sys.local.directory.to_utf8_lossy().chars().next()),
                Some('G') => out.push('>'),
                Some('L') => out.push('<'),
                Some('B') => out.push('|'),
                Some('Q') => out.push('='),
                Some('A') => out.push('&'),
                Some('C') => out.push('('),
                Some('F') => out.push(')'),
                Some('S') => out.push(' '),
                Some('_') => out.push_str("\r\n"),
                Some('$') => out.push('$'),
                Some('D') => out.push_str(&date_of(moment)),
                Some('T') => out.push_str(&time_of(moment)),
                Some('V') => out.push_str(super::internal::VERSION),
                Some('E') => out.push('\u{1b}'),
                _ => {}
            }
        }
        Ok(units(&out))
    }

    /// A command as text. `for` variables are filled in, `!` too where a child gets one command alone.
    pub(super) fn text_of(&self, sys: &mut Sys<'_>, node: &Node, whom: For) -> Asked<Text> {
        let mut out = Vec::new();
        let mut node = node;
        loop {
            let (operator, left, right) = match node {
                Node::Command(command) => {
                    out.extend(self.command_text(sys, command, whom)?);
                    return Ok(out);
                }
                Node::Two(operator, left, right) => (operator, left, right),
            };
            let sign = match operator {
                Operator::Line if whom == For::Reader => "\r\n ",
                Operator::Then | Operator::Line => " & ",
                Operator::And => " && ",
                Operator::Or => " || ",
                Operator::Pipe => " | ",
            };
            out.extend(self.text_of(sys, left, whom)?);
            out.extend(units(sign));
            node = right;
        }
    }

    fn command_text(&self, sys: &mut Sys<'_>, command: &Command, whom: For) -> Asked<Text> {
        if whom == For::Reader && command.quiet {
            return Ok(Vec::new());
        }
        // Where a child is given blanks: Wine's batch tests, whose expected output is that of Windows, and jeb's notes on
        // %CMDCMDLINE% in pipes.
        let (below, body) = match whom {
            For::Reader => (For::Reader, For::Reader),
            For::Child | For::Body => (For::Child, For::Body),
        };
        let mut out = match &command.kind {
            Kind::Simple { name, tail } => {
                let name = self.expand_for(sys, name)?;
                let mut tail = self.expand_for(sys, tail)?;
                if whom != For::Child && !tail.is_empty() {
                    tail.push(BLANK);
                }
                [name, tail].concat()
            }
            Kind::Block(inside) => match whom {
                For::Child | For::Body => {
                    let inside = self.text_of(sys, inside, below)?;
                    [units("( "), inside, units(" )")].concat()
                }
                For::Reader => {
                    let (before, behind) = match &**inside {
                        Node::Two(Operator::Line, ..) => ("(\r\n", "\r\n) "),
                        _ => ("(", ") "),
                    };
                    let inside = self.text_of(sys, inside, whom)?;
                    [units(before), inside, units(behind)].concat()
                }
            },
            Kind::If(read) => {
                let mut out = units("if ");
                if read.ignore_case {
                    out.extend(units("/I "));
                }
                if read.not {
                    out.extend(units("not "));
                }
                out.extend(self.condition_text(sys, &read.condition)?);
                out.push(b' ' as u16);
                out.extend(self.text_of(sys, &read.then, below)?);
                if let Some(otherwise) = &read.otherwise {
                    out.extend(units(" else "));
                    out.extend(self.text_of(sys, otherwise, below)?);
                }
                out
            }
            Kind::For(read) => {
                let form = match &read.form {
                    Form::Plain => String::new(),
                    Form::Directories => "/D ".into(),
                    Form::Numbers => "/L ".into(),
                    Form::Tree(root, true) => format!("/D /R {} ", utf8(root)),
                    Form::Tree(root, false) => format!("/R {} ", utf8(root)),
                    Form::Lines(options) => format!("/F {} ", utf8(options)),
                };
                let set = self.expand_for(sys, &read.set)?;
                let body = self.text_of(sys, &read.body, body)?;
                let variable = utf8(&[read.variable]);
                let head = units(&format!("for {form}%{variable} in ("));
                [head, set, units(") do "), body].concat()
            }
        };
        if command.quiet {
            out.insert(0, b'@' as u16);
        }
        for redirection in &command.redirections {
            let (sign, name) = match &redirection.to {
                Target::Read(name) => ("<".to_owned(), Some(name)),
                Target::Replace(name) => (">".into(), Some(name)),
                Target::Append(name) => (">>".into(), Some(name)),
                Target::Copy(number) => (format!(">&{number}"), None),
            };
            if out.last() != Some(&BLANK) {
                out.push(BLANK);
            }
            out.extend(units(&format!("{}{sign}", redirection.handle)));
            if let Some(name) = name {
                out.extend(self.expand_for(sys, name)?);
            }
            if whom == For::Reader {
                out.push(BLANK);
            }
        }
        Ok(out)
    }

    fn condition_text(&self, sys: &mut Sys<'_>, condition: &Condition) -> Asked<Text> {
        let (word, operand) = match condition {
            Condition::Exist(operand) => ("exist ", operand),
            Condition::Defined(operand) => ("defined ", operand),
            Condition::ErrorLevel(operand) => ("errorlevel ", operand),
            Condition::ExtensionVersion(operand) => ("cmdextversion ", operand),
            Condition::Compare(left, comparison, right) => {
                let sign = match comparison {
                    Comparison::Same => " == ",
                    Comparison::Equal => " EQU ",
                    Comparison::NotEqual => " NEQ ",
                    Comparison::Less => " LSS ",
                    Comparison::LessOrEqual => " LEQ ",
                    Comparison::Greater => " GTR ",
                    Comparison::GreaterOrEqual => " GEQ ",
                };
                let left = self.expand_for(sys, left)?;
                let right = self.expand_for(sys, right)?;
                return Ok([left, units(sign), right].concat());
            }
        };
        Ok([units(word), self.expand_for(sys, operand)?].concat())
    }
}

fn is_quiet(node: &Node) -> bool {
    match node {
        Node::Command(command) => command.quiet,
        Node::Two(_, left, _) => is_quiet(left),
    }
}
