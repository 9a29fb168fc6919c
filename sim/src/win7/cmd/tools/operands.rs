//! What the programs here share about their operands: files that a pattern finds, lines of bytes.

use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::{Wildcard, has_wildcard};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::error::Win32;

const BACKSLASH: u16 = b'\\' as u16;

/// Something that a pattern found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Found {
    /// Its path: as the pattern begins, with the name as the directory spells it.
    pub path: Vec<u16>,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Found {
    pub fn is_directory(&self) -> bool {
        self.attributes.has(Attributes::DIRECTORY)
    }
}

/// The folder part of a path, with its backslash or colon, and the last component.
pub(super) fn split(path: &[u16]) -> (&[u16], &[u16]) {
    let is_end = |unit: &u16| [BACKSLASH, u16::from(b'/'), u16::from(b':')].contains(unit);
    let at = path.iter().rposition(is_end).map_or(0, |at| at + 1);
    path.split_at(at)
}

/// A name in a folder.
pub(super) fn join(folder: &[u16], name: &[u16]) -> Vec<u16> {
    let mut path = folder.to_vec();
    if !path.is_empty() && !matches!(path.last(), Some(&(BACKSLASH | 0x2F | 0x3A))) {
        path.push(BACKSLASH);
    }
    path.extend_from_slice(name);
    path
}

/// The folder that a folder part names: the current one if it is empty.
pub(super) fn folder_of(part: &[u16]) -> Vec<u16> {
    match part {
        [] => vec![u16::from(b'.')],
        part => part.to_vec(),
    }
}

/// What a path or a pattern finds: FindFirstFile with the rest. A path without wildcards is one call for its
/// attributes.
pub(super) fn find(sys: &mut Sys<'_>, pattern: &[u16]) -> Asked<Result<Vec<Found>, Win32>> {
    let (folder, name) = split(pattern);
    if !has_wildcard(name) {
        let found = sys.attributes(pattern)?;
        return Ok(found.map(|attributes| {
            vec![Found {
                path: pattern.to_vec(),
                attributes,
            }]
        }));
    }
    find_in(sys, folder, &Wildcard::new(name))
}

/// What a pattern finds in a folder.
pub(super) fn find_in(
    sys: &mut Sys<'_>,
    folder: &[u16],
    wildcard: &Wildcard,
) -> Asked<Result<Vec<Found>, Win32>> {
    let listed = sys.list(&folder_of(folder))?;
    Ok(listed.map(|entries| {
        entries
            .iter()
            .filter(|entry| wildcard.finds(&entry.name, entry.short_name.as_ref()))
            .map(|entry| Found {
                path: join(folder, entry.name.units()),
                attributes: entry.attributes,
            })
            .collect()
    }))
}

/// The lines of some bytes, each with its line feed if it has one.
pub(super) fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

/// A line without its line end.
pub(super) fn plain(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}
