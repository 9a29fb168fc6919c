//! Which record brought another about, as far as records tell: for the arrows of a picture.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::linux::lab::Record as Linux;
use crate::linux::tracepoint::{Ends, Record as Tcp, TcpState};
use crate::win7::cmd::Record as Cmd;
use crate::win7::program::Record as Windows;

use super::stage::Record;
use super::storyboard::Frame;

/// What brought a frame about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cause {
    /// The earlier frame, by its index.
    pub frame: usize,
    /// How.
    pub how: How,
}

/// How one record brings another about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// A process or program was born: its first record.
    Fork,
    /// It was told of something: of a child's end, of a change that it watched.
    Signal,
    /// A segment went from one host to the other.
    Packet,
    /// It met what another actor had changed.
    Data,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Causes {
    born: BTreeMap<Arc<str>, usize>,
    ended: BTreeMap<Arc<str>, usize>,
    /// The last command of each interpreter.
    commands: BTreeMap<Arc<str>, usize>,
    /// Who changed a thing last.
    changed: BTreeMap<String, (usize, Arc<str>)>,
    /// The last write to a registry.
    written: Option<(usize, Arc<str>)>,
    resets: BTreeMap<Ends, usize>,
    sent: BTreeMap<Ends, (TcpState, usize)>,
}

impl Causes {
    /// What brought `frame` about, and which frame of another actor last changed what it met. Frames are shown
    /// in order.
    pub(super) fn of(&mut self, index: usize, frame: &Frame) -> (Option<Cause>, Option<usize>) {
        let cause = |how| move |frame| Cause { frame, how };
        let born = self.born.remove(&frame.actor).map(cause(How::Fork));
        let told = match &frame.record {
            Record::Linux(record) => self.linux(index, frame, record),
            Record::Windows(record) => self.windows(index, frame, record),
            Record::Cmd(record) => self.cmd(index, frame, record),
            Record::Tcp(record) => self.tcp(index, record),
            // Models write no record that was seen elsewhere.
            Record::Clocks(_)
            | Record::Lab(_)
            | Record::Observe(_)
            | Record::Observed(_)
            | Record::Query(_) => None,
        };
        let mut met = None;
        for touched in &frame.touched {
            if let Some((at, who)) = self.changed.get(&touched.what)
                && *who != frame.actor
            {
                met = met.max(Some(*at));
            }
        }
        for touched in frame.touched.iter().filter(|touched| touched.is_changed()) {
            let by = (index, frame.actor.clone());
            self.changed.insert(touched.what.clone(), by);
        }
        (told.or(born).or(met.map(cause(How::Data))), met)
    }

    fn linux(&mut self, index: usize, frame: &Frame, record: &Linux) -> Option<Cause> {
        match record {
            Linux::Fork { child } => {
                self.born.insert(child.clone(), index);
                None
            }
            Linux::Exit { .. } => {
                self.ended.insert(frame.actor.clone(), index);
                None
            }
            Linux::Wait { child, .. } => {
                let frame = *self.ended.get(child)?;
                let how = How::Signal;
                Some(Cause { frame, how })
            }
            _ => None,
        }
    }

    fn windows(&mut self, index: usize, frame: &Frame, record: &Windows) -> Option<Cause> {
        match record {
            Windows::Launch { program } => {
                self.born.insert(program.clone(), index);
                None
            }
            Windows::Set { .. }
            | Windows::DeleteValue { .. }
            | Windows::CreateKey { .. }
            | Windows::DeleteKey { .. } => {
                self.written = Some((index, frame.actor.clone()));
                None
            }
            Windows::Changed { signalled: true } => {
                let (at, who) = self.written.as_ref()?;
                (*who != frame.actor).then_some(Cause {
                    frame: *at,
                    how: How::Signal,
                })
            }
            _ => None,
        }
    }

    fn cmd(&mut self, index: usize, frame: &Frame, record: &Cmd) -> Option<Cause> {
        match record {
            // A child is named after its parent, which ran this command last.
            Cmd::Start { .. } => {
                let (parent, _) = frame.actor.rsplit_once('/')?;
                let frame = *self.commands.get(parent)?;
                let how = How::Fork;
                Some(Cause { frame, how })
            }
            Cmd::Command { .. } => {
                self.commands.insert(frame.actor.clone(), index);
                None
            }
            _ => None,
        }
    }

    fn tcp(&mut self, index: usize, record: &Tcp) -> Option<Cause> {
        let packet = |frame| Cause {
            frame,
            how: How::Packet,
        };
        let there = record.ends();
        let back = (there.1, there.0);
        match record {
            Tcp::SendReset { .. } => {
                self.resets.insert(there, index);
                None
            }
            Tcp::ReceiveReset { .. } => self.resets.get(&back).copied().map(packet),
            Tcp::SetState {
                oldstate, newstate, ..
            } => {
                use TcpState::*;
                // What the peer sent as it entered one of these states is what is heard here.
                let heard: &[TcpState] = match (oldstate, newstate) {
                    (Listen | SynRecv, SynRecv | Established) => &[Established],
                    (_, CloseWait | Closing) => &[FinWait1],
                    (FinWait2, Close) | (FinWait1, Close) => &[LastAck],
                    _ => &[],
                };
                let from = self.sent.get(&back).copied();
                if matches!(newstate, Established | FinWait1 | LastAck) {
                    self.sent.insert(there, (*newstate, index));
                }
                let (state, at) = from?;
                heard.contains(&state).then(|| packet(at))
            }
            _ => None,
        }
    }
}
