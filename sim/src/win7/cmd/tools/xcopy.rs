//! `xcopy`: files and trees.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `/S` with folders that are not empty, `/E` with all; hidden and system files with `/H` alone | xcopy /? | yes |
//! | read-only files are overwritten with `/R` alone; copies lose that attribute but with `/K` | xcopy /? | yes |
//! | asks before it overwrites, but with `/Y`; asks what a target is that is not there, but with `/I` and several files, and where it ends in a backslash | xcopy /? | yes |
//! | each source is printed as it was named, then how many; `/Q`, `/F`, `/L` | xcopy /?; observed | yes |
//! | exit codes 0, 1 (nothing found), 2 (ended by the user), 4 (wrong) | documentation | yes |
//! | the end of the input where it asks: it ends with 2 | | no |
//!
//! Refused: `/D` with a date, and where there is a file already, since volumes here hold no times; `/A`, `/M`, `/U`, `/EXCLUDE`, `/N`, `/O`, `/X`, `/P`, `/W`, `/B`, `/T`, the help text. `/V`, `/Z`, `/J`, `/G` and
//! `/C` change nothing that is modelled but going on after a failure.

use super::operands::{Found, find, find_in, folder_of, join, split};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys, UNSUPPORTED};
use crate::win7::cmd::wildcard::{Wildcard, has_wildcard, renamed};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

const NOT_FOUND: Message = Message {
    en: "File not found - {0}\r\n",
    zh: "找不到文件 - {0}\r\n",
};
const COPIED: Message = Message {
    en: "{0} File(s) copied\r\n",
    zh: "复制了 {0} 个文件\r\n",
};
const LISTED: Message = Message {
    en: "{0} File(s)\r\n",
    zh: "{0} 个文件\r\n",
};
const WHAT: Message = Message {
    en: "Does {0} specify a file name\r\nor directory name on the target\r\n(F = file, D = directory)? ",
    zh: "目标 {0} 是文件名\r\n还是目录名\r\n(F = 文件，D = 目录)? ",
};
const OVERWRITE: Message = Message {
    en: "Overwrite {0} (Yes/No/All)? ",
    zh: "改写 {0} 吗(Yes/No/All)? ",
};
const DENIED: Message = Message {
    en: "Access denied - {0}\r\n",
    zh: "拒绝访问 - {0}\r\n",
};
const SHARING: Message = Message {
    en: "Sharing violation - {0}\r\n",
    zh: "共享违规 - {0}\r\n",
};
const PARAMETERS: Message = Message {
    en: "Invalid number of parameters\r\n",
    zh: "无效的参数数量\r\n",
};
const SWITCH: Message = Message {
    en: "Invalid switch - {0}\r\n",
    zh: "无效开关 - {0}\r\n",
};
const CYCLIC: Message = Message {
    en: "Cannot perform a cyclic copy\r\n",
    zh: "无法执行循环复制\r\n",
};

const WRONG: u32 = 4;

#[derive(Default)]
struct Options {
    recurse: bool,
    empty: bool,
    all: bool,
    folder: bool,
    quiet: bool,
    full: bool,
    list: bool,
    hidden: bool,
    read_only: bool,
    keep: bool,
    go_on: bool,
    newer: bool,
}

/// Why it ends before its end.
enum Flow {
    On,
    End(u32),
}

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let mut options = Options::default();
    let mut operands = Vec::new();
    for argument in sys.arguments() {
        let Some(switches) = argument.strip_prefix('/') else {
            operands.push(units(&argument));
            continue;
        };
        for switch in switches.to_ascii_uppercase().split('/') {
            match switch {
                "S" => options.recurse = true,
                "E" => (options.recurse, options.empty) = (true, true),
                "Y" => options.all = true,
                "-Y" => options.all = false,
                "I" => options.folder = true,
                "Q" => options.quiet = true,
                "F" => options.full = true,
                "L" => options.list = true,
                "H" => options.hidden = true,
                "R" => options.read_only = true,
                "K" => options.keep = true,
                "C" => options.go_on = true,
                "V" | "Z" | "J" | "G" => {}
                "D" => options.newer = true,
                "A" | "M" | "U" | "N" | "O" | "X" | "P" | "W" | "B" | "T" | "?" => {
                    return sys.unsupported(&format!("xcopy /{switch}"));
                }
                other if other.starts_with("D:") || other.starts_with("EXCLUDE:") => {
                    return sys.unsupported(&format!("xcopy /{switch}"));
                }
                _ => {
                    sys.complain(&SWITCH, &[&argument])?;
                    return Ok(WRONG);
                }
            }
        }
    }
    let (source, target) = match &operands[..] {
        [source] => (source.clone(), units(".")),
        [source, target] => (source.clone(), target.clone()),
        _ => {
            sys.complain(&PARAMETERS, &[])?;
            return Ok(WRONG);
        }
    };
    copy(sys, options, source, target)
}

