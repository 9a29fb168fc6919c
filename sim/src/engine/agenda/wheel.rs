//! The wheel of wheels: many future events, filed by time. Entries stay where they are put; what moves from slot to
//! slot is a link of a few bytes.

use std::cmp::Ordering;

use super::{Due, is_before};
use crate::engine::entity::{Entity, Names};
use crate::engine::time::Time;

const DIGIT_BITS: u32 = 6;
const DIGITS: usize = 1 << DIGIT_BITS;
const LEVELS: usize = u64::BITS.div_ceil(DIGIT_BITS) as usize;
const SLOTS: usize = LEVELS * DIGITS;

/// So few entries are put one by one among those that are due; more are sorted with them.
const FEW: usize = 32;

/// No entry.
const NONE: u32 = u32::MAX;

/// Times only grow, so an entry is filed by the highest base-64 digit in which its time differs from the present.
#[derive(Clone, Debug)]
pub(super) struct Wheel<E> {
    /// invariant: no entry is earlier.
    present: u64,
    /// The entries; those that were taken out leave a gap, which is filled first.
    entries: Vec<Option<Due<E>>>,
    /// invariant: as many as there are entries. Each is in one list, of a slot or of the gaps, or its entry in `due` or
    /// `fresh`.
    links: Vec<Link>,
    /// The first gap.
    gap: u32,
    /// invariant: all at `present`, sorted, the next one last.
    due: Vec<u32>,
    /// invariant: all at `present`, as they came; sorted into `due` before the next one is taken.
    fresh: Vec<u32>,
    /// The first entry of each slot.
    /// invariant: the time of an entry of slot `64 * level + digit` has `digit` at `level`, more than
    /// `present` has there, and equals `present` in all digits above.
    slots: [u32; SLOTS],
    /// The earliest time in each slot; the end of time for one without an entry.
    earliest: [u64; SLOTS],
    /// Bit `digit` of word `level` is set if that slot has an entry.
    occupied: [u64; LEVELS],
    /// Bit `level` is set if some slot of that level has an entry.
    levels: u32,
    len: usize,
    /// What is sorted by: no part of the state.
    order: Vec<Rank>,
}

/// An entry's time, and the next one in its list.
#[derive(Clone, Copy, Debug)]
struct Link {
    at: u64,
    next: u32,
}

/// By what entries of one time are sorted: the beginning of their entity's path, then all of it, then who came
/// first.
#[derive(Clone, Copy, Debug)]
struct Rank {
    start: u128,
    entity: Entity,
    sequence: u64,
    index: u32,
}

impl Rank {
    #[inline]
    fn cmp(&self, other: &Rank, names: &Names) -> Ordering {
        let by_start = self.start.cmp(&other.start);
        by_start.then_with(|| match self.entity == other.entity {
            true => self.sequence.cmp(&other.sequence),
            false => names.path(self.entity).cmp(names.path(other.entity)),
        })
    }
}

/// Where a time that differs from the present belongs.
#[inline]
fn place(at: u64, present: u64) -> (usize, usize) {
    let level = (at ^ present).ilog2() / DIGIT_BITS;
    let digit = at >> (level * DIGIT_BITS) & (DIGITS as u64 - 1);
    (level as usize, digit as usize)
}

