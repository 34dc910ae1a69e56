//! What one attempt goes through, from the claim to a clean folder.

use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;

use super::{
    Action, Answer, Attempt, Failure, FailureKind, Leftover, Limits, Millis, Ran, Spent, Used,
};

/// How often a step that could not be done is tried again before a person has to look at it.
pub(super) const LATERS_MAX: u32 = 60;

/// A place in which one attempt works at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Slot {
    Free,
    Claiming(TaskId),
    Busy(Box<Work>),
}

/// What an attempt needs next.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    Prepare,
    Run,
    Keep,
    Verify,
    Integrate,
    Record,
    GiveBack(Failure),
    Clear,
    Over,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    pub attempt: Attempt,
    pub stage: Stage,
    pub since: Millis,
    /// Its stage has been begun.
    under_way: bool,
    begun_at: Millis,
    /// When something was last heard of it, and what it had used by then.
    heard_at: Millis,
    used: Used,
    /// Not before this moment, after something that could not be done.
    again_at: Millis,
    /// How often its stage could not be done in a row.
    laters: u32,
    /// The session ends: what cannot be done now is left to the next one.
    leaving: bool,
    /// What it came to nothing for; said once, when the task has been given back.
    failure: Option<Failure>,
    given_back: bool,
    /// The files that it changed.
    pub(super) touched: Vec<String>,
    /// Why nothing is changed, where that is as it should be.
    nothing_to_change: bool,
    stop: Stop,
    /// What it is stopped for, unless that is the session's end.
    stopped_for: Option<Failure>,
    /// The claim is another's: nothing is said about the task any more.
    lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    No,
    Wanted,
    Begun,
}

impl Slot {
    pub fn task(&self) -> Option<TaskId> {
        match self {
            Self::Free => None,
            Self::Claiming(task) => Some(*task),
            Self::Busy(work) => Some(work.attempt.task),
        }
    }

    pub(super) fn has(&self, id: AttemptId) -> bool {
        matches!(self, Self::Busy(work) if work.attempt.id == id)
    }

    /// The claim that has to be renewed.
    pub(super) fn held(&self) -> Option<Attempt> {
        match self {
            Self::Busy(work) if !work.lost && !work.is_recorded() => Some(work.attempt),
            _ => None,
        }
    }

    pub(super) fn wakes_at(&self, limits: &Limits) -> impl Iterator<Item = Millis> {
        let work = match self {
            Self::Busy(work) => Some(work),
            _ => None,
        };
        let over = work.and_then(|work| Some(work.running_since()? + limits.attempt_time?));
        let silent = work.and_then(|work| Some(work.silent_since()? + limits.silence?));
        work.map(|work| work.again_at).into_iter().chain(over).chain(silent)
    }
}

impl Work {
    pub(super) fn new(attempt: Attempt, now: Millis) -> Self {
        Self {
            attempt,
            stage: Stage::Prepare,
            since: now,
            under_way: false,
            begun_at: now,
            heard_at: now,
            used: Used::default(),
            again_at: 0,
            laters: 0,
            leaving: false,
            failure: None,
            given_back: false,
            touched: Vec::new(),
            nothing_to_change: false,
            stop: Stop::No,
            stopped_for: None,
            lost: false,
        }
    }

    /// What an earlier run left: work that is in the branch is recorded, any other is kept and the
    /// task given back.
    pub(super) fn left(leftover: &Leftover, now: Millis) -> Self {
        let mut work = Self::new(leftover.attempt, now);
        if leftover.integrated {
            work.stage = Stage::Record;
        } else {
            work.fail(stopped("its session ended while it ran"));
        }
        work
    }

    fn is_recorded(&self) -> bool {
        matches!(self.stage, Stage::Clear | Stage::Over)
    }

    pub(super) fn begin(&mut self, now: Millis) {
        self.under_way = true;
        (self.begun_at, self.heard_at) = (now, now);
    }

    pub(super) fn heard(&mut self, used: Option<Used>, now: Millis) {
        self.heard_at = now;
        self.used = used.unwrap_or(self.used);
    }

    pub(super) fn spent(&self) -> Spent {
        self.used.into()
    }

    /// Since when something of somebody else's runs for it.
    pub(super) fn running_since(&self) -> Option<Millis> {
        let runs = self.under_way && matches!(self.stage, Stage::Run | Stage::Verify);
        runs.then_some(self.begun_at)
    }

    pub(super) fn silent_since(&self) -> Option<Millis> {
        self.running_since().map(|_| self.heard_at)
    }

    /// Whether nothing is to be begun for it now.
    pub(super) fn waits(&self, now: Millis) -> bool {
        self.under_way || self.again_at > now
    }

    /// Stops the runner; what has ended well goes on to the branch.
    pub(super) fn stop(&mut self) {
        if self.stop != Stop::No {
            return;
        }
        match self.stage {
            Stage::Prepare | Stage::Run if !self.under_way => self.stop = Stop::Begun,
            Stage::Prepare | Stage::Run | Stage::Verify => self.stop = Stop::Wanted,
            _ => {}
        }
    }

    /// Stops it for a reason of its own.
    pub(super) fn stop_for(&mut self, failure: Failure) {
        if self.stop == Stop::No {
            self.stop();
            self.stopped_for = Some(failure).filter(|_| self.stop != Stop::No);
        }
    }

