//! A change is kept whole or not at all, and only on what it was decided on.

use std::collections::BTreeSet;

use milestone_domain::change::{FieldChange, Path};
use milestone_domain::command::Command;
use milestone_domain::ids::{MilestoneId, Node, Reference, TaskId};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::TaskStatus;
use serde_json::json;

use super::{Bench, Fresh, Handle, M1, draft, move_freely, plan, small, started, task};

/// Ids are given from what was read, so two planners conflict instead of colliding.
pub fn two_planners_with_the_same_snapshot_conflict(fresh: Fresh<'_>) {
    let bench = fresh();
    let (ada, ben) = (Handle::new(bench.as_ref()), Handle::new(bench.as_ref()));
    let ours = ada.decided(&plan(draft(&["Ours"])));
    let theirs = ben.decided(&plan(draft(&["Theirs"])));
    ada.store.commit(&ours).unwrap();
    ben.stale(&theirs);
    ben.done(&plan(draft(&["Theirs"])));
    let titles: Vec<_> = ada.all().documents.into_values().map(|m| (m.id.0, m.tasks)).collect();
    assert_eq!(titles.len(), 2);
    assert_eq!((titles[0].1[0].title.as_str(), titles[1].0), ("Ours", 2));
}

/// However many plan at once, each gets an id of its own.
pub fn planners_at_once_get_different_ids(fresh: Fresh<'_>) {
    let bench = fresh();
    at_once(bench.as_ref(), 4, |ada, number| {
        for round in 0..3 {
            ada.done(&plan(draft(&[&format!("{number}.{round}")])));
        }
    });
    let ada = Handle::new(bench.as_ref());
    let documents = ada.all().documents;
    let titles: BTreeSet<_> = documents.values().map(|m| m.tasks[0].title.clone()).collect();
    assert_eq!((documents.len(), titles.len()), (12, 12));
    assert_eq!(ada.all().highest, Some(MilestoneId(12)));
}

/// Of a change that is refused nothing is kept: no event, no document, no claim, no condition.
pub fn a_stale_change_leaves_nothing_behind(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    ada.done(&plan(draft(&["Elsewhere"])));
    let moved = Command::MoveTask { task: task(3), to: MilestoneId(2) };
    let (moved, claimed) = (ada.decided(&moved), ada.decided(&super::claim(task(1)).0));
    ada.done(&move_freely(task(3), TaskStatus::Blocked));
    let ben = Handle::new(bench.as_ref());
    let (events, before) = (ben.events(), ben.all());
    for change in [moved, claimed] {
        ben.stale(&change);
        let after = ben.all();
        assert_eq!(ben.events(), events);
        assert_eq!(
            (after.documents, after.claims),
            (before.documents.clone(), before.claims.clone())
        );
        assert_eq!(after.versions, before.versions);
    }
}

/// A commit whose answer was lost can be repeated.
pub fn committing_the_same_change_twice_does_nothing(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let change = ada.decided(&super::claim(task(1)).0);
    ada.store.commit(&change).unwrap();
    let ben = Handle::new(bench.as_ref());
    ben.done(&Command::Note {
        task: task(3),
        text: "meanwhile".into(),
        credential: <_>::default(),
    });
    let (events, before) = (ben.events(), ben.all());
    for handle in [&ada, &ben] {
        handle.store.commit(&change).unwrap();
    }
    let after = ben.all();
    assert_eq!(ben.events(), events);
    assert_eq!((after.documents, after.versions), (before.documents, before.versions));
}

/// A decision on a document that has changed since is not kept.
pub fn a_stale_document_is_refused(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    let ours = ada.decided(&move_freely(task(1), TaskStatus::Completed));
    ben.done(&move_freely(task(1), TaskStatus::Cancelled));
    ada.stale(&ours);
    assert_eq!(ada.task(task(1)).status, TaskStatus::Cancelled);
    let refusal = ada.refused(&move_freely(task(1), TaskStatus::Completed));
    assert!(matches!(refusal, Refusal::BadMove { .. }), "{refusal}");
}

