//! `sddl.parse`, `sd.create`, `sd.check`: security descriptors by themselves.

use faultlab_sim::win7::registry::Win32;
use faultlab_sim::win7::security::{
    Ace, Descriptor, Integrity, Kind, Mask, NewObject, Privilege, Privileges, Sid, Token,
    access_check, file_access_check,
};
use serde_json::Value;

use super::request::Bad;
use super::{Body, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[
    ("sddl.parse", parse),
    ("sd.create", create),
    ("sd.check", check),
];

/// A descriptor in SDDL.
pub(super) fn descriptor(request: &Request<'_>, field: &str) -> Result<Descriptor, Refusal> {
    Ok(Descriptor::parse(request.text(field)?)?)
}

fn maybe_descriptor(request: &Request<'_>, field: &str) -> Result<Option<Descriptor>, Refusal> {
    match request.maybe_text(field)? {
        None => Ok(None),
        Some(text) => Ok(Some(Descriptor::parse(text)?)),
    }
}

/// Writes the entries of a DACL; null for one that is NULL or not there.
fn aces(body: &mut Body<'_>, descriptor: &Descriptor) {
    match descriptor.aces() {
        None => body.maybe_text("aces", None),
        Some(aces) => body.list("aces", aces, |ace: &Ace, body| {
            body.number("type", ace.kind as u64);
            body.number("flags", ace.flags.0.into());
            body.text("mask", &format!("{:#x}", ace.mask));
            body.text("sid", &ace.sid.to_string());
        }),
    }
}

fn sid(request: &Request<'_>, field: &str) -> Result<Sid, Bad> {
    let text = request.text(field)?;
    Sid::parse(text)
        .ok_or_else(|| request.bad(field, format!("{text:?} is no security identifier")))
}

fn kind(request: &Request<'_>) -> Result<Kind, Bad> {
    match request.maybe_text("kind")? {
        None | Some("file") => Ok(Kind::File),
        Some("key") => Ok(Kind::Key),
        Some(_) => Err(request.bad("kind", "\"kind\" is file or key")),
    }
}

fn parse(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["sddl", "kind"])?;
    kind(request)?;
    let read = descriptor(request, "sddl")?;
    body.text("sddl", &read.sddl());
    aces(body, &read);
    Ok(())
}

fn create(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&[
        "parent",
        "creator",
        "container",
        "owner",
        "group",
        "kind",
        "token_default",
    ])?;
    let parent = maybe_descriptor(request, "parent")?;
    let creator = maybe_descriptor(request, "creator")?;
    let default = maybe_descriptor(request, "token_default")?;
    let new = NewObject {
        parent: parent.as_ref(),
        creator: creator.as_ref(),
        is_container: request.flag("container")?,
        kind: kind(request)?,
        owner: sid(request, "owner")?,
        group: sid(request, "group")?,
        default_dacl: default.as_ref().and_then(|default| default.dacl.as_ref()),
    };
    let new = new.descriptor();
    body.text("sddl", &new.sddl());
    aces(body, &new);
    Ok(())
}

/// `{sids, deny_only?, privileges?, integrity?}`.
fn token(request: &Request<'_>) -> Result<Token, Refusal> {
    let bad = |reason: &str| request.bad("token", reason);
    let known = "\"token\" is an object of sids, deny_only, privileges and integrity";
    let fields = request.object("token", known, Some)?;
    let sids = |value: &Value| -> Option<Vec<Sid>> {
        let all = value.as_array()?.iter();
        all.map(|sid| Sid::parse(sid.as_str()?)).collect()
    };
    let (mut who, mut deny_only) = (Vec::new(), Vec::new());
    let (mut privileges, mut integrity) = (Privileges::default(), Integrity::Medium);
    for (name, value) in fields {
        match (name, value) {
            (_, Value::Null) => {}
            ("sids", _) => {
                who = sids(value).ok_or_else(|| bad("\"sids\" is a list of identifiers"))?;
            }
            ("deny_only", _) => {
                deny_only =
                    sids(value).ok_or_else(|| bad("\"deny_only\" is a list of identifiers"))?;
            }
            ("privileges", Value::Array(names)) => {
                for name in names {
                    let name = name.as_str().unwrap_or_default();
                    let privilege = Privilege::named(name).ok_or_else(|| {
                        Refusal::Unsupported(format!("the privilege {name:?} is not modelled"))
                    })?;
                    privileges = privileges.with(privilege);
                }
            }
            ("integrity", Value::String(level)) => {
                integrity = Integrity::named(level)
                    .ok_or_else(|| bad("\"integrity\" is low, medium, high or system"))?;
            }
            _ => return Err(bad(known).into()),
        }
    }
    if who.is_empty() {
        return Err(bad("\"token\" needs \"sids\", the first of which is who it is").into());
    }
    Ok(Token {
        deny_only: deny_only.into(),
        integrity,
        ..Token::new(&who, privileges)
    })
}

fn check(_: &mut Session, request: &Request<'_>, body: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["sd", "kind", "token", "desired", "parent_sd"])?;
    let (object, kind) = (descriptor(request, "sd")?, kind(request)?);
    let parent = maybe_descriptor(request, "parent_sd")?;
    let token = token(request)?;
    let desired = request
        .maybe_mask("desired")?
        .ok_or_else(|| request.bad("op", "sd.check needs \"desired\", a mask in hexadecimal"))?;
    let granted = match (kind, &parent) {
        (Kind::File, Some(parent)) => {
            file_access_check(&token, &object, Some(parent), Mask(desired))
        }
        _ => access_check(&token, &object, kind, Mask(desired)),
    };
    let granted = granted.map_err(|refusal| Refusal::Failed(Win32::from(refusal)))?;
    body.text("granted", &format!("{granted:#x}"));
    Ok(())
}
