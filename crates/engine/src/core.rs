//! What a session does next: a state machine that touches nothing.
//!
//! [`State::observe`] takes in what happened, [`State::plan`] says what is to be begun. Every action
//! that was begun stands in the state until its answer comes. On start the state knows nothing and
//! looks, so that starting, resuming and recovering are the same path.

mod leading;
mod limits;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;
use milestone_domain::streams::StreamName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use leading::Leading;
pub use limits::{Budget, Limits, Spent};
pub use slot::{Slot, Stage, Work};

use crate::runners::Used;

/// Time on a clock that only goes forward, in milliseconds.
pub type Millis = u64;

/// The bounds a session keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub slots: usize,
    /// How often a task is tried before a person has to look at it.
    pub tries_max: u32,
    /// How long after the first failure a task is tried again; twice as long after each further one.
    pub retry_after: Millis,
    pub retry_after_max: Millis,
    /// How often claims are renewed.
    pub renew_every: Millis,
    pub save_every: Millis,
    /// What happens in quick succession is saved together.
    pub save_together: Millis,
    /// How often a session that waits looks whether others have changed anything.
    pub look_every: Millis,
    /// How long something that could not be done is left alone before it is tried again.
    pub pause: Millis,
    /// Whether a session in which only people can go on stays for them.
    pub stays: bool,
    pub limits: Limits,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            slots: 1,
            tries_max: 3,
            retry_after: 2_000,
            retry_after_max: 300_000,
            renew_every: 15_000,
            save_every: 300_000,
            save_together: 500,
            look_every: 3_000,
            pause: 1_000,
            stays: false,
            limits: Limits::default(),
        }
    }
}

/// One try at a task, and the right to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Attempt {
    pub task: TaskId,
    pub id: AttemptId,
    pub fence: u64,
}

/// Whoever said nothing for so long is begun anew when somebody asks for that.
const SEEMS_STALLED: Millis = 300_000;

/// Counts up with every action that is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ActionId(pub u64);

/// What the world is asked to do. Each may be done again after a crash.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Find what earlier runs of this session, or others that died, have left behind.
    Recover,
    /// See how the work stands in the store.
    Look,
    Claim(TaskId),
    /// A branch and a worktree of the attempt's own.
    Prepare(Attempt),
    /// Let the runner work; what went wrong before is told to it.
    Run(Attempt, Option<Failure>),
    /// Put all that the attempt left into git.
    Keep(Attempt),
    Verify(Attempt),
    /// Bring it into the milestone's branch, durably.
    Integrate(Attempt),
    /// Say in the store that the task is done.
    Record(Attempt),
    /// Give the task back to be tried again, or to a person.
    GiveBack(Attempt, Failure, GiveTo),
    /// Remove the attempt's worktree, if nothing of it would be lost.
    Clear(Attempt),
    /// Stop a runner.
    Stop(Attempt),
    Renew(Vec<Attempt>),
    Save,
    /// Judge the work of a stream together, and bring it up into the milestone's branch.
    Lead(StreamName),
    /// Verify all of the work together, and say in the store that the milestone is completed.
    Finish,
    /// Stop that verification, or what judges a stream: the session ends.
    StopFinish,
    /// Stop what judges a stream: it takes too long.
    StopLead,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveTo {
    Anybody,
    /// It is blocked until a person has looked at it.
    Person,
}

/// Why an attempt came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    pub kind: FailureKind,
    pub reason: String,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The runner said so, or ended with an error.
    Run,
    /// It ended well and had changed nothing.
    NoChange,
    /// What it changed is not the attempt's to change.
    Trespass,
    Verify,
    /// Its worktree could not be made ready for it.
    Setup,
    /// It does not go together with what others did.
    Conflict,
    /// The agent says that it cannot go on without somebody.
    Blocked,
    /// The program, the disk or the machine; the step was tried again and again.
    World,
    /// The agent was told to wait.
    Limited,
    /// Stopped by a person, or with the session.
    Stopped,
    /// The claim is another's now.
    Lost,
    /// It took longer than it may.
    TimedOut,
    /// Nothing was heard of it for longer than it may say nothing.
    Silent,
    /// The task has used what it may use.
    Budget,
    /// Stopped by somebody who wants to look at it.
    Halted,
}

impl Failure {
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}

