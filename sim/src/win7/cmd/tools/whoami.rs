//! `whoami`: who the process runs as, its groups and privileges.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `domain\user` in lower case, the computer's name for local accounts | documentation; observed | yes |
//! | LocalSystem is `nt authority\system`, the service accounts likewise | observed | yes |
//! | `/user`, `/groups`, `/priv`: tables under a heading, `/fo TABLE`, `LIST` or `CSV`, `/nh` | whoami /?; listings of Windows 7 | yes |
//! | which groups and privileges there are: those that the model's tokens have, which is less than Windows has | | no |
//! | the wording of attributes | listings | yes |
//!
//! Refused: `/all`, `/logonid`, `/upn`, `/fqdn`, the help text.

use super::accounts;
use crate::win7::cmd::messages::{Language, Message};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::security::{Privilege, Sid, Token};

const USER: Message = Message {
    en: "USER INFORMATION",
    zh: "用户信息",
};
const GROUPS: Message = Message {
    en: "GROUP INFORMATION",
    zh: "组信息",
};
const PRIVILEGES: Message = Message {
    en: "PRIVILEGES INFORMATION",
    zh: "特权信息",
};
const SYNTAX: Message = Message {
    en: "ERROR: Invalid argument/option - '{0}'.\r\nType \"WHOAMI /?\" for usage.\r\n",
    zh: "错误: 无效参数/选项 - '{0}'。\r\n键入 \"WHOAMI /?\" 了解用法。\r\n",
};

/// How a table is printed.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Table,
    List,
    Csv,
}

pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    let arguments = sys.arguments();
    let mut arguments = arguments.iter();
    let (mut what, mut form, mut heads) = (Vec::new(), Form::Table, true);
    while let Some(argument) = arguments.next() {
        match &*argument.to_ascii_uppercase().replacen('-', "/", 1) {
            upper @ ("/USER" | "/GROUPS" | "/PRIV") => what.push(upper.to_owned()),
            "/NH" => heads = false,
            "/FO" => {
                let name = arguments.next().cloned().unwrap_or_default();
                form = match &*name.to_ascii_uppercase() {
                    "TABLE" => Form::Table,
                    "LIST" => Form::List,
                    "CSV" => Form::Csv,
                    _ => return wrong(sys, &name),
                };
            }
            "/ALL" | "/LOGONID" | "/UPN" | "/FQDN" | "/?" => {
                return sys.unsupported(&format!("whoami {argument}"));
            }
            _ => return wrong(sys, argument),
        }
    }
    let name = user(sys)?;
    if what.is_empty() {
        sys.line(&name)?;
        return Ok(0);
    }
    let token = sys.about.caller.token().clone();
    for one in what {
        let (title, rows) = match &*one {
            "/USER" => (USER, users(sys, &name, &token)),
            "/GROUPS" => (GROUPS, groups(sys, &token)?),
            _ => (PRIVILEGES, privileges(sys, &token)),
        };
        let title = title.text(sys.language(), &[]);
        let text = printed(&title, &rows, form, heads);
        sys.print(&text)?;
    }
    Ok(0)
}

fn wrong(sys: &mut Sys<'_>, argument: &str) -> Asked<u32> {
    sys.complain(&SYNTAX, &[argument])?;
    Ok(1)
}

fn user(sys: &mut Sys<'_>) -> Asked<String> {
    Ok(match &*sys.about.user.clone() {
        "SYSTEM" => "nt authority\\system".to_owned(),
        "LocalService" => "nt authority\\local service".to_owned(),
        "NetworkService" => "nt authority\\network service".to_owned(),
        person => {
            let computer = sys.local_operation(|kernel, _, _| kernel.machine.computer().name)?;
            let person = person.trim_end_matches("-filtered");
            format!("{computer}\\{person}").to_lowercase()
        }
    })
}

/// The first row is that of the headings.
type Rows = Vec<Vec<String>>;

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

fn users(sys: &Sys<'_>, name: &str, token: &Token) -> Rows {
    let heads = match sys.language() {
        Language::English => ["User Name", "SID"],
        Language::Chinese => ["用户名", "SID"],
    };
    vec![row(heads), row([name, &token.user().to_string()])]
}

