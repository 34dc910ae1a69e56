//! The whole project at a glance, and what to do about it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::Serialize;

use super::advice::{Advice, advise};
use super::chart::burn_down::{Day, days};
use super::flow::{Flow, flow};
use super::gates::{GateState, waiting};
use super::impact::Impact;
use super::list::{Row, rows};
use super::next::HeldTask;
pub use super::pairs::Pair;
use super::upcoming::{Due, due};
use super::when::{Clock, Pace};
use super::{ClaimState, ConditionState, open_tasks, pairs};
use crate::dependencies::{Dependencies, Plan};
use crate::effort::Effort;
use crate::forecast::{Forecast, MilestoneForecast, Question, forecast};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::past::Trail;
use crate::progress::Progress;
use crate::readiness::{Board, Readiness};
use crate::snapshot::{Outline, Problem, RiskOutline, Snapshot};
use crate::status::{MilestoneStatus, TaskStatus};

/// How many days of what was left are shown.
const BURN_DOWN_DAYS: usize = 28;

/// How much may be drawn for the forecast of a dashboard.
const TRIALS_TIMES_TASKS: u32 = 500_000;
const TRIALS_MIN: u32 = 200;

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Dashboard {
    pub today: Date,
    /// Of everything that is shown.
    pub overall: Progress,
    pub totals: Totals,
    pub milestones: Vec<Line>,
    pub flow: Flow,
    /// Tasks left at the end of each of the last days.
    pub burn_down: Vec<Day>,
    pub scope: Option<ScopeChange>,
    /// When everything that is shown can be done at the earliest; none while there is a cycle.
    pub finish: Option<Date>,
    /// When it is to be expected.
    pub forecast: Forecast,
    /// Phases that wait for somebody to approve them.
    pub gates: Vec<GateState>,
    pub critical_path: Vec<Step>,
    pub held: Vec<HeldTask>,
    pub lapsed: Vec<HeldTask>,
    pub blocked: Vec<Blocked>,
    /// Due within the next days, or already.
    pub due: Vec<Due>,
    pub risks: Vec<OpenRisk>,
    pub conditions: Vec<OpenCondition>,
    pub conflicts: Vec<Pair>,
    /// Each waits for the next, the last for the first.
    pub cycle: Option<Vec<Node>>,
    pub problems: Vec<Problem>,
    pub advice: Vec<Advice>,
}

