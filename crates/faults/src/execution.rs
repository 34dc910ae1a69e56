//! A project in a repository, and sessions that do the work of its milestone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::ask::Ask;
use crate::project::Scene;
use crate::run::tool;

/// The branch of the one milestone that there is.
pub const BRANCH: &str = "milestone/milestone-001";

/// No session lives longer without getting done.
const PATIENCE: Duration = Duration::from_mins(20);

/// How often a person lets blocked tasks be tried again before something is wrong.
const ROUNDS_MAX: u32 = 12;

/// What a task of the milestone says, beside its id and title.
pub type Task = String;

/// A repository with these files in its first commit, and a milestone with these tasks, in the
/// store.
pub fn prepare(scene: &Scene, files: &[(&str, &str)], tasks: &[Task]) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    git(&scene.root, &["init", "-q", "-b", "main"])?;
    git(&scene.root, &["config", "user.name", "Ada"])?;
    git(&scene.root, &["config", "user.email", "ada@example.org"])?;
    for (name, content) in files {
        fs::write(scene.root.join(name), content).map_err(text)?;
        git(&scene.root, &["add", name])?;
    }
    git(&scene.root, &["commit", "-q", "--allow-empty", "-m", "Begin"])?;
    scene.must(Ask::Init)?;
    let lines = tasks.iter().zip(1..).map(|(task, number)| {
        format!("  - {{id: task-{number:03}, title: Task {number}, {task}}}\n")
    });
    let document = format!("id: milestone-001\ntitle: Work\ntasks:\n{}", lines.collect::<String>());
    fs::write(scene.folder().join("active/milestone-001.yaml"), document).map_err(text)?;
    // A text is believed once nobody has written to it for a moment.
    std::thread::sleep(Duration::from_millis(300));
    scene.settle_in_store()
}

/// Sessions without faults, until everything is done.
pub fn finish(scene: &Scene, agents: usize) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    for _ in 0..ROUNDS_MAX {
        let mut session = Session::start(scene, agents, &[]).map_err(text)?;
        if session.wait() == Some(0) {
            return Ok(());
        }
        // What was killed too often is left to a person, who has it tried again.
        for task in with_status(scene, "blocked").map_err(text)? {
            let _ = said(scene, &["task", "unblock", &task]);
        }
    }
    Err(vec!["it does not come to an end".to_owned()])
}

/// What may not be left over once everything is done.
pub fn left_over(scene: &Scene) -> Vec<String> {
    let mut wrong = Vec::new();
    wrong.extend(git(&scene.root, &["fsck", "--full", "--no-dangling"]).err());
    let attempts = fs::read_dir(scene.folder().join("data/attempts")).map_or(0, Iterator::count);
    if attempts > 0 {
        wrong.push(format!("{attempts} attempts are still on record"));
    }
    match said(scene, &["session", "list", "--json"]) {
        Ok(sessions) if sessions.contains("\"state\":\"running\"") => {
            wrong.push(format!("a session says that it runs: {sessions}"));
        }
        Ok(_) => {}
        Err(error) => wrong.push(error),
    }
    wrong
}

/// Worktrees beside the main one, which nothing gives a reason to stay.
pub fn worktrees(scene: &Scene) -> Vec<String> {
    worktrees_of(&scene.root)
}

pub fn worktrees_of(repository: &Path) -> Vec<String> {
    let listed = git(repository, &["worktree", "list", "--porcelain"]).unwrap_or_default();
    match listed.matches("worktree ").count() {
        1 => Vec::new(),
        _ => vec![format!("worktrees are left: {listed}")],
    }
}

/// An execution that runs.
pub struct Session {
    child: Child,
    begun: Instant,
    /// It has joined the session of another host.
    pub is_worker: bool,
}

impl Session {
    pub fn start(scene: &Scene, agents: usize, words: &[&str]) -> Result<Self, String> {
        let agents = agents.to_string();
        let mut line = vec!["execute", "1", "--agents", &agents, "--yes"];
        line.extend(words);
        Self::begin(&mut milestone(scene, &line))
    }

