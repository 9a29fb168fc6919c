//! What a reader of a run does: where the cursor stands, what is typed, and what each key means.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Place;
use super::tape::{Tape, says};

/// What is being typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Asking {
    /// A record or a time to go to.
    Place,
    /// A text to search for.
    Text,
}

/// The view's state.
#[derive(Debug)]
pub struct App {
    /// The run.
    pub tape: Tape,
    /// The record that the cursor is on, from 0.
    pub at: u64,
    /// What is being typed, if something is, and how far it got.
    pub asking: Option<(Asking, String)>,
    /// What the last key came to, if there is something to say.
    pub says: String,
    /// What was searched for last.
    pub searched: String,
    /// Whether the keys are explained.
    pub helping: bool,
    /// Whether the reader is through.
    pub through: bool,
}

/// How many records a page is.
const PAGE: u64 = 10;

impl App {
    /// At a record of a run.
    pub fn new(mut tape: Tape, at: u64) -> App {
        tape.seek(at);
        App {
            tape,
            at,
            asking: None,
            says: String::new(),
            searched: String::new(),
            helping: false,
            through: false,
        }
    }

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        self.says.clear();
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            self.through |= matches!(key.code, KeyCode::Char('c' | 'd'));
            return;
        }
        match self.asking.take() {
            Some((asking, typed)) => self.type_on(asking, typed, key.code),
            None => self.command(key.code),
        }
    }

    fn type_on(&mut self, asking: Asking, mut typed: String, key: KeyCode) {
        match key {
            KeyCode::Esc => return,
            KeyCode::Enter => {
                match asking {
                    Asking::Place => self.go_to_place(&typed),
                    Asking::Text => {
                        self.searched = typed;
                        self.search(false);
                    }
                }
                return;
            }
            KeyCode::Backspace if typed.pop().is_none() => return,
            KeyCode::Char(c) => typed.push(c),
            _ => {}
        }
        self.asking = Some((asking, typed));
    }

    fn command(&mut self, key: KeyCode) {
        let last = self.tape.records().saturating_sub(1);
        let was_helping = std::mem::replace(&mut self.helping, false);
        match key {
            KeyCode::Esc if was_helping => {}
            KeyCode::Char('q') | KeyCode::Esc => self.through = true,
            KeyCode::Char('?') => self.helping = !was_helping,
            KeyCode::Right | KeyCode::Down | KeyCode::Char('l' | 'j' | ' ') | KeyCode::Enter => {
                if self.at == last {
                    self.says = "this is the last record".into();
                }
                self.go(self.at.saturating_add(1).min(last));
            }
            KeyCode::Left | KeyCode::Up | KeyCode::Char('h' | 'k') | KeyCode::Backspace => {
                if self.at == 0 {
                    self.says = "this is the first record".into();
                }
                self.go(self.at.saturating_sub(1));
            }
            KeyCode::PageDown => self.go(self.at.saturating_add(PAGE).min(last)),
            KeyCode::PageUp => self.go(self.at.saturating_sub(PAGE)),
            KeyCode::Home => self.go(0),
            KeyCode::End => self.go(last),
            KeyCode::Char('g' | ':') => self.asking = Some((Asking::Place, String::new())),
            KeyCode::Char('/') => self.asking = Some((Asking::Text, String::new())),
            KeyCode::Char('n') => self.search(false),
            KeyCode::Char('N') => self.search(true),
            KeyCode::Char('c') => self.departure(false),
            KeyCode::Char('C') => self.departure(true),
            KeyCode::Char('a') => self.same_actor(false),
            KeyCode::Char('A') => self.same_actor(true),
            _ => self.says = "? explains the keys".into(),
        }
    }

    fn go(&mut self, record: u64) {
        self.at = record;
        self.tape.seek(record);
    }

    fn go_to_place(&mut self, typed: &str) {
        let found = typed
            .parse::<Place>()
            .and_then(|place| self.tape.find(place).map_err(|failure| failure.to_string()));
        match found {
            Ok(record) => self.go(record),
            Err(why) => self.says = why,
        }
    }

    fn search(&mut self, backwards: bool) {
        let text = self.searched.clone();
        if text.is_empty() {
            self.says = "/ searches for a text".into();
            return;
        }
        let wanted = |_, actor: &str, record: &_| says(actor, record, &text);
        let from = if backwards { self.at } else { self.at + 1 };
        let round = if backwards { self.tape.records() } else { 0 };
        let found = self.tape.first_after(from, backwards, &wanted);
        match found.or_else(|| self.tape.first_after(round, backwards, &wanted)) {
            Some(record) => {
                if found.is_none() {
                    self.says = "searched round the end of the run".into();
                }
                self.go(record);
            }
            None => self.says = format!("no record says {text:?}"),
        }
    }

    /// To the next record, among those at hand, before which a choice departed from its default.
    fn departure(&mut self, backwards: bool) {
        let here = self.tape.at_hand();
        let departs = |record: &u64| {
            let decisions = self.tape.decisions(*record);
            decisions
                .iter()
                .any(faultlab_sim::scenario::Decision::is_departure)
        };
        let found = match backwards {
            true => (here.start..self.at).rev().find(departs),
            false => (self.at + 1..here.end).find(departs),
        };
        match found {
            Some(record) => self.go(record),
            None => self.says = "no more choices that depart from their defaults there".into(),
        }
    }

    fn same_actor(&mut self, backwards: bool) {
        let Some(frame) = self.tape.frame(self.at) else {
            return;
        };
        let whose = frame.actor.clone();
        let wanted = |_, actor: &str, _: &_| *actor == *whose;
        let from = if backwards { self.at } else { self.at + 1 };
        match self.tape.first_after(from, backwards, &wanted) {
            Some(record) => self.go(record),
            None => self.says = format!("{whose} has no more records there"),
        }
    }
}
