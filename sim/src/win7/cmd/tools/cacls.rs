//! `cacls`: who may do what with files, as before `icacls`. It only shows here.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | a path with its entries, `F`, `C`, `R`, `W`, `N`, further ones indented; what is none of them by name, one a line | `cacls /?`; "Windows 2000 Administration in a Nutshell"; listings | yes |
//! | who may not read the list: "Access is denied.", and an exit code that is not 0, by which scripts tell whether they are an administrator's | reports; that it is 5: from memory | partly |
//! | a missing file: the system's text, and its code | from memory | no |
//!
//! Refused: all that changes a list, which `icacls` does too; `/t`, `/s`, the help text.

use super::accounts;
use super::icacls::security;
use super::operands::find;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;
use crate::win7::security::{Ace, AceType, Flags, Mask};

const SPECIAL: Message = Message {
    en: "(special access:)",
    zh: "(特殊访问:)",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let switch = arguments.iter().find(|argument| argument.starts_with('/'));
    if let Some(switch) = switch {
        return sys.unsupported(&format!("cacls {switch}"));
    }
    let [pattern] = arguments.as_slice() else {
        return sys.unsupported("cacls without one file (its help)");
    };
    let found = match find(sys, &units(pattern))? {
        Ok(found) if !found.is_empty() => found,
        Ok(_) => return failed(sys, 2),
        Err(error) => return failed(sys, error.code),
    };
    for one in found {
        let path = sys.full_path(&one.path);
        let descriptor = match security(sys, &one.path)? {
            Ok(descriptor) => descriptor,
            Err(error) => return failed(sys, error.code),
        };
        let aces = descriptor.aces().unwrap_or_default().to_vec();
        show(sys, &String::from_utf16_lossy(&path), &aces)?;
    }
    Ok(0)
}

fn failed(sys: &mut Sys<'_>, code: u32) -> Asked<u32> {
    let text = sys.system_text(code);
    sys.error(&text)?;
    Ok(code)
}

fn show(sys: &mut Sys<'_>, path: &str, aces: &[Ace]) -> Asked<()> {
    let names = accounts::shown_all(sys, aces)?;
    let special = SPECIAL.text(sys.language(), &[]);
    let indent = " ".repeat(path.encode_utf16().count() + 1);
    let mut text = String::new();
    for (at, (ace, name)) in aces.iter().zip(names).enumerate() {
        let before = match at {
            0 => format!("{path} "),
            _ => indent.clone(),
        };
        let mut who = format!("{name}:");
        for (flag, letters) in [
            (Flags::OI, "(OI)"),
            (Flags::CI, "(CI)"),
            (Flags::NP, "(NP)"),
            (Flags::IO, "(IO)"),
            (Flags::ID, "(ID)"),
        ] {
            if ace.flags.has(flag) {
                who.push_str(letters);
            }
        }
        let denies = matches!(ace.kind, AceType::Deny | AceType::DenyObject);
        match letter(ace.mask) {
            Some("F") if denies => text.push_str(&format!("{before}{who}N \r\n")),
            Some(letter) if !denies => text.push_str(&format!("{before}{who}{letter} \r\n")),
            _ => {
                let denied = if denies { "(DENY)" } else { "" };
                text.push_str(&format!("{before}{who}{denied}{special}\r\n"));
                let below = " ".repeat(who.encode_utf16().count() + denied.len());
                for (_, right) in RIGHTS.iter().filter(|(bit, _)| ace.mask.meets(Mask(*bit))) {
                    text.push_str(&format!("{indent}{below}{right}\r\n"));
                }
                text.push_str("\r\n");
            }
        }
    }
    text.push_str("\r\n");
    sys.print(&text)
}

/// The letter that means all of a mask.
fn letter(mask: Mask) -> Option<&'static str> {
    match mask.0 {
        0x1F_01FF | 0x1000_0000 => Some("F"),
        0x13_01BF | 0xE001_0000 => Some("C"),
        0x12_00A9 | 0xA000_0000 => Some("R"),
        0x12_0116 | 0x10_0116 | 0x4000_0000 => Some("W"),
        0 => Some("N"),
        _ => None,
    }
}

const RIGHTS: [(u32, &str); 18] = [
    (0x8000_0000, "GENERIC_READ"),
    (0x4000_0000, "GENERIC_WRITE"),
    (0x2000_0000, "GENERIC_EXECUTE"),
    (0x1000_0000, "GENERIC_ALL"),
    (0x1_0000, "DELETE"),
    (0x2_0000, "READ_CONTROL"),
    (0x4_0000, "WRITE_DAC"),
    (0x8_0000, "WRITE_OWNER"),
    (0x10_0000, "SYNCHRONIZE"),
    (0x1, "FILE_READ_DATA"),
    (0x2, "FILE_WRITE_DATA"),
    (0x4, "FILE_APPEND_DATA"),
    (0x8, "FILE_READ_EA"),
    (0x10, "FILE_WRITE_EA"),
    (0x20, "FILE_EXECUTE"),
    (0x40, "FILE_DELETE_CHILD"),
    (0x80, "FILE_READ_ATTRIBUTES"),
    (0x100, "FILE_WRITE_ATTRIBUTES"),
];

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn entries_have_letters_or_rights_by_name() {
        let mut bench = Bench::new();
        bench.run("icacls . /inheritance:r /grant Users:(OI)(CI)RX alice:F Everyone:(CI)(AD) /deny Guests:F");
        assert_eq!(
            bench.prints("cacls ."),
            "C:\\lab BUILTIN\\Guests:N \r\n       \
             Everyone:(CI)(special access:)\r\n                    \
             FILE_APPEND_DATA\r\n\r\n       \
             WIN7\\alice:F \r\n       \
             BUILTIN\\Users:(OI)(CI)R \r\n\r\n"
        );
        bench.refuses("cacls . /e /g Users:F", "cacls /e");
    }

    #[test]
    fn who_is_an_administrator_may_see_the_hives() {
        let mut bench = Bench::new();
        let file = "C:\\Windows\\System32\\config\\system";
        for (user, exit) in [
            ("admin", 0),
            ("SYSTEM", 0),
            ("admin-filtered", 5),
            ("alice", 5),
        ] {
            bench.user = user;
            let ran = bench.run(&format!("cacls {file}"));
            assert_eq!(ran.exit, exit, "{user}: {ran:?}");
        }
        bench.user = "admin";
        let list = "C:\\Windows\\System32\\config\\SYSTEM";
        let shown = bench.prints(&format!("cacls {file}"));
        let account = "NT AUTHORITY\\SYSTEM:(ID)F \r\n";
        assert!(shown.contains(account), "{list} {shown}");
        assert_eq!(bench.fails("cacls nope").0, 2);
    }
}
