//! The parser of the library, go/parser, up to the end of the imports.

use super::super::unicode::is_graphic;
use super::Complaint;
use super::scanner::{Placed, Scanner, Token};

const KEYWORDS: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
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
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
];

/// The name of the package.
///
/// # Errors
/// The first complaint, by its place.
pub(super) fn parse(bytes: &[u8]) -> Result<String, Complaint> {
    let mut parser = Parser::new(bytes);
    let name = parser.file();
    match parser.scanner.complaints.into_iter().min() {
        Some(first) => Err(first),
        None => Ok(name),
    }
}

struct Parser<'a> {
    scanner: Scanner<'a>,
    now: Placed,
}

impl<'a> Parser<'a> {
    fn new(bytes: &'a [u8]) -> Parser<'a> {
        let mut scanner = Scanner::new(bytes);
        let now = scanner.scan();
        Parser { scanner, now }
    }

    fn next(&mut self) {
        self.now = self.scanner.scan();
    }

    /// A complaint, unless the last one was about the same line.
    fn complain(&mut self, offset: usize, message: String) {
        let (line, column) = self.scanner.place(offset);
        if self
            .scanner
            .complaints
            .last()
            .is_none_or(|last| last.line != line)
        {
            self.scanner.complaints.push(Complaint {
                line,
                column,
                message,
            });
        }
    }

    fn expected(&mut self, what: &str) {
        let found = match &self.now.token {
            Token::Word(word) if KEYWORDS.contains(&&**word) => format!("'{word}'"),
            Token::Word(text) | Token::Text(text) | Token::Literal(text) => text.clone(),
            Token::Operator(operator) => format!("'{operator}'"),
            Token::Semicolon { newline: true } => "newline".into(),
            Token::Semicolon { newline: false } => "';'".into(),
            Token::Illegal => "'ILLEGAL'".into(),
            Token::End => "'EOF'".into(),
        };
        self.complain(self.now.offset, format!("expected '{what}', found {found}"));
    }

    fn is_word(&self, keyword: &str) -> bool {
        matches!(&self.now.token, Token::Word(word) if word == keyword)
    }

    fn is_operator(&self, text: &str) -> bool {
        matches!(&self.now.token, Token::Operator(operator) if operator == text)
    }

    fn identifier(&mut self) -> String {
        let name = match &self.now.token {
            Token::Word(word) if !KEYWORDS.contains(&&**word) => word.clone(),
            _ => {
                self.expected("IDENT");
                "_".into()
            }
        };
        self.next();
        name
    }

    fn semicolon(&mut self) {
        if self.is_operator(")") || self.is_operator("}") {
            return;
        }
        match &self.now.token {
            Token::Semicolon { .. } => self.next(),
            _ => {
                self.expected(";");
                if self.is_operator(",") {
                    return self.next();
                }
                // To the next keyword that may begin a statement.
                const STATEMENTS: &[&str] = &[
                    "break",
                    "const",
                    "continue",
                    "defer",
                    "fallthrough",
                    "for",
                    "go",
                    "goto",
                    "if",
                    "return",
                    "select",
                    "switch",
                    "type",
                    "var",
                ];
                while self.now.token != Token::End
                    && !STATEMENTS.iter().any(|keyword| self.is_word(keyword))
                {
                    self.next();
                }
            }
        }
    }

    fn file(&mut self) -> String {
        if !self.scanner.complaints.is_empty() {
            return String::new();
        }
        if !self.is_word("package") {
            self.expected("package");
        }
        self.next();
        let name = self.identifier();
        self.semicolon();
        if !self.scanner.complaints.is_empty() {
            return name;
        }
        while self.is_word("import") {
            self.next();
            if self.is_operator("(") {
                self.next();
                while !self.is_operator(")") && self.now.token != Token::End {
                    self.import();
                }
                if !self.is_operator(")") {
                    self.expected(")");
                }
                self.next();
                self.semicolon();
            } else {
                self.import();
            }
        }
        name
    }

    fn import(&mut self) {
        let name = matches!(&self.now.token, Token::Word(word) if !KEYWORDS.contains(&&**word));
        if name || self.is_operator(".") {
            self.next();
        }
        let offset = self.now.offset;
        match self.now.token.clone() {
            Token::Text(text) => {
                if !is_valid_import(&text) {
                    self.complain(offset, format!("invalid import path: {text}"));
                }
                self.next();
            }
            _ => {
                self.expected("STRING");
                self.next();
            }
        }
        self.semicolon();
    }
}

/// What the specification lets a compiler refuse in an import path, escapes taken as they stand.
fn is_valid_import(literal: &str) -> bool {
    let path = literal
        .get(1..literal.len().saturating_sub(1))
        .unwrap_or_default();
    let bad = |c: char| {
        !is_graphic(c) || c.is_whitespace() || "!\"#$%&'()*,:;<=>?[\\]^{|}`\u{fffd}".contains(c)
    };
    !path.is_empty() && !path.contains(bad)
}
