//! What calls on files do, beyond the vectors.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::win7::registry::units;
use crate::win7::security::mask::{DELETE, GENERIC_READ, GENERIC_WRITE, READ_ATTRIBUTES};
use crate::win7::security::{Descriptor, Privilege};

const ALICE: Sid = Sid::of(5, &[21, 1004336348, 1177238915, 682003330, 1001]);
const ADMIN: Sid = Sid::of(5, &[21, 1004336348, 1177238915, 682003330, 1000]);

struct Lab {
    files: Files,
    alice: Token,
    admin: Token,
}

fn lab() -> Lab {
    Lab {
        files: Files::windows_7(&[("admin", ADMIN), ("alice", ALICE)], CodePage::Cp936),
        alice: Token::standard_user(ALICE),
        admin: Token::administrator(ADMIN),
    }
}

/// A lab with `C:\Go\bin\go.exe`, which the administrator made.
fn with_go() -> Lab {
    let mut lab = lab();
    let admin = Actor::new(&lab.admin);
    lab.files
        .make_tree(&admin, &units("C:\\Go\\bin"))
        .expect("nobody is asked");
    let written = lab
        .files
        .write_file(&admin, &units("C:\\Go\\bin\\go.exe"), b"MZ");
    written.expect("an administrator may");
    lab
}

fn why<T: fmt::Debug, E: fmt::Debug + fmt::Display>(result: Result<T, Failure<E>>) -> String {
    result.expect_err("it is refused").to_string()
}

#[test]
fn a_refusal_says_which_entry_and_which_right() {
    let mut lab = with_go();
    let go = units("C:\\Go\\bin\\go.exe");
    let admin = Actor::new(&lab.admin);
    let set = |files: &mut Files, path: &str, sddl: &str| {
        files
            .set_security(&admin, &units(path), &Descriptor::from(sddl))
            .expect("an administrator may");
    };
    set(
        &mut lab.files,
        "C:\\Go\\bin\\go.exe",
        "D:AR(D;;WD;;;BU)(A;;FA;;;BU)",
    );
    let alice = Actor::new(&lab.alice);
    assert_eq!(
        why(lab
            .files
            .set_security(&alice, &go, &Descriptor::from("D:P"))),
        "ERROR_ACCESS_DENIED (5): C:\\Go\\bin\\go.exe: WRITE_DAC denied by ACE 1 (D;;WD;;;BU)"
    );
    set(&mut lab.files, "C:\\Go\\bin\\go.exe", "D:P(A;;FR;;;BU)");
    assert_eq!(
        why(lab.files.write_file(&alice, &go, b"evil")),
        "ERROR_ACCESS_DENIED (5): C:\\Go\\bin\\go.exe: FILE_WRITE_DATA (FILE_ADD_FILE), \
         FILE_APPEND_DATA (FILE_ADD_SUBDIRECTORY), FILE_WRITE_EA, FILE_WRITE_ATTRIBUTES not granted by the one ACE"
    );
    // The directory still lets her take it away: the parent has Modify for her, but not FILE_DELETE_CHILD.
    assert_eq!(
        why(lab.files.delete_file(&alice, &go)),
        "ERROR_ACCESS_DENIED (5): C:\\Go\\bin\\go.exe: DELETE not granted by the one ACE"
    );
    let told = lab
        .files
        .explain_access(&alice, &go, DELETE)
        .expect("it is there");
    assert_eq!(
        told.to_string(),
        "ACE 1 (A;;FR;;;BU): for BUILTIN\\Users, nothing that is still asked for\n\
         refused, ERROR_ACCESS_DENIED (5): DELETE not granted by the one ACE\n"
    );
}

