//! Given, command, expectation.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{answer, keep, kinds};
use crate::change::{FieldChange, Path};
use crate::command::{Closing, Command, Credential};
use crate::document::{Criterion, Milestone, Task};
use crate::event::AttemptId;
use crate::ids::{MilestoneId, Reference, TaskId, Uid};
use crate::limits;
use crate::refusal::Refusal;
use crate::snapshot::{Problem, ProblemKind, Snapshot};
use crate::status::{MilestoneStatus, TaskStatus};

pub(super) const M1: MilestoneId = MilestoneId(1);
const M2: MilestoneId = MilestoneId(2);

/// milestone-001: Design, Build (requires Design; touches src), Ship (waits for "approved").
/// milestone-002 requires it and has one task, which touches src too.
fn project() -> Snapshot {
    let mut first = Milestone::new(M1, "First");
    first.tasks = vec![Task::new(1, "Design"), Task::new(2, "Build"), Task::new(3, "Ship")];
    first.tasks[0].provides = vec!["designed".into()];
    first.tasks[1].requires = vec![Reference::Own(1)];
    first.tasks[1].resources = vec!["src".into()];
    first.tasks[2].conditions = vec!["approved".into()];
    first.criteria = vec![Criterion::from("It works".to_owned())];
    let mut second = Milestone::new(M2, "Second");
    second.tasks = vec![Task::new(1, "Use")];
    second.tasks[0].requires = vec![Reference::Task(t(1))];
    second.tasks[0].resources = vec!["src/main.rs".into()];
    let plans = [first, second].map(|draft| Command::Plan { draft: Box::new(draft) });
    given(Snapshot::default(), &plans)
}

pub(super) fn given(mut snapshot: Snapshot, commands: &[Command]) -> Snapshot {
    for (command, change) in commands.iter().zip(1000..) {
        let events = answer(&snapshot, command, change);
        keep(&mut snapshot, &events.unwrap_or_else(|refusal| panic!("{command:?}: {refusal}")));
    }
    snapshot
}

pub(super) fn t(number: u32) -> TaskId {
    TaskId::new(M1, number)
}

pub(super) fn to(number: u32, to: TaskStatus) -> Command {
    with(number, to, Credential::default())
}

fn with(number: u32, to: TaskStatus, credential: Credential) -> Command {
    Command::ChangeTask { task: t(number), to, reason: None, credential }
}

pub(super) fn milestone_to(to: MilestoneStatus) -> Command {
    Command::ChangeMilestone { milestone: M1, to, reason: None }
}

pub(super) fn claim(task: TaskId) -> Command {
    Command::Claim { task, attempt: attempt(1), lease_seconds: 60 }
}

fn attempt(number: u128) -> AttemptId {
    AttemptId(Uuid::from_u128(number))
}

fn shown(fence: u64, number: u128) -> Credential {
    Credential { fence: Some(fence), attempt: Some(attempt(number)) }
}

pub(super) fn amend(path: &str, after: Option<Value>) -> Command {
    let path: Path = path.parse().unwrap();
    Command::Amend { milestone: M1, changes: vec![FieldChange { path, before: None, after }] }
}

fn progress(percent: u32, credential: Credential) -> Command {
    Command::Progress { task: t(1), percent, credential }
}

fn set(name: &str) -> Command {
    Command::SetCondition { name: name.into(), reason: None }
}

fn clear(name: &str) -> Command {
    Command::ClearCondition { name: name.into(), reason: None }
}

pub(super) fn archive(force: Option<&str>) -> Command {
    let force = force.map(str::to_owned);
    Command::Archive { milestone: M1, closing: Box::new(Closing { force, ..Closing::default() }) }
}

fn note(text: &str, credential: Credential) -> Command {
    Command::Note { task: t(1), text: text.into(), credential }
}

pub(super) fn draft(title: &str) -> Milestone {
    Milestone::new(MilestoneId(0), title)
}

pub(super) fn plan(draft: Milestone) -> Command {
    Command::Plan { draft: Box::new(draft) }
}

fn meet(number: u32) -> Command {
    Command::MeetCriterion { milestone: M1, number, evidence: "seen".into() }
}

