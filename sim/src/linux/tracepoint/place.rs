//! Which field of a kernel's record holds a field of the model's: the one of the same name, but for addresses, which
//! the kernel has as bytes, of both families or in a sockaddr with port and family.

use super::format::FieldLayout;

/// What a field of the kernel's holds of one of the model's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// A number in the host's order (little-endian).
    Number,
    /// An IPv4 address.
    Ip4,
    /// An IPv6 address, or an IPv4 one in the v4-mapped form.
    Ip6,
    /// The family of a sockaddr.
    SockaddrFamily,
    /// The port of a sockaddr.
    SockaddrPort,
    /// The address of a sockaddr.
    SockaddrIp,
}

/// The size of `struct sockaddr_in6`, which the records have for a socket's address with its port.
pub(super) const SOCKADDR: usize = 28;

/// The model's field, the kernel's, the size of the latter in bytes, and what it holds.
const BYTES: &[(&str, &str, usize, Part)] = &[
    ("saddr", "saddr", 4, Part::Ip4),
    ("saddr", "saddr_v6", 16, Part::Ip6),
    ("saddr", "saddr", SOCKADDR, Part::SockaddrIp),
    ("sport", "saddr", SOCKADDR, Part::SockaddrPort),
    ("daddr", "daddr", 4, Part::Ip4),
    ("daddr", "daddr_v6", 16, Part::Ip6),
    ("daddr", "daddr", SOCKADDR, Part::SockaddrIp),
    ("dport", "daddr", SOCKADDR, Part::SockaddrPort),
    ("family", "saddr", SOCKADDR, Part::SockaddrFamily),
    ("family", "daddr", SOCKADDR, Part::SockaddrFamily),
];

/// The places, in the kernel's `fields`, of those that hold the model's `field`, in their order there.
pub(super) fn parts_of(field: &str, fields: &[FieldLayout]) -> impl Iterator<Item = (usize, Part)> {
    fields
        .iter()
        .enumerate()
        .filter_map(move |(index, layout)| {
            let part = match layout.is_bytes {
                false => (layout.name == field).then_some(Part::Number),
                true => BYTES
                    .iter()
                    .find(|(of, name, size, _)| {
                        *of == field && *name == layout.name && *size == layout.size
                    })
                    .map(|(_, _, _, part)| *part),
            };
            Some((index, part?))
        })
}
