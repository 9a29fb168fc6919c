//! A machine from its own listings: the files of `tests/data/files`, as Windows writes them.

use std::fs;
use std::path::Path;

use crate::Lab;

const FILES: &[&str] = &[
    "scenario.ron",
    "key.reg",
    "dir.txt",
    "saved-acls.txt",
    "icacls.txt",
    "get-acl.txt",
    "sddl.txt",
];

/// A lab with the files in a folder `real`.
fn lab() -> Lab {
    let lab = Lab::new();
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/files");
    fs::create_dir(lab.path("real")).expect("writable");
    for file in FILES {
        fs::copy(from.join(file), lab.path("real").join(file)).expect("a file of the tests");
    }
    lab
}

#[test]
fn listings_of_a_real_machine_become_a_scenarios_base() {
    let lab = lab();
    let said = lab.run(&["run", "real/"]).exits(0);
    assert!(said.contains("5 claims of 1 scenario: 5 Holds"), "{said}");
    // A reproduction carries the files along.
    lab.run(&["run", "real/", "--repro", "real.ron"]).exits(0);
    fs::remove_dir_all(lab.path("real")).expect("it is there");
    lab.run(&["replay", "real.ron", "--exact"]).exits(0);
}

/// Text with UTF-16 in its files read as the command line reads it.
fn edit(lab: &Lab, file: &str, from: &str, to: &str) {
    let path = lab.path("real").join(file);
    let bytes = fs::read(&path).expect("readable");
    let is_wide = bytes.contains(&0);
    let text = match is_wide {
        true => {
            let units = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            String::from_utf16(&units.collect::<Vec<u16>>()).expect("UTF-16")
        }
        false => String::from_utf8(bytes).expect("UTF-8"),
    };
    assert!(text.contains(from), "{file}: {from}");
    let text = text.replacen(from, to, 1);
    let bytes = match is_wide {
        true => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        false => text.into_bytes(),
    };
    fs::write(path, bytes).expect("writable");
}

#[test]
fn what_is_not_understood_is_refused_with_its_file_and_line() {
    for (file, from, to, place, what) in [
        (
            "dir.txt",
            "<DIR>          private",
            "<JUNCTION>     private",
            "dir.txt:9:1",
            "no entry",
        ),
        (
            "dir.txt",
            " Directory of C:\\Tools\r",
            " Verzeichnis von C:\\Tools\r",
            "dir.txt:4:1",
            "no directory",
        ),
        (
            "saved-acls.txt",
            "(A;OICI;FA;;;SY)",
            "(A;OICI;FA;;;XY)",
            "saved-acls.txt:2:1",
            "ERROR_INVALID_SID",
        ),
        (
            "saved-acls.txt",
            "Tools\\readme.txt",
            "Tools\\gone.txt",
            "saved-acls.txt:5:1",
            "C:\\Tools\\gone.txt is not there",
        ),
        (
            "icacls.txt",
            "WORK-PC\\builder:(I)(M)",
            "WORK-PC\\carol:(I)(M)",
            "icacls.txt:10:1",
            "\"WORK-PC\\\\carol\" is not known",
        ),
        (
            "icacls.txt",
            "(D,WDAC,WO)",
            "(D,WDAC,XX)",
            "icacls.txt:6:1",
            "are no rights",
        ),
        (
            "icacls.txt",
            "processing 0",
            "processing 2",
            "icacls.txt:18:1",
            "icacls failed for 2",
        ),
        (
            "get-acl.txt",
            "SOFTWARE\\GoLang",
            "SOFTWARE\\Python",
            "get-acl.txt:12:1",
            "SOFTWARE\\Python: ERROR_FILE_NOT_FOUND",
        ),
        (
            "sddl.txt",
            "O:BA",
            "O:BA\r\nO:SY",
            "sddl.txt:1:1",
            "one descriptor",
        ),
    ] {
        let lab = lab();
        edit(&lab, file, from, to);
        let said = lab.run(&["run", "real/"]).refuses(2);
        assert!(
            said.contains(place) && said.contains(what),
            "{place}: {said}"
        );
    }
}

