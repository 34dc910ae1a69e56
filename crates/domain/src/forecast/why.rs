//! Why the date is what it is: what decides it, and what one more worker would change.

use super::network::{Layout, Network, at};
use super::simulation::{Block, LANES, Row, Simulation};

/// Trials in which it is looked at what decided their end.
pub(super) const TRACED_TRIALS: u32 = 512;

/// Trials of each "what if".
pub(super) const WHAT_IF_TRIALS: u32 = 768;

/// In how many trials each node was a link of the chain that decided the end.
pub(super) struct Chains {
    pub traced: u32,
    pub links: Vec<u32>,
}

impl Chains {
    pub fn new(network: &Network) -> Self {
        Self { traced: 0, links: vec![0; network.nodes.len()] }
    }

    /// Goes back from the end of each trial: what ended when the next began is what it waited for.
    pub fn trace(&mut self, network: &Network, layout: &Layout, block: &Block<'_>, ends: &[u32]) {
        for lane in 0..block.used.min(LANES) {
            let finish = |step: &u32| block.finish[at(*step)][lane];
            let last = ends.iter().copied().max_by(|a, b| finish(a).total_cmp(&finish(b)));
            let mut link = last;
            while let Some(step) = link {
                let began = block.start[at(step)][lane];
                let laid = &layout.steps[at(step)];
                link = waited_for(layout, block.finish, lane, step, began);
                // A start or end of a milestone decides something only by its own date.
                if laid.work.is_some() || (link.is_none() && began > 0.0) {
                    self.links[at(laid.node)] += 1;
                }
            }
            self.traced += 1;
        }
        debug_assert_eq!(self.links.len(), network.nodes.len());
    }

    pub fn percent(&self, node: u32) -> u32 {
        (self.links[at(node)] * 100 + self.traced / 2).checked_div(self.traced).unwrap_or(0)
    }
}

/// The step that a step waited for: one that it requires, or else the work that kept its worker.
///
/// A start is the very number that some finish was, so equal means the same and not by chance.
fn waited_for(layout: &Layout, finish: &[Row], lane: usize, step: u32, began: f32) -> Option<u32> {
    if began <= 0.0 {
        return None;
    }
    let laid = &layout.steps[at(step)];
    let ended = |other: &u32| finish[at(*other)][lane].to_bits() == began.to_bits();
    let before = &layout.before[at(laid.before.start)..at(laid.before.end)];
    let required = before.iter().copied().find(ended);
    let earlier = (0..step).rev().filter(|other| layout.steps[at(*other)].work.is_some());
    required.or_else(|| {
        let waits_for_worker = laid.work.is_some() && began > laid.earliest;
        waits_for_worker.then(|| earlier.into_iter().find(|other| ended(other))).flatten()
    })
}

/// How the end of everything lies in so many trials, in minutes, earliest first.
pub(super) fn ends(simulation: &mut Simulation<'_>, ends: &[u32], trials: u32) -> Vec<f32> {
    let mut totals = Vec::with_capacity(at(trials));
    simulation.run(trials, |block| totals.extend(&total(block, ends)[..block.used]));
    totals.sort_unstable_by(f32::total_cmp);
    totals
}

/// When the last of these ends, in each trial of a block.
pub(super) fn total(block: &Block<'_>, ends: &[u32]) -> Row {
    let mut row = [0.0_f32; LANES];
    for &step in ends {
        for (latest, finish) in row.iter_mut().zip(&block.finish[at(step)]) {
            *latest = latest.max(*finish);
        }
    }
    row
}

/// The figure that so many hundredths of the trials stay within; they are sorted.
pub(super) fn percentile(sorted: &[f32], percent: usize) -> f32 {
    let position = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(position).copied().unwrap_or(0.0)
}