impl FailureKind {
    /// Whether another try of the same may come out better.
    fn is_worth_another_try(self) -> bool {
        !matches!(self, Self::Blocked | Self::Trespass | Self::World | Self::Budget | Self::Halted)
    }

    /// Whether an agent's own session can be gone on with after it: one that ended with an error of
    /// its own may be what is wrong.
    pub fn leaves_its_session_whole(self) -> bool {
        !matches!(self, Self::Run | Self::Trespass | Self::Lost)
    }

    /// Whether it says something about the task.
    fn counts(self) -> bool {
        !matches!(self, Self::Stopped | Self::Lost | Self::Limited)
    }
}

/// How the work of the milestone stands.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outlook {
    /// What may be begun, in the order in which it should be.
    pub ready: Vec<TaskId>,
    /// What others work on.
    pub held: usize,
    /// What waits, and for what.
    pub waiting: Vec<(TaskId, String)>,
    /// What is neither done nor cancelled, all of the above included.
    pub open: usize,
    /// The streams whose tasks are all done and whose work is not in the milestone's branch yet.
    pub to_raise: Vec<StreamName>,
}

/// What an earlier run left behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Leftover {
    pub attempt: Attempt,
    /// Its work is in the milestone's branch already.
    pub integrated: bool,
}

/// How a runner ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ran {
    Well,
    /// There was nothing to change, and this is why.
    NothingToChange(String),
    Badly(Failure),
    /// It was told to wait that long: a rate limit.
    Limited(Millis, String),
}

/// What an action came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Recovered(Vec<Leftover>),
    Looked(Outlook),
    Claimed(Attempt),
    /// Somebody was quicker, or it is not ready any more.
    NotClaimed,
    Ran(Ran),
    /// Whether anything was changed.
    Kept {
        changed: bool,
    },
    /// An attempt that died after that had brought the task's work into the branch.
    InBranch,
    /// What else is done: prepared, verified, integrated, recorded, given back, cleared, stopped,
    /// saved, finished.
    Done,
    /// It came to nothing, for a reason that another try would not change.
    Failed(Failure),
    /// It could not be done now: the store or the disk may be back later.
    Later(String),
    /// Which of the claims are another's now.
    Renewed {
        lost: Vec<AttemptId>,
    },
}

/// Everything that may wake a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    Answer(ActionId, Answer),
    /// What runs for an attempt gave a sign of life; a runner says what it has used so far.
    Heard(Attempt, Option<Used>),
    /// Somebody changed something in the store.
    Changed,
    /// Claim nothing more; what runs may end.
    Drain,
    /// Stop what runs, too.
    Stop,
    Save,
    /// What failed is tried again now, and what seems stalled is begun anew.
    Restart,
    /// Stop the attempts at a task, for somebody who gives this reason.
    Halt(TaskId, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Working,
    Draining,
    Stopping,
}

/// How a session ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// Everything is done, and the milestone is completed.
    Completed,
    /// Every task is done; the milestone cannot be completed yet, and this is why.
    TasksDone(Failure),
    /// Every task is done; these streams were judged and stay out of the milestone's branch.
    StreamsOut(Vec<(StreamName, Failure)>),
    /// Nothing can be begun until somebody does something.
    Stuck(Vec<(TaskId, String)>),
    Interrupted,
    /// The session has used what it may use, and this is what.
    Spent(String),
    /// It could not be begun.
    Failed(Failure),
}

/// What failed before, task by task.
#[derive(Debug, Clone, Default, PartialEq)]
struct Tries {
    failed: u32,
    last: Option<Failure>,
    not_before: Millis,
}

#[derive(Debug)]
pub struct State {
    rules: Rules,
    phase: Phase,
    recovered: bool,
    slots: Vec<Slot>,
    outlook: Option<Outlook>,
    /// Something has happened since the last look began.
    stale: bool,
    looked_at: Millis,
    tries: BTreeMap<TaskId, Tries>,
    /// Left by an earlier run, and not yet taken up.
    leftovers: Vec<Leftover>,
    /// Nothing is begun before this moment: a rate limit.
    paused_until: Millis,
    begun_at: Millis,
    /// What attempts that have ended used, task by task.
    spent: BTreeMap<TaskId, Spent>,
    saved_at: Millis,
    /// Something worth saving has happened.
    unsaved: bool,
    renewed_at: Millis,
    leading: Leading,
    finished: Option<Result<(), Failure>>,
    finish_stopped: bool,
    ending: Option<Ending>,
    next: u64,
    in_flight: BTreeMap<ActionId, Action>,
    /// Actions that no slot waits for, and when they may be begun again.
    held_off: BTreeMap<&'static str, Millis>,
}

