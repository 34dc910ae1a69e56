//! P12: the database server is killed under the hands of writers, and comes back.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Harness, Outcome, report, skipped};
use crate::ledger::Said;
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;
use crate::run::micros;
use crate::server::{self, Server};
use crate::store::PROGRAM_URL;

const WRITERS: usize = 16;
const RESTARTS_IN_A_RUN: u64 = 5;

/// How soon after the server lets somebody in work must go on.
const RESUMES_WITHIN: Duration = Duration::from_secs(5);

/// Between two requests of one writer.
const PAUSE_MILLIS: u64 = 300;

pub fn run(harness: &Harness) -> Report {
    if server::binaries().is_none() {
        return skipped("P12", "PostgreSQL is not installed".into());
    }
    let runs = harness.runs(20, 1_000).div_ceil(RESTARTS_IN_A_RUN);
    let slowest = AtomicU64::new(0);
    let report = harness.each(report("P12", "restarts"), runs, 1, |harness, root, mut random| {
        let mut server = match Server::make(&root.join("server")) {
            Ok(server) => server,
            Err(error) => return (Outcome::new(0, vec![error]), None),
        };
        let program = harness.program.with(PROGRAM_URL, &server.url);
        let scene = Scene::new(&root.join("project"), &program).kept_in(harness.store);
        let mut restarts = 0;
        let tried = one(&scene, &mut server, &mut random, &mut restarts);
        let wrong = match tried {
            Ok(took) => {
                let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                slowest.fetch_max(millis, Ordering::Relaxed);
                Vec::new()
            }
            Err(wrong) => wrong,
        };
        (Outcome::new(restarts, wrong), Some(scene))
    });
    let remark = format!("work went on within {} ms", slowest.into_inner());
    Report { remarks: vec![remark], ..report }
}

/// When somebody was last told that a change is kept.
#[derive(Default)]
struct Acknowledged {
    at: AtomicU64,
}

fn one(
    scene: &Scene,
    server: &mut Server,
    random: &mut Random,
    restarts: &mut u64,
) -> Result<Duration, Vec<String>> {
    scene.furnish().map_err(|error| vec![error])?;
    let (done, last) = (AtomicBool::new(false), Acknowledged::default());
    let (done, last) = (&done, &last);
    let seeds: Vec<u64> = (0..WRITERS).map(|_| random.word()).collect();
    let slowest = std::thread::scope(|scope| {
        for seed in &seeds {
            scope.spawn(move || writer(scene, &mut Random::new(*seed), done, last));
        }
        let mut slowest = Ok(Duration::ZERO);
        while *restarts < RESTARTS_IN_A_RUN && slowest.is_ok() {
            *restarts += 1;
            let took = restarted(server, last, random);
            slowest = slowest.and_then(|slowest| took.map(|took| slowest.max(took)));
        }
        done.store(true, Ordering::Relaxed);
        slowest
    });
    let slowest = slowest.map_err(|error| vec![error])?;
    let wrong = scene.settle_and_verify();
    if wrong.is_empty() { Ok(slowest) } else { Err(wrong) }
}

fn writer(scene: &Scene, random: &mut Random, done: &AtomicBool, last: &Acknowledged) {
    while !done.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(random.below(2 * PAUSE_MILLIS)));
        let entry = scene.act(scene.next_ask(random));
        if entry.said() == Said::Kept && entry.ask.always_records() {
            last.at.fetch_max(entry.ended, Ordering::Relaxed);
        }
    }
}

/// Kills the server and starts it again. Answers how long it took until work went on.
fn restarted(
    server: &mut Server,
    last: &Acknowledged,
    random: &mut Random,
) -> Result<Duration, String> {
    std::thread::sleep(Duration::from_millis(200 + random.below(800)));
    server.kill(if random.percent(60) { Signal::QUIT } else { Signal::KILL });
    std::thread::sleep(Duration::from_millis(random.below(1_500)));
    server.start()?;
    let (ready, began) = (micros(), Instant::now());
    while last.at.load(Ordering::Relaxed) < ready {
        if began.elapsed() > RESUMES_WITHIN {
            return Err(format!("no work went on within {RESUMES_WITHIN:?}"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(began.elapsed())
}
