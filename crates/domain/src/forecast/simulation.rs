//! Trials of how work may go: in each, every task takes some time that it might take, and so many
//! workers do one after the other.
//!
//! Sixteen trials go side by side, each step as a row of sixteen numbers, so that the compiler
//! makes vector instructions of it. A block of trials depends on the seed and on its own number
//! and nothing else: the same work with another worker meets the same luck.

use std::f32::consts::LN_2;
use std::f64::consts::LOG2_E;

use super::lognormal::{NORMAL, STEPS, narrow};
use super::network::{Layout, Network, at};
use crate::dice::Dice;

pub(super) const LANES: usize = 16;

/// One figure for each of the trials that go side by side.
pub(super) type Row = [f32; LANES];

/// Everything that is drawn or computed for one block of trials.
pub(super) struct Simulation<'a> {
    network: &'a Network,
    layout: &'a Layout,
    seed: u64,
    /// A work whose length is taken to be known.
    certain: Option<u32>,
    terms: Vec<Term>,
    takes: Vec<Row>,
    start: Vec<Row>,
    finish: Vec<Row>,
    kinds: Vec<Row>,
    milestones: Vec<Row>,
    /// When each worker is free, the earliest first; empty where nobody ever has to wait for one.
    free: Vec<Row>,
}

/// A work as the inner loop needs it: powers of two, in half the width.
struct Term {
    median: f32,
    below: f32,
    above: f32,
    kind: u32,
    milestone: u32,
}

/// A finished block of trials.
pub(super) struct Block<'a> {
    /// By step of the layout.
    pub start: &'a [Row],
    pub finish: &'a [Row],
    /// How many of the trials count; fewer than there are in the last block.
    pub used: usize,
}

impl<'a> Simulation<'a> {
    pub fn new(network: &'a Network, layout: &'a Layout, workers: u32, seed: u64) -> Self {
        let term = |work: &super::network::Work| Term {
            median: narrow(work.left.median.log2()),
            below: narrow(work.left.spread.below * LOG2_E),
            above: narrow(work.left.spread.above * LOG2_E),
            kind: work.kind,
            milestone: work.milestone,
        };
        let zero = [0.0; LANES];
        let scarce = at(workers) < network.works.len();
        Self {
            network,
            layout,
            seed,
            certain: None,
            terms: network.works.iter().map(term).collect(),
            takes: vec![zero; network.works.len()],
            start: vec![zero; layout.steps.len()],
            finish: vec![zero; layout.steps.len()],
            kinds: vec![zero; network.kinds.len()],
            milestones: vec![zero; network.milestones.len()],
            free: if scarce { vec![zero; at(workers.max(1))] } else { Vec::new() },
        }
    }

    /// The same, as if it were known how long one work takes: what is expected.
    pub fn knowing(mut self, work: u32) -> Self {
        self.certain = Some(work);
        self
    }

    /// Runs so many trials and shows each block of them.
    pub fn run(&mut self, trials: u32, mut see: impl FnMut(&Block<'_>)) {
        let mut left = at(trials);
        let mut seeds = Dice::new(self.seed);
        while left > 0 {
            let used = left.min(LANES);
            self.draw(&mut Luck::new(&mut seeds));
            self.schedule();
            see(&Block { start: &self.start, finish: &self.finish, used });
            left -= used;
        }
    }

    /// How long everything takes in these trials.
    fn draw(&mut self, luck: &mut Luck) {
        let overall = luck.normal();
        for (row, doubt) in self.kinds.iter_mut().zip(&self.network.kinds) {
            let own = luck.normal();
            let (shared, alone) = (narrow(doubt.shared * LOG2_E), narrow(doubt.own * LOG2_E));
            for lane in 0..LANES {
                row[lane] = shared * overall[lane] + alone * own[lane];
            }
        }
        for (row, group) in self.milestones.iter_mut().zip(&self.network.milestones) {
            let doubt = narrow(group.doubt * LOG2_E);
            *row = luck.normal().map(|value| doubt * value);
        }
        for (takes, term) in self.takes.iter_mut().zip(&self.terms) {
            let value = luck.normal();
            let (kind, milestone) =
                (&self.kinds[at(term.kind)], &self.milestones[at(term.milestone)]);
            for lane in 0..LANES {
                let side = if value[lane] > 0.0 { term.above } else { term.below };
                let shared = kind[lane] + milestone[lane];
                takes[lane] = exp2(term.median + side * value[lane] + shared);
            }
        }
        if let Some(known) = self.certain {
            self.takes[at(known)] = [exp2(self.terms[at(known)].median); LANES];
        }
    }

    /// Lays everything out in time, each at the earliest that those before it and the workers
    /// allow.
    fn schedule(&mut self) {
        self.free.iter_mut().for_each(|row| *row = [0.0; LANES]);
        for (number, step) in self.layout.steps.iter().enumerate() {
            let mut ready = [step.earliest; LANES];
            for &first in &self.layout.before[at(step.before.start)..at(step.before.end)] {
                later(&mut ready, &self.finish[at(first)]);
            }
            let (start, finish) = match step.work {
                None => (ready, ready),
                Some(work) => occupy(&mut self.free, ready, &self.takes[at(work)]),
            };
            self.start[number] = start;
            self.finish[number] = finish;
        }
    }
}

/// Gives work to a worker: of those who are free by then, to the one who was so last, so that
/// nobody who could do something else is kept waiting.
fn occupy(free: &mut [Row], ready: Row, takes: &Row) -> (Row, Row) {
    let mut start = ready;
    if let Some(first) = free.first() {
        later(&mut start, first);
    }
    let mut finish = start;
    for lane in 0..LANES {
        finish[lane] += takes[lane];
    }
    // One pass takes that worker's time out of the sorted times and puts the new one in.
    let mut carried = finish;
    let mut rows = free;
    while let [row, rest @ ..] = rows {
        let Some(next) = rest.first() else {
            *row = carried;
            break;
        };
        let mut kept = [0.0; LANES];
        for lane in 0..LANES {
            // Both are read first, so that there is nothing to jump over.
            let (this, then) = (row[lane], next[lane]);
            kept[lane] = if then <= start[lane] { this } else { then };
        }
        for lane in 0..LANES {
            let (kept, new) = (kept[lane], carried[lane]);
            row[lane] = if kept < new { kept } else { new };
            carried[lane] = if kept > new { kept } else { new };
        }
        rows = rest;
    }
    (start, finish)
}

fn later(row: &mut Row, other: &Row) {
    for lane in 0..LANES {
        row[lane] = if other[lane] > row[lane] { other[lane] } else { row[lane] };
    }
}

/// Two to a power between -120 and 120, to five digits.
fn exp2(power: f32) -> f32 {
    // Adding this leaves the nearest whole number in the lowest bits.
    const WHOLE: f32 = 12_582_912.0;
    let power = if power > 120.0 { 120.0 } else { power };
    let power = if power < -120.0 { -120.0 } else { power };
    let shifted = power + WHOLE;
    let rest = power - (shifted - WHOLE);
    // The series of the exponential function, as far as half a step in either direction needs.
    let curve = [0.001_333_36, 0.009_618_13, 0.055_504_11, 0.240_226_5, LN_2, 1.0]
        .into_iter()
        .fold(0.0, |sum, coefficient| sum * rest + coefficient);
    // The lowest bits are where the exponent goes.
    let scale = (shifted.to_bits() << 23).wrapping_add(1.0_f32.to_bits());
    curve * f32::from_bits(scale)
}

/// Sixteen sequences of numbers, side by side (Marsaglia's xorshift).
struct Luck([u32; LANES]);

impl Luck {
    fn new(seeds: &mut Dice) -> Self {
        Self([(); LANES].map(|()| u32::try_from(seeds.roll() >> 32).unwrap_or(1).max(1)))
    }

