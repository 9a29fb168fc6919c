//! `more`: text page by page; into a file or a pipe, all of it.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | tabs become blanks to every eighth column (`/Tn`); lines end with CR LF | more /?; observed | partly |
//! | behind what comes from a pipe or a redirection, and does not go to the console, there is an empty line | Wine's batch tests, whose expected output is that of Windows | yes for pipes |
//! | a file that is not there is no failure | the same | yes |
//! | `+N` begins at a line, `/S` makes several blank lines one | more /? | yes |
//!
//! Refused: waiting for a key on the console, `/C`, `/P`.

use super::operands::{lines, plain};
use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;

const NO_FILE: Message = Message {
    en: "Cannot access file {0}\r\n",
    zh: "无法访问文件 {0}\r\n",
};

/// How many lines a console of the default size shows.
const PAGE: usize = 24;

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let (mut tab, mut first, mut squeeze) = (8, 0, false);
    let mut files = Vec::new();
    for argument in sys.arguments() {
        let upper = argument.to_ascii_uppercase();
        let number = |prefix| {
            upper
                .strip_prefix(prefix)
                .and_then(|text| text.parse::<usize>().ok())
        };
        match (&*upper, number("+"), number("/T")) {
            ("/E", ..) => {}
            ("/S", ..) => squeeze = true,
            (_, Some(line), _) => first = line,
            (_, _, Some(width)) if width > 0 => tab = width,
            (other, ..) if other.starts_with('/') => {
                return sys.unsupported(&format!("more {argument}"));
            }
            _ => files.push(argument),
        }
    }
    let mut contents = Vec::new();
    for file in &files {
        if crate::win7::path::device_name(&units(file)).is_some() {
            continue;
        }
        match sys.read_file(&units(file))? {
            Ok(content) => contents.push(content.to_vec()),
            Err(_) => {
                let full = String::from_utf16_lossy(&sys.full_path(&units(file)));
                sys.complain(&NO_FILE, &[&full])?;
            }
        }
    }
    if files.is_empty() {
        contents.push(sys.read_all(0)?.unwrap_or_default());
    }
    let mut out = Vec::new();
    let mut shown = 0;
    for content in &contents {
        let mut was_blank = false;
        for line in lines(content).skip(first) {
            let line = plain(line);
            if squeeze && line.is_empty() && was_blank {
                continue;
            }
            was_blank = line.is_empty();
            let mut column = 0;
            for byte in line {
                match byte {
                    b'\t' => {
                        let blanks = tab - column % tab;
                        out.extend(std::iter::repeat_n(b' ', blanks));
                        column += blanks;
                    }
                    byte => {
                        out.push(*byte);
                        column += 1;
                    }
                }
            }
            out.extend_from_slice(b"\r\n");
            shown += 1;
        }
    }
    if shown > PAGE && sys.local.handles.get(1) == Handle::Console {
        return sys.unsupported("more waiting for a key");
    }
    if files.is_empty() && sys.local.handles.get(1) != Handle::Console {
        out.extend_from_slice(b"\r\n");
    }
    sys.write_bytes(1, &out)?.unwrap_or_default();
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn text_goes_through() {
        let mut bench = Bench::new();
        bench.file("C:\\lab\\a.txt", "a\tb\r\n\r\n\r\nc");
        assert_eq!(bench.prints("more a.txt"), "a       b\r\n\r\n\r\nc\r\n");
        assert_eq!(bench.prints("more /s +1 a.txt"), "\r\nc\r\n");
        assert_eq!(bench.prints("more /t4 a.txt"), "a   b\r\n\r\n\r\nc\r\n");
        let missing = "Cannot access file C:\\lab\\nope.txt\r\n";
        let ran = bench.run("more nope.txt");
        assert_eq!((ran.exit, &*ran.stderr), (0, missing));
        bench.refuses("more /c a.txt", "more /c");
        bench.file("C:\\lab\\long.txt", "x\n".repeat(30));
        bench.refuses("more long.txt", "more waiting for a key");
    }
}
