//! Copying what git ignores from the project into a new worktree.
//!
//! Folders are opened one within the other and no link is followed, on either side: whatever the
//! repository or somebody else makes of a name meanwhile, nothing outside is read or written.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use milestone_store::config::Names;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

/// More are not copied: a folder of that many files belongs into a cache of its tool's.
const FILES_MAX: usize = 50_000;

#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{0} leads out of the project, or nowhere: such a link is not copied")]
    Link(String),
    #[error("{0} is neither a file nor a folder nor a link")]
    Special(String),
    #[error("{0} is behind a link, and no link is followed")]
    Behind(String),
    #[error("there are more than {FILES_MAX} files to be copied")]
    TooMany,
    #[error("cannot copy {path}: {source}")]
    Io { path: String, source: io::Error },
}

type Result<T> = std::result::Result<T, CopyError>;

/// What is there to be copied.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Files and links, from the project on.
    pub files: Vec<String>,
    /// What was named and is not there.
    pub missing: Vec<String>,
}

/// A folder that is open.
struct Folder(OwnedFd);

const OPENED: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl Folder {
    /// Where everything begins is a person's own choice, and may be behind a link.
    fn at(path: &Path) -> rustix::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map(Self)
    }

    fn within(&self, name: &str) -> rustix::io::Result<Self> {
        rustix::fs::openat(&self.0, name, OPENED, Mode::empty()).map(Self)
    }

    fn made_within(&self, name: &str) -> rustix::io::Result<Self> {
        match rustix::fs::mkdirat(&self.0, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => self.within(name),
            Err(errno) => Err(errno),
        }
    }

    fn names(&self) -> rustix::io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            // A name that is no text is none that anybody has asked for.
            let name = entry?.file_name().to_str().map(str::to_owned);
            names.extend(name.ok().filter(|name| name != "." && name != ".."));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn kind(&self, name: &str) -> rustix::io::Result<FileType> {
        let stat = rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(FileType::from_raw_mode(stat.st_mode))
    }
}

/// Everything below a folder that is meant by these names.
pub fn found(project: &Path, wanted: &[Names]) -> Result<Found> {
    let root = Folder::at(project).map_err(failed("."))?;
    let mut found = Found::default();
    for names in wanted {
        let before = found.files.len();
        find(&root, "", names.names(), &mut found.files)?;
        if found.files.len() == before {
            found.missing.push(names.to_string());
        }
    }
    found.files.sort_unstable();
    found.files.dedup();
    Ok(found)
}

fn find(folder: &Folder, place: &str, names: &[String], files: &mut Vec<String>) -> Result<()> {
    let Some((wanted, rest)) = names.split_first() else { return all(folder, place, files) };
    for name in folder.names().map_err(failed(place))? {
        let is_hidden = name.starts_with('.') && !wanted.starts_with('.');
        if is_hidden || Names::is_never_copied(&name) || !fits(wanted, &name) {
            continue;
        }
        let path = joined(place, &name);
        match folder.kind(&name).map_err(failed(&path))? {
            FileType::Directory => {
                let inner = folder.within(&name).map_err(failed(&path))?;
                find(&inner, &path, rest, files)?;
            }
            FileType::RegularFile | FileType::Symlink if rest.is_empty() => add(files, path)?,
            FileType::Symlink if *wanted == name => return Err(CopyError::Behind(path)),
            // A file where a folder is named is not what was meant; nor is what only fits.
            FileType::RegularFile | FileType::Symlink => {}
            _ if *wanted == name => return Err(CopyError::Special(path)),
            _ => {}
        }
    }
    Ok(())
}

fn all(folder: &Folder, place: &str, files: &mut Vec<String>) -> Result<()> {
    for name in folder.names().map_err(failed(place))? {
        let path = joined(place, &name);
        if Names::is_never_copied(&name) {
            continue;
        }
        match folder.kind(&name).map_err(failed(&path))? {
            FileType::Directory => {
                all(&folder.within(&name).map_err(failed(&path))?, &path, files)?;
            }
            FileType::RegularFile | FileType::Symlink => add(files, path)?,
            _ => return Err(CopyError::Special(path)),
        }
    }
    Ok(())
}

fn add(files: &mut Vec<String>, path: String) -> Result<()> {
    if files.len() == FILES_MAX {
        return Err(CopyError::TooMany);
    }
    files.push(path);
    Ok(())
}

