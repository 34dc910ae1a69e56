//! When it will be done, how sure that is, and why.

use milestone_domain::forecast::{
    Corrections, Driver, Forecast, NoForecast, NoGain, Quantiles, WorkersSource,
};

use super::chart::bars::bar;
use super::page::Page;
use super::table::{Table, cell};
use super::{style, words};

/// How much of a long section is printed; JSON has all of it.
const LINES_MAX: usize = 8;

pub fn forecast(page: &mut Page, view: &Forecast) {
    page.heading("Forecast");
    if let Some(reason) = &view.reason {
        page.say(none(reason)).end();
        return;
    }
    if let Some(finish) = &view.finish {
        odds(page, finish);
    }
    page.styled(style::DIM, workers(view)).end();
    histogram(page, view);
    milestones(page, view);
    drivers(page, &view.drivers);
    one_more(page, view);
    corrections(page, &view.corrections);
    if !view.assumptions.is_empty() {
        page.heading("Taken for granted");
        for assumption in view.assumptions.iter().take(LINES_MAX) {
            page.say("- ").say(assumption).end();
        }
        words::more(page, view.assumptions.len(), LINES_MAX);
    }
}

fn odds(page: &mut Page, finish: &Quantiles) {
    let mut table = Table::new(&["", "", ""]);
    for (odds, date, after) in [
        ("one in two", finish.p50, finish.after.p50),
        ("four in five", finish.p80, finish.after.p80),
        ("19 in 20", finish.p95, finish.after.p95),
    ] {
        table.row(vec![
            cell(style::PLAIN, format!("{odds}: done by")),
            cell(style::HEAD, date),
            cell(style::DIM, format!("after {} of working time", words::about(after))),
        ]);
    }
    table.print(page);
}

pub fn workers(view: &Forecast) -> String {
    let source = match view.workers.source {
        WorkersSource::Asked => "as asked",
        WorkersSource::TeamSize => "the milestone's team size",
        WorkersSource::Settings => "planning.workers",
        WorkersSource::Active => "as many as worked in the last two weeks",
        WorkersSource::Assumed => "assumed: nobody worked in the last two weeks",
    };
    format!("with {} at work ({source})", view.workers.count)
}

/// Why nothing can be said.
pub fn none(reason: &NoForecast) -> String {
    match reason {
        NoForecast::Cycle { path } => {
            let path: Vec<_> = path.iter().map(ToString::to_string).collect();
            format!("There is none while these wait for one another: {}", path.join(" → "))
        }
        NoForecast::Unknown { milestone } => format!("There is no {milestone}."),
        NoForecast::NothingOpen => "Nothing is open.".into(),
        NoForecast::NothingPlanned => {
            "What is open has neither tasks nor a duration to forecast.".into()
        }
    }
}

fn histogram(page: &mut Page, view: &Forecast) {
    let most = view.histogram.iter().map(|(_, trials)| *trials).max().unwrap_or(0).max(1);
    if view.histogram.len() < 3 {
        return;
    }
    page.heading("How likely each date is");
    let every = view.histogram.len().div_ceil(LINES_MAX * 2);
    let last = view.histogram.last().map(|(date, _)| *date);
    let mut table = Table::new(&["", ""]);
    for columns in view.histogram.chunks(every) {
        let trials = columns.iter().map(|(_, trials)| trials).max().copied().unwrap_or(0);
        let Some((date, _)) = columns.last() else { continue };
        let later = if Some(*date) == last { " or later" } else { "" };
        table.row(vec![
            cell(style::PLAIN, format!("{date}{later}")),
            cell(style::GOOD, bar(page.glyphs(), trials * 100 / most, 30)),
        ]);
    }
    table.print(page);
}

