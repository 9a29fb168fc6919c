//! Tokens of a script (POSIX 2.3, bash manual "Shell Syntax").

use std::sync::Arc;

use brush_parser::{SourcePosition, SourceSpan, Token};

use super::{Cursor, MAX_NESTING, ParseError, Place};

/// A token.
#[derive(Clone, Debug)]
pub(super) struct Lexeme {
    /// An operator, a newline among them; otherwise a word.
    pub operator: bool,
    /// As it stands; for a here-document its text.
    pub text: String,
    /// What brush-parser is shown: the text where the grammar depends on it, else a stand-in.
    shown: Option<String>,
    pub from: usize,
    pub to: usize,
    pub place: Place,
    /// The second parenthesis of `((`.
    pub arithmetic: bool,
}

/// Stands for a word whose text does not matter to the grammar. No name and no number.
const STAND_IN: &str = "\u{1}";

const OPERATORS: &[&str] = &[
    ";;&", "<<-", "<<<", "&>>", "&&", "||", ";;", ";&", "<<", ">>", "<&", ">&", "<>", ">|", "&>",
    "|&", "&", "|", ";", "(", ")", "<", ">",
];

impl Lexeme {
    fn new(operator: bool, text: String, from: usize, to: usize, place: Place) -> Self {
        Self {
            operator,
            text,
            shown: None,
            from,
            to,
            place,
            arithmetic: false,
        }
    }

    pub(super) fn is(&self, operator: &str) -> bool {
        self.operator && self.text == operator
    }

    pub(super) fn is_redirect(&self) -> bool {
        self.operator && self.text.contains(['<', '>'])
    }

    /// The word's text if nothing in it is quoted or expanded, so that it may be reserved.
    pub(super) fn plain(&self) -> Option<&str> {
        (!self.operator && self.shown.is_none()).then_some(&*self.text)
    }

    pub(super) fn newline_for_brush(&self) -> Token {
        let newline = Self::new(true, "\n".into(), self.from, self.to, self.place);
        newline.for_brush()
    }

    pub(super) fn for_brush(&self) -> Token {
        let position = |index, place: Place| {
            Arc::new(SourcePosition {
                index,
                line: place.line as usize,
                column: place.column as usize,
            })
        };
        let span = SourceSpan {
            start: position(self.from, self.place),
            end: position(self.to, self.place),
        };
        let text = self.shown.as_ref().unwrap_or(&self.text).clone();
        if self.operator {
            Token::Operator(text, span)
        } else {
            Token::Word(text, span)
        }
    }
}

/// Cuts a text into tokens.
pub(super) fn lex(cursor: Cursor<'_>, depth: u32) -> Result<Vec<Lexeme>, ParseError> {
    let mut lexer = Lexer {
        cursor,
        depth,
        out: Vec::new(),
        here: Vec::new(),
        in_condition: false,
    };
    lexer.run()?;
    Ok(lexer.out)
}

struct Here {
    /// Where its text's token is.
    token: usize,
    delimiter: String,
    strip_tabs: bool,
    place: Place,
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    depth: u32,
    out: Vec<Lexeme>,
    here: Vec<Here>,
    in_condition: bool,
}

