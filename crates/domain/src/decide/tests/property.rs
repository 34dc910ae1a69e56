//! Random commands on whatever they have made so far.

use serde_json::json;

use super::{answer, keep};
use crate::change::difference;
use crate::command::{Command, Credential};
use crate::dependencies::Dependencies;
use crate::document::Milestone;
use crate::event::{Event, Recorded, Stream};
use crate::ids::{MilestoneId, TaskId};
use crate::needs::needs;
use crate::random::{Dice, command};
use crate::readiness::Board;
use crate::snapshot::{Claim, Scope, Snapshot};
use crate::status::{Decision, TaskStatus};

const COMMANDS: u32 = 80;

#[test]
fn whatever_is_allowed_keeps_what_must_hold() {
    let full = full();
    for seed in 0..if full { 5_000 } else { 25 } {
        play(seed);
    }
}

/// Gives random commands, and judges every answer.
pub fn play(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut snapshot = Snapshot::default();
    for step in 0..COMMANDS {
        let command = command(&mut dice, &snapshot);
        let said = format!("seed {seed}, step {step}: {command:?}");
        let first = answer(&snapshot, &command, u128::from(step) + 1);
        if dice.percent(10) {
            assert_eq!(first, answer(&snapshot, &command, u128::from(step) + 1), "{said}");
        }
        if let Ok(events) = first {
            let mut after = snapshot.clone();
            keep(&mut after, &events);
            judge(&snapshot, &after, &command, &events, &said);
            snapshot = after;
        }
        for claim in snapshot.claims.values_mut() {
            if dice.percent(10) {
                claim.seconds_left = None;
            }
        }
    }
}

fn judge(before: &Snapshot, after: &Snapshot, command: &Command, events: &[Recorded], said: &str) {
    for (recorded, index) in events.iter().zip(0..) {
        assert_eq!(recorded.id.index, index, "{said}");
        if let Stream::Milestone(id) = recorded.stream {
            judge_event(before, after, command, (id, &recorded.event), said);
        }
    }
    for id in events.iter().filter_map(|recorded| match recorded.stream {
        Stream::Milestone(id) => Some(id),
        Stream::Project => None,
    }) {
        judge_document(&after.documents[&id], said);
    }
    // What comes in from outside may bring a cycle; it is named, and never made worse by us.
    let outside = matches!(command, Command::Adopt { .. } | Command::Renumber { .. });
    let edges = |snapshot: &Snapshot| Dependencies::of(&without_conditions(snapshot)).cycle();
    let on_edges = matches!(needs(command), Scope::Graph(_));
    if on_edges && !outside && edges(before).is_none() {
        assert_eq!(edges(after), None, "{said}");
    }
}

/// Who provides a condition alone changes with every task that goes; only what is required by
/// name is held to.
fn without_conditions(snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    for outline in snapshot.outlines.values_mut() {
        outline.conditions.clear();
        outline.tasks.iter_mut().for_each(|task| task.conditions.clear());
    }
    snapshot
}

fn judge_document(document: &Milestone, said: &str) {
    let again = Milestone::from_tree(document.tree(), document.archived).unwrap();
    assert_eq!(difference(&document.tree(), &again.tree()), [], "{said}");
    assert!(document.tasks.iter().all(|task| task.progress.unwrap_or(0) <= 100), "{said}");
    for (name, decided) in &document.gates {
        assert!(document.phase(name).is_some_and(|phase| phase.approval), "{said}");
        let open = document.tasks_in(name).any(|task| !task.status.is_closed());
        assert!(!open || decided.decision != Decision::Approved, "{said}");
    }
}

fn judge_event(
    before: &Snapshot,
    after: &Snapshot,
    command: &Command,
    (id, event): (MilestoneId, &Event),
    said: &str,
) {
    let claim = |number| before.claims.get(&TaskId::new(id, number));
    let live = |number| claim(number).is_some_and(Claim::is_live);
    match event {
        Event::TaskClaimed { task, fence, .. } => {
            assert!(!live(task.number), "{said}");
            let known = before.documents[&id].task(task.number).unwrap().attempts.unwrap_or(0);
            assert!(*fence > known, "{said}");
        }
        Event::TaskStatusChanged { task, from, to, .. } => {
            assert!(is_legal(*from, *to), "{said}");
            assert_eq!(before.documents[&id].task(task.number).map(|t| t.status), Some(*from));
            if live(task.number) {
                assert!(shows(command, claim(task.number).unwrap()), "{said}");
            }
            if *to == TaskStatus::Completed {
                let outline = &after.outlines[&id];
                let task = outline.task(task.number).unwrap();
                let open = Board::new(after, super::context(1).today).prerequisites(outline, task);
                assert_eq!(json!(open), json!([]), "{said}");
            }
        }
        Event::TaskRemoved { task, .. } => assert!(!live(task.number), "{said}"),
        Event::TaskAdded { task, .. } => {
            let known = before.documents.get(&id).and_then(|document| document.task(task.number));
            assert_eq!(known, None, "{said}");
        }
        Event::TaskProgressed { task, .. } => {
            let now = before.documents[&id].task(task.number).map(|task| task.status);
            assert_eq!(now, Some(TaskStatus::InProgress), "{said}");
        }
        _ => {}
    }
}

/// Whether a command shows the right to write on a held task.
fn shows(command: &Command, claim: &Claim) -> bool {
    let (Command::ChangeTask { credential, .. } | Command::Release { credential, .. }) = command
    else {
        return false;
    };
    *credential == Credential { fence: Some(claim.fence), attempt: Some(claim.attempt) }
        || *credential == Credential { fence: Some(claim.fence), attempt: None }
}

/// The table of the product's documentation, once more.
fn is_legal(from: TaskStatus, to: TaskStatus) -> bool {
    use TaskStatus::{Blocked, Cancelled, Completed, Failed, InProgress, Pending};
    match from {
        Pending => to != Failed,
        InProgress => true,
        Blocked => !matches!(to, Failed | Completed),
        Failed => !matches!(to, Blocked | Completed),
        Completed => !matches!(to, Blocked | Failed | Cancelled),
        Cancelled => matches!(to, Pending | Cancelled),
    }
}

/// A test may look at its environment; what it tests may not.
#[expect(clippy::disallowed_methods, reason = "the length of a test's run is not the domain's")]
fn full() -> bool {
    std::env::var_os("MILESTONE_FULL").is_some()
}
