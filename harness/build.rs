//! Embeds `scenarios/`, the vectors and what is built for hosts, so that the binary knows them in any
//! directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    embed("scenarios", "embedded.rs", |kind| kind != Some("md"))?;
    embed("tests/vectors", "vectors.rs", |kind| kind == Some("jsonl"))?;
    embed("vm/win7/probe", "win32_probe.rs", |kind| {
        matches!(kind, Some("c" | "h"))
    })?;
    embed("vm/ebpf", "ebpf.rs", |kind| matches!(kind, Some("c" | "h")))
}

/// Writes a table of all files below `folder` of wanted kinds (extensions): `(path, text)`.
fn embed(folder: &str, table_file: &str, is_wanted: fn(Option<&str>) -> bool) -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join(folder);
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    let mut table = String::from("&[\n");
    for file in &files {
        let kind = file.extension().and_then(|kind| kind.to_str());
        if !is_wanted(kind) {
            continue;
        }
        let inside = file
            .strip_prefix(&root)
            .expect("it was found below the root");
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        table += &format!("({:?}, include_str!({file:?})),\n", parts.join("/"));
    }
    table += "]\n";
    fs::write(PathBuf::from(variable("OUT_DIR")).join(table_file), table)
}

fn variable(name: &str) -> String {
    std::env::var(name).expect("cargo sets it")
}

/// All files below `folder`, in one order everywhere.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut entries: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
