//! What is kept of an execution: enough to go on after anything, and to see what it did.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::streams::StreamName;
use milestone_store::files::disk::Disk;
use rustix::fs::{FlockOperation, OFlags};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blockers::Blocker;
use crate::core::{Attempt, Failure};
use crate::error::EngineError;
use crate::git::Branch;
use crate::runners::Used;

type Result<T> = std::result::Result<T, EngineError>;

/// Below the project's folder, and not in git.
const SESSIONS: &str = "data/sessions";
const ATTEMPTS: &str = "data/attempts";
const ALIVE: &str = "data/alive";
const REQUESTS: &str = "data/requests";
const LOGS: &str = "logs/attempts";
/// What people look at; it may be deleted at any time.
const VIEWS: &str = "sessions";
const REPORTS: &str = "reports";

/// More are never made on one day.
const NUMBER_MAX: u32 = 999;

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    Running,
    /// Stopped by a person, or dead: `--resume` goes on.
    Interrupted,
    /// Only people can go on.
    Waiting,
    Completed,
    Failed,
}

impl SessionState {
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    pub id: String,
    pub milestone: MilestoneId,
    pub state: SessionState,
    /// Why it ended as it did, or what it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    pub started: Timestamp,
    pub saved: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    pub actor: String,
    pub host: String,
    pub pid: u32,
    /// The folder it works for, and how git stands there.
    pub folder: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git: Option<GitState>,
    pub coordination: String,
    pub agents: usize,
    pub tasks_done: usize,
    pub tasks_open: usize,
    /// When it was last seen how the work stands, and how it stood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Timestamp>,
    #[serde(default)]
    pub tasks_ready: usize,
    #[serde(default)]
    pub tasks_waiting: usize,
    /// What only somebody from outside can put right, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blockers: Vec<Blocker>,
    /// Where the work went once the milestone was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_on: Option<HandedOn>,
    /// The milestone's own commands that succeeded on all of its work together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<String>,
    /// The streams that it works in, where it works in streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamState>,
    #[serde(default)]
    pub attempts: Vec<Tried>,
}

/// A stream, as its lead saw it last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StreamState {
    pub name: StreamName,
    pub branch: String,
    pub tasks: usize,
    pub tasks_done: usize,
    pub state: StreamStage,
    /// Why it stays out, or what it was accepted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What its verification and its review printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
    /// When its lead last did anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What its reviews used.
    #[serde(flatten)]
    pub used: Used,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StreamStage {
    /// Its tasks are not all done.
    Working,
    /// They are; it is to be judged.
    Complete,
    Verifying,
    Reviewing,
    /// Its work is in the milestone's branch.
    Up,
    /// It was judged, and its work is not to come in yet.
    Out,
}

impl StreamStage {
    pub fn word(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Complete => "complete",
            Self::Verifying => "verifying",
            Self::Reviewing => "reviewing",
            Self::Up => "up",
            Self::Out => "out",
        }
    }

    /// Whether its lead is at work on it.
    pub fn is_judged(self) -> bool {
        matches!(self, Self::Verifying | Self::Reviewing)
    }
}

/// A branch that was pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HandedOn {
    pub remote: String,
    pub branch: String,
    pub commit: String,
    /// Where it is reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GitState {
    /// What is checked out in the folder.
    pub branch: Option<String>,
    pub commit: String,
    /// What was not committed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncommitted: Vec<String>,
    /// Where finished work goes.
    pub milestone_branch: String,
    pub milestone_commit: String,
}

/// One attempt, as it stood when the session was saved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    pub id: AttemptId,
    pub task: TaskId,
    pub title: String,
    pub fence: u64,
    pub runner: String,
    pub state: String,
    pub started: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worktree: Option<PathBuf>,
    pub log: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// What was last heard of it, and when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// What the agent calls its own session, which a later attempt may go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// What it used.
    #[serde(flatten)]
    pub used: Used,
    /// What the agent had counted in its own session by then, over all attempts that were in it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub counted: Used,
}

fn is_nothing(used: &Used) -> bool {
    *used == Used::default()
}

/// An attempt that is under way. Written before anything is begun for it, and gone when nothing of
/// it is left to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flight {
    pub session: String,
    pub attempt: Attempt,
    pub runner: String,
    pub branch: Option<String>,
    pub worktree: PathBuf,
    /// The stream that its work goes into, where there are any.
    #[serde(default)]
    pub stream: Option<StreamName>,
    /// The commit of that branch that it began at.
    pub start: Option<String>,
    /// What its worktree was made of, where that is the work of an attempt before it.
    #[serde(default)]
    pub goes_on_from: Option<String>,
    pub log: PathBuf,
}