fn lapsed(mut snapshot: Snapshot) -> Snapshot {
    snapshot.claims.values_mut().for_each(|claim| claim.seconds_left = None);
    snapshot
}

/// All that is open in milestone-001, done.
fn all_done() -> Vec<Command> {
    use TaskStatus::Completed;
    vec![to(1, Completed), to(2, Completed), set("approved"), to(3, Completed), meet(1)]
}

pub(super) struct Case(pub Snapshot, pub Command, pub &'static str);

/// Asks, and compares kinds of events, or the code of the refusal.
pub(super) fn check(Case(snapshot, command, expect): &Case) -> Option<Refusal> {
    match answer(snapshot, command, 1) {
        Ok(events) => {
            assert_eq!(kinds(&events), *expect, "{command:?}");
            None
        }
        Err(refusal) => {
            assert_eq!(refusal.code(), *expect, "{command:?}: {refusal}");
            assert!(!refusal.to_string().is_empty() && !refusal.next().is_empty());
            Some(refusal)
        }
    }
}

#[test]
fn what_is_asked_for_happens() {
    use TaskStatus::{Blocked, Cancelled, Completed, Failed, InProgress, Pending};
    let started = "task_status_changed milestone_status_changed";
    let p = project;
    let claimed = || given(p(), &[claim(t(1))]);
    let cases = vec![
        Case(p(), to(1, InProgress), started),
        Case(p(), to(1, Completed), started),
        Case(p(), to(1, Blocked), "task_status_changed"),
        Case(p(), to(1, Cancelled), "task_status_changed"),
        Case(p(), to(1, Pending), ""),
        Case(given(p(), &[to(1, Completed)]), to(2, Completed), "task_status_changed"),
        Case(given(p(), &[to(1, Completed)]), to(1, Completed), ""),
        Case(given(p(), &[to(1, Completed)]), to(1, Pending), "task_status_changed"),
        Case(given(p(), &[set("approved")]), to(3, Completed), started),
        Case(p(), claim(t(1)), "task_claimed milestone_status_changed"),
        Case(lapsed(claimed()), claim(t(1)), "task_claimed"),
        Case(claimed(), with(1, Completed, shown(1, 1)), "task_status_changed"),
        Case(claimed(), with(1, Failed, shown(1, 1)), "task_status_changed"),
        Case(lapsed(claimed()), with(1, Completed, shown(1, 1)), "task_status_changed"),
        Case(lapsed(claimed()), to(1, Completed), "task_status_changed"),
        Case(claimed(), progress(40, shown(1, 1)), "task_progressed"),
        Case(given(p(), &[to(1, InProgress)]), progress(100, <_>::default()), "task_progressed"),
        Case(claimed(), note("so far", shown(1, 1)), "task_noted"),
        Case(
            p(),
            Command::NoteMilestone { milestone: M1, text: "so far".into() },
            "milestone_noted",
        ),
        Case(claimed(), note("from aside", <_>::default()), "task_noted"),
        Case(p(), Command::RemoveTask { task: t(3) }, "task_removed"),
        Case(p(), Command::MoveTask { task: t(3), to: M2 }, "task_removed task_added"),
        Case(p(), Command::MoveTask { task: t(3), to: M1 }, ""),
        Case(p(), set("approved"), "condition_set"),
        Case(given(p(), &[set("approved")]), set("approved"), ""),
        Case(given(p(), &[set("approved")]), clear("approved"), "condition_cleared"),
        Case(p(), meet(1), "criterion_met"),
        Case(p(), amend("title", Some(json!("Other"))), "edited"),
        Case(p(), amend("tasks/task-003", None), "task_removed"),
        Case(p(), amend("tasks/task-001/status", Some(json!("done"))), started),
        Case(
            given(p(), &[meet(1)]),
            amend("criteria/1/text", Some(json!("New"))),
            "criterion_reopened edited",
        ),
        Case(p(), milestone_to(MilestoneStatus::Paused), "milestone_status_changed"),
        Case(
            given(p(), &all_done()),
            milestone_to(MilestoneStatus::Completed),
            "milestone_status_changed",
        ),
        Case(given(p(), &all_done()), archive(None), "milestone_status_changed milestone_archived"),
        Case(p(), archive(Some("given up")), "milestone_archived"),
        Case(given(p(), &[archive(Some("x"))]), archive(None), ""),
        Case(given(p(), &[archive(Some("x"))]), amend("archived", None), "milestone_returned"),
        Case(
            given(p(), &[archive(Some("x"))]),
            milestone_to(MilestoneStatus::Planned),
            "milestone_returned",
        ),
        Case(
            given(given(p(), &all_done()), &[archive(None)]),
            milestone_to(MilestoneStatus::InProgress),
            "milestone_returned milestone_status_changed",
        ),
    ];
    for case in &cases {
        check(case);
    }
}

#[test]
fn a_release_gives_a_task_back() {
    let release = |credential| Command::Release { task: t(1), reason: None, credential };
    let claimed = given(project(), &[claim(t(1))]);
    check(&Case(claimed, release(shown(1, 1)), "task_released"));
    let started = given(project(), &[to(1, TaskStatus::InProgress)]);
    check(&Case(started, release(Credential::default()), "task_status_changed"));
    check(&Case(project(), release(Credential::default()), ""));
}

#[test]
fn what_was_said_before_an_answer_was_lost_may_be_said_again() {
    for to in [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Blocked] {
        for reason in [None, Some("because".to_owned())] {
            let credential = shown(1, 1);
            let said = Command::ChangeTask { task: t(1), to, reason, credential };
            let snapshot = given(project(), &[claim(t(1)), said.clone()]);
            check(&Case(snapshot, said, ""));
        }
    }
}

/// The variants of a refusal, as a match that does not compile when one is missing.
macro_rules! variants {
    ($($variant:ident),* $(,)?) => {
        const VARIANTS: &[&str] = &[$(stringify!($variant)),*];

        fn variant(refusal: &Refusal) -> &'static str {
            match refusal {
                $(Refusal::$variant { .. } => stringify!($variant)),*
            }
        }
    };
}

