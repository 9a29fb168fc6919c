//! What the view looks like: the actors side by side, the record, the choice before it, the state it touched.

use std::sync::Arc;

use faultlab_sim::engine::Record as _;
use faultlab_sim::scenario::{Decision, Frame as Shot};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

use super::app::{App, Asking};
use super::plain::{cause_in_words, decision_in_words};
use crate::render::{grouped, printable};

/// The least size, in columns and rows.
pub const LEAST: (u16, u16) = (60, 18);
/// An actor's column is no narrower.
const NARROWEST: usize = 24;
/// The columns before the actors: the record's number and its time.
const MARGIN: usize = 8;

const KEYS: &str = "\
→ ↓ space enter   next record
← ↑ backspace     back
PgDn PgUp         ten records on, ten back
Home End          first record, last record
g                 go to a record (12) or to a time (1.5s, 20ms)
/  n  N           search for a text, next, previous
c  C              next, previous choice that departs from its default
a  A              next, previous record of the same actor
?                 these keys
q                 quit";

/// Colours, or none of them.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether there are colours.
    pub color: bool,
}

impl Look {
    fn of(self, color: Color) -> Style {
        match self.color {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, app: &App, look: Look) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let (width, height) = LEAST;
        let says = format!(
            "The terminal has {} by {} characters; {width} by {height} are needed. Make it larger, or press q.",
            area.width, area.height
        );
        frame.render_widget(Paragraph::new(says).wrap(Wrap { trim: true }), area);
        return;
    }
    let [head, lanes, below, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(5),
        Constraint::Fill(6),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(heading(app, head.width), head);
    frame.render_widget(actors(app, lanes, look), lanes);
    let wide = below.width >= 100;
    let [left, right] = match wide {
        true => Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(below),
        false => Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(below),
    };
    panel(frame, left, "record and choice", record(app, look));
    panel(frame, right, "state it touched", state(app, look));
    frame.render_widget(footer(app), foot);
    if app.helping {
        help(frame, area);
    }
}

fn heading(app: &App, width: u16) -> Line<'_> {
    let place = match app.tape.frame(app.at) {
        Some(shot) => format!(
            "record {} of 0..{} at {}",
            grouped(app.at),
            grouped(app.tape.records() - 1),
            shot.at
        ),
        None => "no records".into(),
    };
    let room = usize::from(width).saturating_sub(place.chars().count() + 2);
    let title = format!("{:room$}  ", cut(app.tape.title(), room));
    Line::from(vec![Span::raw(title), Span::raw(place)]).style(Modifier::REVERSED)
}

fn panel(frame: &mut Frame<'_>, area: Rect, title: &str, text: Text<'_>) {
    let block = Block::bordered().title(title.to_owned());
    let text = Paragraph::new(text).wrap(Wrap { trim: false }).block(block);
    frame.render_widget(text, area);
}

fn footer(app: &App) -> Line<'_> {
    if let Some(under_way) = app.under_way() {
        return Line::raw(printable(&under_way));
    }
    match &app.asking {
        Some((Asking::Place, typed)) => Line::raw(format!("go to record or time: {typed}_")),
        Some((Asking::Text, typed)) => Line::raw(format!("search: {typed}_")),
        None if !app.says.is_empty() => Line::raw(printable(&app.says)),
        None => Line::raw("→ next  ← back  g go to  / search  c choices  a actor  ? keys  q quit"),
    }
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let (width, height) = (72.min(area.width), 12.min(area.height));
    let place = Rect {
        x: (area.width - width) / 2,
        y: (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title("keys");
    frame.render_widget(Paragraph::new(KEYS).block(block), place);
}

/// The records around the cursor, each in its actor's column.
fn actors<'a>(app: &'a App, area: Rect, look: Look) -> Text<'a> {
    let rows = u64::from(area.height.saturating_sub(1)).max(1);
    let last_row = app.tape.records().saturating_sub(rows);
    let first = app.at.saturating_sub(rows / 2).min(last_row);
    let shots: Vec<&Shot> = (first..first + rows)
        .filter_map(|row| app.tape.frame(row))
        .collect();
    let room = usize::from(area.width).saturating_sub(MARGIN);
    let names = columns(&shots, app.at, room / NARROWEST);
    let width = room / names.len().max(1);
    let mut lines = Vec::new();
    let mut head = format!("{:>w$} ", "record", w = MARGIN - 1);
    for name in &names {
        head += &format!("{:width$}", cut_left(name, width - 1));
    }
    lines.push(Line::styled(head, Modifier::BOLD));
    for shot in shots {
        let mut line = format!("{:>w$} ", shot.index, w = MARGIN - 1);
        match names.iter().position(|name| *name == shot.actor) {
            Some(column) => {
                // Words may go on over the columns to the right, which are empty in this row.
                let left = column * width;
                let words = printable(&shot.words());
                line += &format!("{:left$}{}", "", cut(&words, room - left));
            }
            None => {
                let words = printable(&format!("{}: {}", shot.actor, shot.words()));
                line += &cut(&words, room);
            }
        }
        let mut style = Style::new();
        if matches!(shot.record.kind(), "fault" | "disk_fault" | "unsupported") {
            style = look.of(Color::Red);
        } else if app
            .tape
            .decisions(shot.index)
            .iter()
            .any(Decision::is_departure)
        {
            style = look.of(Color::Yellow);
        }
        if shot.index == app.at {
            style = style.add_modifier(Modifier::REVERSED);
            line = format!("{line:w$}", w = usize::from(area.width));
        }
        lines.push(Line::styled(line, style));
    }
    Text::from(lines)
}

