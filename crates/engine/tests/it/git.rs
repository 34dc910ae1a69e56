//! Work with the real git, in repositories as people and agents leave them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_engine::git::{
    Attempt, Branch, Caller, GitError, Identity, Integrated, Integration, Oid, Removed, Repository,
    Strategy, milestone_branch,
};
use tempfile::TempDir;
use uuid::Uuid;

pub const M1: MilestoneId = MilestoneId(1);
const M2: MilestoneId = MilestoneId(2);

pub fn attempt(task: u32, fence: u64) -> Attempt {
    let id = AttemptId(Uuid::from_u128((u128::from(task) << 64) | u128::from(fence)));
    Attempt { task: TaskId::new(M1, task), id, fence }
}

/// A repository of a person's, with one commit.
pub struct Place {
    temp: TempDir,
    pub home: PathBuf,
    pub top: PathBuf,
}

impl Place {
    pub fn new() -> Self {
        let temp = TempDir::new().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let place = Self { temp, home: root.join("home"), top: root.join("top") };
        fs::create_dir_all(&place.home).unwrap();
        fs::create_dir_all(&place.top).unwrap();
        place.git(&["init", "-q", "-b", "main"]);
        place.git(&["config", "user.name", "Ada"]);
        place.git(&["config", "user.email", "ada@example.org"]);
        place.write("one.txt", "one\n");
        place.write("two.txt", "two\n");
        place.write(".gitignore", "ignored/\n");
        place.write(".milestones/active/milestone-001.yaml", "id: milestone-001\n");
        place.git(&["add", "-A"]);
        place.git(&["commit", "-q", "-m", "Begin"]);
        place
    }

    fn write(&self, name: &str, text: &str) {
        write(&self.top.join(name), text);
    }

    pub fn git(&self, words: &[&str]) -> String {
        self.git_in(&self.top, words)
    }

    pub fn git_in(&self, folder: &Path, words: &[&str]) -> String {
        let (done, said) = self.try_git(folder, words);
        assert!(done, "git {words:?}: {said}");
        said.trim_end().to_owned()
    }

