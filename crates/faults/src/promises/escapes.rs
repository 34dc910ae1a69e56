//! P17: whatever agents start, nothing of it keeps running once their session is killed.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::{Harness, Outcome, report};
use crate::execution::{self, Session, finish, marked, said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

const AGENTS: usize = 4;

const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Whoever is told to stay in this file's place stays no longer.
const ENOUGH: &str = "enough";

/// What an agent does: it starts something that would rather not end, which carries the mark in
/// its command line, and works on until it is told that it is enough.
const AGENT: &str = r#"
root=${0%/*}; mark=$2; [ "$1" = hop ] || mark=$2-$MILESTONE_ATTEMPT
meek='while :; do sleep 0.2; done'
deaf='trap "" TERM HUP INT; while :; do sleep 0.2; done'
case $1 in
  fork) sh -c "$meek" "$mark" & ;;
  deaf) sh -c "$deaf" "$mark" & ;;
  session) setsid sh -c "$meek" "$mark" & ;;
  double) (setsid sh -c "(sh -c '$meek' '$mark' &) ; sleep 0.1" "$mark" &) ;;
  group) set -m; sh -c "$deaf" "$mark" & set +m ;;
  bare) env -i PATH="$PATH" setsid sh -c "$deaf" "$mark-bare" & ;;
  away) (cd / && exec env -i PATH="$PATH" setsid sh -c "$deaf" "$mark-bare" &) ;;
  stopped) sh -c 'kill -STOP $$; sleep 60' "$mark" & ;;
  hops) setsid sh "$0" hop "$mark" & ;;
  hop) sleep 0.03; setsid sh "$0" hop "$mark" & exit ;;
esac
echo "$1" > "made-by-$3"
until [ -e "$root/enough" ]; do sleep 0.1; done
"#;

const KINDS: [&str; 9] =
    ["fork", "deaf", "session", "double", "group", "bare", "away", "stopped", "hops"];

/// What was seen over all runs.
#[derive(Default)]
struct Seen {
    slowest: AtomicU64,
    slowest_resumed: AtomicU64,
    /// Of those that cleared their environment, how many outlived session and keeper, killed at
    /// once, and the resuming as well.
    outlived: AtomicU64,
}

pub fn run(harness: &Harness) -> Report {
    let seen = Seen::default();
    let runs = harness.runs(10, 500);
    // They mostly sleep.
    let jobs = harness.jobs * 3;
    let report = harness.each(report("P17", "kills"), runs, jobs, |harness, root, mut random| {
        let scene = harness.scene(root);
        let wrong = one(&scene, &seen, &mut random).err().unwrap_or_default();
        end_all(&mark(&scene));
        (Outcome::new(1, wrong), Some(scene))
    });
    let remark = format!(
        "gone within {} ms, or {} ms of the next session's start where the keepers were killed, too; \
         {} that had cleared their environment outlived that",
        seen.slowest.into_inner(),
        seen.slowest_resumed.into_inner(),
        seen.outlived.into_inner()
    );
    Report { remarks: vec![remark], ..report }
}

/// What nothing else on this machine has in its command line.
fn mark(scene: &Scene) -> String {
    let name = scene.root.file_name().unwrap_or_default().to_string_lossy();
    format!("mark-{}-{name}-", std::process::id())
}

fn one(scene: &Scene, seen: &Seen, random: &mut Random) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    let mark = mark(scene);
    let tasks: Vec<String> = (1..=AGENTS).map(|task| told(scene, &mark, task, random)).collect();
    execution::prepare(scene, &[("agent", AGENT)], &tasks).map_err(text)?;
    let mut session = Session::start(scene, AGENTS, &[]).map_err(text)?;
    std::thread::sleep(Duration::from_millis(100 + random.below(2_500)));
    let with_keepers = random.percent(35);
    session.signal(Signal::STOP);
    let keepers = if with_keepers { session.below("keep-runner") } else { Vec::new() };
    session.kill_with(&keepers);
    let mut wrong = Vec::new();
    if !with_keepers {
        match gone(&mark, |_| true) {
            Ok(took) => drop(seen.slowest.fetch_max(took, Ordering::Relaxed)),
            Err(left) => wrong.push(format!("{GONE_WITHIN:?} after the session: {left:?}")),
        }
    }
    match said(scene, &["session", "list", "--json"]) {
        Ok(list) if list.contains("\"state\":\"running\"") => {
            wrong.push(format!("a killed session says that it runs: {list}"));
        }
        list => wrong.extend(list.err()),
    }
    wrong.extend(resumed(scene, seen, &mark).err().unwrap_or_default());
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn told(scene: &Scene, mark: &str, task: usize, random: &mut Random) -> String {
    let kind = random.pick(&KINDS).copied().unwrap_or("fork");
    format!("run: 'sh {}/agent {kind} {mark} {task}'", scene.root.display())
}

/// The next session, which everybody lets come to an end.
fn resumed(scene: &Scene, seen: &Seen, mark: &str) -> Result<(), Vec<String>> {
    let old: Vec<Pid> = marked(mark).into_iter().map(|(pid, _)| pid).collect();
    fs::write(scene.root.join(ENOUGH), "").map_err(|error| vec![error.to_string()])?;
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let finished = scope.spawn(|| finish(scene, AGENTS));
        // One that has cleared its environment and moved away, and whose keeper was killed, too,
        // is nobody's: nothing says whence it came.
        match gone(mark, |(pid, line)| old.contains(pid) && !line.contains("-bare")) {
            Ok(took) => drop(seen.slowest_resumed.fetch_max(took, Ordering::Relaxed)),
            Err(left) => wrong.push(format!("{GONE_WITHIN:?} after the next one began: {left:?}")),
        }
        wrong.extend(
            finished
                .join()
                .unwrap_or_else(|_| Err(vec!["the harness failed".to_owned()]))
                .err()
                .unwrap_or_default(),
        );
    });
    let outlived = marked(mark).into_iter().filter(|(pid, _)| old.contains(pid));
    for (pid, _) in outlived {
        seen.outlived.fetch_add(1, Ordering::Relaxed);
        let _ = kill_process(pid, Signal::KILL);
    }
    if let Err(left) = gone(mark, |_| true) {
        wrong.push(format!("{GONE_WITHIN:?} after everything was done: {left:?}"));
    }
    wrong.extend(execution::left_over(scene));
    wrong.extend(execution::worktrees(scene));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// Waits until none of these runs any more. Answers how many milliseconds that took, or who is left.
fn gone(mark: &str, counts: impl Fn(&(Pid, String)) -> bool) -> Result<u64, Vec<String>> {
    let began = Instant::now();
    loop {
        let left: Vec<_> = marked(mark).into_iter().filter(&counts).collect();
        if left.is_empty() {
            return Ok(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
        }
        if began.elapsed() > GONE_WITHIN {
            return Err(left.into_iter().map(|(_, line)| line).collect());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whatever a broken run has left is not left to this machine.
fn end_all(mark: &str) {
    for (pid, _) in marked(mark) {
        let _ = kill_process(pid, Signal::KILL);
    }
}
