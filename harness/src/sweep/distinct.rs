//! A set of trace hashes in as little memory as they take: 16 bytes each.

use faultlab_sim::engine::{TraceHash, TraceHasher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A set of hashes.
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    /// invariant: sorted, each once.
    sorted: Vec<u128>,
    /// Not yet sorted in.
    pending: Vec<u128>,
}

/// No fewer hashes are worth sorting in.
const BATCH: usize = 4096;

impl Distinct {
    /// Adds one.
    pub fn add(&mut self, hash: TraceHash) {
        self.pending.push(hash.0);
        if self.pending.len() >= BATCH.max(self.sorted.len() / 4) {
            self.settle();
        }
    }

    /// Adds all of `other`.
    pub fn absorb(&mut self, mut other: Distinct) {
        other.settle();
        for hash in other.sorted {
            self.add(TraceHash(hash));
        }
    }

    fn settle(&mut self) {
        self.sorted.append(&mut self.pending);
        self.sorted.sort_unstable();
        self.sorted.dedup();
    }

    /// How many there are.
    pub fn count(&mut self) -> usize {
        self.settle();
        self.sorted.len()
    }

    /// A hash over all of them, whatever order they came in.
    pub fn hash(&mut self) -> TraceHash {
        self.settle();
        let mut hasher = TraceHasher::new();
        for hash in &self.sorted {
            hasher.u64(*hash as u64);
            hasher.u64((*hash >> 64) as u64);
        }
        hasher.finish()
    }

    /// Sorts all in: what serialising needs.
    pub fn settled(mut self) -> Distinct {
        self.settle();
        self
    }
}

impl Serialize for Distinct {
    /// 32 digits each, in their order.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert!(
            self.pending.is_empty(),
            "a set is settled before it is written"
        );
        let mut hex = String::with_capacity(self.sorted.len() * 32);
        for hash in &self.sorted {
            hex += &TraceHash(*hash).to_string();
        }
        serializer.serialize_str(&hex)
    }
}

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Distinct, D::Error> {
        let hex = String::deserialize(deserializer)?;
        let sorted: Option<Vec<u128>> = super::unhex(&hex, 32)
            .map(|digits| u128::from_str_radix(digits?, 16).ok())
            .collect();
        match sorted {
            Some(sorted) if sorted.is_sorted_by(|one, other| one < other) => Ok(Distinct {
                sorted,
                pending: Vec::new(),
            }),
            _ => Err(serde::de::Error::custom(
                "the set of trace hashes is damaged",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_each_once_in_any_order() {
        let mut one = Distinct::default();
        let mut other = Distinct::default();
        for n in 0..20_000u128 {
            one.add(TraceHash(n * n % 7919));
            other.add(TraceHash((20_000 - n - 1) * (20_000 - n - 1) % 7919));
        }
        assert_eq!(one.count(), 3960, "the squares modulo a prime, and zero");
        assert_eq!(one.hash(), other.hash());
        let mut both = one.clone();
        both.absorb(other);
        assert_eq!(both.hash(), one.hash());
    }

    #[test]
    fn what_is_written_is_read() {
        let mut set = Distinct::default();
        for n in [3, 1, 2, 3] {
            set.add(TraceHash(n));
        }
        let set = set.settled();
        let text = serde_json::to_string(&set).expect("plain");
        let mut read: Distinct = serde_json::from_str(&text).expect("what was written");
        assert_eq!((read.count(), read.hash()), (3, set.clone().hash()));
        for damaged in [
            &text[1..],
            "\"1\"",
            &text.replace('3', "0"),
            &text.replace('3', "ä"),
        ] {
            assert!(
                serde_json::from_str::<Distinct>(damaged).is_err(),
                "{damaged}"
            );
        }
    }
}
