//! CreateEnvironmentBlock: from what is stored to a block.

use super::{Block, Wide};

/// What a registry value of an `Environment` key says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Value {
    /// REG_SZ (1): taken as it stands.
    Text(Wide),
    /// REG_EXPAND_SZ (2): expanded while the block is built.
    Expand(Wide),
    /// Another type, by number: no variable.
    Other(u32),
}

/// What the registry holds for environments, in the order of the values.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Stored {
    /// `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`.
    pub machine: Vec<(Wide, Value)>,
    /// `HKCU\Environment` of the account.
    pub user: Vec<(Wide, Value)>,
    /// `HKCU\Volatile Environment` and its subkey of the session: LOGONSERVER, SESSIONNAME. The logon writes
    /// them, so services have none.
    pub volatile: Vec<(Wide, Value)>,
}

/// What the computer itself gives to every block.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Computer {
    /// Its name.
    pub name: String,
    /// The workgroup or domain of the computer's own accounts.
    pub workgroup: String,
}

impl Default for Computer {
    fn default() -> Computer {
        Computer {
            name: "WIN7".into(),
            workgroup: "WORKGROUP".into(),
        }
    }
}

impl Computer {
    /// Step 1: what values of the machine may refer to. COMPUTERNAME and ProgramFiles come only with step 4.
    pub fn core(&self) -> Vec<(&'static str, String)> {
        [
            ("ALLUSERSPROFILE", "C:\\ProgramData"),
            ("ProgramData", "C:\\ProgramData"),
            ("PUBLIC", "C:\\Users\\Public"),
            ("SystemDrive", "C:"),
            ("SystemRoot", "C:\\Windows"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .to_vec()
    }
}

/// For whom a block is built.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Account {
    /// Someone who logs on, with a profile below `C:\Users`.
    User(String),
    /// LocalSystem, S-1-5-18.
    LocalSystem,
    /// LocalService, S-1-5-19.
    LocalService,
    /// NetworkService, S-1-5-20.
    NetworkService,
}

impl Account {
    /// The folder of its profile.
    pub fn profile(&self) -> String {
        match self {
            Account::User(name) => format!("C:\\Users\\{name}"),
            Account::LocalSystem => "C:\\Windows\\system32\\config\\systemprofile".into(),
            Account::LocalService => "C:\\Windows\\ServiceProfiles\\LocalService".into(),
            Account::NetworkService => "C:\\Windows\\ServiceProfiles\\NetworkService".into(),
        }
    }

    /// Its core variables, as [`create_block`] takes them.
    pub fn core_variables(&self, computer: &Computer) -> Vec<(Wide, Wide)> {
        let core = self.core(computer).into_iter();
        core.map(|(name, value)| (name.into(), Wide::from(&*value)))
            .collect()
    }

    /// Whether it runs in session 0, where no desktop is.
    pub fn is_service(&self) -> bool {
        !matches!(self, Account::User(_))
    }

    /// Steps 4 and 7: what the account brings, by name.
    pub fn core(&self, computer: &Computer) -> Vec<(&'static str, String)> {
        let profile = self.profile();
        let path = profile.trim_start_matches("C:").to_owned();
        let (user, domain) = match self {
            Account::User(name) => (name.clone(), computer.name.clone()),
            Account::LocalSystem => (format!("{}$", computer.name), computer.workgroup.clone()),
            Account::LocalService => ("LOCAL SERVICE".into(), "NT AUTHORITY".into()),
            // As LocalSystem, it is the computer to the network.
            Account::NetworkService => (format!("{}$", computer.name), computer.workgroup.clone()),
        };
        let mut variables = vec![
            ("APPDATA", format!("{profile}\\AppData\\Roaming")),
            ("COMPUTERNAME", computer.name.clone()),
            (
                "CommonProgramFiles",
                "C:\\Program Files\\Common Files".into(),
            ),
            (
                "CommonProgramFiles(x86)",
                "C:\\Program Files (x86)\\Common Files".into(),
            ),
            (
                "CommonProgramW6432",
                "C:\\Program Files\\Common Files".into(),
            ),
            ("LOCALAPPDATA", format!("{profile}\\AppData\\Local")),
            ("ProgramFiles", "C:\\Program Files".into()),
            ("ProgramFiles(x86)", "C:\\Program Files (x86)".into()),
            ("ProgramW6432", "C:\\Program Files".into()),
            ("USERDOMAIN", domain),
            ("USERNAME", user),
            ("USERPROFILE", profile),
        ];
        if !self.is_service() {
            variables.push(("HOMEDRIVE", "C:".into()));
            variables.push(("HOMEPATH", path));
        }
        variables
    }
}

/// CreateEnvironmentBlock, without inheritance: the seven steps. `core` holds what steps 4 and 7 set (as
/// [`Account::core`] gives it).
///
/// ```
/// use faultlab_sim::win7::environment::{Computer, Stored, Value, create_block};
///
/// let stored = Stored {
///     machine: vec![("Path".into(), Value::Expand("%SystemRoot%".into()))],
///     user: vec![("PATH".into(), Value::Expand("%USERPROFILE%\\go\\bin".into()))],
///     ..Stored::default()
/// };
/// let core = [("USERPROFILE", "C:\\Users\\alice")].map(|(name, value)| (name.into(), value.into()));
/// let block = create_block(&Computer::default(), &stored, &core);
/// assert_eq!(block.text("Path").unwrap(), "C:\\Windows;C:\\Users\\alice\\go\\bin");
/// ```
pub fn create_block(computer: &Computer, stored: &Stored, core: &[(Wide, Wide)]) -> Block {
    let mut block = Block::default();
    // 1: core variables of the system.
    for (name, value) in computer.core() {
        let _ = block.set(&name.into(), &Wide::from(&*value));
    }
    // 2 and 3: the machine's values.
    store(&mut block, &stored.machine, false);
    // 4: core variables of the user.
    for (name, value) in core {
        let _ = block.set(name, value);
    }
    // 5 and 6: the user's values, and those of the logon.
    store(&mut block, &stored.user, true);
    store(&mut block, &stored.volatile, true);
    // 7: who the account is, whatever the values say.
    let account =
        ["USERDNSDOMAIN", "USERDOMAIN", "USERNAME"].map(|name| Wide::from(name).to_upcase());
    for (name, value) in core {
        if account.contains(&name.to_upcase()) {
            let _ = block.set(name, value);
        }
    }
    block
}

/// Two steps: the texts as they stand, then those to expand, all of them against what is there before.
pub(super) fn store(block: &mut Block, values: &[(Wide, Value)], of_user: bool) {
    for (name, value) in values {
        if let Value::Text(text) = value {
            put(block, name, text, of_user);
        }
    }
    let before = block.clone();
    for (name, value) in values {
        if let Value::Expand(text) = value {
            put(block, name, &before.expand(text), of_user);
        }
    }
}

/// Sets a variable, or appends to one of the three that are lists.
fn put(block: &mut Block, name: &Wide, value: &Wide, of_user: bool) {
    let upper = name.to_upcase();
    let lists = ["PATH", "LIBPATH", "OS2LIBPATH"].map(Wide::from);
    let old = block.get(name).filter(|old| !old.is_empty());
    match old {
        Some(old) if of_user && lists.contains(&upper) => {
            let joined = [old.units(), &[u16::from(b';')], value.units()].concat();
            // Too long for a variable: it stays as it was.
            let _ = block.set(name, &Wide::new(joined));
        }
        _ => drop(block.set(name, value)),
    }
}
