//! P9: git is killed and starved at every point, and nothing that an agent wrote is ever gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Harness, Outcome, report, skipped};
use crate::execution::{self, Session, finish, git};
use crate::project::Scene;
use crate::random::Random;
use crate::report::{Exception, Report};
use crate::run::tool;

const AGENTS: usize = 4;
const FAULTS_IN_A_RUN: u64 = 10;
const TASKS_IN_A_RUN: usize = 10;

/// How many worktrees are wanted at the same moment.
const AT_ONCE: usize = 64;

/// How many files an agent writes whose worktree is removed. Nothing else removes as many in one go.
const MANY: u64 = 200;

/// How long agents may take to write them all.
const WRITTEN_WITHIN: Duration = Duration::from_secs(30);

/// How long it may take until a planned fault strikes; one that does not is not counted.
const STRIKES_WITHIN: Duration = Duration::from_secs(2);

/// The calls after which the disk is another one.
const CALLS: [&str; 9] =
    ["openat", "write", "rename", "unlink", "mkdir", "link", "fsync", "close", "rmdir"];

/// What an agent does: whatever it has written it says in the ledger, and only then.
const AGENT: &str = r#"
root=${0%/*}; t=t$2-$MILESTONE_FENCE
put() { echo "$1" > "$1" && : > "$root/ledger/$1"; }
commit() { git add -A && git commit -qm "$1"; }
put "$t-begun"
case $1 in
  dirty) mkdir -p "in-$t"; put "$t-loose" ;;
  committed) commit one; put "$t-more"; commit two; put "$t-loose" ;;
  branch) git switch -qc "own-$t"; put "$t-branch"; commit there; put "$t-loose" ;;
  back) commit here; git switch -qc "own-$t"; put "$t-branch"; commit there; git switch -q -; put "$t-loose" ;;
  detached) git checkout -q --detach; put "$t-detached"; commit there; put "$t-loose" ;;
  conflict) echo "$t" > shared; put "$t-loose" ;;
  staged) put "$t-staged"; git add -A; put "$t-loose" ;;
  many)
    for n in $(seq MANY); do put "$t-$n"; done
    put "$t-many"
    until [ -e "$root/let-go" ]; do sleep 0.05; done ;;
esac
sleep 0.$3
put "$t-end"
"#;

const KINDS: [&str; 7] = ["dirty", "committed", "branch", "back", "detached", "conflict", "staged"];

/// Stands before git. At one call of one kind it does what the plan says.
const SHIM: &str = r#"#!/bin/sh
here=${0%/*}
said=; skip=
case " $* " in *" --no-pager "*) whose=our ;; *) whose=their ;; esac
for word do
  if [ -n "$skip" ]; then skip=; continue; fi
  case $word in -c|-C) skip=1 ;; -*) ;; *) said=$said${said:+-}$word; [ "$word" = worktree ] || break ;; esac
done
said=$whose-$said
if [ -d "$here/watched" ]; then
  mkdir "$here/watched/$said" 2>/dev/null && exec strace -f -s 0 -o "$here/watched/$said/calls" GIT "$@"
  exec GIT "$@"
fi
run() {
  [ "$whose" = our ] && exec GIT "$@"
  GIT "$@"; code=$?; rmdir "$theirs"; exit $code
}
# It stays where an agent's git is killed, and says in which worktree that was.
theirs=$here/theirs/${PWD##*/}.$$
[ "$whose" = our ] || mkdir -p "$theirs"
read -r kind what call when < "$here/plan" 2>/dev/null || run "$@"
[ "$said" = "$kind" ] && mkdir "$here/struck" 2>/dev/null || run "$@"
case $what in
  before) kill -KILL $PPID; exec GIT "$@" ;;
  after) GIT "$@"; code=$?; kill -KILL $PPID; exit $code ;;
  short) trap '' XFSZ; exec prlimit --fsize="$when" -- GIT "$@" ;;
  *) exec strace -f -o /dev/null -e trace="$call" -e inject="$call:$what:when=$when" GIT "$@" ;;
