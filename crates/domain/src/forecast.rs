//! When work is going to be done: not a date but the odds of each, from what estimates say, what
//! the past teaches about them, what waits for what, the calendar, and how many are at work.
//!
//! Everything is simulated many times over. The same question about the same project has the same
//! answer, for a seed decides the luck.

mod assumption;
mod correction;
mod lognormal;
mod network;
mod simulation;
mod why;

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::calendar::Calendar;
use crate::dependencies::Dependencies;
use crate::effort::Effort;
use crate::ids::{MilestoneId, Node};
use crate::limits;
use crate::past;
use crate::snapshot::Snapshot;
use crate::status::TaskStatus;

pub use assumption::Assumption;
pub use correction::{Correction, Corrections};

use network::{Known, Layout, Network, at};
use simulation::Simulation;
use why::Chains;

/// How many things that decide the date are named.
const DRIVERS: usize = 5;

/// Below this, something is on the deciding chain by accident.
const DRIVER_PERCENT_MIN: u32 = 5;

/// How many columns a chart of the odds has, at most.
const COLUMNS: u32 = 40;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Only this milestone, as if everybody worked on it and on what it waits for.
    pub only: Option<MilestoneId>,
    /// How many work at once, where whoever asks knows better than the project.
    pub workers: Option<u32>,
    pub trials: u32,
    pub seed: u64,
    /// Also why then: what decides the date, and what one more worker would change. That takes
    /// several times as long.
    pub why: bool,
}

impl Default for Question {
    /// As many trials as it takes for P95 not to hang on luck by more than half a percent.
    fn default() -> Self {
        Self { only: None, workers: None, trials: 2_000, seed: 20_261_102, why: true }
    }
}

/// When work is going to be done, why then, and what that rests on.
///
/// The `buffer` that milestones carry is in none of the figures: it is what a person adds to a
/// date to be safe, and the doubt that it stands for is simulated here.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Forecast {
    pub today: Date,
    pub workers: Workers,
    pub trials: u32,
    /// When everything that was asked about is done; none where `reason` says why.
    pub finish: Option<Quantiles>,
    /// Every open milestone that was asked about, the first to be done first.
    pub milestones: Vec<MilestoneForecast>,
    /// In how many trials everything was done by each of these dates and not by the one before it;
    /// the last column holds whatever is later, too.
    pub histogram: Vec<(Date, u32)>,
    /// What decides the date, the greatest doubt first.
    pub drivers: Vec<Driver>,
    /// What one more worker would change; none if that is nothing.
    pub one_more_worker: Option<WorkerEffect>,
    /// Why one more worker would change nothing.
    pub no_gain: Option<NoGain>,
    pub corrections: Corrections,
    pub assumptions: Vec<Assumption>,
    /// Why there is no forecast.
    pub reason: Option<NoForecast>,
}

/// Dates by which it is done with these odds, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Quantiles {
    pub p50: Date,
    pub p80: Date,
    pub p95: Date,
    /// The same as working time from the morning of today on.
    pub after: Percentiles,
}

/// Amounts of working time that are enough with these odds, in hundredths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Percentiles {
    pub p50: Effort,
    pub p80: Effort,
    pub p95: Effort,
}

/// When one milestone is going to be done.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MilestoneForecast {
    pub id: MilestoneId,
    pub title: String,
    pub due: Option<Date>,
    pub finish: Quantiles,
    /// In how many of a hundred trials it is done by its due date.
    pub chance: Option<u32>,
}

/// How many are at work at once, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Workers {
    pub count: u32,
    pub source: WorkersSource,
}

/// How it is known how many are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkersSource {
    /// Whoever asked said so.
    Asked,
    /// The milestone says so.
    TeamSize,
    /// The settings say so.
    Settings,
    /// So many have finished or held work in the last two weeks.
    Active,
    /// Nothing is known, so it is one.
    Assumed,
}

