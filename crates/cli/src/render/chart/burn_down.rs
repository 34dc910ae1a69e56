//! A burn-down as text: what was left each day as an area, the even pace as dots through it.

use std::cmp::Ordering;
use std::fmt::Write as _;

use anstyle::Style;
use milestone_domain::effort::Effort;
use milestone_domain::ids::Node;
use milestone_domain::views::chart::burn_down::{BurnDown, Burning, Ideal};

use super::spark::{places, spark};
use super::{Canvas, amount, columns, heading, legend, remark};
use crate::render::glyphs::Glyphs;
use crate::render::page::Page;
use crate::render::scale::Scale;
use crate::render::{style, words};

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Columns for the amounts at the left, at least.
const AMOUNTS: usize = 5;

/// Figures in a row that tell anything.
const FIGURES_MIN: usize = 6;

pub fn burn_down(page: &mut Page, view: &BurnDown) {
    match view {
        BurnDown::TooShort { days, needed } => too_short(page, *days, *needed),
        BurnDown::Known(burning) => known(page, burning),
    }
}

fn too_short(page: &mut Page, days: u32, needed: u32) {
    heading(page, "Burn-down", None, None);
    remark(page, style::PLAIN, &missing(days, needed));
}

/// How much history there is, and how much it takes.
pub fn missing(days: u32, needed: u32) -> String {
    match days {
        0 => format!("There is no history yet; a burn-down needs {needed} days of it."),
        1 => format!("There is 1 day of history; a burn-down needs {needed}. Look again tomorrow."),
        days => format!("There are {days} days of history; a burn-down needs {needed}."),
    }
}

fn known(page: &mut Page, view: &Burning) {
    let milestone = view.milestone.map(Node::Milestone);
    heading(page, "Burn-down", milestone, view.title.as_deref());
    remark(page, style::PLAIN, &summary(view));
    page.gap();
    let plot = Plot::new(page, view);
    let canvas = plot.drawn();
    for row in 0..plot.height {
        let label = plot.label(row);
        let axis = plot.glyphs.pick('│', '|');
        page.styled(style::DIM, format!("{label:>width$} {axis}", width = plot.amounts));
        canvas.print(row, page);
        page.end();
    }
    let line = plot.glyphs.pick("─", "-").repeat(plot.width);
    let corner = plot.glyphs.pick('└', '+');
    page.styled(style::DIM, format!("{:>width$} {corner}{line}", "0h", width = plot.amounts)).end();
    page.spaces(plot.amounts + 2);
    plot.days().print(0, page);
    page.end().gap();
    figures(page, view);
    let mut signs = vec![(plot.glyphs.pick('█', '#'), style::ID, "work left")];
    if view.ideal.is_some() {
        signs.push((plot.glyphs.pick('•', 'o'), style::WARN, "even pace to the due date"));
    }
    signs.push((plot.glyphs.pick('┄', '-'), style::DIM, "all the work there is"));
    if view.last_day() > view.today {
        signs.push((plot.glyphs.pick('┊', ':'), style::DIM, "today"));
    }
    legend(page, &signs);
}

/// Where things stand now, in a sentence.
pub fn summary(view: &Burning) -> String {
    let Some(now) = view.now() else { return String::new() };
    let mut text = format!(
        "{} of {} of work left, {} of {}",
        amount(now.work_left),
        amount(now.work),
        now.tasks_left,
        words::count(size(now.tasks), "task"),
    );
    if now.stopped > 0 {
        let _ = write!(text, ", {} stopped", now.stopped);
    }
    if let Some(due) = view.due {
        let due_word = if due < view.today { "was due" } else { "due" };
        let _ = write!(text, "; {due_word} {due}");
    }
    if let Some(pace) = view.ideal_work_left {
        let (left, pace) = (now.work_left.minutes(), pace.minutes());
        let gap = amount(Effort::from_minutes(left.abs_diff(pace)));
        let _ = match left.cmp(&pace) {
            Ordering::Greater => write!(text, ", {gap} behind an even pace"),
            Ordering::Less => write!(text, ", {gap} ahead of an even pace"),
            Ordering::Equal => write!(text, ", at an even pace"),
        };
    }
    text + "."
}

