use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::readiness::overlap;
use crate::views::testing::{TODAY, claim, project, task};

const HOME: MilestoneId = MilestoneId(1);

fn id(number: u32) -> TaskId {
    TaskId::new(HOME, number)
}

fn milestone(tasks: &[Value]) -> Snapshot {
    project(&[json!({"id": "milestone-001", "title": "M", "tasks": tasks})])
}

fn of(snapshot: &Snapshot, agents: usize) -> Rehearsal {
    with(snapshot, agents, &BTreeMap::new())
}

fn with(snapshot: &Snapshot, agents: usize, doers: &BTreeMap<TaskId, Doer>) -> Rehearsal {
    let asked = Asked { milestone: HOME, agents, sequential: false, doers };
    rehearse(snapshot, asked, TODAY).unwrap()
}

/// The waves as text: `0:1,2 480:3`.
fn said(rehearsal: &Rehearsal) -> String {
    let wave = |wave: &Wave| {
        let tasks: Vec<String> = wave.tasks.iter().map(|task| task.id.number.to_string()).collect();
        format!("{}:{}", wave.after.minutes(), tasks.join(","))
    };
    rehearsal.waves.iter().map(wave).collect::<Vec<_>>().join(" ")
}

fn left(rehearsal: &Rehearsal) -> Vec<(u32, String)> {
    rehearsal.left.iter().map(|task| (task.id.number, task.why.join("; "))).collect()
}

fn manual(number: u32) -> BTreeMap<TaskId, Doer> {
    let doer = Doer { runner: "manual".into(), obstacle: Some("is for a person".into()) };
    BTreeMap::from([(id(number), doer)])
}

#[test]
fn what_is_ready_is_begun_together_and_the_rest_when_it_is_free() {
    let snapshot = milestone(&[
        task(1, &json!({"estimate": "2d"})),
        task(2, &json!({})),
        task(3, &json!({"requires": ["task-001", "task-002"]})),
        task(4, &json!({"status": "completed"})),
    ]);
    assert_eq!(said(&of(&snapshot, 2)), "0:1,2 960:3");
    assert_eq!(said(&of(&snapshot, 1)), "0:1 960:2 1440:3");
    let two = of(&snapshot, 2);
    assert_eq!(two.length.minutes(), 1440);
    assert_eq!(two.critical_path, [id(1), id(3)]);
    let critical: Vec<bool> =
        two.waves.iter().flat_map(|wave| &wave.tasks).map(|task| task.critical).collect();
    assert_eq!(critical, [true, false, true]);
}

#[test]
fn one_after_the_other_goes_by_number() {
    let snapshot = milestone(&[
        task(1, &json!({})),
        task(2, &json!({"priority": "high"})),
        task(3, &json!({"requires": ["task-002"]})),
    ]);
    assert_eq!(said(&of(&snapshot, 1)), "0:2 480:1 960:3");
    let doers = BTreeMap::new();
    let asked = Asked { milestone: HOME, agents: 1, sequential: true, doers: &doers };
    let one = rehearse(&snapshot, asked, TODAY).unwrap();
    assert_eq!((said(&one).as_str(), one.suggested), ("0:1 480:2 960:3", None));
}

#[test]
fn what_touches_the_same_files_is_never_begun_together() {
    let snapshot = milestone(&[
        task(1, &json!({"resources": ["src/auth"], "priority": "high"})),
        task(2, &json!({"resources": ["src"], "priority": "high"})),
        task(3, &json!({"resources": ["docs"]})),
    ]);
    let three = of(&snapshot, 3);
    assert_eq!(said(&three), "0:1,3 480:2");
    let suggested = three.suggested.unwrap();
    assert_eq!((suggested.agents, suggested.because), (2, Enough::Waits { task: id(1) }));
}

#[test]
fn what_others_hold_is_waited_for_and_its_files_are_theirs() {
    let mut snapshot = milestone(&[
        task(1, &json!({"status": "in_progress", "resources": ["src"]})),
        task(2, &json!({"requires": ["task-001"]})),
        task(3, &json!({"resources": ["src/a"]})),
    ]);
    claim(&mut snapshot, "1.1", "ada", Some(60));
    let view = of(&snapshot, 2);
    assert_eq!((said(&view).as_str(), view.held[0].by.as_str()), ("480:2,3", "ada"));
    assert_eq!(left(&view), []);
}

