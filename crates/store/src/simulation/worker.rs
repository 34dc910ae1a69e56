//! A worker: looks for work, claims it, says now and then that it is alive, and finishes. It may
//! sleep past its lease, forget everything, or never hear that what it sent was kept.

use std::time::Duration;

use milestone_domain::command::{Command, Context, Credential};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;
use milestone_domain::readiness::{Board, Readiness};
use milestone_domain::refusal::Refusal;
use milestone_domain::status::TaskStatus;

use super::{LEASE, Sent, World, granted};
use crate::{Change, Result, Store};

pub(super) struct Worker {
    number: u64,
    /// Every attempt has a name of its own, so that the history tells them apart.
    attempts: u64,
    asleep_until: u64,
    holds: Option<Hold>,
    /// What is decided and not yet known to be kept.
    sending: Option<Sending>,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    task: TaskId,
    credential: Credential,
    work_left: u64,
}

struct Sending {
    command: Command,
    context: Context,
    change: Change,
    /// Afterwards the task is no longer this worker's.
    ends: bool,
}

impl Worker {
    pub(super) fn new(number: u64) -> Self {
        Self { number, attempts: 0, asleep_until: 0, holds: None, sending: None }
    }

    fn name(&self) -> String {
        format!("worker-{}.{}", self.number, self.attempts)
    }

    /// One small thing; others do theirs in between.
    pub(super) fn step(&mut self, world: &mut World) -> Result<()> {
        if !world.calm && world.dice.percent(4) {
            self.asleep_until = world.clock.millis() + world.dice.below(3 * LEASE);
        }
        if world.clock.millis() < self.asleep_until {
            return Ok(());
        }
        if !world.calm && world.dice.percent(3) {
            (self.holds, self.sending) = (None, None);
            return Ok(());
        }
        match (self.sending.take(), self.holds) {
            (Some(sending), _) => self.send(world, sending),
            (None, Some(hold)) => self.work(world, hold),
            (None, None) => self.look(world),
        }
    }

    fn look(&mut self, world: &mut World) -> Result<()> {
        let snapshot = world.all()?;
        self.attempts += 1;
        let context = world.context(&self.name());
        let board = Board::new(&snapshot, context.today);
        let ready = |task: &TaskId| matches!(board.readiness(*task), Readiness::Ready { .. });
        let mut candidates: Vec<TaskId> = snapshot.task_ids().filter(ready).collect();
        // Some ask for what is not to be had.
        if world.dice.percent(5) {
            candidates = snapshot.task_ids().collect();
        }
        let Some(task) = world.dice.pick(&candidates).copied() else { return Ok(()) };
        let attempt = AttemptId(world.dice.uuid());
        let command = Command::Claim { task, attempt, lease_seconds: LEASE / 1000 };
        self.decide(world, command, context, false)
    }

    fn work(&mut self, world: &mut World, mut hold: Hold) -> Result<()> {
        let Hold { task, credential, .. } = hold;
        let context = world.context(&self.name());
        if world.dice.percent(40) {
            return self.heartbeat(world, hold);
        }
        if hold.work_left > 0 {
            hold.work_left -= 1;
            self.holds = Some(hold);
            let command = if world.dice.percent(50) {
                Command::Progress { task, percent: world.dice.count(101), credential }
            } else {
                Command::Note { task, text: "still at it".into(), credential }
            };
            return self.decide(world, command, context, false);
        }
        let to = match world.dice.below(10) {
            0 if !world.calm => TaskStatus::Failed,
            1 if !world.calm => TaskStatus::Blocked,
            2 if !world.calm => {
                let command = Command::Release { task, reason: None, credential };
                return self.decide(world, command, context, true);
            }
            _ => TaskStatus::Completed,
        };
        let command = Command::ChangeTask { task, to, reason: None, credential };
        self.decide(world, command, context, true)
    }

    fn heartbeat(&mut self, world: &mut World, hold: Hold) -> Result<()> {
        let lease = Duration::from_millis(LEASE);
        match world.store.renew(hold.task, hold.credential, lease)? {
            Some(claim) => world.renewed(hold.task, claim.fence),
            None => self.holds = None,
        }
        Ok(())
    }

    fn decide(
        &mut self,
        world: &mut World,
        command: Command,
        context: Context,
        ends: bool,
    ) -> Result<()> {
        match world.decide(&command, &context)? {
            Ok(change) if change.events.is_empty() => {
                self.holds = self.holds.filter(|_| !ends);
            }
            Ok(change) => self.sending = Some(Sending { command, context, change, ends }),
            Err(Refusal::StaleFence { .. } | Refusal::Unknown { .. }) => self.holds = None,
            // Something else is in the way, a milestone that was paused perhaps: give it back.
            Err(_) if ends => self.give_back(world)?,
            Err(_) => {}
        }
        Ok(())
    }

    fn give_back(&mut self, world: &mut World) -> Result<()> {
        let Some(Hold { task, credential, .. }) = self.holds.take() else { return Ok(()) };
        let context = world.context(&self.name());
        let command = Command::Release { task, reason: None, credential };
        if let Ok(change) = world.decide(&command, &context)? {
            self.sending = Some(Sending { command, context, change, ends: true });
        }
        Ok(())
    }

    fn send(&mut self, world: &mut World, sending: Sending) -> Result<()> {
        match world.send(&sending.change)? {
            // The same change again, under the same identity, until somebody answers.
            Sent::NoAnswer => self.sending = Some(sending),
            Sent::Stale => {
                let Sending { command, context, ends, .. } = sending;
                self.decide(world, command, context, ends)?;
            }
            Sent::Kept => {
                if sending.ends {
                    self.holds = None;
                }
                if let (Some((task, fence)), Command::Claim { attempt, .. }) =
                    (granted(&sending.change), &sending.command)
                {
                    let credential = Credential { fence: Some(fence), attempt: Some(*attempt) };
                    let work_left = world.dice.below(4);
                    self.holds = Some(Hold { task, credential, work_left });
                }
            }
        }
        Ok(())
    }
}
