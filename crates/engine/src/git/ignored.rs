//! What git would not take into a commit.

use std::collections::BTreeSet;
use std::path::Path;

use super::Repository;
use super::error::Result;

impl Repository {
    /// Those of these paths that git does not ignore in a worktree, because it tracks them or would.
    pub fn not_ignored(&self, worktree: &Path, paths: &[String]) -> Result<Vec<String>> {
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let tree = self.known(worktree)?;
        let asked = self.within(&tree, &["check-ignore", "-z", "--stdin"]);
        let said = asked.input(paths.join("\0")).accepting(&[0, 1]).run()?;
        let ignored: BTreeSet<String> = said.parts().into_iter().collect();
        Ok(paths.iter().filter(|path| !ignored.contains(*path)).cloned().collect())
    }
}
