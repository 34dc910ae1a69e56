use std::collections::BTreeSet;
use std::fmt::Write as _;

use jiff::civil::date;
use milestone_domain::ids::Node;
use milestone_domain::readiness::Reason;

use super::*;

const M: MilestoneId = MilestoneId(1);

fn task(number: u32) -> TaskId {
    TaskId::new(M, number)
}

fn refusals() -> Vec<Refusal> {
    let node = Node::Task(task(9));
    let waiting = vec![Reason::Requires { on: Node::Task(task(1)), status: "pending".into() }];
    vec![
        Refusal::Unknown { node, nearest: Some(Node::Task(task(8))) },
        Refusal::Unknown { node, nearest: None },
        Refusal::UnknownCriterion { milestone: M, number: 4, known: 2 },
        Refusal::BadField { milestone: M, path: "due".into(), message: "no date".into() },
        Refusal::ProgramKey { milestone: M, path: "uid".into() },
        Refusal::TooLong { what: "a title", max: 500, length: 501 },
        Refusal::Empty { what: "a title" },
        Refusal::BadMove {
            id: node,
            from: "pending",
            to: "failed",
            next: "start it: `milestone task start task-001-009`".into(),
        },
        Refusal::PrerequisitesOpen { task: task(2), waiting: waiting.clone() },
        Refusal::NotReady { task: task(2), waiting },
        incomplete(vec![task(1)], vec![1], vec!["design".into()]),
        incomplete(vec![], vec![1, 2], vec![]),
        incomplete(vec![], vec![1], vec!["design".into(), "specification".into()]),
        Refusal::NotClosed { milestone: M },
        Refusal::Held { task: task(1), by: "ada".into(), fence: Some(2), seconds_left: Some(60) },
        Refusal::Held { task: task(1), by: "ada".into(), fence: None, seconds_left: None },
        Refusal::StaleFence { task: task(1), given: 1, current: Some(2) },
        Refusal::Cycle { path: vec![Node::Milestone(M), node, Node::Milestone(M)] },
        Refusal::NeededBy { node, by: vec![Node::Milestone(MilestoneId(2))] },
        Refusal::Archived { milestone: M },
        Refusal::ConditionProvided { name: "schema".into(), by: node },
        Refusal::ConditionNotSet { name: "schema".into() },
        Refusal::BadLease { seconds: 0, min: 1, max: 86400 },
        Refusal::DueBeforeStart { start: date(2026, 12, 2), due: date(2026, 12, 1) },
        Refusal::NumbersUsedUp { what: "task" },
        Refusal::Unreadable { milestone: M, message: "3:1: no mapping".into() },
    ]
}

fn incomplete(tasks: Vec<TaskId>, criteria: Vec<u32>, gates: Vec<String>) -> Refusal {
    Refusal::Incomplete { milestone: M, tasks, criteria, gates }
}

fn refusals_about_phases() -> Vec<Refusal> {
    let phase = || "design".to_owned();
    let known = vec![phase(), "specification".into()];
    let gates = vec!["research".into()];
    vec![
        Refusal::UnknownPhase { milestone: M, phase: "desing".into(), known },
        Refusal::UnknownPhase { milestone: M, phase: phase(), known: vec![] },
        Refusal::NoGate { milestone: M, phase: phase() },
        Refusal::NotInPhase { task: task(1), phase: phase(), own: Some("build".into()) },
        Refusal::NotInPhase { task: task(1), phase: phase(), own: None },
        Refusal::PhaseOpen { milestone: M, phase: phase(), tasks: vec![task(1)], gates },
        Refusal::Closed { milestone: M, status: "completed" },
    ]
}

