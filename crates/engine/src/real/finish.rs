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

    /// Stops the verification of everything, now or as soon as it begins.
    pub(super) fn stop_finishing(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.stop(self.whole().id);
    }

    /// The attempt at no task. After a crash it is known by the same id.
    fn whole(&self) -> Attempt {
        let milestone = self.setup.milestone;
        let named = format!("{} {milestone}", self.setup.root.display());
        let mut id = [0; 16];
        id.copy_from_slice(&blake3::hash(named.as_bytes()).as_bytes()[..16]);
        let id = AttemptId(Uuid::from_bytes(id));
        Attempt { task: TaskId::new(milestone, 0), id, fence: 0 }
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
        let attempt = self.whole();
        keeper::end_all_of(attempt.id);
        let flight = self.looked_at(attempt, tip.as_ref());
        let folder = flight.worktree.clone();
        self.fly(flight, document.title.clone());
        if self.stopping.load(Ordering::SeqCst) {
            self.stop(attempt.id);
        }
        let verified = self.verify_in(attempt, document, tip.as_ref());
        self.flying().remove(&attempt.id);
        if let Some(repository) = &self.setup.repository
            && !document.verify.is_empty()
        {
            // What stays is removed by the next.
            let _ = repository.remove_checkout(&folder);
        }
        verified
    }

    /// Where all of the work is seen together.
    fn looked_at(&self, attempt: Attempt, tip: Option<&Oid>) -> Flight {
        let name = format!("{}-verification", attempt.task.milestone);
        let folder = || self.setup.worktrees.join(name);
        Flight {
            session: self.session().id.clone(),
            attempt,
            runner: "shell".to_owned(),
            branch: None,
            worktree: tip.map_or_else(|| self.setup.project.clone(), |_| folder()),
            start: tip.map(ToString::to_string),
            goes_on_from: None,
            log: self.sessions.log(attempt.id),
        }
    }

    fn verify_in(
        &self,
        attempt: Attempt,
        document: &Milestone,
        tip: Option<&Oid>,
    ) -> Result<(), Failure> {
        if document.verify.is_empty() {
            return Ok(());
        }
        for command in &document.verify {
            self.check_trust("verify", command)?;
        }
        let flight = self.flown(attempt)?;
        if let (Some(repository), Some(tip)) = (&self.setup.repository, tip) {
            repository.add_checkout(&flight.worktree, tip)?;
        }
        self.make_ready(attempt, &flight)?;
        for command in &document.verify {
            self.check_trust("verify", command)?;
            self.shell(attempt, &flight, command, FailureKind::Verify)?;
        }
        self.session().verified.clone_from(&document.verify);
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
