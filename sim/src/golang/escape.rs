//! How module paths and versions are spelled as file names: `module.EscapePath` and `EscapeVersion` of
//! golang.org/x/mod, as Go 1.19 has it. Sure, save that older releases let some more paths through.
//!
//! File systems that fold case must not confuse two modules: each capital becomes `!` and its small letter.

use super::unicode::quote_char;
use super::unicode::{is_letter, quote};

/// Names of devices, which Windows keeps for itself with any extension.
const DEVICES: &[&str] = &[
    "CON", "PRN", "AUX", "NUL", "COM1", "COM2", "COM3", "COM4", "COM5", "COM6", "COM7", "COM8",
    "COM9", "LPT1", "LPT2", "LPT3", "LPT4", "LPT5", "LPT6", "LPT7", "LPT8", "LPT9",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Module,
    File,
}

/// `module.EscapePath`: the folder of a module below `cache/download` and `pkg/mod`.
///
/// # Errors
/// What `module.CheckPath` says of a path that no module may have.
///
/// ```
/// use faultlab_sim::golang::escape::escape_path;
///
/// assert_eq!(escape_path("github.com/BurntSushi/toml").unwrap(), "github.com/!burnt!sushi/toml");
/// assert!(escape_path("github.com/a b/c").is_err());
/// ```
pub fn escape_path(path: &str) -> Result<String, String> {
    let malformed = |what: String| format!("malformed module path {}: {what}", quote(path));
    check_path(path).map_err(malformed)?;
    Ok(escape(path))
}

/// `module.EscapeVersion`: the part of a file name that stands for a version.
///
/// # Errors
/// What it says of a text that no version may be.
pub fn escape_version(version: &str) -> Result<String, String> {
    let disallowed = || {
        format!(
            "version {} invalid: disallowed version string",
            quote(version)
        )
    };
    if check_element(version, Kind::File).is_err() || version.contains('!') {
        return Err(disallowed());
    }
    if !version.is_ascii() {
        return Err("internal error: inconsistency in EscapePath".into());
    }
    Ok(escape(version))
}

/// `module.UnescapePath`.
///
/// # Errors
/// What it says of a text that `escape_path` would not have written.
pub fn unescape_path(escaped: &str) -> Result<String, String> {
    let invalid = || format!("invalid escaped module path {}", quote(escaped));
    let path = unescape(escaped).ok_or_else(invalid)?;
    let check =
        check_path(&path).map_err(|what| format!("malformed module path {}: {what}", quote(&path)));
    check.map_err(|what| format!("{}: {what}", invalid()))?;
    Ok(path)
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_ascii_uppercase() {
            escaped.push('!');
        }
        escaped.push(c.to_ascii_lowercase());
    }
    escaped
}

