//! How long something may take: an amount whose logarithm is normal on either side of its middle,
//! so that half and double may be equally likely, and need not be.

use std::sync::LazyLock;

use crate::effort::{Effort, Estimate};

/// The doubt in one figure that nobody gave three points: one time in five it takes half as long
/// again, one time in twenty more than double.
const SINGLE_SPREAD: f64 = 0.5;

/// Three points are read as "one time in ten it is less" and "one time in ten it is more".
const TENTH: f64 = 1.281_551_565_544_600_4;

/// Nobody knows to a tenth how long work takes, whatever the three points say.
const SPREAD_MIN: f64 = 0.1;

/// Beyond this, best and worst differ by a factor of twenty: that says "no idea", and no more.
const SPREAD_MAX: f64 = 1.2;

/// How many standard deviations late something in progress is taken to be, at most; what is later
/// than that was forgotten rather than worked on.
const LATE_MAX: f64 = 6.0;

/// An amount of working time in minutes of which only the odds are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lognormal {
    /// As likely to be more as to be less.
    pub median: f64,
    pub spread: Spread,
}

/// How far an amount strays to either side: deviations of its logarithm.
///
/// Work surprises more by what it takes than by what it saves, so these are two.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    pub below: f64,
    pub above: f64,
}

impl Lognormal {
    /// What an estimate says, taken at its word: as likely to be more as less than expected, with
    /// the doubt that the distance between best and worst tells.
    pub fn of(estimate: Estimate) -> Self {
        let stated = stated_spread(estimate);
        let spread = Spread { below: stated, above: stated };
        Self { median: at_least_a_minute(estimate.expected()), spread }
    }

    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self { median: self.median * factor, ..self }
    }

    /// With a further doubt that has nothing to do with the first.
    #[must_use]
    pub fn and(self, doubt: f64) -> Self {
        Self { spread: self.spread.map(|side| side.hypot(doubt)), ..self }
    }

    pub fn quantile(self, share: f64) -> f64 {
        self.at(normal_quantile(share))
    }

    /// The amount at so many deviations from the middle.
    fn at(self, deviations: f64) -> f64 {
        let side = if deviations > 0.0 { self.spread.above } else { self.spread.below };
        self.median * (side * deviations).exp()
    }

    /// What is left after so many minutes in which it did not get done.
    ///
    /// The longer something has taken already, the longer it is going to take: that it is not one
    /// of the short ones is known by now.
    #[must_use]
    pub fn left_after(self, elapsed: f64) -> Self {
        self.given(elapsed, |whole| (whole - elapsed).max(1.0))
    }

    /// How long it takes in all, given that it takes longer than this.
    #[must_use]
    pub fn exceeding(self, elapsed: f64) -> Self {
        self.given(elapsed, |whole| whole)
    }

    /// The odds of something that hangs on the whole, once the whole is known to exceed a time.
    fn given(self, elapsed: f64, figure: impl Fn(f64) -> f64) -> Self {
        if elapsed < 1.0 {
            return self;
        }
        let late = (elapsed / self.median).ln();
        let late = late / if late > 0.0 { self.spread.above } else { self.spread.below };
        // What is later than anybody would believe is measured from where it is.
        let reached = late.min(LATE_MAX);
        let moved = if late > LATE_MAX { elapsed / self.at(LATE_MAX) } else { 1.0 };
        let unfinished = normal_tail(reached);
        let at = |share: f64| figure(moved * self.at(-normal_quantile(unfinished * (1.0 - share))));
        let [few, median, most] = [0.2, 0.5, 0.8].map(at);
        let deviations = normal_quantile(0.8);
        let spread = Spread {
            below: (median / few).ln() / deviations,
            above: (most / median).ln() / deviations,
        };
        Self { median, spread: spread.map(|side| side.max(SPREAD_MIN)) }
    }
}

impl Spread {
    #[must_use]
    pub fn map(self, change: impl Fn(f64) -> f64) -> Self {
        Self { below: change(self.below), above: change(self.above) }
    }
}

/// How far an estimate itself says that it may be off, to either side.
pub fn stated_spread(estimate: Estimate) -> f64 {
    let Estimate::ThreePoint(points) = estimate else { return SINGLE_SPREAD };
    let (best, worst) = (points.optimistic(), points.pessimistic());
    let range = at_least_a_minute(worst) / at_least_a_minute(best);
    (range.ln() / (2.0 * TENTH)).clamp(SPREAD_MIN, SPREAD_MAX)
}

fn at_least_a_minute(effort: Effort) -> f64 {
    f64::from(effort.minutes().max(1))
}

/// The value that a normal variable stays below with this probability.
pub fn normal_quantile(share: f64) -> f64 {
    let share = share.clamp(1e-300, 1.0 - f64::EPSILON);
    if share > 0.5 {
        return -normal_quantile(1.0 - share);
    }
    // Newton's method on the logarithm of the tail, which is concave: begun beyond the root, it
    // comes down to it and never passes it.
    let mut value = (-2.0 * share.ln()).sqrt();
    for _ in 0..50 {
        let tail = normal_tail(value);
        let step = (share / tail).ln() * tail / normal_density(value);
        value -= step;
        if step.abs() < 1e-12 {
            break;
        }
    }
    -value
}

