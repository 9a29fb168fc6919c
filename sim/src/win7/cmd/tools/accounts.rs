//! Accounts by name: LookupAccountSid and LookupAccountName, as far as a machine without a domain has them.

use crate::win7::cmd::sys::{Asked, Sys};
use crate::win7::machine::Machine;
use crate::win7::security::{Ace, Sid};

/// The name of an account, `PC\alice`, `BUILTIN\Users`; none for what nobody knows.
pub(super) fn name_of(machine: &Machine, sid: &Sid) -> Option<String> {
    let text = sid.to_string();
    let person = machine.accounts().iter().find(|person| person.sid == text);
    match person {
        Some(person) => Some(format!("{}\\{}", machine.computer().name, person.name)),
        None => Some(sid.account()).filter(|name| *name != text),
    }
}

/// The identifier of an account: `*S-1-...`, `PC\alice`, `alice`, `BUILTIN\Users`, `Users`, in any case.
pub(super) fn sid_of(machine: &Machine, name: &str) -> Option<Sid> {
    if let Some(sid) = name.strip_prefix('*') {
        return Sid::parse(sid);
    }
    let (domain, own) = match name.split_once('\\') {
        Some((domain, own)) => (Some(domain), own),
        None => (None, name),
    };
    let computer = machine.computer().name;
    if domain.is_none_or(|domain| domain.eq_ignore_ascii_case(&computer)) {
        let mut people = machine.accounts().iter();
        if let Some(person) = people.find(|person| person.name.eq_ignore_ascii_case(own)) {
            return Some(Sid::from(&*person.sid));
        }
    }
    match domain {
        Some(_) => Sid::named(name),
        None => Sid::named(own).or_else(|| {
            let domains = ["BUILTIN", "NT AUTHORITY", "NT SERVICE"];
            domains
                .iter()
                .find_map(|domain| Sid::named(&format!("{domain}\\{own}")))
        }),
    }
}

/// [`sid_of`] for a program.
pub(super) fn look_up(sys: &mut Sys<'_>, name: &str) -> Asked<Option<Sid>> {
    let name = name.to_owned();
    sys.local_operation(move |kernel, _, _| sid_of(kernel.machine, &name))
}

/// How a program shows an account: its name, or `S-1-...`.
pub(super) fn shown(machine: &Machine, sid: &Sid) -> String {
    name_of(machine, sid).unwrap_or_else(|| sid.to_string())
}

/// How a program shows whom each entry is about.
pub(super) fn shown_all(sys: &mut Sys<'_>, aces: &[Ace]) -> Asked<Vec<String>> {
    let sids: Vec<Sid> = aces.iter().map(|ace| ace.sid).collect();
    sys.local_operation(move |kernel, _, _| {
        let shown = sids.iter().map(|sid| shown(kernel.machine, sid));
        shown.collect()
    })
}
