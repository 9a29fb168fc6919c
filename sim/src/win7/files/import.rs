//! Listings of real machines: `icacls /save` files, `icacls` listings, `(Get-Acl ..).Sddl`, `dir /s`.
//!
//! What is not understood is refused with its line: nothing is guessed. English and Chinese wording of `dir` and
//! `icacls` is known, the Chinese from memory.

use std::fmt;

use super::{Actor, Files, content};
use crate::win7::ntfs::Node;
use crate::win7::registry::{Name, units};
use crate::win7::security::{Ace, Descriptor, Sid, Token};

/// What is wrong with a listing, and in which line, from 1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Flaw {}

fn flaw<T>(line: usize, what: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw {
        line: line + 1,
        what: what.into(),
    })
}

fn sddl(line: usize, text: &str) -> Result<Descriptor, Flaw> {
    Descriptor::parse(text.trim()).or_else(|error| flaw(line, format!("{text:?}: {error}")))
}

/// A file of `icacls NAME /save FILE`: a name in one line, its DACL in the next. Names are relative to where
/// `icacls` began.
///
/// # Errors
/// The first line that is not so.
pub fn saved_acls(text: &str) -> Result<Vec<(String, Descriptor)>, Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty());
    let mut found = Vec::new();
    while let Some((at, name)) = lines.next() {
        if name.contains(['<', '>', '|', '"', '*']) {
            return flaw(at, format!("{name:?} is no name"));
        }
        let Some((at, dacl)) = lines.next() else {
            return flaw(at, format!("{name:?} has no DACL behind it"));
        };
        found.push((name.to_owned(), sddl(at, dacl)?));
    }
    Ok(found)
}

/// What `Get-Acl` gives: descriptors in SDDL, one a line, or `Path :` and `Sddl :` as Format-List writes them,
/// with lines that go on indented.
///
/// # Errors
/// The first line that is not so.
pub fn get_acl(text: &str) -> Result<Vec<(Option<String>, Descriptor)>, Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut found = Vec::new();
    let mut path = None;
    let mut field: Option<(usize, &str, String)> = None;
    let mut finish =
        |field: Option<(usize, &str, String)>, path: &mut Option<String>| -> Result<(), Flaw> {
            match field {
                Some((_, "path", value)) => {
                    // Microsoft.PowerShell.Core\FileSystem::C:\x
                    let plain = value.rsplit_once("::").map_or(&*value, |(_, plain)| plain);
                    *path = Some(plain.to_owned());
                }
                Some((at, "sddl", value)) => found.push((path.take(), sddl(at, &value)?)),
                _ => {}
            }
            Ok(())
        };
    for (at, line) in text.lines().enumerate() {
        if let (Some((_, _, value)), true) = (&mut field, line.starts_with("   ")) {
            value.push_str(line.trim());
            continue;
        }
        finish(field.take(), &mut path)?;
        let named = line
            .split_once(" : ")
            .map(|(name, value)| (name.trim(), value));
        field = match named {
            Some((name, value)) if name.eq_ignore_ascii_case("path") => {
                Some((at, "path", value.into()))
            }
            Some((name, value)) if name.eq_ignore_ascii_case("sddl") => {
                Some((at, "sddl", value.into()))
            }
            Some(_) => Some((at, "other", String::new())),
            None if line.trim().is_empty() => None,
            None => Some((at, "sddl", line.into())),
        };
    }
    finish(field, &mut path)?;
    Ok(found)
}

