//! Two branches that gave the same id to two milestones, merged by real git, and mended.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use milestone_domain::change::FieldChange;
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Criterion, Milestone, Task};
use milestone_domain::ids::{MilestoneId, Reference, TaskId};
use milestone_domain::snapshot::{Problem, ProblemKind, Scope};
use milestone_domain::status::TaskStatus;
use milestone_store::merge::{Merged, documents};
use milestone_store::{Mending, Project};

use crate::files::project;
use crate::support::change_task;

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

    let done = project.mend(&|_| None, "ada").unwrap().done;
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
    assert_eq!(project.mend(&|_| None, "ada").unwrap(), Mending::default());
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
    assert_eq!(project.mend(&|_| None, "ada").unwrap(), Mending::default());
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

const M1: MilestoneId = MilestoneId(1);

fn add(project: &Project, title: &str) {
    let draft = Box::new(Task::new(0, title));
    project.execute(&Command::AddTask { milestone: M1, draft }, "ada").unwrap();
}

fn set(project: &Project, number: u32, to: TaskStatus) {
    project.execute(&change_task(M1, number, to), "ada").unwrap();
}

/// How a merge of the document ends.
#[derive(Debug, Clone, Copy)]
enum Merge {
    Driver,
    /// Conflict markers are committed, and mended with or without what both sides began with.
    Markers,
    MarkersWithBase,
    Ours,
    Theirs,
}

const MERGES: [Merge; 5] =
    [Merge::Driver, Merge::Markers, Merge::MarkersWithBase, Merge::Ours, Merge::Theirs];

/// Does the one on a branch and the other on main, merges the branch, and reads.
fn merged(merge: Merge, first: bool, side: fn(&Project), main: fn(&Project)) -> Repository {
    let repository = Repository::new();
    let project = repository.open();
    plan(&project, "Base", &[]);
    repository.commit("base");
    let place = ".milestones/active/milestone-001.yaml";
    let file = repository.root.join(place);
    let base = fs::read_to_string(&file).unwrap();
    let on = |branch: &str, work: fn(&Project)| {
        repository.git(&["checkout", "-q", branch]);
        work(&project);
        repository.commit(branch);
        fs::read_to_string(&file).unwrap()
    };
    repository.git(&["branch", "side"]);
    let (ours, theirs) = if first {
        let theirs = on("side", side);
        (on("main", main), theirs)
    } else {
        let ours = on("main", main);
        let theirs = on("side", side);
        repository.git(&["checkout", "-q", "main"]);
        (ours, theirs)
    };
    assert!(!repository.git(&["merge", "-q", "side"]));
    match merge {
        Merge::Driver => match documents(&base, &ours, &theirs) {
            Merged::Text(text) => fs::write(&file, text).unwrap(),
            other => panic!("{other:?}"),
        },
        Merge::Markers | Merge::MarkersWithBase => {}
        Merge::Ours => assert!(repository.git(&["checkout", "--ours", place])),
        Merge::Theirs => assert!(repository.git(&["checkout", "--theirs", place])),
    }
    repository.commit("merged");
    match merge {
        Merge::Markers => drop(project.mend(&|_| None, "ada").unwrap()),
        Merge::MarkersWithBase => drop(project.mend(&|_| Some(base.clone()), "ada").unwrap()),
        Merge::Driver | Merge::Ours | Merge::Theirs => {}
    }
    repository
}

