//! The agenda: what is due when, in one total order: time, then the entity's path, then the order in
//! which that entity asked.

mod wheel;

use std::hash::{Hash, Hasher};

use super::entity::{Entity, Names};
use super::time::Time;
use wheel::Wheel;

/// One entry.
#[derive(Clone, Debug)]
pub struct Due<E> {
    /// When.
    pub at: Time,
    /// Whose.
    pub entity: Entity,
    /// What.
    pub event: E,
    // invariant: grows with each push, so for one entity it orders as that entity's own ordinals do. The low bits are a
    // short list's ticket.
    sequence: u64,
}

/// An entry that is still on the agenda, to take it out before its time. No part of a state: which place an entry has
/// follows from what was there before.
#[derive(Clone, Copy, Debug)]
pub struct Ticket(u32);

impl PartialEq for Ticket {
    fn eq(&self, _: &Ticket) -> bool {
        true
    }
}

impl Eq for Ticket {}

impl Hash for Ticket {
    fn hash<H: Hasher>(&self, _: &mut H) {}
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
    Few(Few<E>),
    Many(Box<Wheel<E>>),
}

/// A short list.
#[derive(Clone, Debug)]
struct Few<E> {
    /// invariant: sorted, the next one last.
    list: Vec<Due<E>>,
    /// The tickets in use, a bit each.
    tickets: u64,
}

/// The largest number of entries that one sorted list serves well (measured: `benches/engine.rs`).
const FEW: usize = 32;

