//! The scanner of the compiler, cmd/compile/internal/syntax: complaints that begin with "invalid".

use super::super::Release;
use super::super::unicode::{code_point, is_digit, is_letter, quote_char};
use super::{Complaint, NotModelled, decode, number_length};

/// The first complaint about the file, by its place.
///
/// Where it is about a character within an identifier, the type checker may have something to say about the
/// whole, and is heard first. It has not, if the identifier is there a second time (declared and used, as
/// is assumed), and is not asked, if a literal follows (a syntax error wherever statements are). A name
/// that `:=` declares is not used then, and one that stands in an expression is not defined.
///
/// # Errors
/// If the identifier stands elsewhere.
pub(super) fn first_complaint(
    release: Release,
    bytes: &[u8],
) -> Result<Option<Complaint>, NotModelled> {
    let mut source = Source {
        release,
        bytes,
        at: 0,
        line: 0,
        column: 0,
        width: 0,
        next: None,
        complaints: Vec::new(),
        identifiers: Vec::new(),
    };
    source.advance();
    while source.token() {}
    // Two complaints about one place keep their order.
    source
        .complaints
        .sort_by_key(|complaint| (complaint.line, complaint.column));
    let Some(first) = source.complaints.into_iter().next() else {
        return Ok(None);
    };
    let place = (first.line, first.column);
    let around = source.identifiers.iter().find(|one| {
        one.place.0 == place.0 && one.place.1 < place.1 && place.1 < one.place.1 + one.text.len()
    });
    if let Some(around) = around {
        let times = source
            .identifiers
            .iter()
            .filter(|one| one.text == around.text)
            .count();
        if times == 1 && !around.before_literal {
            let identifier = String::from_utf8_lossy(around.text).into_owned();
            let message = match around.role(bytes) {
                Role::Declared if release < Release(1, 20, 0) => {
                    format!("{identifier} declared but not used")
                }
                Role::Declared => format!("{identifier} declared and not used"),
                Role::Used => format!("undefined: {identifier}"),
                Role::Unknown => {
                    return Err(NotModelled {
                        identifier,
                        place: around.place,
                    });
                }
            };
            let (line, column) = around.place;
            return Ok(Some(Complaint {
                line,
                column,
                message,
            }));
        }
    }
    Ok(Some(first))
}

/// What an identifier does where it stands.
enum Role {
    Declared,
    Used,
    Unknown,
}

struct Identifier<'a> {
    text: &'a [u8],
    /// Where it begins in the file.
    start: usize,
    /// Line and column, from 1.
    place: (usize, usize),
    /// Whether a literal follows at once.
    before_literal: bool,
}

impl Identifier<'_> {
    /// By what stands beside it: the beginning of a statement or an expression before it, and after it `:=`
    /// or what can follow an operand.
    fn role(&self, bytes: &[u8]) -> Role {
        let is_blank = |byte: &&u8| matches!(**byte, b' ' | b'\t');
        let before = bytes[..self.start]
            .iter()
            .rev()
            .find(|byte| !is_blank(byte));
        let after = &bytes[self.start + self.text.len()..];
        let blanks = after.iter().take_while(is_blank).count();
        let after = &after[blanks..];
        let begins_statement = matches!(before, Some(b'{' | b'}' | b';' | b'\n'));
        let begins_operand = matches!(
            before,
            Some(
                b'(' | b'['
                    | b'='
                    | b'+'
                    | b'-'
                    | b'*'
                    | b'/'
                    | b'%'
                    | b'&'
                    | b'|'
                    | b'<'
                    | b'>'
                    | b'!'
            )
        );
        match after.first() {
            Some(b':') if after.starts_with(b":=") && begins_statement => Role::Declared,
            Some(
                b'(' | b')' | b'}' | b']' | b';' | b'\n' | b'\r' | b'.' | b'+' | b'*' | b'/' | b'%',
            ) if begins_statement || begins_operand => Role::Used,
            _ => Role::Unknown,
        }
    }
}

