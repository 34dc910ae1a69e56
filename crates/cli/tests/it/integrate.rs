//! Telling agents and editors: what is written, what is left alone, and what is taken out again.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::environment::Environment;

const AGENTS: [&str; 6] = ["claude", "codex", "gemini", "opencode", "cursor", "copilot"];

/// Every file of the repository and its text; folders too, so that none is left behind.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let below = tree(&path);
            found.extend(below.into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
            found.insert(format!("{name}/"), String::new());
        } else {
            found.insert(name, fs::read_to_string(path).unwrap());
        }
    }
    found
}

fn integrate<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["integrate"], args].concat()
}

#[test]
fn all_agents_are_told_and_forgotten_without_a_trace() {
    let project = Environment::new();
    let file = |name: &str| project.project().join(name);
    fs::write(file("AGENTS.md"), "# Mine\r\n\r\nwithout an end").unwrap();
    fs::write(file("CLAUDE.md"), "Read this.\n").unwrap();
    let before = tree(&project.project());
    let dry = project.ok(&integrate(&[&AGENTS[..], &["--dry-run"]].concat()));
    assert_eq!(tree(&project.project()), before, "a dry run writes nothing");
    assert!(dry.contains("+++ b/.claude/commands/milestone/plan.md"), "{dry}");

    project.ok(&integrate(&[&AGENTS[..], &["--yes"]].concat()));
    let told = tree(&project.project());
    for (place, says) in [
        (".claude/commands/milestone/plan.md", "$ARGUMENTS"),
        (".agents/skills/milestone-plan/SKILL.md", "name: milestone-plan"),
        (".gemini/commands/milestone/plan.toml", "{{args}}"),
        (".opencode/commands/milestone/plan.md", "$ARGUMENTS"),
        (".cursor/skills/milestone-plan/SKILL.md", "name: milestone-plan"),
        (".github/skills/milestone-plan/SKILL.md", "name: milestone-plan"),
        ("CLAUDE.md", "\n@AGENTS.md\n"),
        ("GEMINI.md", "\n@./AGENTS.md\n"),
    ] {
        assert!(told[place].contains(says), "{place}: {}", told[place]);
    }
    assert!(
        told["AGENTS.md"].starts_with("# Mine\r\n\r\nwithout an end\r\n\r\n<!-- milestone:begin")
    );
    assert!(!told["AGENTS.md"].replace("\r\n", "").contains('\n'), "line ends stay as they were");
    for text in told.values() {
        assert!(!text.contains(&*project.project().to_string_lossy()), "{text}");
    }

    // A second time, there is nothing to agree to.
    let again = project.ok(&integrate(&AGENTS));
    assert_eq!(again, "39 files are as they should be.\n");
    assert_eq!(tree(&project.project()), told);

    // What others still use stays.
    project.ok(&integrate(&["claude", "--remove", "--yes"]));
    let fewer = tree(&project.project());
    assert!(!fewer.contains_key(".claude/"), "{fewer:?}");
    assert_eq!(
        (&fewer["AGENTS.md"], &fewer["CLAUDE.md"]),
        (&told["AGENTS.md"], &before["CLAUDE.md"])
    );
    project.ok(&integrate(&[&AGENTS[1..], &["--remove", "--yes"]].concat()));
    assert_eq!(tree(&project.project()), before);
    assert_eq!(
        project.ok(&integrate(&["claude", "--remove"])),
        "There is nothing of ours to take out.\n"
    );
}

