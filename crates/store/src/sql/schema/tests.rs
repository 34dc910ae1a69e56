use super::*;
use crate::postgres::Postgres;
use crate::sql::Database;
use crate::sqlite::Sqlite;
use milestone_domain::settings::Settings;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const OTHER: &str = "00000000-0000-4000-8000-000000000002";

/// A database that nothing was ever done to, which several processes may open.
enum Fresh {
    Sqlite(TempDir),
    Postgres(String),
}

fn fresh() -> [Fresh; 2] {
    let url = std::env::var("MILESTONE_TEST_DATABASE_URL");
    let url = url.expect("no server: `scripts/with-postgres cargo nextest run`");
    let name = format!("schema_{}", uuid::Uuid::now_v7().simple());
    Postgres::open(&url).unwrap().batch(&format!("CREATE DATABASE {name}")).unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    [Fresh::Sqlite(tempfile::tempdir().unwrap()), Fresh::Postgres(format!("{server}/{name}"))]
}

fn sqlite(folder: &Path) -> Sqlite {
    Sqlite::open(&folder.join("milestones.db"), Duration::from_secs(20)).unwrap()
}

/// Does something with each kind of database, given what opens it.
macro_rules! on_both {
    (|$open:ident| $body:block) => {
        for fresh in &fresh() {
            match fresh {
                Fresh::Sqlite(folder) => {
                    let $open = || sqlite(folder.path());
                    $body
                }
                Fresh::Postgres(url) => {
                    let $open = || Postgres::open(url).unwrap();
                    $body
                }
            }
        }
    };
}

fn counted(connection: &impl Connection, table: &str) -> i64 {
    let mut count = 0;
    let sql = format!("SELECT COUNT(*) FROM {table}");
    connection
        .each(&sql, &[], &mut |row| {
            count = row.int(0)?;
            Ok(())
        })
        .unwrap();
    count
}

fn known() -> i64 {
    i64::try_from(STEPS.len()).unwrap()
}

fn with(more: &[Step]) -> Vec<Step> {
    STEPS.iter().chain(more).copied().collect()
}

fn record(connection: &impl Connection, number: u32, reader: u32, writer: u32) {
    let sql = format!(
        "INSERT INTO milestone_migration (number, checksum, reader, writer) \
         VALUES ({number}, 'of the future', {reader}, {writer})"
    );
    connection.run(&sql, &[]).unwrap();
}

#[test]
fn an_older_database_is_brought_up_to_date_with_what_it_holds() {
    on_both!(|open| {
        let old = open();
        Database::make(open(), OTHER, Settings::default()).unwrap();
        let later = with(&[
            Step { sql: "CREATE TABLE later (id {int})", reader: 1, writer: 2 },
            Step { sql: "INSERT INTO later VALUES (7)", reader: 1, writer: 2 },
        ]);
        migrate_by(&old, &later).unwrap();
        migrate_by(&open(), &later).unwrap();
        assert_eq!(counted(&old, "later"), 1);
        assert_eq!(counted(&old, MIGRATION), known() + 2);
        let mut state = State::default();
        let found = look(&old, OTHER, &later, &mut state).unwrap();
        assert!(found.project.is_some() && found.newer.is_none() && !state.is_behind(&later));
    });
}

#[test]
fn a_newer_database_is_written_read_or_left_alone_as_its_steps_say() {
    on_both!(|open| {
        let known = u32::try_from(STEPS.len()).unwrap();
        drop(Database::make(open(), OTHER, Settings::default()).unwrap());
        let opened = || Database::open(open(), OTHER, Settings::default());
        record(&open(), known + 1, known, known);
        opened().unwrap().begin().unwrap();
        record(&open(), known + 2, known, known + 2);
        let read_only = opened().unwrap();
        assert!(crate::Store::read(&read_only, &milestone_domain::snapshot::Scope::All).is_ok());
        let refused = read_only.begin().unwrap_err();
        assert!(matches!(refused, StoreError::NewerSchema { .. }), "{refused}");
        assert_eq!(counted(&open(), MIGRATION), i64::from(known) + 2);
        record(&open(), known + 3, known + 3, known + 3);
        let Err(refused) = opened() else { panic!("it is for newer programs only") };
        assert!(matches!(refused, StoreError::NewerSchema { .. }), "{refused}");
        let Err(refused) = migrate(&open()) else { panic!("it is for newer programs only") };
        assert!(matches!(refused, StoreError::NewerSchema { .. }), "{refused}");
    });
}

#[test]
fn a_step_that_is_another_is_refused() {
    on_both!(|open| {
        drop(Database::make(open(), OTHER, Settings::default()).unwrap());
        open().run("UPDATE milestone_migration SET checksum = 'changed'", &[]).unwrap();
        for refused in [
            Database::open(open(), OTHER, Settings::default()).map(drop).unwrap_err(),
            migrate(&open()).unwrap_err(),
        ] {
            assert!(refused.to_string().contains("step 1"), "{refused}");
        }
        open().run("DELETE FROM milestone_migration", &[]).unwrap();
        record(&open(), 3, 1, 1);
        assert!(migrate(&open()).unwrap_err().to_string().contains("missing"));
    });
}

