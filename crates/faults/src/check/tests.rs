//! Hand-made histories, good and bad: the checker must know one from the other.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::check;
use crate::ask::Ask;
use crate::ledger::{End, Entry, Ledger};

const CHANGES: [&str; 3] = [
    "01a1fd10-0000-7000-8000-000000000001",
    "01a1fd10-0000-7000-8000-000000000002",
    "01a1fd10-0000-7000-8000-000000000003",
];

/// A project in which somebody planned a milestone, claimed its task, and said something about it.
struct Made {
    temp: tempfile::TempDir,
    ledger: Ledger,
    lines: Vec<Value>,
}

fn hash(line: &str) -> String {
    blake3::hash(line.as_bytes()).to_hex()[..32].to_owned()
}

fn event(change: usize, index: u16, event: &Value) -> Value {
    let mut line = json!({
        "v": 1,
        "id": format!("{}.{index}", CHANGES[change]),
        "at": "2026-11-21T07:43:55Z",
        "by": format!("op-{change}"),
        "in": "milestone-001",
    });
    for (key, value) in event.as_object().unwrap() {
        line[key] = value.clone();
    }
    line
}

impl Made {
    fn new() -> Self {
        let task = json!({"id": "task-001", "title": "one", "status": "pending"});
        let document = json!({
            "id": "milestone-001",
            "uid": CHANGES[0],
            "title": "First",
            "status": "planned",
            "tasks": {"task-001": task},
        });
        let attempt = CHANGES[1];
        let lines = vec![
            event(0, 0, &json!({"kind": "milestone_created", "document": document})),
            event(
                1,
                0,
                &json!({"kind": "task_claimed", "task": "task-001", "from": "pending",
                "attempt": attempt, "fence": 1, "lease_seconds": 60}),
            ),
            event(
                1,
                1,
                &json!({"kind": "milestone_status_changed", "from": "planned",
                "to": "in_progress"}),
            ),
            event(2, 0, &json!({"kind": "task_noted", "task": "task-001", "text": "hello"})),
        ];
        let asks = [
            (Ask::Plan { title: "First".into(), tasks: vec!["one".into()] }, "milestone-001\n"),
            (
                Ask::Claim { task: "task-001-001".into(), lease: "1m".into() },
                "{\"data\":{\"fence\":1}}",
            ),
            (Ask::Note { task: "task-001-001".into(), text: "hello".into(), proof: None }, ""),
        ];
        let entries = asks.into_iter().zip(0..).map(|((ask, stdout), n)| Entry {
            actor: format!("op-{n}"),
            ask,
            started: n * 10,
            ended: n * 10 + 5,
            end: End::Exit(0),
            stdout: stdout.to_owned(),
            stderr: String::new(),
        });
        let ledger = Ledger { entries: entries.collect() };
        let made = Self { temp: tempfile::tempdir().unwrap(), ledger, lines };
        made.write_rest(attempt);
        made
    }

