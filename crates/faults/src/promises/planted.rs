//! P19: the harness finds bugs that were planted on purpose.

use std::time::Instant;

use super::{Harness, PROMISES};
use crate::store::{PROGRAM_URL, Store};

/// A bug by its name in the program, and the promise that must break with it, on which store.
pub struct Planted {
    pub bug: &'static str,
    pub promise: &'static str,
    pub store: Store,
}

const fn planted(bug: &'static str, promise: &'static str) -> Planted {
    planted_in(Store::Files, bug, promise)
}

const fn planted_in(store: Store, bug: &'static str, promise: &'static str) -> Planted {
    Planted { bug, promise, store }
}

pub const PLANTED: &[Planted] = &[
    planted("apply-before-journal", "P3"),
    planted("applied-first", "P3"),
    planted("archived-ids-forgotten", "P11"),
    planted("chain-not-checked", "S9"),
    planted("claim-not-ended", "P1"),
    planted("drafts-kept", "P3"),
    planted("full-disk-swallowed", "P3"),
    planted("claimed-unannounced", "P7"),
    planted("git-not-synced", "P2-git"),
    planted("journal-not-synced", "P2"),
    planted("late-save-dropped", "P10"),
    planted("left-running", "P17"),
    planted("lock-not-taken", "P4"),
    planted("locks-left", "P9"),
    planted("plain-rename", "P10"),
    planted("reapply-skipped", "P2"),
    planted("recovery-overwrites", "P10"),
    planted("recovery-skipped", "P1"),
    planted("removed-in-place", "P9"),
    planted("renew-any-fence", "P5"),
    planted("settle-skipped", "P10"),
    planted("torn-line-kept", "P2"),
    planted("untracked-not-kept", "P9"),
    planted("wall-clock-leases", "P13"),
    planted_in(Store::Sqlite, "claims-left-behind", "P8"),
    planted_in(Store::Sqlite, "digest-not-compared", "P8"),
    planted_in(Store::Sqlite, "mirrored-before-written", "P1"),
    planted_in(Store::Files, "pointer-before-copy", "P8"),
    planted_in(Store::Sqlite, "seal-not-checked", "P8"),
    planted_in(Store::Sqlite, "sqlite-not-synced", "P2"),
    planted_in(Store::Sqlite, "take-up-skipped", "P8"),
    planted_in(Store::Sqlite, "wall-clock-leases", "P13"),
    planted_in(Store::Postgres, "change-id-not-asked", "P12-answers"),
    planted_in(Store::Postgres, "queue-skipped", "P4"),
    planted_in(Store::Postgres, "versions-not-compared", "P4"),
];

/// Runs each planted bug against its promise. Answers how many were not caught.
pub fn run(harness: &Harness, wanted: &[String]) -> usize {
    let mut missed = 0;
    for Planted { bug, promise, store } in PLANTED {
        if !wanted.is_empty() && !wanted.iter().any(|name| name == bug) {
            continue;
        }
        let Some(promise) = PROMISES.iter().find(|known| known.name == *promise) else { continue };
        let program = harness.program.with("MILESTONE_PLANTED", bug);
        let work = harness.work.join(bug);
        let started = Instant::now();
        if *store == Store::Postgres && program.value(PROGRAM_URL).is_none() {
            println!("{bug}: not tried: no server");
            continue;
        }
        let mut caught = None;
        // A fault strikes at random: a bug has a few chances to show.
        for attempt in 0..8 {
            let seed = harness.seed.wrapping_add(attempt);
            let (program, work) = (program.clone(), work.clone());
            let report =
                (promise.run)(&Harness { program, seed, work, store: *store, ..harness.clone() });
            if let Some(reason) = report.skipped {
                println!("{bug}: not tried: {}: {reason}", promise.name);
                caught = Some(String::new());
                break;
            }
            if let Some(exception) = report.exceptions.first() {
                caught = exception.what.last().cloned();
                break;
            }
        }
        let kept = store.word();
        let seconds = started.elapsed().as_secs_f64();
        if let Some(what) = caught {
            let what: String = what.chars().take(160).collect();
            println!("{bug}: caught by {} in {kept} in {seconds:.1} s: {what}", promise.name);
        } else {
            missed += 1;
            println!("{bug}: NOT caught by {} in {kept} in {seconds:.1} s", promise.name);
        }
        let _ = std::fs::remove_dir_all(&work);
    }
    missed
}
