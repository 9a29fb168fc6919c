//! The shell's stack: which commands are under way, and what comes next.

mod fork;

use std::sync::Arc;

use super::super::syscall::{Text, WaitFor};
use super::ast::{Block, CaseEnd, Chain, Command, CommandKind, Connector, Shared};
use super::pattern::Pattern;
use super::redirect::SavedFd;
use super::start::Startup;
use super::variables::Saved;
use super::{Cx, Go, Shell};

pub(super) use fork::redirects_stdin;

/// One level of the stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Frame {
    /// The program begins: arguments, environment.
    Start,
    /// What a shell reads at its beginning.
    Startup(Startup),
    /// Commands, of which `next` comes next.
    Block { block: Block, next: u32, tail: Tail },
    /// Pipelines, of which `next` comes next.
    Chain {
        chain: Shared<Chain>,
        next: u32,
        tail: Tail,
    },
    /// The status is to be turned round.
    Negate,
    /// A command. `in_place`: this process exists for it alone.
    Command {
        command: Shared<Command>,
        in_place: bool,
    },
    /// The condition of this arm is under way.
    If { command: Shared<Command>, arm: u32 },
    /// Condition or body is under way; `status` is that of the last body.
    Loop {
        command: Shared<Command>,
        in_condition: bool,
        status: u8,
    },
    /// Values still to go through.
    For {
        command: Shared<Command>,
        values: Arc<[Text]>,
        next: u32,
    },
    /// A body is under way.
    ForArithmetic { command: Shared<Command> },
    /// Branches still to be compared; `taken`: the next one without comparing.
    Case {
        command: Shared<Command>,
        word: Text,
        next: u32,
        taken: bool,
    },
    /// A function: what is put back when it ends.
    Call {
        positional: Arc<[Text]>,
        locals: Vec<Saved>,
    },
    /// Variables that were set for a `source` or `eval`: what is put back after it.
    Variables(Vec<Saved>),
    /// A sourced file.
    Sourced { positional: Option<Arc<[Text]>> },
    /// Descriptors to put back.
    Restore {
        saved: Vec<SavedFd>,
        keeps_stdin: bool,
    },
}

/// May the last command take the process over, without a fork? (bash 5.2: `optimize_subshell_command` and
/// `CMD_NO_FORK`; checked against bash by the parent each command sees.)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Tail {
    /// No: the shell is still needed.
    No,
    /// A simple command without redirections may: in `$( )` and `-c`.
    Plain,
    /// As before, and the only command of `( )` may with redirections too, or be another `( )`.
    Subshell,
}

/// Leaving commands that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Unwind {
    /// `break n`.
    Break(u32),
    /// `continue n`.
    Continue(u32),
    /// `return`.
    Return,
    /// The rest of the command that was read at once.
    Discard,
    /// `exit`.
    Exit,
}

impl Shell {
    /// One step.
    pub(super) fn step(&mut self, cx: &mut Cx<'_, '_>) -> Go<()> {
        if let Some(unwind) = self.unwind {
            return self.unwind(cx, unwind);
        }
        let Some(frame) = self.frames.pop() else {
            return Ok(cx.io.exit(self.status)?);
        };
        match frame {
            Frame::Start => self.start(cx),
            Frame::Startup(startup) => self.startup(cx, startup),
            Frame::Block { block, next, tail } => self.block(cx, block, next, tail),
            Frame::Chain { chain, next, tail } => self.chain(cx, chain, next, tail),
            Frame::Negate => {
                self.status = u8::from(self.status == 0);
                Ok(())
            }
            Frame::Command { command, in_place } => self.command(cx, &command, in_place),
            Frame::If { command, arm } => self.decide(&command, arm),
            Frame::Loop {
                command,
                in_condition,
                status,
            } => self.go_round(command, in_condition, status),
            Frame::For {
                command,
                values,
                next,
            } => self.next_value(cx, command, values, next),
            Frame::ForArithmetic { command } => self.next_round(cx, command),
            Frame::Case {
                command,
                word,
                next,
                taken,
            } => self.compare(cx, command, word, next, taken),
            Frame::Call { positional, locals } => {
                self.positional = positional;
                self.restore(cx.memory, &locals);
                Ok(())
            }
            Frame::Variables(saved) => {
                self.restore(cx.memory, &saved);
                Ok(())
            }
            Frame::Sourced { positional } => {
                if let Some(positional) = positional {
                    self.positional = positional;
                }
                Ok(())
            }
            Frame::Restore { saved, keeps_stdin } => {
                self.keeps_stdin = keeps_stdin;
                self.restore_descriptors(cx, &saved)
            }
        }
    }

