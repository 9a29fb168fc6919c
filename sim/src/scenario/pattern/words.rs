//! What runs show of patterns, in sentences.

use std::collections::BTreeSet;

use super::{Cond, Literal, Match, Pattern, State};

/// How many values of a field are named.
const VALUES: usize = 8;
/// How many characters of a text are shown.
const CHARACTERS: usize = 200;

impl State {
    /// How far the run was, for evidence of what did not happen as well as of what did.
    pub(super) fn words(&self, pattern: &Pattern) -> String {
        match (pattern, self) {
            (Pattern::Eventually(of) | Pattern::Never(of), State::Seen(seen)) => {
                let of = match seen {
                    true => of.one(),
                    false => format!("no {}", of.words()),
                };
                format!("there is {of}")
            }
            (Pattern::Count { of, least, most }, State::Counted(count)) => {
                let many = format!("{} times there is {}", grouped(*count), of.one());
                many + &asked(*least, *most)
            }
            (Pattern::Sequence(all), State::Reached(reached)) => match all.len() {
                all if all == *reached => format!("the sequence of {all} records is there"),
                all => format!("of the sequence of {all} records, the first {reached} are there"),
            },
            (Pattern::Within { ms, .. }, State::Waiting { since, late }) => match (since, late) {
                (Some(since), _) => format!("what began at {since} has no answer"),
                (None, true) => format!("an answer comes later than {} ms", grouped(*ms)),
                (None, false) => format!("all is answered within {} ms", grouped(*ms)),
            },
            (
                Pattern::Rate {
                    of,
                    per_ms,
                    least,
                    most,
                },
                State::Window { highest, .. },
            ) => {
                let (span, highest) = (grouped(*per_ms), grouped(*highest));
                let many = format!("in the busiest {span} ms, {highest} times {}", of.one());
                many + &asked(*least, *most)
            }
            (Pattern::Last { of, is }, State::Last(last)) => {
                let has = conditions(is.iter().map(|(field, cond)| (field.as_str(), cond)));
                match last {
                    None => format!("there is no {}", of.words()),
                    Some(true) => format!("in the last {}, {has}", of.words()),
                    Some(false) => format!("not so in the last {}: {has}", of.words()),
                }
            }
            (
                Pattern::Distinct {
                    field, least, most, ..
                },
                State::Values(values),
            ) => {
                let all: BTreeSet<String> =
                    values.iter().map(|(_, value)| value.to_string()).collect();
                let shown: Vec<&str> = all.iter().map(String::as_str).take(VALUES).collect();
                let more = match all.len().saturating_sub(VALUES) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                match shown.as_slice() {
                    [] => format!("`{field}` takes no value") + &asked(*least, *most),
                    shown => {
                        let takes =
                            format!("`{field}` takes the values {}{more}", shown.join(", "));
                        takes + &asked(*least, *most)
                    }
                }
            }
            (Pattern::Output { .. }, State::Text(text)) => {
                let shown: String = text.chars().take(CHARACTERS).collect();
                let more = if shown.len() < text.len() { " ..." } else { "" };
                format!("the text is {shown:?}{more}")
            }
            (Pattern::All(all) | Pattern::Any(all), State::Parts(parts)) => {
                let words: Vec<String> = all.iter().zip(parts).map(|(p, s)| s.words(p)).collect();
                words.join("; ")
            }
            (Pattern::Not(pattern), State::Parts(parts)) => parts[0].words(pattern),
            _ => unreachable!("a state belongs to its pattern"),
        }
    }
}

/// What the pattern asks for, after what there is.
fn asked(least: Option<u64>, most: Option<u64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) if least == most => format!(" (asked: {})", grouped(least)),
        (Some(least), Some(most)) => format!(" (asked: {} to {})", grouped(least), grouped(most)),
        (Some(least), None) => format!(" (asked: at least {})", grouped(least)),
        (None, Some(most)) => format!(" (asked: at most {})", grouped(most)),
        (None, None) => String::new(),
    }
}

