//! A tape of bytes, from a fuzzer or a property test: byte 0 takes the default, and so does a tape
//! that has run out, so that a shorter tape of smaller bytes is a simpler run.

use crate::engine::choice::{Key, Options, Source};
use crate::engine::entity::Names;

/// Takes as many bytes a choice as its number of options needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tape {
    bytes: Vec<u8>,
    at: usize,
}

impl Tape {
    /// A tape from its beginning.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Tape {
        Tape {
            bytes: bytes.into(),
            at: 0,
        }
    }

    /// How many bytes were taken.
    pub fn taken(&self) -> usize {
        self.at
    }
}

impl Source for Tape {
    fn choose(&mut self, _: &Key, options: &Options<'_>, _: &Names) -> u64 {
        let mut below = options.count - 1;
        let mut number = 0u64;
        while below > 0 {
            let byte = self.bytes.get(self.at).copied().unwrap_or(0);
            self.at += usize::from(self.at < self.bytes.len());
            number = number << 8 | u64::from(byte);
            below >>= 8;
        }
        // 0 is the default; the others follow it round.
        ((u128::from(options.default) + u128::from(number)) % u128::from(options.count)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::entity::Entity;

    #[test]
    fn an_empty_tape_takes_defaults_and_bytes_reach_all_options() {
        let names = Names::new();
        let key = Key {
            site: "x",
            entity: Entity(1),
            verb: "",
            object: Entity(0),
            ordinal: 1,
        };
        let options = Options::numbers(0, 299).default_to(5);
        assert_eq!(Tape::default().choose(&key, &options, &names), 5);
        let mut seen = std::collections::BTreeSet::new();
        for high in 0..=1 {
            for low in 0..=255 {
                seen.insert(Tape::new([high, low]).choose(&key, &options, &names));
            }
        }
        assert_eq!(seen.len(), 300);
    }
}
