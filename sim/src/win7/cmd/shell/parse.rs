//! Phase 2: from lines to commands.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | percent signs are filled in a line at a time, before anything else is read of it | dbenham's and jeb's notes on the phases | yes |
//! | `^` takes the meaning from what follows; at the end of a line it joins the next one, whose first character is plain | the same | yes |
//! | quotes hide everything but the end of the line | the same | yes |
//! | `\|` binds closer than `&&`, that than `\|\|`, that than `&` | `cmd /?`, ReactOS parser.c | yes |
//! | what follows `if` and `do` on a line belongs to it; `else` must follow `)` | the same | yes |
//! | `rem` takes the rest of the line; `)` outside of blocks at the beginning of a command takes it too | the same notes | yes |
//! | a `:` where a command begins makes a label of the rest of the line, `)` and `&` included; `^` at its end still joins the next line | dbenham, "Rules for label names vs GOTO and CALL", dostips.com | yes |
//! | in a block a command must stand on the line behind a label; a second label there is carried out: `::` is a drive that is not there | the same | yes; the words of an empty line behind it are not |
//! | a redirection before a label: it is carried out as well, in a block, and where `&` or `\|` follow | the same | yes |
//! | `^` before an empty line: what it escapes is the end of that line | Wine's batch tests, whose expected output is that of Windows | yes |
//! | of two redirections of one handle the last alone counts, and opens its file | the same | yes |
//! | a file that ends inside of a block: the block does not run, and the file ends with 255 | the same | yes |
//!
//! [`words`] reads the words of commands and their redirections, [`compound`] `if` and `for`.

mod compound;
mod words;

use std::sync::Arc;

use super::Shell;
use super::ast::{Command, Kind, Node, Operator, Redirection, Text};
use super::expand::utf8;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;

/// The most units of a line, after percent signs were filled in (documentation: 8191 characters).
pub const LONGEST: usize = 8191;

/// How deep blocks may lie in each other here; real stacks hold a few hundred.
const DEEPEST: u32 = 48;

/// What is wrong with a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mistake {
    /// This was not expected.
    Unexpected(Text),
    /// Something lacks.
    Syntax,
    /// `%~` and no parameter behind it: from there to the end of the line.
    PathOperator(Text),
    /// The line is longer than cmd takes.
    TooLong,
    /// Blocks in blocks in blocks.
    TooDeep,
}

/// What was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Parsed {
    /// A command, or several.
    Node(Node),
    /// Nothing to do: an empty line, a label, a comment.
    Nothing,
    /// There is no more.
    End,
    /// The file ended inside of a block.
    Unfinished,
    /// What cmd refuses.
    Mistake(Mistake),
}

