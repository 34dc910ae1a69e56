//! Replays generated histories: at each moment the forecast knows what was known then, and what
//! came after judges it.

use std::collections::BTreeMap;

use milestone_domain::effort::Effort;
use milestone_domain::forecast::{Corrections, Question, forecast};
use milestone_domain::limits::PAST_MILESTONES_MAX;
use milestone_domain::past;
use milestone_domain::snapshot::{Outline, Snapshot};

use crate::history::{Lived, Team, day, lived, moment, next_morning};

/// Milestones that pass before anything is scored.
const WARM_UP: usize = 30;

/// What came of it, against what was said.
#[derive(Default)]
pub struct Score {
    pub tasks: Scored,
    /// When milestones are done, as forecast before their work begins and half way through.
    pub begun: Scored,
    pub half_way: Scored,
    /// The same as `begun`, in whole days: what people see.
    pub dates: Scored,
}

/// How often reality stayed within what was said, and how far the middle was off.
#[derive(Default)]
pub struct Scored {
    pub count: u32,
    within: [u32; 3],
    forecast: Vec<f64>,
    /// The mean of what such things took before.
    mean_of_past: Vec<f64>,
    /// The estimate, as it stands.
    as_it_stands: Vec<f64>,
    /// The estimate times the mean ratio of the past.
    mean_ratio: Vec<f64>,
}

/// Median absolute errors, as logarithms.
pub struct Errors {
    pub forecast: f64,
    pub mean_of_past: f64,
    pub as_it_stands: f64,
    pub mean_ratio: f64,
}

impl Scored {
    fn within(&mut self, limits: [bool; 3]) {
        self.count += 1;
        for (count, within) in self.within.iter_mut().zip(limits) {
            *count += u32::from(within);
        }
    }

    /// In how many of a hundred cases reality was within P50, P80 and P95.
    pub fn coverage(&self) -> [f64; 3] {
        self.within.map(|count| 100.0 * f64::from(count) / f64::from(self.count.max(1)))
    }

    pub fn errors(&self) -> Errors {
        Errors {
            forecast: median(&self.forecast),
            mean_of_past: median(&self.mean_of_past),
            as_it_stands: median(&self.as_it_stands),
            mean_ratio: median(&self.mean_ratio),
        }
    }

    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        for (count, more) in self.within.iter_mut().zip(other.within) {
            *count += more;
        }
        self.forecast.extend(other.forecast);
        self.mean_of_past.extend(other.mean_of_past);
        self.as_it_stands.extend(other.as_it_stands);
        self.mean_ratio.extend(other.mean_ratio);
    }
}

impl Score {
    pub fn add(&mut self, other: Self) {
        self.tasks.add(other.tasks);
        self.begun.add(other.begun);
        self.half_way.add(other.half_way);
        self.dates.add(other.dates);
    }
}

/// Lives through a history and scores at least so many tasks.
pub fn replay(team: &Team, tasks: u32, trials: u32, seed: u64) -> Score {
    // Milestones have eight tasks on average.
    let milestones = u32::try_from(WARM_UP).unwrap() + tasks / 8 + 40;
    let history = lived(team, milestones, seed);
    let mut replay = Replay { trials, ..Replay::default() };
    for (number, milestone) in history.iter().enumerate() {
        if number >= WARM_UP {
            if replay.score.tasks.count >= tasks {
                break;
            }
            replay.judge(milestone, team);
        }
        replay.remember(milestone);
    }
    replay.score
}

#[derive(Default)]
struct Replay {
    trials: u32,
    snapshot: Snapshot,
    past: BTreeMap<&'static str, Past>,
    milestones: Past,
    score: Score,
}

/// What was measured, for the baselines.
#[derive(Default)]
struct Past {
    count: f64,
    taken: f64,
    ratio: f64,
}

impl Past {
    fn note(&mut self, taken: f64, estimated: f64) {
        self.count += 1.0;
        self.taken += taken;
        self.ratio += taken / estimated;
    }

    fn taken(&self) -> f64 {
        self.taken / self.count
    }

    fn ratio(&self) -> f64 {
        self.ratio / self.count
    }
}

