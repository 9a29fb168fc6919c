//! Percent signs, `!`, and `for` variables.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `%%` is one `%` in a batch file; `%1`, `%*`, `%~mods1`; an undefined `%NAME%` is removed there and stays on a command line | `call /?`, dbenham's notes on the phases | yes |
//! | `%NAME:~a,b%`, `%NAME:from=to%`, `from` with `*` in front; an undefined name loses `%NAME:` alone | `set /?`, the same notes | yes |
//! | what a variable holds is not looked at again | the same | yes |
//! | `^` takes the meaning from what follows in a text with `!`; a single `!` is removed; several where a name begins are one | the same; Wine's batch tests | yes |
//! | `%~` of `for` variables and parameters: f d p n x s a t z, `$NAME:` | `for /?`, `call /?` | yes |
//! | `%~` in a batch file and no parameter behind its letters ends all batch files, in comments too; of a `for` variable that is none, it stays | reports of Windows 10 and 11 (the text, 255); jeb, "tilde-dollar syntax", dostips.com | yes |
//! | nothing with `%~f` and its like is nothing | Wine's batch tests, whose expected output is that of Windows | yes for variables |
//! | `=ExitCode`: what the last program ended with, 8 hexadecimal digits; `=ExitCodeAscii` its letter, where it has one; `=C:` where C: is | ss64.com, "CMD shell variables" | partly |

use crate::win7::text::{Wide, upcase};

use super::Shell;
use super::ast::Text;
use super::parse::Mistake;
use crate::win7::cmd::clock::Moment;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;

const PER_CENT: u16 = b'%' as u16;
const COLON: u16 = b':' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const DOT: u16 = b'.' as u16;
const TILDE: u16 = b'~' as u16;
const BANG: u16 = b'!' as u16;
const CARET: u16 = b'^' as u16;
const QUOTE: u16 = b'"' as u16;

/// Whether two texts are one in any case.
pub fn same(one: &[u16], other: &[u16]) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .zip(other)
            .all(|(one, other)| upcase(*one) == upcase(*other))
}

/// A text in UTF-8, with replacement for what is none.
pub fn utf8(text: &[u16]) -> String {
    String::from_utf16_lossy(text)
}

fn digit(unit: u16) -> Option<usize> {
    char::from_u32(unit.into())?
        .to_digit(10)
        .map(|digit| digit as usize)
}

/// The text without quotes around it: `%~` takes one away at each end.
fn without_quotes(text: &[u16]) -> &[u16] {
    let text = text.strip_prefix(&[QUOTE]).unwrap_or(text);
    text.strip_suffix(&[QUOTE]).unwrap_or(text)
}

/// The part of a value that `~a,b` or `from=to` asks for.
pub fn modified(value: &[u16], how: &[u16]) -> Option<Text> {
    if how.first() == Some(&TILDE) {
        let numbers = utf8(&how[1..]);
        let (start, length) = match numbers.split_once(',') {
            Some((start, length)) => (start.to_owned(), Some(length.to_owned())),
            None => (numbers, None),
        };
        let all = value.len() as i64;
        let number = |text: &str| super::arithmetic::leading_number(text.trim());
        let start = match number(&start) {
            start if start < 0 => (all + start).max(0),
            start => start.min(all),
        };
        let end = match length.map(|length| number(&length)) {
            None => all,
            Some(length) if length < 0 => (all + length).max(start),
            Some(length) => (start + length).min(all),
        };
        return Some(value[start as usize..end.max(start) as usize].to_vec());
    }
    let (from, to) = {
        // The first sign cannot be what is looked for.
        let sign = how.iter().skip(1).position(|unit| *unit == b'=' as u16)? + 1;
        (&how[..sign], &how[sign + 1..])
    };
    let at = |text: &[u16], from: &[u16]| {
        (0..=text.len().saturating_sub(from.len()))
            .find(|at| text.len() >= at + from.len() && same(&text[*at..at + from.len()], from))
    };
    if let Some(from) = from.strip_prefix(&[b'*' as u16])
        && !from.is_empty()
    {
        return Some(match at(value, from) {
            Some(found) => [to, &value[found + from.len()..]].concat(),
            None => value.to_vec(),
        });
    }
    let mut result = Vec::new();
    let mut rest = value;
    while let Some(found) = at(rest, from).filter(|_| !rest.is_empty()) {
        result.extend_from_slice(&rest[..found]);
        result.extend_from_slice(to);
        rest = &rest[found + from.len()..];
    }
    result.extend_from_slice(rest);
    Some(result)
}

