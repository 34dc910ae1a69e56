//! Two branches that gave the same id to two milestones, merged by real git, and mended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use milestone_domain::change::FieldChange;
use milestone_domain::command::Command;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::{MilestoneId, Reference};
use milestone_domain::snapshot::{ProblemKind, Scope};
use milestone_store::Project;

use crate::files::project;

struct Repository {
    _temp: tempfile::TempDir,
    root: PathBuf,
}

impl Repository {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("repository");
        fs::create_dir(&root).unwrap();
        let this = Self { root, _temp: temp };
        this.git(&["init", "-q", "-b", "main"]);
        fs::create_dir_all(this.folder()).unwrap();
        fs::write(this.folder().join(".gitignore"), "/data/\n/temp/\n").unwrap();
        this
    }

    fn folder(&self) -> PathBuf {
        self.root.join(".milestones")
    }

    fn git(&self, arguments: &[&str]) -> bool {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"];
        let output = Process::new("git")
            .args(identity)
            .args(arguments)
            .current_dir(&self.root)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .unwrap();
        output.status.success()
    }

    fn commit(&self, message: &str) {
        assert!(self.git(&["add", "-A"]) && self.git(&["commit", "-q", "-m", message]));
    }

    fn open(&self) -> Project {
        project(&self.folder())
    }
}

fn plan(project: &Project, title: &str, requires: &[u32]) {
    let mut draft = Milestone::new(MilestoneId(0), title);
    draft.tasks.push(Task::new(1, &format!("{title}, the work")));
    draft.dependencies.requires =
        requires.iter().map(|id| Reference::Milestone(MilestoneId(*id))).collect();
    project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
}

fn comment(folder: &Path, id: u32, comment: &str) {
    let file = folder.join("active").join(MilestoneId(id).file_name());
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("status:", &format!("{comment}\nstatus:"), 1)).unwrap();
}

/// Both branches make milestone-002, and a milestone-003 or -004 that requires it.
fn branched() -> Repository {
    let repository = Repository::new();
    let project = repository.open();
    plan(&project, "Base", &[]);
    repository.commit("base");
    repository.git(&["checkout", "-q", "-b", "side"]);
    plan(&project, "Theirs", &[1]);
    plan(&project, "Built on theirs", &[2]);
    comment(&repository.folder(), 2, "# said by theirs");
    project.read(&Scope::All, "bob").unwrap();
    repository.commit("side");
    repository.git(&["checkout", "-q", "main"]);
    plan(&project, "Ours", &[1]);
    repository.commit("ours");
    repository
}

#[test]
fn a_merge_that_brings_a_second_milestone_of_the_same_id_is_mended() {
    let repository = branched();
    assert!(!repository.git(&["merge", "-q", "side"]), "git leaves a conflict");
    let project = repository.open();
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    let kinds: Vec<_> = snapshot.problems.iter().map(|problem| problem.kind).collect();
    assert!(kinds.contains(&ProblemKind::Unreadable), "{:?}", snapshot.problems);
    assert!(kinds.contains(&ProblemKind::Collision), "{:?}", snapshot.problems);

    let done = project.mend(&|_| None, "ada").unwrap();
    assert!(!done.is_empty());
    assert_eq!(project.check("ada").unwrap(), []);
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    let titles: Vec<_> = snapshot.documents.values().map(|m| m.title.as_str()).collect();
    assert_eq!(titles, ["Base", "Ours", "Built on theirs", "Theirs"]);
    // Who meant theirs, means it under its new number.
    let built = &snapshot.documents[&MilestoneId(3)];
    assert_eq!(built.dependencies.requires, [Reference::Milestone(MilestoneId(4))]);
    let text = fs::read_to_string(repository.folder().join("active/milestone-004.yaml")).unwrap();
    assert!(text.contains("# said by theirs"), "{text}");
    // Doing it again does nothing.
    assert_eq!(project.mend(&|_| None, "ada").unwrap(), Vec::<String>::new());
}

#[test]
fn a_merge_resolved_by_keeping_one_side_loses_nothing() {
    let repository = branched();
    assert!(!repository.git(&["merge", "-q", "side"]));
    assert!(repository.git(&["checkout", "--ours", ".milestones/active/milestone-002.yaml"]));
    repository.commit("merged");
    let project = repository.open();
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    assert_eq!(snapshot.problems[0].kind, ProblemKind::Collision, "{:?}", snapshot.problems);
    // A change of the document does not make anybody forget it.
    let (milestone, path) = (MilestoneId(2), "priority".parse().unwrap());
    let changes = vec![FieldChange { path, before: None, after: Some("high".into()) }];
    project.execute(&Command::Amend { milestone, changes }, "ada").unwrap();
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    assert_eq!(snapshot.problems[0].kind, ProblemKind::Collision, "{:?}", snapshot.problems);
    project.mend(&|_| None, "ada").unwrap();
    assert_eq!(project.check("ada").unwrap(), []);
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    let titles: Vec<_> = snapshot.documents.values().map(|m| m.title.as_str()).collect();
    assert_eq!(titles, ["Base", "Ours", "Built on theirs", "Theirs"]);
}

