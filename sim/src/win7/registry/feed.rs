//! What digests of trees are made with.

/// Feeds lengths before contents, so that no two contents feed the same bytes.
pub(in crate::win7) struct Feed(twox_hash::xxhash3_128::Hasher);

impl Feed {
    pub(in crate::win7) fn new() -> Feed {
        Feed(twox_hash::xxhash3_128::Hasher::new())
    }

    pub(in crate::win7) fn byte(&mut self, byte: u8) {
        self.0.write(&[byte]);
    }

    pub(in crate::win7) fn bytes(&mut self, bytes: &[u8]) {
        self.0.write(&(bytes.len() as u64).to_le_bytes());
        self.0.write(bytes);
    }

    pub(in crate::win7) fn units(&mut self, units: &[u16]) {
        self.0.write(&(units.len() as u64).to_le_bytes());
        let mut bytes = [0; 128];
        for chunk in units.chunks(64) {
            for (at, unit) in chunk.iter().enumerate() {
                bytes[2 * at..2 * at + 2].copy_from_slice(&unit.to_le_bytes());
            }
            self.0.write(&bytes[..2 * chunk.len()]);
        }
    }

    pub(in crate::win7) fn number(&mut self, number: u32) {
        self.0.write(&number.to_le_bytes());
    }

    pub(in crate::win7) fn word(&mut self, word: u128) {
        self.0.write(&word.to_le_bytes());
    }

    pub(in crate::win7) fn finish(&self) -> u128 {
        self.0.finish_128()
    }
}
