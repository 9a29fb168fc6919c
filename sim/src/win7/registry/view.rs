//! The two views of WOW64: which keys a 32-bit caller finds elsewhere. The table is data, `wow64.ron`.

use serde::Deserialize;

use super::name::{SEPARATOR, fold_all, units};
use super::path::{KeyPath, Root};

const TABLE: &str = include_str!("wow64.ron");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    keys: Vec<Row>,
    links: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    key: String,
    #[serde(default)]
    to: Option<String>,
}

/// The table, ready for use.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Views {
    /// Below HKLM: folded places, each with where 32-bit callers find it if that is elsewhere. The longest
    /// come first.
    machine: Vec<(Vec<u16>, Option<Vec<u16>>)>,
    /// Below a user's classes: the same, without the classes' own path. Only what lies elsewhere.
    classes: Vec<(Vec<u16>, Vec<u16>)>,
    node: Vec<u16>,
    software: Vec<u16>,
}

/// The links that the documentation lists: where they are, and where to.
pub fn documented_links() -> Vec<(KeyPath, KeyPath)> {
    let links = table().links.into_iter();
    links
        .map(|row| {
            let to = row.to.expect("a link leads somewhere");
            (KeyPath::from(&*row.key), KeyPath::from(&*to))
        })
        .collect()
}

/// The keys that 32-bit callers find elsewhere on Windows 7, and those below them that they share: each
/// with where it lies, or `None` if it is shared.
pub fn documented_keys() -> Vec<(KeyPath, Option<KeyPath>)> {
    let keys = table().keys.into_iter();
    keys.map(|row| {
        (
            KeyPath::from(&*row.key),
            row.to.map(|to| KeyPath::from(&*to)),
        )
    })
    .collect()
}

fn table() -> Table {
    ron::Options::default()
        .with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME)
        .from_str(TABLE)
        .expect("the table in the source is well-formed")
}

impl Views {
    pub(super) fn windows_7() -> Views {
        let mut views = Views {
            machine: Vec::new(),
            classes: Vec::new(),
            node: units("WOW6432NODE"),
            software: units("MACHINE\\SOFTWARE"),
        };
        let user_classes = fold_all(&units("Software\\Classes\\"));
        for (key, to) in documented_keys() {
            let place = |path: &KeyPath| joined(&units("MACHINE"), &path.sub);
            match key.root {
                Root::LocalMachine => {
                    let to = to.as_ref().map(place);
                    views.machine.push((fold_all(&place(&key)), to));
                }
                _ => {
                    let Some(to) = to else { continue };
                    let below = |path: &KeyPath| path.sub[user_classes.len()..].to_vec();
                    views.classes.push((fold_all(&below(&key)), below(&to)));
                }
            }
        }
        views
            .machine
            .sort_by_key(|(key, _)| std::cmp::Reverse(key.len()));
        views
    }

    /// Where a path from a root leads a 32-bit caller. A path that names Wow6432Node leads where it says.
    pub(super) fn of_32_bit(&self, text: Vec<u16>) -> Vec<u16> {
        let folded = fold_all(&text);
        match self.node_in(&folded) {
            Some(_) => text,
            None => self
                .rule(&folded, 0)
                .map_or_else(|| text.clone(), |rule| rule.apply(&text)),
        }
    }

    /// Where a path relative to an open key leads. From a key that is below a Wow6432Node there is no way
    /// out, whatever view is asked for, except to keys that both views share.
    pub(super) fn relative(&self, base: &[u16], sub: &[u16], in_32: bool) -> Vec<u16> {
        let text = joined(base, sub);
        let Some(node) = self.node_in(base) else {
            return if in_32 { self.of_32_bit(text) } else { text };
        };
        // The same path as it would be without the node.
        let without = |path: &[u16]| {
            let mut path = path.to_vec();
            path.drain(node..(node + self.node.len() + 1).min(path.len()));
            path
        };
        let logical = joined(
            without(base)
                .strip_suffix(&[SEPARATOR])
                .unwrap_or(&without(base)),
            sub,
        );
        let folded = fold_all(&logical);
        if self.node_in(&folded).is_some() {
            return text;
        }
        let base_len = base.len() - self.node.len() - 1;
        self.rule(&folded, base_len)
            .map_or(text, |rule| rule.apply(&logical))
    }

    /// Where the component Wow6432Node begins that makes this place one of the 32-bit side.
    fn node_in(&self, folded: &[u16]) -> Option<usize> {
        let roots = [
            class_root(folded),
            is_below(folded, &self.software).then_some(self.software.len()),
        ];
        roots.into_iter().flatten().find_map(|root| {
            let rest = folded.get(root + 1..)?;
            let is_node = rest == self.node || is_below(rest, &joined(&self.node, &[]));
            is_node.then_some(root + 1)
        })
    }

    /// The nearest row for a place, if it is deeper than `deeper_than` units and the place lies elsewhere
    /// or the row ends what lies elsewhere.
    fn rule(&self, folded: &[u16], deeper_than: usize) -> Option<Rule<'_>> {
        if is_below(folded, &self.software) {
            let (key, to) = self.machine.iter().find(|(key, _)| is_below(folded, key))?;
            let rule = Rule {
                begin: 0,
                end: key.len(),
                to: to.as_deref(),
            };
            return (key.len() > deeper_than).then_some(rule);
        }
        let root = class_root(folded)?;
        let rest = folded.get(root + 1..)?;
        let (key, to) = self.classes.iter().find(|(key, _)| is_below(rest, key))?;
        let end = root + 1 + key.len();
        (end > deeper_than).then_some(Rule {
            begin: root + 1,
            end,
            to: Some(to),
        })
    }
}

