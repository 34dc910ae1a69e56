//! A project in memory: the plainest store there is, for tests and for looking ahead.
//!
//! It has no turns, so that writers really race and are really told that they lost, and its clock
//! is moved by whoever made it, so that a lease ends when a test says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use milestone_domain::command::Credential;
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::past::Trail;
use milestone_domain::planted::planted;
use milestone_domain::search::{Query, Searchable, search};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{
    Claim, ConditionSetBy, Conditions, Outline, Part, Problem, Scope, Snapshot,
};

use crate::error::StoreError;
use crate::{
    Bases, Change, ClaimChange, Collided, Cursor, EventFilter, Mending, Noticed, Optimized, Page,
    Portion, Reading, Result, Searched, Source, Store, Turn,
};

/// One handle on a project in memory; a clone is another handle on the same one, as another
/// process would have it.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    clock: Clock,
    settings: Settings,
}

/// A clock that stands still until somebody moves it.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<AtomicU64>);

impl Clock {
    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(millis(time), Ordering::SeqCst);
    }

    pub fn millis(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[derive(Debug)]
struct Kept {
    /// Which project this is: cursors of another one lead nowhere.
    epoch: u64,
    documents: BTreeMap<MilestoneId, Document>,
    /// Counts changes of edges, conditions and ids.
    graph: u64,
    conditions: Conditions,
    claims: BTreeMap<TaskId, Held>,
    events: Vec<Recorded>,
    changes: BTreeSet<ChangeId>,
}

#[derive(Debug)]
struct Document {
    milestone: Milestone,
    /// Counts its changes.
    version: u64,
}

#[derive(Debug)]
struct Held {
    claim: Claim,
    deadline: u64,
}

impl Default for Kept {
    fn default() -> Self {
        static EPOCHS: AtomicU64 = AtomicU64::new(0);
        Self {
            epoch: EPOCHS.fetch_add(1, Ordering::SeqCst),
            documents: BTreeMap::new(),
            graph: 0,
            conditions: Conditions::default(),
            claims: BTreeMap::new(),
            events: Vec::new(),
            changes: BTreeSet::new(),
        }
    }
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    /// A new project whose leases are judged by this clock.
    pub fn with_clock(clock: Clock) -> Self {
        Self { clock, ..Self::default() }
    }

    /// Another handle on the same project.
    #[must_use]
    pub fn another(&self) -> Self {
        self.clone()
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is kept is whole between any two steps, so a panic elsewhere leaves nothing half done.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn judged(&self, now: u64) -> Claim {
        let left = self.deadline.saturating_sub(now);
        let seconds_left = (left > 0).then(|| left.div_ceil(1000));
        Claim { seconds_left, ..self.claim.clone() }
    }
}

impl Kept {
    fn read_milestone(&self, id: MilestoneId, snapshot: &mut Snapshot) {
        self.read_document(id, snapshot);
        let Some(outline) = snapshot.outlines.get(&id) else {
            // Nobody by that id: whoever asks wants to know which one is near.
            return self.read_outlines(snapshot);
        };
        let (required, conditions) = (outline.required(), outline.has_conditions());
        for required in required {
            self.read_document(required, snapshot);
        }
        if conditions {
            self.read_graph(&BTreeSet::new(), snapshot);
        }
    }

    fn read_graph(&self, ids: &BTreeSet<MilestoneId>, snapshot: &mut Snapshot) {
        self.read_outlines(snapshot);
        ids.iter().for_each(|id| self.read_document(*id, snapshot));
        snapshot.versions.insert(Part::Graph, self.graph.to_string());
    }

    fn read_outlines(&self, snapshot: &mut Snapshot) {
        let outlines = self.documents.iter();
        snapshot
            .outlines
            .extend(outlines.map(|(id, document)| (*id, Outline::of(&document.milestone))));
    }

    fn read_document(&self, id: MilestoneId, snapshot: &mut Snapshot) {
        if let Some(document) = self.documents.get(&id) {
            snapshot.insert(document.milestone.clone());
            snapshot.versions.insert(Part::Milestone(id), document.version.to_string());
        }
    }

    fn version(&self, part: Part) -> Option<String> {
        match part {
            Part::Milestone(id) => {
                self.documents.get(&id).map(|document| document.version.to_string())
            }
            Part::Graph => Some(self.graph.to_string()),
            // Documents are kept whole, and one change follows the other.
            Part::Task(_) | Part::Resources => None,
        }
    }

    fn put(&mut self, id: MilestoneId, milestone: &Milestone) {
        let version = self.documents.get(&id).map_or(0, |document| document.version) + 1;
        self.documents.insert(id, Document { milestone: milestone.clone(), version });
    }

    fn change_claim(&mut self, change: ClaimChange, now: u64) {
        match change {
            ClaimChange::Granted { claim, lease } => {
                let deadline = now.saturating_add(millis(lease));
                self.claims.insert(claim.task, Held { claim, deadline });
            }
            ClaimChange::Ended { .. } if planted("claim outlives its work") => {}
            ClaimChange::Ended { task } => {
                self.claims.remove(&task);
            }
        }
    }

    fn set_condition(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::ConditionSet { name, .. } => {
                let by = ConditionSetBy { by: recorded.by.clone(), at: recorded.at };
                self.conditions.0.insert(name.clone(), by);
            }
            Event::ConditionCleared { name, .. } => {
                self.conditions.0.remove(name);
            }
            _ => {}
        }
    }

    fn position(&self, cursor: &Cursor) -> Result<usize> {
        let (epoch, at) = cursor.0.split_once(':').ok_or(StoreError::Gone)?;
        let at = at.parse().map_err(|_| StoreError::Gone)?;
        if epoch == self.epoch.to_string() && at <= self.events.len() {
            return Ok(at);
        }
        Err(StoreError::Gone)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Everybody's turn at any time: who comes second is told so when committing.
struct NoTurn;

impl Turn for NoTurn {}

impl Store for Memory {
    fn read(&self, scope: &Scope) -> Result<Reading> {
        let kept = self.kept();
        let now = self.clock.millis();
        let archived = kept.documents.values().filter(|document| document.milestone.archived);
        let mut snapshot = Snapshot {
            settings: self.settings.clone(),
            conditions: kept.conditions.clone(),
            claims: kept.claims.iter().map(|(task, held)| (*task, held.judged(now))).collect(),
            highest: kept.documents.keys().next_back().copied(),
            archived: archived.map(|document| document.milestone.id).collect(),
            ..Snapshot::default()
        };
        match scope {
            Scope::Milestone(id) => kept.read_milestone(*id, &mut snapshot),
            Scope::Graph(ids) => kept.read_graph(ids, &mut snapshot),
            // Everything is there anyway.
            Scope::Past(_) => kept.read_graph(&BTreeSet::new(), &mut snapshot),
            Scope::All => kept.read_graph(&kept.documents.keys().copied().collect(), &mut snapshot),
        }
        Ok(Reading { snapshot, noticed: Vec::new() })
    }

    fn turn(&self, _: u32) -> Result<Box<dyn Turn + '_>> {
        Ok(Box::new(NoTurn))
    }

    fn commit(&self, change: &Change) -> Result<()> {
        let mut kept = self.kept();
        if kept.changes.contains(&change.id) && !planted("commit repeated") {
            return Ok(());
        }
        let mut reads = change.reads.iter();
        let stale = reads.any(|(part, version)| kept.version(*part).as_ref() != Some(version));
        if stale && !planted("versions unchecked") {
            return Err(StoreError::Stale);
        }
        let now = self.clock.millis();
        kept.changes.insert(change.id);
        change.documents.iter().for_each(|(id, milestone)| kept.put(*id, milestone));
        change.claims().into_iter().for_each(|change| kept.change_claim(change, now));
        change.events.iter().for_each(|event| kept.set_condition(event));
        kept.events.extend(change.events.iter().cloned());
        kept.graph += u64::from(change.changes_graph());
        Ok(())
    }

    /// Nobody edits what is in memory by hand.
    fn accept(&self, _: &Noticed) -> Result<()> {
        Ok(())
    }

    fn renew(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        let mut kept = self.kept();
        let now = self.clock.millis();
        let Some(held) = kept.claims.get_mut(&task) else { return Ok(None) };
        let attempt = credential.attempt.is_none_or(|attempt| attempt == held.claim.attempt);
        let own = credential.fence == Some(held.claim.fence) && attempt;
        if !own && !planted("renewal unchecked") {
            return Ok(None);
        }
        let lapsed = held.deadline <= now;
        held.deadline = now.saturating_add(millis(lease));
        let claim = held.judged(now);
        // Whoever was about to take the lapsed claim over has read what is no longer so.
        if let (true, Some(document)) = (lapsed, kept.documents.get_mut(&task.milestone)) {
            document.version += 1;
        }
        Ok(Some(claim))
    }

    fn events(&self, after: Option<&Cursor>, filter: &EventFilter, limit: usize) -> Result<Page> {
        let kept = self.kept();
        let start = after.map_or(Ok(0), |cursor| kept.position(cursor))?;
        let mut events = Vec::new();
        let mut at = start;
        for recorded in &kept.events[start..] {
            if events.len() == limit {
                break;
            }
            at += 1;
            events.extend(Some(recorded).filter(|recorded| filter.matches(recorded)).cloned());
        }
        Ok(Page { events, next: Cursor(format!("{}:{at}", kept.epoch)) })
    }

    fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        let events = self.kept().events.clone();
        Ok(events.into_iter().filter(|event| event.stream == Stream::Milestone(id)).collect())
    }

    fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>> {
        let kept = self.kept();
        let trail = |id: &MilestoneId| {
            let own = |event: &&Recorded| event.stream == Stream::Milestone(*id);
            (*id, Trail::of(kept.events.iter().filter(own)))
        };
        Ok(ids.iter().map(trail).collect())
    }

    fn search(&self, query: &Query) -> Result<Searched> {
        let kept = self.kept();
        let documents = kept.documents.values();
        let searchable: Vec<Searchable<'_>> =
            documents.map(|document| Searchable::of(&document.milestone, &kept.events)).collect();
        Ok(Searched { found: search(query, &searchable), ..Searched::default() })
    }

    fn check(&self) -> Result<Vec<Problem>> {
        Ok(Vec::new())
    }

    fn mend(&self, _: Bases<'_>) -> Result<Mending> {
        Ok(Mending::default())
    }

    fn collisions(&self) -> Result<Vec<Collided>> {
        Ok(Vec::new())
    }

    fn optimize(&self) -> Result<Optimized> {
        Ok(Optimized::default())
    }

    fn export(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        let kept = self.kept();
        let now = self.clock.millis();
        for document in kept.documents.values() {
            let milestone = Box::new(document.milestone.clone());
            each(Portion::Document { milestone, text: None })?;
        }
        kept.events.iter().cloned().try_for_each(|event| each(Portion::Event(event)))?;
        kept.claims.values().try_for_each(|held| {
            let left = Duration::from_millis(held.deadline.saturating_sub(now));
            each(Portion::Claim { claim: held.judged(now), left })
        })
    }

    fn import(&self, source: Source<'_>) -> Result<()> {
        let mut portions = Vec::new();
        source(&mut |portion| {
            portions.push(portion);
            Ok(())
        })?;
        let mut kept = self.kept();
        let now = self.clock.millis();
        for portion in portions {
            match portion {
                // Nothing is ever put back into memory.
                Portion::Given(_) => {}
                Portion::Document { milestone, .. } => kept.put(milestone.id, &milestone),
                Portion::Event(recorded) => {
                    if !kept.events.iter().any(|event| event.id == recorded.id) {
                        kept.set_condition(&recorded);
                        kept.changes.insert(recorded.id.change);
                        kept.events.push(recorded);
                    }
                }
                Portion::Claim { claim, left } => {
                    let deadline = now.saturating_add(millis(left));
                    kept.claims.insert(claim.task, Held { claim, deadline });
                }
            }
        }
        kept.graph += 1;
        Ok(())
    }
}
