//! The loader's import reader (`go/build` readGoInfo and its copy in cmd/go): bytes, not characters.
//!
//! It reads up to the end of the imports, and the whole file if it meets something that it does not
//! understand.

/// A NUL byte was read.
pub(super) struct Nul;

/// Why reading ended.
enum Stop {
    Nul,
    Syntax,
}

type Read<T> = Result<T, Stop>;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The byte that was looked at and not yet taken.
    peeked: Option<u8>,
}

/// What the loader will parse: without the byte order mark, and up to the first token after the imports
/// with the blanks and comments before it.
pub(super) fn read(bytes: &[u8]) -> Result<&[u8], Nul> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = Reader {
        bytes,
        at: 0,
        peeked: None,
    };
    match reader.imports() {
        // The byte that said that this is the end is not part of it.
        Ok(Some(_)) => Ok(&bytes[..reader.at - 1]),
        Ok(None) => Ok(bytes),
        Err(Stop::Nul) => Err(Nul),
        Err(Stop::Syntax) if bytes[reader.at..].contains(&0) => Err(Nul),
        Err(Stop::Syntax) => Ok(bytes),
    }
}

fn is_identifier(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

impl Reader<'_> {
    fn byte(&mut self) -> Read<Option<u8>> {
        let Some(&byte) = self.bytes.get(self.at) else {
            return Ok(None);
        };
        self.at += 1;
        if byte == 0 {
            Err(Stop::Nul)
        } else {
            Ok(Some(byte))
        }
    }

    /// The next byte, not taken.
    fn peek(&mut self) -> Read<Option<u8>> {
        if self.peeked.is_none() {
            self.peeked = self.byte()?;
        }
        Ok(self.peeked)
    }

    /// The next byte after blanks, semicolons and comments, not taken.
    fn peek_token(&mut self) -> Read<Option<u8>> {
        let mut byte = self.peek()?;
        loop {
            match byte {
                Some(b' ' | 0x0c | b'\t' | b'\r' | b'\n' | b';') => {}
                Some(b'/') => self.comment()?,
                _ => break,
            }
            byte = self.byte()?;
        }
        self.peeked = byte;
        Ok(byte)
    }

    /// A comment whose first slash was taken.
    fn comment(&mut self) -> Read<()> {
        match self.byte()? {
            Some(b'/') => {
                while !matches!(self.byte()?, Some(b'\n') | None) {}
                Ok(())
            }
            Some(b'*') => {
                let mut last = 0;
                loop {
                    match self.byte()? {
                        Some(b'/') if last == b'*' => return Ok(()),
                        Some(byte) => last = byte,
                        None => return Err(Stop::Syntax),
                    }
                }
            }
            _ => Err(Stop::Syntax),
        }
    }

    fn next(&mut self) -> Read<Option<u8>> {
        let byte = self.peek()?;
        self.peeked = None;
        Ok(byte)
    }

    fn keyword(&mut self, keyword: &str) -> Read<()> {
        self.peek_token()?;
        for expected in keyword.bytes() {
            if self.next()? != Some(expected) {
                return Err(Stop::Syntax);
            }
        }
        match self.peek()? {
            Some(byte) if is_identifier(byte) => Err(Stop::Syntax),
            _ => Ok(()),
        }
    }

    fn identifier(&mut self) -> Read<()> {
        if !self.peek_token()?.is_some_and(is_identifier) {
            return Err(Stop::Syntax);
        }
        while self.peek()?.is_some_and(is_identifier) {
            self.peeked = None;
        }
        Ok(())
    }

    fn string(&mut self) -> Read<()> {
        self.peek_token()?;
        match self.next()? {
            Some(b'`') => loop {
                match self.next()? {
                    Some(b'`') => return Ok(()),
                    Some(_) => {}
                    None => return Err(Stop::Syntax),
                }
            },
            Some(b'"') => loop {
                match self.next()? {
                    Some(b'"') => return Ok(()),
                    Some(b'\n') | None => return Err(Stop::Syntax),
                    Some(b'\\') => drop(self.next()?),
                    Some(_) => {}
                }
            },
            _ => Err(Stop::Syntax),
        }
    }

    fn import(&mut self) -> Read<()> {
        match self.peek_token()? {
            Some(b'.') => self.peeked = None,
            Some(byte) if is_identifier(byte) => self.identifier()?,
            _ => {}
        }
        self.string()
    }

    /// The clause and the imports; the byte after them, if there is one.
    fn imports(&mut self) -> Read<Option<u8>> {
        self.keyword("package")?;
        self.identifier()?;
        while self.peek_token()? == Some(b'i') {
            self.keyword("import")?;
            if self.peek_token()? == Some(b'(') {
                self.next()?;
                while self.peek_token()? != Some(b')') {
                    self.import()?;
                }
                self.next()?;
            } else {
                self.import()?;
            }
        }
        self.peek()
    }
}
