//! The journal: the one place whose sync a commit waits for.
//!
//! A record says what every file it touches becomes. Once it is on disk the change has happened;
//! putting the files in place can be repeated by anybody. The newest records stay after they are
//! applied: they are the recent versions of documents that a stale save is compared with.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::FileExt;

use milestone_domain::change::FieldChange;
use milestone_domain::event::ChangeId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::disk::{Disk, Place, Stamp, fingerprint, is_torn};
use crate::error::StoreError;
use crate::planted;

type Result<T> = std::result::Result<T, StoreError>;

const JOURNAL: &str = "data/journal";
const APPLIED: &str = "data/applied";

/// Above this many bytes the journal is cut back to its newest records.
const BYTES_MAX: u64 = 1024 * 1024;
/// What is kept when it is cut back: enough versions for any editor that is open right now.
const BYTES_KEPT: usize = 256 * 1024;

/// For more files than these, syncing their whole file system is quicker than syncing each.
const SYNCED_SINGLY_MAX: usize = 32;

/// Everything one change does to the disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub seq: u64,
    pub change: ChangeId,
    /// Milliseconds of wall time; only says how old a version is, never what came first.
    pub at: i64,
    pub writes: Vec<Write>,
    pub appends: Vec<Append>,
    /// Whether edges, conditions or ids change.
    pub graph: bool,
    /// The late save that this takes in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<String>,
}

/// A file that becomes `after`, provided that it is `before`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Write {
    pub place: Place,
    /// The text it replaces; `None` for a new file.
    pub before: Option<Before>,
    /// `None` removes it.
    pub after: Option<String>,
    /// A document that people may be saving at this moment.
    pub document: bool,
    /// What the texts say by hand that is not accepted, as it differs from what is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pending: Vec<FieldChange>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Before {
    pub fingerprint: String,
    /// Which file it was: after a power cut, the same one is there again; after somebody's edit
    /// back to an older text, another one is.
    pub stamp: Option<Stamp>,
    /// The text itself, of a document: a recent version that a stale save may come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Lines that are added at the end of a file that only grows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Append {
    pub place: Place,
    pub at: u64,
    pub text: String,
}

/// How far the journal is applied. Renamed into place after everything it speaks of, so that a
/// file system that keeps the order of renames never shows it without them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    pub epoch: Uuid,
    pub seq: u64,
    /// Bytes of the journal that are applied.
    pub journal: u64,
    /// The boot in which they were applied: after another one, unsynced files may be missing.
    pub boot: String,
    /// Changes of edges, conditions and ids.
    pub graph: u64,
    /// When the last change was applied, in milliseconds of wall time.
    pub at: i64,
    /// Texts of the journal that never stood in their document, because somebody saved it in that
    /// moment: nobody can have opened one in an editor.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub gave_way: BTreeSet<(u64, Place)>,
}

impl Applied {
    pub fn first(boot: &str) -> Self {
        let (epoch, boot) = (Uuid::now_v7(), boot.to_owned());
        Self { epoch, seq: 0, journal: 0, boot, graph: 0, at: 0, gave_way: BTreeSet::new() }
    }

