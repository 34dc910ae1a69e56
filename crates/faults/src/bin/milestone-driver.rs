//! The documented forms of the program's verbs on the store itself, without the program's front
//! end: a failure here is the store's.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::ExitCode;

use milestone_domain::change::{FieldChange, Path};
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Criterion, Milestone, Task, task_key};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::refusal::RefusalClass;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::{CriterionKind, MilestoneStatus, TaskStatus};
use milestone_store::config::{Config, Layers, PROJECT_FILE, duration};
use milestone_store::files::Files;
use milestone_store::{Error, Outcome, Project, Renewed, StoreError, StoreErrorClass};
use serde_json::json;
use uuid::Uuid;

/// Words in order, and options with their values.
struct Line {
    words: VecDeque<String>,
    options: Vec<(String, String)>,
}

impl Line {
    fn parse() -> Self {
        let mut line = Self { words: VecDeque::new(), options: Vec::new() };
        let mut arguments = std::env::args().skip(1);
        while let Some(word) = arguments.next() {
            match word.strip_prefix("--") {
                Some("json") => {}
                Some(name) => {
                    line.options.push((name.to_owned(), arguments.next().unwrap_or_default()));
                }
                None => line.words.push_back(word),
            }
        }
        line
    }

    fn word(&mut self) -> String {
        self.words.pop_front().unwrap_or_default()
    }

    fn option(&self, name: &str) -> Option<String> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone())
    }

    fn credential(&self) -> Credential {
        Credential {
            fence: self.option("fence").and_then(|fence| fence.parse().ok()),
            attempt: self
                .option("attempt")
                .and_then(|attempt| Uuid::try_parse(&attempt).ok())
                .map(AttemptId),
        }
    }

    fn lease(&self) -> std::time::Duration {
        let lease = self.option("lease").unwrap_or_else(|| "15m".into());
        duration(&lease.into()).expect("a lease")
    }

    fn task(&mut self) -> TaskId {
        self.word().parse().expect("a task's id")
    }

    fn milestone(&mut self) -> MilestoneId {
        self.word().parse().expect("a milestone's id")
    }
}

