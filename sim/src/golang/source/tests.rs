use proptest::prelude::*;

use super::*;

const RELEASE: Release = Release(1, 19, 8);

fn said(tool: Tool, bytes: &[u8]) -> (u8, String) {
    let verdict = check(tool, RELEASE, bytes).expect("no question of types");
    (verdict.exit, verdict.message.unwrap_or_default())
}

fn run(bytes: &[u8]) -> (u8, String) {
    said(Tool::Run, bytes)
}

const GOOD: (u8, &str) = (0, "");

#[test]
fn the_place_of_bad_bytes_decides_who_complains() {
    let in_text = b"package main\n\nfunc main() {\n\tprintln(\"\xc4\xe3\")\n}\n";
    let in_header = b"package main\n\n// \xc4\xe3\nfunc main() {}\n";
    let everyone = [
        (Tool::Run, 2, ".\\main.go:4:11: invalid UTF-8 encoding"),
        (Tool::Build, 2, ".\\main.go:4:11: invalid UTF-8 encoding"),
        (Tool::Vet, 2, "vet: .\\main.go:4:11: illegal UTF-8 encoding"),
        (Tool::List, 0, ""),
        (Tool::Gofmt, 2, "main.go:4:11: illegal UTF-8 encoding"),
    ];
    for (tool, exit, message) in everyone {
        assert_eq!(said(tool, in_text), (exit, message.into()), "{tool:?}");
    }
    for tool in [Tool::Run, Tool::Build, Tool::Vet, Tool::List] {
        assert_eq!(
            said(tool, in_header),
            (1, "main.go:3:4: illegal UTF-8 encoding".into())
        );
    }
    assert_eq!(said(Tool::Gofmt, in_header).0, 2);
}

#[test]
fn later_releases_end_with_another_code() {
    let bytes = b"package main\n\nfunc main() { println(\"\xff\") }\n";
    assert_eq!(check(Tool::Run, Release(1, 20, 14), bytes).unwrap().exit, 1);
    assert_eq!(check(Tool::Run, Release(1, 15, 15), bytes).unwrap().exit, 2);
}

#[test]
fn texts_in_utf8_are_right() {
    let good: &[&str] = &[
        "package main\n\n// 你好\nfunc main() {\n\t变量 := `多\n行`\n\t_ = 变量 + \"😀\\u4f60\\xff\\n\"\n\t_ = '界'\n}\n",
        "\u{feff}package main\r\n\r\nimport (\r\n\t. \"fmt\"\r\n\tx \"os\" // 注释\r\n)\r\n\r\nfunc main() { Println(x.Args[0:1]...) }\r\n",
        "package main; import `fmt`; func main() { /* 你 */ fmt.Println(1.5e-3, 0x1p-2, 'a', a[1:].b, x...) }",
        "/* a\n */ package main /* b */\nfunc main() { for i := range []int{} { i++ } }\n",
    ];
    for text in good {
        for tool in [Tool::Run, Tool::Vet, Tool::List, Tool::Gofmt] {
            assert_eq!(
                said(tool, text.as_bytes()),
                (GOOD.0, GOOD.1.into()),
                "{text}"
            );
        }
    }
}

#[test]
fn other_encodings_meet_the_import_reader() {
    let text = "package main\n\nfunc main() {}\n";
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let nul = (1, "go: reading main.go: unexpected NUL in input".into());
    for bytes in [
        &little,
        &big,
        &[&b"\xff\xfe"[..], &little].concat(),
        &[&b"\xfe\xff"[..], &big].concat(),
    ] {
        assert_eq!(run(bytes), nul);
    }
    assert_eq!(
        run(b""),
        (1, "main.go:1:1: expected 'package', found 'EOF'".into())
    );
    assert_eq!(
        run(b"hello\n"),
        (1, "main.go:1:1: expected 'package', found hello".into())
    );
    assert_eq!(
        run(b"package lib\n"),
        (
            1,
            "package command-line-arguments is not a main package".into()
        )
    );
}

