//! What the past teaches about estimates: how much longer work takes than was thought, and how
//! far it strays.
//!
//! Everything is in logarithms, where twice as long and half as long are equally far away, and
//! rests on medians: one task that was forgotten over a holiday teaches nothing.

use std::collections::{BTreeMap, HashMap};

use schemars::JsonSchema;
use serde::Serialize;

use super::Percentiles;
use super::lognormal::{Lognormal, Spread, stated_spread};
use crate::effort::{Effort, Estimate};
use crate::ids::MilestoneId;
use crate::limits::{
    CORRECTION_FACTOR_MAX, CORRECTION_SAMPLES_MAX, CORRECTION_SAMPLES_MIN, CORRECTION_SPREAD_MAX,
    CORRECTION_SPREAD_MIN,
};
use crate::past::Sample;

/// How far the habits of people who estimate lie apart, before anything is known of these people.
const HABITS: f64 = 0.35;

/// How far the kinds of work of one project lie apart.
const KINDS: f64 = 0.25;

/// How much the tasks of one milestone go well or badly together, before history shows it.
const TOGETHER: f64 = 0.2;

/// How many tasks, or milestones, weigh as much as what was believed before there were any.
const PRIOR_TASKS: f64 = 10.0;
const PRIOR_MILESTONES: f64 = 10.0;

/// What lies beyond this share of the samples, at either end, does not bear on how far tasks stray;
/// and where that share ends, in deviations.
const OUTER: f64 = 0.85;
const OUTER_DEVIATIONS: f64 = 1.036_433_389_493_789_6;

/// What the past says about estimates: of all tasks, and of each kind that there were enough of.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Corrections {
    pub overall: Correction,
    /// Kinds of which enough is known; every other one goes by the overall correction.
    pub kinds: BTreeMap<String, Correction>,
    /// How many more completed tasks are needed before estimates are corrected; 0 once they are.
    pub missing: u32,
    /// By how much, as the deviation of a logarithm, the tasks of a milestone go well or badly
    /// together: no sum of many tasks is surer than this.
    pub together: f64,
    /// How open milestones have gone so far, against what was to be expected.
    #[serde(skip)]
    standing: HashMap<MilestoneId, Lean>,
}

/// How long some tasks took, against their estimates.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Correction {
    /// What an estimate is multiplied by; 1 where nothing is known.
    pub factor: f64,
    /// What the doubt that estimates state is multiplied by where things go better than expected,
    /// and where they go worse.
    pub below: f64,
    pub above: f64,
    /// How many completed tasks this rests on.
    pub sample_size: u32,
    /// How sure the factor itself is, as the deviation of its logarithm.
    #[serde(skip)]
    doubt: f64,
    /// How much of the doubt about the overall factor is in this one.
    #[serde(skip)]
    inherited: f64,
}

/// How a milestone goes, as the mean and deviation of a logarithm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lean {
    pub mean: f64,
    pub doubt: f64,
}

/// One sample: what it took against its estimate, and the doubt that its estimate stated.
struct Residual<'a> {
    kind: Option<&'a str>,
    milestone: MilestoneId,
    off: f64,
    stated: f64,
}

impl Corrections {
    /// Learns from completed tasks, the latest last; older ones than the last sixty of a kind,
    /// and three times as many of all, say little about today.
    pub fn learn(samples: &[Sample]) -> Self {
        let residuals: Vec<Residual<'_>> = samples.iter().filter_map(Residual::of).collect();
        let latest = |count: usize| residuals.len().saturating_sub(count);
        let recent = &residuals[latest(CORRECTION_SAMPLES_MAX * 3)..];
        let overall = Correction::learn(&recent.iter().collect::<Vec<_>>(), None);
        let mut by_kind: BTreeMap<&str, Vec<&Residual<'_>>> = BTreeMap::new();
        for residual in &residuals {
            if let Some(kind) = residual.kind {
                by_kind.entry(kind).or_default().push(residual);
            }
        }
        let kinds = by_kind.into_iter().filter_map(|(kind, all)| {
            let recent = &all[all.len().saturating_sub(CORRECTION_SAMPLES_MAX)..];
            let enough = recent.len() >= CORRECTION_SAMPLES_MIN as usize;
            enough.then(|| (kind.to_owned(), Correction::learn(recent, Some(&overall))))
        });
        let missing = CORRECTION_SAMPLES_MIN.saturating_sub(overall.sample_size);
        let mut this = Self {
            overall,
            kinds: kinds.collect(),
            missing,
            together: TOGETHER,
            standing: HashMap::new(),
        };
        this.learn_milestones(recent);
        this
    }

