//! `--step` on a terminal: driven through a pseudo-terminal, its screen read as a reader would see it.
#![cfg(unix)]

use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// The binary on a terminal.
struct Seat {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    /// Dropped, it hangs up.
    _master: Box<dyn MasterPty + Send>,
}

/// Nothing here takes so long, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn nonzero(size: u16) -> std::num::NonZero<u16> {
    size.try_into().expect("a size above nothing")
}

impl Seat {
    fn new(args: &[&str], columns: u16, rows: u16) -> Seat {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system()
            .openpty(size)
            .expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_faultlab"));
        command.args(args);
        command.env("TERM", "xterm-256color");
        let child = pair
            .slave
            .spawn_command(command)
            .expect("the binary starts");
        let mut reader = pair.master.try_clone_reader().expect("readable");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                if sender.send(bytes[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Seat {
            child,
            keys: pair.master.take_writer().expect("writable"),
            output,
            screen: vt100::Parser::new(nonzero(rows), nonzero(columns), 0),
            _master: pair.master,
        }
    }

    fn press(&mut self, keys: &str) {
        self.keys
            .write_all(keys.as_bytes())
            .expect("somebody reads");
        self.keys.flush().expect("somebody reads");
    }

    /// Reads until the screen says all of `texts`.
    #[track_caller]
    fn sees(&mut self, texts: &[&str]) -> String {
        self.reads_until(&|screen| texts.iter().all(|text| screen.contains(text)))
    }

    #[track_caller]
    fn reads_until(&mut self, is_there: &dyn Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen.screen().contents();
            if is_there(&screen) {
                return screen;
            }
            let left = PATIENCE.checked_sub(began.elapsed());
            let bytes = left.and_then(|left| self.output.recv_timeout(left).ok());
            match bytes {
                Some(bytes) => self.screen.process(&bytes),
                None => panic!("it is not there:\n{screen}"),
            }
        }
    }

    /// Reads to the end, and gives the exit code.
    fn ends(&mut self) -> u32 {
        let code = self.child.wait().expect("it ends").exit_code();
        while let Ok(bytes) = self.output.recv_timeout(Duration::from_millis(500)) {
            self.screen.process(&bytes);
        }
        code
    }
}

#[test]
fn a_reader_steps_jumps_searches_and_goes_back_exactly() {
    let mut seat = Seat::new(&["run", "path-lost-update", "--step"], 120, 32);
    // The actors side by side, the panels, and the keys, which are drawn last.
    let all = ["record 0 of 0..5", "state it touched", "? keys  q quit"];
    let first = seat.sees(&all);
    let head = first.lines().nth(1).expect("a second line");
    let both = ["git-installer", "go-installer"];
    assert!(both.iter().all(|actor| head.contains(actor)), "{head}");

    // The choice that loses the entry, with what could have been.
    seat.press("c");
    // Words may go on in the next line: one without a space is whole.
    seat.sees(&["record 1 of 0..5", "choice:", "`go-installer`;"]);
    // What the write changed.
    seat.press("l");
    seat.sees(&[
        "record 2 of 0..5",
        "before  %USERPROFILE%",
        "after   %USERPROFILE%",
    ]);
    // Back is exact.
    seat.press("hh");
    seat.reads_until(&|screen| screen == first);

    // Jumps, by record; a bad one is said, and changes nothing.
    seat.press("g5\r");
    seat.sees(&["record 5 of 0..5"]);
    seat.press("g99\r");
    seat.sees(&["record 5 of 0..5", "there is no record 99"]);
    seat.press("gsoon\r");
    seat.sees(&["neither a record"]);
    seat.press("/files\\go\r");
    seat.sees(&["record 2 of 0..5", "go-installer writes"]);
    seat.press("/nowhere to be found\r");
    seat.sees(&["no record says"]);
    seat.press("?");
    seat.sees(&["next, previous choice that departs"]);
    seat.press("?");
    seat.reads_until(&|screen| !screen.contains("next, previous choice that departs"));
    seat.press("q");
    assert_eq!(seat.ends(), 0);
    assert!(
        !seat.screen.screen().alternate_screen(),
        "the terminal is restored"
    );
    assert!(!seat.screen.screen().hide_cursor(), "the cursor is back");
}

/// A storm of half a million records: what takes long shows how far it is, can be given up, and ends where a reader
/// expects it.
#[test]
fn a_long_run_is_searched_with_the_keyboard_alive() {
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = std::fs::read_to_string(shipped.join("scenarios/rst-storm/scenario.ron"));
    let smaller = shipped
        .expect("a shipped scenario")
        .replace("clients: 10000", "clients: 2000")
        .replace("until_ms: 60000", "until_ms: 15000");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = folder.path().join("storm.ron");
    std::fs::write(&scenario, smaller).expect("writable");
    let scenario = scenario.to_str().expect("a path in UTF-8");
    let mut seat = Seat::new(
        &["run", scenario, "--step", "--arm", "listener-down"],
        120,
        32,
    );
    let first = seat.sees(&["record 0 of 0..", "? keys  q quit"]);

    // Given up, nothing has moved; what was typed meanwhile is forgotten.
    seat.press("/nowhere to be found\r");
    seat.sees(&["searching for", " records; Esc gives it up"]);
    seat.press("ll\u{1b}");
    seat.sees(&["record 0 of 0..", "given up"]);
    // Keys that are pressed while something is under way have their turn after it.
    seat.press("\u{1b}[Fh");
    seat.sees(&["going to record", "%; Esc gives it up"]);
    let last = first.split("of 0..").nth(1).expect("a heading");
    let last = last.split(" at ").next().expect("a time");
    let last: u64 = last.replace(' ', "").parse().expect("a number");
    assert!(last > 500_000, "{last}");
    let grouped = |number: u64| format!("{} {:03}", number / 1000, number % 1000);
    seat.sees(&[&format!("record {} of 0..", grouped(last - 1))]);
    // What was seen already is there at once, and nothing is drawn while nothing happens.
    seat.press("\u{1b}[H");
    let lines = |screen: &str| -> Vec<String> {
        screen
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    seat.reads_until(&|screen| lines(screen) == lines(&first));
    let idle = seat.output.recv_timeout(Duration::from_millis(400));
    assert!(
        idle.is_err(),
        "{:?}",
        idle.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    );
    // The fault is found from there, and by the other way round.
    seat.press("/struck by the fault\r");
    let found = seat.sees(&["is struck by the fault", "record 8001 of"]);
    assert!(!found.contains("round the end"), "{found}");
    // It can be left while it searches.
    seat.press("/nowhere to be found\r");
    seat.sees(&["searching for"]);
    seat.press("q");
    assert_eq!(seat.ends(), 0);
    assert!(!seat.screen.screen().alternate_screen());
}

#[test]
fn a_signal_restores_the_terminal() {
    let mut seat = Seat::new(&["run", "path-lost-update", "--step"], 100, 30);
    seat.sees(&["record 0 of 0..5"]);
    let pid = seat.child.process_id().expect("it runs").to_string();
    let killed = Command::new("kill").args(["-TERM", &pid]).status();
    assert!(killed.expect("kill is there").success());
    assert_ne!(seat.ends(), 0);
    assert!(
        !seat.screen.screen().alternate_screen(),
        "the terminal is restored"
    );
}

#[test]
fn a_terminal_that_hangs_up_ends_it() {
    let mut seat = Seat::new(&["run", "path-lost-update", "--step"], 100, 30);
    seat.sees(&["record 0 of 0..5"]);
    let pid = seat.child.process_id().expect("it runs").to_string();
    let hung_up = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(hung_up.expect("kill is there").success());
    assert_eq!(seat.ends(), 129);
}

#[test]
fn a_terminal_that_is_too_small_is_refused() {
    let mut seat = Seat::new(&["run", "path-lost-update", "--step"], 40, 10);
    seat.sees(&["40 by 10"]);
    assert_eq!(seat.ends(), 2);
    assert!(!seat.screen.screen().alternate_screen());
}
