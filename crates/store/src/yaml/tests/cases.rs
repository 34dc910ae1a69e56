//! Examples, exactly.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::random::Random;
use super::rounds;
use crate::yaml::{self, Edit, Step};

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Status {
    Planned,
    InProgress,
}

#[derive(Debug, Deserialize)]
struct Milestone {
    id: String,
    title: Option<String>,
    #[serde(rename = "status")]
    _status: Option<Status>,
    #[serde(default)]
    tasks: Vec<Task>,
    #[serde(rename = "percent")]
    _percent: Option<u8>,
    #[serde(rename = "approved")]
    _approved: Option<bool>,
    #[serde(rename = "limit")]
    _limit: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Task {
    id: String,
    estimate: Option<BTreeMap<String, String>>,
}

fn error(text: &str) -> String {
    yaml::read::<Milestone>(text).map(|_| ()).unwrap_err().to_string()
}

#[test]
fn text_stays_text() {
    for text in ["no", "yes", "012", "1e3", "1.10", "0x1F", "2026-01-01", "12:30", "True", "on"] {
        let read = yaml::read::<Milestone>(&format!("id: {text}\ntasks: [{{id: {text}}}]\n"));
        let value = read.unwrap().value;
        assert_eq!(value.id, text);
        assert_eq!(value.tasks[0].id, text);
        assert_eq!(yaml::to_value(&format!("id: {text}")).unwrap(), json!({"id": text}));
    }
}

#[test]
fn core_scalars_have_types() {
    let text =
        "{a: 1, b: -2.5, c: true, d: null, e: ~, f: , g: '1', h: 18446744073709551615, i: !!str 5}";
    let wanted = json!({
        "a": 1, "b": -2.5, "c": true, "d": null, "e": null, "f": null, "g": "1",
        "h": 18_446_744_073_709_551_615_u64, "i": "5",
    });
    assert_eq!(yaml::to_value(text).unwrap(), wanted);
}

#[test]
fn aliases_are_read() {
    let text = "a: &x {n: 1}\nb: [*x, *x]\n";
    assert_eq!(yaml::to_value(text).unwrap(), json!({"a": {"n": 1}, "b": [{"n": 1}, {"n": 1}]}));
}

#[test]
fn unknown_keys_are_named() {
    let text = "id: a\ncolour: red\ntasks:\n  - id: t\n  - id: u\n    colour: x\n    estimate: {a: b}\n    a/b~c: 1\n";
    let read = yaml::read::<Milestone>(text).unwrap();
    assert_eq!(read.unknown, ["colour", "tasks/1/colour", "tasks/1/a~1b~0c"]);
    assert_eq!(read.value.tasks[1].estimate, Some(BTreeMap::from([("a".into(), "b".into())])));
}

#[test]
fn errors_speak_of_the_document() {
    let is = |text: &str, wanted: &str| assert_eq!(error(text), wanted, "{text}");
    is("title: x\n", "1:1: the key `id` is missing");
    is("id: a\nstatus: done\n", "2:9: `done` is not allowed here; use one of planned, in_progress");
    is("id: a\ntasks: {a: b}\n", "2:8: a list is needed here");
    is("id: a\n\ttitle: b\n", "1:5: tabs cannot indent here; use spaces");
    is("id: a: b\n", "1:6: `:` is unexpected here; text with `: ` in it needs quotes");
    is("id: 'a", "1:5: this quote is never closed");
    is("id: !new a\n", "1:10: tags (`!name`) are not supported here");
    is("id: a\nlimit: x\n", "2:8: a number is needed here");
    is("id: a\npercent: many\n", "2:10: a whole number is needed here");
    is("id: a\napproved: yes\n", "2:11: `true` or `false` is needed here");
    is("id: a\ntasks: 5\n", "2:8: a list is needed here");
    is("id: [a]\n", "1:5: text is needed here");
    is("- a\n", "1:1: a mapping is needed here");
    is("id: a\nid: b\n", "2:1: the key `id` is set twice");
    is("id: a\n---\nid: b\n", "3:1: this file must hold one document only");
    is("", "1:1: this document is empty");
    is("# later\n", "1:1: this document holds comments only");
    is("id: a\n<<: {b: c}\n", "2:1: merge keys (`<<`) are not supported; write the keys out");
    is("id: a\0\n", "1:6: the control character 0x00 is not allowed");
}

#[test]
fn a_snippet_marks_the_column() {
    let error = yaml::read::<Milestone>("id: a\n  status: done\n").unwrap_err();
    assert_eq!(error.snippet.unwrap().lines().next(), Some("  status: done"));
    let error = yaml::to_value("id: \u{202e}evil: [\n").unwrap_err();
    assert!(error.snippet.unwrap().contains("\\u{202e}"));
}

#[test]
fn a_lenient_reader_counts_the_last_and_says_so() {
    let text = "id: a\ntitle: one\ntitle: two\n";
    let read = yaml::read_lenient::<Milestone>(text).unwrap();
    assert_eq!(read.value.title.as_deref(), Some("two"));
    assert_eq!(read.repeated, ["key `title` at line 3 is repeated; the last one counts"]);
    assert!(yaml::read_lenient::<Milestone>("id: a\n\tb: c\n").is_err());
}

#[test]
fn a_byte_order_mark_is_no_text() {
    assert_eq!(yaml::read_bytes::<Milestone>(b"\xEF\xBB\xBFid: a\r\n").unwrap().value.id, "a");
    let error = yaml::read_bytes::<Milestone>(b"\xEF\xBB\xBFid: [\n").unwrap_err();
    assert_eq!((error.line, error.column), (1, 5));
}

#[test]
fn places_are_found() {
    let text = "id: a\ntasks:\n  - id: 1\n    requires: [x, task-009]\n    note:\n";
    let at = |steps: &[Step]| yaml::locate(text, steps);
    let (tasks, first) = (Step::key("tasks"), Step::id("1"));
    assert_eq!(at(&[]), Some((1, 1)));
    assert_eq!(at(std::slice::from_ref(&tasks)), Some((2, 1)));
    assert_eq!(at(&[tasks.clone(), first.clone()]), Some((3, 5)));
    let requires = [tasks.clone(), first.clone(), Step::key("requires"), Step::Index(1)];
    assert_eq!(at(&requires), Some((4, 19)));
    assert_eq!(at(&[tasks.clone(), first, Step::key("note")]), Some((5, 5)));
    assert_eq!(at(&[tasks, Step::id("2")]), None);
}

const DOCUMENT: &str = "\
id: milestone-001
title: \"User Authentication System\"   # people see this
status: 'planned'
tasks:
    # the first one
    - id: task-001
      status: pending     # comments survive
      requires: [a, b]