#[test]
fn a_refusal_says_where_an_entry_was_inherited_from() {
    let mut lab = with_go();
    let admin = Actor::new(&lab.admin);
    let new = Descriptor::from("D:P(A;OICI;FA;;;BA)(D;OICI;WD;;;BU)(A;OICI;FA;;;BU)");
    let set = Propagation::new(&lab.files, &admin, &units("C:\\Go"), &new);
    let failed = set.expect("it is there").run(&mut lab.files, &admin);
    assert!(failed.is_empty(), "{failed:?}");
    let alice = Actor::new(&lab.alice);
    let refusal = why(lab.files.set_security(
        &alice,
        &units("C:\\Go\\bin\\go.exe"),
        &Descriptor::from("D:P"),
    ));
    assert!(
        refusal.ends_with("WRITE_DAC denied by ACE 2 (D;ID;WD;;;BU) inherited from C:\\Go"),
        "{refusal}"
    );
    // The attribute keeps back what the entries grant.
    let path = units("C:\\Go\\bin\\go.exe");
    let set = lab
        .files
        .set_attributes(&admin, &path, Attributes::READONLY);
    set.expect("an administrator may");
    let explain = |mask| {
        let told = lab.files.explain_access(&alice, &path, mask);
        told.expect("it is there").to_string()
    };
    let told = explain(crate::win7::security::mask::WRITE_DATA);
    assert!(
        told.contains("kept back by the read-only attribute"),
        "{told}"
    );
    let told = explain(DELETE);
    assert!(
        told.contains("DeleteFile is refused all the same"),
        "{told}"
    );
}

#[test]
fn a_file_in_the_root_has_a_high_label() {
    let mut lab = lab();
    let path = units("C:\\x.txt");
    lab.files
        .write_file(&Actor::new(&lab.admin), &path, b"x")
        .expect("an administrator may");
    let refusal = why(lab.files.write_file(&Actor::new(&lab.alice), &path, b"y"));
    assert!(
        refusal.contains("integrity level 0x3000 is above the token's 0x2000"),
        "{refusal}"
    );
    // Her own she cannot even create: the directory has no FILE_ADD_FILE for her.
    let refusal = why(lab
        .files
        .write_file(&Actor::new(&lab.alice), &units("C:\\y.txt"), b"y"));
    assert!(
        refusal.contains("C:\\: FILE_WRITE_DATA (FILE_ADD_FILE) not granted"),
        "{refusal}"
    );
}

#[test]
fn who_has_it_open_decides_with_whom_it_is_shared() {
    let mut lab = with_go();
    let go = units("C:\\Go\\bin\\go.exe");
    let (admin, alice) = (Actor::new(&lab.admin), Actor::new(&lab.alice));
    let reading = OpenRequest::default();
    let (scan, _) = lab.files.open(&admin, &go, reading).expect("it is there");
    let failed = lab
        .files
        .write_file(&alice, &go, b"x")
        .expect_err("it is open for reading alone");
    assert_eq!(failed.error, OpenError::SharingViolation);
    assert_eq!(
        *failed.why.expect("there is a reason"),
        Why::Shared { with: scan }
    );
    let failed = lab
        .files
        .delete_file(&alice, &go)
        .expect_err("nobody shares deleting");
    assert_eq!(failed.error, DeleteError::SharingViolation);
    assert!(
        lab.files.open(&alice, &go, reading).is_ok(),
        "reading is shared"
    );
    let looks = OpenRequest {
        access: READ_ATTRIBUTES,
        share: Share::NONE,
        ..reading
    };
    assert!(
        lab.files.open(&alice, &go, looks).is_ok(),
        "attributes are no matter of sharing"
    );
    lab.files.close(scan).expect("it is open");
}

#[test]
fn what_is_deleted_goes_with_its_last_handle() {
    let mut lab = with_go();
    let go = units("C:\\Go\\bin\\go.exe");
    let alice = Actor::new(&lab.alice);
    let request = OpenRequest {
        share: Share::ALL,
        ..OpenRequest::default()
    };
    let (handle, _) = lab.files.open(&alice, &go, request).expect("it is there");
    lab.files
        .delete_file(&alice, &go)
        .expect("deleting is shared");
    assert!(
        lab.files.look("C:\\Go\\bin\\go.exe").is_some(),
        "somebody has it open"
    );
    let failed = lab
        .files
        .open(&alice, &go, request)
        .expect_err("it is about to go");
    assert_eq!(
        (failed.error, *failed.why.expect("a reason")),
        (OpenError::AccessDenied, Why::DeletePending)
    );
    lab.files.close(handle).expect("it is open");
    assert!(lab.files.look("C:\\Go\\bin\\go.exe").is_none());
}

