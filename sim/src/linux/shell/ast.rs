//! A script as data: what the evaluator walks. It knows no parser.
//!
//! Trees are shared, and each node that a process can be at carries a digest of all that is in it, so that hashing or
//! comparing a process's place in a script does not walk the script.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::super::syscall::{Fd, Text};

/// A shared node with a digest of its content.
pub struct Shared<T>(Arc<(u64, T)>);

impl<T: Hash> Shared<T> {
    /// Wraps a finished node.
    pub fn new(node: T) -> Self {
        // Seed 0: the digest is a function of the content alone.
        let mut hasher = XxHash3_64::with_seed(0);
        node.hash(&mut hasher);
        Self(Arc::new((hasher.finish(), node)))
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.1
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.0 == other.0.0 && self.0.1 == other.0.1)
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.0);
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.1.fmt(f)
    }
}

/// A sequence of commands, each in the foreground or the background.
pub type Block = Shared<Vec<Item>>;

/// `a && b || c`, then `;`, a newline or `&`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Item {
    /// What to run.
    pub chain: Shared<Chain>,
    /// Followed by `&`.
    pub background: bool,
    /// Which complete command (what the shell reads at once) this belongs to; an arithmetic error skips its rest.
    pub group: u32,
}

/// Pipelines joined by `&&` and `||`, of equal rank, from left to right.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    /// The first one.
    pub first: Pipeline,
    /// The others, each with its operator.
    pub rest: Vec<(Connector, Pipeline)>,
}

/// What joins pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Connector {
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// `! a | b | c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pipeline {
    /// Begins with `!`.
    pub negated: bool,
    /// At least one.
    pub commands: Vec<Shared<Command>>,
}

/// A command with its redirections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Command {
    /// Where it begins.
    pub line: u32,
    /// What it is.
    pub kind: CommandKind,
    /// For a simple command too.
    pub redirects: Vec<Redirect>,
}

/// Kinds of commands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommandKind {
    /// `A=1 name arguments`.
    Simple {
        /// Before the name.
        assignments: Vec<Assignment>,
        /// Name and arguments; may be none. For `export` and its like, arguments may be assignments.
        words: Vec<Argument>,
    },
    /// `{ …; }`.
    Group(Block),
    /// `( … )`.
    Subshell(Block),
    /// `if`: conditions with their bodies, and the `else`.
    If {
        /// `if` and each `elif`.
        arms: Vec<(Block, Block)>,
        /// `else`.
        otherwise: Option<Block>,
    },
    /// `while`, or `until`.
    Loop {
        /// It is `until`.
        until: bool,
        /// Condition.
        condition: Block,
        /// Body.
        body: Block,
    },
    /// `for name in words`; without `in`, over `"$@"`.
    For {
        /// The variable.
        name: Text,
        /// What to go through.
        words: Option<Vec<Word>>,
        /// Body.
        body: Block,
    },
    /// `for ((a; b; c))`.
    ForArithmetic {
        /// Once, before.
        start: Word,
        /// Before each round; empty is true.
        condition: Word,
        /// After each round.
        step: Word,
        /// Body.
        body: Block,
    },
    /// `case`.
    Case {
        /// What is compared.
        word: Word,
        /// Patterns, commands, and what comes after them.
        arms: Vec<CaseArm>,
    },
    /// `(( … ))`.
    Arithmetic(Word),
    /// `[[ … ]]`.
    Condition(Condition),
    /// `name() …`.
    Function {
        /// Its name.
        name: Text,
        /// Its body.
        body: Shared<Command>,
    },
}

/// One branch of a `case`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CaseArm {
    /// Any of these.
    pub patterns: Vec<Word>,
    /// What to run.
    pub body: Option<Block>,
    /// Its end.
    pub end: CaseEnd,
}

/// How a branch of a `case` ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CaseEnd {
    /// `;;`.
    Stop,
    /// `;&`: into the next branch.
    FallThrough,
    /// `;;&`: goes on comparing.
    Continue,
}

/// `NAME=value` or `NAME+=value`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Assignment {
    /// The variable.
    pub name: Text,
    /// Is appended.
    pub append: bool,
    /// Its value: not split, not matched against files.
    pub value: Word,
}

/// A word of a simple command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// Expands to any number of fields.
    Word(Word),
    /// After `export`, `local`, `readonly`, `declare`: expands like an assignment.
    Assignment(Assignment),
}

