//! What `plan` and `template` make of a title, and what they say about it.

use std::fs;

use crate::environment::{Environment, Ran};

/// What people see of a plan, whatever day it is.
fn said(project: &Environment, args: &[&str]) -> String {
    let ran = project.run(args);
    assert_eq!(ran.code, 0, "{ran:?}");
    let folder = project.project().join(".milestones");
    let text = ran.stderr.replace(&*fs::canonicalize(&folder).unwrap().to_string_lossy(), "FOLDER");
    let dated = |line: &str| match line.strip_prefix("finish") {
        Some(_) => "finish    WHEN".to_owned(),
        None => line.to_owned(),
    };
    text.lines().map(dated).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_feature() {
    let project = Environment::new();
    insta::assert_snapshot!(said(&project, &["plan", "Implement user authentication system"]));
}

#[test]
fn parts_phases_and_what_it_builds_on() {
    let project = Environment::new();
    project.ok(&["plan", "User database", "--template", "none"]);
    project.ok(&["plan", "Sign-in", "--task", "Do it"]);
    let api = ["plan", "User API: accounts, roles and teams", "--duration", "2 weeks"];
    insta::assert_snapshot!("api", said(&project, &[&api[..], &["--dependencies", "2"]].concat()));
    let payment = ["plan", "Payment System", "--kiro-workflow", "--approval-required"];
    insta::assert_snapshot!("phases", said(&project, &payment));
}

#[test]
fn who_lists_tasks_gets_those_and_is_told_of_risks() {
    let project = Environment::new();
    let listed = ["plan", "Payment page", "--task", "Sketch | 4h", "--task", "Build | after 1"];
    insta::assert_snapshot!(said(&project, &listed));
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(!text.contains("risks:") && !text.contains("criteria:"), "{text}");
    let view = project.json(&["plan", "Pay", "--task", "Mine", "--template", "bug-fix"]);
    let titles: Vec<_> = view["data"]["milestone"]["tasks"].as_array().unwrap().iter().collect();
    assert_eq!(titles.len(), 5);
    assert_eq!(titles[0]["title"], "Mine");
}

#[test]
fn the_json_says_how_the_plan_came_about() {
    let project = Environment::new();
    let view = project.json(&["plan", "Fix crash on empty cart", "--dry-run"]);
    assert_eq!(view["kind"], "plan");
    let data = &view["data"];
    assert_eq!(
        (data["written"].as_bool(), &data["template"]["name"]),
        (Some(false), &"bug-fix".into())
    );
    assert_eq!(data["template"]["because"]["why"], "words");
    assert_eq!(data["scope"]["size"], "normal");
    assert!(!project.project().join(".milestones").exists());
    let same = project.json(&["plan", "Fix crash on empty cart"]);
    assert_eq!(
        same["data"]["milestone"]["document"]["tasks"],
        data["milestone"]["document"]["tasks"]
    );
}

#[test]
fn a_dry_run_shows_the_document_and_the_page() {
    let project = Environment::new();
    let ran = project.run(&["plan", "Payment System", "--kiro-workflow", "--dry-run"]);
    assert!(ran.stdout.contains("path: execute/test-results.md"), "{}", ran.stdout);
    assert!(ran.stderr.contains("nothing was written"), "{}", ran.stderr);
    assert!(!project.project().join(".milestones").exists());
    // What is shown is what `plan --from` takes.
    let file = project.home().join("shown.yaml");
    fs::write(&file, &ran.stdout).unwrap();
    let again = project.json(&["plan", "--from", file.to_str().unwrap()]);
    assert_eq!(again["data"]["milestone"]["tasks"].as_array().unwrap().len(), 12);
    let both = project.run(&["plan", "--from", file.to_str().unwrap(), "--kiro-workflow"]);
    assert_eq!(both.code, 2, "{both:?}");
}

#[test]
fn what_cannot_be_planned_is_refused_and_makes_nothing() {
    let project = Environment::new();
    assert_eq!(project.run(&["plan", "X", "--approval-required"]).code, 2);
    assert_eq!(project.run(&["plan", "X", "--template", "apy"]).code, 3);
    assert_eq!(project.run(&["plan", "X", "--template", "none", "--from", "y"]).code, 2);
    assert_eq!(project.run(&["plan", " "]).code, 2);
    let draft = project.home().join("draft.yaml");
    fs::write(&draft, "title: T\ntasks:\n  - One\n  - title: Two\n    estimate: soon\n").unwrap();
    let ran = project.run(&["plan", "--from", draft.to_str().unwrap()]);
    assert_eq!(ran.code, 7);
    assert!(ran.stderr.contains("draft.yaml:4:5: "), "{}", ran.stderr);
    assert!(!project.document(1).exists());
}

/// What these lines do is built later; what does it today is named.
#[test]
fn a_planner_and_documents_are_refused_by_name_with_what_there_is() {
    let project = Environment::new();
    let refused = |args: &[&str]| {
        let ran = project.run(args);
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.stderr
    };
    for planner in [&["--planner", "claude"][..], &["--planner=claude"]] {
        let said = refused(&[&["plan", "Payments"], planner].concat());
        assert!(said.contains("`--planner` is not built yet"), "{said}");
        assert!(said.contains("milestone schema draft") && said.contains("--from"), "{said}");
    }
    let said = refused(&["doc", "1"]);
    assert!(said.contains("`doc` is not built yet") && said.contains("milestone show"), "{said}");
    assert!(!project.project().join(".milestones").exists());
}

#[test]
fn odd_titles_are_planned_like_any_other() {
    let project = Environment::new();
    let listed = project.json(&["plan", "T", "--description", "- Login\n- Reset\n  - nested"]);
    assert_eq!(listed["data"]["scope"]["parts"], serde_json::json!(["Login", "Reset"]));
    for title in ["🚀", "Zahlungssystem einführen", "{title} {part}", "日本語", &"x".repeat(500)]
    {
        assert!(project.ok(&["plan", title]).starts_with("milestone-"), "{title}");
    }
    assert_eq!(project.run(&["plan", &"x".repeat(501)]).code, 2);
    project.ok(&["doctor"]);
}

#[test]
fn templates_are_listed_and_shown() {
    let project = Environment::new();
    insta::assert_snapshot!("list", project.ok(&["template", "list"]));
    insta::assert_snapshot!("show", project.ok(&["template", "show", "api"]));
    let yaml = project.ok(&["template", "show", "api", "--yaml"]);
    assert!(yaml.starts_with("name: api\n"), "{yaml}");
    let ran = project.run(&["template", "show", "featur"]);
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.contains("template show feature`"), "{}", ran.stderr);
}

