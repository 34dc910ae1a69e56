//! The end of a milestone: all of its work together is verified, and only then it is completed.
//!
//! The verification is an attempt at no task: it runs as attempts do, is stopped as they are, and
//! what a killed one has left is ended and removed by the next.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use milestone_domain::command::Command;
use milestone_domain::document::{Milestone, PromisedFile};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::TaskId;
use milestone_domain::snapshot::Outline;
use milestone_domain::status::MilestoneStatus;
use milestone_store::{Error, Project};
use uuid::Uuid;

use super::Shared;
use crate::core::{Answer, Attempt, Failure, FailureKind};
use crate::git::{Oid, Repository};
use crate::keeper;
use crate::session::Flight;

impl Shared {
    pub(super) fn finish(&self, project: &Project) -> Result<Answer, Error> {
        let milestone = self.setup.milestone;
        let snapshot = self.read(project)?;
        let document = snapshot.documents.get(&milestone);
        // One that cannot be completed for another reason is told so first.
        let is_next = |document: &&Milestone| {
            document.status != MilestoneStatus::Completed && Outline::of(document).is_finished()
        };
        if let Some(document) = document.filter(is_next)
            && let Err(failure) = self.verify_all(document)
        {
            return Ok(Answer::Failed(failure));
        }
        let to = MilestoneStatus::Completed;
        self.execute(project, &Command::ChangeMilestone { milestone, to, reason: None })?;
        Ok(Answer::Done)
    }

    /// Stops the verification of everything, or what judges a stream; for good, also what would
    /// begin.
    pub(super) fn stop_looking(&self, for_good: bool) {
        self.stopping.fetch_or(for_good, Ordering::SeqCst);
        let attempts =
            self.flying().values().map(|flying| flying.flight.attempt).collect::<Vec<_>>();
        for attempt in attempts.into_iter().filter(is_at_no_task) {
            self.stop(attempt.id);
        }
    }

    fn verify_all(&self, document: &Milestone) -> Result<(), Failure> {
        let promised = document.promised_in_all();
        if promised.is_empty() && document.verify.is_empty() {
            return Ok(());
        }
        let tip = match &self.setup.repository {
            Some(repository) => Some(repository.milestone_start(document.id)?),
            None => None,
        };
        self.check_promised(&promised, &tip.iter().collect::<Vec<_>>())?;
        if document.verify.is_empty() {
            return Ok(());
        }
        let what = format!("{}-verification", document.id);
        self.looking_at(&what, tip.as_ref(), |flight| self.verify_in(flight, &document.verify))?;
        self.session().verified.clone_from(&document.verify);
        Ok(())
    }

    /// The attempt at no task that looks at this. After a crash it is known by the same id.
    pub(super) fn looker(&self, what: &str) -> Attempt {
        let named = format!("{} {what}", self.setup.root.display());
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(named.as_bytes()).as_bytes()[..16]);
        let id = AttemptId(Uuid::from_bytes(id));
        Attempt { task: TaskId::new(self.setup.milestone, 0), id, fence: 0 }
    }

    /// Does something where all of the work at a commit is seen together; without git, in the
    /// project's folder.
    pub(super) fn looking_at<T>(
        &self,
        what: &str,
        tip: Option<&Oid>,
        look: impl FnOnce(&Flight) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let attempt = self.looker(what);
        keeper::end_all_of(attempt.id);
        let flight = Flight {
            session: self.session().id.clone(),
            attempt,
            runner: "shell".to_owned(),
            branch: None,
            worktree: tip
                .map_or_else(|| self.setup.project.clone(), |_| self.setup.worktrees.join(what)),
            stream: None,
            start: tip.map(ToString::to_string),
            goes_on_from: None,
            log: self.sessions.log(attempt.id),
        };
        self.fly(flight.clone(), what.to_owned());
        if self.stopping.load(Ordering::SeqCst) {
            self.stop(attempt.id);
        }
        let looked = self.checked_out(&flight, tip).and_then(|()| look(&flight));
        self.flying().remove(&attempt.id);
        if let Some(repository) = &self.setup.repository {
            // What stays is removed by the next.
            let _ = repository.remove_checkout(&flight.worktree);
        }
        looked
    }

    fn checked_out(&self, flight: &Flight, tip: Option<&Oid>) -> Result<(), Failure> {
        if let (Some(repository), Some(tip)) = (&self.setup.repository, tip) {
            repository.add_checkout(&flight.worktree, tip)?;
        }
        self.make_ready(flight.attempt, flight)
    }

    pub(super) fn verify_in(&self, flight: &Flight, commands: &[String]) -> Result<(), Failure> {
        // All of them may run, or none does.
        for command in commands {
            self.check_trust("verify", command)?;
        }
        for command in commands {
            self.check_trust("verify", command)?;
            self.shell(flight.attempt, flight, command, FailureKind::Verify)?;
        }
        Ok(())
    }

    /// Every promised file must be in one of these commits, or in the milestone's own folder.
    pub(super) fn check_promised(
        &self,
        promised: &[PromisedFile],
        commits: &[&Oid],
    ) -> Result<(), Failure> {
        for file in promised {
            if !self.is_left_behind(file, commits)? {
                return Err(Failure::new(FailureKind::Verify, missing(file)));
            }
        }
        Ok(())
    }

    fn is_left_behind(&self, file: &PromisedFile, commits: &[&Oid]) -> Result<bool, Failure> {
        let path = file.path.trim_end_matches('/');
        // What phases write down may stand beside the documents, which no commit of a task changes.
        let own = self.setup.root.join("deliverables").join(self.setup.milestone.to_string());
        let phase = file.phase.as_deref().filter(|phase| !phase.contains(['/', '.']));
        let mut beside = vec![own.join(path)];
        beside.extend(phase.map(|phase| own.join(phase).join(path)));
        let Some(repository) = &self.setup.repository else {
            beside.push(self.setup.project.join(path));
            return Ok(beside.iter().any(|path| is_there(path)));
        };
        if beside.iter().any(|path| is_there(path)) {
            return Ok(true);
        }
        let path = self.seen_from_top(repository, path);
        for commit in commits {
            if !repository.has(commit, std::slice::from_ref(&path))?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A path of the project, as git names it.
    pub(super) fn seen_from_top(&self, repository: &Repository, path: &str) -> String {
        let below = self.setup.project.strip_prefix(repository.top());
        below.map_or_else(|_| PathBuf::from(path), |below| below.join(path)).display().to_string()
    }
}

/// Whether an attempt only looks at what others did.
fn is_at_no_task(attempt: &Attempt) -> bool {
    attempt.task.number == 0
}

pub(super) fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn missing(file: &PromisedFile) -> String {
    let who = file.phase.as_ref().map_or_else(
        || "the milestone is".to_owned(),
        |phase| format!("with this, the phase {phase} is"),
    );
    format!("{who} to leave {} behind, and it is not there", file.path)
}