/// How much more, or less, there is to do than when the work began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ScopeChange {
    pub tasks_then: u32,
    pub tasks_now: u32,
    pub work_then: Effort,
    pub work_now: Effort,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Totals {
    pub milestones: usize,
    pub milestones_by_status: BTreeMap<MilestoneStatus, usize>,
    pub archived: usize,
    pub tasks: usize,
    pub tasks_by_status: BTreeMap<TaskStatus, usize>,
    pub ready: usize,
    pub waiting: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Line {
    #[serde(flatten)]
    pub row: Row,
    /// When its work can be done at the earliest.
    pub finish: Option<Date>,
    /// When it is done with odds of four in five.
    pub expected: Option<Date>,
    /// In how many of a hundred trials it is done by its due date.
    pub chance: Option<u32>,
    pub criteria_open: u32,
    /// Whether nothing of it is left to be done, to be shown or to be approved.
    pub finished: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Step {
    pub id: Node,
    pub title: Option<String>,
    pub start: Date,
    pub finish: Date,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Blocked {
    pub id: Node,
    pub title: String,
    /// `blocked`, `failed` or `paused`.
    pub status: &'static str,
    pub reason: Option<String>,
    /// Other tasks that finish later for every day that this lasts longer.
    pub holds_up: usize,
    /// Other milestones that do, beside its own.
    pub holds_up_milestones: usize,
    /// Every such day moves the finish of everything.
    pub critical: bool,
}

/// A risk of an open milestone.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OpenRisk {
    pub milestone: MilestoneId,
    /// The worst of those that are named there.
    #[serde(flatten)]
    pub worst: RiskOutline,
    pub others: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OpenCondition {
    #[serde(flatten)]
    pub condition: ConditionState,
    pub waited_for_by: Vec<Node>,
}

/// What a dashboard is made from, beside the project itself.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    pub now: Timestamp,
    pub today: Date,
    /// Of the milestones that are shown.
    pub trails: &'a BTreeMap<MilestoneId, Trail>,
}

/// Of the whole project, or of one milestone of it.
pub fn dashboard(snapshot: &Snapshot, only: Option<MilestoneId>, moment: Moment<'_>) -> Dashboard {
    let today = moment.today;
    let board = Board::new(snapshot, today);
    let graph = Dependencies::of(snapshot);
    let plan = graph.plan(snapshot, today);
    let clock = Clock { calendar: &snapshot.settings.calendar, today };
    let of_interest = |id: MilestoneId| only.is_none_or(|only| only == id);
    let shown = || snapshot.open().filter(|outline| of_interest(outline.id));
    let tasks = gather(snapshot, &board, only);
    let mut conflicts = pairs::overlaps(&tasks.active);
    conflicts.extend(pairs::dates(snapshot));
    conflicts.retain(|pair| only.is_none_or(|only| pair.concerns(only)));
    let problems = snapshot.problems.iter();
    let problems = problems.filter(|p| only.is_none() || p.milestone.is_none_or(of_interest));
    let mut due = due(snapshot, plan.as_ref(), &clock);
    due.retain(|due| of_interest(due.what.id.milestone()));
    let question = Question { only, trials: trials(snapshot), why: false, ..Question::default() };
    let forecast = forecast(snapshot, &question, moment.now, today);
    let mut gates = waiting(snapshot);
    gates.retain(|gate| of_interest(gate.milestone));
    let mut dashboard = Dashboard {
        today,
        gates,
        overall: overall(shown()),
        flow: flow(snapshot, only, moment.now, today),
        burn_down: burn_down(moment),
        scope: scope_change(snapshot, moment.trails),
        due,
        risks: risks(shown()),
        totals: totals(snapshot, shown(), &tasks),
        milestones: lines(
            snapshot,
            rows(shown(), &board, plan.as_ref(), &clock),
            plan.as_ref(),
            &clock,
            &forecast,
        ),
        finish: plan.as_ref().and_then(|plan| earliest(plan, &clock, only)),
        forecast,
        critical_path: plan.as_ref().map(|p| steps(snapshot, p, &clock, only)).unwrap_or_default(),
        held: tasks.held,
        lapsed: tasks.lapsed,
        blocked: shown().flat_map(|outline| blocked(outline, plan.as_ref())).collect(),
        conditions: open_conditions(&board, shown()),
        conflicts,
        cycle: graph.cycle(),
        problems: problems.cloned().collect(),
        advice: Vec::new(),
    };
    dashboard.advice = advise(&dashboard);
    dashboard
}

/// A large project's dates hang less on luck, and its dashboard is to be quick, too.
fn trials(snapshot: &Snapshot) -> u32 {
    let tasks: usize = snapshot.open().map(|outline| outline.tasks.len()).sum();
    let trials = TRIALS_TIMES_TASKS / u32::try_from(tasks.max(1)).unwrap_or(u32::MAX);
    trials.clamp(TRIALS_MIN, Question::default().trials)
}

/// What one walk over all tasks finds.
#[derive(Default)]
struct Gathered<'a> {
    held: Vec<HeldTask>,
    lapsed: Vec<HeldTask>,
    ready: usize,
    waiting: usize,
    /// What may be worked on now, with what it touches.
    active: Vec<(TaskId, &'a [String])>,
}

fn gather<'a>(
    snapshot: &'a Snapshot,
    board: &Board<'_>,
    only: Option<MilestoneId>,
) -> Gathered<'a> {
    let mut found = Gathered::default();
    for (id, _, task) in open_tasks(snapshot) {
        let counts = only.is_none_or(|only| only == id.milestone);
        let readiness = board.readiness(id);
        let claim = snapshot.claims.get(&id).map(ClaimState::from);
        let entry = |by| HeldTask { id, title: task.title.clone(), by, claim };
        if matches!(readiness, Readiness::Held { .. } | Readiness::Ready { .. }) {
            found.active.push((id, &task.resources));
        }
        match readiness {
            _ if !counts => {}
            Readiness::Held { by } => found.held.push(entry(by)),
            Readiness::Ready { lapsed } => {
                found.ready += 1;
                let running = task.status == TaskStatus::InProgress;
                found.lapsed.extend(lapsed.filter(|_| running).map(entry));
            }
            Readiness::Waiting { .. } => found.waiting += 1,
            Readiness::Closed => {}
        }
    }
    found
}

