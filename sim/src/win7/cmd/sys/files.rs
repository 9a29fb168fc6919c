//! Files and directories, as a program sees them.

use std::sync::Arc;

use crate::win7::files::{Actor, Entry, Files};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::error::Win32;
use crate::win7::text::Wide;

use super::{Asked, Sys, Touch};
use crate::win7::cmd::kernel::album::Thing;
use crate::win7::cmd::log::Answer;

/// What an operation does to a file or directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFile {
    /// It reads it.
    Reads,
    /// It reads what is in a directory.
    Lists,
    /// It writes or makes it, or takes it away.
    Writes,
    /// It can move or take away more than itself.
    Moves,
}

/// A name that leads to another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Link {
    /// A symbolic link to a file.
    ToFile,
    /// A symbolic link to a directory.
    ToDirectory,
    /// A junction: to a full path of a directory.
    Junction,
}

impl Sys<'_> {
    /// The full name of a path from the current directory, as GetFullPathName gives it.
    pub fn full_path(&self, path: &[u16]) -> Vec<u16> {
        let block = self.local.block.clone();
        let on_drive = |drive: u16| {
            let letter = char::from_u32(drive.into())?;
            Some(block.drive_directory(letter)?.units().to_vec())
        };
        let full = crate::win7::path::full_path(path, self.local.directory.units(), on_drive);
        full.map_or_else(|| path.to_vec(), |full| full.path)
    }

    /// An operation on a file or directory, as this process.
    pub fn on_file<T: Answer>(
        &mut self,
        verb: &'static str,
        path: &[u16],
        how: OnFile,
        call: impl FnOnce(&mut Files, &Actor<'_>, &[u16]) -> Result<T, Win32>,
    ) -> Asked<Result<T, Win32>> {
        self.on_files(verb, path, None, how, call)
    }

    /// The same, which is about another file too.
    fn on_files<T: Answer>(
        &mut self,
        verb: &'static str,
        path: &[u16],
        also: Option<&[u16]>,
        how: OnFile,
        call: impl FnOnce(&mut Files, &Actor<'_>, &[u16]) -> Result<T, Win32>,
    ) -> Asked<Result<T, Win32>> {
        let also = also.map(|path| String::from_utf16_lossy(&self.full_path(path)).into());
        let path = path.to_vec();
        let full = String::from_utf16_lossy(&self.full_path(&path));
        let what: Arc<str> = full.as_str().into();
        self.perform(
            verb,
            move |_| {
                let (own, parent) = (file_resource(&full), folder_resource(&full));
                // A short name is a second name of the same file.
                let touch = match how {
                    _ if full.contains('~') => Touch::Everything,
                    OnFile::Reads => Touch::Reads(vec![own]),
                    OnFile::Lists => Touch::Reads(vec![format!("{own}\\*")]),
                    OnFile::Writes => Touch::Writes(vec![own, parent]),
                    OnFile::Moves => Touch::Everything,
                };
                (full, touch)
            },
            move |kernel, about, local| {
                let actor = Actor {
                    token: about.caller.token(),
                    directory: local.directory.units(),
                    environment: Some(&local.block),
                };
                let things = || {
                    let all = [&what].into_iter().chain(&also);
                    all.map(|full| Thing::File(full.clone())).collect()
                };
                kernel.operation(verb, &what, things, |kernel| {
                    match kernel.strike_file(how) {
                        Some(error) => Err(error),
                        None => call(&mut kernel.machine.files, &actor, &path),
                    }
                })
            },
        )
    }

    /// GetFileAttributes.
    pub fn attributes(&mut self, path: &[u16]) -> Asked<Result<Attributes, Win32>> {
        self.on_file("attributes", path, OnFile::Reads, |files, actor, path| {
            files
                .attributes(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// SetFileAttributes.
    pub fn set_attributes(
        &mut self,
        path: &[u16],
        attributes: Attributes,
    ) -> Asked<Result<(), Win32>> {
        self.on_file(
            "set attributes",
            path,
            OnFile::Writes,
            move |files, actor, path| {
                let set = files.set_attributes(actor, path, attributes);
                set.map_err(|failure| failure.win32())
            },
        )
    }

    /// FindFirstFile and FindNextFile: all entries of a directory, in the order of names, without `.` and `..`.
    pub fn list(&mut self, directory: &[u16]) -> Asked<Result<Vec<Entry>, Win32>> {
        self.on_file("list", directory, OnFile::Lists, |files, actor, path| {
            files.list(actor, path).map_err(|failure| failure.win32())
        })
    }

    /// All of a file.
    pub fn read_file(&mut self, path: &[u16]) -> Asked<Result<Arc<[u8]>, Win32>> {
        self.on_file("read", path, OnFile::Reads, |files, actor, path| {
            files
                .read_file(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// Makes a file, or replaces what is there.
    pub fn write_file(&mut self, path: &[u16], bytes: &[u8]) -> Asked<Result<(), Win32>> {
        let bytes = bytes.to_vec();
        self.on_file("write", path, OnFile::Writes, move |files, actor, path| {
            let written = files.write_file(actor, path, &bytes);
            written.map_err(|failure| failure.win32())
        })
    }

    /// DeleteFile.
    pub fn delete_file(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        self.on_file("delete", path, OnFile::Writes, |files, actor, path| {
            files
                .delete_file(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// CreateDirectory.
    pub fn create_directory(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        self.on_file("create", path, OnFile::Writes, |files, actor, path| {
            let created = files.create_directory(actor, path, None);
            created.map_err(|failure| failure.win32())
        })
    }

    /// RemoveDirectory.
    pub fn remove_directory(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        self.on_file("remove", path, OnFile::Moves, |files, actor, path| {
            files
                .remove_directory(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// MoveFileEx; `replace` is MOVEFILE_REPLACE_EXISTING.
    pub fn rename(&mut self, from: &[u16], to: &[u16], replace: bool) -> Asked<Result<(), Win32>> {
        let new = to.to_vec();
        let call = move |files: &mut Files, actor: &Actor<'_>, path: &[u16]| {
            let renamed = files.rename(actor, path, &new, replace);
            renamed.map_err(|failure| failure.win32())
        };
        self.on_files("move", from, Some(to), OnFile::Moves, call)
    }

    /// CreateSymbolicLink, or what makes a junction.
    pub fn create_link(
        &mut self,
        path: &[u16],
        target: &[u16],
        kind: Link,
    ) -> Asked<Result<(), Win32>> {
        let target = target.to_vec();
        // Other names lead elsewhere after that.
        self.on_file("link", path, OnFile::Moves, move |files, actor, path| {
            let made = match kind {
                Link::Junction => files.create_junction(actor, path, &target),
                _ => {
                    let to_directory = kind == Link::ToDirectory;
                    files.create_symbolic_link(actor, path, &target, to_directory)
                }
            };
            made.map_err(|failure| failure.win32())
        })
    }

    /// What a link at a path itself is, and where it leads; none if there is none.
    pub fn link_at(&mut self, path: &[u16]) -> Asked<Option<(Link, Wide)>> {
        let found = self.on_file("read link", path, OnFile::Reads, |files, actor, path| {
            let is_directory = files
                .attributes(actor, path)
                .is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY));
            Ok(files.link_at(actor, path).map(|(is_junction, target)| {
                let kind = match (is_junction, is_directory) {
                    (true, _) => Link::Junction,
                    (false, true) => Link::ToDirectory,
                    (false, false) => Link::ToFile,
                };
                (kind, Wide::new(target))
            }))
        })?;
        Ok(found.ok().flatten())
    }

    /// The file that a command name would run from here, as cmd searches; its path as directories spell it.
    pub fn spelled(&mut self, path: &str) -> Asked<Option<String>> {
        let path = path.to_owned();
        let what = path.clone();
        self.perform(
            "look for",
            move |_| (what.clone(), Touch::Reads(vec![file_resource(&what)])),
            move |kernel, _, _| kernel.machine.files.spelled(&path),
        )
    }

    /// What FindFirstFile says of one path; nothing if it is not there.
    pub fn entry(&mut self, path: &[u16]) -> Asked<Option<Entry>> {
        let found = self.on_file("find", path, OnFile::Reads, |files, actor, path| {
            let node = files.look(&String::from_utf16_lossy(path));
            let _ = actor;
            Ok(node.map(|node| Entry {
                name: node.name().clone(),
                short_name: node.short_name().cloned(),
                attributes: node.attributes(),
                len: node.content().map_or(0, |content| content.len() as u64),
            }))
        })?;
        Ok(found.ok().flatten())
    }

    /// SetCurrentDirectory, and the hidden variable of the drive.
    pub fn change_directory(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        let found = self.on_file("change to", path, OnFile::Reads, |files, actor, path| {
            let full = files.current_directory(actor, path);
            full.map_err(|failure| failure.win32())
        })?;
        let full = match found {
            Ok(full) => full,
            Err(error) => return Ok(Err(error)),
        };
        if let [letter, colon, ..] = full.as_slice()
            && *colon == u16::from(b':')
        {
            let name = [u16::from(b'='), *letter, *colon];
            let block = Arc::make_mut(&mut self.local.block);
            let _ = block.set(&Wide::from(&name[..]), &Wide::from(full.as_slice()));
        }
        self.local.directory = Wide::new(full);
        Ok(Ok(()))
    }
}

fn upper(text: &str) -> String {
    Wide::from(text.trim_end_matches('\\'))
        .to_upcase()
        .to_utf8_lossy()
}

/// The resource of a file: its full path.
pub fn file_resource(full: &str) -> String {
    format!("file:{}", upper(full))
}

/// The resource of what a folder holds.
pub fn folder_content(folder: &str) -> String {
    format!("{}\\*", file_resource(folder))
}

/// The resource of the list of a file's folder.
pub(super) fn folder_resource(full: &str) -> String {
    let full = upper(full);
    let folder = full.rsplit_once('\\').map_or("", |(folder, _)| folder);
    format!("file:{folder}\\*")
}
