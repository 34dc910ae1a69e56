//! The tables, and how an older database becomes a newer one.

use std::fmt::Write as _;

use super::Connection;
use crate::Result;
use crate::error::StoreError;

/// What a kind of database calls things.
pub struct Types {
    pub int: &'static str,
    pub bytes: &'static str,
    /// A number that grows with every row, as the table's key.
    pub serial: &'static str,
    /// The number of the transaction that writes a row.
    pub transaction: &'static str,
    /// What a statement that makes a table ends with.
    pub strict: &'static str,
    /// Held until the end of what began: one migrates, the others wait.
    pub migrating: &'static str,
}

/// One step from a schema to the next. A step that was ever released is never changed.
struct Step {
    sql: &'static str,
    /// The oldest program that may read, and may write, what this step leaves behind.
    reader: u32,
    writer: u32,
}

/// The schema that this program writes.
const SCHEMA: u32 = 1;

const STEPS: &[Step] = &[Step { sql: include_str!("schema/001.sql"), reader: 1, writer: 1 }];

/// Brings the database to this program's schema, whole or not at all.
pub fn migrate(connection: &impl Connection) -> Result<()> {
    migrate_by(connection, STEPS)
}

fn migrate_by(connection: &impl Connection, steps: &[Step]) -> Result<()> {
    let types = connection.types();
    connection.batch(&format!("{}; {}", types.migrating, worded(MIGRATIONS, &types)))?;
    let done = steps_done(connection, steps).and_then(|done| {
        for (number, step) in (1..).zip(steps).skip(done) {
            connection.batch(&worded(step.sql, &types))?;
            let sql = "INSERT INTO milestone_migration (number, checksum, reader, writer) \
                       VALUES ($1, $2, $3, $4)";
            let number: u32 = number;
            let values =
                [number.into(), checksum(step).into(), step.reader.into(), step.writer.into()];
            connection.run(sql, &values)?;
        }
        Ok(())
    });
    match done {
        Ok(()) => connection.batch("COMMIT"),
        Err(error) => {
            connection.roll_back();
            Err(error)
        }
    }
}

const MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS milestone_migration (
    number {int} NOT NULL PRIMARY KEY,
    checksum TEXT NOT NULL,
    reader {int} NOT NULL,
    writer {int} NOT NULL
){strict};";

/// Whether this program may work with the database as it is; an older one is brought up to date.
pub fn check(connection: &impl Connection) -> Result<()> {
    let done = steps_done(connection, STEPS);
    match done {
        Ok(done) if done == STEPS.len() => Ok(()),
        Ok(_) => migrate(connection),
        Err(error) => Err(error),
    }
}

/// How many steps were done; those that are there must be the ones this program knows.
fn steps_done(connection: &impl Connection, steps: &[Step]) -> Result<usize> {
    let mut done = 0;
    let mut writer = 0;
    let sql = "SELECT number, checksum, writer FROM milestone_migration ORDER BY number";
    connection.each(sql, &[], &mut |row| {
        let number = usize::try_from(row.int(0)?).unwrap_or(usize::MAX);
        done = done.max(number);
        writer = writer.max(row.int(2)?);
        match steps.get(number - 1) {
            Some(step) if checksum(step) != row.text(1)? => Err(StoreError::ForeignSchema {
                message: format!("step {number} of its schema is not the one of this program"),
            }),
            _ => Ok(()),
        }
    })?;
    if done > steps.len() && writer > i64::from(SCHEMA) {
        return Err(StoreError::NewerSchema { schema: writer, known: SCHEMA });
    }
    Ok(done)
}

fn checksum(step: &Step) -> String {
    let hash = blake3::hash(step.sql.as_bytes());
    hash.as_bytes()[..8].iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn worded(sql: &str, types: &Types) -> String {
    let words = [
        ("{int}", types.int),
        ("{bytes}", types.bytes),
        ("{serial}", types.serial),
        ("{transaction}", types.transaction),
        ("{strict}", types.strict),
    ];
    words.iter().fold(sql.to_owned(), |sql, (word, meaning)| sql.replace(word, meaning))
}
