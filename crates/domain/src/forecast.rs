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
}

impl Default for Question {
    /// As many trials as it takes for P95 not to hang on luck by more than half a percent.
    fn default() -> Self {
        Self { only: None, workers: None, trials: 2_000, seed: 20_261_102 }
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
            if chains.traced < why::TRACED_TRIALS {
                chains.trace(self.network, &layout, block, &steps);
            }
        });
        // The first trials are those that every "what if" meets again.
        let mut base = totals[..totals.len().min(at(why::WHAT_IF_TRIALS))].to_vec();
        base.sort_unstable_by(f32::total_cmp);
        totals.sort_unstable_by(f32::total_cmp);
        let finish = self.quantiles(&totals);
        let more = self.one_more_worker(&base, &totals);
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
            drivers: self.drivers(&chains, &layout, &base),
            one_more_worker: more.as_ref().ok().cloned(),
            no_gain: more.err(),
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
            doubt: effort(doubt),
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
        let (p50_gain, p80_gain) = (effort(gain(50)), effort(gain(80)));
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

fn effort_of(minutes: u64) -> Effort {
    Effort::from_minutes(u32::try_from(minutes).unwrap_or(u32::MAX))
}