impl Shell {
    /// What a variable holds: one of the process, or one that cmd makes up.
    pub(super) fn value(&self, sys: &mut Sys<'_>, name: &[u16]) -> Asked<Option<Text>> {
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(value) = sys.local.block.get(&Wide::from(name)) {
            return Ok(Some(value.units().to_vec()));
        }
        let name = utf8(name).to_ascii_uppercase();
        let text = match &*name {
            "CD" => return Ok(Some(sys.local.directory.units().to_vec())),
            "ERRORLEVEL" => self.errorlevel.to_string(),
            "RANDOM" => sys.choose_number("random", 32767)?.to_string(),
            "TIME" => time_of(Moment::after_ms(sys.now_ms()?)),
            "DATE" => date_of(Moment::after_ms(sys.now_ms()?)),
            "CMDEXTVERSION" => "2".into(),
            "CMDCMDLINE" => format!(
                "{} {}",
                sys.about.image,
                sys.about.tail.to_utf8_lossy().trim()
            ),
            "HIGHESTNUMANODENUMBER" => "0".into(),
            _ => return Ok(None),
        };
        Ok(Some(units(&text)))
    }

    /// Phase 1: the percent signs of a line.
    pub(super) fn expand_percent(
        &self,
        sys: &mut Sys<'_>,
        line: &[u16],
    ) -> Asked<Result<Text, Mistake>> {
        if !line.contains(&PER_CENT) {
            return Ok(Ok(line.to_vec()));
        }
        let in_batch = !self.frames.is_empty() && !self.on_command_line;
        let mut out = Vec::with_capacity(line.len());
        let mut at = 0;
        while at < line.len() {
            if line[at] != PER_CENT {
                out.push(line[at]);
                at += 1;
                continue;
            }
            let rest = &line[at + 1..];
            if in_batch {
                if rest.first() == Some(&PER_CENT) {
                    out.push(PER_CENT);
                    at += 2;
                    continue;
                }
                if let Some(used) = self.parameter(sys, rest, &mut out)? {
                    at += 1 + used;
                    continue;
                }
                if rest.first() == Some(&TILDE) {
                    return Ok(Err(Mistake::PathOperator(line[at..].to_vec())));
                }
            }
            at += 1 + self.named(sys, rest, in_batch, &mut out)?;
        }
        Ok(Ok(out))
    }

    /// `*`, a digit, or `~` with modifiers and a digit: how much of `rest` that is.
    fn parameter(&self, sys: &mut Sys<'_>, rest: &[u16], out: &mut Text) -> Asked<Option<usize>> {
        let Some(frame) = self.frames.last() else {
            return Ok(None);
        };
        match rest.first() {
            Some(unit) if *unit == b'*' as u16 => {
                out.extend_from_slice(&frame.all);
                Ok(Some(1))
            }
            Some(unit) if digit(*unit).is_some() => {
                let number = digit(*unit).expect("it was looked at");
                out.extend_from_slice(frame.parameter(number));
                Ok(Some(1))
            }
            Some(&TILDE) => {
                let Some((modifiers, used)) = self.modifiers(rest, &|unit| digit(unit).is_some())
                else {
                    return Ok(None);
                };
                let number = digit(rest[used - 1]).expect("it ends in one");
                let value = match number {
                    // The batch file itself is found from where it was started.
                    0 if !modifiers.letters.is_empty() => frame.file.units().to_vec(),
                    number => frame.parameter(number).to_vec(),
                };
                let value = self.modify(sys, &value, &modifiers)?;
                out.extend_from_slice(&value);
                Ok(Some(used))
            }
            _ => Ok(None),
        }
    }

