use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::win7::cmd::messages::Language;
use crate::win7::cmd::tools::testing::Bench;
use crate::win7::files::Actor;
use crate::win7::registry::units;
use crate::win7::security::{Kind, Mask, access_check};

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.file("C:\\lab\\d\\a.txt", "x");
    bench.file("C:\\lab\\d\\sub\\b.txt", "x");
    bench
}

fn done(files: u32) -> String {
    format!("Successfully processed {files} files; Failed processing 0 files\r\n")
}

#[test]
fn a_listing_of_the_system_volume() {
    let mut bench = bench();
    let wanted = "C:\\Program Files NT SERVICE\\TrustedInstaller:(F)\r\n                 NT SERVICE\\TrustedInstaller:(CI)(IO)(F)\r\n";
    assert!(
        bench
            .prints("icacls \"C:\\Program Files\"")
            .starts_with(wanted)
    );
    let shown = bench.prints("icacls d\\a.txt");
    let wanted = format!(
        "d\\a.txt BUILTIN\\Administrators:(I)(F)\r\n        NT AUTHORITY\\SYSTEM:(I)(F)\r\n        \
         BUILTIN\\Users:(I)(RX)\r\n        NT AUTHORITY\\Authenticated Users:(I)(M)\r\n\r\n{}",
        done(1)
    );
    assert_eq!(shown, wanted);
    bench.language = Language::Chinese;
    assert!(
        bench
            .prints("icacls d")
            .ends_with("\r\n\r\n已成功处理 1 个文件; 处理 0 个文件时失败\r\n")
    );
}

#[test]
fn grants_reach_what_is_below_and_denials_bite() {
    let mut bench = bench();
    let ran = bench.run("icacls d /grant alice:(OI)(CI)F");
    assert_eq!(
        (ran.exit, ran.stdout),
        (0, format!("processed file: d\r\n{}", done(1)))
    );
    let below: Vec<_> = ran
        .operations
        .iter()
        .filter(|one| one.starts_with("inherit"))
        .collect();
    assert_eq!(
        below.len(),
        3,
        "a.txt, sub and b.txt, each by itself: {:?}",
        ran.operations
    );
    let computer = bench.machine.computer().name;
    let shown = bench.prints("icacls d\\sub\\b.txt");
    assert!(
        shown.contains(&format!("{computer}\\alice:(I)(F)\r\n")),
        "{shown}"
    );
    bench.prints("icacls d\\a.txt /deny *S-1-5-32-545:(RD)");
    let alice = bench.machine.caller("alice").expect("she is there");
    let node = bench
        .machine
        .files
        .look("C:\\lab\\d\\a.txt")
        .expect("it is there");
    let refused = access_check(alice.token(), node.descriptor(), Kind::File, Mask(1));
    assert!(refused.is_err());
    bench.prints("icacls d\\a.txt /remove:d Users");
    let node = bench
        .machine
        .files
        .look("C:\\lab\\d\\a.txt")
        .expect("it is there");
    assert!(access_check(alice.token(), node.descriptor(), Kind::File, Mask(1)).is_ok());
    bench.prints("icacls d /inheritance:r /grant:r admin:(OI)(CI)F");
    let shown = bench.prints("icacls d");
    let wanted = format!(
        "d {computer}\\admin:(OI)(CI)(F)\r\n  {computer}\\alice:(OI)(CI)(F)\r\n\r\n{}",
        done(1)
    );
    assert_eq!(shown, wanted);
    bench.prints("icacls d /reset /T /Q");
    let shown = bench.prints("icacls d\\sub");
    assert!(
        shown.contains("NT AUTHORITY\\SYSTEM:(I)(F)") && !shown.contains("alice"),
        "{shown}"
    );
}

#[test]
fn owners_levels_and_looking_for_accounts() {
    let mut bench = bench();
    bench.prints("icacls d\\a.txt /setowner SYSTEM");
    let node = bench
        .machine
        .files
        .look("C:\\lab\\d\\a.txt")
        .expect("it is there");
    assert_eq!(
        node.descriptor().owner.map(|sid| sid.account()).as_deref(),
        Some("NT AUTHORITY\\SYSTEM")
    );
    bench.prints("icacls d\\a.txt /setintegritylevel L");
    assert!(
        bench
            .prints("icacls d\\a.txt")
            .contains("Mandatory Label\\Low Mandatory Level:(NW)")
    );
    let found = bench.prints("icacls d /findsid Users /T");
    assert!(
        found.starts_with("SID Found: d.\r\nSID Found: d\\a.txt.\r\n"),
        "{found}"
    );
    assert_eq!(bench.prints("icacls d /verify /t"), done(4));
}