    /// `None` where there is none, or none that can be believed.
    pub fn read(disk: &Disk) -> Result<Option<Self>> {
        let bytes = disk.read_beneath(APPLIED)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub fn write(&self, disk: &Disk) -> Result<()> {
        disk.replace(APPLIED, &serde_json::to_vec(self).unwrap_or_default())
    }
}

/// The journal's length, which tells a reader whether anything waits to be applied.
pub fn length(disk: &Disk) -> Result<u64> {
    Ok(disk.stamp(JOURNAL)?.map_or(0, |stamp| stamp.size))
}

/// All whole records, and the length up to which they are whole.
pub fn read(disk: &Disk) -> Result<(Vec<Record>, u64)> {
    let bytes = disk.read_beneath(JOURNAL)?.unwrap_or_default();
    let mut records = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((record, after)) = next_record(rest) {
        records.push(record);
        rest = after;
    }
    Ok((records, (bytes.len() - rest.len()) as u64))
}

fn next_record(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (header, rest) = bytes.split_at_checked(8)?;
    let length = u32::from_le_bytes(header[..4].try_into().ok()?) as usize;
    let checksum = u32::from_le_bytes(header[4..].try_into().ok()?);
    let (body, after) = rest.split_at_checked(length)?;
    if crc32fast::hash(body) != checksum {
        return None;
    }
    Some((serde_json::from_slice(body).ok()?, after))
}

fn encoded(record: &Record) -> Vec<u8> {
    let body = serde_json::to_vec(record).unwrap_or_default();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(body.len() + 8);
    bytes.extend(length.to_le_bytes());
    bytes.extend(crc32fast::hash(&body).to_le_bytes());
    bytes.extend(body);
    bytes
}

/// Appends and syncs a record: the commit point. Answers the journal's new length.
///
/// When the sync fails nobody knows what is on disk, and a later success would say nothing about
/// these pages; the record is left unapplied, and whoever comes next rewrites the whole journal.
pub fn append(disk: &Disk, at: u64, record: &Record) -> Result<u64> {
    let bytes = encoded(record);
    let failed = |error| disk.failed("write", JOURNAL, error);
    let file = disk.open_to_write(JOURNAL).map_err(failed)?;
    // Nearly always it ends there, and then this would cost a turn of the file system's own journal.
    if file.metadata().map_err(failed)?.len() != at {
        file.set_len(at).map_err(failed)?;
    }
    let written = file.write_all_at(&bytes, at);
    if let Err(error) = written
        && !planted::has("full-disk-swallowed")
    {
        // Nothing was promised yet: take back what part of it went in.
        file.set_len(at).map_err(StoreError::OutcomeUnknown)?;
        return Err(failed(error));
    }
    if planted::has("journal-not-synced") {
        return Ok(at + bytes.len() as u64);
    }
    if at == 0 {
        disk.sync("data").map_err(unknown)?;
    }
    file.sync_data().map_err(StoreError::OutcomeUnknown)?;
    Ok(at + bytes.len() as u64)
}

fn unknown(error: StoreError) -> StoreError {
    match error {
        StoreError::Io { source, .. } => StoreError::OutcomeUnknown(source),
        other => other,
    }
}

/// What became of an after-image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    Done,
    /// Somebody saved the document in the same moment. That text stands, and is to be taken in.
    GaveWay,
}

/// Puts everything a record says into place, and answers which texts gave way to somebody's. May
/// be repeated.
///
/// An after-image goes over its before-image and nothing else: a file that is neither is a
/// person's, who came later.
pub fn apply(disk: &Disk, record: &Record) -> Result<BTreeSet<(u64, Place)>> {
    let mut gave_way = BTreeSet::new();
    for append in &record.appends {
        put_append(disk, append)?;
    }
    for write in &record.writes {
        if put_write(disk, record.seq, write)? == Placed::GaveWay {
            gave_way.insert((record.seq, write.place.clone()));
        }
    }
    if let Some(late) = &record.late {
        let placed = if gave_way.is_empty() { Placed::Done } else { Placed::GaveWay };
        super::recent::settle(disk, late, placed)?;
    }
    Ok(gave_way)
}

fn put_append(disk: &Disk, append: &Append) -> Result<()> {
    let new = append.text.as_bytes();
    // One byte more than is ours shows whether more stands behind it; what stands before it is
    // nobody's business here, however long it has grown.
    let part = |length| disk.part_beneath(&append.place, append.at, length);
    let Some(end) = part(new.len() as u64 + 1)? else { return Ok(()) };
    // Applied already, perhaps with more behind it.
    if end.starts_with(new) {
        return Ok(());
    }
    // Only a torn part of these very lines is written over; other lines there mean that git put
    // another version of the file in place, and the document will be compared with that. After a
    // power cut, any block of a file may be zero instead of what was written to it.
    let ours = |(now, new): (&u8, &u8)| now == new || *now == 0;
    let torn = end.iter().zip(new).all(ours) && (end.is_empty() || !planted::has("torn-line-kept"));
    if torn {
        if let Some((folder, _)) = append.place.rsplit_once('/') {
            disk.make_folder(folder)?;
        }
        disk.append_at(&append.place, append.at, new)?;
    }
    Ok(())
}

