//! The one place that starts git.
//!
//! Git takes its orders from names, configuration and environment as well as from us, so each call
//! has a fixed environment, no prompts, no hooks, and arguments that cannot be taken for options.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::error::{GitError, Result};
use super::worktrees;
use super::writers::{self, Writer};
pub use crate::attended::Said;
use crate::attended::attend;
use crate::runners::is_program;

/// What git may see of our environment: enough to find itself and the person's own settings.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"];

/// What signing needs beside it. Neither a terminal nor a display is passed on: nobody is asked.
const PASSED_ON_TO_SIGN: [&str; 2] = ["GNUPGHOME", "SSH_AUTH_SOCK"];

/// A repository's own configuration must not start programs for us, or change what calls mean.
const HOOKS: &str = "core.hooksPath=/dev/null";
/// And what it has written is on the disk before it is in its place: after a power cut an object
/// would be there and empty, and everybody who writes the same again would find it there.
const SETTINGS: [&str; 9] = [
    HOOKS,
    "core.fsync=all",
    "core.fsyncMethod=batch",
    "core.fsmonitor=false",
    "protocol.allow=never",
    "submodule.recurse=false",
    "core.splitIndex=false",
    "core.quotePath=false",
    "gc.auto=0",
];

/// What says of an environment that it is that of one repository: another call may be for another.
pub const OF_ONE_REPOSITORY: [&str; 14] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// How long another git may keep us from writing before that is said.
const LOCK_WAIT: Duration = Duration::from_secs(8);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// A signature that takes longer waits for somebody.
pub const SIGNING_MAX: Duration = Duration::from_secs(30);

/// Whose commits these are where nobody is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub name: String,
    pub email: String,
}

/// On whose behalf git is started.
#[derive(Debug, Clone)]
pub struct Caller {
    environment: Vec<(OsString, OsString)>,
    pub fallback: Identity,
}

impl Caller {
    /// Somebody who only asks, and commits nothing.
    pub fn asking() -> Self {
        Self::new(Identity { name: String::new(), email: String::new() })
    }

    pub fn new(fallback: Identity) -> Self {
        let names = PASSED_ON.iter().chain(&PASSED_ON_TO_SIGN);
        let environment = names.filter_map(|name| Some((name.into(), std::env::var_os(name)?)));
        Self { environment: environment.collect(), fallback }
    }

    /// The same, with another value of a variable that git may see.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The program, by its whole path: where only its name is known, every start copies the memory of
    /// this process, and a folder of `PATH` may be the repository itself.
    fn git(&self) -> PathBuf {
        let path = self.environment.iter().find(|(name, _)| name == "PATH").map(|(_, path)| path);
        let folders = path.into_iter().flat_map(std::env::split_paths);
        let mut found = folders.filter(|folder| folder.is_absolute()).map(|it| it.join("git"));
        found.find(|git| is_program(git)).unwrap_or_else(|| "git".into())
    }

    fn passed_on(&self, signs: bool) -> impl Iterator<Item = (&OsString, &OsString)> {
        let is_passed = move |name: &OsString| {
            PASSED_ON.iter().any(|known| name == known)
                || (signs && PASSED_ON_TO_SIGN.iter().any(|known| name == known))
        };
        let pairs = self.environment.iter().filter(move |(name, _)| is_passed(name));
        pairs.map(|(name, value)| (name, value))
    }
}

/// Which git folder a call works with, where it is not the one that it stands in.
#[derive(Debug, Clone)]
pub struct Tree {
    pub admin: PathBuf,
    pub path: PathBuf,
}

/// The files that a git which takes locks may leave behind, and the repository that they are in.
#[derive(Debug)]
struct Locks {
    top: PathBuf,
    common: PathBuf,
    leaves: Vec<String>,
}

/// What a git may need beside the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// A key, and nobody who is asked for it.
    Key,
    /// All that the person has who would type it: signing in, and their own hooks.
    Person,
}