impl<E> Wheel<E> {
    /// A wheel of some entries.
    pub(super) fn of(entries: Vec<Due<E>>) -> Box<Wheel<E>> {
        let present = entries.iter().map(|due| due.at.0).min();
        let mut wheel = Box::new(Wheel {
            present: present.unwrap_or(0),
            entries: Vec::new(),
            links: Vec::new(),
            gap: NONE,
            due: Vec::new(),
            fresh: Vec::new(),
            slots: [NONE; SLOTS],
            earliest: [u64::MAX; SLOTS],
            occupied: [0; LEVELS],
            levels: 0,
            len: 0,
            order: Vec::new(),
        });
        for due in entries {
            wheel.push(due.at, due.entity, due.event, due.sequence);
        }
        wheel
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Due<E>> {
        self.entries.iter().flatten()
    }

    /// Adds an entry. What it is made of comes apart, so that it is written once, to its place.
    pub(super) fn push(&mut self, at: Time, entity: Entity, event: E, sequence: u64) {
        if at.0 < self.present {
            self.rebase(at.0);
        }
        self.len += 1;
        let index = match self.gap {
            NONE => self.add_place(),
            gap => gap,
        };
        let link = &mut self.links[index as usize];
        link.at = at.0;
        self.gap = link.next;
        self.entries[index as usize] = Some(Due {
            at,
            entity,
            event,
            sequence,
        });
        self.place(index, at.0);
    }

    /// A place that no entry had yet.
    #[cold]
    fn add_place(&mut self) -> u32 {
        self.entries.push(None);
        self.links.push(Link { at: 0, next: NONE });
        self.links.len() as u32 - 1
    }

    /// When the next entry is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        if self.is_due() {
            return Some(self.present);
        }
        let (level, digit) = self.first_slot()?;
        Some(self.earliest[level * DIGITS + digit])
    }

    /// Takes the next entry out, if it is due at `limit` or before.
    #[inline]
    pub(super) fn pop_by(&mut self, limit: u64, names: &Names) -> Option<Due<E>> {
        if self.is_due() {
            if self.present > limit {
                return None;
            }
        } else {
            let (level, digit) = self.first_slot()?;
            let slot = level * DIGITS + digit;
            if self.earliest[slot] > limit {
                return None;
            }
            self.present = std::mem::replace(&mut self.earliest[slot], u64::MAX);
            let first = std::mem::replace(&mut self.slots[slot], NONE);
            self.occupied[level] &= !(1 << digit);
            self.levels &= !(u32::from(self.occupied[level] == 0) << level);
            // Usually one entry alone is there.
            if self.links[first as usize].next == NONE {
                return self.take(first);
            }
            self.place_all(first);
        }
        match self.fresh.len() {
            0 => {}
            1 if self.due.is_empty() => self.due.append(&mut self.fresh),
            _ => self.settle(names),
        }
        let next = self.due.pop()?;
        self.take(next)
    }

    /// Takes an entry out that is in no list any more.
    #[inline]
    fn take(&mut self, index: u32) -> Option<Due<E>> {
        self.len -= 1;
        self.links[index as usize].next = self.gap;
        self.gap = index;
        self.entries[index as usize].take()
    }

    /// Whether an entry is at `present`.
    #[inline]
    fn is_due(&self) -> bool {
        !self.due.is_empty() || !self.fresh.is_empty()
    }

    /// The slot of the earliest entries, if none is due: its level and digit.
    #[inline]
    fn first_slot(&self) -> Option<(usize, usize)> {
        if self.levels == 0 {
            return None;
        }
        let level = self.levels.trailing_zeros() as usize;
        Some((level, self.occupied[level].trailing_zeros() as usize))
    }

    /// Puts an entry that is in no list where it belongs.
    #[inline]
    fn place(&mut self, index: u32, at: u64) {
        if at == self.present {
            return self.fresh.push(index);
        }
        let (level, digit) = place(at, self.present);
        self.occupied[level] |= 1 << digit;
        self.levels |= 1 << level;
        let slot = level * DIGITS + digit;
        self.links[index as usize].next = std::mem::replace(&mut self.slots[slot], index);
        self.earliest[slot] = self.earliest[slot].min(at);
    }

    /// Puts the entries of a list where they belong now.
    fn place_all(&mut self, mut index: u32) {
        while index != NONE {
            let Link { at, next } = self.links[index as usize];
            self.place(index, at);
            index = next;
        }
    }

    /// Sorts what is fresh into what is due.
    fn settle(&mut self, names: &Names) {
        if self.fresh.len() < FEW && !self.due.is_empty() {
            let entries = &self.entries;
            let entry = |index: u32| {
                let entry = entries[index as usize].as_ref();
                entry.expect("what is in a list was not taken out")
            };
            for fresh in self.fresh.drain(..) {
                let is_after = |other: &u32| is_before(entry(fresh), entry(*other), names);
                let at = self.due.partition_point(is_after);
                self.due.insert(at, fresh);
            }
            return;
        }
        self.due.append(&mut self.fresh);
        self.order.clear();
        let ranks = self.due.iter().map(|index| {
            let entry = self.entries[*index as usize].as_ref();
            let entry = entry.expect("what is in a list was not taken out");
            Rank {
                start: names.start(entry.entity),
                entity: entry.entity,
                sequence: entry.sequence,
                index: *index,
            }
        });
        self.order.extend(ranks);
        self.order.sort_unstable_by(|a, b| b.cmp(a, names));
        self.due.clear();
        self.due.extend(self.order.iter().map(|rank| rank.index));
    }

    /// Files everything anew for an earlier present: someone looked ahead, then asked for less.
    #[cold]
    fn rebase(&mut self, present: u64) {
        self.present = present;
        self.due.clear();
        self.fresh.clear();
        self.slots = [NONE; SLOTS];
        self.earliest = [u64::MAX; SLOTS];
        self.occupied = [0; LEVELS];
        self.levels = 0;
        for index in 0..self.entries.len() {
            if self.entries[index].is_some() {
                self.place(index as u32, self.links[index].at);
            }
        }
    }
}
