//! The agenda: what is due when, in one total order: time, then the entity's path, then the order in
//! which that entity asked.

mod wheel;

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

impl<E> Agenda<E> {
    /// How many entries there are.
    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::Few(list) => list.len(),
            Shape::Many(wheel) => wheel.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an entry. `at` is not before the last entry that was taken out.
    #[inline]
    pub fn push(&mut self, at: Time, entity: Entity, event: E, names: &Names) {
        let sequence = self.pushed;
        self.pushed += 1;
        match &mut self.shape {
            Shape::Many(wheel) => wheel.push(at, entity, event, sequence),
            Shape::Few(list) => {
                let entry = Due {
                    at,
                    entity,
                    event,
                    sequence,
                };
                if list.len() < FEW {
                    return insert(list, entry, names);
                }
                let mut list = std::mem::take(list);
                list.push(entry);
                self.shape = Shape::Many(Wheel::of(list));
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

    /// Takes the next entry out if it is due at `limit` or before.
    #[inline]
    pub fn pop_by(&mut self, limit: Time, names: &Names) -> Option<Due<E>> {
        match &mut self.shape {
            Shape::Few(list) => list.pop_if(|due| due.at <= limit),
            Shape::Many(wheel) => wheel.pop_by(limit.0, names),
        }
    }

    /// All entries, in an order that does not depend on how they came.
    pub fn canonical(&self) -> Vec<&Due<E>> {
        let mut all: Vec<&Due<E>> = match &self.shape {
            Shape::Few(list) => list.iter().collect(),
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

    /// The order as a sorted list of (time, path, sequence) gives it.
    #[test]
    fn order_is_time_then_path_then_own_order_for_few_and_many() {
        for live in [3, FEW, FEW + 1, 1000] {
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
                        let due = agenda
                            .pop_by(Time(u64::MAX), &names)
                            .expect("as many as the reference");
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
        assert!(agenda.pop_by(Time(9), &names).is_none());
        assert_eq!(
            agenda.pop_by(Time(10), &names).map(|due| due.event),
            Some(0)
        );
        assert!(agenda.pop_by(Time(10), &names).is_none());
        assert_eq!(agenda.next_at(), Some(Time(11)));
    }
}
