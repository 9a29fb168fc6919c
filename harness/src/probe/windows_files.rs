//! `path.*`: the Win32 path layer by itself. `fs.*`: files and directories.

use faultlab_sim::win7::files::{Actor, Failure};
use faultlab_sim::win7::path::{device_name, is_legal_8dot3, path_type};
use faultlab_sim::win7::registry::{Caller, Win32, units};

use super::windows_security::descriptor;
use super::{Bad, Body, Operation, Refusal, Request, Session};

type Done = Result<(), Refusal>;

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[
    ("path.type", kind),
    ("path.device", device),
    ("path.full", full),
    ("path.is_8dot3", is_8dot3),
    ("fs.make_tree", make_tree),
    ("fs.create_file", create_file),
    ("fs.create_dir", create_dir),
    ("fs.attributes", attributes),
    ("fs.delete_file", delete_file),
    ("fs.remove_dir", remove_dir),
    ("fs.set_cwd", set_cwd),
    ("fs.full_name", full_name),
    ("fs.long_name", long_name),
    ("fs.short_name", short_name),
    ("fs.security", security),
    ("fs.set_security", set_security),
];

fn failed<E: Into<Win32>>(failure: Failure<E>) -> Refusal {
    Refusal::Failed(failure.win32())
}

fn path(request: &Request<'_>) -> Result<Vec<u16>, Bad> {
    Ok(units(request.text("path")?))
}

/// Who asks, for which path, in which directory.
struct Asked {
    caller: Caller,
    path: Vec<u16>,
    directory: Vec<u16>,
}

impl Asked {
    /// Reads a request that has these fields beside the path.
    fn new(session: &Session, request: &Request<'_>, beside: &[&str]) -> Result<Asked, Refusal> {
        let known: Vec<&str> = ["path", "cwd"].iter().chain(beside).copied().collect();
        request.knows(&known)?;
        Ok(Asked {
            caller: session.caller(request)?,
            path: path(request)?,
            directory: match request.maybe_text("cwd")? {
                Some(directory) => units(directory),
                None => session.directory.clone(),
            },
        })
    }

    fn actor(&self) -> Actor<'_> {
        Actor::new(self.caller.token()).at(&self.directory)
    }
}

fn kind(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["path"])?;
    body.number("type", path_type(&path(request)?) as u64);
    Ok(())
}

fn device(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["path"])?;
    // In bytes, as the call has them.
    let (offset, len) = device_name(&path(request)?).map_or((0, 0), |device| {
        (2 * device.offset as u64, 2 * device.len as u64)
    });
    body.number("offset", offset);
    body.number("length", len);
    Ok(())
}

fn full(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let full = session
        .machine
        .files
        .full_name(&asked.actor(), &asked.path)
        .map_err(Win32::from)?;
    body.units("full", &full.path);
    match full.file() {
        Some(file) => body.units("file_part", file),
        None => body.maybe_text("file_part", None),
    }
    Ok(())
}

fn is_8dot3(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    request.knows(&["name"])?;
    let oem = session.machine.code_pages().oem();
    let legal = is_legal_8dot3(&units(request.text("name")?), oem);
    body.flag("legal", legal.is_some());
    body.maybe_flag("has_spaces", legal.map(|legal| legal.has_spaces));
    Ok(())
}

fn make_tree(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let made = session.machine.files.make_tree(&asked.actor(), &asked.path);
    Ok(made?)
}

fn create_file(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &["content"])?;
    let content = request.maybe_text("content")?.unwrap_or_default();
    let files = &mut session.machine.files;
    files
        .write_file(&asked.actor(), &asked.path, content.as_bytes())
        .map_err(failed)
}

fn create_dir(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &mut session.machine.files;
    files
        .create_directory(&asked.actor(), &asked.path, None)
        .map_err(failed)
}

fn attributes(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &session.machine.files;
    let attributes = files
        .attributes(&asked.actor(), &asked.path)
        .map_err(failed)?;
    body.number("attributes", attributes.0.into());
    Ok(())
}

fn delete_file(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &mut session.machine.files;
    files
        .delete_file(&asked.actor(), &asked.path)
        .map_err(failed)
}

fn remove_dir(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &mut session.machine.files;
    files
        .remove_directory(&asked.actor(), &asked.path)
        .map_err(failed)
}

fn set_cwd(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &session.machine.files;
    let directory = files
        .current_directory(&asked.actor(), &asked.path)
        .map_err(failed)?;
    session.directory = directory;
    Ok(())
}

fn full_name(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &session.machine.files;
    let full = files
        .full_name(&asked.actor(), &asked.path)
        .map_err(Win32::from)?;
    body.units("path", &full.path);
    Ok(())
}

fn long_name(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &session.machine.files;
    let name = files
        .long_name(&asked.actor(), &asked.path)
        .map_err(failed)?;
    body.units("path", &name);
    Ok(())
}

fn short_name(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &session.machine.files;
    let name = files
        .short_name(&asked.actor(), &asked.path)
        .map_err(failed)?;
    body.units("path", &name);
    Ok(())
}

fn security(session: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &[])?;
    let files = &session.machine.files;
    let descriptor = files
        .security(&asked.actor(), &asked.path)
        .map_err(failed)?;
    body.text("sddl", &descriptor.sddl());
    Ok(())
}

fn set_security(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Done {
    let asked = Asked::new(session, request, &["sddl"])?;
    let new = descriptor(request, "sddl")?;
    let files = &mut session.machine.files;
    files
        .set_security(&asked.actor(), &asked.path, &new)
        .map_err(failed)
}
