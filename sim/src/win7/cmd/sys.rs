//! The system as a program sees it: each call is one operation on the machine.
//!
//! A program is ordinary code over a [`Sys`]. Registry and file operations are scheduling points: where other processes
//! could go first, the operation is not performed but the code is left ([`Stop`]), and runs again from its last
//! checkpoint when it is its turn, with what it was answered so far. So the code must be a function of the arguments in
//! [`Sys`] and its answers alone; variables, current directory and handles in it are the process's own and need no
//! operation. While no other process could go, nothing is left and nothing runs twice.

use std::sync::Arc;

use crate::win7::environment::Block;
use crate::win7::files::{Actor, Entry};
use crate::win7::ntfs::Attributes;
use crate::win7::registry::error::Win32;
use crate::win7::registry::{
    Bits, Caller, CreateOptions, Disposition, KeyPath, Name, Value, units,
};
use crate::win7::text::Wide;

use super::handles::{Handle, Handles, Sink};
use super::kernel::{Kernel, Opening, ProcessId, SpawnRequest};
use super::log::{Answer, Log};
use super::messages::{Language, Message, system_message};
use super::shell::Shell;

/// The code cannot go on now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Stop {
    /// It is about to perform this, and others may go first.
    Yield(Next),
    /// It waits: for a child, for a pipe, for time to pass.
    Blocked,
    /// The budget of steps is spent.
    Spent,
}

/// An operation that a process is about to perform.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Next {
    /// What it does, such as `set`.
    pub verb: &'static str,
    /// To what, such as a key and a value.
    pub object: String,
    /// What it reads and writes.
    pub touch: Touch,
}

/// What an operation reads and writes, by resources: `reg:` and the place of a key, `file:` and a full path, in upper
/// case.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Touch {
    /// These are read.
    Reads(Vec<String>),
    /// These are written.
    Writes(Vec<String>),
    /// Not known.
    Everything,
}

/// What an operation gives: its answer, or a stop. Code hands stops on with `?`.
pub type Asked<T> = Result<T, Stop>;

/// What a process knows of itself that never changes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct About {
    /// The full path of its image.
    pub image: Wide,
    /// Its command line behind the name of the program, as it was given, leading blanks included.
    pub tail: Wide,
    /// Who it is in the registry and on the disks, and its bitness.
    pub caller: Caller,
    /// The name of that account: `alice`, `SYSTEM`.
    pub user: Arc<str>,
    /// The session: 0 for services.
    pub session: u32,
    /// Which console it writes to.
    pub console: u32,
    /// The language of messages.
    pub language: Language,
}

/// What is a process's own, and changes without any operation.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Local {
    /// Its variables.
    pub block: Arc<Block>,
    /// Its current directory, a full path.
    pub directory: Wide,
    /// Its handles.
    pub handles: Handles,
    /// How many commands it has begun.
    pub ticks: u64,
}

/// A running program's way to the system.
pub struct Sys<'a> {
    /// What never changes.
    pub about: Arc<About>,
    /// What is its own.
    pub local: Local,
    pub(super) log: &'a mut Log,
    pub(super) next: usize,
    pub(super) kernel: Kernel<'a>,
    /// Whether one operation may be performed although others could go first: it is this process's turn.
    pub(super) chosen: bool,
    /// Where the code begins when it runs again, if it came to a checkpoint.
    pub(super) checkpoint: Option<(Arc<Shell>, Local)>,
}

