//! What came before its turn, or twice, and what of it is told (tcp_data_queue_ofo and its kin in
//! net/ipv4/tcp_input.c).

/// TCP_NUM_SACKS.
const MOST_TOLD: usize = 4;

/// A range of numbers: the first one, and the one after the last.
type Range = (u64, u64);

/// Most connections receive everything once and in order, which needs no memory.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Disorder(
    /// invariant: none instead of an empty one.
    Option<Box<Held>>,
);

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Held {
    /// What came before its turn, in order.
    early: Vec<Range>,
    /// Ranges of it, what came last first, as they are told: a few only (selective_acks).
    told: Vec<Range>,
    /// The number of a FIN that came before its turn.
    fin: Option<u64>,
    /// What came twice and is to be told (duplicate_sack).
    twice: Option<Range>,
}

impl Disorder {
    /// What came before its turn, in order.
    pub(super) fn early(&self) -> &[Range] {
        self.0.as_deref().map_or(&[], |held| &held.early)
    }

    /// What is told of it, in this order.
    pub(super) fn told(&self) -> &[Range] {
        self.0.as_deref().map_or(&[], |held| &held.told)
    }

    /// Whether nothing came before its turn, not even a FIN.
    pub(super) fn is_nothing_early(&self) -> bool {
        let held = self.0.as_deref();
        held.is_none_or(|held| held.early.is_empty() && held.fin.is_none())
    }

    /// Keeps a range, joined with those that it meets. What was told and meets it is told anew, first
    /// (tcp_sack_new_ofo_skb).
    pub(super) fn keep(&mut self, (mut from, mut to): Range) {
        let held = self.0.get_or_insert_default();
        held.early.retain(|(start, stop)| {
            let meets = *start <= to && from <= *stop;
            if meets {
                from = from.min(*start);
                to = to.max(*stop);
            }
            !meets
        });
        let at = held.early.partition_point(|(start, _)| *start < from);
        held.early.insert(at, (from, to));
        held.told
            .retain(|(start, stop)| *stop < from || to < *start);
        held.told.insert(0, (from, to));
        held.told.truncate(MOST_TOLD);
    }

    /// Keeps the number of a FIN.
    pub(super) fn keep_fin(&mut self, fin: u64) {
        self.0.get_or_insert_default().fin = Some(fin);
    }

    /// Takes out the first range, if it begins at `next` or before: the number after its last byte.
    pub(super) fn take_next(&mut self, next: u64) -> Option<u64> {
        let held = self.0.as_deref_mut()?;
        let (_, to) = *held.early.first().filter(|(from, _)| *from <= next)?;
        held.early.remove(0);
        // The FIN's number is no byte.
        let to = held.fin.map_or(to, |fin| to.min(fin));
        self.forget();
        Some(to)
    }

    /// All before `next` has come in order now: it is told no more. Whether the FIN is next, which is taken out.
    pub(super) fn go_on_from(&mut self, next: u64) -> bool {
        let Some(held) = self.0.as_deref_mut() else {
            return false;
        };
        let is_fin = held.fin.take_if(|fin| *fin == next).is_some();
        // With the FIN's number, which is taken in at once (tcp_sack_remove).
        let next = next + u64::from(is_fin);
        held.told.retain(|(_, stop)| *stop > next);
        self.forget();
        is_fin
    }

    /// A range came twice, and is to be told.
    pub(super) fn tell_twice(&mut self, range: Range) {
        self.0.get_or_insert_default().twice = Some(range);
    }

    /// What came twice, told from now on.
    pub(super) fn take_twice(&mut self) -> Option<Range> {
        let twice = self.0.as_deref_mut()?.twice.take();
        self.forget();
        twice
    }

    fn forget(&mut self) {
        self.0.take_if(|held| **held == Held::default());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// A set of bytes, of which each can be taken once all before it were.
        #[test]
        fn it_is_a_set_of_bytes(ranges in proptest::collection::vec((1..60u64, 1..8u64), 1..20)) {
            let (mut disorder, mut bytes) = (Disorder::default(), BTreeSet::new());
            for (from, len) in ranges {
                disorder.keep((from, from + len));
                bytes.extend(from..from + len);
                let early = disorder.early();
                prop_assert!(early.iter().flat_map(|(from, to)| *from..*to).eq(bytes.iter().copied()));
                prop_assert!(early.windows(2).all(|pair| pair[0].1 < pair[1].0), "apart: {early:?}");
                let told = disorder.told();
                prop_assert!(told.len() <= MOST_TOLD && told.iter().all(|range| early.contains(range)));
                prop_assert!(told[0].0 <= from && from + len <= told[0].1, "the latest first: {told:?}");
            }
            let mut next = 0;
            while let Some(first) = bytes.first().copied() {
                next += 1;
                if first > next {
                    prop_assert_eq!(disorder.take_next(next), None);
                    continue;
                }
                next = disorder.take_next(next).expect("its turn has come");
                bytes.retain(|byte| *byte >= next);
                prop_assert!(!disorder.go_on_from(next));
            }
            prop_assert_eq!(disorder, Disorder::default());
        }
    }

    #[test]
    fn a_fin_has_its_turn_after_the_last_byte() {
        let mut disorder = Disorder::default();
        disorder.keep_fin(20);
        disorder.keep((10, 21));
        assert!(!disorder.is_nothing_early());
        assert_eq!(disorder.take_next(10), Some(20));
        assert!(disorder.go_on_from(20));
        assert_eq!(disorder, Disorder::default());
    }
}
