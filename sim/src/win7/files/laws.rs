//! Laws, for any tree and any calls.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::strategies::trees;
use super::tests::{Lab, lab, with_go};
use super::*;
use crate::win7::security::strategies::{aces, descriptors};
use crate::win7::security::{AceType, Descriptor};

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

/// A DACL that lets the administrators through and gives something to inherit; without that, new files would get
/// the token's default DACL.
fn inheritable() -> impl Strategy<Value = Descriptor> {
    (vec(aces(), 0..5), any::<bool>()).prop_map(|(entries, protected)| {
        let flags = if protected { "P" } else { "" };
        let mut text = format!("D:{flags}(A;OICI;FA;;;BA)(A;OICI;FR;;;WD)");
        for ace in entries {
            let allow = Ace {
                kind: AceType::Allow,
                ..ace
            };
            text.push_str(&allow.to_string());
        }
        Descriptor::from(&*text)
    })
}

/// A lab with a directory `C:\t` that the administrator made.
fn with_root() -> Lab {
    let mut lab = lab();
    let made = lab
        .files
        .create_directory(&Actor::new(&lab.admin), &units("C:\\t"), None);
    made.expect("an administrator may");
    lab
}

fn sddl(files: &Files, path: &str) -> Option<String> {
    Some(files.look(path)?.descriptor().sddl())
}

/// Sets what `new` has on `C:\t`, and has it inherited; whether all went well.
fn propagate(files: &mut Files, actor: &Actor<'_>, new: &Descriptor) -> Vec<Rewritten> {
    let start = Propagation::new(files, actor, &units("C:\\t"), new);
    start.expect("it is there").run(files, actor)
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

    /// The same in any tree, with any descriptors.
    #[test]
    fn what_is_refused_changes_nothing_in_any_tree(tree in trees(), new in descriptors()) {
        let Lab { mut files, alice, .. } = with_root();
        tree.plant(&mut files, "C:\\t");
        let actor = Actor::new(&alice);
        for node in &tree.nodes {
            let path = units(&format!("C:\\t\\{}", node.path));
            let below = units(&format!("C:\\t\\{}\\new", node.path));
            let calls: [&dyn Fn(&mut Files) -> bool; 6] = [
                &|files| files.write_file(&actor, &path, b"w").is_ok(),
                &|files| files.create_directory(&actor, &below, None).is_ok(),
                &|files| files.set_security(&actor, &path, &new).is_ok(),
                &|files| files.rename(&actor, &path, &units("C:\\t\\moved"), true).is_ok(),
                &|files| files.delete_file(&actor, &path).is_ok(),
                &|files| files.remove_directory(&actor, &path).is_ok(),
            ];
            for call in calls {
                let mut fork = files.clone();
                prop_assert!(call(&mut fork) || fork == files, "{}", node.path);
            }
        }
    }

    /// To change a tree's entries from above gives what making the tree below the change would have given.
    #[test]
    fn propagation_is_making_the_tree_anew(tree in trees(), new in inheritable()) {
        let tree = tree.without_descriptors();
        let Lab { files, admin, .. } = with_root();
        let actor = Actor::new(&admin);
        let mut changed = files.clone();
        tree.plant(&mut changed, "C:\\t");
        let failed = propagate(&mut changed, &actor, &new);
        prop_assert!(failed.is_empty(), "{:?}", failed);
        let mut anew = files;
        propagate(&mut anew, &actor, &new);
        tree.plant(&mut anew, "C:\\t");
        for node in &tree.nodes {
            let path = format!("C:\\t\\{}", node.path);
            prop_assert_eq!(sddl(&changed, &path), sddl(&anew, &path), "{}", path);
        }
    }

    /// To propagate again changes nothing more.
    #[test]
    fn propagation_is_idempotent(tree in trees(), new in inheritable()) {
        let Lab { mut files, .. } = with_root();
        tree.plant(&mut files, "C:\\t");
        let mut system = Token::system();
        system.enable(crate::win7::security::Privilege::Restore);
        let actor = Actor::new(&system);
        propagate(&mut files, &actor, &new);
        let once = files.clone();
        propagate(&mut files, &actor, &new);
        prop_assert_eq!(files, once);
    }

    /// What is protected keeps what it has, with all below it; what is not keeps its own entries, and inherits
    /// the rest.
    #[test]
    fn propagation_stops_where_a_dacl_is_protected(tree in trees(), new in inheritable()) {
        let Lab { mut files, admin, .. } = with_root();
        tree.plant(&mut files, "C:\\t");
        let before = files.clone();
        propagate(&mut files, &Actor::new(&admin), &new);
        let is_protected = |path: &str| {
            let node = before.look(path);
            node.and_then(|node| node.descriptor().dacl.as_ref()).is_some_and(|dacl| dacl.is_protected)
        };
        for node in &tree.nodes {
            let path = format!("C:\\t\\{}", node.path);
            let cut = path.match_indices('\\').map(|(at, _)| &path[..at]).skip(2);
            if cut.chain([&*path]).any(is_protected) {
                prop_assert_eq!(sddl(&files, &path), sddl(&before, &path), "{}", path);
            }
            let explicit = |files: &Files| -> Option<Vec<Ace>> {
                let own = files.look(&path)?.descriptor().clone();
                let entries = own.aces()?.iter().filter(|ace| !ace.is_inherited());
                Some(entries.map(|ace| Ace { mask: Kind::File.map(ace.mask), ..ace.clone() }).collect())
            };
            prop_assert_eq!(explicit(&files), explicit(&before), "{}", path);
        }
    }

    /// A fork and what it came from do not see each other's changes.
    #[test]
    fn forks_do_not_see_each_other(tree in trees()) {
        let Lab { files, .. } = with_root();
        let mut fork = files.clone();
        tree.plant(&mut fork, "C:\\t");
        prop_assert_eq!(tree.nodes.is_empty(), fork == files);
        prop_assert!(files.look("C:\\t").is_some_and(|node| node.is_empty()));
    }

    #[test]
    fn every_path_has_an_answer(path in crate::win7::path::strategies::paths()) {
        let Lab { mut files, admin, .. } = lab();
        answer(&mut files, &Actor::new(&admin), &path);
    }
}

