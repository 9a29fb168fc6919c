//! The loop between the view and the keys. Whatever ends it, the terminal is as it was before.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::app::App;
use super::view::{self, LEAST, Look};
use crate::console::Layout;
use crate::failure::{Failure, Result};

/// How long a signal may wait for the loop to look.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Shows `app` until the reader is through.
///
/// # Errors
/// The terminal is too small or cannot be used.
pub fn run(mut app: App, layout: Layout) -> Result<()> {
    let failed =
        |error: io::Error| Failure::bad_input(format!("the terminal cannot be used: {error}"));
    let (width, height) = ratatui::crossterm::terminal::size().map_err(failed)?;
    if width < LEAST.0 || height < LEAST.1 {
        let what = format!("the terminal has {width} by {height} characters");
        let help = format!(
            "--step needs {} by {}; into a pipe, such as `| less`, it prints text",
            LEAST.0, LEAST.1
        );
        return Err(Failure::bad_input(what).help(help));
    }
    // A terminal that hung up needs no restoring, and reading from it would never come back.
    let hung_up = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(SIGHUP, 128 + SIGHUP, hung_up)
        .map_err(failed)?;
    let signal = Arc::new(AtomicUsize::new(0));
    for known in [SIGINT, SIGTERM] {
        signal_hook::flag::register_usize(known, signal.clone(), known as usize).map_err(failed)?;
    }
    let look = Look {
        color: layout.color,
    };
    let ended = on_terminal(|terminal| {
        let mut is_stale = true;
        while !app.through && signal.load(Ordering::Relaxed) == 0 {
            // Nothing is drawn while nothing happens: over a slow line, each screen counts.
            if is_stale {
                terminal.draw(|frame| view::draw(frame, &app, look))?;
            }
            is_stale = app.under_way().is_some();
            if event::poll(LOOK_EVERY)? {
                match event::read()? {
                    Event::Key(key) => app.key(key),
                    Event::Resize(..) => {}
                    _ => continue,
                }
                is_stale = true;
            }
            app.attend(Duration::ZERO);
        }
        Ok(())
    });
    match signal.load(Ordering::Relaxed) {
        // As if nobody had caught it.
        known if known != 0 => signal_hook::low_level::emulate_default_handler(known as i32),
        _ => ended,
    }
    .map_err(failed)
}

/// Does `work` with a terminal that is restored after it, also if it panics, and then before that is reported.
fn on_terminal(work: impl FnOnce(&mut DefaultTerminal) -> io::Result<()>) -> io::Result<()> {
    struct Restored;
    impl Drop for Restored {
        fn drop(&mut self) {
            ratatui::restore();
        }
    }
    let mut terminal = ratatui::try_init()?;
    let _restored = Restored;
    work(&mut terminal)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;

    /// Set for the child process, which has a terminal and breaks down.
    const BREAKS: &str = "FAULTLAB_TEST_BREAKS_ON_TERMINAL";

    #[test]
    fn a_panic_restores_the_terminal_and_is_read_on_it() {
        const NAME: &str = "step::terminal::tests::a_panic_restores_the_terminal_and_is_read_on_it";
        if std::env::var_os(BREAKS).is_some() {
            let _ = on_terminal(|_| panic!("an invariant broke"));
            return;
        }
        let pair = native_pty_system()
            .openpty(PtySize::default())
            .expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", NAME, "--nocapture"]);
        command.env(BREAKS, "1");
        command.env("TERM", "xterm-256color");
        let mut child = pair.slave.spawn_command(command).expect("it starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("readable");
        let mut bytes = Vec::new();
        // A terminal whose other end is gone ends with an error.
        let _ = reader.read_to_end(&mut bytes);
        assert!(!child.wait().expect("it ends").success());
        let said = String::from_utf8_lossy(&bytes);
        let at = |text: &str| {
            said.find(text)
                .unwrap_or_else(|| panic!("no {text:?} in {said:?}"))
        };
        let (entered, left) = (at("\u{1b}[?1049h"), at("\u{1b}[?1049l"));
        assert!(
            entered < left && left < at("an invariant broke"),
            "{said:?}"
        );
    }
}