    /// The correction that goes for a kind of task.
    pub fn of(&self, kind: Option<&str>) -> &Correction {
        kind.and_then(|kind| self.kinds.get(kind)).unwrap_or(&self.overall)
    }

    /// How long a task of this kind with this estimate is going to take, once it is begun.
    pub fn duration(&self, kind: Option<&str>, estimate: Estimate) -> Percentiles {
        let correction = self.of(kind);
        let shared = self.together.hypot(correction.whole_doubt(&self.overall));
        let whole = self.own(kind, estimate).and(shared);
        Percentiles::of(|share| whole.quantile(share))
    }

    /// The part of that which has nothing to do with any other task.
    pub(super) fn own(&self, kind: Option<&str>, estimate: Estimate) -> Lognormal {
        let correction = self.of(kind);
        let corrected = Lognormal::of(estimate).times(correction.factor);
        let stated = stated_spread(estimate);
        let all = Spread { below: stated * correction.below, above: stated * correction.above };
        // What history shows of a task's straying includes what its milestone shares.
        let own =
            |all: f64| (all * all - self.together * self.together).max(all * all / 4.0).sqrt();
        Lognormal { spread: all.map(own), ..corrected }
    }

    /// How a milestone leans, as far as its finished tasks show.
    pub(super) fn lean(&self, milestone: MilestoneId) -> Lean {
        let unknown = Lean { mean: 0.0, doubt: self.together };
        self.standing.get(&milestone).copied().unwrap_or(unknown)
    }

    /// How far apart milestones lie, and where each of them stands.
    fn learn_milestones(&mut self, residuals: &[Residual<'_>]) {
        let mut groups: HashMap<MilestoneId, Vec<f64>> = HashMap::new();
        for residual in residuals {
            let correction = self.of(residual.kind);
            let off = residual.off - correction.factor.ln();
            // Winsorised: a single disaster is not how a milestone goes.
            let bound = 2.0 * residual.stated * f64::midpoint(correction.below, correction.above);
            groups.entry(residual.milestone).or_default().push(off.clamp(-bound, bound));
        }
        let (variance, within) = between(groups.values());
        let groups_known = f64::from(count(groups.values().filter(|group| group.len() > 1)));
        let weight = groups_known / (groups_known + PRIOR_MILESTONES);
        let squared = weight * variance + (1.0 - weight) * TOGETHER * TOGETHER;
        self.together = squared.sqrt();
        let lean = |group: Vec<f64>| {
            let known = f64::from(count(group.iter())) * squared / within.max(0.01);
            let weight = known / (known + 1.0);
            Lean { mean: weight * mean(&group), doubt: (squared * (1.0 - weight)).sqrt() }
        };
        self.standing = groups.into_iter().map(|(id, group)| (id, lean(group))).collect();
    }
}

impl Correction {
    /// Estimates, taken at their word.
    const NONE: Self =
        Self { factor: 1.0, below: 1.0, above: 1.0, sample_size: 0, doubt: HABITS, inherited: 0.0 };

