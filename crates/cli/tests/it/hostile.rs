//! Whatever a document says, and wherever it is shown, it is only text: nothing in it moves the
//! cursor, colours a word, turns round what stands beside it, or passes for a line of ours.
//!
//! The document is made from the schema, so a field that is added later is hostile, too.

use serde_json::{Map, Value, json};

use crate::environment::{Environment, Ran};

/// Escape sequences of two lengths, C1 controls, a bell, backspaces, NUL, signs that turn text
/// round or that nobody sees, every line end, and a line that looks like one of ours.
const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}5m\u{90}q\u{9c}\u{8}\u{0}\u{7f}\u{202e}a\u{2066}b\
    \u{200e}c\u{200b}d\u{feff}e\u{ad}f\u{85}g\u{2028}h\ti\rj\nerror: forged\n\u{1b}[5mhint: forged";

/// The same as somebody can type it: no argument holds a NUL.
fn typed() -> String {
    HOSTILE.replace('\0', "")
}

/// Keys that only the program writes, and those that give the project its shape.
const LEFT_OUT: [&str; 16] = [
    "format",
    "id",
    "uid",
    "status",
    "gates",
    "met",
    "started_at",
    "completed_at",
    "retired_tasks",
    "progress",
    "requires",
    "start",
    "due",
    "phase",
    "tasks",
    "created",
];

/// A value for a schema, in which each text that is free is a hostile one.
fn filled(schema: &Value, all: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
        return match name {
            "Effort" | "Estimate" => json!("4h"),
            _ => filled(&all["$defs"][name], all),
        };
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        // The longest form of what may be written in several.
        let mapping = choices.iter().find(|choice| choice.get("properties").is_some());
        return filled(mapping.unwrap_or(&choices[0]), all);
    }
    if let Some(words) = schema["enum"].as_array() {
        return words[0].clone();
    }
    let types = &schema["type"];
    match types.as_str().or_else(|| types[0].as_str()).unwrap() {
        "string" if schema["format"] == "date" => json!("2199-01-07"),
        "string" => json!(HOSTILE),
        "array" => json!([filled(&schema["items"], all)]),
        "integer" => json!(1),
        "boolean" => json!(false),
        "object" if schema.get("properties").is_some() => mapping(schema, all),
        "object" => json!({ HOSTILE: filled(&schema["additionalProperties"], all) }),
        other => panic!("nothing to fill a {other} with: {schema}"),
    }
}

fn mapping(schema: &Value, all: &Value) -> Value {
    let keys = schema["properties"].as_object().unwrap().iter();
    let keys = keys.filter(|(key, _)| !LEFT_OUT.contains(&key.as_str()));
    let value = |key: &str, schema| match key {
        "name" => json!(typed()),
        "approval" => json!(true),
        _ => filled(schema, all),
    };
    Value::Object(keys.map(|(key, schema)| (key.clone(), value(key, schema))).collect())
}

/// A task of which everything is hostile but its place in the project.
fn task(all: &Value, number: u32, more: &Value) -> Value {
    let mut task = mapping(&all["$defs"]["Task"], all);
    let own = task.as_object_mut().unwrap();
    own.insert("id".into(), json!(format!("task-{number:03}")));
    own.extend(more.as_object().unwrap().clone());
    task
}

/// JSON is YAML as long as every sign that YAML does not take is escaped.
fn yaml(value: &Value) -> String {
    let plain = |c: char| {
        if c.is_ascii() && c != '\u{7f}' {
            c.to_string()
        } else {
            format!("\\u{:04x}", u32::from(c))
        }
    };
    value.to_string().chars().map(plain).collect()
}

