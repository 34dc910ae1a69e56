//! How far things are. There is one progress figure, and it is this one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Milestone, ShownProgress};
use crate::snapshot::{Outline, PhaseOutline, TaskOutline};
use crate::status::TaskStatus;

/// How far a milestone is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// 100 only when everything is done: rounded down.
    pub percentage: u32,
    pub tasks_completed: u32,
    pub tasks_total: u32,
}

impl Progress {
    pub fn of(milestone: &Milestone) -> Self {
        Outline::of(milestone).progress
    }

    pub(crate) fn of_outline(outline: &Outline) -> Self {
        let counted = || outline.tasks.iter().filter(|task| task.status != TaskStatus::Cancelled);
        let completed = counted().filter(|task| task.status == TaskStatus::Completed);
        Self {
            percentage: percentage(outline),
            tasks_completed: u32::try_from(completed.count()).unwrap_or(u32::MAX),
            tasks_total: u32::try_from(counted().count()).unwrap_or(u32::MAX),
        }
    }

    /// Of several milestones, each with the weight of its tasks; that of one is its own.
    pub fn together(each: impl IntoIterator<Item = Self>) -> Self {
        let each: Vec<Self> = each.into_iter().collect();
        if let [one] = each.as_slice() {
            return *one;
        }
        let share = each.iter().fold(Share::default(), |share, one| Share {
            done: share.done + one.hundredths(),
            all: share.all + u64::from(one.tasks_total),
        });
        Self {
            percentage: u32::try_from(share.percent()).unwrap_or(100),
            tasks_completed: each.iter().map(|one| one.tasks_completed).sum(),
            tasks_total: each.iter().map(|one| one.tasks_total).sum(),
        }
    }

    /// How far its tasks are, in hundredths of a task. A percentage was rounded down, so where
    /// whole tasks say the same, they say it better.
    fn hundredths(self) -> u64 {
        let (completed, total) = (u64::from(self.tasks_completed), u64::from(self.tasks_total));
        let whole = (completed * 100).checked_div(total).unwrap_or(0);
        let percentage = u64::from(self.percentage);
        if whole == percentage { completed * 100 } else { percentage * total }
    }

    pub fn shown(self) -> ShownProgress {
        ShownProgress { percentage: self.percentage, tasks_completed: self.tasks_completed }
    }
}

/// Work done out of work to do, in hundredths of a unit of weight.
#[derive(Clone, Copy, Default)]
struct Share {
    done: u64,
    all: u64,
}

impl Share {
    fn add(self, weight: u64, percent: u64) -> Self {
        Self { done: self.done + weight * percent.min(100), all: self.all + weight }
    }

    fn percent(self) -> u64 {
        self.done.checked_div(self.all).unwrap_or(0)
    }
}

fn percentage(outline: &Outline) -> u32 {
    let weighted = outline.phases.iter().any(|phase| phase.weight.is_some());
    let share = if weighted { by_phases(outline) } else { by_tasks(outline.tasks.iter()) };
    u32::try_from(share.percent()).unwrap_or(100)
}

fn by_tasks<'a>(tasks: impl Iterator<Item = &'a TaskOutline>) -> Share {
    tasks
        .filter(|task| task.status != TaskStatus::Cancelled)
        .fold(Share::default(), |share, task| {
            share.add(u64::from(task.weight.unwrap_or(1)), u64::from(task_percent(task)))
        })
}

fn task_percent(task: &TaskOutline) -> u32 {
    match task.status {
        TaskStatus::Completed => 100,
        TaskStatus::InProgress | TaskStatus::Blocked => task.percent.min(99),
        TaskStatus::Pending | TaskStatus::Failed | TaskStatus::Cancelled => 0,
    }
}

/// Phases weigh what they say; tasks of no phase together weigh what is left of a hundred.
fn by_phases(outline: &Outline) -> Share {
    let said: u64 = outline.phases.iter().map(weight).sum();
    let phases = outline.phases.iter().fold(Share::default(), |share, phase| {
        share.add(weight(phase), phase_share(outline, phase).percent())
    });
    let named =
        |task: &&TaskOutline| outline.phases.iter().any(|p| Some(&p.name) == task.phase.as_ref());
    let loose = by_tasks(outline.tasks.iter().filter(|task| !named(task)));
    if loose.all == 0 {
        return phases;
    }
    phases.add(100_u64.saturating_sub(said).max(1), loose.percent())
}

fn weight(phase: &PhaseOutline) -> u64 {
    u64::from(phase.weight.unwrap_or(0))
}

/// A phase is as far as its tasks; with none, as its checked-off activities.
fn phase_share(outline: &Outline, phase: &PhaseOutline) -> Share {
    let own = |task: &&TaskOutline| task.phase.as_ref() == Some(&phase.name);
    let tasks = by_tasks(outline.tasks.iter().filter(own));
    if tasks.all > 0 {
        return tasks;
    }
    let (done, all) = phase.activities;
    Share { done: u64::from(done) * 100, all: u64::from(all) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Phase, Task};
    use crate::ids::MilestoneId;

    fn milestone(tasks: &[(TaskStatus, Option<u32>, Option<&str>)]) -> Milestone {
        let mut milestone = Milestone::new(MilestoneId(1), "M");
        for (number, (status, weight, phase)) in (1..).zip(tasks) {
            let mut task = Task::new(number, "T");
            task.status = *status;
            task.weight = *weight;
            task.phase = phase.map(str::to_owned);
            milestone.tasks.push(task);
        }
        milestone
    }

    #[test]
    fn a_hundred_only_when_everything_is_done() {
        let done = (TaskStatus::Completed, None, None);
        let mut tasks = vec![done; 200];
        tasks.push((TaskStatus::Pending, None, None));
        assert_eq!(Progress::of(&milestone(&tasks)).percentage, 99);
        tasks.pop();
        assert_eq!(Progress::of(&milestone(&tasks)).percentage, 100);
    }

    #[test]
    fn weights_count_and_cancelled_work_does_not() {
        let progress = Progress::of(&milestone(&[
            (TaskStatus::Completed, Some(3), None),
            (TaskStatus::Pending, Some(1), None),
            (TaskStatus::Cancelled, Some(100), None),
        ]));
        assert_eq!(progress, Progress { percentage: 75, tasks_completed: 1, tasks_total: 2 });
    }

    #[test]
    fn phases_weigh_what_they_say() {
        let mut milestone = milestone(&[
            (TaskStatus::Completed, None, Some("design")),
            (TaskStatus::Pending, None, Some("execute")),
            (TaskStatus::Completed, None, Some("execute")),
        ]);
        for (name, weight) in [("design", 40), ("execute", 60)] {
            let mut phase = Phase::from(name.to_owned());
            phase.weight = Some(weight);
            milestone.phases.push(phase);
        }
        assert_eq!(Progress::of(&milestone).percentage, 70);
    }

    #[test]
    fn a_milestone_without_tasks_is_at_its_start() {
        assert_eq!(Progress::of(&milestone(&[])), Progress::default());
    }
}
