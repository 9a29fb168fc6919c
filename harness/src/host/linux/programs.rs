//! The eBPF programs (`vm/ebpf`): built with clang on first use, cached by their source and compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::host::win32_probe::{cache, unusable};
use crate::progress::Progress;

const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/ebpf.rs"));

const COMPILER: &str = "clang";

/// BTF needs debugging information.
const FLAGS: &[&str] = &[
    "-g",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-target",
    if cfg!(target_endian = "little") {
        "bpfel"
    } else {
        "bpfeb"
    },
    "-mcpu=v3",
];

/// The compiler's version, if it is there.
pub fn compiler() -> Option<String> {
    let output = Command::new(COMPILER).arg("-dumpversion").output().ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().into())
}

/// An object of programs, by the name of its source: built, if it is not in the cache.
///
/// # Errors
/// There is no compiler, or it fails.
pub fn build(name: &str, progress: &Progress) -> Result<PathBuf> {
    let Some(version) = compiler() else {
        return Err(
            Failure::new(Exit::NoHost, format!("{COMPILER} is not there"))
                .help(format!("install it: {}", super::INSTALL)),
        );
    };
    let cache = cache()?;
    let mut all = format!("{version}\n{}\n{name}\n", FLAGS.join(" "));
    for (file, text) in SOURCES {
        all += &format!("{file}\n{}\n{text}", text.len());
    }
    let hash = faultlab_sim::engine::text_hash(&all);
    let object = cache.join(format!("ebpf-{name}-{hash:016x}.o"));
    if object.exists() {
        return Ok(object);
    }
    progress.say("building eBPF programs");
    let folder = tempfile::tempdir_in(&cache).map_err(|error| unusable(&cache, &error))?;
    for (file, text) in SOURCES {
        let file = folder.path().join(file);
        fs::write(&file, text).map_err(|error| unusable(&file, &error))?;
    }
    let built = folder.path().join("object.o");
    let output = Command::new(COMPILER)
        .current_dir(folder.path())
        .args(FLAGS)
        .arg("-c")
        .arg(format!("{name}.bpf.c"))
        .arg("-o")
        .arg(&built)
        .output()
        .map_err(|error| unusable(Path::new(COMPILER), &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("{COMPILER} {version} does not build {name}.bpf.c:\n{said}");
        return Err(Failure::new(Exit::NoHost, what));
    }
    // Two that build at once put the same in the same place.
    fs::rename(&built, &object).map_err(|error| unusable(&object, &error))?;
    Ok(object)
}