variants! {
    Unknown, UnknownCriterion, UnknownPhase, BadField, ProgramKey, TooLong, Empty, BadMove,
    PrerequisitesOpen, NotReady, Incomplete, NoGate, NotInPhase, PhaseOpen, Closed, NotClosed, Held, StaleFence, Cycle, NeededBy, Archived,
    ConditionProvided, ConditionNotSet, BadLease, DueBeforeStart, NumbersUsedUp, Unreadable,
}

#[test]
fn every_refusal_is_reached() {
    let mut reached = BTreeSet::new();
    for case in refused_for_what_is_named()
        .iter()
        .chain(&refused_by_rules())
        .chain(&refused_claims())
        .chain(&super::gates::refused())
    {
        let refusal = check(case).unwrap_or_else(|| panic!("{:?} is allowed", case.1));
        reached.insert(variant(&refusal));
    }
    let never: Vec<_> = VARIANTS.iter().filter(|name| !reached.contains(*name)).collect();
    assert!(never.is_empty(), "never refused with {never:?}");
}

fn refused_for_what_is_named() -> Vec<Case> {
    let p = project;
    let late =
        Milestone { start: Some(date(2026, 11, 5)), due: Some(date(2026, 11, 4)), ..draft("Late") };
    let unreadable = Problem {
        milestone: Some(M1),
        file: "active/milestone-001.yaml".into(),
        line: None,
        column: None,
        kind: ProblemKind::Unreadable,
        message: "line 3 is no YAML".into(),
        next: String::new(),
    };
    let mut used_up = p();
    used_up.highest = Some(MilestoneId(limits::ID_MAX));
    let long = "x".repeat(limits::TITLE_CHARS_MAX + 1);
    let mut requires_nothing = draft("Lost");
    requires_nothing.dependencies.requires = vec![Reference::Milestone(MilestoneId(9))];
    let replaced = json!({ "id": "task-001", "title": "Other" });
    vec![
        Case(p(), to(9, TaskStatus::Completed), "unknown_id"),
        Case(Snapshot::default(), archive(None), "unknown_id"),
        Case(p(), plan(requires_nothing), "unknown_id"),
        Case(p(), meet(7), "unknown_criterion"),
        Case(p(), amend("title", Some(json!(["no", "text"]))), "bad_field"),
        Case(p(), amend("criteria/7/text", Some(json!("x"))), "bad_field"),
        Case(p(), amend("tasks/task-001/id", Some(json!("task-007"))), "bad_field"),
        Case(p(), amend("tasks/task-001", Some(replaced)), "bad_field"),
        Case(p(), amend("tasks", None), "bad_field"),
        Case(
            given(p(), &[to(1, TaskStatus::InProgress)]),
            progress(101, <_>::default()),
            "bad_field",
        ),
        Case(p(), amend("started_at", Some(json!("2026-11-03T00:00:00Z"))), "program_key"),
        Case(p(), amend("tasks/task-001/attempts", Some(json!(9))), "program_key"),
        Case(p(), plan(Milestone { title: long, ..draft("x") }), "too_long"),
        Case(p(), note(" ", <_>::default()), "empty"),
        Case(p(), Command::NoteMilestone { milestone: M1, text: " ".into() }, "empty"),
        Case(p(), plan(late), "due_before_start"),
        Case(used_up, plan(draft("One more")), "numbers_used_up"),
        Case(Snapshot { problems: vec![unreadable], ..p() }, meet(1), "unreadable"),
    ]
}

