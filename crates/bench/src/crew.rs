//! Workers at once, and how much they get done in a second.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::Result;

pub const WORKERS: [usize; 3] = [1, 16, 64];

/// How often in a second workers at once get something done. Each has what it needs, such as a
/// connection, before the time begins; it ends when nobody finds anything to do, or at the limit.
pub fn at_once<W: FnMut() -> Result<bool>>(
    workers: usize,
    limit: Duration,
    hire: impl Fn() -> Result<W> + Sync,
) -> Result<Done> {
    let (count, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let ready = Barrier::new(workers + 1);
    let mut started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let hired = hire();
                ready.wait();
                let began = Instant::now();
                let worked = hired.and_then(|mut work| {
                    while began.elapsed() < limit && work()? {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                });
                if let Err(error) = worked {
                    failed.fetch_add(1, Ordering::Relaxed);
                    crate::say(&format!("a worker failed: {error}"));
                }
            });
        }
        ready.wait();
        started = Instant::now();
    });
    match failed.into_inner() {
        0 => Ok(Done { count: count.into_inner(), seconds: started.elapsed().as_secs_f64() }),
        failed => Err(format!("{failed} of {workers} workers failed").into()),
    }
}

pub struct Done {
    pub count: u32,
    pub seconds: f64,
}

impl Done {
    /// Each is a claim and a completion.
    pub fn claims_and_completions(&self) -> f64 {
        f64::from(self.count) * 2.0 / self.seconds
    }
}
