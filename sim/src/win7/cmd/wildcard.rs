//! Names of files against patterns with `*` and `?`, as FindFirstFile matches them.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `*.*` is `*`; `?` is DOS_QM, a dot before `*` or `?` is DOS_DOT, a `*` before a dot is DOS_STAR | ReactOS, FindFirstFileEx | yes |
//! | a pattern that ends in `*.` asks for names without an extension | the same; observed | yes |
//! | DOS_STAR, DOS_QM and DOS_DOT | documentation of FsRtlIsNameInExpression | yes |
//! | a file is found by its long or its short name: `*.htm` finds `a.html` where that is `A~1.HTM` | documentation of FindFirstFile, the dir command | yes |

use crate::win7::registry::Name;
use crate::win7::text::upcase;

/// What a unit of a pattern takes of a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Part {
    /// This unit, in upper case.
    Unit(u16),
    /// `*`: any run.
    Star,
    /// `*` before a dot: any run that does not go over the last dot.
    DosStar,
    /// `?`: one unit but no dot, or none before a dot and at the end.
    DosMark,
    /// A dot before `*` or `?`: a dot, or nothing at the end.
    DosDot,
}

/// A pattern of names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Wildcard {
    parts: Vec<Part>,
}

/// Whether a text holds a wildcard.
pub fn has_wildcard(text: &[u16]) -> bool {
    text.iter()
        .any(|unit| [u16::from(b'*'), u16::from(b'?')].contains(unit))
}

impl Wildcard {
    /// The pattern of one component of a path, as a program writes it.
    pub fn new(text: &[u16]) -> Wildcard {
        const DOT: u16 = b'.' as u16;
        const STAR: u16 = b'*' as u16;
        const MARK: u16 = b'?' as u16;
        if text == [STAR, DOT, STAR] {
            return Wildcard {
                parts: vec![Part::Star],
            };
        }
        // The way to a full path takes dots away at the end; one behind a star leaves its mark.
        let kept = text.iter().rposition(|unit| *unit != DOT);
        let kept = &text[..kept.map_or(0, |last| last + 1)];
        let lost_dot = kept.len() < text.len();
        let mut parts: Vec<Part> = Vec::with_capacity(kept.len());
        for (at, unit) in kept.iter().copied().enumerate() {
            if at > 0 && unit == DOT && kept[at - 1] == STAR {
                parts[at - 1] = Part::DosStar;
            }
            if at > 0 && (unit == STAR || unit == MARK) && kept[at - 1] == DOT {
                parts[at - 1] = Part::DosDot;
            }
            parts.push(match unit {
                STAR => Part::Star,
                MARK => Part::DosMark,
                other => Part::Unit(upcase(other)),
            });
        }
        if lost_dot && kept.last() == Some(&STAR) {
            *parts.last_mut().expect("there is a star") = Part::DosStar;
        }
        Wildcard { parts }
    }

    /// Whether this name fits.
    pub fn matches(&self, name: &Name) -> bool {
        self.matches_units(name.units())
    }

    /// Whether a file with these names is found.
    pub fn finds(&self, name: &Name, short: Option<&Name>) -> bool {
        self.matches(name) || short.is_some_and(|short| self.matches(short))
    }

    /// Whether this text fits.
    pub fn matches_units(&self, name: &[u16]) -> bool {
        const DOT: u16 = b'.' as u16;
        let last_dot = name.iter().rposition(|unit| *unit == DOT);
        // Which parts may come next: one bit for each place between parts.
        let mut places = vec![false; self.parts.len() + 1];
        places[0] = true;
        self.skip(&mut places, name.first().copied());
        for (at, unit) in name.iter().copied().enumerate() {
            let mut next = vec![false; places.len()];
            for (place, part) in self.parts.iter().enumerate() {
                if !places[place] {
                    continue;
                }
                match part {
                    Part::Unit(own) if *own == upcase(unit) => next[place + 1] = true,
                    Part::Star => next[place] = true,
                    Part::DosStar if unit != DOT || last_dot != Some(at) => next[place] = true,
                    Part::DosMark if unit != DOT => next[place + 1] = true,
                    Part::DosDot if unit == DOT => next[place + 1] = true,
                    _ => {}
                }
            }
            places = next;
            self.skip(&mut places, name.get(at + 1).copied());
        }
        places[self.parts.len()]
    }