fn refused_by_rules() -> Vec<Case> {
    use TaskStatus::{Cancelled, Completed, Failed};
    let p = project;
    let cycle = amend("tasks/task-001/requires", Some(json!(["task-002"])));
    let around = amend("dependencies/requires", Some(json!(["milestone-002"])));
    let archived = || given(p(), &[archive(Some("given up"))]);
    let add = |draft| Command::AddTask { milestone: M1, draft: Box::new(draft) };
    vec![
        Case(p(), to(1, Failed), "bad_move"),
        Case(given(p(), &[to(1, Completed)]), to(1, TaskStatus::InProgress), "bad_move"),
        Case(given(p(), &[to(1, Cancelled)]), to(1, Completed), "bad_move"),
        Case(p(), progress(10, <_>::default()), "bad_move"),
        Case(given(p(), &[to(1, Completed)]), claim(t(1)), "bad_move"),
        Case(p(), to(2, Completed), "prerequisites_open"),
        Case(p(), to(3, Completed), "prerequisites_open"),
        Case(p(), amend("tasks/task-002/status", Some(json!("completed"))), "prerequisites_open"),
        Case(p(), to(2, TaskStatus::InProgress), "not_ready"),
        Case(p(), claim(t(2)), "not_ready"),
        Case(given(p(), &[milestone_to(MilestoneStatus::Paused)]), claim(t(1)), "not_ready"),
        Case(p(), milestone_to(MilestoneStatus::Completed), "incomplete"),
        Case(p(), archive(None), "incomplete"),
        Case(p(), amend("archived", Some(json!(true))), "not_closed"),
        Case(p(), cycle, "cycle"),
        Case(p(), around, "cycle"),
        Case(p(), Command::RemoveTask { task: t(1) }, "needed_by"),
        Case(p(), Command::MoveTask { task: t(1), to: M2 }, "needed_by"),
        Case(archived(), to(1, Completed), "archived"),
        Case(archived(), amend("title", Some(json!("x"))), "archived"),
        Case(archived(), add(Task::new(1, "More")), "archived"),
        Case(given(p(), &[to(1, Completed)]), clear("designed"), "condition_provided"),
        Case(p(), clear("designed"), "condition_not_set"),
    ]
}

