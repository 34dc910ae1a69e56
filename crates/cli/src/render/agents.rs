//! Who works, and what is in the way.

use jiff::Timestamp;
use milestone_engine::blockers::{Blocker, Severity};
use milestone_engine::roles::Role;
use milestone_engine::session::SessionState;

use super::page::Page;
use super::style;
use super::table::{Table, cell};
use crate::commands::agent::{Agents, AtWork};

pub fn agents(page: &mut Page, view: &Agents) {
    if view.sessions.is_empty() {
        page.say("No agents: nothing was executed here yet. `milestone execute ID`").end();
    }
    for session in &view.sessions {
        at_work(page, session);
    }
    if !view.others.is_empty() {
        page.gap().say("Held by others:").end();
        for held in &view.others {
            page.styled(style::ID, held.id).say("  ").say(&held.by).say("  ");
            page.say(&held.title).end();
        }
    }
}

fn at_work(page: &mut Page, session: &AtWork) {
    page.styled(style::ID, &session.session).say("  ").say(session.milestone).say("  ");
    page.say(session.state.word()).say(" on ").say(&session.host).end();
    let mut table = Table::new(&["role", "state", "task", "last sign", "doing"]);
    for role in &session.roles {
        table.row(vec![
            cell(style::PLAIN, role.role),
            cell(state(role), role.state),
            cell(style::ID, role.task.map(|task| task.to_string()).unwrap_or_default()),
            cell(style::DIM, role.last_sign.map(ago).unwrap_or_default()),
            cell(style::PLAIN, &role.says),
        ]);
    }
    table.print(page);
    session.blockers.iter().for_each(|blocker| in_the_way(page, blocker));
    if session.state == SessionState::Interrupted {
        page.gap().say("Go on: `milestone execute ").say(session.milestone).say(" --resume`").end();
    }
}

fn in_the_way(page: &mut Page, blocker: &Blocker) {
    let style = match blocker.severity {
        Severity::High => style::BAD,
        Severity::Medium => style::WARN,
        Severity::Low => style::PLAIN,
    };
    page.gap().styled(style, blocker.severity.word()).say(" ").styled(style::ID, blocker.task);
    page.say("  ").say(blocker.kind.word());
    if blocker.holds_up > 0 {
        page.say(", holds up ").say(blocker.holds_up).say(" more");
    }
    page.end();
    page.indented(blocker.reason.lines().next().unwrap_or_default());
    page.indented(&blocker.next);
}

fn state(role: &Role) -> anstyle::Style {
    match role.state {
        "working" => style::GOOD,
        "stopped" => style::DIM,
        _ => style::PLAIN,
    }
}

/// How long ago, in the one unit that says enough.
fn ago(at: Timestamp) -> String {
    let seconds = Timestamp::now().duration_since(at).as_secs().max(0);
    match seconds {
        0..=1 => "now".to_owned(),
        2..=119 => format!("{seconds} s ago"),
        120..=7199 => format!("{} min ago", seconds / 60),
        7200..=172_799 => format!("{} h ago", seconds / 3600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}
