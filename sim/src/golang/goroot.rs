//! Where `go` takes its GOROOT from: `findGOROOT` of cmd/go/internal/cfg, for paths of both systems.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | the variable (or the settings file), cleaned; then `..\..` of the executable if `pkg\tool` is there; then the same of what a symbolic link leads to; then what was built in | cmd/go/internal/cfg/cfg.go, Go 1.19 | yes |
//! | if the tree found is the built-in one, the built-in spelling is kept (`c:\go`) | the same | yes |
//! | what was found is not looked at again until `main` asks whether it is a directory: exit 2 | cmd/go/main.go, Go 1.19 | yes |
//! | before Go 1.9 the executable's place did not count | Go 1.9 release notes | yes |
//! | an empty built-in root (`-trimpath`) | Go 1.19; earlier releases would take `.` | no: before 1.19 |

use super::Release;

/// The system whose paths are meant.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Paths {
    /// `/usr/local/go`.
    Unix,
    /// `C:\Go`, `\\server\share\go`; case does not count.
    Windows,
}

/// What `findGOROOT` is told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Question<'a> {
    /// Whose paths these are.
    pub paths: Paths,
    /// The release of `go`.
    pub release: Release,
    /// GOROOT, from the environment or the settings file; empty means unset.
    pub variable: &'a str,
    /// The full path of the running `go`.
    pub executable: &'a str,
    /// Where a symbolic link at that path leads, if there is one.
    pub target: Option<&'a str>,
    /// The root that was built in (`runtime.GOROOT()` without a variable).
    pub baked: &'a str,
}

/// The GOROOT that `go` believes in. `is_root` says whether a directory has `pkg/tool`; it may fail in a way
/// of its own (a system call may have to wait).
///
/// # Errors
/// Whatever `is_root` fails with.
///
/// ```
/// use faultlab_sim::golang::{Release, goroot::{Paths, Question, find}};
///
/// let question = Question {
///     paths: Paths::Windows,
///     release: Release::of("1.15.15").unwrap(),
///     variable: "",
///     executable: "D:\\tools\\go.exe",
///     target: None,
///     baked: "c:\\go",
/// };
/// let root = find::<()>(&question, &mut |directory| Ok(directory == "C:\\Go"));
/// assert_eq!(root, Ok("c:\\go".into()), "a copied go.exe falls back to what was built in");
/// ```
pub fn find<E>(
    question: &Question<'_>,
    is_root: &mut dyn FnMut(&str) -> Result<bool, E>,
) -> Result<String, E> {
    let paths = question.paths;
    if !question.variable.is_empty() {
        return Ok(paths.clean(question.variable));
    }
    let baked = match question.baked {
        "" => String::new(),
        root => paths.clean(root),
    };
    if question.release < Release(1, 9, 0) {
        return Ok(baked);
    }
    for executable in [Some(question.executable), question.target]
        .into_iter()
        .flatten()
    {
        let tree = paths.clean(&format!("{executable}/../.."));
        if is_root(&tree)? {
            return Ok(if paths.same(&tree, &baked) {
                baked
            } else {
                tree
            });
        }
    }
    Ok(baked)
}

/// What `go` says when its GOROOT is no directory, behind `go: `. It ends with 2.
pub fn cannot_find(root: &str) -> String {
    match root {
        "" => "cannot find GOROOT directory: 'go' binary is trimmed and GOROOT is not set".into(),
        root => format!("cannot find GOROOT directory: {root}"),
    }
}

impl Paths {
    fn is_separator(self, c: char) -> bool {
        c == '/' || self == Paths::Windows && c == '\\'
    }

    /// The length of the volume name: `C:`, or `\\server\share`.
    fn volume(self, path: &str) -> usize {
        if self == Paths::Unix {
            return 0;
        }
        let bytes = path.as_bytes();
        if let [letter, b':', ..] = bytes
            && letter.is_ascii_alphabetic()
        {
            return 2;
        }
        let separator = |at: usize| bytes.get(at).is_some_and(|b| matches!(b, b'\\' | b'/'));
        let named = |at: usize| {
            bytes
                .get(at)
                .is_some_and(|b| !matches!(b, b'\\' | b'/' | b'.'))
        };
        if !(separator(0) && separator(1) && named(2)) {
            return 0;
        }
        let Some(server) = (3..bytes.len()).find(|&at| separator(at)) else {
            return 0;
        };
        if !named(server + 1) {
            return 0;
        }
        (server + 2..bytes.len())
            .find(|&at| separator(at))
            .unwrap_or(bytes.len())
    }

