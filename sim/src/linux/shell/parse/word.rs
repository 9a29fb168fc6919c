//! Quoting and expansions within a word (POSIX 2.2 and 2.6, bash manual 3.1.2 and 3.5).

use super::super::ast::{Expansion, Operation, Parameter, Piece, Word};
use super::lex::skip_piece;
use super::{Cursor, MAX_NESTING, ParseError, Place, parse_part};

/// What ends the text, and what is special in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// A word: all quoting; ends with the text.
    Word,
    /// The value of an assignment: `~` after a colon too.
    Value,
    /// `"…"`: ends at the quote.
    Double,
    /// A here-document or arithmetic: as in double quotes, but quotes are characters; ends with the text.
    Text,
    /// The operand in `${…}`: ends at the brace.
    Operand,
    /// The same within double quotes, where single quotes are characters.
    QuotedOperand,
}

/// A word as an argument of a command.
pub(super) fn word(cursor: Cursor<'_>, depth: u32) -> Result<Word, ParseError> {
    Parser { cursor, depth }.whole(Mode::Word)
}

/// The value of an assignment.
pub(super) fn value(cursor: Cursor<'_>, depth: u32) -> Result<Word, ParseError> {
    Parser { cursor, depth }.whole(Mode::Value)
}

/// Text with expansions but no quoting: here-documents, arithmetic.
pub(super) fn text(cursor: Cursor<'_>, depth: u32) -> Result<Word, ParseError> {
    Parser { cursor, depth }.whole(Mode::Text)
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    depth: u32,
}

