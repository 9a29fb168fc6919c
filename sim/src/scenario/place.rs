//! Where a value stands in a text of RON: `flows[1].port` is a field of the second element of a field.
//!
//! It reads the text for its brackets and names alone, after RON has taken it: whatever it cannot follow it does not
//! find. What wraps a value (`Some(..)`, a variant's name with its parentheses) is no step of a path.

use std::ops::Range;

/// The byte range of the value at `path`, or of the nearest around it that is written; empty if nothing is.
pub(crate) fn locate_value(source: &str, path: &str) -> Range<usize> {
    let steps: Vec<Step<'_>> = path
        .split(['.', '['])
        .filter(|step| !step.is_empty())
        .map(|step| match step.strip_suffix(']') {
            Some(index) => index.parse().map_or(Step::Field(step), Step::Index),
            None => Step::Field(step),
        })
        .collect();
    (1..=steps.len())
        .rev()
        .find_map(|len| Reader { source, at: 0 }.value(&steps[..len]))
        .unwrap_or(0..0)
}

/// A step from a value into one of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step<'a> {
    Field(&'a str),
    /// An element of a list or a tuple, from 0.
    Index(usize),
}

struct Reader<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    /// Passes blanks and comments over.
    fn blanks(&mut self) {
        loop {
            let rest = self.rest().trim_start();
            self.at = self.source.len() - rest.len();
            // An attribute at the head, such as the extensions', ends with its line.
            if rest.starts_with("//") || rest.starts_with("#!") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                self.block_comment();
            } else {
                return;
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            let rest = self.rest();
            let len = match rest.as_bytes() {
                [b'/', b'*', ..] => {
                    depth += 1;
                    2
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    2
                }
                _ => rest.chars().next().map_or(0, char::len_utf8),
            };
            self.at += len;
            if depth == 0 || len == 0 {
                return;
            }
        }
    }

    /// Passes a token over: a text, a character, a name or number, or one other character. What it was.
    fn token(&mut self) -> &'a str {
        self.blanks();
        let rest = self.rest();
        let hashes = rest
            .strip_prefix('r')
            .map(|raw| raw.len() - raw.trim_start_matches('#').len());
        let len = match hashes {
            Some(hashes) if rest[1 + hashes..].starts_with('"') => {
                let end = format!("\"{}", "#".repeat(hashes));
                let from = hashes + 2;
                rest[from..]
                    .find(&end)
                    .map_or(rest.len(), |at| from + at + end.len())
            }
            _ => match rest.chars().next() {
                Some(quote @ ('"' | '\'')) => quoted_len(rest, quote),
                _ => word_len(rest),
            },
        };
        self.at += len;
        &rest[..len]
    }

    fn peek(&mut self) -> &'a str {
        let before = self.at;
        let token = self.token();
        self.at = before;
        token
    }

    /// The value that begins here, or what of it `path` leads to.
    fn value(&mut self, path: &[Step<'_>]) -> Option<Range<usize>> {
        self.blanks();
        let Some((step, deeper)) = path.split_first() else {
            let start = self.at;
            self.skip();
            return Some(start..self.source[..self.at].trim_end().len().max(start));
        };
        if is_word(self.peek()) {
            self.token();
        }
        if !matches!(self.token(), "(" | "[" | "{") {
            return None;
        }
        let mut index = 0;
        loop {
            let name = self.name();
            if matches!(self.peek(), ")" | "]" | "}" | "") {
                return None;
            }
            let found = match (name, step) {
                (Some(name), Step::Field(field)) if name == *field => return self.value(deeper),
                (None, Step::Index(nth)) if index == *nth => return self.value(deeper),
                // A value in its wrapping.
                (None, Step::Field(_)) if index == 0 => {
                    let before = self.at;
                    let found = self.value(path);
                    self.at = before;
                    found
                }
                _ => None,
            };
            if found.is_some() {
                return found;
            }
            self.skip();
            if self.token() != "," {
                return None;
            }
            index += 1;
        }
    }

    /// The name of a field and its colon, if that is what comes.
    fn name(&mut self) -> Option<&'a str> {
        let before = self.at;
        let name = self.token();
        if is_word(name) && self.token() == ":" {
            return Some(name);
        }
        self.at = before;
        None
    }

    /// Passes a value over, up to the comma or bracket after it.
    fn skip(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(), depth) {
                ("", _) | (")" | "]" | "}" | ",", 0) => return,
                ("(" | "[" | "{", _) => depth += 1,
                (")" | "]" | "}", _) => depth -= 1,
                _ => {}
            }
            self.token();
        }
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The length of a name or number at the beginning of `text`, or of one other character.
fn word_len(text: &str) -> usize {
    let is_of_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '+' | '-');
    match text.find(|c| !is_of_word(c)) {
        Some(0) => text.chars().next().map_or(0, char::len_utf8),
        Some(len) => len,
        None => text.len(),
    }
}

/// The length of what stands in quotes at the beginning of `text`, quotes included.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "#![enable(implicit_some)]
// flows: [(port: 1)]
(nodes: 4, /* nodes: 5, /* 6 */ */ name: \"a, (nodes: 7\", raw: r#\"quote \" nodes: 8\"#, c: ')',
    flows: [
        (life: Served, port: 80),
        (life: Refused, port: 81, arriving: Bursts(7)),
    ],
    world: Observe((population: (seconds: Some(9)), nodes: (1, 3))),
    map: { \"port\": 82 },
)";

    fn at(path: &str) -> &'static str {
        &TEXT[locate_value(TEXT, path)]
    }

    #[test]
    fn values_are_found_by_their_paths() {
        assert_eq!(at("nodes"), "4");
        assert_eq!(at("raw"), "r#\"quote \" nodes: 8\"#");
        assert_eq!(at("c"), "')'");
        assert_eq!(at("flows[0].port"), "80");
        assert_eq!(
            at("flows[1]"),
            "(life: Refused, port: 81, arriving: Bursts(7))"
        );
        assert_eq!(at("flows[1].arriving"), "Bursts(7)");
        assert_eq!(at("world.population.seconds"), "Some(9)");
        assert_eq!(at("world.nodes[1]"), "3");
        assert_eq!(at("map"), "{ \"port\": 82 }");
    }

    #[test]
    fn what_is_not_written_is_at_what_is_around_it() {
        assert_eq!(at("flows[0].peers"), "(life: Served, port: 80)");
        assert_eq!(at("world.population.flows[3].port"), "(seconds: Some(9))");
        assert_eq!(at("none"), "");
        assert_eq!(at(""), "");
    }

    proptest! {
        /// Whatever the text, there is an answer within it.
        #[test]
        fn damaged_texts_have_places_too(cut in 0..TEXT.len(), insert in "[()\\[\\]{}\"'#/*,:r\\\\ aä]{0,6}", path in "[a-z]{0,8}(\\[[0-9]\\])?(\\.port)?") {
            let mut text = TEXT.to_owned();
            text.insert_str(cut, &insert);
            let span = locate_value(&text, &path);
            prop_assert!(text.get(span).is_some());
            text.truncate(cut);
            prop_assert!(text.get(locate_value(&text, &path)).is_some());
        }
    }
}