    /// Learns from some tasks, starting from what is known of all tasks, or from nothing.
    fn learn(residuals: &[&Residual<'_>], overall: Option<&Self>) -> Self {
        let sample_size = count(residuals.iter());
        let base = overall.copied().unwrap_or(Self::NONE);
        let apart = if overall.is_some() { KINDS } else { HABITS };
        let inherited = if overall.is_some() { 1.0 } else { 0.0 };
        if sample_size < CORRECTION_SAMPLES_MIN {
            return Self { sample_size, doubt: apart, inherited, ..Self::NONE };
        }
        let n = f64::from(sample_size);
        let centre = quantile(residuals.iter().map(|it| it.off), 0.5);
        let strayed = || residuals.iter().map(|it| (it.off - centre) / it.stated);
        let spread = |seen: f64, believed: f64| {
            let weight = n / (n + PRIOR_TASKS);
            let seen = seen.max(CORRECTION_SPREAD_MIN).ln();
            let spread = (weight * seen + (1.0 - weight) * believed.ln()).exp();
            spread.clamp(CORRECTION_SPREAD_MIN, CORRECTION_SPREAD_MAX)
        };
        let below = spread(-quantile(strayed(), 1.0 - OUTER) / OUTER_DEVIATIONS, base.below);
        let above = spread(quantile(strayed(), OUTER) / OUTER_DEVIATIONS, base.above);
        let stated = quantile(residuals.iter().map(|it| it.stated), 0.5);
        // The variance of a median, against how far apart things were before: what was believed
        // weighs as much as that many tasks.
        let straying = stated * f64::midpoint(below, above);
        let variance = straying * straying * std::f64::consts::FRAC_PI_2;
        let weight = n / (n + variance / (apart * apart));
        let bound = CORRECTION_FACTOR_MAX.ln();
        let factor = weight * centre + (1.0 - weight) * base.factor.ln();
        Self {
            factor: thousandths(factor.clamp(-bound, bound).exp()),
            below: thousandths(below),
            above: thousandths(above),
            sample_size,
            doubt: apart * (1.0 - weight).sqrt(),
            inherited: inherited * (1.0 - weight),
        }
    }

    /// What of the doubt about the factor is shared with every kind, and what with its own only.
    pub(super) fn doubts(&self, overall: &Self) -> (f64, f64) {
        if std::ptr::eq(self, overall) {
            return (self.doubt, 0.0);
        }
        (self.inherited * overall.doubt, self.doubt)
    }

    fn whole_doubt(&self, overall: &Self) -> f64 {
        let (shared, own) = self.doubts(overall);
        shared.hypot(own)
    }
}

impl<'a> Residual<'a> {
    fn of(sample: &'a Sample) -> Option<Self> {
        let estimated = sample.estimate.expected();
        let known = estimated > Effort::default() && sample.actual > Effort::default();
        known.then(|| Self {
            kind: sample.kind.as_deref(),
            milestone: sample.task.milestone,
            off: (f64::from(sample.actual.minutes()) / f64::from(estimated.minutes())).ln(),
            stated: stated_spread(sample.estimate),
        })
    }
}

impl Percentiles {
    fn of(quantile: impl Fn(f64) -> f64) -> Self {
        let effort = |share: f64| super::effort(super::lognormal::narrow(quantile(share)));
        Self { p50: effort(0.5), p80: effort(0.8), p95: effort(0.95) }
    }
}

/// How far the groups' means lie apart beyond what chance explains, and what lies within groups;
/// as variances. What is common to all groups has been taken away before.
fn between<'a>(groups: impl Iterator<Item = &'a Vec<f64>> + Clone) -> (f64, f64) {
    let groups = groups.filter(|group| group.len() > 1);
    let (mut within, mut freedom) = (0.0, 0.0);
    for group in groups.clone() {
        let mean = mean(group);
        within += group.iter().map(|off| (off - mean).powi(2)).sum::<f64>();
        freedom += f64::from(count(group.iter())) - 1.0;
    }
    let within = within / f64::max(freedom, 1.0);
    let (mut apart, mut weights) = (0.0, 0.0);
    for group in groups {
        let n = f64::from(count(group.iter()));
        apart += n * (mean(group).powi(2) - within / n);
        weights += n;
    }
    ((apart / f64::max(weights, 1.0)).max(0.0), within)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / f64::from(count(values.iter())).max(1.0)
}

/// The value that this share of the values stays below, between two of them where it falls there.
fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let position = share * f64::from(count(values.iter()).saturating_sub(1));
    let mut below = 0.0;
    let mut last = values.first().copied().unwrap_or(0.0);
    for value in values {
        if below >= position {
            return value + (last - value) * (below - position).clamp(0.0, 1.0);
        }
        (below, last) = (below + 1.0, value);
    }
    last
}

