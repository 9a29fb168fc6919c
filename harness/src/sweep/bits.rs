//! A list of yes and no, one bit each: which of a million seeds show a claim, in 125 KB.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of bits.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bits {
    // invariant: bits from `len` on are 0, and no word is without a bit of the list.
    words: Vec<u64>,
    len: u64,
}

impl Bits {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Appends one.
    pub fn push(&mut self, bit: bool) {
        let at = self.len % 64;
        if at == 0 {
            self.words.push(0);
        }
        if let Some(last) = self.words.last_mut() {
            *last |= u64::from(bit) << at;
        }
        self.len += 1;
    }

    /// Appends all of `other`.
    pub fn append(&mut self, other: &Bits) {
        if self.len.is_multiple_of(64) {
            self.words.extend(&other.words);
            self.len += other.len;
        } else {
            (0..other.len).for_each(|at| self.push(other.get(at)));
        }
    }

    fn get(&self, at: u64) -> bool {
        self.words[(at / 64) as usize] >> (at % 64) & 1 == 1
    }

    /// How many are set.
    pub fn count(&self) -> u64 {
        self.words
            .iter()
            .map(|word| u64::from(word.count_ones()))
            .sum()
    }

    /// The positions of those that are set.
    pub fn ones(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.len).filter(|at| self.get(*at))
    }
}

/// As files keep it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    len: u64,
    /// 16 digits a word, the first bit the lowest of the first word.
    hex: String,
}

impl Serialize for Bits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let hex = self
            .words
            .iter()
            .map(|word| format!("{word:016x}"))
            .collect();
        Written { len: self.len, hex }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bits, D::Error> {
        let Written { len, hex } = Written::deserialize(deserializer)?;
        let words: Option<Vec<u64>> = super::unhex(&hex, 16)
            .map(|digits| u64::from_str_radix(digits?, 16).ok())
            .collect();
        let damaged = || serde::de::Error::custom("the list of bits is damaged");
        let words = words.ok_or_else(damaged)?;
        let beyond = match (words.last(), len % 64) {
            (Some(last), used @ 1..) => last >> used,
            _ => 0,
        };
        if words.len() as u64 != len.div_ceil(64) || beyond != 0 {
            return Err(damaged());
        }
        Ok(Bits { words, len })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_third(len: u64) -> Bits {
        let mut bits = Bits::default();
        (0..len).for_each(|at| bits.push(at.is_multiple_of(3)));
        bits
    }

    #[test]
    fn bits_are_counted_and_listed() {
        let bits = every_third(200);
        assert_eq!((bits.len(), bits.count()), (200, 67));
        assert!(bits.ones().eq((0..200).step_by(3)));
    }

    #[test]
    fn parts_put_together_are_the_whole() {
        for cut in [0, 1, 63, 64, 65, 128, 200] {
            let mut whole = Bits::default();
            let mut rest = Bits::default();
            for at in 0..200u64 {
                let part = if at < cut { &mut whole } else { &mut rest };
                part.push(at.is_multiple_of(3));
            }
            whole.append(&rest);
            assert_eq!(whole, every_third(200), "{cut}");
        }
    }

    #[test]
    fn damaged_bits_are_refused() {
        let text = serde_json::to_string(&every_third(70)).expect("plain");
        let read = |text: &str| serde_json::from_str::<Bits>(text);
        assert_eq!(read(&text).ok(), Some(every_third(70)));
        for (from, to) in [
            ("70", "71"),
            ("70", "64"),
            ("70", "200"),
            ("\"}", "0\"}"),
            ("hex\":\"9", "hex\":\"x"),
        ] {
            let damaged = text.replace(from, to);
            assert_ne!(damaged, text);
            if from == "70" && to == "71" {
                continue; // one more "no": as good as any other list
            }
            assert!(read(&damaged).is_err(), "{damaged}");
        }
    }
}