#[test]
fn failures() {
    let mut bench = bench();
    let missing = bench.run("icacls nope");
    assert_eq!(missing.exit, 2);
    assert_eq!(
        missing.stderr,
        "nope: The system cannot find the file specified.\r\n"
    );
    assert_eq!(
        missing.stdout,
        "Successfully processed 0 files; Failed processing 1 files\r\n"
    );
    let unknown = bench.run("icacls d /grant nobody:F");
    assert_eq!(unknown.exit, 1332);
    let text = "nobody: No mapping between account names and security IDs was done.\r\n";
    assert_eq!(unknown.stderr, text);
    assert_eq!(
        bench.fails("icacls d /grant alice:Q"),
        (87, "Invalid parameter \"alice:Q\"\r\n".into())
    );
    bench.user = "alice";
    let (code, text) = bench.fails("icacls C:\\Windows /grant alice:F");
    assert_eq!((code, &*text), (5, "C:\\Windows: Access is denied.\r\n"));
    bench.refuses("icacls d /substitute a b /restore f", "icacls /substitute");
    bench.refuses("icacls /?", "the help text of icacls");
}

#[test]
fn what_is_saved_is_restored() {
    let fresh = bench();
    let permission = "(\\(OI\\)|\\(CI\\)|\\(IO\\)|\\(NP\\)){0,3}(F|M|RX|R|W|\\(DE,RC\\))";
    let action = format!("(/grant|/deny) (alice|Users|Everyone|\\*S-1-5-21-1-2-3-4):{permission}");
    let target = "(d|d\\\\sub|d\\\\a\\.txt)";
    let command = format!("{target} ({action}|/inheritance:[edr]|/reset)");
    let commands = prop::collection::vec(
        proptest::string::string_regex(&command).expect("it is one"),
        1..4,
    );
    let spoiling = proptest::string::string_regex(&command).expect("it is one");
    let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
    let law = |(commands, spoiling): (Vec<String>, String)| {
        let mut bench = fresh.clone();
        bench.user = "SYSTEM";
        for command in commands {
            bench.run(&format!("icacls {command}"));
        }
        let saved = bench.run("icacls d /save acls /T /C");
        prop_assume!(saved.exit == 0);
        let lists = |bench: &Bench| {
            ["d", "d\\a.txt", "d\\sub", "d\\sub\\b.txt"].map(|path| {
                let node = bench
                    .machine
                    .files
                    .look(&format!("C:\\lab\\{path}"))
                    .expect("it is there");
                let descriptor = node.descriptor();
                let aces: Vec<String> = descriptor
                    .aces()
                    .unwrap_or_default()
                    .iter()
                    .map(|ace| ace.icacls())
                    .collect();
                (descriptor.dacl.as_ref().map(|dacl| dacl.is_protected), aces)
            })
        };
        let before = lists(&bench);
        bench.run(&format!("icacls {spoiling}"));
        // Whoever takes backups may write what a list refuses: SYSTEM owns nothing here, so give it a way.
        bench.machine.files = {
            let mut files = bench.machine.files.clone();
            let token = crate::win7::security::Token::system();
            let actor = Actor::new(&token);
            for path in ["d", "d\\a.txt", "d\\sub", "d\\sub\\b.txt"] {
                let path = units(&format!("C:\\lab\\{path}"));
                let _ = files.edit_outside(&path, |node| {
                    let mut open = (**node.descriptor()).clone();
                    open.owner = Some(token.user());
                    node.set_descriptor(open.into());
                });
            }
            let _ = actor;
            files
        };
        let restored = bench.run("icacls . /restore acls");
        prop_assert_eq!((restored.exit, &*restored.stderr), (0, ""));
        prop_assert_eq!(lists(&bench), before);
        Ok(())
    };
    runner.run(&(commands, spoiling), law).expect("it is a law");
}

#[test]
fn any_bytes_are_a_file_to_restore() {
    let fresh = bench();
    let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..60),
        "(d|a|\r\n|D:|\\(A;;FA;;;BU\\)){0,8}".prop_map(|text: String| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        }),
    ];
    let law = |bytes: Vec<u8>| {
        let mut bench = fresh.clone();
        bench.file("C:\\lab\\acls", &bytes);
        let ran = bench.run("icacls . /restore acls /C");
        prop_assert!(ran.unsupported.is_empty());
        Ok(())
    };
    runner.run(&bytes, law).expect("it has an answer for each");
}
