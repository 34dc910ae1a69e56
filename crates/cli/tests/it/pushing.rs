//! Handing on a completed milestone: a real bare repository behind a made-up way there, and made-up
//! programs of forges that write down what they were asked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::environment::{Environment, Ran};
use crate::execute::{git, project};

const BRANCH: &str = "milestone/milestone-001";

/// A project with a remote, and a folder of programs.
struct Remote {
    project: Environment,
}

impl Remote {
    fn at(url: &str) -> Self {
        let project = project(&["run: 'echo a > a.txt', verify: ['test -f a.txt']"]);
        let remote = Self { project };
        git(&remote.project, &["init", "-q", "--bare", remote.bare().to_str().unwrap()]);
        git(&remote.project, &["remote", "add", "origin", url]);
        fs::create_dir_all(remote.bin()).unwrap();
        let bare = remote.bare();
        remote.program("way", &format!("exec git-receive-pack {}", bare.display()));
        remote
    }

    /// A remote that is a folder, of which no forge is known.
    fn plain() -> Self {
        let remote = Self::at("placeholder");
        let bare = remote.bare();
        git(&remote.project, &["remote", "set-url", "origin", bare.to_str().unwrap()]);
        remote
    }

    fn bare(&self) -> PathBuf {
        self.project.home().join("bare.git")
    }

    fn bin(&self) -> PathBuf {
        self.project.home().join("bin")
    }

    fn program(&self, name: &str, script: &str) {
        program(&self.bin().join(name), script);
    }

    /// A forge's program: it writes down its words and what it reads, and answers.
    fn forge(&self, name: &str, listed: &str, made: &str) {
        let asked = self.project.home().join("asked");
        let script = format!(
            "for word; do printf '<%s>' \"$word\"; done >> {asked}\necho >> {asked}\n\
             case \"$2\" in list) echo '{listed}';; *) cat >> {asked}; {made};; esac",
            asked = asked.display()
        );
        self.program(name, &script);
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.project.home().join("asked")).unwrap_or_default()
    }

    fn run(&self, args: &[&str]) -> Ran {
        let path = format!("{}:/usr/bin:/bin", self.bin().display());
        let mut command = self.project.command(args);
        command.env("PATH", path).env("GIT_SSH_COMMAND", self.bin().join("way"));
        command.env("GH_TOKEN", "of-the-person");
        Ran::from(command.output().unwrap())
    }

    /// The commit of the branch at the remote.
    fn pushed(&self) -> Option<String> {
        let reference = format!("refs/heads/{BRANCH}");
        let said = Command::new("git")
            .args(["rev-parse", "--verify", "--quiet", &reference])
            .current_dir(self.bare())
            .output()
            .unwrap();
        let commit = String::from_utf8(said.stdout).unwrap().trim().to_owned();
        Some(commit).filter(|commit| !commit.is_empty())
    }

    fn local(&self) -> String {
        git(&self.project, &["rev-parse", BRANCH]).trim().to_owned()
    }

    fn status(&self) -> String {
        let shown = self.project.json(&["show", "1"]);
        shown["data"]["document"]["status"].as_str().unwrap().to_owned()
    }
}

