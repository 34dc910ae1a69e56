//! Reads a history and says whether it could have happened under the promises. It shares no rule
//! with `decide`: it only knows what must never be seen.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::apply::apply;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{ChangeId, Event, EventId, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::status::{MilestoneStatus, TaskStatus};

/// What no history tells: when, by the store's clock, changes were kept and leases renewed.
#[derive(Debug, Clone, Default)]
pub struct Leases {
    pub granted: BTreeMap<ChangeId, u64>,
    pub renewed: Vec<Lease>,
}

/// A renewal of a claim, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Lease {
    pub task: TaskId,
    pub fence: u64,
    pub from: u64,
    pub until: u64,
}

/// The first event that breaks a promise, and which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub event: EventId,
    pub promise: &'static str,
}

type Verdict = Result<(), &'static str>;

pub fn check(history: &[Recorded], leases: &Leases) -> Result<(), Broken> {
    let mut seen = Seen::new(leases);
    for recorded in history {
        seen.event(recorded).map_err(|promise| Broken { event: recorded.id, promise })?;
    }
    Ok(())
}

/// The tasks that are not completed at the end of a history.
pub fn unfinished(history: &[Recorded]) -> Vec<TaskId> {
    let mut documents: BTreeMap<MilestoneId, Milestone> = BTreeMap::new();
    for recorded in history {
        let Stream::Milestone(id) = recorded.stream else { continue };
        let document = apply(documents.remove(&id), recorded);
        documents.extend(document.map(|document| (id, document)));
    }
    let open = documents.values().flat_map(|document| {
        let open = document.tasks.iter().filter(|task| task.status != TaskStatus::Completed);
        open.map(|task| document.task_id(task))
    });
    open.collect()
}

/// Everything that has happened so far.
struct Seen<'a> {
    leases: &'a Leases,
    events: BTreeSet<EventId>,
    documents: BTreeMap<MilestoneId, Milestone>,
    tasks: BTreeMap<TaskId, Known>,
}

#[derive(Debug, Default)]
struct Known {
    status: Option<TaskStatus>,
    /// The highest fence ever given.
    fence: u64,
    holder: Option<Holder>,
    /// Everybody who ever held it.
    held_by: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Holder {
    fence: u64,
    actor: String,
    until: u64,
}

impl<'a> Seen<'a> {
    fn new(leases: &'a Leases) -> Self {
        let (events, documents, tasks) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
        Self { leases, events, documents, tasks }
    }

    fn event(&mut self, recorded: &Recorded) -> Verdict {
        if !self.events.insert(recorded.id) {
            return Err("an event happens once");
        }
        let Stream::Milestone(id) = recorded.stream else { return Ok(()) };
        self.judge(id, recorded)?;
        let document = apply(self.documents.remove(&id), recorded);
        self.documents.extend(document.map(|document| (id, document)));
        Ok(())
    }

    fn judge(&mut self, id: MilestoneId, recorded: &Recorded) -> Verdict {
        match &recorded.event {
            Event::MilestoneCreated { document } | Event::MilestoneRenumbered { document, .. } => {
                let milestone = Milestone::from_tree(document.clone(), false);
                let tasks = milestone.map(|milestone| milestone.tasks).unwrap_or_default();
                tasks.iter().try_for_each(|task| self.added(id, task))
            }
            Event::TaskAdded { document, .. } => {
                let task = serde_json::from_value(document.clone());
                task.map_or(Ok(()), |task| self.added(id, &task))
            }
            Event::TaskRemoved { task, .. } => self.removed(task.of(id), recorded),
            Event::TaskClaimed { task, from, fence, lease_seconds, .. } => {
                self.claimed(task.of(id), recorded, *from, *fence, *lease_seconds)
            }
            Event::TaskReleased { task, fence, .. } => {
                self.written(task.of(id), Some(*fence), recorded)?;
                self.moved(task.of(id), TaskStatus::Pending);
                Ok(())
            }
            Event::TaskStatusChanged { task, from, to, fence, .. } => {
                self.changed(task.of(id), recorded, (*from, *to), *fence)
            }
            Event::TaskProgressed { task, percent } => {
                if *percent > 100 {
                    return Err("progress is at most a hundred percent");
                }
                if self.status(task.of(id)) != Some(TaskStatus::InProgress) {
                    return Err("only work in progress progresses");
                }
                self.spoken(task.of(id), recorded)
            }
            Event::TaskNoted { task, .. } => self.spoken(task.of(id), recorded),
            _ => Ok(()),
        }
    }