esac
"#;

/// What happens at one call of git.
#[derive(Debug, Clone)]
struct Fault {
    kind: String,
    what: &'static str,
    call: String,
    when: u64,
}

impl Fault {
    fn line(&self) -> String {
        format!("{} {} {} {}\n", self.kind, self.what, self.call, self.when)
    }
}

pub fn run(harness: &Harness) -> Report {
    if tool(&["strace", "-V"]).is_err() {
        return skipped("P9", "strace is not installed".into());
    }
    let place = harness.place("P9-watched");
    let faults = harness.scene(&place);
    let mut faults = match watched(&faults) {
        Ok(faults) => faults,
        Err(what) => {
            let exceptions = vec![Exception { run: 0, what: vec![what], kept: place }];
            return Report { exceptions, ..report("P9", "faults") };
        }
    };
    let _ = fs::remove_dir_all(&place);
    let (all, mut random) = (faults.len(), Random::new(harness.seed));
    // In another order, so that one run has faults of every kind.
    for at in (1..faults.len()).rev() {
        faults.swap(at, random.index(at + 1));
    }
    if !harness.full {
        faults.truncate(usize::try_from(harness.runs(20, 20)).unwrap_or(20));
    }
    let runs = (faults.len() as u64).div_ceil(FAULTS_IN_A_RUN);
    let parts: Vec<&[Fault]> =
        faults.chunks(usize::try_from(FAULTS_IN_A_RUN).unwrap_or(1)).collect();
    // One more run is for all the worktrees at once, and one for the removal of them.
    let report = harness.each(
        report("P9", "faults"),
        runs + 2,
        harness.jobs,
        |harness, root, mut random| {
            let scene = harness.scene(root);
            let run = root.to_string_lossy().rsplit('-').next().and_then(|run| run.parse().ok());
            let (run, mut struck) = (run.unwrap_or(0_usize), 0);
            let tried = match parts.get(run) {
                Some(faults) => one(&scene, faults, &mut struck, &mut random),
                None if run == parts.len() => at_once(&scene),
                None => removals(&scene, harness, &mut struck, &mut random),
            };
            (Outcome::new(struck, tried.err().unwrap_or_default()), Some(scene))
        },
    );
    let remark = format!("of {all} that there are, and {AT_ONCE} worktrees at once");
    Report { remarks: vec![remark], ..report }
}

/// A project in which agents do work of these kinds, with a git that does what it is told to.
fn prepare(
    scene: &Scene,
    tasks: usize,
    kinds: &[&'static str],
    random: &mut Random,
) -> Result<(Scene, PathBuf), String> {
    let task = |number: usize| {
        let kind = random.pick(kinds).copied().unwrap_or("dirty");
        format!("run: 'sh {}/agent {kind} {number} {}'", scene.root.display(), random.below(4))
    };
    let tasks: Vec<String> = (1..=tasks).map(task).collect();
    let agent = AGENT.replace("MANY", &MANY.to_string());
    execution::prepare(scene, &[("agent", &agent), ("shared", "")], &tasks)?;
    let io = |error: std::io::Error| error.to_string();
    let bin = scene.root.join("bin");
    for folder in [&bin, &scene.root.join("ledger")] {
        fs::create_dir_all(folder).map_err(io)?;
    }
    let real = tool(&["sh", "-c", "command -v git"])?;
    let shim = bin.join("git");
    fs::write(&shim, SHIM.replace("GIT", real.trim())).map_err(io)?;
    fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).map_err(io)?;
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let program = scene.program.with("PATH", &path);
    Ok((Scene::new(&scene.root, &program).kept_in(scene.store), bin))
}

