//! From path to inode (`path_resolution(7)`).

use std::collections::VecDeque;

use super::super::errno::Errno;
use super::super::syscall::Text;
use super::{FileSystem, InodeId, Node};

/// What to do when the last component is a symbolic link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Follow it: `open`, `stat`, `chdir`, `execve`.
    Follow,
    /// Keep it, unless a slash follows: `lstat`, `readlink`, `open` with `O_CREAT|O_EXCL`.
    Keep,
    /// Keep it always, as an entry to make, move or remove: `mkdir`, `symlink`, `unlink`, `rename`.
    Name,
}

/// Where a path leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The directory of the last component.
    pub directory: InodeId,
    /// The last component; empty for the root.
    pub name: Text,
    /// What is there, if anything.
    pub inode: Option<InodeId>,
    /// The path ended with a slash, so it must be a directory.
    pub trailing_slash: bool,
}

impl Resolved {
    /// The inode, or `ENOENT`.
    pub fn found(self) -> Result<InodeId, Errno> {
        self.inode.ok_or(Errno::ENOENT)
    }
}

/// `MAXSYMLINKS` of `include/linux/namei.h`.
const MAX_SYMLINKS: u32 = 40;
/// `NAME_MAX`.
const MAX_NAME: usize = 255;
/// `PATH_MAX`, with the closing NUL.
const MAX_PATH: usize = 4096;

impl FileSystem {
    /// Resolves a path. With `reads`, every directory entry that decides the answer is appended there, found or not, by
    /// its [`entry_name`]; the entry that the answer names is among them.
    pub fn resolve(
        &self,
        cwd: &InodeId,
        path: &str,
        last: Last,
        mut reads: Option<&mut Vec<Text>>,
    ) -> Result<Resolved, Errno> {
        if path.is_empty() {
            return Err(Errno::ENOENT);
        }
        if path.len() >= MAX_PATH {
            return Err(Errno::ENAMETOOLONG);
        }
        let mut note = |name: Text| {
            if let Some(reads) = reads.as_deref_mut() {
                reads.push(name);
            }
        };
        let start = |path: &str, from: &InodeId| {
            if path.starts_with('/') {
                InodeId::root()
            } else {
                from.clone()
            }
        };
        let trailing_slash = path.ends_with('/');
        let mut links = 0;
        let mut at = start(path, cwd);
        let mut rest = components(path);
        let mut answer = Resolved {
            directory: at.clone(),
            name: "".into(),
            inode: Some(at.clone()),
            trailing_slash,
        };
        while let Some(name) = rest.pop_front() {
            let is_last = rest.is_empty();
            let Some(Node::Directory { entries, parent }) = self.node(&at) else {
                return Err(Errno::ENOTDIR);
            };
            if name.len() > MAX_NAME {
                return Err(Errno::ENAMETOOLONG);
            }
            let next = match name.as_ref() {
                "." => Some(at.clone()),
                ".." => {
                    note(parent_name(&at));
                    Some(parent.clone())
                }
                _ => {
                    note(entry_name(&at, &name));
                    entries.get(&name).cloned()
                }
            };
            let Some(next) = next else {
                if !is_last {
                    return Err(Errno::ENOENT);
                }
                // A directory that was removed takes no new entries.
                if !self.inodes.get(&at).is_some_and(|inode| inode.linked) {
                    return Err(Errno::ENOENT);
                }
                return Ok(Resolved {
                    directory: at,
                    name,
                    inode: None,
                    trailing_slash,
                });
            };
            let follows = !is_last
                || match last {
                    Last::Follow => true,
                    Last::Keep => trailing_slash,
                    Last::Name => false,
                };
            match self.node(&next) {
                Some(Node::Symlink(target)) if follows => {
                    links += 1;
                    if links > MAX_SYMLINKS {
                        return Err(Errno::ELOOP);
                    }
                    at = start(target, &at);
                    let mut expanded = components(target);
                    expanded.append(&mut rest);
                    rest = expanded;
                    answer.directory = at.clone();
                    answer.name = "".into();
                    answer.inode = Some(at.clone());
                }
                _ => {
                    answer.directory = at;
                    answer.name = name;
                    answer.inode = Some(next.clone());
                    at = next;
                }
            }
        }
        let is_directory = matches!(self.node(&at), Some(Node::Directory { .. }));
        if trailing_slash && last != Last::Name && !is_directory {
            return Err(Errno::ENOTDIR);
        }
        Ok(answer)
    }
}

/// The resource name of a directory entry: the path, where nothing above it was renamed since the start.
pub fn entry_name(directory: &InodeId, name: &str) -> Text {
    let InodeId(directory) = directory;
    if &**directory == "/" {
        return format!("/{name}").into();
    }
    format!("{directory}/{name}").into()
}

/// The resource name of "where `..` of this directory leads, and what it is called there".
pub fn parent_name(directory: &InodeId) -> Text {
    format!("{}/..", directory.0).into()
}

/// The resource name of "which names this directory has". Whoever adds or removes one only reads it, so that two such
/// do not exclude each other; whoever lists the directory writes it.
pub fn list_name(directory: &InodeId) -> Text {
    format!("{}/*", directory.0).into()
}

/// The resource name of what is in a file.
pub fn content_name(inode: &InodeId) -> Text {
    format!("data:{}", inode.0).into()
}

fn components(path: &str) -> VecDeque<Text> {
    path.split('/')
        .filter(|name| !name.is_empty())
        .map(Into::into)
        .collect()
}
