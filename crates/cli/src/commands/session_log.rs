//! What an attempt printed, while it prints or afterwards.

use std::fs::File;
use std::io::{self, Read as _};
use std::thread;
use std::time::Duration;

use clap::Args;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;
use milestone_engine::lines;
use milestone_engine::runners::{Heard, Kind as Done, Runner};
use milestone_engine::session::{Session, Sessions, Tried};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use crate::app::App;
use crate::errors::Failure;
use crate::kinds::{Kind, Printed};
use crate::output;
use crate::target::Target;

/// How often a log is looked at that is still written.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const CHUNK: usize = 64 * 1024;

/// So many of the tasks that were tried are named to who asks for another one.
const NAMED_MAX: usize = 5;

/// Print what an attempt printed
///
/// On a terminal what agents print as JSON is shown as what it says; in a pipe it comes as it is.
/// With --json every line of it is one line.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone session log 1.2
  milestone session log 1.2 --follow
  milestone session log --session session-20261123-001 > log.jsonl")]
pub struct LogArgs {
    /// A task, whose last attempt is meant, or an attempt [default: the last one]
    #[arg(value_name = "TASK|ATTEMPT")]
    what: Option<String>,
    /// Only what was tried in this session
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// Go on until the attempt ends
    #[arg(long, short)]
    follow: bool,
}

/// A line that an attempt printed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogLine {
    task: TaskId,
    attempt: AttemptId,
    /// As it was printed; the beginning of it where it is longer than 8 MB.
    text: String,
}

impl Printed for LogLine {
    const KIND: Kind = Kind::Log;
}

pub fn run(app: &App, sessions: &Sessions, args: &LogArgs) -> Result<(), Failure> {
    let (session, tried) = found(app, sessions, args)?;
    let mut printer = Printer::of(app, &tried);
    let mut file = None;
    loop {
        let flies = sessions.is_under_way(tried.id) && sessions.is_running(session.milestone);
        if file.is_none() {
            file = opened(&tried)?;
        }
        if let Some(file) = &mut file {
            printer.print(file, &tried)?;
        }
        if !(args.follow && flies) {
            break;
        }
        thread::sleep(LOOK_EVERY);
    }
    if file.is_none() {
        return Err(Failure::usage(
            format!(
                "the attempt of {} has printed nothing: its runner was not started",
                tried.task
            ),
            format!("see how it stands: `milestone session show {}`", session.id),
        ));
    }
    printer.end()
}

/// Nothing where it is not there yet.
fn opened(tried: &Tried) -> Result<Option<File>, Failure> {
    match File::open(&tried.log) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some).map_err(|source| of_log(tried, source)),
    }
}

fn of_log(tried: &Tried, source: io::Error) -> Failure {
    Failure::Io { doing: "read", path: tried.log.clone(), source }
}

/// The attempt that is meant, and its session.
fn found(app: &App, sessions: &Sessions, args: &LogArgs) -> Result<(Session, Tried), Failure> {
    let mut all = sessions.all()?;
    if let Some(id) = &args.session {
        all.retain(|session| session.id == *id);
        if all.is_empty() {
            let said = format!("there is no session {id}");
            return Err(Failure::usage(said, "see them: `milestone session list`"));
        }
    }
    let attempt = args.what.as_deref().and_then(|what| Uuid::try_parse(what).ok()).map(AttemptId);
    let task = match (&args.what, attempt) {
        (Some(what), None) => Some(task(app, what)?),
        _ => None,
    };
    let is_meant = |tried: &Tried| {
        attempt.is_none_or(|id| tried.id == id) && task.is_none_or(|id| tried.task == id)
    };
    let meant = all.iter().flat_map(|session| {
        let tried = session.attempts.iter().filter(|tried| is_meant(tried));
        tried.map(move |tried| (session, tried))
    });
    let last = meant.max_by_key(|(_, tried)| tried.started);
    last.map(|(session, tried)| (session.clone(), tried.clone())).ok_or_else(|| none(args, &all))
}

