//! The command line of icacls.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | a name, then actions, each with its accounts; `*S-1-...` is an identifier | documentation of icacls | yes |
//! | inheritance in parentheses, then rights: `F`, `M`, `RX`, `R`, `W`, `D`, `N`, or single ones in parentheses with commas | the same | yes |
//! | what is no permission: "Invalid parameter", exit code 87; an account that nobody knows: 1332 | observed | yes |

use crate::win7::security::{Ace, AceType, Flags, Integrity, Mask, Sid};

/// A permission as it is written: `(OI)(CI)F`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Permission {
    /// How it is inherited.
    pub flags: Flags,
    /// The rights.
    pub mask: Mask,
}

/// One thing to do with a descriptor.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Action {
    /// `/grant[:r]`: whom, what, and whether it replaces.
    Grant(String, Permission, bool),
    /// `/deny`.
    Deny(String, Permission),
    /// `/remove[:g|:d]`: whom, and whether grants and denials go.
    Remove(String, bool, bool),
    /// `/inheritance:e|d|r`.
    Inheritance(char),
    /// `/reset`.
    Reset,
    /// `/setowner`.
    Owner(String),
    /// `/setintegritylevel`.
    Level(Flags, Integrity),
}

/// What is done with each file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Task {
    /// It is shown.
    Show,
    /// It is changed.
    Change(Vec<Action>),
    /// Its DACL goes to a file (`/save`).
    Save(String),
    /// It gets its DACL from a file (`/restore`).
    Restore(String),
    /// It is named if an account stands in its DACL (`/findsid`).
    Find(String),
    /// It is named if its DACL is not canonical (`/verify`).
    Verify,
}

/// A command line.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Command {
    /// The file, directory or pattern.
    pub name: String,
    /// What is done.
    pub task: Task,
    /// `/T`: with all below.
    pub below: bool,
    /// `/C`: goes on after a failure.
    pub go_on: bool,
    /// `/Q`: says nothing of successes.
    pub quiet: bool,
}

/// What is wrong with a command line.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Wrong {
    /// "Invalid parameter".
    Parameter(String),
    /// Not modelled.
    Unmodelled(String),
}

/// Reads the arguments of icacls.
///
/// # Errors
/// What is wrong with them.
pub fn read(arguments: &[String]) -> Result<Command, Wrong> {
    let Some((name, rest)) = arguments.split_first() else {
        return Err(Wrong::Unmodelled("the help text of icacls".into()));
    };
    if name == "/?" || rest.iter().any(|word| word == "/?") {
        return Err(Wrong::Unmodelled("the help text of icacls".into()));
    }
    let mut command = Command {
        name: name.clone(),
        task: Task::Show,
        below: false,
        go_on: false,
        quiet: false,
    };
    let mut actions = Vec::new();
    let mut at = 0;
    // The words up to the next switch.
    let operands = |at: &mut usize| {
        let begin = *at;
        while rest.get(*at).is_some_and(|word| !word.starts_with('/')) {
            *at += 1;
        }
        &rest[begin..*at]
    };
    let mut task = None;
    while let Some(word) = rest.get(at) {
        at += 1;
        let lower = word.to_ascii_lowercase();
        let invalid = || Wrong::Parameter(word.clone());
        match &*lower {
            "/t" => command.below = true,
            "/c" => command.go_on = true,
            "/q" => command.quiet = true,
            // It is about symbolic links, and there are none.
            "/l" => {}
            "/grant" | "/grant:r" | "/deny" => {
                let all = operands(&mut at);
                if all.is_empty() {
                    return Err(invalid());
                }
                for operand in all {
                    let parted = operand.rsplit_once(':');
                    let (who, what) = parted.ok_or(Wrong::Parameter(operand.clone()))?;
                    let permission = permission(what).ok_or(Wrong::Parameter(operand.clone()))?;
                    let who = who.to_owned();
                    actions.push(match &*lower {
                        "/deny" => Action::Deny(who, permission),
                        grant => Action::Grant(who, permission, grant.ends_with(":r")),
                    });
                }
            }
            "/remove" | "/remove:g" | "/remove:d" => {
                let all = operands(&mut at);
                if all.is_empty() {
                    return Err(invalid());
                }
                let (grants, denials) = (!lower.ends_with(":d"), !lower.ends_with(":g"));
                let removed = all
                    .iter()
                    .map(|who| Action::Remove(who.clone(), grants, denials));
                actions.extend(removed);
            }
            "/inheritance:e" | "/inheritance:d" | "/inheritance:r" => {
                actions.push(Action::Inheritance(
                    lower.chars().last().expect("it has one"),
                ));
            }
            "/reset" => actions.push(Action::Reset),
            "/setowner" => {
                let who = operands(&mut at).first().ok_or_else(invalid)?;
                actions.push(Action::Owner(who.clone()));
            }
            "/setintegritylevel" => {
                let what = operands(&mut at).first().ok_or_else(invalid)?;
                let (flags, level) = level(what).ok_or(Wrong::Parameter(what.clone()))?;
                actions.push(Action::Level(flags, level));
            }
            "/save" | "/restore" | "/findsid" => {
                let what = operands(&mut at).first().ok_or_else(invalid)?.clone();
                let new = match &*lower {
                    "/save" => Task::Save(what),
                    "/restore" => Task::Restore(what),
                    _ => Task::Find(what),
                };
                if task.replace(new).is_some() {
                    return Err(invalid());
                }
            }
            "/verify" => {
                if task.replace(Task::Verify).is_some() {
                    return Err(invalid());
                }
            }
            "/substitute" => return Err(Wrong::Unmodelled("icacls /substitute".into())),
            _ => return Err(invalid()),
        }
    }
    command.task = match (task, actions.is_empty()) {
        (Some(task), true) => task,
        (Some(_), false) => return Err(Wrong::Parameter(rest[0].clone())),
        (None, true) => Task::Show,
        (None, false) => Task::Change(actions),
    };
    Ok(command)
}

