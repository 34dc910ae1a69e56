//! A server that is killed, full, read-only, silent or held up by somebody else (P12).

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{Event, Recorded};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::Scope;
use milestone_domain::status::TaskStatus;
use rustix::process::Signal;

use super::server::{Server, free_port};
use super::{Postgres, made, opened, pause};
use crate::{Error, EventFilter, Project, Store, StoreError};

pub fn project(url: &str) -> Project {
    Project::new(Box::new(opened(url)), TimeZone::UTC)
}

pub fn planned(project: &Project, title: &str, tasks: u32) -> MilestoneId {
    let mut draft = Milestone::new(MilestoneId(0), title);
    draft.tasks = (1..=tasks).map(|number| Task::new(number, "Do")).collect();
    let outcome = project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
    *outcome.snapshot.documents.keys().last().unwrap()
}

pub fn note(task: TaskId, text: &str) -> Command {
    Command::Note { task, text: text.to_owned(), credential: Credential::default() }
}

fn notes(events: &[Recorded]) -> Vec<String> {
    let note = |recorded: &Recorded| match &recorded.event {
        Event::TaskNoted { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(note).collect()
}

fn all_events(store: &dyn Store) -> Vec<Recorded> {
    store.events(None, &EventFilter::default(), usize::MAX).unwrap().events
}

/// How often the server is killed.
fn kills() -> u32 {
    if crate::conformance::full() { 100 } else { 4 }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_server_is_killed() {
    let mut server = Server::start(&["fsync=off"]);
    drop(made(&server.url()));
    let id = planned(&project(&server.url()), "Shared", 4);
    let over = AtomicBool::new(false);
    let url = server.url();
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let writer = |number: u32| {
            let (url, over) = (&url, &over);
            scope.spawn(move || {
                let project = project(url);
                let mut said = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let text = format!("{number}-{}", said.len());
                    let task = TaskId::new(id, u32::try_from(said.len() % 4).unwrap() + 1);
                    project.execute(&note(task, &text), "ada").unwrap();
                    if said.len() % 10 == 9 {
                        planned(&project, &text, 1);
                    }
                    said.push(text);
                }
                said
            })
        };
        let writers: Vec<_> = (0..4).map(writer).collect();
        for _ in 0..kills() {
            pause(500);
            server.kill();
            server.resume();
        }
        pause(300);
        over.store(true, Ordering::Relaxed);
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let store = opened(&server.url());
    let mut there = notes(&all_events(&store));
    let mut acknowledged = acknowledged;
    there.sort();
    acknowledged.sort();
    assert!(acknowledged.len() > 50, "only {} writes", acknowledged.len());
    assert_eq!(there, acknowledged);
    let snapshot = store.read(&Scope::All).unwrap().snapshot;
    let milestones = all_events(&store)
        .iter()
        .filter(|recorded| matches!(recorded.event, Event::MilestoneCreated { .. }))
        .count();
    assert_eq!(milestones, snapshot.documents.len());
}

#[test]
fn a_full_server_is_waited_for_and_then_named() {
    let server =
        Server::start(&["fsync=off", "max_connections=5", "superuser_reserved_connections=0"]);
    let url = server.url();
    drop(made(&url));
    let mut others: Vec<Postgres> = (0..5).map(|_| Postgres::open(&url).unwrap()).collect();
    let started = Instant::now();
    let Err(error) = Postgres::open(&url) else { panic!("there is no room") };
    assert!(error.to_string().contains("too many clients"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    std::thread::scope(|scope| {
        let late = scope.spawn(|| opened(&url).read(&Scope::All).map(drop));
        pause(1000);
        others.pop();
        late.join().unwrap().unwrap();
    });
}

#[test]
fn a_server_that_takes_no_writes_can_be_read() {
    let server = Server::start(&["fsync=off"]);
    drop(made(&server.url()));
    let ada = project(&server.url());
    let id = planned(&ada, "Authentication", 1);
    let writes = |word: &str| {
        server.psql(&format!("ALTER SYSTEM SET default_transaction_read_only = {word}"));
        server.psql("SELECT pg_reload_conf()");
        pause(200);
    };
    writes("on");
    let task = TaskId::new(id, 1);
    match ada.execute(&note(task, "never"), "ada") {
        Err(Error::Store(error @ StoreError::ReadOnly { .. })) => {
            assert!(error.to_string().contains("takes no writes"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    let bob = project(&server.url());
    assert_eq!(bob.read(&Scope::All, "bob").unwrap().documents.len(), 1);
    std::thread::scope(|scope| {
        let late =
            scope.spawn(|| project(&server.url()).execute(&note(task, "late"), "ada").map(drop));
        pause(700);
        writes("off");
        late.join().unwrap().unwrap();
    });
    assert_eq!(notes(&all_events(&opened(&server.url()))), ["late"]);
}

#[test]
fn a_transaction_of_somebody_else_holds_no_follower_back() {
    let server = Server::start(&["fsync=off"]);
    drop(made(&server.url()));
    let ada = project(&server.url());
    let task = TaskId::new(planned(&ada, "Authentication", 1), 1);
    let follower = opened(&server.url());
    let idle = Postgres::open(&server.url()).unwrap();
    crate::sql::Connection::batch(&idle, "BEGIN; SELECT pg_current_xact_id()").unwrap();
    ada.execute(&note(task, "seen"), "ada").unwrap();
    assert_eq!(notes(&all_events(&follower)), ["seen"]);
}

#[test]
fn a_writer_of_this_project_is_waited_for_by_followers() {
    let server = Server::start(&["fsync=off"]);
    let made = made(&server.url());
    let ada = project(&server.url());
    let task = TaskId::new(planned(&ada, "Authentication", 1), 1);
    let follower = opened(&server.url());
    let slow = Postgres::open(&server.url()).unwrap();
    crate::sql::Connection::begin(&slow, made.project).unwrap();
    crate::sql::Connection::batch(&slow, "SELECT pg_current_xact_id()").unwrap();
    ada.execute(&note(task, "later"), "ada").unwrap();
    assert!(notes(&all_events(&follower)).is_empty(), "something may still come before it");
    crate::sql::Connection::roll_back(&slow);
    assert_eq!(notes(&all_events(&follower)), ["later"]);
}

#[test]
fn a_writer_that_was_stopped_holds_nobody_up_for_long() {
    let server = Server::start(&["fsync=off"]);
    let made = made(&server.url());
    let ada = project(&server.url());
    let task = TaskId::new(planned(&ada, "Authentication", 1), 1);
    let stopped = Postgres::open(&server.url()).unwrap();
    crate::sql::Connection::begin(&stopped, made.project).unwrap();
    crate::sql::Connection::batch(&stopped, "SELECT * FROM milestone_task FOR UPDATE").unwrap();
    let started = Instant::now();
    let outcome = ada.execute(&move_on(task), "ada");
    assert!(outcome.is_ok(), "{outcome:?} after {:?}", started.elapsed());
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(5), "nothing was held: {waited:?}");
    assert!(waited < super::super::LOCK_WAIT_MAX, "{waited:?}");
}

fn move_on(task: TaskId) -> Command {
    let credential = Credential::default();
    Command::ChangeTask { task, to: TaskStatus::InProgress, reason: None, credential }
}

/// Somebody waits for his turn while somebody else has it.
fn waiting(server: &Server, meanwhile: impl FnOnce() + Send) -> Result<(), Error> {
    let made = made(&server.url());
    let ada = project(&server.url());
    let task = TaskId::new(planned(&ada, "Authentication", 1), 1);
    let other = Postgres::open(&server.url()).unwrap();
    crate::sql::Connection::begin(&other, made.project).unwrap();
    crate::sql::Connection::batch(&other, "SELECT * FROM milestone_task FOR UPDATE").unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let trying = scope.spawn(|| {
            let ada = project(&server.url());
            let first = ada.execute(&move_on(task), "ada").map(drop);
            while !over.load(Ordering::Relaxed) {
                pause(10);
            }
            // Whatever came of the first, the same handle goes on.
            let goes_on = ada.execute(&note(task, "on"), "ada");
            assert!(goes_on.is_ok(), "{goes_on:?}");
            first
        });
        pause(500);
        meanwhile();
        pause(500);
        crate::sql::Connection::roll_back(&other);
        over.store(true, Ordering::Relaxed);
        trying.join().unwrap()
    })
}

#[test]
fn a_cancelled_statement_is_an_error_that_leaves_nothing_behind() {
    let server = Server::start(&["fsync=off"]);
    let error = waiting(&server, || {
        let cancelled = server.psql(
            "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
             WHERE wait_event_type = 'Lock'",
        );
        assert_eq!(cancelled, "1");
    })
    .unwrap_err();
    assert!(error.to_string().contains("canceling statement due to user request"), "{error}");
}

#[test]
fn a_connection_that_was_ended_is_made_anew() {
    let server = Server::start(&["fsync=off"]);
    waiting(&server, || {
        server.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE wait_event_type = 'Lock'",
        );
    })
    .unwrap();
}

#[test]
fn an_administrators_timeouts_are_named_errors() {
    let server = Server::start(&["fsync=off"]);
    server.psql("ALTER ROLE milestone SET statement_timeout = '300ms'");
    let error = waiting(&server, || {}).unwrap_err();
    assert!(error.to_string().contains("statement timeout"), "{error}");
    // What administrators set for locks is for sessions that do not know better.
    server.psql("ALTER ROLE milestone SET statement_timeout = 0");
    server.psql("ALTER ROLE milestone SET lock_timeout = '300ms'");
    server.psql("ALTER ROLE milestone SET default_transaction_isolation = 'serializable'");
    server.psql("DELETE FROM milestone_task");
    waiting(&server, || {}).unwrap();
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://ada:x@{}/plans", listener.local_addr().unwrap());
    let started = Instant::now();
    let Err(error) = Postgres::open(&url) else { panic!("nobody is there") };
    assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
    assert!(error.to_string().contains("let nobody in for 5 s"), "{error}");
}

#[test]
fn a_server_that_stops_answering_is_given_up_and_found_again() {
    let server = Server::start(&["fsync=off"]);
    drop(made(&server.url()));
    let mut store = opened(&server.url());
    store.connection.answer_max = Duration::from_secs(1);
    server.signal_all(Signal::STOP);
    let started = Instant::now();
    let error = store.read(&Scope::All).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(14), "{:?}", started.elapsed());
    assert!(matches!(error, StoreError::ConnectionLost(_)), "{error}");
    server.signal_all(Signal::CONT);
    store.read(&Scope::All).unwrap();
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let url = format!("postgres://ada:x@127.0.0.1:{}/plans", free_port());
    let Err(error) = Postgres::open(&url) else { panic!("nobody is there") };
    assert!(error.to_string().contains("refused"), "{error}");
}

/// Many at once, on overlapping parts: none waits for one that waits for it.
#[test]
fn writers_of_overlapping_parts_never_wait_for_one_another_in_a_circle() {
    let server = Server::start(&["fsync=off", "deadlock_timeout=100ms"]);
    drop(made(&server.url()));
    let first = project(&server.url());
    let ids: Vec<MilestoneId> =
        (0..3).map(|number| planned(&first, &number.to_string(), 6)).collect();
    let until =
        Instant::now() + Duration::from_secs(if crate::conformance::full() { 120 } else { 8 });
    let done: u32 = std::thread::scope(|scope| {
        let worker = |seed: u32| {
            let (url, ids) = (server.url(), &ids);
            scope.spawn(move || {
                let project = project(&url);
                let mut dice = seed.wrapping_mul(2_654_435_761).max(1);
                let mut done = 0;
                while Instant::now() < until {
                    let command = anything(ids, &mut dice);
                    match project.execute(&command, "ada") {
                        Ok(_) => done += 1,
                        Err(Error::Refused(_) | Error::Store(StoreError::Stale)) => {}
                        Err(error) => panic!("{command:?}: {error}"),
                    }
                }
                done
            })
        };
        let workers: Vec<_> = (1..=10).map(worker).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!(done > 100, "only {done}");
    assert_eq!(server.log().matches("deadlock detected").count(), 0, "{}", server.log());
    assert_eq!(
        server.psql("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"),
        "0"
    );
}

fn thrown(dice: &mut u32, sides: u32) -> u32 {
    *dice ^= *dice << 13;
    *dice ^= *dice >> 17;
    *dice ^= *dice << 5;
    *dice % sides
}

fn anything(ids: &[MilestoneId], dice: &mut u32) -> Command {
    let mut one = || ids[thrown(dice, 3) as usize];
    let (milestone, other) = (one(), one());
    let task = TaskId::new(milestone, thrown(dice, 6) + 1);
    let required = TaskId::new(other, thrown(dice, 6) + 1);
    let attempt = milestone_domain::event::AttemptId(uuid::Uuid::now_v7());
    match thrown(dice, 9) {
        0 => note(task, "x"),
        1 => Command::Claim { task, attempt, lease_seconds: 1 },
        2 => move_on(task),
        3 => {
            let to = TaskStatus::Pending;
            let credential = Credential::default();
            Command::ChangeTask { task, to, reason: Some("again".into()), credential }
        }
        4 => {
            let mut draft = Task::new(0, "More");
            draft.requires = vec![milestone_domain::ids::Reference::Task(required)];
            Command::AddTask { milestone, draft: Box::new(draft) }
        }
        5 => Command::RemoveTask { task },
        6 => Command::MoveTask { task, to: other },
        7 => {
            let closing = Box::new(milestone_domain::command::Closing {
                force: Some("enough".into()),
                ..Default::default()
            });
            Command::Archive { milestone, closing }
        }
        _ => Command::ChangeMilestone {
            milestone,
            to: milestone_domain::status::MilestoneStatus::InProgress,
            reason: Some("back".into()),
        },
    }
}

#[test]
fn a_change_whose_first_try_came_through_late_is_kept_once() {
    let server = Server::start(&["fsync=off"]);
    let made = made(&server.url());
    let ada = project(&server.url());
    let task = TaskId::new(planned(&ada, "Authentication", 1), 1);
    let context = ada.context("ada");
    // What the server still does for a connection that is lost already.
    let first = Postgres::open(&server.url()).unwrap();
    crate::sql::Connection::begin(&first, made.project).unwrap();
    let insert = format!(
        "INSERT INTO milestone_event (project, change, position, milestone, task, at, actor, kind, \
         body) VALUES ({}, '{}', 0, 1, 1, '', 'ada', 'task_noted', '{{}}')",
        made.project, context.change.0
    );
    crate::sql::Connection::batch(&first, &insert).unwrap();
    std::thread::scope(|scope| {
        let again = scope
            .spawn(|| project(&server.url()).execute_as(&note(task, "once"), &context).map(drop));
        pause(500);
        crate::sql::Connection::batch(&first, "COMMIT").unwrap();
        again.join().unwrap().unwrap();
    });
    let count = server.psql(&format!(
        "SELECT count(*) FROM milestone_event WHERE change = '{}'",
        context.change.0
    ));
    assert_eq!(count, "1");
}
