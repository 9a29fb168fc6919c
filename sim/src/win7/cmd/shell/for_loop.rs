//! `for` in all its forms.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | words as they are; words with `*` or `?` stand for the files that match, with what stands before the last `\\` of the word, not with what stands before a `/` | `for /?`; Wine's batch tests, whose expected output is that of Windows | yes |
//! | `/d` directories, `/r` each directory of a tree, `/l` numbers, `/f` lines | `for /?` | yes |
//! | `/f`: blanks divide, `;` begins a comment, empty lines are skipped, `skip` counts them; a line without the tokens is passed over | `for /?`, Wine's tests | yes |
//! | the last of `tokens` with `*` is the rest of the line | `for /?` | yes |
//! | tokens that are named twice take a variable each, which is empty, and no rest; ranges that go down are none; more than 31 are an error, which does not end the batch file | Wine's batch tests | yes |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;

use super::arithmetic::leading_number;
use super::ast::{For, Form, Text};
use super::expand::utf8;
use super::internal::pattern::{self, Want};
use super::{Flow, Shell, external};

impl Shell {
    pub(super) fn exec_for(&mut self, sys: &mut Sys<'_>, read: &For) -> Asked<Flow> {
        self.code = 0;
        let set = self.expand_late(sys, &read.set)?;
        let depth = self.variables.len();
        let flow = match &read.form {
            Form::Plain => self.for_words(sys, read, &set, None, Want::Files),
            Form::Directories => self.for_words(sys, read, &set, None, Want::Directories),
            Form::Numbers => self.for_numbers(sys, read, &set),
            Form::Tree(root, directories) => {
                let root = self.expand_late(sys, root)?;
                let root: Text = root.into_iter().filter(|unit| *unit != 0x22).collect();
                let want = if *directories {
                    Want::Directories
                } else {
                    Want::Files
                };
                self.for_tree(sys, read, &set, &root, want)
            }
            Form::Lines(options) => {
                let options = self.expand_late(sys, options)?;
                self.for_lines(sys, read, &set, &options)
            }
        }?;
        self.variables.truncate(depth);
        Ok(flow)
    }

    /// The body with these values for the variable and those behind it.
    fn body(&mut self, sys: &mut Sys<'_>, read: &For, values: Vec<(u16, Text)>) -> Asked<Flow> {
        self.tick(sys)?;
        let depth = self.variables.len();
        self.variables.extend(values);
        self.show(sys, &read.body)?;
        let flow = self.exec(sys, &read.body)?;
        self.variables.truncate(depth);
        Ok(flow)
    }

