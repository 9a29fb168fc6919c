//! `find`: lines that have a text.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | the text stands in quotes, a quote in it is doubled; else "Parameter format not correct", exit code 2 | find /?; observed | yes |
//! | a blank line and `---------- NAME` in upper case before the lines of each file; `/C` puts the count behind it | find /?; observed | yes |
//! | `find "" ` finds nothing and `/V ""` everything | observed | yes |
//! | lines end with CR LF in the output, whatever they had | | no |
//! | UTF-16 with its mark is understood, which findstr does not | reports; from memory | partly |
//! | 0 found, 1 not found, 2 wrong | observed | yes |

use super::operands::{find, lines, plain};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::text::Wide;

const FORMAT: Message = Message {
    en: "FIND: Parameter format not correct\r\n",
    zh: "FIND: 参数格式不正确\r\n",
};
const SWITCH: Message = Message {
    en: "FIND: Invalid switch\r\n",
    zh: "FIND: 无效开关\r\n",
};
const NOT_FOUND: Message = Message {
    en: "File not found - {0}\r\n",
    zh: "找不到文件 - {0}\r\n",
};

#[derive(Default)]
struct Options {
    text: Option<Wide>,
    invert: bool,
    count: bool,
    numbers: bool,
    ignore_case: bool,
    files: Vec<Vec<u16>>,
}

/// What is wrong with a command line.
enum Wrong {
    Format,
    Switch,
    Help,
}

fn read(tail: &[u16]) -> Result<Options, Wrong> {
    const QUOTE: u16 = b'"' as u16;
    let is_blank = |unit: &u16| [0x20, 0x09, u16::from(b','), u16::from(b';')].contains(unit);
    let mut options = Options::default();
    let mut at = 0;
    while at < tail.len() {
        if is_blank(&tail[at]) {
            at += 1;
            continue;
        }
        if tail[at] == QUOTE {
            let mut text = Vec::new();
            at += 1;
            loop {
                match (tail.get(at), tail.get(at + 1)) {
                    (Some(&QUOTE), Some(&QUOTE)) if options.text.is_none() => {
                        text.push(QUOTE);
                        at += 2;
                    }
                    (Some(&QUOTE), _) => break,
                    (Some(unit), _) => {
                        text.push(*unit);
                        at += 1;
                    }
                    (None, _) => return Err(Wrong::Format),
                }
            }
            at += 1;
            match options.text {
                None => options.text = Some(Wide::new(text)),
                Some(_) => options.files.push(text),
            }
            continue;
        }
        let end = tail[at..]
            .iter()
            .position(|unit| is_blank(unit) || *unit == QUOTE);
        let word = &tail[at..end.map_or(tail.len(), |end| at + end)];
        at += word.len();
        if word[0] != u16::from(b'/') {
            if options.text.is_none() {
                return Err(Wrong::Format);
            }
            options.files.push(word.to_vec());
            continue;
        }
        for switch in String::from_utf16_lossy(word)
            .to_ascii_uppercase()
            .split('/')
            .skip(1)
        {
            match switch {
                "V" => options.invert = true,
                "C" => options.count = true,
                "N" => options.numbers = true,
                "I" => options.ignore_case = true,
                "OFF" | "OFFLINE" => {}
                "?" => return Err(Wrong::Help),
                _ => return Err(Wrong::Switch),
            }
        }
    }
    match options.text {
        Some(_) => Ok(options),
        None => Err(Wrong::Format),
    }
}

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let options = match read(sys.tail()) {
        Ok(options) => options,
        Err(Wrong::Format) => {
            sys.complain(&FORMAT, &[])?;
            return Ok(2);
        }
        Err(Wrong::Switch) => {
            sys.complain(&SWITCH, &[])?;
            return Ok(2);
        }
        Err(Wrong::Help) => return sys.unsupported("the help text of find"),
    };
    let mut hits = 0;
    if options.files.is_empty() {
        let content = sys.read_all(0)?.unwrap_or_default();
        let content = in_bytes(sys, &content)?;
        let (out, count) = matching(sys, &options, &content)?;
        match options.count {
            true => sys.line(&count.to_string())?,
            false => sys.write_bytes(1, &out)?.unwrap_or_default(),
        }
        hits += count;
    }
    for pattern in &options.files {
        let found = find(sys, pattern)?.unwrap_or_default();
        let files: Vec<_> = found
            .into_iter()
            .filter(|one| !one.is_directory())
            .collect();
        if files.is_empty() {
            let shown = String::from_utf16_lossy(pattern).to_uppercase();
            sys.complain(&NOT_FOUND, &[&shown])?;
        }
        for file in files {
            let shown = Wide::new(file.path.clone()).to_upcase().to_utf8_lossy();
            let Ok(content) = sys.read_file(&file.path)? else {
                let denied = sys.system_text(5);
                sys.error(&format!("{shown}: {denied}"))?;
                continue;
            };
            let content = in_bytes(sys, &content)?;
            let (out, count) = matching(sys, &options, &content)?;
            match options.count {
                true => sys.line(&format!("\r\n---------- {shown}: {count}"))?,
                false => {
                    sys.line(&format!("\r\n---------- {shown}"))?;
                    sys.write_bytes(1, &out)?.unwrap_or_default();
                }
            }
            hits += count;
        }
    }
    Ok(u32::from(hits == 0))
}

