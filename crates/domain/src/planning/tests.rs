use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ids::{MilestoneId, Reference};
use crate::views::testing::project;

fn template(more: &Value) -> Template {
    let mut tree = json!({"name": "mine", "title": "Mine", "about": "A"});
    tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let template: Template = serde_json::from_value(tree).unwrap();
    template.check().unwrap();
    template
}

fn chain() -> Template {
    let points = json!({"optimistic": "1h", "likely": "2h", "pessimistic": "3h"});
    template(&json!({"category": "feature", "words": {"portal": 3}, "tasks": [
        {"key": "a", "title": "Agree on {subject}", "kind": "design", "estimate": points},
        {"key": "b", "title": "Build {part}", "each": "part", "estimate": "2d", "requires": ["a"]},
        {"key": "c", "title": "Try {part}", "each": "part", "from_size": "normal", "requires": ["b"]},
        {"key": "d", "title": "Ship {title}", "requires": ["c"]},
    ], "criteria": ["{title} works", {"text": "Shared", "from_size": "large"}]}))
}

fn plan(title: &str, template: &Template, workflow: Option<Workflow>) -> Proposal {
    let said = Milestone::new(MilestoneId(0), title);
    propose(Request { said, template: Choice::Named(template), workflow }, &[])
}

/// Every task as `number title < what it requires`.
fn lines(milestone: &Milestone) -> Vec<String> {
    let line = |task: &crate::document::Task| {
        let before: Vec<String> = task
            .requires
            .iter()
            .map(|reference| match reference {
                Reference::Own(number) => number.to_string(),
                other => other.to_string(),
            })
            .collect();
        format!("{} {} < {}", task.id.number, task.title, before.join(" ")).trim_end().to_owned()
    };
    milestone.tasks.iter().map(line).collect()
}

#[test]
fn tasks_are_there_once_for_each_part_and_follow_their_own() {
    let proposal = plan("Portal: login, reset and profile", &chain(), None);
    assert_eq!(
        lines(&proposal.draft.milestone),
        [
            "1 Agree on the portal <",
            "2 Build the login < 1",
            "3 Build the reset < 1",
            "4 Build the profile < 1",
            "5 Try the login < 2",
            "6 Try the reset < 3",
            "7 Try the profile < 4",
            "8 Ship Portal: login, reset and profile < 5 6 7",
        ]
        .map(|line| line.trim_end_matches(' '))
    );
    let estimates: Vec<_> =
        proposal.draft.milestone.tasks.iter().filter_map(|t| t.estimate).collect();
    assert_eq!(estimates[1].expected().to_string(), "1d", "each part is half of the whole");
}

#[test]
fn what_small_work_leaves_out_is_bridged() {
    let small = plan("Quick portal", &chain(), None).draft.milestone;
    assert_eq!(
        lines(&small),
        [
            "1 Agree on the quick portal <",
            "2 Build the quick portal < 1",
            "3 Ship Quick portal < 2"
        ]
    );
    assert_eq!(small.criteria.len(), 1);
    assert_eq!(small.tasks[1].estimate.unwrap().expected().to_string(), "1d");
    assert_eq!(plan("Whole portal", &chain(), None).draft.milestone.criteria.len(), 2);
}

#[test]
fn what_is_put_in_is_not_looked_at_again() {
    let odd = plan("{part} {title} {x}", &chain(), None).draft.milestone;
    assert_eq!(odd.criteria[0].text, "{part} {title} {x} works");
}