/// A redirection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Redirect {
    /// The descriptor on the left.
    pub fd: Fd,
    /// What happens to it.
    pub kind: RedirectKind,
}

/// Kinds of redirections.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RedirectKind {
    /// `<`.
    Read(Word),
    /// `>` and `>|`.
    Write(Word),
    /// `>>`.
    Append(Word),
    /// `<>`.
    ReadWrite(Word),
    /// `>&` and `<&`: a digit, or `-` to close.
    Duplicate(Word),
    /// `<<` and `<<<`: the text.
    Here(Word),
}

/// A word: pieces that are expanded and put together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Word {
    /// In order.
    pub pieces: Vec<Piece>,
}

impl Word {
    /// A word of plain quoted text.
    pub fn literal(text: &str) -> Self {
        Self {
            pieces: vec![Piece::Quoted(text.into())],
        }
    }
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Piece {
    /// As it stands, unquoted: may hold glob characters.
    Plain(Text),
    /// From `'…'`, `\x` or `$'…'`: only itself.
    Quoted(Text),
    /// `"…"`.
    Double(Vec<Piece>),
    /// `~` at the beginning.
    Home,
    /// `$A`, `${A…}`.
    Parameter(Box<Expansion>),
    /// `$(…)`.
    Command(Block),
    /// `$((…))`: expanded as if in double quotes, then computed.
    Arithmetic(Word),
}

/// `${parameter operation}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expansion {
    /// Of what.
    pub parameter: Parameter,
    /// What is done with it.
    pub operation: Operation,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// A variable.
    Variable(Text),
    /// `$1`.
    Positional(u32),
    /// `$@` or, with `star`, `$*`.
    All {
        /// `$*`.
        star: bool,
    },
    /// `$#`.
    Count,
    /// `$?`.
    Status,
    /// `$0`.
    Zero,
    /// `$!`.
    LastJob,
}

/// What an expansion does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The value.
    Value,
    /// `${#A}`.
    Length,
    /// `${A:-w}`, `${A-w}`.
    Default {
        /// With a colon: empty counts as unset.
        colon: bool,
        /// The other value.
        word: Word,
    },
    /// `${A:=w}`, `${A=w}`.
    Assign {
        /// With a colon.
        colon: bool,
        /// The new value.
        word: Word,
    },
    /// `${A:+w}`, `${A+w}`.
    Alternative {
        /// With a colon.
        colon: bool,
        /// The value if set.
        word: Word,
    },
    /// `${A:?w}`, `${A?w}`.
    Require {
        /// With a colon.
        colon: bool,
        /// The message.
        word: Word,
    },
    /// `${A#p}`, `${A##p}`, `${A%p}`, `${A%%p}`.
    Remove {
        /// At the end (`%`).
        suffix: bool,
        /// As much as possible.
        longest: bool,
        /// What.
        pattern: Word,
    },
}

/// An expression of `[[ … ]]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Condition {
    /// `a && b`.
    And(Box<Condition>, Box<Condition>),
    /// `a || b`.
    Or(Box<Condition>, Box<Condition>),
    /// `! a`.
    Not(Box<Condition>),
    /// `-f word` and the like, by their letter.
    Unary(char, Word),
    /// `a == b`: the right side is a pattern.
    Matches(Word, Word),
    /// `a < b`.
    Before(Word, Word),
    /// `a > b`.
    After(Word, Word),
    /// `-eq` and the like: both sides are arithmetic.
    Compare(Comparison, Word, Word),
    /// `a -ef b`.
    SameFile(Word, Word),
}

/// An integer comparison of `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `-eq`.
    Equal,
    /// `-ne`.
    NotEqual,
    /// `-lt`.
    Less,
    /// `-le`.
    LessEqual,
    /// `-gt`.
    Greater,
    /// `-ge`.
    GreaterEqual,
}

impl Comparison {
    /// From `-eq`.
    pub fn from_option(option: &str) -> Option<Self> {
        Some(match option {
            "-eq" => Self::Equal,
            "-ne" => Self::NotEqual,
            "-lt" => Self::Less,
            "-le" => Self::LessEqual,
            "-gt" => Self::Greater,
            "-ge" => Self::GreaterEqual,
            _ => return None,
        })
    }

    /// Is it so?
    pub fn holds(self, a: i64, b: i64) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Less => a < b,
            Self::LessEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterEqual => a >= b,
        }
    }
}