/// Something that decides the date.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Driver {
    pub id: Node,
    pub title: String,
    /// In how many of a hundred trials the end waited for it.
    pub percent: u32,
    /// How much sooner P80 would be if it were known to take what is expected of it.
    pub doubt: Effort,
    /// It is on the chain by its own date: nothing before it matters.
    pub held_by_date: bool,
}

/// What one more worker would change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WorkerEffect {
    /// How many that makes.
    pub workers: u32,
    pub p50: Date,
    pub p80: Date,
    /// How much sooner, in working time.
    pub p50_gain: Effort,
    pub p80_gain: Effort,
    /// The working days between both P80 dates.
    pub days_gained: u32,
}

/// Why one more worker would change nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoGain {
    /// There are as many workers as there is open work.
    EnoughForAll,
    /// What decides the date waits for other work or for a date, not for a worker.
    Waiting,
}

/// Why nothing can be forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NoForecast {
    /// Each waits for the next, and the last for the first.
    Cycle { path: Vec<Node> },
    /// There is no such milestone.
    Unknown { milestone: MilestoneId },
    /// Everything that was asked about is over.
    NothingOpen,
    /// What is open has neither tasks nor a duration.
    NothingPlanned,
}

/// Answers when work is going to be done.
pub fn forecast(snapshot: &Snapshot, question: &Question, now: Timestamp, today: Date) -> Forecast {
    let corrections = Corrections::learn(&past::samples(snapshot));
    let workers = Workers::of(snapshot, question, now);
    let graph = Dependencies::of(snapshot);
    let known = Known { snapshot, corrections: &corrections, graph: &graph, now, today };
    let answer = answer(&known, question, workers);
    let (outcome, assumptions, reason) = match answer {
        Ok((outcome, assumptions)) => (Some(outcome), assumptions, None),
        Err((reason, assumptions)) => (None, assumptions, Some(reason)),
    };
    let outcome = outcome.unwrap_or_default();
    Forecast {
        today,
        workers,
        trials: question.trials.clamp(1, limits::TRIALS_MAX),
        finish: outcome.finish,
        milestones: outcome.milestones,
        histogram: outcome.histogram,
        drivers: outcome.drivers,
        one_more_worker: outcome.one_more_worker,
        no_gain: outcome.no_gain,
        corrections,
        assumptions,
        reason,
    }
}

/// What trials show.
#[derive(Default)]
struct Outcome {
    finish: Option<Quantiles>,
    milestones: Vec<MilestoneForecast>,
    histogram: Vec<(Date, u32)>,
    drivers: Vec<Driver>,
    one_more_worker: Option<WorkerEffect>,
    no_gain: Option<NoGain>,
}

type Answer = Result<(Outcome, Vec<Assumption>), (NoForecast, Vec<Assumption>)>;

fn answer(known: &Known<'_>, question: &Question, workers: Workers) -> Answer {
    if let Some(milestone) = question.only
        && known.snapshot.outline(milestone).is_none()
    {
        return Err((NoForecast::Unknown { milestone }, Vec::new()));
    }
    let Ok(order) = known.graph.dag().order() else {
        let path = known.graph.cycle().unwrap_or_default();
        return Err((NoForecast::Cycle { path }, Vec::new()));
    };
    let network = Network::of(known, &order, question.only);
    let assumptions = assumption::assumptions(known, &network);
    let wanted = |id| question.only.is_none_or(|only| only == id);
    if !network.milestones.iter().any(|group| wanted(group.id)) {
        return Err((NoForecast::NothingOpen, assumptions));
    }
    let mut groups: Vec<usize> = (0..network.milestones.len()).collect();
    groups.retain(|&group| {
        let group = &network.milestones[group];
        wanted(group.id) && group.planned
    });
    if groups.is_empty() {
        return Err((NoForecast::NothingPlanned, assumptions));
    }
    let trials = question.trials.clamp(1, limits::TRIALS_MAX);
    let run = Run {
        known,
        network: &network,
        groups,
        workers: workers.count,
        trials,
        seed: question.seed,
        why: question.why,
    };
    Ok((run.outcome(), assumptions))
}

