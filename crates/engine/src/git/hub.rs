//! The hub: a repository that several hosts share, each of which works in a clone of its own.
//!
//! What is brought in counts once the hub has it, so every change of what is shared is made there
//! first, as one push that says what was there before. The refs of the same names in the clone are
//! what was last seen of the hub's, and never ahead of them: whoever finds finished work in its own
//! clone may rely on the hub having it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use milestone_domain::ids::{MilestoneId, TaskId};

use super::Repository;
use super::error::{GitError, Result};
use super::names::{self, Attempt, Oid};
use super::push::{PROTOCOLS, reasons, shortened, without_credentials};
use super::refs::Step;
use super::run::{Call, Caller};
use super::worktrees::{self, parsed};
use super::writers::{self, SHARED};

/// As the clone calls it.
const REMOTE: &str = "origin";

/// Held while anything is fetched or pushed, and by the very git that does it: one that outlives its
/// session cannot put back what a later one has seen.
const TURN: &str = "milestone-hub.lock";

/// What a git that was killed while a clone of ours followed the hub leaves there. Nobody else
/// works in the clone itself.
const CHECKOUT_LOCKS: [&str; 5] = [
    "index.lock",
    "HEAD.lock",
    "AUTO_MERGE.lock",
    "packed-refs.lock",
    "refs/remotes/origin/HEAD.lock",
];

/// What takes longer waits for somebody, or for a network that is gone.
const EXCHANGE_MAX: Duration = Duration::from_mins(5);
const CLONING_MAX: Duration = Duration::from_hours(2);
const ASKING_MAX: Duration = Duration::from_secs(20);

/// For so long, somebody who answered is taken to be there.
const REACHED_FOR: Duration = Duration::from_secs(10);

/// How often a push is repeated that was refused although nothing had changed: others were at it.
const PUSHES_MAX: u32 = 20;
const PUSH_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone)]
pub(super) struct Hub {
    /// The address, as it may be shown.
    shown: String,
    /// Its folder, where it is on this host.
    place: Option<PathBuf>,
    reached: Arc<Mutex<Option<Instant>>>,
}

impl Hub {
    fn at(address: &str) -> Self {
        let path = Path::new(address.strip_prefix("file://").unwrap_or(address));
        let place = path.canonicalize().ok().filter(|path| path.is_dir());
        Self { shown: without_credentials(address), place, reached: Arc::default() }
    }

    pub(super) fn place(&self) -> Option<&Path> {
        self.place.as_deref()
    }

    fn was_reached(&self, answered: bool) {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        *reached = answered.then(Instant::now);
    }

    fn is_there(&self) -> bool {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        reached.is_some_and(|at| at.elapsed() < REACHED_FOR)
    }

    fn away(&self, lines: Vec<String>) -> GitError {
        self.was_reached(false);
        GitError::HubAway { hub: self.shown.clone(), said: shortened(lines) }
    }
}

/// What became of a push.
enum Sent {
    Taken,
    /// Something was not as it was said to be, or the hub wants none of it. Nothing was changed.
    Refused(String),
}

/// A clone that is a worker's own, or why there is none.
#[derive(Debug)]
pub enum Cloned {
    There(Repository),
    Refused(String),
}

/// The clone of a hub in a folder, made where there is none yet. It appears there whole.
pub fn clone(address: &str, folder: &Path, caller: &Caller) -> Result<Cloned> {
    if !folder.exists() {
        let draft = folder.with_added_extension(format!("new-{}", std::process::id()));
        if let Some(why) = cloned(address, &draft, caller)? {
            return Ok(Cloned::Refused(why));
        }
        fs::rename(&draft, folder).map_err(GitError::io("make", folder))?;
    }
    let found = Repository::find(folder, caller)?;
    let found = found.ok_or_else(|| GitError::NotAWorktree { path: folder.to_owned() })?;
    let hub = Some(Hub::at(address));
    Ok(Cloned::There(Repository { hub, ..found }))
}

