use super::*;
use crate::postgres::Postgres;
use crate::sqlite::Sqlite;
use crate::{Project, Store};
use jiff::tz::TimeZone;
use milestone_domain::command::Command;
use milestone_domain::document::Task;
use milestone_domain::ids::Reference;
use milestone_domain::settings::Settings;
use std::time::Duration;

fn plan<C: Connection + 'static>(store: Database<C>) {
    let project = Project::new(Box::new(store), TimeZone::UTC);
    for title in ["One", "Two"] {
        let mut draft = Milestone::new(MilestoneId(0), title);
        draft.tasks = (1..=3).map(|number| Task::new(number, "Do")).collect();
        draft.tasks[1].requires = vec![Reference::Own(1)];
        project.execute(&Command::Plan { draft: Box::new(draft) }, "ada").unwrap();
    }
}

/// Does the same with a project in each kind of database.
fn on_both(test: impl Fn(&dyn Fn(&str), &dyn Store)) {
    let uuid = Uuid::now_v7().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("milestones.db");
    let sqlite = || Sqlite::open(&file, Duration::from_secs(5)).unwrap();
    plan(Database::make(sqlite(), &uuid, Settings::default()).unwrap());
    let store = Database::open(sqlite(), &uuid, Settings::default()).unwrap();
    let damage = |sql: &str| damage(&store, sql);
    test(&damage, &store);

    let url = std::env::var("MILESTONE_TEST_DATABASE_URL");
    let url = url.expect("no server: `scripts/with-postgres cargo nextest run`");
    let postgres = || Postgres::open(&url).unwrap();
    plan(Database::make(postgres(), &uuid, Settings::default()).unwrap());
    let store = Database::open(postgres(), &uuid, Settings::default()).unwrap();
    let damage = |sql: &str| self::damage(&store, sql);
    test(&damage, &store);
}

fn damage<C: Connection>(store: &Database<C>, sql: &str) {
    let sql = sql.replace("MINE", &format!("project = {}", store.project));
    assert!(store.connection.run(&sql, &[]).unwrap() > 0, "{sql}");
}

#[test]
fn what_is_made_of_documents_is_made_anew() {
    on_both(|damage, store| {
        assert_eq!(store.check().unwrap(), []);
        for sql in [
            "DELETE FROM milestone_edge WHERE MINE AND milestone = 1",
            "UPDATE milestone_edge SET open = 0 WHERE MINE AND milestone = 2",
            "UPDATE milestone_document SET title = 'Other' WHERE MINE AND id = 1",
            "UPDATE milestone_document SET provides = 1 WHERE MINE AND id = 1",
            "UPDATE milestone_task SET status = 'completed' WHERE MINE AND milestone = 1",
            "UPDATE milestone_task SET archived = 1 WHERE MINE AND milestone = 2 AND number = 2",
            "UPDATE milestone_document SET outline = (SELECT outline FROM milestone_document \
             AS other WHERE other.MINE AND id = 2) WHERE MINE AND id = 1",
            "UPDATE milestone_task SET outline = (SELECT outline FROM milestone_task AS other \
             WHERE other.MINE AND milestone = 1 AND number = 3) \
             WHERE MINE AND milestone = 1 AND number = 2",
        ] {
            damage(sql);
            let problems = store.check().unwrap();
            assert_eq!(problems.len(), 1, "{sql}: {problems:?}");
            assert_eq!(problems[0].next, MENDED);
            let mending = store.mend(&|_| None).unwrap();
            assert_eq!((mending.done.len(), mending.left.len()), (1, 0), "{sql}: {mending:?}");
            assert_eq!(store.check().unwrap(), [], "{sql}");
            assert_eq!(store.mend(&|_| None).unwrap(), Mending::default());
        }
    });
}

#[test]
fn what_only_people_can_mend_is_named_and_left() {
    on_both(|damage, store| {
        for (sql, named) in [
            (
                "UPDATE milestone_event SET body = 'x' WHERE MINE AND milestone = 2",
                "cannot be read",
            ),
            ("DELETE FROM milestone_event WHERE MINE AND milestone = 2", "its history is not"),
            ("UPDATE milestone_document SET tasks = '1 3' WHERE MINE AND id = 1", "order"),
            ("DELETE FROM milestone_document WHERE MINE AND id = 1", "its document is not"),
        ] {
            damage(sql);
            let problems = store.check().unwrap();
            let found = problems.iter().any(|problem| problem.message.contains(named));
            assert!(found, "{sql}: {problems:?}");
            let left = store.mend(&|_| None).unwrap().left;
            assert!(left.iter().any(|message| message.contains(named)), "{sql}: {left:?}");
        }
    });
}

#[test]
fn a_row_that_cannot_be_read_hides_no_other_milestone() {
    on_both(|damage, store| {
        damage("UPDATE milestone_task SET document = '{' WHERE MINE AND milestone = 1");
        let problems = store.check().unwrap();
        let of: Vec<_> = problems.iter().map(|problem| problem.milestone).collect();
        assert_eq!(of, [Some(MilestoneId(1))], "{problems:?}");
    });
}
