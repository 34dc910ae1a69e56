//! A whole project in one file: a plain tar of what cannot be made again, and before it a manifest
//! with the fingerprint of every file.
//!
//! Equal projects make equal files, but for the time that the manifest names. Claims are not in it:
//! one that came back would bring its old fence back.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use milestone_domain::ids::{MilestoneId, TaskId};
use rustix::fs::{CWD, OFlags, RenameFlags};
use serde::{Deserialize, Serialize};

use super::claims;
use super::disk::Disk;
use crate::error::StoreError;
use crate::scale;

type Result<T> = std::result::Result<T, StoreError>;

/// Where backups are put when nobody says.
pub const FOLDER: &str = "data/backups";

const FORMAT: &str = "milestone backup";
pub const VERSION: u32 = 1;
const MANIFEST: &str = "manifest.json";

/// Folders of which everything is kept, and single files.
const FOLDERS: [&str; 7] =
    ["active", "completed", "config", "deliverables", "history", "templates", "data/kept"];
/// Those of them that are the project's plan.
const DOCUMENTS: [&str; 4] = ["active", "completed", "history", "data/events.log"];
const FILES: [&str; 3] = [".gitattributes", ".gitignore", "data/events.log"];

/// Bounds of what is read from a backup, which may come from anybody.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;
const PATH_BYTES_MAX: usize = 1024;
const STEPS_MAX: usize = 16;

/// The first file of a backup: what the others are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: String,
    pub version: u32,
    /// The version of the program that made it.
    pub program: String,
    pub made_at: Timestamp,
    pub files: Vec<Entry>,
    /// Who held which task: when this is put back, these claims have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// What stood among the files and is none: links and the like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub size: u64,
    pub blake3: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub task: TaskId,
    pub by: String,
}

impl Manifest {
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.size).sum()
    }

    /// How many documents there are in one of the two folders.
    pub fn documents(&self, folder: &str) -> usize {
        let is_document = |path: &str| {
            let name = path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/'));
            let id = name.and_then(|name| name.strip_suffix(".yaml"));
            id.is_some_and(|id| id.parse::<MilestoneId>().is_ok())
        };
        self.files.iter().filter(|entry| is_document(&entry.path)).count()
    }
}

/// What goes into a backup.
pub struct Parts<'a> {
    /// The project's folder.
    pub project: &'a Disk,
    /// Where its documents and their history stand.
    pub documents: &'a Disk,
    pub held: Vec<Held>,
}

impl<'a> Parts<'a> {
    /// A project that is kept in its folder.
    pub fn of(disk: &'a Disk) -> Result<Self> {
        let held = claims::read_all(disk)?.into_iter();
        let held = held.map(|claim| Held { task: claim.task, by: claim.actor }).collect();
        Ok(Self { project: disk, documents: disk, held })
    }

    fn disk(&self, place: &str) -> &'a Disk {
        match DOCUMENTS.iter().any(|folder| place.starts_with(folder)) {
            true => self.documents,
            false => self.project,
        }
    }
}

/// Writes a backup of what is there now. Whoever calls this has the turn to write.
pub fn write(parts: &Parts<'_>, out: impl Write, now: Timestamp) -> Result<Manifest> {
    let (mut files, mut left_out) = (Vec::new(), Vec::new());
    for file in FILES {
        look_at(parts.disk(file), file, &mut files, &mut left_out)?;
    }
    for folder in FOLDERS {
        collect(parts.disk(folder), folder, 0, &mut files, &mut left_out)?;
    }
    files.sort_unstable();
    left_out.sort_unstable();
    let entry = |path: &String| -> Result<Entry> {
        let disk = parts.disk(path);
        let (size, blake3) = hash(open(disk, path)?).map_err(|e| disk.failed("read", path, e))?;
        Ok(Entry { path: path.clone(), size, blake3 })
    };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        version: VERSION,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: now,
        files: files.iter().map(entry).collect::<Result<_>>()?,
        held: parts.held.clone(),
        left_out,
    };
    let mut tar = tar::Builder::new(out);
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    let failed = |error| StoreError::io("write", Path::new("the backup"))(error);
    add(&mut tar, MANIFEST, text.len() as u64, text.as_slice()).map_err(failed)?;
    for entry in &manifest.files {
        let file = open(parts.disk(&entry.path), &entry.path)?;
        let mut reader = Hashing::new(file.take(entry.size));
        add(&mut tar, &entry.path, entry.size, &mut reader).map_err(failed)?;
        if reader.end() != (entry.size, entry.blake3.clone()) {
            // Somebody saved it between our two looks.
            return Err(StoreError::Stale);
        }
    }
    tar.into_inner().and_then(|mut out| out.flush()).map_err(failed)?;
    Ok(manifest)
}

