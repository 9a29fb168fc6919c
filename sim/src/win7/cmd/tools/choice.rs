//! `choice`: one of several keys; its number is the exit code.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `/C` the keys, `/N` without their list, `/CS` case matters, `/M` a text, `/T` with `/D` what time decides | choice /? | yes |
//! | the key that was pressed is printed; keys that are no choice are passed over (with a beep) | choice /?; observed | yes |
//! | a colon may stand between a switch and its value | choice /?; Wine's batch tests, whose expected output is that of Windows | yes |
//! | the end of the input: 255, of NUL: 1; `/C` without keys: 1 | observed; Wine's batch tests | partly |

use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};

const SYNTAX: Message = Message {
    en: "ERROR: Invalid syntax.\r\nType \"CHOICE /?\" for usage.\r\n",
    zh: "错误: 无效语法。\r\n键入 \"CHOICE /?\" 了解用法。\r\n",
};
const NOTHING: Message = Message {
    en: "ERROR: The file is either empty or does not contain the valid choices.\r\n",
    zh: "错误: 此文件是空的，或不包含有效的选择。\r\n",
};

/// What choice.exe gives for what is wrong.
const FAILED: u32 = 255;

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let mut arguments = arguments.iter();
    let (mut keys, mut text, mut seconds, mut default) = ("YN".to_owned(), None, None, None);
    let (mut is_listed, mut case) = (true, false);
    while let Some(argument) = arguments.next() {
        let (switch, glued) = match argument.split_once(':') {
            Some((switch, glued)) => (switch, Some(glued.to_owned())),
            None => (&**argument, None),
        };
        let mut value = || {
            let value = glued.clone().or_else(|| arguments.next().cloned());
            value.unwrap_or_default()
        };
        match &*switch.to_ascii_uppercase() {
            "/C" => {
                keys = value();
                if keys.is_empty() {
                    sys.complain(&SYNTAX, &[])?;
                    return Ok(1);
                }
            }
            "/N" => is_listed = false,
            "/CS" => case = true,
            "/T" => seconds = value().parse::<u64>().ok(),
            "/D" => default = value().chars().next(),
            "/M" => text = Some(value()),
            "/?" => return sys.unsupported("the help text of choice"),
            _ => return wrong(sys, &SYNTAX),
        }
    }
    let fold = |key: char| if case { key } else { key.to_ascii_uppercase() };
    let keys: Vec<char> = keys.chars().map(fold).collect();
    let is_twice = (1..keys.len()).any(|at| keys[..at].contains(&keys[at]));
    let place = |key: char| keys.iter().position(|own| *own == fold(key));
    if keys.is_empty() || is_twice || seconds.is_some() != default.is_some() {
        return wrong(sys, &SYNTAX);
    }
    if seconds.is_some_and(|seconds| seconds > 9999)
        || default.is_some_and(|key| place(key).is_none())
    {
        return wrong(sys, &SYNTAX);
    }
    let listed: Vec<String> = keys.iter().map(char::to_string).collect();
    let mut prompt = text.map_or_else(String::new, |text| text + if is_listed { " " } else { "" });
    if is_listed {
        prompt.push_str(&format!("[{}]?", listed.join(",")));
    }
    sys.print(&prompt)?;
    if sys.local.handles.get(0) == Handle::Nul && seconds != Some(0) {
        return Ok(1);
    }
    // One key at a time: what is typed behind it is for whoever asks next.
    let mut found = None;
    while found.is_none()
        && let Ok(Some(byte)) = sys.read_byte(0)?
    {
        found = place(byte.into()).map(|place| (keys[place], place));
    }
    if found.is_none()
        && let (Some(seconds), Some(key)) = (seconds, default)
        && sys.local.handles.get(0) == Handle::Console
    {
        sys.sleep_ms(seconds * 1000)?;
        found = place(key).map(|place| (keys[place], place));
    }
    match found {
        Some((key, place)) => {
            sys.line(&key.to_string())?;
            Ok(place as u32 + 1)
        }
        None => wrong(sys, &NOTHING),
    }
}

fn wrong(sys: &mut Sys<'_>, message: &Message) -> Asked<u32> {
    sys.complain(message, &[])?;
    Ok(FAILED)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn the_number_of_a_key() {
        let mut bench = Bench::new();
        bench.input = b"xb";
        let ran = bench.run("choice /c abc /m \"Which one\"");
        assert_eq!((ran.exit, &*ran.stdout), (2, "Which one [A,B,C]?B\r\n"));
        bench.input = b"";
        let ran = bench.run("choice /t 5 /d n /n");
        assert_eq!((ran.exit, ran.ms, &*ran.stdout), (2, 5000, "N\r\n"));
        assert_eq!(bench.run("choice").exit, 255);
        assert_eq!(bench.fails("choice /c aa").0, 255);
        assert_eq!(bench.fails("choice /t 5").0, 255);
        bench.refuses("choice /?", "the help text of choice");
    }
}
