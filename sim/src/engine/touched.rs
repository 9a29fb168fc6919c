//! What a record is about, as far as the state of the world shows it: for looking at a run step by step.

/// A thing that a record touched, and what it is in the state that was asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    /// The thing, in words that name it among all of its world: `file /etc/go.env`, `HKCU\Environment\Path`.
    pub what: String,
    /// What it is there, in words; `None`: it is not there.
    pub value: Option<String>,
}

impl Seen {
    /// A thing and what it is.
    pub fn new(what: impl Into<String>, value: Option<String>) -> Seen {
        Seen {
            what: what.into(),
            value,
        }
    }
}

/// A thing that a record touched, before and after. Where both sides are alike, it was only looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touched {
    /// The thing, in words: see [`Seen`].
    pub what: String,
    /// What it was; `None`: it was not there.
    pub before: Option<String>,
    /// What it is after; `None`: it is not there.
    pub after: Option<String>,
}

impl Touched {
    /// Whether it was changed.
    pub fn is_changed(&self) -> bool {
        self.before != self.after
    }

    /// One thing seen before and after.
    pub fn between(before: Seen, after: Seen) -> Touched {
        Touched {
            what: before.what,
            before: before.value,
            after: after.value,
        }
    }
}

/// The longest text that [`shown`] gives whole, in characters.
const WHOLE: usize = 400;

/// Bytes as a reader sees them: text as it is, anything else in hexadecimal; long ones are cut, and say so.
pub fn shown(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let hex = bytes.iter().take(WHOLE).map(|byte| format!("{byte:02x}"));
            format!("bytes {}", hex.collect::<Vec<_>>().join(" "))
        }
    };
    match text.char_indices().nth(WHOLE) {
        Some((at, _)) => format!("{}… ({} bytes in all)", &text[..at], bytes.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character_and_say_how_long_they_are() {
        assert_eq!(shown("ü".as_bytes()), "ü");
        assert_eq!(shown(&[0xff, 0x00]), "bytes ff 00");
        let long = shown("ü".repeat(500).as_bytes());
        assert!(long.ends_with("ü… (1000 bytes in all)"), "{long}");
    }
}
