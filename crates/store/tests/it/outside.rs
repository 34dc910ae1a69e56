//! Nothing outside the project is read or written (S6), hostile text is only text (S3), hostile
//! YAML hides one milestone (P16), and where nothing can be written, nothing is (P20).

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command as Program;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use milestone_domain::change::FieldChange;
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::Task;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::ProblemKind;
use milestone_domain::status::TaskStatus;
use milestone_store::config::{Config, Layers};
use milestone_store::{Error, EventFilter, Project, StoreError};

use crate::support::{Chance, all, change_task, count, draft, of, open, place, project, seed};

const M1: MilestoneId = MilestoneId(1);
const M2: MilestoneId = MilestoneId(2);
const SECRET: &str = "root:x:0:0:do not show";

/// A project with two milestones and, beside it, a folder that is none of its business.
fn two(temp: &Path) -> (Project, std::path::PathBuf, std::path::PathBuf) {
    let (root, outside) = (temp.join(".milestones"), temp.join("outside"));
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("secret"), SECRET).unwrap();
    let project = project(&root);
    project.execute(&draft("One", &["Design", "Build"]), "ada").unwrap();
    project.execute(&draft("Two", &["Write"]), "ada").unwrap();
    (project, root, outside)
}

/// Every file below a folder, with its bytes.
fn everything(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(everything(&path));
        } else {
            files.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    files.sort();
    files
}

#[test]
fn whatever_stands_in_place_of_a_document_hides_only_that_milestone() {
    type Place = fn(&Path, &Path);
    let instead: [(&str, Place); 5] = [
        ("a link to a file", |file, outside| symlink(outside.join("secret"), file).unwrap()),
        ("a link to nothing", |file, outside| symlink(outside.join("none"), file).unwrap()),
        ("a link to a document", |file, outside| {
            fs::write(outside.join("d.yaml"), "id: milestone-001\ntitle: Stolen\n").unwrap();
            symlink(outside.join("d.yaml"), file).unwrap();
        }),
        ("a folder", |file, _| fs::create_dir(file).unwrap()),
        ("a pipe", |file, _| {
            assert!(Program::new("mkfifo").arg(file).status().unwrap().success());
        }),
    ];
    for (what, place) in instead {
        let temp = tempfile::tempdir().unwrap();
        let (project, root, outside) = two(temp.path());
        let file = root.join("active/milestone-001.yaml");
        fs::remove_file(&file).unwrap();
        place(&file, &outside);
        let before = everything(&outside);
        let snapshot = all(&project);
        let problems = of(&snapshot.problems, M1);
        assert!(problems.iter().any(|p| p.kind == ProblemKind::Unreadable), "{what}: {problems:?}");
        assert!(!format!("{snapshot:?}").contains("do not show"), "{what}");
        assert_eq!(snapshot.documents[&M1].title, "One", "{what}: the last accepted state");
        assert_eq!(snapshot.documents[&M2].title, "Two", "{what}");
        project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada").unwrap_err();
        project.execute(&change_task(M2, 1, TaskStatus::Completed), "ada").unwrap();
        let _ = project.check("ada").unwrap();
        assert_eq!(everything(&outside), before, "{what}");
    }
}

#[test]
fn a_folder_that_is_a_link_is_refused_and_nothing_is_written_through_it() {
    for folder in
        ["active", "data", "history", "history/milestone-001", "data/claims", "data/recent"]
    {
        let temp = tempfile::tempdir().unwrap();
        let (project, root, outside) = two(temp.path());
        project.execute(&change_task(M1, 1, TaskStatus::InProgress), "ada").unwrap();
        let _ = fs::create_dir(root.join(folder));
        let moved = outside.join("moved");
        fs::rename(root.join(folder), &moved).unwrap();
        symlink(&moved, root.join(folder)).unwrap();
        let before = everything(&outside);
        let project = match Project::at(place(&root)) {
            Ok(project) => project,
            // Nobody says where the project is, so it is not opened at all.
            Err(error) => {
                assert!(matches!(error, StoreError::Outside { .. }), "{folder}: {error:?}");
                assert_eq!((folder, everything(&outside)), ("data", before));
                continue;
            }
        };
        let read = project.read(&milestone_domain::snapshot::Scope::All, "ada");
        let write = project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada");
        if let Ok(snapshot) = read {
            // One milestone's folder, or only memory: the rest goes on.
            assert!(folder.contains('/'), "{folder}");
            assert_eq!(snapshot.documents[&M2].title, "Two", "{folder}");
        }
        assert!(write.is_err() || folder.starts_with("data/"), "{folder}: {write:?}");
        assert_eq!(everything(&outside), before, "{folder}");
    }
}

