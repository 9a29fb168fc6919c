//! Which file runs for a name that somebody types, or gives to CreateProcess.
//!
//! Three searches, which differ in nearly everything: [`cmd`], [`powershell2`], [`create_process`]. They ask
//! [`Files`] what exists, so that a file system, or a list of names ([`FileList`]), can stand behind them.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | cmd: internal commands, then the working directory, then PATH from left to right; in each directory the name as typed if it has an extension, then with each of PATHEXT; then the next directory | documentation of cmd ("Command search sequence"); Go's os/exec tests, which ask a real cmd | yes |
//! | cmd: a file without an extension is never run | the same | yes |
//! | cmd: quotes in PATH take `;` in and are dropped; empty entries are skipped | Go's path/filepath tests, which ask a real cmd | yes |
//! | NoDefaultCurrentDirectoryInExePath, with any value, takes the working directory out, unless the name has a backslash | documentation of NeedCurrentDirectoryForExePath | yes |
//! | cmd: a `/` ends an unquoted name | `./x` says "'.' is not recognized" | no: where a name begins with a drive |
//! | cmd: `echo.x`, `cd\x` and `dir/w` are internal, unless a file has this very name | reports | no |
//! | PowerShell 2: alias, function, cmdlet, then `.ps1`, then PATHEXT, directory by directory; never the working directory; `.\x` names it | about_Command_Precedence; PowerShell's CommandSearcher | yes |
//! | PowerShell 2: no quotes in PATH, a bare name without extension is not run | memory | no |
//! | CreateProcess without an application name: the caller's directory, the working directory, System32, System, Windows, PATH; `.exe` alone is added, and only to a name without a dot | documentation of CreateProcess and SearchPath | yes |
//! | CreateProcess: an unquoted line is tried at each blank | documentation of CreateProcess | yes |
//! | CreateProcess heeds NoDefaultCurrentDirectoryInExePath | CPython's subprocess (gh-101283) | yes |
//!
//! Not modelled: App Paths and file associations (ShellExecute), `doskey` macros, cmdlets by name, functions
//! of a profile, the System32 of 32-bit processes, 8.3 names, UNC working directories.

mod names;
mod path;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::environment::Block;
use super::text::Wide;

pub use names::{CMD_INTERNAL, POWERSHELL2_ALIASES, POWERSHELL2_FUNCTIONS};
pub use path::{full_path, split_path_cmd};

/// The PATHEXT of a fresh Windows 7.
pub const PATHEXT: &str = ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC";

/// What exists. Paths are full and have backslashes alone.
pub trait Files {
    /// The file of this path as the directory spells it; none for a directory.
    fn file(&self, path: &str) -> Option<String>;
}

/// Files by name, found in any case.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FileList(BTreeMap<Wide, String>);

impl FileList {
    /// These files. A path that ends in a backslash is a directory: it is there, and never runs.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> FileList {
        let files = paths
            .into_iter()
            .filter(|path| !path.ends_with(['\\', '/']));
        FileList(
            files
                .map(|path| (Wide::from(path).to_upcase(), path.to_owned()))
                .collect(),
        )
    }
}

impl Files for FileList {
    fn file(&self, path: &str) -> Option<String> {
        self.0.get(&Wide::from(path).to_upcase()).cloned()
    }
}

/// The search looks as the system does: who may open what is found is not asked.
impl Files for super::files::Files {
    fn file(&self, path: &str) -> Option<String> {
        self.spelled(path)
    }
}

/// From where something is searched.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Place {
    /// The working directory.
    pub directory: String,
    /// PATH, PATHEXT and NoDefaultCurrentDirectoryInExePath are read from here.
    pub environment: Block,
    /// The directory of the executable that calls CreateProcess.
    pub caller: Option<String>,
}

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Found {
    /// A file, as its directory spells it.
    File(String),
    /// Something that the shell does itself: an internal command, an alias, a function.
    BuiltIn(String),
    /// Nothing.
    Nothing,
}

