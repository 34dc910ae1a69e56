//! Finding things by their words.

use std::fs;

use crate::environment::Environment;

fn project() -> Environment {
    let project = Environment::new();
    project.write(
        1,
        "\
id: milestone-001
title: User authentication
labels: [backend]
description: People log in with a password, or with a token that another service hands out to whoever
  asks for it in the right way, which is described elsewhere at great length and in every detail.
tasks:
  - {id: task-001, title: Design the login flow, labels: [ux]}
  - {id: task-002, title: Store tokens, status: completed}
criteria:
  - a login takes a second
risks:
  - {text: the vendor is slow, mitigation: another vendor}
",
    );
    project.write(2, "id: milestone-002\ntitle: Login page\nlessons: {improve: [ask the users]}\n");
    project.ok(&["init"]);
    project.ok(&["archive", "2", "--force", "done elsewhere"]);
    project.ok(&["task", "note", "1.2", "hashed, with a pepper"]);
    project
}

#[test]
fn what_was_found() {
    let project = project();
    let screens = ["login", "token", "users", "pepper", "lgoin", "login pepper"]
        .map(|text| format!("$ milestone search {text}\n{}", project.ok(&["search", text])));
    insta::assert_snapshot!(screens.join("\n"));
}

#[test]
fn filters_and_words_narrow() {
    let project = project();
    let ids = |args: &[&str]| {
        let found = project.json(&[&["search"], args].concat());
        let hits = found["data"]["hits"].as_array().unwrap().clone();
        hits.iter().map(|hit| hit["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(&["login", "--in", "open"]), "task-001-001 milestone-001");
    assert_eq!(ids(&["--in", "archived", "LOG"]), "milestone-002");
    assert_eq!(ids(&["login", "--kind", "criterion"]), "milestone-001");
    assert_eq!(ids(&["vendor", "--kind", "risk", "--kind", "lesson"]), "milestone-001");
    assert_eq!(ids(&["store", "--status", "done"]), "task-001-002");
    assert_eq!(ids(&["login", "--label", "backend"]), "task-001-001 milestone-001");
    assert_eq!(ids(&["login", "--label", "backend", "--label", "ux"]), "task-001-001");
    assert_eq!(ids(&["login", "--since", "2199-01-01"]), "");
    assert_eq!(ids(&["\"login page\""]), "milestone-002");
    assert_eq!(ids(&["login -page -flow"]), "milestone-001");
    let left = project.ok(&["search", "login", "--", "-page", "-flow"]);
    assert!(left.starts_with("milestone-001") && !left.contains("task-"), "{left}");
    assert_eq!(ids(&["1.2"]), "task-001-002");
    assert_eq!(project.json(&["search", "login", "--limit", "1"])["data"]["total"], 3);
}

#[test]
fn marks_count_characters() {
    let project = Environment::new();
    project.ok(&["plan", "日本 👩‍💻 Login"]);
    let found = project.json(&["search", "login"]);
    let hit = &found["data"]["hits"][0];
    assert_eq!(found["kind"], "search");
    let (start, end) = (&hit["title_marks"][0]["start"], &hit["title_marks"][0]["end"]);
    let title: Vec<char> = hit["title"].as_str().unwrap().chars().collect();
    let range = usize::try_from(start.as_u64().unwrap()).unwrap()
        ..usize::try_from(end.as_u64().unwrap()).unwrap();
    assert_eq!(title[range].iter().collect::<String>(), "Login");
}

#[test]
fn a_hand_edit_is_found_at_once_and_what_it_replaced_is_not() {
    let project = project();
    project.ok(&["search", "login"]);
    let text = fs::read_to_string(project.document(1)).unwrap();
    project.write(1, &text.replace("Store tokens", "Store vouchers"));
    assert!(project.ok(&["search", "vouchers"]).contains("task-001-002"));
    assert!(!project.ok(&["search", "store"]).contains("tokens"));
}

#[test]
fn without_its_cache_it_finds_the_same() {
    let project = project();
    let first = project.ok(&["search", "login", "--json"]);
    let cache = project.project().join(".milestones/temp/search");
    assert!(cache.exists());
    fs::remove_dir_all(cache.parent().unwrap()).unwrap();
    assert_eq!(project.ok(&["search", "login", "--json"]), first);
    fs::write(&cache, "milestone search 0.1.0 1\nrubbish").unwrap();
    assert_eq!(project.ok(&["search", "login", "--json"]), first);
}

#[test]
fn a_search_that_looks_for_nothing_is_a_mistake() {
    let project = project();
    for text in ["", "  ", "\"\""] {
        assert_eq!(project.run(&["search", text]).code, 2, "{text}");
    }
    assert_eq!(project.run(&["search", "--", "-a"]).code, 2);
    assert_eq!(project.run(&["search", &"a ".repeat(100)]).code, 2);
    assert_eq!(project.run(&["search", "a", "--status", "dune"]).code, 2);
    assert_eq!(project.run(&["search", "zzz"]).code, 0, "finding nothing is none");
}
