//! What a git that was killed leaves behind, and how it is told from what a running one needs.
//!
//! A git that is killed leaves its lock files, and every later one refuses to write. So each git of
//! ours that takes locks has a record of which ones, and holds a kernel lock on the record for as
//! long as it, or anything it started, lives: the record is its standard error. Unlike a process's
//! number this cannot be mistaken: not by a number given away again, not from another container,
//! and not in the moment between the start of git and writing down its number.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::error::{GitError, Result};

const RECORD: &str = "milestone-git-";

/// The locks that all changes of refs may take, in either of git's ways of keeping refs.
pub const SHARED: [&str; 2] = ["packed-refs.lock", "reftable/tables.list.lock"];

/// Says of a worktree where the repository is.
const COMMON_FOLDER: &str = "commondir";

const DRAFT: &str = "milestone-draft-";

/// File systems keep times more coarsely than clocks say them.
const COARSENESS: Duration = Duration::from_millis(20);

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A name in git's folder that nothing else has.
pub fn own_name(kind: &str) -> String {
    format!("{kind}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What is written down before git starts.
#[derive(Debug, Serialize, Deserialize)]
struct Intent {
    /// When it began, in microseconds.
    began: u64,
    /// The files that it may leave behind, from git's folder on. One that ends in `*` stands for the
    /// locks of all refs and worktrees that begin so.
    leaves: BTreeSet<String>,
}

/// A git that takes locks, for as long as it is at work.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    head: u64,
}

impl Writer {
    /// The record appears whole and held, or not at all.
    pub fn begin(common: &Path, leaves: &[String]) -> Result<Self> {
        let draft = common.join(own_name(DRAFT));
        let path = common.join(own_name(RECORD));
        let make = || -> io::Result<(File, u64)> {
            let mut file = File::options().read(true).append(true).create_new(true).open(&draft)?;
            file.lock()?;
            let began = now_micros();
            let intent = Intent { began, leaves: leaves.iter().cloned().collect() };
            let mut line = serde_json::to_vec(&intent)?;
            line.push(b'\n');
            file.write_all(&line)?;
            fs::rename(&draft, &path)?;
            Ok((file, line.len() as u64))
        };
        let (file, head) = make().map_err(GitError::io("write", &path))?;
        Ok(Self { path, file, head })
    }

    /// What git gets as its standard error, and with it the lock.
    pub fn held(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// What git said.
    pub fn said(&self) -> io::Result<Vec<u8>> {
        let length = self.file.metadata()?.len().saturating_sub(self.head);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, self.head)?;
        Ok(bytes)
    }

    /// Ends the record of a git that has cleaned up behind itself. That of one that was killed
    /// stays, and goes with what it left.
    pub fn end(&self) {
        // One that cannot be removed is that of a dead writer, and goes with the next look.
        let _ = fs::remove_file(&self.path);
    }
}

fn now_micros() -> u64 {
    micros(SystemTime::now())
}

fn micros(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A record that nobody holds. It is held while it is looked at.
struct Dead {
    path: PathBuf,
    intent: Intent,
    _file: File,
}

/// Removes what our own dead writers left behind, and only where no git at work in these folders
/// could need it. Gives whether anything is still there that one of them may have left.
pub fn clear(common: &Path, folders: &[PathBuf]) -> Result<bool> {
    if milestone_store::planted::has("locks-left") {
        return Ok(false);
    }
    let (dead, needed) = records(common)?;
    let mut is_left = false;
    for record in dead {
        let mut stays = false;
        for name in meant(common, &record.intent.leaves).iter().filter(|name| is_ours(name)) {
            let file = common.join(name);
            if !was_left(&file, record.intent.began) {
                continue;
            }
            if needed.contains(name) || !is_quiet(&file, folders) {
                stays = true;
            } else {
                remove(&file)?;
            }
        }
        if stays {
            is_left = true;
        } else {
            remove(&record.path)?;
        }
    }
    Ok(is_left)
}

/// Removes locks in a place where nobody but us works, once no git is at work there.
pub fn clear_own(locks: &[PathBuf], folders: &[PathBuf]) -> Result<()> {
    let mut quiet = locks.iter().filter(|lock| lock.exists() && is_quiet(lock, folders));
    quiet.try_for_each(|lock| remove(lock))
}

/// The records of the dead, and what the living may have.
fn records(common: &Path) -> Result<(Vec<Dead>, BTreeSet<String>)> {
    let (mut dead, mut needed) = (Vec::new(), BTreeSet::new());
    let entries = fs::read_dir(common).map_err(GitError::io("list", common))?;
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if !name.starts_with(RECORD) {
            continue;
        }
        // One that went while this looked has ended well.
        let Ok(file) = File::open(&path) else { continue };
        let intent = read(&file).unwrap_or_else(|| torn(common, &file));
        match file.try_lock() {
            Ok(()) => dead.push(Dead { path, intent, _file: file }),
            // Where it cannot be told, somebody may hold it.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {
                needed.extend(meant(common, &intent.leaves));
            }
        }
    }
    Ok((dead, needed))
}

