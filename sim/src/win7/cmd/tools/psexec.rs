//! `psexec`: programs as LocalSystem, in session 0. It is no part of Windows; here it lies in System32.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `-s` runs as LocalSystem with the variables of a service; without it, as the caller | documentation of PsExec | yes |
//! | what it says stands on the error output; its exit code is the program's | observed | yes |
//! | it needs an administrator: its service could not be installed otherwise | documentation | yes, its exit code not |
//!
//! Refused: other machines, `-u` and `-p`, `-i` (a desktop), `-d`, `-c` and the rest.

use std::sync::Arc;

use crate::win7::cmd::kernel::{SpawnRequest, fresh_block};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;
use crate::win7::resolve::{Place, create_process};
use crate::win7::security::Sid;
use crate::win7::text::Wide;

const BANNER: &str = "\r\nPsExec v2.2 - Execute processes remotely\r\n\
                      Copyright (C) 2001-2016 Mark Russinovich\r\nSysinternals - www.sysinternals.com\r\n\r\n";

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let tail = sys.tail().to_vec();
    let (mut rest, mut banner, mut system, mut directory) = (&tail[..], true, false, None);
    loop {
        let (word, behind) = word(rest);
        let option = String::from_utf16_lossy(word).to_ascii_lowercase();
        let Some(option) = option.strip_prefix(['-', '/']) else {
            if word.starts_with(&units("\\\\")) {
                return sys.unsupported("psexec on another machine");
            }
            break;
        };
        rest = behind;
        match option {
            "s" => system = true,
            "h" | "accepteula" => {}
            "nobanner" => banner = false,
            "w" => {
                let (folder, behind) = self::word(rest);
                directory = Some(Wide::from(folder));
                rest = behind;
            }
            other => return sys.unsupported(&format!("psexec -{other}")),
        }
    }
    let (name, arguments) = word(rest);
    if name.is_empty() {
        return sys.unsupported("the help text of psexec");
    }
    if banner {
        sys.error(BANNER)?;
    }
    let name = String::from_utf16_lossy(name);
    if !sys.about.caller.token().has(&Sid::ADMINISTRATORS) {
        let denied = sys.system_text(5);
        sys.error(&format!("Couldn't install PSEXESVC service:\r\n{denied}"))?;
        return Ok(5);
    }
    let user: Option<Arc<str>> = system.then(|| "SYSTEM".into());
    let (wanted, who) = (name.clone(), user.clone());
    let found = sys.local_operation(move |kernel, about, local| {
        let block = match &who {
            Some(who) => fresh_block(kernel.machine, who),
            None => (*local.block).clone(),
        };
        let place = Place::new(&local.directory.to_utf8_lossy(), block.clone());
        let _ = about;
        create_process(&wanted, &place, &kernel.machine.files).map(|path| (path, Arc::new(block)))
    })?;
    let Some((image, block)) = found else {
        let text = sys.system_text(2);
        sys.error(&format!("PsExec could not start {name}:\r\n{text}"))?;
        return Ok(2);
    };
    let directory = match (directory, system) {
        (Some(directory), _) => Some(directory),
        (None, true) => Some(Wide::from("C:\\Windows\\system32")),
        (None, false) => None,
    };
    let request = SpawnRequest {
        user,
        block: Some(block),
        directory,
        ..SpawnRequest::new(Wide::from(&*image), Wide::from(arguments))
    };
    match sys.run(request)? {
        Ok(code) => {
            let computer = sys.variable("COMPUTERNAME").unwrap_or_default();
            let short = name.rsplit('\\').next().unwrap_or(&name).to_owned();
            sys.error(&format!(
                "{short} exited on {computer} with error code {code}.\r\n"
            ))?;
            Ok(code)
        }
        Err(error) => {
            let text = sys.system_text(error.code);
            sys.error(&format!("PsExec could not start {name}:\r\n{text}"))?;
            Ok(error.code)
        }
    }
}

/// The next word, without its quotes, and what is behind it as it was given.
fn word(tail: &[u16]) -> (&[u16], &[u16]) {
    const QUOTE: u16 = b'"' as u16;
    let is_blank = |unit: &u16| [0x20, 0x09].contains(unit);
    let begin = tail
        .iter()
        .position(|unit| !is_blank(unit))
        .unwrap_or(tail.len());
    let tail = &tail[begin..];
    match tail.split_first() {
        Some((&QUOTE, rest)) => {
            let end = rest
                .iter()
                .position(|unit| *unit == QUOTE)
                .unwrap_or(rest.len());
            (&rest[..end], rest.get(end + 1..).unwrap_or_default())
        }
        _ => tail.split_at(tail.iter().position(is_blank).unwrap_or(tail.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn a_program_as_the_system() {
        let mut bench = Bench::new();
        let ran = bench.run("psexec -s -accepteula whoami");
        assert_eq!((ran.exit, &*ran.stdout), (0, "nt authority\\system\r\n"));
        assert!(ran.stderr.contains("whoami exited on "), "{ran:?}");
        let ran = bench.run("psexec -nobanner -s reg query HKLM\\SOFTWARE\\Nope");
        assert_eq!(ran.exit, 1);
        assert!(!ran.stderr.contains("Sysinternals"));
        bench.user = "alice";
        let (code, text) = bench.fails("psexec -s whoami");
        assert_eq!(code, 5);
        assert!(text.ends_with("Couldn't install PSEXESVC service:\r\nAccess is denied.\r\n"));
        bench.refuses("psexec \\\\pc whoami", "psexec on another machine");
        bench.refuses("psexec -i cmd", "psexec -i");
    }
}