impl Found {
    /// The file, if it is one.
    pub fn file(self) -> Option<String> {
        match self {
            Found::File(path) => Some(path),
            Found::BuiltIn(_) | Found::Nothing => None,
        }
    }
}

impl Place {
    /// A place with this working directory and these variables.
    pub fn new(directory: &str, environment: Block) -> Place {
        Place {
            directory: directory.into(),
            environment,
            caller: None,
        }
    }

    fn variable(&self, name: &str) -> String {
        self.environment.text(name).unwrap_or_default()
    }

    /// NeedCurrentDirectoryForExePath.
    pub fn searches_working_directory(&self, name: &str) -> bool {
        let switch = Wide::from("NoDefaultCurrentDirectoryInExePath");
        name.contains('\\') || self.environment.get(&switch).is_none()
    }

    fn extensions(&self) -> Vec<String> {
        let own = self.variable("PATHEXT");
        let list = if own.is_empty() { PATHEXT } else { &own };
        list.split(';')
            .map(str::trim)
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

/// Which file cmd.exe runs for the first word of a line.
///
/// ```
/// use faultlab_sim::win7::{environment::Block, resolve::{FileList, Place, cmd}};
///
/// let place = Place::new("C:\\work", Block::of([("PATH", "C:\\Go\\bin")]));
/// let files = FileList::of(["C:\\Go\\bin\\go.exe", "C:\\work\\go.bat"]);
/// assert_eq!(cmd("go version", &place, &files).file().unwrap(), "C:\\work\\go.bat");
/// ```
pub fn cmd(line: &str, place: &Place, files: &dyn Files) -> Found {
    let (name, quoted) = first_word_cmd(line);
    if name.is_empty() {
        return Found::Nothing;
    }
    let mut directories = Vec::new();
    if place.searches_working_directory(&name) {
        directories.push(place.directory.clone());
    }
    let located = name.contains(['\\', ':', '/']);
    if !located {
        directories.extend(split_path_cmd(&place.variable("PATH")));
    }
    let extensions = place.extensions();
    let bases: Vec<String> = directories
        .iter()
        .map(|directory| match located {
            true => full_path(&place.directory, &name),
            false => full_path(&place.directory, &format!("{directory}\\{name}")),
        })
        .collect();
    if !quoted && let Some(internal) = names::internal(&name) {
        // `echo.x` may be a file of this very name; `echo` alone is never looked for.
        let glued = &name[internal.len()..];
        let exists = || bases.iter().any(|base| files.file(base).is_some());
        if !glued.starts_with(['.', ':', '\\']) || !exists() {
            return Found::BuiltIn(internal.into());
        }
    }
    let found = first_of(bases.into_iter(), &extensions, files);
    found.map_or(Found::Nothing, Found::File)
}

/// The first that exists: each base as it stands if it has an extension, then with each extension.
fn first_of(
    mut bases: impl Iterator<Item = String>,
    extensions: &[String],
    files: &dyn Files,
) -> Option<String> {
    bases.find_map(|base| {
        let typed = path::has_extension(&base)
            .then(|| files.file(&base))
            .flatten();
        typed.or_else(|| {
            extensions
                .iter()
                .find_map(|one| files.file(&format!("{base}{one}")))
        })
    })
}

/// The name that cmd takes from a line, and whether it was quoted.
fn first_word_cmd(line: &str) -> (String, bool) {
    // At the start of a line these are blanks to cmd, and so is `@`.
    let line = line.trim_start_matches([' ', '\t', ',', ';', '=', '@']);
    let (mut name, mut open, mut quoted) = (String::new(), false, false);
    for c in line.chars() {
        match c {
            '"' => {
                open = !open;
                quoted = true;
            }
            _ if open => name.push(c),
            ' ' | '\t' | ',' | ';' | '=' | '&' | '|' | '<' | '>' | '(' | ')' => break,
            '/' if !name.is_empty() => break,
            // `^` takes the meaning from what follows it.
            '^' => {}
            _ => name.push(c),
        }
    }
    (name, quoted)
}

/// Which file PowerShell 2 runs for the first word of a line.
pub fn powershell2(line: &str, place: &Place, files: &dyn Files) -> Found {
    let Some((name, plain)) = first_word_powershell(line) else {
        return Found::Nothing;
    };
    if plain && let Some(own) = names::powershell2(&name) {
        return Found::BuiltIn(own.into());
    }
    // A script first, then what PATHEXT names.
    let mut extensions = vec![".ps1".to_owned()];
    extensions.extend(place.extensions());
    let found = if name.contains(['\\', '/', ':']) {
        let base = full_path(&place.directory, &name);
        first_of(std::iter::once(base), &extensions, files)
    } else {
        let path = place.variable("PATH");
        let entries = path
            .split(';')
            .map(str::trim_start)
            .filter(|entry| !entry.is_empty());
        let bases = entries
            .filter(|entry| !entry.contains('"'))
            .map(|entry| full_path(&place.directory, &format!("{entry}\\{name}")));
        first_of(bases, &extensions, files)
    };
    found.map_or(Found::Nothing, Found::File)
}

/// The name of a command, and whether it was written plainly. A quoted text without `&` is a value.
fn first_word_powershell(line: &str) -> Option<(String, bool)> {
    let line = line.trim_start();
    let (called, line) = match line.strip_prefix(['&', '.']) {
        Some(rest) if rest.starts_with([' ', '\t', '"', '\'']) => (true, rest.trim_start()),
        _ => (false, line),
    };
    let name = match line.strip_prefix(['"', '\'']) {
        Some(quoted) if called => quoted.split(['"', '\'']).next()?,
        Some(_) => return None,
        None => line
            .split([' ', '\t', ';', '|', '(', ')', '{', '}', ','])
            .next()?,
    };
    (!name.is_empty()).then(|| (name.to_owned(), !called))
}

/// Which file CreateProcess runs for a command line, when no application name is given.
///
/// ```
/// use faultlab_sim::win7::{environment::Block, resolve::{FileList, Place, create_process}};
///
/// let place = Place::new("C:\\work", Block::default());
/// let files = FileList::of(["C:\\Program.exe", "C:\\Program Files\\Go\\bin\\go.exe"]);
/// let found = create_process("C:\\Program Files\\Go\\bin\\go.exe version", &place, &files);
/// assert_eq!(found.unwrap(), "C:\\Program.exe");
/// ```
pub fn create_process(line: &str, place: &Place, files: &dyn Files) -> Option<String> {
    let line = line.trim_start_matches([' ', '\t']);
    if let Some(quoted) = line.strip_prefix('"') {
        let name = quoted.split('"').next().unwrap_or_default();
        return search_path(name, place, files);
    }
    let blanks = line.match_indices([' ', '\t']).map(|(at, _)| at);
    blanks
        .chain([line.len()])
        .find_map(|end| search_path(&line[..end], place, files))
}

/// SearchPath with `.exe` as extension, over the directories of CreateProcess.
fn search_path(name: &str, place: &Place, files: &dyn Files) -> Option<String> {
    if name.is_empty() {
        return None;
    }
    let dotted = name
        .rsplit(['\\', '/', ':'])
        .next()
        .is_some_and(|last| last.contains('.'));
    if name.contains(['\\', '/', ':']) {
        let base = full_path(&place.directory, name);
        let added = || {
            if dotted {
                None
            } else {
                files.file(&format!("{base}.exe"))
            }
        };
        return files.file(&base).or_else(added);
    }
    let name = if dotted {
        name.to_owned()
    } else {
        format!("{name}.exe")
    };
    let path = place.variable("PATH");
    let working = place
        .searches_working_directory(&name)
        .then_some(&*place.directory);
    let system = [
        "C:\\Windows\\system32",
        "C:\\Windows\\system",
        "C:\\Windows",
    ];
    let directories = place
        .caller
        .as_deref()
        .into_iter()
        .chain(working)
        .chain(system);
    let entries = path.split(';').filter(|entry| !entry.is_empty());
    directories
        .chain(entries)
        .find_map(|entry| files.file(&full_path(&place.directory, &format!("{entry}\\{name}"))))
}
