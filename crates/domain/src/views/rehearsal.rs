//! What executing a milestone would do, without doing any of it: what is begun when, by whom, and
//! what is left.
//!
//! It goes by the estimates, by the one readiness rule, and by the order in which a session takes
//! what is ready. Nothing fails in a rehearsal.

mod run;

use std::collections::BTreeMap;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use super::ClaimState;
use super::next::HeldTask;
use super::when::effort;
use crate::dependencies::remaining;
use crate::effort::{Effort, Estimate};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::limits;
use crate::offers::ranks;
use crate::readiness::{Board, Readiness, Reason};
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use run::{Run, Work};

/// How much longer, in percent, is not worth another agent.
const TOLERANCE_PERCENT: u64 = 5;

/// How a milestone would be executed.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub milestone: MilestoneId,
    /// How many tasks are worked on at once.
    pub agents: usize,
    /// One after the other, by their numbers.
    pub sequential: bool,
    /// What does each open task; a task that is not in it has no obstacle and no runner.
    pub doers: &'a BTreeMap<TaskId, Doer>,
}

/// What does a task, and why it cannot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Doer {
    pub runner: String,
    pub obstacle: Option<String>,
}

/// What an execution would do.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Rehearsal {
    pub milestone: MilestoneId,
    pub title: String,
    /// How many tasks are worked on at once.
    pub agents: usize,
    /// What is begun together, the first wave at once.
    pub waves: Vec<Wave>,
    /// Working time until the last of them is done.
    pub length: Effort,
    /// The tasks that decide the length if there is an agent for everything that is ready.
    pub critical_path: Vec<TaskId>,
    /// What others work on; it is waited for.
    pub held: Vec<HeldTask>,
    /// What would not be begun.
    pub left: Vec<LeftTask>,
    /// None where nothing is begun, or one after the other.
    pub suggested: Option<Suggested>,
}

/// What is begun at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Wave {
    /// Working time after the beginning.
    pub after: Effort,
    /// In the order in which they are taken.
    pub tasks: Vec<WaveTask>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WaveTask {
    pub id: TaskId,
    pub title: String,
    pub runner: String,
    pub estimate: Option<Estimate>,
    /// What is left of it; of a task without an estimate, what such a one is taken to be.
    pub takes: Effort,
    pub critical: bool,
}

/// A task that would not be begun.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LeftTask {
    pub id: TaskId,
    pub title: String,
    pub why: Vec<String>,
}

/// The smallest number of agents with which more of them would hardly be sooner done.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Suggested {
    pub agents: usize,
    /// Working time until everything is done with so many.
    pub length: Effort,
    pub because: Enough,
}

/// Why more agents would not help.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Enough {
    /// There is one for each task.
    OneEach,
    /// The longest task that the end waits for.
    Waits { task: TaskId },
    /// One session has no more.
    Most,
}

/// What of the milestone can be begun, and why the rest cannot.
struct Sorted<'a> {
    works: Vec<Work<'a>>,
    waiting: Vec<(TaskId, Vec<String>)>,
    held: Vec<HeldTask>,
    /// What each task waits for, as far as it is told.
    reasons: BTreeMap<TaskId, Vec<Reason>>,
}

/// `None` when the snapshot does not hold the milestone.
pub fn rehearse(snapshot: &Snapshot, asked: Asked<'_>, today: Date) -> Option<Rehearsal> {
    let outline = snapshot.outline(asked.milestone)?;
    let mut sorted = Sorted::of(snapshot, outline, asked.doers, today);
    let ranks = ranks(snapshot, today);
    sorted.works.sort_by_key(|work| (ranks.get(&work.id).copied(), work.id));
    let free = run::run(&sorted.works, usize::MAX);
    let critical_path = free.chain(&sorted.works);
    let suggested = (!asked.sequential).then(|| suggested(&sorted.works, &free, &critical_path));
    if asked.sequential {
        sorted.works.sort_by_key(|work| work.id);
    }
    let run = run::run(&sorted.works, asked.agents);
    Some(Rehearsal {
        milestone: outline.id,
        title: outline.title.clone(),
        agents: asked.agents,
        waves: waves(outline, &sorted.works, &run, asked.doers, &critical_path),
        length: effort(run.length()),
        left: left(outline, &sorted, &run),
        critical_path,
        held: sorted.held,
        suggested: suggested.flatten(),
    })
}

impl<'a> Sorted<'a> {
    fn of(
        snapshot: &'a Snapshot,
        outline: &'a Outline,
        doers: &BTreeMap<TaskId, Doer>,
        today: Date,
    ) -> Self {
        let board = Board::new(snapshot, today);
        let mut this = Self {
            works: Vec::new(),
            waiting: Vec::new(),
            held: Vec::new(),
            reasons: BTreeMap::new(),
        };
        for task in &outline.tasks {
            let id = TaskId::new(outline.id, task.number);
            let obstacle = doers.get(&id).and_then(|doer| doer.obstacle.clone());
            match board.readiness(id) {
                Readiness::Closed => {}
                Readiness::Held { by } => {
                    let claim = snapshot.claims.get(&id).map(ClaimState::from);
                    this.held.push(HeldTask { id, title: task.title.clone(), by, claim });
                    this.works.push(Work::new(outline, task, Vec::new(), true));
                }
                Readiness::Ready { .. } => {
                    this.sort_in(outline, task, Vec::new(), obstacle);
                }
                Readiness::Waiting { reasons } => this.sort_in(outline, task, reasons, obstacle),
            }
        }
        this
    }

