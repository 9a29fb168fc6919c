//! Builtins that print and read: `echo`, `printf`, `read`.

use super::super::super::syscall::Text;
use super::super::variables::is_name;
use super::super::{Cx, Go, Shell};

impl Shell {
    /// Prints as bash does: line by line (its standard output is line-buffered everywhere).
    pub(super) fn print(&mut self, cx: &mut Cx<'_, '_>, name: &str, text: &str) -> Go<u8> {
        for line in text.as_bytes().split_inclusive(|&byte| byte == b'\n') {
            if let Err(errno) = cx.io.write(1, line)? {
                self.complain(cx, &format!("{name}: write error: {errno}"))?;
                return Ok(1);
            }
        }
        Ok(0)
    }

    pub(super) fn echo(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let mut rest = arguments;
        let (mut newline, mut escapes) = (true, false);
        while let [option, others @ ..] = rest {
            let letters = option.strip_prefix('-').unwrap_or("");
            if letters.is_empty() || !letters.chars().all(|c| "neE".contains(c)) {
                break;
            }
            for letter in letters.chars() {
                match letter {
                    'n' => newline = false,
                    'e' => escapes = true,
                    _ => escapes = false,
                }
            }
            rest = others;
        }
        let mut text = rest.join(" ");
        if escapes {
            let (unescaped, stops) = self.unescape(cx, &text)?;
            text = unescaped;
            newline &= !stops;
        }
        if newline {
            text.push('\n');
        }
        self.print(cx, "echo", &text)
    }

