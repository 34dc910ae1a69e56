//! Databases in places and states in which they should not be (P15, P20).

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::panic::catch_unwind;
use std::process::Command as Program;

use jiff::tz::TimeZone;
use milestone_domain::command::Command;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::ids::{MilestoneId, Reference};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::Scope;
use tempfile::TempDir;

use super::*;
use crate::sql::Database;
use crate::{EventFilter, Project, Store};

const PROJECT: &str = "00000000-0000-4000-8000-000000000001";

fn file(folder: &TempDir) -> PathBuf {
    folder.path().join("milestones.db")
}

fn opened(file: &Path) -> Result<Database<Sqlite>> {
    Database::open(Sqlite::open(file, Duration::from_secs(1))?, PROJECT, Settings::default())
}

fn plan(store: Database<Sqlite>, title: &str) -> std::result::Result<(), crate::Error> {
    let mut draft = Milestone::new(MilestoneId(0), title);
    draft.tasks = (1..=20).map(|number| Task::new(number, "Do something about it")).collect();
    draft.tasks[1].requires = vec![Reference::Own(1)];
    let project = Project::new(Box::new(store), TimeZone::UTC);
    project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").map(drop)
}

fn made() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(&file(&folder), Duration::from_secs(1)).unwrap();
    drop(Database::make(sqlite, PROJECT, Settings::default()).unwrap());
    for title in ["One", "Two", "Three"] {
        plan(opened(&file(&folder)).unwrap(), title).unwrap();
    }
    folder
}

#[test]
fn the_bundled_version_is_new_enough() {
    assert!(rusqlite::version_number() >= VERSION_MIN, "{}", rusqlite::version());
}

