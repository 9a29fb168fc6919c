//! `mklink`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | a symbolic link to a file, with `/d` to a directory; `/j` a junction to a full path | `mklink /?` | yes |
//! | symbolic links take a privilege that administrators have; nothing has to be at the target | documentation of CreateSymbolicLink; `security` | yes |
//! | without both names, with a switch that there is not, and where the link is there already: 1 | Wine's batch tests, whose expected output is that of Windows | yes |
//! | the words | reports | yes in English |
//!
//! Refused: `/h`, where it would work: a file has one name here.

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::expand::utf8;
use crate::win7::cmd::shell::{Flow, SYNTAX, Shell};
use crate::win7::cmd::sys::{Asked, Link, Sys};

use super::words;

impl Shell {
    pub(super) fn mklink(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let mut kind = Some(Link::ToFile);
        for switch in &read.switches {
            kind = match &**switch {
                "d" => Some(Link::ToDirectory),
                "j" => Some(Link::Junction),
                "h" => None,
                "?" => return self.unknown_switch(sys, "mklink", switch),
                _ => return self.complain(sys, &SYNTAX, &[]),
            };
        }
        let [link, target] = read.words.as_slice() else {
            return self.complain(sys, &SYNTAX, &[]);
        };
        let Some(kind) = kind else {
            if let Err(error) = sys.attributes(target)? {
                return self.system_error(sys, error.code);
            }
            if sys.attributes(link)?.is_ok() {
                return self.system_error(sys, 183);
            }
            return self.unknown_switch(sys, "mklink", "h");
        };
        match sys.create_link(link, target, kind)? {
            Ok(()) => {
                let message = match kind {
                    Link::Junction => &JUNCTION,
                    _ => &SYMBOLIC,
                };
                sys.say(message, &[&utf8(link), &utf8(target)])?;
                self.done()
            }
            Err(error) if error.code == 1314 => self.complain(sys, &PRIVILEGE, &[]),
            Err(error) => self.system_error(sys, error.code),
        }
    }
}

const SYMBOLIC: Message = Message {
    en: "symbolic link created for {0} <<===>> {1}\r\n",
    zh: "为 {0} <<===>> {1} 创建的符号链接\r\n",
};
const JUNCTION: Message = Message {
    en: "Junction created for {0} <<===>> {1}\r\n",
    zh: "为 {0} <<===>> {1} 创建的联接\r\n",
};
const PRIVILEGE: Message = Message {
    en: "You do not have sufficient privilege to perform this operation.\r\n",
    zh: "你没有足够的权限执行此操作。\r\n",
};
