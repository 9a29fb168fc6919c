//! The Linux half of the protocol: two hosts, `client` and `server`, on one link, and what the kernel's
//! tracepoints show there. Who they are is up to the session: see `tcp_hosts`.

use faultlab_sim::engine::Span;
use faultlab_sim::linux::errno::Errno;
use faultlab_sim::linux::tcp::{
    Closing, End, Keepalive, Kernel, Listening, PairError, SocketOptions,
};
use faultlab_sim::win7::registry::Win32;
use serde_json::Value;

use super::tcp_hosts::{Fresh, HostError, TcpHosts};
use super::{Bad, Body, Operation, Refusal, Request, Session};

/// By name.
pub(super) const OPS: &[(&str, Operation)] = &[
    ("tcp.listen", listen),
    ("tcp.accept", accept),
    ("tcp.connect", connect),
    ("tcp.send", send),
    ("tcp.close", close),
    ("link.set", set_link),
    ("host.set", set_host),
    ("clock.run", run),
    ("events", events),
    ("sockets", sockets),
];

/// No request makes more connections at once, or lets more milliseconds pass.
const MOST_CONNECTIONS: u64 = 1_000_000;
const MOST_MS: u64 = 10_000_000_000;

/// What `reset` may have for the hosts.
pub(super) const RESET: &[&str] = &["kernel", "sysctl", "link"];

/// Fresh hosts.
///
/// # Errors
/// As the kernel refuses a sysctl, or if it cannot be had.
pub(super) fn reset(hosts: &mut dyn TcpHosts, request: &Request<'_>) -> Result<(), Refusal> {
    let kernel = request.maybe_text("kernel")?;
    let kernel = kernel
        .map(|name| Kernel::try_from(name.to_owned()))
        .transpose()
        .map_err(|unknown| Refusal::Unsupported(unknown.to_string()))?;
    let settings = request.object(
        "sysctl",
        "an object of numbers and texts",
        |value| match value {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) => Some(text.clone()),
            _ => None,
        },
    )?;
    let settings = settings.into_iter();
    let mut fresh = Fresh {
        kernel,
        sysctls: settings
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        ..Fresh::default()
    };
    let link = request.object("link", "an object of \"delay_ms\" and \"loss\"", Some)?;
    for (name, value) in link {
        match name {
            "delay_ms" => fresh.delay = delay(value, request, "link")?,
            "loss" => fresh.lost_of_million = loss(value, request, "link")?,
            _ => return Err(request.bad(name, format!("a link has no {name:?}")).into()),
        }
    }
    hosts.reset(&fresh).map_err(|error| refused(error, request))
}

/// A delay in milliseconds, a fraction too.
fn delay(value: &Value, request: &Request<'_>, field: &str) -> Result<Span, Bad> {
    let ms = value
        .as_f64()
        .filter(|ms| (0.0..=MOST_MS as f64).contains(ms));
    let ms = ms.ok_or_else(|| request.bad(field, "\"delay_ms\" is a number of 0 or more"))?;
    Ok(Span((ms * 1e6) as u64))
}

/// A probability, in parts of a million.
fn loss(value: &Value, request: &Request<'_>, field: &str) -> Result<u32, Bad> {
    let loss = value.as_f64().filter(|loss| (0.0..=1.0).contains(loss));
    let loss = loss.ok_or_else(|| request.bad(field, "\"loss\" is a number from 0 to 1"))?;
    Ok((loss * 1e6).round() as u32)
}

/// An error of a call.
fn failed(errno: Errno) -> Refusal {
    Refusal::Failed(Win32 {
        code: errno.number() as u32,
        name: errno.name(),
    })
}

fn refused(error: HostError, request: &Request<'_>) -> Refusal {
    match error {
        HostError::Pair(PairError::Errno(errno)) => failed(errno),
        HostError::Pair(PairError::NoConnection(conn)) => {
            Refusal::Bad(request.bad("conn", format!("there is no connection {conn}")))
        }
        HostError::Pair(PairError::NoSocket(_)) => failed(Errno::EBADF),
        HostError::Unsupported(what) => Refusal::Unsupported(what),
        HostError::Machine(what) => Refusal::Said(what),
    }
}

