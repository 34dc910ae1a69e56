//! The promises, each with the faults that it is held against.

pub mod clocks;
pub mod editors;
pub mod escapes;
pub mod executing;
pub mod flips;
pub mod growth;
pub mod holders;
pub mod injected;
pub mod kills;
pub mod moves;
pub mod planted;
pub mod power;
pub mod races;
pub mod rot;
pub mod salvage;
pub mod servers;
pub mod takeovers;
pub mod writers;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::project::Scene;
use crate::random::Random;
use crate::report::{Exception, Report};
use crate::run::Program;
use crate::store::Store;

/// How many broken runs of one promise are enough to show.
const EXCEPTIONS_MAX: usize = 5;

/// What every promise is given.
#[derive(Debug, Clone)]
pub struct Harness {
    pub program: Program,
    pub full: bool,
    pub seed: u64,
    /// Only this run, to see it again.
    pub only: Option<u64>,
    pub work: PathBuf,
    pub jobs: usize,
    /// Divides the counts, to find a planted bug sooner.
    pub sooner: u64,
    /// What keeps the projects.
    pub store: Store,
}

/// One run of a promise: how much it counted, and what was wrong.
#[derive(Debug, Default)]
pub struct Outcome {
    pub count: u64,
    pub wrong: Vec<String>,
    pub remarks: Vec<String>,
}

impl Outcome {
    pub fn new(count: u64, wrong: Vec<String>) -> Self {
        Self { count, wrong, remarks: Vec::new() }
    }
}

/// A promise, by name.
pub struct Promise {
    /// Tried without being named.
    pub usual: bool,
    pub name: &'static str,
    /// Where it makes sense; a promise about more than one store stands by the first of them.
    pub stores: &'static [Store],
    /// Whether it starts the server that it needs.
    pub own_server: bool,
    pub about: &'static str,
    pub run: fn(&Harness) -> Report,
}

const EVERYWHERE: &[Store] = &Store::ALL;
const FILES: &[Store] = &[Store::Files];
const DOCUMENTS: &[Store] = &[Store::Files, Store::Sqlite];

pub const PROMISES: &[Promise] = &[
    Promise {
        usual: true,
        name: "P1",
        stores: EVERYWHERE,
        own_server: false,
        about: "an acknowledged write survives kill -9",
        run: kills::run,
    },
    Promise {
        usual: true,
        name: "P2",
        stores: DOCUMENTS,
        own_server: false,
        about: "an acknowledged write survives a power cut",
        run: power::run,
    },
    Promise {
        usual: false,
        name: "P2-same-boot",
        stores: FILES,
        own_server: false,
        about: "a disk that was away for a moment",
        run: power::run_in_the_same_boot,
    },
    Promise {
        usual: true,
        name: "P3",
        stores: EVERYWHERE,
        own_server: false,
        about: "a failed system call leaves the old state or the new",
        run: injected::run,
    },
    Promise {
        usual: true,
        name: "P4",
        stores: EVERYWHERE,
        own_server: false,
        about: "one claim, one winner",
        run: races::run,
    },
    Promise {
        usual: true,
        name: "P5",
        stores: EVERYWHERE,
        own_server: false,
        about: "a paused holder can change nothing",
        run: holders::run,
    },
    Promise {
        usual: true,
        name: "P6",
        stores: EVERYWHERE,
        own_server: false,
        about: "no task is lost, and none is done twice",
        run: executing::run,
    },
    Promise {
        usual: true,
        name: "P7",
        stores: EVERYWHERE,
        own_server: false,
        about: "a dead session's tasks are taken over at once",
        run: takeovers::run,
    },
    Promise {
        usual: false,
        name: "P6-workers",
        stores: &[Store::Postgres],
        own_server: false,
        about: "the same with a worker that has joined from another host",
        run: executing::run_with_workers,
    },
    Promise {
        usual: true,
        name: "P9",
        stores: FILES,
        own_server: false,
        about: "git work is never destroyed",
        run: salvage::run,
    },
    Promise {
        usual: true,
        name: "P2-git",
        stores: EVERYWHERE,
        own_server: false,
        about: "what is recorded as done is in git after a power cut",
        run: power::run_with_git,
    },
    Promise {
        usual: true,
        name: "P17",
        stores: FILES,
        own_server: false,
        about: "nothing keeps running after its session",
        run: escapes::run,
    },
    Promise {
        usual: true,
        name: "growth",
        stores: FILES,
        own_server: false,
        about: "a project grows into every store, and nobody notices",
        run: growth::run,
    },
    Promise {
        usual: true,
        name: "P10",
        stores: DOCUMENTS,
        own_server: false,
        about: "hand edits and the program's writes both survive",
        run: editors::run,
    },
    Promise {
        usual: true,
        name: "P11",
        stores: EVERYWHERE,
        own_server: false,
        about: "many writers on one project",
        run: writers::run,
    },
    Promise {
        usual: true,
        name: "P13",
        stores: EVERYWHERE,
        own_server: false,
        about: "clocks may lie",
        run: clocks::run,
    },
    Promise {
        usual: true,
        name: "P8",
        stores: EVERYWHERE,
        own_server: false,
        about: "moving between stores disturbs nobody",
        run: moves::run,
    },
    Promise {
        usual: true,
        name: "P12",
        stores: &[Store::Postgres],
        own_server: true,
        about: "database trouble is ridden out",
        run: servers::run,
    },
    Promise {
        usual: true,
        name: "P12-answers",
        stores: &[Store::Postgres],
        own_server: false,
        about: "an answer of the server that is lost is asked for again",
        run: injected::run_on_the_wire,
    },
    Promise {
        usual: true,
        name: "P15",
        stores: EVERYWHERE,
        own_server: false,
        about: "corruption is found and contained",
        run: flips::run,
    },
    Promise {
        usual: true,
        name: "S9",
        stores: DOCUMENTS,
        own_server: false,
        about: "a changed history is found out",
        run: rot::run,
    },
];

