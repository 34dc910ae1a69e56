//! The few ways in which the files store touches the disk.
//!
//! Every path is built from ids and fixed names below one root that was opened once, and every
//! file is opened without following links: nothing read from a document can lead elsewhere.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// Files of ours are never larger; a larger one is somebody's mistake or malice.
pub const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// A path below the project's folder: only fixed names and ids ever go into one.
pub type Place = String;

/// The project's `.milestones` folder.
#[derive(Debug)]
pub struct Disk {
    root: PathBuf,
    /// What the journal says and the disk does not yet, where finishing it was not possible.
    overlay: RefCell<HashMap<Place, Option<Vec<u8>>>>,
}

/// What tells whether a file is still the one that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    pub inode: u64,
    pub size: u64,
    pub modified: i128,
    pub changed: i128,
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Self {
        let nanos =
            |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The fingerprint of a text; equal texts, and only they, have equal ones.
pub fn fingerprint(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..32].to_owned()
}

/// Whether a text is what a power cut leaves of one: nothing, or zeros where its blocks were. No
/// text of ours has a zero in it.
pub fn is_torn(bytes: &[u8]) -> bool {
    bytes.is_empty() || bytes.contains(&0)
}

impl Disk {
    pub fn new(root: PathBuf) -> Self {
        Self { root, overlay: RefCell::default() }
    }

    pub fn path(&self, place: &str) -> PathBuf {
        self.root.join(place)
    }

    pub fn set_overlay(&self, overlay: HashMap<Place, Option<Vec<u8>>>) {
        *self.overlay.borrow_mut() = overlay;
    }

    /// The whole of a file, or `None` where there is none.
    pub fn read(&self, place: &str) -> Result<Option<Vec<u8>>> {
        if let Some(bytes) = self.overlay.borrow().get(place) {
            return Ok(bytes.clone());
        }
        self.read_beneath(place)
    }

