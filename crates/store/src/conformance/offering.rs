//! Offering work: whoever asks is offered everything that is ready, and after looking at it
//! nothing else, whatever was done before.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use milestone_domain::command::Credential;
use milestone_domain::document::{External, Milestone, Task};
use milestone_domain::event::{AttemptId, Event, Stream};
use milestone_domain::ids::{MilestoneId, Reference, TaskId};
use milestone_domain::offers::{Later, later};
use milestone_domain::readiness::{Board, Readiness};
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::{Priority, TaskStatus};
use milestone_domain::views::next::{Asked, next};
use uuid::Uuid;

use super::commits::at_once;
use super::random::{each, play};
use super::{Fresh, Handle, context, draft, full, move_freely, move_task, plan, started, task};
use crate::{ClaimFilter, Looked, Outcome, Project};

const TODAY: Date = date(2026, 11, 3);

fn anybody(today: Date) -> ClaimFilter {
    ClaimFilter { milestone: None, worker: None, today }
}

/// What is offered once everything that is offered was looked at, in the order of the offers.
fn offered(project: &Project, wanted: &ClaimFilter) -> Vec<TaskId> {
    loop {
        let candidates = project.candidates(wanted, 10_000, "ada").unwrap();
        let mut looked = Vec::new();
        for candidate in &candidates {
            let id = candidate.task.milestone;
            let snapshot = project.read(&Scope::Milestone(id), "ada").unwrap();
            let later = later(&Board::new(&snapshot, wanted.today), &snapshot, candidate.task);
            let (task, woken) = (candidate.task, candidate.woken);
            looked.extend(later.map(|later| Looked { task, woken, later }));
        }
        if looked.is_empty() {
            return candidates.into_iter().map(|candidate| candidate.task).collect();
        }
        project.withdraw(&looked).unwrap();
    }
}

fn ready(snapshot: &Snapshot, wanted: &ClaimFilter) -> Vec<TaskId> {
    let worker = wanted.worker.as_deref();
    let asked = Asked { milestone: wanted.milestone, worker, limit: usize::MAX };
    next(snapshot, asked, wanted.today).ready.into_iter().map(|task| task.id).collect()
}

fn graph(project: &Project) -> Snapshot {
    project.read(&Scope::Graph(BTreeSet::new()), "ada").unwrap()
}

fn take(handle: &Handle, worker: &str, milestone: Option<MilestoneId>) -> Option<Outcome> {
    let wanted = ClaimFilter { milestone, worker: Some(worker.into()), today: TODAY };
    let attempt = AttemptId(Uuid::now_v7());
    handle.project.claim_next(&wanted, attempt, 600, &context(worker)).unwrap()
}

/// The task that a claim was granted for, and what its holder shows.
fn granted(outcome: &Outcome) -> (TaskId, Credential) {
    let mut events = outcome.events.iter();
    let granted = events.find_map(|recorded| match (&recorded.event, recorded.stream) {
        (Event::TaskClaimed { task, attempt, fence, .. }, Stream::Milestone(id)) => {
            Some((task.of(id), Credential { fence: Some(*fence), attempt: Some(*attempt) }))
        }
        _ => None,
    });
    granted.unwrap()
}

fn taken(handle: &Handle, worker: &str) -> Option<String> {
    take(handle, worker, None).map(|outcome| granted(&outcome).0.to_string())
}

fn holders(handle: &Handle, task: TaskId) -> Credential {
    let claim = handle.all().claims[&task].clone();
    Credential { fence: Some(claim.fence), attempt: Some(claim.attempt) }
}

