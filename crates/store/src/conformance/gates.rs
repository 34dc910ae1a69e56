//! Approvals between phases: kept, waited for and taken back.

use milestone_domain::command::Command;
use milestone_domain::document::Phase;
use milestone_domain::refusal::Refusal;
use milestone_domain::status::{Decision, TaskStatus};

use super::{Bench, Fresh, Handle, M1, claim, draft, move_freely, plan, task};

/// Nothing of "build" begins before "design: all # of it" is approved.
const DESIGN: &str = "design: all # of it";

fn workflow(fresh: Fresh<'_>) -> (Box<dyn Bench>, Handle) {
    let mut draft = draft(&["Draw", "Build"]);
    draft.phases = [DESIGN, "build"].map(|name| Phase::from(name.to_owned())).to_vec();
    draft.phases[0].approval = true;
    draft.tasks[0].phase = Some(DESIGN.to_owned());
    draft.tasks[1].phase = Some("build".to_owned());
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    ada.done(&plan(draft));
    (bench, ada)
}

fn decided(decision: Decision, reason: Option<&str>) -> Command {
    let (phase, reason) = (DESIGN.to_owned(), reason.map(str::to_owned));
    Command::DecideGate { milestone: M1, task: None, phase, decision, reason }
}

fn approve() -> Command {
    decided(Decision::Approved, None)
}

fn finish(number: u32) -> Command {
    move_freely(task(number), TaskStatus::Completed)
}

/// Every process sees what was decided, by whom and why, and whether later work may begin.
pub fn gates_hold_back_later_phases(fresh: Fresh<'_>) {
    let (bench, ada) = workflow(fresh);
    let ben = Handle::new(bench.as_ref());
    let refused = |handle: &Handle| {
        assert!(matches!(handle.refused(&claim(task(2)).0), Refusal::NotReady { .. }));
        assert!(matches!(handle.refused(&finish(2)), Refusal::PrerequisitesOpen { .. }));
    };
    refused(&ben);
    assert!(matches!(ada.refused(&approve()), Refusal::PhaseOpen { .. }));
    ada.done(&finish(1));
    refused(&ben);
    ben.run_by("ben", &decided(Decision::ChangesRequested, Some("no diagram"))).unwrap();
    refused(&ada);
    let seen = ada.document(M1).gates[DESIGN].clone();
    let said = (seen.decision, seen.by.as_str(), seen.reason.as_deref());
    assert_eq!(said, (Decision::ChangesRequested, "ben", Some("no diagram")));
    ben.done(&approve());
    assert_eq!(ben.done(&approve()), [], "it is approved already");
    let seen = ada.document(M1).gates[DESIGN].clone();
    assert_eq!((seen.decision, seen.reason), (Decision::Approved, None));
    ada.done(&finish(2));
}

/// What is reopened is no longer approved, wherever one looks.
pub fn an_approval_falls_with_what_was_approved(fresh: Fresh<'_>) {
    let (bench, ada) = workflow(fresh);
    ada.done(&finish(1));
    ada.done(&approve());
    ada.done(&move_freely(task(1), TaskStatus::Pending));
    let ben = Handle::new(bench.as_ref());
    assert!(ben.document(M1).gates.is_empty());
    assert!(matches!(ben.refused(&claim(task(2)).0), Refusal::NotReady { .. }));
    ben.done(&finish(1));
    assert!(matches!(ben.refused(&claim(task(2)).0), Refusal::NotReady { .. }));
    ben.done(&approve());
    ada.claim(task(2));
}

/// Nobody approves what somebody else has just reopened.
pub fn a_task_reopened_elsewhere_makes_an_approval_stale(fresh: Fresh<'_>) {
    let (bench, ada) = workflow(fresh);
    ada.done(&finish(1));
    let approval = ada.decided(&approve());
    let ben = Handle::new(bench.as_ref());
    ben.done(&move_freely(task(1), TaskStatus::Pending));
    ada.stale(&approval);
    assert!(ben.document(M1).gates.is_empty());
}
