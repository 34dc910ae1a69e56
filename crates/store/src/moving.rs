//! Moving a project from one store to another, under the hands of those who work in it.
//!
//! The store that is left is sealed in itself: every commit checks the seal in its own critical
//! section. Before the seal, a copy is nobody's; after it, whoever comes next finishes the move.

mod copies;
mod digest;

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use milestone_domain::ids::{MilestoneId, Uid};
use milestone_domain::snapshot::{Given, Scope};
use serde_json::Value;
use uuid::Uuid;

use crate::backups::back_up_database;
use crate::config::{self, PROJECT_FILE};
use crate::error::StoreError;
use crate::files::Files;
use crate::files::disk::Disk;
use crate::local::Local;
use crate::place::{self, Place};
use crate::planted;
use crate::pointer::{self, Left, Pointer, StoreKind};
use crate::sql::Database;
use crate::sql::copy::Movable;
use crate::sqlite::Sqlite;
use crate::{Cursor, EventFilter, Portion, Project, Result, Store};
use digest::Digest;

/// Says to whoever looks at the documents where the truth is.
pub const STORE_PAGE: &str = "STORE.md";

/// A move, as it goes on: what is being done, and how much of what there is to do is done.
pub type Progress<'a> = &'a dyn Fn(&'static str, u64, u64);

/// What a move came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub from: StoreKind,
    pub to: StoreKind,
    /// Where everything is as it was before.
    pub backup: PathBuf,
    pub milestones: u64,
    pub events: u64,
}

/// How often a move begins again because somebody else has moved the project meanwhile.
const TRIES_MAX: u32 = 4;

/// Moves the project, or does nothing where it is there already.
pub fn move_to(place: &Place, to: StoreKind, progress: Progress<'_>) -> Result<Option<Moved>> {
    if place.kind()? == to {
        return Ok(None);
    }
    for _ in 1..TRIES_MAX {
        match move_once(place, to, progress) {
            Err(StoreError::Moved) => {}
            done => return done,
        }
    }
    move_once(place, to, progress)
}

fn move_once(place: &Place, to: StoreKind, progress: Progress<'_>) -> Result<Option<Moved>> {
    place.settle()?;
    // What people are saving at this moment comes to rest first, and goes along.
    let milestones =
        Project::at(place.clone())?.read(&Scope::All, MOVED_BY)?.documents.len() as u64;
    let now = pointer::read(&place.disk())?;
    let from = now.map_or(StoreKind::Files, |pointer| pointer.store);
    if from == to {
        return Ok(None);
    }
    let target = match (to, place.shared) {
        // Somebody else has moved it there: this clone joins, and never moves over it.
        (StoreKind::Postgres, Some(shared)) => {
            join(place, Pointer { store: to, project: shared })?;
            return Ok(None);
        }
        _ => Pointer { store: to, project: Uid(Uuid::now_v7()) },
    };
    let source = match now {
        Some(pointer) if from != StoreKind::Files => Source::Database(place.local(pointer)?),
        _ => Source::Files(place.files()),
    };
    Move { place, source, from, target, milestones, progress }.carry_out().map(Some)
}

/// What is left.
enum Source {
    Files(Files),
    Database(Local),
}

impl Source {
    fn files(&self) -> &Files {
        match self {
            Self::Files(files) => files,
            Self::Database(local) => local.files(),
        }
    }

    fn store(&self) -> &dyn Store {
        match self {
            Self::Files(files) => files,
            Self::Database(local) => local,
        }
    }

    fn back_up(&self, place: &Place) -> Result<PathBuf> {
        let now = Timestamp::now();
        let (backup, _) = match self {
            Self::Files(files) => files.back_up(None, now)?,
            Self::Database(local) => back_up_database(place, local, None, now)?,
        };
        Ok(backup)
    }

    fn into_store(self) -> Box<dyn Store> {
        match self {
            Self::Files(files) => Box::new(files),
            Self::Database(local) => Box::new(local),
        }
    }