    pub fn try_git(&self, folder: &Path, words: &[&str]) -> (bool, String) {
        let mut command = Command::new("git");
        command.args(words).current_dir(folder).env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("HOME", &self.home).env("GIT_CONFIG_NOSYSTEM", "1");
        let out = command.output().unwrap();
        let said = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    pub fn caller(&self) -> Caller {
        let fallback = Identity { name: "Milestone".into(), email: "m@localhost".into() };
        Caller::new(fallback).with("HOME", &self.home).with("XDG_CONFIG_HOME", &self.home)
    }

    pub fn repository(&self) -> Repository {
        Repository::find(&self.top, &self.caller()).unwrap().unwrap()
    }

    fn worktree(&self, attempt: &Attempt) -> PathBuf {
        self.top.parent().unwrap().join("trees").join(attempt.task.to_string())
    }

    /// The branch of the milestone, with the attempt at work.
    pub fn begun(&self, attempt: &Attempt) -> (Repository, PathBuf, Oid) {
        let repository = self.repository();
        let start = repository.milestone_branch(M1, &[]).unwrap();
        repository.take_fence(attempt).unwrap();
        let path = self.worktree(attempt);
        repository.add_worktree(&path, attempt, &start).unwrap();
        (repository, path, start)
    }

    fn tip(&self) -> String {
        self.git(&["rev-parse", &milestone_branch(M1)])
    }

    fn shown(&self, commit: &Oid, file: &str) -> String {
        self.git(&["show", &format!("{commit}:{file}")])
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Where the work of tasks goes unless it goes into a stream.
pub static INTO: Branch = Branch { milestone: M1, stream: None };

fn work<'a>(attempt: &Attempt, kept: &'a Oid, strategy: Strategy) -> Integration<'a> {
    let (subject, body) = ("feat(milestone-001): a task", "What was done.");
    Integration { attempt: *attempt, into: &INTO, kept, subject, body, strategy }
}

fn integrated(repository: &Repository, work: &Integration<'_>) -> Oid {
    match repository.integrate(work).unwrap() {
        Integrated::Done(commit) => commit,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn a_repository_is_found_from_anywhere_in_it() {
    let place = Place::new();
    assert!(Repository::find(place.temp.path(), &place.caller()).unwrap().is_none());
    let (repository, path, _) = place.begun(&attempt(1, 1));
    fs::create_dir_all(path.join("deep/er")).unwrap();
    for folder in [path.join("deep/er"), place.top.join(".milestones")] {
        let found = Repository::find(&folder, &place.caller()).unwrap().unwrap();
        assert_eq!(found.top(), place.top);
        assert_eq!(found.common(), repository.common());
    }
}

#[test]
fn what_cannot_be_worked_in_is_named() {
    let place = Place::new();
    let bare = place.home.join("bare.git");
    place.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let found = Repository::find(&bare, &place.caller());
    assert!(matches!(found, Err(GitError::Bare { .. })), "{found:?}");
    let linked = place.home.join("linked");
    place.git_in(&bare, &["worktree", "add", "-q", linked.to_str().unwrap()]);
    let found = Repository::find(&linked, &place.caller());
    assert!(matches!(found, Err(GitError::Bare { .. })), "{found:?}");
    let empty = place.home.join("empty");
    fs::create_dir_all(&empty).unwrap();
    place.git_in(&empty, &["init", "-q"]);
    let found = Repository::find(&empty, &place.caller());
    assert!(matches!(found, Err(GitError::NoCommit { .. })), "{found:?}");
}

#[test]
fn work_begins_where_the_others_begin() {
    let place = Place::new();
    let repository = place.repository();
    place.git(&["switch", "-q", "-c", "other"]);
    assert_eq!(repository.default_branch().unwrap().branch.as_deref(), Some("refs/heads/main"));
    place.git(&["update-ref", "refs/remotes/origin/other", "HEAD"]);
    place.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/other"]);
    assert_eq!(repository.default_branch().unwrap().branch.as_deref(), Some("refs/heads/other"));
    place.git(&["symbolic-ref", "-d", "refs/remotes/origin/HEAD"]);
    place.git(&["branch", "-q", "-m", "main", "elsewhere"]);
    assert_eq!(repository.default_branch().unwrap().branch.as_deref(), Some("refs/heads/other"));
    place.git(&["checkout", "-q", "--detach"]);
    assert_eq!(repository.default_branch().unwrap().branch, None);
}

#[test]
fn a_milestone_contains_those_it_requires() {
    let place = Place::new();
    let (repository, path, start) = place.begun(&attempt(1, 1));
    write(&path.join("new.txt"), "new\n");
    let kept = repository.keep(&path, &attempt(1, 1), &start).unwrap();
    let done = integrated(&repository, &work(&attempt(1, 1), &kept.commit, Strategy::Squash));
    let absent = MilestoneId(9);
    place.git(&["commit", "-q", "--allow-empty", "-m", "Meanwhile"]);
    let tip = repository.milestone_branch(M2, &[M1, absent]).unwrap();
    assert_eq!(place.shown(&tip, "new.txt"), "new");
    let at = format!("{tip}");
    place.git(&["merge-base", "--is-ancestor", done.as_str(), &at]);
    assert_eq!(repository.milestone_branch(M2, &[M1]).unwrap(), tip);

    place.git(&["switch", "-q", "milestone/milestone-002"]);
    place.write("one.txt", "theirs\n");
    place.git(&["commit", "-q", "-a", "-m", "Theirs"]);
    place.git(&["switch", "-q", "milestone/milestone-001"]);
    place.write("one.txt", "ours\n");
    place.git(&["commit", "-q", "-a", "-m", "Ours"]);
    place.git(&["switch", "-q", "main"]);
    match repository.milestone_branch(M2, &[M1]) {
        Err(GitError::MilestonesConflict { required, files, .. }) => {
            assert_eq!((required, files), (M1, vec!["one.txt".to_owned()]));
        }
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn sixty_four_worktrees_are_made_at_once() {
    let place = Place::new();
    let repository = place.repository();
    let start = repository.milestone_branch(M1, &[]).unwrap();
    std::thread::scope(|scope| {
        for task in 1..=64 {
            let (repository, place, start) = (&repository, &place, &start);
            scope.spawn(move || {
                let attempt = attempt(task, 1);
                repository.take_fence(&attempt).unwrap();
                repository.add_worktree(&place.worktree(&attempt), &attempt, start).unwrap();
            });
        }
    });
    assert_eq!(repository.worktrees().unwrap().len(), 65);
    for task in 1..=64 {
        let described = repository.describe(&place.worktree(&attempt(task, 1))).unwrap();
        assert_eq!(described.branch, Some(attempt(task, 1).branch()));
        assert_eq!((described.commit.as_ref(), described.uncommitted.len()), (Some(&start), 0));
    }
    assert_eq!(place.git(&["config", "--get-regexp", "^user"]).lines().count(), 2);
}

#[test]
fn work_is_squashed_or_merged_into_the_milestone() {
    let place = Place::new();
    let (first, second) = (attempt(1, 1), attempt(2, 1));
    let (repository, path, start) = place.begun(&first);
    let (_, other, _) = place.begun(&second);
    write(&path.join("a.txt"), "a\n");
    place.git_in(&path, &["add", "-A"]);
    place.git_in(&path, &["commit", "-q", "-m", "mine"]);
    write(&path.join("b.txt"), "b\n");
    write(&other.join("c.txt"), "c\n");
    let kept = repository.keep(&path, &first, &start).unwrap();
    assert_eq!(kept.changed, ["a.txt", "b.txt"]);
    let squashed = integrated(&repository, &work(&first, &kept.commit, Strategy::Squash));
    assert_eq!(place.git(&["rev-list", "--count", squashed.as_str()]), "2");
    assert_eq!(place.tip(), squashed.as_str());
    let kept = repository.keep(&other, &second, &start).unwrap();
    let merged = integrated(&repository, &work(&second, &kept.commit, Strategy::Merge));
    let parents = place.git(&["log", "-1", "--format=%P", merged.as_str()]);
    assert_eq!(parents, format!("{squashed} {}", kept.commit));
    for file in ["a.txt", "b.txt", "c.txt"] {
        assert_eq!(place.shown(&merged, file), file[..1]);
    }
    let trailers =
        place.git(&["log", "-1", "--format=%(trailers:key=Task,valueonly)", merged.as_str()]);
    assert_eq!(trailers.trim(), "task-001-002");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
    repository.make_durable().unwrap();
}

#[test]
fn a_repeat_after_a_crash_is_told_what_was_done() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    assert_eq!(repository.done(&mine, &INTO).unwrap(), None);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(repository.keep(&path, &mine, &start).unwrap().changed, kept.changed);
    let work = work(&mine, &kept.commit, Strategy::Squash);
    let done = integrated(&repository, &work);
    assert_eq!(repository.done(&mine, &INTO).unwrap().as_ref(), Some(&done));
    assert_eq!(integrated(&repository, &work), done);
    assert_eq!(place.tip(), done.as_str());
    let next = attempt(1, 2);
    assert_eq!(repository.done(&next, &INTO).unwrap(), None, "that was another attempt");
    let again = Integration { attempt: next, ..work };
    assert_eq!(repository.integrate(&again).unwrap(), Integrated::Nothing);
    place.git(&["update-ref", &milestone_branch(M1), start.as_str()]);
    assert_eq!(repository.done(&mine, &INTO).unwrap(), None, "somebody took it out again");
}

#[test]
fn a_conflict_names_its_files_and_changes_nothing() {
    let place = Place::new();
    let (first, second) = (attempt(1, 1), attempt(2, 1));
    let (repository, path, start) = place.begun(&first);
    let (_, other, _) = place.begun(&second);
    write(&path.join("one.txt"), "mine\n");
    write(&other.join("one.txt"), "theirs\n");
    let kept = repository.keep(&path, &first, &start).unwrap();
    let done = integrated(&repository, &work(&first, &kept.commit, Strategy::Squash));
    let kept = repository.keep(&other, &second, &start).unwrap();
    let conflict = repository.integrate(&work(&second, &kept.commit, Strategy::Squash)).unwrap();
    assert_eq!(conflict, Integrated::Conflict { files: vec!["one.txt".into()] });
    assert_eq!(place.tip(), done.as_str());
}

#[test]
fn whoever_was_taken_over_changes_nothing() {
    let place = Place::new();
    let (stale, next) = (attempt(1, 1), attempt(1, 2));
    let (repository, path, start) = place.begun(&stale);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &stale, &start).unwrap();
    repository.take_fence(&next).unwrap();
    repository.take_fence(&next).unwrap();
    let rival = Attempt { id: AttemptId(Uuid::from_u128(99)), ..next };
    for old in [stale, rival] {
        let refused = repository.take_fence(&old);
        assert!(matches!(refused, Err(GitError::FenceMoved { by: 2, .. })), "{refused:?}");
    }
    let refused = repository.integrate(&work(&stale, &kept.commit, Strategy::Squash));
    assert!(matches!(refused, Err(GitError::FenceMoved { by: 2, .. })), "{refused:?}");
    assert_eq!(place.tip(), start.as_str());
}

#[test]
fn many_integrate_at_once_and_all_of_it_arrives() {
    let place = Place::new();
    let attempts: Vec<Attempt> = (1..=8).map(|task| attempt(task, 1)).collect();
    let mut kept = Vec::new();
    for mine in &attempts {
        let (repository, path, start) = place.begun(mine);
        write(&path.join(format!("{}.txt", mine.task)), "x\n");
        kept.push(repository.keep(&path, mine, &start).unwrap().commit);
    }
    let repository = place.repository();
    std::thread::scope(|scope| {
        for (mine, kept) in attempts.iter().zip(&kept) {
            let repository = &repository;
            scope.spawn(move || integrated(repository, &work(mine, kept, Strategy::Squash)));
        }
    });
    assert_eq!(place.git(&["rev-list", "--count", &milestone_branch(M1)]), "9");
    for mine in &attempts {
        assert!(repository.done(mine, &INTO).unwrap().is_some());
    }
}

#[test]
fn a_branch_that_a_person_has_checked_out_is_left_alone() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    place.git(&["switch", "-q", "milestone/milestone-001"]);
    let refused = repository.integrate(&work(&mine, &kept.commit, Strategy::Squash));
    match refused {
        Err(GitError::CheckedOut { path, .. }) => assert_eq!(path, place.top),
        other => unreachable!("{other:?}"),
    }
    assert_eq!(place.tip(), start.as_str());
}

#[test]
fn everything_that_an_attempt_left_is_kept() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("one.txt"), "changed\n");
    write(&path.join("new/ä \"b\"\n.txt"), "new\n");
    write(&path.join("ignored/cache"), "x\n");
    fs::remove_file(path.join("two.txt")).unwrap();
    place.git_in(&path, &["update-index", "--assume-unchanged", "one.txt"]);
    let before = fs::read(place.top.join(".git/worktrees/task-001-001/index")).unwrap();
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.changed, ["new/ä \"b\"\n.txt", "one.txt", "two.txt"]);
    assert!(!kept.state_touched && kept.missed.is_empty(), "{kept:?}");
    assert_eq!(place.shown(&kept.commit, "one.txt"), "changed");
    assert_eq!(place.git(&["rev-parse", &mine.kept()]), kept.commit.as_str());
    let after = fs::read(place.top.join(".git/worktrees/task-001-001/index")).unwrap();
    assert_eq!(before, after, "the worktree's own index");
    let left = fs::read_dir(place.top.join(".git")).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = left.filter(|name| name.starts_with("milestone-")).collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn nothing_to_keep_is_the_commit_that_is_there() {
    let place = Place::new();
    let (repository, path, start) = place.begun(&attempt(1, 1));
    let kept = repository.keep(&path, &attempt(1, 1), &start).unwrap();
    assert_eq!((kept.commit, kept.changed.len()), (start, 0));
}