fn collect(
    disk: &Disk,
    folder: &str,
    depth: usize,
    files: &mut Vec<String>,
    left_out: &mut Vec<String>,
) -> Result<()> {
    for name in disk.names(folder)? {
        let place = format!("{folder}/{name}");
        if disk.kind(&place)?.is_some_and(rustix::fs::FileType::is_dir) && depth < STEPS_MAX {
            collect(disk, &place, depth + 1, files, left_out)?;
        } else {
            look_at(disk, &place, files, left_out)?;
        }
    }
    Ok(())
}

fn look_at(
    disk: &Disk,
    place: &str,
    files: &mut Vec<String>,
    left_out: &mut Vec<String>,
) -> Result<()> {
    // What was measured here is of this clone and this moment.
    if place == scale::NOTE {
        return Ok(());
    }
    match disk.kind(place)? {
        Some(kind) if kind.is_file() && is_safe(place) => files.push(place.to_owned()),
        Some(_) => left_out.push(place.to_owned()),
        None => {}
    }
    Ok(())
}

fn open(disk: &Disk, place: &str) -> Result<File> {
    disk.open(place, OFlags::RDONLY).map_err(|error| disk.failed("read", place, error))
}

fn add(
    tar: &mut tar::Builder<impl Write>,
    path: &str,
    size: u64,
    data: impl Read,
) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    tar.append_data(&mut header, path, data)
}

/// Writes a file as a whole or not at all, for its owner only, and never over another one.
pub fn save<T>(to: &Path, write: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(StoreError::Exists { path: to.to_owned() });
    }
    let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let draft = to.with_file_name(format!(".{name}.part-{}", std::process::id()));
    // One that a killed process of the same number left behind is nobody's.
    let _ = fs::remove_file(&draft);
    let failed = |error| StoreError::io("write", to)(error);
    let saved = || -> Result<T> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(failed)?;
        let written = write(&mut file)?;
        file.sync_all().map_err(failed)?;
        rustix::fs::renameat_with(CWD, &draft, CWD, to, RenameFlags::NOREPLACE).map_err(
            |errno| match errno {
                rustix::io::Errno::EXIST => StoreError::Exists { path: to.to_owned() },
                errno => failed(errno.into()),
            },
        )?;
        if let Some(folder) = to.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(written)
    };
    saved().inspect_err(|_| drop(fs::remove_file(&draft)))
}

/// Reads a whole backup, holds every file against the manifest, and hands each to `keep`. Nothing
/// in it is believed: only files, only with safe paths in folders we know, each once, each as long
/// as it says and with the fingerprint that it should have.
pub fn read(
    path: &Path,
    mut keep: impl FnMut(&Entry, &mut dyn Read) -> Result<()>,
) -> Result<Manifest> {
    let bad = |message: String| StoreError::BadBackup { path: path.to_owned(), message };
    let file = File::open(path).map_err(StoreError::io("read", path))?;
    let mut tar = tar::Archive::new(io::BufReader::new(file));
    // What the reader of tars says of one repeats what stands in it.
    let unread = |_| bad("it is cut off or damaged".to_owned());
    let mut entries = tar.entries().map_err(unread)?;
    let first = entries.next().and_then(io::Result::ok).ok_or_else(|| bad(NOT_OURS.into()))?;
    let manifest = manifest(first).map_err(bad)?;
    let mut wanted: BTreeMap<&str, &Entry> = BTreeMap::new();
    for entry in &manifest.files {
        if !is_safe(&entry.path) {
            return Err(bad(format!("{:?} is no path that belongs into a project", entry.path)));
        }
        if wanted.insert(&entry.path, entry).is_some() {
            return Err(bad(format!("{} is in it twice", entry.path)));
        }
    }
    for entry in entries {
        let entry = entry.map_err(unread)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(wanted) = wanted.remove(name.as_str()) else {
            return Err(bad(format!("{name:?} is in it and not in its manifest, or twice")));
        };
        if entry.header().entry_type() != tar::EntryType::Regular || entry.size() != wanted.size {
            return Err(bad(format!("{name} is not the file that its manifest names")));
        }
        let mut reader = Hashing::new(entry);
        keep(wanted, &mut reader)?;
        io::copy(&mut reader, &mut io::sink()).map_err(unread)?;
        if reader.end() != (wanted.size, wanted.blake3.clone()) {
            return Err(bad(format!("{name} was changed after the backup was made")));
        }
    }
    if let Some(missing) = wanted.into_keys().next() {
        return Err(bad(format!("{missing} is missing: the end was cut off")));
    }
    Ok(manifest)
}

