//! What differs between two registries.

use std::fmt;

use super::Registry;
use super::key::Key;
use super::name::{Name, units};
use super::path::Root;
use super::value::Value;

/// One difference, from one registry to another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Difference {
    /// A key is new; what is below it is too, and follows.
    KeyAdded(String),
    /// A key is gone with all below it.
    KeyRemoved(String),
    /// A value is new.
    ValueAdded(String, Name, Value),
    /// A value is gone.
    ValueRemoved(String, Name, Value),
    /// A value has another type or other data.
    ValueChanged(String, Name, Value, Value),
    /// All values are the same, but were set in another order.
    Reordered(String),
    /// A key differs in something else: how its name is written, whether it is volatile or a link.
    Otherwise(String),
}

impl Difference {
    /// The key that it is about, or that holds the value that it is about.
    pub fn key(&self) -> &str {
        match self {
            Difference::KeyAdded(key)
            | Difference::KeyRemoved(key)
            | Difference::ValueAdded(key, ..)
            | Difference::ValueRemoved(key, ..)
            | Difference::ValueChanged(key, ..)
            | Difference::Reordered(key)
            | Difference::Otherwise(key) => key,
        }
    }

    /// Its line, or lines, below that of its key; none if the key's line says it all.
    fn below(&self) -> Option<String> {
        let named = |name: &Name| match name.is_empty() {
            true => "(Default)".to_owned(),
            false => name.to_string(),
        };
        match self {
            Difference::KeyAdded(_) | Difference::KeyRemoved(_) => None,
            Difference::ValueAdded(_, name, value) => {
                Some(format!("+     {}    {value:?}", named(name)))
            }
            Difference::ValueRemoved(_, name, value) => {
                Some(format!("-     {}    {value:?}", named(name)))
            }
            Difference::ValueChanged(_, name, old, new) => {
                let name = named(name);
                Some(format!("-     {name}    {old:?}\n+     {name}    {new:?}"))
            }
            Difference::Reordered(_) => Some("~     the order of its values".into()),
            Difference::Otherwise(_) => Some("~     its name's case, volatility, or kind".into()),
        }
    }

    fn sign(&self) -> char {
        match self {
            Difference::KeyAdded(_) => '+',
            Difference::KeyRemoved(_) => '-',
            _ => '~',
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lines(std::slice::from_ref(self)).join("\n"))
    }
}

/// Differences as texts, one a key: whether it is new (`+`), gone (`-`) or another one (`~`), and below that what is in it.
pub fn lines(differences: &[Difference]) -> Vec<String> {
    let of_keys = differences.chunk_by(|one, next| one.key() == next.key());
    let text = |of_key: &[Difference]| {
        let head = format!("{} {}", of_key[0].sign(), of_key[0].key());
        let below = of_key.iter().filter_map(Difference::below);
        [head]
            .into_iter()
            .chain(below)
            .collect::<Vec<_>>()
            .join("\n")
    };
    of_keys.map(text).collect()
}

/// All differences from `old` to `new`, in the order of keys. What both share costs nothing.
pub fn diff(old: &Registry, new: &Registry) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, root) in [("MACHINE", Root::LocalMachine), ("USER", Root::Users)] {
        let path = units(name);
        if let (Some(old), Some(new)) = (old.tree().find(&path), new.tree().find(&path)) {
            compare(root.long_name(), old, new, &mut found);
        }
    }
    found
}

fn compare(path: &str, old: &Key, new: &Key, found: &mut Vec<Difference>) {
    if old.digest() == new.digest() {
        return;
    }
    let before = found.len();
    let own = |key: &Key| (key.name().clone(), key.is_volatile(), key.is_link());
    if own(old) != own(new) {
        found.push(Difference::Otherwise(path.into()));
    }
    for (name, value) in old.values() {
        match new.value(name) {
            None => {
                found.push(Difference::ValueRemoved(
                    path.into(),
                    name.clone(),
                    value.clone(),
                ));
            }
            Some(now) if now != value => {
                let (old, new) = (value.clone(), now.clone());
                found.push(Difference::ValueChanged(
                    path.into(),
                    name.clone(),
                    old,
                    new,
                ));
            }
            Some(_) => {}
        }
    }
    for (name, value) in new.values() {
        if old.value(name).is_none() {
            found.push(Difference::ValueAdded(
                path.into(),
                name.clone(),
                value.clone(),
            ));
        }
    }
    let names = |key: &Key| -> Vec<Name> {
        key.values()
            .into_iter()
            .map(|(name, _)| name.clone())
            .collect()
    };
    if found.len() == before && names(old) != names(new) {
        found.push(Difference::Reordered(path.into()));
    }
    for key in old.keys() {
        let below = format!("{path}\\{}", key.name());
        match new.key(key.name()) {
            Some(other) => compare(&below, key, other, found),
            None => found.push(Difference::KeyRemoved(below)),
        }
    }
    for key in new.keys().filter(|key| old.key(key.name()).is_none()) {
        added(&format!("{path}\\{}", key.name()), key, found);
    }
}

fn added(path: &str, key: &Key, found: &mut Vec<Difference>) {
    found.push(Difference::KeyAdded(path.into()));
    for (name, value) in key.values() {
        found.push(Difference::ValueAdded(
            path.into(),
            name.clone(),
            value.clone(),
        ));
    }
    key.keys()
        .for_each(|below| added(&format!("{path}\\{}", below.name()), below, found));
}
