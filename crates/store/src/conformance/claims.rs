//! Claims: one winner, fences that only grow, and leases that the store's own clock judges.

use std::sync::Mutex;
use std::time::Duration;

use milestone_domain::command::{Command, Credential};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::refusal::Refusal;
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use uuid::Uuid;

use super::commits::at_once;
use super::{Fresh, Handle, M1, claim, draft, move_freely, move_task, plan, started, task};
use crate::Error;

/// Who comes second is told who was first.
pub fn one_of_two_racing_claims_wins(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    ada.claim(task(1));
    match ben.refused(&claim(task(1)).0) {
        Refusal::Held { by, fence, seconds_left, .. } => {
            assert_eq!((by.as_str(), fence), ("ada", Some(1)));
            assert!(seconds_left.is_some_and(|left| (1..=600).contains(&left)));
        }
        other => panic!("{other}"),
    }
    assert_eq!(ada.all().claims.len(), 1);
}

/// Of many that claim in the same instant one wins, and all others see that it is held.
pub fn one_of_many_claims_at_once_wins(fresh: Fresh<'_>) {
    let rounds = if super::full() { 50 } else { 4 };
    for _ in 0..rounds {
        let (bench, ada) = started(fresh);
        let answers = Mutex::new(Vec::new());
        at_once(bench.as_ref(), 6, |handle, _| {
            let answer = handle.run(&claim(task(1)).0);
            answers.lock().unwrap().push(answer);
        });
        let answers = answers.into_inner().unwrap();
        let lost =
            |answer: &Result<_, _>| matches!(answer, Err(Error::Refused(Refusal::Held { .. })));
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| lost(answer)).count(), 5, "{answers:?}");
        assert_eq!(ada.task(task(1)).attempts, Some(1));
    }
}

/// Two claims decided on the same reading are not both kept.
pub fn a_claim_decided_before_another_is_stale(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    let (ours, theirs) = (ada.decided(&claim(task(1)).0), ben.decided(&claim(task(1)).0));
    ada.store.commit(&ours).unwrap();
    ben.stale(&theirs);
    assert_eq!(ada.task(task(1)).attempts, Some(1));
}

/// Work that starts makes its milestone one that is in progress.
pub fn a_claim_moves_a_planned_milestone_along(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    assert_eq!(ada.document(M1).status, MilestoneStatus::Planned);
    ada.claim(task(1));
    let document = ada.document(M1);
    assert_eq!(document.status, MilestoneStatus::InProgress);
    let claimed = document.task(1).unwrap();
    assert_eq!(claimed.status, TaskStatus::InProgress);
    assert_eq!((claimed.attempts, claimed.started_by.as_deref()), (Some(1), Some("ada")));
}

/// A heartbeat proves itself as every other write does.
pub fn a_renewal_needs_the_right_fence_and_attempt(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    let right = ada.claim(task(1));
    let another = Some(AttemptId(Uuid::now_v7()));
    let lease = Duration::from_mins(10);
    let events = ada.events();
    for wrong in [
        Credential::default(),
        Credential { fence: None, ..right },
        Credential { fence: Some(2), ..right },
        Credential { fence: Some(0), ..right },
        Credential { attempt: another, ..right },
    ] {
        assert_eq!(ben.store.renew(task(1), wrong, lease).unwrap(), None, "{wrong:?}");
    }
    assert_eq!(ben.store.renew(task(2), right, lease).unwrap(), None, "another task");
    let renewed = ben.store.renew(task(1), right, lease).unwrap().unwrap();
    assert_eq!((renewed.fence, renewed.attempt), (1, right.attempt.unwrap()));
    assert_eq!(ada.events(), events, "a renewal leaves no history");
}

