//! The agenda: what is due when, in one total order: time, then the entity's path, then the order in
//! which that entity asked.

use super::entity::{Entity, Names};
use super::time::Time;

/// One entry.
#[derive(Clone, Debug)]
pub struct Due<E> {
    /// When.
    pub at: Time,
    /// Whose.
    pub entity: Entity,
    /// What.
    pub event: E,
    // invariant: grows with each push, so for one entity it orders as that entity's own ordinals do.
    sequence: u64,
}

/// A queue of future events. Few entries live in one sorted list, many in a radix heap (times only
/// grow, so an entry is filed by the highest bit in which its time differs from the present); both
/// give the same order.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    shape: Shape<E>,
    pushed: u64,
}

#[derive(Clone, Debug)]
enum Shape<E> {
    /// invariant: sorted, the next one last.
    Few(Vec<Due<E>>),
    Many(Box<Radix<E>>),
}

#[derive(Clone, Debug)]
struct Radix<E> {
    /// invariant: no entry is earlier.
    present: u64,
    /// invariant: all at `present`, sorted, the next one last.
    due: Vec<Due<E>>,
    /// invariant: an entry of bucket `b` differs from `present` in bit `b` and in no higher one.
    buckets: [Vec<Due<E>>; 64],
    /// Bit `b` is set if bucket `b` has an entry.
    occupied: u64,
    len: usize,
}

/// The largest number of entries that one sorted list serves well (measured: `benches/engine.rs`).
const FEW: usize = 32;

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda {
            shape: Shape::Few(Vec::new()),
            pushed: 0,
        }
    }
}

fn is_before<E>(a: &Due<E>, b: &Due<E>, names: &Names) -> bool {
    if a.at != b.at {
        return a.at < b.at;
    }
    if a.entity == b.entity {
        return a.sequence < b.sequence;
    }
    names.path(a.entity) < names.path(b.entity)
}

/// Inserts into a list that is sorted with the next one last.
fn insert<E>(list: &mut Vec<Due<E>>, entry: Due<E>, names: &Names) {
    let at = list.partition_point(|other| is_before(&entry, other, names));
    list.insert(at, entry);
}

impl<E> Agenda<E> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::Few(list) => list.len(),
            Shape::Many(radix) => radix.len,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry. `at` is not before the last entry that was taken out.
    pub fn push(&mut self, at: Time, entity: Entity, event: E, names: &Names) {
        let entry = Due {
            at,
            entity,
            event,
            sequence: self.pushed,
        };
        self.pushed += 1;
        match &mut self.shape {
            Shape::Few(list) if list.len() < FEW => insert(list, entry, names),
            Shape::Few(list) => {
                let present = list.iter().map(|due| due.at.0).min().unwrap_or(0).min(at.0);
                let mut radix = Box::new(Radix::new(present));
                for due in std::mem::take(list) {
                    radix.push(due, names);
                }
                radix.push(entry, names);
                self.shape = Shape::Many(radix);
            }
            Shape::Many(radix) => {
                if at.0 < radix.present {
                    radix.rebase(at.0, names);
                }
                radix.push(entry, names);
            }
        }
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<Time> {
        match &self.shape {
            Shape::Few(list) => list.last().map(|due| due.at),
            Shape::Many(radix) => radix.next_at().map(Time),
        }
    }

    /// Takes the next entry out.
    pub fn pop(&mut self, names: &Names) -> Option<Due<E>> {
        match &mut self.shape {
            Shape::Few(list) => list.pop(),
            Shape::Many(radix) => radix.pop(names),
        }
    }

    /// Takes the next entry out if it is due at `now` or before.
    pub fn pop_due(&mut self, now: Time, names: &Names) -> Option<Due<E>> {
        match &mut self.shape {
            Shape::Few(list) => list.pop_if(|due| due.at <= now),
            // Entries of the buckets are later than `present`: usually nothing is to be scanned.
            Shape::Many(radix) if radix.due.is_empty() && radix.present >= now.0 => None,
            Shape::Many(radix) if radix.next_at()? <= now.0 => radix.pop(names),
            Shape::Many(_) => None,
        }
    }

    /// All entries, in an order that does not depend on how they came.
    pub fn canonical(&self) -> Vec<&Due<E>> {
        let mut all: Vec<&Due<E>> = match &self.shape {
            Shape::Few(list) => list.iter().collect(),
            Shape::Many(radix) => radix
                .due
                .iter()
                .chain(radix.buckets.iter().flatten())
                .collect(),
        };
        all.sort_unstable_by_key(|due| (due.at, due.entity, due.sequence));
        all
    }
}

