//! A key: values in the order in which they were set, subkeys in the order of their names, and a digest
//! of all below it, so that a registry hashes at once whatever its size.

use std::sync::Arc;

use super::feed::Feed;
use super::name::Name;
use super::sorted::{Named, Sorted};
use super::value::Value;
use crate::win7::security::Shared;

/// REG_KEY_DONT_VIRTUALIZE: what may not be written here is not written elsewhere instead.
pub const DONT_VIRTUALIZE: u8 = 2;
/// REG_KEY_DONT_SILENT_FAIL: what may not be opened is not opened with less access instead.
pub const DONT_SILENT_FAIL: u8 = 4;
/// REG_KEY_RECURSE_FLAG: new keys below get the flags of this one.
pub const RECURSE_FLAG: u8 = 8;

/// A key with all below it. A clone shares everything until one side writes.
#[derive(Clone, Debug)]
pub struct Key {
    name: Name,
    volatile: bool,
    link: bool,
    /// What `reg flags` sets; see [`Key::flags`].
    flags: u8,
    /// invariant: there is one if the key is in a registry.
    descriptor: Option<Shared>,
    values: Sorted<Slot>,
    /// The number of the next value. Only the order of numbers means anything.
    next: u32,
    /// Over the names of values, in the order in which they were first set.
    order: u128,
    /// The sum of the digests of values.
    values_sum: u128,
    keys: Sorted<Key>,
    /// The sum of the digests of subkeys.
    keys_sum: u128,
    /// invariant: of all of the above.
    digest: u128,
}

/// A value in its place.
#[derive(Debug)]
struct Slot {
    name: Name,
    number: u32,
    value: Value,
}

impl Named for Slot {
    fn folded(&self) -> &[u16] {
        self.name.folded()
    }
}

impl Named for Key {
    fn folded(&self) -> &[u16] {
        self.name.folded()
    }
}

impl Key {
    /// A key without anything in it.
    pub fn new(name: Name) -> Key {
        Key::made(name, false, false)
    }

    /// A symbolic link. It leads nowhere until it has a value `SymbolicLinkValue`.
    pub fn new_link(name: Name) -> Key {
        Key::made(name, false, true)
    }

    pub(super) fn made(name: Name, volatile: bool, link: bool) -> Key {
        let mut key = Key {
            name,
            volatile,
            link,
            flags: 0,
            descriptor: None,
            values: Sorted::default(),
            next: 0,
            order: 0,
            values_sum: 0,
            keys: Sorted::default(),
            keys_sum: 0,
            digest: 0,
        };
        key.seal();
        key
    }

    /// Its name, as it was created.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whether it is gone after a restart.
    pub fn is_volatile(&self) -> bool {
        self.volatile
    }

    /// Whether it is a symbolic link.
    pub fn is_link(&self) -> bool {
        self.link
    }

