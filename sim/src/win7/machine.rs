//! A Windows 7 SP1 x64: what a property test or a scenario builds, forks and asks.

mod hives;

use std::fmt;
use std::sync::Arc;

use super::environment::processes::{ENVIRONMENT, Error as ProcessError, Processes};
use super::environment::{Account, Computer, Stored, Value as Setting};
use super::files::Files;
use super::registry::reg_file::read_text;
use super::registry::{
    Bits, Caller, CreateOptions, KeyPath, Kind, Name, Registry, Standing, Value, units,
};
use super::security::{Sid, Token};
use super::text::{CodePages, Wide};

/// What the default machine has in its registry.
const DEFAULT: &str = include_str!("windows7.reg");

/// The security identifier of the default machine: those of its users begin with it (an example of the
/// documentation's).
const MACHINE_SID: &str = "S-1-5-21-1004336348-1177238915-682003330";

/// The account of a person: a name to call it by, and what its processes are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct UserAccount {
    /// The name, such as `alice`.
    pub name: String,
    /// The security identifier, which names its hive.
    pub sid: String,
    /// Whether it belongs to the administrators.
    pub is_administrator: bool,
}

/// A machine. A clone is a fork, and costs next to nothing.
///
/// ```
/// use faultlab_sim::win7::Machine;
///
/// let machine = Machine::windows_7()
///     .with_key("HKCU\\Environment", |key| key.expand_sz("Path", "%USERPROFILE%\\bin"))
///     .with_key("HKCU\\Software\\Go", |key| key.sz("root", "C:\\Go").dword("installed", 1));
/// let mut fork = machine.fork();
/// fork.set("HKCU\\Software\\Go", "root", "D:\\Go");
/// assert_eq!(machine.text("HKCU\\Software\\go", "ROOT").as_deref(), Some("C:\\Go"));
/// assert_eq!(fork.text("HKCU\\Software\\Go", "root").as_deref(), Some("D:\\Go"));
/// ```
///
/// Its processes have the environment that they inherited, whatever the registry holds by now:
///
/// ```
/// use faultlab_sim::win7::Machine;
/// use faultlab_sim::win7::environment::processes::Listening;
/// use faultlab_sim::win7::machine::EXPLORER;
/// use faultlab_sim::win7::registry::Bits;
///
/// let mut machine = Machine::windows_7();
/// machine.set("HKCU\\Environment", "GOROOT", "D:\\Go");
/// let mut start = |machine: &mut Machine, name: &str| {
///     let processes = machine.processes_mut();
///     processes.start(EXPLORER, name, Bits::Bits64, Listening::NoWindow).unwrap();
///     processes.get(name).unwrap().block.text("GOROOT")
/// };
/// assert_eq!(start(&mut machine, "old"), None);
/// assert_eq!(machine.broadcast("old").unwrap(), [EXPLORER]);
/// assert_eq!(start(&mut machine, "new").as_deref(), Some("D:\\Go"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    /// The registry.
    pub registry: Registry,
    /// The drives.
    pub files: Files,
    code_pages: CodePages,
    accounts: Arc<[UserAccount]>,
    /// Who acts where nobody is named.
    user: Caller,
    processes: Arc<Processes>,
    /// Hives that were loaded from files.
    hives: Arc<[hives::Loaded]>,
}

/// The name of the desktop of whoever is logged on, among the processes.
pub const EXPLORER: &str = "explorer.exe";

/// Where the machine's variables are kept.
pub const MACHINE_ENVIRONMENT: &str =
    "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment";

/// Folders of a profile, as Explorer's values call them.
const SHELL_FOLDERS: [(&str, &str); 7] = [
    ("AppData", "AppData\\Roaming"),
    ("Desktop", "Desktop"),
    ("Favorites", "Favorites"),
    ("Local AppData", "AppData\\Local"),
    ("Personal", "Documents"),
    (
        "Programs",
        "AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs",
    ),
    (
        "Startup",
        "AppData\\Roaming\\Microsoft\\Windows\\Start Menu\\Programs\\Startup",
    ),
];

