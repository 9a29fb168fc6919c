//! The commands that cmd.exe does itself.

mod copy;
mod dir;
mod directory;
mod file;
mod misc;
mod mklink;
pub mod pattern;

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

use super::ast::Text;
use super::expand::utf8;
use super::{Flow, Shell};

pub(super) use misc::VERSION;

/// A command: what follows its name is given as it stands.
pub(super) type Command = fn(&mut Shell, &mut Sys<'_>, &[u16]) -> Asked<Flow>;

const COMMANDS: &[(&str, Command)] = &[
    ("assoc", Shell::assoc),
    ("break", Shell::nothing),
    ("call", Shell::call),
    ("cd", Shell::cd),
    ("chdir", Shell::cd),
    ("cls", Shell::cls),
    ("color", Shell::color),
    ("copy", Shell::copy),
    ("date", Shell::date),
    ("del", Shell::del),
    ("dir", Shell::dir),
    ("dpath", Shell::unknown_dpath),
    ("echo", Shell::echo),
    ("endlocal", Shell::endlocal),
    ("erase", Shell::del),
    ("exit", Shell::exit),
    ("for", |shell, sys, tail| shell.help_of(sys, "for", tail)),
    ("ftype", Shell::ftype),
    ("goto", Shell::goto),
    ("if", |shell, sys, tail| shell.help_of(sys, "if", tail)),
    ("md", Shell::md),
    ("mkdir", Shell::md),
    ("mklink", Shell::mklink),
    ("move", Shell::move_file),
    ("path", Shell::path),
    ("pause", Shell::pause),
    ("popd", Shell::popd),
    ("prompt", Shell::prompt_command),
    ("pushd", Shell::pushd),
    ("rd", Shell::rd),
    ("rem", Shell::nothing),
    ("ren", Shell::ren),
    ("rename", Shell::ren),
    ("rmdir", Shell::rd),
    ("set", Shell::set),
    ("setlocal", Shell::setlocal),
    ("shift", Shell::shift),
    ("start", Shell::start),
    ("time", Shell::time),
    ("title", Shell::nothing),
    ("type", Shell::type_file),
    ("ver", Shell::ver),
    ("verify", Shell::verify),
    ("vol", Shell::vol),
];

/// The internal command that a name stands for, and where what is glued to it begins.
pub(super) fn named(name: &[u16]) -> Option<(Command, usize)> {
    let end = name
        .iter()
        .position(|unit| !u8::try_from(*unit).is_ok_and(|byte| byte.is_ascii_alphabetic()));
    let end = end.unwrap_or(name.len());
    let glued = name
        .get(end)
        .map_or(Some(b' '), |unit| u8::try_from(*unit).ok());
    if !matches!(
        glued,
        Some(
            b' ' | b'.'
                | b':'
                | b'\\'
                | b'/'
                | b'('
                | b'['
                | b']'
                | b'+'
                | b','
                | b';'
                | b'='
                | b'"'
        )
    ) {
        return None;
    }
    let word = utf8(&name[..end]).to_ascii_lowercase();
    let at = COMMANDS
        .binary_search_by(|(name, _)| (*name).cmp(&*word))
        .ok()?;
    Some((COMMANDS[at].1, end))
}

/// The letters of attributes, as `%~a` and `attrib` have them.
pub(super) fn attribute_letters(attributes: Attributes) -> String {
    let letters = [
        (Attributes::DIRECTORY, 'd'),
        (Attributes::READONLY, 'r'),
        (Attributes::ARCHIVE, 'a'),
        (Attributes::HIDDEN, 'h'),
        (Attributes::SYSTEM, 's'),
    ];
    let mut text: String = letters
        .iter()
        .map(|(bit, letter)| if attributes.has(*bit) { *letter } else { '-' })
        .collect();
    text.push_str("----");
    text
}

/// A word or a switch of a command.
pub(super) enum Operand {
    /// A word, without quotes.
    Word(Text),
    /// A switch, in lower case, without the slash.
    Switch(String),
}

/// Divides what follows a command: what is in quotes holds together, `/x` begins a switch anywhere outside of them.
/// Blanks, commas, semicolons and equal signs divide.
pub(super) fn operands(tail: &[u16]) -> Vec<Operand> {
    let mut all = Vec::new();
    let (mut word, mut quoted, mut any) = (Text::new(), false, false);
    let finish = |word: &mut Text, any: &mut bool, all: &mut Vec<Operand>| {
        if std::mem::take(any) {
            let word = std::mem::take(word);
            all.push(match word.first() == Some(&(b'/' as u16)) {
                true => Operand::Switch(utf8(&word[1..]).to_ascii_lowercase()),
                false => Operand::Word(word),
            });
        }
    };
    for unit in tail {
        match u8::try_from(*unit) {
            Ok(b'"') => {
                quoted = !quoted;
                any = true;
            }
            Ok(b' ' | b'\t' | b',' | b';' | b'=') if !quoted => {
                finish(&mut word, &mut any, &mut all);
            }
            Ok(b'/') if !quoted && !word.is_empty() => {
                finish(&mut word, &mut any, &mut all);
                word.push(*unit);
                any = true;
            }
            _ => {
                word.push(*unit);
                any = true;
            }
        }
    }
    finish(&mut word, &mut any, &mut all);
    all
}

/// Words and switches of a command, apart.
pub(super) struct Words {
    /// The words, without quotes.
    pub words: Vec<Text>,
    /// The switches, in lower case, without the slash.
    pub switches: Vec<String>,
}

/// Divides what follows a command, as [`operands`] does.
pub(super) fn words(tail: &[u16]) -> Words {
    let mut read = Words {
        words: Vec::new(),
        switches: Vec::new(),
    };
    for operand in operands(tail) {
        match operand {
            Operand::Word(word) => read.words.push(word),
            Operand::Switch(switch) => read.switches.push(switch),
        }
    }
    read
}

impl Shell {
    /// `if` and `for` as commands: their help is all that comes here of them.
    fn help_of(&mut self, sys: &mut Sys<'_>, command: &str, tail: &[u16]) -> Asked<Flow> {
        match super::set::trim_start(tail).starts_with(&units("/?")) {
            true => self.unknown_switch(sys, command, "?"),
            false => self.exec_external(sys, &units(command), tail, true),
        }
    }

    /// A switch that is not modelled.
    pub(super) fn unknown_switch(
        &mut self,
        sys: &mut Sys<'_>,
        command: &str,
        switch: &str,
    ) -> Asked<Flow> {
        let code = sys.unsupported(&format!("{command} /{switch}"))?;
        self.fail(code as i32)
    }
}

/// There is no such switch.
pub(super) const INVALID_SWITCH: Message = Message {
    en: "Invalid switch - \"{0}\".\r\n",
    zh: "无效开关 - \"{0}\"。\r\n",
};