fn totals<'a>(
    snapshot: &Snapshot,
    shown: impl Iterator<Item = &'a Outline>,
    tasks: &Gathered<'_>,
) -> Totals {
    let mut totals = Totals {
        archived: snapshot.archived.len(),
        ready: tasks.ready,
        waiting: tasks.waiting,
        ..Totals::default()
    };
    for outline in shown {
        totals.milestones += 1;
        *totals.milestones_by_status.entry(outline.status).or_default() += 1;
        totals.tasks += outline.tasks.len();
        for task in &outline.tasks {
            *totals.tasks_by_status.entry(task.status).or_default() += 1;
        }
    }
    totals
}

fn lines(
    snapshot: &Snapshot,
    rows: Vec<Row>,
    plan: Option<&Plan<'_, '_>>,
    clock: &Clock<'_>,
    forecast: &Forecast,
) -> Vec<Line> {
    let forecasts: BTreeMap<MilestoneId, &MilestoneForecast> =
        forecast.milestones.iter().map(|line| (line.id, line)).collect();
    let line = |mut row: Row| {
        let window = plan.and_then(|plan| plan.window(Node::Milestone(row.id)));
        let outline = snapshot.outline(row.id);
        let criteria_open = outline.map_or(0, |outline| outline.criteria_open);
        let finished = outline.is_some_and(Outline::is_finished);
        let finish =
            window.filter(|_| !row.status.is_closed()).map(|w| clock.finish(w.early_finish));
        let left = row.progress.tasks_completed < row.progress.tasks_total;
        let forecast = forecasts.get(&row.id).copied().filter(|_| left);
        let expected = forecast.map(|line| line.finish.p80);
        let chance = forecast.and_then(|line| line.chance);
        // What could be done if all were worked on at once says less than what is to be expected.
        if let (Some(expected), Some(due), Pace::OnTrack { .. } | Pace::Behind { .. }) =
            (expected, row.due, row.pace)
        {
            row.pace = clock.pace_to(expected, due);
        }
        Line { row, finish, expected, chance, criteria_open, finished }
    };
    rows.into_iter().map(line).collect()
}

fn earliest(plan: &Plan<'_, '_>, clock: &Clock<'_>, only: Option<MilestoneId>) -> Option<Date> {
    let minutes = match only {
        Some(id) => plan.window(Node::Milestone(id))?.early_finish,
        None => plan.total().minutes().into(),
    };
    Some(clock.finish(minutes))
}

fn steps(
    snapshot: &Snapshot,
    plan: &Plan<'_, '_>,
    clock: &Clock<'_>,
    only: Option<MilestoneId>,
) -> Vec<Step> {
    let path = plan.critical_path().into_iter();
    path.filter(|node| only.is_none_or(|only| node.milestone() == only))
        .filter_map(|id| {
            let window = plan.window(id)?;
            Some(Step {
                id,
                title: super::Related::of(snapshot, id).title,
                start: clock.start(window.early_start),
                finish: clock.finish(window.early_finish),
            })
        })
        .collect()
}