#[test]
fn what_is_not_begun_says_why_and_so_does_what_waits_for_it() {
    let snapshot = project(&[
        json!({"id": "milestone-001", "title": "M", "tasks": [
            task(1, &json!({})),
            task(2, &json!({"requires": ["task-001"]})),
            task(3, &json!({"requires": ["task-002-001"]})),
            task(4, &json!({"status": "blocked", "reason": "no key"})),
            task(5, &json!({"requires": ["task-003", "task-006"]})),
            task(6, &json!({})),
            task(7, &json!({"start": "2026-12-01"})),
        ]}),
        json!({"id": "milestone-002", "title": "N", "tasks": [task(1, &json!({}))]}),
    ]);
    let view = with(&snapshot, 2, &manual(1));
    assert_eq!(said(&view), "0:6");
    let expected = [
        (1, "is for a person"),
        (2, "waits for task-001-001 (pending)"),
        (3, "waits for task-002-001 (pending)"),
        (4, "blocked: no key"),
        (5, "waits for task-001-003 (pending)"),
        (7, "not before 2026-12-01"),
    ];
    assert_eq!(left(&view), expected.map(|(number, why)| (number, why.to_owned())));
}

#[test]
fn a_condition_holds_as_soon_as_one_task_that_provides_it_is_done() {
    let snapshot = milestone(&[
        task(1, &json!({"provides": ["schema"], "estimate": "3d"})),
        task(2, &json!({"provides": ["schema"]})),
        task(3, &json!({"conditions": ["schema"]})),
        task(4, &json!({"conditions": ["unheard"]})),
    ]);
    let view = of(&snapshot, 2);
    assert_eq!(said(&view), "0:1,2 480:3");
    assert_eq!(left(&view), [(4, "waits for the condition unheard".to_owned())]);
}

#[test]
fn a_useful_number_of_agents_is_the_smallest_that_is_soon_enough() {
    let suggested = |tasks: &[Value]| of(&milestone(tasks), 1).suggested;
    let apart: Vec<Value> = (1..=4).map(|number| task(number, &json!({}))).collect();
    let four = suggested(&apart).unwrap();
    assert_eq!((four.agents, four.because), (4, Enough::OneEach));
    // Four short ones fit beside the long one.
    let mut beside = apart.clone();
    beside.push(task(5, &json!({"estimate": "4d"})));
    let two = suggested(&beside).unwrap();
    assert_eq!((two.agents, two.because), (2, Enough::Waits { task: id(5) }));
    assert_eq!(two.length.minutes(), 4 * 480);
    let many: Vec<Value> = (1..=200).map(|number| task(number, &json!({}))).collect();
    let most = suggested(&many).unwrap();
    assert_eq!((most.agents, most.because), (50, Enough::Most));
    assert_eq!(suggested(&[task(1, &json!({"status": "blocked"}))]), None);
}

/// A milestone of tasks in all states, with requirements in any direction.
fn plan() -> impl Strategy<Value = (Vec<Value>, BTreeSet<u32>)> {
    const PATHS: [&str; 5] = ["src", "src/a", "src/b", "docs", "docs/x"];
    const STATES: [&str; 6] =
        ["pending", "pending", "pending", "completed", "blocked", "in_progress"];
    let one = (
        prop::collection::vec(0..20_u32, 0..4),
        prop::collection::vec(0..PATHS.len(), 0..3),
        1..5_u32,
        0..STATES.len(),
        0..4_u32,
    );
    prop::collection::vec(one, 1..20).prop_map(|tasks| {
        let count = u32::try_from(tasks.len()).unwrap();
        let mut people = BTreeSet::new();
        let tasks = (1..)
            .zip(tasks)
            .map(|(number, (requires, paths, days, state, kind))| {
                let requires: BTreeSet<u32> = requires
                    .into_iter()
                    .map(|on| on % count + 1)
                    // Now and then a cycle.
                    .filter(|on| *on < number || (kind == 3 && *on != number))
                    .collect();
                let requires: Vec<String> =
                    requires.into_iter().map(|on| format!("task-{on:03}")).collect();
                let paths: BTreeSet<&str> = paths.into_iter().map(|path| PATHS[path]).collect();
                if kind == 2 && days == 4 {
                    people.insert(number);
                }
                task(
                    number,
                    &json!({"requires": requires, "resources": paths, "status": STATES[state],
                        "estimate": format!("{days}d")}),
                )
            })
            .collect();
        (tasks, people)
    })
}

/// When a task that is done in the rehearsal begins and ends.
fn spans(view: &Rehearsal) -> BTreeMap<TaskId, (u64, u64)> {
    let mut spans = BTreeMap::new();
    for wave in &view.waves {
        let begins = u64::from(wave.after.minutes());
        for task in &wave.tasks {
            let ends = begins + u64::from(task.takes.minutes());
            assert!(spans.insert(task.id, (begins, ends)).is_none(), "{} twice", task.id);
        }
    }
    spans
}

