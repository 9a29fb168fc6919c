//! `reg save`, `restore`, `load`, `unload`: hives in files.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `save` takes SeBackupPrivilege, the others SeRestorePrivilege: administrators have both | documentation of RegSaveKey, RegLoadKey | yes |
//! | `save` asks before it overwrites, but with `/y` | reg save /? | yes; its words from `export` |
//! | `restore` replaces all that a key holds; the key must be there | pg-fl.jp, "Reg Restore" | yes |
//! | `load` and `unload` take keys right below HKLM and HKU | pg-fl.jp, "Reg Load" | yes; the error of others from memory |

use super::command::Hive;
use super::{OVERWRITE_FILE, Reply, ask, cancelled, done, failed};
use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::registry::error::Win32;
use crate::win7::security::Privilege;

const NO_PRIVILEGE: Win32 = Win32 {
    code: 1314,
    name: "ERROR_PRIVILEGE_NOT_HELD",
};

pub(super) fn run(sys: &mut Sys<'_>, hive: &Hive) -> Asked<u32> {
    let needed = match hive {
        Hive::Save { .. } => Privilege::Backup,
        _ => Privilege::Restore,
    };
    if !sys.about.caller.token().held.has(needed) {
        return failed(sys, NO_PRIVILEGE);
    }
    let result = match hive {
        Hive::Save {
            target,
            file,
            force,
        } => {
            let caller = sys.caller(target.view);
            let bytes = match sys.reg_hive(&caller, &target.path)? {
                Ok(bytes) => bytes,
                Err(error) => return failed(sys, error),
            };
            if !force && sys.attributes(file)?.is_ok() {
                let name = String::from_utf16_lossy(file);
                if ask(sys, &OVERWRITE_FILE, &name, false)? == Reply::No {
                    return cancelled(sys);
                }
            }
            sys.write_file(file, &bytes)?
        }
        Hive::Restore { target, file } => {
            let caller = sys.caller(target.view);
            match sys.read_file(file)? {
                Ok(bytes) => sys.reg_restore(&caller, &target.path, bytes)?,
                Err(error) => Err(error),
            }
        }
        Hive::Load { key, file } => sys.reg_load(key, file)?,
        Hive::Unload { key } => sys.reg_unload(key)?,
    };
    match result {
        Ok(()) => done(sys),
        Err(error) => failed(sys, error),
    }
}