#[test]
fn attributes_refuse_too() {
    let mut lab = with_go();
    let go = units("C:\\Go\\bin\\go.exe");
    let admin = Actor::new(&lab.admin);
    lab.files
        .set_attributes(&admin, &go, Attributes::READONLY)
        .expect("an administrator may");
    for failure in [
        why(lab.files.write_file(&admin, &go, b"x")),
        why(lab.files.delete_file(&admin, &go)),
    ] {
        assert_eq!(
            failure,
            "ERROR_ACCESS_DENIED (5): the file has the read-only attribute"
        );
    }
    lab.files
        .set_attributes(&admin, &go, Attributes::HIDDEN)
        .expect("an administrator may");
    let failure = why(lab.files.write_file(&admin, &go, b"x"));
    assert!(
        failure.ends_with("hidden or a system file, and the call does not say so"),
        "{failure}"
    );
}

#[test]
fn backup_privileges_count_when_opened_for_backup() {
    let mut lab = with_go();
    let go = units("C:\\Go\\bin\\go.exe");
    let admin = Actor::new(&lab.admin);
    let nobody = Descriptor::from("D:P");
    lab.files
        .set_security(&admin, &go, &nobody)
        .expect("an administrator may");
    let mut operator = lab.admin.clone();
    assert!(operator.enable(Privilege::Backup));
    let operator = Actor::new(&operator);
    let plain = OpenRequest {
        access: GENERIC_READ,
        ..OpenRequest::default()
    };
    assert!(lab.files.open(&operator, &go, plain).is_err());
    let backup = OpenRequest {
        backup_semantics: true,
        ..plain
    };
    let (handle, _) = lab
        .files
        .open(&operator, &go, backup)
        .expect("the privilege counts");
    assert_eq!(&*lab.files.read(handle).expect("it may read"), b"MZ");
    let writing = OpenRequest {
        access: GENERIC_WRITE,
        ..backup
    };
    assert!(
        lab.files.open(&operator, &go, writing).is_err(),
        "that is another privilege"
    );
}

#[test]
fn a_stream_is_beside_the_content() {
    let mut lab = with_go();
    let admin = Actor::new(&lab.admin);
    let zone = units("C:\\Go\\bin\\go.exe:Zone.Identifier");
    lab.files
        .write_file(&admin, &zone, b"[ZoneTransfer]\r\nZoneId=3\r\n")
        .expect("it may");
    let node = lab.files.look("C:\\Go\\bin\\go.exe").expect("it is there");
    assert_eq!(node.content().map(|content| content.len()), Some(2));
    assert!(node.stream(&"zone.identifier".into()).is_some());
    let typed = units("C:\\Go\\bin\\go.exe:zone.identifier:$data");
    lab.files
        .delete_file(&admin, &typed)
        .expect("the same stream");
    assert!(
        lab.files
            .look("C:\\Go\\bin\\go.exe")
            .is_some_and(|node| node.streams().count() == 0)
    );
    for wrong in [
        "C:\\Go\\bin\\go.exe:a:b",
        "C:\\Go:x",
        "C:\\Go\\bin\\go.exe:",
    ] {
        let failed = lab
            .files
            .write_file(&admin, &units(wrong), b"")
            .expect_err(wrong);
        assert_eq!(failed.error, OpenError::InvalidName, "{wrong}");
    }
}