struct Rule<'a> {
    begin: usize,
    end: usize,
    to: Option<&'a [u16]>,
}

impl Rule<'_> {
    fn apply(&self, text: &[u16]) -> Vec<u16> {
        match self.to {
            None => text.to_vec(),
            Some(to) => [&text[..self.begin], to, &text[self.end..]].concat(),
        }
    }
}

/// The length of the path of classes that a place lies in: of the machine, or of any user.
fn class_root(folded: &[u16]) -> Option<usize> {
    let machine = units("MACHINE\\SOFTWARE\\CLASSES");
    if is_below(folded, &machine) {
        return Some(machine.len());
    }
    let user = folded.strip_prefix(&*units("USER\\"))?;
    let (hive, rest) = super::key::split(user);
    let hive_end = folded.len() - user.len() + hive.len();
    if hive.ends_with(&units("_CLASSES")) {
        return Some(hive_end);
    }
    let classes = units("SOFTWARE\\CLASSES");
    is_below(rest, &classes).then_some(hive_end + 1 + classes.len())
}

/// Whether `place` is `key` or below it; both folded.
pub(super) fn is_below(place: &[u16], key: &[u16]) -> bool {
    place.starts_with(key) && place.get(key.len()).is_none_or(|unit| *unit == SEPARATOR)
}

/// Two paths with a backslash between.
pub(super) fn joined(base: &[u16], sub: &[u16]) -> Vec<u16> {
    let mut path = Vec::with_capacity(base.len() + 1 + sub.len());
    path.extend_from_slice(base);
    if !sub.is_empty() {
        if !base.is_empty() {
            path.push(SEPARATOR);
        }
        path.extend_from_slice(sub);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> String {
        String::from_utf16_lossy(&Views::windows_7().of_32_bit(units(text)))
    }

    #[test]
    fn the_nearest_row_decides() {
        for (text, place) in [
            ("MACHINE\\Software", "MACHINE\\SOFTWARE\\Wow6432Node"),
            ("MACHINE\\Software\\x", "MACHINE\\SOFTWARE\\Wow6432Node\\x"),
            ("MACHINE\\SoftwareX\\x", "MACHINE\\SoftwareX\\x"),
            (
                "MACHINE\\SOFTWARE\\Classes\\.txt",
                "MACHINE\\SOFTWARE\\Classes\\.txt",
            ),
            (
                "MACHINE\\software\\classes\\clsid\\{F}",
                "MACHINE\\SOFTWARE\\Classes\\Wow6432Node\\CLSID\\{F}",
            ),
            (
                "MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Fonts\\x",
                "MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Fonts\\x",
            ),
            (
                "MACHINE\\SOFTWARE\\Wow6432Node\\x",
                "MACHINE\\SOFTWARE\\Wow6432Node\\x",
            ),
            ("MACHINE\\SYSTEM\\x", "MACHINE\\SYSTEM\\x"),
            ("USER\\S-1\\Software\\x", "USER\\S-1\\Software\\x"),
            (
                "USER\\S-1\\Software\\Classes\\Interface\\x",
                "USER\\S-1\\Software\\Classes\\Wow6432Node\\Interface\\x",
            ),
            (
                "USER\\S-1_Classes\\CLSID",
                "USER\\S-1_Classes\\Wow6432Node\\CLSID",
            ),
            ("USER\\S-1_Classes\\CLSIDx", "USER\\S-1_Classes\\CLSIDx"),
        ] {
            assert_eq!(seen(text), place, "{text}");
        }
    }

    #[test]
    fn from_the_32_bit_side_only_shared_keys_lead_out() {
        let views = Views::windows_7();
        let relative = |base: &str, sub: &str, in_32| {
            let text = views.relative(&units(base), &units(sub), in_32);
            String::from_utf16_lossy(&text).to_uppercase()
        };
        let node = "MACHINE\\SOFTWARE\\WOW6432NODE";
        for in_32 in [true, false] {
            assert_eq!(relative(node, "Wine", in_32), format!("{node}\\WINE"));
            assert_eq!(
                relative(node, "Wow6432Node\\x", in_32),
                format!("{node}\\WOW6432NODE\\X")
            );
            assert_eq!(
                relative(node, "Policies\\x", in_32),
                "MACHINE\\SOFTWARE\\POLICIES\\X"
            );
            let windows = format!("{node}\\MICROSOFT\\WINDOWS");
            assert_eq!(
                relative(&windows, "CurrentVersion\\App Paths", in_32),
                "MACHINE\\SOFTWARE\\MICROSOFT\\WINDOWS\\CURRENTVERSION\\APP PATHS"
            );
        }
        assert_eq!(
            relative("MACHINE\\SOFTWARE", "Wine", false),
            "MACHINE\\SOFTWARE\\WINE"
        );
        assert_eq!(
            relative("MACHINE\\SOFTWARE", "Wine", true),
            format!("{node}\\WINE")
        );
        assert_eq!(
            relative("MACHINE\\SOFTWARE\\WINE", "x", true),
            format!("{node}\\WINE\\X")
        );
    }
}
