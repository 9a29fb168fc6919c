//! Two namespaces that a pair of virtual Ethernet cards joins: the kernel's own way between them, for what is
//! measured. Their addresses are those of the models.

use std::io;

use super::link::{CLIENT, SERVER};
use super::namespace::Namespace;

/// The card of either host.
pub const DEVICE: &str = "eth0";

/// Both hosts.
pub struct Pair {
    /// The client.
    pub client: Namespace,
    /// The server.
    pub server: Namespace,
}

impl Pair {
    /// Fresh ones.
    ///
    /// # Errors
    /// There can be no namespaces, `ip` is not there, or the kernel has no such cards.
    pub fn new() -> io::Result<Pair> {
        let (client, server) = (Namespace::new()?, Namespace::new()?);
        let there = server.path.display();
        let up = format!("link set lo up\nlink set {DEVICE} up\n");
        let cards = format!(
            "link add name {DEVICE} type veth peer name {DEVICE} netns {there}\n\
             address add {CLIENT}/8 dev {DEVICE}\n{up}"
        );
        client.command("ip", &["-batch", "-"], &cards)?;
        let card = format!("address add {SERVER}/8 dev {DEVICE}\n{up}");
        server.command("ip", &["-batch", "-"], &card)?;
        Ok(Pair { client, server })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn one_reaches_the_other() {
        let pair = match Pair::new() {
            Ok(pair) => pair,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let listener = pair.server.run(|| TcpListener::bind((SERVER, 9_000)));
        let listener = listener.expect("it listens");
        let stream = pair.client.run(|| TcpStream::connect((SERVER, 9_000)));
        let local = stream
            .expect("it connects")
            .local_addr()
            .expect("it has one");
        assert_eq!(listener.accept().expect("a connection").1, local);
    }
}
