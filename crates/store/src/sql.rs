//! A project kept in a database. One implementation serves every kind of database there is: what
//! differs between them stands behind [`Connection`].
//!
//! Tasks are kept by themselves and have versions of their own, so that many may work in one
//! milestone at once; a document without its tasks is another row.

mod check;
mod commit;
pub mod copy;
mod events;
mod made;
mod offers;
mod read;
pub mod schema;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use milestone_domain::command::Credential;
use milestone_domain::event::Recorded;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::past::Trail;
use milestone_domain::search::Query;
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{Claim, Problem, Scope};

use crate::error::StoreError;
use crate::files::text;
use crate::planted;
use crate::{
    Bases, Candidate, Change, ClaimFilter, Collided, Cursor, EventFilter, Looked, Mending, Noticed,
    Optimized, Page, Portion, Reading, Result, Searched, Source, Store, Turn,
};

/// How long a lost connection is sought again before that is an error.
pub(crate) const RECONNECT_MAX: Duration = Duration::from_secs(5);
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

/// A value that a statement is given.
#[derive(Debug, Clone)]
pub enum Value<'a> {
    Int(i64),
    Text(Cow<'a, str>),
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    pub fn owned(self) -> Value<'static> {
        match self {
            Self::Int(number) => Value::Int(number),
            Self::Text(text) => Value::Text(text.into_owned().into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into_owned().into()),
        }
    }
}

/// What is written into the columns of a table.
pub type Row = Vec<Value<'static>>;
pub type Rows = Vec<Row>;

/// What a database is asked together with other questions.
pub struct Question {
    pub sql: String,
    pub values: Vec<Value<'static>>,
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Int(i64::from(number))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// The columns of a row that a statement answers; what is not there is empty.
pub trait Columns {
    fn int(&self, column: usize) -> Result<i64>;
    fn text(&self, column: usize) -> Result<&str>;
    fn bytes(&self, column: usize) -> Result<&[u8]>;

    fn string(&self, column: usize) -> Result<String> {
        Ok(self.text(column)?.to_owned())
    }
}

/// A number that cannot be what we wrote is damage, and nothing to guess from.
fn number<T: TryFrom<i64>>(row: &dyn Columns, column: usize) -> Result<T> {
    let int = row.int(column)?;
    T::try_from(int).map_err(|_| {
        let message = format!("{int} is no number for its column {column}");
        StoreError::BadRow { table: "the database", message }
    })
}

fn milestone(row: &dyn Columns, column: usize) -> Result<MilestoneId> {
    number(row, column).map(MilestoneId)
}

/// The moment at which leases are judged.
pub struct Now {
    /// What tells the clock that is running from one that was started anew.
    pub boot: String,
    /// Milliseconds by that clock, in the database's own words.
    pub millis: String,
}

/// Whether others may have the same key at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    Shared,
    Alone,
}

/// One connection to a database, and what is special about its kind.
///
/// Parameters are written `$1`, `$2` and so on, and first appear in that order.
pub trait Connection {
    /// What the words of [`schema`] mean here: whole numbers and bytes.
    fn types(&self) -> schema::Types;

