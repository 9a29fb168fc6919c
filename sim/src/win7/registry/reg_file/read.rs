//! Reading. The rules are those that the tests of Wine's reg.exe hold against real Windows
//! (`programs/reg/tests/import.c`); what they leave open is marked here.

use super::{Entry, Flaw, Header, Line, RegFile};
use crate::win7::registry::name::{Name, units};
use crate::win7::registry::path::{KeyPath, Root};
use crate::win7::registry::value::{Kind, Value, bytes_of};
use crate::win7::text::CodePage;

const TAB: u16 = b'\t' as u16;
const SPACE: u16 = b' ' as u16;
const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const COMMENT: u16 = b';' as u16;
const COMMA: u16 = b',' as u16;
const NEW_LINES: [u16; 2] = [b'\r' as u16, b'\n' as u16];

/// Reads a file as it lies on the disk: UTF-16 if it begins with FF FE, else ANSI.
///
/// # Errors
/// If the first line is none of a .reg file.
pub fn read(bytes: &[u8], ansi: CodePage) -> Result<RegFile, Flaw> {
    match bytes.strip_prefix(&[0xFF, 0xFE]) {
        Some(wide) => {
            let units: Vec<u16> = wide
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            read_lines(
                lines(&units, &NEW_LINES).map(<[u16]>::to_vec).collect(),
                ansi,
            )
        }
        None => {
            let lines = lines(bytes, b"\r\n")
                .map(|line| ansi.decode(line).into_units())
                .collect();
            read_lines(lines, ansi)
        }
    }
}

/// Reads a file that was decoded already.
///
/// # Errors
/// If the first line is none of a .reg file.
pub fn read_text(text: &[u16], ansi: CodePage) -> Result<RegFile, Flaw> {
    let text = text.strip_prefix(&[0xFEFF]).unwrap_or(text);
    read_lines(lines(text, &NEW_LINES).map(<[u16]>::to_vec).collect(), ansi)
}

/// Lines end with CR, LF, or both; the last may lack its end.
fn lines<'a, T: PartialEq>(text: &'a [T], ends: &'a [T; 2]) -> impl Iterator<Item = &'a [T]> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(at) = text.iter().position(|unit| ends.contains(unit)) else {
            return Some(text);
        };
        let is_both = text[at] == ends[0] && text.get(at + 1) == Some(&ends[1]);
        rest = Some(&text[at + 1 + usize::from(is_both)..]);
        Some(&text[..at])
    })
}

fn read_lines(lines: Vec<Vec<u16>>, ansi: CodePage) -> Result<RegFile, Flaw> {
    let header = header(lines.first().map(Vec::as_slice).unwrap_or_default())?;
    let mut reader = Reader {
        wide: header == Header::Version5,
        ansi,
        lines: &lines,
        next: 1,
        entries: Vec::new(),
        flaws: Vec::new(),
    };
    match header {
        Header::Version31 => reader.version_31(),
        Header::Version4 | Header::Version5 => {
            while let Some(line) = reader.line() {
                reader.read_line(line);
            }
        }
        Header::Unread => {}
    }
    Ok(RegFile {
        header,
        lines: reader.entries,
        passed_over: reader.flaws,
    })
}

fn header(line: &[u16]) -> Result<Header, Flaw> {
    let blanks = blanks(line);
    let text = &line[blanks..];
    let is = |header: &str| *text == *units(header);
    if is("Windows Registry Editor Version 5.00") {
        Ok(Header::Version5)
    } else if is("REGEDIT4") {
        Ok(Header::Version4)
    } else if is("REGEDIT") {
        Ok(Header::Version31)
    } else if text.starts_with(&units("REGEDIT")) {
        Ok(Header::Unread)
    } else {
        let what =
            "the first line is neither \"Windows Registry Editor Version 5.00\" nor REGEDIT4";
        Err(Flaw {
            line: 1,
            column: blanks as u32 + 1,
            what,
        })
    }
}

struct Reader<'a> {
    wide: bool,
    ansi: CodePage,
    lines: &'a [Vec<u16>],
    /// The index of the line that comes next.
    next: usize,
    entries: Vec<Entry>,
    flaws: Vec<Flaw>,
}