impl Default for Machine {
    fn default() -> Machine {
        Machine::windows_7()
    }
}

impl Machine {
    /// The default machine: Windows 7 SP1 x64, English, system locale zh-CN (code page 936), with `alice`,
    /// a standard user, and `admin`, an administrator, who acts where nobody is named.
    pub fn windows_7() -> Machine {
        let account = |name: &str, rid: u32, is_administrator| UserAccount {
            name: name.into(),
            sid: format!("{MACHINE_SID}-{rid}"),
            is_administrator,
        };
        let accounts: Arc<[UserAccount]> =
            [account("admin", 1000, true), account("alice", 1001, false)].into();
        let users: Vec<&str> = accounts
            .iter()
            .map(|account| &*account.sid)
            .chain(["S-1-5-19", "S-1-5-20"])
            .collect();
        let mut machine = Machine {
            registry: Registry::with_hives(&users),
            files: Files::windows_7(
                &accounts
                    .iter()
                    .map(|account| (&*account.name, Sid::from(&*account.sid)))
                    .collect::<Vec<_>>(),
                CodePages::CHINA.oem(),
            ),
            code_pages: CodePages::CHINA,
            user: Caller::new(&accounts[0].sid, Standing::Administrator),
            accounts: accounts.clone(),
            processes: Arc::new(Processes::boot(Computer::default(), &Stored::default())),
            hives: [].into(),
        };
        let file = read_text(&units(DEFAULT), machine.code_pages.ansi())
            .expect("the file in the source is right");
        let caller = machine.user.clone();
        machine
            .registry
            .load(&caller, &file)
            .expect("the file in the source is right");
        for user in users.iter().chain(&[".DEFAULT"]) {
            machine = machine
                .with_key(&format!("HKU\\{user}\\Environment"), |key| {
                    key.expand_sz("TEMP", "%USERPROFILE%\\AppData\\Local\\Temp")
                        .expand_sz("TMP", "%USERPROFILE%\\AppData\\Local\\Temp")
                })
                .with_key(
                    &format!("HKU\\{user}\\Software\\Microsoft\\Windows\\CurrentVersion"),
                    |key| key,
                )
                .with_key(&format!("HKU\\{user}\\Control Panel\\Desktop"), |key| key);
        }
        for account in accounts.iter() {
            machine.write_logon(account);
        }
        let people = accounts.iter().map(|account| {
            let profile = Account::User(account.name.clone()).profile();
            (&*account.sid, profile)
        });
        for (hive, profile) in people.chain([(".DEFAULT", Account::LocalSystem.profile())]) {
            let explorer = "Software\\Microsoft\\Windows\\CurrentVersion\\Explorer";
            let key = format!("HKU\\{hive}\\{explorer}");
            for (name, below) in SHELL_FOLDERS {
                machine = machine
                    .with_key(&format!("{key}\\User Shell Folders"), |key| {
                        key.expand_sz(name, &format!("%USERPROFILE%\\{below}"))
                    })
                    .with_key(&format!("{key}\\Shell Folders"), |key| {
                        key.sz(name, &format!("{profile}\\{below}"))
                    });
            }
        }
        machine.write_hardware();
        machine.restart();
        machine
    }

    /// What a logon at the console writes for a person: the variables of that session, in volatile keys. (Windows
    /// writes them anew at each logon, and takes them away after it.)
    fn write_logon(&mut self, account: &UserAccount) {
        let computer = self.computer();
        let own = Account::User(account.name.clone()).core(&computer);
        let server = format!("\\\\{}", computer.name);
        let own = own.iter().filter(|(name, _)| {
            ["APPDATA", "LOCALAPPDATA"].contains(name)
                || name.starts_with("HOME")
                || name.starts_with("USER")
        });
        let of_session = [("SESSIONNAME", "Console".to_owned())];
        let values = own.cloned().chain([("LOGONSERVER", server)]);
        let key = format!("HKU\\{}\\Volatile Environment", account.sid);
        for (key, values) in [
            (key.clone(), values.collect::<Vec<_>>()),
            (format!("{key}\\1"), of_session.to_vec()),
        ] {
            self.make_volatile(&key);
            for (name, text) in values {
                self.set(&key, name, &*text);
            }
        }
    }