#[test]
fn what_a_person_changed_is_theirs() {
    let project = Environment::new();
    let file = |name: &str| project.project().join(name);
    let foreign = file(".claude/commands/milestone/next.md");
    fs::create_dir_all(foreign.parent().unwrap()).unwrap();
    fs::write(&foreign, "my own\n").unwrap();
    project.ok(&integrate(&["claude", "--yes"]));
    let plan = file(".claude/commands/milestone/plan.md");
    fs::write(&plan, fs::read_to_string(&plan).unwrap() + "And in French.\n").unwrap();
    let section = fs::read_to_string(file("AGENTS.md")).unwrap();
    fs::write(file("AGENTS.md"), section.replace("## Milestones", "## Our milestones")).unwrap();
    let changed = tree(&project.project());

    for args in [&["claude", "--yes"][..], &["claude", "--remove", "--yes"]] {
        let said = project.ok(&integrate(args));
        assert!(said.contains("plan.md: left alone, because it was changed since"), "{said}");
        assert!(said.contains("next.md: left alone, because it was not written by"), "{said}");
        let kept = tree(&project.project());
        for place in [
            "AGENTS.md",
            ".claude/commands/milestone/plan.md",
            ".claude/commands/milestone/next.md",
        ] {
            assert_eq!(kept[place], changed[place]);
        }
    }
    assert!(!file(".claude/commands/milestone/task.md").exists());
}

#[test]
fn a_text_of_another_version_is_brought_up_to_date() {
    let project = Environment::new();
    project.ok(&integrate(&["codex", "--yes"]));
    let file = project.project().join(".agents/skills/milestone-next/SKILL.md");
    let ours = fs::read_to_string(&file).unwrap();
    // Written by hand once, with the mark that the program made for it then.
    let older = "---\n# generated by milestone afb5bd40d88ae4aa\nname: milestone-next\n---\nOld.\n";
    fs::write(&file, older).unwrap();
    let said = project.ok(&integrate(&["codex", "--yes"]));
    assert!(said.contains("milestone-next/SKILL.md: changed"), "{said}");
    assert_eq!(fs::read_to_string(&file).unwrap(), ours);
    fs::write(&file, older).unwrap();
    project.ok(&integrate(&["codex", "--remove", "--yes"]));
    assert!(!file.exists());
}

#[test]
fn nobody_is_asked_who_cannot_answer() {
    let project = Environment::new();
    let before = tree(&project.project());
    for args in [&["integrate", "claude"][..], &["integrate", "claude", "--json"]] {
        let ran = project.run(args);
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!((ran.stdout + &ran.stderr).contains("`--yes` agrees beforehand"));
    }
    for args in [&["integrate", "--yes"][..], &["integrate", "--remove"], &["integrate", "vim"]] {
        assert_eq!(project.run(args).code, 2, "{args:?}");
    }
    assert_eq!(tree(&project.project()), before);
}

