//! `copy`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | it asks before it overwrites, but not in a batch file; the end of the input is a failure | `copy /?`; Wine's batch tests | yes |
//! | `a+b`, and a pattern with one file as its target, put files together | `copy /?` | yes |
//! | `/a` and `/b` count from the file before them on, the last of them for what is written; files are put together as text where nothing is said, and copied whole else | `copy /?`; Wine's batch tests, whose expected output is that of Windows | yes |
//! | text is read up to the first 0x1A, and one is written behind it; not behind a single file that was read whole | the same | yes |
//! | a file that is put together with others and is the target, and not the first, is lost | the same; its words from memory | partly |
//! | the names are shown if there is a pattern or a `+` | observed | yes |
//! | `nul` as the source makes an empty file; nothing is copied, with 0 files | observed, from memory | no |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::ast::Text;
use crate::win7::cmd::shell::expand::utf8;
use crate::win7::cmd::shell::{Flow, SYNTAX, Shell};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::error::Win32;
use crate::win7::registry::units;

use super::file::{OVERWRITE, named_files};
use super::pattern::divide;
use super::{Operand, operands};
use crate::win7::cmd::wildcard::{has_wildcard, renamed};

/// A file or pattern to copy from.
struct Source {
    name: Text,
    /// `/a` or `/b`, where one of them was said before.
    as_text: Option<bool>,
}

/// What a command line says.
#[derive(Default)]
struct Line {
    sources: Vec<Source>,
    to: Option<Text>,
    /// The last `/a` or `/b`: it counts for what is written.
    as_text: Option<bool>,
    replace: Option<bool>,
    /// `+,,`: the file gets the time of now.
    touches: bool,
}

/// Why a command line is none.
enum Wrong {
    Syntax,
    Switch(String),
}

impl Line {
    fn read(tail: &[u16]) -> Result<Line, Wrong> {
        let mut line = Line::default();
        // A `+` divides as a blank does, and what follows it is one more source.
        let (mut parts, mut quoted) = (vec![Text::new()], false);
        for unit in tail {
            quoted ^= *unit == 0x22;
            match *unit == b'+' as u16 && !quoted {
                true => parts.push(Text::new()),
                false => parts.last_mut().expect("there is one").push(*unit),
            }
        }
        let touches = parts.len() == 2
            && utf8(&parts[1]).trim().starts_with(",,")
            && !operands(&parts[0]).is_empty();
        if touches {
            let rest = utf8(&parts[1]).trim().trim_start_matches(',').to_owned();
            line.touches = true;
            parts = vec![[parts[0].clone(), units(" "), units(&rest)].concat()];
        }
        let several = parts.len() - 1;
        for (nth, part) in parts.iter().enumerate() {
            let mut has_source = false;
            for operand in operands(part) {
                match operand {
                    Operand::Word(name) if !has_source => {
                        has_source = true;
                        let as_text = line.as_text;
                        line.sources.push(Source { name, as_text });
                    }
                    Operand::Word(name) if nth == several && line.to.is_none() => {
                        line.to = Some(name);
                    }
                    Operand::Word(_) => return Err(Wrong::Syntax),
                    Operand::Switch(switch) => line.switch(&switch)?,
                }
            }
            if several > 0 && !has_source {
                return Err(Wrong::Syntax);
            }
        }
        match line.sources.is_empty() {
            true => Err(Wrong::Syntax),
            false => Ok(line),
        }
    }

    fn switch(&mut self, switch: &str) -> Result<(), Wrong> {
        match switch {
            "y" => self.replace = Some(true),
            "-y" => self.replace = Some(false),
            "a" | "b" => {
                self.as_text = Some(switch == "a");
                if let (Some(last), None) = (self.sources.last_mut(), &self.to) {
                    last.as_text = self.as_text;
                }
            }
            "v" | "z" | "d" | "l" | "n" => {}
            other => return Err(Wrong::Switch(other.into())),
        }
        Ok(())
    }
}

