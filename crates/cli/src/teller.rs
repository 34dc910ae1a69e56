//! Who writes what a session tells: a thread of its own, so that a reader who is slow, or a
//! terminal that somebody has halted, holds up nobody's work.

mod events;
mod expecting;
mod screen;

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use milestone_domain::ids::MilestoneId;
use milestone_engine::real::{Open, Window};

use crate::happening::Happening;
use crate::output::{self, Output};
use crate::render::execution::board::{Expected, Waiting};

use events::Events;
use screen::Screen;

/// How often what stands on the screen may change.
const DRAWN_EVERY: Duration = Duration::from_millis(200);

/// How often a program is told what a runner says.
const SAID_EVERY: Duration = Duration::from_secs(1);

/// Something to be told.
pub enum Word {
    /// A line for people, styled.
    Line(String),
    /// The same, but beside the data.
    Talk(String),
    Event(Box<Happening>),
    Waiting(Waiting),
    Hint(&'static str),
    Expected(Option<Expected>),
    /// A task was done, so that what is expected may have changed.
    Finished,
    /// Nothing more comes.
    End,
}

/// What a session is asked for to say when it is going to be done.
pub struct Subject {
    pub open: Open,
    pub milestone: MilestoneId,
    pub actor: String,
    pub agents: usize,
}

/// The way to the thread. When it is dropped, everything is written.
pub struct Teller {
    words: Sender<Word>,
    thread: Option<JoinHandle<()>>,
}

impl Teller {
    /// Begins to tell: events to a program, lines to a pipe, and to a terminal also what is under
    /// way.
    pub fn begin(out: Output, window: &Window, session: &str, subject: Subject) -> Self {
        let (words, told) = mpsc::channel();
        let window = window.clone();
        let thread = if out.json {
            let events = Events::new(out, window, session.to_owned());
            thread::spawn(move || events.tell(&told))
        } else if let Some(screen) = Screen::of(out, window) {
            let finished = expecting::begin(subject, words.clone());
            thread::spawn(move || live(screen, &told, &finished))
        } else {
            thread::spawn(move || plain(&told))
        };
        Self { words, thread: Some(thread) }
    }

    pub fn say(&self, word: Word) {
        // The thread is there until it is told to end.
        let _ = self.words.send(word);
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.say(Word::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whoever reads may have gone; the work goes on.
fn plain(told: &Receiver<Word>) {
    for word in told {
        match word {
            Word::Line(text) => drop(output::styled(&text)),
            Word::Talk(text) => output::talk(&text),
            Word::End => return,
            _ => {}
        }
    }
}

fn live(mut screen: Screen, told: &Receiver<Word>, finished: &Sender<()>) {
    let mut drawn = Instant::now();
    loop {
        match told.recv_timeout(DRAWN_EVERY.saturating_sub(drawn.elapsed())) {
            Ok(Word::Line(text)) => screen.line(&text),
            Ok(Word::Talk(text)) => screen.talk(&text),
            Ok(Word::Waiting(waiting)) => screen.board.waiting = waiting,
            Ok(Word::Hint(hint)) => screen.board.hint = hint,
            Ok(Word::Expected(expected)) => screen.board.expected = expected,
            Ok(Word::Finished) => drop(finished.send(())),
            Ok(Word::Event(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return screen.end(),
        }
        if drawn.elapsed() >= DRAWN_EVERY {
            screen.draw();
            drawn = Instant::now();
        }
    }
}
