//! Outlines of documents that have not changed since they were last read.
//!
//! Only for speed: without it everything is read again, and one that does not match the disk is
//! never believed.

use std::collections::BTreeMap;
use std::time::SystemTime;

use milestone_domain::event::Stream;
use milestone_domain::ids::MilestoneId;
use milestone_domain::snapshot::Outline;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Stamp, fingerprint};
use super::history;
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

const PLACE: &str = "temp/outlines.json";

/// A file written twice within this time may show the same stamp both times.
const RACY_NANOS: i128 = 2_000_000_000;

/// Reading so many documents again costs more than writing the cache.
const STALE_MAX: usize = 8;

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Cache {
    entries: BTreeMap<MilestoneId, Entry>,
    #[serde(skip)]
    stale: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    document: Stamp,
    history: Option<Stamp>,
    fingerprint: String,
    /// When it was looked at, in nanoseconds of wall time.
    looked: i128,
    outline: Outline,
}

impl Cache {
    pub fn read(disk: &Disk) -> Result<Self> {
        let bytes = match disk.read(PLACE) {
            Err(StoreError::Corrupt { .. } | StoreError::Outside { .. }) => None,
            read => read?,
        };
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// The outline and version of a document, if it certainly is what it was.
    pub fn get(
        &mut self,
        disk: &Disk,
        id: MilestoneId,
        place: &str,
        stamp: Stamp,
    ) -> Result<Option<(&Outline, &str)>> {
        let history = disk.stamp(&history::folder(Stream::Milestone(id)))?;
        let Some(entry) = self.entries.get(&id) else { return Ok(None) };
        if entry.document != stamp || entry.history != history {
            return Ok(None);
        }
        let racy = |stamp: &Stamp| entry.looked - stamp.modified.max(stamp.changed) < RACY_NANOS;
        if racy(&entry.document) {
            let bytes = disk.read(place)?.unwrap_or_default();
            if fingerprint(&bytes) != entry.fingerprint {
                return Ok(None);
            }
        }
        if history.as_ref().is_some_and(racy) && is_racy_history(disk, id)? {
            return Ok(None);
        }
        Ok(self.entries.get(&id).map(|entry| (&entry.outline, entry.fingerprint.as_str())))
    }

    pub fn put(
        &mut self,
        disk: &Disk,
        id: MilestoneId,
        stamp: Stamp,
        print: &str,
        outline: &Outline,
    ) -> Result<()> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let entry = Entry {
            document: stamp,
            history: disk.stamp(&history::folder(Stream::Milestone(id)))?,
            fingerprint: print.to_owned(),
            looked: i128::try_from(since.as_nanos()).unwrap_or(0),
            outline: outline.clone(),
        };
        self.entries.insert(id, entry);
        self.stale += 1;
        Ok(())
    }

    /// Writes it if enough has changed. A failure costs time later and nothing else.
    pub fn save(&self, disk: &Disk) {
        if self.stale <= STALE_MAX {
            return;
        }
        if let Ok(bytes) = serde_json::to_vec(self)
            && disk.make_folder("temp").is_ok()
        {
            let _ = disk.replace(PLACE, &bytes);
        }
    }

    /// Forgets documents that are no longer there.
    pub fn retain(&mut self, there: impl Fn(MilestoneId) -> bool) {
        self.entries.retain(|id, _| there(*id));
    }
}

/// A segment that came in within the same tick shows in the accepted sizes.
fn is_racy_history(disk: &Disk, id: MilestoneId) -> Result<bool> {
    let stream = Stream::Milestone(id);
    let accepted = super::accepted::Accepted::read(disk, stream)?;
    let sizes = history::sizes(disk, stream)?;
    Ok(accepted.is_none_or(|accepted| accepted.segments != sizes))
}
