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

const AGENTS: usize = 8;

pub fn run(harness: &Harness) -> Report {
    let tasks = u32::try_from(harness.runs(60, 2_000)).unwrap_or(60);
    let faults = harness.runs(20, 300);
    harness.each(report("P6", "faults"), 1, 1, |harness, root, mut random| {
        // One that may be killed, where there can be one.
        let mut server = match own_server(harness, root) {
            Ok(server) => server,
            Err(error) => return (Outcome::new(0, vec![error]), None),
        };
        let url = server.as_ref().map(|server| server.url.clone());
        let program = url.map(|url| harness.program.with(PROGRAM_URL, &url));
        let program = program.unwrap_or_else(|| harness.program.clone());
        let scene = Scene::new(&root.join("project"), &program).kept_in(harness.store);
        let tried = one(&scene, &mut server, tasks, faults, &mut random);
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
    tasks: u32,
    faults: u64,
    random: &mut Random,
) -> Result<(), Vec<String>> {
    prepare(scene, tasks, random).map_err(|error| vec![error])?;
    let mut left = faults;
    while left > 0 {
        let mut session = Session::start(scene, AGENTS, &[]).map_err(|error| vec![error])?;
        while left > 0 && !session.has_ended() {
            std::thread::sleep(Duration::from_millis(100 + random.below(900)));
            match server {
                Some(server) if random.percent(20) => {
                    restart(server, random).map_err(|error| vec![error])?;
                }
                _ => disturb(&mut session, random),
            }
            left -= 1;
        }
        session.kill();
        // Whoever is done has no session left to disturb.
        if said(scene, &["show", "1"]).is_ok_and(|text| text.contains("status: completed")) {
            break;
        }
    }
    finish(scene, AGENTS)?;
    let wrong = check(scene, tasks);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
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
    let log = git(&scene.root, &["log", "--format=%(trailers:key=Task,valueonly)", BRANCH]);
    let mut commits: BTreeMap<String, u32> = BTreeMap::new();
    for task in log.unwrap_or_default().split_whitespace() {
        *commits.entry(task.to_owned()).or_default() += 1;
    }
    for number in 1..=tasks {
        let id = format!("task-001-{number:03}");
        match commits.get(&id) {
            Some(1) => {}
            other => wrong.push(format!("{id} has {} commits", other.unwrap_or(&0))),
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
