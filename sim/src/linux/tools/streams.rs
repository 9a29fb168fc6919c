//! Tools that read, transform and print.

use std::sync::Arc;

use super::super::errno::Errno;
use super::super::replay::Asked;
use super::super::syscall::{OpenFlags, Text};
use super::{Run, STDIN, STDOUT, quoted};

/// `seq` prints no more numbers than this; a scenario wants no such pipe.
const MAX_SEQUENCE: i64 = 1_000_000;

/// `true`.
pub(super) fn r#true(_: &mut Run<'_, '_>) -> Asked<u8> {
    Ok(0)
}

/// `false`.
pub(super) fn r#false(_: &mut Run<'_, '_>) -> Asked<u8> {
    Ok(1)
}

/// `echo [-n] WORD...`, where it is not the shell's own.
pub(super) fn echo(run: &mut Run<'_, '_>) -> Asked<u8> {
    let mut words = run.arguments();
    let newline = if words.first().is_some_and(|word| &**word == "-n") {
        words.remove(0);
        ""
    } else {
        "\n"
    };
    let text = format!("{}{newline}", words.join(" "));
    run.print(text.as_bytes())?;
    Ok(0)
}

/// `pwd`, physical.
pub(super) fn pwd(run: &mut Run<'_, '_>) -> Asked<u8> {
    match run.io.getcwd()? {
        Ok(path) => {
            run.print(format!("{path}\n").as_bytes())?;
            Ok(0)
        }
        Err(errno) => {
            run.complain(errno)?;
            Ok(1)
        }
    }
}

/// `printenv [NAME...]`: status 1 if one of them is missing.
pub(super) fn printenv(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (_, names) = run.options("")?;
    let mut text = String::new();
    let mut status = 0;
    let memory = run.memory;
    if names.is_empty() {
        for (name, value) in memory.env.iter() {
            text.push_str(&format!("{name}={value}\n"));
        }
    }
    for name in &names {
        match memory.env.get(name) {
            Some(value) => text.push_str(&format!("{value}\n")),
            None => status = 1,
        }
    }
    run.print(text.as_bytes())?;
    Ok(status)
}

/// `env [-i] [-u NAME]... [NAME=VALUE]... [COMMAND ARG...]`: without a command, prints the environment, in order of
/// names (the real order is that of the array).
pub(super) fn env(run: &mut Run<'_, '_>) -> Asked<u8> {
    let mut env = (*run.memory.env).clone();
    let arguments = run.arguments();
    let mut rest = arguments.as_slice();
    while let [first, others @ ..] = rest {
        match (&**first, others) {
            ("-i" | "-", _) => env.clear(),
            ("-u", [name, others @ ..]) => {
                env.remove(name);
                rest = others;
                continue;
            }
            (option, _) if option.starts_with('-') => return run.unsupported(option),
            (assignment, _) => match assignment.split_once('=') {
                Some((name, value)) => drop(env.insert(name.into(), value.into())),
                None => break,
            },
        }
        rest = others;
    }
    let [command, ..] = rest else {
        let lines: String = env
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect();
        run.print(lines.as_bytes())?;
        return Ok(0);
    };
    let path: Text = env
        .get("PATH")
        .cloned()
        .unwrap_or_else(|| "/bin:/usr/bin".into());
    let env = Arc::new(env);
    let candidates: Vec<String> = if command.contains('/') {
        vec![command.to_string()]
    } else {
        path.split(':')
            .map(|directory| {
                super::join(if directory.is_empty() { "." } else { directory }, command)
            })
            .collect()
    };
    // `execvp(3)` tries each directory with `execve`.
    let mut errno = Errno::ENOENT;
    for candidate in candidates {
        match run.io.exec(&candidate, rest.to_vec(), &env)? {
            Errno::ENOENT | Errno::ENOTDIR => {}
            Errno::EACCES => errno = Errno::EACCES,
            other => {
                errno = other;
                break;
            }
        }
    }
    run.complain(format!("{}: {errno}", quoted(command)))?;
    Ok(if errno == Errno::ENOENT { 127 } else { 126 })
}

