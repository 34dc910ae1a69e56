//! Backups: made, looked at, put back, and killed while being put back.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use crate::environment::{Environment, Ran};

fn project() -> Environment {
    let project = Environment::new();
    project.ok(&[
        "plan",
        "First",
        "--task",
        "Design",
        "--task",
        "Build",
        "--criterion",
        "it works",
    ]);
    let text = fs::read_to_string(project.document(1)).unwrap();
    project.write(1, &text.replacen("tasks:", "# what is to be done\ntasks:", 1));
    project.ok(&["condition", "set", "approved"]);
    let folder = project.project().join(".milestones/deliverables/milestone-001/design");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("über uns.md"), [0, 159, 146, 150]).unwrap();
    project
}

fn backup(project: &Environment, name: &str) -> String {
    let file = project.home().join(name).display().to_string();
    assert_eq!(project.ok(&["storage", "backup", "--out", &file]), format!("{file}\n"));
    file
}

/// What git would share, and its bytes.
fn shared(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "scale-detection.yaml" {
            continue;
        }
        if path.is_file() {
            all.insert(name, fs::read(path).unwrap());
        } else if !["data", "temp"].contains(&name.as_str()) {
            let below = shared(&path).into_iter();
            all.extend(below.map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        }
    }
    all
}

fn asides(project: &Environment) -> Vec<String> {
    let entries = fs::read_dir(project.project()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(".milestones.")).collect()
}

fn refused(ran: &Ran, code: i32, says: &str) {
    assert!(ran.code == code && ran.stderr.contains(says), "{says}: {ran:?}");
}

#[test]
fn a_lost_project_comes_back_as_it_was() {
    let project = project();
    let file = backup(&project, "b.tar");
    let folder = project.project().join(".milestones");
    let (before, log) = (shared(&folder), project.ok(&["task", "log", "1.1"]));
    fs::rename(&folder, project.home().join("lost")).unwrap();
    assert_eq!(project.run(&["list"]).code, 3);
    project.ok(&["storage", "restore", &file]);
    assert_eq!(shared(&folder), before);
    assert_eq!(asides(&project), Vec::<String>::new());
    project.ok(&["doctor"]);
    assert_eq!(project.ok(&["task", "log", "1.1"]), log);
    assert!(project.ok(&["condition", "list"]).contains("approved"));
    project.ok(&["task", "done", "1.1"]);
    assert!(fs::read_to_string(project.document(1)).unwrap().contains("# what is to be done"));
}

#[test]
fn what_was_there_is_kept_and_what_was_given_is_not_given_again() {
    let project = project();
    let claim =
        |actor: &str| project.json(&["task", "claim", "1.1", "--actor", actor])["data"].clone();
    let first = claim("bo");
    let file = backup(&project, "b.tar");
    project.ok(&["task", "release", "1.1", "--fence", "1"]);
    assert_eq!(claim("cy")["fence"], 2);
    project.ok(&["task", "add", "1", "Later"]);
    project.ok(&["plan", "Later"]);
    let newer = shared(&project.project().join(".milestones"));
    refused(&project.run(&["storage", "restore", &file]), 2, "nobody was asked");
    assert_eq!(shared(&project.project().join(".milestones")), newer);
    let said = project.json(&["storage", "restore", &file, "--yes"]);
    let before = said["data"]["before"].as_str().unwrap().to_owned();
    assert_eq!(shared(Path::new(&before)), newer);
    // Both old holders are refused, before and after somebody else takes the task.
    let stale = |fence: &str| {
        refused(&project.run(&["task", "done", "1.1", "--fence", fence]), 4, "is stale");
    };
    ["1", "2"].into_iter().for_each(stale);
    let third = claim("dee");
    assert!(third["fence"].as_u64() > Some(2), "{third}");
    ["1", "2"].into_iter().for_each(stale);
    let attempt = first["attempt"].as_str().unwrap();
    let held = ["task", "renew", "1.1", "--fence", "1", "--attempt", attempt];
    assert_eq!(project.run(&held).code, 4);
    assert_eq!(project.ok(&["task", "add", "1", "Again"]), "task-001-004\n");
    assert_eq!(project.ok(&["plan", "Again"]), "milestone-003\n");
    project.ok(&["doctor"]);
    // Once more, from the same file: what was known before is still known.
    project.ok(&["storage", "restore", &file, "--yes"]);
    assert!(claim("eve")["fence"].as_u64() > third["fence"].as_u64());
    assert_eq!(project.ok(&["plan", "Once more"]), "milestone-004\n");
    assert_eq!(asides(&project).len(), 2);
}

