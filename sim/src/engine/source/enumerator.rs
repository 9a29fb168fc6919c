//! An enumerator: all combinations of the choices of a run or of one transition, in order.

use std::collections::BTreeSet;

use crate::engine::choice::{Key, Options, Source};
use crate::engine::entity::Names;

use super::Seed;

/// Takes given options first, then the first option of every further choice; remembers how many
/// options there were, so that [`Enumerator::next`] can say what to try next.
#[derive(Clone, Debug)]
pub struct Enumerator {
    /// invariant: each pick is below its count.
    digits: Vec<(u64, u64)>,
    at: usize,
    wide: Seed,
    /// The sites of wide choices that were met, and left to the seed.
    pub wide_sites: BTreeSet<&'static str>,
}

impl Enumerator {
    /// Begins with `digits`; wide choices are taken as under the seed `wide`.
    pub fn new(digits: Vec<(u64, u64)>, wide: u64) -> Enumerator {
        Enumerator {
            digits,
            at: 0,
            wide: Seed(wide),
            wide_sites: BTreeSet::new(),
        }
    }

    /// The picks of this run.
    pub fn picks(&self) -> impl Iterator<Item = u64> {
        self.digits[..self.at].iter().map(|(pick, _)| *pick)
    }

    /// The digits to begin the next run with, or `None` after the last.
    pub fn next(mut self) -> Option<Vec<(u64, u64)>> {
        self.turn().then_some(self.digits)
    }

    /// Turns to the next run; `false` after the last.
    pub(crate) fn turn(&mut self) -> bool {
        self.digits.truncate(self.at);
        self.at = 0;
        while let Some((pick, count)) = self.digits.pop() {
            if pick + 1 < count {
                self.digits.push((pick + 1, count));
                return true;
            }
        }
        false
    }

    /// Exchanges the digits that the next run begins with.
    pub(crate) fn swap(&mut self, digits: &mut Vec<(u64, u64)>) {
        std::mem::swap(&mut self.digits, digits);
    }

    /// Forgets what was met and what is to come.
    pub(crate) fn reset(&mut self) {
        self.digits.clear();
        self.at = 0;
    }

    /// How many choices this run met so far that are not wide.
    pub(crate) fn met(&self) -> usize {
        self.at
    }
}

impl Source for Enumerator {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        if options.is_wide() {
            self.wide_sites.insert(key.site);
            return self.wide.choose(key, options, names);
        }
        if options.count == 1 {
            return 0;
        }
        if self.at == self.digits.len() {
            self.digits.push((0, options.count));
        }
        let (pick, count) = self.digits[self.at];
        assert!(count == options.count, "a run repeats its choices");
        self.at += 1;
        pick
    }

    /// It goes by position.
    fn heeds_keys(&self) -> bool {
        false
    }
}

/// Takes a list of picks, one for each choice that an [`Enumerator`] would enumerate, then defaults.
#[derive(Clone, Debug)]
pub struct Positional {
    picks: Vec<u64>,
    at: usize,
    wide: Seed,
}

impl Positional {
    /// Takes `picks` in order; wide choices are taken as under the seed `wide`.
    pub fn new(picks: Vec<u64>, wide: u64) -> Positional {
        Positional {
            picks,
            at: 0,
            wide: Seed(wide),
        }
    }
}

impl Source for Positional {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        if options.is_wide() {
            return self.wide.choose(key, options, names);
        }
        if options.count == 1 {
            return 0;
        }
        let pick = self.picks.get(self.at).copied().unwrap_or(options.default);
        self.at += 1;
        assert!(pick < options.count, "a run repeats its choices");
        pick
    }
}