#[test]
fn the_projects_own_folder_is_never_staged() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    let document = ".milestones/active/milestone-001.yaml";
    write(&path.join(".milestones/data/x"), "x\n");
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.changed, ["a.txt"]);
    assert!(kept.state_touched);
    write(&path.join(document), "id: milestone-666\n");
    place.git_in(&path, &["add", "-A"]);
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!((kept.changed.len(), kept.state_touched), (1, true));
    assert_eq!(place.shown(&kept.commit, document), "id: milestone-001");
    place.git_in(&path, &["commit", "-q", "-m", "sly"]);
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert!(kept.state_touched && kept.changed.contains(&document.to_owned()), "{kept:?}");
}

#[test]
fn work_is_kept_in_the_middle_of_anything() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    let dirty = |name: &str| {
        write(&path.join("late.txt"), name);
        let kept = repository.keep(&path, &mine, &start).unwrap();
        assert_eq!(place.shown(&kept.commit, "late.txt"), name);
        kept
    };
    place.git_in(&path, &["switch", "-q", "-c", "side"]);
    write(&path.join("one.txt"), "side\n");
    place.git_in(&path, &["commit", "-q", "-a", "-m", "side"]);
    dirty("switched");
    place.git_in(&path, &["checkout", "-q", "--detach"]);
    dirty("detached");
    place.git_in(&path, &["switch", "-q", &mine.branch_name()]);
    write(&path.join("one.txt"), "here\n");
    place.git_in(&path, &["commit", "-q", "-a", "-m", "here"]);
    assert!(!place.try_git(&path, &["merge", "side"]).0, "it conflicts");
    let kept = dirty("merging");
    assert!(place.shown(&kept.commit, "one.txt").contains("<<<<<<<"));
    assert!(place.try_git(&path, &["rev-parse", "--verify", "MERGE_HEAD"]).0, "it still merges");
    place.git_in(&path, &["merge", "--abort"]);
    assert!(!place.try_git(&path, &["rebase", "side"]).0, "it conflicts");
    dirty("rebasing");
    place.git_in(&path, &["rebase", "--abort"]);
    place.git_in(&path, &["checkout", "-q", "--orphan", "nothing"]);
    dirty("orphan");
    // Somebody put a repository of its own in the place of ours.
    fs::remove_file(path.join(".git")).unwrap();
    place.git_in(&path, &["init", "-q"]);
    let kept = dirty("usurped");
    let stays = repository.remove_worktree(&path, &mine, &kept.commit).unwrap();
    assert!(matches!(stays, Removed::Kept(_)), "{stays:?}");
}

