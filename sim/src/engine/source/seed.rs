//! A seed: a keyed hash, never a shared stream, so that a choice depends on its own key alone.

use crate::engine::choice::{Key, Options, Source};
use crate::engine::entity::Names;
use crate::engine::hash::mix;

/// Weighs each choice by a hash of (seed, key).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seed(pub u64);

impl Source for Seed {
    fn choose(&mut self, key: &Key, options: &Options<'_>, _: &Names) -> u64 {
        options.weigh(mix(&[self.0, key.word()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::entity::Entity;

    #[test]
    fn a_choice_depends_on_seed_and_key_alone() {
        let names = Names::new();
        let options = Options::numbers(0, 999);
        let key = |ordinal| Key {
            site: "x",
            entity: Entity(7),
            verb: "",
            object: Entity(0),
            ordinal,
        };
        let pick = |seed, ordinal| Seed(seed).choose(&key(ordinal), &options, &names);
        assert_eq!(pick(1, 1), pick(1, 1));
        let differs = (0..100).filter(|n| pick(1, *n) != pick(2, *n)).count();
        assert!(differs > 90, "{differs}");
    }
}
