//! Names, layouts and texts against real kernels' records, and round trips.

use super::*;

#[test]
fn names_and_numbers_are_the_kernel_s() {
    assert_eq!(
        TcpState::Established.value().as_text(),
        Some("TCP_ESTABLISHED")
    );
    assert_eq!(TcpState::Closing.number(), 11);
    assert_eq!(
        TcpState::from_name("TCP_FIN_WAIT2"),
        Some(TcpState::FinWait2)
    );
    assert_eq!(
        RstReason::from_name("TCP_STATE").map(RstReason::number),
        Some(14)
    );
    assert_eq!(Ipv4::new(10, 0, 0, 1).to_string(), "10.0.0.1");
    assert_eq!(
        &Ipv4::new(10, 0, 0, 1).v6_mapped()[10..],
        [255, 255, 10, 0, 0, 1]
    );
}

#[test]
fn time_wait_is_never_seen_as_a_new_state() {
    for state in TcpState::ALL {
        assert!(!state.may_become(TcpState::TimeWait));
        assert!(!state.may_become(TcpState::NewSynRecv));
    }
}

use super::bytes::ReadError;
use super::event::{Datum, Event};
use super::format::{Format, Layouts};
use super::line::{Line, Printer};
use crate::engine::Field;
use crate::linux::tcp::Kernel;
use proptest::prelude::*;

const KERNELS: [Kernel; 2] = [Kernel::V6_1, Kernel::V6_18];

/// Records that Linux 6.18.44 wrote (`trace_pipe_raw`), each with the line that it printed for it
/// (`trace`): two IPv4 connections, a reset by a closed port, the same by IPv6, one between families, SYNs
/// into the void.
fn real() -> impl Iterator<Item = (Vec<u8>, &'static str)> {
    let text = include_str!("../../../tests/data/tracepoint-records-6.18.44.txt");
    text.lines().map(|line| {
        let (hex, line) = line.split_once(' ').expect("bytes and a line");
        let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        ((0..hex.len()).step_by(2).map(digits).collect(), line)
    })
}

