//! P6: agents work through a graph while whatever runs is killed or stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;
use crate::run::tool;

const AGENTS: &str = "8";

/// How often a person lets blocked tasks be tried again before something is wrong.
const ROUNDS_MAX: u32 = 12;

/// No session lives longer without getting done.
const PATIENCE: Duration = Duration::from_mins(20);

pub fn run(harness: &Harness) -> Report {
    let tasks = u32::try_from(harness.runs(60, 2_000)).unwrap_or(60);
    let faults = harness.runs(20, 300);
    harness.each(report("P6", "faults"), 1, 1, |harness, root, mut random| {
        let scene = harness.scene(root);
        let wrong = one(&scene, tasks, faults, &mut random).err().unwrap_or_default();
        (Outcome::new(faults, wrong), Some(scene))
    })
}

fn one(scene: &Scene, tasks: u32, faults: u64, random: &mut Random) -> Result<(), Vec<String>> {
    prepare(scene, tasks, random).map_err(|error| vec![error])?;
    let mut left = faults;
    while left > 0 {
        let mut session = Session::start(scene).map_err(|error| vec![error])?;
        while left > 0 && !session.has_ended() {
            std::thread::sleep(Duration::from_millis(100 + random.below(900)));
            session.disturb(random);
            left -= 1;
        }
        session.kill();
        // Whoever is done has no session left to disturb.
        if said(scene, &["show", "1"]).is_ok_and(|text| text.contains("status: completed")) {
            break;
        }
    }
    finish(scene)?;
    let wrong = check(scene, tasks);
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// A repository, and a milestone of tasks that each write a file of their own and one they share.
fn prepare(scene: &Scene, tasks: u32, random: &mut Random) -> Result<(), String> {
    git(&scene.root, &["init", "-q", "-b", "main"])?;
    git(&scene.root, &["config", "user.name", "Ada"])?;
    git(&scene.root, &["config", "user.email", "ada@example.org"])?;
    git(&scene.root, &["commit", "-q", "--allow-empty", "-m", "Begin"])?;
    scene.must(Ask::Init)?;
    let mut text = "id: milestone-001\ntitle: Work\ntasks:\n".to_owned();
    for number in 1..=tasks {
        let requires: BTreeSet<String> = (0..random.below(3))
            .filter(|_| number > 1)
            .map(|_| format!("task-{:03}", 1 + random.below(u64::from(number) - 1)))
            .collect();
        let requires: Vec<String> = requires.into_iter().collect();
        let pause = random.below(8);
        let _ = writeln!(
            text,
            "  - {{id: task-{number:03}, title: Task {number}, requires: [{}], \
             run: 'sleep 0.{pause}; echo {number} >> f{number}; echo {number} >> shared{}'}}",
            requires.join(", "),
            number % 10
        );
    }
    fs::write(scene.folder().join("active/milestone-001.yaml"), text)
        .map_err(|error| error.to_string())?;
    std::thread::sleep(Duration::from_millis(300));
    scene.settle_in_store()
}

/// Sessions without faults, until everything is done.
fn finish(scene: &Scene) -> Result<(), Vec<String>> {
    for _ in 0..ROUNDS_MAX {
        let mut session = Session::start(scene).map_err(|error| vec![error])?;
        if session.wait() == Some(0) {
            return Ok(());
        }
        // What was killed too often is left to a person, who has it tried again.
        for task in blocked(scene).map_err(|error| vec![error])? {
            let _ = said(scene, &["task", "unblock", &task]);
        }
    }
    Err(vec!["it does not come to an end".to_owned()])
}

fn check(scene: &Scene, tasks: u32) -> Vec<String> {
    let mut wrong = Vec::new();
    let branch = "milestone/milestone-001";
    let log = git(&scene.root, &["log", "--format=%(trailers:key=Task,valueonly)", branch]);
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
        let file = git(&scene.root, &["show", &format!("{branch}:f{number}")]);
        if file.as_deref() != Ok(format!("{number}\n").as_str()) {
            wrong.push(format!("f{number} says {file:?}"));
        }
    }
    for shared in 0..10 {
        let text = git(&scene.root, &["show", &format!("{branch}:shared{shared}")]);
        let mut said: Vec<u32> =
            text.unwrap_or_default().lines().filter_map(|line| line.parse().ok()).collect();
        said.sort_unstable();
        let all: Vec<u32> = (1..=tasks).filter(|number| number % 10 == shared).collect();
        if said != all {
            wrong.push(format!("shared{shared} says {said:?}"));
        }
    }
    wrong.extend(git(&scene.root, &["fsck", "--full", "--no-dangling"]).err());
    let attempts = fs::read_dir(scene.folder().join("data/attempts")).map_or(0, Iterator::count);
    if attempts > 0 {
        wrong.push(format!("{attempts} attempts are still on record"));
    }
    let worktrees = git(&scene.root, &["worktree", "list", "--porcelain"]).unwrap_or_default();
    if worktrees.matches("worktree ").count() != 1 {
        wrong.push(format!("worktrees are left: {worktrees}"));
    }
    wrong
}

