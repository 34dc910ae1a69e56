//! What is done for one attempt: its worktree, its runner, its commit.

use std::io::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::Event;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use milestone_store::EventFilter;

use super::plan::fence_given;
use super::{Shared, trouble};
use crate::core::{Answer, Attempt, Failure, FailureKind, Millis, Ran};
use crate::git::{GitError, Integrated, Integration, Oid, Removed, Repository};
use crate::process::Start;
use crate::runners::{Ended, Heard, Job, Kind, Limited, Runner, Said, Used, Wait, said};
use crate::session::{Flight, GitState, Tried};

type Done = Result<Answer, Failure>;

/// After a limit of which nobody says when it ends.
const LIMITED_FOR: Duration = Duration::from_mins(1);

/// Whoever changes more files than this is not made to wait for others.
const TOUCHED_MAX: usize = 10_000;

impl Shared {
    /// What does a task: what it says itself, a shell where it has a command, or what was chosen.
    pub(super) fn runner_of(&self, task: &Task) -> String {
        self.setup.needs().runner(task)
    }

    /// Where an attempt will work, before anything of that is there.
    pub(super) fn flight(&self, snapshot: &Snapshot, attempt: Attempt) -> Flight {
        let document = snapshot.documents.get(&attempt.task.milestone);
        let task = document.and_then(|document| document.task(attempt.task.number));
        let folder = format!("{}-{}", attempt.task, attempt.id.0);
        let worktree = match &self.setup.repository {
            Some(_) => self.setup.worktrees.join(folder),
            None => self.setup.project.clone(),
        };
        Flight {
            session: self.session().id.clone(),
            attempt,
            runner: task.map(|task| self.runner_of(task)).unwrap_or_default(),
            branch: self.setup.repository.as_ref().map(|_| attempt.branch_name()),
            worktree,
            stream: document.and_then(|document| self.stream_of(document, attempt.task)),
            start: None,
            goes_on_from: None,
            log: self.sessions.log(attempt.id),
        }
    }

    pub(super) fn begin_tried(&self, flight: &Flight, title: &str) {
        let attempt = flight.attempt;
        let mut session = self.session();
        session.attempts.retain(|tried| tried.id != attempt.id);
        session.attempts.push(Tried {
            id: attempt.id,
            task: attempt.task,
            title: title.to_owned(),
            fence: attempt.fence,
            runner: flight.runner.clone(),
            state: "claimed".to_owned(),
            started: Timestamp::now(),
            ended: None,
            branch: flight.branch.clone(),
            worktree: self.setup.repository.as_ref().map(|_| flight.worktree.clone()),
            log: flight.log.clone(),
            commit: None,
            failure: None,
            last: None,
            heard: None,
            handle: None,
            used: Used::default(),
            counted: Used::default(),
        });
    }

    pub(super) fn end_tried(&self, attempt: Attempt, state: &str, failure: Option<&Failure>) {
        let commit = self.with(attempt, |flying| flying.integrated.clone()).flatten();
        self.tell(attempt.id, |tried| {
            state.clone_into(&mut tried.state);
            tried.ended = Some(Timestamp::now());
            tried.failure = failure.cloned();
            tried.commit = commit.or_else(|| tried.commit.take());
        });
    }

    pub(super) fn stage(&self, attempt: Attempt, state: &str) {
        self.tell(attempt.id, |tried| state.clone_into(&mut tried.state));
    }

    pub(super) fn flown(&self, attempt: Attempt) -> Result<Flight, Failure> {
        let flight = self.with(attempt, |flying| flying.flight.clone());
        flight.ok_or_else(|| trouble("nothing is known of this attempt"))
    }

    /// The attempt's own branch and worktree, from what is done so far.
    pub(super) fn prepare(&self, attempt: Attempt) -> Done {
        self.stage(attempt, "preparing");
        let mut flight = self.flown(attempt)?;
        let Some(repository) = &self.setup.repository else { return Ok(Answer::Done) };
        repository.take_fence(&attempt)?;
        let (document, _) = self.task(attempt)?;
        let required = document.dependencies.requires.iter();
        let required: Vec<_> = required.map(|on| on.node(document.id).milestone()).collect();
        repository.refresh(document.id, &required)?;
        // From here on nobody else brings anything of this task into the branch.
        if let Some(commit) = self.unrecorded(repository, &flight)? {
            self.with(attempt, |flying| flying.integrated = Some(commit));
            return Ok(Answer::InBranch);
        }
        let start = self.begin_at(repository, &document, &flight)?;
        flight.start = Some(start.to_string());
        let goes_on_from = self.goes_on_from(repository, &flight, &start)?;
        flight.goes_on_from = goes_on_from.as_ref().map(Oid::to_string);
        self.sessions.keep_flight(&flight).map_err(trouble)?;
        let begin = goes_on_from.as_ref().unwrap_or(&start);
        repository.add_worktree(&flight.worktree, &attempt, begin)?;
        self.with(attempt, |flying| flying.flight = flight);
        Ok(Answer::Done)
    }