    /// `-e` does not apply here (bash manual, `set -e`).
    pub(super) fn ignores_errors(&self) -> bool {
        self.ignores_errors
            || self.frames.iter().any(|frame| match frame {
                Frame::If { .. } | Frame::Negate => true,
                Frame::Loop { in_condition, .. } => *in_condition,
                Frame::Chain { chain, next, .. } => *next as usize <= chain.rest.len(),
                _ => false,
            })
    }

    /// A command that `-e` looks at has ended.
    pub(super) fn ended(&mut self, status: u8) {
        self.status = status;
        if status != 0 && self.options.errexit && !self.ignores_errors() {
            self.unwind = Some(Unwind::Exit);
        }
    }

    fn unwind(&mut self, cx: &mut Cx<'_, '_>, unwind: Unwind) -> Go<()> {
        if unwind == Unwind::Exit {
            return Ok(cx.io.exit(self.status)?);
        }
        let Some(frame) = self.frames.pop() else {
            self.unwind = None;
            return Ok(());
        };
        match (frame, unwind) {
            (Frame::Restore { saved, keeps_stdin }, _) => {
                self.keeps_stdin = keeps_stdin;
                return self.restore_descriptors(cx, &saved);
            }
            (frame @ Frame::Startup(_), Unwind::Discard) => {
                self.frames.push(frame);
                self.unwind = None;
            }
            (Frame::Call { positional, locals }, _) => {
                self.positional = positional;
                self.restore(cx.memory, &locals);
                if unwind == Unwind::Return {
                    self.unwind = None;
                }
            }
            (Frame::Variables(saved), _) => self.restore(cx.memory, &saved),
            (Frame::Sourced { positional }, _) => {
                if let Some(positional) = positional {
                    self.positional = positional;
                }
                if unwind == Unwind::Return {
                    self.unwind = None;
                }
            }
            (
                frame @ (Frame::Loop { .. } | Frame::For { .. } | Frame::ForArithmetic { .. }),
                Unwind::Break(levels) | Unwind::Continue(levels),
            ) => {
                let again = matches!(unwind, Unwind::Continue(_));
                if levels > 1 {
                    let rest = levels - 1;
                    self.unwind = Some(if again {
                        Unwind::Continue(rest)
                    } else {
                        Unwind::Break(rest)
                    });
                } else {
                    self.unwind = None;
                    if again {
                        self.frames.push(frame);
                    }
                }
            }
            // At the bottom: the script itself. The rest of what was read with the failed command is skipped.
            (Frame::Block { block, next, tail }, Unwind::Discard) if self.frames.is_empty() => {
                let done = block.get(next as usize - 1).map(|item| item.group);
                let skipped = block[next as usize..]
                    .iter()
                    .take_while(|item| Some(item.group) == done);
                let next = next + skipped.count() as u32;
                self.frames.push(Frame::Block { block, next, tail });
                self.unwind = None;
            }
            _ => {}
        }
        Ok(())
    }

    fn block(&mut self, cx: &mut Cx<'_, '_>, block: Block, next: u32, tail: Tail) -> Go<()> {
        let Some(item) = block.get(next as usize) else {
            return Ok(());
        };
        let (chain, background) = (item.chain.clone(), item.background);
        let is_last = next as usize + 1 == block.len();
        let after_background = next > 0 && block[next as usize - 1].background;
        let only_one = block.len() == 1;
        self.frames.push(Frame::Block {
            block,
            next: next + 1,
            tail,
        });
        if background {
            return self.background(cx, chain);
        }
        if let ([command], true, true, false, Tail::Subshell) = (
            chain.first.commands.as_slice(),
            only_one,
            chain.rest.is_empty(),
            chain.first.negated,
            tail,
        ) && matches!(
            command.kind,
            CommandKind::Simple { .. } | CommandKind::Subshell(_)
        ) {
            let command = command.clone();
            self.keeps_stdin = false;
            self.frames.push(Frame::Command {
                command,
                in_place: true,
            });
            return Ok(());
        }
        let tail = if is_last && !after_background {
            tail
        } else {
            Tail::No
        };
        self.frames.push(Frame::Chain {
            chain,
            next: 0,
            tail,
        });
        Ok(())
    }

