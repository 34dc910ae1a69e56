//! Claims and completions a second on one machine: of files by processes, of SQLite by connections.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use milestone_domain::command::{Command, Credential};
use milestone_domain::event::{AttemptId, Event, Stream};
use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;
use milestone_store::pointer::StoreKind;
use milestone_store::{ClaimFilter, Outcome, Project};
use rusqlite::Connection;
use uuid::Uuid;

use crate::crew::{WORKERS, at_once};
use crate::inside::{self, ACTOR};
use crate::measure::Programs;
use crate::report::{Row, Target};
use crate::sample::Sample;
use crate::{Options, Result, generate, say};

/// Enough that nobody runs out of work, for as long as it is measured.
const TASKS: usize = 1000;

pub fn measure(programs: &Programs, options: &Options, folder: &Path) -> Result<Vec<Row>> {
    let limit = Duration::from_secs(options.seconds);
    let documents = generate::jobs(TASKS);
    let (mut sample, _) = Sample::make(programs, &folder.join("claims"), &documents)?;
    let mut rows = Vec::new();
    for workers in WORKERS {
        say(&format!("claims: files, {workers} at once"));
        let figure = by_processes(programs, &sample, workers, limit)?;
        let row = sample.row(&named(workers), figure);
        rows.push(row.held_to(Target::PerSecond(100.0)));
    }
    sample.move_to(programs, StoreKind::Sqlite)?;
    for mirrored in [true, false] {
        sample.mirrors(mirrored)?;
        for workers in WORKERS {
            say(&format!("claims: sqlite, {workers} at once"));
            let raw = raw(folder, workers, limit)?;
            let figure = by_connections(&sample, workers, limit)?;
            let beside = if mirrored { "" } else { ", no documents beside it" };
            let name = format!("{}{beside}", named(workers));
            let row = sample.row(&name, figure).above("raw loop", raw);
            rows.push(row.held_to(Target::Share(0.5)));
        }
    }
    Ok(rows)
}

pub fn named(workers: usize) -> String {
    format!("claims + completions, {workers} at once")
}

/// Every worker takes the best task and completes it, each in a process of its own.
fn by_processes(
    programs: &Programs,
    sample: &Sample,
    workers: usize,
    limit: Duration,
) -> Result<f64> {
    let finished: Mutex<Vec<TaskId>> = Mutex::default();
    let done = at_once(workers, limit, || {
        Ok(|| {
            let claim = ["task", "claim", "--next"].map(str::to_owned);
            let claimed = programs.output("milestone", &claim, &sample.repository)?;
            let words: Vec<&str> = claimed.split_whitespace().collect();
            let [task, fence, ..] = words[..] else {
                return Err("a claim says task and fence".into());
            };
            let done = ["task", "done", task, "--fence", fence].map(str::to_owned);
            programs.run("milestone", &done, &sample.repository)?;
            finished.lock().map_err(|_| "a worker failed")?.push(task.parse()?);
            Ok(true)
        })
    })?;
    reopen(sample, &finished.into_inner()?)?;
    Ok(done.claims_and_completions())
}

/// The same by a connection each, through the one door that every command goes through.
fn by_connections(sample: &Sample, workers: usize, limit: Duration) -> Result<f64> {
    let finished: Mutex<Vec<TaskId>> = Mutex::default();
    let done = at_once(workers, limit, || {
        let project = sample.project()?;
        let finished = &finished;
        Ok(move || {
            let Some(task) = claim_and_complete(&project)? else { return Ok(false) };
            finished.lock().map_err(|_| "a worker failed")?.push(task);
            Ok(true)
        })
    })?;
    reopen(sample, &finished.into_inner()?)?;
    Ok(done.claims_and_completions())
}

fn reopen(sample: &Sample, finished: &[TaskId]) -> Result<()> {
    let project = sample.project()?;
    finished.iter().try_for_each(|task| inside::change(&project, *task, TaskStatus::Pending))
}

/// Takes the best task, as an agent does, and completes it.
pub fn claim_and_complete(project: &Project) -> Result<Option<TaskId>> {
    let Some(outcome) = claim(project)? else { return Ok(None) };
    let (task, credential) = granted(&outcome).ok_or("a claim says what it took")?;
    let to = TaskStatus::Completed;
    project.execute(&Command::ChangeTask { task, to, reason: None, credential }, ACTOR)?;
    Ok(Some(task))
}

fn claim(project: &Project) -> Result<Option<Outcome>> {
    let context = project.context(ACTOR);
    let worker = Some(ACTOR.to_owned());
    let wanted = ClaimFilter { milestone: None, worker, today: context.today };
    Ok(project.claim_next(&wanted, AttemptId(Uuid::now_v7()), 600, &context)?)
}

fn granted(outcome: &Outcome) -> Option<(TaskId, Credential)> {
    outcome.events.iter().find_map(|recorded| match (&recorded.event, recorded.stream) {
        (Event::TaskClaimed { task, fence, attempt, .. }, Stream::Milestone(id)) => {
            Some((task.of(id), Credential { fence: Some(*fence), attempt: Some(*attempt) }))
        }
        _ => None,
    })
}

/// Rows taken and finished, each in a durable transaction of its own, by a loop that knows no rules.
fn raw(folder: &Path, workers: usize, limit: Duration) -> Result<f64> {
    /// As many rows as the quickest loop can take in the time.
    const QUEUE: u32 = 200_000;
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = folder.join(format!("queue-{number}.db"));
    let open = || -> Result<Connection> {
        let connection = Connection::open(&file)?;
        connection.busy_timeout(Duration::from_mins(1))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
        Ok(connection)
    };
    open()?.execute_batch(&format!(
        "CREATE TABLE queue (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, body TEXT NOT NULL); \
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {QUEUE}) \
         INSERT INTO queue SELECT n, 0, hex(randomblob(200)) FROM n; \
         CREATE INDEX queue_state ON queue (state, id)"
    ))?;
    let done = at_once(workers, limit, || {
        let connection = open()?;
        Ok(move || {
            let taken = "UPDATE queue SET state = 1 WHERE id = \
                 (SELECT id FROM queue WHERE state = 0 ORDER BY id LIMIT 1) RETURNING id";
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let id: i64 = connection.prepare_cached(taken)?.query_row([], |row| row.get(0))?;
            connection.execute_batch("COMMIT")?;
            connection.prepare_cached("UPDATE queue SET state = 2 WHERE id = ?1")?.execute([id])?;
            Ok(true)
        })
    })?;
    Ok(done.claims_and_completions())
}
