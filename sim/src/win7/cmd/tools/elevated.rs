//! Programs that scripts start to find out whether they run as administrator: `at`, `bcdedit`, `fsutil`, `openfiles`. What
//! they do for one is modelled as far as such a question goes.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | who is no administrator is refused, with 1 | reports of scripts that ask so | yes |
//! | `fsutil dirty query C:`, `openfiles` and `at` without arguments give 0 to one | the same | yes |
//! | the words of `openfiles` | from memory | no |
//!
//! Refused: all else that an administrator asks of them.

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::security::Sid;

/// Whether the caller is an administrator's; if not, what it is told.
fn may(sys: &mut Sys<'_>, told: &Message) -> Asked<bool> {
    let may = sys.about.caller.token().has(&Sid::ADMINISTRATORS);
    if !may {
        let denied = sys.system_text(5);
        sys.complain(told, &[&denied])?;
    }
    Ok(may)
}

/// What an administrator asks that is not modelled.
fn refused(sys: &mut Sys<'_>, program: &str) -> Asked<u32> {
    let all = sys.arguments().join(" ");
    sys.unsupported(format!("{program} {all}").trim_end())
}

pub(super) fn at(sys: &mut Sys<'_>) -> Asked<u32> {
    const DENIED: Message = Message {
        en: "{0}",
        zh: "{0}",
    };
    const NONE: Message = Message {
        en: "There are no entries in the list.\r\n",
        zh: "列表是空的。\r\n",
    };
    if !may(sys, &DENIED)? {
        return Ok(1);
    }
    if !sys.arguments().is_empty() {
        return refused(sys, "at");
    }
    sys.say(&NONE, &[])?;
    Ok(0)
}

pub(super) fn bcdedit(sys: &mut Sys<'_>) -> Asked<u32> {
    const DENIED: Message = Message {
        en: "The boot configuration data store could not be opened.\r\n{0}",
        zh: "无法打开启动配置数据存储。\r\n{0}",
    };
    match may(sys, &DENIED)? {
        true => refused(sys, "bcdedit"),
        false => Ok(1),
    }
}

pub(super) fn fsutil(sys: &mut Sys<'_>) -> Asked<u32> {
    const DENIED: Message = Message {
        en: "The FSUTIL utility requires that you have administrative privileges.\r\n",
        zh: "FSUTIL 实用程序要求你具有管理权限。\r\n",
    };
    const CLEAN: Message = Message {
        en: "Volume - {0} is NOT Dirty\r\n",
        zh: "卷 - {0} 没有损坏\r\n",
    };
    let arguments = sys.arguments();
    if !may(sys, &DENIED)? {
        return Ok(1);
    }
    let lower = |at: usize| {
        arguments
            .get(at)
            .map(|word: &String| word.to_ascii_lowercase())
    };
    match (lower(0).as_deref(), lower(1).as_deref(), arguments.get(2)) {
        (Some("dirty"), Some("query"), Some(volume)) if volume.eq_ignore_ascii_case("c:") => {
            sys.say(&CLEAN, &[volume])?;
            Ok(0)
        }
        _ => refused(sys, "fsutil"),
    }
}

pub(super) fn openfiles(sys: &mut Sys<'_>) -> Asked<u32> {
    const DENIED: Message = Message {
        en: "ERROR: Logged-on user does not have administrative privilege.\r\n",
        zh: "错误: 登录用户没有管理权限。\r\n",
    };
    const NONE: Message = Message {
        en: "\r\nINFO: The system global flag 'maintain objects list' needs\r\n      to be enabled to see local opened files.\r\n      \
             See Openfiles /? for more information.\r\n\r\n\r\nFiles opened remotely via local share points:\r\n\
             ---------------------------------------------\r\n\r\nINFO: No shared open files found.\r\n",
        zh: "\r\n信息: 没有找到共享的打开的文件。\r\n",
    };
    if !may(sys, &DENIED)? {
        return Ok(1);
    }
    if !sys.arguments().is_empty() {
        return refused(sys, "openfiles");
    }
    sys.say(&NONE, &[])?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;

    #[test]
    fn they_tell_who_is_an_administrator() {
        let mut bench = Bench::new();
        for line in ["at", "fsutil dirty query C:", "openfiles", "net file"] {
            bench.user = "admin";
            assert_eq!(bench.run(line).exit, 0, "{line}");
            bench.user = "admin-filtered";
            assert_ne!(bench.fails(line).0, 0, "{line}");
        }
        assert_eq!(bench.fails("bcdedit").0, 1);
        bench.user = "SYSTEM";
        bench.refuses("bcdedit /enum", "bcdedit /enum");
        bench.refuses("fsutil fsinfo drives", "fsutil fsinfo drives");
    }
}