/// One forecast in the making.
struct Run<'a> {
    known: &'a Known<'a>,
    network: &'a Network,
    /// The milestones that were asked about.
    groups: Vec<usize>,
    workers: u32,
    trials: u32,
    seed: u64,
    why: bool,
}

impl Run<'_> {
    fn outcome(&self) -> Outcome {
        let layout = self.network.laid_out(self.workers);
        let steps = self.ends(&layout);
        let mut chains = Chains::new(self.network);
        let mut each = vec![Vec::with_capacity(at(self.trials)); steps.len()];
        let mut totals = Vec::with_capacity(at(self.trials));
        let mut simulation = Simulation::new(self.network, &layout, self.workers, self.seed);
        simulation.run(self.trials, |block| {
            for (&step, figures) in steps.iter().zip(&mut each) {
                figures.extend_from_slice(&block.finish[at(step)][..block.used]);
            }
            totals.extend_from_slice(&why::total(block, &steps)[..block.used]);
            if self.why && chains.traced < why::TRACED_TRIALS {
                chains.trace(self.network, &layout, block, &steps);
            }
        });
        // The first trials are those that every "what if" meets again.
        let mut base = totals[..totals.len().min(at(why::WHAT_IF_TRIALS))].to_vec();
        base.sort_unstable_by(f32::total_cmp);
        totals.sort_unstable_by(f32::total_cmp);
        let finish = self.quantiles(&totals);
        let more = self.why.then(|| self.one_more_worker(&base, &totals));
        let (more, no_gain) = match more {
            Some(Ok(effect)) => (Some(effect), None),
            Some(Err(no_gain)) => (None, Some(no_gain)),
            None => (None, None),
        };
        let drivers = if self.why { self.drivers(&chains, &layout, &base) } else { Vec::new() };
        let mut milestones: Vec<MilestoneForecast> = self
            .groups
            .iter()
            .zip(each)
            .filter_map(|(&group, figures)| self.milestone(group, figures))
            .collect();
        milestones.sort_by_key(|milestone| (milestone.finish.after.p80, milestone.id));
        Outcome {
            finish: Some(finish),
            milestones,
            histogram: self.histogram(&totals),
            drivers,
            one_more_worker: more,
            no_gain,
        }
    }

    /// The steps at which the milestones that were asked about are done.
    fn ends(&self, layout: &Layout) -> Vec<u32> {
        let finish = |&group: &usize| layout.step_of[at(self.network.milestones[group].finish)];
        self.groups.iter().map(finish).collect()
    }

    fn calendar(&self) -> &Calendar {
        &self.known.snapshot.settings.calendar
    }

    fn date(&self, minutes: f32) -> Date {
        self.calendar().add(self.known.today, effort(minutes))
    }

    fn quantiles(&self, sorted: &[f32]) -> Quantiles {
        let [p50, p80, p95] = [50, 80, 95].map(|percent| why::percentile(sorted, percent));
        Quantiles {
            p50: self.date(p50),
            p80: self.date(p80),
            p95: self.date(p95),
            after: Percentiles { p50: effort(p50), p80: effort(p80), p95: effort(p95) },
        }
    }

    fn milestone(&self, group: usize, mut figures: Vec<f32>) -> Option<MilestoneForecast> {
        let outline = self.known.snapshot.outline(self.network.milestones[group].id)?;
        figures.sort_unstable_by(f32::total_cmp);
        Some(MilestoneForecast {
            id: outline.id,
            title: outline.title.clone(),
            due: outline.due,
            finish: self.quantiles(&figures),
            chance: outline.due.map(|due| self.chance(&figures, due)),
        })
    }

    /// In how many of a hundred trials it is done by a date; only what always or never happened
    /// has a chance of 100 or 0.
    fn chance(&self, sorted: &[f32], due: Date) -> u32 {
        if due < self.known.today {
            return 0;
        }
        let done = sorted.partition_point(|minutes| self.date(*minutes) <= due);
        let all = sorted.len().max(1);
        let percent = u32::try_from((done * 100 + all / 2) / all).unwrap_or(100);
        match done {
            0 => 0,
            _ if done == all => 100,
            _ => percent.clamp(1, 99),
        }
    }

    fn histogram(&self, sorted: &[f32]) -> Vec<(Date, u32)> {
        let day =
            |minutes: f32| effort(minutes).minutes().div_ceil(self.calendar().minutes_per_day());
        let first = day(why::percentile(sorted, 0));
        let last = day(why::percentile(sorted, 99));
        let width = (last - first + 1).div_ceil(COLUMNS).max(1);
        let mut columns: Vec<(Date, u32)> = (first..=last)
            .step_by(at(width))
            .map(|column| {
                let days = (column + width - 1).saturating_mul(self.calendar().minutes_per_day());
                (self.calendar().add(self.known.today, Effort::from_minutes(days)), 0)
            })
            .collect();
        let end = columns.len().saturating_sub(1);
        for &minutes in sorted {
            let column = at((day(minutes) - first) / width).min(end);
            if let Some((_, count)) = columns.get_mut(column) {
                *count += 1;
            }
        }
        columns
    }

    /// What decides the date: of what the end often waits for, that whose doubt weighs most.
    fn drivers(&self, chains: &Chains, layout: &Layout, base: &[f32]) -> Vec<Driver> {
        let mut candidates: Vec<(f64, u32, u32)> = (0..)
            .zip(&self.network.nodes)
            .filter_map(|(node, item)| {
                let percent = chains.percent(node);
                let work = item.work.map(|work| self.network.works[at(work)].left);
                // What stands on a date has no doubt of its own, and yet nothing before it counts.
                let weight = work.map_or(f64::MAX, |left| left.quantile(0.8) - left.median);
                let often = percent >= DRIVER_PERCENT_MIN;
                often.then(|| (f64::from(percent) * weight, percent, node))
            })
            .collect();
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        let named = candidates.into_iter().take(DRIVERS);
        let mut drivers: Vec<Driver> =
            named.map(|(_, percent, node)| self.driver(node, percent, layout, base)).collect();
        drivers.sort_by_key(|driver| {
            (!driver.held_by_date, std::cmp::Reverse((driver.doubt, driver.percent)))
        });
        drivers
    }

    fn driver(&self, node: u32, percent: u32, layout: &Layout, base: &[f32]) -> Driver {
        let item = &self.network.nodes[at(node)];
        let doubt = item.work.map_or(0.0, |work| {
            let luck = Simulation::new(self.network, layout, self.workers, self.seed);
            let known = self.what_if(&mut luck.knowing(work), layout);
            why::percentile(base, 80) - why::percentile(&known, 80)
        });
        let title = match item.node {
            Node::Task(id) => self.known.snapshot.task(id).map(|task| task.title.clone()),
            Node::Milestone(id) => self.known.snapshot.outline(id).map(|it| it.title.clone()),
        };
        Driver {
            id: item.node,
            title: title.unwrap_or_default(),
            percent,
            doubt: roughly(doubt),
            held_by_date: item.work.is_none(),
        }
    }

    fn what_if(&self, simulation: &mut Simulation<'_>, layout: &Layout) -> Vec<f32> {
        why::ends(simulation, &self.ends(layout), self.trials.min(why::WHAT_IF_TRIALS))
    }

    fn one_more_worker(&self, base: &[f32], totals: &[f32]) -> Result<WorkerEffect, NoGain> {
        let workers = self.workers.saturating_add(1);
        if at(self.workers) >= self.network.works.len() {
            return Err(NoGain::EnoughForAll);
        }
        let layout = self.network.laid_out(workers);
        let mut simulation = Simulation::new(self.network, &layout, workers, self.seed);
        let faster = self.what_if(&mut simulation, &layout);
        let gain =
            |percent| (why::percentile(base, percent) - why::percentile(&faster, percent)).max(0.0);
        let (p50_gain, p80_gain) = (roughly(gain(50)), roughly(gain(80)));
        let then = |percent| self.date(why::percentile(totals, percent) - gain(percent));
        let (p50, p80) = (then(50), then(80));
        let before = self.date(why::percentile(totals, 80));
        // An hour in a month is not worth a word.
        let worth =
            p80_gain.max(p50_gain).minutes() * 50 >= effort(why::percentile(totals, 80)).minutes();
        if !worth || p80_gain.max(p50_gain) == Effort::default() {
            return Err(NoGain::Waiting);
        }
        let days_gained = self.calendar().working_days_between(p80, before);
        Ok(WorkerEffect { workers, p50, p80, p50_gain, p80_gain, days_gained })
    }
}