/// Each branch makes two milestones, under the same two ids; requirements stand by the titles.
fn two_each(theirs: [&[u32]; 2], ours: [&[u32]; 2]) -> BTreeMap<String, Vec<Reference>> {
    let repository = Repository::new();
    let project = repository.open();
    plan(&project, "Base", &[]);
    repository.commit("base");
    repository.git(&["checkout", "-q", "-b", "side"]);
    let both = |titles: [&str; 2], requires: [&[u32]; 2]| {
        for title in titles {
            plan(&project, title, &[]);
        }
        for (milestone, requires) in [MilestoneId(2), MilestoneId(3)].into_iter().zip(requires) {
            let names: Vec<String> =
                requires.iter().map(|id| MilestoneId(*id).to_string()).collect();
            if names.is_empty() {
                continue;
            }
            let path = "dependencies/requires".parse().unwrap();
            let changes = vec![FieldChange { path, before: None, after: Some(names.into()) }];
            project.execute(&Command::Amend { milestone, changes }, "ada").unwrap();
        }
        repository.commit(titles[0]);
    };
    both(["Auth", "Dash"], theirs);
    repository.git(&["checkout", "-q", "main"]);
    both(["Newsletter", "Blog"], ours);
    assert!(!repository.git(&["merge", "-q", "side"]));
    project.mend(&|_| None, "ada").unwrap();
    assert_eq!(project.check("ada").unwrap(), []);
    assert_eq!(project.mend(&|_| None, "ada").unwrap(), Vec::<String>::new());
    let documents = project.read(&Scope::All, "ada").unwrap().documents.into_values();
    documents.map(|document| (document.title, document.dependencies.requires)).collect()
}

fn requires(id: u32) -> Vec<Reference> {
    vec![Reference::Milestone(MilestoneId(id))]
}

#[test]
fn one_renumbered_milestone_still_means_another() {
    let said = two_each([&[], &[2]], [&[], &[]]);
    assert_eq!((&said["Dash"], &said["Blog"]), (&requires(4), &Vec::new()));
    // Whichever of the two gets its number first.
    let said = two_each([&[3], &[]], [&[], &[]]);
    assert_eq!((&said["Auth"], &said["Newsletter"]), (&requires(5), &Vec::new()));
    // The two that keep their ids mean each other by the same names.
    let said = two_each([&[], &[2]], [&[], &[2]]);
    assert_eq!((&said["Dash"], &said["Blog"]), (&requires(4), &requires(2)));
    let said = two_each([&[], &[1]], [&[], &[2]]);
    assert_eq!((&said["Dash"], &said["Blog"]), (&requires(1), &requires(2)));
}

#[test]
fn a_lost_document_is_written_again_from_its_history() {
    let repository = Repository::new();
    let project = repository.open();
    plan(&project, "Base", &[]);
    let file = repository.folder().join("active/milestone-001.yaml");
    let before = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let problems = project.check("ada").unwrap();
    assert_eq!(problems[0].kind, ProblemKind::MissingDocument, "{problems:?}");
    project.mend(&|_| None, "ada").unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    assert_eq!(project.check("ada").unwrap(), []);
}

#[test]
fn tasks_that_two_branches_gave_one_number_both_survive() {
    let repository = Repository::new();
    let project = repository.open();
    plan(&project, "Base", &[]);
    repository.commit("base");
    let add = |title: &str| {
        let draft = Box::new(Task::new(0, title));
        project.execute(&Command::AddTask { milestone: MilestoneId(1), draft }, "ada").unwrap();
        repository.commit(title);
    };
    repository.git(&["checkout", "-q", "-b", "side"]);
    add("Theirs");
    repository.git(&["checkout", "-q", "main"]);
    add("Ours");
    assert!(!repository.git(&["merge", "-q", "side"]));
    // A person keeps one side and goes on.
    assert!(repository.git(&["checkout", "--ours", ".milestones/active/milestone-001.yaml"]));
    repository.commit("merged");
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    assert_eq!(snapshot.problems[0].kind, ProblemKind::Collision, "{:?}", snapshot.problems);
    project.mend(&|_| None, "ada").unwrap();
    assert_eq!(project.check("ada").unwrap(), []);
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    let tasks = &snapshot.documents[&MilestoneId(1)].tasks;
    let titles: Vec<_> = tasks.iter().map(|task| (task.id.number, task.title.as_str())).collect();
    assert_eq!(titles, [(1, "Base, the work"), (2, "Ours"), (3, "Theirs")]);
}
