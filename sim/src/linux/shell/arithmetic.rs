//! Shell arithmetic (bash manual 6.5): 64-bit integers that wrap around.

use super::super::syscall::Text;

/// Where variables are.
pub(super) trait Variables {
    /// The value, if it is set.
    fn get(&mut self, name: &str) -> Option<Text>;
    /// Sets it.
    fn set(&mut self, name: &str, value: i64);
}

/// A variable's value is an expression again; so deep at most. bash allows 1024.
const MAX_DEPTH: u32 = 64;

/// Computes an expression. The error is bash's message, without the shell's name before it.
pub(super) fn evaluate(text: &str, variables: &mut dyn Variables) -> Result<i64, String> {
    evaluate_at(text, variables, 0)
}

fn evaluate_at(text: &str, variables: &mut dyn Variables, depth: u32) -> Result<i64, String> {
    let text = text.trim_matches([' ', '\t', '\n']);
    if text.is_empty() {
        return Ok(0);
    }
    let mut parser = Parser {
        text,
        at: 0,
        variables,
        depth,
        skipped: 0,
    };
    let value = parser.comma()?;
    parser.blanks();
    if parser.at < text.len() {
        return Err(parser.error("syntax error in expression"));
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    variables: &'a mut dyn Variables,
    depth: u32,
    /// In a branch that is not taken: nothing is assigned, nothing divides by zero.
    skipped: u32,
}

/// Binary operators by rising rank, all from left to right, without `**`, `?:` and assignments.
const RANKS: &[&[&str]] = &[
    &["||"],
    &["&&"],
    &["|"],
    &["^"],
    &["&"],
    &["==", "!="],
    &["<=", ">=", "<", ">"],
    &["<<", ">>"],
    &["+", "-"],
    &["*", "/", "%"],
];

const ASSIGNMENTS: &[&str] = &[
    "<<=", ">>=", "*=", "/=", "%=", "+=", "-=", "&=", "^=", "|=", "=",
];

impl Parser<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n']).len();
    }

    fn error(&self, message: &str) -> String {
        format!(
            "{}: {message} (error token is \"{}\")",
            self.text,
            self.rest()
        )
    }

    fn take(&mut self, token: &str) -> bool {
        self.blanks();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn deeper<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error("expression recursion level exceeded"));
        }
        let result = parse(self);
        self.depth -= 1;
        result
    }

    fn comma(&mut self) -> Result<i64, String> {
        let mut value = self.assignment()?;
        while self.take(",") {
            value = self.assignment()?;
        }
        Ok(value)
    }

    fn name(&mut self) -> Option<String> {
        self.blanks();
        let rest = self.rest();
        if !rest.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
            return None;
        }
        let end = rest.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric()));
        let name = rest[..end.unwrap_or(rest.len())].to_string();
        self.at += name.len();
        Some(name)
    }

    fn assignment(&mut self) -> Result<i64, String> {
        let start = self.at;
        if let Some(name) = self.name() {
            self.blanks();
            let rest = self.rest();
            let operator = ASSIGNMENTS
                .iter()
                .find(|operator| rest.starts_with(**operator));
            if let Some(operator) = operator.filter(|_| !rest.starts_with("==")) {
                self.at += operator.len();
                let value = self.deeper(Self::assignment)?;
                let value = match operator.strip_suffix('=') {
                    Some("") | None => value,
                    Some(binary) => {
                        let old = self.variable(&name)?;
                        self.compute(binary, old, value)?
                    }
                };
                self.set(&name, value);
                return Ok(value);
            }
        }
        self.at = start;
        self.conditional()
    }

    fn conditional(&mut self) -> Result<i64, String> {
        let condition = self.binary(0)?;
        if !self.take("?") {
            return Ok(condition);
        }
        let yes = self.skipping(condition == 0, |this| this.deeper(Self::comma))?;
        if !self.take(":") {
            return Err(self.error("`:' expected for conditional expression"));
        }
        let no = self.skipping(condition != 0, |this| this.deeper(Self::assignment))?;
        Ok(if condition != 0 { yes } else { no })
    }

    fn skipping<T>(
        &mut self,
        skip: bool,
        parse: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        self.skipped += u32::from(skip);
        let result = parse(self);
        self.skipped -= u32::from(skip);
        result
    }

    fn operator(&mut self, rank: usize) -> Option<&'static str> {
        self.blanks();
        let rest = self.rest();
        let found = RANKS[rank]
            .iter()
            .copied()
            .find(|operator| rest.starts_with(operator))?;
        // Not the beginning of a longer one.
        let after = &rest[found.len()..];
        let longer = match found {
            "|" | "&" => after.starts_with(found) || after.starts_with('='),
            "<" | ">" => after.starts_with(found),
            "*" => after.starts_with('*') || after.starts_with('='),
            "==" | "!=" | "<=" | ">=" | "||" | "&&" => false,
            _ => after.starts_with('='),
        };
        if longer {
            return None;
        }
        self.at += found.len();
        Some(found)
    }

    fn binary(&mut self, rank: usize) -> Result<i64, String> {
        if rank == RANKS.len() {
            return self.power();
        }
        let mut left = self.binary(rank + 1)?;
        while let Some(operator) = self.operator(rank) {
            left = match operator {
                "||" => {
                    let right = self.skipping(left != 0, |this| this.binary(rank + 1))?;
                    i64::from(left != 0 || right != 0)
                }
                "&&" => {
                    let right = self.skipping(left == 0, |this| this.binary(rank + 1))?;
                    i64::from(left != 0 && right != 0)
                }
                _ => {
                    let right_at = self.at;
                    let right = self.binary(rank + 1)?;
                    if matches!(operator, "/" | "%") && right == 0 && self.skipped == 0 {
                        self.at = right_at;
                        self.blanks();
                        return Err(self.error("division by 0"));
                    }
                    self.compute(operator, left, right)?
                }
            };
        }
        Ok(left)
    }

    fn compute(&self, operator: &str, a: i64, b: i64) -> Result<i64, String> {
        // The machine takes a shift count modulo 64.
        let count = (b & 63) as u32;
        Ok(match operator {
            "|" => a | b,
            "^" => a ^ b,
            "&" => a & b,
            "==" => i64::from(a == b),
            "!=" => i64::from(a != b),
            "<=" => i64::from(a <= b),
            ">=" => i64::from(a >= b),
            "<" => i64::from(a < b),
            ">" => i64::from(a > b),
            "<<" => a.wrapping_shl(count),
            ">>" => a.wrapping_shr(count),
            "+" => a.wrapping_add(b),
            "-" => a.wrapping_sub(b),
            "*" => a.wrapping_mul(b),
            "/" | "%" if b == 0 && self.skipped > 0 => 0,
            "/" | "%" if b == 0 => return Err(self.error("division by 0")),
            "/" => a.wrapping_div(b),
            _ => a.wrapping_rem(b),
        })
    }

    fn power(&mut self) -> Result<i64, String> {
        let base = self.unary()?;
        if !self.take("**") {
            return Ok(base);
        }
        let exponent = self.deeper(Self::power)?;
        if exponent < 0 {
            return Err(self.error("exponent less than 0"));
        }
        let (mut result, mut square, mut left) = (1i64, base, exponent);
        while left > 0 {
            if left & 1 == 1 {
                result = result.wrapping_mul(square);
            }
            square = square.wrapping_mul(square);
            left >>= 1;
        }
        Ok(result)
    }

    fn unary(&mut self) -> Result<i64, String> {
        for (operator, change) in [("++", 1), ("--", -1)] {
            let start = self.at;
            if self.take(operator) {
                if let Some(name) = self.name() {
                    let value = self.variable(&name)?.wrapping_add(change);
                    self.set(&name, value);
                    return Ok(value);
                }
                self.at = start;
            }
        }
        if self.take("!") {
            return Ok(i64::from(self.deeper(Self::unary)? == 0));
        }
        if self.take("~") {
            return Ok(!self.deeper(Self::unary)?);
        }
        if self.take("+") {
            return self.deeper(Self::unary);
        }
        if self.take("-") {
            return Ok(self.deeper(Self::unary)?.wrapping_neg());
        }
        self.primary()
    }

    fn primary(&mut self) -> Result<i64, String> {
        if self.take("(") {
            let value = self.deeper(Self::comma)?;
            if !self.take(")") {
                return Err(self.error("missing `)'"));
            }
            return Ok(value);
        }
        if let Some(name) = self.name() {
            let value = self.variable(&name)?;
            for (operator, change) in [("++", 1), ("--", -1)] {
                if self.rest().starts_with(operator) {
                    self.at += 2;
                    self.set(&name, value.wrapping_add(change));
                    break;
                }
            }
            return Ok(value);
        }
        self.blanks();
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "#@_".contains(c)));
        let number = &rest[..end.unwrap_or(rest.len())];
        if !number.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.error("syntax error: operand expected"));
        }
        let value = constant(number).map_err(|message| self.error(message))?;
        self.at += number.len();
        Ok(value)
    }

    fn variable(&mut self, name: &str) -> Result<i64, String> {
        if self.skipped > 0 {
            return Ok(0);
        }
        let Some(value) = self.variables.get(name) else {
            return Ok(0);
        };
        if let Ok(number) = value.parse::<i64>()
            && !(value.len() > 1 && value.trim_start_matches(['-', '+']).starts_with('0'))
        {
            return Ok(number);
        }
        if self.depth >= MAX_DEPTH {
            return Err(self.error("expression recursion level exceeded"));
        }
        evaluate_at(&value, &mut *self.variables, self.depth + 8)
    }

    fn set(&mut self, name: &str, value: i64) {
        if self.skipped == 0 {
            self.variables.set(name, value);
        }
    }
}

