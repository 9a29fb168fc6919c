//! The receive buffer, which counts memory, and the window, which is in bytes of data (tcp_select_window,
//! tcp_grow_window, tcp_measure_rcv_mss in net/ipv4): how much of the one is the other is learned from what comes.
//!
//! How much memory a segment takes is up to the driver that made its buffer. Here it is as a TUN device does
//! (measured on 6.18, with `ss -tmi`); a network card's buffers are of the same size or larger.

use super::profile::{MSS, RECEIVE_BUFFER, RECEIVE_BUFFER_MAX, STAMPS};
use super::socket::Receiving;

/// struct sk_buff.
const BUFFER_HEAD: u32 = 256;
/// NET_SKB_PAD, and the headers of IPv4 and TCP with timestamps.
const HEADERS: u32 = 64 + 52;
/// struct skb_shared_info, behind the data.
const BUFFER_END: u32 = 320;
/// The sizes in which memory is to be had for headers, data and end.
const SIZES: [u32; 4] = [576, 1_024, 2_048, 4_096];

/// Of 256 bytes of memory so many are data, until a segment tells (TCP_DEFAULT_SCALING_RATIO); before 6.6 always, by
/// tcp_adv_win_scale.
const DEFAULT_RATIO: u32 = 128;

/// What the windows of hosts are multiples of, as they offer a scale of 7.
const WINDOW_STEP: u32 = 1 << 7;

/// By shorter segments the window does not grow.
const SMALL: u32 = 128;

/// TCP_MSS_DEFAULT: shorter segments tell nothing of the peer's largest, less the option of timestamps.
const SMALLEST_MSS: u32 = 536 - 12;

/// The memory of a receive buffer of tcp_rmem's default. The model does not tune it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Memory {
    /// How much is taken by what is in order (sk_rmem_alloc).
    used: u32,
    /// So many bytes fit behind the data of the last buffer (skb_try_coalesce).
    tail: u32,
    /// Of 256 bytes of memory so many are data (scaling_ratio).
    ratio: u32,
    /// The window is never larger (window_clamp).
    clamp: u32,
    /// Nor larger than this, which grows as data comes (rcv_ssthresh).
    threshold: u32,
}

impl Memory {
    /// Of a connection that nothing has come on (tcp_init_buffer_space): room for a segment is kept back.
    pub(super) const FRESH: Memory = Memory {
        used: 0,
        tail: 0,
        ratio: DEFAULT_RATIO,
        clamp: RECEIVE_BUFFER * DEFAULT_RATIO / 256 - MSS,
        threshold: RECEIVE_BUFFER * DEFAULT_RATIO / 256 - MSS,
    };

    /// How much data some memory is for (tcp_win_from_space).
    const fn data_in(&self, memory: u32) -> u32 {
        (memory as u64 * self.ratio as u64 / 256) as u32
    }

    /// How much data the whole of it is for (tcp_full_space).
    pub(super) const fn full(&self) -> u32 {
        self.data_in(RECEIVE_BUFFER)
    }

    /// Takes in data that is in order.
    fn take(&mut self, len: u32) {
        match self.tail.checked_sub(len) {
            Some(tail) => self.tail = tail,
            None => {
                self.used += truesize(len);
                self.tail = size_of(len).saturating_sub(BUFFER_END + HEADERS + len);
            }
        }
    }

    /// Takes in what had come before its turn.
    pub(super) fn take_early(&mut self, len: u64, mss: u16) {
        self.used += memory_of(len, mss);
        self.tail = 0;
    }

    /// Who reads has taken all out.
    pub(super) fn empty(&mut self) {
        self.used = 0;
        self.tail = 0;
    }
}

/// How much is allocated for a segment's headers, data and end.
fn size_of(len: u32) -> u32 {
    let needed = HEADERS + len + BUFFER_END;
    let fits = SIZES.iter().find(|size| needed <= **size);
    fits.copied().unwrap_or(needed)
}

/// What a segment of `len` bytes takes (skb->truesize).
fn truesize(len: u32) -> u32 {
    size_of(len) + BUFFER_HEAD
}

/// What so many bytes take in full segments.
fn memory_of(len: u64, mss: u16) -> u32 {
    let (whole, rest) = (len / u64::from(mss), len % u64::from(mss));
    let rest = if rest > 0 { truesize(rest as u32) } else { 0 };
    whole as u32 * truesize(mss.into()) + rest
}

impl Receiving {
    /// How much more data there is memory for (tcp_space).
    fn room(&self) -> u32 {
        let early = self.disorder.early().iter();
        let early = early.map(|(from, to)| memory_of(to - from, self.mss()));
        let used = self.memory.used + early.sum::<u32>();
        self.memory.data_in(RECEIVE_BUFFER.saturating_sub(used))
    }

    /// Data has come in order in one segment: how large the peer's are (tcp_measure_rcv_mss), and with it, if the
    /// kernel `learns` that, how much data the buffer is for.
    pub(super) fn take_in(&mut self, len: u32, has_push: bool, learns: bool) {
        self.memory.take(len);
        let last_small = std::mem::take(&mut self.last_small);
        if len >= self.largest {
            if len != self.largest && learns {
                self.learn_ratio(len);
            }
            self.largest = len.min(self.mss().into());
            if has_push {
                self.pushed = self.pushed.max(1);
            }
            return;
        }
        // Two of one size tell that it is the peer's largest, unless it is very small.
        if len >= SMALLEST_MSS {
            self.last_small = len;
            if len == last_small {
                self.largest = len;
                return;
            }
        }
        self.pushed = (self.pushed + 1).min(2);
    }

