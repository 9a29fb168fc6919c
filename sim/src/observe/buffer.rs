//! A socket's receive buffer as a level: filled by segments, emptied by an application that stalls at times.
//!
//! sk_rmem_alloc counts truesize (what a segment takes in memory) of what is received and not yet read, against
//! sk_rcvbuf; a segment that finds no room is dropped (`sock:sock_rcvqueue_full`, TCPRcvQDrop). The rx_queue
//! column of /proc/net/tcp is rcv_nxt - copied_seq: payload alone (net/ipv4/tcp_ipv4.c, get_tcp4_sock()).
//! A peer that heeds the window stops before, and its own queue grows instead: the same level, at the other
//! end. Where the level stands is known whenever a segment comes in, and to whoever polls.

use serde::{Deserialize, Serialize};

use super::detect::{Injected, Trouble};
use crate::engine::{Span, Time};

/// A socket, what comes in, and when its application does not read.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocketBuffer {
    /// sk_rcvbuf, in bytes.
    pub bytes: u32,
    /// The payload of a segment, in bytes.
    pub segment_bytes: u32,
    /// What a segment takes in memory, in bytes.
    pub truesize: u32,
    /// How many segments come in a second.
    pub per_s: u32,
    /// When the application does not keep up, in the order of time.
    pub stalls: Vec<Stall>,
}

/// A time in which the application does not keep up. Afterwards it reads all that is there.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stall {
    /// When it begins, in ms.
    pub from_ms: u64,
    /// How long it lasts, in ms.
    pub for_ms: u64,
    /// How much of what comes in it still reads, in thousandths.
    #[serde(default)]
    pub reads_permille: u32,
}

impl Stall {
    fn from(&self) -> Time {
        Time::default() + Span::from_ms(self.from_ms)
    }

    fn until(&self) -> Time {
        self.from() + Span::from_ms(self.for_ms)
    }
}

/// How full a socket's receive buffer is after a segment has come in.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct BufferLevel {
    /// When.
    pub at: Time,
    /// sk_rmem_alloc: truesize of what is received and not read, in bytes.
    pub queued: u32,
    /// Its payload, in bytes.
    pub unread: u32,
    /// sk_rcvbuf, in bytes.
    pub bound: u32,
    /// Whether the segment found no room, and was dropped.
    pub was_dropped: bool,
    /// Whether the application reads it at once.
    pub is_read_at_once: bool,
}

impl BufferLevel {
    fn permille(&self, bytes: u32) -> u64 {
        u64::from(bytes) * 1_000 / u64::from(self.bound)
    }

    /// Thousandths of the bound that are queued, at the moment of the segment.
    pub fn queued_permille(&self) -> u64 {
        self.permille(self.queued)
    }

    /// The same, later.
    pub fn queued_permille_at(&self, at: Time) -> u64 {
        match self.is_read_at_once && at > self.at {
            true => 0,
            false => self.queued_permille(),
        }
    }

    /// Thousandths of the bound that are payload, later: what the rx_queue column of /proc/net/tcp comes to.
    pub fn unread_permille(&self, at: Time) -> u64 {
        match self.is_read_at_once && at > self.at {
            true => 0,
            false => self.permille(self.unread),
        }
    }
}

/// Why a buffer makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BufferError(String);

impl std::fmt::Display for BufferError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BufferError {}

impl SocketBuffer {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), BufferError> {
        let refuse = |what: &str| Err(BufferError(format!("buffer: {what}")));
        if self.segment_bytes == 0 || self.segment_bytes > self.truesize {
            return refuse("a segment has payload, and takes at least as much memory");
        }
        if self.truesize > self.bytes || self.bytes > 1 << 30 {
            return refuse("it has room for a segment, and 1 GiB at the most");
        }
        if !(1..=1_000_000).contains(&self.per_s) {
            return refuse("per_s is from 1 to 1000000");
        }
        if self.stalls.iter().any(|stall| stall.reads_permille > 1_000) {
            return refuse("reads_permille is at most 1000");
        }
        if !self
            .stalls
            .is_sorted_by(|one, next| one.until() <= next.from())
        {
            return refuse("stalls come one after another");
        }
        Ok(())
    }

    /// The stalls in which it runs full before `end`, from their beginning to their end; each must be called before
    /// the first segment finds no room.
    pub fn injected(&self, end: Time) -> Vec<Injected> {
        let mut stream = BufferStream::new(self.clone());
        let mut levels = Vec::new();
        stream.take(end, &mut levels);
        let mut drops = levels.iter().filter(|level| level.was_dropped).peekable();
        let mut injected = Vec::new();
        for stall in &self.stalls {
            let mut first = None;
            while let Some(level) = drops.next_if(|level| level.at < stall.until()) {
                first = first.or(Some(level.at));
            }
            injected.extend(first.map(|first| Injected {
                trouble: Trouble::BufferOverflow,
                from: stall.from(),
                until: stall.until(),
                deadline: Some(first),
            }));
        }
        injected
    }
}