fn end(request: &Request<'_>, field: &str) -> Result<End, Bad> {
    match request.text(field)? {
        "client" => Ok(End::Client),
        "server" => Ok(End::Server),
        _ => Err(request.bad(field, format!("{field:?} is \"client\" or \"server\""))),
    }
}

fn port(request: &Request<'_>) -> Result<u16, Bad> {
    let port = request.maybe_number("port", u16::MAX.into())?;
    match port {
        None | Some(0) => Err(request.bad("port", "\"port\" is a number from 1 to 65535")),
        Some(port) => Ok(port as u16),
    }
}

fn listen(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["host", "port", "backlog", "accept", "read"])?;
    let (host, port) = (end(request, "host")?, port(request)?);
    let default = Listening::default();
    let backlog = request.maybe_number("backlog", u32::MAX.into())?;
    let app = Listening {
        backlog: backlog.map_or(default.backlog, |backlog| backlog as u32),
        accepts: request.maybe_flag("accept")?.unwrap_or(default.accepts),
        reads: request.maybe_flag("read")?.unwrap_or(default.reads),
    };
    let listening = session.tcp.listen(host, port, app);
    listening.map_err(|error| refused(error, request))
}

fn accept(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["host", "port", "count"])?;
    let (host, port) = (end(request, "host")?, port(request)?);
    let count = request
        .maybe_number("count", MOST_CONNECTIONS)?
        .unwrap_or(1) as u32;
    let accepted = session.tcp.accept(host, port, count);
    accepted.map_err(|error| refused(error, request))?;
    Ok(())
}

fn connect(
    session: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&[
        "from",
        "to",
        "port",
        "count",
        "keepalive",
        "user_timeout_ms",
        "read",
        "sport",
    ])?;
    let to = end(request, "to")?;
    if end(request, "from")? == to {
        let what = "tcp.connect: a host that connects to itself is not modelled";
        return Err(Refusal::Unsupported(what.into()));
    }
    let port = port(request)?;
    let local_port = request.maybe_number("sport", u16::MAX.into())?;
    let local_port = local_port.filter(|port| *port > 0).map(|port| port as u16);
    let count = request
        .maybe_number("count", MOST_CONNECTIONS)?
        .unwrap_or(1) as u32;
    let reads = request.maybe_flag("read")?.unwrap_or(true);
    let options = SocketOptions {
        keepalive: keepalive(request)?,
        user_timeout_ms: request
            .maybe_number("user_timeout_ms", i32::MAX as u64)?
            .unwrap_or(0),
        local_port,
    };
    let first = session.tcp.connect(to, port, count, options, reads);
    let first = first.map_err(|error| refused(error, request))?;
    let conns = first..first + count;
    body.numbers("conns", conns.map(u64::from));
    Ok(())
}

/// SO_KEEPALIVE with its times, in the ranges that setsockopt() takes.
fn keepalive(request: &Request<'_>) -> Result<Option<Keepalive>, Bad> {
    if !request.has("keepalive") {
        return Ok(None);
    }
    let kind = "an object of \"idle_s\", \"interval_s\" and \"count\"";
    let mut keepalive = Keepalive {
        idle_s: 7_200,
        interval_s: 75,
        count: 9,
    };
    for (name, number) in request.object("keepalive", kind, Value::as_u64)? {
        let in_range = |most: u64| match (1..=most).contains(&number) {
            true => Ok(number),
            false => Err(request.bad(name, format!("{name:?} is a number from 1 to {most}"))),
        };
        match name {
            "idle_s" => keepalive.idle_s = in_range(32_767)?,
            "interval_s" => keepalive.interval_s = in_range(32_767)?,
            "count" => keepalive.count = in_range(127)? as u32,
            _ => return Err(request.bad(name, format!("\"keepalive\" is {kind}"))),
        }
    }
    Ok(Some(keepalive))
}