fn copy(sys: &mut Sys<'_>, mut options: Options, source: Vec<u16>, target: Vec<u16>) -> Asked<u32> {
    // What is copied: a pattern in a folder.
    let (mut folder, mut pattern) = {
        let (folder, name) = split(&source);
        (folder.to_vec(), name.to_vec())
    };
    let mut is_several = has_wildcard(&pattern);
    let named = match pattern.is_empty() {
        true => Vec::new(),
        false => find(sys, &source)?.unwrap_or_default(),
    };
    let is_nowhere = sys.attributes(&folder_of(&folder))?.is_err();
    let is_below = options.recurse && is_several;
    if named.is_empty() && !pattern.is_empty() && (is_nowhere || !is_below) {
        // It looks for what it copies before it asks where to.
        let name = String::from_utf16_lossy(&pattern);
        sys.complain(&NOT_FOUND, &[&name])?;
        sys.say(&COPIED, &["0"])?;
        return Ok(WRONG);
    }
    if !is_several && (pattern.is_empty() || named.iter().any(Found::is_directory)) {
        folder = join(&source, &[]);
        pattern = units("*");
        is_several = true;
    }
    // Where it goes: a folder, and the names there.
    let (mut into, mut names) = (target.clone(), None);
    let (above, own) = split(&target);
    let there = sys.attributes(&target)?;
    let is_folder = there.is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY));
    let is_file = there.is_ok() && !is_folder;
    let is_known = is_folder || own.is_empty() || (options.folder && is_several);
    if has_wildcard(own) || is_file {
        (into, names) = (above.to_vec(), Some(own.to_vec()));
    } else if !is_known {
        let shown = String::from_utf16_lossy(&target);
        loop {
            sys.say(&WHAT, &[&shown])?;
            let Ok(Some(line)) = sys.read_line(0)? else {
                sys.line("")?;
                return Ok(2);
            };
            match line.first().map(u8::to_ascii_uppercase) {
                Some(b'F') => {
                    (into, names) = (above.to_vec(), Some(own.to_vec()));
                    break;
                }
                Some(b'D') => break,
                _ => {}
            }
        }
    }
    let full = |sys: &Sys<'_>, path: &[u16]| {
        let path = String::from_utf16_lossy(&sys.full_path(path)).to_uppercase();
        format!("{}\\", path.trim_end_matches('\\'))
    };
    let from = full(sys, if folder.is_empty() { &[0x2E] } else { &folder });
    let to = full(sys, if into.is_empty() { &[0x2E] } else { &into });
    if options.recurse && to.starts_with(&from) && to != from {
        sys.complain(&CYCLIC, &[])?;
        return Ok(WRONG);
    }
    let wildcard = Wildcard::new(&pattern);
    let (mut found, mut copied, mut code) = (0, 0, 0);
    let mut waiting = vec![(folder.clone(), into)];
    while let Some((folder, into)) = waiting.pop() {
        let all = find_in(sys, &folder, &Wildcard::new(&units("*")))?.unwrap_or_default();
        let with_hidden = options.hidden;
        let is_shown = |one: &Found| {
            let hidden = Attributes::HIDDEN.0 | Attributes::SYSTEM.0;
            with_hidden || one.attributes.0 & hidden == 0
        };
        let files: Vec<&Found> = all
            .iter()
            .filter(|one| !one.is_directory() && is_shown(one))
            .filter(|one| wildcard.matches_units(split(&one.path).1))
            .collect();
        if (!files.is_empty() || options.empty) && !options.list {
            make(sys, &into)?;
        }
        for one in files {
            found += 1;
            let (_, own) = split(&one.path);
            let name = names
                .as_ref()
                .map_or_else(|| own.to_vec(), |names| renamed(own, names));
            match one_file(sys, &mut options, one, &join(&into, &name))? {
                Ok(done) => copied += u32::from(done),
                Err(Flow::End(ended)) => {
                    sys.say(&COPIED, &[&copied.to_string()])?;
                    return Ok(ended);
                }
                Err(Flow::On) => code = WRONG,
            }
        }
        if options.recurse {
            let below = all
                .iter()
                .rev()
                .filter(|one| one.is_directory() && is_shown(one));
            waiting.extend(below.map(|one| {
                let (_, own) = split(&one.path);
                (join(&one.path, &[]), join(&into, own))
            }));
        }
    }
    if found == 0 && !is_below {
        let name = String::from_utf16_lossy(&pattern);
        sys.complain(&NOT_FOUND, &[&name])?;
        code = WRONG;
    }
    let message = if options.list { LISTED } else { COPIED };
    sys.say(&message, &[&copied.to_string()])?;
    Ok(code)
}

