//! Sessions, in a line each and at length.

use milestone_engine::session::{Session, SessionState, Tried};

use super::page::Page;
use super::style;

pub fn list(page: &mut Page, sessions: &[Session]) {
    if sessions.is_empty() {
        page.say("Nothing was executed here yet: `milestone execute ID`.").end();
    }
    for session in sessions {
        let all = session.tasks_done + session.tasks_open;
        page.styled(style::ID, &session.id).say("  ").say(session.milestone).say("  ");
        page.styled(of(session.state), format!("{:<13}", session.state.word()));
        page.say(format!("{}/{all} tasks  ", session.tasks_done));
        page.say(session.started.strftime("%Y-%m-%d %H:%M")).end();
    }
}

pub fn show(page: &mut Page, session: &Session) {
    list(page, std::slice::from_ref(session));
    for because in &session.because {
        page.indented(because);
    }
    let agents = if session.agents == 1 { "agent" } else { "agents" };
    let how = format!("{} {agents}, {}", session.agents, session.coordination);
    page.gap().say("by        ").say(&session.actor).say(" on ").say(&session.host).end();
    page.say("how       ").say(how).end();
    page.say("folder    ").say(session.folder.display()).end();
    if let Some(git) = &session.git {
        let short = |commit: &str| commit[..commit.len().min(12)].to_owned();
        let branch = git.branch.as_deref().unwrap_or("no branch");
        page.say("checkout  ").say(branch).say(" at ").say(short(&git.commit));
        page.say(format!(", {} files not committed", git.uncommitted.len())).end();
        page.say("branch    ").say(&git.milestone_branch).say(" at ");
        page.say(short(&git.milestone_commit)).end();
    }
    for stream in &session.streams {
        page.say("stream    ").styled(style::ID, &stream.name).say("  ");
        page.say(format!("{}/{} tasks  ", stream.tasks_done, stream.tasks));
        page.say(stream.state.word()).end();
        if let Some(reason) = &stream.reason {
            page.indented(reason.lines().next().unwrap_or_default());
        }
        if let Some(log) = &stream.log {
            page.indented(&format!("log {}", log.display()));
        }
    }
    for command in &session.verified {
        page.say("verified  ").say(command).end();
    }
    if let Some(handed) = &session.handed_on {
        let request = handed.request.as_deref().unwrap_or("no request for review");
        page.say("pushed    ").say(&handed.branch).say(" to ").say(&handed.remote);
        page.say(", ").say(request).end();
    }
    page.gap();
    session.attempts.iter().for_each(|tried| attempt(page, tried));
    if session.state == SessionState::Interrupted {
        page.gap().say("Go on: `milestone execute ").say(session.milestone).say(" --resume`").end();
    }
}

fn attempt(page: &mut Page, tried: &Tried) {
    page.styled(style::ID, tried.task).say("  ").say(format!("{:<13}", tried.state));
    page.say(&tried.runner).say("  ").say(&tried.title).end();
    if let Some(failure) = &tried.failure {
        page.indented(failure.reason.lines().next().unwrap_or_default());
    }
    if let Some(commit) = &tried.commit {
        page.indented(&format!("commit {}", &commit[..commit.len().min(12)]));
    }
    page.indented(&format!("log {}", tried.log.display()));
}

fn of(state: SessionState) -> anstyle::Style {
    match state {
        SessionState::Completed => style::GOOD,
        SessionState::Running => style::PLAIN,
        SessionState::Interrupted | SessionState::Waiting => style::WARN,
        SessionState::Failed => style::BAD,
    }
}
