//! PostgreSQL: one database for many projects and many hosts.
//!
//! Everything is an unnamed statement in a single or an explicit transaction, and nothing is
//! remembered in a session, so that a pooler may stand in between.

mod address;
mod link;
#[cfg(test)]
mod tests;
mod tls;
mod together;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};

use self::address::{Address, Surroundings};
use self::link::Link;
use self::together::{Answer, Sent, all, columns};
use crate::Result;
use crate::error::StoreError;
use crate::sql::schema::{TABLES, Types};
use crate::sql::{
    Columns, Connection, Now, Question, RECONNECT_MAX, RECONNECT_PAUSE, Rows, Sharing, Value,
};

/// Older ones lack what the order of events is told by.
const VERSION_MIN: u32 = 14;

/// How many rows one statement inserts.
const ROWS_TOGETHER: usize = 2500;

/// How many statements are put off until somebody waits for an answer.
const PUT_OFF_MAX: usize = 32;

/// How long one waits for what somebody else is writing.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(20);

/// How long a writer may be silent in the middle of writing before the server gives it up: one that
/// was stopped, or whose host is gone, holds nobody up for longer.
const SILENT_MAX: Duration = Duration::from_secs(15);

/// How long the server may take for one answer. It gives up waiting for others much earlier, so one
/// that takes longer has stopped.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// What the locks of this program are told by from those of others.
const LOCKS: i32 = 0x6d73;
const QUEUES: i32 = 0x6d74;
const MIGRATING: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
     SELECT pg_advisory_xact_lock(28019, 0)";

/// How often one looks whether anything has happened: when the server tells so, in case it did not.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
const LISTEN_PAUSE: Duration = Duration::from_secs(5);

const PATHS: i32 = 0x6d76;

pub struct Postgres {
    link: RefCell<Option<Link>>,
    /// What begins, while it is not sent yet: it goes together with the first question.
    beginning: RefCell<Option<Sent>>,
    /// What is to be written: it goes together with what is asked next, or with what keeps it.
    put_off: RefCell<Vec<Sent>>,
    address: Address,
    answer_max: Duration,
    /// Where one may listen, if anywhere: no pooler may stand in between.
    listening: Option<Address>,
    listener: RefCell<Option<Link>>,
}

impl Postgres {
    /// Connects, with some patience for a server that is just being started.
    pub fn open(url: &str) -> Result<Self> {
        let address = Address::of(url, &Surroundings::of_this_process())?;
        let started = Instant::now();
        loop {
            match link(&address) {
                Err(StoreError::ConnectionLost(_)) if started.elapsed() < RECONNECT_MAX => {
                    std::thread::sleep(RECONNECT_PAUSE);
                }
                linked => {
                    let link = linked?;
                    let link = RefCell::new(Some(link));
                    return Ok(Self {
                        link,
                        beginning: RefCell::default(),
                        put_off: RefCell::default(),
                        address,
                        answer_max: ANSWER_MAX,
                        listening: None,
                        listener: RefCell::default(),
                    });
                }
            }
        }
    }

    /// Lets the server tell when something happens, on a connection of its own.
    pub fn listening(self, url: &str) -> Result<Self> {
        let listening = Some(Address::of(url, &Surroundings::of_this_process())?);
        Ok(Self { listening, ..self })
    }

