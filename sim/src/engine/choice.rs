//! The one door: every nondeterministic decision is `choose(key, options)`.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::entity::{Entity, Names};
use super::hash::{LookupMap, mix, text_hash};

/// What is decided, by whom, about what, for the n-th time. Keys survive edits of a scenario: the
/// entity is a path of birth, and the ordinal counts only this entity's occurrences of this very
/// thing, so inserting a step elsewhere moves no other key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Key {
    /// The kind of decision: `sched`, `fault`, `jitter`, ...
    pub site: &'static str,
    /// Who decides.
    pub entity: Entity,
    /// The operation that it is about (for `sched`: what the actor is about to do), or "".
    pub verb: &'static str,
    /// The object of that operation, or [`Key::NO_OBJECT`].
    pub object: Entity,
    /// The how manieth time, from 1.
    pub ordinal: u32,
}

impl Key {
    /// The object of a decision that has none.
    pub const NO_OBJECT: Entity = Entity(0);

    /// Whether only the ordinal differs.
    #[inline]
    fn is_like(&self, other: &Key) -> bool {
        self.entity == other.entity
            && self.object == other.object
            && self.verb == other.verb
            && self.site == other.site
    }

    /// One word for everything but the ordinal.
    pub(crate) fn thing(&self) -> u64 {
        mix(&[
            text_hash(self.site),
            self.entity.0,
            text_hash(self.verb),
            self.object.0,
        ])
    }

    /// One word for the whole key: what a seed is mixed with.
    pub fn word(&self) -> u64 {
        mix(&[self.thing(), self.ordinal.into()])
    }

    /// The key in words that a file can keep.
    pub fn text(&self, names: &Names) -> KeyText {
        let object = match self.object {
            Key::NO_OBJECT => String::new(),
            object => names.path(object).to_string(),
        };
        KeyText {
            site: self.site.into(),
            entity: names.path(self.entity).to_string(),
            verb: self.verb.into(),
            object,
            nth: self.ordinal,
        }
    }
}

/// A [`Key`] as reproduction files and listings spell it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyText {
    /// See [`Key::site`].
    pub site: String,
    /// The entity's path of birth.
    pub entity: String,
    /// See [`Key::verb`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verb: String,
    /// The object's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// See [`Key::ordinal`].
    pub nth: u32,
}

impl KeyText {
    /// The same word as [`Key::word`] of the key that this text was made of.
    pub fn word(&self) -> u64 {
        let object = match self.object.as_str() {
            "" => Key::NO_OBJECT,
            path => Entity::of(path),
        };
        let entity = Entity::of(&self.entity);
        let thing = mix(&[
            text_hash(&self.site),
            entity.0,
            text_hash(&self.verb),
            object.0,
        ]);
        mix(&[thing, self.nth.into()])
    }
}

impl fmt::Display for KeyText {
    /// `sched at builder, 2nd "open ~/.config/go/env"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.site, self.entity)?;
        let operation = format!("{} {}", self.verb, self.object);
        match operation.trim() {
            "" => write!(f, ", time {}", self.nth),
            operation => write!(f, ", before \"{operation}\", time {}", self.nth),
        }
    }
}

/// A decision that was taken: the key, the label of the option, and how far it is from the default.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What was decided.
    pub key: KeyText,
    /// The label of the option that was taken.
    pub take: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.take)
    }
}

/// How a seed weighs the options.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// All alike.
    Uniform,
    /// One weight an option; their sum is above zero.
    Each(&'a [u32]),
    /// The default keeps `k - 1` of `k` parts, the others share one part evenly: "preempt once in k".
    OnceIn(u32),
}

/// What the options are called.
#[derive(Clone, Copy)]
pub enum Labels<'a> {
    /// Each by its text.
    Texts(&'a [&'a str]),
    /// The actors that could go next. The first is "go on" if `go_on` is set.
    Actors {
        /// Those that are ready, in the order of their paths but for the one that may go on.
        ready: &'a [Entity],
        /// Whether the first was the last to take a step.
        go_on: bool,
    },
    /// Whole numbers from `low`: a wide choice, which searches leave to the seed.
    Numbers {
        /// The number that option 0 stands for.
        low: u64,
    },
}

