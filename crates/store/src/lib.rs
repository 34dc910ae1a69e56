//! Where a project's truth is kept, and the one door to it.
//!
//! A store decides nothing: it reads what it is asked for, and keeps a whole change or none of it.

pub mod backups;
pub mod config;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod discover;
mod error;
pub mod files;
pub mod init;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod local;
pub mod memory;
pub mod merge;
pub mod moving;
pub mod place;
pub mod planted;
#[cfg(all(test, feature = "planted-bugs"))]
mod planted_tests;
pub mod pointer;
#[cfg(feature = "postgres")]
pub mod postgres;
mod project;
mod pruned;
pub mod repository;
pub mod scale;
#[cfg(any(test, feature = "conformance"))]
pub mod simulation;
mod snapshot_only;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub mod sql;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod templates;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::Date;
use milestone_domain::apply::apply;
use milestone_domain::change::FieldChange;
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, TaskId, Uid};
use milestone_domain::needs::rests_on;
use milestone_domain::offers::{Later, Wakes, moves_ranks};
use milestone_domain::past::Trail;
use milestone_domain::search::{Found, Query};
use milestone_domain::snapshot::{Claim, Given, Outline, Part, Problem, Scope, Snapshot, Versions};

pub use error::{Error, StoreError, StoreErrorClass};
pub use project::{Outcome, Project, Renewed};

pub type Result<T> = std::result::Result<T, StoreError>;

/// Keeps a project.
///
/// The conformance suite is the definition of this trait: what it checks is what every store does.
pub trait Store {
    /// Reads what the scope asks for, consistently, without waiting for writers.
    fn read(&self, scope: &Scope) -> Result<Reading>;

    /// Takes this process's turn to write, and holds it until the value is dropped. A command that
    /// has its turn before it reads is decided once, however many others are writing.
    ///
    /// `tried` is how often the command was decided in vain: a store in which writers need not wait
    /// for one another lets those queue that have lost a race.
    fn turn(&self, tried: u32) -> Result<Box<dyn Turn + '_>>;

    /// Keeps all of a change, or nothing: [`StoreError::Stale`] if anything that it was decided
    /// on has changed. Committing the same change again does nothing.
    fn commit(&self, change: &Change) -> Result<()>;

    /// Notes a document of which only comments, order or layout changed.
    fn accept(&self, noticed: &Noticed) -> Result<()>;

    /// The best tasks that may be ready, best first, at a cost that does not grow with the project:
    /// a hint, which whoever asks judges. Within a turn others are offered other ones, where that
    /// costs little. `None` from a store that keeps nothing for it: who asks looks at everything.
    fn candidates(&self, n: usize, filter: &ClaimFilter) -> Result<Option<Vec<Candidate>>> {
        let _ = (n, filter);
        Ok(None)
    }

    /// Waits, within a turn and before anything is read, until nobody else is about to begin on
    /// any of these files and folders. Once in a turn, so that no two wait for each other.
    fn queue(&self, paths: &[String]) -> Result<()> {
        let _ = paths;
        Ok(())
    }

    /// Stops offering what a look found not to be ready, until that may have changed.
    fn withdraw(&self, looked: &[Looked]) -> Result<()> {
        let _ = looked;
        Ok(())
    }

    /// Moves the deadline of a live or lapsed claim that nobody has taken over, and leaves no
    /// history. `None` if the credential is not the claim's.
    fn renew(&self, task: TaskId, credential: Credential, lease: Duration)
    -> Result<Option<Claim>>;

    /// Events in the order in which this store saw them, since it was there to see them.
    fn events(&self, after: Option<&Cursor>, filter: &EventFilter, limit: usize) -> Result<Page>;

    /// Waits until something may have happened after `after`, for `wait` at most. It may return
    /// earlier: whoever waits looks, and waits again.
    fn wait(&self, _: &Cursor, wait: Duration) -> Result<()> {
        const LOOK_PAUSE: Duration = Duration::from_millis(100);
        std::thread::sleep(wait.min(LOOK_PAUSE));
        Ok(())
    }

