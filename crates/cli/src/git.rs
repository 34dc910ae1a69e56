//! The only place that starts git, and only when a person asked for what needs it.
//!
//! Git takes its orders from names, configuration and environment as well as from us, so each call
//! has a fixed environment, no prompts, no hooks, and arguments that cannot be taken for options.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::errors::Failure;

/// What git may see of our environment: enough to find itself and the person's own settings.
const PASSED_ON: [&str; 4] = ["PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR"];

/// Runs git in a repository, and gives what it printed.
fn run<S: AsRef<OsStr>>(folder: &Path, arguments: &[S]) -> Result<String, Failure> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    // A repository's own configuration must not start programs for us.
    for setting in ["core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never"] {
        command.arg("-c").arg(setting);
    }
    command.args(arguments).env_clear().stdin(Stdio::null());
    for name in PASSED_ON {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0").env("GIT_OPTIONAL_LOCKS", "0");
    let failed = |source| Failure::Io { doing: "run git in", path: folder.to_owned(), source };
    let output = command.output().map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("it gave no reason").to_owned();
    Err(failed(std::io::Error::other(said)))
}

/// Which git there is, if any.
pub fn version() -> Option<String> {
    let said = run(Path::new("/"), &["version"]).ok()?;
    Some(said.trim().trim_start_matches("git version ").to_owned())
}

/// The version of a conflicted file with which both sides of the merge began, while git knows it.
pub fn merge_base(file: &Path) -> Option<String> {
    let (folder, name) = (file.parent()?, file.file_name()?.to_str()?);
    run(folder, &["cat-file", "blob", &format!(":1:./{name}")]).ok()
}

/// Whether a merge of the project's files is begun and not ended.
pub fn is_merging(folder: &Path) -> bool {
    run(folder, &["ls-files", "--unmerged", "."]).is_ok_and(|unmerged| !unmerged.trim().is_empty())
}

/// Tells this clone's git how to merge documents. Nothing else of its configuration changes.
pub fn set_merge_driver(folder: &Path) -> Result<(), Failure> {
    let settings = [
        ("merge.milestone.name", "milestone documents, field by field"),
        ("merge.milestone.driver", "milestone merge-driver %O %A %B %P"),
    ];
    for (key, value) in settings {
        run(folder, &["config", "--local", "--replace-all", "--end-of-options", key, value])
            .or_else(|_| run(folder, &["config", "--local", "--replace-all", key, value]))?;
    }
    Ok(())
}
