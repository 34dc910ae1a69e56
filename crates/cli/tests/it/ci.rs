//! Milestone in jobs of a CI: the log, the report, and the same job run again.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::environment::{Environment, Ran};
use crate::execute::{project, status};

fn job(project: &Environment, args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let args = [&["execute", "1", "--ci-integration"], args].concat();
    let mut command = project.command(&args);
    Ran::from(command.envs(variables.iter().copied()).output().unwrap())
}

/// Name, element and reason of each test of a report.
fn cases(text: &str) -> Vec<(String, String, String)> {
    let xml = roxmltree::Document::parse(text).unwrap();
    let cases = xml.descendants().filter(|node| node.has_tag_name("testcase"));
    cases
        .map(|case| {
            let names = ["failure", "error", "skipped"];
            let result = case.children().find(|node| names.contains(&node.tag_name().name()));
            let name = case.attribute("name").unwrap().to_owned();
            match result {
                Some(node) => (
                    name,
                    node.tag_name().name().to_owned(),
                    node.attribute("message").unwrap().to_owned(),
                ),
                None => (name, String::new(), String::new()),
            }
        })
        .collect()
}

#[test]
fn a_job_reports_each_task_and_can_be_run_again() {
    let project = project(&[
        "run: 'echo a > a.txt'",
        "run: 'test -f \"$HOME/mended\" && echo b > b.txt'",
        "run: 'echo c > c.txt', requires: [task-002]",
    ]);
    let refused = job(&project, &[], &[]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.stderr.contains("never agreed to"), "{refused:?}");

    let summary = project.home().join("summary.md");
    let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_STEP_SUMMARY", summary.to_str().unwrap())];
    fs::write(&summary, "before\n").unwrap();
    let failed = job(&project, &["--yes", "--junit", "report.xml"], &github);
    assert_eq!(failed.code, 5, "{failed:?}");
    assert!(failed.stdout.contains("::group::milestone-001: Work\n"), "{failed:?}");
    assert!(failed.stdout.contains("::endgroup::\n"), "{failed:?}");
    let annotation = "::error title=task-001-002 Task 2::it ended with code 1\n";
    assert!(failed.stdout.contains(annotation), "{failed:?}");
    assert!(!failed.stdout.contains('\u{1b}'), "{failed:?}");
    let report = fs::read_to_string(project.project().join("report.xml")).unwrap();
    let [first, second, third] = &cases(&report)[..] else { panic!("{report}") };
    assert_eq!((first.0.as_str(), first.1.as_str()), ("task-001-001 Task 1", ""));
    assert_eq!((second.1.as_str(), second.2.as_str()), ("failure", "it ended with code 1"));
    assert_eq!(third.1, "skipped");
    assert!(third.2.contains("waits for task-001-002"), "{third:?}");
    let page = fs::read_to_string(&summary).unwrap();
    assert!(page.starts_with("before\n### milestone-001: Work\n\n1 of 3 tasks done"), "{page}");
    let tracked = crate::execute::git(&project, &["status", "--porcelain", "-uall"]);
    assert!(!tracked.contains("reports/"), "{tracked}");

    // The next job goes on with the same session, and the one after that has nothing to do.
    fs::write(project.home().join("mended"), "").unwrap();
    project.ok(&["task", "unblock", "1.2"]);
    let again = job(&project, &[], &[("GITLAB_CI", "true")]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(again.stdout.contains("section_start:") && again.stdout.contains("section_end:"));
    let sessions = project.json(&["session", "list"])["data"]["sessions"].clone();
    assert_eq!(sessions.as_array().unwrap().len(), 1, "{sessions}");
    let name = format!("{}.xml", sessions[0]["id"].as_str().unwrap());
    let place = project.project().join(".milestones/reports").join(name);
    let report = fs::read_to_string(&place).unwrap();
    assert!(cases(&report).iter().all(|case| case.1.is_empty()), "{report}");
    fs::remove_file(&place).unwrap();
    let over = job(&project, &[], &[]);
    assert_eq!(over.code, 0, "{over:?}");
    assert_eq!(over.stdout, "milestone-001 is completed: there is nothing to do\n");
    assert_eq!(fs::read_to_string(&place).unwrap(), report);
}

#[test]
fn what_a_title_says_is_no_command_of_the_ci() {
    let project = project(&["run: 'exit 1', status: blocked, reason: 'no key'"]);
    let title =
        r#"title: "::error::x ##vso[task.setvariable]y\n::stop-commands::z 100% <&]]>\u0007""#;
    let text = fs::read_to_string(project.document(1)).unwrap();
    project.write(
        1,
        &text.replace("title: Task 1", title).replace("title: Work", "title: '##[group]W'"),
    );
    sleep(Duration::from_millis(300));
    for (host, own) in [
        ("GITHUB_ACTIONS", "::error title=task-001-001 "),
        ("TF_BUILD", "##vso[task.logissue type=error]task-001-001 "),
        ("CI", "error: task-001-001 "),
    ] {
        let ran = job(&project, &["--yes", "--junit", "report.xml"], &[(host, "true")]);
        assert_eq!(ran.code, 5, "{ran:?}");
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(said.lines().filter(|line| line.starts_with(own)).count(), 1, "{said}");
        for line in said.lines().filter(|line| !line.starts_with(own)) {
            let line = line.replace("##[group]milestone-001", "").replace("##[endgroup]", "");
            let line = line.replace("::group::milestone-001", "").replace("::endgroup::", "");
            assert!(!line.contains("##[") && !line.contains("##vso["), "{line}");
            assert!(!line.trim_start().starts_with("::"), "{line}");
        }
    }
    let report = fs::read_to_string(project.project().join("report.xml")).unwrap();
    let name =
        "task-001-001 ::error::x ##vso[task.setvariable]y\n::stop-commands::z 100% <&]]>\\u{7}";
    assert_eq!(cases(&report)[0].0, name);
}

#[test]
fn a_report_that_cannot_be_written_is_found_out_before_anything_is_done() {
    let project = project(&["run: 'echo a > a.txt'"]);
    let ran = job(&project, &["--yes", "--junit", "nowhere/report.xml"], &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("nowhere/report.xml"), "{ran:?}");
    assert_eq!(status(&project, "1.1"), "pending");
    let alone = project.run(&["execute", "1", "--junit", "report.xml"]);
    assert_eq!(alone.code, 2, "{alone:?}");
}

#[test]
fn what_a_ci_found_out_is_kept_whether_it_is_good_or_not() {
    let project = project(&["run: 'true'"]);
    let file = |name: &str, text: &str| fs::write(project.project().join(name), text).unwrap();
    file("good.xml", "<testsuite name='s'><testcase name='a'/></testsuite>");
    file("bad.json", r#"{"passed": 3, "failed": 1, "failing": ["login"]}"#);
    file("other.txt", "PASS");

    let good = project.ok(&["ci", "report", "good.xml", "--task", "1.1"]);
    assert!(good.contains("ok  good.xml  JUnit: 1 tests"), "{good}");
    let bad = project.run(&["ci", "report", "good.xml", "bad.json", "--task", "1.1"]);
    assert_eq!(bad.code, 1, "{bad:?}");
    assert!(bad.stderr.contains("task-001-001"), "{bad:?}");
    let log = project.ok(&["task", "log", "1.1"]);
    assert!(log.contains("CI report: good.xml: ok (JUnit: 1 tests, 0 failures"), "{log}");
    assert!(
        log.contains("bad.json: failed (3 passed, 1 failed, 0 skipped); failing: login"),
        "{log}"
    );
    let kept = log.lines().count();

    for (files, says) in [
        (&["good.xml", "other.txt"][..], "other.txt is no report that is known"),
        (&["nowhere.xml"], "nowhere.xml cannot be read"),
        (&["."], ". is no file"),
    ] {
        let refused = project.run(&[&["ci", "report"], files, &["--task", "1.1"]].concat());
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    assert_eq!(project.ok(&["task", "log", "1.1"]).lines().count(), kept);
    assert_eq!(project.run(&["ci", "report", "good.xml"]).code, 2);

    let on = project.json(&["ci", "report", "bad.json", "--milestone", "1"]);
    assert_eq!(on["kind"], "ci_report");
    assert_eq!(
        (&on["data"]["ok"], &on["data"]["recorded_on"]),
        (&false.into(), &"milestone-001".into())
    );
    let events = project.ok(&["watch", "--since", "start", "--once"]);
    assert!(events.contains("on milestone-001: CI report: bad.json: failed"), "{events}");
    let found = project.ok(&["search", "bad.json"]);
    assert!(found.contains("milestone-001"), "{found}");
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let project = project(&["run: 'true'"]);
    let file = fs::File::create(project.project().join("large.xml")).unwrap();
    file.set_len(16 * 1024 * 1024 + 1).unwrap();
    let refused = project.run(&["ci", "report", "large.xml", "--task", "1.1"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("larger than 16 MB"), "{refused:?}");
}
