//! A Gantt chart as SVG: bars in rows, arrows from what is required to what waits for it.

use std::fmt::Write as _;

use milestone_domain::ids::Node;
use milestone_domain::readiness::spoken;
use milestone_domain::views::chart::Stage;
use milestone_domain::views::chart::gantt::{Bar, Gantt, Span};

use super::{Anchor, EDGE, Sign, Svg, int};
use crate::render::chart::gantt::AT_ONCE;
use crate::render::chart::{cycle, left_out, short};
use crate::render::scale::Scale;
use crate::render::words;

const WIDTH: i64 = 1200;
const NAMES: i64 = 340;
const TOP: i64 = 112;
const ROW: i64 = 28;
/// Where bars stand, and where they end.
const LEFT: i64 = EDGE + NAMES;
const RIGHT: i64 = WIDTH - EDGE - 16;

pub fn gantt(view: &Gantt) -> String {
    let title = match &view.title {
        Some(title) => format!("Plan: {title}"),
        None => "Plan of the project".to_owned(),
    };
    let said = summary(view);
    let bottom = TOP + int(view.rows.len()) * ROW;
    let height = bottom + 64;
    let mut svg = Svg::new(WIDTH, height, &title, &said);
    svg.heading(WIDTH - 2 * EDGE, &title, &said);
    let rows = Rows { view, scale: Scale::new(view.from, view.until, RIGHT - LEFT), bottom };
    rows.background(&mut svg);
    for (at, bar) in view.rows.iter().enumerate() {
        rows.links(&mut svg, at, bar);
    }
    for (at, bar) in view.rows.iter().enumerate() {
        rows.row(&mut svg, at, bar);
    }
    svg.legend(
        height - EDGE,
        &[
            (Sign::Box("done"), "done"),
            (Sign::Box("doing pale"), "to do"),
            (Sign::Box("doing pale critical"), "critical: any delay delays everything"),
            (Sign::Box("stopped"), "stopped"),
            (Sign::Diamond("ink"), "due"),
            (Sign::Diamond("late"), "due, and missed"),
            (Sign::Line("today"), "today"),
        ],
    );
    svg.finish()
}

fn summary(view: &Gantt) -> String {
    if view.rows.is_empty() {
        return "There is nothing to draw: no milestone is open.".to_owned();
    }
    let late = view.rows.iter().filter(|bar| bar.late).count();
    let mut said = format!("From {} to {}", view.from, view.until);
    if late > 0 {
        let _ = write!(said, "; {} after the due date", words::count(late, "row"));
    }
    said.push('.');
    if view.lays_out() {
        said = format!("{said} {AT_ONCE}");
    }
    if let Some(text) = left_out(view.left_out.milestones, view.left_out.tasks) {
        said = format!("{said} {text}");
    }
    if let Some(path) = &view.cycle {
        said = format!("{said} {}.", cycle(path));
    }
    said
}

struct Rows<'a> {
    view: &'a Gantt,
    scale: Scale,
    bottom: i64,
}

impl Rows<'_> {
    fn background(&self, svg: &mut Svg) {
        for (at, bar) in self.view.rows.iter().enumerate() {
            if is_milestone(bar) {
                let from = (EDGE - 8, TOP + int(at) * ROW);
                svg.rect(from, (WIDTH - 2 * EDGE + 16, ROW), 4, "band", None);
            }
        }
        for tick in self.scale.ticks(70) {
            let x = LEFT + tick.at;
            svg.line((x, TOP - 6), (x, self.bottom), "grid");
            svg.text((x + 3, TOP - 12), Anchor::Start, "soft small", &tick.label);
        }
        let today = LEFT + self.scale.start(self.view.today);
        if !self.view.rows.is_empty() {
            svg.line((today, TOP - 6), (today, self.bottom), "today");
            svg.text((today, self.bottom + 14), Anchor::Middle, "today-ink small", "today");
        }
    }

    fn row(&self, svg: &mut Svg, at: usize, bar: &Bar) {
        let y = TOP + int(at) * ROW;
        let indent = if is_milestone(bar) { 0 } else { 16 };
        svg.dot(EDGE + indent + 6, y + ROW / 2, bar.stage);
        let id = short(bar.id);
        svg.text((EDGE + indent + 20, y + 18), Anchor::Start, "soft", &id);
        let begin = EDGE + indent + 20 + int(id.len()) * 8 + 8;
        let class = if is_milestone(bar) { "ink bold" } else { "ink" };
        let room = LEFT - begin - 12;
        svg.cut_text((begin, y + 18), room, class, &bar.title);
        match bar.span {
            Some(span) => self.bar(svg, y, bar, span),
            None => svg.text((LEFT + 4, y + 18), Anchor::Start, "soft small", "no dates"),
        }
        if let Some(due) = bar.due {
            let class = if bar.late { "late" } else { "ink" };
            svg.diamond((LEFT + self.scale.end(due), y + ROW / 2), 6, class);
        }
    }

    fn bar(&self, svg: &mut Svg, y: i64, bar: &Bar, span: Span) {
        let (x, width) = self.extent(span);
        let inset = if is_milestone(bar) { 9 } else { 6 };
        let (y, height) = (y + inset, ROW - 2 * inset);
        let title = format!(
            "{} {}: {}, {} to {}",
            short(bar.id),
            bar.title,
            spoken(bar.status),
            span.start,
            span.finish
        );
        let class = match bar.stage {
            Stage::Done => "done",
            Stage::Stopped => "stopped",
            _ => "doing pale",
        };
        svg.rect((x, y), (width, height), 4, class, Some(&title));
        let done = width * i64::from(bar.percent.min(100)) / 100;
        if bar.stage != Stage::Done && done > 0 {
            svg.rect((x, y), (done, height), 4, "done", None);
        }
        if bar.critical {
            svg.rect((x, y), (width, height), 4, "critical", None);
        }
    }

    fn extent(&self, span: Span) -> (i64, i64) {
        let (start, end) = (self.scale.start(span.start), self.scale.end(span.finish));
        (LEFT + start, (end - start).max(4))
    }

    /// From the end of what is required, down or up to the beginning of what waits for it.
    fn links(&self, svg: &mut Svg, at: usize, bar: &Bar) {
        let Some((to_x, _)) = bar.span.map(|span| self.extent(span)) else { return };
        let to_y = TOP + int(at) * ROW + ROW / 2;
        for required in &bar.requires {
            let Some(from) = self.view.rows.iter().position(|row| row.id == *required) else {
                continue;
            };
            let Some((x, width)) = self.view.rows[from].span.map(|s| self.extent(s)) else {
                continue;
            };
            let (from_x, from_y) = (x + width, TOP + int(from) * ROW + ROW / 2);
            // Where the two overlap, the line goes back below the first bar.
            let data = if to_x >= from_x + 14 {
                let turn = from_x + 6;
                format!("M{from_x} {from_y}H{turn}V{to_y}H{}", to_x - 5)
            } else {
                let below = from_y + if to_y > from_y { ROW / 2 } else { -ROW / 2 };
                let (out, back) = (from_x + 6, to_x - 12);
                format!("M{from_x} {from_y}H{out}V{below}H{back}V{to_y}H{}", to_x - 5)
            };
            svg.path(&data, "link");
            svg.arrow_head((to_x, to_y), "link-ink");
        }
    }
}

fn is_milestone(bar: &Bar) -> bool {
    matches!(bar.id, Node::Milestone(_))
}
