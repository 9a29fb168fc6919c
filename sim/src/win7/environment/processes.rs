//! Who has which environment, and whom a change reaches.
//!
//! A change in the registry changes no process. Three programs read it: the service manager when the
//! machine starts, the logon when a user comes, and Explorer whenever a broadcast tells it that the
//! environment changed. Whatever else runs has a copy of what its parent had when it began. So a command
//! window that was open before a change does not know it, nor does an editor, nor what they start.

use std::collections::BTreeMap;

use super::{Account, Block, Computer, Stored, create_block};
use crate::win7::registry::Bits;
use crate::win7::text::Wide;

/// The text that WM_SETTINGCHANGE (0x001A) carries in lParam when the environment changed.
pub const ENVIRONMENT: &str = "Environment";

/// A process, by a name of the caller's choice.
pub type Name = String;

/// A session: 0 for services, 1 and up for people.
pub type Session = u32;

/// What a process does with a broadcast.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Listening {
    /// It has no window of its own: a console program (the window belongs to conhost), a service.
    NoWindow,
    /// It has a window, which passes the message to DefWindowProc: most programs.
    Ignores,
    /// It builds its own block anew from the registry: Explorer, and the few programs that do as it does.
    Rebuilds,
}

/// One process.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Process {
    /// Its parent, and none for what the system starts.
    pub parent: Option<Name>,
    /// Whose token it has.
    pub account: Account,
    /// Its session.
    pub session: Session,
    /// Its bitness.
    pub bits: Bits,
    /// What it does with a broadcast.
    pub listening: Listening,
    /// Its working directory, full.
    pub directory: Wide,
    /// Its variables.
    pub block: Block,
}

/// What cannot be started or found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// No process of this name.
    NoSuchProcess(Name),
    /// There is one already.
    Exists(Name),
    /// A user in session 0, or a service elsewhere.
    WrongSession(Session),
}

/// The processes of a machine that has started.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Processes {
    computer: Computer,
    all: BTreeMap<Name, Process>,
}

/// Where what the system starts works.
const SYSTEM32: &str = "C:\\Windows\\system32";

/// The name of the service manager among [`Processes`].
pub const SERVICES: &str = "services.exe";

impl Processes {
    /// The machine starts: the service manager builds its block from what the registry holds now, without
    /// any user.
    pub fn boot(computer: Computer, stored: &Stored) -> Processes {
        let machine = Stored {
            machine: stored.machine.clone(),
            ..Stored::default()
        };
        let mut processes = Processes {
            computer,
            all: BTreeMap::new(),
        };
        let block = processes.build(&Account::LocalSystem, &machine);
        let service_manager = Process {
            parent: None,
            account: Account::LocalSystem,
            session: 0,
            bits: Bits::Bits64,
            listening: Listening::NoWindow,
            directory: SYSTEM32.into(),
            block,
        };
        processes.all.insert(SERVICES.into(), service_manager);
        processes
    }

    /// A user logs on: Explorer, by this name, with a fresh block.
    ///
    /// # Errors
    /// Session 0 is closed to users (since Vista); a name is taken.
    pub fn log_on(
        &mut self,
        name: &str,
        user: &str,
        session: Session,
        stored: &Stored,
    ) -> Result<(), Error> {
        if session == 0 {
            return Err(Error::WrongSession(session));
        }
        let account = Account::User(user.into());
        let block = self.build(&account, stored);
        let explorer = Process {
            parent: None,
            session,
            bits: Bits::Bits64,
            listening: Listening::Rebuilds,
            directory: Wide::from(&*account.profile()),
            account,
            block,
        };
        self.insert(name, explorer)
    }

    /// CreateProcess without an environment: the child has a copy of its parent's, fitted to its bitness.
    ///
    /// # Errors
    /// No such parent; a name is taken.
    pub fn start(
        &mut self,
        parent: &str,
        name: &str,
        bits: Bits,
        listening: Listening,
    ) -> Result<(), Error> {
        let starting = self.get(parent)?;
        let block = match bits == starting.bits {
            true => starting.block.clone(),
            false => starting.block.for_bits(bits),
        };
        let child = Process {
            parent: Some(parent.into()),
            bits,
            listening,
            block,
            ..starting.clone()
        };
        self.insert(name, child)
    }

