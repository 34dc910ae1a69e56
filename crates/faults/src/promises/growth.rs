//! Growth that nobody notices: from the first milestone to hundreds of open ones, with writers and
//! readers going, the project moves by itself into SQLite and into PostgreSQL; asked for it, it goes
//! back into files, and its documents are what they were.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Harness, Outcome, report, skipped};
use crate::ask::Ask;
use crate::ledger::{End, Said};
use crate::project::Scene;
use crate::report::Report;
use crate::store::Store;

const WRITERS: usize = 16;
const READERS: usize = 16;

/// More than what is too much for SQLite; and more than twice of that in the full run.
const MILESTONES: u64 = 220;
const MILESTONES_FULL: u64 = 500;

const COMMENT: &str = "# written by hand when it was small";

pub fn run(harness: &Harness) -> Report {
    if harness.program.value(crate::store::PROGRAM_URL).is_none() {
        return skipped("growth", "nobody said where a server is".into());
    }
    let wanted = harness.runs(MILESTONES, MILESTONES_FULL).max(MILESTONES);
    let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
    harness.each(report("growth", "milestones"), 1, 1, |harness, root, _| {
        let scene = Scene::new(root, &harness.program).waiting_long();
        let (wrong, remarks) = match one(&scene, wanted) {
            Ok(remark) => (Vec::new(), vec![remark]),
            Err(wrong) => (wrong, Vec::new()),
        };
        let outcome = Outcome { remarks, ..Outcome::new(wanted as u64, wrong) };
        (outcome, Some(scene))
    })
}

fn one(scene: &Scene, wanted: usize) -> Result<String, Vec<String>> {
    let text = |error: String| vec![error];
    scene.must(Ask::Init).map_err(text)?;
    scene.must(plan(0)).map_err(text)?;
    let first = scene.folder().join("active/milestone-001.yaml");
    let commented = fs::read_to_string(&first).and_then(|text| {
        fs::write(&first, text.replacen("title:", &format!("{COMMENT}\ntitle:"), 1))
    });
    commented.map_err(|error| vec![error.to_string()])?;
    let (mut wrong, passed) = grown(scene, wanted);
    let passed_all = passed.iter().map(|store| store.word()).collect::<Vec<_>>().join(", ");
    if passed != Store::ALL {
        wrong.push(format!("it was seen in {passed_all} only"));
    }
    wrong.extend(scene.settle_and_verify());
    wrong.extend(back(scene));
    wrong.extend(scene.settle_and_verify());
    if wrong.is_empty() {
        return Ok(format!(
            "it was in {passed_all}, and {} writes were acknowledged",
            scene.acknowledged()
        ));
    }
    Err(wrong)
}

fn plan(number: usize) -> Ask {
    Ask::Plan { title: format!("Number {number}"), tasks: vec!["one".into(), "two".into()] }
}

/// Plans until there are enough, while as many read; answers the stores that were seen.
fn grown(scene: &Scene, wanted: usize) -> (Vec<String>, Vec<Store>) {
    let (next, done) = (AtomicUsize::new(1), AtomicBool::new(false));
    let (wrong, passed) = (Mutex::new(Vec::new()), Mutex::new(vec![Store::Files]));
    let complain = |what: String| wrong.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    let (next, done, passed, complain) = (&next, &done, &passed, &complain);
    std::thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    let entry = scene.act(Ask::List);
                    if entry.said() != Said::Kept {
                        complain(format!("a reader: {:?} {}", entry.end, entry.stderr.trim()));
                    }
                    let store = scene.kept();
                    let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner);
                    if !passed.contains(&store) {
                        passed.push(store);
                    }
                    drop(passed);
                    std::thread::sleep(std::time::Duration::from_millis(100));
                }
            });
        }
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| scope.spawn(move || while plans(scene, next, wanted, complain) {}))
            .collect();
        for writer in writers {
            let _ = writer.join();
        }
        done.store(true, Ordering::Relaxed);
    });
    let mut passed = passed.lock().unwrap_or_else(PoisonError::into_inner).clone();
    passed.sort_by_key(|store| Store::ALL.iter().position(|one| one == store));
    (wrong.into_inner().unwrap_or_else(PoisonError::into_inner), passed)
}

/// Whether there is more to plan.
fn plans(scene: &Scene, next: &AtomicUsize, wanted: usize, complain: &dyn Fn(String)) -> bool {
    let number = next.fetch_add(1, Ordering::Relaxed);
    if number >= wanted {
        return false;
    }
    loop {
        let entry = scene.act(plan(number));
        match (entry.said(), entry.end) {
            (Said::Kept, _) => return true,
            // Others were quicker too often.
            (_, End::Exit(4)) => {}
            (_, end) => {
                complain(format!("a writer: {end:?} {}", entry.stderr.trim()));
                return true;
            }
        }
    }
}

/// Back into files: every document is what the backup has that was taken under the move's lock.
fn back(scene: &Scene) -> Vec<String> {
    let entry = match scene.must(Ask::Migrate { to: Store::Files }) {
        Ok(entry) => entry,
        Err(error) => return vec![error],
    };
    let backup = entry.stderr.lines().find_map(|line| line.strip_prefix("As it was before: "));
    let Some(backup) = backup.map(PathBuf::from) else {
        return vec![format!("no backup is named: {}", entry.stderr)];
    };
    let unpacked = scene.root.join("unpacked");
    let (from, to) = (backup.display().to_string(), unpacked.display().to_string());
    let _ = fs::create_dir_all(&unpacked);
    if let Err(error) = crate::run::tool(&["tar", "-xf", &from, "-C", &to]) {
        return vec![error];
    }
    let (then, now) = (documents(&unpacked), documents(&scene.folder()));
    let all = then.keys().chain(now.keys());
    let mut wrong: Vec<String> = all
        .filter(|name| then.get(*name) != now.get(*name))
        .map(|name| format!("{name} is not what it was when it moved"))
        .collect();
    if !now.values().any(|text| text.contains(COMMENT)) {
        wrong.push("the comment is gone".into());
    }
    wrong
}

fn documents(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder.join("active")).into_iter().flatten().flatten();
    let read = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        Some((name, fs::read_to_string(entry.path()).ok()?))
    };
    entries.filter_map(read).collect()
}