impl State {
    pub fn new(rules: Rules, now: Millis) -> Self {
        let slots = (0..rules.slots.max(1)).map(|_| Slot::Free).collect();
        Self {
            rules,
            phase: Phase::Working,
            recovered: false,
            slots,
            outlook: None,
            stale: true,
            looked_at: now,
            tries: BTreeMap::new(),
            leftovers: Vec::new(),
            paused_until: 0,
            begun_at: now,
            spent: BTreeMap::new(),
            saved_at: now,
            unsaved: true,
            renewed_at: now,
            leading: Leading::default(),
            finished: None,
            finish_stopped: false,
            ending: None,
            next: 0,
            in_flight: BTreeMap::new(),
            held_off: BTreeMap::new(),
        }
    }

    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub fn outlook(&self) -> Option<&Outlook> {
        self.outlook.as_ref()
    }

    /// What was begun under this number.
    pub fn under_way(&self, id: ActionId) -> Option<&Action> {
        self.in_flight.get(&id)
    }

    pub fn is_stopping(&self) -> bool {
        self.phase > Phase::Working
    }

    /// How the session ended, once nothing is under way any more.
    pub fn ending(&self) -> Option<&Ending> {
        self.ending.as_ref().filter(|_| self.in_flight.is_empty() && !self.unsaved)
    }

    /// Takes in what happened.
    pub fn observe(&mut self, input: Input, now: Millis) {
        match input {
            Input::Heard(attempt, used) => self.heard(attempt, used, now),
            Input::Changed => self.stale = true,
            Input::Drain => self.phase = self.phase.max(Phase::Draining),
            Input::Stop => self.phase = Phase::Stopping,
            Input::Save => self.unsaved = true,
            Input::Restart => self.restart(now),
            Input::Halt(task, reason) => self.halt(task, &reason),
            Input::Answer(id, answer) => {
                if let Some(action) = self.in_flight.remove(&id) {
                    self.answered(&action, answer, now);
                }
            }
        }
    }

    fn restart(&mut self, now: Millis) {
        for slot in &mut self.slots {
            if let Slot::Busy(work) = slot
                && work.silent_since().is_some_and(|since| since + SEEMS_STALLED <= now)
            {
                work.stop();
            }
        }
        self.tries.clear();
        self.leading.begin_anew();
        self.stale = true;
        self.unsaved = true;
    }

    fn halt(&mut self, task: TaskId, reason: &str) {
        for slot in &mut self.slots {
            if let Slot::Busy(work) = slot
                && work.attempt.task == task
            {
                let reason = reason.to_owned();
                work.stop_for(Failure { kind: FailureKind::Halted, reason });
            }
        }
    }

    fn answered(&mut self, action: &Action, answer: Answer, now: Millis) {
        match (action, answer) {
            (Action::Save, Answer::Later(_)) => self.hold_off("save", now),
            (Action::Save, _) => self.saved_at = now,
            (Action::Recover, Answer::Recovered(found)) => {
                self.recovered = true;
                self.leftovers = found;
            }
            (Action::Look, Answer::Looked(outlook)) => {
                self.leading.forget_all_but(&outlook.to_raise);
                self.outlook = Some(outlook);
                self.looked_at = now;
            }
            (Action::Recover | Action::Look | Action::Finish, Answer::Failed(failure)) => {
                if matches!(action, Action::Finish) {
                    self.finished = Some(Err(failure));
                } else {
                    self.end(Ending::Failed(failure));
                }
            }
            (Action::Recover | Action::Look | Action::Finish, Answer::Later(_)) => {
                self.stale = true;
                self.hold_off(name(action), now);
            }
            (Action::Finish, _) => self.finished = Some(Ok(())),
            (Action::Renew(_), Answer::Renewed { lost }) => self.lose(&lost),
            (Action::Renew(_), _) => {}
            (Action::Lead(stream), answer) => self.led(stream, answer, now),
            (Action::Claim(task), answer) => self.claimed(*task, &answer, now),
            (action, answer) => self.worked(action, answer, now),
        }
    }