/// A git that is about to be started.
#[derive(Debug)]
pub struct Call<'a> {
    caller: &'a Caller,
    folder: PathBuf,
    words: Vec<OsString>,
    settings: Vec<String>,
    environment: Vec<(&'static str, OsString)>,
    input: Option<Vec<u8>>,
    hands: Option<&'a File>,
    accepts: &'static [i32],
    locks: Option<Locks>,
    needs: Needs,
    limit: Option<Duration>,
    /// How long another git may keep it from writing.
    patience: Duration,
}

impl<'a> Call<'a> {
    pub fn new<S: AsRef<OsStr>>(caller: &'a Caller, folder: &Path, words: &[S]) -> Self {
        Self {
            caller,
            folder: folder.to_owned(),
            words: words.iter().map(|word| word.as_ref().to_owned()).collect(),
            settings: Vec::new(),
            environment: Vec::new(),
            input: None,
            hands: None,
            accepts: &[0],
            locks: None,
            needs: Needs::Nothing,
            limit: None,
            patience: LOCK_WAIT,
        }
    }

    pub fn setting(mut self, setting: String) -> Self {
        self.settings.push(setting);
        self
    }

    pub fn index(mut self, index: &Path) -> Self {
        self.environment.push(("GIT_INDEX_FILE", index.into()));
        self
    }

    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// Hands over a lock, which is then held for as long as git lives, also if we do not.
    pub fn handing(mut self, lock: &'a File) -> Self {
        self.hands = Some(lock);
        self
    }

    pub fn accepting(mut self, exits: &'static [i32]) -> Self {
        self.accepts = exits;
        self
    }

    pub fn leaving(mut self, top: &Path, common: &Path, leaves: Vec<String>) -> Self {
        self.locks = Some(Locks { top: top.to_owned(), common: common.to_owned(), leaves });
        self
    }

    /// Gives up soon if another git keeps it from writing.
    pub fn impatient(mut self) -> Self {
        self.patience = LOCK_PAUSE;
        self.setting("core.packedRefsTimeout=0".to_owned())
    }

    /// Signs, without anybody being asked.
    pub fn signing(mut self) -> Self {
        self.needs = Needs::Key;
        self.limit = Some(SIGNING_MAX);
        self
    }

    /// Does what the person might have typed themselves, and nothing that takes longer than this.
    pub fn by_the_person(mut self, limit: Duration) -> Self {
        self.needs = Needs::Person;
        self.limit = Some(limit);
        self
    }

    /// Works with this worktree's own git folder, whatever now stands where it says which one.
    pub fn within(mut self, tree: &Tree) -> Self {
        self.folder.clone_from(&tree.path);
        self.environment.push(("GIT_DIR", tree.admin.clone().into()));
        self.environment.push(("GIT_WORK_TREE", tree.path.clone().into()));
        self
    }

    /// The words that say what was done, without what changes from call to call.
    fn doing(&self) -> String {
        let words = self.words.iter().take(6).map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }

    pub fn run(&self) -> Result<Said> {
        let patience = Instant::now() + self.patience;
        loop {
            let said = self.once()?;
            let is_accepted = said.exit.is_some_and(|exit| self.accepts.contains(&exit));
            if is_accepted && (said.exit == Some(0) || !lacks_room(&said.err)) {
                return Ok(said);
            }
            let Some(path) = lock_in_the_way(&said.err) else { return Err(self.failed(&said)) };
            let Some(locks) = &self.locks else { return Err(GitError::Locked { path }) };
            writers::clear(&locks.common, &worktrees::places(&locks.top, &locks.common))?;
            if Instant::now() > patience {
                return Err(GitError::Locked { path });
            }
            thread::sleep(LOCK_PAUSE);
        }
    }

    /// What was asked for, or `None` where git says with its exit that there is no such thing.
    pub fn run_accepting_absence(&self) -> Result<Option<Said>> {
        let said = self.once()?;
        match said.exit {
            Some(0) => Ok(Some(said)),
            Some(1) => Ok(None),
            _ => Err(self.failed(&said)),
        }
    }

