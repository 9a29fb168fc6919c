//! `icacls /save`, `icacls`, `Get-Acl`.

use super::{Flaw, flaw, lines};
use crate::win7::security::{Ace, AceType, Acl, Descriptor, Sid};

/// Something whose descriptor was listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secured {
    /// The line that lists it, from 1.
    pub line: usize,
    /// What it is: a path, or a name relative to where the listing began; none if the listing does not say.
    pub path: Option<String>,
    /// The parts of its descriptor that were listed.
    pub descriptor: Descriptor,
}

fn sddl(line: usize, text: &str) -> Result<Descriptor, Flaw> {
    Descriptor::parse(text.trim()).or_else(|error| flaw(line, format!("{text:?}: {error}")))
}

/// A file of `icacls NAME /save FILE`: a name in one line, its DACL in the next. Names are relative to the
/// directory that holds what was named.
///
/// # Errors
/// The first line that is not so.
pub fn saved_acls(text: &str) -> Result<Vec<Secured>, Flaw> {
    let mut lines = lines(text).filter(|(_, line)| !line.is_empty());
    let mut found = Vec::new();
    while let Some((line, name)) = lines.next() {
        if name.contains(['<', '>', '|', '"', '*', '?', ':']) {
            return flaw(line, format!("{name:?} is no name"));
        }
        let Some((at, dacl)) = lines.next() else {
            return flaw(line, format!("{name:?} has no DACL behind it"));
        };
        found.push(Secured {
            line,
            path: Some(name.to_owned()),
            descriptor: sddl(at, dacl)?,
        });
    }
    Ok(found)
}

/// A field of what Format-List prints, which may go on in the next lines.
enum Field {
    Path(String),
    Sddl(String),
    /// Owner, Group, Access, ...: SDDL says the same.
    Other,
}

/// What `Get-Acl` gives: descriptors in SDDL, one a line, or `Path :` and `Sddl :` among other fields as
/// Format-List writes them, with values that go on indented.
///
/// # Errors
/// The first line that is not so.
pub fn get_acl(text: &str) -> Result<Vec<Secured>, Flaw> {
    let mut found = Vec::new();
    let mut path: Option<(usize, String)> = None;
    let mut field: Option<(usize, Field)> = None;
    let mut finish = |field: Option<(usize, Field)>, path: &mut Option<(usize, String)>| match field
    {
        Some((line, Field::Path(value))) => match path.replace((line, value)) {
            Some((_, path)) => flaw(line, format!("there was no Sddl for {path}")),
            None => Ok(()),
        },
        Some((line, Field::Sddl(value))) => {
            let descriptor = sddl(line, &value)?;
            let (line, path) = match path.take() {
                Some((line, path)) => (line, Some(path)),
                None => (line, None),
            };
            found.push(Secured {
                line,
                path,
                descriptor,
            });
            Ok(())
        }
        Some((_, Field::Other)) | None => Ok(()),
    };
    for (line, text) in lines(text) {
        if text.starts_with("   ") && !text.trim().is_empty() {
            match &mut field {
                // SDDL has no blanks; a path may have been broken at one, which nobody sees any more.
                Some((_, Field::Sddl(value))) => value.push_str(text.trim()),
                Some((_, Field::Path(_))) => {
                    let what = "the path goes on in another line: use Out-File -Width 4096";
                    return flaw(line, what);
                }
                Some((_, Field::Other)) => {}
                None => return flaw(line, format!("{text:?} goes on with nothing")),
            }
            continue;
        }
        finish(field.take(), &mut path)?;
        let named = text
            .split_once(" :")
            .map(|(name, value)| (name.trim_end(), value.trim()));
        field = match named {
            Some((name, value)) if name.eq_ignore_ascii_case("path") => {
                // Microsoft.PowerShell.Core\FileSystem::C:\x
                let plain = value.rsplit_once("::").map_or(value, |(_, plain)| plain);
                Some((line, Field::Path(plain.to_owned())))
            }
            Some((name, value)) if name.eq_ignore_ascii_case("sddl") => {
                Some((line, Field::Sddl(value.into())))
            }
            Some((name, _)) if name.chars().all(char::is_alphanumeric) => {
                Some((line, Field::Other))
            }
            _ if text.trim().is_empty() => None,
            _ => Some((line, Field::Sddl(text.into()))),
        };
    }
    finish(field, &mut path)?;
    match path {
        Some((line, path)) => flaw(line, format!("there is no Sddl for {path}")),
        None => Ok(found),
    }
}

