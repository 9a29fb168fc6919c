//! What the Go tools say of the bytes of a source file.
//!
//! Go source is UTF-8, whatever the system's code pages and LANG say: nothing is asked but the bytes. Three
//! programs read them, each with a scanner of its own, and the first that objects is heard:
//!
//! 1. the loader of `go` reads up to the end of the imports, byte by byte, for their names
//!    (`go: reading main.go: unexpected NUL in input`, exit 1);
//! 2. it parses what it has read (`main.go:3:4: illegal UTF-8 encoding`, exit 1);
//! 3. the compiler scans the whole file (`.\main.go:6:15: invalid UTF-8 encoding`, exit 2).
//!
//! `gofmt` and `go vet` use the scanner of 2 on the whole file, `go list` never comes to 3.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | the three readers, their messages and positions | Go 1.19: go/build/read.go, go/scanner, go/parser, cmd/compile/internal/syntax; held against go1.19.8 | yes |
//! | the same for 1.15 to 1.20 | memory of the history of these files | no |
//! | a failed build ends with 2, from Go 1.20 with 1 | go1.19.8; the later exit code from memory | no: 1.20 |
//! | the first message is that of the first place in the file | cmd/compile/internal/base.FlushErrors | yes |
//! | before Go 1.15 the compiler says "invalid identifier character"; before 1.18 `~` is no token | memory | no |
//! | which characters are letters or print | Unicode of the crate in use; Go 1.15 to 1.20 have 12 and 13 | no: new characters |
//!
//! Not modelled, and taken to be right: everything that needs a parser or types (after the imports), what
//! number literals say, whether the imported packages exist. A program that is wrong in those ways alone
//! passes here. The compiler checks types although it has met a bad character, and sorts what it says by
//! place; so where the first bad character lies within an identifier, it may be the type checker that is
//! heard first, about the whole identifier. For an operand that appears once, and for what `:=` declares,
//! it is known what it says (measured, go1.19.8); elsewhere [`check`] says [`NotModelled`].

mod compile;
mod header;
mod imports;
mod scanner;
#[cfg(test)]
mod tests;

use super::Release;

/// Which tool is run on the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tool {
    /// `go run main.go`.
    Run,
    /// `go build main.go`.
    Build,
    /// `go vet main.go`. Of its message, "(and N more errors)" is left out.
    Vet,
    /// `go list main.go`.
    List,
    /// `gofmt main.go`, with any flags: it transcodes nothing.
    Gofmt,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Verdict {
    /// The exit code.
    pub exit: u8,
    /// The first line that is said, `# command-line-arguments` skipped; nothing if all is well.
    pub message: Option<String>,
}

/// Who is heard first depends on types: a bad character lies within this identifier.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NotModelled {
    /// The identifier.
    pub identifier: String,
    /// Its place: line and column.
    pub place: (usize, usize),
}

impl std::fmt::Display for NotModelled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let NotModelled { identifier, place } = self;
        let (line, column) = place;
        write!(
            f,
            "the types of the program, which decide about `{identifier}` at {line}:{column}"
        )
    }
}

/// A complaint about a place in the file. Lines and columns (in bytes) count from 1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Complaint {
    line: usize,
    column: usize,
    message: String,
}

/// What a tool makes of `main.go` with these bytes, in a module, on Windows.
///
/// # Errors
/// [`NotModelled`] if the compiler's first message depends on types.
///
/// ```
/// use faultlab_sim::golang::{Release, source::{Tool, check}};
/// use faultlab_sim::win7::text::{CodePage, Wide};
///
/// let text = "package main\n\nfunc main() { println(\"你好\") }\n";
/// let release = Release::of("1.19.8").unwrap();
/// assert_eq!(check(Tool::Run, release, text.as_bytes()).unwrap().exit, 0);
/// let gbk = CodePage::Cp936.encode(&Wide::from(text));
/// let verdict = check(Tool::Run, release, &gbk).unwrap();
/// assert_eq!(verdict.exit, 2);
/// assert_eq!(verdict.message.unwrap(), ".\\main.go:3:24: invalid UTF-8 encoding");
/// ```
pub fn check(tool: Tool, release: Release, bytes: &[u8]) -> Result<Verdict, NotModelled> {
    let good = Verdict {
        exit: 0,
        message: None,
    };
    let said = |exit, message: String| {
        let message = Some(message);
        Ok(Verdict { exit, message })
    };
    if tool == Tool::Gofmt {
        return match scanner::whole(bytes) {
            Some(complaint) => said(2, format!("main.go:{complaint}")),
            None => Ok(good),
        };
    }
    let read = match header::read(bytes) {
        Ok(read) => read,
        Err(header::Nul) => {
            return said(1, "go: reading main.go: unexpected NUL in input".into());
        }
    };
    match imports::parse(read) {
        Err(complaint) => return said(1, format!("main.go:{complaint}")),
        Ok(package) if package != "main" && tool == Tool::Run => {
            return said(
                1,
                "package command-line-arguments is not a main package".into(),
            );
        }
        Ok(_) => {}
    }
    let complaint = match tool {
        Tool::List => None,
        Tool::Vet => {
            scanner::whole(bytes).map(|complaint| (2, format!("vet: .\\main.go:{complaint}")))
        }
        _ => {
            let exit = if release < Release(1, 20, 0) { 2 } else { 1 };
            compile::first_complaint(release, bytes)?
                .map(|complaint| (exit, format!(".\\main.go:{complaint}")))
        }
    };
    match complaint {
        Some((exit, message)) => said(exit, message),
        None => Ok(good),
    }
}

impl std::fmt::Display for Complaint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.message)
    }
}

/// What `utf8.DecodeRune` makes of the first bytes: the character, or none for a malformed byte, which is
/// one byte long.
fn decode(bytes: &[u8]) -> (Option<char>, usize) {
    let length = match bytes[0] {
        0..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return (None, 1),
    };
    let text = bytes
        .get(..length)
        .and_then(|bytes| std::str::from_utf8(bytes).ok());
    match text.and_then(|text| text.chars().next()) {
        Some(c) => (Some(c), length),
        None => (None, 1),
    }
}

/// How many bytes a number has that begins here: digits, a prefix, a point, an exponent, `i`. Whether it
/// means anything is not looked at.
fn number_length(bytes: &[u8]) -> usize {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let digits = |mut index: usize, hexadecimal: bool| {
        while at(index) == b'_'
            || if hexadecimal {
                at(index).is_ascii_hexdigit()
            } else {
                at(index).is_ascii_digit()
            }
        {
            index += 1;
        }
        index
    };
    let prefix = if at(0) == b'0' {
        at(1).to_ascii_lowercase()
    } else {
        0
    };
    let hexadecimal = prefix == b'x';
    let start = if matches!(prefix, b'x' | b'o' | b'b') {
        2
    } else {
        0
    };
    let mut end = digits(start, hexadecimal);
    if at(end) == b'.' {
        end = digits(end + 1, hexadecimal);
    }
    if matches!(at(end), b'e' | b'E' | b'p' | b'P') {
        end += 1 + usize::from(matches!(at(end + 1), b'+' | b'-'));
        end = digits(end, false);
    }
    end + usize::from(at(end) == b'i')
}
