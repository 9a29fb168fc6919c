//! Commands as they run: one after the other, in pipes, with their redirections.

use crate::win7::cmd::handles::Handle;
use crate::win7::cmd::kernel::{Opening, SpawnRequest};
use crate::win7::cmd::messages::Message;
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::units;
use crate::win7::text::Wide;

use super::ast::{Command, Kind, Node, Operator, Redirection, Target};
use super::text::For;
use super::{Flow, Shell, internal};

impl Shell {
    /// Runs commands.
    pub(super) fn exec(&mut self, sys: &mut Sys<'_>, node: &Node) -> Asked<Flow> {
        let mut node = node;
        loop {
            let (operator, left, right) = match node {
                Node::Command(command) => return self.exec_command(sys, command),
                Node::Two(operator, left, right) => (operator, left, right),
            };
            if *operator == Operator::Pipe {
                return self.exec_pipe(sys, left, right);
            }
            let is_last = std::mem::replace(&mut self.is_last, false);
            self.stack += 1;
            let flow = self.exec(sys, left)?;
            self.stack -= 1;
            self.is_last = is_last;
            let goes_on = match operator {
                Operator::And => self.code == 0,
                Operator::Or => self.code != 0,
                _ => true,
            };
            if flow != Flow::Next || !goes_on {
                return Ok(flow);
            }
            if *operator == Operator::Or {
                // Failures that keep ERRORLEVEL reach it here.
                self.errorlevel = self.code;
            }
            node = right;
        }
    }

    fn exec_command(&mut self, sys: &mut Sys<'_>, command: &Command) -> Asked<Flow> {
        self.tick(sys)?;
        let mut saved = Vec::new();
        for redirection in &command.redirections {
            match self.redirect(sys, redirection)? {
                Some(old) => saved.push((redirection.handle, old)),
                None => {
                    restore(sys, saved)?;
                    // ERRORLEVEL stays, unless `||` looks at it.
                    self.code = 1;
                    return Ok(Flow::Next);
                }
            }
        }
        // There is something to do behind it.
        if !command.redirections.is_empty() || matches!(command.kind, Kind::For(_)) {
            self.is_last = false;
        }
        let stack = self.stack;
        self.stack += usize::from(!matches!(command.kind, Kind::Simple { .. }));
        let flow = match &command.kind {
            Kind::Simple { name, tail } => self.exec_simple(sys, name, tail),
            Kind::Block(inside) => self.exec(sys, inside),
            Kind::If(read) => self.exec_if(sys, read),
            Kind::For(read) => self.exec_for(sys, read),
        }?;
        self.stack = stack;
        restore(sys, saved)?;
        Ok(flow)
    }

    /// Redirects a handle: what it led to before, or nothing if that failed.
    fn redirect(&mut self, sys: &mut Sys<'_>, redirection: &Redirection) -> Asked<Option<Handle>> {
        let number = redirection.handle;
        let old = sys.local.handles.get(number);
        let (name, how) = match &redirection.to {
            Target::Copy(from) => {
                let from = sys.local.handles.get(*from);
                if from == Handle::Closed {
                    sys.complain(&DUPLICATE, &[])?;
                    return Ok(None);
                }
                sys.copy_handle(from)?;
                sys.local.handles.set(number, from);
                return Ok(Some(old));
            }
            Target::Read(name) => (name, Opening::Read),
            Target::Replace(name) => (name, Opening::Replace),
            Target::Append(name) => (name, Opening::Append),
        };
        let name = self.expand_late(sys, name)?;
        let name: Vec<u16> = name.into_iter().filter(|unit| *unit != 0x22).collect();
        match sys.open_handle(&name, how)? {
            Ok(new) => {
                sys.local.handles.set(number, new);
                Ok(Some(old))
            }
            Err(error) => {
                let text = sys.system_text(error.code);
                sys.error(&text)?;
                Ok(None)
            }
        }
    }

    /// A command by its name.
    pub(super) fn exec_simple(
        &mut self,
        sys: &mut Sys<'_>,
        name: &[u16],
        tail: &[u16],
    ) -> Asked<Flow> {
        let name = self.expand_late(sys, name)?;
        let tail = self.expand_late(sys, tail)?;
        if name.is_empty() && tail.iter().all(|unit| *unit == 0x20) {
            return self.quiet();
        }
        sys.note_command(&name, &tail)?;
        if let Some(drive) = drive_of(&name) {
            return self.change_drive(sys, drive);
        }
        if name.first() == Some(&(b':' as u16)) {
            // A label that is carried out does nothing.
            return self.quiet();
        }
        if let Some((command, glued)) = internal::named(&name)
            && !self.is_file_instead(sys, &name, glued)?
        {
            let tail = [&name[glued..], &tail[..]].concat();
            return command(self, sys, &tail);
        }
        self.exec_external(sys, &name, &tail, false)
    }

    /// Whether a name such as `echo.bat` is that of a file that can be run: then it is no command of cmd's own.
    fn is_file_instead(&self, sys: &mut Sys<'_>, name: &[u16], glued: usize) -> Asked<bool> {
        let extension = super::expand::utf8(&name[glued..]).to_ascii_lowercase();
        match matches!(&*extension, ".bat" | ".cmd" | ".exe" | ".com") {
            true => Ok(super::external::find(self, sys, name, true)?.is_some()),
            false => Ok(false),
        }
    }