/// What `icacls` lists. `account` finds those that only this machine has, such as `PC\alice`.
///
/// # Errors
/// The first line that is not so, or an account that nobody knows.
pub fn icacls(
    text: &str,
    account: impl Fn(&str) -> Option<Sid>,
) -> Result<Vec<(String, Descriptor)>, Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let sid = |name: &str| {
        Sid::named(name)
            .or_else(|| Sid::parse(name))
            .or_else(|| account(name))
    };
    let mut found: Vec<(String, Vec<Ace>)> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        let is_summary = line.contains("files;") || line.contains("个文件");
        if line.is_empty() || is_summary {
            at += 1;
            continue;
        }
        let Some((before, _)) = line.split_once(":(") else {
            return flaw(at, format!("{line:?} has no entry"));
        };
        // The next lines are indented by the path and a blank; without any, the account is one that is known.
        let indent = lines
            .get(at + 1)
            .map_or(0, |next| next.len() - next.trim_start().len());
        let has_more = indent > 0 && !lines[at + 1].trim().is_empty();
        let split = match has_more {
            true => Some(indent),
            false => before
                .match_indices(' ')
                .map(|(blank, _)| blank + 1)
                .find(|start| sid(&before[*start..]).is_some()),
        };
        let Some(split) =
            split.filter(|split| line.is_char_boundary(*split) && *split <= before.len())
        else {
            return flaw(at, format!("the account in {line:?} is not known"));
        };
        let mut aces = Vec::new();
        let path = line[..split].trim_end().to_owned();
        let mut rest = &line[split..];
        loop {
            let Some((name, entry)) = rest.split_once(":(") else {
                return flaw(at, format!("{rest:?} is no entry"));
            };
            let Some(sid) = sid(name) else {
                return flaw(at, format!("the account {name:?} is not known"));
            };
            let Some(ace) = Ace::parse_icacls(&format!("({entry}"), sid) else {
                return flaw(at, format!("({entry} are no rights that are known"));
            };
            aces.push(ace);
            at += 1;
            match lines.get(at) {
                Some(next) if next.starts_with(' ') && !next.trim().is_empty() => {
                    rest = next.trim_start()
                }
                _ => break,
            }
        }
        found.push((path, aces));
    }
    let descriptor = |aces: Vec<Ace>| {
        let mut acl = crate::win7::security::Acl::new(aces);
        acl.is_auto_inherited = acl.entries().iter().any(Ace::is_inherited);
        Descriptor {
            dacl: Some(acl),
            ..Descriptor::default()
        }
    };
    Ok(found
        .into_iter()
        .map(|(path, aces)| (path, descriptor(aces)))
        .collect())
}

/// Something in a `dir /s` listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// Its full path.
    pub path: String,
    /// How many bytes; none for a directory.
    pub len: Option<u64>,
}

/// What `dir /s` lists.
///
/// # Errors
/// The first line that is not so.
pub fn directory_listing(text: &str) -> Result<Vec<Listed>, Flaw> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut directory: Option<String> = None;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        let header = trimmed
            .strip_prefix("Directory of ")
            .or(trimmed.strip_suffix(" 的目录"));
        if let Some(path) = header {
            directory = Some(path.to_owned());
            found.push(Listed {
                path: path.to_owned(),
                len: None,
            });
            continue;
        }
        // Names of volumes and sums are no entries, and begin with a blank.
        if trimmed.is_empty() || line.starts_with(' ') {
            continue;
        }
        if trimmed == "Total Files Listed:" || trimmed == "所列文件总数:" {
            continue;
        }
        let Some(directory) = &directory else {
            return flaw(at, format!("{line:?} is in no directory"));
        };
        let Some((len, name)) = entry(line) else {
            return flaw(at, format!("{line:?} is no entry of a directory"));
        };
        if name == "." || name == ".." {
            continue;
        }
        found.push(Listed {
            path: format!("{}\\{name}", directory.trim_end_matches('\\')),
            len,
        });
    }
    Ok(found)
}

/// `2010-11-21  11:24    <DIR>          name`, `07/14/2009  09:39 AM           179,712 name`.
fn entry(line: &str) -> Option<(Option<u64>, &str)> {
    let is_date = |word: &str| {
        word.len() >= 8
            && word
                .chars()
                .all(|c| c.is_ascii_digit() || "-/.".contains(c))
    };
    let mut rest = line.trim_start();
    let mut next = || {
        let (word, after) = rest.split_once(' ')?;
        rest = after.trim_start_matches(' ');
        Some(word)
    };
    next().filter(|word| is_date(word))?;
    next().filter(|word| word.contains(':'))?;
    let mut kind = next()?;
    if kind == "AM" || kind == "PM" {
        kind = next()?;
    }
    let name = rest;
    match kind {
        "<DIR>" => Some((None, name)),
        // Where it leads is behind it in brackets, and not modelled.
        "<JUNCTION>" | "<SYMLINK>" | "<SYMLINKD>" => None,
        size => Some((Some(size.replace([',', '.'], "").parse().ok()?), name)),
    }
}

