//! Copies in a database that others share. Each is remembered before it is made: one that nobody
//! was ever sent to, because whoever made it was killed, would stay there for ever.

use milestone_domain::ids::Uid;

use crate::Result;
use crate::error::StoreError;
use crate::files::disk::Disk;
use crate::place::Place;
use crate::pointer::{self, Pointer, StoreKind};
use crate::postgres::Postgres;
use crate::sql::Database;

const COPIES: &str = "data/copies";

/// A new project, for a copy of this one.
pub fn begin(place: &Place, target: Pointer) -> Result<Database<Postgres>> {
    let disk = place.disk();
    let mut begun = begun(&disk)?;
    begun.push(target.project);
    remember(&disk, &begun)?;
    let uuid = target.project.0.to_string();
    Database::make(place.postgres()?, &uuid, place.settings.clone())
}

/// The copy is the project. Where that cannot be written down, the next move finds it out.
pub fn end(place: &Place, target: Pointer) {
    let disk = place.disk();
    let ended = begun(&disk).and_then(|mut begun| {
        begun.retain(|project| *project != target.project);
        remember(&disk, &begun)
    });
    drop(ended);
}

/// Removes what was begun and never finished. Whoever calls this has the turn, and knows that the
/// project has not gone there.
pub fn remove_abandoned(place: &Place) -> Result<()> {
    let disk = place.disk();
    let begun = begun(&disk)?;
    if begun.is_empty() {
        return Ok(());
    }
    let live = [pointer::read(&disk)?.map(|now| now.project), place.shared_now()?];
    let mut left = Vec::new();
    for project in begun {
        // A server that is not to be reached keeps nobody from moving elsewhere.
        if !live.contains(&Some(project)) && remove(place, project).is_err() {
            left.push(project);
        }
    }
    remember(&disk, &left)
}

fn remove(place: &Place, project: Uid) -> Result<()> {
    match place.movable(Pointer { store: StoreKind::Postgres, project }) {
        Ok(Some(database)) => database.remove_if_abandoned(),
        Ok(None) | Err(StoreError::NoSuchProject { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn begun(disk: &Disk) -> Result<Vec<Uid>> {
    let bytes = disk.read(COPIES)?.unwrap_or_default();
    // Whatever else stands there names no copy of ours.
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

fn remember(disk: &Disk, begun: &[Uid]) -> Result<()> {
    if begun.is_empty() {
        return if disk.stamp(COPIES)?.is_some() { disk.remove(COPIES) } else { Ok(()) };
    }
    disk.replace_synced(COPIES, &serde_json::to_vec(begun).unwrap_or_default())
}
