//! Approvals: who waits for them, and what takes them back.

use serde_json::json;

use super::table::{
    Case, M1, amend, archive, check, claim, draft, given, milestone_to, plan, t, to,
};
use crate::command::Command;
use crate::document::{Milestone, Phase, Task};
use crate::snapshot::Snapshot;
use crate::status::{Decision, MilestoneStatus, TaskStatus};
use crate::views::release::release_ready;

use Decision::{Approved, ChangesRequested, Rejected};
use TaskStatus::{Cancelled, Completed, InProgress, Pending};

/// Design (1) is approved before anything of Spec (2) or Build (3) begins; Spec before Build. A
/// task (4) of no phase waits for nothing.
fn workflow() -> Snapshot {
    given(Snapshot::default(), &[plan(workflow_draft())])
}

fn workflow_draft() -> Milestone {
    let asking = |name: &str| Phase { approval: true, ..Phase::from(name.to_owned()) };
    let task = |number: u32, phase: Option<&str>| Task {
        phase: phase.map(str::to_owned),
        ..Task::new(number, "T")
    };
    let mut draft = draft("Payments");
    draft.phases = vec![asking("Design"), asking("Spec"), Phase::from("Build".to_owned())];
    draft.tasks =
        vec![task(1, Some("Design")), task(2, Some("Spec")), task(3, Some("Build")), task(4, None)];
    draft
}

fn decided(phase: &str, decision: Decision, reason: Option<&str>) -> Command {
    let (phase, reason) = (phase.to_owned(), reason.map(str::to_owned));
    Command::DecideGate { milestone: M1, task: None, phase, decision, reason }
}

fn approve(phase: &str) -> Command {
    decided(phase, Approved, None)
}

fn approve_of(task: u32, phase: &str) -> Command {
    let (phase, decision) = (phase.to_owned(), Approved);
    Command::DecideGate { milestone: M1, task: Some(task), phase, decision, reason: None }
}

fn designed() -> Snapshot {
    given(workflow(), &[to(1, Completed)])
}

fn approved() -> Snapshot {
    given(designed(), &[approve("Design")])
}

fn add(phase: Option<&str>) -> Command {
    let draft = Task { phase: phase.map(str::to_owned), ..Task::new(1, "More") };
    Command::AddTask { milestone: M1, draft: Box::new(draft) }
}

#[test]
fn phases_are_decided_about() {
    let again = |decision, reason| decided("Design", decision, Some(reason));
    let cases = [
        Case(designed(), approve("Design"), "gate_decided"),
        Case(designed(), approve(" design "), "gate_decided"),
        Case(designed(), approve_of(1, "Design"), "gate_decided"),
        Case(given(workflow(), &[to(1, Cancelled)]), approve("Design"), "gate_decided"),
        Case(approved(), approve("Design"), ""),
        Case(approved(), again(Rejected, "no"), "gate_decided"),
        Case(workflow(), again(ChangesRequested, "no diagram"), "gate_decided"),
        Case(given(workflow(), &[again(Rejected, "no")]), again(Rejected, "no"), ""),
        Case(
            given(workflow(), &[again(Rejected, "no")]),
            again(Rejected, "still no"),
            "gate_decided",
        ),
    ];
    for case in &cases {
        check(case);
    }
}

/// Every refusal about gates, for the table of all refusals.
pub(super) fn refused() -> Vec<Case> {
    let closed = given(workflow(), &[milestone_to(MilestoneStatus::Cancelled)]);
    vec![
        Case(designed(), approve("Desing"), "unknown_phase"),
        Case(designed(), approve("Build"), "no_gate"),
        Case(designed(), approve_of(2, "Design"), "not_in_phase"),
        Case(designed(), approve_of(4, "Design"), "not_in_phase"),
        Case(designed(), approve_of(9, "Design"), "unknown_id"),
        Case(workflow(), approve("Design"), "phase_open"),
        Case(given(workflow(), &[to(2, Cancelled)]), approve("Spec"), "phase_open"),
        Case(designed(), decided("Design", Rejected, None), "empty"),
        Case(designed(), decided("Design", ChangesRequested, Some(" ")), "empty"),
        Case(closed, decided("Design", Rejected, Some("no")), "closed"),
        Case(given(designed(), &[archive(Some("x"))]), approve("Design"), "archived"),
        // The design would wait for what waits for its approval.
        Case(workflow(), amend("tasks/task-001/requires", Some(json!(["task-003"]))), "cycle"),
        Case(built_on(), amend("tasks/task-004/phase", Some(json!("Spec"))), "cycle"),
        Case(approved(), amend("gates/Design/decision", Some(json!("rejected"))), "program_key"),
        Case(approved(), amend("gates", None), "program_key"),
    ]
}

/// The design requires the task that is in no phase yet.
fn built_on() -> Snapshot {
    given(workflow(), &[amend("tasks/task-001/requires", Some(json!(["task-004"])))])
}

#[test]
fn later_phases_wait_for_an_approval() {
    let sent_back = given(approved(), &[decided("Design", ChangesRequested, Some("why"))]);
    for (waiting, said) in [
        (workflow(), "waits for the approval of phase Design"),
        (designed(), "waits for the approval of phase Design"),
        (sent_back, "waits for changes of phase Design: why"),
    ] {
        for task in [2, 3] {
            check(&Case(waiting.clone(), claim(t(task)), "not_ready"));
            check(&Case(waiting.clone(), to(task, InProgress), "not_ready"));
            let case = Case(waiting.clone(), to(task, Completed), "prerequisites_open");
            assert!(check(&case).unwrap().to_string().ends_with(said));
        }
        let free = given(waiting, &[to(4, Completed)]);
        assert_eq!(free.documents[&M1].tasks[3].status, Completed);
    }
    let opened = given(approved(), &[to(2, Completed)]);
    check(&Case(opened.clone(), to(3, Completed), "prerequisites_open"));
    let opened = given(opened, &[approve("Spec")]);
    check(&Case(opened, claim(t(3)), "task_claimed"));
}

