//! Small external programs: GNU coreutils 9.1, each with the system calls that matter to another process.
//!
//! The order of calls was taken with `strace -e trace=file,desc` from Debian 12's coreutils 9.1. Left out: the loading of
//! libraries and locales, `fstat`, `lseek`, closing at exit. An error message, which GNU's `error(3)` writes in four
//! pieces, is one write here. Options outside the list of each tool are refused.

mod files;
mod select;
mod streams;

use super::process::{Executable, Image, Memory};
use super::replay::{Asked, Io, Log, Stop};
use super::syscall::{Fd, SysResult, Syscall, Text};

/// One of the tools, running.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tool {
    name: Name,
    log: Log,
}

macro_rules! tools {
    ($($name:ident $text:literal $function:path;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        enum Name { $($name,)* }

        /// Names of all tools, as images of executables.
        pub const TOOLS: &[&str] = &[$($text,)*];

        impl Name {
            fn from_image(image: &str) -> Option<Self> {
                match image { $($text => Some(Self::$name),)* _ => None }
            }

            fn run(self, run: &mut Run<'_, '_>) -> Asked<u8> {
                match self { $(Self::$name => $function(run),)* }
            }
        }
    };
}

tools! {
    Cat "cat" streams::cat;
    Chmod "chmod" files::chmod;
    Cp "cp" files::cp;
    Echo "echo" streams::echo;
    Env "env" streams::env;
    False "false" streams::r#false;
    Grep "grep" select::grep;
    Head "head" streams::head;
    Ln "ln" files::ln;
    Ls "ls" files::ls;
    Mkdir "mkdir" files::mkdir;
    Mv "mv" files::mv;
    Printenv "printenv" streams::printenv;
    Pwd "pwd" streams::pwd;
    Readlink "readlink" files::readlink;
    Rm "rm" files::rm;
    Rmdir "rmdir" files::rmdir;
    Seq "seq" streams::seq;
    Sleep "sleep" streams::sleep;
    Sort "sort" streams::sort;
    Tail "tail" select::tail;
    Tee "tee" streams::tee;
    Touch "touch" files::touch;
    True "true" streams::r#true;
    Uniq "uniq" streams::uniq;
    Wc "wc" streams::wc;
}

impl Image for Tool {
    fn load(executable: &Executable, _: &Memory) -> Option<Self> {
        Some(Self {
            name: Name::from_image(&executable.image)?,
            log: Log::default(),
        })
    }

    fn resume(&mut self, memory: &mut Memory, result: SysResult) -> Syscall {
        if result != SysResult::Start {
            self.log.push(result);
        }
        let mut run = Run {
            io: Io::new(&mut self.log),
            memory,
            terminal: None,
        };
        match self.name.run(&mut run) {
            Ok(code) => Syscall::Exit(code),
            Err(Stop(call)) => call,
        }
    }
}

/// What a tool has while it runs.
struct Run<'a, 'log> {
    io: Io<'log>,
    memory: &'a Memory,
    terminal: Option<bool>,
}

const STDIN: Fd = 0;
const STDOUT: Fd = 1;
const STDERR: Fd = 2;
/// The buffer of stdio for a pipe or file.
const BUFFER: usize = 4_096;

impl Run<'_, '_> {
    /// Arguments, without the program's name.
    fn arguments(&self) -> Vec<Text> {
        self.memory.argv.iter().skip(1).cloned().collect()
    }

    /// The name that messages begin with.
    fn called(&self) -> Text {
        self.memory
            .argv
            .first()
            .cloned()
            .unwrap_or_else(|| "?".into())
    }

    /// Prints as stdio does: a terminal gets line by line, anything else blocks of its buffer's size (`setvbuf(3)`).
    fn print(&mut self, data: &[u8]) -> Asked<()> {
        if data.is_empty() {
            return Ok(());
        }
        let terminal = match self.terminal {
            Some(terminal) => terminal,
            None => self.io.isatty(STDOUT)?,
        };
        self.terminal = Some(terminal);
        if terminal {
            for line in data.split_inclusive(|&byte| byte == b'\n') {
                self.write(line)?;
            }
        } else {
            for block in data.chunks(BUFFER) {
                self.write(block)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, data: &[u8]) -> Asked<()> {
        if let Err(errno) = self.io.write(STDOUT, data)? {
            let message = format!("{}: write error: {errno}\n", self.called());
            let _ = self.io.write(STDERR, message.as_bytes())?;
            return self.io.exit(1);
        }
        Ok(())
    }

    /// Writes `NAME: message` to standard error.
    fn complain(&mut self, message: impl std::fmt::Display) -> Asked<()> {
        let message = format!("{}: {message}\n", self.called());
        let _ = self.io.write(STDERR, message.as_bytes())?;
        Ok(())
    }

    /// Says what is wrong with the arguments and where help would be, as coreutils do; the status to end with.
    fn usage(&mut self, message: impl std::fmt::Display) -> Asked<u8> {
        let name = self.called();
        let text = format!("{name}: {message}\nTry '{name} --help' for more information.\n");
        let _ = self.io.write(STDERR, text.as_bytes())?;
        Ok(1)
    }

    /// Splits arguments into single-letter options out of `known` and operands (`getopt(3)`: in any order, up to `--`).
    fn options(&self, known: &str) -> Asked<(Vec<char>, Vec<Text>)> {
        let mut options = Vec::new();
        let mut operands = Vec::new();
        let mut only_operands = false;
        for argument in self.arguments() {
            match argument.strip_prefix('-') {
                _ if only_operands => operands.push(argument),
                Some("-") => only_operands = true,
                None | Some("") => operands.push(argument),
                Some(letters) => {
                    for letter in letters.chars() {
                        if !known.contains(letter) {
                            return self.unsupported(&argument);
                        }
                        options.push(letter);
                    }
                }
            }
        }
        Ok((options, operands))
    }

    /// How many lines are asked for, `-n COUNT` or `-COUNT`, without it ten; and the operands.
    fn lines_and_operands(&self) -> Asked<(usize, Vec<Text>)> {
        let mut count = 10;
        let mut operands = Vec::new();
        let arguments = self.arguments();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let number = match &**argument {
                "-n" => rest.next().map(|text| &**text).unwrap_or(""),
                option if option.starts_with("-n") => &option[2..],
                option if option.len() > 1 && option.starts_with('-') => &option[1..],
                operand => {
                    operands.push(Text::from(operand));
                    continue;
                }
            };
            match number.parse() {
                Ok(number) => count = number,
                Err(_) => return self.unsupported(argument),
            }
        }
        Ok((count, operands))
    }

    fn unsupported<T>(&self, option: &str) -> Asked<T> {
        let construct = format!("{} {option}", self.called());
        self.io.refuse(&construct, 0, "this option is not modelled")
    }
}

/// A name within single quotes, as coreutils print it in the C locale.
fn quoted(name: &str) -> String {
    if name.contains('\'') && !name.contains('"') {
        format!("\"{name}\"")
    } else {
        format!("'{name}'")
    }
}

/// The name in a directory.
fn join(directory: &str, name: &str) -> String {
    if directory.ends_with('/') {
        format!("{directory}{name}")
    } else {
        format!("{directory}/{name}")
    }
}

/// The last component of a path, without slashes at its end (`basename(1)`).
fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}
