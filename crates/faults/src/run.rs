//! Starting the program as a child, and ending it.

use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::ask::Ask;
use crate::ledger::{End, Entry};

/// When the harness began: every time in a ledger counts from here.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

pub fn micros() -> u64 {
    u64::try_from(BEGAN.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// How the program is started.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    /// What runs it: `strace` with its arguments, a namespace, or nothing.
    pub wrapper: Vec<String>,
    pub environment: Vec<(String, String)>,
}

/// A run that has begun.
pub struct Running {
    child: Child,
    ask: Ask,
    actor: String,
    started: u64,
}

impl Program {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), wrapper: Vec::new(), environment: Vec::new() }
    }

    #[must_use]
    pub fn wrapped(&self, wrapper: &[String]) -> Self {
        Self { wrapper: wrapper.to_vec(), ..self.clone() }
    }

    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut program = self.clone();
        program.environment.push((name.to_owned(), value.to_owned()));
        program
    }

    /// What its environment says by a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        let said = self.environment.iter().rev().find(|(known, _)| known == name);
        said.map(|(_, value)| value.as_str())
    }

    /// The command that carries out `ask` in the project at `root`.
    pub fn command(&self, root: &Path, ask: &Ask, actor: &str) -> Command {
        let mut line: Vec<String> = self.wrapper.clone();
        line.push(self.path.display().to_string());
        line.extend(ask.words());
        line.extend(["--actor".to_owned(), actor.to_owned()]);
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).current_dir(root);
        command.env("MILESTONE_ROOT", root).env("NO_COLOR", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn start(&self, root: &Path, ask: Ask, actor: &str) -> Running {
        let started = micros();
        let child = self.command(root, &ask, actor).spawn();
        let child =
            child.unwrap_or_else(|error| panic!("cannot start {}: {error}", self.path.display()));
        Running { child, ask, actor: actor.to_owned(), started }
    }

    pub fn run(&self, root: &Path, ask: Ask, actor: &str) -> Entry {
        self.start(root, ask, actor).finish(false)
    }

    /// Runs it, and kills it after `delay` if it still runs then.
    pub fn run_and_kill(&self, root: &Path, ask: Ask, actor: &str, delay: Duration) -> Entry {
        let mut running = self.start(root, ask, actor);
        std::thread::sleep(delay);
        running.kill();
        running.finish(true)
    }
}

impl Running {
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Kills this child, by its own pid; nothing happens if it has ended.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Waits for the end. `planned`: a kill is what the harness wanted.
    pub fn finish(mut self, planned: bool) -> Entry {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut pipe) = self.child.stdout.take() {
            let _ = pipe.read_to_end(&mut stdout);
        }
        if let Some(mut pipe) = self.child.stderr.take() {
            let _ = pipe.read_to_end(&mut stderr);
        }
        let status = self.child.wait();
        Entry {
            actor: self.actor,
            ask: self.ask,
            started: self.started,
            ended: micros(),
            end: status.map_or(End::Signal(0), |status| end(status, planned)),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }
}

fn end(status: ExitStatus, planned: bool) -> End {
    const KILL: i32 = 9;
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, Some(KILL)) if planned => End::Killed,
        (None, signal) => End::Signal(signal.unwrap_or(0)),
    }
}

/// A tool of the machine; its output where it ends well.
pub fn tool(line: &[&str]) -> Result<String, String> {
    let output = Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", line[0]))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("{}: {said}", line.join(" ")))
}