#[test]
fn links_swapped_in_during_a_command_lead_nowhere() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, outside) = two(temp.path());
    fs::create_dir(outside.join("active")).unwrap();
    fs::write(outside.join("active/milestone-001.yaml"), "id: milestone-001\ntitle: Stolen\n")
        .unwrap();
    let before = everything(&outside);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (active, aside) = (root.join("active"), root.join("aside"));
            while !stop.load(Ordering::Relaxed) {
                fs::rename(&active, &aside).unwrap();
                symlink(outside.join("active"), &active).unwrap();
                std::thread::yield_now();
                fs::remove_file(&active).unwrap();
                fs::rename(&aside, &active).unwrap();
                std::thread::sleep(Duration::from_micros(300));
            }
        });
        for n in 0..count(60, 2_000) {
            let to = if n % 2 == 0 { TaskStatus::Completed } else { TaskStatus::Pending };
            if let Ok(outcome) = project.execute(&change_task(M1, 1, to), "ada") {
                assert_ne!(outcome.snapshot.documents[&M1].title, "Stolen");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(everything(&outside), before);
    let snapshot = all(&project);
    assert_eq!(snapshot.documents[&M1].title, "One");
}

/// A copy made of hard links (`cp -al`) must not change when the project does.
#[test]
fn a_backup_of_hard_links_stays_what_it_was() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, outside) = two(temp.path());
    let copied = Program::new("cp").arg("-al").arg(&root).arg(outside.join("backup")).status();
    assert!(copied.unwrap().success());
    let before = everything(&outside);
    project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada").unwrap();
    project.execute(&change_task(M2, 1, TaskStatus::Completed), "ada").unwrap();
    assert_eq!(everything(&outside), before);
    assert_eq!(all(&project).problems, []);
}

#[test]
fn hostile_text_survives_exactly() {
    let hostile = [
        "\u{1b}[31mred\u{1b}[0m \u{7} bell",
        "<script>alert('x')</script> & \"quotes\" 'single'",
        "\u{202e}gnp.exe\u{2066}bidi\u{2069}",
        "- not: a list # nor a comment",
        "yes",
        "no",
        "012",
        "1e3",
        "null",
        "~",
        "[1, 2]",
        "{a: b}",
        "@at",
        "`tick`",
        "%TAG",
        "!!str x",
        "tab\there",
        "nbsp\u{a0}\u{2028}separator",
        "ends with colon:",
        " leading",
        "trailing ",
    ];
    for text in hostile {
        let temp = tempfile::tempdir().unwrap();
        let project = project(temp.path());
        let made = project.execute(&draft(text, &[text]), "ada");
        let controls = text.chars().any(|c| c.is_control() && c != '\t');
        let made = match made {
            Ok(made) => made,
            Err(error) => {
                assert!(controls, "{text:?}: {error}");
                continue;
            }
        };
        assert_eq!(made.snapshot.documents[&M1].title, text);
        let note = Command::Note {
            task: TaskId::new(M1, 1),
            text: format!("{text}\nsecond line"),
            credential: Credential::default(),
        };
        project.execute(&note, "ada").unwrap();
        let change = FieldChange {
            path: "description".parse().unwrap(),
            before: None,
            after: Some(format!("{text}\n\nmore\n").into()),
        };
        project.execute(&Command::Amend { milestone: M1, changes: vec![change] }, "ada").unwrap();
        // From the history alone as well.
        for folder in ["data", "active"] {
            fs::remove_dir_all(temp.path().join(folder)).unwrap();
            let snapshot = all(&project);
            let milestone = &snapshot.documents[&M1];
            assert_eq!(milestone.title, text, "without {folder}");
            assert_eq!(milestone.tasks[0].title, text, "without {folder}");
            assert_eq!(milestone.description.as_deref(), Some(&*format!("{text}\n\nmore\n")));
        }
    }
}

