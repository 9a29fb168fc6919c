//! A wrapper that writes down every choice that differs from its default.

use crate::engine::choice::{Choice, Key, Options, Source};
use crate::engine::entity::Names;

/// What a [`Recorder`] wrote down.
#[derive(Clone, Debug, Default)]
pub struct Taken {
    /// The choices that differ from their defaults, in the order in which they were taken.
    pub choices: Vec<Choice>,
    /// How many choices with more than one option there were in all.
    pub total: u64,
}

/// Passes every choice on, and writes down those that differ from the default.
#[derive(Clone, Debug)]
pub struct Recorder<S> {
    inner: S,
    taken: Taken,
}

impl<S: Source> Recorder<S> {
    /// Records what `inner` takes.
    pub fn new(inner: S) -> Recorder<S> {
        Recorder {
            inner,
            taken: Taken::default(),
        }
    }

    /// What was taken.
    pub fn taken(self) -> Taken {
        self.taken
    }
}

impl<S: Source> Source for Recorder<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let index = self.inner.choose(key, options, names);
        self.taken.total += u64::from(options.count > 1);
        if index != options.default {
            let take = options.label(index, names).into_owned();
            self.taken.choices.push(Choice {
                key: key.text(names),
                take,
            });
        }
        index
    }
}