/// Whether a name is one that is meant: `*` stands for any letters, `?` for one.
fn fits(wanted: &str, name: &str) -> bool {
    let (wanted, name): (Vec<char>, Vec<char>) = (wanted.chars().collect(), name.chars().collect());
    // Which beginnings of the name fit what is wanted so far.
    let mut fitting = vec![false; name.len() + 1];
    fitting[0] = true;
    for letter in wanted {
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            let one_more = at > 0 && (letter == '?' || name[at - 1] == letter);
            next[at] = match letter {
                '*' => fitting[at] || (at > 0 && next[at - 1]),
                _ => one_more && fitting[at - 1],
            };
        }
        fitting = next;
    }
    fitting[name.len()]
}

/// Copies one file or link to the same place in another folder. What is there already is replaced.
pub fn copy(path: &str, project: &Path, worktree: &Path) -> Result<()> {
    let (place, name) = path.rsplit_once('/').unwrap_or(("", path));
    let mut from = Folder::at(project).map_err(failed(path))?;
    let mut to = Folder::at(worktree).map_err(failed(path))?;
    for step in place.split('/').filter(|step| !step.is_empty()) {
        from = from.within(step).map_err(behind(path))?;
        to = to.made_within(step).map_err(behind(path))?;
    }
    match rustix::fs::unlinkat(&to.0, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(failed(path)(errno)),
    }
    match from.kind(name).map_err(failed(path))? {
        FileType::Symlink => copy_link(path, project, &from, &to, name),
        _ => copy_file(&from, &to, name).map_err(|source| io_error(path, source)),
    }
}

fn copy_file(from: &Folder, to: &Folder, name: &str) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut read = File::from(rustix::fs::openat(&from.0, name, flags, Mode::empty())?);
    let metadata = read.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Who may read it may do so at no moment more than of the first one.
    let mode = rustix::fs::fstat(&read)?.st_mode & 0o777;
    let written = rustix::fs::openat(&to.0, name, flags, Mode::from_raw_mode(mode | 0o200))?;
    io::copy(&mut read, &mut File::from(written)).map(drop)
}

/// A link within the project leads to the same place of the worktree.
fn copy_link(path: &str, project: &Path, from: &Folder, to: &Folder, name: &str) -> Result<()> {
    let leads_out = || CopyError::Link(path.to_owned());
    let target = rustix::fs::readlinkat(&from.0, name, Vec::new()).map_err(failed(path))?;
    let target = PathBuf::from(target.to_str().map_err(|_| leads_out())?);
    if !stays_inside(path, &target) || !leads_inside(&project.join(path), project) {
        return Err(leads_out());
    }
    rustix::fs::symlinkat(&target, &to.0, name).map_err(failed(path))
}

/// Whether what a link says stays below the folder, name by name.
fn stays_inside(path: &str, target: &Path) -> bool {
    let mut depth = path.matches('/').count();
    target.components().all(|step| match step {
        Component::Normal(name) => {
            depth += 1;
            name.to_str().is_some_and(|name| !Names::is_never_copied(name))
        }
        Component::CurDir => true,
        Component::ParentDir => match depth.checked_sub(1) {
            Some(less) => {
                depth = less;
                true
            }
            None => false,
        },
        Component::RootDir | Component::Prefix(_) => false,
    })
}

/// Whether it really leads there, over whatever other links.
fn leads_inside(link: &Path, project: &Path) -> bool {
    match (link.canonicalize(), project.canonicalize()) {
        (Ok(end), Ok(project)) => end.strip_prefix(project).is_ok_and(|inside| {
            let mut names = inside.iter().map(|name| name.to_str());
            names.all(|name| name.is_some_and(|name| !Names::is_never_copied(name)))
        }),
        _ => false,
    }
}

fn joined(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}/{name}") }
}

fn failed(path: &str) -> impl FnOnce(Errno) -> CopyError {
    move |errno| io_error(path, errno.into())
}

/// A folder on the way that is none, or a link to one.
fn behind(path: &str) -> impl FnOnce(Errno) -> CopyError {
    move |errno| match errno {
        Errno::LOOP | Errno::NOTDIR => CopyError::Behind(path.to_owned()),
        errno => io_error(path, errno.into()),
    }
}

