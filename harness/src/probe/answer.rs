//! Answers: written straight into the line, since some names are no Unicode and must come through.

use std::io::Write;

use faultlab_sim::engine::Value;
use faultlab_sim::win7::registry::Win32;

use super::request::Bad;

/// Why there is no `ok`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The operation failed, as the real call does.
    Failed(Win32),
    /// The operation failed, as the real program says.
    Said(String),
    /// It is not modelled: what, and why.
    Unsupported(String),
    /// The request makes no sense.
    Bad(Bad),
}

impl<E: Into<Win32>> From<E> for Refusal {
    fn from(error: E) -> Refusal {
        Refusal::Failed(error.into())
    }
}

impl Refusal {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        match self {
            Refusal::Failed(Win32 { code, name }) => {
                let _ = write!(out, "\"err\":{{\"code\":{code},\"name\":\"{name}\"}}}}");
            }
            Refusal::Said(message) => {
                out.extend(b"\"err\":{\"message\":");
                string(out, message);
                out.extend(b"}}");
            }
            Refusal::Unsupported(what) => {
                out.extend(b"\"unsupported\":");
                string(out, what);
                out.push(b'}');
            }
            Refusal::Bad(_) => unreachable!("a bad request is answered without its id"),
        }
        out.push(b'\n');
    }
}

/// Writes the answer to a line that is no request.
pub(super) fn bad_request(out: &mut Vec<u8>, bad: &Bad) {
    out.extend(b"{\"id\":null,\"bad_request\":");
    string(out, &format!("column {}: {}", bad.column, bad.reason));
    out.extend(b"}\n");
}

/// The fields of an `ok`.
pub struct Body<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Body<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Body<'a> {
        Body {
            out,
            is_empty: true,
        }
    }

    fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        string(self.out, name);
        self.out.push(b':');
        self.out
    }

    /// A number.
    pub fn number(&mut self, name: &str, number: u64) {
        let out = self.name(name);
        let _ = write!(out, "{number}");
    }

    /// True or false.
    pub fn flag(&mut self, name: &str, flag: bool) {
        let text: &[u8] = if flag { b"true" } else { b"false" };
        self.name(name).extend(text);
    }

    /// A text.
    pub fn text(&mut self, name: &str, text: &str) {
        string(self.name(name), text);
    }

    /// A text, or null.
    pub fn maybe_text(&mut self, name: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(name, text),
            None => self.name(name).extend(b"null"),
        }
    }

    /// True, false or null.
    pub fn maybe_flag(&mut self, name: &str, flag: Option<bool>) {
        match flag {
            Some(flag) => self.flag(name, flag),
            None => self.name(name).extend(b"null"),
        }
    }

    /// A value of a record.
    pub fn value(&mut self, name: &str, value: &Value) {
        let out = self.name(name);
        serde_json::to_writer(out, value).expect("a value is JSON, and memory takes it");
    }

    /// A list of numbers.
    pub fn numbers(&mut self, name: &str, numbers: impl IntoIterator<Item = u64>) {
        let out = self.name(name);
        out.push(b'[');
        for (index, number) in numbers.into_iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(out, "{comma}{number}");
        }
        out.push(b']');
    }

    /// An object, its fields written by `fields`.
    pub fn object(&mut self, name: &str, fields: impl FnOnce(&mut Body<'_>)) {
        self.name(name).push(b'{');
        fields(&mut Body::new(self.out));
        self.out.push(b'}');
    }

    /// A field whose name and text are UTF-16.
    pub fn named_by_units(&mut self, name: &[u16], text: &[u16]) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        units(self.out, name);
        self.out.push(b':');
        units(self.out, text);
    }

    /// A text of UTF-16, unpaired surrogates and all.
    pub fn units(&mut self, name: &str, text: &[u16]) {
        units(self.name(name), text);
    }

    /// Bytes as hexadecimal.
    pub fn hex(&mut self, name: &str, bytes: &[u8]) {
        let out = self.name(name);
        out.push(b'"');
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for byte in bytes {
            out.push(DIGITS[usize::from(byte >> 4)]);
            out.push(DIGITS[usize::from(byte & 15)]);
        }
        out.push(b'"');
    }

    /// A list of texts of UTF-16.
    pub fn list_of_units<'b>(&mut self, name: &str, texts: impl IntoIterator<Item = &'b [u16]>) {
        let out = self.name(name);
        out.push(b'[');
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            units(out, text);
        }
        out.push(b']');
    }

    /// A list of objects, each written by `each`.
    pub fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        each: impl Fn(T, &mut Body<'_>),
    ) {
        self.name(name).push(b'[');
        for (index, item) in items.into_iter().enumerate() {
            self.out.extend(if index > 0 { &b",{"[..] } else { b"{" });
            each(item, &mut Body::new(self.out));
            self.out.push(b'}');
        }
        self.out.push(b']');
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    let plain = |byte: u8| byte >= 0x20 && !matches!(byte, b'"' | b'\\');
    if text.bytes().all(plain) {
        out.push(b'"');
        out.extend(text.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, text).expect("a text is JSON, and memory takes it");
}

fn units(out: &mut Vec<u8>, text: &[u16]) {
    out.push(b'"');
    for decoded in char::decode_utf16(text.iter().copied()) {
        match decoded {
            Ok('"') => out.extend(b"\\\""),
            Ok('\\') => out.extend(b"\\\\"),
            Ok(c) if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            Ok(c) => out.extend(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let _ = write!(out, "\\u{:04x}", lone.unpaired_surrogate());
            }
        }
    }
    out.push(b'"');
}