/// Every call with a path: none may panic.
fn answer(files: &mut Files, actor: &Actor<'_>, path: &[u16]) {
    let _ = files.attributes(actor, path);
    let _ = files.list(actor, path);
    let _ = files.current_directory(actor, path);
    let _ = files.full_name(actor, path);
    let _ = files.long_name(actor, path);
    let _ = files.short_name(actor, path);
    let _ = files.security(actor, path);
    let _ = files.explain_access(actor, path, Mask(0x2));
    let _ = files.create_junction(actor, path, path);
    let _ = files.create_symbolic_link(actor, path, path, false);
    let _ = files.create_directory(actor, path, None);
    let _ = files.write_file(actor, path, b"x");
    let _ = files.read_file(actor, path);
    let _ = files.rename(actor, path, &units("C:\\there"), true);
    let _ = files.delete_file(actor, path);
    let _ = files.remove_directory(actor, path);
    let _ = files.make_tree(actor, path);
}

#[test]
fn paths_that_are_made_to_hurt_have_an_answer() {
    let long = |unit: &str, times: usize| units(&unit.repeat(times));
    let prefixed = |path: Vec<u16>| units("\\\\?\\C:\\").into_iter().chain(path).collect();
    let mut paths: Vec<Vec<u16>> = Vec::new();
    for piece in [
        "a",
        "a\\",
        "\\",
        "/",
        ".",
        "..\\",
        ". ",
        "\u{4e2d}\\",
        ":",
        "nul\\",
    ] {
        for times in [1, 130, 260] {
            let path = long(piece, times);
            paths.push(prefixed(path.clone()));
            paths.push(units("C:\\").into_iter().chain(path).collect());
        }
    }
    for piece in ["a", ".", "..\\"] {
        paths.push(long(piece, 100_000));
        paths.push(prefixed(long(piece, 100_000)));
    }
    for odd in [0u16, 0xD800, 0xDFFF, 0xFFFF, 1] {
        paths.push(vec![odd]);
        paths.push(vec![odd; 300]);
        paths.push(
            units("C:\\x")
                .into_iter()
                .chain([odd])
                .chain(units("y"))
                .collect(),
        );
        paths.push(prefixed(vec![odd, odd]));
    }
    let Lab { files, admin, .. } = lab();
    for path in paths {
        let mut fork = files.clone();
        answer(&mut fork, &Actor::new(&admin), &path);
    }
}

#[test]
fn a_lone_surrogate_is_a_name_and_a_nul_ends_a_path() {
    let Lab {
        mut files, admin, ..
    } = lab();
    let actor = Actor::new(&admin);
    let mut lone = units("C:\\Windows\\Temp\\");
    lone.push(0xD800);
    files
        .write_file(&actor, &lone, b"x")
        .expect("NTFS takes any unit");
    assert_eq!(
        files.attributes(&actor, &lone).map(|found| found.0),
        Ok(0x20)
    );
    let cut = units("C:\\Windows\\Temp\\short\0 and more");
    files.write_file(&actor, &cut, b"x").expect("it ends there");
    assert!(files.look("C:\\Windows\\Temp\\short").is_some());
    let long: Vec<u16> = units("C:\\").into_iter().chain(vec![97; 100_000]).collect();
    let failed = files.write_file(&actor, &long, b"").expect_err("too long");
    assert_eq!(failed.error, OpenError::PathNotFound);
    let prefixed: Vec<u16> = units("\\\\?\\").into_iter().chain(long).collect();
    let failed = files
        .write_file(&actor, &prefixed, b"")
        .expect_err("too long");
    assert_eq!(failed.error, OpenError::FilenameExcedRange);
}