    /// All that ever happened to a milestone, wherever it happened, in the order of its history.
    fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>>;

    /// How far milestones were at the end of each day on which anything happened to them.
    fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>>;

    /// The milestones and tasks that have what was asked for, the best first.
    fn search(&self, query: &Query) -> Result<Searched>;

    /// A document's text as people edit it, comments and all; `None` where there is none.
    fn text(&self, id: MilestoneId) -> Result<Option<String>> {
        let reading = self.read(&Scope::Milestone(id))?;
        let document = reading.snapshot.documents.get(&id);
        Ok(document.map(|document| files::text::write(document, false)))
    }

    /// Everything about the store itself that is not as it should be, beside what every reading
    /// names.
    fn check(&self) -> Result<Vec<Problem>>;

    /// Mends what can be mended without deciding anything, and says what it did.
    fn mend(&self, bases: Bases<'_>) -> Result<Mending>;

    /// What has the same id as something else.
    fn collisions(&self) -> Result<Vec<Collided>>;

    /// Gives back the room of what is gone, and makes anew what only makes reading quick.
    fn optimize(&self) -> Result<Optimized>;

    /// Hands over the whole project, of one moment: what was given away, documents, events in
    /// their order, claims.
    fn export(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()>;

    /// Takes over portions of a project, all or nothing: a document or a claim takes the place of
    /// the one that is there, and an event that is there is passed over.
    fn import(&self, source: Source<'_>) -> Result<()>;
}

/// How much room a store took, in bytes, before and after it was tidied up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Optimized {
    pub before: u64,
    pub after: u64,
}

/// Part of a whole project, on its way from one store to another.
#[derive(Debug, Clone, PartialEq)]
pub enum Portion {
    Given(Given),
    Document {
        milestone: Box<Milestone>,
        /// As people edit it, comments and all, where a text of it is kept.
        text: Option<String>,
    },
    Event(Recorded),
    Claim {
        claim: Claim,
        /// What is left of its lease.
        left: Duration,
    },
}

/// Hands portions over one by one.
pub type Source<'a> = &'a dyn Fn(&mut dyn FnMut(Portion) -> Result<()>) -> Result<()>;
/// For whom and among what work is looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimFilter {
    /// Only in this milestone.
    pub milestone: Option<MilestoneId>,
    /// Only what nobody else was chosen for.
    pub worker: Option<String>,
    /// The day on which it is to be begun.
    pub today: Date,
}

/// A task that may be ready.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    pub task: TaskId,
    /// The files and folders that it works on.
    pub resources: Vec<String>,
    /// What the store knew when it offered it.
    pub woken: i64,
}

/// What a look at a candidate came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    pub task: TaskId,
    pub woken: i64,
    pub later: Later,
}

/// Gives the text with which both sides of a merge began, where it is known, by the file's place.
pub type Bases<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What `mend` did, and what it left for a person to decide.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mending {
    pub done: Vec<String>,
    pub left: Vec<String>,
}

/// A document whose id another one also has.
#[derive(Debug, Clone, PartialEq)]
pub struct Collided {
    pub milestone: MilestoneId,
    pub uid: Uid,
    /// What it says.
    pub tree: serde_json::Value,
    /// Its text with its comments, where there still is one.
    pub text: Option<String>,
    /// Those it refers to whose id another one has, and which have no other yet.
    pub means: BTreeMap<MilestoneId, Uid>,
    /// The documents that mean this one when they name the id.
    pub referring: Vec<MilestoneId>,
}

/// A process's turn to write.
pub trait Turn {}

/// A consistent reading, and what was found changed without the program.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    pub snapshot: Snapshot,
    pub noticed: Vec<Noticed>,
}

/// What a search found in what is accepted, and what was found changed without the program.
#[derive(Debug, Clone, Default)]
pub struct Searched {
    pub found: Found,
    pub noticed: Vec<Noticed>,
    pub problems: Vec<Problem>,
}

