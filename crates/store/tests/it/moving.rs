//! Moving between stores: everything goes along, whoever has it open follows, and what is left
//! says where the project has gone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use milestone_domain::command::{Command, Credential};
use milestone_domain::event::{AttemptId, ChangeId, Recorded};
use milestone_domain::ids::{MilestoneId, TaskId, Uid};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::Snapshot;
use milestone_domain::status::TaskStatus;
use milestone_store::backups;
use milestone_store::discover::Root;
use milestone_store::files::make;
use milestone_store::moving::move_to;
use milestone_store::place::{DatabaseUrl, Place};
use milestone_store::pointer::StoreKind::{self, Files, Postgres, Sqlite};
use milestone_store::{Error, EventFilter, Project, StoreError};
use uuid::Uuid;

use crate::support::{all, change_task, draft};

const M1: MilestoneId = MilestoneId(1);

/// A place that knows the server; its settings are read anew each time, as each command does.
fn place(root: &Path) -> Place {
    let url = std::env::var("MILESTONE_TEST_DATABASE_URL");
    let url =
        url.unwrap_or_else(|_| panic!("no server: `scripts/with-postgres cargo nextest run`"));
    Place { postgres: Some(DatabaseUrl(url)), shared: shared(root), ..crate::support::place(root) }
}

fn shared(root: &Path) -> Option<Uid> {
    let text = fs::read_to_string(root.join("config/milestone-config.yaml")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("project: "))?;
    Uuid::try_parse(line).ok().map(Uid)
}

fn open(root: &Path) -> Project {
    Project::at(place(root)).unwrap()
}

fn go(root: &Path, to: StoreKind) {
    let moved = move_to(&place(root), to, &|_, _, _| ()).unwrap().unwrap();
    assert_eq!(moved.to, to);
    assert!(moved.backup.exists());
    assert_eq!(place(root).kind().unwrap(), to);
}

/// A project with comments, an archived milestone, conditions, and a claim.
fn furnished(root: &Path) -> Credential {
    fs::create_dir_all(root.parent().unwrap()).unwrap();
    make(root, false).unwrap();
    let project = open(root);
    let run = |command: &Command| project.execute(command, "ada").unwrap();
    run(&draft("Login", &["Design", "Build", "Test"]));
    run(&draft("Old", &["Done"]));
    run(&change_task(MilestoneId(2), 1, TaskStatus::Completed));
    run(&Command::Archive { milestone: MilestoneId(2), closing: Box::default() });
    run(&Command::SetCondition { name: "schema".into(), reason: None });
    let file = root.join("active/milestone-001.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("title:", "# what people call it\ntitle:", 1)).unwrap();
    let _ = all(&project);
    let attempt = AttemptId(Uuid::now_v7());
    let claim = Command::Claim { task: TaskId::new(M1, 1), attempt, lease_seconds: 600 };
    run(&claim);
    Credential { fence: Some(1), attempt: Some(attempt) }
}

/// All that must be the same everywhere.
fn contents(root: &Path) -> impl PartialEq + std::fmt::Debug + use<> {
    let project = open(root);
    let Snapshot { documents, claims, conditions, archived, .. } = all(&project);
    let claims: Vec<_> = claims.into_values().map(|claim| (claim.task, claim.fence)).collect();
    let trees: BTreeMap<_, _> = documents.iter().map(|(id, m)| (*id, m.tree())).collect();
    let texts: Vec<_> = documents.keys().map(|id| project.text(*id).unwrap()).collect();
    let mut events = events(&project);
    events.sort_by_key(|recorded| recorded.id);
    (trees, texts, claims, conditions, archived, events)
}

fn events(project: &Project) -> Vec<Recorded> {
    project.events(None, &EventFilter::default(), usize::MAX).unwrap().events
}

#[test]
fn everything_goes_along_in_all_six_directions() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    let credential = furnished(&root);
    let before = contents(&root);
    for to in [Sqlite, Postgres, Files, Postgres, Sqlite, Files] {
        go(&root, to);
        assert_eq!(contents(&root), before, "{to:?}");
        assert_eq!(open(&root).check("ada").unwrap(), [], "{to:?}");
    }
    let text = fs::read_to_string(root.join("active/milestone-001.yaml")).unwrap();
    assert!(text.contains("# what people call it"), "{text}");
    // The claim is still its holder's, and nobody else's.
    let task = TaskId::new(M1, 1);
    let done = |credential| Command::ChangeTask {
        task,
        to: TaskStatus::Completed,
        reason: None,
        credential,
    };
    let project = open(&root);
    let stale = Credential { fence: Some(0), ..credential };
    let answer = project.execute(&done(stale), "ben");
    assert!(matches!(answer, Err(Error::Refused(Refusal::StaleFence { .. }))), "{answer:?}");
    project.execute(&done(credential), "ada").unwrap();
}

