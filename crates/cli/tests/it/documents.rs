//! The document reference is what the schema says.

use std::fmt::Write as _;
use std::fs;

use milestone_domain::document::{Effect, aliases};
use milestone_domain::status::{
    CriterionKind, Decision, ExternalStatus, Level, MilestoneStatus, Priority, TaskStatus,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::environment::{Environment, repository};

const HEAD: &str = "\
# Documents

Every key of a milestone's document, made from `milestone schema milestone`. An example, who writes
what, and what happens when two branches meet stand in [files.md](files.md).

Made anew by `MILESTONE_WRITE_DOCS=1 cargo test -p milestone --test it -- document_reference`.

Only what a table calls *required* must be there. An external, check item, feature, phase,
deliverable, risk, worker or criterion may be written as its text alone, such as `- Login works`: that
is its first key. Effort is working time: `4h`, `90m`, `1d 4h`, `2 weeks`, or a number of hours; a day
is 8 hours, a week 5 days, a month 20 days.
";

/// What a schema takes, in plain words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return named(name.rsplit('/').next().unwrap_or_default());
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let choices = choices.iter().filter(|choice| choice["type"] != "null").map(kind);
        return choices.collect::<Vec<_>>().join(", or ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types[0].as_str(),
        one => one.as_str(),
    };
    match (types, schema["format"].as_str()) {
        (Some("array"), _) => format!("list of {}", kind(&schema["items"])),
        (Some("object"), _) => {
            format!("names, each with {}", kind(&schema["additionalProperties"]))
        }
        (Some("string"), Some("date")) => "date".to_owned(),
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some("string"), _) => "text".to_owned(),
        (Some("integer"), _) => "number".to_owned(),
        (Some("boolean"), _) => "`true` or `false`".to_owned(),
        _ => panic!("the reference has no words for {schema}"),
    }
}

/// A type with a name of its own: one that everybody knows, or a link to its table.
fn named(name: &str) -> String {
    match name {
        "MilestoneId" => "`milestone-001`".to_owned(),
        "TaskName" => "`task-001`".to_owned(),
        "Reference" => "`milestone-001`, `task-001` or `task-001-001`".to_owned(),
        "Uid" => "UUID".to_owned(),
        "Effort" => "effort".to_owned(),
        "Estimate" => format!("effort, or {}", named("ThreePoint")),
        _ => format!("[{}](#{})", spaced(name), spaced(name).replace(' ', "-")),
    }
}

/// `RequiredResources` as `required resources`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The same as a heading, to which a link of the small letters leads.
fn title(name: &str) -> String {
    let words = spaced(name);
    let (first, rest) = words.split_at(1);
    first.to_uppercase() + rest
}

/// A table of a mapping's keys.
fn table(name: &str, schema: &Value, text: &mut String) {
    // Some mappings may be written as their text alone.
    let mut choices = schema["anyOf"].as_array().into_iter().flatten();
    let schema = choices.find(|choice| choice.get("properties").is_some()).unwrap_or(schema);
    write!(text, "\n## {}\n\n", title(name)).unwrap();
    let about = schema["description"].as_str().unwrap_or_else(|| panic!("{name} says nothing"));
    write!(text, "{about}\n\n| key | takes | says | other names |\n|---|---|---|---|\n").unwrap();
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (key, value) in schema["properties"].as_object().unwrap() {
        let says = value["description"].as_str();
        let says = says.unwrap_or_else(|| panic!("`{key}` of {name} has no doc comment"));
        let says = says.replace('\n', " ");
        let must = if required.contains(&Value::from(key.as_str())) { ", required" } else { "" };
        let others = match name {
            "Milestone" | "Task" => aliases(key, name == "Task"),
            _ => &[],
        };
        let others: Vec<String> = others.iter().map(|other| format!("`{other}`")).collect();
        let (takes, others) = (kind(value), others.join(", "));
        writeln!(text, "| `{key}` | {takes}{must} | {says} | {others} |").unwrap();
    }
}

/// A table of the words that a key takes, each with those that mean the same.
fn words<T: Serialize + DeserializeOwned>(name: &str, schema: &Value, text: &mut String) {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    for word in schema["enum"].as_array().unwrap() {
        let meant: T = serde_json::from_value(word.clone()).unwrap();
        let meant = format!("`{}`", serde_json::to_value(meant).unwrap().as_str().unwrap());
        let said = format!("`{}`", word.as_str().unwrap());
        match rows.iter_mut().find(|(row, _)| *row == meant) {
            Some((_, others)) => others.push(said),
            None => rows.push((meant, Vec::new())),
        }
    }
    write!(text, "\n## {}\n\n| word | also understood |\n|---|---|\n", title(name)).unwrap();
    for (word, others) in rows {
        writeln!(text, "| {word} | {} |", others.join(", ")).unwrap();
    }
}

fn section(name: &str, schema: &Value, text: &mut String) {
    match name {
        "MilestoneStatus" => words::<MilestoneStatus>(name, schema, text),
        "TaskStatus" => words::<TaskStatus>(name, schema, text),
        "Priority" => words::<Priority>(name, schema, text),
        "ExternalStatus" => words::<ExternalStatus>(name, schema, text),
        "Level" => words::<Level>(name, schema, text),
        "CriterionKind" => words::<CriterionKind>(name, schema, text),
        "Decision" => words::<Decision>(name, schema, text),
        "Effect" => words::<Effect>(name, schema, text),
        // Said in words where they are used.
        "MilestoneId" | "TaskName" | "Reference" | "Uid" | "Effort" | "Estimate" => {}
        _ => table(name, schema, text),
    }
}

#[test]
fn the_document_reference_is_current() {
    let schema = Environment::new().ok(&["schema", "milestone"]);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let mut text = HEAD.to_owned();
    section("Milestone", &schema, &mut text);
    let parts = schema["$defs"].as_object().unwrap();
    // Mappings in the order of the document, and the words that they take after them.
    let (words, mappings): (Vec<_>, Vec<_>) =
        parts.iter().partition(|(_, part)| part.get("enum").is_some());
    for (name, part) in mappings.into_iter().chain(words) {
        section(name, part, &mut text);
    }
    let file = repository().join("docs/documents.md");
    if std::env::var_os("MILESTONE_WRITE_DOCS").is_some() {
        fs::write(&file, &text).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == text, "docs/documents.md is not what the schema says; make it anew");
}
