//! What is read is what was kept, by whoever reads it.

use std::collections::BTreeMap;

use milestone_domain::change::difference;
use milestone_domain::command::{Closing, Command};
use milestone_domain::ids::{MilestoneId, Reference, TaskId, Uid};
use milestone_domain::readiness::{Board, Readiness};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Part, Scope};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use uuid::Uuid;

use super::{Fresh, Handle, M1, context, draft, move_freely, plan, started, task};

pub(super) fn archive(milestone: MilestoneId, force: Option<String>) -> Command {
    Command::Archive { milestone, closing: Box::new(Closing { force, ..Closing::default() }) }
}

/// There is nothing in a new project, and nothing is wrong with it.
pub fn an_empty_project_reads_as_empty(fresh: Fresh<'_>) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    let snapshot = ada.all();
    assert!(snapshot.documents.is_empty() && snapshot.outlines.is_empty());
    assert!(snapshot.claims.is_empty() && snapshot.conditions.0.is_empty());
    assert_eq!((snapshot.highest, snapshot.problems), (None, vec![]));
    assert!(ada.events().is_empty());
    assert!(ada.store.check().unwrap().is_empty());
    let reading = ada.store.read(&Scope::Milestone(M1)).unwrap();
    assert!(reading.snapshot.documents.is_empty() && reading.noticed.is_empty());
}

/// Every field of a document comes back, to another process too.
pub fn a_planned_milestone_is_read_back_the_same(fresh: Fresh<'_>) {
    let bench = fresh();
    let (ada, ben) = (Handle::new(bench.as_ref()), Handle::new(bench.as_ref()));
    let mut draft = draft(&["Design: all of it", "- Build # it"]);
    draft.description = Some("Two lines,\n  the second one indented.\n".into());
    draft.labels = vec!["yes".into(), "012".into(), "~".into()];
    draft.criteria = vec!["Login works".to_owned().into()];
    draft.tasks[1].requires = vec![Reference::Own(1)];
    draft.tasks[1].resources = vec!["src/auth".into()];
    ada.done(&plan(draft.clone()));
    let (ours, theirs) = (ada.document(M1), ben.document(M1));
    assert_eq!(difference(&ours.tree(), &theirs.tree()), []);
    assert_eq!(theirs.description, draft.description);
    assert_eq!((theirs.id, theirs.labels, theirs.tasks), (M1, draft.labels, draft.tasks));
    assert!(theirs.uid.is_some() && theirs.created.is_some());
}

/// A command on a task sees the state of all that its milestone waits for, and its version.
pub fn what_a_milestone_requires_is_read_with_it(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    let mut second = draft(&["Use it"]);
    second.tasks[0].requires = vec![Reference::Task(task(2))];
    ada.done(&plan(second));
    ada.done(&plan(draft(&["Something else"])));
    let id = MilestoneId(2);
    let snapshot = ada.store.read(&Scope::Milestone(id)).unwrap().snapshot;
    assert!(snapshot.documents.contains_key(&id) && snapshot.outlines.contains_key(&M1));
    for id in [id, M1] {
        assert!(snapshot.versions.contains_key(&Part::Milestone(id)), "{id}");
    }
    assert!(!snapshot.versions.contains_key(&Part::Milestone(MilestoneId(3))));
    let refusal = ada.refused(&move_freely(TaskId::new(id, 1), TaskStatus::Completed));
    assert!(matches!(refusal, Refusal::PrerequisitesOpen { .. }), "{refusal}");
}

/// A condition that one process sets or clears is so for every other.
pub fn conditions_are_seen_by_others(fresh: Fresh<'_>) {
    let bench = fresh();
    let (ada, ben) = (Handle::new(bench.as_ref()), Handle::new(bench.as_ref()));
    let mut draft = draft(&["Deploy"]);
    draft.tasks[0].conditions = vec!["release".into()];
    ada.done(&plan(draft));
    let finish = move_freely(task(1), TaskStatus::Completed);
    assert!(matches!(ben.refused(&finish), Refusal::PrerequisitesOpen { .. }));
    let set = Command::SetCondition { name: "release".into(), reason: None };
    ada.done(&set);
    assert_eq!(ada.done(&set), [], "it is set already");
    assert_eq!(ben.all().conditions.0["release"].by, "ada");
    ben.done(&Command::ClearCondition { name: "release".into(), reason: None });
    assert!(ada.all().conditions.0.is_empty());
    assert!(matches!(ada.refused(&finish), Refusal::PrerequisitesOpen { .. }));
    ben.done(&set);
    ada.done(&finish);
}