#[test]
fn what_is_moved_keeps_its_entries() {
    let mut lab = with_go();
    let admin = Actor::new(&lab.admin);
    let (from, to) = (
        units("C:\\Go\\bin\\go.exe"),
        units("C:\\Program Files\\go2.exe"),
    );
    let before = lab.files.security(&admin, &from).expect("it is there");
    assert!(
        lab.files
            .rename(&Actor::new(&lab.alice), &from, &to, false)
            .is_err()
    );
    lab.files
        .rename(&admin, &from, &to, false)
        .expect("an administrator may");
    assert_eq!(
        lab.files.security(&admin, &to).expect("it is there"),
        before
    );
    // So alice may write to it there, until somebody propagates.
    lab.files
        .write_file(&Actor::new(&lab.alice), &to, b"evil")
        .expect("Modify came along");
    let failed = lab
        .files
        .rename(&admin, &units("C:\\Go"), &units("C:\\Go\\x"), false);
    assert_eq!(
        failed.expect_err("below itself").error,
        MoveError::SharedBelow
    );
}

#[test]
fn a_full_volume_takes_no_more() {
    let mut lab = with_go();
    let admin = Actor::new(&lab.admin);
    lab.files.volume_mut('c').expect("it is there").free = Some(10);
    let path = units("C:\\Go\\x");
    let failed = lab
        .files
        .write_file(&admin, &path, &[0; 11])
        .expect_err("there is no room");
    assert_eq!(failed.error, OpenError::DiskFull);
    lab.files
        .write_file(&admin, &path, &[0; 10])
        .expect("there is room");
    lab.files.delete_file(&admin, &path).expect("it may");
    assert_eq!(lab.files.volume('C').expect("it is there").free, Some(10));
}

#[test]
fn ways_of_16_000_directories() {
    let mut lab = lab();
    let admin = Actor::new(&lab.admin);
    let deep = units(&format!("\\\\?\\C:\\{}", vec!["a"; 16_000].join("\\")));
    lab.files.make_tree(&admin, &deep).expect("nobody is asked");
    let mut file = deep.clone();
    file.extend(units("\\f"));
    let mut fork = lab.files.clone();
    fork.write_file(&admin, &file, b"x").expect("it may");
    assert_ne!(fork, lab.files);
    fork.delete_file(&admin, &file).expect("it may");
    assert_eq!(fork, lab.files);
}

