//! What a milestone taught: what it took against what was thought, what stood in its way, and what
//! was done twice.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::document::{Lessons, Milestone, Risk, Task};
use crate::effort::{Effort, Estimate};
use crate::event::{Event, Recorded};
use crate::ids::{MilestoneId, TaskId};
use crate::limits;
use crate::settings::Settings;
use crate::status::TaskStatus;

/// From here on an estimate is called off, in percent of what was thought.
const OFF_ABOVE: u32 = 150;
const OFF_BELOW: u32 = 50;

/// Tasks of a kind that it takes to say something about the kind.
const KIND_MIN: usize = 3;

/// Letters that a word must have to mean something.
const WORD_CHARS_MIN: usize = 4;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Retrospective {
    pub id: MilestoneId,
    pub title: String,
    pub started: Option<Date>,
    pub completed: Option<Date>,
    pub due: Option<Date>,
    /// Working days after the due date, of which a weekend has none; none at all when it was met or
    /// there was no such date.
    pub days_late: Option<u32>,
    /// Of the tasks that were both estimated and measured.
    pub estimated: Effort,
    pub actual: Effort,
    /// What they took of what was thought; none where nothing was measured.
    pub percent: Option<u32>,
    pub measured: usize,
    /// Tasks that were estimated, started and done, in less time than can be measured.
    pub too_short: usize,
    pub tasks: Vec<Outcome>,
    pub kinds: Vec<KindOutcome>,
    pub stopped: Vec<Stop>,
    pub reworked: Vec<Rework>,
    /// Tasks that came in after the work had begun, and such that were taken out or cancelled.
    pub added: Vec<TaskId>,
    pub removed: Vec<TaskId>,
    pub risks: Vec<CameTrue>,
    /// What this says, in sentences.
    pub insights: Lessons,
}

/// A task, and what it took.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Outcome {
    pub id: TaskId,
    pub title: String,
    pub kind: Option<String>,
    pub estimate: Option<Estimate>,
    /// Without the time in which it was stopped. None where it was not measured.
    pub actual: Option<Effort>,
    /// It was started and done, whatever it took.
    pub timed: bool,
    /// What it took of what was thought.
    pub percent: Option<u32>,
    pub attempts: u64,
}

impl Outcome {
    fn too_short(&self) -> bool {
        self.estimate.is_some() && self.timed && self.actual.is_none()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KindOutcome {
    pub kind: Option<String>,
    pub tasks: usize,
    pub estimated: Effort,
    pub actual: Effort,
    pub percent: u32,
}

/// A time in which a task was blocked or had failed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Stop {
    pub task: TaskId,
    pub title: String,
    pub status: TaskStatus,
    pub reason: Option<String>,
    /// Working time until it went on.
    pub lasted: Effort,
}

/// A task that was reopened after it had been completed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rework {
    pub task: TaskId,
    pub title: String,
    pub times: usize,
}

/// A risk that was named, and what happened that sounds like it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CameTrue {
    pub risk: String,
    pub task: TaskId,
    pub reason: String,
}

pub fn retrospective(
    milestone: &Milestone,
    history: &[Recorded],
    settings: &Settings,
    now: Timestamp,
) -> Retrospective {
    let looking = Looking { milestone, settings };
    let told = looking.told(history, now);
    let tasks: Vec<Outcome> =
        milestone.tasks.iter().map(|task| looking.outcome(task, &told.rests)).collect();
    let date = |at| settings.date(at);
    let completed = milestone.completed_at.map(date);
    let late = milestone.due.zip(completed).filter(|(due, completed)| completed > due);
    let measured = || tasks.iter().filter(|task| task.percent.is_some());
    let estimated: Effort =
        measured().filter_map(|task| task.estimate).map(Estimate::expected).sum();
    let actual: Effort = measured().filter_map(|task| task.actual).sum();
    let mut view = Retrospective {
        id: milestone.id,
        title: milestone.title.clone(),
        started: milestone.started_at.map(date),
        completed,
        due: milestone.due,
        days_late: late.map(|(due, done)| settings.calendar.working_days_after(due, done)),
        percent: measured().next().map(|_| actual.percent_of(estimated)),
        measured: measured().count(),
        too_short: tasks.iter().filter(|task| task.too_short()).count(),
        estimated,
        actual,
        kinds: kinds(&tasks),
        risks: came_true(&milestone.risks, &told.stopped),
        stopped: told.stopped,
        reworked: told.reworked,
        added: told.added,
        removed: told.removed,
        insights: Lessons::default(),
        tasks,
    };
    view.insights = insights(&view);
    view
}

/// What is looked at.
struct Looking<'a> {
    milestone: &'a Milestone,
    settings: &'a Settings,
}

