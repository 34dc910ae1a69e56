//! What several tests need: seeded chance, counts, and a project on a real disk.

use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use milestone_domain::command::{Command, Context, Credential};
use milestone_domain::decide::decide;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::ChangeId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{Problem, Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use milestone_store::moving::move_to;
use milestone_store::place::Place;
use milestone_store::pointer::StoreKind;
use milestone_store::{Change, Project, StoreError};
use uuid::Uuid;

/// The quick count, or the full one when that is asked for.
pub fn count(quick: usize, full: usize) -> usize {
    if std::env::var_os("MILESTONE_FULL").is_some() { full } else { quick }
}

/// The seed of a run, printed so that a failure can be repeated with `MILESTONE_SEED`.
pub fn seed(test: &str) -> u64 {
    let given = std::env::var("MILESTONE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or(0x5eed);
    println!("{test}: MILESTONE_SEED={seed}");
    seed
}

/// Chance that can be repeated (splitmix64).
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64, stream: u64) -> Self {
        Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least `from`, below `to`.
    pub fn within(&mut self, from: usize, to: usize) -> usize {
        let span = u64::try_from(to - from).unwrap();
        from + usize::try_from(self.next() % span).unwrap()
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.within(0, n) == 0
    }

    pub fn millis(&mut self, from: usize, to: usize) -> Duration {
        Duration::from_millis(self.within(from, to) as u64)
    }
}

pub fn place(root: &Path) -> Place {
    let settings = Settings { zone: TimeZone::UTC, ..Settings::default() };
    Place::new(root.to_owned(), settings, Duration::from_secs(30))
}

/// Where `MILESTONE_TEST_STORE` is `sqlite`, every project moves there first: what people do with
/// its documents must mean the same.
pub fn open(root: &Path) -> Project {
    if std::env::var("MILESTONE_TEST_STORE").is_ok_and(|store| store == "sqlite") {
        match move_to(&place(root), StoreKind::Sqlite, &|_, _, _| ()) {
            // Where nothing can be written it stays where it is.
            Ok(_)
            | Err(
                StoreError::Io { .. } | StoreError::Outside { .. } | StoreError::Database { .. },
            ) => {}
            Err(error) => panic!("it does not move: {error}"),
        }
    }
    Project::at(place(root)).unwrap()
}

pub fn project(root: &Path) -> Project {
    fs::create_dir_all(root.join("active")).unwrap();
    open(root)
}

pub fn draft(title: &str, tasks: &[&str]) -> Command {
    let mut draft = Milestone::new(MilestoneId(0), title);
    draft.tasks = (1..).zip(tasks).map(|(number, title)| Task::new(number, title)).collect();
    Command::Plan { draft: Box::new(draft) }
}

pub fn change_task(milestone: MilestoneId, number: u32, to: TaskStatus) -> Command {
    let task = TaskId::new(milestone, number);
    Command::ChangeTask { task, to, reason: None, credential: Credential::default() }
}

/// The change that a command comes to on what was read, not kept yet.
pub fn decided(snapshot: &Snapshot, command: &Command) -> Change {
    let now = jiff::Timestamp::now();
    let today = now.to_zoned(TimeZone::UTC).date();
    let context = Context { change: ChangeId(Uuid::now_v7()), actor: "ada".into(), now, today };
    let events = decide(snapshot, command, &context).unwrap();
    Change::new(snapshot, context.change, events)
}

pub fn all(project: &Project) -> Snapshot {
    project.read(&Scope::All, "reader").unwrap()
}

pub fn of(problems: &[Problem], milestone: MilestoneId) -> Vec<&Problem> {
    problems.iter().filter(|problem| problem.milestone == Some(milestone)).collect()
}
