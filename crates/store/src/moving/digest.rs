//! What is in a project, as one number for each of its parts: two stores that have the same are
//! the same, whatever order they keep things in.

use std::collections::BTreeMap;
use std::fmt;

use milestone_domain::document::Milestone;
use milestone_domain::event::EventId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::{Claim, Given};
use serde::Serialize;

use crate::error::StoreError;
use crate::{Portion, Result, Store, pruned};

type Hash = [u8; 32];

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Name {
    Milestone(MilestoneId),
    Event(EventId),
    Claim(TaskId),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Milestone(id) => id.fmt(f),
            Self::Event(id) => id.fmt(f),
            Self::Claim(task) => write!(f, "the claim of {task}"),
        }
    }
}

#[derive(Default)]
pub struct Digest {
    parts: BTreeMap<Name, Hash>,
    given: Given,
}

impl Digest {
    pub fn of(store: &dyn Store) -> Result<Self> {
        let mut digest = Self::default();
        store.export(&mut |portion| {
            digest.add(&portion);
            Ok(())
        })?;
        Ok(digest)
    }

    pub fn add(&mut self, portion: &Portion) {
        match portion {
            Portion::Given(given) => self.given = std::mem::take(&mut self.given).with(given),
            Portion::Document { milestone, .. } => {
                self.put(Name::Milestone(milestone.id), &document(milestone));
            }
            Portion::Event(recorded) => self.put(Name::Event(recorded.id), &said(recorded)),
            Portion::Claim { claim, .. } => {
                // How long its lease still is changes while one looks.
                let claim = Claim { seconds_left: None, ..claim.clone() };
                self.put(Name::Claim(claim.task), &said(&claim));
            }
        }
    }

    fn put(&mut self, name: Name, said: &[u8]) {
        self.parts.insert(name, *blake3::hash(said).as_bytes());
    }

    pub fn compare(&self, other: &Self) -> Result<()> {
        if crate::planted::has("digest-not-compared") {
            return Ok(());
        }
        let differs = |what: String| Err(StoreError::CopyDiffers { what });
        if self.given != other.given {
            return differs("what was given before a restore".to_owned());
        }
        let all = self.parts.keys().chain(other.parts.keys());
        match all.into_iter().find(|name| self.parts.get(*name) != other.parts.get(*name)) {
            Some(name) => differs(name.to_string()),
            None => Ok(()),
        }
    }
}

fn said(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

/// All that a document says, where it says nothing of what is empty; what is computed is left out.
/// Tasks and criteria are known by their ids, wherever they stand.
fn document(milestone: &Milestone) -> Vec<u8> {
    let mut items: Vec<Vec<u8>> = milestone.tasks.iter().map(pruned::to_vec).collect();
    items.extend(milestone.criteria.iter().map(pruned::to_vec));
    items.sort_unstable();
    let (tasks, criteria, progress) = (Vec::new(), Vec::new(), None);
    let header = Milestone { tasks, criteria, progress, ..milestone.clone() };
    items.push(pruned::to_vec(&header));
    items.push(vec![u8::from(milestone.archived)]);
    items.concat()
}

#[cfg(test)]
mod tests {
    use milestone_domain::document::{ShownProgress, Task};

    use super::*;

    fn milestone() -> Milestone {
        let mut milestone = Milestone::new(MilestoneId(1), "Login");
        milestone.tasks = (1..=3).map(|number| Task::new(number, "Do")).collect();
        milestone
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        let mut other = milestone();
        other.tasks.reverse();
        other.tasks[0].labels.clear();
        other.progress = Some(ShownProgress::default());
        assert_eq!(document(&milestone()), document(&other));
    }

    #[test]
    fn what_says_anything_else_is_another() {
        let changes: [fn(&mut Milestone); 6] = [
            |m| m.title.push('s'),
            |m| m.archived = true,
            |m| m.tasks[1].labels.push("x".into()),
            |m| m.tasks.truncate(2),
            |m| m.goals.push(String::new()),
            |m| m.composition.extend([("debt".to_owned(), 0)]),
        ];
        for change in changes {
            let mut other = milestone();
            change(&mut other);
            assert_ne!(document(&milestone()), document(&other), "{other:?}");
        }
    }
}
