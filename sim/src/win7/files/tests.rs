//! What calls on files do, beyond the vectors.

use super::*;
use crate::win7::registry::units;
use crate::win7::security::mask::{DELETE, GENERIC_READ, GENERIC_WRITE, READ_ATTRIBUTES};
use crate::win7::security::{Descriptor, Privilege};

const ALICE: Sid = Sid::of(5, &[21, 1004336348, 1177238915, 682003330, 1001]);
const ADMIN: Sid = Sid::of(5, &[21, 1004336348, 1177238915, 682003330, 1000]);

pub(super) struct Lab {
    pub(super) files: Files,
    pub(super) alice: Token,
    pub(super) admin: Token,
}

pub(super) fn lab() -> Lab {
    Lab {
        files: Files::windows_7(&[("admin", ADMIN), ("alice", ALICE)], CodePage::Cp936),
        alice: Token::standard_user(ALICE),
        admin: Token::administrator(ADMIN),
    }
}

/// A lab with `C:\Go\bin\go.exe`, which the administrator made.
pub(super) fn with_go() -> Lab {
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
fn links_are_followed_and_cycles_come_to_an_end() {
    let mut lab = with_go();
    let (admin, alice) = (Actor::new(&lab.admin), Actor::new(&lab.alice));
    let files = &mut lab.files;
    let link = |files: &mut Files, path: &str, target: &str| {
        files
            .create_junction(&admin, &units(path), &units(target))
            .expect("an administrator may");
    };
    link(files, "C:\\link", "C:\\Go");
    let through = units("C:\\link\\bin\\go.exe");
    files
        .write_file(&alice, &through, b"evil")
        .expect("Modify is inherited");
    let go = files.look("C:\\Go\\bin\\go.exe").expect("it is there");
    assert_eq!(go.content().map(|content| &**content), Some(&b"evil"[..]));
    // Attributes, deleting and moving are about the link.
    let of_link = files
        .attributes(&admin, &units("C:\\link"))
        .expect("it is there");
    assert_eq!(of_link.0, 0x410);
    let moved = files.rename(&admin, &units("C:\\link"), &units("C:\\other"), false);
    moved.expect("an administrator may");
    let entered = files.current_directory(&alice, &units("C:\\other\\bin"));
    assert_eq!(entered.expect("it leads there"), units("C:\\other\\bin"));
    files
        .make_tree(&admin, &units("C:\\other\\pkg\\tool"))
        .expect("by any means");
    assert!(files.look("C:\\Go\\pkg\\tool").is_some());
    files
        .remove_directory(&admin, &units("C:\\other"))
        .expect("the link is empty");
    assert!(files.look("C:\\Go\\bin\\go.exe").is_some());
    // A chain of 63 is followed, one of 64 not, and a circle is none that ends.
    for at in 0..64 {
        let target = if at == 0 {
            "C:\\Go".into()
        } else {
            format!("C:\\l{}", at - 1)
        };
        link(files, &format!("C:\\l{at}"), &target);
    }
    let listed = |files: &Files, path: &str| {
        files
            .list(&admin, &units(path))
            .map(|_| ())
            .map_err(|failure| failure.error)
    };
    assert_eq!(listed(files, "C:\\l62\\bin"), Ok(()));
    assert_eq!(
        listed(files, "C:\\l63\\bin"),
        Err(ListError::CannotResolveFilename)
    );
    link(files, "C:\\a", "C:\\b");
    link(files, "C:\\b", "C:\\a");
    link(files, "C:\\self", "C:\\self\\self");
    for path in ["C:\\a", "C:\\b\\x", "C:\\self", "C:\\self\\y"] {
        let path = units(path);
        let opened = files
            .write_file(&admin, &path, b"")
            .expect_err("it has no end");
        assert_eq!(opened.win32().code, 1921);
        assert!(files.make_tree(&admin, &path).is_err());
        let _ = (
            files.long_name(&admin, &path),
            files.attributes(&admin, &path),
        );
    }
    let failed = files
        .list(&admin, &units("C:\\a"))
        .expect_err("it has no end");
    assert_eq!(failed.error, ListError::CannotResolveFilename);
    // One that leads nowhere is followed too.
    link(files, "C:\\gone", "C:\\nope\\x");
    let failed = files.write_file(&admin, &units("C:\\gone\\y"), b"");
    assert_eq!(
        failed.expect_err("there is none").error,
        OpenError::PathNotFound
    );
    // A symbolic link takes a privilege that alice has not, a junction the right to make a directory.
    let failed = files.create_symbolic_link(&alice, &units("C:\\Go\\s"), &units("bin"), true);
    let failed = failed.expect_err("administrators alone may");
    assert_eq!(failed.error, LinkError::PrivilegeNotHeld);
    let failed = files.create_junction(&alice, &units("C:\\Windows\\s"), &units("C:\\Go"));
    assert_eq!(failed.expect_err("no right").error, LinkError::AccessDenied);
    files
        .create_symbolic_link(&admin, &units("C:\\Go\\s"), &units("bin\\go.exe"), false)
        .expect("an administrator may");
    let read = files
        .read_file(&alice, &units("C:\\Go\\s"))
        .expect("it leads there");
    assert_eq!(&*read, b"evil");
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