/// What data in hexadecimal comes to at the end of a line.
enum Hex {
    Complete,
    GoesOn,
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> Option<&'a [u16]> {
        let line = self.lines.get(self.next)?;
        self.next += 1;
        Some(line)
    }

    fn add(&mut self, number: usize, line: Line) {
        self.entries.push(Entry {
            number: number as u32,
            line,
        });
    }

    /// A flaw in the line that was taken last.
    fn flaw(&mut self, at: usize, what: &'static str) {
        self.flaws.push(Flaw {
            line: self.next as u32,
            column: at as u32 + 1,
            what,
        });
    }

    fn read_line(&mut self, line: &'a [u16]) {
        let start = blanks(line);
        let number = self.next;
        match line
            .get(start)
            .map(|unit| char::from(u8::try_from(*unit).unwrap_or(b'?')))
        {
            Some('[') => match self.key(line, start + 1) {
                Ok(key) => self.add(number, key),
                // The key before stays the one that values go to.
                Err(what) => self.flaw(start, what),
            },
            Some('@') => self.value(line, start + 1, Name::from("")),
            Some('"') => match unescaped(line, start + 1) {
                Some((name, after)) => self.value(line, after, Name::new(&name)),
                None => self.flaw(start, "the value's name has no end"),
            },
            None | Some(';' | '#') => {}
            Some(_) => self.flaw(start, "this is neither a key, nor a value, nor a comment"),
        }
    }

    /// `[KEY]`; the last bracket of the line ends it.
    fn key(&mut self, line: &[u16], start: usize) -> Result<Line, &'static str> {
        let end = line.iter().rposition(|unit| *unit == u16::from(b']'));
        let Some(end) = end.filter(|end| *end >= start) else {
            return Err("the key has no closing bracket");
        };
        let text = &line[start..end];
        if text.first().is_some_and(|unit| is_blank(*unit)) {
            return Err("blanks before a key");
        }
        let (deletes, text) = match text.strip_prefix(&[u16::from(b'-')]) {
            Some(text) => (true, text),
            None => (false, text),
        };
        let slash = text.iter().position(|unit| *unit == BACKSLASH);
        let (root, sub) = match slash {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, &[][..]),
        };
        // Short names such as HKCU are taken too (so does Wine; not established for Windows).
        let root = String::from_utf16(root)
            .ok()
            .and_then(|root| Root::named(&root));
        let Some(root) = root else {
            self.flaw(start, "no root key of this name");
            return Ok(Line::NoKey);
        };
        let path = KeyPath::new(root, sub);
        match (deletes, sub.is_empty()) {
            (false, _) => Ok(Line::Key(path)),
            (true, false) => Ok(Line::DeleteKey(path)),
            (true, true) => {
                self.flaw(start, "a root key is not deleted");
                Ok(Line::NoKey)
            }
        }
    }

    fn value(&mut self, line: &'a [u16], after_name: usize, name: Name) {
        let number = self.next;
        let mut at = after_name + blanks(&line[after_name..]);
        if line.get(at) != Some(&u16::from(b'=')) {
            return self.flaw(at, "no = after the value's name");
        }
        at += 1;
        at += blanks(&line[at..]);
        let end = line
            .iter()
            .rposition(|unit| !is_blank(*unit))
            .map_or(at, |last| last + 1);
        let line = &line[..end.max(at)];
        let data = &line[at..];
        if data.first() == Some(&u16::from(b'-')) {
            return match ends(&data[1..]) {
                true => self.add(number, Line::Delete(name)),
                false => self.flaw(at + 1, "something after the -"),
            };
        }
        if data.first() == Some(&QUOTE) {
            let text = unescaped(line, at + 1);
            return match text {
                Some((text, after)) if ends(&line[after..]) => {
                    let data = bytes_of(text.into_iter().chain([0]));
                    self.add(number, Line::Set(name, Value::new(Kind::SZ, data)));
                }
                Some((_, after)) => self.flaw(after, "something after the text"),
                None => self.flaw(at, "the text has no end, or holds \\0"),
            };
        }
        if let Some(digits) = data.strip_prefix(&*units("dword:")) {
            return match dword(digits) {
                Some(dword) => self.add(number, Line::Set(name, Value::dword(dword))),
                None => self.flaw(at + 6, "a dword has up to eight hexadecimal digits"),
            };
        }
        let (kind, digits) = match kind_of_hex(data) {
            Ok(found) => found,
            Err(what) => return self.flaw(at, what),
        };
        match self.hex(line, at + digits) {
            Some(data) => {
                let value = Value::new(kind, self.finished(kind, data));
                self.add(number, Line::Set(name, value));
            }
            None => self.flaw(at, "this is no list of bytes"),
        }
    }

    /// Bytes separated by commas; a backslash after a comma goes on in the next line.
    fn hex(&mut self, line: &[u16], start: usize) -> Option<Vec<u8>> {
        let mut data = Vec::new();
        let mut line = line;
        let mut start = start;
        while let Hex::GoesOn = hex_line(&line[start..], &mut data)? {
            loop {
                let Some(next) = self.line() else {
                    return Some(data);
                };
                start = blanks(next);
                match next.get(start) {
                    None | Some(&COMMENT) => {}
                    Some(unit) if is_hex(*unit) => {
                        line = next;
                        break;
                    }
                    // This line is lost too.
                    Some(_) => return None,
                }
            }
        }
        Some(data)
    }

    /// Texts in hexadecimal get their NUL if it is missing; those of version 4 are ANSI.
    ///
    /// By version, not by the file's encoding: version 5 files are commonly saved as ANSI with UTF-16 data.
    /// What becomes of a single byte at the end of UTF-16 data is not established; it gets a zero.
    fn finished(&self, kind: Kind, mut data: Vec<u8>) -> Vec<u8> {
        if !kind.is_text() || data.is_empty() {
            return data;
        }
        if self.wide {
            if data.len() % 2 == 1 {
                data.push(0);
            }
            if !data.ends_with(&[0, 0]) {
                data.extend([0, 0]);
            }
            return data;
        }
        if data.last() != Some(&0) {
            data.push(0);
        }
        bytes_of(self.ansi.decode(&data).into_units())
    }

    /// Lines `HKEY_CLASSES_ROOT\key = value`; all others are comments.
    fn version_31(&mut self) {
        let prefix = units("HKEY_CLASSES_ROOT");
        while let Some(line) = self.line() {
            if !line.starts_with(&prefix) {
                continue;
            }
            let number = self.next;
            let white = |unit: &u16| is_blank(*unit) || matches!(unit, 0x0B | 0x0C | 0x3000);
            let key_end = line.iter().position(white).unwrap_or(line.len());
            let Some(sub) = line[prefix.len()..key_end].strip_prefix(&[BACKSLASH]) else {
                if key_end == prefix.len() {
                    self.flaw(0, "this is no key below HKEY_CLASSES_ROOT");
                } else {
                    self.flaw(0, "no root key of this name");
                }
                continue;
            };
            let mut at = key_end + blanks(&line[key_end..]);
            at += usize::from(line.get(at) == Some(&u16::from(b'=')));
            at += usize::from(line.get(at) == Some(&SPACE));
            let text = bytes_of(line[at..].iter().copied().chain([0]));
            self.add(number, Line::Key(KeyPath::new(Root::ClassesRoot, sub)));
            self.add(
                number,
                Line::Set(Name::from(""), Value::new(Kind::SZ, text)),
            );
        }
    }
}

