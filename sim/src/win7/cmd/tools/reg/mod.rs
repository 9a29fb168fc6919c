//! `reg`: the registry from scripts.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | command lines: [`command`]; data: [`data`] | | |
//! | `query`: a blank line; a key by its root's long name and as it was typed, its values with four blanks each, a blank line; subkeys | Wine's `programs/reg/tests/query.c`, run on Windows | yes |
//! | the name of a value is printed as it was typed after `/v` | | no |
//! | `/s` with `/v` or `/ve`, and `/f`, end with a count; nothing found is exit code 1 | documentation; blank lines are observed | partly |
//! | `add` writes an empty default value where neither `/v` nor `/ve` is given | Wine's tests | yes |
//! | `delete` of a key goes key by key; `import` line by line, and passes over what fails | Wine's tests; the order from memory | partly |
//! | questions end with `(Yes/No)?`; the end of the input is a No, and that is exit code 0 | Wine; not established for Windows | no |
//! | errors go to the error output, and so does the success of `import` | observed | yes |
//! | `compare` ends with 0 (same), 2 (different), 1 (failed) | documentation | yes; its words not |
//! | `copy /s` copies level by level: a key's values, then its subkeys | | no |
//!
//! | `flags` shows and sets what registry virtualization heeds, of keys below HKLM\\Software; nothing else heeds it here | documentation of "Registry Virtualization" | yes; a tab or blanks before each flag: blanks |
//!
//! Hive files (`save`, `restore`, `load`, `unload`): [`hive`]. Not there: the help texts, remote registries.

pub mod command;
pub mod data;
mod hive;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::command::{Command, Shown, Target, Which, Wrong};
use self::data::DataError;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, OnKey, Sys};
use crate::win7::registry::error::Win32;
use crate::win7::registry::reg_file::{self, Version, Writer};
use crate::win7::registry::steps::{Import, Step};
use crate::win7::registry::{Caller, KeyPath, Name, Value, units};

const SYNTAX: Message = Message {
    en: "ERROR: Invalid syntax.\r\n",
    zh: "错误: 无效语法。\r\n",
};
const KEY_NAME: Message = Message {
    en: "ERROR: Invalid key name.\r\n",
    zh: "错误: 无效项名。\r\n",
};
const DATA_TYPE: Message = Message {
    en: "ERROR: Invalid syntax. Specify valid value for '/t'.\r\n",
    zh: "错误: 无效语法。为 '/t' 指定有效的值。\r\n",
};
const DATA_SEPARATOR: Message = Message {
    en: "ERROR: Invalid syntax. Specify valid value for '/s'.\r\n",
    zh: "错误: 无效语法。为 '/s' 指定有效的值。\r\n",
};
const DATA_NUMBER: Message = Message {
    en: "ERROR: Invalid syntax. Specify valid numeric value for '/d'.\r\n",
    zh: "错误: 无效语法。为 '/d' 指定有效的数值。\r\n",
};
const USAGE: Message = Message {
    en: "Type \"REG {0}/?\" for usage.\r\n",
    zh: "键入 \"REG {0}/?\" 了解用法信息。\r\n",
};
const NOT_FOUND: Message = Message {
    en: "ERROR: The system was unable to find the specified registry key or value.\r\n",
    zh: "错误: 系统找不到指定的注册表项或值。\r\n",
};
const ERROR: Message = Message {
    en: "ERROR: {0}",
    zh: "错误: {0}",
};
const DONE: Message = Message {
    en: "The operation completed successfully.\r\n",
    zh: "操作成功完成。\r\n",
};
const CANCELLED: Message = Message {
    en: "The operation was canceled by the user.\r\n",
    zh: "操作被用户取消。\r\n",
};
const OVERWRITE_VALUE: Message = Message {
    en: "Value {0} exists, overwrite(Yes/No)? ",
    zh: "值 {0} 已存在，要改写吗(Yes/No)? ",
};
const COPY_VALUE: Message = Message {
    en: "Value {0} exists, overwrite (Yes/No/All)? ",
    zh: "值 {0} 已存在，要改写吗(Yes/No/All)? ",
};
const OVERWRITE_FILE: Message = Message {
    en: "File {0} already exists. Overwrite (Yes/No)? ",
    zh: "文件 {0} 已经存在。要覆盖吗(Yes/No)? ",
};
const DELETE_KEY: Message = Message {
    en: "Permanently delete the registry key {0} (Yes/No)? ",
    zh: "要永久删除注册表项 {0} 吗(Yes/No)? ",
};
const DELETE_VALUE: Message = Message {
    en: "Delete the registry value {0} (Yes/No)? ",
    zh: "要删除注册表值 {0} 吗(Yes/No)? ",
};
const DELETE_VALUES: Message = Message {
    en: "Delete all values under the registry key {0} (Yes/No)? ",
    zh: "要删除注册表项 {0} 下的所有值吗(Yes/No)? ",
};
const OPENING: Message = Message {
    en: "ERROR: Error opening the file. There may be a disk or file system error.\r\n",
    zh: "错误: 打开文件时出错。可能是磁盘或文件系统错误。\r\n",
};
const NO_SCRIPT: Message = Message {
    en: "ERROR: The specified file is not a registry script. You can import only registry files.\r\n",
    zh: "错误: 指定的文件不是注册表脚本文件，只能导入注册表文件。\r\n",
};
const IMPORTING: Message = Message {
    en: "ERROR: Error accessing the registry.\r\n",
    zh: "错误: 访问注册表时出错。\r\n",
};
const SAME: Message = Message {
    en: "\r\nResults Compared: Identical\r\n\r\n",
    zh: "\r\n比较结果:  相同\r\n\r\n",
};
const DIFFERENT: Message = Message {
    en: "\r\nResults Compared: Different\r\n\r\n",
    zh: "\r\n比较结果:  不同\r\n\r\n",
};
/// What the default value is called.
pub(super) const DEFAULT: Message = Message {
    en: "(Default)",
    zh: "(默认)",
};

