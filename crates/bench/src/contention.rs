//! Many workers at once: claims and completions a second.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;

use crate::inside;
use crate::measure::run;
use crate::report::{Row, Target};
use crate::{Options, Programs, Result, Sample};

const WORKERS: [usize; 3] = [1, 16, 64];

pub fn measure(programs: &Programs, sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    let limit = Duration::from_secs(options.seconds);
    WORKERS.iter().map(|workers| contention(programs, sample, *workers, limit)).collect()
}

/// Every worker claims a task of its own and completes it, each in a process of its own, as long
/// as there are tasks and time.
fn contention(
    programs: &Programs,
    sample: &Sample,
    workers: usize,
    limit: Duration,
) -> Result<Row> {
    let ready = sample.ready()?;
    let snapshot = sample.graph()?;
    // The fence that the claim will be given: one more than any before it.
    let fence = |task: &TaskId| snapshot.task(*task).map_or(1, |task| task.attempts + 1);
    let fences: Vec<u64> = ready.iter().map(fence).collect();
    let here = sample.repository.as_path();
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while started.elapsed() < limit {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(task) = ready.get(at) else { return };
                    if claim_and_complete(programs, here, *task, fences[at]).is_ok() {
                        done.fetch_add(2, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let done = done.into_inner();
    for task in ready.iter().take(next.into_inner()) {
        let _ = sample.change(*task, TaskStatus::Pending);
    }
    let count = u32::try_from(done).unwrap_or(u32::MAX);
    Ok(Row {
        operation: format!("claims + completions, {workers} processes"),
        tasks: sample.tasks,
        figure: f64::from(count) / seconds,
        floor: None,
        target: Target::PerSecond(100.0),
        memory: None,
    })
}

fn claim_and_complete(programs: &Programs, here: &Path, task: TaskId, fence: u64) -> Result<()> {
    let (id, fence) = (task.to_string(), fence.to_string());
    let milestone = programs.path("milestone");
    let actor = inside::ACTOR;
    run(&milestone, &["task", "claim", &id, "--actor", actor], here)?;
    run(&milestone, &["task", "done", &id, "--actor", actor, "--fence", &fence], here)?;
    Ok(())
}
