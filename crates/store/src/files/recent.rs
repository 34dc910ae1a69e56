//! The files that documents recently were, kept because an editor may still be writing to one.
//!
//! A document is replaced by exchanging it with its new version, in one step of the file system.
//! What comes out of the exchange is looked at: if it is not the text that was replaced, a person
//! saved in between. It stays here either way, and when it changes later, a save came too late
//! to find its document. Both are taken in as edits; nothing that anybody saved is dropped.

use std::time::{Duration, SystemTime};

use milestone_domain::ids::MilestoneId;

use super::disk::{Disk, fingerprint, is_torn};
use super::journal::{Placed, Record};
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

const FOLDER: &str = "data/recent";

/// How long a replaced file is watched. An editor that keeps a file open for longer writes by name.
const WATCHED: Duration = Duration::from_mins(10);

/// A save that reached a file which was no longer the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateSave {
    pub milestone: MilestoneId,
    pub name: String,
    pub text: Vec<u8>,
}

/// Puts `text` in the place of a document, and keeps what was there.
pub fn exchange(
    disk: &Disk,
    seq: u64,
    place: &str,
    text: &str,
    before: Option<&str>,
) -> Result<Placed> {
    disk.make_folder(FOLDER)?;
    let draft = disk.draft(text.as_bytes())?;
    // From here on it is watched: should we die right after the exchange, what somebody saved in
    // the same instant is found there.
    let watched = format!("{FOLDER}/{}.{seq}.0.0.{}", file(place), std::process::id());
    disk.rename(&draft, &watched)?;
    let draft = watched;
    if crate::planted::has("plain-rename") {
        disk.rename(&draft, place)?;
        return Ok(Placed::Done);
    }
    let exchanged = disk.exchange(&draft, place).inspect_err(|_| {
        let _ = disk.remove(&draft);
    });
    if exchanged? {
        return keep(disk, seq, place, &draft, before);
    }
    // A file system without exchange: the old file gets a second name first, so that only a
    // save by rename in the same instant could be missed.
    let aside = format!("{draft}.old");
    disk.link(place, &aside)?;
    disk.rename(&draft, place)?;
    keep(disk, seq, place, &aside, before)
}

/// The name of a document without its folder and ending.
fn file(place: &str) -> &str {
    place.rsplit('/').next().unwrap_or(place).trim_end_matches(".yaml")
}

/// Files what was replaced under a name that says whether it is still what it was.
fn keep(disk: &Disk, seq: u64, place: &str, old: &str, before: Option<&str>) -> Result<Placed> {
    // In this order: what is written after the stamp shows in a later one.
    let stamp = disk.stamp(old)?;
    let bytes = disk.read_beneath(old)?.unwrap_or_default();
    let over = before != Some(fingerprint(&bytes).as_str()) && !is_torn(&bytes);
    let (modified, size) = match stamp {
        Some(stamp) if !over => (stamp.modified, stamp.size),
        _ => (0, 0),
    };
    let name = format!("{FOLDER}/{}.{seq}.{modified}.{size}", file(place));
    disk.rename(old, &name)?;
    Ok(if over { Placed::OverSave } else { Placed::Done })
}

impl LateSave {
    /// What tells this save from the next one in the same file.
    pub fn key(&self) -> String {
        format!("{}@{}", self.name, fingerprint(&self.text))
    }
}

/// The names of the files that are watched: listed once for a whole reading, because there may be
/// many of them and many documents.
#[derive(Debug, Default)]
pub struct Watched(Vec<String>);

impl Watched {
    pub fn list(disk: &Disk) -> Result<Self> {
        match disk.names(FOLDER) {
            // What is no folder holds no saves, and must not hide the documents.
            Err(StoreError::Outside { .. }) => Ok(Self::default()),
            names => names.map(Self),
        }
    }

    /// The saves to a document that came too late, oldest first.
    pub fn late_saves(&self, disk: &Disk, id: MilestoneId) -> Result<Vec<LateSave>> {
        // Names are sorted, and begin with their document's.
        let own = format!("{id}.");
        let start = self.0.partition_point(|name| *name < own);
        let names = self.0[start..].iter().take_while(|name| name.starts_with(&own));
        late_among(disk, names)
    }
}