/// reg.exe fails with this.
const FAILED: u32 = 1;

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let arguments: Vec<Vec<u16>> = arguments.iter().map(|word| units(word)).collect();
    let command = match command::read(&arguments) {
        Ok(command) => command,
        Err((wrong, verb)) => return refuse(sys, wrong, verb),
    };
    match command {
        Command::Help(verb) => {
            let verb = verb.map_or_else(String::new, |verb| format!(" {}", verb.to_lowercase()));
            sys.unsupported(&format!("the help text of reg{verb}"))
        }
        Command::Query(query) => query::run(sys, &query),
        Command::Add {
            target,
            name,
            value,
            force,
        } => add(sys, &target, &Name::new(&name), value, force),
        Command::Delete {
            target,
            which,
            force,
        } => delete(sys, &target, which.as_ref(), force),
        Command::Copy {
            from,
            to,
            recurse,
            force,
        } => copy(sys, &from, &to, recurse, force),
        Command::Compare {
            one,
            other,
            which,
            shown,
            recurse,
        } => compare(sys, &one, &other, which.as_ref(), shown, recurse),
        Command::Export {
            target,
            file,
            force,
        } => export(sys, &target, &file, force),
        Command::Import { file, view } => {
            let caller = sys.caller(view);
            import(sys, &caller, &file)
        }
        Command::Hive(hive) => hive::run(sys, &hive),
        Command::Flags { target, set } => flags(sys, &target, set),
    }
}

/// Says what is wrong with the command line.
fn refuse(sys: &mut Sys<'_>, wrong: Wrong, verb: Option<&'static str>) -> Asked<u32> {
    let message = match wrong {
        Wrong::Syntax => SYNTAX,
        Wrong::Key => KEY_NAME,
        Wrong::Data(DataError::Type) => DATA_TYPE,
        Wrong::Data(DataError::Separator) => DATA_SEPARATOR,
        Wrong::Data(DataError::Number | DataError::Data) => DATA_NUMBER,
        Wrong::Unmodelled(what) => return sys.unsupported(&what),
    };
    sys.complain(&message, &[])?;
    let verb = verb.map_or_else(String::new, |verb| format!("{verb} "));
    sys.complain(&USAGE, &[&verb])?;
    Ok(FAILED)
}

/// Says how a call failed.
fn failed(sys: &mut Sys<'_>, error: Win32) -> Asked<u32> {
    match error.code {
        2 => sys.complain(&NOT_FOUND, &[])?,
        code => {
            let text = sys.system_text(code);
            sys.complain(&ERROR, &[&text])?;
        }
    }
    Ok(FAILED)
}

