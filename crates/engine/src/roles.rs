//! Who does what in a session. The roles are parts of the program: what each has to do is done by
//! code, and only task executors start anything.

use jiff::Timestamp;
use milestone_domain::ids::TaskId;
use schemars::JsonSchema;
use serde::Serialize;

use crate::session::{Session, SessionState, StreamStage, StreamState, Tried};

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Role {
    pub role: &'static str,
    /// `working`, `waiting` or `stopped`.
    pub state: &'static str,
    pub task: Option<TaskId>,
    /// What it does, or did last.
    pub says: String,
    pub last_sign: Option<Timestamp>,
}

const EXECUTOR: &str = "task executor";
const LEAD: &str = "stream lead";
const MONITOR: &str = "progress monitor";
const GIT: &str = "git integration";
const DEPENDENCIES: &str = "dependency validator";
const BLOCKERS: &str = "blocker detector";

/// What a session in which nothing runs any more says of all its roles.
const STOPPED: &str = "stopped";

pub fn roles(session: &Session) -> Vec<Role> {
    let mut roles = executors(session);
    roles.extend(session.streams.iter().map(lead));
    roles.extend([monitor(session), git(session), dependencies(session), blockers(session)]);
    if session.state != SessionState::Running {
        for role in &mut roles {
            role.state = STOPPED;
        }
    }
    roles
}

fn under_way(session: &Session) -> impl Iterator<Item = &Tried> {
    session.attempts.iter().filter(|tried| tried.ended.is_none())
}

/// One a slot, the busy ones first.
fn executors(session: &Session) -> Vec<Role> {
    let busy = under_way(session).map(|tried| Role {
        role: EXECUTOR,
        state: "working",
        task: Some(tried.task),
        says: match &tried.last {
            Some(last) => format!("{}: {last}", tried.state),
            None => format!("{}: {}", tried.state, tried.title),
        },
        last_sign: tried.heard.or(Some(tried.started)),
    });
    let mut busy: Vec<Role> = busy.collect();
    let free = Role {
        role: EXECUTOR,
        state: "waiting",
        task: None,
        says: "has nothing to begin".to_owned(),
        last_sign: session.looked,
    };
    let missing = session.agents.saturating_sub(busy.len());
    busy.extend(std::iter::repeat_n(free, missing));
    busy
}

/// One a stream.
fn lead(stream: &StreamState) -> Role {
    let name = &stream.name;
    let says = match (stream.state, &stream.reason) {
        (StreamStage::Working, _) => {
            format!("{name}: {} of {} tasks done", stream.tasks_done, stream.tasks)
        }
        (StreamStage::Out, Some(reason)) => {
            format!("{name} stays out: {}", reason.lines().next().unwrap_or_default())
        }
        (state, _) => format!("{name}: {}", state.word()),
    };
    let state = if stream.state.is_judged() { "working" } else { "waiting" };
    Role { role: LEAD, state, task: None, says, last_sign: stream.at }
}

fn monitor(session: &Session) -> Role {
    let all = session.tasks_done + session.tasks_open;
    Role {
        role: MONITOR,
        state: "working",
        task: None,
        says: format!("{} of {all} tasks done", session.tasks_done),
        last_sign: Some(session.saved),
    }
}

fn git(session: &Session) -> Role {
    let integrating = under_way(session).find(|tried| tried.state == "integrating");
    let last = session.attempts.iter().rfind(|tried| tried.state == "completed");
    let says = match (&session.git, integrating) {
        (None, _) => "there is no git here".to_owned(),
        (Some(git), Some(_)) => format!("brings it into {}", git.milestone_branch),
        (Some(git), None) => {
            format!("{} at {}", git.milestone_branch, short(&git.milestone_commit))
        }
    };
    Role {
        role: GIT,
        state: if integrating.is_some() { "working" } else { "waiting" },
        task: integrating.map(|tried| tried.task),
        says,
        last_sign: last.and_then(|tried| tried.ended),
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn dependencies(session: &Session) -> Role {
    Role {
        role: DEPENDENCIES,
        state: "working",
        task: None,
        says: format!("{} ready, {} waiting", session.tasks_ready, session.tasks_waiting),
        last_sign: session.looked,
    }
}

fn blockers(session: &Session) -> Role {
    let worst = session.blockers.iter().max_by_key(|blocker| (blocker.severity, blocker.holds_up));
    Role {
        role: BLOCKERS,
        state: "working",
        task: worst.map(|worst| worst.task),
        says: match worst {
            None => "nothing is in the way".to_owned(),
            Some(worst) => {
                format!("{} in the way, the worst: {}", session.blockers.len(), worst.reason)
            }
        },
        last_sign: session.looked,
    }
}
