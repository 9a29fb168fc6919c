//! `copy`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | it asks before it overwrites, but not in a batch file | `copy /?` | yes |
//! | `a+b` puts files together, as text: up to the first 0x1A | `copy /?` | yes |
//! | the names are shown if there is a pattern or a `+` | observed | yes |
//! | `nul` as the source makes an empty file; nothing is copied, with 0 files | observed, from memory | no |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::ast::Text;
use crate::win7::cmd::shell::expand::utf8;
use crate::win7::cmd::shell::{Flow, Shell};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

use super::file::{OVERWRITE, named_files};
use super::pattern::divide;
use super::words;
use crate::win7::cmd::wildcard::{has_wildcard, renamed};

impl Shell {
    pub(super) fn copy(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        // `+` divides too.
        let mut quoted = false;
        let mut pluses = 0;
        let spaced: Text = tail
            .iter()
            .flat_map(|unit| {
                if *unit == 0x22 {
                    quoted = !quoted;
                }
                match *unit == b'+' as u16 && !quoted {
                    true => {
                        pluses += 1;
                        vec![0x20]
                    }
                    false => vec![*unit],
                }
            })
            .collect();
        let read = words(&spaced);
        let mut replace = !self.on_command_line;
        let mut as_text = None;
        for switch in &read.switches {
            match &**switch {
                "y" => replace = true,
                "-y" => replace = false,
                "b" => as_text = Some(false),
                "a" => as_text = Some(true),
                "v" | "z" | "d" | "l" | "n" => {}
                switch => return self.unknown_switch(sys, "copy", switch),
            }
        }
        let sources = &read.words[..read.words.len().min(pluses + 1)];
        let to = match read.words.get(pluses + 1..) {
            Some([]) | None => units("."),
            Some([to]) => to.clone(),
            Some(_) => {
                return self.complain(sys, &super::super::SYNTAX, &[]);
            }
        };
        if sources.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        if sources.len() > 1 {
            return self.put_together(sys, sources, &to, as_text.unwrap_or(true), replace);
        }
        let source = &sources[0];
        let mut source = source.clone();
        if sys
            .attributes(&source)?
            .is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY))
        {
            source.extend(units("\\*"));
        }
        let into = is_folder(sys, &to)?;
        let several = has_wildcard(&source);
        let files = match named_files(sys, &source)? {
            Ok(files) => files,
            Err(error) => {
                let error = if error == 3 { 3 } else { 2 };
                if several {
                    sys.line(&utf8(&source))?;
                }
                let text = sys.system_text(error);
                sys.error(&text)?;
                return self.copied(sys, 0, 1);
            }
        };
        let (mut copied, mut code) = (0, 0);
        for file in files {
            let (_, name) = divide(&file);
            let new = match into {
                true => join(&to, name),
                false if several => {
                    let (folder, pattern) = divide(&to);
                    [folder, &renamed(name, pattern)].concat()
                }
                false => to.clone(),
            };
            let content = match crate::win7::path::device_name(&file) {
                Some(_) => Ok([].into()),
                None => sys.read_file(&file)?,
            };
            let content = match content {
                Ok(content) => content,
                Err(error) => {
                    let text = sys.system_text(error.code);
                    sys.error(&text)?;
                    return self.copied(sys, copied, 1);
                }
            };
            if several {
                sys.line(&utf8(&file))?;
            }
            if sys.full_path(&file) == sys.full_path(&new) {
                sys.complain(&ITSELF, &[])?;
                return self.copied(sys, copied, 1);
            }
            if crate::win7::path::device_name(&new).is_some() {
                let handle = sys.open_handle(&new, crate::win7::cmd::kernel::Opening::Replace)?;
                if handle == Ok(crate::win7::cmd::handles::Handle::Console) {
                    sys.write_bytes(1, &content)?.ok();
                }
                copied += 1;
                continue;
            }
            if !replace && sys.attributes(&new)?.is_ok() {
                sys.say(&OVERWRITE, &[&utf8(&new)])?;
                if !matches!(self.answer(sys)?, Some('y' | 'a')) {
                    continue;
                }
            }
            match sys.write_file(&new, &content)? {
                Ok(()) => copied += 1,
                Err(error) => {
                    let text = sys.system_text(error.code);
                    sys.error(&text)?;
                    code = 1;
                    break;
                }
            }
        }
        self.copied(sys, copied, code)
    }

    fn put_together(
        &mut self,
        sys: &mut Sys<'_>,
        sources: &[Text],
        to: &[u16],
        as_text: bool,
        replace: bool,
    ) -> Asked<Flow> {
        let mut all = Vec::new();
        for source in sources {
            let files = named_files(sys, source)?.unwrap_or_default();
            for file in files {
                let Ok(content) = sys.read_file(&file)? else {
                    // What is not there is passed over.
                    continue;
                };
                sys.line(&utf8(&file))?;
                let end = content
                    .iter()
                    .position(|byte| *byte == 0x1a)
                    .filter(|_| as_text);
                all.extend_from_slice(&content[..end.unwrap_or(content.len())]);
            }
        }
        if as_text {
            all.push(0x1a);
        }
        let new = match is_folder(sys, to)? {
            true => join(to, divide(&sources[0]).1),
            false => to.to_vec(),
        };
        if !replace && sys.attributes(&new)?.is_ok() {
            sys.say(&OVERWRITE, &[&utf8(&new)])?;
            if !matches!(self.answer(sys)?, Some('y' | 'a')) {
                return self.copied(sys, 0, 0);
            }
        }
        match sys.write_file(&new, &all)? {
            Ok(()) => self.copied(sys, 1, 0),
            Err(error) => {
                let text = sys.system_text(error.code);
                sys.error(&text)?;
                self.copied(sys, 0, 1)
            }
        }
    }

    fn copied(&mut self, sys: &mut Sys<'_>, count: u32, code: i32) -> Asked<Flow> {
        sys.say(&COPIED, &[&format!("{count:9}")])?;
        self.fail(code)
    }
}

fn is_folder(sys: &mut Sys<'_>, path: &[u16]) -> Asked<bool> {
    if crate::win7::path::device_name(path).is_some() {
        return Ok(false);
    }
    let attributes = sys.attributes(path)?;
    Ok(attributes.is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY)))
}

fn join(folder: &[u16], name: &[u16]) -> Text {
    match folder.last() {
        Some(0x5c | 0x2f | 0x3a) => [folder, name].concat(),
        _ => [folder, &[0x5c], name].concat(),
    }
}

const COPIED: Message = Message {
    en: "{0} file(s) copied.\r\n",
    zh: "已复制 {0} 个文件。\r\n",
};
const ITSELF: Message = Message {
    en: "The file cannot be copied onto itself.\r\n",
    zh: "无法将文件复制到自身。\r\n",
};
