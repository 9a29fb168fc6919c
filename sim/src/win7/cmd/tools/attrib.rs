//! `attrib`: the attributes of files.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `A`, `S`, `H`, `R` in columns 1, 4, 5, 6 before a full path in column 14 | listings of Windows 7 | yes |
//! | hidden and system files keep their attributes unless the command names these | attrib /?; observed | yes |
//! | `/S` goes below, `/D` takes directories too; a directory that is named is taken in any case | attrib /? | yes |
//! | "File not found" is printed; the exit code | | no |
//!
//! Refused: `I` (not content indexed), `/L`, the help text.

use super::operands::{Found, find, find_in, join, split};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::{Wildcard, has_wildcard};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

const NOT_FOUND: Message = Message {
    en: "File not found - {0}\r\n",
    zh: "找不到文件 - {0}\r\n",
};
const HIDDEN: Message = Message {
    en: "Not resetting hidden file - {0}\r\n",
    zh: "未重新设置隐藏文件 - {0}\r\n",
};
const SYSTEM: Message = Message {
    en: "Not resetting system file - {0}\r\n",
    zh: "未重新设置系统文件 - {0}\r\n",
};
const FORMAT: Message = Message {
    en: "Parameter format not correct -\r\n",
    zh: "参数格式不正确 -\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let (mut set, mut clear) = (Attributes::default(), Attributes::default());
    let (mut recurse, mut folders, mut patterns) = (false, false, Vec::new());
    for argument in sys.arguments() {
        let upper = argument.to_ascii_uppercase();
        let attribute = match upper.get(1..) {
            Some("R") => Some(Attributes::READONLY),
            Some("A") => Some(Attributes::ARCHIVE),
            Some("S") => Some(Attributes::SYSTEM),
            Some("H") => Some(Attributes::HIDDEN),
            _ => None,
        };
        match (upper.as_bytes().first(), attribute) {
            (Some(b'+'), Some(one)) => set = set.with(one),
            (Some(b'-'), Some(one)) => clear = clear.with(one),
            (Some(b'+' | b'-'), None) if upper.ends_with('I') => {
                return sys.unsupported(&format!("attrib {argument}"));
            }
            (Some(b'+' | b'-'), None) => {
                sys.complain(&FORMAT, &[])?;
                return Ok(1);
            }
            (Some(b'/'), _) => match &*upper {
                "/S" => recurse = true,
                "/D" => folders = true,
                _ => return sys.unsupported(&format!("attrib {argument}")),
            },
            _ => patterns.push(units(&argument)),
        }
    }
    if patterns.is_empty() {
        patterns.push(units("*"));
    }
    let mut code = 0;
    for pattern in patterns {
        let is_wild = has_wildcard(&pattern);
        let mut found = find(sys, &pattern)?.unwrap_or_default();
        if is_wild || recurse {
            found.retain(|one| !one.is_directory() || folders);
        }
        if recurse {
            let (folder, name) = split(&pattern);
            below(sys, folder, name, folders, &mut found)?;
        }
        if found.is_empty() {
            let full = String::from_utf16_lossy(&pattern);
            sys.say(&NOT_FOUND, &[&full])?;
            code = 1;
        }
        for one in found {
            let result = match (set.0, clear.0) {
                (0, 0) => show(sys, &one)?,
                _ => change(sys, &one, set, clear)?,
            };
            code = code.max(result);
        }
    }
    Ok(code)
}

fn below(
    sys: &mut Sys<'_>,
    folder: &[u16],
    name: &[u16],
    folders: bool,
    found: &mut Vec<Found>,
) -> Asked<()> {
    let wildcard = Wildcard::new(name);
    let mut waiting = vec![folder.to_vec()];
    let mut is_first = true;
    while let Some(folder) = waiting.pop() {
        let all = find_in(sys, &folder, &Wildcard::new(&units("*")))?.unwrap_or_default();
        for one in &all {
            let (_, own) = split(&one.path);
            let fits = wildcard.matches_units(own) && (!one.is_directory() || folders);
            if fits && !is_first {
                found.push(one.clone());
            }
        }
        is_first = false;
        let mut below: Vec<Vec<u16>> = all
            .iter()
            .filter(|one| one.is_directory())
            .map(|one| join(&one.path, &[]))
            .collect();
        below.reverse();
        waiting.extend(below);
    }
    Ok(())
}

fn show(sys: &mut Sys<'_>, one: &Found) -> Asked<u32> {
    let sign = |attribute, sign| match one.attributes.has(attribute) {
        true => sign,
        false => ' ',
    };
    let full = String::from_utf16_lossy(&sys.full_path(&one.path));
    sys.line(&format!(
        "{}  {}{}{}       {full}",
        sign(Attributes::ARCHIVE, 'A'),
        sign(Attributes::SYSTEM, 'S'),
        sign(Attributes::HIDDEN, 'H'),
        sign(Attributes::READONLY, 'R'),
    ))?;
    Ok(0)
}

fn change(sys: &mut Sys<'_>, one: &Found, set: Attributes, clear: Attributes) -> Asked<u32> {
    let full = String::from_utf16_lossy(&sys.full_path(&one.path));
    let named = set.with(clear);
    for (attribute, message) in [(Attributes::HIDDEN, HIDDEN), (Attributes::SYSTEM, SYSTEM)] {
        if one.attributes.has(attribute) && !named.has(attribute) {
            sys.say(&message, &[&full])?;
            return Ok(0);
        }
    }
    let kept = one.attributes.0 & Attributes::SETTABLE.0;
    let new = Attributes((kept | set.0) & !clear.0);
    match sys.set_attributes(&one.path, new)? {
        Ok(()) => Ok(0),
        Err(error) => {
            let text = sys.system_text(error.code);
            let text = text.trim_end();
            sys.line(&format!("{text} - {full}"))?;
            Ok(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn attributes_are_shown_and_changed() {
        let mut bench = Bench::new();
        bench.file("C:\\lab\\a.txt", "x");
        bench.file("C:\\lab\\sub\\b.txt", "x");
        assert_eq!(
            bench.prints("attrib a.txt"),
            "A            C:\\lab\\a.txt\r\n"
        );
        bench.prints("attrib +r +h -a a.txt");
        assert_eq!(
            bench.prints("attrib a.txt"),
            "    HR       C:\\lab\\a.txt\r\n"
        );
        let kept = "Not resetting hidden file - C:\\lab\\a.txt\r\n";
        assert_eq!(bench.prints("attrib -r a.txt"), kept);
        bench.prints("attrib -r -h +s a.txt");
        assert_eq!(bench.prints("attrib"), "   S         C:\\lab\\a.txt\r\n");
        let all = "   S         C:\\lab\\a.txt\r\nA            C:\\lab\\sub\\b.txt\r\n";
        assert_eq!(bench.prints("attrib *.* /s"), all);
        bench.prints("attrib +h sub");
        assert_eq!(
            bench.prints("attrib /d s*"),
            "    H        C:\\lab\\sub\r\n"
        );
        let missing = bench.run("attrib nope.txt");
        assert_eq!(
            (missing.exit, &*missing.stdout),
            (1, "File not found - nope.txt\r\n")
        );
        bench.user = "alice";
        let denied = bench.run("attrib +r C:\\Windows\\System32\\reg.exe");
        assert_eq!(denied.exit, 1);
        assert!(
            denied.stdout.starts_with("Access is denied. - "),
            "{denied:?}"
        );
        bench.refuses("attrib +i a.txt", "attrib +i");
        bench.refuses("attrib /l a.txt", "attrib /l");
    }
}
