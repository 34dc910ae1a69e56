//! Git as people use it: branches, merges, checkouts and reverts, with the real git.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use milestone_domain::command::{Closing, Command};
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::Recorded;
use milestone_domain::ids::MilestoneId;
use milestone_domain::snapshot::{ProblemKind, Scope};
use milestone_domain::status::{MilestoneStatus, TaskStatus};
use milestone_store::moving::move_to;
use milestone_store::pointer::StoreKind;
use milestone_store::{EventFilter, Mending, Project};

use crate::support::{all, change_task, draft, open, place};

const M1: MilestoneId = MilestoneId(1);

/// A clone with its project.
struct Clone {
    folder: PathBuf,
}

impl Clone {
    fn first(temp: &Path) -> Self {
        let clone = Self { folder: temp.join("one") };
        fs::create_dir_all(&clone.folder).unwrap();
        clone.git(&["init", "-q", "-b", "main"]);
        milestone_store::files::make(&clone.root(), true).unwrap();
        clone
    }

    fn second(&self, temp: &Path) -> Self {
        let folder = temp.join("two");
        let (from, to) = (self.folder.display().to_string(), folder.display().to_string());
        self.git(&["clone", "-q", &from, &to]);
        Self { folder }
    }

    fn root(&self) -> PathBuf {
        self.folder.join(".milestones")
    }

    fn project(&self) -> Project {
        open(&self.root())
    }

    fn file(&self) -> PathBuf {
        self.root().join("active/milestone-001.yaml")
    }

    fn try_git(&self, arguments: &[&str]) -> (bool, String) {
        let out = Program::new("git")
            .args(arguments)
            .current_dir(&self.folder)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", &self.folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        (out.status.success(), said)
    }

    fn git(&self, arguments: &[&str]) {
        let (done, said) = self.try_git(arguments);
        assert!(done, "git {arguments:?}: {said}");
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", message]);
    }

    fn run(&self, command: &Command) {
        self.project().execute(command, "ada").unwrap();
    }

    /// Everybody who reads sees the same: this clone, and one that knows nothing but the files.
    fn agrees_with_its_history(&self) {
        let snapshot = all(&self.project());
        let aside = self.folder.join("aside");
        fs::rename(self.root().join("data"), &aside).unwrap();
        let fresh = all(&self.project());
        for (id, document) in &snapshot.documents {
            let theirs = fresh.documents.get(id).map(Milestone::tree).unwrap_or_default();
            let unlike = milestone_domain::change::difference(&document.tree(), &theirs);
            assert_eq!(unlike, [], "{id}");
        }
        assert_eq!(snapshot.documents.len(), fresh.documents.len());
        assert_eq!(self.noticed(), 0, "nothing is an edit to somebody who comes fresh");
        fs::remove_dir_all(self.root().join("data")).unwrap();
        fs::rename(&aside, self.root().join("data")).unwrap();
    }

    fn has_finished(&self, tasks: &[u32]) {
        let snapshot = all(&self.project());
        assert_eq!(snapshot.problems, []);
        for number in tasks {
            let task = snapshot.documents[&M1].task(*number).unwrap();
            assert_eq!(task.status, TaskStatus::Completed, "task {number}");
        }
        self.agrees_with_its_history();
    }

    /// How many events this clone took for edits by hand.
    fn noticed(&self) -> usize {
        let page = self.project().events(None, &EventFilter::default(), 10_000).unwrap();
        page.events.iter().filter(|event: &&Recorded| event.noticed).count()
    }
}

fn done(number: u32) -> Command {
    change_task(M1, number, TaskStatus::Completed)
}

/// Six tasks, in two clones.
fn two(temp: &Path) -> (Clone, Clone) {
    let one = Clone::first(temp);
    let tasks = ["Design", "Build", "Test", "Write", "Ship", "Rest"];
    one.run(&draft("Login", &tasks));
    // Started before the branches part, so that only one thing differs between them.
    one.run(&change_task(M1, 1, TaskStatus::InProgress));
    let text = fs::read_to_string(one.file()).unwrap();
    // With `progress` in it, two branches that finish different tasks always conflict.
    let at = text.find("\nprogress:").unwrap();
    fs::write(one.file(), &text[..=at]).unwrap();
    let _ = all(&one.project());
    one.commit("plan");
    let two = one.second(temp);
    (one, two)
}