fn project() -> Environment {
    let project = Environment::new();
    let schema: Value = serde_json::from_str(&project.ok(&["schema", "milestone"])).unwrap();
    let all = schema.get("data").unwrap_or(&schema);
    let milestone = |number: u32, more: Value, tasks: Vec<Value>| {
        let mut document: Map<String, Value> = mapping(all, all).as_object().unwrap().clone();
        document.insert("id".into(), json!(format!("milestone-{number:03}")));
        document.insert("tasks".into(), tasks.into());
        document.extend(more.as_object().unwrap().clone());
        project.write(number, &yaml(&Value::Object(document)));
    };
    let free = || json!({"conditions": [], "requires": []});
    let with = |key: &str, value: Value| {
        let mut fields = free();
        fields.as_object_mut().unwrap().insert(key.into(), value);
        fields
    };
    milestone(
        1,
        json!({"dependencies": {}, "due": "2199-01-18"}),
        vec![
            task(all, 1, &free()),
            task(all, 2, &with("requires", json!(["task-001"]))),
            task(all, 3, &with("status", json!("blocked"))),
            task(all, 4, &with("status", json!("failed"))),
            task(all, 5, &with("phase", json!(typed()))),
            task(all, 6, &json!({})),
        ],
    );
    milestone(2, json!({"due": "2020-01-18"}), vec![task(all, 1, &json!({}))]);
    milestone(3, json!({"status": "paused", "dependencies": {}}), vec![task(all, 1, &free())]);
    milestone(4, json!({"dependencies": {}, "criteria": []}), vec![task(all, 1, &free())]);
    project.ok(&["init"]);
    for number in ["1", "2", "3", "4"] {
        assert_eq!(project.json(&["show", number])["data"]["title"], HOSTILE, "{number}");
    }
    project
}

