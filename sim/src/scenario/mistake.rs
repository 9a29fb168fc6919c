//! A mistake in a file, with its place: what every reader of foreign input answers instead of a panic.

use std::fmt;
use std::ops::Range;

use super::place::locate_value;

/// What is wrong in a file, where, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// The file, as the user named it.
    pub file: String,
    /// The byte range of the text that is wrong; empty if it is a place only.
    pub span: Range<usize>,
    /// The line of its beginning, from 1.
    pub line: usize,
    /// The column of its beginning in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub what: String,
    /// What was expected, or what to do.
    pub help: Option<String>,
}

impl std::error::Error for Mistake {}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}",
            self.file, self.line, self.column, self.what
        )?;
        self.help
            .as_ref()
            .map_or(Ok(()), |help| write!(f, " ({help})"))
    }
}

impl Mistake {
    /// A mistake at a byte range of `text`.
    pub fn at(file: &str, text: &str, span: Range<usize>, what: impl Into<String>) -> Mistake {
        let mut start = span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Mistake {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            span: start..span.end.clamp(start, text.len()),
            what: what.into(),
            help: None,
        }
    }

    /// A mistake at a line and a column in characters, both from 1.
    pub fn at_line(
        file: &str,
        text: &str,
        line: usize,
        column: usize,
        what: impl Into<String>,
    ) -> Mistake {
        let line_start: usize = text
            .split_inclusive('\n')
            .take(line.saturating_sub(1))
            .map(str::len)
            .sum();
        let rest = &text[line_start..];
        let offset: usize = rest
            .chars()
            .take_while(|c| *c != '\n')
            .take(column.saturating_sub(1))
            .map(char::len_utf8)
            .sum();
        let start = line_start + offset;
        let len = text[start..].chars().next().map_or(0, char::len_utf8);
        Mistake {
            line,
            column,
            ..Mistake::at(file, text, start..start + len, what)
        }
    }

    /// A mistake in the value at a path such as `flows[1].port`, or around it if it is not written.
    pub fn at_value(file: &str, text: &str, path: &str, what: impl Into<String>) -> Mistake {
        Mistake::at(file, text, locate_value(text, path), what)
    }

    /// The same, with what to do about it.
    pub fn help(self, help: impl Into<String>) -> Mistake {
        Mistake {
            help: Some(help.into()),
            ..self
        }
    }
}

/// The byte range of the literal `"text"` that comes after all of `after`, each a literal too and each
/// looked for after the one before it. What is not found is passed over.
pub(crate) fn locate(source: &str, after: &[&str], text: &str) -> Range<usize> {
    let quoted = |text: &str| format!("{text:?}");
    let mut from = 0;
    for anchor in after {
        let anchor = quoted(anchor);
        from = source[from..]
            .find(&anchor)
            .map_or(from, |at| from + at + anchor.len());
    }
    let literal = quoted(text);
    let found = source[from..]
        .find(&literal)
        .map(|at| from + at)
        .or_else(|| source.find(&literal));
    // A field's name stands without quotes.
    let bare = || {
        source[from..]
            .find(text)
            .map(|at| from + at..from + at + text.len())
    };
    found
        .map(|at| at..at + literal.len())
        .or_else(bare)
        .unwrap_or(0..0)
}

/// "did you mean", for a name that is not among those that are known.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut ranked: Vec<(usize, &str)> = known
        .into_iter()
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .collect();
    ranked.sort();
    let near: Vec<&str> = ranked.iter().take(3).map(|(_, other)| *other).collect();
    match near.as_slice() {
        [] => "there are none".into(),
        _ => format!("the nearest are: {}", near.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_characters() {
        let text = "eins\nzwölf \"x\"\n";
        let span = locate(text, &[], "x");
        let mistake = Mistake::at("f", text, span, "no");
        assert_eq!((mistake.line, mistake.column), (2, 7));
        let same = Mistake::at_line("f", text, 2, 7, "no");
        assert_eq!(same.span.start, mistake.span.start);
    }

    #[test]
    fn a_place_beyond_the_end_is_the_end() {
        let mistake = Mistake::at("f", "ab", 7..9, "no");
        assert_eq!((mistake.line, mistake.column, mistake.span), (1, 3, 2..2));
        let mistake = Mistake::at_line("f", "ab\n", 9, 9, "no");
        assert_eq!(mistake.span, 3..3);
    }
}
