//! Generated histories: teams that estimate, work and are surprised, by rules that the forecast
//! does not know.
//!
//! What a task takes is its estimate times
//!
//! * the habit of the team with that kind of task (`bias`),
//! * what the whole milestone shares: a lognormal factor with the deviation `together`,
//! * a shifted lognormal, `0.45 + 0.55 exp(stray z)`: there is a least that any work takes, and no
//!   most,
//! * in `surprises` of a hundred tasks, a further 1.5 to 3.5: it had to be done again.
//!
//! So the truth is skewed, is not lognormal even in its logarithm, and its tail is fatter than any
//! three points say. Figures are such as people write (1h to 5d); six tasks in ten have three
//! points, whose distance has nothing to do with what really happens. Tasks wait for up to two
//! earlier ones; whoever is free takes any ready task. Work happens on weekdays,
//! eight hours from `morning` on.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, date, time};
use jiff::tz::TimeZone;
use milestone_domain::calendar::Calendar;
use milestone_domain::dice::Dice;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::effort::{Effort, Estimate, ThreePoint};
use milestone_domain::ids::{MilestoneId, Reference};
use milestone_domain::status::{MilestoneStatus, TaskStatus};

pub const KINDS: [&str; 5] = ["design", "code", "test", "docs", "operations"];

const MINUTES_PER_DAY: u64 = 480;

/// How a team works.
#[derive(Debug, Clone, Copy)]
pub struct Team {
    pub name: &'static str,
    /// The hour at which its working days of eight hours begin.
    pub morning: i8,
    pub bias: [f64; 5],
    pub stray: f64,
    pub together: f64,
    pub surprises: u64,
    pub workers: usize,
    /// What every bias is multiplied by in the second half of the history.
    pub turn: f64,
}

pub const TEAMS: [Team; 4] = [
    Team {
        name: "even",
        morning: 9,
        bias: [0.9, 1.2, 1.6, 0.7, 1.3],
        stray: 0.7,
        together: 0.2,
        surprises: 7,
        workers: 3,
        turn: 1.0,
    },
    Team {
        name: "hopeful",
        morning: 11,
        bias: [1.6, 2.2, 2.6, 1.3, 2.0],
        stray: 0.9,
        together: 0.35,
        surprises: 12,
        workers: 5,
        turn: 1.0,
    },
    Team {
        name: "careful",
        morning: 8,
        bias: [0.7, 0.9, 0.8, 0.6, 1.0],
        stray: 0.4,
        together: 0.1,
        surprises: 3,
        workers: 1,
        turn: 1.0,
    },
    Team {
        name: "turning",
        morning: 9,
        bias: [0.9, 1.1, 1.4, 0.8, 1.2],
        stray: 0.6,
        together: 0.2,
        surprises: 7,
        workers: 3,
        turn: 1.7,
    },
];

/// A milestone as it was worked through: when its tasks were begun and done, in working minutes
/// since the beginning of the history.
pub struct Lived {
    pub id: MilestoneId,
    pub morning: i8,
    pub begun: u64,
    pub tasks: Vec<LivedTask>,
}

pub struct LivedTask {
    pub kind: &'static str,
    pub estimate: Estimate,
    pub requires: Vec<u32>,
    pub takes: u64,
    pub begun: u64,
    pub done: u64,
    pub by: usize,
}

/// A whole history: one milestone after the other, each begun in the morning.
pub fn lived(team: &Team, milestones: u32, seed: u64) -> Vec<Lived> {
    let mut dice = Dice::new(seed);
    let mut now = 0_u64;
    let mut history = Vec::new();
    for number in 1..=milestones {
        let turn = if number * 2 > milestones { team.turn } else { 1.0 };
        let shared = turn * (team.together * normal(&mut dice)).exp();
        let count = 4 + dice.count(9);
        let mut tasks: Vec<LivedTask> =
            (0..count).map(|task| new_task(team, &mut dice, task, shared)).collect();
        work_through(&mut tasks, team.workers, now, &mut dice);
        let end = tasks.iter().map(|task| task.done).max().unwrap_or(now);
        let (id, morning) = (MilestoneId(number), team.morning);
        history.push(Lived { id, morning, begun: now, tasks });
        now = end.div_ceil(MINUTES_PER_DAY) * MINUTES_PER_DAY;
    }
    history
}

fn new_task(team: &Team, dice: &mut Dice, number: u32, shared: f64) -> LivedTask {
    let kind = usize::try_from(dice.below(5)).unwrap();
    let figures = [60, 120, 240, 480, 480, 960, 1440, 2400];
    let figure = f64::from(*dice.pick(&figures).unwrap());
    let estimate = estimate(dice, figure);
    let mut ratio = team.bias[kind] * shared * (0.45 + 0.55 * (team.stray * normal(dice)).exp());
    if dice.percent(team.surprises) {
        ratio *= 1.5 + 2.0 * uniform(dice);
    }
    let required = (0..2).filter(|_| number > 0 && dice.percent(45)).count();
    let mut requires: Vec<u32> = (0..required).map(|_| 1 + dice.count(number)).collect();
    requires.sort_unstable();
    requires.dedup();
    LivedTask {
        kind: KINDS[kind],
        estimate,
        requires,
        takes: whole(figure * ratio).max(5),
        begun: 0,
        done: 0,
        by: 0,
    }
}

