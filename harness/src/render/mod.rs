//! Text for a reader: wrapped, and coloured where that is wanted.

pub mod claim;
pub mod schedule;
pub mod search;

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use textwrap::{Options, WordSeparator, WordSplitter};

use crate::console::Layout;

/// The styles that text has here, by what they mean.
pub mod style {
    use super::{AnsiColor, Style};

    /// A heading.
    pub const HEADING: Style = Style::new().bold();
    /// What few will read.
    pub const FAINT: Style = Style::new().dimmed();
    /// As it should be.
    pub const GOOD: Style = AnsiColor::Green.on_default();
    /// Not as it should be.
    pub const BAD: Style = AnsiColor::Red.on_default().bold();
}

/// A text that grows line by line.
#[derive(Debug)]
pub struct Page {
    layout: Layout,
    text: String,
}

impl Page {
    /// An empty one.
    pub fn new(layout: Layout) -> Page {
        Page {
            layout,
            text: String::new(),
        }
    }

    /// The whole text.
    pub fn into_text(self) -> String {
        self.text
    }

    /// `text` in `style`.
    pub fn paint(&self, style: Style, text: impl Display) -> String {
        match self.layout.color {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }

    /// An empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        let text = self.paint(style::HEADING, text);
        self.item("", 0, &text);
    }

    /// A paragraph, indented by so many columns.
    pub fn paragraph(&mut self, indent: usize, text: &str) {
        self.item(&" ".repeat(indent), indent, text);
    }

    /// A paragraph that begins with `first`; its other lines are indented by `hanging` columns.
    pub fn item(&mut self, first: &str, hanging: usize, text: &str) {
        let rest = " ".repeat(hanging);
        let options = Options::new(self.layout.width)
            .initial_indent(first)
            .subsequent_indent(&rest)
            .break_words(false)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        for line in textwrap::wrap(text, options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Two columns: a word and what it means.
    pub fn row(&mut self, indent: usize, column: usize, word: &str, text: &str) {
        let first = format!("{:indent$}{word:column$}", "");
        self.item(&first, indent + column, text);
    }
}

/// A whole number with its digits in groups: `17 153 136`.
pub fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 run`, `2 runs`.
pub fn counted(number: impl Display, noun: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{} {noun}{plural}", grouped(number))
}

/// What a modelled machine said, so that it cannot move the reader's cursor: without the line end at
/// its end, other control characters escaped.
pub fn printable(text: &str) -> String {
    let mut safe = String::new();
    for c in text.trim_end().chars() {
        match c.is_control() {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    safe
}

/// How long something took.
pub fn took(time: Duration) -> String {
    match time.as_secs_f64() {
        s if s >= 10.0 => format!("{s:.0} s"),
        s if s >= 1.0 => format!("{s:.1} s"),
        s if s >= 0.01 => format!("{:.0} ms", s * 1e3),
        s => format!("{:.1} ms", s * 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_grouped() {
        assert_eq!(grouped(6), "6");
        assert_eq!(grouped(1000), "1000");
        assert_eq!(grouped(10_000), "10 000");
        assert_eq!(grouped(17_153_136), "17 153 136");
        assert_eq!(counted(1, "run"), "1 run");
        assert_eq!(counted(20_000, "run"), "20 000 runs");
    }

    #[test]
    fn control_characters_do_not_reach_a_terminal() {
        assert_eq!(
            printable("one\ntwo \u{1b}[31mthree\r\n"),
            "one\\ntwo \\u{1b}[31mthree"
        );
    }

    #[test]
    fn ids_and_paths_are_not_torn() {
        let layout = Layout {
            color: false,
            width: 20,
        };
        let mut page = Page::new(layout);
        page.item(
            "- ",
            2,
            "the id path-lost-update-again HKCU\\Environment\\Path",
        );
        let expected = "- the id\n  path-lost-update-again\n  HKCU\\Environment\\Path\n";
        assert_eq!(page.into_text(), expected);
    }
}
