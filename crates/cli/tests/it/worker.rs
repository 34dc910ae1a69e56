//! Workers on other hosts: the real binary, one PostgreSQL, and a clone for each of them. Run with a
//! server of its own by `scripts/with-postgres`, and skipped without one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::environment::{Environment, Ran};
use crate::execute::{git, in_branch, project, wait_until};

fn database() -> Option<String> {
    let url = std::env::var("MILESTONE_TEST_DATABASE_URL").ok();
    if url.is_none() {
        println!("skipped: there is no PostgreSQL; run this by scripts/with-postgres");
    }
    url
}

/// A worker that a test which fails does not leave running.
struct Begun(Child);

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A host with the hub, and others that have nothing of it but the way there.
struct Team {
    hub: Environment,
    url: String,
    hosts: tempfile::TempDir,
}

impl Team {
    fn new(url: String, tasks: &[&str]) -> Self {
        let hub = project(tasks);
        let team = Self { hub, url, hosts: tempfile::tempdir().unwrap() };
        team.ok(&["update", "1", "--status", "in_progress"]);
        team.ok(&["storage", "migrate", "postgres"]);
        git(&team.hub, &["add", "-A"]);
        git(&team.hub, &["commit", "-q", "-m", "Begin"]);
        team
    }

    /// The binary as it is run on the hub's own host.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.hub.command(args);
        command.env("MILESTONE_DATABASE_URL", &self.url);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn ok(&self, args: &[&str]) -> String {
        let ran = Ran::from(self.command(args).output().unwrap());
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        ran.stdout
    }

    fn home(&self, host: &str) -> PathBuf {
        self.hosts.path().join(host)
    }

    /// A worker as another host runs it: with a home of its own, far from the hub.
    fn worker(&self, host: &str, args: &[&str]) -> Command {
        let home = self.home(host);
        fs::create_dir_all(&home).unwrap();
        let address = self.hub.project().display().to_string();
        let mut command = self.command(&[&["worker", "--repo", &address], args].concat());
        command.env("HOME", &home).current_dir(&home);
        command
    }

    fn works(&self, host: &str, args: &[&str]) -> Ran {
        Ran::from(self.worker(host, args).output().unwrap())
    }

    /// One under way, and what it says to people.
    fn begun(&self, host: &str, args: &[&str]) -> (Begun, PathBuf) {
        let mut command = self.worker(host, args);
        let said = self.hosts.path().join(format!("{host}.said"));
        let file = fs::File::create(&said).unwrap();
        (Begun(command.stdout(Stdio::null()).stderr(file).spawn().unwrap()), said)
    }

    /// The clone in which a host works.
    fn clone_of(&self, host: &str) -> PathBuf {
        let clones = self.home(host).join(".local/state/milestone/workers");
        let clone = fs::read_dir(clones).unwrap().next().unwrap().unwrap().path();
        assert!(clone.join(".git").is_dir());
        clone
    }

    /// Nothing of an attempt is left on a host: no worktree, no record.
    fn is_clear(&self, host: &str) {
        let attempts = self.clone_of(host).join(".milestones/data/attempts");
        assert_eq!(fs::read_dir(attempts).unwrap().count(), 0);
        let worktrees = self.clone_of(host).join(".git/worktrees");
        assert_eq!(fs::read_dir(worktrees).into_iter().flatten().count(), 0);
    }