/// Every fault that can happen to git, found by watching one call of each kind.
fn watched(scene: &Scene) -> Result<Vec<Fault>, String> {
    let (scene, bin) = prepare(scene, 2, &KINDS, &mut Random::new(1))?;
    let watched = bin.join("watched");
    fs::create_dir(&watched).map_err(|error| error.to_string())?;
    let ended = Session::start(&scene, 1, &[])?.wait();
    if ended != Some(0) {
        return Err(format!("a session without a fault ends with {ended:?}"));
    }
    let mut faults = Vec::new();
    for entry in fs::read_dir(&watched).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_name().into_string() else { continue };
        let log = fs::read_to_string(entry.path().join("calls")).unwrap_or_default();
        let fault = |what, call: &str, when| {
            let (kind, call) = (kind.clone(), call.to_owned());
            Fault { kind, what, call, when }
        };
        faults.extend(["before", "after"].map(|what| fault(what, "-", 0)));
        let counts = counted(&log);
        if counts.contains_key("write") {
            faults.extend([16, 64, 512].map(|bytes| fault("short", "-", bytes)));
        }
        for (call, count) in counts {
            for when in 1..=count {
                faults.push(fault("signal=KILL", &call, when));
                if ["write", "openat", "rename", "mkdir", "link"].contains(&call.as_str()) {
                    faults.push(fault("error=ENOSPC", &call, when));
                }
            }
        }
    }
    Ok(faults)
}