#[test]
fn phases_stand_around_what_is_built() {
    let workflow = Some(Workflow { approval: true });
    let milestone = plan("Portal", &chain(), workflow).draft.milestone;
    let phases: Vec<_> = milestone.phases.iter().map(|p| (p.name.as_str(), p.approval)).collect();
    assert_eq!(phases, [("design", true), ("spec", true), ("task", true), ("execute", true)]);
    // What the design phase does is not done again.
    assert_eq!(
        lines(&milestone)[5..],
        [
            "6 Build the portal < 5",
            "7 Try the portal < 6",
            "8 Ship Portal < 7",
            "9 Write down what was built and how it tested < 8",
        ]
    );
    let paths: Vec<_> = milestone.deliverables.iter().filter_map(|d| d.path.as_deref()).collect();
    assert_eq!(paths[..2], ["design/architecture.md", "design/api-spec.yaml"]);
    for task in &milestone.tasks {
        let phase = |name: &str| milestone.phases.iter().position(|phase| phase.name == name);
        let own = phase(task.phase.as_deref().unwrap()).unwrap();
        for reference in &task.requires {
            let Reference::Own(number) = reference else { continue };
            let before = milestone.task(*number).unwrap().phase.as_deref().unwrap();
            assert!(phase(before).unwrap() <= own);
        }
    }
}

#[test]
fn listed_tasks_are_executed_and_keep_their_order() {
    let mut said = Milestone::new(MilestoneId(0), "Payment portal");
    said.duration = Some("2w".parse().unwrap());
    said.tasks = vec![crate::document::Task::new(1, "A"), crate::document::Task::new(2, "B")];
    said.tasks[1].requires = vec![Reference::Own(1)];
    let bare = propose(Request { said: said.clone(), template: Choice::None, workflow: None }, &[]);
    assert_eq!(bare.draft.milestone, said, "who lists tasks gets those and nothing else");
    assert_eq!((bare.risks.len(), bare.scaled_to), (1, None));
    let workflow = Some(Workflow { approval: false });
    let phased = propose(Request { said, template: Choice::None, workflow }, &[]).draft.milestone;
    assert_eq!(lines(&phased)[5..7], ["6 A < 5", "7 B < 6"]);
}

#[test]
fn a_duration_scales_what_was_planned() {
    let mut said = Milestone::new(MilestoneId(0), "Portal");
    said.duration = Some("2w".parse().unwrap());
    let proposal =
        propose(Request { said, template: Choice::Named(&chain()), workflow: None }, &[]);
    let tasks = &proposal.draft.milestone.tasks;
    let total: Effort =
        tasks.iter().filter_map(|task| task.estimate).map(crate::effort::Estimate::expected).sum();
    assert_eq!((total.to_string(), proposal.scaled_to), ("2w".into(), "2w".parse().ok()));
}

#[test]
fn words_choose_and_ties_go_by_name() {
    let other = |name: &str, word: &str| Template {
        name: name.to_owned(),
        words: [(word.to_owned(), 3)].into(),
        ..chain()
    };
    let templates = [other("b", "portal"), other("a", "portals"), other(GENERAL, "nothing")];
    let all: Vec<&Template> = templates.iter().collect();
    let chosen = |title: &str| {
        let said = Milestone::new(MilestoneId(0), title);
        propose(Request { said, template: Choice::ByWords, workflow: None }, &all).template.unwrap()
    };
    assert_eq!(chosen("Portal").name, "a");
    assert_eq!(chosen("Portal").because, Because::Words { words: vec!["portals".into()] });
    assert_eq!(chosen("Xyz").because, Because::NothingMatched);
}

#[test]
fn applying_twice_adds_once() {
    let mut milestone = Milestone::new(MilestoneId(1), "Portal: a, b and c");
    milestone.tasks = vec![crate::document::Task::new(4, "Agree on the portal")];
    let added = apply(&chain(), &mut milestone);
    assert_eq!(added.tasks, [5, 6, 7, 8, 9, 10, 11]);
    assert_eq!(milestone.tasks[1].requires, [Reference::Own(4)]);
    assert_eq!(milestone.criteria[0].id, Some(1));
    assert_eq!(apply(&chain(), &mut milestone), Added::default());
}