/// Two rows of small figures: what the area does not show.
fn figures(page: &mut Page, view: &Burning) {
    let left: Vec<u32> = view.days.iter().map(|day| day.tasks_left).collect();
    if let (Some(first), Some(last)) = (left.first(), left.last()) {
        let said = format!("{first} at first, {last} now");
        figure(page, "Tasks left", style::ID, &left, &said);
    }
    let finished: Vec<u32> = view.finished.iter().map(|span| span.completed).collect();
    if let Some(last) = view.finished.last() {
        let tasks = words::count(size(last.completed), "task");
        let said = format!("{tasks} ({}) in this one", amount(last.work));
        figure(page, &format!("Done a {}", view.by.word()), style::GOOD, &finished, &said);
    }
    page.gap();
}

/// A name, a row of figures in what room there is, and in words what the last of them are.
fn figure(page: &mut Page, name: &str, style: Style, values: &[u32], said: &str) {
    let (glyphs, width) = (page.glyphs(), columns(page));
    let name = format!("{name:<13}");
    let room = width.saturating_sub(name.len() + said.len() + 2).min(width / 2);
    let (room, said) = if room < FIGURES_MIN { (width - name.len(), "") } else { (room, said) };
    let shown = places(values.len(), room).filter_map(|at| values.get(at).copied());
    let shown: Vec<u32> = shown.collect();
    page.styled(style::DIM, name).styled(style, spark(glyphs, &shown));
    if !said.is_empty() {
        page.say("  ").say(said);
    }
    page.end();
}

/// The field on which the area is drawn.
struct Plot<'a> {
    view: &'a Burning,
    scale: Scale,
    /// Columns of the amounts at its left.
    amounts: usize,
    width: usize,
    height: usize,
    /// The amount of work at its upper edge, in minutes.
    top: usize,
    glyphs: Glyphs,
}

impl<'a> Plot<'a> {
    fn new(page: &Page, view: &'a Burning) -> Self {
        let ideal = view.ideal.as_ref().map(|ideal| ideal.work).unwrap_or_default();
        let most = view.work_max().max(ideal);
        // With one more for half of it, which may have a fraction.
        let amounts = AMOUNTS.max(amount(most).len() + 1);
        let width = columns(page) - amounts - 2;
        let length = i64::try_from(width).unwrap_or(i64::MAX);
        Self {
            view,
            scale: Scale::new(view.first_day(), view.last_day(), length),
            amounts,
            width,
            height: if width < 110 { 12 } else { 18 },
            top: size(most.minutes()).max(1),
            glyphs: page.glyphs(),
        }
    }

    /// The amounts at the top and in the middle.
    fn label(&self, row: usize) -> String {
        let half = self.height / 2;
        let minutes = match row {
            0 => self.top,
            row if row == half => self.top / 2,
            _ => return String::new(),
        };
        amount(Effort::from_minutes(u32::try_from(minutes).unwrap_or(u32::MAX)))
    }

    fn drawn(&self) -> Canvas {
        let mut canvas = Canvas::new(self.width, self.height);
        let today = column(self.scale.end(self.view.today)).saturating_sub(1);
        for at in 0..=today.min(self.width - 1) {
            let Some(day) = self.view.days.get(self.day(at)).or(self.view.days.last()) else {
                continue;
            };
            if let Some(row) = self.row(day.work) {
                canvas.put(at, row, self.glyphs.pick('┄', '-'), style::DIM);
            }
            self.fill(&mut canvas, at, day.work_left);
        }
        if self.view.last_day() > self.view.today {
            for row in 0..self.height {
                if canvas.is_free(today + 1, row) {
                    canvas.put(today + 1, row, self.glyphs.pick('┊', ':'), style::DIM);
                }
            }
        }
        if let Some(ideal) = &self.view.ideal {
            self.pace(&mut canvas, ideal);
        }
        canvas
    }

