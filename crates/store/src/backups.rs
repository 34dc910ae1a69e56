//! Backups of a project, wherever it is kept: one file, the same for every store, which any of them
//! can take up again.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use milestone_domain::snapshot::{Given, Scope};
use uuid::Uuid;

use crate::discover::Root;
use crate::error::StoreError;
use crate::files::backup::{Held, Manifest};
use crate::files::restore::{self, Restored};
use crate::files::{Files, make};
use crate::local::Local;
use crate::place::Place;
use crate::pointer::{self, Pointer, StoreKind};
use crate::{Portion, Project, Result, Store, moving};

/// Where a project is unpacked for a moment.
const UNPACKED: &str = "temp/unpacked-";

/// Writes a backup to a file that is not there yet, or to the usual place. Answers where.
pub fn back_up(place: &Place, to: Option<&Path>, now: Timestamp) -> Result<(PathBuf, Manifest)> {
    match pointer::read(&place.disk())? {
        Some(pointer) if pointer.store != StoreKind::Files => {
            back_up_database(place, &place.local(pointer)?, to, now)
        }
        _ => place.files().back_up(to, now),
    }
}

pub(crate) fn back_up_database(
    place: &Place,
    local: &Local,
    to: Option<&Path>,
    now: Timestamp,
) -> Result<(PathBuf, Manifest)> {
    let _turn = local.files().turn(0)?;
    let held = held(local)?;
    if local.mirrors() {
        local.mirror_all()?;
        return local.files().back_up_of(local.files(), held, to, now);
    }
    let unpacked = Unpacked::new(place)?;
    make(&unpacked.root, false)?;
    let documents = unpacked.files(place);
    documents.import(&|each| local.export(each))?;
    local.files().back_up_of(&documents, held, to, now)
}

fn held(store: &dyn Store) -> Result<Vec<Held>> {
    let mut held = Vec::new();
    store.export(&mut |portion| {
        if let Portion::Claim { claim, .. } = portion {
            held.push(Held { task: claim.task, by: claim.actor });
        }
        Ok(())
    })?;
    Ok(held)
}

/// Puts a backup back. What many share becomes what the backup has for all of them; otherwise the
/// project is in files afterwards, and grows again from there.
pub fn put_back(place: &Place, root: &Root, from: &Path, now: Timestamp) -> Result<Restored> {
    let pointer = if root.exists() { pointer::read(&place.disk())? } else { None };
    match pointer {
        Some(pointer) if pointer.store == StoreKind::Postgres => {
            put_back_shared(place, pointer, from, now)
        }
        _ => restore::restore(root, from, place.lock_wait, now),
    }
}

/// The database gets another project, and the old one says that it has gone there.
fn put_back_shared(
    place: &Place,
    pointer: Pointer,
    from: &Path,
    now: Timestamp,
) -> Result<Restored> {
    let local = place.local(pointer)?;
    let unpacked = Unpacked::new(place)?;
    let aside = Root { project: unpacked.folder.clone() };
    let Restored { manifest, .. } = restore::restore(&aside, from, place.lock_wait, now)?;
    let (before, _) = back_up_database(place, &local, None, now)?;
    let claims_ended = held(&local)?.len();
    // A text that was written this very moment is believed once it has come to rest.
    let zone = place.settings.zone.clone();
    Project::new(Box::new(unpacked.files(place)), zone).read(&Scope::All, moving::MOVED_BY)?;
    let source = unpacked.files(place);
    moving::replace_shared(place, &local, &source, &given(&local)?)?;
    Ok(Restored { manifest, before: Some(before), claims_ended })
}

/// Every number and fence that a project has given away.
fn given(store: &dyn Store) -> Result<Given> {
    let mut given = Given::default();
    store.export(&mut |portion| {
        match portion {
            Portion::Given(more) => given = std::mem::take(&mut given).with(&more),
            Portion::Document { milestone, .. } => {
                given.milestone = given.milestone.max(Some(milestone.id));
                for task in &milestone.tasks {
                    given.task(task.id.of(milestone.id), task.attempts.unwrap_or(0));
                }
                for retired in &milestone.retired_tasks {
                    given.task(retired.of(milestone.id), 0);
                }
            }
            Portion::Claim { claim, .. } => given.task(claim.task, claim.fence),
            Portion::Event(_) => {}
        }
        Ok(())
    })?;
    Ok(given)
}

/// A folder that is gone with this.
struct Unpacked {
    root: PathBuf,
    folder: PathBuf,
}

impl Unpacked {
    fn new(place: &Place) -> Result<Self> {
        let folder = place.root.join(format!("{UNPACKED}{}", Uuid::now_v7()));
        fs::create_dir_all(&folder).map_err(StoreError::io("make", &folder))?;
        Ok(Self { root: folder.join(crate::discover::FOLDER), folder })
    }

    fn files(&self, place: &Place) -> Files {
        Files::open(self.root.clone(), place.settings.clone(), place.lock_wait)
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