/// The document, as everybody sees it: this clone, its text, and a clone that knows only the files.
fn seen_by_all(repository: &Repository) -> Milestone {
    let project = repository.open();
    // Where one side's text is kept whole, its `started_at` may be the later one: the program's own
    // keys are named until its next write puts them back.
    let without_own_keys = |mut problems: Vec<Problem>| {
        problems.retain(|problem| problem.kind != ProblemKind::ProgramKey);
        problems
    };
    let snapshot = project.read(&Scope::All, "ada").unwrap();
    assert_eq!(without_own_keys(snapshot.problems), []);
    project.mend(&|_| None, "ada").unwrap();
    assert_eq!(without_own_keys(project.check("ada").unwrap()), []);
    let note = Command::Note {
        task: TaskId::new(M1, 1),
        text: "go on".into(),
        credential: Credential::default(),
    };
    project.execute(&note, "ada").unwrap();
    let text = project.text(M1).unwrap().unwrap();
    let said = milestone_store::files::text::read(text.as_bytes(), false).unwrap().milestone;
    assert_eq!(said.tree(), snapshot.documents[&M1].tree());
    fs::remove_dir_all(repository.folder().join("data")).unwrap();
    let fresh = repository.open().read(&Scope::All, "ada").unwrap();
    // How far it is is computed, and only a text shows it.
    assert_eq!(fresh.documents[&M1].tree(), snapshot.documents[&M1].tree());
    snapshot.documents[&M1].clone()
}

fn tasks(milestone: &Milestone) -> Vec<(u32, &str, TaskStatus)> {
    let mut tasks: Vec<_> =
        milestone.tasks.iter().map(|t| (t.id.number, t.title.as_str(), t.status)).collect();
    tasks.sort_by_key(|(number, ..)| *number);
    tasks
}

#[test]
fn tasks_that_two_branches_gave_one_number_both_survive_as_they_were() {
    for merge in MERGES {
        for first in [true, false] {
            let side = |project: &Project| {
                add(project, "Theirs");
                set(project, 2, TaskStatus::InProgress);
                set(project, 2, TaskStatus::Completed);
            };
            let main = |project: &Project| {
                add(project, "Ours");
                set(project, 2, TaskStatus::InProgress);
            };
            let repository = merged(merge, first, side, main);
            let milestone = seen_by_all(&repository);
            let (theirs, ours) = if first { (2, 3) } else { (3, 2) };
            let mut expected = [
                (1, "Base, the work", TaskStatus::Pending),
                (ours, "Ours", TaskStatus::InProgress),
                (theirs, "Theirs", TaskStatus::Completed),
            ];
            expected.sort_by_key(|(number, ..)| *number);
            assert_eq!(tasks(&milestone), expected, "{merge:?} {first}");
            // Work goes on under the new numbers.
            let project = repository.open();
            set(&project, ours, TaskStatus::Completed);
            add(&project, "After");
            project.execute(&Command::RemoveTask { task: TaskId::new(M1, theirs) }, "ada").unwrap();
            let milestone = seen_by_all(&repository);
            let done = milestone.task(ours).unwrap();
            assert_eq!((done.title.as_str(), done.status), ("Ours", TaskStatus::Completed));
            assert!(milestone.task(theirs).is_none());
            assert_eq!(milestone.task(4).unwrap().title, "After");
        }
    }
}

fn add_criterion(project: &Project, text: &str) {
    let draft = Box::new(serde_json::from_value::<Criterion>(text.into()).unwrap());
    project.execute(&Command::AddCriterion { milestone: M1, draft }, "ada").unwrap();
}

#[test]
fn criteria_that_two_branches_gave_one_number_both_survive_with_their_evidence() {
    for merge in MERGES {
        for first in [true, false] {
            let side = |project: &Project| {
                add_criterion(project, "Theirs");
                let evidence = "seen".to_owned();
                let meet = Command::MeetCriterion { milestone: M1, number: 1, evidence };
                project.execute(&meet, "ada").unwrap();
            };
            let repository = merged(merge, first, side, |project| add_criterion(project, "Ours"));
            let milestone = seen_by_all(&repository);
            let mut criteria: Vec<_> =
                milestone.criteria.iter().map(|c| (c.text.as_str(), c.met.is_some())).collect();
            criteria.sort_unstable();
            assert_eq!(criteria, [("Ours", false), ("Theirs", true)], "{merge:?} {first}");
        }
    }
}
