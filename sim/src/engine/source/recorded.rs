//! A list of named choices; all others fall back to another source.

use crate::engine::choice::{Choice, Key, Options, Source};
use crate::engine::entity::Names;
use crate::engine::hash::LookupMap;

/// Replays a list by key and label. A choice that is not in the list, or whose label no option has
/// any more, falls back; what was not used is listed by [`Recorded::unmatched`].
#[derive(Clone, Debug)]
pub struct Recorded<S> {
    choices: Vec<Choice>,
    by_key: LookupMap<u64, usize>,
    matched: Vec<bool>,
    fallback: S,
}

impl<S: Source> Recorded<S> {
    /// Replays `choices` over `fallback`.
    pub fn new(choices: Vec<Choice>, fallback: S) -> Recorded<S> {
        let mut by_key = LookupMap::default();
        for (index, choice) in choices.iter().enumerate() {
            by_key.insert(choice.key.word(), index);
        }
        Recorded {
            matched: vec![false; choices.len()],
            by_key,
            choices,
            fallback,
        }
    }

    /// The recorded choices that met no choice of the run, or no option of their label.
    pub fn unmatched(&self) -> impl Iterator<Item = &Choice> {
        self.choices
            .iter()
            .zip(&self.matched)
            .filter(|(_, matched)| !**matched)
            .map(|(c, _)| c)
    }
}

impl<S: Source> Source for Recorded<S> {
    fn choose(&mut self, key: &Key, options: &Options<'_>, names: &Names) -> u64 {
        if let Some(index) = self.by_key.get(&key.word()).copied()
            && let Some(option) = options.find(&self.choices[index].take, names)
        {
            self.matched[index] = true;
            return option;
        }
        self.fallback.choose(key, options, names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::source::Defaults;

    #[test]
    fn unmatched_choices_fall_back_and_are_listed() {
        let mut names = Names::new();
        let key = Key {
            site: "fault",
            entity: names.name("a"),
            verb: "disk-full",
            object: Key::NO_OBJECT,
            ordinal: 1,
        };
        let choice = |nth, take: &str| Choice {
            key: Key {
                ordinal: nth,
                ..key
            }
            .text(&names),
            take: take.into(),
        };
        let list = vec![choice(1, "yes"), choice(2, "perhaps"), choice(3, "yes")];
        let mut recorded = Recorded::new(list.clone(), Defaults);
        let options = Options::texts(&["no", "yes"]);
        assert_eq!(recorded.choose(&key, &options, &names), 1);
        assert_eq!(
            recorded.choose(&Key { ordinal: 2, ..key }, &options, &names),
            0
        );
        let unmatched: Vec<&Choice> = recorded.unmatched().collect();
        assert_eq!(unmatched, [&list[1], &list[2]]);
    }
}