    /// Says in the store itself where the project has gone; files are left by the pointer.
    fn seal(&self, left: &Left) -> Result<()> {
        match self {
            Self::Files(_) => Ok(()),
            Self::Database(local) => local.database().seal(left),
        }
    }
}

struct Move<'a> {
    place: &'a Place,
    source: Source,
    from: StoreKind,
    target: Pointer,
    /// How many there are, for whoever watches.
    milestones: u64,
    progress: Progress<'a>,
}

impl Move<'_> {
    fn carry_out(self) -> Result<Moved> {
        let _turn = self.source.files().turn(0)?;
        let Source::Database(local) = &self.source else { return self.closed() };
        // What people have changed in the documents beside it goes along.
        local.read(&Scope::All)?;
        local.database().close()?;
        let done = local.mirror_all().and_then(|()| self.closed());
        if done.is_err() {
            local.database().open_again();
        }
        done
    }

    /// Nobody writes from here on.
    fn closed(&self) -> Result<Moved> {
        copies::remove_abandoned(self.place)?;
        (self.progress)("backing up", 0, 0);
        let backup = self.source.back_up(self.place)?;
        let copied = match self.target.store {
            StoreKind::Files => self.to_files()?,
            StoreKind::Sqlite => self.to_sqlite()?,
            StoreKind::Postgres => self.to_postgres()?,
        };
        self.write_page()?;
        let Copied { milestones, events, .. } = copied;
        Ok(Moved { from: self.from, to: self.target.store, backup, milestones, events })
    }

    /// Hands everything over once, and takes the fingerprint of it on the way.
    fn copy(
        &self,
        copied: &RefCell<Copied>,
        each: &mut dyn FnMut(Portion) -> Result<()>,
    ) -> Result<()> {
        copied.replace(Copied::default());
        self.source.store().export(&mut |portion| {
            let mut copied = copied.borrow_mut();
            copied.add(&portion);
            (self.progress)("copying", copied.milestones, self.milestones);
            // A copy that lacks something is what the comparison is there for.
            let lost = planted::has("digest-not-compared")
                && copied.events == 1
                && matches!(portion, Portion::Event(_));
            if lost { Ok(()) } else { each(portion) }
        })
    }

    fn compare(&self, copied: &Copied, there: &dyn Store) -> Result<()> {
        (self.progress)("comparing", 0, 0);
        copied.digest.compare(&Digest::of(there)?)
    }

    fn to_files(&self) -> Result<Copied> {
        let copied = RefCell::default();
        self.source.files().import(&|each| self.copy(&copied, each))?;
        let copied = copied.into_inner();
        self.compare(&copied, self.source.files())?;
        self.source.files().sync_all()?;
        self.switch(None)?;
        Ok(copied)
    }

    fn to_sqlite(&self) -> Result<Copied> {
        self.remove_databases()?;
        let file = self.place.root.join(place::database(self.target.project));
        let uuid = self.target.project.0.to_string();
        let settings = self.place.settings.clone();
        let sqlite = Sqlite::open(&file, self.place.lock_wait)?;
        let database = Database::make(sqlite, &uuid, settings)?;
        if planted::has("pointer-before-copy") {
            pointer::write(&self.place.disk(), &self.target)?;
        }
        let copied = self.fill(&database)?;
        sync_folder(&file)?;
        self.set_mirrored(&database)?;
        self.switch(Some(&database))?;
        Ok(copied)
    }

    /// What SQLite once had of this project is sealed or was never finished; its backup stays.
    fn remove_databases(&self) -> Result<()> {
        let disk = self.place.disk();
        let names = disk.names("data")?.into_iter();
        for name in names.filter(|name| place::is_database(name)) {
            disk.remove(&format!("data/{name}"))?;
        }
        Ok(())
    }

    fn to_postgres(&self) -> Result<Copied> {
        let database = copies::begin(self.place, self.target)?;
        let copied = self.fill(&database)?;
        self.set_mirrored(&database)?;
        self.switch(Some(&database))?;
        copies::end(self.place, self.target);
        Ok(copied)
    }

    fn fill(&self, database: &dyn Movable) -> Result<Copied> {
        let copied = RefCell::default();
        database.fill(&|each| self.copy(&copied, each), &|there| {
            self.compare(&copied.borrow(), there)
        })?;
        Ok(copied.into_inner())
    }

    /// The documents that stand here are those of the copy, unless they were a snapshot.
    fn set_mirrored(&self, database: &dyn Store) -> Result<()> {
        match &self.source {
            Source::Database(local) if !local.mirrors() => self.source.files().forget_mirrored(),
            _ => self.source.files().set_mirrored(&end_of(database)?),
        }
    }

    /// From one store to the other, in one step: the seal, or where files are left, the pointer.
    ///
    /// Whoever is sent to a copy takes it up, and writes the settings before that if we could not.
    fn switch(&self, to: Option<&dyn Movable>) -> Result<()> {
        let disk = self.place.disk();
        let wish = self.write_wish()?;
        let left = Left { to: self.target, by: pointer::clone_id(&disk)? };
        if let Err(error) = self.source.seal(&left) {
            if let Some(before) = wish {
                disk.replace_synced(PROJECT_FILE, &before)?;
            }
            return Err(error);
        }
        pointer::write(&disk, &self.target)?;
        if self.target.store == StoreKind::Postgres || self.from == StoreKind::Postgres {
            write_shared(&disk, Some(self.target))?;
        }
        to.map_or(Ok(()), Movable::take_up)
    }

    /// Whoever asked for less does not want to be moved up again, and one wish takes the place of
    /// another. Answers the settings as they were.
    fn write_wish(&self) -> Result<Option<Vec<u8>>> {
        let (to, now) = (self.target.store, self.place.wished);
        if now == Some(to) || (to >= self.from && now.is_none()) {
            return Ok(None);
        }
        let disk = self.place.disk();
        let before = disk.read(PROJECT_FILE)?.unwrap_or_default();
        set(&disk, &[("scale_override", Value::from(to.word()))])?;
        Ok(Some(before))
    }

    fn write_page(&self) -> Result<()> {
        let disk = self.place.disk();
        let to = self.target.store;
        if to == StoreKind::Files || self.place.mirrors(to) {
            return remove_page(&disk);
        }
        disk.replace_synced(STORE_PAGE, PAGE.as_bytes())
    }
}

