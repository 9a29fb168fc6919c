//! `cd`, `pushd`, `popd`, `md`, `rd`, and drives.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `cd` takes the whole rest as a path, blanks and all; `/d` changes the drive too; without it another drive's directory is set alone | `cd /?` | yes |
//! | `md` makes all that lacks on the way | `md /?` | yes |
//! | `rd` fails with 145, 267, 2, 3 as its return code and leaves ERRORLEVEL alone, `popd` without a directory with 1 | Wine's batch tests | yes |
//! | `rd /s` goes on after what cannot be deleted | observed | yes |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::ast::Text;
use crate::win7::cmd::shell::expand::utf8;
use crate::win7::cmd::shell::set::trim_start;
use crate::win7::cmd::shell::{Flow, Shell};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;
use crate::win7::text::Wide;

use super::pattern::{Want, matches};
use super::words;

fn without_quotes(text: &[u16]) -> Text {
    let text: Text = text.iter().copied().filter(|unit| *unit != 0x22).collect();
    let end = text
        .iter()
        .rposition(|unit| !matches!(*unit, 0x20 | 0x09))
        .map_or(0, |end| end + 1);
    text[..end].to_vec()
}

impl Shell {
    pub(super) fn cd(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let mut text = trim_start(tail);
        let mut other_drive = false;
        if let Some([slash, letter, ..]) = text.get(..2)
            && *slash == b'/' as u16
        {
            if !matches!(u8::try_from(*letter), Ok(b'd' | b'D')) {
                return self.unknown_switch(sys, "cd", &utf8(&[*letter]));
            }
            other_drive = true;
            text = trim_start(&text[2..]);
        }
        let path = without_quotes(text);
        if path.is_empty() {
            let line = format!("{}\r\n", sys.local.directory);
            sys.print(&line)?;
            return self.done();
        }
        let drive_of = |path: &[u16]| match path {
            [letter, 0x3a, ..] => Some(crate::win7::text::upcase(*letter)),
            _ => None,
        };
        let own = drive_of(sys.local.directory.units());
        let to = drive_of(&path);
        if path.len() == 2
            && let Some(drive) = to
        {
            if other_drive {
                return self.change_drive(sys, drive);
            }
            let root = [drive, 0x3a, 0x5c];
            if sys.attributes(&root)?.is_err() {
                return self.system_error(sys, 15);
            }
            // `cd D:` shows where D: is.
            let full = sys.full_path(&path);
            let line = [full, units("\r\n")].concat();
            sys.print_units(&line)?;
            return self.done();
        }
        let before = sys.local.directory.clone();
        match sys.change_directory(&path)? {
            Ok(()) => {
                if to.is_some() && to != own && !other_drive {
                    sys.local.directory = before;
                }
                self.done()
            }
            Err(error) => {
                let code = match error.code {
                    2 => 3,
                    code => code,
                };
                self.system_error(sys, code)
            }
        }
    }

    pub(in crate::win7::cmd::shell) fn change_drive(
        &mut self,
        sys: &mut Sys<'_>,
        letter: u16,
    ) -> Asked<Flow> {
        let known = u8::try_from(letter).is_ok_and(|letter| letter.is_ascii_alphabetic());
        match known && sys.change_directory(&[letter, b':' as u16])?.is_ok() {
            true => self.quiet(),
            false => self.system_error(sys, 15),
        }
    }

    pub(super) fn pushd(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let path = without_quotes(trim_start(tail));
        if path.is_empty() {
            for directory in self.pushed.clone().iter().rev() {
                sys.line(&directory.to_utf8_lossy())?;
            }
            return self.done();
        }
        let before = sys.local.directory.clone();
        match sys.change_directory(&path)? {
            Ok(()) => {
                self.pushed.push(before);
                self.done()
            }
            Err(error) => {
                let code = if error.code == 2 { 3 } else { error.code };
                self.system_error(sys, code)
            }
        }
    }

    pub(super) fn popd(&mut self, sys: &mut Sys<'_>, _: &[u16]) -> Asked<Flow> {
        let Some(directory) = self.pushed.pop() else {
            self.code = 1;
            return Ok(Flow::Next);
        };
        match sys.change_directory(directory.units())? {
            Ok(()) => self.quiet(),
            Err(error) => {
                self.code = error.code as i32;
                Ok(Flow::Next)
            }
        }
    }

    pub(super) fn md(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        if let Some(switch) = read.switches.first() {
            return self.unknown_switch(sys, "md", switch);
        }
        if read.words.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        let mut code = 0;
        for path in &read.words {
            if let Err(error) = make_all(sys, path)? {
                code = 1;
                match error {
                    183 => sys.complain(&EXISTS, &[&utf8(path)])?,
                    error => {
                        let text = sys.system_text(error);
                        sys.error(&text)?;
                    }
                }
            }
        }
        self.fail(code)
    }

