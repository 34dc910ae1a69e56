//! The work streams of a milestone: parts of it that come together, each by itself, before all of it
//! does.
//!
//! A stream is made of what the tasks say, and of nothing that changes while they are worked on, so
//! it is the same one in every session. A task that is cancelled is in none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{Milestone, Task};
use crate::graph::{Cycle, Dag};
use crate::ids::{Node, TaskId};
use crate::status::TaskStatus;

/// Longer names are cut.
const NAME_CHARS_MAX: usize = 40;

/// What tasks make a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StreamsBy {
    /// Their phase, where any task has one; otherwise what they wait for.
    #[default]
    Auto,
    Phase,
    /// The first label of each.
    Label,
}

/// A stream's name, of small letters, digits and single dashes: it is a part of a branch's name.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String")]
pub struct StreamName(String);

impl StreamName {
    pub fn parse(text: &str) -> Option<Self> {
        let is_usual = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        text.split('-').all(is_usual).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What can be said of any text in such a name.
    fn of(kind: &str, text: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
        let cut: String = text.chars().map(plain).take(NAME_CHARS_MAX).collect();
        let words = std::iter::once(kind).chain(cut.split_whitespace());
        Self(words.collect::<Vec<_>>().join("-"))
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for StreamName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no name of a stream"))
    }
}

/// A part of a milestone that comes together by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Stream {
    pub name: StreamName,
    /// In the order of their numbers.
    pub tasks: Vec<TaskId>,
    /// The streams before it in which there is anything that its tasks build on.
    pub after: Vec<StreamName>,
}

impl Stream {
    /// Whether every task of it is done.
    pub fn is_complete(&self, document: &Milestone) -> bool {
        self.completed(document) == self.tasks.len()
    }

    pub fn completed(&self, document: &Milestone) -> usize {
        let status = |id: &&TaskId| document.task(id.number).map(|task| task.status);
        self.tasks.iter().filter(|id| status(id) == Some(TaskStatus::Completed)).count()
    }
}

/// The streams of a milestone. Whatever a task builds on is in its own stream or in one before it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streams {
    all: Vec<Stream>,
    places: BTreeMap<TaskId, usize>,
    /// The other streams that a task builds on itself.
    others: BTreeMap<TaskId, BTreeSet<usize>>,
}

impl Streams {
    pub fn of(document: &Milestone, by: StreamsBy) -> Self {
        let tasks: Vec<&Task> =
            document.tasks.iter().filter(|task| task.status != TaskStatus::Cancelled).collect();
        let edges = edges(document, &tasks);
        let groups = without_rounds(grouped(document, &tasks, by, &edges), &edges);
        let mut this = Self::default();
        let mut after: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let place_of = place_of(&groups);
        for (before, waits) in &edges {
            let (Some(theirs), Some(own)) = (place_of.get(before), place_of.get(waits)) else {
                continue;
            };
            if theirs != own {
                after.entry(*own).or_default().insert(*theirs);
                let task = document.task_id(tasks[*waits]);
                this.others.entry(task).or_default().insert(*theirs);
            }
        }
        for (at, group) in groups.iter().enumerate() {
            let mut ids: Vec<TaskId> =
                group.tasks.iter().map(|task| document.task_id(tasks[*task])).collect();
            ids.sort_unstable();
            this.places.extend(ids.iter().map(|task| (*task, at)));
            let after = after.get(&at).into_iter().flatten();
            let after = after.map(|before| groups[*before].name.clone()).collect();
            this.all.push(Stream { name: group.name.clone(), tasks: ids, after });
        }
        this
    }

    pub fn all(&self) -> &[Stream] {
        &self.all
    }

    pub fn named(&self, name: &str) -> Option<&Stream> {
        self.all.iter().find(|stream| stream.name.as_str() == name)
    }

    /// The stream that a task is in.
    pub fn around(&self, task: TaskId) -> Option<&Stream> {
        self.places.get(&task).and_then(|at| self.all.get(*at))
    }

    /// The other streams that a task builds on.
    pub fn below(&self, task: TaskId) -> impl Iterator<Item = &Stream> {
        self.others.get(&task).into_iter().flatten().filter_map(|at| self.all.get(*at))
    }
}

