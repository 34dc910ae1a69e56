//! Which store a project belongs into: what is measured, asked for, said and kept quiet about.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use crate::environment::{Environment, Ran};

const NOTE: &str = ".milestones/config/scale-detection.yaml";
const SETTINGS: &str = ".milestones/config/milestone-config.yaml";
const ADDRESS: &str = "postgres://ada:hunter2@db.example/plans?sslmode=require";
const SHOWN: &str = "postgres://ada:***@db.example/plans?sslmode=require";

fn project(milestones: u32) -> Environment {
    let project = Environment::new();
    for number in 1..milestones {
        let text =
            format!("id: milestone-{number:03}\ntitle: M\ntasks: [{{id: task-001, title: A}}]\n");
        project.write(number, &text);
    }
    project.ok(&["plan", "Last", "--task", "Design", "--task", "Build"]);
    project
}

fn note(project: &Environment) -> String {
    fs::read_to_string(project.project().join(NOTE)).unwrap()
}

/// As the guide has it: `echo ... >> milestone-config.yaml`.
fn append(project: &Environment, line: &str) {
    let file = project.project().join(SETTINGS);
    let mut file = OpenOptions::new().append(true).open(file).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// The time is another one each time.
fn timeless(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("at: "));
    lines.collect::<Vec<_>>().join("\n")
}

fn quiet(what: &str, text: &str) {
    assert!(!text.contains("hunter2"), "{what} shows the password: {text}");
}

fn all_quiet(what: &str, ran: &Ran) {
    quiet(what, &ran.stdout);
    quiet(what, &ran.stderr);
}

#[test]
fn a_small_project_stays_and_says_why() {
    let project = project(2);
    insta::assert_snapshot!("small", project.ok(&["storage", "explain"]));
    insta::assert_snapshot!("small_note", timeless(&note(&project)));
    let view = project.json(&["storage", "explain"])["data"].clone();
    assert_eq!((&view["store"], &view["moves_to"]), (&"files".into(), &serde_json::Value::Null));
    assert_eq!(view["figures"][1]["now"], 3);
}

#[test]
fn a_large_one_says_what_moves_it() {
    let project = project(51);
    insta::assert_snapshot!("large", project.ok(&["storage", "explain"]));
    assert!(note(&project).contains("51 open milestones are more than 50"), "{}", note(&project));
    project.ok(&["update", "1", "--status", "cancelled"]);
    project.ok(&["archive", "1", "--force", "not needed"]);
    let view = project.json(&["storage", "explain"])["data"].clone();
    assert_eq!(view["why"], "50 open milestones are not more than 50");
    assert!(note(&project).contains("decided: stay"), "{}", note(&project));
}

#[test]
fn whoever_only_looks_writes_nothing() {
    let project = Environment::new();
    project.write(1, "id: milestone-001\ntitle: M\n");
    project.ok(&["init"]);
    for args in [&["list"][..], &["status"], &["storage", "explain"], &["storage", "status"]] {
        project.ok(args);
    }
    assert!(!project.project().join(NOTE).exists());
    project.ok(&["task", "add", "1", "First"]);
    let (first, stamp) = (note(&project), || {
        fs::metadata(project.project().join(NOTE)).unwrap().modified().unwrap()
    });
    let written = stamp();
    project.ok(&["task", "note", "1.1", "nothing new"]);
    project.ok(&["task", "start", "1.1"]);
    assert_eq!((note(&project), stamp()), (first.clone(), written));
    fs::write(project.project().join(NOTE), first.replace("stay", "go away")).unwrap();
    project.ok(&["task", "note", "1.1", "it is put back"]);
    assert_eq!(timeless(&note(&project)), timeless(&first));
}

