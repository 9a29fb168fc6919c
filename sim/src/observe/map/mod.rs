//! The kernel's hash maps, as counters that a BPF program bumps and user space reads.
//!
//! Measured on Linux 6.18: a preallocated hash of 1000 takes exactly 1000 keys, the next new one is
//! -E2BIG while known ones still count; nobody but the program learns of it. A per-CPU hash has a slot
//! for each possible CPU, which a system call reads one after another. An LRU hash never fails and gives
//! up elements early (`lru`). A look-up from a program gives a pointer or nothing, never an errno;
//! -ENOENT is an answer of system calls only.

mod lru;
#[cfg(test)]
mod tests;

use lru::Lru;

use crate::linux::errno::Errno;

/// A key: what the program puts together, in two words.
pub type Key = [u64; KEY_WORDS];

const KEY_WORDS: usize = 2;

/// Which map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
pub enum MapKind {
    /// BPF_MAP_TYPE_HASH with atomic additions: one value for all CPUs.
    Shared,
    /// BPF_MAP_TYPE_PERCPU_HASH: a value for each possible CPU.
    PerCpu,
    /// BPF_MAP_TYPE_LRU_PERCPU_HASH with the common lists.
    Lru,
    /// The same with BPF_F_NO_COMMON_LRU: lists for each CPU.
    LruOfCpu,
}

/// An element's key and the values of its slots.
#[inline]
fn split(cell: &[u64]) -> (&Key, &[u64]) {
    cell.split_first_chunk()
        .expect("an element begins with its key")
}

/// How user space updates an element.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Update {
    /// BPF_ANY: there or not.
    Any,
    /// BPF_NOEXIST: only a new one.
    NoExist,
    /// BPF_EXIST: only a known one.
    Exist,
}

/// A hash map of counters.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CounterMap {
    kind: MapKind,
    cpus: u8,
    max_entries: u32,
    /// Element numbers plus 1 by hash, open addressing; 0 is empty.
    index: Vec<u32>,
    mask: usize,
    /// Element by element: its key, then the value of each slot, so that counting touches one cache line.
    // invariant: the elements in use are those in the index; of others nothing is read.
    cells: Vec<u64>,
    /// How many words an element has in `cells`.
    stride: usize,
    is_used: Vec<bool>,
    slots: u8,
    /// Elements without a key, the last first; LRU maps keep theirs in `lru`.
    free: Vec<u32>,
    /// invariant: no element from here on was ever used.
    fresh: u32,
    lru: Option<Lru>,
    evicted: Vec<u32>,
    evictions: u64,
    len: u32,
}

impl CounterMap {
    /// An empty, preallocated map.
    ///
    /// # Panics
    /// If `max_entries` or `cpus` is 0, or there are more than a hundred million entries.
    pub fn new(kind: MapKind, max_entries: u32, cpus: u8) -> CounterMap {
        assert!(
            (1..=100_000_000).contains(&max_entries) && cpus > 0,
            "a map has 1 to 100 000 000 entries and a CPU"
        );
        let lru = match kind {
            MapKind::Shared | MapKind::PerCpu => None,
            MapKind::Lru => Some(Lru::new(max_entries, cpus, true)),
            MapKind::LruOfCpu => Some(Lru::new(max_entries, cpus, false)),
        };
        let slots = if kind == MapKind::Shared { 1 } else { cpus };
        let places = (max_entries as usize * 2).next_power_of_two();
        CounterMap {
            kind,
            cpus,
            max_entries,
            index: vec![0; places],
            mask: places - 1,
            cells: vec![0; max_entries as usize * (KEY_WORDS + usize::from(slots))],
            stride: KEY_WORDS + usize::from(slots),
            is_used: vec![false; max_entries as usize],
            slots,
            free: Vec::new(),
            fresh: 0,
            lru,
            evicted: Vec::new(),
            evictions: 0,
            len: 0,
        }
    }

    /// Which it is.
    pub fn kind(&self) -> MapKind {
        self.kind
    }

