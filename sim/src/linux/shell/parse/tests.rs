use super::*;

fn refused(script: &str) -> (String, u32, u32) {
    match parse(script.as_bytes()) {
        Err(ParseError::Refused(refused)) => {
            (refused.construct.to_string(), refused.line, refused.column)
        }
        other => panic!("{script}: {other:?}"),
    }
}

fn syntax(script: &str) -> (String, u32, u32) {
    match parse(script.as_bytes()) {
        Err(ParseError::Syntax {
            message,
            line,
            column,
        }) => (message.to_string(), line, column),
        other => panic!("{script}: {other:?}"),
    }
}

#[test]
fn what_is_not_supported_is_refused_with_its_place() {
    for (script, construct, line, column) in [
        ("echo a\na=(1 2)", "an array", 2, 1),
        ("a[1]=2", "an array element", 1, 1),
        ("echo ${a[1]}", "an array element", 1, 6),
        ("cat <(echo a)", "process substitution", 1, 5),
        ("echo hi\n  time ls", "time", 2, 3),
        ("select x in a; do :; done", "select", 1, 1),
        ("coproc cat", "coproc", 1, 1),
        ("echo \"pid $$\"", "$$", 1, 11),
        ("x=$RANDOM", "$RANDOM", 1, 3),
        ("echo ${x/a/b}", "${name/pattern/text}", 1, 6),
        ("echo ${x:1:2}", "${name:offset}", 1, 6),
        ("echo ${x^^}", "${name^} and ${name,}", 1, 6),
        ("echo ${!x}", "${!name}", 1, 6),
        ("[[ a =~ b ]]", "=~", 1, 6),
        ("echo ~root", "~name", 1, 6),
        ("echo $[1+1]", "$[ ]", 1, 6),
        ("echo @(a|b)", "an extended pattern", 1, 6),
        ("x=$(cat <<E\na\nE\n)", "a here-document inside $( )", 1, 9),
        (
            "echo \\\n  \"$(echo ${x//a})\"",
            "${name/pattern/text}",
            2,
            11,
        ),
        ("exec 12> f", "a descriptor above 9", 1, 6),
        ("exec {fd}> f", "a descriptor in a variable", 1, 6),
        (
            "case x in if) :;; esac",
            "a reserved word as a pattern",
            1,
            11,
        ),
        ("((a; b))", "`((' that is not arithmetic", 1, 1),
        (
            "echo {1..1000000}",
            "a brace expansion to more than 100000 words",
            1,
            6,
        ),
        ("echo $'\\u263a'", "this escape in $' '", 1, 9),
        ("a\u{e000}", "the character U+E000", 1, 2),
    ] {
        assert_eq!(
            refused(script),
            (construct.to_string(), line, column),
            "{script}"
        );
    }
    let binary = parse(b"echo\n\xff").unwrap_err();
    assert!(
        binary
            .to_string()
            .starts_with("line 2, column 1: a script that is not UTF-8")
    );
}

#[test]
fn syntax_errors_have_their_place() {
    for (script, message, line, column) in [
        (
            "echo a\necho b; )",
            "syntax error near unexpected token `)'",
            2,
            9,
        ),
        (
            "if true; then\n",
            "syntax error: unexpected end of file",
            2,
            1,
        ),
        ("done", "syntax error near unexpected token `done'", 1, 1),
        ("{ echo; )", "syntax error near unexpected token `)'", 1, 9),
        (
            "echo 'a",
            "unexpected EOF while looking for matching `''",
            1,
            6,
        ),
        (
            "echo \"a $(b",
            "unexpected EOF while looking for matching `)'",
            1,
            9,
        ),
        (
            "x=$(echo\n  fi )",
            "syntax error near unexpected token `fi'",
            2,
            3,
        ),
        (
            "echo a ;; b",
            "syntax error near unexpected token `;;'",
            1,
            8,
        ),
        (
            "cat <<E\nno end",
            "here-document delimited by end-of-file (wanted `E')",
            1,
            7,
        ),
        ("| a", "syntax error near unexpected token `|'", 1, 1),
        (
            "echo `echo fi | if`",
            "syntax error: unexpected end of file",
            1,
            6,
        ),
    ] {
        assert_eq!(
            syntax(script),
            (message.to_string(), line, column),
            "{script}"
        );
    }
}

#[test]
fn reserved_words_are_words_elsewhere() {
    for script in [
        "echo if then } { fi done esac case",
        "for if in done fi; do echo $if; done",
        "case if in (x) echo;; esac",
        "x=}; echo } > if",
        "f() { echo }; }; f",
        "if { true; }; then (echo); fi",
        "( ( echo a ); ( echo b ) )",
        "{ { echo; } }",
        "[[ ( a == b ) && ! -z x || if ]]",
        "for ((i=0; i<(3); i++)) { echo; }",
        "function f { :; }; function g() { :; }",
        "! ! true",
        "a=b c=d; a=1 e",
        "",
        "\n\n# only a comment",
        "echo a & echo b & wait",
        "x=$(case a in a) echo;; (b) echo; esac; echo case)",
        "x=$(if true; then case a in a) (echo);; esac; fi) y=$( (case a in a|b) ;; esac) )",
        "(case a in a) b;; esac | c); (case a in a) ;; esac)",
        "x=$(# comment with ' and )\n echo a)",
    ] {
        assert!(
            parse(script.as_bytes()).is_ok(),
            "{script}: {:?}",
            parse(script.as_bytes())
        );
    }
}

