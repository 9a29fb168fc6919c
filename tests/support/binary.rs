//! The binary, as a user runs it.

use std::process::{Command, Output, Stdio};

/// A command line, not started yet.
pub fn faultlab(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultlab"));
    command.args(args);
    command
}

/// Its exit code, and all that it says.
pub fn run(args: &[&str]) -> (i32, String) {
    let ran = faultlab(args).stdin(Stdio::null()).output();
    let Output {
        status,
        stdout,
        stderr,
    } = ran.expect("it runs");
    let text = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().expect("it ends by itself"), text)
}
