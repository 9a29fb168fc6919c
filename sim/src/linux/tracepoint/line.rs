//! The lines of `trace_pipe` and `perf script`: what stands around a tracepoint's text.

use super::Context;

/// Which tool printed a line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Printer {
    /// The kernel's ftrace: `trace` or `trace_pipe`.
    Ftrace,
    /// `perf script`.
    PerfScript,
}

/// A line of `trace_pipe` or `perf script`, taken apart as far as the tracepoint's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line<'t> {
    /// Who printed it.
    pub printer: Printer,
    /// The name of the task that was running.
    pub comm: &'t str,
    /// Its pid, CPU-wide flags and depth of preemption; `perf script` has no flags.
    pub context: Context,
    /// On which CPU, if that is printed.
    pub cpu: Option<u32>,
    /// When, in ns since the trace clock's zero.
    pub at_ns: u64,
    /// The tracepoint, without its system.
    pub name: &'t str,
    /// What its print fmt says.
    pub text: &'t str,
}

impl<'t> Line<'t> {
    /// Takes a line apart: `comm-pid [cpu] flags time: name: text` or `comm pid [cpu] time: system:name: text`.
    /// None if it is not of this form.
    ///
    /// A task's name may hold blanks and dashes, so the line is read from the first thing that looks like
    /// a time before a tracepoint's name, backwards.
    pub fn parse(line: &'t str) -> Option<Line<'t>> {
        let mut searched = 0;
        loop {
            let colon = searched + line.get(searched..)?.find(": ")?;
            searched = colon + 2;
            let (before, after) = (&line[..colon], line[colon + 2..].trim_start());
            let Some((head, time)) = before.rsplit_once([' ', '\t']) else {
                continue;
            };
            let Some(at_ns) = nanoseconds(time) else {
                continue;
            };
            if let Some(line) = Line::after_time(head.trim_end(), at_ns, after) {
                return Some(line);
            }
        }
    }

    fn after_time(head: &'t str, at_ns: u64, after: &'t str) -> Option<Line<'t>> {
        let (name, text) = match after.split_once(": ") {
            Some((name, text)) => (name.trim_end(), text),
            None => (after.trim_end().strip_suffix(':')?, ""),
        };
        // perf: an optional period, then system:name.
        let name = name.rsplit(char::is_whitespace).next()?;
        let (printer, name) = match name.split_once(':') {
            Some((_, name)) => (Printer::PerfScript, name),
            None => (Printer::Ftrace, name),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let mut context = Context::default();
        let mut rest = head;
        if printer == Printer::Ftrace {
            let (before, flags) = match rest.strip_suffix(']') {
                // No latency columns (`nolatency-format` on old kernels).
                Some(_) => (rest, None),
                None => {
                    let (before, flags) = rest.rsplit_once(' ')?;
                    (before.trim_end(), Some(flags))
                }
            };
            rest = before;
            if let Some(flags) = flags {
                (context.flags, context.preempt_count) = flags_of(flags)?;
            }
        }
        let mut cpu = None;
        if let Some(before) = rest.strip_suffix(']') {
            let (before, number) = before.rsplit_once('[')?;
            cpu = Some(number.trim().parse().ok()?);
            rest = before.trim_end();
        }
        if printer == Printer::Ftrace && cpu.is_some() {
            // `record-tgid`: a column in parentheses.
            if let Some(before) = rest.strip_suffix(')') {
                rest = before.rsplit_once('(')?.0.trim_end();
            }
        }
        let (comm, pid) = match printer {
            Printer::Ftrace => rest.rsplit_once('-')?,
            Printer::PerfScript => rest.rsplit_once(char::is_whitespace)?,
        };
        // perf: `pid/tid` if both were asked for.
        let pid = pid.rsplit('/').next()?;
        context.pid = pid.parse().ok()?;
        Some(Line {
            printer,
            comm: comm.trim(),
            context,
            cpu,
            at_ns,
            name,
            text,
        })
    }

    /// The line as `trace_pipe` has it.
    pub fn trace_pipe(&self) -> String {
        format!(
            "{:>16}-{:<7} [{:03}] {} {:5}.{:06}: {}: {}",
            self.comm,
            self.context.pid,
            self.cpu.unwrap_or(0),
            latency(&self.context),
            self.at_ns / 1_000_000_000,
            self.at_ns / 1_000 % 1_000_000,
            self.name,
            self.text
        )
    }
}

/// `3429.874833`, with 6 or 9 places.
fn nanoseconds(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.split_once('.')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(seconds) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u64.pow(9 - fraction.len() as u32);
    let seconds: u64 = seconds.parse().ok()?;
    let fraction: u64 = fraction.parse().ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(fraction * scale)
}

/// TRACE_FLAG_* of include/linux/trace_events.h and trace_print_lat_fmt().
const IRQS_OFF: u8 = 0x01;
const NEED_RESCHED_LAZY: u8 = 0x02;
const NEED_RESCHED: u8 = 0x04;
const PREEMPT_RESCHED: u8 = 0x20;
const NMI: u8 = 0x40;
const BH_OFF: u8 = 0x80;

const FIRST: &[(char, u8)] = &[
    ('.', 0),
    ('d', IRQS_OFF),
    ('b', BH_OFF),
    ('D', IRQS_OFF | BH_OFF),
];
const SECOND: &[(char, u8)] = &[
    ('.', 0),
    ('n', NEED_RESCHED),
    ('p', PREEMPT_RESCHED),
    ('N', NEED_RESCHED | PREEMPT_RESCHED),
    ('l', NEED_RESCHED_LAZY),
    ('L', NEED_RESCHED_LAZY | PREEMPT_RESCHED),
    ('b', NEED_RESCHED | NEED_RESCHED_LAZY),
    ('B', NEED_RESCHED | NEED_RESCHED_LAZY | PREEMPT_RESCHED),
];
const THIRD: &[(char, u8)] = &[
    ('.', 0),
    ('s', Context::SOFTIRQ),
    ('h', Context::HARDIRQ),
    ('H', Context::HARDIRQ | Context::SOFTIRQ),
    ('z', NMI),
    ('Z', NMI | Context::HARDIRQ),
];

/// The column `..s2.`; four letters before 5.17. `X` is what an architecture says that does not know
/// whether interrupts are off.
fn flags_of(column: &str) -> Option<(u8, u8)> {
    let mut letters = column.chars();
    let mut flag = |table: &[(char, u8)], or: Option<char>| -> Option<u8> {
        let letter = letters.next()?;
        let known = table.iter().find(|(known, _)| *known == letter);
        let known = known.map(|(_, flags)| *flags);
        known.or_else(|| (Some(letter) == or).then_some(0))
    };
    let flags = flag(FIRST, Some('X'))? | flag(SECOND, None)? | flag(THIRD, None)?;
    let mut depth = || match letters.next() {
        None | Some('.') => Some(0),
        Some(letter) => letter.to_digit(16).map(|digit| digit as u8),
    };
    let (preempt, migrate) = (depth()?, depth()?);
    letters
        .next()
        .is_none()
        .then_some((flags, preempt | migrate << 4))
}

fn latency(context: &Context) -> String {
    let letter = |table: &[(char, u8)], mask: u8| {
        let known = table
            .iter()
            .find(|(_, flags)| *flags == context.flags & mask);
        known.map_or('.', |(letter, _)| *letter)
    };
    let depth = |nibble: u8| match nibble {
        0 => '.',
        _ => char::from_digit(nibble.into(), 16).unwrap_or('.'),
    };
    let third = match context.flags & NMI {
        0 => Context::HARDIRQ | Context::SOFTIRQ,
        _ => NMI | Context::HARDIRQ,
    };
    [
        letter(FIRST, IRQS_OFF | BH_OFF),
        letter(SECOND, NEED_RESCHED | NEED_RESCHED_LAZY | PREEMPT_RESCHED),
        letter(THIRD, third),
        depth(context.preempt_count & 0xf),
        depth(context.preempt_count >> 4),
    ]
    .iter()
    .collect()
}
