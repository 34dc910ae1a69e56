//! What stands below the finished lines while a session runs: pure layout, drawn by the screen.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::Style;
use jiff::civil::Date;
use milestone_domain::ids::TaskId;
use unicode_width::UnicodeWidthStr as _;

use crate::render::chart::bars::bar;
use crate::render::glyphs::Glyphs;
use crate::render::page::clean;
use crate::render::style;
use crate::render::table::cut;
use crate::render::words;

/// How many of the tasks that wait are named.
pub const WAITING_SHOWN: usize = 3;

const BAR: usize = 20;

/// The longest word for a stage is `integrating`.
const STAGE: usize = 11;

/// From this width on there is room for tokens beside what they cost.
const WIDE: usize = 100;

/// Below this width, the stage goes.
const NARROW: usize = 60;

/// As many slots are shown as this before anything else gives way to them.
const SLOTS_MIN: usize = 3;

/// A terminal of so many lines has room for an empty one.
const AIRY: usize = 12;

/// Of a text that may be of any length, no more than this is looked at.
const CHARS_MAX: usize = 1_000;

/// How a session stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Board {
    pub done: usize,
    pub open: usize,
    pub elapsed: Duration,
    /// In millionths of a US dollar.
    pub cost: Option<u64>,
    pub expected: Option<Expected>,
    pub slots: Vec<Slot>,
    pub waiting: Waiting,
    pub hint: &'static str,
}

/// One attempt at work, or a stream that is judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    pub name: String,
    pub title: String,
    pub stage: String,
    pub elapsed: Duration,
    /// What was last heard of it.
    pub last: String,
    pub tokens: Option<u64>,
    pub cost: Option<u64>,
}

/// When all of it is going to be done, with even odds and with four to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub p50: Date,
    pub p80: Date,
}

/// What cannot be begun: the first few with why, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waiting {
    pub first: Vec<(TaskId, String)>,
    pub all: usize,
}

/// The block, no wider than the terminal, and so high that a line is left for the cursor.
pub fn lines(board: &Board, width: usize, height: usize, glyphs: Glyphs) -> Vec<String> {
    let room = height.saturating_sub(1);
    if room == 0 || width == 0 {
        return Vec::new();
    }
    let paper = Paper { width, glyphs };
    // An empty line sets it off from what scrolls.
    let gap = usize::from(height >= AIRY);
    let below = below(board, &paper, room - gap);
    let room = room - gap - below.len();
    let shown = if board.slots.len() > room { room.saturating_sub(1) } else { board.slots.len() };
    let slots = board.slots.iter().take(shown).map(|slot| paper.slot(slot));
    let mut lines: Vec<String> = vec![String::new(); gap].into_iter().chain(slots).collect();
    if board.slots.len() > shown && room > 0 {
        let more = words::count(board.slots.len() - shown, "more slot");
        lines.push(paper.line().put(style::DIM, &format!("and {more}")).end());
    }
    lines.extend(below);
    lines
}

/// What stands below the slots. In a low terminal the least important goes first.
fn below(board: &Board, paper: &Paper, room: usize) -> Vec<String> {
    let slots = board.slots.len().min(SLOTS_MIN);
    let fits = |lines: usize| lines + slots <= room;
    let overall = paper.overall(board);
    let expected = board.expected.map(|expected| paper.expected(expected));
    let hint = Some(board.hint).filter(|hint| !hint.is_empty());
    let hint = hint.map(|hint| paper.line().put(style::DIM, hint).end());
    let mut left = room.saturating_sub(1 + slots);
    let mut take = |line: Option<String>| {
        let line = line.filter(|_| left > 0);
        left = left.saturating_sub(usize::from(line.is_some()));
        line
    };
    let (expected, hint) = (take(expected), take(hint));
    let before = 1 + usize::from(expected.is_some()) + usize::from(hint.is_some());
    let waiting = paper.waiting(&board.waiting);
    let waiting = if fits(before + waiting.len()) { waiting } else { Vec::new() };
    std::iter::once(overall).chain(expected).chain(waiting).chain(hint).collect()
}

/// What lines are drawn on.
struct Paper {
    width: usize,
    glyphs: Glyphs,
}

impl Paper {
    fn line(&self) -> Line {
        Line { text: String::new(), room: self.width, glyphs: self.glyphs }
    }