#[test]
fn every_spelling_of_an_override_counts_when_it_is_appended() {
    let project = project(1);
    for (word, read, to) in [
        ("sqlite", "sqlite", Some("sqlite")),
        ("database", "database", Some("sqlite")),
        ("file", "files", None),
        ("files", "files", None),
        ("postgres", "postgres", None),
        ("auto", "auto", None),
    ] {
        append(&project, &format!("scale_override: {word}"));
        let view = project.json(&["storage", "explain"])["data"].clone();
        assert_eq!(view["asked"]["scale_override"], read);
        assert_eq!(view["asked"]["from"], "project");
        assert_eq!(view["moves_to"].as_str(), to, "{word}: {view}");
        project.ok(&["task", "note", "1.1", word]);
        assert!(note(&project).contains(&format!("scale_override: {read}\n")), "{word}");
    }
    append(&project, "scale_override: cloud");
    let refused = project.run(&["list"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("scale_override"), "{refused:?}");
}

#[test]
fn database_means_postgres_where_it_is_known_where_that_is() {
    let project = project(1);
    project.ok(&["config", "set", "scale_override", "database"]);
    let mut explain = project.command(&["storage", "explain"]);
    let ran = Ran::from(explain.env("MILESTONE_DATABASE_URL", ADDRESS).output().unwrap());
    all_quiet("explain", &ran);
    insta::assert_snapshot!("database", ran.stdout);
}

#[test]
fn what_is_missing_is_told_once() {
    let project = project(1);
    project.ok(&["config", "set", "scale_override", "postgres"]);
    let first = project.run(&["task", "note", "1.1", "one"]);
    assert!(first.stderr.contains("MILESTONE_DATABASE_URL"), "{first:?}");
    let second = project.run(&["task", "note", "1.1", "two"]);
    assert!(!second.stderr.contains("MILESTONE_DATABASE_URL"), "{second:?}");
    insta::assert_snapshot!("postgres_without_url", project.ok(&["storage", "explain"]));
}

#[test]
fn the_address_of_a_database_is_set_for_oneself_alone() {
    let project = project(1);
    let said = project.run(&["config", "set", "storage.postgres_url", ADDRESS]);
    assert_eq!(said.code, 0, "{said:?}");
    all_quiet("config set", &said);
    let own = project.home().join(".config/milestone/config.yaml");
    assert!(fs::read_to_string(&own).unwrap().contains(ADDRESS));
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    quiet("the project", &fs::read_to_string(project.project().join(SETTINGS)).unwrap());
    // A file that was open to others is closed.
    fs::set_permissions(&own, fs::Permissions::from_mode(0o644)).unwrap();
    project.ok(&["config", "set", "storage.postgres_url", ADDRESS]);
    assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(project.ok(&["config", "get", "storage.postgres_url"]), format!("{SHOWN}\n"));
}

#[test]
fn nothing_that_is_shown_has_the_password_in_it() {
    let project = project(1);
    project.ok(&["config", "set", "storage.postgres_url", ADDRESS]);
    project.ok(&["config", "set", "storage.postgres_listen_url", ADDRESS]);
    project.ok(&["config", "set", "scale_override", "postgres"]);
    for args in [
        &["config", "get"][..],
        &["config", "get", "--json"],
        &["config", "get", "storage.postgres_url"],
        &["config", "get", "storage.postgres_listen_url", "--json"],
        &["config", "set", "storage.postgres_url", ADDRESS, "--json"],
        &["config", "set", "storage.postgres_url", "postgres://a:hunter2@b@c/d"],
        &["config", "set", "storage.postgres_url", "hunter2"],
        &["config", "set", ADDRESS, "storage.postgres_url"],
        &["config", "get", ADDRESS],
        &["config", "validate"],
        &["update", "--diagnostics"],
        &["update", "--health-check"],
        &["update", "--system-health"],
        &["storage", "explain"],
        &["storage", "explain", "--json"],
        &["storage", "status"],
        &["task", "note", "1.1", "written"],
        &["doctor"],
    ] {
        all_quiet(&args.join(" "), &project.run(args));
    }
    quiet("the note", &note(&project));
    let diagnostics = project.ok(&["update", "--diagnostics"]);
    assert!(!diagnostics.contains("db.example"), "{diagnostics}");
    let own = project.home().join(".config/milestone/config.yaml");
    for broken in
        [ADDRESS, "storage: [postgres://a:hunter2@b/c", "storage: {postgres_url: hunter2}"]
    {
        fs::write(&own, broken).unwrap();
        let ran = project.run(&["list"]);
        assert_ne!(ran.code, 0, "{broken}");
        all_quiet(broken, &ran);
    }
}

#[test]
fn an_address_in_the_projects_file_is_ignored_by_name() {
    let project = project(1);
    append(&project, &format!("storage:\n  postgres_url: {ADDRESS}"));
    let ran = project.run(&["list"]);
    all_quiet("list", &ran);
    for word in ["storage.postgres_url", "milestone-config.yaml", "MILESTONE_DATABASE_URL"] {
        assert!(ran.stderr.contains(word), "{word}: {ran:?}");
    }
    assert_eq!(project.ok(&["config", "get", "storage.postgres_url"]), "none\n");
    let view = project.json(&["storage", "explain"]);
    assert_eq!(view["data"]["postgres_url"], serde_json::Value::Null);
}

#[test]
fn lasting_pressure_is_seen() {
    let project = project(1);
    let now = jiff::Timestamp::now().as_millisecond();
    let mut waits = Vec::new();
    for ago in [20_000, 40_000, 60_000] {
        for writer in 0..7 {
            writeln!(waits, "{} 250", now - ago + writer).unwrap();
        }
    }
    fs::write(project.project().join(".milestones/data/waits"), waits).unwrap();
    let view = project.json(&["storage", "explain"])["data"].clone();
    assert_eq!(view["moves_to"], "sqlite");
    let why = view["why"].as_str().unwrap();
    assert!(why.contains("8 at once") && why.contains("21 commands waited"), "{why}");
}
