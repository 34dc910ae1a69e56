//! The session that does the work: a new one, or one that goes on.

use jiff::Timestamp;
use milestone_domain::ids::MilestoneId;
use milestone_engine::session::{Session, SessionState, Sessions};

use super::ExecuteArgs;
use crate::app::App;
use crate::ci::job::Job;
use crate::errors::Failure;

/// The session that goes on, or a new one.
pub(in crate::commands) fn session(
    app: &App,
    args: &ExecuteArgs,
    sessions: &Sessions,
    in_job: bool,
    (agents, coordination): (usize, &str),
) -> Result<Session, Failure> {
    let id = args.id.milestone(app)?;
    let earlier = match (&args.resume_session, args.resume) {
        (Some(name), _) => Some(named(sessions, name, id)?),
        (None, true) => Some(last(sessions, id)?),
        (None, false) if in_job => Job::unfinished(sessions, id, &host())?,
        (None, false) => None,
    };
    let now = Timestamp::now();
    let project = &app.opened()?.root.project;
    let mut session = match earlier {
        Some(session) => session,
        None => Session {
            id: sessions.fresh_id(app.today()?)?,
            milestone: id,
            state: SessionState::Running,
            because: Vec::new(),
            started: now,
            saved: now,
            ended: None,
            actor: app.actor().to_owned(),
            host: host(),
            pid: 0,
            folder: project.clone(),
            git: None,
            coordination: String::new(),
            agents,
            tasks_done: 0,
            tasks_open: 0,
            looked: None,
            tasks_ready: 0,
            tasks_waiting: 0,
            blockers: Vec::new(),
            handed_on: None,
            verified: Vec::new(),
            streams: Vec::new(),
            attempts: Vec::new(),
        },
    };
    session.state = SessionState::Running;
    session.because.clear();
    session.ended = None;
    session.pid = std::process::id();
    session.agents = agents;
    coordination.clone_into(&mut session.coordination);
    sessions.save(&session)?;
    Ok(session)
}

fn named(sessions: &Sessions, name: &str, id: MilestoneId) -> Result<Session, Failure> {
    let session = sessions.session(name)?.ok_or_else(|| {
        Failure::usage(format!("there is no session {name}"), "see them: `milestone session list`")
    })?;
    if session.milestone != id {
        let (of, again) = (session.milestone, format!("milestone execute {}", session.milestone));
        return Err(Failure::usage(
            format!("{name} is a session of {of}"),
            format!("name that one: `{again} --resume-session {name}`"),
        ));
    }
    here(session)
}

fn last(sessions: &Sessions, id: MilestoneId) -> Result<Session, Failure> {
    let last = sessions.all()?.into_iter().find(|session| session.milestone == id);
    here(last.ok_or_else(|| {
        Failure::usage(
            format!("{id} was not executed here before: there is no session to go on with"),
            format!("begin one: `milestone execute {id}`"),
        )
    })?)
}

/// What another host has begun has its worktrees there.
fn here(session: Session) -> Result<Session, Failure> {
    if session.host == host() {
        return Ok(session);
    }
    Err(Failure::usage(
        format!("{} was begun on {}, where its unfinished work is", session.id, session.host),
        format!("go on there, or begin anew here: `milestone execute {}`", session.milestone),
    ))
}

pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