fn milestones(page: &mut Page, view: &Forecast) {
    if view.milestones.len() < 2 && view.milestones.iter().all(|line| line.due.is_none()) {
        return;
    }
    page.gap();
    let mut table = Table::new(&["ID", "P50", "P80", "P95", "DUE", "ODDS", "TITLE"])
        .sparing(&["P95", "P50", "DUE"]);
    for line in view.milestones.iter().take(LINES_MAX * 3) {
        let tone = match line.chance {
            Some(chance) if chance < 50 => style::BAD,
            Some(chance) if chance < 80 => style::WARN,
            _ => style::GOOD,
        };
        table.row(vec![
            cell(style::ID, line.id),
            cell(style::PLAIN, line.finish.p50),
            cell(style::PLAIN, line.finish.p80),
            cell(style::PLAIN, line.finish.p95),
            cell(style::PLAIN, line.due.map(|due| due.to_string()).unwrap_or_default()),
            cell(tone, line.chance.map(|chance| format!("{chance}%")).unwrap_or_default()),
            cell(style::PLAIN, &line.title),
        ]);
    }
    table.print(page);
    words::more(page, view.milestones.len(), LINES_MAX * 3);
}

fn drivers(page: &mut Page, drivers: &[Driver]) {
    if drivers.is_empty() {
        return;
    }
    page.heading("What decides it");
    // With one at work everything is on the way to the end, which tells nothing.
    let telling = drivers.iter().any(|driver| driver.percent < 100);
    let mut table = Table::new(&["", "", "", ""]);
    for driver in drivers {
        let doubt = match driver.doubt.minutes() {
            0 if driver.held_by_date => "by its own start date".into(),
            0 => String::new(),
            _ => format!("its doubt adds {}", words::about(driver.doubt)),
        };
        let share = telling.then(|| format!("{}% of the time", driver.percent));
        table.row(vec![
            cell(style::ID, driver.id),
            cell(style::PLAIN, doubt),
            cell(style::DIM, share.unwrap_or_default()),
            cell(style::PLAIN, &driver.title),
        ]);
    }
    table.print(page);
}

fn one_more(page: &mut Page, view: &Forecast) {
    if let Some(effect) = &view.one_more_worker {
        page.gap()
            .say(format!("One more at work ({}) would have it done by ", effect.workers))
            .styled(style::HEAD, effect.p80)
            .say(" with the same odds of four in five: ")
            .say(words::count(effect.days_gained as usize, "working day"))
            .say(" sooner.")
            .end();
    }
    let why = match view.no_gain {
        None => return,
        Some(NoGain::EnoughForAll) => "there is not more to do at once",
        Some(NoGain::Waiting) => "what decides the date waits for other work",
    };
    page.gap().say("One more at work would change nothing: ").say(why).say(".").end();
}

pub fn corrections(page: &mut Page, corrections: &Corrections) {
    page.heading("What the past says");
    if corrections.missing > 0 {
        page.say("Estimates are taken as they are: ")
            .say(words::count(corrections.missing as usize, "measured task"))
            .say(" more, and they are corrected by what they took.")
            .end();
        return;
    }
    let overall = &corrections.overall;
    let tasks = words::count(overall.sample_size as usize, "task");
    page.say(format!("Work takes {:.2} times its estimate ({tasks}).", overall.factor)).end();
    for (kind, correction) in &corrections.kinds {
        let tasks = words::count(correction.sample_size as usize, "task");
        page.say("  ").say(kind).say(format!(": {:.2} times ({tasks})", correction.factor)).end();
    }
}

#[cfg(test)]
mod tests {
    use milestone_domain::effort::Effort;
    use milestone_domain::ids::{MilestoneId, Node};

    use super::*;

    #[test]
    fn a_share_is_said_only_where_it_differs() {
        let printed = |percents: [u32; 2]| {
            let driver = |percent| Driver {
                id: Node::Milestone(MilestoneId(1)),
                title: "M".into(),
                percent,
                doubt: Effort::from_minutes(60),
                held_by_date: false,
            };
            let mut page = Page::new(None);
            drivers(&mut page, &percents.map(driver));
            anstream::adapter::strip_str(page.text()).to_string()
        };
        assert!(!printed([100, 100]).contains('%'));
        assert!(printed([100, 60]).contains("its doubt adds 1h  60% of the time"));
    }
}
