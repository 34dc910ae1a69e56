//! Estimates made larger and smaller, to figures that a person would have written.

use std::cmp::Reverse;

use crate::document::Task;
use crate::effort::{Effort, Estimate, ThreePoint};

/// How fine figures below a number of minutes are: doubt grows with size, and so do the steps.
const STEPS: [(u32, u32); 7] = [
    (15, 5),
    (HOUR, 15),
    (2 * HOUR, 30),
    (DAY, HOUR),
    (3 * DAY, DAY / 2),
    (4 * WEEK, DAY),
    (12 * WEEK, WEEK),
];
const COARSEST_STEP: u32 = 4 * WEEK;

const HOUR: u32 = 60;
const DAY: u32 = 8 * HOUR;
const WEEK: u32 = 5 * DAY;

/// The least that a task is estimated at.
const LEAST: u32 = 5;

/// An estimate times `numerator / denominator`.
pub fn scaled(estimate: Estimate, numerator: u32, denominator: u32) -> Estimate {
    let effort = |effort: Effort| {
        let minutes = u64::from(effort.minutes()) * u64::from(numerator);
        rounded(minutes / u64::from(denominator.max(1)))
    };
    map(estimate, effort)
}

/// Scales estimates so that together they come to about `target`, each keeping about its share. All
/// stay figures that people say, so what is left over is less than a step of a likely figure.
pub fn scale_to(tasks: &mut [Task], target: Effort) {
    let before = total(tasks);
    if before == Effort::default() {
        return;
    }
    for task in tasks.iter_mut() {
        let whole = |estimate| scaled(estimate, target.minutes(), before.minutes());
        task.estimate = task.estimate.map(whole);
    }
    share_what_is_left(tasks, target);
}

/// Moves likely figures by one step, the largest first, where that brings the total nearer to the
/// target. Tasks with the same estimate keep the same.
fn share_what_is_left(tasks: &mut [Task], target: Effort) {
    let mut estimates: Vec<Estimate> = tasks.iter().filter_map(|task| task.estimate).collect();
    estimates.sort_by_key(|estimate| Reverse(estimate.expected()));
    estimates.dedup();
    for estimate in estimates {
        let left = i64::from(target.minutes()) - i64::from(total(tasks).minutes());
        let moved = with_likely(estimate, neighbour(estimate.likely(), left > 0));
        let same = |task: &&mut Task| task.estimate == Some(estimate);
        let count = i64::try_from(tasks.iter_mut().filter(same).count()).unwrap_or(i64::MAX);
        let each = i64::from(moved.expected().minutes()) - i64::from(estimate.expected().minutes());
        if (left - each.saturating_mul(count)).abs() < left.abs() {
            tasks.iter_mut().filter(same).for_each(|task| task.estimate = Some(moved));
        }
    }
}

fn total(tasks: &[Task]) -> Effort {
    tasks.iter().filter_map(|task| task.estimate).map(Estimate::expected).sum()
}

/// The next figure up or down that people say.
fn neighbour(effort: Effort, up: bool) -> Effort {
    let minutes = effort.minutes();
    let next = if up {
        minutes.saturating_add(step(minutes))
    } else {
        minutes.saturating_sub(step(minutes.saturating_sub(1)))
    };
    rounded(u64::from(next))
}

/// The same estimate with another likely figure, as far as its outer points leave room.
fn with_likely(estimate: Estimate, likely: Effort) -> Estimate {
    match estimate {
        Estimate::Single(_) => Estimate::Single(likely),
        Estimate::ThreePoint(points) => {
            let moved = ThreePoint::new(points.optimistic(), likely, points.pessimistic());
            moved.map_or(estimate, Estimate::ThreePoint)
        }
    }
}

/// `change` keeps the order of efforts.
fn map(estimate: Estimate, change: impl Fn(Effort) -> Effort) -> Estimate {
    match estimate {
        Estimate::Single(effort) => Estimate::Single(change(effort)),
        Estimate::ThreePoint(points) => {
            let [o, l, p] =
                [points.optimistic(), points.likely(), points.pessimistic()].map(change);
            ThreePoint::new(o, l, p).map_or(estimate, Estimate::ThreePoint)
        }
    }
}