/// Texts that are no document, and what they have in them that must not be shown.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let mut aliases = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (n, before) in ('b'..='k').zip('a'..) {
        aliases += &format!("{n}: &{n} [{}]\n", vec![format!("*{before}"); 10].join(","));
    }
    vec![
        ("a bomb of aliases", aliases.into_bytes()),
        ("depth in flow", "[".repeat(100_000).into_bytes()),
        (
            "depth in blocks",
            (0..2_000).flat_map(|n| format!("{}a:\n", " ".repeat(n)).into_bytes()).collect(),
        ),
        ("duplicate keys", b"id: milestone-001\ntitle: a\ntitle: b\n".to_vec()),
        ("a tag", b"id: milestone-001\ntitle: !!python/object:os.system x\n".to_vec()),
        ("NUL", b"id: milestone-001\ntitle: a\0b\n".to_vec()),
        ("bad UTF-8", b"id: milestone-001\ntitle: \xff\xfe\n".to_vec()),
        ("zeros", vec![0; 4096]),
        ("nothing", Vec::new()),
        ("a list", b"- a\n- b\n".to_vec()),
        ("one word", b"hello".to_vec()),
        ("two documents", b"id: milestone-001\ntitle: a\n---\nid: milestone-001\n".to_vec()),
        ("another id", b"id: milestone-009\ntitle: a\n".to_vec()),
        ("tabs", b"id: milestone-001\n\ttitle: a\n".to_vec()),
        ("a merge key", b"x: &x {title: a}\nid: milestone-001\n<<: *x\n".to_vec()),
        ("many keys", (0..200_000).flat_map(|n| format!("k{n}: 1\n").into_bytes()).collect()),
        ("100 MB", {
            let mut big = b"id: milestone-001\ntitle: a\ndescription: ".to_vec();
            big.resize(100 << 20, b'x');
            big
        }),
    ]
}

#[test]
fn hostile_documents_hide_themselves_and_nothing_else() {
    for (what, bytes) in bombs() {
        let temp = tempfile::tempdir().unwrap();
        let (project, root, _) = two(temp.path());
        let file = root.join("active/milestone-001.yaml");
        fs::write(&file, &bytes).unwrap();
        std::thread::sleep(Duration::from_millis(1_050));
        let started = Instant::now();
        let snapshot = all(&project);
        println!("{what}: {:?}", started.elapsed());
        let problems = of(&snapshot.problems, M1);
        let named = problems.iter().find(|p| p.kind == ProblemKind::Unreadable);
        let Some(named) = named else { panic!("{what}: {problems:?}") };
        assert_eq!(named.file, "active/milestone-001.yaml", "{what}");
        let whole = what == "100 MB" || what == "another id";
        assert!(whole || named.line.is_some() && named.column.is_some(), "{what}: {named:?}");
        assert!(named.message.len() < 1_000, "{what}: {} bytes", named.message.len());
        assert_eq!(snapshot.documents[&M1].title, "One", "{what}");
        assert_eq!(snapshot.documents[&M2].title, "Two", "{what}");
        project.execute(&change_task(M2, 1, TaskStatus::Completed), "ada").unwrap();
        assert!(project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada").is_err());
        assert_eq!(fs::metadata(&file).unwrap().len(), bytes.len() as u64, "{what}: untouched");
        // The same as a configuration is an error or a warning, and never a crash.
        fs::create_dir_all(root.join("config")).unwrap();
        fs::write(root.join("config/milestone-config.yaml"), &bytes).unwrap();
        let layers = Layers { project: Some(root.clone()), ..Layers::default() };
        let _ = Config::load(&layers).map(|config| config.settings());
    }
}

/// A document that reads as one and cannot be written to faithfully: what was edited in it does not
/// count, and is named; everything else goes on.
#[test]
fn a_text_that_cannot_be_written_to_hides_no_other_milestone() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, _) = two(temp.path());
    let file = root.join("active/milestone-001.yaml");
    let text = fs::read_to_string(&file).unwrap();
    // An anchor on a key is YAML, and no edit keeps it.
    let odd = text.replacen("    status: pending", "    &a status: completed", 1);
    fs::write(&file, &odd).unwrap();
    let old = fs::File::options().write(true).open(&file).unwrap();
    old.set_modified(std::time::SystemTime::now() - Duration::from_mins(1)).unwrap();
    assert_ne!(odd, text);
    for _ in 0..2 {
        let snapshot = all(&project);
        assert_eq!(snapshot.documents[&M2].title, "Two");
        assert!(!of(&snapshot.problems, M1).is_empty());
    }
    project.execute(&change_task(M2, 1, TaskStatus::Completed), "ada").unwrap();
    assert!(project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada").is_err());
    assert_eq!(fs::read_to_string(&file).unwrap(), odd, "untouched");
}

