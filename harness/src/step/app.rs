//! What a reader of a run does: where the cursor stands, what is typed, and what each key means.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use miette::Diagnostic;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::Place;
use super::errand::{Errand, Order, Outcome};
use super::tape::{Search, Tape, Wanted};
use crate::failure::Failure;

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
    /// What takes long and is under way.
    errand: Option<Errand>,
    /// The keys that were pressed meanwhile.
    ahead: VecDeque<KeyEvent>,
}

/// How many records a page is.
const PAGE: u64 = 10;
/// What takes no longer than this is not shown as under way: nothing on a run of some thousand records does.
const AT_ONCE: Duration = Duration::from_millis(60);

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
            errand: None,
            ahead: VecDeque::new(),
        }
    }

    /// What is under way, and how far it is.
    pub fn under_way(&self) -> Option<String> {
        self.errand.as_ref().map(Errand::says)
    }

    /// A key was pressed. While something is under way, it can be given up or left; other keys have their turn after
    /// it.
    pub fn key(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        let leaves = match key.modifiers.contains(KeyModifiers::CONTROL) {
            true => matches!(key.code, KeyCode::Char('c' | 'd')),
            false => self.errand.is_some() && key.code == KeyCode::Char('q'),
        };
        if leaves {
            self.through = true;
        } else if self.errand.is_none() {
            self.act(key);
        } else if key.code == KeyCode::Esc {
            self.errand = None;
            self.ahead.clear();
            self.says = "given up".into();
        } else {
            self.ahead.push_back(key);
        }
    }

    /// Looks whether what is under way has come to something, and waits for it no longer than `time`.
    pub fn attend(&mut self, time: Duration) {
        let Some(errand) = self.errand.take() else {
            return;
        };
        match errand.wait(time) {
            ControlFlow::Continue(errand) => self.errand = Some(errand),
            ControlFlow::Break(outcome) => {
                self.arrive(outcome);
                while self.errand.is_none()
                    && let Some(key) = self.ahead.pop_front()
                {
                    self.act(key);
                }
            }
        }
    }

    fn begin(&mut self, order: Order) {
        self.errand = Some(Errand::begin(&self.tape, order));
        self.attend(AT_ONCE);
    }

    fn arrive(&mut self, outcome: Outcome) {
        if let Some((number, board)) = outcome.window {
            self.tape.keep(number, board);
        }
        match (outcome.record, &outcome.order) {
            (Some(record), _) => {
                if outcome.round {
                    self.says = "searched round the end of the run".into();
                }
                self.at = record;
                self.tape.turn_to(record);
            }
            (None, Order::Search(search)) => {
                self.says = match &search.wanted {
                    Wanted::Text(text) => format!("no record says {text:?}"),
                    Wanted::Actor(whose) => format!("{whose} has no more records there"),
                    Wanted::At(time) => in_a_line(&self.tape.nothing_at(*time)),
                };
            }
            (None, Order::Go(_)) => {}
        }
    }

    fn act(&mut self, key: KeyEvent) {
        self.says.clear();
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
            // Whoever gives up a search that just ended does not mean to leave.
            KeyCode::Esc => self.says = "q quits".into(),
            KeyCode::Char('q') => self.through = true,
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
        match self.tape.turn_to(record) {
            true => self.at = record,
            false => self.begin(Order::Go(record)),
        }
    }

    fn go_to_place(&mut self, typed: &str) {
        match typed.parse() {
            Ok(Place::Record(record)) => match self.tape.find_record(record) {
                Ok(record) => self.go(record),
                Err(failure) => self.says = in_a_line(&failure),
            },
            Ok(Place::Time(time)) => self.begin(Order::Search(Search::at(time))),
            Err(why) => self.says = why,
        }
    }

    fn search(&mut self, backwards: bool) {
        if self.searched.is_empty() {
            self.says = "/ searches for a text".into();
            return;
        }
        let wanted = Wanted::Text(self.searched.clone());
        self.look_for(wanted, backwards, true);
    }

    fn look_for(&mut self, wanted: Wanted, backwards: bool, goes_round: bool) {
        self.begin(Order::Search(Search {
            wanted,
            from: if backwards { self.at } else { self.at + 1 },
            backwards,
            goes_round,
        }));
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
        self.look_for(Wanted::Actor(whose), backwards, false);
    }
}

/// A failure with what to do about it.
fn in_a_line(failure: &Failure) -> String {
    match Diagnostic::help(failure) {
        Some(help) => format!("{failure}: {help}"),
        None => failure.to_string(),
    }
}
