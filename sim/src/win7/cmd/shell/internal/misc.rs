//! `echo`, `ver`, `vol`, `date`, `time`, `path`, `prompt`, `pause`, `start`, and others that are short.

use crate::win7::cmd::clock::Moment;
use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::kernel::SpawnRequest;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::shell::ast::Text;
use crate::win7::cmd::shell::expand::{date_of, time_of, utf8};
use crate::win7::cmd::shell::set::trim_start;
use crate::win7::cmd::shell::{Flow, Shell, external};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::units;

use super::{INVALID_SWITCH, words};

/// What `ver` shows: Service Pack 1.
pub(in crate::win7::cmd::shell) const VERSION: &str = "Microsoft Windows [Version 6.1.7601]";

const ASSOCIATIONS: &[(&str, &str, &str)] = &[
    (".bat", "batfile", "\"%1\" %*"),
    (".cmd", "cmdfile", "\"%1\" %*"),
    (".com", "comfile", "\"%1\" %*"),
    (".exe", "exefile", "\"%1\" %*"),
    (".reg", "regfile", "regedit.exe \"%1\""),
    (".txt", "txtfile", "%SystemRoot%\\system32\\NOTEPAD.EXE %1"),
];

impl Shell {
    /// A command that does nothing that is modelled.
    pub(super) fn nothing(&mut self, _: &mut Sys<'_>, _: &[u16]) -> Asked<Flow> {
        self.quiet()
    }

    pub(super) fn unknown_dpath(&mut self, sys: &mut Sys<'_>, _: &[u16]) -> Asked<Flow> {
        let code = sys.unsupported("dpath")?;
        self.fail(code as i32)
    }

    pub(super) fn echo(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = utf8(tail);
        match &*text.trim().to_ascii_lowercase() {
            "" if tail
                .iter()
                .all(|unit| matches!(*unit, 0x20 | 0x09 | 0x2c | 0x3b | 0x3d)) =>
            {
                let message = if self.echo { &ECHO_ON } else { &ECHO_OFF };
                sys.say(message, &[])?;
                return self.quiet();
            }
            "on" => {
                self.echo = true;
                return self.quiet();
            }
            "off" => {
                self.echo = false;
                return self.quiet();
            }
            "/?" => {
                let code = sys.unsupported("echo /?")?;
                return self.fail(code as i32);
            }
            _ => {}
        }
        // One sign divides it from its text.
        let line = [&tail[1..], &units("\r\n")[..]].concat();
        match sys.write_units(1, &line)? {
            Ok(()) => self.quiet(),
            Err(error) => {
                let text = sys.system_text(error.code);
                sys.error(&text)?;
                self.fail(1)
            }
        }
    }

    pub(super) fn ver(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        if !words(tail).switches.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        sys.say(&VER, &[VERSION])?;
        self.done()
    }

    pub(super) fn vol(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let read = words(tail);
        let drive = match read.words.first() {
            Some(word) if super::super::exec::drive_of(word).is_none() => {
                return self.system_error(sys, 123);
            }
            Some(word) => utf8(word),
            None => sys.local.directory.to_utf8_lossy(),
        };
        if !read.switches.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        let letter = drive.chars().next().unwrap_or('C').to_ascii_uppercase();
        if sys.attributes(&units(&format!("{letter}:\\")))?.is_err() {
            return self.system_error(sys, 3);
        }
        sys.say(&VOL, &[&letter.to_string()])?;
        self.done()
    }

    pub(super) fn cls(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        if !words(tail).switches.is_empty() {
            return self.complain(sys, &super::super::SYNTAX, &[]);
        }
        // To what is no console it writes a form feed.
        sys.print("\u{c}")?;
        self.quiet()
    }

