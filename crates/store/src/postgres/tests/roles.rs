//! Several teams in one database, by the script that the documentation gives them.

use jiff::tz::TimeZone;
use milestone_domain::command::{Command, Credential};
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::TaskStatus;

use super::Postgres;
use super::server::{PASSWORD, Server};
use crate::sql::Database;
use crate::{EventFilter, Project, Store as _, StoreError};

const ADAS: &str = "00000000-0000-4000-8000-00000000000a";
const BOBS: &str = "00000000-0000-4000-8000-00000000000b";

fn opened(url: &str, uuid: &str) -> Result<Database<Postgres>, StoreError> {
    Database::open(Postgres::open(url)?, uuid, Settings::default())
}

/// Everything that a person does in a day.
fn work(url: &str, uuid: &str) {
    let project = Project::new(Box::new(opened(url, uuid).unwrap()), TimeZone::UTC);
    let run = |command: &Command| project.execute(command, "ada").unwrap();
    let mut draft = Milestone::new(MilestoneId(0), "Authentication");
    draft.tasks = (1..=2).map(|number| Task::new(number, "Do")).collect();
    run(&Command::Plan { draft: Box::new(draft) });
    let (task, attempt) = (TaskId::new(MilestoneId(1), 1), AttemptId(uuid::Uuid::now_v7()));
    run(&Command::Claim { task, attempt, lease_seconds: 60 });
    let claim = project.read(&Scope::All, "ada").unwrap().claims[&task].clone();
    let credential = Credential { fence: Some(claim.fence), attempt: Some(attempt) };
    run(&Command::Note { task, text: "on it".into(), credential });
    run(&Command::ChangeTask { task, to: TaskStatus::Completed, reason: None, credential });
    run(&Command::RemoveTask { task: TaskId::new(MilestoneId(1), 2) });
    assert!(project.events(None, &EventFilter::default(), 100).unwrap().events.len() >= 5);
    assert_eq!(opened(url, uuid).unwrap().check().unwrap(), []);
}

#[test]
fn a_team_sees_and_writes_its_own_projects_only() {
    let server = Server::start(&["fsync=off"]);
    for uuid in [ADAS, BOBS] {
        let postgres = Postgres::open(&server.url()).unwrap();
        drop(Database::make(postgres, uuid, Settings::default()).unwrap());
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/postgres-roles.sql");
    for _ in 0..2 {
        Server::psql_as(&server.url(), &["-f", script]).unwrap();
    }
    server.psql(&format!(
        "CREATE ROLE team_a NOLOGIN; CREATE ROLE ada LOGIN PASSWORD '{PASSWORD}' IN ROLE team_a; \
         CREATE ROLE bob LOGIN PASSWORD '{PASSWORD}'; GRANT milestone_user TO ada, bob; \
         INSERT INTO milestone_member SELECT id, 'team_a' FROM milestone_project \
           WHERE uuid = '{ADAS}'; \
         INSERT INTO milestone_member SELECT id, 'bob' FROM milestone_project \
           WHERE uuid = '{BOBS}'"
    ));
    let url = |who: &str| server.url_of(who, PASSWORD, "127.0.0.1");
    work(&url("ada"), ADAS);
    work(&url("bob"), BOBS);
    for (who, other) in [("ada", BOBS), ("bob", ADAS)] {
        let error = opened(&url(who), other).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::NoSuchProject { .. }), "{error}");
        cannot_reach(&server, &url(who), other);
    }
}

fn cannot_reach(server: &Server, url: &str, other: &str) {
    let id = server.psql(&format!("SELECT id FROM milestone_project WHERE uuid = '{other}'"));
    let ask = |sql: &str| Server::psql_as(url, &["-c", sql]);
    let tables = server.psql(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE 'milestone\\_%' \
         AND tablename NOT IN ('milestone_migration', 'milestone_member')",
    );
    assert!(tables.lines().count() >= 8, "{tables}");
    for table in tables.lines() {
        let key = if table == "milestone_project" { "id" } else { "project" };
        let theirs = format!("FROM {table} WHERE {key} = {id}");
        assert_eq!(ask(&format!("SELECT count(*) {theirs}")).unwrap(), "0", "{table}");
        if table != "milestone_project" {
            let sql =
                format!("WITH gone AS (DELETE {theirs} RETURNING 1) SELECT count(*) FROM gone");
            assert_eq!(ask(&sql).unwrap(), "0", "{table}");
            let sql = format!("UPDATE {table} SET project = {id}");
            let moved = ask(&sql);
            let empty = ask(&format!("SELECT count(*) FROM {table}")).unwrap() == "0";
            assert!(moved.is_err() || empty, "{table}: what is one's own was given away");
        }
    }
    for view in ["milestones", "tasks", "dependencies", "events", "claims"] {
        let seen = ask(&format!("SELECT count(*) FROM {view}_v1 WHERE project = '{other}'"));
        assert_eq!(seen.unwrap(), "0", "{view}");
    }
    assert!(ask("SELECT count(*) FROM milestones_v1").unwrap() != "0");
    for refused in [
        format!("INSERT INTO milestone_counter VALUES ({id}, 'x', 1)"),
        format!("INSERT INTO milestone_member VALUES ({id}, current_user)"),
        "SELECT * FROM milestone_member".to_owned(),
        "INSERT INTO milestone_project (uuid, epoch, moved_to, given) VALUES ('x', '', '', '{}')"
            .to_owned(),
        "DROP VIEW tasks_v1".to_owned(),
    ] {
        assert!(ask(&refused).is_err(), "{refused}");
    }
}
