//! Which element an LRU map gives up: the lists of the kernel's bpf_lru_list.c, with their batches.
//!
//! A map of one common list has a store of free elements for each CPU, filled 128 at a time; when
//! nothing is free, 128 are taken from the tail of the inactive list, so that a full map holds up to 127
//! elements fewer than it could. Elements in use are active or inactive; a look-up from a program sets a
//! bit that spares an element once. With BPF_F_NO_COMMON_LRU each CPU has lists of its own and takes 4
//! at a time, so that one CPU reaches only its share of the map. Measured on Linux 6.18 with two CPUs:
//! of 1000, 1100 and 5000 keys in a map of 1000 there stay 976, 948 and 880; with lists of their own, 500.

/// What no list has.
const NONE: u32 = u32::MAX;

/// The lists that an element can be on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Home {
    Free,
    Active,
    Inactive,
    LocalFree,
    LocalPending,
}

/// The lists of one LRU map. Elements are known by number.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lru {
    /// Whether all CPUs share the lists of use.
    is_common: bool,
    cpus: u32,
    elements: u32,
    // invariant: circular lists; the numbers from `elements` on are their heads.
    next: Vec<u32>,
    prev: Vec<u32>,
    home: Vec<(Home, u32)>,
    is_referenced: Vec<bool>,
    /// Of each group of lists of use: how many are active, how many inactive, where rotation goes on.
    counts: Vec<(u32, u32)>,
    rotation: Vec<u32>,
    next_steal: Vec<u32>,
}

impl Lru {
    /// How many a CPU's store is filled with at a time (LOCAL_FREE_TARGET).
    const LOCAL_TARGET: u32 = 128;
    /// The same of lists that a CPU has for itself (PERCPU_FREE_TARGET).
    const PER_CPU_TARGET: u32 = 4;

    pub(super) fn new(elements: u32, cpus: u8, is_common: bool) -> Lru {
        let cpus = u32::from(cpus);
        let heads = elements + cpus * 5;
        let groups = if is_common { 1 } else { cpus };
        let mut lru = Lru {
            is_common,
            cpus,
            elements,
            next: (0..heads).collect(),
            prev: (0..heads).collect(),
            home: vec![(Home::Free, 0); elements as usize],
            is_referenced: vec![false; elements as usize],
            counts: vec![(0, 0); groups as usize],
            rotation: (0..groups).map(|_| NONE).collect(),
            next_steal: (0..cpus).collect(),
        };
        let share = (elements / groups).max(1);
        for element in 0..elements {
            let group = (element / share).min(groups - 1);
            lru.put_last(element, Home::Free, group);
        }
        for group in 0..groups {
            lru.rotation[group as usize] = lru.head(Home::Inactive, group);
        }
        lru
    }

    /// A look-up from a program met this element.
    #[inline]
    pub(super) fn touch(&mut self, element: u32) {
        self.is_referenced[element as usize] = true;
    }

    /// An element for a new key on `cpu`, and what had to go for it. None: all are under way on other CPUs.
    pub(super) fn take(&mut self, cpu: u8, evicted: &mut Vec<u32>) -> Option<u32> {
        let cpu = u32::from(cpu);
        match self.is_common {
            true => self.take_common(cpu, evicted),
            false => self.take_own(cpu, evicted),
        }
    }

    /// An element whose key was deleted.
    pub(super) fn give_back(&mut self, element: u32) {
        let (home, group) = self.home[element as usize];
        match home {
            Home::LocalPending => self.move_to(element, Home::LocalFree, group),
            Home::Active | Home::Inactive => self.move_to(element, Home::Free, group),
            Home::Free | Home::LocalFree => unreachable!("a free element has no key"),
        }
    }

    fn take_own(&mut self, cpu: u32, evicted: &mut Vec<u32>) -> Option<u32> {
        self.rotate(cpu, Lru::PER_CPU_TARGET);
        if self.first(Home::Free, cpu).is_none() {
            self.shrink(
                cpu,
                Lru::PER_CPU_TARGET,
                Lru::PER_CPU_TARGET,
                (Home::Free, cpu),
                evicted,
            );
        }
        let element = self.first(Home::Free, cpu)?;
        self.is_referenced[element as usize] = false;
        self.move_to(element, Home::Inactive, cpu);
        Some(element)
    }

    fn take_common(&mut self, cpu: u32, evicted: &mut Vec<u32>) -> Option<u32> {
        if self.first(Home::LocalFree, cpu).is_none() {
            self.refill(cpu, evicted);
        }
        let found = self
            .first(Home::LocalFree, cpu)
            .or_else(|| self.steal(cpu, evicted));
        let element = found?;
        self.is_referenced[element as usize] = false;
        self.move_to(element, Home::LocalPending, cpu);
        Some(element)
    }

    /// Fills a CPU's store (bpf_lru_list_pop_free_to_local).
    fn refill(&mut self, cpu: u32, evicted: &mut Vec<u32>) {
        while let Some(element) = self.last(Home::LocalPending, cpu) {
            let home = match self.is_referenced[element as usize] {
                true => Home::Active,
                false => Home::Inactive,
            };
            self.is_referenced[element as usize] = false;
            self.move_to(element, home, 0);
        }
        self.rotate(0, Lru::LOCAL_TARGET);
        let mut filled = 0;
        while filled < Lru::LOCAL_TARGET {
            let Some(element) = self.first(Home::Free, 0) else {
                break;
            };
            self.move_to(element, Home::LocalFree, cpu);
            filled += 1;
        }
        if filled < Lru::LOCAL_TARGET {
            let wanted = Lru::LOCAL_TARGET - filled;
            self.shrink(
                0,
                wanted,
                Lru::LOCAL_TARGET,
                (Home::LocalFree, cpu),
                evicted,
            );
        }
    }

