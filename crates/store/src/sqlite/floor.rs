//! Where a database may be, whose it may be, and how much can be done with it there.

use std::fmt::Write as _;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::Access as Right;

use crate::Result;
use crate::error::StoreError;

/// Only its owner may read it: what is private in the documents is private here, too. What SQLite
/// puts beside it is given the same rights.
const MODE: u32 = 0o600;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Write,
    /// It cannot be written here, while others may be writing it elsewhere.
    Read,
    /// Nobody has it open, and nothing can be put beside it.
    ReadAlone,
}

/// The database's real place, and what can be done with it; it is made if it can be.
pub fn access(file: &Path) -> Result<(PathBuf, Access)> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // The way to the folder may lead over links; the file itself may not be one.
    let folder = folder.canonicalize().map_err(StoreError::io("open", folder))?;
    let file = folder.join(file.file_name().unwrap_or_default());
    check_file_system(&folder)?;
    let writable = |path: &Path| rustix::fs::access(path, Right::WRITE_OK).is_ok();
    match fs::symlink_metadata(&file) {
        Err(_) => {
            make(&file)?;
            Ok((file, Access::Write))
        }
        Ok(metadata) if metadata.is_symlink() => Err(StoreError::Outside { path: file }),
        Ok(metadata) => {
            check_owner(&file, metadata.uid())?;
            if !writable(&folder) || !writable(&file) {
                let access = reading(&file)?;
                return Ok((file, access));
            }
            if metadata.mode() & 0o077 != 0 {
                let private = fs::set_permissions(&file, Permissions::from_mode(MODE));
                private.map_err(StoreError::io("protect", &file))?;
            }
            Ok((file, Access::Write))
        }
    }
}

fn make(file: &Path) -> Result<()> {
    let made = File::options().write(true).create_new(true).mode(MODE).open(file);
    match made {
        // Somebody else has made it in this moment.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(drop).map_err(StoreError::io("write", file)),
    }
}

/// Another user's database may hold anything. Root is trusted to know where it works.
fn check_owner(file: &Path, owner: u32) -> Result<()> {
    let me = rustix::process::geteuid().as_raw();
    if owner == me || me == 0 {
        return Ok(());
    }
    Err(StoreError::ForeignOwner { path: file.to_owned(), owner })
}

/// Readers need to see what is in the log, and that takes a file that all of them share.
fn reading(file: &Path) -> Result<Access> {
    let beside = |ending: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(ending);
        fs::metadata(PathBuf::from(name))
    };
    match (beside("-shm"), beside("-wal")) {
        (Ok(_), _) => Ok(Access::Read),
        (Err(_), Ok(log)) if log.len() > 0 => Err(StoreError::ReadOnly {
            what: file.display().to_string(),
            message: "its log was not finished, which takes a folder that can be written; \
                      copy all of the folder to where that is so"
                .into(),
        }),
        _ => Ok(Access::ReadAlone),
    }
}

pub fn connect(file: &Path, access: Access) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    match access {
        Access::Write => {
            Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)
        }
        Access::Read => Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_READ_ONLY),
        Access::ReadAlone => {
            let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(format!("file:{}?immutable=1", escaped(file)), flags)
        }
    }
}

/// A path as it stands in a URI.
fn escaped(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Hosts that share a file do not share the memory that goes with it, and not all of them keep to
/// its locks.
#[cfg(target_os = "linux")]
fn check_file_system(folder: &Path) -> Result<()> {
    let stat = rustix::fs::statfs(folder)
        .map_err(|errno| StoreError::io("look at", folder)(errno.into()))?;
    let magic = u32::try_from(stat.f_type & 0xffff_ffff).unwrap_or(0);
    let network = match magic {
        FUSE => {
            let device = fs::metadata(folder).map_err(StoreError::io("look at", folder))?.dev();
            let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            network_by_fuse(&mounts, device)
        }
        magic => network(magic).map(str::to_owned),
    };
    let Some(network) = network else { return Ok(()) };
    Err(StoreError::Database {
        what: folder.display().to_string(),
        message: format!(
            "this folder is on {network}, where several hosts would damage a SQLite database; \
             keep the project in files or in PostgreSQL"
        ),
    })
}

#[cfg(not(target_os = "linux"))]
fn check_file_system(_: &Path) -> Result<()> {
    Ok(())
}

/// File systems of programs, of which some reach over the network.
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// The file systems that several hosts can have at once, by the numbers that the kernel gives them.
#[cfg(target_os = "linux")]
fn network(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_6969 => "NFS",
        0x0000_517b => "SMB",
        0xff53_4d42 | 0xfe53_4d42 => "CIFS",
        0x0102_1997 => "9p",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x7375_7245 => "Coda",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x4750_4653 => "GPFS",
        0x1983_0326 => "BeeGFS",
        0x0000_564c => "NCP",
        0x786f_4256 => "a folder of VirtualBox's host",
        0xbacb_acbc => "a folder of VMware's host",
        _ => return None,
    })
}

/// Programs that bring a file system from elsewhere.
#[cfg(target_os = "linux")]
const NETWORK_PROGRAMS: &[&str] = &[
    "sshfs",
    "rclone",
    "s3fs",
    "goofys",
    "mountpoint-s3",
    "gcsfuse",
    "glusterfs",
    "davfs",
    "curlftpfs",
    "smbnetfs",
    "ceph-fuse",
    "cephfs",
    "juicefs",
    "moosefs",
    "mfs",
    "seaweedfs",
    "lizardfs",
    "gvfsd-fuse",
    "afpfs",
    "beegfs",
    "vmhgfs-fuse",
    "prl_fsd",
    "grpcfuse",
    "blobfuse",
    "blobfuse2",
];

/// The name of the program behind a mounted device, if it is one of those.
#[cfg(target_os = "linux")]
fn network_by_fuse(mounts: &str, device: u64) -> Option<String> {
    let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let line = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device.as_str()))?;
    let mut words = line.split(" - ").nth(1)?.split(' ');
    let (kind, source) = (words.next()?, words.next().unwrap_or_default());
    let program = kind.strip_prefix("fuse.").unwrap_or(source);
    let known = |name: &&&str| program == **name || source.starts_with(&format!("{name}#"));
    NETWORK_PROGRAMS.iter().find(known).map(|name| (*name).to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn file_systems_of_several_hosts_are_known() {
        for magic in [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x00c3_6400] {
            assert!(network(magic).is_some(), "{magic:x}");
        }
        // ext4, xfs, btrfs, tmpfs, overlay, zfs.
        for magic in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(network(magic), None, "{magic:x}");
        }
    }

    #[test]
    fn a_program_behind_a_file_system_is_known_by_its_mount() {
        let mounts = "36 35 0:50 / /mnt/far rw - fuse.sshfs ada@far:/home rw\n\
                      37 35 0:51 / /mnt/near rw - fuse.gocryptfs /home/ada/hidden rw\n\
                      38 35 0:52 / /mnt/ntfs rw - fuseblk /dev/sdb1 rw";
        let of = |minor| network_by_fuse(mounts, rustix::fs::makedev(0, minor));
        assert_eq!(of(50).as_deref(), Some("sshfs"));
        assert_eq!(of(51), None);
        assert_eq!(of(52), None);
        assert_eq!(of(99), None);
    }

    #[test]
    fn a_path_in_a_uri_is_only_a_path() {
        assert_eq!(escaped(Path::new("/a b/c?mode=rw#x%")), "/a%20b/c%3Fmode%3Drw%23x%25");
    }
}
