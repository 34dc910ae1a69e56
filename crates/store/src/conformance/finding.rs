//! Searching: every store finds the same, in the same order.

use std::collections::BTreeSet;

use milestone_domain::command::Command;
use milestone_domain::document::{Milestone, Risk};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::past::Trail;
use milestone_domain::search::{Field, Filter, Found, Place, Query};
use milestone_domain::status::TaskStatus;

use super::reading::archive;
use super::{Fresh, Handle, M1, draft, move_freely, plan, started, task};

fn find(handle: &Handle, text: &str) -> Found {
    find_in(handle, text, Place::All)
}

fn find_in(handle: &Handle, text: &str, place: Place) -> Found {
    let filter = Filter { place, ..Filter::default() };
    let query = Query::parse(text, filter, 10).unwrap();
    let searched = handle.project.search(&query, "ada").unwrap();
    assert!(searched.problems.is_empty(), "{:?}", searched.problems);
    searched.found
}

fn ids(found: &Found) -> String {
    found.hits.iter().map(|hit| hit.id.to_string()).collect::<Vec<_>>().join(" ")
}

fn note(number: u32, text: &str) -> Command {
    let text = text.to_owned();
    Command::Note {
        task: task(number),
        text,
        credential: milestone_domain::command::Credential::default(),
    }
}

/// What one process writes the other one finds, wherever in a milestone it stands.
pub fn what_was_written_is_found(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    assert_eq!(ids(&find(&ben, "design")), "task-001-001");
    let mut second = draft(&["Connect the vendor"]);
    second.title = "Payments".into();
    second.risks = vec![Risk::from("The vendor is slow".to_owned())];
    second.labels = vec!["Wörter".into()];
    ada.done(&plan(second));
    assert_eq!(ids(&find(&ben, "VENDOR")), "task-002-001 milestone-002");
    assert_eq!(ids(&find(&ben, "wör payments")), "milestone-002");
    assert_eq!(ids(&find(&ben, "vendor -slow")), "task-002-001");
    assert_eq!(find(&ben, "paymnets").unknown[0].near, ["payments"]);
    // A second search of what has not changed says the same.
    assert_eq!(find(&ben, "vendor"), find(&ada, "vendor"));
}

/// Notes stand in no document, and leave none as it was.
pub fn a_note_is_found_at_once(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    for (number, word) in [(1, "first"), (1, "second"), (2, "third")] {
        assert_eq!(ids(&find(&ben, word)), "");
        ada.done(&note(number, &format!("the {word} note")));
        let found = find(&ben, word);
        assert_eq!(ids(&found), task(number).to_string());
        assert_eq!(found.hits[0].field, Field::Notes);
    }
    assert_eq!(find(&ben, "note").total, 2);
}

/// What was filed away is found, and told apart.
pub fn what_is_filed_away_is_found(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    assert_eq!(ids(&find_in(&ben, "build", Place::Open)), "task-001-002");
    for number in [1, 2, 3] {
        ada.done(&move_freely(task(number), TaskStatus::Completed));
    }
    ada.done(&Command::Archive { milestone: M1, closing: Box::default() });
    let mut again: Milestone = draft(&["Build another"]);
    again.title = "Again".into();
    ada.done(&plan(again));
    assert_eq!(ids(&find_in(&ben, "build", Place::Open)), "task-002-001");
    assert_eq!(ids(&find_in(&ben, "build", Place::Archived)), "task-001-002");
    let found = find(&ben, "build");
    assert_eq!(ids(&found), "task-002-001 task-001-002", "open work comes first");
    assert!(found.hits[1].archived && found.hits[1].status == "completed");
}

/// What was made of many milestones to be quick is not believed where anything happened since.
pub fn what_changes_among_many_is_found(fresh: Fresh<'_>) {
    let (bench, ada) = started(fresh);
    let ben = Handle::new(bench.as_ref());
    for _ in 0..20 {
        ada.done(&plan(draft(&["Sweep the floor"])));
    }
    let trails_are_told = || {
        let all: BTreeSet<MilestoneId> = ada.all().outlines.into_keys().collect();
        for (id, trail) in ben.store.trails(&all).unwrap() {
            assert_eq!(trail, Trail::of(&ada.store.history(id).unwrap()), "{id}");
        }
    };
    assert_eq!(find(&ben, "sweep").total, 20);
    trails_are_told();
    ada.done(&note(1, "an afterthought"));
    let (second, third) = (MilestoneId(2), MilestoneId(3));
    ada.done(&move_freely(TaskId::new(second, 1), TaskStatus::Completed));
    ada.done(&archive(third, Some("no longer wanted".into())));
    ada.done(&plan(draft(&["Sweep the yard"])));
    assert_eq!(ids(&find(&ben, "afterthought")), "task-001-001");
    let found = find(&ben, "\"sweep the\"").total;
    assert_eq!((found, find_in(&ben, "sweep", Place::Open).total), (21, 20));
    assert_eq!(ids(&find_in(&ben, "sweep", Place::Archived)), "task-003-001");
    let done = Filter { statuses: vec!["completed".parse().unwrap()], ..Filter::default() };
    let query = Query::parse("sweep", done, 10).unwrap();
    let found = ben.project.search(&query, "ada").unwrap().found;
    assert_eq!(ids(&found), "task-002-001");
    trails_are_told();
}

/// Texts of any kind are only texts, and come back as they are.
pub fn hostile_texts_are_found_as_texts(fresh: Fresh<'_>) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    let title = "x\u{1b}[2J\u{202e} ΣΑΣ 日本 İ «»";
    let mut hostile = draft(&[title]);
    hostile.description = Some(format!("{title}\n{title}"));
    ada.done(&plan(hostile));
    for text in ["x", "σασ", "本", "i", "«»", "\"x\u{1b}[2J\u{202e} σας\"", "[2j"] {
        let found = find(&ada, text);
        let hit = found.hits.first().unwrap_or_else(|| panic!("{text} was not found"));
        assert_eq!((hit.id.milestone(), hit.title.as_str()), (MilestoneId(1), title), "{text}");
    }
}
