//! The memory of things that are gone, for those to come: what was used last is used again first.

use std::hash::{Hash, Hasher};

/// Memory without content: no part of the state.
#[derive(Debug)]
pub(super) struct Spare<T>(Vec<Box<T>>);

impl<T> Spare<T> {
    pub(super) fn keep(&mut self, gone: impl IntoIterator<Item = Box<T>>) {
        self.0.extend(gone);
    }

    pub(super) fn fill(&mut self, content: T) -> Box<T> {
        match self.0.pop() {
            None => Box::new(content),
            Some(mut place) => {
                *place = content;
                place
            }
        }
    }
}

impl<T> Default for Spare<T> {
    fn default() -> Spare<T> {
        Spare(Vec::new())
    }
}

impl<T> Clone for Spare<T> {
    fn clone(&self) -> Spare<T> {
        Spare::default()
    }
}

impl<T> PartialEq for Spare<T> {
    fn eq(&self, _: &Spare<T>) -> bool {
        true
    }
}

impl<T> Eq for Spare<T> {}

impl<T> Hash for Spare<T> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
