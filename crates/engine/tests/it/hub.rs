//! Several clones of one repository, and sessions in that itself: what all bring in arrives, once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use milestone_engine::git::{
    Attempt, Branch, Cloned, GitError, Integrated, Integration, Oid, Repository, Strategy, clone,
    milestone_branch,
};

use crate::git::{M1, Place, attempt};

/// A worker's clone of a place.
struct Clone {
    repository: Repository,
    top: PathBuf,
}

fn cloned(place: &Place, name: &str) -> Clone {
    let top = place.top.parent().unwrap().join(name);
    let address = place.top.to_str().unwrap();
    let Cloned::There(repository) = clone(address, &top, &place.caller()).unwrap() else {
        unreachable!("it is there")
    };
    repository.follow_default().unwrap();
    Clone { repository, top }
}

/// The attempt's worktree with one file changed, and what is kept of it.
fn worked(repository: &Repository, attempt: &Attempt, file: &str, text: &str) -> Oid {
    let start = repository.milestone_branch(M1, &[]).unwrap();
    let folder = repository.top().with_added_extension("trees").join(attempt.id.0.to_string());
    repository.add_worktree(&folder, attempt, &start).unwrap();
    fs::write(folder.join(file), text).unwrap();
    let kept = repository.keep(&folder, attempt, &start).unwrap().commit;
    repository.hand_over(attempt, &kept).unwrap();
    kept
}

fn brought_in(
    repository: &Repository,
    attempt: &Attempt,
    kept: &Oid,
) -> Result<Integrated, GitError> {
    let (subject, body) = ("feat(milestone-001): a task", "What was done.");
    let strategy = Strategy::Squash;
    let into = &Branch::of(M1);
    repository.integrate(&Integration { attempt: *attempt, kept, subject, body, strategy, into })
}

fn done(repository: &Repository, attempt: &Attempt, file: &str) -> Oid {
    repository.take_fence(attempt).unwrap();
    repository.refresh(M1, &[]).unwrap();
    let kept = worked(repository, attempt, file, file);
    match brought_in(repository, attempt, &kept).unwrap() {
        Integrated::Done(commit) => commit,
        other => unreachable!("{other:?}"),
    }
}

/// How many commits the hub's branch has after the first one.
fn commits(place: &Place) -> usize {
    let log = place.git(&["log", "--format=%s", &milestone_branch(M1), "^main"]);
    log.lines().count()
}

#[test]
fn what_is_brought_in_from_both_sides_at_once_all_arrives() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let host = place.repository();
    thread::scope(|scope| {
        for number in 1..=32 {
            let repository = if number % 2 == 0 { &host } else { &worker.repository };
            scope.spawn(move || done(repository, &attempt(number, 1), &format!("{number}.txt")));
        }
    });
    assert_eq!(commits(&place), 32);
    let tip = milestone_branch(M1);
    for number in 1..=32 {
        let file = format!("{tip}:{number}.txt");
        assert_eq!(place.git(&["show", &file]), format!("{number}.txt"));
        assert!(host.done(&attempt(number, 1), &Branch::of(M1)).unwrap().is_some());
        worker.repository.refresh(M1, &[]).unwrap();
        assert!(worker.repository.done(&attempt(number, 1), &Branch::of(M1)).unwrap().is_some());
    }
    let kept = place.git(&["for-each-ref", "--format=%(refname)", "refs/milestone/attempts"]);
    assert_eq!(kept.lines().count(), 32, "{kept}");
    assert_eq!(place.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_worktree_that_is_being_made_at_the_hub_is_waited_for() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let folders = [&place.top.join(".git"), worker.repository.common()];
    let half = folders.map(|git| git.join("worktrees/half"));
    for half in &half {
        fs::create_dir_all(half).unwrap();
        // As git leaves it for a moment.
        fs::write(half.join("gitdir"), "/nowhere/half/.git\n").unwrap();
        fs::write(half.join("commondir"), "").unwrap();
    }
    let (listed, said) = place.try_git(&place.top, &["worktree", "list"]);
    assert!(!listed && said.contains("commondir"), "git fails over it: {said}");
    thread::scope(|scope| {
        scope.spawn(|| done(&worker.repository, &attempt(1, 1), "new.txt"));
        thread::sleep(Duration::from_millis(300));
        half.iter().for_each(|half| fs::remove_dir_all(half).unwrap());
    });
    assert_eq!(commits(&place), 1);
}

