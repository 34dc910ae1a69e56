//! Estimates made larger and smaller, to figures that a person would have written.

use crate::document::Task;
use crate::effort::{Effort, Estimate, ThreePoint};

/// How fine figures below a number of minutes are.
const STEPS: [(u32, u32); 3] = [(60, 5), (4 * 60, 15), (16 * 60, 30)];
const COARSEST_STEP: u32 = 60;

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

/// Scales estimates so that together they come to `target`, each keeping its share.
pub fn scale_to(tasks: &mut [Task], target: Effort) {
    let total = |tasks: &[Task]| -> Effort {
        tasks.iter().filter_map(|task| task.estimate).map(Estimate::expected).sum()
    };
    let before = total(tasks);
    if before == Effort::default() {
        return;
    }
    for task in tasks.iter_mut() {
        let whole = |estimate| scaled(estimate, target.minutes(), before.minutes());
        task.estimate = task.estimate.map(whole);
    }
    // What rounding left over goes to the largest task, where it matters least.
    let over = i64::from(target.minutes()) - i64::from(total(tasks).minutes());
    let largest = tasks
        .iter_mut()
        .filter(|task| task.estimate.is_some())
        .max_by_key(|task| task.estimate.map(Estimate::expected));
    if let Some(task) = largest {
        let moved = |effort: Effort| {
            let minutes = (i64::from(effort.minutes()) + over).max(i64::from(LEAST));
            Effort::from_minutes(u32::try_from(minutes).unwrap_or(u32::MAX))
        };
        task.estimate = task.estimate.map(|estimate| map(estimate, moved));
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

/// A sum as people say it: nobody expects five days and three minutes.
pub fn spoken(effort: Effort) -> Effort {
    if effort == Effort::default() { effort } else { rounded(u64::from(effort.minutes())) }
}

fn rounded(minutes: u64) -> Effort {
    let minutes = u32::try_from(minutes).unwrap_or(Effort::LONGEST.minutes());
    let step = STEPS.iter().find(|(below, _)| minutes < *below).map_or(COARSEST_STEP, |s| s.1);
    let rounded = minutes.saturating_add(step / 2) / step * step;
    Effort::from_minutes(rounded.clamp(LEAST, Effort::LONGEST.minutes()))
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
    fn figures_are_such_as_people_write() {
        let written = |minutes: u64| rounded(minutes).to_string();
        assert_eq!(written(1), "5m");
        assert_eq!(written(52), "50m");
        assert_eq!(written(100), "1h 45m");
        assert_eq!(written(500), "1d 30m");
        assert_eq!(written(2000), "4d 1h");
    }

    proptest! {
        #[test]
        fn the_target_is_met_and_the_points_stay_in_order(
            figures in prop::collection::vec((5..2_000u32, 0..2_000u32, 0..2_000u32), 1..20),
            target in 600..50_000u32,
        ) {
            let mut tasks: Vec<Task> = figures.iter().zip(1..).map(|((o, more, most), number)| {
                let mut task = Task::new(number, "T");
                task.estimate = Some(points(*o, o + more, o + more + most));
                task
            }).collect();
            scale_to(&mut tasks, Effort::from_minutes(target));
            let total: Effort = tasks.iter().filter_map(|t| t.estimate).map(Estimate::expected).sum();
            prop_assert!(total.minutes().abs_diff(target) <= 60, "{} for {target}", total.minutes());
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
