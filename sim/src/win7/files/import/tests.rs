//! Listings as real tools write them, and damaged ones.

use proptest::prelude::*;

use super::*;
use crate::win7::security::strategies::aces;
use crate::win7::security::{Ace, Acl, Kind, Sid, defaults};
use crate::win7::text::CodePage;

const DIR: &str = " Volume in drive C has no label.\r
 Volume Serial Number is 1234-ABCD\r
\r
 Directory of C:\\Go\r
\r
2010-11-21  11:24    <DIR>          .\r
2010-11-21  11:24    <DIR>          ..\r
2010-11-21  11:24    <DIR>          bin\r
07/14/2009  09:39 AM                 8 VERSION file\r
               1 File(s)              8 bytes\r
\r
 Directory of C:\\Go\\bin\r
\r
2010-11-21  11:24        13,952,000 go.exe\r
\r
     Total Files Listed:\r
               2 File(s)     13,952,008 bytes\r
               3 Dir(s)   1,000,000 bytes free\r
";

const CHINESE: &str = " 驱动器 C 中的卷没有标签。
 卷的序列号是 1234-ABCD

 C:\\工具 的目录

2010/11/21  11:24    <DIR>          .
2010/11/21  11:24    <DIR>          ..
2010/11/21  11:24            12,345 说明.txt
               1 个文件         12,345 字节

     所列文件总数:
               1 个文件         12,345 字节
               2 个目录 10,000,000,000 可用字节
";

#[test]
fn a_directory_listing_becomes_a_tree() {
    let listed = directory_listing(DIR).expect("dir writes so");
    let mut files = Files::windows_7(&[], CodePage::Cp936);
    files.add_listed(&listed).expect("it has a place");
    let version = files.look("C:\\Go\\VERSION file").expect("it was listed");
    assert_eq!(version.len_in_bytes(), Some(8));
    assert!(version.is_listed(), "what it holds is not known");
    let go = files.look("C:\\Go\\bin\\go.exe").expect("it was listed");
    assert_eq!(go.len_in_bytes(), Some(13_952_000));
    let listed = directory_listing(CHINESE).expect("dir writes so in Chinese");
    files.add_listed(&listed).expect("it has a place");
    let text = files.look("C:\\工具\\说明.txt").expect("it was listed");
    assert_eq!(text.len_in_bytes(), Some(12_345));
    // What is written to it is known.
    let system = Token::system();
    let path = units("C:\\工具\\说明.txt");
    files
        .write_file(&Actor::new(&system), &path, b"x")
        .expect("SYSTEM may");
    let text = files.look("C:\\工具\\说明.txt").expect("it is there");
    assert!(!text.is_listed() && text.len_in_bytes() == Some(1));
}

#[test]
fn links_in_a_directory_listing_lead_where_they_say() {
    let text = DIR.replace(
        "2010-11-21  11:24    <DIR>          bin\r",
        "2010-11-21  11:24    <DIR>          bin\r
2010-11-21  11:24    <JUNCTION>     old [C:\\Go\\bin]\r
2010-11-21  11:24    <SYMLINKD>     rel [.\\bin]\r
2010-11-21  11:24    <SYMLINK>      go [bin\\go.exe]\r",
    );
    let listed = directory_listing(&text).expect("dir writes so");
    let mut files = Files::windows_7(&[], CodePage::Cp936);
    files.add_listed(&listed).expect("it has a place");
    for path in ["C:\\Go\\old\\go.exe", "C:\\Go\\rel\\go.exe", "C:\\Go\\go"] {
        let go = files.look(path).expect(path);
        assert_eq!(go.len_in_bytes(), Some(13_952_000), "{path}");
    }
}