/// From when until when a task was stopped.
struct Rest {
    task: u32,
    from: Timestamp,
    until: Timestamp,
}

/// What the history tells beside the document.
#[derive(Default)]
struct Told {
    stopped: Vec<Stop>,
    rests: Vec<Rest>,
    reworked: Vec<Rework>,
    added: Vec<TaskId>,
    removed: Vec<TaskId>,
}

impl Looking<'_> {
    fn id(&self, number: u32) -> TaskId {
        TaskId::new(self.milestone.id, number)
    }

    fn title(&self, number: u32) -> String {
        self.milestone.task(number).map(|task| task.title.clone()).unwrap_or_default()
    }

    /// The working time between two moments that no rest was in. Rests are those of one task, in
    /// their order.
    fn worked_beside<'r>(
        &self,
        rests: impl Iterator<Item = &'r Rest>,
        (from, until): (Timestamp, Timestamp),
    ) -> Effort {
        let (worked, begin) = rests.fold((Effort::default(), from), |(worked, begin), rest| {
            let end = rest.from.min(until);
            (worked.saturating_add(self.settings.worked(begin, end)), begin.max(rest.until))
        });
        worked.saturating_add(self.settings.worked(begin, until))
    }

    fn outcome(&self, task: &Task, rests: &[Rest]) -> Outcome {
        let measured = task.started_at.zip(task.completed_at);
        let id = self.milestone.task_id(task);
        let own = rests.iter().filter(|rest| rest.task == id.number);
        let actual = measured.map(|stretch| self.worked_beside(own, stretch));
        let actual = actual.filter(|actual| *actual >= limits::MEASURED_EFFORT_MIN);
        let estimate = task.estimate;
        let percent =
            estimate.zip(actual).map(|(thought, took)| took.percent_of(thought.expected()));
        Outcome {
            id,
            title: task.title.clone(),
            kind: task.kind.clone(),
            estimate,
            actual,
            timed: measured.is_some(),
            percent,
            attempts: task.attempts.unwrap_or(0),
        }
    }

    fn told(&self, history: &[Recorded], now: Timestamp) -> Told {
        let mut told = Told::default();
        let mut stopped: BTreeMap<u32, (Timestamp, TaskStatus, Option<String>)> = BTreeMap::new();
        let mut reworked: BTreeMap<u32, usize> = BTreeMap::new();
        let mut begun = false;
        for recorded in history {
            let Some(number) = recorded.event.task() else { continue };
            match &recorded.event {
                Event::TaskAdded { .. } if begun => told.added.push(self.id(number)),
                Event::TaskRemoved { .. } if begun => told.removed.push(self.id(number)),
                Event::TaskClaimed { .. } => {
                    begun = true;
                    self.went_on(&mut told, &mut stopped, (number, recorded.at));
                }
                Event::TaskStatusChanged { from, to, reason, .. } => {
                    begun |= *to == TaskStatus::InProgress;
                    self.went_on(&mut told, &mut stopped, (number, recorded.at));
                    match to {
                        TaskStatus::Blocked | TaskStatus::Failed => {
                            stopped.insert(number, (recorded.at, *to, reason.clone()));
                        }
                        TaskStatus::Cancelled if begun => told.removed.push(self.id(number)),
                        _ => {}
                    }
                    if *from == TaskStatus::Completed && *to != TaskStatus::Cancelled {
                        *reworked.entry(number).or_default() += 1;
                    }
                }
                _ => {}
            }
        }
        for number in stopped.keys().copied().collect::<Vec<_>>() {
            self.went_on(&mut told, &mut stopped, (number, now));
        }
        let again =
            |(number, times)| Rework { task: self.id(number), title: self.title(number), times };
        told.reworked = reworked.into_iter().map(again).collect();
        told
    }

    fn went_on(
        &self,
        told: &mut Told,
        stopped: &mut BTreeMap<u32, (Timestamp, TaskStatus, Option<String>)>,
        (number, at): (u32, Timestamp),
    ) {
        let Some((since, status, reason)) = stopped.remove(&number) else { return };
        told.rests.push(Rest { task: number, from: since, until: at });
        let (task, title) = (self.id(number), self.title(number));
        let lasted = self.settings.worked(since, at);
        told.stopped.push(Stop { task, title, status, reason, lasted });
    }
}