fn main() -> ExitCode {
    let mut line = Line::parse();
    match carry_out(&mut line) {
        Ok(said) => {
            if !said.is_empty() {
                println!("{said}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            let (code, next) = match &error {
                Error::Refused(refusal) => (
                    match refusal.class() {
                        RefusalClass::Usage => 2,
                        RefusalClass::NotFound => 3,
                        RefusalClass::Conflict => 4,
                        RefusalClass::Rule => 5,
                        RefusalClass::Unreadable => 7,
                    },
                    refusal.next(),
                ),
                Error::Store(error) => (store_code(error), error.next()),
            };
            eprintln!("{error}\n{next}");
            ExitCode::from(code)
        }
    }
}

fn store_code(error: &StoreError) -> u8 {
    match error.class() {
        StoreErrorClass::NotFound => 3,
        StoreErrorClass::Conflict => 4,
        StoreErrorClass::Unreachable => 6,
        StoreErrorClass::Unreadable => 7,
        StoreErrorClass::Usage => 2,
    }
}

fn open() -> Result<(Project, Files), Error> {
    let root = PathBuf::from(std::env::var_os("MILESTONE_ROOT").unwrap_or_else(|| ".".into()));
    let folder = root.join(".milestones");
    let environment = std::env::vars().filter(|(name, _)| name.starts_with("MILESTONE_")).collect();
    let layers = Layers { project: Some(folder.join(PROJECT_FILE)), user: None, environment };
    let config = Config::load(&layers)?;
    let files = || Files::open(folder.clone(), config.settings(), config.lock_wait());
    Ok((Project::new(Box::new(files()), config.zone()), files()))
}

fn carry_out(line: &mut Line) -> Result<String, Error> {
    let (project, files) = open()?;
    let actor = line.option("actor").unwrap_or_default();
    let verb = line.word();
    if verb == "init" {
        let root = std::env::var("MILESTONE_ROOT").unwrap_or_default();
        let folder = PathBuf::from(root).join(".milestones");
        std::fs::create_dir_all(&folder).map_err(|source| StoreError::Io {
            doing: "make",
            path: folder,
            source,
        })?;
        files.make(false)?;
        return Ok(String::new());
    }
    if verb == "list" {
        let snapshot = project.read(&Scope::All, &actor)?;
        let names: Vec<String> = snapshot.outlines.keys().map(ToString::to_string).collect();
        return Ok(names.join("\n"));
    }
    let command = match verb.as_str() {
        "task" => match task(line, &project)? {
            Ok(command) => command,
            Err(said) => return Ok(said),
        },
        _ => other(&verb, line),
    };
    let outcome = project.execute(&command, &actor)?;
    Ok(said(&command, &outcome))
}

fn said(command: &Command, outcome: &Outcome) -> String {
    match command {
        Command::Plan { .. } => outcome.events[0].stream.to_string(),
        Command::AddTask { milestone, .. } | Command::MoveTask { to: milestone, .. } => {
            let document = &outcome.snapshot.documents[milestone];
            document.tasks.last().map(|task| document.task_id(task).to_string()).unwrap_or_default()
        }
        Command::Claim { attempt, .. } => {
            let fence = outcome.events.iter().find_map(|recorded| match &recorded.event {
                milestone_domain::event::Event::TaskClaimed { fence, .. } => Some(*fence),
                _ => None,
            });
            json!({ "fence": fence, "attempt": attempt }).to_string()
        }
        _ => String::new(),
    }
}

fn other(verb: &str, line: &mut Line) -> Command {
    let sub = if matches!(verb, "criterion" | "condition") { line.word() } else { String::new() };
    let reason = line.option("reason");
    match (verb, sub.as_str()) {
        ("plan", _) => {
            let mut draft = Milestone::new(MilestoneId(1), &line.word());
            let tasks = line.options.iter().filter(|(name, _)| name == "task");
            draft.tasks = tasks.zip(1..).map(|((_, title), n)| Task::new(n, title)).collect();
            Command::Plan { draft: Box::new(draft) }
        }
        ("criterion", "add") => {
            let milestone = line.milestone();
            let (id, check, met) = (None, None, None);
            let draft = Criterion { id, text: line.word(), kind: CriterionKind::Success, check, met };
            Command::AddCriterion { milestone, draft: Box::new(draft) }
        }
        ("criterion", _) => Command::MeetCriterion {
            milestone: line.milestone(),
            number: line.word().parse().expect("a number"),
            evidence: line.option("evidence").unwrap_or_default(),
        },
        ("condition", "set") => Command::SetCondition { name: line.word(), reason },
        ("condition", _) => Command::ClearCondition { name: line.word(), reason },
        ("update", _) => {
            let status = line.option("status").unwrap_or_default();
            let to: MilestoneStatus = serde_json::from_value(status.into()).expect("a status");
            Command::ChangeMilestone { milestone: line.milestone(), to, reason }
        }
        ("archive", _) => Command::Archive { milestone: line.milestone(), force: None },
        _ => panic!("no verb {verb}"),
    }
}

/// A command, or what was done already.
fn task(line: &mut Line, project: &Project) -> Result<Result<Command, String>, Error> {
    let (sub, credential, reason) = (line.word(), line.credential(), line.option("reason"));
    let change = |task, to| Command::ChangeTask { task, to, reason: reason.clone(), credential };
    Ok(Ok(match sub.as_str() {
        "add" => {
            let milestone = line.milestone();
            Command::AddTask { milestone, draft: Box::new(Task::new(1, &line.word())) }
        }
        "set" => {
            let task = line.task();
            let path = Path::root().key("tasks").key(&task_key(task.number)).key("title");
            let after = line.option("title").map(Into::into);
            let changes = vec![FieldChange { path, before: None, after }];
            Command::Amend { milestone: task.milestone, changes }
        }
        "start" => change(line.task(), TaskStatus::InProgress),
        "done" => change(line.task(), TaskStatus::Completed),
        "fail" => change(line.task(), TaskStatus::Failed),
        "block" => change(line.task(), TaskStatus::Blocked),
        "unblock" => change(line.task(), TaskStatus::Pending),
        "claim" => Command::Claim {
            task: line.task(),
            attempt: AttemptId(Uuid::now_v7()),
            lease_seconds: line.lease().as_secs(),
        },
        "renew" => {
            let task = line.task();
            return match project.renew(task, credential, line.lease())? {
                Renewed::Until(_) => Ok(Err("renewed".into())),
                Renewed::Lost => Err(milestone_domain::refusal::Refusal::StaleFence {
                    task,
                    given: credential.fence.unwrap_or(0),
                    current: None,
                }
                .into()),
            };
        }
        "release" => Command::Release { task: line.task(), reason, credential },
        "note" => Command::Note { task: line.task(), text: line.word(), credential },
        "progress" => Command::Progress {
            task: line.task(),
            percent: line.word().parse().expect("a percentage"),
            credential,
        },
        "move" => Command::MoveTask { task: line.task(), to: line.milestone() },
        "remove" => Command::RemoveTask { task: line.task() },
        _ => panic!("no verb task {sub}"),
    }))
}
