//! What programs do, one call at a time.

use serde::{Deserialize, Serialize};

use super::disk::DiskCall;

/// One call of a program. Texts may hold `{names}`: of what was read before, and of the scenario's params.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Call {
    /// RegCreateKeyEx: creates a key, or opens the one that exists.
    CreateKey {
        /// Its full path, beginning with HKCU, HKLM, ...
        key: String,
    },
    /// RegQueryValueEx: reads a value. If it is absent, `into` is the empty text and the type that a
    /// later [`Call::SetText`] writes is REG_EXPAND_SZ.
    QueryText {
        /// The key's full path.
        key: String,
        /// The value's name.
        value: String,
        /// The name under which later calls find the text.
        into: String,
    },
    /// RegSetValueEx: writes a text, of the type that the value was read with.
    SetText {
        /// The key's full path.
        key: String,
        /// The value's name.
        value: String,
        /// The text.
        text: String,
    },
    /// RegDeleteValue.
    DeleteValue {
        /// The key's full path.
        key: String,
        /// The value's name.
        value: String,
    },
    /// RegDeleteTree: a call for each key below, others can come in between.
    DeleteTree {
        /// The key's full path.
        key: String,
    },
    /// `reg import`: a call for each line, others can come in between.
    Import {
        /// The path of a .reg file on the machine.
        file: String,
    },
    /// RegNotifyChangeKeyValue, of values and subkeys, in the subtree: the next [`Call::AwaitChange`] waits
    /// for it.
    Watch {
        /// The key's full path.
        key: String,
    },
    /// WaitForSingleObject on what was watched for: goes on when it was signalled, or after `ms`.
    AwaitChange {
        /// How long it waits at most, in milliseconds.
        ms: u64,
    },
    /// SetEnvironmentVariable in its own block.
    SetVariable {
        /// The variable's name.
        name: String,
        /// Its value.
        text: String,
    },
    /// ExpandEnvironmentStrings against its own block.
    Expand {
        /// The text, with `%NAMES%`.
        text: String,
        /// The name under which later calls find what came of it.
        into: String,
    },
    /// SendMessageTimeout(HWND_BROADCAST, WM_SETTINGCHANGE, "Environment"): whoever changed variables does
    /// this so that Explorer reads them.
    Broadcast,
    /// Explorer starts a program that waits for it ([`super::ProgramSetup::launched`]): a user clicks on its
    /// icon. The program inherits the block that Explorer has now.
    Launch {
        /// The program's name.
        program: String,
    },
    /// Looks for the file that a command name would run, from its own directory, block and the machine's
    /// files.
    Resolve {
        /// Who looks: a shell, or the system itself.
        by: Searcher,
        /// The command line as typed.
        command: String,
        /// The name under which later calls find the file.
        into: String,
    },
    /// An editor saves a text as a file.
    Save {
        /// The file's path.
        file: String,
        /// The text.
        text: String,
        /// The encoding's name: see [`super::encoding::Encoding`].
        #[serde(default = "utf8")]
        encoding: String,
    },
    /// Runs a tool that the models know, in its own directory and with its own block.
    Run {
        /// Its command line, divided at blanks.
        command: String,
    },
    /// `go env GOMODCACHE`, for releases before 1.15 too: where `go` keeps modules, by its own variables.
    ModuleCache {
        /// The release of Go.
        go: String,
        /// The name under which later calls find the directory.
        into: String,
    },
    /// A call on a disk of the machine, as whoever the program runs as.
    Disk(DiskCall),
    /// Sleep: lets virtual time pass.
    Sleep {
        /// How long.
        ms: u64,
    },
}

fn utf8() -> String {
    "utf-8".into()
}

/// Who looks for the file of a command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Searcher {
    /// cmd.exe.
    Cmd,
    /// Windows PowerShell 2.
    PowerShell2,
    /// CreateProcess with a command line and no application name.
    CreateProcess,
}

impl Searcher {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Searcher::Cmd => "cmd",
            Searcher::PowerShell2 => "powershell2",
            Searcher::CreateProcess => "create_process",
        }
    }
}

impl Call {
    /// The key that it is about.
    pub(super) fn key(&self) -> Option<&String> {
        match self {
            Call::CreateKey { key }
            | Call::QueryText { key, .. }
            | Call::SetText { key, .. }
            | Call::DeleteTree { key }
            | Call::Watch { key }
            | Call::DeleteValue { key, .. } => Some(key),
            _ => None,
        }
    }

    /// What it does to what, as the engine's keys and explanations name it.
    pub(super) fn verb_and_object(&self) -> (&'static str, String) {
        match self {
            Call::CreateKey { key } => ("create", key.clone()),
            Call::QueryText { key, value, .. } => ("query", format!("{key}\\{value}")),
            Call::SetText { key, value, .. } => ("set", format!("{key}\\{value}")),
            Call::DeleteValue { key, value } => ("delete", format!("{key}\\{value}")),
            Call::DeleteTree { key } => ("delete tree", key.clone()),
            Call::Import { file } => ("import", file.clone()),
            Call::Watch { key } => ("watch", key.clone()),
            Call::AwaitChange { .. } => ("await change", String::new()),
            Call::SetVariable { name, .. } => ("set variable", name.clone()),
            Call::Expand { text, .. } => ("expand", text.clone()),
            Call::Broadcast => ("broadcast", String::new()),
            Call::Launch { program } => ("launch", program.clone()),
            Call::Resolve { command, .. } => ("resolve", command.clone()),
            Call::Save { file, .. } => ("save", file.clone()),
            Call::Run { command } => ("run", command.clone()),
            Call::ModuleCache { go, .. } => ("module cache", go.clone()),
            Call::Disk(call) => (call.verb(), call.object()),
            Call::Sleep { .. } => ("sleep", String::new()),
        }
    }
}
