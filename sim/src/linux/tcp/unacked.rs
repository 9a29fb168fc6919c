//! What a socket has sent and nobody has acknowledged.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::ops::{Index, IndexMut};

use super::socket::Sent;

/// Buffers in the order of their numbers. Most sockets have none or one, which needs no memory of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Unacked {
    first: Option<Sent>,
    /// invariant: empty if there is no first one.
    #[expect(
        clippy::box_collection,
        reason = "it is rarely there, and sockets are many"
    )]
    rest: Option<Box<VecDeque<Sent>>>,
}

impl Unacked {
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(super) fn len(&self) -> usize {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len());
        usize::from(self.first.is_some()) + rest
    }

    pub(super) fn clear(&mut self) {
        *self = Unacked::default();
    }

    pub(super) fn front(&self) -> Option<&Sent> {
        self.first.as_ref()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Sent> {
        self.first.as_mut()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Sent> {
        match index.checked_sub(1) {
            None => self.first.as_ref(),
            Some(index) => self.rest.as_ref()?.get(index),
        }
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut Sent> {
        match index.checked_sub(1) {
            None => self.first.as_mut(),
            Some(index) => self.rest.as_mut()?.get_mut(index),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Sent> {
        let rest = self.rest.iter().flat_map(|rest| rest.iter());
        self.first.iter().chain(rest)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Sent> {
        let rest = self.rest.iter_mut().flat_map(|rest| rest.iter_mut());
        self.first.iter_mut().chain(rest)
    }

    pub(super) fn push_back(&mut self, sent: Sent) {
        match self.first {
            None => self.first = Some(sent),
            Some(_) => self.rest.get_or_insert_default().push_back(sent),
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Sent> {
        let second = self.rest.as_mut().and_then(|rest| rest.pop_front());
        std::mem::replace(&mut self.first, second)
    }

    /// Puts `sent` where the one with this index is, before it.
    ///
    /// # Panics
    /// If `index` is larger than how many there are.
    pub(super) fn insert(&mut self, index: usize, sent: Sent) {
        match index.checked_sub(1) {
            None => {
                if let Some(second) = self.first.replace(sent) {
                    self.rest.get_or_insert_default().push_front(second);
                }
            }
            Some(index) => self.rest.get_or_insert_default().insert(index, sent),
        }
    }

    pub(super) fn remove(&mut self, index: usize) -> Option<Sent> {
        match index.checked_sub(1) {
            None => self.pop_front(),
            Some(index) => self.rest.as_mut()?.remove(index),
        }
    }
}

impl PartialEq for Unacked {
    fn eq(&self, other: &Unacked) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Unacked {}

impl Hash for Unacked {
    /// What there is, and not what memory it had before.
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        self.iter().for_each(|sent| sent.hash(state));
    }
}

impl Index<usize> for Unacked {
    type Output = Sent;
    fn index(&self, index: usize) -> &Sent {
        self.get(index).expect("an index below the length")
    }
}

impl IndexMut<usize> for Unacked {
    fn index_mut(&mut self, index: usize) -> &mut Sent {
        self.get_mut(index).expect("an index below the length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Time;
    use proptest::prelude::*;

    proptest! {
        /// What a deque does.
        #[test]
        fn it_is_a_deque(acts in proptest::collection::vec((0..6u8, any::<usize>()), 0..40)) {
            let (mut ours, mut theirs) = (Unacked::default(), VecDeque::new());
            for (nth, (act, at)) in acts.into_iter().enumerate() {
                let sent = Sent::new(nth as u64, nth as u64 + 1, false, 1_448, Time(0));
                let (place, index) = (at % (theirs.len() + 1), at % theirs.len().max(1));
                match act {
                    0 | 1 => {
                        ours.push_back(sent);
                        theirs.push_back(sent);
                    }
                    2 => prop_assert_eq!(ours.pop_front(), theirs.pop_front()),
                    3 => {
                        ours.insert(place, sent);
                        theirs.insert(place, sent);
                    }
                    4 => prop_assert_eq!(ours.remove(index), theirs.remove(index)),
                    _ => ours.iter_mut().chain(&mut theirs).for_each(|sent| sent.end += 1),
                }
                prop_assert!(ours.iter().eq(&theirs));
                prop_assert_eq!((ours.len(), ours.is_empty()), (theirs.len(), theirs.is_empty()));
                prop_assert_eq!(ours.get(place), theirs.get(place));
                prop_assert_eq!(ours.front(), theirs.front());
            }
        }
    }
}
