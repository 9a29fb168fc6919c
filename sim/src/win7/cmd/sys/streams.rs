//! Output, input and handles of a program.

use std::sync::Arc;

use crate::win7::registry::error::Win32;
use crate::win7::registry::units;
use crate::win7::text::Wide;

use super::files::{file_resource, folder_resource};
use super::{About, Asked, Sys, Touch};
use crate::win7::cmd::handles::{Handle, Sink};
use crate::win7::cmd::kernel::{Kernel, Opening};
use crate::win7::cmd::messages::{Message, system_message};

impl Sys<'_> {
    /// Writes text to the standard output, in the console's code page.
    pub fn print(&mut self, text: &str) -> Asked<()> {
        self.print_units(&units(text))
    }

    /// The same of UTF-16.
    pub fn print_units(&mut self, text: &[u16]) -> Asked<()> {
        self.write_units(1, text).map(drop)
    }

    /// A line to the standard output.
    pub fn line(&mut self, text: &str) -> Asked<()> {
        self.print(&format!("{text}\r\n"))
    }

    /// Text to the standard error output.
    pub fn error(&mut self, text: &str) -> Asked<()> {
        self.write_units(2, &units(text)).map(drop)
    }

    /// A line to the standard error output.
    pub fn error_line(&mut self, text: &str) -> Asked<()> {
        self.error(&format!("{text}\r\n"))
    }

    /// A message with its `{0}`, `{1}` filled in, to the standard output.
    pub fn say(&mut self, message: &Message, fill: &[&str]) -> Asked<()> {
        let text = message.text(self.language(), fill);
        self.print(&text)
    }

    /// The same to the standard error output.
    pub fn complain(&mut self, message: &Message, fill: &[&str]) -> Asked<()> {
        let text = message.text(self.language(), fill);
        self.error(&text)
    }

    /// The system's text for an error code, with its line end: what FormatMessage gives.
    pub fn system_text(&self, code: u32) -> String {
        system_message(self.language(), code)
    }

    /// Writes text to a handle by number (1 output, 2 errors, 3 to 9), in the console's code page.
    pub fn write_units(&mut self, to: usize, text: &[u16]) -> Asked<Result<(), Win32>> {
        if text.is_empty() {
            return Ok(Ok(()));
        }
        let sink = self.sink(to);
        if let Some(sink) = sink {
            let text: Arc<[u16]> = text.into();
            return self.put(sink, move |kernel, about| kernel.encode(about, &text));
        }
        let bytes: Arc<[u16]> = text.into();
        self.local_operation(move |kernel, about, local| {
            let handle = local.handles.get(to);
            kernel.write_text(about, handle, &bytes)
        })
    }

    /// Writes bytes to a handle by number.
    pub fn write_bytes(&mut self, to: usize, bytes: &[u8]) -> Asked<Result<(), Win32>> {
        if bytes.is_empty() {
            return Ok(Ok(()));
        }
        let bytes: Arc<[u8]> = bytes.into();
        if let Some(sink) = self.sink(to) {
            return self.put(sink, move |_, _| bytes.to_vec());
        }
        self.local_operation(move |kernel, about, local| {
            let handle = local.handles.get(to);
            kernel.write_bytes(about, handle, &bytes)
        })
    }

    fn sink(&self, to: usize) -> Option<Sink> {
        match self.local.handles.get(to) {
            Handle::File(file) => Some(Sink { file }),
            _ => None,
        }
    }

    /// A write to a file: others may look at that file.
    fn put(
        &mut self,
        sink: Sink,
        bytes: impl FnOnce(&Kernel<'_>, &About) -> Vec<u8>,
    ) -> Asked<Result<(), Win32>> {
        self.perform(
            "write",
            move |sys| {
                let path = sys.kernel.path_of(sink.file);
                (path.clone(), Touch::Writes(vec![file_resource(&path)]))
            },
            move |kernel, about, _| {
                let bytes = bytes(kernel, about);
                kernel.write_file_at(sink.file, &bytes)
            },
        )
    }

    /// What can be read from a handle now; empty at the end. It waits as long as a pipe is empty and somebody could
    /// write to it.
    pub fn read_some(&mut self, from: usize) -> Asked<Result<Arc<[u8]>, Win32>> {
        if let Handle::File(file) = self.local.handles.get(from) {
            return self.perform(
                "read",
                move |sys| {
                    let path = sys.kernel.path_of(file);
                    (path.clone(), Touch::Reads(vec![file_resource(&path)]))
                },
                move |kernel, _, _| kernel.read_file_on(file),
            );
        }
        self.wait_for(move |kernel, about, local| kernel.read_some(about, local.handles.get(from)))
    }

    /// One line from a handle, with its line end; nothing at the end. What follows it stays unread.
    pub fn read_line(&mut self, from: usize) -> Asked<Result<Option<Arc<[u8]>>, Win32>> {
        self.wait_for(move |kernel, about, local| kernel.read_line(about, local.handles.get(from)))
    }

    /// The next byte of a handle.
    pub fn read_byte(&mut self, from: usize) -> Asked<Result<Option<u8>, Win32>> {
        let read = self.wait_for(move |kernel, about, local| {
            kernel.read_byte(about, local.handles.get(from))
        })?;
        Ok(read.map(|byte| byte.and_then(|byte| byte.first().copied())))
    }

    /// All that comes from a handle until its end.
    pub fn read_all(&mut self, from: usize) -> Asked<Result<Vec<u8>, Win32>> {
        let mut all = Vec::new();
        loop {
            match self.read_some(from)? {
                Ok(some) if some.is_empty() => return Ok(Ok(all)),
                Ok(some) => all.extend_from_slice(&some),
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Bytes as the console's code page has them.
    pub fn decode(&mut self, bytes: &[u8]) -> Asked<Wide> {
        // ASCII is the same in each.
        if bytes.is_ascii() {
            return Ok(Wide::new(bytes.iter().copied().map(u16::from).collect()));
        }
        let page = self.code_page()?;
        let bytes = bytes.to_vec();
        self.local_operation(move |kernel, _, _| kernel.decode(page, &bytes))
    }

    /// The console's code page.
    pub fn code_page(&mut self) -> Asked<u32> {
        self.local_operation(|kernel, about, _| kernel.code_page(about))
    }

    /// Sets the console's code page, for all that write to it.
    pub fn set_code_page(&mut self, number: u32) -> Asked<Result<(), Win32>> {
        self.local_operation(move |kernel, about, _| kernel.set_code_page(about, number))
    }

    /// Opens a file for a handle, as a redirection does.
    pub fn open_handle(&mut self, path: &[u16], how: Opening) -> Asked<Result<Handle, Win32>> {
        if let Some(device) = crate::win7::path::device_name(path) {
            let name = String::from_utf16_lossy(device.of(path)).to_ascii_lowercase();
            return Ok(Ok(match &*name {
                "con" | "conin$" | "conout$" => Handle::Console,
                _ => Handle::Nul,
            }));
        }
        let full = self.full_path(path);
        let shown = String::from_utf16_lossy(&full);
        let verb = match how {
            Opening::Read => "open",
            Opening::Replace => "replace",
            Opening::Append => "append",
        };
        self.perform(
            verb,
            move |_| {
                let own = file_resource(&shown);
                let touch = match how {
                    _ if shown.contains('~') => Touch::Everything,
                    Opening::Read => Touch::Reads(vec![own]),
                    _ => Touch::Writes(vec![own, folder_resource(&shown)]),
                };
                (shown, touch)
            },
            move |kernel, about, local| kernel.open(about, local, &full, how),
        )
    }

    /// One more handle of what this one leads to.
    pub fn copy_handle(&mut self, handle: Handle) -> Asked<()> {
        self.local_operation(move |kernel, _, _| kernel.copy(handle))
    }

    /// CloseHandle.
    pub fn close_handle(&mut self, handle: Handle) -> Asked<()> {
        self.local_operation(move |kernel, _, _| kernel.close(handle))
    }

    /// CreatePipe: the end to read, the end to write.
    pub fn pipe(&mut self) -> Asked<(Handle, Handle)> {
        self.local_operation(|kernel, _, _| kernel.pipe())
    }
}
