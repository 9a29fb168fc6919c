//! `type`, `del`, `ren`, `move`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `type` of several files shows their names on the error output; it ends at the first that fails | observed; Wine's batch tests | yes |
//! | `del` of a directory is of all in it; of a missing file: a line on the output, and 0 | observed; `del /?` | yes |
//! | `del` passes over read-only files (access denied) without `/f`, and hidden ones; `/a` says which it takes, and those it deletes | `del /?`; Wine's batch tests | yes |
//! | `ren` takes a name, not a path, as its second; patterns in it take letters of the first | `ren /?` | yes |
//! | `move` asks before it overwrites, but not in a batch file | `move /?` | yes |
//! | a move to another drive is a copy and a deletion | documentation of MoveFileEx | yes |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::ast::Text;
use crate::win7::cmd::shell::expand::utf8;
use crate::win7::cmd::shell::{Flow, Shell};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

use super::pattern::{Filter, Want, divide, matches};
use super::words;
use crate::win7::cmd::wildcard::{has_wildcard, renamed};

impl Shell {
    pub(super) fn type_file(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        if let Some(switch) = read.switches.first() {
            return self.unknown_switch(sys, "type", switch);
        }
        if read.words.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        let several = read.words.len() > 1 || read.words.iter().any(|word| has_wildcard(word));
        for word in &read.words {
            let files = match named_files(sys, word)? {
                Ok(files) => files,
                Err(error) => return self.system_error(sys, error),
            };
            for file in files {
                match sys.read_file(&file)? {
                    Ok(bytes) => {
                        if several {
                            let shown = utf8(&file);
                            sys.error(&format!("\r\n{shown}\r\n\r\n\r\n"))?;
                        }
                        // UTF-16 with its mark is converted.
                        match bytes.strip_prefix(&[0xff, 0xfe]) {
                            Some(wide) => {
                                let text = crate::win7::text::Wide::from_le_bytes(wide).0;
                                sys.print_units(text.units())?;
                            }
                            None => {
                                sys.write_bytes(1, &bytes)?.ok();
                            }
                        }
                    }
                    // What follows is not shown.
                    Err(error) => return self.system_error(sys, error.code),
                }
            }
        }
        self.done()
    }