/// A figure as it is shown.
fn thousandths(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ids::TaskId;

    /// Tasks of a kind that took these percents of their estimates.
    fn samples(kind: &str, percents: &[u32]) -> Vec<Sample> {
        let sample = |(number, percent): (u32, &u32)| Sample {
            task: TaskId::new(MilestoneId(1 + number % 3), number),
            kind: Some(kind.to_owned()),
            estimate: Estimate::Single(Effort::from_minutes(1_000)),
            actual: Effort::from_minutes(percent * 10),
            completed_at: Timestamp::UNIX_EPOCH,
        };
        (1..).zip(percents).map(sample).collect()
    }

    #[test]
    fn a_few_tasks_teach_nothing_and_it_is_said_how_many_would() {
        let corrections = Corrections::learn(&samples("test", &[200; 4]));
        assert_eq!((corrections.missing, corrections.overall.sample_size), (1, 4));
        assert_eq!(corrections.overall.factor.to_bits(), 1.0_f64.to_bits());
        assert!(corrections.kinds.is_empty());
        let corrections = Corrections::learn(&samples("test", &[200; 5]));
        assert_eq!(corrections.missing, 0);
        assert!(corrections.overall.factor > 1.3, "{corrections:?}");
    }

    #[test]
    fn the_more_tasks_the_nearer_to_what_they_show() {
        let percents = [120, 150, 160, 170, 220];
        let factor = |times: usize| {
            let corrections = Corrections::learn(&samples("test", &percents.repeat(times)));
            corrections.of(Some("test")).factor
        };
        let (few, many) = (factor(1), factor(12));
        assert!(1.2 < few && few < many && many < 1.6 && 1.55 < many, "{few} {many}");
    }

    #[test]
    fn kinds_have_their_own_and_others_go_by_all() {
        let mut all = samples("test", &[200; 20]);
        all.extend(samples("docs", &[50; 20]));
        all.extend(samples("rare", &[300; 2]));
        let corrections = Corrections::learn(&all);
        assert!(corrections.of(Some("test")).factor > 1.7);
        assert!(corrections.of(Some("docs")).factor < 0.6);
        assert_eq!(corrections.of(Some("rare")), &corrections.overall);
        assert_eq!(corrections.of(None).sample_size, 42);
    }

    #[test]
    fn one_disaster_teaches_little_and_no_factor_is_beyond_bounds() {
        let mut percents = vec![90, 95, 100, 105, 110, 100, 95, 105];
        let without = Corrections::learn(&samples("test", &percents));
        percents.push(100_000);
        let with = Corrections::learn(&samples("test", &percents));
        assert!((with.overall.factor - without.overall.factor).abs() < 0.05);
        let wild = Corrections::learn(&samples("test", &[1_000_000; 60]));
        assert!(wild.of(Some("test")).factor <= CORRECTION_FACTOR_MAX);
        let never = Corrections::learn(&samples("test", &[0; 60]));
        assert_eq!(never.overall.sample_size, 0);
    }

    #[test]
    fn work_that_surprises_upwards_is_doubted_upwards() {
        let percents = [90, 95, 98, 100, 100, 102, 105, 250, 300, 400].repeat(6);
        let corrections = Corrections::learn(&samples("test", &percents));
        let Correction { below, above, .. } = corrections.overall;
        assert!(above > 2.0 * below, "{corrections:?}");
        let said =
            corrections.duration(Some("test"), Estimate::Single(Effort::from_minutes(1_000)));
        assert!(said.p50 < said.p80 && said.p80 < said.p95, "{said:?}");
    }

    #[test]
    fn a_milestone_that_goes_badly_goes_on_so() {
        let mut all = Vec::new();
        for milestone in 1..=20 {
            let percent = if milestone % 2 == 0 { 150 } else { 67 };
            let mut tasks = samples("test", &[percent - 5, percent, percent + 5]);
            tasks.iter_mut().for_each(|sample| sample.task.milestone = MilestoneId(milestone));
            all.extend(tasks);
        }
        let corrections = Corrections::learn(&all);
        let lean = |number| corrections.lean(MilestoneId(number));
        assert!(lean(20).mean > 0.25 && lean(19).mean < -0.25, "{corrections:?}");
        assert!(lean(20).doubt < lean(99).doubt);
        assert!(corrections.together > 0.3);
    }
}
