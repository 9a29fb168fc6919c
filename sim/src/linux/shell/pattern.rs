//! Text with a mark on each character that is quoted, and patterns made of it (POSIX 2.13).

/// A character, and whether it was quoted.
pub(super) type Marked = (char, bool);

/// Plain text as quoted characters.
pub(super) fn quoted(text: &str) -> impl Iterator<Item = Marked> {
    text.chars().map(|c| (c, true))
}

/// The text without the marks.
pub(super) fn text(marked: &[Marked]) -> String {
    marked.iter().map(|(c, _)| c).collect()
}

/// Holds a character that makes it a pattern.
pub(super) fn is_pattern(marked: &[Marked]) -> bool {
    let special = |wanted: char| {
        marked
            .iter()
            .position(|&(c, quoted)| c == wanted && !quoted)
    };
    special('*').is_some()
        || special('?').is_some()
        || special('[')
            .is_some_and(|at| marked[at..].iter().any(|&(c, quoted)| c == ']' && !quoted))
}

/// One element of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Element {
    Any,
    One,
    Char(char),
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// A pattern, ready to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Element>);

impl Pattern {
    pub(super) fn new(marked: &[Marked]) -> Self {
        let mut elements = Vec::new();
        let mut at = 0;
        while let Some(&(c, quoted)) = marked.get(at) {
            at += 1;
            elements.push(match c {
                _ if quoted => Element::Char(c),
                '*' => Element::Any,
                '?' => Element::One,
                '[' => match set(&marked[at..]) {
                    Some((element, length)) => {
                        at += length;
                        element
                    }
                    None => Element::Char('['),
                },
                _ => Element::Char(c),
            });
        }
        elements.dedup_by(|a, b| *a == Element::Any && *b == Element::Any);
        Self(elements)
    }

    /// Matches all of the text. Time is the product of both lengths at most.
    pub(super) fn matches(&self, text: &[char]) -> bool {
        let (mut element, mut at) = (0, 0);
        // Where the last `*` was, and how far it has eaten.
        let mut star: Option<(usize, usize)> = None;
        loop {
            let one = match self.0.get(element) {
                Some(Element::Any) => {
                    star = Some((element, at));
                    element += 1;
                    continue;
                }
                Some(one) => text.get(at).is_some_and(|&c| one.takes(c)),
                None if at == text.len() => return true,
                None => false,
            };
            if one {
                element += 1;
                at += 1;
                continue;
            }
            match star {
                Some((back, eaten)) if eaten < text.len() => {
                    star = Some((back, eaten + 1));
                    element = back + 1;
                    at = eaten + 1;
                }
                _ => return false,
            }
        }
    }
}

impl Element {
    fn takes(&self, c: char) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Char(own) => *own == c,
            Self::Set { negated, ranges } => {
                ranges.iter().any(|&(from, to)| (from..=to).contains(&c)) != *negated
            }
        }
    }
}

/// After `[`: the set and its length with the `]`.
fn set(marked: &[Marked]) -> Option<(Element, usize)> {
    let mut at = 0;
    let negated = matches!(marked.first(), Some(('!' | '^', false)));
    at += usize::from(negated);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let &(c, quoted) = marked.get(at)?;
        if c == ']' && !quoted && at > first {
            return Some((Element::Set { negated, ranges }, at + 1));
        }
        if c == '[' && !quoted && marked.get(at + 1) == Some(&(':', false)) {
            let end = marked[at..]
                .windows(2)
                .position(|pair| pair == [(':', false), (']', false)])?;
            ranges.extend(class(&text(&marked[at + 2..at + end]))?);
            at += end + 2;
            continue;
        }
        match (marked.get(at + 1), marked.get(at + 2)) {
            (Some(('-', false)), Some(&(to, to_quoted))) if to != ']' || to_quoted => {
                ranges.push((c, to));
                at += 3;
            }
            _ => {
                ranges.push((c, c));
                at += 1;
            }
        }
    }
}

fn class(name: &str) -> Option<Vec<(char, char)>> {
    Some(match name {
        "alpha" => vec![('a', 'z'), ('A', 'Z')],
        "digit" => vec![('0', '9')],
        "alnum" => vec![('a', 'z'), ('A', 'Z'), ('0', '9')],
        "upper" => vec![('A', 'Z')],
        "lower" => vec![('a', 'z')],
        "space" => vec![(' ', ' '), ('\t', '\r')],
        "blank" => vec![(' ', ' '), ('\t', '\t')],
        "punct" => vec![('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "xdigit" => vec![('0', '9'), ('a', 'f'), ('A', 'F')],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let marked: Vec<Marked> = pattern.chars().map(|c| (c, false)).collect();
        Pattern::new(&marked).matches(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn patterns_match_as_posix_says() {
        for (pattern, yes, no) in [
            ("go*", "go1.21", "ago"),
            ("*.go", "a.go", "a.gox"),
            ("a?c", "abc", "ac"),
            ("[a-c]x", "bx", "dx"),
            ("[!a-c]x", "dx", "ax"),
            ("[]x]", "]", "y"),
            ("[[:digit:]]*", "1a", "a1"),
            ("*", "", "\u{0}never"),
            ("a*b*c", "aXbYbZc", "aXbYbZ"),
            ("[", "[", "x"),
            ("1.2[12]", "1.21", "1.23"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(pattern == "*" || !matches(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn a_quoted_star_is_a_star() {
        let pattern = Pattern::new(&[('*', true)]);
        assert!(pattern.matches(&['*']) && !pattern.matches(&['x']));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!matches(
            &format!("{}b", "*a".repeat(200)),
            &"a".repeat(5_000)
        ));
    }
}
