//! The leads of streams: what is done once all tasks of a stream are done, and before its work is
//! in the milestone's branch.
//!
//! The milestone's branch is taken in, all of the stream's commands are run again on what comes of
//! it, an agent reviews it where one is named, and what was decided is recorded. Only what was
//! accepted goes up, and every step may be repeated.

use std::collections::BTreeSet;

use jiff::Timestamp;
use milestone_domain::command::Command;
use milestone_domain::document::Milestone;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::streams::{Stream, StreamName, Streams};
use milestone_store::{Error, EventFilter, Project};

use super::attempt::wait;
use super::briefing::texts;
use super::plan::cut;
use super::{Shared, trouble};
use crate::core::{Answer, Failure, FailureKind, Millis, Ran};
use crate::git::{Branch, Oid, Raised, Repository, Together};
use crate::prompt::{self, Briefing, Delivered, Template};
use crate::runners::{Ended, Job, Kind, Reviewed, Used, reviewed};
use crate::session::{Flight, StreamStage, StreamState};
use crate::verdicts::{Judge, Verdict, verdicts};

/// How the streams of a milestone stand.
pub(super) struct Standing {
    pub streams: Streams,
    /// The tasks whose work is in a stream's branch and not in the milestone's.
    below: BTreeSet<TaskId>,
    complete: BTreeSet<StreamName>,
}

impl Standing {
    fn is_complete(&self, stream: &Stream) -> bool {
        self.complete.contains(&stream.name)
    }

    fn is_up(&self, stream: &Stream) -> bool {
        self.is_complete(stream) && !stream.tasks.iter().any(|task| self.below.contains(task))
    }

    /// What is done, and not in the milestone's branch.
    pub fn to_raise(&self) -> impl Iterator<Item = &Stream> {
        let all = self.streams.all().iter();
        all.filter(|stream| self.is_complete(stream) && !self.is_up(stream))
    }

    /// The stream that has what a task builds on, while a branch that begins now would not.
    pub fn holds_back(&self, task: TaskId) -> Option<&Stream> {
        self.streams.below(task).find(|stream| !self.is_up(stream))
    }
}

/// A stream's work as it would be in the milestone's branch.
struct Merged<'a> {
    repository: &'a Repository,
    document: &'a Milestone,
    stream: &'a Stream,
    branch: Branch,
    milestone: Oid,
    tip: Oid,
    /// The tasks whose work goes up with it.
    tasks: BTreeSet<TaskId>,
}

/// What judging a stream came to.
enum Judged {
    /// It may go up, for this reason.
    Accepted(String),
    Limited(Millis, String),
}

impl Shared {
    fn streams(&self, document: &Milestone) -> Option<Streams> {
        self.setup.hierarchical.then(|| Streams::of(document, self.setup.execution.streams))
    }

    pub(super) fn stream_of(&self, document: &Milestone, task: TaskId) -> Option<StreamName> {
        let streams = self.streams(document)?;
        streams.around(task).map(|stream| stream.name.clone())
    }

    /// Nothing where no streams are asked for.
    pub(super) fn standing(&self, document: &Milestone) -> Result<Option<Standing>, Failure> {
        let (Some(streams), Some(repository)) = (self.streams(document), &self.setup.repository)
        else {
            return Ok(None);
        };
        let below = repository.below(document.id)?;
        let complete = streams.all().iter().filter(|stream| stream.is_complete(document));
        let complete = complete.map(|stream| stream.name.clone()).collect();
        let standing = Standing { streams, below, complete };
        self.tell_streams(document, &standing);
        Ok(Some(standing))
    }

    /// What the session says of its streams.
    fn tell_streams(&self, document: &Milestone, standing: &Standing) {
        let mut session = self.session();
        let before = std::mem::take(&mut session.streams);
        let state = |stream: &Stream| {
            let before = before.iter().find(|state| state.name == stream.name);
            let judged = before.map(|before| before.state);
            let state = match judged {
                _ if !standing.is_complete(stream) => StreamStage::Working,
                _ if standing.is_up(stream) => StreamStage::Up,
                Some(state) if state.is_judged() || state == StreamStage::Out => state,
                _ => StreamStage::Complete,
            };
            let same = before.filter(|before| before.state == state);
            StreamState {
                name: stream.name.clone(),
                branch: Branch::of_stream(document.id, &stream.name).name(),
                tasks: stream.tasks.len(),
                tasks_done: stream.completed(document),
                state,
                reason: same.and_then(|before| before.reason.clone()),
                log: before.and_then(|before| before.log.clone()),
                at: before.and_then(|before| before.at),
                used: before.map(|before| before.used).unwrap_or_default(),
            }
        };
        session.streams = standing.streams.all().iter().map(state).collect();
    }