fn program(file: &Path, script: &str) {
    fs::write(file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

const GITHUB: &str = "git@github.com:ada/project.git";
const MADE: &str = "https://github.com/ada/project/pull/7";

#[test]
fn nothing_is_pushed_unless_somebody_says_so() {
    let remote = Remote::at(GITHUB);
    remote.forge("gh", "[]", "echo none");
    let ran = remote.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!((remote.pushed(), remote.asked()), (None, String::new()));
}

#[test]
fn a_completed_milestone_is_pushed_and_reviewed_once() {
    let remote = Remote::at(GITHUB);
    remote.forge("gh", "[]", &format!("echo $GH_TOKEN >> \"$HOME/token\"; echo {MADE}"));
    let ran = remote.run(&["execute", "1", "--yes", "--push"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(remote.pushed(), Some(remote.local()));
    assert!(
        ran.stdout.contains("pushed milestone/milestone-001 to origin (github.com/ada/project)")
    );
    assert!(ran.stdout.contains(&format!("pull request: {MADE}\n")), "{ran:?}");
    let asked = remote.asked();
    let short = &remote.local()[..12];
    for said in [
        "<pr><list><--repo><github.com/ada/project><--head><milestone/milestone-001>",
        "<pr><create><--repo><github.com/ada/project><--head><milestone/milestone-001><--base>\
         <main><--title><Work><--body-file><->",
        &format!("- task-001-001 Task 1 ({short}): verified by \\`test -f a.txt\\`"),
    ] {
        assert!(asked.contains(said), "{said}: {asked}");
    }
    assert_eq!(fs::read_to_string(remote.project.home().join("token")).unwrap(), "of-the-person\n");
    let session = remote.project.json(&["session", "show"])["data"]["handed_on"].clone();
    assert_eq!(session["request"], MADE);
    assert_eq!(session["commit"], remote.local());
    let shown = remote.project.ok(&["session", "show"]);
    assert!(shown.contains(&format!("pushed    {BRANCH} to origin, {MADE}\n")), "{shown}");

    // Again: what is open stays the only one.
    remote.forge("gh", &format!("[{{\"url\":\"{MADE}\"}}]"), "echo https://wrong");
    let again = remote.run(&["execute", "1", "--push"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("it was open already"), "{again:?}");
    assert_eq!(remote.asked().matches("<create>").count(), 1);
}

#[test]
fn each_forge_is_asked_in_its_own_words() {
    for (host, name, listed, request, words) in [
        (
            "gitlab.example.org",
            "glab",
            "[]",
            "https://gitlab.example.org/ada/project/-/merge_requests/5",
            "<mr><create><--repo><https://gitlab.example.org/ada/project><--source-branch>\
             <milestone/milestone-001><--target-branch><main><--yes><--title><Work><--description><",
        ),
        (
            "codeberg.org",
            "tea",
            "[{\"head\":\"ada:milestone/milestone-001\",\"url\":\"https://other\"}]",
            "https://codeberg.org/ada/project/pulls/3",
            "<pulls><create><--repo><ada/project><--remote><origin><--head>\
             <milestone/milestone-001><--base><main><--title><Work><--description><",
        ),
    ] {
        let remote = Remote::at(&format!("ssh://git@{host}/ada/project.git"));
        // The others are there, too, and are not the ones to ask.
        for other in ["gh", "glab", "tea"] {
            remote.forge(other, "[]", "echo https://wrong");
        }
        remote.forge(name, listed, &format!("echo Made; echo {request}"));
        let ran = remote.run(&["execute", "1", "--yes", "--push"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains(&format!("pull request: {request}\n")), "{ran:?}");
        assert!(remote.asked().contains(words), "{}", remote.asked());
    }
}

#[test]
fn without_the_forges_program_a_person_gets_all_that_it_takes() {
    let remote = Remote::at(GITHUB);
    let ran = remote.run(&["execute", "1", "--yes", "--push"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let file = remote.project.project().join(".milestones/reports/milestone-001-pull-request.md");
    let file = file.canonicalize().unwrap();
    let command = format!(
        "make it: gh pr create --repo github.com/ada/project --head milestone/milestone-001 --base \
         main --title Work --body-file {}",
        file.display()
    );
    assert!(ran.stderr.contains("gh is not installed"), "{ran:?}");
    assert!(ran.stderr.contains(&command), "{ran:?}");
    assert!(fs::read_to_string(&file).unwrap().contains("task-001-001"));

    // One that is not signed in says so.
    remote.program("gh", "echo 'please sign in to https://ada:secret@github.com' >&2; exit 4");
    let again = remote.run(&["execute", "1", "--push"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stderr.contains("gh said: please sign in to https://github.com"), "{again:?}");
}

#[test]
fn of_a_remote_that_is_no_forge_the_branch_and_the_words_are_told() {
    let remote = Remote::plain();
    remote.forge("gh", "[]", "echo https://wrong");
    let ran = remote.run(&["execute", "1", "--yes", "--push"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(remote.pushed(), Some(remote.local()));
    assert!(ran.stderr.contains("no forge is known"), "{ran:?}");
    assert!(ran.stderr.contains("review of milestone/milestone-001"), "{ran:?}");
    assert_eq!(remote.asked(), "");
}

#[test]
fn a_push_that_is_refused_undoes_nothing_and_forces_nothing() {
    let remote = Remote::plain();
    // Somebody else's commit is there under this name.
    git(&remote.project, &["push", "-q", "origin", "HEAD:refs/heads/main"]);
    let theirs = git(&remote.project, &["commit-tree", "HEAD^{tree}", "-m", "Theirs"]);
    let to = format!("{}:refs/heads/{BRANCH}", theirs.trim());
    git(&remote.project, &["push", "-q", "origin", &to]);
    let ran = remote.run(&["execute", "1", "--yes", "--push"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (remote.status().as_str(), remote.pushed()),
        ("completed", Some(theirs.trim().into()))
    );
    for said in ["milestone-001 is completed, but", "rejected", "`git push origin milestone/"] {
        assert!(ran.stderr.contains(said), "{said}: {ran:?}");
    }
    assert!(!ran.stderr.contains("--force"), "{ran:?}");
}

#[test]
fn a_persons_own_hook_may_say_no() {
    let remote = Remote::plain();
    let hook = remote.project.project().join(".git/hooks/pre-push");
    program(&hook, "echo no pushing on Fridays >&2; exit 1");
    let ran = remote.run(&["execute", "1", "--yes", "--push"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("no pushing on Fridays"), "{ran:?}");
    assert_eq!(remote.pushed(), None);
    program(&hook, "exit 0");
    assert_eq!(remote.run(&["execute", "1", "--push"]).code, 0);
    assert_eq!(remote.pushed(), Some(remote.local()));
}

#[test]
fn a_setting_that_pushes_is_agreed_to_first() {
    let remote = Remote::plain();
    remote.project.ok(&["config", "set", "git.push", "always"]);
    let refused = remote.run(&["execute", "1"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.stderr.contains("push: branches of completed milestones to origin"),
        "{refused:?}"
    );
    assert_eq!(remote.run(&["execute", "1", "--yes"]).code, 0);
    assert_eq!(remote.pushed(), Some(remote.local()));
}

#[test]
fn who_is_to_be_asked_and_is_not_there_pushes_nothing() {
    let remote = Remote::plain();
    remote.project.ok(&["config", "set", "git.push", "ask"]);
    let ran = remote.run(&["execute", "1", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("`milestone execute milestone-001 --push`"), "{ran:?}");
    assert_eq!(remote.pushed(), None);
}

#[test]
fn what_cannot_be_pushed_to_is_told_before_anything_is_done() {
    let remote = Remote::plain();
    git(&remote.project, &["remote", "rename", "origin", "mine"]);
    let refused = remote.run(&["execute", "1", "--yes", "--push"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("there is no remote called origin"), "{refused:?}");
    remote.project.ok(&["config", "set", "git.remote", "mine"]);
    let ran = remote.run(&["execute", "1", "--yes", "--push", "--json"]);
    let last: serde_json::Value = serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap();
    assert_eq!((ran.code, &last["data"]["event"]), (0, &"ended".into()), "{ran:?}");
    assert_eq!(last["data"]["whole"]["handed_on"]["remote"], "mine");
    assert_eq!(remote.pushed(), Some(remote.local()));
}