fn is_blank(unit: u16) -> bool {
    matches!(unit, SPACE | TAB)
}

fn is_hex(unit: u16) -> bool {
    u8::try_from(unit).is_ok_and(|byte| byte.is_ascii_hexdigit())
}

fn blanks(text: &[u16]) -> usize {
    text.iter().take_while(|unit| is_blank(**unit)).count()
}

/// Whether nothing more comes than blanks and a comment.
fn ends(text: &[u16]) -> bool {
    matches!(text.get(blanks(text)), None | Some(&COMMENT))
}

/// A quoted text from after its first quotation mark, and where it ends.
fn unescaped(line: &[u16], start: usize) -> Option<(Vec<u16>, usize)> {
    let mut text = Vec::new();
    let mut rest = line.iter().enumerate().skip(start);
    while let Some((at, unit)) = rest.next() {
        match *unit {
            QUOTE => return Some((text, at + 1)),
            BACKSLASH => text.push(match *rest.next()?.1 {
                0x6E => 0x0A,
                0x72 => 0x0D,
                0x30 => return None,
                other => other,
            }),
            other => text.push(other),
        }
    }
    None
}

fn dword(text: &[u16]) -> Option<u32> {
    let text = &text[blanks(text)..];
    let digits = text.iter().take_while(|unit| is_hex(**unit)).count();
    if text.is_empty() || digits > 8 || !ends(&text[digits..]) {
        return None;
    }
    Some(
        text[..digits]
            .iter()
            .fold(0, |number, unit| number << 4 | digit(*unit)),
    )
}