impl Shell {
    pub(super) fn copy(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let line = match Line::read(tail) {
            Ok(line) => line,
            Err(Wrong::Syntax) => return self.complain(sys, &SYNTAX, &[]),
            Err(Wrong::Switch(switch)) => return self.unknown_switch(sys, "copy", &switch),
        };
        if line.touches && line.to.is_none() && !has_wildcard(&line.sources[0].name) {
            return self.touch(sys, &line.sources[0].name);
        }
        if line.touches {
            return self.unknown_switch(sys, "copy", "b FILE+,, of more than a file");
        }
        let replace = line.replace.unwrap_or(!self.on_command_line);
        let to = line.to.clone().unwrap_or_else(|| units("."));
        let into = is_folder(sys, &to)?;
        let mut sources = line.sources;
        for source in &mut sources {
            if is_folder(sys, &source.name)? {
                source.name.extend(units("\\*"));
            }
        }
        let is_one = |source: &Source| !has_wildcard(&source.name);
        if sources.len() > 1 || (!is_one(&sources[0]) && !into && !has_wildcard(&to)) {
            return self.put_together(sys, &sources, line.to, line.as_text, replace);
        }
        let source = &sources[0];
        let several = !is_one(source);
        let files = match named_files(sys, &source.name)? {
            Ok(files) => files,
            Err(error) => {
                if several {
                    sys.line(&utf8(&source.name))?;
                }
                let text = sys.system_text(if error == 3 { 3 } else { 2 });
                sys.error(&text)?;
                return self.copied(sys, 0, 1);
            }
        };
        // Without `/a` it is all of the file.
        let as_text = source.as_text == Some(true);
        let ends = as_text && line.as_text == Some(true);
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
            let mut content = match content(sys, &file, as_text)? {
                Ok(content) => content,
                Err(error) => {
                    let text = sys.system_text(error.code);
                    sys.error(&text)?;
                    return self.copied(sys, copied, 1);
                }
            };
            if ends {
                content.push(END);
            }
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
            match self.may_write(sys, &new, replace)? {
                Some(true) => {}
                Some(false) => continue,
                None => {
                    code = 1;
                    break;
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

    /// Whether a file may be written where one may be already; nothing at the end of the input.
    fn may_write(&mut self, sys: &mut Sys<'_>, new: &[u16], replace: bool) -> Asked<Option<bool>> {
        if replace || sys.attributes(new)?.is_err() {
            return Ok(Some(true));
        }
        sys.say(&OVERWRITE, &[&utf8(new)])?;
        let answer = self.answer(sys)?;
        Ok(answer.map(|letter| matches!(letter, 'y' | 'a')))
    }

    /// `copy /b FILE+,,`: the file stays as it is and gets the time of now, which volumes here do not hold.
    fn touch(&mut self, sys: &mut Sys<'_>, file: &[u16]) -> Asked<Flow> {
        let written = match sys.read_file(file)? {
            Ok(content) => sys.write_file(file, &content)?,
            Err(error) => Err(error),
        };
        match written {
            Ok(()) => self.copied(sys, 1, 0),
            Err(error) => {
                let text = sys.system_text(error.code);
                sys.error(&text)?;
                self.copied(sys, 0, 1)
            }
        }
    }

    fn put_together(
        &mut self,
        sys: &mut Sys<'_>,
        sources: &[Source],
        to: Option<Text>,
        as_text: Option<bool>,
        replace: bool,
    ) -> Asked<Flow> {
        let mut files = Vec::new();
        for source in sources {
            // What is not there is passed over.
            let named = named_files(sys, &source.name)?.unwrap_or_default();
            for file in named {
                if sys.attributes(&file)?.is_ok() {
                    files.push((file, source.as_text.unwrap_or(true)));
                }
            }
        }
        let Some((first, _)) = files.first().cloned() else {
            let text = sys.system_text(2);
            sys.error(&text)?;
            return self.copied(sys, 0, 1);
        };
        let to = to.unwrap_or_else(|| units("."));
        let new = match is_folder(sys, &to)? {
            true => join(&to, divide(&first).1),
            false => to,
        };
        let place = |sys: &Sys<'_>, path: &[u16]| utf8(&sys.full_path(path)).to_uppercase();
        let target = place(sys, &new);
        let is_first = place(sys, &first) == target;
        match is_first || self.may_write(sys, &new, replace)? == Some(true) {
            true => {}
            false => return self.copied(sys, 0, 1),
        }
        let mut all = Vec::new();
        for (nth, (file, as_text)) in files.iter().enumerate() {
            sys.line(&utf8(file))?;
            if nth > 0 && place(sys, file) == target {
                sys.complain(&LOST, &[])?;
                continue;
            }
            if let Ok(content) = content(sys, file, *as_text)? {
                all.extend_from_slice(&content);
            }
        }
        if as_text.unwrap_or(true) {
            all.push(END);
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

/// What a text ends with.
const END: u8 = 0x1a;

/// What is read of a file. Devices have nothing.
fn content(sys: &mut Sys<'_>, file: &[u16], as_text: bool) -> Asked<Result<Vec<u8>, Win32>> {
    if crate::win7::path::device_name(file).is_some() {
        return Ok(Ok(Vec::new()));
    }
    Ok(sys.read_file(file)?.map(|content| {
        let end = content.iter().position(|byte| *byte == END);
        let end = end.filter(|_| as_text).unwrap_or(content.len());
        content[..end].to_vec()
    }))
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
const LOST: Message = Message {
    en: "Content of destination file lost before copy.\r\n",
    zh: "在复制前目标文件的内容已丢失。\r\n",
};
const ITSELF: Message = Message {
    en: "The file cannot be copied onto itself.\r\n",
    zh: "无法将文件复制到自身。\r\n",
};