    /// Goes over parts that take nothing before this unit.
    fn skip(&self, places: &mut [bool], unit: Option<u16>) {
        for (place, part) in self.parts.iter().enumerate() {
            let may_skip = match part {
                Part::Unit(_) => false,
                Part::Star | Part::DosStar => true,
                Part::DosMark => unit.is_none_or(|unit| unit == u16::from(b'.')),
                Part::DosDot => unit.is_none(),
            };
            if places[place] && may_skip {
                places[place + 1] = true;
            }
        }
    }
}

/// The new name that `ren`, `copy` and `move` make of an old one by a pattern.
///
/// | rule | source | sure |
/// |---|---|---|
/// | name and extension part at the last dot; `?` takes a character, `*` the rest | "How does the Windows RENAME command interpret wildcards?", measured on Windows 7 by D. Benham | yes |
/// | a character other than a wildcard stands in place of one of the old name's, and a dot takes the old name up to its next dot | the same | yes |
/// | `*c` takes the old name up to the last `c` | the same | yes |
/// | dots and blanks at the end fall away | the same | yes |
pub fn renamed(old: &[u16], pattern: &[u16]) -> Vec<u16> {
    const DOT: u16 = b'.' as u16;
    const STAR: u16 = b'*' as u16;
    const MARK: u16 = b'?' as u16;
    let mut new = Vec::new();
    let mut at = 0;
    let mut parts = pattern.iter().copied().peekable();
    while let Some(part) = parts.next() {
        match part {
            STAR => match parts.next() {
                // To the end, whatever there is.
                None => {
                    new.extend_from_slice(&old[at.min(old.len())..]);
                    at = old.len();
                }
                Some(MARK | STAR) => {
                    new.extend_from_slice(&old[at.min(old.len())..]);
                    at = old.len();
                }
                // To the last such character; to the end, and the character, if there is none.
                Some(sign) => {
                    let rest = &old[at.min(old.len())..];
                    let last = rest.iter().rposition(|unit| *unit == sign);
                    match last {
                        Some(last) => {
                            new.extend_from_slice(&rest[..=last]);
                            at += last + 1;
                        }
                        None => {
                            new.extend_from_slice(rest);
                            new.push(sign);
                            at = old.len();
                        }
                    }
                }
            },
            MARK => {
                if let Some(unit) = old.get(at).filter(|unit| **unit != DOT) {
                    new.push(*unit);
                    at += 1;
                }
            }
            DOT => {
                let rest = &old[at.min(old.len())..];
                at += match rest.iter().position(|unit| *unit == DOT) {
                    Some(dot) => dot + 1,
                    None => rest.len(),
                };
                new.push(DOT);
            }
            sign => {
                if old.get(at).is_some_and(|unit| *unit != DOT) {
                    at += 1;
                }
                new.push(sign);
            }
        }
    }
    let is_dropped = |unit: &u16| *unit == DOT || *unit == u16::from(b' ');
    while new.last().is_some_and(is_dropped) {
        new.pop();
    }
    new
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::registry::units;

    fn fits(pattern: &str, name: &str) -> bool {
        Wildcard::new(&units(pattern)).matches_units(&units(name))
    }

    #[test]
    fn patterns_of_ms_dos() {
        for (pattern, name, wanted) in [
            ("*.*", "noext", true),
            ("*", "a.b.c", true),
            ("*.htm", "a.htm", true),
            ("*.htm", "a.html", false),
            ("*.txt", "A.TXT", true),
            ("*.", "noext", true),
            ("*.", "a.txt", false),
            ("*.", "a.b.txt", false),
            ("???", "ab", true),
            ("???", "abcd", false),
            ("?.txt", ".txt", true),
            ("a?.txt", "a.txt", true),
            ("a?c.txt", "ac.txt", false),
            ("abc.???", "abc", true),
            ("abc.*", "abc", true),
            ("a*.b*", "a.b", true),
            ("a*.b*", "axx.yy.bz", true),
            ("*.a.b", "x.a.b", true),
            ("f*", "foo.txt", true),
            ("*x*", "axb", true),
            ("*文*", "中文名", true),
            ("", "", true),
            ("a", "", false),
        ] {
            assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
        }
        let short = Name::from("A~1.HTM");
        let pattern = Wildcard::new(&units("*.htm"));
        assert!(pattern.finds(&Name::from("a.html"), Some(&short)));
    }

    #[test]
    fn names_that_ren_makes() {
        for (old, pattern, new) in [
            ("a.txt", "*.bak", "a.bak"),
            ("test.txt", "new.*", "new.txt"),
            ("a.b.c", "*.x", "a.b.x"),
            ("part1.part2", "?x.????999.*", "px.part999"),
            ("part1.part2.part3", "?x.????999.*", "px.part999.part3"),
            ("abcde", "?x", "ax"),
            ("1234.txt", "?????.?????", "1234.txt"),
            ("abc.txt", "d*", "dbc.txt"),
            ("abc", "x.*", "x"),
            ("a.txt", "*", "a.txt"),
            ("ab.txt", "*b*", "ab.txt"),
        ] {
            let made = renamed(&units(old), &units(pattern));
            assert_eq!(String::from_utf16_lossy(&made), new, "{old} {pattern}");
        }
    }

    /// A pattern matched by trying everything.
    fn plainly(parts: &[Part], name: &[u16], whole: &[u16]) -> bool {
        let dot = u16::from(b'.');
        let Some((part, rest)) = parts.split_first() else {
            return name.is_empty();
        };
        let one = || {
            let (unit, below) = name.split_first()?;
            let at = whole.len() - name.len();
            let last = whole.iter().rposition(|unit| *unit == dot) == Some(at);
            Some((*unit, below, last))
        };
        match (part, one()) {
            (Part::Unit(own), Some((unit, below, _))) => {
                *own == upcase(unit) && plainly(rest, below, whole)
            }
            (Part::Unit(_), None) => false,
            (Part::Star, Some((_, below, _))) => {
                plainly(rest, name, whole) || plainly(parts, below, whole)
            }
            (Part::DosStar, Some((unit, below, last))) => {
                plainly(rest, name, whole) || (unit != dot || !last) && plainly(parts, below, whole)
            }
            (Part::DosMark, Some((unit, below, _))) => match unit == dot {
                true => plainly(rest, name, whole),
                false => plainly(rest, below, whole),
            },
            (Part::DosDot, Some((unit, below, _))) => unit == dot && plainly(rest, below, whole),
            (_, None) => plainly(rest, name, whole),
        }
    }

    proptest! {
        #[test]
        fn the_match_is_that_of_trying_everything(
            pattern in "[ab.*?]{0,7}", name in "[ab.]{0,8}",
        ) {
            let wildcard = Wildcard::new(&units(&pattern));
            let name = units(&name);
            prop_assert_eq!(
                wildcard.matches_units(&name),
                plainly(&wildcard.parts, &name, &name)
            );
        }

        #[test]
        fn a_name_without_wildcards_finds_itself_in_any_case(name in "[a-zA-Z0-9 _-]{1,8}(\\.[a-z]{1,4})?") {
            prop_assert!(fits(&name, &name.to_uppercase()));
            prop_assert!(fits("*", &name) && fits("*.*", &name));
        }

        #[test]
        fn renaming_has_an_answer_for_every_pattern(old in "[ab.]{0,8}", pattern in "[xb.*? ]{0,8}") {
            let new = renamed(&units(&old), &units(&pattern));
            prop_assert!(!matches!(new.last(), Some(&0x2E | &0x20)));
        }

        #[test]
        fn a_star_keeps_a_name(old in "[a-z]{1,8}(\\.[a-z]{1,3})?") {
            prop_assert_eq!(renamed(&units(&old), &units("*")), units(&old));
        }
    }
}