    fn slot(&self, slot: &Slot) -> String {
        let mut line = self.line();
        line = line.put(style::ID, &slot.name).put(style::PLAIN, "  ");
        if self.width >= NARROW {
            line = line.put(style::PLAIN, &format!("{:<STAGE$}  ", slot.stage));
        }
        line = line.put(style::DIM, &format!("{:>6}  ", time(slot.elapsed)));
        let used = self.used(slot);
        // What it is comes first, and what it does gets the rest.
        let kept = if used.is_empty() { 0 } else { used.width() + 2 };
        let room = line.room.saturating_sub(kept);
        let title = if slot.last.is_empty() { room } else { (room * 2 / 5).max(room.min(12)) };
        let title = cut(self.glyphs, &cleaned(&slot.title), title);
        let last = room.saturating_sub(title.width() + 2);
        line = line.put_clean(style::PLAIN, &title);
        if last > 0 && !slot.last.is_empty() {
            let last = cut(self.glyphs, &cleaned(&slot.last), last);
            line = line.put(style::PLAIN, "  ").put_clean(style::DIM, &last);
        }
        if kept > 0 && line.room >= kept {
            let gap = " ".repeat(line.room - used.width());
            line = line.put(style::PLAIN, &gap).put(style::PLAIN, &used);
        }
        line.end()
    }

    /// What a slot has used, as far as there is room to say it.
    fn used(&self, slot: &Slot) -> String {
        let tokens = slot.tokens.map(|tokens| format!("{} tokens", thousands(tokens)));
        let cost = slot.cost.map(money);
        let parts = match (self.width, cost) {
            (0..NARROW, _) => Vec::new(),
            (WIDE.., cost) => tokens.into_iter().chain(cost).collect(),
            (_, cost) => cost.or(tokens).into_iter().collect(),
        };
        parts.join("  ")
    }

    fn overall(&self, board: &Board) -> String {
        let all = board.done + board.open;
        let percent = (board.done * 100).checked_div(all).unwrap_or(0);
        let percent = u32::try_from(percent).unwrap_or(100);
        let wide = BAR.min(self.width / 3);
        let tasks = format!("  {} of {}", board.done, words::count(all, "task"));
        let mut line = self.line().put(style::GOOD, &bar(self.glyphs, percent, wide));
        line = line.put(style::HEAD, &tasks).put(style::PLAIN, "  ");
        line = line.put(style::DIM, &time(board.elapsed));
        if let Some(cost) = board.cost {
            line = line.put(style::PLAIN, "  ").put(style::PLAIN, &money(cost));
        }
        line.end()
    }

    fn expected(&self, expected: Expected) -> String {
        let said = format!("expected {} P50, {} P80", expected.p50, expected.p80);
        self.line().put(style::PLAIN, &said).end()
    }

    fn waiting(&self, waiting: &Waiting) -> Vec<String> {
        let line = |(task, why): &(TaskId, String)| {
            let line = self.line().put(style::ID, &task.to_string());
            line.put(style::PLAIN, "  ").put(style::WARN, why).end()
        };
        let mut lines: Vec<String> = waiting.first.iter().take(WAITING_SHOWN).map(line).collect();
        if waiting.all > lines.len() && !lines.is_empty() {
            let more = format!("and {} more that wait", waiting.all - lines.len());
            lines.push(self.line().put(style::DIM, &more).end());
        }
        lines
    }
}

/// One line that never gets wider than there is room.
struct Line {
    text: String,
    room: usize,
    glyphs: Glyphs,
}

impl Line {
    fn put(self, style: Style, text: &str) -> Self {
        let text = cleaned(text);
        self.put_clean(style, &text)
    }

    fn put_clean(mut self, style: Style, text: &str) -> Self {
        if self.room == 0 {
            return self;
        }
        let text = cut(self.glyphs, text, self.room);
        self.room = self.room.saturating_sub(text.width());
        if style == style::PLAIN {
            self.text.push_str(&text);
        } else if !text.is_empty() {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "{}{text}{}", style.render(), style.render_reset());
        }
        self
    }

    fn end(self) -> String {
        self.text
    }
}

fn cleaned(text: &str) -> String {
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => clean(&text[..end]),
        None => clean(text),
    }
}

/// How long something takes, in at most six columns for the first four days.
pub fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..360_000 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{}d{:02}h", hours / 24, hours % 24),
    }
}

