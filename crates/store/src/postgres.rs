//! PostgreSQL: one database for many projects and many hosts.
//!
//! Everything is an unnamed statement in a single or an explicit transaction, and nothing is
//! remembered in a session, so that a pooler may stand in between.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::{ToSql, Type};
use postgres::{Client, Config, NoTls};

use crate::Result;
use crate::error::StoreError;
use crate::sql::schema::Types;
use crate::sql::{Columns, Connection, Now, Sharing, Value};

/// Older ones lack what the order of events is told by.
const VERSION_MIN: i64 = 140_000;

/// How many values one statement may have.
const VALUES_MAX: usize = 30_000;

/// What the locks of this program are told by from those of others.
const LOCKS: i32 = 0x6d73;
const QUEUES: i32 = 0x6d74;
const PATHS: i32 = 0x6d76;
const MIGRATING: &str = "BEGIN; SELECT pg_advisory_xact_lock(28019, 0)";

pub struct Postgres {
    client: RefCell<Client>,
    config: Config,
    /// What the server is called in messages: without its password.
    name: String,
}

impl Postgres {
    pub fn open(url: &str) -> Result<Self> {
        let mut config: Config = url.parse().map_err(|_| StoreError::Configuration {
            setting: "storage.postgres_url".into(),
            message: "it is not a URL such as postgres://user@host/database".into(),
        })?;
        if config.get_application_name().is_none() {
            config.application_name("milestone");
        }
        let name = name(&config);
        let client = connect(&config, &name)?;
        let this = Self { client: RefCell::new(client), config, name };
        this.check_version()?;
        Ok(this)
    }

    fn check_version(&self) -> Result<()> {
        let mut version = 0;
        self.each("SELECT current_setting('server_version_num')::bigint", &[], &mut |row| {
            version = row.int(0)?;
            Ok(())
        })?;
        if version >= VERSION_MIN {
            return Ok(());
        }
        let message = format!("it is PostgreSQL {}; 14 or later is needed", version / 10_000);
        Err(StoreError::Database { what: self.name.clone(), message })
    }

    fn failed(&self, error: &postgres::Error) -> StoreError {
        failed(&self.name, error)
    }
}

/// Where it is, for people: never with a password.
fn name(config: &Config) -> String {
    let mut name = "PostgreSQL at ".to_owned();
    match config.get_hosts().first() {
        Some(postgres::config::Host::Tcp(host)) => name.push_str(host),
        Some(postgres::config::Host::Unix(path)) => {
            let _ = write!(name, "{}", path.display());
        }
        None => name.push_str("localhost"),
    }
    if let Some(port) = config.get_ports().first() {
        let _ = write!(name, ":{port}");
    }
    let _ = write!(name, "/{}", config.get_dbname().unwrap_or_default());
    name
}

fn connect(config: &Config, name: &str) -> Result<Client> {
    config.connect(NoTls).map_err(|error| failed(name, &error))
}

fn failed(name: &str, error: &postgres::Error) -> StoreError {
    let what = name.to_owned();
    let Some(said) = error.as_db_error() else {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        let message = cause.unwrap_or_else(|| error.to_string());
        return StoreError::ConnectionLost(format!("{what}: {message}"));
    };
    let message = said.message().to_owned();
    let code = said.code();
    if *code == SqlState::UNIQUE_VIOLATION {
        return StoreError::Exists { path: what.into() };
    }
    if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
        return StoreError::Stale;
    }
    // The server is going down or coming up, or has no room for one more.
    let passing = ["57P01", "57P02", "57P03", "53300", "25006", "08006", "08001", "08004"];
    if passing.contains(&code.code()) {
        return StoreError::ConnectionLost(format!("{what}: {message}"));
    }
    StoreError::Database { what, message }
}

struct Row<'a> {
    row: &'a postgres::Row,
    of: &'a Postgres,
}

impl Columns for Row<'_> {
    fn int(&self, column: usize) -> Result<i64> {
        let failed = |error| self.of.failed(&error);
        match *self.row.columns()[column].type_() {
            Type::INT2 => self.row.try_get::<_, i16>(column).map(i64::from).map_err(failed),
            Type::INT4 => self.row.try_get::<_, i32>(column).map(i64::from).map_err(failed),
            _ => self.row.try_get(column).map_err(failed),
        }
    }

    fn text(&self, column: usize) -> Result<&str> {
        self.row.try_get(column).map_err(|error| self.of.failed(&error))
    }

    fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.row.try_get(column).map_err(|error| self.of.failed(&error))
    }
}

fn typed<'a>(value: &'a Value<'_>) -> (Box<dyn ToSql + Sync + 'a>, Type) {
    match value {
        Value::Int(number) => (Box::new(*number), Type::INT8),
        Value::Text(text) => (Box::new(text.as_ref()), Type::TEXT),
        Value::Bytes(bytes) => (Box::new(bytes.as_ref()), Type::BYTEA),
    }
}