    fn chain(
        &mut self,
        cx: &mut Cx<'_, '_>,
        chain: Shared<Chain>,
        next: u32,
        tail: Tail,
    ) -> Go<()> {
        let at = next as usize;
        let pipeline = if at == 0 {
            &chain.first
        } else {
            let Some((connector, pipeline)) = chain.rest.get(at - 1) else {
                return Ok(());
            };
            let wanted = match connector {
                Connector::And => self.status == 0,
                Connector::Or => self.status != 0,
            };
            if !wanted {
                self.frames.push(Frame::Chain {
                    chain,
                    next: next + 1,
                    tail,
                });
                return Ok(());
            }
            pipeline
        };
        let is_last = at == chain.rest.len();
        self.frames.push(Frame::Chain {
            chain: chain.clone(),
            next: next + 1,
            tail,
        });
        if pipeline.negated {
            self.frames.push(Frame::Negate);
        }
        if let [command] = pipeline.commands.as_slice() {
            let simple = matches!(command.kind, CommandKind::Simple { .. });
            let in_place = tail != Tail::No
                && is_last
                && simple
                && !pipeline.negated
                && command.redirects.is_empty();
            self.frames.push(Frame::Command {
                command: command.clone(),
                in_place,
            });
            return Ok(());
        }
        let children = self.fork_pipeline(cx, pipeline, false)?;
        let mut status = 0;
        for child in children {
            let ended = cx.io.wait(WaitFor::Child(child))?;
            let one = ended.map_or(127, |(_, ended)| ended.shell_status());
            status = if self.options.pipefail && one == 0 {
                status
            } else {
                one
            };
        }
        self.ended(status);
        Ok(())
    }

    fn command(
        &mut self,
        cx: &mut Cx<'_, '_>,
        command: &Shared<Command>,
        in_place: bool,
    ) -> Go<()> {
        self.line = command.line;
        match &command.kind {
            CommandKind::Simple { assignments, words } => {
                return self.simple(cx, assignments, words, &command.redirects, in_place);
            }
            CommandKind::Subshell(block) => return self.subshell(cx, command, block, in_place),
            _ => {}
        }
        if !command.redirects.is_empty() {
            let Some(saved) = self.redirect_and_save(cx, &command.redirects)? else {
                self.ended(1);
                return Ok(());
            };
            self.frames.push(Frame::Restore {
                saved,
                keeps_stdin: self.keeps_stdin,
            });
            // In a process of its own, the redirection is no longer seen as that of the compound command.
            self.keeps_stdin |= !in_place && redirects_stdin(&command.redirects);
        }
        match &command.kind {
            CommandKind::Simple { .. } | CommandKind::Subshell(_) => {}
            CommandKind::Group(block) => self.push_block(block),
            CommandKind::If { arms, .. } => {
                self.frames.push(Frame::If {
                    command: command.clone(),
                    arm: 0,
                });
                self.push_block(&arms[0].0);
            }
            CommandKind::Loop { condition, .. } => {
                let command = command.clone();
                self.frames.push(Frame::Loop {
                    command,
                    in_condition: true,
                    status: 0,
                });
                self.push_block(condition);
            }
            CommandKind::For { words, .. } => {
                let values = match words {
                    None => self.positional.clone(),
                    Some(words) => {
                        let mut values = Vec::new();
                        for word in words {
                            self.fields(cx, word, &mut values)?;
                        }
                        values.into()
                    }
                };
                self.status = 0;
                self.frames.push(Frame::For {
                    command: command.clone(),
                    values,
                    next: 0,
                });
            }
            CommandKind::ForArithmetic { start, .. } => {
                self.arithmetic(cx, start)?;
                self.status = 0;
                self.round(cx, command.clone())?;
            }
            CommandKind::Case { word, .. } => {
                let word = self.single(cx, word)?;
                self.status = 0;
                let command = command.clone();
                self.frames.push(Frame::Case {
                    command,
                    word,
                    next: 0,
                    taken: false,
                });
            }
            CommandKind::Arithmetic(word) => {
                let value = self.arithmetic(cx, word)?;
                self.ended(u8::from(value == 0));
            }
            CommandKind::Condition(condition) => {
                let holds = self.condition(cx, condition)?;
                self.ended(u8::from(!holds));
            }
            CommandKind::Function { name, body } => {
                Arc::make_mut(&mut self.functions).insert(name.clone(), body.clone());
                self.status = 0;
            }
        }
        Ok(())
    }