#[test]
fn a_change_in_each_store_goes_along_to_the_next() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    furnished(&root);
    for (number, to) in (4..).zip([Postgres, Sqlite, Files, Sqlite, Postgres, Files]) {
        go(&root, to);
        let task = milestone_domain::document::Task::new(0, &format!("In {}", to.word()));
        let command = Command::AddTask { milestone: M1, draft: Box::new(task) };
        open(&root).execute(&command, "ada").unwrap();
        assert!(all(&open(&root)).documents[&M1].task(number).is_some());
    }
    let text = fs::read_to_string(root.join("active/milestone-001.yaml")).unwrap();
    let added = ["# what people call it", "In files", "In sqlite", "In postgres"];
    assert!(added.iter().all(|words| text.contains(words)), "{text}");
}

#[test]
fn whoever_has_it_open_follows() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    furnished(&root);
    let long = open(&root);
    for (number, to) in (1..).zip([Sqlite, Postgres, Sqlite, Files]) {
        go(&root, to);
        assert_eq!(all(&long).documents.len(), 2, "{to:?}");
        let name = format!("c{number}");
        long.execute(&Command::SetCondition { name, reason: None }, "long").unwrap();
        assert_eq!(all(&open(&root)).conditions.0.len(), 1 + number, "{to:?}");
    }
}

/// A furnished project in this store.
fn furnished_in(store: StoreKind) -> (tempfile::TempDir, std::path::PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    furnished(&root);
    if store != Files {
        go(&root, store);
    }
    (temp, root)
}

#[test]
fn a_move_that_cannot_be_made_changes_nothing() {
    for from in [Files, Sqlite] {
        let (_temp, root) = furnished_in(from);
        let before = contents(&root);
        let nowhere = DatabaseUrl("postgres://nobody:secret@127.0.0.1:1/none".into());
        let lost = Place { postgres: Some(nowhere), ..place(&root) };
        let error = move_to(&lost, Postgres, &|_, _, _| ()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        assert_eq!(place(&root).kind().unwrap(), from);
        assert_eq!(contents(&root), before);
        open(&root).execute(&change_task(M1, 3, TaskStatus::Completed), "ada").unwrap();
    }
}

/// A furnished project and its clone, which is without what only the first one knows, as from git.
fn cloned(folder: &std::path::Path) -> (std::path::PathBuf, std::path::PathBuf) {
    let (one, two) = (folder.join("one/.milestones"), folder.join("two/.milestones"));
    furnished(&one);
    fs::create_dir_all(two.parent().unwrap()).unwrap();
    let copied = std::process::Command::new("cp").arg("-a").arg(&one).arg(&two).status().unwrap();
    assert!(copied.success());
    fs::remove_dir_all(two.join("data")).unwrap();
    (one, two)
}

fn pull_config(from: &std::path::Path, to: &std::path::Path) {
    let config = "config/milestone-config.yaml";
    fs::copy(from.join(config), to.join(config)).unwrap();
}

/// A clone that others left behind joins with what it has, and cannot write without a URL.
#[test]
fn a_clone_joins_with_what_it_has() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = cloned(temp.path());
    let task = milestone_domain::document::Task::new(0, "From the second");
    let command = Command::AddTask { milestone: M1, draft: Box::new(task) };
    open(&two).execute(&command, "ben").unwrap();
    go(&two, Sqlite);
    go(&one, Postgres);
    open(&one).execute(&change_task(M1, 3, TaskStatus::Completed), "ada").unwrap();
    pull_config(&one, &two);
    let alone = Place { postgres: None, ..place(&two) };
    let project = Project::at(alone).unwrap();
    assert_eq!(all(&project).documents.len(), 2, "it can be read as it last stood here");
    let refused = project.execute(&change_task(M1, 2, TaskStatus::Completed), "ben");
    assert!(matches!(refused, Err(Error::Store(StoreError::NoUrl))), "{refused:?}");
    let here = all(&open(&two)).documents.remove(&M1).unwrap();
    let there = all(&open(&one)).documents.remove(&M1).unwrap();
    assert_eq!(here, there);
    assert_eq!(there.task(4).unwrap().title, "From the second");
    assert_eq!(there.task(3).unwrap().status, TaskStatus::Completed);
    assert_eq!(open(&one).check("ada").unwrap(), []);
}

