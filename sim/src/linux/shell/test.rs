//! `[[ … ]]`, and `test` and `[` with their rules by number of arguments (POSIX XCU `test`).

use super::super::fs::{Kind, Stat};
use super::super::syscall::Text;
use super::ast::{Comparison, Condition};
use super::pattern::Pattern;
use super::{Cx, Go, Shell};

/// What is wrong with a test, in bash's words.
type Tested = Result<bool, String>;

impl Shell {
    /// `[[ … ]]`.
    pub(super) fn condition(&mut self, cx: &mut Cx<'_, '_>, condition: &Condition) -> Go<bool> {
        Ok(match condition {
            Condition::And(a, b) => self.condition(cx, a)? && self.condition(cx, b)?,
            Condition::Or(a, b) => self.condition(cx, a)? || self.condition(cx, b)?,
            Condition::Not(a) => !self.condition(cx, a)?,
            Condition::Unary(letter, word) => {
                let text = self.single(cx, word)?;
                self.unary(cx, *letter, &text)?
            }
            Condition::Matches(word, pattern) => {
                let text = self.single(cx, word)?;
                let pattern = Pattern::new(&self.marked(cx, pattern)?);
                pattern.matches(&text.chars().collect::<Vec<_>>())
            }
            Condition::Before(a, b) => self.single(cx, a)? < self.single(cx, b)?,
            Condition::After(a, b) => self.single(cx, a)? > self.single(cx, b)?,
            Condition::Compare(comparison, a, b) => {
                let a = self.single(cx, a)?;
                let a = self.evaluate(cx, &a)?;
                let b = self.single(cx, b)?;
                let b = self.evaluate(cx, &b)?;
                comparison.holds(a, b)
            }
            Condition::SameFile(a, b) => {
                let (a, b) = (self.single(cx, a)?, self.single(cx, b)?);
                same_file(cx, &a, &b)?
            }
        })
    }

    fn unary(&mut self, cx: &mut Cx<'_, '_>, letter: char, text: &Text) -> Go<bool> {
        let is = |test: fn(&Stat) -> bool, stat: Result<Stat, _>| stat.is_ok_and(|s| test(&s));
        Ok(match letter {
            'z' => text.is_empty(),
            'n' => !text.is_empty(),
            'v' => self.variable(cx.memory, text).is_some(),
            't' => match text.parse() {
                Ok(fd) => cx.io.isatty(fd)?,
                Err(_) => false,
            },
            'L' | 'h' => is(|stat| stat.kind == Kind::Symlink, cx.io.stat(text, false)?),
            // There are no permissions but that to execute.
            'e' | 'a' | 'r' | 'w' => cx.io.stat(text, true)?.is_ok(),
            'd' => is(|stat| stat.kind == Kind::Directory, cx.io.stat(text, true)?),
            'f' => is(|stat| stat.kind == Kind::File, cx.io.stat(text, true)?),
            'x' => is(|stat| stat.executable, cx.io.stat(text, true)?),
            's' => is(|stat| stat.size > 0, cx.io.stat(text, true)?),
            other => return self.refuse(cx, &format!("test -{other}"), ""),
        })
    }

    /// `test` and `[`: status 2 if the expression is none.
    pub(super) fn test(&mut self, cx: &mut Cx<'_, '_>, words: &[Text]) -> Go<u8> {
        let name = &words[0];
        let mut arguments = &words[1..];
        if &**name == "[" {
            match arguments.split_last() {
                Some((last, rest)) if &**last == "]" => arguments = rest,
                _ => {
                    self.complain(cx, "[: missing `]'")?;
                    return Ok(2);
                }
            }
        }
        match self.expression(cx, arguments)? {
            Ok(holds) => Ok(u8::from(!holds)),
            Err(message) => {
                self.complain(cx, &format!("{name}: {message}"))?;
                Ok(2)
            }
        }
    }

    fn expression(&mut self, cx: &mut Cx<'_, '_>, arguments: &[Text]) -> Go<Tested> {
        Ok(match arguments {
            [] => Ok(false),
            [one] => Ok(!one.is_empty()),
            [not, one] if &**not == "!" => Ok(one.is_empty()),
            [operator, operand] => match unary_letter(operator) {
                Some(letter) => Ok(self.unary(cx, letter, operand)?),
                None => Err(format!("{operator}: unary operator expected")),
            },
            [a, operator, b] => match self.binary(cx, a, operator, b)? {
                Some(result) => result,
                None if &**a == "!" => self.expression(cx, &arguments[1..])?.map(|holds| !holds),
                None if &**a == "(" && &**b == ")" => Ok(!operator.is_empty()),
                None => Err(format!("{operator}: binary operator expected")),
            },
            [not, rest @ ..] if &**not == "!" && rest.len() == 3 => {
                self.expression(cx, rest)?.map(|holds| !holds)
            }
            [open, inner @ .., close] if &**open == "(" && &**close == ")" && inner.len() == 2 => {
                self.expression(cx, inner)?
            }
            _ if arguments
                .iter()
                .any(|word| matches!(&**word, "-a" | "-o" | "(" | ")")) =>
            {
                let help = "write [ a ] && [ b ], or [[ ]]";
                return self.refuse(cx, "-a, -o and parentheses in test", help);
            }
            _ => Err("too many arguments".into()),
        })
    }

    /// `None` if the operator is none.
    fn binary(
        &mut self,
        cx: &mut Cx<'_, '_>,
        a: &Text,
        operator: &str,
        b: &Text,
    ) -> Go<Option<Tested>> {
        if let Some(comparison) = Comparison::from_option(operator) {
            let number = |text: &Text| {
                text.trim()
                    .parse::<i64>()
                    .map_err(|_| format!("{text}: integer expression expected"))
            };
            return Ok(Some(
                number(a).and_then(|a| Ok(comparison.holds(a, number(b)?))),
            ));
        }
        Ok(Some(Ok(match operator {
            "=" | "==" => a == b,
            "!=" => a != b,
            "<" => a < b,
            ">" => a > b,
            "-a" => !a.is_empty() && !b.is_empty(),
            "-o" => !a.is_empty() || !b.is_empty(),
            "-ef" => same_file(cx, a, b)?,
            "-nt" | "-ot" => {
                return self.refuse(cx, &format!("test {operator}"), "files have no times here");
            }
            _ => return Ok(None),
        })))
    }
}

fn same_file(cx: &mut Cx<'_, '_>, a: &str, b: &str) -> Go<bool> {
    let (a, b) = (cx.io.stat(a, true)?, cx.io.stat(b, true)?);
    Ok(a.is_ok_and(|a| b.is_ok_and(|b| a.inode == b.inode)))
}

fn unary_letter(operator: &str) -> Option<char> {
    let mut chars = operator.strip_prefix('-')?.chars();
    let letter = chars
        .next()
        .filter(|letter| "zneafdrwxsLhvtbcgkpuGNORSo".contains(*letter))?;
    chars.next().is_none().then_some(letter)
}