    fn push_block(&mut self, block: &Block) {
        self.frames.push(Frame::Block {
            block: block.clone(),
            next: 0,
            tail: Tail::No,
        });
    }

    fn decide(&mut self, command: &Shared<Command>, arm: u32) -> Go<()> {
        let CommandKind::If { arms, otherwise } = &command.kind else {
            return Ok(());
        };
        let next = arm as usize + 1;
        if self.status == 0 {
            self.push_block(&arms[arm as usize].1);
        } else if let Some((condition, _)) = arms.get(next) {
            self.frames.push(Frame::If {
                command: command.clone(),
                arm: arm + 1,
            });
            self.push_block(condition);
        } else {
            self.status = 0;
            if let Some(otherwise) = otherwise {
                self.push_block(otherwise);
            }
        }
        Ok(())
    }

    fn go_round(&mut self, command: Shared<Command>, in_condition: bool, status: u8) -> Go<()> {
        let CommandKind::Loop {
            until,
            condition,
            body,
        } = &command.kind
        else {
            return Ok(());
        };
        let (condition, body) = (condition.clone(), body.clone());
        if !in_condition {
            let status = self.status;
            self.frames.push(Frame::Loop {
                command,
                in_condition: true,
                status,
            });
            self.push_block(&condition);
        } else if (self.status == 0) != *until {
            self.frames.push(Frame::Loop {
                command,
                in_condition: false,
                status,
            });
            self.push_block(&body);
        } else {
            self.status = status;
        }
        Ok(())
    }

    fn next_value(
        &mut self,
        cx: &mut Cx<'_, '_>,
        command: Shared<Command>,
        values: Arc<[Text]>,
        next: u32,
    ) -> Go<()> {
        let CommandKind::For { name, body, .. } = &command.kind else {
            return Ok(());
        };
        let Some(value) = values.get(next as usize).cloned() else {
            return Ok(());
        };
        self.set(cx.memory, name, value);
        let body = body.clone();
        self.frames.push(Frame::For {
            command,
            values,
            next: next + 1,
        });
        self.push_block(&body);
        Ok(())
    }

    /// After a body of `for ((…))`.
    fn next_round(&mut self, cx: &mut Cx<'_, '_>, command: Shared<Command>) -> Go<()> {
        let CommandKind::ForArithmetic { step, .. } = &command.kind else {
            return Ok(());
        };
        self.arithmetic(cx, step)?;
        self.round(cx, command)
    }

    fn round(&mut self, cx: &mut Cx<'_, '_>, command: Shared<Command>) -> Go<()> {
        let CommandKind::ForArithmetic {
            condition, body, ..
        } = &command.kind
        else {
            return Ok(());
        };
        let empty = condition.pieces.is_empty();
        if empty || self.arithmetic(cx, condition)? != 0 {
            let body = body.clone();
            self.frames.push(Frame::ForArithmetic { command });
            self.push_block(&body);
        }
        Ok(())
    }

    fn compare(
        &mut self,
        cx: &mut Cx<'_, '_>,
        command: Shared<Command>,
        word: Text,
        next: u32,
        taken: bool,
    ) -> Go<()> {
        let CommandKind::Case { arms, .. } = &command.kind else {
            return Ok(());
        };
        let chars: Vec<char> = word.chars().collect();
        for (number, arm) in arms.iter().enumerate().skip(next as usize) {
            let mut matches = taken;
            for pattern in &arm.patterns {
                if matches {
                    break;
                }
                matches = Pattern::new(&self.marked(cx, pattern)?).matches(&chars);
            }
            if !matches {
                continue;
            }
            let body = arm.body.clone();
            let next = number as u32 + 1;
            let taken = match arm.end {
                CaseEnd::Stop => None,
                CaseEnd::FallThrough => Some(true),
                CaseEnd::Continue => Some(false),
            };
            if let Some(taken) = taken {
                let command = command.clone();
                self.frames.push(Frame::Case {
                    command,
                    word,
                    next,
                    taken,
                });
            }
            if let Some(body) = body {
                self.push_block(&body);
            }
            return Ok(());
        }
        Ok(())
    }
}