/// A document that somebody wrote by hand, pulled or merged.
#[derive(Debug, Clone, PartialEq)]
pub struct Noticed {
    pub milestone: MilestoneId,
    pub what: Difference,
    /// The store's word for the text in which it was found.
    pub version: String,
    /// Where it is to be named if a rule refuses it.
    pub file: String,
    /// For a save that came too late to find its document: the name under which it is kept.
    pub late: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// There is no history yet.
    New(Box<Milestone>),
    /// A person's keys say something else than the history does.
    Fields(Vec<FieldChange>),
    /// Only comments, order and layout.
    Layout,
    /// Fields that are older than the present, from an editor that was opened before it, and
    /// perhaps comments.
    Stale,
}

/// Everything one decision changes.
#[derive(Debug, Clone)]
pub struct Change {
    pub id: ChangeId,
    pub events: Vec<Recorded>,
    /// The documents that the events leave behind.
    pub documents: BTreeMap<MilestoneId, Milestone>,
    /// What of them is not what it was, where that is known: a store that keeps tasks by
    /// themselves writes those alone.
    pub touched: BTreeMap<MilestoneId, Touched>,
    /// The versions of everything the decision was made from.
    pub reads: Versions,
    /// Texts that people wrote for documents, comments and all, where this change came from them.
    pub texts: BTreeMap<MilestoneId, String>,
    /// The late save that this takes in.
    pub late: Option<String>,
    /// What it may make ready.
    pub wakes: Wakes,
    /// What was looked at before it, and found not to be ready.
    pub looked: Vec<Looked>,
}

/// The parts of a document that a change makes anew.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Touched {
    /// Anything beside its tasks, or which tasks there are.
    pub document: bool,
    pub tasks: BTreeSet<u32>,
    pub removed: BTreeSet<u32>,
}

impl Touched {
    pub fn all(milestone: &Milestone) -> Self {
        let tasks = milestone.tasks.iter().map(|task| task.id.number).collect();
        Self { document: true, tasks, removed: BTreeSet::new() }
    }

    fn between(before: Option<&Milestone>, after: &Milestone) -> Self {
        let Some(before) = before else { return Self::all(after) };
        let numbers = |milestone: &Milestone| -> Vec<u32> {
            milestone.tasks.iter().map(|task| task.id.number).collect()
        };
        let (old, new) = (numbers(before), numbers(after));
        let beside = |milestone: &Milestone| Milestone { tasks: Vec::new(), ..milestone.clone() };
        let tasks = after.tasks.iter().filter(|task| before.task(task.id.number) != Some(*task));
        Self {
            document: old != new || beside(before) != beside(after),
            tasks: tasks.map(|task| task.id.number).collect(),
            removed: old.into_iter().filter(|number| !new.contains(number)).collect(),
        }
    }
}

/// What a change does to claims.
#[derive(Debug, Clone, PartialEq)]
pub enum ClaimChange {
    Granted { claim: Claim, lease: Duration },
    Ended { task: TaskId },
}

/// A place in a store's sequence of events, good only for following on from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    pub milestone: Option<MilestoneId>,
    pub task: Option<TaskId>,
}

impl EventFilter {
    pub fn matches(&self, recorded: &Recorded) -> bool {
        let in_milestone = |id: MilestoneId| recorded.stream == Stream::Milestone(id);
        self.milestone.is_none_or(in_milestone)
            && self.task.is_none_or(|task| {
                in_milestone(task.milestone) && recorded.event.task() == Some(task.number)
            })
    }
}

/// Some events, and where to go on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub events: Vec<Recorded>,
    pub next: Cursor,
}

