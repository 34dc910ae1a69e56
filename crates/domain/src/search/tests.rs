use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::document::Milestone;
use crate::event::{ChangeId, Event, Recorded, Stream};
use crate::ids::{MilestoneId, TaskName};

fn event(milestone: u32, second: i64, event: Event) -> Recorded {
    Recorded {
        v: 1,
        id: ChangeId(Uuid::nil()).event(0),
        at: Timestamp::from_second(second).unwrap(),
        by: "ada".into(),
        noticed: false,
        stream: Stream::Milestone(MilestoneId(milestone)),
        refers: std::collections::BTreeMap::new(),
        event,
    }
}

fn note(milestone: u32, task: u32, second: i64, text: &str) -> Recorded {
    event(milestone, second, Event::TaskNoted { task: TaskName::new(task), text: text.into() })
}

fn document(tree: &Value, archived: bool, events: &[Recorded]) -> Searchable<'static> {
    let milestone = Milestone::from_tree(tree.clone(), archived).unwrap();
    Searchable::of(&milestone, events)
}

fn three() -> Vec<Searchable<'static>> {
    let auth = json!({
        "id": "milestone-001", "title": "User authentication", "status": "in_progress",
        "labels": ["backend"], "assignee": "ada", "release": "1.2",
        "description": "People log in with a password, or with a token of another service.",
        "tasks": [
            {"id": "task-001", "title": "Design the login flow", "labels": ["ux"]},
            {"id": "task-002", "title": "Store tokens", "status": "completed", "assignee": "bo"},
        ],
        "criteria": [
            {"text": "Login works", "met": {"by": "ada", "at": "2026-01-01T00:00:00Z",
                "evidence": "seen in staging"}},
        ],
        "risks": [{"text": "The vendor changes the protocol", "probability": "high",
            "mitigation": "Pin the version"}],
    });
    let dash = json!({
        "id": "milestone-002", "title": "Login dashboard", "status": "planned",
        "tasks": [{"id": "task-001", "title": "Draw charts", "description": "Who has a login."}],
    });
    let old = json!({
        "id": "milestone-003", "title": "Old login page", "status": "completed",
        "lessons": {"improve": ["Ask the users before the redesign"]},
    });
    let notes = [note(1, 2, 50, "Tokens are hashed now"), note(1, 1, 90, "Sketch is on the wall")];
    vec![document(&auth, false, &notes), document(&dash, false, &[]), document(&old, true, &[])]
}

fn found_with(text: &str, filter: Filter) -> Found {
    search(&Query::parse(text, filter, 10).unwrap(), &three())
}

fn ids(text: &str) -> String {
    ids_with(text, Filter::default())
}

fn ids_with(text: &str, filter: Filter) -> String {
    let hits = found_with(text, filter).hits;
    hits.iter().map(|hit| hit.id.to_string()).collect::<Vec<_>>().join(" ")
}

/// What was found, as it would be shown without colours.
fn marked(text: &str, marks: &[Mark]) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut shown = String::new();
    let mut at = 0;
    for mark in marks {
        shown.extend(&chars[at..mark.start]);
        shown.push('«');
        shown.extend(&chars[mark.start..mark.end]);
        shown.push('»');
        at = mark.end;
    }
    shown.extend(&chars[at..]);
    shown
}

#[test]
fn titles_come_before_what_is_only_said_somewhere() {
    // Titles of milestones, open ones first, then of tasks, then descriptions and criteria.
    assert_eq!(ids("login"), "milestone-002 milestone-003 task-001-001 task-002-001 milestone-001");
}

#[test]
fn exact_words_come_before_beginnings() {
    let milestone = |id: u32, title: &str| {
        let tree = json!({"id": format!("milestone-{id:03}"), "title": title});
        document(&tree, false, &[])
    };
    let documents = [milestone(1, "Tokens"), milestone(2, "Tokenizer"), milestone(3, "A token")];
    let found = search(&Query::parse("token", Filter::default(), 10).unwrap(), &documents);
    let ids: Vec<_> = found.hits.iter().map(|hit| hit.id.milestone().0).collect();
    assert_eq!(ids, [3, 2, 1]);
}

#[test]
fn all_words_must_be_there_and_excluded_ones_not() {
    assert_eq!(ids("login design"), "task-001-001");
    assert_eq!(ids("login -design -dashboard -old"), "milestone-001");
    assert_eq!(ids("login nonsense"), "");
    assert_eq!(ids("\"login flow\""), "task-001-001");
    assert_eq!(ids("\"flow login\""), "");
    assert_eq!(ids("\"logi\""), "", "a phrase is whole words");
}

#[test]
fn the_title_of_a_milestone_helps_to_find_its_tasks() {
    assert_eq!(ids("authentication sketch"), "task-001-001");
    assert_eq!(ids("authentication"), "milestone-001", "and is no reason by itself");
}

#[test]
fn everything_that_people_write_is_found() {
    for (text, id, field) in [
        ("backend", "milestone-001", Field::Labels),
        ("staging", "milestone-001", Field::Evidence),
        ("vendor", "milestone-001", Field::Risks),
        ("pin", "milestone-001", Field::Risks),
        ("hashed", "task-001-002", Field::Notes),
        ("redesign", "milestone-003", Field::Lessons),
        ("1.2", "task-001-002", Field::Id),
        ("milestone-002", "milestone-002", Field::Id),
        ("LOGIN dash", "milestone-002", Field::Title),
    ] {
        let found = found_with(text, Filter::default());
        let first = found.hits.first().map(|hit| (hit.id.to_string(), hit.field));
        assert_eq!(first, Some((id.to_owned(), field)), "{text}");
    }
    assert_eq!(ids("high"), "", "a word of ours is nobody's text");
}

