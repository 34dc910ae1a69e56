//! The files that documents recently were, kept because an editor may still be writing to one.
//!
//! A document is replaced by exchanging it with its new version, in one step of the file system.
//! What comes out of the exchange is looked at: if it is not the text that was replaced, a person
//! saved in between. It stays here either way, and when it changes later, a save came too late
//! to find its document. Both are taken in as edits; nothing that anybody saved is dropped.

use std::time::{Duration, SystemTime};

use milestone_domain::ids::MilestoneId;

use super::disk::{Disk, Stamp, fingerprint, is_torn};
use super::journal::{Placed, Record};
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

const FOLDER: &str = "data/recent";

/// At the end of a name: the file holds a late save of which only the comments are still missing.
const TOLD: &str = "told";

/// How long a replaced file is watched. An editor that keeps a file open for longer writes by name.
const WATCHED: Duration = Duration::from_mins(10);

/// So many of a document are watched for that long; of one that is replaced all the time, the
/// others are watched for as long as a slow save takes.
const WATCHED_MOST: usize = 64;
const SAVED: Duration = Duration::from_secs(15);

/// A save that reached a file which was no longer the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateSave {
    pub name: String,
    pub text: Vec<u8>,
    /// What it changes is in the history; what else is in its text, comments, is nowhere yet.
    pub told: bool,
}