fn grouped(
    document: &Milestone,
    tasks: &[&Task],
    by: StreamsBy,
    edges: &[(usize, usize)],
) -> Vec<Group> {
    let by_phase = by == StreamsBy::Phase || tasks.iter().any(|task| task.phase.is_some());
    match by {
        StreamsBy::Label => named(tasks, "label", &[], |task| task.labels.first()),
        _ if by_phase => {
            let order: Vec<&str> =
                document.phases.iter().map(|phase| phase.name.as_str()).collect();
            named(tasks, "phase", &order, |task| task.phase.as_ref())
        }
        _ => parts(tasks, edges),
    }
}

/// Tasks that belong together, by their places.
struct Group {
    name: StreamName,
    tasks: Vec<usize>,
}

/// Which task waits for which: what it requires, and what provides a condition that it needs.
fn edges(document: &Milestone, tasks: &[&Task]) -> Vec<(usize, usize)> {
    let places: HashMap<u32, usize> =
        (0..).zip(tasks).map(|(at, task)| (task.id.number, at)).collect();
    let mut providers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, task) in tasks.iter().enumerate() {
        for condition in &task.provides {
            providers.entry(condition).or_default().push(at);
        }
    }
    let own = |node: Node| match node {
        Node::Task(id) if id.milestone == document.id => places.get(&id.number).copied(),
        _ => None,
    };
    let mut edges = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        let required = task.requires.iter().filter_map(|on| own(on.node(document.id)));
        let provided = task.conditions.iter().filter_map(|name| providers.get(name.as_str()));
        let before = required.chain(provided.flatten().copied());
        edges.extend(before.filter(|before| *before != at).map(|before| (before, at)));
    }
    edges
}

