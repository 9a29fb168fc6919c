//! `set /a`: 32-bit arithmetic.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | operators and their precedence, `0x`, leading `0` for octal, names stand for numbers in the environment | `set /?` | yes |
//! | results wrap at 32 bits; decimal and octal numbers that do not fit 31 are an error, hexadecimal ones that do not fit 32 are -1 | dbenham, "Rules for how CMD.EXE parses numbers" | yes |
//! | elsewhere numbers that do not fit are the greatest or the least | the same | yes |
//! | error numbers: 1073750988 unbalanced, 1073750989 missing operand, 1073750990 missing operator, 1073750991 invalid number, 1073750992 too big, 1073750993 division by zero | ss64.com, "SET"; ReactOS's tests of SET /A, run on Windows | yes |
//! | shifts by less than 0 or more than 31 leave the sign alone | Wine's batch tests, whose expected output is that of Windows | yes |

use crate::win7::cmd::messages::Message;

/// What is wrong with an expression.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    /// An operand lacks.
    MissingOperand,
    /// Parentheses do not match.
    Unbalanced,
    /// An operator lacks.
    MissingOperator,
    /// Such as `09` or `0xg`.
    InvalidNumber,
    /// More than 32 bits.
    TooBig,
    /// Division by zero.
    DivideByZero,
}

impl Flaw {
    /// The ERRORLEVEL that it leaves.
    pub fn code(self) -> i32 {
        match self {
            Flaw::Unbalanced => 1_073_750_988,
            Flaw::MissingOperand => 1_073_750_989,
            Flaw::MissingOperator => 1_073_750_990,
            Flaw::InvalidNumber => 1_073_750_991,
            Flaw::TooBig => 1_073_750_992,
            Flaw::DivideByZero => 1_073_750_993,
        }
    }

    /// What cmd says.
    pub fn message(self) -> Message {
        match self {
            Flaw::MissingOperand => Message {
                en: "Missing operand.\r\n",
                zh: "缺少操作数。\r\n",
            },
            Flaw::Unbalanced => Message {
                en: "Unbalanced parenthesis.\r\n",
                zh: "括号不平衡。\r\n",
            },
            Flaw::MissingOperator => Message {
                en: "Missing operator.\r\n",
                zh: "缺少运算符。\r\n",
            },
            Flaw::InvalidNumber => Message {
                en: "Invalid number.  Numeric constants are either decimal (17),\r\nhexadecimal (0x11), or octal (021).\r\n",
                zh: "无效数字。数字常数只能是十进制(17)，十六进制(0x11)或\r\n八进制(021)。\r\n",
            },
            Flaw::TooBig => Message {
                en: "Invalid number.  Numbers are limited to 32-bits of precision.\r\n",
                zh: "无效数字。数字精确度限为 32 位。\r\n",
            },
            Flaw::DivideByZero => Message {
                en: "Divide by zero error.\r\n",
                zh: "被零除。\r\n",
            },
        }
    }
}

/// The number at the beginning of a text, as C's strtol reads it; 0 without one.
pub fn leading_number(text: &str) -> i64 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let end = digits
        .find(|c: char| !c.is_digit(radix))
        .unwrap_or(digits.len());
    let number = i64::from_str_radix(&digits[..end], radix).unwrap_or(match end {
        0 => 0,
        _ => i64::MAX,
    });
    let number = if negative { -number } else { number };
    number.clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

/// The decimal number at the beginning of a text; 0 without one.
pub fn leading_decimal(text: &str) -> i32 {
    let digits = text.trim_start_matches(['-', '+']);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let signs = text.len() - digits.len();
    let end = signs + end.unwrap_or(digits.len());
    // More digits than fit are taken as far as 32 bits go.
    text[..end].parse::<i128>().unwrap_or(0) as i32
}

/// A whole text as a number: decimal, `0x`, octal; what `equ` and its like take for one.
pub fn whole_number(text: &str) -> Option<i32> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    let known = !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix));
    known.then(|| leading_number(text) as i32)
}

