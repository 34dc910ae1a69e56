//! What a session asks of the store: by itself it has no way to change anything.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use jiff::Timestamp;
use jiff::civil::Date;
use milestone_domain::command::{Command, Credential};
use milestone_domain::event::{AttemptId, Event, Recorded};
use milestone_domain::ids::{Node, TaskId};
use milestone_domain::readiness::Reason;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use milestone_domain::views::impact::impacts;
use milestone_domain::views::next::{Asked, next};
use milestone_store::{Error, EventFilter, Project, Renewed, planted};
use uuid::Uuid;

use super::{Flying, Shared, trouble};
use crate::blockers::{Blocker, BlockerKind};
use crate::core::{
    Action, ActionId, Answer, Attempt, Failure, FailureKind, GiveTo, Input, Leftover, Outlook,
};
use crate::process::Lifeline;
use crate::session::Flight;

/// A reason is read by people; the log has all of it.
const REASON_CHARS_MAX: usize = 2_000;

/// The number of an attempt that has no claim yet; the first that is given is higher.
const UNCLAIMED: u64 = 0;

/// A thread with its own way to the store.
pub fn serve(shared: &Arc<Shared>) -> Sender<(ActionId, Action)> {
    let (sender, actions) = mpsc::channel::<(ActionId, Action)>();
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let mut project = None;
        for (id, action) in actions {
            let answer = shared.ask(&mut project, &action);
            if shared.inputs.send(Input::Answer(id, answer)).is_err() {
                return;
            }
        }
    });
    sender
}

impl Shared {
    fn ask(&self, project: &mut Option<Project>, action: &Action) -> Answer {
        if project.is_none() {
            match (self.setup.open)() {
                Ok(opened) => *project = Some(opened),
                Err(error) => return Answer::Later(error.to_string()),
            }
        }
        let Some(opened) = project.as_ref() else { return Answer::Done };
        let answered = match action {
            Action::Recover => self.recover(opened),
            Action::Look => self.look(opened),
            Action::Claim(task) => self.claim(opened, *task),
            Action::Record(attempt) => self.record(opened, *attempt),
            Action::GiveBack(attempt, failure, to) => {
                self.give_back(opened, *attempt, failure, *to)
            }
            Action::Renew(attempts) => self.renew(opened, attempts),
            Action::Finish => self.finish(opened),
            _ => Ok(Answer::Done),
        };
        match answered {
            Ok(answer) => answer,
            Err(Error::Refused(refusal)) => Answer::Failed(refused(&refusal)),
            Err(Error::Store(error)) => {
                // Opened anew: what went wrong may have been the connection.
                *project = None;
                Answer::Later(error.to_string())
            }
        }
    }

    pub(super) fn execute(&self, project: &Project, command: &Command) -> Result<Snapshot, Error> {
        Ok(project.execute(command, &self.setup.actor)?.snapshot)
    }

    pub(super) fn read(&self, project: &Project) -> Result<Snapshot, Error> {
        let scope = Scope::Graph(BTreeSet::from([self.setup.milestone]));
        Ok(project.read(&scope, &self.setup.actor)?)
    }

    /// What died with an earlier session: its record is there, and nobody runs it.
    fn recover(&self, project: &Project) -> Result<Answer, Error> {
        let flights = match self.sessions.flights(self.setup.milestone) {
            Ok(flights) => flights,
            Err(error) => return Ok(Answer::Failed(trouble(error))),
        };
        let snapshot = self.read(project)?;
        let mut left = Vec::new();
        for mut flight in flights.into_values() {
            let Some(attempt) = claimed(project, flight.attempt)? else {
                if let Err(error) = self.sessions.end_flight(flight.attempt.id) {
                    return Ok(Answer::Failed(trouble(error)));
                }
                continue;
            };
            flight.attempt = attempt;
            crate::keeper::end_all_of(attempt.id);
            let title = title(&snapshot, attempt.task);
            let integrated = self.is_integrated(attempt);
            self.take_off(flight, title, integrated.clone());
            left.push(Leftover { attempt, integrated: integrated.is_some() });
        }
        Ok(Answer::Recovered(left))
    }

