//! `if` and `for`.

use super::{Left, Mistake, NEWLINE, Read, Reader, c, is_blank, is_divider};
use crate::win7::cmd::shell::ast::{Comparison, Condition, For, Form, If, Node, Text};
use crate::win7::cmd::shell::expand::same;
use crate::win7::registry::units;

impl Reader<'_, '_> {
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

    pub(super) fn if_command(&mut self) -> Read<If> {
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
        let then = self.body()?;
        let otherwise = match self.keyword("else") {
            true => Some(self.body()?),
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

    /// What `if`, `else` or `do` carries out.
    fn body(&mut self) -> Read<Node> {
        match self.sequence()? {
            Some(node) => Ok(node),
            // A label is nothing to carry out.
            None if self.label => Ok(self.nothing(Vec::new())),
            None => self.unexpected(),
        }
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

    pub(super) fn for_command(&mut self) -> Read<For> {
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
        self.skip(is_divider);
        if self.at_end() {
            return Err(Left::Mistake(Mistake::Syntax));
        }
        let body = self.body()?;
        Ok(For {
            form,
            variable,
            set,
            body,
        })
    }
}