/// The probability that a normal variable exceeds a value.
fn normal_tail(value: f64) -> f64 {
    if value < 0.0 {
        return 1.0 - normal_tail(-value);
    }
    if value > 2.5 {
        let fraction = (1..=60).rev().fold(value, |rest, n| value + f64::from(n) / rest);
        return normal_density(value) / fraction;
    }
    let mut term = value;
    let mut sum = value;
    for odd in (3..100).step_by(2) {
        term *= value * value / f64::from(odd);
        sum += term;
    }
    0.5 - normal_density(value) * sum
}

fn normal_density(value: f64) -> f64 {
    (-0.5 * value * value).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// How fine the table of the normal distribution is; it stays in the nearest cache.
pub const STEPS: usize = 2048;

/// Values of a normal variable, each as likely as the other: a random index is a random value.
pub static NORMAL: LazyLock<[f32; STEPS]> = LazyLock::new(|| {
    let mut table = [0.0; STEPS];
    for (value, number) in table.iter_mut().zip(0_u32..) {
        *value = narrow(normal_quantile((f64::from(number) + 0.5) / 2048.0));
    }
    table
});

/// What is simulated ten million times is so in half the width.
#[expect(clippy::cast_possible_truncation, reason = "minutes need no more than seven digits")]
pub fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::effort::ThreePoint;

    fn points(o: u32, l: u32, p: u32) -> Estimate {
        let [o, l, p] = [o, l, p].map(Effort::from_minutes);
        Estimate::ThreePoint(ThreePoint::new(o, l, p).unwrap())
    }

    #[test]
    fn the_normal_distribution_as_in_every_table() {
        for (share, value) in
            [(0.5, 0.0), (0.8, 0.841_621), (0.9, 1.281_552), (0.95, 1.644_854), (0.001, -3.090_232)]
        {
            assert!((normal_quantile(share) - value).abs() < 1e-6, "{share}");
        }
        assert!((normal_tail(2.5) - 0.006_209_665).abs() < 1e-9);
        assert!((normal_tail(2.500_001) - 0.006_209_648).abs() < 1e-9);
        assert!((normal_tail(6.0) / 9.865_876e-10 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn three_points_are_a_tenth_the_mean_and_nine_tenths() {
        let work = Lognormal::of(points(120, 240, 960));
        assert!((work.median - 340.0).abs() < 1e-9);
        assert!(
            (work.quantile(0.1) - 120.0).abs() < 1.0 && (work.quantile(0.9) - 960.0).abs() < 5.0
        );
    }

    #[test]
    fn no_estimate_is_certain_or_without_bounds() {
        assert!(stated_spread(points(60, 60, 60)) >= SPREAD_MIN);
        assert!(stated_spread(points(0, 60, 1_000_000)) <= SPREAD_MAX);
        assert!(Lognormal::of(Estimate::Single(Effort::default())).median >= 1.0);
    }

    #[test]
    fn the_table_has_the_mean_and_deviation_of_the_distribution() {
        let count = f64::from(u32::try_from(STEPS).unwrap());
        let moment = |power| NORMAL.iter().map(|z| f64::from(*z).powi(power)).sum::<f64>() / count;
        assert!(moment(1).abs() < 1e-6 && (moment(2) - 1.0).abs() < 0.005);
    }

    #[test]
    fn what_is_late_is_going_to_be_later() {
        let work = Lognormal { median: 480.0, spread: Spread { below: 0.5, above: 0.5 } };
        let left: Vec<f64> =
            [0.0, 60.0, 480.0, 960.0, 4_800.0].map(|e| work.left_after(e).median).to_vec();
        assert!(left[1] < left[0] && left[2] < left[1], "{left:?}");
        assert!(left[3] > 120.0 && left[4] > left[3], "{left:?}");
        assert!(work.left_after(1e9).median.is_finite());
    }

    proptest! {
        #[test]
        fn what_is_left_agrees_with_trying(elapsed in 1.0..2_000.0_f64, spread in 0.2..1.0_f64) {
            let work = Lognormal { median: 480.0, spread: Spread { below: spread / 2.0, above: spread } };
            let all = NORMAL.iter().map(|z| work.at(f64::from(*z)));
            let mut left: Vec<f64> =
                all.filter(|taken| *taken > elapsed).map(|taken| taken - elapsed).collect();
            prop_assume!(left.len() > 100);
            left.sort_by(f64::total_cmp);
            let fitted = work.left_after(elapsed);
            let [half, most] = [left[left.len() / 2], left[left.len() * 4 / 5]];
            prop_assert!((fitted.median / half).ln().abs() < 0.1, "{} {half}", fitted.median);
            prop_assert!((fitted.quantile(0.8) / most).ln().abs() < 0.1);
        }
    }
}
