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

/// In place of the next one: the entry was cancelled at its very time, and goes when its turn comes.
const CANCELLED: u32 = u32::MAX - 1;

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
    /// How many of `due` and `fresh` were cancelled.
    /// invariant: fewer than there are, or none.
    cancelled: usize,
    /// The first entry of each slot.
    /// invariant: the time of an entry of slot `64 * level + digit` has `digit` at `level`, more than
    /// `present` has there, and equals `present` in all digits above.
    slots: [u32; SLOTS],
    /// No entry of the slot is earlier; the end of time for one without an entry.
    earliest: [u64; SLOTS],
    /// Bit `digit` of word `level` is set if an entry of the slot was cancelled that might have been the earliest.
    vague: [u64; LEVELS],
    /// Bit `digit` of word `level` is set if that slot has an entry.
    occupied: [u64; LEVELS],
    /// Bit `level` is set if some slot of that level has an entry.
    levels: u32,
    len: usize,
    /// What is sorted by: no part of the state.
    order: Vec<Rank>,
}

/// An entry's time, and its neighbours in the list of its slot; of a gap, the next one.
#[derive(Clone, Copy, Debug)]
struct Link {
    at: u64,
    next: u32,
    previous: u32,
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
    /// A wheel of the entries of a short list, each at the index that its ticket is.
    pub(super) fn of(entries: Vec<Due<E>>) -> Box<Wheel<E>> {
        let present = entries.iter().map(|due| due.at.0).min();
        let places = entries.iter().map(|due| due.ticket() + 1).max();
        let mut wheel = Box::new(Wheel {
            present: present.unwrap_or(0),
            entries: Vec::new(),
            links: Vec::new(),
            gap: NONE,
            due: Vec::new(),
            fresh: Vec::new(),
            cancelled: 0,
            slots: [NONE; SLOTS],
            earliest: [u64::MAX; SLOTS],
            vague: [0; LEVELS],
            occupied: [0; LEVELS],
            levels: 0,
            len: entries.len(),
            order: Vec::new(),
        });
        for _ in 0..places.unwrap_or(0) {
            wheel.add_place();
        }
        for due in entries {
            let index = due.ticket() as usize;
            wheel.links[index].at = due.at.0;
            wheel.entries[index] = Some(due);
        }
        wheel.file_all();
        wheel
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All entries, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Due<E>> {
        let all = self.entries.iter().zip(&self.links);
        all.filter_map(|(entry, link)| entry.as_ref().filter(|_| link.next != CANCELLED))
    }

    /// Adds an entry, and gives its index. What it is made of comes apart, so that it is written once, to its place.
    pub(super) fn push(&mut self, at: Time, entity: Entity, event: E, sequence: u64) -> u32 {
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
        index
    }

    /// Takes an entry out before its time.
    pub(super) fn cancel(&mut self, index: u32) {
        let Link { at, next, previous } = self.links[index as usize];
        let is_there = self.entries[index as usize].is_some() && next != CANCELLED;
        assert!(is_there, "a ticket is for an entry");
        self.len -= 1;
        if at == self.present {
            self.links[index as usize].next = CANCELLED;
            self.cancelled += 1;
            if !self.is_due() {
                self.forget_present();
            }
            return;
        }
        let (level, digit) = place(at, self.present);
        let slot = level * DIGITS + digit;
        match previous {
            NONE => self.slots[slot] = next,
            previous => self.links[previous as usize].next = next,
        }
        if next != NONE {
            self.links[next as usize].previous = previous;
        }
        if self.slots[slot] == NONE {
            self.leave_slot(level, digit);
        } else if self.earliest[slot] == at {
            self.vague[level] |= 1 << digit;
        }
        self.free(index);
    }

    /// Nothing of the present is left but what was cancelled.
    #[cold]
    fn forget_present(&mut self) {
        let mut all = std::mem::take(&mut self.due);
        all.append(&mut self.fresh);
        all.drain(..).for_each(|index| drop(self.free(index)));
        self.due = all;
        self.cancelled = 0;
    }

    /// The slot has no entry any more.
    #[inline]
    fn leave_slot(&mut self, level: usize, digit: usize) {
        self.slots[level * DIGITS + digit] = NONE;
        self.earliest[level * DIGITS + digit] = u64::MAX;
        self.vague[level] &= !(1 << digit);
        self.occupied[level] &= !(1 << digit);
        self.levels &= !(u32::from(self.occupied[level] == 0) << level);
    }

    /// A place that no entry had yet.
    #[cold]
    fn add_place(&mut self) -> u32 {
        self.entries.push(None);
        self.links.push(Link {
            at: 0,
            next: NONE,
            previous: NONE,
        });
        self.links.len() as u32 - 1
    }

    /// When the next entry is due.
    pub(super) fn next_at(&self) -> Option<u64> {
        if self.is_due() {
            return Some(self.present);
        }
        let (level, digit) = self.first_slot()?;
        let slot = level * DIGITS + digit;
        if self.vague[level] & 1 << digit == 0 {
            return Some(self.earliest[slot]);
        }
        let links = std::iter::successors(self.link(self.slots[slot]), |link| self.link(link.next));
        links.map(|link| link.at).min()
    }

    fn link(&self, index: u32) -> Option<&Link> {
        (index != NONE).then(|| &self.links[index as usize])
    }

    /// Takes the next entry out, if it is due at `limit` or before.
    #[inline]
    pub(super) fn pop_by(&mut self, limit: u64, names: &Names) -> Option<Due<E>> {
        while !self.is_due() {
            let (level, digit) = self.first_slot()?;
            let slot = level * DIGITS + digit;
            if self.earliest[slot] > limit {
                return None;
            }
            let first = self.slots[slot];
            let Link { at, next, .. } = self.links[first as usize];
            // Usually one entry alone is there.
            if next == NONE {
                if at > limit {
                    self.earliest[slot] = at;
                    return None;
                }
                self.present = at;
                self.leave_slot(level, digit);
                self.len -= 1;
                return self.free(first);
            }
            self.present = self.earliest[slot];
            self.leave_slot(level, digit);
            self.place_all(first);
        }
        if self.present > limit {
            return None;
        }
        match self.fresh.len() {
            0 => {}
            1 if self.due.is_empty() => self.due.append(&mut self.fresh),
            _ => self.settle(names),
        }
        loop {
            let next = self.due.pop()?;
            let is_cancelled = self.links[next as usize].next == CANCELLED;
            let entry = self.free(next);
            if is_cancelled {
                self.cancelled -= 1;
                continue;
            }
            self.len -= 1;
            if self.cancelled > 0 && !self.is_due() {
                self.forget_present();
            }
            return entry;
        }
    }

    /// Makes a gap of an entry that is in no list any more.
    #[inline]
    fn free(&mut self, index: u32) -> Option<Due<E>> {
        self.links[index as usize].next = self.gap;
        self.gap = index;
        self.entries[index as usize].take()
    }

    /// Whether an entry is at `present`.
    #[inline]
    fn is_due(&self) -> bool {
        self.due.len() + self.fresh.len() > self.cancelled
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
            self.links[index as usize].next = NONE;
            return self.fresh.push(index);
        }
        let (level, digit) = place(at, self.present);
        self.occupied[level] |= 1 << digit;
        self.levels |= 1 << level;
        let slot = level * DIGITS + digit;
        let next = std::mem::replace(&mut self.slots[slot], index);
        let link = &mut self.links[index as usize];
        (link.next, link.previous) = (next, NONE);
        if next != NONE {
            self.links[next as usize].previous = index;
        }
        self.earliest[slot] = self.earliest[slot].min(at);
    }

    /// Puts the entries of a list where they belong now.
    fn place_all(&mut self, mut index: u32) {
        while index != NONE {
            let Link { at, next, .. } = self.links[index as usize];
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
        self.vague = [0; LEVELS];
        self.occupied = [0; LEVELS];
        self.levels = 0;
        self.file_all();
    }

    /// Files all entries, and makes gaps of the other places.
    fn file_all(&mut self) {
        self.gap = NONE;
        self.cancelled = 0;
        for index in (0..self.links.len() as u32).rev() {
            let Link { at, next, .. } = self.links[index as usize];
            match self.entries[index as usize] {
                Some(_) if next != CANCELLED => self.place(index, at),
                _ => drop(self.free(index)),
            }
        }
    }
}