    /// Draws a normal value for each trial.
    fn normal(&mut self) -> Row {
        let table = &*NORMAL;
        let mut row = [0.0; LANES];
        for state in &mut self.0 {
            *state ^= *state << 13;
            *state ^= *state >> 17;
            *state ^= *state << 5;
        }
        for (value, state) in row.iter_mut().zip(&self.0) {
            *value = table[at(state >> 21) % STEPS];
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn powers_of_two_are_right_to_five_digits() {
        for step in -9_000_i16..9_000 {
            let power = f32::from(step) / 500.0;
            let exact = f64::from(power).exp2();
            assert!((f64::from(exp2(power)) / exact - 1.0).abs() < 5e-6, "{power}");
        }
        assert!(exp2(1e9).is_finite() && exp2(-1e9) > 0.0);
    }

    #[test]
    fn luck_is_normal_and_no_trial_knows_of_another() {
        let mut luck = Luck::new(&mut Dice::new(1));
        let rows: Vec<Row> = (0..4_000).map(|_| luck.normal()).collect();
        let mean = |value: &dyn Fn(&Row, usize) -> f32| {
            let count = f64::from(u32::try_from(rows.len() * LANES).unwrap());
            let sum = rows
                .iter()
                .flat_map(|row| (0..LANES).map(move |lane| value(row, lane)))
                .map(f64::from);
            sum.sum::<f64>() / count
        };
        assert!(mean(&|row, lane| row[lane]).abs() < 0.02);
        assert!((mean(&|row, lane| row[lane] * row[lane]) - 1.0).abs() < 0.02);
        assert!(mean(&|row, lane| row[lane] * row[(lane + 1) % LANES]).abs() < 0.02);
        // Nor does what comes after.
        let after = rows.windows(2).map(|pair| f64::from(pair[0][3] * pair[1][3])).sum::<f64>();
        assert!((after / 4_000.0).abs() < 0.06);
    }

    proptest! {
        /// One pass over sorted times does what anybody would do by hand: of those who are free
        /// by then, take the one who was so last; if nobody is, the first to be.
        #[test]
        fn work_goes_to_whom_anybody_would_give_it(
            works in prop::collection::vec((0..60_u16, 1..40_u16), 1..30),
            workers in 1..6_usize,
        ) {
            let mut free = vec![[0.0; LANES]; workers];
            let mut by_hand = vec![0_u16; workers];
            for (ready, takes) in works {
                let (start, finish) =
                    occupy(&mut free, [f32::from(ready); LANES], &[f32::from(takes); LANES]);
                let begun = ready.max(by_hand.iter().copied().min().unwrap());
                let able = by_hand.iter_mut().filter(|free| **free <= begun);
                *able.max_by_key(|free| **free).unwrap() = begun + takes;
                by_hand.sort_unstable();
                let times: Vec<f32> = by_hand.iter().map(|free| f32::from(*free)).collect();
                for lane in 0..LANES {
                    let expected = [f32::from(begun), f32::from(begun + takes)].map(f32::to_bits);
                    prop_assert_eq!([start[lane], finish[lane]].map(f32::to_bits), expected);
                    prop_assert_eq!(free.iter().map(|row| row[lane]).collect::<Vec<_>>(), times.clone());
                }
            }
        }
    }
}
