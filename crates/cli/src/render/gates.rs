//! Phases, and what was decided about them.

use anstyle::Style;
use milestone_domain::document::GateDecision;
use milestone_domain::readiness::spoken;
use milestone_domain::status::Decision;
use milestone_domain::views::advice::quoted;
use milestone_domain::views::gates::{Decided, GateStanding, GateState, PhaseLine};

use super::page::Page;
use super::table::{Table, cell};
use super::{style, words};

pub fn phases(page: &mut Page, lines: &[PhaseLine]) {
    if lines.is_empty() {
        return;
    }
    page.heading("Phases");
    let mut table = Table::new(&["", "", "", ""]);
    for line in lines {
        let (gate_style, gate) = line.gate.as_ref().map_or((style::PLAIN, String::new()), gate);
        let tasks = match line.tasks_total {
            0 => "no tasks".to_owned(),
            total => format!("{} of {}", line.tasks_completed, words::count(total, "task")),
        };
        table.row(vec![
            cell(style::ID, &line.name),
            cell(style::PLAIN, tasks),
            cell(gate_style, gate),
            cell(style::DIM, line.deliverables.join(", ")),
        ]);
    }
    table.print(page);
    for gate in lines.iter().filter_map(|line| line.gate.as_ref()) {
        reason(page, gate);
        next(page, gate);
    }
}

/// What is to be done about a phase: shorter than elsewhere, because its line stands above.
fn next(page: &mut Page, gate: &GateState) {
    let phase = quoted(&gate.phase);
    let text = match gate.standing {
        GateStanding::Ready => format!("milestone approve {} {phase}", gate.milestone),
        GateStanding::SentBack => format!("reopen a task of phase {}, or add one", gate.phase),
        GateStanding::Working | GateStanding::Approved => return,
    };
    page.styled(style::HINT, "next").say(": ").say(text).end();
}

/// How a phase stands that asks for approval.
fn gate(gate: &GateState) -> (Style, String) {
    match (gate.standing, &gate.decided) {
        (GateStanding::Approved, Some(decided)) => (style::GOOD, said(decided)),
        (GateStanding::Ready, _) => (style::WARN, "ready for approval".into()),
        (GateStanding::Working, Some(decided)) if decided.decision == Decision::Approved => {
            (style::WARN, format!("{}, and open again", said(decided)))
        }
        (_, Some(decided)) => (style::WARN, said(decided)),
        (_, None) => (style::DIM, "needs approval".into()),
    }
}

fn said(decided: &GateDecision) -> String {
    let (word, at) = (spoken(decided.decision.word()), decided.at.strftime("%Y-%m-%d"));
    format!("{word} by {}, {at}", decided.by)
}

fn reason(page: &mut Page, gate: &GateState) {
    let decided = gate.decided.as_ref().filter(|_| gate.standing != GateStanding::Ready);
    if let Some((by, reason)) = decided.and_then(|d| Some((&d.by, d.reason.as_ref()?))) {
        page.say(by).say(" on ").say(&gate.phase).say(": ").lines(reason);
    }
}

/// What a decision came to.
pub fn decided(page: &mut Page, view: &Decided, already: bool) {
    let GateState { milestone, phase, decided, .. } = &view.gate;
    let Some(decided) = decided else { return };
    page.styled(style::ID, milestone).say("  phase ").say(phase).say(": ");
    page.say(spoken(decided.decision.word())).say(if already { " already" } else { "" }).end();
    if decided.decision == Decision::Approved {
        for task in &view.now_ready {
            let title = task.title.as_deref().unwrap_or_default();
            page.say("Now ready: ").styled(style::ID, task.id).say("  ").say(title).end();
        }
        return;
    }
    page.say("The phases after it wait. Reopen the tasks that are to be done over, or add one:")
        .end();
    page.say("  milestone task reopen TASK").end();
    page.say(format!("  milestone task add {milestone} TITLE --phase {}", quoted(phase))).end();
}
