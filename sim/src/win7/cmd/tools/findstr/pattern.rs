//! The patterns of findstr: literal texts and its own regular expressions, on bytes.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `.`, `*` after one term, `[class]`, `[^class]`, ranges, `\x`; `^` at the beginning and `$` at the end | findstr /? | yes |
//! | `^` elsewhere and `$` elsewhere are themselves | Wine's tests of findstr, which run on Windows | yes |
//! | `$`, /E and /X ask for a carriage return behind: no line of a Unix file has one, nor the last line of a file without a line end | the same; measured by D. Benham | yes |
//! | `\<` is the beginning of the line or behind what is no word, at the beginning of the expression only; `\>` the end, at its end only | D. Benham | yes |
//! | neither `.` nor a class takes a carriage return | D. Benham, for `.` | `.` |
//! | ranges go by the collation of the language: `[a-z]` has all letters but `Z`, `[A-Z]` all but `a` | D. Benham | letters and digits |
//! | the order of other signs in a range; signs beyond ASCII are words | | no |
//! | a regular expression of more than 254 bytes: out of memory; any text of more than 511: too long | D. Benham | yes |
//! | 16 classes in one expression crash the program | D. Benham | yes, its exit code not |
//! | in a literal text `\\` is one backslash, and a single one is itself | D. Benham | yes |

/// The longest search text, in bytes.
pub const MAX_TEXT: usize = 511;
/// The longest regular expression, in bytes.
pub const MAX_REGEX: usize = 254;
/// How many classes a regular expression may have.
pub const MAX_CLASSES: usize = 15;

const CR: u8 = b'\r';

/// Why a search text cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PatternError {
    /// "Search string too long."
    TooLong,
    /// "Out of memory."
    OutOfMemory,
    /// The program ends with an access violation.
    Crash,
}

/// Where in a line a text must stand: /B, /E, and /X for both.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Anchors {
    /// At the beginning.
    pub begin: bool,
    /// At the end.
    pub end: bool,
}

/// A set of bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Class {
    members: [u64; 4],
    /// Whether it is all others that are meant.
    is_negated: bool,
}

