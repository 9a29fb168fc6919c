//! A sorted collection that forks by sharing: pieces are copied only when one side writes to them.

use std::sync::Arc;

/// What has a place in a [`Sorted`]: by its folded name.
pub(in crate::win7) trait Named {
    fn folded(&self) -> &[u16];
}

/// No piece is longer. A write copies one piece and the list of pieces.
const PIECE: usize = 64;

/// Items by folded name. invariant: pieces are not empty, and all is in order.
#[derive(Debug)]
pub(in crate::win7) struct Sorted<T> {
    pieces: Arc<Vec<Arc<Piece<T>>>>,
    len: usize,
}

/// Some items in order, each with the hash of its name: a look-up runs through the hashes, which lie side by
/// side, and compares one name.
#[derive(Debug)]
struct Piece<T> {
    hashes: Vec<u32>,
    items: Vec<Arc<T>>,
}

impl<T> Clone for Piece<T> {
    fn clone(&self) -> Self {
        Piece {
            hashes: self.hashes.clone(),
            items: self.items.clone(),
        }
    }
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

impl<T: Named> Piece<T> {
    #[inline]
    fn find(&self, folded: &[u16], hash: u32) -> Option<usize> {
        let mut from = 0;
        loop {
            let at = from
                + self.hashes[from..]
                    .iter()
                    .position(|other| *other == hash)?;
            if self.items[at].folded() == folded {
                return Some(at);
            }
            from = at + 1;
        }
    }

    fn insert(&mut self, item: Arc<T>) {
        let at = self
            .items
            .binary_search_by(|other| other.folded().cmp(item.folded()))
            .expect_err("no two items have one name");
        self.hashes.insert(at, hash_of(item.folded()));
        self.items.insert(at, item);
    }
}

impl<T: Named> Sorted<T> {
    pub(in crate::win7) fn len(&self) -> usize {
        self.len
    }

    /// All items in the order of their names.
    pub(in crate::win7) fn iter(&self) -> impl Iterator<Item = &Arc<T>> + Clone {
        self.pieces.iter().flat_map(|piece| piece.items.iter())
    }

    #[inline]
    pub(in crate::win7) fn get(&self, folded: &[u16]) -> Option<&Arc<T>> {
        let piece = self.pieces.get(self.piece_of(folded))?;
        let at = piece.find(folded, hash_of(folded))?;
        Some(&piece.items[at])
    }

    /// The item, to replace.
    pub(in crate::win7) fn get_mut(&mut self, folded: &[u16]) -> Option<&mut Arc<T>> {
        let index = self.piece_of(folded);
        let at = self.pieces.get(index)?.find(folded, hash_of(folded))?;
        let pieces = Arc::make_mut(&mut self.pieces);
        Some(&mut Arc::make_mut(&mut pieces[index]).items[at])
    }

    /// Puts an item in its place.
    ///
    /// # Panics
    /// If there is one of that name.
    pub(in crate::win7) fn insert(&mut self, item: Arc<T>) {
        let pieces = Arc::make_mut(&mut self.pieces);
        self.len += 1;
        if pieces.is_empty() {
            pieces.push(Arc::new(Piece {
                hashes: vec![hash_of(item.folded())],
                items: vec![item],
            }));
            return;
        }
        let index = piece_of(pieces, item.folded()).min(pieces.len() - 1);
        let piece = Arc::make_mut(&mut pieces[index]);
        piece.insert(item);
        if piece.items.len() > PIECE {
            let rest = Piece {
                hashes: piece.hashes.split_off(PIECE / 2),
                items: piece.items.split_off(PIECE / 2),
            };
            pieces.insert(index + 1, Arc::new(rest));
        }
    }

    /// Takes an item out.
    pub(in crate::win7) fn remove(&mut self, folded: &[u16]) -> Option<Arc<T>> {
        let index = self.piece_of(folded);
        let at = self.pieces.get(index)?.find(folded, hash_of(folded))?;
        let pieces = Arc::make_mut(&mut self.pieces);
        let piece = Arc::make_mut(&mut pieces[index]);
        piece.hashes.remove(at);
        let item = piece.items.remove(at);
        if piece.items.is_empty() {
            pieces.remove(index);
        }
        self.len -= 1;
        Some(item)
    }

    /// The items that nobody else holds: those whose last owner this is.
    pub(in crate::win7) fn into_unshared(self) -> impl Iterator<Item = Arc<T>> {
        let pieces = Arc::try_unwrap(self.pieces).unwrap_or_default();
        let pieces = pieces
            .into_iter()
            .filter_map(|piece| Arc::try_unwrap(piece).ok());
        pieces.flat_map(|piece| piece.items)
    }

    /// Whether both share all their pieces.
    pub(in crate::win7) fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pieces, &other.pieces)
    }

    #[inline]
    fn piece_of(&self, folded: &[u16]) -> usize {
        match self.pieces.len() {
            // Where there is one piece, it decides itself.
            0 | 1 => 0,
            _ => piece_of(&self.pieces, folded),
        }
    }
}

/// The first piece that ends at or after `folded`.
#[inline]
fn piece_of<T: Named>(pieces: &[Arc<Piece<T>>], folded: &[u16]) -> usize {
    pieces.partition_point(|piece| {
        piece
            .items
            .last()
            .is_some_and(|last| last.folded() < folded)
    })
}

/// FNV-1a over code units: nothing but look-ups sees it.
#[inline]
fn hash_of(folded: &[u16]) -> u32 {
    folded.iter().fold(0x811C_9DC5, |hash, unit| {
        (hash ^ u32::from(*unit)).wrapping_mul(0x0100_0193)
    })
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