/// What is filed away can still be read, and still counts as done.
pub fn an_archived_milestone_stays_readable_and_satisfies_requirements(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let mut second = draft(&["Use it"]);
    second.dependencies.requires = vec![Reference::Milestone(M1)];
    second.tasks[0].requires = vec![Reference::Task(task(3))];
    ada.done(&plan(second));
    let filed = archive(M1, None);
    assert!(matches!(ada.refused(&filed), Refusal::Incomplete { .. }));
    for number in [1, 2, 3] {
        ada.done(&move_freely(task(number), TaskStatus::Completed));
    }
    ada.done(&filed);
    let ben = Handle::new(bench.as_ref());
    assert!(ben.document(M1).archived);
    let snapshot = ben.all();
    assert!(snapshot.archived.contains(&M1) && snapshot.documents[&M1].archived);
    assert!(matches!(
        ben.refused(&move_freely(task(1), TaskStatus::Pending)),
        Refusal::Archived { .. }
    ));
    let waiting = TaskId::new(MilestoneId(2), 1);
    let readiness = Board::new(&snapshot, context("ben").today).readiness(waiting);
    assert!(matches!(readiness, Readiness::Ready { .. }), "{readiness:?}");
    ben.claim(waiting);
    ben.done(&plan(draft(&["Another"])));
    assert_eq!(ben.all().highest, Some(MilestoneId(3)));
}

/// What was filed away too early is brought back by going on with it.
pub fn what_is_filed_away_comes_back(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    ada.done(&archive(M1, Some("not now".into())));
    let status = |to| Command::ChangeMilestone { milestone: M1, to, reason: None };
    assert!(matches!(ada.refused(&status(MilestoneStatus::Completed)), Refusal::Archived { .. }));
    ada.done(&status(MilestoneStatus::InProgress));
    let ben = Handle::new(bench.as_ref());
    let snapshot = ben.all();
    assert!(!snapshot.archived.contains(&M1) && !snapshot.documents[&M1].archived);
    assert_eq!(snapshot.documents[&M1].status, MilestoneStatus::InProgress);
    ben.claim(task(1));
    ben.all();
}

/// What the past says is read from what was filed away last, however much there is.
pub fn the_past_is_open_work_and_the_newest_of_what_is_filed_away(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    for number in 2..=5 {
        ada.done(&plan(draft(&["Something"])));
        if number != 3 {
            let force = Some("no longer wanted".to_owned());
            ada.done(&archive(MilestoneId(number), force));
        }
    }
    let snapshot = ada.store.read(&Scope::Past(2)).unwrap().snapshot;
    for id in [1, 3, 4, 5].map(MilestoneId) {
        assert!(snapshot.outlines.contains_key(&id), "{id}");
    }
    assert_eq!(snapshot.archived.len(), 3);
}

/// Filing finished work away takes nothing back that it provided.
pub fn a_condition_that_an_archived_milestone_provides_still_holds(fresh: Fresh<'_>) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    let mut first = draft(&["Write the schema"]);
    first.tasks[0].provides = vec!["schema".into()];
    ada.done(&plan(first));
    let mut second = draft(&["Use the schema"]);
    second.tasks[0].conditions = vec!["schema".into()];
    ada.done(&plan(second));
    ada.done(&move_freely(task(1), TaskStatus::Completed));
    ada.done(&archive(M1, None));
    ada.claim(TaskId::new(MilestoneId(2), 1));
}

/// A document whose id another one has gets the next free one, and those who meant it follow.
pub fn a_renumbered_milestone_gets_a_new_id(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    let mut second = draft(&["Use it"]);
    second.tasks[0].requires = vec![Reference::Task(task(1))];
    ada.done(&plan(second));
    let mut other = draft(&["Theirs"]);
    other.id = M1;
    let uid = Uid(Uuid::now_v7());
    let referring = vec![MilestoneId(2)];
    let tree = Box::new(other.tree());
    let means = BTreeMap::new();
    ada.done(&Command::Renumber { from: M1, uid, tree, means, referring });
    let (kept, moved) = (ada.document(M1), ada.document(MilestoneId(3)));
    assert_eq!((kept.tasks[0].title.as_str(), moved.tasks[0].title.as_str()), ("Design", "Theirs"));
    assert_eq!(moved.uid, Some(uid));
    let meant = TaskId::new(MilestoneId(3), 1);
    assert_eq!(ada.document(MilestoneId(2)).tasks[0].requires, [Reference::Task(meant)]);
    ada.done(&plan(draft(&["Next"])));
    assert_eq!(ada.all().highest, Some(MilestoneId(4)));
}