    /// The whole of a file as the disk has it, whatever the journal says.
    pub fn read_beneath(&self, place: &str) -> Result<Option<Vec<u8>>> {
        let path = self.path(place);
        let mut file = match open_plain(OpenOptions::new().read(true), &path) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let metadata = file.metadata().map_err(StoreError::io("read", &path))?;
        if !metadata.is_file() {
            return Err(StoreError::Corrupt { path, message: "this is not a file".into() });
        }
        if metadata.len() > FILE_BYTES_MAX {
            let message = format!("larger than {FILE_BYTES_MAX} bytes");
            return Err(StoreError::Corrupt { path, message });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0));
        file.read_to_end(&mut bytes).map_err(StoreError::io("read", &path))?;
        Ok(Some(bytes))
    }

    /// At most the last `length` bytes of a file, and the file's whole length.
    pub fn tail(&self, place: &str, length: u64) -> Result<(Vec<u8>, u64)> {
        if let Some(bytes) = self.overlay.borrow().get(place) {
            let bytes = bytes.clone().unwrap_or_default();
            let start = bytes.len().saturating_sub(usize::try_from(length).unwrap_or(usize::MAX));
            return Ok((bytes[start..].to_vec(), bytes.len() as u64));
        }
        let path = self.path(place);
        let read = || {
            let mut file = open_plain(OpenOptions::new().read(true), &path)?;
            let size = file.metadata()?.len();
            file.seek(SeekFrom::Start(size.saturating_sub(length)))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok((bytes, size))
        };
        match read() {
            Err(error) if is_absent(&error) => Ok((Vec::new(), 0)),
            other => other.map_err(StoreError::io("read", &path)),
        }
    }

    /// What stands in a file from `at` on, as the disk has it, at most `length` bytes of it; `None`
    /// if the file ends before. A file that is not there is an empty one.
    pub fn part_beneath(&self, place: &str, at: u64, length: u64) -> Result<Option<Vec<u8>>> {
        let path = self.path(place);
        let read = || {
            let mut file = open_plain(OpenOptions::new().read(true), &path)?;
            if file.metadata()?.len() < at {
                return Ok(None);
            }
            file.seek(SeekFrom::Start(at))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok(Some(bytes))
        };
        match read() {
            Err(error) if is_absent(&error) => Ok((at == 0).then(Vec::new)),
            other => other.map_err(StoreError::io("read", &path)),
        }
    }

    pub fn stamp(&self, place: &str) -> Result<Option<Stamp>> {
        let path = self.path(place);
        match fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub fn names(&self, place: &str) -> Result<Vec<String>> {
        let path = self.path(place);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(StoreError::io("read", &path))?;
            names.extend(entry.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Makes the project's folder itself. Answers whether it is new.
    pub fn make_root(&self) -> Result<bool> {
        match fs::create_dir(&self.root) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(StoreError::io("make", &self.root)(error)),
        }
    }

    /// Refuses a folder that is a link: through one, a write would land outside the project.
    pub fn make_folder(&self, place: &str) -> Result<()> {
        let path = self.path(place);
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => return Ok(()),
            Ok(_) => return Err(StoreError::Outside { path }),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(StoreError::io("look at", &path)(error)),
        }
        if let Some((parent, _)) = place.rsplit_once('/') {
            self.make_folder(parent)?;
        }
        match fs::create_dir(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.make_folder(place),
            Err(error) => Err(StoreError::io("make", &path)(error)),
        }
    }

    /// Closes a folder to other users: what is in it may say more than documents do.
    pub fn keep_private(&self, place: &str) -> Result<()> {
        let path = self.path(place);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
            .map_err(StoreError::io("protect", &path))
    }

    /// Replaces a file at once or not at all. Not synced: a journal covers it, or it can be made
    /// again.
    pub fn replace(&self, place: &str, bytes: &[u8]) -> Result<()> {
        let draft = self.draft(bytes)?;
        let path = self.path(place);
        fs::rename(&draft, &path).map_err(StoreError::io("write", &path)).inspect_err(|_| {
            discard(&draft);
        })
    }

    /// The same for what no journal covers: it is on the disk before it is in place.
    pub fn replace_synced(&self, place: &str, bytes: &[u8]) -> Result<()> {
        let draft = self.draft(bytes)?;
        let path = self.path(place);
        let synced = File::open(&draft).and_then(|file| file.sync_all());
        synced
            .and_then(|()| fs::rename(&draft, &path))
            .map_err(StoreError::io("write", &path))
            .inspect_err(|_| discard(&draft))
    }

    /// Writes a new file under a name of its own, beside where it will be needed.
    pub fn draft(&self, bytes: &[u8]) -> Result<PathBuf> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(format!("data/draft-{}-{number}", std::process::id()));
        let write = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o666);
            open_plain(&mut options, &path)?.write_all(bytes)
        };
        write().map_err(StoreError::io("write", &path)).inspect_err(|_| discard(&path))?;
        Ok(path)
    }

    /// Removes the drafts of commands that were killed. Those of living ones stay: a reader writes
    /// its cache without the lock.
    pub fn sweep_drafts(&self) {
        for name in self.names("data").unwrap_or_default() {
            let pid = name.strip_prefix("draft-").and_then(|rest| rest.split_once('-'));
            let pid = pid.and_then(|(pid, _)| rustix::process::Pid::from_raw(pid.parse().ok()?));
            let gone = |pid| {
                let asked = rustix::process::test_kill_process(pid);
                asked == Err(rustix::io::Errno::SRCH)
            };
            if pid.is_some_and(gone) {
                discard(&self.path(&format!("data/{name}")));
            }
        }
    }

    pub fn remove(&self, place: &str) -> Result<()> {
        let path = self.path(place);
        match fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(StoreError::io("remove", &path)(error)),
        }
    }

    /// Makes the file end at `at` with `bytes` behind it, whatever torn end a crash left there.
    /// Answers whether the file could be one that reached `at`.
    pub fn append_at(&self, place: &str, at: u64, bytes: &[u8]) -> Result<bool> {
        let path = self.path(place);
        let append = || {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o666);
            let file = open_plain(&mut options, &path)?;
            let length = file.metadata()?.len();
            if length < at {
                return Ok(false);
            }
            if length > at {
                file.set_len(at)?;
            }
            std::os::unix::fs::FileExt::write_all_at(&file, bytes, at)?;
            Ok(true)
        };
        append().map_err(StoreError::io("write", &path))
    }

    pub fn open_for_sync(&self, place: &str) -> Result<Option<File>> {
        let path = self.path(place);
        match open_plain(OpenOptions::new().read(true), &path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(StoreError::io("open", &path)(error)),
        }
    }

    /// Syncs everything there is, where the system can; answers whether it did.
    pub fn sync_all(&self) -> Result<bool> {
        #[cfg(target_os = "linux")]
        if let Some(root) = self.open_for_sync("")? {
            let synced = rustix::fs::syncfs(root);
            synced.map_err(|errno| StoreError::io("sync", &self.root)(errno.into()))?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Syncs a file or folder that is there.
    pub fn sync(&self, place: &str) -> Result<()> {
        let Some(file) = self.open_for_sync(place)? else { return Ok(()) };
        file.sync_all().map_err(StoreError::io("sync", &self.path(place)))
    }
}

/// Never through a link at the end of the path, and never waiting on a pipe.
pub fn open_plain(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0)).open(path)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A draft that came to nothing; should it stay, `doctor` sweeps it.
fn discard(path: &Path) {
    let _ = fs::remove_file(path);
}
