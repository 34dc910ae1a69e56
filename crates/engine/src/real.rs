//! The real world: the store, git, and processes.
//!
//! Whatever an action needs to know beside the attempt's name stands in the attempt's flight, which
//! is on the disk before anything is begun for it.

mod able;
mod attempt;
mod briefing;
mod escalating;
mod finish;
mod lead;
mod looking;
mod plan;
mod ready;
mod running;
mod window;

pub use able::has_work;
pub use escalating::KIND as ESCALATION;
pub use window::Window;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::MilestoneId;
use milestone_store::config::Execution;
use milestone_store::{Project, StoreError};

use crate::boxed::Boxes;
use crate::core::{Action, ActionId, Answer, Attempt, Failure, FailureKind, Input, Millis};
use crate::error::EngineError;
use crate::git::Repository;
use crate::needs::Needs;
use crate::process::Lifeline;
use crate::prompt::Template;
use crate::runners::Configured;
use crate::session::{Flight, Session, Sessions, Tried};
use crate::world::World;

/// Opens the project; every thread that asks it anything has its own.
pub type Open = Arc<dyn Fn() -> Result<Project, StoreError> + Send + Sync>;

/// Whether this person trusts a command of this kind.
pub type Trusts = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// What a session is made of.
pub struct Setup {
    pub milestone: MilestoneId,
    pub open: Open,
    pub trusts: Trusts,
    pub actor: String,
    /// The project's `.milestones` folder.
    pub root: PathBuf,
    /// The folder in which that stands.
    pub project: PathBuf,
    pub repository: Option<Repository>,
    /// Where worktrees are made.
    pub worktrees: PathBuf,
    /// This program, in the part of the keeper.
    pub keeper: Vec<OsString>,
    /// What does tasks that say nothing else.
    pub runner: Option<String>,
    pub lease: Duration,
    /// One after the other, in the order of their dependencies.
    pub sequential: bool,
    /// In streams, each with a branch of its own.
    pub hierarchical: bool,
    /// What the settings say about how work is set up, brought together and handed on.
    pub execution: Execution,
    pub runners: Configured,
    /// What agents are told.
    pub template: Template,
    /// So many bytes are kept of what an attempt prints.
    pub log_limit: u64,
    /// What shuts in whatever is run, if anything does.
    pub boxes: Option<Boxes>,
}

impl Setup {
    pub(crate) fn needs(&self) -> Needs<'_> {
        // Without git there is no new worktree to be made ready.
        let set_up: &[String] = if self.repository.is_some() { &self.execution.setup } else { &[] };
        Needs { chosen: self.runner.as_deref(), runners: &self.runners, set_up }
    }
}

/// One attempt under way.
struct Flying {
    flight: Flight,
    title: String,
    /// Its process, while one runs.
    lifeline: Lifeline,
    stopped: bool,
    /// The commit that holds what it left.
    kept: Option<String>,
    /// The commit on the milestone's branch.
    integrated: Option<String>,
    /// Why nothing is changed.
    reason: Option<String>,
    /// What the runner said at its end.
    answer: Option<String>,
    verified: Vec<String>,
    /// What was copied into its worktree, and is nobody's work.
    copied: BTreeSet<String>,
    newest: Option<window::Newest>,
}

pub(crate) struct Shared {
    setup: Setup,
    sessions: Sessions,
    flying: Mutex<BTreeMap<AttemptId, Flying>>,
    session: Mutex<Session>,
    inputs: Sender<Input>,
    /// Commands that tell of what is in the way.
    telling: Mutex<Vec<JoinHandle<()>>>,
    /// The verification of everything is not wanted any more.
    stopping: AtomicBool,
}

/// A session's hold on the world.
pub struct Real {
    shared: Arc<Shared>,
    inputs: Receiver<Input>,
    plan: Sender<(ActionId, Action)>,
    heartbeat: Sender<(ActionId, Action)>,
    started: Instant,
}

