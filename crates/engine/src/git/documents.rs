//! What the project's documents need of git, whether anything is executed or not.

use std::path::Path;

use super::error::Result;
use super::run::{Call, Caller};

/// Which git there is, if any.
pub fn version() -> Option<String> {
    let said = Call::new(&Caller::asking(), Path::new("/"), &["version"]).run().ok()?;
    Some(said.text().trim_start_matches("git version ").to_owned())
}

/// The version of a conflicted file with which both sides of the merge began, while git knows it.
pub fn merge_base(file: &Path) -> Option<String> {
    let (folder, name) = (file.parent()?, file.file_name()?.to_str()?);
    let caller = Caller::asking();
    let asked = ["cat-file", "blob", &format!(":1:./{name}")];
    let said = Call::new(&caller, folder, &asked).run().ok()?;
    Some(String::from_utf8_lossy(&said.out).into_owned())
}

/// Whether a merge of the project's files is begun and not ended.
pub fn is_merging(folder: &Path) -> bool {
    let said = Call::new(&Caller::asking(), folder, &["ls-files", "--unmerged", "."]).run();
    said.is_ok_and(|said| !said.text().is_empty())
}

/// Tells this clone's git how to merge documents. Nothing else of its configuration changes.
pub fn set_merge_driver(folder: &Path) -> Result<()> {
    let settings = [
        ("merge.milestone.name", "milestone documents, field by field"),
        ("merge.milestone.driver", "milestone merge-driver %O %A %B %P"),
    ];
    let caller = Caller::asking();
    for (key, value) in settings {
        let words = ["config", "--local", "--replace-all", key, value];
        Call::new(&caller, folder, &words).run()?;
    }
    Ok(())
}
