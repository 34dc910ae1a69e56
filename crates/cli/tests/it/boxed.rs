//! What runs in a box: what it can do there, what it cannot, and that it ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use crate::environment::{Environment, Ran};
use crate::execute::{git, in_branch, project, runs, signal, status, subjects, wait_until};

/// Whether a box can be made here; says so where none can.
#[expect(clippy::print_stdout, reason = "who runs the tests sees what was not tested")]
fn can_box() -> bool {
    let mut tried = Command::new("bwrap");
    tried.args([
        "--unshare-pid",
        "--ro-bind",
        "/",
        "/",
        "--dev",
        "/dev",
        "--proc",
        "/proc",
        "true",
    ]);
    let can = tried.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !can {
        println!("skipped: bwrap is not there, or does not work here");
    }
    can
}

fn boxed(project: &Environment, settings: &[(&str, &str)]) -> Child {
    let mut command = project.command(&["execute", "1", "--yes"]);
    command.env("MILESTONE_EXECUTE_BOX", "on").envs(settings.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ran_boxed(project: &Environment, settings: &[(&str, &str)]) -> Ran {
    Ran::from(boxed(project, settings).wait_with_output().unwrap())
}

#[test]
fn in_a_box_only_what_is_its_own_can_be_written() {
    if !can_box() {
        return;
    }
    let task = "run: 'cd \"$MILESTONE_ROOT\"; cd - > /dev/null; \
         for file in \"$HOME/f\" \"$MILESTONE_ROOT/f\" /etc/f \"$MILESTONE_ROOT/.git/f\" \
         \"$MILESTONE_ROOT/.git/hooks/f\" \"$MILESTONE_ROOT/.git/refs/heads/f\" \
         \"$MILESTONE_ROOT/.milestones/config/f\" \"$HOME/.local/state/milestone/f\"; \
         do ( echo x > \"$file\" ) 2> /dev/null && echo \"wrote $file\" >> wrote; done; \
         rm -f .git 2> /dev/null || echo kept > git; \
         echo x > /tmp/milestone-boxed-test && echo x > \"$HOME/open/f\" && \
         \"$HOME/open/milestone\" task note \"$MILESTONE_TASK\" boxed --fence \"$MILESTONE_FENCE\" && \
         ls -d /proc/[0-9]* | wc -l > processes; \
         git add . && git commit -q -m Mine; echo a > after', \
         verify: ['! touch \"$HOME/f\"', 'test -f after']";
    let project = project(&[task]);
    let open = project.home().join("open");
    fs::create_dir(&open).unwrap();
    // Where the program was built may be hidden: the box has a /tmp of its own.
    fs::copy(env!("CARGO_BIN_EXE_milestone"), open.join("milestone")).unwrap();
    let ran = ran_boxed(&project, &[("MILESTONE_EXECUTE_BOX_WRITABLE", "[~/open]")]);
    assert_eq!(ran.code, 0, "{ran:?}\n{}", project.run(&["session", "log"]).stdout);
    assert!(ran.stderr.contains("in a box: ") && ran.stderr.contains("1 path of"), "{ran:?}");
    assert_eq!(subjects(&project), ["feat(milestone-001): Task 1"]);
    let files = git(&project, &["ls-tree", "--name-only", "-r", "milestone/milestone-001"]);
    assert_eq!(files, "after\ngit\nprocesses\n", "nothing was written elsewhere");
    let processes: u32 = in_branch(&project, "processes").trim().parse().unwrap();
    assert!(processes < 9, "{processes} processes are seen");
    assert!(project.home().join("open/f").exists());
    assert!(!fs::exists("/tmp/milestone-boxed-test").unwrap());
    let log = project.ok(&["task", "log", "1.1"]);
    assert!(log.contains("boxed"), "the command for tasks works in it: {log}");
}

#[test]
fn a_box_has_a_network_if_it_is_to() {
    if !can_box() {
        return;
    }
    let devices = |settings: &[(&str, &str)]| {
        let project = project(&["run: 'grep -c : /proc/net/dev > devices'"]);
        let ran = ran_boxed(&project, settings);
        assert_eq!(ran.code, 0, "{ran:?}");
        in_branch(&project, "devices").trim().to_owned()
    };
    let here = fs::read_to_string("/proc/net/dev").unwrap().matches(':').count();
    assert_eq!(devices(&[]), here.to_string());
    assert_eq!(devices(&[("MILESTONE_EXECUTE_BOX_NETWORK", "off")]), "1", "only itself");
}

#[test]
fn what_runs_in_a_box_ends_with_its_session() {
    if !can_box() {
        return;
    }
    for (how, name) in [(Signal::KILL, "boxed-killed-600"), (Signal::TERM, "boxed-ended-600")] {
        let task = format!(
            "run: 'trap \"echo bye > bye.txt; exit 1\" TERM; \
             setsid nohup sh -c \": {name}; sleep 600\" > /dev/null 2>&1 & \
             sh -c \": {name}; sleep 600\" & echo ready; wait'"
        );
        let project = project(&[task.as_str()]);
        let mut child = boxed(&project, &[]);
        wait_until("it runs", || project.run(&["session", "log"]).stdout == "ready\n");
        assert!(runs(name));
        signal(&child, how);
        child.wait().unwrap();
        wait_until("all of it ends", || !runs(name));
        if how == Signal::TERM {
            let refs = ["for-each-ref", "--format=%(refname)", "refs/milestone/attempts"];
            let kept = git(&project, &refs);
            let bye = git(&project, &["show", &format!("{}:bye.txt", kept.trim())]);
            assert_eq!(bye, "bye\n", "it had the time to end by itself");
        }
    }
}

#[test]
fn without_a_way_to_make_one_a_box_that_must_be_is_missed() {
    let project = project(&["run: ':', effect: none"]);
    let bin = project.home().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["git", "sh"] {
        symlink(format!("/usr/bin/{program}"), bin.join(program)).unwrap();
    }
    let with = |wish: &str| {
        let mut command = project.command(&["execute", "1", "--yes"]);
        command.env("PATH", &bin).env("MILESTONE_EXECUTE_BOX", wish);
        Ran::from(command.output().unwrap())
    };
    let on = with("on");
    assert_eq!(on.code, 2, "{on:?}");
    assert!(on.stderr.contains("no box can be made: bwrap"), "{on:?}");
    assert_eq!(status(&project, "1.1"), "pending");
    let auto = with("auto");
    assert_eq!(auto.code, 0, "{auto:?}");
    assert!(auto.stderr.contains("what runs is not in a box: bwrap"), "{auto:?}");
}
