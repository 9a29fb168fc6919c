//! Programs and batch files: where they are found, and how they start.

use crate::win7::cmd::kernel::SpawnRequest;
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys, Touch, folder_content};
use crate::win7::registry::units;
use crate::win7::resolve::{Place, cmd};

use super::ast::Text;
use super::expand::utf8;
use super::{Flow, Frame, Shell};

/// The file that a command's name runs; `quoted`: the name is given without its quotes, and may hold blanks.
pub(super) fn find(
    _: &Shell,
    sys: &mut Sys<'_>,
    name: &[u16],
    quoted: bool,
) -> Asked<Option<String>> {
    let name = utf8(name);
    let line = match quoted {
        true => format!("\"{name}\""),
        false => name,
    };
    // The search never finds internal commands here: those were looked for before.
    let line = match line.contains('"') {
        true => line,
        false => format!("\"{line}\""),
    };
    let what = line.trim_matches('"').to_owned();
    sys.perform(
        "look for",
        |sys| {
            let mut folders = vec![sys.local.directory.to_utf8_lossy()];
            if let Some(path) = sys.variable("PATH") {
                folders.extend(path.to_utf8_lossy().split(';').map(str::to_owned));
            }
            if what.contains(['\\', '/', ':']) {
                let full = utf8(&sys.full_path(&units(&what)));
                folders = vec![
                    full.rsplit_once('\\')
                        .map_or("", |(folder, _)| folder)
                        .to_owned(),
                ];
            }
            let folders = folders
                .iter()
                .map(|folder| folder_content(folder))
                .collect();
            (what.clone(), Touch::Reads(folders))
        },
        move |kernel, _, local| {
            let directory = local.directory.to_utf8_lossy();
            let place = Place::new(&directory, (*local.block).clone());
            cmd(&line, &place, &kernel.machine.files).file()
        },
    )
}

/// Whether a file is a program that CreateProcess starts.
pub(super) fn is_program(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    file.ends_with(".exe") || file.ends_with(".com")
}

fn is_batch(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    file.ends_with(".bat") || file.ends_with(".cmd")
}

/// The words of a batch file's command line: blanks, commas, semicolons and equal signs divide.
pub(super) fn parameters(tail: &[u16]) -> Vec<Text> {
    let mut all = Vec::new();
    let (mut word, mut quoted) = (Vec::new(), false);
    for unit in tail {
        let divides = matches!(*unit, 0x20 | 0x09 | 0x2c | 0x3b | 0x3d) && !quoted;
        if *unit == 0x22 {
            quoted = !quoted;
        }
        if divides {
            if !word.is_empty() {
                all.push(std::mem::take(&mut word));
            }
            continue;
        }
        word.push(*unit);
    }
    if !word.is_empty() {
        all.push(word);
    }
    all
}

/// The tail without the blanks that divide it from the name, as `%*` has it: other signs that divide stay (Wine's
/// batch tests).
fn all_of(tail: &[u16]) -> Text {
    let start = tail.iter().position(|unit| !matches!(*unit, 0x20 | 0x09));
    let tail = &tail[start.unwrap_or(tail.len())..];
    let end = tail.iter().rposition(|unit| !matches!(*unit, 0x20 | 0x09));
    tail[..end.map_or(0, |end| end + 1)].to_vec()
}

impl Shell {
    pub(super) fn frame(&self, file: &str, name: &[u16], tail: &[u16], at: usize) -> Frame {
        let mut words = vec![name.to_vec()];
        words.extend(parameters(tail));
        Frame {
            file: file.into(),
            at,
            parameters: words,
            all: all_of(tail),
            saved: Vec::new(),
            is_cmd: file.to_ascii_lowercase().ends_with(".cmd"),
            is_over: false,
        }
    }

    /// A command that is none of cmd's own. `called`: by `call`, so that a batch file comes back.
    pub(super) fn exec_external(
        &mut self,
        sys: &mut Sys<'_>,
        name: &[u16],
        tail: &[u16],
        called: bool,
    ) -> Asked<Flow> {
        match self.run_program(sys, name, tail, called)? {
            Ok(flow) => Ok(flow),
            Err(frame) => self.start_batch(sys, *frame, called),
        }
    }