#[test]
fn each_kind_of_mistake_has_its_words() {
    let inside = |body: &str| run(format!("package main\n\nfunc main() {{ {body} }}\n").as_bytes());
    let cases = [
        ("x（1）", "3:15: undefined: x（1）"),
        ("x² := 1", "3:15: x² declared but not used"),
        ("println「x」", "3:15: undefined: println「x」"),
        ("，", "3:15: invalid character U+FF0C '，' in identifier"),
        ("\u{3000}x", "3:15: invalid character U+3000 in identifier"),
        ("\u{a0}", "3:15: invalid character U+00A0 in identifier"),
        ("１", "3:15: identifier cannot begin with digit U+FF11 '１'"),
        ("a # b", "3:17: invalid character U+0023 '#'"),
        ("a\\b", "3:16: invalid character U+005C '\\'"),
        ("'你好'", "3:15: more than one character in rune literal"),
        ("''", "3:16: empty rune literal or unescaped '"),
        ("\"\\中\"", "3:17: unknown escape"),
        (
            "\"\\x4中\"",
            "3:19: invalid character '中' in hexadecimal escape",
        ),
        ("\"\\777\"", "3:20: octal escape value 511 > 255"),
        (
            "\"\\ud800\"",
            "3:22: escape is invalid Unicode code point U+D800",
        ),
        (
            "\"a\u{feff}\"",
            "3:17: invalid BOM in the middle of the file",
        ),
    ];
    for (body, message) in cases {
        assert_eq!(inside(body), (2, format!(".\\main.go:{message}")), "{body}");
    }
    assert_eq!(inside("\"你好”").1, ".\\main.go:3:27: newline in string");
    assert_eq!(inside("`a").1, ".\\main.go:3:15: string not terminated");
    assert_eq!(inside("/* a").1, ".\\main.go:3:15: comment not terminated");
}

#[test]
fn types_decide_where_a_bad_character_is_within_a_name() {
    let unknown = check(
        Tool::Run,
        RELEASE,
        "package main\n\nvar x，y int\n\nfunc main() {}\n".as_bytes(),
    );
    assert_eq!(unknown.map_err(|unknown| unknown.place), Err((3, 5)));
    let twice = "package main\n\nfunc main() { e\u{301} := 1; _ = e\u{301} }\n";
    assert_eq!(
        run(twice.as_bytes()).1,
        ".\\main.go:3:16: invalid character U+0301 '\u{301}' in identifier"
    );
}

#[test]
fn imports_are_parsed_by_the_loader() {
    let cases: &[(&[u8], &str)] = &[
        (
            "package main\n\nimport “fmt”\n".as_bytes(),
            "3:8: illegal character U+201C '“'",
        ),
        (
            b"package main\n\nimport \"a b\"\n",
            "3:8: invalid import path: \"a b\"",
        ),
        (b"package \xc4\xe3\n", "1:9: illegal UTF-8 encoding"),
        (
            b"package main\n\nimport (\n\t\"fmt\"\n\t// \xc4\n\t\"os\"\n)\n",
            "5:5: illegal UTF-8 encoding",
        ),
        (
            "package main\n\nimport （\n".as_bytes(),
            "3:8: illegal character U+FF08 '（'",
        ),
        (
            b"package main import \"fmt\"\n",
            "1:14: expected ';', found 'import'",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(run(bytes), (1, format!("main.go:{message}")));
    }
    // The leading mark is not part of the loader's columns, and is part of the compiler's.
    assert_eq!(
        run(b"\xef\xbb\xbf// \xc4\npackage main\n").1,
        "main.go:1:4: illegal UTF-8 encoding"
    );
    assert_eq!(
        run(b"\xef\xbb\xbfpackage main; func main() { println(\"\xc4\") }").1,
        ".\\main.go:1:41: invalid UTF-8 encoding"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_judged(bytes in any::<Vec<u8>>()) {
        for tool in [Tool::Run, Tool::Vet, Tool::List, Tool::Gofmt] {
            if let Ok(verdict) = check(tool, RELEASE, &bytes) {
                prop_assert_eq!(verdict.exit == 0, verdict.message.is_none());
            }
        }
    }

    #[test]
    fn any_body_is_judged(body in prop::collection::vec(prop::sample::select(
        &b"\"'`\\/*\n\x00\xc4\xe3\xef\xbb\xbf.0x_a; (){}#"[..]), 0..40)) {
        let source = [&b"package main\nfunc main() {"[..], &body, b"}"].concat();
        for tool in [Tool::Run, Tool::Gofmt] {
            let _ = check(tool, RELEASE, &source);
        }
    }

    /// Bytes that are no UTF-8 are always noticed, wherever they are.
    #[test]
    fn no_bad_byte_passes(before in "[a-z \n(){}]{0,20}", bad in 0x80u8..=0xff, after in "[ \na-z]{0,8}") {
        let source = [b"package main\n\n", before.as_bytes(), &[bad], after.as_bytes()].concat();
        prop_assert!(check(Tool::Run, RELEASE, &source).is_ok_and(|verdict| verdict.exit != 0)
            || check(Tool::Run, RELEASE, &source).is_err());
    }
}
