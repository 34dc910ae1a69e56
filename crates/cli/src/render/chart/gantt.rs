//! A Gantt chart as text: names at the left, days to the right.

use anstyle::Style;
use milestone_domain::ids::Node;
use milestone_domain::views::chart::Stage;
use milestone_domain::views::chart::gantt::{Bar, Gantt};

use super::{Canvas, columns, cycle, fitted, heading, left_out, legend, remark, short, sign};
use crate::render::glyphs::Glyphs;
use crate::render::page::Page;
use crate::render::scale::Scale;
use crate::render::style;

/// Columns of the names: as many as there are to spare, in these bounds.
const NAMES_MIN: usize = 16;
const NAMES_MAX: usize = 56;

pub fn gantt(page: &mut Page, view: &Gantt) {
    let milestone = view.milestone.map(Node::Milestone);
    heading(page, "Gantt", milestone, view.title.as_deref());
    if view.rows.is_empty() {
        remark(page, style::PLAIN, NOTHING);
        return;
    }
    page.gap();
    let days = Days::new(page, view);
    page.spaces(days.names);
    days.axis().print(0, page);
    page.end();
    for bar in &view.rows {
        days.name(page, bar);
        days.bar(bar).print(0, page);
        page.end();
    }
    page.gap();
    signs(page, days.glyphs);
    if view.lays_out() {
        remark(page, style::DIM, AT_ONCE);
    }
    if let Some(path) = &view.cycle {
        remark(page, style::BAD, &cycle(path));
    }
    if let Some(text) = left_out(view.left_out.milestones, view.left_out.tasks) {
        let hint = if view.milestone.is_none() { ONE } else { "" };
        remark(page, style::DIM, format!("{text} {hint}").trim_end());
    }
}

/// What the dates of open work rest on.
pub const AT_ONCE: &str = "What is to do stands as if everything ready were worked on at once.";
const NOTHING: &str = "There is nothing to draw: no milestone is open.";
const ONE: &str = "To see one milestone's tasks: milestone status ID --chart gantt";

fn signs(page: &mut Page, glyphs: Glyphs) {
    legend(
        page,
        &[
            (glyphs.pick('█', '#'), style::GOOD, "done"),
            (glyphs.pick('▒', '='), style::WARN, "to do, critical"),
            (glyphs.pick('░', '-'), style::ID, "to do"),
            (glyphs.pick('◇', '+'), style::PLAIN, "due"),
            (glyphs.pick('◆', 'X'), style::BAD, "due, and missed"),
            (glyphs.pick('┊', ':'), style::DIM, "today"),
        ],
    );
    let stages = [
        (Stage::Done, "completed"),
        (Stage::Doing, "in progress"),
        (Stage::ToDo, "to do"),
        (Stage::Stopped, "blocked, failed or paused"),
    ];
    let signs = stages.map(|(stage, meaning)| {
        let (sign, style) = sign(glyphs, stage);
        (sign, style, meaning)
    });
    legend(page, &signs);
}

/// The part of the page where bars stand.
struct Days {
    scale: Scale,
    today: usize,
    names: usize,
    width: usize,
    /// Columns of the longest short id of a milestone, and of a task.
    ids: (usize, usize),
    glyphs: Glyphs,
}

impl Days {
    fn new(page: &Page, view: &Gantt) -> Self {
        let all = columns(page);
        let names = (all * 2 / 5).clamp(NAMES_MIN, NAMES_MAX);
        let width = all - names;
        let length = i64::try_from(width).unwrap_or(i64::MAX);
        let scale = Scale::new(view.from, view.until, length);
        let longest = |milestones: bool| {
            let ids = view.rows.iter().filter(|bar| is_milestone(bar) == milestones);
            ids.map(|bar| short(bar.id).len()).max().unwrap_or(0)
        };
        let ids = (longest(true), longest(false));
        let today = column(scale.start(view.today));
        Self { scale, today, names, width, ids, glyphs: page.glyphs() }
    }

