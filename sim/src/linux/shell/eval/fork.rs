//! Where the shell forks: background commands, pipelines, subshells.

use super::super::super::syscall::{OpenFlags, Text, WaitFor};
use super::super::ast::{
    Argument, Block, Chain, Command, CommandKind, Piece, Pipeline, Redirect, RedirectKind, Shared,
};
use super::super::simple::program_label;
use super::super::{Cx, Go, Leave, Shell};
use super::{Frame, Tail};

impl Shell {
    /// `chain &` (POSIX 2.9.3): children, for which nobody waits now.
    pub(super) fn background(&mut self, cx: &mut Cx<'_, '_>, chain: Shared<Chain>) -> Go<()> {
        if chain.rest.is_empty() && chain.first.commands.len() > 1 && !chain.first.negated {
            let children = self.fork_pipeline(cx, &chain.first, true)?;
            self.last_job = children.last().cloned();
            self.jobs.extend(children);
        } else {
            let Some(child) = cx.io.fork("job")? else {
                let frame = match (&chain.first, chain.rest.is_empty()) {
                    (
                        Pipeline {
                            negated: false,
                            commands,
                        },
                        true,
                    ) => {
                        let command = commands[0].clone();
                        self.read_nothing(cx, Some(&command))?;
                        self.keeps_stdin &= !is_subshell(&command);
                        Frame::Command {
                            command,
                            in_place: true,
                        }
                    }
                    _ => {
                        self.read_nothing(cx, None)?;
                        Frame::Chain {
                            chain,
                            next: 0,
                            tail: Tail::No,
                        }
                    }
                };
                self.become_subshell(frame);
                return Err(Leave::Commit);
            };
            self.last_job = Some(child.clone());
            self.jobs.push(child);
        }
        self.status = 0;
        Ok(())
    }

    /// Without job control, a background command reads `/dev/null` (POSIX 2.9.3), if nothing else was said.
    fn read_nothing(&mut self, cx: &mut Cx<'_, '_>, command: Option<&Shared<Command>>) -> Go<()> {
        if self.keeps_stdin || command.is_some_and(|command| redirects_stdin(&command.redirects)) {
            return Ok(());
        }
        if let Ok(fd) = cx.io.open("/dev/null", OpenFlags::READ)?
            && fd != 0
        {
            let _ = cx.io.dup2(fd, 0)?;
            let _ = cx.io.close(fd)?;
        }
        Ok(())
    }

    /// Forks each command of a pipeline, from left to right, as bash does: the pipe to the next one is made just before.
    pub(super) fn fork_pipeline(
        &mut self,
        cx: &mut Cx<'_, '_>,
        pipeline: &Pipeline,
        background: bool,
    ) -> Go<Vec<Text>> {
        let mut children = Vec::new();
        let mut input = None;
        let count = pipeline.commands.len();
        for (number, command) in pipeline.commands.iter().enumerate() {
            let output = if number + 1 < count {
                match cx.io.pipe()? {
                    Ok(ends) => Some(ends),
                    Err(errno) => return self.fatal(cx, &format!("pipe error: {errno}")),
                }
            } else {
                None
            };
            let Some(child) = cx.io.fork(element_label(command))? else {
                if let Some(input) = input {
                    let _ = cx.io.dup2(input, 0)?;
                    let _ = cx.io.close(input)?;
                    self.keeps_stdin = true;
                } else {
                    if background {
                        self.read_nothing(cx, Some(command))?;
                    }
                    self.keeps_stdin &= !is_subshell(command);
                }
                if let Some((read, write)) = output {
                    let _ = cx.io.close(read)?;
                    let _ = cx.io.dup2(write, 1)?;
                    let _ = cx.io.close(write)?;
                }
                self.become_subshell(Frame::Command {
                    command: command.clone(),
                    in_place: true,
                });
                return Err(Leave::Commit);
            };
            children.push(child);
            if let Some(input) = input.take() {
                let _ = cx.io.close(input)?;
            }
            if let Some((read, write)) = output {
                let _ = cx.io.close(write)?;
                input = Some(read);
            }
        }
        Ok(children)
    }

    pub(super) fn subshell(
        &mut self,
        cx: &mut Cx<'_, '_>,
        command: &Shared<Command>,
        block: &Block,
        in_place: bool,
    ) -> Go<()> {
        let child = match in_place {
            true => None,
            false => cx.io.fork("subshell")?,
        };
        let Some(child) = child else {
            if !self.redirect(cx, &command.redirects)? {
                return Ok(cx.io.exit(1)?);
            }
            self.keeps_stdin =
                (in_place && self.keeps_stdin) || redirects_stdin(&command.redirects);
            self.become_subshell(Frame::Block {
                block: block.clone(),
                next: 0,
                tail: Tail::Subshell,
            });
            return Err(Leave::Commit);
        };
        let ended = cx.io.wait(WaitFor::Child(child))?;
        self.ended(ended.map_or(127, |(_, ended)| ended.shell_status()));
        Ok(())
    }
}

fn is_subshell(command: &Command) -> bool {
    matches!(command.kind, CommandKind::Subshell(_))
}

/// Something is said about standard input.
pub(in super::super) fn redirects_stdin(redirects: &[Redirect]) -> bool {
    redirects.iter().any(|redirect| {
        let reads = matches!(
            redirect.kind,
            RedirectKind::Read(_)
                | RedirectKind::ReadWrite(_)
                | RedirectKind::Here(_)
                | RedirectKind::Duplicate(_)
        );
        redirect.fd == 0 && reads
    })
}

/// What an element of a pipeline is called by: its command, if that is a plain word.
fn element_label(command: &Command) -> &str {
    if let CommandKind::Simple { words, .. } = &command.kind
        && let Some(Argument::Word(word)) = words.first()
        && let [Piece::Plain(text) | Piece::Quoted(text)] = word.pieces.as_slice()
    {
        return program_label(text);
    }
    "pipe"
}
