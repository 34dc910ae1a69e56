//! Everything that is done with git, by starting the `git` program.
//!
//! Attempts work in worktrees of their own. What they leave is kept as a commit under a ref before
//! anything else happens to it, and comes into the milestone's branch in one transaction that also
//! checks the task's fence: whoever was taken over can change nothing. The branch of a milestone is
//! written without a working tree, and never while a person has it checked out.

mod branches;
mod checkout;
pub mod documents;
mod error;
mod hub;
mod ignored;
mod integrate;
mod keep;
mod message;
mod names;
mod push;
mod refs;
mod remove;
mod run;
mod streams;
mod worktrees;
mod writers;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

pub use branches::Start;
pub use error::{GitError, Result};
pub use hub::{Cloned, clone};
pub use integrate::{Integrated, Integration};
pub use keep::Kept;
pub use message::message;
pub use milestone_store::config::Strategy;
pub use names::{Attempt, Branch, Oid, milestone_branch};
pub use push::{Pushed, without_credentials};
pub use remove::Removed;
pub(crate) use run::OF_ONE_REPOSITORY;
pub use run::{Caller, Identity};
pub use streams::{Raised, Together};
pub use worktrees::{Description, Worktree};

use run::{Call, Said};

/// The first that merges without a working tree.
const OLDEST: (u32, u32) = (2, 38);

/// Held while worktrees are made, removed or listed to be changed: git itself loses races there.
const ADMINISTRATION: &str = "milestone.lock";

/// A repository, and the main working tree in which its project lives.
#[derive(Debug, Clone)]
pub struct Repository {
    top: PathBuf,
    common: PathBuf,
    /// The project's folder, from the top on.
    state: String,
    caller: Caller,
    /// Where work is brought in first, if this is one of several clones that share that.
    hub: Option<hub::Hub>,
}

impl Repository {
    /// The repository that a folder is in, also from within a linked worktree; `None` if it is in
    /// none. What git processes of ours that were killed left behind is removed.
    pub fn find(folder: &Path, caller: &Caller) -> Result<Option<Self>> {
        check_version(caller)?;
        let asked = ["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"];
        let said = Call::new(caller, folder, &asked).accepting(&[0, 128]).run()?;
        if said.exit == Some(128) {
            if !said.err.contains("not a git repository") {
                return Err(refused(&asked, &said));
            }
            // Git says the same of one that it cannot read. Work in a person's own folder, as if
            // there were none, would be a bad answer to that.
            let unreadable = |path| GitError::Unreadable { path, said: said.err.trim().to_owned() };
            return around(folder).map_or(Ok(None), |path| Err(unreadable(path)));
        }
        let text = said.text();
        let Some((own, common)) = text.split_once('\n') else { return Err(refused(&asked, &said)) };
        let common = PathBuf::from(common);
        let common = common.canonicalize().map_err(GitError::io("open", &common))?;
        let is_linked = Path::new(own).canonicalize().is_ok_and(|own| own != common);
        let top = main_top(caller, folder, &common, is_linked)?;
        let caller = caller.clone();
        let state = ".milestones".to_owned();
        let repository = Self { top, common, state, caller, hub: None };
        repository.check_begun()?;
        repository.clear_left_behind()?;
        Ok(Some(repository))
    }

    /// The same, with the project in another folder than `.milestones`, seen from the top.
    #[must_use]
    pub fn with_state(mut self, folder: &str) -> Self {
        folder.trim_matches('/').clone_into(&mut self.state);
        self
    }

    pub fn top(&self) -> &Path {
        &self.top
    }

    pub fn common(&self) -> &Path {
        &self.common
    }

    /// Makes all that git was told survive a power cut. Git by itself does not: the folder of a ref
    /// is never synced. Nothing may be recorded as done before this has succeeded.
    pub fn make_durable(&self) -> Result<()> {
        if milestone_store::planted::has("git-not-synced") {
            return Ok(());
        }
        let hub = self.hub.as_ref().and_then(hub::Hub::place);
        for folder in [&*self.common, &*self.top].into_iter().chain(hub) {
            let opened = File::open(folder).map_err(GitError::io("open", folder))?;
            sync(&opened).map_err(GitError::io("sync the disk of", folder))?;
        }
        Ok(())
    }

    /// Removes the locks of our own that were killed; whether some may still be there.
    pub fn clear_left_behind(&self) -> Result<bool> {
        writers::clear(&self.common, &worktrees::places(&self.top, &self.common))
    }

