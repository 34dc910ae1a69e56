//! A whole team in one thread: workers that die, sleep and lose answers, and people who edit
//! meanwhile, all decided by a seed, on a store in memory. [`check`](checker::check) then reads
//! what happened and says whether it was right.

pub mod checker;
mod people;
#[cfg(test)]
pub(crate) mod tests;
mod worker;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use milestone_domain::command::{Command, Context};
use milestone_domain::decide::decide;
use milestone_domain::event::{ChangeId, Event, Recorded, Stream};
use milestone_domain::ids::TaskId;
use milestone_domain::needs::needs;
use milestone_domain::random::Dice;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;

use crate::memory::{Clock, Memory};
use crate::{Change, EventFilter, Result, Store, StoreError};
use checker::{Lease, Leases};
use worker::Worker;

/// How long a claim lasts here, in milliseconds.
const LEASE: u64 = 60_000;

/// Steps with faults, and the most that the work may take when they have stopped.
const STORMY_STEPS: u32 = 200;
const CALM_STEPS: u32 = 4_000;

/// What a run left behind: what happened, and what only the store knew about leases.
#[derive(Debug)]
pub struct Run {
    pub history: Vec<Recorded>,
    pub leases: Leases,
    /// Whether all work was done when the faults had stopped.
    pub finished: bool,
}

/// Runs the team that a seed makes.
pub fn run(seed: u64) -> Result<Run> {
    let mut world = World::new(seed);
    let mut workers: Vec<Worker> = (0..2 + world.dice.below(4)).map(Worker::new).collect();
    people::plan(&mut world)?;
    let mut finished = false;
    for step in 0..STORMY_STEPS + CALM_STEPS {
        world.calm = step >= STORMY_STEPS;
        world.pass();
        if world.dice.percent(if world.calm { 15 } else { 20 }) {
            people::step(&mut world)?;
        }
        let turn = usize::try_from(world.dice.below(workers.len() as u64)).unwrap_or(0);
        if let Some(worker) = workers.get_mut(turn) {
            worker.step(&mut world)?;
        }
        if world.calm && step % 16 == 0 && world.is_finished()? {
            finished = true;
            break;
        }
    }
    let history = world.store.events(None, &EventFilter::default(), usize::MAX)?.events;
    Ok(Run { history, leases: world.leases, finished })
}

/// What all that take part share: the store, its clock, and chance.
struct World {
    dice: Dice,
    clock: Clock,
    store: Memory,
    calm: bool,
    /// How far the clocks on people's walls are off, in seconds.
    wall: i64,
    leases: Leases,
}

/// What became of a change.
enum Sent {
    Kept,
    Stale,
    /// It was kept, and nobody said so.
    NoAnswer,
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = Clock::default();
        let store = Memory::with_clock(clock.clone());
        let leases = Leases { granted: BTreeMap::new(), renewed: Vec::new() };
        Self { dice: Dice::new(seed), clock, store, calm: false, wall: 0, leases }
    }

    /// A little time goes by, sometimes much; wall clocks jump as they like.
    fn pass(&mut self) {
        let bound = if self.dice.percent(5) { LEASE * 2 } else { LEASE / 20 };
        self.clock.pass(Duration::from_millis(self.dice.below(bound)));
        if !self.calm && self.dice.percent(3) {
            let ten_years = 10 * 365 * 24 * 3600;
            self.wall = i64::try_from(self.dice.below(2 * ten_years)).unwrap_or(0)
                - i64::try_from(ten_years).unwrap_or(0);
        }
    }

    fn context(&mut self, actor: &str) -> Context {
        let seconds = i64::try_from(self.clock.millis() / 1000).unwrap_or(0) + self.wall;
        let start = Timestamp::from_second(1_793_696_400).unwrap_or_default();
        let now = start.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(start);
        let change = ChangeId(self.dice.uuid());
        Context { change, actor: actor.to_owned(), now, today: date(2026, 11, 3) }
    }

    fn all(&self) -> Result<Snapshot> {
        Ok(self.store.read(&Scope::All)?.snapshot)
    }

    /// Decides on what is there now; what others do before it is sent makes it stale.
    fn decide(
        &self,
        command: &Command,
        context: &Context,
    ) -> Result<std::result::Result<Change, Refusal>> {
        let snapshot = self.store.read(&needs(command))?.snapshot;
        let events = decide(&snapshot, command, context);
        Ok(events.map(|events| Change::new(&snapshot, context.change, events)))
    }

    fn send(&mut self, change: &Change) -> Result<Sent> {
        match self.store.commit(change) {
            Ok(()) => {}
            Err(StoreError::Stale) => return Ok(Sent::Stale),
            Err(error) => return Err(error),
        }
        let now = self.clock.millis();
        self.leases.granted.entry(change.id).or_insert(now);
        let lost = !self.calm && self.dice.percent(10);
        Ok(if lost { Sent::NoAnswer } else { Sent::Kept })
    }

    fn renewed(&mut self, task: TaskId, fence: u64) {
        let from = self.clock.millis();
        self.leases.renewed.push(Lease { task, fence, from, until: from + LEASE });
    }

    fn is_finished(&self) -> Result<bool> {
        let snapshot = self.all()?;
        let mut tasks = snapshot.outlines.values().flat_map(|outline| &outline.tasks);
        Ok(tasks.all(|task| task.status == TaskStatus::Completed))
    }
}

/// The task that a claim was granted for, and its fence.
fn granted(change: &Change) -> Option<(TaskId, u64)> {
    change.events.iter().find_map(|recorded| match (&recorded.event, recorded.stream) {
        (Event::TaskClaimed { task, fence, .. }, Stream::Milestone(milestone)) => {
            Some((task.of(milestone), *fence))
        }
        _ => None,
    })
}
