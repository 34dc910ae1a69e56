//! What is done for one attempt: its worktree, its runner, its commit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::Event;
use milestone_domain::ids::{Node, TaskId};
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use milestone_store::EventFilter;

use super::plan::fence_given;
use super::{Shared, trouble};
use crate::boxed::{Inside, Wrapped};
use crate::core::{Answer, Attempt, Failure, FailureKind, Input, Millis, Ran};
use crate::git::{GitError, Integrated, Integration, Oid, Removed, Repository};
use crate::keeper;
use crate::log::Log;
use crate::process::{self, Lifeline, Start};
use crate::prompt::{Briefing, Delivered};
use crate::runners::{Ended, Heard, Job, Kind, Limited, Runner, Said, Used, Wait, said};
use crate::session::{Flight, GitState, Tried};

type Done = Result<Answer, Failure>;

/// What every program may know of ours: enough to find itself, its settings and its language.
const PASSED_ON: [&str; 10] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "XDG_CONFIG_HOME",
];

/// After a limit of which nobody says when it ends.
const LIMITED_FOR: Duration = Duration::from_mins(1);

/// How often it is told that a runner says something.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// How many lines of a failed command are told.
const TAIL_LINES: usize = 20;

/// How much of each.
const TAIL_CHARS: usize = 500;

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
        // From here on nobody else brings anything of this task into the branch.
        if let Some(commit) = self.unrecorded(repository, attempt)? {
            self.with(attempt, |flying| flying.integrated = Some(commit));
            return Ok(Answer::InBranch);
        }
        // With the work of all that its milestone requires.
        let (document, _) = self.task(attempt)?;
        let required = document.dependencies.requires.iter();
        let required: Vec<_> = required.map(|on| on.node(document.id).milestone()).collect();
        let start = repository.milestone_branch(document.id, &required)?;
        flight.start = Some(start.to_string());
        let goes_on_from = self.goes_on_from(repository, &flight, &start)?;
        flight.goes_on_from = goes_on_from.as_ref().map(Oid::to_string);
        self.sessions.keep_flight(&flight).map_err(trouble)?;
        let begin = goes_on_from.as_ref().unwrap_or(&start);
        repository.add_worktree(&flight.worktree, &attempt, begin)?;
        self.with(attempt, |flying| flying.flight = flight);
        Ok(Answer::Done)
    }

    /// The attempt before this one, if it was at the same task and by the same agent, which can go
    /// on with what is there: a command is begun anew.
    fn earlier(&self, flight: &Flight) -> Option<Tried> {
        let runner = self.process_of(flight)?;
        let session = self.session();
        let of_task = session.attempts.iter().rev();
        let mut earlier = of_task
            .filter(|tried| tried.task == flight.attempt.task && tried.id != flight.attempt.id);
        let last = earlier.next().filter(|tried| tried.runner == flight.runner)?;
        runner.is_told().then(|| last.clone())
    }

    fn process_of(&self, flight: &Flight) -> Option<Box<dyn Runner>> {
        match self.setup.runners.runner(&flight.runner)? {
            Kind::Process(runner) => Some(runner),
            Kind::Person => None,
        }
    }

    /// What an agent that was stopped, or whose work did not do yet, had done so far.
    fn goes_on_from(
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

    /// The commit that an earlier attempt brought into the branch and did not live to record.
    fn unrecorded(
        &self,
        repository: &Repository,
        attempt: Attempt,
    ) -> Result<Option<String>, Failure> {
        let brought = repository.brought(attempt.task)?;
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
        let launch = runner
            .launch(&job)
            .map_err(|error| Failure::new(FailureKind::Blocked, error.to_string()))?;
        let mut environment = self.environment(attempt, &launch.passes_on);
        let given = launch.environment.iter();
        environment.extend(given.map(|(name, value)| (name.into(), value.into())));
        let start = Start {
            keeper: &self.setup.keeper,
            program: &launch.program,
            arguments: &launch.arguments,
            environment: &environment,
            folder: &flight.worktree,
            stdin: launch.stdin.as_deref().unwrap_or_default(),
        };
        let before = earlier.filter(|tried| tried.handle.is_some());
        let before = before.map(|tried| tried.counted).unwrap_or_default();
        let (code, heard) = self.hear(attempt, runner.as_ref(), &start, before)?;
        self.with(attempt, |flying| {
            flying.answer.clone_from(&heard.answer);
        });
        let ran = ended(runner.as_ref(), &task, code, &heard);
        if let Ran::NothingToChange(reason) = &ran {
            self.with(attempt, |flying| flying.reason = Some(reason.clone()));
        }
        Ok(Answer::Ran(ran))
    }

    /// The tasks of the same milestone that it builds on, and what was said of each at its end.
    fn delivered(
        &self,
        document: &Milestone,
        task: &Task,
    ) -> Vec<(String, String, Option<String>)> {
        let named =
            task.requires.iter().filter_map(|reference| match reference.node(document.id) {
                Node::Task(id) if id.milestone == document.id => Some(id),
                _ => None,
            });
        let told = |id: TaskId| {
            let title = document.task(id.number)?.title.clone();
            // It helps to know; the work itself is in the folder.
            let repository = self.setup.repository.as_ref();
            let account = repository.and_then(|repository| repository.account(id).ok().flatten());
            Some((id.to_string(), title, account))
        };
        named.filter_map(told).collect()
    }

    /// What an agent is told about its task.
    fn briefed(
        &self,
        document: &Milestone,
        task: &Task,
        flight: &Flight,
        before: Option<&Failure>,
    ) -> String {
        let before_it = self.delivered(document, task);
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
        })
    }

    pub(super) fn check_trust(&self, kind: &str, command: &str) -> Result<(), Failure> {
        if (self.setup.trusts)(kind, command) {
            return Ok(());
        }
        let reason = format!("needs trust: nobody has agreed to its `{kind}` here: {command}");
        Err(Failure::new(FailureKind::Blocked, reason))
    }

    /// Runs it and listens.
    fn hear(
        &self,
        attempt: Attempt,
        runner: &dyn Runner,
        start: &Start<'_>,
        before: Used,
    ) -> Result<(i32, Heard), Failure> {
        let mut heard = Heard::default();
        let mut told: Option<Instant> = None;
        let code = self.start(attempt, start, &mut |line| {
            runner.hear(line, &mut heard);
            let used = runner.used(heard.used, before);
            self.notice(attempt, &heard, used);
            // Some print thousands of lines a second.
            if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                self.tell_heard(attempt, &heard, used);
            }
        })?;
        self.tell_heard(attempt, &heard, runner.used(heard.used, before));
        Ok((code, heard))
    }

    fn tell_heard(&self, attempt: Attempt, heard: &Heard, used: Used) {
        let _ = self.inputs.send(Input::Heard(attempt, Some(used)));
        self.tell(attempt.id, |tried| {
            tried.heard = Some(Timestamp::now());
            tried.last.clone_from(&heard.last);
            tried.handle.clone_from(&heard.handle);
            (tried.used, tried.counted) = (used, heard.used);
        });
    }

    /// Starts a process that `Stop` ends.
    fn start(
        &self,
        attempt: Attempt,
        start: &Start<'_>,
        hear: &mut (dyn FnMut(&str) + Send),
    ) -> Result<i32, Failure> {
        let lifeline = Lifeline::default();
        let stopped = self.with(attempt, |flying| {
            flying.lifeline = lifeline.clone();
            flying.stopped
        });
        if stopped.unwrap_or(true) {
            return Err(Failure::new(FailureKind::Stopped, "stopped"));
        }
        let log = self.sessions.create_log(attempt.id).map_err(trouble)?;
        let mut log = Log::of(log, self.setup.log_limit).map_err(trouble)?;
        let wrapped = self.boxed(attempt, start)?;
        let start = match &wrapped {
            Some(Wrapped { program, arguments }) => &Start { program, arguments, ..*start },
            None => start,
        };
        let ended = process::run(start, &lifeline, &mut log, hear);
        let stopped = self.with(attempt, |flying| flying.stopped).unwrap_or(true);
        match ended {
            _ if stopped => Err(Failure::new(FailureKind::Stopped, "stopped")),
            Ok(Some(code)) => Ok(code),
            Ok(None) => {
                keeper::end_all_of(attempt.id);
                let reason = "the process that keeps the runner was killed";
                Err(Failure::new(FailureKind::Run, reason))
            }
            Err(error) => Err(trouble(error)),
        }
    }

    /// The command in a box, where one is wanted.
    fn boxed(&self, attempt: Attempt, start: &Start<'_>) -> Result<Option<Wrapped>, Failure> {
        let Some(boxes) = &self.setup.boxes else { return Ok(None) };
        let flight = self.flown(attempt)?;
        let repository = self.setup.repository.as_ref();
        let inside = Inside {
            runner: &flight.runner,
            folder: start.folder,
            root: &self.setup.root,
            project: &self.setup.project,
            git: repository.map(|repository| (repository.common(), attempt.branch())),
        };
        Ok(Some(boxes.around(start, &inside)))
    }

    fn environment(&self, attempt: Attempt, more: &[String]) -> BTreeMap<OsString, OsString> {
        let names = PASSED_ON.iter().copied().chain(more.iter().map(String::as_str));
        let names = names.chain(self.setup.execution.environment.iter().map(String::as_str));
        let mut environment: BTreeMap<OsString, OsString> =
            names.filter_map(|name| Some((name.into(), std::env::var_os(name)?))).collect();
        let own = [
            ("MILESTONE_ROOT", self.setup.project.clone().into_os_string()),
            ("MILESTONE_TASK", attempt.task.to_string().into()),
            ("MILESTONE_FENCE", attempt.fence.to_string().into()),
            ("MILESTONE_ATTEMPT", attempt.id.0.to_string().into()),
            ("MILESTONE_SESSION", self.session().id.clone().into()),
        ];
        environment.extend(own.map(|(name, value)| (name.into(), value)));
        environment
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
            return Ok(Answer::Kept { changed: true });
        };
        let start = flight.start.as_deref().and_then(Oid::parse);
        let Some(start) = start.filter(|_| flight.worktree.exists()) else {
            return Ok(Answer::Kept { changed: false });
        };
        let kept = match repository.keep(&flight.worktree, &attempt, &start) {
            // As a power cut leaves one. What is in it stays where it is.
            Err(GitError::NotAWorktree { .. }) => return Ok(Answer::Kept { changed: false }),
            kept => kept?,
        };
        self.with(attempt, |flying| flying.kept = Some(kept.commit.to_string()));
        self.tell(attempt.id, |tried| tried.commit = Some(kept.commit.to_string()));
        if kept.state_touched {
            let reason = "it changed the project's own files in .milestones, which only commands \
                 may do";
            return Err(Failure::new(FailureKind::Trespass, reason));
        }
        self.check_copies(repository, attempt, (&start, &kept))?;
        Ok(Answer::Kept { changed: !kept.changed.is_empty() })
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
            commits.extend(repository.milestone_tip(document.id)?);
        }
        self.check_promised(&promised, &commits.iter().collect::<Vec<_>>())
    }

    /// Runs a command that must succeed, in what the attempt works in.
    pub(super) fn shell(
        &self,
        attempt: Attempt,
        flight: &Flight,
        command: &str,
        kind: FailureKind,
    ) -> Result<(), Failure> {
        let arguments = ["-c".to_owned(), command.to_owned()];
        let environment = self.environment(attempt, &[]);
        let start = Start {
            keeper: &self.setup.keeper,
            program: "sh",
            arguments: &arguments,
            environment: &environment,
            folder: &flight.worktree,
            stdin: "",
        };
        let mut tail = Vec::new();
        let mut told: Option<Instant> = None;
        let code = self.start(attempt, &start, &mut |line| {
            keep_tail(&mut tail, line);
            if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                told = Some(Instant::now());
                let _ = self.inputs.send(Input::Heard(attempt, None));
            }
        })?;
        if code == 0 {
            return Ok(());
        }
        let reason = format!("`{command}` ended with {code}:\n{}", tail.join("\n"));
        Err(Failure::new(kind, reason))
    }

    /// One commit on the milestone's branch, and on the disk.
    pub(super) fn integrate(&self, attempt: Attempt) -> Done {
        let Some(repository) = &self.setup.repository else { return Ok(Answer::Done) };
        self.stage(attempt, "integrating");
        let (_, task) = self.task(attempt)?;
        let kept = self.kept_of(attempt)?;
        let work = Integration {
            attempt,
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
                return Err(Failure::new(FailureKind::Conflict, reason));
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

    pub(super) fn is_integrated(&self, attempt: Attempt) -> Option<String> {
        let repository = self.setup.repository.as_ref()?;
        repository.done(&attempt).ok()?.map(|commit| commit.to_string())
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

fn texts(of: &[String]) -> Vec<&str> {
    of.iter().map(String::as_str).collect()
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
fn wait(limited: Limited) -> Millis {
    let wait = match limited.wait {
        Some(Wait::For(wait)) => wait,
        Some(Wait::Until(at)) => at.duration_since(Timestamp::now()).try_into().unwrap_or_default(),
        None => LIMITED_FOR,
    };
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

fn keep_tail(tail: &mut Vec<String>, line: &str) {
    if tail.len() == TAIL_LINES {
        tail.remove(0);
    }
    tail.push(line.chars().take(TAIL_CHARS).collect());
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
            _ => FailureKind::World,
        };
        Self::new(kind, error.to_string())
    }
}