    /// `NAME%` or `NAME:how%`: how much of `rest` it takes.
    fn named(
        &self,
        sys: &mut Sys<'_>,
        rest: &[u16],
        in_batch: bool,
        out: &mut Text,
    ) -> Asked<usize> {
        let stop = rest
            .iter()
            .position(|unit| *unit == PER_CENT || *unit == COLON);
        let Some(mut stop) = stop else {
            // There is no end: the sign alone goes, or stays.
            if !in_batch {
                out.push(PER_CENT);
            }
            return Ok(0);
        };
        if rest[stop] == COLON && rest.get(stop + 1) == Some(&PER_CENT) {
            stop += 1;
        }
        let name = &rest[..stop];
        let value = self.value(sys, name)?;
        if rest[stop] == PER_CENT {
            return Ok(match (value, in_batch) {
                (Some(value), _) => {
                    out.extend_from_slice(&value);
                    stop + 1
                }
                (None, true) => stop + 1,
                (None, false) => {
                    out.push(PER_CENT);
                    0
                }
            });
        }
        let end = rest[stop + 1..].iter().position(|unit| *unit == PER_CENT);
        match (value, end) {
            (Some(value), Some(end)) => {
                let how = &rest[stop + 1..stop + 1 + end];
                match modified(&value, how) {
                    Some(text) => out.extend_from_slice(&text),
                    // What is no modification stays, without its signs in a batch file.
                    None if in_batch => out.extend_from_slice(&rest[..stop + 1 + end]),
                    None => {
                        out.push(PER_CENT);
                        out.extend_from_slice(&rest[..stop + 2 + end]);
                    }
                }
                Ok(stop + end + 2)
            }
            (None, _) if in_batch => Ok(stop + 1),
            (None, _) => {
                out.push(PER_CENT);
                Ok(0)
            }
            (Some(_), None) => {
                if !in_batch {
                    out.push(PER_CENT);
                }
                Ok(0)
            }
        }
    }

    /// The modifiers behind a `~`, up to a name that `is_name` knows: the last name that fits. Beside: how many units of
    /// `text`, which begins with the `~`.
    fn modifiers(&self, text: &[u16], is_name: &dyn Fn(u16) -> bool) -> Option<(Modifiers, usize)> {
        let mut at = 1;
        let mut modifiers = Modifiers::default();
        let mut best = None;
        while let Some(unit) = text.get(at).copied() {
            if is_name(unit) {
                best = Some((modifiers.clone(), at + 1));
            }
            let letter = char::from_u32(unit.into())?.to_ascii_lowercase();
            if letter == '$' {
                let Some(end) = text[at..].iter().position(|unit| *unit == COLON) else {
                    break;
                };
                modifiers.search = Some(text[at + 1..at + end].to_vec());
                at += end + 1;
                if let Some(unit) = text.get(at).filter(|unit| is_name(**unit)) {
                    let _ = unit;
                    return Some((modifiers, at + 1));
                }
                break;
            }
            if !"fdpnxsatz".contains(letter) {
                break;
            }
            modifiers.letters.push(letter);
            at += 1;
        }
        best
    }

    /// `for` variables in a text.
    pub(super) fn expand_for(&self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Text> {
        if self.variables.is_empty() || !text.contains(&PER_CENT) {
            return Ok(text.to_vec());
        }
        let known = |unit: u16| self.variables.iter().rev().find(|(name, _)| *name == unit);
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            let rest = &text[at + 1..];
            if text[at] == PER_CENT {
                if let Some((_, value)) = rest.first().and_then(|unit| known(*unit)) {
                    out.extend_from_slice(value);
                    at += 2;
                    continue;
                }
                if rest.first() == Some(&TILDE)
                    && let Some((modifiers, used)) =
                        self.modifiers(rest, &|unit| known(unit).is_some())
                {
                    let (_, value) = known(rest[used - 1]).expect("it was found");
                    let value = value.clone();
                    out.extend(self.modify(sys, &value, &modifiers)?);
                    at += 1 + used;
                    continue;
                }
            }
            out.push(text[at]);
            at += 1;
        }
        Ok(out)
    }