#[test]
fn a_projects_template_is_made_used_and_never_written_over() {
    let project = Environment::new();
    project.ok(&["init"]);
    assert_eq!(project.ok(&["template", "new", "invoicing"]), "invoicing\n");
    let file = project.project().join(".milestones/templates/invoicing.yaml");
    let text = fs::read_to_string(&file).unwrap().replace("\"invoicing\": 5", "invoice: 9");
    fs::write(&file, &text).unwrap();
    let view = project.json(&["plan", "Invoice import"]);
    assert_eq!(view["data"]["template"]["name"], "invoicing");
    let again = project.run(&["template", "new", "invoicing"]);
    assert_eq!(again.code, 4, "{again:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
    assert!(project.ok(&["template", "list"]).contains("(the project's own)"));
    // From another template, comments and all; and from a milestone.
    project.ok(&["template", "new", "credit-notes", "--from", "invoicing"]);
    let copy = fs::read_to_string(file.with_file_name("credit-notes.yaml")).unwrap();
    assert!(copy.contains("name: credit-notes") && copy.contains("# once for each part"), "{copy}");
    project.ok(&["template", "new", "import", "--from", "1"]);
    assert_eq!(project.json(&["plan", "Y", "--template", "import"])["data"]["edges"], 3);
    for wrong in ["None", "milestone-001", "../x", "a b"] {
        assert_eq!(project.run(&["template", "new", wrong]).code, 2, "{wrong}");
    }
    assert_eq!(project.run(&["template", "new", "x", "--from", "99"]).code, 3);
    assert_eq!(project.run(&["template", "new", "x", "--from", "nothing"]).code, 3);
}

#[test]
fn a_broken_template_is_named_and_the_rest_goes_on() {
    let project = Environment::new();
    project.ok(&["init"]);
    let folder = project.project().join(".milestones/templates");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("feature.yaml"), "name: feature\ntitle: [\n").unwrap();
    let ran = project.run(&["plan", "Add user preferences", "--json"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("templates/feature.yaml:"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("\"name\":\"feature\""), "{}", ran.stdout);
    assert_eq!(project.run(&["plan", "X", "--template", "feature"]).code, 7);
    let doctor = project.run(&["doctor"]);
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(doctor.stdout.contains("templates/feature.yaml:2:8:"), "{doctor:?}");
}

#[test]
fn a_template_is_applied_in_one_change_and_once() {
    let project = Environment::new();
    project.ok(&["plan", "Reports", "--task", "Mine"]);
    let applied = project.json(&["template", "apply", "api", "1"]);
    assert_eq!(applied["data"]["added"]["tasks"].as_array().unwrap().len(), 8);
    let view = project.json(&["show", "1"]);
    assert_eq!(view["data"]["tasks"].as_array().unwrap().len(), 9);
    assert_eq!(view["data"]["document"]["criteria"].as_array().unwrap().len(), 3);
    let again = project.run(&["template", "apply", "api", "1"]);
    assert!(again.stderr.contains("Nothing to add"), "{again:?}");
    project.ok(&["doctor"]);
    assert_eq!(project.run(&["template", "apply", "api", "9"]).code, 3);
    assert_eq!(project.run(&["template", "apply", "api", "1.1"]).code, 2);
}

/// The words of a command line as a shell reads them.
fn words(line: &str) -> Vec<String> {
    let out = std::process::Command::new("sh")
        .args(["-c", &format!("printf '%s\\n' {line}")])
        .output()
        .unwrap();
    String::from_utf8(out.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_command_that_a_plan_names_is_one_of_ours_and_does_its_work() {
    let project = Environment::new();
    project.ok(&["plan", "User database", "--template", "none"]);
    let draft = project.home().join("draft.yaml");
    fs::write(&draft, "title: Storage\nprovides: [\"invoice schema, it's there\"]\n").unwrap();
    project.ok(&["plan", "--from", draft.to_str().unwrap()]);
    let mut named = Vec::new();
    for plan in [
        &["plan", "User database reports"][..],
        &["plan", "Invoice schema report"],
        &["plan", "Payments", "--kiro-workflow", "--approval-required"],
        &["plan", "By hand", "--template", "none"],
    ] {
        let view = project.json(plan);
        let next = view["data"]["next"].as_array().unwrap();
        named.extend(next.iter().filter_map(|advice| advice["command"].as_str().map(String::from)));
    }
    for flag in ["--requires", "--condition"] {
        assert!(named.iter().any(|line| line.contains(flag)), "{flag}: {named:?}");
    }
    for line in named {
        let line = words(&line);
        let args: Vec<&str> = line.iter().skip(1).map(String::as_str).collect();
        let ran = Ran::from(project.command(&args).env("EDITOR", "true").output().unwrap());
        // An approval waits for work that nobody has done yet.
        let refused_by_a_rule = args[0] == "approve" && ran.code == 5;
        assert!(ran.code == 0 || refused_by_a_rule, "{line:?}: {ran:?}");
    }
    // What a dry run says to add is a flag of `plan`.
    let ran = project.run(&["plan", "User database charts", "--dry-run"]);
    assert!(ran.stderr.contains("then add --requires 1"), "{}", ran.stderr);
    project.ok(&["plan", "User database charts", "--requires", "1"]);
}

#[test]
fn a_title_that_says_nothing_is_told_so_and_figures_agree_with_next() {
    let project = Environment::new();
    let said = "Nothing in the title was understood";
    assert!(project.run(&["plan", "asdf", "--dry-run"]).stderr.contains(said));
    for title in ["Hire two backend engineers", "Payment page"] {
        assert!(!project.run(&["plan", title, "--dry-run"]).stderr.contains(said), "{title}");
    }
    let named = project.run(&["plan", "asdf", "--template", "api", "--dry-run"]);
    assert!(!named.stderr.contains(said), "{named:?}");
    let planned = project.run(&["plan", "Upgrade React"]).stderr;
    let next = project.ok(&["next"]);
    let first =
        |text: &str| text.split("ESTIMATE").nth(1).unwrap().lines().nth(1).unwrap().to_owned();
    let task = project.json(&["next"])["data"]["ready"][0]["id"].clone();
    assert_eq!(task, "task-001-001");
    assert!(first(&planned).contains("4h") && first(&next).contains("4h"), "{planned}{next}");
}
