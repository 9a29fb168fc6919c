//! `tasklist` and `taskkill`, as scripts ask whether a program of their own still runs.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `tasklist /fi "imagename eq NAME"` of a program that does not run: a line that says so on the output, 0 | tasklist /?; reports | partly: on the output |
//! | `taskkill /im NAME` of one that does not run: an error, 128 | taskkill /?; reports | yes |
//!
//! Refused: whatever is about programs that run, those that every Windows runs included, and all other switches.

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::cmd::wildcard::has_wildcard;
use crate::win7::registry::units;

const NO_TASKS: Message = Message {
    en: "INFO: No tasks are running which match the specified criteria.\r\n",
    zh: "信息: 没有运行的任务匹配指定标准。\r\n",
};
const NOT_FOUND: Message = Message {
    en: "ERROR: The process \"{0}\" not found.\r\n",
    zh: "错误: 没有找到进程 \"{0}\"。\r\n",
};

/// taskkill finds nothing.
const NOTHING: u32 = 128;

/// What runs on every Windows 7 where somebody has logged on.
const ALWAYS: [&str; 24] = [
    "system idle process",
    "system",
    "smss.exe",
    "csrss.exe",
    "wininit.exe",
    "winlogon.exe",
    "services.exe",
    "lsass.exe",
    "lsm.exe",
    "svchost.exe",
    "spoolsv.exe",
    "searchindexer.exe",
    "taskhost.exe",
    "dwm.exe",
    "explorer.exe",
    "conhost.exe",
    "wmiprvse.exe",
    "dllhost.exe",
    "audiodg.exe",
    "sppsvc.exe",
    "trustedinstaller.exe",
    "msiexec.exe",
    "tasklist.exe",
    "taskkill.exe",
];

/// Whether a program may run: one of the system, or of the lab.
fn may_run(sys: &mut Sys<'_>, name: &str) -> Asked<bool> {
    let lower = name.to_ascii_lowercase();
    if ALWAYS.contains(&&*lower) || has_wildcard(&units(name)) {
        return Ok(true);
    }
    sys.local_operation(move |kernel, _, _| kernel.runs(&lower))
}

pub(super) fn tasklist(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let whole = format!("tasklist {}", arguments.join(" "));
    let whole = whole.trim_end();
    let mut words = arguments.iter();
    let mut name = None;
    while let Some(word) = words.next() {
        match &*word.to_ascii_lowercase() {
            "/nh" => {}
            "/fo" if words.next().is_some() => {}
            "/fi" if name.is_none() => {
                let filter = words.next().map_or("", String::as_str);
                let parts: Vec<&str> = filter.split_whitespace().collect();
                name = match parts.as_slice() {
                    [what, eq, name]
                        if what.eq_ignore_ascii_case("imagename")
                            && eq.eq_ignore_ascii_case("eq") =>
                    {
                        Some((*name).to_owned())
                    }
                    _ => return sys.unsupported(whole),
                };
            }
            _ => return sys.unsupported(whole),
        }
    }
    match name {
        Some(name) if !may_run(sys, &name)? => {
            sys.say(&NO_TASKS, &[])?;
            Ok(0)
        }
        _ => sys.unsupported(whole),
    }
}

pub(super) fn taskkill(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let whole = format!("taskkill {}", arguments.join(" "));
    let whole = whole.trim_end();
    let mut words = arguments.iter();
    let mut names = Vec::new();
    while let Some(word) = words.next() {
        match &*word.to_ascii_lowercase() {
            "/f" | "/t" => {}
            "/im" => names.extend(words.next().cloned()),
            _ => return sys.unsupported(whole),
        }
    }
    for name in &names {
        if may_run(sys, name)? {
            return sys.unsupported(whole);
        }
    }
    if names.is_empty() {
        return sys.unsupported(whole);
    }
    for name in &names {
        sys.complain(&NOT_FOUND, &[name])?;
    }
    Ok(NOTHING)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn what_does_not_run_is_not_found() {
        let mut bench = Bench::new();
        let none = "INFO: No tasks are running which match the specified criteria.\r\n";
        for line in [
            "tasklist /fi \"imagename eq tool.exe\"",
            "tasklist /NH /FI \"IMAGENAME eq tool.exe\" /fo csv",
        ] {
            assert_eq!(bench.prints(line), none, "{line}");
        }
        let gone = "ERROR: The process \"tool.exe\" not found.\r\n";
        assert_eq!(
            bench.fails("taskkill /f /im tool.exe"),
            (128, gone.to_owned())
        );
        for line in [
            "tasklist",
            "tasklist /fi \"imagename eq explorer.exe\"",
            "tasklist /fi \"imagename ne tool.exe\"",
            "tasklist /svc",
            "taskkill /pid 4",
            "taskkill /im explorer.exe",
            "taskkill /im t*",
        ] {
            let named = line.replace('"', "");
            bench.refuses(line, &named);
        }
    }
}