    /// From now on the session knows of the attempt.
    pub(super) fn take_off(&self, flight: Flight, title: String, integrated: Option<String>) {
        self.begin_tried(&flight, &title);
        let id = flight.attempt.id;
        self.fly(flight, title);
        self.flying().entry(id).and_modify(|flying| flying.integrated = integrated);
    }

    pub(super) fn fly(&self, flight: Flight, title: String) {
        let id = flight.attempt.id;
        let flying = Flying {
            flight,
            title,
            lifeline: Lifeline::default(),
            stopped: false,
            kept: None,
            integrated: None,
            reason: None,
            answer: None,
            verified: Vec::new(),
            copied: BTreeSet::new(),
            newest: None,
        };
        self.flying().insert(id, flying);
    }

    fn look(&self, project: &Project) -> Result<Answer, Error> {
        let milestone = self.setup.milestone;
        let snapshot = self.read(project)?;
        let today = project.context(&self.setup.actor).today;
        let asked = Asked { milestone: Some(milestone), worker: None, limit: usize::MAX };
        let next = next(&snapshot, asked, today);
        let mut outlook = Outlook { held: next.held.len(), ..Outlook::default() };
        let mut in_the_way = Vec::new();
        for ready in next.ready {
            match self.obstacle(&snapshot, ready.id) {
                Some((kind, obstacle)) => {
                    in_the_way.push((ready.id, kind, obstacle.clone()));
                    outlook.waiting.push((ready.id, obstacle));
                }
                None => outlook.ready.push(ready.id),
            }
        }
        if self.setup.sequential {
            outlook.ready.sort_unstable();
        }
        // What waits for no other work of the milestone is what somebody has to see to.
        let (ours, others): (Vec<_>, Vec<_>) =
            next.waiting.into_iter().partition(|waiting| waits_for_work(&waiting.reasons));
        for waiting in others.into_iter().chain(ours) {
            let because = waiting.reasons.first().map(ToString::to_string).unwrap_or_default();
            let outside = waiting
                .reasons
                .iter()
                .find_map(|reason| Some((BlockerKind::of_reason(reason)?, reason)));
            if let Some((kind, reason)) = outside {
                in_the_way.push((waiting.id, self.kind_of(waiting.id, kind), reason.to_string()));
            }
            outlook.waiting.push((waiting.id, because));
        }
        let blockers = blockers(&snapshot, in_the_way, today);
        let tasks = snapshot.outlines.get(&milestone).map_or(&[][..], |outline| &outline.tasks);
        outlook.open = tasks.iter().filter(|task| !task.status.is_closed()).count();
        // Somebody else works on what this session works on itself: those are not others.
        let own = self.flying();
        let own = own
            .values()
            .filter(|flying| next.held.iter().any(|held| held.id == flying.flight.attempt.task));
        outlook.held = outlook.held.saturating_sub(own.count());
        let mut session = self.session();
        session.looked = Some(Timestamp::now());
        session.blockers = blockers;
        (session.tasks_ready, session.tasks_waiting) = (outlook.ready.len(), outlook.waiting.len());
        session.tasks_open = outlook.open;
        session.tasks_done =
            tasks.iter().filter(|task| task.status == TaskStatus::Completed).count();
        Ok(Answer::Looked(outlook))
    }