/// The most urgent first, what waits only when it is ready, and nothing when all is taken.
pub fn the_best_ready_task_is_taken(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    let mut urgent = draft(&["Mend", "Check"]);
    urgent.priority = Some(Priority::High);
    urgent.tasks[1].requires = vec![Reference::Own(1)];
    ada.done(&plan(urgent));
    assert_eq!(taken(&ada, "ada").as_deref(), Some("task-002-001"));
    assert_eq!(taken(&ben, "ben").as_deref(), Some("task-001-001"));
    assert_eq!(taken(&ada, "ada").as_deref(), Some("task-001-003"));
    assert_eq!(taken(&ben, "ben"), None);
    ben.done(&move_task(task(1), TaskStatus::Completed, holders(&ben, task(1))));
    assert!(take(&ben, "ben", Some(MilestoneId(2))).is_none());
    assert_eq!(taken(&ben, "ben").as_deref(), Some("task-001-002"));
}

/// What is meant for one worker is not offered to another, however much of it there is.
pub fn what_is_meant_for_another_is_not_offered(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    let mut hers = draft(&["A", "B", "C", "D", "E", "F"]);
    for task in &mut hers.tasks {
        task.priority = Some(Priority::Critical);
        task.assignee = Some("ada".into());
    }
    hers.tasks[5].assignee = Some("ben".into());
    ada.done(&plan(hers));
    assert_eq!(taken(&ben, "ben").as_deref(), Some("task-002-006"));
    assert_eq!(taken(&ben, "ben").as_deref(), Some("task-001-001"));
    assert_eq!(taken(&ada, "ada").as_deref(), Some("task-002-001"));
}

/// A claim that is over leaves its task to whoever asks next.
pub fn what_a_lapsed_claim_leaves_is_offered(fresh: Fresh<'_>) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    ada.done(&plan(draft(&["Only"])));
    let (task, credential) = granted(&take(&ada, "ada", None).unwrap());
    assert!(take(&ada, "ben", None).is_none());
    ada.lapse(bench.as_ref(), task, credential);
    let again = granted(&take(&ada, "ben", None).unwrap());
    assert_eq!(again.0, task);
    assert!(again.1.fence > credential.fence);
}

