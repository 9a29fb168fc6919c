//! Brace expansion (bash manual 3.5.1): textual, and before any other expansion, so `{1..$N}` stays as it is.

use super::super::ast::{Piece, Word};
use super::{ParseError, Place};

/// A word may become so many at most.
const MAX_WORDS: usize = 100_000;
/// `{{{…}}}`.
const MAX_DEPTH: u32 = 20;

/// A character that is not quoted, or something that braces do not look into.
#[derive(Clone, Debug)]
enum Unit {
    Char(char),
    Opaque(Piece),
}

/// All words that a word stands for.
pub(super) fn expand(word: Word, place: Place) -> Result<Vec<Word>, ParseError> {
    let has_brace = |piece: &Piece| matches!(piece, Piece::Plain(text) if text.contains('{'));
    if !word.pieces.iter().any(has_brace) {
        return Ok(vec![word]);
    }
    let mut units = Vec::new();
    for piece in word.pieces {
        match piece {
            Piece::Plain(text) => units.extend(text.chars().map(Unit::Char)),
            other => units.push(Unit::Opaque(other)),
        }
    }
    Ok(alternatives(&units, place, 0)?
        .into_iter()
        .map(collect)
        .collect())
}

fn collect(units: Vec<Unit>) -> Word {
    let mut pieces = Vec::new();
    let mut plain = String::new();
    for unit in units {
        match unit {
            Unit::Char(c) => plain.push(c),
            Unit::Opaque(piece) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Plain(std::mem::take(&mut plain).into()));
                }
                pieces.push(piece);
            }
        }
    }
    if !plain.is_empty() {
        pieces.push(Piece::Plain(plain.into()));
    }
    Word { pieces }
}

fn alternatives(units: &[Unit], place: Place, depth: u32) -> Result<Vec<Vec<Unit>>, ParseError> {
    if depth > MAX_DEPTH {
        return Err(place.refused("braces nested deeper than 20", "use a loop"));
    }
    let mut done: Vec<Vec<Unit>> = vec![Vec::new()];
    let mut at = 0;
    while at < units.len() {
        let group = match &units[at] {
            Unit::Char('{') => group(&units[at + 1..]),
            _ => None,
        };
        let (choices, length) = match group {
            Some((Group::List(parts), length)) => {
                let mut choices = Vec::new();
                for part in parts {
                    choices.extend(alternatives(part, place, depth + 1)?);
                    if choices.len() > MAX_WORDS {
                        return Err(too_many(place));
                    }
                }
                (choices, length + 1)
            }
            Some((Group::Sequence(first, last, step, width), length)) => {
                (sequence(first, last, step, width, place)?, length + 1)
            }
            Some((Group::Letters(first, last, step), length)) => {
                let letters = sequence(i64::from(first), i64::from(last), step, 0, place)?;
                let to_letter = |units: Vec<Unit>| {
                    let number: String = units.iter().filter_map(as_char).collect();
                    let letter = number.parse().ok().and_then(char::from_u32).unwrap_or('?');
                    vec![Unit::Char(letter)]
                };
                (letters.into_iter().map(to_letter).collect(), length + 1)
            }
            None => (vec![vec![units[at].clone()]], 1),
        };
        if done.len().saturating_mul(choices.len()) > MAX_WORDS {
            return Err(too_many(place));
        }
        if let [one] = choices.as_slice() {
            for so_far in &mut done {
                so_far.extend(one.iter().cloned());
            }
        } else {
            let with = |so_far: &Vec<Unit>| {
                let so_far = so_far.clone();
                choices
                    .iter()
                    .map(move |choice| [so_far.as_slice(), choice.as_slice()].concat())
                    .collect::<Vec<_>>()
            };
            done = done.iter().flat_map(with).collect();
        }
        at += length;
    }
    Ok(done)
}

fn too_many(place: Place) -> ParseError {
    place.refused("a brace expansion to more than 100000 words", "use a loop")
}

fn as_char(unit: &Unit) -> Option<char> {
    match unit {
        Unit::Char(c) => Some(*c),
        Unit::Opaque(_) => None,
    }
}

enum Group<'a> {
    List(Vec<&'a [Unit]>),
    Sequence(i64, i64, i64, usize),
    Letters(u32, u32, i64),
}

/// What stands between `{` and its `}`, if it is something to expand; and its length with the `}`.
fn group(units: &[Unit]) -> Option<(Group<'_>, usize)> {
    let mut open = 0u32;
    let mut parts = Vec::new();
    let mut from = 0;
    for (at, unit) in units.iter().enumerate() {
        match as_char(unit) {
            Some('{') => open += 1,
            Some('}') if open > 0 => open -= 1,
            Some(',') if open == 0 => {
                parts.push(&units[from..at]);
                from = at + 1;
            }
            Some('}') => {
                if !parts.is_empty() {
                    parts.push(&units[from..at]);
                    return Some((Group::List(parts), at + 1));
                }
                return range(&units[..at]).map(|range| (range, at + 1));
            }
            _ => {}
        }
    }
    None
}

fn range(units: &[Unit]) -> Option<Group<'_>> {
    let text: Option<String> = units.iter().map(as_char).collect();
    let text = text?;
    let parts: Vec<&str> = text.split("..").collect();
    let (first, last, step) = match parts.as_slice() {
        [first, last] => (*first, *last, 1),
        [first, last, step] => (*first, *last, step.parse::<i64>().ok()?),
        _ => return None,
    };
    if let (Ok(a), Ok(b)) = (first.parse::<i64>(), last.parse::<i64>()) {
        let padded = |text: &str| {
            let digits = text.trim_start_matches('-');
            digits.len() > 1 && digits.starts_with('0')
        };
        let width = if padded(first) || padded(last) {
            first.len().max(last.len())
        } else {
            0
        };
        return Some(Group::Sequence(a, b, step, width));
    }
    let letter = |text: &str| {
        let mut chars = text.chars();
        chars
            .next()
            .filter(|c| c.is_ascii_alphabetic() && chars.next().is_none())
            .map(u32::from)
    };
    Some(Group::Letters(letter(first)?, letter(last)?, step))
}

fn sequence(
    first: i64,
    last: i64,
    step: i64,
    width: usize,
    place: Place,
) -> Result<Vec<Vec<Unit>>, ParseError> {
    let step = i128::from(step.unsigned_abs().max(1));
    let (a, b) = (i128::from(first), i128::from(last));
    if (b - a).abs() / step >= MAX_WORDS as i128 {
        return Err(too_many(place));
    }
    let step = if b < a { -step } else { step };
    let mut numbers = Vec::new();
    let mut number = a;
    while if step > 0 { number <= b } else { number >= b } {
        numbers.push(
            format!("{number:0width$}")
                .chars()
                .map(Unit::Char)
                .collect(),
        );
        number += step;
    }
    Ok(numbers)
}
