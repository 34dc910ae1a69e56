//! The least that can be done: one durable row, one round trip, and a queue that knows no rules.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};
use rusqlite::Connection;

use crate::Result;
use crate::measure::Times;

/// As many rows as the quickest loop can take in the time.
const QUEUE: u32 = 200_000;

fn open(file: &Path) -> Result<Connection> {
    let connection = Connection::open(file)?;
    connection.busy_timeout(Duration::from_mins(1))?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    Ok(connection)
}

/// Milliseconds of one durable insert.
pub fn sqlite_insert(folder: &Path, runs: usize) -> Result<f64> {
    let connection = open(&folder.join("floor.db"))?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body TEXT)")?;
    let mut times = Times::default();
    for _ in 0..runs * 10 {
        let started = Instant::now();
        connection.execute("INSERT INTO t (body) VALUES (?1)", ["x".repeat(400)])?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times.median())
}

/// Milliseconds of one question and its answer.
pub fn postgres_round_trip(url: &str, runs: usize) -> Result<f64> {
    let mut client = Client::connect(url, NoTls)?;
    let mut times = Times::default();
    for _ in 0..runs * 10 {
        let started = Instant::now();
        client.query_typed("SELECT 1", &[])?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(times.median())
}

/// Rows taken and finished a second, each in a durable transaction of its own, counted as two.
pub fn sqlite_queue(folder: &Path, workers: usize, limit: Duration) -> Result<f64> {
    let file = folder.join("queue.db");
    let connection = open(&file)?;
    connection.execute_batch(&format!(
        "DROP TABLE IF EXISTS queue; \
         CREATE TABLE queue (id INTEGER PRIMARY KEY, state INTEGER NOT NULL, body TEXT NOT NULL); \
         WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {QUEUE}) \
         INSERT INTO queue SELECT n, 0, hex(randomblob(200)) FROM n; \
         CREATE INDEX queue_state ON queue (state, id)"
    ))?;
    at_once(workers, limit, || {
        let connection = open(&file)?;
        Ok(move || {
            let taken = "UPDATE queue SET state = 1 WHERE id = \
                 (SELECT id FROM queue WHERE state = 0 ORDER BY id LIMIT 1) RETURNING id";
            connection.execute_batch("BEGIN IMMEDIATE")?;
            let id: i64 = connection.prepare_cached(taken)?.query_row([], |row| row.get(0))?;
            connection.execute_batch("COMMIT")?;
            connection.prepare_cached("UPDATE queue SET state = 2 WHERE id = ?1")?.execute([id])?;
            Ok(())
        })
    })
}

/// The same on a server, as queues on PostgreSQL do it.
pub fn postgres_queue(url: &str, workers: usize, limit: Duration) -> Result<f64> {
    Client::connect(url, NoTls)?.batch_execute(&format!(
        "DROP TABLE IF EXISTS bench_queue; \
         CREATE TABLE bench_queue (id BIGINT PRIMARY KEY, state BIGINT NOT NULL, body TEXT NOT NULL); \
         INSERT INTO bench_queue SELECT n, 0, repeat(md5(n::text), 12) \
           FROM generate_series(1, {QUEUE}) AS n; \
         CREATE INDEX bench_queue_state ON bench_queue (state, id); ANALYZE bench_queue"
    ))?;
    at_once(workers, limit, || {
        let mut client = Client::connect(url, NoTls)?;
        Ok(move || {
            let taken = "UPDATE bench_queue SET state = 1 WHERE id = (SELECT id FROM bench_queue \
                 WHERE state = 0 ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING id";
            let rows = client.query_typed(taken, &[])?;
            let id: i64 = rows.first().ok_or("the queue is empty")?.get(0);
            let done = "UPDATE bench_queue SET state = 2 WHERE id = $1";
            client.execute_typed(done, &[(&id, postgres::types::Type::INT8)])?;
            Ok(())
        })
    })
}

/// How often workers at once do something, in pairs a second.
fn at_once<W: FnMut() -> Result<()>>(
    workers: usize,
    limit: Duration,
    worker: impl Fn() -> Result<W> + Sync,
) -> Result<f64> {
    let (done, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let worked = worker().and_then(|mut work| {
                    while started.elapsed() < limit {
                        work()?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                });
                failed.fetch_add(u32::from(worked.is_err()), Ordering::Relaxed);
            });
        }
    });
    match failed.into_inner() {
        0 => Ok(f64::from(done.into_inner()) * 2.0 / started.elapsed().as_secs_f64()),
        failed => Err(format!("{failed} workers of a floor failed").into()),
    }
}
