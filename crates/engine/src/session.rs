//! What is kept of an execution: enough to go on after anything, and to see what it did.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::civil::Date;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use rustix::fs::FlockOperation;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::{Attempt, Failure};
use crate::error::EngineError;

type Result<T> = std::result::Result<T, EngineError>;

/// Below the project's folder, and not in git.
const SESSIONS: &str = "data/sessions";
const ATTEMPTS: &str = "data/attempts";
const ALIVE: &str = "data/alive";
const LOGS: &str = "logs/attempts";
/// What people look at; it may be deleted at any time.
const VIEWS: &str = "sessions";

/// Before the number of the process that writes a draft.
const DRAFT: &str = ".draft-";

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
    #[serde(default)]
    pub attempts: Vec<Tried>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_out: Option<u64>,
    /// In millionths of a US dollar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<u64>,
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
    /// The commit it began at.
    pub start: Option<String>,
    pub log: PathBuf,
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

    pub fn log(&self, attempt: AttemptId) -> PathBuf {
        self.root.join(LOGS).join(format!("{}.log", attempt.0))
    }

    /// Takes the right to run a milestone here. An error that says who has it.
    pub fn begin(&self, milestone: MilestoneId) -> Result<Alive> {
        let folder = self.private(ALIVE)?;
        let path = folder.join(milestone.to_string());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(EngineError::io("open", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let mut by = String::new();
                let _ = file.read_to_string(&mut by);
                return Err(EngineError::Running { milestone, by: by.trim().to_owned() });
            }
            Err(errno) => return Err(EngineError::io("lock", &path)(errno.into())),
        }
        let by = format!("process {}", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(by.as_bytes()))
            .map_err(EngineError::io("write", &path))?;
        self.sweep();
        Ok(Alive { _file: file })
    }

    /// Removes what a killed process had not finished writing. What stays costs room and no more.
    fn sweep(&self) {
        for place in [ATTEMPTS, SESSIONS, VIEWS] {
            for entry in fs::read_dir(self.root.join(place)).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let pid = name.to_str().and_then(|name| name.rsplit_once(DRAFT)?.1.parse().ok());
                let pid = pid.and_then(rustix::process::Pid::from_raw);
                let gone =
                    |pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH);
                if pid.is_some_and(gone) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }

    /// Whether anything on this host runs the milestone.
    pub fn is_running(&self, milestone: MilestoneId) -> bool {
        let path = self.root.join(ALIVE).join(milestone.to_string());
        let Ok(file) = File::open(path) else { return false };
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared)
            == Err(rustix::io::Errno::WOULDBLOCK)
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
        let names = names(&self.root.join(SESSIONS))?;
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
        let path = self.root.join(SESSIONS).join(format!("{id}.json"));
        let Some(mut session) = read::<Session>(&path)? else { return Ok(None) };
        if session.state == SessionState::Running && !self.is_running(session.milestone) {
            session.state = SessionState::Interrupted;
        }
        Ok(Some(session))
    }

    pub fn save(&self, session: &Session) -> Result<()> {
        let folder = self.private(SESSIONS)?;
        let json = serde_json::to_vec_pretty(session).map_err(|error| EngineError::form(&error))?;
        replace(&folder.join(format!("{}.json", session.id)), &json)?;
        // A view is only for people: what hinders it hinders nothing else.
        if let Ok(text) = serde_saphyr::to_string(session) {
            let _ = self.show(session, text.as_bytes());
        }
        Ok(())
    }

    fn show(&self, session: &Session, text: &[u8]) -> Result<()> {
        let folder = self.private(VIEWS)?;
        replace(&folder.join(format!("{}.yaml", session.id)), text)?;
        replace(&folder.join("session-current.yaml"), text)
    }

    pub fn keep_flight(&self, flight: &Flight) -> Result<()> {
        let folder = self.private(ATTEMPTS)?;
        let json = serde_json::to_vec_pretty(flight).map_err(|error| EngineError::form(&error))?;
        replace(&folder.join(format!("{}.json", flight.attempt.id.0)), &json)
    }

    /// Whether something of an attempt is still to be done.
    pub fn is_under_way(&self, attempt: AttemptId) -> bool {
        self.root.join(ATTEMPTS).join(format!("{}.json", attempt.0)).exists()
    }

    pub fn end_flight(&self, attempt: AttemptId) -> Result<()> {
        let path = self.root.join(ATTEMPTS).join(format!("{}.json", attempt.0));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(EngineError::io("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Attempts of a milestone that are under way, or were when their session died.
    pub fn flights(&self, milestone: MilestoneId) -> Result<BTreeMap<AttemptId, Flight>> {
        let folder = self.root.join(ATTEMPTS);
        let mut flights = BTreeMap::new();
        for name in names(&folder)? {
            let Some(flight) = read::<Flight>(&folder.join(name))? else { continue };
            if flight.attempt.task.milestone == milestone {
                flights.insert(flight.attempt.id, flight);
            }
        }
        Ok(flights)
    }

    /// A folder that only its owner looks into.
    pub fn private(&self, place: &str) -> Result<PathBuf> {
        let folder = self.root.join(place);
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(EngineError::io("make", &folder))?;
        Ok(folder)
    }

    pub fn create_log(&self, attempt: AttemptId) -> Result<File> {
        self.private(LOGS)?;
        let path = self.log(attempt);
        let mut options = OpenOptions::new();
        let log = options.append(true).create(true).mode(0o600).open(&path);
        log.map_err(EngineError::io("open", &path))
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(EngineError::io("read", folder))?,
    };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".json")).collect();
    names.sort_unstable();
    Ok(names)
}

/// Nothing where there is no such file, or none of ours.
fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => {
            let bytes = bytes.map_err(EngineError::io("read", path))?;
            Ok(serde_json::from_slice(&bytes).ok())
        }
    }
}

/// Replaces a file at once or not at all, and durably.
fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let draft = path.with_extension(format!("{}{}", &DRAFT[1..], std::process::id()));
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&draft);
        EngineError::io("write", path)(error)
    })
}
