//! What can be worked on now, and why the rest cannot. There is one readiness rule, and it is
//! this one.

use std::collections::HashMap;
use std::fmt;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::document::GateDecision;
use crate::ids::{Node, TaskId};
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::{Decision, MilestoneStatus, TaskStatus};

/// Where a task stands for somebody who looks for work.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Readiness {
    Ready {
        /// The attempt before this one died with it.
        #[serde(skip_serializing_if = "Option::is_none")]
        lapsed: Option<String>,
    },
    /// Somebody works on it.
    Held {
        by: String,
    },
    Waiting {
        reasons: Vec<Reason>,
    },
    /// Completed or cancelled.
    Closed,
}

/// One thing that a task waits for.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    Requires {
        on: Node,
        status: String,
    },
    Missing {
        on: Node,
    },
    Cancelled {
        on: Node,
    },
    Condition {
        name: String,
        provided_by: Vec<Node>,
    },
    /// An earlier phase that is not approved.
    Gate {
        phase: String,
        decided: Option<GateDecision>,
    },
    External {
        name: String,
    },
    NotBefore {
        date: Date,
    },
    Milestone {
        status: MilestoneStatus,
        reason: Option<String>,
    },
    Archived,
    Blocked {
        reason: Option<String>,
    },
    Failed {
        reason: Option<String>,
    },
    Resource {
        path: String,
        held_by: TaskId,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let because = |reason: &Option<String>| {
            reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
        };
        match self {
            Self::Requires { on, status } => write!(f, "waits for {on} ({status})"),
            Self::Missing { on } => write!(f, "requires {on}, which does not exist"),
            Self::Cancelled { on } => write!(f, "requires {on}, which was cancelled"),
            Self::Condition { name, provided_by } if provided_by.is_empty() => {
                write!(f, "waits for the condition {name}")
            }
            Self::Condition { name, provided_by } => {
                write!(f, "waits for the condition {name}, provided by {}", provided_by[0])
            }
            Self::Gate { phase, decided } => match decided {
                Some(GateDecision { decision: Decision::ChangesRequested, reason, .. }) => {
                    write!(f, "waits for changes of phase {phase}{}", because(reason))
                }
                Some(GateDecision { decision: Decision::Rejected, reason, .. }) => {
                    write!(f, "waits for phase {phase}, which was rejected{}", because(reason))
                }
                Some(GateDecision { decision: Decision::Approved, .. }) | None => {
                    write!(f, "waits for the approval of phase {phase}")
                }
            },
            Self::External { name } => write!(f, "waits for {name} (external)"),
            Self::NotBefore { date } => write!(f, "not before {date}"),
            Self::Milestone { status, reason } => {
                write!(f, "its milestone is {}{}", spoken(status.word()), because(reason))
            }
            Self::Archived => f.write_str("its milestone is archived"),
            Self::Blocked { reason } => write!(f, "blocked{}", because(reason)),
            Self::Failed { reason } => write!(f, "failed{}", because(reason)),
            Self::Resource { path, held_by } => write!(f, "{path} is in use by {held_by}"),
        }
    }
}

/// A status word as it is said in a sentence.
pub fn spoken(word: &str) -> String {
    word.replace('_', " ")
}

/// Everything that readiness is judged by, gathered once: who provides what, who touches what.
pub struct Board<'a> {
    snapshot: &'a Snapshot,
    today: Date,
    conditions: HashMap<&'a str, Provided>,
    busy: Vec<(TaskId, &'a [String])>,
}

/// Who provides a condition, and whether it holds.
#[derive(Debug, Clone, Default, PartialEq)]
struct Provided {
    by: Vec<Node>,
    holds: bool,
}

impl<'a> Board<'a> {
    pub fn new(snapshot: &'a Snapshot, today: Date) -> Self {
        let mut conditions: HashMap<&str, Provided> = HashMap::new();
        for (name, node, holds) in snapshot.outlines.values().flat_map(Outline::provisions) {
            let provided = conditions.entry(name).or_default();
            provided.by.push(node);
            provided.holds |= holds;
        }
        for name in snapshot.conditions.0.keys() {
            conditions.entry(name).or_default().holds = true;
        }
        Self { snapshot, today, conditions, busy: busy(snapshot) }
    }