impl Replay {
    fn judge(&mut self, lived: &Lived, team: &Team) {
        self.judge_tasks(lived);
        self.judge_milestone(lived, team, lived.begun, false);
        let mut ends: Vec<u64> = lived.tasks.iter().map(|task| task.done).collect();
        ends.sort_unstable();
        let half_way = next_morning(ends[ends.len() / 2]);
        if half_way < lived.done() {
            self.judge_milestone(lived, team, half_way, true);
        }
        self.snapshot.outlines.remove(&lived.id);
    }

    fn judge_tasks(&mut self, lived: &Lived) {
        let corrections = Corrections::learn(&past::samples(&self.snapshot));
        for (task, number) in lived.tasks.iter().zip(1..) {
            let taken = measured(lived, number);
            let said = corrections.duration(Some(task.kind), task.estimate);
            let limits = [said.p50, said.p80, said.p95].map(Effort::minutes);
            let estimated = f64::from(task.estimate.expected().minutes());
            let past = &self.past[task.kind];
            let scored = &mut self.score.tasks;
            scored.within(limits.map(|limit| taken <= f64::from(limit)));
            scored.forecast.push(error(f64::from(limits[0]), taken));
            scored.mean_of_past.push(error(past.taken(), taken));
            scored.as_it_stands.push(error(estimated, taken));
            scored.mean_ratio.push(error(estimated * past.ratio(), taken));
        }
    }

    fn judge_milestone(&mut self, lived: &Lived, team: &Team, now: u64, half_way: bool) {
        self.snapshot.outlines.insert(lived.id, Outline::of(&lived.document(now)));
        let question = Question {
            only: Some(lived.id),
            workers: Some(u32::try_from(team.workers).unwrap()),
            trials: self.trials,
            ..Question::default()
        };
        let today = day(now);
        let said =
            forecast(&self.snapshot, &question, moment(now, team.morning), today).finish.unwrap();
        let taken = minutes(lived.done() - now);
        let after = [said.after.p50, said.after.p80, said.after.p95];
        let within = after.map(|limit| taken <= f64::from(limit.minutes()));
        let scored = if half_way { &mut self.score.half_way } else { &mut self.score.begun };
        scored.within(within);
        scored.forecast.push(error(f64::from(after[0].minutes()), taken));
        if half_way {
            return;
        }
        let end = day(lived.done() - 1);
        self.score.dates.within([said.p50, said.p80, said.p95].map(|limit| end <= limit));
        let estimated = shared_out(lived, team);
        scored.mean_of_past.push(error(self.milestones.taken(), taken));
        scored.as_it_stands.push(error(estimated, taken));
        scored.mean_ratio.push(error(estimated * self.milestones.ratio(), taken));
        self.milestones.note(taken, estimated);
    }

    /// What is over is filed away, and only the newest of that is read.
    fn remember(&mut self, lived: &Lived) {
        for (task, number) in lived.tasks.iter().zip(1..) {
            let estimated = f64::from(task.estimate.expected().minutes());
            self.past.entry(task.kind).or_default().note(measured(lived, number), estimated);
        }
        if self.milestones.count < 1.0 {
            // Something to go by for the first one.
            let taken = minutes(lived.done() - lived.begun);
            self.milestones.note(taken, taken);
        }
        self.snapshot.outlines.insert(lived.id, Outline::of(&lived.document(u64::MAX)));
        while self.snapshot.outlines.len() > PAST_MILESTONES_MAX {
            self.snapshot.outlines.pop_first();
        }
    }
}

/// What a task took, as the program measures it from when it was begun and done.
fn measured(lived: &Lived, number: u32) -> f64 {
    let outline = Outline::of(&lived.document(u64::MAX));
    let task = outline.task(number).unwrap();
    let measured = past::worked(&Snapshot::default(), task).unwrap();
    f64::from(measured.minutes())
}

/// The sum of the estimates, shared among all who work: what people reckon in their heads.
fn shared_out(lived: &Lived, team: &Team) -> f64 {
    let sum: f64 =
        lived.tasks.iter().map(|task| f64::from(task.estimate.expected().minutes())).sum();
    sum / f64::from(u32::try_from(team.workers).unwrap())
}

fn error(said: f64, taken: f64) -> f64 {
    (taken / said.max(1.0)).ln().abs()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn minutes(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}