fn task(app: &App, what: &str) -> Result<TaskId, Failure> {
    let target: Target = what.parse().map_err(|_| {
        Failure::usage(
            format!("`{what}` is neither a task nor an attempt"),
            "name a task such as 1.2, or see the attempts: `milestone session show --json`",
        )
    })?;
    target.task(app)
}

/// Names what there is.
fn none(args: &LogArgs, sessions: &[Session]) -> Failure {
    let mut tried: Vec<String> = Vec::new();
    for attempt in sessions.iter().flat_map(|session| session.attempts.iter().rev()) {
        let task = attempt.task.to_string();
        if !tried.contains(&task) {
            tried.push(task);
        }
    }
    if tried.is_empty() {
        return Failure::usage("nothing was tried yet", "begin: `milestone execute ID`");
    }
    let more = tried.len().saturating_sub(NAMED_MAX);
    let named = tried.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = args.what.as_deref().unwrap_or_default();
    Failure::usage(
        format!("there is no attempt {what}"),
        format!("there are logs of {named}{more}"),
    )
}

/// What becomes of the bytes of a log.
struct Printer<'a> {
    app: &'a App,
    task: TaskId,
    attempt: AttemptId,
    /// Who understands the lines, where they are not just text.
    runner: Option<Box<dyn Runner>>,
    heard: Heard,
    /// The beginning of a line of which the end has not come yet.
    line: Vec<u8>,
    /// More of this line is there than is held.
    long: bool,
}

impl<'a> Printer<'a> {
    fn of(app: &'a App, tried: &Tried) -> Self {
        // Settings that cannot be read make a log no less worth reading.
        let runners = super::execute::configured(app).unwrap_or_default();
        let runner = match runners.runner(&tried.runner) {
            Some(Done::Process(runner)) if runner.is_told() => Some(runner),
            _ => None,
        };
        let (task, attempt, heard) = (tried.task, tried.id, Heard::default());
        Self { app, task, attempt, runner, heard, line: Vec::new(), long: false }
    }

    /// All that is there by now.
    fn print(&mut self, file: &mut File, tried: &Tried) -> Result<(), Failure> {
        let mut chunk = vec![0; CHUNK];
        loop {
            let read = match file.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(source) => return Err(of_log(tried, source)),
            };
            let chunk = chunk.get(..read).unwrap_or_default();
            if self.is_raw() {
                output::bytes(chunk)?;
                continue;
            }
            for part in chunk.split_inclusive(|byte| *byte == b'\n') {
                self.take(part)?;
            }
        }
    }

    fn is_raw(&self) -> bool {
        !self.app.out.json && !self.app.out.is_terminal()
    }

    fn take(&mut self, part: &[u8]) -> Result<(), Failure> {
        let ends = part.last() == Some(&b'\n');
        if !self.long {
            self.line.extend_from_slice(part);
        }
        if !ends && self.line.len() < lines::LINE_BYTES_MAX {
            return Ok(());
        }
        if !self.long {
            let line = std::mem::take(&mut self.line);
            self.say(&lines::text(&line))?;
        }
        self.long = !ends;
        Ok(())
    }

    fn say(&mut self, line: &str) -> Result<(), Failure> {
        if self.app.out.json {
            let (task, attempt) = (self.task, self.attempt);
            return self.app.out.streamed(&LogLine { task, attempt, text: line.to_owned() });
        }
        let Some(said) = self.readable(line) else { return Ok(()) };
        let mut page = self.app.out.page();
        page.lines_as_they_are(&said);
        output::print(&page)
    }

    /// What the runner understands by a line, if that is news.
    fn readable(&mut self, line: &str) -> Option<String> {
        let runner = self.runner.as_ref().filter(|_| line.starts_with('{'));
        let Some(runner) = runner else { return Some(line.to_owned()) };
        let before = self.heard.last.take();
        runner.hear(line, &mut self.heard);
        if self.heard.last.is_none() {
            self.heard.last = before;
            return None;
        }
        self.heard.last.clone().filter(|said| before.as_ref() != Some(said))
    }

    /// The last line, which may have no end.
    fn end(&mut self) -> Result<(), Failure> {
        if self.line.is_empty() || self.long {
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        self.say(&lines::text(&line))
    }
}
