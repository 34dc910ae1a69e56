//! What was made from documents that have not changed since they were last read: their outlines,
//! and what of them can be searched.
//!
//! Only for speed: without it everything is read again, and one that does not match the disk is
//! never believed.

use std::collections::BTreeMap;
use std::time::SystemTime;

use milestone_domain::event::Stream;
use milestone_domain::ids::MilestoneId;
use serde::{Deserialize, Serialize};

use super::disk::{Disk, Stamp, fingerprint};
use super::sealed::{recall, remember};
use super::{archive, history, provided};
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// Something that is made from each document and worth keeping.
#[derive(Debug)]
pub struct Made {
    place: &'static str,
    /// The first bytes: which program wrote it, and in which form. Another one's is not read.
    form: &'static [u8],
    /// Whether it tells of events that leave no trace in the document, such as notes.
    of_events: bool,
}

pub const OUTLINES: Made = Made {
    place: "temp/outlines",
    form: concat!("milestone outlines ", env!("CARGO_PKG_VERSION"), " 5\n").as_bytes(),
    of_events: false,
};

pub const SEARCHABLE: Made = Made {
    place: "temp/search",
    form: concat!("milestone search ", env!("CARGO_PKG_VERSION"), " 2\n").as_bytes(),
    of_events: true,
};

/// Which documents beside a database are what the program wrote.
pub const SEEN: Made = Made {
    place: "temp/seen",
    form: concat!("milestone seen ", env!("CARGO_PKG_VERSION"), " 1\n").as_bytes(),
    of_events: false,
};

/// A file written twice within this time may show the same stamp both times.
const RACY_NANOS: i128 = 2_000_000_000;

/// Reading one document again costs as much as writing so many entries.
const ENTRIES_PER_STALE: usize = 64;

/// Entries keep what was made as bytes, so that writing the cache again costs next to nothing.
#[derive(Debug)]
pub struct Cache {
    made: &'static Made,
    entries: BTreeMap<MilestoneId, Entry>,
    stale: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    document: Stamp,
    history: Option<Stamp>,
    fingerprint: String,
    /// When it was looked at, in nanoseconds of wall time.
    looked: i128,
    /// Bytes of its history, where that counts: lines are added to files that are there.
    events: u64,
    #[serde(with = "serde_bytes")]
    kept: Vec<u8>,
}

impl Cache {
    pub fn read(disk: &Disk, made: &'static Made) -> Result<Self> {
        let entries = recall(disk, made.place, made.form)?.unwrap_or_default();
        Ok(Self { made, entries, stale: 0 })
    }

    /// Whether what is kept of a document certainly is what would be made of it now.
    pub fn is_fresh(
        &mut self,
        disk: &Disk,
        id: MilestoneId,
        place: &str,
        stamp: Stamp,
    ) -> Result<bool> {
        let history = disk.stamp(&history::folder(Stream::Milestone(id)))?;
        let events = self.events(disk, id)?;
        let Some(entry) = self.entries.get_mut(&id) else { return Ok(false) };
        if entry.document != stamp || entry.history != history || entry.events != events {
            return Ok(false);
        }
        let now = now();
        if is_racy(&stamp, entry.looked) {
            let bytes = disk.read(place)?.unwrap_or_default();
            if fingerprint(&bytes) != entry.fingerprint {
                return Ok(false);
            }
        }
        let was_racy = |stamp: &Stamp| is_racy(stamp, entry.looked);
        if history.as_ref().is_some_and(was_racy) && is_other_history(disk, id)? {
            return Ok(false);
        }
        let racy_at = |looked| [Some(stamp), history].iter().flatten().any(|s| is_racy(s, looked));
        if racy_at(entry.looked) && !racy_at(now) {
            // Seen to be what it was, and long enough after: next time the stamp will do.
            entry.looked = now;
            self.stale += 1;
        }
        Ok(true)
    }

    /// What is kept of a document.
    pub fn kept<'a, T: Deserialize<'a>>(&'a self, id: MilestoneId) -> Option<T> {
        postcard::from_bytes(&self.entries.get(&id)?.kept).ok()
    }

    pub fn put(
        &mut self,
        disk: &Disk,
        id: MilestoneId,
        stamp: Stamp,
        print: &str,
        value: &impl Serialize,
    ) -> Result<()> {
        let entry = Entry {
            document: stamp,
            history: disk.stamp(&history::folder(Stream::Milestone(id)))?,
            fingerprint: print.to_owned(),
            looked: now(),
            events: self.events(disk, id)?,
            kept: postcard::to_stdvec(value).unwrap_or_default(),
        };
        self.entries.insert(id, entry);
        self.stale += 1;
        Ok(())
    }

    fn events(&self, disk: &Disk, id: MilestoneId) -> Result<u64> {
        if !self.made.of_events {
            return Ok(0);
        }
        Ok(history::sizes(disk, Stream::Milestone(id))?.into_values().sum())
    }

