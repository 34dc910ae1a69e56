//! Where a project is kept, found out anew whenever somebody opens it.

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use milestone_domain::ids::Uid;
use milestone_domain::settings::Settings;

use crate::config::{self, PROJECT_FILE};
use crate::error::StoreError;
use crate::files::Files;
use crate::files::disk::Disk;
use crate::local::Local;
use crate::pointer::{self, Left, Pointer, StoreKind};
use crate::postgres::Postgres;
use crate::snapshot_only::SnapshotOnly;
use crate::sql::Database;
use crate::sql::copy::{COPYING, Movable};
use crate::sqlite::Sqlite;
use crate::{Result, Store};

/// The database beside the documents. Each time that a project comes into SQLite it is another
/// file: who still has an earlier one open looks for its log by its name.
pub fn database(project: Uid) -> String {
    format!("data/milestones-{}.db", project.0.simple())
}

/// Whether that is the name of such a database, or of what belongs to one.
pub(crate) fn is_database(name: &str) -> bool {
    name.starts_with("milestones-") && name.contains(".db")
}

/// Where what cannot be used is kept.
const SET_ASIDE: &str = "data/kept";

/// How often a project that moves on is followed.
const FOLLOWED_MAX: u32 = 8;

/// How often somebody looks whether a move has come to its end.
const SETTLE_PAUSE: Duration = Duration::from_millis(3);

/// A URL with a password in it: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

/// What a person is to be told about how a project was opened.
#[derive(Debug, Clone, Default)]
pub struct Told(Rc<RefCell<Vec<String>>>);

impl Told {
    pub fn take(&self) -> Vec<String> {
        self.0.take()
    }
}

/// A project's folder, and what its settings say about where it is kept.
#[derive(Debug, Clone)]
pub struct Place {
    /// The `.milestones` folder.
    pub root: PathBuf,
    pub settings: Settings,
    pub lock_wait: Duration,
    pub postgres: Option<DatabaseUrl>,
    /// Where the server itself is, if a pooler stands at the other place.
    pub listen: Option<DatabaseUrl>,
    /// The project of a PostgreSQL database that everybody shares who has this repository.
    pub shared: Option<Uid>,
    /// Where somebody has said that the project is to be kept.
    pub wished: Option<StoreKind>,
    /// Whether documents are kept current beside a database; where nobody says so, beside SQLite.
    pub mirror: Option<bool>,
    pub told: Told,
}

impl Place {
    /// A place of which nobody has said anything.
    pub fn new(root: PathBuf, settings: Settings, lock_wait: Duration) -> Self {
        Self {
            root,
            settings,
            lock_wait,
            postgres: None,
            listen: None,
            shared: None,
            wished: None,
            mirror: None,
            told: Told::default(),
        }
    }

    pub(crate) fn disk(&self) -> Disk {
        Disk::new(self.root.clone())
    }

    pub(crate) fn files(&self) -> Files {
        Files::open(self.root.clone(), self.settings.clone(), self.lock_wait)
    }

    /// Whether documents are kept current beside such a store.
    pub fn mirrors(&self, kind: StoreKind) -> bool {
        match kind {
            StoreKind::Files => false,
            StoreKind::Sqlite => self.mirror.unwrap_or(true),
            StoreKind::Postgres => self.mirror.unwrap_or(false),
        }
    }

    /// What keeps the project now.
    pub fn kind(&self) -> Result<StoreKind> {
        Ok(pointer::read(&self.disk())?.map_or(StoreKind::Files, |pointer| pointer.store))
    }

    /// Opens the project where it is.
    pub fn open(&self) -> Result<Box<dyn Store>> {
        let mut pointer = pointer::read(&self.disk())?;
        for _ in 0..FOLLOWED_MAX {
            let error = match self.open_at(pointer) {
                Ok(store) => return Ok(store),
                Err(error) => error,
            };
            // It may have moved on since we were told where it is.
            let now = pointer::read(&self.disk())?;
            if now == pointer {
                return Err(error);
            }
            pointer = now;
        }
        Err(StoreError::Moved)
    }

