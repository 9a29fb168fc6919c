//! The modules of a kernel that a guest needs, in the order in which they can be loaded.
//!
//! Debian's packages have no `modules.dep` (that is made when they are installed), so what a module depends on
//! is read where `depmod` reads it: in the section `.modinfo` of its file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::win32_probe::unusable;

/// What every guest needs: the way to speak to it, and what the lab's link is made of. Names as `modinfo` has
/// them; what is built into a kernel is no module of it.
pub const WANTED: [&str; 3] = ["virtio_pci", "virtio_console", "tun"];

/// A module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Module {
    /// Its name, with underscores.
    pub name: String,
    /// The file's contents.
    pub contents: Vec<u8>,
}

/// The modules in a folder `lib/modules/RELEASE`.
pub struct Modules {
    folder: PathBuf,
    files: BTreeMap<String, PathBuf>,
    built_in: Vec<String>,
}

impl Modules {
    /// Looks what there is.
    ///
    /// # Errors
    /// It is no such folder.
    pub fn of(folder: &Path) -> Result<Modules> {
        let built_in = fs::read_to_string(folder.join("modules.builtin"));
        let built_in = built_in.map_err(|error| {
            unusable(&folder.join("modules.builtin"), &error).help(
                "beside a kernel stand its modules: lib/modules/RELEASE, as in Debian's packages",
            )
        })?;
        let mut files = BTreeMap::new();
        collect(&folder.join("kernel"), &mut files).map_err(|error| unusable(folder, &error))?;
        let built_in = built_in
            .lines()
            .map(|line| name_of(Path::new(line)))
            .collect();
        Ok(Modules {
            folder: folder.to_owned(),
            files,
            built_in,
        })
    }

    /// These and what they depend on, each after what it depends on.
    ///
    /// # Errors
    /// One is not there, or is no module.
    pub fn in_order(&self, wanted: &[&str]) -> Result<Vec<Module>> {
        let mut order = Vec::new();
        for name in wanted {
            self.add(name, &mut order, &mut Vec::new())?;
        }
        Ok(order)
    }

    fn add(&self, name: &str, order: &mut Vec<Module>, under_way: &mut Vec<String>) -> Result<()> {
        let is_there = |module: &Module| module.name == name;
        if order.iter().any(is_there) || self.built_in.iter().any(|built_in| built_in == name) {
            return Ok(());
        }
        let Some(path) = self.files.get(name) else {
            let what = format!("{}: there is no module {name}", self.folder.display());
            return Err(Failure::new(Exit::NoHost, what)
                .help("use a kernel of Debian, such as --kernel linux-image-cloud-amd64"));
        };
        let damaged = |why: &str| {
            let what = format!("{}: this is no module: {why}", path.display());
            Failure::new(Exit::NoHost, what)
        };
        if under_way.iter().any(|known| known == name) {
            return Err(damaged("it depends on itself"));
        }
        let contents = read(path)?;
        under_way.push(name.into());
        for needed in depends(&contents).map_err(|error| damaged(&error.to_string()))? {
            self.add(&needed, order, under_way)?;
        }
        under_way.pop();
        order.push(Module {
            name: name.into(),
            contents,
        });
        Ok(())
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().contains(".ko"))
        {
            files.insert(name_of(&path), path);
        }
    }
    Ok(())
}

/// `kernel/drivers/char/hw_random/virtio-rng.ko.xz` is `virtio_rng`.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (name, _) = name.split_once(".ko").unwrap_or((&name, ""));
    name.replace('-', "_")
}

/// A module's file, unpacked.
fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).map_err(|error| unusable(path, &error))?;
    let kind = path.extension().unwrap_or_default().to_string_lossy();
    match &*kind {
        "ko" => Ok(bytes),
        "xz" => {
            let mut contents = Vec::new();
            let unpacked = lzma_rs::xz_decompress(&mut &*bytes, &mut contents);
            unpacked.map_err(|error| {
                Failure::new(Exit::NoHost, format!("{}: {error:?}", path.display()))
            })?;
            Ok(contents)
        }
        other => {
            let what = format!("{}: modules packed as {other} are not read", path.display());
            Err(Failure::new(Exit::NoHost, what).help("Debian's are plain or packed with xz"))
        }
    }
}