    pub(super) fn color(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        if sys.local.handles.get(1) != Handle::Console {
            return self.fail(1);
        }
        let text = utf8(tail);
        let text = text.trim();
        let mut letters = text.chars();
        let same = match (letters.next(), letters.next()) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(&other),
            _ => false,
        };
        let known = text.len() <= 2 && text.chars().all(|letter| letter.is_ascii_hexdigit());
        self.fail(i32::from(same || !known))
    }

    pub(super) fn verify(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = utf8(tail);
        match &*text.trim().to_ascii_lowercase() {
            "" => sys.say(&VERIFY, &[])?,
            "on" | "off" => {}
            _ => {
                sys.complain(&VERIFY_WRONG, &[])?;
                return self.fail(1);
            }
        }
        self.done()
    }

    pub(super) fn date(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = date_of(Moment::after_ms(sys.now_ms()?));
        self.clock(sys, tail, "date", &DATE, &text)
    }

    pub(super) fn time(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = time_of(Moment::after_ms(sys.now_ms()?));
        self.clock(sys, tail, "time", &TIME, &text)
    }

    fn clock(
        &mut self,
        sys: &mut Sys<'_>,
        tail: &[u16],
        name: &str,
        message: &Message,
        text: &str,
    ) -> Asked<Flow> {
        let given = utf8(tail);
        let given = given.trim();
        if given.eq_ignore_ascii_case("/t") {
            // The short form has no seconds.
            let short = match name {
                "time" => {
                    let moment = Moment::after_ms(sys.now_ms()?);
                    let half = if moment.hour < 12 { "AM" } else { "PM" };
                    let hour = if moment.hour.is_multiple_of(12) {
                        12
                    } else {
                        moment.hour % 12
                    };
                    format!("{hour:02}:{:02} {half}", moment.minute)
                }
                _ => format!("{text} "),
            };
            sys.line(&short)?;
            return self.done();
        }
        if !given.is_empty() && !given.contains(|letter: char| letter.is_ascii_digit()) {
            let (wrong, again) = match name {
                "date" => (&NO_DATE, &NEW_DATE),
                _ => (&NO_TIME, &NEW_TIME),
            };
            sys.complain(wrong, &[])?;
            sys.say(again, &[])?;
            let line = sys.read_line(0)?;
            sys.print("\r\n")?;
            let is_empty = match line {
                Ok(Some(line)) => line.iter().all(|byte| byte.is_ascii_whitespace()),
                _ => true,
            };
            if is_empty {
                return self.fail(1);
            }
        }
        if !given.is_empty() {
            let code = sys.unsupported(&format!("{name} to set the clock"))?;
            return self.fail(code as i32);
        }
        sys.say(message, &[text])?;
        let _ = sys.read_line(0)?;
        sys.print("\r\n")?;
        self.done()
    }

    pub(super) fn path(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = trim_start(tail);
        let text = match text.first() {
            Some(0x3d) => trim_start(&text[1..]),
            _ => text,
        };
        if text.is_empty() && tail.iter().all(|unit| *unit != 0x3b) {
            let shown = sys.variable("PATH");
            match shown {
                Some(path) => sys.line(&format!("PATH={path}"))?,
                None => sys.line("PATH=(null)")?,
            }
            return self.quiet_in_bat();
        }
        let value: &[u16] = if utf8(text).trim() == ";" { &[] } else { text };
        self.set_variable(sys, &units("PATH"), value);
        self.quiet_in_bat()
    }

    pub(super) fn prompt_command(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = trim_start(tail).to_vec();
        self.set_variable(sys, &units("PROMPT"), &text);
        self.quiet_in_bat()
    }

    pub(super) fn pause(&mut self, sys: &mut Sys<'_>, _: &[u16]) -> Asked<Flow> {
        sys.say(&PAUSE, &[])?;
        // One key; at the end of what is typed on the console it goes on.
        let key = sys.read_line(0)?;
        sys.print("\r\n")?;
        match key {
            Ok(None) | Err(_) if sys.local.handles.get(0) != Handle::Console => self.fail(1),
            _ => self.quiet(),
        }
    }

    pub(super) fn assoc(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = utf8(trim_start(tail));
        self.table(
            sys,
            &text,
            "assoc",
            &NO_ASSOCIATION,
            |(extension, class, _)| ((*extension).into(), (*class).into()),
        )
    }

    pub(super) fn ftype(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = utf8(trim_start(tail));
        self.table(sys, &text, "ftype", &NO_TYPE, |(_, class, command)| {
            ((*class).into(), (*command).into())
        })
    }

    fn table(
        &mut self,
        sys: &mut Sys<'_>,
        text: &str,
        name: &str,
        missing: &Message,
        row: fn(&(&str, &str, &str)) -> (String, String),
    ) -> Asked<Flow> {
        if text.contains('=') {
            let code = sys.unsupported(&format!("{name} to change an association"))?;
            return self.fail(code as i32);
        }
        let mut found = false;
        for (key, value) in ASSOCIATIONS.iter().map(row) {
            if text.is_empty() || key.eq_ignore_ascii_case(text) {
                found = true;
                sys.line(&format!("{key}={value}"))?;
            }
        }
        if found {
            return self.quiet_in_bat();
        }
        sys.complain(missing, &[text])?;
        self.fail(if name == "assoc" { 1 } else { 2 })
    }

    /// `start ["TITLE"] [/b] [/wait] [/d DIR] PROGRAM ARGS`
    pub(super) fn start(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let mut rest = trim_start(tail).to_vec();
        let (mut waits, mut titled) = (false, false);
        let mut directory = None;
        loop {
            // The first thing in quotes is the title, also behind switches.
            if rest.first() == Some(&0x22) && !titled {
                titled = true;
                let end = rest.iter().skip(1).position(|unit| *unit == 0x22);
                rest = trim_start(&rest[end.map_or(rest.len(), |end| end + 2)..]).to_vec();
                continue;
            }
            if rest.first() != Some(&(b'/' as u16)) {
                break;
            }
            let (word, after) = first_word(&rest);
            let word = utf8(&word).to_ascii_lowercase();
            let after = trim_start(&after).to_vec();
            match &*word {
                "/b" | "/min" | "/max" | "/low" | "/normal" | "/high" | "/realtime"
                | "/abovenormal" | "/belownormal" | "/separate" | "/shared" => rest = after,
                "/wait" | "/w" => {
                    waits = true;
                    rest = after;
                }
                word if word.starts_with("/d") => {
                    let (path, left) = match word.len() {
                        2 => first_word(&after),
                        _ => (units(&word[2..]), after),
                    };
                    let path: Text = path.into_iter().filter(|unit| *unit != 0x22).collect();
                    directory = Some(sys.full_path(&path));
                    rest = trim_start(&left).to_vec();
                }
                "/i" | "/node" | "/affinity" | "/?" => {
                    return self.unknown_switch(sys, "start", &word[1..]);
                }
                word => {
                    let switch = word[1..].to_ascii_uppercase();
                    return self.complain(sys, &INVALID_SWITCH, &[&format!("/{switch}")]);
                }
            }
        }
        if rest.is_empty() {
            let code = sys.unsupported("start without a program")?;
            return self.fail(code as i32);
        }
        let (name, arguments) = first_word(&rest);
        let bare: Text = name.iter().copied().filter(|unit| *unit != 0x22).collect();
        let request = if super::named(&name).is_some() {
            let text = utf8(&rest);
            SpawnRequest::new(super::super::exec::comspec(sys), &*format!(" /K {text}"))
        } else {
            match external::find(self, sys, &bare, true)? {
                Some(file)
                    if file.to_ascii_lowercase().ends_with(".bat")
                        || file.to_ascii_lowercase().ends_with(".cmd") =>
                {
                    // It keeps its window open (`cmd /K`): what it runs is the same.
                    let tail = format!(" /c \"\"{file}\"{}\"", utf8(&arguments));
                    SpawnRequest::new(super::super::exec::comspec(sys), &*tail)
                }
                Some(file) if external::is_program(&file) => {
                    SpawnRequest::new(&*file, arguments.as_slice())
                }
                Some(file) => {
                    let code = sys.unsupported(&format!("opening {file} with its program"))?;
                    return self.fail(code as i32);
                }
                None => {
                    let text = utf8(&bare);
                    let is_folder = sys
                        .attributes(&bare)?
                        .is_ok_and(|attributes| attributes.has(Attributes::DIRECTORY));
                    if is_folder || text.contains("://") {
                        let code = sys.unsupported(&format!("opening {text} with its program"))?;
                        return self.fail(code as i32);
                    }
                    sys.complain(&NO_START, &[&utf8(&bare)])?;
                    return self.fail(9059);
                }
            }
        };
        let request = SpawnRequest {
            directory: directory.map(crate::win7::text::Wide::new),
            ..request
        };
        match sys.spawn(request)? {
            Ok(child) if waits => {
                // ERRORLEVEL is the program's, and `start` itself has not failed (Wine's batch tests).
                self.errorlevel = sys.wait(child)? as i32;
                self.quiet()
            }
            Ok(_) => self.quiet(),
            Err(error) => self.system_error(sys, error.code),
        }
    }
}