fn kinds(tasks: &[Outcome]) -> Vec<KindOutcome> {
    let mut kinds: BTreeMap<Option<&str>, Vec<(Effort, Effort)>> = BTreeMap::new();
    for task in tasks {
        if let (Some(estimate), Some(actual)) = (task.estimate, task.actual) {
            let kind = kinds.entry(task.kind.as_deref()).or_default();
            kind.push((estimate.expected(), actual));
        }
    }
    let outcome = |(kind, tasks): (Option<&str>, Vec<(Effort, Effort)>)| {
        let estimated: Effort = tasks.iter().map(|(estimated, _)| *estimated).sum();
        let actual: Effort = tasks.iter().map(|(_, actual)| *actual).sum();
        let kind = kind.map(str::to_owned);
        let percent = actual.percent_of(estimated);
        KindOutcome { kind, tasks: tasks.len(), estimated, actual, percent }
    };
    kinds.into_iter().map(outcome).collect()
}

/// A risk came true where something stopped for a reason that shares two words with it. That is a
/// guess, and the view says what it is made from.
fn came_true(risks: &[Risk], stopped: &[Stop]) -> Vec<CameTrue> {
    let mut found = Vec::new();
    for risk in risks {
        let named = words(&risk.text);
        let sounds_like = |stop: &&Stop| {
            let said = words(stop.reason.as_deref().unwrap_or_default());
            // "changed" is "change" once more.
            let same =
                |a: &String, b: &String| a.starts_with(b.as_str()) || b.starts_with(a.as_str());
            named.iter().filter(|word| said.iter().any(|other| same(word, other))).count() >= 2
        };
        found.extend(stopped.iter().find(sounds_like).map(|stop| CameTrue {
            risk: risk.text.clone(),
            task: stop.task,
            reason: stop.reason.clone().unwrap_or_default(),
        }));
    }
    found
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    let long = words.filter(|word| word.chars().count() >= WORD_CHARS_MIN);
    long.map(str::to_lowercase).collect()
}

fn insights(view: &Retrospective) -> Lessons {
    let mut lessons = Lessons::default();
    let measured: Vec<u32> = view.tasks.iter().filter_map(|task| task.percent).collect();
    let within = measured.iter().filter(|percent| **percent <= 100).count();
    if measured.len() >= KIND_MIN && within * 2 >= measured.len() {
        let text = format!("{within} of {} tasks took no longer than estimated", measured.len());
        lessons.went_well.push(text);
    }
    if let (Some(due), None, Some(_)) = (view.due, view.days_late, view.completed) {
        lessons.went_well.push(format!("it was done by its due date, {due}"));
    }
    if let Some(days) = view.days_late {
        let late = match days {
            0 => String::new(),
            1 => "1 working day ".to_owned(),
            days => format!("{days} working days "),
        };
        lessons.improve.push(format!("it was done {late}after its due date"));
    }
    // What was over at once, or lasted a night, cost nothing.
    let felt = view.stopped.iter().filter(|stop| stop.lasted >= limits::MEASURED_EFFORT_MIN);
    lessons.improve.extend(felt.map(stopped));
    lessons.improve.extend(view.reworked.iter().map(|again| {
        let times = if again.times == 1 { "once".into() } else { format!("{} times", again.times) };
        format!("{} ({}) was reopened {times} after it was completed", again.task, again.title)
    }));
    if !view.added.is_empty() {
        let count = view.added.len();
        let tasks = if count == 1 { "task" } else { "tasks" };
        lessons.improve.push(format!("{count} {tasks} came in after the work had begun"));
    }
    lessons.improve.extend(view.risks.iter().map(|risk| {
        format!(
            "the risk \"{}\" seems to have come true: {} ({})",
            risk.risk, risk.reason, risk.task
        )
    }));
    lessons.recommendations.extend(view.kinds.iter().filter_map(off));
    lessons
}

fn stopped(stop: &Stop) -> String {
    let how = if stop.status == TaskStatus::Failed { "had failed" } else { "was blocked" };
    let why = stop.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{} ({}) {how} for {}{why}", stop.task, stop.title, stop.lasted)
}