impl Real {
    pub fn new(setup: Setup, session: Session) -> Self {
        let (sender, inputs) = mpsc::channel();
        let sessions = Sessions::of(&setup.root);
        let shared = Arc::new(Shared {
            setup,
            sessions,
            flying: Mutex::default(),
            session: Mutex::new(session),
            inputs: sender,
            telling: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        // Claims must not wait for anything else that is asked of the store.
        let (plan, heartbeat) = (plan::serve(&shared), plan::serve(&shared));
        Self { shared, inputs, plan, heartbeat, started: Instant::now() }
    }

    /// Where others put what may wake the session: a signal, a person.
    pub fn inputs(&self) -> Sender<Input> {
        self.shared.inputs.clone()
    }

    pub fn window(&self) -> Window {
        Window(Arc::clone(&self.shared))
    }

    pub fn session(&self) -> Session {
        self.shared.session().clone()
    }

    /// Waits until everybody has been told what is in the way.
    pub fn all_told(&self) {
        self.shared.all_told();
    }

    /// Changes what is kept of the session.
    pub fn note(&self, change: impl FnOnce(&mut Session)) -> Result<(), EngineError> {
        let mut session = self.shared.session();
        change(&mut session);
        self.shared.sessions.save(&session)
    }
}

impl World for Real {
    fn now(&self) -> Millis {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&mut self, id: ActionId, action: Action) {
        let of_store = match &action {
            Action::Renew(_) => Some(&self.heartbeat),
            Action::Recover
            | Action::Look
            | Action::Claim(_)
            | Action::Record(_)
            | Action::GiveBack(..)
            | Action::Finish => Some(&self.plan),
            _ => None,
        };
        if let Some(thread) = of_store {
            // The thread lives as long as this does.
            let _ = thread.send((id, action));
            return;
        }
        if let Action::Stop(attempt) = &action {
            self.shared.stop(attempt.id);
            let _ = self.shared.inputs.send(Input::Answer(id, Answer::Done));
            return;
        }
        if matches!(action, Action::StopFinish | Action::StopLead) {
            self.shared.stop_looking(action == Action::StopFinish);
            let _ = self.shared.inputs.send(Input::Answer(id, Answer::Done));
            return;
        }
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            let answer = shared.act(&action);
            let _ = shared.inputs.send(Input::Answer(id, answer));
        });
    }

    fn next(&mut self, until: Millis) -> Option<Input> {
        let wait = Duration::from_millis(until.saturating_sub(self.now()));
        self.inputs.recv_timeout(wait).ok()
    }
}

impl Shared {
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flying(&self) -> MutexGuard<'_, BTreeMap<AttemptId, Flying>> {
        self.flying.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at an attempt, or changes what is known of it.
    fn with<T>(&self, attempt: Attempt, look: impl FnOnce(&mut Flying) -> T) -> Option<T> {
        self.flying().get_mut(&attempt.id).map(look)
    }

    fn stop(&self, attempt: AttemptId) {
        if let Some(flying) = self.flying().get_mut(&attempt) {
            flying.stopped = true;
            flying.lifeline.cut();
        }
    }

    /// What is said of an attempt in the session.
    fn tell(&self, attempt: AttemptId, change: impl FnOnce(&mut Tried)) {
        let mut session = self.session();
        if let Some(tried) = session.attempts.iter_mut().find(|tried| tried.id == attempt) {
            change(tried);
        }
    }

    fn act(&self, action: &Action) -> Answer {
        let done = match action {
            Action::Prepare(attempt) => self.prepare(*attempt),
            Action::Run(attempt, before) => self.run(*attempt, before.as_ref()),
            Action::Keep(attempt) => self.keep(*attempt),
            Action::Verify(attempt) => self.verify(*attempt),
            Action::Integrate(attempt) => self.integrate(*attempt),
            Action::Clear(attempt) => self.clear(*attempt),
            Action::Lead(stream) => self.lead(stream),
            Action::Save => Ok(self.save()),
            _ => Ok(Answer::Done),
        };
        match done {
            Ok(answer) => answer,
            // The disk, the machine or somebody's git: it may be better in a moment.
            Err(Failure { kind: FailureKind::World, reason }) => Answer::Later(reason),
            Err(Failure { kind: FailureKind::Away, reason }) => Answer::Away(reason),
            Err(failure) => Answer::Failed(failure),
        }
    }

    fn save(&self) -> Answer {
        // Git and the disk take their time; nobody waits for the session meanwhile.
        let git = self.git_state();
        let session = {
            let mut session = self.session();
            session.saved = Timestamp::now();
            session.git = git;
            session.clone()
        };
        match self.sessions.save(&session) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Later(error.to_string()),
        }
    }
}

/// What the world could not do.
fn trouble(error: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::World, error.to_string())
}