#[test]
fn a_git_that_was_killed_while_a_clone_followed_the_hub_stops_nothing() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let git = worker.repository.common();
    for lock in ["index.lock", "HEAD.lock", "packed-refs.lock", "refs/remotes/origin/HEAD.lock"] {
        fs::write(git.join(lock), "").unwrap();
    }
    place.git(&["commit", "-q", "--allow-empty", "-m", "More"]);
    assert_eq!(worker.repository.follow_default().unwrap(), None);
    assert_eq!(place.git_in(&worker.top, &["log", "-1", "--format=%s"]), "More");
}

#[test]
fn whoever_was_taken_over_brings_nothing_to_the_hub() {
    let place = Place::new();
    let (slow, quick) = (cloned(&place, "slow"), cloned(&place, "quick"));
    let (first, second) = (attempt(1, 1), attempt(1, 2));
    slow.repository.take_fence(&first).unwrap();
    slow.repository.refresh(M1, &[]).unwrap();
    let kept = worked(&slow.repository, &first, "new.txt", "slow\n");
    quick.repository.take_fence(&second).unwrap();
    let before = place.git(&["for-each-ref"]);
    for _ in 0..2 {
        let refused = brought_in(&slow.repository, &first, &kept);
        assert!(matches!(refused, Err(GitError::FenceMoved { by: 2, .. })), "{refused:?}");
    }
    let refused = slow.repository.take_fence(&first);
    assert!(matches!(refused, Err(GitError::FenceMoved { by: 2, .. })), "{refused:?}");
    assert_eq!(place.git(&["for-each-ref"]), before);
    // The session's own host takes it from them, too.
    place.repository().take_fence(&attempt(1, 3)).unwrap();
    let refused = quick.repository.take_fence(&second).err();
    assert!(refused.is_none(), "what it last saw was its own: {refused:?}");
    let kept = worked(&quick.repository, &second, "new.txt", "quick\n");
    let refused = brought_in(&quick.repository, &second, &kept);
    assert!(matches!(refused, Err(GitError::FenceMoved { by: 3, .. })), "{refused:?}");
    assert_eq!(commits(&place), 0);
}

#[test]
fn a_push_is_refused_whole_by_a_hub_whose_fence_moves_meanwhile() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let first = attempt(1, 1);
    worker.repository.take_fence(&first).unwrap();
    let kept = worked(&worker.repository, &first, "new.txt", "new\n");
    // Somebody is quicker when the hub has already seen that the push is as it should be.
    let host = place.repository();
    let taken = attempt(2, 9);
    host.take_fence(&taken).unwrap();
    let (fence, other) = ("refs/milestone/fence/task-001-001", "refs/milestone/fence/task-001-002");
    let moves = format!("git update-ref {fence} $(git rev-parse {other})");
    let unset = "unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES";
    let hook = place.top.join(".git/hooks/pre-receive");
    fs::write(&hook, format!("#!/bin/sh\n{unset}\n{moves}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = brought_in(&worker.repository, &first, &kept);
    assert!(matches!(refused, Err(GitError::FenceMoved { by: 9, .. })), "{refused:?}");
    assert_eq!(commits(&place), 0);
    assert_eq!(host.brought(first.task, &Branch::of(M1)).unwrap(), None);
    assert_eq!(place.git(&["for-each-ref", "refs/milestone/done"]), "");
}

#[test]
fn what_a_killed_worker_brought_in_is_found_by_the_next_and_by_itself() {
    let place = Place::new();
    let (killed, next) = (cloned(&place, "killed"), cloned(&place, "next"));
    let first = attempt(1, 1);
    let commit = done(&killed.repository, &first, "new.txt");
    // It had not heard of its success yet.
    killed.repository.forget(&place, &killed.top);
    killed.repository.refresh(M1, &[]).unwrap();
    assert_eq!(killed.repository.done(&first, &Branch::of(M1)).unwrap(), Some(commit.clone()));
    for (repository, fence) in [(&next.repository, 2), (&place.repository(), 3)] {
        repository.take_fence(&attempt(1, fence)).unwrap();
        repository.refresh(M1, &[]).unwrap();
        let brought = repository.brought(first.task, &Branch::of(M1)).unwrap();
        assert_eq!(brought, Some((first.id, commit.clone())));
    }
    assert_eq!(commits(&place), 1);
}

trait Forget {
    fn forget(&self, place: &Place, top: &std::path::Path);
}

impl Forget for Repository {
    /// Puts the clone's refs back to before anything was brought in.
    fn forget(&self, place: &Place, top: &std::path::Path) {
        place.git_in(top, &["update-ref", "-d", &milestone_branch(M1)]);
        let done = place.git_in(top, &["for-each-ref", "--format=%(refname)", "refs/milestone"]);
        for name in done.lines().filter(|name| !name.contains("attempts")) {
            place.git_in(top, &["update-ref", "-d", name]);
        }
    }
}

#[test]
fn bringing_in_again_does_nothing_twice() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let first = attempt(1, 1);
    worker.repository.take_fence(&first).unwrap();
    let kept = worked(&worker.repository, &first, "new.txt", "new\n");
    let Integrated::Done(commit) = brought_in(&worker.repository, &first, &kept).unwrap() else {
        unreachable!("nothing is in the way")
    };
    worker.repository.forget(&place, &worker.top);
    let again = brought_in(&worker.repository, &first, &kept).unwrap();
    assert_eq!(again, Integrated::Done(commit));
    assert_eq!(commits(&place), 1);
}