/// An execution that runs.
struct Session {
    child: Child,
    begun: Instant,
}

impl Session {
    fn start(scene: &Scene) -> Result<Self, String> {
        let mut command = milestone(scene, &["execute", "1", "--agents", AGENTS, "--yes"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| error.to_string())?;
        Ok(Self { child, begun: Instant::now() })
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    fn wait(&mut self) -> Option<i32> {
        while !self.has_ended() && self.begun.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(50));
        }
        self.kill();
        self.child.wait().ok()?.code()
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Kills it, or something that it has started, or stops it for a while.
    fn disturb(&mut self, random: &mut Random) {
        let children = below(self.child.id());
        let one = |name: &str, random: &mut Random| {
            let named: Vec<i32> = children
                .iter()
                .filter(|(_, line)| line.contains(name))
                .map(|(pid, _)| *pid)
                .collect();
            let at = usize::try_from(random.below(named.len().max(1) as u64)).unwrap_or(0);
            named.get(at).copied().and_then(Pid::from_raw)
        };
        match random.below(4) {
            0 => self.kill(),
            1 => drop(one("keep-runner", random).map(|pid| kill_process(pid, Signal::KILL))),
            2 => drop(one("git", random).map(|pid| kill_process(pid, Signal::KILL))),
            _ => {
                let pid = Pid::from_child(&self.child);
                let _ = kill_process(pid, Signal::STOP);
                std::thread::sleep(Duration::from_millis(random.below(1_500)));
                let _ = kill_process(pid, Signal::CONT);
            }
        }
    }
}

/// The processes that come from one, and their command lines.
fn below(pid: u32) -> Vec<(i32, String)> {
    let mut found = Vec::new();
    let mut asked = vec![pid.to_string()];
    while let Some(parent) = asked.pop() {
        let tasks = fs::read_dir(format!("/proc/{parent}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
                let line = String::from_utf8_lossy(&line).replace('\0', " ");
                asked.push(child.to_owned());
                found.extend(child.parse().ok().map(|child| (child, line)));
            }
        }
    }
    found
}

fn blocked(scene: &Scene) -> Result<Vec<String>, String> {
    let json = said(scene, &["show", "1", "--json"])?;
    let document: serde_json::Value =
        serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let tasks = document["data"]["document"]["tasks"].as_array().cloned().unwrap_or_default();
    let blocked = tasks.iter().filter(|task| task["status"] == "blocked");
    let number = |task: &serde_json::Value| {
        let id = task["id"].as_str()?;
        Some(format!("1.{}", id.rsplit('-').next()?.trim_start_matches('0')))
    };
    Ok(blocked.filter_map(number).collect())
}

fn said(scene: &Scene, words: &[&str]) -> Result<String, String> {
    let output = milestone(scene, words).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn milestone(scene: &Scene, words: &[&str]) -> Command {
    let mut command = Command::new(&scene.program.path);
    let environment = scene.program.environment.iter().map(|(name, value)| (name, value));
    command.args(words).current_dir(&scene.root).envs(environment).stdin(Stdio::null());
    // Worktrees and what was agreed to stand beside the project, and go with it.
    command.env("HOME", scene.root.join(".home")).env("XDG_STATE_HOME", scene.root.join(".state"));
    command.env_remove("MILESTONE_ATTEMPT");
    command
}

fn git(root: &Path, words: &[&str]) -> Result<String, String> {
    let root = root.display().to_string();
    let words: Vec<&str> = ["git", "-C", &root].into_iter().chain(words.iter().copied()).collect();
    tool(&words)
}
