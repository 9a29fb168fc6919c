//! The registry of the Windows 7 model: forks, reads, writes, and the probe, with criterion. Besides times,
//! it prints what a fork of a machine with 10 000 keys and 10 000 values takes of memory.

#[path = "work/memory.rs"]
mod memory;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use faultlab::probe::{Session, serve};
use faultlab_sim::win7::Machine;
use faultlab_sim::win7::registry::{KeyPath, Value};

const KEYS: usize = 10_000;

fn path(nth: usize) -> String {
    format!("HKLM\\SOFTWARE\\Lab\\group {:02}\\key {nth}", nth % 100)
}

/// 10 000 keys with a value each, and one key that has 10 000 subkeys.
fn large() -> Machine {
    let mut machine = Machine::windows_7();
    for nth in 0..KEYS {
        machine.set(&path(nth), "value", "text");
    }
    machine
}

fn registry(criterion: &mut Criterion) {
    let machine = large();
    let caller = machine.user().clone();
    memory::print(&machine, |nth, fork| {
        let key = KeyPath::from(&*path(nth));
        let _ = fork
            .registry
            .set_value(&caller, &key, "value", Value::dword(1));
    });
    let mut group = criterion.benchmark_group("registry of 10 000 keys and 10 000 values");
    group.bench_function("fork", |bencher| bencher.iter(|| black_box(machine.fork())));
    let read = path(4321);
    group.bench_function("read by text", |bencher| {
        bencher.iter(|| black_box(machine.get(black_box(&read), "value")));
    });
    let key = KeyPath::from(&*read);
    group.bench_function("read by path", |bencher| {
        bencher.iter(|| machine.registry.value(&caller, black_box(&key), "value"));
    });
    let text = Value::sz("other");
    group.bench_function("fork and write", |bencher| {
        bencher.iter_batched(
            || machine.fork(),
            |mut fork| {
                fork.registry
                    .set_value(&caller, &key, "value", text.clone())
                    .map(|()| fork)
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();

    let mut group = criterion.benchmark_group("probe");
    let requests: String = (0..KEYS)
        .map(|nth| {
            let key = "HKLM\\\\SOFTWARE\\\\Microsoft\\\\Windows NT\\\\CurrentVersion";
            format!(
                "{{\"id\":{nth},\"op\":\"reg.get\",\"key\":\"{key}\",\"name\":\"ProductName\"}}\n"
            )
        })
        .collect();
    group.throughput(Throughput::Elements(KEYS as u64));
    group.bench_function("reg.get, pipelined", |bencher| {
        bencher.iter(|| {
            let mut out = Vec::new();
            serve(&mut Session::new(), requests.as_bytes(), &mut out).map(|()| out.len())
        });
    });
    group.finish();
}

criterion_group!(benches, registry);
criterion_main!(benches);
