//! Finding scenarios: those that the binary carries, by id, and files, by path.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use faultlab_sim::scenario::{Loaded, MAX_BYTES, Mistake, load};

use crate::failure::{Failure, Result};

/// Every file below `scenarios/` when the binary was built: its path there, its text; by chapter.
static EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// The file that makes a folder a scenario.
const IN_FOLDER: &str = "scenario.ron";

/// A scenario that was found, not yet read.
#[derive(Clone, Debug)]
pub struct Found {
    /// What the command line calls it.
    pub name: String,
    /// The file, for messages.
    file: String,
    text: Cow<'static, str>,
    beside: Beside,
}

/// Where its scripts lie.
#[derive(Clone, Debug)]
enum Beside {
    /// In this folder of the embedded ones.
    Embedded(&'static str),
    /// In a folder of the file system.
    Folder(PathBuf),
}

/// All scenarios that the binary carries, by chapter.
pub fn embedded() -> impl Iterator<Item = Found> {
    EMBEDDED.iter().filter_map(|(path, text)| {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let id = match file.strip_suffix(".ron")? {
            "scenario" => folder.rsplit('/').next().unwrap_or(folder),
            _ if is_scenario_folder(folder) => return None,
            stem => stem,
        };
        Some(Found {
            name: id.into(),
            file: format!("scenarios/{path}"),
            text: Cow::Borrowed(text),
            beside: Beside::Embedded(folder),
        })
    })
}

fn is_scenario_folder(folder: &str) -> bool {
    let its_own = format!("{folder}/{IN_FOLDER}");
    EMBEDDED.iter().any(|(path, _)| *path == its_own)
}

/// The scenario that `name` means: an id, or a path if it has a slash or ends in `.ron`.
///
/// # Errors
/// There is none.
pub fn find(name: &str) -> Result<Found> {
    if name.contains(['/', std::path::MAIN_SEPARATOR]) || name.ends_with(".ron") {
        return find_file(name);
    }
    embedded()
        .find(|found| found.name == name)
        .ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Failure {
    let failure = Failure::bad_input(format!("there is no scenario {name:?}"));
    if Path::new(name).is_dir() {
        return failure.help(format!("a folder is named with a slash: ./{name}"));
    }
    let known: Vec<Found> = embedded().collect();
    let mut ranked: Vec<(usize, &str)> = known
        .iter()
        .map(|found| (strsim::damerau_levenshtein(name, &found.name), &*found.name))
        .collect();
    ranked.sort_unstable();
    let nearest: Vec<&str> = ranked.iter().take(3).map(|(_, id)| *id).collect();
    failure.help(format!(
        "the nearest are: {}. `faultlab list` names all; a file is named by a path with a slash, or one that ends in .ron",
        nearest.join(", ")
    ))
}

fn find_file(name: &str) -> Result<Found> {
    let mut path = PathBuf::from(name);
    if path.is_dir() {
        path.push(IN_FOLDER);
    }
    let file = path.display().to_string();
    let text = read_text(&path)
        .map_err(|why| Failure::bad_input(format!("{file} cannot be read: {why}")))?;
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    Ok(Found {
        name: name.into(),
        file,
        text: Cow::Owned(text),
        beside: Beside::Folder(folder),
    })
}

/// A text file that is not too long: UTF-8, or UTF-16 as Windows writes it: with its mark, as exports of the
/// registry and what PowerShell redirects are, or without, as `icacls /save` writes.
pub fn read_text(path: &Path) -> std::result::Result<String, String> {
    let mut bytes = Vec::new();
    let read = fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("it has more than {} MiB", MAX_BYTES >> 20));
    }
    let wide = match bytes.strip_prefix(&[0xFF, 0xFE]) {
        Some(wide) => Some(wide),
        None => Some(&*bytes).filter(|bytes| is_wide(bytes)),
    };
    if let Some(wide) = wide {
        let units = wide
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let text: std::result::Result<String, _> = char::decode_utf16(units).collect();
        return text.map_err(|_| "it holds unpaired surrogates".into());
    }
    String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        format!(
            "line {} is not UTF-8: a file that cmd.exe wrote by `>` is in the console's code page; \
             `iconv -f gbk -t utf-8` turns one of a Chinese machine",
            line + 1
        )
    })
}