impl Match {
    /// `reg_set record of go-installer with code 0`.
    /// The words with their article.
    fn one(&self) -> String {
        let article = if self.kind.starts_with(['a', 'e', 'i', 'o']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {}", self.words())
    }

    fn words(&self) -> String {
        let mut text = format!("`{}` record", self.kind);
        if self.actor != "*" {
            text += &format!(" of `{}`", self.actor);
        }
        if !self.conditions.is_empty() {
            let all = self.conditions.iter();
            let all = conditions(all.map(|(field, cond)| (field.as_str(), cond)));
            text += &format!(" where {all}");
        }
        text
    }
}

fn conditions<'a>(all: impl Iterator<Item = (&'a str, &'a Cond)>) -> String {
    let all: Vec<String> = all.map(|(field, cond)| cond.words(field)).collect();
    all.join(" and ")
}

impl Cond {
    fn words(&self, field: &str) -> String {
        match self {
            Cond::Is(literal) => format!("{field} is {}", literal.words()),
            Cond::Not(literal) => format!("{field} is not {}", literal.words()),
            Cond::Like(pattern) => format!("{field} is like {pattern:?}"),
            Cond::Contains(part) => format!("{field} has {part:?} in it"),
            Cond::Lacks(part) => format!("{field} does not have {part:?} in it"),
            Cond::OneOf(literals) => {
                let all: Vec<String> = literals.iter().map(Literal::words).collect();
                format!("{field} is {}", all.join(" or "))
            }
            Cond::Least(bound) => format!("{field} is at least {}", signed(*bound)),
            Cond::Most(bound) => format!("{field} is at most {}", signed(*bound)),
            Cond::Same(other) => format!("{field} is the same as {other}"),
            Cond::Differs(other) => format!("{field} is another than {other}"),
        }
    }
}

impl Literal {
    fn words(&self) -> String {
        match self {
            Literal::Flag(flag) => flag.to_string(),
            Literal::Number(number) => signed(*number),
            // A name stands for itself; anything else would run into the sentence.
            Literal::Text(text) => {
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/\\".contains(&byte);
                match !text.is_empty() && text.bytes().all(plain) {
                    true => text.clone(),
                    false => format!("{text:?}"),
                }
            }
        }
    }
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", grouped(number.unsigned_abs()))
}

/// `17 153 136`; four digits stay together.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<&str> = groups
        .map(|group| str::from_utf8(group).expect("digits"))
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(pattern: &str) -> String {
        let pattern: Pattern = ron::from_str(pattern).expect("a pattern");
        State::start(&pattern).words(&pattern)
    }

    #[test]
    fn a_pattern_is_told_with_all_that_it_asks() {
        assert_eq!(
            says(
                "Eventually((kind: \"app\", actor: \"client-1\", where: {\"errno\": Is(\"ETIMEDOUT\"), \"t\": Most(127000)}))"
            ),
            "there is no `app` record of `client-1` where errno is ETIMEDOUT and t is at most 127 000"
        );
        assert_eq!(
            says("Rate(of: (kind: \"tcp_receive_reset\"), per_ms: 1000, least: Some(50000))"),
            "in the busiest 1000 ms, 0 times a `tcp_receive_reset` record (asked: at least 50 000)"
        );
        assert_eq!(
            says(
                "Count(of: (kind: \"x\", where: {\"text\": Is(\"a b\"), \"n\": OneOf([-12345, 7])}), least: Some(6), most: Some(6))"
            ),
            "0 times there is a `x` record where n is -12 345 or 7 and text is \"a b\" (asked: 6)"
        );
        assert_eq!(
            says("Rate(of: (kind: \"observed\"), per_ms: 1000, least: Some(5))"),
            "in the busiest 1000 ms, 0 times an `observed` record (asked: at least 5)"
        );
        assert_eq!(
            says("Distinct(of: (kind: \"exec\"), field: \"version\", least: Some(2))"),
            "`version` takes no value (asked: at least 2)"
        );
    }
}
