//! Paths as far as searching needs them.

/// The full path of a path: GetFullPathName for drives and rooted paths. `.` and `..` are taken out,
/// slashes turned, a dot at the end of a directory and dots and blanks at the end of the whole dropped.
/// A path relative to another drive is taken from that drive's root (no hidden `=D:` variable is asked).
pub fn full_path(directory: &str, path: &str) -> String {
    let turned = path.replace('/', "\\");
    if turned.starts_with("\\\\") {
        return turned;
    }
    let drive_of = |path: &str| -> Option<String> {
        let (letter, rest) = path.split_at_checked(1)?;
        (letter.chars().all(|c| c.is_ascii_alphabetic()) && rest.starts_with(':'))
            .then(|| path[..2].to_owned())
    };
    let own = drive_of(directory).unwrap_or_else(|| "C:".into());
    let (drive, rest) = match drive_of(&turned) {
        Some(drive) => (drive, turned[2..].to_owned()),
        None => (own.clone(), turned),
    };
    let base = match rest.starts_with('\\') {
        false if drive.eq_ignore_ascii_case(&own) => directory.get(2..).unwrap_or_default(),
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split(['\\', '/']).chain(rest.split('\\')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let last = parts.pop().map(|last| last.trim_end_matches(['.', ' ']));
    let directories = parts
        .iter()
        .map(|part| part.strip_suffix('.').unwrap_or(part));
    let names: Vec<&str> = directories
        .chain(last)
        .filter(|name| !name.is_empty())
        .collect();
    format!("{drive}\\{}", names.join("\\"))
}

/// Whether the last component has a dot with something behind it.
pub(super) fn has_extension(path: &str) -> bool {
    let name = path.rsplit('\\').next().unwrap_or_default();
    name.rsplit_once('.')
        .is_some_and(|(_, extension)| !extension.is_empty())
}

/// The entries of PATH as cmd.exe takes them: a quote begins or ends a stretch in which `;` is a
/// character, and is dropped itself; empty entries are skipped, blanks at the end do not count.
pub fn split_path_cmd(path: &str) -> Vec<String> {
    let (mut entries, mut entry, mut quoted) = (Vec::new(), String::new(), false);
    for c in path.chars() {
        match c {
            '"' => quoted = !quoted,
            ';' if !quoted => entries.push(std::mem::take(&mut entry)),
            _ => entry.push(c),
        }
    }
    entries.push(entry);
    let trimmed = entries
        .into_iter()
        .map(|entry| entry.trim_end_matches(' ').to_owned());
    trimmed.filter(|entry| !entry.is_empty()).collect()
}
