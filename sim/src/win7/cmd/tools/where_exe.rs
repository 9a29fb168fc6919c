//! `where`: all files that a name finds.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | the current directory, then those of PATH; in each the name, then the name with each extension of PATHEXT | where /?; `facts`: prints every hit | yes |
//! | `/R DIR` looks below a directory, `DIR;DIR:PATTERN` and `$VARIABLE:PATTERN` in these | where /? | yes |
//! | `/Q` prints nothing, `/F` puts quotes around names | where /? | yes |
//! | 0 found, 1 not found, 2 wrong; the words of "not found" go to the error output | where /? | yes |
//!
//! Refused: `/T` (times are not modelled), the help text.

use super::operands::join;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::{Wildcard, has_wildcard};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;
use crate::win7::text::Wide;

const NOTHING: Message = Message {
    en: "INFO: Could not find files for the given pattern(s).\r\n",
    zh: "信息: 用提供的模式无法找到文件。\r\n",
};
const SYNTAX: Message = Message {
    en: "ERROR: Invalid syntax.\r\nType \"WHERE /?\" for usage.\r\n",
    zh: "错误: 无效语法。\r\n键入 \"WHERE /?\" 了解用法。\r\n",
};
const FOLDER: Message = Message {
    en: "ERROR: The system cannot find the file specified.\r\n",
    zh: "错误: 系统找不到指定的文件。\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let mut arguments = arguments.iter();
    let (mut root, mut quiet, mut quoted) = (None, false, false);
    let mut patterns = Vec::new();
    while let Some(argument) = arguments.next() {
        match &*argument.to_ascii_uppercase() {
            "/R" | "-R" => match arguments.next() {
                Some(folder) => root = Some(folder.clone()),
                None => return wrong(sys),
            },
            "/Q" | "-Q" => quiet = true,
            "/F" | "-F" => quoted = true,
            "/T" | "-T" => return sys.unsupported("where /T"),
            "/?" | "-?" => return sys.unsupported("the help text of where"),
            other if other.starts_with('/') => return wrong(sys),
            _ => patterns.push(argument.clone()),
        }
    }
    if patterns.is_empty() {
        return wrong(sys);
    }
    let mut hits: Vec<Vec<u16>> = Vec::new();
    for pattern in patterns {
        if let Some(root) = &root {
            let folder = sys.full_path(&units(root));
            if sys.attributes(&folder)?.is_err() {
                sys.complain(&FOLDER, &[])?;
                return Ok(2);
            }
            below(sys, folder, &pattern, &mut hits)?;
            continue;
        }
        let (folders, name) = match pattern.rsplit_once(':') {
            Some((variable, name)) if variable.starts_with('$') => {
                let value = sys.variable(&variable[1..]).unwrap_or_default();
                (folders_of(&value), name.to_owned())
            }
            Some((folders, name)) => (folders_of(&Wide::from(folders)), name.to_owned()),
            None => {
                let path = sys.variable("PATH").unwrap_or_default();
                let mut folders = vec![sys.local.directory.clone()];
                folders.extend(folders_of(&path));
                (folders, pattern.clone())
            }
        };
        for folder in folders {
            let folder = sys.full_path(folder.units());
            let found = in_folder(sys, &folder, &name)?;
            for hit in found.hits {
                if !hits.contains(&hit) {
                    hits.push(hit);
                }
            }
        }
    }
    if hits.is_empty() {
        if !quiet {
            sys.complain(&NOTHING, &[])?;
        }
        return Ok(1);
    }
    for hit in hits {
        let hit = String::from_utf16_lossy(&hit);
        match (quiet, quoted) {
            (true, _) => {}
            (_, true) => sys.line(&format!("\"{hit}\""))?,
            _ => sys.line(&hit)?,
        }
    }
    Ok(0)
}

fn wrong(sys: &mut Sys<'_>) -> Asked<u32> {
    sys.complain(&SYNTAX, &[])?;
    Ok(2)
}

/// The directories of a list with semicolons, without quotes.
fn folders_of(list: &Wide) -> Vec<Wide> {
    let list = list.to_utf8_lossy().replace('"', "");
    let folders = list.split(';').filter(|folder| !folder.is_empty());
    folders.map(Wide::from).collect()
}

/// What is in a directory, by full path.
#[derive(Default)]
struct Listed {
    /// The files that a name finds, in the order of its forms.
    hits: Vec<Vec<u16>>,
    /// The directories.
    folders: Vec<Vec<u16>>,
}

/// The files in a directory that a name finds, and the directories in it.
fn in_folder(sys: &mut Sys<'_>, folder: &[u16], name: &str) -> Asked<Listed> {
    let extensions = sys.variable("PATHEXT").unwrap_or_default().to_utf8_lossy();
    let Ok(entries) = sys.list(folder)? else {
        return Ok(Listed::default());
    };
    let mut forms = vec![name.to_owned()];
    if !has_wildcard(&units(name)) {
        let extensions = extensions
            .split(';')
            .filter(|extension| !extension.is_empty());
        forms.extend(extensions.map(|extension| format!("{name}{extension}")));
    }
    let mut hits = Vec::new();
    for form in forms {
        let wildcard = Wildcard::new(&units(&form));
        let files = entries.iter().filter(|entry| {
            !entry.attributes.has(Attributes::DIRECTORY)
                && wildcard.finds(&entry.name, entry.short_name.as_ref())
        });
        hits.extend(files.map(|entry| join(folder, entry.name.units())));
    }
    let folders = entries
        .iter()
        .filter(|entry| entry.attributes.has(Attributes::DIRECTORY));
    let folders = folders.map(|entry| join(folder, entry.name.units()));
    Ok(Listed {
        hits,
        folders: folders.collect(),
    })
}

fn below(
    sys: &mut Sys<'_>,
    folder: Vec<u16>,
    pattern: &str,
    hits: &mut Vec<Vec<u16>>,
) -> Asked<()> {
    let mut waiting = vec![folder];
    while let Some(folder) = waiting.pop() {
        let found = in_folder(sys, &folder, pattern)?;
        hits.extend(found.hits);
        waiting.extend(found.folders.into_iter().rev());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn every_file_that_a_name_finds() {
        let mut bench = Bench::new();
        bench.file("C:\\lab\\go.bat", "x");
        bench.file("C:\\lab\\go", "x");
        bench.file("C:\\lab\\bin\\go.exe", "x");
        bench.file("C:\\lab\\bin\\deep\\go.exe", "x");
        for (command, printed) in [
            ("where go", "C:\\lab\\go\r\nC:\\lab\\go.bat\r\n"),
            ("where go.bat", "C:\\lab\\go.bat\r\n"),
            ("where reg", "C:\\Windows\\system32\\reg.exe\r\n"),
            ("where /f go.bat", "\"C:\\lab\\go.bat\"\r\n"),
            ("where /q go", ""),
            ("where C:\\lab\\bin:go", "C:\\lab\\bin\\go.exe\r\n"),
            (
                "where /r bin go.*",
                "C:\\lab\\bin\\go.exe\r\nC:\\lab\\bin\\deep\\go.exe\r\n",
            ),
        ] {
            assert_eq!(bench.prints(command), printed, "{command}");
        }
        let nothing = "INFO: Could not find files for the given pattern(s).\r\n";
        assert_eq!(bench.fails("where nope"), (1, nothing.into()));
        assert_eq!(bench.fails("where /q nope"), (1, String::new()));
        assert_eq!(bench.fails("where").0, 2);
        assert_eq!(bench.fails("where /r nope go").0, 2);
        bench.refuses("where /t go", "where /T");
    }
}