    /// What keeps this session from a task that is ready.
    fn obstacle(&self, snapshot: &Snapshot, id: TaskId) -> Option<(BlockerKind, String)> {
        let task = snapshot.documents.get(&id.milestone)?.task(id.number)?;
        let needs = self.setup.needs();
        if let Some(obstacle) = needs.obstacle(id, task) {
            let for_person = needs.is_for_a_person(task);
            let kind = if for_person { BlockerKind::Person } else { BlockerKind::Runner };
            return Some((kind, obstacle));
        }
        let commands = needs.commands(id, task);
        let untrusted = commands.iter().find(|(kind, text)| !(self.setup.trusts)(kind, text));
        let reason = match untrusted? {
            ("runner", name) => format!("needs trust: nobody has agreed to run {name} here"),
            (kind, text) => {
                format!("needs trust: its `{kind}` command has not been agreed to here: {text}")
            }
        };
        Some((BlockerKind::Trust, reason))
    }

    /// What stopped a task, as the last attempt at it says; or as it looks from outside.
    fn kind_of(&self, task: TaskId, from_outside: BlockerKind) -> BlockerKind {
        let session = self.session();
        let last = session.attempts.iter().rev().find(|tried| tried.task == task);
        let failure = last.and_then(|tried| tried.failure.as_ref());
        failure
            .filter(|_| from_outside == BlockerKind::Person)
            .map_or(from_outside, BlockerKind::of)
    }

    fn claim(&self, project: &Project, task: TaskId) -> Result<Answer, Error> {
        let id = AttemptId(Uuid::now_v7());
        // Before the claim: one that is killed right after it must not hold the task for as long as
        // the claim lasts.
        let wished = self.flight(&Snapshot::default(), Attempt { task, id, fence: UNCLAIMED });
        if !planted::has("claimed-unannounced")
            && let Err(error) = self.sessions.keep_flight(&wished)
        {
            return Ok(Answer::Later(error.to_string()));
        }
        let lease_seconds = self.setup.lease.as_secs();
        let claim = Command::Claim { task, attempt: id, lease_seconds };
        let outcome = match project.execute(&claim, &self.setup.actor) {
            Ok(outcome) => outcome,
            Err(error) => {
                // One that stays is seen to have no claim by the next session.
                let _ = self.sessions.end_flight(id);
                return match error {
                    Error::Refused(_) => Ok(Answer::NotClaimed),
                    error @ Error::Store(_) => Err(error),
                };
            }
        };
        let fence = outcome.events.iter().find_map(|recorded| match &recorded.event {
            Event::TaskClaimed { fence, .. } => Some(*fence),
            _ => None,
        });
        let Some(fence) = fence else { return Ok(Answer::NotClaimed) };
        let attempt = Attempt { task, id, fence };
        let flight = self.flight(&outcome.snapshot, attempt);
        // Before anything is begun for it: whatever happens, the next session finds it.
        if let Err(error) = self.sessions.keep_flight(&flight) {
            let reason = Some(error.to_string());
            let credential = credential(attempt);
            self.execute(project, &Command::Release { task, reason, credential })?;
            return Ok(Answer::Later(error.to_string()));
        }
        self.take_off(flight, title(&outcome.snapshot, task), None);
        Ok(Answer::Claimed(attempt))
    }

    fn record(&self, project: &Project, attempt: Attempt) -> Result<Answer, Error> {
        let credential = credential(attempt);
        let task = attempt.task;
        if let Some(text) = self.evidence(attempt) {
            self.execute(project, &Command::Note { task, text, credential })?;
        }
        let to = TaskStatus::Completed;
        self.execute(project, &Command::ChangeTask { task, to, reason: None, credential })?;
        self.end_tried(attempt, "completed", None);
        Ok(Answer::Done)
    }

    /// How it was seen that the task is done, and where that is.
    fn evidence(&self, attempt: Attempt) -> Option<String> {
        let said = self.with(attempt, |flying| {
            let commit = flying.integrated.as_ref().map(|commit| {
                format!(
                    "commit {} on milestone/{}",
                    &commit[..commit.len().min(12)],
                    attempt.task.milestone
                )
            });
            let nothing = flying.reason.as_ref().map(|reason| format!("nothing changed: {reason}"));
            let verified = flying.verified.iter().map(|command| format!("verified by `{command}`"));
            commit.into_iter().chain(nothing).chain(verified).collect::<Vec<_>>().join("; ")
        })?;
        Some(cut(said)).filter(|said| !said.is_empty())
    }