fn digit(unit: u16) -> u32 {
    u8::try_from(unit)
        .ok()
        .and_then(|byte| char::from(byte).to_digit(16))
        .unwrap_or(0)
}

/// The type of data that begins with `hex:` or `hex(t):`, and where its bytes begin.
fn kind_of_hex(data: &[u16]) -> Result<(Kind, usize), &'static str> {
    const NO_DATA: &str = "no data: \"text\", dword:, hex: or -";
    if data.starts_with(&units("hex:")) {
        return Ok((Kind::BINARY, 4));
    }
    let Some(inner) = data.strip_prefix(&*units("hex(")) else {
        return Err(NO_DATA);
    };
    const NO_TYPE: &str = "no type: up to eight hexadecimal digits in parentheses, and a colon";
    let digits = inner.iter().take_while(|unit| is_hex(**unit)).count();
    let significant = inner[..digits]
        .iter()
        .skip_while(|unit| **unit == u16::from(b'0'))
        .count();
    if significant > 8 || !inner[digits..].starts_with(&units("):")) {
        return Err(NO_TYPE);
    }
    let kind = inner[..digits]
        .iter()
        .fold(0u32, |number, unit| number << 4 | digit(*unit));
    Ok((Kind(kind), 4 + digits + 2))
}

/// Reads the bytes of one line.
fn hex_line(mut text: &[u16], data: &mut Vec<u8>) -> Option<Hex> {
    loop {
        text = &text[blanks(text)..];
        let digits = text.iter().take_while(|unit| is_hex(**unit)).count();
        if digits == 0 {
            return match text.first() {
                None | Some(&COMMENT) => Some(Hex::Complete),
                Some(&BACKSLASH) if ends(&text[1..]) => Some(Hex::GoesOn),
                Some(_) => None,
            };
        }
        let significant = text[..digits]
            .iter()
            .skip_while(|unit| **unit == u16::from(b'0'))
            .count();
        if significant > 2 {
            return None;
        }
        data.push(
            text[..digits]
                .iter()
                .fold(0, |byte, unit| byte << 4 | digit(*unit) as u8),
        );
        text = &text[digits..];
        if text.first() != Some(&COMMA) {
            return ends(text).then_some(Hex::Complete);
        }
        text = &text[1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the lines of a file of version 4 below a key come to: names, or where the flaws are.
    fn names(body: &str) -> (Vec<String>, Vec<u32>) {
        let text = format!("REGEDIT4\n[HKEY_CURRENT_USER\\K]\n{body}");
        let file = read(text.as_bytes(), CodePage::Cp1252).expect("the header is right");
        let names = file.lines.iter().filter_map(|entry| match &entry.line {
            Line::Set(name, value) => Some(format!("{name}={:?}", value)),
            Line::Delete(name) => Some(format!("{name}=-")),
            _ => None,
        });
        (
            names.collect(),
            file.passed_over.iter().map(|flaw| flaw.line).collect(),
        )
    }

    #[test]
    fn first_lines() {
        for (text, expected) in [
            ("REGEDIT", Some(Header::Version31)),
            ("\tREGEDIT4\n", Some(Header::Version4)),
            (
                "Windows Registry Editor Version 5.00",
                Some(Header::Version5),
            ),
            ("REGEDIT 4\n", Some(Header::Unread)),
            ("REGEDIT4FOO\n", Some(Header::Unread)),
            ("regedit4\n", None),
            ("\nREGEDIT4\n", None),
            ("Windows Registry Editor Version 4.00\n", None),
            ("Windows Registry Editor version 5.00\n", None),
            ("", None),
        ] {
            let header = read(text.as_bytes(), CodePage::Cp1252)
                .ok()
                .map(|file| file.header);
            assert_eq!(header, expected, "{text:?}");
        }
        let wide: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain(bytes_of(units("REGEDIT4\r\n")))
            .collect();
        assert!(read(&wide, CodePage::Cp1252).is_ok());
        assert!(
            read(&wide[2..], CodePage::Cp1252).is_err(),
            "UTF-16 needs its mark"
        );
    }

    #[test]
    fn comments_and_what_stands_behind_data() {
        let (names, flaws) = names(concat!(
            "\"a\"=\"Value 1\"#comment\n",
            "\"b\"=\"Value 2\";comment\n",
            "\"c\"=dword:01020304 #comment\n",
            "\"d\"=dword:02040608 ;comment\n",
            "#\"e\"=\"1\"\n;\"f\"=\"1\"\n",
            "\"g\"=;\"1\"\n",
            "\"h\"=\"Value ;x\"\n",
            "\"i\"=\"foo\"bar\"\n",
            "\"j\"=- ;gone\n\"k\"=-\"x\"\n\"l\"=  \t-\t \n",
            "\"m\"=\"a\\\\0\"\n\"n\"=\"a\\0\"\n",
        ));
        assert_eq!(
            names,
            [
                "b=REG_SZ    Value 2",
                "d=REG_DWORD    0x2040608",
                "h=REG_SZ    Value ;x",
                "j=-",
                "l=-",
                "m=REG_SZ    a\\0",
            ]
        );
        assert_eq!(flaws, [3, 5, 9, 11, 13, 16]);
    }

    #[test]
    fn bytes_go_on_after_a_comma_and_a_backslash_only() {
        let (names, _) = names(concat!(
            "\"a\"=hex:11,22,\\\n  33,44\n",
            "\"b\"=hex:11,22\\\n  33,44\n",
            "\"c\"=hex:11,22,\\;comment\n\n  ;comment\n  33,\n  44\n",
            "\"d\"=hex:11,2\\\n  2\n",
            "\"e\"=hex:11,\\#comment\n  22\n",
            "\"f\"=hex:11,\\\n\"lost\"=\"1\"\n\"kept\"=\"1\"\n",
            "\"g\"=hex:\\\n  11\n",
            "\"h\"=hex:,\\\n  11\n",
            "\"i\"=hex:11,,22\n\"j\"=hex:100\n\"k\"=hex:\n\"l\"=hex(100):1,\n",
            "\"m\"=hex(0x2):00\n\"n\"=hex(100000000):00\n\"o\"=hex(ffffffff):00\n",
            "\"z\"=hex:55,\\",
        ));
        assert_eq!(
            names,
            [
                "a=REG_BINARY    11223344",
                "c=REG_BINARY    112233",
                "kept=REG_SZ    1",
                "g=REG_BINARY    11",
                "k=REG_BINARY    ",
                "l=0x100    01",
                "o=0xffffffff    00",
                "z=REG_BINARY    55",
            ]
        );
    }

    #[test]
    fn texts_in_hexadecimal_get_their_nul() {
        let (names, _) = names("\"a\"=hex(2):25,41,25\n\"b\"=hex(7):61,00,62\n\"c\"=hex(1):\n");
        assert_eq!(
            names,
            [
                "a=REG_EXPAND_SZ    %A%",
                "b=REG_MULTI_SZ    a\\0b",
                "c=REG_SZ    "
            ]
        );
    }

    #[test]
    fn brackets() {
        let text = "REGEDIT4\n[hkey_CURRENT_user\\a ]\n[HKEY_CURRENT_USER\\[x]]tail\n[ HKEY_CURRENT_USER\\b]\n\
            [HKEY_CURRENT_USERS\\c]\n[-HKEY_CURRENT_USER\\d]\n[- HKEY_CURRENT_USER\\e]\n\
            [HKEY_CURRENT_USER\\f\n[-HKEY_CURRENT_USER]\n";
        let file = read(text.as_bytes(), CodePage::Cp1252).expect("the header is right");
        let lines: Vec<Line> = file.lines.into_iter().map(|entry| entry.line).collect();
        let key = |text: &str| Line::Key(text.into());
        assert_eq!(
            lines,
            [
                key("HKCU\\a "),
                key("HKCU\\[x]"),
                Line::NoKey,
                Line::DeleteKey("HKCU\\d".into()),
                Line::NoKey,
                Line::NoKey,
            ]
        );
    }
}
