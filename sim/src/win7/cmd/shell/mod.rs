//! cmd.exe: its interpreter and its internal commands.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | a file is read a line at a time, in the console's code page, and looked up anew for each line | observed; dbenham's notes | yes |
//! | a line ends at NUL as text, and 0x1A ends a line | the same notes | partly |
//! | two results: a return code (`&&`, `\|\|`, the exit of `cmd /c`), and ERRORLEVEL | Wine's batch tests, whose expected output is that of Windows | yes |
//! | a batch file that is started without `call` does not come back | `call /?` | yes |
//! | what is wrong with a command ends all batch files, with 255 | Wine's batch tests; reports | yes |

pub mod arithmetic;
pub mod ast;
mod call;
mod exec;
mod expand;
mod external;
mod for_loop;
mod if_command;
pub mod internal;
mod parse;
mod set;
mod text;

use std::sync::Arc;

use crate::win7::environment::Block;
use crate::win7::text::Wide;

use super::messages::Message;
use super::sys::{Asked, Stop, Sys};
use ast::Text;
use parse::{Lines, Mistake, OneText, Parsed};

/// How many commands one interpreter may begin: what is still running then is taken for endless.
pub const MOST_COMMANDS: u64 = 100_000;

/// How deep batch files and subroutines may call each other. Windows ends at 90 % of its stack, which depends on what lies
/// between: reports have 234, 236, 248, 290, 301 and 317 calls.
const DEEPEST_CALL: usize = 300;

/// How much of the own stack calls and blocks in each other may take: a call that is the last of its line takes nothing.
const DEEPEST_STACK: usize = 300;

/// What a call that has something behind it in its line takes of that; a block or a loop takes 1.
const CALL_ON_STACK: usize = 4;

/// What stands open for an `endlocal`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Saved {
    block: Arc<Block>,
    directory: Wide,
    delayed: bool,
    extensions: bool,
}

/// A batch file or subroutine that runs.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Frame {
    /// Its full path.
    file: Wide,
    /// Where the next line begins, in bytes.
    at: usize,
    /// What `%0` to `%9` and those behind are.
    parameters: Vec<Text>,
    /// `%*`
    all: Text,
    /// Its `setlocal`s.
    saved: Vec<Saved>,
    /// Whether it is a .cmd file.
    is_cmd: bool,
    /// Whether it ends with the line that runs.
    is_over: bool,
}

impl Frame {
    fn parameter(&self, number: usize) -> &[u16] {
        self.parameters.get(number).map_or(&[], Vec::as_slice)
    }
}

/// The state of an interpreter.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Shell {
    frames: Vec<Frame>,
    echo: bool,
    errorlevel: i32,
    /// The return code of the last command.
    code: i32,
    delayed: bool,
    extensions: bool,
    /// The variables of `for`, the innermost last.
    variables: Vec<(u16, Text)>,
    pushed: Vec<Wide>,
    /// Whether what is read now is no line of a file.
    on_command_line: bool,
    /// Whether the interpreter has nothing to do but the batch file at the bottom: between two of its lines the state is
    /// all here.
    at_bottom: bool,
    /// How many `call`s deep it is.
    calls: usize,
    /// Whether nothing of its line is behind what runs: then a call needs nothing to come back to.
    is_last: bool,
    /// How much of [`DEEPEST_STACK`] is taken.
    stack: usize,
}

impl Default for Shell {
    fn default() -> Shell {
        Shell {
            frames: Vec::new(),
            echo: true,
            errorlevel: 0,
            code: 0,
            delayed: false,
            extensions: true,
            variables: Vec::new(),
            pushed: Vec::new(),
            on_command_line: false,
            at_bottom: false,
            calls: 0,
            is_last: false,
            stack: 0,
        }
    }
}

/// How things go on after a command.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Flow {
    /// With what comes next.
    Next,
    /// With the line at which the innermost file stands now.
    Jump,
    /// The innermost file or subroutine ends.
    Return,
    /// Another batch file takes the place of the innermost.
    Transfer(Box<Frame>),
    /// Another batch file or subroutine runs, and then the next line.
    Call(Box<Frame>),
    /// All batch files end.
    Abort,
    /// The interpreter ends.
    Exit(i32),
}

impl Shell {
    /// Where it is: file and line, for whoever asks why it does not end.
    pub fn place(&self) -> String {
        match self.frames.last() {
            Some(frame) => format!("{}, at byte {}", frame.file, frame.at),
            None => "a command line".into(),
        }
    }

    fn fail(&mut self, code: i32) -> Asked<Flow> {
        self.code = code;
        self.errorlevel = code;
        Ok(Flow::Next)
    }

    fn done(&mut self) -> Asked<Flow> {
        self.fail(0)
    }