impl<'a> Parser<'a> {
    fn whole(mut self, mode: Mode) -> Result<Word, ParseError> {
        let pieces = self.pieces(mode)?;
        Ok(Word { pieces })
    }

    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, ParseError>,
    ) -> Result<T, ParseError> {
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(self.cursor.place.too_deep());
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn pieces(&mut self, mode: Mode) -> Result<Vec<Piece>, ParseError> {
        let quoted = matches!(mode, Mode::Double | Mode::Text | Mode::QuotedOperand);
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut start = true;
        while let Some(c) = self.cursor.peek() {
            let place = self.cursor.place;
            let tilde = start || (mode == Mode::Value && plain.ends_with(':'));
            let piece = match c {
                '"' if mode == Mode::Double => break,
                '}' if matches!(mode, Mode::Operand | Mode::QuotedOperand) => break,
                '\\' => {
                    self.cursor.skip(1);
                    let Some(next) = self.cursor.peek() else {
                        plain.push('\\');
                        continue;
                    };
                    let special = match mode {
                        Mode::Double => "$`\"\\\n".contains(next),
                        Mode::Text => "$`\\\n".contains(next),
                        Mode::QuotedOperand => "$`\"\\\n}".contains(next),
                        Mode::Word | Mode::Value | Mode::Operand => true,
                    };
                    if !special {
                        plain.push('\\');
                        continue;
                    }
                    self.cursor.skip(1);
                    if next == '\n' {
                        continue;
                    }
                    Piece::Quoted(next.to_string().into())
                }
                '\'' if !quoted => {
                    self.cursor.skip(1);
                    Piece::Quoted(self.until('\'', place)?.into())
                }
                '"' if mode != Mode::Text => {
                    self.cursor.skip(1);
                    let inner = self.nested(|this| this.pieces(Mode::Double))?;
                    self.expect('"', place)?;
                    Piece::Double(inner)
                }
                '$' => match self.dollar(quoted, mode)? {
                    Some(piece) => piece,
                    None => {
                        plain.push('$');
                        start = false;
                        continue;
                    }
                },
                '`' => self.backquote()?,
                '~' if tilde && matches!(mode, Mode::Word | Mode::Value) => {
                    match self.cursor.peek_at(1) {
                        None | Some('/') => {}
                        Some(':') if mode == Mode::Value => {}
                        Some(c) if c.is_ascii_alphanumeric() || "+-_".contains(c) => {
                            return Err(place.refused("~name", "write the path, or ~ alone"));
                        }
                        Some(_) => {
                            self.cursor.skip(1);
                            plain.push('~');
                            start = false;
                            continue;
                        }
                    }
                    self.cursor.skip(1);
                    Piece::Home
                }
                _ => {
                    self.cursor.skip(1);
                    plain.push(c);
                    start = false;
                    continue;
                }
            };
            start = false;
            if !plain.is_empty() {
                pieces.push(Piece::Plain(std::mem::take(&mut plain).into()));
            }
            pieces.push(piece);
        }
        if !plain.is_empty() {
            pieces.push(Piece::Plain(plain.into()));
        }
        Ok(pieces)
    }

    fn until(&mut self, end: char, place: Place) -> Result<String, ParseError> {
        let mut text = String::new();
        while let Some(c) = self.cursor.bump() {
            if c == end {
                return Ok(text);
            }
            text.push(c);
        }
        Err(place.syntax(format!("unexpected EOF while looking for matching `{end}'")))
    }

    fn expect(&mut self, end: char, place: Place) -> Result<(), ParseError> {
        if self.cursor.peek() == Some(end) {
            self.cursor.skip(1);
            return Ok(());
        }
        Err(place.syntax(format!("unexpected EOF while looking for matching `{end}'")))
    }

    /// At a dollar sign. `None` if it is only that; it is skipped then.
    fn dollar(&mut self, quoted: bool, mode: Mode) -> Result<Option<Piece>, ParseError> {
        let place = self.cursor.place;
        let parameter = |parameter| {
            let operation = Operation::Value;
            Some(Piece::Parameter(Box::new(Expansion {
                parameter,
                operation,
            })))
        };
        let from = self.cursor.clone();
        self.cursor.skip(1);
        let piece = match self.cursor.peek() {
            Some('(') => {
                let arithmetic = self.cursor.peek_at(1) == Some('(');
                let mut end = from;
                skip_piece(&mut end, self.depth)?;
                let length = if arithmetic { 2 } else { 1 };
                self.cursor.skip(length);
                let inner = self
                    .cursor
                    .part(self.cursor.at, end.at - length, self.cursor.place);
                self.cursor = end;
                let depth = self.depth + 1;
                if depth > MAX_NESTING {
                    return Err(place.too_deep());
                }
                Some(if arithmetic {
                    Piece::Arithmetic(text(inner, depth)?)
                } else {
                    Piece::Command(parse_part(&inner, depth)?)
                })
            }
            Some('{') => {
                self.cursor.skip(1);
                Some(self.nested(|this| this.braced(place, quoted))?)
            }
            Some('\'') if !quoted => {
                self.cursor.skip(1);
                Some(Piece::Quoted(self.ansi_c(place)?.into()))
            }
            // `$"…"`: a translation, which is the text itself in the C locale.
            Some('"') if mode != Mode::Text && mode != Mode::Double => return self.translated(),
            Some('[') => return Err(place.refused("$[ ]", "write $(( ))")),
            Some('$') => return Err(place.refused("$$", PROCESS_NUMBER)),
            Some('-') => return Err(place.refused("$-", "test options with [[ -o ]] elsewhere")),
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                let name = self.name();
                if UNSUPPORTED_VARIABLES.contains(&&*name) {
                    return Err(place.refused(format!("${name}"), UNKNOWABLE));
                }
                parameter(Parameter::Variable(name.into()))
            }
            Some(c) => {
                let found = match c {
                    '@' => Parameter::All { star: false },
                    '*' => Parameter::All { star: true },
                    '#' => Parameter::Count,
                    '?' => Parameter::Status,
                    '!' => Parameter::LastJob,
                    '0' => Parameter::Zero,
                    '1'..='9' => Parameter::Positional(u32::from(c) - u32::from('0')),
                    _ => return Ok(None),
                };
                self.cursor.skip(1);
                parameter(found)
            }
            None => None,
        };
        Ok(piece)
    }

    fn translated(&mut self) -> Result<Option<Piece>, ParseError> {
        let place = self.cursor.place;
        self.cursor.skip(1);
        let inner = self.nested(|this| this.pieces(Mode::Double))?;
        self.expect('"', place)?;
        Ok(Some(Piece::Double(inner)))
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self
            .cursor
            .peek()
            .filter(|c| *c == '_' || c.is_ascii_alphanumeric())
        {
            name.push(c);
            self.cursor.skip(1);
        }
        name
    }

    /// After `${`.
    fn braced(&mut self, place: Place, quoted: bool) -> Result<Piece, ParseError> {
        let bad = || place.refused("this form of ${ }", "see the list of supported expansions");
        let length = self.cursor.peek() == Some('#')
            && self
                .cursor
                .peek_at(1)
                .is_some_and(|c| c != '}' && !"-=?+:%#".contains(c));
        if length {
            self.cursor.skip(1);
        }
        let parameter = match self.cursor.peek() {
            Some(c) if c == '_' || c.is_ascii_alphabetic() => {
                let name = self.name();
                if UNSUPPORTED_VARIABLES.contains(&&*name) {
                    return Err(place.refused(format!("${name}"), UNKNOWABLE));
                }
                Parameter::Variable(name.into())
            }
            Some(c) if c.is_ascii_digit() => match self.name().parse() {
                Ok(0) => Parameter::Zero,
                Ok(number) => Parameter::Positional(number),
                Err(_) => return Err(place.syntax("bad substitution")),
            },
            Some('!') if self.cursor.peek_at(1) != Some('}') => {
                return Err(place.refused("${!name}", "name the variable itself"));
            }
            Some('$') => return Err(place.refused("$$", PROCESS_NUMBER)),
            Some(c) => {
                self.cursor.skip(1);
                match c {
                    '@' => Parameter::All { star: false },
                    '*' => Parameter::All { star: true },
                    '#' => Parameter::Count,
                    '?' => Parameter::Status,
                    '!' => Parameter::LastJob,
                    _ => return Err(place.syntax("bad substitution")),
                }
            }
            None => return Err(place.syntax("unexpected EOF while looking for matching `}'")),
        };
        let special = matches!(parameter, Parameter::All { .. });
        let operation = if self.cursor.peek() == Some('}') {
            if length {
                Operation::Length
            } else {
                Operation::Value
            }
        } else if length {
            return Err(place.syntax("bad substitution"));
        } else if special {
            return Err(place.refused("an operation on $@ or $*", "use a loop"));
        } else {
            self.operation(place, quoted)?.ok_or_else(bad)?
        };
        if length && special {
            return Err(place.refused("${#@}", "write $#"));
        }
        self.expect('}', place)?;
        Ok(Piece::Parameter(Box::new(Expansion {
            parameter,
            operation,
        })))
    }

    fn operation(&mut self, place: Place, quoted: bool) -> Result<Option<Operation>, ParseError> {
        let refused = |construct: &str| {
            Err(place.refused(construct, "the forms - = ? + # ## % %% are supported"))
        };
        let colon = self.cursor.peek() == Some(':');
        if colon {
            self.cursor.skip(1);
        }
        let Some(c) = self.cursor.bump() else {
            return Ok(None);
        };
        let remove = |this: &mut Self, suffix: bool| {
            let longest = this.cursor.peek() == Some(c);
            if longest {
                this.cursor.skip(1);
            }
            let pattern = this.operand(Mode::Operand)?;
            Ok(Some(Operation::Remove {
                suffix,
                longest,
                pattern,
            }))
        };
        let mode = if quoted {
            Mode::QuotedOperand
        } else {
            Mode::Operand
        };
        match c {
            '-' => Ok(Some(Operation::Default {
                colon,
                word: self.operand(mode)?,
            })),
            '=' => Ok(Some(Operation::Assign {
                colon,
                word: self.operand(mode)?,
            })),
            '+' => Ok(Some(Operation::Alternative {
                colon,
                word: self.operand(mode)?,
            })),
            '?' => Ok(Some(Operation::Require {
                colon,
                word: self.operand(mode)?,
            })),
            _ if colon => refused("${name:offset}"),
            '#' => remove(self, false),
            '%' => remove(self, true),
            '/' => refused("${name/pattern/text}"),
            '^' | ',' => refused("${name^} and ${name,}"),
            '@' => refused("${name@operator}"),
            '[' => Err(place.refused("an array element", "use several variables")),
            _ => Err(place.syntax("bad substitution")),
        }
    }

    fn operand(&mut self, mode: Mode) -> Result<Word, ParseError> {
        // `braced` has counted this level.
        let pieces = self.pieces(mode)?;
        Ok(Word { pieces })
    }

    /// After `$'` (bash manual 3.1.2.4).
    fn ansi_c(&mut self, place: Place) -> Result<String, ParseError> {
        let mut text = String::new();
        while let Some(c) = self.cursor.bump() {
            match c {
                '\'' => return Ok(text),
                '\\' => {
                    let escape = self.cursor.place;
                    text.push(match self.cursor.bump() {
                        Some('n') => '\n',
                        Some('t') => '\t',
                        Some('r') => '\r',
                        Some('e' | 'E') => '\u{1b}',
                        Some('a') => '\u{7}',
                        Some('b') => '\u{8}',
                        Some('f') => '\u{c}',
                        Some('v') => '\u{b}',
                        Some(c @ ('\\' | '\'' | '"' | '?')) => c,
                        _ => {
                            return Err(
                                escape.refused("this escape in $' '", "use \\n \\t \\\\ \\'")
                            );
                        }
                    });
                }
                c => text.push(c),
            }
        }
        Err(place.syntax("unexpected EOF while looking for matching `''"))
    }

    fn backquote(&mut self) -> Result<Piece, ParseError> {
        let place = self.cursor.place;
        self.cursor.skip(1);
        let mut text = Vec::new();
        loop {
            match self.cursor.bump() {
                None => {
                    return Err(place.syntax("unexpected EOF while looking for matching ``'"));
                }
                Some('`') => break,
                Some('\\') => match self.cursor.bump() {
                    Some(c @ ('`' | '\\' | '$')) => text.push(c),
                    Some(c) => text.extend(['\\', c]),
                    None => text.push('\\'),
                },
                Some(c) => text.push(c),
            }
        }
        let depth = self.depth + 1;
        if depth > MAX_NESTING {
            return Err(place.too_deep());
        }
        Ok(Piece::Command(parse_part(
            &Cursor::new(&text, place, true),
            depth,
        )?))
    }
}

const PROCESS_NUMBER: &str =
    "a process has no number here; for `wait', use $! directly or by a variable";
const UNKNOWABLE: &str = "its value differs from run to run on a real machine";
/// Variables of bash whose values come from outside the script.
const UNSUPPORTED_VARIABLES: &[&str] = &[
    "RANDOM",
    "SRANDOM",
    "SECONDS",
    "EPOCHSECONDS",
    "EPOCHREALTIME",
    "BASHPID",
    "PPID",
    "LINENO",
    "UID",
    "EUID",
    "GROUPS",
    "HOSTNAME",
    "BASH_COMMAND",
    "FUNCNAME",
    "BASH_SOURCE",
    "PIPESTATUS",
    "SHLVL",
    "BASH_SUBSHELL",
    "DIRSTACK",
    "BASH_LINENO",
    "REPLY_PID",
];