fn store_errors() -> Vec<StoreError> {
    let path = || PathBuf::from("/project/.milestones");
    let failed = || io::Error::other("the disk is full");
    vec![
        StoreError::NoProject { from: "/project".into() },
        StoreError::Io { doing: "write", path: path(), source: failed() },
        StoreError::Busy { holder: "process 7".into(), waited_ms: 10_000 },
        StoreError::Unreadable {
            file: "active/milestone-001.yaml".into(),
            line: 3,
            column: 1,
            message: "not a mapping".into(),
        },
        StoreError::BeingSaved { milestone: M },
        StoreError::Corrupt { path: path(), message: "a record is damaged".into() },
        StoreError::Stale,
        StoreError::OutcomeUnknown(failed()),
        StoreError::Outside { path: path() },
        StoreError::Configuration { setting: "claims.lease".into(), message: "`soon`".into() },
        StoreError::Unfaithful { file: "milestone-001.yaml".into(), message: "an anchor".into() },
        StoreError::Gone,
        StoreError::ForeignOwner { path: path(), owner: 0 },
        StoreError::BadBackup { path: path(), message: "it is cut off or damaged".into() },
        StoreError::Exists { path: path() },
        StoreError::RestoreInterrupted { aside: "/project/.milestones.before-restore-1".into() },
        StoreError::Database {
            what: "PostgreSQL at db:5432/work".into(),
            message: "permission denied".into(),
        },
        StoreError::ConnectionLost("PostgreSQL at db:5432/work: connection refused".into()),
        StoreError::ReadOnly {
            what: "PostgreSQL at db:5432/work".into(),
            message: "cannot execute INSERT in a read-only transaction".into(),
        },
        StoreError::NoSuchProject { uuid: "019a9e3c-0000-7000-8000-000000000000".into() },
        StoreError::NewerSchema { schema: 9, known: 1 },
        StoreError::ForeignSchema { message: "step 1 is not the one of this program".into() },
        StoreError::BadRow { table: "milestone_task", message: "no title".into() },
        StoreError::Moved,
        StoreError::NoUrl,
        StoreError::LeftForClone { store: "files" },
        StoreError::CopyDiffers { what: "milestone-007".into() },
    ]
}

fn own() -> Vec<Failure> {
    let path = || PathBuf::from("/project/x");
    let refused =
        || Refusal::Held { task: task(1), by: "ada".into(), fence: Some(2), seconds_left: Some(9) };
    vec![
        Failure::HeldUnderYourName(refused()),
        Failure::usage("it is not said what", "say it"),
        Failure::NoCurrent { candidates: vec![] },
        Failure::NoCurrent { candidates: vec![M, MilestoneId(2)] },
        Failure::NothingReady { others: 0 },
        Failure::NothingReady { others: 2 },
        Failure::NoRelease { name: "1.O".into(), known: vec!["1.0".into()] },
        Failure::NoRelease { name: "1.0".into(), known: vec![] },
        Failure::NoTemplate { name: "apy".into(), nearest: Some("api".into()) },
        Failure::NoTemplate { name: "nothing-like-it".into(), nearest: None },
        Failure::TemplateThere { name: "api".into() },
        Failure::ClaimLost { task: task(1) },
        Failure::Untrusted {
            command: "cargo test".into(),
            retry: "milestone criterion check milestone-001 1".into(),
        },
        Failure::NotAgreed { command: "milestone integrate claude".into() },
        Failure::CheckFailed { command: "cargo test".into(), output: "1 failed".into() },
        Failure::NoCheck { milestone: M, number: 1 },
        Failure::EditKept {
            because: Box::new(Failure::Refused(Refusal::Empty { what: "a title" })),
            kept: path(),
            again: "milestone edit milestone-001".into(),
        },
        Failure::Unhealthy { problems: 2 },
        Failure::Git(milestone_engine::git::GitError::Missing),
        Failure::NotReady,
        Failure::ReportFailed { on: Node::Task(task(1)) },
        Failure::ReportFailed { on: Node::Milestone(M) },
        Failure::Io { doing: "read", path: path(), source: io::Error::other("it is gone") },
        Failure::Closed,
    ]
}

