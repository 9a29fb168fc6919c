//! A file system in memory: directories, files, symbolic links.
//!
//! Inodes are named by birth (creator and its own ordinal; initial ones by their path), so that two orders of events
//! which lead to the same situation lead to equal values. All data is shared until written.

pub(super) mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::errno::Errno;
use super::syscall::{OpenFlags, Text};

pub use resolve::{Last, Resolved};

/// The name of an inode by birth: a path for initial ones, `process#n` for the n-th that a process made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InodeId(pub Text);

impl InodeId {
    /// The root directory.
    pub fn root() -> Self {
        Self("/".into())
    }
}

/// A regular file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct File {
    /// Its bytes.
    pub data: Arc<[u8]>,
    /// Has execute permission.
    pub executable: bool,
}

/// The beginning of a modelled program's file. What a real one has in its sections follows as text, so that a copy of
/// the bytes is a copy of the program.
const PROGRAM_MAGIC: &[u8] = b"\x7fELF";

impl File {
    /// An executable of a program the lab has a model of.
    pub fn program(image: &str, version: Option<&str>) -> Self {
        let version = version.unwrap_or("");
        let data = [
            PROGRAM_MAGIC,
            b"\0",
            image.as_bytes(),
            b"\0",
            version.as_bytes(),
        ]
        .concat();
        Self {
            data: data.into(),
            executable: true,
        }
    }

    fn section(&self, number: usize) -> Option<&str> {
        let text = self
            .data
            .strip_prefix(PROGRAM_MAGIC)?
            .split(|&byte| byte == 0)
            .nth(number)?;
        std::str::from_utf8(text)
            .ok()
            .filter(|text| !text.is_empty())
    }

    /// The program this executable is: `bash`, `sort`, `go`.
    pub fn image(&self) -> Option<&str> {
        self.section(1)
    }

    /// The version of that program, where it matters: `1.21.13`.
    pub fn version(&self) -> Option<&str> {
        self.section(2)
    }
}

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// `/dev/null` (`null(4)`).
    Null,
    /// `/dev/tty`: writes are printed, reads are at the end.
    Terminal,
}

/// What an inode is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A directory.
    Directory {
        /// Names in it, without `.` and `..`.
        entries: BTreeMap<Text, InodeId>,
        /// Where `..` leads.
        parent: InodeId,
    },
    /// A regular file.
    File(File),
    /// A symbolic link and what it says.
    Symlink(Text),
    /// A device.
    Device(Device),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Inode {
    /// A directory entry leads here. If not, it lives only while a process holds it.
    linked: bool,
    node: Node,
}

/// The kind of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Directory.
    Directory,
    /// Regular file.
    File,
    /// Symbolic link.
    Symlink,
    /// Character device.
    Device,
}

/// What `stat(2)` tells. There are no times, owners and permission classes in this model.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stat {
    /// Which inode (stands for `st_dev` and `st_ino`).
    pub inode: InodeId,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file, or length of a link.
    pub size: u64,
    /// `access(path, X_OK)` would succeed.
    pub executable: bool,
}

/// A file system. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileSystem {
    inodes: Arc<BTreeMap<InodeId, Arc<Inode>>>,
}

impl Default for FileSystem {
    fn default() -> Self {
        Self::new()
    }
}

/// Ordinary files grow no larger here, so that a loop in a script ends with an error instead of the host's memory.
pub const MAX_FILE: usize = 64 * 1024 * 1024;

impl FileSystem {
    /// An almost empty one: `/`, `/dev/null`, `/dev/tty` and `/tmp`.
    pub fn new() -> Self {
        let root = Inode {
            linked: true,
            node: Node::Directory {
                entries: BTreeMap::new(),
                parent: InodeId::root(),
            },
        };
        let mut fs = Self {
            inodes: Arc::new(BTreeMap::from([(InodeId::root(), Arc::new(root))])),
        };
        for directory in ["/dev", "/tmp"] {
            fs.attach(
                &InodeId::root(),
                &directory[1..],
                InodeId(directory.into()),
                |parent| Node::Directory {
                    entries: BTreeMap::new(),
                    parent,
                },
            );
        }
        let dev = InodeId("/dev".into());
        fs.attach(&dev, "null", InodeId("/dev/null".into()), |_| {
            Node::Device(Device::Null)
        });
        fs.attach(&dev, "tty", InodeId("/dev/tty".into()), |_| {
            Node::Device(Device::Terminal)
        });
        fs
    }

    // Set-up: everything here is named by its path, and missing directories are made.