/// Where lines come from.
pub trait Lines {
    /// The next line, decoded, without its end.
    fn next(&mut self, shell: &mut Shell, sys: &mut Sys<'_>) -> Asked<Option<Text>>;
}

/// One text, a line at a time.
pub struct OneText(pub Option<Text>);

impl Lines for OneText {
    fn next(&mut self, _: &mut Shell, _: &mut Sys<'_>) -> Asked<Option<Text>> {
        Ok(self.0.take())
    }
}

/// A mistake, or a stop.
enum Left {
    Mistake(Mistake),
    Stop(crate::win7::cmd::sys::Stop),
    /// The file ended inside of something.
    End,
}

impl From<crate::win7::cmd::sys::Stop> for Left {
    fn from(stop: crate::win7::cmd::sys::Stop) -> Left {
        Left::Stop(stop)
    }
}

type Read<T> = Result<T, Left>;

const NEWLINE: u16 = 0x0a;

fn c(unit: char) -> u16 {
    unit as u16
}

fn is_divider(unit: u16) -> bool {
    matches!(
        u8::try_from(unit),
        Ok(b' ' | b'\t' | b',' | b';' | b'=' | 0x0b | 0x0c | 0xff)
    )
}

fn is_blank(unit: u16) -> bool {
    matches!(u8::try_from(unit), Ok(b' ' | b'\t' | 0x0b | 0x0c))
}

/// Reads one command, as many lines as it takes.
pub fn parse(shell: &mut Shell, sys: &mut Sys<'_>, lines: &mut dyn Lines) -> Asked<Parsed> {
    let mut reader = Reader {
        shell,
        sys,
        lines,
        line: Vec::new(),
        at: 0,
        depth: 0,
        nesting: 0,
        label: false,
    };
    let read = match reader.fetch() {
        Ok(true) => reader.top(),
        Ok(false) => return Ok(Parsed::End),
        Err(left) => Err(left),
    };
    match read {
        Ok(Some(node)) => Ok(Parsed::Node(node)),
        Ok(None) => Ok(Parsed::Nothing),
        Err(Left::Mistake(mistake)) => Ok(Parsed::Mistake(mistake)),
        Err(Left::End) => Ok(Parsed::Unfinished),
        Err(Left::Stop(stop)) => Err(stop),
    }
}

struct Reader<'a, 's> {
    shell: &'a mut Shell,
    sys: &'a mut Sys<'s>,
    lines: &'a mut dyn Lines,
    /// The present line, with a newline at its end.
    line: Text,
    at: usize,
    /// How many blocks are open.
    depth: u32,
    nesting: u32,
    /// Whether what was read last is a label that took the rest of its line.
    label: bool,
}

impl Reader<'_, '_> {
    /// Takes the next line in place of the present one, its percent signs filled in.
    fn fetch(&mut self) -> Read<bool> {
        let Some(line) = self.lines.next(self.shell, self.sys)? else {
            return Ok(false);
        };
        let line = self.shell.expand_percent(self.sys, &line)?;
        let mut line = line.map_err(Left::Mistake)?;
        if line.len() > LONGEST {
            return Err(Left::Mistake(Mistake::TooLong));
        }
        line.retain(|unit| *unit != 0x0d);
        line.push(NEWLINE);
        self.line = line;
        self.at = 0;
        Ok(true)
    }

    fn peek(&self) -> u16 {
        self.line.get(self.at).copied().unwrap_or(NEWLINE)
    }

    fn second(&self) -> u16 {
        self.line.get(self.at + 1).copied().unwrap_or(NEWLINE)
    }

    fn at_end(&self) -> bool {
        self.peek() == NEWLINE
    }

    fn skip(&mut self, what: fn(u16) -> bool) {
        while !self.at_end() && what(self.peek()) {
            self.at += 1;
        }
    }

    fn unexpected<T>(&mut self) -> Read<T> {
        self.skip(is_blank);
        let rest = &self.line[self.at.min(self.line.len())..];
        let end = match rest
            .first()
            .copied()
            .and_then(|unit| u8::try_from(unit).ok())
        {
            Some(b'&' | b'|') if rest.get(1) == rest.first() => 2,
            Some(b'&' | b'|' | b'(' | b')' | b'<' | b'>') => 1,
            _ => {
                let stop = |unit: &u16| {
                    is_divider(*unit)
                        || *unit == NEWLINE
                        || "&|<>()".contains(char::from_u32((*unit).into()).unwrap_or(' '))
                };
                rest.iter().position(stop).unwrap_or(rest.len())
            }
        };
        let word = rest[..end.min(rest.len())].to_vec();
        Err(Left::Mistake(match word.is_empty() {
            true => Mistake::Syntax,
            false => Mistake::Unexpected(word),
        }))
    }

    fn top(&mut self) -> Read<Option<Node>> {
        self.skip(is_divider);
        if self.at_end() {
            return Ok(None);
        }
        let node = self.sequence()?;
        self.skip(is_blank);
        if !self.at_end() {
            return self.unexpected();
        }
        Ok(node)
    }

    /// Commands with `&` between them, to the end of the line or block.
    fn sequence(&mut self) -> Read<Option<Node>> {
        self.nesting += 1;
        if self.nesting > DEEPEST {
            return Err(Left::Mistake(Mistake::TooDeep));
        }
        let read = self.sequence_inner();
        self.nesting -= 1;
        read
    }