fn read(file: &File) -> Option<Intent> {
    const HEAD_BYTES_MAX: usize = 1 << 20;
    let length = usize::try_from(file.metadata().ok()?.len()).ok()?.min(HEAD_BYTES_MAX);
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, 0).ok()?;
    serde_json::from_slice(bytes.split(|byte| *byte == b'\n').next()?).ok()
}

/// What a record that a power cut has torn may have said: any lock of ours that was made since.
fn torn(common: &Path, file: &File) -> Intent {
    let began = file.metadata().and_then(|metadata| metadata.modified()).map_or(u64::MAX, micros);
    let mut leaves = BTreeSet::from(SHARED.map(str::to_owned));
    for place in ["refs/milestone", "refs/heads/milestone"] {
        locks_below(common, place, &mut leaves);
    }
    leaves.extend(half_made(common));
    Intent { began, leaves }
}

/// The names that a record means, of those that may be there.
fn meant(common: &Path, leaves: &BTreeSet<String>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for name in leaves {
        let Some(begins) = name.strip_suffix('*') else {
            names.insert(name.clone());
            continue;
        };
        let mut locks = BTreeSet::new();
        let folder = begins.rsplit_once('/').map_or(begins, |(folder, _)| folder);
        locks_below(common, folder, &mut locks);
        locks.extend(half_made(common));
        names.extend(locks.into_iter().filter(|lock| lock.starts_with(begins)));
    }
    names
}

fn locks_below(common: &Path, place: &str, locks: &mut BTreeSet<String>) {
    for entry in fs::read_dir(common.join(place)).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let place = format!("{place}/{name}");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => locks_below(common, &place, locks),
            Ok(_) if name.ends_with(".lock") => drop(locks.insert(place)),
            _ => {}
        }
    }
}

/// Where a git was killed between making this file of a worktree and writing it.
fn half_made(common: &Path) -> Vec<String> {
    let entries = fs::read_dir(common.join("worktrees")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let files = names.map(|name| format!("worktrees/{name}/{COMMON_FOLDER}"));
    let is_empty = |file: &String| {
        common.join(file).symlink_metadata().is_ok_and(|metadata| metadata.len() == 0)
    };
    files.filter(is_empty).collect()
}

/// Whatever a record says, nothing else is ever removed.
fn is_ours(name: &str) -> bool {
    let steps_up = name.split('/').any(|step| matches!(step, "" | "." | ".."));
    let place = name.starts_with("refs/milestone/")
        || name.starts_with("refs/heads/milestone/")
        || name.starts_with("worktrees/")
        || SHARED.contains(&name);
    let index = name.starts_with("milestone-index-") && !name.contains('/');
    let half_made = name.starts_with("worktrees/") && name.ends_with(COMMON_FOLDER);
    !steps_up && ((place && name.ends_with(".lock")) || index || half_made)
}

/// Whether a file is there that may have been made while the writer lived.
fn was_left(file: &Path, began: u64) -> bool {
    let Ok(metadata) = file.symlink_metadata() else { return false };
    // When it was modified may be said of it; when it was made or changed is not.
    let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
    let nanos = u64::try_from(metadata.ctime_nsec()).unwrap_or(0);
    let changed = Duration::from_secs(seconds) + Duration::from_nanos(nanos) + COARSENESS;
    metadata.is_file() && changed.as_micros() >= u128::from(began)
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(GitError::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}

/// Whether surely nobody at work could have made the file: no git in these folders, and nobody who
/// has it open. Where that cannot be seen, somebody might.
fn is_quiet(file: &Path, folders: &[PathBuf]) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    let Ok(maker) = file.symlink_metadata().map(|metadata| metadata.uid()) else { return true };
    let mut is_anybody_seen = false;
    for process in processes.filter_map(|entry| Some(entry.ok()?.path())) {
        let Ok(name) = fs::read_to_string(process.join("comm")) else { continue };
        is_anybody_seen = true;
        let is_git = name.trim_end() == "git" || name.starts_with("git-");
        let is_makers = process.metadata().is_ok_and(|metadata| metadata.uid() == maker);
        if (is_git && is_makers && is_within(&process, folders)) || has_open(&process, file) {
            return false;
        }
    }
    is_anybody_seen
}

fn is_within(process: &Path, folders: &[PathBuf]) -> bool {
    match fs::read_link(process.join("cwd")) {
        Ok(at) => folders.iter().any(|folder| at.starts_with(folder)),
        // Gone by now, which is quiet; or one that may not be looked at, and may work here.
        Err(error) => error.kind() == io::ErrorKind::PermissionDenied,
    }
}

fn has_open(process: &Path, file: &Path) -> bool {
    let Ok(opened) = fs::read_dir(process.join("fd")) else { return false };
    opened.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).any(|target| target == file)
}
