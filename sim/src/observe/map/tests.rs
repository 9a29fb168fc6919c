use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{CounterMap, MapKind, Update};
use crate::linux::errno::Errno;

fn survivors(kind: MapKind, keys: u64) -> u32 {
    let mut map = CounterMap::new(kind, 1000, 2);
    for key in 0..keys {
        map.bump(&[key, 0], 0).expect("an LRU map never fails");
    }
    assert_eq!(u64::from(map.len()) + map.evictions(), keys);
    map.len()
}

/// Measured on Linux 6.18 with two CPUs, keys from one of them.
#[test]
fn an_lru_map_gives_up_early_and_in_batches() {
    assert_eq!(survivors(MapKind::Lru, 1000), 976);
    assert_eq!(survivors(MapKind::Lru, 1100), 948);
    assert_eq!(survivors(MapKind::Lru, 5000), 880);
    assert_eq!(survivors(MapKind::LruOfCpu, 1000), 500);
}

#[test]
fn a_key_in_use_outlives_those_that_are_not() {
    let mut map = CounterMap::new(MapKind::Lru, 1000, 2);
    for key in 0..20_000 {
        map.bump(&[key, 0], 0).expect("an LRU map never fails");
        map.bump(&[0, 7], 0).expect("an LRU map never fails");
    }
    assert_eq!(map.lookup(&[0, 7]).expect("it is spared")[0], 20_000);
}

proptest! {
    /// Runs of the program one after the other, or as many at once as there are.
    #[test]
    fn many_at_once_are_as_one_by_one(kind in 0_usize..4, size in 1_u32..300, keys in prop::collection::vec((0_u64..400, 0_u8..2), 0..1_500)) {
        let kind = [MapKind::Shared, MapKind::PerCpu, MapKind::Lru, MapKind::LruOfCpu][kind];
        let (mut one_by_one, mut at_once) = (CounterMap::new(kind, size, 2), CounterMap::new(kind, size, 2));
        let failed = keys.iter().filter(|(key, cpu)| one_by_one.bump(&[*key, 1], *cpu).is_err()).count();
        let (keys, cpus): (Vec<_>, Vec<_>) = keys.into_iter().map(|(key, cpu)| ([key, 1], cpu)).unzip();
        prop_assert_eq!(at_once.bump_each(&keys, &cpus), failed as u64);
        prop_assert!(one_by_one == at_once);
    }
}

/// Measured on Linux 6.18: exactly so many, and known keys still count.
#[test]
fn a_full_hash_takes_no_new_key() {
    let mut map = CounterMap::new(MapKind::Shared, 1000, 2);
    for key in 0..1000 {
        assert_eq!(map.bump(&[key, key], 1), Ok(()));
    }
    assert_eq!(map.bump(&[1000, 0], 0), Err(Errno::E2BIG));
    assert_eq!(map.bump(&[5, 5], 0), Ok(()));
    assert_eq!(map.lookup(&[5, 5]), Ok(&[2][..]));
    assert_eq!(map.lookup(&[1000, 0]), Err(Errno::ENOENT));
    assert_eq!(map.update(&[1, 1], 9, Update::NoExist), Err(Errno::EEXIST));
    assert_eq!(map.update(&[0, 1], 9, Update::Exist), Err(Errno::ENOENT));
    assert_eq!(map.update(&[0, 1], 9, Update::Any), Err(Errno::E2BIG));
    assert_eq!(map.delete(&[1, 1]), Ok(()));
    assert_eq!(map.delete(&[1, 1]), Err(Errno::ENOENT));
    assert_eq!(map.update(&[0, 1], 9, Update::Any), Ok(()));
}

#[test]
fn a_system_call_overwrites_the_slots_of_all_cpus() {
    let mut map = CounterMap::new(MapKind::PerCpu, 10, 2);
    map.bump(&[1, 1], 0).expect("there is room");
    map.bump(&[1, 1], 1).expect("there is room");
    map.update(&[1, 1], 5, Update::Exist).expect("it is there");
    assert_eq!(map.lookup(&[1, 1]), Ok(&[5, 5][..]));
}

#[derive(Clone, Debug)]
enum Op {
    Bump(u64, u8),
    Delete(u64),
    Update(u64, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0_u64..40, 0_u8..3).prop_map(|(key, cpu)| Op::Bump(key, cpu)),
        2 => (0_u64..40).prop_map(Op::Delete),
        1 => (0_u64..40, any::<u64>()).prop_map(|(key, value)| Op::Update(key, value >> 8)),
    ]
}

fn kind() -> impl Strategy<Value = MapKind> {
    prop_oneof![
        Just(MapKind::Shared),
        Just(MapKind::PerCpu),
        Just(MapKind::Lru),
        Just(MapKind::LruOfCpu)
    ]
}

proptest! {
    /// A map is what a plain map is, but for what it refuses and gives up, which it counts.
    #[test]
    fn a_map_is_a_map(kind in kind(), size in 9_u32..50, ops in prop::collection::vec(op(), 0..400)) {
        let mut map = CounterMap::new(kind, size, 3);
        let mut plain: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let slots = if kind == MapKind::Shared { 1 } else { 3 };
        for op in ops {
            let before = map.evictions();
            match op {
                Op::Bump(key, cpu) => match map.bump(&[key, !key], cpu) {
                    Ok(()) => plain.entry(key).or_insert_with(|| vec![0; slots])[usize::from(cpu) % slots] += 1,
                    Err(errno) => {
                        prop_assert_eq!(errno, Errno::E2BIG);
                        prop_assert!(!plain.contains_key(&key) && plain.len() == size as usize);
                    }
                },
                Op::Delete(key) => prop_assert_eq!(map.delete(&[key, !key]).is_ok(), plain.remove(&key).is_some()),
                Op::Update(key, value) => {
                    if map.update(&[key, !key], value, Update::Any).is_ok() {
                        plain.insert(key, vec![value; slots]);
                    }
                }
            }
            if map.evictions() > before {
                let there = |key: &u64| map.lookup(&[*key, !*key]).is_ok();
                let gone = plain.keys().filter(|key| !there(key)).count() as u64;
                prop_assert_eq!(gone, map.evictions() - before);
                plain.retain(|key, _| map.lookup(&[*key, !*key]).is_ok());
            }
            prop_assert_eq!(map.len() as usize, plain.len());
        }
        let mut walked: Vec<(u64, Vec<u64>)> = map.walk().map(|(key, values)| (key[0], values.to_vec())).collect();
        walked.sort();
        prop_assert_eq!(walked, plain.into_iter().collect::<Vec<_>>());
    }
}
