//! P11: many processes write to one project at the same time, and some are killed.

use std::time::Instant;

use super::{Harness, Outcome, report};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

/// Of a hundred.
const KILLED: u64 = 5;

pub fn run(harness: &Harness) -> Report {
    let writers = if harness.full { 64 } else { 16 };
    let each = if harness.full { 200 } else { harness.runs(50, 200) };
    harness.each(report("P11", "operations"), 1, 1, |harness, root, mut random| {
        let scene = harness.scene(root).waiting_long();
        if let Err(error) = scene.furnish() {
            return (Outcome::new(0, vec![error]), Some(scene));
        }
        let began = Instant::now();
        let seeds: Vec<u64> = (0..writers).map(|_| random.word()).collect();
        std::thread::scope(|scope| {
            for seed in &seeds {
                let scene = &scene;
                scope.spawn(move || writer(scene, &mut Random::new(*seed), each));
            }
        });
        let seconds = began.elapsed().as_secs_f64();
        let count = u64::from(u32::try_from(writers).unwrap_or(0)) * each;
        #[expect(clippy::cast_precision_loss)]
        let rate = count as f64 / seconds;
        let acknowledged = scene.acknowledged();
        let remark = format!("{rate:.0} operations/s, {acknowledged} acknowledged");
        let wrong = scene.settle_and_verify();
        (Outcome { count, wrong, remarks: vec![remark] }, Some(scene))
    })
}

fn writer(scene: &Scene, random: &mut Random, operations: u64) {
    for _ in 0..operations {
        let ask = scene.next_ask(random);
        if random.percent(KILLED) {
            scene.act_killed(ask, random);
        } else {
            scene.act(ask);
        }
    }
}