    /// Runs a program; a batch file is for the caller to run. (Apart from [`Shell::exec_external`], whose stack frame is
    /// there as often as calls lie in each other.)
    fn run_program(
        &mut self,
        sys: &mut Sys<'_>,
        name: &[u16],
        tail: &[u16],
        called: bool,
    ) -> Asked<Result<Flow, Box<Frame>>> {
        // What is glued to the name with a slash is an argument, `ipconfig/all`, and what is with a parenthesis (Wine's
        // batch tests).
        let has_quotes = name.contains(&0x22);
        let mut quoted = false;
        let ends = name.iter().skip(1).position(|unit| {
            quoted ^= *unit == 0x22;
            let is_slash = *unit == b'/' as u16 && !has_quotes;
            is_slash || (*unit == b'(' as u16 && !quoted)
        });
        let ends = ends.filter(|_| name.first() != Some(&0x22));
        let (name, glued) = name.split_at(ends.map_or(name.len(), |end| end + 1));
        let (name, tail) = (name.to_vec(), [glued, tail].concat());
        let bare: Text = name.iter().copied().filter(|unit| *unit != 0x22).collect();
        let Some(file) = find(self, sys, &bare, true)? else {
            return self.not_found(sys, &name, called).map(Ok);
        };
        if is_batch(&file) {
            return Ok(Err(Box::new(self.frame(&file, &name, &tail, 0))));
        }
        if !is_program(&file) {
            let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
            let code = sys.unsupported(&format!("opening a .{extension} file with its program"))?;
            return self.fail(code as i32).map(Ok);
        }
        let done = match sys.run(SpawnRequest::new(&*file, tail.as_slice()))? {
            Ok(code) => {
                self.note_exit(sys, code);
                sys.renew_language()?;
                self.fail(code as i32)
            }
            Err(error) => {
                let text = match error.code {
                    193 => format!(
                        "This version of {file} is not compatible with the version of Windows you're running. Check your computer's \
                         system information to see whether you need a x86 (32-bit) or x64 (64-bit) version of the program, and then \
                         contact the software publisher.\r\n"
                    ),
                    code => sys.system_text(code),
                };
                sys.error(&text)?;
                self.fail(error.code as i32)
            }
        };
        done.map(Ok)
    }

    /// The hidden variables of what a program ended with.
    fn note_exit(&self, sys: &mut Sys<'_>, code: u32) {
        self.set_variable(sys, &units("=ExitCode"), &units(&format!("{code:08X}")));
        let letter = match code {
            0x21..=0x7E => vec![code as u16],
            _ => Vec::new(),
        };
        self.set_variable(sys, &units("=ExitCodeAscii"), &letter);
    }

    /// Runs a batch file: in place of the one that runs, unless it is called or there is none.
    fn start_batch(&mut self, sys: &mut Sys<'_>, frame: Frame, called: bool) -> Asked<Flow> {
        if !called && !self.frames.is_empty() {
            return Ok(Flow::Transfer(Box::new(frame)));
        }
        let bottom = self.at_bottom && self.frames.is_empty();
        self.at_bottom = bottom || self.at_bottom;
        self.run_inside(sys, frame)
    }

    /// Runs a batch file or subroutine and comes back.
    pub(super) fn run_inside(&mut self, sys: &mut Sys<'_>, frame: Frame) -> Asked<Flow> {
        if self.calls >= super::DEEPEST_CALL {
            let count = self.calls.to_string();
            sys.complain(&RECURSION, &[&count])?;
            self.fail(1)?;
            return Ok(Flow::Abort);
        }
        if std::mem::replace(&mut self.is_last, false) {
            return Ok(Flow::Call(Box::new(frame)));
        }
        if self.stack >= super::DEEPEST_STACK {
            sys.unsupported("calls that lie so deep in blocks of each other")?;
            self.fail(1)?;
            return Ok(Flow::Abort);
        }
        self.calls += 1;
        self.stack += super::CALL_ON_STACK;
        sys.kernel.deep = self.stack;
        let variables = std::mem::take(&mut self.variables);
        let on_command_line = std::mem::replace(&mut self.on_command_line, false);
        self.frames.push(frame);
        let own = self.frames.len();
        let flow = self.run_lines(sys, own)?;
        self.on_command_line = on_command_line;
        self.variables = variables;
        self.calls -= 1;
        self.stack -= super::CALL_ON_STACK;
        sys.kernel.deep = self.stack;
        Ok(flow)
    }

    /// Says that there is no such program.
    pub(super) fn not_found(
        &mut self,
        sys: &mut Sys<'_>,
        name: &[u16],
        called: bool,
    ) -> Asked<Flow> {
        let text = utf8(name).replace('"', "");
        if let Some((folder, _)) = text.rsplit_once('\\') {
            let folder = if folder.ends_with(':') || folder.is_empty() {
                format!("{folder}\\")
            } else {
                folder.to_owned()
            };
            if sys.attributes(&units(&folder))?.is_err() {
                let text = sys.system_text(3);
                sys.error(&text)?;
                self.code = 1;
                self.errorlevel = if called { 1 } else { 3 };
                return Ok(Flow::Next);
            }
        }
        sys.complain(&NOT_FOUND, &[&utf8(name)])?;
        self.code = 1;
        // After `call` it is 1 (Wine alone shows it).
        self.errorlevel = if called { 1 } else { 9009 };
        Ok(Flow::Next)
    }
}

const NOT_FOUND: Message = Message {
    en: "'{0}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
    zh: "'{0}' 不是内部或外部命令，也不是可运行的程序\r\n或批处理文件。\r\n",
};
const RECURSION: Message = Message {
    en: "****** B A T C H   R E C U R S I O N  exceeds STACK limits ******\r\nRecursion Count={0}, Stack Usage=90 percent\r\n\
         ******       B A T C H   PROCESSING IS   A B O R T E D      ******\r\n",
    zh: "****** 批 处 理 递 归 超 过 堆 栈 限 制 ******\r\n递归计数={0}，堆栈使用=90 %\r\n\
         ******      批 处 理 被 中 止      ******\r\n",
};
