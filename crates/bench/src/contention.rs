//! Many workers at once: claims and completions a second.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;

use crate::measure::{output, run};
use crate::report::{Row, Target};
use crate::{Options, Programs, Result, Sample};

const WORKERS: [usize; 3] = [1, 16, 64];

pub fn measure(programs: &Programs, sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    let limit = Duration::from_secs(options.seconds);
    WORKERS.iter().map(|workers| contention(programs, sample, *workers, limit)).collect()
}

/// Every worker takes the best task and completes it, each in a process of its own, as long as
/// there are tasks and time.
fn contention(
    programs: &Programs,
    sample: &Sample,
    workers: usize,
    limit: Duration,
) -> Result<Row> {
    let here = sample.repository.as_path();
    let done: Mutex<Vec<TaskId>> = Mutex::default();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while started.elapsed() < limit {
                    let Ok(task) = claim_and_complete(programs, here) else { return };
                    done.lock().map(|mut done| done.push(task)).unwrap_or_default();
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let done = done.into_inner()?;
    // Backwards, because what was done later may require what was done before.
    done.iter().rev().try_for_each(|task| sample.change(*task, TaskStatus::Pending))?;
    let count = u32::try_from(done.len() * 2).unwrap_or(u32::MAX);
    Ok(Row {
        operation: format!("claims + completions, {workers} at once"),
        tasks: sample.tasks,
        figure: f64::from(count) / seconds,
        floor: None,
        processor: None,
        target: Target::PerSecond(100.0),
        memory: None,
    })
}

fn claim_and_complete(programs: &Programs, here: &Path) -> Result<TaskId> {
    let milestone = programs.path("milestone");
    let claimed = output(&milestone, &["task", "claim", "--next"], here)?;
    let words: Vec<&str> = claimed.split_whitespace().collect();
    let [task, fence, ..] = words[..] else { return Err("a claim says task and fence".into()) };
    run(&milestone, &["task", "done", task, "--fence", fence], here)?;
    Ok(task.parse()?)
}
