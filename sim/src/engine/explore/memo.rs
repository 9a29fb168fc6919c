//! What a search remembers of the states that it met: some tens of bytes each.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use num_bigint::BigUint;

use crate::engine::entity::Entity;
use crate::engine::hash::LookupMap;

/// A count of interleavings: a word until it outgrows that.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Count {
    /// invariant: below [`BIG`].
    Small(u64),
    Big(Box<BigUint>),
}

/// The bit that marks the place of a big number in a row of the memo.
const BIG: u64 = 1 << 63;
/// In place of a state's count: it is on the path that is being searched.
const ON_PATH: u64 = u64::MAX;

impl Count {
    pub(super) const ZERO: Count = Count::Small(0);

    pub(super) fn into_big(self) -> BigUint {
        match self {
            Count::Small(count) => count.into(),
            Count::Big(count) => *count,
        }
    }
}

impl AddAssign<u64> for Count {
    #[inline]
    fn add_assign(&mut self, more: u64) {
        match self {
            Count::Small(count) => match count.checked_add(more) {
                Some(sum) if sum < BIG => *count = sum,
                _ => *self = Count::Big(Box::new(BigUint::from(*count) + more)),
            },
            Count::Big(count) => **count += more,
        }
    }
}

impl AddAssign<&BigUint> for Count {
    fn add_assign(&mut self, more: &BigUint) {
        match self {
            Count::Small(count) => *self = Count::Big(Box::new(more + *count)),
            Count::Big(count) => **count += more,
        }
    }
}

impl AddAssign<&Count> for Count {
    #[inline]
    fn add_assign(&mut self, more: &Count) {
        match more {
            Count::Small(more) => *self += *more,
            Count::Big(more) => *self += &**more,
        }
    }
}

/// An actor whose next step need not be tried first here: the runs that begin with it were seen.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Sleeper {
    pub(super) actor: Entity,
    /// Whether a monitor heeds the order of what the step records.
    pub(super) heeded: bool,
}

/// All states that were met.
pub(super) struct Memo {
    // Two words: a `u128` would pad each entry by twelve bytes.
    index: LookupMap<(u64, u64), u32>,
    /// How many counts a state has.
    width: usize,
    /// invariant: `width` words a state. A word is [`ON_PATH`], a count below [`BIG`], or `BIG` plus an
    /// index of `big`.
    rows: Vec<u64>,
    big: Vec<BigUint>,
    /// For each state, the index of the set of actors that slept when it was seen; empty if none ever
    /// slept.
    slept: Vec<u32>,
    /// invariant: the first is the empty set; each is sorted.
    sets: Vec<Vec<Sleeper>>,
    set_index: BTreeMap<Vec<Sleeper>, u32>,
}

/// What is known of a state that is looked up.
pub(super) enum Known {
    /// Nothing; from now on it is on the path.
    New(u32),
    OnPath,
    /// All its futures were seen.
    Seen(u32),
}

fn index_of(len: usize) -> u32 {
    u32::try_from(len).expect("fewer than 2^32 states fit into memory")
}

impl Memo {
    pub(super) fn new(watched: usize) -> Memo {
        Memo {
            index: LookupMap::default(),
            width: 1 + watched,
            rows: Vec::new(),
            big: Vec::new(),
            slept: Vec::new(),
            sets: vec![Vec::new()],
            set_index: BTreeMap::from([(Vec::new(), 0)]),
        }
    }

    /// Looks a state up by its key.
    pub(super) fn meet(&mut self, key: u128) -> Known {
        let next = index_of(self.rows.len() / self.width);
        let key = (key as u64, (key >> 64) as u64);
        let state = *self.index.or_insert_with(key, || next);
        if state == next {
            self.rows.push(ON_PATH);
            self.rows.resize(self.rows.len() + self.width - 1, 0);
            return Known::New(state);
        }
        match self.rows[state as usize * self.width] {
            ON_PATH => Known::OnPath,
            _ => Known::Seen(state),
        }
    }

    /// Who slept when the state was seen.
    pub(super) fn slept(&self, state: u32) -> &[Sleeper] {
        let set = self.slept.get(state as usize).copied().unwrap_or(0);
        &self.sets[set as usize]
    }

    /// Puts a state that was seen on the path again.
    pub(super) fn again(&mut self, state: u32) {
        self.rows[state as usize * self.width] = ON_PATH;
    }

    /// All futures of a state were seen: how many there are, and who slept.
    pub(super) fn seen(&mut self, state: u32, counts: &[Count], sleep: &mut [Sleeper]) {
        let first = state as usize * self.width;
        for (word, count) in self.rows[first..].iter_mut().zip(counts) {
            *word = match count {
                Count::Small(count) => *count,
                Count::Big(count) => {
                    self.big.push((**count).clone());
                    BIG | u64::from(index_of(self.big.len() - 1))
                }
            };
        }
        if sleep.is_empty() && self.slept.len() <= state as usize {
            return;
        }
        sleep.sort_unstable();
        let set = match self.set_index.get(&*sleep) {
            Some(set) => *set,
            None => {
                let set = index_of(self.sets.len());
                self.sets.push(sleep.to_vec());
                self.set_index.insert(sleep.to_vec(), set);
                set
            }
        };
        if self.slept.len() <= state as usize {
            self.slept.resize(state as usize + 1, 0);
        }
        self.slept[state as usize] = set;
    }

    /// Adds the counts of a state that was seen.
    pub(super) fn add_to(&self, counts: &mut [Count], state: u32) {
        let first = state as usize * self.width;
        for (sum, word) in counts.iter_mut().zip(&self.rows[first..]) {
            match word & BIG {
                0 => *sum += *word,
                _ => *sum += &self.big[(word & !BIG) as usize],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outgrow_a_word_and_come_back_from_the_memo() {
        let mut count = Count::Small(1);
        for _ in 0..200 {
            let more = count.clone();
            count += &more;
        }
        assert_eq!(count.clone().into_big(), BigUint::from(1u8) << 200u32);

        let mut memo = Memo::new(1);
        assert!(matches!(memo.meet(5), Known::New(0)));
        assert!(matches!(memo.meet(5), Known::OnPath));
        memo.seen(0, &[count.clone(), Count::Small(3)], &mut []);
        assert!(matches!(memo.meet(5), Known::Seen(0)));
        let mut sums = [Count::Small(7), Count::ZERO];
        memo.add_to(&mut sums, 0);
        assert_eq!(
            sums[0].clone().into_big(),
            (BigUint::from(1u8) << 200u32) + 7u8
        );
        assert_eq!(sums[1], Count::Small(3));
    }

    #[test]
    fn who_slept_is_kept_a_state() {
        let mut memo = Memo::new(0);
        let sleeper = |n| Sleeper {
            actor: Entity(n),
            heeded: false,
        };
        for key in 0..3 {
            memo.meet(key);
        }
        memo.seen(1, &[Count::ZERO], &mut [sleeper(2), sleeper(1)]);
        memo.seen(0, &[Count::ZERO], &mut []);
        assert_eq!(memo.slept(0), []);
        assert_eq!(memo.slept(1), [sleeper(1), sleeper(2)]);
        assert_eq!(memo.slept(2), []);
        memo.again(1);
        assert!(matches!(memo.meet(1), Known::OnPath));
        memo.seen(1, &[Count::ZERO], &mut []);
        assert_eq!(memo.slept(1), []);
    }
}
