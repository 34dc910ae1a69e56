//! How work is found without looking at everything: what is kept of each task beside it, so that
//! the best of those that may be ready come first.
//!
//! An offer promises nothing. It says "look": whoever looks judges by the one readiness rule, and
//! says when another look is worth while. Everything here can be made anew from the documents.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;

use crate::change::FieldChange;
use crate::dependencies::{Dependencies, Plan};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::needs::touches_edges;
use crate::readiness::{Board, Readiness, Reason, overlap};
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::{MilestoneStatus, Priority, TaskStatus};
use crate::views::{open_tasks, urgency};

/// The best first: urgency; then what has to begin first of all that cannot wait for the longest
/// chain of work without missing a due date; then the longest chain behind it, the due date, the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    pub priority: Priority,
    /// The last minute in which it may begin, where a due date presses.
    begin_by: Sometime<u64>,
    downstream: Reverse<u64>,
    due: Sometime<Date>,
    pub id: TaskId,
}

/// Something that comes before never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sometime<T> {
    At(T),
    Never,
}

impl<T> From<Option<T>> for Sometime<T> {
    fn from(at: Option<T>) -> Self {
        at.map_or(Self::Never, Self::At)
    }
}

/// More minutes than anything takes, and as many digits as every number of a key has.
const MOST: u64 = 9_999_999_999;

impl Rank {
    pub fn of(
        plan: Option<&Plan<'_, '_>>,
        id: TaskId,
        (outline, task): (&Outline, &TaskOutline),
        begin_by: Option<u64>,
    ) -> Self {
        Self {
            priority: urgency(outline, task),
            begin_by: begin_by.into(),
            downstream: Reverse(plan.map_or(0, |plan| plan.downstream(id))),
            due: task.due.or(outline.due).into(),
            id,
        }
    }

    pub fn downstream(&self) -> u64 {
        self.downstream.0
    }

    /// A text that comes before another one if the rank does: digits only, which every order of
    /// letters puts the same way round.
    pub fn key(&self) -> String {
        let begin_by = match self.begin_by {
            Sometime::At(minute) => minute.min(MOST - 1),
            Sometime::Never => MOST,
        };
        let due = match self.due {
            Sometime::At(date) => day(date),
            Sometime::Never => 99_999_999,
        };
        let chain = MOST - self.downstream().min(MOST);
        let TaskId { milestone, number } = self.id;
        let priority = self.priority as u8;
        format!("{priority}{begin_by:010}{chain:010}{due:08}{:010}{number:010}", milestone.0)
    }
}

/// How far the ranks that were kept are from those that would be found now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ranking {
    /// How many changes may have moved some of them since all were looked at.
    pub moved: u64,
    /// The day of that look, as [`day`] says it.
    pub on: i64,
    /// About how many milestones there are.
    pub milestones: u64,
}

/// Of how many milestones one may move before all are looked at again. So the look costs each
/// change that makes it necessary the same, however large the project is.
const MILESTONES_A_MOVE: u64 = 50;

impl Ranking {
    /// Whether it is time to look at everything again: once a day, because dates come nearer, and
    /// when enough has moved.
    pub fn is_worn(&self, today: Date) -> bool {
        let moved = self.moved > 0 && self.moved * MILESTONES_A_MOVE >= self.milestones;
        self.milestones > 0 && (moved || self.on < day(today))
    }
}

/// A date as a number that grows with it.
pub fn day(date: Date) -> i64 {
    i64::from(date.year()) * 10_000 + i64::from(date.month()) * 100 + i64::from(date.day())
}

/// The ranks of all open tasks, as far as the snapshot knows what waits for them.
pub fn ranks(snapshot: &Snapshot, today: Date) -> BTreeMap<TaskId, Rank> {
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let pressing = plan.as_ref().map(|plan| plan.pressing(snapshot, today)).unwrap_or_default();
    let tasks = open_tasks(snapshot).filter(|(.., task)| !task.status.is_closed());
    let rank = |(id, outline, task)| {
        (id, Rank::of(plan.as_ref(), id, (outline, task), pressing.get(&id).copied()))
    };
    tasks.map(rank).collect()
}