    /// What begins to write. What an administrator has set for sessions does not change what a
    /// transaction means here.
    fn beginning(then: &str) -> Sent {
        let wait = LOCK_WAIT_MAX.as_millis();
        Sent::Batch(format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {wait}; {then}"
        ))
    }

    /// Nothing is written, or kept, before it is known that it has begun: by itself it would be
    /// kept at once.
    fn has_begun(&self) -> Result<()> {
        if self.beginning.borrow().is_some() { self.together(Vec::new()).map(drop) } else { Ok(()) }
    }

    fn put_off(&self, write: Sent) -> Result<()> {
        self.has_begun()?;
        self.put_off.borrow_mut().push(write);
        let is_much = self.put_off.borrow().len() >= PUT_OFF_MAX;
        if is_much { self.settle() } else { Ok(()) }
    }

    /// Sends these after all that was put off, without waiting in between. What went wrong first is
    /// what is said: all that comes after it fails because of it.
    fn together(&self, sent: Vec<Sent>) -> Result<Vec<Answer>> {
        let mut all_sent: Vec<Sent> = self.beginning.take().into_iter().collect();
        all_sent.append(&mut self.put_off.borrow_mut());
        let before = all_sent.len();
        all_sent.extend(sent);
        let answers = self.ask(async |client| {
            let answers = all_sent.iter().map(|sent| Box::pin(sent.to(client)));
            all(answers.collect()).await.into_iter().collect::<std::result::Result<Vec<_>, _>>()
        })?;
        Ok(answers.into_iter().skip(before).collect())
    }

    fn listen(&self, address: &Address, project: i64) -> Result<()> {
        let mut listener = self.listener.borrow_mut();
        if listener.as_ref().is_some_and(|listener| !listener.is_over()) {
            return Ok(());
        }
        let mut config = address.config.clone();
        config.application_name(channel(project));
        let (tls, name) = (address.tls.clone(), address.name.clone());
        let link = link(&Address { config, tls, name, ..*address })?;
        let sql = format!("LISTEN \"{}\"", channel(project));
        let asked = link.ask(self.answer_max, async |client| client.batch_execute(&sql).await);
        match asked {
            Some(answer) => answer.map_err(|error| failed(&address.name, &error))?,
            None => return Err(StoreError::ConnectionLost(address.name.clone())),
        }
        *listener = Some(link);
        Ok(())
    }

    fn failed(&self, error: &Error) -> StoreError {
        failed(&self.address.name, error)
    }

    /// Asks the server for something. One that does not answer is given up, and the connection with
    /// it: nobody could tell which question a late answer belongs to.
    fn ask<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> std::result::Result<T, Error>,
    ) -> Result<T> {
        let mut held = self.link.borrow_mut();
        let name = &self.address.name;
        let Some(link) = held.as_ref() else {
            return Err(StoreError::ConnectionLost(name.clone()));
        };
        let Some(answer) = link.ask(self.answer_max, work) else {
            *held = None;
            let seconds = self.answer_max.as_secs();
            let message = format!("{name}: it gave no answer for {seconds} s");
            return Err(StoreError::ConnectionLost(message));
        };
        answer.map_err(|error| failed(name, &error))
    }
}

/// What those that wait are called, and what they listen to.
fn channel(project: i64) -> String {
    format!("milestone watch {project}")
}

/// Tells those that listen, if there are any. Telling makes writers wait for one another, in all of
/// the server, so nobody is told in vain, and never as a part of what is being kept.
fn tell(project: i64) -> String {
    let channel = channel(project);
    format!(
        "SELECT pg_notify('{channel}', '') WHERE EXISTS \
         (SELECT FROM pg_stat_get_activity(NULL) WHERE application_name = '{channel}')"
    )
}

fn link(address: &Address) -> Result<Link> {
    let what = || address.name.clone();
    let linked = Link::new(address)
        .map_err(|source| StoreError::Database { what: what(), message: source.to_string() })?;
    let Some(linked) = linked else {
        let seconds = address.connect_max.as_secs();
        let message = format!("{}: it let nobody in for {seconds} s", address.name);
        return Err(StoreError::ConnectionLost(message));
    };
    let link = linked.map_err(|error| failed(&address.name, &error))?;
    match link.version() {
        Some(version) if version < VERSION_MIN => {
            let message = format!("it is PostgreSQL {version}; {VERSION_MIN} or later is needed");
            Err(StoreError::Database { what: what(), message })
        }
        _ => Ok(link),
    }
}

fn failed(name: &str, error: &Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => refused(name, said),
        None if is_lost(error) => {
            StoreError::ConnectionLost(format!("{name}: {}", innermost(error)))
        }
        None => StoreError::Database { what: name.to_owned(), message: innermost(error) },
    }
}

/// Whether the way to the server is gone, and not something the matter with what came over it.
fn is_lost(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let cause = source.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    // Certificates that do not convince come as such errors, too.
    let protected = |cause: &std::io::Error| {
        let inner = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.is_some()
            || cause.kind() == std::io::ErrorKind::InvalidData
            || cause.kind() == std::io::ErrorKind::InvalidInput
    };
    error.is_closed() || cause.is_some_and(|cause| !protected(cause))
}