/// Whether it looks like UTF-16 without a mark: no text in UTF-8 has a NUL, and a line's end has one here.
fn is_wide(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(2) && bytes.chunks_exact(2).any(|pair| pair == [b'\n', 0])
}

impl Found {
    /// The text of a file beside it.
    ///
    /// # Errors
    /// There is none, or it lies outside.
    pub fn text_beside(&self, name: &str) -> std::result::Result<String, String> {
        self.beside.script(name)
    }

    /// Reads and checks it, with its scripts.
    ///
    /// # Errors
    /// The first mistake, with its place.
    pub fn load(&self) -> Result<Loaded> {
        let mut scripts = BTreeMap::new();
        let mut script = |name: &str| {
            let text = self.beside.script(name)?;
            scripts.insert(name.to_owned(), text.clone());
            Ok(text)
        };
        load(&self.file, &self.text, &mut script).map_err(|mistake| {
            let text = match mistake.file == self.file {
                true => Some(&*self.text),
                false => scripts.get(&mistake.file).map(String::as_str),
            };
            Failure::mistake(mistake.clone(), text)
        })
    }
}

/// A mistake that showed only after loading.
pub fn late_mistake(loaded: &Loaded, mistake: Mistake) -> Failure {
    let text = match mistake.file == loaded.file {
        true => Some(loaded.text.as_str()),
        false => loaded.scripts.get(&mistake.file).map(String::as_str),
    };
    Failure::mistake(mistake.clone(), text)
}

impl Beside {
    fn script(&self, name: &str) -> std::result::Result<String, String> {
        let inside = Path::new(name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !inside || name.is_empty() || name.contains('\\') {
            return Err("it is not below the scenario's folder".into());
        }
        match self {
            Beside::Embedded(folder) => {
                let path = format!("{folder}/{name}");
                let found = EMBEDDED.iter().find(|(there, _)| *there == path);
                found
                    .map(|(_, text)| (*text).to_owned())
                    .ok_or_else(|| "there is no such file".into())
            }
            Beside::Folder(folder) => {
                // A symbolic link may lead out of the folder, so the real place is what counts.
                let real = |path: &Path| fs::canonicalize(path).map_err(|error| error.to_string());
                let place = real(&folder.join(name))?;
                if !place.starts_with(real(folder)?) {
                    return Err("it is not below the scenario's folder".into());
                }
                read_text(&place)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_embedded_scenario_loads_and_bears_its_name() {
        let mut ids = BTreeSet::new();
        for found in embedded() {
            let loaded = found.load().unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(loaded.scenario.id, found.name, "{}", found.file);
            assert!(
                ids.insert(loaded.scenario.id),
                "{} is there twice",
                found.name
            );
        }
        assert!(!ids.is_empty());
    }

    #[test]
    fn scripts_lie_below_the_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let inner = folder.path().join("inner");
        fs::create_dir(&inner).expect("writable");
        fs::write(folder.path().join("outside.sh"), "no").expect("writable");
        fs::write(inner.join("inside.sh"), "yes").expect("writable");
        let beside = Beside::Folder(inner.clone());
        assert_eq!(beside.script("inside.sh").as_deref(), Ok("yes"));
        let outside = folder.path().join("outside.sh");
        for name in ["../outside.sh", "", ".", outside.to_str().expect("UTF-8")] {
            let why = beside.script(name).expect_err(name);
            assert!(why.contains("not below"), "{name}: {why}");
        }
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&outside, inner.join("link.sh")).expect("writable");
            let why = beside.script("link.sh").expect_err("a link that leads out");
            assert!(why.contains("not below"), "{why}");
        }
    }
}
