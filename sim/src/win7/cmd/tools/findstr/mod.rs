//! `findstr`: lines that have a text, or match an expression of its own kind ([`pattern`]).
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `FILE:`, `NUMBER:`, `OFFSET:` before a line; no name for one file that is named, nor for the input | D. Benham, "undocumented features and limitations of FINDSTR" | yes |
//! | the texts of the first operand are parted by blanks; with `/C:` or `/G:` all operands are files | findstr /? | yes |
//! | without `/L` and `/R`: `/C:` is literal; else an expression if the first text has a sign of one | D. Benham | yes |
//! | a last line without a line end: of a file it is printed so, of the input it gets one | Wine's tests, run on Windows | yes |
//! | redirected input (not piped) whose last line has no line feed: Windows 7 waits for ever; refused here | D. Benham | yes |
//! | lines of more than 8191 bytes in the input; refused here | D. Benham | yes |
//! | switches may stand behind operands, several letters behind one sign; unknown ones are "ignored" | observed | partly |
//! | "Cannot open FILE" goes on with the next; exit codes 0 found, 1 not found, 2 error | D. Benham | yes |
//! | `/I` knows the letters of ASCII alone; texts of the command line are ANSI | D. Benham, for ANSI | partly |
//!
//! Not there: that several literal texts of different lengths can miss matches (D. Benham: the conditions are not
//! known well enough); `/P`, `/D`, help. `/A` and `/OFF` change nothing that is modelled.

pub mod pattern;
#[cfg(test)]
mod tests;

use self::pattern::{Anchors, Pattern, PatternError};
use super::operands::{Found, find, find_in, folder_of, lines, plain, split};
use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::{Wildcard, has_wildcard};
use crate::win7::registry::units;
use crate::win7::text::CodePage;

/// The longest line of the input.
const MAX_LINE: usize = 8191;
/// An access violation.
const CRASHED: u32 = 0xC000_0005;

#[derive(Default)]
struct Options {
    anchors: Anchors,
    regex: Option<bool>,
    recurse: bool,
    ignore_case: bool,
    invert: bool,
    numbers: bool,
    names: bool,
    offsets: bool,
    /// Of `/C:` and `/G:`.
    texts: Vec<Vec<u8>>,
    has_texts: bool,
    operands: Vec<String>,
    /// Of `/F:`.
    lists: Vec<String>,
}

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let mut options = Options::default();
    let mut files: Vec<String> = Vec::new();
    for argument in sys.arguments() {
        let Some(switches) = argument.strip_prefix(['/', '-']) else {
            options.operands.push(argument);
            continue;
        };
        if let Some(code) = switch(sys, switches, &mut options)? {
            return Ok(code);
        }
    }
    let mut operands = std::mem::take(&mut options.operands).into_iter();
    let mut literal_by_default = options.has_texts;
    if !options.has_texts {
        let Some(text) = operands.next() else {
            sys.error_line("FINDSTR: Bad command line")?;
            return Ok(2);
        };
        for text in text.split(' ').filter(|text| !text.is_empty()) {
            let text = ansi(sys, text)?;
            options.texts.push(text);
        }
        literal_by_default = false;
    }
    files.extend(operands);
    for list in std::mem::take(&mut options.lists) {
        let Some(content) = read(sys, &list)? else {
            return Ok(2);
        };
        let decoded = sys.decode(&content)?.to_utf8_lossy();
        files.extend(
            decoded
                .lines()
                .map(str::to_owned)
                .filter(|line| !line.is_empty()),
        );
    }
    let first = options.texts.first().map(Vec::as_slice).unwrap_or_default();
    let is_regex = options
        .regex
        .unwrap_or(!literal_by_default && pattern::looks_regular(first));
    let mut patterns = Vec::new();
    for text in &options.texts {
        let made = match is_regex {
            true => Pattern::regex(text, options.anchors, options.ignore_case),
            false => Pattern::literal(text, options.anchors, options.ignore_case),
        };
        match made {
            Ok(pattern) => patterns.push(pattern),
            Err(PatternError::TooLong) => {
                sys.error_line("FINDSTR: Search string too long.")?;
                return Ok(2);
            }
            Err(PatternError::OutOfMemory) => {
                sys.error_line("FINDSTR: Out of memory")?;
                return Ok(2);
            }
            Err(PatternError::Crash) => return Ok(CRASHED),
        }
    }
    let hit = match files.is_empty() && !options.recurse {
        true => return input(sys, &options, &patterns),
        false => search_files(sys, &options, &patterns, files)?,
    };
    Ok(u32::from(!hit))
}