impl Lexer<'_> {
    fn run(&mut self) -> Result<(), ParseError> {
        while let Some(c) = self.cursor.peek() {
            match c {
                ' ' | '\t' => self.cursor.skip(1),
                '\\' if self.cursor.peek_at(1) == Some('\n') => self.cursor.skip(2),
                '#' => {
                    while self.cursor.peek().is_some_and(|c| c != '\n') {
                        self.cursor.skip(1);
                    }
                }
                '\n' => {
                    self.push_operator("\n");
                    self.here_documents()?;
                }
                _ => match OPERATORS
                    .iter()
                    .find(|operator| self.cursor.starts_with(operator))
                {
                    Some(operator) => self.operator(operator)?,
                    None => self.word()?,
                },
            }
        }
        match self.here.first() {
            Some(here) => Err(here.place.syntax(format!(
                "here-document delimited by end-of-file (wanted `{}')",
                here.delimiter
            ))),
            None => Ok(()),
        }
    }

    fn push_operator(&mut self, text: &str) {
        let (from, place) = (self.cursor.at, self.cursor.place);
        self.cursor.skip(text.chars().count());
        self.out
            .push(Lexeme::new(true, text.into(), from, self.cursor.at, place));
    }

    /// A token that is not in the text: grammar only.
    fn push_newline(&mut self) {
        let (at, place) = (self.cursor.at, self.cursor.place);
        self.out.push(Lexeme::new(true, "\n".into(), at, at, place));
    }

    fn operator(&mut self, operator: &str) -> Result<(), ParseError> {
        let place = self.cursor.place;
        if !self.in_condition && self.cursor.starts_with("((") {
            return self.arithmetic();
        }
        if matches!(operator, "<" | ">") && self.cursor.peek_at(1) == Some('(') {
            return Err(place.refused("process substitution", "use a pipe or a file"));
        }
        let after_parenthesis = self.out.last().is_some_and(|last| last.is("("));
        if operator == "(" && after_parenthesis && !self.in_condition {
            // The same to the grammar, but no attempt at arithmetic.
            self.push_newline();
        }
        let after_word = self
            .out
            .last()
            .filter(|last| !last.operator && last.to == self.cursor.at);
        if operator == "("
            && let Some(word) = after_word
        {
            if word.text.ends_with('=') {
                return Err(word.place.refused("an array", "use several variables"));
            }
            if word.text.ends_with(['@', '!', '?', '+', '*']) {
                return Err(word
                    .place
                    .refused("an extended pattern", "use case with several patterns"));
            }
        }
        self.push_operator(operator);
        if matches!(operator, "<<" | "<<-") && !self.in_condition {
            self.here_delimiter(operator == "<<-")?;
        }
        Ok(())
    }

    /// `((` up to its `))`: one word for the grammar, or three for `for ((a; b; c))`.
    fn arithmetic(&mut self) -> Result<(), ParseError> {
        let place = self.cursor.place;
        let is_for = self
            .out
            .last()
            .is_some_and(|last| last.plain() == Some("for"));
        self.push_operator("(");
        self.push_operator("(");
        if let Some(second) = self.out.last_mut() {
            second.arithmetic = true;
        }
        let mut open = 0u32;
        let (mut from, mut from_place) = (self.cursor.at, self.cursor.place);
        loop {
            match self.cursor.peek() {
                None => return Err(unclosed(place, "))")),
                Some(')') if open == 0 => break,
                Some(';') if open == 0 && is_for => {
                    self.push_arithmetic(from, from_place);
                    self.push_operator(";");
                    (from, from_place) = (self.cursor.at, self.cursor.place);
                }
                Some(';') => return Err(not_arithmetic(place)),
                Some(c) => {
                    match c {
                        '(' => open += 1,
                        ')' => open -= 1,
                        _ => {}
                    }
                    if open > MAX_NESTING {
                        return Err(self.cursor.place.too_deep());
                    }
                    skip_piece(&mut self.cursor, self.depth + 1)?;
                }
            }
        }
        if self.cursor.peek_at(1) != Some(')') {
            return Err(not_arithmetic(place));
        }
        self.push_arithmetic(from, from_place);
        self.push_operator(")");
        self.push_operator(")");
        Ok(())
    }

    fn push_arithmetic(&mut self, from: usize, place: Place) {
        let text: String = self.cursor.chars[from..self.cursor.at].iter().collect();
        self.out.push(Lexeme {
            shown: Some(text.clone()),
            ..Lexeme::new(false, text, from, self.cursor.at, place)
        });
    }

    fn word(&mut self) -> Result<(), ParseError> {
        let (from, place) = (self.cursor.at, self.cursor.place);
        let mut plain = true;
        while let Some(c) = self.cursor.peek() {
            match c {
                ' ' | '\t' | '\n' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => break,
                '\'' | '"' | '\\' | '$' | '`' => {
                    plain = false;
                    skip_piece(&mut self.cursor, self.depth + 1)?;
                }
                _ => self.cursor.skip(1),
            }
        }
        let text: String = self.cursor.chars[from..self.cursor.at].iter().collect();
        let mut lexeme = Lexeme::new(false, text, from, self.cursor.at, place);
        let name_end = lexeme
            .text
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = &lexeme.text[..name_end.unwrap_or(lexeme.text.len())];
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        let rest = &lexeme.text[name.len()..];
        if is_name && rest.starts_with('[') && rest.contains("]=") | rest.contains("]+=") {
            return Err(place.refused("an array element", "use several variables"));
        }
        if !plain || (is_name && rest.starts_with('[')) {
            let shown = match () {
                () if is_name && rest.starts_with('=') => format!("{name}=1"),
                () if is_name && rest.starts_with("+=") => format!("{name}+=1"),
                () => STAND_IN.to_string(),
            };
            lexeme.shown = Some(shown);
        }
        let before_redirect = self.cursor.peek().is_some_and(|c| matches!(c, '<' | '>'));
        if before_redirect && lexeme.text.bytes().all(|byte| byte.is_ascii_digit()) {
            if lexeme.text.len() > 1 {
                return Err(place.refused("a descriptor above 9", "use 3 to 9"));
            }
        } else if before_redirect && lexeme.text.starts_with('{') && lexeme.text.ends_with('}') {
            return Err(place.refused("a descriptor in a variable", "use 3 to 9"));
        }
        match lexeme.plain() {
            Some("[[") if self.at_command() => self.in_condition = true,
            Some("]]") => self.in_condition = false,
            Some("=~") if self.in_condition => {
                return Err(place.refused("=~", "use == with a pattern"));
            }
            Some("coproc") => return Err(place.refused("coproc", "use a pipe")),
            _ => {}
        }
        self.out.push(lexeme);
        Ok(())
    }

    /// The next word would be the first of a command. (`guard` knows exactly, and trusts nothing of this.)
    fn at_command(&self) -> bool {
        let Some(last) = self.out.last() else {
            return true;
        };
        let opens = [
            "if", "then", "else", "elif", "while", "until", "do", "!", "{",
        ];
        last.operator || last.plain().is_some_and(|word| opens.contains(&word))
    }

    /// After `<<`: the delimiter, and room for the text and the second delimiter, as the grammar has them.
    fn here_delimiter(&mut self, strip_tabs: bool) -> Result<(), ParseError> {
        while matches!(self.cursor.peek(), Some(' ' | '\t')) {
            self.cursor.skip(1);
        }
        let place = self.cursor.place;
        let before = self.out.len();
        if self
            .cursor
            .peek()
            .is_some_and(|c| !"\n;&|<>()#".contains(c))
        {
            self.word()?;
        }
        let Some(word) = self.out.get_mut(before) else {
            return Err(place.syntax("syntax error near unexpected token `newline'"));
        };
        if word.text.contains(['$', '`']) {
            return Err(place.refused("an expansion in a delimiter", "use a plain word"));
        }
        let quoted = word.shown.is_some();
        let delimiter: String = word
            .text
            .chars()
            .filter(|c| !matches!(c, '\'' | '"' | '\\'))
            .collect();
        // The grammar asks whether there are quotes.
        word.shown = Some(if quoted { "'E'" } else { "E" }.into());
        let end = Lexeme {
            shown: Some("E".into()),
            ..word.clone()
        };
        self.here.push(Here {
            token: self.out.len(),
            delimiter,
            strip_tabs,
            place,
        });
        self.out.push(Lexeme {
            shown: Some(String::new()),
            ..end.clone()
        });
        self.out.push(end);
        Ok(())
    }

    fn here_documents(&mut self) -> Result<(), ParseError> {
        for here in std::mem::take(&mut self.here) {
            let (from, place) = (self.cursor.at, self.cursor.place);
            let mut text = String::new();
            loop {
                let mut line = String::new();
                while let Some(c) = self.cursor.peek().filter(|&c| c != '\n') {
                    line.push(c);
                    self.cursor.skip(1);
                }
                let ended = self.cursor.bump().is_none();
                let line = if here.strip_tabs {
                    line.trim_start_matches('\t')
                } else {
                    &line
                };
                if line == here.delimiter {
                    break;
                }
                if ended {
                    return Err(here.place.syntax(format!(
                        "here-document delimited by end-of-file (wanted `{}')",
                        here.delimiter
                    )));
                }
                text.push_str(line);
                text.push('\n');
            }
            if let Some(token) = self.out.get_mut(here.token) {
                token.shown = Some(text.clone());
                token.text = text;
                token.from = from;
                token.to = from;
                token.place = place;
            }
        }
        Ok(())
    }
}