    /// What the kernel finds out about the hardware at each start, as far as scripts ask which processor this is.
    fn write_hardware(&mut self) {
        let mut key = "HKLM\\HARDWARE".to_owned();
        for below in ["DESCRIPTION", "System", "CentralProcessor", "0"] {
            key = format!("{key}\\{below}");
            self.make_volatile(&key);
        }
        for (name, text) in [
            ("Identifier", "Intel64 Family 6 Model 23 Stepping 10"),
            ("VendorIdentifier", "GenuineIntel"),
        ] {
            self.set(&key, name, text);
        }
    }

    fn make_volatile(&mut self, path: &str) {
        let path = KeyPath::from(path);
        let volatile = CreateOptions {
            volatile: true,
            ..CreateOptions::default()
        };
        let created = self.registry.create_key_with(&self.user, &path, volatile);
        created.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The machine starts anew, and whoever acts where nobody is named logs on: all blocks are built from
    /// what the registry holds now. Volatile keys stay, since nothing but environments is modelled of it.
    pub fn restart(&mut self) {
        let nobody = Account::LocalSystem;
        let mut processes = Processes::boot(self.computer(), &self.stored(&nobody));
        let user = match self.person() {
            Some(person) => person.name.clone(),
            None => self.accounts[0].name.clone(),
        };
        let stored = self.stored(&Account::User(user.clone()));
        processes
            .log_on(EXPLORER, &user, 1, &stored)
            .expect("nobody is logged on yet, and 1 is a session of people");
        self.processes = Arc::new(processes);
    }

    /// The person whose hive is that of whoever acts.
    fn person(&self) -> Option<&UserAccount> {
        let mut accounts = self.accounts.iter();
        accounts.find(|account| units(&account.sid) == self.user.hive())
    }

    /// What the computer gives to every block: its name, as the registry has it.
    pub fn computer(&self) -> Computer {
        let key = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName";
        let name = self.text(key, "ComputerName");
        Computer {
            name: name.unwrap_or_else(|| Computer::default().name),
            ..Computer::default()
        }
    }

    /// The processes.
    pub fn processes(&self) -> &Processes {
        &self.processes
    }

    /// The processes, to start one, to end one, or to change what one has.
    pub fn processes_mut(&mut self) -> &mut Processes {
        Arc::make_mut(&mut self.processes)
    }

    /// What the registry holds for environments: of the machine, and of an account.
    ///
    /// Nothing is stored for LocalSystem: the service manager takes no notice of `HKU\\.DEFAULT` (inferred,
    /// from its TEMP being that of the machine).
    pub fn stored(&self, account: &Account) -> Stored {
        let hive = match account {
            Account::LocalSystem => None,
            Account::LocalService => Some("S-1-5-19"),
            Account::NetworkService => Some("S-1-5-20"),
            Account::User(name) => {
                let person = self.accounts.iter().find(|person| person.name == *name);
                person.map(|person| &*person.sid)
            }
        };
        let of = |key: &str| {
            hive.map_or_else(Vec::new, |hive| {
                self.settings(&format!("HKU\\{hive}\\{key}"))
            })
        };
        Stored {
            machine: self.settings(MACHINE_ENVIRONMENT),
            user: of("Environment"),
            volatile: [of("Volatile Environment"), of("Volatile Environment\\1")].concat(),
        }
    }

    /// The values of an `Environment` key; none if it lacks.
    fn settings(&self, key: &str) -> Vec<(Wide, Setting)> {
        let system = self.caller("SYSTEM").expect("every machine has it");
        let values = self.registry.values(&system, &key.into());
        let setting = |value: &Value| match value.kind {
            Kind::SZ => Setting::Text(Wide::new(value.text_units())),
            Kind::EXPAND_SZ => Setting::Expand(Wide::new(value.text_units())),
            other => Setting::Other(other.0),
        };
        let values = values.unwrap_or_default();
        let named = |(name, value): &(Name, Value)| (Wide::from(name.units()), setting(value));
        values.iter().map(named).collect()
    }

    /// A process tells the windows of its session that the environment changed; Explorer, and who does as
    /// it does, read the registry anew. Returns who has a new block.
    ///
    /// # Errors
    /// No such process.
    pub fn broadcast(&mut self, sender: &str) -> Result<Vec<String>, ProcessError> {
        let machine = self.fork();
        self.processes_mut()
            .broadcast(sender, ENVIRONMENT, &mut |account| machine.stored(account))
    }

    /// Another machine that starts from the same state.
    pub fn fork(&self) -> Machine {
        self.clone()
    }

    /// The code pages.
    pub fn code_pages(&self) -> CodePages {
        self.code_pages
    }

    /// The same machine with other code pages.
    pub fn with_code_pages(self, code_pages: CodePages) -> Machine {
        let (ansi, oem) = (code_pages.ansi().number(), code_pages.oem().number());
        let key = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Nls\\CodePage";
        let machine = Machine { code_pages, ..self };
        machine.with_key(key, |key| {
            key.sz("ACP", &ansi.to_string())
                .sz("OEMCP", &oem.to_string())
        })
    }

    /// The accounts of people.
    pub fn accounts(&self) -> &[UserAccount] {
        &self.accounts
    }

    /// A 64-bit process of an account: `alice`, `admin` (elevated), `admin-filtered`, `SYSTEM`,
    /// `NetworkService`, `LocalService`.
    pub fn caller(&self, name: &str) -> Option<Caller> {
        let service = |hive, standing| Some(Caller::new(hive, standing));
        match name {
            "SYSTEM" => return service(".DEFAULT", Standing::Administrator),
            "LocalService" => return service("S-1-5-19", Standing::User),
            "NetworkService" => return service("S-1-5-20", Standing::User),
            _ => {}
        }
        let (plain, filtered) = match name.strip_suffix("-filtered") {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let account = self.accounts.iter().find(|account| account.name == plain)?;
        match account.is_administrator {
            true if !filtered => Some(Caller::new(&account.sid, Standing::Administrator)),
            true => {
                let token = Token::filtered_administrator(Sid::from(&*account.sid));
                Some(Caller::with_token(&account.sid, token))
            }
            false if filtered => None,
            _ => Some(Caller::new(&account.sid, Standing::User)),
        }
    }

    /// Who acts where nobody is named: `admin`, elevated, in 64-bit processes.
    pub fn user(&self) -> &Caller {
        &self.user
    }

    /// The same machine, with someone else acting where nobody is named.
    ///
    /// # Panics
    /// If there is no such account.
    pub fn acting_as(mut self, name: &str) -> Machine {
        self.user = self
            .caller(name)
            .unwrap_or_else(|| panic!("there is no account {name:?}"));
        self
    }

    /// The same machine, with 32-bit processes acting where nothing is said.
    pub fn acting_in(mut self, bits: Bits) -> Machine {
        self.user = self.user.of_bits(bits);
        self
    }

    /// The same machine with a key, its values, and the keys above it.
    ///
    /// # Panics
    /// If the system would refuse it.
    pub fn with_key(
        mut self,
        path: &str,
        values: impl FnOnce(KeyBuilder) -> KeyBuilder,
    ) -> Machine {
        let path = KeyPath::from(path);
        let done = self.registry.create_key(&self.user, &path);
        done.unwrap_or_else(|error| panic!("{path}: {error}"));
        let built = values(KeyBuilder {
            machine: self,
            path,
        });
        built.machine
    }

    /// A value as it is, if it is there.
    ///
    /// # Panics
    /// If the path begins with no root.
    pub fn get(&self, path: &str, name: &str) -> Option<Value> {
        self.registry.value(&self.user, &path.into(), name).ok()
    }

    /// A value's text as `reg query` shows it, if it is there.
    ///
    /// # Panics
    /// If the path begins with no root.
    pub fn text(&self, path: &str, name: &str) -> Option<String> {
        self.get(path, name).map(|value| value.shown())
    }

    /// Sets a value; the key is created if it lacks.
    ///
    /// # Panics
    /// If the system would refuse it.
    pub fn set(&mut self, path: &str, name: &str, value: impl Into<Value>) {
        let path = KeyPath::from(path);
        let created = self.registry.create_key(&self.user, &path);
        created.unwrap_or_else(|error| panic!("{path}: {error}"));
        let set = self
            .registry
            .set_value(&self.user, &path, name, value.into());
        set.unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

/// Prints as `reg query` would.
impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ansi, oem) = (self.code_pages.ansi(), self.code_pages.oem());
        writeln!(
            f,
            "Windows 7 SP1 x64, code pages {} (ANSI) and {} (OEM)",
            ansi.number(),
            oem.number()
        )?;
        self.registry.fmt(f)
    }
}

/// The values of a key of a machine.
pub struct KeyBuilder {
    machine: Machine,
    path: KeyPath,
}

impl KeyBuilder {
    /// A value of any kind.
    ///
    /// # Panics
    /// If the system would refuse it.
    pub fn value(mut self, name: &str, value: Value) -> KeyBuilder {
        let Machine { registry, user, .. } = &mut self.machine;
        let set = registry.set_value(user, &self.path, name, value);
        set.unwrap_or_else(|error| panic!("{}: {error}", self.path));
        self
    }

