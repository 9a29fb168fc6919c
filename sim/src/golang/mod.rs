//! What the Go toolchain does that one can observe: where it takes its GOROOT from, which tools it
//! starts, what they say when they do not belong together, how it spells modules as files and where it
//! keeps them, what it makes of long paths, and what of the bytes of a source file.

pub mod escape;
pub mod goroot;
pub mod long_path;
pub mod source;
pub mod toolchain;
mod unicode;
pub mod windows;

/// The version of this family's models: it moves when a trace of theirs does.
pub const VERSION: u32 = 1;

/// A release of Go: major, minor, patch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Release(pub u32, pub u32, pub u32);

impl Release {
    /// The release that a text names: `1.15`, `1.15.15`, `go1.19.8`.
    pub fn of(text: &str) -> Option<Release> {
        let mut numbers = text
            .strip_prefix("go")
            .unwrap_or(text)
            .splitn(3, '.')
            .map(str::parse);
        let major = numbers.next()?.ok()?;
        let minor = numbers.next()?.ok()?;
        match numbers.next() {
            None => Some(Release(major, minor, 0)),
            Some(patch) => Some(Release(major, minor, patch.ok()?)),
        }
    }
}
