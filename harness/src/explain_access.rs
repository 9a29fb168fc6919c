//! `explain-access`: the way of an access check, entry by entry.

use faultlab_sim::win7::Machine;
use faultlab_sim::win7::files::Actor;
use faultlab_sim::win7::registry::{Access, KeyPath, units};
use faultlab_sim::win7::security::{Descriptor, Kind, Mask, explain};

use crate::cli::ExplainAccess;
use crate::console;
use crate::exit::Exit;
use crate::failure::{Failure, Result};

/// Runs the command. The exit code is 0 whether access is granted or not: both are answers.
///
/// # Errors
/// If there is no such user, object or descriptor, or the output cannot be written.
pub fn run(args: &ExplainAccess) -> Result<Exit> {
    let machine = Machine::windows_7();
    let caller = machine.caller(&args.user).ok_or_else(|| {
        let known = "alice, admin, admin-filtered, SYSTEM, LocalService or NetworkService";
        Failure::bad_input(format!("there is no account {:?}: use {known}", args.user))
    })?;
    let digits = args.access.strip_prefix("0x").unwrap_or(&args.access);
    let access = u32::from_str_radix(digits, 16)
        .map_err(|_| Failure::bad_input(format!("{:?} is no mask in hexadecimal", args.access)))?;
    let key = KeyPath::parse(&args.object).ok();
    let kind = if key.is_some() { Kind::Key } else { Kind::File };
    let nowhere = |error: String| Failure::bad_input(format!("{}: {error}", args.object));
    let actor = Actor::new(caller.token());
    let path = units(&args.object);
    let (descriptor, explanation) = match (&args.sddl, &key) {
        (Some(sddl), _) => {
            let read = Descriptor::parse(sddl)
                .map_err(|error| Failure::bad_input(format!("{sddl:?}: {error}")))?;
            let told = explain(caller.token(), &read, None, kind, Mask(access));
            (Some(read), told)
        }
        (None, Some(key)) => {
            let told = machine
                .registry
                .explain_access(&caller, key, Access(access))
                .map_err(|error| nowhere(error.to_string()))?;
            let key = machine.registry.key(&caller, key);
            let descriptor = key.and_then(|key| key.descriptor().map(|own| (**own).clone()));
            (descriptor, told)
        }
        (None, None) => {
            let told = machine
                .files
                .explain_access(&actor, &path, Mask(access))
                .map_err(|failure| nowhere(failure.to_string()))?;
            let node = machine.files.look(&args.object);
            (node.map(|node| (**node.descriptor()).clone()), told)
        }
    };
    let shown = descriptor.map_or_else(String::new, |descriptor| format!("{descriptor:?}\n\n"));
    console::print(&format!(
        "{} as {}\n{shown}{explanation}",
        args.object, args.user
    ))?;
    Ok(Exit::AsRecorded)
}
