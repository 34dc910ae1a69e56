//! A floor: what a command costs that opens SQLite, does the least there is to do, and ends.
//!
//! `floor-sqlite FILE make N` makes the table; `list`, `ready`, `search`, `show ID`, `add` and
//! `claim` are the commands.

#![expect(clippy::print_stdout, reason = "what it finds is printed, as any command does")]

use std::error::Error;

use rusqlite::{Connection, Row};

const SCHEMA: &str = "
    CREATE TABLE task (id INTEGER PRIMARY KEY, ready INTEGER NOT NULL, rank INTEGER NOT NULL,
        claims INTEGER NOT NULL DEFAULT 0, title TEXT NOT NULL, body TEXT NOT NULL);
    CREATE INDEX task_ready ON task (ready, rank);
    CREATE VIRTUAL TABLE word USING fts5 (title, content = '');
";

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let file = words.next().ok_or("which file?")?;
    let what = words.next().ok_or("do what?")?;
    let number = words.next().map_or(Ok(1), |word| word.parse::<i64>())?;
    let connection = Connection::open(file)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
    match what.as_str() {
        "make" => make(&connection, number),
        "list" => print(&connection, "SELECT id, title FROM task ORDER BY id", None),
        "ready" => print(&connection, &format!("SELECT id, title {FIRST}"), None),
        "search" => print(
            &connection,
            "SELECT rowid, rank FROM word WHERE word MATCH 'login token' ORDER BY rank LIMIT 20",
            None,
        ),
        "show" => {
            print(&connection, "SELECT id, title || body FROM task WHERE id = ?1", Some(number))
        }
        "add" => {
            let add = "INSERT INTO task (ready, rank, title, body) VALUES (0, 0, 'One more', ?1)";
            connection.execute(add, ["x".repeat(400)])?;
            Ok(())
        }
        "claim" => {
            let claim =
                format!("UPDATE task SET claims = claims + 1 WHERE id = (SELECT id {FIRST})");
            connection.execute(&claim, [])?;
            Ok(())
        }
        other => Err(format!("what is {other}?").into()),
    }
}

const FIRST: &str = "FROM task WHERE ready = 1 ORDER BY rank LIMIT 1";

fn make(connection: &Connection, tasks: i64) -> Result<(), Box<dyn Error>> {
    connection.execute_batch(SCHEMA)?;
    let fill = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1)
        INSERT INTO task SELECT n, n % 5 = 0, n * 7919 % 100003, 0,
            'Build the ' || CASE n % 16 WHEN 0 THEN 'login token' WHEN 1 THEN 'login' WHEN 2 THEN
            'token' ELSE 'report' END, hex(randomblob(200)) FROM n";
    connection.execute(fill, [tasks])?;
    connection.execute("INSERT INTO word (rowid, title) SELECT id, title FROM task", [])?;
    Ok(())
}

/// The first column is a number, the second anything.
fn print(connection: &Connection, query: &str, id: Option<i64>) -> Result<(), Box<dyn Error>> {
    let line = |row: &Row<'_>| {
        let second = row.get_ref(1)?;
        Ok(format!("{} {}", row.get::<_, i64>(0)?, second.as_str().unwrap_or_default()))
    };
    let mut text = String::new();
    for found in connection.prepare(query)?.query_map(rusqlite::params_from_iter(id), line)? {
        text.push_str(&found?);
        text.push('\n');
    }
    print!("{text}");
    Ok(())
}
