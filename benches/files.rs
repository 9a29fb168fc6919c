//! Access checks, paths and volumes through the library, in time on the processor: `cargo bench --bench files`. Besides, it prints
//! what a fork of a volume of 10 000 files takes of memory.

#[path = "work/cpu_time.rs"]
mod cpu_time;
#[path = "work/memory.rs"]
mod memory;

use criterion::{Criterion, criterion_group, criterion_main};
use std::hint::black_box;

use cpu_time::CpuTime;
use faultlab_sim::win7::Machine;
use faultlab_sim::win7::files::Actor;
use faultlab_sim::win7::path::{full_path, nt_path};
use faultlab_sim::win7::registry::units;
use faultlab_sim::win7::security::{Descriptor, Kind, Mask, access_check, defaults};

fn files(c: &mut Criterion<CpuTime>) {
    let mut machine = Machine::windows_7();
    let alice = machine.caller("alice").expect("she is there");
    let programs = defaults::descriptor(defaults::PROGRAM_FILES);
    let mut check = |name: &str, mask: u32| {
        c.bench_function(name, |b| {
            b.iter(|| access_check(black_box(alice.token()), &programs, Kind::File, Mask(mask)))
        });
    };
    check("access check, granted", 0x12_00A9);
    check("access check, refused", 0x2);
    check("access check, maximum allowed", 0x200_0000);
    let text = programs.sddl();
    c.bench_function("sddl read", |b| {
        b.iter(|| Descriptor::parse(black_box(&text)))
    });

    let directory = units("C:\\Users\\alice\\go\\src");
    for (name, path) in [
        (
            "full path, relative",
            "..\\pkg\\mod\\cache\\.\\download\\x.zip",
        ),
        ("full path, absolute", "C:\\Program Files\\Go\\bin\\go.exe"),
        (
            "full path, of 248 units with dots",
            "C:/Users/alice/go/pkg/mod/./golang.org/x/../x/tools@v0.15.1/internal/lsp/../lsp/cache/testdata/\
             aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb/\
             ccccccccccccccccccccccccccccccccccccccc/x.go",
        ),
    ] {
        let path = units(path);
        c.bench_function(name, |b| {
            b.iter(|| full_path(black_box(&path), &directory, |_| None))
        });
    }
    let path = units("\\\\?\\C:\\Program Files\\Go\\bin\\go.exe");
    c.bench_function("nt path, prefixed", |b| {
        b.iter(|| nt_path(black_box(&path), &directory, |_| None))
    });

    let admin = machine.caller("admin").expect("it is there");
    let actor = Actor::new(admin.token());
    for n in 0..10_000 {
        let directory = format!("C:\\lab\\{}", n / 100);
        if n % 100 == 0 {
            machine
                .files
                .make_tree(&actor, &units(&directory))
                .expect("by any means");
        }
        let file = units(&format!("{directory}\\{n}.go"));
        machine
            .files
            .write_file(&actor, &file, b"package x")
            .expect("an administrator may");
    }
    c.bench_function("fork of a volume of 10 000 files", |b| {
        b.iter(|| black_box(&machine.files).clone())
    });
    memory::print(&machine.files, |nth, fork| {
        let file = units(&format!("C:\\lab\\{}\\{nth}.go", nth / 100));
        let _ = fork.write_file(&actor, &file, b"package y");
    });
    let file = units("C:\\lab\\50\\5050.go");
    c.bench_function("attributes in 10 000 files", |b| {
        b.iter(|| machine.files.attributes(&actor, black_box(&file)))
    });
    c.bench_function("fork and write in 10 000 files", |b| {
        b.iter(|| {
            let mut fork = machine.files.clone();
            fork.write_file(&actor, &file, b"package y")
        })
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = files
}
criterion_main!(benches);