#[test]
fn different_tasks_of_one_milestone_merge() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = two(temp.path());
    one.run(&done(1));
    one.commit("one");
    two.run(&done(5));
    two.commit("two");
    let before = two.noticed();
    two.git(&["pull", "-q", "--no-rebase", "--no-edit"]);
    let snapshot = all(&two.project());
    assert_eq!(snapshot.problems, []);
    for number in [1, 5] {
        let task = snapshot.documents[&M1].task(number).unwrap();
        assert_eq!(task.status, TaskStatus::Completed, "task {number}");
    }
    assert_eq!(two.noticed(), before, "a merge is nobody's edit");
    two.agrees_with_its_history();
    // And back, with more work on both sides.
    two.run(&done(3));
    two.commit("two again");
    one.git(&["pull", "-q", "--no-rebase", "--no-edit", &two.folder.display().to_string(), "main"]);
    let snapshot = all(&one.project());
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].task(3).unwrap().status, TaskStatus::Completed);
    one.run(&done(6));
    one.agrees_with_its_history();
}

#[test]
fn history_never_conflicts_whatever_the_documents_do() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = two(temp.path());
    for number in [2, 3] {
        one.run(&done(number));
    }
    one.commit("one");
    for number in [2, 4] {
        two.run(&done(number));
    }
    two.commit("two");
    let (_, said) = two.try_git(&["pull", "-q", "--no-rebase", "--no-edit"]);
    assert!(!said.contains("history/"), "{said}");
    let snapshot = all(&two.project());
    let conflict = snapshot.problems.iter().find(|p| p.kind == ProblemKind::Unreadable);
    if conflict.is_some() {
        assert!(snapshot.problems[0].line.is_some());
        two.project().mend(&|_| None, "ada").unwrap();
    }
    let snapshot = all(&two.project());
    for number in [2, 3, 4] {
        let task = snapshot.documents[&M1].task(number).unwrap();
        assert_eq!(task.status, TaskStatus::Completed, "task {number}: {:?}", snapshot.problems);
    }
    two.agrees_with_its_history();
}

#[test]
fn an_older_commit_and_back_is_nobodys_edit() {
    let temp = tempfile::tempdir().unwrap();
    let (one, _) = two(temp.path());
    one.run(&done(1));
    one.commit("first done");
    one.run(&done(2));
    one.commit("second done");
    let before = one.noticed();
    for (commit, finished) in [("HEAD~1", 1), ("HEAD~2", 0), ("main", 2)] {
        if commit == "main" {
            one.git(&["checkout", "-q", "main"]);
        } else {
            one.git(&["checkout", "-q", &commit.replace("HEAD", "main")]);
        }
        let snapshot = all(&one.project());
        assert_eq!(snapshot.problems, [], "{commit}");
        let tasks = &snapshot.documents[&M1].tasks;
        let now = tasks.iter().filter(|task| task.status == TaskStatus::Completed).count();
        assert_eq!(now, finished, "{commit}");
    }
    assert_eq!(one.noticed(), before);
    // Work goes on from an older commit, in a segment of its own, and both merge.
    one.git(&["checkout", "-q", "-b", "other", "main~1"]);
    one.run(&done(4));
    one.commit("other");
    one.git(&["checkout", "-q", "main"]);
    let _ = all(&one.project());
    one.run(&done(6));
    one.commit("on main");
    one.git(&["merge", "-q", "--no-edit", "other"]);
    one.has_finished(&[1, 2, 4, 6]);
}

/// A database follows no checkout: a document that is written on another branch says what it has,
/// and the history there tells all that led to it.
#[test]
fn beside_a_database_a_branch_is_told_all_that_led_to_it() {
    let temp = tempfile::tempdir().unwrap();
    let (one, _) = two(temp.path());
    move_to(&place(&one.root()), StoreKind::Sqlite, &|_, _, _| ()).unwrap();
    one.run(&done(1));
    one.commit("first done");
    one.run(&done(2));
    one.commit("second done");
    one.git(&["checkout", "-q", "-b", "other", "main~1"]);
    one.run(&done(4));
    one.commit("other");
    one.agrees_with_its_history();
    one.git(&["checkout", "-q", "main"]);
    one.run(&done(6));
    one.commit("on main");
    one.git(&["merge", "-q", "--no-edit", "other"]);
    one.has_finished(&[1, 2, 4, 6]);
}