/// A renewed claim is live for as long as was asked for, and no longer.
pub fn a_renewal_moves_the_deadline(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let right = ada.claim(task(1));
    ada.lapse(bench.as_ref(), task(1), right);
    let renewed = ada.store.renew(task(1), right, Duration::from_secs(90)).unwrap().unwrap();
    assert!(renewed.seconds_left.is_some_and(|left| (80..=90).contains(&left)), "{renewed:?}");
    let claim = ada.all().claims[&task(1)].clone();
    assert!(claim.seconds_left.is_some_and(|left| (80..=90).contains(&left)), "{claim:?}");
    assert!(matches!(ada.refused(&super::claim(task(1)).0), Refusal::Held { .. }));
}

/// A holder that slept past its lease, and was replaced, changes nothing any more.
pub fn a_lapsed_claim_that_was_taken_over_can_do_nothing(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    let old = ada.claim(task(1));
    ada.lapse(bench.as_ref(), task(1), old);
    let new = ben.claim(task(1));
    assert!(new.fence > old.fence);
    let no_attempt = Credential { attempt: None, ..old };
    for credential in [old, no_attempt] {
        for command in writes(task(1), credential) {
            let refusal = ada.refused(&command);
            assert!(matches!(refusal, Refusal::StaleFence { .. }), "{command:?}: {refusal}");
        }
        assert_eq!(ada.store.renew(task(1), credential, Duration::from_mins(1)).unwrap(), None);
    }
    ben.done(&Command::Progress { task: task(1), percent: 40, credential: new });
    ben.done(&move_task(task(1), TaskStatus::Completed, new));
    for command in writes(task(1), old) {
        assert!(matches!(ada.refused(&command), Refusal::StaleFence { .. }), "{command:?}");
    }
    assert_eq!(ada.store.renew(task(1), old, Duration::from_mins(1)).unwrap(), None);
    assert_eq!(ben.task(task(1)).status, TaskStatus::Completed);
}

/// Everything that a holder may write.
fn writes(task: TaskId, credential: Credential) -> Vec<Command> {
    let statuses = [
        TaskStatus::Completed,
        TaskStatus::Failed,
        TaskStatus::Blocked,
        TaskStatus::Pending,
        TaskStatus::Cancelled,
    ];
    let mut writes: Vec<_> =
        statuses.into_iter().map(|to| move_task(task, to, credential)).collect();
    writes.push(Command::Progress { task, percent: 50, credential });
    writes.push(Command::Release { task, reason: None, credential });
    writes.push(Command::Note { task, text: "I was away".into(), credential });
    writes
}

/// A late holder loses nothing as long as nobody was there to take over.
pub fn a_lapsed_claim_that_nobody_took_over_is_still_its_holders(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let right = ada.claim(task(1));
    ada.lapse(bench.as_ref(), task(1), right);
    ada.done(&Command::Progress { task: task(1), percent: 30, credential: right });
    assert!(ada.store.renew(task(1), right, Duration::from_mins(1)).unwrap().is_some());
    ada.lapse(bench.as_ref(), task(1), right);
    ada.done(&move_task(task(1), TaskStatus::Completed, right));
    let done = ada.task(task(1));
    assert_eq!((done.status, done.attempts), (TaskStatus::Completed, Some(1)));
    let again = move_task(task(1), TaskStatus::Completed, right);
    assert_eq!(ada.done(&again), [], "said twice, because the first answer was lost");
}

/// A number alone is no right: branches that were rewound may give one twice.
pub fn another_attempt_cannot_use_the_fence(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    let right = ada.claim(task(1));
    let wrong = Credential { attempt: Some(AttemptId(Uuid::now_v7())), ..right };
    for command in writes(task(1), wrong) {
        assert!(matches!(ada.refused(&command), Refusal::StaleFence { .. }), "{command:?}");
    }
    for command in writes(task(1), Credential::default()) {
        if !matches!(command, Command::Note { .. }) {
            assert!(matches!(ada.refused(&command), Refusal::Held { .. }), "{command:?}");
        }
    }
    ada.done(&move_task(task(1), TaskStatus::Completed, right));
}