    pub(super) fn rd(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let (mut tree, mut quiet) = (false, false);
        for switch in &read.switches {
            match &**switch {
                "s" => tree = true,
                "q" => quiet = true,
                switch => return self.unknown_switch(sys, "rd", switch),
            }
        }
        if read.words.is_empty() {
            sys.complain(&super::super::SYNTAX, &[])?;
            self.code = 1;
            return Ok(Flow::Next);
        }
        self.code = 0;
        for path in &read.words {
            if tree && !quiet {
                sys.say(&SURE, &[&utf8(path)])?;
                let answer = self.answer(sys)?;
                if answer != Some('y') {
                    continue;
                }
            }
            let result = match tree {
                true => remove_tree(sys, path)?,
                false => sys.remove_directory(path)?.map_err(|error| error.code),
            };
            if let Err(code) = result {
                let text = sys.system_text(code);
                sys.error(&text)?;
                // ERRORLEVEL stays, unless `||` looks at it.
                self.code = code as i32;
            }
        }
        Ok(Flow::Next)
    }

    /// What somebody answers to a question: the first letter, in lower case, or the end of an empty line; nothing at
    /// the end of the input.
    pub(super) fn answer(&mut self, sys: &mut Sys<'_>) -> Asked<Option<char>> {
        let line = sys.read_line(0)?;
        let Ok(Some(line)) = line else {
            sys.print("\r\n")?;
            return Ok(None);
        };
        let line = sys.decode(&line)?.to_utf8_lossy();
        let first = line.trim().chars().next().unwrap_or('\n');
        Ok(Some(first.to_ascii_lowercase()))
    }
}

/// Makes a directory and those that lack above it. The code of what failed.
fn make_all(sys: &mut Sys<'_>, path: &[u16]) -> Asked<Result<(), u32>> {
    // `md nul` makes nothing, and succeeds (Wine's batch tests).
    if crate::win7::path::device_name(path).is_some() {
        return Ok(Ok(()));
    }
    match sys.create_directory(path)? {
        Ok(()) => return Ok(Ok(())),
        // Of a name that cannot be, what stands above it is made all the same.
        Err(error) if !matches!(error.code, 3 | 123) => return Ok(Err(error.code)),
        Err(_) => {}
    }
    let full = sys.full_path(path);
    let parts: Vec<usize> = full
        .iter()
        .enumerate()
        .filter(|(at, unit)| **unit == 0x5c && *at > 2)
        .map(|(at, _)| at)
        .chain([full.len()])
        .collect();
    let mut last = Ok(());
    for end in parts {
        last = match sys.create_directory(&full[..end])? {
            Ok(()) => Ok(()),
            // Somebody else was first, or it was there: that is right on the way.
            Err(error) if error.code == 183 && end < full.len() => Ok(()),
            Err(error) => return Ok(Err(error.code)),
        };
    }
    Ok(last)
}

/// Deletes a directory with all that is in it: a call each. The last code that failed.
fn remove_tree(sys: &mut Sys<'_>, path: &[u16]) -> Asked<Result<(), u32>> {
    let attributes = match sys.attributes(path)? {
        Ok(attributes) => attributes,
        Err(error) => return Ok(Err(error.code)),
    };
    if !attributes.has(Attributes::DIRECTORY) {
        return Ok(Err(267));
    }
    let full = sys.full_path(path);
    // Directories to empty; those that are behind a mark are empty and go.
    let mut waiting = vec![(full, false)];
    let mut failed = Ok(());
    while let Some((folder, emptied)) = waiting.pop() {
        if emptied {
            if let Err(error) = sys.remove_directory(&folder)? {
                failed = Err(error.code);
            }
            continue;
        }
        waiting.push((folder.clone(), true));
        let at = [&folder[..], &[0x5c, 0x2a]].concat();
        let Ok(entries) = matches(sys, &at, Want::Everything)? else {
            continue;
        };
        for entry in entries.iter().rev() {
            let below = [&folder[..], &[0x5c], entry.name.units()].concat();
            if entry.attributes.has(Attributes::READONLY) {
                // It takes the attribute away first, of folders too (Wine's batch tests).
                let _ = sys.set_attributes(
                    &below,
                    Attributes(entry.attributes.0 & !Attributes::READONLY.0),
                )?;
            }
            if entry.attributes.has(Attributes::DIRECTORY) {
                waiting.push((below, false));
                continue;
            }
            if let Err(error) = sys.delete_file(&below)? {
                failed = Err(error.code);
                let shown = Wide::from(&below[..]).to_utf8_lossy();
                let text = format!("{shown} - {}", sys.system_text(error.code));
                sys.error(&text)?;
            }
        }
    }
    Ok(failed)
}

const EXISTS: Message = Message {
    en: "A subdirectory or file {0} already exists.\r\n",
    zh: "子目录或文件 {0} 已经存在。\r\n",
};
const SURE: Message = Message {
    en: "{0}, Are you sure (Y/N)? ",
    zh: "{0}, 是否确认(Y/N)? ",
};