#[test]
fn a_document_put_back_alone_is_an_edit_by_the_rules() {
    let temp = tempfile::tempdir().unwrap();
    let (one, _) = two(temp.path());
    one.run(&Command::AddTask { milestone: M1, draft: Box::new(Task::new(0, "More")) });
    one.commit("more");
    one.git(&["checkout", "-q", "HEAD~1", "--", ".milestones/active"]);
    let snapshot = all(&one.project());
    assert!(snapshot.documents[&M1].task(7).is_none(), "{:?}", snapshot.problems);
    one.agrees_with_its_history();
    // A revert that takes the history back as well is no edit at all.
    let before = one.noticed();
    one.git(&["reset", "-q", "--hard"]);
    assert!(all(&one.project()).documents[&M1].task(7).is_some());
    one.git(&["revert", "--no-edit", "HEAD"]);
    assert!(all(&one.project()).documents[&M1].task(7).is_none());
    assert!(one.noticed() <= before);
}

#[test]
fn two_branches_that_make_the_same_milestone_keep_both() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = two(temp.path());
    one.run(&draft("Payments", &["Card"]));
    one.commit("payments");
    two.run(&draft("Reports", &["Chart"]));
    two.commit("reports");
    let (merged, said) = two.try_git(&["pull", "-q", "--no-rebase", "--no-edit"]);
    assert!(!merged && !said.contains("history/"), "{said}");
    let snapshot = all(&two.project());
    assert!(snapshot.problems.iter().any(|p| p.milestone == Some(MilestoneId(2))));
    assert_eq!(snapshot.documents[&M1].title, "Login");
    two.project().mend(&|_| None, "ada").unwrap();
    let snapshot = all(&two.project());
    let titles: Vec<&str> = snapshot.documents.values().map(|m| m.title.as_str()).collect();
    for title in ["Login", "Payments", "Reports"] {
        assert!(titles.contains(&title), "{titles:?}: {:?}", snapshot.problems);
    }
}

#[test]
fn without_data_nothing_is_lost_in_between() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = two(temp.path());
    for number in [1, 2, 3] {
        one.run(&done(number));
        fs::remove_dir_all(one.root().join("data")).unwrap();
    }
    one.commit("one");
    two.run(&done(6));
    two.commit("two");
    fs::remove_dir_all(two.root().join("data")).unwrap();
    two.git(&["pull", "-q", "--no-rebase", "--no-edit"]);
    let snapshot = two.project().read(&Scope::All, "ada").unwrap();
    assert_eq!(snapshot.problems, []);
    for number in [1, 2, 3, 6] {
        let task = snapshot.documents[&M1].task(number).unwrap();
        assert_eq!(task.status, TaskStatus::Completed, "task {number}");
    }
    assert_eq!(two.noticed(), 0, "the log of events begins anew, and the merge adds none");
}

#[test]
fn archived_on_one_branch_and_worked_on_in_another() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = two(temp.path());
    for number in 1..=6 {
        one.run(&done(number));
    }
    one.run(&Command::Archive { milestone: M1, closing: Box::default() });
    one.commit("archived");
    assert!(one.root().join("completed/milestone-001.yaml").exists());
    two.run(&done(2));
    let file = two.root().join("active/milestone-001.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("# said by two\n{text}labels: [by-two]\n")).unwrap();
    assert_eq!(all(&two.project()).problems, []);
    two.commit("two");
    let (_, said) = two.try_git(&["pull", "-q", "--no-rebase", "--no-edit"]);
    assert!(!said.contains("history/"), "{said}");
    let snapshot = all(&two.project());
    // Git leaves both, and says so; the history says which of them counts.
    assert!(snapshot.problems.iter().any(|p| p.milestone == Some(M1)), "{said}");
    assert!(snapshot.documents[&M1].archived, "{:?}", snapshot.problems);
    let (_, opened) = two.try_git(&["show", "HEAD~1:.milestones/active/milestone-001.yaml"]);
    let project = two.project();
    let done = project.mend(&|_| Some(opened.clone()), "ada").unwrap().done;
    assert_eq!(done.len(), 1, "{done:?}");
    let snapshot = all(&project);
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].labels, ["by-two"]);
    let text = fs::read_to_string(two.root().join("completed/milestone-001.yaml")).unwrap();
    assert!(text.contains("# said by two"), "{text}");
    assert!(!two.root().join("active/milestone-001.yaml").exists());
    assert_eq!(fs::read_dir(two.root().join("data/kept")).unwrap().count(), 1);
    let milestone = &snapshot.documents[&M1];
    assert!(milestone.archived, "{:?}", snapshot.problems);
    assert_eq!(milestone.status, MilestoneStatus::Completed);
    assert_eq!(milestone.task(2).unwrap().status, TaskStatus::Completed);
}