    fn sequence_inner(&mut self) -> Read<Option<Node>> {
        let mut all: Vec<Node> = Vec::new();
        while let Some(node) = self.either()? {
            all.push(node);
            self.skip(is_blank);
            if self.peek() == c('&') && self.second() != c('&') {
                self.at += 1;
                self.skip(is_divider);
                // `a &` is `a`.
                if self.at_end() || (self.depth > 0 && self.peek() == c(')')) {
                    break;
                }
                if matches!(u8::try_from(self.peek()), Ok(b'&' | b'|')) {
                    return self.unexpected();
                }
                continue;
            }
            break;
        }
        Ok(join(all))
    }

    /// `||`
    fn either(&mut self) -> Read<Option<Node>> {
        self.chain(c('|'), Operator::Or, Self::both)
    }

    /// `&&`
    fn both(&mut self) -> Read<Option<Node>> {
        self.chain(c('&'), Operator::And, Self::pipe)
    }

    fn chain(
        &mut self,
        sign: u16,
        operator: Operator,
        next: fn(&mut Self) -> Read<Option<Node>>,
    ) -> Read<Option<Node>> {
        let Some(left) = next(self)? else {
            return Ok(None);
        };
        let mut all = vec![left];
        loop {
            self.skip(is_blank);
            if self.peek() != sign || self.second() != sign {
                break;
            }
            self.at += 2;
            match next(self)? {
                Some(right) => all.push(right),
                None if self.label => break,
                None => return self.unexpected(),
            }
        }
        Ok(fold(all, operator))
    }

    fn pipe(&mut self) -> Read<Option<Node>> {
        let Some(left) = self.command()? else {
            return Ok(None);
        };
        let mut all = vec![left];
        loop {
            self.skip(is_blank);
            if self.peek() != c('|') || self.second() == c('|') {
                break;
            }
            self.at += 1;
            match self.command()? {
                Some(right) => all.push(right),
                None if self.label => break,
                None => return self.unexpected(),
            }
        }
        Ok(fold(all, Operator::Pipe))
    }

    /// One command; nothing where none begins.
    fn command(&mut self) -> Read<Option<Node>> {
        self.label = false;
        self.skip(is_divider);
        let mut quiet = false;
        while self.peek() == c('@') {
            quiet = true;
            self.at += 1;
            self.skip(is_divider);
        }
        let mut redirections = Vec::new();
        while self.redirection(&mut redirections)? {
            self.skip(is_divider);
        }
        if self.at_end() {
            return match redirections.is_empty() && !quiet {
                true => Ok(None),
                // `>file` alone makes an empty file.
                false => Ok(Some(self.finish(
                    quiet,
                    Kind::Simple {
                        name: vec![],
                        tail: vec![],
                    },
                    redirections,
                ))),
            };
        }
        match u8::try_from(self.peek()) {
            Ok(b':') if redirections.is_empty() || (self.depth == 0 && !self.is_joined()) => {
                self.take_label()?;
                return Ok(None);
            }
            Ok(b'(') => {
                self.at += 1;
                let inside = self.block()?;
                let Some(inside) = inside else {
                    return self.unexpected();
                };
                self.skip(is_blank);
                while self.redirection(&mut redirections)? {
                    self.skip(is_blank);
                }
                return Ok(Some(self.finish(
                    quiet,
                    Kind::Block(Box::new(inside)),
                    redirections,
                )));
            }
            Ok(b')') if self.depth == 0 => {
                // It takes the rest of the line.
                self.at = self.line.len() - 1;
                return Ok(Some(self.nothing(redirections)));
            }
            Ok(b')') => return Ok(None),
            Ok(b'&' | b'|') => return self.unexpected(),
            _ => {}
        }
        self.plain_command(quiet, redirections).map(Some)
    }