#[test]
fn a_line_of_a_directory_listing_that_is_none_is_refused() {
    for (from, to, line, what) in [
        (
            "<DIR>          bin",
            "<JUNCTION>     bin C:\\y",
            8,
            "no entry",
        ),
        (
            "<DIR>          bin",
            "<DIR>          BIN~1        bin",
            8,
            "column",
        ),
        ("8 VERSION", "8              VERSION", 9, "column"),
        (
            "2010-11-21  11:24        13",
            "11:24        13",
            14,
            "no entry",
        ),
        (
            " Directory of C:\\Go\r",
            " Directory Go\r",
            4,
            "no directory",
        ),
    ] {
        assert!(DIR.contains(from), "{from}");
        let flaw = directory_listing(&DIR.replacen(from, to, 1)).expect_err(to);
        assert_eq!(flaw.line, line, "{flaw}");
        assert!(flaw.what.contains(what), "{flaw}");
    }
    assert_eq!(directory_listing("").expect_err("nothing").line, 1);
    let wrong = DIR.replace("VERSION file", "VER*SION");
    let listed = directory_listing(&wrong).expect("the lines are entries");
    let mut files = Files::windows_7(&[], CodePage::Cp936);
    assert_eq!(files.add_listed(&listed).expect_err("no name").line, 9);
}

#[test]
fn saved_acls_become_descriptors() {
    let saved = "\u{feff}Go\r\nD:AI(A;ID;FA;;;BA)\r\nGo\\bin\r\nD:PAI(A;OICI;FA;;;SY)\r\n";
    let read = saved_acls(saved).expect("icacls writes so");
    let mut files = Files::windows_7(&[], CodePage::Cp936);
    let token = Token::system();
    files
        .make_tree(&Actor::new(&token), &units("C:\\Go\\bin"))
        .expect("by any means");
    for one in &read {
        let path = one.path.as_deref().expect("each has a name");
        assert!(files.put_security(&units(&format!("C:\\{path}")), &one.descriptor));
    }
    let sddl = |path| files.look(path).map(|node| node.descriptor().sddl());
    let wanted = "O:BAG:SYD:AI(A;ID;FA;;;BA)";
    assert_eq!(sddl("C:\\Go").as_deref(), Some(wanted));
    let wanted = "O:BAG:SYD:PAI(A;OICI;FA;;;SY)";
    assert_eq!(sddl("C:\\Go\\bin").as_deref(), Some(wanted));
    assert_eq!(saved_acls("Go\nD:(X)\n").expect_err("no SDDL").line, 2);
    assert_eq!(saved_acls("Go\n").expect_err("no DACL").line, 1);
    let shifted = "Go\nD:(A;;FA;;;BA)\nD:(A;;FA;;;BA)\nGo\\bin\n";
    assert_eq!(saved_acls(shifted).expect_err("a name lacks").line, 3);
}

#[test]
fn what_get_acl_prints_becomes_descriptors() {
    let listed = "\r
\r
Path   : Microsoft.PowerShell.Core\\FileSystem::C:\\Program Files (x86)\\Go\r
Owner  : BUILTIN\\Administrators\r
Group  : PC\\None\r
Access : NT AUTHORITY\\SYSTEM Allow  FullControl\r
         BUILTIN\\Users Allow  ReadAndExecute, Synchronize\r
Audit  : \r
Sddl   : O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;\r
         0x1200a9;;;BU)\r
\r
Path : Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SOFTWARE\\Go
Sddl : O:BAD:PAI(A;CI;KA;;;BA)
";
    let read = get_acl(listed).expect("Format-List writes so");
    let shown: Vec<(usize, Option<&str>, String)> = read
        .iter()
        .map(|one| (one.line, one.path.as_deref(), one.descriptor.sddl()))
        .collect();
    let wanted = [
        (
            3,
            Some("C:\\Program Files (x86)\\Go"),
            "O:BAG:SYD:AI(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)".into(),
        ),
        (
            12,
            Some("HKEY_LOCAL_MACHINE\\SOFTWARE\\Go"),
            "O:BAD:PAI(A;CI;KA;;;BA)".into(),
        ),
    ];
    assert_eq!(shown, wanted);
    for (text, line) in [
        ("O:BAG:SY\nnonsense\n", 2),
        ("Path : C:\\a\nPath : C:\\b\n", 2),
        ("Path : C:\\Program\n       Files\n", 2),
        ("Path : C:\\a\n", 1),
        ("    D:P\n", 1),
    ] {
        assert_eq!(get_acl(text).expect_err(text).line, line, "{text}");
    }
}

