//! A bar for what takes longer than a moment.

use std::cell::Cell;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Nobody needs a bar for less.
const SHOWN_AFTER: Duration = Duration::from_secs(1);

/// How often it moves.
const EVERY: Duration = Duration::from_millis(100);

const WIDTH: u64 = 30;

pub struct Bar {
    started: Instant,
    last: Cell<Option<Instant>>,
    shown: bool,
}

impl Bar {
    pub fn new() -> Self {
        Self { started: Instant::now(), last: Cell::new(None), shown: io::stderr().is_terminal() }
    }

    pub fn show(&self, doing: &str, done: u64, of: u64) {
        let soon = self.last.get().is_some_and(|last| last.elapsed() < EVERY);
        if !self.shown || soon || self.started.elapsed() < SHOWN_AFTER {
            return;
        }
        self.last.set(Some(Instant::now()));
        let full = (done * WIDTH).checked_div(of).unwrap_or(0).min(WIDTH);
        let percent = (done * 100).checked_div(of).map(|percent| format!(" {percent}%"));
        let bar: String = (0..WIDTH).map(|at| if at < full { '#' } else { '.' }).collect();
        let percent = percent.unwrap_or_default();
        let _ = write!(io::stderr(), "\r\x1b[K{doing} [{bar}]{percent}");
    }

    /// Takes it off the screen.
    pub fn end(&self) {
        if self.last.get().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
