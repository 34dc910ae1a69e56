//! P15: a bit of any file that is kept flips, or the end of the file is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::ledger::{Entry, Said};
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;
use crate::store::{Kept, POINTER, Store};

/// Damaged more often than others: without them nobody knows where the project is.
const SIGNPOSTS: [&str; 3] = [POINTER, "data/mirrored", "data/clone"];

pub fn run(harness: &Harness) -> Report {
    let runs = harness.runs(200, 10_000) / Store::ALL.len() as u64;
    let fixture = harness.scene(&harness.place("P15-fixture"));
    let made = furnished(&fixture);
    let fixture = Mutex::new(fixture);
    let report =
        harness.each(report("P15", "damages"), runs, harness.jobs, |_, root, mut random| {
            let scene =
                fixture.lock().unwrap_or_else(std::sync::PoisonError::into_inner).copied(root);
            let wrong = match &made {
                Ok(()) => one(&scene, &mut random),
                Err(error) => vec![error.clone()],
            };
            (Outcome::new(1, wrong), Some(scene))
        });
    let _ = fs::remove_dir_all(harness.place("P15-fixture"));
    report
}

fn furnished(scene: &Scene) -> Result<(), String> {
    scene.furnish()?;
    let (task, lease) = ("task-001-002".to_owned(), "10m".to_owned());
    scene.must(Ask::Claim { task, lease })?;
    for n in 0..4 {
        let (task, text) = ("task-001-001".to_owned(), format!("note {n}"));
        scene.must(Ask::Note { task, text, proof: None })?;
    }
    Ok(())
}

fn one(scene: &Scene, random: &mut Random) -> Vec<String> {
    let Some(file) = chosen(scene, random) else {
        return vec!["there is nothing to damage".into()];
    };
    let told = match damaged(&scene.folder().join(&file), random) {
        Ok(told) => format!("{told} in {file}"),
        Err(error) => return vec![format!("{file}: {error}")],
    };
    let (task, text) = ("task-001-001".to_owned(), "after the damage".to_owned());
    let asks = [Ask::List, Ask::Note { task, text, proof: None }, Ask::List];
    let mut wrong: Vec<String> =
        asks.into_iter().filter_map(|ask| told_well(&scene.act(ask))).collect();
    let doctor = scene.act(Ask::Doctor);
    wrong.extend(told_well(&doctor));
    if doctor.said() == Said::Kept && scene.kept() == Store::Sqlite && file.contains(".db") {
        let unseen = scene.verify(false);
        wrong.extend(unseen.first().map(|what| format!("the doctor sees nothing of this: {what}")));
    }
    // Damage of one document hides no other one.
    if file.contains("milestone-002") {
        let (task, text) = ("task-001-003".to_owned(), "elsewhere".to_owned());
        wrong.extend(scene.must(Ask::Note { task, text, proof: None }).err());
    }
    if !wrong.is_empty() {
        wrong.insert(0, told);
    }
    wrong
}

/// Some file of the project that has something in it.
fn chosen(scene: &Scene, random: &mut Random) -> Option<String> {
    let folder = scene.folder();
    let mut files = Vec::new();
    collect(&folder, &mut files);
    let mut names: Vec<String> = files
        .iter()
        .filter_map(|path| path.strip_prefix(&folder).ok()?.to_str().map(str::to_owned))
        .collect();
    names.sort_unstable();
    let there = |name: &&str| folder.join(name).exists();
    let signposts: Vec<&str> = SIGNPOSTS.iter().copied().filter(there).collect();
    if scene.store == Store::Sqlite && random.percent(50) {
        return Kept::of(&folder).ok().map(|kept| kept.sqlite_file());
    }
    if !signposts.is_empty() && random.percent(40) {
        return random.pick(&signposts).map(|name| (*name).to_owned());
    }
    random.pick(&names).cloned()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "backups") {
            collect(&path, files);
        } else if fs::metadata(&path).is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0)
        {
            files.push(path);
        }
    }
}

fn damaged(path: &Path, random: &mut Random) -> Result<String, String> {
    let mut bytes = fs::read(path).map_err(|error| error.to_string())?;
    let at = random.index(bytes.len());
    let told = match random.below(4) {
        0 => {
            bytes.truncate(at);
            format!("nothing from byte {at} on")
        }
        1 => {
            let end = (at + 512).min(bytes.len());
            bytes[at..end].fill(0);
            format!("zeros from byte {at} to {end}")
        }
        _ => {
            let bit = random.below(8);
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
    };
    fs::write(path, bytes).map_err(|error| error.to_string())?;
    Ok(told)
}

/// No panic, and whoever is refused is told why and what to do.
fn told_well(entry: &Entry) -> Option<String> {
    let said = entry.stderr.trim();
    let named = entry.said() == Said::Kept || said.contains("hint:");
    let panicked =
        said.contains("panicked") || !matches!(entry.end, crate::ledger::End::Exit(0..=7));
    (panicked || !named)
        .then(|| format!("{:?}: {:?}: nothing to go by in {said:?}", entry.ask, entry.end))
}
