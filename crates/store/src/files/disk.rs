//! The few ways in which the files store touches the disk.
//!
//! Every place is built from ids and fixed names below one root that was opened once, and every
//! step below it is taken without following links: nothing read from a document can lead
//! elsewhere, and no link that somebody puts there, at whatever moment.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

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
    opened: OnceCell<OwnedFd>,
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
    fn of(stat: &Stat) -> Self {
        let nanos = |seconds, nanos| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified: nanos(stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            changed: nanos(stat.st_ctime, i64::try_from(stat.st_ctime_nsec).unwrap_or(0)),
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
        Self { root, opened: OnceCell::new(), overlay: RefCell::default() }
    }

    /// The folder in which a place stands, and the place's name there.
    fn within<'a>(&self, place: &'a str) -> io::Result<(OwnedFd, &'a str)> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        if self.opened.get().is_none() {
            let root = rustix::fs::open(&self.root, flags, Mode::empty())?;
            let _ = self.opened.set(root);
        }
        let root = self.opened.get().ok_or(Errno::NOENT)?;
        let (folder, name) = place.rsplit_once('/').unwrap_or((".", place));
        let mut inner: Option<OwnedFd> = None;
        for step in folder.split('/') {
            let outer = inner.as_ref().unwrap_or(root);
            let opened = rustix::fs::openat(outer, step, flags | OFlags::NOFOLLOW, Mode::empty());
            // Anything but a folder where one belongs is somebody's attempt to lead elsewhere.
            inner = Some(opened.map_err(|errno| match errno {
                Errno::NOTDIR => Errno::LOOP,
                other => other,
            })?);
        }
        let name = if name.is_empty() { "." } else { name };
        Ok((inner.ok_or(Errno::NOENT)?, name))
    }

    /// Opens a file, never through a link and never waiting on a pipe.
    pub fn open(&self, place: &str, flags: OFlags) -> io::Result<File> {
        let (folder, name) = self.within(place)?;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(folder, name, flags, Mode::from_raw_mode(0o666))?;
        Ok(File::from(file))
    }

    /// Opens a file of ours to be written in place. One that has a second name becomes a copy of
    /// its own first: what the other name means to somebody must not change.
    pub fn open_to_write(&self, place: &str) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE;
        let mut file = self.open(place, flags)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(Errno::LOOP.into());
        }
        if metadata.nlink() < 2 {
            return Ok(file);
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let draft = self.write_draft(&bytes)?;
        self.move_to(&draft, place)?;
        self.open(place, flags)
    }

    fn move_to(&self, from: &str, to: &str) -> io::Result<()> {
        let ((from, old), (to, new)) = (self.within(from)?, self.within(to)?);
        Ok(rustix::fs::renameat(from, old, to, new)?)
    }

    pub fn rename(&self, from: &str, to: &str) -> Result<()> {
        self.move_to(from, to).map_err(|error| self.failed("write", to, error))
    }

    /// Lets two files take each other's place, in one step. `false` where the file system cannot.
    pub fn exchange(&self, one: &str, other: &str) -> Result<bool> {
        let exchange = || -> io::Result<()> {
            let ((a, one), (b, other)) = (self.within(one)?, self.within(other)?);
            Ok(rustix::fs::renameat_with(a, one, b, other, RenameFlags::EXCHANGE)?)
        };
        match exchange() {
            Ok(()) => Ok(true),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::INVAL | Errno::NOSYS) => Ok(false),
                _ => Err(self.failed("write", other, error)),
            },
        }
    }

    /// Gives a file a second name.
    pub fn link(&self, from: &str, to: &str) -> Result<()> {
        let link = || -> io::Result<()> {
            let ((a, old), (b, new)) = (self.within(from)?, self.within(to)?);
            Ok(rustix::fs::linkat(a, old, b, new, AtFlags::empty())?)
        };
        link().map_err(|error| self.failed("keep", to, error))
    }

    pub fn failed(&self, doing: &'static str, place: &str, error: io::Error) -> StoreError {
        let path = self.path(place);
        match Errno::from_io_error(&error) {
            Some(Errno::LOOP) => StoreError::Outside { path },
            _ => StoreError::io(doing, &path)(error),
        }
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
        let mut file = match self.open(place, OFlags::RDONLY) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(self.failed("read", place, error)),
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
        let read = || {
            let mut file = self.open(place, OFlags::RDONLY)?;
            let size = file.metadata()?.len();
            file.seek(SeekFrom::Start(size.saturating_sub(length)))?;
            let mut bytes = Vec::new();
            file.take(length).read_to_end(&mut bytes)?;
            Ok((bytes, size))
        };
        match read() {
            Err(error) if is_absent(&error) => Ok((Vec::new(), 0)),
            other => other.map_err(|error| self.failed("read", place, error)),
        }
    }

    /// What stands in a file from `at` on, as the disk has it, at most `length` bytes of it; `None`
    /// if the file ends before. A file that is not there is an empty one.
    pub fn part_beneath(&self, place: &str, at: u64, length: u64) -> Result<Option<Vec<u8>>> {
        let read = || {
            let mut file = self.open(place, OFlags::RDONLY)?;
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
            other => other.map_err(|error| self.failed("read", place, error)),
        }
    }

    pub fn stamp(&self, place: &str) -> Result<Option<Stamp>> {
        match self.stat(place) {
            Ok(stat) => Ok(Some(Stamp::of(&stat))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", place, error)),
        }
    }

    fn stat(&self, place: &str) -> io::Result<Stat> {
        let (folder, name) = self.within(place)?;
        Ok(rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The names in a folder, sorted; none where there is no folder.
    pub fn names(&self, place: &str) -> Result<Vec<String>> {
        let folder = match self.open(place, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            // A link, or a file, where a folder belongs.
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(StoreError::Outside { path: self.path(place) });
            }
            Err(error) => return Err(self.failed("read", place, error)),
        };
        let failed = |errno: Errno| self.failed("read", place, errno.into());
        let mut names = Vec::new();
        for entry in Dir::new(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_str().ok().filter(|name| !matches!(*name, "." | ".."));
            names.extend(name.map(str::to_owned));
        }
        names.sort_unstable();
        Ok(names)
    }

    /// The files in a folder and their sizes; none where there is no folder.
    pub fn sizes(&self, place: &str) -> Result<Vec<(String, u64)>> {
        let stamps = self.stamps(place)?.into_iter();
        Ok(stamps.map(|(name, stamp)| (name, stamp.size)).collect())
    }

    /// The files in a folder, each with its stamp; none where there is no folder.
    pub fn stamps(&self, place: &str) -> Result<Vec<(String, Stamp)>> {
        let names = self.names(place)?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |error| self.failed("read", place, error);
        let folder = self.open(place, OFlags::RDONLY | OFlags::DIRECTORY).map_err(failed)?;
        let mut stamps = Vec::with_capacity(names.len());
        for name in names {
            match rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stamps.push((name, Stamp::of(&stat))),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        Ok(stamps)
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
        match self.stat(place) {
            Ok(stat) if is_folder(&stat) => return Ok(()),
            Ok(_) => return Err(StoreError::Outside { path: self.path(place) }),
            Err(error) if is_absent(&error) => {}
            Err(error) => return Err(self.failed("look at", place, error)),
        }
        if let Some((parent, _)) = place.rsplit_once('/') {
            self.make_folder(parent)?;
        }
        let make = || -> io::Result<()> {
            let (folder, name) = self.within(place)?;
            Ok(rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o777))?)
        };
        match make() {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.make_folder(place),
            Err(error) => Err(self.failed("make", place, error)),
        }
    }

    /// Closes a folder to other users: what is in it may say more than documents do.
    pub fn keep_private(&self, place: &str) -> Result<()> {
        let protect = || -> io::Result<()> {
            let folder = self.open(place, OFlags::RDONLY | OFlags::DIRECTORY)?;
            Ok(rustix::fs::fchmod(folder, Mode::from_raw_mode(0o700))?)
        };
        protect().map_err(|error| self.failed("protect", place, error))
    }

    /// Replaces a file at once or not at all. Not synced: a journal covers it, or it can be made
    /// again.
    pub fn replace(&self, place: &str, bytes: &[u8]) -> Result<()> {
        let draft = self.draft(bytes)?;
        self.rename(&draft, place).inspect_err(|_| self.discard(&draft))
    }

    /// The same for what no journal covers: it is on the disk before it is in place.
    pub fn replace_synced(&self, place: &str, bytes: &[u8]) -> Result<()> {
        let draft = self.draft(bytes)?;
        self.sync(&draft)
            .and_then(|()| self.rename(&draft, place))
            .inspect_err(|_| self.discard(&draft))
    }

    /// Writes a new file under a name of its own, beside where it will be needed.
    pub fn draft(&self, bytes: &[u8]) -> Result<Place> {
        self.write_draft(bytes).map_err(|error| self.failed("write", "data", error))
    }

    fn write_draft(&self, bytes: &[u8]) -> io::Result<Place> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let place = format!("data/draft-{}-{number}", std::process::id());
        self.write_new(&place, bytes)?;
        Ok(place)
    }

    fn write_new(&self, place: &str, bytes: &[u8]) -> io::Result<File> {
        // One that a killed process of the same number left behind is in nobody's way.
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
        let file = match self.open(place, flags) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.discard(place);
                self.open(place, flags)
            }
            other => other,
        };
        let mut file = file?;
        file.write_all(bytes).inspect_err(|_| self.discard(place))?;
        Ok(file)
    }

    /// Replaces a file for which there is no `data/` to prepare it in: the draft stands beside it.
    /// What may read and run the file stays as it was.
    pub fn replace_beside(&self, place: &str, bytes: &[u8]) -> Result<()> {
        let (folder, name) = place.rsplit_once('/').unwrap_or((".", place));
        let draft = format!("{folder}/.{name}.milestone-{}", std::process::id());
        let replace = || {
            let file = self.write_new(&draft, bytes)?;
            if let Ok(stat) = self.stat(place) {
                rustix::fs::fchmod(&file, Mode::from_raw_mode(stat.st_mode & 0o777))?;
            }
            file.sync_all()?;
            self.move_to(&draft, place)
        };
        replace().map_err(|error| {
            self.discard(&draft);
            self.failed("write", place, error)
        })
    }

    /// What stands at a place: nothing, a file, or something else, which is never followed.
    pub fn kind(&self, place: &str) -> Result<Option<FileType>> {
        match self.stat(place) {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("look at", place, error)),
        }
    }

    /// What a link says, without going there.
    pub fn link_target(&self, place: &str) -> Result<String> {
        let read = || -> io::Result<String> {
            let (folder, name) = self.within(place)?;
            let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
            Ok(target.to_string_lossy().into_owned())
        };
        read().map_err(|error| self.failed("read", place, error))
    }

    /// Removes a folder if nothing is in it; answers whether it is gone.
    pub fn remove_empty_folder(&self, place: &str) -> Result<bool> {
        let remove = || -> io::Result<()> {
            let (folder, name) = self.within(place)?;
            Ok(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR)?)
        };
        match remove() {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(false),
            Err(error) if is_absent(&error) => Ok(true),
            Err(error) => Err(self.failed("remove", place, error)),
        }
    }

    /// A draft that came to nothing; should it stay, `doctor` sweeps it.
    fn discard(&self, place: &str) {
        let _ = self.unlink(place);
    }

    fn unlink(&self, place: &str) -> io::Result<()> {
        let (folder, name) = self.within(place)?;
        Ok(rustix::fs::unlinkat(folder, name, AtFlags::empty())?)
    }

    /// Removes the drafts of commands that were killed. Those of living ones stay: a reader writes
    /// its cache without the lock.
    pub fn sweep_drafts(&self) {
        for name in self.names("data").unwrap_or_default() {
            let pid = name.strip_prefix("draft-").and_then(|rest| rest.split_once('-'));
            let pid = pid.and_then(|(pid, _)| rustix::process::Pid::from_raw(pid.parse().ok()?));
            let gone = |pid| rustix::process::test_kill_process(pid) == Err(Errno::SRCH);
            if pid.is_some_and(gone) {
                self.discard(&format!("data/{name}"));
            }
        }
    }

    pub fn remove(&self, place: &str) -> Result<()> {
        match self.unlink(place) {
            Ok(()) => Ok(()),
            Err(error) if is_absent(&error) => Ok(()),
            Err(error) => Err(self.failed("remove", place, error)),
        }
    }

    /// Makes the file end at `at` with `bytes` behind it, whatever torn end a crash left there.
    /// Answers whether the file could be one that reached `at`.
    pub fn append_at(&self, place: &str, at: u64, bytes: &[u8]) -> Result<bool> {
        let append = || {
            let file = self.open_to_write(place)?;
            let length = file.metadata()?.len();
            if length < at {
                return Ok(false);
            }
            if length > at {
                file.set_len(at)?;
            }
            file.write_all_at(bytes, at)?;
            Ok(true)
        };
        append().map_err(|error| self.failed("write", place, error))
    }

    /// Syncs everything there is, where the system can; answers whether it did.
    pub fn sync_all(&self) -> Result<bool> {
        #[cfg(target_os = "linux")]
        {
            let failed = |error| self.failed("sync", "", error);
            let root = self.open("", OFlags::RDONLY).map_err(failed)?;
            rustix::fs::syncfs(root).map_err(|errno| failed(errno.into()))?;
            Ok(true)
        }
        #[cfg(not(target_os = "linux"))]
        Ok(false)
    }

    /// Syncs a file or folder that is there.
    pub fn sync(&self, place: &str) -> Result<()> {
        let file = match self.open(place, OFlags::RDONLY) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(self.failed("open", place, error)),
        };
        file.sync_all().map_err(|error| self.failed("sync", place, error))
    }
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_dir()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