/// What a switch says; an exit code if it ends the program.
fn switch(sys: &mut Sys<'_>, switches: &str, options: &mut Options) -> Asked<Option<u32>> {
    let mut rest = switches;
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter.to_ascii_uppercase() {
            '?' => return sys.unsupported("the help text of findstr").map(Some),
            'B' => options.anchors.begin = true,
            'E' => options.anchors.end = true,
            'X' => {
                options.anchors = Anchors {
                    begin: true,
                    end: true,
                }
            }
            'L' => options.regex = Some(false),
            'R' => options.regex = Some(true),
            'S' => options.recurse = true,
            'I' => options.ignore_case = true,
            'V' => options.invert = true,
            'N' => options.numbers = true,
            'M' => options.names = true,
            'O' if rest.to_ascii_uppercase().starts_with("FF") => return Ok(None),
            'O' => options.offsets = true,
            'C' | 'F' | 'G' | 'A' | 'D' if rest.starts_with(':') => {
                let value = &rest[1..];
                match letter.to_ascii_uppercase() {
                    'C' => {
                        let text = ansi(sys, value)?;
                        options.texts.push(text);
                        options.has_texts = true;
                    }
                    'G' => {
                        let Some(content) = read(sys, value)? else {
                            return Ok(Some(2));
                        };
                        let texts = lines(&content).map(|line| plain(line).to_vec());
                        options.texts.extend(texts.filter(|text| !text.is_empty()));
                        options.has_texts = true;
                    }
                    'F' => options.lists.push(value.to_owned()),
                    // Colours of the console.
                    'A' => {}
                    _ => return sys.unsupported("findstr /D").map(Some),
                }
                return Ok(None);
            }
            'C' | 'F' | 'G' | 'A' | 'D' => {
                sys.error_line(&format!("FINDSTR: Argument missing after /{letter}"))?;
                return Ok(Some(2));
            }
            'P' => return sys.unsupported("findstr /P").map(Some),
            _ => sys.error_line(&format!("FINDSTR: /{letter} ignored"))?,
        }
    }
    Ok(None)
}

/// A text of the command line as findstr has it.
fn ansi(sys: &mut Sys<'_>, text: &str) -> Asked<Vec<u8>> {
    if text.is_ascii() {
        return Ok(text.as_bytes().to_vec());
    }
    let page = sys.local_operation(|kernel, _, _| kernel.machine.code_pages().ansi().number())?;
    let page = CodePage::of(page).expect("it is a machine's");
    Ok(page.encode(&units(text)))
}

/// What a file of texts or names holds; `/` is the input.
fn read(sys: &mut Sys<'_>, file: &str) -> Asked<Option<Vec<u8>>> {
    if file == "/" {
        return Ok(Some(sys.read_all(0)?.unwrap_or_default()));
    }
    match sys.read_file(&units(file))? {
        Ok(content) => Ok(Some(content.to_vec())),
        Err(_) => {
            sys.error_line(&format!("FINDSTR: Cannot open {file}"))?;
            Ok(None)
        }
    }
}

fn input(sys: &mut Sys<'_>, options: &Options, patterns: &[Pattern]) -> Asked<u32> {
    let is_file = matches!(sys.local.handles.get(0), Handle::File(_));
    let mut content = sys.read_all(0)?.unwrap_or_default();
    if content.last().is_some_and(|byte| *byte != b'\n') {
        if is_file {
            return sys.unsupported(
                "findstr waiting for ever: redirected input whose last line has no line feed",
            );
        }
        content.extend_from_slice(b"\r\n");
    }
    if lines(&content).any(|line| plain(line).len() > MAX_LINE) {
        return sys.unsupported("findstr with a line of more than 8191 bytes in its input");
    }
    let (out, hit) = matching(options, patterns, &content, b"");
    match options.names {
        true if hit => sys.write_bytes(1, b"(standard input)\r\n")?.ok(),
        true => None,
        false => sys.write_bytes(1, &out)?.ok(),
    };
    Ok(u32::from(!hit))
}

