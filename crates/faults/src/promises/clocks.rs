//! P13: the wall clock jumps, by a second to ten years, forwards and back.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{Harness, Outcome, report, skipped};
use crate::ask::{Ask, Proof};
use crate::ledger::{Entry, Said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.so.1",
];

const LEASE: Duration = Duration::from_secs(3);

pub fn run(harness: &Harness) -> Report {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        return skipped("P13", "libfaketime is not installed".into());
    };
    let runs = harness.runs(30, 500);
    harness.each(
        report("P13", "jumping clocks"),
        runs,
        harness.jobs * 5,
        |harness, root, mut random| {
            let scene = harness.scene(root);
            let wrong = one(&scene, library, &mut random).err().unwrap_or_default();
            (Outcome::new(1, wrong), Some(scene))
        },
    )
}

/// A time somewhere within ten years; now and then one that runs on by itself.
fn wrong_time(random: &mut Random) -> String {
    let scale = [60, 3_600, 86_400, 315_360_000][random.index(4)];
    let seconds = 1 + random.below(scale);
    let sign = if random.percent(50) { '+' } else { '-' };
    let faster = if random.percent(25) { " x100000" } else { "" };
    format!("{sign}{seconds}{faster}")
}

/// The program under a clock that is wrong in its own way at every call.
fn act(scene: &Scene, library: &str, ask: Ask, random: &mut Random) -> Entry {
    let program = scene.program.with("LD_PRELOAD", library);
    let program = program.with("FAKETIME", &wrong_time(random)).with("NO_FAKE_STAT", "1");
    let program =
        program.with("DONT_FAKE_MONOTONIC", "1").with("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    scene.keep(program.run(&scene.root, ask, &scene.actor()))
}

fn one(scene: &Scene, library: &str, random: &mut Random) -> Result<(), Vec<String>> {
    scene.furnish().map_err(|error| vec![error])?;
    let task = "task-001-001".to_owned();
    let claim = || Ask::Claim { task: task.clone(), lease: format!("{}s", LEASE.as_secs()) };
    let mut wrong = Vec::new();
    let mut want = |said: Said, entry: &Entry, why: &str| {
        if entry.said() != said {
            let told = entry.stderr.trim();
            wrong.push(format!("{why}: {:?}: {:?} {told}", entry.ask, entry.end));
        }
    };
    let first = act(scene, library, claim(), random);
    let began = Instant::now();
    want(Said::Kept, &first, "a free task cannot be claimed");
    let proof = Proof {
        fence: first.printed_field("fence").and_then(|fence| fence.as_u64()).unwrap_or(0),
        attempt: first
            .printed_field("attempt")
            .and_then(|attempt| Some(attempt.as_str()?.to_owned()))
            .unwrap_or_default(),
    };
    for _ in 0..random.below(3) {
        let robber = act(scene, library, claim(), random);
        if began.elapsed() + Duration::from_millis(500) < LEASE {
            want(Said::Refused, &robber, "a live claim was lost");
        }
    }
    let lease = format!("{}s", LEASE.as_secs());
    let renew = Ask::Renew { task: task.clone(), lease, proof: proof.clone() };
    want(Said::Kept, &act(scene, library, renew, random), "a live claim cannot be renewed");
    let other = Ask::Add { milestone: "milestone-002".into(), title: "at another time".into() };
    want(Said::Kept, &act(scene, library, other, random), "a task cannot be added");
    std::thread::sleep(LEASE + Duration::from_millis(200));
    let second = act(scene, library, claim(), random);
    want(Said::Kept, &second, "a lapsed claim is eternal");
    let done = Ask::Done { task, proof: Some(proof) };
    want(Said::Refused, &act(scene, library, done, random), "a lost claim still counts");
    wrong.extend(scene.settle_and_verify());
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}
