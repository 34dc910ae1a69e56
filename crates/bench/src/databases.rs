//! The databases at the level of the store, beside what a loop that does no more than the least
//! takes in the same file system and on the same server.

mod floors;

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use milestone_domain::command::{Command, Credential};
use milestone_domain::decide::decide;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{AttemptId, Event, Stream};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use milestone_store::postgres::Postgres;
use milestone_store::sql::Database;
use milestone_store::sqlite::Sqlite;
use milestone_store::{Change, ClaimFilter, Outcome, Project, Store};
use uuid::Uuid;

use crate::inside::ACTOR;
use crate::measure::Times;
use crate::report::{Row, Target};
use crate::{Options, Result, generate};

/// How many documents one change brings in.
const TOGETHER: usize = 256;
const WORKERS: [usize; 3] = [1, 16, 64];
const WAIT: Duration = Duration::from_mins(1);

/// Where a project is kept, and how to get there once more.
#[derive(Clone)]
enum Kind {
    Sqlite(PathBuf),
    Postgres(String, String),
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(..) => "postgres",
        }
    }

    fn open(&self, make: bool) -> Result<Box<dyn Store>> {
        let settings = Settings::default();
        let uuid = |kind: &Self| match kind {
            Self::Sqlite(_) => Uuid::nil().to_string(),
            Self::Postgres(_, uuid) => uuid.clone(),
        };
        let uuid = uuid(self);
        Ok(match (self, make) {
            (Self::Sqlite(file), true) => {
                Box::new(Database::make(Sqlite::open(file, WAIT)?, &uuid, settings)?)
            }
            (Self::Sqlite(file), false) => {
                Box::new(Database::open(Sqlite::open(file, WAIT)?, &uuid, settings)?)
            }
            (Self::Postgres(url, _), true) => {
                Box::new(Database::make(Postgres::open(url)?, &uuid, settings)?)
            }
            (Self::Postgres(url, _), false) => {
                Box::new(Database::open(Postgres::open(url)?, &uuid, settings)?)
            }
        })
    }

    fn project(&self) -> Result<Project> {
        Ok(Project::new(self.open(false)?, TimeZone::UTC))
    }
}

pub fn measure(options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let server = std::env::var("MILESTONE_TEST_DATABASE_URL").ok();
    for tasks in &options.tasks {
        let file = folder.join(format!("bench-{tasks}.db"));
        let mut kinds = vec![Kind::Sqlite(file)];
        kinds.extend(server.clone().map(|url| Kind::Postgres(url, Uuid::now_v7().to_string())));
        for kind in kinds {
            rows.extend(one(options, &kind, *tasks, folder)?);
        }
    }
    Ok(rows)
}

fn one(options: &Options, kind: &Kind, tasks: usize, folder: &Path) -> Result<Vec<Row>> {
    let store = kind.open(true)?;
    let mut bench = Bench { kind: kind.clone(), tasks, rows: Vec::new(), floor: None };
    bench.import(store.as_ref())?;
    let project = kind.project()?;
    bench.floor = Some(match kind {
        Kind::Sqlite(_) => floors::sqlite_insert(folder, options.runs)?,
        Kind::Postgres(url, _) => floors::postgres_round_trip(url, options.runs)?,
    });
    bench.singles(&project, options.runs)?;
    for workers in WORKERS {
        bench.contention(workers, Duration::from_secs(options.seconds), folder)?;
    }
    Ok(bench.rows)
}

struct Bench {
    kind: Kind,
    tasks: usize,
    rows: Vec<Row>,
    /// Milliseconds of the least that is durable, or of one round trip.
    floor: Option<f64>,
}

impl Bench {
    fn row(&mut self, operation: &str, figure: f64, target: Target) {
        let operation = format!("{}: {operation}", self.kind.name());
        let floor = matches!(target, Target::Ratio(_)).then_some(self.floor).flatten();
        let tasks = self.tasks;
        self.rows.push(Row {
            operation,
            tasks,
            figure,
            floor,
            processor: None,
            target,
            memory: None,
        });
    }

    fn import(&mut self, store: &dyn Store) -> Result<()> {
        let documents = generate::documents(self.tasks, 7);
        let started = Instant::now();
        for together in documents.chunks(TOGETHER) {
            store.commit(&adoption(together)?)?;
        }
        let taken = milliseconds(started);
        self.row("import", taken, Target::None);
        Ok(())
    }