impl Workers {
    fn of(snapshot: &Snapshot, question: &Question, now: Timestamp) -> Self {
        let milestone = question.only.and_then(|id| snapshot.outline(id));
        let known = [
            (question.workers, WorkersSource::Asked),
            (milestone.and_then(|outline| outline.team_size), WorkersSource::TeamSize),
            (snapshot.settings.workers, WorkersSource::Settings),
            (Some(active(snapshot, now)).filter(|count| *count > 0), WorkersSource::Active),
        ];
        let said = known.into_iter().find_map(|(count, source)| Some((count?, source)));
        let (count, source) = said.unwrap_or((1, WorkersSource::Assumed));
        Self { count: count.max(1), source }
    }
}

/// How many people and agents finished work lately, or hold some.
fn active(snapshot: &Snapshot, now: Timestamp) -> u32 {
    let days = SignedDuration::from_hours(24 * limits::ACTIVE_DAYS);
    let tasks = snapshot.outlines.values().flat_map(|outline| &outline.tasks);
    let lately = tasks.filter(|task| match task.status {
        TaskStatus::Completed => task.completed_at.is_some_and(|at| now.duration_since(at) <= days),
        TaskStatus::InProgress => true,
        _ => false,
    });
    let claims = snapshot.claims.values().filter(|claim| claim.is_live());
    let names = lately.filter_map(|task| task.started_by.as_deref());
    let names: BTreeSet<&str> = names.chain(claims.map(|claim| claim.actor.as_str())).collect();
    network::index(names.len())
}