impl Files {
    /// Puts there what was listed and lacks: directories, and files that hold as many zeros as they had bytes
    /// (of large ones the first 4096).
    ///
    /// # Errors
    /// The number and path of the first that has no place.
    pub fn add_listed(&mut self, listed: &[Listed]) -> Result<(), Flaw> {
        let token = Token::system();
        let actor = Actor::new(&token);
        for (at, one) in listed.iter().enumerate() {
            let (above, name) = match one.len {
                None => (&*one.path, None),
                Some(_) => match one.path.rsplit_once('\\') {
                    Some((above, name)) => (above, Some(name)),
                    None => return flaw(at, format!("{} is no full path", one.path)),
                },
            };
            let root = match above.ends_with(':') {
                true => format!("{above}\\"),
                false => above.to_owned(),
            };
            let made = self.make_tree(&actor, &units(&root));
            made.or_else(|error| flaw(at, format!("{}: {error}", one.path)))?;
            let (Some(name), Some(len)) = (name, one.len) else {
                continue;
            };
            if !crate::win7::ntfs::is_name(&units(name)) {
                return flaw(at, format!("{name:?} is no name"));
            }
            let name = Name::from(name);
            let added = self.edit_outside(&units(&root), |directory| {
                if directory.entry(&name).is_none() {
                    let own = super::new_descriptor(&token, directory.descriptor(), false);
                    let zeros = content(&vec![0; len.min(4096) as usize]);
                    directory.put(Node::file(name.clone(), own.into(), zeros), None);
                }
            });
            if added.is_none() {
                return flaw(at, format!("{} has no place", one.path));
            }
        }
        Ok(())
    }