impl<E> Radix<E> {
    fn new(present: u64) -> Radix<E> {
        Radix {
            present,
            due: Vec::new(),
            buckets: std::array::from_fn(|_| Vec::new()),
            occupied: 0,
            len: 0,
        }
    }

    fn push(&mut self, entry: Due<E>, names: &Names) {
        self.len += 1;
        let differs = entry.at.0 ^ self.present;
        if differs == 0 {
            insert(&mut self.due, entry, names);
        } else {
            let bucket = 63 - differs.leading_zeros() as usize;
            self.occupied |= 1 << bucket;
            self.buckets[bucket].push(entry);
        }
    }

    fn next_at(&self) -> Option<u64> {
        if !self.due.is_empty() {
            return Some(self.present);
        }
        if self.occupied == 0 {
            return None;
        }
        let bucket = &self.buckets[self.occupied.trailing_zeros() as usize];
        bucket.iter().map(|due| due.at.0).min()
    }

    fn pop(&mut self, names: &Names) -> Option<Due<E>> {
        if self.due.is_empty() {
            if self.occupied == 0 {
                return None;
            }
            self.advance(names);
        }
        self.len -= 1;
        self.due.pop()
    }

    /// Moves the present to the earliest entry and files the entries of its bucket anew.
    fn advance(&mut self, names: &Names) {
        let lowest = self.occupied.trailing_zeros() as usize;
        self.occupied &= !(1 << lowest);
        let mut entries = std::mem::take(&mut self.buckets[lowest]);
        let earliest = entries.iter().map(|due| due.at.0).min();
        self.present = earliest.expect("an occupied bucket has an entry");
        for entry in entries.drain(..) {
            let differs = entry.at.0 ^ self.present;
            if differs == 0 {
                self.due.push(entry);
            } else {
                let bucket = 63 - differs.leading_zeros() as usize;
                debug_assert!(bucket < lowest, "entries move to finer buckets");
                self.occupied |= 1 << bucket;
                self.buckets[bucket].push(entry);
            }
        }
        // The memory stays with the bucket.
        self.buckets[lowest] = entries;
        if self.due.len() > 1 {
            self.due
                .sort_by_cached_key(|due| (names.path(due.entity).clone(), due.sequence));
            self.due.reverse();
        }
    }

    /// Files everything anew for an earlier present: someone looked ahead, then asked for less.
    fn rebase(&mut self, present: u64, names: &Names) {
        let mut earlier = Radix::new(present);
        for entry in self
            .due
            .drain(..)
            .chain(self.buckets.iter_mut().flat_map(|b| b.drain(..)))
        {
            earlier.push(entry, names);
        }
        *self = earlier;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hash::mix;

    /// The order as a sorted list of (time, path, sequence) gives it.
    #[test]
    fn order_is_time_then_path_then_own_order_for_few_and_many() {
        for live in [3, FEW, FEW + 1, 1000] {
            let mut names = Names::new();
            let entities: Vec<Entity> =
                (0..7).map(|n| names.name(&format!("client-{n}"))).collect();
            let mut agenda = Agenda::default();
            let mut reference: Vec<(u64, std::sync::Arc<str>, u64)> = Vec::new();
            let mut popped = Vec::new();
            let mut expected = Vec::new();
            let mut now = 0;
            for n in 0..5000u64 {
                let entity = entities[mix(&[n, 1]) as usize % entities.len()];
                let at = now + [0, 1, 64, 4096, 1 << 40][mix(&[n, 2]) as usize % 5];
                agenda.push(Time(at), entity, n, &names);
                reference.push((at, names.path(entity).clone(), n));
                if reference.len() >= live || n == 4999 {
                    let all = n == 4999;
                    reference.sort();
                    let take = if all { reference.len() } else { live / 2 + 1 };
                    for (at, _, n) in reference.drain(..take.min(reference.len())) {
                        expected.push(n);
                        let due = agenda.pop(&names).expect("as many as the reference");
                        assert_eq!(due.at.0, at);
                        popped.push(due.event);
                        now = at;
                    }
                }
            }
            assert_eq!(popped, expected, "{live} live");
            assert!(agenda.is_empty());
        }
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut names = Names::new();
        let entity = names.name("x");
        let mut agenda = Agenda::default();
        for n in 0..100u64 {
            agenda.push(Time(10 + n), entity, n, &names);
        }
        assert!(agenda.pop_due(Time(9), &names).is_none());
        assert_eq!(
            agenda.pop_due(Time(10), &names).map(|due| due.event),
            Some(0)
        );
        assert!(agenda.pop_due(Time(10), &names).is_none());
        assert_eq!(agenda.next_at(), Some(Time(11)));
    }
}
