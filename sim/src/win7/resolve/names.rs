//! Names that a shell keeps for itself.

/// Commands that cmd.exe does itself (Windows 7; `help` lists them among others, `keys` and `dpath` are
/// undocumented).
pub const CMD_INTERNAL: &[&str] = &[
    "assoc", "break", "call", "cd", "chdir", "cls", "color", "copy", "date", "del", "dir", "dpath",
    "echo", "endlocal", "erase", "exit", "for", "ftype", "goto", "if", "keys", "md", "mkdir",
    "mklink", "move", "path", "pause", "popd", "prompt", "pushd", "rd", "rem", "ren", "rename",
    "rmdir", "set", "setlocal", "shift", "start", "time", "title", "type", "ver", "verify", "vol",
];

/// Aliases of PowerShell 2 without a profile.
pub const POWERSHELL2_ALIASES: &[&str] = &[
    "%", "?", "ac", "asnp", "cat", "cd", "chdir", "clc", "clear", "clhy", "cli", "clp", "cls",
    "clv", "compare", "copy", "cp", "cpi", "cpp", "cvpa", "dbp", "del", "diff", "dir", "ebp",
    "echo", "epal", "epcsv", "epsn", "erase", "etsn", "exsn", "fc", "fl", "foreach", "ft", "fw",
    "gal", "gbp", "gc", "gci", "gcm", "gcs", "gdr", "ghy", "gi", "gjb", "gl", "gm", "gmo", "gp",
    "gps", "group", "gsn", "gsnp", "gsv", "gu", "gv", "gwmi", "h", "history", "icm", "iex", "ihy",
    "ii", "ipal", "ipcsv", "ipmo", "ipsn", "ise", "iwmi", "kill", "lp", "ls", "man", "md",
    "measure", "mi", "mount", "move", "mp", "mv", "nal", "ndr", "ni", "nmo", "nsn", "nv", "ogv",
    "oh", "popd", "ps", "pushd", "pwd", "r", "rbp", "rcjb", "rd", "rdr", "ren", "ri", "rjb", "rm",
    "rmdir", "rmo", "rni", "rnp", "rp", "rsn", "rsnp", "rv", "rvpa", "rwmi", "sajb", "sal", "saps",
    "sasv", "sbp", "sc", "select", "set", "si", "sl", "sleep", "sort", "sp", "spjb", "spps",
    "spsv", "start", "sv", "swmi", "tee", "type", "where", "wjb", "write",
];

/// Functions of PowerShell 2 without a profile.
pub const POWERSHELL2_FUNCTIONS: &[&str] = &[
    "cd..",
    "cd\\",
    "clear-host",
    "get-verb",
    "help",
    "mkdir",
    "more",
    "prompt",
    "tabexpansion",
];

/// The internal command that a name is, or that it begins with when a character that ends it follows.
pub(super) fn internal(name: &str) -> Option<&'static str> {
    CMD_INTERNAL.iter().copied().find(|command| {
        name.get(..command.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(command))
            && (name.len() == command.len()
                || name[command.len()..].starts_with(['.', ':', '\\', '/', '+', '[', ']']))
    })
}

/// The alias or function that a name is.
pub(super) fn powershell2(name: &str) -> Option<&'static str> {
    let all = POWERSHELL2_ALIASES
        .iter()
        .chain(POWERSHELL2_FUNCTIONS)
        .copied();
    let drive = ["A:", "B:", "C:", "D:", "E:"];
    all.chain(drive).find(|own| own.eq_ignore_ascii_case(name))
}
