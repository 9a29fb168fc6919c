use crate::win7::cmd::tools::testing::Bench;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.file("C:\\lab\\a.txt", "one go\r\ntwo\r\nGo three\r\n");
    bench.file("C:\\lab\\b.txt", "go\n");
    bench.file("C:\\lab\\sub\\c.txt", "last go");
    bench
}

#[test]
fn lines_and_what_stands_before_them() {
    let mut bench = bench();
    for (command, printed) in [
        ("findstr go a.txt", "one go\r\n"),
        ("findstr /i go a.txt", "one go\r\nGo three\r\n"),
        ("findstr /vin go a.txt", "2:two\r\n"),
        ("findstr /n /o three a.txt", "3:13:Go three\r\n"),
        ("findstr go *.txt", "a.txt:one go\r\nb.txt:go\n"),
        ("findstr /c:\"one go\" a.txt b.txt", "a.txt:one go\r\n"),
        ("findstr \"one three\" a.txt", "one go\r\nGo three\r\n"),
        (
            "findstr /s /i go *.txt",
            "a.txt:one go\r\na.txt:Go three\r\nb.txt:go\nsub\\c.txt:last go",
        ),
        (
            "findstr /s /m last C:\\lab\\*.txt",
            "C:\\lab\\sub\\c.txt\r\n",
        ),
        ("findstr /e go a.txt", "one go\r\n"),
        ("findstr /b /l two a.txt", "two\r\n"),
        ("findstr /x two a.txt", "two\r\n"),
        ("findstr t.o a.txt", "two\r\n"),
        ("findstr /i \"^[^g]*$\" a.txt", "two\r\n"),
    ] {
        assert_eq!(bench.prints(command), printed, "{command}");
    }
    // No carriage return, no end of a line.
    assert_eq!(bench.fails("findstr go$ b.txt"), (1, String::new()));
    assert_eq!(bench.fails("findstr /c:t.o a.txt"), (1, String::new()));
    assert_eq!(
        bench.fails("findstr go nope.txt"),
        (1, "FINDSTR: Cannot open nope.txt\r\n".into())
    );
    assert_eq!(
        bench.fails("findstr"),
        (2, "FINDSTR: Bad command line\r\n".into())
    );
    let ran = bench.run("findstr /z go b.txt");
    assert_eq!((ran.exit, &*ran.stderr), (0, "FINDSTR: /z ignored\r\n"));
    let long = "x".repeat(300);
    assert_eq!(
        bench.fails(&format!("findstr /r {long} a.txt")),
        (2, "FINDSTR: Out of memory\r\n".into())
    );
}

#[test]
fn the_input_and_files_of_texts() {
    let mut bench = bench();
    bench.input = b"abc\ncba";
    assert_eq!(bench.prints("findstr \"^c\""), "cba\r\n");
    assert_eq!(bench.prints("findstr /r \"a$\""), "cba\r\n");
    bench.file("C:\\lab\\texts", "two\r\nthree\r\n");
    assert_eq!(
        bench.prints("findstr /g:texts a.txt"),
        "two\r\nGo three\r\n"
    );
    bench.file("C:\\lab\\names", "a.txt\r\nsub\\c.txt\r\n");
    assert_eq!(bench.prints("findstr /f:names last"), "sub\\c.txt:last go");
    bench.file("C:\\lab\\中.txt", b"\xd6\xd0\xce\xc4 GOROOT\r\n");
    assert_eq!(bench.prints("findstr 中文 中.txt"), "中文 GOROOT\r\n");
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    let mut bench = bench();
    bench.refuses("findstr /?", "the help text of findstr");
    bench.refuses("findstr /P go *.txt", "findstr /P");
    bench.refuses("findstr /d:sub go *.txt", "findstr /D");
}
