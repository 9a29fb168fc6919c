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

/// A queue of future events. Few entries live in one sorted list, many in a wheel of wheels (times only
/// grow, so an entry is filed by the highest base-64 digit in which its time differs from the present);
/// both give the same order.
#[derive(Debug)]
pub struct Agenda<E> {
    shape: Shape<E>,
    pushed: u64,
}

#[derive(Clone, Debug)]
enum Shape<E> {
    /// invariant: sorted, the next one last.
    Few(Vec<Due<E>>),
    Many(Box<Wheel<E>>),
}

#[derive(Clone, Debug)]
struct Wheel<E> {
    /// invariant: no entry is earlier.
    present: u64,
    /// invariant: all at `present`, sorted, the next one last.
    due: Vec<Due<E>>,
    /// invariant: all at `present`, as they came; sorted into `due` before the next one is taken.
    fresh: Vec<Due<E>>,
    /// invariant: the time of an entry of slot `64 * level + digit` has `digit` at `level`, more than
    /// `present` has there, and equals `present` in all digits above.
    slots: Vec<Vec<Due<E>>>,
    /// Bit `digit` of word `level` is set if that slot has an entry.
    occupied: [u64; LEVELS],
    /// Bit `level` is set if some slot of that level has an entry.
    levels: u32,
    len: usize,
}

const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;

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

impl<E: Clone> Clone for Agenda<E> {
    fn clone(&self) -> Self {
        Agenda {
            shape: self.shape.clone(),
            pushed: self.pushed,
        }
    }

    fn clone_from(&mut self, source: &Self) {
        match (&mut self.shape, &source.shape) {
            (Shape::Few(list), Shape::Few(source)) => list.clone_from(source),
            (shape, source) => *shape = source.clone(),
        }
        self.pushed = source.pushed;
    }
}

#[inline]
fn is_before<E>(a: &Due<E>, b: &Due<E>, names: &Names) -> bool {
    if a.at != b.at {
        return a.at < b.at;
    }
    if a.entity == b.entity {
        return a.sequence < b.sequence;
    }
    is_path_before(a.entity, b.entity, names)
}

#[cold]
fn is_path_before(a: Entity, b: Entity, names: &Names) -> bool {
    names.path(a) < names.path(b)
}

/// Inserts into a short list that is sorted with the next one last.
fn insert<E>(list: &mut Vec<Due<E>>, entry: Due<E>, names: &Names) {
    let later = list
        .iter()
        .rposition(|other| is_before(&entry, other, names));
    list.insert(later.map_or(0, |at| at + 1), entry);
}

/// Where a time that differs from the present belongs.
#[inline]
fn place(at: u64, present: u64) -> (usize, usize) {
    let level = (at ^ present).ilog2() / DIGIT_BITS;
    let digit = at >> (level * DIGIT_BITS) & (DIGITS as u64 - 1);
    (level as usize, digit as usize)
}

impl<E> Agenda<E> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::Few(list) => list.len(),
            Shape::Many(wheel) => wheel.len,
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
                let mut wheel = Box::new(Wheel::new(present));
                for due in std::mem::take(list) {
                    wheel.push(due);
                }
                wheel.push(entry);
                self.shape = Shape::Many(wheel);
            }
            Shape::Many(wheel) => {
                if at.0 < wheel.present {
                    wheel.rebase(at.0);
                }
                wheel.push(entry);
            }
        }
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<Time> {
        match &self.shape {
            Shape::Few(list) => list.last().map(|due| due.at),
            Shape::Many(wheel) => wheel.next_at().map(Time),
        }
    }

    /// Takes the next entry out.
    pub fn pop(&mut self, names: &Names) -> Option<Due<E>> {
        match &mut self.shape {
            Shape::Few(list) => list.pop(),
            Shape::Many(wheel) => wheel.pop(names),
        }
    }

    /// Takes the next entry out if it is due at `now` or before.
    pub fn pop_due(&mut self, now: Time, names: &Names) -> Option<Due<E>> {
        match &mut self.shape {
            Shape::Few(list) => list.pop_if(|due| due.at <= now),
            // Entries of the slots are later than `present`: usually nothing is to be scanned.
            Shape::Many(wheel) if wheel.present >= now.0 && !wheel.is_due() => None,
            Shape::Many(wheel) if wheel.next_at()? <= now.0 => wheel.pop(names),
            Shape::Many(_) => None,
        }
    }

    /// All entries, in an order that does not depend on how they came.
    pub fn canonical(&self) -> Vec<&Due<E>> {
        let mut all: Vec<&Due<E>> = match &self.shape {
            Shape::Few(list) => list.iter().collect(),
            Shape::Many(wheel) => wheel
                .due
                .iter()
                .chain(&wheel.fresh)
                .chain(wheel.slots.iter().flatten())
                .collect(),
        };
        all.sort_unstable_by_key(|due| (due.at, due.entity, due.sequence));
        all
    }
}

