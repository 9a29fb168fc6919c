//! `setx`: variables of the registry.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | the user's `Environment` key, with `/M` the machine's; then the windows of the session are told | documentation | yes |
//! | more than 1024 characters are cut, with a warning; the exit code stays 0 | documentation, see [`cut_as_setx`] | yes |
//! | a value with a percent sign is REG_EXPAND_SZ, any other REG_SZ | observed by many | no |
//! | `/K KEY`: the value of a registry path, by its long or short root; a REG_DWORD becomes a decimal number | setx /? | partly |
//! | its own process, and its parent, see nothing of it | documentation | yes |
//!
//! Refused: `/S` (other machines), `/F` (parts of files), the help text.

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::environment::cut_as_setx;
use crate::win7::machine::MACHINE_ENVIRONMENT;
use crate::win7::registry::{KeyPath, Kind, Name, Value};
use crate::win7::text::Wide;

const SAVED: Message = Message {
    en: "\r\nSUCCESS: Specified value was saved.\r\n",
    zh: "\r\n成功: 指定的值已得到保存。\r\n",
};
const DENIED: Message = Message {
    en: "ERROR: Access to the registry path is denied.\r\n",
    zh: "错误: 拒绝对注册表路径的访问。\r\n",
};
const CUT: Message = Message {
    en: "\r\nWARNING: The data being saved is truncated to 1024 characters.\r\n",
    zh: "\r\n警告: 被保存的数据被裁断为 1024 字符。\r\n",
};
const SYNTAX: Message = Message {
    en: "ERROR: Invalid syntax.\r\nType \"SETX /?\" for usage.\r\n",
    zh: "错误: 无效语法。\r\n键入 \"SETX /?\" 了解用法。\r\n",
};
const MANY: Message = Message {
    en: "ERROR: Invalid syntax. Default option is not allowed more than '2' time(s).\r\nType \"SETX /?\" for usage.\r\n",
    zh: "错误: 无效语法。默认选项不允许超过 '2' 次。\r\n键入 \"SETX /?\" 了解用法。\r\n",
};
const NO_KEY: Message = Message {
    en: "ERROR: The system was unable to find the specified registry key or value.\r\n",
    zh: "错误: 系统找不到指定的注册表项或值。\r\n",
};

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let mut arguments = arguments.iter();
    let (mut machine, mut key, mut operands) = (false, None, Vec::new());
    while let Some(argument) = arguments.next() {
        match &*argument.to_ascii_uppercase() {
            "/M" | "-M" => machine = true,
            "/K" | "-K" => key = arguments.next(),
            "/?" | "-?" => return sys.unsupported("the help text of setx"),
            "/S" | "/U" | "/P" | "/F" | "/A" | "/R" | "/X" | "/D" => {
                return sys.unsupported(&format!("setx {argument}"));
            }
            other if other.starts_with('/') => {
                sys.complain(&SYNTAX, &[])?;
                return Ok(1);
            }
            _ => operands.push(argument),
        }
    }
    let (name, value) = match (&operands[..], key) {
        ([name, value], None) => (name, Wide::from(&***value)),
        ([name], Some(key)) => match of_key(sys, key)? {
            Some(value) => (name, value),
            None => {
                sys.complain(&NO_KEY, &[])?;
                return Ok(1);
            }
        },
        (many, _) => {
            let message = if many.len() > 2 { MANY } else { SYNTAX };
            sys.complain(&message, &[])?;
            return Ok(1);
        }
    };
    let cut = cut_as_setx(&value);
    if cut.warning.is_some() {
        sys.complain(&CUT, &[])?;
    }
    let kind = match cut.value.units().contains(&u16::from(b'%')) {
        true => Kind::EXPAND_SZ,
        false => Kind::SZ,
    };
    let mut data = cut.value.to_le_bytes();
    data.extend([0, 0]);
    let path = match machine {
        true => KeyPath::from(MACHINE_ENVIRONMENT),
        false => KeyPath::from("HKCU\\Environment"),
    };
    let caller = sys.caller(None);
    let mut result = sys.reg_create(&caller, &path)?.map(drop);
    if result.is_ok() {
        let value = Value::new(kind, data);
        result = sys.reg_set(&caller, &path, &Name::from(&***name), value)?;
    }
    if result.is_err() {
        sys.complain(&DENIED, &[])?;
        return Ok(1);
    }
    sys.broadcast()?;
    sys.say(&SAVED, &[])?;
    Ok(0)
}

/// The value of a path that ends in its name.
fn of_key(sys: &mut Sys<'_>, path: &str) -> Asked<Option<Wide>> {
    let Some((key, name)) = path.rsplit_once('\\') else {
        return Ok(None);
    };
    let Ok(key) = KeyPath::parse(key) else {
        return Ok(None);
    };
    let caller = sys.caller(None);
    let value = sys.reg_value(&caller, &key, &Name::from(name))?;
    Ok(value.ok().and_then(|value| match value.kind {
        Kind::SZ | Kind::EXPAND_SZ => Some(Wide::new(value.text_units())),
        Kind::DWORD => {
            let bytes: [u8; 4] = (*value.data).try_into().ok()?;
            Some(Wide::from(&*u32::from_le_bytes(bytes).to_string()))
        }
        _ => None,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use crate::win7::machine::MACHINE_ENVIRONMENT;
    use crate::win7::registry::Value;

    #[test]
    fn values_of_the_user_and_of_the_machine() {
        let mut bench = Bench::new();
        let saved = "\r\nSUCCESS: Specified value was saved.\r\n";
        assert_eq!(bench.prints("setx GOROOT \"D:\\go dir\""), saved);
        assert_eq!(
            bench.machine.text("HKCU\\Environment", "GOROOT").as_deref(),
            Some("D:\\go dir")
        );
        bench.prints("setx P %USERPROFILE%\\go /m");
        let expand = Value::expand_sz("%USERPROFILE%\\go");
        assert_eq!(bench.machine.get(MACHINE_ENVIRONMENT, "P"), Some(expand));
        bench.machine.set("HKCU\\Software\\T", "n", 12u32);
        bench.prints("setx N /k HKCU\\Software\\T\\n");
        assert_eq!(
            bench.machine.text("HKCU\\Environment", "N").as_deref(),
            Some("12")
        );
        let ran = bench.run(&format!("setx LONG {}", "x".repeat(1025)));
        assert_eq!(
            (ran.exit, ran.stderr.contains("truncated to 1024")),
            (0, true)
        );
        let long = bench.machine.text("HKCU\\Environment", "LONG");
        assert_eq!(long.map(|text| text.len()), Some(1024));
        assert!(
            bench
                .fails("setx PATH C:\\Program Files")
                .1
                .contains("more than '2' time(s)")
        );
        bench.user = "alice";
        let denied = "ERROR: Access to the registry path is denied.\r\n";
        assert_eq!(bench.fails("setx GOROOT D:\\go /M"), (1, denied.into()));
        bench.refuses("setx /S pc X y", "setx /S");
        bench.refuses("setx /?", "the help text of setx");
    }
}
