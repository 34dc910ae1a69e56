//! SQLite: one file beside the documents, for one host.

mod floor;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::ErrorCode;
use rusqlite::types::{ToSqlOutput, ValueRef};

use self::floor::Access;
use crate::Result;
use crate::error::StoreError;
use crate::files::boot;
use crate::scale;
use crate::sql::schema::Types;
use crate::sql::{Columns, Connection, Now, Question, Rows, Sharing, Value};

/// Older ones can damage a database that two connections write to.
const VERSION_MIN: i32 = 3_051_003;

/// What stands for the moment in a statement.
const NOW: &str = "$now";

/// How many statements are kept ready.
const STATEMENTS: usize = 64;

/// How often one looks whether others have written.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// How often a new database is asked again whether it can be shared by now.
const WAL_PAUSE: Duration = Duration::from_millis(2);

pub struct Sqlite {
    connection: rusqlite::Connection,
    file: PathBuf,
    wait: Duration,
    /// What others had written when it was last looked at.
    seen: Cell<i64>,
}

impl Sqlite {
    /// Opens the database in a file, or makes it.
    pub fn open(file: &Path, wait: Duration) -> Result<Self> {
        if rusqlite::version_number() < VERSION_MIN {
            let message = format!(
                "this program was built with SQLite {}, which can damage a database",
                rusqlite::version()
            );
            return Err(StoreError::Database { what: named(file), message });
        }
        let (file, access) = floor::access(file)?;
        let connection =
            floor::connect(&file, access).map_err(|error| failed(&file, wait, &error))?;
        let this = Self { connection, file, wait, seen: Cell::new(0) };
        this.connection.set_prepared_statement_cache_capacity(STATEMENTS);
        this.connection.busy_timeout(wait).map_err(|error| this.failed(&error))?;
        if access == Access::Write {
            // Whoever closes it last leaves one whole file behind. That takes the disk three times
            // more, and what people copy at rest is a project.
            this.turn_on_wal()?;
            this.batch("PRAGMA synchronous = FULL")?;
        }
        this.batch(
            "PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
        )?;
        if crate::planted::has("sqlite-not-synced") {
            this.batch("PRAGMA synchronous = OFF")?;
        }
        Ok(this)
    }

    /// A new database is refused at once, and not waited for, while another connection does the same.
    fn turn_on_wal(&self) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.batch("PRAGMA journal_mode = WAL") {
                Err(StoreError::Busy { .. }) if began.elapsed() < self.wait => sleep(WAL_PAUSE),
                turned_on => return turned_on,
            }
        }
    }

    /// Another number once another connection has written something. It stands in memory that all
    /// of them share, so looking at it costs next to nothing.
    fn version(&self) -> Result<i64> {
        let mut version = 0;
        self.each("PRAGMA data_version", &[], &mut |row| {
            version = row.int(0)?;
            Ok(())
        })?;
        Ok(version)
    }

    /// A statement that was prepared before if it was ever run: the moment is a value like others.
    fn ready(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> rusqlite::Result<rusqlite::CachedStatement<'_>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let now = statement.parameter_index(NOW)?;
        for (place, value) in (1..).zip(values) {
            // The values come in their order, but for the moment that may be among them.
            let index = if now.is_some() {
                statement.parameter_index(&format!("${place}"))?
            } else {
                Some(place)
            };
            if let Some(index) = index {
                statement.raw_bind_parameter(index, value)?;
            }
        }
        if let Some(index) = now {
            let millis = i64::try_from(boot::now().millis).unwrap_or(i64::MAX);
            statement.raw_bind_parameter(index, millis)?;
        }
        Ok(statement)
    }

    fn failed(&self, error: &rusqlite::Error) -> StoreError {
        failed(&self.file, self.wait, error)
    }
}

fn named(file: &Path) -> String {
    file.display().to_string()
}

fn failed(file: &Path, wait: Duration, error: &rusqlite::Error) -> StoreError {
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy {
            holder: "another process".into(),
            waited_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        },
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly { what: named(file), message },
        Some(ErrorCode::CannotOpen) if is_link(error) => {
            StoreError::Outside { path: file.to_owned() }
        }
        Some(ErrorCode::ConstraintViolation) => StoreError::Exists { path: file.to_owned() },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path: file.to_owned(), message }
        }
        _ => StoreError::Database { what: named(file), message },
    }
}

fn is_link(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_CANTOPEN_SYMLINK)
}

struct Row<'a, 'b> {
    row: &'a rusqlite::Row<'b>,
    of: &'a Sqlite,
}

impl Row<'_, '_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>> {
        self.row.get_ref(column).map_err(|error| self.of.failed(&error))
    }

    fn unlike(&self, column: usize) -> StoreError {
        let message = format!("column {column} of an answer is not what it should be");
        StoreError::Corrupt { path: self.of.file.clone(), message }
    }
}

impl Columns for Row<'_, '_> {
    fn int(&self, column: usize) -> Result<i64> {
        self.value(column)?.as_i64().map_err(|_| self.unlike(column))
    }