    fn open_at(&self, pointer: Option<Pointer>) -> Result<Box<dyn Store>> {
        let store = pointer.map_or(StoreKind::Files, |pointer| pointer.store);
        let shared = self.shared_now()?;
        if self.postgres.is_none() && (store == StoreKind::Postgres || shared.is_some()) {
            return Ok(Box::new(SnapshotOnly::new(self.files())));
        }
        if let Some(project) = shared.filter(|_| store != StoreKind::Postgres) {
            let there = Pointer { store: StoreKind::Postgres, project };
            if !self.has_left(there)? {
                // Others have moved it where all who have this repository share it.
                let conflicts = crate::moving::join(self, there)?;
                self.told.0.borrow_mut().extend(conflicts);
                return Ok(Box::new(self.local(there)?));
            }
        }
        match pointer {
            Some(pointer) if store != StoreKind::Files => Ok(Box::new(self.local(pointer)?)),
            _ => Ok(Box::new(self.files())),
        }
    }

    /// The shared project as the settings name it now: a move may have changed them since this
    /// process began.
    pub(crate) fn shared_now(&self) -> Result<Option<Uid>> {
        if self.shared.is_none() {
            return Ok(None);
        }
        let text = self.disk().read(PROJECT_FILE)?.unwrap_or_default();
        Ok(config::shared(&String::from_utf8_lossy(&text)))
    }

