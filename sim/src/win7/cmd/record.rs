//! What the trace says of batch files and the programs that they start.

use std::sync::Arc;

use crate::records;

records! {
    /// What processes of a console do.
    pub enum Record {
        /// A process was started.
        Start = "process_start", "starts {program} as {user}: {command}" {
            /// The file name of its image.
            program: Arc<str>,
            /// Who it runs as.
            user: Arc<str>,
            /// Its command line.
            command: Arc<str>,
        },
        /// A process ended.
        End = "process_exit", "ends with exit code {code}" {
            /// The code.
            code: u32,
        },
        /// A command is about to run, its variables filled in.
        Command = "command", "runs `{text}`" {
            /// The command.
            text: Arc<str>,
        },
        /// An operation on the machine.
        Operation = "operation", "{verb} {object} (code {code})" {
            /// What was done: query, set, create, delete, read, write, attributes, list, move, ...
            verb: &'static str,
            /// To what: a key and value, or a full path.
            object: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// Something was written to the console.
        Output = "console", "writes to its {stream}: {text}" {
            /// stdout or stderr.
            stream: &'static str,
            /// The text.
            text: Arc<str>,
        },
        /// A variable that a script leaves other than it found it.
        Variable = "variable", "leaves {name}={text}" {
            /// Its name.
            name: Arc<str>,
            /// Its value at the end; empty if it is gone.
            text: Arc<str>,
        },
        /// A program told the windows of its session that the environment changed.
        Broadcast = "environment_broadcast", "broadcasts WM_SETTINGCHANGE, and these read anew: {reached}" {
            /// The names of the processes that built a new block.
            reached: Arc<str>,
        },
        /// Nothing runs any more: what is other than at the beginning.
        EndState = "end_state", "leaves the registry with\n{registry}\nand files with\n{files}" {
            /// Differences of the registry, a line each; the order of values does not count.
            registry: Arc<str>,
            /// Differences of the drives, a line each.
            files: Arc<str>,
        },
        /// The budget of steps is spent: an endless loop or recursion.
        Spent = "budget_spent", "is still running after {ticks} commands, in {place}" {
            /// How many commands it had begun.
            ticks: u64,
            /// Where.
            place: Arc<str>,
        },
    }
}

impl Record {
    /// Whether a process wrote it; else it is about all that run.
    pub fn is_of_process(&self) -> bool {
        !matches!(self, Record::EndState { .. })
    }
}