fn refused_claims() -> Vec<Case> {
    use TaskStatus::Completed;
    let p = project;
    let claimed = || given(p(), &[claim(t(1))]);
    let taken_over = || given(lapsed(claimed()), &[claim(t(1))]);
    let release = |credential| Command::Release { task: t(1), reason: None, credential };
    let busy = given(p(), &[to(1, Completed), claim(t(2))]);
    let lease = |lease_seconds| Command::Claim { task: t(1), attempt: attempt(1), lease_seconds };
    vec![
        Case(claimed(), claim(t(1)), "held"),
        Case(claimed(), to(1, Completed), "held"),
        Case(claimed(), Command::RemoveTask { task: t(1) }, "held"),
        Case(claimed(), amend("tasks/task-001/status", Some(json!("pending"))), "held"),
        Case(claimed(), archive(Some("x")), "held"),
        Case(given(p(), &[to(1, TaskStatus::InProgress)]), claim(t(1)), "held"),
        Case(claimed(), with(1, Completed, shown(2, 1)), "stale_fence"),
        Case(claimed(), with(1, Completed, shown(1, 2)), "stale_fence"),
        Case(claimed(), progress(10, shown(1, 2)), "stale_fence"),
        Case(taken_over(), with(1, Completed, shown(1, 1)), "stale_fence"),
        Case(taken_over(), progress(10, shown(1, 1)), "stale_fence"),
        Case(taken_over(), release(shown(1, 1)), "stale_fence"),
        Case(taken_over(), note("x", shown(1, 1)), "stale_fence"),
        Case(p(), with(1, Completed, shown(1, 1)), "stale_fence"),
        Case(busy, claim(TaskId::new(M2, 1)), "not_ready"),
        Case(p(), lease(0), "bad_lease"),
        Case(p(), lease(limits::LEASE_SECONDS_MAX + 1), "bad_lease"),
    ]
}

#[test]
fn a_renumbered_document_keeps_what_it_says_and_who_meant_it() {
    let tree = Box::new(Milestone { id: M1, ..draft("Theirs") }.tree());
    let uid = Uid(Uuid::from_u128(7));
    let command =
        Command::Renumber { from: M1, uid, tree, means: BTreeMap::new(), referring: vec![M2] };
    let snapshot = project();
    check(&Case(snapshot, command, "milestone_renumbered id_given_up edited"));
}

/// What its milestone waits for holds back the beginning of a task, also where that is its end.
#[test]
fn what_was_never_begun_is_not_finished_before_its_milestone_may_begin() {
    use TaskStatus::{Completed, InProgress};
    let waits = amend("dependencies/conditions", Some(json!(["signed"])));
    let waiting = given(project(), std::slice::from_ref(&waits));
    check(&Case(waiting.clone(), to(1, InProgress), "not_ready"));
    check(&Case(waiting.clone(), to(1, Completed), "prerequisites_open"));
    let by_hand = amend("tasks/task-001/status", Some(json!("done")));
    check(&Case(waiting.clone(), by_hand, "prerequisites_open"));
    let signed = given(waiting, &[set("signed")]);
    let started = "task_status_changed milestone_status_changed";
    check(&Case(signed, to(1, Completed), started));
    let begun = given(project(), &[to(1, InProgress), waits]);
    check(&Case(begun, to(1, Completed), "task_status_changed"));
}

/// Its dates say how long a task took only if it was done in one go.
#[test]
fn what_lay_still_in_between_is_marked() {
    use TaskStatus::{Blocked, Completed, InProgress, Pending};
    let interrupted = |commands: &[Command]| {
        given(project(), commands).task(t(1)).is_some_and(|task| task.interrupted)
    };
    assert!(!interrupted(&[to(1, InProgress), to(1, Completed)]));
    assert!(!interrupted(&[to(1, Blocked), to(1, Pending), to(1, InProgress), to(1, Completed)]));
    assert!(!interrupted(&[claim(t(1)), with(1, Completed, shown(1, 1))]));
    assert!(interrupted(&[to(1, InProgress), to(1, Blocked), to(1, Pending), to(1, InProgress)]));
    assert!(interrupted(&[to(1, InProgress), to(1, Blocked), to(1, Pending), to(1, Completed)]));
    assert!(interrupted(&[to(1, InProgress), to(1, Completed), to(1, Pending), to(1, InProgress)]));
    let lapsed = lapsed(given(project(), &[claim(t(1))]));
    assert!(given(lapsed, &[claim(t(1))]).task(t(1)).is_some_and(|task| task.interrupted));
}
