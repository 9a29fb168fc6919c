//! `go` and `gofmt` as tools of the Windows model: what they say of one source file.

use crate::win7::environment::Block;
use crate::win7::ntfs::Node;
use crate::win7::program::{Ended, Start, Tools};
use crate::win7::text::Wide;

use super::Release;
use super::long_path::{fix_long_path, module_cache};
use super::source::{Tool, check};

/// Go for Windows: `bin\go.exe`, `bin\gofmt.exe`, and a file `VERSION` beside `bin`, as a release has it.
/// Nothing of the environment is asked: neither LANG nor the code pages have a say in how source is read,
/// and GO111MODULE has none for files that are named.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Go {}

impl Tools for Go {
    fn run(start: &Start<'_>) -> Option<Result<Ended, String>> {
        let (directory, name) = start.executable.rsplit_once('\\')?;
        let name = Wide::from(name).to_upcase();
        let is_go = name == Wide::from("GO.EXE");
        if !is_go && name != Wide::from("GOFMT.EXE") {
            return None;
        }
        Some(run(start, directory, is_go))
    }

    fn path(release: &str, path: &str) -> Result<String, String> {
        Ok(fix_long_path(named(release)?, path))
    }

    fn module_cache(release: &str, block: &Block) -> Result<String, String> {
        module_cache(named(release)?, |name| block.text(name))
    }
}

fn named(release: &str) -> Result<Release, String> {
    Release::of(release).ok_or_else(|| format!("{release:?} is no release of Go"))
}

fn run(start: &Start<'_>, directory: &str, is_go: bool) -> Result<Ended, String> {
    let release = release(start, directory)?;
    let arguments = start.arguments;
    let (tool, file) = match arguments {
        ["run", file] if is_go => (Tool::Run, file),
        ["build", file] if is_go => (Tool::Build, file),
        ["vet", file] if is_go => (Tool::Vet, file),
        ["list", file] if is_go => (Tool::List, file),
        // Both print or write the same if the source is in gofmt's form already, as is assumed.
        ["-w", file] | ["-l", file] | [file] if !is_go => (Tool::Gofmt, file),
        _ => return Err(format!("{} {}", start.executable, arguments.join(" "))),
    };
    if *file != "main.go" {
        return Err(format!("Go on {file}: the model speaks of main.go alone"));
    }
    let path = format!("{}\\{file}", start.directory.trim_end_matches('\\'));
    let Some(bytes) = start.files.look(&path).and_then(Node::known_content) else {
        return Err(format!("Go without a file {path} whose content is known"));
    };
    let verdict = check(tool, release, bytes).map_err(|unknown| unknown.to_string())?;
    Ok(Ended {
        code: verdict.exit.into(),
        said: verdict.message.unwrap_or_default(),
    })
}

/// The release, by its file `VERSION`.
fn release(start: &Start<'_>, directory: &str) -> Result<Release, String> {
    let root = directory.rsplit_once('\\').map_or("", |(root, _)| root);
    let path = format!("{root}\\VERSION");
    let text = start
        .files
        .look(&path)
        .and_then(Node::known_content)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    let release = text.and_then(|text| Release::of(text.lines().next()?.trim()));
    release.ok_or_else(|| format!("{} without a release in {path}", start.executable))
}
