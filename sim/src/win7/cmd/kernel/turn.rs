//! How processes take turns: each runs until it ends, waits, or is about to perform something that others may come
//! before.

use crate::engine::{Entity, Span, Time};
use crate::win7::environment::Block;
use crate::win7::machine::Machine;
use crate::win7::text::Wide;

use super::album::Thing;
use super::process::{Image, On, Process, State};
use super::{Door, Kernel, Lab, ProcessId};
use crate::win7::cmd::record::Record;
use crate::win7::cmd::sys::{About, Local, Stop, Sys};

/// How deep children run inside of their parents' step; deeper ones take turns.
const DEEPEST: u32 = 4;

/// How much of its stack the code of a process may have taken for children to run inside.
const DEEPEST_STACK: usize = 48;

impl Kernel<'_> {
    pub(in crate::win7::cmd) fn now_ms(&self) -> u64 {
        (self.door.now() - Time::default()).0 / 1_000_000
    }

    pub(in crate::win7::cmd) fn sleep(&mut self, ms: u64) -> Option<()> {
        if self.lab.woken.remove(&self.actor) {
            return Some(());
        }
        self.door.wake_after(Span::from_ms(ms), self.actor);
        self.on = Some(On::Timer);
        None
    }

    pub(in crate::win7::cmd) fn choose_number(&mut self, site: &'static str, high: u64) -> u64 {
        self.door.choose(site, self.actor, 0, high)
    }

    pub(in crate::win7::cmd) fn broadcast(&mut self, about: &About) {
        // The process itself is none of the machine's list: a message has a session, not a sender.
        let sender = if about.session == 0 {
            crate::win7::environment::processes::SERVICES
        } else {
            crate::win7::machine::EXPLORER
        };
        let first = self.lab.album.0.wants_next().then(|| self.machine.fork());
        let reached = self.machine.broadcast(sender).unwrap_or_default();
        self.record(Record::Broadcast {
            reached: reached.join(" ").as_str().into(),
        });
        if let Some(first) = first {
            let variable = |process: &String| Thing::Variable(process.clone(), "Path");
            let things: Vec<Thing> = reached.iter().map(variable).collect();
            self.lab.album.0.note(&first, self.machine, &things);
        }
    }
    pub(in crate::win7::cmd) fn wait(&mut self, child: ProcessId) -> Option<u32> {
        loop {
            if let Some(code) = self.lab.exits.remove(&child) {
                return Some(code);
            }
            if !self.run_another() {
                self.on = Some(On::Child(child));
                return None;
            }
        }
    }

    /// Runs a process that can go while this one waits, if that takes no choice: one that has just begun or waits no
    /// more, up to where it is about to perform something, or else the only one that could go.
    pub(super) fn run_another(&mut self) -> bool {
        if self.lab.depth >= DEEPEST || self.deep > DEEPEST_STACK || self.lab.spent {
            return false;
        }
        if let Some(fresh) = self.lab.fresh() {
            self.run_inside(fresh, false);
            return true;
        }
        if self.door.others() {
            return false;
        }
        let mut ready = self
            .lab
            .processes
            .iter()
            .filter_map(|(id, process)| match process.state {
                State::Ready { announced, .. } => Some((*id, announced)),
                _ => None,
            });
        let (Some((only, false)), None) = (ready.next(), ready.next()) else {
            return false;
        };
        self.run_inside(only, true);
        true
    }

    fn run_inside(&mut self, id: Entity, chosen: bool) {
        self.lab.depth += 1;
        run(self.machine, self.lab, self.door, id, chosen);
        self.lab.depth -= 1;
    }
}

/// Runs a process until it ends, waits, or is about to perform something that others may come before. `chosen`: it is its
/// turn to perform one such operation.
pub(in crate::win7::cmd) fn run(
    machine: &mut Machine,
    lab: &mut Lab,
    door: &mut dyn Door,
    id: Entity,
    chosen: bool,
) {
    let Some(mut process) = lab.processes.remove(&id) else {
        return;
    };
    let mut sys = Sys {
        about: process.about.clone(),
        local: process.local.clone(),
        next: 0,
        log: &mut process.log,
        kernel: Kernel::new(machine, lab, door, id),
        chosen,
        checkpoint: None,
    };
    let ended = match (process.image, process.shell.clone()) {
        (Image::Tool(_), Some(shell)) => crate::win7::cmd::shell::resume(shell, &mut sys),
        (Image::Tool(tool), None) => (tool.run)(&mut sys),
        (Image::Unknown, _) => {
            let image = sys.about.image.to_utf8_lossy();
            sys.unsupported(&format!("the program {image}"))
        }
    };
    let (local, checkpoint, on) = (sys.local, sys.checkpoint, sys.kernel.on);
    if let Some((shell, local)) = checkpoint {
        process.shell = Some(shell);
        process.local = local;
    }
    let state = match ended {
        Ok(code) => {
            finish(machine, lab, door, id, &process, &local, code);
            return;
        }
        Err(Stop::Spent) => {
            // Nothing goes on after that; the whole run is over.
            let is_first = !std::mem::replace(&mut lab.spent, true);
            let place = process.shell.as_ref().map(|shell| shell.place());
            let place = place.unwrap_or_else(|| process.about.tail.to_utf8_lossy());
            let ticks = local.ticks;
            // The others of a run that is over were not endless by themselves.
            if is_first {
                lab.unsupported.push(format!(
                    "what does not end: still running after {ticks} commands in {place}"
                ));
            }
            let place = place.as_str().into();
            lab.record(door, id, Record::Spent { ticks, place });
            finish(machine, lab, door, id, &process, &local, SPENT);
            return;
        }
        Err(Stop::Yield(next)) => State::Ready {
            next,
            announced: false,
        },
        Err(Stop::Blocked) => State::Blocked(on.expect("who waits says for what")),
    };
    process.state = state;
    lab.processes.insert(id, process);
}

/// The exit code of a process that was stopped for being endless.
pub const SPENT: u32 = 0xFA18;

fn finish(
    machine: &mut Machine,
    lab: &mut Lab,
    door: &mut dyn Door,
    id: Entity,
    process: &Process,
    local: &Local,
    code: u32,
) {
    if let Some(first) = &process.first {
        for (name, _, after) in changes(first, &local.block) {
            let record = Record::Variable {
                name: name.as_str().into(),
                text: after.unwrap_or_default().as_str().into(),
            };
            lab.record(door, id, record);
        }
    }
    let path = door.path(id);
    lab.album.0.end_command(id, &path, &local.block);
    lab.record(door, id, Record::End { code });
    let mut kernel = Kernel::new(machine, lab, door, id);
    for handle in local.handles.iter() {
        kernel.close(handle);
    }
    if process.parent.is_some() {
        lab.exits.insert(id, code);
        lab.wake(On::Child(id));
    }
}

/// Variables that differ, before and after.
pub(super) fn changes(
    before: &Block,
    after: &Block,
) -> Vec<(String, Option<String>, Option<String>)> {
    let text = |value: Option<&Wide>| value.map(Wide::to_utf8_lossy);
    let mut all = Vec::new();
    for (name, value) in after.iter() {
        let old = before.get(name);
        if old != Some(value) && !name.units().starts_with(&[0x3d]) {
            all.push((name.to_utf8_lossy(), text(old), text(Some(value))));
        }
    }
    for (name, value) in before.iter() {
        if after.get(name).is_none() {
            all.push((name.to_utf8_lossy(), text(Some(value)), None));
        }
    }
    all
}
