//! How the work of the milestone stands: what may be begun, and what is in the way.

use std::cmp::Reverse;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use milestone_domain::ids::{Node, TaskId};
use milestone_domain::readiness::Reason;
use milestone_domain::snapshot::Snapshot;
use milestone_domain::status::TaskStatus;
use milestone_domain::streams::Stream;
use milestone_domain::views::impact::impacts;
use milestone_domain::views::next::{Asked, Next, ReadyTask, WaitingTask, next};
use milestone_store::{Error, Project};

use super::lead::Standing;
use super::{Shared, able};
use crate::blockers::{Blocker, BlockerKind};
use crate::core::{Answer, Outlook};

/// What is seen in one look.
#[derive(Default)]
struct Seen {
    outlook: Outlook,
    in_the_way: Vec<(TaskId, BlockerKind, String)>,
}

impl Seen {
    fn waits(&mut self, task: TaskId, because: String) {
        self.outlook.waiting.push((task, because));
    }

    fn is_in_the_way(&mut self, task: TaskId, kind: BlockerKind, because: &str) {
        self.in_the_way.push((task, kind, because.to_owned()));
    }
}

impl Shared {
    pub(super) fn look(self: &Arc<Self>, project: &Project) -> Result<Answer, Error> {
        let milestone = self.setup.milestone;
        let snapshot = self.read(project)?;
        let today = project.context(&self.setup.actor).today;
        let asked = Asked { milestone: Some(milestone), worker: None, limit: usize::MAX };
        let Next { ready, held, waiting, .. } = next(&snapshot, asked, today);
        let standing = match snapshot.documents.get(&milestone).map(|it| self.standing(it)) {
            Some(Err(failure)) => return Ok(Answer::Later(failure.reason)),
            Some(Ok(standing)) => standing,
            None => None,
        };
        let mut seen = Seen::default();
        self.see_streams(standing.as_ref(), &mut seen);
        self.see_ready(&snapshot, ready, standing.as_ref(), &mut seen);
        self.see_waiting(waiting, &mut seen);
        // Somebody else works on what this session works on itself: those are not others.
        let is_held = |task: TaskId| held.iter().any(|held| held.id == task);
        let flying = self.flying();
        let own = flying.values().filter(|flying| is_held(flying.flight.attempt.task)).count();
        drop(flying);
        seen.outlook.held = held.len().saturating_sub(own);
        Ok(Answer::Looked(self.remember(&snapshot, seen, today)))
    }

    fn see_streams(&self, standing: Option<&Standing>, seen: &mut Seen) {
        for stream in standing.into_iter().flat_map(Standing::to_raise) {
            seen.outlook.to_raise.push(stream.name.clone());
            let why = self.said_of_stream(&stream.name);
            if let (Some(why), Some(task)) = (why, stream.tasks.last()) {
                let why = format!(
                    "is done, but its stream {0} stays out (`--accept {0}` takes it in): {why}",
                    stream.name
                );
                seen.is_in_the_way(*task, BlockerKind::Stream, &why);
                seen.waits(*task, why);
            }
        }
    }

    fn see_ready(
        &self,
        snapshot: &Snapshot,
        ready: Vec<ReadyTask>,
        standing: Option<&Standing>,
        seen: &mut Seen,
    ) {
        let needs = self.setup.needs();
        for ReadyTask { id, .. } in ready {
            if let Some(stream) = standing.and_then(|it| it.holds_back(id)) {
                seen.waits(id, waits_for(stream));
                continue;
            }
            match able::obstacle(snapshot, id, &needs, &self.setup.trusts) {
                Some((kind, obstacle)) => {
                    seen.is_in_the_way(id, kind, &obstacle);
                    seen.waits(id, obstacle);
                }
                None => seen.outlook.ready.push(id),
            }
        }
        if self.setup.sequential {
            seen.outlook.ready.sort_unstable();
        }
    }

    /// What waits for no other work of the milestone comes first: somebody has to see to it.
    fn see_waiting(&self, waiting: Vec<WaitingTask>, seen: &mut Seen) {
        let (ours, others): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|waiting| waits_for_work(&waiting.reasons));
        for WaitingTask { id, reasons, .. } in others.into_iter().chain(ours) {
            let mut kinds = reasons.iter().map(|reason| (BlockerKind::of_reason(reason), reason));
            let outside = kinds.find_map(|(kind, reason)| Some((kind?, reason)));
            if let Some((kind, reason)) = outside {
                seen.is_in_the_way(id, self.kind_of(id, kind), &reason.to_string());
            }
            seen.waits(id, reasons.first().map(ToString::to_string).unwrap_or_default());
        }
    }

    /// What the session says of itself from now on.
    fn remember(self: &Arc<Self>, snapshot: &Snapshot, seen: Seen, today: Date) -> Outlook {
        let Seen { mut outlook, in_the_way } = seen;
        let blockers = blockers(snapshot, in_the_way, today);
        let tasks = snapshot.outlines.get(&self.setup.milestone);
        let tasks = tasks.map_or(&[][..], |outline| &outline.tasks);
        outlook.open = tasks.iter().filter(|task| !task.status.is_closed()).count();
        let mut session = self.session();
        session.looked = Some(Timestamp::now());
        self.escalate(&session.blockers, &blockers);
        session.blockers = blockers;
        (session.tasks_ready, session.tasks_waiting) = (outlook.ready.len(), outlook.waiting.len());
        session.tasks_open = outlook.open;
        session.tasks_done =
            tasks.iter().filter(|task| task.status == TaskStatus::Completed).count();
        outlook
    }

    /// What stopped a task, as the last attempt at it says; or as it looks from outside.
    fn kind_of(&self, task: TaskId, from_outside: BlockerKind) -> BlockerKind {
        let session = self.session();
        let last = session.attempts.iter().rev().find(|tried| tried.task == task);
        let failure = last.and_then(|tried| tried.failure.as_ref());
        failure
            .filter(|_| from_outside == BlockerKind::Person)
            .map_or(from_outside, BlockerKind::of)
    }
}

/// The worst first.
fn blockers(
    snapshot: &Snapshot,
    in_the_way: Vec<(TaskId, BlockerKind, String)>,
    today: Date,
) -> Vec<Blocker> {
    let tasks: Vec<Node> = in_the_way.iter().map(|(task, ..)| Node::Task(*task)).collect();
    let impacts = impacts(snapshot, &tasks, today);
    let blocker = |(task, kind, reason)| {
        let impact = impacts.get(&Node::Task(task)).copied().unwrap_or_default();
        Blocker::new(task, kind, reason, impact)
    };
    let mut blockers: Vec<Blocker> = in_the_way.into_iter().map(blocker).collect();
    blockers.sort_by_key(|blocker| Reverse((blocker.severity, blocker.holds_up)));
    blockers
}

/// Whether nothing but other work keeps it, which is done sooner or later.
fn waits_for_work(reasons: &[Reason]) -> bool {
    reasons.iter().all(|reason| matches!(reason, Reason::Requires { .. } | Reason::Resource { .. }))
}

fn waits_for(stream: &Stream) -> String {
    format!("waits for the stream {}, which is not in the milestone's branch yet", stream.name)
}
