//! A terminal on which finished lines scroll up and what is under way stands below them.
//!
//! The cursor rests on the line below the block, is never hidden, and nothing else of the terminal
//! is changed: however the program ends, there is nothing to put back.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milestone_engine::real::Window;
use milestone_engine::runners::Used;
use milestone_engine::session::{StreamState, Tried};
use signal_hook::consts::SIGCONT;
use unicode_width::UnicodeWidthStr;

use crate::output::{self, Output};
use crate::render::execution::board::{self, Board, Slot};
use crate::render::words;

/// What a terminal is taken for that does not say how large it is.
const SIZE: (usize, usize) = (80, 24);

/// The whole line in which the cursor is, from its beginning on.
const CLEAR: &str = "\r\x1b[2K";
const UP: &str = "\x1b[A";

const HINT: &str = "Ctrl-C begins nothing more; a second one stops what runs";

pub struct Screen {
    pub board: Board,
    out: Output,
    window: Window,
    begun: Instant,
    /// The lines that stand there, as they were written.
    drawn: Vec<String>,
    /// Those that stay, and do not stand there yet.
    lines: String,
    /// The process was halted, and somebody may have written to the terminal meanwhile.
    resumed: Arc<AtomicBool>,
}

impl Screen {
    /// None where lines cannot be drawn again.
    pub fn of(out: Output, window: Window) -> Option<Self> {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
        if dumb || !io::stdout().is_terminal() {
            return None;
        }
        let resumed = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGCONT, Arc::clone(&resumed)).ok()?;
        let board = Board { hint: HINT, ..Board::default() };
        Some(Self {
            board,
            out,
            window,
            begun: Instant::now(),
            drawn: Vec::new(),
            lines: String::new(),
            resumed,
        })
    }

    /// A line that stays, above the block.
    pub fn line(&mut self, text: &str) {
        self.lines.push_str(&output::as_shown(text));
    }

    /// The same for what is said beside the data.
    pub fn talk(&mut self, text: &str) {
        self.write(&[]);
        output::talk(text);
        self.draw();
    }

    /// What has come since, and what is under way.
    pub fn draw(&mut self) {
        let block = self.block();
        if !self.lines.is_empty() || block != self.drawn || self.resumed.load(Ordering::Relaxed) {
            self.write(&block);
        }
    }

    /// Takes the block away.
    pub fn end(mut self) {
        self.write(&[]);
    }

    /// The lines of the block as they are now.
    fn block(&mut self) -> Vec<String> {
        let (width, height) = self.size();
        self.look();
        let lines = board::lines(&self.board, width, height, self.out.page().glyphs());
        lines.iter().map(|line| output::as_shown(line).into_owned()).collect()
    }

    fn look(&mut self) {
        let now = Timestamp::now();
        (self.board.done, self.board.open) = self.window.counts();
        self.board.cost = self.window.cost();
        // Whole seconds are what is shown.
        self.board.elapsed = Duration::from_secs(self.begun.elapsed().as_secs());
        let (attempts, judged) = (self.window.under_way(), self.window.judged());
        let attempts = attempts.iter().map(|tried| slot(tried, now));
        let streams = judged.iter().map(|(stream, said)| of_stream(stream, said.as_deref(), now));
        self.board.slots = attempts.chain(streams).collect();
    }

    /// Everything at once: over what stood there come the lines that stay, and the block below.
    fn write(&mut self, block: &[String]) {
        let lines = std::mem::take(&mut self.lines);
        let mut text = String::new();
        if is_in_front() {
            text.push_str(CLEAR);
            // Line by line: some terminals move into their scroll-back what is cleared at once.
            (0..self.rows()).for_each(|_| text.extend([UP, CLEAR]));
            text.push_str(&lines);
            block.iter().for_each(|line| text.extend([line.as_str(), "\n"]));
            self.drawn = block.to_vec();
        } else {
            // Others have the terminal: what stands there belongs to the past.
            text = lines;
            self.drawn.clear();
        }
        // Whoever looks may have gone; the work goes on.
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// How many rows what stands there takes. A terminal that became narrower has broken its lines.
    fn rows(&self) -> usize {
        if self.resumed.swap(false, Ordering::Relaxed) {
            return 0;
        }
        let (width, _) = self.size();
        let rows = |line: &String| {
            let shown: usize = anstream::adapter::strip_str(line).map(UnicodeWidthStr::width).sum();
            shown.div_ceil(width.max(1)).max(1)
        };
        self.drawn.iter().map(rows).sum()
    }

    fn size(&self) -> (usize, usize) {
        let found = terminal_size::terminal_size_of(io::stdout());
        let found = found.map(|(width, height)| (usize::from(width.0), usize::from(height.0)));
        let (width, height) = found.filter(|(width, _)| *width > 0).unwrap_or(SIZE);
        // Fewer, where somebody says so; more would be broken by the terminal.
        (self.out.page().width().map_or(width, |said| said.min(width)), height)
    }
}

/// Whether the terminal is ours, and not that of what a person does meanwhile.
fn is_in_front() -> bool {
    rustix::termios::tcgetpgrp(io::stdout()).is_ok_and(|front| front == rustix::process::getpgrp())
}

fn slot(tried: &Tried, now: Timestamp) -> Slot {
    Slot {
        name: tried.task.to_string(),
        title: tried.title.clone(),
        stage: tried.state.clone(),
        elapsed: seconds(tried.started, now),
        last: tried.last.clone().unwrap_or_default(),
        tokens: tokens(&tried.used),
        cost: tried.used.cost,
    }
}

fn of_stream(stream: &StreamState, said: Option<&str>, now: Timestamp) -> Slot {
    Slot {
        name: format!("stream {}", stream.name),
        title: words::count(stream.tasks, "task") + " together",
        stage: stream.state.word().to_owned(),
        elapsed: seconds(stream.at.unwrap_or(now), now),
        last: said.unwrap_or_default().to_owned(),
        tokens: tokens(&stream.used),
        cost: stream.used.cost,
    }
}

fn seconds(since: Timestamp, now: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0))
}

fn tokens(used: &Used) -> Option<u64> {
    [used.tokens_in, used.tokens_out].into_iter().flatten().reduce(u64::saturating_add)
}
