//! Bounds on a token list before the grammar sees it.
//!
//! brush-parser's grammar recurses once or several times per nested command, and parses the last branch of a `case` twice
//! per level. This pass follows the nesting exactly, in the way the grammar will: a closing word counts only if it closes
//! the innermost open command, so that no words in other places can hide how deep a script is.

use super::lex::Lexeme;
use super::{MAX_NESTING, ParseError};

/// The last branch of a `case` may be parsed twice per level of `case`.
const MAX_CASES: usize = 6;
/// Operators within one `[[ ]]`.
const MAX_OPERATORS: u32 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Parenthesis,
    Brace,
    If,
    Loop,
    /// `case`, before `in`.
    CaseWord,
    /// Before a pattern's `)`.
    Pattern,
    /// After it.
    Branch,
    Condition,
}

/// Checks nesting and matching of everything that opens and closes. Answers which tokens the grammar is shown as newlines:
/// each `;;` right before `esac`, after which brush-parser would take `esac)` and `esac|` for a pattern.
pub(super) fn check(tokens: &[Lexeme], depth: u32) -> Result<Vec<usize>, ParseError> {
    let mut shown_as_newline = Vec::new();
    let mut stack: Vec<Open> = Vec::new();
    // A reserved word would be one here.
    let mut at_command = true;
    // The next word is only a word: a name, a file.
    let mut only_word = 0u32;
    let mut condition_operators = 0u32;
    for (index, token) in tokens.iter().enumerate() {
        let place = token.place;
        let top = stack.last().copied();
        let unexpected = || {
            let shown = if token.text == "\n" {
                "newline"
            } else {
                &token.text
            };
            place.syntax(format!("syntax error near unexpected token `{shown}'"))
        };
        if token.operator {
            match (token.text.as_str(), top) {
                ("(", Some(Open::Pattern)) => {}
                ("(", _) => {
                    let before = index.checked_sub(1).map(|before| &tokens[before]);
                    // A process substitution; and an attempt at arithmetic, exponential in the parentheses.
                    let bad = |before: &Lexeme| {
                        before.is_redirect() || (before.is("(") && !token.arithmetic)
                    };
                    if before.is_some_and(bad) && !stack.contains(&Open::Condition) {
                        return Err(unexpected());
                    }
                    stack.push(Open::Parenthesis);
                }
                (")", Some(Open::Pattern)) => replace_top(&mut stack, Open::Branch),
                (")", Some(Open::Parenthesis)) => drop(stack.pop()),
                (")", _) => return Err(unexpected()),
                (";;" | ";&" | ";;&", Some(Open::Branch)) => replace_top(&mut stack, Open::Pattern),
                (";;" | ";&" | ";;&", _) => return Err(unexpected()),
                _ => {}
            }
            if stack.contains(&Open::Condition) {
                condition_operators += u32::from(token.text != "\n");
                if condition_operators > MAX_OPERATORS {
                    let construct = format!("more than {MAX_OPERATORS} operators in [[ ]]");
                    return Err(place.refused(construct, "use several [[ ]]"));
                }
            }
            if token.is_redirect() {
                only_word = 1;
            } else {
                at_command = true;
                only_word = 0;
            }
        } else if only_word > 0 {
            only_word -= 1;
        } else {
            if top == Some(Open::Pattern) && token.plain() == Some("esac") {
                let before = tokens[..index].iter().rposition(|token| !token.is("\n"));
                match before.filter(|&before| tokens[before].operator) {
                    Some(end) => shown_as_newline.push(end),
                    None => return Err(place.refused("a case without branches", "leave it out")),
                }
            }
            word(
                token,
                &mut stack,
                &mut at_command,
                &mut only_word,
                &unexpected,
            )?;
            if token.plain() == Some("[[") {
                condition_operators = 0;
            }
            if token.plain() == Some("!") && top == Some(Open::Condition) {
                condition_operators += 1;
            }
        }
        if stack.len() as u32 + depth > MAX_NESTING {
            return Err(place.too_deep());
        }
        let cases = |open: &&Open| matches!(open, Open::CaseWord | Open::Pattern | Open::Branch);
        if stack.iter().filter(cases).count() > MAX_CASES {
            let construct = format!("case nested deeper than {MAX_CASES}");
            return Err(place.refused(construct, "use functions"));
        }
    }
    Ok(shown_as_newline)
}

fn replace_top(stack: &mut [Open], open: Open) {
    if let Some(top) = stack.last_mut() {
        *top = open;
    }
}

fn word(
    token: &Lexeme,
    stack: &mut Vec<Open>,
    at_command: &mut bool,
    only_word: &mut u32,
    unexpected: &dyn Fn() -> ParseError,
) -> Result<(), ParseError> {
    let top = stack.last().copied();
    let text = token.plain().unwrap_or("");
    let reserved = matches!(
        text,
        "!" | "{"
            | "}"
            | "case"
            | "do"
            | "done"
            | "elif"
            | "else"
            | "esac"
            | "fi"
            | "for"
            | "if"
            | "in"
            | "then"
            | "until"
            | "while"
            | "[["
            | "]]"
            | "function"
            | "select"
    );
    match top {
        Some(Open::Condition) => {
            if text == "]]" {
                stack.pop();
                *at_command = true;
            }
            return Ok(());
        }
        Some(Open::CaseWord) => {
            if text == "in" {
                replace_top(stack, Open::Pattern);
            }
            return Ok(());
        }
        Some(Open::Pattern) => {
            match text {
                "esac" => {
                    stack.pop();
                    *at_command = true;
                }
                _ if reserved => {
                    let help = "quote it";
                    return Err(token.place.refused("a reserved word as a pattern", help));
                }
                _ => {}
            }
            return Ok(());
        }
        _ => {}
    }
    // In parentheses within `[[ ]]` nothing is reserved.
    if stack.contains(&Open::Condition) || !*at_command {
        return Ok(());
    }
    let mut close = |open: Open| {
        if stack.last() != Some(&open) {
            return Err(unexpected());
        }
        stack.pop();
        Ok(())
    };
    match text {
        "}" => close(Open::Brace)?,
        "fi" => close(Open::If)?,
        "done" => close(Open::Loop)?,
        "esac" => close(Open::Branch)?,
        "{" => stack.push(Open::Brace),
        "if" => stack.push(Open::If),
        "while" | "until" => stack.push(Open::Loop),
        "for" => {
            stack.push(Open::Loop);
            *only_word = 1;
        }
        "case" => {
            stack.push(Open::CaseWord);
            *only_word = 1;
        }
        "[[" => stack.push(Open::Condition),
        "function" => *only_word = 1,
        "select" => return Err(token.place.refused("select", "use a loop over words")),
        "then" | "do" | "else" | "elif" | "!" | "time" => {}
        // Of a `for`: words follow.
        "in" => *at_command = false,
        "]]" => return Err(unexpected()),
        _ => *at_command = false,
    }
    Ok(())
}
