//! SQLite: one file beside the documents, for one host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags};

use crate::Result;
use crate::error::StoreError;
use crate::files::boot;
use crate::sql::schema::Types;
use crate::sql::{Columns, Connection, Now, Value};

/// Older ones can damage a database that two connections write to.
const VERSION_MIN: i32 = 3_051_003;

/// How many statements are kept ready.
const STATEMENTS: usize = 64;

pub struct Sqlite {
    connection: rusqlite::Connection,
    file: PathBuf,
    wait: Duration,
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
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let opened = rusqlite::Connection::open_with_flags(file, flags);
        let connection = opened.map_err(|error| failed(file, wait, error))?;
        let this = Self { connection, file: file.to_owned(), wait };
        this.connection.set_prepared_statement_cache_capacity(STATEMENTS);
        this.connection.busy_timeout(wait).map_err(|error| this.failed(error))?;
        this.batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF; \
             PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
        )?;
        if crate::planted::has("sqlite-not-synced") {
            this.batch("PRAGMA synchronous = OFF")?;
        }
        Ok(this)
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        failed(&self.file, self.wait, error)
    }
}

fn named(file: &Path) -> String {
    file.display().to_string()
}

fn failed(file: &Path, wait: Duration, error: rusqlite::Error) -> StoreError {
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy {
            holder: "another process".into(),
            waited_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        },
        Some(ErrorCode::ConstraintViolation) => StoreError::Exists { path: file.to_owned() },
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Corrupt { path: file.to_owned(), message }
        }
        _ => StoreError::Database { what: named(file), message },
    }
}

struct Row<'a, 'b> {
    row: &'a rusqlite::Row<'b>,
    of: &'a Sqlite,
}

impl Row<'_, '_> {
    fn value(&self, column: usize) -> Result<ValueRef<'_>> {
        self.row.get_ref(column).map_err(|error| self.of.failed(error))
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
        let failed = |error| self.failed(error);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values)).map_err(failed)?;
        while let Some(found) = rows.next().map_err(failed)? {
            row(&Row { row: found, of: self })?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let failed = |error| self.failed(error);
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let changed = statement.execute(rusqlite::params_from_iter(values)).map_err(failed)?;
        Ok(changed as u64)
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.connection.execute_batch(sql).map_err(|error| self.failed(error))
    }

    fn insert(&self, into: &str, rows: &[Vec<Value<'_>>], then: &str) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let places: Vec<String> = (1..=first.len()).map(|place| format!("${place}")).collect();
        let sql = format!("INSERT INTO {into} VALUES ({}){then}", places.join(", "));
        rows.iter().try_for_each(|row| self.run(&sql, row).map(drop))
    }

    fn begin(&self, _: i64) -> Result<()> {
        self.batch("BEGIN IMMEDIATE")
    }

    fn close(&self, project: i64) -> Result<()> {
        self.begin(project)
    }

    fn begin_reading(&self) -> Result<()> {
        self.batch("BEGIN")
    }

    /// There is one writer at a time, and that is whoever has begun.
    fn queue(&self, _: i64) -> Result<()> {
        Ok(())
    }

    /// A failed one may be found in the log by whoever opens the database next.
    fn commit(&self) -> Result<()> {
        self.batch("COMMIT").map_err(|error| match error {
            StoreError::Database { message, .. } => {
                StoreError::OutcomeUnknown(std::io::Error::other(message))
            }
            other => other,
        })
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            let _ = self.batch("ROLLBACK");
        }
    }

    fn now(&self) -> Now {
        let now = boot::now();
        Now { boot: now.boot, millis: now.millis.to_string() }
    }

    fn locking(&self, _: bool) -> &'static str {
        ""
    }

    fn horizon(&self, _: i64) -> Result<i64> {
        Ok(i64::MAX)
    }

    fn damage(&self) -> Result<Option<String>> {
        let mut said = None;
        self.each("PRAGMA integrity_check(1)", &[], &mut |row| {
            said = Some(row.string(0)?);
            Ok(())
        })?;
        Ok(said.filter(|said| said != "ok"))
    }

    fn reconnect(&self) -> Result<()> {
        Ok(())
    }
}
