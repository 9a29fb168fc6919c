//! Things of a machine in words, for whoever looks at what a record was about.

use crate::engine::{Seen, shown};

use super::machine::Machine;
use super::ntfs::{Attributes, Node};
use super::registry::Root;
use super::registry::{Caller, KeyPath, Name, Value};

/// A value, as `caller`, whose account is `user`, sees it.
pub fn value(machine: &Machine, caller: &Caller, user: &str, key: &KeyPath, name: &str) -> Seen {
    let found = machine.registry.key(caller, key);
    let found = found.and_then(|key| key.value(&Name::from(name)).map(Value::shown));
    let name = match name {
        "" => "(Default)",
        name => name,
    };
    Seen::new(format!("{}\\{name}{}", short(key), whose(user, key)), found)
}

/// A key, as `caller`, whose account is `user`, sees it.
pub fn key(machine: &Machine, caller: &Caller, user: &str, key: &KeyPath) -> Seen {
    let found = machine.registry.key(caller, key).map(|key| {
        let (values, keys) = (key.value_count(), key.key_count());
        format!("a key with {values} values and {keys} keys")
    });
    Seen::new(format!("{}{}", short(key), whose(user, key)), found)
}

/// A file or directory by its full path.
pub fn file(machine: &Machine, full: &str) -> Seen {
    Seen::new(
        format!("file {full}"),
        machine.files.look(full).map(describe),
    )
}

/// A variable of a process that the machine knows by name.
pub fn variable(machine: &Machine, process: &str, name: &str) -> Seen {
    let found = machine.processes().get(process).ok();
    let value = found.and_then(|process| process.block.text(name));
    Seen::new(variable_of(process, name), value)
}

/// What a variable of a process is called.
pub fn variable_of(process: &str, name: &str) -> String {
    format!("%{name}% of {process}")
}

/// A key with the short name of its root.
fn short(key: &KeyPath) -> String {
    key.to_string()
        .replacen(key.root.long_name(), key.root.short_name(), 1)
}

/// Whose key it is, where that is another one for each user.
fn whose(user: &str, key: &KeyPath) -> String {
    match key.root == Root::CurrentUser && user != "admin" {
        true => format!(" of {user}"),
        false => String::new(),
    }
}

fn describe(node: &Node) -> String {
    let mut text = match node.content() {
        _ if node.is_directory() => format!("directory of {} entries", node.len()),
        Some(content) if node.is_listed() => format!("file of {} bytes", content.len()),
        Some(content) => shown(content),
        None => "file".into(),
    };
    if node.attributes().has(Attributes::READONLY) {
        text += ", read-only";
    }
    format!("{text}\n{}", node.descriptor().sddl())
}