    - id: task-002
      labels:
      - x   # indentless
";

fn edited(edits: &[Edit]) -> String {
    yaml::edit(DOCUMENT, edits).unwrap()
}

fn task(id: &str, key: &str) -> Vec<Step> {
    vec![Step::key("tasks"), Step::id(id), Step::key(key)]
}

#[test]
fn quotes_and_comments_are_kept() {
    let new = edited(&[
        Edit::set([Step::key("title")], "Sign in"),
        Edit::set([Step::key("status")], "in_progress"),
        Edit::set(task("task-001", "status"), "yes"),
    ]);
    let wanted = DOCUMENT
        .replace("User Authentication System", "Sign in")
        .replace("'planned'", "'in_progress'")
        .replace("pending ", "\"yes\" ");
    assert_eq!(new, wanted);
}

#[test]
fn lists_keep_their_style() {
    let new = edited(&[
        Edit::set(task("task-001", "requires"), json!(["b", "c"])),
        Edit::Append { path: task("task-002", "labels"), value: json!("z") },
    ]);
    let wanted =
        DOCUMENT.replace("[a, b]", "[b, c]").replace("indentless\n", "indentless\n      - z\n");
    assert_eq!(new, wanted);
}

#[test]
fn new_keys_stand_in_their_order() {
    let order = &["id", "title", "status", "priority", "tasks"];
    let new = edited(&[
        Edit::Set { path: vec![Step::key("priority")], value: json!("high"), order },
        Edit::Set {
            path: task("task-002", "estimate"),
            value: json!({"optimistic": "2h", "likely": "4h"}),
            order: &["id", "estimate", "labels"],
        },
    ]);
    let wanted = DOCUMENT
        .replace("'planned'\n", "'planned'\npriority: high\n")
        .replace("task-002\n", "task-002\n      estimate: {optimistic: 2h, likely: 4h}\n");
    assert_eq!(new, wanted);
}

#[test]
fn a_removed_item_takes_its_own_lines() {
    let new = edited(&[Edit::Remove { path: vec![Step::key("tasks"), Step::id("task-002")] }]);
    assert_eq!(new, &DOCUMENT[..DOCUMENT.find("    - id: task-002").unwrap()]);
}

#[test]
fn nothing_to_do_changes_nothing() {
    assert_eq!(edited(&[Edit::set([Step::key("status")], "planned")]), DOCUMENT);
    assert_eq!(edited(&[]), DOCUMENT);
}

#[test]
fn what_is_not_there_is_named() {
    let fails = |edit: Edit| yaml::edit(DOCUMENT, &[edit]).unwrap_err().to_string();
    let missing = Edit::Remove { path: task("task-009", "status") };
    assert_eq!(fails(missing), "there is no tasks/task-009/status in this document");
    let deeper = Edit::set([Step::key("title"), Step::key("short")], "x");
    assert_eq!(fails(deeper), "title cannot hold this: it is a single value");
}

#[test]
fn writing_through_an_alias_is_refused() {
    let text = "a: &x\n  n: 1\nb: *x\n";
    assert!(yaml::edit(text, &[Edit::set([Step::key("b"), Step::key("n")], 2)]).is_err());
    assert!(yaml::edit(text, &[Edit::set([Step::key("a"), Step::key("n")], 2)]).is_err());
    let new = yaml::edit(text, &[Edit::set([Step::key("c")], 2)]).unwrap();
    assert_eq!(new, format!("{text}c: 2\n"));
}

#[test]
fn new_documents_are_in_the_house_style() {
    let value = json!({
        "id": "milestone-001", "title": "User Authentication System", "due": "2026-12-18",
        "dependencies": {"requires": ["milestone-000"]},
        "tasks": [
            {"id": "task-001", "title": "Design: flow", "estimate": {"optimistic": "2h", "likely": "4h"},
             "requires": [], "verify": ["cargo test auth"], "notes": "one\ntwo\n"},
            {"id": "012", "done": false, "percent": 5},
        ],
    });
    let wanted = "\
# Made by a test.
id: milestone-001
title: \"User Authentication System\"
due: 2026-12-18
dependencies:
  requires: [milestone-000]
tasks:
  - id: task-001
    title: \"Design: flow\"
    estimate: {optimistic: 2h, likely: 4h}
    requires: []
    verify: [\"cargo test auth\"]
    notes: |
      one
      two
  - id: \"012\"
    done: false
    percent: 5
";
    assert_eq!(yaml::write(&value, Some("Made by a test.")), wanted);
}

#[test]
fn what_is_written_reads_back() {
    for seed in 0..rounds(500, 20_000) {
        let value = json!({ "root": some_value(&mut Random::new(seed), 4) });
        let text = yaml::write(&value, None);
        assert_eq!(yaml::to_value(&text).unwrap(), value, "seed {seed}\n{text}");
        let other: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(other, value, "seed {seed}\n{text}");
    }
}

fn some_value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 6 } else { 10 }) {
        0 => json!(random.below(1000)),
        1 => json!(random.chance(50)),
        2 => Value::Null,
        3..=5 => json!(some_text(random)),
        6 | 7 => (0..random.below(4)).map(|_| some_value(random, depth - 1)).collect(),
        _ => {
            let keys = 0..random.below(4);
            Value::Object(
                keys.map(|_| (some_text(random), some_value(random, depth - 1))).collect(),
            )
        }
    }
}

fn some_text(random: &mut Random) -> String {
    const PIECES: &[&str] = &[
        "a", "word", " ", "  ", "\n", "\n", ":", ": ", "#", " #", "-", "- ", "\"", "'", "\\", ",",
        "[", "}", "é", "🎉", "0", "1", "e", ".", "_", "\t", "\r", "\u{1}", "\u{85}", "\u{a0}",
        "\u{2028}", "\u{feff}", "|", ">", "yes", "~", "%", "!",
    ];
    (0..random.below(7)).map(|_| random.pick(PIECES)).collect()
}