fn cloned(address: &str, draft: &Path, caller: &Caller) -> Result<Option<String>> {
    let parent = draft.parent().unwrap_or(draft);
    fs::create_dir_all(parent).map_err(GitError::io("make", parent))?;
    // Objects that two repositories have in common could be damaged for both.
    let words = ["clone", "--quiet", "--no-local", "--no-tags", "--origin", REMOTE, "--"];
    let words = words.map(OsStr::new).into_iter().chain([OsStr::new(address), draft.as_os_str()]);
    let words: Vec<&OsStr> = words.collect();
    let said = abroad(Call::new(caller, parent, &words), CLONING_MAX).once()?;
    if said.exit != Some(0) {
        return Ok(Some(shortened(reasons(&said))));
    }
    let own = |words: &[&str]| Call::new(caller, draft, words).run().map(drop);
    // What is fetched goes where we say, and nothing else is written.
    own(&["config", "--unset-all", &format!("remote.{REMOTE}.fetch")])?;
    // Nobody works on a branch here, so that each can follow the hub's.
    own(&["checkout", "--quiet", "--detach"])?;
    Ok(None)
}

/// A call that leaves this host, as the person would make it.
fn abroad(call: Call<'_>, limit: Duration) -> Call<'_> {
    let allowed = |protocol| format!("protocol.{protocol}.allow=always");
    PROTOCOLS.into_iter().map(allowed).fold(call.by_the_person(limit), Call::setting)
}

impl Repository {
    /// Refuses to begin anything while the hub cannot be reached.
    pub fn reach_hub(&self) -> Result<()> {
        let Some(hub) = self.hub.as_ref().filter(|hub| !hub.is_there()) else { return Ok(()) };
        let call = abroad(self.git(&["ls-remote", "--quiet", "--", REMOTE, "HEAD"]), ASKING_MAX);
        let said = call.once()?;
        if said.exit != Some(0) {
            return Err(hub.away(reasons(&said)));
        }
        hub.was_reached(true);
        Ok(())
    }

    /// Whether a milestone is worked on in streams at the hub, whose leads alone bring work into its
    /// branch.
    pub fn has_streams_at_hub(&self, id: MilestoneId) -> Result<bool> {
        let Some(hub) = &self.hub else { return Ok(false) };
        let streams = names::stream_branches(id);
        let asked = ["ls-remote", "--quiet", "--refs", "--", REMOTE, &streams];
        let said = abroad(self.git(&asked), ASKING_MAX).once()?;
        if said.exit != Some(0) {
            return Err(hub.away(reasons(&said)));
        }
        Ok(!said.out.is_empty())
    }

    /// Sees how a milestone, and those that it requires, stand at the hub.
    pub fn refresh(&self, id: MilestoneId, requires: &[MilestoneId]) -> Result<()> {
        let Some(hub) = &self.hub else { return Ok(()) };
        let branches = [id].into_iter().chain(requires.iter().copied());
        let mut names: Vec<String> = branches.map(names::milestone_branch).collect();
        let of_tasks = [names::fence(TaskId::new(id, 0)), names::done(TaskId::new(id, 0))];
        names.extend(of_tasks.iter().filter_map(|name| Some(name.rsplit_once('-')?.0.to_owned())));
        self.fetch(hub, &names, &self.turn(TURN)?)
    }

    /// Follows the hub's default branch, with the settings of the project that are in it. Where
    /// somebody has changed files here, those stay as they are, and it is said why.
    pub fn follow_default(&self) -> Result<Option<String>> {
        let Some(hub) = &self.hub else { return Ok(None) };
        let asked = ["ls-remote", "--quiet", "--symref", "--", REMOTE];
        let said = abroad(self.git(&asked), EXCHANGE_MAX).once()?;
        if said.exit != Some(0) {
            return Err(hub.away(reasons(&said)));
        }
        hub.was_reached(true);
        let Some(branch) = default_of(&said.text()) else { return Ok(None) };
        let turn = self.turn(TURN)?;
        let left = CHECKOUT_LOCKS.map(|lock| self.common.join(lock));
        writers::clear_own(&left, &worktrees::places(&self.top, &self.common))?;
        self.fetch(hub, std::slice::from_ref(&branch), &turn)?;
        let name = branch.trim_start_matches("refs/heads/");
        let (head, leads) =
            (format!("refs/remotes/{REMOTE}/HEAD"), format!("refs/remotes/{REMOTE}/{name}"));
        self.git(&["symbolic-ref", &head, &leads]).handing(&turn).run()?;
        let checkout = self.git(&["checkout", "--quiet", "--detach", &branch]).handing(&turn);
        let followed = checkout.accepting(&[0, 1]).run()?;
        Ok((followed.exit != Some(0)).then(|| shortened(reasons(&followed))))
    }

    /// Gives the hub what an attempt left, in whatever state it is.
    pub fn hand_over(&self, attempt: &Attempt, kept: &Oid) -> Result<()> {
        let Some(hub) = &self.hub else { return Ok(()) };
        // Nobody else writes to it, so whatever is there may be replaced.
        let refspec = format!("+{kept}:{}", attempt.kept());
        match self.push_to(hub, &[refspec], &self.turn(TURN)?)? {
            Sent::Taken => Ok(()),
            Sent::Refused(said) => Err(GitError::HubRefuses { hub: hub.shown.clone(), said }),
        }
    }

    /// All of it, or nothing: at the hub first, if there is one, and then here. After a refusal the
    /// refs here are what the hub's are now.
    pub(super) fn publish(&self, steps: &[Step<'_>]) -> Result<()> {
        let Some(hub) = &self.hub else { return self.change(steps) };
        let names: Vec<String> = steps.iter().map(|step| step.name().to_owned()).collect();
        let mut why = String::new();
        for _ in 0..PUSHES_MAX {
            let turn = self.turn(TURN)?;
            let words: Vec<String> = steps.iter().flat_map(pushed).collect();
            match self.push_to(hub, &words, &turn)? {
                // Where the refs here cannot be changed so, they are as the hub's after that.
                Sent::Taken => {
                    return self.change(steps).or_else(|_| self.fetch(hub, &names, &turn));
                }
                Sent::Refused(said) => why = said,
            }
            self.fetch(hub, &names, &turn)?;
            drop(turn);
            if !self.are_as_before(steps)? || !is_of_others(&why) {
                break;
            }
            thread::sleep(PUSH_PAUSE);
        }
        Err(GitError::HubRefuses { hub: hub.shown.clone(), said: why })
    }

    fn are_as_before(&self, steps: &[Step<'_>]) -> Result<bool> {
        for step in steps {
            if self.object_of(step.name())?.as_ref() != step.before() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn push_to(&self, hub: &Hub, words: &[String], turn: &File) -> Result<Sent> {
        let push = ["push", "--porcelain", "--atomic", "--no-follow-tags"];
        let (options, refspecs): (Vec<_>, Vec<_>) =
            words.iter().map(String::as_str).partition(|word| word.starts_with("--"));
        let words = push.into_iter().chain(["--recurse-submodules=no"]).chain(options);
        let words: Vec<&str> = words.chain(["--", REMOTE]).chain(refspecs).collect();
        let said = abroad(self.git(&words), EXCHANGE_MAX).handing(turn).once()?;
        if said.exit == Some(0) {
            hub.was_reached(true);
            return Ok(Sent::Taken);
        }
        let text = said.text();
        let refused: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("!\t")).collect();
        // What the hub has not answered, it may have done.
        if refused.is_empty() || text.contains("[remote failure]") {
            return Err(hub.away(reasons(&said)));
        }
        if let Some(line) = refused.iter().find(|line| line.contains("is currently checked out")) {
            let name = line.split_once('\t').map_or(*line, |(way, _)| way);
            let branch = name.rsplit_once(':').map_or(name, |(_, branch)| branch).to_owned();
            return Err(GitError::CheckedOut { branch, path: hub.shown.clone().into() });
        }
        Ok(Sent::Refused(shortened(reasons(&said))))
    }

    /// Makes the refs whose names begin like these the same as the hub's: those that it does not
    /// have go.
    fn fetch(&self, hub: &Hub, names: &[String], turn: &File) -> Result<()> {
        let refspecs: Vec<String> = names.iter().map(|name| format!("+{name}*:{name}*")).collect();
        let words = [
            "fetch",
            "--quiet",
            "--atomic",
            "--prune",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--refmap=",
            "--",
            REMOTE,
        ];
        let words: Vec<&str> =
            words.into_iter().chain(refspecs.iter().map(String::as_str)).collect();
        let locks = names.iter().map(|name| format!("{name}*"));
        let locks = locks.chain(SHARED.map(str::to_owned)).collect();
        let call = abroad(self.git(&words), EXCHANGE_MAX).handing(turn);
        match call.leaving(&self.top, &self.common, locks).run() {
            Ok(_) => {
                hub.was_reached(true);
                Ok(())
            }
            Err(GitError::Failed { said, .. } | GitError::NoRoom { said, .. }) => {
                Err(hub.away(vec![without_credentials(&said)]))
            }
            Err(error) => Err(error),
        }
    }

    /// Where the branch is checked out at a hub on this host. Of any other, its git says so.
    pub(super) fn checked_out_at_hub(&self, branch: &str) -> Result<Option<PathBuf>> {
        let Some(place) = self.hub.as_ref().and_then(Hub::place) else { return Ok(None) };
        let words = ["worktree", "list", "--porcelain", "-z"];
        let trees = parsed(&Call::new(&self.caller, place, &words).run()?);
        let on_it = |tree: &super::Worktree| tree.branch.as_deref() == Some(branch);
        Ok(trees.into_iter().find(on_it).map(|tree| tree.path))
    }
}

/// What a push says for a step: what is to be there before, and what after.
fn pushed(step: &Step<'_>) -> [String; 2] {
    let (name, before) = (step.name(), step.before().map(Oid::as_str).unwrap_or_default());
    let after = step.after().map(Oid::as_str).unwrap_or_default();
    [format!("--force-with-lease={name}:{before}"), format!("{after}:{name}")]
}

/// Whether it may only be that others were writing at the same moment.
fn is_of_others(why: &str) -> bool {
    ["lock", "failed to update ref", "stale info", "atomic"].iter().any(|said| why.contains(said))
}

/// The branch on which work begins at the hub, as its own session would choose it.
fn default_of(listed: &str) -> Option<String> {
    let leads = |name: &str| {
        let mut symbolic = listed.lines().filter_map(|line| line.strip_prefix("ref: "));
        symbolic.find_map(|line| line.split_once('\t').filter(|(_, from)| *from == name))
    };
    let origin = leads("refs/remotes/origin/HEAD")
        .and_then(|(to, _)| to.strip_prefix("refs/remotes/origin/"))
        .map(|name| format!("refs/heads/{name}"));
    let usual = ["main", "master"].map(|name| format!("refs/heads/{name}"));
    let head = leads("HEAD").map(|(to, _)| to.to_owned());
    let is_there = |branch: &String| {
        listed.lines().any(|line| line.split_once('\t').is_some_and(|(_, name)| name == branch))
    };
    origin.into_iter().chain(usual).chain(head).find(is_there)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_begins_where_the_hubs_own_session_would_begin() {
        let branches = "1\trefs/heads/dev\n1\trefs/heads/main\n1\trefs/heads/topic\n";
        let head = "ref: refs/heads/topic\tHEAD\n1\tHEAD\n";
        let origin = "ref: refs/remotes/origin/dev\trefs/remotes/origin/HEAD\n";
        for (listed, chosen) in [
            (format!("{head}{branches}{origin}"), Some("refs/heads/dev")),
            (format!("{head}{branches}"), Some("refs/heads/main")),
            (format!("{head}1\trefs/heads/topic\n"), Some("refs/heads/topic")),
            (String::new(), None),
        ] {
            assert_eq!(default_of(&listed).as_deref(), chosen);
        }
    }
}
