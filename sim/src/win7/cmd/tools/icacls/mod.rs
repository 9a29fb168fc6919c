//! `icacls`: who may do what with files.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | command lines: [`command`]; what becomes of a list: [`edit`] | | |
//! | a path with its entries, the further ones indented by it, a blank line; a summary | documentation; listings | yes |
//! | a missing file: its path and the system's text; exit code the system's error | facts of Windows 7, from memory | no |
//! | a change is written with what inherits it below: one step a file, others may come in between | documentation of SetNamedSecurityInfo | yes |
//! | without `/C` the first failure ends it | documentation | yes |
//! | `/save` writes UTF-16 without a mark, names below the folder of the pattern; `/restore` writes the lists as they are | documentation; the mark from memory | partly |
//! | `/setowner` may give to others with SeRestorePrivilege | documentation | partly |
//! | the words of `/verify` and of a file that is no list | | no |
//!
//! Refused: `/substitute`, the help text. `/L` changes nothing, there are no links.

pub mod command;
pub mod edit;
#[cfg(test)]
mod tests;

use self::command::{Action, Command, Task, Wrong};
use super::accounts;
use super::operands::{find, find_in, join, split};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, OnFile, Sys};
use crate::win7::cmd::wildcard::{Wildcard, has_wildcard};
use crate::win7::files::import::saved_acls;
use crate::win7::files::{Actor, Propagation};
use crate::win7::registry::error::Win32;
use crate::win7::registry::units;
use crate::win7::security::{Acl, Descriptor, Privilege, Sid};
use crate::win7::text::Wide;

const PARAMETER: Message = Message {
    en: "Invalid parameter \"{0}\"\r\n",
    zh: "无效的参数 \"{0}\"\r\n",
};
const PROCESSED: Message = Message {
    en: "processed file: {0}\r\n",
    zh: "已处理的文件: {0}\r\n",
};
const SUMMARY: Message = Message {
    en: "Successfully processed {0} files; Failed processing {1} files\r\n",
    zh: "已成功处理 {0} 个文件; 处理 {1} 个文件时失败\r\n",
};
const SID_FOUND: Message = Message {
    en: "SID Found: {0}.\r\n",
    zh: "找到 SID: {0}。\r\n",
};
const NOT_CANONICAL: Message = Message {
    en: "{0}: The access control list is not in canonical form.\r\n",
    zh: "{0}: 访问控制列表不是规范格式。\r\n",
};

const INVALID_PARAMETER: u32 = 87;
const INVALID_DATA: u32 = 13;
const NONE_MAPPED: u32 = 1332;

/// What was done so far.
#[derive(Default)]
struct Tally {
    done: u32,
    failed: u32,
    /// The code of the last failure.
    code: u32,
}

/// What is done with a path, of which is told whether it is a directory's.
type Act<'a> = &'a mut dyn FnMut(&mut Sys<'_>, &[u16], bool) -> Asked<Result<(), Win32>>;

/// Whether to go on with the next file.
enum Flow {
    On,
    End,
}

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let command = match command::read(&arguments) {
        Ok(command) => command,
        Err(Wrong::Unmodelled(what)) => return sys.unsupported(&what),
        Err(Wrong::Parameter(what)) => {
            sys.complain(&PARAMETER, &[&what])?;
            return Ok(INVALID_PARAMETER);
        }
    };
    let mut tally = Tally::default();
    let mut accounts = Vec::new();
    for name in names(&command.task) {
        match accounts::look_up(sys, name)? {
            Some(sid) => accounts.push((name.to_owned(), sid)),
            None => {
                let text = sys.system_text(NONE_MAPPED);
                sys.error(&format!("{name}: {text}"))?;
                sys.say(&SUMMARY, &["0", "1"])?;
                return Ok(NONE_MAPPED);
            }
        }
    }
    match &command.task {
        Task::Restore(file) => restore(sys, &command, file, &mut tally)?,
        Task::Save(file) => save(sys, &command, file, &mut tally)?,
        _ => each(sys, &command, &mut tally, &mut |sys, path, is_directory| {
            one(sys, &command, &accounts, path, is_directory)
        })?,
    }
    let (done, failed) = (tally.done.to_string(), tally.failed.to_string());
    sys.say(&SUMMARY, &[&done, &failed])?;
    Ok(tally.code)
}

