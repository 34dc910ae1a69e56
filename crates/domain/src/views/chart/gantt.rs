//! Milestones and tasks as bars in time: what was done when, and when the rest can be.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::Stage;
use crate::dependencies::{Dependencies, Plan};
use crate::ids::{MilestoneId, Node, Reference, TaskId};
use crate::limits;
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::{MilestoneStatus, TaskStatus};
use crate::views::when::Clock;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Gantt {
    /// The one milestone that is shown; none where it is the project.
    pub milestone: Option<MilestoneId>,
    pub title: Option<String>,
    pub today: Date,
    /// The first and the last day on which anything stands, today among them.
    pub from: Date,
    pub until: Date,
    /// Each milestone, followed by its tasks.
    pub rows: Vec<Bar>,
    pub left_out: LeftOut,
    /// What keeps open work from being laid out in time.
    pub cycle: Option<Vec<Node>>,
}

/// What would have been too much for one picture.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeftOut {
    pub milestones: usize,
    pub tasks: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Bar {
    pub id: Node,
    pub title: String,
    pub stage: Stage,
    pub status: &'static str,
    pub percent: u32,
    /// None where nobody can say: in a cycle, or where it was never noted down.
    pub span: Option<Span>,
    pub due: Option<Date>,
    /// It was, or will be, done after its due date.
    pub late: bool,
    /// Any delay of it delays everything.
    pub critical: bool,
    /// The rows that it waits for.
    pub requires: Vec<Node>,
}

/// From the day on which something began or can begin, to the one on which it ended or can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Span {
    pub start: Date,
    pub finish: Date,
}

impl Span {
    /// Whatever was written down first, a bar does not run backwards.
    fn new(start: Date, finish: Date) -> Self {
        Self { start: start.min(finish), finish }
    }

    fn and(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), finish: self.finish.max(other.finish) }
    }
}

impl Gantt {
    /// Whether anything in it is not over and stands where the plan has it.
    pub fn lays_out(&self) -> bool {
        self.cycle.is_none()
            && self.rows.iter().any(|bar| bar.span.is_some() && bar.stage != Stage::Done)
    }
}

/// The whole project, or one milestone of it.
pub fn gantt(snapshot: &Snapshot, only: Option<MilestoneId>, today: Date) -> Gantt {
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let chart = Chart { snapshot, plan, clock };
    let shown = snapshot.outlines.values().filter(|outline| match only {
        Some(only) => outline.id == only,
        None => !outline.archived && outline.status != MilestoneStatus::Cancelled,
    });
    let groups: Vec<Group> = shown.map(|outline| chart.group(outline)).collect();
    let (mut rows, left_out) = fit(groups, only.is_some());
    let known: BTreeSet<Node> = rows.iter().map(|row| row.id).collect();
    rows.iter_mut().for_each(|row| row.requires.retain(|node| known.contains(node)));
    let spans = rows.iter().filter_map(|row| row.span);
    let dates = spans.flat_map(|span| [span.start, span.finish]);
    let dates = dates.chain(rows.iter().filter_map(|row| row.due)).chain([today]);
    let cycle = if chart.plan.is_none() { graph.cycle() } else { None };
    Gantt {
        milestone: only,
        title: only.and_then(|id| snapshot.outline(id)).map(|outline| outline.title.clone()),
        today,
        from: dates.clone().min().unwrap_or(today),
        until: dates.max().unwrap_or(today),
        rows,
        left_out,
        cycle,
    }
}

/// A milestone and its tasks.
struct Group {
    milestone: Bar,
    tasks: Vec<Bar>,
}

struct Chart<'s, 'g> {
    snapshot: &'s Snapshot,
    plan: Option<Plan<'g, 's>>,
    clock: Clock<'s>,
}

impl Chart<'_, '_> {
    fn group(&self, outline: &Outline) -> Group {
        let counted = outline.tasks.iter().filter(|task| task.status != TaskStatus::Cancelled);
        let mut tasks: Vec<Bar> = counted.map(|task| self.task(outline, task)).collect();
        tasks.sort_by_key(|bar| (bar.span.is_none(), bar.span.map(|s| s.start), bar.id));
        let milestone = self.milestone(outline, &tasks);
        Group { milestone, tasks }
    }

