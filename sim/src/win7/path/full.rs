//! Full paths: RtlGetFullPathName_U, which GetFullPathName is.

use super::{BACKSLASH, BLANK, COLON, DOT, PathType, device_name, is_separator, path_type};
use crate::win7::text::upcase;

/// A full path.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Full {
    /// The path.
    pub path: Vec<u16>,
    /// Where its last component begins, if it has one: not for a directory that ends in a backslash, a root, a
    /// device.
    pub file_part: Option<usize>,
}

impl Full {
    /// The last component.
    pub fn file(&self) -> Option<&[u16]> {
        self.file_part.map(|at| &self.path[at..])
    }
}

/// The full path of a path; none for one that has nothing in it but blanks.
///
/// `directory` is the current directory, a full path. `on_drive` tells what the process last used on another
/// drive, whose letter it gets in upper case; without an answer it is the root of that drive.
pub fn full_path(
    path: &[u16],
    directory: &[u16],
    on_drive: impl Fn(u16) -> Option<Vec<u16>>,
) -> Option<Full> {
    if path.iter().all(|unit| *unit == BLANK) {
        return None;
    }
    if let Some(device) = device_name(path) {
        let mut full: Vec<u16> = "\\\\.\\".encode_utf16().collect();
        full.extend_from_slice(device.of(path));
        return Some(Full {
            path: full,
            file_part: None,
        });
    }
    let is_drive = directory.get(1) == Some(&COLON);
    let root_of_directory = match is_drive {
        true => 3.min(directory.len()),
        false => unc_root(directory),
    };
    let kind = path_type(path);
    // What comes before, how much of that is the root, and what is left of the path itself.
    let (mut full, root, rest): (Vec<u16>, Option<usize>, &[u16]) = match kind {
        PathType::UncAbsolute => (Vec::new(), None, path),
        PathType::LocalDevice => (Vec::new(), Some(4), path),
        PathType::RootLocalDevice => ("\\\\.\\".encode_utf16().collect(), Some(4), &[]),
        PathType::DriveAbsolute => {
            let mut full = Vec::with_capacity(path.len());
            full.extend_from_slice(&path[..3]);
            (full, Some(3), &path[3..])
        }
        PathType::Rooted => (
            directory[..root_of_directory].to_vec(),
            Some(root_of_directory),
            path,
        ),
        PathType::DriveRelative => {
            let drive = upcase(path[0]);
            let is_own = is_drive && directory.first().is_some_and(|own| upcase(*own) == drive);
            match is_own {
                true => (directory.to_vec(), Some(root_of_directory), &path[2..]),
                false => {
                    let before = on_drive(drive).unwrap_or_else(|| vec![drive, COLON, BACKSLASH]);
                    (before, Some(3), &path[2..])
                }
            }
        }
        PathType::Relative => {
            let mut full = Vec::with_capacity(directory.len() + 1 + path.len());
            full.extend_from_slice(directory);
            (full, Some(root_of_directory), path)
        }
    };
    let needs_separator = matches!(kind, PathType::DriveRelative | PathType::Relative)
        && !rest.is_empty()
        && !full.last().is_some_and(|unit| is_separator(*unit));
    if needs_separator {
        full.push(BACKSLASH);
    }
    full.reserve_exact(rest.len());
    full.extend_from_slice(rest);
    let root = root.unwrap_or_else(|| unc_root(&full));
    collapse(&mut full, root);
    let least = match kind {
        PathType::UncAbsolute => root,
        _ => 3,
    };
    let last = full.iter().rposition(|unit| *unit == BACKSLASH);
    let file_part = last
        .map(|at| at + 1)
        .filter(|at| *at < full.len() && *at >= least);
    Some(Full {
        path: full,
        file_part,
    })
}

/// How long `\\server\share` is at the beginning of a path.
fn unc_root(path: &[u16]) -> usize {
    let skip = |from: usize, separators: bool| {
        path[from..]
            .iter()
            .position(|unit| is_separator(*unit) != separators)
            .map_or(path.len(), |at| from + at)
    };
    let server = skip(2.min(path.len()), false);
    let share = skip(server, true);
    skip(share, false)
}

/// Slashes turned, runs of them one, `.` and `..` taken out behind the root, one dot at the end of a directory
/// and all dots and blanks at the end of the whole dropped. In place: what is kept moves towards the beginning.
fn collapse(path: &mut Vec<u16>, root: usize) {
    for unit in path.iter_mut() {
        if is_separator(*unit) {
            *unit = BACKSLASH;
        }
    }
    let len = path.len();
    let root = root.min(len);
    // Components are read at `from` and written at `to`, each with the backslash behind it if there is one in
    // the path; none is taken back beyond `floor`.
    let (mut from, mut to) = (root, root);
    if path.get(from) == Some(&BACKSLASH) {
        // A UNC root does not end in a backslash; the one behind it stays even if nothing follows.
        if root > 0 && path[root - 1] != BACKSLASH {
            to += 1;
        }
        from = skip(path, from, true);
    }
    let floor = to;
    while from < len {
        let end = skip(path, from, false);
        let next = skip(path, end, true);
        let is_last = end == len;
        match &path[from..end] {
            [DOT] => {
                // A dot at the very end takes the backslash before it along.
                if is_last && to > floor {
                    to -= 1;
                }
            }
            [DOT, DOT] => {
                if to > floor {
                    let above = path[floor..to - 1]
                        .iter()
                        .rposition(|unit| *unit == BACKSLASH);
                    to = above.map_or(floor, |at| floor + at + 1);
                    if is_last && to > floor {
                        to -= 1;
                    }
                }
            }
            component => {
                let kept = match component {
                    [.., DOT] if !is_last => end - 1,
                    _ => end,
                };
                path.copy_within(from..kept, to);
                to += kept - from;
                if !is_last {
                    path[to] = BACKSLASH;
                    to += 1;
                }
            }
        }
        from = next;
    }
    path.truncate(to);
    while path
        .last()
        .is_some_and(|unit| *unit == BLANK || *unit == DOT)
    {
        // `\\.` and `\\?` keep what makes them devices.
        if path.len() <= root.min(4) {
            break;
        }
        path.pop();
    }
}

/// The next place from here that holds no backslash, or one.
fn skip(path: &[u16], from: usize, backslashes: bool) -> usize {
    path[from..]
        .iter()
        .position(|unit| (*unit == BACKSLASH) != backslashes)
        .map_or(path.len(), |at| from + at)
}
