//! The parent of a runner, which sees to it that nothing of the runner outlives the session.
//!
//! A process of its own, because the session may be killed: it holds one end of a pipe, and when
//! the other end is gone, so is everything that the runner has started, whatever groups and
//! sessions that has moved to.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use milestone_store::planted;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid};

/// How long what runs may take to end by itself.
const GRACE: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const QUIET_LOOKS: u32 = 3;

/// What tells a shell that a program could not be started.
const NOT_STARTED: i32 = 127;

enum Event {
    Ended(io::Result<ExitStatus>),
    /// The session is gone, or wants the runner to stop.
    Cut,
}

/// Runs a program until it ends or standard input does. What is to be read by the program comes
/// first on standard input: how many bytes, a line break, and the bytes.
pub fn run(program: &OsString, arguments: &[OsString]) -> i32 {
    // Whatever loses its parent becomes ours, so that it can be found.
    let _ = rustix::process::set_child_subreaper(Some(getpid()));
    let mut lifeline = BufReader::new(io::stdin());
    let Ok(text) = first(&mut lifeline) else { return NOT_STARTED };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let name = program.to_string_lossy();
            let _ = writeln!(io::stderr(), "{name} could not be started: {error}");
            return NOT_STARTED;
        }
    };
    feed(&mut child, text);
    let (sender, receiver) = mpsc::channel();
    let cut = sender.clone();
    thread::spawn(move || {
        // Nothing more is ever said on it: it only ends.
        let _ = io::copy(&mut lifeline, &mut io::sink());
        let _ = cut.send(Event::Cut);
    });
    thread::spawn(move || sender.send(Event::Ended(child.wait())));
    wait(&receiver).map_or(NOT_STARTED, code)
}

/// What the program reads.
fn first(lifeline: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = String::new();
    lifeline.read_line(&mut line)?;
    let length: u64 = line.trim().parse().map_err(io::Error::other)?;
    let mut text = Vec::new();
    lifeline.by_ref().take(length).read_to_end(&mut text)?;
    Ok(text)
}

fn feed(child: &mut Child, text: Vec<u8>) {
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read all of it is no trouble of ours.
        thread::spawn(move || drop(stdin.write_all(&text)));
    }
}

/// Waits for the end, and then ends all that is left.
fn wait(events: &mpsc::Receiver<Event>) -> Option<ExitStatus> {
    let mut status = None;
    if let Ok(Event::Ended(ended)) = events.recv() {
        status = ended.ok();
    }
    let deadline = Instant::now() + GRACE;
    let mut told = false;
    loop {
        let left = descendants();
        let over = Instant::now() >= deadline;
        if left.is_empty() && (over || (status.is_some() && has_no_children())) {
            return status;
        }
        for pid in &left {
            let signal = if over { Signal::KILL } else { Signal::TERM };
            // With the wall of a box, all that is in it ends at once, without a moment's grace.
            if over || (!told && !is_wall(*pid)) {
                let _ = rustix::process::kill_process(*pid, signal);
            }
        }
        told = true;
        match events.recv_timeout(LOOK_EVERY) {
            Ok(Event::Ended(ended)) => status = ended.ok(),
            Ok(Event::Cut) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK_EVERY),
        }
    }
}

/// Whether nothing that came from this one is left. One that starts another and ends at once may
/// not be seen in a look at all processes, but whatever loses its parent is a child of this one.
fn has_no_children() -> bool {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) => return false,
            Err(_) => return true,
        }
    }
}

/// Whether it only stands around others, and ends when they have ended.
fn is_wall(pid: Pid) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{}/comm", pid.as_raw_nonzero()));
    name.is_ok_and(|name| name.trim_end() == "bwrap")
}

/// All processes that come from this one and still run.
fn descendants() -> Vec<Pid> {
    let parents = parents();
    let mut found = vec![getpid().as_raw_nonzero().get()];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    found.into_iter().skip(1).filter_map(Pid::from_raw).collect()
}

/// Whose child each process is, the dead ones left out.
fn parents() -> BTreeMap<i32, i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let of = |entry: io::Result<std::fs::DirEntry>| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // A name may hold anything; what counts comes after it.
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        (state != "Z").then_some((pid, parent))
    };
    processes.filter_map(of).collect()
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Ends whatever an attempt has started that still runs, wherever it is: after its session and its
/// keeper were killed together.
pub fn end_all_of(attempt: milestone_domain::event::AttemptId) {
    if planted::has("left-running") {
        return;
    }
    let wanted = format!("MILESTONE_ATTEMPT={}", attempt.0);
    let belongs = |pid: &i32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    };
    let deadline = Instant::now() + GRACE;
    // What is being born during one look is seen by the next.
    let mut quiet_looks = 0;
    while quiet_looks < QUIET_LOOKS && Instant::now() < deadline {
        let left: Vec<i32> = parents().into_keys().filter(&belongs).collect();
        for pid in left.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        quiet_looks = if left.is_empty() { quiet_looks + 1 } else { 0 };
        thread::sleep(Duration::from_millis(1));
    }
}
