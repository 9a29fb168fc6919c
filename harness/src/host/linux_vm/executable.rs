//! This very program, as files of a guest: the executable, its loader and the libraries that it runs with.
//!
//! The code in a guest is the code here, byte for byte: nothing is built a second time, for another target or
//! otherwise. What is not loaded into memory (symbols, debugging information) stays here.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::{Endianness, elf};

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::win32_probe::unusable;

type Header = FileHeader64<Endianness>;

/// Where the program is in a guest.
pub const PATH: &str = "/faultlab";

/// Where its libraries are there: the loader is told.
pub const LIBRARIES: &str = "/lib";

/// A file of the guest's.
pub struct Part {
    /// Its path there.
    pub path: String,
    /// What is in it.
    pub contents: Vec<u8>,
}

/// What this program runs from.
///
/// # Errors
/// A file of it cannot be read, or is not what a loader takes.
pub fn parts() -> Result<Vec<Part>> {
    let own = Path::new("/proc/self/exe");
    let program = read(own)?;
    let interpreter = interpreter(&program).map_err(|error| no_program(own, error))?;
    let interpreter_file = interpreter
        .as_ref()
        .and_then(|path| fs::canonicalize(path).ok());
    let mut parts = vec![Part {
        path: PATH.into(),
        contents: loaded(&program).map_err(|error| no_program(own, error))?,
    }];
    // A static program has none.
    let Some(interpreter) = interpreter else {
        return Ok(parts);
    };
    for library in libraries()? {
        let contents = read(&library)?;
        let named = soname(&contents).map_err(|error| no_program(&library, error))?;
        let path = match (interpreter_file.as_ref() == Some(&library), named) {
            (true, _) => interpreter.clone(),
            (false, Some(name)) => format!("{LIBRARIES}/{name}"),
            (false, None) => {
                let name = library.file_name().unwrap_or_default();
                format!("{LIBRARIES}/{}", name.to_string_lossy())
            }
        };
        let contents = loaded(&contents).map_err(|error| no_program(&library, error))?;
        parts.push(Part { path, contents });
    }
    Ok(parts)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| unusable(path, &error))
}

fn no_program(path: &Path, error: object::Error) -> Failure {
    let what = format!(
        "{}: this is no program for a guest: {error}",
        path.display()
    );
    Failure::new(Exit::NoHost, what).help("the host linux-vm needs faultlab for 64-bit Linux")
}

/// What is mapped into this process as code, but for the program itself: the loader, and whatever it found.
fn libraries() -> Result<Vec<PathBuf>> {
    let maps = Path::new("/proc/self/maps");
    let text = fs::read_to_string(maps).map_err(|error| unusable(maps, &error))?;
    let own = fs::read_link("/proc/self/exe").map_err(|error| unusable(maps, &error))?;
    let mapped: BTreeSet<PathBuf> = text.lines().filter_map(mapped_code).collect();
    Ok(mapped.into_iter().filter(|path| *path != own).collect())
}

/// The file of a line such as `7f..-7f.. r-xp 00028000 fe:00 1234   /usr/lib/libc.so.6`.
fn mapped_code(line: &str) -> Option<PathBuf> {
    let (range_and_rights, _) = line.split_once(" r-xp ")?;
    let at = line[range_and_rights.len()..].find('/')?;
    Some(PathBuf::from(&line[range_and_rights.len() + at..]))
}

/// The loader that a program asks for.
fn interpreter(bytes: &[u8]) -> object::Result<Option<String>> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP
            && let Some(path) = segment.interpreter(endian, bytes)?
        {
            return Ok(Some(String::from_utf8_lossy(path).into_owned()));
        }
    }
    Ok(None)
}

/// By which name a library is asked for.
fn soname(bytes: &[u8]) -> object::Result<Option<String>> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, bytes)?;
    let mut entries: Vec<&object::elf::Dyn64<Endianness>> = Vec::new();
    for segment in segments {
        if let Some(dynamic) = segment.dynamic(endian, bytes)? {
            entries.extend(dynamic);
        }
    }
    let value = |tag: i64| {
        let entry = entries.iter().find(|entry| entry.d_tag(endian) == tag);
        entry.map(|entry| entry.d_val(endian))
    };
    let (Some(name), Some(strings)) = (value(elf::DT_SONAME), value(elf::DT_STRTAB)) else {
        return Ok(None);
    };
    let at = strings.saturating_add(name);
    let inside = segments.iter().find_map(|segment| {
        segment
            .data_range(endian, bytes, at, 1)
            .ok()
            .flatten()
            .map(|_| segment)
    });
    let Some(segment) = inside else {
        return Ok(None);
    };
    let data = segment.data(endian, bytes).unwrap_or_default();
    let from = (at - segment.p_vaddr(endian)) as usize;
    let text = data.get(from..).unwrap_or_default();
    let end = text
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(text.len());
    Ok(Some(String::from_utf8_lossy(&text[..end]).into_owned()))
}

/// The bytes that are loaded: all up to the end of the last segment, with no section headers announced.
fn loaded(bytes: &[u8]) -> object::Result<Vec<u8>> {
    let header = Header::parse(bytes)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, bytes)?;
    let ends = segments.iter().map(|segment| {
        segment
            .p_offset(endian)
            .saturating_add(segment.p_filesz(endian))
    });
    let end = ends.max().unwrap_or(0).min(bytes.len() as u64) as usize;
    let mut loaded = bytes[..end].to_vec();
    // e_shoff; e_shnum and e_shstrndx.
    for field in [0x28..0x30, 0x3c..0x40] {
        if let Some(field) = loaded.get_mut(field) {
            field.fill(0);
        }
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_comes_with_its_loader_and_its_libraries() {
        let parts = parts().unwrap_or_else(|failure| panic!("{failure}"));
        let paths: Vec<&str> = parts.iter().map(|part| part.path.as_str()).collect();
        assert_eq!(paths[0], PATH);
        let whole = fs::metadata("/proc/self/exe").expect("it runs").len();
        assert!(
            (parts[0].contents.len() as u64) < whole,
            "there are symbols in a test"
        );
        if paths.len() > 1 {
            assert!(paths.contains(&"/lib/libc.so.6"), "{paths:?}");
            assert!(
                paths.iter().any(|path| path.contains("ld-linux")),
                "{paths:?}"
            );
        }
    }

    #[test]
    fn a_mapping_is_code_or_not() {
        let code = "7f00-7f10 r-xp 00028000 fe:00 1234                 /usr/lib/lib c.so.6";
        assert_eq!(mapped_code(code), Some("/usr/lib/lib c.so.6".into()));
        for other in [
            "7f00-7f10 r--p 00028000 fe:00 1234                 /usr/lib/libc.so.6",
            "7ffd-7ffe r-xp 00000000 00:00 0                    [vdso]",
            "",
        ] {
            assert_eq!(mapped_code(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_program_is_refused() {
        for damaged in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", &[0x7f; 64]] {
            assert!(loaded(damaged).is_err() && soname(damaged).is_err());
        }
    }
}