fn estimate(dice: &mut Dice, figure: f64) -> Estimate {
    let effort = |minutes: f64| Effort::from_minutes(u32::try_from(whole(minutes)).unwrap());
    if dice.percent(40) {
        return Estimate::Single(effort(figure));
    }
    let best = figure * (0.4 + 0.4 * uniform(dice));
    let worst = figure * (1.4 + 1.6 * uniform(dice));
    let points = ThreePoint::new(effort(best), effort(figure), effort(worst));
    Estimate::ThreePoint(points.unwrap())
}

/// Everybody who is free takes any task that is ready.
fn work_through(tasks: &mut [LivedTask], workers: usize, from: u64, dice: &mut Dice) {
    let mut free = vec![from; workers];
    let mut open: Vec<usize> = (0..tasks.len()).collect();
    let mut done: BTreeMap<u32, u64> = BTreeMap::new();
    while !open.is_empty() {
        let worker = (0..workers).min_by_key(|worker| free[*worker]).unwrap();
        let now = free[worker];
        let is_done = |number: &u32| done.get(number).is_some_and(|end| *end <= now);
        let ready: Vec<usize> =
            open.iter().copied().filter(|task| tasks[*task].requires.iter().all(is_done)).collect();
        let Some(&task) = dice.pick(&ready) else {
            // Nothing to do until somebody else is done.
            let next = done.values().copied().filter(|end| *end > now).min();
            free[worker] = next.unwrap();
            continue;
        };
        open.retain(|other| *other != task);
        let end = now + tasks[task].takes;
        (tasks[task].begun, tasks[task].done, tasks[task].by) = (now, end, worker);
        done.insert(u32::try_from(task).unwrap() + 1, end);
        free[worker] = end;
    }
}

impl Lived {
    pub fn done(&self) -> u64 {
        self.tasks.iter().map(|task| task.done).max().unwrap_or(self.begun)
    }

    /// The document as it stood at a moment.
    pub fn document(&self, now: u64) -> Milestone {
        let mut milestone = Milestone::new(self.id, "Generated");
        milestone.tasks = (1..)
            .zip(&self.tasks)
            .map(|(number, lived)| lived.document(number, now, self.morning))
            .collect();
        if self.done() <= now {
            milestone.status = MilestoneStatus::Completed;
            milestone.archived = true;
        }
        milestone
    }
}

impl LivedTask {
    fn document(&self, number: u32, now: u64, morning: i8) -> Task {
        let mut task = Task::new(number, "Generated");
        task.kind = Some(self.kind.to_owned());
        task.estimate = Some(self.estimate);
        task.requires = self.requires.iter().map(|number| Reference::Own(*number)).collect();
        if self.begun < now {
            task.status = TaskStatus::InProgress;
            task.started_at = Some(moment(self.begun, morning));
            task.started_by = Some(format!("worker-{}", self.by));
        }
        if self.done <= now {
            task.status = TaskStatus::Completed;
            task.completed_at = Some(moment(self.done, morning));
        }
        task
    }
}

/// The first day of every history, a Monday.
const FIRST: Date = date(2020, 1, 6);

/// The day in which a working minute falls.
pub fn day(minute: u64) -> Date {
    let whole_days = u32::try_from(minute / MINUTES_PER_DAY * MINUTES_PER_DAY).unwrap();
    Calendar::default().add(FIRST, Effort::from_minutes(whole_days + 1))
}

/// The moment of a working minute.
pub fn moment(minute: u64, morning: i8) -> Timestamp {
    let minutes = i64::try_from(minute % MINUTES_PER_DAY).unwrap();
    let morning = day(minute).to_datetime(time(morning, 0, 0, 0));
    let local = morning + jiff::SignedDuration::from_mins(minutes);
    local.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

/// The first minute of the day after a minute.
pub fn next_morning(minute: u64) -> u64 {
    (minute / MINUTES_PER_DAY + 1) * MINUTES_PER_DAY
}

fn uniform(dice: &mut Dice) -> f64 {
    f64::from(u32::try_from(dice.roll() >> 32).unwrap()) / f64::from(u32::MAX)
}

/// The sum of twelve uniform values has the variance of one normal value, and no extremes.
fn normal(dice: &mut Dice) -> f64 {
    (0..12).map(|_| uniform(dice)).sum::<f64>() - 6.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
fn whole(minutes: f64) -> u64 {
    minutes.round() as u64
}
