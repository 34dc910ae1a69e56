//! P8: the project moves between stores under the hands of those who work in it, and whoever moves
//! it is killed.

mod clones;

use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Harness, Outcome, report};
use crate::ask::{Ask, Proof};
use crate::ledger::{End, Entry, Said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::{Exception, Report};
use crate::store::Store;

const WRITERS: usize = 16;
const READERS: usize = 16;
const KILLS_IN_A_RUN: u64 = 5;

/// Between two requests of one of them: they wait for the store, and not for the machine.
const PAUSE_MILLIS: u64 = 800;

/// How long all of them are watched while nothing moves.
const QUIET: Duration = Duration::from_secs(2);

/// How much longer a reader may wait because the project moves, but for one of a hundred.
const WAIT_MAX_MICROS: u64 = 250_000;

const MILESTONE: &str = "milestone-003";
const COMMENT: &str = "# kept by hand";

/// How long readers waited, while nothing moved and while something did.
#[derive(Default)]
struct Waits {
    quiet: Vec<u64>,
    moving: Vec<u64>,
}

pub fn run(harness: &Harness) -> Report {
    // All three stores together are moved from as often as the promise says.
    let runs = harness.runs(30, 1_000).div_ceil(KILLS_IN_A_RUN * Store::ALL.len() as u64).max(2);
    let waits = Mutex::new(Waits::default());
    let report = harness.each(report("P8", "kills"), runs, 1, |harness, root, mut random| {
        let scene = harness.scene(root).waiting_long();
        let number = root.to_string_lossy().rsplit('-').next().and_then(|run| run.parse().ok());
        let Some(to) = elsewhere(&scene, number.unwrap_or(0)) else {
            return (Outcome::new(0, vec!["nowhere to move".into()]), Some(scene));
        };
        let mut kills = 0;
        let wrong = one(&scene, to, &waits, &mut random, &mut kills).err().unwrap_or_default();
        (Outcome::new(kills, wrong), Some(scene))
    });
    judged(report, waits.into_inner().unwrap_or_default(), harness)
}

/// One of the other stores, each in its turn.
fn elsewhere(scene: &Scene, run: usize) -> Option<Store> {
    let reachable = |store: &Store| *store != Store::Postgres || scene.url().is_some();
    let others = Store::ALL.into_iter().filter(|store| *store != scene.store).filter(reachable);
    let others: Vec<Store> = others.collect();
    others.get(run % others.len().max(1)).copied()
}

fn judged(mut report: Report, waits: Waits, harness: &Harness) -> Report {
    let (quiet, moving) = (percentile(waits.quiet), percentile(waits.moving));
    report.remarks.push(format!(
        "readers waited {} ms (p99; {} ms at most, {} reads), and {} ms while nothing moved",
        moving.p99 / 1000,
        moving.most / 1000,
        moving.count,
        quiet.p99 / 1000
    ));
    if moving.p99 > quiet.p99 + WAIT_MAX_MICROS {
        let what = vec![format!("readers waited {} ms because of a move", moving.p99 / 1000)];
        report.exceptions.push(Exception { run: 0, what, kept: harness.work.clone() });
    }
    report
}

struct Percentile {
    p99: u64,
    most: u64,
    count: usize,
}

fn percentile(mut micros: Vec<u64>) -> Percentile {
    micros.sort_unstable();
    let count = micros.len();
    let at = |index: usize| micros.get(index).copied().unwrap_or(0);
    Percentile {
        p99: at((count * 99).div_ceil(100).saturating_sub(1)),
        most: at(count.wrapping_sub(1)),
        count,
    }
}

fn one(
    scene: &Scene,
    to: Store,
    waits: &Mutex<Waits>,
    random: &mut Random,
    kills: &mut u64,
) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    scene.furnish_in_files().map_err(text)?;
    let holders = Holders::begin(scene).map_err(text)?;
    by_hand(scene).map_err(text)?;
    scene.settle_in_store().map_err(text)?;
    let mut wrong = disturbed(scene, to, waits, random, kills);
    wrong.extend(scene.settle_and_verify());
    wrong.extend(holders.end(scene));
    if wrong.is_empty() {
        wrong.extend(comments(scene));
        wrong.extend(scene.settle_and_verify());
    }
    if wrong.is_empty() && to == Store::Postgres {
        wrong.extend(clones::joins(scene, random));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// There and back again, killed again and again, while others read and write.
fn disturbed(
    scene: &Scene,
    to: Store,
    waits: &Mutex<Waits>,
    random: &mut Random,
    kills: &mut u64,
) -> Vec<String> {
    let wrong = Mutex::new(Vec::new());
    let (done, moving) = (AtomicBool::new(false), AtomicBool::new(false));
    let (done, moving, noted) = (&done, &moving, &wrong);
    let seeds: Vec<u64> = (0..WRITERS + READERS).map(|_| random.word()).collect();
    std::thread::scope(|scope| {
        for (number, seed) in seeds.iter().enumerate() {
            scope.spawn(move || {
                let mut random = Random::new(*seed);
                while !done.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(random.below(2 * PAUSE_MILLIS)));
                    let said = if number < WRITERS {
                        writes(scene, &mut random)
                    } else {
                        reads(scene, waits, moving)
                    };
                    if let Err(error) = said {
                        noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(error);
                    }
                }
            });
        }
        std::thread::sleep(QUIET);
        moving.store(true, Ordering::Relaxed);
        let moved = moves(scene, to, random, kills);
        moving.store(false, Ordering::Relaxed);
        done.store(true, Ordering::Relaxed);
        if let Err(error) = moved {
            noted.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(error);
        }
    });
    wrong.into_inner().unwrap_or_default()
}