/// How often each call was made by the process that made it most often: each has its own count.
fn counted(log: &str) -> BTreeMap<String, u64> {
    let mut by_process: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for line in log.lines() {
        let Some((pid, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if CALLS.contains(&call) {
            *by_process.entry((pid, call)).or_default() += 1;
        }
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for ((_, call), count) in by_process {
        let most = counts.entry(call.to_owned()).or_default();
        *most = count.max(*most);
    }
    counts
}

fn one(
    scene: &Scene,
    faults: &[Fault],
    struck: &mut u64,
    random: &mut Random,
) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    let (scene, bin) = prepare(scene, TASKS_IN_A_RUN, &KINDS, random).map_err(text)?;
    let (plan, mark) = (bin.join("plan"), bin.join("struck"));
    let mut told = Vec::new();
    let mut session = Session::start(&scene, AGENTS, &[]).map_err(text)?;
    for fault in faults {
        let _ = fs::remove_dir(&mark);
        fs::write(&plan, fault.line()).map_err(|error| text(error.to_string()))?;
        let began = Instant::now();
        while !mark.exists() && began.elapsed() < STRIKES_WITHIN {
            if session.has_ended() {
                session = Session::start(&scene, AGENTS, &[]).map_err(text)?;
                if session.wait_for(Duration::from_millis(500)) == Some(0) {
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = fs::remove_file(&plan);
        if mark.exists() {
            *struck += 1;
            told.push(format!("{fault:?}"));
        }
        // What was killed is sometimes found by the session itself, sometimes by the next one.
        std::thread::sleep(Duration::from_millis(random.below(300)));
        if random.percent(50) {
            session.kill();
        }
    }
    session.kill();
    let mut wrong = ended(&scene).err().unwrap_or_default();
    // A lock that an agent's own git has left is not ours to remove; that in its worktree goes with
    // it, and that stays where a git of ours could not tell whether all of it is kept.
    let killed = fs::read_dir(bin.join("theirs")).into_iter().flatten().flatten();
    let killed = killed.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let worktrees: Vec<String> = killed
        .filter_map(|name| Some(format!("/worktrees/{}/", name.rsplit_once('.')?.0)))
        .collect();
    if !worktrees.is_empty() {
        let is_theirs = |what: &String| {
            what.starts_with("packed-refs.lock")
                || what.contains("/refs/heads/milestone/attempts/")
                || what.ends_with(".lock is left")
                    && worktrees.iter().any(|worktree| what.contains(worktree))
        };
        wrong.retain(|what| !is_theirs(what));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into_iter().chain(told).collect()) }
}

/// A session is killed at one file after the other of a worktree that it removes: one of those that
/// were left by agents who were killed, whose work is in no branch.
fn removals(
    scene: &Scene,
    harness: &Harness,
    struck: &mut u64,
    random: &mut Random,
) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    let (scene, _) = prepare(scene, AGENTS, &["many"], random).map_err(text)?;
    let kills = harness.runs(3, 15);
    for kill in 1..=kills {
        let before = have_written(&scene);
        let mut left = Session::start(&scene, AGENTS, &[]).map_err(text)?;
        let began = Instant::now();
        while have_written(&scene) < before + AGENTS {
            if began.elapsed() > WRITTEN_WITHIN {
                return Err(text(format!("{AGENTS} agents have not written {MANY} files each")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        left.kill();
        let when = kill * MANY / (kills + 1);
        let inject = format!("inject=unlinkat:signal=KILL:when={when}");
        let wrapper = ["strace", "-f", "-o", "/dev/null", "-e", "trace=unlinkat", "-e", &inject];
        let program = scene.program.wrapped(&wrapper.map(str::to_owned));
        let traced = Scene::new(&scene.root, &program).kept_in(scene.store);
        let mut session = Session::start(&traced, AGENTS, &[]).map_err(text)?;
        let code = session.wait_for(WRITTEN_WITHIN);
        if code.is_some() || !session.has_ended() {
            return Err(text(format!(
                "no removal was killed at file {when}: it ended with {code:?}"
            )));
        }
        *struck += 1;
    }
    fs::write(scene.root.join("let-go"), "").map_err(|error| text(error.to_string()))?;
    ended(&scene)
}

/// How many agents have written all that they write.
fn have_written(scene: &Scene) -> usize {
    let ledger = fs::read_dir(scene.root.join("ledger")).into_iter().flatten().flatten();
    ledger.filter(|entry| entry.file_name().to_string_lossy().ends_with("-many")).count()
}

/// All worktrees at the same moment.
fn at_once(scene: &Scene) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    let tasks = vec!["run: 'true', effect: none".to_owned(); AT_ONCE];
    execution::prepare(scene, &[], &tasks).map_err(text)?;
    let mut session = Session::start(scene, AT_ONCE, &[]).map_err(text)?;
    let ended = session.wait();
    let mut wrong = Vec::new();
    if ended != Some(0) {
        wrong.push(format!("{AT_ONCE} at once end with {ended:?}"));
    }
    wrong.extend(execution::left_over(scene));
    wrong.extend(execution::worktrees(scene));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Goes on without faults, and compares what was written with what is there.
fn ended(scene: &Scene) -> Result<(), Vec<String>> {
    let mut wrong = finish(scene, AGENTS).err().unwrap_or_default();
    wrong.extend(execution::left_over(scene));
    let listed = git(&scene.root, &["rev-list", "--objects", "--all"]);
    let listed = listed.map_err(|error| vec![error])?;
    let mut there: BTreeSet<String> = listed
        .lines()
        .filter_map(|line| Some(line.split_once(' ')?.1.rsplit('/').next()?.to_owned()))
        .collect();
    names_below(&execution::state(scene), &mut there);
    for entry in fs::read_dir(scene.root.join("ledger")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !there.contains(&name) {
            wrong.push(format!("{name} is nowhere"));
        }
    }
    wrong.extend(locks(&scene.root.join(".git")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn names_below(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            names_below(&entry.path(), names);
        } else {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
}

/// Locks and indexes of ours that nobody needs any more; those of the agents' branches are theirs.
fn locks(git: &Path) -> Vec<String> {
    let mut found = BTreeSet::new();
    for place in ["refs/milestone", "refs/heads/milestone", "worktrees"] {
        locks_below(&git.join(place), &mut found);
    }
    for entry in fs::read_dir(git).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "packed-refs.lock" || name.starts_with("milestone-index-") {
            found.insert(name);
        }
    }
    found.into_iter().map(|name| format!("{name} is left")).collect()
}

fn locks_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            locks_below(&entry.path(), found);
        } else if entry.path().extension().is_some_and(|end| end == "lock") {
            found.insert(entry.path().display().to_string());
        }
    }
}