/// The variables of an expression.
pub trait Variables {
    /// What one holds, as text.
    fn get(&self, name: &str) -> Option<String>;
    /// Sets one.
    fn set(&mut self, name: &str, value: i32);
}

/// Evaluates expressions divided by commas.
///
/// # Errors
/// The first flaw.
pub fn evaluate(text: &str, variables: &mut dyn Variables) -> Result<i32, Flaw> {
    let text: Vec<char> = text.chars().filter(|c| *c != '"').collect();
    let mut evaluator = Evaluator {
        text,
        at: 0,
        depth: 0,
        variables,
    };
    let value = evaluator.comma()?;
    evaluator.blanks();
    match evaluator.peek() {
        None => Ok(value),
        Some(')') => Err(Flaw::Unbalanced),
        Some(_) => Err(Flaw::MissingOperator),
    }
}

struct Evaluator<'a> {
    text: Vec<char>,
    at: usize,
    depth: u32,
    variables: &'a mut dyn Variables,
}

/// Binary operators by level, the weakest first.
const LEVELS: &[&[&str]] = &[
    &["|"],
    &["^"],
    &["&"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

impl Evaluator<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let here = self.text[self.at.min(self.text.len())..].iter();
        let found = here.take(word.len()).copied().eq(word.chars());
        if found {
            self.at += word.len();
        }
        found
    }

    /// The operator before `=`, if an assignment is here; an empty one for `=` itself.
    fn assigning(&mut self) -> Option<&'static str> {
        let start = self.at;
        let operators = LEVELS.iter().copied().flatten().copied().chain([""]);
        for operator in operators {
            if self.takes(operator) && self.takes("=") {
                return Some(operator);
            }
            self.at = start;
        }
        None
    }

    fn comma(&mut self) -> Result<i32, Flaw> {
        let mut value = self.assignment()?;
        loop {
            self.blanks();
            if !self.takes(",") {
                return Ok(value);
            }
            value = self.assignment()?;
        }
    }

    fn name(&mut self) -> Option<String> {
        let is_end = |c: char| c.is_whitespace() || "()!~-*/%+<>&^|=,;\"".contains(c);
        let start = self.at;
        if self.peek().is_none_or(|c| is_end(c) || c.is_ascii_digit()) {
            return None;
        }
        while self.peek().is_some_and(|c| !is_end(c)) {
            self.at += 1;
        }
        Some(self.text[start..self.at].iter().collect())
    }

    fn assignment(&mut self) -> Result<i32, Flaw> {
        self.blanks();
        let start = self.at;
        if let Some(name) = self.name() {
            self.blanks();
            if let Some(operator) = self.assigning() {
                let right = self.assignment()?;
                let value = match operator {
                    "" => right,
                    operator => {
                        let left = self.variable(&name)?;
                        apply(operator, left, right)?
                    }
                };
                self.variables.set(&name, value);
                return Ok(value);
            }
        }
        self.at = start;
        self.binary(0)
    }

    fn binary(&mut self, level: usize) -> Result<i32, Flaw> {
        let Some(operators) = LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.binary(level + 1)?;
        loop {
            self.blanks();
            let Some(operator) = operators.iter().find(|operator| self.takes(operator)) else {
                return Ok(left);
            };
            let right = self.binary(level + 1)?;
            left = apply(operator, left, right)?;
        }
    }

    fn unary(&mut self) -> Result<i32, Flaw> {
        self.depth += 1;
        // As deep as a line can nest them would be too deep here.
        if self.depth > 200 {
            return Err(Flaw::Unbalanced);
        }
        self.blanks();
        let value = match self.peek() {
            Some('!') => {
                self.at += 1;
                i32::from(self.unary()? == 0)
            }
            Some('~') => {
                self.at += 1;
                !self.unary()?
            }
            Some('-') => {
                self.at += 1;
                self.unary()?.wrapping_neg()
            }
            Some('+') => {
                self.at += 1;
                self.unary()?
            }
            Some('(') => {
                self.at += 1;
                let value = self.comma()?;
                self.blanks();
                if !self.takes(")") {
                    return Err(Flaw::Unbalanced);
                }
                value
            }
            Some(c) if c.is_ascii_digit() => self.number()?,
            _ => match self.name() {
                Some(name) => self.variable(&name)?,
                None => return Err(Flaw::MissingOperand),
            },
        };
        self.depth -= 1;
        Ok(value)
    }

    fn number(&mut self) -> Result<i32, Flaw> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric()) {
            self.at += 1;
        }
        let word: String = self.text[start..self.at].iter().collect();
        let (radix, digits) = match word.as_bytes() {
            [b'0', b'x' | b'X', ..] => (16, &word[2..]),
            [b'0', _, ..] => (8, &word[1..]),
            _ => (10, &*word),
        };
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return Err(Flaw::InvalidNumber);
        }
        match (radix, u64::from_str_radix(digits, radix)) {
            // Bits: 0x80000000 is the least number.
            (16, Ok(number)) if number <= u64::from(u32::MAX) => Ok(number as u32 as i32),
            (16, _) => Ok(-1),
            (_, Ok(number)) => i32::try_from(number).map_err(|_| Flaw::TooBig),
            (_, Err(_)) => Err(Flaw::TooBig),
        }
    }

    fn variable(&mut self, name: &str) -> Result<i32, Flaw> {
        let value = self.variables.get(name).unwrap_or_default();
        Ok(leading_number(value.trim_start()) as i32)
    }
}

