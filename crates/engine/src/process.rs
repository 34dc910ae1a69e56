//! A runner's process, as the session sees it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// A longer line is cut: an agent's output is somebody else's text.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// More than this is not kept of an attempt's output; it goes on being read.
pub const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

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

/// Runs it to its end. Every line it says is kept in the log and given to `hear`. Answers its exit
/// code, or nothing where somebody has killed what keeps it.
pub fn run(
    start: &Start<'_>,
    lifeline: &Lifeline,
    log: &mut File,
    hear: &mut dyn FnMut(&str),
) -> io::Result<Option<i32>> {
    let mut child = spawn(start)?;
    let mut stdin = child.stdin.take().ok_or_else(|| io::Error::other("no input"))?;
    write!(stdin, "{}\n{}", start.stdin.len(), start.stdin)?;
    stdin.flush()?;
    lifeline.hold(stdin);
    let (sender, lines) = mpsc::channel();
    let outputs: [Option<Box<dyn Read + Send>>; 2] = [
        child.stdout.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
        child.stderr.take().map(|out| Box::new(out) as Box<dyn Read + Send>),
    ];
    for output in outputs.into_iter().flatten() {
        let sender = sender.clone();
        thread::spawn(move || read_lines(output, &sender));
    }
    drop(sender);
    let mut room = LOG_BYTES_MAX;
    for line in lines {
        room = room.saturating_sub(line.len() as u64 + 1);
        if room > 0 {
            writeln!(log, "{line}")?;
        }
        hear(&line);
    }
    let status = child.wait()?;
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

fn read_lines(output: impl Read, lines: &mpsc::Sender<String>) {
    let mut output = BufReader::new(output);
    loop {
        let mut bytes = Vec::new();
        match output.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&bytes);
        if lines.send(line.trim_end_matches(['\n', '\r']).to_owned()).is_err() {
            return;
        }
    }
}