/// Simulated minutes, to the minute; there is no time before now.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion stops at both ends, and so does an effort"
)]
fn effort(minutes: f32) -> Effort {
    Effort::from_minutes(minutes.round() as u32)
}

/// A difference between simulations, to the half hour: minutes of it are noise.
fn roughly(minutes: f32) -> Effort {
    effort((minutes / 30.0).round() * 30.0)
}

fn effort_of(minutes: u64) -> Effort {
    Effort::from_minutes(u32::try_from(minutes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::views::testing::{TODAY, claim, project, task};

    fn now() -> Timestamp {
        "2026-11-02T08:00:00Z".parse().unwrap()
    }

    fn milestone(number: u32, more: &Value, tasks: &[Value]) -> Value {
        let mut document = json!({"id": format!("milestone-{number:03}"),
            "title": format!("Milestone {number}"), "tasks": tasks});
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        document
    }

    fn ask(snapshot: &Snapshot, workers: u32) -> Forecast {
        let question = Question { workers: Some(workers), ..Question::default() };
        forecast(snapshot, &question, now(), TODAY)
    }

    fn one(tasks: &[Value]) -> Snapshot {
        project(&[milestone(1, &json!({}), tasks)])
    }

    fn said(forecast: &Forecast) -> Vec<String> {
        forecast.assumptions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn one_task_takes_what_its_estimate_says() {
        let points = json!({"optimistic": "4h", "likely": "1d", "pessimistic": "3d"});
        let answer = ask(&one(&[task(1, &json!({"estimate": points}))]), 1);
        let Quantiles { p50, p80, p95, after } = answer.finish.unwrap();
        // A tenth and nine tenths at 4 and 24 hours, the middle at (4 + 32 + 24) / 6 = 10 hours;
        // somewhat wider for what nobody knows about these estimates.
        assert!((560..640).contains(&after.p50.minutes()), "{after:?}");
        assert!((1_050..1_250).contains(&after.p80.minutes()), "{after:?}");
        assert_eq!((p50, p80), (date(2026, 11, 3), date(2026, 11, 4)));
        assert!(p95 >= p80);
        assert_eq!(answer.milestones[0].finish, answer.finish.unwrap());
        assert_eq!(answer.histogram.iter().map(|(_, count)| count).sum::<u32>(), 2_000);
        assert_eq!(answer.corrections.missing, 5);
        assert_eq!(answer.no_gain, Some(NoGain::EnoughForAll));
    }

    #[test]
    fn what_can_be_done_side_by_side_needs_workers_and_what_cannot_does_not() {
        let apart: Vec<Value> = (1..=8).map(|number| task(number, &json!({}))).collect();
        let alone = ask(&one(&apart), 1);
        let effect = alone.one_more_worker.clone().unwrap();
        assert_eq!((effect.workers, alone.no_gain), (2, None));
        assert!(effect.p80 < alone.finish.unwrap().p80 && effect.days_gained >= 3, "{effect:?}");
        let chain: Vec<Value> = (1..=8)
            .map(|number| match number {
                1 => task(1, &json!({})),
                _ => task(number, &json!({"requires": [format!("task-{:03}", number - 1)]})),
            })
            .collect();
        let chained = ask(&one(&chain), 1);
        assert_eq!((chained.one_more_worker, chained.no_gain), (None, Some(NoGain::Waiting)));
        // The same work in the same luck: a chain takes one worker as long as anything else.
        let (a, b) = (alone.finish.unwrap().after.p50, chained.finish.unwrap().after.p50);
        assert_eq!(a, b);
    }

    #[test]
    fn the_task_of_the_greatest_doubt_drives_the_date() {
        let vague = json!({"title": "Vague", "estimate":
            {"optimistic": "1d", "likely": "3d", "pessimistic": "20d"}});
        let small = json!({"estimate": {"optimistic": "4h", "likely": "5h", "pessimistic": "6h"}});
        let aside = json!({"estimate": "1h"});
        let snapshot = one(&[task(1, &small), task(2, &vague), task(3, &aside)]);
        let answer = ask(&snapshot, 3);
        let driver = &answer.drivers[0];
        assert_eq!((driver.title.as_str(), driver.percent >= 95), ("Vague", true));
        assert!(driver.doubt.minutes() > 480, "{driver:?}");
        assert!(!answer.drivers.iter().any(|driver| driver.title == "Task 3"));
    }

    #[test]
    fn a_start_that_is_far_away_decides_the_date() {
        let first = milestone(1, &json!({"start": "2026-12-07"}), &[task(1, &json!({}))]);
        let snapshot = project(&[first, milestone(2, &json!({}), &[task(1, &json!({}))])]);
        let answer = ask(&snapshot, 2);
        assert!(answer.finish.unwrap().p50 >= date(2026, 12, 7));
        let first = &answer.drivers[0];
        assert_eq!((first.id, first.held_by_date), (Node::Milestone(MilestoneId(1)), true));
        assert_eq!(answer.milestones[0].id, MilestoneId(2));
        assert_eq!(answer.no_gain, Some(NoGain::EnoughForAll));
    }

    #[test]
    fn one_milestone_has_what_it_waits_for_and_nothing_else() {
        let days = |days: u32| [task(1, &json!({"estimate": format!("{days}d")}))];
        let snapshot = project(&[
            milestone(1, &json!({}), &days(10)),
            milestone(2, &json!({"dependencies": {"requires": ["milestone-001"]}}), &days(10)),
            milestone(3, &json!({"team_size": 4}), &days(100)),
        ]);
        let only = |number| Question { only: Some(MilestoneId(number)), ..Question::default() };
        let second = forecast(&snapshot, &only(2), now(), TODAY);
        let after = second.finish.unwrap().after.p50.minutes();
        assert!((17 * 480..26 * 480).contains(&after), "{after}");
        assert_eq!(second.milestones.len(), 1);
        assert_eq!(second.workers.source, WorkersSource::Assumed);
        let third = forecast(&snapshot, &only(3), now(), TODAY);
        assert_eq!(third.workers, Workers { count: 4, source: WorkersSource::TeamSize });
        let none = forecast(&snapshot, &only(9), now(), TODAY);
        assert_eq!(none.reason, Some(NoForecast::Unknown { milestone: MilestoneId(9) }));
    }

    #[test]
    fn workers_are_those_who_were_seen() {
        let done = |number, by, at| {
            task(
                number,
                &json!({"status": "completed", "started_by": by,
                "started_at": "2026-10-01T09:00:00Z", "completed_at": at}),
            )
        };
        let mut snapshot = one(&[
            done(1, "ada", "2026-10-30T12:00:00Z"),
            done(2, "ada", "2026-10-31T12:00:00Z"),
            done(3, "long gone", "2026-10-02T12:00:00Z"),
            task(
                4,
                &json!({"status": "in_progress", "started_by": "bo",
                "started_at": "2026-10-01T09:00:00Z"}),
            ),
            task(5, &json!({})),
        ]);
        let workers =
            |snapshot: &Snapshot| forecast(snapshot, &Question::default(), now(), TODAY).workers;
        assert_eq!(workers(&snapshot), Workers { count: 2, source: WorkersSource::Active });
        claim(&mut snapshot, "task-001-005", "agent-1", Some(60));
        assert_eq!(workers(&snapshot).count, 3);
        snapshot.settings.workers = Some(7);
        assert_eq!(workers(&snapshot), Workers { count: 7, source: WorkersSource::Settings });
    }

    #[test]
    fn what_has_begun_takes_less_and_what_is_half_done_takes_half() {
        let begun = |more: Value| ask(&one(&[task(1, &more)]), 1).finish.unwrap().after.p50;
        let fresh = begun(json!({"estimate": "4d"}));
        let held = begun(json!({"estimate": "4d", "status": "in_progress",
            "started_at": "2026-10-29T09:00:00Z"}));
        let half = begun(json!({"estimate": "4d", "status": "in_progress", "progress": 50}));
        assert!(held < fresh, "{held} {fresh}");
        assert!(half.minutes().abs_diff(fresh.minutes() / 2) < 20, "{half} {fresh}");
    }

    #[test]
    fn what_is_worked_on_comes_first_and_waits_for_nothing() {
        let documents = [
            milestone(1, &json!({"priority": "critical"}), &[task(1, &json!({"estimate": "9d"}))]),
            milestone(
                2,
                &json!({"priority": "low"}),
                &[task(
                    1,
                    &json!({"status": "in_progress",
                "requires": ["task-001-001"]}),
                )],
            ),
        ];
        let answer = ask(&project(&documents), 1);
        assert_eq!(answer.milestones[0].id, MilestoneId(2));
    }

    #[test]
    fn what_has_no_known_end_is_counted_as_over_and_named() {
        let snapshot = project(&[
            milestone(
                1,
                &json!({}),
                &[
                    task(1, &json!({"status": "blocked", "reason": "no key"})),
                    task(2, &json!({"conditions": ["law_passed"]})),
                    task(3, &json!({"requires": ["task-001"]})),
                    task(4, &json!({"estimate": null})),
                    task(5, &json!({"conditions": ["built"]})),
                    task(6, &json!({"provides": ["built"]})),
                ],
            ),
            milestone(
                2,
                &json!({"dependencies": {"external": ["Legal"]}}),
                &[task(1, &json!({})), task(2, &json!({})), task(3, &json!({}))],
            ),
            milestone(3, &json!({}), &[]),
            milestone(4, &json!({"status": "paused", "duration": "2d"}), &[]),
        ]);
        let answer = ask(&snapshot, 1);
        assert_eq!(answer.milestones.len(), 3);
        assert_eq!(
            said(&answer),
            [
                "task-001-001: blocked: no key; counted as over today",
                "task-001-002: waits for the condition law_passed; counted as over today",
                "task-002-001 and 2 others: waits for Legal (external); counted as over today",
                "milestone-004: paused; counted as over today",
                "task-001-004: not estimated; counted as 4h each",
                "milestone-003: neither tasks nor a duration; counted as nothing",
            ]
        );
    }

    #[test]
    fn no_forecast_has_a_reason() {
        let answer = |snapshot: &Snapshot| {
            let answer = ask(snapshot, 1);
            assert_eq!(answer.finish, None);
            answer.reason.unwrap()
        };
        assert_eq!(answer(&Snapshot::default()), NoForecast::NothingOpen);
        let done = milestone(1, &json!({"status": "completed"}), &[task(1, &json!({}))]);
        assert_eq!(answer(&project(&[done])), NoForecast::NothingOpen);
        assert_eq!(answer(&one(&[])), NoForecast::NothingPlanned);
        let around = one(&[
            task(1, &json!({"requires": ["task-002"]})),
            task(2, &json!({"requires": ["task-001"]})),
        ]);
        assert!(matches!(answer(&around), NoForecast::Cycle { path } if path.len() == 3));
    }

    #[test]
    fn a_chance_is_nothing_or_certain_only_if_it_always_was() {
        let due = |due: &str| milestone(1, &json!({"due": due}), &[task(1, &json!({}))]);
        let chance = |date: &str| ask(&project(&[due(date)]), 1).milestones[0].chance.unwrap();
        assert_eq!((chance("2026-10-30"), chance("2027-11-30")), (0, 100));
        assert!((40..60).contains(&chance("2026-11-02")), "{}", chance("2026-11-02"));
        assert!((90..=99).contains(&chance("2026-11-04")));
    }

    #[test]
    fn no_figure_however_large_breaks_it() {
        let huge = json!({"estimate": {"optimistic": 0, "likely": "520w", "pessimistic": "520w"},
            "start": "9999-12-30"});
        let tasks: Vec<Value> = (1..=40).map(|number| task(number, &huge)).collect();
        let answer = ask(&one(&tasks), 1);
        assert_eq!(answer.finish.unwrap().p95, Date::MAX);
        assert!(answer.histogram.len() <= 41);
        let question = Question {
            workers: Some(0),
            trials: 0,
            only: Some(MilestoneId(1)),
            seed: 0,
            why: true,
        };
        let least = forecast(&one(&[task(1, &json!({"estimate": 0}))]), &question, now(), TODAY);
        assert_eq!((least.trials, least.workers.count), (1, 1));
        assert!(
            forecast(&one(&tasks), &Question { workers: Some(u32::MAX), ..question }, now(), TODAY)
                .finish
                .is_some()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_same_question_has_the_same_answer_and_more_workers_are_never_slower(
            edges in prop::collection::vec((1..12_u32, 1..12_u32), 0..16),
            hours in prop::collection::vec(1..40_u32, 12),
            workers in 1..4_u32,
            seed: u64,
        ) {
            let tasks: Vec<Value> = (1..=12)
                .map(|number| {
                    let before = edges.iter().filter(|(from, to)| *to == number && from < to);
                    let requires: Vec<String> =
                        before.map(|(from, _)| format!("task-{from:03}")).collect();
                    let hours = hours[usize::try_from(number).unwrap() - 1];
                    task(number, &json!({"requires": requires, "estimate": hours}))
                })
                .collect();
            let snapshot = one(&tasks);
            let ask = |workers| {
                let question =
                    Question { workers: Some(workers), trials: 400, seed, ..Question::default() };
                forecast(&snapshot, &question, now(), TODAY)
            };
            let (few, more) = (ask(workers), ask(workers + 1));
            prop_assert_eq!(&few, &ask(workers));
            let (few, more) = (few.finish.unwrap(), more.finish.unwrap());
            prop_assert!(few.p50 <= few.p80 && few.p80 <= few.p95);
            prop_assert!(few.after.p50 <= few.after.p80 && few.after.p80 <= few.after.p95);
            // Another order of work may be unlucky, by a little.
            let limit = f64::from(few.after.p80.minutes()) * 1.05;
            prop_assert!(f64::from(more.after.p80.minutes()) <= limit, "{few:?} {more:?}");
        }
    }
}
