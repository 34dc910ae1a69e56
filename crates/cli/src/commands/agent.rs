//! Who works here, and stopping one of them.

use clap::{Args, Subcommand};
use milestone_domain::command::{Command, Credential};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::Scope;
use milestone_domain::status::TaskStatus;
use milestone_domain::views::next::{Asked as AskedNext, HeldTask, next};
use milestone_engine::blockers::Blocker;
use milestone_engine::requests::{Asked, Request};
use milestone_engine::roles::{Role, roles};
use milestone_engine::session::{Session, SessionState, Sessions};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::attempt;
use crate::errors::Failure;
use crate::kinds::{Kind, Printed};
use crate::output;
use crate::render;
use crate::target::Target;

/// See who works here, and stop one of them
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone agent list\n  milestone agent stop 1.3")]
pub struct AgentArgs {
    #[command(subcommand)]
    verb: AgentVerb,
}

#[derive(Debug, Subcommand)]
enum AgentVerb {
    List(ListArgs),
    Stop(StopArgs),
}

/// List the agents of all sessions that run here, and who else holds tasks
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone agent list\n  milestone agent list --json")]
pub struct ListArgs {}

/// Stop what works at a task; what it did is kept, and the task waits for you
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone agent stop 1.3")]
pub struct StopArgs {
    /// The task
    task: Target,
}

/// Who works, in which session, and what is in the way.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Agents {
    pub sessions: Vec<AtWork>,
    /// Tasks that are held by others: people, or sessions on other hosts.
    pub others: Vec<HeldTask>,
}

/// A session, seen by what its parts do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AtWork {
    pub session: String,
    pub milestone: MilestoneId,
    pub state: SessionState,
    pub host: String,
    pub roles: Vec<Role>,
    pub blockers: Vec<Blocker>,
}

impl Printed for Agents {
    const KIND: Kind = Kind::Agents;
}

pub fn run(app: &App, args: &AgentArgs) -> Result<(), Failure> {
    match &args.verb {
        AgentVerb::List(ListArgs {}) => list(app),
        AgentVerb::Stop(StopArgs { task }) => stop(app, task.task(app)?),
    }
}

/// `update --agents`, too.
pub fn list(app: &App) -> Result<(), Failure> {
    let sessions = Sessions::of(&app.opened()?.root.folder());
    for session in running(&sessions)? {
        // What is shown is how it stands now. One that does not answer is shown as it was.
        sessions.ask_to_save(&session)?;
    }
    let all = sessions.all()?;
    let last = all.iter().position(|session| session.state == SessionState::Running);
    // Where none runs, the last one says how things ended.
    let shown = match last {
        Some(_) => all.iter().filter(|session| session.state == SessionState::Running).collect(),
        None => all.iter().take(1).collect::<Vec<_>>(),
    };
    let own = all.iter().flat_map(|session| session.attempts.iter().map(|tried| tried.task));
    let own: Vec<TaskId> = own.collect();
    let snapshot = app.read(&Scope::All)?;
    let held =
        next(&snapshot, AskedNext { limit: usize::MAX, ..AskedNext::default() }, app.today()?);
    let others = held.held.into_iter().filter(|held| !own.contains(&held.id)).collect();
    let view = Agents { sessions: shown.into_iter().map(at_work).collect(), others };
    app.out.show(&view, |page| render::agents::agents(page, &view))
}

fn at_work(session: &Session) -> AtWork {
    AtWork {
        session: session.id.clone(),
        milestone: session.milestone,
        state: session.state,
        host: session.host.clone(),
        roles: roles(session),
        blockers: session.blockers.clone(),
    }
}

fn running(sessions: &Sessions) -> Result<Vec<Session>, Failure> {
    let mut all = sessions.all()?;
    all.retain(|session| session.state == SessionState::Running);
    Ok(all)
}