/// What is read, in the console's code page: UTF-16 with its mark, such as `reg export` writes it, is understood.
fn in_bytes(sys: &mut Sys<'_>, content: &[u8]) -> Asked<Vec<u8>> {
    let Some(wide) = content.strip_prefix(b"\xff\xfe") else {
        return Ok(content.to_vec());
    };
    let text = Wide::from_le_bytes(wide).0;
    sys.local_operation(move |kernel, about, _| kernel.encode(about, text.units()))
}

/// What is printed, and how many lines that is.
fn matching(sys: &mut Sys<'_>, options: &Options, content: &[u8]) -> Asked<(Vec<u8>, usize)> {
    let fold = |text: &Wide| match options.ignore_case {
        true => text.to_upcase(),
        false => text.clone(),
    };
    let wanted = options.text.as_ref().map(fold).unwrap_or_default();
    let (mut out, mut count) = (Vec::new(), 0);
    for (number, line) in (1..).zip(lines(content)) {
        let own = fold(&sys.decode(plain(line))?);
        let has = !wanted.is_empty()
            && own
                .units()
                .windows(wanted.len())
                .any(|part| part == wanted.units());
        if has != options.invert {
            count += 1;
            if options.numbers {
                out.extend_from_slice(format!("[{number}]").as_bytes());
            }
            out.extend_from_slice(plain(line));
            out.extend_from_slice(b"\r\n");
        }
    }
    Ok((out, count))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn lines_counts_and_headings() {
        let mut bench = Bench::new();
        bench.file("C:\\lab\\a.txt", "one\r\ntwo\r\nOne \"x\"\r\n");
        bench.file("C:\\lab\\b.txt", "none");
        for (command, printed) in [
            ("find \"one\" a.txt", "\r\n---------- A.TXT\r\none\r\n"),
            (
                "find /i /n \"one\" a.txt",
                "\r\n---------- A.TXT\r\n[1]one\r\n[3]One \"x\"\r\n",
            ),
            (
                "find /c \"o\" *.txt",
                "\r\n---------- A.TXT: 2\r\n\r\n---------- B.TXT: 1\r\n",
            ),
            (
                "find \"\"\"x\"\"\" a.txt",
                "\r\n---------- A.TXT\r\nOne \"x\"\r\n",
            ),
            ("find /v /c \"\" a.txt", "\r\n---------- A.TXT: 3\r\n"),
        ] {
            assert_eq!(bench.prints(command), printed, "{command}");
        }
        bench.input = b"a\nb\r\nab";
        assert_eq!(bench.prints("find \"b\""), "b\r\nab\r\n");
        assert_eq!(bench.prints("find /c /v \"\""), "3\r\n");
        assert_eq!(bench.run("find \"zz\"").exit, 1);
        let wrong = "FIND: Parameter format not correct\r\n";
        assert_eq!(bench.fails("find one a.txt"), (2, wrong.into()));
        assert_eq!(
            bench.fails("find /z \"one\" a.txt"),
            (2, "FIND: Invalid switch\r\n".into())
        );
        let missing = "File not found - NOPE.TXT\r\n";
        assert_eq!(bench.fails("find \"x\" nope.txt"), (1, missing.into()));
        bench.refuses("find /?", "the help text of find");
    }
}