/// What is wrong with a text that is printed, if anything. A document in YAML keeps what nobody sees
/// and does nothing, because it is what will be written.
fn acting(text: &str, yaml: bool) -> Option<String> {
    const OURS: [&str; 8] = ["[0m", "[1m", "[2m", "[4m", "[31m", "[32m", "[33m", "[36m"];
    let mut rest = text;
    while let Some(at) = rest.find('\u{1b}') {
        rest = &rest[at + 1..];
        if !OURS.iter().any(|ours| rest.starts_with(ours)) {
            return Some(format!("an escape: {:?}", rest.chars().take(20).collect::<String>()));
        }
    }
    let acts = |c: char| {
        (c.is_control() && c != '\n' && c != '\u{1b}')
            || (matches!(c, '\u{ad}' | '\u{200b}') && !yaml)
            || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    if let Some(c) = text.chars().find(|c| acts(*c)) {
        return Some(format!("{c:?}"));
    }
    let ours = ["error: forged", "hint: forged"];
    let forged = |line: &&str| ours.iter().any(|ours| line.starts_with(ours));
    text.lines().find(forged).map(str::to_owned)
}

/// Runs it without and with colours: where there are none, a sequence that leaked is taken away
/// with ours, and would not be seen.
fn look(project: &Environment, args: &[&str]) -> Ran {
    let plain = project.run(args);
    let mut command = project.command(args);
    let coloured = Ran::from(command.env("CLICOLOR_FORCE", "1").output().unwrap());
    for ran in [&plain, &coloured] {
        for text in [&ran.stdout, &ran.stderr] {
            if let Some(wrong) = acting(text, args.contains(&"--dry-run")) {
                panic!("{args:?} prints {wrong}:\n{text:?}");
            }
        }
    }
    assert!(!plain.stdout.contains('\u{1b}') && !plain.stderr.contains('\u{1b}'), "{args:?}");
    coloured
}

#[test]
fn no_screen_lets_what_a_document_says_act() {
    let project = project();
    let seen = [
        &["list", "--archived"][..],
        &["show", "1"],
        &["show", "1", "--schedule"],
        &["show", "2"],
        &["show", "3"],
        &["show", "1.1", "--schedule"],
        &["show", "1.3"],
        &["show", "1.4"],
        &["next"],
        &["search", "forged"],
        &["status", "--comprehensive"],
        &["status", "1"],
        &["status", "--dependencies"],
        &["status", "--conflicts"],
        &["status", "--upcoming"],
        &["status", "--resources"],
        &["status", "--forecast"],
        &["status", "--release-ready"],
        &["status", "--chart", "gantt"],
        &["status", "--chart", "graph"],
        &["status", "--chart", "gantt", "--format", "svg"],
        &["status", "--chart", "graph", "--format", "mermaid"],
        &["condition", "list"],
        &["watch", "--since", "start", "--once"],
        &["archive", "1"],
    ];
    for args in seen {
        let ran = look(&project, args);
        let said = ran.stdout + &ran.stderr;
        // Mermaid takes no braces.
        let shown = ["forged", "u{1b}", "u#123;1b"].iter().any(|sign| said.contains(sign));
        assert!(shown, "{args:?} shows nothing: {said}");
    }
    for args in [
        &["status", "--performance"][..],
        &["status", "--velocity"],
        &["status", "--system-health"],
        &["status", "--health-check"],
        &["status", "--validate-config"],
        &["status", "--diagnostics"],
        &["status", "--chart", "burn-down"],
        &["status", "--release-notes"],
        &["doctor"],
        &["storage", "status"],
        &["template", "list"],
        &["config", "get"],
    ] {
        look(&project, args);
    }
}

#[test]
fn what_changes_and_what_is_refused_says_it_as_text() {
    let project = project();
    let typed = &*typed();
    let steps: [&[&str]; 45] = [
        &["task", "start", "1.1"],
        &["task", "note", "1.1", typed],
        &["task", "block", "1.1", "--reason", typed],
        &["task", "unblock", "1.1"],
        &["task", "start", "1.1"],
        &["task", "fail", "1.1", "--reason", typed],
        &["task", "reopen", "1.1"],
        &["task", "set", "1.1", "--assignee", typed, "--title", typed],
        &["task", "claim", "1.2"],
        &["task", "start", "2.1"],
        &["task", "log", "1.1"],
        &["task", "add", "1", typed, "--phase", typed],
        &["task", "move", "1.4", "3"],
        &["update", "3", "--status", "blocked", "--reason", typed],
        &["update", "3", "--category", typed, "--release", typed, "--label", typed],
        &["condition", "set", typed, "--reason", typed],
        &["condition", "clear", typed, "--reason", typed],
        &["condition", "set", "agreed", "--reason", typed],
        &["criterion", "add", "1", typed, "--check", typed],
        &["criterion", "met", "1", "1", "--evidence", typed],
        &["criterion", "check", "1", "2"],
        &["approve", "1", typed],
        &["request-changes", "2", typed, "--reason", typed],
        &["reject", "3", typed, "--reason", typed],
        &["show", "3"],
        &["approve", "3", typed, "--reason", typed],
        &["request-changes", "1", "no such phase", "--reason", typed],
        &["show", typed],
        &["search", typed],
        &["list", typed],
        &["template", "show", typed],
        &["config", "set", typed, typed],
        &["status", "--release-ready", typed],
        &["plan", typed, "--dry-run", "--description", typed, "--risk", typed],
        &["plan", typed, "--goal", typed, "--task", typed, "--actor", typed],
        &["archive", "4", "--force", typed, "--lesson", typed, "--capture-insights"],
        &["task", "release", "1.2", "--reason", typed],
        &["list", "--archived"],
        &["show", "1"],
        &["show", "4"],
        &["status", "--comprehensive"],
        &["status", "--release-notes"],
        &["watch", "--since", "start", "--once"],
        &["doctor"],
        &[typed],
    ];
    for args in steps {
        look(&project, args);
    }
    // What was decided, filed away and noted has been there to be seen.
    assert_eq!(project.json(&["show", "4"])["data"]["archived"], true);
    let history = project.ok(&["watch", "--since", "start", "--once"]);
    for event in ["rejected", "approved", "is met", "holds", "on task-001-001: ", "is failed"] {
        assert!(history.contains(event), "{event}: {history}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_complained_about_as_text() {
    let project = Environment::new();
    project.ok(&["plan", "A"]);
    project.write(2, &format!("id: milestone-002\ntitle: A\nstatus: {}\n", yaml(&json!(HOSTILE))));
    project.write(3, "id: milestone-003\ntitle: [\u{1b}[2J\u{202e}");
    project.write(4, &yaml(&json!({"id": "milestone-004", "title": "A", HOSTILE: HOSTILE})));
    for args in
        [&["list"][..], &["status"], &["doctor"], &["show", "2"], &["show", "3"], &["show", "4"]]
    {
        look(&project, args);
    }
}