    fn text(&self, column: usize) -> Result<&str> {
        self.value(column)?.as_str().map_err(|_| self.unlike(column))
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.value(column)?.as_blob().map_err(|_| self.unlike(column))
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Connection for Sqlite {
    fn types(&self) -> Types {
        Types {
            int: "INTEGER",
            bytes: "BLOB",
            serial: "INTEGER PRIMARY KEY AUTOINCREMENT",
            transaction: "INTEGER NOT NULL DEFAULT 0",
            with_outlines: ", version, outline",
            strict: " STRICT",
            migrating: "BEGIN IMMEDIATE",
        }
    }

    fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        row: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut statement = self.ready(sql, values).map_err(failed)?;
        let mut rows = statement.raw_query();
        while let Some(found) = rows.next().map_err(failed)? {
            row(&Row { row: found, of: self })?;
        }
        Ok(())
    }

    /// There is no journey to save: each is answered where it is asked.
    fn each_of(
        &self,
        questions: Vec<Question>,
        row: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        questions.iter().try_for_each(|Question { sql, values }| self.each(sql, values, row))
    }

    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut statement = self.ready(sql, values).map_err(failed)?;
        let changed = statement.raw_execute().map_err(failed)?;
        Ok(changed as u64)
    }

    fn write(&self, sql: String, values: Vec<Value<'static>>) -> Result<()> {
        self.run(&sql, &values).map(drop)
    }

    fn settle(&self) -> Result<()> {
        Ok(())
    }

    fn has_table(&self, name: &str) -> Result<bool> {
        self.connection.table_exists(None, name).map_err(|error| self.failed(&error))
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|error| self.failed(&error))
    }

    fn insert(&self, into: &str, rows: Rows, then: &str) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let places: Vec<String> = (1..=first.len()).map(|place| format!("${place}")).collect();
        let sql = format!("INSERT INTO {into} VALUES ({}){then}", places.join(", "));
        let failed = |error: rusqlite::Error| self.failed(&error);
        let mut statement = self.connection.prepare_cached(&sql).map_err(failed)?;
        for row in rows {
            // Places are numbered as they appear.
            for (place, value) in (1..).zip(row) {
                statement.raw_bind_parameter(place, value).map_err(failed)?;
            }
            statement.raw_execute().map_err(failed)?;
        }
        Ok(())
    }

    fn begin(&self, _: i64) -> Result<()> {
        let started = Instant::now();
        let begun = self.batch("BEGIN IMMEDIATE");
        scale::note_wait_for(&self.file, started.elapsed());
        begun
    }

    fn close(&self, project: i64) -> Result<()> {
        self.begin(project)
    }

    fn begin_reading(&self) -> Result<()> {
        self.batch("BEGIN")
    }

    /// Whoever has begun is the only one who writes.
    fn queue_for(&self, _: &BTreeMap<i32, Sharing>) -> Result<()> {
        Ok(())
    }

    /// There is one writer at a time, and that is whoever has begun.
    fn queue(&self, _: i64) -> Result<()> {
        Ok(())
    }

    fn commit(&self, _: i64) -> Result<()> {
        let kept = self.connection.execute_batch("COMMIT");
        kept.map_err(|error| {
            self.roll_back();
            match error.sqlite_error_code() {
                // It may be whole in the log, and be found there by whoever opens it next.
                Some(ErrorCode::SystemIoFailure) => {
                    StoreError::OutcomeUnknown(std::io::Error::other(error.to_string()))
                }
                _ => self.failed(&error),
            }
        })
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.batch("ROLLBACK");
        }
    }

    fn now(&self) -> Now {
        let now = boot::now();
        Now { boot: now.boot, millis: NOW.into() }
    }

    fn locking(&self, _: bool) -> &'static str {
        ""
    }

    fn is_about_to_wait(&self, _: i64) -> Result<()> {
        self.seen.set(self.version()?);
        Ok(())
    }

    fn wait(&self, wait: Duration) -> Result<()> {
        let until = Instant::now() + wait;
        while self.version()? == self.seen.get() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(left.min(LOOK_PAUSE));
        }
        Ok(())
    }

    fn check_pages(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.each("PRAGMA integrity_check(20)", &[], &mut |row| {
            found.push(row.string(0)?);
            Ok(())
        })?;
        found.retain(|said| said != "ok");
        Ok(found)
    }

    fn skipping(&self) -> &'static str {
        ""
    }

    fn among(&self, query: &str) -> String {
        format!("IN ({query})")
    }

    fn apart(&self) -> &'static str {
        ""
    }

    fn horizon(&self, _: i64) -> Result<i64> {
        Ok(i64::MAX)
    }

    fn size(&self) -> Result<u64> {
        let mut size = 0;
        let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
        self.each(sql, &[], &mut |row| {
            size = u64::try_from(row.int(0)?).unwrap_or(0);
            Ok(())
        })?;
        Ok(size)
    }

    fn optimize(&self) -> Result<()> {
        self.batch("VACUUM; ANALYZE; PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// Here a statement is carried out the same way however large a table is.
    fn take_stock(&self) -> Result<()> {
        Ok(())
    }

    fn reconnect(&self) -> Result<()> {
        Ok(())
    }
}