fn send(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["conn", "end", "bytes"])?;
    let (conn, end) = (request.number("conn")?, end(request, "end")?);
    let bytes = request.number("bytes")?;
    let sent = session.tcp.send(conn, end, bytes.into());
    sent.map_err(|error| refused(error, request))
}

fn close(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["conn", "end", "how", "host", "port"])?;
    let lab = &mut session.tcp;
    let closed = if request.has("conn") {
        let (conns, end) = (request.numbers("conn")?, end(request, "end")?);
        let how = match request.maybe_text("how")?.unwrap_or("close") {
            "close" => Closing::Close,
            "abort" => Closing::Abort,
            "shutdown" => Closing::Shutdown,
            _ => {
                let reason = "\"how\" is \"close\", \"abort\" or \"shutdown\"";
                return Err(request.bad("how", reason).into());
            }
        };
        lab.close(&conns, end, how)
    } else {
        lab.close_listener(end(request, "host")?, port(request)?)
    };
    closed.map_err(|error| refused(error, request))
}

fn set_link(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["loss", "delay_ms", "down"])?;
    let loss = request.maybe_value("loss");
    let delay_ms = request.maybe_value("delay_ms");
    let lost_of_million = loss.map(|value| self::loss(value, request, "loss"));
    let delay = delay_ms.map(|value| delay(value, request, "delay_ms"));
    let down = request.maybe_flag("down")?;
    let set = session
        .tcp
        .set_link(delay.transpose()?, lost_of_million.transpose()?, down);
    set.map_err(|error| refused(error, request))
}

fn set_host(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["host", "port", "drop"])?;
    let (host, port) = (end(request, "host")?, port(request)?);
    if let Some(drop) = request.maybe_flag("drop")? {
        let set = session.tcp.set_deaf(host, port, drop);
        set.map_err(|error| refused(error, request))?;
    }
    Ok(())
}

fn run(session: &mut Session, request: &Request<'_>, _: &mut Body<'_>) -> Result<(), Refusal> {
    request.knows(&["ms"])?;
    let ms = request.maybe_number("ms", MOST_MS)?;
    let ms = ms.ok_or_else(|| request.bad("op", "clock.run needs \"ms\", a whole number"))?;
    let ran = session.tcp.run(Span::from_ms(ms));
    ran.map_err(|error| refused(error, request))
}

fn events(
    session: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&["since"])?;
    let since = request.maybe_number("since", u64::MAX)?.unwrap_or(0);
    let all = session.tcp.events();
    let all = all.map_err(|error| refused(error, request))?;
    let wanted = all.iter().filter(|event| event.at.0 >= since);
    body.list("events", wanted, |event, body| {
        body.number("t_ns", event.at.0);
        body.text("host", event.host.name());
        body.text("event", event.record.kind());
        match event.conn {
            Some(conn) => body.number("conn", conn.into()),
            None => body.maybe_text("conn", None),
        }
        event.record.fields(&mut |name, value| {
            // Which connection it is was said, and its context follows; 6.1 gives no reasons.
            let is_said = name == "conn" || name == "softirq";
            let is_empty = name == "reason" && value.as_text() == Some("");
            if !is_said && !is_empty {
                body.value(name, &value);
            }
        });
        if let Some(softirq) = event.softirq {
            body.flag("softirq", softirq);
        }
    });
    if let Some(clock) = session.tcp.clock() {
        body.object("clock", |body| {
            body.number("hz", clock.hz.into());
            body.number("jiffies", clock.jiffies);
            body.number("up_ms", clock.up_ms);
            body.number("late_ns", clock.late_ns);
            body.number("lost", clock.lost);
        });
    }
    Ok(())
}

fn sockets(
    session: &mut Session,
    request: &Request<'_>,
    body: &mut Body<'_>,
) -> Result<(), Refusal> {
    request.knows(&["host"])?;
    let host = end(request, "host")?;
    let counts = session.tcp.sockets(host);
    for (state, count) in counts.map_err(|error| refused(error, request))? {
        body.number(state, count.into());
    }
    Ok(())
}