    /// Makes a directory and those above it.
    pub fn add_directory(&mut self, path: &str) -> Result<InodeId, Errno> {
        let mut at = InodeId::root();
        let mut so_far = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            so_far.push('/');
            so_far.push_str(name);
            let next = self.entries(&at)?.get(name).cloned();
            at = match next {
                Some(_) => self
                    .resolve(&InodeId::root(), &so_far, Last::Follow, None)?
                    .found()?,
                None => {
                    let id = InodeId(so_far.as_str().into());
                    self.attach(&at, name, id.clone(), |parent| Node::Directory {
                        entries: BTreeMap::new(),
                        parent,
                    });
                    id
                }
            };
            if !matches!(self.node(&at), Some(Node::Directory { .. })) {
                return Err(Errno::ENOTDIR);
            }
        }
        Ok(at)
    }

    /// Puts a regular file at an absolute path.
    pub fn add_file(&mut self, path: &str, data: &[u8]) -> Result<(), Errno> {
        self.add_node(
            path,
            Node::File(File {
                data: data.into(),
                executable: false,
            }),
        )
    }

    /// Puts an executable text file, a script, at an absolute path.
    pub fn add_script(&mut self, path: &str, data: &[u8]) -> Result<(), Errno> {
        self.add_node(
            path,
            Node::File(File {
                data: data.into(),
                executable: true,
            }),
        )
    }

    /// Puts an executable of a modelled program at an absolute path.
    pub fn add_program(
        &mut self,
        path: &str,
        image: &str,
        version: Option<&str>,
    ) -> Result<(), Errno> {
        let file = File::program(image, version);
        self.add_node(path, Node::File(file))
    }

    /// Puts a symbolic link at an absolute path.
    pub fn add_symlink(&mut self, path: &str, target: &str) -> Result<(), Errno> {
        self.add_node(path, Node::Symlink(target.into()))
    }

    fn add_node(&mut self, path: &str, node: Node) -> Result<(), Errno> {
        let (directory, name) = path.rsplit_once('/').ok_or(Errno::EINVAL)?;
        if name.is_empty() {
            return Err(Errno::EISDIR);
        }
        let directory = self.add_directory(directory)?;
        if self.entries(&directory)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        self.attach(&directory, name, InodeId(path.into()), |_| node);
        Ok(())
    }

    // Reading.

    /// The inode's content, or `None` if it is gone.
    pub fn node(&self, id: &InodeId) -> Option<&Node> {
        self.inodes.get(id).map(|inode| &inode.node)
    }

    /// The file behind an inode, if it is one.
    pub fn file(&self, id: &InodeId) -> Option<&File> {
        match self.node(id)? {
            Node::File(file) => Some(file),
            _ => None,
        }
    }

    fn entries(&self, id: &InodeId) -> Result<&BTreeMap<Text, InodeId>, Errno> {
        match self.node(id) {
            Some(Node::Directory { entries, .. }) => Ok(entries),
            Some(_) => Err(Errno::ENOTDIR),
            None => Err(Errno::ENOENT),
        }
    }

    /// `stat(2)`, or `lstat(2)` with [`Last::Keep`].
    pub fn stat(&self, cwd: &InodeId, path: &str, last: Last) -> Result<Stat, Errno> {
        let inode = self.resolve(cwd, path, last, None)?.found()?;
        let (kind, size, executable) = match self.node(&inode).ok_or(Errno::ENOENT)? {
            Node::Directory { .. } => (Kind::Directory, 0, true),
            Node::File(file) => (Kind::File, file.data.len() as u64, file.executable),
            Node::Symlink(target) => (Kind::Symlink, target.len() as u64, true),
            Node::Device(_) => (Kind::Device, 0, false),
        };
        Ok(Stat {
            inode,
            kind,
            size,
            executable,
        })
    }

    /// `readlink(2)`: `EINVAL` for anything but a symbolic link.
    pub fn readlink(&self, cwd: &InodeId, path: &str) -> Result<Text, Errno> {
        let inode = self.resolve(cwd, path, Last::Keep, None)?.found()?;
        match self.node(&inode) {
            Some(Node::Symlink(target)) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Names in a directory, in byte order, without `.` and `..`. (`readdir(3)` promises no order; this is one.)
    pub fn readdir(&self, cwd: &InodeId, path: &str) -> Result<Arc<[Text]>, Errno> {
        let inode = self.resolve(cwd, path, Last::Follow, None)?.found()?;
        Ok(self.entries(&inode)?.keys().cloned().collect())
    }

    /// The absolute path of a directory; `ENOENT` if it was removed (`getcwd(2)`).
    pub fn path_of(&self, directory: &InodeId) -> Result<Text, Errno> {
        let mut names = Vec::new();
        let mut at = directory.clone();
        while at != InodeId::root() {
            let inode = self
                .inodes
                .get(&at)
                .filter(|inode| inode.linked)
                .ok_or(Errno::ENOENT)?;
            let Node::Directory { parent, .. } = &inode.node else {
                return Err(Errno::ENOTDIR);
            };
            let name = self.entries(parent)?.iter().find(|(_, id)| **id == at);
            names.push(name.ok_or(Errno::ENOENT)?.0.clone());
            at = parent.clone();
        }
        if names.is_empty() {
            return Ok("/".into());
        }
        names.reverse();
        Ok(names
            .iter()
            .map(|name| format!("/{name}"))
            .collect::<String>()
            .into())
    }

    // Writing.

    /// `open(2)`: the inode, and whether it was made. A truncation happens here.
    pub fn open(
        &mut self,
        cwd: &InodeId,
        path: &str,
        flags: OpenFlags,
        birth: InodeId,
    ) -> Result<(InodeId, bool), Errno> {
        let last = if flags.create && flags.exclusive {
            Last::Keep
        } else {
            Last::Follow
        };
        let place = self.resolve(cwd, path, last, None)?;
        let Some(id) = place.inode.clone() else {
            if !flags.create {
                return Err(Errno::ENOENT);
            }
            if place.trailing_slash {
                return Err(Errno::EISDIR);
            }
            self.attach(&place.directory, &place.name, birth.clone(), |_| {
                Node::File(File::default())
            });
            return Ok((birth, true));
        };
        if flags.create && flags.exclusive {
            return Err(Errno::EEXIST);
        }
        match self.node(&id) {
            Some(Node::Directory { .. }) if flags.write || flags.create => {
                return Err(Errno::EISDIR);
            }
            Some(Node::File(file)) if flags.truncate && flags.write && !file.data.is_empty() => {
                self.change_file(&id, |file| file.data = Arc::from([]));
            }
            _ => {}
        }
        Ok((id, false))
    }

    /// Writes into a file at an offset, or at its end; answers the offset behind the data.
    pub fn write(&mut self, id: &InodeId, at: Option<usize>, data: &[u8]) -> Result<usize, Errno> {
        let file = self.file(id).ok_or(Errno::EINVAL)?;
        let start = at.unwrap_or(file.data.len());
        let end = start.checked_add(data.len()).filter(|&end| end <= MAX_FILE);
        let end = end.ok_or(Errno::EFBIG)?;
        self.change_file(id, |file| {
            let mut bytes = file.data.to_vec();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(data);
            file.data = bytes.into();
        });
        Ok(end)
    }

    /// `chmod(2)`, of which only the executable bit is kept.
    pub fn chmod(&mut self, cwd: &InodeId, path: &str, executable: bool) -> Result<(), Errno> {
        let id = self.resolve(cwd, path, Last::Follow, None)?.found()?;
        if self
            .file(&id)
            .is_some_and(|file| file.executable != executable)
        {
            self.change_file(&id, |file| file.executable = executable);
        }
        Ok(())
    }

    /// `mkdir(2)`: a name that is taken, even by a dangling symbolic link, is `EEXIST`.
    pub fn mkdir(&mut self, cwd: &InodeId, path: &str, birth: InodeId) -> Result<(), Errno> {
        let place = self.resolve(cwd, path, Last::Name, None)?;
        if place.inode.is_some() {
            return Err(Errno::EEXIST);
        }
        self.attach(&place.directory, &place.name, birth, |parent| {
            Node::Directory {
                entries: BTreeMap::new(),
                parent,
            }
        });
        Ok(())
    }

    /// `symlink(2)`: an empty target is `ENOENT`, a taken name `EEXIST`.
    pub fn symlink(
        &mut self,
        cwd: &InodeId,
        target: &str,
        path: &str,
        birth: InodeId,
    ) -> Result<(), Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        let place = self.resolve(cwd, path, Last::Name, None)?;
        if place.inode.is_some() {
            return Err(Errno::EEXIST);
        }
        if place.trailing_slash {
            return Err(Errno::ENOENT);
        }
        self.attach(&place.directory, &place.name, birth, |_| {
            Node::Symlink(target.into())
        });
        Ok(())
    }

    /// `unlink(2)`: removes the name, never what a symbolic link leads to; `EISDIR` for a directory.
    pub fn unlink(&mut self, cwd: &InodeId, path: &str) -> Result<InodeId, Errno> {
        let place = self.resolve(cwd, path, Last::Name, None)?;
        let id = place.inode.ok_or(Errno::ENOENT)?;
        match self.node(&id) {
            Some(Node::Directory { .. }) => return Err(Errno::EISDIR),
            _ if place.trailing_slash => return Err(Errno::ENOTDIR),
            _ => {}
        }
        self.detach(&place.directory, &place.name);
        Ok(id)
    }

    /// `rmdir(2)`: only an empty directory, and not the root.
    pub fn rmdir(&mut self, cwd: &InodeId, path: &str) -> Result<InodeId, Errno> {
        let place = self.resolve(cwd, path, Last::Name, None)?;
        let id = place.inode.ok_or(Errno::ENOENT)?;
        match place.name.as_ref() {
            "" => return Err(Errno::EBUSY),
            "." => return Err(Errno::EINVAL),
            ".." => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        if !self.entries(&id)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.detach(&place.directory, &place.name);
        Ok(id)
    }

    /// `rename(2)`, in one step: no moment at which the new name is missing. Symbolic links themselves are moved and
    /// replaced, not what they lead to. Answers the inode that lost its name, if any.
    pub fn rename(
        &mut self,
        cwd: &InodeId,
        from: &str,
        to: &str,
        no_replace: bool,
    ) -> Result<Option<InodeId>, Errno> {
        let old = self.resolve(cwd, from, Last::Name, None)?;
        let new = self.resolve(cwd, to, Last::Name, None)?;
        if [&old, &new]
            .iter()
            .any(|place| matches!(place.name.as_ref(), "" | "." | ".."))
        {
            return Err(Errno::EBUSY);
        }
        let moved = old.inode.clone().ok_or(Errno::ENOENT)?;
        let is_directory = |id: &InodeId| matches!(self.node(id), Some(Node::Directory { .. }));
        let moves_directory = is_directory(&moved);
        if (old.trailing_slash || new.trailing_slash) && !moves_directory {
            return Err(Errno::ENOTDIR);
        }
        if moves_directory && self.is_within(&new.directory, &moved) {
            return Err(Errno::EINVAL);
        }
        if let Some(target) = &new.inode {
            if no_replace {
                return Err(Errno::EEXIST);
            }
            if *target == moved {
                return Ok(None);
            }
            match (moves_directory, is_directory(target)) {
                (true, false) => return Err(Errno::ENOTDIR),
                (false, true) => return Err(Errno::EISDIR),
                (true, true) if !self.entries(target)?.is_empty() => return Err(Errno::ENOTEMPTY),
                _ => {}
            }
            self.detach(&new.directory, &new.name);
        }
        self.change_entries(&old.directory, |entries| {
            entries.remove(&old.name);
        });
        self.change_entries(&new.directory, |entries| {
            entries.insert(new.name.clone(), moved.clone());
        });
        if moves_directory {
            self.change(&moved, |inode| {
                if let Node::Directory { parent, .. } = &mut inode.node {
                    *parent = new.directory.clone();
                }
            });
        }
        Ok(new.inode)
    }

    /// Forgets an inode that has no name. Call it when nobody holds it open either.
    pub fn release(&mut self, id: &InodeId) {
        if self.inodes.get(id).is_some_and(|inode| !inode.linked) {
            Arc::make_mut(&mut self.inodes).remove(id);
        }
    }

    fn is_within(&self, directory: &InodeId, above: &InodeId) -> bool {
        let mut at = directory.clone();
        loop {
            if at == *above {
                return true;
            }
            match self.node(&at) {
                Some(Node::Directory { parent, .. }) if *parent != at => at = parent.clone(),
                _ => return false,
            }
        }
    }

    fn attach(
        &mut self,
        directory: &InodeId,
        name: &str,
        id: InodeId,
        node: impl FnOnce(InodeId) -> Node,
    ) {
        let inode = Inode {
            linked: true,
            node: node(directory.clone()),
        };
        Arc::make_mut(&mut self.inodes).insert(id.clone(), Arc::new(inode));
        self.change_entries(directory, |entries| {
            entries.insert(name.into(), id);
        });
    }

    fn detach(&mut self, directory: &InodeId, name: &Text) {
        let mut gone = None;
        self.change_entries(directory, |entries| gone = entries.remove(name));
        if let Some(id) = gone {
            self.change(&id, |inode| inode.linked = false);
        }
    }

    fn change(&mut self, id: &InodeId, change: impl FnOnce(&mut Inode)) {
        if let Some(inode) = Arc::make_mut(&mut self.inodes).get_mut(id) {
            change(Arc::make_mut(inode));
        }
    }

    fn change_file(&mut self, id: &InodeId, change: impl FnOnce(&mut File)) {
        self.change(id, |inode| {
            if let Node::File(file) = &mut inode.node {
                change(file);
            }
        });
    }

    fn change_entries(&mut self, id: &InodeId, change: impl FnOnce(&mut BTreeMap<Text, InodeId>)) {
        self.change(id, |inode| {
            if let Node::Directory { entries, .. } = &mut inode.node {
                change(entries);
            }
        });
    }
}

#[cfg(test)]
mod tests;
