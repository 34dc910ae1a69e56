//! Corruption is found and contained (P15, S9): no panic, one bad file hides at most one
//! milestone, and looking deletes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use milestone_domain::command::{Command, Credential};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::{ProblemKind, Scope};
use milestone_domain::status::TaskStatus;
use milestone_store::Store;
use milestone_store::files::Files;
use uuid::Uuid;

use crate::support::{Chance, change_task, count, draft, open, project, seed};

/// Everything below a folder, relative to it.
fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn copy(from: &Path, to: &Path) {
    for file in files(from) {
        let place = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::copy(&file, &place).unwrap();
        // Old enough that nobody waits for an editor.
        let old = SystemTime::now() - Duration::from_mins(1);
        fs::File::options().write(true).open(&place).unwrap().set_modified(old).unwrap();
    }
}

/// A project with a bit of everything in it.
fn sample(root: &Path) {
    let project = project(root);
    for title in ["One", "Two", "Three"] {
        project.execute(&draft(title, &["Design", "Build", "Ship"]), "ada").unwrap();
    }
    for (milestone, number) in [(1, 1), (1, 2), (2, 1), (3, 1)] {
        let command = change_task(MilestoneId(milestone), number, TaskStatus::Completed);
        project.execute(&command, "ada").unwrap();
    }
    let task = TaskId::new(MilestoneId(2), 2);
    let attempt = AttemptId(Uuid::from_u128(7));
    project.execute(&Command::Claim { task, attempt, lease_seconds: 600 }, "bob").unwrap();
    let credential = Credential::default();
    let note =
        Command::Note { task: TaskId::new(MilestoneId(3), 1), text: "done".into(), credential };
    project.execute(&note, "ada").unwrap();
    let condition = Command::SetCondition { name: "api_approved".into(), reason: None };
    project.execute(&condition, "ada").unwrap();
    fs::create_dir_all(root.join("config")).unwrap();
    fs::write(root.join("config/milestone-config.yaml"), "calendar:\n  zone: UTC\n").unwrap();
    fs::create_dir_all(root.join("temp")).unwrap();
    fs::write(root.join("temp/outlines.json"), "{\"entries\":{}}").unwrap();
}

/// Does one thing to a file, and says what.
fn damage(file: &Path, chance: &mut Chance, others: &[PathBuf]) -> &'static str {
    let mut bytes = fs::read(file).unwrap();
    let what = match chance.within(0, 6) {
        _ if bytes.is_empty() => "left empty",
        0 => {
            let at = chance.within(0, bytes.len());
            bytes[at] ^= 1 << chance.within(0, 8);
            "a bit flipped"
        }
        1 => {
            bytes.truncate(chance.within(0, bytes.len()));
            "truncated"
        }
        2 => {
            let (from, to) = (chance.within(0, bytes.len()), chance.within(0, bytes.len()));
            bytes[from.min(to)..from.max(to)].fill(0);
            "partly zeros"
        }
        3 => {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
            let (a, b) = (chance.within(0, lines.len()), chance.within(0, lines.len()));
            lines.swap(a, b);
            bytes = lines.concat();
            "lines swapped"
        }
        4 => {
            bytes = fs::read(&others[chance.within(0, others.len())]).unwrap();
            "another file's content"
        }
        _ => {
            fs::remove_file(file).unwrap();
            return "removed";
        }
    };
    fs::write(file, bytes).unwrap();
    let old = SystemTime::now() - Duration::from_secs(50);
    fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
    what
}

/// The documents and history: what nothing but a command may change.
fn kept(root: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let shared = ["active", "completed", "history", "config"];
    let shared = shared.map(|folder| root.join(folder));
    let files = files(root).into_iter().filter(|f| shared.iter().any(|s| f.starts_with(s)));
    files.map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}

