//! Files by pattern, as FindFirstFile finds them.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | hidden and system files are found; commands leave them out where they say so | documentation | yes |

use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::Wildcard;
use crate::win7::files::Entry;
use crate::win7::ntfs::Attributes;
use crate::win7::registry::error::Win32;

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

/// What `/a` asks of attributes: each must be there, or must not.
#[derive(Clone, Debug, Default)]
pub struct Filter(Vec<(Attributes, bool)>);

impl Filter {
    /// What stands behind `/a`, such as `:d-h`.
    ///
    /// # Errors
    /// The letter that is none.
    pub fn read(text: &str) -> Result<Filter, char> {
        let mut all = Vec::new();
        let mut must = true;
        for letter in text.trim_start_matches(':').chars() {
            let bit = match letter {
                '-' => {
                    must = false;
                    continue;
                }
                'd' => Attributes::DIRECTORY,
                'h' => Attributes::HIDDEN,
                's' => Attributes::SYSTEM,
                'r' => Attributes::READONLY,
                'a' => Attributes::ARCHIVE,
                letter => return Err(letter),
            };
            all.push((bit, std::mem::replace(&mut must, true)));
        }
        Ok(Filter(all))
    }

    /// Whether attributes are as it asks.
    pub fn fits(&self, attributes: Attributes) -> bool {
        self.0
            .iter()
            .all(|(bit, must)| attributes.has(*bit) == *must)
    }

    /// Whether it asks for this attribute.
    pub fn wants(&self, bit: Attributes) -> bool {
        self.0.contains(&(bit, true))
    }
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
    let pattern = Wildcard::new(name);
    let fits_name = |entry: &Entry| pattern.finds(&entry.name, entry.short_name.as_ref());
    Ok(Ok(listed
        .into_iter()
        .filter(|entry| wanted(entry) && fits_name(entry))
        .collect()))
}