    /// The service manager starts a service: its own variables from its start, the account's, and those of
    /// the service's `Environment` value (REG_MULTI_SZ of `name=value`).
    ///
    /// `stored.machine` is not looked at: see the table of [`super`] for how sure that is.
    ///
    /// # Errors
    /// A name is taken.
    pub fn start_service(
        &mut self,
        name: &str,
        account: Account,
        stored: &Stored,
        own: &[(Wide, Wide)],
    ) -> Result<(), Error> {
        let manager = self.get(SERVICES)?;
        let mut block = manager.block.clone();
        let user = Stored {
            user: stored.user.clone(),
            ..Stored::default()
        };
        let computer = self.computer.clone();
        for (variable, value) in account.core(&computer) {
            let _ = block.set(&variable.into(), &Wide::from(&*value));
        }
        super::build::store(&mut block, &user.user, true);
        for (variable, value) in own {
            let _ = block.set(variable, value);
        }
        let service = Process {
            parent: Some(SERVICES.into()),
            session: if account.is_service() {
                0
            } else {
                manager.session
            },
            account,
            bits: Bits::Bits64,
            listening: Listening::NoWindow,
            directory: SYSTEM32.into(),
            block,
        };
        self.insert(name, service)
    }

    /// SendMessageTimeout(HWND_BROADCAST, WM_SETTINGCHANGE, 0, area): the message goes to the windows of
    /// the sender's session; those that heed [`ENVIRONMENT`] read the registry. `stored` is asked for what
    /// the registry holds for an account. Returns who has a new block.
    ///
    /// # Errors
    /// No such sender.
    pub fn broadcast(
        &mut self,
        sender: &str,
        area: &str,
        stored: &mut dyn FnMut(&Account) -> Stored,
    ) -> Result<Vec<Name>, Error> {
        let session = self.get(sender)?.session;
        let reached = |process: &Process| {
            process.session == session
                && process.listening == Listening::Rebuilds
                && area == ENVIRONMENT
        };
        let names: Vec<Name> = self
            .all
            .iter()
            .filter(|(_, process)| reached(process))
            .map(|(name, _)| name.clone())
            .collect();
        for name in &names {
            let account = self.all[name].account.clone();
            let block = self.build(&account, &stored(&account));
            self.all.get_mut(name).expect("it was just found").block = block;
        }
        Ok(names)
    }

    /// A process.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn get(&self, name: &str) -> Result<&Process, Error> {
        self.all
            .get(name)
            .ok_or_else(|| Error::NoSuchProcess(name.into()))
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Process)> {
        self.all.iter()
    }

    /// SetCurrentDirectory: a process goes elsewhere. Its children begin there.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn change_directory(&mut self, name: &str, directory: Wide) -> Result<(), Error> {
        let process = self.all.get_mut(name);
        let process = process.ok_or_else(|| Error::NoSuchProcess(name.into()))?;
        process.directory = directory;
        Ok(())
    }

    /// A process sets or removes a variable of its own: nobody else's changes.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn block_mut(&mut self, name: &str) -> Result<&mut Block, Error> {
        let process = self
            .all
            .get_mut(name)
            .ok_or_else(|| Error::NoSuchProcess(name.into()))?;
        Ok(&mut process.block)
    }

    /// A process ends. Its children stay.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn end(&mut self, name: &str) -> Result<(), Error> {
        self.all
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| Error::NoSuchProcess(name.into()))
    }

    fn insert(&mut self, name: &str, process: Process) -> Result<(), Error> {
        if self.all.contains_key(name) {
            return Err(Error::Exists(name.into()));
        }
        self.all.insert(name.into(), process);
        Ok(())
    }

    fn build(&self, account: &Account, stored: &Stored) -> Block {
        create_block(
            &self.computer,
            stored,
            &account.core_variables(&self.computer),
        )
    }
}