#[test]
fn equal_projects_make_equal_backups_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let project = project();
    let (one, two) = (backup(&project, "one.tar"), backup(&project, "two.tar"));
    let without_time = |file: &str| {
        let text = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
        let lines =
            text.lines().filter(|line| !line.contains("made_at") && !line.contains("ustar"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(without_time(&one), without_time(&two));
    assert_eq!(fs::metadata(&one).unwrap().permissions().mode() & 0o777, 0o600);
    refused(&project.run(&["storage", "backup", "--out", &one]), 2, "is there already");
    project.ok(&["storage", "backup"]);
    project.ok(&["storage", "backup"]);
    let kept = fs::read_dir(project.project().join(".milestones/data/backups")).unwrap();
    assert_eq!(kept.count(), 2, "two of one second have different names");
    let status = project.json(&["storage", "status"]);
    assert!(status["data"]["last_backup"]["file"].is_string(), "{status}");
    // They are there after an older state was put back, too.
    project.ok(&["storage", "restore", &one, "--yes"]);
    assert_eq!(
        project.json(&["storage", "status"])["data"]["last_backup"],
        status["data"]["last_backup"]
    );
}

#[test]
fn a_damaged_backup_changes_nothing() {
    let project = project();
    let file = backup(&project, "b.tar");
    let whole = fs::read(&file).unwrap();
    let before = shared(&project.project().join(".milestones"));
    let title = whole.windows(5).rposition(|part| part == b"First").unwrap();
    let mut changed = whole.clone();
    changed[title] = b'W';
    let cut = whole[..whole.len() / 2].to_vec();
    let bad = [changed, cut, Vec::new(), b"not a tar".to_vec(), vec![b'x'; 2000]];
    for (number, bytes) in bad.iter().enumerate() {
        fs::write(&file, bytes).unwrap();
        for verb in [&["verify"][..], &["restore"]] {
            let ran = project.run(&[&["storage"], verb, &[file.as_str()]].concat());
            refused(&ran, 7, "is not a backup that can be put back");
            let yes = project.run(&["storage", "restore", &file, "--yes"]);
            refused(&yes, 7, "nothing was changed");
        }
        assert_eq!(shared(&project.project().join(".milestones")), before, "{number}");
    }
    assert_eq!(asides(&project), Vec::<String>::new());
}

/// A tar that says of itself whatever it likes.
fn forged(file: &Path, path: &str, kind: tar::EntryType, manifest: Option<&str>) {
    let text = b"owned";
    let print = blake3::hash(text).to_hex();
    let named = manifest.unwrap_or(path);
    let manifest = serde_json::json!({
        "format": "milestone backup", "version": 1, "program": "0", "made_at": "2026-01-01T00:00:00Z",
        "files": [{"path": named, "size": text.len(), "blake3": print.as_str()}],
    });
    let mut tar = tar::Builder::new(fs::File::create(file).unwrap());
    let mut put = |path: &str, kind, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_entry_type(kind);
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.append(&header, data).unwrap();
    };
    put("manifest.json", tar::EntryType::Regular, manifest.to_string().as_bytes());
    put(path, kind, text);
    tar.into_inner().unwrap();
}

#[test]
fn nothing_leads_out_of_the_project() {
    let project = project();
    let file = project.home().join("forged.tar");
    let regular = tar::EntryType::Regular;
    let outside = project.home().join("outside").display().to_string();
    let cases = [
        ("../outside", regular, None),
        ("active/../../outside", regular, None),
        (outside.as_str(), regular, None),
        ("data/lock", regular, None),
        ("data/claims/task-001-001.json", regular, None),
        ("active/milestone-001.yaml", tar::EntryType::Symlink, None),
        ("active/milestone-001.yaml", tar::EntryType::Link, None),
        ("active/milestone-001.yaml", tar::EntryType::Fifo, None),
        ("active/milestone-002.yaml", regular, Some("active/milestone-001.yaml")),
    ];
    for (path, kind, manifest) in cases {
        forged(&file, path, kind, manifest);
        let ran = project.run(&["storage", "restore", file.to_str().unwrap(), "--yes"]);
        refused(&ran, 7, "is not a backup that can be put back");
    }
    assert!(!Path::new(&outside).exists());
    assert!(!project.project().join("outside").exists());
    assert_eq!(asides(&project), Vec::<String>::new());
    forged(&file, "active/milestone-001.yaml", regular, None);
    project.ok(&["storage", "verify", file.to_str().unwrap()]);
}

#[test]
fn killed_at_any_moment_it_is_the_one_or_the_other() {
    let project = project();
    let one = backup(&project, "one.tar");
    project.ok(&["update", "1", "--title", "Second"]);
    let two = backup(&project, "two.tar");
    let mut seen = BTreeMap::new();
    for round in 0..40_u64 {
        let file = if round % 2 == 0 { &one } else { &two };
        let mut child = project.command(&["storage", "restore", file, "--yes"]).spawn().unwrap();
        sleep(Duration::from_micros(round * round * 40 % 47_000));
        child.kill().unwrap();
        child.wait().unwrap();
        let view = project.json(&["show", "1"]);
        let title = view["data"]["title"].as_str().unwrap_or_default().to_owned();
        assert!(["First", "Second"].contains(&title.as_str()), "round {round}: {view}");
        *seen.entry(title).or_insert(0) += 1;
        project.ok(&["task", "note", "1.1", "still here"]);
    }
    project.ok(&["doctor"]);
    project.ok(&["storage", "restore", &one, "--yes"]);
    assert!(project.ok(&["show", "1"]).contains("First"));
    let unpacked = |name: &String| project.project().join(name).join("data/unpacked").exists();
    assert!(!asides(&project).iter().any(unpacked), "{:?} {seen:?}", asides(&project));
}

#[test]
fn between_the_two_steps_nobody_makes_a_new_project() {
    let project = project();
    let file = backup(&project, "b.tar");
    let place = |name: &str| project.project().join(name);
    let aside = ".milestones.before-restore-20260101-000000";
    fs::rename(place(".milestones"), place(aside)).unwrap();
    fs::create_dir(place(".milestones.restoring")).unwrap();
    for args in [&["list"][..], &["init"], &["plan", "New"], &["task", "done", "1.1"]] {
        refused(&project.run(args), 3, aside);
    }
    assert!(!place(".milestones").exists());
    project.ok(&["storage", "restore", &file, "--yes"]);
    assert!(project.ok(&["list"]).contains("First"));
    assert!(!place(".milestones.restoring").exists());
    assert_eq!(asides(&project).len(), 1, "what was there is kept");
}

#[test]
fn how_it_is_kept() {
    let project = project();
    let text = project.ok(&["storage", "status"]);
    let text = text.replace(&project.project().display().to_string(), "PROJECT");
    // Sizes move with ids and times; what is said about them does not.
    let steady = |line: &str| match line.rsplit_once("  ") {
        Some((line, _)) if line.contains(" KB") || line.contains(" B") => {
            line.trim_end().rsplit_once("  ").map_or(line, |(line, _)| line).trim_end().to_owned()
        }
        _ => line.to_owned(),
    };
    insta::assert_snapshot!(text.lines().map(steady).collect::<Vec<_>>().join("\n"));
    let status = project.json(&["storage", "status"]);
    assert_eq!(status["data"]["open_milestones"]["of"], 50);
    assert_eq!(status["data"]["journal"], "applied");
    assert_eq!(status["data"]["held_by"], serde_json::Value::Null);
}

/// A database that cannot be read hides nothing for good: what stands beside it is all there is.
#[test]
fn a_database_that_cannot_be_read_is_put_aside_and_the_files_go_on() {
    let damage: [fn(&std::path::Path); 2] = [
        |file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[4096..].fill(0xa5);
            fs::write(file, bytes).unwrap();
        },
        |file| fs::remove_file(file).unwrap(),
    ];
    for damage in damage {
        let project = Environment::new();
        project.ok(&["plan", "Login", "--task", "Design", "--task", "Build"]);
        project.ok(&["storage", "migrate", "sqlite"]);
        project.ok(&["task", "done", "1.1"]);
        let data = project.project().join(".milestones/data");
        let names = fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().path());
        for file in names.filter(|path| path.to_string_lossy().contains(".db")).collect::<Vec<_>>()
        {
            if file.extension().is_some_and(|end| end == "db") {
                damage(&file);
            } else {
                fs::remove_file(file).unwrap();
            }
        }
        assert_ne!(project.run(&["list"]).code, 0);
        let named = project.run(&["doctor"]);
        assert_eq!(named.code, 1, "{named:?}");
        assert!(named.stdout.contains("milestone doctor --fix"), "{named:?}");
        let mended = project.ok(&["doctor", "--fix"]);
        assert!(mended.contains("in its files now"), "{mended}");
        let tasks = project.json(&["show", "1"])["data"]["tasks"].clone();
        assert_eq!(tasks[0]["status"], "completed", "{tasks}");
        project.ok(&["task", "done", "1.2"]);
        project.ok(&["storage", "migrate", "sqlite"]);
        project.ok(&["doctor"]);
    }
}
