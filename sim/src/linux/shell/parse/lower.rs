//! From brush-parser's tree to ours. What ours has no room for is refused by name.

use brush_parser::SourceSpan;
use brush_parser::ast::{self, SourceLocation};

use super::super::ast::{
    Argument, Assignment, Block, CaseArm, CaseEnd, Chain, Command, CommandKind, Comparison,
    Condition, Connector, Item, Pipeline, Redirect, RedirectKind, Shared, Word,
};
use super::{Cursor, ParseError, Place, brace, word};

type Lowered<T> = Result<T, ParseError>;

/// Builtins whose arguments may be assignments (bash manual: "declaration commands").
const DECLARATIONS: &[&str] = &["export", "local", "readonly", "declare", "typeset"];

/// Where the tree came from.
pub(super) struct Lower<'c, 'a> {
    pub cursor: &'c Cursor<'a>,
    pub depth: u32,
}

impl<'a> Lower<'_, 'a> {
    pub(super) fn program(&self, program: &ast::Program) -> Lowered<Block> {
        let mut items = Vec::new();
        for (group, command) in program.complete_commands.iter().enumerate() {
            self.items(command, group as u32, self.cursor.place, &mut items)?;
        }
        Ok(Shared::new(items))
    }

    fn place(&self, span: Option<&SourceSpan>, otherwise: Place) -> Place {
        if self.cursor.fixed {
            return self.cursor.place;
        }
        span.map_or(otherwise, |span| Place {
            line: span.start.line as u32,
            column: span.start.column as u32,
        })
    }

    fn block(&self, list: &ast::CompoundList, near: Place) -> Lowered<Block> {
        let mut items = Vec::new();
        self.items(list, 0, near, &mut items)?;
        Ok(Shared::new(items))
    }

    fn items(
        &self,
        list: &ast::CompoundList,
        group: u32,
        near: Place,
        items: &mut Vec<Item>,
    ) -> Lowered<()> {
        for ast::CompoundListItem(and_or, separator) in &list.0 {
            let chain = Shared::new(self.chain(and_or, near)?);
            let background = matches!(separator, ast::SeparatorOperator::Async);
            items.push(Item {
                chain,
                background,
                group,
            });
        }
        Ok(())
    }

    fn chain(&self, list: &ast::AndOrList, near: Place) -> Lowered<Chain> {
        let first = self.pipeline(&list.first, near)?;
        let mut rest = Vec::new();
        for next in &list.additional {
            rest.push(match next {
                ast::AndOr::And(pipeline) => (Connector::And, self.pipeline(pipeline, near)?),
                ast::AndOr::Or(pipeline) => (Connector::Or, self.pipeline(pipeline, near)?),
            });
        }
        Ok(Chain { first, rest })
    }

    fn pipeline(&self, pipeline: &ast::Pipeline, near: Place) -> Lowered<Pipeline> {
        let near = self.place(pipeline.location().as_ref(), near);
        if pipeline.timed.is_some() {
            return Err(near.refused("time", "virtual time is in the trace"));
        }
        let commands = pipeline
            .seq
            .iter()
            .map(|command| self.command(command, near));
        let commands: Vec<_> = commands.collect::<Lowered<_>>()?;
        if commands.is_empty() {
            return Err(near.syntax("syntax error near unexpected token `!'"));
        }
        Ok(Pipeline {
            negated: pipeline.bang,
            commands,
        })
    }

    fn command(&self, command: &ast::Command, near: Place) -> Lowered<Shared<Command>> {
        let place = self.place(command.location().as_ref(), near);
        let mut redirects = Vec::new();
        let kind = match command {
            ast::Command::Simple(simple) => self.simple(simple, place, &mut redirects)?,
            ast::Command::Compound(compound, list) => {
                self.redirect_list(list.as_ref(), place, &mut redirects)?;
                self.compound(compound, place)?
            }
            ast::Command::Function(function) => self.function(function, place)?,
            ast::Command::ExtendedTest(test, list) => {
                self.redirect_list(list.as_ref(), place, &mut redirects)?;
                CommandKind::Condition(self.condition(&test.expr, place)?)
            }
        };
        Ok(Shared::new(Command {
            line: place.line,
            kind,
            redirects,
        }))
    }

    fn simple(
        &self,
        simple: &ast::SimpleCommand,
        near: Place,
        redirects: &mut Vec<Redirect>,
    ) -> Lowered<CommandKind> {
        let mut assignments = Vec::new();
        let mut words = Vec::new();
        for item in simple.prefix.iter().flat_map(|prefix| &prefix.0) {
            match item {
                ast::CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                    self.redirect(redirect, near, redirects)?;
                }
                ast::CommandPrefixOrSuffixItem::AssignmentWord(_, word) => {
                    assignments.push(self.assignment(word, near)?);
                }
                _ => return Err(near.syntax("syntax error")),
            }
        }
        let name = simple.word_or_name.as_ref();
        if let Some(name) = name {
            words.extend(self.words(name, near)?.into_iter().map(Argument::Word));
        }
        let declares = name.is_some_and(|name| DECLARATIONS.contains(&name.value.as_str()));
        for item in simple.suffix.iter().flat_map(|suffix| &suffix.0) {
            match item {
                ast::CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                    self.redirect(redirect, near, redirects)?;
                }
                ast::CommandPrefixOrSuffixItem::AssignmentWord(_, word) if declares => {
                    words.push(Argument::Assignment(self.assignment(word, near)?));
                }
                ast::CommandPrefixOrSuffixItem::AssignmentWord(_, word)
                | ast::CommandPrefixOrSuffixItem::Word(word) => {
                    words.extend(self.words(word, near)?.into_iter().map(Argument::Word));
                }
                ast::CommandPrefixOrSuffixItem::ProcessSubstitution(..) => {
                    return Err(near.refused("process substitution", "use a pipe or a file"));
                }
            }
        }
        Ok(CommandKind::Simple { assignments, words })
    }

    fn compound(&self, compound: &ast::CompoundCommand, place: Place) -> Lowered<CommandKind> {
        Ok(match compound {
            ast::CompoundCommand::BraceGroup(group) => {
                CommandKind::Group(self.block(&group.list, place)?)
            }
            ast::CompoundCommand::Subshell(subshell) => {
                CommandKind::Subshell(self.block(&subshell.list, place)?)
            }
            ast::CompoundCommand::Arithmetic(command) => {
                CommandKind::Arithmetic(self.arithmetic(Some(&command.expr), place)?)
            }
            ast::CompoundCommand::ArithmeticForClause(clause) => CommandKind::ForArithmetic {
                start: self.arithmetic(clause.initializer.as_ref(), place)?,
                condition: self.arithmetic(clause.condition.as_ref(), place)?,
                step: self.arithmetic(clause.updater.as_ref(), place)?,
                body: self.block(&clause.body.list, place)?,
            },
            ast::CompoundCommand::ForClause(clause) => {
                let name = clause.variable_name.as_str();
                if !is_identifier(name) {
                    return Err(place.syntax("for: not a valid identifier"));
                }
                let words = match &clause.values {
                    // `for x in; do`: no words at all. Without `in`, brush-parser has none either, so look.
                    None if self.has_in(clause) => Some(Vec::new()),
                    None => None,
                    Some(words) => {
                        let mut all = Vec::new();
                        for word in words {
                            all.extend(self.words(word, place)?);
                        }
                        Some(all)
                    }
                };
                let body = self.block(&clause.body.list, place)?;
                CommandKind::For {
                    name: name.into(),
                    words,
                    body,
                }
            }
            ast::CompoundCommand::CaseClause(clause) => {
                let mut arms = Vec::new();
                for case in &clause.cases {
                    let patterns = case
                        .patterns
                        .iter()
                        .map(|pattern| self.word(pattern, place));
                    let near = self.place(case.loc.as_ref(), place);
                    let body = case
                        .cmd
                        .as_ref()
                        .map(|body| self.block(body, near))
                        .transpose()?;
                    let end = match case.post_action {
                        ast::CaseItemPostAction::ExitCase => CaseEnd::Stop,
                        ast::CaseItemPostAction::UnconditionallyExecuteNextCaseItem => {
                            CaseEnd::FallThrough
                        }
                        ast::CaseItemPostAction::ContinueEvaluatingCases => CaseEnd::Continue,
                    };
                    arms.push(CaseArm {
                        patterns: patterns.collect::<Lowered<_>>()?,
                        body,
                        end,
                    });
                }
                CommandKind::Case {
                    word: self.word(&clause.value, place)?,
                    arms,
                }
            }
            ast::CompoundCommand::IfClause(clause) => {
                let first = (
                    self.block(&clause.condition, place)?,
                    self.block(&clause.then, place)?,
                );
                let mut arms = vec![first];
                let mut otherwise = None;
                for other in clause.elses.iter().flatten() {
                    let body = self.block(&other.body, place)?;
                    match &other.condition {
                        Some(condition) => arms.push((self.block(condition, place)?, body)),
                        None => otherwise = Some(body),
                    }
                }
                CommandKind::If { arms, otherwise }
            }
            ast::CompoundCommand::WhileClause(clause) => self.repeat(false, clause, place)?,
            ast::CompoundCommand::UntilClause(clause) => self.repeat(true, clause, place)?,
            ast::CompoundCommand::Coprocess(_) => {
                return Err(place.refused("coproc", "use a pipe"));
            }
        })
    }

    fn repeat(
        &self,
        until: bool,
        clause: &ast::WhileOrUntilClauseCommand,
        place: Place,
    ) -> Lowered<CommandKind> {
        let condition = self.block(&clause.0, place)?;
        let body = self.block(&clause.1.list, place)?;
        Ok(CommandKind::Loop {
            until,
            condition,
            body,
        })
    }

    /// `for name in` with nothing between `in` and the separator.
    fn has_in(&self, clause: &ast::ForClauseCommand) -> bool {
        let from = clause.loc.start.index;
        let to = clause.body.loc.start.index.min(self.cursor.chars.len());
        let head: String = self
            .cursor
            .chars
            .get(from..to)
            .unwrap_or(&[])
            .iter()
            .collect();
        head.split(|c: char| c.is_whitespace() || c == ';')
            .any(|word| word == "in")
    }

    fn function(&self, function: &ast::FunctionDefinition, place: Place) -> Lowered<CommandKind> {
        let name = function.fname.value.as_str();
        let place = self.place(function.fname.loc.as_ref(), place);
        if name.contains('\u{1}') {
            return Err(place.syntax("not a valid function name"));
        }
        let ast::FunctionBody(body, list) = &function.body;
        let near = self.place(body.location().as_ref(), place);
        let mut redirects = Vec::new();
        self.redirect_list(list.as_ref(), near, &mut redirects)?;
        let kind = self.compound(body, near)?;
        let body = Shared::new(Command {
            line: near.line,
            kind,
            redirects,
        });
        Ok(CommandKind::Function {
            name: name.into(),
            body,
        })
    }

    fn redirect_list(
        &self,
        list: Option<&ast::RedirectList>,
        near: Place,
        redirects: &mut Vec<Redirect>,
    ) -> Lowered<()> {
        for redirect in list.iter().flat_map(|list| &list.0) {
            self.redirect(redirect, near, redirects)?;
        }
        Ok(())
    }

    fn redirect(
        &self,
        redirect: &ast::IoRedirect,
        near: Place,
        redirects: &mut Vec<Redirect>,
    ) -> Lowered<()> {
        let number = |fd: &Option<i32>, otherwise: u32| {
            fd.map_or(otherwise, |fd| u32::try_from(fd).unwrap_or(otherwise))
        };
        match redirect {
            ast::IoRedirect::File(fd, kind, target) => {
                let word = match target {
                    ast::IoFileRedirectTarget::Filename(word)
                    | ast::IoFileRedirectTarget::Duplicate(word) => self.word(word, near)?,
                    // From `|&`.
                    ast::IoFileRedirectTarget::Fd(fd) => Word::literal(&fd.to_string()),
                    ast::IoFileRedirectTarget::ProcessSubstitution(..) => {
                        return Err(near.refused("process substitution", "use a pipe or a file"));
                    }
                };
                let (standard, kind) = match kind {
                    ast::IoFileRedirectKind::Read => (0, RedirectKind::Read(word)),
                    ast::IoFileRedirectKind::Write | ast::IoFileRedirectKind::Clobber => {
                        (1, RedirectKind::Write(word))
                    }
                    ast::IoFileRedirectKind::Append => (1, RedirectKind::Append(word)),
                    ast::IoFileRedirectKind::ReadAndWrite => (0, RedirectKind::ReadWrite(word)),
                    ast::IoFileRedirectKind::DuplicateInput => (0, RedirectKind::Duplicate(word)),
                    ast::IoFileRedirectKind::DuplicateOutput => (1, RedirectKind::Duplicate(word)),
                };
                redirects.push(Redirect {
                    fd: number(fd, standard),
                    kind,
                });
            }
            ast::IoRedirect::OutputAndError(word, append) => {
                let word = self.word(word, near)?;
                let kind = if *append {
                    RedirectKind::Append(word)
                } else {
                    RedirectKind::Write(word)
                };
                redirects.push(Redirect { fd: 1, kind });
                let duplicate = RedirectKind::Duplicate(Word::literal("1"));
                redirects.push(Redirect {
                    fd: 2,
                    kind: duplicate,
                });
            }
            ast::IoRedirect::HereString(fd, word) => {
                let mut word = self.word(word, near)?;
                word = Word {
                    pieces: vec![super::super::ast::Piece::Double(word.pieces)],
                };
                word.pieces
                    .push(super::super::ast::Piece::Quoted("\n".into()));
                redirects.push(Redirect {
                    fd: number(fd, 0),
                    kind: RedirectKind::Here(word),
                });
            }
            ast::IoRedirect::HereDocument(fd, here) => {
                let place = self.place(here.doc.loc.as_ref(), near);
                let word = if here.requires_expansion {
                    let chars: Vec<char> = here.doc.value.chars().collect();
                    let cursor = Cursor::new(&chars, place, self.cursor.fixed);
                    word::text(cursor, self.depth + 1)?
                } else {
                    Word::literal(&here.doc.value)
                };
                redirects.push(Redirect {
                    fd: number(fd, 0),
                    kind: RedirectKind::Here(word),
                });
            }
        }
        Ok(())
    }

    /// The text of a word, from the source.
    fn source(&self, word: &ast::Word, near: Place) -> Lowered<Cursor<'a>> {
        let lost = || near.syntax("syntax error");
        let span = word.loc.as_ref().ok_or_else(lost)?;
        let (from, to) = (span.start.index, span.end.index);
        if from > to || to > self.cursor.chars.len() {
            return Err(lost());
        }
        Ok(self.cursor.part(from, to, self.place(Some(span), near)))
    }

    fn word(&self, word: &ast::Word, near: Place) -> Lowered<Word> {
        word::word(self.source(word, near)?, self.depth)
    }

    fn words(&self, word: &ast::Word, near: Place) -> Lowered<Vec<Word>> {
        let source = self.source(word, near)?;
        let place = source.place;
        brace::expand(word::word(source, self.depth)?, place)
    }

    fn assignment(&self, word: &ast::Word, near: Place) -> Lowered<Assignment> {
        let mut source = self.source(word, near)?;
        let mut name = String::new();
        while let Some(c) = source.peek().filter(|&c| c != '=') {
            name.push(c);
            source.skip(1);
        }
        source.skip(1);
        let append = name.ends_with('+');
        let name = name.trim_end_matches('+');
        if !is_identifier(name) {
            return Err(near.refused("an array", "use several variables"));
        }
        let rest = source.part(source.at, source.chars.len(), source.place);
        let value = word::value(rest, self.depth)?;
        Ok(Assignment {
            name: name.into(),
            append,
            value,
        })
    }

    fn arithmetic(
        &self,
        expression: Option<&ast::UnexpandedArithmeticExpr>,
        place: Place,
    ) -> Lowered<Word> {
        let chars: Vec<char> = expression
            .map_or("", |e| e.value.as_str())
            .chars()
            .collect();
        // brush-parser keeps no position; that of the command is near.
        word::text(Cursor::new(&chars, place, true), self.depth + 1)
    }

    fn condition(&self, expression: &ast::ExtendedTestExpr, near: Place) -> Lowered<Condition> {
        use ast::ExtendedTestExpr as E;
        Ok(match expression {
            E::And(a, b) => Condition::And(
                Box::new(self.condition(a, near)?),
                Box::new(self.condition(b, near)?),
            ),
            E::Or(a, b) => Condition::Or(
                Box::new(self.condition(a, near)?),
                Box::new(self.condition(b, near)?),
            ),
            E::Not(a) => Condition::Not(Box::new(self.condition(a, near)?)),
            E::Parenthesized(a) => self.condition(a, near)?,
            E::UnaryTest(predicate, word) => {
                let letter = unary(predicate)
                    .ok_or_else(|| near.refused(format!("[[ {predicate} ]]"), ""))?;
                Condition::Unary(letter, self.word(word, near)?)
            }
            E::BinaryTest(predicate, a, b) => {
                let (a, b) = (self.word(a, near)?, self.word(b, near)?);
                use ast::BinaryPredicate as P;
                match predicate {
                    P::StringExactlyMatchesPattern => Condition::Matches(a, b),
                    P::StringDoesNotExactlyMatchPattern => {
                        Condition::Not(Box::new(Condition::Matches(a, b)))
                    }
                    P::LeftSortsBeforeRight => Condition::Before(a, b),
                    P::LeftSortsAfterRight => Condition::After(a, b),
                    P::FilesReferToSameDeviceAndInodeNumbers => Condition::SameFile(a, b),
                    P::ArithmeticEqualTo => Condition::Compare(Comparison::Equal, a, b),
                    P::ArithmeticNotEqualTo => Condition::Compare(Comparison::NotEqual, a, b),
                    P::ArithmeticLessThan => Condition::Compare(Comparison::Less, a, b),
                    P::ArithmeticLessThanOrEqualTo => {
                        Condition::Compare(Comparison::LessEqual, a, b)
                    }
                    P::ArithmeticGreaterThan => Condition::Compare(Comparison::Greater, a, b),
                    P::ArithmeticGreaterThanOrEqualTo => {
                        Condition::Compare(Comparison::GreaterEqual, a, b)
                    }
                    other => return Err(near.refused(format!("[[ {other} ]]"), "")),
                }
            }
        })
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

fn unary(predicate: &ast::UnaryPredicate) -> Option<char> {
    use ast::UnaryPredicate as P;
    Some(match predicate {
        P::FileExists => 'e',
        P::FileExistsAndIsDir => 'd',
        P::FileExistsAndIsRegularFile => 'f',
        P::FileExistsAndIsSymlink => 'L',
        P::FileExistsAndIsReadable => 'r',
        P::FileExistsAndIsWritable => 'w',
        P::FileExistsAndIsExecutable => 'x',
        P::FileExistsAndIsNotZeroLength => 's',
        P::ShellVariableIsSetAndAssigned => 'v',
        P::StringHasZeroLength => 'z',
        P::StringHasNonZeroLength => 'n',
        P::FdIsOpenTerminal => 't',
        _ => return None,
    })
}