    fn milestone(&self, outline: &Outline, tasks: &[Bar]) -> Bar {
        let id = Node::Milestone(outline.id);
        let over = outline.status.is_closed() || outline.archived;
        let own = self.span(id, over, outline.started_at, outline.completed_at);
        let span = tasks.iter().filter_map(|bar| bar.span).chain(own).reduce(Span::and);
        Bar {
            id,
            title: outline.title.clone(),
            stage: outline.status.into(),
            status: outline.status.word(),
            percent: outline.progress.percentage,
            span,
            due: outline.due,
            late: late(span, outline.due),
            critical: !over && self.critical(id),
            requires: nodes(&outline.requires, outline.id),
        }
    }

    fn task(&self, outline: &Outline, task: &TaskOutline) -> Bar {
        let id = Node::Task(TaskId::new(outline.id, task.number));
        let done = task.status == TaskStatus::Completed;
        let over = done || outline.status.is_closed() || outline.archived;
        let span = self.span(id, over, task.started_at, task.completed_at);
        Bar {
            id,
            title: task.title.clone(),
            stage: task.status.into(),
            status: task.status.word(),
            percent: if done { 100 } else { task.percent.min(100) },
            span,
            due: task.due,
            late: late(span, task.due),
            critical: !over && self.critical(id),
            requires: nodes(&task.requires, outline.id),
        }
    }

    /// What is over has the dates that were noted; what is not ends when it can, and began when it
    /// did.
    fn span(
        &self,
        id: Node,
        over: bool,
        started: Option<Timestamp>,
        completed: Option<Timestamp>,
    ) -> Option<Span> {
        let date = |at| self.snapshot.settings.date(at);
        let (started, completed) = (started.map(date), completed.map(date));
        if over {
            let finish = completed?;
            return Some(Span::new(started.unwrap_or(finish), finish));
        }
        let window = self.plan.as_ref()?.window(id)?;
        let finish = self.clock.finish(window.early_finish);
        let start = started.unwrap_or_else(|| self.clock.start(window.early_start));
        Some(Span::new(start, finish))
    }

    fn critical(&self, id: Node) -> bool {
        let window = self.plan.as_ref().and_then(|plan| plan.window(id));
        window.is_some_and(|window| window.critical)
    }
}

fn late(span: Option<Span>, due: Option<Date>) -> bool {
    span.zip(due).is_some_and(|(span, due)| span.finish > due)
}

fn nodes(references: &[Reference], home: MilestoneId) -> Vec<Node> {
    references.iter().map(|reference| reference.node(home)).collect()
}

/// As many rows as make a picture. Of too many, tasks go first, then what is done, then what
/// comes last.
fn fit(mut groups: Vec<Group>, one: bool) -> (Vec<Bar>, LeftOut) {
    let mut left_out = LeftOut::default();
    let all: usize = groups.iter().map(|group| 1 + group.tasks.len()).sum();
    if all > limits::GANTT_ROWS_MAX && !one {
        for group in &mut groups {
            left_out.tasks += group.tasks.len();
            group.tasks.clear();
        }
    }
    groups.sort_by_key(|group| order(&group.milestone));
    left_out.milestones = thin(&mut groups, limits::GANTT_ROWS_MAX, |group| &group.milestone);
    if one {
        let room = limits::GANTT_ROWS_MAX - 1;
        left_out.tasks +=
            groups.iter_mut().map(|g| thin(&mut g.tasks, room, |bar| bar)).sum::<usize>();
    }
    let rows =
        groups.into_iter().flat_map(|group| [group.milestone].into_iter().chain(group.tasks));
    (rows.collect(), left_out)
}

fn order(bar: &Bar) -> (bool, Option<Date>, Node) {
    (bar.span.is_none(), bar.span.map(|span| span.start), bar.id)
}

