//! The stream of what happens.

use std::time::{Duration, Instant};

use clap::Args;
use milestone_domain::ids::Node;
use milestone_store::{Cursor, EventFilter, Page as Events};

use crate::app::App;
use crate::errors::Failure;
use crate::output;
use crate::render;
use crate::target::Target;

/// Follow what happens, as it happens
///
/// Goes on until it is interrupted. With --json every event is one line, and the last line of a
/// batch carries a cursor from which --since goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone watch
  milestone watch 1 --json
  milestone watch --since start --once
  milestone watch --for 60")]
pub struct WatchArgs {
    /// Only what concerns this milestone or task
    #[arg(value_name = "ID")]
    id: Option<Target>,
    /// Begin after this cursor, or at the `start` of everything [default: now]
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,
    /// Stop after this many seconds
    #[arg(long = "for", value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Print what there is, and stop
    #[arg(long)]
    once: bool,
}

/// Events in one batch; a stream of any length is held in bounded memory.
const BATCH: usize = 1000;

/// How long something is shown that nothing has happened to.
const AGAIN: Duration = Duration::from_secs(15);

/// How long one wait lasts; the deadline is looked at in between.
const WAIT: Duration = Duration::from_secs(1);

pub fn run(app: &App, args: &WatchArgs) -> Result<(), Failure> {
    let filter = filter(app, args)?;
    let started = Instant::now();
    let project = &app.opened()?.project;
    let mut cursor = match args.since.as_deref() {
        Some("start") => None,
        Some(cursor) => Some(Cursor(cursor.to_owned())),
        None => Some(now(app)?),
    };
    loop {
        let left = args
            .seconds
            .map(|seconds| Duration::from_secs(seconds).saturating_sub(started.elapsed()));
        let page = match &cursor {
            Some(cursor) if !args.once => {
                project.wait(cursor, &filter, BATCH, WAIT.min(left.unwrap_or(WAIT)))?
            }
            after => project.events(after.as_ref(), &filter, BATCH)?,
        };
        print(app, &page)?;
        let ended = args.once && page.events.len() < BATCH;
        if ended || left.is_some_and(|left| left.is_zero()) {
            return Ok(());
        }
        cursor = Some(page.next);
    }
}

/// Shows something, and again whenever something has happened.
pub fn repeat(app: &App, show: impl Fn() -> Result<(), Failure>) -> Result<(), Failure> {
    let project = &app.opened()?.project;
    loop {
        let cursor = now(app)?;
        app.out.clear();
        show()?;
        let started = Instant::now();
        // Claims end and edits are made by hand without an event.
        while started.elapsed() < AGAIN {
            let page = project.wait(&cursor, &EventFilter::default(), 1, WAIT)?;
            if !page.events.is_empty() {
                break;
            }
        }
    }
}

fn filter(app: &App, args: &WatchArgs) -> Result<EventFilter, Failure> {
    Ok(match args.id.map(|id| id.node(app)).transpose()? {
        None => EventFilter::default(),
        Some(Node::Milestone(id)) => EventFilter { milestone: Some(id), task: None },
        Some(Node::Task(id)) => EventFilter { milestone: None, task: Some(id) },
    })
}

/// The end of what has happened so far. Edits by hand are taken in first: they happened before.
fn now(app: &App) -> Result<Cursor, Failure> {
    app.read(&milestone_domain::snapshot::Scope::Graph(std::collections::BTreeSet::new()))?;
    // Nothing matches, so that no event has to be read to count them.
    let nothing = milestone_domain::ids::MilestoneId(u32::MAX);
    let nothing = EventFilter { milestone: Some(nothing), task: None };
    Ok(app.opened()?.project.events(None, &nothing, usize::MAX)?.next)
}

fn print(app: &App, events: &Events) -> Result<(), Failure> {
    if app.out.json {
        for (number, event) in (1..).zip(&events.events) {
            let last = number == events.events.len();
            app.out.event(event, last.then_some(events.next.0.as_str()))?;
        }
        return Ok(());
    }
    let mut page = app.out.page();
    events.events.iter().for_each(|event| render::events::event(&mut page, event));
    output::print(&page)
}
