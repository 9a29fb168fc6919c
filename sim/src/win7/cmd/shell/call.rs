//! `call`, `goto`, `exit`, `shift`, `setlocal`, `endlocal`.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `call` looks for a program before it takes a name for a command of cmd's own | Wine's batch tests | yes |
//! | `call` fills in percent signs once more, and doubles carets | dbenham's notes | yes |
//! | `call` gives what failed last, and where nothing did, ERRORLEVEL; `call c:` clears it | Wine's batch tests, whose expected output is that of Windows | yes |
//! | a label is looked for from here to the end, then from the beginning; the first that fits is taken | `goto /?`, the same notes | yes |
//! | `exit` takes decimal numbers alone | dbenham, "Rules for how CMD.EXE parses numbers" | yes |
//! | `exit /b` alone and `goto :eof` give 0 and leave ERRORLEVEL; `exit /b N` gives N | Wine's batch tests | yes |
//! | a missing label ends the file, with 1 | Wine's batch tests | partly |

use std::sync::Arc;

use crate::win7::cmd::label;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};

use super::ast::{Command, Kind, Node, Text};
use super::expand::{same, utf8};
use super::parse::{Mistake, OneText, Parsed, parse};
use super::set::trim_start;
use super::{Flow, Saved, Shell};
use crate::win7::registry::units;

/// The label that `goto` or `call` names, with or without its colon.
fn label_of(text: &[u16]) -> Text {
    let text = trim_start(text);
    let text = text.strip_prefix(&[b':' as u16]).unwrap_or(text);
    label::begin_of(text).to_vec()
}

/// What `call` is about.
enum Called {
    /// A command.
    Command(Arc<Command>),
    /// A label, and arguments.
    Label(Text),
    /// Nothing more: it is done.
    Done(Flow),
}

impl Shell {
    pub(super) fn call(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let command = match self.read_call(sys, tail)? {
            Called::Command(command) => command,
            Called::Label(text) => return self.call_label(sys, &text),
            Called::Done(flow) => return Ok(flow),
        };
        let flow = match &command.kind {
            Kind::Simple { name, tail } if command.redirections.is_empty() => {
                self.call_command(sys, name, tail)?
            }
            Kind::Simple { .. } => self.exec(sys, &Node::Command(command.clone()))?,
            kind => {
                let word = match kind {
                    Kind::If(_) => "if",
                    _ => "for",
                };
                self.exec_external(sys, &units(word), &[], true)?
            }
        };
        self.called(&flow);
        Ok(flow)
    }

