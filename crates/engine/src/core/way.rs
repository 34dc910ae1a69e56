//! Who goes first where tasks touch the same files.
//!
//! Work that came too late, because others had changed the same lines, is done anew once. While it
//! is, nobody else brings anything into those files: it would come too late again, however well it
//! is done, and a person would have to settle what is only a matter of turns.

use milestone_domain::ids::TaskId;

use super::{Slot, Stage, State, Work};

impl State {
    /// Whether an attempt that has something to bring in waits for another.
    pub(super) fn gives_way(&self, work: &Work) -> bool {
        if !self.came_too_late(work.attempt.task).is_empty() {
            // Of two that have waited for each other, neither would ever go on.
            return false;
        }
        self.at_work().any(|task| {
            let files = self.came_too_late(task);
            files.iter().any(|file| work.touched.contains(file))
        })
    }

    /// Whether a task would come too late again, because another that did is at work in its files.
    pub(super) fn would_meet(&self, task: TaskId) -> bool {
        let own = self.came_too_late(task);
        self.at_work().any(|other| {
            other != task && self.came_too_late(other).iter().any(|file| own.contains(file))
        })
    }

    fn came_too_late(&self, task: TaskId) -> &[String] {
        self.tries.get(&task).map_or(&[], |tries| &tries.conflict)
    }

    /// The tasks for which something may still be brought in.
    fn at_work(&self) -> impl Iterator<Item = TaskId> + '_ {
        self.slots.iter().filter_map(|slot| match slot {
            Slot::Claiming(task) => Some(*task),
            Slot::Busy(work) if !is_over(&work.stage) => Some(work.attempt.task),
            _ => None,
        })
    }
}

fn is_over(stage: &Stage) -> bool {
    matches!(stage, Stage::Record | Stage::GiveBack(_) | Stage::Clear | Stage::Over)
}
