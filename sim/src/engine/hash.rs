//! The two hashes of the engine, both XXH3: one that is part of the contract, one that is not.
//!
//! [`TraceHasher`] feeds canonical little-endian bytes and gives the hash that is printed with every
//! verdict: it may not change without a model version. [`state_key`] de-duplicates states within one
//! search and is never printed.

#[expect(clippy::disallowed_types, reason = "for LookupMap alone")]
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use twox_hash::{XxHash3_64, xxhash3_128};

/// XXH3-64 of a text, seed 0. Stable for ever: choice keys are made of it.
pub fn text_hash(text: &str) -> u64 {
    XxHash3_64::oneshot(text.as_bytes())
}

/// Mixes 64-bit words into one (the finaliser of splitmix64 over a running sum). Stable for ever:
/// seeded choices are made of it.
#[inline]
pub fn mix(words: &[u64]) -> u64 {
    words.iter().fold(0x9e37_79b9_7f4a_7c15, |state, word| {
        let mut z = (state ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// A 128-bit hash as it is printed: 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct TraceHash(pub u128);

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl std::str::FromStr for TraceHash {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<TraceHash, Self::Err> {
        u128::from_str_radix(text, 16).map(TraceHash)
    }
}

impl serde::Serialize for TraceHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for TraceHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<TraceHash, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let digits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match text.parse() {
            Ok(hash) if digits => Ok(hash),
            _ => Err(serde::de::Error::invalid_value(
                serde::de::Unexpected::Str(&text),
                &"a trace hash: 32 hexadecimal digits",
            )),
        }
    }
}

/// The running hash over a trace. Every value is fed as little-endian bytes, texts with their length
/// first, so that no two different record sequences feed the same bytes.
#[derive(Clone)]
pub struct TraceHasher {
    // invariant: `pending[..used]` has been fed by callers but not yet to `inner`.
    inner: xxhash3_128::Hasher,
    pending: [u8; TraceHasher::BLOCK],
    used: usize,
}

impl TraceHasher {
    const BLOCK: usize = 1024;

    /// An empty trace.
    pub fn new() -> TraceHasher {
        TraceHasher {
            inner: xxhash3_128::Hasher::new(),
            pending: [0; TraceHasher::BLOCK],
            used: 0,
        }
    }

    /// Feeds one 64-bit word.
    #[inline]
    pub fn u64(&mut self, word: u64) {
        if self.used > TraceHasher::BLOCK - 8 {
            self.flush();
        }
        self.pending[self.used..self.used + 8].copy_from_slice(&word.to_le_bytes());
        self.used += 8;
    }

    /// Feeds a length and that many bytes.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.u64(bytes.len() as u64);
        if bytes.len() > TraceHasher::BLOCK - self.used {
            return self.overflow(bytes);
        }
        self.pending[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    /// Feeds a text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    #[cold]
    fn flush(&mut self) {
        self.inner.write(&self.pending[..self.used]);
        self.used = 0;
    }

    /// Feeds bytes for which there is no room.
    #[cold]
    fn overflow(&mut self, bytes: &[u8]) {
        self.flush();
        self.inner.write(bytes);
    }

    /// The hash of all that was fed so far.
    pub fn finish(&self) -> TraceHash {
        let mut inner = self.inner.clone();
        inner.write(&self.pending[..self.used]);
        TraceHash(inner.finish_128())
    }
}

impl Default for TraceHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TraceHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceHasher({})", self.finish())
    }
}

/// The 128-bit key of a state, for de-duplication within one process run: not stable between builds.
pub fn state_key(state: &impl Hash) -> u128 {
    StateKeys::default().key(state)
}

/// Makes keys of states, one after the other, with one buffer.
#[derive(Debug, Default)]
pub(crate) struct StateKeys {
    bytes: Vec<u8>,
}

impl StateKeys {
    pub(crate) fn key(&mut self, state: &impl Hash) -> u128 {
        self.bytes.clear();
        state.hash(self);
        xxhash3_128::Hasher::oneshot(&self.bytes)
    }
}

impl Hasher for StateKeys {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }
    /// Not part of the key: nobody asks for it.
    fn finish(&self) -> u64 {
        XxHash3_64::oneshot(&self.bytes)
    }
}

/// A map for look-up only, keyed by hashes: never iterated, so its order cannot be seen.
#[expect(
    clippy::disallowed_types,
    reason = "look-up only; the hasher below has no random state"
)]
#[derive(Debug)]
pub struct LookupMap<K, V>(HashMap<K, V, BuildHasherDefault<FoldHasher>>);

impl<K: Clone, V: Clone> Clone for LookupMap<K, V> {
    fn clone(&self) -> Self {
        LookupMap(self.0.clone())
    }
    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl<K, V> Default for LookupMap<K, V> {
    fn default() -> Self {
        LookupMap(Default::default())
    }
}

impl<K: Hash + Eq, V> LookupMap<K, V> {
    /// The value at `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key)
    }

    /// The value at `key`, to change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.0.get_mut(key)
    }

    /// The value at `key`, made by `make` if there is none.
    pub fn or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        self.0.entry(key).or_insert_with(make)
    }

    /// Sets `key`; the value that was there before.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets everything, keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Folds words that are hashes already (see [`LookupMap`]).
#[derive(Clone, Copy, Default, Debug)]
pub struct FoldHasher(u64);

impl Hasher for FoldHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_xxh3_values() {
        // XXH3-64 and XXH3-128 of the empty input, seed 0, as the reference implementation gives.
        assert_eq!(text_hash(""), 0x2d06_8005_38d3_94c2);
        assert_eq!(
            TraceHasher::new().finish().to_string(),
            "99aa06d3014798d86001c324468d497f"
        );
    }

    #[test]
    fn lengths_keep_texts_apart() {
        let hash = |texts: &[&str]| {
            let mut hasher = TraceHasher::new();
            texts.iter().for_each(|text| hasher.text(text));
            hasher.finish()
        };
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_ne!(hash(&["ab", ""]), hash(&["ab"]));
    }

    #[test]
    fn blocks_do_not_change_the_hash() {
        let words: Vec<u64> = (0..1000).collect();
        let mut whole = xxhash3_128::Hasher::new();
        let mut ours = TraceHasher::new();
        for word in &words {
            whole.write(&word.to_le_bytes());
            ours.u64(*word);
        }
        assert_eq!(ours.finish().0, whole.finish_128());
    }
}
