//! The views of `update`: each says what is, and what to do about it.

use crate::environment::Environment;

fn busy() -> Environment {
    let project = Environment::new();
    project.ok(&["init"]);
    project.write(
        1,
        "id: milestone-001\ntitle: Sign-in\nstatus: in_progress\nrelease: v1\ndue: 2199-01-01\n\
         tasks:\n- {id: task-001, title: Build, resources: [src/auth]}\n\
         - {id: task-002, title: Test, requires: [task-001]}\n",
    );
    project.write(
        2,
        "id: milestone-002\ntitle: Shop\ndependencies: {requires: [milestone-001]}\ntasks:\n\
         - {id: task-001, title: Cart}\n",
    );
    project.write(
        3,
        "id: milestone-003\ntitle: Cleaning\nassignee: ben\ntasks:\n\
         - {id: task-001, title: Sweep, resources: [src], estimate: 3 weeks}\n",
    );
    project.ok(&["list"]);
    project
}

#[test]
fn each_view_says_its_part_and_several_come_together() {
    let project = busy();
    let cases: [(&[&str], &[&str]); 6] = [
        (&["--dependencies"], &["requires milestone-001", "What holds up the most"]),
        (&["--conflicts"], &["both touch", "--requires"]),
        (&["--upcoming"], &["Ready next", "task-001-002", "milestone next"]),
        (&["--velocity", "--performance"], &["Velocity", "Performance", "5 measured tasks"]),
        (&["--resources"], &["ben", "150%", "src"]),
        (&["--comprehensive"], &["Critical path", "Conflicts", "Load over"]),
    ];
    for (flags, parts) in cases {
        let text = project.ok(&[&["update"], flags].concat());
        for part in parts {
            assert!(text.contains(part), "{flags:?} {part}: {text}");
        }
    }
    let report = project.json(&["status", "--dependencies", "--upcoming"]);
    assert_eq!(report["kind"], "report");
    assert!(report["data"]["dependencies"].is_object() && report["data"]["upcoming"].is_object());
    assert!(report["data"].get("resources").is_none());
}

#[test]
fn a_release_is_judged_and_its_notes_are_markdown() {
    let project = busy();
    let not = project.run(&["update", "--release-ready=v1"]);
    assert_eq!(not.code, 1);
    assert!(not.stdout.contains("2 tasks are open") && !not.stdout.contains("Shop"));
    for task in ["1.1", "1.2"] {
        project.ok(&["task", "done", task]);
    }
    let ready = project.ok(&["update", "--release-ready=v1"]);
    assert!(ready.contains("milestone archive --batch --release v1"), "{ready}");
    assert_eq!(project.run(&["update", "1", "--release-ready"]).code, 2);
}

#[test]
fn health_is_checked_and_a_report_names_nothing() {
    let project = busy();
    project.ok(&["update", "--health-check"]);
    project.ok(&["update", "--validate-config"]);
    let report = project.ok(&["update", "--diagnostics"]);
    for secret in ["Sign-in", "ben", "src/auth", project.home().to_str().unwrap()] {
        assert!(!report.contains(secret), "{secret}: {report}");
    }
    project.write(3, "id: milestone-003\ntitle: [\n");
    let broken = project.run(&["update", "--health-check"]);
    assert_eq!(broken.code, 1);
    assert!(broken.stdout.contains("FAIL") && broken.stdout.contains("milestone-003"));
}

#[test]
fn a_flag_that_is_not_there_yet_is_refused_by_name() {
    let refused = busy().run(&["update", "--deployment-status"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--deployment-status"), "{}", refused.stderr);
}