    pub(super) fn process_of(&self, flight: &Flight) -> Option<Box<dyn Runner>> {
        match self.setup.runners.runner(&flight.runner)? {
            Kind::Process(runner) => Some(runner),
            Kind::Person => None,
        }
    }

    /// The commit that an earlier attempt brought into the branch and did not live to record.
    fn unrecorded(
        &self,
        repository: &Repository,
        flight: &Flight,
    ) -> Result<Option<String>, Failure> {
        let attempt = flight.attempt;
        let brought = repository.brought(attempt.task, &flight.goes_into())?;
        let Some((by, commit)) = brought.filter(|(by, _)| *by != attempt.id) else {
            return Ok(None);
        };
        let project = (self.setup.open)().map_err(trouble)?;
        let filter = EventFilter { milestone: None, task: Some(attempt.task) };
        let page = project.events(None, &filter, usize::MAX).map_err(trouble)?;
        let fence = fence_given(&page.events, by);
        // One that was recorded, and is to be done again, was reopened by somebody.
        let recorded = page.events.iter().any(|recorded| match recorded.event {
            Event::TaskStatusChanged { to: TaskStatus::Completed, fence: with, .. } => {
                with.is_some() && with == fence
            }
            _ => false,
        });
        Ok((!recorded).then(|| commit.to_string()))
    }

    pub(super) fn run(&self, attempt: Attempt, before: Option<&Failure>) -> Done {
        let flight = self.flown(attempt)?;
        self.make_ready(attempt, &flight)?;
        self.stage(attempt, "running");
        let (document, task) = self.task(attempt)?;
        let Some(runner) = self.process_of(&flight) else {
            return Err(trouble(format!("there is no runner called {}", flight.runner)));
        };
        // It may have changed since it was seen to be ready.
        if let Some(run) = task.run.as_ref().filter(|_| flight.runner == "shell") {
            self.check_trust("run", run)?;
        }
        let text = self.briefed(&document, &task, &flight, before);
        self.sessions.keep_prompt(attempt.id, &text).map_err(trouble)?;
        let earlier = self.earlier(&flight).filter(|tried| {
            let failure = tried.failure.as_ref();
            runner.continues()
                && failure.is_some_and(|failure| failure.kind.leaves_its_session_whole())
        });
        let preset = self.setup.runners.preset(&flight.runner);
        let root = self.setup.root.to_string_lossy();
        let prompt_file = self.sessions.prompt(attempt.id);
        let job = Job {
            prompt: &text,
            prompt_file: &prompt_file.to_string_lossy(),
            worktree: &flight.worktree.to_string_lossy(),
            writable: &[&root],
            run: task.run.as_deref(),
            resume: earlier.as_ref().and_then(|tried| tried.handle.as_deref()),
            model: preset.model.as_deref(),
            extra: &preset.arguments,
        };
        let before = earlier.as_ref().filter(|tried| tried.handle.is_some());
        let before = before.map(|tried| tried.counted).unwrap_or_default();
        let (code, heard) = self.converse(attempt, runner.as_ref(), &job, before)?;
        self.with(attempt, |flying| {
            flying.answer.clone_from(&heard.answer);
        });
        let ran = ended(runner.as_ref(), &task, code, &heard);
        if let Ran::NothingToChange(reason) = &ran {
            self.with(attempt, |flying| flying.reason = Some(reason.clone()));
        }
        Ok(Answer::Ran(ran))
    }

    /// Starts a runner, and hears all that it says.
    pub(super) fn converse(
        &self,
        attempt: Attempt,
        runner: &dyn Runner,
        job: &Job<'_>,
        before: Used,
    ) -> Result<(i32, Heard), Failure> {
        let launch = runner
            .launch(job)
            .map_err(|error| Failure::new(FailureKind::Blocked, error.to_string()))?;
        let mut environment = self.environment(attempt, &launch.passes_on);
        let given = launch.environment.iter();
        environment.extend(given.map(|(name, value)| (name.into(), value.into())));
        let start = Start {
            keeper: &self.setup.keeper,
            program: &launch.program,
            arguments: &launch.arguments,
            environment: &environment,
            folder: job.worktree.as_ref(),
            stdin: launch.stdin.as_deref().unwrap_or_default(),
        };
        self.hear(attempt, runner, &start, before)
    }

    pub(super) fn check_trust(&self, kind: &str, command: &str) -> Result<(), Failure> {
        if (self.setup.trusts)(kind, command) {
            return Ok(());
        }
        let reason = format!("needs trust: nobody has agreed to its `{kind}` here: {command}");
        Err(Failure::new(FailureKind::Blocked, reason))
    }