    fn hold_off(&mut self, what: &'static str, now: Millis) {
        self.held_off.insert(what, now + self.rules.pause);
    }

    fn may_begin(&self, what: &'static str, now: Millis) -> bool {
        self.held_off.get(what).is_none_or(|until| *until <= now)
    }

    fn lose(&mut self, lost: &[AttemptId]) {
        for slot in &mut self.slots {
            if let Slot::Busy(work) = slot
                && lost.contains(&work.attempt.id)
            {
                work.lose();
            }
        }
    }

    fn claimed(&mut self, task: TaskId, answer: &Answer, now: Millis) {
        let claiming = self.slots.iter_mut().find(|slot| **slot == Slot::Claiming(task));
        let Some(slot) = claiming else { return };
        *slot = match answer {
            Answer::Claimed(attempt) => Slot::Busy(Box::new(Work::new(*attempt, now))),
            _ => Slot::Free,
        };
        match answer {
            Answer::Claimed(_) => self.unsaved = true,
            Answer::Later(_) => self.hold_off("claim", now),
            _ => {}
        }
        // Even a claim that was won changes what else is ready: files that both would touch.
        self.stale = true;
    }

    /// An answer to something that one attempt waits for.
    fn worked(&mut self, action: &Action, answer: Answer, now: Millis) {
        let Some(attempt) = of(action) else { return };
        let at = self.slots.iter().position(|slot| slot.has(attempt.id));
        let Some(at) = at else { return };
        let Slot::Busy(work) = &mut self.slots[at] else { return };
        if let Answer::Ran(Ran::Limited(wait, _)) = &answer {
            self.paused_until = self.paused_until.max(now + wait);
        }
        work.answered(action, answer, now, self.rules.pause);
        let failed = work.take_failure();
        if work.stage == Stage::Over {
            let spent = work.spent();
            *self.spent.entry(attempt.task).or_default() += spent;
            self.slots[at] = Slot::Free;
            self.stale = true;
        }
        if let Some(failure) = failed {
            self.failed(attempt.task, failure, now);
        }
        self.unsaved = true;
    }

    fn failed(&mut self, task: TaskId, failure: Failure, now: Millis) {
        let tries = self.tries.entry(task).or_default();
        if failure.kind.counts() {
            tries.failed += 1;
        }
        let doublings = tries.failed.saturating_sub(1).min(20);
        let wait = (self.rules.retry_after << doublings).min(self.rules.retry_after_max);
        // What did not go together with the branch is begun anew from the branch as it is now.
        tries.not_before = match failure.kind {
            FailureKind::Conflict | FailureKind::Stopped => now,
            _ => now + wait,
        };
        tries.last = Some(failure);
    }

    /// Whether a task that failed like this goes to a person.
    fn give_to(&self, task: TaskId, failure: &Failure) -> GiveTo {
        let before = self.tries.get(&task);
        let failed = before.map_or(0, |tries| tries.failed) + u32::from(failure.kind.counts());
        let conflicted = before.and_then(|tries| tries.last.as_ref());
        let again = failure.kind == FailureKind::Conflict
            && conflicted.is_some_and(|last| last.kind == FailureKind::Conflict);
        if again || failed >= self.rules.tries_max || !failure.kind.is_worth_another_try() {
            GiveTo::Person
        } else {
            GiveTo::Anybody
        }
    }

    fn end(&mut self, ending: Ending) {
        if self.ending.is_none() {
            self.ending = Some(ending);
            self.unsaved = true;
        }
    }

    /// Says what is to be begun now; all of it stands in the state from here on.
    pub fn plan(&mut self, now: Millis) -> Vec<(ActionId, Action)> {
        let mut begun = Vec::new();
        if !self.recovered {
            if self.ending.is_none() && self.is_idle("recover") && self.may_begin("recover", now) {
                self.begin(Action::Recover, &mut begun);
            }
        } else if self.ending.is_none() {
            self.take_up_leftovers(now);
            self.keep_limits(now);
            self.go_on(now, &mut begun);
            self.keep_claims(now, &mut begun);
            self.begin_tasks(now, &mut begun);
            self.look(now, &mut begun);
            self.lead(now, &mut begun);
            self.wind_up(now, &mut begun);
        }
        self.save(now, &mut begun);
        begun
    }

    fn begin(&mut self, action: Action, begun: &mut Vec<(ActionId, Action)>) {
        self.next += 1;
        let id = ActionId(self.next);
        self.in_flight.insert(id, action.clone());
        begun.push((id, action));
    }

