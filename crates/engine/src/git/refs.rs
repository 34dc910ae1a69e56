//! Refs: reading them, changing several in one step, and the fence that decides who may.

use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;

use super::Repository;
use super::error::{GitError, Result};
use super::names::{self, Attempt, Oid};
use super::run::Call;
use super::writers::SHARED;

/// How often a step is tried again because somebody else was quicker.
pub const TRIES_MAX: usize = 32;

/// What has to be so, or becomes so, for one ref.
#[derive(Debug)]
pub enum Step<'a> {
    Verify {
        name: String,
        is: &'a Oid,
    },
    /// From a value, or from nothing.
    Update {
        name: String,
        from: Option<&'a Oid>,
        to: &'a Oid,
    },
    Delete {
        name: String,
        from: &'a Oid,
    },
}

impl Step<'_> {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Verify { name, .. } | Self::Update { name, .. } | Self::Delete { name, .. } => {
                name
            }
        }
    }

    /// What is there before; nothing where it is made.
    pub(super) fn before(&self) -> Option<&Oid> {
        match self {
            Self::Verify { is: before, .. } | Self::Delete { from: before, .. } => Some(before),
            Self::Update { from, .. } => *from,
        }
    }

    /// What is there after it; nothing where it goes.
    pub(super) fn after(&self) -> Option<&Oid> {
        match self {
            Self::Verify { is: after, .. } | Self::Update { to: after, .. } => Some(after),
            Self::Delete { .. } => None,
        }
    }

    fn line(&self) -> String {
        match self {
            Self::Verify { name, is } => format!("verify {name} {is}\n"),
            Self::Update { name, from: Some(from), to } => format!("update {name} {to} {from}\n"),
            Self::Update { name, from: None, to } => format!("create {name} {to}\n"),
            Self::Delete { name, from } => format!("delete {name} {from}\n"),
        }
    }
}

/// What a fence says: who may change the milestone's branch for a task.
#[derive(Debug, PartialEq, Eq)]
struct Fence {
    number: u64,
    attempt: Option<AttemptId>,
}

impl Fence {
    fn text(attempt: &Attempt) -> String {
        format!("fence {}\nattempt {}\n", attempt.fence, attempt.id.0)
    }

    /// What it says from the moment on that brings a commit into the branch.
    fn text_bringing(attempt: &Attempt, commit: &Oid) -> String {
        format!("{}brings {commit}\n", Self::text(attempt))
    }

    /// One that cannot be read, as a power cut may leave it, keeps nobody out: whoever held it is
    /// held to the very object, which will be another one.
    fn parse(text: &str) -> Self {
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let attempt = value("attempt").and_then(|text| text.parse().ok()).map(AttemptId);
        Self { number: value("fence").and_then(|text| text.parse().ok()).unwrap_or(0), attempt }
    }

    fn stops(&self, attempt: &Attempt) -> bool {
        let is_another = self.attempt.is_some_and(|held| held != attempt.id);
        self.number > attempt.fence || (self.number == attempt.fence && is_another)
    }
}

/// The object that a call names, if there is one.
pub fn found(call: &Call<'_>) -> Result<Option<Oid>> {
    let said = call.run_accepting_absence()?;
    said.map(|said| Oid::said("rev-parse", &said.text())).transpose()
}

impl Repository {
    /// Takes the task over for an attempt. A fence only ever grows; taking it twice does nothing.
    pub fn take_fence(&self, attempt: &Attempt) -> Result<()> {
        self.fenced(attempt).map(drop)
    }

    /// The object to which the task's fence points once it is this attempt's.
    pub(super) fn fenced(&self, attempt: &Attempt) -> Result<Oid> {
        let name = names::fence(attempt.task);
        let own = self.blob(Fence::text(attempt))?;
        for _ in 0..TRIES_MAX {
            let held = self.object_of(&name)?;
            if held.as_ref() == Some(&own) {
                return Ok(own);
            }
            self.check_fence(attempt, held.as_ref())?;
            let step = Step::Update { name: name.clone(), from: held.as_ref(), to: &own };
            match self.publish(&[step]) {
                Ok(()) => return Ok(own),
                // Somebody was quicker, or it is truly refused.
                Err(error) if self.object_of(&name)? == held => return Err(error),
                Err(_) => {}
            }
        }
        Err(GitError::Busy { branch: name })
    }

    /// The object to which the fence moves together with a commit that comes into the branch.
    pub(super) fn fence_bringing(&self, attempt: &Attempt, commit: &Oid) -> Result<Oid> {
        self.blob(Fence::text_bringing(attempt, commit))
    }

    fn blob(&self, text: String) -> Result<Oid> {
        let said = self.git(&["hash-object", "-w", "--stdin"]).input(text).run()?;
        Oid::said("hash-object", &said.text())
    }

    /// Refuses whoever was taken over.
    pub(super) fn check_fence(&self, attempt: &Attempt, held: Option<&Oid>) -> Result<()> {
        let Some(held) = held else { return Ok(()) };
        let asked = ["cat-file", "blob", held.as_str()];
        let said = self.git(&asked).accepting(&[0, 128]).run()?;
        let fence = Fence::parse(&said.text());
        match fence.stops(attempt) {
            true => Err(GitError::FenceMoved { task: attempt.task, by: fence.number }),
            false => Ok(()),
        }
    }

    /// What a ref points to, if it is there. Only for names that are built here.
    pub(super) fn object_of(&self, name: &str) -> Result<Option<Oid>> {
        found(&self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", name]))
    }

    /// The commit that a name leads to.
    pub(super) fn commit_of(&self, name: &str) -> Result<Option<Oid>> {
        let commit = format!("{name}^{{commit}}");
        found(&self.git(&["rev-parse", "--verify", "--quiet", "--end-of-options", &commit]))
    }

    /// All of it, or nothing.
    pub(super) fn change(&self, steps: &[Step<'_>]) -> Result<()> {
        self.changing(steps).run().map(drop)
    }

    pub(super) fn changing(&self, steps: &[Step<'_>]) -> Call<'_> {
        let lines: String = steps.iter().map(Step::line).collect();
        let input = format!("start\n{lines}prepare\ncommit\n");
        let locks = steps.iter().map(|step| format!("{}.lock", step.name()));
        let shared = SHARED.map(str::to_owned);
        // What a ref under `refs/milestone` said before stays in its log.
        self.git(&["update-ref", "--create-reflog", "--stdin"]).input(input).leaving(
            &self.top,
            &self.common,
            locks.chain(shared).collect(),
        )
    }

    pub(super) fn fence_of(&self, task: TaskId) -> Result<Option<Oid>> {
        self.object_of(&names::fence(task))
    }
}

#[cfg(test)]
mod tests {
    use milestone_domain::ids::MilestoneId;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_fence_that_brings_something_is_still_the_same_attempts() {
        let attempt = |fence, id| Attempt {
            task: TaskId::new(MilestoneId(1), 1),
            id: AttemptId(Uuid::from_u128(id)),
            fence,
        };
        let commit = Oid::parse(&"a".repeat(40)).unwrap();
        for text in [Fence::text(&attempt(2, 7)), Fence::text_bringing(&attempt(2, 7), &commit)] {
            let fence = Fence::parse(&text);
            assert_eq!(fence, Fence { number: 2, attempt: Some(attempt(2, 7).id) });
            assert!(!fence.stops(&attempt(2, 7)) && !fence.stops(&attempt(3, 8)));
            assert!(fence.stops(&attempt(2, 8)) && fence.stops(&attempt(1, 7)));
        }
    }
}