/// What is printed of some content, and whether there was a match.
fn matching(
    options: &Options,
    patterns: &[Pattern],
    content: &[u8],
    name: &[u8],
) -> (Vec<u8>, bool) {
    let (mut out, mut hit, mut offset) = (Vec::new(), false, 0);
    for (number, line) in (1..).zip(lines(content)) {
        let own = line.strip_suffix(b"\n").unwrap_or(line);
        let has = patterns.iter().any(|pattern| pattern.matches(own));
        if has != options.invert {
            hit = true;
            out.extend_from_slice(name);
            if options.numbers {
                out.extend_from_slice(format!("{number}:").as_bytes());
            }
            if options.offsets {
                out.extend_from_slice(format!("{offset}:").as_bytes());
            }
            out.extend_from_slice(line);
        }
        offset += line.len();
    }
    (out, hit)
}

fn search_files(
    sys: &mut Sys<'_>,
    options: &Options,
    patterns: &[Pattern],
    mut files: Vec<String>,
) -> Asked<bool> {
    if files.is_empty() {
        files.push("*".into());
    }
    let wild = |file: &String| has_wildcard(&units(file));
    let is_named = options.recurse || files.len() > 1 || files.iter().any(wild);
    let mut hit = false;
    for file in files {
        let path = units(&file);
        if options.recurse {
            hit |= below(sys, options, patterns, &path)?;
            continue;
        }
        let found = find(sys, &path)?;
        let found = match found {
            Ok(found) if !found.is_empty() => found,
            _ => {
                sys.error_line(&format!("FINDSTR: Cannot open {file}"))?;
                continue;
            }
        };
        for found in found {
            hit |= one_file(
                sys,
                options,
                patterns,
                &found,
                is_named,
                has_wildcard(&path),
            )?;
        }
    }
    Ok(hit)
}

/// The files of a pattern in its folder, then in the folders below.
fn below(sys: &mut Sys<'_>, options: &Options, patterns: &[Pattern], path: &[u16]) -> Asked<bool> {
    let (folder, name) = split(path);
    let wildcard = Wildcard::new(name);
    let mut waiting = vec![folder.to_vec()];
    let mut hit = false;
    while let Some(folder) = waiting.pop() {
        for found in find_in(sys, &folder, &wildcard)?.unwrap_or_default() {
            if !found.is_directory() {
                hit |= one_file(sys, options, patterns, &found, true, true)?;
            }
        }
        let all = find_in(sys, &folder_of(&folder), &Wildcard::new(&units("*")))?;
        let folders = all
            .unwrap_or_default()
            .into_iter()
            .filter(Found::is_directory);
        let mut folders: Vec<Vec<u16>> = folders
            .map(|found| {
                let (_, name) = split(&found.path);
                let mut path = super::operands::join(&folder, name);
                path.push(u16::from(b'\\'));
                path
            })
            .collect();
        folders.reverse();
        waiting.extend(folders);
    }
    Ok(hit)
}

fn one_file(
    sys: &mut Sys<'_>,
    options: &Options,
    patterns: &[Pattern],
    found: &Found,
    is_named: bool,
    is_wild: bool,
) -> Asked<bool> {
    let shown = String::from_utf16_lossy(&found.path);
    if found.is_directory() {
        if !is_wild {
            sys.error_line(&format!("FINDSTR: Cannot open {shown}"))?;
        }
        return Ok(false);
    }
    let Ok(content) = sys.read_file(&found.path)? else {
        sys.error_line(&format!("FINDSTR: Cannot open {shown}"))?;
        return Ok(false);
    };
    let mut name = Vec::new();
    if is_named && !options.names {
        let text = units(&format!("{shown}:"));
        name = match shown.is_ascii() {
            true => format!("{shown}:").into_bytes(),
            false => sys.local_operation(move |kernel, about, _| kernel.encode(about, &text))?,
        };
    }
    let (out, hit) = matching(options, patterns, &content, &name);
    match options.names {
        true if hit => sys.line(&shown)?,
        true => {}
        false => sys.write_bytes(1, &out)?.unwrap_or_default(),
    }
    Ok(hit)
}