fn groups(sys: &mut Sys<'_>, token: &Token) -> Asked<Rows> {
    let is_chinese = sys.language() == Language::Chinese;
    let say = |en: &str, zh: &str| {
        if is_chinese {
            zh.to_owned()
        } else {
            en.to_owned()
        }
    };
    let mut rows = vec![row([
        &say("Group Name", "组名"),
        &say("Type", "类型"),
        "SID",
        &say("Attributes", "属性"),
    ])];
    // The session of the logon is no group of this list.
    let session = Sid::of(5, &[5]);
    let is_session = |sid: &Sid| {
        sid.authority() == session.authority() && sid.sub_authorities().first() == Some(&5)
    };
    let sids = token
        .sids
        .iter()
        .skip(1)
        .chain(token.deny_only.iter())
        .copied();
    let label = Sid::label(token.integrity.level());
    for sid in sids.filter(|sid| !is_session(sid)).chain([label]) {
        let name =
            sys.local_operation(move |kernel, _, _| accounts::shown(kernel.machine, &sid))?;
        let kind = match sid.sub_authorities() {
            _ if sid.level().is_some() => say("Label", "标签"),
            [32, _] => say("Alias", "别名"),
            _ => say("Well-known group", "已知组"),
        };
        let attributes = match (token.deny_only.contains(&sid), sid == token.owner) {
            (true, _) => say("Group used for deny only", "只用于拒绝的组"),
            (false, true) => say(
                "Mandatory group, Enabled by default, Enabled group, Group owner",
                "必需的组, 启用于默认, 启用的组, 组的所有者",
            ),
            _ => say(
                "Mandatory group, Enabled by default, Enabled group",
                "必需的组, 启用于默认, 启用的组",
            ),
        };
        rows.push(row([&name, &kind, &sid.to_string(), &attributes]));
    }
    Ok(rows)
}

fn privileges(sys: &Sys<'_>, token: &Token) -> Rows {
    let is_chinese = sys.language() == Language::Chinese;
    let heads = match is_chinese {
        false => ["Privilege Name", "Description", "State"],
        true => ["特权名", "描述", "状态"],
    };
    let mut rows = vec![row(heads)];
    for (privilege, name) in Privilege::ALL {
        if !token.held.has(privilege) {
            continue;
        }
        let state = match (token.enabled.has(privilege), is_chinese) {
            (true, false) => "Enabled",
            (false, false) => "Disabled",
            (true, true) => "已启用",
            (false, true) => "已禁用",
        };
        let (en, zh) = description(privilege);
        rows.push(row([name, if is_chinese { zh } else { en }, state]));
    }
    rows
}

fn description(privilege: Privilege) -> (&'static str, &'static str) {
    use Privilege::*;
    match privilege {
        AssignPrimaryToken => ("Replace a process level token", "替换一个进程级令牌"),
        Audit => ("Generate security audits", "生成安全审核"),
        Backup => ("Back up files and directories", "备份文件和目录"),
        ChangeNotify => ("Bypass traverse checking", "绕过遍历检查"),
        CreateGlobal => ("Create global objects", "创建全局对象"),
        CreateSymbolicLink => ("Create symbolic links", "创建符号链接"),
        Debug => ("Debug programs", "调试程序"),
        Impersonate => (
            "Impersonate a client after authentication",
            "身份验证后模拟客户端",
        ),
        IncreaseWorkingSet => ("Increase a process working set", "增加进程工作集"),
        LoadDriver => ("Load and unload device drivers", "加载和卸载设备驱动程序"),
        ManageVolume => ("Perform volume maintenance tasks", "执行卷维护任务"),
        Relabel => ("Modify an object label", "修改一个对象标签"),
        Restore => ("Restore files and directories", "还原文件和目录"),
        Security => ("Manage auditing and security log", "管理审核和安全日志"),
        Shutdown => ("Shut down the system", "关闭系统"),
        TakeOwnership => (
            "Take ownership of files or other objects",
            "取得文件或其他对象的所有权",
        ),
        Tcb => ("Act as part of the operating system", "以操作系统方式执行"),
        TimeZone => ("Change the time zone", "更改时区"),
        Undock => (
            "Remove computer from docking station",
            "从扩展坞上取下计算机",
        ),
    }
}

/// How many columns of a console a text takes: signs of Chinese take two.
fn columns(text: &str) -> usize {
    text.chars()
        .map(|sign| if sign < '\u{1100}' { 1 } else { 2 })
        .sum()
}

