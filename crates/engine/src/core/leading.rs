//! What is done for streams whose tasks are all done: one at a time, each once until it changes.

use std::collections::BTreeMap;

use milestone_domain::streams::StreamName;

use super::slot::LATERS_MAX;
use super::{Action, ActionId, Answer, Failure, FailureKind, Millis, Phase, Ran, State};

/// How the streams stand that were judged.
#[derive(Debug, Default)]
pub(super) struct Leading {
    /// Those that stay out, and why.
    out: BTreeMap<StreamName, Failure>,
    /// How often in a row one could not be judged.
    laters: BTreeMap<StreamName, u32>,
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

    /// What is not in the milestone's branch, and why.
    pub fn kept_out(&self) -> Vec<(StreamName, Failure)> {
        self.out.iter().map(|(stream, failure)| (stream.clone(), failure.clone())).collect()
    }
}

impl State {
    /// The first stream that is to go up is judged, while others are worked on.
    pub(super) fn lead(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let may = self.phase == Phase::Working
            && now >= self.paused_until
            && !self.stale
            && self.is_idle("look")
            && self.is_idle("lead")
            && self.may_begin("lead", now);
        let to_raise = self.outlook.iter().filter(|_| may).flat_map(|outlook| &outlook.to_raise);
        let next = to_raise.into_iter().find(|stream| self.leading.is_to_lead(stream)).cloned();
        if let Some(stream) = next {
            self.begin(Action::Lead(stream), begun);
        }
    }

    pub(super) fn led(&mut self, stream: &StreamName, answer: Answer, now: Millis) {
        self.stale = true;
        self.unsaved = true;
        let reason = match answer {
            Answer::Failed(failure) => {
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
