//! `timeout`: waiting in virtual time.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `/T N` or `N`, -1 to 99999; the input must be the console | timeout /?; observed | yes |
//! | a line that is rewritten with backspaces each second | observed; where the backspaces stand is from memory | no |
//!
//! Refused: waiting for a key (`/T -1`), the help text.

use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};

const WAITING: Message = Message {
    en: "\r\nWaiting for {0}",
    zh: "\r\n等待 {0}",
};
const KEY: Message = Message {
    en: " seconds, press a key to continue ...",
    zh: " 秒，按一个键继续 ...",
};
const BREAK: Message = Message {
    en: " seconds, press CTRL+C to quit ...",
    zh: " 秒，按 CTRL+C 退出 ...",
};
const INPUT: Message = Message {
    en: "ERROR: Input redirection is not supported, exiting the process immediately.\r\n",
    zh: "错误: 不支持输入重新定向，立即退出此进程。\r\n",
};
const RANGE: Message = Message {
    en: "ERROR: Invalid value for timeout (/T) specified. Valid range is -1 to 99999 seconds.\r\n",
    zh: "错误: 为超时(/T)指定的值无效。有效范围是 -1 到 99999 秒。\r\n",
};
const SYNTAX: Message = Message {
    en: "ERROR: Invalid syntax.\r\nType \"TIMEOUT /?\" for usage.\r\n",
    zh: "错误: 无效语法。\r\n键入 \"TIMEOUT /?\" 了解用法。\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let mut arguments = arguments.iter();
    let (mut seconds, mut no_break) = (None, false);
    while let Some(argument) = arguments.next() {
        match &*argument.to_ascii_uppercase() {
            "/T" | "-T" => seconds = arguments.next(),
            "/NOBREAK" | "-NOBREAK" => no_break = true,
            "/?" | "-?" => return sys.unsupported("the help text of timeout"),
            other if other.starts_with('/') || seconds.is_some() => {
                sys.complain(&SYNTAX, &[])?;
                return Ok(1);
            }
            _ => seconds = Some(argument),
        }
    }
    let Some(seconds) = seconds else {
        sys.complain(&SYNTAX, &[])?;
        return Ok(1);
    };
    let Some(seconds) = seconds
        .parse::<i64>()
        .ok()
        .filter(|all| (-1..=99999).contains(all))
    else {
        sys.complain(&RANGE, &[])?;
        return Ok(1);
    };
    if sys.local.handles.get(0) != Handle::Console {
        sys.complain(&INPUT, &[])?;
        return Ok(1);
    }
    if seconds < 0 {
        return sys.unsupported("timeout waiting for a key");
    }
    let width = seconds.to_string().len();
    let rest = if no_break { BREAK } else { KEY }.text(sys.language(), &[]);
    sys.say(&WAITING, &[&format!("{seconds:width$}")])?;
    sys.print(&rest)?;
    for left in (0..seconds).rev() {
        sys.sleep_ms(1000)?;
        let back = "\u{8}".repeat(width + rest.chars().count());
        sys.print(&format!("{back}{left:width$}{rest}"))?;
    }
    sys.line("")?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn time_passes() {
        let mut bench = Bench::new();
        let ran = bench.run("timeout /t 3 /nobreak");
        assert_eq!((ran.exit, ran.ms), (0, 3000));
        assert!(
            ran.stdout
                .starts_with("\r\nWaiting for 3 seconds, press CTRL+C to quit ...")
        );
        assert_eq!(bench.run("timeout 10").ms, 10_000);
        assert!(bench.fails("timeout /t 100000").1.contains("Valid range"));
        assert_eq!(bench.fails("timeout").0, 1);
        bench.refuses("timeout /t -1", "timeout waiting for a key");
    }
}