impl Class {
    fn has(&self, byte: u8) -> bool {
        self.members[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    fn add(&mut self, byte: u8) {
        self.members[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn takes(&self, byte: u8, ignore_case: bool) -> bool {
        let other = [byte.to_ascii_lowercase(), byte.to_ascii_uppercase()];
        let has = self.has(byte) || ignore_case && other.iter().any(|byte| self.has(*byte));
        byte != CR && has != self.is_negated
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Term {
    Byte(u8),
    Any,
    Class(Box<Class>),
}

impl Term {
    fn takes(&self, byte: u8, ignore_case: bool) -> bool {
        match self {
            Term::Byte(own) => same(*own, byte, ignore_case),
            Term::Any => byte != CR,
            Term::Class(class) => class.takes(byte, ignore_case),
        }
    }
}

fn same(one: u8, other: u8, ignore_case: bool) -> bool {
    one == other || ignore_case && one.eq_ignore_ascii_case(&other)
}

/// A search text that is ready for use.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Pattern {
    /// Terms, each with whether it may repeat.
    terms: Vec<(Term, bool)>,
    begin: bool,
    end: bool,
    word_begin: bool,
    word_end: bool,
    ignore_case: bool,
}

/// Whether a text has a sign that makes it a regular expression where nothing says what it is.
pub fn looks_regular(text: &[u8]) -> bool {
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => match bytes.next() {
                Some(b'<' | b'>') => return true,
                _ => continue,
            },
            b'.' | b'*' | b'^' | b'$' => return true,
            b'[' if bytes.clone().any(|byte| byte == b']') => return true,
            _ => {}
        }
    }
    false
}

impl Pattern {
    /// A literal text.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn literal(
        text: &[u8],
        anchors: Anchors,
        ignore_case: bool,
    ) -> Result<Pattern, PatternError> {
        if text.len() > MAX_TEXT {
            return Err(PatternError::TooLong);
        }
        let mut terms = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some((byte, below)) = rest.split_first() {
            rest = match (byte, below.first()) {
                (b'\\', Some(b'\\')) => &below[1..],
                _ => below,
            };
            terms.push((Term::Byte(*byte), false));
        }
        Ok(Pattern {
            terms,
            begin: anchors.begin,
            end: anchors.end,
            word_begin: false,
            word_end: false,
            ignore_case,
        })
    }

    /// A regular expression.
    ///
    /// # Errors
    /// See [`PatternError`].
    pub fn regex(
        text: &[u8],
        anchors: Anchors,
        ignore_case: bool,
    ) -> Result<Pattern, PatternError> {
        if text.len() > MAX_TEXT {
            return Err(PatternError::TooLong);
        }
        if text.len() > MAX_REGEX {
            return Err(PatternError::OutOfMemory);
        }
        let mut pattern = Pattern {
            terms: Vec::new(),
            begin: anchors.begin,
            end: anchors.end,
            word_begin: false,
            word_end: false,
            ignore_case,
        };
        let mut rest = text;
        if let Some(below) = rest.strip_prefix(b"^") {
            pattern.begin = true;
            rest = below;
        }
        if let Some(below) = rest.strip_prefix(b"\\<") {
            pattern.word_begin = true;
            rest = below;
        }
        let mut classes = 0;
        while let Some((byte, below)) = rest.split_first() {
            rest = below;
            let term = match (byte, below) {
                (b'$', []) => {
                    pattern.end = true;
                    break;
                }
                (b'\\', [b'>']) => {
                    pattern.word_end = true;
                    break;
                }
                (b'\\', [b'>', b'$']) => {
                    pattern.word_end = true;
                    pattern.end = true;
                    break;
                }
                (b'\\', [sign, below @ ..]) => {
                    rest = below;
                    Term::Byte(*sign)
                }
                (b'.', _) => Term::Any,
                (b'[', _) => match class(below) {
                    Some((class, below)) => {
                        classes += 1;
                        rest = below;
                        Term::Class(Box::new(class))
                    }
                    None => Term::Byte(b'['),
                },
                // Repeats what is before it; with nothing there it is itself.
                (b'*', _) => match pattern.terms.last_mut() {
                    Some((_, repeats)) => {
                        *repeats = true;
                        continue;
                    }
                    None => Term::Byte(b'*'),
                },
                (sign, _) => Term::Byte(*sign),
            };
            pattern.terms.push((term, false));
        }
        match classes > MAX_CLASSES {
            true => Err(PatternError::Crash),
            false => Ok(pattern),
        }
    }

    /// Whether a line, without its line feed and with its carriage return, has a match.
    pub fn matches(&self, line: &[u8]) -> bool {
        let terms = &self.terms;
        let mut places = vec![false; terms.len() + 1];
        let mut next = vec![false; terms.len() + 1];
        for at in 0..=line.len() {
            let may_begin = match self.begin {
                true => at == 0,
                false => true,
            };
            let after_word = at > 0 && is_word(line[at - 1]);
            if may_begin && !(self.word_begin && after_word) {
                places[0] = true;
            }
            for (place, (_, repeats)) in terms.iter().enumerate() {
                if places[place] && *repeats {
                    places[place + 1] = true;
                }
            }
            let byte = line.get(at).copied();
            let may_end = match self.end {
                true => byte == Some(CR),
                false => true,
            };
            let before_word = byte.is_some_and(is_word);
            if places[terms.len()] && may_end && !(self.word_end && before_word) {
                return true;
            }
            let Some(byte) = byte else { break };
            next.fill(false);
            for (place, (term, repeats)) in terms.iter().enumerate() {
                if places[place] && term.takes(byte, self.ignore_case) {
                    match repeats {
                        true => next[place] = true,
                        false => next[place + 1] = true,
                    }
                }
            }
            std::mem::swap(&mut places, &mut next);
        }
        false
    }
}

/// What may stand in a word.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// The class that begins here, and what follows it; none if it has no end.
fn class(text: &[u8]) -> Option<(Class, &[u8])> {
    let (is_negated, mut rest) = match text.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut class = Class {
        members: [0; 4],
        is_negated,
    };
    loop {
        let (first, below) = member(rest)?;
        let Some(first) = first else {
            rest = below;
            break;
        };
        rest = below;
        let range = rest.strip_prefix(b"-").and_then(member);
        match range {
            Some((Some(last), below)) => {
                rest = below;
                let (from, to) = (rank(first), rank(last));
                let all = (0..=u8::MAX).filter(|byte| (from..=to).contains(&rank(*byte)));
                all.for_each(|byte| class.add(byte));
            }
            _ => class.add(first),
        }
    }
    Some((class, rest))
}

/// The next member of a class, none for its end; and what follows.
fn member(text: &[u8]) -> Option<(Option<u8>, &[u8])> {
    match text {
        [] => None,
        [b']', rest @ ..] => Some((None, rest)),
        [b'\\', sign, rest @ ..] => Some((Some(*sign), rest)),
        [sign, rest @ ..] => Some((Some(*sign), rest)),
    }
}

/// The place of a byte in the order of the language: signs, digits, letters with the small one first. What is
/// beyond ASCII follows by its number.
pub fn rank(byte: u8) -> u16 {
    /// Of the signs of ASCII, in the order of a word list of Windows (from memory).
    const SIGNS: &[u8] = b"'- !\"#$%&()*,./:;?@[\\]^_`{|}~+<=>";
    match byte {
        b'0'..=b'9' => 200 + u16::from(byte - b'0'),
        b'a'..=b'z' => 300 + 2 * u16::from(byte - b'a'),
        b'A'..=b'Z' => 301 + 2 * u16::from(byte - b'A'),
        0x80.. => 400 + u16::from(byte),
        _ => match SIGNS.iter().position(|sign| *sign == byte) {
            Some(at) => 100 + at as u16,
            None => u16::from(byte % 100),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn regex(text: &str, line: &str) -> bool {
        let pattern = Pattern::regex(text.as_bytes(), Anchors::default(), false);
        pattern.expect("it is short").matches(line.as_bytes())
    }

    #[test]
    fn expressions_as_the_tests_of_wine_have_them() {
        for (text, line, wanted) in [
            ("abc", "abc", true),
            ("^abc", "abc", true),
            ("\\.bc", "abc", false),
            ("abc$", "abc", false),
            ("abc$", "abc\r", true),
            ("\\.*", "...", true),
            ("\\.*", "abc", true),
            ("a^bc", "a^bc", true),
            ("ab$c", "ab$c", true),
            (".", "a", true),
            ("^c", "abc", false),
            ("^c", "cab", true),
            ("\\<c", "abc", false),
            ("\\<c", "cab", true),
        ] {
            assert_eq!(regex(text, line), wanted, "{text} {line}");
        }
    }

    #[test]
    fn expressions_of_its_own() {
        for (text, line, wanted) in [
            ("^$", "\r", true),
            ("^$", "", false),
            ("go.*exe", "go1.20.exe", true),
            ("ab*c", "ac", true),
            ("ab*c", "abbbc", true),
            ("*a", "*a", true),
            ("*a", "a", false),
            ("[a-z]", "Z", false),
            ("[a-z]", "Y", true),
            ("[A-Z]", "a", false),
            ("[A-Z]", "b", true),
            ("[0-9][0-9]*$", "x12\r", true),
            ("[^0-9]", "12\r", false),
            ("[ab", "[ab", true),
            ("[\\]x]", "]", true),
            ("a\\>", "ba\r", true),
            ("a\\>", "ab", false),
            ("\\\\bin", "C:\\bin", true),
            (".x", "\rx", false),
            ("x-y", "x-y", true),
            ("[a-]", "-", true),
        ] {
            assert_eq!(regex(text, line), wanted, "{text} {line}");
        }
        let exactly = Anchors {
            begin: true,
            end: true,
        };
        let literal = Pattern::literal(b"a.b", exactly, false).expect("it is short");
        assert!(
            literal.matches(b"a.b\r") && !literal.matches(b"a.b") && !literal.matches(b"axb\r")
        );
        let literal = Pattern::literal(br"C:\\Go\bin", Anchors::default(), true);
        assert!(literal.expect("it is short").matches(br"c:\go\BIN"));
    }

    #[test]
    fn limits_of_length_and_classes() {
        let any = Anchors::default();
        let of = |text: String| Pattern::regex(text.as_bytes(), any, false).map(|_| ());
        assert_eq!(of("x".repeat(254)), Ok(()));
        assert_eq!(of("x".repeat(255)), Err(PatternError::OutOfMemory));
        assert_eq!(of("x".repeat(512)), Err(PatternError::TooLong));
        assert_eq!(of("[a]".repeat(15)), Ok(()));
        assert_eq!(of("[a]".repeat(16)), Err(PatternError::Crash));
        let literal = |len| Pattern::literal(&vec![b'x'; len], any, false).map(|_| ());
        assert_eq!(
            (literal(511), literal(512)),
            (Ok(()), Err(PatternError::TooLong))
        );
    }

    #[test]
    fn what_looks_like_an_expression() {
        for (text, wanted) in [
            ("200", false),
            ("51.4", true),
            ("a\\.b", false),
            ("REG_SZ", false),
            ("\\<x", true),
            ("[a", false),
            ("[a]", true),
            ("^x", true),
        ] {
            assert_eq!(looks_regular(text.as_bytes()), wanted, "{text}");
        }
    }

    /// The match by trying everything, in the manner of a textbook.
    fn plainly(pattern: &Pattern, line: &[u8]) -> bool {
        fn here(pattern: &Pattern, place: usize, line: &[u8], at: usize) -> bool {
            let Some((term, repeats)) = pattern.terms.get(place) else {
                let next = line.get(at).copied();
                return (!pattern.end || next == Some(CR))
                    && !(pattern.word_end && next.is_some_and(is_word));
            };
            let takes = line
                .get(at)
                .is_some_and(|byte| term.takes(*byte, pattern.ignore_case));
            match repeats {
                true => {
                    here(pattern, place + 1, line, at)
                        || takes && here(pattern, place, line, at + 1)
                }
                false => takes && here(pattern, place + 1, line, at + 1),
            }
        }
        (0..=line.len())
            .filter(|at| !pattern.begin || *at == 0)
            .filter(|at| !pattern.word_begin || *at == 0 || !is_word(line[*at - 1]))
            .any(|at| here(pattern, 0, line, at))
    }

    proptest! {
        #[test]
        fn the_match_is_that_of_trying_everything(
            text in "\\^?(\\\\<)?(([ab.]|\\[\\^?[ab]-?[ab]?\\]|\\\\[a.])\\*?){0,5}[ab$*]{0,3}(\\\\>)?\\$?",
            line in "[ab .$*^\\\\]{0,8}\r?",
            ignore_case: bool,
        ) {
            let pattern = Pattern::regex(text.as_bytes(), Anchors::default(), ignore_case);
            let pattern = pattern.expect("it is short");
            prop_assert_eq!(pattern.matches(line.as_bytes()), plainly(&pattern, line.as_bytes()));
        }

        #[test]
        fn a_literal_text_is_found_where_it_stands(
            text in "[ -\\[\\]-~]{1,10}", before in "[ -~]{0,5}", after in "[ -~]{0,5}",
        ) {
            let line = format!("{before}{text}{after}\r");
            let pattern = Pattern::literal(text.as_bytes(), Anchors::default(), false);
            prop_assert!(pattern.expect("it is short").matches(line.as_bytes()));
        }

        #[test]
        fn every_text_has_an_answer(text in prop::collection::vec(any::<u8>(), 0..600), line in prop::collection::vec(any::<u8>(), 0..40)) {
            for made in [
                Pattern::regex(&text, Anchors::default(), true),
                Pattern::literal(&text, Anchors::default(), true),
            ].into_iter().flatten() {
                let _ = (made.matches(&line), looks_regular(&text));
            }
        }
    }
}
