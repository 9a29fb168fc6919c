//! Connections between two namespaces: one request and its answer each, one after another; the client closes
//! first.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use crate::host::linux::clock::{monotonic_ns, sleep_until};
use crate::host::linux::link::SERVER;
use crate::host::linux::veth::Pair;

/// The server's port: the article's.
pub const PORT: u16 = 6379;

/// How many bytes a request and its answer have.
const BYTES: usize = 64;

/// No more connections are made, whatever the rate: each takes a port of the client's for a minute.
pub const MOST: usize = 30_000;

/// A connection that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Made {
    /// When connect() was called, in ns of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// The client's port.
    pub port: u16,
}

/// The server, on a thread of its own.
pub struct Server {
    listener: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The port cannot be had.
    pub fn start(pair: &Pair) -> io::Result<Server> {
        // No port of the client's comes twice.
        pair.client.run(|| {
            std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "1024 65535")?;
            std::fs::write("/proc/sys/net/ipv4/tcp_tw_reuse", "0")
        })?;
        let listener = pair.server.run(|| TcpListener::bind((SERVER, PORT)))?;
        let accepting = listener.try_clone()?;
        let thread = std::thread::Builder::new()
            .name("server".into())
            .spawn(move || {
                while let Ok((stream, _)) = accepting.accept() {
                    let _ = answer(stream);
                }
            })?;
        Ok(Server {
            listener,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Ends accept() in the other thread.
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = [0; BYTES];
    stream.read_exact(&mut bytes)?;
    stream.write_all(&bytes)?;
    // Until the client has closed.
    stream.read(&mut bytes).map(drop)
}

fn ask() -> io::Result<Made> {
    let at_ns = monotonic_ns();
    let mut stream = TcpStream::connect(SocketAddr::from((SERVER, PORT)))?;
    let port = stream.local_addr()?.port();
    let mut bytes = [0; BYTES];
    stream.write_all(&bytes)?;
    stream.read_exact(&mut bytes)?;
    stream.shutdown(Shutdown::Both)?;
    Ok(Made { at_ns, port })
}

/// Makes connections for so long: at a rate a second, or as fast as one after another goes.
///
/// # Errors
/// One fails.
pub fn play(pair: &Pair, rate: Option<u64>, for_ns: u64) -> io::Result<Vec<Made>> {
    pair.client.run(move || {
        let start_ns = monotonic_ns();
        let mut made = Vec::with_capacity(MOST);
        while made.len() < MOST {
            if let Some(rate) = rate {
                let due_ns = start_ns + made.len() as u64 * 1_000_000_000 / rate;
                if due_ns >= start_ns + for_ns {
                    break;
                }
                if due_ns > monotonic_ns() {
                    sleep_until(due_ns);
                }
            }
            if monotonic_ns() >= start_ns + for_ns {
                break;
            }
            made.push(ask()?);
        }
        Ok(made)
    })
}