    /// The number of the last day that has a part in a column.
    fn day(&self, at: usize) -> usize {
        ((at + 1) * size(self.scale.days()) - 1) / self.width
    }

    /// The row in which an amount ends; none for nothing.
    fn row(&self, effort: Effort) -> Option<usize> {
        let filled = (size(effort.minutes()) * self.height).div_ceil(self.top);
        self.height.checked_sub(filled).filter(|_| filled > 0)
    }

    fn fill(&self, canvas: &mut Canvas, at: usize, left: Effort) {
        let eighths = (size(left.minutes()) * self.height * 8).div_ceil(self.top);
        for row in 0..self.height {
            let above = (self.height - 1 - row) * 8;
            let level = eighths.saturating_sub(above).min(8);
            let glyph = level.checked_sub(1).and_then(|level| LEVELS.get(level));
            match (glyph, self.glyphs) {
                (Some(glyph), Glyphs::Unicode) => canvas.put(at, row, *glyph, style::ID),
                (Some(_), Glyphs::Ascii) if level >= 4 => canvas.put(at, row, '#', style::ID),
                _ => {}
            }
        }
    }

    /// Dots from everything to nothing. Through the area they are holes, so that they are seen
    /// without colours too.
    fn pace(&self, canvas: &mut Canvas, ideal: &Ideal) {
        let from = column(self.scale.end(ideal.from)).saturating_sub(1);
        let until = column(self.scale.end(ideal.until)).saturating_sub(1);
        for at in (from..=until).step_by(2) {
            let left = self.scale.day(self.day(at)).and_then(|day| ideal.work_left(day));
            let Some(left) = left.map(|left| size(left.minutes())) else { continue };
            let row = self.height - 1 - (left * (self.height - 1) / self.top).min(self.height - 1);
            canvas.put(at, row, self.glyphs.pick('•', 'o'), style::WARN);
        }
    }

    fn days(&self) -> Canvas {
        let mut canvas = Canvas::new(self.width, 1);
        for tick in self.scale.ticks(10) {
            canvas.write(column(tick.at), 0, &tick.label, style::DIM);
        }
        canvas
    }
}

fn column(at: i64) -> usize {
    usize::try_from(at).unwrap_or(0)
}

/// An amount for arithmetic with columns and rows.
fn size(amount: impl TryInto<usize>) -> usize {
    amount.try_into().unwrap_or(usize::MAX / 4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::chart::testing::{TODAY, burning, drawn};

    #[test]
    fn at_80_columns() {
        insta::assert_snapshot!(drawn(80, Glyphs::Unicode, |page| burn_down(page, &burning())));
    }

    #[test]
    fn at_200_columns() {
        insta::assert_snapshot!(drawn(200, Glyphs::Unicode, |page| burn_down(page, &burning())));
    }

    #[test]
    fn in_ascii() {
        insta::assert_snapshot!(drawn(80, Glyphs::Ascii, |page| burn_down(page, &burning())));
    }

    #[test]
    fn too_little_history_is_said() {
        let short = BurnDown::TooShort { days: 1, needed: 2 };
        let text = drawn(40, Glyphs::Unicode, |page| burn_down(page, &short));
        assert!(text.contains("needs 2"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    }

    #[test]
    fn nothing_left_and_nothing_to_do_are_drawn() {
        let BurnDown::Known(mut view) = burning() else { panic!() };
        for day in &mut view.days {
            (day.work, day.work_left) = (Effort::default(), Effort::default());
        }
        (view.due, view.ideal, view.today) = (None, None, TODAY);
        let text = drawn(80, Glyphs::Unicode, |page| burn_down(page, &BurnDown::Known(view)));
        assert!(text.contains("0h of 0h"), "{text}");
    }
}
