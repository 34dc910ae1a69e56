//! Where a project is kept, found out anew whenever somebody opens it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use milestone_domain::ids::Uid;
use milestone_domain::settings::Settings;

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

/// The database beside the documents.
pub const DATABASE: &str = "data/milestones.db";

/// How often a project that moves on is followed.
const FOLLOWED_MAX: u32 = 8;

/// A URL with a password in it: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(pub String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
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
}

impl Place {
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
        let pointer = pointer::read(&self.disk())?;
        let store = pointer.map_or(StoreKind::Files, |pointer| pointer.store);
        match (pointer, self.shared) {
            _ if self.postgres.is_none() && self.is_shared(store) => {
                Ok(Box::new(SnapshotOnly::new(self.files())))
            }
            // Others have moved it where all who have this repository share it.
            (_, Some(project)) if store != StoreKind::Postgres => {
                let pointer = Pointer { store: StoreKind::Postgres, project };
                crate::moving::join(self, pointer)?;
                Ok(Box::new(self.local(pointer)?))
            }
            (Some(pointer), _) if store != StoreKind::Files => Ok(Box::new(self.local(pointer)?)),
            _ => Ok(Box::new(self.files())),
        }
    }

    fn is_shared(&self, store: StoreKind) -> bool {
        store == StoreKind::Postgres || self.shared.is_some()
    }

    pub(crate) fn local(&self, pointer: Pointer) -> Result<Local> {
        let mirrors = self.mirrors(pointer.store);
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
            StoreKind::Sqlite => Some(Box::new(Database::open(self.sqlite()?, &uuid, settings)?)),
            StoreKind::Postgres => {
                Some(Box::new(Database::open(self.postgres()?, &uuid, settings)?))
            }
        })
    }

    fn sqlite(&self) -> Result<Sqlite> {
        Sqlite::open(&self.root.join(DATABASE), self.lock_wait)
    }

    pub(crate) fn postgres(&self) -> Result<Postgres> {
        let url = self.postgres.as_ref().ok_or(StoreError::NoUrl)?;
        let postgres = Postgres::open(&url.0)?;
        match &self.listen {
            Some(url) => postgres.listening(&url.0),
            None => Ok(postgres),
        }
    }

    /// Finishes a move that was interrupted, or follows one that somebody else made.
    pub fn settle(&self) -> Result<()> {
        let files = self.files().mirroring();
        let _turn = files.turn(0)?;
        let disk = self.disk();
        for _ in 0..FOLLOWED_MAX {
            let Some(pointer) = pointer::read(&disk)? else { return Ok(()) };
            let Some(database) = self.movable(pointer)? else { return Ok(()) };
            let moved_to = database.moved_to()?;
            if moved_to.is_empty() {
                return Ok(());
            }
            if moved_to == COPYING {
                database.take_up()?;
                continue;
            }
            self.follow(&disk, &moved_to)?;
        }
        Err(StoreError::Moved)
    }

    fn follow(&self, disk: &Disk, moved_to: &str) -> Result<()> {
        let left: Left = serde_json::from_str(moved_to).map_err(|error| StoreError::BadRow {
            table: "milestone_project",
            message: error.to_string(),
        })?;
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