impl Harness {
    /// How often something is tried. Quickly, the two databases share what is tried on files.
    pub fn runs(&self, quick: u64, full: u64) -> u64 {
        let stores = if self.store == Store::Files { 1 } else { 2 };
        if self.full { full } else { (quick / stores / self.sooner).max(1) }
    }

    /// Carries out `runs` independent runs on as many threads as there are jobs, and keeps the
    /// folder of every one that broke.
    pub fn each(
        &self,
        report: Report,
        runs: u64,
        jobs: usize,
        one: impl Fn(&Harness, &Path, Random) -> (Outcome, Option<Scene>) + Sync,
    ) -> Report {
        let started = Instant::now();
        let next = AtomicU64::new(0);
        let report = Mutex::new(report);
        let work = |_| loop {
            let run = next.fetch_add(1, Ordering::Relaxed);
            if run >= runs {
                break;
            }
            if self.only.is_some_and(|only| only != run) {
                continue;
            }
            let lock = || report.lock().unwrap_or_else(PoisonError::into_inner);
            if lock().exceptions.len() >= EXCEPTIONS_MAX {
                break;
            }
            let name = lock().promise;
            let root = self.work.join(format!("{name}-{}-{}-{run}", self.store.word(), self.seed));
            let (outcome, scene) = one(self, &root, Random::part(self.seed, run));
            let mut report = lock();
            report.count += outcome.count;
            for remark in outcome.remarks {
                if !report.remarks.contains(&remark) {
                    report.remarks.push(remark);
                }
            }
            if outcome.wrong.is_empty() {
                let _ = fs::remove_dir_all(&root);
            } else {
                if let Some(scene) = scene {
                    scene.write_ledger();
                }
                report.exceptions.push(Exception { run, what: outcome.wrong, kept: root });
            }
        };
        std::thread::scope(|scope| {
            for job in 0..jobs.max(1) {
                scope.spawn(move || work(job));
            }
        });
        let mut report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        report.store = self.store;
        report.took = started.elapsed();
        report
    }

    /// The folder where runs are made.
    pub fn place(&self, name: &str) -> PathBuf {
        self.work.join(format!("{name}-{}-{}", self.store.word(), self.seed))
    }

    /// A project to be kept where this harness looks.
    pub fn scene(&self, root: &Path) -> Scene {
        Scene::new(root, &self.program).kept_in(self.store)
    }
}

/// A report that has not begun.
pub fn report(name: &'static str, counted: &'static str) -> Report {
    let promise = PROMISES.iter().find(|promise| promise.name == name);
    let about = promise.map_or("", |promise| promise.about);
    Report { promise: name, about, counted, ..Report::default() }
}

pub fn skipped(name: &'static str, why: String) -> Report {
    Report { skipped: Some(why), ..report(name, "") }
}
