//! From the bytes of a script to its tree.
//!
//! The grammar is brush-parser's. Its tokenizer, its word parser and its recursion are not used or not trusted with
//! arbitrary input: they recurse without bound (2 000 nested braces overflow the stack), backtrack exponentially
//! (`((((((…` takes time 2ⁿ), unwrap integers that do not fit (`~99999999999999999999`) and lose columns. So:
//!
//! 1. [`lex`] cuts the text into tokens, with exact positions, and refuses what cannot be supported on sight;
//! 2. [`guard`] bounds the nesting of the token list and checks that brackets match;
//! 3. brush-parser parses the token list, in which every word that is neither reserved nor an assignment is a stand-in;
//! 4. [`lower`] turns its tree into ours, taking the text of words from the source;
//! 5. [`word`] parses quoting and expansions, with `$(…)` coming back to 1 on a part of the text.
//!
//! No input panics, overflows the stack or takes more than polynomial time: see the tests.

mod brace;
mod guard;
mod lex;
mod lower;
mod word;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::syscall::{Refused, Text};
use super::ParseError;
use super::ast::Block;

/// The largest script.
pub const MAX_SCRIPT: usize = 1_048_576;
/// The deepest nesting of everything that nests, together: commands, substitutions, expansions.
pub const MAX_NESTING: u32 = 60;

/// Where in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    line: u32,
    column: u32,
}

impl Place {
    const START: Self = Self { line: 1, column: 1 };

    fn syntax(self, message: impl Into<Text>) -> ParseError {
        ParseError::Syntax {
            message: message.into(),
            line: self.line,
            column: self.column,
        }
    }

    fn refused(self, construct: impl Into<Text>, help: &str) -> ParseError {
        ParseError::Refused(Refused {
            construct: construct.into(),
            line: self.line,
            column: self.column,
            help: help.into(),
        })
    }

    fn too_deep(self) -> ParseError {
        self.refused(
            format!("nesting deeper than {MAX_NESTING}"),
            "the parser's stack is bounded",
        )
    }
}

/// Characters with their places, read one by one.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    chars: &'a [char],
    at: usize,
    place: Place,
    /// All is at one place: text that was unescaped, from backquotes.
    fixed: bool,
}

impl<'a> Cursor<'a> {
    fn new(chars: &'a [char], place: Place, fixed: bool) -> Self {
        Self {
            chars,
            at: 0,
            place,
            fixed,
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn starts_with(&self, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(n, c)| self.peek_at(n) == Some(c))
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        if !self.fixed {
            if c == '\n' {
                self.place.line += 1;
                self.place.column = 1;
            } else {
                self.place.column += 1;
            }
        }
        Some(c)
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.bump();
        }
    }

    /// A cursor over `from..to` of the same text, `from` being at `place`.
    fn part(&self, from: usize, to: usize, place: Place) -> Cursor<'a> {
        Cursor {
            chars: &self.chars[from..to],
            at: 0,
            place,
            fixed: self.fixed,
        }
    }
}

/// Parses a script.
pub fn parse(script: &[u8]) -> Result<Block, ParseError> {
    if script.len() > MAX_SCRIPT {
        let help = "split it";
        return Err(Place::START.refused("a script of more than 1 MiB", help));
    }
    let text = match std::str::from_utf8(script) {
        Ok(text) => text,
        Err(error) => {
            let good = &script[..error.valid_up_to()];
            let place = place_after(&String::from_utf8_lossy(good));
            return Err(place.refused("a script that is not UTF-8", "save it as UTF-8"));
        }
    };
    for forbidden in ['\0', super::JOB_MARK] {
        if let Some((before, _)) = text.split_once(forbidden) {
            let construct = format!("the character U+{:04X}", u32::from(forbidden));
            return Err(place_after(before).refused(construct, "remove it"));
        }
    }
    let chars: Arc<[char]> = text.chars().collect();
    parse_part(&Cursor::new(&chars, Place::START, false), 0)
}

fn place_after(text: &str) -> Place {
    let line = text.matches('\n').count() as u32 + 1;
    let last = text.rsplit('\n').next().unwrap_or("");
    Place {
        line,
        column: last.chars().count() as u32 + 1,
    }
}

/// Parses commands that stand in `cursor`, `depth` levels deep in others.
fn parse_part(cursor: &Cursor<'_>, depth: u32) -> Result<Block, ParseError> {
    if depth > MAX_NESTING {
        return Err(cursor.place.too_deep());
    }
    let lexed = lex::lex(cursor.clone(), depth)?;
    let replaced: BTreeSet<usize> = guard::check(&lexed, depth)?.into_iter().collect();
    let show = |(index, lexeme): (usize, &lex::Lexeme)| {
        if replaced.contains(&index) {
            lexeme.newline_for_brush()
        } else {
            lexeme.for_brush()
        }
    };
    let tokens: Vec<_> = lexed.iter().enumerate().map(show).collect();
    let options = brush_parser::ParserOptions {
        // Refused by `lex`.
        enable_extended_globbing: false,
        ..Default::default()
    };
    let program = brush_parser::parse_tokens(&tokens, &options).map_err(|error| {
        let at = match error {
            brush_parser::ParseError::ParsingNear(position) => {
                lexed.iter().find(|lexeme| lexeme.from >= position.index)
            }
            _ => None,
        };
        match at {
            Some(lexeme) => {
                let shown = if lexeme.text == "\n" {
                    "newline"
                } else {
                    lexeme.text.as_str()
                };
                let message = format!("syntax error near unexpected token `{shown}'");
                lexeme.place.syntax(message)
            }
            None => end_of(cursor).syntax("syntax error: unexpected end of file"),
        }
    })?;
    lower::Lower { cursor, depth }.program(&program)
}

fn end_of(cursor: &Cursor<'_>) -> Place {
    let mut end = cursor.clone();
    while end.bump().is_some() {}
    end.place
}

#[cfg(test)]
mod tests;