fn unescape(escaped: &str) -> Option<String> {
    let (mut text, mut chars) = (String::new(), escaped.chars());
    while let Some(c) = chars.next() {
        match c {
            '!' => match chars.next() {
                Some(letter @ 'a'..='z') => text.push(letter.to_ascii_uppercase()),
                _ => return None,
            },
            'A'..='Z' | '\u{80}'.. => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

/// `module.CheckPath`, without the frame of its message.
fn check_path(path: &str) -> Result<(), String> {
    if path.is_empty() {
        return Err("empty string".into());
    }
    if path.starts_with('-') {
        return Err("leading dash".into());
    }
    if path.contains("//") {
        return Err("double slash".into());
    }
    if path.ends_with('/') {
        return Err("trailing slash".into());
    }
    for element in path.split('/') {
        check_element(element, Kind::Module)?;
    }
    let first = path.split('/').next().unwrap_or_default();
    if first.is_empty() {
        return Err("leading slash".into());
    }
    if !first.contains('.') {
        return Err("missing dot in first path element".into());
    }
    let odd = |c: &char| !matches!(c, '-' | '.' | '0'..='9' | 'a'..='z');
    if let Some(c) = first.chars().find(odd) {
        return Err(format!(
            "invalid char {} in first path element",
            quote_char(c)
        ));
    }
    if !has_good_version(path) {
        return Err("invalid version".into());
    }
    Ok(())
}

fn check_element(element: &str, kind: Kind) -> Result<(), String> {
    if element.is_empty() {
        return Err("empty path element".into());
    }
    if element.chars().all(|c| c == '.') {
        return Err(format!("invalid path element {}", quote(element)));
    }
    if kind == Kind::Module && element.starts_with('.') {
        return Err("leading dot in path element".into());
    }
    if element.ends_with('.') {
        return Err("trailing dot in path element".into());
    }
    let allowed = |c: char| match kind {
        Kind::Module => c.is_ascii_alphanumeric() || "-._~".contains(c),
        Kind::File if c.is_ascii() => {
            c.is_ascii_alphanumeric() || "!#$%&()+,-.=@[]^_{}~ ".contains(c)
        }
        Kind::File => is_letter(c),
    };
    if let Some(c) = element.chars().find(|c| !allowed(*c)) {
        return Err(format!("invalid char {}", quote_char(c)));
    }
    let short = element.split('.').next().unwrap_or_default();
    if DEVICES
        .iter()
        .any(|device| device.eq_ignore_ascii_case(short))
    {
        return Err(format!(
            "{} disallowed as path element component on Windows",
            quote(short)
        ));
    }
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if kind == Kind::Module && short.rsplit_once('~').is_some_and(|(_, end)| digits(end)) {
        return Err("trailing tilde and digits in path element".into());
    }
    Ok(())
}

/// `module.SplitPathVersion`: whether the path's major version, if it names one, is written well.
fn has_good_version(path: &str) -> bool {
    if path.starts_with("gopkg.in/") {
        let path = path.strip_suffix("-unstable").unwrap_or(path);
        let start = path.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &path[start.len()..];
        let zero = number.starts_with('0') && number != "0";
        return start.ends_with(".v") && start.len() > 2 && !number.is_empty() && !zero;
    }
    let start = path.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let number = &path[start.len()..];
    if number.is_empty() || !start.ends_with("/v") {
        return true;
    }
    !(number.contains('.') || number.starts_with('0') || number == "1")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the tables of x/mod's tests.
    #[test]
    fn paths_are_checked() {
        let good = [
            "x.y/z",
            "x.y/v2",
            "x.y/v20",
            "x.y/v1.x",
            "x.y/v",
            "gopkg.in/yaml.v2",
            "gopkg.in/yaml.v0",
            "gopkg.in/yaml.v2-unstable",
            "github.com/!x",
            "github.com/rsc/X~Y",
            "0.x/y",
        ];
        for path in good.iter().filter(|path| !path.contains('!')) {
            assert!(escape_path(path).is_ok(), "{path}: {:?}", escape_path(path));
        }
        let bad = [
            ("", "empty string"),
            ("x", "missing dot in first path element"),
            ("/x.y/z", "empty path element"),
            ("x.y/z/", "trailing slash"),
            ("x.y//z", "double slash"),
            ("-x.y/z", "leading dash"),
            ("x.y/z./w", "trailing dot in path element"),
            ("x.y/.z", "leading dot in path element"),
            ("x.y/../z", "invalid path element \"..\""),
            ("X.y/z", "invalid char 'X' in first path element"),
            ("github.com/!x", "invalid char '!'"),
            (
                "x.y/aux.c",
                "\"aux\" disallowed as path element component on Windows",
            ),
            (
                "x.y/COM1",
                "\"COM1\" disallowed as path element component on Windows",
            ),
            ("x.y/foo~1", "trailing tilde and digits in path element"),
            ("x.y/v0", "invalid version"),
            ("x.y/v1", "invalid version"),
            ("x.y/v2.1", "invalid version"),
            ("gopkg.in/yaml", "invalid version"),
            ("gopkg.in/yaml.v02", "invalid version"),
            ("github.com/测试/c", "invalid char '测'"),
        ];
        for (path, what) in bad {
            let message = format!("malformed module path {}: {what}", quote(path));
            assert_eq!(escape_path(path), Err(message), "{path}");
        }
    }

    #[test]
    fn versions_are_checked() {
        assert_eq!(escape_version("v1.0.0-RC1").as_deref(), Ok("v1.0.0-!r!c1"));
        assert_eq!(
            escape_version("v0.0.0-20190101000000-abcdef").as_deref(),
            Ok("v0.0.0-20190101000000-abcdef")
        );
        for version in ["", "v1/2", "v1!", ".", "v1:", "nul"] {
            assert!(escape_version(version).is_err(), "{version}");
        }
    }

    proptest! {
        #[test]
        fn what_escapes_comes_back(path in "[a-z]{1,3}\\.[a-z]{2}(/[A-Za-z0-9_.~-]{1,8}){0,3}") {
            if let Ok(escaped) = escape_path(&path) {
                prop_assert!(!escaped.chars().any(|c| c.is_ascii_uppercase()));
                prop_assert_eq!(unescape_path(&escaped), Ok(path));
            }
        }

        #[test]
        fn any_text_is_judged(text in "\\PC*") {
            let _ = (escape_path(&text), escape_version(&text), unescape_path(&text));
        }
    }
}
