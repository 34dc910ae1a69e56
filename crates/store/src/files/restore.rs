//! Putting a backup back.
//!
//! The whole of it is written beside the project first, and then takes the project's place in one
//! step. What was there before is kept, whole, under a name of its own. Killed at any instant, this
//! leaves the project as it was or as the backup has it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use milestone_domain::event::AttemptId;
use milestone_domain::settings::Settings;
use rustix::fs::{CWD, OFlags, RenameFlags};
use rustix::io::Errno;
use uuid::Uuid;

use super::backup::{self, Manifest};
use super::disk::Disk;
use super::{Files, claims, given, layout};
use crate::Store as _;
use crate::config::{self, PROJECT_FILE, SHARED, Source};
use crate::discover::{self, BEFORE_RESTORE, RESTORING, Root};
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// In a folder that was unpacked and has not taken its place yet.
const UNPACKED: &str = "data/unpacked";

/// What putting a backup back came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    pub manifest: Manifest,
    /// Where what was there before is kept; `None` where there was nothing.
    pub before: Option<PathBuf>,
    /// Claims that were live and are not any more.
    pub claims_ended: usize,
}

/// Whether a project has anything that a restore would put aside.
pub fn would_replace(root: &Root) -> Result<bool> {
    let disk = Disk::new(root.folder());
    let has = |folder: &str| Ok(disk.names(folder)?.iter().any(|name| name.ends_with(".yaml")));
    Ok(root.exists() && (has("active")? || has("completed")? || !disk.names("history")?.is_empty()))
}

pub fn restore(root: &Root, from: &Path, wait: Duration, now: Timestamp) -> Result<Restored> {
    // All of it is looked at before anything is touched.
    backup::read(from, |_, _| Ok(()))?;
    let _alone = alone(&root.project)?;
    // One that was interrupted between its two steps begins anew.
    if let Some(aside) = discover::put_aside(&root.project).filter(|_| !root.exists()) {
        take_place(&aside, &root.folder())?;
    }
    let there = root.exists();
    // Whatever keeps the project, what stands here takes its documents' place.
    let old = Files::open(root.folder(), Settings::default(), wait).mirroring();
    let turn = if there { Some(old.turn(0)?) } else { None };
    sweep(&root.project)?;
    let (staged, manifest) = stage(root, from)?;
    keep_shared(if there { Some(&old.disk) } else { None }, &staged)?;
    if there {
        carry_over(&old.disk, &staged)?;
    }
    end_claims(&staged, &manifest)?;
    sync(&staged)?;
    if !there {
        take_place(&root.project.join(RESTORING), &root.folder())?;
        settle(root, &root.folder())?;
        return Ok(Restored { manifest, before: None, claims_ended: 0 });
    }
    let claims_ended = claims::read_all(&old.disk).unwrap_or_default().len();
    let before = aside(&root.project, now)?;
    switch(&root.project.join(RESTORING), &root.folder(), &before)?;
    settle(root, &root.folder())?;
    drop(turn);
    Ok(Restored { manifest, before: Some(before), claims_ended })
}

/// Only one restore at a time, whether there is a project or not.
fn alone(project: &Path) -> Result<File> {
    let folder = File::open(project).map_err(StoreError::io("open", project))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => {
            Err(StoreError::Busy { holder: "another restore".into(), waited_ms: 0 })
        }
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", project)(error)),
    }
}

