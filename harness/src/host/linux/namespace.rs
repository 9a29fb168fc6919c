//! A network namespace: a thread that lives in one, and does there what it is asked to.
//!
//! The namespace has no name and no file. It goes when the last thread, descriptor and socket in it goes,
//! which the kernel sees to however this process ends: nothing can be left over.

use std::io::{self, Write as _};
use std::os::linux::fs::MetadataExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};

type Order = Box<dyn FnOnce() + Send>;

/// A namespace of our own.
pub struct Namespace {
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    /// Its inode number, by which eBPF programs know it.
    pub inum: u32,
    /// Where other processes find it while it is there.
    pub path: PathBuf,
}

/// What a fresh namespace takes over from the machine's first one (tcp_sk_init), as kernels have it by themselves: a
/// machine may be set otherwise.
const INHERITED: [(&str, &str); 2] = [
    ("tcp_rmem", "4096 131072 6291456"),
    ("tcp_wmem", "4096 16384 4194304"),
];

fn forget_inherited() -> io::Result<()> {
    for (name, value) in INHERITED {
        std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value)
            .map_err(|error| io::Error::new(error.kind(), format!("{name} {value}: {error}")))?;
    }
    Ok(())
}

impl Namespace {
    /// A fresh one.
    ///
    /// # Errors
    /// It cannot be had: EPERM without CAP_SYS_ADMIN.
    pub fn new() -> io::Result<Namespace> {
        let (orders, receiver) = mpsc::channel::<Order>();
        let (ready, started) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("namespace".into())
            .spawn(move || {
                let made = unshare(CloneFlags::CLONE_NEWNET)
                    .map_err(io::Error::from)
                    .and_then(|()| forget_inherited())
                    .and_then(|()| std::fs::metadata("/proc/thread-self/ns/net"))
                    .map(|file| (file.st_ino() as u32, own_path()));
                let is_made = made.is_ok();
                if ready.send(made).is_ok() && is_made {
                    receiver.into_iter().for_each(|order| order());
                }
            })?;
        let (inum, path) = started
            .recv()
            .map_err(|_| io::Error::other("the thread of a namespace ended"))??;
        Ok(Namespace {
            orders: Some(orders),
            thread: Some(thread),
            inum,
            path,
        })
    }

    /// Does something there, and waits for it. What is opened there stays there.
    ///
    /// # Panics
    /// If `act` does.
    pub fn run<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, receiver) = mpsc::channel();
        let order: Order = Box::new(move || {
            let _ = sender.send(act());
        });
        let orders = self
            .orders
            .as_ref()
            .expect("it is there until it is dropped");
        orders.send(order).expect("its thread waits for orders");
        receiver.recv().expect("what was ordered does not panic")
    }
}

impl Namespace {
    /// Runs a program there, with `input` on its standard input: what it prints.
    ///
    /// # Errors
    /// It is not there, or fails: what it says.
    pub fn command(&self, program: &'static str, args: &[&str], input: &str) -> io::Result<String> {
        let args: Vec<String> = args.iter().map(|arg| String::from(*arg)).collect();
        let input = input.to_owned();
        self.run(move || {
            let mut child = Command::new(program)
                .args(args)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
            let mut stdin = child.stdin.take().expect("it was asked for");
            let written = stdin.write_all(input.as_bytes());
            drop(stdin);
            let output = child.wait_with_output()?;
            if !output.status.success() {
                let said = String::from_utf8_lossy(&output.stderr);
                return Err(io::Error::other(format!("{program}: {}", said.trim())));
            }
            written?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
    }
}

/// The calling thread's network namespace, for other processes.
fn own_path() -> PathBuf {
    let thread = rustix::thread::gettid().as_raw_nonzero();
    PathBuf::from(format!("/proc/{}/task/{thread}/ns/net", std::process::id()))
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_there_is_done_in_another_namespace() {
        let Ok(namespace) = Namespace::new() else {
            eprintln!("skipped: no network namespace can be had here");
            return;
        };
        let devices = || std::fs::read_to_string("/proc/thread-self/net/dev").expect("Linux");
        let there = namespace.run(devices);
        assert!(there.contains("lo:"), "{there}");
        assert_eq!(there.lines().count(), 3, "only lo: {there}");
        let here = std::fs::metadata("/proc/self/ns/net").expect("Linux");
        assert_ne!(here.st_ino() as u32, namespace.inum);
    }
}
