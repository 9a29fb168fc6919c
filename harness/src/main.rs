//! The binary: see [`faultlab::cli`] for what it takes.

fn main() -> std::process::ExitCode {
    faultlab::main(std::env::args_os())
}