/// So many bits of an entry's `sequence` are its ticket in a short list.
const TICKET_BITS: u32 = u64::BITS.ilog2();
const _: () = assert!(FEW < 1 << TICKET_BITS, "each has a ticket");

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda {
            shape: Shape::Few(Few {
                list: Vec::new(),
                tickets: 0,
            }),
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
            (Shape::Few(few), Shape::Few(source)) => {
                few.list.clone_from(&source.list);
                few.tickets = source.tickets;
            }
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

impl<E> Due<E> {
    fn ticket(&self) -> u32 {
        (self.sequence & ((1 << TICKET_BITS) - 1)) as u32
    }
}

impl<E> Few<E> {
    fn insert(&mut self, mut entry: Due<E>, names: &Names) -> u32 {
        let ticket = self.tickets.trailing_ones();
        self.tickets |= 1 << ticket;
        entry.sequence |= u64::from(ticket);
        let later = self
            .list
            .iter()
            .rposition(|other| is_before(&entry, other, names));
        self.list.insert(later.map_or(0, |at| at + 1), entry);
        ticket
    }

    fn pop_by(&mut self, limit: Time) -> Option<Due<E>> {
        let due = self.list.pop_if(|due| due.at <= limit)?;
        self.tickets &= !(1 << due.ticket());
        Some(due)
    }

    fn cancel(&mut self, ticket: u32) {
        let at = self.list.iter().position(|due| due.ticket() == ticket);
        self.list.remove(at.expect("a ticket is for an entry"));
        self.tickets &= !(1 << ticket);
    }
}

impl<E> Agenda<E> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::Few(few) => few.list.len(),
            Shape::Many(wheel) => wheel.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry. `at` is not before the last entry that was taken out.
    #[inline]
    pub fn push(&mut self, at: Time, entity: Entity, event: E, names: &Names) -> Ticket {
        let sequence = self.pushed << TICKET_BITS;
        self.pushed += 1;
        if let Shape::Few(few) = &mut self.shape {
            if few.list.len() < FEW {
                let entry = Due {
                    at,
                    entity,
                    event,
                    sequence,
                };
                return Ticket(few.insert(entry, names));
            }
            self.shape = Shape::Many(Wheel::of(std::mem::take(&mut few.list)));
        }
        let Shape::Many(wheel) = &mut self.shape else {
            unreachable!("a full list has become a wheel");
        };
        Ticket(wheel.push(at, entity, event, sequence))
    }

    /// Takes an entry out before its time: one that is still there, as its place may be another's afterwards.
    ///
    /// # Panics
    /// If nothing is there any more (a broken invariant of ours).
    pub fn cancel(&mut self, Ticket(ticket): Ticket) {
        match &mut self.shape {
            Shape::Few(few) => few.cancel(ticket),
            Shape::Many(wheel) => wheel.cancel(ticket),
        }
    }

    /// When the next entry is due.
    pub fn next_at(&self) -> Option<Time> {
        match &self.shape {
            Shape::Few(few) => few.list.last().map(|due| due.at),
            Shape::Many(wheel) => wheel.next_at().map(Time),
        }
    }

    /// Takes the next entry out if it is due at `limit` or before.
    #[inline]
    pub fn pop_by(&mut self, limit: Time, names: &Names) -> Option<Due<E>> {
        match &mut self.shape {
            Shape::Few(few) => few.pop_by(limit),
            Shape::Many(wheel) => wheel.pop_by(limit.0, names),
        }
    }

    /// All entries, in an order that does not depend on how they came.
    pub fn canonical(&self) -> Vec<&Due<E>> {
        let mut all: Vec<&Due<E>> = match &self.shape {
            Shape::Few(few) => few.list.iter().collect(),
            Shape::Many(wheel) => wheel.entries().collect(),
        };
        all.sort_unstable_by_key(|due| (due.at, due.entity, due.sequence));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hash::mix;

    /// The order as a sorted list of (time, path, sequence) gives it, with and without entries that are cancelled.
    #[test]
    fn order_is_time_then_path_then_own_order_for_few_and_many() {
        for (live, cancelled_of_ten) in [3, FEW, FEW + 1, 1000]
            .into_iter()
            .flat_map(|live| [(live, 0), (live, 4)])
        {
            let mut names = Names::new();
            // Some begin with the same 16 bytes, and some with all of another.
            let paths = ["client-1", "client-10", "client-2", "client-1/conn-2"];
            let long = [
                "a-long-beginning",
                "a-long-beginning/b",
                "a-long-beginning/10",
            ];
            let entities: Vec<Entity> = paths
                .iter()
                .chain(&long)
                .map(|path| names.name(path))
                .collect();
            let mut agenda = Agenda::default();
            let mut reference: Vec<(u64, std::sync::Arc<str>, u64, Ticket)> = Vec::new();
            let order = |(at, path, n, _): &(u64, std::sync::Arc<str>, u64, Ticket)| {
                (*at, path.clone(), *n)
            };
            let mut popped = Vec::new();
            let mut expected = Vec::new();
            let mut now = 0;
            for n in 0..5000u64 {
                let entity = entities[mix(&[n, 1]) as usize % entities.len()];
                let at = now + [0, 1, 64, 4096, 1 << 40][mix(&[n, 2]) as usize % 5];
                let ticket = agenda.push(Time(at), entity, n, &names);
                reference.push((at, names.path(entity).clone(), n, ticket));
                if mix(&[n, 3]) % 10 < cancelled_of_ten {
                    let (.., ticket) =
                        reference.swap_remove(mix(&[n, 4]) as usize % reference.len());
                    agenda.cancel(ticket);
                }
                assert_eq!(agenda.len(), reference.len());
                let next = reference.iter().map(|(at, ..)| Time(*at)).min();
                assert_eq!(agenda.next_at(), next);
                if reference.len() >= live || n == 4999 {
                    let all = n == 4999;
                    reference.sort_by_key(order);
                    let take = if all { reference.len() } else { live / 2 + 1 };
                    for (at, _, n, _) in reference.drain(..take.min(reference.len())) {
                        expected.push(n);
                        let due = agenda
                            .pop_by(Time(u64::MAX), &names)
                            .expect("as many as the reference");
                        assert_eq!(due.at.0, at);
                        popped.push(due.event);
                        now = at;
                    }
                    let rest: Vec<u64> = agenda.canonical().iter().map(|due| due.event).collect();
                    assert_eq!(rest.len(), reference.len());
                    assert!(reference.iter().all(|(_, _, n, _)| rest.contains(n)));
                }
            }
            assert_eq!(popped, expected, "{live} live");
            assert!(agenda.is_empty());
        }
    }

    /// Looking ahead and then asking for less files everything anew; what was cancelled does not come back.
    #[test]
    fn what_was_cancelled_stays_away_when_an_earlier_entry_comes() {
        let mut names = Names::new();
        let entity = names.name("x");
        let mut agenda = Agenda::default();
        let tickets: Vec<Ticket> = (0..100u64)
            .map(|n| agenda.push(Time(1000 + n / 50), entity, n, &names))
            .collect();
        let first = agenda.pop_by(Time(1000), &names).map(|due| due.event);
        assert_eq!(first, Some(0));
        for n in (1..50).chain(60..70) {
            agenda.cancel(tickets[n]);
        }
        assert_eq!((agenda.len(), agenda.next_at()), (40, Some(Time(1001))));
        agenda.push(Time(10), entity, 100, &names);
        let all = std::iter::from_fn(|| agenda.pop_by(Time(2000), &names));
        let expected: Vec<u64> = [100].into_iter().chain(50..60).chain(70..100).collect();
        assert_eq!(all.map(|due| due.event).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn nothing_is_due_before_its_time() {
        let mut names = Names::new();
        let entity = names.name("x");
        let mut agenda = Agenda::default();
        for n in 0..100u64 {
            agenda.push(Time(10 + n), entity, n, &names);
        }
        assert!(agenda.pop_by(Time(9), &names).is_none());
        assert_eq!(
            agenda.pop_by(Time(10), &names).map(|due| due.event),
            Some(0)
        );
        assert!(agenda.pop_by(Time(10), &names).is_none());
        assert_eq!(agenda.next_at(), Some(Time(11)));
    }
}