    fn is_idle(&self, what: &'static str) -> bool {
        !self.in_flight.values().any(|action| name(action) == what)
    }

    /// What an earlier run left comes before anything new.
    fn take_up_leftovers(&mut self, now: Millis) {
        for slot in &mut self.slots {
            if *slot == Slot::Free
                && let Some(leftover) = self.leftovers.pop()
            {
                *slot = Slot::Busy(Box::new(Work::left(&leftover, now)));
                self.unsaved = true;
            }
        }
    }

    /// Whatever each attempt needs next.
    fn go_on(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let stopping = self.phase == Phase::Stopping;
        for at in 0..self.slots.len() {
            let Slot::Busy(work) = &mut self.slots[at] else { continue };
            if stopping {
                work.leave();
            }
            if work.wants_to_stop() {
                let attempt = work.attempt;
                work.stop_begun();
                self.begin(Action::Stop(attempt), begun);
                continue;
            }
            if work.waits(now) {
                continue;
            }
            // One at a time: each is made on the branch as the one before left it.
            let integrates = work.stage == Stage::Integrate;
            if integrates && !self.is_idle("integrate") {
                continue;
            }
            let action = self.next_of(at);
            if let Slot::Busy(work) = &mut self.slots[at] {
                work.begin(now);
            }
            self.begin(action, begun);
        }
    }

    fn next_of(&self, at: usize) -> Action {
        let Slot::Busy(work) = &self.slots[at] else { return Action::Look };
        let attempt = work.attempt;
        match &work.stage {
            Stage::Prepare => Action::Prepare(attempt),
            Stage::Run => {
                let before = self.tries.get(&attempt.task);
                Action::Run(attempt, before.and_then(|tries| tries.last.clone()))
            }
            Stage::Keep => Action::Keep(attempt),
            Stage::Verify => Action::Verify(attempt),
            Stage::Integrate => Action::Integrate(attempt),
            Stage::Record => Action::Record(attempt),
            Stage::GiveBack(failure) => {
                let to = self.give_to(attempt.task, failure);
                Action::GiveBack(attempt, failure.clone(), to)
            }
            Stage::Clear | Stage::Over => Action::Clear(attempt),
        }
    }

    /// Claims are renewed together, long before they end.
    fn keep_claims(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        if now < self.renewed_at + self.rules.renew_every || !self.is_idle("renew") {
            return;
        }
        self.renewed_at = now;
        let held = self.slots.iter().filter_map(Slot::held).collect::<Vec<_>>();
        if !held.is_empty() {
            self.begin(Action::Renew(held), begun);
        }
    }

    fn begin_tasks(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let may = self.phase == Phase::Working
            && now >= self.paused_until
            && self.used_up(now).is_none()
            && self.may_begin("claim", now)
            && !self.stale
            && self.is_idle("look");
        if !may {
            return;
        }
        let mut tasks = self.beginnable(now).into_iter();
        for at in 0..self.slots.len() {
            if self.slots[at] != Slot::Free {
                continue;
            }
            let Some(task) = tasks.next() else { break };
            self.slots[at] = Slot::Claiming(task);
            self.begin(Action::Claim(task), begun);
        }
    }

    /// What is ready, is in no slot, and does not rest after a failure.
    fn beginnable(&self, now: Millis) -> Vec<TaskId> {
        let taken: BTreeSet<TaskId> = self.slots.iter().filter_map(Slot::task).collect();
        let rests =
            |task: &TaskId| self.tries.get(task).is_some_and(|tries| tries.not_before > now);
        let ready = self.outlook.iter().flat_map(|outlook| &outlook.ready);
        ready.filter(|task| !taken.contains(task) && !rests(task)).copied().collect()
    }

    fn look(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let due = self.stale || now >= self.looked_at + self.rules.look_every;
        // Somebody who could begin something wants to know what; a full house need not ask.
        let useful = self.slots.contains(&Slot::Free) || self.outlook.is_none();
        let claiming = !self.is_idle("claim");
        if due && useful && !claiming && self.is_idle("look") && self.may_begin("look", now) {
            self.stale = false;
            self.begin(Action::Look, begun);
        }
    }