#[test]
fn filters_narrow() {
    let open = || Filter::default();
    let kind = |kind| Filter { kinds: vec![kind], ..open() };
    let status = |word: &str| Filter { statuses: vec![word.parse().unwrap()], ..open() };
    let since = |second| Filter { since: Timestamp::from_second(second).ok(), ..open() };
    for (text, filter, expected) in [
        ("login", Filter { place: Place::Archived, ..open() }, "milestone-003"),
        ("login", Filter { place: Place::Open, ..kind(Kind::Milestone) }, "milestone-002"),
        ("login", kind(Kind::Criterion), "milestone-001"),
        ("login", kind(Kind::Task), "task-001-001 task-002-001"),
        ("tokens", kind(Kind::Note), "task-001-002"),
        ("login", status("done"), "milestone-003"),
        ("tokens", status("done"), "task-001-002"),
        (
            "login",
            Filter { labels: vec!["backend".into()], ..open() },
            "task-001-001 milestone-001",
        ),
        ("store", Filter { assignee: Some("bo".into()), ..open() }, "task-001-002"),
        ("design", Filter { assignee: Some("ada".into()), ..open() }, "task-001-001"),
        ("store", Filter { assignee: Some("ada".into()), ..open() }, ""),
        ("login", Filter { release: Some("1.2".into()), ..open() }, "task-001-001 milestone-001"),
        ("tokens", since(60), ""),
        ("login", since(60), "task-001-001 milestone-001"),
    ] {
        assert_eq!(ids_with(text, filter.clone()), expected, "{text}: {filter:?}");
    }
}

#[test]
fn hits_show_what_was_found() {
    let found = found_with("log token", Filter::default());
    let hit = &found.hits[0];
    assert_eq!(hit.id.to_string(), "milestone-001");
    let excerpt = hit.excerpt.as_ref().unwrap();
    assert_eq!(
        marked(&excerpt.text, &excerpt.marks),
        "People «log» in with a password, or with a «token» of another service."
    );
    let found = found_with("LOGIN", Filter::default());
    assert_eq!(marked(&found.hits[0].title, &found.hits[0].title_marks), "«Login» dashboard");
    assert_eq!(found.hits[0].excerpt, None, "the title says it");
    assert_eq!(found.hits[2].excerpt, None);
    assert_eq!(found.hits[3].excerpt.as_ref().map(|e| e.field), Some(Field::Description));
}

#[test]
fn a_long_text_is_cut_around_what_was_found() {
    let long = format!("{}the needle lies here {}", "straw ".repeat(100), "hay ".repeat(100));
    let tree = json!({"id": "milestone-001", "title": "T", "description": long});
    let query = Query::parse("needle", Filter::default(), 1).unwrap();
    let found = search(&query, &[document(&tree, false, &[])]);
    let excerpt = found.hits[0].excerpt.clone().unwrap();
    let shown = marked(&excerpt.text, &excerpt.marks);
    assert!(shown.starts_with("…straw ") && shown.ends_with(" hay…"), "{shown}");
    assert!(shown.contains("the «needle» lies"), "{shown}");
    assert!(excerpt.text.chars().count() <= limits::EXCERPT_CHARS_MAX + 2);
}

#[test]
fn no_text_makes_it_fall() {
    let texts = [
        "\u{1b}[2J\u{202e}x\ny",
        "İİİİ ß ŉ ﬁ",
        "日本語日本語",
        "a\u{301}bc",
        "👩‍💻👩‍💻 👩‍💻",
        "\u{0}",
        "ΣΑΣ σας",
        "",
        " ",
        "«»",
        "\"-",
        "x".repeat(3000).leak(),
    ];
    let words = texts.iter().flat_map(|text| text.split_whitespace());
    for word in words.filter(|word| word.len() < 900) {
        let Ok(query) = Query::parse(word, Filter::default(), 10) else { continue };
        for text in texts {
            let tree = json!({"id": "milestone-001", "title": format!("T {text}"), "description": format!("{text} {word} {}", text.repeat(20))});
            let Ok(milestone) = Milestone::from_tree(tree, false) else { continue };
            let found = search(&query, &[Searchable::of(&milestone, &[])]);
            for hit in &found.hits {
                marked(&hit.title, &hit.title_marks);
                hit.excerpt.iter().for_each(|e| drop(marked(&e.text, &e.marks)));
            }
        }
    }
}

#[test]
fn nothing_found_says_which_word_and_what_is_near() {
    let found = found_with("authentcation lgoin", Filter::default());
    assert!(found.hits.is_empty());
    let near: Vec<_> = found.unknown.iter().map(|u| (u.word.as_str(), u.near.join(" "))).collect();
    assert_eq!(
        near,
        [("authentcation", "authentication".to_owned()), ("lgoin", "login".to_owned())]
    );
    assert_eq!(found_with("dashboard vendor", Filter::default()).unknown, []);
    assert_eq!(found_with("zzz", Filter::default()).unknown[0].near, Vec::<String>::new());
}

#[test]
fn more_is_counted_than_is_shown() {
    let query = Query::parse("login", Filter::default(), 2).unwrap();
    let found = search(&query, &three());
    assert_eq!((found.hits.len(), found.total), (2, 5));
}

#[test]
fn it_comes_back_from_bytes_as_it_was() {
    for document in three() {
        let bytes = serde_json::to_vec(&document).unwrap();
        let back: Searchable<'_> = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(back, document);
    }
}
