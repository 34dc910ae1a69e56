//! What can go wrong with git, each with a next step that cannot lose anything.

use std::io;
use std::path::{Path, PathBuf};

use milestone_domain::ids::{MilestoneId, TaskId};

#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed, or not in PATH; install git 2.38 or newer")]
    Missing,
    #[error(
        "git {found} is too old: work is integrated with git 2.38 or newer; install a newer one"
    )]
    TooOld { found: String },
    #[error(
        "the repository {path} is bare: tasks need a working tree; run this in an ordinary clone of it"
    )]
    Bare { path: PathBuf },
    #[error(
        "the working tree of {path} cannot be told from here; run this in the repository's main \
         working tree"
    )]
    NoMainWorktree { path: PathBuf },
    #[error(
        "the repository {path} has no commit yet, so there is nothing to begin with; make a first \
         commit: git commit --allow-empty -m \"Begin\""
    )]
    NoCommit { path: PathBuf },
    #[error(
        "git cannot read the repository {path}: {said}. Nothing was begun; see with `git status` what \
         is wrong there, then run this again"
    )]
    Unreadable { path: PathBuf, said: String },
    #[error("`git {doing}` failed{}: {said}", exited(*exit))]
    Failed { doing: String, exit: Option<i32>, said: String },
    #[error(
        "there is no room on the disk for `git {doing}`: {said}; make some, then try this again"
    )]
    NoRoom { doing: String, said: String },
    #[error("`git {doing}` said something that is not understood: {said}")]
    Unexpected { doing: String, said: String },
    #[error("cannot {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "{path} is there, so git refuses to write: either a git is still at work, or one was killed \
         and left it behind. See with `ps -C git -o pid,etime,args` and `fuser -v {path}` whether \
         one is at work in this repository; wait for it, then run this again. Only where there is \
         none may the file be moved away"
    )]
    Locked { path: PathBuf },
    #[error("{task} was taken over under fence {by}; what was done under an older one stays kept")]
    FenceMoved { task: TaskId, by: u64 },
    #[error(
        "{branch} is checked out in {path}, and is never changed under a person: switch to another \
         branch there, then run this again"
    )]
    CheckedOut { branch: String, path: PathBuf },
    #[error(
        "{milestone} requires {required}, and their branches change the same lines of {}: merge \
         {required} into the branch of {milestone} by hand, then run this again",
        listed(files)
    )]
    MilestonesConflict { milestone: MilestoneId, required: MilestoneId, files: Vec<String> },
    #[error(
        "{path} is already there and is not this attempt's worktree; nothing there was touched"
    )]
    PathTaken { path: PathBuf },
    #[error("{path} is not a worktree of this repository")]
    NotAWorktree { path: PathBuf },
    #[error("{hub} cannot be reached: {said}")]
    HubAway { hub: String, said: String },
    #[error(
        "{hub} refuses what was brought to it: {said}. Put that right there; what was done stays kept"
    )]
    HubRefuses { hub: String, said: String },
    #[error("{branch} kept changing while work was added to it; nothing was lost, run this again")]
    Busy { branch: String },
    #[error(
        "the commit could not be signed: {said}. Unlock the key for this session (by signing \
         something by hand), or set commit.gpgsign to false"
    )]
    Signing { said: String },
}

pub type Result<T> = std::result::Result<T, GitError>;

impl GitError {
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing, path: path.to_owned(), source }
    }
}

fn exited(exit: Option<i32>) -> String {
    exit.map_or_else(|| " (it was killed)".to_owned(), |code| format!(" (exit {code})"))
}

fn listed(files: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = files.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