    /// Its control flags, which say how registry virtualization treats it: [`DONT_VIRTUALIZE`] and its like.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    pub(super) fn set_flags(&mut self, flags: u8) {
        self.flags = flags;
        self.seal();
    }

    /// Its security descriptor. A key that was never in a registry may lack one.
    pub fn descriptor(&self) -> Option<&Shared> {
        self.descriptor.as_ref()
    }

    /// A value.
    pub fn value(&self, name: &Name) -> Option<&Value> {
        self.value_folded(name.folded())
    }

    #[inline]
    pub(super) fn value_folded(&self, folded: &[u16]) -> Option<&Value> {
        self.values.get(folded).map(|slot| &slot.value)
    }

    /// All values, in the order in which they were first set: so the system enumerates them.
    pub fn values(&self) -> Vec<(&Name, &Value)> {
        let mut slots: Vec<&Arc<Slot>> = self.values.iter().collect();
        slots.sort_unstable_by_key(|slot| slot.number);
        slots
            .into_iter()
            .map(|slot| (&slot.name, &slot.value))
            .collect()
    }

    /// How many values it has.
    pub fn value_count(&self) -> usize {
        self.values.len()
    }

    /// The subkeys in the order of their upper-cased names: so the system enumerates them.
    pub fn keys(&self) -> impl Iterator<Item = &Key> + Clone {
        self.keys.iter().map(|key| &**key)
    }

    /// How many subkeys it has.
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// A subkey.
    pub fn key(&self, name: &Name) -> Option<&Key> {
        self.key_folded(name.folded())
    }

    #[inline]
    pub(super) fn key_folded(&self, folded: &[u16]) -> Option<&Key> {
        self.keys.get(folded).map(|key| &**key)
    }

    /// The digest of the key with all below it.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// Sets a value. One that exists keeps its place and the spelling of its name.
    pub fn set_value(&mut self, name: Name, value: Value) {
        match self.values.get_mut(name.folded()) {
            Some(slot) => {
                self.values_sum = self.values_sum.wrapping_sub(slot.digest());
                let (name, number) = (slot.name.clone(), slot.number);
                *slot = Arc::new(Slot {
                    name,
                    number,
                    value,
                });
                self.values_sum = self.values_sum.wrapping_add(slot.digest());
            }
            None => {
                let number = self.next;
                self.next += 1;
                self.order = chained(self.order, name.folded());
                let slot = Arc::new(Slot {
                    name,
                    number,
                    value,
                });
                self.values_sum = self.values_sum.wrapping_add(slot.digest());
                self.values.insert(slot);
            }
        }
        self.seal();
    }

    /// Deletes a value; whether there was one.
    pub fn delete_value(&mut self, name: &Name) -> bool {
        let Some(slot) = self.values.remove(name.folded()) else {
            return false;
        };
        self.values_sum = self.values_sum.wrapping_sub(slot.digest());
        let names = self.values();
        self.order = names
            .iter()
            .fold(0, |order, (name, _)| chained(order, name.folded()));
        self.seal();
        true
    }

    /// Puts a subkey with all below it in its place; the one of that name that was there.
    pub fn put_key(&mut self, key: Key) -> Option<Arc<Key>> {
        let old = self.remove_key(key.name.folded());
        self.keys_sum = self.keys_sum.wrapping_add(key.digest);
        self.keys.insert(Arc::new(key));
        self.seal();
        old
    }

    pub(super) fn remove_key(&mut self, folded: &[u16]) -> Option<Arc<Key>> {
        let old = self.keys.remove(folded)?;
        self.keys_sum = self.keys_sum.wrapping_sub(old.digest);
        self.seal();
        Some(old)
    }

    /// Takes what another key holds and who may do what with it; its name stays, and whether it is a link.
    pub(super) fn become_as(&mut self, from: Key) {
        let own = self.descriptor.clone();
        *self = Key {
            name: self.name.clone(),
            volatile: self.volatile,
            link: self.link,
            flags: self.flags,
            ..from
        };
        self.settle(own.as_ref());
    }

    /// Sets the security descriptor; what is below keeps its own.
    pub fn set_descriptor(&mut self, descriptor: Shared) {
        self.descriptor = Some(descriptor);
        self.seal();
    }

    /// The same key, with this descriptor.
    pub fn with_descriptor(mut self, descriptor: Shared) -> Key {
        self.set_descriptor(descriptor);
        self
    }

    /// Gives each key here that has no descriptor what it inherits from the one above.
    pub(super) fn settle(&mut self, above: Option<&Shared>) {
        if self.descriptor.is_none() {
            self.descriptor = above.map(super::access::inherited);
        }
        let own = self.descriptor.clone();
        let names: Vec<Name> = self.keys().map(|key| key.name.clone()).collect();
        for name in names {
            let child = self.keys.get_mut(name.folded()).expect("it was listed");
            let before = child.digest;
            let child = Arc::make_mut(child);
            child.settle(own.as_ref());
            self.keys_sum = self
                .keys_sum
                .wrapping_sub(before)
                .wrapping_add(child.digest);
        }
        self.seal();
    }

    /// Edits the key that `path` leads to, a folded path below this one, without following links.
    pub(super) fn edit<R>(&mut self, path: &[u16], edit: impl FnOnce(&mut Key) -> R) -> Option<R> {
        let (first, rest) = split(path);
        if first.is_empty() {
            return Some(edit(self));
        }
        let child = self.keys.get_mut(first)?;
        let before = child.digest;
        let child = Arc::make_mut(child);
        let result = child.edit(rest, edit);
        let after = child.digest;
        self.keys_sum = self.keys_sum.wrapping_sub(before).wrapping_add(after);
        self.seal();
        result
    }

    /// The key that `path` leads to, without following links.
    pub(super) fn find(&self, path: &[u16]) -> Option<&Key> {
        let (first, rest) = split(path);
        match first.is_empty() {
            true => Some(self),
            false => self.key_folded(first)?.find(rest),
        }
    }

    fn seal(&mut self) {
        let mut hasher = Feed::new();
        hasher.units(self.name.units());
        hasher.byte(u8::from(self.volatile) | u8::from(self.link) << 1 | self.flags << 2);
        hasher.word(self.descriptor.as_ref().map_or(0, Shared::digest));
        for word in [self.order, self.values_sum, self.keys_sum] {
            hasher.word(word);
        }
        self.digest = hasher.finish();
    }
}