    fn tell_stream(&self, name: &StreamName, stage: StreamStage, reason: Option<&str>) {
        let log = self.sessions.log(self.looker(&self.folder_of(name)).id);
        let mut session = self.session();
        if let Some(state) = session.streams.iter_mut().find(|state| state.name == *name) {
            (state.state, state.at) = (stage, Some(Timestamp::now()));
            state.reason = reason.map(str::to_owned);
            state.log = Some(log).filter(|log| log.exists());
        }
    }

    fn count_review(&self, name: &StreamName, used: Used) {
        let mut session = self.session();
        if let Some(state) = session.streams.iter_mut().find(|state| state.name == *name) {
            state.used = state.used.and(used);
        }
    }

    /// An earlier run of the session may have been killed while it judged: that is looked at anew.
    pub(super) fn forget_judging(&self) {
        for state in &mut self.session().streams {
            (state.state, state.reason) = (StreamStage::Complete, None);
        }
    }

    /// Why a stream stays out, as far as it was judged.
    pub(super) fn said_of_stream(&self, name: &StreamName) -> Option<String> {
        let session = self.session();
        let state = session.streams.iter().find(|state| state.name == *name)?;
        state.reason.clone().filter(|_| state.state == StreamStage::Out)
    }

    pub(super) fn folder_of(&self, name: &StreamName) -> String {
        format!("{}--{name}", self.setup.milestone)
    }

    /// Where an attempt begins: with the work of all that its milestone requires, and of all that
    /// its task builds on.
    pub(super) fn begin_at(
        &self,
        repository: &Repository,
        document: &Milestone,
        flight: &Flight,
    ) -> Result<Oid, Failure> {
        let start = repository.milestone_branch(document.id, &required(document))?;
        let task = flight.attempt.task;
        let Some(standing) = self.standing(document)?.filter(|_| flight.stream.is_some()) else {
            return Ok(start);
        };
        let branch = flight.goes_into();
        let own = standing.streams.around(task).map(|stream| work_of(stream, &standing));
        let start = at(&branch, repository.stream_branch(&branch, &own.unwrap_or_default())?)?;
        if standing.streams.below(task).next().is_none() {
            return Ok(start);
        }
        at(&branch, repository.bring_up_to_date(&branch)?)
    }

    /// Judges a stream, and brings it up if it may come.
    pub(super) fn lead(&self, name: &StreamName) -> Result<Answer, Failure> {
        let led = self.judge_and_raise(name);
        match &led {
            Ok(Answer::Done) => {}
            Err(failure) if !is_for_later(failure.kind) => {
                self.tell_stream(name, StreamStage::Out, Some(&failure.reason));
            }
            _ => self.tell_stream(name, StreamStage::Complete, None),
        }
        led
    }

    fn judge_and_raise(&self, name: &StreamName) -> Result<Answer, Failure> {
        let changed = || trouble(format!("the stream {name} has changed; it is looked at again"));
        let Some(repository) = &self.setup.repository else { return Ok(Answer::Done) };
        let project = (self.setup.open)().map_err(trouble)?;
        let snapshot = self.read(&project).map_err(|error| told(&error))?;
        let document = snapshot.documents.get(&self.setup.milestone).ok_or_else(changed)?;
        let standing = self.standing(document)?.ok_or_else(changed)?;
        let stream = standing.streams.named(name.as_str());
        let stream = stream.filter(|stream| standing.is_complete(stream)).ok_or_else(changed)?;
        self.tell_stream(name, StreamStage::Verifying, None);
        let merged = merged(repository, document, stream, &standing)?;
        let why = match self.judge(&project, &merged)? {
            Judged::Accepted(why) => why,
            Judged::Limited(wait, reason) => return Ok(Answer::Ran(Ran::Limited(wait, reason))),
        };
        match repository.raise(&merged.branch, &merged.tip, &why)? {
            Raised::Up(_) => {
                repository.make_durable()?;
                self.tell_stream(name, StreamStage::Up, Some(&why));
                Ok(Answer::Done)
            }
            Raised::Moved => Err(changed()),
        }
    }

