//! Phases, and the approvals that the ones after them wait for.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::Related;
use super::advice::{Advice, quoted};
use crate::document::{GateDecision, Milestone};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::readiness::{Board, Readiness, spoken};
use crate::snapshot::{Outline, PhaseOutline, Snapshot};
use crate::status::{MilestoneStatus, TaskStatus};

/// A phase that asks for approval, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GateState {
    pub milestone: MilestoneId,
    pub phase: String,
    pub standing: GateStanding,
    /// The latest decision. One that was taken back is not here; the history has it.
    pub decided: Option<GateDecision>,
    pub tasks_open: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateStanding {
    /// It is not finished, or a phase before it is not.
    Working,
    /// Its work is done; somebody has to look at it.
    Ready,
    /// It was sent back, and nothing was done about it since.
    SentBack,
    Approved,
}

/// A phase as a milestone shows it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PhaseLine {
    pub name: String,
    pub tasks_completed: usize,
    /// What is cancelled does not count.
    pub tasks_total: usize,
    /// What it is to leave behind: what whoever approves it looks at.
    pub deliverables: Vec<String>,
    /// None where it asks for no approval.
    pub gate: Option<GateState>,
}

/// What a decision came to.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Decided {
    pub gate: GateState,
    /// The tasks of the milestone that are ready and were not before.
    pub now_ready: Vec<Related>,
}

/// The gates of open milestones at which somebody has to do something now.
pub fn waiting(snapshot: &Snapshot) -> Vec<GateState> {
    let running = |outline: &&Outline| {
        matches!(outline.status, MilestoneStatus::Planned | MilestoneStatus::InProgress)
    };
    let gates = snapshot.open().filter(running).flat_map(gates);
    gates.filter(|gate| gate.advice().is_some()).collect()
}

/// The gates of one milestone, in their order.
pub fn gates(outline: &Outline) -> impl Iterator<Item = GateState> {
    let asking = (0..outline.phases.len()).filter(|at| outline.phases[*at].approval);
    asking.map(|at| state(outline, at))
}

fn state(outline: &Outline, at: usize) -> GateState {
    let phase = &outline.phases[at];
    GateState {
        milestone: outline.id,
        phase: phase.name.clone(),
        standing: standing(outline, &outline.phases[..at], phase),
        decided: phase.decided.clone(),
        tasks_open: phase.tasks_open,
    }
}

fn standing(outline: &Outline, before: &[PhaseOutline], phase: &PhaseOutline) -> GateStanding {
    if phase.is_passed() {
        return GateStanding::Approved;
    }
    // A phase without tasks of its own is the end of what came before it.
    let own = outline.tasks.iter().any(|task| task.phase.as_ref() == Some(&phase.name));
    let begun = before.iter().all(|b| b.is_passed() && (own || b.tasks_open == 0));
    if phase.tasks_open > 0 || !begun {
        return GateStanding::Working;
    }
    match phase.decided {
        Some(_) if !phase.worked_on_since => GateStanding::SentBack,
        _ => GateStanding::Ready,
    }
}

impl GateState {
    /// What is to be done about it now, if anything.
    pub fn advice(&self) -> Option<Advice> {
        let Self { milestone, phase, .. } = self;
        match self.standing {
            GateStanding::Working | GateStanding::Approved => None,
            GateStanding::Ready => Some(Advice {
                text: format!("phase {phase} of {milestone} is ready for approval"),
                command: Some(format!("milestone approve {milestone} {}", quoted(phase))),
            }),
            GateStanding::SentBack => {
                let said = self.decided.as_ref().map(|decided| spoken(decided.decision.word()));
                let text = format!(
                    "phase {phase} of {milestone} was sent back ({}): reopen a task of it, or add one",
                    said.unwrap_or_default()
                );
                let command = format!("milestone show {milestone}");
                Some(Advice { text, command: Some(command) })
            }
        }
    }
}

/// The phases of a milestone, with what they leave behind.
pub(super) fn phases(outline: &Outline, document: &Milestone) -> Vec<PhaseLine> {
    let line = |(at, phase): (usize, &PhaseOutline)| {
        let tasks = document.tasks_in(&phase.name);
        let counted: Vec<TaskStatus> = tasks
            .map(|task| task.status)
            .filter(|status| *status != TaskStatus::Cancelled)
            .collect();
        PhaseLine {
            name: phase.name.clone(),
            tasks_completed: counted.iter().filter(|s| **s == TaskStatus::Completed).count(),
            tasks_total: counted.len(),
            deliverables: document.deliverables_of(&phase.name),
            gate: phase.approval.then(|| state(outline, at)),
        }
    };
    outline.phases.iter().enumerate().map(line).collect()
}

