//! `sort`: lines in order.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | case does not count; `/R` backwards, `/+N` from a column, `/O` to a file, a file or the input | sort /? | yes |
//! | signs before digits before letters; the order of signs | the word order of Windows, from memory | no |
//! | `/L C`: by the number of the byte | sort /? | yes |
//! | lines that are equal but for case keep their order | | no |
//!
//! Refused: lines beyond ASCII (the collation of the language), `/M` and `/REC` and `/T` are read and change nothing.

use super::findstr::pattern::rank;
use super::operands::{lines, plain};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;

const SWITCH: Message = Message {
    en: "Invalid switch.\r\n",
    zh: "无效开关。\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let mut arguments = arguments.iter();
    let (mut backwards, mut column, mut plain_order) = (false, 0, false);
    let (mut from, mut to) = (None, None);
    while let Some(argument) = arguments.next() {
        let Some(switch) = argument.strip_prefix('/') else {
            from = Some(argument);
            continue;
        };
        let upper = switch.to_ascii_uppercase();
        match &*upper {
            "R" | "REVERSE" => backwards = true,
            "L" | "LOCALE" => match arguments.next().map(|name| name.to_ascii_uppercase()) {
                Some(name) if name == "C" => plain_order = true,
                other => {
                    let name = other.unwrap_or_default();
                    return sys.unsupported(&format!("sort /L {name}"));
                }
            },
            "O" | "OUTPUT" => to = arguments.next(),
            "M" | "MEMORY" | "REC" | "RECORD_MAXIMUM" | "T" | "TEMPORARY" => {
                arguments.next();
            }
            "?" => return sys.unsupported("the help text of sort"),
            other => match other.strip_prefix('+').map(str::parse::<usize>) {
                Some(Ok(first)) if first > 0 => column = first - 1,
                _ => {
                    sys.complain(&SWITCH, &[])?;
                    return Ok(1);
                }
            },
        }
    }
    let content = match from {
        Some(file) => match sys.read_file(&units(file))? {
            Ok(content) => content.to_vec(),
            Err(error) => {
                let text = sys.system_text(error.code);
                sys.error(&format!("{file}{text}"))?;
                return Ok(1);
            }
        },
        None => sys.read_all(0)?.unwrap_or_default(),
    };
    if !content.is_ascii() && !plain_order {
        return sys.unsupported("sort of lines beyond ASCII");
    }
    let mut all: Vec<&[u8]> = lines(&content).map(plain).collect();
    let key = |line: &&[u8]| -> Vec<u16> {
        let line = line.get(column..).unwrap_or_default();
        let fold = line.iter().map(u8::to_ascii_lowercase);
        match plain_order {
            true => fold.map(u16::from).collect(),
            false => fold.map(rank).collect(),
        }
    };
    all.sort_by_cached_key(key);
    if backwards {
        all.reverse();
    }
    let mut out = Vec::with_capacity(content.len() + 2);
    for line in all {
        out.extend_from_slice(line);
        out.extend_from_slice(b"\r\n");
    }
    match to {
        Some(file) => {
            if let Err(error) = sys.write_file(&units(file), &out)? {
                let text = sys.system_text(error.code);
                sys.error(&format!("{file}{text}"))?;
                return Ok(1);
            }
        }
        None => sys.write_bytes(1, &out)?.unwrap_or_default(),
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn lines_in_order() {
        let mut bench = Bench::new();
        bench.input = b"b\r\nA\nc1\n10\n9\n_x\n";
        assert_eq!(bench.prints("sort"), "_x\r\n10\r\n9\r\nA\r\nb\r\nc1\r\n");
        assert_eq!(bench.prints("sort /r"), "c1\r\nb\r\nA\r\n9\r\n10\r\n_x\r\n");
        bench.file("C:\\lab\\a.txt", "2b\r\n1c\r\n3a\r\n");
        bench.prints("sort /+2 a.txt /o a.txt");
        assert_eq!(
            bench.text("C:\\lab\\a.txt").as_deref(),
            Some("3a\r\n2b\r\n1c\r\n")
        );
        assert_eq!(bench.fails("sort /zz").0, 1);
        assert_eq!(bench.fails("sort nope.txt").0, 1);
        bench.input = "中\n".as_bytes();
        bench.refuses("sort", "sort of lines beyond ASCII");
        bench.refuses("sort /L English", "sort /L ENGLISH");
    }
}