/// A sum or a mean as people say it: nobody expects five days and three minutes.
pub fn spoken(effort: Effort) -> Effort {
    if effort == Effort::default() { effort } else { rounded(u64::from(effort.minutes())) }
}

/// What is expected as people say it; a figure that somebody wrote stays as it is.
pub fn said(estimate: Estimate) -> Effort {
    match estimate {
        Estimate::Single(effort) => effort,
        Estimate::ThreePoint(_) => spoken(estimate.expected()),
    }
}

fn rounded(minutes: u64) -> Effort {
    let minutes = u32::try_from(minutes).unwrap_or(Effort::LONGEST.minutes());
    let step = step(minutes);
    let rounded = minutes.saturating_add(step / 2) / step * step;
    Effort::from_minutes(rounded.clamp(LEAST, Effort::LONGEST.minutes()))
}

fn step(minutes: u32) -> u32 {
    STEPS.iter().find(|(below, _)| minutes < *below).map_or(COARSEST_STEP, |(_, step)| *step)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn points(o: u32, l: u32, p: u32) -> Estimate {
        let [o, l, p] = [o, l, p].map(Effort::from_minutes);
        Estimate::ThreePoint(ThreePoint::new(o, l, p).unwrap())
    }

    #[test]
    fn figures_are_such_as_people_say() {
        for (minutes, said) in [
            (1, "5m"),
            (52, "45m"),
            (100, "1h 30m"),
            (170, "3h"),
            (260, "4h"),
            (500, "1d"),
            (760, "1d 4h"),
            (1_520, "3d"),
            (2_000, "4d"),
            (2_700, "1w 1d"),
            (13_500, "6w"),
            (50_000, "20w"),
        ] {
            assert_eq!(rounded(minutes).to_string(), said, "{minutes}");
        }
    }

    #[test]
    fn a_mean_is_rounded_and_a_written_figure_is_not() {
        assert_eq!(said(points(120, 240, 960)).to_string(), "6h");
        assert_eq!(said(Estimate::Single(Effort::from_minutes(340))).to_string(), "5h 40m");
    }

    proptest! {
        #[test]
        fn what_is_scaled_is_round_in_order_and_near_the_target(
            figures in prop::collection::vec((5..2_000u32, 0..2_000u32, 0..2_000u32), 1..20),
            target in 600..50_000u32,
        ) {
            let mut tasks: Vec<Task> = figures.iter().zip(1..).map(|((o, more, most), number)| {
                let mut task = Task::new(number, "T");
                task.estimate = Some(points(*o, o + more, o + more + most));
                task
            }).collect();
            scale_to(&mut tasks, Effort::from_minutes(target));
            for task in &tasks {
                let Some(Estimate::ThreePoint(after)) = task.estimate else { panic!("three points stay") };
                let figures = [after.optimistic(), after.likely(), after.pessimistic()];
                prop_assert!(figures.is_sorted(), "{figures:?}");
                prop_assert!(figures.iter().all(|figure| spoken(*figure) == *figure), "{figures:?}");
            }
            // Each task alone is as near as its own steps allow; together they are no further off.
            let total = total(&tasks).minutes();
            let largest = tasks.iter().filter_map(|task| task.estimate).map(|e| step(e.likely().minutes())).max();
            prop_assert!(total.abs_diff(target) <= largest.unwrap(), "{total} for {target}");
        }

        #[test]
        fn scaling_keeps_the_order_of_points(
            o in 0..5_000u32, more in 0..5_000u32, most in 0..5_000u32, by in 1..400u32,
        ) {
            let Estimate::ThreePoint(after) = scaled(points(o, o + more, o + more + most), by, 100)
            else { panic!("three points stay three") };
            prop_assert!(after.optimistic() <= after.likely() && after.likely() <= after.pessimistic());
        }
    }
}
