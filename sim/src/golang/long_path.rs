//! What Go's `os` makes of long paths on Windows, and where `go` keeps modules.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | an absolute path of 248 bytes or more gets `\\?\` before it, `.` and empty elements dropped; UNC, relative paths and those with `..` stay as they are | `fixLongPath` of src/os/path_windows.go, up to Go 1.20 | yes |
//! | before Go 1.8 nothing of that | golang issues 3358, 18283 | yes |
//! | GOMODCACHE from Go 1.15; else `pkg\mod` below the first element of GOPATH | Go 1.15 release notes, cmd/go/internal/modload | yes |
//! | GOPATH is `%USERPROFILE%\go` if it is not set | Go 1.8 release notes | yes |
//! | no module cache before Go 1.11 | Go 1.11 release notes | yes |

use super::Release;

/// `os.fixLongPath`: the path that a program built with this release hands to Windows 7.
///
/// ```
/// use faultlab_sim::golang::{Release, long_path::fix_long_path};
///
/// let long = format!("C:\\{}", "g".repeat(245));
/// assert_eq!(fix_long_path(Release(1, 15, 15), &long), format!("\\\\?\\{long}"));
/// assert_eq!(fix_long_path(Release(1, 7, 6), &long), long);
/// assert_eq!(fix_long_path(Release(1, 15, 15), &long[..247]), &long[..247]);
/// ```
pub fn fix_long_path(release: Release, path: &str) -> String {
    const LEAST: usize = 248;
    if release < Release(1, 8, 0) || path.len() < LEAST || !is_absolute(path) {
        return path.to_owned();
    }
    let mut fixed = String::from("\\\\?");
    for element in path.split(['\\', '/']) {
        match element {
            "" | "." => {}
            ".." => return path.to_owned(),
            element => {
                fixed.push('\\');
                fixed.push_str(element);
            }
        }
    }
    fixed
}

/// Whether it begins with a drive and a separator. (A share is absolute for Go too, and stays as it is.)
fn is_absolute(path: &str) -> bool {
    let bytes = path.as_bytes();
    matches!(bytes, [drive, b':', b'\\' | b'/', ..] if drive.is_ascii_alphabetic())
}

/// The directory in which `go` of this release keeps modules, by its variables.
///
/// # Errors
/// What is not so: a release without modules, or nothing that says where.
pub fn module_cache(
    release: Release,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    if release < Release(1, 11, 0) {
        return Err("Go before 1.11 has no module cache".into());
    }
    let set = |name: &str| variable(name).filter(|text| !text.is_empty());
    if let Some(cache) = set("GOMODCACHE").filter(|_| release >= Release(1, 15, 0)) {
        return Ok(cache);
    }
    let home = || Some(format!("{}\\go", set("USERPROFILE")?));
    let gopath = set("GOPATH")
        .and_then(|list| Some(list.split(';').find(|entry| !entry.is_empty())?.to_owned()));
    match gopath.or_else(home) {
        Some(gopath) => Ok(format!("{}\\pkg\\mod", gopath.trim_end_matches('\\'))),
        None => Err("Go finds neither GOMODCACHE nor GOPATH nor USERPROFILE".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Release = Release(1, 15, 15);

    #[test]
    fn what_is_fixed_and_what_is_not() {
        let tail = "d\\".repeat(130) + "f";
        for (path, fixed) in [
            (format!("C:\\{tail}"), format!("\\\\?\\C:\\{tail}")),
            (
                format!("c:/{}", tail.replace('\\', "/")),
                format!("\\\\?\\c:\\{tail}"),
            ),
            (format!("C:\\.\\\\{tail}"), format!("\\\\?\\C:\\{tail}")),
        ] {
            assert_eq!(fix_long_path(OLD, &path), fixed);
        }
        for path in [
            tail.clone(),
            format!("C:{tail}"),
            format!("\\{tail}"),
            format!("\\\\server\\share\\{tail}"),
            format!("\\\\?\\C:\\{tail}"),
            format!("C:\\..\\{tail}"),
            "C:\\short".into(),
        ] {
            assert_eq!(fix_long_path(OLD, &path), path);
        }
        // Bytes count, not UTF-16 units: 中 has three.
        let wide = format!("C:\\{}", "中".repeat(82));
        assert!(fix_long_path(OLD, &wide).starts_with("\\\\?\\"));
    }

    #[test]
    fn where_modules_are_kept() {
        let at = |release, variables: &[(&str, &str)]| {
            module_cache(release, |name| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, text)| (*text).to_owned())
            })
        };
        let home = ("USERPROFILE", "C:\\Users\\a");
        let all = [home, ("GOPATH", "C:\\g;D:\\h"), ("GOMODCACHE", "C:\\m")];
        assert_eq!(at(OLD, &all).as_deref(), Ok("C:\\m"));
        assert_eq!(
            at(Release(1, 14, 0), &all).as_deref(),
            Ok("C:\\g\\pkg\\mod")
        );
        assert_eq!(
            at(OLD, &[home]).as_deref(),
            Ok("C:\\Users\\a\\go\\pkg\\mod")
        );
        assert!(at(OLD, &[("GOPATH", "")]).is_err());
        assert!(at(Release(1, 10, 0), &all).is_err());
    }
}