    /// Stops it, because the session is to end.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
        self.stop();
    }

    pub(super) fn wants_to_stop(&self) -> bool {
        let runs = matches!(self.stage, Stage::Prepare | Stage::Run | Stage::Verify);
        self.stop == Stop::Wanted && runs && self.under_way
    }

    pub(super) fn stop_begun(&mut self) {
        self.stop = Stop::Begun;
    }

    pub(super) fn lose(&mut self) {
        self.lost = true;
        self.stop();
    }

    /// What it failed for, once it is said in the store.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        if self.given_back { self.failure.take() } else { None }
    }

    /// Whatever it left is kept first.
    fn fail(&mut self, failure: Failure) {
        self.failure = Some(failure);
        self.stage = Stage::Keep;
    }

    pub(super) fn answered(&mut self, action: &Action, answer: Answer, now: Millis, pause: Millis) {
        if matches!(action, Action::Stop(_)) {
            return;
        }
        self.under_way = false;
        self.laters = if matches!(answer, Answer::Later(_)) { self.laters + 1 } else { 0 };
        match answer {
            Answer::Later(reason) => self.later(reason, now + pause),
            Answer::Away(reason) => self.away(reason, now + pause),
            Answer::Failed(failure) => self.came_to_nothing(failure),
            Answer::Ran(ran) => self.ran(ran),
            Answer::Kept { changed, files } => {
                self.touched = files;
                self.kept(changed);
            }
            Answer::Conflict { reason, .. } => {
                self.came_to_nothing(Failure::new(FailureKind::Conflict, reason));
            }
            Answer::InBranch if self.stop == Stop::No => self.stage = Stage::Record,
            _ => self.done(),
        }
        if self.stop != Stop::No && matches!(self.stage, Stage::Prepare | Stage::Run) {
            let why = self.why_stopped();
            self.fail(why);
        }
    }

    /// It could not be done now. The store is waited for; of anything else, a person hears one day.
    fn later(&mut self, reason: String, again_at: Millis) {
        let of_store = matches!(self.stage, Stage::Record | Stage::GiveBack(_));
        match of_store {
            // Its record stays, and the next session takes it up.
            true if self.leaving => self.stage = Stage::Over,
            false if self.leaving || self.laters >= LATERS_MAX => {
                self.came_to_nothing(Failure::new(FailureKind::World, reason));
            }
            _ => self.again_at = again_at,
        }
    }

    /// What has not begun is left to others, who may be nearer; what is done waits.
    fn away(&mut self, reason: String, again_at: Millis) {
        if self.leaving || matches!(self.stage, Stage::Prepare) {
            self.came_to_nothing(Failure::new(FailureKind::Away, reason));
        } else {
            self.again_at = again_at;
        }
    }

    fn ran(&mut self, ran: Ran) {
        self.stage = Stage::Keep;
        match ran {
            _ if self.stop == Stop::Begun => {
                let why = self.why_stopped();
                self.fail(why);
            }
            Ran::Well => {}
            Ran::NothingToChange(_) => self.nothing_to_change = true,
            Ran::Badly(failure) => self.fail(failure),
            Ran::Limited(_, said) => {
                self.fail(Failure::new(FailureKind::Limited, said));
            }
        }
    }

    fn kept(&mut self, changed: bool) {
        self.stage = match (self.failure.take(), changed || self.nothing_to_change) {
            (Some(failure), _) => self.giving_back(failure),
            (None, true) => Stage::Verify,
            (None, false) => {
                let reason = "the runner ended well and had changed nothing";
                self.giving_back(Failure::new(FailureKind::NoChange, reason))
            }
        };
    }

    fn giving_back(&mut self, failure: Failure) -> Stage {
        self.failure = Some(failure.clone());
        Stage::GiveBack(failure)
    }

    fn done(&mut self) {
        self.stage = match &self.stage {
            Stage::Prepare => Stage::Run,
            Stage::Run | Stage::Keep => Stage::Verify,
            Stage::Verify => Stage::Integrate,
            Stage::Integrate => Stage::Record,
            Stage::Record => Stage::Clear,
            Stage::GiveBack(_) => {
                self.given_back = true;
                Stage::Clear
            }
            Stage::Clear | Stage::Over => Stage::Over,
        };
    }

    fn why_stopped(&mut self) -> Failure {
        self.stopped_for.take().unwrap_or_else(|| stopped("stopped"))
    }

    /// Something that another try of the same would not change.
    fn came_to_nothing(&mut self, failure: Failure) {
        let failure = match failure.kind {
            FailureKind::Stopped => self.stopped_for.take().unwrap_or(failure),
            _ => failure,
        };
        match self.stage {
            // What it left is in git already, or there is nothing.
            Stage::Prepare | Stage::Keep | Stage::Verify | Stage::Integrate | Stage::Record => {
                self.stage = self.giving_back(self.failure.clone().unwrap_or(failure));
            }
            Stage::Run => self.fail(failure),
            // The claim is another's, who says how the task stands.
            Stage::GiveBack(_) => self.done(),
            Stage::Clear | Stage::Over => self.stage = Stage::Over,
        }
    }
}

fn stopped(reason: &str) -> Failure {
    Failure::new(FailureKind::Stopped, reason)
}