/// The accounts that a command names.
fn names(task: &Task) -> Vec<&str> {
    match task {
        Task::Find(who) => vec![who],
        Task::Change(actions) => actions
            .iter()
            .filter_map(|action| match action {
                Action::Grant(who, ..) | Action::Deny(who, _) | Action::Remove(who, ..) => {
                    Some(&**who)
                }
                Action::Owner(who) => Some(who),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Does something with every file that a command means.
fn each(sys: &mut Sys<'_>, command: &Command, tally: &mut Tally, act: Act<'_>) -> Asked<()> {
    let name = units(&command.name);
    let (folder, own) = split(&name);
    let found = match find(sys, &name)? {
        Ok(found) if !found.is_empty() => found,
        Ok(_) => {
            let nothing = Win32 {
                code: 2,
                name: "ERROR_FILE_NOT_FOUND",
            };
            failed(sys, &name, nothing, tally)?;
            return Ok(());
        }
        Err(error) => {
            failed(sys, &name, error, tally)?;
            return Ok(());
        }
    };
    // With a directory that is named, all below it is meant; else what the pattern finds below.
    let is_tree = !has_wildcard(own) && found[0].is_directory();
    let wildcard = Wildcard::new(&match is_tree {
        true => units("*"),
        false => own.to_vec(),
    });
    for one in &found {
        if let Flow::End = step(sys, command, &one.path, one.is_directory(), tally, act)? {
            return Ok(());
        }
    }
    if !command.below {
        return Ok(());
    }
    let mut waiting = vec![(folder.to_vec(), true)];
    if is_tree {
        waiting = vec![(join(&name, &[]), false)];
    }
    while let Some((folder, is_done)) = waiting.pop() {
        let all = match find_in(sys, &folder, &Wildcard::new(&units("*")))? {
            Ok(all) => all,
            Err(error) => {
                if let Flow::End = failed_or_on(sys, command, &folder, error, tally)? {
                    return Ok(());
                }
                continue;
            }
        };
        for one in all.iter().filter(|_| !is_done) {
            let (_, own) = split(&one.path);
            if wildcard.matches_units(own)
                && let Flow::End = step(sys, command, &one.path, one.is_directory(), tally, act)?
            {
                return Ok(());
            }
        }
        let below = all.iter().rev().filter(|one| one.is_directory());
        waiting.extend(below.map(|one| (join(&one.path, &[]), false)));
    }
    Ok(())
}

fn step(
    sys: &mut Sys<'_>,
    command: &Command,
    path: &[u16],
    is_directory: bool,
    tally: &mut Tally,
    act: Act<'_>,
) -> Asked<Flow> {
    match act(sys, path, is_directory)? {
        Ok(()) => {
            tally.done += 1;
            let says = !matches!(command.task, Task::Show | Task::Find(_) | Task::Verify);
            if says && !command.quiet {
                sys.say(&PROCESSED, &[&String::from_utf16_lossy(path)])?;
            }
            Ok(Flow::On)
        }
        Err(error) => failed_or_on(sys, command, path, error, tally),
    }
}

fn failed_or_on(
    sys: &mut Sys<'_>,
    command: &Command,
    path: &[u16],
    error: Win32,
    tally: &mut Tally,
) -> Asked<Flow> {
    failed(sys, path, error, tally)?;
    Ok(if command.go_on { Flow::On } else { Flow::End })
}

fn failed(sys: &mut Sys<'_>, path: &[u16], error: Win32, tally: &mut Tally) -> Asked<()> {
    tally.failed += 1;
    tally.code = error.code;
    let text = sys.system_text(error.code);
    sys.error(&format!("{}: {text}", String::from_utf16_lossy(path)))
}

/// Reads a descriptor, with the label of its SACL.
pub(super) fn security(sys: &mut Sys<'_>, path: &[u16]) -> Asked<Result<Descriptor, Win32>> {
    let full = String::from_utf16_lossy(&sys.full_path(path));
    sys.on_file(
        "read security",
        path,
        OnFile::Reads,
        move |files, actor, path| {
            let read = files
                .security(actor, path)
                .map_err(|failure| failure.win32())?;
            let sacl = files
                .look(&full)
                .and_then(|node| node.descriptor().sacl.clone());
            Ok(Descriptor { sacl, ..read })
        },
    )
}

/// Writes parts of a descriptor, and nothing below.
fn write(sys: &mut Sys<'_>, path: &[u16], new: Descriptor) -> Asked<Result<(), Win32>> {
    let restores = new.owner.is_some();
    sys.on_file(
        "write security",
        path,
        OnFile::Writes,
        move |files, actor, path| {
            let mut token = actor.token.clone();
            if restores {
                token.enable(Privilege::Restore);
            }
            let actor = Actor {
                token: &token,
                ..*actor
            };
            let set = files.set_security(&actor, path, &new);
            set.map_err(|failure| failure.win32())
        },
    )
}

/// Writes a DACL with all that inherits it, a file a step.
fn propagate(sys: &mut Sys<'_>, path: &[u16], dacl: Acl) -> Asked<Result<(), Win32>> {
    let new = Descriptor {
        dacl: Some(dacl),
        ..Descriptor::default()
    };
    let begun = sys.on_file(
        "write security",
        path,
        OnFile::Moves,
        move |files, actor, path| {
            let begun = Propagation::new(files, actor, path, &new);
            let mut begun = begun.map_err(|failure| failure.win32())?;
            let first = begun
                .step(files, actor)
                .expect("the first is what it is about");
            first.result.map_err(|failure| failure.win32())?;
            Ok(begun)
        },
    )?;
    let mut walk = match begun {
        Ok(walk) => walk,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(next) = walk.next_path() {
        let mut going = walk.clone();
        let went = sys.on_file("inherit", &next, OnFile::Moves, move |files, actor, _| {
            // What is refused below stays as it is, and nobody is told.
            going.step(files, actor);
            Ok(going)
        })?;
        match went {
            Ok(went) => walk = went,
            Err(_) => break,
        }
    }
    Ok(Ok(()))
}

fn one(
    sys: &mut Sys<'_>,
    command: &Command,
    accounts: &[(String, Sid)],
    path: &[u16],
    is_directory: bool,
) -> Asked<Result<(), Win32>> {
    let descriptor = match security(sys, path)? {
        Ok(descriptor) => descriptor,
        Err(error) => return Ok(Err(error)),
    };
    let dacl = descriptor.dacl.clone().unwrap_or_else(Acl::null);
    let shown = String::from_utf16_lossy(path);
    let sid = |name: &str| {
        let known = accounts.iter().find(|(known, _)| known == name);
        known.expect("all were looked up").1
    };
    match &command.task {
        Task::Show => {
            show(sys, &shown, &descriptor)?;
            return Ok(Ok(()));
        }
        Task::Find(who) => {
            if dacl.entries().iter().any(|ace| ace.sid == sid(who)) {
                sys.say(&SID_FOUND, &[&shown])?;
            }
            return Ok(Ok(()));
        }
        Task::Verify => {
            if !dacl.is_canonical() {
                sys.say(&NOT_CANONICAL, &[&shown])?;
            }
            return Ok(Ok(()));
        }
        Task::Change(_) | Task::Save(_) | Task::Restore(_) => {}
    }
    let Task::Change(actions) = &command.task else {
        return Ok(Ok(()));
    };
    let (mut new, mut owner, mut label) = (None, None, None);
    for action in actions {
        let old = new.as_ref().unwrap_or(&dacl);
        new = match action {
            Action::Grant(who, permission, replace) => Some(edit::grant(
                old,
                sid(who),
                *permission,
                *replace,
                is_directory,
            )),
            Action::Deny(who, permission) => {
                Some(edit::deny(old, sid(who), *permission, is_directory))
            }
            Action::Remove(who, grants, denials) => {
                Some(edit::remove(old, sid(who), *grants, *denials))
            }
            Action::Inheritance(how) => Some(edit::inheritance(old, *how)),
            Action::Reset => Some(edit::reset(old)),
            Action::Owner(who) => {
                owner = Some(sid(who));
                continue;
            }
            Action::Level(flags, level) => {
                label = Some(edit::label(*flags, *level, is_directory));
                continue;
            }
        };
    }
    if let Some(owner) = owner {
        let new = Descriptor {
            owner: Some(owner),
            ..Descriptor::default()
        };
        if let Err(error) = write(sys, path, new)? {
            return Ok(Err(error));
        }
    }
    if let Some(label) = label {
        let new = Descriptor {
            sacl: Some(label),
            ..Descriptor::default()
        };
        if let Err(error) = write(sys, path, new)? {
            return Ok(Err(error));
        }
    }
    match new {
        Some(new) => propagate(sys, path, new),
        None => Ok(Ok(())),
    }
}

fn show(sys: &mut Sys<'_>, path: &str, descriptor: &Descriptor) -> Asked<()> {
    let mut aces: Vec<_> = descriptor.aces().unwrap_or_default().to_vec();
    let labels = descriptor.sacl.iter().flat_map(Acl::entries);
    aces.extend(labels.filter(|ace| ace.sid.level().is_some()).cloned());
    let names = accounts::shown_all(sys, &aces)?;
    let indent = " ".repeat(path.encode_utf16().count() + 1);
    let mut text = String::new();
    for (at, (ace, name)) in aces.iter().zip(names).enumerate() {
        let before = match at {
            0 => format!("{path} "),
            _ => indent.clone(),
        };
        text.push_str(&format!("{before}{name}:{}\r\n", ace.icacls()));
    }
    if aces.is_empty() {
        text.push_str(&format!("{path} \r\n"));
    }
    text.push_str("\r\n");
    sys.print(&text)
}

fn save(sys: &mut Sys<'_>, command: &Command, file: &str, tally: &mut Tally) -> Asked<()> {
    let name = units(&command.name);
    let base = split(&name).0.len();
    let mut saved = String::new();
    each(sys, command, tally, &mut |sys, path, _| {
        let read = security(sys, path)?;
        Ok(read.map(|descriptor| {
            let dacl = Descriptor {
                dacl: descriptor.dacl,
                ..Descriptor::default()
            };
            let own = String::from_utf16_lossy(&path[base..]);
            saved.push_str(&format!("{own}\r\n{}\r\n", dacl.sddl()));
        }))
    })?;
    let bytes = Wide::from(&*saved).to_le_bytes();
    match sys.write_file(&units(file), &bytes)? {
        Ok(()) => Ok(()),
        Err(error) => failed(sys, &units(file), error, tally),
    }
}

fn restore(sys: &mut Sys<'_>, command: &Command, file: &str, tally: &mut Tally) -> Asked<()> {
    let content = match sys.read_file(&units(file))? {
        Ok(content) => content,
        Err(error) => return failed(sys, &units(file), error, tally),
    };
    let text = Wide::from_le_bytes(&content).0.to_utf8_lossy();
    let Ok(saved) = saved_acls(&text) else {
        let invalid = Win32 {
            code: INVALID_DATA,
            name: "ERROR_INVALID_DATA",
        };
        return failed(sys, &units(file), invalid, tally);
    };
    for one in saved {
        let own = one.path.unwrap_or_default();
        let mut descriptor = one.descriptor;
        let path = join(&units(&command.name), &units(&own));
        if let Some(dacl) = &mut descriptor.dacl {
            dacl.wants_auto_inherit = true;
        }
        match write(sys, &path, descriptor)? {
            Ok(()) => {
                tally.done += 1;
                if !command.quiet {
                    sys.say(&PROCESSED, &[&String::from_utf16_lossy(&path)])?;
                }
            }
            Err(error) => {
                if let Flow::End = failed_or_on(sys, command, &path, error, tally)? {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