/// Whether a change of a document's fields may move a rank.
pub fn moves_ranks(change: &FieldChange) -> bool {
    const KEYS: [&str; 6] = ["priority", "due", "start", "estimate", "duration", "buffer"];
    let steps = change.path.steps();
    let ranked = steps.iter().any(|step| KEYS.contains(&step.as_str()));
    ranked || touches_edges(change)
}

/// Whether anybody can be offered a task as it stands: all else may change without it.
pub fn may_be_offered(task: TaskStatus) -> bool {
    task == TaskStatus::Pending
}

/// When a task that cannot be begun is worth another look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Later {
    /// When something that it may wait for changes.
    Woken,
    /// On this day.
    On(Date),
    /// When nobody works on this path any more.
    Free { path: String },
}

/// What a look at a task comes to: none if it is ready.
pub fn later(board: &Board<'_>, snapshot: &Snapshot, id: TaskId) -> Option<Later> {
    let reasons = match board.readiness(id) {
        Readiness::Ready { .. } => return None,
        Readiness::Held { .. } | Readiness::Closed => return Some(Later::Woken),
        Readiness::Waiting { reasons } => reasons,
    };
    let passing =
        |reason: &Reason| matches!(reason, Reason::NotBefore { .. } | Reason::Resource { .. });
    // A date or a path that frees it is of no use while it waits for something else as well.
    if !reasons.iter().all(passing) {
        return Some(Later::Woken);
    }
    let dates = reasons.iter().filter_map(|reason| match reason {
        Reason::NotBefore { date } => Some(*date),
        _ => None,
    });
    if let Some(date) = dates.max() {
        return Some(Later::On(date));
    }
    let path = reasons.iter().find_map(|reason| match reason {
        Reason::Resource { held_by, .. } => in_use(snapshot, id, *held_by),
        _ => None,
    });
    Some(path.map_or(Later::Woken, |path| Later::Free { path }))
}

/// The path of the holder that stands in the way, in the holder's own words.
fn in_use(snapshot: &Snapshot, id: TaskId, held_by: TaskId) -> Option<String> {
    let ours = &snapshot.task(id)?.resources;
    let claimed = snapshot.claims.get(&held_by).map(|claim| &claim.resources);
    let theirs = claimed.or_else(|| snapshot.task(held_by).map(|task| &task.resources))?;
    overlap(theirs, ours).map(str::to_owned)
}

/// What may be ready because of a change, and was not before: whom to look at again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wakes {
    /// Whatever waits for these directly.
    pub nodes: BTreeSet<Node>,
    /// Every task of these.
    pub milestones: BTreeSet<MilestoneId>,
    /// Whatever waits for a condition.
    pub conditions: bool,
}

impl Wakes {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn extend(&mut self, other: Self) {
        self.nodes.extend(other.nodes);
        self.milestones.extend(other.milestones);
        self.conditions |= other.conditions;
    }

    /// What a document's change may make ready beside the tasks that it writes themselves.
    pub fn between(before: Option<&Outline>, after: &Outline) -> Self {
        let mut wakes = Self::default();
        let completed = |outline: &Outline| outline.status == MilestoneStatus::Completed;
        if completed(after) && !before.is_some_and(completed) {
            wakes.nodes.insert(Node::Milestone(after.id));
        }
        for task in after.tasks.iter().filter(|task| task.status == TaskStatus::Completed) {
            let known = before.and_then(|before| before.task(task.number));
            if known.is_none_or(|known| known.status != TaskStatus::Completed) {
                wakes.nodes.insert(Node::Task(TaskId::new(after.id, task.number)));
            }
        }
        if before.is_some_and(|before| held_back(before) != held_back(after)) {
            wakes.milestones.insert(after.id);
        }
        let held: BTreeSet<&str> = before.into_iter().flat_map(holding).collect();
        wakes.conditions = holding(after).any(|name| !held.contains(name));
        wakes
    }
}

/// All by which a milestone can hold back its own tasks.
fn held_back(outline: &Outline) -> impl PartialEq + use<'_> {
    let begun = matches!(outline.status, MilestoneStatus::Planned | MilestoneStatus::InProgress);
    let phases = outline.phases.iter().map(|phase| (phase.name.as_str(), phase.is_passed()));
    let phases: Vec<_> = phases.collect();
    let waits = (&outline.requires, &outline.conditions, &outline.external, outline.start);
    (outline.archived, begun, phases, waits)
}