    /// A task that nobody works on: whatever else it waits for, does the session itself free it?
    fn sort_in(
        &mut self,
        outline: &'a Outline,
        task: &'a TaskOutline,
        reasons: Vec<Reason>,
        obstacle: Option<String>,
    ) {
        let id = TaskId::new(outline.id, task.number);
        let others = reasons.iter().filter(|reason| frees(reason, outline.id).is_none());
        let mut why: Vec<String> = others.map(ToString::to_string).collect();
        why.extend(obstacle);
        if !why.is_empty() {
            self.waiting.push((id, why));
            return;
        }
        let waits = reasons.iter().filter_map(|reason| frees(reason, outline.id)).collect();
        self.works.push(Work::new(outline, task, waits, false));
        self.reasons.insert(id, reasons);
    }
}

/// The tasks of the milestone any of which, once it is done, takes the reason away; none if only
/// others can.
fn frees(reason: &Reason, home: MilestoneId) -> Option<Vec<TaskId>> {
    let own = |node: &Node| match node {
        Node::Task(id) if id.milestone == home => Some(*id),
        _ => None,
    };
    let by: Vec<TaskId> = match reason {
        Reason::Requires { on, .. } => own(on).into_iter().collect(),
        Reason::Condition { provided_by, .. } => provided_by.iter().filter_map(own).collect(),
        Reason::Resource { held_by, .. } => own(&Node::Task(*held_by)).into_iter().collect(),
        _ => Vec::new(),
    };
    (!by.is_empty()).then_some(by)
}

impl<'a> Work<'a> {
    fn new(outline: &Outline, task: &'a TaskOutline, waits: Vec<Vec<TaskId>>, held: bool) -> Self {
        let id = TaskId::new(outline.id, task.number);
        // Nothing takes no time at all.
        let takes = u64::from(remaining(outline, task).minutes()).max(1);
        Self { id, takes, waits, resources: &task.resources, held }
    }
}

fn waves(
    outline: &Outline,
    works: &[Work<'_>],
    run: &Run,
    doers: &BTreeMap<TaskId, Doer>,
    critical: &[TaskId],
) -> Vec<Wave> {
    let mut waves: BTreeMap<u64, Vec<WaveTask>> = BTreeMap::new();
    for (work, begins) in works.iter().zip(&run.begins).filter(|(work, _)| !work.held) {
        let (Some(begins), Some(task)) = (begins, outline.task(work.id.number)) else { continue };
        waves.entry(*begins).or_default().push(WaveTask {
            id: work.id,
            title: task.title.clone(),
            runner: doers.get(&work.id).map(|doer| doer.runner.clone()).unwrap_or_default(),
            estimate: task.estimate,
            takes: effort(work.takes),
            critical: critical.contains(&work.id),
        });
    }
    waves.into_iter().map(|(after, tasks)| Wave { after: effort(after), tasks }).collect()
}

/// What could not be begun, and what could have been had others been done.
fn left(outline: &Outline, sorted: &Sorted<'_>, run: &Run) -> Vec<LeftTask> {
    let done: Vec<TaskId> = sorted
        .works
        .iter()
        .zip(&run.begins)
        .filter_map(|(work, begins)| begins.map(|_| work.id))
        .collect();
    let still = |reason: &&Reason| {
        frees(reason, outline.id).is_none_or(|by| !by.iter().any(|id| done.contains(id)))
    };
    let behind = sorted.works.iter().zip(&run.begins).filter(|(_, begins)| begins.is_none());
    let behind = behind.map(|(work, _)| {
        let reasons = sorted.reasons.get(&work.id).into_iter().flatten().filter(still);
        (work.id, reasons.map(ToString::to_string).collect())
    });
    let title = |id: TaskId| outline.task(id.number).map(|task| task.title.clone());
    let mut left: Vec<LeftTask> = sorted
        .waiting
        .iter()
        .cloned()
        .chain(behind)
        .map(|(id, why)| LeftTask { id, title: title(id).unwrap_or_default(), why })
        .collect();
    left.sort_by_key(|task| task.id);
    left
}

fn suggested(works: &[Work<'_>], free: &Run, critical: &[TaskId]) -> Option<Suggested> {
    let begun = |(work, begins): &(&Work<'_>, &Option<u64>)| !work.held && begins.is_some();
    let begun: Vec<&Work<'_>> =
        works.iter().zip(&free.begins).filter(begun).map(|(work, _)| work).collect();
    if begun.is_empty() {
        return None;
    }
    let most = free.most_at_once.clamp(1, usize::from(limits::AGENTS_MAX));
    let bearable = |best: u64| best + best * TOLERANCE_PERCENT / 100;
    let soon = bearable(run::run(works, most).length());
    let all: u64 = begun.iter().map(|work| work.takes).sum();
    // Fewer cannot do it in that time, in whatever order.
    let least = usize::try_from(all.div_ceil(soon)).unwrap_or(most).clamp(1, most);
    let (agents, length) = (least..=most)
        .map(|agents| (agents, run::run(works, agents).length()))
        .find(|(_, length)| *length <= soon)?;
    let longest = begun.iter().filter(|work| critical.contains(&work.id));
    let longest = longest.max_by_key(|work| (work.takes, std::cmp::Reverse(work.id)));
    let because = match longest {
        _ if length > bearable(free.length()) => Enough::Most,
        Some(work) if agents < begun.len() => Enough::Waits { task: work.id },
        _ => Enough::OneEach,
    };
    Some(Suggested { agents, length: effort(length), because })
}

#[cfg(test)]
mod tests;