    pub(super) fn del(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let (mut tree, mut force, mut quiet) = (false, false, false);
        let mut filter: Option<Filter> = None;
        for switch in &read.switches {
            match &**switch {
                "s" => tree = true,
                "f" => force = true,
                "q" => quiet = true,
                switch if switch.starts_with('a') => match Filter::read(&switch[1..]) {
                    // What it asks for is deleted, whatever protects it.
                    Ok(read) => {
                        force |= read.wants(Attributes::READONLY);
                        filter = Some(read);
                    }
                    Err(_) => return self.unknown_switch(sys, "del", switch),
                },
                switch => return self.unknown_switch(sys, "del", switch),
            }
        }
        let is_passed_over = |attributes: Attributes| match &filter {
            Some(filter) => !filter.fits(attributes),
            None => attributes.has(Attributes::HIDDEN),
        };
        if read.words.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        let mut code = 0;
        for word in &read.words {
            // A directory means all that is in it.
            let is_directory = sys
                .attributes(word)?
                .is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY));
            let word = match is_directory {
                true => [word, &units("\\*")[..]].concat(),
                false => word.clone(),
            };
            let (folder, name) = divide(&word);
            let all = matches!(&*utf8(name), "*" | "*.*");
            if all && !quiet {
                let full = utf8(&sys.full_path(&word));
                sys.say(&SURE, &[&full])?;
                if self.answer(sys)? != Some('y') {
                    continue;
                }
            }
            let mut waiting = vec![folder.to_vec()];
            let mut found = false;
            let mut error = 2;
            while let Some(folder) = waiting.pop() {
                let at = [&folder[..], name].concat();
                if !has_wildcard(name) && !tree {
                    match sys.attributes(&at)? {
                        Ok(attributes) => {
                            found = true;
                            if is_passed_over(attributes) {
                                found = false;
                            } else if !self.delete_one(sys, &at, attributes, force)? {
                                code = 1;
                            }
                        }
                        Err(other) => error = other.code,
                    }
                    continue;
                }
                match matches(sys, &at, Want::Everything)? {
                    Ok(entries) => {
                        for entry in entries {
                            if entry.attributes.has(Attributes::DIRECTORY)
                                || is_passed_over(entry.attributes)
                            {
                                continue;
                            }
                            found = true;
                            let path = [&folder[..], entry.name.units()].concat();
                            let done = self.delete_one(sys, &path, entry.attributes, force)?;
                            if tree && done {
                                let full = utf8(&sys.full_path(&path));
                                sys.say(&DELETED, &[&full])?;
                            }
                            if !done {
                                code = 1;
                            }
                        }
                    }
                    Err(other) => error = other.code,
                }
                if tree {
                    let below = [&folder[..], &units("*")[..]].concat();
                    let directories = matches(sys, &below, Want::Directories)?.unwrap_or_default();
                    for entry in directories.iter().rev() {
                        waiting.push([&folder[..], entry.name.units(), &[0x5c]].concat());
                    }
                }
            }
            if !found {
                // This is no failure: ERRORLEVEL is 0.
                let full = utf8(&sys.full_path(&word));
                match error {
                    2 => sys.error(&COULD_NOT_FIND.text(sys.language(), &[&full]))?,
                    error => {
                        let text = sys.system_text(error);
                        sys.error(&text)?;
                        code = 1;
                    }
                }
            }
        }
        self.fail(code)
    }

    /// Deletes a file; what hinders it is said, and is no failure of the command (observed).
    fn delete_one(
        &mut self,
        sys: &mut Sys<'_>,
        path: &[u16],
        attributes: Attributes,
        force: bool,
    ) -> Asked<bool> {
        if force && attributes.has(Attributes::READONLY) {
            let _ = sys.set_attributes(path, Attributes(attributes.0 & !Attributes::READONLY.0))?;
        }
        match sys.delete_file(path)? {
            Ok(()) => Ok(true),
            Err(error) => {
                let full = utf8(&sys.full_path(path));
                let text = sys.system_text(error.code);
                sys.error(&format!("{full}\r\n{text}"))?;
                Ok(true)
            }
        }
    }

    pub(super) fn ren(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let [from, to] = read.words.as_slice() else {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        };
        if to.iter().any(|unit| matches!(*unit, 0x5c | 0x2f | 0x3a)) {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        let (folder, name) = divide(from);
        let names: Vec<Text> = match has_wildcard(name) {
            true => {
                let found = matches(sys, from, Want::Files)?.unwrap_or_default();
                found
                    .iter()
                    .map(|entry| entry.name.units().to_vec())
                    .collect()
            }
            false => vec![name.to_vec()],
        };
        if names.is_empty() {
            return self.system_error(sys, 2);
        }
        let mut code = 0;
        for name in names {
            let new = renamed(&name, to);
            let (old, new) = ([folder, &name].concat(), [folder, &new].concat());
            if let Err(error) = sys.rename(&old, &new, false)? {
                code = 1;
                match error.code {
                    80 | 183 => sys.complain(&DUPLICATE, &[])?,
                    error => {
                        let text = sys.system_text(error);
                        sys.error(&text)?;
                    }
                }
            }
        }
        self.fail(code)
    }

    pub(super) fn move_file(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let mut replace = !self.on_command_line;
        for switch in &read.switches {
            match &**switch {
                "y" => replace = true,
                "-y" => replace = false,
                switch => return self.unknown_switch(sys, "move", switch),
            }
        }
        let (from, to) = match read.words.as_slice() {
            [from] => (from.clone(), units(".")),
            [from, to] => (from.clone(), to.clone()),
            _ => {
                return self.complain(sys, &super::super::SYNTAX, &[]);
            }
        };
        let into = sys
            .attributes(&to)?
            .is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY));
        let (folder, name) = divide(&from);
        let mut is_folder = false;
        let names: Vec<Text> = match has_wildcard(name) {
            true => {
                let found = matches(sys, &from, Want::Files)?.unwrap_or_default();
                found
                    .iter()
                    .map(|entry| entry.name.units().to_vec())
                    .collect()
            }
            false => match sys.attributes(&from)? {
                Ok(attributes) => {
                    is_folder = attributes.has(Attributes::DIRECTORY);
                    vec![name.to_vec()]
                }
                Err(error) => return self.system_error(sys, error.code),
            },
        };
        if names.is_empty() {
            return self.system_error(sys, 2);
        }
        let (mut code, mut moved) = (0, 0);
        for name in names {
            let old = [folder, &name].concat();
            let new = match into {
                true => [&to[..], &[0x5c], &name].concat(),
                false => to.clone(),
            };
            if !replace && sys.attributes(&new)?.is_ok() {
                sys.say(&OVERWRITE, &[&utf8(&sys.full_path(&new))])?;
                match self.answer(sys)? {
                    Some('y' | 'a') => {}
                    Some(_) => continue,
                    None => {
                        code = 1;
                        break;
                    }
                }
            }
            let mut result = sys.rename(&old, &new, true)?.map_err(|error| error.code);
            if result == Err(17) && !is_folder {
                result = self.move_across(sys, &old, &new)?;
            }
            match result {
                Ok(()) => moved += 1,
                Err(error) => {
                    code = 1;
                    let text = sys.system_text(error);
                    sys.error(&text)?;
                }
            }
        }
        if is_folder {
            sys.say(&MOVED_FOLDER, &[&moved.to_string()])?;
        } else {
            sys.say(&MOVED, &[&format!("{moved:9}")])?;
        }
        self.fail(code)
    }

    fn move_across(
        &mut self,
        sys: &mut Sys<'_>,
        old: &[u16],
        new: &[u16],
    ) -> Asked<Result<(), u32>> {
        let content = match sys.read_file(old)? {
            Ok(content) => content,
            Err(error) => return Ok(Err(error.code)),
        };
        if let Err(error) = sys.write_file(new, &content)? {
            return Ok(Err(error.code));
        }
        Ok(sys.delete_file(old)?.map_err(|error| error.code))
    }
}