/// Three directories and some files in them, by the administrator.
fn grow(files: &mut Files, admin: &Actor<'_>) {
    for directory in ["C:\\t\\a\\b", "C:\\t\\c"] {
        let _ = files.create_directory(admin, &units("C:\\t"), None);
        let _ = files.create_directory(admin, &units("C:\\t\\a"), None);
        files
            .create_directory(admin, &units(directory), None)
            .expect("it may");
    }
    for file in ["C:\\t\\1", "C:\\t\\a\\2", "C:\\t\\a\\b\\3", "C:\\t\\c\\4"] {
        files.write_file(admin, &units(file), b"").expect("it may");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Write(&'static str),
    Delete(&'static str),
    MakeDirectory(&'static str),
    RemoveDirectory(&'static str),
    Rename(&'static str, &'static str),
    SetSecurity(&'static str, &'static str),
    SetAttributes(&'static str, u32),
}

fn ops() -> impl Strategy<Value = Op> {
    let path = || {
        select(vec![
            "C:\\Go",
            "C:\\Go\\bin",
            "C:\\Go\\bin\\go.exe",
            "C:\\Go\\new",
            "C:\\Program Files\\x",
            "C:\\mine",
            "C:\\mine\\f",
            "C:\\mine\\d\\e",
            "C:\\Windows\\System32",
            "C:\\nope\\x",
            "C:\\bad|name",
            "nul",
            "C:\\",
        ])
    };
    let sddl = select(vec![
        "D:P",
        "D:P(A;OICI;FA;;;BU)",
        "D:(D;;FW;;;BU)(A;;FA;;;WD)",
        "O:BA",
        "S:(ML;;NW;;;HI)",
    ]);
    prop_oneof![
        3 => path().prop_map(Op::Write),
        2 => path().prop_map(Op::Delete),
        3 => path().prop_map(Op::MakeDirectory),
        1 => path().prop_map(Op::RemoveDirectory),
        1 => (path(), path()).prop_map(|(from, to)| Op::Rename(from, to)),
        2 => (path(), sddl).prop_map(|(path, sddl)| Op::SetSecurity(path, sddl)),
        1 => (path(), 0u32..8).prop_map(|(path, bits)| Op::SetAttributes(path, bits)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_refused_changes_nothing(steps in vec((any::<bool>(), ops()), 1..30)) {
        let Lab { mut files, alice, admin } = with_go();
        for (is_admin, op) in steps {
            let actor = Actor::new(if is_admin { &admin } else { &alice });
            let before = files.clone();
            let refused = match &op {
                Op::Write(path) => files.write_file(&actor, &units(path), b"w").is_err(),
                Op::Delete(path) => files.delete_file(&actor, &units(path)).is_err(),
                Op::MakeDirectory(path) => files.create_directory(&actor, &units(path), None).is_err(),
                Op::RemoveDirectory(path) => files.remove_directory(&actor, &units(path)).is_err(),
                Op::Rename(from, to) => files.rename(&actor, &units(from), &units(to), true).is_err(),
                Op::SetSecurity(path, sddl) => files.set_security(&actor, &units(path), &Descriptor::from(*sddl)).is_err(),
                Op::SetAttributes(path, bits) => files.set_attributes(&actor, &units(path), Attributes(*bits)).is_err(),
            };
            prop_assert!(!refused || files == before, "{:?}", op);
        }
    }

    /// To change a tree's entries from above gives what making the tree below the change would have given.
    #[test]
    fn propagation_is_making_the_tree_anew(
        entries in vec(crate::win7::security::strategies::aces(), 0..5), protected in any::<bool>(),
    ) {
        let Lab { files, admin, .. } = lab();
        let actor = Actor::new(&admin);
        // Something has to be inherited, else new files get the token's default; and the maker has to get through.
        let mut text = format!("D:{}(A;OICI;FA;;;BA)(A;OICI;FR;;;WD)", if protected { "P" } else { "" });
        for ace in entries {
            let plain = crate::win7::security::Ace { kind: crate::win7::security::AceType::Allow, ..ace };
            text.push_str(&plain.to_string());
        }
        let new = Descriptor::from(&*text);
        let mut changed = files.clone();
        grow(&mut changed, &actor);
        let failed = Propagation::new(&changed, &actor, &units("C:\\t"), &new).expect("it is there").run(&mut changed, &actor);
        prop_assert!(failed.is_empty(), "{:?}", failed);

        let mut anew = files;
        anew.create_directory(&actor, &units("C:\\t"), None).expect("it may");
        Propagation::new(&anew, &actor, &units("C:\\t"), &new).expect("it is there").run(&mut anew, &actor);
        for directory in ["C:\\t\\a", "C:\\t\\a\\b", "C:\\t\\c"] {
            anew.create_directory(&actor, &units(directory), None).expect("it may");
        }
        for file in ["C:\\t\\1", "C:\\t\\a\\2", "C:\\t\\a\\b\\3", "C:\\t\\c\\4"] {
            anew.write_file(&actor, &units(file), b"").expect("it may");
        }
        for path in ["C:\\t", "C:\\t\\1", "C:\\t\\a", "C:\\t\\a\\2", "C:\\t\\a\\b\\3", "C:\\t\\c", "C:\\t\\c\\4"] {
            let descriptor = |files: &Files| files.look(path).map(|node| node.descriptor().sddl());
            prop_assert_eq!(descriptor(&changed), descriptor(&anew), "{}", path);
        }
    }

    #[test]
    fn every_path_has_an_answer(path in crate::win7::path::strategies::paths()) {
        let Lab { mut files, admin, .. } = lab();
        let actor = Actor::new(&admin);
        let _ = files.attributes(&actor, &path);
        let _ = files.list(&actor, &path);
        let _ = files.current_directory(&actor, &path);
        let _ = files.long_name(&actor, &path);
        let _ = files.short_name(&actor, &path);
        let _ = files.create_directory(&actor, &path, None);
        let _ = files.write_file(&actor, &path, b"x");
        let _ = files.rename(&actor, &path, &units("C:\\there"), true);
        let _ = files.delete_file(&actor, &path);
        let _ = files.remove_directory(&actor, &path);
    }
}