/// Each of these made an unguarded parser overflow its stack or run for longer than the universe.
#[test]
fn deep_nesting_is_refused_at_once() {
    for (open, close) in [
        ("(", ")"),
        ("( ", " )"),
        ("{ ", "; }"),
        ("$(", ")"),
        ("\"$(", ")\""),
        ("`", "`"),
        ("${x:-", "}"),
        ("$((", "))"),
        ("((", "))"),
        ("if ", "; then a; fi"),
        ("while ", "; do a; done"),
        ("for x in a; do ", "; done"),
        ("case x in x) ", " esac"),
        ("f() { ", "; }"),
        ("[[ ( ", " ) ]]"),
        ("[[ ! ", " x ]]"),
        ("! ", ""),
        ("a && ", ""),
        ("a | ", ""),
        ("{a,", "}"),
        ("x=", ""),
        ("a[", "]"),
        ("a=(", ")"),
        ("<(", ")"),
        ("coproc ", ""),
        ("time ", ""),
        ("echo [[ ", ""),
        ("for x in [[\ndo (", ")"),
        ("case x in } ) { ", " esac"),
        ("'", "'"),
        ("\\", "\\"),
        ("<<E\n", "E\n"),
        ("~9", ""),
        ("9>", ""),
    ] {
        for count in [20, 59, 61, 5_000] {
            let script = format!("{}a{}", open.repeat(count), close.repeat(count));
            let _ = parse(script.as_bytes());
            let _ = parse(open.repeat(count).as_bytes());
            let _ = parse(format!("echo {}", open.repeat(count)).as_bytes());
            let _ = parse(format!("{}; a; {}", open.repeat(count), close.repeat(count)).as_bytes());
        }
    }
    assert_eq!(
        refused(&"{ ".repeat(100)).0,
        format!("nesting deeper than {MAX_NESTING}")
    );
    assert_eq!(
        refused(&"a ".repeat(600_000)).0,
        "a script of more than 1 MiB"
    );
}

#[test]
fn large_scripts_take_no_more_than_a_moment() {
    for line in [
        "echo \"$a\" ${b:-c} $(d)\n",
        "if a; then b; else c; fi\n",
        "a && b || c & ",
        "'",
        "${'",
    ] {
        let _ = parse(
            line.repeat(20_000)
                .get(..200_000.min(line.len() * 20_000))
                .unwrap_or("")
                .as_bytes(),
        );
    }
}

#[cfg(feature = "proptest")]
mod random {
    use super::*;
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "(",
        ")",
        "((",
        "))",
        "{ ",
        "}",
        " ",
        "\n",
        ";",
        ";;",
        "&",
        "&&",
        "|",
        "||",
        "|&",
        "<",
        ">",
        ">>",
        "<<E",
        "\nE\n",
        "<<<",
        ">&",
        "2>&1",
        "&>",
        "'",
        "\"",
        "\\",
        "`",
        "$",
        "$(",
        "$((",
        "${",
        "}",
        "$'",
        "[[ ",
        " ]]",
        "=",
        "a=",
        "a",
        "if ",
        "then ",
        "else ",
        "elif ",
        "fi",
        "for ",
        "in ",
        "do ",
        "done",
        "case ",
        "esac",
        "while ",
        "until ",
        "function ",
        "time ",
        "! ",
        "~",
        "*",
        "?",
        "[",
        "]",
        "{a,b}",
        "{1..3}",
        "#",
        "f() ",
        "x",
        "1",
        "é",
        "\u{1}",
        "\t",
        ":-",
        ":=",
        "##",
        "%%",
        "-eq ",
        "coproc ",
        "select ",
        "@(",
        "+=",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_bytes_are_parsed_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_pieces_are_parsed_or_not(pieces in proptest::collection::vec(0..PIECES.len(), 0..120)) {
            let script: String = pieces.iter().map(|&piece| PIECES[piece]).collect();
            let _ = parse(script.as_bytes());
        }

        #[test]
        fn any_change_of_a_script_is_parsed_or_not(
            at in any::<proptest::sample::Index>(), length in 0usize..8, with in 0..PIECES.len(),
            again in any::<proptest::sample::Index>(), other in 0..PIECES.len(),
        ) {
            let script = include_str!("../tests/bash_5_2.rs");
            let mut chars: Vec<char> = script.chars().take(4_000).collect();
            for (at, with) in [(at, with), (again, other)] {
                let at = at.index(chars.len());
                let end = (at + length).min(chars.len());
                chars.splice(at..end, PIECES[with].chars());
            }
            let script: String = chars.into_iter().collect();
            let _ = parse(script.as_bytes());
        }
    }
}
