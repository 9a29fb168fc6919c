//! What differs between the drives of two machines.

use std::fmt;

use super::Files;
use crate::win7::ntfs::Node;

/// One difference, from the drives before to those after.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// A file or directory is new; what is in it is too, and follows.
    Added(String),
    /// It is gone with all in it.
    Removed(String),
    /// A file holds something else.
    Content(String),
    /// Its descriptor, its attributes, its name's case or a stream of it is another.
    Otherwise(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Added(path) => write!(f, "+ {path}"),
            Difference::Removed(path) => write!(f, "- {path}"),
            Difference::Content(path) => write!(f, "~ {path}"),
            Difference::Otherwise(path) => write!(f, "~ {path}: its security, attributes or name"),
        }
    }
}

/// All differences, in the order of names. What both share costs nothing.
pub fn diff(old: &Files, new: &Files) -> Vec<Difference> {
    let mut found = Vec::new();
    for letter in 'A'..='Z' {
        match (old.volume(letter), new.volume(letter)) {
            (Some(old), Some(new)) => {
                compare(&format!("{letter}:"), old.root(), new.root(), &mut found);
            }
            (None, Some(_)) => found.push(Difference::Added(format!("{letter}:\\"))),
            (Some(_), None) => found.push(Difference::Removed(format!("{letter}:\\"))),
            (None, None) => {}
        }
    }
    found
}

fn compare(path: &str, old: &Node, new: &Node, found: &mut Vec<Difference>) {
    if old.digest() == new.digest() {
        return;
    }
    let before = found.len();
    if old.is_directory() != new.is_directory() {
        found.push(Difference::Removed(path.into()));
        add(path, new, found);
        return;
    }
    for entry in old.entries() {
        let below = format!("{path}\\{}", entry.name());
        match new.entry(entry.name()) {
            Some(other) => compare(&below, entry, other, found),
            None => found.push(Difference::Removed(below)),
        }
    }
    for entry in new.entries() {
        if old.entry(entry.name()).is_none() {
            add(&format!("{path}\\{}", entry.name()), entry, found);
        }
    }
    if old.content() != new.content() {
        found.push(Difference::Content(path.into()));
    }
    if found.len() == before {
        found.push(Difference::Otherwise(path.into()));
    }
}

fn add(path: &str, node: &Node, found: &mut Vec<Difference>) {
    found.push(Difference::Added(path.into()));
    for entry in node.entries() {
        add(&format!("{path}\\{}", entry.name()), entry, found);
    }
}