    fn task(&self, attempt: Attempt) -> Result<(Milestone, Task), Failure> {
        let project = (self.setup.open)().map_err(trouble)?;
        let scope = Scope::Milestone(attempt.task.milestone);
        let snapshot = project.read(&scope, &self.setup.actor).map_err(trouble)?;
        let document = snapshot.documents.get(&attempt.task.milestone).cloned();
        let found = document.and_then(|document| {
            let task = document.task(attempt.task.number)?.clone();
            Some((document, task))
        });
        let gone = || format!("{} is not there any more", attempt.task);
        found.ok_or_else(|| Failure::new(FailureKind::Lost, gone()))
    }

    /// Puts into git whatever the attempt left, so that nothing of it can be lost.
    pub(super) fn keep(&self, attempt: Attempt) -> Done {
        let flight = self.flown(attempt)?;
        let Some(repository) = &self.setup.repository else {
            // Without git, nobody can tell what was changed in the folder.
            return Ok(Answer::Kept { changed: true, files: Vec::new() });
        };
        let Some(start) = flight.start.as_deref().and_then(Oid::parse) else {
            return Ok(Answer::Kept { changed: false, files: Vec::new() });
        };
        let kept = match repository.keep(&flight.worktree, &attempt, &start) {
            // Not made yet, or as a power cut leaves one: what is in that stays where it is.
            Err(GitError::NotAWorktree { .. }) => {
                return Ok(Answer::Kept { changed: false, files: Vec::new() });
            }
            kept => kept?,
        };
        self.with(attempt, |flying| flying.kept = Some(kept.commit.to_string()));
        self.tell(attempt.id, |tried| tried.commit = Some(kept.commit.to_string()));
        repository.hand_over(&attempt, &kept.commit)?;
        if kept.state_touched {
            let reason = "it changed the project's own files in .milestones, which only commands \
                 may do";
            return Err(Failure::new(FailureKind::Trespass, reason));
        }
        self.check_copies(repository, attempt, (&start, &kept))?;
        let files = kept.changed.iter().take(TOUCHED_MAX).cloned().collect();
        Ok(Answer::Kept { changed: !kept.changed.is_empty(), files })
    }

    /// Runs the commands that show that the task is done, in what the attempt left.
    pub(super) fn verify(&self, attempt: Attempt) -> Done {
        let (document, task) = self.task(attempt)?;
        if !task.verify.is_empty() {
            self.stage(attempt, "verifying");
        }
        let flight = self.flown(attempt)?;
        self.check_left_behind(attempt, &document)?;
        for command in &task.verify {
            self.check_trust("verify", command)?;
            self.shell(attempt, &flight, command, FailureKind::Verify)?;
            self.with(attempt, |flying| flying.verified.push(command.clone()));
        }
        Ok(Answer::Done)
    }

    /// The last task of a phase is done once that leaves behind what it is to.
    fn check_left_behind(&self, attempt: Attempt, document: &Milestone) -> Result<(), Failure> {
        let promised = document.promised_with(attempt.task.number);
        if promised.is_empty() {
            return Ok(());
        }
        let mut commits = Vec::new();
        if let Some(repository) = &self.setup.repository {
            commits.push(self.kept_of(attempt)?);
            commits.extend(repository.tip(&self.flown(attempt)?.goes_into())?);
        }
        self.check_promised(&promised, &commits.iter().collect::<Vec<_>>())
    }

    /// One commit on the milestone's branch, and on the disk.
    pub(super) fn integrate(&self, attempt: Attempt) -> Done {
        let Some(repository) = &self.setup.repository else { return Ok(Answer::Done) };
        self.stage(attempt, "integrating");
        let (_, task) = self.task(attempt)?;
        let kept = self.kept_of(attempt)?;
        let into = self.flown(attempt)?.goes_into();
        let work = Integration {
            attempt,
            into: &into,
            kept: &kept,
            subject: &subject(&task, attempt),
            body: &self.said_of(attempt),
            strategy: self.setup.execution.strategy,
        };
        match repository.integrate(&work)? {
            Integrated::Done(commit) => {
                self.with(attempt, |flying| flying.integrated = Some(commit.to_string()));
            }
            Integrated::Nothing => {}
            Integrated::Conflict { files } => {
                let reason = format!(
                    "it does not go together with what others did in {}; it is kept under {}",
                    files.join(", "),
                    attempt.kept()
                );
                return Ok(Answer::Conflict { files, reason });
            }
        }
        repository.make_durable()?;
        Ok(Answer::Done)
    }