/// Both have changed the same field: what the one that joins says counts, and it is told so.
#[test]
fn whoever_joins_is_told_where_both_differ() {
    let temp = tempfile::tempdir().unwrap();
    let (one, two) = cloned(temp.path());
    let title = |title: &str| {
        let path = milestone_domain::change::Path::root().key("title");
        let (before, after) = (Some("Login".into()), Some(title.into()));
        let change = milestone_domain::change::FieldChange { path, before, after };
        Command::Amend { milestone: M1, changes: vec![change] }
    };
    open(&two).execute(&title("Sign in"), "ben").unwrap();
    go(&one, Postgres);
    open(&one).execute(&title("Log in"), "ada").unwrap();
    pull_config(&one, &two);
    let joining = place(&two);
    let project = Project::at(joining.clone()).unwrap();
    assert_eq!(joining.told.take(), ["milestone-001: both have changed title"]);
    assert_eq!(all(&project).documents[&M1].title, "Sign in");
    assert_eq!(all(&open(&one)).documents[&M1].title, "Sign in");
}

#[test]
fn a_backup_of_any_store_comes_back_in_any_store() {
    for (made_in, put_back_in) in [(Postgres, Postgres), (Sqlite, Files), (Postgres, Sqlite)] {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join(".milestones");
        furnished(&root);
        go(&root, made_in);
        let file = temp.path().join("backup.tar");
        let now = jiff::Timestamp::now();
        backups::back_up(&place(&root), Some(&file), now).unwrap();
        if made_in != put_back_in {
            go(&root, put_back_in);
        }
        let other = open(&root);
        other.execute(&change_task(M1, 3, TaskStatus::Completed), "ada").unwrap();
        other.execute(&draft("Later", &["Gone"]), "ada").unwrap();
        let at = Root { project: temp.path().to_owned() };
        backups::put_back(&place(&root), &at, &file, now).unwrap();
        let project = open(&root);
        let snapshot = all(&project);
        assert_eq!(snapshot.documents.len(), 2, "{made_in:?} {put_back_in:?}");
        assert_eq!(snapshot.documents[&M1].task(3).unwrap().status, TaskStatus::Pending);
        assert!(snapshot.claims.values().all(|claim| !claim.is_live()), "claims have ended");
        // Neither a number nor a fence is given twice.
        let outcome = project.execute(&draft("New", &["A"]), "ada").unwrap();
        assert!(outcome.snapshot.documents.contains_key(&MilestoneId(4)));
        let attempt = AttemptId(Uuid::now_v7());
        let claim = Command::Claim { task: TaskId::new(M1, 1), attempt, lease_seconds: 600 };
        project.execute(&claim, "ben").unwrap();
        assert!(all(&project).claims[&TaskId::new(M1, 1)].fence > 1);
        if put_back_in == Postgres {
            assert_eq!(all(&other).documents.len(), 3, "whoever has it open follows");
        }
    }
}

