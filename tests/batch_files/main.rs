//! Batch files on a modelled Windows 7: constructs that real scripts use, bad input, limits.

mod constructs;
mod limits;
mod properties;

use faultlab_sim::engine::source::Defaults;
use faultlab_sim::scenario::{Ran, run_script};
use faultlab_sim::win7::Machine;
use faultlab_sim::win7::files::Actor;
use faultlab_sim::win7::program::ScriptSetup;
use faultlab_sim::win7::registry::units;

/// A machine with files, made by the system.
fn machine(files: &[(&str, &[u8])]) -> Machine {
    let mut machine = Machine::windows_7();
    let system = machine.caller("SYSTEM").expect("every machine has it");
    for (path, bytes) in files {
        let actor = Actor::new(system.token());
        let full = units(path);
        let folder = full.iter().rposition(|unit| *unit == u16::from(b'\\'));
        let folder = &full[..folder.expect("a full path")];
        machine.files.make_tree(&actor, folder).expect("a folder");
        let written = machine.files.write_file(&actor, &full, bytes);
        written.expect("a file");
    }
    machine
}

/// Runs a script in `C:\lab` as `admin`.
fn run_bytes(bytes: &[u8], setup: ScriptSetup) -> Ran {
    let machine = machine(&[("C:\\lab\\test.bat", bytes)]);
    let script = ScriptSetup {
        name: "test".into(),
        command: "C:\\lab\\test.bat".into(),
        directory: "C:\\lab".into(),
        ..setup
    };
    run_script(&machine, script, &mut Defaults)
}

fn run(lines: &str) -> Ran {
    let text = format!("@echo off\r\n{}\r\n", lines.replace('\n', "\r\n"));
    run_bytes(text.as_bytes(), ScriptSetup::default())
}

/// What a script shows, a line each.
fn shows(lines: &str) -> String {
    let ran = run(lines);
    assert_eq!(ran.unsupported, Vec::<String>::new(), "{lines}");
    ran.stdout.replace("\r\n", "\n")
}
