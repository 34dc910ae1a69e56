//! What is done for streams whose tasks are all done: one at a time, each once until it changes.

use std::collections::BTreeMap;

use milestone_domain::streams::StreamName;

use super::slot::LATERS_MAX;
use super::{
    Action, ActionId, Answer, Failure, FailureKind, Millis, Phase, Ran, Spent, State, Used,
};

/// Whoever looks at the work of others works at the task of this number.
pub(super) const NO_TASK: u32 = 0;

/// How the streams stand that were judged.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// Those that stay out, and why.
    out: BTreeMap<StreamName, Failure>,
    /// How often in a row one could not be judged.
    laters: BTreeMap<StreamName, u32>,
    /// Since when one is judged, and when something was last heard of that.
    times: Option<(Millis, Millis)>,
    /// What was used by that, and by those before it.
    used: Spent,
    spent: Spent,
    /// Why that is stopped.
    stopped: Option<Failure>,
}

impl Leading {
    /// One that has something to do again, or is up, is judged anew the next time.
    pub fn forget_all_but(&mut self, to_raise: &[StreamName]) {
        self.out.retain(|stream, _| to_raise.contains(stream));
        self.laters.retain(|stream, _| to_raise.contains(stream));
    }

    pub fn is_to_lead(&self, stream: &StreamName) -> bool {
        !self.out.contains_key(stream)
    }

    /// Forgets how they were judged, and not what that took.
    pub fn begin_anew(&mut self) {
        self.out.clear();
        self.laters.clear();
    }

    pub fn heard(&mut self, used: Option<Used>, now: Millis) {
        if let Some((_, heard)) = &mut self.times {
            *heard = now;
        }
        self.used = used.map_or(self.used, Spent::from);
    }

    pub fn spent(&self) -> Spent {
        let mut all = self.spent;
        all += self.used;
        all
    }

    pub fn times(&self) -> Option<(Millis, Millis)> {
        self.times
    }

    /// What is not in the milestone's branch, and why.
    pub fn kept_out(&self) -> Vec<(StreamName, Failure)> {
        self.out.iter().map(|(stream, failure)| (stream.clone(), failure.clone())).collect()
    }
}

impl State {
    /// The first stream that is to go up is judged, while others are worked on.
    pub(super) fn lead(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        self.stop_overdue(now, begun);
        let may = self.phase == Phase::Working
            && now >= self.paused_until
            && !self.stale
            && self.is_idle("look")
            && self.is_idle("lead")
            && self.may_begin("lead", now);
        let to_raise = self.outlook.iter().filter(|_| may).flat_map(|outlook| &outlook.to_raise);
        let next = to_raise.into_iter().find(|stream| self.leading.is_to_lead(stream)).cloned();
        if let Some(stream) = next {
            self.leading.times = Some((now, now));
            self.begin(Action::Lead(stream), begun);
        }
    }

    fn stop_overdue(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let Some(times) = self.leading.times.filter(|_| self.leading.stopped.is_none()) else {
            return;
        };
        if let Some((kind, reason)) = self.rules.limits.overdue(times, now) {
            self.leading.stopped = Some(Failure { kind, reason });
            self.begin(Action::StopLead, begun);
        }
    }

    pub(super) fn led(&mut self, stream: &StreamName, answer: Answer, now: Millis) {
        self.stale = true;
        self.unsaved = true;
        self.leading.times = None;
        let used = std::mem::take(&mut self.leading.used);
        self.leading.spent += used;
        let stopped = self.leading.stopped.take();
        let reason = match answer {
            Answer::Failed(failure) => {
                let failure =
                    stopped.filter(|_| failure.kind == FailureKind::Stopped).unwrap_or(failure);
                self.leading.out.insert(stream.clone(), failure);
                return;
            }
            Answer::Ran(Ran::Limited(wait, reason)) => {
                self.paused_until = self.paused_until.max(now + wait);
                reason
            }
            Answer::Later(reason) => {
                self.hold_off("lead", now);
                reason
            }
            _ => {
                self.leading.laters.remove(stream);
                return;
            }
        };
        let laters = self.leading.laters.entry(stream.clone()).or_default();
        *laters += 1;
        if *laters >= LATERS_MAX {
            let failure = Failure::new(FailureKind::World, reason);
            self.leading.out.insert(stream.clone(), failure);
        }
    }
}
