//! A sorted collection that forks by sharing: pieces are copied only when one side writes to them.

use std::sync::Arc;

/// What has a place in a [`Sorted`]: by its folded name.
pub(super) trait Named {
    fn folded(&self) -> &[u16];
}

/// No piece is longer. A write copies one piece and the list of pieces.
const PIECE: usize = 64;

/// Items by folded name. invariant: pieces are not empty, and all is in order.
#[derive(Debug)]
pub(super) struct Sorted<T> {
    pieces: Arc<Vec<Arc<Vec<Arc<T>>>>>,
    len: usize,
}

impl<T> Clone for Sorted<T> {
    fn clone(&self) -> Self {
        Sorted {
            pieces: self.pieces.clone(),
            len: self.len,
        }
    }
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Sorted {
            pieces: Arc::default(),
            len: 0,
        }
    }
}

impl<T: Named> Sorted<T> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// All items in the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> + Clone {
        self.pieces.iter().flat_map(|piece| piece.iter())
    }

    #[inline]
    pub(super) fn get(&self, folded: &[u16]) -> Option<&Arc<T>> {
        let piece = &self.pieces.get(self.piece_of(folded))?;
        let at = piece
            .binary_search_by(|item| item.folded().cmp(folded))
            .ok()?;
        Some(&piece[at])
    }

    /// The item, to replace.
    pub(super) fn get_mut(&mut self, folded: &[u16]) -> Option<&mut Arc<T>> {
        let index = self.piece_of(folded);
        let at = {
            let piece = self.pieces.get(index)?;
            piece
                .binary_search_by(|item| item.folded().cmp(folded))
                .ok()?
        };
        let pieces = Arc::make_mut(&mut self.pieces);
        Some(&mut Arc::make_mut(&mut pieces[index])[at])
    }

    /// Puts an item in its place.
    ///
    /// # Panics
    /// If there is one of that name.
    pub(super) fn insert(&mut self, item: Arc<T>) {
        let pieces = Arc::make_mut(&mut self.pieces);
        self.len += 1;
        if pieces.is_empty() {
            pieces.push(Arc::new(vec![item]));
            return;
        }
        let index = piece_of(pieces, item.folded()).min(pieces.len() - 1);
        let piece = Arc::make_mut(&mut pieces[index]);
        let at = piece
            .binary_search_by(|other| other.folded().cmp(item.folded()))
            .expect_err("no two items have one name");
        piece.insert(at, item);
        if piece.len() > PIECE {
            let rest = piece.split_off(PIECE / 2);
            pieces.insert(index + 1, Arc::new(rest));
        }
    }

    /// Takes an item out.
    pub(super) fn remove(&mut self, folded: &[u16]) -> Option<Arc<T>> {
        let index = self.piece_of(folded);
        let at = {
            let piece = self.pieces.get(index)?;
            piece
                .binary_search_by(|item| item.folded().cmp(folded))
                .ok()?
        };
        let pieces = Arc::make_mut(&mut self.pieces);
        let piece = Arc::make_mut(&mut pieces[index]);
        let item = piece.remove(at);
        if piece.is_empty() {
            pieces.remove(index);
        }
        self.len -= 1;
        Some(item)
    }

    /// Whether both share all their pieces.
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pieces, &other.pieces)
    }

    #[inline]
    fn piece_of(&self, folded: &[u16]) -> usize {
        piece_of(&self.pieces, folded)
    }
}

/// The first piece that ends at or after `folded`.
#[inline]
fn piece_of<T: Named>(pieces: &[Arc<Vec<Arc<T>>>], folded: &[u16]) -> usize {
    pieces.partition_point(|piece| piece.last().is_some_and(|last| last.folded() < folded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Item(Vec<u16>);
    impl Named for Item {
        fn folded(&self) -> &[u16] {
            &self.0
        }
    }

    #[test]
    fn it_is_a_sorted_map_however_it_came_about() {
        let mut sorted = Sorted::<Item>::default();
        let mut model = std::collections::BTreeSet::new();
        let mut state = 1u32;
        for _ in 0..4000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let name = vec![(state >> 16) as u16 % 700];
            if state >> 31 == 0 || !model.contains(&name) {
                if model.insert(name.clone()) {
                    sorted.insert(Arc::new(Item(name.clone())));
                }
            } else {
                model.remove(&name);
                assert_eq!(sorted.remove(&name).expect("it was there").0, name);
            }
            assert_eq!(sorted.get(&name).is_some(), model.contains(&name));
            assert_eq!(sorted.len(), model.len());
        }
        assert!(sorted.iter().map(|item| &item.0).eq(model.iter()));
    }

    #[test]
    fn a_fork_does_not_see_what_the_other_writes() {
        let mut one = Sorted::<Item>::default();
        for n in 0..200 {
            one.insert(Arc::new(Item(vec![n])));
        }
        let mut other = one.clone();
        assert!(other.is_shared_with(&one));
        other.remove(&[7]);
        *other.get_mut(&[8]).expect("it is there") = Arc::new(Item(vec![8]));
        assert!(one.get(&[7]).is_some() && other.get(&[7]).is_none());
    }
}
