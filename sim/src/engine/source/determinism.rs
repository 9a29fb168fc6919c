//! A wrapper that checks that two runs of one thing meet the same choices.

use crate::engine::choice::{Key, KeyText, Options, Source};
use crate::engine::entity::Names;

/// Where a run parted from an earlier run of the same thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parting {
    /// The how manieth choice it was, from 0.
    pub position: usize,
    /// The choice that this run met there.
    pub met: KeyText,
}

/// Writes down what a first run meets; a second run is held against it.
#[derive(Clone, Debug)]
pub struct Determinism<S> {
    inner: S,
    seen: Vec<(u64, u64)>,
    expected: Option<Vec<(u64, u64)>>,
    parting: Option<Parting>,
}

impl<S: Source> Determinism<S> {
    /// The first run.
    pub fn first(inner: S) -> Determinism<S> {
        Determinism {
            inner,
            seen: Vec::new(),
            expected: None,
            parting: None,
        }
    }

    /// A second run, with a source that ought to take the same.
    pub fn second(self, inner: S) -> Determinism<S> {
        Determinism {
            inner,
            seen: Vec::new(),
            expected: Some(self.seen),
            parting: None,
        }
    }

    /// Where the second run met another choice, or took another option, than the first.
    pub fn parting(&self) -> Option<&Parting> {
        self.parting.as_ref()
    }
}

impl<S: Source> Source for Determinism<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let index = self.inner.choose(key, options, names);
        let position = self.seen.len();
        self.seen.push((key.word(), index));
        if let Some(expected) = &self.expected
            && self.parting.is_none()
            && expected.get(position) != self.seen.last()
        {
            self.parting = Some(Parting {
                position,
                met: key.text(names),
            });
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::source::Seed;

    #[test]
    fn another_key_is_noticed_at_its_position() {
        let mut names = Names::new();
        let key = |entity| Key {
            site: "x",
            entity,
            verb: "",
            object: Key::NO_OBJECT,
            ordinal: 1,
        };
        let (a, b) = (names.name("a"), names.name("b"));
        let options = Options::texts(&["one", "two"]);
        let mut first = Determinism::first(Seed(1));
        first.choose(&key(a), &options, &names);
        first.choose(&key(b), &options, &names);
        let mut same = first.clone().second(Seed(1));
        same.choose(&key(a), &options, &names);
        same.choose(&key(b), &options, &names);
        assert_eq!(same.parting(), None);
        let mut other = first.second(Seed(1));
        other.choose(&key(a), &options, &names);
        other.choose(&key(a), &options, &names);
        assert_eq!(other.parting().map(|parting| parting.position), Some(1));
    }
}
