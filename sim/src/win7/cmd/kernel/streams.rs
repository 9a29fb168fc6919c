//! What handles lead to: consoles with their code page, open files, pipes.

use std::sync::Arc;

use crate::win7::files::{Actor, CreateDisposition, FileHandle, OpenRequest, Share};
use crate::win7::registry::error::Win32;
use crate::win7::security::mask::{GENERIC_READ, GENERIC_WRITE};
use crate::win7::text::{CodePage, Wide};

use super::Kernel;
use super::album::Thing;
use super::process::On;
use crate::win7::cmd::handles::{Handle, OpenId, PipeId};
use crate::win7::cmd::record::Record;
use crate::win7::cmd::sys::{About, Local, OnFile};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Open {
    pub(super) handle: FileHandle,
    pub(super) at: usize,
    pub(super) holders: u32,
    pub(super) path: Arc<str>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Pipe {
    pub(super) data: Vec<u8>,
    pub(super) readers: u32,
    pub(super) writers: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Console {
    pub(super) page: u32,
    /// What somebody types, and how much of it was taken.
    pub(super) input: Arc<[u8]>,
    pub(super) taken: usize,
}

/// How a file is opened for a handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opening {
    /// `<`
    Read,
    /// `>`
    Replace,
    /// `>>`
    Append,
}

const INVALID_HANDLE: Win32 = Win32 {
    code: 6,
    name: "ERROR_INVALID_HANDLE",
};

impl Kernel<'_> {
    // --- consoles and text ---------------------------------------------------------------------------------------

    fn page_of(&self, about: &About) -> CodePage {
        let number = self.code_page(about);
        let pages = self.machine.code_pages();
        pages.page(number).unwrap_or_else(|_| pages.oem())
    }

    pub(in crate::win7::cmd) fn code_page(&self, about: &About) -> u32 {
        self.lab.consoles[about.console as usize].page
    }

    pub(in crate::win7::cmd) fn set_code_page(
        &mut self,
        about: &About,
        number: u32,
    ) -> Result<(), Win32> {
        const INVALID: Win32 = Win32 {
            code: 87,
            name: "ERROR_INVALID_PARAMETER",
        };
        let pages = self.machine.code_pages();
        let page = pages.page(number).map_err(|_| INVALID)?;
        // One of two-byte characters has to be the system's own.
        if page == CodePage::Cp936 && pages.oem() != page {
            return Err(INVALID);
        }
        self.lab.consoles[about.console as usize].page = number;
        Ok(())
    }

    pub(in crate::win7::cmd) fn decode(&self, page: u32, bytes: &[u8]) -> Wide {
        let pages = self.machine.code_pages();
        pages
            .page(page)
            .unwrap_or_else(|_| pages.oem())
            .decode(bytes)
    }

    pub(in crate::win7::cmd) fn encode(&self, about: &About, text: &[u16]) -> Vec<u8> {
        if text.iter().all(|unit| *unit < 0x80) {
            return text.iter().map(|unit| *unit as u8).collect();
        }
        self.page_of(about).encode(text)
    }

    pub(in crate::win7::cmd) fn write_text(
        &mut self,
        about: &About,
        handle: Handle,
        text: &[u16],
    ) -> Result<(), Win32> {
        if matches!(handle, Handle::Console | Handle::ConsoleErrors) {
            return self.show(handle, &String::from_utf16_lossy(text));
        }
        let bytes = self.encode(about, text);
        self.write_bytes(about, handle, &bytes)
    }

    fn show(&mut self, handle: Handle, text: &str) -> Result<(), Win32> {
        let stream = match handle {
            Handle::ConsoleErrors => "stderr",
            _ => "stdout",
        };
        let text = text.into();
        self.record(Record::Output { stream, text });
        Ok(())
    }

    pub(in crate::win7::cmd) fn write_bytes(
        &mut self,
        about: &About,
        handle: Handle,
        bytes: &[u8],
    ) -> Result<(), Win32> {
        match handle {
            Handle::Nul => Ok(()),
            Handle::Console | Handle::ConsoleErrors => {
                let text = match bytes.is_ascii() {
                    true => String::from_utf8_lossy(bytes).into_owned(),
                    false => self.page_of(about).decode(bytes).to_utf8_lossy(),
                };
                self.show(handle, &text)
            }
            Handle::File(file) => self.write_file_at(file, bytes),
            Handle::PipeWrite(id) => {
                let pipe = self.lab.pipes.get_mut(&id).ok_or(INVALID_HANDLE)?;
                if pipe.readers == 0 {
                    return Err(Win32 {
                        code: 232,
                        name: "ERROR_NO_DATA",
                    });
                }
                pipe.data.extend_from_slice(bytes);
                self.lab.wake(On::Pipe(id));
                Ok(())
            }
            Handle::Closed | Handle::PipeRead(_) => Err(INVALID_HANDLE),
        }
    }

    // --- open files ----------------------------------------------------------------------------------------------

    pub(in crate::win7::cmd) fn path_of(&self, file: OpenId) -> String {
        let open = self.lab.opens.get(&file);
        open.map_or_else(String::new, |open| open.path.to_string())
    }

    pub(in crate::win7::cmd) fn write_file_at(
        &mut self,
        file: OpenId,
        bytes: &[u8],
    ) -> Result<(), Win32> {
        let open = self.lab.opens.get(&file).ok_or(INVALID_HANDLE)?.clone();
        let things = || vec![Thing::File(open.path.clone())];
        let written = self.operation("write", &open.path, things, |kernel| {
            if let Some(error) = kernel.strike_file(OnFile::Writes) {
                return Err(error);
            }
            let files = &mut kernel.machine.files;
            let written = files.write(open.handle, open.at, bytes);
            written.map_err(Win32::from)
        });
        if written.is_ok()
            && let Some(open) = self.lab.opens.get_mut(&file)
        {
            open.at += bytes.len();
        }
        written
    }

    pub(in crate::win7::cmd) fn read_file_on(&mut self, file: OpenId) -> Result<Arc<[u8]>, Win32> {
        let open = self.lab.opens.get_mut(&file).ok_or(INVALID_HANDLE)?;
        let content = self.machine.files.read(open.handle).map_err(Win32::from)?;
        let from = open.at.min(content.len());
        open.at = content.len();
        Ok(content[from..].into())
    }

    /// Opens a file for a handle of this process. Writing shares reading alone, as cmd's redirections do.
    pub fn open(
        &mut self,
        about: &About,
        local: &Local,
        path: &[u16],
        how: Opening,
    ) -> Result<Handle, Win32> {
        let shown = String::from_utf16_lossy(path);
        let what: Arc<str> = shown.as_str().into();
        let verb = match how {
            Opening::Read => "open",
            Opening::Replace => "replace",
            Opening::Append => "append",
        };
        let actor = Actor {
            token: about.caller.token(),
            directory: local.directory.units(),
            environment: Some(&local.block),
        };
        let request = OpenRequest {
            access: match how {
                Opening::Read => GENERIC_READ,
                Opening::Replace | Opening::Append => GENERIC_WRITE | GENERIC_READ,
            },
            share: match how {
                Opening::Read => Share(Share::READ.0 | Share::WRITE.0),
                Opening::Replace | Opening::Append => Share::READ,
            },
            disposition: match how {
                Opening::Read => CreateDisposition::OpenExisting,
                Opening::Replace => CreateDisposition::CreateAlways,
                Opening::Append => CreateDisposition::OpenAlways,
            },
            ..OpenRequest::default()
        };
        let things = || vec![Thing::File(what.clone())];
        let (handle, _) = self.operation(verb, &what, things, |kernel| {
            if how != Opening::Read
                && let Some(error) = kernel.strike_file(OnFile::Writes)
            {
                return Err(error);
            }
            let opened = kernel.machine.files.open(&actor, path, request);
            opened.map_err(|failure| failure.win32())
        })?;
        let at = match how {
            Opening::Append => self
                .machine
                .files
                .read(handle)
                .map_or(0, |content| content.len()),
            _ => 0,
        };
        let id = (1..)
            .map(OpenId)
            .find(|id| !self.lab.opens.contains_key(id))
            .expect("fewer files are open than there are numbers");
        let open = Open {
            handle,
            at,
            holders: 1,
            path: what,
        };
        self.lab.opens.insert(id, open);
        Ok(Handle::File(id))
    }

    /// A copy of a handle.
    pub(in crate::win7::cmd) fn copy(&mut self, handle: Handle) {
        match handle {
            Handle::File(id) => {
                if let Some(open) = self.lab.opens.get_mut(&id) {
                    open.holders += 1;
                }
            }
            Handle::PipeRead(id) => {
                if let Some(pipe) = self.lab.pipes.get_mut(&id) {
                    pipe.readers += 1;
                }
            }
            Handle::PipeWrite(id) => {
                if let Some(pipe) = self.lab.pipes.get_mut(&id) {
                    pipe.writers += 1;
                }
            }
            Handle::Closed | Handle::Nul | Handle::Console | Handle::ConsoleErrors => {}
        }
    }

    /// A handle is closed; the last of a file closes it.
    pub(in crate::win7::cmd) fn close(&mut self, handle: Handle) {
        match handle {
            Handle::File(id) => {
                let Some(open) = self.lab.opens.get_mut(&id) else {
                    return;
                };
                open.holders -= 1;
                if open.holders == 0 {
                    // It was opened here, and is closed once.
                    let _ = self.machine.files.close(open.handle);
                    self.lab.opens.remove(&id);
                }
            }
            Handle::PipeRead(id) | Handle::PipeWrite(id) => {
                let Some(pipe) = self.lab.pipes.get_mut(&id) else {
                    return;
                };
                match handle {
                    Handle::PipeRead(_) => pipe.readers -= 1,
                    _ => pipe.writers -= 1,
                }
                if pipe.readers == 0 && pipe.writers == 0 {
                    self.lab.pipes.remove(&id);
                }
                self.lab.wake(On::Pipe(id));
            }
            Handle::Closed | Handle::Nul | Handle::Console | Handle::ConsoleErrors => {}
        }
    }

    /// A pipe: the end to read and the end to write.
    pub fn pipe(&mut self) -> (Handle, Handle) {
        let id = (1..)
            .map(PipeId)
            .find(|id| !self.lab.pipes.contains_key(id))
            .expect("there are fewer pipes than numbers");
        let pipe = Pipe {
            readers: 1,
            writers: 1,
            ..Pipe::default()
        };
        self.lab.pipes.insert(id, pipe);
        (Handle::PipeRead(id), Handle::PipeWrite(id))
    }

    pub(in crate::win7::cmd) fn read_some(
        &mut self,
        about: &About,
        handle: Handle,
    ) -> Option<Result<Arc<[u8]>, Win32>> {
        match handle {
            Handle::Nul => Some(Ok(Arc::from([]))),
            Handle::File(file) => Some(self.read_file_on(file)),
            Handle::Console | Handle::ConsoleErrors => {
                let console = &mut self.lab.consoles[about.console as usize];
                let rest: Arc<[u8]> = console.input[console.taken..].into();
                console.taken = console.input.len();
                Some(Ok(rest))
            }
            Handle::PipeRead(id) => loop {
                let Some(pipe) = self.lab.pipes.get_mut(&id) else {
                    return Some(Err(INVALID_HANDLE));
                };
                if !pipe.data.is_empty() || pipe.writers == 0 {
                    return Some(Ok(std::mem::take(&mut pipe.data).into()));
                }
                if !self.run_another() {
                    self.on = Some(On::Pipe(id));
                    return None;
                }
            },
            Handle::Closed | Handle::PipeWrite(_) => Some(Err(INVALID_HANDLE)),
        }
    }

    /// A line with its end, or what is left; none: nothing is.
    pub(in crate::win7::cmd) fn read_line(
        &mut self,
        about: &About,
        handle: Handle,
    ) -> Option<Result<Option<Arc<[u8]>>, Win32>> {
        let line = |bytes: &[u8]| {
            bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1)
        };
        self.read_until(about, handle, line)
    }

    /// A byte; none: nothing is left.
    pub(in crate::win7::cmd) fn read_byte(
        &mut self,
        about: &About,
        handle: Handle,
    ) -> Option<Result<Option<Arc<[u8]>>, Win32>> {
        self.read_until(about, handle, |bytes| (!bytes.is_empty()).then_some(1))
    }

    /// So much as `line_of` says, or what is left.
    fn read_until(
        &mut self,
        about: &About,
        handle: Handle,
        line_of: fn(&[u8]) -> Option<usize>,
    ) -> Option<Result<Option<Arc<[u8]>>, Win32>> {
        let whole = |bytes: &[u8]| (!bytes.is_empty()).then(|| Arc::<[u8]>::from(bytes));
        match handle {
            Handle::Nul => Some(Ok(None)),
            Handle::Console | Handle::ConsoleErrors => {
                let console = &mut self.lab.consoles[about.console as usize];
                let rest = &console.input[console.taken..];
                let line: Arc<[u8]> = rest[..line_of(rest).unwrap_or(rest.len())].into();
                console.taken += line.len();
                Some(Ok(whole(&line)))
            }
            Handle::File(file) => {
                let open = match self.lab.opens.get_mut(&file) {
                    Some(open) => open,
                    None => return Some(Err(INVALID_HANDLE)),
                };
                let content = match self.machine.files.read(open.handle) {
                    Ok(content) => content,
                    Err(error) => return Some(Err(error.into())),
                };
                let rest = &content[open.at.min(content.len())..];
                let line = &rest[..line_of(rest).unwrap_or(rest.len())];
                open.at += line.len();
                Some(Ok(whole(line)))
            }
            Handle::PipeRead(id) => loop {
                let Some(pipe) = self.lab.pipes.get_mut(&id) else {
                    return Some(Err(INVALID_HANDLE));
                };
                if let Some(end) = line_of(&pipe.data) {
                    let line: Vec<u8> = pipe.data.drain(..end).collect();
                    return Some(Ok(whole(&line)));
                }
                if pipe.writers == 0 {
                    return Some(Ok(whole(&std::mem::take(&mut pipe.data))));
                }
                if !self.run_another() {
                    self.on = Some(On::Pipe(id));
                    return None;
                }
            },
            Handle::Closed | Handle::PipeWrite(_) => Some(Err(INVALID_HANDLE)),
        }
    }

    /// What a batch file holds now.
    pub(in crate::win7::cmd) fn batch_file(
        &mut self,
        about: &About,
        local: &Local,
        file: &Wide,
    ) -> Option<Arc<[u8]>> {
        let actor = Actor {
            token: about.caller.token(),
            directory: local.directory.units(),
            environment: Some(&local.block),
        };
        self.machine.files.read_file(&actor, file.units()).ok()
    }
}