/// A descriptor as `icacls` lists it.
fn listing(path: &str, descriptor: &Descriptor) -> String {
    let labels = descriptor.sacl.iter().flat_map(|acl| acl.entries());
    let entries = descriptor.aces().unwrap_or_default().iter().chain(labels);
    let mut text = String::new();
    for (at, ace) in entries.enumerate() {
        let before = match at {
            0 => format!("{path} "),
            _ => " ".repeat(path.chars().count() + 1),
        };
        text.push_str(&format!(
            "{before}{}:{}\r\n",
            ace.sid.account(),
            ace.icacls()
        ));
    }
    text + "\r\nSuccessfully processed 1 files; Failed processing 0 files\r\n"
}

fn mapped(entries: &[Ace]) -> Vec<Ace> {
    let map = |ace: &Ace| Ace {
        mask: Kind::File.map(ace.mask),
        ..ace.clone()
    };
    entries.iter().map(map).collect()
}

#[test]
fn an_icacls_listing_is_what_it_prints() {
    let root = defaults::descriptor(defaults::SYSTEM_ROOT);
    for path in ["C:\\", "C:\\x y", "C:\\工具 2"] {
        let read = icacls(&listing(path, &root), |_| None).expect("icacls writes so");
        assert_eq!(read[0].path.as_deref(), Some(path));
        let read = &read[0].descriptor;
        let wanted = root.aces().expect("it has some");
        assert_eq!(mapped(read.aces().expect("it has some")), mapped(wanted));
        assert_eq!(read.label(), root.label());
        assert_eq!(
            read.sacl.as_ref().map(Acl::entries),
            root.sacl.as_ref().map(Acl::entries)
        );
    }
    let users = "C:\\x y PC\\bob:(DENY)(W)\r\n       BUILTIN\\Users:(Rc,S,RD)\r\n";
    let bob = |name: &str| (name == "PC\\bob").then_some(Sid::INTERACTIVE);
    let one = icacls(users, bob).expect("it is known");
    let shown = (one[0].path.as_deref(), one[0].descriptor.sddl());
    let wanted = "D:PAI(D;;FW;;;IU)(A;;0x120001;;;BU)";
    assert_eq!(shown, (Some("C:\\x y"), wanted.into()));
    for (text, line) in [
        ("C:\\x PC\\bob:(F)\r\n", 1),
        ("C:\\x Everyone:(F)\r\n     PC\\bob:(F)\r\n", 2),
        ("C:\\x Everyone:(ZZ)\r\n", 1),
        ("C:\\x Everyone:(NW)\r\n", 1),
        ("C:\\x: Access is denied.\r\n", 1),
        ("     Everyone:(F)\r\n", 1),
        (
            "Successfully processed 1 files; Failed processing 2 files\r\n",
            1,
        ),
    ] {
        assert_eq!(icacls(text, |_| None).expect_err(text).line, line, "{text}");
    }
}

proptest! {
    /// What `icacls` lists of any DACL is read as that DACL, but for the two things that it does not list:
    /// whether it is protected, and generic rights apart from those that they come to.
    #[test]
    fn any_dacl_is_what_icacls_lists(entries in prop::collection::vec(aces(), 1..6)) {
        let wanted = mapped(&entries);
        let descriptor = Descriptor { dacl: Some(Acl::new(entries)), ..Descriptor::default() };
        let text = listing("C:\\Program Files\\x", &descriptor);
        let read = icacls(&text, |_| None).expect("every account is known");
        prop_assert_eq!(read[0].path.as_deref(), Some("C:\\Program Files\\x"));
        prop_assert_eq!(mapped(read[0].descriptor.aces().expect("it has some")), wanted, "{}", text);
    }

    #[test]
    fn every_text_has_an_answer(
        text in "([ -~中\r\n]|:\\(|Everyone|\\(I\\)|<DIR>|Path : |Sddl : |D:\\(A;|2010-11-21  11:24 | Directory of C:){0,80}"
    ) {
        let _ = (saved_acls(&text), get_acl(&text), icacls(&text, |_| None));
        if let Ok(listed) = directory_listing(&text) {
            let mut files = Files::windows_7(&[], CodePage::Cp936);
            let _ = files.add_listed(&listed);
        }
    }
}