#[test]
fn a_listing_in_a_code_page_is_refused_with_the_way_out() {
    let lab = lab();
    let path = lab.path("real").join("dir.txt");
    let mut bytes = fs::read(&path).expect("readable");
    // 工具 in code page 936.
    let at = bytes
        .windows(5)
        .position(|five| five == b"Tools")
        .expect("it is there");
    bytes.splice(at..at + 5, [0xB9, 0xA4, 0xBE, 0xDF]);
    fs::write(path, bytes).expect("writable");
    let said = lab.run(&["run", "real/"]).refuses(2);
    assert!(said.contains("line 4 is not UTF-8"), "{said}");
    assert!(said.contains("iconv -f gbk -t utf-8"), "{said}");
}

#[test]
fn accounts_take_the_place_of_accounts_that_exist() {
    let lab = lab();
    edit(
        &lab,
        "scenario.ron",
        "\"WORK-PC\\\\builder\": \"alice\"",
        "\"WORK-PC\\\\builder\": \"bob\"",
    );
    let said = lab.run(&["run", "real/"]).refuses(2);
    assert!(said.contains("\"bob\" is no account"), "{said}");
    assert!(said.contains("scenario.ron:17:"), "{said}");
}

#[test]
fn an_access_on_that_machine_is_explained() {
    let lab = lab();
    let ask = |args: &[&str]| {
        let common = ["explain-access", "--scenario", "real/"];
        let said = lab.run(&[&common, args].concat()).exits(0);
        said.split_whitespace().collect::<Vec<&str>>().join(" ")
    };
    let go = "C:\\Tools\\Go 1.15\\bin\\go.exe";
    let said = ask(&[go, "--access", "WRITE_DAC"]);
    let refused = "refused, ERROR_ACCESS_DENIED (5): WRITE_DAC denied by ACE 1 (D;;SDWDWO;;;WD)";
    assert!(said.ends_with(refused), "{said}");
    let said = ask(&[go, "--access", "modify", "--as", "admin"]);
    // The directory lets administrators delete what is in it, so DELETE is not asked of the file's own DACL.
    assert!(
        said.contains("DELETE by FILE_DELETE_CHILD on the parent"),
        "{said}"
    );
    assert!(said.contains("granted 0x1301bf"), "{said}");
    let said = ask(&["C:\\Tools\\private\\id_rsa", "--access", "RX"]);
    let granted = "ACE 2 (A;ID;FA;;;alice) inherited from C:\\Tools\\private: grants alice";
    assert!(said.contains(granted), "{said}");
    let said = ask(&[
        "HKLM\\SOFTWARE\\GoLang",
        "--as",
        "SYSTEM",
        "--access",
        "KEY_SET_VALUE",
    ]);
    assert!(said.contains("denied by ACE 1 (D;CI;DCLC;;;SY)"), "{said}");
    let said = ask(&["C:\\Tools", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(json["granted"], "0x1301bf", "{said}");
}

#[test]
fn what_cannot_be_explained_is_said() {
    let lab = Lab::new();
    for (args, said) in [
        (&["C:\\nope"][..], "ERROR_FILE_NOT_FOUND"),
        (&["C:\\", "--as", "bob"], "there is no account \"bob\""),
        (&["C:\\", "--access", "FILE_ADD_FIEL"], "is no access"),
        (&["C:\\", "--sddl", "D:(X)"], "ERROR_INVALID_ACL"),
        (&["C:\\", "--scenario", "goroot-race"], "no Windows machine"),
        (
            &["C:\\", "--scenario", "c-go-acl", "--arm", "none"],
            "has no arm \"none\"",
        ),
    ] {
        let refused = lab.run(&[&["explain-access"], args].concat()).refuses(2);
        assert!(refused.contains(said), "{refused}");
    }
}