    /// Both sides of a pipe run at the same time, as children. Where one is no program, all batch files end.
    fn exec_pipe(&mut self, sys: &mut Sys<'_>, left: &Node, right: &Node) -> Asked<Flow> {
        let (Some(left), Some(right)) = (self.side(sys, left)?, self.side(sys, right)?) else {
            self.fail(255)?;
            return Ok(Flow::Abort);
        };
        let (read, write) = sys.pipe()?;
        let mut handles = sys.local.handles.clone();
        handles.set(1, write);
        let one = sys.spawn(SpawnRequest {
            handles: Some(handles),
            ..left
        })?;
        sys.close_handle(write)?;
        let mut handles = sys.local.handles.clone();
        handles.set(0, read);
        let other = sys.spawn(SpawnRequest {
            handles: Some(handles),
            ..right
        })?;
        sys.close_handle(read)?;
        let mut code = 1;
        if let Ok(child) = other {
            code = sys.wait(child)? as i32;
        }
        if let Ok(child) = one {
            sys.wait(child)?;
        }
        // What a pipe leaves is what its last command left.
        self.code = code;
        self.errorlevel = code;
        Ok(Flow::Next)
    }

    /// The child that runs a side of a pipe: a program itself, or cmd.exe for all else, which reads the text anew.
    /// Nothing, and a complaint, where there is no such program.
    fn side(&mut self, sys: &mut Sys<'_>, node: &Node) -> Asked<Option<SpawnRequest>> {
        if let Node::Command(command) = node
            && let Kind::Simple { name, tail } = &command.kind
        {
            let name = self.expand_late(sys, name)?;
            let tail = self.expand_late(sys, tail)?;
            if command.redirections.is_empty()
                && !name.is_empty()
                && drive_of(&name).is_none()
                && internal::named(&name).is_none()
            {
                match super::external::find(self, sys, &name, false)? {
                    Some(image) if super::external::is_program(&image) => {
                        return Ok(Some(SpawnRequest::new(&*image, tail.as_slice())));
                    }
                    Some(_) => {}
                    // The child finds out where such a name ends, and passes over labels.
                    None if name.contains(&(b'/' as u16)) || name.contains(&(b'(' as u16)) => {}
                    None if name.first() == Some(&(b':' as u16)) => {}
                    None => {
                        self.not_found(sys, &name, false)?;
                        return Ok(None);
                    }
                }
            }
            let expanded = Command {
                quiet: command.quiet,
                kind: Kind::Simple { name, tail },
                redirections: command.redirections.clone(),
            };
            let node = Node::Command(expanded.into());
            return self.child(sys, &node).map(Some);
        }
        self.child(sys, node).map(Some)
    }

    fn child(&mut self, sys: &mut Sys<'_>, node: &Node) -> Asked<SpawnRequest> {
        let text = self.text_of(sys, node, For::Child)?;
        let tail = [units("  /S /D /c\" "), text, units("\"")].concat();
        Ok(SpawnRequest::new(comspec(sys), tail.as_slice()))
    }

    /// Runs a text in a child cmd.exe and gives what it writes to its output: `for /f`.
    pub(super) fn output_of(&mut self, sys: &mut Sys<'_>, text: &[u16]) -> Asked<Vec<u8>> {
        let (read, write) = sys.pipe()?;
        let mut handles = sys.local.handles.clone();
        handles.set(1, write);
        let tail = [&units(" /c ")[..], text].concat();
        let request = SpawnRequest {
            handles: Some(handles),
            ..SpawnRequest::new(comspec(sys), tail.as_slice())
        };
        let child = sys.spawn(request)?;
        sys.close_handle(write)?;
        let old = sys.local.handles.get(9);
        sys.local.handles.set(9, read);
        let all = sys.read_all(9)?;
        sys.local.handles.set(9, old);
        sys.close_handle(read)?;
        if let Ok(child) = child {
            sys.wait(child)?;
        }
        Ok(all.unwrap_or_default())
    }
}

/// The drive that a command is: two signs, the second a colon.
pub(super) fn drive_of(name: &[u16]) -> Option<u16> {
    match name {
        [drive, colon] if *colon == b':' as u16 && *drive != 0x22 => Some(*drive),
        _ => None,
    }
}

/// Where cmd.exe is, as its children find it.
pub(super) fn comspec(sys: &Sys<'_>) -> Wide {
    let own = sys.variable("ComSpec");
    own.unwrap_or_else(|| crate::win7::cmd::kernel::COMSPEC.into())
}

fn restore(sys: &mut Sys<'_>, saved: Vec<(usize, Handle)>) -> Asked<()> {
    for (number, old) in saved.into_iter().rev() {
        let new = sys.local.handles.get(number);
        sys.close_handle(new)?;
        sys.local.handles.set(number, old);
    }
    Ok(())
}

const DUPLICATE: Message = Message {
    en: "The handle could not be duplicated\r\nduring redirection of handle 1.\r\n",
    zh: "在重定向句柄 1 期间，无法复制\r\n该句柄。\r\n",
};
