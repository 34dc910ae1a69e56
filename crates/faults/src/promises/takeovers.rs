//! P7: what a dead session worked on is taken over at once, and what a slow one works on never.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::execution::{self, Session, finish, said, with_status};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

const AGENTS: usize = 4;

/// Two seconds are wanted; a machine that others use as well is given more before it is wrong.
const AT_ONCE_MILLIS: u64 = 10_000;

/// A holder on another host is known by nothing but its lease.
const LEASE: Duration = Duration::from_secs(3);
const PAST_THE_LEASE_MILLIS: u64 = 5_000;

/// One in so many runs of the full ones is of a holder that hardly ever gets to run.
const SLOW_ONE_IN: u64 = 100;
const SLOW_FOR: Duration = Duration::from_secs(80);
const STOPPED: Duration = Duration::from_millis(1_900);
const GOING: Duration = Duration::from_millis(100);

/// How long takeovers took, in milliseconds.
#[derive(Default)]
struct Took {
    at_once: Mutex<Vec<u64>>,
    past_the_lease: Mutex<Vec<u64>>,
}

pub fn run(harness: &Harness) -> Report {
    let took = Took::default();
    let runs = harness.runs(10, 1_000);
    // They mostly sleep.
    let jobs = harness.jobs * 2;
    let report = harness.each(report("P7", "deaths"), runs, jobs, |harness, root, mut random| {
        let scene = harness.scene(root);
        let tried = if harness.full && random.below(SLOW_ONE_IN) == 0 {
            slow(&scene)
        } else if random.percent(20) {
            elsewhere(&scene, &took)
        } else {
            here(&scene, &took, &mut random)
        };
        (Outcome::new(1, tried.err().unwrap_or_default()), Some(scene))
    });
    let figures = |what, of: Mutex<Vec<u64>>| {
        let mut of = of.into_inner().unwrap_or_else(PoisonError::into_inner);
        of.sort_unstable();
        let at =
            |percent: usize| of.get((of.len() * percent / 100).min(of.len().saturating_sub(1)));
        let ms = |percent| at(percent).map_or_else(|| "-".to_owned(), ToString::to_string);
        format!(
            "{what} ({} tasks): p50 {} ms, p99 {} ms, max {} ms",
            of.len(),
            ms(50),
            ms(99),
            ms(100)
        )
    };
    let remarks = vec![
        figures("from the next session's start", took.at_once),
        figures("from the end of another host's lease", took.past_the_lease),
    ];
    Report { remarks, ..report }
}

fn prepare(scene: &Scene) -> Result<(), Vec<String>> {
    let enough = scene.root.join("enough").display().to_string();
    let task = |number| {
        format!("run: 'until [ -e {enough} ]; do sleep 0.1; done; echo {number} > f{number}'")
    };
    let tasks: Vec<String> = (1..=AGENTS).map(task).collect();
    execution::prepare(scene, &[], &tasks).map_err(|error| vec![error])
}

fn let_all_end(scene: &Scene) -> Result<(), Vec<String>> {
    fs::write(scene.root.join("enough"), "").map_err(|error| vec![error.to_string()])
}

/// A session is killed, and another one begins on the same host.
fn here(scene: &Scene, took: &Took, random: &mut Random) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    prepare(scene)?;
    let mut session = Session::start(scene, AGENTS, &[]).map_err(text)?;
    std::thread::sleep(Duration::from_millis(100 + random.below(2_000)));
    session.kill();
    let held = with_status(scene, "in_progress").map_err(text)?;
    let resumes: &[&str] =
        if random.percent(50) && has_sessions(scene) { &["--resume"] } else { &[] };
    let began = now();
    let mut next = Session::start(scene, AGENTS, resumes).map_err(text)?;
    let_all_end(scene)?;
    let mut wrong = Vec::new();
    if next.wait() != Some(0) {
        wrong.extend(finish(scene, AGENTS).err().unwrap_or_default());
    }
    for task in held {
        // One whose work was in the branch already is only recorded.
        let Some(again) = claims(scene, &task).map_err(text)?.get(1).copied() else { continue };
        let delay = again.saturating_sub(began);
        took.at_once.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
        if delay > AT_ONCE_MILLIS {
            wrong.push(format!("{task} was taken over after {delay} ms"));
        }
    }
    wrong.extend(left(scene));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn has_sessions(scene: &Scene) -> bool {
    said(scene, &["session", "list", "--json"]).is_ok_and(|list| list.contains("\"id\""))
}

fn ended(scene: &Scene) -> Vec<String> {
    let mut wrong = finish(scene, AGENTS).err().unwrap_or_default();
    wrong.extend(left(scene));
    wrong
}

fn left(scene: &Scene) -> Vec<String> {
    let mut wrong = execution::left_over(scene);
    wrong.extend(execution::worktrees(scene));
    wrong
}

/// Somebody of whom this host knows nothing holds a task and is dead.
fn elsewhere(scene: &Scene, took: &Took) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    prepare(scene)?;
    let_all_end(scene)?;
    let lease = format!("{}s", LEASE.as_secs());
    scene.must(Ask::Claim { task: "task-001-001".into(), lease }).map_err(text)?;
    let mut wrong = ended(scene);
    let claims = claims(scene, "1.1").map_err(text)?;
    let [first, second, ..] = claims[..] else {
        return Err(vec![format!("not taken over: {claims:?} {wrong:?}")]);
    };
    let lapsed = first + u64::try_from(LEASE.as_millis()).unwrap_or(0);
    let delay = second.saturating_sub(lapsed);
    took.past_the_lease.lock().unwrap_or_else(PoisonError::into_inner).push(delay);
    if second < lapsed {
        wrong.push(format!("robbed {} ms before the lease had passed", lapsed - second));
    }
    if delay > PAST_THE_LEASE_MILLIS {
        wrong.push(format!("taken over {delay} ms after the lease had passed"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// A session that gets a twentieth of the time, for longer than a lease.
fn slow(scene: &Scene) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    prepare(scene)?;
    let mut session = Session::start(scene, AGENTS, &[]).map_err(text)?;
    while with_status(scene, "in_progress").map_err(text)?.len() < AGENTS {
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut wrong = Vec::new();
    let began = Instant::now();
    while began.elapsed() < SLOW_FOR {
        session.signal(Signal::STOP);
        let claim = Ask::Claim { task: "task-001-001".into(), lease: "1m".into() };
        if scene.act(claim).proof().is_some() {
            wrong.push(format!("robbed after {:?}", began.elapsed()));
            break;
        }
        std::thread::sleep(STOPPED);
        session.signal(Signal::CONT);
        std::thread::sleep(GOING);
    }
    session.signal(Signal::CONT);
    let_all_end(scene)?;
    session.wait();
    for number in 1..=AGENTS {
        let claims = claims(scene, &format!("1.{number}")).map_err(text)?;
        if claims.len() != 1 {
            wrong.push(format!("1.{number} was claimed {} times", claims.len()));
        }
    }
    wrong.extend(ended(scene));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// When a task was claimed, each time.
fn claims(scene: &Scene, task: &str) -> Result<Vec<u64>, String> {
    let events = execution::events(scene, task)?;
    let claims = events.iter().filter(|event| event["kind"] == "task_claimed");
    Ok(claims.filter_map(execution::moment).collect())
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
