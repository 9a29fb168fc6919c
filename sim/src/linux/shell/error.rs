//! Why a script has no tree.

use std::fmt;

use super::super::syscall::{Refused, Text};

/// Why a script has no tree.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ParseError {
    /// The shell would not take it either.
    Syntax {
        /// In bash's words where there are any.
        message: Text,
        /// Line, from 1.
        line: u32,
        /// Column in characters, from 1.
        column: u32,
    },
    /// The shell would take it, this model does not.
    Refused(Refused),
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax {
                message,
                line,
                column,
            } => {
                write!(f, "line {line}, column {column}: {message}")
            }
            Self::Refused(refused) => refused.fmt(f),
        }
    }
}

impl std::error::Error for ParseError {}