struct Source<'a> {
    release: Release,
    bytes: &'a [u8],
    at: usize,
    /// Where `next` is, from 0.
    line: usize,
    column: usize,
    /// How many bytes `next` has.
    width: usize,
    /// The next character; none at the end.
    next: Option<char>,
    complaints: Vec<Complaint>,
    identifiers: Vec<Identifier<'a>>,
}

impl<'a> Source<'a> {
    fn complain_at(&mut self, (line, column): (usize, usize), message: String) {
        self.complaints.push(Complaint {
            line: line + 1,
            column: column + 1,
            message,
        });
    }

    fn complain(&mut self, message: String) {
        self.complain_at((self.line, self.column), message);
    }

    /// To the next character. NUL, malformed bytes and byte order marks are complained of and skipped.
    fn advance(&mut self) {
        loop {
            self.column += self.width;
            if self.next == Some('\n') {
                self.line += 1;
                self.column = 0;
            }
            let Some(rest) = self.bytes.get(self.at..).filter(|rest| !rest.is_empty()) else {
                self.next = None;
                self.width = 0;
                return;
            };
            let (c, width) = decode(rest);
            self.at += width;
            self.width = width;
            self.next = c;
            match c {
                Some('\0') => self.complain("invalid NUL character".into()),
                None => self.complain("invalid UTF-8 encoding".into()),
                Some('\u{feff}') if (self.line, self.column) == (0, 0) => {}
                Some('\u{feff}') => self.complain("invalid BOM in the middle of the file".into()),
                Some(_) => return,
            }
            // Skipped: it is no line's end, whatever it was.
            self.next = Some(' ');
        }
    }

    /// Whether the next character goes on, or begins, an identifier. One that may not is complained of and
    /// taken for a letter.
    fn is_identifier(&mut self, first: bool) -> bool {
        let Some(c) = self.next else {
            return false;
        };
        match c {
            '_' => {}
            c if is_letter(c) => {}
            c if is_digit(c) => {
                if first {
                    self.complain(format!(
                        "identifier cannot begin with digit {}",
                        code_point(c)
                    ));
                }
            }
            c if !c.is_ascii() => {
                let message = match self.release < Release(1, 15, 0) {
                    true => format!("invalid identifier character {}", code_point(c)),
                    false => format!("invalid character {} in identifier", code_point(c)),
                };
                self.complain(message);
            }
            _ => return false,
        }
        true
    }

    /// Reads one token; whether there was one.
    fn token(&mut self) -> bool {
        while matches!(self.next, Some(' ' | '\t' | '\n' | '\r')) {
            self.advance();
        }
        let Some(c) = self.next else {
            return false;
        };
        let start = (self.line, self.column);
        match c {
            c if c.is_ascii_alphabetic() || c == '_' => self.identifier(),
            c if !c.is_ascii() => {
                self.is_identifier(true);
                self.identifier();
            }
            '0'..='9' => self.number(),
            '"' => self.string(start),
            '`' => self.raw_string(start),
            '\'' => self.character(start),
            '.' => {
                self.advance();
                if self.next.is_some_and(|c| c.is_ascii_digit()) {
                    self.number();
                }
            }
            '/' => {
                self.advance();
                match self.next {
                    Some('/') => {
                        while self.next.is_some_and(|c| c != '\n') {
                            self.advance();
                        }
                    }
                    Some('*') => self.comment(start),
                    _ => {}
                }
            }
            c if "()[]{},;:+-*%&|^<>=!".contains(c) => self.advance(),
            '~' if self.release >= Release(1, 18, 0) => self.advance(),
            c => {
                self.complain(format!("invalid character {}", code_point(c)));
                self.advance();
            }
        }
        true
    }

