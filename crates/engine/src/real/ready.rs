//! A new worktree is made ready for its runner: what is copied into it, and what is run in it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use super::finish::is_there;
use super::{Shared, trouble};
use crate::copying::{self, CopyError};
use crate::core::{Attempt, Failure, FailureKind};
use crate::git::{Kept, Oid, Repository, Strategy};
use crate::session::Flight;

/// How many files are named of those that are in the way.
const NAMED_MAX: usize = 5;

impl Shared {
    /// Does what the settings say is to be done before a task is begun. May be repeated.
    pub(super) fn make_ready(&self, attempt: Attempt, flight: &Flight) -> Result<(), Failure> {
        let told = &self.setup.execution;
        let Some(repository) = &self.setup.repository else { return Ok(()) };
        if told.copies.is_empty() && told.setup.is_empty() {
            return Ok(());
        }
        self.stage(attempt, "being set up");
        let before = repository.describe(&flight.worktree)?.uncommitted;
        self.copy_in(repository, attempt, flight)?;
        for command in &told.setup {
            self.check_trust("setup", command)?;
            self.shell(attempt, flight, command, FailureKind::Setup)?;
        }
        // Nobody could tell it from what the task is about.
        let after = repository.describe(&flight.worktree)?.uncommitted;
        let left: Vec<String> = after.into_iter().filter(|line| !before.contains(line)).collect();
        match left.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Setup, left_behind(&left))),
        }
    }

    fn copy_in(
        &self,
        repository: &Repository,
        attempt: Attempt,
        flight: &Flight,
    ) -> Result<(), Failure> {
        let project = &self.setup.project;
        let found = copying::found(project, &self.setup.execution.copies)
            .map_err(|error| failed(&error))?;
        let target = flight.worktree.join(self.seen_from_top(repository, ""));
        let seen_from_top = |path: &String| self.seen_from_top(repository, path);
        let places: Vec<String> = found.files.iter().map(seen_from_top).collect();
        // Git has no answer for what is behind a link of its own, or in a submodule.
        let taken = repository
            .not_ignored(&flight.worktree, &places)
            .map_err(|error| Failure::new(FailureKind::Setup, format!("execute.copy: {error}")))?;
        let taken: BTreeSet<String> = taken.into_iter().collect();
        let mut said: String = found.missing.iter().fold(String::new(), |mut said, missing| {
            let _ = writeln!(said, "not copied: {missing} is not there");
            said
        });
        let mut copied = BTreeSet::new();
        for (path, place) in found.files.iter().zip(places) {
            if !taken.contains(&place) {
                copying::copy(path, project, &target).map_err(|error| failed(&error))?;
                let _ = writeln!(said, "copied: {path}");
                copied.insert(place);
            } else if is_there(&target.join(path)) {
                let _ = writeln!(said, "not copied: git has its own {path}, which stays");
            } else {
                return Err(Failure::new(FailureKind::Setup, would_be_committed(path)));
            }
        }
        self.with(attempt, |flying| flying.copied.extend(copied));
        let mut log = self.sessions.create_log(attempt.id).map_err(trouble)?;
        log.write_all(said.as_bytes()).map_err(trouble)
    }

    /// Says no to work in which something would be committed that was only lent.
    pub(super) fn check_copies(
        &self,
        repository: &Repository,
        attempt: Attempt,
        (start, kept): (&Oid, &Kept),
    ) -> Result<(), Failure> {
        let copied = self.with(attempt, |flying| flying.copied.clone()).unwrap_or_default();
        if copied.is_empty() {
            return Ok(());
        }
        let changed = match self.setup.execution.strategy {
            Strategy::Squash => kept.changed.clone(),
            // Its own commits come along: what one adds is there, though the next removes it.
            Strategy::Merge => repository.touched(start, &kept.commit)?,
        };
        let Some(path) = changed.iter().find(|path| copied.contains(*path)) else { return Ok(()) };
        let reason = format!(
            "it would commit {path}, which was copied into its worktree because git ignores it; \
             what it did is kept here, and goes nowhere"
        );
        Err(Failure::new(FailureKind::Trespass, reason))
    }
}

fn failed(error: &CopyError) -> Failure {
    Failure::new(FailureKind::Setup, format!("execute.copy: {error}"))
}

fn would_be_committed(path: &str) -> String {
    format!(
        "execute.copy: {path} is not ignored by git, so it would be committed with the task; add \
         it to .gitignore and commit that, or take it out of the setting"
    )
}

fn left_behind(left: &[String]) -> String {
    let named = left.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    format!(
        "what was set up leaves changes that git does not ignore and that would be committed with \
         the task: {named}; add them to .gitignore and commit that, or set up without them"
    )
}
