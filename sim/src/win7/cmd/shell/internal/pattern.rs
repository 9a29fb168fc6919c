//! Files by pattern, as FindFirstFile finds them.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `*` any run, `?` one unit or none at the end of a part; `*.*` is everything | documentation of FindFirstFile; observed | yes |
//! | short names count | observed | yes |
//! | hidden and system files are found; commands leave them out where they say so | documentation | yes |

use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::files::Entry;
use crate::win7::ntfs::Attributes;
use crate::win7::registry::error::Win32;
use crate::win7::text::upcase;

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// Files that are not hidden.
    Files,
    /// Directories that are not hidden.
    Directories,
    /// All, hidden ones too.
    Everything,
}

/// Whether a name fits a pattern.
pub fn fits(pattern: &[u16], name: &[u16]) -> bool {
    let upper = |text: &[u16]| -> Vec<u16> { text.iter().copied().map(upcase).collect() };
    let (mut pattern, mut name) = (upper(pattern), upper(name));
    const ALL: [u16; 3] = [0x2a, 0x2e, 0x2a];
    if pattern == ALL {
        return true;
    }
    // `*.*` behind something, and `*.`: a name without an extension has an empty one.
    if pattern.contains(&0x2e) && !name.contains(&0x2e) {
        name.push(0x2e);
    }
    if pattern.ends_with(&[0x2e]) && !pattern.ends_with(&[0x2e, 0x2e]) && name.last() != Some(&0x2e)
    {
        return false;
    }
    if pattern.is_empty() {
        pattern.push(0x2a);
    }
    matches_from(&pattern, &name)
}

fn matches_from(pattern: &[u16], name: &[u16]) -> bool {
    // The usual two pointers: where the last star is, and what it has taken so far.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(0x2a) => {
                star = Some((p, n));
                p += 1;
                continue;
            }
            Some(0x3f) if n < name.len() && name[n] != 0x2e => {
                p += 1;
                n += 1;
                continue;
            }
            // At the end of a part it may stand for nothing.
            Some(0x3f) => {
                p += 1;
                continue;
            }
            Some(unit) if name.get(n) == Some(unit) => {
                p += 1;
                n += 1;
                continue;
            }
            None if n == name.len() => return true,
            _ => {}
        }
        match star {
            Some((at, taken)) if taken < name.len() => {
                star = Some((at, taken + 1));
                p = at + 1;
                n = taken + 1;
            }
            _ => return false,
        }
    }
}

/// Whether a path has a pattern in its last part.
pub fn is_pattern(path: &[u16]) -> bool {
    path.iter().any(|unit| matches!(*unit, 0x2a | 0x3f))
}

/// A path in two: its folder with what divides it from the name, and the name.
pub fn divide(path: &[u16]) -> (&[u16], &[u16]) {
    let at = path
        .iter()
        .rposition(|unit| matches!(*unit, 0x5c | 0x2f | 0x3a));
    path.split_at(at.map_or(0, |at| at + 1))
}

/// The entries of a directory that fit the last part of a path.
pub fn matches(sys: &mut Sys<'_>, path: &[u16], want: Want) -> Asked<Result<Vec<Entry>, Win32>> {
    let (folder, name) = divide(path);
    let folder: &[u16] = match folder.is_empty() {
        true => &[0x2e],
        false => folder,
    };
    let listed = match sys.list(folder)? {
        Ok(listed) => listed,
        Err(error) => return Ok(Err(error)),
    };
    let wanted = |entry: &Entry| {
        let is_directory = entry.attributes.has(Attributes::DIRECTORY);
        let is_hidden = entry.attributes.has(Attributes::HIDDEN);
        match want {
            Want::Files => !is_directory && !is_hidden,
            Want::Directories => is_directory && !is_hidden,
            Want::Everything => true,
        }
    };
    let fits_name = |entry: &Entry| {
        let short = entry.short_name.as_ref();
        fits(name, entry.name.units()) || short.is_some_and(|short| fits(name, short.units()))
    };
    Ok(Ok(listed
        .into_iter()
        .filter(|entry| wanted(entry) && fits_name(entry))
        .collect()))
}

#[cfg(test)]
mod tests {
    use super::fits;
    use crate::win7::registry::units;

    #[test]
    fn patterns_fit_as_find_first_file_has_it() {
        let fits = |pattern: &str, name: &str| fits(&units(pattern), &units(name));
        for (pattern, name) in [
            ("*.*", "readme"),
            ("*.txt", "A.TXT"),
            ("a?c.*", "abc.x"),
            ("*", ".x"),
            ("a??", "a"),
            ("*.", "readme"),
            ("a*b*c", "aXXbYYc"),
        ] {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("*.txt", "a.txt.bak"),
            ("a?c", "ac2"),
            ("*.", "a.b"),
            ("b*", "ab"),
        ] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