fn moves(scene: &Scene, to: Store, random: &mut Random, kills: &mut u64) -> Result<(), String> {
    // The harness learns how long a move takes.
    scene.must(Ask::Migrate { to })?;
    scene.must(Ask::Migrate { to: scene.store })?;
    for _ in 0..KILLS_IN_A_RUN {
        let next = if scene.kept() == to { scene.store } else { to };
        *kills += 1;
        scene.act_killed(Ask::Migrate { to: next }, random);
        std::thread::sleep(Duration::from_millis(random.below(200)));
    }
    scene.must(Ask::Migrate { to }).map(drop)
}

fn writes(scene: &Scene, random: &mut Random) -> Result<(), String> {
    let entry = scene.act(scene.next_ask(random));
    match entry.end {
        End::Exit(1 | 6 | 7) => Err(disturbance("a writer", &entry)),
        _ => Ok(()),
    }
}

fn reads(scene: &Scene, waits: &Mutex<Waits>, moving: &AtomicBool) -> Result<(), String> {
    let before = moving.load(Ordering::Relaxed);
    let entry = scene.act(Ask::List);
    let moves = before || moving.load(Ordering::Relaxed);
    let mut waits = waits.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let waited = if moves { &mut waits.moving } else { &mut waits.quiet };
    waited.push(entry.ended - entry.started);
    if entry.said() == Said::Kept { Ok(()) } else { Err(disturbance("a reader", &entry)) }
}

fn disturbance(who: &str, entry: &Entry) -> String {
    format!("{who} was disturbed: {:?}: {:?} {}", entry.ask, entry.end, entry.stderr.trim())
}

/// People who hold something while the project moves: nobody else writes to their tasks.
struct Holders {
    live: Proof,
    stale: Proof,
    again: Proof,
    lapsed: Proof,
}

fn task(number: u32) -> String {
    format!("task-003-{number:03}")
}

fn claimed(scene: &Scene, number: u32, lease: &str) -> Result<Proof, String> {
    let entry = scene.aside(Ask::Claim { task: task(number), lease: lease.into() });
    entry.proof().ok_or_else(|| format!("{}: {}", task(number), entry.stderr))
}