    fn singles(&mut self, project: &Project, runs: usize) -> Result<()> {
        let started = Instant::now();
        black_box(project.candidates(&wanted(project, None), 4, ACTOR)?);
        self.row("first look at everything", milliseconds(started), Target::None);
        let milestones = u32::try_from(self.tasks / generate::TASKS_PER_MILESTONE)?.max(1);
        let at = AtomicU32::new(0);
        let some = || MilestoneId(at.fetch_add(7, Ordering::Relaxed) % milestones + 1);
        self.time("read one milestone", runs, Target::None, || {
            black_box(project.read(&Scope::Milestone(some()), ACTOR)?);
            Ok(())
        })?;
        self.time("candidates", runs, Target::None, || {
            black_box(project.candidates(&wanted(project, Some(ACTOR)), 4, ACTOR)?);
            Ok(())
        })?;
        let durable = match self.kind {
            Kind::Sqlite(_) => Target::Ratio(2.0),
            Kind::Postgres(..) => Target::None,
        };
        let mut claimed = Vec::new();
        self.time("claim the best", runs, durable, || {
            claimed.extend(claim(project)?);
            Ok(())
        })?;
        let mut done = claimed.iter();
        self.time("done", claimed.len(), durable, || match done.next() {
            Some(outcome) => finish(project, outcome),
            None => Ok(()),
        })?;
        self.time("add a task", runs, durable, || {
            let draft = Box::new(Task::new(1, "One more thing"));
            project.execute(&Command::AddTask { milestone: some(), draft }, ACTOR)?;
            Ok(())
        })?;
        let few = if self.tasks > 10_000 { 3 } else { runs.min(7) };
        self.time("read the graph", few, Target::None, || {
            black_box(project.read(&Scope::Graph(BTreeSet::new()), ACTOR)?);
            Ok(())
        })
    }

    fn time(
        &mut self,
        operation: &str,
        runs: usize,
        target: Target,
        mut work: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut times = Times::default();
        for _ in 0..runs {
            let started = Instant::now();
            work()?;
            times.push(milliseconds(started));
        }
        self.row(operation, times.median(), target);
        Ok(())
    }

    /// Claims and completions a second, of the product and of a loop that does no more.
    fn contention(&mut self, workers: usize, limit: Duration, folder: &Path) -> Result<()> {
        let floor = match &self.kind {
            Kind::Sqlite(_) => floors::sqlite_queue(folder, workers, limit)?,
            Kind::Postgres(url, _) => floors::postgres_queue(url, workers, limit)?,
        };
        let done = AtomicU32::new(0);
        let failures = AtomicU32::new(0);
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    let worked = self.kind.project().and_then(|project| {
                        while started.elapsed() < limit {
                            let Some(outcome) = claim(&project)? else { return Ok(()) };
                            finish(&project, &outcome)?;
                            done.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(())
                    });
                    if let Err(error) = worked {
                        failures.fetch_add(1, Ordering::Relaxed);
                        report(error.as_ref());
                    }
                });
            }
        });
        let figure =
            f64::from(done.load(Ordering::Relaxed)) * 2.0 / started.elapsed().as_secs_f64();
        let failed = failures.load(Ordering::Relaxed);
        let failed = if failed > 0 { format!(", {failed} FAILED") } else { String::new() };
        let name = format!(
            "claims + completions, {workers} at once; {floor:.0} raw: {:.2}x{failed}",
            figure / floor
        );
        self.row(&name, figure, Target::PerSecond(floor / 2.0));
        Ok(())
    }
}

#[expect(clippy::print_stderr, reason = "a benchmark in which a worker fails says why")]
fn report(error: &dyn std::error::Error) {
    eprintln!("a worker failed: {error}");
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn wanted(project: &Project, worker: Option<&str>) -> ClaimFilter {
    let today = project.context(ACTOR).today;
    ClaimFilter { milestone: None, worker: worker.map(str::to_owned), today }
}

fn claim(project: &Project) -> Result<Option<Outcome>> {
    let attempt = AttemptId(Uuid::now_v7());
    let (wanted, context) = (wanted(project, Some(ACTOR)), project.context(ACTOR));
    Ok(project.claim_next(&wanted, attempt, 600, &context)?)
}

fn finish(project: &Project, outcome: &Outcome) -> Result<()> {
    let granted =
        outcome.events.iter().find_map(|recorded| match (&recorded.event, recorded.stream) {
            (Event::TaskClaimed { task, fence, attempt, .. }, Stream::Milestone(id)) => {
                Some((task.of(id), Credential { fence: Some(*fence), attempt: Some(*attempt) }))
            }
            _ => None,
        });
    let (task, credential): (TaskId, Credential) = granted.ok_or("a claim says what it took")?;
    let to = TaskStatus::Completed;
    project.execute(&Command::ChangeTask { task, to, reason: None, credential }, ACTOR)?;
    Ok(())
}

/// One change that brings in many documents, as a move from another store does.
fn adoption(documents: &[Milestone]) -> Result<Change> {
    let nothing = Snapshot::default();
    let mut all: Option<Change> = None;
    for document in documents {
        let context = Project::context_in(&TimeZone::UTC, ACTOR);
        let command = Command::Adopt { document: Box::new(document.clone()) };
        let events = decide(&nothing, &command, &context)?;
        let change = Change::new(&nothing, context.change, events);
        match &mut all {
            None => all = Some(change),
            Some(all) => {
                all.events.extend(change.events);
                all.documents.extend(change.documents);
                all.touched.extend(change.touched);
                all.wakes.extend(change.wakes);
            }
        }
    }
    let mut all = all.ok_or("there is something to import")?;
    all.reads = BTreeMap::new();
    Ok(all)
}
