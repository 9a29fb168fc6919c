//! Programs of a few lines: `chcp`, `hostname`, `net session`, and those that are refused as a whole.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `chcp`: prints the console's code page, or sets it for all that write to it | chcp /?; observed | yes |
//! | a code page of two-byte characters only where it is that of the system locale | M. Kaplan, "chcp can't do everything" (2006) | yes |
//! | what it says of a new code page is in a language that this one can show | reports of `chcp 65001` on Chinese systems | yes |
//! | `net user NAME` of nobody: 2221, exit code 2 | reports | yes |
//! | `net session`, `net file` of who is no administrator: "System error 5", exit code 2; else an empty list | observed | yes |

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::security::Sid;

const PAGE: Message = Message {
    en: "Active code page: {0}\r\n",
    zh: "活动代码页: {0}\r\n",
};
const NO_PAGE: Message = Message {
    en: "Invalid code page\r\n",
    zh: "无效代码页\r\n",
};
const FORMAT: Message = Message {
    en: "Parameter format not correct - {0}\r\n",
    zh: "参数格式不正确 - {0}\r\n",
};
const NO_SESSIONS: Message = Message {
    en: "There are no entries in the list.\r\n\r\n",
    zh: "列表是空的。\r\n\r\n",
};
const NO_USER: Message = Message {
    en: "The user name could not be found.\r\n",
    zh: "找不到用户名。\r\n",
};
const SYSTEM_ERROR: Message = Message {
    en: "System error {0} has occurred.\r\n\r\n{1}\r\n",
    zh: "发生系统错误 {0}。\r\n\r\n{1}\r\n",
};

pub(super) fn chcp(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let Some(argument) = arguments.first() else {
        let page = sys.code_page()?;
        sys.say(&PAGE, &[&page.to_string()])?;
        return Ok(0);
    };
    if argument.starts_with('/') {
        return sys.unsupported(&format!("chcp {argument}"));
    }
    let Ok(number) = argument.parse::<u32>() else {
        sys.say(&FORMAT, &[argument])?;
        return Ok(1);
    };
    // What a machine has and the model does not.
    const OTHERS: [u32; 12] = [708, 720, 737, 775, 850, 852, 855, 857, 860, 866, 932, 54936];
    match sys.set_code_page(number)? {
        Ok(()) => {
            sys.renew_language()?;
            sys.say(&PAGE, &[&number.to_string()])?;
            Ok(0)
        }
        Err(_) if OTHERS.contains(&number) => sys.unsupported(&format!("chcp {number}")),
        Err(_) => {
            sys.say(&NO_PAGE, &[])?;
            Ok(1)
        }
    }
}

pub(super) fn hostname(sys: &mut Sys<'_>) -> Asked<u32> {
    if let Some(argument) = sys.arguments().first() {
        return sys.unsupported(&format!("hostname {argument}"));
    }
    let name = sys.local_operation(|kernel, _, _| kernel.machine.computer().name)?;
    sys.line(&name)?;
    Ok(0)
}

pub(super) fn net(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let verb = arguments.first().map(|verb| verb.to_ascii_lowercase());
    match (verb.as_deref(), &arguments[..]) {
        (Some(verb @ ("start" | "stop")), [_, name]) if !name.starts_with('/') => {
            return super::services::net(sys, verb, name);
        }
        (Some("user" | "users"), [_, name]) if !name.starts_with('/') => {
            let name = name.clone();
            let known = sys.local_operation(move |kernel, _, _| {
                let own = ["Administrator", "Guest"].into_iter();
                let people = kernel.machine.accounts().iter().map(|one| &*one.name);
                own.chain(people)
                    .any(|known| known.eq_ignore_ascii_case(&name))
            })?;
            if !known {
                return help_message(sys, &NO_USER, 2221);
            }
        }
        _ => {}
    }
    let verbs = ["session", "sessions", "sess", "file", "files"];
    if !verb.is_some_and(|verb| verbs.contains(&&*verb)) || arguments.len() > 1 {
        return sys.unsupported(&format!("net {}", arguments.join(" ")));
    }
    if !sys.about.caller.token().has(&Sid::ADMINISTRATORS) {
        let text = sys.system_text(5);
        sys.complain(&SYSTEM_ERROR, &["5", &text])?;
        return Ok(2);
    }
    sys.say(&NO_SESSIONS, &[])?;
    Ok(0)
}