    fn each(
        &self,
        sql: &str,
        values: &[Value<'_>],
        row: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()>;

    /// Several questions at once, answered one after the other.
    fn each_of(
        &self,
        questions: Vec<Question>,
        row: &mut dyn FnMut(&dyn Columns) -> Result<()>,
    ) -> Result<()>;

    /// Answers how many rows it changed.
    fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64>;

    /// The same where nobody needs to know. It may be put off until something is asked, or until
    /// all is kept; what goes wrong is said then, and nothing is kept.
    fn write(&self, sql: String, values: Vec<Value<'static>>) -> Result<()>;

    /// Whether all that was written so far went well.
    fn settle(&self) -> Result<()>;

    fn has_table(&self, name: &str) -> Result<bool>;

    /// Several statements without parameters.
    fn batch(&self, sql: &str) -> Result<()>;

    /// Writes many rows: `into` is `table (columns)`, `then` what comes after the values.
    fn insert(&self, into: &str, rows: Rows, then: &str) -> Result<()>;

    /// Begins to write. From here until the end of it, nobody moves the project elsewhere.
    fn begin(&self, project: i64) -> Result<()>;

    /// The same, once all who have begun are done; nobody begins until the end of it.
    fn close(&self, project: i64) -> Result<()>;

    /// Begins to read what is of one moment.
    fn begin_reading(&self) -> Result<()>;

    /// Waits until nobody else has the same keys, or shares one that is not to be shared, until the
    /// end of what began. Everybody asks for them in their order.
    /// Like a write, this may be put off until something is asked.
    fn queue_for(&self, keys: &BTreeMap<i32, Sharing>) -> Result<()>;

    /// Waits until it is our turn among those that have lost a race, until the end of what began.
    fn queue(&self, project: i64) -> Result<()>;

    /// Keeps what began, and lets those know who wait for something to happen in the project.
    fn commit(&self, project: i64) -> Result<()>;

    /// From here on, what others write to the project ends [`wait`](Self::wait).
    fn is_about_to_wait(&self, project: i64) -> Result<()>;

    /// Waits until something may have happened, for `wait` at most; it may return earlier.
    fn wait(&self, wait: Duration) -> Result<()>;

    /// Leaves everything as it was before it began.
    fn roll_back(&self);

    fn now(&self) -> Now;

    /// What a query ends with whose rows nobody else may change, or may read in order to change
    /// them, until the end of what began.
    fn locking(&self, exclusively: bool) -> &'static str;

    /// What a query ends with whose rows of `o` are left out if somebody else holds them.
    fn skipping(&self) -> &'static str;

    /// What a key is compared with that is one of the few that a query gives.
    fn among(&self, query: &str) -> String;

    /// A condition on rows with a milestone and a number that holds for one transaction at a time:
    /// whoever comes second gets other rows, and nobody waits. Nothing where writers take turns.
    fn apart(&self) -> &'static str;

    /// Events of this transaction's number and of later ones may still come in between.
    fn horizon(&self, project: i64) -> Result<i64>;

    /// How many bytes the tables take.
    fn size(&self) -> Result<u64>;

    /// Gives back the room of what is gone.
    fn optimize(&self) -> Result<()>;

    /// Learns what has become of the tables after much was written: a server that takes them for
    /// empty goes through all of a table for one row.
    fn take_stock(&self) -> Result<()>;

    /// What is wrong with the database itself, where it can tell.
    fn check_pages(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Whether the same may go well in a moment, on a new connection.
    fn passes(&self, error: &StoreError) -> bool {
        matches!(error, StoreError::ConnectionLost(_))
    }

    /// Connects anew after the connection was lost; what had begun is gone.
    fn reconnect(&self) -> Result<()>;
}

/// A project in a database, as one process sees it.
pub struct Database<C> {
    pub(crate) connection: C,
    pub(crate) project: i64,
    settings: Settings,
    /// The schema of the database, where it is one that only newer programs write.
    newer: Option<i64>,
    /// Whether something has begun and is neither kept nor given up.
    begun: Cell<bool>,
    /// Whether nobody else begins on the same files until the end of what began.
    queued: Cell<bool>,
    turns: Cell<u32>,
    epoch: RefCell<Option<String>>,
    /// Whether the connection was lost while a change was being kept, and nobody knows yet.
    in_doubt: Cell<bool>,
}

impl<C: Connection> Database<C> {
    /// Makes a new, empty project in the database.
    pub fn make(connection: C, uuid: &str, settings: Settings) -> Result<Self> {
        if schema::find(&connection, uuid)?.project.is_none() {
            schema::migrate(&connection)?;
            let epoch = uuid::Uuid::now_v7().to_string();
            let sql = "INSERT INTO milestone_project (uuid, epoch, moved_to, given) \
                       VALUES ($1, $2, '', '{}') ON CONFLICT (uuid) DO NOTHING";
            connection.run(sql, &[uuid.into(), epoch.into()])?;
        }
        Self::open(connection, uuid, settings)
    }

    /// Opens a project that is there.
    pub fn open(connection: C, uuid: &str, settings: Settings) -> Result<Self> {
        let found = schema::find(&connection, uuid)?;
        let Some(project) = found.project else {
            return Err(StoreError::NoSuchProject { uuid: uuid.to_owned() });
        };
        Ok(Self {
            connection,
            project: project.id,
            settings,
            newer: found.newer,
            begun: Cell::new(false),
            queued: Cell::new(false),
            turns: Cell::new(0),
            epoch: RefCell::new(Some(project.epoch)),
            in_doubt: Cell::new(false),
        })
    }

    fn one<T>(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut read: impl FnMut(&dyn Columns) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.connection.each(sql, values, &mut |row| {
            found = Some(read(row)?);
            Ok(())
        })?;
        Ok(found)
    }

    /// The milestones that a query gives.
    fn ids_by(&self, sql: &str) -> Result<BTreeSet<MilestoneId>> {
        let mut ids = BTreeSet::new();
        self.connection.each(sql, &[], &mut |row| {
            ids.insert(milestone(row, 0)?);
            Ok(())
        })?;
        Ok(ids)
    }

    fn begin(&self) -> Result<()> {
        self.check_writable()?;
        if !self.begun.get() {
            self.connection.begin(self.project)?;
            self.begun.set(true);
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<()> {
        self.newer.map_or(Ok(()), |schema| Err(schema::unwritable(schema)))
    }

    /// Keeps what began.
    fn keep(&self) -> Result<()> {
        self.begun.set(false);
        self.queued.set(false);
        let kept = self.connection.commit(self.project);
        if matches!(kept, Err(StoreError::ConnectionLost(_))) {
            self.in_doubt.set(true);
        }
        kept
    }

    /// Keeps what began if all went well and there is something to keep; else nothing of it stays.
    fn keep_if<T>(&self, done: Result<T>, is_kept: impl FnOnce(&T) -> bool) -> Result<T> {
        match done {
            Ok(done) if is_kept(&done) => self.keep().map(|()| done),
            other => {
                self.roll_back();
                other
            }
        }
    }

    fn roll_back(&self) {
        self.queued.set(false);
        if self.begun.replace(false) {
            self.connection.roll_back();
        }
    }

    /// Does something, again if the connection was lost: a server that was started anew is back
    /// within seconds. What `work` does is safe to do twice.
    fn connected<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        let mut lost: Option<Instant> = None;
        loop {
            match work() {
                Err(error) if self.connection.passes(&error) => {
                    self.connect_again(*lost.get_or_insert_with(Instant::now), error)?;
                }
                result => return result,
            }
        }
    }

    fn connect_again(&self, lost: Instant, mut error: StoreError) -> Result<()> {
        self.begun.set(false);
        self.queued.set(false);
        while lost.elapsed() < RECONNECT_MAX {
            std::thread::sleep(RECONNECT_PAUSE);
            match self.connection.reconnect() {
                Err(again) if self.connection.passes(&again) => error = again,
                result => return result,
            }
        }
        Err(error)
    }

    /// Nothing is written to a project that has moved elsewhere.
    fn check_seal(&self) -> Result<()> {
        match self.sealed_to()? {
            Some(to) if to.is_empty() || planted::has("seal-not-checked") => Ok(()),
            _ => Err(StoreError::Moved),
        }
    }

    /// Where the project has gone; empty while it is here.
    fn sealed_to(&self) -> Result<Option<String>> {
        let sql = "SELECT moved_to FROM milestone_project WHERE id = $1";
        self.one(sql, &[self.project.into()], |row| row.string(0))
    }

    fn events_of(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        let sql = format!(
            "SELECT body FROM milestone_event WHERE project = {} AND milestone = {} ORDER BY seq",
            self.project, id.0
        );
        let mut events = Vec::new();
        self.connection.each(&sql, &[], &mut |row| {
            events.push(events::recorded(row.text(0)?)?);
            Ok(())
        })?;
        Ok(events)
    }

    fn renew_once(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.begin()?;
        self.keep_if(self.renewed(task, credential, lease), Option::is_some)
    }
}

/// Held while a command has its turn.
struct DatabaseTurn<'a, C: Connection> {
    database: &'a Database<C>,
}

impl<C: Connection> Turn for DatabaseTurn<'_, C> {}

impl<C: Connection> Drop for DatabaseTurn<'_, C> {
    fn drop(&mut self) {
        let turns = self.database.turns.get() - 1;
        self.database.turns.set(turns);
        if turns == 0 {
            self.database.roll_back();
        }
    }
}

impl<C: Connection> Store for Database<C> {
    fn read(&self, scope: &Scope) -> Result<Reading> {
        let snapshot = self.connected(|| self.read_scope(scope))?;
        Ok(Reading { snapshot, noticed: Vec::new() })
    }

    fn turn(&self, tried: u32) -> Result<Box<dyn Turn + '_>> {
        if tried > 0 && !planted::has("queue-skipped") {
            self.connected(|| {
                self.begin()?;
                let queued = self.connection.queue(self.project);
                if queued.is_err() {
                    self.roll_back();
                }
                queued
            })?;
        }
        self.turns.set(self.turns.get() + 1);
        Ok(Box::new(DatabaseTurn { database: self }))
    }

    fn commit(&self, change: &Change) -> Result<()> {
        self.in_doubt.set(false);
        let kept = match self.connected(|| self.commit_once(change)) {
            // An earlier try, on a connection that was lost, may have come through after all.
            Err(StoreError::Exists { .. }) if self.connected(|| self.knows(change))? => Ok(()),
            kept => kept,
        };
        match kept {
            Err(StoreError::ConnectionLost(reason)) if self.in_doubt.take() => {
                Err(StoreError::OutcomeUnknown(std::io::Error::other(reason)))
            }
            known => known,
        }
    }

    /// Nobody edits what is in a database by hand.
    fn accept(&self, _: &Noticed) -> Result<()> {
        Ok(())
    }

    fn candidates(&self, n: usize, filter: &ClaimFilter) -> Result<Option<Vec<Candidate>>> {
        self.connected(|| self.offered(n, filter)).map(Some)
    }

    fn queue(&self, paths: &[String]) -> Result<()> {
        self.connected(|| {
            self.begin()?;
            self.connection.queue_for(&self.keys(paths))?;
            self.queued.set(true);
            Ok(())
        })
    }

    fn withdraw(&self, looked: &[Looked]) -> Result<()> {
        self.connected(|| self.withdraw_all(looked))
    }

    fn renew(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.connected(|| self.renew_once(task, credential, lease))
    }

    fn events(&self, after: Option<&Cursor>, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.connected(|| self.page(after, filter, limit))
    }

    fn wait(&self, after: &Cursor, wait: Duration) -> Result<()> {
        let until = Instant::now() + wait;
        loop {
            let happened = self.connected(|| {
                // Nothing more happens in a project that has moved elsewhere.
                self.check_seal()?;
                self.connection.is_about_to_wait(self.project)?;
                Ok(!self.page(Some(after), &EventFilter::default(), 1)?.events.is_empty())
            })?;
            let left = until.saturating_duration_since(Instant::now());
            if happened || left.is_zero() {
                return Ok(());
            }
            self.connection.wait(left)?;
        }
    }

    fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        self.connected(|| self.events_of(id))
    }

    fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>> {
        self.connected(|| self.trails_of(ids))
    }

    fn search(&self, query: &Query) -> Result<Searched> {
        let found = self.connected(|| self.find(query))?;
        Ok(Searched { found, ..Searched::default() })
    }

    fn text(&self, id: MilestoneId) -> Result<Option<String>> {
        let snapshot = self.connected(|| self.documents(BTreeSet::from([id])))?;
        let Some(document) = snapshot.documents.get(&id) else { return Ok(None) };
        let sql = format!(
            "SELECT text FROM milestone_document WHERE project = {} AND id = {}",
            self.project, id.0
        );
        let kept = self.connected(|| self.one(&sql, &[], |row| row.string(0)))?;
        match kept.filter(|text| !text.is_empty()) {
            Some(kept) => text::saying(&id.file_name(), &kept, document).map(Some),
            None => Ok(Some(text::write(document, self.settings.document_progress))),
        }
    }

    fn check(&self) -> Result<Vec<Problem>> {
        self.connected(|| self.check_all())
    }

    fn mend(&self, _: Bases<'_>) -> Result<Mending> {
        self.connected(|| self.mend_all())
    }

    fn collisions(&self) -> Result<Vec<Collided>> {
        Ok(Vec::new())
    }

    fn optimize(&self) -> Result<Optimized> {
        let before = self.connection.size()?;
        self.connection.optimize()?;
        Ok(Optimized { before, after: self.connection.size()? })
    }

    fn export(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        self.export_once(each)
    }

    fn import(&self, source: Source<'_>) -> Result<()> {
        self.connected(|| self.import_once(source))
    }
}