fn printed(title: &str, rows: &Rows, form: Form, heads: bool) -> String {
    let mut text = String::new();
    let line = |text: &mut String, line: &str| {
        text.push_str(line);
        text.push_str("\r\n");
    };
    if heads && form != Form::Csv {
        line(&mut text, "");
        line(&mut text, title);
        line(&mut text, &"-".repeat(columns(title)));
    }
    if form != Form::Csv {
        line(&mut text, "");
    }
    let (first, rest) = rows.split_first().expect("there are headings");
    match form {
        Form::Csv => {
            let from = usize::from(!heads);
            for row in &rows[from..] {
                let cells: Vec<String> = row.iter().map(|cell| format!("\"{cell}\"")).collect();
                line(&mut text, &cells.join(","));
            }
        }
        Form::List => {
            let width = first.iter().map(|head| columns(head)).max().unwrap_or(0) + 1;
            for (at, row) in rest.iter().enumerate() {
                if at > 0 {
                    line(&mut text, "");
                }
                for (head, cell) in first.iter().zip(row) {
                    let blanks = " ".repeat(width - columns(head) - 1);
                    line(&mut text, &format!("{head}:{blanks} {cell}"));
                }
            }
        }
        Form::Table => {
            let width = |at: usize| rows.iter().map(|row| columns(&row[at])).max().unwrap_or(0);
            let widths: Vec<usize> = (0..first.len()).map(width).collect();
            let padded = |row: &Vec<String>| {
                let cells = row
                    .iter()
                    .zip(&widths)
                    .map(|(cell, width)| format!("{cell}{}", " ".repeat(width - columns(cell))));
                cells.collect::<Vec<_>>().join(" ")
            };
            if heads {
                line(&mut text, &padded(first));
                let rules: Vec<String> = widths.iter().map(|width| "=".repeat(*width)).collect();
                line(&mut text, &rules.join(" "));
            }
            for row in rest {
                line(&mut text, &padded(row));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::testing::Bench;
    use crate::win7::cmd::messages::Language;

    #[test]
    fn who_it_is() {
        let mut bench = Bench::new();
        let computer = bench.machine.computer().name.to_lowercase();
        assert_eq!(bench.prints("whoami"), format!("{computer}\\admin\r\n"));
        bench.user = "NetworkService";
        assert_eq!(bench.prints("whoami"), "nt authority\\network service\r\n");
        bench.user = "alice";
        let sid = bench.machine.accounts()[1].sid.clone();
        let name = format!("{computer}\\alice");
        let line = |len| "=".repeat(len);
        assert_eq!(
            bench.prints("whoami /user"),
            format!(
                "\r\nUSER INFORMATION\r\n----------------\r\n\r\n{:name$} {:sid$}\r\n{} {}\r\n{name_text} {sid_text}\r\n",
                "User Name",
                "SID",
                line(name.len()),
                line(sid.len()),
                name = name.len(),
                sid = sid.len(),
                name_text = name,
                sid_text = sid,
            )
        );
        assert_eq!(
            bench.prints("whoami /user /fo csv /nh"),
            format!("\"{name}\",\"{sid}\"\r\n")
        );
    }

    #[test]
    fn who_is_elevated_shows_in_the_groups() {
        let mut bench = Bench::new();
        let high = "Mandatory Label\\High Mandatory Level";
        assert!(bench.prints("whoami /groups").contains(high));
        bench.user = "admin-filtered";
        let groups = bench.prints("whoami /groups /fo list");
        assert!(
            groups.contains("Mandatory Label\\Medium Mandatory Level"),
            "{groups}"
        );
        assert!(
            groups.contains("Attributes: Group used for deny only"),
            "{groups}"
        );
        let privileges = bench.prints("whoami /priv");
        assert!(privileges.contains("SeChangeNotifyPrivilege"));
        assert!(!privileges.contains("SeDebugPrivilege"));
        bench.language = Language::Chinese;
        assert!(bench.prints("whoami /priv").contains("绕过遍历检查"));
        bench.refuses("whoami /all", "whoami /all");
        bench.refuses("whoami /logonid", "whoami /logonid");
        assert_eq!(bench.fails("whoami /zz").0, 1);
    }
}
