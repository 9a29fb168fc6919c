//! Facts beyond the vectors.

use super::*;
use crate::win7::text::CodePage;

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn full_in(path: &str, directory: &str) -> (String, Option<String>) {
    let full = full_path(&wide(path), &wide(directory), |_| None).expect("it is not empty");
    let file = full.file().map(String::from_utf16_lossy);
    (String::from_utf16_lossy(&full.path), file)
}

#[test]
fn full_paths() {
    for (path, wanted, file) in [
        ("c:/test.. /file", "c:\\test.. \\file", Some("file")),
        ("c:/test../file", "c:\\test.\\file", Some("file")),
        ("c:///test\\.\\.\\file//", "c:\\test\\file\\", None),
        ("c:///test\\..\\file\\..\\//", "c:\\", None),
        ("C:\\a\\b\\..", "C:\\a", Some("a")),
        ("C:\\a\\b\\..\\", "C:\\a\\", None),
        ("C:", "C:\\windows", Some("windows")),
        ("C:.", "C:\\windows", Some("windows")),
        (".", "C:\\windows", Some("windows")),
        ("\\\\server\\share", "\\\\server\\share", None),
        ("\\\\server\\share\\..", "\\\\server\\share\\", None),
        ("\\\\server\\share\\a", "\\\\server\\share\\a", Some("a")),
        ("\\\\.\\CONIN$", "\\\\.\\CONIN$", Some("CONIN$")),
        ("lpt1.txt:", "\\\\.\\lpt1", None),
        ("com¹", "C:\\windows\\com¹", Some("com¹")),
    ] {
        let wanted = (wanted.to_owned(), file.map(str::to_owned));
        assert_eq!(full_in(path, "C:\\windows"), wanted, "{path}");
    }
    assert_eq!(full_in("x", "\\\\s\\h\\d").0, "\\\\s\\h\\d\\x");
    assert_eq!(full_in("\\x", "\\\\s\\h\\d").0, "\\\\s\\h\\x");
    assert_eq!(full_in("..\\..\\x", "\\\\s\\h\\d").0, "\\\\s\\h\\x");
    for blank in ["", "   "] {
        assert_eq!(full_path(&wide(blank), &wide("C:\\"), |_| None), None);
    }
}

#[test]
fn a_path_on_another_drive_begins_where_the_process_was_there() {
    let on_drive = |drive: u16| (drive == u16::from(b'D')).then(|| wide("D:\\work"));
    let full = |path: &str| {
        let full = full_path(&wide(path), &wide("C:\\"), on_drive).expect("it is not empty");
        String::from_utf16_lossy(&full.path)
    };
    assert_eq!(full("d:x"), "D:\\work\\x");
    assert_eq!(full("D:"), "D:\\work");
    assert_eq!(full("E:x"), "E:\\x");
}

#[test]
fn what_the_object_manager_is_asked_for() {
    let target =
        |path: &str| nt_path(&wide(path), &wide("C:\\windows"), |_| None).map(|nt| nt.target);
    let drive = |components: &[&str], is_directory| Target::Drive {
        letter: u16::from(b'C'),
        components: components.iter().map(|name| wide(name)).collect(),
        is_directory,
    };
    let device = |name: &str, directory: Option<&str>| Target::Device {
        name: wide(name),
        directory: directory.map(wide),
    };
    for (path, wanted) in [
        ("a\\..\\b.", drive(&["windows", "b"], false)),
        ("c:\\", drive(&[], true)),
        ("\\\\?\\C:\\a\\..\\b.", drive(&["a", "..", "b."], false)),
        ("\\\\?\\c:\\a\\\\b\\", drive(&["a", "", "b"], true)),
        ("\\\\.\\C:\\a\\.\\b", drive(&["a", "b"], false)),
        ("nul", device("nul", None)),
        ("C:\\lab\\nul.txt", device("nul", Some("C:\\lab\\"))),
        ("\\\\?\\C:\\lab\\nul", drive(&["lab", "nul"], false)),
        ("\\\\?\\UNC\\s\\h\\x", Target::Unc(wide("s\\h\\x"))),
        ("\\\\s\\h\\x", Target::Unc(wide("s\\h\\x"))),
        ("\\\\?\\x", device("x", None)),
        ("\\??\\C:\\a\\.", drive(&["a", "."], false)),
        ("\\??", drive(&["??"], false)),
        ("a\0b", drive(&["windows", "a"], false)),
    ] {
        assert_eq!(target(path), Ok(wanted), "{path}");
    }
    assert_eq!(target(""), Err(PathError::Empty));
}

#[test]
fn no_path_is_shortened_to_fit() {
    let length = |path: &str| nt_path(&wide(path), &wide("C:\\"), |_| None).map(|nt| nt.full.len());
    let of = |len: usize| format!("C:\\{}", "x".repeat(len - 3));
    assert_eq!(length(&of(259)), Ok(259));
    assert_eq!(length(&of(260)), Err(PathError::TooLong));
    assert_eq!(length(&format!("\\\\?\\{}", of(260))), Ok(260));
    assert_eq!(length(&format!("\\\\?\\{}", of(32_762))), Ok(32_762));
    assert_eq!(
        length(&format!("\\\\?\\{}", of(32_763))),
        Err(PathError::NameTooLong)
    );
    assert_eq!(length(&of(100_000)), Err(PathError::TooLong));
    // What normalisation takes out does not count.
    assert_eq!(length(&format!("C:\\{}x", ".\\".repeat(1000))), Ok(4));
}

#[test]
fn short_names() {
    let legal = |name: &str| is_legal_8dot3(&wide(name), CodePage::Cp936).is_some();
    for name in ["a", "abcdefgh.txt", "中文中文.中", "PROGRA~1"] {
        assert!(legal(name), "{name}");
    }
    for name in [
        "",
        "abcdefghi",
        "中文中文中",
        "a.",
        "a+b",
        " a",
        "a .b",
        "\u{1F600}",
    ] {
        assert!(!legal(name), "{name}");
    }
    let first = |name: &str, n: usize| -> Vec<String> {
        let all = short_candidates(&wide(name)).take(n);
        all.map(|short| String::from_utf16_lossy(&short)).collect()
    };
    assert_eq!(first("Program Files", 2), ["PROGRA~1", "PROGRA~2"]);
    assert_eq!(first("a+b.c.html", 1), ["A_BC~1.HTM"]);
    let fifth = &first("Program Files", 5)[4];
    assert!(fifth.starts_with("PR") && fifth.ends_with("~1"), "{fifth}");
    for name in ["...", "a..............b", ".x", "\u{4e2d}.\u{4e2d}"] {
        let legal = first(name, 6)
            .iter()
            .all(|short| is_legal_8dot3(&wide(short), CodePage::Cp936).is_some());
        assert!(legal, "{name}: {:?}", first(name, 6));
    }
}