    pub fn holds(&self, condition: &str) -> bool {
        self.conditions.get(condition).is_some_and(|provided| provided.holds)
    }

    /// Who provides a condition, done or not.
    pub fn providers(&self, condition: &str) -> &[Node] {
        self.conditions.get(condition).map_or(&[], |provided| &provided.by)
    }

    /// Judges one task.
    pub fn readiness(&self, id: TaskId) -> Readiness {
        let outline = self.snapshot.outline(id.milestone);
        let Some((outline, task)) = outline.and_then(|o| Some((o, o.task(id.number)?))) else {
            return Readiness::Waiting { reasons: vec![Reason::Missing { on: Node::Task(id) }] };
        };
        let claim = self.snapshot.claims.get(&id);
        match task.status {
            TaskStatus::Completed | TaskStatus::Cancelled => return Readiness::Closed,
            TaskStatus::InProgress => match claim {
                Some(claim) if claim.is_live() => {
                    return Readiness::Held { by: claim.actor.clone() };
                }
                // Nobody's claim: a person started it, or an agent whose claim another clone keeps.
                None => return Readiness::Held { by: holder(task) },
                Some(_) => {}
            },
            TaskStatus::Pending | TaskStatus::Blocked | TaskStatus::Failed => {}
        }
        let reasons = self.reasons(outline, task);
        if reasons.is_empty() {
            return Readiness::Ready { lapsed: claim.map(|claim| claim.actor.clone()) };
        }
        Readiness::Waiting { reasons }
    }

    fn reasons(&self, outline: &Outline, task: &TaskOutline) -> Vec<Reason> {
        let mut reasons = Vec::new();
        match task.status {
            TaskStatus::Blocked => reasons.push(Reason::Blocked { reason: task.reason.clone() }),
            TaskStatus::Failed => reasons.push(Reason::Failed { reason: task.reason.clone() }),
            _ => {}
        }
        reasons.extend(self.milestone_reasons(outline));
        reasons.extend(self.prerequisites(outline, task));
        if let Some(date) = task.start.filter(|date| *date > self.today) {
            reasons.push(Reason::NotBefore { date });
        }
        reasons.extend(self.busy_resource(TaskId::new(outline.id, task.number), task));
        reasons
    }