    fn status_of(&self, id: &str) -> String {
        let shown = self.ok(&["show", id, "--json"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        shown["data"]["document"]["status"].as_str().unwrap().to_owned()
    }
}

/// The subjects on the milestone's branch, without what was there before.
fn brought(team: &Team) -> Vec<String> {
    let log = git(&team.hub, &["log", "--format=%s", "milestone/milestone-001", "^main"]);
    let mut brought: Vec<String> = log.lines().map(str::to_owned).collect();
    brought.sort();
    brought
}

/// A task that hangs for as long as its host is told to, and says who did it.
fn hanging(number: u32) -> String {
    format!(
        "run: 'if test -e $HOME/slow; then touch $HOME/hangs-$MILESTONE_TASK; sleep 600; fi; echo \
         $HOME > {number}.txt'"
    )
}

fn hangs(home: &Path) -> usize {
    let entries = fs::read_dir(home).unwrap().filter_map(Result::ok);
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("hangs-")).count()
}

fn numbered(tasks: u32) -> Vec<String> {
    let mut all: Vec<String> =
        (1..=tasks).map(|number| format!("feat(milestone-001): Task {number}")).collect();
    all.sort();
    all
}

#[test]
fn a_worker_does_what_is_ready_and_its_host_completes_the_milestone() {
    let Some(url) = database() else { return };
    let team = Team::new(
        url,
        &["run: 'echo a > a.txt'", "run: 'cat a.txt a.txt > b.txt', requires: [task-001]"],
    );
    let refused = team.works("far", &["--once"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("echo a > a.txt"), "{refused:?}");
    let ran = team.works("far", &["--once", "--yes", "--agents", "2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(brought(&team), ["feat(milestone-001): Task 1", "feat(milestone-001): Task 2"]);
    assert_eq!(in_branch(&team.hub, "b.txt"), "a\na\n");
    assert_eq!(team.status_of("1"), "in_progress");
    let ran = Ran::from(team.command(&["execute", "1", "--yes"]).output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(team.status_of("1"), "completed");
    assert_eq!(brought(&team).len(), 2);
}

#[test]
fn hosts_share_the_tasks_and_one_that_dies_is_taken_over_after_its_lease() {
    let Some(url) = database() else { return };
    let tasks: Vec<String> = (1..=12).map(hanging).collect();
    let team = Team::new(url, &tasks.iter().map(String::as_str).collect::<Vec<_>>());
    let (dying, _) = team.begun("dying", &["1", "--yes", "--agents", "2"]);
    let branch = team.hub.project().join(".git/refs/heads/milestone/milestone-001");
    wait_until("the first work has arrived", || branch.exists());
    fs::write(team.home("dying").join("slow"), "").unwrap();
    wait_until("it is in the middle of two", || hangs(&team.home("dying")) == 2);
    let (mut living, _) = team.begun("living", &["--yes", "--agents", "2"]);
    let host = team.command(&["execute", "1", "--yes", "--agents", "2"]).spawn().unwrap();
    drop(dying);
    let ran = Ran::from(host.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    crate::execute::signal(&living.0, rustix::process::Signal::INT);
    assert!(living.0.wait().unwrap().success());
    assert_eq!(team.status_of("1"), "completed");
    assert_eq!(brought(&team), numbered(12));
    let by = |number: u32| in_branch(&team.hub, &format!("{number}.txt"));
    let by: BTreeSet<String> = (1..=12).map(by).collect();
    assert!(by.len() > 1, "more than one has worked: {by:?}");
    team.is_clear("living");

    // The one that died finds nothing to do, and leaves nothing behind.
    fs::remove_file(team.home("dying").join("slow")).unwrap();
    let ran = team.works("dying", &["1", "--once"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(brought(&team), numbered(12));
    team.is_clear("dying");
}

#[test]
fn a_worker_that_was_killed_goes_on_where_it_was() {
    let Some(url) = database() else { return };
    let team = Team::new(url, &[&hanging(1), &hanging(2)]);
    fs::create_dir_all(team.home("far")).unwrap();
    fs::write(team.home("far").join("slow"), "").unwrap();
    let (killed, _) = team.begun("far", &["--yes", "--agents", "2"]);
    wait_until("it is in the middle of both", || hangs(&team.home("far")) == 2);
    drop(killed);
    fs::remove_file(team.home("far").join("slow")).unwrap();
    let ran = team.works("far", &["--once", "--agents", "2"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(brought(&team), numbered(2));
    team.is_clear("far");
}

#[test]
fn work_waits_for_a_hub_that_is_away() {
    let Some(url) = database() else { return };
    let team =
        Team::new(url, &["run: 'until test -e $HOME/go; do sleep 0.1; done; echo a > a.txt'"]);
    let (mut worker, said) = team.begun("far", &["--yes", "--once"]);
    let begun = || team.ok(&["show", "1.1"]).contains("in progress");
    wait_until("it is at work", || begun() && !worktrees(&team.home("far")).is_empty());
    let (hub, away) = (team.hub.project(), team.hub.home().join("away"));
    fs::rename(&hub, &away).unwrap();
    fs::write(team.home("far").join("go"), "").unwrap();
    wait_until("it waits", || fs::read_to_string(&said).unwrap().contains("cannot be reached"));
    fs::rename(&away, &hub).unwrap();
    assert!(worker.0.wait().unwrap().success(), "{}", fs::read_to_string(&said).unwrap());
    assert_eq!(brought(&team), ["feat(milestone-001): Task 1"]);
    assert_eq!(team.status_of("1.1"), "completed");
}

fn worktrees(home: &Path) -> Vec<PathBuf> {
    let projects = fs::read_dir(home.join(".local/state/milestone/worktrees"));
    let projects = projects.into_iter().flatten().filter_map(Result::ok);
    let trees = projects.flat_map(|project| fs::read_dir(project.path()).into_iter().flatten());
    trees.filter_map(|tree| Some(tree.ok()?.path())).collect()
}

#[test]
fn a_repository_that_does_not_name_its_project_is_told_which_it_is() {
    let Some(url) = database() else { return };
    let team = Team::new(url.clone(), &["run: 'echo a > a.txt'"]);
    git(&team.hub, &["rm", "-r", "-q", "--cached", ".milestones"]);
    git(&team.hub, &["commit", "-q", "-m", "The plan is in no commit"]);
    let refused = team.works("far", &["--once"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("--project UUID"), "{refused:?}");
    let project = team.ok(&["config", "get", "storage.project"]);
    let mut worker = team.worker("far", &["--once", "--yes", "--project", project.trim()]);
    worker.env_remove("MILESTONE_DATABASE_URL").args(["--store", &url]);
    let ran = Ran::from(worker.output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(brought(&team), ["feat(milestone-001): Task 1"]);
    // The password stands nowhere but where it was typed.
    let password = url.split([':', '@']).nth(2).unwrap();
    assert!(!ran.stdout.contains(password) && !ran.stderr.contains(password));
    let mut grep = Command::new("grep");
    let found = grep.args(["-r", "-l", "-F", password]).arg(team.hosts.path()).output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");
}

#[test]
fn what_no_worker_can_work_with_is_named() {
    let hub = project(&["run: 'echo a > a.txt'"]);
    let repo = hub.project().display().to_string();
    let id = "0197f8a0-0000-7000-8000-000000000001";
    for (args, says) in [
        (&["--repo", "/nowhere/at/all"][..], "cannot be cloned"),
        (&["--repo", &repo], "names no project of a PostgreSQL database"),
        (&["--repo", &repo, "--project", id], "no URL says where the PostgreSQL database is"),
        (
            &["--repo", &repo, "--store", "mysql://ada:secret@host/db"],
            "is not a URL such as postgres",
        ),
        (&["--repo", &repo, "--coordination", "sequential"], "knows no sequential coordination"),
        (&["--repo", "ext::sh -c true"], "not allowed"),
    ] {
        let ran = hub.run(&[&["worker", "--once"], args].concat());
        assert_eq!(ran.code, 2, "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(says) && !ran.stderr.contains("secret"), "{args:?}: {ran:?}");
    }
    let mut within = hub.command(&["worker", "--repo", &repo]);
    let ran = Ran::from(within.env("MILESTONE_ATTEMPT", id).output().unwrap());
    assert!(ran.stderr.contains("an attempt of a session"), "{ran:?}");
    let mut without = hub.command(&["worker", "--repo", &repo]);
    let ran = Ran::from(without.env("PATH", "/nowhere").output().unwrap());
    assert!(ran.stderr.contains("git is not installed"), "{ran:?}");
}