    /// Backslash escapes of `echo -e` and `printf`; and whether `\c` ended the text.
    fn unescape(&mut self, cx: &mut Cx<'_, '_>, text: &str) -> Go<(String, bool)> {
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('a') => out.push('\u{7}'),
                Some('b') => out.push('\u{8}'),
                Some('e') => out.push('\u{1b}'),
                Some('f') => out.push('\u{c}'),
                Some('v') => out.push('\u{b}'),
                Some('\\') => out.push('\\'),
                Some('"') => out.push('"'),
                Some('c') => return Ok((out, true)),
                Some(c @ ('0'..='9' | 'x' | 'u' | 'U')) => {
                    return self.refuse(cx, &format!("the escape \\{c}"), "write the character");
                }
                Some(c) => out.extend(['\\', c]),
                None => out.push('\\'),
            }
        }
        Ok((out, false))
    }

    /// `printf` with `%s %d %i %b %c %%`, width and `-` and `0`.
    pub(super) fn printf(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let arguments = match arguments {
            [dashes, rest @ ..] if &**dashes == "--" => rest,
            [option, ..] if option.starts_with("-v") => {
                return self.refuse(cx, "printf -v", "write name=$(printf …)");
            }
            arguments => arguments,
        };
        let [format, values @ ..] = arguments else {
            let usage = "printf: usage: printf [-v var] format [arguments]\n";
            let _ = cx.io.write(2, usage.as_bytes())?;
            return Ok(2);
        };
        let mut values = values.iter();
        let mut out = String::new();
        let mut status = 0;
        loop {
            let before = values.len();
            let mut literal = String::new();
            let mut chars = format.chars().peekable();
            while let Some(c) = chars.next() {
                if c == '\\' {
                    literal.push(c);
                    literal.extend(chars.next());
                    continue;
                }
                if c != '%' {
                    literal.push(c);
                    continue;
                }
                out.push_str(&self.unescape(cx, &std::mem::take(&mut literal))?.0);
                let mut left = false;
                let mut zero = false;
                let mut width = 0usize;
                while let Some(&flag) = chars.peek() {
                    match flag {
                        '-' => left = true,
                        '0' if width == 0 => zero = true,
                        '0'..='9' => width = width * 10 + (flag as usize - '0' as usize),
                        _ => break,
                    }
                    if width > 1_000 {
                        return self.refuse(cx, "printf with a width above 1000", "");
                    }
                    chars.next();
                }
                let text = match chars.next() {
                    Some('%') => "%".to_string(),
                    Some('s') => values.next().map(|v| v.to_string()).unwrap_or_default(),
                    Some('b') => {
                        let value = values.next().cloned().unwrap_or_default();
                        self.unescape(cx, &value)?.0
                    }
                    Some('c') => values
                        .next()
                        .and_then(|v| v.chars().next())
                        .map(String::from)
                        .unwrap_or_default(),
                    Some('d' | 'i') => {
                        let value = values.next().cloned().unwrap_or_else(|| "0".into());
                        match value.trim_start().parse::<i64>() {
                            Ok(number) => number.to_string(),
                            Err(_) if value.is_empty() => "0".into(),
                            Err(_) if value.starts_with('0') || value.starts_with(['\'', '"']) => {
                                return self.refuse(cx, "printf %d of this", "write decimal");
                            }
                            Err(_) => {
                                self.complain(cx, &format!("printf: {value}: invalid number"))?;
                                status = 1;
                                let end = value.find(|c: char| !c.is_ascii_digit());
                                let digits = &value[..end.unwrap_or(value.len())];
                                if digits.is_empty() {
                                    "0".into()
                                } else {
                                    digits.to_string()
                                }
                            }
                        }
                    }
                    other => {
                        let shown = other.map(String::from).unwrap_or_default();
                        return self.refuse(cx, &format!("printf %{shown}"), "use %s or %d");
                    }
                };
                let missing = width.saturating_sub(text.chars().count());
                match (left, zero) {
                    (true, _) => out.push_str(&format!("{text}{}", " ".repeat(missing))),
                    (_, true) => {
                        let (sign, digits) = match text.strip_prefix('-') {
                            Some(digits) => ("-", digits),
                            None => ("", text.as_str()),
                        };
                        out.push_str(&format!("{sign}{}{digits}", "0".repeat(missing)));
                    }
                    _ => out.push_str(&format!("{}{text}", " ".repeat(missing))),
                }
            }
            out.push_str(&self.unescape(cx, &literal)?.0);
            if values.len() == 0 || values.len() == before {
                break;
            }
        }
        let printed = self.print(cx, "printf", &out)?;
        Ok(status.max(printed))
    }

    /// `read [-r] NAME...`: byte by byte, so that nothing behind the line is taken.
    pub(super) fn read(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<u8> {
        let (raw, names) = match arguments {
            [option, rest @ ..] if &**option == "-r" => (true, rest),
            [option, ..] if option.starts_with('-') => {
                return self.refuse(cx, &format!("read {option}"), "read [-r] NAME…");
            }
            rest => (false, rest),
        };
        let mut line: Vec<u8> = Vec::new();
        let mut ended = false;
        loop {
            match cx.io.read(0, 1)? {
                Ok(byte) => match byte.first() {
                    None => {
                        ended = true;
                        break;
                    }
                    Some(b'\n') => break,
                    Some(&byte) => line.push(byte),
                },
                Err(errno) => {
                    self.complain(cx, &format!("read: read error: 0: {errno}"))?;
                    return Ok(1);
                }
            }
        }
        let Ok(line) = String::from_utf8(line) else {
            return self.refuse(cx, "input that is not UTF-8 in read", "");
        };
        if !raw && line.contains('\\') {
            return self.refuse(cx, "a backslash in the input of read", "use read -r");
        }
        let separators = self.separators(cx);
        let reply = [Text::from("REPLY")];
        let whole = names.is_empty();
        let names = if whole { &reply[..] } else { names };
        for name in names {
            if !is_name(name) {
                return self.bad_name(cx, "read", name);
            }
        }
        let values = if whole {
            vec![line]
        } else {
            split_line(&line, &separators, names.len())
        };
        for (number, name) in names.iter().enumerate() {
            let value = values.get(number).cloned().unwrap_or_default();
            self.set(cx.memory, name, value.into());
        }
        Ok(u8::from(ended))
    }
}

/// A line in `count` parts; the last one has all the rest (POSIX, `read`).
fn split_line(line: &str, separators: &str, count: usize) -> Vec<String> {
    let blank = |c: char| separators.contains(c) && matches!(c, ' ' | '\t' | '\n');
    let mut values = Vec::new();
    let mut rest = line.trim_start_matches(blank);
    while values.len() + 1 < count && !rest.is_empty() {
        let end = rest.find(|c| separators.contains(c)).unwrap_or(rest.len());
        values.push(rest[..end].to_string());
        rest = rest[end..].trim_start_matches(blank);
        if let Some(c) = rest
            .chars()
            .next()
            .filter(|&c| separators.contains(c) && end < line.len())
        {
            rest = rest[c.len_utf8()..].trim_start_matches(blank);
        }
    }
    let mut last = rest.trim_end_matches(blank);
    // One delimiter at the very end belongs to the last part only if there are more of them.
    if let Some(shorter) = last.strip_suffix(|c| separators.contains(c))
        && !shorter.contains(|c| separators.contains(c))
    {
        last = shorter;
    }
    values.push(last.to_string());
    values
}