/// The options of one decision.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// How many there are; at least one.
    pub count: u64,
    /// The one that is taken where nothing says otherwise.
    pub default: u64,
    /// How a seed weighs them.
    pub weights: Weights<'a>,
    /// What they are called.
    pub labels: Labels<'a>,
}

impl<'a> Options<'a> {
    /// Options by their labels, all alike, the first the default.
    pub fn texts(labels: &'a [&'a str]) -> Options<'a> {
        Options {
            count: labels.len() as u64,
            default: 0,
            weights: Weights::Uniform,
            labels: Labels::Texts(labels),
        }
    }

    /// The whole numbers `low..=high`, the default being `low`.
    pub fn numbers(low: u64, high: u64) -> Options<'a> {
        Options {
            count: high.saturating_sub(low).saturating_add(1),
            default: 0,
            weights: Weights::Uniform,
            labels: Labels::Numbers { low },
        }
    }

    /// The same options, weighed by `weights`.
    pub fn weighed(self, weights: &'a [u32]) -> Options<'a> {
        assert!(weights.len() as u64 == self.count, "one weight an option");
        Options {
            weights: Weights::Each(weights),
            ..self
        }
    }

    /// The same options with another default.
    pub fn default_to(self, default: u64) -> Options<'a> {
        assert!(default < self.count, "the default is one of the options");
        Options { default, ..self }
    }

    /// Whether this is a range of numbers, which searches leave to the seed.
    pub fn is_wide(&self) -> bool {
        matches!(self.labels, Labels::Numbers { .. })
    }

    /// The label of option `index`.
    pub fn label(&self, index: u64, names: &Names) -> Cow<'a, str> {
        match self.labels {
            Labels::Texts(texts) => Cow::Borrowed(texts[index as usize]),
            Labels::Actors { go_on: true, .. } if index == 0 => Cow::Borrowed("go on"),
            Labels::Actors { ready, .. } => {
                Cow::Owned(names.path(ready[index as usize]).to_string())
            }
            Labels::Numbers { low } => Cow::Owned((low + index).to_string()),
        }
    }

    /// The option that is called `label`.
    pub fn find(&self, label: &str, names: &Names) -> Option<u64> {
        match self.labels {
            Labels::Numbers { low } => {
                let index = label.parse::<u64>().ok()?.checked_sub(low)?;
                (index < self.count).then_some(index)
            }
            // An actor may have been switched to in the file and be the one that goes on by now.
            Labels::Actors { ready, .. } if label != "go on" => {
                let index = ready
                    .iter()
                    .position(|actor| **names.path(*actor) == *label);
                index.map(|index| index as u64)
            }
            _ => (0..self.count).find(|index| self.label(*index, names) == label),
        }
    }

    /// The option on which `word`, 64 uniformly distributed bits, falls by weight.
    pub fn weigh(&self, word: u64) -> u64 {
        let below = |n: u64| ((u128::from(word) * u128::from(n)) >> 64) as u64;
        match self.weights {
            Weights::Uniform => below(self.count),
            Weights::OnceIn(_) if self.count == 1 => 0,
            Weights::OnceIn(k) => {
                let others = self.count - 1;
                let at = below(others * u64::from(k.max(1)));
                let other = at.checked_sub(others * u64::from(k.max(1) - 1));
                match other {
                    None => self.default,
                    Some(other) if other < self.default => other,
                    Some(other) => other + 1,
                }
            }
            Weights::Each(weights) => {
                let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
                assert!(total > 0, "some option has a weight");
                let mut at = below(total);
                for (index, weight) in weights.iter().enumerate() {
                    match at.checked_sub(u64::from(*weight)) {
                        Some(rest) => at = rest,
                        None => return index as u64,
                    }
                }
                unreachable!("the word fell within the total")
            }
        }
    }
}

/// Who stands behind the door.
pub trait Source {
    /// The index of the option to take, below `options.count`.
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64;

    /// Whether it looks at the keys of choices that are not wide. Under a source that does not, the
    /// ordinals of such choices are not counted, and their keys have ordinal 0.
    fn heeds_keys(&self) -> bool {
        true
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        (**self).choose(key, options, names)
    }
    fn heeds_keys(&self) -> bool {
        (**self).heeds_keys()
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        (**self).choose(key, options, names)
    }
    fn heeds_keys(&self) -> bool {
        (**self).heeds_keys()
    }
}