/// The levels of a socket's buffer, in the order of time.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BufferStream {
    buffer: SocketBuffer,
    /// The number of the next segment.
    next: u64,
    /// Thousandths of segments that are received and not read.
    held: u64,
    stall: usize,
}

impl BufferStream {
    /// From the beginning.
    ///
    /// # Panics
    /// If the buffer does not [make sense](SocketBuffer::check).
    pub fn new(buffer: SocketBuffer) -> BufferStream {
        buffer.check().expect("the buffer was checked");
        BufferStream {
            buffer,
            next: 0,
            held: 0,
            stall: 0,
        }
    }

    /// Puts all levels before `until` that were not taken yet into `levels`, which is emptied first.
    pub fn take(&mut self, until: Time, levels: &mut Vec<BufferLevel>) {
        levels.clear();
        loop {
            let ns = u128::from(self.next) * 1_000_000_000 / u128::from(self.buffer.per_s);
            let at = Time(u64::try_from(ns).unwrap_or(u64::MAX));
            if at >= until {
                return;
            }
            self.next += 1;
            levels.push(self.arrives(at));
        }
    }

    fn arrives(&mut self, at: Time) -> BufferLevel {
        let SocketBuffer {
            bytes,
            segment_bytes,
            truesize,
            ref stalls,
            ..
        } = self.buffer;
        while stalls
            .get(self.stall)
            .is_some_and(|stall| stall.until() <= at)
        {
            self.stall += 1;
            self.held = 0;
        }
        let stall = stalls.get(self.stall).filter(|stall| stall.from() <= at);
        let reads = stall.map_or(1_000, |stall| u64::from(stall.reads_permille));
        let most = u64::from(bytes / truesize);
        let was_dropped = self.held.div_ceil(1_000) + 1 > most;
        if !was_dropped {
            self.held += 1_000;
        }
        let segments = self.held.div_ceil(1_000) as u32;
        self.held = self.held.saturating_sub(reads);
        BufferLevel {
            at,
            queued: segments * truesize,
            unread: segments * segment_bytes,
            bound: bytes,
            was_dropped,
            is_read_at_once: stall.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 segments a second of 2 304 bytes each into 230 400 bytes: room for 100.
    fn buffer(stalls: Vec<Stall>) -> SocketBuffer {
        SocketBuffer {
            bytes: 230_400,
            segment_bytes: 1_448,
            truesize: 2_304,
            per_s: 100,
            stalls,
        }
    }

    fn stall(from_ms: u64, for_ms: u64, reads_permille: u32) -> Stall {
        Stall {
            from_ms,
            for_ms,
            reads_permille,
        }
    }

    #[test]
    fn it_runs_full_when_as_much_came_as_it_holds() {
        let end = Time::default() + Span::from_s(60);
        let full_after_ms = |stall: Stall| {
            let injected = buffer(vec![stall]).injected(end);
            let first = injected.first().and_then(|each| each.deadline);
            first.map(|full| (full - stall.from()).0 / 1_000_000)
        };
        assert_eq!(full_after_ms(stall(2_000, 5_000, 0)), Some(1_000));
        assert_eq!(full_after_ms(stall(2_000, 30_000, 900)), Some(9_910));
        assert_eq!(full_after_ms(stall(2_000, 900, 0)), None, "over before");
        assert_eq!(full_after_ms(stall(2_000, 50_000, 1_000)), None);
    }

    #[test]
    fn payload_is_less_than_memory_and_what_is_read_is_gone() {
        let mut stream = BufferStream::new(buffer(vec![stall(1_000, 500, 0)]));
        let mut levels = Vec::new();
        stream.take(Time::default() + Span::from_s(2), &mut levels);
        let highest = levels
            .iter()
            .max_by_key(|level| level.queued)
            .expect("some");
        assert_eq!(highest.queued_permille(), 500);
        assert_eq!(highest.unread_permille(highest.at), 314, "1448 of 2304");
        let after = levels.iter().find(|level| level.at >= Time(1_500_000_000));
        let after = after.expect("one after the stall");
        assert_eq!((after.queued, after.is_read_at_once), (2_304, true));
        assert_eq!(after.queued_permille_at(after.at + Span(1)), 0);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |buffer: SocketBuffer| buffer.check().is_err();
        assert!(refused(buffer(vec![stall(0, 500, 0), stall(499, 1, 0)])));
        assert!(refused(buffer(vec![stall(0, 500, 1_001)])));
        assert!(refused(SocketBuffer {
            per_s: 0,
            ..buffer(vec![])
        }));
        assert!(refused(SocketBuffer {
            bytes: 2_303,
            ..buffer(vec![])
        }));
        assert!(!refused(buffer(vec![stall(0, 500, 0), stall(500, 1, 0)])));
    }
}