fn done(sys: &mut Sys<'_>) -> Asked<u32> {
    sys.say(&DONE, &[])?;
    Ok(0)
}

fn cancelled(sys: &mut Sys<'_>) -> Asked<u32> {
    sys.say(&CANCELLED, &[])?;
    Ok(0)
}

/// What somebody answers to a question; the end of the input is a No.
#[derive(PartialEq)]
enum Reply {
    Yes,
    No,
    All,
}

fn ask(sys: &mut Sys<'_>, question: &Message, about: &str, may_all: bool) -> Asked<Reply> {
    loop {
        sys.say(question, &[about])?;
        let Ok(Some(line)) = sys.read_line(0)? else {
            sys.line("")?;
            return Ok(Reply::No);
        };
        let reply = String::from_utf8_lossy(&line).trim().to_lowercase();
        match &*reply {
            "y" | "yes" => return Ok(Reply::Yes),
            "n" | "no" => return Ok(Reply::No),
            "a" | "all" if may_all => return Ok(Reply::All),
            _ => {}
        }
    }
}

/// How a value is called in messages.
fn called(sys: &Sys<'_>, name: &Name) -> String {
    match name.is_empty() {
        true => DEFAULT.text(sys.language(), &[]),
        false => name.to_string(),
    }
}

fn add(sys: &mut Sys<'_>, target: &Target, name: &Name, value: Value, force: bool) -> Asked<u32> {
    let caller = sys.caller(target.view);
    if let Err(error) = sys.reg_create(&caller, &target.path)? {
        return failed(sys, error);
    }
    if !force && sys.reg_value(&caller, &target.path, name)?.is_ok() {
        let called = called(sys, name);
        if ask(sys, &OVERWRITE_VALUE, &called, false)? == Reply::No {
            return cancelled(sys);
        }
    }
    match sys.reg_set(&caller, &target.path, name, value)? {
        Ok(()) => done(sys),
        Err(error) => failed(sys, error),
    }
}

