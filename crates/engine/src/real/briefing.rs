//! What an agent is told, and what of an earlier attempt it goes on with.

use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::{Node, TaskId};

use super::Shared;
use crate::core::{Failure, FailureKind};
use crate::git::{Oid, Repository};
use crate::prompt::{Briefing, Delivered};
use crate::session::{Flight, Tried};

impl Shared {
    /// The attempt before this one, if it was at the same task and by the same agent, which can go
    /// on with what is there: a command is begun anew.
    pub(super) fn earlier(&self, flight: &Flight) -> Option<Tried> {
        let runner = self.process_of(flight)?;
        let session = self.session();
        let of_task = session.attempts.iter().rev();
        let mut earlier = of_task
            .filter(|tried| tried.task == flight.attempt.task && tried.id != flight.attempt.id);
        let last = earlier.next().filter(|tried| tried.runner == flight.runner)?;
        runner.is_told().then(|| last.clone())
    }

    /// What an agent that was stopped, or whose work did not do yet, had done so far.
    pub(super) fn goes_on_from(
        &self,
        repository: &Repository,
        flight: &Flight,
        start: &Oid,
    ) -> Result<Option<Oid>, Failure> {
        let earlier = self.earlier(flight).filter(|tried| {
            // What it changed there was not its to change.
            tried.failure.as_ref().is_some_and(|failure| failure.kind != FailureKind::Trespass)
        });
        let kept = earlier.and_then(|tried| Oid::parse(&tried.commit?));
        let Some(kept) = kept else { return Ok(None) };
        Ok(repository.carried_on(start, &kept)?)
    }

    /// The tasks of the same milestone that it builds on, and what was said of each at its end.
    fn delivered(
        &self,
        document: &Milestone,
        task: &Task,
        flight: &Flight,
    ) -> Vec<(String, String, Option<String>)> {
        let named =
            task.requires.iter().filter_map(|reference| match reference.node(document.id) {
                Node::Task(id) if id.milestone == document.id => Some(id),
                _ => None,
            });
        let into = flight.goes_into();
        let told = |id: TaskId| {
            let title = document.task(id.number)?.title.clone();
            // It helps to know; the work itself is in the folder.
            let repository = self.setup.repository.as_ref();
            let account =
                repository.and_then(|repository| repository.account(id, &into).ok().flatten());
            Some((id.to_string(), title, account))
        };
        named.filter_map(told).collect()
    }

    /// What an agent is told about its task.
    pub(super) fn briefed(
        &self,
        document: &Milestone,
        task: &Task,
        flight: &Flight,
        before: Option<&Failure>,
    ) -> String {
        let before_it = self.delivered(document, task, flight);
        let delivered = before_it.iter().map(|(task, title, what)| {
            let what = what.as_deref();
            Delivered { task, title, what }
        });
        let delivered: Vec<Delivered<'_>> = delivered.collect();
        let mut criteria: Vec<String> =
            document.criteria.iter().map(|criterion| criterion.text.clone()).collect();
        let promised = document.promised_with(flight.attempt.task.number).into_iter();
        criteria.extend(promised.map(|file| format!("with this task, {} is there", file.path)));
        // What an agent can do nothing about is none of its business.
        let is_its_own = |kind| !matches!(kind, FailureKind::Stopped | FailureKind::Setup);
        let failed = before.filter(|before| is_its_own(before.kind));
        let start = flight.start.as_deref().filter(|_| flight.goes_on_from.is_some());
        self.setup.template.filled(&Briefing {
            milestone: &document.id.to_string(),
            milestone_title: &document.title,
            milestone_description: document.description.as_deref(),
            task: &flight.attempt.task.to_string(),
            title: &task.title,
            description: task.description.as_deref(),
            criteria: &texts(&criteria),
            resources: &texts(&task.resources),
            prerequisites: &delivered,
            verify: &texts(&task.verify),
            attempt: flight.attempt.fence,
            failed: failed.map(|failure| failure.reason.as_str()),
            begun_at: start,
            ..Briefing::default()
        })
    }
}

pub(super) fn texts(of: &[String]) -> Vec<&str> {
    of.iter().map(String::as_str).collect()
}