proptest! {
    #[test]
    fn every_open_task_is_begun_once_or_left_for_a_reason((tasks, people) in plan(), agents in 1..6_usize) {
        let snapshot = milestone(&tasks);
        let doers = people.iter().flat_map(|number| manual(*number)).collect();
        let view = with(&snapshot, agents, &doers);
        let begun = spans(&view);
        let mut seen: Vec<TaskId> = begun.keys().copied().collect();
        seen.extend(view.held.iter().map(|task| task.id));
        seen.extend(view.left.iter().map(|task| task.id));
        seen.sort_unstable();
        let outline = snapshot.outline(HOME).unwrap();
        let open = outline.tasks.iter().filter(|task| !task.status.is_closed());
        prop_assert_eq!(seen, open.map(|task| id(task.number)).collect::<Vec<_>>());
        prop_assert!(view.left.iter().all(|task| !task.why.is_empty()), "{:?}", view.left);
        prop_assert!(people.iter().all(|number| !begun.contains_key(&id(*number))));
    }

    #[test]
    fn nothing_is_begun_before_what_it_requires_or_beside_what_it_would_disturb(
        (tasks, _) in plan(), agents in 1..6_usize,
    ) {
        let snapshot = milestone(&tasks);
        let view = of(&snapshot, agents);
        let begun = spans(&view);
        let outline = snapshot.outline(HOME).unwrap();
        let held = |number: u32| view.held.iter().any(|task| task.id.number == number);
        let ends = |number: u32| {
            let task = outline.task(number).unwrap();
            let takes = u64::from(remaining(outline, task).minutes());
            begun.get(&id(number)).map(|span| span.1).or_else(|| held(number).then_some(takes))
        };
        for task in outline.tasks.iter().filter(|task| begun.contains_key(&id(task.number))) {
            let (begins, stops) = begun[&id(task.number)];
            for on in task.requires.iter().map(|on| on.node(HOME)) {
                let Node::Task(on) = on else { unreachable!() };
                let over = snapshot.task(on).unwrap().status.is_closed();
                prop_assert!(over || ends(on.number).is_some_and(|end| end <= begins));
            }
            let meets = |other: &&TaskOutline| {
                let theirs = begun.get(&id(other.number)).copied();
                let theirs = theirs.or_else(|| Some((0, ends(other.number)?)));
                theirs.is_some_and(|(from, to)| from < stops && begins < to)
            };
            let others = outline.tasks.iter().filter(|other| other.number != task.number);
            for other in others.filter(meets) {
                prop_assert_eq!(overlap(&task.resources, &other.resources), None);
            }
            let at_once = begun.values().filter(|(from, to)| *from <= begins && begins < *to);
            prop_assert!(at_once.count() <= agents);
        }
    }

    #[test]
    fn no_agent_is_idle_while_something_could_be_begun((tasks, _) in plan(), agents in 1..6_usize) {
        let snapshot = milestone(&tasks);
        let view = of(&snapshot, agents);
        let begun = spans(&view);
        let outline = snapshot.outline(HOME).unwrap();
        // Every task but those of the first wave begins when something ends.
        let mut ends: BTreeSet<u64> = begun.values().map(|span| span.1).collect();
        for held in &view.held {
            let task = outline.task(held.id.number).unwrap();
            ends.insert(u64::from(remaining(outline, task).minutes()));
        }
        prop_assert!(begun.values().all(|(begins, _)| *begins == 0 || ends.contains(begins)));
    }

    #[test]
    fn fewer_agents_than_suggested_take_longer((tasks, _) in plan()) {
        let snapshot = milestone(&tasks);
        let Some(suggested) = of(&snapshot, 1).suggested else { return Ok(()) };
        let length = |agents: usize| u64::from(of(&snapshot, agents).length.minutes());
        let bearable = length(64) + length(64) * TOLERANCE_PERCENT / 100;
        prop_assert!(length(suggested.agents) <= bearable);
        prop_assert!((1..suggested.agents).all(|fewer| length(fewer) > bearable));
    }

    #[test]
    fn the_critical_path_is_as_long_as_the_whole((tasks, _) in plan()) {
        let snapshot = milestone(&tasks);
        let view = of(&snapshot, 64);
        let outline = snapshot.outline(HOME).unwrap();
        let takes = |id: &TaskId| remaining(outline, outline.task(id.number).unwrap()).minutes();
        prop_assert_eq!(view.critical_path.iter().map(takes).sum::<u32>(), view.length.minutes());
    }
}