/// `seq [FIRST [STEP]] LAST`, integers only.
pub(super) fn seq(run: &mut Run<'_, '_>) -> Asked<u8> {
    let arguments = run.arguments();
    let mut numbers = Vec::new();
    for argument in &arguments {
        match argument.parse::<i64>() {
            Ok(number) => numbers.push(number),
            Err(_)
                if argument
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.')
                    || argument.starts_with('-') =>
            {
                return run.unsupported(argument);
            }
            Err(_) => {
                return run.usage(format!(
                    "invalid floating point argument: {}",
                    quoted(argument)
                ));
            }
        }
    }
    let (first, step, last) = match *numbers.as_slice() {
        [] => return run.usage("missing operand"),
        [last] => (1, 1, last),
        [first, last] => (first, 1, last),
        [first, step, last] => (first, step, last),
        _ => {
            let extra = arguments.get(3).cloned().unwrap_or_default();
            return run.usage(format!("extra operand {}", quoted(&extra)));
        }
    };
    if step == 0 {
        return run.usage(format!("invalid Zero increment value: {}", quoted("0")));
    }
    let count = (i128::from(last) - i128::from(first)) / i128::from(step) + 1;
    if count > i128::from(MAX_SEQUENCE) {
        return run.io.refuse(
            "seq of more than a million numbers",
            0,
            "use a smaller range",
        );
    }
    let mut text = String::new();
    let mut number = Some(first);
    while let Some(n) = number.filter(|&n| if step > 0 { n <= last } else { n >= last }) {
        text.push_str(&n.to_string());
        text.push('\n');
        number = n.checked_add(step);
    }
    run.print(text.as_bytes())?;
    Ok(0)
}

/// `sleep SECONDS`, also with a fraction and a suffix `s`, `m`, `h`, `d`.
pub(super) fn sleep(run: &mut Run<'_, '_>) -> Asked<u8> {
    let arguments = run.arguments();
    if arguments.is_empty() {
        return run.usage("missing operand");
    }
    let mut total = 0u64;
    for argument in &arguments {
        match nanoseconds(argument) {
            Some(ns) => total = total.saturating_add(ns),
            None => {
                return run.usage(format!("invalid time interval {}", quoted(argument)));
            }
        }
    }
    run.io.sleep(total)?;
    Ok(0)
}

/// Nanoseconds in `1.5`, `2m`: integers all the way.
fn nanoseconds(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1),
        (at, 'm') => (&text[..at], 60),
        (at, 'h') => (&text[..at], 3_600),
        (at, 'd') => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let fraction: String = fraction
        .chars()
        .chain("000000000".chars())
        .take(9)
        .collect();
    let fraction: u64 = fraction.parse().ok()?;
    whole
        .checked_mul(1_000_000_000)?
        .checked_add(fraction)?
        .checked_mul(unit)
}

impl Run<'_, '_> {
    /// All of the operands' contents, one after the other (`-` and none: standard input); the flag says that one could
    /// not be read, which was said.
    pub(super) fn inputs(&mut self, operands: &[Text]) -> Asked<(Vec<Arc<[u8]>>, bool)> {
        let standard = [Text::from("-")];
        let operands = if operands.is_empty() {
            &standard
        } else {
            operands
        };
        let mut inputs = Vec::new();
        let mut failed = false;
        for operand in operands {
            match self.input(operand)? {
                Ok(data) => inputs.push(data),
                Err(errno) => {
                    self.complain(format!("{operand}: {errno}"))?;
                    failed = true;
                }
            }
        }
        Ok((inputs, failed))
    }

    fn input(&mut self, operand: &str) -> Asked<Result<Arc<[u8]>, Errno>> {
        if operand == "-" {
            return self.io.slurp(STDIN);
        }
        let fd = match self.io.open(operand, OpenFlags::READ)? {
            Ok(fd) => fd,
            Err(errno) => return Ok(Err(errno)),
        };
        let data = self.io.slurp(fd)?;
        let _ = self.io.close(fd)?;
        Ok(data)
    }
}

/// `cat [FILE...]`: each piece is written as it is read.
pub(super) fn cat(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (_, operands) = run.options("u")?;
    let standard = vec![Text::from("-")];
    let operands = if operands.is_empty() {
        standard
    } else {
        operands
    };
    let mut status = 0;
    for operand in &operands {
        let opened = match &**operand {
            "-" => Ok(STDIN),
            path => run.io.open(path, OpenFlags::READ)?,
        };
        let fd = match opened {
            Ok(fd) => fd,
            Err(errno) => {
                run.complain(format!("{operand}: {errno}"))?;
                status = 1;
                continue;
            }
        };
        loop {
            match run.io.read(fd, 131_072)? {
                Ok(data) if data.is_empty() => break,
                Ok(data) => run.write(&data)?,
                Err(errno) => {
                    run.complain(format!("{operand}: {errno}"))?;
                    status = 1;
                    break;
                }
            }
        }
        if fd != STDIN {
            let _ = run.io.close(fd)?;
        }
    }
    Ok(status)
}

/// `tee FILE...`, and nothing appended.
pub(super) fn tee(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("a")?;
    let flags = if options.is_empty() {
        OpenFlags::WRITE
    } else {
        OpenFlags::APPEND
    };
    let mut outputs = vec![STDOUT];
    let mut status = 0;
    for operand in &operands {
        match run.io.open(operand, flags)? {
            Ok(fd) => outputs.push(fd),
            Err(errno) => {
                run.complain(format!("{operand}: {errno}"))?;
                status = 1;
            }
        }
    }
    loop {
        match run.io.read(STDIN, 131_072)? {
            Ok(data) if data.is_empty() => return Ok(status),
            Ok(data) => {
                for fd in &outputs {
                    if run.io.write(*fd, &data)?.is_err() {
                        status = 1;
                    }
                }
            }
            Err(_) => return Ok(1),
        }
    }
}