    fn added(&mut self, milestone: MilestoneId, task: &Task) -> Verdict {
        let known = Known {
            status: Some(task.status),
            fence: task.attempts.unwrap_or(0),
            ..Known::default()
        };
        match self.tasks.insert(task.id.of(milestone), known) {
            Some(_) => Err("an id is given once"),
            None => Ok(()),
        }
    }

    fn removed(&mut self, task: TaskId, recorded: &Recorded) -> Verdict {
        self.written(task, None, recorded)?;
        self.tasks.remove(&task);
        Ok(())
    }

    fn claimed(
        &mut self,
        task: TaskId,
        recorded: &Recorded,
        from: TaskStatus,
        fence: u64,
        lease_seconds: u64,
    ) -> Verdict {
        let now = self.now(recorded);
        let live = self.live(task, now);
        let requires_open = self.requires_open(task);
        let known = self.tasks.get_mut(&task).ok_or("only what exists is claimed")?;
        if known.status != Some(from) {
            return Err("an event says what was before it");
        }
        if from == TaskStatus::Completed {
            return Err("completed work is not claimed");
        }
        if live {
            return Err("a live holder is not robbed");
        }
        if fence <= known.fence {
            return Err("fences only grow");
        }
        if requires_open {
            return Err("what is required comes first");
        }
        known.fence = fence;
        known.status = Some(TaskStatus::InProgress);
        known.held_by.insert(recorded.by.clone());
        let until = now + lease_seconds * 1000;
        known.holder = Some(Holder { fence, actor: recorded.by.clone(), until });
        Ok(())
    }

    fn changed(
        &mut self,
        task: TaskId,
        recorded: &Recorded,
        (from, to): (TaskStatus, TaskStatus),
        fence: Option<u64>,
    ) -> Verdict {
        self.written(task, fence, recorded)?;
        if self.status(task) != Some(from) {
            return Err("an event says what was before it");
        }
        if to == TaskStatus::Completed {
            if from == TaskStatus::Completed {
                return Err("work is completed once");
            }
            if self.requires_open(task) {
                return Err("what is required comes first");
            }
        }
        self.moved(task, to);
        Ok(())
    }

    /// A write on a task, by the holder with this fence or by somebody without one.
    fn written(&self, task: TaskId, fence: Option<u64>, recorded: &Recorded) -> Verdict {
        let known = self.tasks.get(&task).ok_or("only what exists is changed")?;
        match (fence, &known.holder) {
            (Some(fence), _) if fence != known.fence => Err("an old fence changes nothing"),
            (Some(_), None) => Err("after the end of a claim its fence changes nothing"),
            (Some(fence), Some(holder)) if holder.fence != fence => {
                Err("an old fence changes nothing")
            }
            (None, Some(_)) if self.live(task, self.now(recorded)) => {
                Err("what is held is changed by its holder only")
            }
            _ => Ok(()),
        }
    }

    /// Progress and notes carry no fence; but who held the task once and does no longer is silent.
    fn spoken(&self, task: TaskId, recorded: &Recorded) -> Verdict {
        let known = self.tasks.get(&task).ok_or("only what exists is changed")?;
        let holds = known.holder.as_ref().is_some_and(|holder| holder.actor == recorded.by);
        if known.held_by.contains(&recorded.by) && !holds {
            return Err("who lost a task is silent about it");
        }
        Ok(())
    }

    fn moved(&mut self, task: TaskId, to: TaskStatus) {
        if let Some(known) = self.tasks.get_mut(&task) {
            known.status = Some(to);
            known.holder = None;
        }
    }

    fn status(&self, task: TaskId) -> Option<TaskStatus> {
        self.tasks.get(&task).and_then(|known| known.status)
    }

    fn now(&self, recorded: &Recorded) -> u64 {
        self.leases.granted.get(&recorded.id.change).copied().unwrap_or(0)
    }

    fn live(&self, task: TaskId, now: u64) -> bool {
        let Some(holder) = self.tasks.get(&task).and_then(|known| known.holder.as_ref()) else {
            return false;
        };
        let renewed =
            self.leases.renewed.iter().filter(|lease| {
                lease.task == task && lease.fence == holder.fence && lease.from <= now
            });
        renewed.map(|lease| lease.until).chain([holder.until]).max().is_some_and(|end| end > now)
    }

    fn requires_open(&self, task: TaskId) -> bool {
        let document = self.documents.get(&task.milestone);
        let Some(known) = document.and_then(|document| document.task(task.number)) else {
            return false;
        };
        let mut requires = known.requires.iter().map(|on| on.node(task.milestone));
        requires.any(|on| match on {
            Node::Task(on) => self.status(on) != Some(TaskStatus::Completed),
            Node::Milestone(on) => {
                let status = self.documents.get(&on).map(|document| document.status);
                status != Some(MilestoneStatus::Completed)
            }
        })
    }
}
