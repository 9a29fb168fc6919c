//! The probe protocol, as a program on the other side of a pipe sees it.

use faultlab::probe::{FAMILIES, Session, serve};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn answers(requests: &str) -> Vec<String> {
    let mut out = Vec::new();
    serve(&mut Session::new(), requests.as_bytes(), &mut out).expect("memory can be written");
    let out = String::from_utf8(out).expect("answers are UTF-8");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn answers_come_in_order_and_the_session_goes_on_after_bad_lines() {
    let requests = concat!(
        "{\"id\":1,\"op\":\"reg.create\",\"key\":\"HKCU\\\\Software\\\\T\"}\n",
        "{\"id\":2,\"op\":\"reg.create\",\"key\":\n",
        "[]\n",
        "\n",
        "{\"id\":3,\"op\":\"reg.get\",\"key\":\"HKCU\\\\Software\\\\T\"}\n",
        "{\"id\":4,\"op\":\"reg.get\",\"key\":\"HKEY_X\\\\T\",\"name\":\"\"}\n",
        "{\"id\":5,\"op\":\"reg.set\",\"key\":\"HKCU\\\\Software\\\\T\",\"name\":\"a\\u0000b\",\"type\":1,\"data\":\"\"}\n",
        "{\"id\":6,\"op\":\"reg.set\",\"key\":\"HKCU\\\\Software\\\\T\",\"name\":\"a\",\"type\":1,\"data\":\"0\"}\n",
        "{\"id\":7,\"op\":\"reg.get\",\"key\":\"HKCU\\\\Software\\\\T\",\"name\":\"\\ud800\"}\n",
        "{\"id\":8,\"op\":\"reg.keys\",\"key\":\"HKCU\\\\Software\\\\T\",\"veiw\":32}\n",
        "{\"id\":9,\"op\":\"no.such\"}\n",
        "{\"id\":\"ten\",\"op\":\"reg.security\",\"key\":\"HKCU\"}\n",
        "{\"op\":\"reg.get\",\"key\":\"HKCU\\\\Software\\\\T\",\"name\":\"a\"}",
    );
    assert_eq!(
        answers(requests),
        [
            r#"{"id":1,"ok":{"disposition":"created"}}"#,
            r#"{"id":null,"bad_request":"column 32: EOF while parsing a value"}"#,
            r#"{"id":null,"bad_request":"column 1: a request is a JSON object"}"#,
            r#"{"id":null,"bad_request":"column 1: EOF while parsing a value"}"#,
            r#"{"id":null,"bad_request":"column 9: reg.get needs \"name\", a text"}"#,
            r#"{"id":null,"bad_request":"column 24: \"HKEY_X\" is no root key: use HKLM, HKCU, HKCR, HKU or HKCC"}"#,
            r#"{"id":null,"bad_request":"column 50: \"name\" holds a NUL, which ends it"}"#,
            r#"{"id":null,"bad_request":"column 70: \"data\" is bytes in hexadecimal"}"#,
            r#"{"id":null,"bad_request":"column 64: unexpected end of hex escape"}"#,
            r#"{"id":null,"bad_request":"column 51: reg.keys takes no field \"veiw\""}"#,
            r#"{"id":9,"unsupported":"no.such: the models do not answer it"}"#,
            r#"{"id":"ten","ok":{"sddl":"O:BAG:SYD:PAI(A;CI;KA;;;S-1-5-21-1004336348-1177238915-682003330-1000)(A;CI;KA;;;SY)(A;CI;KA;;;BA)(A;CI;KR;;;RC)"}}"#,
            r#"{"id":null,"err":{"code":2,"name":"ERROR_FILE_NOT_FOUND"}}"#,
        ]
    );
}

#[test]
fn names_that_are_no_unicode_come_through() {
    // A .reg file in UTF-16 can name them.
    let mut file = String::from("fffe");
    let text = "Windows Registry Editor Version 5.00\r\n[HKEY_CURRENT_USER\\Software\\T\\?]\r\n\"?\"=dword:1\r\n";
    for unit in text.encode_utf16() {
        let unit = if unit == u16::from(b'?') {
            0xD800
        } else {
            unit
        };
        file.push_str(&format!("{:02x}{:02x}", unit & 0xFF, unit >> 8));
    }
    let requests = format!(
        "{{\"op\":\"reg.import\",\"bytes\":\"{file}\"}}\n\
         {{\"op\":\"reg.keys\",\"key\":\"HKCU\\\\Software\\\\T\"}}\n\
         {{\"op\":\"reg.export\",\"key\":\"HKCU\\\\Software\\\\T\"}}\n"
    );
    let answers = answers(&requests);
    assert_eq!(answers[0], r#"{"id":null,"ok":{"applied":2}}"#);
    assert_eq!(answers[1], r#"{"id":null,"ok":{"names":["\ud800"]}}"#);
    assert!(
        answers[2].contains(r#"T\\\ud800]\u000d\u000a\"\ud800\"=dword:00000001"#),
        "{}",
        answers[2]
    );
}

#[test]
fn a_reset_gives_a_fresh_machine_and_watches_count_anew() {
    let watch =
        "{\"op\":\"reg.watch\",\"key\":\"HKCU\\\\Software\",\"filter\":1,\"subtree\":true}\n";
    let fired = "{\"op\":\"reg.fired\",\"watch\":1}\n";
    let create = "{\"op\":\"reg.create\",\"key\":\"HKCU\\\\Software\\\\T\"}\n";
    let requests = [
        watch,
        watch,
        create,
        fired,
        fired,
        "{\"op\":\"reset\"}\n",
        fired,
        watch,
        create,
    ]
    .concat();
    let ok = |body: &str| format!("{{\"id\":null,\"ok\":{{{body}}}}}");
    assert_eq!(
        answers(&requests),
        [
            ok("\"watch\":1"),
            ok("\"watch\":2"),
            ok("\"disposition\":\"created\""),
            ok("\"fired\":true"),
            ok("\"fired\":false"),
            ok(""),
            r#"{"id":null,"err":{"code":6,"name":"ERROR_INVALID_HANDLE"}}"#.into(),
            ok("\"watch\":1"),
            ok("\"disposition\":\"created\""),
        ]
    );
}

#[test]
fn who_asks_decides_what_hkcu_is_and_what_may_be_written() {
    let requests = concat!(
        "{\"op\":\"reg.create\",\"key\":\"HKCU\\\\Software\\\\T\",\"as\":\"alice\"}\n",
        "{\"op\":\"reg.open\",\"key\":\"HKCU\\\\Software\\\\T\",\"as\":\"SYSTEM\"}\n",
        "{\"op\":\"reg.create\",\"key\":\"HKLM\\\\SOFTWARE\\\\T\",\"as\":\"alice\"}\n",
        "{\"op\":\"reg.open\",\"key\":\"HKLM\\\\SOFTWARE\",\"access\":\"0xf003f\",\"as\":\"admin-filtered\"}\n",
        "{\"op\":\"reg.open\",\"key\":\"HKCU\",\"as\":\"bob\"}\n",
    );
    let answers = answers(requests);
    assert_eq!(answers[0], r#"{"id":null,"ok":{"disposition":"created"}}"#);
    assert_eq!(
        answers[1],
        r#"{"id":null,"err":{"code":2,"name":"ERROR_FILE_NOT_FOUND"}}"#
    );
    assert_eq!(
        answers[2],
        r#"{"id":null,"err":{"code":5,"name":"ERROR_ACCESS_DENIED"}}"#
    );
    assert_eq!(answers[3], answers[2]);
    assert!(
        answers[4]
            .starts_with(r#"{"id":null,"bad_request":"column 31: there is no account \"bob\""#)
    );
}

const FIELDS: &[&str] = &[
    "cp",
    "bytes",
    "strict",
    "utf16",
    "no_best_fit",
    "machine",
    "user",
    "account",
    "text",
    "vars",
    "shell",
    "command",
    "cwd",
    "path",
    "pathext",
    "env",
    "files",
    "version",
    "env_goroot",
    "exe",
    "exe_target",
    "has_pkg_tool",
    "baked",
    "bits",
    "key",
    "as",
    "watch",
    "filter",
    "subtree",
    "access",
    "data",
    "type",
    "name",
    "view",
];

fn json() -> impl Strategy<Value = Value> {
    let shells = prop::sample::select(
        &[
            "cmd",
            "HKCU\\Software",
            "alice",
            "REGEDIT4\n[HKEY_CURRENT_USER\\a]\n",
            "powershell2",
            "create_process",
            "C:\\x",
            "1.19.8",
            "c4e3",
        ][..],
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(&[0u64, 1, 2, 437, 936, 1252, 65001, u64::MAX][..])
            .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        shells.prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever the fields hold, there is an answer.
    #[test]
    fn any_request_is_answered(
        op in proptest::sample::select(FAMILIES.concat()),
        values in proptest::collection::vec(json(), FIELDS.len()),
    ) {
        let fields = FIELDS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value));
        let mut request: Map<String, Value> = fields.filter(|(_, value)| !value.is_null()).collect();
        request.insert("op".into(), op.0.into());
        let mut answer = Vec::new();
        Session::new().answer(Value::Object(request).to_string().as_bytes(), &mut answer);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        prop_assert!(answer.is_object());
    }

    #[test]
    fn every_line_gets_one_answer(
        pieces in proptest::collection::vec(prop_oneof![
            Just("{"), Just("}"), Just("\"op\":"), Just("\"reg.set\""), Just("\"reg.import\""), Just(","),
            Just("\"key\":\"HKCU\\\\a\""), Just("\"text\":\"REGEDIT4\\n\""), Just("\"id\":1"), Just("\"\\u"), Just("\\"),
            Just("null"), Just("1e999"), Just("\"as\":\"alice\""), Just("\"bits\":32"), Just("\"view\":7"), Just("["),
        ], 0..12),
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut session = Session::new();
        for line in [pieces.concat().into_bytes(), bytes] {
            let mut answer = Vec::new();
            session.answer(&line, &mut answer);
            prop_assert_eq!(answer.iter().filter(|byte| **byte == b'\n').count(), 1);
            let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
            prop_assert!(answer.get("id").is_some());
        }
    }
}