    fn axis(&self) -> Canvas {
        let mut canvas = Canvas::new(self.width, 1);
        for tick in self.scale.ticks(9) {
            canvas.write(column(tick.at), 0, &tick.label, style::DIM);
        }
        canvas
    }

    fn name(&self, page: &mut Page, bar: &Bar) {
        let (sign, sign_style) = sign(self.glyphs, bar.stage);
        let width = if is_milestone(bar) { self.ids.0 } else { self.ids.1 };
        let id = format!("{:<width$}", short(bar.id));
        let room = self.names.saturating_sub(indent(bar) + width + 4);
        let title = fitted(self.glyphs, &bar.title, room);
        let title_style = if is_milestone(bar) { style::HEAD } else { style::PLAIN };
        page.spaces(indent(bar));
        page.styled(sign_style, sign).say(' ').styled(style::ID, id).say(' ');
        page.styled(title_style, title).say(' ');
    }

    fn bar(&self, bar: &Bar) -> Canvas {
        let mut canvas = Canvas::new(self.width, 1);
        canvas.put(self.today, 0, self.glyphs.pick('┊', ':'), style::DIM);
        if let Some(span) = bar.span {
            let start = column(self.scale.start(span.start));
            let end = column(self.scale.end(span.finish)).max(start + 1);
            let percent = usize::try_from(bar.percent.min(100)).unwrap_or(0);
            let done =
                if bar.stage == Stage::Done { end } else { start + (end - start) * percent / 100 };
            for at in start..end {
                let (glyph, style) = if at < done { self.done() } else { self.to_do(bar) };
                canvas.put(at, 0, glyph, style);
            }
        }
        if let Some(due) = bar.due {
            let at = column(self.scale.end(due)).saturating_sub(1);
            let (glyph, style) = match bar.late {
                true => (self.glyphs.pick('◆', 'X'), style::BAD),
                false => (self.glyphs.pick('◇', '+'), style::PLAIN),
            };
            canvas.put(at, 0, glyph, style);
        }
        canvas
    }

    fn done(&self) -> (char, Style) {
        (self.glyphs.pick('█', '#'), style::GOOD)
    }

    fn to_do(&self, bar: &Bar) -> (char, Style) {
        match bar.critical {
            true => (self.glyphs.pick('▒', '='), style::WARN),
            false => (self.glyphs.pick('░', '-'), style::ID),
        }
    }
}

fn is_milestone(bar: &Bar) -> bool {
    matches!(bar.id, Node::Milestone(_))
}

/// Tasks stand a little further in than their milestone.
fn indent(bar: &Bar) -> usize {
    if is_milestone(bar) { 0 } else { 2 }
}

fn column(at: i64) -> usize {
    usize::try_from(at).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;
    use milestone_domain::snapshot::Snapshot;
    use milestone_domain::views::chart::gantt::gantt as view;

    use super::*;
    use crate::render::chart::testing::{TODAY, drawn, programme};

    #[test]
    fn at_80_columns() {
        let view = view(&programme(), None, TODAY);
        insta::assert_snapshot!(drawn(80, Glyphs::Unicode, |page| gantt(page, &view)));
    }

    #[test]
    fn at_200_columns() {
        let view = view(&programme(), None, TODAY);
        insta::assert_snapshot!(drawn(200, Glyphs::Unicode, |page| gantt(page, &view)));
    }

    #[test]
    fn one_milestone_in_ascii() {
        let view = view(&programme(), Some(MilestoneId(2)), TODAY);
        insta::assert_snapshot!(drawn(80, Glyphs::Ascii, |page| gantt(page, &view)));
    }

    #[test]
    fn an_empty_project_says_so() {
        let view = view(&Snapshot::default(), None, TODAY);
        let text = drawn(80, Glyphs::Unicode, |page| gantt(page, &view));
        assert!(text.contains("nothing to draw"), "{text}");
    }
}
