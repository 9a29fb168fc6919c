//! `fc`: two files, compared.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | 0 the same, 1 different, 2 one cannot be opened | fc /?; Wine's programs/fc/tests, run on Windows | yes |
//! | as text, line by line, tabs as blanks; a missing end of the last line is no difference; `/c` any case | fc /?; the same tests | yes |
//! | `/b` byte by byte, and files that end in .exe, .com, .sys, .obj, .lib, .bin without it | fc /? | yes |
//! | the second name in capitals; the words where a file is not there | observed, from memory | no |
//!
//! Refused: to show where texts differ (how it finds its way back is not established), which scripts rarely look at; to NUL
//! they do not see it. `/u`, `/w`, `/off`, `/NNNN`, `/LB`, patterns, the help text.

use super::operands::{lines, plain};
use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::has_wildcard;
use crate::win7::registry::units;

const COMPARING: Message = Message {
    en: "Comparing files {0} and {1}\r\n",
    zh: "正在比较文件 {0} 和 {1}\r\n",
};
const SAME: Message = Message {
    en: "FC: no differences encountered\r\n\r\n",
    zh: "FC: 找不到差异\r\n\r\n",
};
const LONGER: Message = Message {
    en: "FC: {0} longer than {1}\r\n",
    zh: "FC: {0} 比 {1} 长\r\n",
};
const CANNOT_OPEN: Message = Message {
    en: "FC: cannot open {0} - No such file or folder\r\n",
    zh: "FC: 无法打开 {0} - 没有此类文件或文件夹\r\n",
};
const SYNTAX: Message = Message {
    en: "FC: Invalid Switch\r\n",
    zh: "FC: 无效的开关\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let (mut binary, mut text, mut any_case, mut tabs) = (false, false, false, true);
    let mut names = Vec::new();
    for argument in sys.arguments() {
        let Some(switches) = argument.strip_prefix('/') else {
            names.push(argument);
            continue;
        };
        for switch in switches.to_ascii_lowercase().split('/') {
            match switch {
                "b" => binary = true,
                "l" => text = true,
                "c" => any_case = true,
                "t" => tabs = false,
                "a" | "n" => {}
                "u" | "w" | "off" | "offline" | "?" => {
                    return sys.unsupported(&format!("fc /{switch}"));
                }
                other if other.starts_with("lb") || other.parse::<u32>().is_ok() => {
                    return sys.unsupported(&format!("fc /{switch}"));
                }
                _ => {
                    sys.complain(&SYNTAX, &[])?;
                    return Ok(u32::MAX);
                }
            }
        }
    }
    let [one, other] = names.as_slice() else {
        return sys.unsupported("fc without two files");
    };
    if has_wildcard(&units(one)) || has_wildcard(&units(other)) {
        return sys.unsupported("fc of a pattern");
    }
    let mut contents = Vec::new();
    for name in [one, other] {
        match sys.read_file(&units(name))? {
            Ok(content) => contents.push(content),
            Err(_) => {
                sys.complain(&CANNOT_OPEN, &[&name.to_uppercase()])?;
                return Ok(2);
            }
        }
    }
    let is_program = |name: &String| {
        let lower = name.to_ascii_lowercase();
        let extension = lower
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension);
        matches!(extension, "exe" | "com" | "sys" | "obj" | "lib" | "bin")
    };
    binary |= !text && is_program(one);
    let shown = [one.clone(), other.to_uppercase()];
    let differs = match binary {
        true => contents[0] != contents[1],
        false => {
            let [one, other] = [0, 1].map(|nth: usize| texts(&contents[nth], tabs, any_case));
            one != other
        }
    };
    if differs && !binary && sys.local.handles.get(1) != Handle::Nul {
        return sys.unsupported("fc showing where texts differ");
    }
    sys.say(&COMPARING, &[&shown[0], &shown[1]])?;
    if !differs {
        sys.say(&SAME, &[])?;
        return Ok(0);
    }
    if binary {
        let pairs = contents[0].iter().zip(contents[1].iter()).enumerate();
        let mut text = String::new();
        for (at, (one, other)) in pairs.filter(|(_, (one, other))| one != other) {
            text.push_str(&format!("{at:08X}: {one:02X} {other:02X}\r\n"));
        }
        sys.print(&text)?;
        let lengths = [contents[0].len(), contents[1].len()];
        if lengths[0] != lengths[1] {
            let longer = usize::from(lengths[1] > lengths[0]);
            sys.say(&LONGER, &[&shown[longer], &shown[1 - longer]])?;
        }
        sys.line("")?;
    }
    Ok(1)
}

/// The lines of a text, as they are compared.
fn texts(content: &[u8], tabs: bool, any_case: bool) -> Vec<Vec<u8>> {
    let as_compared = |line: &[u8]| {
        let mut text = Vec::new();
        for byte in plain(line) {
            match byte {
                b'\t' if tabs => text.resize(text.len() / 8 * 8 + 8, b' '),
                byte if any_case => text.push(byte.to_ascii_uppercase()),
                byte => text.push(*byte),
            }
        }
        text
    };
    lines(content).map(as_compared).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    fn bench() -> Bench {
        let mut bench = Bench::new();
        bench.file("C:\\lab\\a.txt", "one\r\ntwo\r\n");
        bench.file("C:\\lab\\same.txt", "one\ntwo");
        bench.file("C:\\lab\\other.txt", "one\r\nTWO\r\n");
        bench.file("C:\\lab\\long.txt", "one\r\nTWO\r\n!");
        bench
    }

    #[test]
    fn files_that_are_the_same_as_text() {
        let mut bench = bench();
        let same = "Comparing files a.txt and SAME.TXT\r\nFC: no differences encountered\r\n\r\n";
        assert_eq!(bench.prints("fc a.txt same.txt"), same);
        assert_eq!(bench.run("fc /c a.txt other.txt").exit, 0);
        assert_eq!(
            bench.fails("fc a.txt nope.txt"),
            (
                2,
                "FC: cannot open NOPE.TXT - No such file or folder\r\n".into()
            )
        );
    }

    #[test]
    fn bytes_that_differ_are_shown() {
        let mut bench = bench();
        let ran = bench.run("fc /b other.txt long.txt");
        let shown =
            "Comparing files other.txt and LONG.TXT\r\nFC: LONG.TXT longer than other.txt\r\n\r\n";
        assert_eq!((ran.exit, &*ran.stdout), (1, shown));
        let ran = bench.run("fc /b a.txt other.txt");
        let bytes = "00000005: 74 54\r\n00000006: 77 57\r\n00000007: 6F 4F\r\n";
        assert!(ran.stdout.contains(bytes), "{}", ran.stdout);
        bench.refuses("fc a.txt other.txt", "fc showing where texts differ");
        bench.refuses("fc /w a.txt other.txt", "fc /w");
    }
}