    fn failed(&self, all: &Said) -> GitError {
        let (doing, exit, said) = (self.doing(), all.exit, first_lines(&all.err));
        if self.needs == Needs::Key {
            return GitError::Signing { said };
        }
        if lacks_room(&all.err) {
            return GitError::NoRoom { doing, said };
        }
        GitError::Failed { doing, exit, said }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.caller.git());
        let is_persons = self.needs == Needs::Person;
        let settings = SETTINGS.iter().copied().filter(|setting| !is_persons || *setting != HOOKS);
        for setting in settings.chain(self.settings.iter().map(String::as_str)) {
            command.arg("-c").arg(setting);
        }
        command.arg("--no-pager").args(&self.words).current_dir(&self.folder);
        if is_persons {
            for name in OF_ONE_REPOSITORY {
                command.env_remove(name);
            }
        } else {
            command.env_clear();
        }
        command.envs(self.caller.passed_on(self.needs != Needs::Nothing));
        command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        // An interrupt is for us: git is not stopped in the middle of what it does.
        command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        command
    }

    /// Runs it, however it ends.
    pub fn once(&self) -> Result<Said> {
        let patience = Instant::now() + LOCK_WAIT;
        loop {
            let said = self.tried()?;
            if said.exit == Some(0) || !is_half_made(&said.err) || Instant::now() > patience {
                return Ok(said);
            }
            thread::sleep(LOCK_PAUSE);
        }
    }

    fn tried(&self) -> Result<Said> {
        let locks = self.locks.as_ref();
        let writer = locks.map(|locks| Writer::begin(&locks.common, &locks.leaves)).transpose()?;
        let run = || -> io::Result<Said> {
            let mut command = self.command();
            if let Some(lock) = self.hands {
                command.stdin(lock.try_clone()?);
            }
            if let Some(writer) = &writer {
                command.stderr(writer.held()?);
            }
            let child = command.spawn()?;
            drop(command);
            let mut said = attend(child, self.input.as_deref(), self.limit)?;
            if let Some(writer) = &writer {
                said.err = String::from_utf8_lossy(&writer.said()?).into_owned();
            }
            Ok(said)
        };
        let said = run();
        // One that failed may have started another git that was killed. Who has found a lock in the
        // way has made none.
        let is_clean = said.as_ref().is_ok_and(|Said { exit, err, .. }| {
            *exit == Some(0) || (exit.is_some() && lock_in_the_way(err).is_some())
        });
        if let Some(writer) = writer.as_ref().filter(|_| is_clean) {
            writer.end();
        }
        said.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound if self.folder.is_dir() => GitError::Missing,
            _ => GitError::io("run git in", &self.folder)(error),
        })
    }
}

/// Whether it may be done once there is room on the disk.
fn lacks_room(said: &str) -> bool {
    ["No space left on device", "Disk quota exceeded"].iter().any(|words| said.contains(words))
}

fn first_lines(said: &str) -> String {
    const LINES_MAX: usize = 4;
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.is_empty() {
        true => "it gave no reason".to_owned(),
        false => lines[..lines.len().min(LINES_MAX)].join("; "),
    }
}

/// Whether git gave up because another one was making a worktree in the moment in which it looked
/// which ones there are.
fn is_half_made(said: &str) -> bool {
    said.lines().any(|line| line.contains("failed to read ") && line.contains("/commondir: "))
}

/// The lock file because of which git gave up.
fn lock_in_the_way(said: &str) -> Option<PathBuf> {
    let (_, rest) = said.split_once("Unable to create '")?;
    let (path, why) = rest.split_once("': ")?;
    why.starts_with("File exists").then(|| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_in_the_way_is_told_from_other_failures() {
        let said = "fatal: update_ref failed for ref 'refs/x': cannot lock ref 'refs/x': Unable to \
                    create '/a b/.git/refs/x.lock': File exists.\n\nAnother git";
        assert_eq!(lock_in_the_way(said), Some(PathBuf::from("/a b/.git/refs/x.lock")));
        assert_eq!(lock_in_the_way("Unable to create '/a.lock': Permission denied"), None);
    }
}