fn flags(sys: &mut Sys<'_>, target: &Target, set: Option<u8>) -> Asked<u32> {
    let caller = sys.caller(target.view);
    let result = match set {
        Some(flags) => sys.reg_set_flags(&caller, &target.path, flags)?,
        None => match sys.reg_flags(&caller, &target.path)? {
            Ok(flags) => {
                sys.line(&format!("\r\n{}\r\n", target.path))?;
                for (name, bit) in command::FLAGS {
                    let state = if flags & bit == 0 { "CLEAR" } else { "SET" };
                    sys.line(&format!("        REG_KEY_{name}: {state}"))?;
                }
                sys.line("")?;
                Ok(())
            }
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(()) => done(sys),
        Err(error) => failed(sys, error),
    }
}

fn delete(sys: &mut Sys<'_>, target: &Target, which: Option<&Which>, force: bool) -> Asked<u32> {
    let caller = sys.caller(target.view);
    let path = &target.path;
    if which.is_none() && path.sub.is_empty() {
        return sys.unsupported("reg delete of a root key");
    }
    if let Err(error) = sys.reg_open(&caller, path)? {
        return failed(sys, error);
    }
    if !force {
        let (question, about) = match which {
            None => (DELETE_KEY, path.to_string()),
            Some(Which::All) => (DELETE_VALUES, path.to_string()),
            Some(one) => {
                let name = Name::new(one.name().unwrap_or_default());
                (DELETE_VALUE, called(sys, &name))
            }
        };
        if ask(sys, &question, &about, false)? == Reply::No {
            return cancelled(sys);
        }
    }
    let result = match which {
        None => delete_tree(sys, &caller, path)?,
        Some(Which::All) => delete_values(sys, &caller, path)?,
        Some(one) => {
            let name = Name::new(one.name().unwrap_or_default());
            sys.reg_delete_value(&caller, path, &name)?
        }
    };
    match result {
        Ok(()) => done(sys),
        Err(error) => failed(sys, error),
    }
}

/// RegDeleteTree: the first subkey with all below it, again and again, and then the key.
fn delete_tree(sys: &mut Sys<'_>, caller: &Caller, path: &KeyPath) -> Asked<Result<(), Win32>> {
    // The keys on the way down: their number is limited by how deep the registry is.
    let mut open = vec![path.clone()];
    while let Some(path) = open.last() {
        match sys.reg_keys(caller, path)? {
            Ok(below) => match below.first() {
                Some(name) => open.push(path.join(name.units())),
                None => {
                    if let Err(error) = sys.reg_delete_key(caller, path)? {
                        return Ok(Err(error));
                    }
                    open.pop();
                }
            },
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(()))
}

fn delete_values(sys: &mut Sys<'_>, caller: &Caller, path: &KeyPath) -> Asked<Result<(), Win32>> {
    let values = match sys.reg_values(caller, path)? {
        Ok(values) => values,
        Err(error) => return Ok(Err(error)),
    };
    for (name, _) in values {
        if let Err(error) = sys.reg_delete_value(caller, path, &name)? {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}

fn copy(sys: &mut Sys<'_>, from: &Target, to: &Target, recurse: bool, force: bool) -> Asked<u32> {
    let caller = sys.caller(from.view);
    let mut all = force;
    let mut waiting = vec![(from.path.clone(), to.path.clone())];
    while let Some((from, to)) = waiting.pop() {
        let values = match sys.reg_values(&caller, &from)? {
            Ok(values) => values,
            Err(error) => return failed(sys, error),
        };
        // Where one key lies in the other, what is copied must not be copied again.
        let below = match recurse {
            true => match sys.reg_keys(&caller, &from)? {
                Ok(below) => below,
                Err(error) => return failed(sys, error),
            },
            false => Vec::new(),
        };
        if let Err(error) = sys.reg_create(&caller, &to)? {
            return failed(sys, error);
        }
        for (name, value) in values {
            if !all && sys.reg_value(&caller, &to, &name)?.is_ok() {
                let called = called(sys, &name);
                match ask(sys, &COPY_VALUE, &called, true)? {
                    Reply::No => continue,
                    Reply::All => all = true,
                    Reply::Yes => {}
                }
            }
            if let Err(error) = sys.reg_set(&caller, &to, &name, value)? {
                return failed(sys, error);
            }
        }
        let pairs = below.iter().rev();
        waiting.extend(pairs.map(|name| (from.join(name.units()), to.join(name.units()))));
        if waiting.iter().any(|(_, to)| to.sub.len() > 32_000) {
            return sys.unsupported("reg copy of a key into itself");
        }
    }
    done(sys)
}

fn compare(
    sys: &mut Sys<'_>,
    one: &Target,
    other: &Target,
    which: Option<&Which>,
    shown: Shown,
    recurse: bool,
) -> Asked<u32> {
    let caller = sys.caller(one.view);
    let mut waiting = vec![(one.path.clone(), other.path.clone())];
    let mut differs = false;
    let says = |is_same: bool| match shown {
        Shown::All => true,
        Shown::Differences => !is_same,
        Shown::Matches => is_same,
        Shown::Nothing => false,
    };
    while let Some((left, right)) = waiting.pop() {
        let mut sides = Vec::new();
        for path in [&left, &right] {
            match sys.reg_values(&caller, path)? {
                Ok(mut values) => {
                    if let Some(name) = which.and_then(Which::name) {
                        values.retain(|(own, _)| own.same_as(&Name::new(name)));
                        if values.is_empty() {
                            return failed(sys, NO_VALUE);
                        }
                    }
                    let named =
                        |(name, value): (Name, Value)| (name.folded().to_vec(), (name, value));
                    sides.push(values.into_iter().map(named).collect::<BTreeMap<_, _>>());
                }
                Err(error) => return failed(sys, error),
            }
        }
        let names: Vec<Vec<u16>> = sides.iter().flat_map(|side| side.keys().cloned()).collect();
        let names: std::collections::BTreeSet<Vec<u16>> = names.into_iter().collect();
        for name in names {
            let (on_left, on_right) = (sides[0].get(&name), sides[1].get(&name));
            let is_same = on_left.map(|(_, value)| value) == on_right.map(|(_, value)| value);
            differs |= !is_same;
            if !says(is_same) {
                continue;
            }
            for (sign, path, value) in [("<", &left, on_left), (">", &right, on_right)] {
                let Some((name, value)) = value else { continue };
                let sign = if is_same { "=" } else { sign };
                let called = called(sys, name);
                let (kind, data) = (value.kind.name().into_owned(), value.shown());
                sys.line(&format!(
                    "{sign} Value:  {path}    {called}    {kind}    {data}"
                ))?;
                if is_same {
                    break;
                }
            }
        }
        if !recurse {
            continue;
        }
        let mut sides = Vec::new();
        for path in [&left, &right] {
            match sys.reg_keys(&caller, path)? {
                Ok(below) => sides.push(below),
                Err(error) => return failed(sys, error),
            }
        }
        let is_in = |side: &[Name], name: &Name| side.iter().any(|own| own.same_as(name));
        for (sign, path, own, theirs) in [
            ("<", &left, &sides[0], &sides[1]),
            (">", &right, &sides[1], &sides[0]),
        ] {
            for name in own.iter().filter(|name| !is_in(theirs, name)) {
                differs = true;
                if says(false) {
                    sys.line(&format!("{sign} Key:  {}", path.join(name.units())))?;
                }
            }
        }
        let both = sides[0].iter().filter(|name| is_in(&sides[1], name)).rev();
        waiting.extend(both.map(|name| (left.join(name.units()), right.join(name.units()))));
    }
    let result = if differs { DIFFERENT } else { SAME };
    sys.say(&result, &[])?;
    done(sys)?;
    Ok(if differs { 2 } else { 0 })
}

const NO_VALUE: Win32 = Win32 {
    code: 2,
    name: "ERROR_FILE_NOT_FOUND",
};

fn export(sys: &mut Sys<'_>, target: &Target, file: &[u16], force: bool) -> Asked<u32> {
    let caller = sys.caller(target.view);
    if let Err(error) = sys.reg_open(&caller, &target.path)? {
        return failed(sys, error);
    }
    if !force && sys.attributes(file)?.is_ok() {
        let name = String::from_utf16_lossy(file);
        if ask(sys, &OVERWRITE_FILE, &name, false)? == Reply::No {
            return cancelled(sys);
        }
    }
    let mut writer = Writer::new(Version::Five);
    let mut waiting = vec![target.path.clone()];
    while let Some(path) = waiting.pop() {
        // What may not be read is left out.
        let Ok(values) = sys.reg_values(&caller, &path)? else {
            continue;
        };
        writer.key(&path, &values);
        let below = sys.reg_keys(&caller, &path)?.unwrap_or_default();
        waiting.extend(below.iter().rev().map(|name| path.join(name.units())));
    }
    match sys.write_file(file, &writer.bytes())? {
        Ok(()) => done(sys),
        Err(error) => failed(sys, error),
    }
}

fn import(sys: &mut Sys<'_>, caller: &Caller, file: &[u16]) -> Asked<u32> {
    let Ok(content) = sys.read_file(file)? else {
        sys.complain(&OPENING, &[])?;
        return Ok(FAILED);
    };
    let ansi = sys.local_operation(|kernel, _, _| kernel.machine.code_pages().ansi().number())?;
    let ansi = crate::win7::text::CodePage::of(ansi).expect("it is a machine's");
    let Ok(read) = reg_file::read(&content, ansi) else {
        sys.complain(&NO_SCRIPT, &[])?;
        return Ok(FAILED);
    };
    let mut import = Import::new(read);
    loop {
        let (next, mut going, of) = (import.next_object(), import.clone(), caller.clone());
        let progress = match &next {
            Some((path, name)) => {
                let name = name.as_ref().map(Name::to_string);
                let call = move |registry: &mut crate::win7::registry::Registry| {
                    going.step(registry, &of);
                    Ok(going.progress().clone())
                };
                sys.on_key("import", caller, path, name.as_deref(), OnKey::Writes, call)?
            }
            None => {
                let imported = sys.local_operation(move |kernel, _, _| {
                    match going.step(&mut kernel.machine.registry, &of) {
                        Step::Done(imported) => imported,
                        Step::Call(_) => unreachable!("nothing is left to call"),
                    }
                })?;
                let (message, code) = match imported.refused {
                    0 => (DONE, 0),
                    _ => (IMPORTING, FAILED),
                };
                sys.complain(&message, &[])?;
                return Ok(code);
            }
        };
        match progress {
            Ok(progress) => import.resume(progress),
            // A fault of the lab refused the call.
            Err(_) => {
                sys.complain(&IMPORTING, &[])?;
                return Ok(FAILED);
            }
        }
    }
}