    /// Success that leaves ERRORLEVEL as it is.
    fn quiet(&mut self) -> Asked<Flow> {
        self.code = 0;
        Ok(Flow::Next)
    }

    /// Success that leaves ERRORLEVEL as it is in a .bat file, and clears it in a .cmd file.
    fn quiet_in_bat(&mut self) -> Asked<Flow> {
        if self.frames.last().is_some_and(|frame| frame.is_cmd) {
            self.errorlevel = 0;
        }
        self.quiet()
    }

    /// Says why, on the error output, and fails.
    fn complain(&mut self, sys: &mut Sys<'_>, message: &Message, fill: &[&str]) -> Asked<Flow> {
        sys.complain(message, fill)?;
        self.fail(1)
    }

    /// The system's text for a code, and failure.
    fn system_error(&mut self, sys: &mut Sys<'_>, code: u32) -> Asked<Flow> {
        let text = sys.system_text(code);
        sys.error(&text)?;
        self.fail(1)
    }

    /// Runs the lines of file number `own`, counted from 1, to its end, with those of files that it calls at the end of a
    /// line.
    fn run_lines(&mut self, sys: &mut Sys<'_>, own: usize) -> Asked<Flow> {
        loop {
            if self.at_bottom && own == 1 {
                sys.checkpoint(self);
            }
            self.tick(sys)?;
            let flow = match self.frames.last().is_some_and(|frame| frame.is_over) {
                true => Flow::Return,
                false => match self.next_command(sys)? {
                    Ok(node) => {
                        self.is_last = true;
                        let flow = self.exec(sys, &node)?;
                        self.is_last = false;
                        flow
                    }
                    Err(Flow::Next) => continue,
                    Err(flow) => flow,
                },
            };
            self.variables.clear();
            match flow {
                Flow::Next | Flow::Jump => {}
                Flow::Return => {
                    self.leave(sys);
                    if self.frames.len() < own {
                        return Ok(Flow::Next);
                    }
                    self.calls -= 1;
                    self.called(&Flow::Next);
                }
                Flow::Transfer(frame) => {
                    self.leave(sys);
                    self.frames.push(*frame);
                }
                Flow::Call(frame) => {
                    self.calls += 1;
                    self.frames.push(*frame);
                }
                Flow::Abort | Flow::Exit(_) => {
                    self.calls -= self.frames.len() - own;
                    while self.frames.len() >= own {
                        self.leave(sys);
                    }
                    return Ok(flow);
                }
            }
        }
    }

    /// Reads the next command of the innermost file, and shows it; or how things go on without one.
    fn next_command(&mut self, sys: &mut Sys<'_>) -> Asked<Result<ast::Node, Flow>> {
        Ok(Err(match parse::parse(self, sys, &mut FileLines)? {
            Parsed::Node(node) => {
                self.show(sys, &node)?;
                return Ok(Ok(node));
            }
            Parsed::End => Flow::Return,
            Parsed::Unfinished => {
                self.fail(255)?;
                Flow::Return
            }
            Parsed::Nothing => Flow::Next,
            Parsed::Mistake(mistake) => self.refuse(sys, &mistake)?,
        }))
    }

    /// The innermost file ends, and with it all its `setlocal`s.
    fn leave(&mut self, sys: &mut Sys<'_>) {
        let Some(frame) = self.frames.pop() else {
            return;
        };
        if let Some(first) = frame.saved.into_iter().next() {
            self.restore(sys, first);
        }
    }

    /// The innermost file ends with the line that runs; the rest of that runs without its `setlocal`s.
    fn leave_after_line(&mut self, sys: &mut Sys<'_>) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        frame.is_over = true;
        if let Some(first) = std::mem::take(&mut frame.saved).into_iter().next() {
            self.restore(sys, first);
        }
    }

    fn restore(&mut self, sys: &mut Sys<'_>, saved: Saved) {
        sys.local.block = saved.block;
        sys.local.directory = saved.directory;
        self.delayed = saved.delayed;
        self.extensions = saved.extensions;
    }

    /// One command more: endless ones are stopped.
    fn tick(&mut self, sys: &mut Sys<'_>) -> Asked<()> {
        sys.local.ticks += 1;
        match sys.local.ticks > MOST_COMMANDS {
            true => Err(Stop::Spent),
            false => Ok(()),
        }
    }

