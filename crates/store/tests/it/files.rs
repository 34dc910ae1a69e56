use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use milestone_domain::command::{Closing, Command, Credential};
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{ProblemKind, Scope};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use milestone_store::files::Files;
use milestone_store::{Error, EventFilter, Project};
use uuid::Uuid;

const M1: MilestoneId = MilestoneId(1);

pub fn project(root: &Path) -> Project {
    fs::create_dir_all(root).unwrap();
    let files = Files::open(root.to_owned(), Settings::default(), Duration::from_secs(10));
    Project::new(Box::new(files), TimeZone::UTC)
}

fn draft(tasks: &[&str]) -> Command {
    let mut draft = Milestone::new(MilestoneId(0), "Authentication");
    draft.tasks = (1..).zip(tasks).map(|(number, title)| Task::new(number, title)).collect();
    Command::Plan { draft: Box::new(draft) }
}

fn change(number: u32, to: TaskStatus) -> Command {
    let task = TaskId::new(M1, number);
    Command::ChangeTask { task, to, reason: None, credential: Credential::default() }
}

#[test]
fn a_plan_is_worked_on_and_read_back() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    project.execute(&draft(&["Design", "Build"]), "ada").unwrap();
    project.execute(&change(1, TaskStatus::Completed), "ada").unwrap();
    let text = fs::read_to_string(temp.path().join("active/milestone-001.yaml")).unwrap();
    println!("{text}");
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems, []);
    let milestone = &snapshot.documents[&M1];
    assert_eq!(milestone.status, MilestoneStatus::InProgress);
    assert_eq!(milestone.tasks[0].status, TaskStatus::Completed);
    let page = project.events(None, &EventFilter::default(), 100).unwrap();
    assert_eq!(page.events.len(), 3, "{:?}", page.events);
    for entry in fs::read_dir(temp.path().join("history/milestone-001")).unwrap() {
        println!("{}", fs::read_to_string(entry.unwrap().path()).unwrap());
    }
}

#[test]
fn a_hand_edit_is_taken_in_by_the_rules() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    project.execute(&draft(&["Design", "Build"]), "ada").unwrap();
    let file = temp.path().join("active/milestone-001.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let edited = text
        .replace("title: Authentication", "title: Login # shorter")
        .replace("title: Build", "title: Build\n    requires: [task-001]");
    fs::write(&file, &edited).unwrap();
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].title, "Login");
    assert_eq!(fs::read_to_string(&file).unwrap(), edited, "nothing to write");

    // What a rule refuses stays in the file and does not count.
    let at = edited.rfind("status: pending").unwrap();
    let refused = format!("{}status: completed{}", &edited[..at], &edited[at + 15..]);
    fs::write(&file, &refused).unwrap();
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems[0].kind, ProblemKind::RefusedEdit, "{:?}", snapshot.problems);
    assert_eq!(snapshot.documents[&M1].tasks[1].status, TaskStatus::Pending);
    // A command on something else goes through, and leaves the refused edit where it is.
    project.execute(&change(1, TaskStatus::Completed), "ada").unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("# shorter"), "{text}");
    // Now that its prerequisite is done, the edit counts.
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].tasks[1].status, TaskStatus::Completed);
}

#[test]
fn a_task_that_is_written_as_finished_passes_the_rule_of_finished_ones() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    project.execute(&draft(&["Design"]), "ada").unwrap();
    let file = temp.path().join("active/milestone-001.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let task = "  - {id: task-002, title: Build, status: completed, requires: [task-001]}\n";
    let at = text.find("progress:").unwrap();
    fs::write(&file, format!("{}{task}{}", &text[..at], &text[at..])).unwrap();
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems[0].kind, ProblemKind::RefusedEdit, "{:?}", snapshot.problems);
    assert!(snapshot.problems[0].message.contains("task-001-002"), "{:?}", snapshot.problems);
    project.execute(&change(1, TaskStatus::Completed), "ada").unwrap();
    let snapshot = project.read(&Scope::Milestone(M1), "ada").unwrap();
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].tasks[1].status, TaskStatus::Completed);
}

#[test]
fn a_claim_is_one_workers() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    project.execute(&draft(&["Design"]), "ada").unwrap();
    let task = TaskId::new(M1, 1);
    let claim = || {
        let attempt = AttemptId(Uuid::now_v7());
        Command::Claim { task, attempt, lease_seconds: 60 }
    };
    project.execute(&claim(), "a").unwrap();
    let error = project.execute(&claim(), "b").unwrap_err();
    assert!(matches!(error, Error::Refused(ref refusal) if refusal.code() == "held"), "{error}");
    let stale = Credential { fence: Some(7), attempt: None };
    let done =
        Command::ChangeTask { task, to: TaskStatus::Completed, reason: None, credential: stale };
    let error = project.execute(&done, "a").unwrap_err();
    assert!(matches!(error, Error::Refused(ref refusal) if refusal.code() == "stale_fence"));
    let right = Credential { fence: Some(1), attempt: None };
    let done =
        Command::ChangeTask { task, to: TaskStatus::Completed, reason: None, credential: right };
    project.execute(&done, "a").unwrap();
}

#[test]
fn without_its_data_folder_a_project_says_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    project.execute(&draft(&["Design", "Build"]), "ada").unwrap();
    project.execute(&change(1, TaskStatus::Completed), "ada").unwrap();
    let before = project.read(&Scope::All, "ada").unwrap();
    fs::remove_dir_all(temp.path().join("data")).unwrap();
    let after = project.read(&Scope::All, "ada").unwrap();
    assert_eq!(after.problems, []);
    assert_eq!(before.documents, after.documents);
    project.execute(&change(2, TaskStatus::Completed), "ada").unwrap();
}

/// Who provides a condition is looked up, and not read, once the folder of the archive has rested.
#[test]
fn what_the_archive_provides_is_known_whatever_comes_to_it() {
    let temp = tempfile::tempdir().unwrap();
    let project = project(temp.path());
    let plan = |provides: &str, conditions: &[&str]| {
        let mut draft = Milestone::new(MilestoneId(0), "Schema");
        draft.tasks = vec![Task::new(1, "Write")];
        draft.provides = vec![provides.to_owned()];
        draft.tasks[0].conditions = conditions.iter().map(|&word| word.to_owned()).collect();
        project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
    };
    let file_away = |milestone: u32| {
        let milestone = MilestoneId(milestone);
        let closing = Closing { force: Some("enough".into()), ..Closing::default() };
        let command = Command::Archive { milestone, closing: Box::new(closing) };
        project.execute(&command, "ada").unwrap();
    };
    let providers = || {
        let snapshot = project.read(&Scope::Graph([].into()), "ada").unwrap();
        assert_eq!(snapshot.problems, []);
        snapshot.outlines.keys().map(|id| id.0).collect::<Vec<_>>()
    };
    plan("schema", &[]);
    plan("nothing", &["schema", "server"]);
    plan("client", &[]);
    plan("server", &[]);
    file_away(1);
    file_away(3);
    assert_eq!(providers(), [1, 2, 4]);
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(providers(), [1, 2, 4]);
    assert!(temp.path().join("temp/archive").exists(), "it has rested");
    assert_eq!(providers(), [1, 2, 4]);
    file_away(4);
    assert_eq!(providers(), [1, 2, 4]);
    fs::remove_file(temp.path().join("temp/provided")).unwrap();
    fs::write(temp.path().join("temp/archive"), "rubbish").unwrap();
    assert_eq!(providers(), [1, 2, 4]);
}