    /// `filepath.Clean`: the shortest path that means the same, by its text alone.
    pub fn clean(self, path: &str) -> String {
        let (volume, rest) = path.split_at(self.volume(path));
        let own = if self == Paths::Windows { '\\' } else { '/' };
        let volume = volume.replace(|c| self.is_separator(c), &own.to_string());
        if rest.is_empty() {
            // `\\server\share` stands for itself, `C:` for the working directory there.
            let dot = if volume.starts_with(own) { "" } else { "." };
            return format!("{volume}{dot}");
        }
        let rooted = rest.starts_with(|c| self.is_separator(c));
        let mut parts: Vec<&str> = Vec::new();
        for part in rest.split(|c| self.is_separator(c)) {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
                ".." if rooted => {}
                part => parts.push(part),
            }
        }
        let root = if rooted {
            own.to_string()
        } else {
            String::new()
        };
        let cleaned = format!("{root}{}", parts.join(&own.to_string()));
        format!(
            "{volume}{}",
            if cleaned.is_empty() { "." } else { &cleaned }
        )
    }

    /// Whether two paths are one, by their text.
    pub fn same(self, one: &str, other: &str) -> bool {
        match self {
            Paths::Unix => one == other,
            Paths::Windows => {
                let upcase = |path: &str| crate::win7::text::Wide::from(path).to_upcase();
                upcase(one) == upcase(other)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_is_that_of_the_library() {
        // From the tables of path/filepath's tests.
        let windows = [
            ("C:\\Go\\", "C:\\Go"),
            ("C:\\x\\..\\Go\\.", "C:\\Go"),
            ("c:/go/bin/..", "c:\\go"),
            ("Go", "Go"),
            ("", "."),
            ("c:", "c:."),
            ("c:\\", "c:\\"),
            ("c:abc\\..\\..\\.\\.\\..\\def", "c:..\\..\\def"),
            ("c:\\abc\\def\\..\\..", "c:\\"),
            ("c:\\..\\abc", "c:\\abc"),
            ("c:..\\abc", "c:..\\abc"),
            ("\\\\i\\..\\c$", "\\c$"),
            ("\\\\i\\j\\..\\k", "\\\\i\\j\\k"),
            ("//host/share/foo/../baz", "\\\\host\\share\\baz"),
            ("\\", "\\"),
            ("\"C:\\Go\"", "\"C:\\Go\""),
        ];
        for (path, cleaned) in windows {
            assert_eq!(Paths::Windows.clean(path), cleaned, "{path}");
        }
        for (path, cleaned) in [
            ("/a//b/../c/", "/a/c"),
            ("../../x", "../../x"),
            ("/..", "/"),
            ("a\\b", "a\\b"),
        ] {
            assert_eq!(Paths::Unix.clean(path), cleaned, "{path}");
        }
    }

    #[test]
    fn each_place_is_asked_in_turn() {
        let roots = ["C:\\Go", "C:\\opt\\go"];
        let ask = |executable, target, variable| {
            let release = Release(1, 19, 8);
            let paths = Paths::Windows;
            let question = Question {
                paths,
                release,
                variable,
                executable,
                target,
                baked: "c:\\go",
            };
            let is_root = |directory: &str| roots.iter().any(|root| paths.same(root, directory));
            find::<()>(&question, &mut |directory| Ok(is_root(directory))).expect("it cannot fail")
        };
        assert_eq!(
            ask("C:\\Go\\bin\\go.exe", None, ""),
            "c:\\go",
            "the spelling that was built in"
        );
        assert_eq!(ask("C:\\opt\\go\\bin\\go.exe", None, ""), "C:\\opt\\go");
        assert_eq!(
            ask("C:\\bin\\go.exe", Some("C:\\opt\\go\\bin\\go.exe"), ""),
            "C:\\opt\\go"
        );
        assert_eq!(ask("C:\\bin\\go.exe", Some("C:\\x\\go.exe"), ""), "c:\\go");
        assert_eq!(ask("C:\\opt\\go\\bin\\go.exe", None, "D:/old/"), "D:\\old");
    }
}
