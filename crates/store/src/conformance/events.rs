//! Events: what is followed, from where, and in what order.

use milestone_domain::command::Command;
use milestone_domain::document::Task;
use milestone_domain::event::ChangeId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::past::Trail;
use milestone_domain::status::TaskStatus;
use uuid::Uuid;

use super::{Fresh, Handle, M1, context_of, draft, move_freely, plan, small, started, task};
use crate::{Cursor, EventFilter, StoreError};

/// Whoever reads events gets each one, once, in the order in which they were kept.
pub fn events_come_in_order_and_once(fresh: Fresh<'_>) {
    let bench = fresh();
    let (ada, ben) = (Handle::new(bench.as_ref()), Handle::new(bench.as_ref()));
    let mut expected = ada.done(&plan(small()));
    expected.extend(ben.done(&move_freely(task(1), TaskStatus::Completed)));
    expected.extend(ada.done(&plan(draft(&["Other"]))));
    expected.extend(ben.done(&Command::SetCondition { name: "schema".into(), reason: None }));
    expected.extend(ada.done(&move_freely(task(2), TaskStatus::InProgress)));
    let back = Command::MoveTask { task: TaskId::new(MilestoneId(2), 1), to: M1 };
    expected.extend(ben.done(&back));
    assert_eq!(expected.len(), 8, "a first task moves its milestone along");
    assert_eq!(ada.events(), expected);
    assert_eq!(ben.events(), expected);
    let own = EventFilter { milestone: Some(M1), task: None };
    expected.retain(|event| own.matches(event));
    assert_eq!(ben.store.history(M1).unwrap(), expected);
}

/// A filter leaves out everything else, and nothing that it names.
pub fn filters_choose_events(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    ada.done(&plan(small()));
    ada.done(&Command::SetCondition { name: "schema".into(), reason: None });
    let second = MilestoneId(2);
    for id in [M1, second] {
        let done = TaskId::new(id, 3);
        ada.done(&move_freely(done, TaskStatus::Completed));
    }
    let all = ada.events();
    let filters = [
        EventFilter { milestone: Some(second), task: None },
        EventFilter { milestone: None, task: Some(task(3)) },
        EventFilter { milestone: Some(M1), task: Some(task(3)) },
        EventFilter { milestone: Some(second), task: Some(task(3)) },
    ];
    for (filter, count) in filters.iter().zip([3, 1, 1, 0]) {
        let page = ada.store.events(None, filter, usize::MAX).unwrap();
        let wanted: Vec<_> = all.iter().filter(|event| filter.matches(event)).cloned().collect();
        assert_eq!(page.events, wanted, "{filter:?}");
        assert_eq!(page.events.len(), count, "{filter:?}");
    }
}

/// Pages of any size, one after the other, are the whole; the last cursor waits for what comes.
pub fn pages_follow_one_another(fresh: Fresh<'_>) {
    let (_bench, ada) = started(fresh);
    ada.done(&plan(small()));
    for number in 1..=3 {
        ada.done(&move_freely(task(number), TaskStatus::Completed));
    }
    let all = ada.events();
    for filter in [EventFilter::default(), EventFilter { milestone: Some(M1), task: None }] {
        let wanted: Vec<_> = all.iter().filter(|event| filter.matches(event)).cloned().collect();
        for limit in 1..=wanted.len() + 1 {
            let (mut seen, mut cursor) = (Vec::new(), None);
            loop {
                let page = ada.store.events(cursor.as_ref(), &filter, limit).unwrap();
                assert!(page.events.len() <= limit);
                cursor = Some(page.next);
                if page.events.is_empty() {
                    break;
                }
                seen.extend(page.events);
            }
            assert_eq!(seen, wanted, "in pages of {limit}");
        }
    }
    let end = ada.store.events(None, &EventFilter::default(), usize::MAX).unwrap().next;
    let new = ada.done(&Command::SetCondition { name: "schema".into(), reason: None });
    let page = ada.store.events(Some(&end), &EventFilter::default(), 10).unwrap();
    assert_eq!(page.events, new);
}

/// A cursor is good only where it was given; anywhere else it is gone, not wrong.
pub fn a_cursor_of_another_project_is_gone(fresh: Fresh<'_>) {
    let ((_one, ada), (_two, ben)) = (started(fresh), started(fresh));
    let cursor = ada.store.events(None, &EventFilter::default(), 1).unwrap().next;
    for cursor in [cursor, Cursor(String::new()), Cursor("0:0:0".into()), Cursor("ä".into())] {
        let answer = ben.store.events(Some(&cursor), &EventFilter::default(), 1);
        assert!(matches!(answer, Err(StoreError::Gone)), "{cursor:?}: {answer:?}");
    }
}

/// How far a milestone was day by day is what its events make of it, for everybody.
pub fn a_trail_tells_what_the_events_tell(fresh: Fresh<'_>) {
    let bench = fresh();
    let (ada, ben) = (Handle::new(bench.as_ref()), Handle::new(bench.as_ref()));
    let day = 24 * 60 * 60;
    let commands = [
        plan(small()),
        move_freely(task(1), TaskStatus::Completed),
        Command::AddTask { milestone: M1, draft: Box::new(Task::new(0, "More")) },
        move_freely(task(3), TaskStatus::Cancelled),
        move_freely(task(1), TaskStatus::Pending),
    ];
    for (number, command) in (0..).zip(&commands) {
        let who = if number % 2 == 0 { &ada } else { &ben };
        let context = context_of(ChangeId(Uuid::now_v7()), "ada", number * day / 2);
        who.project.execute_as(command, &context).unwrap();
    }
    let wanted = Trail::of(&ada.events());
    let figures: Vec<_> = wanted.0.iter().map(|s| (s.tasks, s.completed)).collect();
    assert_eq!(figures, [(3, 1), (3, 1), (3, 0)], "noon to noon is two days");
    let none = MilestoneId(2);
    for handle in [&ada, &ben, &Handle::new(bench.as_ref())] {
        let trails = handle.store.trails(&[M1, none].into()).unwrap();
        assert_eq!((&trails[&M1], &trails[&none]), (&wanted, &Trail::default()));
    }
}