    /// A command that begins with a word here.
    fn plain_command(&mut self, quiet: bool, mut redirections: Vec<Redirection>) -> Read<Node> {
        let (word, plain) = self.word()?;
        let keyword = plain.then(|| utf8(&word).to_ascii_lowercase());
        let ended = |reader: &Self| {
            reader.at_end()
                || is_divider(reader.peek())
                || matches!(
                    u8::try_from(reader.peek()),
                    Ok(b'/' | b'(' | b'<' | b'>' | b'&' | b'|')
                )
        };
        let asks_for_help = |reader: &Self| {
            let rest = &reader.line[reader.at..];
            super::set::trim_start(rest).starts_with(&units("/?"))
        };
        match keyword.as_deref() {
            // It goes on with what has such a name among the commands.
            Some("if" | "for") if asks_for_help(self) => {}
            Some("if") if ended(self) => {
                let read = self.if_command()?;
                return Ok(self.finish(quiet, Kind::If(Box::new(read)), redirections));
            }
            Some("for") if ended(self) => {
                let read = self.for_command()?;
                return Ok(self.finish(quiet, Kind::For(Box::new(read)), redirections));
            }
            Some("rem") if ended(self) => {
                let start = self.at;
                self.skip(is_blank);
                if !matches!(u8::try_from(self.peek()), Ok(b'&' | b'|' | b'<' | b'>')) {
                    let tail = self.line[start..self.line.len() - 1].to_vec();
                    self.at = self.line.len() - 1;
                    let kind = Kind::Simple { name: word, tail };
                    return Ok(self.finish(quiet, kind, redirections));
                }
            }
            _ => {}
        }
        let tail = self.tail(&mut redirections)?;
        Ok(self.finish(quiet, Kind::Simple { name: word, tail }, redirections))
    }

    /// The first line behind a label in a block: it must hold a command, and a second label is carried out as one.
    fn behind_label(&mut self) -> Read<Option<Node>> {
        self.skip(is_divider);
        if self.at_end() {
            return Err(Left::Mistake(Mistake::Syntax));
        }
        if self.peek() == c(')') {
            return self.unexpected();
        }
        // A parenthesis means nothing there.
        if self.peek() != c(':') && self.peek() != c('(') {
            return Ok(None);
        }
        let label = self.plain_command(self.peek() == c(':'), Vec::new())?;
        self.skip(is_blank);
        if self.peek() == c('&') && self.second() != c('&') {
            self.at += 1;
            let rest = self.sequence()?;
            return Ok(join([Some(label), rest].into_iter().flatten().collect()));
        }
        Ok(Some(label))
    }

    /// A command that does nothing and is not shown.
    fn nothing(&self, redirections: Vec<Redirection>) -> Node {
        let nothing = Kind::Simple {
            name: units("rem"),
            tail: vec![],
        };
        self.finish(true, nothing, redirections)
    }

    fn finish(&self, quiet: bool, kind: Kind, redirections: Vec<Redirection>) -> Node {
        Node::Command(Arc::new(Command {
            quiet,
            kind,
            redirections,
        }))
    }

    /// What is in a block, up to its `)`, over any number of lines.
    fn block(&mut self) -> Read<Option<Node>> {
        if self.depth >= DEEPEST {
            return Err(Left::Mistake(Mistake::TooDeep));
        }
        self.depth += 1;
        let mut all = Vec::new();
        loop {
            self.skip(is_divider);
            if self.at_end() {
                let behind_label = std::mem::take(&mut self.label);
                if !self.fetch()? {
                    return Err(Left::End);
                }
                if behind_label {
                    match self.behind_label()? {
                        Some(node) => all.push(node),
                        None => continue,
                    }
                } else {
                    continue;
                }
            } else if self.peek() == c(')') {
                self.at += 1;
                break;
            } else {
                match self.sequence()? {
                    Some(node) => all.push(node),
                    None if self.label => continue,
                    None => return self.unexpected(),
                }
            }
            self.skip(is_blank);
            if !self.at_end() && self.peek() != c(')') {
                return self.unexpected();
            }
        }
        self.depth -= 1;
        Ok(fold(all, Operator::Line))
    }
}

fn join(all: Vec<Node>) -> Option<Node> {
    fold(all, Operator::Then)
}

fn fold(all: Vec<Node>, operator: Operator) -> Option<Node> {
    let two = |right: Node, left: Node| Node::Two(operator, Box::new(left), Box::new(right));
    all.into_iter().rev().reduce(two)
}
