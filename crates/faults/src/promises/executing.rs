//! P6: agents work through a graph while whatever runs is killed or stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use super::{Harness, Outcome, report};
use crate::execution::{self, BRANCH, Session, finish, git, said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;
use crate::server::{self, Server};
use crate::store::{PROGRAM_URL, Store};

/// Who works: in the session, and in a worker that has joined it from another host.
#[derive(Clone, Copy)]
struct Crew {
    session: usize,
    joined: usize,
}

pub fn run(harness: &Harness) -> Report {
    worked_on(harness, "P6", Crew { session: 8, joined: 0 })
}

pub fn run_with_workers(harness: &Harness) -> Report {
    let agents = if harness.full { 32 } else { 4 };
    worked_on(harness, "P6-workers", Crew { session: agents, joined: agents })
}

fn worked_on(harness: &Harness, name: &'static str, crew: Crew) -> Report {
    let tasks = u32::try_from(harness.runs(60, 2_000)).unwrap_or(60);
    let faults = harness.runs(20, 300);
    // Spread over all of the work.
    let pause = if harness.full { 7_000 } else { 900 };
    harness.each(report(name, "faults"), 1, 1, |harness, root, mut random| {
        // One that may be killed, where there can be one.
        let mut server = match own_server(harness, root) {
            Ok(server) => server,
            Err(error) => return (Outcome::new(0, vec![error]), None),
        };
        let url = server.as_ref().map(|server| server.url.clone());
        let program = url.map(|url| harness.program.with(PROGRAM_URL, &url));
        let program = program.unwrap_or_else(|| harness.program.clone());
        let scene = Scene::new(&root.join("project"), &program).kept_in(harness.store);
        let tried = one(&scene, &mut server, (crew, tasks), (faults, pause), &mut random);
        (Outcome::new(faults, tried.err().unwrap_or_default()), Some(scene))
    })
}

fn own_server(harness: &Harness, root: &Path) -> Result<Option<Server>, String> {
    let may_be = harness.store == Store::Postgres && server::binaries().is_some();
    may_be.then(|| Server::make(&root.join("server"))).transpose()
}

fn one(
    scene: &Scene,
    server: &mut Option<Server>,
    (crew, tasks): (Crew, u32),
    (faults, pause): (u64, u64),
    random: &mut Random,
) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    prepare(scene, tasks, random).map_err(text)?;
    if crew.joined > 0 {
        // By what is committed a worker knows which project it is.
        git(&scene.root, &["add", ".milestones"]).map_err(text)?;
        git(&scene.root, &["commit", "-q", "-m", "The plan is in the database"]).map_err(text)?;
    }
    let mut at_work: Vec<Session> = Vec::new();
    for _ in 0..faults {
        // Whoever was killed begins again, until everything is done.
        at_work.retain_mut(|session| !session.has_ended());
        if at_work.iter().all(|session| session.is_worker) {
            if is_completed(scene) {
                break;
            }
            at_work.push(Session::start(scene, crew.session, &[]).map_err(text)?);
        }
        if crew.joined > 0 && !at_work.iter().any(|session| session.is_worker) {
            at_work.push(Session::join(scene, crew.joined, &[]).map_err(text)?);
        }
        std::thread::sleep(Duration::from_millis(100 + random.below(pause)));
        match server {
            Some(server) if random.percent(20) => restart(server, random).map_err(text)?,
            _ => {
                let whom = random.index(at_work.len());
                disturb(&mut at_work[whom], random);
            }
        }
    }
    drop(at_work);
    finish(scene, crew.session)?;
    let mut wrong = check(scene, tasks);
    if crew.joined > 0 {
        wrong.extend(in_the_clone(scene, crew));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn is_completed(scene: &Scene) -> bool {
    said(scene, &["show", "1"]).is_ok_and(|text| text.contains("status: completed"))
}

/// What a worker leaves on its own host once it was let end.
fn in_the_clone(scene: &Scene, crew: Crew) -> Vec<String> {
    let ended = Session::join(scene, crew.joined, &["--once"]).map(|mut worker| worker.wait());
    let mut wrong = Vec::new();
    if ended != Ok(Some(0)) {
        wrong.push(format!("a worker with nothing to do ends with {ended:?}"));
    }
    let clones = execution::second_state(scene).join("milestone/workers");
    for clone in std::fs::read_dir(clones).into_iter().flatten().flatten() {
        wrong.extend(execution::worktrees_of(&clone.path()));
        let attempts = clone.path().join(".milestones/data/attempts");
        let left = std::fs::read_dir(attempts).map_or(0, Iterator::count);
        if left > 0 {
            wrong.push(format!("{left} attempts are still on record in the clone"));
        }
    }
    wrong
}

/// A milestone of tasks that each write a file of their own and one they share.
fn prepare(scene: &Scene, tasks: u32, random: &mut Random) -> Result<(), String> {
    let task = |number: u32| {
        let requires: BTreeSet<String> = (0..random.below(3))
            .filter(|_| number > 1)
            .map(|_| format!("task-{:03}", 1 + random.below(u64::from(number) - 1)))
            .collect();
        let requires: Vec<String> = requires.into_iter().collect();
        let pause = random.below(8);
        format!(
            "requires: [{}], \
             run: 'sleep 0.{pause}; echo {number} >> f{number}; echo {number} >> shared{}'",
            requires.join(", "),
            number % 10
        )
    };
    let tasks: Vec<String> = (1..=tasks).map(task).collect();
    execution::prepare(scene, &[], &tasks)
}

fn check(scene: &Scene, tasks: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    let trailer = |key| format!("%(trailers:key={key},valueonly,separator=)");
    let format = format!("--format={} {}", trailer("Task"), trailer("Attempt"));
    let log = git(&scene.root, &["log", &format, BRANCH]).unwrap_or_default();
    let mut commits: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (task, attempt) in log.lines().filter_map(|line| line.split_once(' ')) {
        commits.entry(task).or_default().push(attempt);
    }
    for number in 1..=tasks {
        let id = format!("task-001-{number:03}");
        match commits.get(id.as_str()).map(Vec::as_slice) {
            Some([attempt]) => wrong.extend(unexplained(scene, number, attempt)),
            other => wrong.push(format!("{id} has commits of {other:?}")),
        }
        let file = git(&scene.root, &["show", &format!("{BRANCH}:f{number}")]);
        if file.as_deref() != Ok(format!("{number}\n").as_str()) {
            wrong.push(format!("f{number} says {file:?}"));
        }
    }
    for shared in 0..10 {
        let text = git(&scene.root, &["show", &format!("{BRANCH}:shared{shared}")]);
        let mut said: Vec<u32> =
            text.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect();
        said.sort_unstable();
        let all: Vec<u32> = (1..=tasks).filter(|number| number % 10 == shared).collect();
        if said != all {
            wrong.push(format!("shared{shared} says {said:?}"));
        }
    }
    wrong.extend(execution::left_over(scene));
    wrong.extend(execution::worktrees(scene));
    wrong
}

/// What the history does not say of a task: why it was worked on again, and whose work was taken.
fn unexplained(scene: &Scene, number: u32, brought_by: &str) -> Vec<String> {
    let task = format!("1.{number}");
    let events = match execution::events(scene, &task) {
        Ok(events) => events,
        Err(error) => return vec![format!("{task}: {error}")],
    };
    let mut wrong = Vec::new();
    let (mut fence, mut claimed, mut completed) = (0, BTreeSet::new(), 0);
    // Until when nobody else may claim it.
    let mut held_until: Option<u64> = None;
    for event in &events {
        match event["kind"].as_str().unwrap_or_default() {
            "task_claimed" => {
                let at = execution::moment(event).unwrap_or_default();
                if held_until.is_some_and(|until| at < until) {
                    wrong.push(format!("{task} is claimed again, and nothing says why: {event}"));
                }
                let next = event["fence"].as_u64().unwrap_or_default();
                if next <= fence {
                    wrong.push(format!("{task}: fence {next} comes after {fence}"));
                }
                fence = next;
                claimed.extend(event["attempt"].as_str());
                held_until = Some(at + 1_000 * event["lease_seconds"].as_u64().unwrap_or_default());
            }
            "task_released" => held_until = None,
            "task_status_changed" => {
                held_until = None;
                completed += u32::from(event["to"] == "completed");
            }
            _ => {}
        }
    }
    if !claimed.contains(brought_by) {
        wrong
            .push(format!("{task}: the attempt of its commit is not in its history: {brought_by}"));
    }
    if completed != 1 {
        wrong.push(format!("{task} was completed {completed} times"));
    }
    wrong
}

/// Kills the server under the session's hands, and starts it again.
fn restart(server: &mut Server, random: &mut Random) -> Result<(), String> {
    server.kill(if random.percent(60) { Signal::QUIT } else { Signal::KILL });
    std::thread::sleep(Duration::from_millis(random.below(1_500)));
    server.start()
}

/// Kills it, or something that it has started, or stops it for a while.
fn disturb(session: &mut Session, random: &mut Random) {
    match random.below(4) {
        0 => session.kill(),
        1 => kill_one(session, "keep-runner", random),
        2 => kill_one(session, "git", random),
        _ => {
            session.signal(Signal::STOP);
            std::thread::sleep(Duration::from_millis(random.below(1_500)));
            session.signal(Signal::CONT);
        }
    }
}

fn kill_one(session: &Session, name: &str, random: &mut Random) {
    if let Some(pid) = random.pick(&session.below(name)) {
        let _ = kill_process(*pid, Signal::KILL);
    }
}