/// The first word, with its quotes, and what follows.
fn first_word(text: &[u16]) -> (Text, Text) {
    let mut quoted = false;
    let end = text.iter().position(|unit| {
        if *unit == 0x22 {
            quoted = !quoted;
        }
        !quoted && matches!(*unit, 0x20 | 0x09)
    });
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word.to_vec(), rest.to_vec())
}

const ECHO_ON: Message = Message {
    en: "ECHO is on.\r\n",
    zh: "ECHO 处于打开状态。\r\n",
};
const ECHO_OFF: Message = Message {
    en: "ECHO is off.\r\n",
    zh: "ECHO 处于关闭状态。\r\n",
};
const VER: Message = Message {
    en: "\r\n{0}\r\n",
    zh: "\r\nMicrosoft Windows [版本 6.1.7601]\r\n",
};
const VOL: Message = Message {
    en: " Volume in drive {0} has no label.\r\n Volume Serial Number is 0000-0000\r\n",
    zh: " 驱动器 {0} 中的卷没有标签。\r\n 卷的序列号是 0000-0000\r\n",
};
const VERIFY: Message = Message {
    en: "VERIFY is off.\r\n",
    zh: "VERIFY 处于关闭状态。\r\n",
};
const VERIFY_WRONG: Message = Message {
    en: "VERIFY: Must specify ON or OFF.\r\n",
    zh: "VERIFY: 必须指定 ON 或 OFF。\r\n",
};
const DATE: Message = Message {
    en: "The current date is: {0} \r\nEnter the new date: (mm-dd-yy) ",
    zh: "当前日期: {0} \r\n输入新日期: (年月日) ",
};
const TIME: Message = Message {
    en: "The current time is: {0}\r\nEnter the new time: ",
    zh: "当前时间: {0}\r\n输入新时间: ",
};
const NO_DATE: Message = Message {
    en: "The system cannot accept the date entered.\r\n",
    zh: "系统无法接受输入的日期。\r\n",
};
const NEW_DATE: Message = Message {
    en: "Enter the new date: (mm-dd-yy) ",
    zh: "输入新日期: (年月日) ",
};
const NO_TIME: Message = Message {
    en: "The system cannot accept the time entered.\r\n",
    zh: "系统无法接受输入的时间。\r\n",
};
const NEW_TIME: Message = Message {
    en: "Enter the new time: ",
    zh: "输入新时间: ",
};
const PAUSE: Message = Message {
    en: "Press any key to continue . . . ",
    zh: "请按任意键继续. . . ",
};
const NO_ASSOCIATION: Message = Message {
    en: "File association not found for extension {0}\r\n",
    zh: "没有为扩展名 {0} 找到文件关联\r\n",
};
const NO_TYPE: Message = Message {
    en: "File type '{0}' not found or no open command associated with it.\r\n",
    zh: "文件类型 '{0}' 没有找到或没有与它关联的打开命令。\r\n",
};
const NO_START: Message = Message {
    en: "The system cannot find the file {0}.\r\n",
    zh: "系统找不到文件 {0}。\r\n",
};