/// The files that a word names: those that fit its pattern, or itself.
pub(super) fn named_files(sys: &mut Sys<'_>, word: &[u16]) -> Asked<Result<Vec<Text>, u32>> {
    if !has_wildcard(word) {
        return Ok(Ok(vec![word.to_vec()]));
    }
    let (folder, _) = divide(word);
    let folder = folder.to_vec();
    Ok(match matches(sys, word, Want::Files)? {
        Ok(found) if found.is_empty() => Err(2),
        Ok(found) => Ok(found
            .iter()
            .map(|entry| [&folder[..], entry.name.units()].concat())
            .collect()),
        Err(error) => Err(error.code),
    })
}

const SURE: Message = Message {
    en: "{0}, Are you sure (Y/N)? ",
    zh: "{0}, 是否确认(Y/N)? ",
};
const DELETED: Message = Message {
    en: "Deleted file - {0}\r\n",
    zh: "删除文件 - {0}\r\n",
};
const COULD_NOT_FIND: Message = Message {
    en: "Could Not Find {0}\r\n",
    zh: "找不到 {0}\r\n",
};
const DUPLICATE: Message = Message {
    en: "A duplicate file name exists, or the file\r\ncannot be found.\r\n",
    zh: "存在重名文件，或找不到文件。\r\n",
};
pub(super) const OVERWRITE: Message = Message {
    en: "Overwrite {0}? (Yes/No/All): ",
    zh: "改写 {0} 吗? (Yes/No/All): ",
};
const MOVED: Message = Message {
    en: "{0} file(s) moved.\r\n",
    zh: "移动了 {0} 个文件。\r\n",
};
const MOVED_FOLDER: Message = Message {
    en: "        {0} dir(s) moved.\r\n",
    zh: "移动了        {0} 个目录。\r\n",
};