    /// Phase 5: `!` in a text.
    pub(super) fn expand_delayed(&self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Text> {
        if !self.delayed || !text.contains(&BANG) {
            return Ok(text.to_vec());
        }
        let mut out = Vec::with_capacity(text.len());
        let mut at = 0;
        while at < text.len() {
            match text[at] {
                CARET => {
                    if let Some(next) = text.get(at + 1) {
                        out.push(*next);
                    }
                    at += 2;
                }
                BANG => {
                    // Several are one.
                    while text.get(at + 1) == Some(&BANG) {
                        at += 1;
                    }
                    let rest = &text[at + 1..];
                    let Some(end) = rest.iter().position(|unit| *unit == BANG) else {
                        at += 1;
                        continue;
                    };
                    let inner = &rest[..end];
                    let (name, how) = match inner.iter().position(|unit| *unit == COLON) {
                        Some(colon) if colon + 1 < inner.len() => {
                            (&inner[..colon], Some(&inner[colon + 1..]))
                        }
                        _ => (inner, None),
                    };
                    if let Some(value) = self.value(sys, name)? {
                        match how {
                            None => out.extend_from_slice(&value),
                            Some(how) => match modified(&value, how) {
                                Some(text) => out.extend_from_slice(&text),
                                None => out.extend_from_slice(inner),
                            },
                        }
                    } else if let Some(how) = how {
                        out.extend_from_slice(how);
                    }
                    at += end + 2;
                }
                unit => {
                    out.push(unit);
                    at += 1;
                }
            }
        }
        Ok(out)
    }

    /// Phases 4 and 5 of a text.
    pub(super) fn expand_late(&self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Text> {
        let text = self.expand_for(sys, text)?;
        self.expand_delayed(sys, &text)
    }

    /// What `%~letters` makes of a value.
    fn modify(&self, sys: &mut Sys<'_>, value: &[u16], modifiers: &Modifiers) -> Asked<Text> {
        let plain = without_quotes(value);
        let mut path = plain.to_vec();
        if let Some(variable) = &modifiers.search {
            let list = self.value(sys, variable)?.unwrap_or_default();
            let mut found = None;
            // SearchPath takes a full path, and one from here that says so, as it is.
            let is_fixed = matches!(
                plain,
                [_, COLON, ..] | [BACKSLASH, ..] | [DOT, BACKSLASH, ..]
            ) || plain.starts_with(&[DOT, DOT, BACKSLASH]);
            let directories: Vec<&[u16]> = match is_fixed {
                true => vec![&[]],
                false => list.split(|unit| *unit == b';' as u16).collect(),
            };
            for directory in directories {
                let directory = without_quotes(directory);
                if directory.is_empty() && !is_fixed {
                    continue;
                }
                let full = match is_fixed {
                    true => sys.full_path(plain),
                    false => sys.full_path(&[directory, &[BACKSLASH], plain].concat()),
                };
                if sys.attributes(&full)?.is_ok() {
                    let spelled = sys.spelled(&utf8(&full))?;
                    found = Some(spelled.map_or(full, |spelled| units(&spelled)));
                    break;
                }
            }
            match found {
                Some(found) => path = found,
                None => return Ok(Vec::new()),
            }
        }
        let letters = &modifiers.letters;
        if letters.is_empty() {
            return Ok(path);
        }
        if path.is_empty() {
            return Ok(Vec::new());
        }
        let full = sys.full_path(&path);
        let mut out = Vec::new();
        let entry = match letters.contains(['a', 't', 'z']) {
            true => sys.entry(&full)?,
            false => None,
        };
        let mut more = Vec::new();
        if let Some(entry) = entry {
            if letters.contains('a') {
                more.push(super::internal::attribute_letters(entry.attributes));
            }
            if letters.contains('t')
                && let Some(moment) = sys.file_time()?
            {
                more.push(format!("{} {}", moment.numbers(), moment.half_day()));
            }
            if letters.contains('z') {
                more.push(entry.len.to_string());
            }
        }
        out.extend(units(&more.join(" ")));
        let parts = self.parts(&full, letters);
        if !out.is_empty() && !parts.is_empty() {
            out.push(b' ' as u16);
        }
        out.extend(parts);
        Ok(out)
    }

    fn parts(&self, full: &[u16], letters: &str) -> Text {
        let text = utf8(full);
        let (drive, rest) = match text.as_bytes() {
            [_, b':', ..] => text.split_at(2),
            _ => ("", &*text),
        };
        let (folder, file) = match rest.rfind('\\') {
            Some(at) => rest.split_at(at + 1),
            None => ("", rest),
        };
        let (name, extension) = match file.rfind('.') {
            Some(dot) => file.split_at(dot),
            None => (file, ""),
        };
        let all = letters.contains('f');
        let has = |letter: char| all || letters.contains(letter);
        let none = !letters.contains(['f', 'd', 'p', 'n', 'x']);
        if none && letters.contains('s') {
            return units(&text);
        }
        let mut out = String::new();
        for (letter, part) in [('d', drive), ('p', folder), ('n', name), ('x', extension)] {
            if has(letter) {
                out.push_str(part);
            }
        }
        units(&out)
    }
}

/// What stands between `~` and a name.
#[derive(Clone, Default)]
struct Modifiers {
    letters: String,
    /// `$NAME:`
    search: Option<Text>,
}

/// As `%TIME%` shows it: a blank before an hour of one digit.
pub fn time_of(moment: Moment) -> String {
    let Moment {
        hour,
        minute,
        second,
        hundredth,
        ..
    } = moment;
    format!("{hour:2}:{minute:02}:{second:02}.{hundredth:02}")
}

/// As `%DATE%` shows it with the formats of en-US.
pub fn date_of(moment: Moment) -> String {
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let day = days[moment.weekday as usize % 7];
    format!("{day} {}", moment.numbers())
}
