//! Redirections (POSIX 2.7, bash manual 3.6).

use super::super::errno::Errno;
use super::super::syscall::{Fd, OpenFlags};
use super::ast::{Redirect, RedirectKind, Word};
use super::{Cx, Go, Shell};

/// A descriptor that was redirected for one command: where its old meaning is, if it had one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct SavedFd {
    fd: Fd,
    copy: Option<Fd>,
}

/// How many bytes of a here-document go through a pipe (bash 5.2, `here_document_to_fd`; longer ones use a file).
const MAX_HERE: usize = 65_536;

impl Shell {
    /// Redirects for good: in a child, or for `exec`. False if something failed, which was said.
    pub(super) fn redirect(&mut self, cx: &mut Cx<'_, '_>, redirects: &[Redirect]) -> Go<bool> {
        for redirect in redirects {
            if !self.one(cx, redirect)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Redirects for one command. `None` if something failed, which was said and undone.
    pub(super) fn redirect_and_save(
        &mut self,
        cx: &mut Cx<'_, '_>,
        redirects: &[Redirect],
    ) -> Go<Option<Vec<SavedFd>>> {
        let mut saved: Vec<SavedFd> = Vec::new();
        for redirect in redirects {
            let fd = redirect.fd;
            if !saved.iter().any(|old| old.fd == fd) {
                saved.push(SavedFd {
                    fd,
                    copy: cx.io.save(fd)?.ok(),
                });
            }
            if !self.one(cx, redirect)? {
                self.restore_descriptors(cx, &saved)?;
                return Ok(None);
            }
        }
        Ok(Some(saved))
    }

    pub(super) fn restore_descriptors(&mut self, cx: &mut Cx<'_, '_>, saved: &[SavedFd]) -> Go<()> {
        for SavedFd { fd, copy } in saved.iter().rev() {
            match copy {
                Some(copy) => {
                    let _ = cx.io.dup2(*copy, *fd)?;
                    let _ = cx.io.close(*copy)?;
                }
                None => drop(cx.io.close(*fd)?),
            }
        }
        Ok(())
    }

    fn one(&mut self, cx: &mut Cx<'_, '_>, redirect: &Redirect) -> Go<bool> {
        let (word, flags) = match &redirect.kind {
            RedirectKind::Read(word) => (word, OpenFlags::READ),
            RedirectKind::Write(word) => (word, OpenFlags::WRITE),
            RedirectKind::Append(word) => (word, OpenFlags::APPEND),
            RedirectKind::ReadWrite(word) => (word, OpenFlags::READ_WRITE),
            RedirectKind::Duplicate(word) => return self.duplicate(cx, redirect.fd, word),
            RedirectKind::Here(word) => return self.here(cx, redirect.fd, word),
        };
        let mut fields = Vec::new();
        self.fields(cx, word, &mut fields)?;
        let [path] = fields.as_slice() else {
            return self.failed(cx, "ambiguous redirect");
        };
        match cx.io.open(path, flags)? {
            Ok(fd) => self.move_to(cx, fd, redirect.fd),
            Err(errno) => self.failed(cx, &format!("{path}: {errno}")),
        }
    }

    fn move_to(&mut self, cx: &mut Cx<'_, '_>, from: Fd, to: Fd) -> Go<bool> {
        if from != to {
            let _ = cx.io.dup2(from, to)?;
            let _ = cx.io.close(from)?;
        }
        Ok(true)
    }

    fn duplicate(&mut self, cx: &mut Cx<'_, '_>, fd: Fd, word: &Word) -> Go<bool> {
        let text = self.single(cx, word)?;
        if &*text == "-" {
            let _ = cx.io.close(fd)?;
            return Ok(true);
        }
        let Ok(from) = text.parse::<Fd>() else {
            return self.refuse(cx, ">& with a file name", "write > file 2>&1");
        };
        match cx.io.dup2(from, fd)? {
            Ok(()) => Ok(true),
            Err(errno) => self.failed(cx, &format!("{from}: {errno}")),
        }
    }

    /// A here-document: a pipe that holds all of it.
    fn here(&mut self, cx: &mut Cx<'_, '_>, fd: Fd, word: &Word) -> Go<bool> {
        let quoted = Word {
            pieces: vec![super::ast::Piece::Double(word.pieces.clone())],
        };
        let text = self.single(cx, &quoted)?;
        if text.len() > MAX_HERE {
            return self.refuse(cx, "a here-document of more than 64 KiB", "use a file");
        }
        let (read, write) = match cx.io.pipe()? {
            Ok(ends) => ends,
            Err(errno) => return self.failed(cx, &format!("cannot create temp file: {errno}")),
        };
        let _: Result<(), Errno> = cx.io.write(write, text.as_bytes())?;
        let _ = cx.io.close(write)?;
        self.move_to(cx, read, fd)
    }

    fn failed(&mut self, cx: &mut Cx<'_, '_>, message: &str) -> Go<bool> {
        self.complain(cx, message)?;
        Ok(false)
    }
}