/// The groups in parentheses at the beginning that are about inheritance, and what follows.
fn inheritance(mut text: &str) -> (Flags, &str) {
    let mut flags = Flags::default();
    'next: loop {
        for (name, flag) in [
            ("(OI)", Flags::OI),
            ("(CI)", Flags::CI),
            ("(IO)", Flags::IO),
            ("(NP)", Flags::NP),
            // It comes from above, so it says nothing here.
            ("(I)", Flags::default()),
        ] {
            let head = text.get(..name.len());
            if head.is_some_and(|head| head.eq_ignore_ascii_case(name)) {
                flags = flags.with(flag);
                text = &text[name.len()..];
                continue 'next;
            }
        }
        return (flags, text);
    }
}

fn permission(text: &str) -> Option<Permission> {
    let (flags, rights) = inheritance(text);
    let inner = rights
        .strip_prefix('(')
        .and_then(|rights| rights.strip_suffix(')'));
    let rights = inner.unwrap_or(rights).to_ascii_uppercase();
    if rights == "N" {
        return Some(Permission {
            flags,
            mask: Mask::NONE,
        });
    }
    // The rights that a listing has; there they stand behind an account.
    let ace = Ace::parse_icacls(&format!("({rights})"), Sid::EVERYONE)?;
    let is_plain = ace.kind == AceType::Allow && ace.flags == Flags::default();
    // Single rights stand in parentheses.
    let is_simple = ["F", "M", "RX", "R", "W", "D"].contains(&&*rights);
    (is_plain && (is_simple || inner.is_some() || rights.split(',').all(is_simple_right)))
        .then_some(Permission {
            flags,
            mask: ace.mask,
        })
}

fn is_simple_right(right: &str) -> bool {
    ["F", "M", "RX", "R", "W", "D"].contains(&right)
}

fn level(text: &str) -> Option<(Flags, Integrity)> {
    let (flags, name) = inheritance(text);
    let name = name.split(':').next()?.to_ascii_lowercase();
    let level = match &*name {
        "l" | "low" => Integrity::Low,
        "m" | "medium" => Integrity::Medium,
        "h" | "high" => Integrity::High,
        _ => return None,
    };
    Some((flags, level))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::cmd::arguments::split;
    use crate::win7::registry::units;

    fn of(line: &str) -> Result<Command, Wrong> {
        read(&split(&units(line)))
    }

    #[test]
    fn command_lines() {
        let permission = |flags, mask| Permission { flags, mask };
        let both = Flags::OI.with(Flags::CI);
        let read =
            of("C:\\Go /grant:r alice:(OI)(CI)F *S-1-5-32-545:(RX,W) /deny Guests:w /T /C /q");
        let read = read.expect("it is right");
        assert!(read.below && read.go_on && read.quiet);
        let wanted = vec![
            Action::Grant("alice".into(), permission(both, Mask(0x1f01ff)), true),
            Action::Grant(
                "*S-1-5-32-545".into(),
                permission(Flags::default(), Mask(0x1201bf)),
                true,
            ),
            Action::Deny(
                "Guests".into(),
                permission(Flags::default(), Mask(0x120116)),
            ),
        ];
        assert_eq!(read.task, Task::Change(wanted));
        assert_eq!(
            of("x /remove:g a b").map(|read| read.task),
            Ok(Task::Change(vec![
                Action::Remove("a".into(), true, false),
                Action::Remove("b".into(), true, false),
            ]))
        );
        assert_eq!(of("x").map(|read| read.task), Ok(Task::Show));
        assert_eq!(
            of("x /save f /t").map(|read| read.task),
            Ok(Task::Save("f".into()))
        );
        for (line, what) in [
            ("x /grant alice:Q", "alice:Q"),
            ("x /grant alice", "alice"),
            ("x /grant", "/grant"),
            ("x /inheritance:x", "/inheritance:x"),
            ("x /zz", "/zz"),
            ("x /grant alice:RC", "alice:RC"),
            ("x /setintegritylevel X", "X"),
        ] {
            assert_eq!(of(line), Err(Wrong::Parameter(what.into())), "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_command_line_has_an_answer(
            words in prop::collection::vec("(/grant|/deny|/remove|/T|/save|alice:|\\(OI\\)|\\(F\\)|[a-z:(),/*中]{0,5}){0,3}", 0..6),
        ) {
            let _ = read(&words);
        }
    }
}