#[test]
fn a_worktree_goes_only_with_everything_kept() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    write(&path.join("ignored/cache"), "x\n");
    let early = repository.keep(&path, &mine, &start).unwrap();
    write(&path.join("a.txt"), "b\n");
    let stays = repository.remove_worktree(&path, &mine, &early.commit).unwrap();
    assert!(matches!(stays, Removed::Kept(_)), "{stays:?}");
    assert_eq!(fs::read_to_string(path.join("a.txt")).unwrap(), "b\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    place.git_in(&path, &["commit", "-q", "--allow-empty", "-m", "one more"]);
    let stays = repository.remove_worktree(&path, &mine, &kept.commit).unwrap();
    assert!(matches!(stays, Removed::Kept(_)), "a commit that was not kept: {stays:?}");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    // As a removal that was killed leaves it.
    fs::remove_file(path.join("one.txt")).unwrap();
    fs::remove_file(path.join(".git")).unwrap();
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
    assert!(!path.exists());
    assert_eq!(repository.worktrees().unwrap().len(), 1);
    assert!(!place.try_git(&place.top, &["rev-parse", "--verify", "-q", &mine.branch()]).0);
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
    assert_eq!(place.shown(&early.commit, "a.txt"), "a");
}

#[test]
fn a_worktree_that_git_has_forgotten_goes_only_with_nothing_new() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    // As a power cut leaves it.
    let admin = fs::read_dir(place.top.join(".git/worktrees")).unwrap().next().unwrap().unwrap();
    fs::write(admin.path().join("gitdir"), "").unwrap();
    let unknown = repository.keep(&path, &mine, &start);
    assert!(matches!(unknown, Err(GitError::NotAWorktree { .. })), "{unknown:?}");
    write(&path.join("ignored/new.txt"), "a\n");
    let stays = repository.remove_worktree(&path, &mine, &start).unwrap();
    assert!(matches!(stays, Removed::Kept(_)), "{stays:?}");
    fs::remove_file(path.join("ignored/new.txt")).unwrap();
    fs::remove_file(path.join("one.txt")).unwrap();
    assert_eq!(repository.remove_worktree(&path, &mine, &start).unwrap(), Removed::Gone);
    assert!(!path.exists());
}

#[test]
fn that_git_was_killed_is_no_reason_for_a_worktree_to_stay() {
    let place = Place::new();
    let mine = attempt(1, 1);
    place.write(".gitattributes", "two.txt filter=deadly\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "With a filter"]);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("two.txt"), "three\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    place.git(&["config", "filter.deadly.clean", "kill -9 $PPID"]);
    write(&path.join("two.txt"), "three\n");
    let removed = repository.remove_worktree(&path, &mine, &kept.commit);
    assert!(matches!(removed, Err(GitError::Failed { exit: None, .. })), "{removed:?}");
    place.git(&["config", "--unset", "filter.deadly.clean"]);
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
}

#[test]
fn a_removal_that_was_killed_takes_nothing_from_what_is_kept() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    // As one leaves it that was killed after the first file.
    let going = path.with_added_extension("going");
    fs::rename(&path, &going).unwrap();
    fs::remove_file(going.join("a.txt")).unwrap();
    assert_eq!(repository.keep(&path, &mine, &start).unwrap(), kept);
    assert_eq!(place.shown(&kept.commit, "a.txt"), "a");
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
    assert!(!going.exists() && !place.top.join(".git/worktrees/task-001-001").exists());
    assert_eq!(repository.keep(&path, &mine, &start).unwrap(), kept);
}

