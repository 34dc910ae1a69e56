//! Charts as text: what fits a page, with every column where it belongs.

pub mod bars;
pub mod burn_down;
pub mod gantt;
pub mod graph;
pub mod spark;
#[cfg(test)]
pub mod testing;

use anstyle::Style;
use milestone_domain::effort::Effort;
use milestone_domain::ids::Node;
use milestone_domain::views::chart::Stage;
use unicode_width::UnicodeWidthStr as _;

use super::glyphs::Glyphs;
use super::page::{Page, clean};
use super::table::cut;
use super::{style, words};

/// A page narrower than this is drawn on as if it were this wide.
const NARROWEST: usize = 40;

/// A field of characters, each one column wide.
struct Canvas {
    cells: Vec<Vec<(char, Style)>>,
}

impl Canvas {
    fn new(width: usize, height: usize) -> Self {
        Self { cells: vec![vec![(' ', style::PLAIN); width]; height] }
    }

    fn at(&mut self, column: usize, row: usize) -> Option<&mut (char, Style)> {
        self.cells.get_mut(row)?.get_mut(column)
    }

    /// What does not stand on the canvas is not drawn.
    fn put(&mut self, column: usize, row: usize, glyph: char, style: Style) {
        if let Some(cell) = self.at(column, row) {
            *cell = (glyph, style);
        }
    }

    fn is_free(&mut self, column: usize, row: usize) -> bool {
        self.at(column, row).is_some_and(|cell| cell.0 == ' ')
    }

    /// A short text of ours, all of it or nothing.
    fn write(&mut self, column: usize, row: usize, text: &str, style: Style) {
        let length = text.chars().count();
        if (column..column + length).all(|column| self.is_free(column, row)) {
            (column..).zip(text.chars()).for_each(|(at, glyph)| self.put(at, row, glyph, style));
        }
    }

    /// Prints a row up to the last thing that stands in it.
    fn print(&self, row: usize, page: &mut Page) {
        let Some(cells) = self.cells.get(row) else { return };
        let end = cells.iter().rposition(|(glyph, _)| *glyph != ' ').map_or(0, |last| last + 1);
        for run in cells[..end].chunk_by(|one, other| one.1 == other.1) {
            let text: String = run.iter().map(|(glyph, _)| glyph).collect();
            match run.first() {
                Some((_, style)) if *style != style::PLAIN => page.styled(*style, text),
                _ => page.say(text),
            };
        }
    }
}

/// A text in exactly this many columns: cut or filled up.
fn fitted(glyphs: Glyphs, text: &str, width: usize) -> String {
    let text = cut(glyphs, &clean(text), width);
    let gap = width.saturating_sub(text.width());
    text + &" ".repeat(gap)
}

fn columns(page: &Page) -> usize {
    page.columns().max(NARROWEST)
}

/// What a chart shows, and the title of the one milestone that it is about.
fn heading(page: &mut Page, what: &str, id: Option<Node>, title: Option<&str>) {
    page.styled(style::HEAD, what);
    if let (Some(id), Some(title)) = (id, title) {
        let glyphs = page.glyphs();
        let id = id.to_string();
        let room = columns(page).saturating_sub(what.width() + id.width() + 4);
        page.say("  ").styled(style::ID, id).say("  ").say(cut(glyphs, &clean(title), room));
    }
    page.end();
}

/// What the signs of a chart mean, in as many lines as they need.
fn legend(page: &mut Page, signs: &[(char, Style, &str)]) {
    let width = columns(page);
    let mut at = 0;
    for (sign, sign_style, meaning) in signs {
        let length = 2 + meaning.width();
        if at > 0 && at + 3 + length > width {
            page.end();
            at = 0;
        }
        if at > 0 {
            page.say("   ");
            at += 3;
        }
        page.styled(*sign_style, sign).styled(style::DIM, format!(" {meaning}"));
        at += length;
    }
    page.end();
}

/// A sentence under a chart, in as many lines as it needs.
fn remark(page: &mut Page, style: Style, text: &str) {
    let width = columns(page);
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            page.styled(style, &line).end();
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    page.styled(style, line).end();
}

/// Each thing that waits for the next, the last for the first.
pub fn cycle(path: &[Node]) -> String {
    let names: Vec<String> = path.iter().map(ToString::to_string).collect();
    format!("Each of these waits for the next: {}", names.join(", "))
}

/// A state as one sign, so that it is not said by colour alone.
fn sign(glyphs: Glyphs, stage: Stage) -> (char, Style) {
    match stage {
        Stage::ToDo => (glyphs.pick('○', 'o'), style::PLAIN),
        Stage::Doing => (glyphs.pick('◐', '>'), style::ID),
        Stage::Stopped => (glyphs.pick('✗', '!'), style::WARN),
        Stage::Done => (glyphs.pick('●', '*'), style::GOOD),
        Stage::Cancelled => (glyphs.pick('−', '-'), style::DIM),
    }
}

/// The form of an id that takes the least room and is still taken by every command.
pub fn short(id: Node) -> String {
    match id {
        Node::Milestone(id) => id.0.to_string(),
        Node::Task(task) => format!("{}.{}", task.milestone.0, task.number),
    }
}

/// An amount of work as one figure: hours below a day, days of eight hours above.
pub fn amount(effort: Effort) -> String {
    let minutes = effort.minutes();
    match minutes {
        0..480 if minutes.is_multiple_of(60) => format!("{}h", minutes / 60),
        0..480 => format!("{}.{}h", minutes / 60, minutes % 60 / 6),
        _ if minutes >= 48_000 || (minutes / 48).is_multiple_of(10) => {
            format!("{}d", minutes / 480)
        }
        _ => format!("{}.{}d", minutes / 480, minutes / 48 % 10),
    }
}

/// What was left out of a picture, if anything.
pub fn left_out(milestones: usize, tasks: usize) -> Option<String> {
    let counted = [(milestones, "milestone"), (tasks, "task")];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let counted: Vec<String> = counted.map(|(count, what)| words::count(count, what)).collect();
    (!counted.is_empty()).then(|| format!("Left out: {}.", counted.join(" and ")))
}

#[cfg(test)]
mod tests;
