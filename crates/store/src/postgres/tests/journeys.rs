//! What goes to the server together is kept whole or not at all, and what went wrong is said.

use super::server::Server;
use super::{Postgres, made, opened};
use crate::error::StoreError;
use crate::sql::{Connection as _, Database};

fn set(store: &Database<Postgres>, name: &str) -> crate::Result<()> {
    let sql = "INSERT INTO milestone_condition (project, name, set_by) VALUES ($1, $2, '')";
    store.connection.write(sql.into(), vec![store.project.into(), name.to_owned().into()])
}

fn set_by_now(store: &Database<Postgres>) -> Vec<String> {
    let mut names = Vec::new();
    let sql = "SELECT name FROM milestone_condition ORDER BY name";
    let read = store.connection.each(sql, &[], &mut |row| {
        names.push(row.string(0)?);
        Ok(())
    });
    read.unwrap();
    names
}

#[test]
fn a_write_that_fails_is_what_keeping_says_and_nothing_is_kept() {
    let server = Server::start(&["fsync=off"]);
    let store = made(&server.url());
    store.connection.begin(store.project).unwrap();
    for name in ["first", "first", "second"] {
        set(&store, name).unwrap();
    }
    let refused = store.connection.commit(store.project).unwrap_err();
    assert!(matches!(refused, StoreError::Exists { .. }), "{refused}");
    assert_eq!(set_by_now(&store), Vec::<String>::new());
    store.connection.begin(store.project).unwrap();
    set(&store, "first").unwrap();
    store.connection.commit(store.project).unwrap();
    assert_eq!(set_by_now(&opened(&server.url())), ["first"]);
}

#[test]
fn what_is_rolled_back_is_not_kept_with_what_follows() {
    let server = Server::start(&["fsync=off"]);
    let store = made(&server.url());
    for name in ["never", "kept"] {
        store.connection.begin(store.project).unwrap();
        set(&store, name).unwrap();
        match name {
            "kept" => store.connection.commit(store.project).unwrap(),
            _ => store.connection.roll_back(),
        }
    }
    assert_eq!(set_by_now(&opened(&server.url())), ["kept"]);
}

#[test]
fn nothing_is_written_where_it_could_not_begin() {
    let server = Server::start(&["fsync=off"]);
    let (store, mover) = (made(&server.url()), opened(&server.url()));
    store.connection.batch("SET statement_timeout = 300").unwrap();
    mover.connection.close(mover.project).unwrap();
    store.connection.begin(store.project).unwrap();
    set(&store, "never").unwrap_err();
    store.connection.roll_back();
    mover.connection.roll_back();
    assert_eq!(set_by_now(&mover), Vec::<String>::new());
}