fn blocked(outline: &Outline, plan: Option<&Plan<'_, '_>>) -> Vec<Blocked> {
    let entry = |id: Node, title: &str, status, reason: &Option<String>| {
        let impact = Impact::of(id, plan);
        Blocked {
            id,
            title: title.to_owned(),
            status,
            reason: reason.clone(),
            holds_up: impact.tasks,
            holds_up_milestones: impact.milestones,
            critical: impact.critical,
        }
    };
    let stopped = matches!(outline.status, MilestoneStatus::Blocked | MilestoneStatus::Paused);
    let (word, id) = (outline.status.word(), Node::Milestone(outline.id));
    let stopped = stopped.then(|| entry(id, &outline.title, word, &outline.reason));
    let failed = |status| matches!(status, TaskStatus::Blocked | TaskStatus::Failed);
    let open = outline.tasks.iter().filter(|_| !outline.status.is_closed());
    let tasks = open.filter(|task| failed(task.status)).map(|task| {
        let id = Node::Task(TaskId::new(outline.id, task.number));
        entry(id, &task.title, task.status.word(), &task.reason)
    });
    stopped.into_iter().chain(tasks).collect()
}

fn overall<'a>(shown: impl Iterator<Item = &'a Outline>) -> Progress {
    let counted = shown.filter(|outline| outline.status != MilestoneStatus::Cancelled);
    Progress::together(counted.map(|outline| outline.progress))
}

/// What was left at the end of each of the last days.
fn burn_down(moment: Moment<'_>) -> Vec<Day> {
    let trails: Vec<&Trail> = moment.trails.values().collect();
    let mut days = days(&trails, moment.today);
    let shown = days.len().saturating_sub(BURN_DOWN_DAYS);
    days.split_off(shown)
}

/// Of the milestones that are being worked on, since the day each began.
fn scope_change(snapshot: &Snapshot, trails: &BTreeMap<MilestoneId, Trail>) -> Option<ScopeChange> {
    let mut change: Option<ScopeChange> = None;
    for (id, trail) in trails {
        let started = snapshot.outline(*id).and_then(|outline| outline.started_at);
        let Some(started) = started.map(|at| at.to_zoned(TimeZone::UTC).date()) else { continue };
        let (Some(then), Some(now)) = (trail.at(started), trail.0.last()) else { continue };
        let sum = change.get_or_insert(ScopeChange {
            tasks_then: 0,
            tasks_now: 0,
            work_then: Effort::default(),
            work_now: Effort::default(),
        });
        sum.tasks_then += then.tasks;
        sum.tasks_now += now.tasks;
        sum.work_then = sum.work_then.saturating_add(then.work);
        sum.work_now = sum.work_now.saturating_add(now.work);
    }
    change
}

fn risks<'a>(shown: impl Iterator<Item = &'a Outline>) -> Vec<OpenRisk> {
    let open = shown.filter(|outline| !outline.status.is_closed());
    let risk = |outline: &Outline| {
        let worst = outline.worst_risk.clone()?;
        Some(OpenRisk { milestone: outline.id, worst, others: outline.risks.saturating_sub(1) })
    };
    let mut risks: Vec<OpenRisk> = open.filter_map(risk).collect();
    risks.sort_by_key(|risk| std::cmp::Reverse(risk.worst.weight()));
    risks
}