    /// The commit of what it left.
    fn kept_of(&self, attempt: Attempt) -> Result<Oid, Failure> {
        let kept = self.with(attempt, |flying| flying.kept.clone()).flatten();
        let kept = kept.as_deref().and_then(Oid::parse);
        kept.ok_or_else(|| trouble("nothing is kept of this attempt"))
    }

    /// What the runner said at its end, for the commit.
    fn said_of(&self, attempt: Attempt) -> String {
        self.with(attempt, |flying| flying.answer.clone()).flatten().unwrap_or_default()
    }

    pub(super) fn is_integrated(&self, flight: &Flight) -> Option<String> {
        let repository = self.setup.repository.as_ref()?;
        repository.done(&flight.attempt, &flight.goes_into()).ok()?.map(|commit| commit.to_string())
    }

    /// Removes the worktree, unless something in it is nowhere else.
    pub(super) fn clear(&self, attempt: Attempt) -> Done {
        let flight = self.flown(attempt)?;
        if self.kept_of(attempt).is_err() {
            self.keep(attempt)?;
        }
        // Without anything kept it never got to work, and is as it was to begin.
        let begin = || flight.goes_on_from.as_ref().or(flight.start.as_ref());
        let begin = || begin().and_then(|commit| Oid::parse(commit));
        let kept = self.kept_of(attempt).ok().or_else(begin);
        if let (Some(repository), Some(kept)) = (&self.setup.repository, kept) {
            let removed = repository.remove_worktree(&flight.worktree, &attempt, &kept);
            if let Removed::Kept(why) = removed? {
                let mut log = self.sessions.create_log(attempt.id).map_err(trouble)?;
                let _ = writeln!(log, "the worktree stays: {why}");
            }
        }
        self.sessions.end_flight(attempt.id).map_err(trouble)?;
        self.flying().remove(&attempt.id);
        Ok(Answer::Done)
    }

    /// How git stands where the session works.
    pub(super) fn git_state(&self) -> Option<GitState> {
        let repository = self.setup.repository.as_ref()?;
        let here = repository.describe(repository.top()).ok()?;
        let milestone = self.setup.milestone;
        let tip = repository.milestone_tip(milestone).ok().flatten();
        Some(GitState {
            branch: here.branch.map(|name| match name.strip_prefix("refs/heads/") {
                Some(short) => short.to_owned(),
                None => name,
            }),
            commit: here.commit.map(|commit| commit.to_string()).unwrap_or_default(),
            uncommitted: here.uncommitted,
            milestone_branch: format!("milestone/{milestone}"),
            milestone_commit: tip.map(|tip| tip.to_string()).unwrap_or_default(),
        })
    }
}

/// What a runner's end means for the task.
fn ended(runner: &dyn Runner, task: &Task, code: i32, heard: &Heard) -> Ran {
    let ended = runner.ended(heard, Some(code));
    if let (Ended::Failed(reason), Some(limited)) = (&ended, heard.limited) {
        return Ran::Limited(wait(limited), reason.clone());
    }
    let badly = |kind, reason| Ran::Badly(Failure::new(kind, reason));
    match (heard.answer.as_deref().and_then(said), ended) {
        (Some(Said::Blocked(reason)), _) => badly(FailureKind::Blocked, reason),
        (_, Ended::Failed(reason)) => badly(FailureKind::Run, reason),
        (Some(Said::NothingToChange(reason)), Ended::Succeeded) => Ran::NothingToChange(reason),
        _ if task.effect.is_some() => {
            Ran::NothingToChange("the task declares that it changes no files".to_owned())
        }
        _ => Ran::Well,
    }
}

/// How long nothing is begun after a limit.
pub(super) fn wait(limited: Limited) -> Millis {
    let wait = match limited.wait {
        Some(Wait::For(wait)) => wait,
        Some(Wait::Until(at)) => at.duration_since(Timestamp::now()).try_into().unwrap_or_default(),
        None => LIMITED_FOR,
    };
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

/// What a commit is called: which kind of change, of which milestone, and what.
fn subject(task: &Task, attempt: Attempt) -> String {
    let kind = match task.kind.as_deref() {
        Some("bug" | "bugfix" | "fix") => "fix",
        Some("test" | "testing" | "tests") => "test",
        Some("docs" | "documentation") => "docs",
        Some("refactoring" | "refactor") => "refactor",
        Some("chore" | "release" | "operations") => "chore",
        _ => "feat",
    };
    format!("{kind}({}): {}", attempt.task.milestone, task.title)
}

impl From<GitError> for Failure {
    fn from(error: GitError) -> Self {
        let kind = match error {
            GitError::FenceMoved { .. } => FailureKind::Lost,
            GitError::HubAway { .. } => FailureKind::Away,
            _ => FailureKind::World,
        };
        Self::new(kind, error.to_string())
    }
}
