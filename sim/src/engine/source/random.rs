//! Uniform over the ready actors at every step; everything else as under a seed.

use crate::engine::choice::{Key, Labels, Options, Source, Weights};
use crate::engine::entity::Names;

use super::Seed;

/// A random walk over schedules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Random(pub u64);

impl Source for Random {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let weights = match options.labels {
            Labels::Actors { .. } => Weights::Uniform,
            _ => options.weights,
        };
        Seed(self.0).choose(
            key,
            &Options {
                weights,
                ..*options
            },
            names,
        )
    }
}