fn unclosed(place: Place, wanted: &str) -> ParseError {
    place.syntax(format!(
        "unexpected EOF while looking for matching `{wanted}'"
    ))
}

fn not_arithmetic(place: Place) -> ParseError {
    place.refused(
        "`((' that is not arithmetic",
        "write `( (' for a subshell in a subshell",
    )
}

/// Skips one character, or one quoted or expanded piece, of a word.
pub(super) fn skip_piece(cursor: &mut Cursor<'_>, depth: u32) -> Result<(), ParseError> {
    let place = cursor.place;
    if depth > MAX_NESTING {
        return Err(place.too_deep());
    }
    match cursor.peek() {
        Some('\\') => {
            if cursor.peek_at(1).is_none() {
                return Err(place.syntax("a backslash at the end of the text"));
            }
            cursor.skip(2);
        }
        Some('\'') => {
            cursor.skip(1);
            skip_to(cursor, '\'', place)?;
        }
        Some('"') => {
            cursor.skip(1);
            skip_double(cursor, place, depth)?;
        }
        Some('`') => skip_backquote(cursor, place)?,
        Some('$') => skip_dollar(cursor, depth)?,
        _ => cursor.skip(1),
    }
    Ok(())
}

fn skip_to(cursor: &mut Cursor<'_>, end: char, place: Place) -> Result<(), ParseError> {
    while let Some(c) = cursor.bump() {
        if c == end {
            return Ok(());
        }
    }
    Err(unclosed(place, &end.to_string()))
}