#[test]
fn a_template_of_a_milestone_repeats_it_with_what_was_measured() {
    let points = json!({"optimistic": "1h", "likely": "2h", "pessimistic": "4h"});
    let snapshot = project(&[json!({"id": "milestone-001", "title": "Billing portal",
        "tasks": [
            {"id": "task-001", "title": "Design Billing portal", "status": "completed", "estimate": points,
                "started_at": "2026-11-02T09:00:00Z", "completed_at": "2026-11-02T15:00:00Z"},
            {"id": "task-002", "title": "Dropped", "status": "cancelled"},
            {"id": "task-003", "title": "Build it", "estimate": "1d",
                "requires": ["task-001", "task-002", "milestone-004"]},
        ],
        "criteria": [{"text": "Billing portal works", "met": {"by": "a", "at": "2026-11-02T15:00:00Z",
            "evidence": "seen"}}]})]);
    let template = Template::of_milestone(&snapshot, MilestoneId(1), "billing").unwrap();
    template.check().unwrap();
    assert_eq!(template.tasks.len(), 2);
    assert_eq!(template.tasks[0].title, "Design {title}");
    let estimate = template.tasks[0].estimate.unwrap();
    assert_eq!(estimate.likely().to_string(), "6h", "what it took");
    assert_eq!(template.tasks[1].requires, ["task-1"]);
    assert_eq!(template.words.keys().collect::<Vec<_>>(), ["billing", "billing portal", "portal"]);
    let again = plan("Shop portal", &template, None).draft.milestone;
    assert_eq!(again.tasks[0].title, "Design Shop portal");
    assert_eq!(again.criteria[0].text, "Shop portal works");
    assert_eq!(again.criteria[0].met, None);
}

#[test]
fn a_template_that_makes_no_sense_is_refused_with_its_place() {
    let refused = |more: Value| {
        let mut tree = json!({"name": "mine", "title": "Mine", "about": "A"});
        tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value::<Template>(tree).unwrap().check().unwrap_err().to_string()
    };
    for name in ["", "None", "none", "a/b", "../x", "1", "milestone-001", "current", "ä"] {
        assert!(refused(json!({"name": name})).starts_with("name: "), "{name}");
    }
    assert!(refused(json!({"words": {"!": 1}})).starts_with("words/!"));
    assert!(refused(json!({"words": {"a": 0}})).contains("1 to 9"));
    assert!(refused(json!({"words": {"role": 1, "Roles": 2}})).contains("already"));
    let task = |more: &Value| {
        let mut task = json!({"key": "a", "title": "A"});
        task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        task
    };
    let tasks = |tasks: &[Value]| refused(json!({"tasks": tasks, "phases": ["one"]}));
    assert_eq!(
        tasks(&[task(&json!({})), task(&json!({}))]),
        "tasks/1/key: two tasks have the key `a`"
    );
    assert_eq!(tasks(&[task(&json!({"phase": "two"}))]), "tasks/0/phase: there is no phase `two`");
    assert!(tasks(&[task(&json!({"requires": ["b"]}))]).contains("no task with the key `b`"));
    assert!(tasks(&[task(&json!({"title": " "}))]).starts_with("tasks/0/title"));
}

/// Words that titles are read by, in any order.
fn a_title() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "Add",
        "users can",
        "as a",
        "Wir wollen",
        "Füge",
        "hinzu",
        "einführen",
        "für",
        "make",
        "faster",
        ": ",
        ", ",
        " and ",
        "where",
        "can",
        "the",
        "API",
        "Portal",
        "ß",
        "🚀",
        "i want to",
    ]);
    let titles = prop_oneof![
        prop::collection::vec(word, 0..12).prop_map(|words| words.join(" ")),
        ".{0,120}"
    ];
    titles.prop_filter("a title says something", |title| !title.trim().is_empty())
}

proptest! {
    #[test]
    fn no_title_breaks_the_planner(title in a_title(), workflow: bool) {
        let workflow = workflow.then_some(Workflow { approval: false });
        let milestone = plan(&title, &chain(), workflow).draft.milestone;
        prop_assert!(!milestone.tasks.is_empty());
        for task in &milestone.tasks {
            prop_assert!(!task.title.trim().is_empty(), "{title:?}");
            for reference in &task.requires {
                let Reference::Own(number) = reference else { continue };
                prop_assert!(milestone.task(*number).is_some() && *number < task.id.number);
            }
        }
    }
}