/// Work on which one branch goes on while the other one files it away comes back to the open ones.
#[test]
fn archived_on_one_branch_and_extended_in_another() {
    for merge_base in [true, false] {
        let temp = tempfile::tempdir().unwrap();
        let (one, two) = two(temp.path());
        (1..=6).for_each(|number| one.run(&done(number)));
        one.commit("all done");
        two.git(&["pull", "-q"]);
        one.run(&Command::Archive { milestone: M1, closing: Box::default() });
        one.commit("archived");
        two.run(&Command::AddTask { milestone: M1, draft: Box::new(Task::new(0, "More")) });
        two.commit("more");
        let place = ".milestones/active/milestone-001.yaml";
        let (_, base) = two.try_git(&["show", &format!("HEAD~1:{place}")]);
        let (merged, said) = two.try_git(&["pull", "-q", "--no-rebase", "--no-edit"]);
        assert!(!said.contains("history/"), "{said}");
        let project = two.project();
        let found = all(&project).problems;
        let kinds: Vec<_> = found.iter().map(|problem| problem.kind).collect();
        let expected = if merged { ProblemKind::ArchivedOpen } else { ProblemKind::Unreadable };
        assert_eq!(kinds, [expected], "{found:?}");
        let mending = project.mend(&|_| merge_base.then(|| base.clone()), "ada").unwrap();
        assert_eq!(mending.left, Vec::<String>::new());
        let snapshot = all(&project);
        assert_eq!(snapshot.problems, []);
        let milestone = &snapshot.documents[&M1];
        assert!(!milestone.archived);
        assert_eq!(milestone.status, MilestoneStatus::InProgress);
        assert_eq!(milestone.task(7).unwrap().title, "More");
        assert!(two.root().join("active/milestone-001.yaml").exists());
        assert!(!two.root().join("completed/milestone-001.yaml").exists());
        two.agrees_with_its_history();
        two.run(&done(7));
        two.run(&Command::Archive { milestone: M1, closing: Box::default() });
        assert_eq!(two.project().mend(&|_| None, "ada").unwrap(), Mending::default());
        assert_eq!(all(&two.project()).problems, []);
    }
}

/// What is filed away with work left open, for a reason that was given, stays there.
#[test]
fn what_was_filed_away_by_force_stays_so() {
    let temp = tempfile::tempdir().unwrap();
    let (one, _) = two(temp.path());
    let closing = Closing { force: Some("given up".into()), ..Closing::default() };
    one.run(&Command::Archive { milestone: M1, closing: Box::new(closing) });
    fs::remove_dir_all(one.root().join("data")).unwrap();
    assert_eq!(all(&one.project()).problems, []);
    assert!(all(&one.project()).documents[&M1].archived);
}

/// Once the merge is committed, git does not know any more what both sides began with.
#[test]
fn archived_on_one_branch_and_edited_in_another_and_committed() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = two(temp.path());
    (1..=6).for_each(|number| one.run(&done(number)));
    one.run(&Command::Archive { milestone: M1, closing: Box::default() });
    one.commit("archived");
    let file = two.root().join("active/milestone-001.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}labels: [by-two]\n")).unwrap();
    assert_eq!(all(&two.project()).problems, []);
    two.commit("two");
    two.try_git(&["pull", "-q", "--no-rebase", "--no-edit"]);
    two.commit("merged");
    let project = two.project();
    project.mend(&|_| None, "ada").unwrap();
    let snapshot = all(&project);
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.documents[&M1].labels, ["by-two"]);
    assert!(snapshot.documents[&M1].archived);
}