/// Keeps at most so many, in their order, and says how many are gone.
fn thin<T>(items: &mut Vec<T>, room: usize, bar: impl Fn(&T) -> &Bar) -> usize {
    let too_many = items.len().saturating_sub(room);
    if too_many == 0 {
        return 0;
    }
    let mut ranked: Vec<_> =
        items.iter().map(|item| (bar(item).stage == Stage::Done, order(bar(item)))).collect();
    ranked.sort_unstable();
    let kept: BTreeSet<Node> = ranked.into_iter().take(room).map(|(_, (.., id))| id).collect();
    items.retain(|item| kept.contains(&bar(item).id));
    too_many
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use serde_json::json;

    use super::*;
    use crate::views::testing::{TODAY, project, task};

    fn bars(gantt: &Gantt) -> Vec<String> {
        let bar = |row: &Bar| {
            let span = row
                .span
                .map(|s| format!("{}..{}", s.start.strftime("%m-%d"), s.finish.strftime("%m-%d")));
            let marks = [(row.critical, " critical"), (row.late, " late")];
            let marks = marks.into_iter().filter(|(on, _)| *on).map(|(_, mark)| mark);
            let span = span.unwrap_or_else(|| "unknown".into());
            format!("{} {span}{}", row.id, marks.collect::<String>())
        };
        gantt.rows.iter().map(bar).collect()
    }

    #[test]
    fn what_is_done_stands_where_it_was_and_the_rest_where_it_can_be() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "status": "in_progress",
                "started_at": "2026-10-28T08:00:00Z", "due": "2026-11-02", "tasks": [
                task(1, &json!({"requires": ["task-002"]})),
                task(2, &json!({"status": "in_progress", "started_at": "2026-10-30T08:00:00Z"})),
                task(3, &json!({"status": "completed", "started_at": "2026-10-28T08:00:00Z",
                    "completed_at": "2026-10-29T08:00:00Z"})),
                task(4, &json!({"status": "cancelled"})),
                task(5, &json!({"status": "completed"})),
            ]}),
            json!({"id": "milestone-002", "title": "B", "status": "cancelled"}),
        ]);
        let view = gantt(&snapshot, None, TODAY);
        assert_eq!(
            bars(&view),
            [
                "milestone-001 10-28..11-03 critical late",
                "task-001-003 10-28..10-29",
                "task-001-002 10-30..11-02 critical",
                "task-001-001 11-03..11-03 critical",
                "task-001-005 unknown",
            ]
        );
        assert_eq!((view.from, view.until), (date(2026, 10, 28), date(2026, 11, 3)));
        assert_eq!(view.rows[3].requires, [view.rows[2].id]);
    }

    #[test]
    fn a_cycle_is_named_and_nothing_is_made_up() {
        let snapshot = project(&[json!({"id": "milestone-001", "title": "A", "tasks": [
            task(1, &json!({"requires": ["task-002"]})), task(2, &json!({"requires": ["task-001"]})),
        ]})]);
        let view = gantt(&snapshot, None, TODAY);
        assert!(view.cycle.is_some());
        assert!(view.rows.iter().all(|row| row.span.is_none()));
    }

    #[test]
    fn too_much_is_left_out_and_counted() {
        let milestone = |number: u32, status: &str| {
            let tasks: Vec<_> = (1..=70).map(|n| task(n, &json!({"status": status}))).collect();
            json!({"id": format!("milestone-{number:03}"), "title": "M", "tasks": tasks})
        };
        let snapshot = project(&[milestone(1, "completed"), milestone(2, "pending")]);
        let view = gantt(&snapshot, None, TODAY);
        assert_eq!((view.rows.len(), view.left_out), (2, LeftOut { milestones: 0, tasks: 140 }));
        let view = gantt(&snapshot, Some(MilestoneId(2)), TODAY);
        assert_eq!((view.rows.len(), view.left_out.tasks), (60, 11));
        let many: Vec<_> = (1..=70)
            .map(|n| {
                json!({"id": format!("milestone-{n:03}"), "title": "M",
            "status": if n <= 20 { "completed" } else { "planned" }})
            })
            .collect();
        let view = gantt(&project(&many), None, TODAY);
        assert_eq!((view.rows.len(), view.left_out.milestones), (60, 10));
        assert_eq!(view.rows.iter().filter(|row| row.stage == Stage::Done).count(), 10);
        assert_eq!(gantt(&Snapshot::default(), None, TODAY).rows, []);
    }
}