/// What is committed twice is kept once, though the store is another one by then.
#[test]
fn a_change_is_kept_once_whatever_moves_in_between() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    furnished(&root);
    let project = open(&root);
    let context = project.context("ada");
    let note = Command::Note {
        task: TaskId::new(M1, 2),
        text: "once".into(),
        credential: Credential::default(),
    };
    for to in [Sqlite, Postgres, Files] {
        project.execute_as(&note, &context).unwrap();
        go(&root, to);
    }
    project.execute_as(&note, &context).unwrap();
    let of = |change: ChangeId| events(&project).into_iter().filter(move |e| e.id.change == change);
    assert_eq!(of(context.change).count(), 1);
}

/// Whoever is killed between the copy and the pointer leaves a copy that nobody was sent to; here
/// the pointer cannot be written, which leaves the same.
#[test]
fn a_copy_that_nobody_was_sent_to_goes_with_the_next_move() {
    for from in [Files, Sqlite] {
        let (_temp, root) = furnished_in(from);
        let before = contents(&root);
        let interrupted = std::panic::catch_unwind(|| {
            move_to(&place(&root), Postgres, &|doing, _, _| assert_ne!(doing, "comparing"))
        });
        assert!(interrupted.is_err());
        let [empty] = copies(&root)[..] else { panic!("it is remembered") };
        let (pointer, kept) = (root.join("data/store"), root.join("data/kept-store"));
        let in_the_way = move_to(&place(&root), Postgres, &|doing, _, _| {
            if doing == "comparing" && !pointer.is_dir() {
                let _ = fs::rename(&pointer, &kept);
                fs::create_dir(&pointer).unwrap();
            }
        });
        assert!(in_the_way.is_err(), "{in_the_way:?}");
        fs::remove_dir(&pointer).unwrap();
        let _ = fs::rename(&kept, &pointer);
        let [copy] = copies(&root)[..] else { panic!("the one before is gone") };
        assert!(!is_there(empty));
        assert!(is_there(copy));
        if from == Files {
            assert_eq!(contents(&root), before);
            go(&root, Sqlite);
            assert!(!is_there(copy));
        } else {
            // The database was left already: the copy is the project, and whoever comes takes it up.
            assert_eq!(contents(&root), before);
            assert_eq!(place(&root).kind().unwrap(), Postgres);
            go(&root, Files);
            assert!(is_there(copy), "where the project once was stays, sealed");
        }
        assert_eq!(contents(&root), before);
        assert_eq!(copies(&root), []);
    }
}

fn copies(root: &Path) -> Vec<Uid> {
    let text = fs::read(root.join("data/copies")).unwrap_or_else(|_| b"[]".to_vec());
    serde_json::from_slice(&text).unwrap()
}

fn is_there(project: Uid) -> bool {
    let url = std::env::var("MILESTONE_TEST_DATABASE_URL").unwrap();
    let server = milestone_store::postgres::Postgres::open(&url).unwrap();
    let settings = milestone_domain::settings::Settings::default();
    milestone_store::sql::Database::open(server, &project.0.to_string(), settings).is_ok()
}

#[test]
fn the_page_about_old_documents_goes_once_they_are_kept_current() {
    let temp = tempfile::tempdir().unwrap();
    let root = temp.path().join(".milestones");
    furnished(&root);
    go(&root, Postgres);
    assert!(root.join("STORE.md").exists());
    let command = change_task(M1, 3, TaskStatus::Completed);
    open(&root).execute(&command, "ada").unwrap();
    let mirrored = Place { mirror: Some(true), ..place(&root) };
    let _ = all(&Project::at(mirrored).unwrap());
    assert!(!root.join("STORE.md").exists());
    let text = fs::read_to_string(root.join("active/milestone-001.yaml")).unwrap();
    assert!(text.contains("status: completed"), "{text}");
}
