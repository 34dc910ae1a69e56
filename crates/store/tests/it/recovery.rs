//! What a kill, a power cut or a full disk leaves, and what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{AttemptId, Event};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::needs::needs;
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::Scope;
use milestone_store::files::Files;
use milestone_store::{EventFilter, Project, Renewed, Store, StoreError};
use uuid::Uuid;

use crate::files::project;
use crate::support::decided;

const M1: MilestoneId = MilestoneId(1);

fn planned(root: &Path) -> Project {
    let project = project(root);
    let mut draft = Milestone::new(MilestoneId(0), "Authentication");
    draft.tasks = vec![Task::new(1, "Design")];
    project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
    project
}

fn note(text: &str) -> Command {
    let (task, credential) = (TaskId::new(M1, 1), Credential::default());
    Command::Note { task, text: text.to_owned(), credential }
}

fn add(title: &str) -> Command {
    Command::AddTask { milestone: M1, draft: Box::new(Task::new(0, title)) }
}

fn notes(project: &Project) -> Vec<String> {
    let events = project.events(None, &EventFilter::default(), 100).unwrap().events;
    let texts = events.into_iter().filter_map(|recorded| match recorded.event {
        Event::TaskNoted { text, .. } => Some(text),
        _ => None,
    });
    texts.collect()
}

/// From here on it is another boot than the one that wrote last.
fn reboot(root: &Path) {
    let file = root.join("data/applied");
    let mut applied: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    applied["boot"] = "the one before".into();
    fs::write(&file, applied.to_string()).unwrap();
}

fn segment(root: &Path) -> PathBuf {
    fs::read_dir(root.join("history/milestone-001")).unwrap().next().unwrap().unwrap().path()
}

#[test]
fn a_history_whose_blocks_are_zeros_is_whole_again() {
    for from in [700, 900, 1100] {
        let temp = tempfile::tempdir().unwrap();
        let project = planned(temp.path());
        let wanted: Vec<String> = (0..5).map(|n| format!("note {n}")).collect();
        wanted.iter().for_each(|text| drop(project.execute(&note(text), "ada").unwrap()));
        let whole = fs::read(segment(temp.path())).unwrap();
        let mut torn = whole.clone();
        torn[from..].fill(0);
        fs::write(segment(temp.path()), torn).unwrap();
        reboot(temp.path());
        assert_eq!(notes(&project), wanted);
        assert_eq!(fs::read(segment(temp.path())).unwrap(), whole, "zeros from {from}");
    }
}

#[test]
fn a_document_that_came_back_torn_is_written_again_and_stands_in_nobodys_way() {
    type Tear = fn(&mut Vec<u8>);
    let tears: [Tear; 3] =
        [Vec::clear, |bytes| bytes.fill(0), |bytes| bytes.iter_mut().skip(80).for_each(|b| *b = 0)];
    for tear in tears {
        let temp = tempfile::tempdir().unwrap();
        let project = planned(temp.path());
        project.execute(&add("Build"), "ada").unwrap();
        let file = temp.path().join("active/milestone-001.yaml");
        let whole = fs::read(&file).unwrap();
        let mut torn = whole.clone();
        tear(&mut torn);
        fs::write(&file, torn).unwrap();
        reboot(temp.path());
        let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
        assert_eq!(snapshot.problems, []);
        assert_eq!(fs::read(&file).unwrap(), whole);
        project.execute(&add("Ship"), "ada").unwrap();
    }
}

#[test]
fn a_claim_that_was_renewed_and_ended_does_not_come_back() {
    let temp = tempfile::tempdir().unwrap();
    let project = planned(temp.path());
    let task = TaskId::new(M1, 1);
    let attempt = AttemptId(Uuid::now_v7());
    let credential = Credential { fence: Some(1), attempt: Some(attempt) };
    project.execute(&Command::Claim { task, attempt, lease_seconds: 60 }, "ada").unwrap();
    let renewed = project.renew(task, credential, Duration::from_secs(90)).unwrap();
    assert!(matches!(renewed, Renewed::Until(_)));
    let release = Command::Release { task, reason: None, credential };
    project.execute(&release, "ada").unwrap();
    reboot(temp.path());
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.claims.get(&task), None);
}

#[test]
fn a_change_that_could_not_be_put_in_place_is_not_overwritten_by_the_next_one() {
    let temp = tempfile::tempdir().unwrap();
    let project = planned(temp.path());
    let files = Files::open(temp.path().to_owned(), Settings::default(), Duration::from_secs(10));
    let turn = files.turn(0).unwrap();
    let commit = |text: &str| {
        let command = add(text);
        let snapshot = files.read(&needs(&command)).unwrap().snapshot;
        files.commit(&decided(&snapshot, &command))
    };
    // Something stands where replaced documents are kept, so none can be replaced.
    fs::write(temp.path().join("data/recent"), "").unwrap();
    commit("Build").unwrap();
    commit("Ship").unwrap_err();
    drop(turn);
    fs::remove_file(temp.path().join("data/recent")).unwrap();
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems, []);
    let titles: Vec<&str> =
        snapshot.documents[&M1].tasks.iter().map(|task| task.title.as_str()).collect();
    assert_eq!(titles, ["Design", "Build"]);
}

#[test]
fn a_lock_that_others_cannot_see_commits_nothing() {
    let temp = tempfile::tempdir().unwrap();
    let project = planned(temp.path());
    let files = Files::open(temp.path().to_owned(), Settings::default(), Duration::from_secs(10));
    let turn = files.turn(0).unwrap();
    let snapshot = files.read(&Scope::Milestone(M1)).unwrap().snapshot;
    fs::remove_dir_all(temp.path().join("data")).unwrap();
    let error = files.commit(&decided(&snapshot, &note("lost"))).unwrap_err();
    assert!(matches!(error, StoreError::Stale), "{error}");
    drop(turn);
    project.execute(&note("kept"), "ada").unwrap();
    assert_eq!(notes(&project), ["kept"]);
}

#[test]
fn drafts_of_the_dead_are_swept() {
    let temp = tempfile::tempdir().unwrap();
    let project = planned(temp.path());
    let dead = temp.path().join("data/draft-4194304-0");
    let living = temp.path().join("data/draft-1-0");
    fs::write(&dead, "").unwrap();
    fs::write(&living, "").unwrap();
    project.execute(&note("one"), "ada").unwrap();
    assert!(!dead.exists());
    assert!(living.exists());
}
