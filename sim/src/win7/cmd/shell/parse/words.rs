//! Words of commands, what follows them, and redirections.

use super::{Left, NEWLINE, Read, Reader, c, is_blank, is_divider};
use crate::win7::cmd::shell::ast::{Redirection, Target, Text};
use crate::win7::cmd::shell::expand::utf8;

impl Reader<'_, '_> {
    /// What a `^` here escapes: the next unit, at the end of the line the first of the next one; nothing at the end of
    /// all lines.
    fn escaped(&mut self) -> Read<Option<u16>> {
        self.at += 1;
        if self.at_end() {
            if !self.fetch()? {
                return Ok(None);
            }
            if self.at_end() {
                self.fetch()?;
                return Ok(Some(NEWLINE));
            }
        }
        let unit = self.peek();
        self.at += 1;
        Ok(Some(unit))
    }

    /// Takes a label: the rest of the line, and those that `^` joins to it.
    pub(super) fn take_label(&mut self) -> Read<()> {
        while !self.at_end() {
            match self.peek() == c('^') {
                true if self.escaped()?.is_none() => break,
                true => {}
                false => self.at += 1,
            }
        }
        self.label = true;
        Ok(())
    }

    /// Whether an operator follows on this line.
    pub(super) fn is_joined(&self) -> bool {
        let mut quoted = false;
        let mut rest = self.line[self.at..].iter();
        while let Some(unit) = rest.next() {
            match u8::try_from(*unit) {
                Ok(b'"') => quoted = !quoted,
                Ok(b'^') if !quoted => {
                    rest.next();
                }
                Ok(b'&' | b'|') if !quoted => return true,
                _ => {}
            }
        }
        false
    }

    /// The first word of a command, as it stands, and whether nothing in it was quoted or escaped.
    pub(super) fn word(&mut self) -> Read<(Text, bool)> {
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
                        match self.escaped()? {
                            Some(unit) => word.push(unit),
                            None => break,
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
    pub(super) fn tail(&mut self, redirections: &mut Vec<Redirection>) -> Read<Text> {
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
                        match self.escaped()? {
                            Some(unit) => tail.push(unit),
                            None => break,
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
    pub(super) fn redirection(&mut self, into: &mut Vec<Redirection>) -> Read<bool> {
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
            let to = Target::Copy(number as usize);
            put(into, Redirection { handle, to });
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
        put(into, Redirection { handle, to });
        Ok(true)
    }

    /// What is between the parentheses of `in`, over any number of lines; their ends are blanks.
    pub(super) fn set(&mut self) -> Read<Text> {
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
                        match self.escaped()? {
                            Some(unit) => set.push(unit),
                            None => return Err(Left::End),
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

/// Of two redirections of one handle the last alone counts.
fn put(all: &mut Vec<Redirection>, new: Redirection) {
    all.retain(|old| old.handle != new.handle);
    all.push(new);
}