/// A kind of task whose estimates were far from what it took.
fn off(kind: &KindOutcome) -> Option<String> {
    let far = kind.percent >= OFF_ABOVE || kind.percent <= OFF_BELOW;
    (far && kind.tasks >= KIND_MIN).then(|| {
        let name = kind.kind.as_deref().unwrap_or("other");
        let (tasks, percent) = (kind.tasks, kind.percent);
        format!("{name} tasks took {percent}% of their estimates ({tasks} tasks)")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::event::{ChangeId, EVENT_VERSION, Stream};

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    fn event(when: &str, event: serde_json::Value) -> Recorded {
        Recorded {
            v: EVENT_VERSION,
            id: ChangeId(Uuid::nil()).event(0),
            at: at(when),
            by: "ada".into(),
            noticed: false,
            stream: Stream::Milestone(MilestoneId(1)),
            refers: BTreeMap::new(),
            event: serde_json::from_value(event).unwrap(),
        }
    }

    fn moved(when: &str, task: &str, from: &str, to: &str, reason: Option<&str>) -> Recorded {
        event(
            when,
            json!({"kind": "task_status_changed", "task": task, "from": from, "to": to,
                "reason": reason}),
        )
    }

    fn milestone() -> Milestone {
        let task = |number: u32, kind: &str, hours: u32| {
            json!({"id": format!("task-{number:03}"), "title": format!("T{number}"), "kind": kind,
                "status": "completed", "estimate": "2h", "started_at": "2026-11-02T08:00:00Z",
                "completed_at": format!("2026-11-02T{:02}:00:00Z", 8 + hours)})
        };
        let tree = json!({"id": "milestone-001", "title": "M", "due": "2026-11-03",
            "started_at": "2026-11-02T08:00:00Z", "completed_at": "2026-11-05T08:00:00Z",
            "risks": ["The payment provider may change its API", "Nobody reads the docs"],
            "tasks": [task(1, "test", 4), task(2, "test", 4), task(3, "test", 6),
                task(4, "docs", 1)]});
        Milestone::from_tree(tree, false).unwrap()
    }

    #[test]
    fn what_was_off_blocked_reworked_and_feared_is_told() {
        let history = [
            moved("02T08:00", "task-001", "pending", "in_progress", None),
            event("02T09:00", json!({"kind": "task_added", "task": "task-004", "document": {}})),
            moved(
                "02T10:00",
                "task-002",
                "in_progress",
                "blocked",
                Some("the provider's API changed"),
            ),
            moved("03T10:00", "task-002", "blocked", "in_progress", None),
            moved("03T11:00", "task-001", "in_progress", "completed", None),
            moved("03T12:00", "task-001", "completed", "in_progress", None),
        ];
        let view = retrospective(&milestone(), &history, &Settings::default(), at("05T09:00"));
        assert_eq!(
            (view.estimated.to_string(), view.actual.to_string()),
            ("1d".into(), "1d 5h".into())
        );
        assert_eq!((view.days_late, view.added.len()), (Some(2), 1));
        // The second task was stopped after two of its four hours.
        assert_eq!(view.kinds[1].percent, 200);
        let stop = &view.stopped[0];
        assert_eq!((stop.task.number, stop.lasted.to_string()), (2, "1d".into()));
        assert_eq!(view.reworked[0].times, 1);
        assert_eq!(view.risks.len(), 1);
        assert_eq!(
            view.insights.improve,
            [
                "it was done 2 working days after its due date",
                "task-001-002 (T2) was blocked for 1d: the provider's API changed",
                "task-001-001 (T1) was reopened once after it was completed",
                "1 task came in after the work had begun",
                "the risk \"The payment provider may change its API\" seems to have come true: \
                 the provider's API changed (task-001-002)",
            ]
        );
        assert_eq!(
            view.insights.recommendations,
            ["test tasks took 200% of their estimates (3 tasks)"]
        );
    }

    #[test]
    fn time_in_which_it_was_stopped_is_not_what_it_took() {
        let tree = json!({"id": "milestone-001", "title": "M", "tasks": [{"id": "task-001",
            "title": "T", "status": "completed", "estimate": "2d",
            "started_at": "2026-11-02T09:00:00Z", "completed_at": "2026-11-11T15:00:00Z"}]});
        let history = [
            moved("03T09:00", "task-001", "in_progress", "blocked", None),
            moved("03T09:00", "task-001", "blocked", "in_progress", None),
            moved("03T10:00", "task-001", "in_progress", "blocked", None),
            moved("11T09:00", "task-001", "blocked", "in_progress", None),
            // Whatever came after it was done is not in it.
            moved("12T09:00", "task-001", "completed", "in_progress", None),
            moved("12T10:00", "task-001", "in_progress", "blocked", None),
        ];
        let milestone = Milestone::from_tree(tree, false).unwrap();
        let view = retrospective(&milestone, &history, &Settings::default(), at("13T09:00"));
        assert_eq!(view.actual.to_string(), "1d 7h");
        // Neither is a stop that was over at once worth a word.
        assert_eq!((view.stopped.len(), view.insights.improve.len()), (3, 3));
    }

    #[test]
    fn what_was_done_at_once_was_timed_and_is_too_short_to_measure() {
        let mut milestone = milestone();
        for task in &mut milestone.tasks {
            task.completed_at = task.started_at;
        }
        let view = retrospective(&milestone, &[], &Settings::default(), at("05T09:00"));
        assert_eq!((view.measured, view.too_short), (0, 4));
    }

    #[test]
    fn a_milestone_without_a_past_teaches_nothing() {
        let bare = Milestone::new(MilestoneId(1), "M");
        let view = retrospective(&bare, &[], &Settings::default(), at("05T09:00"));
        assert_eq!(view.insights, Lessons::default());
    }
}