    fn for_words(
        &mut self,
        sys: &mut Sys<'_>,
        read: &For,
        set: &[u16],
        below: Option<&[u16]>,
        want: Want,
    ) -> Asked<Flow> {
        for word in external::parameters(set) {
            let pattern = word
                .iter()
                .any(|unit| *unit == b'*' as u16 || *unit == b'?' as u16);
            let values: Vec<Text> = if pattern {
                let bare: Text = word.iter().copied().filter(|unit| *unit != 0x22).collect();
                let at = match below {
                    Some(folder) => join(folder, &bare),
                    None => bare.clone(),
                };
                let prefix = match bare.iter().rposition(|unit| matches!(*unit, 0x5c | 0x3a)) {
                    Some(at) => bare[..=at].to_vec(),
                    None => Vec::new(),
                };
                let found = pattern::matches(sys, &at, want)?.unwrap_or_default();
                let found = found.into_iter().map(|entry| {
                    let name = entry.name.units().to_vec();
                    match below {
                        Some(folder) => join(folder, &[&prefix[..], &name].concat()),
                        None => [&prefix[..], &name].concat(),
                    }
                });
                found.collect()
            } else {
                match below {
                    // With /r what is no pattern is glued to each directory, there or not.
                    Some(folder) => vec![join(folder, &word)],
                    None => vec![word],
                }
            };
            for value in values {
                let flow = self.body(sys, read, vec![(read.variable, value)])?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
        }
        Ok(Flow::Next)
    }

    fn for_tree(
        &mut self,
        sys: &mut Sys<'_>,
        read: &For,
        set: &[u16],
        root: &[u16],
        want: Want,
    ) -> Asked<Flow> {
        let root = match root.is_empty() {
            true => sys.local.directory.units().to_vec(),
            false => sys.full_path(root),
        };
        let mut waiting = vec![root];
        while let Some(folder) = waiting.pop() {
            let Ok(below) = pattern::matches(sys, &join(&folder, &units("*")), Want::Directories)?
            else {
                continue;
            };
            let flow = self.for_words(sys, read, set, Some(&folder), want)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
            let names = below
                .iter()
                .rev()
                .map(|entry| join(&folder, entry.name.units()));
            waiting.extend(names);
        }
        Ok(Flow::Next)
    }

    fn for_numbers(&mut self, sys: &mut Sys<'_>, read: &For, set: &[u16]) -> Asked<Flow> {
        let numbers: Vec<i64> = external::parameters(set)
            .iter()
            .map(|word| leading_number(&utf8(word)))
            .collect();
        let at = |index: usize| numbers.get(index).copied().unwrap_or(0);
        let (mut number, step, end) = (at(0), at(1), at(2));
        loop {
            let goes = if step < 0 {
                number >= end
            } else {
                number <= end
            };
            if !goes {
                return Ok(Flow::Next);
            }
            let value = units(&number.to_string());
            let flow = self.body(sys, read, vec![(read.variable, value)])?;
            if flow != Flow::Next {
                return Ok(flow);
            }
            number += step;
            // 32 bits, as it counts.
            if i32::try_from(number).is_err() {
                return Ok(Flow::Next);
            }
        }
    }

    fn for_lines(
        &mut self,
        sys: &mut Sys<'_>,
        read: &For,
        set: &[u16],
        options: &[u16],
    ) -> Asked<Flow> {
        let options = match Options::read(options) {
            Ok(options) => options,
            Err(word) => {
                // It is read when the loop runs, so the batch file goes on (Wine's batch tests).
                return self.complain(sys, &super::UNEXPECTED, &[&word]);
            }
        };
        let trimmed = trim(set);
        let (quote, command) = match options.usebackq {
            true => (b'\'' as u16, b'`' as u16),
            false => (b'"' as u16, b'\'' as u16),
        };
        let within = |text: &[u16], mark: u16| -> Option<Text> {
            let inner = text.strip_prefix(&[mark])?;
            Some(inner.strip_suffix(&[mark]).unwrap_or(inner).to_vec())
        };
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let mut wide: Option<Text> = None;
        if let Some(text) = within(trimmed, quote) {
            wide = Some(text);
        } else if let Some(text) = within(trimmed, command) {
            texts.push(self.output_of(sys, &text)?);
        } else {
            for word in external::parameters(set) {
                let bare: Text = word.iter().copied().filter(|unit| *unit != 0x22).collect();
                match sys.read_file(&bare)? {
                    Ok(bytes) => texts.push(bytes.to_vec()),
                    Err(_) => {
                        sys.complain(&NO_FILE, &[&utf8(&bare)])?;
                        self.fail(1)?;
                        return Ok(Flow::Next);
                    }
                }
            }
        }
        let mut all: Vec<Vec<Text>> = Vec::new();
        if let Some(text) = wide {
            all.push(vec![text]);
        }
        for bytes in texts {
            // Output of a UTF-16 program or file shows its NULs as ends of lines.
            let text = sys.decode(&bytes)?;
            let lines = text.units().split(|unit| *unit == 0x0a);
            let lines = lines.map(|line| line.strip_suffix(&[0x0d]).unwrap_or(line).to_vec());
            all.push(lines.collect());
        }
        for lines in all {
            for line in lines.iter().skip(options.skip) {
                let end = line
                    .iter()
                    .position(|unit| *unit == 0)
                    .unwrap_or(line.len());
                let Some(values) = options.divide(&line[..end], read.variable) else {
                    continue;
                };
                let flow = self.body(sys, read, values)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
        }
        Ok(Flow::Next)
    }
}

fn trim(text: &[u16]) -> &[u16] {
    let blank = |unit: &u16| matches!(*unit, 0x20 | 0x09);
    let start = text
        .iter()
        .position(|unit| !blank(unit))
        .unwrap_or(text.len());
    let text = &text[start..];
    let end = text
        .iter()
        .rposition(|unit| !blank(unit))
        .map_or(0, |end| end + 1);
    &text[..end]
}

fn join(folder: &[u16], name: &[u16]) -> Text {
    match folder.ends_with(&[0x5c]) {
        true => [folder, name].concat(),
        false => [folder, &[0x5c], name].concat(),
    }
}

/// What an option of `for /f` begins with.
const KEYWORDS: [&str; 5] = ["tokens=", "skip=", "eol=", "usebackq", "delims="];

/// Where a number or a list of tokens ends: at a blank, or where another option is glued to it, `tokens=1delims=;`.
fn end_of_option(text: &str) -> usize {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let value = text.find('=').map_or(end, |sign| sign + 1).min(end);
    let is_list = |letter: char| letter.is_ascii_digit() || matches!(letter, ',' | '-' | '*');
    let list = text[value..end].find(|letter| !is_list(letter));
    let Some(glued) = list.map(|list| value + list) else {
        return end;
    };
    let rest = text[glued..].to_ascii_lowercase();
    match KEYWORDS.iter().any(|word| rest.starts_with(word)) {
        true => glued,
        false => end,
    }
}

/// The options of `for /f`.
struct Options {
    skip: usize,
    eol: Option<u16>,
    delims: Text,
    /// Those that are wanted, in order, each once.
    tokens: Vec<usize>,
    /// How many variables they take: as many as were named.
    named: usize,
    /// The rest of the line behind the last token.
    rest: bool,
    usebackq: bool,
}

impl Options {
    fn read(text: &[u16]) -> Result<Options, String> {
        let text = utf8(text);
        let text = text.trim();
        // Without a first quote, a last one is a delimiter: `delims^=^"`.
        let quoted = text.strip_prefix('"');
        let inner = quoted.map_or(text, |inner| inner.strip_suffix('"').unwrap_or(inner));
        let mut options = Options {
            skip: 0,
            eol: Some(b';' as u16),
            delims: vec![0x20, 0x09],
            tokens: vec![1],
            named: 1,
            rest: false,
            usebackq: false,
        };
        let mut left = inner;
        loop {
            left = left.trim_start_matches([' ', '\t', ',']);
            if left.is_empty() {
                return Ok(options);
            }
            let lower = left.to_ascii_lowercase();
            let word_end = end_of_option(left);
            if lower.starts_with("usebackq") {
                options.usebackq = true;
                left = &left[8..];
            } else if lower.starts_with("skip=") {
                let number = &left[5..word_end.max(5)];
                options.skip = leading_number(number).max(0) as usize;
                if options.skip == 0 {
                    return Err(format!("{}\"", &left[5..]));
                }
                left = &left[word_end..];
            } else if lower.starts_with("eol=") {
                let mut letters = left[4..].chars();
                options.eol = letters.next().map(|letter| letter as u16);
                left = letters.as_str();
            } else if lower.starts_with("delims=") {
                // At the end of the options a blank is one of them.
                let value = &left[7..];
                let end = value.char_indices().find(|(at, letter)| {
                    *letter == ' '
                        && KEYWORDS.iter().any(|word| {
                            value[at + 1..]
                                .to_ascii_lowercase()
                                .trim_start()
                                .starts_with(word)
                        })
                });
                let end = end.map_or(value.len(), |(at, _)| at);
                options.delims = units(&value[..end]);
                left = &value[end..];
            } else if lower.starts_with("tokens=") {
                options.set_tokens(&left[7..word_end.max(7)])?;
                left = &left[word_end.max(7)..];
            } else {
                return Err(format!("{left}\""));
            }
        }
    }

    fn set_tokens(&mut self, text: &str) -> Result<(), String> {
        self.tokens.clear();
        let (list, rest) = match text.strip_suffix('*') {
            Some(list) => (list, true),
            None => (text, false),
        };
        self.rest = rest;
        for part in list.split(',').filter(|part| !part.is_empty()) {
            let (from, to) = part.split_once('-').unwrap_or((part, part));
            let (from, to) = (from.parse::<usize>(), to.parse::<usize>());
            let (Ok(from), Ok(to)) = (from, to) else {
                return Err(format!("{text}\""));
            };
            if from == 0 || to > 31 {
                return Err(format!("{text}\""));
            }
            self.tokens.extend(from..=to);
        }
        self.named = self.tokens.len();
        self.tokens.sort_unstable();
        self.tokens.dedup();
        Ok(())
    }

    /// The values of a line, from the variable on; nothing if the line is passed over.
    fn divide(&self, line: &[u16], variable: u16) -> Option<Vec<(u16, Text)>> {
        let divides = |unit: &u16| self.delims.contains(unit);
        if line.is_empty() || (self.eol.is_some() && line.first().copied() == self.eol) {
            return None;
        }
        // The comment sign counts behind blanks too.
        let first = line.iter().find(|unit| !divides(unit));
        if self.eol.is_some()
            && first.copied() == self.eol
            && self.eol != Some(0)
            && !self.delims.is_empty()
        {
            return None;
        }
        let last = self.tokens.last().copied().unwrap_or(0);
        let empty = 0..self.named + usize::from(self.rest);
        let mut values: Vec<(u16, Text)> = empty
            .map(|place| (variable.wrapping_add(place as u16), Text::new()))
            .collect();
        let mut at = 0;
        let mut found = Vec::new();
        for _ in 1..=last {
            while at < line.len() && divides(&line[at]) {
                at += 1;
            }
            let start = at;
            while at < line.len() && !divides(&line[at]) {
                at += 1;
            }
            found.push(line[start..at].to_vec());
        }
        for (place, token) in self.tokens.iter().enumerate() {
            let value = found.get(token - 1).cloned().unwrap_or_default();
            if place == 0 && value.is_empty() {
                return None;
            }
            values[place].1 = value;
        }
        if self.rest && self.named == self.tokens.len() {
            while at < line.len() && divides(&line[at]) {
                at += 1;
            }
            let value = line[at..].to_vec();
            if self.tokens.is_empty() && value.is_empty() {
                return None;
            }
            values[self.named].1 = value;
        }
        Some(values)
    }
}

const NO_FILE: Message = Message {
    en: "The system cannot find the file {0}.\r\n",
    zh: "系统找不到文件 {0}。\r\n",
};