impl<E> Wheel<E> {
    fn new(present: u64) -> Wheel<E> {
        Wheel {
            present,
            due: Vec::new(),
            fresh: Vec::new(),
            slots: std::iter::repeat_with(Vec::new)
                .take(LEVELS * DIGITS)
                .collect(),
            occupied: [0; LEVELS],
            levels: 0,
            len: 0,
        }
    }

    fn push(&mut self, entry: Due<E>) {
        self.len += 1;
        match entry.at.0 == self.present {
            true => self.fresh.push(entry),
            false => self.file(entry),
        }
    }

    /// Whether an entry is at `present`.
    #[inline]
    fn is_due(&self) -> bool {
        !self.due.is_empty() || !self.fresh.is_empty()
    }

    /// Sorts what is fresh into what is due.
    fn settle(&mut self, names: &Names) {
        if self.fresh.len() < FEW && !self.due.is_empty() {
            for entry in self.fresh.drain(..) {
                let after = self
                    .due
                    .partition_point(|other| is_before(&entry, other, names));
                self.due.insert(after, entry);
            }
        } else {
            self.due.append(&mut self.fresh);
            self.due.sort_by_cached_key(|due| {
                std::cmp::Reverse((&**names.path(due.entity), due.sequence))
            });
        }
    }

    /// Puts an entry that is later than the present into its slot.
    #[inline]
    fn file(&mut self, entry: Due<E>) {
        let (level, digit) = place(entry.at.0, self.present);
        self.occupied[level] |= 1 << digit;
        self.levels |= 1 << level;
        self.slots[level * DIGITS + digit].push(entry);
    }

    /// The slot of the earliest entries, if `due` is empty: its level and digit.
    #[inline]
    fn earliest(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// Notes that a slot has no entry any more.
    #[inline]
    fn vacate(&mut self, level: usize, digit: usize) {
        self.occupied[level] &= !(1 << digit);
        self.levels &= !(u32::from(self.occupied[level] == 0) << level);
    }

    fn next_at(&self) -> Option<u64> {
        if self.is_due() {
            return Some(self.present);
        }
        let (level, digit) = self.earliest()?;
        let slot = &self.slots[level * DIGITS + digit];
        slot.iter().map(|due| due.at.0).min()
    }

    fn pop(&mut self, names: &Names) -> Option<Due<E>> {
        if !self.is_due() {
            let (level, digit) = self.earliest()?;
            self.vacate(level, digit);
            let slot = &mut self.slots[level * DIGITS + digit];
            if slot.len() > 1 {
                self.advance(level * DIGITS + digit);
            } else if let Some(only) = slot.pop() {
                self.present = only.at.0;
                self.len -= 1;
                return Some(only);
            }
        }
        match self.fresh.len() {
            0 => {}
            // Usually one entry alone has its time.
            1 if self.due.is_empty() => self.due.append(&mut self.fresh),
            _ => self.settle(names),
        }
        self.len -= 1;
        self.due.pop()
    }

    /// Moves the present to the earliest entry of the earliest slot and files its entries anew.
    fn advance(&mut self, slot: usize) {
        let mut entries = std::mem::take(&mut self.slots[slot]);
        let earliest = entries.iter().map(|due| due.at.0).min();
        self.present = earliest.expect("an occupied slot has an entry");
        for entry in entries.drain(..) {
            match entry.at.0 == self.present {
                true => self.fresh.push(entry),
                false => self.file(entry),
            }
        }
        // The memory stays with the slot.
        self.slots[slot] = entries;
    }

    /// Files everything anew for an earlier present: someone looked ahead, then asked for less.
    fn rebase(&mut self, present: u64) {
        let mut earlier = Wheel::new(present);
        let slots = self.slots.iter_mut().flat_map(|slot| slot.drain(..));
        let due = self.due.drain(..).chain(self.fresh.drain(..));
        for entry in due.chain(slots) {
            earlier.push(entry);
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
