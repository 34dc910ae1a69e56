//! `--chart`: what is drawn, where it goes, and what is refused.

use std::fs;

use crate::environment::Environment;

fn project() -> Environment {
    let project = Environment::new();
    project.write(
        1,
        "\
id: milestone-001
title: 'Login \"<b>&'
due: 2199-01-18
start: 2199-01-07
tasks:
  - {id: task-001, title: 日本語, estimate: 4h}
  - {id: task-002, title: Build it, estimate: 2d, requires: [task-001]}
",
    );
    project.ok(&["init"]);
    project
}

const CHARTS: [&str; 3] = ["burn-down", "gantt", "graph"];

#[test]
fn every_chart_is_drawn_in_every_format() {
    let project = project();
    for chart in CHARTS {
        for id in [&[][..], &["1"]] {
            let of = |format: &str| {
                project.ok(&[&["status"], id, &["--chart", chart, "--format", format]].concat())
            };
            assert!(of("text").lines().count() > 1, "{chart}");
            let svg = of("svg");
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"), "{svg}");
            assert!(!svg.contains("<b>"), "{svg}");
            let mermaid = of("mermaid");
            assert!(!mermaid.contains("<b>") && !mermaid.contains("\"<"), "{mermaid}");
        }
        let text = project.ok(&["status", "--chart", chart]);
        assert_eq!(project.ok(&["update", "--chart", chart]), text);
    }
}

#[test]
fn a_change_is_made_before_its_chart_is_drawn() {
    let project = project();
    let text = project.ok(&["update", "1", "--title", "Renamed", "--chart", "graph"]);
    assert!(project.ok(&["show", "1"]).contains("Renamed"));
    assert!(text.starts_with("Dependencies"), "{text}");
    assert!(project.ok(&["status", "--chart", "gantt"]).contains("Renamed"));
}

#[test]
fn json_has_the_figures() {
    let project = project();
    for (chart, kind) in CHARTS.into_iter().zip(["burn_down", "gantt", "graph"]) {
        let ran = project.run(&["status", "--chart", chart, "--json"]);
        assert!(ran.stdout.contains(&format!("\"kind\":\"{kind}\"")), "{ran:?}");
    }
    let gantt = project.json(&["status", "1", "--chart", "gantt"]);
    assert_eq!(gantt["data"]["rows"][1]["span"]["start"], "2199-01-07");
    let burn_down = project.json(&["status", "--chart", "burn-down"]);
    assert_eq!(burn_down["data"]["history"], "too_short");
    assert_eq!(burn_down["data"]["needed"], 2);
}

#[test]
fn a_file_is_written_whole_and_nothing_else_is_touched() {
    let project = project();
    let folder = project.project();
    fs::create_dir(folder.join("pictures")).unwrap();
    fs::write(folder.join("old.svg"), "old").unwrap();
    std::os::unix::fs::symlink("old.svg", folder.join("link.svg")).unwrap();
    let run =
        |out: &str| project.run(&["status", "--chart", "graph", "--format", "svg", "--out", out]);
    let ran = run("link.svg");
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{ran:?}");
    assert!(fs::read_to_string(folder.join("old.svg")).unwrap().starts_with("<svg"));
    assert!(fs::symlink_metadata(folder.join("link.svg")).unwrap().is_symlink());
    for (out, code) in [("pictures", 2), ("/dev/null", 2), ("nowhere/x.svg", 1), ("..", 2)] {
        let ran = run(out);
        assert_eq!(ran.code, code, "{out}: {ran:?}");
        assert!(ran.stderr.contains("hint:"), "{ran:?}");
    }
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 5, "no draft is left: {names:?}");
}

#[test]
fn what_means_nothing_is_refused() {
    let project = project();
    for args in [
        &["status", "--format", "svg"][..],
        &["status", "--out", "x.svg"],
        &["status", "--chart", "pie"],
        &["status", "--chart", "gantt", "--format", "svg", "--json"],
        &["status", "--chart", "gantt", "--out", "x", "--json"],
    ] {
        assert_eq!(project.run(args).code, 2, "{args:?}");
    }
    for chart in CHARTS {
        assert_eq!(project.run(&["status", "7", "--chart", chart]).code, 3, "{chart}");
    }
}

#[test]
fn a_locale_without_unicode_gets_ascii() {
    let project = project();
    let drawn = |locale: &str| {
        let mut command = project.command(&["status", "--chart", "gantt"]);
        let output = command.env("LC_ALL", locale).output().unwrap();
        String::from_utf8(output.stdout).unwrap().replace("日本語", "")
    };
    assert!(drawn("C").is_ascii(), "{}", drawn("C"));
    assert!(!drawn("C.UTF-8").is_ascii());
}

#[test]
fn an_empty_project_has_nothing_to_draw_and_says_so() {
    let project = Environment::new();
    project.ok(&["init"]);
    for chart in ["gantt", "graph"] {
        assert!(project.ok(&["status", "--chart", chart]).contains("nothing to draw"), "{chart}");
    }
    assert!(project.ok(&["status", "--chart", "burn-down"]).contains("no history yet"));
}