#[test]
fn what_was_changed_in_the_moment_in_which_it_was_staged_is_kept() {
    let place = Place::new();
    let mine = attempt(1, 1);
    place.git(&["config", "core.trustctime", "false"]);
    let (repository, path, start) = place.begun(&mine);
    let file = path.join("a.txt");
    let index = place.top.join(".git/worktrees/task-001-001/index");
    let then = SystemTime::now() - Duration::from_mins(1);
    let date = |file: &Path| {
        fs::File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
    };
    write(&file, "a\n");
    date(&file);
    place.git_in(&path, &["add", "a.txt"]);
    // The same length: neither that nor a time tells that it is another text.
    write(&file, "b\n");
    date(&file);
    date(&index);
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(place.shown(&kept.commit, "a.txt"), "b");
}

#[test]
fn repositories_within_are_named_and_never_removed() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let library = place.home.join("library");
    fs::create_dir_all(&library).unwrap();
    place.git_in(&library, &["init", "-q"]);
    let identity = ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "--allow-empty"];
    place.git_in(&library, &[&identity[..], &["-m", "L"]].concat());
    let from = library.to_str().unwrap();
    place.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", from, "lib"]);
    place.git(&["commit", "-q", "-m", "With a submodule"]);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!((kept.changed, kept.missed), (vec!["a.txt".to_owned()], vec![]));
    let nested = path.join("nested");
    fs::create_dir_all(&nested).unwrap();
    place.git_in(&nested, &["init", "-q"]);
    write(&nested.join("b.txt"), "b\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert!(!kept.missed.is_empty(), "one without a commit: {kept:?}");
    assert_eq!(place.shown(&kept.commit, "a.txt"), "a");
    place.git_in(&nested, &[&identity[..], &["-m", "L"]].concat());
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.missed.len(), 1, "{kept:?}");
    let stays = repository.remove_worktree(&path, &mine, &kept.commit).unwrap();
    assert!(matches!(stays, Removed::Kept(_)), "{stays:?}");
}

#[test]
fn a_worktree_is_made_once_and_half_of_one_anew() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    repository.add_worktree(&path, &mine, &start).unwrap();
    assert!(path.join("a.txt").exists(), "one that is there is left as it is");
    fs::remove_file(path.join("a.txt")).unwrap();

    // As a git that is killed leaves it.
    let admin = place.top.join(".git/worktrees/task-001-001");
    write(&admin.join("locked"), "initializing");
    fs::remove_file(path.join("one.txt")).unwrap();
    repository.add_worktree(&path, &mine, &start).unwrap();
    assert_eq!(fs::read_to_string(path.join("one.txt")).unwrap(), "one\n");
    let around = |path: &Path| fs::read_dir(path.parent().unwrap()).unwrap().count();
    assert_eq!(around(&path), 1);

    write(&place.top.join(".git/worktrees/task-001-001/locked"), "initializing");
    write(&path.join("somebodys.txt"), "x\n");
    repository.add_worktree(&path, &mine, &start).unwrap();
    assert_eq!(around(&path), 2, "what is not in git is moved aside");

    // Its folder was deleted; its commits are still there.
    place.git_in(&path, &["commit", "-q", "--allow-empty", "-m", "done so far"]);
    let at = place.git_in(&path, &["rev-parse", "HEAD"]);
    fs::remove_dir_all(&path).unwrap();
    repository.add_worktree(&path, &mine, &start).unwrap();
    assert_eq!(place.git_in(&path, &["rev-parse", "HEAD"]), at);

    let other = attempt(2, 1);
    let taken = repository.add_worktree(&path, &other, &start);
    assert!(matches!(taken, Err(GitError::PathTaken { .. })), "{taken:?}");
    write(&place.worktree(&other).join("x"), "x\n");
    let taken = repository.add_worktree(&place.worktree(&other), &other, &start);
    assert!(matches!(taken, Err(GitError::PathTaken { .. })), "{taken:?}");
}

#[test]
fn nothing_stays_of_half_a_worktree_whose_removal_was_killed() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    let unfinished = || {
        write(&place.top.join(".git/worktrees/task-001-001/locked"), "initializing");
    };
    let left = || {
        let names = fs::read_dir(path.parent().unwrap()).unwrap().flatten();
        names.map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    unfinished();
    fs::rename(&path, path.with_added_extension("going")).unwrap();
    assert_eq!(repository.remove_worktree(&path, &mine, &start).unwrap(), Removed::Gone);
    assert!(left().is_empty(), "{:?}", left());

    repository.add_worktree(&path, &mine, &start).unwrap();
    unfinished();
    write(&path.with_added_extension("going").join("one.txt"), "one\n");
    assert_eq!(repository.remove_worktree(&path, &mine, &start).unwrap(), Removed::Gone);
    assert!(left().is_empty(), "{:?}", left());
}

