//! The scanner of the library, go/scanner: tokens, and complaints that begin with "illegal".

use super::super::unicode::{code_point, is_digit, is_letter};
use super::{Complaint, decode, number_length};

/// A token, as far as the parser of imports must tell them apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// An identifier or a keyword.
    Word(String),
    /// A string literal, with its quotes.
    Text(String),
    /// Another literal.
    Literal(String),
    /// An operator or a bracket.
    Operator(String),
    /// A semicolon, and whether it is a line's end.
    Semicolon { newline: bool },
    /// A character that begins no token.
    Illegal,
    /// The end.
    End,
}

/// A token and where it begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Placed {
    pub token: Token,
    pub offset: usize,
}

/// The next character, and the replacement character for a malformed byte, as Go has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Char(char),
    End,
}

pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    next: Next,
    /// Where `next` begins, and what follows it.
    offset: usize,
    after: usize,
    /// Whether the end of the line would be a semicolon.
    ends_statement: bool,
    pub complaints: Vec<Complaint>,
}

const BOM: char = '\u{feff}';

/// Operators of more than one character, the longest first.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "&^=", "...", "&&", "||", "<-", "++", "--", "==", "!=", "<=", ">=", ":=", "+=",
    "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<", ">>", "&^",
];

/// The first complaint about a whole file.
pub(super) fn whole(bytes: &[u8]) -> Option<Complaint> {
    let mut scanner = Scanner::new(bytes);
    while scanner.scan().token != Token::End {}
    scanner.complaints.into_iter().min()
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Scanner<'a> {
        let mut scanner = Scanner {
            bytes,
            next: Next::End,
            offset: 0,
            after: 0,
            ends_statement: false,
            complaints: Vec::new(),
        };
        scanner.advance();
        if scanner.next == Next::Char(BOM) {
            scanner.advance();
        }
        scanner
    }

    /// Line and column of an offset. The end of the file belongs to its last line even if that has an end
    /// of its own, since no line begins there.
    pub(super) fn place(&self, offset: usize) -> (usize, usize) {
        let before = &self.bytes[..offset];
        let ended = offset == self.bytes.len() && before.ends_with(b"\n");
        let lines = &before[..before.len() - usize::from(ended)];
        let start = lines
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        (
            1 + lines.iter().filter(|&&byte| byte == b'\n').count(),
            1 + offset - start,
        )
    }

    fn complain(&mut self, offset: usize, message: String) {
        let (line, column) = self.place(offset);
        self.complaints.push(Complaint {
            line,
            column,
            message,
        });
    }

    fn advance(&mut self) {
        self.offset = self.after;
        if self.after == self.bytes.len() {
            self.next = Next::End;
            return;
        }
        let (c, length) = decode(&self.bytes[self.after..]);
        match c {
            Some('\0') => self.complain(self.offset, "illegal character NUL".into()),
            None => self.complain(self.offset, "illegal UTF-8 encoding".into()),
            Some(BOM) if self.offset > 0 => {
                self.complain(self.offset, "illegal byte order mark".into());
            }
            Some(_) => {}
        }
        self.after += length;
        self.next = Next::Char(c.unwrap_or(char::REPLACEMENT_CHARACTER));
    }

    fn is(&self, c: char) -> bool {
        self.next == Next::Char(c)
    }

    fn text(&self, from: usize) -> String {
        String::from_utf8_lossy(&self.bytes[from..self.offset]).into_owned()
    }

    pub(super) fn scan(&mut self) -> Placed {
        loop {
            while let Next::Char(c) = self.next
                && (matches!(c, ' ' | '\t' | '\r') || c == '\n' && !self.ends_statement)
            {
                self.advance();
            }
            let offset = self.offset;
            let starts_comment =
                self.is('/') && matches!(self.bytes.get(self.after), Some(b'/' | b'*'));
            if !starts_comment {
                let token = self.token();
                return Placed { token, offset };
            }
            // A comment that runs to the end of a line ends the statement where the comment begins.
            if self.ends_statement && self.comment_ends_line() {
                self.ends_statement = false;
                return Placed {
                    token: Token::Semicolon { newline: true },
                    offset,
                };
            }
            self.comment();
        }
    }

    /// Whether, from the comment that begins here, the line has nothing but comments.
    fn comment_ends_line(&self) -> bool {
        let mut rest = &self.bytes[self.offset..];
        loop {
            let blanks = rest
                .iter()
                .take_while(|b| matches!(b, b' ' | b'\t' | b'\r'))
                .count();
            rest = &rest[blanks..];
            match rest {
                [] | [b'\n', ..] | [b'/', b'/', ..] => return true,
                [b'/', b'*', inside @ ..] => {
                    let end = inside.windows(2).position(|pair| pair == b"*/");
                    let body = &inside[..end.unwrap_or(inside.len())];
                    if body.contains(&b'\n') || end.is_none() {
                        return true;
                    }
                    rest = &inside[body.len() + 2..];
                }
                _ => return false,
            }
        }
    }

    fn comment(&mut self) {
        let start = self.offset;
        self.advance();
        if self.is('/') {
            while !self.is('\n') && self.next != Next::End {
                self.advance();
            }
            return;
        }
        self.advance();
        loop {
            let star = self.is('*');
            if self.next == Next::End {
                return self.complain(start, "comment not terminated".into());
            }
            self.advance();
            if star && self.is('/') {
                return self.advance();
            }
        }
    }

    fn token(&mut self) -> Token {
        let start = self.offset;
        let Next::Char(c) = self.next else {
            let ended = std::mem::take(&mut self.ends_statement);
            return if ended {
                Token::Semicolon { newline: true }
            } else {
                Token::End
            };
        };
        let wanted = self.ends_statement;
        self.ends_statement = true;
        match c {
            c if c == '_' || is_letter(c) => {
                while let Next::Char(c) = self.next
                    && (c == '_' || is_letter(c) || is_digit(c))
                {
                    self.advance();
                }
                let word = self.text(start);
                let goes_on = KEYWORDS_WITHIN.contains(&&*word);
                self.ends_statement = !goes_on;
                Token::Word(word)
            }
            '0'..='9' => self.number(start),
            '.' if self.bytes.get(self.after).is_some_and(u8::is_ascii_digit) => self.number(start),
            '\n' => {
                self.ends_statement = false;
                self.advance();
                Token::Semicolon { newline: true }
            }
            '"' => {
                self.advance();
                self.string(start);
                Token::Text(self.text(start))
            }
            '`' => {
                self.advance();
                while !self.is('`') {
                    if self.next == Next::End {
                        self.complain(start, "raw string literal not terminated".into());
                        return Token::Text(self.text(start));
                    }
                    self.advance();
                }
                self.advance();
                Token::Text(self.text(start))
            }
            '\'' => {
                self.advance();
                self.character(start);
                Token::Literal(self.text(start))
            }
            ';' => {
                self.ends_statement = false;
                self.advance();
                Token::Semicolon { newline: false }
            }
            c if "()[]{},:.+-*/%&|^<>=!~".contains(c) => {
                let rest = &self.bytes[start..];
                let long = OPERATORS
                    .iter()
                    .find(|operator| rest.starts_with(operator.as_bytes()));
                let operator = long.map_or_else(|| c.to_string(), |operator| (*operator).into());
                for _ in 0..operator.len() {
                    self.advance();
                }
                self.ends_statement = matches!(&*operator, ")" | "]" | "}" | "++" | "--");
                Token::Operator(operator)
            }
            c => {
                self.advance();
                if c != BOM {
                    self.complain(start, format!("illegal character {}", code_point(c)));
                }
                self.ends_statement = wanted;
                Token::Illegal
            }
        }
    }

    fn number(&mut self, start: usize) -> Token {
        for _ in 0..number_length(&self.bytes[start..]) {
            self.advance();
        }
        Token::Literal(self.text(start))
    }

    fn string(&mut self, start: usize) {
        loop {
            match self.next {
                Next::End | Next::Char('\n') => {
                    return self.complain(start, "string literal not terminated".into());
                }
                Next::Char('"') => return self.advance(),
                Next::Char('\\') => {
                    self.advance();
                    self.escape('"');
                }
                Next::Char(_) => self.advance(),
            }
        }
    }

    fn character(&mut self, start: usize) {
        let (mut good, mut count) = (true, 0);
        loop {
            match self.next {
                Next::End | Next::Char('\n') => {
                    if good {
                        self.complain(start, "rune literal not terminated".into());
                    }
                    return;
                }
                Next::Char('\'') => {
                    self.advance();
                    break;
                }
                Next::Char('\\') => {
                    self.advance();
                    good &= self.escape('\'');
                }
                Next::Char(_) => self.advance(),
            }
            count += 1;
        }
        if good && count != 1 {
            self.complain(start, "illegal rune literal".into());
        }
    }

    /// What follows a backslash; whether it is an escape.
    fn escape(&mut self, mark: char) -> bool {
        let start = self.offset;
        let (digits, base, largest) = match self.next {
            Next::Char(c) if c == mark || "abfnrtv\\".contains(c) => {
                self.advance();
                return true;
            }
            Next::Char('0'..='7') => (3, 8, 255),
            Next::Char('x') => (2, 16, 255),
            Next::Char('u') => (4, 16, 0x10_ffff),
            Next::Char('U') => (8, 16, 0x10_ffff),
            Next::End => {
                self.complain(start, "escape sequence not terminated".into());
                return false;
            }
            Next::Char(_) => {
                self.complain(start, "unknown escape sequence".into());
                return false;
            }
        };
        if base == 16 {
            self.advance();
        }
        let mut value: u32 = 0;
        for _ in 0..digits {
            let digit = match self.next {
                Next::Char(c) => c.to_digit(16).filter(|digit| *digit < base),
                Next::End => None,
            };
            let Some(digit) = digit else {
                let message = match self.next {
                    Next::Char(c) => {
                        format!("illegal character {} in escape sequence", code_point(c))
                    }
                    Next::End => "escape sequence not terminated".into(),
                };
                self.complain(self.offset, message);
                return false;
            };
            value = value.wrapping_mul(base).wrapping_add(digit);
            self.advance();
        }
        if value > largest || (0xd800..0xe000).contains(&value) {
            self.complain(
                start,
                "escape sequence is invalid Unicode code point".into(),
            );
            return false;
        }
        true
    }
}

/// Keywords after which a line may go on.
const KEYWORDS_WITHIN: &[&str] = &[
    "case",
    "chan",
    "const",
    "default",
    "defer",
    "else",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];
