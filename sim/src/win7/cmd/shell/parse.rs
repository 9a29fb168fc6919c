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
//! | a label line is nothing; in a block as well | the same notes | partly |
//! | a file that ends inside of a block: the block does not run | observed, from memory | no |

use std::sync::Arc;

use super::Shell;
use super::ast::{
    Command, Comparison, Condition, For, Form, If, Kind, Node, Operator, Redirection, Target, Text,
};
use super::expand::{same, utf8};
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
        Err(Left::End) => Ok(Parsed::End),
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
}

impl Reader<'_, '_> {
    /// Takes the next line in place of the present one, its percent signs filled in.
    fn fetch(&mut self) -> Read<bool> {
        let Some(line) = self.lines.next(self.shell, self.sys)? else {
            return Ok(false);
        };
        let mut line = self.shell.expand_percent(self.sys, &line)?;
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
        if self.at_end() || self.peek() == c(':') {
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
                None => return self.unexpected(),
            }
        }
        Ok(fold(all, Operator::Pipe))
    }

    /// One command; nothing where none begins.
    fn command(&mut self) -> Read<Option<Node>> {
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
                let nothing = Kind::Simple {
                    name: units("rem"),
                    tail: vec![],
                };
                return Ok(Some(self.finish(true, nothing, redirections)));
            }
            Ok(b')') => return Ok(None),
            Ok(b'&' | b'|') => return self.unexpected(),
            _ => {}
        }
        let start = self.at;
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
        match keyword.as_deref() {
            Some("if") if ended(self) => {
                let read = self.if_command()?;
                return Ok(Some(self.finish(
                    quiet,
                    Kind::If(Box::new(read)),
                    redirections,
                )));
            }
            Some("for") if ended(self) => {
                let read = self.for_command()?;
                return Ok(Some(self.finish(
                    quiet,
                    Kind::For(Box::new(read)),
                    redirections,
                )));
            }
            Some("rem") if ended(self) => {
                self.skip(is_blank);
                if !matches!(u8::try_from(self.peek()), Ok(b'&' | b'|' | b'<' | b'>')) {
                    let tail = self.line[self.at..self.line.len() - 1].to_vec();
                    self.at = self.line.len() - 1;
                    let kind = Kind::Simple {
                        name: word,
                        tail: [vec![c(' ')], tail].concat(),
                    };
                    return Ok(Some(self.finish(quiet, kind, redirections)));
                }
            }
            _ => {}
        }
        let _ = start;
        let tail = self.tail(&mut redirections)?;
        Ok(Some(self.finish(
            quiet,
            Kind::Simple { name: word, tail },
            redirections,
        )))
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
                if !self.fetch()? {
                    return Err(Left::End);
                }
                self.skip(is_divider);
                // A label in a block is nothing.
                if self.peek() == c(':') {
                    self.at = self.line.len() - 1;
                }
                continue;
            }
            if self.peek() == c(')') {
                self.at += 1;
                break;
            }
            match self.sequence()? {
                Some(node) => all.push(node),
                None => return self.unexpected(),
            }
            self.skip(is_blank);
            if !self.at_end() && self.peek() != c(')') {
                return self.unexpected();
            }
        }
        self.depth -= 1;
        Ok(join(all))
    }

    /// `^` at the end of a line: goes on with the next one. Whether there is one.
    fn join_line(&mut self) -> Read<bool> {
        self.fetch()
    }

    /// The first word of a command, as it stands, and whether nothing in it was quoted or escaped.
    fn word(&mut self) -> Read<(Text, bool)> {
        let (mut word, mut plain, mut quoted) = (Vec::new(), true, false);
        loop {
            let unit = self.peek();
            if unit == NEWLINE {
                break;
            }
            if unit == c('"') {
                quoted = !quoted;
                plain = false;
            } else if !quoted {
                match u8::try_from(unit) {
                    Ok(b'^') => {
                        plain = false;
                        self.at += 1;
                        if self.at_end() && !self.join_line()? {
                            break;
                        }
                        if !self.at_end() {
                            word.push(self.peek());
                            self.at += 1;
                        }
                        continue;
                    }
                    Ok(b'&' | b'|' | b'<' | b'>') => break,
                    Ok(b')') if self.depth > 0 => break,
                    Ok(b'(')
                        if matches!(
                            utf8(&word).to_ascii_lowercase().as_str(),
                            "if" | "for" | "rem"
                        ) =>
                    {
                        break;
                    }
                    _ if is_divider(unit) => break,
                    Ok(b'/')
                        if matches!(utf8(&word).to_ascii_lowercase().as_str(), "if" | "for") =>
                    {
                        break;
                    }
                    _ => {}
                }
            }
            word.push(unit);
            self.at += 1;
        }
        Ok((word, plain))
    }

    /// What follows the first word, with the redirections taken out.
    fn tail(&mut self, redirections: &mut Vec<Redirection>) -> Read<Text> {
        let (mut tail, mut quoted) = (Vec::new(), false);
        // Behind the name of a command a digit may be the handle of what follows.
        let mut last_divides = true;
        loop {
            let unit = self.peek();
            if unit == NEWLINE {
                break;
            }
            if unit == c('"') {
                quoted = !quoted;
            } else if !quoted {
                match u8::try_from(unit) {
                    Ok(b'^') => {
                        self.at += 1;
                        if self.at_end() && !self.join_line()? {
                            break;
                        }
                        if !self.at_end() {
                            tail.push(self.peek());
                            self.at += 1;
                        }
                        last_divides = false;
                        continue;
                    }
                    Ok(b'&' | b'|') => break,
                    Ok(b')') if self.depth > 0 => break,
                    Ok(b'<' | b'>') => {
                        self.redirection(redirections)?;
                        last_divides = false;
                        continue;
                    }
                    Ok(b'0'..=b'9')
                        if last_divides
                            && matches!(u8::try_from(self.second()), Ok(b'<' | b'>')) =>
                    {
                        self.redirection(redirections)?;
                        continue;
                    }
                    _ => {}
                }
            }
            last_divides = is_divider(unit) || unit == c('(');
            tail.push(unit);
            self.at += 1;
        }
        Ok(tail)
    }

    /// A redirection, if one begins here.
    fn redirection(&mut self, into: &mut Vec<Redirection>) -> Read<bool> {
        let arrow = |unit: u16| unit == c('<') || unit == c('>');
        let digit = char::from_u32(self.peek().into()).and_then(|c| c.to_digit(10));
        let handle = match digit {
            Some(number) if arrow(self.second()) => {
                self.at += 1;
                Some(number as usize)
            }
            _ if arrow(self.peek()) => None,
            _ => return Ok(false),
        };
        let reads = self.peek() == c('<');
        let handle = handle.unwrap_or(usize::from(!reads));
        self.at += 1;
        let appends = !reads && self.peek() == c('>');
        if appends {
            self.at += 1;
        }
        if self.peek() == c('&') {
            self.at += 1;
            self.skip(is_blank);
            let number = char::from_u32(self.peek().into()).and_then(|c| c.to_digit(10));
            let Some(number) = number else {
                return self.unexpected();
            };
            self.at += 1;
            into.push(Redirection {
                handle,
                to: Target::Copy(number as usize),
            });
            return Ok(true);
        }
        self.skip(is_divider);
        let (name, _) = self.word()?;
        if name.is_empty() {
            return self.unexpected();
        }
        let to = match (reads, appends) {
            (true, _) => Target::Read(name),
            (_, true) => Target::Append(name),
            _ => Target::Replace(name),
        };
        into.push(Redirection { handle, to });
        Ok(true)
    }

    /// A word of `if` or `for`: it ends at what divides, and at `==`.
    fn argument(&mut self) -> Read<Text> {
        self.skip(is_divider);
        Ok(self.word()?.0)
    }

    /// A word, if it is this one; else nothing is taken.
    fn keyword(&mut self, word: &str) -> bool {
        let start = self.at;
        self.skip(is_divider);
        let end = self.at + word.len();
        let found = self
            .line
            .get(self.at..end)
            .is_some_and(|text| same(text, &units(word)));
        let next = self.line.get(end).copied().unwrap_or(NEWLINE);
        let ends = next == NEWLINE || is_divider(next) || next == c('(') || next == c(')');
        match found && ends {
            true => {
                self.at = end;
                true
            }
            false => {
                self.at = start;
                false
            }
        }
    }

    fn if_command(&mut self) -> Read<If> {
        let mut ignore_case = false;
        let mut not = false;
        loop {
            self.skip(is_divider);
            if self.peek() == c('/') && matches!(u8::try_from(self.second()), Ok(b'i' | b'I')) {
                ignore_case = true;
                self.at += 2;
            } else if self.keyword("not") {
                not = !not;
            } else {
                break;
            }
        }
        let condition = self.condition()?;
        self.skip(is_divider);
        if self.at_end() {
            return Err(Left::Mistake(Mistake::Syntax));
        }
        let Some(then) = self.sequence()? else {
            return self.unexpected();
        };
        let otherwise = match self.keyword("else") {
            true => match self.sequence()? {
                Some(node) => Some(node),
                None => return self.unexpected(),
            },
            false => None,
        };
        Ok(If {
            ignore_case,
            not,
            condition,
            then,
            otherwise,
        })
    }

    fn condition(&mut self) -> Read<Condition> {
        for (word, make) in [
            ("exist", Condition::Exist as fn(Text) -> Condition),
            ("defined", Condition::Defined),
            ("errorlevel", Condition::ErrorLevel),
            ("cmdextversion", Condition::ExtensionVersion),
        ] {
            let start = self.at;
            if self.keyword(word) {
                self.skip(is_blank);
                // `errorlevel==1` compares texts.
                if self.peek() == c('=') && self.second() == c('=') {
                    self.at = start;
                    break;
                }
                let operand = self.argument()?;
                if operand.is_empty() {
                    return self.unexpected();
                }
                return Ok(make(operand));
            }
        }
        let left = self.argument()?;
        if left.is_empty() {
            return self.unexpected();
        }
        self.skip(is_blank);
        if self.peek() == c('=') && self.second() == c('=') {
            self.at += 2;
            let right = self.argument()?;
            if right.is_empty() {
                return self.unexpected();
            }
            return Ok(Condition::Compare(left, Comparison::Same, right));
        }
        for (word, comparison) in [
            ("equ", Comparison::Equal),
            ("neq", Comparison::NotEqual),
            ("lss", Comparison::Less),
            ("leq", Comparison::LessOrEqual),
            ("gtr", Comparison::Greater),
            ("geq", Comparison::GreaterOrEqual),
        ] {
            if self.keyword(word) {
                let right = self.argument()?;
                if right.is_empty() {
                    return self.unexpected();
                }
                return Ok(Condition::Compare(left, comparison, right));
            }
        }
        self.unexpected()
    }

    fn for_command(&mut self) -> Read<For> {
        let mut form = Form::Plain;
        self.skip(is_divider);
        while self.peek() == c('/') {
            let letter = u8::try_from(self.second())
                .unwrap_or(0)
                .to_ascii_lowercase();
            let known = matches!(letter, b'd' | b'r' | b'l' | b'f');
            if !known {
                return self.unexpected();
            }
            self.at += 2;
            self.skip(is_divider);
            form = match (letter, form) {
                (b'd', Form::Tree(root, _)) => Form::Tree(root, true),
                (b'd', _) => Form::Directories,
                (b'l', _) => Form::Numbers,
                (b'r', before) => {
                    let root = match self.peek() == c('%') || self.peek() == c('/') {
                        true => Vec::new(),
                        false => self.argument()?,
                    };
                    Form::Tree(root, before == Form::Directories)
                }
                (_, _) => {
                    let options = match self.peek() == c('%') {
                        true => Vec::new(),
                        false => self.argument()?,
                    };
                    Form::Lines(options)
                }
            };
            self.skip(is_divider);
        }
        let name = self.argument()?;
        let variable = match name.as_slice() {
            [percent, letter] if *percent == c('%') => *letter,
            // On a command line what was `%%a` in a file still has both.
            _ => {
                self.at -= name.len().min(self.at);
                return self.unexpected();
            }
        };
        if !self.keyword("in") {
            return self.unexpected();
        }
        self.skip(is_divider);
        if self.peek() != c('(') {
            return self.unexpected();
        }
        self.at += 1;
        let set = self.set()?;
        if !self.keyword("do") {
            return self.unexpected();
        }
        let Some(body) = self.sequence()? else {
            return match self.at_end() {
                true => Err(Left::Mistake(Mistake::Syntax)),
                false => self.unexpected(),
            };
        };
        Ok(For {
            form,
            variable,
            set,
            body,
        })
    }

    /// What is between the parentheses of `in`, over any number of lines; their ends are blanks.
    fn set(&mut self) -> Read<Text> {
        let (mut set, mut quoted) = (Vec::new(), false);
        loop {
            let unit = self.peek();
            if unit == NEWLINE {
                quoted = false;
                if !self.fetch()? {
                    return Err(Left::End);
                }
                set.push(c(' '));
                continue;
            }
            if unit == c('"') {
                quoted = !quoted;
            } else if !quoted {
                match u8::try_from(unit) {
                    Ok(b'^') => {
                        self.at += 1;
                        if self.at_end() && !self.join_line()? {
                            return Err(Left::End);
                        }
                        if !self.at_end() {
                            set.push(self.peek());
                            self.at += 1;
                        }
                        continue;
                    }
                    Ok(b')') => {
                        self.at += 1;
                        return Ok(set);
                    }
                    Ok(b'&' | b'|' | b'<' | b'>') => return self.unexpected(),
                    _ => {}
                }
            }
            set.push(unit);
            self.at += 1;
        }
    }
}

fn join(all: Vec<Node>) -> Option<Node> {
    fold(all, Operator::Then)
}

fn fold(all: Vec<Node>, operator: Operator) -> Option<Node> {
    let two = |right: Node, left: Node| Node::Two(operator, Box::new(left), Box::new(right));
    all.into_iter().rev().reduce(two)
}