impl Holders {
    fn begin(scene: &Scene) -> Result<Self, String> {
        let tasks = ["live", "stale", "lapsed"].map(str::to_owned).to_vec();
        scene.aside(Ask::Plan { title: "The held".into(), tasks });
        let live = claimed(scene, 1, "10m")?;
        let stale = claimed(scene, 2, "10m")?;
        scene.aside(Ask::Release { task: task(2), proof: Some(stale.clone()) });
        let again = claimed(scene, 2, "10m")?;
        Ok(Self { live, stale, again, lapsed: claimed(scene, 3, "1s")? })
    }

    /// What was held is held still, and what was lost is lost.
    fn end(self, scene: &Scene) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut want = |said: Said, ask: Ask| {
            let entry = scene.aside(ask);
            if entry.said() != said {
                let told = entry.stderr.trim();
                wrong.push(format!("after moving: {:?}: {:?} {told}", entry.ask, entry.end));
            }
        };
        let Self { live, stale, again, lapsed } = self;
        let renew = Ask::Renew { task: task(1), lease: "10m".into(), proof: live.clone() };
        want(Said::Kept, renew);
        want(Said::Refused, Ask::Claim { task: task(1), lease: "10m".into() });
        want(Said::Kept, Ask::Done { task: task(1), proof: Some(live) });
        let late = Ask::Progress { task: task(2), percent: 9, proof: Some(stale) };
        want(Said::Refused, late);
        want(Said::Kept, Ask::Progress { task: task(2), percent: 10, proof: Some(again) });
        want(Said::Kept, Ask::Claim { task: task(3), lease: "10m".into() });
        want(Said::Refused, Ask::Done { task: task(3), proof: Some(lapsed) });
        wrong
    }
}

fn document(scene: &Scene) -> std::path::PathBuf {
    scene.folder().join(format!("active/{MILESTONE}.yaml"))
}

/// Somebody writes a comment and a description into the document.
fn by_hand(scene: &Scene) -> Result<(), String> {
    let path = document(scene);
    let now = crate::run::micros();
    let says = format!("by hand at {now}");
    let said = |path: &Path| -> std::io::Result<()> {
        let text = fs::read_to_string(path)?;
        let others = text.lines().filter(|line| !line.starts_with("description:"));
        let with = others.flat_map(|line| {
            let more = line.starts_with("title:");
            let more = more.then(|| [format!("description: {says}"), format!("{COMMENT} {now}")]);
            std::iter::once(line.to_owned()).chain(more.into_iter().flatten())
        });
        let text = with.collect::<Vec<_>>().join("\n") + "\n";
        let draft = scene.root.join("editor's draft");
        fs::write(&draft, text)?;
        fs::rename(&draft, path)
    };
    said(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    scene.keep(Entry {
        actor: format!("hand {now}"),
        ask: Ask::Edit { milestone: MILESTONE.into(), text: says },
        started: now,
        ended: crate::run::micros(),
        end: End::Exit(0),
        stdout: String::new(),
        stderr: String::new(),
    });
    Ok(())
}

/// What was written by hand is in the files that there are in the end, and so is what is written
/// there now.
fn comments(scene: &Scene) -> Vec<String> {
    let mut wrong = Vec::new();
    if scene.kept() == Store::Postgres {
        wrong.extend(scene.must(Ask::Migrate { to: Store::Files }).err());
    } else {
        wrong.extend(by_hand(scene).err());
        wrong.extend(scene.must(Ask::List).err());
    }
    let text = fs::read_to_string(document(scene)).unwrap_or_default();
    let wanted = scene.edits();
    let there = text.lines().filter(|line| line.trim_start().starts_with(COMMENT)).count();
    if there < wanted {
        wrong.push(format!("of {wanted} comments, {there} are left of {MILESTONE}:\n{text}"));
    }
    wrong
}