/// Work that was decided to be done is not, when what it requires was reopened meanwhile.
pub fn a_change_of_what_is_required_makes_a_completion_stale(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    let mut second = draft(&["Use it"]);
    second.tasks[0].requires = vec![Reference::Task(task(1))];
    ada.done(&plan(second));
    ada.done(&move_freely(task(1), TaskStatus::Completed));
    let done = ada.decided(&move_freely(TaskId::new(MilestoneId(2), 1), TaskStatus::Completed));
    ada.done(&move_freely(task(1), TaskStatus::Pending));
    ada.stale(&done);
}

/// Two edges that together would close a cycle cannot both be decided on the same graph.
pub fn an_edge_change_makes_another_edge_decision_stale(fresh: Fresh<'_>) {
    let bench = fresh();
    let (ada, ben) = (Handle::new(bench.as_ref()), Handle::new(bench.as_ref()));
    for name in ["One", "Two"] {
        ada.done(&plan(draft(&[name])));
    }
    let (one, two) = (MilestoneId(1), MilestoneId(2));
    let ours = ada.decided(&require(one, Node::Milestone(two)));
    let theirs = ben.decided(&require(two, Node::Milestone(one)));
    ada.store.commit(&ours).unwrap();
    ben.stale(&theirs);
    let refusal = ben.refused(&require(two, Node::Milestone(one)));
    assert!(matches!(refusal, Refusal::Cycle { .. }), "{refusal}");
    // Conditions and ids are part of what an edge is decided on.
    let waits = ada.decided(&plan(draft(&["Three"])));
    ben.done(&Command::SetCondition { name: "schema".into(), reason: None });
    ada.stale(&waits);
}

fn require(milestone: MilestoneId, on: Node) -> Command {
    let path = Path::root().key("dependencies").key("requires");
    let after = Some(json!([on.reference(milestone).to_string()]));
    Command::Amend { milestone, changes: vec![FieldChange { path, before: None, after }] }
}

/// Work in one milestone disturbs nobody who works in another, or who draws edges elsewhere.
pub fn a_change_of_tasks_elsewhere_makes_nothing_stale(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    ada.done(&plan(small()));
    let other = TaskId::new(MilestoneId(2), 1);
    let finished = ada.decided(&move_freely(task(1), TaskStatus::Completed));
    let planned = ada.decided(&plan(draft(&["Another"])));
    ben.done(&move_freely(other, TaskStatus::Completed));
    ben.claim(TaskId::new(MilestoneId(2), 2));
    ada.store.commit(&finished).unwrap();
    ada.store.commit(&planned).unwrap();
    assert_eq!(ben.task(task(1)).status, TaskStatus::Completed);
    assert_eq!(ben.all().highest, Some(MilestoneId(3)));
}

/// What several write into one document at once is all there.
pub fn writers_at_once_lose_nothing(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    at_once(bench.as_ref(), 4, |handle, number| {
        for round in 0..3 {
            let draft =
                Box::new(milestone_domain::document::Task::new(1, &format!("{number}.{round}")));
            handle.done(&Command::AddTask { milestone: M1, draft });
        }
    });
    let document = ada.document(M1);
    let numbers: BTreeSet<u32> = document.tasks.iter().map(|task| task.id.number).collect();
    let titles: BTreeSet<&str> = document.tasks.iter().map(|task| task.title.as_str()).collect();
    assert_eq!((numbers.len(), titles.len()), (15, 15));
    let snapshot = ada.store.read(&Scope::Milestone(M1)).unwrap().snapshot;
    assert_eq!(snapshot.outlines[&M1].tasks.len(), 15);
}

/// Lets several processes' worth of handles work at the same time.
pub(super) fn at_once(bench: &dyn Bench, count: usize, work: impl Fn(&Handle, usize) + Sync) {
    std::thread::scope(|scope| {
        for number in 0..count {
            let work = &work;
            scope.spawn(move || work(&Handle::new(bench), number));
        }
    });
}