/// The actors that have a column: those of the records shown, nearest to the cursor first chosen, in the order
/// of their paths.
fn columns(shots: &[&Shot], at: u64, most: usize) -> Vec<Arc<str>> {
    let mut near: Vec<&&Shot> = shots.iter().collect();
    near.sort_by_key(|shot| shot.index.abs_diff(at));
    let mut names: Vec<Arc<str>> = Vec::new();
    for shot in near {
        if names.len() < most && !names.contains(&shot.actor) {
            names.push(shot.actor.clone());
        }
    }
    names.sort();
    names
}

/// The record under the cursor, what brought it about, and the choices before it with their alternatives.
fn record<'a>(app: &'a App, look: Look) -> Text<'a> {
    let Some(shot) = app.tape.frame(app.at) else {
        return Text::raw("The run has no records.");
    };
    let mut lines = vec![Line::styled(
        printable(&format!("{} {}", shot.actor, shot.words())),
        Modifier::BOLD,
    )];
    let mut fields = Vec::new();
    shot.record
        .fields(&mut |name, value| fields.push(format!("{name} = {value}")));
    let fields = format!("{}: {}", shot.record.kind(), fields.join(", "));
    lines.push(Line::raw(printable(&fields)));
    if let Some(cause) = app.tape.cause(shot) {
        lines.push(Line::raw(cause_in_words(cause)));
    }
    let decisions = app.tape.decisions(app.at);
    if decisions.is_empty() {
        lines.push(Line::raw("no choice was made before it"));
    }
    // Those that depart from their defaults are what a reader looks for.
    let (departing, others): (Vec<_>, Vec<_>) = decisions.iter().partition(|d| d.is_departure());
    for decision in departing.into_iter().chain(others) {
        let style = match decision.is_departure() {
            true => look.of(Color::Yellow),
            false => Style::new(),
        };
        lines.push(Line::styled(
            format!("choice: {}", decision_in_words(decision)),
            style,
        ));
    }
    Text::from(lines)
}

/// The things that the record touched, before and after.
fn state<'a>(app: &'a App, look: Look) -> Text<'a> {
    let mut lines = Vec::new();
    let touched = app.tape.frame(app.at).map_or(&[][..], |shot| &shot.touched);
    if touched.is_empty() {
        lines.push(Line::raw("nothing that is kept"));
    }
    for touched in touched {
        let value = |value: &Option<String>| match value {
            Some(value) => printable(value),
            None => "(not there)".into(),
        };
        lines.push(Line::styled(printable(&touched.what), Modifier::BOLD));
        if touched.is_changed() {
            let before = format!("  before  {}", value(&touched.before));
            lines.push(Line::styled(before, look.of(Color::Red)));
            let after = format!("  after   {}", value(&touched.after));
            lines.push(Line::styled(after, look.of(Color::Green)));
        } else {
            lines.push(Line::raw(format!("  as before  {}", value(&touched.after))));
        }
    }
    Text::from(lines)
}

/// The beginning of a text, with a mark if it goes on.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.into();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept + "…"
}

/// The end of a text, with a mark if it began before.
fn cut_left(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.into();
    }
    let kept: String = text.chars().skip(count + 1 - width.max(1)).collect();
    format!("…{kept}")
}