    /// What is recorded already of this very work is not asked for again.
    fn judge(&self, project: &Project, merged: &Merged<'_>) -> Result<Judged, Failure> {
        let before = merged.judged_before(project)?;
        let reviewer = self.setup.execution.reviewer.as_deref();
        if let Some(verdict) = merged.accepted_before(&before, reviewer.is_some()) {
            return Ok(Judged::Accepted(verdict.decided()));
        }
        let reviewed = before.iter().find(|verdict| verdict.by == Judge::Review);
        let to_ask = reviewer.filter(|_| reviewed.is_none());
        let verdict = match (self.look_at(merged, to_ask), reviewed.filter(|_| reviewer.is_some()))
        {
            (Err(failure), _) if failure.kind == FailureKind::Verify => {
                merged.verdict(false, Judge::Verification, failure.reason)
            }
            (Ok(Some(Asked::Limited(wait, why))), _) => return Ok(Judged::Limited(wait, why)),
            (Ok(Some(Asked::Answered(accepted, why))), _) => {
                merged.verdict(accepted, Judge::Review, why)
            }
            (Ok(None), Some(before)) => Verdict { at: merged.tip.clone(), ..before.clone() },
            (Ok(None), None) => merged.verdict(true, Judge::Verification, merged.verified()),
            (Err(failure), _) => return Err(failure),
        };
        // What is found out again is not said again.
        if before.first() != Some(&verdict) {
            let (milestone, text) = (merged.document.id, verdict.to_string());
            let note = Command::NoteMilestone { milestone, text };
            self.execute(project, &note).map_err(|error| told(&error))?;
        }
        match verdict.accepted {
            true => Ok(Judged::Accepted(verdict.decided())),
            false => Err(Failure::new(FailureKind::Verify, verdict.decided())),
        }
    }

    /// Verifies all of a stream together, and asks for a review where one is to be asked for.
    fn look_at(&self, merged: &Merged<'_>, to_ask: Option<&str>) -> Result<Option<Asked>, Failure> {
        let commands = merged.commands();
        if commands.is_empty() && to_ask.is_none() {
            return Ok(None);
        }
        let what = self.folder_of(&merged.stream.name);
        self.looking_at(&what, Some(&merged.tip), |flight| {
            self.verify_in(flight, &commands)?;
            to_ask.map(|name| self.review(flight, name, merged)).transpose()
        })
    }

    /// Has an agent look at what the stream would bring.
    fn review(&self, flight: &Flight, name: &str, merged: &Merged<'_>) -> Result<Asked, Failure> {
        self.tell_stream(&merged.stream.name, StreamStage::Reviewing, None);
        let runner = match self.setup.runners.runner(name) {
            Some(Kind::Process(runner)) => runner,
            Some(Kind::Person) => {
                let reason = format!(
                    "it waits for the review of a person: `git diff {}...{}`",
                    Branch::of(merged.document.id).name(),
                    merged.branch.name()
                );
                return Err(Failure::new(FailureKind::Blocked, reason));
            }
            None => {
                let reason = format!("`review.runner` names {name}, and there is no such runner");
                return Err(Failure::new(FailureKind::Blocked, reason));
            }
        };
        self.check_trust("runner", &self.setup.runners.trusted_as(name))?;
        let attempt = flight.attempt;
        let text = merged.told()?;
        self.sessions.keep_prompt(attempt.id, &text).map_err(trouble)?;
        let prompt_file = self.sessions.prompt(attempt.id);
        let preset = self.setup.runners.preset(name);
        let root = self.setup.root.to_string_lossy();
        let job = Job {
            prompt: &text,
            prompt_file: &prompt_file.to_string_lossy(),
            worktree: &flight.worktree.to_string_lossy(),
            writable: &[&root],
            run: None,
            resume: None,
            model: preset.model.as_deref(),
            extra: &preset.arguments,
        };
        let (code, heard) = self.converse(attempt, runner.as_ref(), &job, Used::default())?;
        self.count_review(&merged.stream.name, runner.used(heard.used, Used::default()));
        if let Ended::Failed(reason) = runner.ended(&heard, Some(code)) {
            return match heard.limited {
                Some(limited) => Ok(Asked::Limited(wait(limited), reason)),
                None => {
                    Err(Failure::new(FailureKind::Run, format!("its review by {name}: {reason}")))
                }
            };
        }
        match heard.answer.as_deref().and_then(reviewed) {
            Some(Reviewed::Accepted(said)) => {
                let said = said.map(|said| format!(": {said}")).unwrap_or_default();
                Ok(Asked::Answered(true, format!("{name}{said}; {}", merged.verified())))
            }
            Some(Reviewed::Rejected(why)) => Ok(Asked::Answered(false, format!("{name}: {why}"))),
            None => {
                let reason = "ended without a word on whether it may come in";
                Err(Failure::new(FailureKind::Run, format!("its review by {name} {reason}")))
            }
        }
    }
}

/// What a review came to.
enum Asked {
    /// Whether it may come in, and why.
    Answered(bool, String),
    Limited(Millis, String),
}

