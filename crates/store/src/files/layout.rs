//! The folder that `init` makes, and what git is told about it.

use super::disk::Disk;
use crate::config::PROJECT_FILE;
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// What only this clone knows: claims, caches, logs.
const IGNORE: &str = "\
# Written by milestone. What only this clone knows is not shared; all of it can be made again,
# except live claims.
/config/scale-detection.yaml
/sessions/
/data/
/logs/
/temp/
";

/// Documents merge field by field where the merge driver is set up, and as text where it is not.
/// Nobody but the program writes history, so its bytes are left alone.
const ATTRIBUTES: &str = "\
# Written by milestone. `milestone init --merge-driver` sets up the merge driver named here; without
# it, git merges these files as text.
/active/*.yaml merge=milestone
/completed/*.yaml merge=milestone
/history/** -text
";

const FOLDERS: [&str; 6] = ["active", "completed", "config", "history", "data", "temp"];

const CONFIG: &str = "\
# Settings of this project; `milestone config get` shows every one, with its source.
";

/// Why a project that several people share starts without `progress` in its documents.
const SHARED: &str = "\
# Two branches that finish different tasks would both change `progress`, and conflict. It is
# computed, and every command shows it, so documents here do without.
documents:
  progress: false
";

/// The files that git is told by, and their texts.
pub fn git_files() -> [(&'static str, &'static str); 2] {
    [(".gitignore", IGNORE), (".gitattributes", ATTRIBUTES)]
}

/// Makes what is missing; what is there stays as it is. Answers whether the project is new.
pub fn make(disk: &Disk, shared: bool) -> Result<bool> {
    let new = disk.make_root()?;
    for folder in FOLDERS {
        disk.make_folder(folder)?;
    }
    disk.keep_private("data")?;
    for (name, text) in git_files() {
        if disk.stamp(name)?.is_none() {
            disk.replace_synced(name, text.as_bytes())?;
        }
    }
    if disk.stamp(PROJECT_FILE)?.is_none() {
        let text = if shared { format!("{CONFIG}\n{SHARED}") } else { CONFIG.to_owned() };
        disk.replace_synced(PROJECT_FILE, text.as_bytes())?;
    }
    if new {
        FOLDERS.iter().chain(&[""]).try_for_each(|folder| disk.sync(folder))?;
    }
    Ok(new)
}