/// Any bytes at all: a document and a piece of it, changed at random.
#[test]
fn random_bytes_are_never_a_crash() {
    let seed = seed("random_bytes_are_never_a_crash");
    let temp = tempfile::tempdir().unwrap();
    let (project, root, _) = two(temp.path());
    let file = root.join("active/milestone-001.yaml");
    let good = fs::read(&file).unwrap();
    let pieces: [&[u8]; 12] = [
        b"&a ",
        b"*a",
        b"!!int ",
        b"? ",
        b"|+\n",
        b"{",
        b"[",
        b"\t",
        b"\xef\xbb\xbf",
        b"---\n",
        b"'",
        b"\"",
    ];
    for round in 0..count(300, 10_000) {
        let mut chance = Chance::new(seed, round as u64);
        let mut bytes = good.clone();
        for _ in 0..chance.within(1, 6) {
            let at = chance.within(0, bytes.len());
            match chance.within(0, 4) {
                0 => bytes[at] = u8::try_from(chance.within(0, 256)).unwrap(),
                1 => bytes.truncate(at.max(1)),
                2 => {
                    let piece = pieces[chance.within(0, pieces.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
                _ => {
                    let piece = bytes[at..].to_vec();
                    let to = chance.within(0, bytes.len());
                    bytes.splice(to..to, piece);
                }
            }
        }
        // Written long ago, so that nothing is waited for.
        fs::write(&file, &bytes).unwrap();
        let old = fs::File::options().write(true).open(&file).unwrap();
        old.set_modified(std::time::SystemTime::now() - Duration::from_mins(1)).unwrap();
        let snapshot = all(&project);
        assert_eq!(snapshot.documents[&M2].title, "Two", "round {round}");
        // A text with another uid is another document; it counts, or it is said why not.
        let named = !of(&snapshot.problems, M1).is_empty();
        assert!(snapshot.documents.contains_key(&M1) || named, "round {round}");
    }
}

#[test]
fn what_only_this_clone_knows_is_closed_to_others() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    let project = project(&root);
    project.execute(&draft("One", &["Design"]), "ada").unwrap();
    let mode = fs::metadata(root.join("data")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{mode:o}");
}

#[test]
fn an_error_shows_its_place_and_not_the_document() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, _) = two(temp.path());
    let text = format!("id: milestone-001\ntitle: [a\ntoken: {}\n", "s3cret-".repeat(200));
    fs::write(root.join("active/milestone-001.yaml"), text).unwrap();
    let snapshot = all(&project);
    let problem = &snapshot.problems[0];
    assert!(problem.message.matches("s3cret-").count() < 20, "{}", problem.message);
}

/// Runs only as root, who can mount; elsewhere it says so.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(place: &Path, arguments: &[&str]) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let done = Program::new("mount").args(arguments).arg(place).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self(place.to_owned()));
        }
        println!("skipped: nothing can be mounted here");
        None
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Program::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_read_only_project_is_read_and_refuses_writes_in_one_line() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, _) = two(temp.path());
    project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada").unwrap();
    let file = root.join("active/milestone-001.yaml");
    let edited = fs::read_to_string(&file).unwrap().replace("title: One", "title: By hand");
    fs::write(&file, edited).unwrap();
    let before = everything(&root);
    let place = temp.path().join("mounted");
    let source = root.display().to_string();
    let Some(mount) = Mount::new(&place, &["-o", "bind,ro", &source]) else { return };
    let project = open(&place);
    let snapshot = all(&project);
    assert_eq!(snapshot.documents[&M1].title, "By hand", "what people changed is shown");
    let error = project.execute(&change_task(M2, 1, TaskStatus::Completed), "ada").unwrap_err();
    assert!(matches!(error, Error::Store(StoreError::Io { .. })), "{error:?}");
    assert_eq!(error.to_string().lines().count(), 1, "{error}");
    drop(mount);
    assert_eq!(everything(&root), before, "nothing was written");
}