    /// Gives what is at these paths the parts of descriptors that were listed, outside of all rules. Relative
    /// paths are those below `base`.
    ///
    /// # Errors
    /// The number and path of the first that is not there.
    pub fn add_descriptors(
        &mut self,
        base: &str,
        listed: &[(String, Descriptor)],
    ) -> Result<(), Flaw> {
        for (at, (path, descriptor)) in listed.iter().enumerate() {
            let full = match path.contains(':') {
                true => path.clone(),
                false => format!("{}\\{path}", base.trim_end_matches('\\')),
            };
            let mut new = descriptor.clone();
            if let Some(dacl) = &mut new.dacl {
                dacl.wants_auto_inherit = true;
            }
            let set = self.edit_outside(&units(&full), |node| {
                let kind = crate::win7::security::Kind::File;
                let set = node.descriptor().with_parts_of(&new, kind);
                node.set_descriptor(set.into());
            });
            if set.is_none() {
                return flaw(at, format!("{full} is not there"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::security::defaults;
    use crate::win7::text::CodePage;

    const DIR: &str = " Volume in drive C has no label.\r
 Volume Serial Number is 1234-ABCD\r
\r
 Directory of C:\\Go\r
\r
2010-11-21  11:24    <DIR>          .\r
2010-11-21  11:24    <DIR>          ..\r
2010-11-21  11:24    <DIR>          bin\r
07/14/2009  09:39 AM                 8 VERSION file\r
               1 File(s)              8 bytes\r
\r
 Directory of C:\\Go\\bin\r
\r
2010-11-21  11:24        13,952,000 go.exe\r
\r
     Total Files Listed:\r
               2 File(s)     13,952,008 bytes\r
               3 Dir(s)   1,000,000 bytes free\r
";

    #[test]
    fn a_directory_listing_becomes_a_tree() {
        let listed = directory_listing(DIR).expect("dir writes so");
        let mut files = Files::windows_7(&[], CodePage::Cp936);
        files.add_listed(&listed).expect("it has a place");
        let version = files.look("C:\\Go\\VERSION file").expect("it was listed");
        assert_eq!(version.content().map(|content| content.len()), Some(8));
        assert!(files.look("C:\\Go\\bin\\go.exe").is_some());
        let wrong = DIR.replace("<DIR>          bin", "<JUNCTION>     x [C:\\y]");
        let flaw = directory_listing(&wrong).expect_err("junctions are not modelled");
        assert_eq!(flaw.line, 8);
    }

    #[test]
    fn saved_acls_become_descriptors() {
        let saved = "\u{feff}Go\r\nD:AI(A;ID;FA;;;BA)\r\nGo\\bin\r\nD:PAI(A;OICI;FA;;;SY)\r\n";
        let read = saved_acls(saved).expect("icacls writes so");
        let mut files = Files::windows_7(&[], CodePage::Cp936);
        let token = Token::system();
        files
            .make_tree(&Actor::new(&token), &units("C:\\Go\\bin"))
            .expect("by any means");
        files
            .add_descriptors("C:\\", &read)
            .expect("they are there");
        let sddl = |path| files.look(path).map(|node| node.descriptor().sddl());
        assert_eq!(
            sddl("C:\\Go").as_deref(),
            Some("O:BAG:SYD:AI(A;ID;FA;;;BA)")
        );
        assert_eq!(
            sddl("C:\\Go\\bin").as_deref(),
            Some("O:BAG:SYD:PAI(A;OICI;FA;;;SY)")
        );
        assert_eq!(saved_acls("Go\nD:(X)\n").expect_err("no SDDL").line, 2);
        assert_eq!(saved_acls("Go\n").expect_err("no DACL").line, 1);
    }

    #[test]
    fn what_get_acl_prints_becomes_descriptors() {
        let listed = "\nPath : Microsoft.PowerShell.Core\\FileSystem::C:\\Go\nSddl : O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;\n       0x1200a9;;;BU)\n\n";
        let read = get_acl(listed).expect("Format-List writes so");
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].0.as_deref(), Some("C:\\Go"));
        assert_eq!(
            read[0].1.sddl(),
            "O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)"
        );
        assert_eq!(
            get_acl("O:BAG:SY\nnonsense\n").expect_err("no SDDL").line,
            2
        );
    }

    #[test]
    fn an_icacls_listing_is_what_it_prints() {
        let root = defaults::descriptor(defaults::SYSTEM_ROOT);
        let mut listing = String::new();
        for (at, ace) in root.aces().expect("it has some").iter().enumerate() {
            let before = if at == 0 { "C:\\x y " } else { "       " };
            listing.push_str(&format!(
                "{before}{}:{}\r\n",
                ace.sid.account(),
                ace.icacls()
            ));
        }
        listing.push_str("\r\nSuccessfully processed 1 files; Failed processing 0 files\r\n");
        let read = icacls(&listing, |_| None).expect("icacls writes so");
        assert_eq!(read[0].0, "C:\\x y");
        let map = |ace: &Ace| Ace {
            mask: crate::win7::security::Kind::File.map(ace.mask),
            ..ace.clone()
        };
        let wanted: Vec<Ace> = root.aces().expect("it has some").iter().map(map).collect();
        let found: Vec<Ace> = read[0]
            .1
            .aces()
            .expect("it has some")
            .iter()
            .map(map)
            .collect();
        assert_eq!(found, wanted);
        let one = icacls("C:\\x y PC\\bob:(DENY)(W)\r\n", |name| {
            (name == "PC\\bob").then_some(Sid::USERS)
        });
        let one = one.expect("it is known");
        assert_eq!(
            (&*one[0].0, &*one[0].1.sddl()),
            ("C:\\x y", "D:(D;;FW;;;BU)")
        );
        assert_eq!(
            icacls("C:\\x PC\\bob:(F)\r\n", |_| None)
                .expect_err("nobody")
                .line,
            1
        );
        assert_eq!(
            icacls("C:\\x Everyone:(ZZ)\r\n", |_| None)
                .expect_err("no right")
                .line,
            1
        );
    }

    proptest! {
        #[test]
        fn every_text_has_an_answer(text in "([ -~中\r\n]|:\\(|Everyone|\\(I\\)|<DIR>|2010-11-21  11:24 ){0,80}") {
            let _ = (saved_acls(&text), get_acl(&text), icacls(&text, |_| None), directory_listing(&text));
        }
    }
}