    fn identifier(&mut self) {
        let (start, place) = (self.at - self.width, (self.line + 1, self.column + 1));
        self.advance();
        while self
            .next
            .is_some_and(|c| c.is_ascii_alphanumeric() || c == '_')
        {
            self.advance();
        }
        if self.next.is_some_and(|c| !c.is_ascii()) {
            while self.is_identifier(false) {
                self.advance();
            }
        }
        let text: &'a [u8] = &self.bytes[start..self.at - self.width];
        let before_literal = matches!(self.next, Some('"' | '`' | '\'' | '0'..='9'));
        self.identifiers.push(Identifier {
            text,
            start,
            place,
            before_literal,
        });
    }

    fn number(&mut self) {
        let start = self.at - self.width;
        for _ in 0..number_length(&self.bytes[start..]).max(1) {
            self.advance();
        }
    }

    fn string(&mut self, start: (usize, usize)) {
        self.advance();
        loop {
            match self.next {
                Some('"') => return self.advance(),
                Some('\\') => {
                    self.advance();
                    self.escape('"');
                }
                Some('\n') => return self.complain("newline in string".into()),
                None => return self.complain_at(start, "string not terminated".into()),
                Some(_) => self.advance(),
            }
        }
    }

    fn raw_string(&mut self, start: (usize, usize)) {
        self.advance();
        loop {
            match self.next {
                Some('`') => return self.advance(),
                None => return self.complain_at(start, "string not terminated".into()),
                Some(_) => self.advance(),
            }
        }
    }

    fn character(&mut self, start: (usize, usize)) {
        self.advance();
        let (mut good, mut count) = (true, 0);
        loop {
            match self.next {
                Some('\'') => {
                    if good && count == 0 {
                        self.complain("empty rune literal or unescaped '".into());
                    } else if good && count != 1 {
                        self.complain_at(start, "more than one character in rune literal".into());
                    }
                    return self.advance();
                }
                Some('\\') => {
                    self.advance();
                    good &= self.escape('\'');
                }
                Some('\n') => {
                    if good {
                        self.complain("newline in rune literal".into());
                    }
                    return;
                }
                None => {
                    if good {
                        self.complain_at(start, "rune literal not terminated".into());
                    }
                    return;
                }
                Some(_) => self.advance(),
            }
            count += 1;
        }
    }

    fn comment(&mut self, start: (usize, usize)) {
        self.advance();
        while self.next.is_some() {
            while self.next == Some('*') {
                self.advance();
                if self.next == Some('/') {
                    return self.advance();
                }
            }
            self.advance();
        }
        self.complain_at(start, "comment not terminated".into());
    }

    /// What follows a backslash; whether it is an escape.
    fn escape(&mut self, mark: char) -> bool {
        let Some(c) = self.next else {
            // The caller complains of the end.
            return true;
        };
        let (digits, base, largest) = match c {
            c if c == mark || "abfnrtv\\".contains(c) => {
                self.advance();
                return true;
            }
            '0'..='7' => (3, 8, 255),
            'x' => (2, 16, 255),
            'u' => (4, 16, 0x10_ffff),
            'U' => (8, 16, 0x10_ffff),
            _ => {
                self.complain("unknown escape".into());
                return false;
            }
        };
        if base == 16 {
            self.advance();
        }
        let mut value: u32 = 0;
        for _ in 0..digits {
            let Some(c) = self.next else {
                return true;
            };
            let Some(digit) = c.to_digit(16).filter(|digit| *digit < base) else {
                let name = if base == 8 { "octal" } else { "hexadecimal" };
                self.complain(format!(
                    "invalid character {} in {name} escape",
                    quote_char(c)
                ));
                return false;
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
            self.advance();
        }
        if value > largest && base == 8 {
            self.complain(format!("octal escape value {value} > 255"));
            return false;
        }
        if value > largest || (0xd800..0xe000).contains(&value) {
            // `%#U` of a number that is no character prints the number alone.
            self.complain(format!(
                "escape is invalid Unicode code point U+{value:04X}"
            ));
            return false;
        }
        true
    }
}