    fn path(&self, place: &str) -> PathBuf {
        let path = self.temp.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn write_rest(&self, attempt: &str) {
        let document = format!(
            "id: milestone-001\nuid: {}\ntitle: First\nstatus: in_progress\ntasks:\n  - id: task-001\n    \
             title: one\n    status: in_progress\n    attempts: 1\n    started_at: 2026-11-21T07:43:55Z\n    \
             started_by: op-1\nstarted_at: 2026-11-21T07:43:55Z\n",
            CHANGES[0]
        );
        fs::write(self.path("active/milestone-001.yaml"), document).unwrap();
        let claim = json!({"task": "task-001-001", "attempt": attempt, "fence": 1});
        fs::write(self.path("data/claims/task-001-001.json"), claim.to_string()).unwrap();
        fs::write(self.path("data/journal"), "").unwrap();
        fs::write(self.path("data/applied"), "{\"journal\":0}").unwrap();
    }

    /// Chains the lines and writes them, with the log that follows them.
    fn write_history(&self) -> PathBuf {
        let mut text = json!({"v": 1, "segment": "s", "parents": []}).to_string();
        let (mut prev, mut log) = (hash(&text), String::new());
        text.push('\n');
        for line in &self.lines {
            let mut line = line.clone();
            line["prev"] = prev.into();
            let id = line["id"].as_str().unwrap();
            writeln!(log, "{id} milestone-001 s.jsonl {}", text.len()).unwrap();
            let line = line.to_string();
            prev = hash(&line);
            text.push_str(&line);
            text.push('\n');
        }
        fs::write(self.path("data/events.log"), log).unwrap();
        let path = self.path("history/milestone-001/s.jsonl");
        fs::write(&path, text).unwrap();
        path
    }

    fn verdict(&self) -> Vec<String> {
        check(self.temp.path(), None, &self.ledger, true).exceptions
    }

    /// What is wrong after `change` was made to the project.
    fn broken(change: impl FnOnce(&mut Self)) -> String {
        let mut made = Self::new();
        change(&mut made);
        made.write_history();
        made.verdict().join("\n")
    }

    /// What is wrong after `change` was made to the files.
    fn torn(change: impl FnOnce(&Path, &Path)) -> String {
        let made = Self::new();
        let history = made.write_history();
        change(made.temp.path(), &history);
        made.verdict().join("\n")
    }
}

fn said(found: &str, wanted: &str) {
    assert!(found.contains(wanted), "wanted {wanted:?}, found:\n{found}");
}

#[test]
fn a_good_history_has_no_exceptions() {
    assert_eq!(Made::broken(|_| {}), "");
}

#[test]
fn an_acknowledged_write_that_is_gone_is_noticed() {
    said(&Made::broken(|made| drop(made.lines.pop())), "op-2: Note");
}

#[test]
fn half_of_a_change_is_noticed() {
    said(&Made::broken(|made| drop(made.lines.remove(1))), "only a part of it");
}

#[test]
fn what_nobody_asked_for_is_noticed() {
    said(&Made::broken(|made| drop(made.ledger.entries.pop())), "nobody asked for");
    let found = Made::broken(|made| {
        made.ledger.entries[2].ask = Ask::Start { task: "task-001-001".into() };
    });
    said(&found, "op-2");
}

#[test]
fn a_refusal_that_did_something_is_noticed() {
    said(&Made::broken(|made| made.ledger.entries[2].end = End::Exit(4)), "refused");
}

#[test]
fn a_write_of_unknown_end_may_be_there_or_not() {
    let killed = |made: &mut Made| made.ledger.entries[2].end = End::Killed;
    assert_eq!(Made::broken(killed), "");
    let gone = |made: &mut Made| {
        killed(made);
        made.lines.pop();
    };
    assert_eq!(Made::broken(gone), "");
}

#[test]
fn a_write_that_happened_twice_is_noticed() {
    let found = Made::broken(|made| {
        let mut again = made.lines[3].clone();
        again["id"] = format!("{}.0", "01a1fd10-0000-7000-8000-000000000009").into();
        made.lines.push(again);
    });
    said(&found, "carried out 2 times");
    said(&Made::broken(|made| made.lines.push(made.lines[3].clone())), "is there twice");
}

#[test]
fn an_answer_that_came_first_must_stand_first() {
    let found = Made::broken(|made| {
        made.ledger.entries[2].started = 1;
        made.ledger.entries[2].ended = 2;
        made.ledger.entries[1].started = 7;
    });
    said(&found, "who was done first");
}

#[test]
fn a_fence_that_does_not_grow_is_noticed() {
    let found = Made::broken(|made| {
        let mut again = made.lines[1].clone();
        again["id"] = format!("{}.0", "01a1fd10-0000-7000-8000-000000000009").into();
        made.lines.push(again);
    });
    said(&found, "after a higher one");
}

#[test]
fn a_wrong_fence_in_an_answer_is_noticed() {
    let found = Made::broken(|made| made.ledger.entries[1].stdout = "{\"fence\": 2}".into());
    said(&found, "printed 2");
}

#[test]
fn an_edit_by_hand_that_nobody_made_is_noticed() {
    said(&Made::broken(|made| made.lines[3]["noticed"] = true.into()), "nobody made");
}

#[test]
fn a_broken_chain_is_noticed() {
    let found = Made::torn(|_, history| {
        let text = fs::read_to_string(history).unwrap();
        fs::write(history, text.replace("\"lease_seconds\":60", "\"lease_seconds\":61")).unwrap();
    });
    said(&found, "the chain is broken");
}

#[test]
fn a_torn_end_is_noticed() {
    let found = Made::torn(|_, history| {
        let text = fs::read_to_string(history).unwrap();
        fs::write(history, &text[..text.len() - 7]).unwrap();
    });
    said(&found, "has no end");
}

#[test]
fn a_document_that_says_something_else_is_noticed() {
    let found = Made::torn(|root, _| {
        let file = root.join("active/milestone-001.yaml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("title: one", "title: two")).unwrap();
    });
    said(&found, "tasks/task-001/title");
    said(
        &Made::torn(|root, _| fs::write(root.join("active/milestone-001.yaml"), "").unwrap()),
        "empty",
    );
    said(
        &Made::torn(|root, _| fs::remove_file(root.join("active/milestone-001.yaml")).unwrap()),
        "no document",
    );
}

#[test]
fn claims_that_history_does_not_know_are_noticed() {
    let place = "data/claims/task-001-001.json";
    said(&Made::torn(|root, _| fs::remove_file(root.join(place)).unwrap()), "claims:");
    said(&Made::torn(|root, _| fs::write(root.join(place), "{}").unwrap()), "claims:");
}

#[test]
fn leftovers_are_noticed() {
    said(&Made::torn(|root, _| fs::write(root.join("data/draft-1-0"), "").unwrap()), "left over");
    said(&Made::torn(|root, _| fs::write(root.join("data/journal"), "x").unwrap()), "torn 1 bytes");
    let found = Made::torn(|root, _| fs::write(root.join("data/events.log"), "").unwrap());
    said(&found, "is there 0 times");
}

#[test]
fn a_panic_and_a_wrong_signal_are_noticed() {
    said(&Made::broken(|made| made.ledger.entries[2].end = End::Exit(101)), "a panic");
    said(&Made::broken(|made| made.ledger.entries[2].end = End::Signal(11)), "signal 11");
}