impl Change {
    /// What the events make of what was read.
    pub fn new(snapshot: &Snapshot, id: ChangeId, events: Vec<Recorded>) -> Self {
        let mut documents: BTreeMap<MilestoneId, Milestone> = BTreeMap::new();
        for recorded in &events {
            let Stream::Milestone(id) = recorded.stream else { continue };
            let document = documents.remove(&id).or_else(|| snapshot.documents.get(&id).cloned());
            documents.extend(apply(document, recorded).map(|document| (id, document)));
        }
        let touched = documents
            .iter()
            .map(|(id, after)| (*id, Touched::between(snapshot.documents.get(id), after)));
        let mut wakes = Wakes::default();
        for (id, after) in &documents {
            let before = snapshot.documents.get(id).map(Outline::of);
            wakes.extend(Wakes::between(before.as_ref(), &Outline::of(after)));
        }
        Self {
            id,
            events,
            touched: touched.collect(),
            documents,
            reads: snapshot.versions.clone(),
            texts: BTreeMap::new(),
            late: None,
            wakes,
            looked: Vec::new(),
        }
    }

    /// The same, resting on no more than what the command looked at.
    pub fn of(snapshot: &Snapshot, command: &Command, id: ChangeId, events: Vec<Recorded>) -> Self {
        let reads = rests_on(command, snapshot);
        Self { reads, ..Self::new(snapshot, id, events) }
    }

    pub fn streams(&self) -> BTreeSet<Stream> {
        self.events.iter().map(|recorded| recorded.stream).collect()
    }

    /// Whether edges, conditions or ids change, so that decisions on the graph become stale.
    pub fn changes_graph(&self) -> bool {
        self.events.iter().any(|recorded| match &recorded.event {
            Event::Edited { change } => milestone_domain::needs::touches_edges(change),
            Event::TaskAdded { .. }
            | Event::TaskRemoved { .. }
            | Event::MilestoneCreated { .. }
            | Event::MilestoneArchived { .. }
            | Event::MilestoneReturned
            | Event::MilestoneRenumbered { .. }
            | Event::ConditionSet { .. }
            | Event::ConditionCleared { .. } => true,
            Event::MilestoneStatusChanged { .. }
            | Event::TaskStatusChanged { .. }
            | Event::TaskClaimed { .. }
            | Event::TaskReleased { .. }
            | Event::TaskProgressed { .. }
            | Event::MilestoneNoted { .. }
            | Event::TaskNoted { .. }
            | Event::CriterionMet { .. }
            | Event::CriterionReopened { .. }
            | Event::GateDecided { .. }
            | Event::GateReopened { .. }
            | Event::IdGivenUp { .. } => false,
        })
    }

    /// Whether tasks may have to be offered in another order.
    pub fn moves_ranks(&self) -> bool {
        self.changes_graph()
            || self.events.iter().any(|recorded| match &recorded.event {
                Event::Edited { change } => moves_ranks(change),
                _ => false,
            })
    }

    /// What the events do to claims, in order.
    pub fn claims(&self) -> Vec<ClaimChange> {
        self.events.iter().filter_map(|recorded| self.claim_change(recorded)).collect()
    }

    fn claim_change(&self, recorded: &Recorded) -> Option<ClaimChange> {
        let Stream::Milestone(milestone) = recorded.stream else { return None };
        match &recorded.event {
            Event::TaskClaimed { task, attempt, fence, lease_seconds, .. } => {
                let resources = self.documents.get(&milestone).and_then(|m| m.task(task.number));
                let claim = Claim {
                    task: task.of(milestone),
                    attempt: *attempt,
                    fence: *fence,
                    actor: recorded.by.clone(),
                    seconds_left: Some(*lease_seconds),
                    resources: resources.map(|task| task.resources.clone()).unwrap_or_default(),
                };
                Some(ClaimChange::Granted { claim, lease: Duration::from_secs(*lease_seconds) })
            }
            Event::TaskReleased { task, .. }
            | Event::TaskRemoved { task, .. }
            | Event::TaskStatusChanged { task, .. } => {
                Some(ClaimChange::Ended { task: task.of(milestone) })
            }
            _ => None,
        }
    }

    /// The parts whose reading must still be so, of those that this change was decided on.
    pub fn reads_milestones(&self) -> impl Iterator<Item = (MilestoneId, &String)> {
        self.reads.iter().filter_map(|(part, version)| match part {
            Part::Milestone(id) => Some((*id, version)),
            Part::Task(_) | Part::Graph | Part::Resources => None,
        })
    }
}