/// What `icacls` lists. `account` finds those that only this machine has, such as `PC\alice`.
///
/// # Errors
/// The first line that is not so, or an account that nobody knows.
pub fn icacls(text: &str, account: impl Fn(&str) -> Option<Sid>) -> Result<Vec<Secured>, Flaw> {
    let sid = |name: &str| {
        Sid::named(name)
            .or_else(|| Sid::parse(name))
            .or_else(|| account(name))
    };
    let mut found: Vec<(usize, String, Vec<Ace>)> = Vec::new();
    let mut lines = lines(text)
        .map(|(number, line)| (number, line.trim_end()))
        .peekable();
    while let Some((number, line)) = lines.next() {
        if line.is_empty() {
            continue;
        }
        if let Some(failed) = failed_in_summary(line) {
            if failed > 0 {
                return flaw(
                    number,
                    format!("it is not whole: icacls failed for {failed}"),
                );
            }
            continue;
        }
        if line.starts_with(' ') {
            let (path, entry) = (found.last_mut(), line.trim_start());
            let Some((_, _, aces)) = path else {
                return flaw(number, format!("{entry:?} belongs to no path"));
            };
            aces.push(ace(number, entry, &sid)?);
            continue;
        }
        let Some((before, _)) = line.split_once(":(") else {
            return flaw(number, format!("{line:?} has no entry"));
        };
        let is_known = |start: &usize| sid(&before[*start..]).is_some();
        let starts = || before.match_indices(' ').map(|(blank, _)| blank + 1);
        // The next lines are indented by the path and a blank.
        let indent = lines.peek().map_or(0, |(_, next)| {
            let entry = next.trim_start();
            next.chars().count() - entry.chars().count()
        });
        let indented = line.char_indices().nth(indent).map(|(at, _)| at);
        let split = indented
            .filter(|at| indent > 0 && starts().any(|start| start == *at))
            .filter(is_known)
            .or_else(|| starts().find(is_known));
        let Some(split) = split else {
            let what = format!("no account in {before:?} is known: name it in `accounts`");
            return flaw(number, what);
        };
        let entry = ace(number, &line[split..], &sid)?;
        found.push((number, line[..split].trim_end().to_owned(), vec![entry]));
    }
    let secured = |(line, path, aces): (usize, String, Vec<Ace>)| Secured {
        line,
        path: Some(path),
        descriptor: listed(aces),
    };
    Ok(found.into_iter().map(secured).collect())
}

/// `Successfully processed 1 files; Failed processing 0 files`: how many failed.
fn failed_in_summary(line: &str) -> Option<u64> {
    let numbers = match line.strip_prefix("Successfully processed ") {
        Some(rest) => rest.split_once("Failed processing ")?.1,
        None => line.strip_prefix("已成功处理 ")?.split_once("处理 ")?.1,
    };
    numbers.split(' ').next()?.parse().ok()
}

fn ace(line: usize, text: &str, sid: &impl Fn(&str) -> Option<Sid>) -> Result<Ace, Flaw> {
    let Some((name, entry)) = text.split_once(":(") else {
        return flaw(line, format!("{text:?} is no entry"));
    };
    let Some(sid) = sid(name) else {
        let what = format!("the account {name:?} is not known: name it in `accounts`");
        return flaw(line, what);
    };
    match Ace::parse_icacls(&format!("({entry}"), sid) {
        Some(ace) => Ok(ace),
        None => flaw(line, format!("({entry} are no rights that are known")),
    }
}

/// The descriptor of which `icacls` lists these entries. It does not list whether the DACL is protected: one in
/// which nothing is inherited is taken for it.
fn listed(aces: Vec<Ace>) -> Descriptor {
    let (labels, aces): (Vec<Ace>, Vec<Ace>) =
        aces.into_iter().partition(|ace| ace.kind == AceType::Label);
    let mut dacl = Acl::new(aces);
    dacl.is_auto_inherited = true;
    dacl.is_protected = !dacl.entries().iter().any(Ace::is_inherited);
    Descriptor {
        dacl: Some(dacl),
        sacl: (!labels.is_empty()).then(|| Acl::new(labels)),
        ..Descriptor::default()
    }
}
