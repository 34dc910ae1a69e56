//! Taking the best task there is: looking at what is offered, one after the other, until one is
//! ours.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::command::{Command, Context};
use milestone_domain::decide::decide;
use milestone_domain::event::AttemptId;
use milestone_domain::ids::MilestoneId;
use milestone_domain::offers::{Later, later};
use milestone_domain::readiness::Board;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Scope, Snapshot, TaskOutline};
use milestone_domain::views::next::{Asked, next};

use super::{Outcome, Project, TRIES_MAX, pause};
use crate::{Candidate, Change, ClaimFilter, Error, Looked, Result, StoreError};

/// How many candidates the first look asks for, and how many one look asks for at most: the first
/// is nearly always ready, and where it is not, many may be waiting.
const CANDIDATES_FIRST: usize = 4;
const CANDIDATES_MAX: usize = 64;

/// What became of the candidates of one round.
enum Round {
    Won(Box<Outcome>),
    /// Nothing was offered.
    Nothing,
    /// None of them was ready, and none is offered any more.
    NotReady,
    /// Somebody was quicker.
    Lost,
}

impl Project {
    /// Claims the best task that is ready, or nothing where none is.
    pub fn claim_next(
        &self,
        wanted: &ClaimFilter,
        attempt: AttemptId,
        lease_seconds: u64,
        context: &Context,
    ) -> std::result::Result<Option<Outcome>, Error> {
        let (mut lost, mut n) = (0, CANDIDATES_FIRST);
        while lost < TRIES_MAX {
            let claim = |task| Command::Claim { task, attempt, lease_seconds };
            let everything = Scope::Graph(BTreeSet::new());
            let round = || self.claim_round(wanted, n, lost, &claim, context);
            let round = match self.at_rest(&everything, round) {
                // Wherever it was on the way that somebody else came first.
                Err(Error::Store(StoreError::Stale)) => Round::Lost,
                round => round?,
            };
            match round {
                Round::Won(outcome) => return Ok(Some(*outcome)),
                Round::Nothing => return Ok(None),
                Round::NotReady => n = (n * 2).min(CANDIDATES_MAX),
                Round::Lost => {
                    pause(lost.min(2), context.change);
                    lost += 1;
                }
            }
        }
        Err(StoreError::Stale.into())
    }

    fn claim_round(
        &self,
        wanted: &ClaimFilter,
        n: usize,
        lost: u32,
        claim: &dyn Fn(milestone_domain::ids::TaskId) -> Command,
        context: &Context,
    ) -> std::result::Result<Round, Error> {
        // Where everybody who looks finds the same task best, one looks and takes in one turn.
        let store = self.store();
        let turn = store.turn(lost)?;
        let candidates = self.candidates(wanted, n, &context.actor)?;
        if candidates.is_empty() {
            return Ok(Round::Nothing);
        }
        let mut looks = Looks { project: self, context, seen: BTreeMap::new(), looked: Vec::new() };
        let mut queued = false;
        for candidate in &candidates {
            let begins = !candidate.resources.is_empty();
            // Who has queued for some files queues for no others: two might wait for each other.
            if begins && queued {
                continue;
            }
            if begins {
                store.queue(&candidate.resources)?;
                queued = true;
            }
            match looks.take(candidate, &claim(candidate.task)) {
                Ok(Some(outcome)) => return Ok(Round::Won(Box::new(outcome))),
                Ok(None) => {}
                Err(error) => return Err(error),
            }
        }
        let looked = looks.looked;
        drop(turn);
        store.withdraw(&looked)?;
        Ok(Round::NotReady)
    }

    /// Stops offering what a look found not to be ready, until that may have changed.
    pub fn withdraw(&self, looked: &[Looked]) -> Result<()> {
        self.store().withdraw(looked)
    }

    /// The best tasks that may be ready, best first. From a store that keeps no offers they are
    /// what is ready, judged on everything.
    pub fn candidates(
        &self,
        wanted: &ClaimFilter,
        n: usize,
        actor: &str,
    ) -> Result<Vec<Candidate>> {
        if let Some(candidates) = self.store().candidates(n, wanted)? {
            return Ok(candidates);
        }
        let snapshot = self.read(&Scope::Graph(BTreeSet::new()), actor)?;
        let worker = wanted.worker.as_deref();
        let asked = Asked { milestone: wanted.milestone, worker, limit: n };
        let ready = next(&snapshot, asked, wanted.today).ready.into_iter();
        let candidate = |id| Candidate { task: id, resources: Vec::new(), woken: 0 };
        Ok(ready.map(|task| candidate(task.id)).collect())
    }
}

/// What one worker has looked at in one round.
struct Looks<'a> {
    project: &'a Project,
    context: &'a Context,
    seen: BTreeMap<MilestoneId, Snapshot>,
    looked: Vec<Looked>,
}

impl Looks<'_> {
    /// Claims a candidate if it is ready, on the very reading on which that was judged.
    fn take(
        &mut self,
        candidate: &Candidate,
        claim: &Command,
    ) -> std::result::Result<Option<Outcome>, Error> {
        let id = candidate.task.milestone;
        // What others work on is as it was read only for who has queued before.
        if !candidate.resources.is_empty() || !self.seen.contains_key(&id) {
            let scope = Scope::Milestone(id);
            let snapshot = self.project.read_once(&scope, &self.context.actor)?;
            self.seen.insert(id, snapshot);
        }
        let Some(snapshot) = self.seen.get(&id) else { return Ok(None) };
        let keeps = |task: &TaskOutline| task.resources == candidate.resources;
        if !candidate.resources.is_empty() && !snapshot.task(candidate.task).is_some_and(keeps) {
            // It was queued for what the task does not work on any more.
            return Err(StoreError::Stale.into());
        }
        let board = Board::new(snapshot, self.context.today);
        let later = match later(&board, snapshot, candidate.task) {
            Some(later) => later,
            None => match decide(snapshot, claim, self.context) {
                Ok(events) => {
                    let mut change = Change::of(snapshot, claim, self.context.change, events);
                    change.looked.append(&mut self.looked);
                    self.project.store().commit(&change)?;
                    return Ok(Some(Outcome::of(change, snapshot.clone())));
                }
                Err(refusal @ Refusal::BadLease { .. }) => return Err(refusal.into()),
                // It is ready, and yet nobody may write on it: its document has to change first.
                Err(_) => Later::Woken,
            },
        };
        self.looked.push(Looked { task: candidate.task, woken: candidate.woken, later });
        Ok(None)
    }
}