fn innermost(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// What the server said is a matter of the moment: it goes down or comes up, it has no room for one
/// more, or it gave up on one who was silent.
const PASSING: &[&str] = &["57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "53300", "53200"];

fn refused(name: &str, said: &DbError) -> StoreError {
    let what = name.to_owned();
    let message = said.message().to_owned();
    let code = said.code();
    if *code == SqlState::UNIQUE_VIOLATION {
        return StoreError::Exists { path: what.into() };
    }
    if [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED].contains(code) {
        return StoreError::Stale;
    }
    if *code == SqlState::LOCK_NOT_AVAILABLE {
        let waited_ms = u64::try_from(LOCK_WAIT_MAX.as_millis()).unwrap_or(u64::MAX);
        return StoreError::Busy { holder: "another program".into(), waited_ms };
    }
    if *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        return StoreError::ReadOnly { what, message };
    }
    // Class 08 is about the connection itself, and is what a pooler says in the server's stead.
    if PASSING.contains(&code.code()) || code.code().starts_with("08") {
        return StoreError::ConnectionLost(format!("{what}: {message}"));
    }
    StoreError::Database { what, message }
}

struct Row<'a> {
    row: &'a tokio_postgres::Row,
    of: &'a Postgres,
}

impl Columns for Row<'_> {
    fn int(&self, column: usize) -> Result<i64> {
        let failed = |error: Error| self.of.failed(&error);
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

fn owned(values: &[Value<'_>]) -> Vec<Value<'static>> {
    values.iter().cloned().map(Value::owned).collect()
}

impl Connection for Postgres {
    fn types(&self) -> Types {
        Types {
            int: "BIGINT",
            bytes: "BYTEA",
            serial: "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            transaction: "BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint)",
            with_outlines: "",
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
        let question = Question { sql: sql.to_owned(), values: owned(values) };
        self.each_of(vec![question], row)
    }

    fn each_of(
        &self,
        questions: Vec<Question>,
        row: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()> {
        let sent =
            questions.into_iter().map(|Question { sql, values }| Sent::Question(sql, values));
        let answers = self.together(sent.collect())?;
        let mut rows = answers.iter().flat_map(Answer::rows);
        rows.try_for_each(|found| row(&Row { row: found, of: self }))
    }

    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        self.has_begun()?;
        let answers = self.together(vec![Sent::Write(sql.to_owned(), owned(values))])?;
        Ok(answers.first().map_or(0, Answer::changed))
    }

    fn write(&self, sql: String, values: Vec<Value<'static>>) -> Result<()> {
        self.put_off(Sent::Write(sql, values))
    }

    fn settle(&self) -> Result<()> {
        self.together(Vec::new()).map(drop)
    }

    fn has_table(&self, name: &str) -> Result<bool> {
        let mut there = 0;
        let sql = "SELECT (to_regclass($1) IS NOT NULL)::int";
        self.each(sql, &[name.into()], &mut |row| {
            there = row.int(0)?;
            Ok(())
        })?;
        Ok(there == 1)
    }

    fn batch(&self, sql: &str) -> Result<()> {
        self.together(vec![Sent::Batch(sql.to_owned())]).map(drop)
    }

    /// Each column goes over as one value, so that the statement is as short for many rows as it is
    /// for one.
    fn insert(&self, into: &str, mut rows: Rows, then: &str) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let places: Vec<String> = (1..=first.len()).map(|place| format!("${place}")).collect();
        let sql = format!("INSERT INTO {into} SELECT * FROM unnest({}){then}", places.join(", "));
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(ROWS_TOGETHER));
            self.put_off(Sent::Rows(sql.clone(), columns(rows)))?;
            rows = rest;
        }
        Ok(())
    }

    /// Whoever moves the project elsewhere waits for all that have begun.
    fn begin(&self, project: i64) -> Result<()> {
        let beginning = Self::beginning(&format!(
            "SET LOCAL idle_in_transaction_session_timeout = {}; \
             SELECT pg_advisory_xact_lock_shared({LOCKS}, {project}::int)",
            SILENT_MAX.as_millis(),
        ));
        self.put_off.take();
        self.beginning.replace(Some(beginning));
        Ok(())
    }

    /// Silent for as long as it takes to copy the project elsewhere.
    fn close(&self, project: i64) -> Result<()> {
        let then = format!("SELECT pg_advisory_xact_lock({LOCKS}, {project}::int)");
        self.beginning.replace(Some(Self::beginning(&then)));
        // It may have begun all the same, and would begin no more.
        self.has_begun().inspect_err(|_| self.roll_back())
    }

    fn begin_reading(&self) -> Result<()> {
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    }

    fn queue_for(&self, keys: &BTreeMap<i32, Sharing>) -> Result<()> {
        let lock = |(key, sharing): (&i32, &Sharing)| {
            let shared = if *sharing == Sharing::Shared { "_shared" } else { "" };
            format!("SELECT pg_advisory_xact_lock{shared}({PATHS}, {key})")
        };
        let locks: Vec<String> = keys.iter().map(lock).collect();
        self.put_off.borrow_mut().push(Sent::Batch(locks.join("; ")));
        Ok(())
    }

    fn queue(&self, project: i64) -> Result<()> {
        self.batch(&format!("SELECT pg_advisory_xact_lock({QUEUES}, {project}::int)"))
    }

    fn commit(&self, project: i64) -> Result<()> {
        self.has_begun().inspect_err(|_| self.roll_back())?;
        let tell = tell(project);
        let mut sent = self.put_off.take();
        sent.push(Sent::Batch("COMMIT".into()));
        self.ask(async |client| {
            let answers = sent.iter().map(|sent| Box::pin(sent.to(client))).collect();
            let mut kept = pin!(all(answers));
            let mut told = pin!(client.batch_execute(&tell));
            let mut is_sent = false;
            // All go together; what becomes of the last nobody waits for.
            let answers = poll_fn(|context| {
                let answers = kept.as_mut().poll(context);
                if !is_sent {
                    is_sent = true;
                    let _ = told.as_mut().poll(context);
                }
                answers
            });
            // After a write that failed the server keeps nothing, and says so only there.
            answers.await.into_iter().try_for_each(|answer| answer.map(drop))
        })
    }

    fn is_about_to_wait(&self, project: i64) -> Result<()> {
        match &self.listening {
            Some(address) => self.listen(address, project),
            None => Ok(()),
        }
    }

    fn wait(&self, wait: Duration) -> Result<()> {
        match self.listener.borrow().as_ref() {
            Some(listener) => listener.listen(wait.min(LISTEN_PAUSE)),
            None => std::thread::sleep(wait.min(LOOK_PAUSE)),
        }
        Ok(())
    }

    fn roll_back(&self) {
        self.put_off.take();
        if self.beginning.take().is_none() {
            // Without a connection there is nothing to take back.
            let _ = self.batch("ROLLBACK");
        }
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

    /// The few are known before the rows are looked for, which are then found by their keys and not
    /// by going through all.
    fn among(&self, query: &str) -> String {
        format!("= ANY (ARRAY({query}))")
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

    fn size(&self) -> Result<u64> {
        let mut size = 0;
        let sql = "SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c \
             WHERE c.relkind = 'r' AND c.relname LIKE 'milestone\\_%' AND pg_table_is_visible(c.oid)";
        self.each(sql, &[], &mut |row| {
            size = u64::try_from(row.int(0)?).unwrap_or(0);
            Ok(())
        })?;
        Ok(size)
    }

    /// Each by itself: it cannot be done within a transaction.
    fn optimize(&self) -> Result<()> {
        TABLES.iter().try_for_each(|table| self.batch(&format!("VACUUM (ANALYZE) {table}")))
    }

    /// Only the owner of the tables may; for others the server does it by itself before long.
    fn take_stock(&self) -> Result<()> {
        self.batch(&format!("ANALYZE {}", TABLES.join(", ")))
    }

    fn passes(&self, error: &StoreError) -> bool {
        // A server that takes no writes may be about to be one that does.
        matches!(error, StoreError::ConnectionLost(_) | StoreError::ReadOnly { .. })
    }

    fn reconnect(&self) -> Result<()> {
        self.beginning.take();
        self.put_off.take();
        let link = link(&self.address)?;
        self.link.replace(Some(link));
        Ok(())
    }
}