/// `12`, `0x1f`, `017`, `2#101`.
fn constant(text: &str) -> Result<i64, &'static str> {
    let (base, digits) = if let Some((base, digits)) = text.split_once('#') {
        let base: u32 = base.parse().map_err(|_| "invalid arithmetic base")?;
        (base, digits)
    } else if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        (16, digits)
    } else if text.len() > 1 && text.starts_with('0') {
        (8, &text[1..])
    } else {
        (10, text)
    };
    if !(2..=64).contains(&base) {
        return Err("invalid arithmetic base");
    }
    let mut value = 0i64;
    for c in digits.chars() {
        let digit = match c {
            '0'..='9' => u32::from(c) - u32::from('0'),
            'a'..='z' => u32::from(c) - u32::from('a') + 10,
            'A'..='Z' if base <= 36 => u32::from(c) - u32::from('A') + 10,
            'A'..='Z' => u32::from(c) - u32::from('A') + 36,
            '@' => 62,
            '_' => 63,
            _ => return Err("value too great for base"),
        };
        if digit >= base {
            return Err("value too great for base");
        }
        value = value
            .wrapping_mul(i64::from(base))
            .wrapping_add(i64::from(digit));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    impl Variables for BTreeMap<String, Text> {
        fn get(&mut self, name: &str) -> Option<Text> {
            BTreeMap::get(self, name).cloned()
        }

        fn set(&mut self, name: &str, value: i64) {
            self.insert(name.into(), value.to_string().into());
        }
    }

    fn value(text: &str) -> Result<i64, String> {
        let mut variables = BTreeMap::from([
            ("i".to_string(), Text::from("5")),
            ("e".to_string(), Text::from("i+1")),
            ("loop".to_string(), Text::from("loop+1")),
        ]);
        evaluate(text, &mut variables)
    }

    #[test]
    fn values_are_those_of_bash() {
        for (text, expected) in [
            ("", 0),
            ("1 + 2*3", 7),
            ("(1+2)*3", 9),
            ("2**3**2", 512),
            ("-2**2", 4),
            ("7/2 - 7%4", 0),
            ("i++ + i", 11),
            ("++i", 6),
            ("e*2", 12),
            ("i = 3, i += 4", 7),
            ("i > 4 && i < 6", 1),
            ("0 && 1/0", 0),
            ("1 ? 10 : 1/0", 10),
            ("0x1f + 017 + 2#101", 51),
            ("!0 + ~0", 0),
            ("1 << 3 | 1", 9),
            ("9223372036854775807 + 1", i64::MIN),
            ("unset_name", 0),
            ("5 == 5", 1),
            ("3 - -2", 5),
        ] {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors_are_those_of_bash() {
        let division = "1/0: division by 0 (error token is \"0\")";
        assert_eq!(value("1/0"), Err(division.into()));
        assert!(value("1 +").unwrap_err().contains("operand expected"));
        assert!(
            value("loop")
                .unwrap_err()
                .contains("recursion level exceeded")
        );
        assert!(
            value(&"(".repeat(100_000))
                .unwrap_err()
                .contains("recursion level exceeded")
        );
        assert!(
            value("08")
                .unwrap_err()
                .contains("value too great for base")
        );
    }
}