    fn check_begun(&self) -> Result<()> {
        let branches = self.git(&["for-each-ref", "--count=1", "refs/heads"]).run()?;
        if branches.out.is_empty() && self.commit_of("HEAD")?.is_none() {
            return Err(GitError::NoCommit { path: self.top.clone() });
        }
        Ok(())
    }

    fn git<S: AsRef<OsStr>>(&self, words: &[S]) -> Call<'_> {
        Call::new(&self.caller, &self.top, words)
    }

    /// Whether one commit is in the history of another.
    pub fn contains(&self, history: &str, commit: &Oid) -> Result<bool> {
        let asked = ["merge-base", "--is-ancestor", commit.as_str(), history];
        Ok(self.git(&asked).accepting(&[0, 1]).run()?.exit == Some(0))
    }

    /// A setting of the person's, if there is one.
    fn configured(&self, key: &str) -> Result<Option<String>> {
        let said = self.git(&["config", "--get", key]).accepting(&[0, 1]).run()?;
        Ok((said.exit == Some(0)).then(|| said.text()).filter(|text| !text.is_empty()))
    }

    /// Waits for the turn to change which worktrees there are. Calls that do so are handed the
    /// lock, and hold it to their end also if this process is killed.
    fn administration(&self) -> Result<File> {
        let turn = self.turn(ADMINISTRATION)?;
        self.clear_left_behind()?;
        Ok(turn)
    }

    fn turn(&self, lock: &str) -> Result<File> {
        let path = self.common.join(lock);
        let open = File::options().create(true).truncate(false).write(true).read(true).open(&path);
        let file = open.map_err(GitError::io("open", &path))?;
        file.lock().map_err(GitError::io("lock", &path))?;
        Ok(file)
    }
}

#[cfg(target_os = "linux")]
fn sync(folder: &File) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(folder)?)
}

#[cfg(not(target_os = "linux"))]
fn sync(folder: &File) -> std::io::Result<()> {
    rustix::fs::sync();
    folder.sync_all()
}

/// What makes a folder, or one above it, a repository, whole or not.
fn around(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let is_empty = |git: &Path| git.read_dir().is_ok_and(|mut inside| inside.next().is_none());
    let mut found = folder.ancestors().map(|folder| folder.join(".git"));
    found.find(|git| git.symlink_metadata().is_ok() && !is_empty(git))
}

fn refused(asked: &[&str], said: &Said) -> GitError {
    GitError::Unexpected { doing: asked.join(" "), said: said.err.trim().to_owned() + &said.text() }
}

fn check_version(caller: &Caller) -> Result<()> {
    let said = Call::new(caller, Path::new("/"), &["version"]).run()?.text();
    let found = said.trim_start_matches("git version ").to_owned();
    let mut numbers = found.split('.').map_while(|part| part.parse::<u32>().ok());
    let version = numbers.next().zip(numbers.next());
    if version.is_none_or(|version| version < OLDEST) {
        return Err(GitError::TooOld { found });
    }
    Ok(())
}

/// The top of the main working tree, wherever in the repository the question is asked.
fn main_top(caller: &Caller, folder: &Path, common: &Path, is_linked: bool) -> Result<PathBuf> {
    let bare = || GitError::Bare { path: common.to_owned() };
    let mut at = folder.to_owned();
    if is_linked {
        let said = Call::new(caller, folder, &["worktree", "list", "--porcelain", "-z"]).run()?;
        let main = worktrees::parsed(&said).into_iter().next();
        let main = main.ok_or_else(|| GitError::NoMainWorktree { path: folder.to_owned() })?;
        if main.is_bare {
            return Err(bare());
        }
        at = main.path;
    }
    let asked = ["rev-parse", "--path-format=absolute", "--is-bare-repository", "--show-toplevel"];
    let said = Call::new(caller, &at, &asked).accepting(&[0, 128]).run()?;
    let text = said.text();
    if text.lines().next() == Some("true") {
        return Err(bare());
    }
    let top = text.split_once('\n').map(|(_, top)| PathBuf::from(top));
    let top = top.filter(|_| said.exit == Some(0));
    let top = top.ok_or_else(|| GitError::NoMainWorktree { path: common.to_owned() })?;
    top.canonicalize().map_err(GitError::io("open", &top))
}
