//! `explain-access`: the way of an access check, entry by entry.

use faultlab_sim::win7::Machine;
use faultlab_sim::win7::files::Actor;
use faultlab_sim::win7::registry::{Access, Caller, KeyPath, units};
use faultlab_sim::win7::security::{Descriptor, Explanation, Kind, Mask, Refusal, Token, explain};
use serde::Serialize;

use crate::cli::ExplainAccess;
use crate::console::{self, Layout};
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::render::{Page, style};
use crate::{library, on_arm};

/// Runs the command. The exit code is 0 whether access is granted or not: both are answers.
///
/// # Errors
/// If there is no such user, object or descriptor, or the output cannot be written.
pub fn run(args: &ExplainAccess, layout: Layout) -> Result<Exit> {
    let machine = machine(args)?;
    let caller = machine.caller(&args.user).ok_or_else(|| {
        let known = "alice, admin, admin-filtered, SYSTEM, LocalService or NetworkService";
        Failure::bad_input(format!("there is no account {:?}: use {known}", args.user))
    })?;
    let key = KeyPath::parse(&args.object).ok();
    let kind = if key.is_some() { Kind::Key } else { Kind::File };
    let desired = Mask::named(kind, &args.access).ok_or_else(|| {
        Failure::bad_input(format!("{:?} is no access", args.access)).help(match kind {
            Kind::File => {
                "read, write, modify, delete, full, rights as icacls has them (RX, WDAC), their \
                 names (FILE_ADD_FILE, WRITE_DAC) or a mask (0x2), several with commas"
            }
            Kind::Key => {
                "read, write, full, names of rights (KEY_SET_VALUE, WRITE_DAC) or a mask \
                 (0x20006), several with commas"
            }
        })
    })?;
    let (descriptor, told) = look(args, &machine, &caller, key.as_ref(), kind, desired)?;
    let asked = Asked {
        args,
        token: caller.token(),
        kind,
        desired,
        descriptor,
        told,
    };
    match args.json {
        true => console::print_json(&asked.json())?,
        false => console::print(&asked.page(&machine, layout))?,
    }
    Ok(Exit::AsRecorded)
}

/// The default machine, or that of a scenario's arm when its programs begin.
fn machine(args: &ExplainAccess) -> Result<Machine> {
    let Some(name) = &args.scenario else {
        return Ok(Machine::windows_7());
    };
    let loaded = library::find(name)?.load()?;
    let arm = on_arm::arm(&loaded, &args.arm)?;
    let case = loaded.scenario.cases_of(arm).first();
    let params = case.map(|case| case.params.clone()).unwrap_or_default();
    let prepared = loaded
        .prepare(arm, &params, &[])
        .map_err(|mistake| library::late_mistake(&loaded, mistake))?;
    match prepared.windows_machine() {
        Some(Ok(machine)) => Ok(machine),
        Some(Err(what)) => Err(Failure::bad_input(format!("{name}: {what}"))),
        None => Err(Failure::bad_input(format!(
            "the scenario {name} has no Windows machine"
        ))),
    }
}

/// The descriptor that decides, and how it does.
fn look(
    args: &ExplainAccess,
    machine: &Machine,
    caller: &Caller,
    key: Option<&KeyPath>,
    kind: Kind,
    desired: Mask,
) -> Result<(Option<Descriptor>, Explanation)> {
    if let Some(sddl) = &args.sddl {
        let read = Descriptor::parse(sddl)
            .map_err(|error| Failure::bad_input(format!("{sddl:?}: {error}")))?;
        let told = explain(caller.token(), &read, None, kind, desired);
        return Ok((Some(read), told));
    }
    let nowhere = |error: String| {
        Failure::bad_input(format!("{}: {error}", args.object)).help(
            "--scenario takes the machine of a scenario, which may be one of your own with \
             listings of a real machine as its base; --sddl takes any descriptor",
        )
    };
    if let Some(key) = key {
        let told = machine
            .registry
            .explain_access(caller, key, Access(desired.0))
            .map_err(|error| nowhere(error.to_string()))?;
        let key = machine.registry.key(caller, key);
        let descriptor = key.and_then(|key| key.descriptor().map(|own| (**own).clone()));
        return Ok((descriptor, told));
    }
    let told = machine
        .files
        .explain_access(&Actor::new(caller.token()), &units(&args.object), desired)
        .map_err(|failure| nowhere(failure.to_string()))?;
    let node = machine.files.look(&args.object);
    Ok((node.map(|node| (**node.descriptor()).clone()), told))
}

