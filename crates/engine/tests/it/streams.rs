//! The branches of streams: where they begin, what they take in, and how they go up.

use std::collections::BTreeSet;
use std::fs;

use milestone_domain::ids::TaskId;
use milestone_domain::streams::StreamName;
use milestone_engine::git::{
    Attempt, Branch, GitError, Integrated, Integration, Oid, Raised, Repository, Strategy, Together,
};

use crate::git::{M1, Place, attempt};

fn stream(name: &str) -> Branch {
    Branch::of_stream(M1, &StreamName::parse(name).unwrap())
}

/// Work of an attempt that writes one file, in this branch.
fn brought(place: &Place, attempt: &Attempt, into: &Branch, file: &str, text: &str) -> Oid {
    let (repository, path, start) = place.begun(attempt);
    fs::write(path.join(file), text).unwrap();
    let kept = repository.keep(&path, attempt, &start).unwrap();
    let (subject, body, strategy) = ("feat: a task", "", Strategy::Squash);
    let work = Integration { attempt: *attempt, into, kept: &kept.commit, subject, body, strategy };
    match repository.integrate(&work).unwrap() {
        Integrated::Done(commit) => commit,
        other => unreachable!("{other:?}"),
    }
}

fn at(together: Together) -> Oid {
    match together {
        Together::At(tip) => tip,
        other @ Together::Conflict { .. } => unreachable!("{other:?}"),
    }
}

fn tip(repository: &Repository, branch: &Branch) -> Oid {
    repository.tip(branch).unwrap().unwrap()
}

fn task(number: u32) -> TaskId {
    TaskId::new(M1, number)
}

#[test]
fn work_is_in_its_stream_until_that_goes_up() {
    let place = Place::new();
    let (one, milestone) = (stream("tasks-001"), Branch::of(M1));
    let mine = attempt(1, 1);
    let commit = brought(&place, &mine, &one, "a.txt", "a\n");
    let repository = place.repository();
    assert_eq!(tip(&repository, &one), commit);
    assert_eq!(repository.done(&mine, &one).unwrap(), Some(commit.clone()));
    assert_eq!(repository.done(&mine, &milestone).unwrap(), None);
    assert_eq!(repository.done(&mine, &stream("tasks-002")).unwrap(), None);
    assert_eq!(repository.below(M1).unwrap(), BTreeSet::from([task(1)]));

    let before = tip(&repository, &milestone);
    let judged = at(repository.bring_up_to_date(&one).unwrap());
    assert_eq!(judged, commit, "there was nothing to take in");
    let Raised::Up(up) = repository.raise(&one, &judged, "accepted\n\nTask: x").unwrap() else {
        unreachable!()
    };
    assert_eq!(tip(&repository, &milestone), up);
    let parents = place.git(&["show", "-s", "--format=%P", up.as_str()]);
    assert_eq!(parents, format!("{before} {judged}"));
    let text = place.git(&["show", "-s", "--format=%B", up.as_str()]);
    let said = "chore(milestone-001): take in stream tasks-001\n\naccepted\n\n  Task: x\n\nStream: \
                tasks-001\nMilestone: milestone-001";
    assert_eq!(text, said);
    assert!(repository.below(M1).unwrap().is_empty());
    assert!(repository.done(&mine, &milestone).unwrap().is_some());
    assert_eq!(repository.raise(&one, &judged, "again").unwrap(), Raised::Up(up.clone()));
    // What comes after begins with all that the milestone has.
    assert_eq!(at(repository.stream_branch(&one, &BTreeSet::new()).unwrap()), up);
}

#[test]
fn only_what_was_judged_goes_up() {
    let place = Place::new();
    let (one, two) = (stream("tasks-001"), stream("tasks-002"));
    let first = brought(&place, &attempt(1, 1), &one, "a.txt", "a\n");
    let second = brought(&place, &attempt(2, 1), &two, "b.txt", "b\n");
    let repository = place.repository();
    let late = brought(&place, &attempt(3, 1), &one, "c.txt", "c\n");
    assert_eq!(repository.raise(&one, &first, "").unwrap(), Raised::Moved, "it has more now");
    assert!(matches!(repository.raise(&one, &late, "").unwrap(), Raised::Up(_)));
    assert_eq!(repository.raise(&two, &second, "").unwrap(), Raised::Moved, "so has the milestone");
    let judged = at(repository.bring_up_to_date(&two).unwrap());
    assert_ne!(judged, second);
    let milestone = tip(&repository, &Branch::of(M1));
    assert!(repository.is_same_work(&second, &judged, &milestone).unwrap());
    assert!(!repository.is_same_work(&first, &judged, &milestone).unwrap());
    let elsewhere = Oid::parse(&"1".repeat(40)).unwrap();
    assert!(!repository.is_same_work(&elsewhere, &judged, &milestone).unwrap());
    place.git(&["switch", "-q", "milestone/milestone-001"]);
    let refused = repository.raise(&two, &judged, "");
    assert!(matches!(refused, Err(GitError::CheckedOut { .. })), "{refused:?}");
    place.git(&["switch", "-q", "main"]);
    assert!(matches!(repository.raise(&two, &judged, "").unwrap(), Raised::Up(_)));
    for file in ["a.txt", "b.txt", "c.txt"] {
        place.git(&["show", &format!("milestone/milestone-001:{file}")]);
    }
}

#[test]
fn a_task_that_is_in_another_stream_now_takes_its_work_along() {
    let place = Place::new();
    let (before, now) = (stream("tasks-002"), stream("tasks-001"));
    brought(&place, &attempt(2, 1), &before, "b.txt", "b\n");
    brought(&place, &attempt(1, 1), &now, "a.txt", "a\n");
    let repository = place.repository();
    let joined = at(repository.stream_branch(&now, &BTreeSet::from([task(2)])).unwrap());
    place.git(&["show", &format!("{joined}:b.txt")]);
    assert_eq!(at(repository.stream_branch(&now, &BTreeSet::from([task(2)])).unwrap()), joined);
    let milestone = tip(&repository, &Branch::of(M1));
    let works = repository.works_in(M1, &milestone, &joined).unwrap();
    assert_eq!(works, BTreeSet::from([task(1), task(2)]));
}

#[test]
fn what_does_not_go_together_is_named_and_nothing_happens() {
    let place = Place::new();
    let (one, two) = (stream("tasks-001"), stream("tasks-002"));
    let first = brought(&place, &attempt(1, 1), &one, "same.txt", "1\n");
    let second = brought(&place, &attempt(2, 1), &two, "same.txt", "2\n");
    let repository = place.repository();
    repository.raise(&one, &first, "").unwrap();
    let what = tip(&repository, &Branch::of(M1));
    let (with, files) = ("milestone-001".to_owned(), vec!["same.txt".to_owned()]);
    let conflict = repository.bring_up_to_date(&two).unwrap();
    assert_eq!(conflict, Together::Conflict { with, what, files });
    assert_eq!(tip(&repository, &two), second);
}