/// What a decision about a phase came to; `None` when the snapshot does not hold it.
pub fn decided(
    snapshot: &Snapshot,
    milestone: MilestoneId,
    phase: &str,
    today: Date,
) -> Option<Decided> {
    let outline = snapshot.outline(milestone)?;
    let phase = snapshot.documents.get(&milestone)?.phase_meant(phase)?;
    let at = outline.phases.iter().position(|own| own.name == phase.name)?;
    let gate = state(outline, at);
    let board = Board::new(snapshot, today);
    let after = |phase: &String| outline.phases[at + 1..].iter().any(|own| own.name == *phase);
    let waited = outline.tasks.iter().filter(|task| task.phase.as_ref().is_some_and(after));
    let ids = waited.map(|task| TaskId::new(milestone, task.number));
    let ready = ids.filter(|id| matches!(board.readiness(*id), Readiness::Ready { .. }));
    let now_ready = ready.map(|id| Related::of(snapshot, Node::Task(id))).collect();
    Some(Decided { gate, now_ready })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    const AT: &str = "2026-11-01T12:00:00Z";

    fn workflow(design: &str, gates: &Value) -> Snapshot {
        let completed = if design == "completed" { "2026-11-01T10:00:00Z" } else { "" };
        let completed = (!completed.is_empty()).then_some(completed);
        project(&[json!({"id": "milestone-003", "title": "Payments",
        "phases": [
            {"name": "design", "approval": true, "deliverables": ["architecture.md"]},
            {"name": "review", "approval": true},
            "build",
        ],
        "gates": gates,
        "tasks": [
            task(1, &json!({"phase": "design", "status": design, "completed_at": completed})),
            task(2, &json!({"phase": "build"})),
            task(3, &json!({"phase": "build", "requires": ["task-002"]})),
        ],
        "deliverables": [
            {"name": "Architecture", "path": "docs/architecture.md", "phase": "design"},
            {"name": "Notes", "phase": "design"},
        ]})])
    }

    fn decision(word: &str) -> Value {
        json!({"decision": word, "by": "bo", "at": AT, "reason": "why"})
    }

    fn standings(snapshot: &Snapshot) -> Vec<GateStanding> {
        gates(&snapshot.outlines[&MilestoneId(3)]).map(|gate| gate.standing).collect()
    }

    #[test]
    fn a_gate_is_ready_when_its_work_is_done_and_its_turn_has_come() {
        use GateStanding::{Approved, Ready, SentBack, Working};
        let none = json!({});
        assert_eq!(standings(&workflow("pending", &none)), [Working, Working]);
        assert_eq!(standings(&workflow("completed", &none)), [Ready, Working]);
        let back = json!({"design": decision("changes_requested")});
        assert_eq!(standings(&workflow("completed", &back)), [SentBack, Working]);
        assert_eq!(standings(&workflow("in_progress", &back)), [Working, Working]);
        let approved = json!({"design": decision("approved")});
        assert_eq!(standings(&workflow("completed", &approved)), [Approved, Ready]);
        // Another branch reopened a task of what this one approved.
        assert_eq!(standings(&workflow("pending", &approved)), [Working, Working]);
    }

    #[test]
    fn what_was_done_again_after_it_was_sent_back_is_ready() {
        let mut early = decision("rejected");
        early["at"] = json!("2026-11-01T09:00:00Z");
        let snapshot = workflow("completed", &json!({ "design": early }));
        assert_eq!(standings(&snapshot)[0], GateStanding::Ready);
    }

    #[test]
    fn who_waits_for_whom_is_said_with_what_to_do() {
        let said = |gates: &Value| -> Vec<(String, String)> {
            let waiting = waiting(&workflow("completed", gates)).into_iter();
            let advice = waiting.filter_map(|gate| gate.advice());
            advice.map(|advice| (advice.text, advice.command.unwrap())).collect()
        };
        let ready = "phase design of milestone-003 is ready for approval";
        let expected = [(ready.to_owned(), "milestone approve milestone-003 design".to_owned())];
        assert_eq!(said(&json!({})), expected);
        let back = said(&json!({"design": decision("changes_requested")}));
        assert!(back[0].0.contains("was sent back (changes requested)"), "{back:?}");
    }

    #[test]
    fn what_an_approver_looks_at_is_named_once() {
        let snapshot = workflow("completed", &json!({}));
        let id = MilestoneId(3);
        let lines = phases(&snapshot.outlines[&id], &snapshot.documents[&id]);
        assert_eq!(lines[0].deliverables, ["docs/architecture.md", "Notes"]);
        assert_eq!((lines[0].tasks_completed, lines[0].tasks_total), (1, 1));
        assert!(lines[2].gate.is_none());
    }

    #[test]
    fn an_approval_says_what_it_made_ready() {
        let both = json!({"design": decision("approved"), "review": decision("approved")});
        let id = MilestoneId(3);
        let decided = decided(&workflow("completed", &both), id, "review", TODAY).unwrap();
        let ready: Vec<_> = decided.now_ready.iter().map(|task| task.id.to_string()).collect();
        assert_eq!(ready, ["task-003-002"]);
        let one = workflow("completed", &json!({"design": decision("approved")}));
        assert_eq!(super::decided(&one, id, "design", TODAY).unwrap().now_ready, []);
    }
}
