//! What a session asks of the store: by itself it has no way to change anything.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;

use milestone_domain::command::{Command, Credential};
use milestone_domain::event::{AttemptId, Event, Recorded};
use milestone_domain::ids::TaskId;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use milestone_store::{Error, EventFilter, Project, Renewed, planted};
use uuid::Uuid;

use super::{Flying, Shared, trouble};
use crate::core::{
    Action, ActionId, Answer, Attempt, Failure, FailureKind, GiveTo, Input, Leftover,
};
use crate::git::Repository;
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
    fn ask(self: &Arc<Self>, project: &mut Option<Project>, action: &Action) -> Answer {
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
        // What this clone last saw of the hub may be from before others went on.
        if let Some(repository) = self.setup.repository.as_ref().filter(|_| !flights.is_empty())
            && let Err(error) = repository.refresh(self.setup.milestone, &[])
        {
            return Ok(Answer::Later(error.to_string()));
        }
        let snapshot = self.read(project)?;
        self.forget_judging();
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
            let integrated = self.is_integrated(&flight);
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

    fn claim(&self, project: &Project, task: TaskId) -> Result<Answer, Error> {
        // Nobody holds what they could not bring anywhere.
        if let Some(Err(error)) = self.setup.repository.as_ref().map(Repository::reach_hub) {
            return Ok(Answer::Later(error.to_string()));
        }
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
                let branch = flying.flight.goes_into().name();
                format!("commit {} on {branch}", &commit[..commit.len().min(12)])
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
pub(super) fn cut(text: String) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
