//! What the trace says of programs.

use std::sync::Arc;

use crate::records;

records! {
    /// What programs do.
    pub enum Record {
        /// A key was created or opened.
        CreateKey = "reg_create", "opens {key}" {
            /// The key's full path.
            key: Arc<str>,
        },
        /// A value was read.
        Query = "reg_query", "reads {key}\\{name}: \"{data}\" (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The value's name.
            name: Arc<str>,
            /// The data as text; empty if the call failed.
            data: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A value was written.
        Set = "reg_set", "writes {key}\\{name} = \"{data}\" (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The value's name.
            name: Arc<str>,
            /// The data as text.
            data: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A value was deleted.
        DeleteValue = "reg_delete_value", "deletes {key}\\{name} (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The value's name.
            name: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// The program came to its end, or gave up.
        Exit = "program_exit", "ends with code {code}" {
            /// 0 for success, else the Win32 code on which it gave up.
            code: u32,
        },
        /// A key was deleted.
        DeleteKey = "reg_delete_key", "deletes {key} (code {code})" {
            /// The key's full path.
            key: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A .reg file was imported.
        Import = "reg_import", "imports {file}: {applied} lines applied, {skipped} passed over (exit {code})" {
            /// The file.
            file: Arc<str>,
            /// Lines that took effect.
            applied: u64,
            /// Lines that were passed over.
            skipped: u64,
            /// The exit code of `reg import`.
            code: u32,
        },
        /// The program that watched a key goes on.
        Changed = "reg_changed", "goes on (a change was signalled: {signalled})" {
            /// Whether a change was signalled; else its time was up.
            signalled: bool,
        },
        /// What a tool stores is shorter than what it was given.
        Cut = "value_cut", "stores {name} without its last {lost} characters, and says \"{said}\"" {
            /// The value's name.
            name: Arc<str>,
            /// How many UTF-16 units are lost.
            lost: u64,
            /// What the tool says; empty if nothing.
            said: Arc<str>,
        },
        /// A program set a variable of its own.
        SetVariable = "env_set", "sets its own {name} = \"{text}\" (code {code})" {
            /// The variable's name.
            name: Arc<str>,
            /// Its value.
            text: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A program expanded a text against its own block.
        Expand = "env_expand", "finds that {of} is \"{text}\"" {
            /// The text before.
            of: Arc<str>,
            /// The text after.
            text: Arc<str>,
        },
        /// A program told all windows of its session that the environment changed.
        Broadcast = "env_broadcast", "broadcasts WM_SETTINGCHANGE, and these read anew: {reached}" {
            /// The names of the processes that built a new block, divided by blanks.
            reached: Arc<str>,
        },
        /// A user had Explorer start a program.
        Launch = "program_launch", "has {program} started" {
            /// The program.
            program: Arc<str>,
        },
        /// A command name was looked for.
        Resolve = "resolve", "looks for {command} as {by} does: \"{file}\"" {
            /// Who looks: cmd, powershell2 or create_process.
            by: &'static str,
            /// The command line.
            command: Arc<str>,
            /// The file; empty if none was found.
            file: Arc<str>,
        },
        /// An editor saved a text.
        Save = "file_save", "saves {file} as {encoding} (code {code})" {
            /// The file.
            file: Arc<str>,
            /// The encoding's name.
            encoding: Arc<str>,
            /// The bytes, in hexadecimal.
            bytes: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A call on a disk was made.
        Disk = "disk", "{op} {path} as {user} (code {code}) {why}" {
            /// What it does: write, read, open, make_directory, delete, ...
            op: &'static str,
            /// The path, as the program gives it.
            path: Arc<str>,
            /// How many UTF-16 units the full path has, without `\\\\?\\`.
            units: u64,
            /// Who made it.
            user: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
            /// Why it failed; empty if the code says all.
            why: Arc<str>,
        },
        /// The entries of a file or directory were inherited anew.
        DiskRewrite = "disk_rewrite", "rewrites the descriptor of {path} (code {code})" {
            /// The path.
            path: Arc<str>,
            /// The Win32 code, 0 for success.
            code: u32,
        },
        /// A fault changed something on a disk.
        DiskFault = "disk_fault", "{fault}: {path}" {
            /// The fault.
            fault: &'static str,
            /// The path.
            path: Arc<str>,
        },
        /// A tool ran.
        Tool = "tool", "runs `{command}`: exit {code} {said}" {
            /// Its command line.
            command: Arc<str>,
            /// Its exit code.
            code: u32,
            /// The first line that it says.
            said: Arc<str>,
        },
    }
}