    /// Whether it is this clone that has moved the project out of the shared database, and was
    /// interrupted before its settings said so. They are corrected.
    fn has_left(&self, there: Pointer) -> Result<bool> {
        let Some(database) = self.movable(there)? else { return Ok(false) };
        let moved_to = database.moved_to()?;
        if moved_to.is_empty() || moved_to == COPYING {
            return Ok(false);
        }
        let left = left(&moved_to)?;
        if left.by != pointer::clone_id(&self.disk())? {
            return Err(StoreError::LeftForClone { store: left.to.store.word() });
        }
        let files = self.files().mirroring();
        match files.turn_within(Duration::ZERO) {
            Ok(_turn) if self.shared_now()? == Some(there.project) => {
                crate::moving::write_shared(&self.disk(), None)?;
            }
            // Whoever has the turn at this moment does it, or the next command.
            Ok(_) | Err(StoreError::Busy { .. } | StoreError::Io { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    pub(crate) fn local(&self, pointer: Pointer) -> Result<Local> {
        let mirrors = self.mirrors(pointer.store);
        if mirrors {
            // Somebody has turned that on since the page was written. Where it cannot be taken
            // away, nothing can be written at all.
            let _ = crate::moving::remove_page(&self.disk());
        }
        let database = self.movable(pointer)?.ok_or(StoreError::Moved)?;
        Ok(match pointer.store {
            StoreKind::Postgres => Local::shared(database, self.files(), mirrors),
            StoreKind::Files | StoreKind::Sqlite => Local::alone(database, self.files(), mirrors),
        })
    }

    /// The database that a pointer names, as a project leaves it or comes to it.
    pub(crate) fn movable(&self, pointer: Pointer) -> Result<Option<Box<dyn Movable>>> {
        let uuid = pointer.project.0.to_string();
        let settings = self.settings.clone();
        Ok(match pointer.store {
            StoreKind::Files => None,
            StoreKind::Sqlite => {
                Some(Box::new(Database::open(self.sqlite(pointer.project)?, &uuid, settings)?))
            }
            StoreKind::Postgres => {
                Some(Box::new(Database::open(self.postgres()?, &uuid, settings)?))
            }
        })
    }

    fn sqlite(&self, project: Uid) -> Result<Sqlite> {
        let file = self.root.join(database(project));
        // To open what is not there would make it.
        if !file.exists() {
            return Err(StoreError::NoSuchProject { uuid: project.0.to_string() });
        }
        Sqlite::open(&file, self.lock_wait)
    }

    pub(crate) fn postgres(&self) -> Result<Postgres> {
        let url = self.postgres.as_ref().ok_or(StoreError::NoUrl)?;
        let postgres = Postgres::open(&url.0)?;
        match &self.listen {
            Some(url) => postgres.listening(&url.0),
            None => Ok(postgres),
        }
    }

    /// Puts a database aside that cannot be used, whole, and goes on in the files beside it. Answers
    /// where it is kept; none where there is no such database, or the files are only a snapshot.
    pub fn set_aside_database(&self) -> Result<Option<PathBuf>> {
        let files = self.files().mirroring();
        let _turn = files.turn(0)?;
        let disk = self.disk();
        let pointer = pointer::read(&disk)?;
        let Some(pointer) = pointer.filter(|pointer| pointer.store == StoreKind::Sqlite) else {
            return Ok(None);
        };
        if !self.mirrors(StoreKind::Sqlite) {
            return Ok(None);
        }
        disk.make_folder(SET_ASIDE)?;
        let place = database(pointer.project);
        let name = place.rsplit('/').next().unwrap_or_default();
        for ending in ["", "-wal", "-shm"] {
            let part = format!("{place}{ending}");
            if disk.stamp(&part)?.is_some() {
                disk.rename(&part, &format!("{SET_ASIDE}/{name}{ending}"))?;
            }
        }
        pointer::write(&disk, &Pointer { store: StoreKind::Files, ..pointer })?;
        Ok(Some(disk.path(&format!("{SET_ASIDE}/{name}"))))
    }

    /// Finishes a move that was interrupted, or follows one that somebody else made. Whoever only
    /// follows does not wait among the writers.
    pub fn settle(&self) -> Result<()> {
        let files = self.files().mirroring();
        let started = Instant::now();
        while !self.is_settled()? {
            match files.turn_within(Duration::ZERO) {
                Ok(_turn) => return self.settle_in_turn(),
                Err(StoreError::Busy { .. }) if started.elapsed() < self.lock_wait => {}
                Err(error) => return Err(error),
            }
            std::thread::sleep(SETTLE_PAUSE);
        }
        Ok(())
    }

    fn is_settled(&self) -> Result<bool> {
        let Some(pointer) = pointer::read(&self.disk())? else { return Ok(true) };
        match self.movable(pointer) {
            Ok(None) => Ok(true),
            Ok(Some(database)) => Ok(database.moved_to()?.is_empty()),
            // It has moved on since we were told where it is.
            Err(_) if pointer::read(&self.disk())? != Some(pointer) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn settle_in_turn(&self) -> Result<()> {
        let disk = self.disk();
        for _ in 0..FOLLOWED_MAX {
            let Some(pointer) = pointer::read(&disk)? else { return Ok(()) };
            let Some(database) = self.movable(pointer)? else { return Ok(()) };
            let moved_to = database.moved_to()?;
            if moved_to.is_empty() {
                return Ok(());
            }
            if moved_to == COPYING {
                crate::moving::write_shared(&disk, Some(pointer))?;
                database.take_up()?;
                continue;
            }
            self.follow(&disk, &moved_to)?;
        }
        Err(StoreError::Moved)
    }

    fn follow(&self, disk: &Disk, moved_to: &str) -> Result<()> {
        let left = left(moved_to)?;
        if left.to.store != StoreKind::Postgres && left.by != pointer::clone_id(disk)? {
            if self.shared.is_some() {
                return Err(StoreError::LeftForClone { store: left.to.store.word() });
            }
            // What that clone has moved into its files has come here by git.
            let pointer = Pointer { store: StoreKind::Files, ..left.to };
            return pointer::write(disk, &pointer);
        }
        pointer::write(disk, &left.to)
    }
}

fn left(moved_to: &str) -> Result<Left> {
    serde_json::from_str(moved_to).map_err(|error| StoreError::BadRow {
        table: "milestone_project",
        message: error.to_string(),
    })
}
