//! The operations `reg.*`.

use faultlab_sim::win7::registry::reg_file;
use faultlab_sim::win7::registry::steps::Import;
use faultlab_sim::win7::registry::{
    Access, Caller, CreateOptions, Disposition, Event, Filter, KeyPath, Kind, Value, units,
};

use super::request::failed;
use super::windows_security::descriptor;
use super::{Bad, Body, Mutation, Operation, Refusal, Request, Session};

type Done = Result<(), Refusal>;

/// By name.
pub const OPS: &[(&str, Operation)] = &[
    ("reg.get", get),
    ("reg.set", set),
    ("reg.open", open),
    ("reg.create", create),
    ("reg.keys", keys),
    ("reg.values", values),
    ("reg.delete_key", delete_key),
    ("reg.delete_tree", delete_tree),
    ("reg.delete_value", delete_value),
    ("reg.import", import),
    ("reg.export", export),
    ("reg.watch", watch),
    ("reg.fired", fired),
    ("reg.security", security),
    ("reg.set_security", set_security),
];

/// A request's key, and who asks for it in which view.
fn key(session: &Session, request: &Request<'_>) -> Result<(Caller, KeyPath), Bad> {
    let text = without_nul(request, "key", request.text("key")?)?;
    let path = KeyPath::parse(text).map_err(|unknown| request.bad("key", unknown.to_string()))?;
    let caller = session.caller(request)?;
    let view = request.maybe_bits("view")?;
    Ok(match session.mutation() {
        Some(Mutation::Wow64Views) => (caller, path),
        _ => (caller.in_view(view), path),
    })
}

fn name<'a>(request: &'a Request<'_>) -> Result<&'a str, Bad> {
    without_nul(request, "name", request.text("name")?)
}

/// A name ends at its first NUL, so nothing can be asked about one that has a NUL in it.
fn without_nul<'a>(request: &Request<'_>, field: &str, text: &'a str) -> Result<&'a str, Bad> {
    match text.contains('\0') {
        true => Err(request.bad(field, format!("{field:?} holds a NUL, which ends it"))),
        false => Ok(text),
    }
}

fn get(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "name"])?;
    let (caller, path) = key(session, request)?;
    let value = session
        .machine
        .registry
        .value(&caller, &path, name(request)?)?;
    body.number("type", value.kind.0.into());
    body.hex("data", &value.data);
    Ok(())
}

fn set(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "name", "type", "data"])?;
    let (caller, path) = key(session, request)?;
    let value = Value::new(Kind(request.number("type")?), request.hex("data")?);
    Ok(session
        .machine
        .registry
        .set_value(&caller, &path, name(request)?, value)?)
}

fn open(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "access"])?;
    let (caller, path) = key(session, request)?;
    let access = request.maybe_mask("access")?.map_or(Access::READ, Access);
    session
        .machine
        .registry
        .check_open(&caller, &path, access)?;
    Ok(())
}

fn create(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "volatile", "sddl"])?;
    let (caller, path) = key(session, request)?;
    let descriptor = match request.has("sddl") {
        true => Some(descriptor(request, "sddl")?.into()),
        false => None,
    };
    let options = CreateOptions {
        volatile: request.flag("volatile")?,
        descriptor,
        ..CreateOptions::default()
    };
    let disposition = session
        .machine
        .registry
        .create_key_with(&caller, &path, options)?;
    body.text(
        "disposition",
        match disposition {
            Disposition::Created => "created",
            Disposition::Opened => "opened",
        },
    );
    Ok(())
}

fn keys(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view"])?;
    let (caller, path) = key(session, request)?;
    let names = session.machine.registry.key_names(&caller, &path)?;
    body.list_of_units("names", names.iter().map(|name| name.units()));
    Ok(())
}

fn values(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view"])?;
    let (caller, path) = key(session, request)?;
    let values = session.machine.registry.values(&caller, &path)?;
    body.list("values", values, |(name, value), body| {
        body.units("name", name.units());
        body.number("type", value.kind.0.into());
    });
    Ok(())
}

fn delete_key(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    request.knows(&["key", "view"])?;
    let (caller, path) = key(session, request)?;
    Ok(session.machine.registry.delete_key(&caller, &path)?)
}

fn delete_tree(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    request.knows(&["key", "view"])?;
    let (caller, path) = key(session, request)?;
    Ok(session.machine.registry.delete_tree(&caller, &path)?)
}

fn delete_value(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "name"])?;
    let (caller, path) = key(session, request)?;
    Ok(session
        .machine
        .registry
        .delete_value(&caller, &path, name(request)?)?)
}

fn import(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["text", "bytes", "view"])?;
    let caller = session
        .caller(request)?
        .in_view(request.maybe_bits("view")?);
    let ansi = session.machine.code_pages().ansi();
    let read = match request.maybe_text("text")? {
        Some(text) => reg_file::read_text(&units(text), ansi),
        None => reg_file::read(&request.hex("bytes")?, ansi),
    };
    // reg.exe says that it is no script and exits with 1; no Win32 code is known.
    let file = read.map_err(|_| failed(13, "ERROR_INVALID_DATA"))?;
    let imported = Import::new(file).run(&mut session.machine.registry, &caller);
    body.number("applied", imported.applied.into());
    Ok(())
}

fn export(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view"])?;
    let (caller, path) = key(session, request)?;
    body.units(
        "text",
        &reg_file::export(&session.machine.registry, &caller, &path)?,
    );
    Ok(())
}

fn watch(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "filter", "subtree"])?;
    let (caller, path) = key(session, request)?;
    let (filter, subtree) = (Filter(request.number("filter")?), request.flag("subtree")?);
    let registry = &mut session.machine.registry;
    let handle = registry.open(&caller, path.root, &path.sub, Access::NOTIFY)?;
    let event = Event(session.watches + 1);
    if let Err(error) = registry.notify(handle, subtree, filter, event) {
        registry.close(handle)?;
        return Err(error.into());
    }
    session.watches = event.0;
    body.number("watch", event.0.into());
    Ok(())
}

fn fired(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["watch"])?;
    let event = Event(request.number("watch")?);
    if event.0 == 0 || event.0 > session.watches {
        return Err(failed(6, "ERROR_INVALID_HANDLE"));
    }
    body.flag("fired", session.machine.registry.take_signal(event));
    Ok(())
}

fn security(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["key", "view"])?;
    let (caller, path) = key(session, request)?;
    let descriptor = session.machine.registry.security(&caller, &path)?;
    body.text("sddl", &descriptor.sddl());
    Ok(())
}

fn set_security(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    request.knows(&["key", "view", "sddl"])?;
    let (caller, path) = key(session, request)?;
    let new = descriptor(request, "sddl")?;
    let registry = &mut session.machine.registry;
    Ok(registry.set_security(&caller, &path, &new)?)
}