const NOT_OURS: &str = "it was not made by `milestone storage backup`";

fn manifest(mut entry: tar::Entry<'_, impl Read>) -> std::result::Result<Manifest, String> {
    let not_ours = || NOT_OURS.to_owned();
    let regular = entry.header().entry_type() == tar::EntryType::Regular;
    if &*entry.path_bytes() != MANIFEST.as_bytes() || !regular || entry.size() > MANIFEST_BYTES_MAX
    {
        return Err(not_ours());
    }
    let mut text = Vec::new();
    entry.read_to_end(&mut text).map_err(|_| "it is cut off or damaged")?;
    let head: Head = serde_json::from_slice(&text).map_err(|_| not_ours())?;
    if head.format != FORMAT {
        return Err(not_ours());
    }
    if head.version > VERSION {
        let program = head.program.unwrap_or_default();
        return Err(format!("it was made by a newer program ({program}); use that one"));
    }
    serde_json::from_slice(&text).map_err(|error| format!("its manifest is damaged: {error}"))
}

/// What every version of a manifest has.
#[derive(Deserialize)]
struct Head {
    format: String,
    version: u32,
    program: Option<String>,
}

/// A path below the project's folder, in a part of it that backups have.
fn is_safe(path: &str) -> bool {
    let steps: Vec<&str> = path.split('/').collect();
    let safe = |step: &&str| {
        !matches!(*step, "" | "." | "..") && !step.contains(|c: char| c.is_control() || c == '\\')
    };
    let known = FILES.contains(&path)
        || FOLDERS.iter().any(|folder| {
            path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/') && rest.len() > 1)
        });
    known && path.len() <= PATH_BYTES_MAX && steps.len() <= STEPS_MAX && steps.iter().all(safe)
}

/// Reads on, and takes the fingerprint of what went through.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
    size: u64,
}

impl<R: Read> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), size: 0 }
    }

    fn end(&self) -> (u64, String) {
        (self.size, self.hasher.finalize().to_hex().to_string())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..read).unwrap_or_default());
        self.size += read as u64;
        Ok(read)
    }
}

fn hash(file: File) -> io::Result<(u64, String)> {
    let mut reader = Hashing::new(io::BufReader::new(file));
    io::copy(&mut reader, &mut io::sink())?;
    Ok(reader.end())
}

/// The backups in their usual place, the newest last: their names are times.
pub fn kept(disk: &Disk) -> Result<Vec<String>> {
    let names = disk.names(FOLDER)?;
    Ok(names.into_iter().filter(|name| name.ends_with(".tar") && !name.starts_with('.')).collect())
}

/// A name for a backup of this moment that is not taken.
pub fn fresh_name(disk: &Disk, now: Timestamp) -> Result<PathBuf> {
    let stem = format!("milestones-{}", now.strftime("%Y%m%d-%H%M%S"));
    let taken = kept(disk)?;
    let names = std::iter::once(format!("{stem}.tar"))
        .chain((2_u32..).map(|number| format!("{stem}-{number}.tar")));
    let free = names.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
    Ok(disk.path(FOLDER).join(free))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_a_project_are_safe() {
        for path in
            [".gitignore", "active/milestone-001.yaml", "deliverables/a b/ü/c.md", "data/kept/x"]
        {
            assert!(is_safe(path), "{path}");
        }
        for path in [
            "",
            "/etc/passwd",
            "active",
            "active/",
            "active/../../x",
            "../x",
            "data/claims/x",
            "data/lock",
            "data/kept",
            "temp/x",
            "active//x",
            "active/./x",
            "active/a\nb",
            ".git/config",
            "activex/a",
            "manifest.json",
            "active\\x",
            "data/keptx/y",
        ] {
            assert!(!is_safe(path), "{path:?}");
        }
        assert!(!is_safe(&format!("active/{}", "a/".repeat(40))));
    }
}
