//! S9: whoever changes, removes or reorders a record of the history is found out.

use std::fs;
use std::path::PathBuf;

use super::{Harness, Outcome, report};
use crate::ask::Ask;
use crate::ledger::Said;
use crate::project::Scene;
use crate::random::Random;
use crate::report::Report;

pub fn run(harness: &Harness) -> Report {
    let runs = harness.runs(30, 2_000);
    harness.each(
        report("S9", "changed histories"),
        runs,
        harness.jobs,
        |harness, root, mut random| {
            let scene = harness.scene(root);
            let wrong = one(&scene, &mut random).err().into_iter().collect();
            (Outcome::new(1, wrong), Some(scene))
        },
    )
}

fn one(scene: &Scene, random: &mut Random) -> Result<(), String> {
    scene.furnish()?;
    for n in 0..6 {
        let (task, text) = ("task-001-001".to_owned(), format!("note {n}"));
        scene.must(Ask::Note { task, text, proof: None })?;
    }
    let before = scene.act(Ask::Doctor);
    if before.said() != Said::Kept {
        return Err(format!(
            "a whole project is found wanting: {} {}",
            before.stdout, before.stderr
        ));
    }
    let segment = segment(scene)?;
    let text = fs::read_to_string(&segment).map_err(|error| error.to_string())?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    // The first line, and the last, whose loss shows only against what was seen before.
    let at = 1 + random.index(lines.len() - 2);
    let how = ["changed", "removed", "reordered", "repeated"][random.index(4)];
    match how {
        "changed" => lines[at] = lines[at].replace("op-0", "op-1"),
        "removed" => drop(lines.remove(at)),
        "reordered" => lines.swap(at, at + 1),
        _ => lines.insert(at, lines[at].clone()),
    }
    fs::write(&segment, lines.join("\n") + "\n").map_err(|error| error.to_string())?;
    let after = scene.act(Ask::Doctor);
    let named = format!("{}{}", after.stdout, after.stderr).contains("history/milestone-001");
    if after.said() == Said::Kept || !named {
        return Err(format!(
            "a record was {how} and nobody noticed: {:?} {}",
            after.end, after.stdout
        ));
    }
    Ok(())
}

fn segment(scene: &Scene) -> Result<PathBuf, String> {
    let folder = scene.folder().join("history/milestone-001");
    let entry = fs::read_dir(&folder).map_err(|error| error.to_string())?.flatten().next();
    entry.map(|entry| entry.path()).ok_or_else(|| "no history".into())
}
