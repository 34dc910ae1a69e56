//! What is looked at, and what is handed on: with the real git, against settings that want more.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use milestone_engine::git::{GitError, Pushed, milestone_branch};

use crate::git::{M1, Place, attempt};

fn with_remote(place: &Place) -> std::path::PathBuf {
    let bare = place.top.parent().unwrap().join("bare.git");
    place.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    place.git(&["remote", "add", "origin", bare.to_str().unwrap()]);
    bare
}

#[test]
fn a_branch_is_pushed_and_nothing_else_whatever_the_settings_want() {
    let place = Place::new();
    let bare = with_remote(&place);
    let repository = place.repository();
    repository.milestone_branch(M1, &[]).unwrap();
    place.git(&["tag", "-a", "v1", "-m", "One"]);
    place.git(&["branch", "secret"]);
    place.git(&["config", "push.followTags", "true"]);
    place.git(&["config", "remote.origin.push", "+refs/heads/*:refs/heads/*"]);
    for _ in 0..2 {
        assert_eq!(repository.push("origin", M1).unwrap(), Pushed::Done);
    }
    let refs = place.git_in(&bare, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, milestone_branch(M1));
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::new();
    let bare = with_remote(&place);
    let repository = place.repository();
    repository.milestone_branch(M1, &[]).unwrap();
    let theirs = place.git(&["commit-tree", "HEAD^{tree}", "-m", "Theirs"]);
    place.git(&["push", "-q", "origin", &format!("{theirs}:{}", milestone_branch(M1))]);
    place.git(&["config", "remote.origin.push", "+refs/heads/*:refs/heads/*"]);
    let Pushed::Refused(why) = repository.push("origin", M1).unwrap() else { panic!("pushed") };
    assert!(why.contains("rejected"), "{why}");
    assert_eq!(place.git_in(&bare, &["rev-parse", &milestone_branch(M1)]), theirs);
}

#[test]
fn a_remote_that_would_start_a_program_is_not_asked() {
    let place = Place::new();
    let ran = place.home.join("ran");
    let url = format!("ext::sh -c 'touch {}'", ran.display());
    place.git(&["remote", "add", "evil", &url]);
    place.git(&["config", "protocol.ext.allow", "user"]);
    let repository = place.repository();
    repository.milestone_branch(M1, &[]).unwrap();
    assert!(matches!(repository.push("evil", M1).unwrap(), Pushed::Refused(_)));
    assert!(!ran.exists());
    assert_eq!(repository.remote("none").unwrap(), None);
    assert_eq!(repository.remote("evil").unwrap(), Some(url));
}

#[test]
fn a_persons_hook_is_run_for_their_push_and_for_no_other_call() {
    let place = Place::new();
    let bare = with_remote(&place);
    let repository = place.repository();
    for name in ["pre-push", "post-checkout", "reference-transaction"] {
        let hook = place.top.join(".git/hooks").join(name);
        fs::create_dir_all(hook.parent().unwrap()).unwrap();
        let log = place.home.join("hooks");
        fs::write(&hook, format!("#!/bin/sh\necho {name} >> {}\n", log.display())).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let (_, _, start) = place.begun(&attempt(1, 1));
    let path = place.top.parent().unwrap().join("seen");
    repository.add_checkout(&path, &start).unwrap();
    assert!(!place.home.join("hooks").exists());
    repository.push("origin", M1).unwrap();
    let ran = fs::read_to_string(place.home.join("hooks")).unwrap();
    assert!(ran.starts_with("pre-push\n"), "{ran}");
    assert_eq!(place.git_in(&bare, &["rev-parse", &milestone_branch(M1)]), start.to_string());
}

#[test]
fn a_checkout_is_made_anew_and_nobodys_branch_is_cleared() {
    let place = Place::new();
    let (repository, own, start) = place.begun(&attempt(1, 1));
    let path = place.top.parent().unwrap().join("seen");
    repository.add_checkout(&path, &start).unwrap();
    fs::write(path.join("left"), "by a verification that was killed").unwrap();
    // A removal that was killed in its middle.
    fs::remove_file(path.join("one.txt")).unwrap();
    repository.add_checkout(&path, &start).unwrap();
    assert!(path.join("one.txt").exists() && !path.join("left").exists());
    repository.remove_checkout(&path).unwrap();
    repository.remove_checkout(&path).unwrap();
    assert!(!path.exists());

    let taken = repository.add_checkout(&own, &start);
    assert!(matches!(taken, Err(GitError::PathTaken { .. })), "{taken:?}");
    assert!(own.join("one.txt").exists());
    fs::create_dir(&path).unwrap();
    fs::write(path.join("mine"), "").unwrap();
    let taken = repository.add_checkout(&path, &start);
    assert!(matches!(taken, Err(GitError::PathTaken { .. })), "{taken:?}");
    assert!(path.join("mine").exists());
}

#[test]
fn what_a_commit_has_and_what_git_ignores() {
    let place = Place::new();
    let (repository, path, start) = place.begun(&attempt(1, 1));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let has = repository.has(&start, &names(&["one.txt", "none", "*.txt", ".milestones"])).unwrap();
    assert_eq!(has, [".milestones", "one.txt"]);
    let asked = names(&["ignored/a", "one.txt", "new\nline", "ignored/b c"]);
    let not = repository.not_ignored(&path, &asked).unwrap();
    assert_eq!(not, names(&["one.txt", "new\nline"]));
}