#[test]
fn one_bad_file_hides_at_most_one_milestone() {
    let seed = seed("one_bad_file_hides_at_most_one_milestone");
    let temp = tempfile::tempdir().unwrap();
    let good = temp.path().join("good");
    sample(&good);
    let expected = open(&good).read(&Scope::All, "ada").unwrap();
    for round in 0..count(200, 10_000) {
        let mut chance = Chance::new(seed, round as u64);
        let root = temp.path().join(format!("round-{round}"));
        copy(&good, &root);
        let places = files(&root);
        let file = &places[chance.within(0, places.len())];
        let what = damage(file, &mut chance, &places);
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let say = format!("round {round}: {name} {what}");
        let before = kept(&root);
        // Looking changes nothing, whatever it finds.
        let settings = milestone_domain::settings::Settings::default();
        let store = Files::open(root.clone(), settings, Duration::from_secs(5));
        let _ = store.check();
        if store.read(&Scope::All).is_ok() {
            assert_eq!(kept(&root), before, "{say}: reading wrote");
        }
        // Through the door, what looks like an edit is taken in; the rest stays.
        let project = open(&root);
        match project.read(&Scope::All, "ada") {
            Ok(snapshot) => {
                let hidden: Vec<_> = expected
                    .documents
                    .iter()
                    .filter(|(id, document)| {
                        let there = snapshot.documents.get(id);
                        there.is_none_or(|there| there.title != document.title)
                    })
                    .collect();
                assert!(hidden.len() <= 1, "{say}: {} hidden", hidden.len());
            }
            Err(error) => panic!("{say}: {error}"),
        }
        let _ = project.check("ada").unwrap_or_else(|error| panic!("{say}: {error}"));
        for id in [1, 2, 3].map(MilestoneId) {
            let command = change_task(id, 3, TaskStatus::Blocked);
            let _ = project.execute(&command, "ada");
        }
        let named: BTreeSet<PathBuf> = kept(&root).into_iter().map(|(file, _)| file).collect();
        for (file, _) in &before {
            assert!(named.contains(file), "{say}: {} was deleted", file.display());
        }
        fs::remove_dir_all(&root).unwrap();
    }
}

#[test]
fn a_changed_reordered_or_removed_record_is_found() {
    let temp = tempfile::tempdir().unwrap();
    let good = temp.path().join("good");
    sample(&good);
    let segment = files(&good.join("history/milestone-001")).remove(0);
    let name = segment.strip_prefix(&good).unwrap().to_owned();
    let text = fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() >= 4, "{}", lines.len());
    let without = |n: usize| {
        let mut lines = lines.clone();
        lines.remove(n);
        lines.join("\n") + "\n"
    };
    let mut swapped = lines.clone();
    swapped.swap(1, 2);
    let damages = [
        ("changed", text.replacen("\"by\":\"ada\"", "\"by\":\"eve\"", 1)),
        ("first removed", without(1)),
        ("middle removed", without(2)),
        ("last removed", without(lines.len() - 1)),
        ("last two removed", lines[..lines.len() - 2].join("\n") + "\n"),
        ("cut in the last line", text[..text.len() - 20].to_owned()),
        ("swapped", swapped.join("\n") + "\n"),
    ];
    for (what, text) in damages {
        let root = temp.path().join(what.replace(' ', "-"));
        copy(&good, &root);
        fs::write(root.join(&name), text).unwrap();
        let settings = milestone_domain::settings::Settings::default();
        let store = Files::open(root.clone(), settings, Duration::from_secs(5));
        let problems = store.check().unwrap();
        let found = problems.iter().any(|problem| {
            problem.kind == ProblemKind::BrokenHistory && problem.file == name.display().to_string()
        });
        assert!(found, "{what}: {problems:?}");
    }
}

#[test]
fn a_cut_end_is_found_by_another_clone_from_what_was_written_after_it() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = (temp.path().join("one"), temp.path().join("two"));
    sample(&one);
    copy(&one, &two);
    fs::remove_dir_all(two.join("data")).unwrap();
    let first = files(&two.join("history/milestone-001")).remove(0);
    let project = open(&two);
    let command = change_task(MilestoneId(1), 3, TaskStatus::InProgress);
    project.execute(&command, "bob").unwrap();
    let text = fs::read_to_string(&first).unwrap();
    let cut = text[..=text.trim_end().rfind('\n').unwrap()].to_owned();
    fs::write(&first, cut).unwrap();
    fs::remove_dir_all(two.join("data")).unwrap();
    let problems = open(&two).check("bob").unwrap();
    assert!(problems.iter().any(|p| p.kind == ProblemKind::BrokenHistory), "{problems:?}");
}
