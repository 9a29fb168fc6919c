//! Commands as the front end reads them: percent signs filled in, quotes and escapes resolved.

use std::sync::Arc;

/// UTF-16 text.
pub type Text = Vec<u16>;

/// A redirection of a handle.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Redirection {
    /// The handle that is redirected.
    pub handle: usize,
    /// Where to.
    pub to: Target,
}

/// Where a redirection leads.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// `<file`
    Read(Text),
    /// `>file`
    Replace(Text),
    /// `>>file`
    Append(Text),
    /// `>&n`, `<&n`
    Copy(usize),
}

/// How two commands hang together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Operator {
    /// `&`
    Then,
    /// The end of a line in a block.
    Line,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
}

/// A command.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Command {
    /// Whether `@` stands before it.
    pub quiet: bool,
    /// What it is.
    pub kind: Kind,
    /// Its redirections, in order.
    pub redirections: Vec<Redirection>,
}

/// What a command is.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A name, and all that follows it, as it stands.
    Simple {
        /// The first word.
        name: Text,
        /// The rest, with what divides it from the name.
        tail: Text,
    },
    /// `( .. )`
    Block(Box<Node>),
    /// `if`
    If(Box<If>),
    /// `for`
    For(Box<For>),
}

/// Commands that hang together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Node {
    /// One.
    Command(Arc<Command>),
    /// Two.
    Two(Operator, Box<Node>, Box<Node>),
}

/// An `if`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct If {
    /// `/i`
    pub ignore_case: bool,
    /// `not`
    pub not: bool,
    /// What is asked.
    pub condition: Condition,
    /// If so.
    pub then: Node,
    /// If not.
    pub otherwise: Option<Node>,
}

/// What an `if` asks.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Condition {
    /// `exist FILE`
    Exist(Text),
    /// `defined NAME`
    Defined(Text),
    /// `errorlevel N`
    ErrorLevel(Text),
    /// `cmdextversion N`
    ExtensionVersion(Text),
    /// `A op B`
    Compare(Text, Comparison, Text),
}

/// How two texts are compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Comparison {
    /// `==`: as texts, always.
    Same,
    /// `equ`
    Equal,
    /// `neq`
    NotEqual,
    /// `lss`
    Less,
    /// `leq`
    LessOrEqual,
    /// `gtr`
    Greater,
    /// `geq`
    GreaterOrEqual,
}

/// A `for`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct For {
    /// Its form.
    pub form: Form,
    /// The letter of its variable.
    pub variable: u16,
    /// What is between the parentheses behind `in`.
    pub set: Text,
    /// What is done for each.
    pub body: Node,
}

/// The form of a `for`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Form {
    /// Words, and files by pattern.
    Plain,
    /// `/d`: directories by pattern.
    Directories,
    /// `/r [PATH]`: in each directory of a tree; with `/d` its directories.
    Tree(Text, bool),
    /// `/l`: numbers.
    Numbers,
    /// `/f ["OPTIONS"]`: lines.
    Lines(Text),
}
