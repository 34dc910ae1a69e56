//! A burn-down as SVG: the work left as a line over an area, the even pace dashed, and what was
//! done each week beside it.

use std::fmt::Write as _;

use milestone_domain::effort::Effort;
use milestone_domain::views::chart::burn_down::{BurnDown, Burning, Day, Ideal};

use super::{Anchor, EDGE, Sign, Svg, int};
use crate::render::chart::amount;
use crate::render::chart::burn_down::{missing, summary};
use crate::render::chart::spark::places;
use crate::render::scale::Scale;

const WIDTH: i64 = 1000;
const HEIGHT: i64 = 480;

const LEFT: i64 = EDGE + 44;
const TOP: i64 = 96;
const BOTTOM: i64 = HEIGHT - 78;
/// Where the days end, and the weeks begin.
const DAYS_END: i64 = 740;
const WEEKS: i64 = 800;

/// Amounts from one line to the next, in minutes of working time: round ones only.
const STEPS: [i64; 14] =
    [15, 60, 120, 240, 480, 960, 2_400, 4_800, 9_600, 24_000, 48_000, 96_000, 240_000, 480_000];
const LINES_MAX: i64 = 6;

pub fn burn_down(view: &BurnDown) -> String {
    match view {
        BurnDown::TooShort { days, needed } => {
            let said = missing(*days, *needed);
            let mut svg = Svg::new(WIDTH, 110, "Burn-down", &said);
            svg.heading(WIDTH - 2 * EDGE, "Burn-down", &said);
            svg.finish()
        }
        BurnDown::Known(burning) => known(burning),
    }
}

fn known(view: &Burning) -> String {
    let title = match &view.title {
        Some(title) => format!("Burn-down: {title}"),
        None => "Burn-down of the project".to_owned(),
    };
    let said = summary(view);
    let mut svg = Svg::new(WIDTH, HEIGHT, &title, &said);
    svg.heading(WIDTH - 2 * EDGE, &title, &said);
    let plot = Plot::of(view);
    plot.axes(&mut svg);
    plot.lines(&mut svg);
    plot.dates(&mut svg);
    finished(&mut svg, view);
    let mut signs =
        vec![(Sign::Line("line"), "work left"), (Sign::Line("scope link"), "all the work")];
    if view.ideal.is_some() {
        signs.push((Sign::Line("pace critical dashed"), "even pace to the due date"));
    }
    signs.push((Sign::Line("today"), "today"));
    svg.legend(HEIGHT - EDGE, &signs);
    svg.finish()
}

struct Plot<'a> {
    view: &'a Burning,
    scale: Scale,
    /// From one line to the next, in minutes, and the amount at the upper edge.
    step: i64,
    top: i64,
}

impl<'a> Plot<'a> {
    fn of(view: &'a Burning) -> Self {
        let ideal = view.ideal.as_ref().map(|ideal| ideal.work).unwrap_or_default();
        let most = i64::from(view.work_max().max(ideal).minutes()).max(1);
        let scale = Scale::new(view.first_day(), view.last_day(), DAYS_END - LEFT);
        let fits = |step: &&i64| most <= **step * LINES_MAX;
        let step = STEPS.iter().find(fits).copied().unwrap_or(most);
        Self { view, scale, step, top: (most + step - 1) / step * step }
    }

    fn y(&self, effort: Effort) -> i64 {
        BOTTOM - i64::from(effort.minutes()) * (BOTTOM - TOP) / self.top
    }

    fn x(&self, day: &Day) -> i64 {
        LEFT + self.scale.end(day.day)
    }

    fn axes(&self, svg: &mut Svg) {
        for line in 0..=self.top / self.step {
            let minutes = u32::try_from(line * self.step).unwrap_or(u32::MAX);
            let effort = Effort::from_minutes(minutes);
            let y = self.y(effort);
            svg.line((LEFT, y), (DAYS_END, y), if line == 0 { "axis" } else { "grid" });
            svg.text((LEFT - 8, y + 4), Anchor::End, "soft small", &amount(effort));
        }
        for tick in self.scale.ticks(72) {
            let x = LEFT + tick.at;
            svg.line((x, BOTTOM), (x, BOTTOM + 5), "axis");
            svg.text((x, BOTTOM + 20), Anchor::Start, "soft small", &tick.label);
        }
    }