/// A message of networks by its number, as `net` says it: exit code 2.
pub(super) fn help_message(sys: &mut Sys<'_>, message: &Message, number: u32) -> Asked<u32> {
    const MORE: Message = Message {
        en: "\r\nMore help is available by typing NET HELPMSG {0}.\r\n\r\n",
        zh: "\r\n请键入 NET HELPMSG {0} 以获得更多的帮助。\r\n\r\n",
    };
    sys.complain(message, &[])?;
    sys.complain(&MORE, &[&number.to_string()])?;
    Ok(2)
}

/// A program that Windows has and the model does not.
pub(super) fn refused(sys: &mut Sys<'_>) -> Asked<u32> {
    let image = sys.about.image.to_utf8_lossy();
    let name = image
        .rsplit('\\')
        .next()
        .unwrap_or(&image)
        .to_ascii_lowercase();
    sys.unsupported(&format!("the program {name}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use crate::win7::cmd::messages::Language;
    use crate::win7::text::CodePages;

    #[test]
    fn the_code_page_of_the_console() {
        let mut bench = Bench::new();
        assert_eq!(bench.prints("chcp.com"), "Active code page: 936\r\n");
        assert_eq!(
            bench.prints("chcp.com 65001"),
            "Active code page: 65001\r\n"
        );
        let wrong = bench.run("chcp.com 12345");
        assert_eq!((wrong.exit, &*wrong.stdout), (1, "Invalid code page\r\n"));
        assert_eq!(bench.run("chcp.com x").exit, 1);
        bench.refuses("chcp.com 932", "chcp 932");
        bench.language = Language::Chinese;
        assert_eq!(bench.prints("chcp.com"), "活动代码页: 936\r\n");
        assert_eq!(bench.prints("chcp.com 437"), "Active code page: 437\r\n");
        bench.machine = bench.machine.with_code_pages(CodePages::UNITED_STATES);
        assert_eq!(bench.prints("chcp.com"), "Active code page: 437\r\n");
        assert_eq!(bench.run("chcp.com 936").stdout, "Invalid code page\r\n");
    }

    #[test]
    fn who_is_an_administrator() {
        let mut bench = Bench::new();
        assert_eq!(
            bench.prints("net session"),
            "There are no entries in the list.\r\n\r\n"
        );
        bench.user = "admin-filtered";
        let text = "System error 5 has occurred.\r\n\r\nAccess is denied.\r\n\r\n";
        assert_eq!(bench.fails("net session"), (2, text.into()));
        bench.refuses("net use", "net use");
        bench.refuses("net start msiserver", "net start msiserver");
        bench.refuses("net user alice", "net user alice");
        let (exit, said) = bench.fails("net user bob");
        assert!(exit == 2 && said.contains("NET HELPMSG 2221"), "{said}");
    }

    #[test]
    fn programs_that_are_not_modelled_are_refused_by_name() {
        let mut bench = Bench::new();
        for program in [
            "schtasks", "cscript", "fltmc", "sfc", "notepad", "robocopy", "takeown", "certutil",
        ] {
            bench.refuses(
                &format!("{program} x"),
                &format!("the program {program}.exe"),
            );
        }
        let powershell = "windowspowershell\\v1.0\\powershell.exe";
        bench.refuses(&format!("{powershell} -c 1"), "the program powershell.exe");
        bench.refuses("wbem\\wmic.exe os", "the program wmic.exe");
    }
}