    fn learn_ratio(&mut self, len: u32) {
        let ratio = (len * 256 / truesize(len)).max(1);
        let memory = &mut self.memory;
        if ratio == memory.ratio {
            return;
        }
        memory.ratio = ratio;
        let clamp = memory.full();
        memory.threshold = match clamp < memory.clamp {
            true => memory.threshold.min(clamp),
            false => memory.threshold.max(clamp.min(self.window as u32)),
        };
        memory.clamp = clamp;
    }

    /// Data has come: the window may grow as far as there is memory for it (tcp_grow_window).
    pub(super) fn grow_window(&mut self, len: u32) {
        let memory = &self.memory;
        let room = memory.clamp.min(self.room());
        let room = room.saturating_sub(memory.threshold);
        if len < SMALL || room == 0 {
            return;
        }
        let grows = match memory.data_in(truesize(len)) <= len {
            true => 2 * u32::from(self.mss()),
            false => self.careful_growth(len),
        };
        if grows > 0 {
            self.memory.threshold += grows.max(2 * len).min(room);
            self.quick |= 1;
        }
    }

    /// By how much it grows by a segment that takes more memory than the window counts for it: the smaller the window
    /// is beside the largest buffer, the more overhead is borne (__tcp_grow_window).
    fn careful_growth(&self, len: u32) -> u32 {
        let mut memory = self.memory.data_in(truesize(len)) >> 1;
        let mut window = self.memory.data_in(RECEIVE_BUFFER_MAX) >> 1;
        while self.memory.threshold <= window {
            if memory <= len {
                return 2 * self.largest;
            }
            memory >>= 1;
            window >>= 1;
        }
        0
    }

    /// The window that there is memory for; 0 rather than a silly little (__tcp_select_window). When half of the
    /// memory is taken, acknowledgements go out at once no more.
    pub(super) fn select_window(&mut self) -> u64 {
        let allowed = self.memory.full();
        let full = allowed.min(self.memory.clamp);
        let mut room = self.room();
        if room < full >> 1 {
            self.quick = 0;
            room -= room % WINDOW_STEP;
            if room < allowed >> 4 || room < self.largest.min(full) {
                return 0;
            }
        }
        let window = room.min(self.memory.threshold);
        window.next_multiple_of(WINDOW_STEP).into()
    }

    /// Announces the window, never less than before (tcp_select_window).
    pub(super) fn announce(&mut self) {
        let window = self.select_window();
        let left = self.window_left();
        self.window = match window < left {
            true => left.next_multiple_of(WINDOW_STEP.into()),
            false => window,
        };
        self.acked = self.nxt;
    }

    /// Whether the window that was announced last could be announced again: more than one segment is then
    /// acknowledged at once (__tcp_ack_snd_check).
    pub(super) fn keeps_window(&mut self) -> bool {
        self.select_window() >= self.window
    }

    /// Whether the window is twice as large or more, now that somebody has read: the peer is told (tcp_cleanup_rbuf).
    pub(super) fn opens(&mut self) -> bool {
        let left = self.window_left();
        if self.fin || 2 * left > self.memory.clamp.into() {
            return false;
        }
        let window = self.select_window();
        window > 0 && window >= 2 * left
    }
}

/// The window in a SYN or a SYN-ACK: whole segments, in which there are timestamps or not
/// (tcp_select_initial_window).
pub(super) const fn initial_window(has_stamps: bool) -> u64 {
    let segment = if has_stamps { MSS } else { MSS + STAMPS as u32 };
    let most = RECEIVE_BUFFER * DEFAULT_RATIO / 256;
    (most / segment * segment) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiving() -> Receiving {
        Receiving {
            window: initial_window(true),
            has_stamps: true,
            ..Receiving::from(0)
        }
    }

    /// Comes, and is acknowledged.
    fn come(receive: &mut Receiving, len: u32) {
        receive.nxt += u64::from(len);
        receive.take_in(len, true, true);
        receive.grow_window(len);
    }

    /// Measured on 6.18.44: `rmem_alloc` and `rcv_ssthresh` after writes of these sizes that nobody reads.
    #[test]
    fn memory_and_threshold_are_those_that_a_kernel_shows() {
        let mut receive = receiving();
        for (len, used, threshold) in [
            (1, 832, 64_088),
            (10, 832, 64_088),
            (100, 832, 64_088),
            (200, 2_112, 64_088),
            (250, 2_112, 64_088),
            (300, 3_392, 64_088),
            (400, 4_672, 64_088),
            (600, 6_976, 33_792),
            (700, 6_976, 39_424),
            (1_000, 9_280, 56_832),
        ] {
            come(&mut receive, len);
            assert_eq!(
                (receive.memory.used, receive.memory.threshold),
                (used, threshold),
                "{len}"
            );
        }
    }

    /// Measured likewise: 1000 bytes, a segment, ten at a time.
    #[test]
    fn the_window_grows_and_shrinks_as_a_kernel_s_does() {
        let mut receive = receiving();
        assert_eq!((receive.memory.threshold, receive.window), (64_088, 65_160));
        come(&mut receive, 1_000);
        receive.announce();
        assert_eq!((receive.memory.threshold, receive.window), (56_832, 64_256));
        come(&mut receive, 1_448);
        receive.announce();
        assert_eq!((receive.memory.threshold, receive.window), (67_152, 67_200));
        for _ in 0..10 {
            come(&mut receive, 1_448);
            receive.announce();
        }
        assert_eq!((receive.memory.threshold, receive.window), (74_720, 64_896));
        for _ in 0..10 {
            come(&mut receive, 1_448);
        }
        assert!(!receive.keeps_window(), "more and more is unread");
        assert_eq!(receive.memory.used, 50_688);
    }
}
