//! A wrapper that counts choices by site.

use std::collections::BTreeMap;

use crate::engine::choice::{Key, Options, Source};
use crate::engine::entity::Names;

/// How many choices a site had, and how many of them left the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// All of them.
    pub choices: u64,
    /// Those that took another option than the default.
    pub departures: u64,
}

/// Passes every choice on and counts it.
#[derive(Clone, Debug)]
pub struct Metrics<S> {
    inner: S,
    /// By site.
    pub sites: BTreeMap<&'static str, Counts>,
}

impl<S: Source> Metrics<S> {
    /// Counts what `inner` takes.
    pub fn new(inner: S) -> Metrics<S> {
        Metrics {
            inner,
            sites: BTreeMap::new(),
        }
    }
}

impl<S: Source> Source for Metrics<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        let index = self.inner.choose(key, options, names);
        let counts = self.sites.entry(key.site).or_default();
        counts.choices += 1;
        counts.departures += u64::from(index != options.default);
        index
    }
}
