//! Workers on other hosts: the real binary, one PostgreSQL, and a clone for each of them. Run with a
//! server of its own by `scripts/with-postgres`, and skipped without one.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::environment::{Environment, Ran};
use crate::execute::{git, in_branch, project, status, subjects, wait_until};

fn database() -> Option<String> {
    let url = std::env::var("MILESTONE_TEST_DATABASE_URL").ok();
    if url.is_none() {
        println!("skipped: there is no PostgreSQL; run this by scripts/with-postgres");
    }
    url
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
        // What tasks have in common to meet at.
        command.env("SHARED", self.hosts.path());
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

    fn begun(&self, host: &str, args: &[&str]) -> Child {
        self.worker(host, args).spawn().unwrap()
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

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
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
