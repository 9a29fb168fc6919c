//! Embeds `scenarios/`, so that the binary knows them in any directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() -> io::Result<()> {
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("scenarios");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    let mut table = String::from("&[\n");
    for file in &files {
        let inside = file
            .strip_prefix(&root)
            .expect("it was found below the root");
        let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
        table += &format!("({:?}, include_str!({file:?})),\n", parts.join("/"));
    }
    table += "]\n";
    fs::write(
        PathBuf::from(variable("OUT_DIR")).join("embedded.rs"),
        table,
    )
}

fn variable(name: &str) -> String {
    std::env::var(name).expect("cargo sets it")
}

/// All texts below `folder`, in one order everywhere.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    let mut entries: Vec<_> = entries?.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_none_or(|extension| extension != "md") {
            files.push(path);
        }
    }
    Ok(())
}
