//! The write lock: one writer at a time, and a waiting one learns who it waits for.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt as _;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::disk::Disk;
use crate::error::StoreError;
use crate::scale;

/// Held while it lives. The kernel frees it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

const PLACE: &str = "data/lock";

/// How often a lock that was removed under us is taken anew.
const TRIES_MAX: u32 = 8;

impl Lock {
    pub fn acquire(disk: &Disk, wait: Duration) -> Result<Self, StoreError> {
        let mut lock = Self::acquire_once(disk, wait)?;
        for _ in 0..TRIES_MAX {
            if lock.is_the_one(disk) {
                return Ok(lock);
            }
            // Somebody removed `data/` while we waited: a lock that others cannot see is none.
            disk.make_folder("data")?;
            lock = Self::acquire_once(disk, wait)?;
        }
        // Another folder has taken the project's place: what was opened is not it any more.
        if lock.is_the_one(disk) { Ok(lock) } else { Err(StoreError::Stale) }
    }

    /// Whether what is locked still is what others would lock.
    pub fn is_the_one(&self, disk: &Disk) -> bool {
        let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
        let ours = self.file.metadata().map(identity).ok();
        ours.is_some() && ours == std::fs::symlink_metadata(disk.path(PLACE)).map(identity).ok()
    }

    fn acquire_once(disk: &Disk, wait: Duration) -> Result<Self, StoreError> {
        let failed = |error| disk.failed("lock", PLACE, error);
        let file = disk.open(PLACE, OFlags::RDWR | OFlags::CREATE).map_err(failed)?;
        if crate::planted::has("lock-not-taken") {
            return Ok(Self { file });
        }
        let file = match file.try_lock() {
            Ok(()) => file,
            Err(std::fs::TryLockError::WouldBlock) if wait.is_zero() => {
                return Err(StoreError::Busy { holder: holder(disk), waited_ms: 0 });
            }
            Err(std::fs::TryLockError::WouldBlock) => Self::wait(disk, file, wait)?,
            Err(std::fs::TryLockError::Error(error)) => {
                return Err(failed(error));
            }
        };
        sign(&file);
        Ok(Self { file })
    }

    /// Waits in the kernel's queue, which is fair, on a thread that can be left behind: if it gets
    /// the lock after we gave up, nobody receives the file, and dropping it frees the lock.
    fn wait(disk: &Disk, file: File, wait: Duration) -> Result<File, StoreError> {
        let started = Instant::now();
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let locked = file.lock().map(|()| file);
            let _ = send.send(locked);
        });
        let received = receive.recv_timeout(wait);
        scale::note_wait(disk, started.elapsed());
        match received {
            Ok(locked) => locked.map_err(|error| disk.failed("lock", PLACE, error)),
            Err(_) => Err(StoreError::Busy {
                holder: holder(disk),
                waited_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }
}

/// Leaves our name for whoever waits. Only courtesy: the lock holds without it.
fn sign(mut file: &File) {
    // A file with a second name is somebody else's too.
    if file.metadata().map_or(true, |metadata| !metadata.is_file() || metadata.nlink() > 1) {
        return;
    }
    let name = format!("process {} ({})\n", std::process::id(), program());
    let _ = file
        .set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| file.write_all(name.as_bytes()));
}

fn program() -> String {
    let verb: Vec<String> = std::env::args_os()
        .skip(1)
        .take(2)
        .map(|word| word.to_string_lossy().chars().filter(|c| !c.is_control()).take(40).collect())
        .collect();
    format!("milestone {}", verb.join(" ")).trim_end().to_owned()
}

/// Who has the lock at this moment, if anybody. Takes nothing.
pub fn held_by(disk: &Disk) -> Option<String> {
    let file = disk.open(PLACE, OFlags::RDONLY).ok()?;
    match file.try_lock_shared() {
        Err(std::fs::TryLockError::WouldBlock) => Some(holder(disk)),
        _ => None,
    }
}

fn holder(disk: &Disk) -> String {
    let mut text = String::new();
    let read =
        disk.open(PLACE, OFlags::RDONLY).and_then(|file| file.take(200).read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => {
            text.trim().chars().filter(|c| !c.is_control()).collect()
        }
        _ => "another process".to_owned(),
    }
}