    fn give_back(
        &self,
        project: &Project,
        attempt: Attempt,
        failure: &Failure,
        to: GiveTo,
    ) -> Result<Answer, Error> {
        let (task, credential) = (attempt.task, credential(attempt));
        let reason = Some(cut(failure.reason.clone()));
        let command = match to {
            GiveTo::Anybody => Command::Release { task, reason, credential },
            GiveTo::Person => {
                Command::ChangeTask { task, to: TaskStatus::Blocked, reason, credential }
            }
        };
        self.end_tried(attempt, "failed", Some(failure));
        self.execute(project, &command)?;
        Ok(Answer::Done)
    }

    fn renew(&self, project: &Project, attempts: &[Attempt]) -> Result<Answer, Error> {
        let mut lost = Vec::new();
        for attempt in attempts {
            let renewed = project.renew(attempt.task, credential(*attempt), self.setup.lease);
            if renewed? == Renewed::Lost {
                lost.push(attempt.id);
            }
        }
        Ok(Answer::Renewed { lost })
    }
}

/// An attempt with the fence that it was given, if it ever got the task.
fn claimed(project: &Project, attempt: Attempt) -> Result<Option<Attempt>, Error> {
    if attempt.fence != UNCLAIMED {
        return Ok(Some(attempt));
    }
    let filter = EventFilter { milestone: None, task: Some(attempt.task) };
    let page = project.events(None, &filter, usize::MAX)?;
    Ok(fence_given(&page.events, attempt.id).map(|fence| Attempt { fence, ..attempt }))
}

/// The number that came with an attempt's claim.
pub(super) fn fence_given(events: &[Recorded], to: AttemptId) -> Option<u64> {
    events.iter().find_map(|recorded| match recorded.event {
        Event::TaskClaimed { attempt, fence, .. } if attempt == to => Some(fence),
        _ => None,
    })
}

/// The worst first.
fn blockers(
    snapshot: &Snapshot,
    in_the_way: Vec<(TaskId, BlockerKind, String)>,
    today: Date,
) -> Vec<Blocker> {
    let tasks: Vec<Node> = in_the_way.iter().map(|(task, ..)| Node::Task(*task)).collect();
    let impacts = impacts(snapshot, &tasks, today);
    let blocker = |(task, kind, reason)| {
        let impact = impacts.get(&Node::Task(task)).copied().unwrap_or_default();
        Blocker::new(task, kind, reason, impact)
    };
    let mut blockers: Vec<Blocker> = in_the_way.into_iter().map(blocker).collect();
    blockers.sort_by_key(|blocker| Reverse((blocker.severity, blocker.holds_up)));
    blockers
}

/// Whether nothing but other work keeps it, which is done sooner or later.
fn waits_for_work(reasons: &[Reason]) -> bool {
    reasons.iter().all(|reason| matches!(reason, Reason::Requires { .. } | Reason::Resource { .. }))
}

pub(super) fn credential(attempt: Attempt) -> Credential {
    Credential { fence: Some(attempt.fence), attempt: Some(attempt.id) }
}

fn title(snapshot: &Snapshot, id: TaskId) -> String {
    let document = snapshot.documents.get(&id.milestone);
    let task = document.and_then(|document| document.task(id.number));
    task.map(|task| task.title.clone()).unwrap_or_default()
}

fn refused(refusal: &Refusal) -> Failure {
    let kind = match refusal {
        Refusal::StaleFence { .. } | Refusal::Held { .. } => FailureKind::Lost,
        _ => FailureKind::World,
    };
    Failure::new(kind, refusal.to_string())
}

/// No longer than a reason may be.
fn cut(text: String) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