    /// Reads what is called. (Apart from [`Shell::call`], whose stack frame is there as often as calls lie in each other.)
    fn read_call(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Called> {
        let mut text: Text = Vec::new();
        // Carets are doubled, and those outside of quotes are halved again when it is read.
        for unit in trim_start(tail) {
            text.push(*unit);
            if *unit == b'^' as u16 {
                text.push(*unit);
            }
        }
        if text.iter().all(|unit| matches!(*unit, 0x20 | 0x09)) {
            // `call` with a blank clears ERRORLEVEL, alone it sets it (known quirk).
            return self.fail(i32::from(tail.is_empty())).map(Called::Done);
        }
        if text.starts_with(&units("/?")) {
            let code = sys.unsupported("call /?")?;
            return self.fail(code as i32).map(Called::Done);
        }
        if text[0] == b':' as u16 {
            return match self.expand_percent(sys, &text)? {
                Ok(text) => Ok(Called::Label(text)),
                Err(mistake) => self.refuse(sys, &mistake).map(Called::Done),
            };
        }
        let done = match parse(self, sys, &mut OneText(Some(text)))? {
            Parsed::Node(Node::Command(command)) => return Ok(Called::Command(command)),
            Parsed::Mistake(mistake @ Mistake::PathOperator(_)) => self.refuse(sys, &mistake),
            // `call a & b` was divided before; what the second look finds is not run.
            Parsed::Node(_) | Parsed::Mistake(_) | Parsed::Unfinished => self.fail(1),
            Parsed::Nothing | Parsed::End => self.fail(0),
        };
        done.map(Called::Done)
    }

    /// What was called has come back: what did not fail gives ERRORLEVEL.
    pub(super) fn called(&mut self, flow: &Flow) {
        if *flow == Flow::Next && self.code == 0 {
            self.code = self.errorlevel;
        }
    }

    fn call_command(&mut self, sys: &mut Sys<'_>, name: &[u16], tail: &[u16]) -> Asked<Flow> {
        if super::internal::named(name).is_some() && !self.is_program_instead(sys, name)? {
            return self.exec_simple(sys, name, tail);
        }
        let name = self.expand_late(sys, name)?;
        let tail = self.expand_late(sys, tail)?;
        if let Some(drive) = super::exec::drive_of(&name) {
            let flow = self.change_drive(sys, drive)?;
            self.errorlevel = self.code;
            return Ok(flow);
        }
        if name.first() == Some(&(b':' as u16)) {
            return self.call_label(sys, &[name, tail].concat());
        }
        self.exec_external(sys, &name, &tail, true)
    }

    /// Whether there is a program that is called as a command of cmd's own: it goes first.
    fn is_program_instead(&self, sys: &mut Sys<'_>, name: &[u16]) -> Asked<bool> {
        let letter = |unit: &u16| u8::try_from(*unit).is_ok_and(|byte| byte.is_ascii_alphabetic());
        match name.iter().all(letter) {
            true => Ok(super::external::find(self, sys, name, true)?.is_some()),
            false => Ok(false),
        }
    }

    /// `call :label ARGS`
    fn call_label(&mut self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Flow> {
        let Some(frame) = self.frames.last() else {
            sys.complain(&OUTSIDE, &[])?;
            return self.fail(1);
        };
        let end = text
            .iter()
            .position(|unit| matches!(*unit, 0x20 | 0x09 | 0x2c | 0x3b | 0x3d));
        let (name, tail) = text.split_at(end.unwrap_or(text.len()));
        let (file, from) = (frame.file.clone(), frame.at);
        let label = label_of(name);
        if same(&label, &units("eof")) {
            return self.fail(0);
        }
        let Some(at) = sys.find_label(&file, &label, from)? else {
            sys.complain(&NO_LABEL, &[&utf8(&label)])?;
            return self.fail(1);
        };
        let mut frame = self.frame(&file.to_utf8_lossy(), name, tail, at);
        frame.file = file;
        let flow = self.run_inside(sys, frame)?;
        self.called(&flow);
        Ok(flow)
    }

    pub(super) fn goto(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let Some(frame) = self.frames.last() else {
            return self.quiet();
        };
        let text = trim_start(tail);
        let label = label_of(text);
        if text.first() == Some(&(b':' as u16)) && same(&label, &units("eof")) {
            self.code = 0;
            return Ok(Flow::Return);
        }
        if text.starts_with(&units("/?")) {
            return self.unknown_switch(sys, "goto", "?");
        }
        if label.is_empty() {
            sys.complain(&NO_LABEL_NAME, &[])?;
            self.leave_after_line(sys);
            return self.fail(1);
        }
        let (file, from) = (frame.file.clone(), frame.at);
        match sys.find_label(&file, &label, from)? {
            Some(at) => {
                if let Some(frame) = self.frames.last_mut() {
                    frame.at = at;
                }
                self.code = 0;
                Ok(Flow::Jump)
            }
            None => {
                sys.complain(&NO_LABEL, &[&utf8(&label)])?;
                self.fail(1)?;
                Ok(Flow::Return)
            }
        }
    }

    pub(super) fn exit(&mut self, _: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = utf8(tail);
        let text = text.trim();
        let (from_batch, rest) = match text.get(..2) {
            Some(switch) if switch.eq_ignore_ascii_case("/b") => (true, text[2..].trim()),
            _ => (false, text),
        };
        let number = (!rest.is_empty()).then(|| super::arithmetic::leading_decimal(rest));
        if from_batch && !self.frames.is_empty() {
            if let Some(number) = number {
                self.errorlevel = number;
            }
            self.code = number.unwrap_or(0);
            return Ok(Flow::Return);
        }
        if let Some(number) = number {
            self.errorlevel = number;
        }
        Ok(Flow::Exit(self.errorlevel))
    }

    pub(super) fn shift(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = utf8(tail);
        let switch = text.trim().strip_prefix('/');
        let from = switch.and_then(|number| number.parse::<usize>().ok());
        if switch.is_some() && from.is_none_or(|from| from > 8) {
            return self.complain(sys, &NO_SHIFT, &[]);
        }
        if let Some(frame) = self.frames.last_mut() {
            let from = from.unwrap_or(0);
            if from < frame.parameters.len() {
                frame.parameters.remove(from);
            }
        }
        self.quiet()
    }

    pub(super) fn setlocal(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let saved = Saved {
            block: sys.local.block.clone(),
            directory: sys.local.directory.clone(),
            delayed: self.delayed,
            extensions: self.extensions,
        };
        let Some(frame) = self.frames.last_mut() else {
            return self.done();
        };
        if frame.saved.len() >= 32 {
            sys.complain(&TOO_MANY, &[])?;
            return self.fail(1);
        }
        frame.saved.push(saved);
        let mut code = 0;
        for word in super::external::parameters(tail) {
            match &*utf8(&word).to_ascii_lowercase() {
                "enabledelayedexpansion" => self.delayed = true,
                "disabledelayedexpansion" => self.delayed = false,
                "enableextensions" => self.extensions = true,
                "disableextensions" => {
                    self.extensions = false;
                    sys.unsupported("setlocal disableextensions")?;
                }
                _ => code = 1,
            }
        }
        self.fail(code)
    }

    pub(super) fn endlocal(&mut self, sys: &mut Sys<'_>, _: &[u16]) -> Asked<Flow> {
        let saved = self.frames.last_mut().and_then(|frame| frame.saved.pop());
        if let Some(saved) = saved {
            self.restore(sys, saved);
        }
        self.quiet()
    }
}

const NO_LABEL: Message = Message {
    en: "The system cannot find the batch label specified - {0}\r\n",
    zh: "系统找不到指定的批处理标签 - {0}\r\n",
};
const NO_LABEL_NAME: Message = Message {
    en: "No batch label specified to GOTO command.\r\n",
    zh: "没有为 GOTO 命令指定批处理标签。\r\n",
};
const OUTSIDE: Message = Message {
    en: "Invalid attempt to call batch label outside of batch script.\r\n",
    zh: "试图在批脚本外调用批处理标签无效。\r\n",
};
const NO_SHIFT: Message = Message {
    en: "Invalid parameter to SHIFT command\r\n",
    zh: "SHIFT 命令的参数无效\r\n",
};
const TOO_MANY: Message = Message {
    en: "Maximum setlocal recursion level reached.\r\n",
    zh: "已达到 setlocal 递归的最大级别。\r\n",
};