/// The documents are current, and edits of them count.
pub(crate) fn remove_page(disk: &Disk) -> Result<()> {
    disk.remove(STORE_PAGE)
}

/// Tells everybody who has this repository which project of a shared database it is, if it is one.
pub(crate) fn write_shared(disk: &Disk, pointer: Option<Pointer>) -> Result<()> {
    let shared = match pointer.filter(|pointer| pointer.store == StoreKind::Postgres) {
        Some(pointer) => Value::from(pointer.project.0.to_string()),
        None => Value::Null,
    };
    set(disk, &[(config::SHARED, shared)])
}

/// Sets tracked settings, or takes them out.
fn set(disk: &Disk, settings: &[(&str, Value)]) -> Result<()> {
    if settings.is_empty() {
        return Ok(());
    }
    let there = disk.read(PROJECT_FILE)?.unwrap_or_default();
    let there = String::from_utf8_lossy(&there).into_owned();
    let mut text = there.clone();
    for (name, value) in settings {
        text = match value {
            Value::Null => config::without(&text, name)?,
            value => config::edited(&text, name, value, config::Source::Project)?,
        };
    }
    if *text == there { Ok(()) } else { disk.replace_synced(PROJECT_FILE, text.as_bytes()) }
}

const PAGE: &str = "\
# Where this project is kept