#[test]
fn only_its_owner_reads_a_database() {
    let folder = made();
    let store = opened(&file(&folder)).unwrap();
    store.read(&Scope::All).unwrap();
    for name in ["milestones.db", "milestones.db-wal", "milestones.db-shm"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    drop(store);
    fs::set_permissions(file(&folder), Permissions::from_mode(0o644)).unwrap();
    opened(&file(&folder)).unwrap();
    assert_eq!(fs::metadata(file(&folder)).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn a_link_in_place_of_the_database_is_refused_and_one_on_the_way_is_not() {
    let folder = made();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("milestones.db");
    symlink(file(&folder), &link).unwrap();
    let Err(error) = Sqlite::open(&link, Duration::ZERO) else { panic!("it is a link") };
    assert!(matches!(error, StoreError::Outside { .. }), "{error}");
    symlink(folder.path(), elsewhere.path().join("way")).unwrap();
    opened(&elsewhere.path().join("way").join("milestones.db")).unwrap();
    let dangling = elsewhere.path().join("dangling.db");
    symlink(elsewhere.path().join("nothing"), &dangling).unwrap();
    assert!(Sqlite::open(&dangling, Duration::ZERO).is_err());
    assert!(!elsewhere.path().join("nothing").exists());
}

/// Runs a test again as somebody who may not do everything, with a folder to look at.
fn as_nobody(test: &str, folder: &TempDir) {
    let mut again = Program::new(std::env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]).env("MILESTONE_TEST_FOLDER", folder.path());
    if rustix::process::getuid().is_root() {
        again.uid(65_534).gid(65_534);
    }
    let output = again.current_dir("/").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
}

fn give_to_nobody(folder: &TempDir) {
    if rustix::process::getuid().is_root() {
        chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
        for entry in fs::read_dir(folder.path()).unwrap() {
            chown(entry.unwrap().path(), Some(65_534), Some(65_534)).unwrap();
        }
    }
}

#[test]
fn what_cannot_be_written_can_be_read() {
    if let Some(folder) = std::env::var_os("MILESTONE_TEST_FOLDER") {
        let file = Path::new(&folder).join("milestones.db");
        let store = opened(&file).unwrap();
        assert_eq!(store.read(&Scope::All).unwrap().snapshot.documents.len(), 3);
        let error = plan(store, "Four").unwrap_err();
        assert!(error.to_string().contains("takes no writes"), "{error}");
        return;
    }
    let test = "sqlite::tests::what_cannot_be_written_can_be_read";
    let folder = made();
    give_to_nobody(&folder);
    let before = fs::read(file(&folder)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    as_nobody(test, &folder);
    assert_eq!(fs::read(file(&folder)).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    // The same while somebody else is writing it.
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let writer = opened(&file(&folder)).unwrap();
    writer.read(&Scope::All).unwrap();
    give_to_nobody(&folder);
    fs::set_permissions(file(&folder), Permissions::from_mode(0o400)).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o555)).unwrap();
    as_nobody(test, &folder);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_database_of_somebody_else_is_refused() {
    if let Some(folder) = std::env::var_os("MILESTONE_TEST_FOLDER") {
        let Err(error) = opened(&Path::new(&folder).join("milestones.db")) else {
            panic!("it is not ours")
        };
        assert!(matches!(error, StoreError::ForeignOwner { .. }), "{error}");
        return;
    }
    if rustix::process::getuid().is_root() {
        let folder = made();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        as_nobody("sqlite::tests::a_database_of_somebody_else_is_refused", &folder);
    }
}

/// Does everything that reads, and writes; whatever comes of it has a name.
fn used(file: &Path) -> Result<usize> {
    let store = opened(file)?;
    let documents = store.read(&Scope::All)?.snapshot.documents.len();
    store.read(&Scope::Milestone(MilestoneId(2)))?;
    let events = store.events(None, &EventFilter::default(), usize::MAX)?.events.len();
    let problems = store.check()?;
    match plan(opened(file)?, "More") {
        Ok(()) | Err(crate::Error::Refused(_)) => {}
        Err(crate::Error::Store(error)) => return Err(error),
    }
    Ok(if problems.is_empty() { documents + events } else { 0 })
}

#[test]
fn damage_is_named_and_nothing_panics() {
    let folder = made();
    let whole = fs::read(file(&folder)).unwrap();
    let rounds = if crate::conformance::full() { 10_000 } else { 150 };
    let mut dice: usize = 7;
    let mut found = 0;
    for round in 0..rounds {
        let mut damaged = whole.clone();
        for _ in 0..=round % 3 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
            let at = (dice >> 16) % damaged.len();
            damaged[at] ^= 1 << (dice >> 61);
        }
        if round % 5 == 0 {
            damaged.truncate((dice >> 20) % whole.len());
        }
        let place = tempfile::tempdir().unwrap();
        fs::write(file(&place), &damaged).unwrap();
        let used = catch_unwind(|| used(&file(&place)));
        let used = used.unwrap_or_else(|_| panic!("round {round} panicked"));
        if used.as_ref().is_ok_and(|seen| *seen == 0) || used.is_err() {
            found += 1;
        }
        if let Err(error) = used {
            assert!(!error.to_string().is_empty() && !error.next().is_empty());
        }
    }
    assert!(found > rounds / 3, "of {rounds} only {found} were found");
}

#[test]
fn a_lost_log_leaves_what_was_before_it() {
    let folder = made();
    let store = opened(&file(&folder)).unwrap();
    plan(opened(&file(&folder)).unwrap(), "Four").unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::copy(file(&folder), file(&place)).unwrap();
    drop(store);
    let there = opened(&file(&place)).unwrap();
    assert_eq!(there.read(&Scope::All).unwrap().snapshot.documents.len(), 3);
    assert_eq!(there.check().unwrap(), []);
}

#[test]
fn many_may_open_a_new_database_at_the_same_moment() {
    for _ in 0..40 {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("new.db");
        let all = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    all.wait();
                    Sqlite::open(&file, Duration::from_secs(20)).unwrap();
                });
            }
        });
    }
}