struct Asked<'a> {
    args: &'a ExplainAccess,
    token: &'a Token,
    kind: Kind,
    desired: Mask,
    descriptor: Option<Descriptor>,
    told: Explanation,
}

/// The answer for programs.
#[derive(Serialize)]
struct Json<'a> {
    object: &'a str,
    user: &'a str,
    /// The mask that is asked for, in hexadecimal.
    access: String,
    sddl: Option<String>,
    /// The mask that is granted.
    granted: Option<String>,
    code: u32,
    why: Option<String>,
    steps: Vec<String>,
}

impl Asked<'_> {
    fn json(&self) -> Json<'_> {
        let refusal = self.told.result.as_ref().err();
        Json {
            object: &self.args.object,
            user: &self.args.user,
            access: format!("{:#x}", self.desired),
            sddl: self.descriptor.as_ref().map(Descriptor::sddl),
            granted: self
                .told
                .result
                .as_ref()
                .ok()
                .map(|mask| format!("{mask:#x}")),
            code: refusal.map_or(0, |refusal| refusal.error().code()),
            why: refusal.map(Refusal::to_string),
            steps: self.steps().collect(),
        }
    }

    fn steps(&self) -> impl Iterator<Item = String> {
        self.told.steps.iter().map(|step| step.words(self.kind))
    }

    fn page(&self, machine: &Machine, layout: Layout) -> String {
        let mut page = Page::new(layout);
        // People by their names.
        let people = machine.accounts().iter();
        let named = |text: &str| {
            let all = people.clone();
            all.fold(text.to_owned(), |text, person| {
                text.replace(&person.sid, &person.name)
            })
        };
        let names = |mask: Mask| self.kind.names(mask);
        page.heading(&format!("{} as {}", self.args.object, self.args.user));
        let asked = format!("{:#x}: {}", self.desired, names(self.desired));
        page.item("  asks for  ", 12, &asked);
        page.item("  token     ", 12, &named(&whom(self.token)));
        if let Some(descriptor) = &self.descriptor {
            let owner = descriptor.owner.as_ref();
            let owner = owner.map_or("nobody".into(), |owner| owner.account());
            page.item("  owner     ", 12, &named(&owner));
            page.item("  entries   ", 12, entries(descriptor));
        }
        page.gap();
        for step in self.steps() {
            page.item("  ", 6, &named(&step));
        }
        page.gap();
        let (style, result) = match &self.told.result {
            Ok(granted) => (
                style::GOOD,
                format!("granted {granted:#x}: {}", names(*granted)),
            ),
            Err(refusal) => (
                style::BAD,
                format!("refused, {}: {refusal}", refusal.error()),
            ),
        };
        let result = named(&result);
        let (first, rest) = result.split_once([':', ',']).unwrap_or((&result, ""));
        let divider = &result[first.len()..result.len() - rest.len()];
        page.item(
            "  ",
            6,
            &format!("{}{divider}{rest}", page.paint(style, first)),
        );
        page.into_text()
    }
}

/// Who a token is: its groups, those that only deny, its level and privileges.
fn whom(token: &Token) -> String {
    let list = |sids: &[faultlab_sim::win7::security::Sid]| {
        let names: Vec<String> = sids.iter().map(|sid| sid.account()).collect();
        names.join(", ")
    };
    let mut text = format!("{}; integrity {:?}", list(&token.sids), token.integrity);
    if !token.deny_only.is_empty() {
        text += &format!("; only denies: {}", list(&token.deny_only));
    }
    let privileges = faultlab_sim::win7::security::Privilege::ALL.iter();
    let enabled = privileges.filter(|(privilege, _)| token.enabled.has(*privilege));
    let enabled: Vec<&str> = enabled.map(|(_, name)| *name).collect();
    match enabled.is_empty() {
        true => text,
        false => format!("{text}; enabled: {}", enabled.join(", ")),
    }
}

fn entries(descriptor: &Descriptor) -> &'static str {
    match &descriptor.dacl {
        None => "there is no DACL",
        Some(dacl) if dacl.aces.is_none() => "the DACL is NULL",
        Some(dacl) if dacl.entries().is_empty() => "the DACL is empty",
        Some(dacl) if dacl.is_protected => "protected: nothing is inherited from above",
        Some(_) => "some may be inherited from above",
    }
}