#[test]
fn hooks_and_a_repositorys_own_settings_start_nothing() {
    let place = Place::new();
    let mark = place.home.join("mark");
    let script = format!("#!/bin/sh\necho \"$0 $*\" >> {}\n", mark.display());
    let evil = place.home.join("evil.sh");
    write(&evil, &script);
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let hooks = ["post-checkout", "reference-transaction", "pre-commit", "post-index-change"];
    for folder in [".git/hooks", "hooks"] {
        for hook in hooks {
            let hook = place.top.join(folder).join(hook);
            write(&hook, &script);
            fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    let program = evil.to_str().unwrap();
    let (alias, other) = (format!("!{program}"), place.top.join("hooks"));
    let settings = [
        ("core.hooksPath", other.to_str().unwrap()),
        ("core.fsmonitor", program),
        ("core.pager", program),
        ("core.editor", program),
        ("core.sshCommand", program),
        ("diff.external", program),
        ("alias.status", alias.as_str()),
        ("alias.merge-tree", alias.as_str()),
    ];
    for (key, value) in settings {
        place.git(&["config", key, value]);
    }
    place.git(&["update-ref", "refs/heads/x", "HEAD"]);
    assert!(mark.exists(), "they are started by who does not take care");
    fs::remove_file(&mark).unwrap();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    integrated(&repository, &work(&mine, &kept.commit, Strategy::Squash));
    repository.describe(&path).unwrap();
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
    assert_eq!(fs::read_to_string(&mark).unwrap_or_default(), "");
}

#[test]
fn what_a_sparse_checkout_leaves_out_is_not_deleted() {
    let place = Place::new();
    place.write("left/out.txt", "out\n");
    place.write("in/in.txt", "in\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "Wide"]);
    place.git(&["sparse-checkout", "set", "--sparse-index", "in"]);
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    assert!(!path.join("left").exists());
    write(&path.join("in/in.txt"), "more\n");
    write(&path.join("left/new.txt"), "new\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.changed, ["in/in.txt", "left/new.txt"]);
    assert!(!kept.state_touched, "{kept:?}");
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
}

#[test]
fn what_there_was_no_room_for_is_neither_left_out_nor_left_standing() {
    let place = Place::new();
    let full = place.home.join("full");
    place.write(".gitattributes", "*.big filter=store\n");
    place.git(&["add", ".gitattributes"]);
    place.git(&["commit", "-q", "-m", "Begin"]);
    let store = format!(
        "test ! -e {} || {{ echo 'x.big: No space left on device' >&2; exit 1; }}; cat",
        full.display()
    );
    place.git(&["config", "filter.store.clean", &store]);
    place.git(&["config", "filter.store.required", "true"]);
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("x.big"), "big\n");
    write(&full, "");
    let kept = repository.keep(&path, &mine, &start);
    assert!(matches!(kept, Err(GitError::NoRoom { .. })), "{kept:?}");
    fs::remove_file(&full).unwrap();
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.missed, Vec::<String>::new());

    // So that git has to look into the file again.
    write(&path.join("x.big"), "big\n");
    write(&full, "");
    let removed = repository.remove_worktree(&path, &mine, &kept.commit);
    assert!(matches!(removed, Err(GitError::NoRoom { .. })), "{removed:?}");
    fs::remove_file(&full).unwrap();
    let removed = repository.remove_worktree(&path, &mine, &kept.commit);
    assert_eq!(removed.unwrap(), Removed::Gone);
}

#[test]
fn filters_of_large_files_are_applied() {
    let place = Place::new();
    place.git(&["config", "filter.up.clean", "tr a-z A-Z"]);
    place.git(&["config", "filter.up.smudge", "tr A-Z a-z"]);
    place.git(&["config", "filter.up.required", "true"]);
    place.write(".gitattributes", "*.big filter=up\n");
    place.write("x.big", "large\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "Large"]);
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    assert_eq!(fs::read_to_string(path.join("x.big")).unwrap(), "large\n");
    write(&path.join("x.big"), "larger\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(place.shown(&kept.commit, "x.big"), "LARGER");
    assert_eq!(repository.remove_worktree(&path, &mine, &kept.commit).unwrap(), Removed::Gone);
}

#[test]
fn hostile_words_are_only_words() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("--help"), "x\n");
    write(&path.join(":(top)x"), "x\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.changed, ["--help", ":(top)x"]);
    let body = format!("--amend\n\nAttempt: {}\n---\n$(id)", Uuid::from_u128(5));
    let subject = "-m x\u{1b}[31m\nTask: task-009-009";
    let hostile =
        Integration { subject, body: &body, ..work(&mine, &kept.commit, Strategy::Squash) };
    let done = integrated(&repository, &hostile);
    let said =
        place.git(&["log", "-1", "--format=%s|%(trailers:key=Attempt,valueonly)", done.as_str()]);
    assert_eq!(said.trim(), format!("-m x [31m Task: task-009-009|{}", mine.id.0));
    assert_eq!(repository.done(&mine, &INTO).unwrap(), Some(done));
}

#[test]
fn somebody_without_a_name_still_has_commits() {
    let place = Place::new();
    place.git(&["config", "--unset", "user.name"]);
    place.git(&["config", "--unset", "user.email"]);
    place.git(&["config", "user.useConfigOnly", "true"]);
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    let by = place.git(&["log", "-1", "--format=%an <%ae>", kept.commit.as_str()]);
    assert_eq!(by, "Milestone <m@localhost>");
}

#[test]
fn commits_are_signed_where_the_person_signs() {
    let place = Place::new();
    let key = place.home.join("key");
    let words = ["-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", key.to_str().unwrap()];
    if !Command::new("ssh-keygen").args(words).status().is_ok_and(|status| status.success()) {
        return;
    }
    place.git(&["config", "gpg.format", "ssh"]);
    place.git(&["config", "user.signingKey", key.to_str().unwrap()]);
    place.git(&["config", "commit.gpgsign", "true"]);
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    let squash = work(&mine, &kept.commit, Strategy::Squash);
    place.git(&["config", "user.signingKey", "/none"]);
    let unsigned = repository.integrate(&squash);
    assert!(matches!(unsigned, Err(GitError::Signing { .. })), "{unsigned:?}");
    assert_eq!(place.tip(), start.as_str());
    place.git(&["config", "user.signingKey", key.to_str().unwrap()]);
    let done = integrated(&repository, &squash);
    assert!(place.git(&["cat-file", "commit", done.as_str()]).contains("gpgsig"));
    assert_eq!(repository.done(&mine, &INTO).unwrap(), Some(done));
}

#[test]
fn a_worktree_is_made_although_git_was_killed_while_making_it() {
    for whole in [false, true] {
        make_while_git_is_killed(whole);
    }
}

/// Kills what checks files out, or all that was started to make a worktree.
fn make_while_git_is_killed(whole: bool) {
    let place = Place::new();
    let pid = place.home.join("pid");
    let slow = format!("if [ ! -e {0} ]; then echo $PPID > {0}; sleep 1; fi; cat", pid.display());
    place.git(&["config", "filter.slow.smudge", &slow]);
    place.git(&["config", "filter.slow.clean", "cat"]);
    place.write(".gitattributes", "two.txt filter=slow\n");
    place.git(&["add", "-A"]);
    place.git(&["commit", "-q", "-m", "Slow"]);
    let mine = attempt(1, 1);
    let repository = place.repository();
    let start = repository.milestone_branch(M1, &[]).unwrap();
    let path = place.worktree(&mine);
    std::thread::scope(|scope| {
        let adding = scope.spawn(|| repository.add_worktree(&path, &mine, &start));
        let at_work = || fs::read_to_string(&pid).ok().filter(|pid| pid.ends_with('\n'));
        let child = loop {
            if let Some(pid) = at_work() {
                break pid;
            }
            std::thread::yield_now();
        };
        let group = fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap();
        let group = format!("-{}", group.rsplit(')').next().unwrap().split(' ').nth(3).unwrap());
        let whom = if whole { group.as_str() } else { child.trim() };
        let kill = Command::new("kill").args(["-9", "--", whom]).status().unwrap();
        assert!(kill.success());
        let ended = adding.join().unwrap();
        assert!(ended.is_err(), "{ended:?}");
    });
    let half = place.top.join(".git/worktrees/task-001-001/locked");
    assert_eq!(half.exists(), whole, "git clears up if it can");
    if whole {
        // Nobody goes on with it: it goes, and nothing of it is kept.
        let kept = repository.keep(&path, &mine, &start).unwrap();
        assert_eq!((kept.commit, kept.changed), (start.clone(), vec![]));
        assert_eq!(repository.remove_worktree(&path, &mine, &start).unwrap(), Removed::Gone);
        assert_eq!(repository.worktrees().unwrap().len(), 1);
        assert!(!place.try_git(&place.top, &["rev-parse", "--verify", "-q", &mine.branch()]).0);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }
    repository.add_worktree(&path, &mine, &start).unwrap();
    assert_eq!(fs::read_to_string(path.join("two.txt")).unwrap(), "two\n");
    let kept = repository.keep(&path, &mine, &start).unwrap();
    assert_eq!(kept.changed, Vec::<String>::new());
}

/// A repository in which signing takes until it is told to go on.
fn slow_to_sign() -> Place {
    let place = Place::new();
    let script = "#!/bin/sh\ncd \"$(dirname \"$0\")\"; cat > /dev/null; touch signing\n\
                  while [ ! -e go ]; do sleep 0.02; done\n\
                  echo '[GNUPG:] SIG_CREATED ' >&2; echo '-----BEGIN PGP SIGNATURE-----'\n";
    let program = place.home.join("sign.sh");
    write(&program, script);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    place.git(&["config", "gpg.program", program.to_str().unwrap()]);
    place.git(&["config", "commit.gpgsign", "true"]);
    place
}

/// What integrating comes to when something happens between its reading and its writing.
fn interrupted(
    place: &Place,
    mine: &Attempt,
    meanwhile: impl FnOnce(&Repository, &Oid),
) -> Result<Integrated, GitError> {
    let (repository, path, start) = place.begun(mine);
    write(&path.join("a.txt"), "a\n");
    let kept = repository.keep(&path, mine, &start).unwrap();
    let squash = work(mine, &kept.commit, Strategy::Squash);
    std::thread::scope(|scope| {
        let integrating = scope.spawn(|| repository.integrate(&squash));
        while !place.home.join("signing").exists() {
            std::thread::yield_now();
        }
        meanwhile(&repository, &start);
        write(&place.home.join("go"), "");
        integrating.join().unwrap()
    })
}

#[test]
fn whoever_is_taken_over_while_integrating_changes_nothing() {
    let place = slow_to_sign();
    let refused = interrupted(&place, &attempt(1, 1), |repository, _| {
        repository.take_fence(&attempt(1, 2)).unwrap();
    });
    assert!(matches!(refused, Err(GitError::FenceMoved { by: 2, .. })), "{refused:?}");
    assert_eq!(place.tip(), place.git(&["rev-parse", "main"]));
    assert!(
        !place
            .try_git(
                &place.top,
                &["rev-parse", "-q", "--verify", "refs/milestone/done/task-001-001"]
            )
            .0
    );
}

#[test]
fn what_came_into_the_branch_meanwhile_stays_in_it() {
    let place = slow_to_sign();
    let mut other = None;
    let done = interrupted(&place, &attempt(1, 1), |_, start| {
        let tree = format!("{start}^{{tree}}");
        let commit = place.git(&["commit-tree", "-p", start.as_str(), "-m", "Other", &tree]);
        place.git(&["update-ref", &milestone_branch(M1), &commit]);
        other = Some(commit);
    });
    let Ok(Integrated::Done(done)) = done else { unreachable!("{done:?}") };
    assert_eq!(place.git(&["rev-parse", &format!("{done}^")]), other.unwrap());
}

#[test]
fn a_branch_that_is_checked_out_meanwhile_is_left_alone() {
    let place = slow_to_sign();
    let refused = interrupted(&place, &attempt(1, 1), |_, _| {
        place.git(&["switch", "-q", "milestone/milestone-001"]);
    });
    assert!(matches!(refused, Err(GitError::CheckedOut { .. })), "{refused:?}");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

/// A record as a git of ours has it, which began this many seconds from now.
fn record(place: &Place, seconds: i64, leaves: &str) -> PathBuf {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let began = i64::try_from(now).unwrap() + seconds * 1_000_000;
    let path = place.top.join(".git/milestone-git-1-1");
    write(&path, &format!("{{\"began\":{began},\"leaves\":[\"{leaves}\"]}}\n"));
    path
}

#[test]
fn the_lock_of_a_killed_git_of_ours_is_no_obstacle() {
    let place = Place::new();
    let repository = place.repository();
    let name = "refs/milestone/fence/task-001-001.lock";
    let lock = place.top.join(".git").join(name);
    let record = record(&place, -5, name);
    write(&lock, "");
    repository.take_fence(&attempt(1, 1)).unwrap();
    assert!(!lock.exists() && !record.exists());

    // A power cut has torn the record.
    write(&record, "");
    let name = "refs/heads/milestone/milestone-001.lock";
    let lock = place.top.join(".git").join(name);
    write(&lock, "");
    place.repository().milestone_branch(M1, &[]).unwrap();
    assert!(!lock.exists() && !record.exists());
}

#[test]
fn a_git_that_was_killed_while_it_made_a_worktree_stops_no_other() {
    let place = Place::new();
    let mine = attempt(1, 1);
    let (repository, path, start) = place.begun(&mine);
    let half = place.top.join(".git/worktrees/task-001-002");
    let broken = || {
        write(&half.join("locked"), "initializing");
        write(&half.join("gitdir"), &format!("{}\n", place.worktree(&attempt(2, 1)).display()));
        write(&half.join("commondir"), "");
        assert!(!place.try_git(&place.top, &["worktree", "list"]).0);
    };
    for text in [r#"{"began":0,"leaves":["worktrees/task-001-002*"]}"#, ""] {
        broken();
        write(&place.top.join(".git/milestone-git-1-1"), &format!("{text}\n"));
        repository.add_worktree(&path, &mine, &start).unwrap();
        place.git(&["worktree", "list"]);
        repository.add_worktree(&place.worktree(&attempt(2, 1)), &attempt(2, 1), &start).unwrap();
        place.git(&["worktree", "remove", "--force", "task-001-002"]);
    }
    // That of somebody else may be about to be written.
    write(&place.top.join(".git/milestone-git-1-1"), r#"{"began":0,"leaves":["worktrees/a*"]}"#);
    write(&half.join("commondir"), "");
    repository.clear_left_behind().unwrap();
    assert!(half.join("commondir").exists());
}

#[test]
fn a_repository_that_cannot_be_read_is_not_taken_for_none() {
    let place = Place::new();
    let head = place.top.join(".git/HEAD");
    let said = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    let below = place.top.join("below");
    fs::create_dir_all(&below).unwrap();
    for folder in [&place.top, &below] {
        let found = Repository::find(folder, &place.caller());
        assert!(matches!(found, Err(GitError::Unreadable { .. })), "{found:?}");
    }
    fs::write(&head, said).unwrap();
    assert!(Repository::find(&below, &place.caller()).unwrap().is_some());
    assert!(Repository::find(place.top.parent().unwrap(), &place.caller()).unwrap().is_none());
}

#[test]
fn the_lock_of_anybody_else_stays() {
    let place = Place::new();
    let repository = place.repository();
    let name = "refs/milestone/fence/task-001-001.lock";
    let lock = place.top.join(".git").join(name);

    // One of ours that still lives.
    let alive = record(&place, -5, name);
    write(&lock, "");
    let held = fs::File::open(&alive).unwrap();
    held.lock().unwrap();
    repository.clear_left_behind().unwrap();
    assert!(lock.exists() && alive.exists());
    drop(held);

    // One that was there before ours began.
    record(&place, 5, name);
    repository.clear_left_behind().unwrap();
    assert!(lock.exists());

    // One that none of ours was about to make.
    record(&place, -5, "refs/milestone/fence/task-001-002.lock");
    repository.clear_left_behind().unwrap();
    assert!(lock.exists());

    // One that is no lock of ours, whatever a record says.
    for name in
        ["index.lock", "refs/heads/main.lock", "refs/milestone/../heads/main.lock", "config"]
    {
        let path = place.top.join(".git").join(name);
        let was_there = path.exists();
        record(&place, -5, name);
        if !was_there {
            write(&path, "");
        }
        repository.clear_left_behind().unwrap();
        assert!(path.exists(), "{name}");
        if !was_there {
            fs::remove_file(path).unwrap();
        }
    }

    // One that a git at work in this repository may have made.
    record(&place, -5, name);
    let mut person = Command::new("git");
    person.args(["cat-file", "--batch"]).current_dir(&place.top);
    let mut person = person.stdin(std::process::Stdio::piped()).spawn().unwrap();
    while fs::read_to_string(format!("/proc/{}/comm", person.id())).unwrap().trim() != "git" {
        std::thread::yield_now();
    }
    assert!(repository.clear_left_behind().unwrap());
    assert!(lock.exists());
    drop(person.stdin.take());
    person.wait().unwrap();
    assert!(!repository.clear_left_behind().unwrap());
    assert!(!lock.exists());
}

#[test]
fn a_lock_in_the_way_is_named_and_nothing_is_lost() {
    let place = Place::new();
    let (repository, ..) = place.begun(&attempt(1, 1));
    let lock = place.top.join(".git/refs/milestone/fence/task-001-001.lock");
    write(&lock, "");
    match repository.take_fence(&attempt(1, 2)) {
        Err(error @ GitError::Locked { .. }) => {
            assert!(error.to_string().contains("task-001-001.lock"), "{error}");
        }
        other => unreachable!("{other:?}"),
    }
    assert!(lock.exists());
}