fn holding(outline: &Outline) -> impl Iterator<Item = &str> {
    outline.provisions().filter(|(.., holds)| *holds).map(|(name, ..)| name)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, claim, project, task};

    fn id(text: &str) -> TaskId {
        text.parse().unwrap()
    }

    #[test]
    fn keys_sort_as_ranks_do() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "due": "2026-11-20", "tasks": [
                task(1, &json!({})), task(2, &json!({"requires": ["task-001"], "priority": "low"})),
                task(3, &json!({"priority": "critical"})), task(4, &json!({"due": "2026-11-03"}))]}),
            json!({"id": "milestone-012", "title": "B", "priority": "high", "tasks": [
                task(1, &json!({"estimate": "20d"})), task(2, &json!({})), task(3, &json!({}))]}),
        ]);
        let mut ranks: Vec<Rank> = ranks(&snapshot, TODAY).into_values().collect();
        ranks.sort();
        assert_eq!(ranks.len(), 7);
        assert!(ranks.is_sorted_by_key(Rank::key), "{ranks:?}");
    }

    #[test]
    fn a_look_says_when_another_one_is_worth_while() {
        let mut snapshot = project(&[json!({"id": "milestone-001", "title": "M", "tasks": [
            task(1, &json!({"resources": ["src"]})),
            task(2, &json!({"resources": ["docs", "src/auth"]})),
            task(3, &json!({"start": "2026-12-01"})),
            task(4, &json!({"requires": ["task-001"], "start": "2026-12-01"})),
            task(5, &json!({"status": "completed"})),
            task(6, &json!({})),
            task(7, &json!({"start": "2026-12-01", "resources": ["src"]})),
        ]})]);
        snapshot.outlines.get_mut(&MilestoneId(1)).unwrap().tasks[0].status =
            TaskStatus::InProgress;
        claim(&mut snapshot, "1.1", "ada", Some(60));
        let board = Board::new(&snapshot, TODAY);
        let look = |number: u32| later(&board, &snapshot, TaskId::new(MilestoneId(1), number));
        let december = Some(Later::On(date(2026, 12, 1)));
        assert_eq!(look(1), Some(Later::Woken));
        assert_eq!(look(2), Some(Later::Free { path: "src".into() }));
        assert_eq!(look(3), december);
        assert_eq!(look(4), Some(Later::Woken));
        assert_eq!(look(5), Some(Later::Woken));
        assert_eq!(look(6), None);
        assert_eq!(look(7), december);
    }

    #[test]
    fn only_what_can_make_something_ready_wakes_it() {
        let outline = |more: serde_json::Value| {
            let mut tree = json!({"id": "milestone-001", "title": "M", "tasks": [
                task(1, &json!({})), task(2, &json!({}))]});
            tree.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            project(&[tree]).outlines.into_values().next().unwrap()
        };
        let with = |status: &str| {
            outline(json!({"tasks": [task(1, &json!({"status": status})), task(2, &json!({}))]}))
        };
        let plain = outline(json!({}));
        let wakes = |after: &Outline| Wakes::between(Some(&plain), after);
        assert!(wakes(&outline(json!({"status": "in_progress", "title": "N"}))).is_empty());
        assert!(wakes(&with("in_progress")).is_empty());
        assert!(wakes(&with("cancelled")).is_empty());
        assert_eq!(wakes(&with("completed")).nodes, BTreeSet::from([Node::Task(id("1.1"))]));
        let completed = outline(json!({"status": "completed", "provides": ["schema"]}));
        assert!(wakes(&completed).conditions);
        assert!(wakes(&completed).nodes.contains(&Node::Milestone(MilestoneId(1))));
        for held in [
            json!({"status": "paused"}),
            json!({"start": "2026-12-01"}),
            json!({"dependencies": {"requires": ["milestone-002"]}}),
        ] {
            let held = outline(held);
            let back = Wakes::between(Some(&held), &plain);
            assert_eq!(back.milestones, BTreeSet::from([MilestoneId(1)]), "{held:?}");
        }
    }
}