/// Puts `text` in the place of a document, and keeps what was there.
pub fn exchange(
    disk: &Disk,
    seq: u64,
    place: &str,
    text: &str,
    before: Option<&str>,
) -> Result<()> {
    disk.make_folder(FOLDER)?;
    let draft = disk.draft(text.as_bytes())?;
    // From here on it is watched: should we die right after the exchange, what somebody saved in
    // the same instant is found there.
    let watched = format!("{FOLDER}/{}.{seq}.0.0.{}", file(place), std::process::id());
    disk.rename(&draft, &watched)?;
    let draft = watched;
    if crate::planted::has("plain-rename") {
        disk.rename(&draft, place)?;
        return Ok(());
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
fn keep(disk: &Disk, seq: u64, place: &str, old: &str, before: Option<&str>) -> Result<()> {
    // In this order: what is written after the stamp shows in a later one.
    let stamp = disk.stamp(old)?;
    let bytes = disk.read_beneath(old)?.unwrap_or_default();
    let print = fingerprint(&bytes);
    let over = before != Some(print.as_str()) && !is_torn(&bytes);
    let seen = match stamp {
        Some(stamp) if !over => seen(stamp, &print),
        _ => "0.0".to_owned(),
    };
    disk.rename(old, &format!("{FOLDER}/{}.{seq}.{seen}", file(place)))
}

/// What a name says of the text that nobody has written over since.
fn seen(stamp: Stamp, print: &str) -> String {
    format!("{}.{}.{print}", stamp.modified, stamp.size)
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
        let Some(parts) = parts(name) else { continue };
        let place = format!("{FOLDER}/{name}");
        let Some(stamp) = disk.stamp(&place)? else { continue };
        let untouched = parts.is_of(stamp);
        if untouched && !parts.told {
            continue;
        }
        // One that is being written to right now is looked at again when it says something.
        let Some(text) = disk.read_beneath(&place)?.filter(|text| !is_torn(text)) else { continue };
        let unchanged = untouched || parts.says(&text);
        if !unchanged || parts.told {
            let told = unchanged;
            late.push((parts.seq, LateSave { name: name.clone(), text, told }));
        }
    }
    late.sort_by_key(|(seq, _)| *seq);
    Ok(late.into_iter().map(|(_, save)| save).collect())
}

/// Where a late save is.
pub fn place(key: &str) -> String {
    format!("{FOLDER}/{}", key.split_once('@').map_or(key, |(name, _)| name))
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

/// What the name of a watched file says.
struct Parts {
    milestone: MilestoneId,
    /// The change that replaced it.
    seq: u64,
    modified: i128,
    size: u64,
    print: String,
    told: bool,
}

impl Parts {
    /// Its text is what it was: in a copy of the project every file is of another moment.
    fn says(&self, text: &[u8]) -> bool {
        self.print == fingerprint(text)
    }

    fn is_of(&self, stamp: Stamp) -> bool {
        (stamp.modified, stamp.size) == (self.modified, self.size)
    }
}

fn parts(name: &str) -> Option<Parts> {
    let mut parts = name.split('.');
    let milestone = parts.next()?.parse().ok()?;
    let seq = parts.next()?.parse().ok()?;
    let (modified, size) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let print = parts.next().unwrap_or_default().to_owned();
    Some(Parts { milestone, seq, modified, size, print, told: parts.next() == Some(TOLD) })
}

/// A late save was taken in: its file is watched on, from what it then said. Written to since, it
/// is late again. Where the text that has it gave way to somebody's, its comments stay to be
/// taken in; its changes are in the history and must not be told twice.
pub fn settle(disk: &Disk, key: &str, placed: Placed) -> Result<()> {
    let Some((name, print)) = key.split_once('@') else { return Ok(()) };
    let place = format!("{FOLDER}/{name}");
    // In this order: what is written after the stamp shows in a later one.
    let (Some(Parts { milestone, seq, .. }), Some(stamp)) = (parts(name), disk.stamp(&place)?)
    else {
        return Ok(());
    };
    if disk.read_beneath(&place)?.is_none_or(|bytes| fingerprint(&bytes) != print) {
        return Ok(());
    }
    let settled = format!("{FOLDER}/{milestone}.{seq}.{}", seen(stamp, print));
    match placed {
        Placed::Done => disk.rename(&place, &settled),
        Placed::GaveWay => disk.rename(&place, &format!("{settled}.{TOLD}")),
    }
}

/// After a crash between the steps of an exchange, a watched file may be only what the exchange
/// was about: the text that replaced, or the one that was replaced. Neither is anybody's save.
pub fn recognise(disk: &Disk, records: &[Record]) -> Result<()> {
    for name in disk.names(FOLDER).unwrap_or_default() {
        let Some(Parts { seq, modified: 0, size: 0, .. }) = parts(&name) else { continue };
        let place = format!("{FOLDER}/{name}");
        let Some(bytes) = disk.read_beneath(&place)? else { continue };
        let is = |text: Option<&String>| text.is_some_and(|text| text.as_bytes() == bytes);
        let mut writes =
            records.iter().filter(|record| record.seq == seq).flat_map(|record| &record.writes);
        if writes.clone().any(|write| write.document && is(write.after.as_ref())) {
            disk.remove(&place)?;
        } else if writes.any(|write| is(write.before.as_ref().and_then(|b| b.text.as_ref()))) {
            settle(disk, &format!("{name}@{}", fingerprint(&bytes)), Placed::Done)?;
        }
    }
    Ok(())
}

/// Stops watching files that nobody can have open any more, unless a late save is in them.
pub fn sweep(disk: &Disk) -> Result<()> {
    let names = disk.names(FOLDER)?;
    let mut watched: Vec<_> = names.iter().filter_map(|name| Some((parts(name)?, name))).collect();
    watched.sort_by_key(|(parts, _)| (parts.milestone, std::cmp::Reverse(parts.seq)));
    let of_one = watched.chunk_by(|(one, _), (other, _)| one.milestone == other.milestone);
    for (newer, (parts, name)) in of_one.flat_map(|own| own.iter().enumerate()) {
        let place = format!("{FOLDER}/{name}");
        let Some(stamp) = disk.stamp(&place)? else { continue };
        let most = if newer < WATCHED_MOST { WATCHED } else { SAVED };
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let changed = u128::try_from(stamp.changed).unwrap_or(0);
        let old = since.as_nanos().saturating_sub(changed) > most.as_nanos();
        if !old {
            continue;
        }
        let is_spare = |text: Vec<u8>| is_torn(&text) || !parts.told && parts.says(&text);
        let settled = parts.is_of(stamp) && !parts.told;
        if settled || disk.read_beneath(&place)?.is_some_and(is_spare) {
            disk.remove(&place)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use milestone_domain::event::ChangeId;
    use uuid::Uuid;

    use super::super::journal::{Before, Write, apply};
    use super::*;

    const PLACE: &str = "active/milestone-001.yaml";

    /// A late save that a change takes in, while the document becomes what somebody `saved`.
    fn taken_in(saved: &str) -> Vec<LateSave> {
        let temp = tempfile::tempdir().unwrap();
        let disk = Disk::new(temp.path().to_owned());
        for (place, text) in [(PLACE, saved), ("data/recent/milestone-001.1.0.0", "late")] {
            let file = temp.path().join(place);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let late = || Watched::list(&disk).unwrap().late_saves(&disk, MilestoneId(1)).unwrap();
        let (fingerprint, stamp, text) = (fingerprint(b"before"), None, None);
        let before = Some(Before { fingerprint, stamp, text });
        let write = Write {
            place: PLACE.into(),
            before,
            after: Some("after".into()),
            document: true,
            pending: Vec::new(),
        };
        let record = Record {
            seq: 2,
            change: ChangeId(Uuid::now_v7()),
            at: 0,
            writes: vec![write],
            appends: Vec::new(),
            graph: false,
            late: Some(late()[0].key()),
        };
        apply(&disk, &record).unwrap();
        // Whoever recovers may do it again.
        apply(&disk, &record).unwrap();
        late()
    }

    #[test]
    fn what_was_copied_with_the_project_is_no_save() {
        let temp = tempfile::tempdir().unwrap();
        let disk = Disk::new(temp.path().to_owned());
        fs::create_dir(temp.path().join("active")).unwrap();
        fs::write(temp.path().join(PLACE), "before").unwrap();
        exchange(&disk, 1, PLACE, "after", Some(&fingerprint(b"before"))).unwrap();
        let name = disk.names(FOLDER).unwrap().remove(0);
        let copied = temp.path().join(FOLDER).join(name);
        let late = || {
            let late = Watched::list(&disk).unwrap().late_saves(&disk, MilestoneId(1)).unwrap();
            late.into_iter().map(|save| save.text).collect::<Vec<_>>()
        };
        let file = fs::OpenOptions::new().append(true).open(&copied).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + WATCHED).unwrap();
        assert_eq!(late(), Vec::<Vec<u8>>::new());
        fs::write(&copied, "saved").unwrap();
        assert_eq!(late(), [b"saved"]);
    }

    #[test]
    fn a_late_save_is_settled_when_its_text_is_in_the_document() {
        assert_eq!(taken_in("before"), []);
    }

    #[test]
    fn a_late_save_whose_text_gave_way_keeps_its_comments_and_is_not_told_twice() {
        let late = taken_in("somebody's");
        assert_eq!(late.len(), 1);
        assert!(late[0].told && late[0].text == b"late");
    }
}