fn apply(operator: &str, left: i32, right: i32) -> Result<i32, Flaw> {
    Ok(match operator {
        "+" => left.wrapping_add(right),
        "-" => left.wrapping_sub(right),
        "*" => left.wrapping_mul(right),
        "/" | "%" if right == 0 => return Err(Flaw::DivideByZero),
        "/" => left.wrapping_div(right),
        "%" => left.wrapping_rem(right),
        // Out of range nothing is left but the sign.
        "<<" => match right {
            0..32 => left.wrapping_shl(right as u32),
            _ => 0,
        },
        ">>" if (0..32).contains(&right) => left >> right,
        ">>" => left >> 31,
        "&" => left & right,
        "^" => left ^ right,
        _ => left | right,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    impl Variables for BTreeMap<String, String> {
        fn get(&self, name: &str) -> Option<String> {
            BTreeMap::get(self, name).cloned()
        }

        fn set(&mut self, name: &str, value: i32) {
            self.insert(name.into(), value.to_string());
        }
    }

    fn value(text: &str) -> Result<i32, Flaw> {
        let known = [("x", "5"), ("h", "0x10"), ("t", "12abc")];
        let known = known.map(|(name, text)| (name.to_owned(), text.to_owned()));
        evaluate(text, &mut BTreeMap::from(known))
    }

    #[test]
    fn expressions_as_set_documents_them() {
        for (text, expected) in [
            ("1+2*3", 7),
            ("(1+2)*3", 9),
            ("-7/2", -3),
            ("-7%2", -1),
            ("0x10+010", 24),
            ("1<<31", i32::MIN),
            ("-1>>31", -1),
            ("!5+!0", 1),
            ("~0", -1),
            ("7&3|8^1", 11),
            ("x+h", 21),
            ("t", 12),
            ("nope", 0),
            ("y=3, y*=x", 15),
            ("2147483647+1", i32::MIN),
            ("\"3 * 4\"", 12),
            ("0xFFFFFFFF", -1),
            ("-0xFFFFFFFF", 1),
            ("0x1000000000", -1),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn flaws_have_their_codes() {
        for (text, flaw) in [
            ("1/0", Flaw::DivideByZero),
            ("1+", Flaw::MissingOperand),
            ("(1", Flaw::Unbalanced),
            ("1)", Flaw::Unbalanced),
            ("1 2", Flaw::MissingOperator),
            ("09", Flaw::InvalidNumber),
            ("99999999999", Flaw::TooBig),
            ("-2147483648", Flaw::TooBig),
            ("020000000000", Flaw::TooBig),
        ] {
            assert_eq!(value(text), Err(flaw), "{text}");
        }
    }
}