#[test]
fn several_at_once_migrate_once() {
    on_both!(|open| {
        let later = with(&[Step {
            sql: "CREATE TABLE later (id {int}); INSERT INTO later VALUES (1)",
            reader: 1,
            writer: 1,
        }]);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| migrate_by(&open(), &later).unwrap());
            }
        });
        assert_eq!(counted(&open(), "later"), 1);
        assert_eq!(counted(&open(), MIGRATION), known() + 1);
    });
}

#[test]
fn a_step_that_fails_leaves_nothing_of_any() {
    on_both!(|open| {
        let broken = with(&[
            Step { sql: "CREATE TABLE later (id {int})", reader: 1, writer: 1 },
            Step { sql: "INSERT INTO nowhere VALUES (1)", reader: 1, writer: 1 },
        ]);
        let connection = open();
        migrate_by(&connection, &broken).unwrap_err();
        assert!(!connection.has_table(MIGRATION).unwrap());
        assert!(!open().has_table("later").unwrap());
        migrate(&connection).unwrap();
    });
}

#[test]
fn whoever_is_killed_while_migrating_has_not_begun() {
    let [Fresh::Sqlite(folder), Fresh::Postgres(url)] = fresh() else { panic!("both") };
    let killed = Postgres::open(&url).unwrap();
    migrate_in_turn(&killed, STEPS).unwrap();
    let other = Postgres::open(&url).unwrap();
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_locks \
               WHERE locktype = 'advisory' AND classid = 28019 AND objid = 0";
    other.batch(sql).unwrap();
    migrate(&other).unwrap();
    assert_eq!(counted(&other, MIGRATION), known());
    assert!(matches!(killed.batch("COMMIT"), Err(StoreError::ConnectionLost(_))));

    let killed = sqlite(folder.path());
    // Small enough a cache, and some of what is not committed stands in the file already.
    killed.batch("PRAGMA cache_size = 1").unwrap();
    migrate_in_turn(&killed, STEPS).unwrap();
    // What is on the disk is what whoever comes after a kill finds.
    let after = tempfile::tempdir().unwrap();
    for name in ["milestones.db", "milestones.db-wal"] {
        std::fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
    }
    let other = sqlite(after.path());
    assert!(!other.has_table(MIGRATION).unwrap());
    migrate(&other).unwrap();
    assert_eq!(counted(&other, MIGRATION), known());
}

#[test]
fn a_database_without_tables_has_no_project() {
    on_both!(|open| {
        let Err(error) = Database::open(open(), OTHER, Settings::default()) else {
            panic!("there is none")
        };
        assert!(matches!(error, StoreError::NoSuchProject { .. }), "{error}");
        assert!(!open().has_table(MIGRATION).unwrap());
    });
}

#[test]
fn what_people_query_says_what_the_documents_say() {
    use milestone_domain::command::Command;
    use milestone_domain::document::{Milestone, Task};
    use milestone_domain::ids::{MilestoneId, Reference};
    on_both!(|open| {
        let store = Database::make(open(), OTHER, Settings::default()).unwrap();
        let project = crate::Project::new(Box::new(store), jiff::tz::TimeZone::UTC);
        let mut draft = Milestone::new(MilestoneId(0), "Authentication");
        draft.tasks = (1..=2).map(|number| Task::new(number, "Do")).collect();
        draft.tasks[1].requires = vec![Reference::Own(1)];
        project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
        let (task, attempt) = (
            milestone_domain::ids::TaskId::new(MilestoneId(1), 1),
            milestone_domain::event::AttemptId(uuid::Uuid::now_v7()),
        );
        project.execute(&Command::Claim { task, attempt, lease_seconds: 60 }, "ada").unwrap();
        let rows = |sql: &str| {
            let mut rows = Vec::new();
            let connection = open();
            connection
                .each(sql, &[], &mut |row| {
                    rows.push(row.string(0)?);
                    Ok(())
                })
                .unwrap();
            rows
        };
        let mine = format!("WHERE project = '{OTHER}'");
        assert_eq!(rows(&format!("SELECT title FROM milestones_v1 {mine}")), ["Authentication"]);
        let sql = format!("SELECT status FROM tasks_v1 {mine} AND due IS NULL ORDER BY task");
        assert_eq!(rows(&sql), ["in_progress", "pending"]);
        let sql =
            format!("SELECT project FROM dependencies_v1 {mine} AND task = 2 AND on_task = 1");
        assert_eq!(rows(&sql), [OTHER]);
        let sql = format!("SELECT kind FROM events_v1 {mine} ORDER BY position");
        assert_eq!(rows(&sql)[0], "milestone_created");
        assert_eq!(rows(&format!("SELECT actor FROM claims_v1 {mine}")), ["ada"]);
    });
}

#[test]
fn every_table_with_rows_of_a_project_is_known_as_one() {
    let made = STEPS.iter().flat_map(|step| step.sql.split("CREATE TABLE ").skip(1));
    let mut made: Vec<&str> =
        made.filter_map(|table| table.split_once(' ')).map(|it| it.0).collect();
    made.retain(|table| *table != "milestone_project");
    made.sort_unstable();
    let mut known = TABLES;
    known.sort_unstable();
    assert_eq!(made, known);
}
