//! The tables, and how an older database becomes a newer one.

use std::fmt::Write as _;

use super::{Columns, Connection};
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
    /// The columns that an index of tasks has besides, so that no task need be read for its outline;
    /// none where entries of an index may be only so long.
    pub with_outlines: &'static str,
    /// What a statement that makes a table ends with.
    pub strict: &'static str,
    /// Held until the end of what began: one migrates, the others wait.
    pub migrating: &'static str,
}

/// One step from a schema to the next. A step that was ever released is never changed.
#[derive(Clone, Copy)]
struct Step {
    sql: &'static str,
    /// The oldest schema whose programs may read, and may write, what this step leaves behind.
    reader: u32,
    writer: u32,
}

const STEPS: &[Step] = &[
    Step { sql: include_str!("schema/001.sql"), reader: 1, writer: 1 },
    // Views change nothing for programs.
    Step { sql: include_str!("schema/002.sql"), reader: 1, writer: 1 },
    // Who does not know of it writes events, after which it is not believed.
    Step { sql: include_str!("schema/003.sql"), reader: 1, writer: 1 },
];

/// Those with rows of a project.
pub const TABLES: [&str; 10] = [
    "milestone_counter",
    "milestone_document",
    "milestone_task",
    "milestone_offer",
    "milestone_holding",
    "milestone_edge",
    "milestone_condition",
    "milestone_claim",
    "milestone_event",
    "milestone_made",
];

/// What this program finds in a database: whether it may write there, and the project.
pub struct Found {
    /// The schema that only newer programs write, where that is so.
    pub newer: Option<i64>,
    pub project: Option<FoundProject>,
}

pub struct FoundProject {
    pub id: i64,
    pub epoch: String,
}

/// Looks for a project, at the cost of one question. An older database is brought up to date; one
/// without any tables stays so, and has no project.
pub fn find(connection: &impl Connection, uuid: &str) -> Result<Found> {
    let mut state = State::default();
    match look(connection, uuid, STEPS, &mut state) {
        Ok(found) if state.is_behind(STEPS) => {
            migrate(connection)?;
            Ok(found)
        }
        Ok(found) => Ok(found),
        Err(error @ StoreError::Database { .. }) => match connection.has_table(MIGRATION)? {
            true => Err(error),
            false => Ok(Found { newer: None, project: None }),
        },
        Err(error) => Err(error),
    }
}

fn look(
    connection: &impl Connection,
    uuid: &str,
    steps: &[Step],
    state: &mut State,
) -> Result<Found> {
    let mut project = None;
    let sql = format!(
        "{SELECT} UNION ALL SELECT 1, id, epoch, 0, 0 FROM milestone_project WHERE uuid = $1 \
         ORDER BY 1, 2"
    );
    connection.each(&sql, &[uuid.into()], &mut |row| {
        if row.int(0)? == 0 {
            return state.take(row, steps);
        }
        project = Some(FoundProject { id: row.int(1)?, epoch: row.string(2)? });
        Ok(())
    })?;
    Ok(Found { newer: state.newer(steps)?, project })
}

/// Brings the database to this program's schema, whole or not at all.
pub fn migrate(connection: &impl Connection) -> Result<()> {
    migrate_by(connection, STEPS)
}

fn migrate_by(connection: &impl Connection, steps: &[Step]) -> Result<()> {
    let migrated = migrate_in_turn(connection, steps).and_then(|()| connection.batch("COMMIT"));
    if migrated.is_err() {
        connection.roll_back();
    }
    migrated
}

/// Each step is recorded in the transaction that takes it.
fn migrate_in_turn(connection: &impl Connection, steps: &[Step]) -> Result<()> {
    let types = connection.types();
    connection.batch(types.migrating)?;
    connection.batch(&worded(MIGRATIONS, &types))?;
    let mut state = State::default();
    connection.each(&format!("{SELECT} ORDER BY 2"), &[], &mut |row| state.take(row, steps))?;
    state.newer(steps)?;
    for (number, step) in (1_u32..).zip(steps).skip(state.done) {
        connection.batch(&worded(step.sql, &types))?;
        let sql = "INSERT INTO milestone_migration (number, checksum, reader, writer) \
                   VALUES ($1, $2, $3, $4)";
        let values = [number.into(), checksum(step).into(), step.reader.into(), step.writer.into()];
        connection.run(sql, &values)?;
    }
    Ok(())
}

const MIGRATION: &str = "milestone_migration";

const MIGRATIONS: &str = "CREATE TABLE IF NOT EXISTS milestone_migration (
    number {int} NOT NULL PRIMARY KEY,
    checksum TEXT NOT NULL,
    reader {int} NOT NULL,
    writer {int} NOT NULL
){strict};";

const SELECT: &str = "SELECT 0, number, checksum, reader, writer FROM milestone_migration";

/// How far a database is.
#[derive(Default)]
struct State {
    done: usize,
    reader: i64,
    writer: i64,
}

impl State {
    /// A step that this program knows, too, must be the same.
    fn take(&mut self, row: &dyn Columns, steps: &[Step]) -> Result<()> {
        let number = usize::try_from(row.int(1)?).unwrap_or(0);
        self.done += 1;
        self.reader = self.reader.max(row.int(3)?);
        self.writer = self.writer.max(row.int(4)?);
        let foreign = |message: String| Err(StoreError::ForeignSchema { message });
        if number != self.done {
            return foreign(format!("step {} of its schema is missing", self.done));
        }
        match steps.get(number - 1) {
            Some(step) if checksum(step) != row.text(2)? => {
                foreign(format!("step {number} of its schema is not the one of this program"))
            }
            _ => Ok(()),
        }
    }

    fn is_behind(&self, steps: &[Step]) -> bool {
        self.done < steps.len()
    }

    /// Newer steps say which older programs still get along with them.
    fn newer(&self, steps: &[Step]) -> Result<Option<i64>> {
        let known = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let schema = i64::try_from(self.done).unwrap_or(i64::MAX);
        if self.reader > i64::from(known) {
            return Err(StoreError::NewerSchema { schema, known });
        }
        Ok((self.writer > i64::from(known)).then_some(schema))
    }
}

/// What is said where a newer program's database is to be written.
pub fn unwritable(schema: i64) -> StoreError {
    StoreError::NewerSchema { schema, known: u32::try_from(STEPS.len()).unwrap_or(u32::MAX) }
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
        ("{with_outlines}", types.with_outlines),
        ("{strict}", types.strict),
    ];
    words.iter().fold(sql.to_owned(), |sql, (word, meaning)| sql.replace(word, meaning))
}

#[cfg(test)]
mod tests;
