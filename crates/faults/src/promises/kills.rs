//! P1: `kill -9` at random moments of every verb that writes.

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::project::{Scene, VERBS};
use crate::random::Random;
use crate::report::Report;

const KILLS_IN_A_RUN: u64 = 10;

pub fn run(harness: &Harness) -> Report {
    let runs = harness.runs(200, 10_000).div_ceil(KILLS_IN_A_RUN);
    harness.each(report("P1", "kills"), runs, harness.jobs, |harness, root, mut random| {
        let scene = harness.scene(root);
        let mut kills = 0;
        let wrong = one(&scene, &mut random, &mut kills).err().unwrap_or_default();
        (Outcome::new(kills, wrong), Some(scene))
    })
}

fn one(scene: &Scene, random: &mut Random, kills: &mut u64) -> Result<(), Vec<String>> {
    // `init` is killed as well; whatever it left, the next one finishes.
    while random.percent(40) {
        *kills += 1;
        scene.act_killed(Ask::Init, random);
    }
    scene.furnish().map_err(|error| vec![error])?;
    while *kills < KILLS_IN_A_RUN {
        for _ in 0..random.below(4) {
            scene.act(scene.next_ask(random));
        }
        // Sometimes several in a row: the second one may die in the recovery from the first.
        loop {
            let verb = VERBS[random.index(VERBS.len())];
            let ask = scene.ask_for(verb, random).unwrap_or_else(|| scene.next_ask(random));
            *kills += 1;
            scene.act_killed(ask, random);
            if random.percent(60) {
                break;
            }
        }
        if random.percent(30) {
            scene.must(Ask::List).map_err(|error| vec![error])?;
        }
        let wrong = scene.settle_and_verify();
        if !wrong.is_empty() {
            return Err(wrong);
        }
    }
    Ok(())
}