fn all() -> Vec<Failure> {
    let refusals = refusals().into_iter().chain(refusals_about_phases());
    let refused = refusals.map(Failure::Refused);
    refused.chain(store_errors().into_iter().map(Failure::Store)).chain(own()).collect()
}

#[test]
fn every_error_has_an_exit_code_a_name_and_a_safe_next_step() {
    let mut table = String::new();
    for failure in all() {
        let Entry { code, exit, message, next } = failure.entry();
        let exit = u8::from(exit);
        let message = message.replace('\n', "\n    ");
        writeln!(table, "{exit} {code}\n    {message}\n    -> {next}").unwrap();
    }
    insta::assert_snapshot!(table);
}

#[test]
fn no_next_step_removes_overwrites_or_forces() {
    for failure in all() {
        let next = failure.entry().next;
        for word in [
            "--force",
            "rm ",
            "delete",
            "remove",
            "reset",
            "checkout",
            "overwrite",
            "sudo",
            "--yes",
        ] {
            assert!(!next.contains(word), "{failure:?}: {next}");
        }
    }
}

/// The compiler asks for a new variant here; the samples above are then missing it.
#[test]
fn the_samples_are_all_there_is() {
    let codes = |codes: Vec<&'static str>| codes.into_iter().collect::<BTreeSet<_>>();
    let refusals = [refusals(), refusals_about_phases()].concat();
    let refused = codes(refusals.iter().map(known_refusal).collect());
    assert_eq!(refused.len(), 27);
    let store = codes(store_errors().iter().map(known_store_error).collect());
    assert_eq!(store.len(), 27);
}

fn known_refusal(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unknown { .. }
        | Refusal::UnknownCriterion { .. }
        | Refusal::UnknownPhase { .. }
        | Refusal::BadField { .. }
        | Refusal::ProgramKey { .. }
        | Refusal::TooLong { .. }
        | Refusal::Empty { .. }
        | Refusal::BadMove { .. }
        | Refusal::PrerequisitesOpen { .. }
        | Refusal::NotReady { .. }
        | Refusal::Incomplete { .. }
        | Refusal::NoGate { .. }
        | Refusal::NotInPhase { .. }
        | Refusal::PhaseOpen { .. }
        | Refusal::Closed { .. }
        | Refusal::NotClosed { .. }
        | Refusal::Held { .. }
        | Refusal::StaleFence { .. }
        | Refusal::Cycle { .. }
        | Refusal::NeededBy { .. }
        | Refusal::Archived { .. }
        | Refusal::ConditionProvided { .. }
        | Refusal::ConditionNotSet { .. }
        | Refusal::BadLease { .. }
        | Refusal::DueBeforeStart { .. }
        | Refusal::NumbersUsedUp { .. }
        | Refusal::Unreadable { .. } => refusal.code(),
    }
}

fn known_store_error(error: &StoreError) -> &'static str {
    match error {
        StoreError::NoProject { .. }
        | StoreError::Io { .. }
        | StoreError::Busy { .. }
        | StoreError::Unreadable { .. }
        | StoreError::BeingSaved { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Stale
        | StoreError::OutcomeUnknown(_)
        | StoreError::Outside { .. }
        | StoreError::Configuration { .. }
        | StoreError::Unfaithful { .. }
        | StoreError::Gone
        | StoreError::ForeignOwner { .. }
        | StoreError::BadBackup { .. }
        | StoreError::Exists { .. }
        | StoreError::RestoreInterrupted { .. }
        | StoreError::Database { .. }
        | StoreError::ConnectionLost(_)
        | StoreError::ReadOnly { .. }
        | StoreError::NoSuchProject { .. }
        | StoreError::NewerSchema { .. }
        | StoreError::ForeignSchema { .. }
        | StoreError::BadRow { .. }
        | StoreError::Moved
        | StoreError::NoUrl
        | StoreError::LeftForClone { .. }
        | StoreError::CopyDiffers { .. } => error.code(),
    }
}
