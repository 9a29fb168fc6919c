//! An edited list: what the shrinker replays, a recorded list less some of its choices.

use crate::engine::choice::{Choice, Key, Options, Source};
use crate::engine::entity::Names;

use super::Recorded;

/// A list of choices of which only some are kept; the rest falls back.
#[derive(Clone, Debug)]
pub struct Edited<S>(Recorded<S>);

impl<S: Source> Edited<S> {
    /// Those of `choices` for which `keep` says so, over `fallback`.
    pub fn new(choices: &[Choice], keep: impl Fn(usize) -> bool, fallback: S) -> Edited<S> {
        let kept = choices.iter().enumerate().filter(|(index, _)| keep(*index));
        Edited(Recorded::new(
            kept.map(|(_, choice)| choice.clone()).collect(),
            fallback,
        ))
    }
}

impl<S: Source> Source for Edited<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        self.0.choose(key, options, names)
    }
}
