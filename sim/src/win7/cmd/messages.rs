//! Texts of the system, in the two languages that are modelled.

/// The language of the system's texts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Language {
    /// en-US.
    #[default]
    English,
    /// zh-CN. Its wording is from memory where no source is named.
    Chinese,
}

impl Language {
    /// What a system of this language speaks on a console with this code page: a program on a console asks for a language
    /// that the code page can show (`SetThreadUILanguage(0)`), and where that is none of the user's, it is English. Source:
    /// "Filtering Languages in a MUI Console Application"; reports of `chcp 65001` on Chinese systems.
    pub fn on_console(self, page: u32) -> Language {
        match page {
            936 => self,
            _ => Language::English,
        }
    }
}

/// A text with places `{0}`, `{1}` to fill in. Line ends are part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Message {
    /// In English.
    pub en: &'static str,
    /// In Chinese.
    pub zh: &'static str,
}

impl Message {
    /// The text in a language.
    pub fn text(&self, language: Language, fill: &[&str]) -> String {
        let template = match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        };
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let place = after.split_once('}');
            let filled = place.and_then(|(number, after)| {
                let number: usize = number.parse().ok()?;
                Some((*fill.get(number)?, after))
            });
            match filled {
                Some((word, after)) => {
                    text.push_str(word);
                    rest = after;
                }
                None => {
                    text.push('{');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        text
    }
}

/// What FormatMessage says of a Win32 code, with a line end.
pub fn system_message(language: Language, code: u32) -> String {
    let row = SYSTEM.iter().find(|(known, ..)| *known == code);
    let text = match (row, language) {
        (Some((_, en, _)), Language::English) => (*en).to_owned(),
        (Some((_, _, zh)), Language::Chinese) => (*zh).to_owned(),
        // What the message compiler has no text for.
        (None, _) => format!("0x{code:x}"),
    };
    format!("{text}\r\n")
}

/// Code, English, Chinese. Source: winerror.h's message texts ("System Error Codes" of the documentation); the Chinese
/// ones as systems in the field show them.
const SYSTEM: &[(u32, &str, &str)] = &[
    (1, "Incorrect function.", "函数不正确。"),
    (
        2,
        "The system cannot find the file specified.",
        "系统找不到指定的文件。",
    ),
    (
        3,
        "The system cannot find the path specified.",
        "系统找不到指定的路径。",
    ),
    (5, "Access is denied.", "拒绝访问。"),
    (6, "The handle is invalid.", "句柄无效。"),
    (
        8,
        "Not enough storage is available to process this command.",
        "存储空间不足，无法处理此命令。",
    ),
    (13, "The data is invalid.", "数据无效。"),
    (
        15,
        "The system cannot find the drive specified.",
        "系统找不到指定的驱动器。",
    ),
    (
        17,
        "The system cannot move the file to a different disk drive.",
        "系统无法将文件移到不同的磁盘驱动器。",
    ),
    (19, "The media is write protected.", "介质受写入保护。"),
    (
        32,
        "The process cannot access the file because it is being used by another process.",
        "另一个程序正在使用此文件，进程无法访问。",
    ),
    (39, "The disk is full.", "磁盘已满。"),
    (53, "The network path was not found.", "找不到网络路径。"),
    (80, "The file exists.", "文件存在。"),
    (87, "The parameter is incorrect.", "参数错误。"),
    (109, "The pipe has been ended.", "管道已结束。"),
    (
        112,
        "There is not enough space on the disk.",
        "磁盘空间不足。",
    ),
    (
        123,
        "The filename, directory name, or volume label syntax is incorrect.",
        "文件名、目录名或卷标语法不正确。",
    ),
    (145, "The directory is not empty.", "目录不是空的。"),
    (
        183,
        "Cannot create a file when that file already exists.",
        "当文件已存在时，无法创建该文件。",
    ),
    (
        193,
        "%1 is not a valid Win32 application.",
        "%1 不是有效的 Win32 应用程序。",
    ),
    (
        206,
        "The filename or extension is too long.",
        "文件名或扩展名太长。",
    ),
    (
        225,
        "Operation did not complete successfully because the file contains a virus or potentially unwanted software.",
        "无法成功完成操作，因为文件包含病毒或潜在的垃圾软件。",
    ),
    (267, "The directory name is invalid.", "目录名称无效。"),
    (
        1009,
        "The configuration registry database is corrupt.",
        "配置注册表数据库损坏。",
    ),
    (
        1017,
        "The system has attempted to load or restore a file into the registry, but the specified file is not in a registry file \
         format.",
        "系统试图加载或还原文件到注册表中，但所指定的文件不是注册表文件格式。",
    ),
    (
        1018,
        "Illegal operation attempted on a registry key that has been marked for deletion.",
        "试图在标记为删除的注册表项上进行不合法的操作。",
    ),
    (
        1060,
        "The specified service does not exist as an installed service.",
        "指定的服务未安装。",
    ),
    (
        1307,
        "This security ID may not be assigned as the owner of this object.",
        "不能将此安全 ID 指派为该对象的所有者。",
    ),
    (
        1314,
        "A required privilege is not held by the client.",
        "客户端没有所需的特权。",
    ),
    (
        1332,
        "No mapping between account names and security IDs was done.",
        "帐户名与安全标识间无任何映射完成。",
    ),
    (
        1336,
        "The access control list (ACL) structure is invalid.",
        "访问控制列表(ACL)结构无效。",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_in_once() {
        let message = Message {
            en: "'{0}' and {1} {9} {x}",
            zh: "",
        };
        assert_eq!(
            message.text(Language::English, &["{1}", "b"]),
            "'{1}' and b {9} {x}"
        );
    }
}
