//! The files of a repository beside its project: written when a person asks for it, and never
//! through a link.

use std::path::{Path, PathBuf};

use crate::error::StoreError;
use crate::files::disk::Disk;

type Result<T> = std::result::Result<T, StoreError>;

/// The folder that a person's own files are in.
#[derive(Debug)]
pub struct Repository {
    disk: Disk,
}

/// What stands at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Nothing,
    File(Vec<u8>),
    /// A link, and where it says that it leads.
    Link(String),
    /// A folder, a pipe: nothing that can be read and replaced as a file.
    Other,
}

impl Repository {
    pub fn at(root: &Path) -> Self {
        Self { disk: Disk::new(root.to_owned()) }
    }

    pub fn path(&self, place: &str) -> PathBuf {
        self.disk.path(place)
    }

    /// A link among the folders above is refused, as everywhere.
    pub fn look(&self, place: &str) -> Result<Found> {
        match self.disk.kind(place)? {
            None => Ok(Found::Nothing),
            Some(kind) if kind.is_file() => {
                Ok(self.disk.read(place)?.map_or(Found::Nothing, Found::File))
            }
            Some(kind) if kind.is_symlink() => Ok(Found::Link(self.disk.link_target(place)?)),
            Some(_) => Ok(Found::Other),
        }
    }

    pub fn write(&self, place: &str, bytes: &[u8]) -> Result<()> {
        if let Some((folder, _)) = place.rsplit_once('/') {
            self.disk.make_folder(folder)?;
        }
        self.disk.replace_beside(place, bytes)
    }

    /// Removes a file, and the folders above it that are empty without it.
    pub fn remove(&self, place: &str) -> Result<()> {
        self.disk.remove(place)?;
        let mut folder = place;
        while let Some((above, _)) = folder.rsplit_once('/') {
            if !self.disk.remove_empty_folder(above)? {
                break;
            }
            folder = above;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_file_comes_and_goes_with_its_folders() {
        let temp = tempfile::tempdir().unwrap();
        let repository = Repository::at(temp.path());
        repository.write("a/b/c.md", b"one").unwrap();
        repository.write("a/other.md", b"two").unwrap();
        assert_eq!(repository.look("a/b/c.md").unwrap(), Found::File(b"one".to_vec()));
        repository.remove("a/b/c.md").unwrap();
        assert!(!temp.path().join("a/b").exists());
        assert!(temp.path().join("a/other.md").exists());
        repository.remove("a/other.md").unwrap();
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 0);
    }

    #[test]
    fn nothing_is_written_through_a_link() {
        let temp = tempfile::tempdir().unwrap();
        let (inside, outside) = (temp.path().join("inside"), temp.path().join("outside"));
        fs::create_dir(&inside).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "theirs").unwrap();
        symlink(&outside, inside.join("folder")).unwrap();
        symlink(outside.join("file"), inside.join("link")).unwrap();
        let repository = Repository::at(&inside);
        let refused = |result| matches!(result, Err(StoreError::Outside { .. }));
        assert!(refused(repository.write("folder/file", b"ours")));
        assert!(refused(repository.write("folder/below/file", b"ours")));
        assert!(refused(repository.look("folder/file").map(drop)));
        assert!(refused(repository.remove("folder/file")));
        assert!(
            matches!(repository.look("link").unwrap(), Found::Link(to) if to.ends_with("file"))
        );
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "theirs");
    }

    #[test]
    fn who_may_read_a_file_stays_as_it_was() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        fs::write(&file, "one").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Repository::at(temp.path()).write("file", b"two").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "two");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(temp.path()).unwrap().count(), 1);
    }
}