fn put_write(disk: &Disk, seq: u64, write: &Write) -> Result<Placed> {
    let there = disk.read_beneath(&write.place)?;
    let now = there.as_deref().map(fingerprint);
    let wanted = write.after.as_ref().map(|text| fingerprint(text.as_bytes()));
    if now == wanted {
        return Ok(Placed::Done);
    }
    let before = write.before.as_ref().map(|before| before.fingerprint.clone());
    let torn = there.as_deref().is_some_and(is_torn);
    // What people do not edit is the program's alone: there, the newest record is right.
    let persons = write.document && !planted::has("recovery-overwrites");
    if persons && now != before && !torn {
        return Ok(Placed::GaveWay);
    }
    if let Some((folder, _)) = write.place.rsplit_once('/') {
        disk.make_folder(folder)?;
    }
    match &write.after {
        None => disk.remove(&write.place)?,
        Some(text) if persons && there.is_some() => {
            super::recent::exchange(disk, seq, &write.place, text, before.as_deref())?;
        }
        Some(text) => disk.replace(&write.place, text.as_bytes())?,
    }
    Ok(Placed::Done)
}

/// Applies a record that was applied before a power cut, where the cut undid it: the very file
/// that it replaced is back, or the one put there is torn.
fn reapply(disk: &Disk, record: &Record, again: &mut BTreeSet<Place>) -> Result<()> {
    for append in &record.appends {
        put_append(disk, append)?;
    }
    for write in &record.writes {
        let now = disk.stamp(&write.place)?;
        let before = write.before.as_ref().and_then(|before| before.stamp);
        let same = |a: Stamp, b: Stamp| (a.inode, a.modified) == (b.inode, b.modified);
        let undone = match (now, before) {
            (Some(now), Some(before)) => same(now, before),
            (now, None) => now.is_none(),
            (None, Some(_)) => false,
        };
        let torn = || Ok(disk.read_beneath(&write.place)?.is_some_and(|bytes| is_torn(&bytes)));
        if undone || torn()? || again.contains(&write.place) || !write.document {
            again.insert(write.place.clone());
            put_write(disk, record.seq, write)?;
        }
    }
    Ok(())
}

/// Finishes what a crash, a full disk or a power cut left open, under the lock: applies what is
/// not applied, syncs all of it, and starts the journal anew.
pub fn recover(disk: &Disk, applied: Option<Applied>, boot: &str) -> Result<Applied> {
    let (records, _) = read(disk)?;
    let mut state = applied.unwrap_or_else(|| Applied::first(boot));
    let same_boot = state.boot == boot;
    let mut again = BTreeSet::new();
    for record in &records {
        // In the boot that applied it, it is there, and what differs is somebody's edit.
        if record.seq > state.seq {
            state.gave_way.extend(apply(disk, record)?);
        } else if !same_boot && !planted::has("reapply-skipped") {
            reapply(disk, record, &mut again)?;
        }
        if record.seq > state.seq {
            state.seq = record.seq;
            state.at = record.at;
            state.graph += u64::from(record.graph);
        }
    }
    boot.clone_into(&mut state.boot);
    super::recent::recognise(disk, &records)?;
    rewrite(disk, &records, state)
}

/// Syncs what the journal covers, then replaces it by its newest records.
pub fn rewrite(disk: &Disk, records: &[Record], mut state: Applied) -> Result<Applied> {
    sync_covered(disk, records)?;
    let mut kept = Vec::new();
    let mut size = 0;
    for record in records.iter().rev() {
        let bytes = encoded(record);
        size += bytes.len();
        if size > BYTES_KEPT {
            break;
        }
        kept.push(bytes);
    }
    let forgotten = records.len() - kept.len();
    let first = records.get(forgotten).map_or(u64::MAX, |record| record.seq);
    state.gave_way.retain(|(seq, _)| *seq >= first);
    kept.reverse();
    let bytes = kept.concat();
    state.journal = bytes.len() as u64;
    let draft = disk.draft(&bytes)?;
    disk.sync(&draft)?;
    disk.rename(&draft, JOURNAL)?;
    state.write(disk)?;
    disk.sync("data")?;
    Ok(state)
}