fn io_error(path: &str, source: io::Error) -> CopyError {
    CopyError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    struct Place {
        temp: tempfile::TempDir,
    }

    impl Place {
        fn new(files: &[&str]) -> Self {
            let place = Self { temp: tempfile::tempdir().unwrap() };
            fs::create_dir_all(place.worktree()).unwrap();
            fs::create_dir_all(place.project()).unwrap();
            for file in files {
                let path = place.project().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
            place
        }

        fn project(&self) -> PathBuf {
            self.temp.path().join("project")
        }

        fn worktree(&self) -> PathBuf {
            self.temp.path().join("worktree")
        }

        fn found(&self, names: &[&str]) -> Result<Found> {
            let names: Vec<Names> = names.iter().map(|name| Names::parse(name).unwrap()).collect();
            found(&self.project(), &names)
        }

        fn copy(&self, path: &str) -> Result<()> {
            copy(path, &self.project(), &self.worktree())
        }
    }

    #[test]
    fn what_is_named_is_found_and_nothing_of_git_or_the_project() {
        let place = Place::new(&[
            ".env",
            ".env.local",
            "a/b/c.txt",
            "a/b/.git/config",
            "a/.milestones/x",
            "config/one.local",
            "config/two",
            "x.txt",
        ]);
        let files = |names: &[&str]| place.found(names).unwrap().files;
        assert_eq!(files(&[".env*", ".env"]), [".env", ".env.local"]);
        assert_eq!(files(&["a"]), ["a/b/c.txt"]);
        assert_eq!(files(&["config/*.local", "?.txt"]), ["config/one.local", "x.txt"]);
        assert_eq!(files(&["*/two"]), ["config/two"]);
        let nothing = place.found(&["none", "x.txt/y"]).unwrap();
        assert_eq!(
            nothing,
            Found { files: vec![], missing: vec!["none".into(), "x.txt/y".into()] }
        );
    }

    #[test]
    fn a_copy_is_no_more_open_than_the_first_one() {
        let place = Place::new(&["deep/er/.env"]);
        let file = place.project().join("deep/er/.env");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        place.copy("deep/er/.env").unwrap();
        // Again, after somebody was interrupted.
        place.copy("deep/er/.env").unwrap();
        let copied = place.worktree().join("deep/er/.env");
        assert_eq!(fs::read_to_string(&copied).unwrap(), "deep/er/.env");
        assert_eq!(fs::metadata(&copied).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn links_are_copied_only_where_they_stay_inside() {
        let place = Place::new(&["a/file", "b/x", ".git/config"]);
        let outside = place.temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret"), "secret").unwrap();
        let link = |target: &str, name: &str| symlink(target, place.project().join(name)).unwrap();
        link("../a/file", "b/good");
        place.copy("b/good").unwrap();
        assert_eq!(fs::read_link(place.worktree().join("b/good")).unwrap(), Path::new("../a/file"));
        link("../../outside/secret", "b/up");
        link("/etc/hostname", "b/absolute");
        link("nowhere", "b/dangling");
        link("../.git/config", "b/git");
        link(outside.to_str().unwrap(), "way");
        link("../way/secret", "b/round");
        for name in ["b/up", "b/absolute", "b/dangling", "b/git", "b/round"] {
            assert!(matches!(place.copy(name), Err(CopyError::Link(_))), "{name}");
            assert!(place.worktree().join(name).symlink_metadata().is_err(), "{name}");
        }
        assert!(matches!(place.found(&["way/secret"]), Err(CopyError::Behind(_))));
    }

    #[test]
    fn nothing_is_read_or_written_through_a_link() {
        let place = Place::new(&["a/b/file"]);
        let outside = place.temp.path().join("outside");
        fs::create_dir(&outside).unwrap();
        symlink(&outside, place.worktree().join("a")).unwrap();
        assert!(matches!(place.copy("a/b/file"), Err(CopyError::Behind(_))));
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        // A link in the place of the file is replaced, and not written through.
        fs::remove_file(place.worktree().join("a")).unwrap();
        fs::create_dir_all(place.worktree().join("a/b")).unwrap();
        fs::write(outside.join("kept"), "kept").unwrap();
        symlink(outside.join("kept"), place.worktree().join("a/b/file")).unwrap();
        place.copy("a/b/file").unwrap();
        assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
        // And on the side that is read.
        fs::rename(place.project().join("a"), outside.join("a")).unwrap();
        symlink(outside.join("a"), place.project().join("a")).unwrap();
        assert!(matches!(place.copy("a/b/file"), Err(CopyError::Behind(_))));
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let place = Place::new(&[]);
        let pipe = place.project().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0)
            .unwrap();
        assert!(matches!(place.found(&["pipe"]), Err(CopyError::Special(_))));
    }
}
