//! The file system that a guest starts with: a cpio archive of the `newc` kind, which the kernel unpacks into
//! memory. It is never a file here: QEMU reads it from memory of this process, so nothing of it can be left
//! behind.
//!
//! Source: the kernel's Documentation/driver-api/early-userspace/buffer-format.rst.

use std::collections::BTreeSet;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

/// The header, the name and the contents each end on such a boundary.
const ALIGNMENT: usize = 4;

/// An archive that is being written.
pub struct Initramfs {
    bytes: Vec<u8>,
    folders: BTreeSet<String>,
    inode: u32,
}

/// A whole archive, in memory that other processes can open while this lives.
pub struct InMemory {
    file: std::fs::File,
}

impl Initramfs {
    /// One with a console, on which the kernel opens the first program's standard streams.
    pub fn new() -> Initramfs {
        let mut archive = Initramfs {
            bytes: Vec::new(),
            folders: BTreeSet::new(),
            inode: 0,
        };
        archive.parents("dev/console");
        archive.entry("dev/console", CHARACTER_DEVICE, (5, 1), &[]);
        archive
    }

    /// A file that can be executed.
    pub fn file(&mut self, path: &str, contents: &[u8]) {
        let path = path.trim_start_matches('/');
        self.parents(path);
        self.entry(path, PROGRAM, (0, 0), contents);
    }

    /// The whole archive.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn finish(mut self) -> io::Result<InMemory> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        let memory: OwnedFd = memfd_create("faultlab-initramfs", MemfdFlags::CLOEXEC)?;
        let mut file = std::fs::File::from(memory);
        file.write_all(&self.bytes)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(InMemory { file })
    }

    /// The folders on the way to a file.
    fn parents(&mut self, path: &str) {
        let ends = path.match_indices('/').map(|(at, _)| at);
        for folder in ends.map(|end| &path[..end]) {
            if !folder.is_empty() && self.folders.insert(folder.to_owned()) {
                self.entry(folder, DIRECTORY, (0, 0), &[]);
            }
        }
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), contents: &[u8]) {
        self.inode += 1;
        let size = u32::try_from(contents.len()).expect("no file of a guest has 4 GiB");
        let name_size = name.len() as u32 + 1;
        let (owner, links, time, device) = (0, 1, 0, 0);
        let header = [
            self.inode, mode, owner, owner, links, time, size, device, device, major, minor,
            name_size, 0,
        ];
        self.bytes.extend(b"070701");
        for field in header {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend(contents);
        self.align();
    }

    fn align(&mut self) {
        let whole = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(whole, 0);
    }
}

impl InMemory {
    /// Where other processes of this user find it.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names, modes and contents of an archive, read as the kernel does.
    fn entries(mut bytes: &[u8]) -> Vec<(String, u32, Vec<u8>)> {
        let mut entries = Vec::new();
        loop {
            assert_eq!(&bytes[..6], b"070701");
            let field = |nth: usize| {
                let digits = std::str::from_utf8(&bytes[6 + 8 * nth..][..8]).expect("digits");
                u32::from_str_radix(digits, 16).expect("hexadecimal") as usize
            };
            let (mode, size, name_size) = (field(1), field(6), field(11));
            let name = String::from_utf8(bytes[110..110 + name_size - 1].to_vec()).expect("UTF-8");
            let begin = (110 + name_size).next_multiple_of(4);
            let contents = bytes[begin..begin + size].to_vec();
            bytes = &bytes[(begin + size).next_multiple_of(4)..];
            if name == "TRAILER!!!" {
                assert!(bytes.is_empty());
                return entries;
            }
            entries.push((name, mode as u32, contents));
        }
    }

    #[test]
    fn each_folder_comes_once_and_before_what_is_in_it() {
        let mut archive = Initramfs::new();
        archive.file("/lib/a.so", b"12345");
        archive.file("/lib/b/c.so", b"");
        let path = archive.finish().expect("there is memory");
        let entries = entries(&std::fs::read(path.path()).expect("it can be opened by its name"));
        let names: Vec<&str> = entries.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "dev",
                "dev/console",
                "lib",
                "lib/a.so",
                "lib/b",
                "lib/b/c.so"
            ]
        );
        assert_eq!(entries[3].2, b"12345");
        assert_eq!((entries[1].1, entries[2].1), (CHARACTER_DEVICE, DIRECTORY));
    }
}