/// One group for each name that tasks have, in the order in which the names are given, then that in
/// which tasks have them; those without one come last.
fn named<'a>(
    tasks: &[&'a Task],
    kind: &str,
    order: &[&'a str],
    name: impl Fn(&'a Task) -> Option<&'a String>,
) -> Vec<Group> {
    let mut known: Vec<&str> = order.to_vec();
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, task) in tasks.iter().enumerate() {
        let place = name(task).map(|name| {
            known.iter().position(|known| known == name).unwrap_or_else(|| {
                known.push(name);
                known.len() - 1
            })
        });
        members.entry(place.unwrap_or(usize::MAX)).or_default().push(at);
    }
    let mut taken = BTreeSet::new();
    let group = |(place, tasks): (usize, Vec<usize>)| {
        let name = known.get(place).map_or_else(
            || StreamName("rest".to_owned()),
            |name| free(StreamName::of(kind, name), &mut taken),
        );
        Group { name, tasks }
    };
    members.into_iter().map(group).collect()
}

/// Two names may come to the same when only their letters are left.
fn free(name: StreamName, taken: &mut BTreeSet<StreamName>) -> StreamName {
    let other = |number: usize| StreamName(format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain((2..).map(other));
    let free = free.into_iter().find(|name| !taken.contains(name)).unwrap_or(name);
    taken.insert(free.clone());
    free
}

/// What hangs together by what waits for what, each part named by its first task. Tasks that wait
/// for none of the others, and for which none waits, are one stream together: nobody wants a branch
/// and a review for each of fifty.
fn parts(tasks: &[&Task], edges: &[(usize, usize)]) -> Vec<Group> {
    let mut first: Vec<usize> = (0..tasks.len()).collect();
    for (one, other) in edges {
        let (one, other) = (root(&mut first, *one), root(&mut first, *other));
        first[one.max(other)] = one.min(other);
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..tasks.len() {
        members.entry(root(&mut first, at)).or_default().push(at);
    }
    let (parts, single): (Vec<_>, Vec<_>) =
        members.into_values().partition(|tasks| tasks.len() > 1);
    let lowest = |part: &[usize]| part.iter().map(|at| tasks[*at].id.number).min();
    let mut groups: Vec<Group> = parts
        .into_iter()
        .map(|part| {
            let number = lowest(&part).unwrap_or_default();
            Group { name: StreamName(format!("tasks-{number:03}")), tasks: part }
        })
        .collect();
    if !single.is_empty() {
        let name = StreamName("single".to_owned());
        groups.push(Group { name, tasks: single.into_iter().flatten().collect() });
    }
    groups
}

fn root(first: &mut [usize], mut at: usize) -> usize {
    while first[at] != at {
        first[at] = first[first[at]];
        at = first[at];
    }
    at
}

/// The group that each task is in.
fn place_of(groups: &[Group]) -> HashMap<usize, usize> {
    let places = groups.iter().enumerate();
    places.flat_map(|(at, group)| group.tasks.iter().map(move |task| (*task, at))).collect()
}

/// Which group waits for which.
fn between<'a>(
    groups: &[Group],
    edges: &'a [(usize, usize)],
) -> impl Iterator<Item = (usize, usize)> + 'a {
    let group_of = place_of(groups);
    let ends = edges
        .iter()
        .filter_map(move |(before, waits)| Some((*group_of.get(before)?, *group_of.get(waits)?)));
    ends.filter(|(before, waits)| before != waits)
}

/// Groups that wait for one another can only come together at once, so they are one; and each
/// comes after all that it waits for.
fn without_rounds(mut groups: Vec<Group>, edges: &[(usize, usize)]) -> Vec<Group> {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let place = |node: u32| usize::try_from(node).unwrap_or(usize::MAX);
    loop {
        let waits: Vec<(u32, u32)> =
            between(&groups, edges).map(|(a, b)| (number(a), number(b))).collect();
        match Dag::new(number(groups.len()), &waits).order() {
            Ok(order) => {
                let mut places = vec![0; groups.len()];
                for (at, node) in order.into_iter().enumerate() {
                    places[place(node)] = at;
                }
                let mut placed: Vec<(usize, Group)> = places.into_iter().zip(groups).collect();
                placed.sort_by_key(|(at, _)| *at);
                return placed.into_iter().map(|(_, group)| group).collect();
            }
            Err(Cycle(round)) => {
                let mut round: Vec<usize> = round.into_iter().map(place).collect();
                round.sort_unstable();
                let Some((first, others)) = round.split_first() else { return groups };
                for other in others.iter().rev() {
                    let tasks = groups.remove(*other).tasks;
                    groups[*first].tasks.extend(tasks);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::ids::MilestoneId;
    use crate::random::Dice;

    fn milestone(tasks: &[serde_json::Value]) -> Milestone {
        let tasks: Vec<_> = (1..)
            .zip(tasks)
            .map(|(number, more)| {
                let mut task = json!({"id": format!("task-{number:03}"), "title": "T"});
                task.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                task
            })
            .collect();
        let tree = json!({"id": "milestone-001", "title": "M", "tasks": tasks});
        serde_json::from_value(tree).unwrap()
    }

    fn streams(document: &Milestone, by: StreamsBy) -> Vec<Stream> {
        Streams::of(document, by).all().to_vec()
    }

    fn said(streams: &[Stream]) -> Vec<String> {
        let tasks = |stream: &Stream| {
            let numbers = stream.tasks.iter().map(|task| task.number.to_string());
            numbers.collect::<Vec<_>>().join(" ")
        };
        let after = |stream: &Stream| {
            let after = stream.after.iter().map(|name| format!(" < {name}"));
            after.collect::<Vec<_>>().concat()
        };
        streams.iter().map(|one| format!("{}: {}{}", one.name, tasks(one), after(one))).collect()
    }

    #[test]
    fn what_hangs_together_is_a_stream_and_what_stands_alone_is_one_too() {
        let document = milestone(&[
            json!({}),
            json!({"requires": ["task-003"]}),
            json!({}),
            json!({"provides": ["schema"]}),
            json!({"conditions": ["schema"]}),
            json!({}),
            json!({"requires": ["task-006"], "status": "cancelled"}),
        ]);
        let found = streams(&document, StreamsBy::Auto);
        assert_eq!(said(&found), ["tasks-002: 2 3", "tasks-004: 4 5", "single: 1 6"]);
    }

    #[test]
    fn phases_are_streams_in_their_order_and_those_that_need_one_another_are_one() {
        let mut document = milestone(&[
            json!({"phase": "build", "requires": ["task-002"]}),
            json!({"phase": "Design & co"}),
            json!({}),
            json!({"phase": "test", "requires": ["task-001"]}),
            json!({"phase": "design co"}),
        ]);
        document.phases = ["Design & co", "build", "test"]
            .map(|name| serde_json::from_value(json!({"name": name})).unwrap())
            .into();
        let found = streams(&document, StreamsBy::Auto);
        assert_eq!(
            said(&found),
            [
                "phase-design-co: 2",
                "phase-build: 1 < phase-design-co",
                "phase-test: 4 < phase-build",
                "phase-design-co-2: 5",
                "rest: 3"
            ]
        );
        document.task_mut(2).unwrap().requires =
            serde_json::from_value(json!(["task-004"])).unwrap();
        let found = streams(&document, StreamsBy::Auto);
        assert_eq!(said(&found)[0], "phase-design-co: 1 2 4");
    }

    #[test]
    fn labels_are_streams_where_somebody_asks() {
        let document = milestone(&[
            json!({"labels": ["ui", "x"], "requires": ["task-002"]}),
            json!({"labels": ["api"]}),
            json!({}),
        ]);
        let found = streams(&document, StreamsBy::Label);
        assert_eq!(said(&found), ["label-api: 2", "label-ui: 1 < label-api", "rest: 3"]);
        let streams = Streams::of(&document, StreamsBy::Label);
        let task = |number| TaskId::new(MilestoneId(1), number);
        let names = |task| streams.below(task).map(|on| on.name.as_str()).collect::<Vec<_>>();
        assert_eq!((names(task(1)), names(task(2))), (vec!["label-api"], vec![]));
        assert_eq!(streams.around(task(3)).map(|own| own.name.as_str()), Some("rest"));
    }

    #[test]
    fn a_name_is_fit_for_a_branch() {
        for bad in ["", "-a", "a-", "a--b", "A", "a/b", "a b", "..", "a.lock"] {
            assert_eq!(StreamName::parse(bad), None, "{bad}");
        }
        assert_eq!(StreamName::of("phase", "Ünï / ../ x").as_str(), "phase-n-x");
        assert_eq!(StreamName::of("phase", "¡!").as_str(), "phase");
    }

    fn random(dice: &mut Dice) -> Milestone {
        let count = 1 + dice.below(14);
        let tasks: Vec<_> = (1..=count)
            .map(|_| {
                let mut task = json!({});
                let requires: Vec<_> = (1..=count)
                    .filter(|_| dice.percent(12))
                    .map(|on| format!("task-{on:03}"))
                    .collect();
                task["requires"] = json!(requires);
                if dice.percent(40) {
                    task["phase"] = json!(dice.word());
                }
                if dice.percent(40) {
                    task["labels"] = json!([dice.word()]);
                }
                if dice.percent(10) {
                    task["status"] = json!("cancelled");
                }
                task
            })
            .collect();
        milestone(&tasks)
    }

    proptest! {
        #[test]
        fn every_task_is_in_one_stream_and_after_all_that_it_builds_on(seed: u64, by in 0..3usize) {
            let by = [StreamsBy::Auto, StreamsBy::Phase, StreamsBy::Label][by];
            let mut document = random(&mut Dice::new(seed));
            let found = streams(&document, by);
            let mut seen = BTreeMap::new();
            for (at, stream) in found.iter().enumerate() {
                prop_assert!(StreamName::parse(stream.name.as_str()).is_some());
                for task in &stream.tasks {
                    prop_assert_eq!(seen.insert(*task, at), None, "{} is in two", task);
                }
            }
            let names: BTreeSet<_> = found.iter().map(|stream| &stream.name).collect();
            prop_assert_eq!(names.len(), found.len());
            for task in &document.tasks {
                let at = seen.get(&TaskId::new(MilestoneId(1), task.id.number));
                prop_assert_eq!(at.is_none(), task.status == TaskStatus::Cancelled);
                for on in &task.requires {
                    let Node::Task(on) = on.node(document.id) else { continue };
                    let (Some(at), Some(before)) = (at, seen.get(&on)) else { continue };
                    prop_assert!(before <= at, "{:?}", said(&found));
                    let named = found[*at].after.contains(&found[*before].name);
                    prop_assert_eq!(named, before != at);
                }
            }
            // Work that is done changes nothing.
            for task in &mut document.tasks {
                if task.status != TaskStatus::Cancelled {
                    task.status = TaskStatus::Completed;
                }
            }
            prop_assert_eq!(streams(&document, by), found);
        }
    }
}
