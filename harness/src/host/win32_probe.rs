//! The Win32 probe (`vm/win7/probe`): built with mingw-w64 on first use, cached by its source and compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::progress::Progress;

/// Its source files.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/win32_probe.rs"));

const COMPILER: &str = "x86_64-w64-mingw32-gcc";

const FLAGS: &[&str] = &[
    "-std=gnu17",
    "-O2",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-static",
    "-s",
    "-DUNICODE",
    // Nothing newer than Windows 7.
    "-D_WIN32_WINNT=0x0601",
];

/// The folder for what is built or made once, and used again.
///
/// # Errors
/// There is none.
pub fn cache() -> Result<PathBuf> {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = match (from("XDG_CACHE_HOME"), from("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => Path::new(&home).join(".cache"),
        (None, None) => {
            return Err(Failure::new(Exit::NoHost, "there is no folder for a cache")
                .help("set XDG_CACHE_HOME"));
        }
    };
    let folder = base.join("faultlab");
    fs::create_dir_all(&folder).map_err(|error| unusable(&folder, &error))?;
    Ok(folder)
}

/// The failure of something in the cache.
pub(super) fn unusable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::NoHost, format!("{}: {error}", path.display()))
}

/// The compiler's version, if it is there.
pub fn compiler() -> Option<String> {
    let output = Command::new(COMPILER)
        .arg("-dumpfullversion")
        .output()
        .ok()?;
    let version = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| version.trim().into())
}

/// The probe's executable: built, if it is not in the cache.
///
/// # Errors
/// There is no compiler, or it fails.
pub fn build(progress: &Progress) -> Result<PathBuf> {
    let Some(version) = compiler() else {
        return Err(
            Failure::new(Exit::NoHost, format!("{COMPILER} is not there"))
                .help(format!("install it: {}", super::wine::INSTALL)),
        );
    };
    let cache = cache()?;
    let mut all = format!("{version}\n{}\n", FLAGS.join(" "));
    for (name, text) in SOURCES {
        all += &format!("{name}\n{}\n{text}", text.len());
    }
    let hash = faultlab_sim::engine::text_hash(&all);
    let probe = cache.join(format!("probe-{hash:016x}.exe"));
    if probe.exists() {
        return Ok(probe);
    }
    progress.say("building the Win32 probe");
    let folder = tempfile::tempdir_in(&cache).map_err(|error| unusable(&cache, &error))?;
    for (name, text) in SOURCES {
        let file = folder.path().join(name);
        fs::write(&file, text).map_err(|error| unusable(&file, &error))?;
    }
    let built = folder.path().join("probe.exe");
    let files = SOURCES.iter().map(|(name, _)| *name);
    let output = Command::new(COMPILER)
        .current_dir(folder.path())
        .args(FLAGS)
        .args(files.filter(|name| name.ends_with(".c")))
        .arg("-o")
        .arg(&built)
        .args(["-lws2_32", "-ladvapi32"])
        .output()
        .map_err(|error| unusable(Path::new(COMPILER), &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let what = format!("{COMPILER} {version} does not build the Win32 probe:\n{said}");
        return Err(Failure::new(Exit::NoHost, what));
    }
    // Two that build at once put the same in the same place.
    fs::rename(&built, &probe).map_err(|error| unusable(&probe, &error))?;
    Ok(probe)
}