#[test]
fn no_link_is_followed() {
    let project = Environment::new();
    let outside = project.home().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "theirs\n").unwrap();
    symlink(&outside, project.project().join(".gemini")).unwrap();
    symlink(outside.join("file"), project.project().join("AGENTS.md")).unwrap();
    let ran = project.run(&["integrate", "codex", "gemini", "--yes"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(!project.project().join(".agents").exists(), "all of it is refused");
    let said = project.ok(&integrate(&["codex", "--yes"]));
    assert!(said.contains("AGENTS.md: left alone, because it is a link"), "{said}");
    let theirs = tree(&outside);
    assert_eq!(theirs, BTreeMap::from([("file".to_owned(), "theirs\n".to_owned())]));
}

#[test]
fn what_leads_to_the_section_already_is_enough() {
    let project = Environment::new();
    let file = |name: &str| project.project().join(name);
    fs::write(file("CLAUDE.md"), "@AGENTS.md\n").unwrap();
    fs::create_dir(file(".gemini")).unwrap();
    let settings = r#"{"context": {"fileName": ["AGENTS.md"]}}"#;
    fs::write(file(".gemini/settings.json"), settings).unwrap();
    project.ok(&integrate(&["claude", "gemini", "--yes"]));
    assert_eq!(fs::read_to_string(file("CLAUDE.md")).unwrap(), "@AGENTS.md\n");
    assert!(!file("GEMINI.md").exists());
    fs::remove_file(file("CLAUDE.md")).unwrap();
    symlink("AGENTS.md", file("CLAUDE.md")).unwrap();
    assert_eq!(project.ok(&integrate(&["claude"])), "7 files are as they should be.\n");
    project.ok(&integrate(&["claude", "gemini", "--remove", "--yes"]));
    assert!(file("CLAUDE.md").is_symlink());
}

#[test]
fn the_list_says_who_is_told_and_who_is_here() {
    let project = Environment::new();
    fs::create_dir(project.project().join(".cursor")).unwrap();
    project.ok(&integrate(&["codex", "opencode", "--yes"]));
    fs::remove_file(project.project().join(".opencode/commands/milestone/task.md")).unwrap();
    insta::assert_snapshot!(project.ok(&["integrate"]));
    let listed = project.json(&["integrate"]);
    assert_eq!(
        (&listed["kind"], &listed["data"][1]["state"]),
        (&"integrations".into(), &"yes".into())
    );
}

#[test]
fn json_says_what_became_of_each_file() {
    let project = Environment::new();
    let told = project.json(&["integrate", "codex", "--yes"]);
    assert_eq!((&told["kind"], &told["data"]["written"]), (&"integration".into(), &true.into()));
    let files = told["data"]["files"].as_array().unwrap();
    assert_eq!(files.len(), 7);
    assert_eq!(files[6]["path"], "AGENTS.md");
    assert_eq!(files[6]["state"], "created");
    let dry = project.json(&["integrate", "codex", "--remove", "--dry-run"]);
    assert_eq!(dry["data"]["written"], false);
    assert!(dry["data"]["diff"].as_str().unwrap().contains("+++ /dev/null"));
}

#[test]
fn editors_are_led_to_the_schema_and_documents_stay_what_they_are() {
    let project = Environment::new();
    project.ok(&["plan", "One", "--task", "Build it"]);
    project.write(2, "# ours\r\nid: milestone-002\r\ntitle: Two\r\n");
    project
        .write(3, "# yaml-language-server: $schema=mine.json\nid: milestone-003\ntitle: Three\n");
    project.ok(&["list"]);
    let texts = |project: &Environment| -> Vec<String> {
        (1..=3).map(|number| fs::read_to_string(project.document(number)).unwrap()).collect()
    };
    let before = texts(&project);
    let events = project.ok(&["watch", "--since", "start", "--once", "--json"]);

    project.ok(&integrate(&["editor", "--yes"]));
    let line = "# yaml-language-server: $schema=../schema/milestone.schema.json";
    let after = texts(&project);
    assert_eq!(after[0], format!("{line}\n{}", before[0]));
    assert_eq!(after[1], format!("{line}\r\n{}", before[1]));
    assert_eq!(after[2], before[2], "who has a schema of their own keeps it");
    let schema = project.project().join(".milestones/schema/milestone.schema.json");
    let schema: serde_json::Value = serde_json::from_slice(&fs::read(schema).unwrap()).unwrap();
    assert!(schema["properties"]["tasks"].is_object());
    assert_eq!(project.ok(&["watch", "--since", "start", "--once", "--json"]), events);
    assert_eq!(project.ok(&integrate(&["editor"])), "4 files are as they should be.\n");

    // New documents get the line, edits of any kind keep it, and nothing is wrong.
    project.ok(&["plan", "Four"]);
    assert!(fs::read_to_string(project.document(4)).unwrap().starts_with(line));
    project.write(1, &after[0].replace("title: One", "title: First"));
    std::thread::sleep(std::time::Duration::from_millis(300));
    project.ok(&["task", "start", "1.1"]);
    let text = fs::read_to_string(project.document(1)).unwrap();
    assert!(text.starts_with(line) && text.contains("title: First"), "{text}");
    assert!(project.ok(&["doctor"]).contains("as it should be"));

    project.ok(&integrate(&["editor", "--remove", "--yes"]));
    let last = texts(&project);
    assert!(!last[0].contains("yaml-language-server"), "{}", last[0]);
    assert_eq!(last[1..], before[1..]);
    assert!(!project.project().join(".milestones/schema").exists());
    project.ok(&["plan", "Five"]);
    assert!(fs::read_to_string(project.document(5)).unwrap().starts_with("id:"));
}
