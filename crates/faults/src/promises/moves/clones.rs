//! A clone that finds that another one has moved the project to a database for everybody.

use std::path::Path;

use crate::ask::Ask;
use crate::project::Scene;
use crate::random::Random;
use crate::run::tool;
use crate::store::{Kept, Store};

/// The scene's project goes to the server while a clone of it works on; the clone joins, killed
/// now and then, and nothing of either is lost.
pub(super) fn joins(scene: &Scene, random: &mut Random) -> Vec<String> {
    tried(scene, random).err().into_iter().flatten().collect()
}

fn tried(scene: &Scene, random: &mut Random) -> Result<(), Vec<String>> {
    let text = |error: String| vec![error];
    // From the server nobody clones anything: it is where they meet.
    scene.must(Ask::Migrate { to: Store::Files }).map_err(text)?;
    let here = scene.root.display().to_string();
    git(&scene.root, &["init", "-q"]).map_err(text)?;
    committed(&scene.root, "the project").map_err(text)?;
    let clone = scene.root.with_extension("clone");
    tool(&["git", "clone", "-q", &here, &clone.display().to_string()]).map_err(text)?;
    let clone = scene.sharing(&clone);
    if random.percent(50) {
        clone.must(Ask::Migrate { to: Store::Sqlite }).map_err(text)?;
    }
    note(&clone, "before it joins").map_err(text)?;
    committed(&clone.root, "the clone's own").map_err(text)?;
    scene.must(Ask::Migrate { to: Store::Postgres }).map_err(text)?;
    note(scene, "where all meet").map_err(text)?;
    committed(&scene.root, "moved").map_err(text)?;
    // Both have wished for a store in the settings, and the one where all meet is taken.
    let pull = ["pull", "-q", "--no-rebase", "--no-edit", "-X", "theirs"];
    git(&clone.root, &pull).map_err(text)?;
    for _ in 0..random.below(3) {
        clone.act_killed(Ask::List, random);
    }
    note(&clone, "after it has joined").map_err(text)?;
    let (first, second) = (Kept::of(&scene.folder()), Kept::of(&clone.folder()));
    if first != second {
        return Err(vec![format!("the clone did not join: {first:?} and {second:?}")]);
    }
    let wrong = scene.settle_and_verify_with(&clone);
    if wrong.is_empty() {
        let _ = std::fs::remove_dir_all(&clone.root);
        return Ok(());
    }
    Err(wrong)
}

fn note(scene: &Scene, text: &str) -> Result<(), String> {
    let (task, text) = ("task-003-002".to_owned(), text.to_owned());
    let entry = scene.aside(Ask::Note { task, text, proof: None });
    if entry.end == crate::ledger::End::Exit(0) { Ok(()) } else { Err(entry.stderr) }
}

fn git(folder: &Path, words: &[&str]) -> Result<(), String> {
    let folder = folder.display().to_string();
    let identity = ["-c", "user.name=faults", "-c", "user.email=faults@localhost"];
    let line = ["git", "-C", &folder].into_iter().chain(identity).chain(words.iter().copied());
    tool(&line.collect::<Vec<_>>()).map(drop)
}

fn committed(folder: &Path, why: &str) -> Result<(), String> {
    git(folder, &["add", "-A", ".milestones"])?;
    git(folder, &["commit", "-q", "--allow-empty", "-m", why])
}