impl Sys<'_> {
    /// From here the code runs again: `shell` is all that it needs to know beside what is in `local`.
    pub fn checkpoint(&mut self, shell: &Shell) {
        if self.next == 0 {
            // It is there already: the code has just begun from it.
            return;
        }
        debug_assert_eq!(
            self.next,
            self.log.len(),
            "all that was answered was asked for"
        );
        self.checkpoint = Some((Arc::new(shell.clone()), self.local.clone()));
        self.log.clear();
        self.next = 0;
    }

    // --- the two doors -------------------------------------------------------------------------------------------

    /// Performs one operation that others may come before. `about` says on what, and what it touches.
    pub fn perform<T: Answer>(
        &mut self,
        verb: &'static str,
        about: impl FnOnce(&mut Self) -> (String, Touch),
        call: impl FnOnce(&mut Kernel<'_>, &About, &mut Local) -> T,
    ) -> Asked<T> {
        if self.next >= self.log.len() && !self.chosen && !self.kernel.is_alone() {
            let (object, touch) = about(self);
            return Err(Stop::Yield(Next {
                verb,
                object,
                touch,
            }));
        }
        if self.next >= self.log.len() {
            self.chosen = false;
        }
        self.local_operation(call)
    }

    /// Performs an operation that commutes with those of others, or that nobody else sees: never left.
    pub fn local_operation<T: Answer>(
        &mut self,
        call: impl FnOnce(&mut Kernel<'_>, &About, &mut Local) -> T,
    ) -> Asked<T> {
        self.next += 1;
        if let Some(known) = self.log.get(self.next - 1) {
            return Ok(known);
        }
        self.kernel.spend()?;
        let answer = call(&mut self.kernel, &self.about, &mut self.local);
        self.log.push(answer.clone());
        Ok(answer)
    }

    /// Performs an operation that may have to wait: `call` gives nothing as long as it has to.
    pub(super) fn wait_for<T: Answer>(
        &mut self,
        call: impl FnOnce(&mut Kernel<'_>, &About, &mut Local) -> Option<T>,
    ) -> Asked<T> {
        self.next += 1;
        if let Some(known) = self.log.get(self.next - 1) {
            return Ok(known);
        }
        self.kernel.spend()?;
        let answer = call(&mut self.kernel, &self.about, &mut self.local).ok_or(Stop::Blocked)?;
        self.log.push(answer.clone());
        Ok(answer)
    }

    // --- arguments and messages ----------------------------------------------------------------------------------

    /// The command line behind the program's name, as it was given.
    pub fn tail(&self) -> &[u16] {
        self.about.tail.units()
    }

    /// The arguments as the C library divides them: blanks divide, quotes hold together, `\"` is a quote.
    pub fn arguments(&self) -> Vec<String> {
        super::arguments::split(self.tail())
    }

    /// The language of messages.
    pub fn language(&self) -> Language {
        self.about.language
    }

    /// The value of a variable of its own.
    pub fn variable(&self, name: &str) -> Option<Wide> {
        self.local.block.get(&Wide::from(name)).cloned()
    }

    /// Says that an option or a program is not modelled: it stands in the run's summary, on the error output, and the
    /// exit code is not 0. `what` names it, such as `findstr /g`.
    pub fn unsupported(&mut self, what: &str) -> Asked<u32> {
        let noted = what.to_owned();
        self.local_operation(move |kernel, _, _| kernel.unsupported(&noted))?;
        self.error_line(&format!("faultlab: {what} is not modelled"))?;
        Ok(UNSUPPORTED)
    }

    // --- output and input ----------------------------------------------------------------------------------------

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

    // --- the registry --------------------------------------------------------------------------------------------

    /// Who it is in the registry; `view` is the flag KEY_WOW64_32KEY or KEY_WOW64_64KEY (`/reg:32`, `/reg:64`).
    pub fn caller(&self, view: Option<Bits>) -> Caller {
        self.about.caller.clone().in_view(view)
    }

    fn key_touch(&self, caller: &Caller, key: &KeyPath) -> Option<String> {
        let place = self.kernel.machine.registry.place(caller, key)?;
        Some(format!("reg:{}", String::from_utf16_lossy(&place)))
    }

    /// An operation on a key: `verb` and `reads` say what it does to it.
    pub fn on_key<T: Answer>(
        &mut self,
        verb: &'static str,
        caller: &Caller,
        key: &KeyPath,
        value: &str,
        how: OnKey,
        call: impl FnOnce(&mut crate::win7::registry::Registry) -> Result<T, Win32>,
    ) -> Asked<Result<T, Win32>> {
        let object = match value {
            "" => key.to_string(),
            value => format!("{key}\\{value}"),
        };
        let what: Arc<str> = object.as_str().into();
        let (of, at) = (caller.clone(), key.clone());
        self.perform(
            verb,
            move |sys| {
                let touch = match (how, sys.key_touch(&of, &at)) {
                    (OnKey::ReadsValues, Some(place)) => Touch::Reads(vec![place]),
                    (OnKey::WritesValues, Some(place)) => Touch::Writes(vec![place]),
                    _ => Touch::Everything,
                };
                (object, touch)
            },
            move |kernel, _, _| {
                let result = match how == OnKey::ReadsValues || how == OnKey::Reads {
                    false if kernel.fault("registry-access-denied").is_some() => Err(Win32 {
                        code: 5,
                        name: "ERROR_ACCESS_DENIED",
                    }),
                    _ => call(&mut kernel.machine.registry),
                };
                let code = result.as_ref().map_or_else(|error| error.code, |_| 0);
                kernel.note(verb, &what, code);
                result
            },
        )
    }

    /// RegOpenKeyEx with KEY_READ, only to see that it works.
    pub fn reg_open(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<(), Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        self.on_key("open", caller, key, "", OnKey::Reads, move |registry| {
            let read = crate::win7::registry::Access::READ;
            registry
                .check_open(&of, &at, read)
                .map(drop)
                .map_err(Win32::from)
        })
    }

    /// RegQueryValueEx.
    pub fn reg_value(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        name: &Name,
    ) -> Asked<Result<Value, Win32>> {
        let (of, at, value) = (caller.clone(), key.clone(), name.clone());
        let shown = name.to_string();
        let call = move |registry: &mut crate::win7::registry::Registry| {
            registry.value(&of, &at, &value).map_err(Win32::from)
        };
        self.on_key("query", caller, key, &shown, OnKey::ReadsValues, call)
    }

    /// RegEnumValue over all of them, as one operation.
    pub fn reg_values(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
    ) -> Asked<Result<Vec<(Name, Value)>, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut crate::win7::registry::Registry| {
            registry.values(&of, &at).map_err(Win32::from)
        };
        self.on_key("values", caller, key, "", OnKey::ReadsValues, call)
    }

    /// RegEnumKeyEx over all of them, as one operation.
    pub fn reg_keys(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<Vec<Name>, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut crate::win7::registry::Registry| {
            registry.key_names(&of, &at).map_err(Win32::from)
        };
        self.on_key("keys", caller, key, "", OnKey::Reads, call)
    }

    /// RegCreateKeyEx.
    pub fn reg_create(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
    ) -> Asked<Result<Disposition, Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut crate::win7::registry::Registry| {
            let options = CreateOptions::default();
            registry
                .create_key_with(&of, &at, options)
                .map_err(Win32::from)
        };
        self.on_key("create", caller, key, "", OnKey::Writes, call)
    }

    /// RegSetValueEx.
    pub fn reg_set(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        name: &Name,
        value: Value,
    ) -> Asked<Result<(), Win32>> {
        let (of, at, to) = (caller.clone(), key.clone(), name.clone());
        let shown = name.to_string();
        let call = move |registry: &mut crate::win7::registry::Registry| {
            registry
                .set_value(&of, &at, &to, value)
                .map_err(Win32::from)
        };
        self.on_key("set", caller, key, &shown, OnKey::WritesValues, call)
    }

    /// RegDeleteValue.
    pub fn reg_delete_value(
        &mut self,
        caller: &Caller,
        key: &KeyPath,
        name: &Name,
    ) -> Asked<Result<(), Win32>> {
        let (of, at, gone) = (caller.clone(), key.clone(), name.clone());
        let shown = name.to_string();
        let call = move |registry: &mut crate::win7::registry::Registry| {
            registry.delete_value(&of, &at, &gone).map_err(Win32::from)
        };
        self.on_key("delete", caller, key, &shown, OnKey::WritesValues, call)
    }

    /// RegDeleteKeyEx, of a key without subkeys.
    pub fn reg_delete_key(&mut self, caller: &Caller, key: &KeyPath) -> Asked<Result<(), Win32>> {
        let (of, at) = (caller.clone(), key.clone());
        let call = move |registry: &mut crate::win7::registry::Registry| {
            registry.delete_key(&of, &at).map_err(Win32::from)
        };
        self.on_key("delete key", caller, key, "", OnKey::Writes, call)
    }

    // --- files ---------------------------------------------------------------------------------------------------

    /// The full name of a path from the current directory, as GetFullPathName gives it.
    pub fn full_path(&self, path: &[u16]) -> Vec<u16> {
        let block = self.local.block.clone();
        let on_drive = |drive: u16| {
            let letter = char::from_u32(drive.into())?;
            Some(block.drive_directory(letter)?.units().to_vec())
        };
        let full = crate::win7::path::full_path(path, self.local.directory.units(), on_drive);
        full.map_or_else(|| path.to_vec(), |full| full.path)
    }

    /// An operation on a file or directory, as this process.
    pub fn on_file<T: Answer>(
        &mut self,
        verb: &'static str,
        path: &[u16],
        how: OnFile,
        call: impl FnOnce(&mut crate::win7::files::Files, &Actor<'_>, &[u16]) -> Result<T, Win32>,
    ) -> Asked<Result<T, Win32>> {
        let path = path.to_vec();
        let full = String::from_utf16_lossy(&self.full_path(&path));
        let what: Arc<str> = full.as_str().into();
        self.perform(
            verb,
            move |_| {
                let (own, parent) = (file_resource(&full), folder_resource(&full));
                // A short name is a second name of the same file.
                let touch = match how {
                    _ if full.contains('~') => Touch::Everything,
                    OnFile::Reads => Touch::Reads(vec![own]),
                    OnFile::Lists => Touch::Reads(vec![format!("{own}\\*")]),
                    OnFile::Writes => Touch::Writes(vec![own, parent]),
                    OnFile::Moves => Touch::Everything,
                };
                (full, touch)
            },
            move |kernel, about, local| {
                let actor = Actor {
                    token: about.caller.token(),
                    directory: local.directory.units(),
                    environment: Some(&local.block),
                };
                let result = match kernel.strike_file(how, verb, &what) {
                    Some(error) => Err(error),
                    None => call(&mut kernel.machine.files, &actor, &path),
                };
                let code = result.as_ref().map_or_else(|error| error.code, |_| 0);
                kernel.note(verb, &what, code);
                result
            },
        )
    }

    /// GetFileAttributes.
    pub fn attributes(&mut self, path: &[u16]) -> Asked<Result<Attributes, Win32>> {
        self.on_file("attributes", path, OnFile::Reads, |files, actor, path| {
            files
                .attributes(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// SetFileAttributes.
    pub fn set_attributes(
        &mut self,
        path: &[u16],
        attributes: Attributes,
    ) -> Asked<Result<(), Win32>> {
        self.on_file(
            "set attributes",
            path,
            OnFile::Writes,
            move |files, actor, path| {
                let set = files.set_attributes(actor, path, attributes);
                set.map_err(|failure| failure.win32())
            },
        )
    }

    /// FindFirstFile and FindNextFile: all entries of a directory, in the order of names, without `.` and `..`.
    pub fn list(&mut self, directory: &[u16]) -> Asked<Result<Vec<Entry>, Win32>> {
        self.on_file("list", directory, OnFile::Lists, |files, actor, path| {
            files.list(actor, path).map_err(|failure| failure.win32())
        })
    }

    /// All of a file.
    pub fn read_file(&mut self, path: &[u16]) -> Asked<Result<Arc<[u8]>, Win32>> {
        self.on_file("read", path, OnFile::Reads, |files, actor, path| {
            files
                .read_file(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// Makes a file, or replaces what is there.
    pub fn write_file(&mut self, path: &[u16], bytes: &[u8]) -> Asked<Result<(), Win32>> {
        let bytes = bytes.to_vec();
        self.on_file("write", path, OnFile::Writes, move |files, actor, path| {
            let written = files.write_file(actor, path, &bytes);
            written.map_err(|failure| failure.win32())
        })
    }

    /// DeleteFile.
    pub fn delete_file(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        self.on_file("delete", path, OnFile::Writes, |files, actor, path| {
            files
                .delete_file(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// CreateDirectory.
    pub fn create_directory(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        self.on_file("create", path, OnFile::Writes, |files, actor, path| {
            let created = files.create_directory(actor, path, None);
            created.map_err(|failure| failure.win32())
        })
    }

    /// RemoveDirectory.
    pub fn remove_directory(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        self.on_file("remove", path, OnFile::Moves, |files, actor, path| {
            files
                .remove_directory(actor, path)
                .map_err(|failure| failure.win32())
        })
    }

    /// MoveFileEx; `replace` is MOVEFILE_REPLACE_EXISTING.
    pub fn rename(&mut self, from: &[u16], to: &[u16], replace: bool) -> Asked<Result<(), Win32>> {
        let to = to.to_vec();
        self.on_file("move", from, OnFile::Moves, move |files, actor, path| {
            files
                .rename(actor, path, &to, replace)
                .map_err(|failure| failure.win32())
        })
    }

    /// The file that a command name would run from here, as cmd searches; its path as directories spell it.
    pub fn spelled(&mut self, path: &str) -> Asked<Option<String>> {
        let path = path.to_owned();
        let what = path.clone();
        self.perform(
            "look for",
            move |_| (what.clone(), Touch::Reads(vec![file_resource(&what)])),
            move |kernel, _, _| kernel.machine.files.spelled(&path),
        )
    }

    /// What FindFirstFile says of one path; nothing if it is not there.
    pub fn entry(&mut self, path: &[u16]) -> Asked<Option<Entry>> {
        let found = self.on_file("find", path, OnFile::Reads, |files, actor, path| {
            let node = files.look(&String::from_utf16_lossy(path));
            let _ = actor;
            Ok(node.map(|node| Entry {
                name: node.name().clone(),
                short_name: node.short_name().cloned(),
                attributes: node.attributes(),
                len: node.content().map_or(0, |content| content.len() as u64),
            }))
        })?;
        Ok(found.ok().flatten())
    }

    /// SetCurrentDirectory, and the hidden variable of the drive.
    pub fn change_directory(&mut self, path: &[u16]) -> Asked<Result<(), Win32>> {
        let found = self.on_file("change to", path, OnFile::Reads, |files, actor, path| {
            let full = files.current_directory(actor, path);
            full.map_err(|failure| failure.win32())
        })?;
        let full = match found {
            Ok(full) => full,
            Err(error) => return Ok(Err(error)),
        };
        if let [letter, colon, ..] = full.as_slice()
            && *colon == u16::from(b':')
        {
            let name = [u16::from(b'='), *letter, *colon];
            let block = Arc::make_mut(&mut self.local.block);
            let _ = block.set(&Wide::from(&name[..]), &Wide::from(full.as_slice()));
        }
        self.local.directory = Wide::new(full);
        Ok(Ok(()))
    }

    // --- handles -------------------------------------------------------------------------------------------------

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

    // --- batch files ---------------------------------------------------------------------------------------------

    /// The line of a batch file that begins at a byte, without its end, and where the next begins; an empty line at the
    /// end. Nothing if the file is gone. No scheduling point: a file that changes while it runs is read as it is then.
    pub(super) fn batch_line(
        &mut self,
        file: &Wide,
        at: usize,
    ) -> Asked<Option<(Arc<[u8]>, usize)>> {
        let file = file.clone();
        self.local_operation(move |kernel, about, local| {
            let content = kernel.batch_file(about, local, &file)?;
            let rest = content.get(at..).unwrap_or(&[]);
            // 0x1A ends a line as a line feed does.
            let end = rest.iter().position(|byte| *byte == b'\n' || *byte == 0x1a);
            let next = at.min(content.len()) + end.map_or(rest.len(), |end| end + 1);
            Some((rest[..end.unwrap_or(rest.len())].into(), next))
        })
    }

    /// Where the line behind a label begins: looked for from `from` to the end, then from the beginning.
    pub(super) fn find_label(
        &mut self,
        file: &Wide,
        label: &[u16],
        from: usize,
    ) -> Asked<Option<usize>> {
        let (file, label) = (file.clone(), label.to_vec());
        self.local_operation(move |kernel, about, local| {
            let content = kernel.batch_file(about, local, &file)?;
            let page = kernel.code_page(about);
            let is_label = |line: &[u8]| {
                let text = kernel.decode(page, line);
                let text = text.units();
                let start = text
                    .iter()
                    .position(|unit| !matches!(*unit, 0x20 | 0x09 | 0x2c | 0x3b | 0x3d));
                let text = &text[start.unwrap_or(text.len())..];
                let Some(text) = text.strip_prefix(&[0x3a]) else {
                    return false;
                };
                let start = text.iter().position(|unit| !matches!(*unit, 0x20 | 0x09));
                let text = &text[start.unwrap_or(text.len())..];
                let ends = |unit: &u16| {
                    matches!(
                        u8::try_from(*unit),
                        Ok(b' '
                            | b'\t'
                            | b':'
                            | b'+'
                            | b','
                            | b';'
                            | b'='
                            | b'&'
                            | b'|'
                            | b'<'
                            | b'>'
                            | b'\r')
                    )
                };
                let end = text.iter().position(ends).unwrap_or(text.len());
                let upper = |text: &[u16]| Wide::from(text).to_upcase();
                upper(&text[..end]) == upper(&label)
            };
            let search = |start: usize, end: usize| {
                let mut at = start;
                while at < end {
                    let rest = &content[at..];
                    let length = rest.iter().position(|byte| *byte == b'\n' || *byte == 0x1a);
                    let next = at + length.map_or(rest.len(), |length| length + 1);
                    if is_label(&rest[..length.unwrap_or(rest.len())]) {
                        return Some(next);
                    }
                    at = next;
                }
                None
            };
            let from = from.min(content.len());
            search(from, content.len()).or_else(|| search(0, from))
        })
    }

    /// Notes a command in the trace.
    pub(super) fn note_command(&mut self, name: &[u16], tail: &[u16]) -> Asked<()> {
        let (name, tail) = (name.to_vec(), tail.to_vec());
        self.local_operation(move |kernel, _, _| {
            let text = String::from_utf16_lossy(&[name, tail].concat());
            let text = text.trim_end().into();
            kernel.record(super::record::Record::Command { text });
        })
    }

    // --- time, processes -----------------------------------------------------------------------------------------

    /// The virtual time in milliseconds since [`super::clock::START`].
    pub fn now_ms(&mut self) -> Asked<u64> {
        self.local_operation(|kernel, _, _| kernel.now_ms())
    }

    /// Lets virtual time pass.
    pub fn sleep_ms(&mut self, ms: u64) -> Asked<()> {
        if ms == 0 {
            return Ok(());
        }
        self.wait_for(move |kernel, _, _| kernel.sleep(ms))
    }

    /// A number from `0..=high`, decided at `site` (a wide choice: searches leave it to the seed).
    pub fn choose_number(&mut self, site: &'static str, high: u64) -> Asked<u64> {
        self.local_operation(move |kernel, _, _| kernel.choose_number(site, high))
    }

    /// CreateProcess. The child has copies of this process's handles unless the request says otherwise.
    pub fn spawn(&mut self, request: SpawnRequest) -> Asked<Result<ProcessId, Win32>> {
        self.local_operation(move |kernel, about, local| kernel.spawn(about, local, request))
    }

    /// Waits until a child has ended: its exit code.
    pub fn wait(&mut self, child: ProcessId) -> Asked<u32> {
        self.wait_for(move |kernel, _, _| kernel.wait(child))
    }

    /// Starts a program and waits for it.
    pub fn run(&mut self, request: SpawnRequest) -> Asked<Result<u32, Win32>> {
        match self.spawn(request)? {
            Ok(child) => self.wait(child).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    /// Tells the windows of the session that the environment changed (WM_SETTINGCHANGE), as setx does.
    pub fn broadcast(&mut self) -> Asked<()> {
        self.perform(
            "broadcast",
            |_| ("Environment".into(), Touch::Everything),
            |kernel, about, _| kernel.broadcast(about),
        )
    }
}

/// The exit code of what is not modelled: none that a modelled tool gives.
pub const UNSUPPORTED: u32 = 0xFA17;

/// What an operation does to a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnKey {
    /// It reads values of this key alone.
    ReadsValues,
    /// It writes values of this key alone.
    WritesValues,
    /// It reads more.
    Reads,
    /// It writes more.
    Writes,
}

/// What an operation does to a file or directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnFile {
    /// It reads it.
    Reads,
    /// It reads what is in a directory.
    Lists,
    /// It writes or makes it, or takes it away.
    Writes,
    /// It can move or take away more than itself.
    Moves,
}

fn upper(text: &str) -> String {
    Wide::from(text.trim_end_matches('\\'))
        .to_upcase()
        .to_utf8_lossy()
}

/// The resource of a file: its full path.
pub fn file_resource(full: &str) -> String {
    format!("file:{}", upper(full))
}

/// The resource of what a folder holds.
pub fn folder_content(folder: &str) -> String {
    format!("{}\\*", file_resource(folder))
}

/// The resource of the list of a file's folder.
fn folder_resource(full: &str) -> String {
    let full = upper(full);
    let folder = full.rsplit_once('\\').map_or("", |(folder, _)| folder);
    format!("file:{folder}\\*")
}