impl Merged<'_> {
    /// What was decided about this very work, brought up to date or not; the latest first.
    fn judged_before(&self, project: &Project) -> Result<Vec<Verdict>, Failure> {
        let filter = EventFilter { milestone: Some(self.document.id), task: None };
        let page = project.events(None, &filter, usize::MAX).map_err(trouble)?;
        let mut same = Vec::new();
        for verdict in verdicts(&page.events, &self.stream.name) {
            let (tip, milestone) = (&self.tip, &self.milestone);
            if !self.repository.is_same_work(&verdict.at, tip, milestone)? {
                break;
            }
            same.push(verdict);
        }
        Ok(same)
    }

    /// What whoever reviews a stream is told.
    fn told(&self) -> Result<String, Failure> {
        let document = self.document;
        let tasks: Vec<_> = self
            .tasks
            .iter()
            .map(|id| {
                let title = document.task(id.number).map(|task| task.title.clone());
                let account = self.repository.account(*id, &self.branch).ok().flatten();
                (id.to_string(), title.unwrap_or_default(), account)
            })
            .collect();
        let tasks: Vec<Delivered<'_>> = tasks
            .iter()
            .map(|(task, title, what)| Delivered { task, title, what: what.as_deref() })
            .collect();
        let criteria: Vec<String> =
            document.criteria.iter().map(|criterion| criterion.text.clone()).collect();
        Ok(Template::parse(prompt::REVIEW).map_err(trouble)?.filled(&Briefing {
            milestone: &document.id.to_string(),
            milestone_title: &document.title,
            milestone_description: document.description.as_deref(),
            criteria: &texts(&criteria),
            stream: Some(self.stream.name.as_str()),
            tasks: &tasks,
            difference: Some((self.milestone.as_str(), self.tip.as_str())),
            ..Briefing::default()
        }))
    }

    fn verdict(&self, accepted: bool, by: Judge, why: String) -> Verdict {
        let (stream, at) = (self.stream.name.clone(), self.tip.clone());
        Verdict { stream, at, accepted, by, why: cut(why) }
    }

    /// What lets it go up without looking again: a person's word about this work, or what was decided
    /// last about this very commit.
    fn accepted_before<'a>(&self, before: &'a [Verdict], is_reviewed: bool) -> Option<&'a Verdict> {
        let by_person = |verdict: &&Verdict| verdict.by == Judge::Person && verdict.accepted;
        let last = before.first().filter(|last| {
            let is_enough = !is_reviewed || last.by != Judge::Verification;
            last.accepted && last.at == self.tip && is_enough
        });
        before.iter().find(by_person).or(last)
    }

    fn verified(&self) -> String {
        match self.commands() {
            commands if commands.is_empty() => {
                "its tasks have nothing to be verified by".to_owned()
            }
            commands => format!("verified by `{}`", commands.join("`, `")),
        }
    }

    /// All that the tasks are verified by, each once.
    fn commands(&self) -> Vec<String> {
        let tasks = self.tasks.iter().filter_map(|id| self.document.task(id.number));
        let mut commands: Vec<String> = Vec::new();
        for command in tasks.flat_map(|task| &task.verify) {
            if !commands.contains(command) {
                commands.push(command.clone());
            }
        }
        commands
    }
}

fn merged<'a>(
    repository: &'a Repository,
    document: &'a Milestone,
    stream: &'a Stream,
    standing: &Standing,
) -> Result<Merged<'a>, Failure> {
    let milestone = repository.milestone_branch(document.id, &required(document))?;
    let branch = Branch::of_stream(document.id, &stream.name);
    at(&branch, repository.stream_branch(&branch, &work_of(stream, standing))?)?;
    let tip = at(&branch, repository.bring_up_to_date(&branch)?)?;
    let mut tasks = repository.works_in(document.id, &milestone, &tip)?;
    tasks.extend(&stream.tasks);
    Ok(Merged { repository, document, stream, branch, milestone, tip, tasks })
}

/// The tasks of a stream whose work is done and not in the milestone's branch.
fn work_of(stream: &Stream, standing: &Standing) -> BTreeSet<TaskId> {
    stream.tasks.iter().copied().filter(|task| standing.below.contains(task)).collect()
}

fn required(document: &Milestone) -> Vec<MilestoneId> {
    let required = document.dependencies.requires.iter();
    required.map(|on| on.node(document.id).milestone()).collect()
}

fn at(branch: &Branch, together: Together) -> Result<Oid, Failure> {
    match together {
        Together::At(tip) => Ok(tip),
        Together::Conflict { with, what, files } => {
            let (branch, files) = (branch.name(), files.join(", "));
            let reason = format!(
                "{branch} and {with} have both changed {files}; put that right in a worktree of \
                 your own, on {branch}: `git merge {what}`"
            );
            Err(Failure::new(FailureKind::Conflict, reason))
        }
    }
}

/// Whether it says nothing about the stream.
fn is_for_later(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::World | FailureKind::Stopped)
}

fn told(error: &Error) -> Failure {
    trouble(match error {
        Error::Refused(refusal) => refusal.to_string(),
        Error::Store(error) => error.to_string(),
    })
}