    /// Says what is wrong with a command.
    fn refuse(&mut self, sys: &mut Sys<'_>, mistake: &Mistake) -> Asked<Flow> {
        match mistake {
            Mistake::Unexpected(word) => {
                sys.complain(&UNEXPECTED, &[&expand::utf8(word)])?;
            }
            Mistake::Syntax => sys.complain(&SYNTAX, &[])?,
            Mistake::PathOperator(text) => {
                let text = expand::utf8(text);
                sys.complain(&PATH_OPERATOR, &[text.trim_end_matches('\r')])?;
                sys.complain(&SYNTAX, &[])?;
            }
            Mistake::TooLong => sys.complain(&TOO_LONG, &[])?,
            Mistake::TooDeep => {
                sys.unsupported("blocks that lie so deep in each other")?;
            }
        }
        self.fail(255)?;
        Ok(Flow::Abort)
    }

    /// Runs a text as one line.
    fn run_text(&mut self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Flow> {
        let mut lines = OneText(Some(text.to_vec()));
        match parse::parse(self, sys, &mut lines)? {
            Parsed::Node(node) => self.exec(sys, &node),
            Parsed::Mistake(mistake) => self.refuse(sys, &mistake),
            Parsed::Unfinished => self.fail(1),
            Parsed::Nothing | Parsed::End => Ok(Flow::Next),
        }
    }
}

/// The lines of the innermost batch file.
struct FileLines;

impl Lines for FileLines {
    fn next(&mut self, shell: &mut Shell, sys: &mut Sys<'_>) -> Asked<Option<Text>> {
        let Some(frame) = shell.frames.last_mut() else {
            return Ok(None);
        };
        let file = frame.file.clone();
        let at = frame.at;
        let line = sys.batch_line(&file, at)?;
        let Some((line, next)) = line else {
            // It is there no more.
            sys.complain(&NO_BATCH_FILE, &[])?;
            shell.fail(1)?;
            return Ok(None);
        };
        if line.is_empty() && next == at {
            return Ok(None);
        }
        if let Some(frame) = shell.frames.last_mut() {
            frame.at = next;
        }
        let end = line
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(line.len());
        Ok(Some(sys.decode(&line[..end])?.into_units()))
    }
}

const UNEXPECTED: Message = Message {
    en: "{0} was unexpected at this time.\r\n",
    zh: "此时不应有 {0}。\r\n",
};
const SYNTAX: Message = Message {
    en: "The syntax of the command is incorrect.\r\n",
    zh: "命令语法不正确。\r\n",
};
const PATH_OPERATOR: Message = Message {
    en: "The following usage of the path operator in batch-parameter\r\nsubstitution is invalid: {0}\r\n\r\n\r\n\
         For valid formats type CALL /? or FOR /?\r\n",
    zh: "批处理参数替换中路径运算符的以下用法\r\n无效: {0}\r\n\r\n\r\n有关有效格式，请键入 CALL /? 或 FOR /?\r\n",
};
const TOO_LONG: Message = Message {
    en: "The input line is too long.\r\n",
    zh: "输入行太长。\r\n",
};
const NO_BATCH_FILE: Message = Message {
    en: "The batch file cannot be found.\r\n",
    zh: "找不到批处理文件。\r\n",
};

/// What follows the switches of cmd.exe.
struct CommandLine {
    run: Option<Text>,
    delayed: bool,
    extensions: bool,
    quiet: bool,
    strip: bool,
    unknown: Option<String>,
}

fn switches(tail: &[u16]) -> CommandLine {
    let mut read = CommandLine {
        run: None,
        delayed: false,
        extensions: true,
        quiet: false,
        strip: false,
        unknown: None,
    };
    let text = tail;
    let mut at = 0;
    loop {
        // What is no switch is passed over (Wine's batch tests).
        let next = text[at.min(text.len())..]
            .iter()
            .position(|unit| *unit == b'/' as u16);
        match next {
            Some(next) => at += next,
            None => return read,
        }
        let letter = text.get(at + 1).copied().unwrap_or(0);
        let letter = u8::try_from(letter).unwrap_or(0).to_ascii_lowercase();
        at += 2;
        let value = |at: usize| -> (String, usize) {
            let rest = text.get(at..).unwrap_or(&[]);
            let end = rest
                .iter()
                .position(|unit| matches!(*unit, 0x20 | 0x2f))
                .unwrap_or(rest.len());
            (expand::utf8(&rest[..end]).to_ascii_lowercase(), at + end)
        };
        match letter {
            b'c' | b'r' | b'k' => {
                read.run = Some(text[at..].to_vec());
                if letter == b'k' {
                    read.unknown = Some("cmd /k".into());
                }
                return read;
            }
            b's' => read.strip = true,
            b'q' => read.quiet = true,
            b'd' | b'a' | b'x' | b'y' => {}
            b'v' | b'e' => {
                let (word, end) = value(at);
                let on = !word.contains("off");
                match letter {
                    b'v' => read.delayed = on,
                    _ => read.extensions = on,
                }
                at = end;
            }
            other => {
                read.unknown = Some(format!("cmd /{}", char::from(other)));
                return read;
            }
        }
    }
}

/// The text behind `/c`, with the quotes taken away that cmd takes away (`cmd /?`).
fn unquoted(text: &[u16], strip: bool, is_file: bool) -> Text {
    let blank = |unit: &u16| matches!(*unit, 0x20 | 0x09);
    let start = text
        .iter()
        .position(|unit| !blank(unit))
        .unwrap_or(text.len());
    let text = &text[start..];
    if text.first() != Some(&0x22) {
        return text.to_vec();
    }
    let quotes = text.iter().filter(|unit| **unit == 0x22).count();
    let inner: String = expand::utf8(text);
    let special = inner.contains(['&', '<', '>', '(', ')', '@', '^', '|']);
    if !strip && quotes == 2 && !special && inner.contains([' ', '\t']) && is_file {
        return text.to_vec();
    }
    let mut kept = text[1..].to_vec();
    if let Some(last) = kept.iter().rposition(|unit| *unit == 0x22) {
        kept.remove(last);
    }
    kept
}

/// What cmd.exe sets for itself before anything else, if it does not inherit it: `set` in a new one shows PROMPT.
pub(super) fn first_variables(block: &mut Arc<Block>) {
    let prompt = Wide::from("PROMPT");
    if block.get(&prompt).is_none() {
        let _ = Arc::make_mut(block).set(&prompt, &"$P$G".into());
    }
}

/// The hidden variable of the drive where a cmd.exe begins.
fn note_drive(sys: &mut Sys<'_>) {
    let directory = sys.local.directory.clone();
    if let [letter, 0x3a, ..] = directory.units() {
        let name = Wide::new(vec![0x3d, *letter, 0x3a]);
        if sys.local.block.get(&name) != Some(&directory) {
            let _ = Arc::make_mut(&mut sys.local.block).set(&name, &directory);
        }
    }
}

/// cmd.exe from its beginning.
pub(super) fn run(sys: &mut Sys<'_>) -> Asked<u32> {
    note_drive(sys);
    let read = switches(sys.tail());
    if let Some(what) = read.unknown {
        return sys.unsupported(&what);
    }
    let Some(text) = read.run else {
        return interactive(sys);
    };
    let mut shell = Shell {
        delayed: read.delayed,
        extensions: read.extensions,
        echo: !read.quiet,
        on_command_line: true,
        ..Shell::default()
    };
    let quoted = |text: &[u16]| -> Text {
        let inner = text
            .iter()
            .skip_while(|unit| matches!(**unit, 0x20 | 0x09))
            .skip(1);
        inner.copied().take_while(|unit| *unit != 0x22).collect()
    };
    let is_file = match text.contains(&0x22) {
        true => external::find(&shell, sys, &quoted(&text), true)?.is_some(),
        false => false,
    };
    let text = unquoted(&text, read.strip, is_file);
    let mut lines = OneText(Some(text));
    let parsed = parse::parse(&mut shell, sys, &mut lines)?;
    let flow = match parsed {
        Parsed::Node(node) => {
            shell.at_bottom =
                matches!(&node, ast::Node::Command(command) if command.redirections.is_empty());
            shell.exec(sys, &node)?
        }
        Parsed::Mistake(mistake) => shell.refuse(sys, &mistake)?,
        Parsed::Unfinished => shell.fail(1)?,
        Parsed::Nothing | Parsed::End => Flow::Next,
    };
    Ok(shell.exit_code(&flow))
}

/// cmd.exe without `/c`: it reads commands from its input until that ends.
fn interactive(sys: &mut Sys<'_>) -> Asked<u32> {
    let mut shell = Shell {
        on_command_line: true,
        ..Shell::default()
    };
    loop {
        shell.tick(sys)?;
        let Ok(Some(line)) = sys.read_line(0)? else {
            return Ok(shell.errorlevel as u32);
        };
        let line = sys.decode(&line)?;
        let end = line
            .units()
            .iter()
            .position(|unit| *unit == 0x0d || *unit == 0x0a);
        let line = line.units()[..end.unwrap_or(line.len())].to_vec();
        match shell.run_text(sys, &line)? {
            Flow::Exit(code) => return Ok(code as u32),
            _ => shell.on_command_line = true,
        }
    }
}

/// cmd.exe from its last checkpoint: between two lines of the batch file that it was started for.
pub(super) fn resume(shell: Arc<Shell>, sys: &mut Sys<'_>) -> Asked<u32> {
    let mut shell = (*shell).clone();
    let flow = shell.run_lines(sys, 1)?;
    Ok(shell.exit_code(&flow))
}

impl Shell {
    fn exit_code(&self, flow: &Flow) -> u32 {
        match flow {
            Flow::Exit(code) => *code as u32,
            _ => self.code as u32,
        }
    }
}
