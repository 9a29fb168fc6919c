//! Laws for scripts of any bytes.

use proptest::prelude::*;

use super::run_bytes;

/// Pieces that mean something to the interpreter.
const PIECES: &[&str] = &[
    "echo ",
    "set ",
    "set /a ",
    "set /p ",
    "if ",
    "if not ",
    "exist ",
    "defined ",
    "else ",
    "for ",
    "for /f ",
    "for /l ",
    "for /r ",
    "%%a ",
    "in ",
    "(",
    ")",
    "do ",
    "call ",
    "call :l ",
    "goto l",
    ":l",
    "exit /b ",
    "&",
    "&&",
    "|",
    "||",
    ">",
    ">>",
    "<",
    "2>&1",
    "^",
    "\"",
    "'",
    "`",
    "%",
    "%%",
    "!",
    "*",
    "?",
    "~",
    "=",
    "==",
    "1",
    "-1",
    "0x",
    ",",
    ";",
    " ",
    "\r\n",
    "\r\n",
    "\n",
    "%1",
    "%~f0",
    "%~$PATH:1",
    "%CD%",
    "%X:~1,2%",
    "%X:a=b%",
    "!X!",
    "@",
    "rem ",
    "shift",
    "setlocal enabledelayedexpansion\r\n",
    "endlocal\r\n",
    "pushd ",
    "popd\r\n",
    "dir ",
    "del /q ",
    "copy ",
    "move ",
    "ren ",
    "md ",
    "rd /s /q ",
    "type ",
    "cmd /c ",
    "start ",
    "\\",
    "/",
    ".",
    "nul",
    "con",
    "a.txt",
    "C:\\",
    "\u{1a}",
    "\0",
    "\u{4f60}",
];

fn soup() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 1..4);
    prop::collection::vec(prop_oneof![9 => piece, 1 => noise], 0..60)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn no_script_of_any_bytes_breaks_the_interpreter(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        run_bytes(&bytes, Default::default());
    }

    #[test]
    fn no_heap_of_constructs_breaks_the_interpreter(bytes in soup()) {
        let one = run_bytes(&bytes, Default::default());
        let two = run_bytes(&bytes, Default::default());
        prop_assert_eq!((one.exit, one.stdout, one.stderr), (two.exit, two.stdout, two.stderr));
    }
}
