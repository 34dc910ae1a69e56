//! Waiting for what others do.

use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use milestone_domain::ids::TaskId;
use milestone_domain::settings::Settings;
use rustix::time::{ClockId, clock_gettime};

use super::server::Server;
use super::trouble::{note, planned, project};
use super::{PROJECT, Postgres, made, pause};
use crate::sql::{Connection, Database};
use crate::sqlite::Sqlite;
use crate::{EventFilter, Project, Store};

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

fn last(project: &Project) -> crate::Cursor {
    project.events(None, &EventFilter::default(), usize::MAX).unwrap().next
}

/// How much of a processor waiting takes, in thousandths.
fn idle(store: Box<dyn Store>) -> u128 {
    let waiting = Project::new(store, TimeZone::UTC);
    let time = Duration::from_secs(if crate::conformance::full() { 30 } else { 3 });
    let after = last(&waiting);
    let (started, before) = (Instant::now(), cpu());
    waiting.wait(&after, &EventFilter::default(), 10, time).unwrap();
    assert!(started.elapsed() >= time);
    cpu().saturating_sub(before).as_micros() * 1000 / time.as_micros()
}

/// How long it took until somebody who waits has seen what somebody else did.
fn seen(waiting: impl Fn() -> Box<dyn Store> + Send + Sync, work: &Project) -> Duration {
    let task = TaskId::new(planned(work, "Waited for", 1), 1);
    let after = last(work);
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let waiting = Project::new(waiting(), TimeZone::UTC);
            let filter = EventFilter { task: Some(task), ..EventFilter::default() };
            let page = waiting.wait(&after, &filter, 10, Duration::from_secs(20)).unwrap();
            assert_eq!(page.events.len(), 1);
            Instant::now()
        });
        pause(700);
        // Somebody else's, which the filter leaves out.
        planned(work, "Beside", 1);
        pause(100);
        work.execute(&note(task, "now"), "ada").unwrap();
        let done = Instant::now();
        seen.join().unwrap().saturating_duration_since(done)
    })
}

fn listening(url: &str) -> Box<dyn Store> {
    let postgres = Postgres::open(url).unwrap().listening(url).unwrap();
    Box::new(Database::open(postgres, PROJECT, Settings::default()).unwrap())
}

#[test]
fn what_others_do_ends_waiting_at_once_and_waiting_costs_nothing() {
    let server = Server::start(&["fsync=off"]);
    drop(made(&server.url()));
    let work = project(&server.url());
    let url = server.url();
    let told = seen(|| listening(&url), &work);
    assert!(told < Duration::from_millis(300), "{told:?}");
    let polled = seen(|| Box::new(super::opened(&url)), &work);
    assert!(polled < Duration::from_millis(1200), "{polled:?}");
    let (of_told, of_polled) = (idle(listening(&url)), idle(Box::new(super::opened(&url))));
    println!("told {told:?}, polled {polled:?}; idle ‰: {of_told}, {of_polled}");
    assert!(of_told < 10 && of_polled < 20, "{of_told} {of_polled}");
}

#[test]
fn who_waits_is_found_again_after_the_server_was_killed() {
    let mut server = Server::start(&["fsync=off"]);
    drop(made(&server.url()));
    let work = project(&server.url());
    let task = TaskId::new(planned(&work, "Waited for", 1), 1);
    let after = last(&work);
    let url = server.url();
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let waiting = Project::new(listening(&url), TimeZone::UTC);
            waiting.wait(&after, &EventFilter::default(), 10, Duration::from_secs(20)).unwrap()
        });
        pause(500);
        server.kill();
        server.resume();
        work.execute(&note(task, "now"), "ada").unwrap();
        assert_eq!(seen.join().unwrap().events.len(), 1);
    });
}

#[test]
fn a_file_is_watched_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("milestones.db");
    let sqlite = || Sqlite::open(&file, Duration::from_secs(5)).unwrap();
    let opened = || Database::open(sqlite(), PROJECT, Settings::default()).unwrap();
    drop(Database::make(sqlite(), PROJECT, Settings::default()).unwrap());
    let work = Project::new(Box::new(opened()), TimeZone::UTC);
    let took = seen(|| Box::new(opened()), &work);
    assert!(took < Duration::from_millis(300), "{took:?}");
    let idle = idle(Box::new(opened()));
    println!("seen after {took:?}; idle {idle} ‰");
    assert!(idle < 10, "{idle}");
}

/// What telling costs those that write, measured where it was asked for.
#[test]
fn telling_costs_writers_little() {
    let server = Server::start(&["fsync=off"]);
    let store = made(&server.url());
    let (url, id) = (server.url(), store.project);
    let commits = if crate::conformance::full() { 2000 } else { 100 };
    let begin_and_keep = |connection: &Postgres, tell: bool| {
        connection.begin(id).unwrap();
        connection.batch("SELECT pg_current_xact_id()").unwrap();
        if tell { connection.commit(id).unwrap() } else { connection.batch("COMMIT").unwrap() }
    };
    let rate = |writers: u32, tell: bool| {
        let started = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..writers {
                scope.spawn(|| {
                    let connection = Postgres::open(&url).unwrap();
                    (0..commits).for_each(|_| begin_and_keep(&connection, tell));
                });
            }
        });
        f64::from(writers * commits) / started.elapsed().as_secs_f64()
    };
    for listeners in [0, 2] {
        let _waiting: Vec<Postgres> = (0..listeners)
            .map(|_| {
                let waiting = Postgres::open(&url).unwrap().listening(&url).unwrap();
                waiting.is_about_to_wait(id).unwrap();
                waiting
            })
            .collect();
        for writers in [1, 8] {
            let (without, with) = (rate(writers, false), rate(writers, true));
            println!(
                "{listeners} listen, {writers} write: {without:.0}/s silent, {with:.0}/s told"
            );
            assert!(with > without / 20.0);
        }
    }
}