impl Connection for Postgres {
    fn types(&self) -> Types {
        Types {
            int: "BIGINT",
            bytes: "BYTEA",
            serial: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            transaction: "BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)",
            strict: "",
            migrating: MIGRATING,
        }
    }

    fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        row: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        let values: Vec<_> = values.iter().map(typed).collect();
        let mut client = self.client.borrow_mut();
        let values = values.iter().map(|(value, of)| (value.as_ref(), of.clone()));
        let rows = client.query_typed_raw(sql, values);
        let mut rows = rows.map_err(|error| self.failed(&error))?;
        while let Some(found) = rows.next().map_err(|error| self.failed(&error))? {
            row(&Row { row: &found, of: self })?;
        }
        Ok(())
    }

    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let values: Vec<_> = values.iter().map(typed).collect();
        let values: Vec<(&(dyn ToSql + Sync), Type)> =
            values.iter().map(|(value, of)| (value.as_ref(), of.clone())).collect();
        let changed = self.client.borrow_mut().execute_typed(sql, &values);
        changed.map_err(|error| self.failed(&error))
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.client.borrow_mut().batch_execute(sql).map_err(|error| self.failed(&error))
    }

    fn insert(&self, into: &str, rows: &[Vec<Value<'_>>], then: &str) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        for rows in rows.chunks((VALUES_MAX / first.len()).max(1)) {
            let mut sql = format!("INSERT INTO {into} VALUES ");
            let mut place = 0;
            for row in rows {
                sql.push_str(if place == 0 { "(" } else { ", (" });
                for column in 0..row.len() {
                    place += 1;
                    let _ = write!(sql, "{}${place}", if column == 0 { "" } else { ", " });
                }
                sql.push(')');
            }
            sql.push_str(then);
            let values: Vec<Value<'_>> = rows.iter().flatten().cloned().collect();
            self.run(&sql, &values)?;
        }
        Ok(())
    }

    /// Whoever moves the project elsewhere waits for all that have begun.
    fn begin(&self, project: i64) -> Result<()> {
        self.batch(&format!("BEGIN; SELECT pg_advisory_xact_lock_shared({LOCKS}, {project}::int)"))
    }

    fn queue_for(&self, keys: &BTreeMap<i32, Sharing>) -> Result<()> {
        let lock = |(key, sharing): (&i32, &Sharing)| {
            let shared = if *sharing == Sharing::Shared { "_shared" } else { "" };
            format!("SELECT pg_advisory_xact_lock{shared}({PATHS}, {key})")
        };
        let locks: Vec<String> = keys.iter().map(lock).collect();
        self.batch(&locks.join("; "))
    }

    fn queue(&self, project: i64) -> Result<()> {
        self.batch(&format!("SELECT pg_advisory_xact_lock({QUEUES}, {project}::int)"))
    }

    fn commit(&self) -> Result<()> {
        self.batch("COMMIT")
    }

    fn roll_back(&self) {
        // Without a connection there is nothing to take back.
        let _ = self.batch("ROLLBACK");
    }

    fn now(&self) -> Now {
        let millis = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
        Now { boot: "server".into(), millis: millis.into() }
    }

    fn locking(&self, exclusively: bool) -> &'static str {
        if exclusively { " FOR UPDATE" } else { " FOR SHARE" }
    }

    fn skipping(&self) -> &'static str {
        " FOR UPDATE OF o SKIP LOCKED"
    }

    /// A lock that is only ever tried, and apart from all rows: rows of offers are written last of
    /// all, and one that is held from the first look on would make two wait for each other.
    fn apart(&self) -> &'static str {
        " WHERE pg_try_advisory_xact_lock(28021, ((milestone * 65599 + number) % 2147483647)::int)"
    }

    /// The first transaction of this project that is not over: whatever else goes on in the
    /// server, an idle transaction of somebody else included, holds no follower back.
    fn horizon(&self, project: i64) -> Result<i64> {
        let sql = format!(
            "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint, \
               COALESCE((SELECT MAX(age(tx.transactionid)) FROM pg_locks AS held \
                 JOIN pg_locks AS tx ON tx.pid = held.pid AND tx.locktype = 'transactionid' \
                   AND tx.mode = 'ExclusiveLock' \
                 WHERE held.locktype = 'advisory' AND held.classid = {LOCKS} \
                   AND held.objid = {project} AND held.objsubid = 2 \
                   AND held.database = (SELECT oid FROM pg_database \
                     WHERE datname = current_database())), 0)::bigint"
        );
        let mut horizon = 0;
        self.each(&sql, &[], &mut |row| {
            horizon = row.int(0)? - row.int(1)?;
            Ok(())
        })?;
        Ok(horizon)
    }

    fn reconnect(&self) -> Result<()> {
        let client = connect(&self.config, &self.name)?;
        self.client.replace(client);
        Ok(())
    }
}
