//! A runner's process, as the session sees it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::lines::{self, Lines, Part};
use crate::log::Log;

/// How often whoever listens looks whether there will be anything more to hear.
const LOOK_NANOS: i64 = 200_000_000;

/// What is started, and where.
pub struct Start<'a> {
    /// This program, in the part of the keeper.
    pub keeper: &'a [OsString],
    pub program: &'a str,
    pub arguments: &'a [String],
    pub environment: &'a BTreeMap<OsString, OsString>,
    pub folder: &'a Path,
    /// What it reads.
    pub stdin: &'a str,
}

/// What lets the process run. When it is dropped, or told to stop, all that was started ends.
#[derive(Debug, Clone, Default)]
pub struct Lifeline(Arc<Mutex<Option<ChildStdin>>>);

impl Lifeline {
    pub fn cut(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn hold(&self, stdin: ChildStdin) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(stdin);
    }
}

/// Who is told what is printed, whichever of the two streams it comes from.
struct Ear<'a> {
    log: &'a mut Log,
    hear: &'a mut (dyn FnMut(&str) + Send),
}

/// What is printed, up to the end of whoever keeps the process: where that was killed, what it kept
/// may go on, and would be listened to for as long.
struct Output<'a> {
    from: OwnedFd,
    is_over: &'a AtomicBool,
}

impl Read for Output<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wait = Timespec { tv_sec: 0, tv_nsec: LOOK_NANOS };
        loop {
            // Asked before the look: all that was printed by then is still read.
            let is_over = self.is_over.load(Ordering::SeqCst);
            match poll(&mut [PollFd::new(&self.from, PollFlags::IN)], Some(&wait)) {
                Ok(0) if is_over => return Ok(0),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(rustix::io::read(&self.from, buffer)?),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Runs it to its end. Every line it says is kept in the log and given to `hear`. Answers its exit
/// code, or nothing where somebody has killed what keeps it.
pub fn run(
    start: &Start<'_>,
    lifeline: &Lifeline,
    log: &mut Log,
    hear: &mut (dyn FnMut(&str) + Send),
) -> io::Result<Option<i32>> {
    let mut child = spawn(start)?;
    let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("no input"))?;
    write!(stdin, "{}\n{}", start.stdin.len(), start.stdin)?;
    stdin.flush()?;
    lifeline.hold(stdin);
    let outputs = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
    let ear = Mutex::new(Ear { log, hear });
    let is_over = AtomicBool::new(false);
    let status = thread::scope(|scope| {
        for output in outputs.into_iter().flatten() {
            scope.spawn(|| listen(Output { from: output, is_over: &is_over }, &ear));
        }
        let status = child.wait();
        is_over.store(true, Ordering::SeqCst);
        status
    })?;
    lifeline.cut();
    Ok(status.code())
}

fn spawn(start: &Start<'_>) -> io::Result<Child> {
    let (program, arguments) =
        start.keeper.split_first().ok_or_else(|| io::Error::other("no program to keep it"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .arg("--")
        .arg(start.program)
        .args(start.arguments)
        .env_clear()
        .envs(start.environment)
        .current_dir(start.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A person's Ctrl-C is for the session, which says what becomes of this.
        .process_group(0);
    command.spawn()
}

/// Reads to the end, whatever becomes of it: whoever prints must not be held up.
fn listen(output: impl Read, ear: &Mutex<Ear<'_>>) {
    let mut lines = Lines::of(output);
    loop {
        let part = match lines.next_part() {
            Ok(None) | Err(_) => break,
            Ok(Some(part)) => part,
        };
        let mut ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written is no reason to lose the work.
        match part {
            Part::Line(line) => {
                let _ = ear.log.keep(line);
                (ear.hear)(&lines::text(line));
            }
            Part::More(more) => drop(ear.log.keep(more)),
        }
    }
    let mut ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = ear.log.end_line();
}