/// The kernel prints a hash of a pointer, and writes the pointer.
fn without_pointers(text: &str) -> String {
    let words = text.split(' ');
    let kept = words.filter(|word| !word.contains("skaddr=") && !word.contains("skbaddr="));
    kept.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_real_kernel_s_records_are_read_and_written_and_printed_as_it_does() {
    let layouts = Layouts::of(Kernel::V6_18);
    let mut kinds = std::collections::BTreeSet::new();
    for (bytes, line) in real() {
        let id = u16::from_le_bytes([bytes[0], bytes[1]]);
        let format = layouts.with_id(id).expect("a known tracepoint");
        assert_eq!(bytes.len(), format.size(), "{line}");
        let event = format.decode(&bytes).expect("a record");
        let mut again = Vec::new();
        format.encode(&event, &mut again);
        // After its last field, tcp_retransmit_skb of 6.1 and others hold what was there before.
        assert_eq!(again, bytes, "{line}");

        let parsed = Line::parse(line).expect("a line");
        assert_eq!(
            (parsed.printer, parsed.name),
            (Printer::Ftrace, format.name())
        );
        assert_eq!(event.number("common_pid"), Some(parsed.context.pid.into()));
        assert_eq!(
            event.number("common_flags"),
            Some(parsed.context.flags.into())
        );
        let depth = parsed.context.preempt_count;
        assert_eq!(event.number("common_preempt_count"), Some(depth.into()));
        assert_eq!(parsed.trace_pipe(), line);
        assert_eq!(
            without_pointers(&event.to_string()),
            without_pointers(parsed.text)
        );
        let text = event.to_string();
        assert_eq!(format.parse(&text).expect("a text"), event.printed());
        kinds.insert(format.name());
    }
    // A SYN-ACK was not sent again there.
    assert_eq!(kinds.len(), 5, "{kinds:?}");
}

#[test]
fn a_real_kernel_s_ipv4_records_are_the_model_s() {
    let layouts = Layouts::of(Kernel::V6_18);
    let (mut typed, mut of_ipv6) = (0, 0);
    for (bytes, line) in real() {
        let format = Line::parse(line).and_then(|line| layouts.named(line.name));
        let format = format.expect("a known tracepoint");
        match format.read(&bytes) {
            Ok((record, context)) => {
                let mut again = vec![0xff; format.size()];
                let written = format.write(&record, &context, &mut again);
                assert_eq!((written, &again), (Some(bytes.len()), &bytes), "{line}");
                typed += 1;
            }
            Err(error) => {
                assert!(
                    matches!(error, ReadError::NotModelled(_)),
                    "{line}: {error}"
                );
                // The reset's addresses stand in brackets.
                assert!(line.contains("AF_INET6") || line.contains("]:"), "{line}");
                of_ipv6 += 1;
            }
        }
    }
    assert!(typed > 30 && of_ipv6 > 20, "{typed} {of_ipv6}");
}

#[test]
fn layouts_differ_between_the_kernels_where_the_kernels_do() {
    let [old, new] = KERNELS.map(Layouts::of);
    let offset = |layouts: &Layouts, name: &str, field: &str| {
        let format = layouts.named(name).expect("a known tracepoint");
        let mut fields = format.fields().iter();
        fields.find(|f| f.name == field).map(|f| (f.offset, f.size))
    };
    // facts: Linux TCP, section 4.
    assert_eq!(offset(&old, "tcp_send_reset", "sport"), Some((28, 2)));
    assert_eq!(offset(&old, "tcp_send_reset", "saddr"), Some((34, 4)));
    assert_eq!(offset(&new, "tcp_send_reset", "sport"), None);
    assert_eq!(offset(&new, "tcp_send_reset", "reason"), Some((28, 4)));
    assert_eq!(offset(&new, "tcp_send_reset", "saddr"), Some((32, 28)));
    assert_eq!(offset(&new, "tcp_send_reset", "daddr"), Some((60, 28)));
    assert_eq!(offset(&old, "tcp_retransmit_skb", "err"), None);
    assert_eq!(offset(&new, "tcp_retransmit_skb", "err"), Some((76, 4)));
    for layouts in [&old, &new] {
        assert_eq!(
            offset(layouts, "inet_sock_set_state", "daddr_v6"),
            Some((56, 16))
        );
        assert_eq!(
            offset(layouts, "tcp_destroy_sock", "sock_cookie"),
            Some((64, 8))
        );
    }
    let reason = |layouts: &Layouts, number: u8| {
        let format = layouts.named("kfree_skb").expect("a known tracepoint");
        let mut bytes = vec![0; format.size()];
        bytes[..2].copy_from_slice(&format.id().to_le_bytes());
        let (at, _) = offset(layouts, "kfree_skb", "reason").expect("a field");
        bytes[at] = number;
        let text = format.decode(&bytes).expect("a record").to_string();
        text.rsplit(' ').next().map(ToOwned::to_owned)
    };
    assert_eq!(reason(&old, 7).as_deref(), Some("NETFILTER_DROP"));
    assert_eq!(reason(&new, 12).as_deref(), Some("NETFILTER_DROP"));
}

#[test]
fn what_no_tracepoint_is_told_plainly() {
    let layouts = Layouts::of(Kernel::V6_18);
    let format = layouts.named("tcp_send_reset").expect("known");
    let short = format.decode(&[0; 20]).expect_err("too short");
    assert_eq!(
        short.to_string(),
        "the record has 88 bytes, and 20 are there"
    );
    let other = format.decode(&[7; 88]).expect_err("another");
    assert_eq!(other, ReadError::OtherType(0x0707));
    for (text, what) in [
        (
            "src=1.2.3.4:80 hello",
            "\"hello\" is not of the form key=value",
        ),
        ("source=1.2.3.4:80", "this tracepoint prints no \"source\""),
        ("src=1.2.3.4", "src cannot be \"1.2.3.4\""),
        ("state=TCP_LIMBO", "state cannot be \"TCP_LIMBO\""),
        ("reason=99999999999", "reason cannot be \"99999999999\""),
    ] {
        assert_eq!(format.parse(text).expect_err("refused").to_string(), what);
    }
    let bad = Layouts::parse("#### tcp/x\nname: x\n\tfield:int;\n").expect_err("no field");
    assert_eq!(bad.to_string(), "line 3: no field");
}

#[test]
fn perf_prints_numbers_where_it_cannot_resolve_names() {
    let layouts = Layouts::of(Kernel::V6_18);
    let line = "         python3  7056/7056 [001]  3434.818008:       tcp:tcp_send_reset: \
                skbaddr=(nil) skaddr=0xffff88810658dc80 src=127.0.0.1:45558 dest=[::1]:38773 \
                state=0x7 reason=TCP_STATE";
    let line = Line::parse(line).expect("a line");
    assert_eq!(
        (line.printer, line.comm, line.cpu),
        (Printer::PerfScript, "python3", Some(1))
    );
    assert_eq!((line.context.pid, line.at_ns), (7056, 3_434_818_008_000));
    let event = layouts
        .named(line.name)
        .expect("known")
        .parse(line.text)
        .expect("a text");
    assert_eq!(event.number("state"), Some(7));
    assert_eq!(event.number("skbaddr"), Some(0));
    assert_eq!(event.number("skaddr"), Some(0xffff_8881_0658_dc80));
}

#[test]
fn task_names_may_look_like_anything() {
    for comm in [
        "a-b",
        "opt cgu.01",
        "x: y",
        "[kworker] 3.5",
        "1.5: z",
        "(sd-pam)",
    ] {
        let line = Line {
            printer: Printer::Ftrace,
            comm,
            context: Context::softirq(4_194_304),
            cpu: Some(127),
            at_ns: 86_400_000_001_000,
            name: "tcp_probe",
            text: "family=AF_INET",
        };
        assert_eq!(Line::parse(&line.trace_pipe()), Some(line));
    }
}

fn any_state() -> impl Strategy<Value = TcpState> {
    prop::sample::select(TcpState::ALL)
}

fn any_ipv4() -> impl Strategy<Value = Ipv4> {
    any::<u32>().prop_map(Ipv4)
}

/// Any record that a tracepoint reports.
fn any_record() -> impl Strategy<Value = Record> {
    let ends = (any::<u16>(), any::<u16>(), any_ipv4(), any_ipv4());
    let states = (
        any_state(),
        any_state(),
        prop::sample::select(RstReason::ALL),
    );
    let numbers = (any::<u64>(), any::<u64>(), any::<i32>());
    (0..6, ends, states, numbers).prop_map(|(kind, ends, states, numbers)| {
        let (sport, dport, saddr, daddr) = ends;
        let (state, newstate, reason) = states;
        let (skaddr, other, err) = numbers;
        let family = Family::Inet;
        match kind {
            0 => Record::SetState {
                skaddr,
                oldstate: state,
                newstate,
                sport,
                dport,
                family,
                protocol: Protocol::Tcp,
                saddr,
                daddr,
            },
            1 => Record::RetransmitSkb {
                skaddr,
                state,
                sport,
                dport,
                family,
                saddr,
                daddr,
                err,
            },
            2 => Record::RetransmitSynack {
                skaddr,
                req: other,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            3 => Record::SendReset {
                skaddr,
                state,
                reason,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            4 => Record::ReceiveReset {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie: other,
            },
            _ => Record::DestroySock {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie: other,
            },
        }
    })
}

/// What is left of a record on a kernel: 6.1 has no reasons and no `err`, 6.18 always has a reason.
fn on_kernel(mut record: Record, kernel: Kernel) -> Record {
    match (&mut record, kernel) {
        (Record::SendReset { reason, .. }, Kernel::V6_1) => *reason = RstReason::NotReported,
        (Record::SendReset { reason, .. }, Kernel::V6_18) if *reason == RstReason::NotReported => {
            *reason = RstReason::NotSpecified;
        }
        (Record::RetransmitSkb { err, .. }, Kernel::V6_1) => *err = 0,
        _ => {}
    }
    record
}

/// Any bytes of an event, as the kernel could write them.
fn any_event(format: &Format, noise: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; format.size()];
    for field in format.fields() {
        let place = field.offset..field.offset + field.size;
        bytes[place.clone()].copy_from_slice(&noise[place]);
    }
    bytes[..2].copy_from_slice(&format.id().to_le_bytes());
    bytes
}

proptest! {
    #[test]
    fn records_survive_their_bytes(
        record in any_record(), pid in any::<i32>(), flags in any::<u8>(), depth in any::<u8>(),
        skbaddr in any::<u64>(), kernel in prop::sample::select(&KERNELS[..]),
    ) {
        let layouts = Layouts::of(kernel);
        let format = layouts.named(record.kind()).expect("known");
        let has_skb = format.fields().iter().any(|field| field.name == "skbaddr");
        let skbaddr = if has_skb { skbaddr } else { 0 };
        let context = Context { pid, flags, preempt_count: depth, skbaddr };
        let mut bytes = vec![0xaa; format.size() + 3];
        let size = format.write(&record, &context, &mut bytes).expect("its own tracepoint");
        prop_assert_eq!(size, format.size());
        prop_assert_eq!(&bytes[size..], [0xaa; 3]);
        let (again, around) = format.read(&bytes).expect("a record of the model");
        prop_assert_eq!((again, around), (on_kernel(record, kernel), context));
        // Both ways of reading agree.
        let event = format.decode(&bytes).expect("a record");
        let mut encoded = Vec::new();
        format.encode(&event, &mut encoded);
        prop_assert_eq!(&encoded, &bytes[..size]);
        for field in ["skaddr", "sock_cookie", "err", "sport", "dport"] {
            let is = event.number(field);
            let of_record = record.field(field).and_then(|value| value.as_number());
            prop_assert!(is.is_none() || is == of_record || kernel == Kernel::V6_1, "{}", field);
        }
        // And what the event says is what the record says, but of what 6.1 lacks. A state without a name, as
        // UNKNOWN is for most tracepoints, is printed as a number.
        again.fields(&mut |field, value| {
            let is_lacking = field == "softirq" || kernel == Kernel::V6_1 && ["reason", "err"].contains(&field);
            let value = value.to_string();
            let is_unnamed = record.kind() != "tcp_send_reset" || kernel == Kernel::V6_1;
            let expected = match &*value {
                "UNKNOWN" if is_unnamed => "0x0".into(),
                _ => value,
            };
            let said = event.said(field).map(|said| said.to_string());
            assert_eq!(said, (!is_lacking).then_some(expected), "{field}");
        });
        if let Some(mapped) = event.bytes("saddr_v6") {
            prop_assert_eq!(&mapped[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        }
        prop_assert!(format.write(&record, &context, &mut bytes[..size - 1]).is_none());
    }

    #[test]
    fn any_bytes_are_printed_and_read_back(
        noise in prop::collection::vec(any::<u8>(), 256), kernel in prop::sample::select(&KERNELS[..]),
    ) {
        for format in Layouts::of(kernel).formats() {
            let bytes = any_event(format, &noise);
            let event = format.decode(&bytes).expect("a record");
            let mut again = Vec::new();
            format.encode(&event, &mut again);
            prop_assert_eq!(&again, &bytes);
            let text = event.to_string();
            let parsed = format.parse(&text).expect("what it prints");
            prop_assert_eq!(parsed.to_string(), text.clone());
            for field in format.fields() {
                // A sockaddr is printed only as far as its family goes; an unknown one not at all.
                let is_sockaddr = field.is_bytes && field.size == 28;
                let (is, was) = (parsed.get(&field.name), event.printed());
                prop_assert!(is_sockaddr || is == was.get(&field.name), "{}: {}", field.name, text);
            }
            drop(format.read(&bytes));
        }
    }

    #[test]
    fn addresses_are_printed_as_the_kernel_does(addr in any::<[u8; 16]>(), zeros in any::<u16>(), isatap in any::<bool>()) {
        let mut addr = addr;
        for group in 0..8 {
            if zeros >> group & 1 == 1 {
                addr[2 * group..2 * group + 2].fill(0);
            }
        }
        if isatap {
            addr[8..12].copy_from_slice(&[2, 0, 0x5e, 0xfe]);
        }
        let layouts = Layouts::of(Kernel::V6_18);
        let format = layouts.named("tcp_destroy_sock").expect("known");
        let mut event: Event<'_> = format.decode(&any_event(format, &[0; 256])).expect("a record");
        let at = format.fields().iter().position(|field| field.name == "saddr_v6").expect("there");
        event.values[at] = Some(Datum::Bytes(addr.into()));
        let text = event.to_string();
        let shown = text.split(' ').find_map(|word| word.strip_prefix("saddrv6=")).expect("there");
        prop_assert_eq!(shown.parse::<std::net::Ipv6Addr>().expect("an address").octets(), addr);
        prop_assert!(!isatap || shown.contains('.'), "{}", shown);
    }

    #[test]
    fn any_text_is_refused_without_a_panic(text in "\\PC{0,120}", at in 0_usize..200, put in "\\PC{0,6}") {
        let layouts = Layouts::of(Kernel::V6_18);
        let (_, real) = real().nth(at % 80).expect("there are so many");
        let cut = (0..=at.min(real.len())).rev().find(|at| real.is_char_boundary(*at)).unwrap_or(0);
        for text in [text.clone(), format!("{}{put}{}", &real[..cut], &real[cut..])] {
            if let Some(line) = Line::parse(&text)
                && let Some(format) = layouts.named(line.name)
            {
                drop(format.parse(line.text));
            }
            drop(Layouts::parse(&text));
            drop(Layouts::parse(&format!("#### tcp/x\n{text}")));
            drop(Layouts::parse(&format!("#### tcp/x\n\tfield:int {text};\noffset:0;\tsize:4;\tsigned:1;\nprint fmt: \"{text}")));
        }
    }
}