/// What a module names as its dependencies.
fn depends(contents: &[u8]) -> object::Result<Vec<String>> {
    let file: ElfFile64 = ElfFile64::parse(contents)?;
    let Some(section) = file.section_by_name(".modinfo") else {
        return Ok(Vec::new());
    };
    let about = section.data()?.split(|byte| *byte == 0);
    let lists = about.filter_map(|field| field.strip_prefix(b"depends="));
    let lists: Vec<String> = lists
        .map(|list| String::from_utf8_lossy(list).into_owned())
        .collect();
    let names = lists.iter().flat_map(|list| list.split(','));
    let names = names.filter(|name| !name.is_empty());
    Ok(names.map(|name| name.replace('-', "_")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object file with nothing in it but the section `.modinfo`. Source: System V ABI, chapter 4.
    fn module(about: &str) -> Vec<u8> {
        const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
        let about_at = 64;
        let names_at = about_at + about.len();
        let headers_at = names_at + NAMES.len();
        let mut file = Vec::new();
        // 64 bits, little endian, version 1; relocatable, x86-64.
        file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0");
        file.extend([0; 16]);
        file.extend((headers_at as u64).to_le_bytes());
        file.extend([0; 4]);
        for half in [64u16, 0, 0, 64, 3, 2] {
            file.extend(half.to_le_bytes());
        }
        file.extend(about.bytes());
        file.extend(NAMES);
        let strings = 3u32;
        let bits = 1u32;
        let nothing = [0; 6];
        let about = [
            1,
            u64::from(bits),
            0,
            about_at as u64,
            about.len() as u64,
            0,
        ];
        let names = [
            10,
            u64::from(strings),
            0,
            names_at as u64,
            NAMES.len() as u64,
            0,
        ];
        for [name, kind, flags, offset, size, link] in [nothing, about, names] {
            file.extend((name as u32).to_le_bytes());
            file.extend((kind as u32).to_le_bytes());
            for field in [flags, 0, offset, size] {
                file.extend(field.to_le_bytes());
            }
            file.extend((link as u32).to_le_bytes());
            file.extend(0u32.to_le_bytes());
            file.extend(1u64.to_le_bytes());
            file.extend(0u64.to_le_bytes());
        }
        file
    }

    /// A folder of modules, each with what it depends on.
    fn folder(modules: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let built_in = "kernel/drivers/tty/serial-core.ko\n";
        fs::write(folder.path().join("modules.builtin"), built_in).expect("writable");
        fs::create_dir_all(folder.path().join("kernel/net")).expect("writable");
        for (file, depends) in modules {
            let about = format!("license=GPL\0depends={depends}\0name=x\0");
            let contents = module(&about);
            let packed = match file.ends_with(".xz") {
                true => {
                    let mut packed = Vec::new();
                    lzma_rs::xz_compress(&mut &*contents, &mut packed).expect("it is memory");
                    packed
                }
                false => contents,
            };
            fs::write(folder.path().join("kernel/net").join(file), packed).expect("writable");
        }
        folder
    }

    fn order(
        folder: &tempfile::TempDir,
        wanted: &[&str],
    ) -> std::result::Result<Vec<String>, String> {
        let modules = Modules::of(folder.path()).map_err(|failure| failure.to_string())?;
        let order = modules
            .in_order(wanted)
            .map_err(|failure| failure.to_string())?;
        Ok(order.into_iter().map(|module| module.name).collect())
    }

    #[test]
    fn each_module_comes_once_and_after_what_it_depends_on() {
        let folder = folder(&[
            ("virtio-console.ko.xz", "virtio,virtio_ring"),
            ("virtio_ring.ko", "serial-core"),
            ("virtio.ko", "virtio_ring"),
            ("tun.ko", ""),
        ]);
        let order = order(&folder, &["virtio_console", "tun", "virtio"]);
        let expected = ["virtio_ring", "virtio", "virtio_console", "tun"].map(String::from);
        assert_eq!(order, Ok(expected.into()));
    }

    #[test]
    fn what_lacks_is_named() {
        let folder = folder(&[
            ("a.ko", "b"),
            ("b.ko", "a"),
            ("c.ko", "d"),
            ("e.ko.zst", ""),
        ]);
        let says = |name: &str| order(&folder, &[name]).expect_err("refused");
        assert!(says("a").contains("a.ko: this is no module: it depends on itself"));
        assert!(says("c").ends_with("there is no module d"));
        assert!(says("e").ends_with("packed as zst are not read"));
        fs::write(folder.path().join("kernel/net/f.ko"), "no ELF").expect("writable");
        assert!(says("f").contains("f.ko: this is no module: "));
        let empty = tempfile::tempdir().expect("a temporary folder");
        assert!(
            order(&empty, &[])
                .expect_err("refused")
                .contains("modules.builtin")
        );
    }
}