/// Makes a folder with those above it; what fails shows when a file is written.
fn make(sys: &mut Sys<'_>, folder: &[u16]) -> Asked<()> {
    let full = sys.full_path(folder);
    let mut missing = Vec::new();
    let mut path = full;
    while path.len() > 3 && sys.attributes(&path)?.is_err() {
        missing.push(path.clone());
        let (above, _) = split(path.strip_suffix(&[0x5C]).unwrap_or(&path));
        path = above.to_vec();
        if path.len() > 3 {
            path.pop();
        }
    }
    for path in missing.iter().rev() {
        if sys.create_directory(path)?.is_err() {
            break;
        }
    }
    Ok(())
}

/// Copies a file: whether it was.
fn one_file(
    sys: &mut Sys<'_>,
    options: &mut Options,
    one: &Found,
    to: &[u16],
) -> Asked<Result<bool, Flow>> {
    let text = |path: &[u16]| String::from_utf16_lossy(path);
    let shown = match options.full {
        true => format!(
            "{} -> {}",
            text(&sys.full_path(&one.path)),
            text(&sys.full_path(to))
        ),
        false => text(&one.path),
    };
    if options.list {
        sys.line(&shown)?;
        return Ok(Ok(true));
    }
    let old = sys.attributes(to)?.ok();
    if options.newer && old.is_some() {
        sys.unsupported("xcopy /D onto a file that is there already: which is newer")?;
        return Ok(Err(Flow::End(UNSUPPORTED)));
    }
    if old.is_some() && !options.all {
        loop {
            let target = text(&sys.full_path(to));
            sys.say(&OVERWRITE, &[&target])?;
            let Ok(Some(line)) = sys.read_line(0)? else {
                sys.line("")?;
                return Ok(Err(Flow::End(2)));
            };
            match line.first().map(u8::to_ascii_uppercase) {
                Some(b'Y') => break,
                Some(b'A') => {
                    options.all = true;
                    break;
                }
                Some(b'N') => return Ok(Ok(false)),
                _ => {}
            }
        }
    }
    if !options.quiet {
        sys.line(&shown)?;
    }
    let settable = Attributes(Attributes::SETTABLE.0 & !Attributes::READONLY.0);
    if options.read_only
        && let Some(old) = old
        && old.has(Attributes::READONLY)
    {
        // What is refused here is refused when it is written too.
        let _ = sys.set_attributes(to, Attributes(old.0 & settable.0))?;
    }
    let written = match sys.read_file(&one.path)? {
        Ok(content) => sys.write_file(to, &content)?,
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => {
            let kept = match options.keep {
                true => Attributes::SETTABLE,
                false => settable,
            };
            let new = Attributes(one.attributes.0 & kept.0 | Attributes::ARCHIVE.0);
            if new != Attributes::ARCHIVE {
                let _ = sys.set_attributes(to, new)?;
            }
            Ok(Ok(true))
        }
        Err(error) => {
            let target = text(&sys.full_path(to));
            match error.code {
                5 => sys.complain(&DENIED, &[&target])?,
                32 => sys.complain(&SHARING, &[&target])?,
                code => {
                    let text = sys.system_text(code);
                    sys.error(&text)?;
                }
            }
            Ok(Err(if options.go_on {
                Flow::On
            } else {
                Flow::End(WRONG)
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    fn bench() -> Bench {
        let mut bench = Bench::new();
        bench.file("C:\\lab\\src\\a.txt", "a");
        bench.file("C:\\lab\\src\\sub\\b.txt", "b");
        bench.folder("C:\\lab\\src\\empty");
        bench
    }

    #[test]
    fn trees_are_copied() {
        let mut bench = bench();
        let printed = bench.prints("xcopy src dst /s /i");
        assert_eq!(
            printed,
            "src\\a.txt\r\nsrc\\sub\\b.txt\r\n2 File(s) copied\r\n"
        );
        assert_eq!(bench.text("C:\\lab\\dst\\sub\\b.txt").as_deref(), Some("b"));
        assert!(!bench.is_there("C:\\lab\\dst\\empty"));
        assert_eq!(
            bench.prints("xcopy src e\\f /e /i /q"),
            "2 File(s) copied\r\n"
        );
        assert!(bench.is_there("C:\\lab\\e\\f\\empty"));
        assert_eq!(
            bench.prints("xcopy src\\*.txt one\\ /y"),
            "src\\a.txt\r\n1 File(s) copied\r\n"
        );
        let full = "C:\\lab\\src\\a.txt -> C:\\lab\\x.txt\r\n1 File(s)\r\n";
        bench.input = b"F\r\n";
        assert!(bench.prints("xcopy src\\a.txt x.txt /f /l").ends_with(full));
    }

    #[test]
    fn questions_and_failures() {
        let mut bench = bench();
        bench.file("C:\\lab\\dst\\a.txt", "old");
        bench.input = b"n\r\n";
        let asked = bench.prints("xcopy src\\a.txt dst");
        let question = "Overwrite C:\\lab\\dst\\a.txt (Yes/No/All)? ";
        assert_eq!(asked, format!("{question}0 File(s) copied\r\n"));
        assert_eq!(bench.text("C:\\lab\\dst\\a.txt").as_deref(), Some("old"));
        bench.run("attrib +r dst\\a.txt");
        let denied = bench.run("xcopy src\\a.txt dst /y");
        assert_eq!(
            (denied.exit, &*denied.stderr),
            (4, "Access denied - C:\\lab\\dst\\a.txt\r\n")
        );
        bench.prints("xcopy src\\a.txt dst /y /r");
        assert_eq!(bench.text("C:\\lab\\dst\\a.txt").as_deref(), Some("a"));
        for (line, name) in [
            ("xcopy nope.txt dst", "nope.txt"),
            ("xcopy nope.txt new", "nope.txt"),
            ("xcopy src\\*.zip new\\x", "*.zip"),
            ("xcopy nope\\* new /e /i /y", "*"),
            ("xcopy nope new /e /i /y", "nope"),
        ] {
            let ran = bench.run(line);
            let said = format!("File not found - {name}\r\n");
            assert_eq!(
                (ran.exit, ran.stderr, &*ran.stdout),
                (4, said, "0 File(s) copied\r\n"),
                "{line}"
            );
        }
        assert_eq!(
            bench.fails("xcopy src src\\sub /s /i").1,
            "Cannot perform a cyclic copy\r\n"
        );
        assert_eq!(bench.fails("xcopy").0, 4);
        bench.refuses("xcopy src dst /d:1-1-2020", "xcopy /D:1-1-2020");
        let newer = "xcopy /D onto a file that is there already: which is newer";
        bench.refuses("xcopy src\\a.txt dst /d /y", newer);
        assert_eq!(
            bench.prints("xcopy src fresh /d /y /i /q"),
            "1 File(s) copied\r\n"
        );
        bench.refuses("xcopy src dst /exclude:f", "xcopy /EXCLUDE:F");
    }
}
