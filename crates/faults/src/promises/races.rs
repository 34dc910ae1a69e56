//! P4: many processes released at once on one task.

use std::fs::OpenOptions;
use std::path::Path;

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::ledger::{Entry, Said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

const RACERS: usize = 64;

/// Races in one project before the next one is made.
const RACES_IN_A_RUN: u64 = 10;

pub fn run(harness: &Harness) -> Report {
    let runs = harness.runs(20, 10_000).div_ceil(RACES_IN_A_RUN);
    harness.each(report("P4", "races of 64"), runs, 1, |harness, root, mut random| {
        let scene = harness.scene(root).waiting_long();
        let mut races = 0;
        let wrong = one(&scene, &mut random, &mut races).err().unwrap_or_default();
        (Outcome::new(races, wrong), Some(scene))
    })
}

fn one(scene: &Scene, random: &mut Random, races: &mut u64) -> Result<(), Vec<String>> {
    scene.must(Ask::Init).map_err(|error| vec![error])?;
    let tasks = (1..=RACES_IN_A_RUN).map(|n| format!("race {n}")).collect();
    let plan = Ask::Plan { title: "Races".into(), tasks };
    let entry = scene.must(plan).map_err(|error| vec![error])?;
    scene.settle_in_store().map_err(|error| vec![error])?;
    let number = entry.printed_id().unwrap_or_default().trim_start_matches("milestone-").to_owned();
    for n in 1..=RACES_IN_A_RUN {
        *races += 1;
        let task = format!("task-{number}-{n:03}");
        let entries = race(scene, &task, random.percent(50));
        let winners = entries.iter().filter(|entry| entry.said() == Said::Kept).count();
        let others = entries.iter().filter(|entry| entry.said() == Said::Unknown).count();
        if (winners, others) != (1, 0) {
            let first = entries.iter().find(|entry| entry.said() == Said::Unknown);
            let said = first.map(|entry| entry.stderr.trim().to_owned()).unwrap_or_default();
            return Err(vec![format!("{task}: {winners} winners, {others} unknown {said}")]);
        }
    }
    let mut wrong = crowd(scene, &format!("milestone-{number}"));
    wrong.extend(scene.settle_and_verify());
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// All start together; with `gate`, they wait for the write lock until the last one is there.
fn race(scene: &Scene, task: &str, gate: bool) -> Vec<Entry> {
    let lock = gate.then(|| hold(&scene.folder().join("data/lock"))).flatten();
    let ask = || Ask::Claim { task: task.to_owned(), lease: "10m".into() };
    let running: Vec<_> = (0..RACERS).map(|_| scene.start(ask())).collect();
    drop(lock);
    running.into_iter().map(|running| scene.keep(running.finish(false))).collect()
}

/// All write to one document at once, and nobody has to give up because others were quicker.
fn crowd(scene: &Scene, milestone: &str) -> Vec<String> {
    let ask = |n: usize| Ask::AddCriterion { milestone: milestone.into(), text: format!("so {n}") };
    let running: Vec<_> = (0..RACERS).map(|n| scene.start(ask(n))).collect();
    let entries = running.into_iter().map(|running| scene.keep(running.finish(false)));
    let refused: Vec<Entry> = entries.filter(|entry| entry.said() != Said::Kept).collect();
    let told = refused.first().map(|entry| entry.stderr.trim().to_owned());
    told.map(|told| format!("{} of {RACERS} had to give up: {told}", refused.len()))
        .into_iter()
        .collect()
}

fn hold(path: &Path) -> Option<std::fs::File> {
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    file.lock().ok()?;
    Some(file)
}