    /// What keeps every task of a milestone waiting.
    pub fn milestone_reasons(&self, outline: &Outline) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if outline.archived {
            reasons.push(Reason::Archived);
        }
        if !matches!(outline.status, MilestoneStatus::Planned | MilestoneStatus::InProgress) {
            let reason = outline.reason.clone();
            reasons.push(Reason::Milestone { status: outline.status, reason });
        }
        reasons.extend(self.milestone_prerequisites(outline));
        if let Some(date) = outline.start.filter(|date| *date > self.today) {
            reasons.push(Reason::NotBefore { date });
        }
        reasons
    }

    /// What a milestone waits for before anything in it may be begun.
    pub fn milestone_prerequisites(&self, outline: &Outline) -> Vec<Reason> {
        let nodes = outline.requires.iter().map(|reference| reference.node(outline.id));
        let mut reasons: Vec<_> = nodes.filter_map(|node| self.unmet(node)).collect();
        reasons.extend(self.unmet_conditions(&outline.conditions));
        reasons.extend(outline.external.iter().map(|name| Reason::External { name: name.clone() }));
        reasons
    }

    /// The task's own prerequisites that are open: what completing it would step over.
    pub fn prerequisites(&self, outline: &Outline, task: &TaskOutline) -> Vec<Reason> {
        let nodes = task.requires.iter().map(|reference| reference.node(outline.id));
        let mut reasons: Vec<_> = nodes.filter_map(|node| self.unmet(node)).collect();
        reasons.extend(self.unmet_conditions(&task.conditions));
        reasons.extend(outline.closed_gate(task).map(|phase| Reason::Gate {
            phase: phase.name.clone(),
            decided: phase.decided.clone(),
        }));
        reasons
    }

    /// A cancelled prerequisite holds its dependents back: what was to be built on it is not
    /// there, and only a person can say whether it is still needed.
    fn unmet(&self, on: Node) -> Option<Reason> {
        let status = match on {
            Node::Milestone(id) => match self.snapshot.outline(id).map(|outline| outline.status) {
                Some(MilestoneStatus::Completed) => return None,
                Some(MilestoneStatus::Cancelled) => return Some(Reason::Cancelled { on }),
                other => other.map(MilestoneStatus::word),
            },
            Node::Task(id) => match self.snapshot.task(id).map(|task| task.status) {
                Some(TaskStatus::Completed) => return None,
                Some(TaskStatus::Cancelled) => return Some(Reason::Cancelled { on }),
                other => other.map(TaskStatus::word),
            },
        };
        Some(match status {
            Some(word) => Reason::Requires { on, status: spoken(word) },
            None => Reason::Missing { on },
        })
    }

    fn unmet_conditions<'b>(&'b self, names: &'b [String]) -> impl Iterator<Item = Reason> + 'b {
        names.iter().filter(|name| !self.holds(name)).map(|name| Reason::Condition {
            name: name.clone(),
            provided_by: self
                .conditions
                .get(name.as_str())
                .map(|provided| provided.by.clone())
                .unwrap_or_default(),
        })
    }

    /// The first resource of the task that somebody else works on.
    pub fn busy_resource(&self, id: TaskId, task: &TaskOutline) -> Option<Reason> {
        if task.resources.is_empty() {
            return None;
        }
        let others = self.busy.iter().filter(|(other, _)| *other != id);
        others.into_iter().find_map(|(held_by, theirs)| {
            let path = overlap(&task.resources, theirs)?;
            Some(Reason::Resource { path: path.to_owned(), held_by: *held_by })
        })
    }
}

fn holder(task: &TaskOutline) -> String {
    task.started_by.clone().or_else(|| task.assignee.clone()).unwrap_or_else(|| "somebody".into())
}

/// What live claims, and the tasks in progress that the snapshot knows, touch.
fn busy(snapshot: &Snapshot) -> Vec<(TaskId, &[String])> {
    let claimed = snapshot.claims.values().filter(|claim| claim.is_live());
    let claimed = claimed.map(|claim| (claim.task, claim.resources.as_slice()));
    let working = snapshot.outlines.values().flat_map(|outline| {
        let working = outline.tasks.iter().filter(|task| task.status == TaskStatus::InProgress);
        working.map(|task| (TaskId::new(outline.id, task.number), task.resources.as_slice()))
    });
    let unclaimed = working.filter(|(id, _)| !snapshot.claims.contains_key(id));
    claimed.chain(unclaimed).filter(|(_, resources)| !resources.is_empty()).collect()
}

/// The first of our paths that is, contains, or lies in one of theirs.
pub fn overlap<'a>(ours: &'a [String], theirs: &[String]) -> Option<&'a str> {
    let mut ours = ours.iter().map(String::as_str);
    ours.find(|our| theirs.iter().any(|their| one_in_the_other(our, their)))
}

/// Allocates nothing: this is asked for every open task against everything in use.
fn one_in_the_other(one: &str, other: &str) -> bool {
    path_parts(one).zip(path_parts(other)).all(|(one, other)| one == other)
}

/// The steps of a path, without what only looks different.
pub fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_overlap_when_one_lies_in_the_other() {
        let paths = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(overlap(&paths("src/auth/"), &paths("src/auth/login.rs")), Some("src/auth/"));
        assert_eq!(overlap(&paths("a ./src/x"), &paths("src")), Some("./src/x"));
        assert_eq!(overlap(&paths("src/auth"), &paths("src/authz")), None);
    }
}