/// Removes what restores that were killed have unpacked. A folder that was a project has no mark
/// of being unpacked, and stays.
fn sweep(project: &Path) -> Result<()> {
    let staging = project.join(RESTORING);
    let mut unpacked = vec![staging];
    for folder in asides(project)? {
        if folder.join(UNPACKED).exists() {
            unpacked.push(folder);
        }
    }
    for folder in unpacked {
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", &folder)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn asides(project: &Path) -> Result<Vec<PathBuf>> {
    discover::asides(project).map_err(StoreError::io("read", project))
}

/// Unpacks the backup beside the project.
fn stage(root: &Root, from: &Path) -> Result<(Disk, Manifest)> {
    let staged = Disk::new(root.project.join(RESTORING));
    staged.make_root()?;
    staged.make_folder("data")?;
    staged.keep_private("data")?;
    staged.replace(UNPACKED, b"")?;
    let manifest = backup::read(from, |entry, data| {
        if let Some((folder, _)) = entry.path.rsplit_once('/') {
            staged.make_folder(folder)?;
        }
        let failed = |error| staged.failed("write", &entry.path, error);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let mut file = staged.open(&entry.path, flags).map_err(failed)?;
        io::copy(data, &mut file).and_then(|_| file.flush()).map_err(failed)
    })?;
    layout::make(&staged, false)?;
    Ok((staged, manifest))
}

/// Which database others share says the present project, and no backup.
fn keep_shared(old: Option<&Disk>, staged: &Disk) -> Result<()> {
    let text = |disk: &Disk| -> Result<String> {
        let bytes = disk.read(PROJECT_FILE)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let said = text(staged)?;
    let now = old.map(text).transpose()?.and_then(|text| config::shared(&text));
    let kept = match now {
        Some(now) => config::edited(&said, SHARED, &now.0.to_string().into(), Source::Project)?,
        None => config::without(&said, SHARED)?,
    };
    if kept == said { Ok(()) } else { staged.replace(PROJECT_FILE, kept.as_bytes()) }
}

/// What the present project knows and the backup cannot: which numbers and fences are gone, and the
/// backups made since.
fn carry_over(old: &Disk, staged: &Disk) -> Result<()> {
    let beyond = given::shown(old).beyond(&given::shown(staged));
    let known = given::read(old).unwrap_or_default();
    let text = serde_json::to_vec(&beyond.with(&known)).unwrap_or_default();
    staged.replace(given::PLACE, &text)?;
    staged.make_folder(backup::FOLDER)?;
    for name in backup::kept(old)? {
        let place = format!("{}/{name}", backup::FOLDER);
        // A second name of the same file: it is in the folder put aside, too.
        fs::hard_link(old.path(&place), staged.path(&place))
            .map_err(|error| old.failed("keep", &place, error))?;
    }
    Ok(())
}

/// Whoever held a task when the backup was made has lost it, and anybody may take it: it is claimed
/// under a fence that nobody was given, and the lease is over.
fn end_claims(staged: &Disk, manifest: &Manifest) -> Result<()> {
    if manifest.held.is_empty() {
        return Ok(());
    }
    let given = given::shown(staged);
    staged.make_folder(claims::FOLDER)?;
    for held in &manifest.held {
        let highest = given.fences.get(&held.task).copied().unwrap_or(0);
        let ended = claims::Kept {
            task: held.task,
            attempt: AttemptId(Uuid::now_v7()),
            fence: highest.saturating_add(1),
            actor: held.by.clone(),
            // No boot has this name, so the lease is over in every one.
            boot: String::new(),
            deadline_ms: 0,
            resources: Vec::new(),
        };
        staged.replace(&claims::place(held.task), ended.text().as_bytes())?;
    }
    Ok(())
}

fn sync(staged: &Disk) -> Result<()> {
    if staged.sync_all()? {
        return Ok(());
    }
    sync_below(&staged.path(""))
}

fn sync_below(folder: &Path) -> Result<()> {
    let failed = |error| StoreError::io("sync", folder)(error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            sync_below(&entry.path())?;
        } else {
            File::open(entry.path()).and_then(|file| file.sync_all()).map_err(failed)?;
        }
    }
    File::open(folder).and_then(|file| file.sync_all()).map_err(failed)
}

/// A name for what was there before that is not taken.
fn aside(project: &Path, now: Timestamp) -> Result<PathBuf> {
    let stem = format!("{BEFORE_RESTORE}{}", now.strftime("%Y%m%d-%H%M%S"));
    let taken = asides(project)?;
    let names =
        std::iter::once(stem.clone()).chain((2_u32..).map(|number| format!("{stem}-{number}")));
    let mut free = names.map(|name| project.join(name)).filter(|path| !taken.contains(path));
    Ok(free.next().unwrap_or_default())
}

/// Lets the unpacked backup take the project's place. Where the file system can, both exchange
/// places in one step, so that there is a project at every instant.
fn switch(staging: &Path, project: &Path, before: &Path) -> Result<()> {
    take_place(staging, before)?;
    match rename(before, project, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(()),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            take_place(before, staging)?;
            switch_in_two_steps(staging, project, before)
        }
        Err(errno) => Err(StoreError::io("replace", project)(errno.into())),
    }
}

/// Between the two there is no project: whoever looks for it then is told where it is.
fn switch_in_two_steps(staging: &Path, project: &Path, before: &Path) -> Result<()> {
    take_place(project, before)?;
    // Should this fail, what was there comes back.
    take_place(staging, project).inspect_err(|_| drop(take_place(before, project)))
}

fn take_place(from: &Path, to: &Path) -> Result<()> {
    rename(from, to, RenameFlags::NOREPLACE)
        .map_err(|errno| StoreError::io("make", to)(errno.into()))
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> std::result::Result<(), Errno> {
    rustix::fs::renameat_with(CWD, from, CWD, to, flags)
}

/// The project has its place; what is left is to make that last.
fn settle(root: &Root, folder: &Path) -> Result<()> {
    let _ = fs::remove_file(folder.join(UNPACKED));
    let failed = |error| StoreError::io("sync", &root.project)(error);
    File::open(&root.project).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_exchange_it_takes_two_steps() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        for name in ["project", "staging"] {
            fs::create_dir(path(name)).unwrap();
            fs::write(path(name).join("was"), name).unwrap();
        }
        switch_in_two_steps(&path("staging"), &path("project"), &path("before")).unwrap();
        let was = |name: &str| fs::read_to_string(path(name).join("was")).unwrap();
        assert_eq!((was("project").as_str(), was("before").as_str()), ("staging", "project"));
        // One that cannot be finished is undone.
        assert!(switch_in_two_steps(&path("none"), &path("project"), &path("again")).is_err());
        assert_eq!(was("project"), "staging");
        assert!(!path("again").exists());
    }
}