#[test]
fn what_a_crash_left_unfinished_is_read_from_a_read_only_project() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, _) = two(temp.path());
    let before = everything(&root);
    project.execute(&change_task(M1, 1, TaskStatus::Completed), "ada").unwrap();
    // As a crash right after the commit leaves it: only the journal knows of the change.
    for (place, bytes) in before.iter().filter(|(place, _)| !place.ends_with("data/journal")) {
        fs::write(place, bytes).unwrap();
    }
    let crashed = everything(&root);
    let place = temp.path().join("mounted");
    let source = root.display().to_string();
    let Some(mount) = Mount::new(&place, &["-o", "bind,ro", &source]) else { return };
    let snapshot = all(&open(&place));
    assert_eq!(snapshot.documents[&M1].tasks[0].status, TaskStatus::Completed);
    assert_eq!(snapshot.problems, []);
    drop(mount);
    assert_eq!(everything(&root), crashed, "nothing was written");
}

#[test]
fn a_full_disk_changes_nothing_and_says_so() {
    let temp = tempfile::tempdir().unwrap();
    let place = temp.path().join("small");
    let Some(_mount) = Mount::new(&place, &["-t", "tmpfs", "-o", "size=256k", "tmpfs"]) else {
        return;
    };
    let root = place.join(".milestones");
    let project = project(&root);
    project.execute(&draft("One", &["Design"]), "ada").unwrap();
    let mut acknowledged = 0;
    let mut failed = 0;
    for n in 0..200 {
        let draft = Box::new(Task::new(0, &format!("Task {n} {}", "x".repeat(300))));
        match project.execute(&Command::AddTask { milestone: M1, draft }, "ada") {
            Ok(_) => acknowledged += 1,
            Err(Error::Store(error @ (StoreError::Io { .. } | StoreError::OutcomeUnknown(_)))) => {
                assert_eq!(error.to_string().lines().count(), 1);
                failed += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    println!("{acknowledged} acknowledged, {failed} refused");
    assert!(failed > 0);
    // What is there can be read, and all of what was acknowledged is there.
    let snapshot = all(&open(&root));
    assert_eq!(snapshot.documents[&M1].tasks.len(), 1 + acknowledged);
    let events = project.events(None, &EventFilter::default(), 1_000).unwrap();
    assert_eq!(events.events.len(), 1 + acknowledged);
}

#[test]
fn a_folder_that_may_not_be_written_is_refused_before_anything_changes() {
    let temp = tempfile::tempdir().unwrap();
    let (project, root, _) = two(temp.path());
    if Program::new("chattr")
        .args(["+i"])
        .arg(root.join("active"))
        .output()
        .is_ok_and(|o| o.status.success())
    {
        let before = everything(&root.join("active"));
        let result = project.execute(&change_task(M2, 1, TaskStatus::Completed), "ada");
        let read = all(&project);
        Program::new("chattr").args(["-i"]).arg(root.join("active")).status().unwrap();
        assert_eq!(everything(&root.join("active")), before);
        // Either nothing happened, or what happened is finished by whoever comes next.
        let done = all(&project).documents[&M2].tasks[0].status == TaskStatus::Completed;
        assert_eq!(result.is_ok(), done, "{result:?}");
        assert_eq!(read.documents[&M1].title, "One");
    }
    fs::set_permissions(root.join("active"), Permissions::from_mode(0o755)).unwrap();
}