#[test]
fn what_does_not_go_together_with_the_hub_is_told() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let (ours, theirs) = (attempt(1, 1), attempt(2, 1));
    worker.repository.take_fence(&ours).unwrap();
    let kept = worked(&worker.repository, &ours, "one.txt", "ours\n");
    let host = place.repository();
    host.take_fence(&theirs).unwrap();
    let other = worked(&host, &theirs, "one.txt", "theirs\n");
    assert!(matches!(brought_in(&host, &theirs, &other), Ok(Integrated::Done(_))));
    let conflict = brought_in(&worker.repository, &ours, &kept).unwrap();
    assert_eq!(conflict, Integrated::Conflict { files: vec!["one.txt".to_owned()] });
    assert_eq!(commits(&place), 1);
}

#[test]
fn a_branch_that_a_person_has_checked_out_at_the_hub_is_left_alone() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let first = attempt(1, 1);
    worker.repository.take_fence(&first).unwrap();
    let kept = worked(&worker.repository, &first, "new.txt", "new\n");
    for setting in ["refuse", "ignore"] {
        place.git(&["config", "receive.denyCurrentBranch", setting]);
        place.git(&["switch", "-q", "milestone/milestone-001"]);
        let refused = brought_in(&worker.repository, &first, &kept);
        assert!(matches!(refused, Err(GitError::CheckedOut { .. })), "{refused:?}");
        place.git(&["switch", "-q", "main"]);
    }
    assert_eq!(commits(&place), 0);
    assert!(matches!(brought_in(&worker.repository, &first, &kept), Ok(Integrated::Done(_))));
}

#[test]
fn a_hub_that_is_away_is_waited_for() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    let first = attempt(1, 1);
    worker.repository.take_fence(&first).unwrap();
    let kept = worked(&worker.repository, &first, "new.txt", "new\n");
    let away = place.top.with_added_extension("away");
    fs::rename(&place.top, &away).unwrap();
    let refused = brought_in(&worker.repository, &first, &kept);
    assert!(matches!(refused, Err(GitError::HubAway { .. })), "{refused:?}");
    assert!(matches!(worker.repository.reach_hub(), Err(GitError::HubAway { .. })));
    assert_eq!(worker.repository.done(&first, &Branch::of(M1)).unwrap(), None);
    fs::rename(&away, &place.top).unwrap();
    worker.repository.reach_hub().unwrap();
    assert!(matches!(brought_in(&worker.repository, &first, &kept), Ok(Integrated::Done(_))));
}

#[test]
fn a_hub_may_be_bare_and_refuse_in_its_own_words() {
    let place = Place::new();
    let bare = place.home.join("bare.git");
    place.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let top = place.home.join("clone");
    let Cloned::There(repository) = clone(bare.to_str().unwrap(), &top, &place.caller()).unwrap()
    else {
        unreachable!("it is there")
    };
    repository.follow_default().unwrap();
    done(&repository, &attempt(1, 1), "new.txt");
    let hook = bare.join("hooks/update");
    fs::write(&hook, "#!/bin/sh\necho 'not on a Friday' >&2; exit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let refused = repository.take_fence(&attempt(2, 1));
    let Err(GitError::HubRefuses { said, .. }) = refused else { panic!("{refused:?}") };
    assert!(said.contains("not on a Friday"), "{said}");
    let nothing = clone("/nowhere/at/all", &place.home.join("other"), &place.caller()).unwrap();
    assert!(matches!(nothing, Cloned::Refused(why) if why.contains("does not exist")));
    assert!(!place.home.join("other").exists());
}

#[test]
fn a_worker_sees_that_a_milestone_is_worked_on_in_streams() {
    let place = Place::new();
    let worker = cloned(&place, "clone");
    assert!(!worker.repository.has_streams_at_hub(M1).unwrap());
    place.git(&["branch", "milestone/milestone-001--tasks-001"]);
    place.git(&["branch", "milestone/milestone-002--tasks-001"]);
    assert!(worker.repository.has_streams_at_hub(M1).unwrap());
    assert!(!place.repository().has_streams_at_hub(M1).unwrap(), "whoever is the hub asks nobody");
}