#[test]
fn an_approval_falls_with_what_was_approved() {
    let lost = "gate_reopened";
    let to_phase =
        |task: u32, phase: &str| amend(&format!("tasks/task-{task:03}/phase"), Some(json!(phase)));
    let phases = |change: &dyn Fn(&mut Vec<Phase>)| {
        let mut phases = workflow_draft().phases;
        change(&mut phases);
        amend("phases", Some(json!(phases)))
    };
    let deliverable =
        |done: bool| json!([{"name": "Drawing", "path": "a.md", "phase": "Design", "done": done}]);
    let delivered = given(approved(), &[amend("deliverables", Some(deliverable(false)))]);
    let delivered = given(delivered, &[approve("Design")]);
    let cases = [
        (approved(), to(1, Pending), "task_status_changed gate_reopened"),
        (approved(), add(Some("Design")), "task_added gate_reopened"),
        (approved(), add(Some("Build")), "task_added"),
        (approved(), add(None), "task_added"),
        (approved(), to_phase(4, "Design"), "edited gate_reopened"),
        (approved(), to_phase(1, "Build"), "edited"),
        (approved(), Command::RemoveTask { task: t(1) }, "task_removed"),
        (approved(), amend("tasks/task-001/title", Some(json!("Typo mended"))), "edited"),
        (approved(), amend("deliverables", Some(deliverable(false))), "edited gate_reopened"),
        (delivered, amend("deliverables", Some(deliverable(true))), "edited"),
        (approved(), phases(&|p| p[0].name = "Drawing".into()), "edited gate_reopened"),
        (approved(), phases(&|p| p[0].approval = false), "edited gate_reopened"),
        (approved(), phases(&|p| p[0].deliverables.push("b".into())), "edited gate_reopened"),
        (approved(), phases(&|p| p[0].weight = Some(3)), "edited"),
        (approved(), phases(&|p| p[1].description = Some("other".into())), "edited"),
    ];
    for (snapshot, command, expect) in cases {
        let after = given(snapshot.clone(), std::slice::from_ref(&command));
        check(&Case(snapshot, command.clone(), expect));
        let stands = after.documents[&M1].gates.contains_key("Design");
        assert_eq!(stands, !expect.ends_with(lost), "{command:?}");
    }
}

/// One edit by hand that takes an approval back cannot lean on it.
#[test]
fn work_that_leans_on_a_fallen_approval_is_refused() {
    let Command::Amend { changes: reopened, .. } =
        amend("tasks/task-001/status", Some(json!("pending")))
    else {
        panic!("an edit")
    };
    let Command::Amend { changes: done, .. } =
        amend("tasks/task-002/status", Some(json!("completed")))
    else {
        panic!("an edit")
    };
    let changes = [reopened, done].concat();
    let both = Command::TakeIn { milestone: M1, changes };
    check(&Case(approved(), both, "prerequisites_open"));
}

/// Two branches: one reopens the design, the other approves it a moment later.
#[test]
fn an_approval_from_a_branch_that_knew_of_no_open_work_counts_for_nothing() {
    let mut merged = approved();
    let mut document = merged.documents[&M1].clone();
    document.tasks[0].status = Pending;
    merged.insert(document);
    check(&Case(merged.clone(), claim(t(2)), "not_ready"));
    check(&Case(merged, to(1, Completed), "task_status_changed gate_reopened"));
}

#[test]
fn a_milestone_is_complete_when_its_phases_are_approved() {
    let done = given(approved(), &[to(2, Completed), approve("Spec")]);
    let done = given(done, &[to(3, Completed), to(4, Completed)]);
    let completed = milestone_to(MilestoneStatus::Completed);
    check(&Case(done.clone(), completed.clone(), "milestone_status_changed"));
    let sent_back = given(done, &[decided("Spec", Rejected, Some("no"))]);
    assert!(!sent_back.outlines[&M1].is_finished());
    let ready = release_ready(&sent_back, None);
    assert!(!ready.ready);
    assert_eq!(ready.releases[0].milestones[0].gates, ["Spec"]);
    for command in [completed, archive(None), amend("status", Some(json!("completed")))] {
        let refusal = check(&Case(sent_back.clone(), command, "incomplete")).unwrap();
        assert!(
            refusal.to_string().ends_with("cannot be completed: phases without approval: Spec")
        );
    }
}

#[test]
fn an_approval_provides_conditions_while_it_stands() {
    let mut providing = workflow_draft();
    providing.phases[0].provides = vec!["api_specification_approved".into()];
    providing.tasks[3].conditions = vec!["api_specification_approved".into()];
    let designed = given(Snapshot::default(), &[plan(providing), to(1, Completed)]);
    check(&Case(designed.clone(), to(4, Completed), "prerequisites_open"));
    let approved = given(designed, &[approve("Design")]);
    check(&Case(approved.clone(), to(4, Completed), "task_status_changed"));
    let reopened = given(approved, &[to(1, Pending)]);
    check(&Case(reopened, to(4, Completed), "prerequisites_open"));
}

#[test]
fn a_new_plan_has_nothing_approved() {
    let mut draft = workflow_draft();
    draft.gates = approved().documents[&M1].gates.clone();
    assert!(!draft.gates.is_empty());
    let planned = given(Snapshot::default(), &[plan(draft)]);
    assert!(planned.documents[&M1].gates.is_empty());
}
