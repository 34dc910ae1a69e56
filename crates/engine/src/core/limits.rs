//! What may be used before a person is asked: time, tokens and money.

use std::ops::AddAssign;

use milestone_domain::ids::TaskId;

use super::leading::NO_TASK;
use super::{Attempt, Failure, FailureKind, Millis, Slot, State, Work};
use crate::runners::Used;

/// Nothing said means: as much as it takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// How long a runner or a verification may take.
    pub attempt_time: Option<Millis>,
    /// How long it may say nothing.
    pub silence: Option<Millis>,
    pub session_time: Option<Millis>,
    /// What all attempts at one task may use together.
    pub task: Budget,
    /// What all attempts of the session may use together.
    pub session: Budget,
}

/// What may be used of what agents report.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Read and written together.
    pub tokens: Option<u64>,
    /// In millionths of a US dollar.
    pub cost: Option<u64>,
}

/// What was used of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    pub tokens: u64,
    pub cost: u64,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.cost = self.cost.saturating_add(more.cost);
    }
}

impl From<Used> for Spent {
    fn from(used: Used) -> Self {
        let tokens = used.tokens_in.unwrap_or(0).saturating_add(used.tokens_out.unwrap_or(0));
        Self { tokens, cost: used.cost.unwrap_or(0) }
    }
}

impl Limits {
    /// What runs since then, and was last heard of then, has no more time.
    pub(super) fn overdue(
        &self,
        (since, heard): (Millis, Millis),
        now: Millis,
    ) -> Option<(FailureKind, String)> {
        if let Some(most) = self.attempt_time.filter(|most| now >= since + most) {
            let reason = format!("it took longer than {} (`execute.attempt_time`)", words(most));
            return Some((FailureKind::TimedOut, reason));
        }
        let most = self.silence.filter(|most| now >= heard + most)?;
        let reason = format!("it said nothing for {} (`execute.silence`)", words(most));
        Some((FailureKind::Silent, reason))
    }

    /// When something that runs will have no more time.
    pub(super) fn ends(&self, (since, heard): (Millis, Millis)) -> impl Iterator<Item = Millis> {
        let over = self.attempt_time.map(|time| since + time);
        over.into_iter().chain(self.silence.map(|time| heard + time))
    }
}

impl Budget {
    /// What of it is used up.
    fn used_up(&self, spent: Spent) -> Option<String> {
        if let Some(most) = self.cost.filter(|most| spent.cost >= *most) {
            return Some(format!("{} of {} are used", dollars(spent.cost), dollars(most)));
        }
        let most = self.tokens.filter(|most| spent.tokens >= *most)?;
        Some(format!("{} of {most} tokens are used", spent.tokens))
    }
}

fn dollars(millionths: u64) -> String {
    let cents = millionths.div_ceil(10_000);
    format!("${}.{:02}", cents / 100, cents % 100)
}

impl State {
    /// What an earlier run of the session has used counts, too.
    pub fn has_spent(&mut self, task: TaskId, spent: Spent) {
        *self.spent.entry(task).or_default() += spent;
    }

    pub(super) fn heard(&mut self, attempt: Attempt, used: Option<Used>, now: Millis) {
        for slot in &mut self.slots {
            if let Slot::Busy(work) = slot
                && work.attempt.id == attempt.id
            {
                work.heard(used, now);
            }
        }
        if attempt.task.number == NO_TASK {
            self.leading.heard(used, now);
        }
    }

    fn spent_on(&self, task: TaskId) -> Spent {
        let mut spent = self.spent.get(&task).copied().unwrap_or_default();
        let running = self.slots.iter().filter_map(|slot| match slot {
            Slot::Busy(work) if work.attempt.task == task => Some(work.spent()),
            _ => None,
        });
        running.for_each(|more| spent += more);
        spent
    }

    /// What the whole session has used.
    pub fn spent(&self) -> Spent {
        let mut all = Spent::default();
        self.spent.values().for_each(|spent| all += *spent);
        for slot in &self.slots {
            if let Slot::Busy(work) = slot {
                all += work.spent();
            }
        }
        all += self.leading.spent();
        all
    }

    /// What the session may not use more of: nothing new is begun, and what runs may end.
    pub(super) fn used_up(&self, now: Millis) -> Option<String> {
        let limits = &self.rules.limits;
        if let Some(most) = limits.session_time.filter(|most| now >= self.begun_at + most) {
            return Some(format!("its time of {} is over", words(most)));
        }
        limits.session.used_up(self.spent())
    }

    /// Stops what has used more than it may.
    pub(super) fn keep_limits(&mut self, now: Millis) {
        for at in 0..self.slots.len() {
            let Slot::Busy(work) = &self.slots[at] else { continue };
            let Some((kind, reason)) = self.broken(work, now) else { continue };
            if let Slot::Busy(work) = &mut self.slots[at] {
                work.stop_for(Failure { kind, reason });
            }
        }
    }

    fn broken(&self, work: &Work, now: Millis) -> Option<(FailureKind, String)> {
        let limits = &self.rules.limits;
        let times = (work.running_since()?, work.silent_since()?);
        if let Some(broken) = limits.overdue(times, now) {
            return Some(broken);
        }
        let used_up = limits.task.used_up(self.spent_on(work.attempt.task))?;
        Some((
            FailureKind::Budget,
            format!("{used_up} (`execute.task_cost`, `execute.task_tokens`)"),
        ))
    }
}

/// A length of time, as a person says it.
fn words(time: Millis) -> String {
    match time / 1_000 {
        seconds if seconds % 3_600 == 0 && seconds > 0 => format!("{} h", seconds / 3_600),
        seconds if seconds % 60 == 0 && seconds > 0 => format!("{} min", seconds / 60),
        seconds => format!("{seconds} s"),
    }
}
