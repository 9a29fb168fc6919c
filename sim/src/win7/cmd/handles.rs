//! The handles of a process by number, as redirections name them: 0 input, 1 output, 2 errors, 3 to 9 free.

/// An open file, shared by all handles that were copied from one: they have one position.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpenId(pub u32);

/// A pipe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PipeId(pub u32);

/// What a handle leads to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Handle {
    /// It is closed.
    #[default]
    Closed,
    /// NUL, or a device that takes everything and gives nothing.
    Nul,
    /// The console: what is typed and what is shown.
    Console,
    /// The console as a process's errors come to it: the same screen, told apart for who captures them.
    ConsoleErrors,
    /// A file.
    File(OpenId),
    /// The end of a pipe that is read.
    PipeRead(PipeId),
    /// The end of a pipe that is written.
    PipeWrite(PipeId),
}

/// A file to write to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sink {
    pub file: OpenId,
}

/// The table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Handles([Handle; 10]);

impl Handles {
    /// Input, output and errors of a console.
    pub fn console() -> Handles {
        let mut table = [Handle::Closed; 10];
        table[..2].fill(Handle::Console);
        table[2] = Handle::ConsoleErrors;
        Handles(table)
    }

    /// What a number leads to.
    pub fn get(&self, number: usize) -> Handle {
        self.0.get(number).copied().unwrap_or_default()
    }

    /// Replaces what a number leads to; nothing is closed.
    pub fn set(&mut self, number: usize, handle: Handle) {
        if let Some(place) = self.0.get_mut(number) {
            *place = handle;
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Handle> + '_ {
        self.0.iter().copied()
    }
}