    /// Writes it if enough has changed.
    pub fn save(&self, disk: &Disk) {
        if self.stale * ENTRIES_PER_STALE <= self.entries.len() {
            return;
        }
        remember(disk, self.made.place, self.made.form, &self.entries);
    }

    /// Forgets documents that are no longer there.
    pub fn retain(&mut self, there: impl Fn(MilestoneId) -> bool) {
        self.entries.retain(|id, _| there(*id));
    }
}

/// Removes everything that is kept.
pub fn forget(disk: &Disk) -> Result<()> {
    let made = [OUTLINES.place, SEARCHABLE.place, SEEN.place];
    for place in made.into_iter().chain([provided::PLACE, archive::PLACE]) {
        if disk.stamp(place)?.is_some() {
            disk.remove(place)?;
        }
    }
    Ok(())
}

/// Whether a file was written to so shortly before it was looked at that it may have changed since
/// and have the same stamp.
pub fn is_racy(stamp: &Stamp, looked: i128) -> bool {
    looked - stamp.modified.max(stamp.changed) < RACY_NANOS
}

/// In nanoseconds of wall time.
pub fn now() -> i128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i128::try_from(since.as_nanos()).unwrap_or(0)
}

/// A segment that came in within the same tick shows in the accepted sizes.
fn is_other_history(disk: &Disk, id: MilestoneId) -> Result<bool> {
    let stream = Stream::Milestone(id);
    let accepted = super::accepted::Accepted::read(disk, stream)?;
    let sizes = history::sizes(disk, stream)?;
    Ok(accepted.is_none_or(|accepted| accepted.segments != sizes))
}

#[cfg(test)]
mod tests {
    use milestone_domain::document::Milestone;
    use milestone_domain::search::Searchable;
    use milestone_domain::snapshot::Outline;

    use super::super::sealed::{seal, unseal};
    use super::*;

    const TEXT: &str = "id: milestone-007\ntitle: T\nstatus: paused\npriority: high\ndue: 2026-03-01\n\
        duration: 2d\ndependencies: {requires: [milestone-001, task-002-003], conditions: [c]}\n\
        phases:\n  - {name: design, approval: true, provides: [d]}\n\
        gates:\n  design: {decision: approved, by: a, at: 2026-02-01T08:00:00Z, reason: r}\n\
        tasks:\n  - {id: task-001, title: A, estimate: 4h, requires: [task-002]}\n  \
        - {id: task-002, title: B, estimate: {optimistic: 1h, likely: 2h, pessimistic: 3h}}\n";

    fn entries() -> BTreeMap<MilestoneId, Entry> {
        let milestone: Milestone = crate::yaml::read(TEXT).unwrap().value;
        let document = Stamp { inode: 1, size: 2, modified: -3, changed: 4 };
        let kept = postcard::to_stdvec(&Outline::of(&milestone)).unwrap();
        let fingerprint = "f".into();
        let entry = Entry { document, history: None, fingerprint, looked: 5, events: 6, kept };
        BTreeMap::from([(MilestoneId(7), entry)])
    }

    #[test]
    fn an_outline_comes_back_as_it_was() {
        let milestone: Milestone = crate::yaml::read(TEXT).unwrap().value;
        let back: BTreeMap<MilestoneId, Entry> =
            unseal(OUTLINES.form, &seal(OUTLINES.form, &entries()).unwrap()).unwrap();
        let outline: Outline = postcard::from_bytes(&back[&MilestoneId(7)].kept).unwrap();
        assert_eq!(outline, Outline::of(&milestone));
    }

    #[test]
    fn a_damaged_cache_is_none() {
        let decoded = unseal::<BTreeMap<MilestoneId, Entry>>;
        let bytes = seal(OUTLINES.form, &entries()).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(decoded(OUTLINES.form, &damaged).is_none(), "byte {at}");
            assert!(decoded(OUTLINES.form, &bytes[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn what_can_be_searched_comes_back_as_it_was() {
        let milestone: Milestone = crate::yaml::read(TEXT).unwrap().value;
        let searchable = Searchable::of(&milestone, &[]);
        let bytes = postcard::to_stdvec(&searchable).unwrap();
        assert_eq!((bytes.len(), crc32fast::hash(&bytes)), (186, 132_958_738));
        assert_eq!(postcard::from_bytes::<Searchable<'_>>(&bytes).unwrap(), searchable);
    }

    /// Bytes do not say what they mean: when this or the one before fails, count up the number in
    /// the form.
    #[test]
    fn the_form_is_the_one_that_its_number_stands_for() {
        let body = postcard::to_stdvec(&entries()).unwrap();
        assert_eq!((body.len(), crc32fast::hash(&body)), (175, 3_716_282_037));
    }
}