    /// Ends the session when nothing is left that it could do.
    fn wind_up(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let judging = !self.is_idle("finish") || !self.is_idle("lead");
        let finishing = self.phase == Phase::Stopping && judging;
        if finishing && !self.finish_stopped {
            self.finish_stopped = true;
            self.begin(Action::StopFinish, begun);
        }
        let quiet = self.leftovers.is_empty()
            && self.slots.iter().all(|slot| *slot == Slot::Free)
            && self.in_flight.values().all(|action| matches!(action, Action::Save));
        if !quiet {
            return;
        }
        if self.phase > Phase::Working {
            return self.end(Ending::Interrupted);
        }
        // What was done a moment ago may have been the last of it.
        let Some(outlook) = self.outlook.as_ref().filter(|_| !self.stale) else { return };
        if let Some(what) = self.used_up(now).filter(|_| outlook.open > 0) {
            return self.end(Ending::Spent(what));
        }
        if outlook.to_raise.iter().any(|stream| self.leading.is_to_lead(stream)) {
            return;
        }
        if outlook.open == 0 && !outlook.to_raise.is_empty() {
            let out = self.leading.kept_out();
            return self.end(Ending::StreamsOut(out));
        }
        if outlook.open == 0 {
            return match self.finished.clone() {
                None if self.may_begin("finish", now) => self.begin(Action::Finish, begun),
                None => {}
                Some(Ok(())) => self.end(Ending::Completed),
                Some(Err(why)) => self.end(Ending::TasksDone(why)),
            };
        }
        if outlook.ready.is_empty() && outlook.held == 0 && !self.rules.stays {
            let waiting = outlook.waiting.clone();
            self.end(Ending::Stuck(waiting));
        }
    }

    fn save(&mut self, now: Millis, begun: &mut Vec<(ActionId, Action)>) {
        let soon = self.ending.is_some() || now >= self.saved_at + self.rules.save_together;
        let due = self.unsaved && soon || now >= self.saved_at + self.rules.save_every;
        if due && self.is_idle("save") && self.may_begin("save", now) {
            self.unsaved = false;
            self.begin(Action::Save, begun);
        }
    }

    /// When it must be asked again although nothing happens.
    pub fn wakes_at(&self, now: Millis) -> Millis {
        let resting = self.tries.values().map(|tries| tries.not_before);
        let limits = &self.rules.limits;
        let slots = self.slots.iter().flat_map(|slot| slot.wakes_at(limits));
        let moments = resting
            .chain(slots)
            .chain(self.leading.times().into_iter().flat_map(|times| limits.ends(times)))
            .chain(self.held_off.values().copied())
            .chain(limits.session_time.map(|time| self.begun_at + time))
            .chain([self.paused_until, self.renewed_at + self.rules.renew_every])
            .chain([self.saved_at + self.rules.save_every])
            .chain(self.unsaved.then_some(self.saved_at + self.rules.save_together))
            .chain([self.looked_at + self.rules.look_every]);
        moments.filter(|at| *at > now).min().unwrap_or(now + self.rules.pause)
    }
}

/// The attempt that an action is for.
fn of(action: &Action) -> Option<Attempt> {
    match action {
        Action::Prepare(attempt)
        | Action::Run(attempt, _)
        | Action::Keep(attempt)
        | Action::Verify(attempt)
        | Action::Integrate(attempt)
        | Action::Record(attempt)
        | Action::GiveBack(attempt, ..)
        | Action::Clear(attempt)
        | Action::Stop(attempt) => Some(*attempt),
        Action::Recover
        | Action::Look
        | Action::Claim(_)
        | Action::Renew(_)
        | Action::Save
        | Action::Lead(_)
        | Action::Finish
        | Action::StopFinish
        | Action::StopLead => None,
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::Recover => "recover",
        Action::Look => "look",
        Action::Claim(_) => "claim",
        Action::Prepare(_) => "prepare",
        Action::Run(..) => "run",
        Action::Keep(_) => "keep",
        Action::Verify(_) => "verify",
        Action::Integrate(_) => "integrate",
        Action::Record(_) => "record",
        Action::GiveBack(..) => "give back",
        Action::Clear(_) => "clear",
        Action::Stop(_) => "stop",
        Action::Renew(_) => "renew",
        Action::Save => "save",
        Action::Lead(_) => "lead",
        Action::Finish => "finish",
        Action::StopFinish => "stop finish",
        Action::StopLead => "stop lead",
    }
}