impl Flight {
    /// The branch that its work is brought into.
    pub fn goes_into(&self) -> Branch {
        Branch { milestone: self.attempt.task.milestone, stream: self.stream.clone() }
    }
}

/// The folder in which sessions are kept.
#[derive(Debug, Clone)]
pub struct Sessions {
    root: PathBuf,
}

/// The right to run a milestone on this host, for as long as it is held.
#[derive(Debug)]
pub struct Alive {
    _file: File,
}

impl Sessions {
    /// Those of the project whose `.milestones` folder this is.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Everything below goes through this: no step leads out of the project's folder.
    fn disk(&self) -> Disk {
        Disk::new(self.root.clone())
    }

    pub fn log(&self, attempt: AttemptId) -> PathBuf {
        self.root.join(log_of(attempt))
    }

    /// What an attempt was told.
    pub fn prompt(&self, attempt: AttemptId) -> PathBuf {
        self.root.join(prompt_of(attempt))
    }

    pub fn keep_prompt(&self, attempt: AttemptId, text: &str) -> Result<()> {
        self.private(LOGS)?;
        Ok(self.disk().replace_synced(&prompt_of(attempt), text.as_bytes())?)
    }

    /// Takes the right to run a milestone here. An error that says who has it.
    pub fn begin(&self, milestone: MilestoneId) -> Result<Alive> {
        self.private(ALIVE)?;
        let place = format!("{ALIVE}/{milestone}");
        let disk = self.disk();
        let failed = |doing, error| EngineError::from(disk.failed(doing, &place, error));
        let flags = OFlags::RDWR | OFlags::CREATE;
        let mut file = disk.open(&place, flags).map_err(|error| failed("open", error))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut by = String::new();
                let _ = file.read_to_string(&mut by);
                return Err(EngineError::Running { milestone, by: by.trim().to_owned() });
            }
            Err(errno) => return Err(failed("lock", errno.into())),
        }
        let by = process(std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(by.as_bytes()))
            .map_err(|error| failed("write", error))?;
        // What a killed process had not finished writing.
        disk.sweep_drafts();
        Ok(Alive { _file: file })
    }

    /// Whether anything on this host runs the milestone.
    pub fn is_running(&self, milestone: MilestoneId) -> bool {
        let alive = self.disk().open(&format!("{ALIVE}/{milestone}"), OFlags::RDONLY);
        let Ok(file) = alive else { return false };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared)
            == Err(rustix::io::Errno::WOULDBLOCK)
    }

    /// Whether it is this very process that runs the milestone: a session that died does not run
    /// because another one does.
    fn is_run_by(&self, milestone: MilestoneId, pid: u32) -> bool {
        let by = self.disk().read(&format!("{ALIVE}/{milestone}"));
        let is_named = by.is_ok_and(|by| by.is_some_and(|by| by == process(pid).as_bytes()));
        is_named && self.is_running(milestone)
    }

    /// The next id of a day that was never given.
    pub fn fresh_id(&self, day: Date) -> Result<String> {
        let day = day.strftime("%Y%m%d");
        let given = self.ids()?;
        let id = (1..=NUMBER_MAX)
            .map(|number| format!("session-{day}-{number:03}"))
            .rfind(|id| given.contains(id));
        let last = id.and_then(|id| id.rsplit('-').next().and_then(|text| text.parse().ok()));
        let number: u32 = last.map_or(1, |last: u32| last + 1);
        Ok(format!("session-{day}-{number:03}"))
    }

    fn ids(&self) -> Result<Vec<String>> {
        let names = self.names(SESSIONS)?;
        Ok(names.iter().filter_map(|name| name.strip_suffix(".json")).map(str::to_owned).collect())
    }

    /// All sessions, the last one first. One that cannot be read is left out.
    pub fn all(&self) -> Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for id in self.ids()? {
            sessions.extend(self.session(&id)?);
        }
        sessions.sort_by(|a: &Session, b| (b.started, &b.id).cmp(&(a.started, &a.id)));
        Ok(sessions)
    }

    /// One session, as it is now: one that says it runs, and does not, was interrupted.
    pub fn session(&self, id: &str) -> Result<Option<Session>> {
        // An id that was typed is a name and no path.
        if !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Ok(None);
        }
        let read = self.read::<Session>(&format!("{SESSIONS}/{id}.json"))?;
        let Some(mut session) = read else { return Ok(None) };
        if session.state == SessionState::Running && !self.is_run_by(session.milestone, session.pid)
        {
            session.state = SessionState::Interrupted;
            for tried in session.attempts.iter_mut().filter(|tried| tried.ended.is_none()) {
                SessionState::Interrupted.word().clone_into(&mut tried.state);
            }
        }
        Ok(Some(session))
    }

    pub fn save(&self, session: &Session) -> Result<()> {
        self.private(SESSIONS)?;
        self.put(&format!("{SESSIONS}/{}.json", session.id), session)?;
        // A view is only for people: what hinders it hinders nothing else.
        if let Ok(text) = serde_saphyr::to_string(session) {
            let _ = self.show(session, text.as_bytes());
        }
        Ok(())
    }

    fn show(&self, session: &Session, text: &[u8]) -> Result<()> {
        self.private(VIEWS)?;
        let disk = self.disk();
        disk.replace(&format!("{VIEWS}/{}.yaml", session.id), text)?;
        Ok(disk.replace(&format!("{VIEWS}/session-current.yaml"), text)?)
    }

    pub fn keep_flight(&self, flight: &Flight) -> Result<()> {
        self.private(ATTEMPTS)?;
        self.put(&flight_of(flight.attempt.id), flight)
    }

    /// Whether something of an attempt is still to be done.
    pub fn is_under_way(&self, attempt: AttemptId) -> bool {
        self.root.join(ATTEMPTS).join(format!("{}.json", attempt.0)).exists()
    }

    pub fn end_flight(&self, attempt: AttemptId) -> Result<()> {
        Ok(self.disk().remove(&flight_of(attempt))?)
    }

    /// Attempts of a milestone that are under way, or were when their session died.
    pub fn flights(&self, milestone: MilestoneId) -> Result<BTreeMap<AttemptId, Flight>> {
        let mut flights = BTreeMap::new();
        for name in self.names(ATTEMPTS)? {
            let read = self.read::<Flight>(&format!("{ATTEMPTS}/{name}"))?;
            let Some(flight) = read else { continue };
            if flight.attempt.task.milestone == milestone {
                flights.insert(flight.attempt.id, flight);
            }
        }
        Ok(flights)
    }

    /// Writes something down for people, and gives where.
    pub fn keep_report(&self, name: &str, text: &str) -> Result<PathBuf> {
        self.private(REPORTS)?;
        let place = format!("{REPORTS}/{name}");
        self.disk().replace_synced(&place, text.as_bytes())?;
        Ok(self.root.join(place))
    }

    pub fn create_log(&self, attempt: AttemptId) -> Result<File> {
        self.private(LOGS)?;
        let (disk, place) = (self.disk(), log_of(attempt));
        let log = disk.open(&place, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE);
        Ok(log.map_err(|error| disk.failed("open", &place, error))?)
    }

    /// What the commands print that tell of what is in the way.
    pub(crate) fn create_escalation_log(&self) -> Result<File> {
        self.private(LOGS)?;
        let (disk, place) = (self.disk(), format!("{LOGS}/escalation.log"));
        let log = disk.open(&place, OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE);
        Ok(log.map_err(|error| disk.failed("open", &place, error))?)
    }

    /// Where it lies what is asked of whoever runs a milestone.
    pub(crate) fn requests(&self, milestone: MilestoneId) -> Result<String> {
        let place = format!("{REQUESTS}/{milestone}");
        self.private(&place)?;
        Ok(place)
    }

    /// A folder that only its owner looks into.
    fn private(&self, place: &str) -> Result<()> {
        let disk = self.disk();
        disk.make_folder(place)?;
        Ok(disk.keep_private(place)?)
    }

    pub(crate) fn names(&self, place: &str) -> Result<Vec<String>> {
        let mut names = self.disk().names(place)?;
        names.retain(|name| name.ends_with(".json"));
        Ok(names)
    }

    /// Nothing where there is no such file, or none of ours.
    pub(crate) fn read<T: for<'a> Deserialize<'a>>(&self, place: &str) -> Result<Option<T>> {
        let bytes = self.disk().read(place)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// Replaces a file at once or not at all, and durably.
    pub(crate) fn put<T: Serialize>(&self, place: &str, what: &T) -> Result<()> {
        let json = serde_json::to_vec_pretty(what).map_err(|error| EngineError::form(&error))?;
        Ok(self.disk().replace_synced(place, &json)?)
    }

    pub(crate) fn remove(&self, place: &str) -> Result<()> {
        Ok(self.disk().remove(place)?)
    }
}

fn process(pid: u32) -> String {
    format!("process {pid}")
}

fn flight_of(attempt: AttemptId) -> String {
    format!("{ATTEMPTS}/{}.json", attempt.0)
}

fn log_of(attempt: AttemptId) -> String {
    format!("{LOGS}/{}.log", attempt.0)
}

fn prompt_of(attempt: AttemptId) -> String {
    format!("{LOGS}/{}.prompt.md", attempt.0)
}