    /// How many keys it holds.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many keys it may hold.
    pub fn max_entries(&self) -> u32 {
        self.max_entries
    }

    /// How many keys an LRU map gave up. No counter of the kernel's tells.
    pub fn evictions(&self) -> u64 {
        self.evictions
    }

    /// What a row takes when user space reads it: the key, and a value of 8 bytes for each slot.
    pub fn row_bytes(&self) -> u32 {
        16 + 8 * u32::from(self.slots)
    }

    /// The program on `cpu` adds 1 to `key`, which it inserts if it is new.
    ///
    /// # Errors
    /// E2BIG if it is new and the map is full; ENOMEM if an LRU map has nothing to give up.
    #[inline]
    pub fn bump(&mut self, key: &Key, cpu: u8) -> Result<(), Errno> {
        debug_assert!(cpu < self.cpus, "the node has {} CPUs", self.cpus);
        let element = match self.find(key) {
            Ok(element) => {
                if let Some(lru) = &mut self.lru {
                    lru.touch(element);
                }
                element
            }
            Err(_) => self.insert(key, cpu)?,
        };
        self.count(element, cpu);
        Ok(())
    }

    #[inline]
    fn count(&mut self, element: u32, cpu: u8) {
        let slot = if self.slots == 1 { 0 } else { usize::from(cpu) };
        self.cells[element as usize * self.stride + KEY_WORDS + slot] += 1;
    }

    /// The program runs once for each of these keys, on the CPU beside it: what [`CounterMap::bump`] one
    /// after another does. How many updates failed.
    pub fn bump_each(&mut self, keys: &[Key], cpus: &[u8]) -> u64 {
        let mut failures = 0;
        // What LRU lists do depends on every single look-up before.
        if self.lru.is_some() {
            for (key, cpu) in keys.iter().zip(cpus) {
                failures += u64::from(self.bump(key, *cpu).is_err());
            }
            return failures;
        }
        // Many keys do not fit into a cache: to look all places up first lets the waits overlap.
        const AT_ONCE: usize = 32;
        for (keys, cpus) in keys.chunks(AT_ONCE).zip(cpus.chunks(AT_ONCE)) {
            let mut entries = [0; AT_ONCE];
            for (entry, key) in entries.iter_mut().zip(keys) {
                *entry = self.index[self.home(key)];
            }
            for ((entry, key), cpu) in entries.iter().zip(keys).zip(cpus) {
                // No key goes in between: whichever was found at its first place is still there.
                let found = entry.checked_sub(1);
                match found.filter(|element| self.key_of(*element) == key) {
                    Some(element) => self.count(element, *cpu),
                    None => failures += u64::from(self.bump(key, *cpu).is_err()),
                }
            }
        }
        failures
    }

    /// bpf(BPF_MAP_LOOKUP_ELEM): the value of each slot.
    ///
    /// # Errors
    /// ENOENT: the normal answer for a key that is not there.
    pub fn lookup(&self, key: &Key) -> Result<&[u64], Errno> {
        match self.find(key) {
            Ok(element) => Ok(split(self.cell(element)).1),
            Err(_) => Err(Errno::ENOENT),
        }
    }

    /// bpf(BPF_MAP_UPDATE_ELEM): all slots become `value`, those of other CPUs too.
    ///
    /// # Errors
    /// EEXIST, ENOENT as `how` demands; E2BIG if the map is full.
    pub fn update(&mut self, key: &Key, value: u64, how: Update) -> Result<(), Errno> {
        let element = match (self.find(key), how) {
            (Ok(_), Update::NoExist) => return Err(Errno::EEXIST),
            (Err(_), Update::Exist) => return Err(Errno::ENOENT),
            (Ok(element), _) => element,
            (Err(_), _) => self.insert(key, 0)?,
        };
        self.slots_mut(element).fill(value);
        Ok(())
    }