fn thousands(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..10_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        10_000..1_000_000 => format!("{}k", number / 1_000),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// Millionths of a dollar as dollars, rounded up to a cent: what costs something is not shown as
/// nothing.
fn money(cost: u64) -> String {
    let cents = cost.div_ceil(10_000);
    format!("${}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn slot(number: u32) -> Slot {
        Slot {
            name: format!("task-001-{number:03}"),
            title: format!("Build part {number} of the client"),
            stage: "running".to_owned(),
            elapsed: Duration::from_secs(59 * u64::from(number)),
            last: format!("Compiling part-{number} v0.1.0"),
            tokens: Some(12_345 * u64::from(number)),
            cost: (number.is_multiple_of(2)).then_some(123_456),
        }
    }

    fn board(slots: u32) -> Board {
        Board {
            done: 3,
            open: 6,
            elapsed: Duration::from_secs(754),
            cost: Some(1_234_567),
            expected: Some(Expected { p50: date(2026, 11, 24), p80: date(2026, 11, 26) }),
            slots: (1..=slots).map(slot).collect(),
            waiting: Waiting {
                first: (70..73)
                    .map(|number| {
                        let task = format!("task-001-{number:03}").parse().unwrap();
                        (task, "blocked: the certificate has to be bought by somebody".to_owned())
                    })
                    .collect(),
                all: 5,
            },
            hint: "Ctrl-C begins nothing more; a second one stops what runs",
        }
    }

    fn drawn(board: &Board, width: usize, height: usize) -> String {
        let lines = lines(board, width, height, Glyphs::Unicode);
        assert!(lines.len() < height.max(1), "{} lines", lines.len());
        let plain = |line: &String| anstream::adapter::strip_str(line).to_string();
        let lines: Vec<String> = lines.iter().map(plain).collect();
        for line in &lines {
            assert!(line.width() <= width, "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
        lines.join("\n")
    }

    #[test]
    fn at_eighty_columns() {
        insta::assert_snapshot!("eighty_no_slots", drawn(&board(0), 80, 24));
        insta::assert_snapshot!("eighty_one_slot", drawn(&board(1), 80, 24));
        insta::assert_snapshot!("eighty_five_slots", drawn(&board(5), 80, 24));
        insta::assert_snapshot!("eighty_many_slots", drawn(&board(64), 80, 24));
    }

    #[test]
    fn in_narrow_and_in_wide_terminals() {
        insta::assert_snapshot!("narrow", drawn(&board(5), 40, 24));
        insta::assert_snapshot!("wide", drawn(&board(5), 200, 24));
    }

    #[test]
    fn in_a_low_terminal_the_least_goes_first() {
        insta::assert_snapshot!("low", drawn(&board(5), 80, 8));
        insta::assert_snapshot!("lower", drawn(&board(5), 80, 4));
        assert_eq!(drawn(&board(5), 80, 2).lines().count(), 1);
        assert_eq!(drawn(&board(5), 80, 1), "");
        assert_eq!(drawn(&board(5), 0, 24), "");
    }

    #[test]
    fn every_size_is_kept_to() {
        for width in 0..130 {
            for height in 0..20 {
                drawn(&board(7), width, height);
                drawn(&Board::default(), width, height);
            }
        }
    }

    #[test]
    fn what_others_say_is_only_text() {
        let said = [
            ("日本語のタイトルはとても長いです", "出力も日本語で、これもまた長い一行です"),
            ("\u{1b}[2J\u{1b}]0;mine\u{7}title", "\u{1b}[31mred\r\nfake line\ttab\u{9b}0m"),
            ("\u{202e}desrever", "\u{200b}\u{2066}hidden👩‍💻🇩🇪 e\u{301}\u{301}\u{301}"),
        ];
        let mut board = board(3);
        for (slot, (title, last)) in board.slots.iter_mut().zip(said) {
            (slot.title, slot.last) = (title.to_owned(), last.to_owned());
        }
        board.waiting.first[0].1 = "blocked: \u{1b}[1Aup\nand down".to_owned();
        insta::assert_snapshot!("hostile", drawn(&board, 80, 24));
        board.slots[0].last = "x".repeat(1 << 20);
        board.slots[1].last = "e".to_owned() + &"\u{301}".repeat(1 << 20);
        assert!(drawn(&board, 80, 24).len() < 4_000);
    }

    #[test]
    fn figures_are_short_and_never_nothing() {
        let shown = [0, 59, 60, 3_599, 3_600, 359_999, 360_000];
        let shown = shown.map(|seconds| time(Duration::from_secs(seconds)));
        assert_eq!(shown, ["0s", "59s", "1m00s", "59m59s", "1h00m", "99h59m", "4d04h"]);
        let shown = [999, 1_000, 9_999, 12_345, 999_999, 1_250_000].map(thousands);
        assert_eq!(shown, ["999", "1.0k", "9.9k", "12k", "999k", "1.2M"]);
        assert_eq!([0, 1, 10_000, 1_234_567].map(money), ["$0.00", "$0.01", "$0.01", "$1.24"]);
    }
}