    /// Takes one that another CPU holds, free or just come into use.
    fn steal(&mut self, cpu: u32, evicted: &mut Vec<u32>) -> Option<u32> {
        let start = self.next_steal[cpu as usize];
        for step in 0..self.cpus {
            let from = (start + step) % self.cpus;
            self.next_steal[cpu as usize] = (from + 1) % self.cpus;
            if let Some(element) = self.first(Home::LocalFree, from) {
                return Some(element);
            }
            let mut pending = self.last(Home::LocalPending, from);
            let oldest = pending;
            while let Some(element) = pending {
                if !self.is_referenced[element as usize] {
                    break;
                }
                let before = self.prev[element as usize];
                pending = (before < self.elements).then_some(before);
            }
            if let Some(element) = pending.or(oldest) {
                evicted.push(element);
                return Some(element);
            }
        }
        None
    }

    fn rotate(&mut self, group: u32, scans: u32) {
        let (active, inactive) = self.counts[group as usize];
        if inactive < active {
            self.rotate_active(group, scans);
        }
        self.rotate_inactive(group, scans);
    }

    fn rotate_active(&mut self, group: u32, scans: u32) {
        let until = self.first(Home::Active, group);
        for _ in 0..scans {
            let Some(element) = self.last(Home::Active, group) else {
                return;
            };
            let home = match self.is_referenced[element as usize] {
                true => Home::Active,
                false => Home::Inactive,
            };
            self.is_referenced[element as usize] = false;
            self.move_to(element, home, group);
            if Some(element) == until {
                return;
            }
        }
    }

    fn rotate_inactive(&mut self, group: u32, scans: u32) {
        let head = self.head(Home::Inactive, group);
        if self.next[head as usize] == head {
            return;
        }
        let mut current = self.rotation[group as usize];
        let mut last = self.next[current as usize];
        if last == head {
            last = self.next[last as usize];
        }
        let mut scanned = 0;
        let mut next = head;
        while scanned < scans {
            if current == head {
                current = self.prev[current as usize];
                // The kernel's loop would go round an emptied list for ever; there, too, it cannot be
                // empty before `last` was met.
                if current == head {
                    break;
                }
                continue;
            }
            next = self.prev[current as usize];
            if self.is_referenced[current as usize] {
                self.is_referenced[current as usize] = false;
                self.move_to(current, Home::Active, group);
            }
            if current == last {
                break;
            }
            current = next;
            scanned += 1;
        }
        self.rotation[group as usize] = next;
    }

    /// Takes elements out of use, from the tail of the inactive list (__bpf_lru_list_shrink).
    fn shrink(
        &mut self,
        group: u32,
        wanted: u32,
        scans: u32,
        to: (Home, u32),
        evicted: &mut Vec<u32>,
    ) {
        let mut taken = 0;
        for _ in 0..scans {
            if taken == wanted {
                break;
            }
            let Some(element) = self.last(Home::Inactive, group) else {
                break;
            };
            if self.is_referenced[element as usize] {
                self.is_referenced[element as usize] = false;
                self.move_to(element, Home::Active, group);
            } else {
                evicted.push(element);
                self.move_to(element, to.0, to.1);
                taken += 1;
            }
        }
        if taken == 0 {
            let forced = self
                .last(Home::Inactive, group)
                .or_else(|| self.last(Home::Active, group));
            if let Some(element) = forced {
                evicted.push(element);
                self.move_to(element, to.0, to.1);
            }
        }
    }

    fn head(&self, home: Home, group: u32) -> u32 {
        self.elements + home as u32 * self.cpus + group
    }

    fn first(&self, home: Home, group: u32) -> Option<u32> {
        let first = self.next[self.head(home, group) as usize];
        (first < self.elements).then_some(first)
    }

    fn last(&self, home: Home, group: u32) -> Option<u32> {
        let last = self.prev[self.head(home, group) as usize];
        (last < self.elements).then_some(last)
    }

    /// Moves an element to the front of a list.
    fn move_to(&mut self, element: u32, home: Home, group: u32) {
        let (old, old_group) = self.home[element as usize];
        if old == Home::Inactive && self.rotation[old_group as usize] == element {
            self.rotation[old_group as usize] = self.prev[element as usize];
        }
        self.count(old, old_group, -1);
        let (before, after) = (self.prev[element as usize], self.next[element as usize]);
        self.next[before as usize] = after;
        self.prev[after as usize] = before;
        self.put_after(self.head(home, group), element, home, group);
    }

    fn put_last(&mut self, element: u32, home: Home, group: u32) {
        let last = self.prev[self.head(home, group) as usize];
        self.put_after(last, element, home, group);
    }

    fn put_after(&mut self, before: u32, element: u32, home: Home, group: u32) {
        let after = self.next[before as usize];
        self.next[before as usize] = element;
        self.prev[element as usize] = before;
        self.next[element as usize] = after;
        self.prev[after as usize] = element;
        self.home[element as usize] = (home, group);
        self.count(home, group, 1);
    }

    fn count(&mut self, home: Home, group: u32, by: i32) {
        match home {
            Home::Active => {
                let count = &mut self.counts[group as usize].0;
                *count = count.wrapping_add_signed(by);
            }
            Home::Inactive => {
                let count = &mut self.counts[group as usize].1;
                *count = count.wrapping_add_signed(by);
            }
            Home::Free | Home::LocalFree | Home::LocalPending => {}
        }
    }
}