/// How often each thing was decided so far in this run: what ordinals are made of.
#[derive(Debug, Default)]
pub(crate) struct Ordinals {
    /// The things while they are few, each as the key of its last occurrence: a list is cheaper to
    /// fork, and needs no hashes.
    few: Vec<Key>,
    /// By the things' words. invariant: empty, or `few` is.
    many: LookupMap<u64, u32>,
    /// Order-independent digest of the counts that can be seen in a state: of wide choices and of
    /// births (others only name choices and decide nothing by themselves).
    pub(crate) visible: u64,
}

impl Clone for Ordinals {
    fn clone(&self) -> Ordinals {
        Ordinals {
            few: self.few.clone(),
            many: self.many.clone(),
            visible: self.visible,
        }
    }

    fn clone_from(&mut self, source: &Ordinals) {
        self.few.clone_from(&source.few);
        if !(self.many.is_empty() && source.many.is_empty()) {
            self.many.clone_from(&source.many);
        }
        self.visible = source.visible;
    }
}

impl Ordinals {
    /// How many things a list serves well.
    const FEW: usize = 24;

    /// The ordinal of the next occurrence of what `key` is about, from 1.
    pub(crate) fn next(&mut self, key: &Key, visible: bool) -> u32 {
        let count = self.count_of(key);
        *count += 1;
        let count = *count;
        if visible {
            let word = mix(&[key.thing(), count.into()]);
            self.visible = self.visible.wrapping_add(word);
        }
        count
    }

    fn count_of(&mut self, key: &Key) -> &mut u32 {
        if self.many.is_empty() {
            if let Some(index) = self.few.iter().position(|other| key.is_like(other)) {
                return &mut self.few[index].ordinal;
            }
            if self.few.len() < Ordinals::FEW {
                self.few.push(Key { ordinal: 0, ..*key });
                let last = self.few.last_mut().expect("one was pushed");
                return &mut last.ordinal;
            }
            for key in self.few.drain(..) {
                self.many.insert(key.thing(), key.ordinal);
            }
        }
        self.many.or_insert_with(key.thing(), || 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_text_has_the_key_s_word() {
        let mut names = Names::new();
        let key = Key {
            site: "sched",
            entity: names.name("builder/child-1"),
            verb: "open",
            object: names.name("~/.config/go/env"),
            ordinal: 2,
        };
        let text = key.text(&names);
        assert_eq!(text.word(), key.word());
        assert_eq!(
            text.to_string(),
            "sched at builder/child-1, before \"open ~/.config/go/env\", time 2"
        );
        let bare = Key {
            verb: "",
            object: Key::NO_OBJECT,
            ..key
        };
        assert_eq!(bare.text(&names).word(), bare.word());
    }

    #[test]
    fn ordinals_count_each_thing_whether_few_or_many() {
        let mut ordinals = Ordinals::default();
        for round in 1..=3 {
            for entity in 0..100 {
                let key = Key {
                    site: "x",
                    entity: Entity(entity),
                    verb: "",
                    object: Key::NO_OBJECT,
                    ordinal: 0,
                };
                assert_eq!(ordinals.next(&key, false), round);
            }
        }
    }

    #[test]
    fn weights_are_kept() {
        let options = Options::texts(&["a", "b", "c"]).weighed(&[1, 0, 3]);
        let mut hits = [0u32; 3];
        for n in 0..4000 {
            hits[options.weigh(mix(&[n])) as usize] += 1;
        }
        assert_eq!(hits[1], 0);
        assert!((900..1100).contains(&hits[0]), "{hits:?}");

        let once = Options {
            weights: Weights::OnceIn(8),
            ..Options::texts(&["go on", "x", "y"])
        };
        let away = (0..8000).filter(|n| once.weigh(mix(&[*n])) != 0).count();
        assert!((900..1100).contains(&away), "{away}");
    }

    #[test]
    fn numbers_are_found_by_label() {
        let options = Options::numbers(10, 19);
        let names = Names::new();
        assert_eq!(options.find("19", &names), Some(9));
        assert_eq!(options.find("20", &names), None);
        assert_eq!(options.find("9", &names), None);
        assert_eq!(options.label(3, &names), "13");
    }
}