    pub fn begin(command: &mut Command) -> Result<Self, String> {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| error.to_string())?;
        Ok(Self { child, begun: Instant::now(), is_worker: false })
    }

    /// A worker, with a home of its own as on another host.
    pub fn join(scene: &Scene, agents: usize, words: &[&str]) -> Result<Self, String> {
        let (agents, hub) = (agents.to_string(), scene.root.display().to_string());
        let mut line = vec!["worker", "1", "--repo", &hub, "--agents", &agents, "--yes"];
        line.extend(words);
        let mut command = milestone(scene, &line);
        let state = second_state(scene);
        command.env("HOME", state.join("home")).env("XDG_STATE_HOME", &state);
        let mut worker = Self::begin(&mut command)?;
        worker.is_worker = true;
        Ok(worker)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    pub fn wait(&mut self) -> Option<i32> {
        let code = self.wait_for(PATIENCE.saturating_sub(self.begun.elapsed()));
        self.kill();
        code
    }

    /// How it ended, if it does within a time.
    pub fn wait_for(&mut self, time: Duration) -> Option<i32> {
        let began = Instant::now();
        while !self.has_ended() && began.elapsed() < time {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.child.try_wait().ok()??.code()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// Processes that come from it and have this in their command line.
    pub fn below(&self, name: &str) -> Vec<Pid> {
        let all = below(self.child.id());
        let named = all.into_iter().filter(|(_, line)| line.contains(name));
        named.filter_map(|(pid, _)| Pid::from_raw(pid)).collect()
    }

    /// Kills it and those, none of which gets to notice that another one is gone.
    pub fn kill_with(&mut self, others: &[Pid]) {
        self.signal(Signal::STOP);
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in others {
                let _ = kill_process(*pid, signal);
            }
        }
        self.kill();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kill();
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
                asked.push(child.to_owned());
                found.extend(child.parse().ok().map(|pid| (pid, line_of(child))));
            }
        }
    }
    found
}

fn line_of(pid: &str) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).replace('\0', " ")
}

/// All processes that run and have this in their command line.
pub fn marked(mark: &str) -> Vec<(Pid, String)> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let lines = pids.map(|pid| (pid.parse().ok().and_then(Pid::from_raw), line_of(&pid)));
    lines
        .filter_map(|(pid, line)| Some((pid?, line)).filter(|(_, line)| line.contains(mark)))
        .collect()
}

/// The milestone's document, as the store has it.
pub fn document(scene: &Scene) -> Result<Value, String> {
    let json = said(scene, &["show", "1", "--json"])?;
    let mut document: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    Ok(document["data"]["document"].take())
}

/// The tasks that stand so, by what a person types.
pub fn with_status(scene: &Scene, status: &str) -> Result<Vec<String>, String> {
    let document = document(scene)?;
    let tasks = document["tasks"].as_array().cloned().unwrap_or_default();
    let these = tasks.iter().filter(|task| task["status"] == status);
    let number = |task: &Value| {
        let id = task["id"].as_str()?;
        Some(format!("1.{}", id.rsplit('-').next()?.trim_start_matches('0')))
    };
    Ok(these.filter_map(number).collect())
}

/// What the history says of a task, by what a person types.
pub fn events(scene: &Scene, task: &str) -> Result<Vec<Value>, String> {
    let json = said(scene, &["task", "log", task, "--json"])?;
    let mut log: Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    match log["data"].take() {
        Value::Array(events) => Ok(events),
        other => Err(format!("the history of {task} is no list: {other}")),
    }
}

/// When an event happened. Its id begins with the milliseconds.
pub fn moment(event: &Value) -> Option<u64> {
    let digits: String = event["id"].as_str()?.chars().filter(|c| *c != '-').take(12).collect();
    u64::from_str_radix(&digits, 16).ok()
}

pub fn said(scene: &Scene, words: &[&str]) -> Result<String, String> {
    let output = milestone(scene, words).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Worktrees and what was agreed to stand beside the project, and go with it.
pub fn state(scene: &Scene) -> PathBuf {
    scene.root.join(".state")
}

/// The same on the host of a worker.
pub fn second_state(scene: &Scene) -> PathBuf {
    scene.root.join(".second")
}

pub fn milestone(scene: &Scene, words: &[&str]) -> Command {
    let mut line: Vec<String> = scene.program.wrapper.clone();
    line.push(scene.program.path.display().to_string());
    line.extend(words.iter().map(ToString::to_string));
    let mut command = Command::new(&line[0]);
    let environment = scene.program.environment.iter().map(|(name, value)| (name, value));
    command.args(&line[1..]).current_dir(&scene.root).envs(environment).stdin(Stdio::null());
    command.env("HOME", scene.root.join(".home")).env("XDG_STATE_HOME", state(scene));
    command.env_remove("MILESTONE_ATTEMPT");
    command
}

pub fn git(root: &Path, words: &[&str]) -> Result<String, String> {
    let root = root.display().to_string();
    let words: Vec<&str> = ["git", "-C", &root].into_iter().chain(words.iter().copied()).collect();
    tool(&words)
}
