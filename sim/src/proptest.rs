//! Property tests over choices: tapes whose shrinking makes runs simpler.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

use crate::engine::source::Tape;

/// Tapes of at most `bytes` bytes. A failing one shrinks towards the empty tape, on which every choice
/// takes its default.
pub fn tapes(bytes: usize) -> impl Strategy<Value = Tape> {
    // Most bytes are 0, so that runs with few departures from the default are common.
    let byte = proptest::prop_oneof![3 => proptest::prelude::Just(0u8), 1 => any::<u8>()];
    vec(byte, 0..=bytes).prop_map(Tape::new)
}