fn open_conditions<'a>(
    board: &Board<'_>,
    shown: impl Iterator<Item = &'a Outline>,
) -> Vec<OpenCondition> {
    let mut waiting: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
    for outline in shown.filter(|outline| !outline.status.is_closed()) {
        for name in &outline.conditions {
            waiting.entry(name).or_default().push(Node::Milestone(outline.id));
        }
        for task in outline.tasks.iter().filter(|task| !task.status.is_closed()) {
            let node = Node::Task(TaskId::new(outline.id, task.number));
            task.conditions.iter().for_each(|name| waiting.entry(name).or_default().push(node));
        }
    }
    let open = waiting.into_iter().filter(|(name, _)| !board.holds(name));
    open.map(|(name, waited_for_by)| OpenCondition {
        condition: ConditionState {
            name: name.to_owned(),
            holds: false,
            provided_by: board.providers(name).to_vec(),
        },
        waited_for_by,
    })
    .collect()
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;
    use crate::views::testing::TODAY;

    /// A dashboard of a project whose history is not asked for.
    pub fn seen(snapshot: &Snapshot, only: Option<MilestoneId>) -> Dashboard {
        let now = "2026-11-02T12:00:00Z".parse().unwrap();
        dashboard(snapshot, only, Moment { now, today: TODAY, trails: &BTreeMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::testing::seen;
    use super::*;
    use crate::views::testing::{TODAY, claim, project, task};

    fn busy() -> Snapshot {
        let mut snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "status": "in_progress",
            "due": "2026-11-02", "tasks": [
                task(1, &json!({"status": "in_progress", "resources": ["src"]})),
                task(2, &json!({"requires": ["task-001"]})),
                task(3, &json!({"status": "in_progress"})),
                task(4, &json!({"status": "blocked", "reason": "no key"})),
            ]}),
            json!({"id": "milestone-002", "title": "B", "tasks": [
                task(1, &json!({"conditions": ["approved"]})),
                task(2, &json!({"resources": ["src/b"], "status": "in_progress"})),
            ]}),
        ]);
        claim(&mut snapshot, "1.1", "ada", Some(60));
        claim(&mut snapshot, "1.3", "gone", None);
        snapshot
    }

    #[test]
    fn everything_that_needs_a_person_is_there() {
        let view = seen(&busy(), None);
        assert_eq!((view.totals.ready, view.totals.waiting, view.totals.tasks), (1, 3, 6));
        assert_eq!(
            view.held.iter().map(|held| held.by.as_str()).collect::<Vec<_>>(),
            ["ada", "somebody"]
        );
        assert_eq!(view.lapsed[0].by, "gone");
        assert_eq!(view.blocked[0].reason.as_deref(), Some("no key"));
        assert_eq!((view.blocked[0].holds_up, view.blocked[0].critical), (0, false));
        assert_eq!(view.conditions[0].condition.name, "approved");
        assert_eq!(view.conflicts.len(), 1);
        assert_eq!(view.milestones[0].row.pace, Pace::Behind { days: 7 });
        let path: Vec<_> = view.critical_path.iter().map(|step| step.id.to_string()).collect();
        assert_eq!(path, ["task-001-001", "task-001-002"]);
    }

    #[test]
    fn one_milestone_shows_only_what_concerns_it() {
        let view = seen(&busy(), Some(MilestoneId(2)));
        assert_eq!((view.milestones.len(), view.lapsed.len(), view.blocked.len()), (1, 0, 0));
        assert_eq!(view.conflicts.len(), 1, "the conflict is with the other one");
    }

    #[test]
    fn one_milestone_has_its_own_earliest_finish_and_its_own_progress() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A",
                "phases": [{"name": "Build", "weight": 70}, {"name": "Test", "weight": 30}],
                "tasks": [task(1, &json!({"estimate": "2d", "phase": "Build"})),
                    task(2, &json!({"estimate": "1d", "phase": "Test", "status": "completed"}))]}),
            json!({"id": "milestone-002", "title": "B", "tasks": [
                task(1, &json!({"estimate": "20d"})), task(2, &json!({"status": "completed"})),
                task(3, &json!({})),
            ]}),
        ]);
        let finish = |only: Option<u32>| seen(&snapshot, only.map(MilestoneId)).finish.unwrap();
        let finish = [None, Some(1), Some(2)].map(|only| finish(only).to_string());
        assert_eq!(finish, ["2026-11-27", "2026-11-03", "2026-11-27"]);
        let one = seen(&snapshot, Some(MilestoneId(1)));
        assert_eq!(one.overall, one.milestones[0].row.progress);
        assert_eq!(one.overall.percentage, 30);
        // Thirty of a hundred with two tasks, and one whole task of three.
        assert_eq!(seen(&snapshot, None).overall.percentage, 32);
    }

    #[test]
    fn a_stop_says_what_it_holds_up_beside_its_own_milestone() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "A", "tasks": [
                task(1, &json!({"status": "blocked"})), task(2, &json!({"requires": ["task-001"]})),
            ]}),
            json!({"id": "milestone-002", "title": "B", "duration": "1d",
                "dependencies": {"requires": ["milestone-001"]}}),
        ]);
        let stop = &seen(&snapshot, None).blocked[0];
        assert_eq!((stop.holds_up, stop.holds_up_milestones, stop.critical), (1, 1, true));
    }

    #[test]
    fn the_pace_is_what_is_to_be_expected_and_not_what_could_be() {
        let snapshot = project(&[
            json!({"id": "milestone-001", "title": "Long",
                "tasks": [task(1, &json!({"estimate": "20d", "priority": "high"}))]}),
            json!({"id": "milestone-002", "title": "Short", "due": "2026-11-09",
                "tasks": [task(1, &json!({"estimate": "3d"}))]}),
        ]);
        let view = seen(&snapshot, None);
        let line = &view.milestones[1];
        assert_eq!(line.finish.unwrap().to_string(), "2026-11-04");
        assert!(line.expected > line.row.due);
        assert!(matches!(line.row.pace, Pace::Behind { .. }), "{:?}", line.row.pace);
        let chance = line.chance.unwrap();
        assert!(chance < 50, "{chance}");
        let text = &view.advice[0].text;
        let said = format!(
            "milestone-002 is due 2026-11-09, with a chance of {chance}% to be done by then"
        );
        assert!(text.starts_with(&said), "{text}");
    }

    #[test]
    fn a_cycle_is_shown_and_nothing_is_laid_out_in_time() {
        let snapshot = project(&[json!({"id": "milestone-001", "title": "A", "tasks": [
            task(1, &json!({"requires": ["task-002"]})), task(2, &json!({"requires": ["task-001"]})),
        ]})]);
        let view = seen(&snapshot, None);
        assert_eq!(view.cycle.unwrap().len(), 3);
        assert_eq!(view.finish, None);
    }

    #[test]
    fn what_is_left_and_what_came_in_is_seen_day_by_day() {
        let snapshot = project(&[json!({"id": "milestone-001", "title": "A",
            "started_at": "2026-10-31T08:00:00Z", "risks": ["small",
                {"risk": "grave", "probability": "high", "impact": "high"}],
            "tasks": [task(1, &json!({"status": "completed"})), task(2, &json!({}))]})]);
        let standing = |day: &str, tasks, completed| crate::past::Standing {
            day: day.parse().unwrap(),
            tasks,
            completed,
            work: Effort::from_minutes(60 * tasks),
            finished: Effort::from_minutes(60 * completed),
            stopped: 0,
        };
        let days = vec![
            standing("2026-10-30", 1, 0),
            standing("2026-11-01", 1, 1),
            standing("2026-11-02", 2, 1),
        ];
        let trails = BTreeMap::from([(MilestoneId(1), Trail(days))]);
        let now = "2026-11-02T12:00:00Z".parse().unwrap();
        let view = dashboard(&snapshot, None, Moment { now, today: TODAY, trails: &trails });
        let left: Vec<_> = view.burn_down.iter().map(|day| day.tasks_left).collect();
        assert_eq!(left, [1, 1, 0, 1]);
        let scope = view.scope.unwrap();
        assert_eq!((scope.tasks_then, scope.tasks_now), (1, 2));
        assert_eq!((view.risks[0].worst.text.as_str(), view.risks[0].others), ("grave", 1));
        assert_eq!(view.overall.percentage, 50);
    }

    #[test]
    fn ten_thousand_tasks_are_counted() {
        let documents: Vec<_> = (1..=500).map(|number| {
            let tasks: Vec<_> = (1..=20).map(|n| {
                let requires: Vec<String> = (n > 10).then(|| format!("task-{:03}", n - 10)).into_iter().collect();
                task(n, &json!({"requires": requires, "resources": [format!("src/{number}/{n}")]}))
            }).collect();
            json!({"id": format!("milestone-{number:03}"), "title": "M", "tasks": tasks})
        }).collect();
        let snapshot = project(&documents);
        let view = seen(&snapshot, None);
        assert_eq!(view.totals.ready, 5000);
    }
}