fn stop(app: &App, task: TaskId) -> Result<(), Failure> {
    attempt::check_is_none("stops no others")?;
    let sessions = Sessions::of(&app.opened()?.root.folder());
    let works = running(&sessions)?.into_iter().any(|session| {
        session.attempts.iter().any(|tried| tried.task == task && tried.ended.is_none())
    });
    let nobody = || {
        Failure::usage(
            format!("no agent works at {task} here"),
            "see who works at what: `milestone agent list`",
        )
    };
    if !works {
        return Err(nobody());
    }
    let request = Request::Halt { task, by: app.actor().to_owned() };
    match sessions.ask(task.milestone, &request)? {
        Asked::Taken => list(app),
        Asked::NobodyRuns => Err(nobody()),
        Asked::NoAnswer => Err(no_answer(task.milestone)),
    }
}

fn no_answer(milestone: MilestoneId) -> Failure {
    Failure::usage(
        format!("the session of {milestone} runs and does not answer; it may be stopped itself"),
        "see how it stands: `milestone session show`",
    )
}

/// `execute ID --save-session`: the session that runs saves itself; of one that does not run, it is
/// saved anew how git stands.
pub fn save(app: &App, id: MilestoneId) -> Result<(), Failure> {
    let sessions = Sessions::of(&app.opened()?.root.folder());
    let session = last(&sessions, id)?;
    if session.state == SessionState::Running && sessions.ask_to_save(&session)? == Asked::NoAnswer
    {
        return Err(no_answer(id));
    }
    let saved = sessions.session(&session.id)?.unwrap_or(session);
    app.out.show(&saved, |page| {
        page.say("Saved: ").say(saved.saved.strftime("%Y-%m-%d %H:%M:%S UTC")).end();
        render::sessions::show(page, &saved);
    })
}

/// `execute ID --restart-agents`: what failed is tried again, and what seems stalled begun anew.
/// Where no session runs, the tasks are free again, and nothing is started.
pub fn restart(app: &App, id: MilestoneId) -> Result<(), Failure> {
    let sessions = Sessions::of(&app.opened()?.root.folder());
    let session = last(&sessions, id)?;
    // What has failed a moment ago may not be saved yet.
    sessions.ask_to_save(&session)?;
    let session = sessions.session(&session.id)?.unwrap_or(session);
    let freed = free(app, &session)?;
    let asked = sessions.ask(id, &Request::Restart)?;
    if asked == Asked::NoAnswer {
        return Err(no_answer(id));
    }
    let mut page = app.out.page();
    for task in &freed {
        page.say("Free again: ").say(task).end();
    }
    if asked == Asked::NobodyRuns {
        page.say("No session of ").say(id).say(" runs here; nothing was started. Go on: ");
        page.say("`milestone execute ").say(id).say(" --resume`").end();
    }
    output::say(&page);
    list(app)
}

/// What the session's own attempts have left to a person is free again.
fn free(app: &App, session: &Session) -> Result<Vec<TaskId>, Failure> {
    let snapshot = app.read(&Scope::Milestone(session.milestone))?;
    let failed = session.attempts.iter().filter(|tried| tried.failure.is_some());
    let mut failed: Vec<TaskId> = failed.map(|tried| tried.task).collect();
    failed.sort_unstable();
    failed.dedup();
    failed
        .retain(|task| snapshot.task(*task).is_some_and(|task| task.status == TaskStatus::Blocked));
    for task in &failed {
        let (task, to, credential) = (*task, TaskStatus::Pending, Credential::default());
        app.execute(&Command::ChangeTask { task, to, reason: None, credential })?;
    }
    Ok(failed)
}

fn last(sessions: &Sessions, id: MilestoneId) -> Result<Session, Failure> {
    let last = sessions.all()?.into_iter().find(|session| session.milestone == id);
    last.ok_or_else(|| {
        Failure::usage(
            format!("{id} was not executed here before: there is no session"),
            format!("begin one: `milestone execute {id}`"),
        )
    })
}
