//! A second oracle for the access check: Samba's, by Debian's python3-samba, over descriptors, tokens and masks
//! at random. Where it is not installed the test says so, and passes.

use std::io::Write;
use std::process::{Command, Stdio};

use faultlab_sim::win7::security::strategies::{aces, flags, masks, sids, tokens};
use faultlab_sim::win7::security::{
    Ace, AceType, Acl, Descriptor, Integrity, Kind, Mask, Privilege, Token, access_check,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// Debian's interpreter: another one that stands before it on PATH does not see Debian's packages.
const PYTHON: &str = "/usr/bin/python3";

const CASES: usize = 6000;

const MAXIMUM_ALLOWED: u32 = 0x200_0000;

#[derive(Debug)]
struct Case {
    descriptor: Descriptor,
    token: Token,
    desired: Mask,
}

/// What both speak of: Samba knows no integrity levels, no groups that only deny, and maps no generic rights,
/// so none of them occurs. A NULL DACL it denies to whoever asks, which Windows does not.
fn cases() -> impl Strategy<Value = Case> {
    let any_mask = prop_oneof![
        masks().prop_map(|mask| Kind::File.map(mask)),
        (0u32..0x20_0000).prop_map(|bits| Mask(bits & 0x1F_01FF)),
    ];
    let entry = (aces(), any_mask.clone(), flags()).prop_map(|(ace, mask, flags)| Ace {
        mask,
        flags,
        ..ace
    });
    let desired = prop_oneof![
        4 => any_mask.clone(),
        2 => Just(Mask(MAXIMUM_ALLOWED)),
        1 => any_mask.prop_map(|mask| Mask(mask.0 | MAXIMUM_ALLOWED)),
        1 => Just(Mask(0x100_0001)),
    ];
    let privileges = (any::<bool>(), any::<bool>());
    (
        sids(),
        sids(),
        vec(entry, 0..7),
        tokens(),
        desired,
        privileges,
    )
        .prop_map(
            |(owner, group, entries, token, desired, (security, take))| {
                let privileges = [
                    security.then_some(Privilege::Security),
                    take.then_some(Privilege::TakeOwnership),
                ];
                Case {
                    descriptor: Descriptor {
                        owner: Some(owner),
                        group: Some(group),
                        dacl: Some(Acl::new(entries)),
                        sacl: None,
                    },
                    token: Token {
                        integrity: Integrity::System,
                        deny_only: [].into(),
                        ..Token::new(&token.sids, privileges.into_iter().flatten().collect())
                    },
                    desired,
                }
            },
        )
}

/// SDDL with numbers alone: Samba 4.17 takes FA for another mask, and has fewer letters.
fn plain_sddl(descriptor: &Descriptor) -> String {
    let mut text = String::new();
    if let (Some(owner), Some(group)) = (&descriptor.owner, &descriptor.group) {
        text = format!("O:{owner}G:{group}");
    }
    text.push_str("D:");
    for ace in descriptor.aces().unwrap_or_default() {
        let kind = match ace.kind {
            AceType::Deny => "D",
            _ => "A",
        };
        let io = if ace.is_effective() { "" } else { "OICIIO" };
        text.push_str(&format!("({kind};{io};{:#x};;;{})", ace.mask, ace.sid));
    }
    text
}

/// The answers of Samba; none if it is not there.
fn ask_samba(lines: &str) -> Option<Vec<String>> {
    let import = Command::new(PYTHON)
        .args(["-c", "import samba.security"])
        .stderr(Stdio::null())
        .status();
    if !import.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/samba/access_check.py"
    );
    let mut samba = Command::new(PYTHON)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was there a moment ago");
    let mut stdin = samba.stdin.take().expect("it is piped");
    let lines = lines.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let output = samba.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
    writer.join().expect("no panic").expect("it reads all");
    let text = String::from_utf8(output.stdout).expect("ASCII");
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn samba_grants_and_denies_the_same() {
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Case> = (0..CASES)
        .map(|_| {
            let tree = cases().new_tree(&mut runner);
            tree.expect("nothing is filtered").current()
        })
        .collect();
    let mut lines = String::new();
    for case in &cases {
        let privileges = [Privilege::Security, Privilege::TakeOwnership];
        let held = privileges
            .iter()
            .filter(|one| case.token.enabled.has(**one));
        let line = serde_json::json!({
            "sddl": plain_sddl(&case.descriptor),
            "sids": case.token.sids.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "privileges": held.map(ToString::to_string).collect::<Vec<_>>(),
            "desired": case.desired.0,
        });
        lines.push_str(&format!("{line}\n"));
    }
    let Some(answers) = ask_samba(&lines) else {
        eprintln!("skipped: there is no python3-samba here (apt-get install python3-samba)");
        return;
    };
    assert_eq!(answers.len(), cases.len());
    let (mut granted, mut denied) = (0, 0);
    for ((case, answer), line) in cases.iter().zip(&answers).zip(lines.lines()) {
        let own = access_check(&case.token, &case.descriptor, Kind::File, case.desired);
        let own = match own {
            Ok(mask) => mask.0.to_string(),
            Err(refusal) => match refusal.error().code() {
                5 => "denied".into(),
                _ => "privilege".into(),
            },
        };
        // Samba calls it a success to be allowed nothing; Windows does not (MS-DTYP says neither).
        let is_nothing = answer == "0" && own == "denied";
        assert!(
            own == *answer || is_nothing,
            "Samba {answer}, the model {own}: {line}"
        );
        match own.parse::<u32>() {
            Ok(_) => granted += 1,
            Err(_) => denied += 1,
        }
    }
    assert!(
        granted > CASES / 10 && denied > CASES / 10,
        "{granted} {denied}"
    );
}
