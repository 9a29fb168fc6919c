//! `set`.

use std::sync::Arc;

use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;
use crate::win7::text::Wide;

use super::arithmetic::{Variables, evaluate};
use super::ast::Text;
use super::expand::utf8;
use super::{Flow, Shell};

/// The text without blanks before it.
pub(super) fn trim_start(text: &[u16]) -> &[u16] {
    let start = text.iter().position(|unit| !matches!(*unit, 0x20 | 0x09));
    &text[start.unwrap_or(text.len())..]
}

impl Shell {
    /// Sets a variable of this interpreter; an empty value takes it away.
    pub(super) fn set_variable(&self, sys: &mut Sys<'_>, name: &[u16], value: &[u16]) {
        let block = Arc::make_mut(&mut sys.local.block);
        let name = Wide::from(name);
        let _ = match value.is_empty() {
            true => block.remove(&name),
            false => block.set(&name, &Wide::from(value)),
        };
    }

    pub(super) fn set(&mut self, sys: &mut Sys<'_>, tail: &[u16]) -> Asked<Flow> {
        let text = trim_start(tail);
        if let [slash, letter, rest @ ..] = text
            && *slash == b'/' as u16
        {
            match u8::try_from(*letter).map(|letter| letter.to_ascii_lowercase()) {
                Ok(b'a') => return self.set_arithmetic(sys, rest),
                Ok(b'p') => return self.set_prompt(sys, rest),
                Ok(b'?') => return self.unknown_switch(sys, "set", "?"),
                _ => {
                    return self.complain(sys, &super::SYNTAX, &[]);
                }
            }
        }
        let is_quoted = text.first() == Some(&0x22);
        let text = quoted_part(text);
        if text.is_empty() {
            // A quote alone shows the hidden ones too.
            return self.set_list(sys, &[], is_quoted);
        }
        let Some(sign) = text.iter().skip(1).position(|unit| *unit == b'=' as u16) else {
            if text.first() == Some(&(b'=' as u16)) {
                return self.complain(sys, &super::SYNTAX, &[]);
            }
            return self.set_list(sys, &text, false);
        };
        let (name, value) = (&text[..=sign], &text[sign + 2..]);
        if name.first() == Some(&(b'=' as u16)) {
            return self.complain(sys, &super::SYNTAX, &[]);
        }
        let fits = name.len() + value.len() < super::parse::LONGEST;
        if !fits {
            sys.complain(&super::TOO_LONG, &[])?;
            return self.fail(1);
        }
        self.set_variable(sys, name, value);
        self.quiet_in_bat()
    }

    /// Shows the variables that begin so. What begins them ends before its last blank, so that `set P 2>nul` and
    /// `set P | sort` find them, while of two blanks one counts: `(set S >nul && ver)` finds nothing. (ReactOS's cmd, which
    /// says so of Windows; Wine's batch tests, whose expected output is that of Windows, have the latter.) Signs that divide
    /// before it are passed over.
    fn set_list(&mut self, sys: &mut Sys<'_>, text: &[u16], with_hidden: bool) -> Asked<Flow> {
        let divides = |unit: &u16| matches!(*unit, 0x20 | 0x09 | 0x2c | 0x3b);
        let start = text.iter().position(|unit| !divides(unit));
        let prefix = &text[start.unwrap_or(text.len())..];
        let end = prefix.iter().rposition(|unit| *unit == 0x20);
        let upper = Wide::from(&prefix[..end.unwrap_or(prefix.len())]).to_upcase();
        let upper = upper.units();
        let block = sys.local.block.clone();
        let mut lines = Vec::new();
        for (name, value) in block.iter() {
            let hidden = name.units().first() == Some(&(b'=' as u16));
            if (with_hidden || !hidden) && name.to_upcase().units().starts_with(upper) {
                lines.extend_from_slice(name.units());
                lines.push(b'=' as u16);
                lines.extend_from_slice(value.units());
                lines.extend(units("\r\n"));
            }
        }
        if lines.is_empty() && !text.is_empty() {
            sys.complain(&NOT_DEFINED, &[&utf8(prefix)])?;
            return self.fail(1);
        }
        sys.print_units(&lines)?;
        self.quiet_in_bat()
    }

    fn set_arithmetic(&mut self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Flow> {
        let text = utf8(text);
        if text.trim().trim_matches('"').trim().is_empty() {
            return self.complain(sys, &super::SYNTAX, &[]);
        }
        let random = match text.to_ascii_lowercase().contains("random") {
            true => Some(sys.choose_number("random", 32767)?),
            false => None,
        };
        let mut variables = Block {
            block: &mut sys.local.block,
            errorlevel: self.errorlevel,
            random,
        };
        let result = evaluate(&text, &mut variables);
        match result {
            Ok(value) => {
                if self.frames.is_empty() || self.on_command_line {
                    sys.print(&value.to_string())?;
                }
                self.quiet_in_bat()
            }
            Err(flaw) => {
                sys.complain(&flaw.message(), &[])?;
                self.fail(flaw.code())
            }
        }
    }

    /// `set /p NAME=PROMPT`: reads a line of the input.
    fn set_prompt(&mut self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Flow> {
        let text = quoted_part(trim_start(text));
        let Some(sign) = text.iter().position(|unit| *unit == b'=' as u16) else {
            return self.complain(sys, &super::SYNTAX, &[]);
        };
        let (name, prompt) = (text[..sign].to_vec(), &text[sign + 1..]);
        // Blanks and quotes before the prompt go (Vista and later).
        let prompt = trim_start(prompt);
        let prompt = match prompt.strip_prefix(&[0x22]) {
            Some(rest) => match rest.iter().rposition(|unit| *unit == 0x22) {
                Some(end) => rest[..end].to_vec(),
                None => rest.to_vec(),
            },
            None => prompt.to_vec(),
        };
        sys.print_units(&prompt)?;
        let line = match sys.read_line(0)? {
            Ok(Some(line)) => sys.decode(&line)?,
            _ => return self.fail(1),
        };
        let mut value = line.into_units();
        while matches!(value.last(), Some(0x0a | 0x0d)) {
            value.pop();
        }
        value.truncate(1023);
        if value.is_empty() {
            return self.fail(1);
        }
        self.set_variable(sys, &name, &value);
        self.quiet_in_bat()
    }
}

/// The variables of the process, and those that cmd makes up.
struct Block<'a> {
    block: &'a mut Arc<crate::win7::environment::Block>,
    errorlevel: i32,
    random: Option<u64>,
}

impl Variables for Block<'_> {
    fn get(&self, name: &str) -> Option<String> {
        self.block
            .text(name)
            .or_else(|| match &*name.to_ascii_uppercase() {
                "ERRORLEVEL" => Some(self.errorlevel.to_string()),
                "RANDOM" => self.random.map(|number| number.to_string()),
                "CMDEXTVERSION" => Some("2".into()),
                _ => None,
            })
    }

    fn set(&mut self, name: &str, value: i32) {
        let value = value.to_string();
        let _ = Arc::make_mut(self.block).set(&name.into(), &(&*value).into());
    }
}

/// `"name=value"`: without the first quote, and what is behind the last.
fn quoted_part(text: &[u16]) -> Text {
    let Some(inner) = text.strip_prefix(&[0x22]) else {
        return text.to_vec();
    };
    match inner.iter().rposition(|unit| *unit == 0x22) {
        Some(end) => inner[..end].to_vec(),
        None => inner.to_vec(),
    }
}

const NOT_DEFINED: Message = Message {
    en: "Environment variable {0} not defined\r\n",
    zh: "环境变量 {0} 没有定义\r\n",
};