fn skip_backquote(cursor: &mut Cursor<'_>, place: Place) -> Result<(), ParseError> {
    cursor.skip(1);
    while let Some(c) = cursor.bump() {
        match c {
            '`' => return Ok(()),
            '\\' => cursor.skip(1),
            _ => {}
        }
    }
    Err(unclosed(place, "`"))
}

/// The rest of `"…"`.
fn skip_double(cursor: &mut Cursor<'_>, place: Place, depth: u32) -> Result<(), ParseError> {
    loop {
        match cursor.peek() {
            None => return Err(unclosed(place, "\"")),
            Some('"') => {
                cursor.skip(1);
                return Ok(());
            }
            Some('\\' | '`' | '$') => skip_piece(cursor, depth + 1)?,
            Some(_) => cursor.skip(1),
        }
    }
}

fn skip_dollar(cursor: &mut Cursor<'_>, depth: u32) -> Result<(), ParseError> {
    let place = cursor.place;
    cursor.skip(1);
    match cursor.peek() {
        Some('(') if cursor.peek_at(1) == Some('(') => {
            cursor.skip(2);
            skip_parentheses(cursor, place, depth, false)?;
            if cursor.peek() != Some(')') {
                let help = "write `$( (' for a subshell in a substitution";
                return Err(place.refused("`$((' that is not arithmetic", help));
            }
            cursor.skip(1);
        }
        Some('(') => {
            cursor.skip(1);
            skip_parentheses(cursor, place, depth, true)?;
        }
        Some('{') => {
            cursor.skip(1);
            skip_brace(cursor, place, depth)?;
        }
        Some('[') => return Err(place.refused("$[ ]", "write $(( ))")),
        Some('\'') => {
            cursor.skip(1);
            while let Some(c) = cursor.bump() {
                match c {
                    '\'' => return Ok(()),
                    '\\' => cursor.skip(1),
                    _ => {}
                }
            }
            return Err(unclosed(place, "'"));
        }
        // The next piece is the quoted string.
        Some('"') | Some(_) | None => {}
    }
    Ok(())
}

