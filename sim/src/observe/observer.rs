//! What an observer is: it is shown what one node's kernel does, in the order of time, and hands out
//! samples when its reader would have them.

use serde::{Deserialize, Serialize};

use super::buffer::BufferLevel;
use super::event::{Event, Packet, Signal};
use crate::engine::Time;

/// What a reader learns: so much of a signal between two times, or a level.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Sample {
    /// From when on things are counted in it.
    pub from: Time,
    /// When the reader has it.
    pub at: Time,
    /// When it came about, to the reader: what the clock says that the record was stamped by, or when it was
    /// read if it bears no stamp.
    pub stamp: Time,
    /// Of what.
    pub signal: Signal,
    /// How many; of a level, how high.
    pub value: u64,
}

/// What an observer's reader can learn of the observer itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum OwnSignal {
    /// Count: updates that failed with -E2BIG, if the program counts them.
    FailedUpdates,
    /// Count: keys that the last reading had and this one has not, of a map whose reader deletes none: an LRU
    /// map gave them up. Keys that came and went in between nobody knows of.
    VanishedKeys,
    /// Count: records that a buffer dropped or overwrote, if the program or the kernel counts them.
    Drops,
    /// Count: lines missing between two sequence numbers of /dev/kmsg.
    LogGap,
    /// Level: thousandths of a map's entries that are taken.
    MapFill,
}

impl OwnSignal {
    /// All of them.
    pub const ALL: [OwnSignal; 5] = [
        OwnSignal::FailedUpdates,
        OwnSignal::VanishedKeys,
        OwnSignal::Drops,
        OwnSignal::LogGap,
        OwnSignal::MapFill,
    ];

    /// Its name in alerts and exports.
    pub const fn name(self) -> &'static str {
        match self {
            OwnSignal::FailedUpdates => "failed_updates",
            OwnSignal::VanishedKeys => "vanished_keys",
            OwnSignal::Drops => "drops",
            OwnSignal::LogGap => "log_gap",
            OwnSignal::MapFill => "map_fill",
        }
    }

    /// Whether it is a level; otherwise a count that grows.
    pub const fn is_level(self) -> bool {
        matches!(self, OwnSignal::MapFill)
    }
}

/// What observing has cost and lost so far.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Toll {
    /// How many records or packets it was shown that concern it.
    pub offered: u64,
    /// How many of them its samples hold.
    pub reported: u64,
    /// How many are under way: in a map, a buffer, a pipe.
    pub pending: u64,
    /// How many losses the observer's own signal tells of.
    pub told: u64,
    /// How many bytes its reader took over.
    pub bytes: u64,
    /// The most keys, records or rows that it held at once.
    pub most_held: u64,
}

impl Toll {
    /// How many are gone.
    pub fn lost(&self) -> u64 {
        self.offered - self.reported - self.pending
    }

    /// How many are gone with nothing to tell of it.
    pub fn silent(&self) -> u64 {
        self.lost().saturating_sub(self.told)
    }
}

/// Something that watches one node.
///
/// Times never go back from one call to the next.
pub trait Observer {
    /// A tracepoint fires.
    fn tracepoint(&mut self, event: &Event);

    /// Several fire, one after the other: the same as [`Observer::tracepoint`] for each.
    fn tracepoints(&mut self, events: &[Event]) {
        for event in events {
            self.tracepoint(event);
        }
    }

    /// A packet passes.
    fn packet(&mut self, at: Time, cpu: u8, packet: &Packet);

    /// A segment has come in, and so full is the receive buffer of the watched socket. Most see nothing of it.
    fn buffer(&mut self, _level: &BufferLevel) {}

    /// Time has come to `now`: adds what its reader has learnt up to then to `samples`.
    fn read(&mut self, now: Time, samples: &mut Vec<Sample>);

    /// What it has cost and lost so far.
    fn toll(&self) -> Toll;

    /// Which of its own signals tells of losses; none: nothing can notice them.
    fn loss_signal(&self) -> Option<&'static str>;

    /// Hands `each` every signal about itself that its reader can have, and what it stands at.
    fn own_signals(&self, _each: &mut dyn FnMut(OwnSignal, u64)) {}
}