/// No fence is ever given twice, however a claim ended.
pub fn fences_only_grow(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let mut last = 0;
    let ends =
        [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Blocked, TaskStatus::Pending];
    for round in 0..10 {
        let right = ada.claim(task(1));
        assert!(right.fence.is_some_and(|fence| fence > last), "{right:?} after {last}");
        last = right.fence.unwrap();
        match ends.get(round % 6) {
            Some(end) => {
                ada.done(&move_task(task(1), *end, right));
                ada.done(&move_freely(task(1), TaskStatus::Pending));
            }
            None if round % 6 == 4 => {
                ada.done(&Command::Release { task: task(1), reason: None, credential: right });
            }
            None => ada.lapse(bench.as_ref(), task(1), right),
        }
    }
    // A task that moves takes its number with it: the old holder may not become the new one.
    ada.done(&plan(draft(&[])));
    let to = MilestoneId(2);
    ada.done(&Command::RemoveTask { task: task(2) });
    ada.done(&Command::MoveTask { task: task(1), to });
    let moved = TaskId::new(to, 1);
    if ada.task(moved).status == TaskStatus::InProgress {
        ada.done(&move_freely(moved, TaskStatus::Pending));
    }
    assert!(ada.claim(moved).fence.is_some_and(|fence| fence > last));
}

/// A claim is over when its task is finished, failed, blocked, given back or gone.
pub fn claims_end_with_the_work(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ends =
        [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Blocked, TaskStatus::Pending];
    for end in ends {
        let right = ada.claim(task(1));
        assert_eq!(ada.all().claims.len(), 1);
        ada.done(&move_task(task(1), end, right));
        assert!(ada.all().claims.is_empty(), "{end}");
        assert_eq!(ada.store.renew(task(1), right, Duration::from_mins(1)).unwrap(), None);
        ada.done(&move_freely(task(1), TaskStatus::Pending));
    }
    let right = ada.claim(task(3));
    assert!(matches!(ada.refused(&Command::RemoveTask { task: task(3) }), Refusal::Held { .. }));
    ada.lapse(bench.as_ref(), task(3), right);
    ada.done(&Command::RemoveTask { task: task(3) });
    assert!(ada.all().claims.is_empty());
    assert!(matches!(
        ada.refused(&move_task(task(3), TaskStatus::Completed, right)),
        Refusal::Unknown { .. }
    ));
}

/// Two tasks that touch the same files are not worked on at once, in whatever milestone they are.
pub fn resources_in_use_refuse_a_second_claim(fresh: Fresh<'_>) {
    let (_bench, ada, other) = with_resources(fresh);
    let right = ada.claim(task(1));
    let refusal = ada.refused(&claim(other).0);
    assert!(matches!(refusal, Refusal::NotReady { .. }), "{refusal}");
    ada.done(&move_task(task(1), TaskStatus::Completed, right));
    ada.claim(other);
}

/// A lapsed claim keeps nobody from the files it was about.
pub fn a_dead_holders_resources_are_free(fresh: Fresh<'_>) {
    let (bench, ada, other) = with_resources(fresh);
    let right = ada.claim(task(1));
    ada.lapse(bench.as_ref(), task(1), right);
    ada.claim(other);
    let refusal = ada.refused(&claim(task(1)).0);
    assert!(matches!(refusal, Refusal::NotReady { .. }), "{refusal}");
}

/// Two milestones whose first tasks touch the same folder.
fn with_resources(fresh: Fresh<'_>) -> (Box<dyn super::Bench>, Handle, TaskId) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    for path in ["src/auth", "./src/auth/login.rs"] {
        let mut draft = draft(&["Work"]);
        draft.tasks[0].resources = vec![path.into()];
        ada.done(&plan(draft));
    }
    (bench, ada, TaskId::new(MilestoneId(2), 1))
}