    /// REG_SZ.
    pub fn sz(self, name: &str, text: &str) -> KeyBuilder {
        self.value(name, Value::sz(text))
    }

    /// REG_EXPAND_SZ.
    pub fn expand_sz(self, name: &str, text: &str) -> KeyBuilder {
        self.value(name, Value::expand_sz(text))
    }

    /// REG_MULTI_SZ.
    pub fn multi_sz(self, name: &str, texts: &[&str]) -> KeyBuilder {
        self.value(name, Value::multi_sz(texts.iter().copied()))
    }

    /// REG_DWORD.
    pub fn dword(self, name: &str, number: u32) -> KeyBuilder {
        self.value(name, Value::dword(number))
    }

    /// REG_QWORD.
    pub fn qword(self, name: &str, number: u64) -> KeyBuilder {
        self.value(name, Value::qword(number))
    }

    /// REG_BINARY.
    pub fn binary(self, name: &str, data: &[u8]) -> KeyBuilder {
        self.value(name, Value::binary(data))
    }
}

/// REG_SZ.
impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::sz(text)
    }
}

/// REG_DWORD.
impl From<u32> for Value {
    fn from(number: u32) -> Value {
        Value::dword(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_finds_the_own_hive_under_hkcu() {
        let mut machine = Machine::windows_7();
        let alice = machine.caller("alice").expect("she is there");
        machine
            .registry
            .create_key(&alice, &"HKCU\\Software\\T".into())
            .expect("her own hive");
        let sees = |who: &str| {
            let caller = machine.caller(who).expect("an account");
            machine
                .registry
                .key(&caller, &"HKCU\\Software\\T".into())
                .is_some()
        };
        assert_eq!(
            ["alice", "admin", "admin-filtered", "SYSTEM"].map(sees),
            [true, false, false, false]
        );
        assert!(machine.caller("alice-filtered").is_none() && machine.caller("bob").is_none());
    }

    #[test]
    fn the_default_machine_prints_as_reg_query_would() {
        let text = format!("{:?}", Machine::windows_7());
        let expected = "\nHKEY_LOCAL_MACHINE\\SYSTEM\\ControlSet001\\Control\\Nls\\CodePage\n    ACP    REG_SZ    936\n";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn keys_of_the_control_set_are_one_by_two_names() {
        let mut machine = Machine::windows_7();
        machine.set("HKLM\\SYSTEM\\CurrentControlSet\\Control\\Lab", "a", "1");
        assert_eq!(
            machine
                .text("HKLM\\SYSTEM\\ControlSet001\\Control\\Lab", "a")
                .as_deref(),
            Some("1")
        );
        machine.set("HKCC\\Software\\Lab", "a", "2");
        let profile = "HKLM\\SYSTEM\\ControlSet001\\Hardware Profiles\\0001\\Software\\Lab";
        assert_eq!(machine.text(profile, "a").as_deref(), Some("2"));
    }
}
