//! What stands in the two folders that only grow, as it was listed last: what is filed away, and
//! what has a history. A command on open work then costs the same however much that is.
//!
//! Only for speed, and believed of a folder as long as nothing has come into it or gone from it.
//! What is edited in a document of the archive does not count, so that need not be looked for.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::ids::MilestoneId;
use serde::{Deserialize, Serialize};

use super::Files;
use super::cache::{is_racy, now};
use super::disk::{Disk, Stamp};
use super::sealed::{recall, remember};
use crate::Result;

pub const PLACE: &str = "temp/archive";
const FORM: &[u8] = concat!("milestone archive ", env!("CARGO_PKG_VERSION"), " 1\n").as_bytes();

pub const COMPLETED: &str = "completed";
const HISTORY: &str = "history";

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Archive {
    completed: Option<Listed<Ids>>,
    history: Option<Listed<Ids>>,
    /// The conditions that what is filed away provides, and who provides each.
    provided: Option<Listed<Providers>>,
}

type Ids = BTreeSet<MilestoneId>;
pub type Providers = BTreeMap<String, Ids>;

/// A folder, as it was before anything in it was read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Folder {
    stamp: Stamp,
    /// When that was, in nanoseconds of wall time.
    looked: i128,
}

impl Folder {
    /// Nothing where there is no folder.
    pub fn look(disk: &Disk, place: &str) -> Result<Option<Self>> {
        let looked = now();
        Ok(disk.stamp(place)?.map(|stamp| Self { stamp, looked }))
    }

    /// Whether the next one that comes or goes certainly shows in the stamp.
    fn is_settled(&self) -> bool {
        !is_racy(&self.stamp, self.looked)
    }
}

/// What was found in a folder.
#[derive(Debug, Serialize, Deserialize)]
struct Listed<T> {
    folder: Folder,
    found: T,
}

impl<T> Listed<T> {
    fn fresh(&self, folder: &Folder) -> Option<&T> {
        let same = self.folder.stamp == folder.stamp && self.folder.is_settled();
        same.then_some(&self.found)
    }
}

impl Archive {
    pub fn read(disk: &Disk) -> Result<Self> {
        Ok(recall(disk, PLACE, FORM)?.unwrap_or_default())
    }

    /// The milestones that have a document in the archive.
    pub fn filed_away(&mut self, disk: &Disk) -> Result<Ids> {
        let (ids, anew) = list(disk, COMPLETED, &mut self.completed, document_of)?;
        self.save_if(anew, disk);
        Ok(ids)
    }

    /// The milestones that have a history.
    pub fn recorded(&mut self, disk: &Disk) -> Result<Ids> {
        let (ids, anew) = list(disk, HISTORY, &mut self.history, |name| name.parse().ok())?;
        self.save_if(anew, disk);
        Ok(ids)
    }

    /// Who provides what, if that is known of all that is filed away now.
    pub fn provided(&self, folder: &Folder) -> Option<&Providers> {
        self.provided.as_ref()?.fresh(folder)
    }

    /// Keeps who provides what, as it was read after the folder was looked at.
    pub fn put_provided(&mut self, disk: &Disk, folder: Folder, providers: Providers) {
        self.provided = Some(Listed { folder, found: providers });
        self.save_if(folder.is_settled(), disk);
    }

    fn save_if(&self, changed: bool, disk: &Disk) {
        if changed {
            remember(disk, PLACE, FORM, self);
        }
    }
}

impl Files {
    pub(super) fn active(&self) -> Result<Ids> {
        let names = self.disk.names("active")?;
        Ok(names.iter().filter_map(|name| document_of(name)).collect())
    }

    pub(super) fn filed_away(&self) -> Result<Ids> {
        self.archive(|archive| archive.filed_away(&self.disk))?
    }

    pub(super) fn recorded(&self) -> Result<Ids> {
        self.archive(|archive| archive.recorded(&self.disk))?
    }

    pub(super) fn archive<T>(&self, ask: impl FnOnce(&mut Archive) -> T) -> Result<T> {
        let mut archive = self.archive.borrow_mut();
        match &mut *archive {
            Some(archive) => Ok(ask(archive)),
            none => Ok(ask(none.insert(Archive::read(&self.disk)?))),
        }
    }
}

/// Whose document a file with this name is.
pub fn document_of(name: &str) -> Option<MilestoneId> {
    let id: MilestoneId = name.strip_suffix(".yaml")?.parse().ok()?;
    (id.file_name() == name).then_some(id)
}

/// The ids in a folder, and whether they were listed anew and will be believed.
fn list(
    disk: &Disk,
    place: &str,
    kept: &mut Option<Listed<Ids>>,
    of: impl Fn(&str) -> Option<MilestoneId>,
) -> Result<(Ids, bool)> {
    let Some(folder) = Folder::look(disk, place)? else { return Ok((Ids::new(), false)) };
    if let Some(ids) = kept.as_ref().and_then(|listed| listed.fresh(&folder)) {
        return Ok((ids.clone(), false));
    }
    let ids: Ids = disk.names(place)?.iter().filter_map(|name| of(name)).collect();
    *kept = Some(Listed { folder, found: ids.clone() });
    Ok((ids, folder.is_settled()))
}