    /// bpf(BPF_MAP_DELETE_ELEM).
    ///
    /// # Errors
    /// ENOENT if it is not there.
    pub fn delete(&mut self, key: &Key) -> Result<(), Errno> {
        let place = self.place_of(key).ok_or(Errno::ENOENT)?;
        let element = self.index[place] - 1;
        self.unlink(place);
        match &mut self.lru {
            Some(lru) => lru.give_back(element),
            None => self.free.push(element),
        }
        Ok(())
    }

    /// The keys and their slots in the order in which a walk meets them. The kernel's is that of its hash;
    /// this one is another, as arbitrary, and costs nothing for entries that are not taken.
    pub fn walk(&self) -> impl Iterator<Item = (&Key, &[u64])> {
        let elements = self.cells.chunks_exact(self.stride).zip(&self.is_used);
        elements
            .take(self.fresh as usize)
            .filter(|(_, is_used)| **is_used)
            .map(|(cell, _)| split(cell))
    }

    fn cell(&self, element: u32) -> &[u64] {
        let from = element as usize * self.stride;
        &self.cells[from..from + self.stride]
    }

    #[inline]
    fn key_of(&self, element: u32) -> &Key {
        split(self.cell(element)).0
    }

    fn slots_mut(&mut self, element: u32) -> &mut [u64] {
        let from = element as usize * self.stride;
        &mut self.cells[from + KEY_WORDS..from + self.stride]
    }

    #[inline]
    fn home(&self, key: &Key) -> usize {
        let mixed = (key[0] ^ key[1].rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed ^ (mixed >> 29)) as usize & self.mask
    }

    /// The element of `key`, or the place in the index where it would go.
    #[inline]
    fn find(&self, key: &Key) -> Result<u32, usize> {
        let mut place = self.home(key);
        loop {
            match self.index[place] {
                0 => return Err(place),
                entry if self.key_of(entry - 1) == key => return Ok(entry - 1),
                _ => place = (place + 1) & self.mask,
            }
        }
    }

    fn place_of(&self, key: &Key) -> Option<usize> {
        let mut place = self.home(key);
        loop {
            match self.index[place] {
                0 => return None,
                entry if self.key_of(entry - 1) == key => return Some(place),
                _ => place = (place + 1) & self.mask,
            }
        }
    }

    /// An element for a key that is not there, its slots all 0.
    fn insert(&mut self, key: &Key, cpu: u8) -> Result<u32, Errno> {
        let element = match &mut self.lru {
            Some(lru) => {
                let mut evicted = std::mem::take(&mut self.evicted);
                let taken = lru.take(cpu, &mut evicted);
                self.evictions += evicted.len() as u64;
                for element in evicted.drain(..) {
                    let place = self.place_of(self.key_of(element));
                    self.unlink(place.expect("an element in use is in the index"));
                }
                self.evicted = evicted;
                taken.ok_or(Errno::ENOMEM)?
            }
            None => match self.free.pop() {
                Some(element) => element,
                None if self.fresh < self.max_entries => self.fresh,
                None => return Err(Errno::E2BIG),
            },
        };
        self.fresh = self.fresh.max(element + 1);
        self.is_used[element as usize] = true;
        let from = element as usize * self.stride;
        self.cells[from..from + KEY_WORDS].copy_from_slice(key);
        self.slots_mut(element).fill(0);
        let place = self
            .find(key)
            .expect_err("a key that was not there before is not there now");
        self.index[place] = element + 1;
        self.len += 1;
        Ok(element)
    }

    /// Takes an entry out of the index; those behind it move up.
    fn unlink(&mut self, mut hole: usize) {
        self.len -= 1;
        self.is_used[self.index[hole] as usize - 1] = false;
        let mut place = hole;
        loop {
            place = (place + 1) & self.mask;
            let entry = self.index[place];
            if entry == 0 {
                break;
            }
            let home = self.home(self.key_of(entry - 1));
            let distance_to = |from: usize| place.wrapping_sub(from) & self.mask;
            if distance_to(home) >= distance_to(hole) {
                self.index[hole] = entry;
                hole = place;
            }
        }
        self.index[hole] = 0;
    }
}