/// Days, conditions, requirements and paths free what waits for them, without anybody saying so.
pub fn what_was_waited_for_brings_a_task_back(fresh: Fresh<'_>) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    let mut first = draft(&["Later", "Touch", "Touch again", "Provide", "Use"]);
    first.tasks[0].start = Some(date(2026, 11, 10));
    first.tasks[1].resources = vec!["src".into()];
    first.tasks[2].resources = vec!["docs".into(), "src/auth".into()];
    first.tasks[3].provides = vec!["schema".into()];
    first.tasks[4].conditions = vec!["schema".into()];
    ada.done(&plan(first));
    let mut second = draft(&["Wait for the schema"]);
    second.dependencies.requires = vec![Reference::Task(task(4))];
    ada.done(&plan(second));
    let mut third = draft(&["Wait for the vendor"]);
    let vendor = serde_json::json!([{"name": "vendor", "status": "waiting"}]);
    third.dependencies.external = serde_json::from_value::<Vec<External>>(vendor).unwrap();
    ada.done(&plan(third));
    let now = |today| {
        let as_set = |ids: Vec<TaskId>| ids.into_iter().collect::<BTreeSet<_>>();
        let offered = as_set(offered(&ada.project, &anybody(today)));
        let ready = as_set(ready(&graph(&ada.project), &anybody(today)));
        assert_eq!(offered, ready, "{today}");
        let numbers = ready.iter().map(|id| format!("{}.{}", id.milestone.0, id.number));
        numbers.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(now(TODAY), "1.2 1.3 1.4");
    let held = ada.claim(task(2));
    assert_eq!(now(TODAY), "1.4");
    assert_eq!(now(date(2026, 11, 10)), "1.1 1.4");
    ada.done(&move_task(task(2), TaskStatus::Completed, held));
    ada.done(&move_freely(task(4), TaskStatus::Completed));
    assert_eq!(now(TODAY), "1.3 1.5 2.1");
    let held = ada.claim(task(3));
    assert_eq!(now(TODAY), "1.5 2.1");
    ada.lapse(bench.as_ref(), task(3), held);
    assert_eq!(now(TODAY), "1.3 1.5 2.1");
}

/// Whatever is done, in whatever order: all that `next` calls ready is offered, and after a look
/// nothing else.
pub fn offers_are_what_next_says(fresh: Fresh<'_>) {
    each(6, |seed| {
        let bench = fresh();
        let project = Project::new(bench.open(), TimeZone::UTC);
        let other = Project::new(bench.open(), TimeZone::UTC);
        let mut step = 0;
        play(seed, &project, |command, context| {
            let _ = project.execute_as(command, context);
            step += 1;
            let today = if step % 7 == 0 { date(2027, 3, 1) } else { context.today };
            let wanted = anybody(today);
            let offered: BTreeSet<TaskId> = offered(&other, &wanted).into_iter().collect();
            let snapshot = graph(&other);
            let ready: BTreeSet<TaskId> = ready(&snapshot, &wanted).into_iter().collect();
            let missing: Vec<_> = ready.difference(&offered).collect();
            assert!(missing.is_empty(), "{missing:?} after {command:?}");
            // What a person began without a claim is seen by who reads everything.
            let board = Board::new(&snapshot, today);
            for more in offered.difference(&ready) {
                let later = later(&board, &snapshot, *more);
                let seen_elsewhere = matches!(later, Some(Later::Free { .. }));
                assert!(seen_elsewhere, "{more}: {:?} after {command:?}", board.readiness(*more));
            }
        });
    });
}

/// Many workers take and finish everything, each task once, though most of them want the same
/// files: nobody is told to try again, and nobody is left with nothing while there is work.
pub fn many_workers_share_the_work(fresh: Fresh<'_>) {
    let (workers, tasks) = if full() { (64, 30) } else { (12, 8) };
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    for milestone in 0..3 {
        ada.done(&plan(shared(milestone, tasks)));
    }
    let all = 3 * tasks;
    let done = AtomicUsize::new(0);
    let limit = Instant::now() + Duration::from_mins(5);
    at_once(bench.as_ref(), workers, |handle, worker| {
        let name = format!("worker-{worker}");
        while done.load(Ordering::SeqCst) < all {
            assert!(Instant::now() < limit, "{} of {all}", done.load(Ordering::SeqCst));
            let Some(outcome) = take(handle, &name, None) else {
                std::thread::sleep(Duration::from_millis(5));
                continue;
            };
            let (task, credential) = granted(&outcome);
            handle.run_by(&name, &move_task(task, TaskStatus::Completed, credential)).unwrap();
            done.fetch_add(1, Ordering::SeqCst);
        }
    });
    let snapshot = ada.all();
    let tasks = snapshot.documents.values().flat_map(|document| &document.tasks);
    for task in tasks.clone() {
        assert_eq!((task.status, task.attempts), (TaskStatus::Completed, Some(1)), "{}", task.id);
    }
    assert_eq!(tasks.count(), all);
    let board = Board::new(&snapshot, TODAY);
    assert!(snapshot.task_ids().all(|id| board.readiness(id) == Readiness::Closed));
    assert!(snapshot.claims.is_empty());
}

/// Chains of three, and files that overlap within and across milestones.
fn shared(milestone: usize, tasks: usize) -> Milestone {
    const PATHS: [&str; 4] = ["src", "src/auth", "src/auth/login.rs", "docs"];
    let mut draft = draft(&[]);
    for at in 1..=tasks {
        let number = u32::try_from(at).unwrap();
        let mut task = Task::new(number, "Work");
        if at % 4 != 0 {
            task.resources = vec![PATHS[(at + milestone) % PATHS.len()].into()];
        }
        if at % 3 != 1 {
            task.requires = vec![Reference::Own(number - 1)];
        }
        draft.tasks.push(task);
    }
    draft
}