Written by milestone. The truth is in a database; the documents in `active/` and `completed/` are how
the project stood when it moved there. Edits of them do not count.

- To see the project: `milestone list`, with `MILESTONE_DATABASE_URL` set.
- To keep the documents current: `milestone config set storage.mirror on`.
- To move back into files: `milestone storage migrate files`.
";

/// What was handed over.
#[derive(Default)]
struct Copied {
    digest: Digest,
    milestones: u64,
    events: u64,
}

impl Copied {
    fn add(&mut self, portion: &Portion) {
        self.digest.add(portion);
        match portion {
            Portion::Document { .. } => self.milestones += 1,
            Portion::Event(_) => self.events += 1,
            Portion::Given(_) | Portion::Claim { .. } => {}
        }
    }
}

/// The place after everything that has happened.
fn end_of(store: &dyn Store) -> Result<Cursor> {
    let nothing = EventFilter { milestone: Some(MilestoneId(u32::MAX)), task: None };
    Ok(store.events(None, &nothing, 1)?.next)
}

/// Makes this clone work in the database that others have moved the project to. What it has and
/// the database lacks goes there; answers where the two do not agree.
pub fn join(place: &Place, pointer: Pointer) -> Result<Vec<String>> {
    let disk = place.disk();
    let zone = place.settings.zone.clone();
    // What people have changed by hand is theirs, and goes along.
    Project::new(own(place)?.into_store(), zone).read(&Scope::All, MOVED_BY)?;
    let own = own(place)?;
    let _turn = own.files().turn(0)?;
    // Somebody who had the turn before may have joined already.
    if pointer::read(&disk)?.is_some_and(|now| now == pointer) {
        return Ok(Vec::new());
    }
    if let Source::Database(local) = &own {
        local.mirror_all()?;
    }
    own.back_up(place)?;
    let database = place.movable(pointer)?.ok_or(StoreError::Moved)?;
    let shared = Local::shared(database, place.files(), place.mirrors(pointer.store));
    let conflicts = shared.bring_from(own.files())?;
    shared.bring_claims(own.store())?;
    own.files().set_mirrored(&end_of(shared.database())?)?;
    if let Source::Database(local) = &own {
        local.database().close()?;
    }
    own.seal(&Left { to: pointer, by: pointer::clone_id(&disk)? })?;
    pointer::write(&disk, &pointer)?;
    Ok(conflicts)
}

/// What this clone has kept the project in by itself; its documents are the whole of it.
fn own(place: &Place) -> Result<Source> {
    let database = match pointer::read(&place.disk())? {
        Some(now) => place.movable(now)?,
        None => None,
    };
    Ok(match database {
        Some(database) => Source::Database(Local::alone(database, place.files(), true)),
        None => Source::Files(place.files()),
    })
}

/// Makes what files say the project that a shared database keeps, under another identity; whoever
/// works in the old one is sent there.
pub(crate) fn replace_shared(
    place: &Place,
    local: &Local,
    files: &Files,
    given: &Given,
) -> Result<()> {
    let disk = place.disk();
    let _turn = local.files().turn(0)?;
    let target = Pointer { store: StoreKind::Postgres, project: Uid(Uuid::now_v7()) };
    let database = copies::begin(place, target)?;
    database.fill(
        &|each| {
            each(Portion::Given(given.clone()))?;
            files.export(each)
        },
        &|_| Ok(()),
    )?;
    local.database().close()?;
    let left = Left { to: target, by: pointer::clone_id(&disk)? };
    local.database().seal(&left)?;
    pointer::write(&disk, &target)?;
    database.take_up()?;
    copies::end(place, target);
    local.files().set_mirrored(&Cursor(String::new()))?;
    write_shared(&disk, Some(target))
}

/// Who takes in what people have changed by hand before it goes elsewhere.
pub(crate) const MOVED_BY: &str = "milestone";

fn sync_folder(file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(file);
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::io("save", folder))
}
