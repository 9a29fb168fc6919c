//! `dir /s`.

use super::{Flaw, flaw, lines};

/// Something in a `dir /s` listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// The line that lists it, from 1.
    pub line: usize,
    /// Its full path.
    pub path: String,
    /// What it is.
    pub what: What,
}

/// What is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A directory.
    Directory,
    /// A file of so many bytes.
    File(u64),
    /// A junction or symbolic link.
    Link {
        /// Where it leads.
        target: String,
        /// Whether it stands for a directory.
        is_directory: bool,
        /// Whether it is a junction.
        is_junction: bool,
    },
}

/// What `dir /s` lists, in English or Chinese. Hidden files are there if it was `dir /a /s`.
///
/// # Errors
/// The first line that is not so.
pub fn directory_listing(text: &str) -> Result<Vec<Listed>, Flaw> {
    let mut directory: Option<String> = None;
    let mut found = Vec::new();
    for (number, line) in lines(text) {
        let trimmed = line.trim();
        let heading = trimmed
            .strip_prefix("Directory of ")
            .or(trimmed.strip_suffix(" 的目录"));
        if let Some(path) = heading {
            directory = Some(path.to_owned());
            found.push(Listed {
                line: number,
                path: path.to_owned(),
                what: What::Directory,
            });
            continue;
        }
        if trimmed.is_empty() || is_about_the_volume(trimmed) || is_sum(trimmed) {
            continue;
        }
        let Some(directory) = &directory else {
            return flaw(number, format!("{line:?} is in no directory"));
        };
        let (what, name) = entry(line).or_else(|what| flaw(number, format!("{line:?} {what}")))?;
        if name == "." || name == ".." {
            continue;
        }
        found.push(Listed {
            line: number,
            path: format!("{}\\{name}", directory.trim_end_matches('\\')),
            what,
        });
    }
    match found.is_empty() {
        true => flaw(1, "it lists no directory, as `dir /s` would"),
        false => Ok(found),
    }
}

/// The label and serial number of the volume, and the heading of the last sums.
fn is_about_the_volume(line: &str) -> bool {
    let starts = [
        "Volume in drive ",
        "Volume Serial Number is ",
        "驱动器 ",
        "卷的序列号是 ",
    ];
    starts.iter().any(|start| line.starts_with(start))
        || line == "Total Files Listed:"
        || line == "所列文件总数:"
}

/// `2 File(s)     13,952,008 bytes`.
fn is_sum(line: &str) -> bool {
    let mut words = line.split_ascii_whitespace();
    let (count, what) = (words.next().and_then(number), words.next());
    count.is_some()
        && what.is_some_and(|what| ["File(s)", "Dir(s)", "个文件", "个目录"].contains(&what))
}

fn number(digits: &str) -> Option<u64> {
    digits
        .replace([',', '.', '\u{a0}', '\u{202f}'], "")
        .parse()
        .ok()
}

/// `2010-11-21  11:24    <DIR>          name`, `07/14/2009  09:39 AM           179,712 name`,
/// `2009-07-14  13:08    <JUNCTION>     name [C:\target]`.
fn entry(line: &str) -> Result<(What, &str), &'static str> {
    const NO_ENTRY: &str = "is no entry of a directory";
    let is_date = |word: &str| {
        word.len() >= 8
            && word
                .chars()
                .all(|c| c.is_ascii_digit() || "-/.".contains(c))
    };
    let mut rest = line;
    let mut next = || {
        let (word, after) = rest.trim_start_matches(' ').split_once(' ')?;
        rest = after;
        Some(word)
    };
    next().filter(|word| is_date(word)).ok_or(NO_ENTRY)?;
    next().filter(|word| word.contains(':')).ok_or(NO_ENTRY)?;
    let mut kind = next().ok_or(NO_ENTRY)?;
    if ["AM", "PM", "上午", "下午"].contains(&kind) {
        kind = next().ok_or(NO_ENTRY)?;
    }
    // What is no size takes 14 columns, and one that divides.
    let behind_kind = |kind: &str| {
        let blanks = " ".repeat(14_usize.saturating_sub(kind.len()));
        rest.strip_prefix(&*blanks).ok_or(NO_ENTRY)
    };
    let link = |is_directory, is_junction| {
        let (name, target) = behind_kind(kind)?.rsplit_once(" [").ok_or(NO_ENTRY)?;
        let target = target.trim_end().strip_suffix(']').ok_or(NO_ENTRY)?;
        let target = target.strip_prefix("\\??\\").unwrap_or(target).to_owned();
        let what = What::Link {
            target,
            is_directory,
            is_junction,
        };
        Ok::<_, &'static str>((what, name))
    };
    let (what, name) = match kind {
        "<DIR>" => (What::Directory, behind_kind(kind)?),
        "<JUNCTION>" => link(true, true)?,
        "<SYMLINKD>" => link(true, false)?,
        "<SYMLINK>" => link(false, false)?,
        size => (What::File(number(size).ok_or(NO_ENTRY)?), rest),
    };
    match name.trim_end() {
        "" => Err(NO_ENTRY),
        name if name.starts_with(' ') || name.contains("  ") => {
            Err("has another column before the name: use dir without /x, /q and /r")
        }
        name => Ok((what, name)),
    }
}