    fn lines(&self, svg: &mut Svg) {
        let points = |value: fn(&Day) -> Effort| {
            let points = self.view.days.iter().map(move |day| (self.x(day), self.y(value(day))));
            path(points)
        };
        let (Some(first), Some(last)) = (self.view.days.first(), self.view.days.last()) else {
            return;
        };
        let left = points(|day| day.work_left);
        let area = format!("{left}L{} {BOTTOM}L{} {BOTTOM}z", self.x(last), self.x(first));
        svg.path(&area, "area");
        svg.path(&points(|day| day.work), "scope link");
        if let Some(ideal) = &self.view.ideal {
            svg.path(&self.pace(ideal), "pace critical dashed");
        }
        svg.path(&left, "line");
        let end = (self.x(last), self.y(last.work_left));
        svg.circle(end, 4, "doing");
        svg.text((end.0 + 9, end.1 - 8), Anchor::Start, "ink bold", &amount(last.work_left));
    }

    /// A point for every day, or for as many as there is room for.
    fn pace(&self, ideal: &Ideal) -> String {
        let all = usize::try_from(self.scale.days()).unwrap_or(usize::MAX);
        let room = usize::try_from(DAYS_END - LEFT).unwrap_or(usize::MAX);
        let days = places(all, room).filter_map(|day| self.scale.day(day));
        let point = |day| Some((LEFT + self.scale.end(day), self.y(ideal.work_left(day)?)));
        path(days.filter_map(point))
    }

    fn dates(&self, svg: &mut Svg) {
        let today = LEFT + self.scale.end(self.view.today);
        svg.line((today, TOP - 8), (today, BOTTOM), "today");
        svg.text((today, TOP - 14), Anchor::Middle, "today-ink small", "today");
        if let Some(due) = self.view.due {
            let x = LEFT + self.scale.end(due);
            let class = if due < self.view.today { "late" } else { "critical-ink" };
            svg.diamond((x, BOTTOM), 6, class);
            // Beside the word at today, if that is near.
            let near = (x - today).abs() < 90;
            let (x, anchor) = if near { (today + 22, Anchor::Start) } else { (x, Anchor::End) };
            svg.text((x, TOP - 14), anchor, "soft small", &format!("due {due}"));
        }
    }
}

fn path(points: impl Iterator<Item = (i64, i64)>) -> String {
    let mut data = String::new();
    for (x, y) in points {
        let _ = write!(data, "{}{x} {y}", if data.is_empty() { "M" } else { "L" });
    }
    data
}

/// A bar for each day or week, the present one pale because it is not over.
fn finished(svg: &mut Svg, view: &Burning) {
    let room = WIDTH - EDGE - WEEKS;
    svg.text(
        (WEEKS, TOP - 14),
        Anchor::Start,
        "ink bold",
        &format!("Tasks done a {}", view.by.word()),
    );
    svg.line((WEEKS, BOTTOM), (WIDTH - EDGE, BOTTOM), "axis");
    let most = view.finished.iter().map(|span| i64::from(span.completed)).max().unwrap_or(0);
    if most == 0 {
        svg.text((WEEKS, BOTTOM - 12), Anchor::Start, "soft", "none yet");
        return;
    }
    let count = int(view.finished.len());
    let (step, last) = (room / count.max(8), count - 1);
    for (at, span) in (0..).zip(&view.finished) {
        let height = i64::from(span.completed) * (BOTTOM - TOP - 24) / most;
        let (x, y) = (WEEKS + at * step, BOTTOM - height);
        let class = if at == last { "doing pale" } else { "doing" };
        let title = format!(
            "{} of {}: {} ({})",
            view.by.word(),
            span.starts,
            span.completed,
            amount(span.work)
        );
        svg.rect((x + 1, y), (step - 3, height), 2, class, Some(&title));
        if span.completed > 0 {
            let middle = (x + step / 2, y - 5);
            svg.text(middle, Anchor::Middle, "soft small", &span.completed.to_string());
        }
    }
    // Both labels need their room.
    if let Some(first) = view.finished.first().filter(|_| count * step > 110) {
        let label = first.starts.strftime("%b %-d").to_string();
        svg.text((WEEKS, BOTTOM + 20), Anchor::Start, "soft small", &label);
    }
    let middle = WEEKS + last * step + step / 2;
    svg.text(
        (middle, BOTTOM + 20),
        Anchor::Middle,
        "soft small",
        &format!("this {}", view.by.word()),
    );
}