fn late_among<'a>(disk: &Disk, names: impl Iterator<Item = &'a String>) -> Result<Vec<LateSave>> {
    let mut late = Vec::new();
    if crate::planted::has("late-save-dropped") {
        return Ok(Vec::new());
    }
    for name in names {
        let Some((milestone, seq, modified, size)) = parts(name) else { continue };
        let place = format!("{FOLDER}/{name}");
        let Some(stamp) = disk.stamp(&place)? else { continue };
        if (stamp.modified, stamp.size) == (modified, size) {
            continue;
        }
        // One that is being written to right now is looked at again when it says something.
        let Some(text) = disk.read_beneath(&place)?.filter(|text| !is_torn(text)) else { continue };
        late.push((seq, LateSave { milestone, name: name.clone(), text }));
    }
    late.sort_by_key(|(seq, _)| *seq);
    Ok(late.into_iter().map(|(_, save)| save).collect())
}

/// The text of a late save; stale if somebody wrote to it since.
pub fn text(disk: &Disk, key: &str) -> Result<String> {
    let (name, print) = key.split_once('@').ok_or(StoreError::Stale)?;
    let bytes = disk.read_beneath(&format!("{FOLDER}/{name}"))?.ok_or(StoreError::Stale)?;
    if fingerprint(&bytes) != print {
        return Err(StoreError::Stale);
    }
    String::from_utf8(bytes).map_err(|_| StoreError::Stale)
}

fn parts(name: &str) -> Option<(MilestoneId, u64, i128, u64)> {
    let mut parts = name.split('.');
    let milestone = parts.next()?.parse().ok()?;
    let seq = parts.next()?.parse().ok()?;
    Some((milestone, seq, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A late save was taken in: its file is watched on, from what it then said. Written to since, it
/// stays late, and is taken in again.
pub fn settle(disk: &Disk, key: &str) -> Result<()> {
    let Some((name, print)) = key.split_once('@') else { return Ok(()) };
    let place = format!("{FOLDER}/{name}");
    // In this order: what is written after the stamp shows in a later one.
    let (Some((milestone, seq, ..)), Some(stamp)) = (parts(name), disk.stamp(&place)?) else {
        return Ok(());
    };
    if disk.read_beneath(&place)?.is_none_or(|bytes| fingerprint(&bytes) != print) {
        return Ok(());
    }
    disk.rename(&place, &format!("{FOLDER}/{milestone}.{seq}.{}.{}", stamp.modified, stamp.size))
}

/// After a crash between the steps of an exchange, a watched file may be only what the exchange
/// was about: the text that replaced, or the one that was replaced. Neither is anybody's save.
pub fn recognise(disk: &Disk, records: &[Record]) -> Result<()> {
    for name in disk.names(FOLDER).unwrap_or_default() {
        let Some((_, seq, 0, 0)) = parts(&name) else { continue };
        let place = format!("{FOLDER}/{name}");
        let Some(bytes) = disk.read_beneath(&place)? else { continue };
        let is = |text: Option<&String>| text.is_some_and(|text| text.as_bytes() == bytes);
        let mut writes =
            records.iter().filter(|record| record.seq == seq).flat_map(|record| &record.writes);
        if writes.clone().any(|write| write.document && is(write.after.as_ref())) {
            disk.remove(&place)?;
        } else if writes.any(|write| is(write.before.as_ref().and_then(|b| b.text.as_ref()))) {
            settle(disk, &format!("{name}@{}", fingerprint(&bytes)))?;
        }
    }
    Ok(())
}

/// Stops watching files that nobody can have open any more, unless a late save is in them.
pub fn sweep(disk: &Disk) -> Result<()> {
    for name in disk.names(FOLDER)? {
        let place = format!("{FOLDER}/{name}");
        let (Some((_, _, modified, size)), Some(stamp)) = (parts(&name), disk.stamp(&place)?)
        else {
            continue;
        };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = u128::try_from(stamp.changed).unwrap_or(0);
        let old = since.as_nanos().saturating_sub(changed) > WATCHED.as_nanos();
        let unchanged = (stamp.modified, stamp.size) == (modified, size);
        if old && (unchanged || disk.read_beneath(&place)?.is_some_and(|text| is_torn(&text))) {
            disk.remove(&place)?;
        }
    }
    Ok(())
}