/// The rest of `${…}`.
fn skip_brace(cursor: &mut Cursor<'_>, place: Place, depth: u32) -> Result<(), ParseError> {
    loop {
        match cursor.peek() {
            None => return Err(unclosed(place, "}")),
            Some('}') => {
                cursor.skip(1);
                return Ok(());
            }
            // In double quotes a single quote may be a character; `word` finds out. Here it is skipped alone if it
            // has no partner before the brace.
            Some('\'') if !has_partner(cursor) => cursor.skip(1),
            Some(_) => skip_piece(cursor, depth + 1)?,
        }
    }
}

fn has_partner(cursor: &Cursor<'_>) -> bool {
    let rest = &cursor.chars[cursor.at + 1..];
    let end = rest.iter().position(|&c| c == '}' || c == '\'');
    end.is_some_and(|end| rest[end] == '\'')
}

/// Up to and with the parenthesis that closes. With `command`, comments are skipped, and the `)` of a `case` pattern
/// closes nothing.
fn skip_parentheses(
    cursor: &mut Cursor<'_>,
    place: Place,
    depth: u32,
    command: bool,
) -> Result<(), ParseError> {
    let mut open = 1u32;
    // In how many parentheses each open `case` stands.
    let mut cases: Vec<u32> = Vec::new();
    let mut word_start = true;
    let mut at_command = true;
    loop {
        let Some(c) = cursor.peek() else {
            return Err(unclosed(place, ")"));
        };
        if command && word_start && c.is_ascii_alphabetic() {
            let word = plain_word(cursor);
            match word.as_str() {
                "case" if at_command => cases.push(open),
                "esac" if cases.last() == Some(&open) => drop(cases.pop()),
                _ => {}
            }
            at_command = AFTER_COMMANDS.contains(&word.as_str());
            cursor.skip(word.len());
            word_start = false;
            continue;
        }
        match c {
            '(' => {
                open += 1;
                if open + depth > MAX_NESTING {
                    return Err(cursor.place.too_deep());
                }
                cursor.skip(1);
            }
            ')' if cases.last() == Some(&open) => cursor.skip(1),
            ')' => {
                open -= 1;
                cursor.skip(1);
                if open == 0 {
                    return Ok(());
                }
            }
            '#' if command && word_start => {
                while cursor.peek().is_some_and(|c| c != '\n') {
                    cursor.skip(1);
                }
            }
            '<' if command && cursor.starts_with("<<<") => cursor.skip(3),
            '<' if command && cursor.starts_with("<<") => {
                let help = "put it in a function outside the substitution";
                return Err(cursor.place.refused("a here-document inside $( )", help));
            }
            _ => skip_piece(cursor, depth + 1)?,
        }
        word_start = " \t\n;&|()".contains(c);
        if "\n;&|()".contains(c) {
            at_command = true;
        } else if !word_start {
            at_command = c == '{' || c == '!';
        }
    }
}

/// Reserved words that a command follows.
const AFTER_COMMANDS: [&str; 8] = ["if", "then", "else", "elif", "while", "until", "do", "esac"];

/// The letters, digits and underscores that stand here.
fn plain_word(cursor: &Cursor<'_>) -> String {
    let rest = &cursor.chars[cursor.at..];
    rest.iter()
        .take_while(|c| c.is_ascii_alphanumeric() || **c == '_')
        .collect()
}