/// The content decides: sharing, and the numbers behind the order of values, do not.
impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        let same_here = self.digest == other.digest
            && self.name == other.name
            && (self.volatile, self.link, self.flags, &self.descriptor)
                == (other.volatile, other.link, other.flags, &other.descriptor);
        same_here
            && (self.values.is_shared_with(&other.values) || self.values() == other.values())
            && (self.keys.is_shared_with(&other.keys) || self.keys().eq(other.keys()))
    }
}

impl Eq for Key {}

impl std::hash::Hash for Key {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl Slot {
    fn digest(&self) -> u128 {
        let mut hasher = Feed::new();
        hasher.units(self.name.units());
        hasher.number(self.value.kind.0);
        hasher.bytes(&self.value.data);
        hasher.finish()
    }
}

/// The first component of a folded path, and what comes after it.
#[inline]
pub(super) fn split(path: &[u16]) -> (&[u16], &[u16]) {
    match path.iter().position(|unit| *unit == super::name::SEPARATOR) {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (path, &[]),
    }
}

fn chained(order: u128, folded: &[u16]) -> u128 {
    let mut hasher = Feed::new();
    hasher.word(order);
    hasher.units(folded);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        Key::new(name.into())
    }

    #[test]
    fn the_digest_does_not_know_the_history() {
        let mut one = key("k");
        one.set_value("a".into(), Value::sz("1"));
        one.set_value("b".into(), Value::sz("2"));
        let mut other = key("k");
        other.set_value("x".into(), Value::sz("0"));
        other.set_value("a".into(), Value::sz("9"));
        other.put_key(key("gone"));
        other.set_value("b".into(), Value::sz("2"));
        other.set_value("A".into(), Value::sz("1"));
        assert!(other.delete_value(&"X".into()));
        assert!(other.remove_key(Name::from("GONE").folded()).is_some());
        assert_eq!((one.digest(), &one), (other.digest(), &other));
        // The order of values can be seen, so it counts.
        let mut swapped = key("k");
        swapped.set_value("b".into(), Value::sz("2"));
        swapped.set_value("a".into(), Value::sz("1"));
        assert_ne!(one.digest(), swapped.digest());
        assert_ne!(one, swapped);
    }

    #[test]
    fn an_edit_deep_below_moves_the_digest_and_its_undoing_moves_it_back() {
        let mut root = key("");
        root.put_key(key("a"));
        root.edit(&[0x41], |a| a.put_key(key("b")));
        let before = root.digest();
        let path: Vec<u16> = "A\\B".encode_utf16().collect();
        root.edit(&path, |b| b.set_value("v".into(), Value::dword(1)));
        assert_ne!(root.digest(), before);
        root.edit(&path, |b| b.delete_value(&"V".into()));
        assert_eq!(root.digest(), before);
    }
}