fn sync_covered(disk: &Disk, records: &[Record]) -> Result<()> {
    let writes = records.iter().flat_map(|record| record.writes.iter().map(|write| &write.place));
    let appends = records.iter().flat_map(|record| record.appends.iter().map(|line| &line.place));
    let places: BTreeSet<&str> = writes.chain(appends).map(String::as_str).collect();
    if places.len() > SYNCED_SINGLY_MAX && disk.sync_all()? {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for place in &places {
        disk.sync(place)?;
        let mut folder = *place;
        while let Some((parent, _)) = folder.rsplit_once('/') {
            folders.insert(parent);
            folder = parent;
        }
    }
    for folder in folders {
        disk.sync(folder)?;
    }
    disk.sync("")
}

/// Whether it is time to sync what is covered and cut the journal back.
pub fn is_long(state: &Applied) -> bool {
    state.journal > BYTES_MAX
}

/// What the files will hold once the journal's unapplied records are applied.
pub fn overlay(disk: &Disk, applied: Option<&Applied>) -> Result<HashMap<Place, Option<Vec<u8>>>> {
    let (records, _) = read(disk)?;
    let done = applied.map_or(0, |applied| applied.seq);
    let mut overlay: HashMap<Place, Option<Vec<u8>>> = HashMap::new();
    for record in records.iter().filter(|record| record.seq > done) {
        for write in &record.writes {
            let text = write.after.as_ref().map(|text| text.clone().into_bytes());
            overlay.insert(write.place.clone(), text);
        }
        for append in &record.appends {
            let beneath = match overlay.remove(&append.place) {
                Some(bytes) => bytes,
                None => disk.read_beneath(&append.place)?,
            };
            let mut bytes = beneath.unwrap_or_default();
            bytes.truncate(usize::try_from(append.at).unwrap_or(usize::MAX));
            bytes.extend(append.text.as_bytes());
            overlay.insert(append.place.clone(), Some(bytes));
        }
    }
    Ok(overlay)
}

/// Nobody opens a document, changes it by hand and saves it in less time.
const BY_HAND_MILLIS: i64 = 10_000;

/// An editor that saves this long after another save of the document was not overtaken by it.
const AT_REST_MILLIS: i64 = 2_000;

/// What a document recently was, as this program wrote or found it.
#[derive(Debug, Default)]
pub struct Versions {
    /// The texts that stood in it, oldest first: what an editor may have been opened on.
    pub stood: Vec<Stood>,
    /// The text that has everything: it stands there, or gave way to somebody's.
    pub newest: Option<String>,
}

#[derive(Debug, Clone)]
pub struct Stood {
    pub text: String,
    /// What it says that was not accepted then: still to be taken in, whoever saves on top of it.
    pub pending: Vec<FieldChange>,
    /// A person saved it, and a while before this save.
    pub by_hand: bool,
    /// The program put it there too shortly before the save for its editor to have been opened on
    /// it; a script may have been.
    pub unseen: bool,
}

/// The versions of a document, for a save that is in the file `saved`.
pub fn versions(disk: &Disk, place: &str, saved: &str) -> Result<Versions> {
    let (records, _) = read(disk)?;
    let saved = disk.stamp(saved)?.map_or(0, |stamp| stamp.modified / 1_000_000);
    let gave_way = Applied::read(disk)?.map(|applied| applied.gave_way).unwrap_or_default();
    let mut versions = Versions::default();
    let Versions { stood, newest } = &mut versions;
    for record in &records {
        for write in record.writes.iter().filter(|write| write.place == place) {
            // One with something in it that was not accepted is the same to whoever compares as
            // the accepted one that it was made from.
            let found = write.before.as_ref().filter(|_| write.pending.is_empty());
            let found = found.and_then(|before| before.text.clone());
            // Of saves that come at once, the later one may have been opened before the earlier.
            let at_rest = saved >= i128::from(record.at + AT_REST_MILLIS);
            stood.extend(found.map(|text| Stood {
                by_hand: at_rest && newest.as_ref().is_some_and(|newest| *newest != text),
                text,
                pending: Vec::new(),
                unseen: false,
            }));
            if !gave_way.contains(&(record.seq, write.place.clone())) {
                let unseen = saved < i128::from(record.at + BY_HAND_MILLIS);
                let pending = write.pending.clone();
                let by_hand = false;
                let after = write.after.clone();
                stood.extend(after.map(|text| Stood { text, pending, by_hand, unseen }));
            }
            newest.clone_from(&write.after);
        }
    }
    // What one change leaves is mostly what the next one finds.
    stood.dedup_by(|later, earlier| later.text == earlier.text);
    Ok(versions)
}