fn lines(data: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = data.split(|&byte| byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

fn joined<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut text = Vec::new();
    for line in lines {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text
}

/// `sort [-u] [-r] [-n] [FILE...]`, in the C locale: by bytes. Nothing is written before all is read.
pub(super) fn sort(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("urn")?;
    let (inputs, failed) = run.inputs(&operands)?;
    if failed {
        return Ok(2);
    }
    let mut all: Vec<&[u8]> = inputs.iter().flat_map(|data| lines(data)).collect();
    let numeric = options.contains(&'n');
    let key = |line: &[u8]| if numeric { leading_number(line) } else { 0 };
    if numeric && options.contains(&'u') {
        // Equal means equal by number; the first one stays.
        all.sort_by_key(|line| key(line));
        all.dedup_by_key(|line| key(line));
    } else {
        all.sort_by(|a, b| key(a).cmp(&key(b)).then(a.cmp(b)));
        if options.contains(&'u') {
            all.dedup();
        }
    }
    if options.contains(&'r') {
        all.reverse();
    }
    run.print(&joined(all))?;
    Ok(0)
}

/// The integer at the beginning of a line, 0 if there is none.
fn leading_number(line: &[u8]) -> i128 {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_start();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end.min(30)].parse::<i128>().unwrap_or(0) * sign
}

/// `uniq [-c] [-d] [-u] [FILE]`: equal neighbours become one.
pub(super) fn uniq(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("cdu")?;
    if operands.len() > 1 {
        return run.unsupported("with an output file");
    }
    let (inputs, failed) = run.inputs(&operands)?;
    if failed {
        return Ok(1);
    }
    let all: Vec<&[u8]> = inputs.iter().flat_map(|data| lines(data)).collect();
    let mut text = Vec::new();
    for group in all.chunk_by(|a, b| a == b) {
        let wanted = match group.len() {
            1 => !options.contains(&'d'),
            _ => !options.contains(&'u'),
        };
        if let (true, [line, ..]) = (wanted, group) {
            if options.contains(&'c') {
                text.extend_from_slice(format!("{:7} ", group.len()).as_bytes());
            }
            text.extend_from_slice(line);
            text.push(b'\n');
        }
    }
    run.print(&text)?;
    Ok(0)
}

/// `wc [-l] [-w] [-c] [FILE]`; of one input, with exactly one option, so that no columns need aligning.
pub(super) fn wc(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (options, operands) = run.options("lwc")?;
    let ([option], true) = (options.as_slice(), operands.len() < 2) else {
        return run.unsupported("with other than one option and one file");
    };
    let (inputs, failed) = run.inputs(&operands)?;
    let [data] = inputs.as_slice() else {
        return Ok(u8::from(failed));
    };
    let count = match option {
        'l' => data.iter().filter(|&&byte| byte == b'\n').count(),
        'w' => data
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty())
            .count(),
        _ => data.len(),
    };
    let text = match operands.first() {
        Some(name) => format!("{count} {name}\n"),
        None => format!("{count}\n"),
    };
    run.print(text.as_bytes())?;
    Ok(0)
}

/// `head [-n COUNT|-COUNT] [FILE]`: ends as soon as it has its lines, which may leave a writer with `SIGPIPE`.
pub(super) fn head(run: &mut Run<'_, '_>) -> Asked<u8> {
    let (count, operands) = run.lines_and_operands()?;
    let fd = match operands.as_slice() {
        [] => STDIN,
        [path] => match run.io.open(path, OpenFlags::READ)? {
            Ok(fd) => fd,
            Err(errno) => {
                run.complain(format!("cannot open {} for reading: {errno}", quoted(path)))?;
                return Ok(1);
            }
        },
        _ => return run.unsupported("with several files"),
    };
    let mut data = Vec::new();
    let wanted = |data: &[u8]| {
        let ends = data.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        ends.map(|(at, _)| at + 1).nth(count.saturating_sub(1))
    };
    while count > 0 && wanted(&data).is_none() {
        match run.io.read(fd, 8_192)? {
            Ok(more) if more.is_empty() => break,
            Ok(more) => data.extend_from_slice(&more),
            Err(errno) => {
                run.complain(format!("error reading 'standard input': {errno}"))?;
                return Ok(1);
            }
        }
    }
    let end = if count == 0 {
        0
    } else {
        wanted(&data).unwrap_or(data.len())
    };
    run.print(&data[..end])?;
    Ok(0)
}
